"""Two ways to drive the core by hand: one replica on a hand-made machine, and a run to a chosen moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from server.cluster import Settings, Simulation, commands
from server.cluster.events import Event
from server.cluster.messages import (
    Address,
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    LogEntry,
    Message,
    NodeId,
)
from server.cluster.replica import Replica

MS = 1_000
SECOND = 1_000_000

SomeEvent = TypeVar("SomeEvent", bound=Event)


# --- one replica ---------------------------------------------------------------------------------


@dataclass(eq=False)
class HandTimer:
    """An alarm that rings when the test lets time pass."""

    due_us: int
    action: Callable[[], None]
    is_active: bool = True

    def cancel(self) -> None:
        self.is_active = False


@dataclass
class HandMachine:
    """Implements `replica.Machine`: writes down what the replica does; the test moves time."""

    name: NodeId = "B"
    settings: Settings = field(default_factory=Settings)
    peers: tuple[NodeId, ...] = ("A", "C")
    is_voter: bool = True
    now_us: int = 0
    sent: list[tuple[Address, Message]] = field(default_factory=list)
    recorded: list[Event] = field(default_factory=list)
    timers: list[HandTimer] = field(default_factory=list)
    admitted: list[NodeId] = field(default_factory=list)
    joining: tuple[NodeId, ...] = ()
    """Peers that do not count in a majority yet."""

    @property
    def voting_peers(self) -> tuple[NodeId, ...]:
        return tuple(peer for peer in self.peers if peer not in self.joining)

    @property
    def majority(self) -> int:
        return (len(self.voting_peers) + 1) // 2 + 1

    def send(self, target: Address, partition: int, message: Message) -> None:
        self.sent.append((target, message))

    def set_timer(self, delay_us: int, action: Callable[[], None]) -> Any:
        self.timers.append(HandTimer(self.now_us + delay_us, action))
        return self.timers[-1]

    def set_alarm(self, at_us: int, action: Callable[[], None]) -> Any:
        return self.set_timer(at_us - self.now_us, action)

    def record(self, event: Event) -> int:
        self.recorded.append(event)
        return len(self.recorded) - 1

    def blame(self, sequence: int | None) -> None:
        pass

    def draw_election_timeout_us(self) -> int:
        return self.settings.election_timeout_min_us

    def next_term(self, term: int) -> int:
        return term + 1

    def issue_term(self) -> int:
        return 100

    def admit(self, node: NodeId) -> None:
        self.admitted.append(node)
        self.joining = tuple(peer for peer in self.joining if peer != node)

    # --- for the test -----------------------------------------------------------------------------

    def pass_time(self, time_us: int) -> None:
        """Let every alarm ring that is due by then, in order."""
        end_us = self.now_us + time_us
        while due := [timer for timer in self.timers if timer.is_active and timer.due_us <= end_us]:
            timer = min(due, key=lambda each: each.due_us)
            self.timers.remove(timer)
            self.now_us = timer.due_us
            timer.action()
        self.now_us = end_us

    def take_sent(self, to: Address | None = None) -> list[Message]:
        """What was sent (to one target) since this was last asked; rounds, which only reads under proof
        look at, are left out."""
        taken = [without_round(message) for target, message in self.sent if to in (None, target)]
        self.sent = [pair for pair in self.sent if to not in (None, pair[0])]
        return taken

    def happened(self, kind: type[SomeEvent]) -> list[SomeEvent]:
        return [event for event in self.recorded if isinstance(event, kind)]


def without_round(message: Message) -> Message:
    """The message with its round at 0, and without the end of the leader's log and its proof."""
    if isinstance(message, AppendEntries):
        return message._replace(round=0, last_index=None, proved_us=None, proved_index=0)
    return message._replace(round=0) if isinstance(message, AppendEntriesReply) else message


def entry(index: int, term: int, value: str | None = None) -> LogEntry:
    """A write to x; its operation's number is its index and term, so that rivals differ."""
    return LogEntry(index, term, "write", "x", value or f"{index}.{term}", None, 100 * term + index)


