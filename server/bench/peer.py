"""The core's peer: the same replication protocol, written plainly on SimPy.

Same messages, same random streams, same record of what happened, so for one load both produce the same
events at the same virtual times; a test compares them. It knows quorum replication with nobody failing:
no elections, cuts or losses, no causes stamped on events. What it leaves out only makes it faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, cast

import simpy
from simpy.events import Event, ProcessGenerator

from server.cluster.messages import (
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    LogEntry,
    Message,
)
from server.cluster.settings import NODE_LETTERS, Settings

LOAD_KEYS = ("x", "y", "z")
WINDOW_BATCHES = 8

Delivery = tuple[int, str, str, Message]
"""What lies in an inbox: number of the message, source, target, and the message."""


class Cluster:
    """Nodes, clients and the wires between them in one SimPy environment."""

    def __init__(self, settings: Settings, seed: int, write_interval_us: int) -> None:
        self.env = simpy.Environment()
        self.settings = settings
        self.seed = seed
        self.trace: list[tuple[int, str, tuple[Any, ...]]] = []
        """(virtual time in microseconds, name, fields)"""
        self.network = Network(self)
        self.value_count = 0
        self.operation_count = 0
        leader_name, *follower_names = list(NODE_LETTERS[: settings.nodes])
        self.inboxes: dict[str, simpy.Store] = {}
        self.followers = [Follower(self, name, leader_name) for name in follower_names]
        self.leader = Leader(self, leader_name, follower_names)
        self.clients = [
            Client(self, str(number), leader_name, write_interval_us)
            for number in range(1, settings.clients + 1)
        ]

    def record(self, name: str, *fields: Any) -> None:
        """Add to the trace."""
        self.trace.append((int(self.env.now), name, fields))

    def stream(self, purpose: str) -> Random:
        """The random stream of one purpose."""
        return Random(f"{self.seed}/{purpose}")

    def run_until(self, at_us: int) -> None:
        """Let everything happen that is due up to and including `at_us`."""
        self.env.run(until=at_us + 1)


@dataclass(slots=True)
class Link:
    """One direction between two actors; it keeps order."""

    latency_us: int
    stream: Random
    last_arrival_us: int = 0


class Network:
    """Carries messages to inboxes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.links: dict[tuple[str, str], Link] = {}
        self.message_count = 0

    def send(self, source: str, target: str, message: Message) -> None:
        """Put a message into the target's inbox when its latency has passed."""
        env, link = self.cluster.env, self.link(source, target)
        self.message_count += 1
        spread_us = link.latency_us * self.cluster.settings.jitter_percent // 100
        flight_us = link.latency_us + int(link.stream.random() * (2 * spread_us + 1)) - spread_us
        link.last_arrival_us = arrives_at_us = max(int(env.now) + flight_us, link.last_arrival_us)
        self.cluster.record("message.sent", self.message_count, source, target, 0, arrives_at_us, message)
        flight = env.timeout(arrives_at_us - env.now, (self.message_count, source, target, message))
        flight.callbacks.append(self._arrive)

    def link(self, source: str, target: str) -> Link:
        """The link from `source` to `target`."""
        pair = (source, target)
        if pair not in self.links:
            settings = self.cluster.settings
            is_to_client = source.isdigit() or target.isdigit()
            latency_us = settings.client_latency_us if is_to_client else settings.latency_us
            self.links[pair] = Link(latency_us, self.cluster.stream(f"latency/{source}>{target}"))
        return self.links[pair]

    def _arrive(self, flight: Event) -> None:
        _, _, target, _ = cast(Delivery, flight.value)
        self.cluster.inboxes[target].put(flight.value)


