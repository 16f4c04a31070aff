"""What a narrator remembers of earlier events, so that a sentence can say who, why and how many.

A fold like the picture, kept apart from it: the narrator must be able to tell a trace from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from server.cluster import commands, events
from server.cluster.commands import Command
from server.cluster.events import Event
from server.cluster.messages import Address, AppendEntries, LogEntry, Message, NodeId

_OPERATION_COMMANDS = (commands.Write, commands.Read, commands.CompareAndSet, commands.Delete)
QUIET_INTERVAL_US = 1_000_000
"""Background operations that come faster than this are only told of when something goes wrong."""


class Operation(NamedTuple):
    """A client operation as it was started."""

    client: str
    kind: str
    key: str
    value: str | None
    expected: str | None
    target: NodeId
    started_us: int
    is_quiet: bool
    """Part of traffic too dense to tell one by one."""

    @property
    def what(self) -> str:
        """How a sentence names it: `x=1`, `the read of x`."""
        if self.kind == "write":
            return f"{self.key}={self.value}"
        if self.kind == "cas":
            return f"{self.key}:{self.expected if self.expected is not None else '∅'}→{self.value}"
        return f"the {self.kind} of {self.key}"


class InFlight(NamedTuple):
    """A message that was sent."""

    source: Address
    target: Address
    message: Message


class Replica:
    """One node's copy, as the events so far describe it."""

    def __init__(self) -> None:
        self.role = "follower"
        self.term = 1
        self.log: list[LogEntry] = []
        self.flushed_index = 0
        self.commit_index = 0
        self.heard_us: int | None = None
        """When an append or a heartbeat last reached it; `None`: never since it was started."""
        self.voted_for: NodeId | None = None
        """Its vote in `term`."""

    def term_at(self, index: int) -> int:
        """The term of an entry, 0 when it is not there."""
        return self.log[index - 1].term if 0 < index <= len(self.log) else 0

    @property
    def last_id(self) -> tuple[int, int]:
        """Term and index of the last entry."""
        return (self.log[-1].term, len(self.log)) if self.log else (0, 0)


