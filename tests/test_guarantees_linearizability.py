"""The linearizability checker: published cases, their mirror images, and a slow obvious checker beside it."""

from __future__ import annotations

from itertools import permutations, product
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.guarantees.linearizability import (
    HistoryOperation,
    check_history,
    check_key,
    explain,
    search_history,
)

INFINITY = 10**9


def history(text: str) -> list[HistoryOperation]:
    """One operation per line: `process kind value called returned`, where `returned` may be `?`
    (unknown), `-` (pending) or `!4` (failed at 4); a cas is `cas 1>2`, and `cas 1>2=3` found 3."""
    operations = []
    for number, line in enumerate(text.strip().splitlines(), 1):
        process, kind, what, called, returned = line.split()
        what, _, found = what.partition("=")
        before, arrow, after = what.partition(">")
        outcome = {"?": "unknown", "-": "pending", "!": "failed"}.get(returned[0], "ok")
        end = int(returned.strip("!")) if outcome in ("ok", "failed") else None
        operations.append(
            HistoryOperation(
                number,
                process,
                kind,
                "x",
                _value(after if arrow else what),
                _value(before) if arrow else None,
                outcome,
                int(called),
                end,
                _value(found),
            )
        )
    return operations


def _value(text: str) -> str | None:
    return None if text in ("", "nil") else text


LINEARIZABLE = {
    "sequential": """
        a write 1 0 1
        a read 1 2 3""",
    "nothing read before any write": "a read nil 0 1",
    # Herlihy & Wing 1990, section 2: H1 and H3 restated for a register (their queue needs both orders).
    "two overlapping writes, either may win (first)": """
        a write 1 0 4
        b write 2 1 3
        c read 1 5 6""",
    "two overlapping writes, either may win (second)": """
        a write 1 0 4
        b write 2 1 3
        c read 2 5 6""",
    "a read during a write sees the new value": """
        a write 1 0 9
        b read 1 2 3""",
    "a read during a write sees the old value": """
        a write 1 0 9
        b read nil 2 3""",
    "old, then new, while a write is under way": """
        a write 1 0 9
        b read nil 1 2
        b read 1 3 4""",
    # Knossos' cas-register, `good` cases.
    "cas chain": """
        a write 1 0 1
        b cas 1>2 2 3
        a cas 2>3 4 5
        c read 3 6 7""",
    "cas from nothing": """
        a cas nil>1 0 1
        b read 1 2 3""",
    "overlapping cas out of order of call": """
        a cas 2>3 0 9
        b cas 1>2 1 8
        c write 1 2 7
        d read 3 10 11""",
    "unknown write never happened": """
        a write 1 0 1
        b write 2 2 ?
        c read 1 3 4
        c read 1 5 6""",
    "unknown write surfaces much later": """
        a write 1 0 1
        b write 2 2 ?
        c read 1 3 4
        a write 3 5 6
        c read 3 7 8
        c read 2 9 10""",
    "pending write is seen": """
        a write 1 0 -
        b read 1 1 2""",
    "unknown cas explains a value": """
        a write 1 0 1
        b cas 1>2 2 ?
        c read 2 3 4""",
    "unknown read says nothing": """
        a write 1 0 1
        b read 9 2 ?
        b read 9 3 -""",
    "failed write did not happen": """
        a write 1 0 1
        b write 2 2 !3
        c read 1 4 5""",
    "failed cas found what was there": """
        a write 1 0 1
        b cas 2>3=1 2 !3""",
    "failed cas that says nothing is ignored": """
        a write 1 0 1
        b cas 1>3 2 !3
        c read 1 4 5""",
    "delete leaves nothing": """
        a write 1 0 1
        a delete nil 2 3
        b read nil 4 5""",
    "unknown delete surfaces": """
        a write 1 0 1
        a delete nil 2 ?
        b read 1 3 4
        b read nil 5 6""",
    "unknown cas, then an unknown write of the same value": """
        a cas 2>3 0 ?
        b write 3 1 ?
        c read 3 2 3""",
    "two cas of one value that chain": """
        b cas 1>1 0 5
        a cas 1>2 1 4
        c write 1 2 3""",
    "the same value written twice": """
        a write 1 0 1
        b write 2 2 9
        c write 1 3 8
        d read 1 4 5
        d read 2 6 7
        d read 1 10 11""",
}  # fmt: skip