class Actor:
    """Whoever has a name and an inbox: one process takes its messages out one by one."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.env = cluster.env
        self.settings = cluster.settings
        self.name = name
        self.inbox = cluster.inboxes[name] = simpy.Store(self.env)
        self.env.process(self._serve())

    def receive(self, source: str, message: Message) -> None:
        """Handle one message."""
        raise NotImplementedError

    def send(self, target: str, message: Message) -> None:
        """Put a message on the wire."""
        self.cluster.network.send(self.name, target, message)

    def record(self, name: str, *fields: Any) -> None:
        """Record something about this node's copy of the one partition."""
        self.cluster.record(name, self.name, 0, *fields)

    def _serve(self) -> ProcessGenerator:
        while True:
            number, source, target, message = yield self.inbox.get()
            self.cluster.record("message.delivered", number, source, target)
            self.receive(source, message)


class Node(Actor):
    """A copy of the log: received, flushed, committed and applied."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(cluster, name)
        self.term = 1
        self.log: list[LogEntry] = []
        self.flushed_index = 0
        self.commit_index = 0
        self.applied_index = 0
        self.store: dict[str, tuple[str, int, int]] = {}
        self.is_flushing = False
        self.is_applying = False

    def term_at(self, index: int) -> int:
        """Term of the entry at `index`; 0 for index 0, -1 where the log does not reach."""
        if index == 0:
            return 0
        return self.log[index - 1].term if index <= len(self.log) else -1

    def on_flushed(self) -> None:
        """More of the log is on disk."""

    def on_applied(self) -> None:
        """More of the log can be read."""

    def flush(self) -> None:
        """Bring what was received to disk, all that waits at once."""
        if not self.is_flushing and self.flushed_index < len(self.log):
            self.is_flushing = True
            self.env.process(self._flushing())

    def _flushing(self) -> ProcessGenerator:
        while self.flushed_index < len(self.log):
            target_index = len(self.log)
            yield self.env.timeout(self.settings.flush_us)
            self.flushed_index = target_index
            self.record("log.flushed", target_index)
            self.on_flushed()
            self.apply()
        self.is_flushing = False

    def advance_commit(self, index: int) -> None:
        """Everything up to `index` is on a majority."""
        if index > self.commit_index:
            self.commit_index = index
            self.record("commit.advanced", index)
            self.apply()

    def apply(self) -> None:
        """Apply what is committed, one entry after another."""
        if not self.is_applying and self.applied_index < min(self.commit_index, self.flushed_index):
            self.is_applying = True
            self.env.process(self._applying())

    def _applying(self) -> ProcessGenerator:
        while self.applied_index < min(self.commit_index, self.flushed_index):
            yield self.env.timeout(self.settings.apply_us)
            entry = self.log[self.applied_index]
            self.applied_index += 1
            assert entry.key is not None
            assert entry.value is not None
            self.store[entry.key] = (entry.value, entry.index, entry.term)
            self.record("entry.applied", entry.index, entry.term, entry.key, entry.value, True)
            self.on_applied()
        self.is_applying = False


class Follower(Node):
    """Takes the leader's entries and watches for its silence."""

    def __init__(self, cluster: Cluster, name: str, leader: str) -> None:
        super().__init__(cluster, name)
        self.leader = leader
        self.matched_index = 0
        self.owes_reply = False
        self.election_at_us = 0
        self.timeouts = cluster.stream(f"election/{name}")
        self.set_election_timer()
        self.record("leader.recognised", self.term, leader)
        self.env.process(self._watch_leader())

    def receive(self, source: str, message: Message) -> None:
        """Append what follows on from this log; refuse a gap."""
        assert isinstance(message, AppendEntries)
        if message.term < self.term:
            self.send(source, AppendEntriesReply(self.term, False, 0, 0, 0, message.previous_index))
            return
        self.set_election_timer()
        if self.term_at(message.previous_index) != message.previous_term:
            hint = min(len(self.log), message.previous_index - 1)
            self.send(source, AppendEntriesReply(self.term, False, hint, 0, 0, message.previous_index))
            return
        has_received = self._take(message.entries)
        self.matched_index = max(self.matched_index, message.previous_index + len(message.entries))
        self.advance_commit(min(message.commit_index, self.matched_index))
        self.flush()
        if has_received:
            self.owes_reply = True
        else:
            self.reply()

    def _take(self, entries: tuple[LogEntry, ...]) -> bool:
        has_received = False
        for entry in entries:
            held_term = self.term_at(entry.index)
            if held_term == entry.term:
                continue
            if held_term != -1:
                del self.log[entry.index - 1 :]
            self.log.append(entry)
            self.record("entry.received", entry)
            has_received = True
        return has_received

    def on_flushed(self) -> None:
        """Tell the leader."""
        if self.owes_reply:
            self.reply()

    def reply(self) -> None:
        """Report how far this log equals the leader's."""
        matched = self.matched_index
        self.owes_reply = self.flushed_index < matched
        flushed_index, applied_index = min(matched, self.flushed_index), min(matched, self.applied_index)
        reply = AppendEntriesReply(self.term, True, matched, flushed_index, applied_index, 0)
        self.send(self.leader, reply)

    def set_election_timer(self) -> None:
        """Start the silence over, with a fresh random length."""
        shortest_us = self.settings.election_timeout_min_us
        spread_us = self.settings.election_timeout_max_us - shortest_us
        timeout_us = shortest_us + int(self.timeouts.random() * (spread_us + 1))
        self.election_at_us = int(self.env.now) + timeout_us
        self.record("timer.set", self.election_at_us)

    def _watch_leader(self) -> ProcessGenerator:
        while self.env.now < self.election_at_us:
            yield self.env.timeout(self.election_at_us - self.env.now)
        raise RuntimeError(f"{self.name} heard no leader: the peer is for runs in which nobody fails.")


