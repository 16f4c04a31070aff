"""The follower: takes the leader's log as it comes, and notices when the leader falls silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.cluster.events import ElectionTimerSet, EntryReceived, PreVoteStarted
from server.cluster.messages import (
    AppendEntries,
    AppendEntriesReply,
    NodeId,
    RequestVote,
    RequestVoteReply,
)
from server.cluster.role import Role

if TYPE_CHECKING:
    from server.cluster.replica import Replica
    from server.cluster.simulation import Timer

PROOFS_MAX = 32
"""Proofs of leadership that a follower remembers until it has caught up with them."""


class Follower(Role):
    """Accepts entries from the leader of its term and votes for whoever may replace it."""

    name = "follower"

    def __init__(self, replica: Replica) -> None:
        super().__init__(replica)
        self.matched_index = 0
        """Up to here this log is known to equal the leader's; beyond it may be a divergent tail."""
        self.owes_reply = False
        """Whether entries came whose flush the leader has not been told of yet."""
        self.election_at_us: int | None = None
        """When it will stand for election unless the leader is heard; `None` under manual failover."""
        self._election_cause: int | None = None
        self._election: Timer | None = None
        self._rings_at_us = 0
        self.round = 0
        """The leader's round that was heard last."""
        self.proofs: list[tuple[int, int]] = []
        """Moments at which the leader certainly led, each with how far entries had been acknowledged then:
        the newest that this replica shows all of, and those it has yet to catch up with."""
        self.heard_at_us: int | None = None
        """When a leader was last heard."""
        self.trial_votes: list[NodeId] = []
        """Under pre-vote: who would vote for this follower if it stood now, itself first."""

    # --- messages ---------------------------------------------------------------------------------

    def on_append_entries(self, source: NodeId, message: AppendEntries) -> None:
        """Append what follows on from this log; refuse a gap or a conflict (Raft §5.3)."""
        replica = self.replica
        replica.recognise(source)
        self.round, self.heard_at_us, self.trial_votes = message.round, self.machine.now_us, []
        self.set_election_timer()
        log = replica.log
        previous = message.previous_index
        tolerates = not self.machine.settings.truncate_on_rejoin and previous <= log.last_index
        if log.term_at(previous) != message.previous_term and not tolerates:
            self._refuse(source, previous)
            return
        last_new = previous + len(message.entries)
        received = self._receive(message)
        self.matched_index = max(self.matched_index, last_new)
        replica.advance_commit(min(message.commit_index, self.matched_index))
        self._take_proof(message)
        if received and self.machine.settings.level != "received":
            self.owes_reply = True
            replica.flush()
        else:
            replica.flush()
            self.reply()

    def on_recovered(self) -> None:
        """The crash took the memory of when a leader was heard, yet that leader's lease may still hold:
        act as if it had been just now (Raft thesis §6.4.1 counts on it)."""
        self.heard_at_us = self.machine.now_us

    def on_term_advanced(self) -> None:
        """Agreement was with the old term's leader; with the next one it starts from nothing."""
        self.matched_index = 0
        self.proofs = []
        self.owes_reply = False
        self.trial_votes = []  # When a leader was heard is kept: its lease outlives its term.

    def on_election_lost(self) -> None:
        """Under pre-vote a failed candidate asks again before it takes another term (Raft thesis §9.6)."""
        self.start_trial()

    def on_vote_granted(self) -> None:
        """Having promised a vote, give the candidate time to win (Raft §5.2)."""
        self.set_election_timer()

    # --- timers -----------------------------------------------------------------------------------

    def set_election_timer(self) -> None:
        """Start the silence over, with a fresh random length so that rivals rarely coincide."""
        machine = self.machine
        if machine.settings.failover != "automatic" or not machine.is_voter:
            return
        self.election_at_us = machine.now_us + machine.draw_election_timeout_us()
        self._election_cause = machine.record(
            ElectionTimerSet(machine.name, self.replica.partition, self.election_at_us)
        )
        if self._election is not None and self.election_at_us < self._rings_at_us:
            self._election.cancel()
            self._election = None
        if self._election is None:
            self._wait_for_election()

    def _wait_for_election(self) -> None:
        # One waiting timer serves all resets to a later time: ringing too early, it is wound up again.
        assert self.election_at_us is not None
        self._rings_at_us = self.election_at_us
        self._election = self.machine.set_alarm(self.election_at_us, self._on_election_timer)

    def _on_election_timer(self) -> None:
        self._election = None
        assert self.election_at_us is not None
        if self.machine.now_us < self.election_at_us:
            self._wait_for_election()
        else:
            self.machine.blame(self._election_cause)
            if self.machine.settings.pre_vote:
                self.start_trial()
            else:
                self.replica.stand()

    def on_settings_changed(self) -> None:
        """Begin or stop waiting for a silent leader."""
        if self.machine.settings.failover == "automatic":
            if self.election_at_us is None:
                self.set_election_timer()
        elif self.election_at_us is not None:
            self.stop()
            self.machine.record(ElectionTimerSet(self.machine.name, self.replica.partition, None))

    # --- pre-vote (Raft thesis §9.6) ----------------------------------------------------------------

    def start_trial(self) -> None:
        """Ask whether it could win, before it disturbs anybody with a new term."""
        replica, machine = self.replica, self.machine
        self.trial_votes = [machine.name]
        term = replica.term + 1
        machine.record(PreVoteStarted(machine.name, replica.partition, term))
        self.set_election_timer()
        last_term, last_index = replica.log.last_id
        for peer in machine.voting_peers:
            replica.send(peer, RequestVote(term, last_index, last_term, is_trial=True))
        self._stand_if_it_could_win()

    def on_trial_vote(self, source: NodeId, message: RequestVoteReply) -> None:
        """Somebody would vote for this follower; it stands when a majority would."""
        if self.trial_votes and source not in self.trial_votes:
            self.trial_votes.append(source)
            self._stand_if_it_could_win()

    def _stand_if_it_could_win(self) -> None:
        needed = self.machine.majority if self.machine.settings.majority else 1
        if len(self.trial_votes) >= needed:
            self.replica.stand()

    def trusts_leader(self) -> bool:
        """Whether it heard a leader within the shortest election timeout, by its own clock."""
        if self.heard_at_us is None:
            return False
        silence_us = self.machine.elapsed_us(self.heard_at_us)
        return silence_us < self.machine.settings.election_timeout_min_us

    # --- helpers ----------------------------------------------------------------------------------

    def on_flushed(self) -> None:
        """Tell the leader what is safe here now."""
        if self.owes_reply:
            self.reply()

    def on_applied(self) -> None:
        """Where a copy counts only once it can be read, tell the leader of that too."""
        if self.machine.settings.level == "applied":
            self.reply()

    def vouched_us(self) -> int | None:
        """The newest proof whose entries can all be read here."""
        shown_index = min(self.replica.applied_index, self.matched_index)
        reached = [at_us for at_us, index in self.proofs if index <= shown_index]
        return reached[-1] if reached else None

    def _take_proof(self, message: AppendEntries) -> None:
        """Note when the leader certainly led; of what is shown already, only the newest matters."""
        if message.proved_us is None or (self.proofs and message.proved_us <= self.proofs[-1][0]):
            return
        shown_index = min(self.replica.applied_index, self.matched_index)
        while len(self.proofs) > 1 and self.proofs[1][1] <= shown_index:
            del self.proofs[0]
        if len(self.proofs) == PROOFS_MAX:
            del self.proofs[-1]  # Far behind: the older ones are reached first.
        self.proofs.append((message.proved_us, message.proved_index))
        self.replica.retry_reads()

    def readable_index(self) -> int:
        """What is on disk, or what is known to be committed, as the policy says."""
        return self.replica.readable_index_of_follower()

    def stop(self) -> None:
        """No more elections from this role."""
        if self._election is not None:
            self._election.cancel()
            self._election = None
        self.election_at_us = None

    def reply(self) -> None:
        """Report how far this log equals the leader's, in memory, on disk and readable."""
        replica, matched = self.replica, self.matched_index
        if replica.leader is None:
            return
        waits_for_flush = self.machine.settings.level != "received"
        self.owes_reply = waits_for_flush and replica.log.flushed_index < matched
        replica.send(
            replica.leader,
            AppendEntriesReply(
                replica.term, True, matched,
                min(matched, replica.log.flushed_index), min(matched, replica.applied_index), 0,
                self.round,
            ),
        )  # fmt: skip

    def _receive(self, message: AppendEntries) -> bool:
        """Take the entries that are new; a conflicting one removes everything from it on."""
        replica = self.replica
        log = replica.log
        received = False
        for entry in message.entries:
            held_term = log.term_at(entry.index)
            if held_term == entry.term:
                continue
            if held_term != -1:
                if not self.machine.settings.truncate_on_rejoin:
                    continue
                replica.truncate_from(entry.index, "conflict")
                self.matched_index = min(self.matched_index, entry.index - 1)
            log.append(entry)
            self.machine.record(EntryReceived(self.machine.name, replica.partition, entry))
            received = True
        self._discard_beyond(message)
        return received

    def _discard_beyond(self, message: AppendEntries) -> None:
        """An old leader's tail beyond the end of this leader's log will never be part of it: whatever the
        leader puts there is of its own, later term. Without this it would stay readable until then."""
        log = self.replica.log
        if message.last_index is None or not self.machine.settings.truncate_on_rejoin:
            return
        index = max(message.last_index, message.previous_index + len(message.entries)) + 1
        if index <= log.last_index and log.term_at(index) < message.term:
            self.replica.truncate_from(index, "conflict")

    def _refuse(self, source: NodeId, previous_index: int) -> None:
        """Say where to look for agreement: before the end of this log, or before the whole stretch of
        the conflicting term (Raft §5.3, last paragraphs)."""
        log = self.replica.log
        if previous_index > log.last_index:
            hint = log.last_index
        else:
            hint = log.first_index_of_term_at(previous_index) - 1
        self.replica.send(
            source, AppendEntriesReply(self.replica.term, False, hint, 0, 0, previous_index, self.round)
        )
