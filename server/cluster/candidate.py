"""The candidate: asks for votes, and leads or gives way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.cluster.events import ElectionStarted, ElectionTimerSet, VoteCounted
from server.cluster.messages import AppendEntries, NodeId, RequestVote, RequestVoteReply
from server.cluster.role import Role

if TYPE_CHECKING:
    from server.cluster.replica import Replica
    from server.cluster.simulation import Timer


class Candidate(Role):
    """Stands in one term; a new attempt is a new term and a new candidate (Raft §5.2)."""

    name = "candidate"

    def __init__(self, replica: Replica, is_transfer: bool = False) -> None:
        super().__init__(replica)
        self.is_transfer = is_transfer
        """Whether the leader itself asked it to stand."""
        self.votes: list[NodeId] = [self.machine.name]
        self._retry: Timer | None = None
        self._retry_cause: int | None = None

    # --- messages ---------------------------------------------------------------------------------

    def on_vote(self, source: NodeId, message: RequestVoteReply) -> None:
        """Count a vote; a majority of all voters, dead ones included, makes a leader."""
        if not message.granted or source in self.votes:
            return
        self.votes.append(source)
        self.machine.record(
            VoteCounted(self.machine.name, self.replica.partition, self.replica.term, tuple(self.votes))
        )
        self._lead_if_elected()

    def on_append_entries(self, source: NodeId, message: AppendEntries) -> None:
        """Somebody else won this term: follow and take the entries."""
        self.replica.follow(source, "lost election")
        self.replica.role.on_append_entries(source, message)

    # --- timers -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask every voter, and set a time by which to have won."""
        replica, machine = self.replica, self.machine
        machine.record(ElectionStarted(machine.name, replica.partition, replica.term))
        timeout_us = machine.draw_election_timeout_us()
        self._retry_cause = machine.record(
            ElectionTimerSet(machine.name, replica.partition, machine.now_us + timeout_us)
        )
        self._retry = machine.set_alarm(machine.now_us + timeout_us, self._on_no_majority)
        last_term, last_index = replica.log.last_id
        for peer in machine.voting_peers:
            replica.send(peer, RequestVote(replica.term, last_index, last_term, is_transfer=self.is_transfer))
        self._lead_if_elected()

    def _on_no_majority(self) -> None:
        """A split vote or unreachable voters: try again, or give way when a person decides now."""
        self._retry = None
        self.machine.blame(self._retry_cause)
        settings = self.machine.settings
        if settings.failover == "automatic" and not settings.pre_vote:
            self.replica.stand()
            return
        self.replica.follow(None, "lost election")
        if settings.failover == "automatic":
            self.replica.role.on_election_lost()

    # --- helpers ----------------------------------------------------------------------------------

    def readable_index(self) -> int:
        """As when it was a follower."""
        return self.replica.readable_index_of_follower()

    def stop(self) -> None:
        """No second attempt from this candidacy."""
        if self._retry is not None:
            self._retry.cancel()

    def _lead_if_elected(self) -> None:
        members = (self.machine.name, *self.machine.voting_peers)
        if self.machine.next_term(self.replica.term - 1) != self.replica.term:
            return  # The membership has changed since: these votes were of another majority.
        needed = self.machine.majority if self.machine.settings.majority else 1
        if sum(voter in members for voter in self.votes) >= needed:
            self.replica.lead(self.replica.term, "elected", tuple(self.votes))
