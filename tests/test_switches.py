"""Safety switches: off, each breaks the promise it defends; on, the same story never does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from server.cluster.commands import CommandRefused
from server.cluster.settings import SAFETY_SWITCHES, SETTINGS
from server.run import Run
from server.scenario import Scenario, load_scenario

SCENES = Path(__file__).resolve().parent.parent / "lessons" / "scenes"
SEEDS = range(1, 13)

DISASTERS = {
    "fencing": ("27-fencing-off", "committed_never_lost"),
    "vote-check": ("21-vote-check-off", "committed_never_lost"),
    "majority": ("22-majority-off", "one_leader_per_term"),
    "truncate-on-rejoin": ("23-truncation-off", "log_matching"),
    "commit-only-own-term": ("24-older-term-committed", "committed_never_lost"),
    "lease-step-down": ("25-lease-kept", "linearizable"),
    "idempotent-retries": ("26-retry-twice", "linearizable"),
    "pre-vote": ("28-no-pre-vote", "always(leader != none)"),
}
"""Switch → the scenario that shows what it is for, and the promise that falls there."""


def outcome(scenario: Scenario, promise: str) -> bool:
    """Play a script as far as it goes and say whether the promise held. With the switch on a story may
    take another turn, so that a later command no longer fits; what has happened is judged all the same."""
    run = Run(scenario=scenario)
    condition = run.condition(promise)
    try:
        run.play_script()
    except CommandRefused:
        run.advance(run.now_us + 20_000_000)
    return run.holds(condition)


def story(switch: str, is_on: bool, seed: int) -> tuple[Scenario, str]:
    name, promise = DISASTERS[switch]
    told = load_scenario(SCENES / f"{name}.yaml")
    return replace(told, seed=seed, settings={**told.settings, switch: is_on}), promise


def test_every_switch_has_its_disaster() -> None:
    """A switch that breaks nothing when it is off defends nothing."""
    assert set(DISASTERS) == {row.name for row in SETTINGS.values() if row.defends}
    assert set(SAFETY_SWITCHES) == set(DISASTERS) - {"pre-vote"}, "the textbook does without pre-vote"


@pytest.mark.parametrize("switch", DISASTERS)
def test_off_breaks_the_promise_for_some_seed(switch: str) -> None:
    """And for the seed that the scenario ships with."""
    told, promise = story(switch, False, 0)
    own_seed = load_scenario(SCENES / f"{DISASTERS[switch][0]}.yaml").seed
    assert not outcome(replace(told, seed=own_seed), promise)
    broken = [seed for seed in SEEDS if not outcome(*story(switch, False, seed))]
    assert broken


@pytest.mark.parametrize("switch", [switch for switch in DISASTERS if switch != "pre-vote"])
def test_on_keeps_the_promise_for_every_seed(switch: str) -> None:
    """The very script that breaks it with the switch off."""
    assert all(outcome(*story(switch, True, seed)) for seed in SEEDS)


def test_with_pre_vote_a_returning_node_deposes_nobody() -> None:
    """The node that was away asks first, is told that the leader is well, and no term is spent."""
    for seed in SEEDS:
        scenario, _ = story("pre-vote", True, seed)
        run = Run(scenario=replace(scenario, script=()))
        for text, wait_us in (
            ("write x 1", 2_000_000),
            ("partition A B | C", 15_000_000),
            ("heal", 20_000_000),
        ):
            run.command(text)
            run.advance(run.now_us + wait_us)
        assert run.evaluate("leader == A and term == 1 and node(C).term == 1")


@pytest.mark.parametrize("switch", SAFETY_SWITCHES)
def test_a_run_with_a_switch_off_is_labelled_modified(switch: str) -> None:
    """From the picture a page can say it everywhere; switched on again, the label goes."""
    run = Run(settings={switch: False})
    assert run.picture.state["run"]["modified"] == [switch]
    assert run.document()["modified"] == [switch]
    run.command(f"set {switch} on")
    assert run.picture.state["run"]["modified"] == []


def test_a_sound_run_is_not_labelled() -> None:
    """Pre-vote is an addition that the textbook leaves out: without it a run is not modified."""
    assert Run().document()["modified"] == []
    assert Run(settings={"pre-vote": True}).document()["modified"] == []