class Memory:
    """The state of the run as far as sentences need it. `observe` is called after an event was told."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.states: dict[NodeId, str] = {}
        """`up`, `paused` or `dead`, by node, in the order they joined."""
        self.voters: dict[NodeId, bool] = {}
        self.operations: dict[int, Operation] = {}
        self.messages: dict[int, InFlight] = {}
        self.loads: dict[tuple[str, str], int] = {}
        """Interval by client and kind, while background traffic runs."""
        self.command: Command | None = None
        """The last command …"""
        self.command_sequence = -1
        """… and its event."""
        self.delivered: InFlight | None = None
        """The last message that arrived …"""
        self.delivered_sequence = -1
        self.cuts: dict[tuple[Address, Address], None] = {}
        """The directions that are cut now."""
        self.said: dict[tuple[Any, ...], None] = {}
        """What need not be said again, such as that a cut link carries nothing."""
        self._replicas: dict[tuple[NodeId, int], Replica] = {}

    # --- questions ---

    def replica(self, node: NodeId, partition: int = 0) -> Replica:
        """One node's copy of a partition."""
        key = (node, partition)
        if key not in self._replicas:
            self._replicas[key] = Replica()
        return self._replicas[key]

    @property
    def voter_count(self) -> int:
        """How many nodes count in a majority."""
        return sum(self.voters.values())

    @property
    def majority(self) -> int:
        """How many voters are more than half."""
        return self.voter_count // 2 + 1

    def leads(self, node: NodeId, partition: int = 0) -> bool:
        """Whether a node believes it leads and is not dead."""
        return self.states.get(node) != "dead" and self.replica(node, partition).role == "leader"

    def live_leader(self, partition: int = 0) -> NodeId | None:
        """The running leader of the highest term."""
        leading = [
            node for node, state in self.states.items() if state == "up" and self.leads(node, partition)
        ]
        return max(leading, key=lambda node: self.replica(node, partition).term, default=None)

    def holders(self, index: int, term: int, partition: int) -> list[NodeId]:
        """The voters whose copy of an entry counts: on disk, or in memory at the level `received`."""
        is_memory_enough = self.settings.get("level") == "received"
        found = []
        for node in self.states:
            replica = self.replica(node, partition)
            end = len(replica.log) if is_memory_enough else replica.flushed_index
            if self.voters[node] and index <= end and replica.term_at(index) == term:
                found.append(node)
        return found

    def caused_by_command(self, event: Event, *kinds: type[Command]) -> bool:
        """Whether the event follows at once from the last command, if it is one of these kinds."""
        return event.cause == self.command_sequence and isinstance(self.command, kinds)

    def caused_by_delivery(self, event: Event) -> InFlight | None:
        """The message whose arrival made the event happen, if it was the last to arrive."""
        return self.delivered if event.cause == self.delivered_sequence else None

    def is_quiet(self, operation: int | None) -> bool:
        """Whether an operation belongs to dense background traffic."""
        found = self.operations.get(operation) if operation is not None else None
        return found is not None and found.is_quiet

    def operation(self, event: events.OperationStarted) -> Operation:
        """The operation that begins with this event."""
        interval_us = self.loads.get((event.client, "read" if event.operation_kind == "read" else "write"))
        is_asked = self.caused_by_command(event, *_OPERATION_COMMANDS)
        is_quiet = not is_asked and interval_us is not None and interval_us < QUIET_INTERVAL_US
        return Operation(
            event.client, event.operation_kind, event.key, event.value, event.expected,
            event.target, event.at_us, is_quiet,
        )  # fmt: skip

    # --- the fold ---

    def observe(self, event: Event) -> None:
        """Remember an event."""
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event)

    def _on_command(self, event: events.CommandAccepted) -> None:
        self.command, self.command_sequence = event.command, event.sequence

    def _on_setting(self, event: events.SettingChanged) -> None:
        if event.node is None:
            self.settings[event.setting] = event.value

    def _on_load(self, event: events.LoadChanged) -> None:
        if event.interval_us is None:
            self.loads.pop((event.client, event.operation_kind), None)
        else:
            self.loads[event.client, event.operation_kind] = event.interval_us

    def _on_added(self, event: events.NodeAdded) -> None:
        self.states[event.node] = "up"
        self.voters[event.node] = event.is_voter

    def _on_admitted(self, event: events.NodeAdmitted) -> None:
        self.voters[event.node] = True

    def _on_removed(self, event: events.NodeRemoved) -> None:
        self.states.pop(event.node, None)
        self.voters.pop(event.node, None)
        for key in [key for key in self._replicas if key[0] == event.node]:
            del self._replicas[key]

    def _on_killed(self, event: events.NodeKilled) -> None:
        self.states[event.node] = "dead"

    def _on_restarted(self, event: events.NodeRestarted) -> None:
        self.states[event.node] = "up"
        for (node, _), replica in self._replicas.items():
            if node == event.node:
                replica.role, replica.heard_us = "follower", None

    def _on_paused(self, event: events.NodePaused) -> None:
        self.states[event.node] = "paused"

    def _on_resumed(self, event: events.NodeResumed) -> None:
        self.states[event.node] = "up"

    def _on_sent(self, event: events.MessageSent) -> None:
        self.messages[event.message_id] = InFlight(event.source, event.target, event.message)

    def _on_delivered(self, event: events.MessageDelivered) -> None:
        self.delivered, self.delivered_sequence = self.messages.pop(event.message_id, None), event.sequence
        if self.delivered is not None and isinstance(self.delivered.message, AppendEntries):
            self.replica(event.target).heard_us = event.at_us

    def _on_dropped(self, event: events.MessageDropped) -> None:
        self.messages.pop(event.message_id, None)

    def _on_link_cut(self, event: events.LinkCut) -> None:
        self.cuts[event.source, event.target] = None

    def _on_link_healed(self, event: events.LinkHealed) -> None:
        self.cuts.pop((event.source, event.target), None)
        self.said.pop(("cut", event.source, event.target), None)

    def _on_term(self, event: events.TermAdvanced) -> None:
        replica = self.replica(event.node, event.partition)
        replica.term, replica.voted_for = event.term, None

    def _on_election(self, event: events.ElectionStarted) -> None:
        replica = self.replica(event.node, event.partition)
        replica.role, replica.voted_for = "candidate", event.node

    def _on_granted(self, event: events.VoteGranted) -> None:
        self.replica(event.node, event.partition).voted_for = event.candidate

    def _on_leader(self, event: events.LeaderStarted) -> None:
        replica = self.replica(event.node, event.partition)
        replica.role, replica.term = "leader", event.term
        if event.how != "resumed":
            replica.voted_for = event.node  # A decree, too, uses up its own vote of the term.
        if event.how == "initial":
            # The run opens as if everyone had voted for it.
            for node in self.states:
                self.replica(node, event.partition).voted_for = event.node

    def _on_stepped(self, event: events.LeaderStepped) -> None:
        self.replica(event.node, event.partition).role = "follower"

    def _on_entry(self, event: events.EntryAppended | events.EntryReceived) -> None:
        self.replica(event.node, event.partition).log.append(event.entry)

    def _on_flushed(self, event: events.LogFlushed) -> None:
        self.replica(event.node, event.partition).flushed_index = event.index

    def _on_commit(self, event: events.CommitAdvanced) -> None:
        self.replica(event.node, event.partition).commit_index = event.index

    def _on_truncated(self, event: events.LogTruncated) -> None:
        replica = self.replica(event.node, event.partition)
        del replica.log[event.from_index - 1 :]
        replica.flushed_index = min(replica.flushed_index, len(replica.log))
        replica.commit_index = min(replica.commit_index, len(replica.log))

    def _on_operation(self, event: events.OperationStarted) -> None:
        self.operations[event.operation] = self.operation(event)


_FOLDS: dict[type[Event], Callable[[Any, Any], None]] = {
    events.CommandAccepted: Memory._on_command,
    events.SettingChanged: Memory._on_setting,
    events.LoadChanged: Memory._on_load,
    events.NodeAdded: Memory._on_added,
    events.NodeAdmitted: Memory._on_admitted,
    events.NodeRemoved: Memory._on_removed,
    events.NodeKilled: Memory._on_killed,
    events.NodeRestarted: Memory._on_restarted,
    events.NodePaused: Memory._on_paused,
    events.NodeResumed: Memory._on_resumed,
    events.MessageSent: Memory._on_sent,
    events.MessageDelivered: Memory._on_delivered,
    events.MessageDropped: Memory._on_dropped,
    events.LinkCut: Memory._on_link_cut,
    events.LinkHealed: Memory._on_link_healed,
    events.TermAdvanced: Memory._on_term,
    events.ElectionStarted: Memory._on_election,
    events.VoteGranted: Memory._on_granted,
    events.LeaderStarted: Memory._on_leader,
    events.LeaderStepped: Memory._on_stepped,
    events.EntryAppended: Memory._on_entry,
    events.EntryReceived: Memory._on_entry,
    events.LogFlushed: Memory._on_flushed,
    events.CommitAdvanced: Memory._on_commit,
    events.LogTruncated: Memory._on_truncated,
    events.OperationStarted: Memory._on_operation,
}
