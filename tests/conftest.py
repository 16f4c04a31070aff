"""What several test files share: a run that is easy to foresee, a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest

from server.cluster.commands import CommandRefused
from server.room import Delivery, RoomLimits
from server.rooms import Rooms
from server.store import Start, Store

# Properties are about what holds, never about how fast a shared machine is; failures print their input.
hypothesis.settings.register_profile("here", deadline=None, print_blob=True)
hypothesis.settings.load_profile("here")

BEAT_US = 100_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """What this project's tests can be asked for besides."""
    parser.addoption("--rewrite", action="store_true", help="put what scenes tell today on record")


@dataclass(slots=True)
class FakeStep:
    """An event as a room sees it."""

    sequence: int
    at_us: int
    name: str
    text: str | None
    cause: int | None = None
    tone: str | None = None
    lane: str | None = None
    patches: list[Any] = field(default_factory=list)


class FakeRun:
    """A run in which a beat happens every 100 ms, and every command but `nonsense` is one event.

    `burst 5` makes the next beat five queue events at one instant; `explode` breaks at the next beat."""

    def __init__(self, start: Start) -> None:
        if start.scenario == "missing":
            raise CommandRefused("There is no scenario called missing.")
        self.start: Any = {
            "seed": start.seed or 1,
            "settings": start.settings,
            "scenario": start.scenario,
        }
        self.script = None
        self.script_done = 0
        self.script_broken: list[int] = []
        self.notice: str | None = None
        self.lesson: dict[str, Any] | None = None
        self.now_us = 0
        self.steps: list[FakeStep] = []
        self.state: dict[str, Any] = {"beats": 0, "commands": []}
        self._taken = 0
        self._due = [BEAT_US]
        self._explodes = False

    @property
    def event_count(self) -> int:
        return len(self.steps)

    @property
    def told_count(self) -> int:
        return len(self.steps)

    def why(self, sequence: int | None, operation: int | None = None) -> list[dict[str, Any]]:
        return []

    def blank_state(self) -> dict[str, Any]:
        return {"beats": 0, "commands": []}

    def take_steps(self) -> list[FakeStep]:
        fresh, self._taken = self.steps[self._taken :], len(self.steps)
        return fresh

    def ledger(self) -> list[dict[str, Any]]:
        return []

    def evidence(self, promise: str) -> list[dict[str, Any]]:
        return []

    def next_at_us(self) -> int | None:
        return self._due[0] if self._due else None

    def command(self, text: str) -> None:
        if text == "nonsense":
            raise CommandRefused("There is no command nonsense.")
        word, _, count = text.partition(" ")
        if word == "burst":
            self._due[:1] = [self._due[0]] * int(count)
        self._explodes = word == "explode"
        self.state["commands"].append((self.now_us, len(self.steps), text))
        self._happen("command.accepted", f"You said {text}.")

    def advance(self, until_us: int) -> None:
        assert until_us >= self.now_us, "time never goes back"
        while self._due and self._due[0] <= until_us:
            self.step()
        self.now_us = until_us

    def step(self) -> bool:
        if self._explodes:
            raise ZeroDivisionError
        self.now_us = self._due.pop(0)
        if not self._due:
            self._due = [self.now_us + BEAT_US]
        self.state["beats"] += 1
        self._happen("beat", None)
        return True

    def _happen(self, name: str, text: str | None) -> None:
        self.steps.append(FakeStep(len(self.steps), self.now_us, name, text))


class FakeClock:
    """Wall time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """Rooms on a fake clock, with everything that each connection was sent."""

    rooms: Rooms
    clock: FakeClock
    sent: dict[str, list[Delivery]] = field(default_factory=dict)

    def take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.sent.setdefault(delivery.connection, []).append(delivery)

    def open(self, key: str = "key", connection: str = "tab") -> None:
        self.take(self.rooms.open(key, connection))

    def command(self, text: str, connection: str = "tab") -> None:
        self.take(self.rooms.command(connection, text))

    def tick(self, seconds: float = 0.05) -> None:
        self.clock.now += seconds
        for deliveries in self.rooms.tick():
            self.take(deliveries)

    def pass_time(self, seconds: float, tick_seconds: float = 0.05) -> None:
        for _ in range(round(seconds / tick_seconds)):
            self.tick(tick_seconds)

    def last(self, connection: str = "tab") -> Any:
        """The payload that a connection was sent last."""
        return self.sent[connection][-1].payload

    def run(self, key: str = "key") -> FakeRun:
        run = self.rooms._rooms[key].run
        assert isinstance(run, FakeRun)
        return run


MakeHouse = Callable[..., House]


@pytest.fixture
def make_house() -> MakeHouse:
    """Builds rooms over fake runs, on a store of their own unless one is given."""

    def make(store: Store | None = None, clock: FakeClock | None = None, **limits: Any) -> House:
        clock = clock or FakeClock()
        rooms = Rooms(FakeRun, store or Store(None), clock, RoomLimits(**limits))
        return House(rooms, clock)

    return make


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    """Rooms with the limits they have in service."""
    return make_house()
