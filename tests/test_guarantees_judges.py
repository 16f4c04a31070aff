"""All judges together: live linearizability, real runs beside slow obvious judgements, odd event orders."""

from __future__ import annotations

import copy
import pickle
import sys
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.cluster import CommandRefused, Settings, Simulation, commands, events
from server.guarantees import Judges, Verdict
from server.guarantees.linearizability import HistoryOperation, check_history
from tests import random_runs
from tests.staged_events import Stage

SUMMARY_KEYS = [
    "acknowledged", "lost", "linearizable", "read_your_writes", "monotonic_reads", "monotonic_writes",
    "writes_follow_reads", "consistent_prefix", "bounded_staleness",
    "one_leader_per_term", "log_matching", "committed_never_lost",
]  # fmt: skip


def started() -> Stage:
    """A leads term 1."""
    stage = Stage(replication="async")
    stage.lead("A", 1, "initial")
    return stage


def linearizable(stage: Stage) -> Verdict:
    """The live verdict."""
    return stage.judges.verdicts()["linearizable"]


# --- linearizability while a run goes on -----------------------------------------------------------


def test_what_ended_as_failed_and_happened_all_the_same_is_searched() -> None:
    """The log's order has it, so that order explains nothing any more: somebody read what nobody wrote."""
    stage = started()
    write = stage.call("write", "x", "9")
    stage.apply("A", stage.append("A", 1, 1, write))
    stage.read("A", "x", "9", 1, 1, client="2")
    assert linearizable(stage).held is True
    stage.end(write, "failed")
    assert linearizable(stage).held is None
    assert stage.judges.summary()["linearizable"] is False
    assert [each.operations for each in stage.judges.evidence("linearizable")] == [(2,)]


def test_the_log_proves_most_histories_without_a_search() -> None:
    """Writes, a cas that succeeds, one that fails, a delete and reads of everything."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    for index, (expected, changed) in enumerate([("1", True), ("1", False)], 2):
        cas = stage.call("cas", "x", "2", expected=expected)
        entry = stage.append("A", index, 1, cas)
        stage.apply("A", entry, changed=changed, found="2")
        stage.end(cas, "ok" if changed else "failed", value=None if changed else "2")
    stage.read("A", "x", "2", 2, 3)
    delete = stage.call("delete", "x")
    stage.apply("A", stage.append("A", 4, 1, delete))
    stage.end(delete)
    stage.read("A", "x", None, 0, 4)
    assert linearizable(stage).held is True
    key = stage.judges.linearizability.keys["x"]
    assert key.is_proved
    assert key.verdict is None


def test_a_stale_read_is_found_the_moment_it_ends() -> None:
    """The finding names the counterexample's operations."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    write, _ = stage.write("A", 2, 1, "x", "2")
    read = stage.read("B", "x", "1", 1, 1, client="2")
    finding = next(each for each in stage.findings if each.promise == "linearizable")
    assert finding.held is False
    assert finding.operations == (1, write, read)
    assert linearizable(stage) == Verdict("Linearizable", False, finding.says, "x read as 1")
    assert stage.judges.summary()["linearizable"] is False


def test_a_read_that_does_not_fit_the_log_may_still_be_explained() -> None:
    """Both writes are under way, so B's old value came before A's new one: only a search can tell."""
    stage = started()
    first, second = stage.call("write", "x", "1"), stage.call("write", "x", "2", client="2")
    one, two = stage.append("A", 1, 1, first), stage.append("A", 2, 1, second)
    stage.receive("B", one)
    stage.apply("B", one)
    stage.apply("A", one)
    stage.apply("A", two)
    stage.read("A", "x", "2", 2, 2, client="3")
    stage.read("B", "x", "1", 1, 1, client="4")
    key = stage.judges.linearizability.keys["x"]
    assert not key.is_proved
    assert linearizable(stage).held is True
    stage.read("A", "x", "2", 2, 2, client="3")
    assert linearizable(stage).held is False, "and then back again: no order has that"


def test_a_lost_write_alone_is_linearizable_until_somebody_looks() -> None:
    """The loss shows in an answer, or not at all."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    stage.write("A", 2, 1, "x", "2")
    stage.kill("A")
    stage.lead("B", 2)
    assert linearizable(stage).held is True
    stage.read("B", "x", "1", 1, 1, client="2")
    assert linearizable(stage).held is False


def test_a_lost_write_is_missed_however_long_the_new_log_is() -> None:
    """The new leader's entries stand where the lost one stood, which must not pass for a proof."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    stage.write("A", 2, 1, "x", "2")
    stage.kill("A")
    stage.lead("B", 2)
    for index in (2, 3, 4):
        stage.write("B", index, 2, "y", str(index))
    stage.read("B", "x", "1", 1, 4, client="2")
    assert linearizable(stage).held is False