@dataclass(slots=True)
class Progress:
    """What the leader knows of one follower."""

    next_index: int = 1
    received_index: int = 0
    flushed_index: int = 0
    applied_index: int = 0
    is_probing: bool = True
    """Until a first answer: one message at a time."""
    awaited_index: int = 0


class Leader(Node):
    """Orders writes, copies them, commits what a majority has flushed, and answers."""

    def __init__(self, cluster: Cluster, name: str, followers: list[str]) -> None:
        super().__init__(cluster, name)
        self.progress = {follower: Progress() for follower in followers}
        self.majority = (len(followers) + 1) // 2 + 1
        self.waiting: dict[int, tuple[str, ClientRequest]] = {}
        self.index_of_operation: dict[int, int] = {}
        self.answered_index = 0
        self.record("leader.started", self.term, "initial", ())
        self.env.process(self._heartbeats())

    def receive(self, source: str, message: Message) -> None:
        """A client's write or a follower's reply."""
        if isinstance(message, ClientRequest):
            self._on_write(source, message)
        else:
            assert isinstance(message, AppendEntriesReply)
            if message.term == self.term:
                self._on_reply(source, message)

    def _on_write(self, source: str, request: ClientRequest) -> None:
        if request.operation in self.index_of_operation:
            return
        index = len(self.log) + 1
        entry = LogEntry(
            index, self.term, request.operation_kind,
            request.key, request.value, request.expected, request.operation,
        )  # fmt: skip
        self.log.append(entry)
        self.index_of_operation[request.operation] = index
        self.record("entry.appended", entry)
        self.waiting[index] = (source, request)
        self.flush()

    def _on_reply(self, source: str, message: AppendEntriesReply) -> None:
        progress = self.progress[source]
        if not message.success:
            progress.is_probing, progress.awaited_index = True, 0
            progress.next_index = max(progress.received_index + 1, message.received_index + 1)
            self._replicate_to(source, progress)
            return
        if message.received_index >= progress.awaited_index:
            progress.is_probing, progress.awaited_index = False, 0
        progress.received_index = max(progress.received_index, message.received_index)
        progress.applied_index = max(progress.applied_index, message.applied_index)
        progress.flushed_index = max(progress.flushed_index, message.flushed_index)
        progress.next_index = max(progress.next_index, progress.received_index + 1)
        self._advance()
        self._replicate_to(source, progress)

    def _heartbeats(self) -> ProcessGenerator:
        while True:
            for follower, progress in self.progress.items():
                progress.awaited_index = 0
                if not self._replicate_to(follower, progress):
                    self._send_append(follower, progress.next_index, progress.next_index - 1)
            yield self.env.timeout(self.settings.heartbeat_us)

    def on_flushed(self) -> None:
        """Copy what is on this disk."""
        for follower, progress in self.progress.items():
            self._replicate_to(follower, progress)
        self._advance()

    def on_applied(self) -> None:
        """Answer whoever waited for this."""
        while self.answered_index < min(self.commit_index, self.applied_index):
            self.answered_index += 1
            index = self.answered_index
            source, request = self.waiting.pop(index)
            holders = [name for name, each in self.progress.items() if each.flushed_index >= index]
            held_by = (self.name, *holders)
            self.record("write.acknowledged", request.operation, index, self.term_at(index), held_by)
            self.send(source, ClientReply(request.operation, request.attempt, "ok", None, index, None))

    def _replicate_to(self, follower: str, progress: Progress) -> bool:
        batch = self.settings.batch
        window_end = progress.received_index + batch * WINDOW_BATCHES
        has_sent = False
        while progress.next_index <= min(self.flushed_index, window_end) and not progress.awaited_index:
            last_index = min(self.flushed_index, progress.next_index + batch - 1)
            self._send_append(follower, progress.next_index, last_index)
            has_sent = True
            if progress.is_probing:
                progress.awaited_index = last_index
            else:
                progress.next_index = last_index + 1
        return has_sent

    def _send_append(self, follower: str, first_index: int, last_index: int) -> None:
        entries = tuple(self.log[first_index - 1 : last_index])
        previous_term = self.term_at(first_index - 1)
        self.send(
            follower, AppendEntries(self.term, first_index - 1, previous_term, entries, self.commit_index)
        )

    def _advance(self) -> None:
        held = [self.flushed_index, *(each.flushed_index for each in self.progress.values())]
        held.sort(reverse=True)
        index = held[self.majority - 1]
        if self.term_at(index) == self.term:
            self.advance_commit(index)


