"""Is a history of one register linearizable? A checker for histories from anywhere.

Linearizable (Herlihy & Wing, 1990): every operation can be given one moment between its call and
its return, so that at those moments, in that order, a single register would have given the same
answers. Keys are independent registers, and a history is linearizable when each key's part is
(locality, *ibid.*), so every key is searched alone.

The search is just-in-time linearization (Lowe, *Testing for Linearizability*, 2017): it walks the
calls and returns in order and keeps every *configuration* — what the register holds and which open
operations have taken effect — that can still explain the answers. Only when an operation returns
must it have taken effect, so only then are others tried before it. Equal configurations are met
once (the memory of Wing & Gong's search); the open operations are bits of an integer, and a bit is
used again after its operation returned, so integers stay small in long histories.

What an outcome means here:

- `ok`: it happened between call and return. A `delete` is a write of nothing (`None`).
- `unknown`, `pending`: a write, cas or delete may take effect at any moment after its call, or
  never; a read says nothing.
- `failed`: it did not happen. A failed cas that says what it `found` is a read of that. When it
  says nothing (`None`), it is ignored: "nothing was there" and "nothing was said" look the same.

Five shortcuts keep the search small; each only drops configurations that another one covers:
a read takes effect as soon as its value is there; a write whose value nobody will see any more may
hide right before any other write; a value that somebody must still see is not overwritten unless it
can come again; using up an unanswered operation is never better than having it left; and of
unanswered operations that ask for the same, one is as good as another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from server.guarantees.search import Search, Step

EXPLORED_MAX = 20_000_000
"""Possibilities tried for one key before its verdict is `undecided`: about ten seconds."""
EXPLORED_TOTAL_MAX = 40_000_000
"""… and for all keys of a history together, so that a long one ends in about twenty seconds."""
EXPLORED_LEAST = 1_000_000
"""What every key may try even when the keys before it have used up the total."""

_WIDTHS = (8, 128, None)
"""How many configurations successive searches keep at any moment."""


class HistoryOperation(NamedTuple):
    """One operation as its caller saw it. `called` and `returned` are places in one order of all
    calls and returns (any integers); the two `…_at` are only shown to people."""

    identity: int
    process: str
    kind: str
    """`write`, `read`, `cas` or `delete`."""
    key: str
    value: str | None
    """What was written or read, or what a cas put there; `None`: nothing."""
    expected: str | None
    """For `cas`: what had to be there."""
    outcome: str
    """`ok`, `failed`, `unknown` or `pending`."""
    called: int
    returned: int | None
    """`None` while pending; ignored when unknown."""
    found: str | None = None
    """For a failed cas: what it found instead, if it said so."""
    called_at: int = 0
    returned_at: int | None = None

    @property
    def label(self) -> str:
        """`write 1`, `read 2`, `read nothing`, `cas 1→2`, `delete`."""
        value = "nothing" if self.value is None else self.value
        if self.kind == "read" and self.outcome != "ok":
            return "read"
        if self.kind == "cas":
            label = f"cas {'nothing' if self.expected is None else self.expected}→{value}"
            return label if self.found is None else f"{label}, found {self.found}"
        return "delete" if self.kind == "delete" else f"{self.kind} {value}"


class KeyVerdict(NamedTuple):
    """What the search found for one key."""

    key: str
    held: bool | None
    """`None`: undecided within the limit."""
    operations: int
    explored: int
    """Possibilities tried."""
    counterexample: tuple[HistoryOperation, ...]
    """When not linearizable: a small set of its operations that already is not, in order of call."""
    says: str


def check_history(
    operations: Sequence[HistoryOperation], explored_max: int = EXPLORED_MAX, initial: str | None = None
) -> list[KeyVerdict]:
    """A verdict per key, in the order the keys first occur; `initial` is what each held before."""
    by_key: dict[str, list[HistoryOperation]] = {}
    for operation in operations:
        by_key.setdefault(operation.key, []).append(operation)
    verdicts, left = [], EXPLORED_TOTAL_MAX
    for key, part in by_key.items():
        verdict = check_key(key, part, initial, min(explored_max, max(left, EXPLORED_LEAST)))
        left -= verdict.explored
        verdicts.append(verdict)
    return verdicts


def check_key(
    key: str,
    operations: Sequence[HistoryOperation],
    initial: str | None = None,
    explored_max: int = EXPLORED_MAX,
) -> KeyVerdict:
    """Search one key's history, given what the key held before it."""
    search = search_history(operations, initial, explored_max)
    count = len(operations)
    if search.held is None and (plain := _overwritten_read(operations, initial)):
        return KeyVerdict(key, False, count, search.explored, plain, explain(key, plain))
    if search.held is None:
        says = f"Undecided: more than {explored_max:,} possibilities."
        return KeyVerdict(key, None, count, search.explored, (), says)
    if search.held:
        return KeyVerdict(key, True, count, search.explored, (), "Linearizable.")
    small = shrink(_shortest_prefix(operations, initial, explored_max), initial, explored_max)
    return KeyVerdict(key, False, count, search.explored, tuple(small), explain(key, small))


