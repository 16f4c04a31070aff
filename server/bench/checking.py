"""Part `check`: how long the judge of linearizability takes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from server.bench.measure import seconds_of, take_turns
from server.bench.report import Row
from server.guarantees import HistoryOperation, check_history

OPERATIONS = 10_000
KEYS = 10
PROCESSES = 50
"""About five operations are open on each key at any time."""
VALUES = 5
"""Few values, so that a read can often be explained in several ways."""
SECONDS = 2.0


def check() -> list[Row]:
    """10,000 operations over 10 keys: a history that holds, and the same with one stale read."""
    good = made_history()
    bad = with_stale_read(good)

    def ours(history: list[HistoryOperation], held: bool) -> Callable[[], float]:
        def judge() -> None:
            assert all(verdict.held for verdict in check_history(history)) is held

        return lambda: seconds_of(judge)

    def peer() -> float:
        def judge() -> None:
            assert wing_gong(good)

        return seconds_of(judge)

    seconds, peer_seconds = take_turns(ours(good, True), peer, rounds=3)
    (bad_seconds,) = take_turns(ours(bad, False), rounds=3)
    return [
        Row(
            "check: 10,000 operations, 10 keys",
            f"{seconds:.2f} s",
            f"{peer_seconds:.2f} s, Wing–Gong with memory",
            peer_seconds / seconds,
            f"< {SECONDS:g} s",
            seconds < SECONDS,
        ),
        Row(
            "check: … one stale read, explained",
            f"{bad_seconds:.2f} s",
            target=f"< {SECONDS:g} s",
            is_met=bad_seconds < SECONDS,
        ),
    ]


# --- histories -----------------------------------------------------------------------------------


def made_history(count: int = OPERATIONS, keys: int = KEYS, seed: int = 1) -> list[HistoryOperation]:
    """A linearizable history: each operation takes effect at one moment between its call and return."""
    random = Random(f"{seed}/history")
    free_at = [random.randrange(100) for _ in range(PROCESSES)]
    planned = []
    for identity in range(count):
        process = free_at.index(min(free_at))
        called = free_at[process] + random.randrange(1, 50)
        free_at[process] = returned = called + random.randrange(2, 200)
        planned.append((random.randrange(called + 1, returned + 1), identity, process, called, returned))
    registers: dict[str, str | None] = {}
    history = []
    for _, identity, process, called, returned in sorted(planned):
        key = f"k{random.randrange(keys)}"
        kind, value, expected, outcome, found = _effect(random, registers, key)
        history.append(
            HistoryOperation(
                identity, str(process), kind, key, value, expected, outcome,
                2 * called, 2 * returned + 1, found,
            )
        )  # fmt: skip
    return sorted(history, key=lambda operation: operation.called)


def _effect(
    random: Random, registers: dict[str, str | None], key: str
) -> tuple[str, str | None, str | None, str, str | None]:
    """Let one operation take effect: (kind, value, expected, outcome, found)."""
    kind = random.choice(("write", "write", "read", "read", "read", "cas"))
    held, value = registers.get(key), str(random.randrange(VALUES))
    if kind == "read":
        return kind, held, None, "ok", None
    if kind == "write":
        registers[key] = value
        return kind, value, None, "ok", None
    expected = str(random.randrange(VALUES))
    if expected != held:
        return kind, value, expected, "failed", held
    registers[key] = value
    return kind, value, expected, "ok", None


def with_stale_read(history: list[HistoryOperation]) -> list[HistoryOperation]:
    """The same history, but its last read returns a value that was there, and gone, before it all."""
    place = max(place for place, each in enumerate(history) if each.kind == "read")
    key = history[place].key
    write = HistoryOperation(-2, "0", "write", key, "old", None, "ok", -4, -3)
    delete = HistoryOperation(-1, "0", "delete", key, None, None, "ok", -2, -1)
    late = history[place]._replace(value="old")
    return [write, delete, *history[:place], late, *history[place + 1 :]]


# --- the peer ------------------------------------------------------------------------------------


def wing_gong(history: list[HistoryOperation]) -> bool:
    """Whether a history is linearizable, every operation of which was answered, by the textbook search.

    Wing & Gong's search over one key after another, with the memory and the linked list of calls and
    returns that Lowe gave it (2017): what Porcupine and Knossos do."""
    by_key: dict[str, list[HistoryOperation]] = {}
    for operation in history:
        by_key.setdefault(operation.key, []).append(operation)
    return all(_wing_gong_key(part) for part in by_key.values())


def _wing_gong_key(operations: list[HistoryOperation]) -> bool:
    calls = [(operation.called, 0, place) for place, operation in enumerate(operations)]
    returns = [(operation.returned or 0, 1, place) for place, operation in enumerate(operations)]
    entries = Entries([(place, is_return == 1) for _, is_return, place in sorted(calls + returns)])
    register: str | None = None
    placed = 0  # The operations that have taken effect, one bit each.
    seen = {(placed, register)}
    trail: list[tuple[int, str | None]] = []
    entry = entries.first()
    while not entries.is_empty():
        place, is_return = entries.items[entry]
        if is_return:  # It has not taken effect and its time is over: take the last step back.
            if not trail:
                return False
            entry, register = trail.pop()
            placed ^= 1 << entries.items[entry][0]
            entries.put_back(entry)
            entry = entries.following[entry]
            continue
        fits, after = _apply(operations[place], register)
        reached = (placed | 1 << place, after)
        if fits and reached not in seen:
            seen.add(reached)
            trail.append((entry, register))
            placed, register = reached
            entries.lift(entry)
            entry = entries.first()
        else:
            entry = entries.following[entry]
    return True


def _apply(operation: HistoryOperation, register: str | None) -> tuple[bool, str | None]:
    """Whether an operation could have had its answer from this register, and what it leaves there."""
    if operation.kind in ("write", "delete"):
        return True, operation.value
    if operation.kind == "read":
        return operation.value == register, register
    if operation.outcome == "failed":
        return operation.found == register, register
    return operation.expected == register, operation.value


class Entries:
    """Calls and returns in order; a call can be lifted out together with its return, and put back."""

    def __init__(self, items: list[tuple[int, bool]]) -> None:
        self.items = items
        """(place of the operation, whether this is its return)"""
        self.end = end = len(items)
        # One more than there are entries: the last stands before the first and after the last.
        self.following: list[int] = [*range(1, end + 1), 0]
        self.preceding: list[int] = [end, *range(end)]
        self.return_of = {place: entry for entry, (place, is_return) in enumerate(items) if is_return}

    def first(self) -> int:
        """The first entry that is left."""
        return self.following[self.end]

    def is_empty(self) -> bool:
        """Whether everything has taken effect."""
        return self.following[self.end] == self.end

    def lift(self, call: int) -> None:
        """Take out a call and its return."""
        for entry in (call, self.return_of[self.items[call][0]]):
            self.following[self.preceding[entry]] = self.following[entry]
            self.preceding[self.following[entry]] = self.preceding[entry]

    def put_back(self, call: int) -> None:
        """Undo the last lift that was not undone."""
        for entry in (self.return_of[self.items[call][0]], call):
            self.following[self.preceding[entry]] = entry
            self.preceding[self.following[entry]] = entry