def test_a_write_applied_twice_is_not_taken_for_proved() -> None:
    """A retry nobody recognised: x=1, x=2, and x=1 again. The log alone would explain all of it."""
    stage = started()
    first, _ = stage.write("A", 1, 1, "x", "1")
    stage.write("A", 2, 1, "x", "2", client="2")
    again = stage.append("A", 3, 1, first)
    stage.apply("A", again)
    assert linearizable(stage).held is True
    stage.read("A", "x", "1", 3, 3, client="3")
    assert linearizable(stage).held is False


def test_a_cas_that_the_log_contradicts_is_not_taken_for_proved() -> None:
    """The replica says that it changed 7 to 8, but the key held 1."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    cas = stage.call("cas", "x", "8", expected="7")
    stage.apply("A", stage.append("A", 2, 1, cas))
    stage.end(cas)
    assert linearizable(stage).held is False


def test_a_long_open_history_is_searched_now_and_then() -> None:
    """Between searches the verdict is open; the summary decides it."""
    stage = started()
    first, second = stage.call("write", "x", "1"), stage.call("write", "x", "2", client="2")
    one, two = stage.append("A", 1, 1, first), stage.append("A", 2, 1, second)
    stage.receive("B", one)
    stage.apply("B", one)
    stage.apply("A", one)
    stage.apply("A", two)
    stage.read("A", "x", "2", 2, 2, client="3")
    for _ in range(300):
        stage.read("B", "x", "1", 1, 1, client="4")
    assert linearizable(stage).held is None
    assert "x" in linearizable(stage).says
    assert stage.judges.summary()["linearizable"] is True
    assert linearizable(stage).held is True
    stage.read("A", "x", "2", 2, 2, client="3")
    assert linearizable(stage).held is None
    before = stage.judges.violations
    assert stage.judges.summary()["linearizable"] is False
    assert stage.judges.violations == before + 1


# --- the facade --------------------------------------------------------------------------------------


def test_summary_has_exactly_the_documented_names() -> None:
    """The run's document is read by programs."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "1")
    stage.lead("B", 2)
    summary = stage.judges.summary()
    assert list(summary) == SUMMARY_KEYS
    assert summary["lost"] == [operation]
    assert all(isinstance(summary[name], bool) for name in SUMMARY_KEYS[2:])


def test_verdicts_are_one_object_until_something_changes() -> None:
    """Readers compare by identity."""
    stage = started()
    before = stage.judges.verdicts()
    assert stage.judges.verdicts() is before
    stage.say(events.ElectionTimerSet("B", 0, 5))
    assert stage.judges.verdicts() is before
    stage.write("A", 1, 1, "x", "1")
    assert stage.judges.verdicts() is not before
    assert before["durable"].says == "0 acknowledged, none lost"


def test_judges_can_be_copied_in_the_middle() -> None:
    """A snapshot goes on exactly as the original would, and leaves it alone."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    stage.write("A", 2, 1, "x", "2")
    twins = [copy.deepcopy(stage.judges), pickle.loads(pickle.dumps(stage.judges))]
    position = len(stage.trace)
    stage.lead("B", 2)
    stage.read("B", "x", "1", 1, 1)
    assert all(twin.lost == {} for twin in twins)
    for twin in twins:
        for event in stage.trace[position:]:
            twin.observe(event)
        assert twin.summary() == stage.judges.summary()
        assert twin.verdicts() == stage.judges.verdicts()


# --- real runs ----------------------------------------------------------------------------------------


def play(script: list[tuple[int, commands.Command]], chosen: Settings, seed: int) -> list[events.Event]:
    """A run's trace; refused commands are left out."""
    simulation = Simulation(chosen, seed)
    for pause_us, command in script:
        simulation.run_until(simulation.now_us + pause_us)
        try:
            simulation.execute(command)
        except CommandRefused:
            continue
    simulation.run_until(simulation.now_us + 30_000_000)
    return simulation.trace


def histories_of(trace: list[events.Event]) -> list[HistoryOperation]:
    """The operations as clients saw them, read from the trace anew."""
    ends = {event.operation: event for event in trace if isinstance(event, events.OperationEnded)}
    operations = []
    for event in trace:
        if not isinstance(event, events.OperationStarted):
            continue
        end = ends.get(event.operation)
        kind, outcome = event.operation_kind, end.outcome if end is not None else "pending"
        found = end.value if end is not None and (kind, outcome) == ("cas", "failed") else None
        operations.append(
            HistoryOperation(
                event.operation,
                event.client,
                kind,
                event.key,
                (end.value if end is not None else None) if kind == "read" else event.value,
                event.expected,
                outcome,
                event.sequence,
                end.sequence if end is not None else None,
                found,
            )
        )
    return operations