def search_history(operations: Sequence[HistoryOperation], initial: str | None, explored_max: int) -> Search:
    """Run the search alone; its `held` is the answer. A narrow search that keeps few configurations
    is tried first: what it finds is an explanation all the same."""
    numbers: dict[str | None, int] = {}
    steps = []
    for operation in operations:
        step = _step(operation, numbers)
        if step is not None:
            steps.append(step)
    first = numbers.setdefault(initial, len(numbers))
    explored = 0
    for width in _WIDTHS:
        search = Search(steps, first, len(numbers), explored_max - explored, width)
        search.run()
        explored += search.explored
        if search.held is not None or not search.is_cut:
            break
    search.explored = explored
    return search


def _overwritten_read(
    operations: Sequence[HistoryOperation], initial: str | None
) -> tuple[HistoryOperation, ...]:
    """A read of a value that was put there once and was certainly overwritten before the read began, with
    what wrote it and what overwrote it: a contradiction that needs no search. Empty when there is none."""
    changes = [each for each in operations if each.kind != "read" and each.outcome != "failed"]
    put: dict[str | None, list[HistoryOperation]] = {}
    for each in changes:
        put.setdefault(_produced(each), []).append(each)
    certain = sorted(
        (each for each in changes if each.outcome == "ok" and each.returned is not None),
        key=lambda each: each.called,
    )
    called = [each.called for each in certain]
    earliest: list[HistoryOperation] = []
    """At each place: of the changes called from there on, the one that ended first."""
    for each in reversed(certain):
        earliest.append(min(earliest[-1], each, key=_certain_end) if earliest else each)
    earliest.reverse()
    for read in sorted(operations, key=_certain_end):
        if read.kind != "read" or read.outcome != "ok" or read.returned is None or read.value == initial:
            continue
        writers = put.get(read.value, [])
        if len(writers) != 1 or _certain_end(writers[0]) >= read.called:
            continue
        place = bisect_right(called, writers[0].returned or 0)
        if place < len(earliest) and _certain_end(earliest[place]) < read.called:
            return writers[0], earliest[place], read
    return ()


def _step(operation: HistoryOperation, numbers: dict[str | None, int]) -> Step | None:
    """What the search must place for an operation; `None` when it constrains nothing."""

    def number(value: str | None) -> int:
        return numbers.setdefault(value, len(numbers))

    outcome, kind = operation.outcome, operation.kind
    returned = operation.returned if outcome in ("ok", "failed") else None
    if outcome == "failed":
        if kind != "cas" or operation.found is None or returned is None:
            return None
        return Step("read", number(operation.found), -1, operation.called, returned)
    if kind == "read":
        if returned is None:
            return None
        return Step("read", number(operation.value), -1, operation.called, returned)
    if kind == "cas":
        value, expected = number(operation.value), number(operation.expected)
        return Step("cas", value, expected, operation.called, returned)
    value = number(operation.value if kind == "write" else None)
    return Step("write", value, -1, operation.called, returned)


# --- counterexamples ------------------------------------------------------------------------------

_SHRINK_CHECKS_MAX = 2_000
_EXHAUSTIVE_BELOW = 64


def _shortest_prefix(
    operations: Sequence[HistoryOperation], initial: str | None, explored_max: int
) -> list[HistoryOperation]:
    """The history up to the first return that nothing explains. Every prefix of a linearizable
    history is linearizable, so bisection finds it."""
    returns = sorted(
        operation.returned
        for operation in operations
        if operation.outcome in ("ok", "failed") and operation.returned is not None
    )
    low, high = 0, len(returns) - 1
    while low < high:
        middle = (low + high) // 2
        part = _until(operations, returns[middle])
        if search_history(part, initial, explored_max).held is False:
            high = middle
        else:
            low = middle + 1
    return _until(operations, returns[low])