NOT_LINEARIZABLE = {
    "a value from nowhere": """
        a write 1 0 1
        a read 2 2 3""",
    "nothing read after a write": """
        a write 1 0 1
        b read nil 2 3""",
    "stale read": """
        a write 1 0 1
        a write 2 2 3
        b read 1 4 5""",
    "two overlapping writes, both seen to win last": """
        a write 1 0 4
        b write 2 1 3
        c read 1 5 6
        c read 2 7 8""",
    "new, then old, while a write is under way": """
        a write 1 0 9
        b read 1 1 2
        b read nil 3 4""",
    "new, then old, by two readers": """
        w write 1 0 1
        w write 2 2 9
        a read 2 3 4
        b read 1 5 6""",
    "lost update": """
        a write 1 0 1
        b cas 1>2 2 3
        c cas 1>3 4 5""",
    "two overlapping cas of one value": """
        a write 1 0 1
        b cas 1>2 2 9
        c cas 1>3 3 8""",
    "cas chain with a missing link": """
        a write 1 0 1
        b cas 1>2 2 3
        a cas 3>4 4 5""",
    "unknown write seen before its call": """
        c read 2 0 1
        b write 2 2 ?""",
    "unknown write surfaces twice": """
        a write 1 0 1
        b write 2 2 ?
        c read 2 3 4
        a write 3 5 6
        c read 3 7 8
        c read 2 9 10""",
    "unknown cas cannot have found it": """
        a write 1 0 1
        b cas 5>2 2 ?
        c read 2 3 4""",
    "failed write is seen": """
        a write 1 0 1
        b write 2 2 !3
        c read 2 4 5""",
    "failed cas found an old value": """
        a write 1 0 1
        a write 2 2 3
        b cas 5>3=1 4 !5""",
    "deleted value comes back": """
        a write 1 0 1
        a delete nil 2 3
        b read 1 4 5""",
    "unknown delete surfaces twice": """
        a write 1 0 1
        a delete nil 2 ?
        b read nil 3 4
        a write 1 5 6
        b read 1 7 8
        b read nil 9 10""",
    "the same value written twice, seen three times": """
        a write 1 0 1
        b write 2 2 9
        c write 1 3 8
        d read 1 4 5
        d read 2 6 7
        d read 1 10 11
        d read 2 12 13""",
}  # fmt: skip


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_linearizable_history_is_accepted(name: str) -> None:
    """Each has an order that explains every answer."""
    verdict = check_key("x", history(LINEARIZABLE[name]))
    assert verdict.held is True
    assert verdict.counterexample == ()


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_other_history_is_refused_with_a_counterexample(name: str) -> None:
    """None has such an order, and what is shown for it has none either."""
    operations = history(NOT_LINEARIZABLE[name])
    verdict = check_key("x", operations)
    assert verdict.held is False
    assert is_linearizable(list(verdict.counterexample)) is False
    assert verdict.says.startswith("Not linearizable: ")


def test_keys_are_judged_apart() -> None:
    """Locality: one bad key does not spoil the other, whatever their times."""
    good = history(LINEARIZABLE["sequential"])
    bad = [operation._replace(key="y") for operation in history(NOT_LINEARIZABLE["stale read"])]
    verdicts = check_history([*good, *bad])
    assert [(verdict.key, verdict.held) for verdict in verdicts] == [("x", True), ("y", False)]


def test_what_the_key_held_before_counts() -> None:
    """A history may begin in the middle of a register's life."""
    operations = history("a read 7 0 1")
    assert check_key("x", operations, initial="7").held is True
    assert check_key("x", operations, initial="8").held is False


def test_the_first_fault_is_the_one_that_is_shown() -> None:
    """Later ones are often its consequences."""
    operations = history("""
        a write 1 0 1
        a write 2 2 3
        b read 1 4 5
        a write 3 6 7
        b read 2 8 9
        b read 1 10 11""")
    assert [operation.identity for operation in check_key("x", operations).counterexample] == [1, 2, 3]


@pytest.mark.parametrize("last", ["1", "2"])
def test_what_is_plainly_overwritten_needs_no_search(last: str) -> None:
    """However little may be tried: 1 was written once, and 2 had been written before the read began."""
    operations = [
        HistoryOperation(1, "a", "write", "x", "1", None, "ok", 0, 1),
        HistoryOperation(2, "b", "write", "x", "2", None, "ok", 2, 3),
        HistoryOperation(3, "c", "read", "x", last, None, "ok", 4, 5),
    ]
    verdict = check_key("x", operations, explored_max=0)
    assert verdict.held is (False if last == "1" else None)
    if last == "1":
        assert [each.identity for each in verdict.counterexample] == [1, 2, 3]
        assert "x was read as 1, although write 2 had ended" in verdict.says


def test_too_many_possibilities_are_undecided_not_wrong() -> None:
    """Above its limit the search says so."""
    writes = "\n".join(f"p{number} write {number} 0 100" for number in range(12))
    reads = "\n".join(f"r{number} read {number} 1 {50 + number}" for number in range(12))
    operations = history(f"{writes}\n{reads}\nz read 5 101 102\nz read 6 103 104")
    assert check_key("x", operations, explored_max=50).held is None
    assert check_key("x", operations).held is False


# --- a slow, obvious checker ----------------------------------------------------------------------


def is_linearizable(operations: list[HistoryOperation], initial: str | None = None) -> bool:
    """Try every order of every choice of the operations that may or may not have happened."""
    certain, possible = [], []
    for operation in operations:
        is_open = operation.outcome in ("unknown", "pending")
        if operation.kind == "read" and operation.outcome != "ok":
            continue
        if operation.outcome == "failed" and (operation.kind != "cas" or operation.found is None):
            continue
        (possible if is_open else certain).append(operation)
    for choice in product((False, True), repeat=len(possible)):
        chosen = certain + [each for each, is_in in zip(possible, choice, strict=True) if is_in]
        if any(_explains(order, initial) for order in permutations(chosen)):
            return True
    return False


