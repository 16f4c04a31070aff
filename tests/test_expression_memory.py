"""What expressions remember between events, and that no text breaks them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.language import LanguageError, compile_condition, compile_expression
from server.language.vocabulary import CALLS, FACTS, FIELDS
from tests.small_cluster import SECOND, operation, small_cluster


@pytest.fixture
def facts() -> Facts:
    """A small cluster of its own for each test, which may change it."""
    return small_cluster()


# --- memory --------------------------------------------------------------------------------------


def play(text: str, facts: Facts, lost_counts: list[int]) -> list[bool]:
    """The answers while `lost` takes these values, one event and one second apart."""
    expression = compile_condition(text)
    answers = []
    for count in lost_counts:
        facts.judges.lost = dict.fromkeys(range(count), "because")  # type: ignore[misc]
        facts.now_us += SECOND
        expression.observe(facts)
        answers.append(expression.holds(facts))
    return answers


def test_ever_stays_true_once_it_was(facts: Facts) -> None:
    """Also when it became true and false again between two questions."""
    assert play("ever(lost == 2)", facts, [0, 2, 1, 0]) == [False, True, True, True]
    expression = compile_condition("ever(lost == 2)")
    facts.judges.lost = {1: "", 2: ""}  # type: ignore[misc]
    expression.observe(facts)
    facts.judges.lost = {}  # type: ignore[misc]
    assert expression.holds(facts)
    expression.reset()
    assert not expression.holds(facts)


def test_always_stays_false_once_it_was(facts: Facts) -> None:
    """One exception is enough, however short."""
    assert play("always(lost < 2)", facts, [0, 1, 2, 0]) == [True, True, False, False]
    assert play("not always(lost < 2) and lost == 0", facts, [2, 1, 0]) == [False, False, True]


def test_held_needs_an_unbroken_stretch(facts: Facts) -> None:
    """Every interruption starts the time over."""
    assert play("held(lost > 0, 2s)", facts, [1, 1, 1, 0, 1, 1, 1]) == [
        False,
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_watched_parts_may_nest(facts: Facts) -> None:
    """The inner part is shown each event before the outer one."""
    assert play("ever(held(lost > 0, 1s))", facts, [1, 0, 1, 1, 0, 0]) == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]
    assert [watch.name for watch in compile_expression("ever(held(lost > 0, 1s))").watched] == [
        "held",
        "ever",
    ]
    assert compile_expression("lost == 1").watched == ()


def test_watching_what_does_not_exist_yet(facts: Facts) -> None:
    """Nothing is seen and nothing is broken before it exists."""
    ever, always = compile_condition("ever(op(9).ok)"), compile_condition("always(op(9).ok)")
    for expression in (ever, always):
        expression.observe(facts)
        assert not expression.holds(facts)
    facts.state["operations"]["9"] = operation(9, "write", "ok", "1")
    for expression in (ever, always):
        expression.observe(facts)
        assert expression.holds(facts)


def test_two_readings_of_one_text_do_not_share_memory(facts: Facts) -> None:
    """Two rooms may wait for the same thing."""
    one, other = compile_condition("ever(lost == 1)"), compile_condition("ever(lost == 1)")
    one.observe(facts)
    facts.judges.lost = {}  # type: ignore[misc]
    assert one.holds(facts)
    assert not other.holds(facts)


# --- any text ------------------------------------------------------------------------------------

PIECES = [
    *FACTS,
    *CALLS,
    "(",
    ")",
    "(",
    ")",
    ".",
    ",",
    ":",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "and",
    "or",
    "not",
    "in",
    "where",
    "A",
    "b",
    "x",
    "n",
    "nodes",
    "writes",
    "1",
    "2.5",
    "2s",
    "300ms",
    '"x"',
    "none",
    "true",
    "up",
    "dead",
    "semi-sync",
    "replication",
    "unknown",
    *FIELDS[FACTS["op"].kind],
]


SMALL = small_cluster()


def check_text(text: str, facts: Facts) -> None:
    """Reading raises only `LanguageError`; asking raises only `CommandRefused`."""
    try:
        expression = compile_expression(text)
    except LanguageError:
        return
    expression.observe(facts)
    expression.holds(facts)
    says = "."
    try:
        expression.evaluate(facts)
    except CommandRefused as problem:
        says = str(problem)
    assert says.endswith(".")
    assert compile_expression(expression.text).text == expression.text


@settings(max_examples=500)
@example(["any", "n", "in", "nodes", ":", "n", ".", "up"])
@example(["leader", "in", "(", "A", ",", "none", ")"])
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_no_expression_breaks_the_reader_or_the_closures(pieces: list[str]) -> None:
    """Whatever pieces are put together, a sentence or an answer comes back."""
    check_text(" ".join(pieces), SMALL)


VALUES = [
    "lost",
    "1",
    "2.5",
    "time",
    "2s",
    "leader",
    "B",
    "none",
    "true",
    "up",
    "unknown",
    "store(A).x",
    '"2"',
    "last_read",
    "last_read.value",
    "last_write.stale",
    "node(B).role",
    "log(A)",
    "store(B)",
    "link(A,B)",
    "writes",
    "nodes",
    "lag(B)",
    "op(1).latency",
    "setting(replication)",
    "setting(reads)",
    "n",
    "count(nodes)",
    "1 / 0",
]


@pytest.mark.parametrize(
    "sign", ["==", "!=", "<", ">=", "+", "-", "*", "/", "and", "or", "in", "not in", "."]
)
def test_every_pair_of_kinds_is_answered_or_refused(sign: str) -> None:
    """What the reader lets pass never fails in Python's words when it is asked."""
    for left in VALUES:
        for right in VALUES:
            check_text(f"{left} {sign} {right}", SMALL)
            check_text(f"({left} {sign} {right}) == 1", SMALL)
