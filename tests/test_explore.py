"""Random exploration: promises hold, what is not promised is seen to fail, and breaches become stories."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from server.cluster import Settings, commands
from server.cluster.replica import Replica
from server.cluster.settings import SAFETY_SWITCHES
from server.explore import POLICIES, PROMISES, ROWS, main, play_seed, replay, row_of, shrink, write_story
from server.explore.case import Case
from server.explore.report import BAD_USE, BROKEN
from server.explore.trial import STILL_MAX, Entry, Trial
from server.run import run_file


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_keeps_what_it_promises(policy: str) -> None:
    """Random settings, load and faults; every promise of the run's row is judged."""
    for seed in range(80):
        played = play_seed(policy, seed)
        assert [(breach.promise, breach.says) for breach in played.broken] == [], f"seed {seed}"


def test_asynchronous_replication_is_seen_to_lose_writes() -> None:
    """It promises no durability, and exploration finds the loss: the judges are not asleep."""
    losses = [seed for seed in range(80) if "durable" in play_seed("async", seed).trial.breaches]
    assert losses


def test_the_same_seed_is_the_same_run() -> None:
    """All randomness comes from the seed and the policy."""
    first, second = play_seed("quorum", 3), play_seed("quorum", 3)
    assert first.case == second.case
    assert first.trial.simulation.trace_sha256() == second.trial.simulation.trace_sha256()


def test_the_same_arguments_print_the_same(tmp_path: Path) -> None:
    """Everything but the time it took."""

    def told() -> str:
        out = io.StringIO()
        main("12", "5", "textbook", "async", [], str(tmp_path), out)
        return re.sub(r"[\d.,]+ (s|seeds/s|events/s)\b", "", out.getvalue())

    assert told() == told() != ""


def test_a_replay_is_the_run_itself() -> None:
    """The commands that a seed led to, given again at the same moments, make the same trace."""
    played = play_seed("semi-sync", 11)
    trial = Trial(Settings().with_values(played.case.settings), 11)
    for entry in (*played.case.entries, *played.case.last_entries):
        trial.advance(entry.at_us)
        assert trial.execute(entry.command)
    trial.advance(played.trial.now_us)
    assert trial.simulation.trace_sha256() == played.trial.simulation.trace_sha256()


def test_a_broken_rule_is_found_and_shrunk_to_a_few_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With voters who do not compare logs, acknowledged writes are lost. The story shows it in at most 15
    lines, and no longer once the rule is back."""
    story = tmp_path / "story.yaml"
    with monkeypatch.context() as patch:
        patch.setattr(Replica, "_is_complete", lambda replica, message: True)
        cases = (play_seed("quorum", seed) for seed in range(60))
        found = next(each for each in cases if any(b.promise == "durable" for b in each.broken))
        small = shrink(found.case, "durable")
        assert small is not None
        assert len(small.entries) < len(found.case.entries) // 4
        story.write_text(write_story(small), "utf-8")
        assert len(story.read_text("utf-8").splitlines()) <= 15
        assert run_file(story, as_json=False, out=io.StringIO()) == 0
    assert run_file(story, as_json=False, out=io.StringIO()) == 1


@pytest.mark.parametrize("switch", SAFETY_SWITCHES)
def test_without_a_safety_rule_promises_may_fall_but_not_the_program(switch: str) -> None:
    """Whatever becomes of the logs, nothing that happens to them is an exception."""
    for seed in range(40):
        played = play_seed("quorum", seed, (switch,))
        assert [breach.says for breach in played.broken if breach.promise == "runs_on"] == [], f"seed {seed}"


def test_a_failing_program_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a run is no end of the exploration, and it shrinks like any other breach."""

    def fail(replica: Replica, index: int, reason: str) -> None:
        raise KeyError(index)

    monkeypatch.setattr(Replica, "truncate_from", fail)
    cases = (play_seed("async", seed) for seed in range(60))
    found = next(each for each in cases if each.broken)
    assert [breach.promise for breach in found.broken] == ["runs_on"]
    small = shrink(found.case, "runs_on", tries_max=200)
    assert small is not None
    assert small.breach is not None
    assert small.breach.says.startswith("KeyError: ")


def test_time_that_stands_still_is_a_failing_program() -> None:
    """A timer that rings for ever at one instant must not stop the exploration."""
    trial = Trial(Settings(), 1)

    def again() -> None:
        trial.simulation.set_timer(0, again, None)

    trial.simulation.set_timer(0, again, None)
    with pytest.raises(RuntimeError, match="time stands still at 0"):
        trial.advance(1)
    assert STILL_MAX < 1_000_000


def test_settings_decide_what_is_promised() -> None:
    """A policy's name alone promises little."""
    assert set(PROMISES) == set(ROWS)

    def row(nodes_max: int = 3, **changes: str | int) -> str:
        values = {name.replace("_", "-"): value for name, value in changes.items()}
        return row_of(Settings().with_values(values), nodes_max)

    assert row(replication="quorum") == "quorum"
    assert row(replication="quorum", leader_reads="lease") == "quorum proven reads"
    assert row(replication="quorum", leader_reads="lease", reads="any") == "quorum"
    assert row(replication="quorum", failover="manual") == "manual"
    assert row(replication="sync", level="received") == "received"
    assert row(replication="semi-sync") == "semi-sync majority"
    assert row(5, replication="semi-sync") == "semi-sync"
    assert "durable" not in PROMISES["semi-sync"]
    assert "durable" in PROMISES["semi-sync majority"]


def test_only_what_is_promised_to_a_case_counts() -> None:
    """Asynchronous replication loses a write: a breach for nobody but a quorum."""
    entries = (
        Entry(0, commands.Partition((("A", "1"), ("B", "C")))),
        Entry(0, commands.Write("x", "1")),
    )
    assert replay(Case(1, {"replication": "async"}, entries, 20_000_000), "durable") is None
    assert replay(Case(1, {"replication": "quorum"}, entries, 20_000_000), "durable") is None
    trial = Trial(Settings(), 1)
    for entry in entries:
        assert trial.execute(entry.command)
    trial.advance(20_000_000)
    assert "durable" in trial.breaches


def test_a_breach_is_shrunk_to_a_scenario_that_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the vote check off some promise breaks; the file replays it and expects it."""
    assert main("40", "0", "textbook", "quorum", ["vote-check"], str(tmp_path)) == BROKEN
    stories = sorted(tmp_path.glob("*.yaml"))
    assert stories
    for story in stories:
        assert run_file(story, as_json=False) == 0
        assert len(story.read_text("utf-8").splitlines()) <= 60
    capsys.readouterr()


@pytest.mark.parametrize(
    ("seeds", "policy", "off", "says"),
    [
        ("none", "quorum", [], "--seeds"),
        ("0", "quorum", [], "--seeds"),
        ("5", "majority", [], "--policy is one of"),
        ("5", "quorum", ["brakes"], "--off takes a safety switch"),
        ("9" * 16, "quorum", [], "Seeds go up to"),
    ],
)
def test_bad_flags_are_refused_in_a_sentence(
    seeds: str, policy: str, off: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and the flag's name."""
    assert main(seeds, "0", "textbook", policy, off, ".") == BAD_USE
    assert says in capsys.readouterr().err