class Client(Actor):
    """Writes at random times, waits for each answer, and keeps a bounded number of writes open."""

    def __init__(self, cluster: Cluster, name: str, leader: str, interval_us: int) -> None:
        super().__init__(cluster, name)
        self.leader = leader
        self.interval_us = interval_us
        self.times = cluster.stream(f"load/{name}")
        self.answers: dict[int, Event] = {}
        """By operation: what its process waits for."""
        self.env.process(self._load())

    def receive(self, source: str, message: Message) -> None:
        """Wake the process that waits for this answer."""
        assert isinstance(message, ClientReply)
        if message.operation in self.answers:
            self.answers.pop(message.operation).succeed(message)

    def _load(self) -> ProcessGenerator:
        delay_us = self._draw_delay_us()
        while True:
            yield self.env.timeout(delay_us)
            delay_us = self._draw_delay_us()
            if len(self.answers) < self.settings.outstanding:
                key = LOAD_KEYS[int(self.times.random() * len(LOAD_KEYS))]
                self.cluster.value_count += 1
                self.env.process(self._write(key, str(self.cluster.value_count)))

    def _draw_delay_us(self) -> int:
        return max(1, self.interval_us // 2 + int(self.times.random() * (self.interval_us + 1)))

    def _write(self, key: str, value: str) -> ProcessGenerator:
        self.cluster.operation_count += 1
        operation, record = self.cluster.operation_count, self.cluster.record
        record("operation.started", operation, self.name, "write", key, value, None, self.leader)
        answer = self.answers[operation] = self.env.event()
        self.send(self.leader, ClientRequest(operation, 1, "write", key, value, None, True))
        yield answer | self.env.timeout(self.settings.operation_timeout_us)
        if answer.triggered:
            reply = cast(ClientReply, answer.value)
            record("operation.ended", operation, self.name, "ok", reply.value, reply.version, self.leader)
        else:
            del self.answers[operation]
            record("operation.ended", operation, self.name, "unknown", None, 0, None)
