"""The course of one write, told from its own events: who took it, what became of its copies, who was told
OK and when, and, where it was lost, who led on without it.

A chain of causes explains why something happened; a loss is explained by what did not happen as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.cluster import events
from server.cluster.events import Event
from server.cluster.messages import AppendEntries, LogEntry, NodeId
from server.narration.words import counted, listed

_WAITED_FOR = {
    "async": "Under async its own disk is enough: no copy was waited for.",
    "semi-sync": "Under semi-sync it had waited for the chosen number of followers, whichever came first.",
    "quorum": "Under quorum it had waited for a majority.",
    "sync": "Under sync it had waited for every follower.",
}


def course(trace: Sequence[Event], operation: int, end: int, is_lost: bool) -> list[tuple[int, str]]:
    """The events that make up what became of a write up to the event `end`, in order, each with what it
    meant for the write, if that needs saying."""
    following = _Course(operation, is_lost)
    for event in trace[: end + 1]:
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(following, event)
    for event in trace[end + 1 :] if is_lost else ():
        if isinstance(event, events.LogTruncated):
            following.on_truncated(event)
    if is_lost:
        following.links.setdefault(end, "")
    return sorted(following.told().items())


@dataclass(slots=True)
class _Course:
    """What is known of the write so far."""

    operation: int
    is_lost: bool
    links: dict[int, str] = field(default_factory=dict)
    """By event: what it meant for the write."""
    policy: str = "async"
    entry: LogEntry | None = None
    leader: NodeId = ""
    """Who put it into its log."""
    nodes: dict[NodeId, None] = field(default_factory=dict)
    cuts: dict[tuple[str, str], int] = field(default_factory=dict)
    """By link that is cut now: the event that says so."""
    split: events.NetworkPartitioned | None = None
    """The newest split, which cut its links."""
    slow: dict[tuple[str, str], int] = field(default_factory=dict)
    flights: dict[int, NodeId] = field(default_factory=dict)
    """By message on its way with a copy: to whom."""
    sent_to: dict[NodeId, None] = field(default_factory=dict)
    holders: dict[NodeId, None] = field(default_factory=dict)
    drops: dict[NodeId, list[int]] = field(default_factory=dict)
    """By follower: the copies for it that never arrived."""
    is_committed: bool = False
    has_ended: bool = False
    """Whether what had become of the copies when its leader's time ended was said."""
    elections: dict[tuple[NodeId, int], list[int]] = field(default_factory=dict)
    successor: int | None = None
    """The event with which a later term's leader began."""
    standing: list[int] = field(default_factory=list)

    def told(self) -> dict[int, str]:
        """Everything that was found, and the newest leader since."""
        for each in self.drops.values():
            more = f"Nor did {counted(len(each) - 1, 'later copy')}." if len(each) > 1 else ""
            self.links[each[0]] = more
        if self.successor is not None:
            for sequence in [*self.standing, self.successor]:
                self.links.setdefault(sequence, "")
        return self.links

    def _is_it(self, entry: LogEntry) -> bool:
        mine = self.entry
        return mine is not None and (entry.index, entry.term) == (mine.index, mine.term)

    # --- what the cluster is like --------------------------------------------------------------------

    def on_setting(self, event: events.SettingChanged) -> None:
        if event.setting == "replication":
            self.policy = str(event.value)

    def on_node(self, event: events.NodeAdded | events.NodeRemoved) -> None:
        if isinstance(event, events.NodeAdded):
            self.nodes[event.node] = None
            return
        self.nodes.pop(event.node, None)
        self.on_leader_gone(event)

    def on_cut(self, event: events.LinkCut) -> None:
        split = self.split
        of_split = split is not None and (split.cause, split.at_us) == (event.cause, event.at_us)
        self.cuts[event.source, event.target] = split.sequence if split and of_split else event.sequence

    def on_split(self, event: events.NetworkPartitioned) -> None:
        self.split = event

    def on_healed(self, event: events.LinkHealed) -> None:
        self.cuts.pop((event.source, event.target), None)

    def on_link(self, event: events.LinkChanged) -> None:
        self.slow.pop((event.source, event.target), None)
        if event.latency_us is not None or event.loss_percent > 0:
            self.slow[event.source, event.target] = event.sequence

    # --- the write -----------------------------------------------------------------------------------

    def on_own(self, event: Any) -> None:
        """Something that names the operation."""
        if event.operation == self.operation:
            self.links[event.sequence] = ""

    def on_appended(self, event: events.EntryAppended) -> None:
        if event.entry.operation == self.operation:
            self.links[event.sequence] = ""
            self.entry, self.leader = event.entry, event.node
            self.flights, self.sent_to, self.holders, self.is_committed = {}, {}, {}, False

    def on_acknowledged(self, event: events.WriteAcknowledged) -> None:
        if event.operation == self.operation:
            self.links[event.sequence] = _WAITED_FOR.get(self.policy, "")

    def on_commit(self, event: events.CommitAdvanced) -> None:
        if self.entry is None or self.is_committed or event.node != self.leader:
            return
        if event.index >= self.entry.index:
            self.is_committed = True
            self.links[event.sequence] = ""

    # --- its copies ----------------------------------------------------------------------------------

    def on_sent(self, event: events.MessageSent) -> None:
        if event.source != self.leader or not isinstance(event.message, AppendEntries):
            return
        if any(self._is_it(entry) for entry in event.message.entries):
            self.flights[event.message_id] = event.target
            self.sent_to[event.target] = None
            slow = self.slow.get((event.source, event.target))
            if slow is not None:
                self.links.setdefault(slow, "")

    def on_delivered(self, event: events.MessageDelivered) -> None:
        self.flights.pop(event.message_id, None)

    def on_dropped(self, event: events.MessageDropped) -> None:
        target = self.flights.pop(event.message_id, None)
        if target is None or self.is_committed or target in self.holders:
            return
        self.drops.setdefault(target, []).append(event.sequence)
        cut = self.cuts.get((self.leader, target))
        if event.reason == "cut" and cut is not None:
            self.links.setdefault(cut, "")

    def on_received(self, event: events.EntryReceived) -> None:
        if self._is_it(event.entry) and event.node not in self.holders:
            self.holders[event.node] = None
            self.links[event.sequence] = ""

    def on_truncated(self, event: events.LogTruncated) -> None:
        if any(self._is_it(entry) for entry in event.entries):
            self.holders.pop(event.node, None)
            self.links.setdefault(event.sequence, "")

    # --- who led on ----------------------------------------------------------------------------------

    def on_leader_gone(self, event: Any) -> None:
        """The write's leader died, stood still, left or gave up."""
        if not self.is_lost or self.entry is None or event.node != self.leader:
            return
        self.links[event.sequence] = "" if self.has_ended else self._copies()
        self.has_ended = True

    def _copies(self) -> str:
        """Where its copies are at this moment, apart from those that arrived or were dropped."""
        assert self.entry is not None
        flying = [node for node in dict.fromkeys(self.flights.values()) if node not in self.holders]
        unsent = [node for node in self.nodes if node not in {self.leader, *self.sent_to, *self.holders}]
        label = self.entry.label
        said = []
        if flying:
            said.append(f"The copy of {label} for {listed(flying)} was still on its way.")
        if unsent:
            said.append(f"No copy of {label} had been sent to {listed(unsent)}.")
        if not self.holders and not flying and not unsent:
            said.append(f"No other node held {label}.")
        return " ".join(said)

    def on_standing(self, event: events.ElectionStarted) -> None:
        self.elections[event.node, event.term] = [event.sequence]

    def on_vote(self, event: events.VoteGranted) -> None:
        self.elections.setdefault((event.candidate, event.term), []).append(event.sequence)

    def on_leader(self, event: events.LeaderStarted) -> None:
        if not self.is_lost or (event.cause is None and event.how == "initial"):
            return
        self.successor = event.sequence
        self.standing = self.elections.get((event.node, event.term), [])