def _explains(order: tuple[HistoryOperation, ...], state: str | None) -> bool:
    latest_call = -1
    for operation in order:
        returned = operation.returned if operation.outcome in ("ok", "failed") else INFINITY
        if returned is not None and returned < latest_call:
            return False  # It was over before one that stands earlier was called.
        latest_call = max(latest_call, operation.called)
    for operation in order:
        if operation.outcome == "failed":
            if state != operation.found:
                return False
        elif operation.kind == "read":
            if state != operation.value:
                return False
        elif operation.kind == "cas":
            if state != operation.expected:
                return False
            state = operation.value
        else:
            state = None if operation.kind == "delete" else operation.value
    return True


@st.composite
def histories(draw: st.DrawFn, operations_max: int = 6, values: int = 3) -> list[HistoryOperation]:
    """Small histories, most of them close to the edge: few values, much overlap."""
    count = draw(st.integers(1, operations_max))
    moments = draw(st.permutations(range(2 * count)))
    value = st.sampled_from([str(number) for number in range(values)])
    operations = []
    for number in range(count):
        called, returned = sorted(moments[2 * number : 2 * number + 2])
        kind = draw(st.sampled_from(["write", "read", "read", "cas", "delete"]))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "ok", "unknown", "failed", "pending"]))
        operations.append(
            HistoryOperation(
                number,
                str(number),
                kind,
                "x",
                draw(value | st.none()) if kind == "read" else None if kind == "delete" else draw(value),
                draw(value | st.none()) if kind == "cas" else None,
                outcome,
                called,
                returned if outcome in ("ok", "failed") else None,
                draw(value | st.none()) if (kind, outcome) == ("cas", "failed") else None,
            )
        )
    return operations


@settings(max_examples=400, deadline=None)
@given(histories())
def test_verdict_agrees_with_trying_every_order(operations: list[HistoryOperation]) -> None:
    """The search and the slow checker say the same about any small history."""
    assert search_history(operations, None, 10**6).held is is_linearizable(operations)


@settings(max_examples=200, deadline=None)
@given(histories())
@example(history("b cas 1>1 0 5\na cas 1>2 1 4\nc write 1 2 3"))
@example(history("a write 1 0 5\nb read 1 1 8\nc write 1 2 4\ne cas 1>2 3 6\nd read 1 7 9"))
def test_narrow_searches_first_change_nothing(operations: list[HistoryOperation]) -> None:
    """Keeping a single configuration may miss an explanation, but never decides against one."""
    with patch("server.guarantees.linearizability._WIDTHS", (1, None)):
        assert search_history(operations, None, 10**6).held is is_linearizable(operations)


@settings(max_examples=250, deadline=None)
@given(histories(operations_max=7, values=2), st.none() | st.just("0"))
def test_counterexample_is_part_of_the_history_and_minimal_enough(
    operations: list[HistoryOperation], initial: str | None
) -> None:
    """It is itself not linearizable, takes nothing but the history's operations, and no read or
    unseen write can be left out of it."""
    verdict = check_key("x", operations, initial)
    if verdict.held:
        return
    shown = verdict.counterexample
    assert not is_linearizable(list(shown), initial)
    assert {operation.identity for operation in shown} <= {operation.identity for operation in operations}
    for left_out in shown:
        if left_out.kind == "read":
            rest = [operation for operation in shown if operation is not left_out]
            assert is_linearizable(rest, initial)
    assert explain("x", shown) == verdict.says


@settings(max_examples=150, deadline=None)
@given(histories(operations_max=6, values=2))
@example(history("a write 1 0 1\nb read 1 2 3"))
def test_verdict_does_not_depend_on_the_order_of_the_list(operations: list[HistoryOperation]) -> None:
    """Only the moments of calls and returns matter."""
    forwards = search_history(operations, None, 10**6).held
    assert search_history(list(reversed(operations)), None, 10**6).held is forwards


def register_history(count: int, processes: int, stale_at: int | None = None) -> list[HistoryOperation]:
    """What a real register would answer to `processes` callers in turn, with overlap."""
    state: str | None = None
    operations = []
    for number in range(count):
        called, returned = 10 * number, 10 * number + 10 * processes - 5
        if number % 3 == 0:
            state = str(number)
            kind, value = "write", state
        else:
            kind, value = "read", state
        if number == stale_at:
            kind, value = "read", "0"
        operations.append(
            HistoryOperation(number, str(number % processes), kind, "x", value, None, "ok", called, returned)
        )
    return operations


def test_long_history_is_judged_and_its_fault_shown_small() -> None:
    """A thousand operations with one stale read shrink to a handful."""
    assert check_key("x", register_history(1_000, 5)).held is True
    verdict = check_key("x", register_history(1_000, 5, stale_at=800))
    assert verdict.held is False
    assert len(verdict.counterexample) == 3
    assert verdict.counterexample[-1].identity == 800
    assert verdict.says.startswith("Not linearizable: x was read as 0, although write ")
