"""The run itself: virtual time, one queue of what is due, and the trace of what happened.

A run is a pure function of (settings, seed, commands). Nothing here looks at a wall clock, at global
randomness or at the order of a set; only `step` and `run_until` move time. Whoever wants to know what
happened reads `trace`; whoever wants to change something calls `execute`.
"""

from __future__ import annotations

import hashlib
import heapq
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Protocol

from server.cluster.client import Client
from server.cluster.commands import Command
from server.cluster.controller import Controller
from server.cluster.events import (
    CommandAccepted,
    Event,
    NodeAdded,
    NodeAdmitted,
    NodeRemoved,
    SettingChanged,
)
from server.cluster.machine import Node
from server.cluster.messages import ClientId, NodeId
from server.cluster.network import Network
from server.cluster.replica import Replica
from server.cluster.settings import NODE_LETTERS, SETTINGS, Settings


class Due(Protocol):
    """Something in the queue: a timer or a message."""

    def happen(self, due_us: int) -> None:
        """Its time, `due_us`, has come."""


class Timer:
    """An alarm. It rings once, unless it is cancelled or its machine dies first."""

    __slots__ = ("action", "cause", "incarnation", "is_active", "node", "simulation")

    def __init__(self, simulation: Simulation, action: Callable[[], None], node: Node | None) -> None:
        self.simulation = simulation
        self.action = action
        self.node = node
        self.incarnation = node.incarnation if node is not None else 0
        self.cause = simulation.cause
        self.is_active = True

    def cancel(self) -> None:
        """It will not ring."""
        self.is_active = False

    def happen(self, due_us: int) -> None:
        """Ring, or wait until a paused machine runs again."""
        if self.node is not None and self.node.state == "paused":
            self.node.backlog.append(self)
        else:
            self.simulation.cause = self.cause
            self.ring()

    def ring(self) -> None:
        """Do what it was set for."""
        if self.is_active and (self.node is None or self.node.incarnation == self.incarnation):
            self.is_active = False
            self.action()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything needed to go on from one moment. Made and read by the same program only."""

    state: bytes
    trace: list[Event]


class Simulation:
    """One cluster, its network and its clients."""

    def __init__(self, settings: Settings | None = None, seed: int = 1) -> None:
        self.settings = settings or Settings()
        self.seed = seed
        self.partition_count = 1
        self.now_us = 0
        self.trace: list[Event] = []
        self.cause: int | None = None
        """The event that made the present happen; stamped on everything recorded now."""
        self.nodes: dict[NodeId, Node] = {}
        """In the order they joined: A, B, C, …"""
        self.names_used: dict[NodeId, None] = {}
        """Every name a node has had. None is given twice: a vote or a confirmation of the old bearer,
        still on the wire, would be taken for the new one's."""
        self.clients: dict[ClientId, Client] = {}
        self.network = Network(self)
        self.controller = Controller(self)
        self._queue: list[tuple[int, int, Due]] = []
        self._queued_count = 0
        self._streams: dict[str, Random] = {}
        self._issued_terms: dict[int, None] = {}
        self._closed_term = 0
        """Terms up to here belong to an earlier membership: nobody stands in them any more."""
        self._operation_count = 0
        self._load_value = 0
        self._begin()

    def _begin(self) -> None:
        for name in SETTINGS:
            self.record(SettingChanged(name, self.settings.value(name), None))
        for letter in NODE_LETTERS[: self.settings.nodes]:
            self.nodes[letter] = Node(self, letter, is_voter=True)
            self.names_used[letter] = None
            self.record(NodeAdded(letter, is_voter=True))
        self._count_voters()
        first, *others = self.nodes.values()
        for number in range(1, self.settings.clients + 1):
            self.clients[str(number)] = Client(self, str(number), first.name)
        # The run opens on a settled cluster: everyone has voted for A in term 1 and knows that it leads.
        for partition in range(self.partition_count):
            for node in self.nodes.values():
                node.replicas[partition].voted_for = first.name
            for node in others:
                node.replicas[partition].follow(first.name, "")
            first.replicas[partition].lead(1, "initial", ())

    # --- time ---------------------------------------------------------------------------------------

    def next_at_us(self) -> int | None:
        """When the next thing is due; `None` when nothing ever will be."""
        return self._queue[0][0] if self._queue else None

    def step(self) -> bool:
        """Let the next thing happen; `False` when nothing is due."""
        if not self._queue:
            return False
        at_us, _, due = heapq.heappop(self._queue)
        self.now_us = at_us
        self.cause = None
        due.happen(at_us)
        return True

    def run_until(self, at_us: int) -> None:
        """Let everything happen that is due up to and including `at_us`, and stop the clock there."""
        queue = self._queue
        while queue and queue[0][0] <= at_us:
            self.step()
        self.now_us = max(self.now_us, at_us)

    def execute(self, command: Command) -> None:
        """Carry out a command now. Raises `CommandRefused` and changes nothing if it does not fit."""
        self.cause = None
        self.controller.execute(command)

    def schedule(self, at_us: int, due: Due) -> None:
        """Put something in the queue; equal times happen in the order they were scheduled."""
        self._queued_count += 1
        heapq.heappush(self._queue, (at_us, self._queued_count, due))

    def set_timer(self, delay_us: int, action: Callable[[], None], node: Node | None) -> Timer:
        """Call `action` after `delay_us`; for a node's timer, only if the node lives on until then."""
        timer = Timer(self, action, node)
        self.schedule(self.now_us + delay_us, timer)
        return timer

    # --- the record ---------------------------------------------------------------------------------

    def record(self, event: Event) -> int:
        """Stamp an event, add it to the trace and return its sequence number."""
        trace = self.trace
        event.sequence = sequence = len(trace)
        event.at_us = self.now_us
        event.cause = self.cause
        trace.append(event)
        return sequence

    def accept(self, command: Command) -> None:
        """Record that a command is allowed; it becomes the cause of what follows."""
        self.cause = self.record(CommandAccepted(command))

    def trace_sha256(self) -> str:
        """A fingerprint of everything that happened: equal inputs give equal fingerprints anywhere."""
        digest = hashlib.sha256()
        for event in self.trace:
            digest.update(event.line().encode())
            digest.update(b"\n")
        return digest.hexdigest()

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here, byte for byte."""
        return Snapshot(pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL), list(self.trace))

    @staticmethod
    def restored(snapshot: Snapshot) -> Simulation:
        """A run that continues exactly where the snapshot was taken."""
        simulation: Simulation = pickle.loads(snapshot.state)  # our own bytes, never a visitor's
        simulation.trace = list(snapshot.trace)
        return simulation

    def __getstate__(self) -> dict[str, Any]:
        # Past events never change: a snapshot shares them instead of copying them.
        return {**self.__dict__, "trace": []}

    # --- randomness ---------------------------------------------------------------------------------

    def stream(self, purpose: str) -> Random:
        """The random stream of one purpose: using one never shifts another."""
        stream = self._streams.get(purpose)
        if stream is None:
            stream = self._streams[purpose] = Random(f"{self.seed}/{purpose}")
        return stream

    # --- the cluster as a whole ---------------------------------------------------------------------

    def partition_of(self, key: str) -> int:
        """The partition a key lives in."""
        return 0

    def replicas(self, partition: int = 0) -> list[Replica]:
        """Every copy of one partition, dead machines included."""
        return [node.replicas[partition] for node in self.nodes.values()]

    def leader(self, partition: int = 0) -> Node | None:
        """The live leader of the highest term; what `leader` means in a command."""
        leading = [
            node
            for node in self.nodes.values()
            if node.state == "up" and node.replicas[partition].role.name == "leader"
        ]
        return max(leading, key=lambda node: node.replicas[partition].term, default=None)

    def next_term(self, term: int) -> int:
        """The lowest term above `term` that the operator's register has not given away."""
        term = max(term, self._closed_term) + 1
        while term in self._issued_terms:
            term += 1
        return term

    def issue_term(self) -> int:
        """A term above every term in the cluster. Operators take terms from one register, as from a
        consensus store; elections skip what it has given away, so no term ever has two leaders."""
        highest = max(replica.term for node in self.nodes.values() for replica in node.replicas)
        term = self.next_term(max(highest, *self._issued_terms) if self._issued_terms else highest)
        self._issued_terms[term] = None
        return term

    def use_settings(self, settings: Settings) -> None:
        """Put changed settings in force everywhere."""
        self.settings = settings
        for node in self.nodes.values():
            node.use_settings(settings)

    def add_node(self, name: NodeId) -> None:
        """A new, empty machine joins; it counts in majorities once it has caught up."""
        node = self.nodes[name] = Node(self, name, is_voter=False)
        self.names_used[name] = None
        self.record(NodeAdded(name, is_voter=False))
        self._count_voters()
        for replica in node.replicas:
            replica.follow(None, "")
        for replica in self.replicas():
            replica.role.on_peer_added(name)

    def admit(self, name: NodeId, admitting: Node) -> None:
        """A late joiner has caught up with `admitting`. A leader whom a later one has replaced admits
        nobody: its joiners need not hold what is committed by now (Raft thesis §4.1)."""
        if any(
            other.led_term > own.term
            for partition, own in enumerate(admitting.replicas)
            for other in self.replicas(partition)
        ):
            return
        self._close_terms()
        node = self.nodes[name]
        node.is_voter = True
        self.record(NodeAdmitted(name))
        self._count_voters()
        node.when_running(node.on_settings_changed)

    def remove_node(self, name: NodeId) -> None:
        """A machine leaves for good, with everything that was on it."""
        self._close_terms()
        node = self.nodes[name]
        if node.state != "dead":
            node.kill()
        del self.nodes[name]
        self.record(NodeRemoved(name))
        cause = self.cause
        self.network.forget(name)
        self.cause = cause
        self._count_voters()
        for other in self.nodes.values():
            other.when_running(partial(other.on_peer_removed, name))

    def _close_terms(self) -> None:
        """The membership changes: a majority of the new members may never have heard of a term that the
        old ones gave a leader, and must not fill it again (majorities must overlap, Raft thesis §4.1)."""
        for partition in range(self.partition_count):
            replicas = self.replicas(partition)
            self._closed_term = max(self._closed_term, *(replica.term for replica in replicas))
            led_term = max(replica.led_term for replica in replicas)
            for replica in replicas:
                replica.role.on_membership_changed(led_term)

    def _count_voters(self) -> None:
        voters = tuple(name for name, node in self.nodes.items() if node.is_voter)
        for name, node in self.nodes.items():
            node.peers = tuple(other for other in self.nodes if other != name)
            node.voting_peers = tuple(other for other in voters if other != name)
            node.majority = len(voters) // 2 + 1

    # --- numbers --------------------------------------------------------------------------------------

    def take_operation_number(self) -> int:
        """The next operation's number, from 1."""
        self._operation_count += 1
        return self._operation_count

    def take_load_value(self) -> int:
        """The next value that background traffic writes; all differ, so every read shows its write."""
        self._load_value += 1
        return self._load_value