def plainly_lost(trace: list[events.Event]) -> set[int]:
    """Acknowledged operations that the log of the highest-term leader lacks at the end: the whole log
    is rebuilt and looked through. Nothing is said about a log that a crash has cut since."""
    logs: dict[str, dict[int, events.LogEntry]] = {}
    leader, term, mutations, acknowledged = "", 0, set(), set()
    for event in trace:
        if isinstance(event, events.EntryAppended | events.EntryReceived):
            logs.setdefault(event.node, {})[event.entry.index] = event.entry
        elif isinstance(event, events.LogTruncated):
            log = logs.get(event.node, {})
            logs[event.node] = {index: entry for index, entry in log.items() if index < event.from_index}
        elif isinstance(event, events.LeaderStarted) and event.term >= term:
            leader, term = event.node, event.term
        elif isinstance(event, events.OperationStarted) and event.operation_kind != "read":
            mutations.add(event.operation)
        elif isinstance(event, events.OperationEnded) and event.outcome == "ok":
            acknowledged.add(event.operation)
    held = {entry.operation for entry in logs.get(leader, {}).values()}
    return (acknowledged & mutations) - held


@settings(max_examples=120, deadline=None)
@given(random_runs.settings(), st.integers(0, 9999), random_runs.scripts(random_runs.ANYTHING))
def test_judgements_of_real_runs_agree_with_slow_ones(
    chosen: Settings, seed: int, script: list[tuple[int, commands.Command]]
) -> None:
    """Lost writes and linearizability, whatever people do to the cluster."""
    trace = play(script, chosen, seed)
    judges = Judges()
    for event in trace:
        judges.observe(event)
    undecided = set(judges.ledger.open)
    assert set(judges.lost) | undecided == plainly_lost(trace) | undecided
    assert set(judges.lost) <= plainly_lost(trace)
    held = [verdict.held for verdict in check_history(histories_of(trace))]
    assert judges.summary()["linearizable"] is (False not in held)
    live = judges.verdicts()["linearizable"].held
    assert live is (False not in held)


@settings(max_examples=60, deadline=None)
@given(random_runs.settings(), st.integers(0, 9999), random_runs.scripts(random_runs.ANYTHING), st.data())
def test_no_order_of_events_makes_a_judge_raise(
    chosen: Settings, seed: int, script: list[tuple[int, commands.Command]], data: st.DataObject
) -> None:
    """Events missing, repeated or in the wrong order: judgements may be nonsense, but they are given."""
    trace = [event for event in play(script[:6], chosen, seed) if not isinstance(event, events.MessageSent)]
    places = data.draw(st.lists(st.integers(0, len(trace) - 1), max_size=300))
    judges = Judges()
    for place in places:
        judges.observe(trace[place])
        judges.verdicts()
    assert list(judges.summary()) == SUMMARY_KEYS
    for operation in list(judges.ledger.lives):
        judges.ledger.line(operation)
        judgement = judges.read(operation)
        assert judgement is None or judgement.says


@pytest.mark.parametrize("replication", ["quorum", "sync"])
def test_safe_settings_break_nothing_under_load(replication: str) -> None:
    """A minute of traffic with a crash and a restart."""
    steps: list[tuple[int, commands.Command]] = [
        (0, commands.StartLoad("write", 200_000, "1")),
        (0, commands.StartLoad("read", 300_000, "2")),
        (20_000_000, commands.Kill("leader")),
        (20_000_000, commands.Restart("A")),
    ]
    judges = Judges()
    for event in play(steps, Settings().with_values({"replication": replication}), 7):
        judges.observe(event)
    summary = judges.summary()
    assert summary["acknowledged"] > 50
    assert summary["lost"] == []
    assert all(summary[name] for name in SUMMARY_KEYS[2:])
    assert judges.violations == 0


def test_cost_does_not_grow_with_the_run() -> None:
    """Counted in Python calls, not in seconds: the last tenth of a long run is as cheap as the second."""
    steps: list[tuple[int, commands.Command]] = [
        (0, commands.StartLoad("write", 300_000, "1")),
        (0, commands.StartLoad("read", 300_000, "2")),
        (240_000_000, commands.StopLoad()),
    ]
    trace = play(steps, Settings(), 3)
    tenth = len(trace) // 10
    judges = Judges()
    calls = [_calls(judges, trace[start : start + tenth]) for start in range(0, 10 * tenth, tenth)]
    assert max(calls[1:9]) < 1.5 * min(calls[1:9])


def _calls(judges: Judges, part: list[events.Event]) -> int:
    counter = count()

    def profile(frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            next(counter)

    sys.setprofile(profile)
    try:
        for event in part:
            judges.observe(event)
    finally:
        sys.setprofile(None)
    return next(counter)
