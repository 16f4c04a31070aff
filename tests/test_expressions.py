"""The expression language: what a text means, what is refused while reading it, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.language import LanguageError, compile_condition, compile_expression
from tests.small_cluster import SECOND, small_cluster


@pytest.fixture
def facts() -> Facts:
    """A small cluster of its own for each test, which may change it."""
    return small_cluster()


def ask(text: str, facts: Facts) -> Any:
    return compile_expression(text).evaluate(facts)


TRUE = [
    # the design's own examples
    "lost == 1",
    "acknowledged >= 3",
    "leader == A",
    "leaders == 1",
    "node(B).term == 2",
    "lag(B) == 4",
    "log(A) == log(C)",
    "log(A) != log(B)",
    "last_read.value == 2",
    "last_read.stale",
    "op(4).outcome == unknown",
    "linearizable",
    "ever(leaders == 1)",
    "always(lost == 1)",
    # words mean what their neighbour makes of them
    "node(A).role == leader",
    "leader == node(A).leader",
    "follower == node(B).role",
    "node(C).state == dead",
    "node(C).state in (dead, paused)",
    "node(A).state not in (dead, paused)",
    'node(C).state == "dead"',
    "store(A).word == leader",
    "last_read.value == 2 and last_read.value != two",
    "leader in (A, B)",
    "leader in nodes",
    "not leader in followers",
    "leader not in followers",
    "setting(reads) == leader",
    "setting(replication) == async",
    "setting(replication) != semi-sync",
    "setting(idempotent_retries) == on",
    "setting(heartbeat) == 1s",
    "setting(flush, B) == 7ms",
    "setting(flush,A) == 50ms",
    "setting(nodes) == 3",
    # text and numbers
    "store(A).x == 2",
    "2 == store(A).x",
    'store(A).x == "2"',
    "store(A).x != 2.0",
    'store(A, "user-1") == 1.50',
    'store(A, "user-1") != 1.5',
    "store(A).x > 1.5",
    "store(A).x < store(A, x) or store(A).x == 1 + 1",
    "last_read.by == 2",
    "store(A) == store(B)",
    # times
    "time == 4s",
    "time > 3999ms",
    "time - op(1).called > 2s",
    "time / 2 == 2s",
    "2 * time == 8s",
    "time / 2s == 2",
    "op(1).returned == 1s",
    "link(A,B).delay >= 400ms",
    "link(B,A).delay < 400ms",
    "time - 1s - 1s == 2s",
    # arithmetic
    "1 + 2 * 3 == 7",
    "(1 + 2) * 3 == 9",
    "7 - 2 - 1 == 4",
    "12 / 3 / 2 == 2",
    "1 / 3 * 3 == 1",
    "-1 + 2 == 1",
    "--1 == 1",
    "2 - -1 == 3",
    "0.1 + 0.2 == 0.3",
    "acknowledged - lost == 2",
    "20% == 20",
    # logic
    "not lost == 0",
    "not not lost == 1",
    "true and not false",
    "false or true",
    "true or false and false",
    "(true or false) and not false",
    "true == true",
    "(lost == 1) != (lost == 2)",
    # what is not there
    "last_write.value == 4",
    "store(A).nothing == none",
    "link(none, A).up == none",
    "op(none) == none and lag(none) == none",
    "op(4).returned != none",
    "not store(A).nothing > 3",
    "none == none",
    "1 / 0 == none",
    "not (1 / 0 > 1)",
    "not last_write.stale",
    "store(A).nothing != 2",
    # lists
    "count(writes) == 3",
    "count(writes.where(acked)) == 2",
    "count(writes.where(acked and lost)) == 1",
    "count(writes.where(acked).where(lost)) == 1",
    "count(writes.where(outcome == unknown)) == 1",
    "count(writes.where(unknown)) == 1",
    "count(reads.where(stale)) == 1",
    "count(operations.where(by == 2)) == 1",
    "count(nodes) == 3",
    "count(nodes.where(state == dead)) == 1",
    "count(followers.where(up)) == 1",
    "count(writes.where(value == key)) == 0",
    "count(operations.where(value == 2 and kind == read)) == 1",
    "all n in followers: node(A).log.last - node(n).log.last >= 0",
    "any n in nodes: n.state == dead",
    "not all n in nodes: n.up",
    "all n in nodes: any m in nodes: log(n) == log(m)",
    "all w in writes: w.acked or w.unknown",
    "all n in nodes.where(role == candidate): false",
    "any n in nodes: n.up and lag(n) == 4",
    "node(leader).log.last == 9",
    "leader.last_index == 9",
    "freshest == B",
    "node(freshest).lag == 4",
    "node(b).up",
    "not any n in nodes: (n.up and n.term == 1)",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_of_the_small_cluster(text: str, facts: Facts) -> None:
    """Each of these is true there, and its negation is not."""
    assert ask(text, facts) is True
    assert compile_condition(text).holds(facts)
    assert ask(f"not ({text})", facts) is False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lost", 1),
        ("leader", "A"),
        ("time", 4 * SECOND),
        ("3 / 2", 1.5),
        ("4 / 2", 2),
        ("nodes", ["A", "B", "C"]),
        ("store(B).x", "2"),
        ("last_write.outcome", "unknown"),
        ("lag(B)", 4),
        ("count(reads)", 1),
        ("none", None),
        ("nodes.where(up)", ["A", "B"]),
        ("setting(replication)", "async"),
        ("2s", 2 * SECOND),
        ("leader.up", True),
    ],
)
def test_values_that_are_measured(text: str, value: Any, facts: Facts) -> None:
    """A prediction measures any value, as plain data."""
    answer = ask(text, facts)
    assert answer == value
    assert type(answer) is type(value)


SLIPS = [
    # text, word at fault, where, something that fits, part of the sentence
    ("", None, 0, "lost", "such as lost == 0"),
    ("leeder == B", "leeder", 0, "leader", "Did you mean leader?"),
    ("acknowleged > 3", "acknowleged", 0, "acknowledged", "Did you mean acknowledged?"),
    ("zebra", "zebra", 0, "lost", "Facts: time, leader"),
    ("lost == 1 leader", "leader", 10, None, "does not fit after 'lost == 1'"),
    ("lost = 1", "=", 5, None, "Use == to compare"),
    ("lost == 1 && true", "&", 10, None, "Use and"),
    ("!lost", "!", 0, None, "Use not"),
    ('last_read.value == "x', '"', 19, None, "never closed"),
    ("lost ==", None, 7, None, "too early"),
    ("(lost == 1", None, 10, ")", "too early"),
    ("lost == 1)", ")", 9, None, "does not fit"),
    ("node(B).rol", "rol", 8, "role", "Did you mean role?"),
    ("node(B).role == leadr", "leadr", 16, "leader", "leader, follower, candidate"),
    ("op(1).outcome == lost", "lost", 17, "ok", "not an outcome"),
    ('node(B).state == "alive"', "alive", 17, "up", "up, dead, paused"),
    ("node(Z).up", "Z", 5, "A", "not a node"),
    ("node(3).up", "3", 5, "A", "takes a node, not a number"),
    ("op(leader)", "leader", 3, None, "takes a number, not a node"),
    ("op(1, 2)", ",", 4, ")", "Here belongs )"),
    ("link(A)", ")", 6, ",", "Here belongs ,"),
    ("lag > 3", "lag", 0, "(", "must be told of what: lag(C) > 5"),
    ("leader(A)", "leader", 0, "node", "nothing called leader"),
    ("count > 3", "count", 0, "(", "must be told of what"),
    ("time > 2", "2", 7, "2s", "add a unit, such as 2s"),
    ("2000 < time", "time", 7, "2000s", "add a unit, such as 2000s"),
    ("op(1).latency == 5 * 2", "5 * 2", 17, "2s", "plain number"),
    ("time + 1 > 2s", "1", 7, None, "+ does not fit"),
    ("time * time > 2s", "time", 7, None, "* does not fit"),
    ("store(A).x + 1 == 2", "1", 13, None, "'store(A).x' is text"),
    ("leader == 3", "3", 10, None, "cannot compare"),
    ("leader < B", "B", 9, None, "no order"),
    ("log(A) < log(B)", "log(B)", 9, None, "no order"),
    ("log(A) == store(A)", "store(A)", 10, None, "cannot compare"),
    ("lost == true", "true", 8, None, "cannot compare"),
    ("1 < 2 < 3", "<", 6, "and", "two things at a time"),
    ("lost and true", "lost", 0, "==", "such as lost == 1"),
    ("not leader", "leader", 4, "==", "such as leader != none"),
    ("-leader == 1", "leader", 1, None, "not a number"),
    ("last_write", "last_write", 0, None, ".outcome"),
    ("log(A)", "log(A)", 0, None, ".last"),
    ("writes.where(acked)", "writes.where(acked)", 0, None, "count(writes.where(acked))"),
    ("writes.were(acked)", "were", 7, "where", "Did you mean where?"),
    ("count(lost)", "lost", 6, "writes", "not a list"),
    ("writes.where(akced)", "akced", 13, "acked", "Did you mean acked?"),
    ("writes.where(attempts)", "attempts", 13, "==", "compare it"),
    ("all n in leader: true", "leader", 9, "nodes", "not a list"),
    ("all n in nodes true", "true", 15, ":", "Here belongs :"),
    ("all lost in nodes: true", "lost", 4, "n", "already means something"),
    ("all A in nodes: true", "A", 4, "n", "already means something"),
    ("any n in nodes: n", "n", 16, "==", "is a node"),
    ("n.up", "n", 0, "lost", "no fact called 'n'"),
    ("(any n in nodes: n.up) and n.up", "n", 27, "lost", "no fact called 'n'"),
    ("count(writes.where(acked)) == 1 and acked", "acked", 36, "acknowledged", "no fact called 'acked'"),
    ("any n in nodes: ever(n.up)", "ever", 16, None, "ever(any n in nodes: …)"),
    ("count(writes.where(ever(lost)))", "ever", 19, None, "outside all, any and where"),
    ("held(lost == 1)", ")", 14, ",", "Here belongs ,"),
    ("held(lost == 1, 3)", "3", 16, "1s", "Here belongs 1s"),
    ("setting(replicaton) == sync", "replicaton", 8, "replication", "Did you mean replication?"),
    ("setting() == sync", ")", 8, None, "a setting's name"),
    ("setting(flush, 3) == 1s", "3", 15, "A", "takes a node"),
    ("setting(replication) == snc", "snc", 24, "sync", "Did you mean sync?"),
    ("lost in followers", "followers", 8, "nodes", "not a list that could hold 'lost'"),
    ("leader.up.x", "x", 10, None, "has no parts"),
    ("leader.", None, 7, "state", "too early"),
    ("123456789012345 == 1", "123456789012345", 0, None, "too many digits"),
    ("time > 99999999s", "99999999s", 7, None, "24 hours"),
    ("(" * 30 + "1", None, 24, None, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "word", "at", "fits", "says"), SLIPS, ids=[slip[0][:30] for slip in SLIPS])
def test_slip_is_found_while_reading(
    text: str, word: str | None, at: int, fits: str | None, says: str
) -> None:
    """A misspelt or mismatched expression never starts to wait: it is refused with word and place."""
    with pytest.raises(LanguageError) as caught:
        compile_expression(text)
    error = caught.value
    assert says in error.says
    assert (error.word, error.at) == (word, at)
    if fits is not None:
        assert fits in error.fits


def test_condition_must_be_true_or_false() -> None:
    """`expect lost` says how to compare; what is measured may be anything."""
    compile_expression("lost")
    with pytest.raises(LanguageError, match="such as lost == 1"):
        compile_condition("lost")
    with pytest.raises(LanguageError, match=r"such as node\(A\)\.role == leader"):
        compile_condition("node(A).role")
    with pytest.raises(LanguageError, match="such as time > 2s"):
        compile_condition("time")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("op(99).outcome == ok", "no operation 99"),
        ("node(H).up", "no node H"),
        ("link(A,5).up", "no client 5"),
        ("lag(H) > 1", "no node H"),
        ("store(A).word > 3", "'leader' is no number"),
    ],
)
def test_what_this_run_does_not_have_is_said_when_asked(text: str, says: str, facts: Facts) -> None:
    """`evaluate` says what is missing; `holds` is simply not true, so a wait goes on."""
    expression = compile_condition(text)
    with pytest.raises(CommandRefused, match=says):
        expression.evaluate(facts)
    assert expression.holds(facts) is False


def test_text_is_kept_evenly_spaced() -> None:
    """Blanks inside quotations stay; equal texts are equal expressions, whatever they remember."""
    assert compile_expression("  ever( lost ==\t1 ) ").text == "ever( lost == 1 )"
    assert compile_expression('last_read.value == "a  b"').text == 'last_read.value == "a  b"'
    assert compile_expression("lost  == 1") == compile_expression("lost == 1")
    assert compile_expression("lost == 1") != compile_expression("lost == 2")
