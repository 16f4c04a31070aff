"""Every story in lessons/scenes: it plays, it comes true, on other seeds as well, and in the way on record.

The records are tests/traces/<story>.txt: what matters of each run, one line each. After a change that is
meant to change them: `python3 -m tests tests/test_scenarios.py --rewrite`, and read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.cluster import events
from server.cluster.events import Event
from server.language import print_command
from server.run import Run
from server.scenario import Scenario, load_scenario

HERE = Path(__file__).resolve().parent
TRACES = HERE / "traces"
SCENES = sorted((HERE.parent / "lessons" / "scenes").glob("*.yaml"))
OTHER_SEEDS = range(101, 111)

ONLY_ON_SOME_SEEDS = {
    "01-happy-path": {
        # By the time the client hears OK the copies may or may not have arrived: both take 0.6 s or so.
        "lag(B) == 1 and lag(C) == 1",
    },
    "06-election": {
        # Two followers may stand at nearly the same moment: the split vote costs a term or two.
        "term == 2",
        "wait until leaders == 1 within 20s",
    },
}
"""Expectations that say what happens on the story's own seed, and why they may not hold on another."""


def named(path: Path) -> str:
    return path.stem


every_scene = pytest.mark.parametrize("path", SCENES, ids=named)


def played(scenario: Scenario) -> Run:
    run = Run(scenario=scenario)
    run.play_script()
    return run


def broken(run: Run) -> list[str]:
    return [each.text for each in run.script.expectations if not each.held]


def test_there_are_scenes_and_no_record_is_left_over() -> None:
    """A story that goes takes its record with it."""
    assert len(SCENES) >= 12
    assert {path.stem for path in TRACES.glob("*.txt")} == {path.stem for path in SCENES}


@every_scene
def test_scene_comes_true(path: Path) -> None:
    """Every expectation of the script holds on the story's own seed, and the script is played to its end."""
    run = played(load_scenario(path))
    assert broken(run) == []
    assert run.script.is_done


@every_scene
def test_scene_has_a_title_and_says_what_it_is_about(path: Path) -> None:
    """The index of scenarios shows both."""
    scenario = load_scenario(path)
    assert scenario.title != "Untitled"
    assert scenario.about.rstrip().endswith(".")


@every_scene
def test_scene_comes_true_on_other_seeds(path: Path) -> None:
    """A story is about the protocol, not about a lucky seed; what depends on the seed is named above."""
    scenario = load_scenario(path)
    allowed = ONLY_ON_SOME_SEEDS.get(path.stem, set())
    failed = {seed: broken(played(replace(scenario, seed=seed))) for seed in OTHER_SEEDS}
    assert {seed: texts for seed, texts in failed.items() if not set(texts) <= allowed} == {}


@every_scene
def test_scene_happens_as_on_record(path: Path, pytestconfig: pytest.Config) -> None:
    """What matters of the run, line by line, as somebody has read and approved it."""
    record = TRACES / f"{path.stem}.txt"
    happened = told(played(load_scenario(path)))
    if pytestconfig.getoption("--rewrite"):
        record.write_text(happened, encoding="utf-8")
    assert record.is_file(), "no record yet: python3 -m tests tests/test_scenarios.py --rewrite"
    assert happened == record.read_text(encoding="utf-8")


def test_every_record_is_of_a_scene() -> None:
    """What is left of a story that is gone would never be read again."""
    assert {record.stem for record in TRACES.glob("*.txt")} == {path.stem for path in SCENES}


# --- what matters of a run -----------------------------------------------------------------------


def told(run: Run) -> str:
    """The notable events of a run, one line each: seconds and plain facts."""
    lines = [f"{run.scenario.title} (seed {run.scenario.seed})"]
    for event in run.simulation.trace:
        tell = TELLERS.get(type(event))
        text = tell(event) if tell else None
        if text:
            lines.append(f"{event.at_us / 1e6:8.3f}  {text}")
    lines += [f"{'held' if each.held else 'BROKEN':>8}  {each.text}" for each in run.script.expectations]
    return "\n".join(lines) + "\n"


def _ended(event: Any) -> str:
    found = f" {event.value}" if event.value is not None else ""
    return f"client {event.client} operation {event.operation} ends {event.outcome}{found}"


def _started(event: Any) -> str:
    what = " ".join(filter(None, [event.operation_kind, event.key, event.expected, event.value]))
    return f"client {event.client} operation {event.operation} {what} to {event.target}"


TELLERS: dict[type[Event], Callable[[Any], str | None]] = {
    events.CommandAccepted: lambda e: f"> {print_command(e.command)}",
    events.NodeAdmitted: lambda e: f"{e.node} is admitted",
    events.MessageDropped: lambda e: (
        f"message {e.source} > {e.target} dropped" if e.reason == "asked" else None
    ),
    events.ElectionStarted: lambda e: f"{e.node} stands in term {e.term}",
    events.VoteGranted: lambda e: f"{e.node} votes for {e.candidate} in term {e.term}",
    events.VoteRefused: lambda e: f"{e.node} refuses {e.candidate} in term {e.term}: {e.reason}",
    events.LeaderStarted: lambda e: f"{e.node} leads term {e.term} ({e.how})",
    events.LeaderStepped: lambda e: f"{e.node} is no {e.was} any more: {e.reason}",
    events.HandOverStarted: lambda e: f"{e.node} hands over to {e.successor}",
    events.HandOverEnded: lambda e: f"{e.node} gives up handing over to {e.successor}",
    events.EntryAppended: lambda e: (
        f"{e.node} appends {e.entry.label} as {e.entry.index} of term {e.entry.term}"
    ),
    events.EntryReceived: lambda e: f"{e.node} receives {e.entry.index} of term {e.entry.term}",
    events.CommitAdvanced: lambda e: f"{e.node} knows {e.index} committed",
    events.LogTruncated: lambda e: (
        f"{e.node} discards {' '.join(entry.label for entry in e.entries)}: {e.reason}"
    ),
    events.OperationStarted: _started,
    events.OperationRetried: lambda e: f"client {e.client} asks {e.target} again: {e.reason}",
    events.RequestRefused: lambda e: f"{e.node} refuses operation {e.operation}: {e.reason}",
    events.RequestDeduplicated: lambda e: f"{e.node} has operation {e.operation} already, at {e.index}",
    events.WriteAcknowledged: lambda e: f"{e.node} acknowledges {e.index}, held by {' '.join(e.held_by)}",
    events.ReadDeferred: lambda e: f"{e.node} holds the read of {e.key} back: {e.reason} {e.awaited_index}",
    events.ReadAnswered: lambda e: f"{e.node} answers {e.key}={e.value}",
    events.OperationEnded: _ended,
}
"""How each notable kind of event is written down; kinds that are missing or say nothing are left out."""