def _until(operations: Sequence[HistoryOperation], moment: int) -> list[HistoryOperation]:
    """What was known at a moment: what was called by then, pending if it had not returned."""
    part = []
    for operation in operations:
        if operation.called > moment:
            continue
        returned = operation.returned
        if operation.outcome in ("ok", "failed") and (returned is None or returned > moment):
            if operation.kind == "read" or operation.outcome == "failed":
                continue
            operation = operation._replace(outcome="pending", returned=None, returned_at=None)
        part.append(operation)
    return sorted(part, key=lambda operation: operation.called)


def shrink(
    operations: list[HistoryOperation], initial: str | None, explored_max: int
) -> list[HistoryOperation]:
    """Drop operations for as long as the rest is still not linearizable, in ever smaller chunks.

    A write stays while somebody who could have seen its value is kept: what is left explains the
    fault of the whole history, and nothing in it reads a value from nowhere."""
    kept, chunk, checks = operations, max(1, len(operations) // 2), 0
    while checks < _SHRINK_CHECKS_MAX:
        dropped_any = False
        start = 0
        while start < len(kept) and checks < _SHRINK_CHECKS_MAX:
            rest = _without(kept, start, start + chunk)
            checks += 1
            if len(rest) < len(kept) and search_history(rest, initial, explored_max).held is False:
                kept, dropped_any = rest, True
            else:
                start += chunk
        if chunk == 1 and not (dropped_any and len(kept) < _EXHAUSTIVE_BELOW):
            break
        chunk = max(1, chunk // 2)
    return kept


def _without(kept: list[HistoryOperation], start: int, end: int) -> list[HistoryOperation]:
    """The history without a chunk, except those of its writes that the rest may have seen."""
    dropped = set(range(start, min(end, len(kept))))
    while True:
        seen: dict[str | None, float] = {}
        for place, operation in enumerate(kept):
            if place not in dropped:
                for value in _observed(operation):
                    moment = _certain_end(operation)
                    seen[value] = max(seen.get(value, moment), moment)
        needed = [
            place
            for place in range(start, min(end, len(kept)))
            if place in dropped
            and kept[place].kind != "read"
            and kept[place].outcome != "failed"
            and seen.get(_produced(kept[place]), -1) > kept[place].called
        ]
        if not needed:
            return [operation for place, operation in enumerate(kept) if place not in dropped]
        dropped.difference_update(needed)


def _certain_end(operation: HistoryOperation) -> float:
    """When an operation was over; never, if nobody was told."""
    is_certain = operation.outcome in ("ok", "failed") and operation.returned is not None
    return float(operation.returned or 0) if is_certain else float("inf")


def _produced(operation: HistoryOperation) -> str | None:
    """What a write, cas or delete puts there."""
    return None if operation.kind == "delete" else operation.value


def _observed(operation: HistoryOperation) -> tuple[str | None, ...]:
    """The values that an operation proves somebody has put there."""
    if operation.outcome == "failed":
        return () if operation.found is None else (operation.found,)
    if operation.kind == "read":
        return (operation.value,) if operation.outcome == "ok" else ()
    return (operation.expected,) if operation.kind == "cas" else ()


def explain(key: str, operations: Sequence[HistoryOperation]) -> str:
    """Why these few operations cannot be put in order, in one sentence."""
    count = len(operations)
    certain = [operation for operation in operations if operation.outcome in ("ok", "failed")]
    last = max(certain, key=_certain_end, default=None)
    if last is not None and last.kind == "read" and last.outcome == "ok":
        written = [
            operation
            for operation in operations
            if operation.kind != "read" and _produced(operation) == last.value
        ]
        value = "nothing" if last.value is None else last.value
        if not written and last.value is not None:
            return f"Not linearizable: {key} was read as {value}, which nobody had written."
        newer = _overwriting(operations, written, last)
        if newer is not None:
            return (
                f"Not linearizable: {key} was read as {value}, although {newer.label} had ended before "
                "that read began."
            )
    these = "this operation" if count == 1 else f"these {count} operations"
    return f"Not linearizable: no order of {these} explains what {key} showed."


def _overwriting(
    operations: Sequence[HistoryOperation], written: list[HistoryOperation], read: HistoryOperation
) -> HistoryOperation | None:
    """A write that stands, in real time, between every write of the value read and the read."""
    for operation in operations:
        if (
            operation.kind in ("write", "delete", "cas")
            and operation.outcome == "ok"
            and operation not in written
            and operation.returned is not None
            and operation.returned < read.called
            and all(
                earlier.outcome == "ok"
                and earlier.returned is not None
                and earlier.returned < operation.called
                for earlier in written
            )
        ):
            return operation
    return None
