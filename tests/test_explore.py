"""Random exploration: promises hold, what is not promised is seen to fail, and breaches become stories."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.explore import POLICIES, main, play_seed
from server.explore.report import BAD_USE, BROKEN
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
    ],
)
def test_bad_flags_are_refused_in_a_sentence(
    seeds: str, policy: str, off: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and the flag's name."""
    assert main(seeds, "0", "textbook", policy, off, ".") == BAD_USE
    assert says in capsys.readouterr().err
