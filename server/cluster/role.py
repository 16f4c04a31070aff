"""What every role shares: the questions and news a replica passes on to the role it plays now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.cluster.messages import (
    Address,
    AppendEntries,
    AppendEntriesReply,
    ClientRequest,
    NodeId,
    RequestVoteReply,
)

if TYPE_CHECKING:
    from server.cluster.replica import Replica


class Role:
    """How a replica reacts in one role. Order in every role: state, messages, timers, helpers.

    The base class is the role of a machine without power: it reacts to nothing."""

    name = ""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.machine = replica.machine

    def on_append_entries(self, source: NodeId, message: AppendEntries) -> None:
        """A message of this term's leader. A leader never receives one: terms have one leader."""

    def on_append_entries_reply(self, source: NodeId, message: AppendEntriesReply) -> None:
        """Only leaders wait for these."""

    def on_vote(self, source: NodeId, message: RequestVoteReply) -> None:
        """Only candidates wait for these."""

    def on_trial_vote(self, source: NodeId, message: RequestVoteReply) -> None:
        """Only a follower that considers standing waits for these."""

    def trusts_leader(self) -> bool:
        """Whether this replica has heard from a leader so recently that it would elect no other."""
        return False

    def on_recovered(self) -> None:
        """Power is back after a crash."""

    def on_term_advanced(self) -> None:
        """A new term began while this role goes on: what was known of its leader no longer holds."""

    def on_vote_granted(self) -> None:
        """This replica just promised its vote to somebody."""

    def on_client_request(self, source: Address, request: ClientRequest) -> None:
        """Reads are answered from the store unless only the leader may; writes go to the leader."""
        if request.operation_kind == "read" and not request.leader_only:
            self.replica.answer_read(source, request)
        else:
            self.replica.refuse(source, request, "not leader", self.replica.leader)

    def on_peer_added(self, peer: NodeId) -> None:
        """A machine joined."""

    def on_peer_removed(self, peer: NodeId) -> None:
        """A machine left for good."""

    def on_membership_changed(self, led_term: int) -> None:
        """Voters come or go; `led_term` is the latest term that anybody has led."""

    def on_election_lost(self) -> None:
        """It stood and did not win, and nobody else leads; elections go on."""

    def on_flushed(self) -> None:
        """More of the log is on this disk."""

    def on_applied(self) -> None:
        """More of the log can be read here."""

    def on_settings_changed(self) -> None:
        """A setting this role may depend on has another value."""

    def vouched_us(self) -> int | None:
        """The newest moment of which this replica certainly shows all that had been acknowledged."""
        return None

    def readable_index(self) -> int:
        """How far entries may be applied, that is, become readable here."""
        return 0

    def stop(self) -> None:
        """The role ends: cancel its timers."""
