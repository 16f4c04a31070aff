"""The visible state of a run: one JSON document, folded from events.

The picture is what a browser shows and what expressions read. It never asks an actor: an event
carries all that changes, `observe` changes the document and returns the same change as patches, and
whoever applies the patches in order holds the same document. A test compares it with the actors.

A patch is a list: `["=", path, value]` sets, `["-", path]` deletes, `["+", path, value]` appends to a
list, `["<", path, n]` keeps a list's first n, `[">", path, n]` drops a list's first n.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from server.cluster import events
from server.cluster.events import Event
from server.cluster.messages import (
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    LogEntry,
    RequestVoteReply,
)
from server.cluster.settings import NODE_LETTERS, SAFETY_SWITCHES

Patch = list[Any]
Document = dict[str, Any]

DROPPED_SHOWN_US = 2_000_000
"""How long a message that died stays in the picture, so that its end can be seen."""
DISCARDED_SHOWN = 50
"""How many discarded entries a replica shows."""


class Picture:
    """The document and the fold. `operations_shown` and `entries_shown` bound what it keeps."""

    def __init__(
        self, seed: int, system: str = "textbook", operations_shown: int = 200, entries_shown: int = 400
    ) -> None:
        self.operations_shown = operations_shown
        self.entries_shown = entries_shown
        self.state: Document = {
            "run": {"system": system, "seed": seed, "modified": []},
            "settings": {},
            "nodes": {},
            "links": {},
            "groups": None,
            "clients": {},
            "operations": {},
            "messages": {},
            "verdicts": {},
            "command": None,
            "next_node": NODE_LETTERS[0],
            "led_terms": [0],
        }
        self._patches: list[Patch] = []
        self._dropped: deque[tuple[int, str]] = deque()
        self._confirming: dict[int, tuple[int, int, int]] = {}
        """By message, for an agreeing answer to a leader on its way: partition, term, and up to where."""

    def observe(self, event: Event) -> list[Patch]:
        """Fold one event in; returns what changed."""
        self._patches = []
        if self._dropped and self._dropped[0][0] + DROPPED_SHOWN_US < event.at_us:
            self._forget_dropped(event.at_us)
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event)
        return self._patches

    def amend(self, path: list[Any], value: Any) -> Patch:
        """Set something that is not an event's business, such as a judge's verdict."""
        self._patches = []
        self._set(path, value)
        return self._patches[0]

    # --- changing the document ----------------------------------------------------------------------

    def _at(self, path: list[Any]) -> Any:
        value: Any = self.state
        for key in path:
            value = value[key]
        return value

    def _set(self, path: list[Any], value: Any) -> None:
        self._at(path[:-1])[path[-1]] = value
        self._patches.append(["=", path, _as_it_is(value)])

    def _delete(self, path: list[Any]) -> None:
        del self._at(path[:-1])[path[-1]]
        self._patches.append(["-", path])

    def _append(self, path: list[Any], value: Any) -> None:
        self._at(path).append(value)
        self._patches.append(["+", path, _as_it_is(value)])

    def _keep_first(self, path: list[Any], count: int) -> None:
        del self._at(path)[count:]
        self._patches.append(["<", path, count])

    def _drop_first(self, path: list[Any], count: int) -> None:
        del self._at(path)[:count]
        self._patches.append([">", path, count])

    # --- commands, settings, load -------------------------------------------------------------------

    def _on_setting(self, event: events.SettingChanged) -> None:
        if event.node is not None:
            self._set(["nodes", event.node, "settings", event.setting], event.value)
            return
        self._set(["settings", event.setting], event.value)
        if event.setting in SAFETY_SWITCHES:
            is_off = [name for name in SAFETY_SWITCHES if self.state["settings"].get(name) is False]
            if is_off != self.state["run"]["modified"]:
                self._set(["run", "modified"], is_off)
        for name, node in self.state["nodes"].items():
            if event.setting in node["settings"]:
                self._delete(["nodes", name, "settings", event.setting])
        if event.setting == "clients" and event.at_us == 0:
            for number in range(1, int(event.value) + 1):
                client = {"knows": None, "load": {"write": None, "read": None}, "last": None}
                self._set(["clients", str(number)], client)

    def _on_load(self, event: events.LoadChanged) -> None:
        self._set(["clients", event.client, "load", event.operation_kind], event.interval_us)

    # --- machines -----------------------------------------------------------------------------------

    def _on_node_added(self, event: events.NodeAdded) -> None:
        replica: Document = {
            "role": "follower", "term": 1, "leader": None, "votes": [], "handing_over_to": None,
            "election_at_us": None, "election_set_us": None, "log": [], "flushed_index": 0,
            "commit_index": 0, "applied_index": 0, "store": {}, "discarded": [], "progress": {},
        }  # fmt: skip
        node = {"state": "up", "voter": event.is_voter, "settings": {}, "replicas": [replica]}
        self._set(["nodes", event.node], node)
        later = NODE_LETTERS[NODE_LETTERS.index(event.node) + 1 :]
        if self.state["next_node"] is not None and event.node >= self.state["next_node"]:
            self._set(["next_node"], later[0] if later else None)

    def _on_node_admitted(self, event: events.NodeAdmitted) -> None:
        self._set(["nodes", event.node, "voter"], True)

    def _on_node_removed(self, event: events.NodeRemoved) -> None:
        self._delete(["nodes", event.node])

    def _on_node_killed(self, event: events.NodeKilled) -> None:
        self._set(["nodes", event.node, "state"], "dead")
        for partition, _ in enumerate(self.state["nodes"][event.node]["replicas"]):
            self._clear_timer(event.node, partition)
            self._set_replica(event.node, partition, "handing_over_to", None)

    def _on_node_restarted(self, event: events.NodeRestarted) -> None:
        self._set(["nodes", event.node, "state"], "up")
        for partition, _ in enumerate(self.state["nodes"][event.node]["replicas"]):
            self._set_replica(event.node, partition, "role", "follower")
            self._set_replica(event.node, partition, "leader", None)
            self._set_replica(event.node, partition, "votes", [])
            self._set_replica(event.node, partition, "progress", {})

    def _on_node_paused(self, event: events.NodePaused) -> None:
        self._set(["nodes", event.node, "state"], "paused")

    def _on_node_resumed(self, event: events.NodeResumed) -> None:
        self._set(["nodes", event.node, "state"], "up")

    # --- network ------------------------------------------------------------------------------------

    def _on_link(self, source: str, target: str, **changes: Any) -> None:
        name = f"{source}>{target}"
        whole = {"cut": False, "latency_us": None, "loss_percent": 0}
        link = {**whole, **self.state["links"].get(name, {}), **changes}
        if link != whole:
            self._set(["links", name], link)
        elif name in self.state["links"]:
            self._delete(["links", name])

    def _on_link_cut(self, event: events.LinkCut) -> None:
        self._on_link(event.source, event.target, cut=True)

    def _on_link_healed(self, event: events.LinkHealed) -> None:
        self._on_link(event.source, event.target, cut=False)
        if self.state["groups"] is not None and not any(link["cut"] for link in self.state["links"].values()):
            self._set(["groups"], None)

    def _on_link_changed(self, event: events.LinkChanged) -> None:
        self._on_link(
            event.source, event.target, latency_us=event.latency_us, loss_percent=event.loss_percent
        )

    def _on_partitioned(self, event: events.NetworkPartitioned) -> None:
        self._set(["groups"], [list(group) for group in event.groups])

    def _on_network_healed(self, event: events.NetworkHealed) -> None:
        if self.state["groups"] is not None:
            self._set(["groups"], None)

    def _on_sent(self, event: events.MessageSent) -> None:
        message = event.message
        shown: Document = {
            "id": event.message_id, "kind": message.kind, "source": event.source, "target": event.target,
            "sent_us": event.at_us, "arrives_us": event.arrives_at_us, "label": message.label,
            "term": None, "count": 0, "operation": None, "success": None, "dropped_us": None, "reason": None,
        }  # fmt: skip
        if isinstance(message, ClientRequest | ClientReply):
            shown["operation"] = message.operation
        else:
            shown["term"] = message.term
        if isinstance(message, AppendEntries):
            shown["count"] = len(message.entries)
            next_index = message.previous_index + len(message.entries) + 1
            self._set_progress(event.source, event.partition, event.target, "next", next_index)
        elif isinstance(message, AppendEntriesReply):
            shown["success"] = message.success
            if message.success:
                confirmed = (event.partition, message.term, message.received_index)
                self._confirming[event.message_id] = confirmed
        elif isinstance(message, RequestVoteReply):
            shown["success"] = message.granted
        elif isinstance(message, ClientReply):
            shown["success"] = message.outcome == "ok"
        self._set(["messages", str(event.message_id)], shown)

    def _on_delivered(self, event: events.MessageDelivered) -> None:
        self._delete(["messages", str(event.message_id)])
        confirmed = self._confirming.pop(event.message_id, None)
        if confirmed is None or event.target not in self.state["nodes"]:
            return
        partition, term, index = confirmed
        leader = self.state["nodes"][event.target]["replicas"][partition]
        if leader["role"] == "leader" and leader["term"] == term:
            known = leader["progress"].get(event.source, {}).get("match", 0)
            self._set_progress(event.target, partition, event.source, "match", max(index, known))

    def _set_progress(self, leader: str, partition: int, follower: str, field: str, index: int) -> None:
        """What a leader knows of a follower: the next entry it sends, and up to where their logs match."""
        progress = self.state["nodes"][leader]["replicas"][partition]["progress"]
        if follower not in progress:
            path = ["nodes", leader, "replicas", partition, "progress", follower]
            self._set(path, {"next": index if field == "next" else 1, "match": 0})
        if progress[follower][field] != index:
            self._set(["nodes", leader, "replicas", partition, "progress", follower, field], index)

    def _on_dropped(self, event: events.MessageDropped) -> None:
        self._confirming.pop(event.message_id, None)
        name = str(event.message_id)
        self._set(["messages", name, "dropped_us"], event.at_us)
        self._set(["messages", name, "reason"], event.reason)
        self._dropped.append((event.at_us, name))

    def _forget_dropped(self, now_us: int) -> None:
        while self._dropped and self._dropped[0][0] + DROPPED_SHOWN_US < now_us:
            self._delete(["messages", self._dropped.popleft()[1]])

    def _on_delayed(self, event: events.MessageDelayed) -> None:
        self._set(["messages", str(event.message_id), "arrives_us"], event.arrives_at_us)

    # --- roles and terms ----------------------------------------------------------------------------

    def _set_replica(self, node: str, partition: int, field: str, value: Any) -> None:
        """Set a field of a replica; nothing happens when it has that value."""
        replica = self.state["nodes"][node]["replicas"][partition]
        if replica[field] != value:
            replica[field] = value
            path = ["nodes", node, "replicas", partition, field]
            self._patches.append(["=", path, _as_it_is(value)])

    def _clear_timer(self, node: str, partition: int) -> None:
        self._set_replica(node, partition, "election_at_us", None)
        self._set_replica(node, partition, "election_set_us", None)

    def _on_term(self, event: events.TermAdvanced) -> None:
        self._set_replica(event.node, event.partition, "term", event.term)

    def _on_timer(self, event: events.ElectionTimerSet) -> None:
        is_set = event.fires_at_us is not None
        self._set_replica(event.node, event.partition, "election_at_us", event.fires_at_us)
        self._set_replica(event.node, event.partition, "election_set_us", event.at_us if is_set else None)

    def _on_election(self, event: events.ElectionStarted) -> None:
        self._set_replica(event.node, event.partition, "role", "candidate")
        self._set_replica(event.node, event.partition, "votes", [event.node])

    def _on_vote_counted(self, event: events.VoteCounted) -> None:
        self._set_replica(event.node, event.partition, "votes", list(event.votes))

    def _on_leader_started(self, event: events.LeaderStarted) -> None:
        if event.term > self.state["led_terms"][event.partition]:
            self._set(["led_terms", event.partition], event.term)
        self._set_replica(event.node, event.partition, "role", "leader")
        self._set_replica(event.node, event.partition, "leader", event.node)
        self._set_replica(event.node, event.partition, "votes", list(event.votes))
        self._set_replica(event.node, event.partition, "progress", {})
        self._clear_timer(event.node, event.partition)
        if event.how == "initial":
            for client in self.state["clients"]:
                self._set(["clients", client, "knows"], event.node)

    def _on_stepped_down(self, event: events.LeaderStepped) -> None:
        self._set_replica(event.node, event.partition, "role", "follower")
        self._set_replica(event.node, event.partition, "votes", [])
        self._set_replica(event.node, event.partition, "handing_over_to", None)
        self._set_replica(event.node, event.partition, "progress", {})
        self._clear_timer(event.node, event.partition)

    def _on_recognised(self, event: events.LeaderRecognised) -> None:
        self._set_replica(event.node, event.partition, "leader", event.leader)

    def _on_hand_over_started(self, event: events.HandOverStarted) -> None:
        self._set_replica(event.node, event.partition, "handing_over_to", event.successor)

    def _on_hand_over_ended(self, event: events.HandOverEnded) -> None:
        self._set_replica(event.node, event.partition, "handing_over_to", None)

    # --- the log and the store ----------------------------------------------------------------------

    def _on_entry(self, event: events.EntryAppended | events.EntryReceived) -> None:
        path = ["nodes", event.node, "replicas", event.partition, "log"]
        self._append(path, _shown(event.entry))
        if len(self._at(path)) > self.entries_shown:
            self._drop_first(path, self.entries_shown // 2)
        name = str(event.entry.operation)
        if isinstance(event, events.EntryAppended) and name in self.state["operations"]:
            self._set(["operations", name, "index"], event.entry.index)
            self._set(["operations", name, "term"], event.entry.term)

    def _on_flushed(self, event: events.LogFlushed) -> None:
        self._set_replica(event.node, event.partition, "flushed_index", event.index)

    def _on_commit(self, event: events.CommitAdvanced) -> None:
        self._set_replica(event.node, event.partition, "commit_index", event.index)

    def _on_applied(self, event: events.EntryApplied) -> None:
        self._set_replica(event.node, event.partition, "applied_index", event.index)
        if event.changed and event.key is not None:
            path = ["nodes", event.node, "replicas", event.partition, "store", event.key]
            if event.value is None:
                self._delete(path)
            else:
                self._set(path, {"value": event.value, "index": event.index, "term": event.term})

    def _on_truncated(self, event: events.LogTruncated) -> None:
        path = ["nodes", event.node, "replicas", event.partition]
        replica = self._at(path)
        log = replica["log"]
        first_index = log[0]["index"] if log else event.from_index
        self._keep_first([*path, "log"], max(0, event.from_index - first_index))
        for entry in event.entries[-DISCARDED_SHOWN:]:
            self._append([*path, "discarded"], {**_shown(entry), "reason": event.reason})
        if len(replica["discarded"]) > DISCARDED_SHOWN:
            self._drop_first([*path, "discarded"], len(replica["discarded"]) - DISCARDED_SHOWN)
        end = event.from_index - 1
        for mark in ("flushed_index", "commit_index"):
            self._set_replica(event.node, event.partition, mark, min(replica[mark], end))

    def _on_rebuilt(self, event: events.StoreRebuilt) -> None:
        self._set_replica(event.node, event.partition, "applied_index", event.applied_index)
        self._set_replica(event.node, event.partition, "commit_index", event.commit_index)
        store = {
            key: {"value": value, "index": index, "term": term} for key, value, index, term in event.store
        }
        self._set_replica(event.node, event.partition, "store", store)

    # --- operations ---------------------------------------------------------------------------------

    def _on_operation_started(self, event: events.OperationStarted) -> None:
        operations = self.state["operations"]
        if len(operations) >= self.operations_shown:
            self._delete(["operations", next(iter(operations))])
        name = str(event.operation)
        operation = {
            "id": event.operation, "client": event.client, "kind": event.operation_kind, "key": event.key,
            "value": event.value, "expected": event.expected, "target": event.target, "attempts": 1,
            "called_us": event.at_us, "returned_us": None, "outcome": "pending", "result": None,
            "version": 0, "node": None, "index": None, "term": None, "acknowledged_us": None,
            "lost": False, "lost_because": None, "stale": None, "staleness": None,
        }  # fmt: skip
        self._set(["operations", name], operation)
        self._set(["clients", event.client, "last"], event.operation)

    def _on_learned(self, event: events.LeaderLearned) -> None:
        self._set(["clients", event.client, "knows"], event.leader)

    def _on_retried(self, event: events.OperationRetried) -> None:
        name = str(event.operation)
        if name in self.state["operations"]:
            self._set(["operations", name, "attempts"], event.attempt)
            self._set(["operations", name, "target"], event.target)

    def _on_operation_ended(self, event: events.OperationEnded) -> None:
        name = str(event.operation)
        operation = self.state["operations"].get(name)
        if operation is None:
            return
        self._set(["operations", name, "outcome"], event.outcome)
        self._set(["operations", name, "returned_us"], event.at_us)
        self._set(["operations", name, "result"], event.value)
        self._set(["operations", name, "version"], event.version)
        self._set(["operations", name, "node"], event.node)
        if event.outcome == "ok" and operation["kind"] != "read":
            self._set(["operations", name, "acknowledged_us"], event.at_us)


def _shown(entry: LogEntry) -> Document:
    return {**entry._asdict(), "label": entry.label}


_FOLDS: dict[type[Event], Callable[[Picture, Any], None]] = {
    events.SettingChanged: Picture._on_setting,
    events.LoadChanged: Picture._on_load,
    events.NodeAdded: Picture._on_node_added,
    events.NodeAdmitted: Picture._on_node_admitted,
    events.NodeRemoved: Picture._on_node_removed,
    events.NodeKilled: Picture._on_node_killed,
    events.NodeRestarted: Picture._on_node_restarted,
    events.NodePaused: Picture._on_node_paused,
    events.NodeResumed: Picture._on_node_resumed,
    events.LinkCut: Picture._on_link_cut,
    events.LinkHealed: Picture._on_link_healed,
    events.LinkChanged: Picture._on_link_changed,
    events.NetworkPartitioned: Picture._on_partitioned,
    events.NetworkHealed: Picture._on_network_healed,
    events.MessageSent: Picture._on_sent,
    events.MessageDelivered: Picture._on_delivered,
    events.MessageDropped: Picture._on_dropped,
    events.MessageDelayed: Picture._on_delayed,
    events.TermAdvanced: Picture._on_term,
    events.ElectionTimerSet: Picture._on_timer,
    events.ElectionStarted: Picture._on_election,
    events.VoteCounted: Picture._on_vote_counted,
    events.LeaderStarted: Picture._on_leader_started,
    events.LeaderStepped: Picture._on_stepped_down,
    events.LeaderRecognised: Picture._on_recognised,
    events.HandOverStarted: Picture._on_hand_over_started,
    events.HandOverEnded: Picture._on_hand_over_ended,
    events.EntryAppended: Picture._on_entry,
    events.EntryReceived: Picture._on_entry,
    events.LogFlushed: Picture._on_flushed,
    events.CommitAdvanced: Picture._on_commit,
    events.EntryApplied: Picture._on_applied,
    events.LogTruncated: Picture._on_truncated,
    events.StoreRebuilt: Picture._on_rebuilt,
    events.LeaderLearned: Picture._on_learned,
    events.OperationStarted: Picture._on_operation_started,
    events.OperationRetried: Picture._on_retried,
    events.OperationEnded: Picture._on_operation_ended,
}
"""How each kind of event changes the document; the others change nothing that is seen."""


def _as_it_is(value: Any) -> Any:
    """A copy of what a patch puts in place: later events change the original."""
    kind = type(value)
    if kind is dict:
        copied = value.copy()
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                copied[key] = _as_it_is(item)
        return copied
    return [_as_it_is(item) for item in value] if kind is list else value