_FOLDS: dict[type[Event], Any] = {
    events.SettingChanged: _Course.on_setting,
    events.NodeAdded: _Course.on_node,
    events.NodeRemoved: _Course.on_node,
    events.NetworkPartitioned: _Course.on_split,
    events.LinkCut: _Course.on_cut,
    events.LinkHealed: _Course.on_healed,
    events.LinkChanged: _Course.on_link,
    events.OperationStarted: _Course.on_own,
    events.OperationRetried: _Course.on_own,
    events.OperationEnded: _Course.on_own,
    events.ReadDeferred: _Course.on_own,
    events.ReadAnswered: _Course.on_own,
    events.RequestRefused: _Course.on_own,
    events.RequestDeduplicated: _Course.on_own,
    events.EntryAppended: _Course.on_appended,
    events.WriteAcknowledged: _Course.on_acknowledged,
    events.CommitAdvanced: _Course.on_commit,
    events.MessageSent: _Course.on_sent,
    events.MessageDelivered: _Course.on_delivered,
    events.MessageDropped: _Course.on_dropped,
    events.EntryReceived: _Course.on_received,
    events.LogTruncated: _Course.on_truncated,
    events.NodeKilled: _Course.on_leader_gone,
    events.NodePaused: _Course.on_leader_gone,
    events.LeaderStepped: _Course.on_leader_gone,
    events.ElectionStarted: _Course.on_standing,
    events.VoteGranted: _Course.on_vote,
    events.LeaderStarted: _Course.on_leader,
}
