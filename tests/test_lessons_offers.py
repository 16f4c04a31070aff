"""What a step keeps for later, and what comes after what: controls, explanations, speed, late goals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.cluster.commands import CommandRefused
from server.lessons.playing import Player
from server.lessons.requests import plan
from server.protocol import LessonRequest
from tests.small_lesson import SMALL, library
from tests.test_lessons_session import document, opened, play_on

KEPT = SMALL.replace("## look: Look\n", "## look: Look\n```scene\nlock: [kill, set replication]\n```\n")
ONLY = SMALL.replace("## look: Look\n", "## look: Look\n```scene\nonly: [write, read]\n```\n")


def says(tmp_path: Path, text: str) -> list[str]:
    """What the check finds when it plays a lesson."""
    found = library(tmp_path, text)
    player = Player(found, found.lessons["small"])
    player.play()
    return [finding.says for finding in player.findings]


def test_what_a_step_keeps_for_later_is_refused(tmp_path: Path) -> None:
    """However it is written; other settings and other commands are free."""
    play = opened(library(tmp_path, KEPT))
    assert document(play)["offers"] == {"lock": ["kill", "set replication"], "only": None}
    for text in ("kill A", "KILL leader", "set  replication quorum"):
        with pytest.raises(CommandRefused, match="for later"):
            play.command(text)
    play.command("set failover manual")
    play.command("pause B")


def test_a_step_may_offer_a_few_commands_only(tmp_path: Path) -> None:
    """All others are for later."""
    play = opened(library(tmp_path, ONLY))
    assert document(play)["offers"] == {"lock": [], "only": ["write", "read"]}
    play.command("read x")
    with pytest.raises(CommandRefused, match="This step keeps pause for later"):
        play.command("pause B")


def test_who_explores_has_everything(tmp_path: Path) -> None:
    """And who goes on has what the next step offers."""
    play = opened(library(tmp_path, ONLY))
    play.command("lesson explore")
    assert document(play)["offers"] is None
    play.command("pause B")
    play = opened(library(tmp_path, ONLY), "bet")
    assert document(play)["offers"] is None
    play.command("pause B")


def test_the_solution_must_be_among_the_controls(tmp_path: Path) -> None:
    """A learner who looks for a control that is hidden finds none; so with what a nudge expects of him."""
    found = says(tmp_path, ONLY.replace("only: [write, read]", "only: [read]"))
    assert "look: the solution uses write, whose controls the step hides." in found
    found = says(tmp_path, ONLY.replace("only: [write, read]", "lock: [read]"))
    assert "look: the misfire of reading uses read, whose controls the step hides." in found
    assert says(tmp_path, ONLY) == []


def test_a_goal_that_waiting_makes_impossible_is_caught(tmp_path: Path) -> None:
    """Whoever reads for a minute can still reach it."""
    late = SMALL.replace(
        'now: "node(A).last_index >= 1 and', 'now: "time < 50s and node(A).last_index >= 1 and'
    )
    assert any("does not reach the goal after 60 s of waiting" in each for each in says(tmp_path, late))


def test_what_explains_waits_for_what_stands_before_it(tmp_path: Path) -> None:
    """For the goal of its step, and for every experiment; unless its author says what it waits for."""
    told = "```explain\ntext: So it is.\n```\n"
    text = SMALL.replace("## bet: Bet\n", f"{told}## bet: Bet\n")
    play = opened(library(tmp_path, text))
    assert document(play)["explains"] == [False]
    play.command("write x 1")
    play_on(play, 3)
    assert document(play)["explains"] == [True]


def test_an_explanation_of_two_experiments_waits_for_both(tmp_path: Path) -> None:
    """The measured one is not enough."""
    more = '```run\nid: more\ndo: [ "wait 1s" ]\n```\n```explain'
    play = opened(library(tmp_path, SMALL.replace("```explain", more, 1)), "bet")
    play.command("lesson answer bet " + json.dumps("none"))
    play.command("lesson run bet")
    play_on(play, 10)
    assert document(play)["questions"]["bet"]["result"] is not None
    assert document(play)["explains"] == [False]
    play.command("lesson run more")
    play_on(play, 10)
    assert document(play)["explains"] == [True]


def test_the_speed_of_a_step_ends_with_it(tmp_path: Path) -> None:
    """A step after it with a run of its own goes at the speed of time; a learner's choice stays."""
    found = library(tmp_path, SMALL + "\n## calm: Calm\nLook.\n\n```scene\nuse: plain\n```\n")
    on = LessonRequest(action="next")
    slow = opened(found, "again")
    assert plan(found, on, slow, {}).speed == 1.0
    assert plan(found, LessonRequest(action="open", lesson="small", step="look"), slow, {}).speed == 1.0
    assert (
        plan(found, LessonRequest(action="open", lesson="small", step="calm"), opened(found), {}).speed
        is None
    )
    assert (
        plan(found, LessonRequest(action="open", lesson="small", step="again"), opened(found), {}).speed
        == 0.5
    )


def test_a_measured_value_says_what_it_is(tmp_path: Path) -> None:
    """Where the question does not."""
    means = 'probe: "2 - lag(B) - lag(C)", means: "So many had it."'
    play = opened(library(tmp_path, SMALL.replace('probe: "2 - lag(B) - lag(C)"', means)), "bet")
    play.command("lesson answer bet " + json.dumps("none"))
    play.command("lesson run bet")
    play_on(play, 10)
    assert document(play)["questions"]["bet"]["result"]["means"] == "So many had it."
