"""What is told when a safety switch is off: the sentences must stay true."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.run import Run
from server.scenario import load_scenario

SCENES = Path(__file__).resolve().parent.parent / "lessons" / "scenes"


def told(name: str) -> str:
    """Everything that a scenario tells, as one text."""
    run = Run(scenario=load_scenario(SCENES / f"{name}.yaml"))
    run.play_script()
    return "\n".join(step.text for step in run.take_steps() if step.text)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("21-vote-check-off", "logs are not compared, and C's lacks entries"),
        ("22-majority-off", "and needs no majority, and became leader of term 2"),
        ("24-older-term-committed", "without 1 committed entry"),
    ],
)
def test_story_says_what_the_missing_rule_let_happen(name: str, says: str) -> None:
    """Not that a majority voted or that logs were compared, when neither is so."""
    assert says in told(name)


def test_no_story_claims_a_majority_that_was_not_there() -> None:
    assert "a majority of 3, and became leader" not in told("22-majority-off")


def test_switching_off_and_on_names_the_promise() -> None:
    """A person learns what the switch is for at the moment of touching it."""
    run = Run()
    run.take_steps()
    run.command("set fencing off")
    run.command("set fencing on")
    texts = [step.text for step in run.take_steps() if step.text]
    promise = "an old leader cannot overwrite what a newer one has committed"
    assert texts == [
        f"The safety switch fencing is off: it is no longer certain that {promise}.",
        f"The safety switch fencing is on: {promise}.",
    ]


def test_pre_vote_and_lost_lease_are_told() -> None:
    """A follower asks before it stands; a leader without a majority gives up by itself."""
    run = Run(1, {"replication": "quorum", "pre-vote": True, "leader-reads": "lease"})
    run.command("partition A | B C")
    run.advance(20_000_000)
    texts = "\n".join(step.text for step in run.take_steps() if step.text)
    assert "first asks who would vote for it in term 2" in texts
    assert "A has not heard from a majority for as long as its lease lasts, and stops leading." in texts
