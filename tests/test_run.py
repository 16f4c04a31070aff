"""The headless runner: scenario files in, a document and an exit status out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.cluster.commands import CommandRefused
from server.cluster.events import LeaderLearned
from server.run import Run, run_file
from server.scenario import FILE_BYTES_MAX, LINES_MAX, load_scenario, read_scenario

SCENES = Path(__file__).resolve().parent.parent / "lessons" / "scenes"

WriteFile = Callable[[str], Path]


@pytest.fixture
def scenario_file(tmp_path: Path) -> WriteFile:
    """Writes `story.yaml` and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "story.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def outcome(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, output and error output of playing a file."""
    out = io.StringIO()
    status = run_file(path, as_json=True, out=out)
    return status, out.getvalue(), capsys.readouterr().err


# --- exit statuses -------------------------------------------------------------------------------


def test_status_is_zero_when_every_expectation_held(
    scenario_file: WriteFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run` can be a step of somebody's build."""
    path = scenario_file("script: [write x 1, wait until acknowledged == 1, expect lost == 0]")
    status, out, err = outcome(path, capsys)
    assert (status, err) == (0, "")
    assert [each["held"] for each in json.loads(out)["expectations"]] == [True]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("[write x 1, wait 5s, expect lost == 1]", "lost == 1"),
        ("[wait until lost == 1 within 3s, write x 1]", "wait until lost == 1 within 3s"),
    ],
)
def test_status_is_one_when_an_expectation_did_not_hold(
    script: str, text: str, scenario_file: WriteFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Giving up a wait is a failed expectation too; the document is printed all the same, to its end."""
    status, out, err = outcome(scenario_file(f"script: {script}"), capsys)
    assert (status, err) == (1, "")
    document = json.loads(out)
    assert document["expectations"] == [{"text": text, "held": False}]
    assert len(document["operations"]) == 1


def test_later_expectations_are_judged_after_one_has_failed(scenario_file: WriteFile) -> None:
    """One run tells everything that is wrong."""
    run = Run(scenario=load_scenario(scenario_file("script: [expect lost == 1, expect lost == 0]")))
    run.play_script()
    assert [each.held for each in run.script.expectations] == [False, True]


REFUSED = {
    "unknown field": ("sead: 7", "there is no field 'sead'"),
    "not YAML": ("title: [", "line 1: this is not YAML"),
    "tab": ("script:\n\t- write x 1", "line 2: this is not YAML"),
    "not a mapping": ("- write x 1", "a scenario is a mapping"),
    "empty": ("", "a scenario is a mapping"),
    "bad system": ("system: oracle", "system: 'oracle' is not known. Systems: textbook."),
    "seed a word": ("seed: seven", "seed: a whole number from 0 to "),
    "seed negative": ("seed: -1", "seed: a whole number"),
    "seed a fraction": ("seed: 1.5", "seed: a whole number"),
    "seed a switch": ("seed: yes", "seed: a whole number"),
    "seed too large": (f"seed: {10**30}", "seed: a whole number"),
    "title a number": ("title: 7", "title: a text"),
    "title too long": ("title: " + "long " * 500, "title: a text of at most 2,000 characters."),
    "settings a list": ("settings: [flush]", "settings: a mapping"),
    "unknown setting": ("settings: {flsh: 5ms}", "flsh"),
    "bad value of a setting": ("settings: {replication: maybe}", "maybe"),
    "setting out of range": ("settings: {nodes: 99}", "nodes"),
    "settings that do not fit together": (
        "settings: {election-timeout-min: 9s}",
        "shortest election timeout",
    ),
    "script a text": ("script: write x 1", "script: a list"),
    "script too long": ("script: [" + "heal," * (LINES_MAX + 1) + "]", "at most 2000 commands"),
    "unknown command": ("script: [write x 1, wriet x 2]", "script, entry 2 ('wriet x 2'): "),
    "bad condition": ("script: [expect leeder == A]", "script, entry 1 ('expect leeder == A'): "),
    "command a number": ("script: [heal, 7]", "script, entry 2: a command is a text, not '7'."),
    "timed entry without do": ("script: [{at: 1s}]", "script, entry 1: a timed entry has `at` and `do`."),
    "bad time": ("script: [{at: soon, do: heal}]", "script, entry 1: at takes a time such as 1500ms"),
    "time beyond a day": ("script: [{at: 100000s, do: heal}]", "script, entry 1: at takes a time"),
    "at in the past": (
        "script: [wait 3s, {at: 2s, do: kill A}]",
        "script, entry 2 ('kill A'): it was to happen at 2 s, but it is 3 s",
    ),
    "refused by the cluster": ("script: [kill A, kill A]", "script, entry 2 ('kill A'): A is already dead."),
    "huge": ("about: " + "x" * FILE_BYTES_MAX, "larger than 256 KiB"),
    "billion laughs": (
        "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nscript: *c",
        "there is no field 'a'",
    ),
    "deeply nested": ("script: " + "[" * 1_000, "this is not YAML"),
    "python object": ("title: !!python/object/apply:os.getcwd []", "this is not YAML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_file_is_refused_with_one_sentence_and_status_two(
    case: str, scenario_file: WriteFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the file and what is wrong in it; nothing is printed as a result."""
    text, says = REFUSED[case]
    status, out, err = outcome(scenario_file(text), capsys)
    assert (status, out) == (2, "")
    assert says in err
    assert err.startswith("story.yaml"), "the file is named"
    assert err.rstrip().endswith((".", "?"))
    assert len(err.rstrip().splitlines()) == 1
    assert len(err) < 600
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_file_that_cannot_be_read_is_refused(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, no text: one sentence with the path."""
    path = tmp_path / "story.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00\x01")
    status, out, err = outcome(path, capsys)
    assert (status, out) == (2, "")
    assert "story.yaml" in err
    assert err.rstrip().endswith(".")


# --- what a file can say -------------------------------------------------------------------------


def test_settings_are_written_as_they_are_spoken() -> None:
    """YAML's own ideas of `off` and `5` are turned back into words."""
    text = "settings: {idempotent-retries: off, nodes: 5, flush: 20ms, replication: semi-sync}"
    assert read_scenario(text, "x").settings == {
        "idempotent-retries": False, "nodes": 5, "flush": 20_000, "replication": "semi-sync",
    }  # fmt: skip


def test_timed_entries_happen_at_their_time() -> None:
    """`at` counts from the start of the run; several commands may share one moment."""
    text = """
script:
  - at: 1500ms
    do: write x 1
  - at: 2s
    do: [kill C, expect time == 2s]
  - wait 1s
  - expect time == 3s
"""
    run = Run(scenario=read_scenario(text, "x"))
    run.play_script()
    assert run.commands == [(1_500_000, "write x 1"), (2_000_000, "kill C")]
    assert [each.held for each in run.script.expectations] == [True, True]


def test_wait_until_ends_at_the_very_event_that_makes_it_true() -> None:
    """What follows happens at once, not some time later."""
    text = "script: [write x 1, wait until last_write.outcome == ok, kill leader]"
    run = Run(scenario=read_scenario(text, "x"))
    run.play_script()
    (ended,) = [event for event in run.simulation.trace if event.name == "operation.ended"]
    assert run.commands[-1] == (ended.at_us, "kill leader")


@pytest.mark.parametrize("stretch_us", [1, 100_000, 777_777, 10**12])
def test_script_played_in_stretches_gives_the_same_run(stretch_us: int) -> None:
    """A room plays a story a bit at a time; that must not change it."""
    scenes = Path(__file__).resolve().parent.parent / "lessons" / "scenes"
    scenario = load_scenario(scenes / "06-election.yaml")
    whole, pieces = Run(scenario=scenario), Run(scenario=scenario)
    whole.play_script()
    until_us = 0
    while not pieces.script.is_done:
        # Where nothing is due a stretch may as well be longer.
        due = [at_us for at_us in (pieces.next_at_us(), pieces.script.next_at_us()) if at_us is not None]
        until_us = max(until_us + stretch_us, min(due))
        pieces.play_script(until_us)
    assert [each.held for each in pieces.script.expectations] == [True] * len(pieces.script.expectations)
    end_us = max(whole.now_us, pieces.now_us)
    for run in (whole, pieces):
        run.advance(end_us)
    assert pieces.simulation.trace_sha256() == whole.simulation.trace_sha256()


def test_script_leaves_a_room_to_its_visitors() -> None:
    """Waiting and expecting are for scripts; a visitor's line that says so is refused."""
    run = Run()
    for text in ("wait 2s", "expect lost == 0"):
        with pytest.raises(CommandRefused, match="belong in a scenario"):
            run.command(text)
    assert run.commands == []


# --- the document --------------------------------------------------------------------------------

STORY = """
title: A story
seed: 7
settings: {replication: async, flush: 20ms}
script:
  - write x 1
  - wait until last_write.outcome == ok
  - wait 2s
  - partition A client 1 | B C client 2
  - write x 2
  - cas y none 1 by 2
  - wait until leaders == 2 within 20s
  - write x 3 by 2 to leader
  - wait 3s
  - heal
  - wait 5s
  - kill C
  - read x by 2 from A
  - delete x by 2
  - wait 2s
  - write z 1
  - expect lost == 1
"""

TEXT_OR_NONE = (str, type(None))
NUMBER_OR_NONE = (int, type(None))
ENTRY = {"index": int, "term": int, "kind": str, "key": TEXT_OR_NONE, "value": TEXT_OR_NONE}
OPERATION = {
    "id": int, "client": int, "kind": str, "key": str, "value": TEXT_OR_NONE, "node": str,
    "called_ms": int, "returned_ms": NUMBER_OR_NONE, "outcome": str, "result": TEXT_OR_NONE,
}  # fmt: skip
NODE = {
    "state": str, "role": str, "term": int, "log": list, "commit_index": int, "applied_index": int,
    "store": dict, "discarded": list,
}  # fmt: skip
GUARANTEES = {
    "acknowledged": int, "lost": list, "linearizable": bool, "read_your_writes": bool,
    "monotonic_reads": bool, "monotonic_writes": bool,
    "writes_follow_reads": bool, "consistent_prefix": bool, "bounded_staleness": bool,
    "one_leader_per_term": bool, "log_matching": bool, "committed_never_lost": bool,
}  # fmt: skip
DOCUMENT = {
    "title": str, "system": str, "seed": int, "settings": dict, "modified": list,
    "end_ms": int, "trace_sha256": str,
    "leader": TEXT_OR_NONE, "term": int, "nodes": dict, "operations": list, "guarantees": dict,
    "expectations": list,
}  # fmt: skip


def check_shape(part: dict[str, Any], shape: dict[str, Any]) -> None:
    """Exactly these fields, in this order, each of its type (a switch is no number)."""
    assert list(part) == list(shape)
    for name, kind in shape.items():
        assert isinstance(part[name], kind), name
        assert kind is bool or not isinstance(part[name], bool), name


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """How the story ended, after a trip through JSON."""
    run = Run(scenario=read_scenario(STORY, "story.yaml"))
    run.play_script()
    read: dict[str, Any] = json.loads(json.dumps(run.document()))
    return read


def test_document_has_exactly_the_published_fields(document: dict[str, Any]) -> None:
    """Other programs read it: names, order and types are a promise."""
    check_shape(document, DOCUMENT)
    check_shape(document["guarantees"], GUARANTEES)
    assert list(document["nodes"]) == ["A", "B", "C"]
    for node in document["nodes"].values():
        check_shape(node, NODE)
        for entry in [*node["log"], *node["discarded"]]:
            check_shape(entry, ENTRY)
    for operation in document["operations"]:
        check_shape(operation, OPERATION)
    for expectation in document["expectations"]:
        check_shape(expectation, {"text": str, "held": bool})


def test_document_says_what_happened(document: dict[str, Any]) -> None:
    """The figures are those of the run."""
    assert (document["title"], document["system"], document["seed"]) == ("A story", "textbook", 7)
    assert document["settings"] == {"replication": "async", "flush": "20ms"}
    assert len(document["trace_sha256"]) == 64
    nodes = document["nodes"]
    assert [nodes[name]["state"] for name in "ABC"] == ["up", "up", "dead"]
    assert nodes["C"]["role"] == "follower", "a dead node is shown as what it would come back as"
    assert [entry["value"] for entry in nodes["A"]["discarded"]] == ["2"]
    assert document["guarantees"]["lost"] == [2]
    assert {each["outcome"] for each in document["operations"]} <= {"ok", "failed", "unknown", "pending"}
    assert document["operations"][0] == {
        "id": 1, "client": 1, "kind": "write", "key": "x", "value": "1", "node": "A",
        "called_ms": 0, "returned_ms": document["operations"][0]["returned_ms"], "outcome": "ok",
        "result": None,
    }  # fmt: skip
    assert document["operations"][-1]["outcome"] == "pending"
    assert document["operations"][-1]["returned_ms"] is None
    assert document["expectations"] == [{"text": "lost == 1", "held": True}]


def test_document_of_a_run_without_a_leader() -> None:
    """`leader` is null, and the term is the highest anybody has."""
    run = Run(scenario=read_scenario("script: [kill A, kill B, wait 20s]", "x"))
    run.play_script()
    document = run.document()
    assert document["leader"] is None
    assert document["term"] == max(node["term"] for node in document["nodes"].values()) > 1


def test_document_holds_every_operation_of_a_long_run(
    scenario_file: WriteFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page shows the last 200; the record has them all."""
    _, out, _ = outcome(scenario_file("script: [load writes 20/s, wait 20s, load stop, wait 3s]"), capsys)
    operations = json.loads(out)["operations"]
    assert [each["id"] for each in operations] == list(range(1, len(operations) + 1))
    assert len(operations) > 200


def test_seed_settings_and_commands_are_the_whole_run(document: dict[str, Any]) -> None:
    """Playing the recorded commands at their times again gives the same trace."""
    scenario = read_scenario(STORY, "story.yaml")
    first = Run(scenario=scenario)
    first.play_script()
    again = Run(scenario.seed, scenario.settings)
    for at_us, text in first.commands:
        again.advance(at_us)
        again.command(text)
    again.advance(first.now_us)
    assert again.simulation.trace_sha256() == first.simulation.trace_sha256() == document["trace_sha256"]


def test_plain_output_tells_the_story(scenario_file: WriteFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Title, what happened in sentences with their time, and a mark for each expectation."""
    out = io.StringIO()
    text = "title: Two\nscript: [write x 1, wait 3s, expect lost == 0, expect lost == 1]"
    assert run_file(scenario_file(text), as_json=False, out=out) == 1
    first, *told, held, not_held = out.getvalue().splitlines()
    assert first == "Two"
    assert (held, not_held) == ("  ✓ lost == 0", "  ✗ lost == 1")
    assert len(told) >= 3
    assert all(line[8:12] == " s  " and float(line[:8]) >= 0 for line in told)
    assert capsys.readouterr().err == ""


def test_ledger_tells_each_write_from_call_to_fate() -> None:
    """Newest first; the lost one says why, and no copy of it is left on the nodes that count."""
    run = Run(scenario=load_scenario(SCENES / "03-async-loss.yaml"))
    run.play_script()
    lost, *kept = run.ledger()
    assert (lost["operation"], lost["label"], lost["is_present"]) == (3, "x=3", False)
    assert "never received it" in lost["lost_because"]
    assert list(lost["entries"][0]["copies"]) == ["A"]
    assert [line["operation"] for line in kept] == [2, 1]
    for line in kept:
        assert line["is_present"]
        assert line["lost_because"] is None
        assert sorted(line["entries"][0]["copies"]) == ["A", "B", "C"]


def test_evidence_names_the_operations_of_a_breach() -> None:
    """Whoever opens a verdict sees which operations show it; a kept promise has none."""
    run = Run(scenario=load_scenario(SCENES / "03-async-loss.yaml"))
    run.play_script()
    assert [finding["operations"] for finding in run.evidence("durable")] == [[3]]
    assert [finding["operations"] for finding in run.evidence("linearizable")] == [[2, 3, 4]]
    assert run.evidence("log_matching") == []
    with pytest.raises(CommandRefused, match=r"There is no promise called honesty\. Promises: durable, "):
        run.evidence("honesty")


def test_whom_clients_take_for_the_leader_is_what_they_believe() -> None:
    """The picture's belief is the client's own: an answer teaches it, silence makes it doubt."""
    run = Run(seed=3)
    believed = []
    for line, seconds in (("write x 1", 2), ("kill A", 1), ("write x 2", 6), ("write x 3", 20)):
        run.command(line)
        run.advance(run.now_us + seconds * 1_000_000)
        believed.append(run.picture.state["clients"]["1"]["knows"])
        assert believed[-1] == run.simulation.clients["1"].known_leader
    leader = run.simulation.leader()
    assert leader is not None
    assert believed == ["A", "A", None, leader.name]


def test_a_read_of_the_leader_teaches_a_client_who_leads() -> None:
    """A write has not told it: the read does, by the redirect and by the answer; and it is an event."""
    run = Run(seed=3, settings={"failover": "manual"})
    assert run.picture.state["clients"]["1"]["knows"] == "A"
    run.command("promote B")
    run.advance(run.now_us + 1_000_000)
    assert run.picture.state["clients"]["1"]["knows"] == "A"
    run.command("read x")
    run.advance(run.now_us + 2_000_000)
    assert run.picture.state["operations"]["1"]["outcome"] == "ok"
    assert run.picture.state["clients"]["1"]["knows"] == "B"
    learned = [event for event in run.simulation.trace if isinstance(event, LeaderLearned)]
    assert [(event.client, event.leader) for event in learned] == [("1", "B")]


def test_what_a_leader_knows_of_its_followers_is_shown() -> None:
    """The next entry it sends and the last that matches: as its own notes have it, at quiet moments."""
    run = Run(5, {"replication": "quorum", "failover": "manual"})
    run.command("write x 1")
    run.advance(2_000_000)
    run.command("cut A C")
    run.command("write x 2")
    run.advance(4_000_000)
    run.command("kill B")
    run.command("restart B")
    run.advance(9_500_000)
    leader = run.simulation.leader()
    assert leader is not None
    role: Any = leader.replicas[0].role
    shown = run.picture.state["nodes"][leader.name]["replicas"][0]["progress"]
    assert {name: each["match"] for name, each in shown.items()} == {
        name: each.received_index for name, each in role.progress.items()
    }
    assert {each["match"] for each in shown.values()} == {1, 2}
    followers = [name for name in "ABC" if name != leader.name]
    assert all(run.picture.state["nodes"][name]["replicas"][0]["progress"] == {} for name in followers)


def test_many_breaches_of_one_promise_at_one_event_are_told_once() -> None:
    """Client 1 is cut off with A, writes, and writes on after the heal: five lost writes precede that one."""
    run = Run(7, {"jitter": 0})
    run.command("partition A client 1 | B C client 2")
    for value in range(1, 6):
        run.command(f"write x {value}")
        run.advance(run.now_us + 1_000_000)
    run.advance(run.now_us + 8_000_000)
    run.command("heal")
    run.advance(run.now_us + 3_000_000)
    run.command("write x 9")
    run.advance(run.now_us + 10_000_000)
    texts = [step.text for step in run.take_steps() if step.text and "which was lost" in step.text]
    assert len(texts) == 1
    assert texts[0].count("which was lost") == 1
    assert "(So it is with 4 more.)" in texts[0]