def entries(*terms: int, after: int = 0) -> tuple[LogEntry, ...]:
    """Entries of these terms, from index `after` + 1 on."""
    return tuple(entry(after + number, term) for number, term in enumerate(terms, 1))


def append(
    term: int, new: tuple[LogEntry, ...] = (), previous: tuple[int, int] = (0, 0), commit: int = 0
) -> AppendEntries:
    """A leader's message; `previous` is (index, term)."""
    return AppendEntries(term, *previous, new, commit)


def agrees(term: int, received: int, flushed: int | None = None, applied: int = 0) -> AppendEntriesReply:
    """A follower's yes; what it received is flushed unless said otherwise."""
    return AppendEntriesReply(term, True, received, received if flushed is None else flushed, applied, 0)


def rejects(term: int, previous_index: int, hint: int) -> AppendEntriesReply:
    """A follower's no, and how far its log may agree."""
    return AppendEntriesReply(term, False, hint, 0, 0, previous_index)


def ask(operation: int, kind: str = "write", value: str | None = "1", **others: Any) -> ClientRequest:
    """A client's request for key x."""
    fields = {"attempt": 1, "key": "x", "expected": None, "leader_only": True, **others}
    return ClientRequest(operation=operation, operation_kind=kind, value=value, **fields)


def replica_with(*terms: int, machine: HandMachine | None = None, **settings: Any) -> Replica:
    """A follower whose disk holds entries of these terms; its own term is the last one's."""
    machine = machine or HandMachine(settings=changed(**settings))
    replica = Replica(machine, 0)
    replica.term = max(terms, default=1)
    replica.follow(None, "")  # Before there is anything to apply: what is on disk was applied by nobody yet.
    for each in entries(*terms):
        replica.log.append(each)
    replica.log.flushed_index = len(terms)
    machine.recorded.clear()
    return replica


def machine_of(replica: Replica) -> HandMachine:
    """The hand-made machine under a replica."""
    assert isinstance(replica.machine, HandMachine)
    return replica.machine


def terms(replica: Replica) -> list[int]:
    """The term of each entry of its log."""
    return [each.term for each in replica.log.entries]


def answers(replica: Replica, client: str = "1") -> list[ClientReply]:
    """What a client was told since this was last asked."""
    sent = machine_of(replica).take_sent(client)
    return [message for message in sent if isinstance(message, ClientReply)]


# --- one run -------------------------------------------------------------------------------------


def changed(**values: Any) -> Settings:
    """Settings with some changed, named as spoken but with `_`."""
    return Settings().with_values({name.replace("_", "-"): value for name, value in values.items()})


def start(seed: int = 1, **values: Any) -> Simulation:
    """A run whose messages take exactly their latency, unless a jitter is given."""
    return Simulation(changed(**{"jitter": 0, **values}), seed)


def after(run: Simulation, time_us: int) -> Simulation:
    """The same run, that much later."""
    run.run_until(run.now_us + time_us)
    return run


def copy_of(run: Simulation, node: NodeId) -> Replica:
    """The replica on one node."""
    return run.nodes[node].replicas[0]


def happened(run: Simulation, kind: type[SomeEvent], since: int = 0, **facts: Any) -> list[SomeEvent]:
    """The events of one kind with these facts, from trace position `since` on."""
    return [
        event
        for event in run.trace[since:]
        if isinstance(event, kind) and all(getattr(event, name) == fact for name, fact in facts.items())
    ]


def run_to(run: Simulation, kind: type[SomeEvent], within_us: int = 60 * SECOND, **facts: Any) -> SomeEvent:
    """Let time pass until this happens (again); fails when it does not."""
    since, end_us = len(run.trace), run.now_us + within_us
    while (next_us := run.next_at_us()) is not None and next_us <= end_us:
        run.step()
        found = happened(run, kind, since, **facts)
        if found:
            return found[0]
        since = len(run.trace)
    raise AssertionError(f"{kind.__name__} {facts} did not happen within {within_us / SECOND:g} s")


def write(run: Simulation, value: str = "1", **others: Any) -> int:
    """Command a write to x and return its operation's number."""
    run.execute(commands.Write("x", value, **others))
    return run._operation_count
