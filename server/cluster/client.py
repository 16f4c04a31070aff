"""Clients: they remember who leads, follow redirects, give up, and never mistake silence for failure.

An operation ends `ok`, `failed` (every attempt was answered with a refusal: certainly not done) or
`unknown` (some attempt got no answer: it may or may not have happened).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from server.cluster.commands import CommandRefused
from server.cluster.events import (
    LeaderLearned,
    LoadChanged,
    OperationEnded,
    OperationRetried,
    OperationStarted,
)
from server.cluster.messages import Address, ClientId, ClientReply, ClientRequest, Message, NodeId
from server.cluster.settings import LIMITS

if TYPE_CHECKING:
    from server.cluster.simulation import Simulation, Timer

REDIRECTS_MAX = 10
"""Redirects of one operation before the client waits as if nobody led."""
READ_RETRIES = 2
"""A read changes nothing, so a client asks again at other nodes whatever the `retries` setting says."""
LOAD_KEYS = ("x", "y", "z")
"""What background traffic writes and reads when no key is named."""


class Pending:
    """An operation that has not ended."""

    __slots__ = (
        "attempt", "expected", "is_background", "key", "kind", "leader_only", "operation", "redirect_count",
        "retries_left", "target", "timer", "unanswered", "value",
    )  # fmt: skip

    def __init__(
        self, operation: int, kind: str, key: str, value: str | None, expected: str | None,
        leader_only: bool,
    ) -> None:  # fmt: skip
        self.operation = operation
        self.kind = kind
        self.key = key
        self.value = value
        self.expected = expected
        self.leader_only = leader_only
        self.is_background = False
        self.target: NodeId = ""
        self.attempt = 0
        self.unanswered: list[int] = []
        """Attempts that nobody has answered yet."""
        self.redirect_count = 0
        self.retries_left = 0
        self.timer: Timer | None = None


class Client:
    """One client."""

    def __init__(self, simulation: Simulation, name: ClientId, leader: NodeId) -> None:
        self.simulation = simulation
        self.name = name
        self.known_leader: NodeId | None = leader
        """Who it believes leads; where writes go first."""
        self.pending: dict[int, Pending] = {}
        self.written_version = 0
        """The highest version of anything this client was told it wrote …"""
        self.seen_version = 0
        """… and has written or read."""
        self.load_interval_us: dict[str, int] = {}
        """Mean time between background operations, by kind."""
        self._load_keys: dict[str, tuple[str, ...]] = {}
        self._load_timers: dict[str, Timer] = {}
        self._last_tried = -1
        self._route_stream = simulation.stream(f"route/{name}")
        self._load_stream = simulation.stream(f"load/{name}")

    # --- starting operations ------------------------------------------------------------------------

    def write(
        self, kind: str, key: str, value: str | None, expected: str | None, target: NodeId | None
    ) -> None:
        """Start a write, cas or delete, at `target` or at whoever is believed to lead."""
        pending = self._open(kind, key, value, expected, leader_only=True)
        self._start(pending, target or self.known_leader or self._next_node())

    def read(self, key: str, route: str) -> None:
        """Start a read by a route: `any`, `round-robin`, the believed `leader`, or one node's letter."""
        names = tuple(self.simulation.nodes)
        if route == "leader":
            self.read_from(key, self.known_leader or self._next_node(), leader_only=True)
        elif route == "any":
            self.read_from(key, names[int(self._route_stream.random() * len(names))])
        else:
            self.read_from(key, route if route in names else self._next_node())

    def read_from(self, key: str, node: NodeId, leader_only: bool = False) -> None:
        """Start a read at one node; with `leader_only` it refuses unless it leads."""
        self._start(self._open("read", key, None, None, leader_only), node)

    def refuse_if_busy(self) -> None:
        """Refuse a new operation, before anything happened, when too many are open."""
        if len(self.pending) >= LIMITS.operations_pending_max:
            raise CommandRefused(
                f"Client {self.name} already has {LIMITS.operations_pending_max} open operations: "
                "wait until some have ended."
            )

    def _open(
        self, kind: str, key: str, value: str | None, expected: str | None, leader_only: bool
    ) -> Pending:
        operation = self.simulation.take_operation_number()
        pending = Pending(operation, kind, key, value, expected, leader_only)
        pending.retries_left = self.simulation.settings.retries
        if kind == "read":
            pending.retries_left = max(READ_RETRIES, pending.retries_left)
        self.pending[operation] = pending
        return pending

    def _start(self, pending: Pending, target: NodeId) -> None:
        self.simulation.record(
            OperationStarted(
                pending.operation, self.name, pending.kind, pending.key,
                pending.value, pending.expected, target,
            )
        )  # fmt: skip
        self._wait_for_answer(pending)
        self._send(pending, target)

    def _send(self, pending: Pending, target: NodeId) -> None:
        pending.attempt += 1
        pending.unanswered.append(pending.attempt)
        pending.target = target
        request = ClientRequest(
            pending.operation, pending.attempt, pending.kind, pending.key,
            pending.value, pending.expected, pending.leader_only,
            self._token() if pending.kind == "read" else 0,
            self._staleness_bound_us() if pending.kind == "read" else None,
        )  # fmt: skip
        self.simulation.network.send(self.name, target, self.simulation.partition_of(pending.key), request)

    def _token(self) -> int:
        """What a read must wait for, as the `session` setting says."""
        session = self.simulation.settings.session
        if session == "read-your-writes":
            return self.written_version
        return self.seen_version if session == "monotonic-reads" else 0

    def _staleness_bound_us(self) -> int | None:
        """How old an answer a read may get, if the `session` setting limits that."""
        settings = self.simulation.settings
        return settings.staleness_bound_us if settings.session == "bounded-staleness" else None

    def _resend(self, pending: Pending, target: NodeId, reason: str) -> None:
        self.simulation.record(
            OperationRetried(pending.operation, self.name, pending.attempt + 1, target, reason)
        )
        self._send(pending, target)

    # --- answers and silence ------------------------------------------------------------------------

    def receive(self, source: Address, message: Message) -> None:
        """Take an answer; one that comes after the operation ended changes nothing any more."""
        if not isinstance(message, ClientReply) or message.operation not in self.pending:
            return
        pending = self.pending[message.operation]
        if message.outcome == "refused":
            self._on_refusal(pending, source, message)
            return
        if pending.leader_only:
            self._take_for_leader(source)
        if message.outcome == "ok":
            self.seen_version = max(self.seen_version, message.version)
            if pending.kind != "read":
                self.written_version = max(self.written_version, message.version)
        self._end(pending, message.outcome, message.value, message.version, source)

    def _on_refusal(self, pending: Pending, source: NodeId, message: ClientReply) -> None:
        if message.attempt not in pending.unanswered:
            return  # A second copy of a refusal that was taken already.
        pending.unanswered.remove(message.attempt)
        self._take_for_leader(message.leader)
        if message.attempt != pending.attempt:
            return
        if message.leader is not None and pending.redirect_count < REDIRECTS_MAX:
            pending.redirect_count += 1
            self._resend(pending, message.leader, "redirected")
        else:
            # Nobody leads as far as that node knows: ask another one when half a heartbeat has passed.
            action = partial(self.ask_again, pending.operation)
            self.simulation.set_timer(self.simulation.settings.heartbeat_us // 2, action, None)

    def ask_again(self, operation: int) -> None:
        """After a wait: ask whoever may know the leader by now."""
        pending = self.pending.get(operation)
        if pending is not None:
            self._resend(pending, self.known_leader or self._next_node(), "no leader known")

    def on_timeout(self, operation: int) -> None:
        """No answer in time: try again if retries are left, else end it with what is known."""
        pending = self.pending[operation]
        if self.known_leader == pending.target:
            self._take_for_leader(None)
        self._skip_past(pending.target)
        if pending.retries_left and pending.unanswered:
            pending.retries_left -= 1
            self._wait_for_answer(pending)
            self._resend(pending, self.known_leader or self._next_node(), "no answer")
        else:
            self._end(pending, "unknown" if pending.unanswered else "failed", None, 0, None)

    def _take_for_leader(self, node: NodeId | None) -> None:
        if node != self.known_leader:
            self.known_leader = node
            self.simulation.record(LeaderLearned(self.name, node))

    def _wait_for_answer(self, pending: Pending) -> None:
        pending.timer = self.simulation.set_timer(
            self.simulation.settings.operation_timeout_us, partial(self.on_timeout, pending.operation), None
        )

    def _end(
        self, pending: Pending, outcome: str, value: str | None, version: int, node: NodeId | None
    ) -> None:
        del self.pending[pending.operation]
        if pending.timer is not None:
            pending.timer.cancel()
        self.simulation.record(OperationEnded(pending.operation, self.name, outcome, value, version, node))

    def _next_node(self) -> NodeId:
        """The next node in turn: how a client finds its way when it knows no leader."""
        names = tuple(self.simulation.nodes)
        self._last_tried = (self._last_tried + 1) % len(names)
        return names[self._last_tried]

    def _skip_past(self, silent: NodeId) -> None:
        """Let the turn go on after a node that did not answer."""
        names = tuple(self.simulation.nodes)
        if silent in names:
            self._last_tried = names.index(silent)

    # --- background traffic -------------------------------------------------------------------------

    def start_load(self, kind: str, interval_us: int, key: str | None = None) -> None:
        """Begin or change background traffic of one kind, on one key or on all of `LOAD_KEYS`."""
        self.stop_load(kind, silently=True)
        self.load_interval_us[kind] = interval_us
        self._load_keys[kind] = LOAD_KEYS if key is None else (key,)
        self.simulation.record(LoadChanged(self.name, kind, interval_us))
        self._schedule_load(kind)

    def stop_load(self, kind: str, silently: bool = False) -> None:
        """End background traffic of one kind."""
        if kind in self.load_interval_us:
            del self.load_interval_us[kind]
            self._load_timers.pop(kind).cancel()
            if not silently:
                self.simulation.record(LoadChanged(self.name, kind, None))

    def _schedule_load(self, kind: str) -> None:
        interval_us = self.load_interval_us[kind]
        delay_us = interval_us // 2 + int(self._load_stream.random() * (interval_us + 1))
        self._load_timers[kind] = self.simulation.set_timer(
            max(1, delay_us), partial(self.on_load, kind), None
        )

    def on_load(self, kind: str) -> None:
        """One background operation, unless as many as allowed are still open."""
        self._schedule_load(kind)
        open_count = sum(each.is_background for each in self.pending.values())
        if open_count >= self.simulation.settings.outstanding:
            return
        keys = self._load_keys[kind]
        key = keys[int(self._load_stream.random() * len(keys))]
        if kind == "read":
            self.read(key, self.simulation.settings.reads)
        else:
            value = str(self.simulation.take_load_value())
            self.write("write", key, value, None, None)
        self.pending[next(reversed(self.pending))].is_background = True
