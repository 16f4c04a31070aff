"""The leader: orders writes, copies them to followers, and decides when they are safe.

Three facts stay apart here: an entry is *appended* (in this log), *committed* (on a majority) and
*acknowledged* (a client was told OK). The acknowledge policy alone decides the third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.cluster.events import (
    EntryAppended,
    HandOverEnded,
    HandOverStarted,
    LeaderStarted,
    RequestDeduplicated,
    WriteAcknowledged,
)
from server.cluster.messages import (
    Address,
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    LogEntry,
    NodeId,
    TimeoutNow,
)
from server.cluster.policies import ACKNOWLEDGE_POLICIES
from server.cluster.role import Role
from server.cluster.settings import LIMITS

if TYPE_CHECKING:
    from server.cluster.replica import Replica
    from server.cluster.simulation import Timer

WINDOW_BATCHES = 8
"""How many batches may be on their way to one follower beyond what it has confirmed."""


class Progress:
    """What the leader knows of one follower. Invariant: received_index < next_index."""

    __slots__ = (
        "applied_index", "awaited_index", "flushed_index", "is_probing", "next_index", "received_index",
        "round",
    )  # fmt: skip

    def __init__(self, next_index: int) -> None:
        self.next_index = next_index
        """The next entry to send."""
        self.received_index = 0
        """The follower's memory equals this log up to here …"""
        self.flushed_index = 0
        """… its disk up to here …"""
        self.applied_index = 0
        """… and its store up to here."""
        self.is_probing = True
        """Looking for the point of agreement: one message at a time until one is accepted."""
        self.awaited_index = 0
        """While probing: the last entry of that one message; 0 when none is out."""
        self.round = 0
        """The last of this leader's rounds that it has answered."""


@dataclass(slots=True)
class WaitingRead:
    """A read that a leader may not answer yet."""

    source: Address
    request: ClientRequest
    index: int
    """It must have applied its log up to here …"""
    round: int
    """… and a majority must have answered this round; 0 when that is done or not needed."""


