"""The facts of a run: each answer by hand on a small document, and all of them on a real run."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from server.cluster.commands import CommandRefused
from server.cluster.settings import SETTINGS, Settings
from server.facts import Facts
from server.language import compile_expression
from server.language.vocabulary import FACTS, FIELDS, LINK, LOG, NODE, OPERATION

SECOND = 1_000_000


@dataclass
class FakeJudges:
    """Judges with opinions set by a test."""

    acknowledged: int = 0
    lost: dict[int, str] = field(default_factory=dict)
    violations: int = 0
    reads: dict[int, Any] = field(default_factory=dict)
    held: dict[str, bool | None] = field(default_factory=dict)
    full_answer: bool | None = True
    summaries: int = 0

    def read(self, operation: int) -> Any:
        return self.reads.get(operation)

    def verdicts(self) -> dict[str, Any]:
        names = [name for name, row in FACTS.items() if row.kind.says == "true or false"]
        return {name: SimpleNamespace(held=self.held.get(name, True)) for name in names}

    def summary(self) -> dict[str, Any]:
        self.summaries += 1
        return {"linearizable": self.full_answer}


def entry(index: int, term: int, key: str = "x", value: str = "1") -> dict[str, Any]:
    return {"index": index, "term": term, "kind": "write", "key": key, "value": value}


def node(role: str = "follower", term: int = 1, terms: tuple[int, ...] = (), **more: Any) -> dict[str, Any]:
    """A node of the document; `terms` are those of its log entries, from index 1."""
    replica = {
        "role": role,
        "term": term,
        "leader": None,
        "store": {},
        "discarded": [],
        "flushed_index": len(terms),
        "commit_index": 0,
        "applied_index": 0,
        "log": [entry(index, of_term) for index, of_term in enumerate(terms, 1)],
    }
    machine = {"state": "up", "voter": True, "settings": {}}
    machine |= {name: more.pop(name) for name in list(more) if name in machine}
    return {**machine, "replicas": [replica | more]}


def operation(number: int, **more: Any) -> dict[str, Any]:
    plain = {
        "id": number,
        "client": "1",
        "kind": "write",
        "key": "x",
        "value": str(number),
        "expected": None,
        "target": "A",
        "attempts": 1,
        "called_us": 0,
        "returned_us": None,
        "outcome": "pending",
        "result": None,
        "version": 0,
        "node": None,
        "acknowledged_us": None,
        "stale": None,
    }
    return plain | more


def facts_of(nodes: dict[str, Any], *operations: dict[str, Any], **more: Any) -> Facts:
    state = {
        "nodes": nodes,
        "links": more.pop("links", {}),
        "clients": {"1": {}, "2": {}},
        "settings": {name: Settings().value(name) for name in SETTINGS},
        "operations": {str(item["id"]): item for item in operations},
    }
    return Facts(state, more.pop("judges", FakeJudges()), more.pop("now_us", 0))


# --- who leads -----------------------------------------------------------------------------------


def test_leader_is_the_running_one_of_the_highest_term() -> None:
    """A paused, dead or older leader does not count, though all but the dead one believe they lead."""
    nodes = {
        "A": node("leader", 1),
        "B": node("leader", 2),
        "C": node("leader", 3, state="paused"),
        "D": node("leader", 4, state="dead"),
        "E": node("candidate", 9),
    }
    facts = facts_of(nodes)
    assert facts.leader() == "B"
    assert facts.leaders() == 3
    assert facts.term() == 2
    assert facts.followers() == ["A", "C", "D", "E"]


def test_without_a_leader_the_term_is_the_highest_known() -> None:
    """`leader` is none then, and asking for its parts gives none, not an error."""
    facts = facts_of({"A": node("leader", 1, state="dead"), "B": node("candidate", 3), "C": node(term=2)})
    assert facts.leader() is None
    assert facts.term() == 3
    assert facts.lag("B") is None
    assert facts.lag(None) is None


def test_freshest_and_stalest_go_by_term_then_index() -> None:
    """As a voter compares logs (Raft §5.4.1); dead nodes, the leader and late joiners are left out."""
    nodes = {
        "A": node("leader", 3, (1, 1, 1, 3)),
        "B": node(terms=(1, 1, 1)),
        "C": node(terms=(1, 2)),
        "D": node(terms=(1,)),
        "E": node(terms=(1,)),
        "F": node(state="dead"),
        "G": node(voter=False),
    }
    facts = facts_of(nodes)
    assert facts.freshest() == "C"
    assert facts.stalest() == "D"
    assert facts_of({"A": node("leader"), "B": node(state="paused")}).freshest() is None


# --- logs and stores -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "lag"),
    [
        ((1, 1, 2), 0),
        ((1, 1), 1),
        ((1,), 2),
        ((), 3),
        ((1, 1, 1), 1),
        ((1, 1, 1, 1, 1), 1),
        ((1, 1, 2, 2), 0),
    ],
)
def test_lag_counts_entries_of_the_leader_that_are_missing(theirs: tuple[int, ...], lag: int) -> None:
    """A divergent tail is no progress, and more entries than the leader has is no negative lag."""
    facts = facts_of({"A": node("leader", 2, (1, 1, 2)), "B": node(terms=theirs)})
    assert facts.lag("B") == lag
    assert facts.lag("A") == 0


def test_lag_of_logs_whose_beginnings_are_no_longer_kept() -> None:
    """The document keeps the last entries only; what lies before can be shared at most."""
    leader = node("leader", 1)
    leader["replicas"][0]["log"] = [entry(index, 1) for index in range(601, 1001)]
    behind, far_behind = node(), node()
    behind["replicas"][0]["log"] = [entry(index, 1) for index in range(501, 901)]
    far_behind["replicas"][0]["log"] = [entry(index, 1) for index in range(1, 301)]
    facts = facts_of({"A": leader, "B": behind, "C": far_behind})
    assert facts.lag("B") == 100
    assert facts.lag("C") == 700
    assert facts.last_id("A") == (1, 1000)


def test_logs_are_the_same_when_their_entries_are() -> None:
    """Same length is not enough; different windows of the same log are."""
    nodes = {"A": node(terms=(1, 1)), "B": node(terms=(1, 2)), "C": node(terms=(1, 1)), "D": node(terms=(1,))}
    nodes["E"] = node(terms=(1, 1))
    del nodes["E"]["replicas"][0]["log"][0]
    facts = facts_of(nodes)
    assert facts.same_log("A", "C")
    assert facts.same_log("A", "E")
    assert not facts.same_log("A", "B")
    assert not facts.same_log("A", "D")
    assert not facts.same_log(None, "A")
    nodes["C"]["replicas"][0]["log"][0]["value"] = "other"
    assert not facts.same_log("A", "C")


def test_stores_are_the_same_when_their_values_are() -> None:
    """Which entry wrote a value does not matter, and a deleted key is no key."""
    nodes = {
        "A": node(store={"x": {"value": "1", "index": 1, "term": 1}}),
        "B": node(store={"x": {"value": "1", "index": 5, "term": 2}, "y": {"value": None}}),
        "C": node(),
    }
    facts = facts_of(nodes)
    assert facts.same_store("A", "B")
    assert not facts.same_store("A", "C")
    assert facts.stored("A", "x") == "1"
    assert facts.stored("B", "y") is None
    assert facts.stored(None, "x") is None


def test_names_that_the_run_does_not_have_are_refused_with_a_sentence() -> None:
    """The sentence says what there is instead."""
    facts = facts_of({"A": node(), "B": node()})
    for ask in (facts.node, facts.lag, facts.replica, lambda end: facts.link("A", end)):
        with pytest.raises(CommandRefused, match=r"There is no node H in this run. Nodes: A, B\."):
            facts_of({"A": node("leader"), "B": node()}).lag("H") if ask == facts.lag else ask("H")
    with pytest.raises(CommandRefused, match="no client 4"):
        facts.link("4", "A")
    with pytest.raises(CommandRefused, match="no operation 3: nothing has been asked yet"):
        facts.op(3)
    with pytest.raises(CommandRefused, match=r"no operation 3\. Operations here: 7 to 8"):
        facts_of({}, operation(7), operation(8)).op(3)


# --- links and settings --------------------------------------------------------------------------


def test_links_show_their_own_values_or_those_of_the_settings() -> None:
    """Directions are separate, and clients have a latency of their own."""
    links = {"A>B": {"cut": True, "latency_us": 400_000, "loss_percent": 20}}
    facts = facts_of({"A": node(), "B": node()}, links=links)
    facts.state["settings"]["client-latency"] = 70_000
    asked = {
        text: compile_expression(text).evaluate(facts)
        for text in (
            "link(A,B).up",
            "link(B,A).up",
            "link(A,B).cut",
            "link(A,B).delay",
            "link(B,A).latency",
            "link(1,A).delay",
            "link(A,B).loss",
            "link(B,A).loss",
        )
    }
    assert list(asked.values()) == [False, True, True, 400_000, 300_000, 70_000, 20, 0]


def test_a_setting_of_one_node_covers_the_one_of_the_cluster() -> None:
    """As the machine itself has it."""
    facts = facts_of({"A": node(settings={"flush": 200_000}), "B": node()})
    assert facts.setting("flush") == facts.setting("flush", "B") == 50_000
    assert facts.setting("flush", "A") == 200_000


# --- operations and judges -----------------------------------------------------------------------


def test_last_write_and_last_read_are_the_newest_of_their_kind() -> None:
    """A cas or a delete is a write; before the first one there is none."""
    first = [operation(1), operation(2, kind="read"), operation(3, kind="cas"), operation(4, kind="read")]
    facts = facts_of({}, *first)
    assert facts.last_write() is first[2]
    assert facts.last_read() is first[3]
    assert [item["id"] for item in facts.writes()] == [1, 3]
    assert [item["id"] for item in facts.reads()] == [2, 4]
    assert facts_of({}).last_read() is None


def test_fields_of_an_operation() -> None:
    """A read's value is what came back; lost, stale and staleness are the judges' word."""
    judgement = SimpleNamespace(stale=True, entries=2, staleness_us=1_500_000)
    judges = FakeJudges(lost={1: "because"}, reads={2: judgement})
    facts = facts_of(
        {},
        operation(1, outcome="ok", returned_us=600_000, called_us=100_000, node="A"),
        operation(2, kind="read", value=None, result="7", outcome="ok"),
        operation(3, outcome="unknown"),
        judges=judges,
    )

    def ask(text: str) -> Any:
        return compile_expression(text).evaluate(facts)

    assert ask("op(1).acked and op(1).lost and not op(1).survived and op(1).ok") is True
    assert (ask("op(1).value"), ask("op(2).value"), ask("op(2).result")) == ("1", "7", "7")
    assert (ask("op(1).latency"), ask("op(1).returned"), ask("op(3).latency")) == (500_000, 600_000, None)
    assert (ask("op(2).stale"), ask("op(2).staleness"), ask("op(2).behind")) == (True, 1_500_000, 2)
    assert (ask("op(1).staleness"), ask("op(1).stale")) == (None, None)
    assert ask("op(3).unknown and not op(3).acked and not op(3).lost") is True
    assert ask("op(1).by == 1 and op(1).node == A and op(1).kind == write and op(1).attempts == 1") is True


def test_a_guarantee_is_true_until_something_breaks_it() -> None:
    """A promise that nobody has judged yet has not been broken."""
    judges = FakeJudges(held={"durable": False, "available": None})
    facts = facts_of({}, judges=judges)
    assert facts.guarantee("durable") is False
    assert facts.guarantee("available") is True
    assert facts.guarantee("read_your_writes") is True


def test_linearizability_is_judged_in_full_only_when_needed() -> None:
    """A postponed verdict is computed when asked for, and not again before another answer came."""
    judges = FakeJudges(held={"linearizable": None}, full_answer=False)
    pending = operation(1)
    facts = facts_of({}, pending, judges=judges)
    assert [facts.linearizable() for _ in range(3)] == [False] * 3
    assert judges.summaries == 1
    pending["outcome"] = "ok"
    judges.full_answer = True
    assert facts.linearizable() is True
    assert judges.summaries == 2
    pending["outcome"], judges.full_answer = "pending", None
    with pytest.raises(CommandRefused, match="cannot be decided"):
        facts.linearizable()
    judges.held["linearizable"] = False
    assert facts.linearizable() is False
    assert judges.summaries == 3


# --- the table against a real run ----------------------------------------------------------------


@pytest.fixture(scope="module")
def crashed() -> Any:
    """A real run in which an acknowledged write was lost and a stale read happened."""
    from server.run import Run

    run = Run(seed=7, settings={"failover": "manual"})
    script = (
        "write x 1",
        3,
        "latency A -> B 2s",
        "latency A -> C 2s",
        "write x 2",
        1,
        "read x by 2 from B",
        1,
        "kill A",
        "promote B",
        3,
        "restart A",
        3,
        "write y 9 to B",
        6,
    )
    for line in script:
        if isinstance(line, int):
            run.advance(run.now_us + line * SECOND)
        else:
            run.command(line)
    return run


def test_every_fact_answers_on_a_real_run(crashed: Any) -> None:
    """Every name of the table can be read from the real picture and the real judges."""
    facts = crashed.facts()
    arguments = {"op": (1,), "link": ("A", "1")}
    for name, row in FACTS.items():
        answer = row.read(facts, *arguments.get(name, ("B",) if row.takes else ()))
        check_kind(row.kind.says, answer, name)
    samples = {NODE: "B", LOG: "B", LINK: ("A", "B"), OPERATION: facts.op(3)}
    for kind, rows in FIELDS.items():
        for name, field_row in rows.items():
            answer = field_row.read(facts, samples[kind])
            check_kind(field_row.kind.says, answer, name)
            if field_row.kind.choices:
                assert answer in field_row.kind.choices, name


def check_kind(kind: str, answer: Any, name: str) -> None:
    """The answer is what the table says it is."""
    wanted: dict[str, Any] = {
        "a number": int,
        "a time": int,
        "true or false": bool,
        "a list of nodes": list,
        "a list of operations": list,
        "an operation": dict,
        "a link": tuple,
    }
    assert answer is None or isinstance(answer, wanted.get(kind, str)), (name, answer)
    assert isinstance(answer, bool) == (kind == "true or false") or answer is None, (name, answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("leader", "B"),
        ("leaders", 1),
        ("term", 2),
        ("acknowledged", 3),
        ("lost", 1),
        ("durable", False),
        ("log(A) == log(B)", True),
        ("store(A) == store(B)", True),
        ("store(B).x", "1"),
        ("lag(A)", 0),
        ("node(A).discarded", 1),
        ("node(A).role == follower", True),
        ("node(A).leader", "B"),
        ("op(2).lost", True),
        ("last_write.key == y", True),
        ("op(1).survived", True),
        ("last_read.value == 1", True),
        ("last_read.stale", True),
        ("last_read.behind", 1),
        ("count(writes.where(acked and lost))", 1),
        ("count(reads.where(stale))", 1),
        ("setting(failover) == manual", True),
        ("link(A,B).delay == 2s", True),
        ("one_leader_per_term and log_matching", True),
        ("time", 17 * SECOND),
        ("freshest", "A"),
        ("linearizable", False),
        ("followers", ["A", "C"]),
    ],
)
def test_answers_about_a_real_run(crashed: Any, text: str, answer: Any) -> None:
    """The facts agree with what happened: x=2 was acknowledged by A alone and died with its log."""
    assert compile_expression(text).evaluate(crashed.facts()) == answer