class Leader(Role):
    """Leads one term. Losing the role loses all of this, as in the Raft paper."""

    name = "leader"

    def __init__(self, replica: Replica) -> None:
        super().__init__(replica)
        self.inherited_index = replica.log.last_index
        """The log's end when this leadership began: readable at once, and reads wait for it."""
        self.progress = {peer: Progress(self.inherited_index + 1) for peer in self.machine.peers}
        self.acknowledged_index = 0
        """How far the acknowledge policy's condition is met."""
        self.answered_index = replica.log.last_index
        """How far waiting clients have been answered."""
        self.waiting: dict[int, list[tuple[Address, ClientRequest]]] = {}
        """By log index: who wants to be told when that entry is safe."""
        self.waiting_reads: list[WaitingRead] = []
        """Reads that may not be answered yet, in the order they came."""
        self.rounds_sent: dict[int, tuple[int, int]] = {}
        """When each round was sent, and how far entries had been acknowledged then; only rounds that a
        majority may still confirm."""
        self.started_us = self.machine.now_us
        self.confirmed_us: int | None = None
        """When the last round that a majority has answered was sent: it certainly led at that moment. Not
        even when it started is that certain, for the votes may have been long on their way."""
        self.confirmed_index = self.inherited_index
        """What had been acknowledged by then, by whichever leader, stands up to here."""
        self.lease_us: int | None = None
        """When the round was sent that its lease counts from; `None` while it has none."""
        self.lease_round = replica.round + 1
        """The first round that may bring a lease: sent since the membership last changed."""
        self.may_lease = True
        """Not once it has told a successor to stand: whoever hears that asks nobody's leave."""
        self.successor: NodeId | None = None
        """In a planned switchover: who takes over; no writes are taken meanwhile."""
        self.is_superseded = False
        """The membership changed under a later leader, so nobody told this one: what it counts by the
        new majorities proves nothing."""
        self.successor_term = 0
        self.has_told_successor = False
        self._heartbeat: Timer | None = None
        self._hand_over: Timer | None = None

    def start(self, how: str, votes: tuple[NodeId, ...]) -> None:
        """Announce the leadership. With uncommitted entries of earlier terms in the log, append an
        empty one: only an entry of its own term can commit them (Raft §5.4.2, §8)."""
        replica = self.replica
        self.machine.record(LeaderStarted(self.machine.name, replica.partition, replica.term, how, votes))
        if replica.commit_index < replica.log.last_index and replica.log.last_term != replica.term:
            self._append(LogEntry(replica.log.last_index + 1, replica.term, "noop", None, None, None, None))
        self._on_heartbeat_timer()
        replica.flush()
        self._advance()

    # --- messages ---------------------------------------------------------------------------------

    def on_client_request(self, source: Address, request: ClientRequest) -> None:
        """Answer a read, or put a write at the end of the log and remember who asked."""
        if request.operation_kind == "read":
            self._on_read(source, request)
            return
        log = self.replica.log
        if self.machine.settings.idempotent_retries and request.operation in log.index_of_operation:
            self._on_retry(source, request, log.index_of_operation[request.operation])
        elif self.successor is not None:
            self.replica.refuse(source, request, "handing over", None)
        elif log.last_index >= LIMITS.log_entries_max:
            self.replica.refuse(source, request, "log full", None)
        else:
            index = log.last_index + 1
            self._append(
                LogEntry(
                    index, self.replica.term, request.operation_kind,
                    request.key, request.value, request.expected, request.operation,
                )
            )  # fmt: skip
            self.waiting[index] = [(source, request)]
            self.replica.flush()

    def _on_read(self, source: Address, request: ClientRequest) -> None:
        """Answer at once, or when what the `leader-reads` setting asks for is true (Raft thesis §6.4)."""
        needs_proof = request.leader_only and not self._may_answer_unproven()
        if needs_proof:
            self._send_round()
        index = max(self._first_readable_index(), self.readable_index() if needs_proof else 0)
        awaited_round = self.replica.round if needs_proof else 0
        read = WaitingRead(source, request, index, awaited_round)
        self.waiting_reads.append(read)
        del self.waiting_reads[: -LIMITS.reads_waiting_max]
        self._answer_reads()
        if self.waiting_reads and self.waiting_reads[-1] is read:
            self.replica.defer_read(request, "proof" if awaited_round else "apply", index)

    def _may_answer_unproven(self) -> bool:
        """Whether a read needs no fresh proof that this replica still leads."""
        settings = self.machine.settings
        if settings.leader_reads == "lease":
            return self._has_lease() or not settings.lease_step_down
        return settings.leader_reads == "plain"

    def _has_lease(self) -> bool:
        """Nobody who answered a round elects another leader before the shortest election timeout has
        passed since it was sent; a tenth is kept back for clocks that differ (Raft thesis §6.4.1)."""
        if self.lease_us is None or not self.may_lease:
            return False
        length_us = self.machine.settings.election_timeout_min_us * 9 // 10
        return self.machine.elapsed_us(self.lease_us) < length_us

    def trusts_leader(self) -> bool:
        """It trusts itself while its lease lasts."""
        return self._has_lease()

    def _on_retry(self, source: Address, request: ClientRequest, index: int) -> None:
        """The entry of this operation is already here: wait for that one instead of appending again."""
        self.machine.record(
            RequestDeduplicated(self.machine.name, self.replica.partition, request.operation, index)
        )
        if index <= min(self.acknowledged_index, self.replica.applied_index):
            self._answer(index, source, request)
        else:
            self.answered_index = min(self.answered_index, index - 1)
            self.waiting.setdefault(index, []).append((source, request))
            self._advance()

    def on_append_entries_reply(self, source: NodeId, message: AppendEntriesReply) -> None:
        """Learn how far a follower is, or step back to where it agrees."""
        progress = self.progress.get(source)
        if progress is None:
            return
        self._confirm(progress, message.round)
        if not message.success:
            self._on_rejection(source, progress, message)
            return
        if message.received_index >= progress.awaited_index:
            progress.is_probing, progress.awaited_index = False, 0
        # Replies may overtake each other, so what is known only grows.
        progress.received_index = max(progress.received_index, message.received_index)
        progress.applied_index = max(progress.applied_index, message.applied_index)
        progress.flushed_index = max(progress.flushed_index, message.flushed_index)
        progress.next_index = max(progress.next_index, progress.received_index + 1)
        self._advance()
        if self.replica.role is self:
            self._replicate_to(source, progress)
            self._maybe_admit(source, progress)
            self._maybe_hand_over()

    def _on_rejection(self, source: NodeId, progress: Progress, message: AppendEntriesReply) -> None:
        rejected_index, hint = message.rejected_index, message.received_index
        if progress.is_probing and rejected_index != progress.next_index - 1:
            return  # An answer to an older question.
        if rejected_index <= progress.received_index:
            # The follower confirmed this entry before: a crash has taken its memory since.
            progress.received_index = hint
            progress.flushed_index = min(progress.flushed_index, hint)
            progress.applied_index = min(progress.applied_index, hint)
        progress.is_probing, progress.awaited_index = True, 0
        progress.next_index = max(progress.received_index + 1, min(rejected_index, hint + 1))
        self._replicate_to(source, progress)

    # --- timers -----------------------------------------------------------------------------------

    def _on_heartbeat_timer(self) -> None:
        self._heartbeat = self.machine.set_timer(self.machine.settings.heartbeat_us, self._on_heartbeat_timer)
        if self._has_lost_lease():
            self.replica.follow(None, "lease expired")
            return
        self._send_round()

    def _has_lost_lease(self) -> bool:
        """Under lease reads: whether it has been without a majority for so long that it must step down."""
        settings = self.machine.settings
        is_kept = settings.leader_reads != "lease" or not settings.lease_step_down
        if is_kept or settings.failover != "automatic":
            return False
        since_us = self.started_us if self.confirmed_us is None else self.confirmed_us
        return self.machine.elapsed_us(since_us) >= settings.election_timeout_min_us

    def _send_round(self) -> None:
        """Show every follower that this leader is alive, with new entries where there are any."""
        self.replica.round += 1
        acknowledged_index = max(self.inherited_index, self.acknowledged_index)
        self.rounds_sent[self.replica.round] = (self.machine.now_us, acknowledged_index)
        for peer, progress in self.progress.items():
            progress.awaited_index = 0  # An answer this late is lost: ask again.
            if not self._replicate_to(peer, progress):
                self._send_append(peer, progress.next_index, ())

    def _confirm(self, progress: Progress, answered_round: int) -> None:
        """Note which of its rounds a follower has answered, and what a majority has thereby proved."""
        if answered_round <= progress.round or self.is_superseded:
            return
        progress.round = answered_round
        answered = [self.replica.round] if self.machine.is_voter else []
        answered += [self.progress[peer].round for peer in self.machine.voting_peers]
        answered.sort(reverse=True)
        proved = answered[self.machine.majority - 1]
        if proved in self.rounds_sent:
            self.confirmed_us, self.confirmed_index = self.rounds_sent[proved]
            if proved >= self.lease_round:
                self.lease_us = self.confirmed_us
            for number in [each for each in self.rounds_sent if each < proved]:
                del self.rounds_sent[number]
        self._answer_reads(proved)
        self.replica.retry_reads()

    def _on_hand_over_timer(self) -> None:
        """The successor never took over: carry on."""
        self._end_hand_over()

    def _end_hand_over(self) -> None:
        assert self.successor is not None
        assert self._hand_over is not None
        self._hand_over.cancel()
        self._hand_over = None
        self.machine.record(HandOverEnded(self.machine.name, self.replica.partition, self.successor))
        self.successor, self.has_told_successor = None, False

    def on_settings_changed(self) -> None:
        """The condition for an answer may be met, or readable entries may differ, from now on."""
        self._advance()

    # --- storage ----------------------------------------------------------------------------------

    def on_flushed(self) -> None:
        """Send what is on this disk, and only that: no follower is ever ahead of its leader's disk
        (PostgreSQL 15, walsender)."""
        for peer, progress in self.progress.items():
            self._replicate_to(peer, progress)
        self._advance()

    def on_applied(self) -> None:
        """Answer whoever waited for this."""
        self._answer_waiting()

    def vouched_us(self) -> int | None:
        """The last moment at which it certainly led, once it shows all that it inherited; what it has
        acknowledged itself it has applied."""
        return self.confirmed_us if self.replica.applied_index >= self._first_readable_index() else None

    def readable_index(self) -> int:
        """As the policy says; what was inherited can always be read."""
        readable = ACKNOWLEDGE_POLICIES[self.machine.settings.replication].readable
        if readable == "flushed":
            return self.replica.log.flushed_index
        if readable == "committed":
            return self.replica.commit_index
        return max(self.acknowledged_index, self.inherited_index)

    def stop(self) -> None:
        """Clients who wait are not answered: whether their writes survive is not known here."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._hand_over is not None:
            self._hand_over.cancel()

    # --- replication ------------------------------------------------------------------------------

    def _append(self, entry: LogEntry) -> None:
        self.replica.log.append(entry)
        self.machine.record(EntryAppended(self.machine.name, self.replica.partition, entry))

    def _replicate_to(self, peer: NodeId, progress: Progress) -> bool:
        """Send what this follower lacks, as far as the window lets; say whether anything was sent."""
        batch = self.machine.settings.batch
        flushed_index = self.replica.log.flushed_index
        window_end = progress.received_index + batch * WINDOW_BATCHES
        has_sent = False
        while progress.next_index <= min(flushed_index, window_end) or (
            progress.is_probing and progress.next_index <= flushed_index
        ):
            if progress.awaited_index:
                break
            last_index = min(flushed_index, progress.next_index + batch - 1)
            entries = self.replica.log.slice(progress.next_index, last_index)
            self._send_append(peer, progress.next_index, entries)
            has_sent = True
            if progress.is_probing:
                progress.awaited_index = last_index
            else:
                progress.next_index = last_index + 1
        return has_sent

    def _send_append(self, peer: NodeId, next_index: int, entries: tuple[LogEntry, ...]) -> None:
        replica = self.replica
        replica.send(
            peer,
            AppendEntries(
                replica.term, next_index - 1, replica.log.term_at(next_index - 1),
                entries, replica.commit_index, replica.round, replica.log.last_index,
                self.confirmed_us, self.confirmed_index,
            ),
        )  # fmt: skip

    def _advance(self) -> None:
        """Move the commit index and the acknowledged index as far as the copies allow."""
        replica = self.replica
        is_received_enough = self.machine.settings.level == "received"
        held = [replica.log.flushed_index] if self.machine.is_voter else []
        for peer in self.machine.voting_peers:
            progress = self.progress[peer]
            held.append(progress.received_index if is_received_enough else progress.flushed_index)
        held.sort(reverse=True)
        index = held[self.machine.majority - 1]
        # Entries of earlier terms commit only through one of this term (Raft §5.4.2, figure 8).
        is_own = replica.log.term_at(index) == replica.term
        may_commit = is_own or not self.machine.settings.commit_only_own_term
        if index > replica.commit_index and may_commit and not self.is_superseded:
            replica.advance_commit(index)
        self.acknowledged_index = self._policy_index()
        replica.apply()
        self._answer_waiting()

    def _policy_index(self) -> int:
        """The highest entry for which the acknowledge policy's condition is met."""
        settings = self.machine.settings
        policy = ACKNOWLEDGE_POLICIES[settings.replication]
        needed = policy.followers_needed(len(self.machine.voting_peers), settings)
        index = self.replica.log.flushed_index
        if needed and self.is_superseded:
            return self.acknowledged_index
        if needed:
            copies = sorted(
                (self._copied_index(self.progress[peer]) for peer in self.machine.voting_peers),
                reverse=True,
            )
            index = min(index, copies[needed - 1]) if needed <= len(copies) else 0
            if settings.commit_only_own_term and self.replica.log.term_at(index) != self.replica.term:
                # A retry may ask for an entry of an earlier term: however many hold it, a later leader may
                # replace it until one of this term commits it (Raft §5.4.2, figure 8).
                index = min(index, self.replica.commit_index)
        return min(index, self.replica.commit_index) if policy.readable == "committed" else index

    def _copied_index(self, progress: Progress) -> int:
        level = self.machine.settings.level
        if level == "received":
            return progress.received_index
        return progress.flushed_index if level == "flushed" else progress.applied_index

    # --- answering clients ------------------------------------------------------------------------

    def _answer_waiting(self) -> None:
        """Answer everyone whose entry is both safe, as the policy sees it, and applied here."""
        ready_index = min(self.acknowledged_index, self.replica.applied_index)
        while self.answered_index < ready_index:
            self.answered_index += 1
            for source, request in self.waiting.pop(self.answered_index, ()):
                self._answer(self.answered_index, source, request)
        self._answer_reads()

    def _answer_reads(self, proved_round: int = 0) -> None:
        """Answer the reads whose entries can be read and whose round a majority has answered."""
        if not self.waiting_reads:
            return
        applied_index = self.replica.applied_index
        waiting, self.waiting_reads = self.waiting_reads, []
        for read in waiting:
            if read.round <= proved_round:
                read.round = 0
            if read.round == 0 and read.index <= applied_index:
                self.replica.answer_read(read.source, read.request)
            else:
                self.waiting_reads.append(read)

    def _answer(self, index: int, source: Address, request: ClientRequest) -> None:
        replica = self.replica
        if index in replica.refused_cas:
            found = replica.refused_cas[index]
            reply = ClientReply(request.operation, request.attempt, "failed", found, index, None)
        else:
            holders = (
                peer for peer in self.machine.peers if self._copied_index(self.progress[peer]) >= index
            )
            self.machine.record(
                WriteAcknowledged(
                    self.machine.name, replica.partition, request.operation,
                    index, replica.log.term_at(index), (self.machine.name, *holders),
                )
            )  # fmt: skip
            reply = ClientReply(request.operation, request.attempt, "ok", None, index, None)
        replica.send(source, reply)

    def _first_readable_index(self) -> int:
        """Reads wait until this leader shows all it inherited; where only committed entries are shown,
        that takes its own first entry (Raft §8)."""
        policy = ACKNOWLEDGE_POLICIES[self.machine.settings.replication]
        if policy.readable == "committed":
            log = self.replica.log
            is_first_here = log.term_at(self.inherited_index + 1) == self.replica.term
            return self.inherited_index + (1 if is_first_here else 0)
        return self.inherited_index

    # --- membership and planned switchover --------------------------------------------------------

    def on_peer_added(self, peer: NodeId) -> None:
        """Start copying to a node that joins."""
        self.progress[peer] = Progress(self.replica.log.last_index + 1)
        self._send_append(peer, self.replica.log.last_index + 1, ())

    def on_membership_changed(self, led_term: int) -> None:
        """Only the latest leader may change the members (Raft thesis §4.1). What the old majority confirmed
        does not keep the new one from electing somebody else."""
        self.lease_us, self.lease_round = None, self.replica.round + 1
        self.is_superseded |= led_term > self.replica.term and self.machine.settings.fencing

    def on_peer_removed(self, peer: NodeId) -> None:
        """Stop copying to a node that leaves; fewer copies may be enough now."""
        self.progress.pop(peer, None)
        if peer == self.successor:
            self._end_hand_over()
        self._advance()

    def _maybe_admit(self, peer: NodeId, progress: Progress) -> None:
        is_level = progress.flushed_index >= self.replica.log.flushed_index
        if is_level and peer not in self.machine.voting_peers:
            self.machine.admit(peer)

    def hand_over(self, successor: NodeId, successor_term: int) -> None:
        """Begin a planned switchover: no new writes, catch the successor up, then let it lead."""
        self.successor, self.successor_term = successor, successor_term
        self.machine.record(HandOverStarted(self.machine.name, self.replica.partition, successor))
        self._hand_over = self.machine.set_timer(
            self.machine.settings.election_timeout_max_us, self._on_hand_over_timer
        )
        self._maybe_hand_over()

    def _maybe_hand_over(self) -> None:
        if self.successor is None or self.has_told_successor:
            return
        if self.progress[self.successor].flushed_index < self.replica.log.last_index:
            return
        self.has_told_successor, self.may_lease = True, False
        replica, successor = self.replica, self.successor
        replica.send(successor, TimeoutNow(replica.term, self.successor_term))
        if self.successor_term:
            # Nobody votes under manual failover: two leaders are avoided by leaving first.
            replica.led_term = 0
            replica.follow(None, "hand-over")
