"""A learner in a lesson: goals judged after every event, predictions measured from the learner's own run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.cluster.commands import CommandRefused
from server.lessons.library import Library
from server.lessons.play import LessonPlay
from server.lessons.requests import start_of
from server.store import Start
from tests.small_lesson import PREDICT, RUN, SMALL, library


def opened(found: Library, step: str = "look", start: Start | None = None) -> LessonPlay:
    """The run of a step of the only lesson."""
    lesson = found.lessons["small"]
    record = lesson.step(step)
    assert record is not None
    return LessonPlay(start or start_of(lesson, record, {}), lesson, record, found)


@pytest.fixture
def play(tmp_path: Path) -> LessonPlay:
    """The first step."""
    return opened(library(tmp_path))


def document(play: LessonPlay) -> dict[str, Any]:
    found = play.lesson
    assert found is not None
    return found


def held(play: LessonPlay) -> list[bool]:
    return [clause["held"] for clause in document(play)["goal"]["clauses"]]


def play_on(play: LessonPlay, seconds: float) -> None:
    play.advance(play.now_us + round(seconds * 1e6))


# --- goals ---------------------------------------------------------------------------------------


def test_each_clause_has_its_own_truth(play: LessonPlay) -> None:
    """One after another they come true; all at one moment is the goal."""
    assert held(play) == [False, False, True]
    play.command("latency all 1s")
    play.command("write x 1")
    play_on(play, 0.8)
    assert held(play) == [True, False, True]
    # What is only not to be broken is true from the start, and counts at the end.
    assert [each["keeps"] for each in document(play)["goal"]["clauses"]] == [False, False, True]
    assert document(play)["goal"]["held"] == 1
    assert not document(play)["goal"]["reached"]
    play_on(play, 2)
    assert held(play) == [True, True, True]
    assert document(play)["goal"]["reached"]
    assert document(play)["done"] == ["look"]


def test_the_document_is_the_same_until_something_changes(play: LessonPlay) -> None:
    """So that a room can see whether there is news."""
    before = play.lesson
    play_on(play, 5)
    assert play.lesson is before
    play.command("write x 1")
    play_on(play, 3)
    assert play.lesson is not before


def test_a_broken_promise_stays_broken(tmp_path: Path) -> None:
    """`always` cannot be mended in the same run; the page offers to restore the scene."""
    play = opened(library(tmp_path, SMALL.replace("forbid: [kill]\n", "")))
    play.command("kill A")
    play.command("restart A")
    play_on(play, 1)
    clause = document(play)["goal"]["clauses"][2]
    assert (clause["held"], clause["broken"]) == (False, True)


def test_a_goal_once_reached_stays_reached(play: LessonPlay) -> None:
    """Even when a clause is no longer true."""
    play.command("write x 1")
    play_on(play, 3)
    play.command("cut A B")
    play.command("write x 2")
    play_on(play, 2)
    assert held(play)[1] is False
    assert document(play)["goal"]["reached"]


def test_a_forbidden_command_is_refused(play: LessonPlay) -> None:
    """In a sentence; nothing happens."""
    with pytest.raises(CommandRefused, match="This step does without kill"):
        play.command("kill A")
    assert play.state["nodes"]["A"]["state"] == "up"


def test_exploring_judges_nothing_and_forbids_nothing(play: LessonPlay) -> None:
    """The learner goes his own ways until he restores the scene."""
    play.command("lesson explore")
    assert document(play)["goal"] is None
    assert document(play)["place"] == "explore"
    play.command("kill A")
    assert play.state["nodes"]["A"]["state"] == "dead"


def test_a_wrong_path_is_recognised_after_a_moment(play: LessonPlay) -> None:
    """Not while it may still be the first half of the right one."""
    play.command("read x")
    assert document(play)["nudge"] is None
    play_on(play, 1.5)
    assert document(play)["nudge"] == {
        "id": "reading",
        "says": "A read changes nothing.",
        "misconception": "M-REPL-INSTANT",
    }
    play.command("write x 1")
    play_on(play, 1.5)
    assert document(play)["nudge"] is None


@pytest.mark.parametrize(
    ("clause", "moments"),
    [
        ('held: { for: 2s, that: "node(B).state == paused" }', [False, True, False]),
        ('order: [ "node(B).state == paused", "node(B).up" ]', [False, False, True]),
        ('ever: "node(B).state == paused"', [True, True, True]),
        ('now: "node(B).state == paused"', [True, True, False]),
        ('always: "node(B).state != paused"', [False, False, False]),
    ],
)
def test_every_kind_of_clause(tmp_path: Path, clause: str, moments: list[bool]) -> None:
    """Right after B is paused, three seconds later, and after it is resumed."""
    text = SMALL.replace('ever: "acknowledged >= 1"', clause)
    play = opened(library(tmp_path, text))
    found = []
    play.command("pause B")
    found.append(held(play)[0])
    play_on(play, 3)
    found.append(held(play)[0])
    play.command("resume B")
    found.append(held(play)[0])
    assert found == moments


def test_a_goal_can_come_too_late(tmp_path: Path) -> None:
    """`within` counts from the opening of the step."""
    play = opened(library(tmp_path, SMALL.replace("forbid: [kill]", "within: 1s")))
    play_on(play, 2)
    play.command("write x 1")
    play_on(play, 3)
    assert held(play) == [True, True, True]
    goal = document(play)["goal"]
    assert (goal["late"], goal["reached"]) == (True, False)


def test_any_clause_is_enough_where_the_step_says_so(tmp_path: Path) -> None:
    """`need: any`."""
    text = SMALL.replace("forbid: [kill]", "need: any").replace(
        '  - { id: alive, text: "A never died", always: "node(A).up" }\n', ""
    )
    play = opened(library(tmp_path, text))
    play.command("write x 1")
    play_on(play, 0.7)
    assert document(play)["goal"]["reached"]


# --- hints and show me -----------------------------------------------------------------------------


def test_hints_come_one_at_a_time(play: LessonPlay) -> None:
    """And end."""
    assert (document(play)["hints"], document(play)["hints_left"]) == ([], 2)
    play.command("lesson hint")
    assert (document(play)["hints"], document(play)["hints_left"]) == (["Write."], 1)
    play.command("lesson hint")
    with pytest.raises(CommandRefused, match="no more hints"):
        play.command("lesson hint")


def test_show_me_plays_the_solution(play: LessonPlay) -> None:
    """Line by line, and says that it did; meanwhile the learner watches."""
    play.command("lesson show")
    playing = document(play)["playing"]
    assert playing["kind"] == "show"
    assert [line["done"] for line in playing["lines"]] == [True, False]
    with pytest.raises(CommandRefused, match="being played"):
        play.command("write y 1")
    play_on(play, 3.1)
    assert document(play)["playing"] is None
    assert document(play)["goal"]["reached"]
    assert document(play)["goal"]["shown"]


# --- predictions -----------------------------------------------------------------------------------


def at_the_bet(tmp_path: Path, text: str = SMALL) -> LessonPlay:
    play = opened(library(tmp_path, text))
    play.command("write x 1")
    play_on(play, 3)
    play.command("lesson step bet")
    return play


def question(play: LessonPlay, name: str = "bet") -> dict[str, Any]:
    found: dict[str, Any] = document(play)["questions"][name]
    return found


def test_an_experiment_waits_for_the_prediction(tmp_path: Path) -> None:
    """First say what you expect."""
    play = at_the_bet(tmp_path)
    assert document(play)["runs"] == {"bet": "locked", "apart": "ready"}
    with pytest.raises(CommandRefused, match="First say what you expect: How many followers"):
        play.command("lesson run bet")
    play.command('lesson answer bet "both"')
    assert document(play)["runs"]["bet"] == "ready"


def test_the_truth_is_measured_from_the_learners_run(tmp_path: Path) -> None:
    """Open until then; afterwards every option has its reason."""
    play = at_the_bet(tmp_path)
    play.command('lesson answer bet "both"')
    assert question(play)["result"] is None
    play.command('lesson answer bet "none"')
    play.command('lesson answer bet "both"')
    play.command("lesson run bet")
    assert document(play)["runs"]["bet"] == "playing"
    play_on(play, 6)
    result = question(play)["result"]
    assert (result["measured"], result["right"], result["correct"]) == ("0", False, ["none"])
    assert result["says"] == "It must travel."
    assert result["options"]["both"]["show"] is True
    assert document(play)["runs"]["bet"] == "done"
    assert document(play)["explains"] == [True]
    with pytest.raises(CommandRefused, match="is answered"):
        play.command('lesson answer bet "none"')


def test_a_question_can_be_passed_over(tmp_path: Path) -> None:
    """As a presenter does whose room has not voted: the run may be played, the truth is told, nobody was
    right or wrong, and the step does not count as done. A quiz wants an answer."""
    play = at_the_bet(tmp_path)
    play.command("lesson answer bet null")
    assert document(play)["runs"]["bet"] == "ready"
    assert question(play) == {"answer": None, "open": True, "result": None}
    play.command("lesson run bet")
    play_on(play, 6)
    result = question(play)["result"]
    assert (result["measured"], result["right"], result["correct"]) == ("0", None, ["none"])
    assert result["says"] == "Nobody said beforehand. This is what happened."
    assert (question(play)["answer"], question(play)["open"]) == (None, False)
    assert document(play)["explains"] == [True]
    with pytest.raises(CommandRefused, match="one of at-once, after"):
        play.command("lesson answer later null")
    play.command('lesson answer later "after"')
    assert "bet" not in document(play)["done"]


def test_a_run_that_went_another_way_is_not_called_wrong(tmp_path: Path) -> None:
    """No canned answer: when the learner's own run fits no option, that is what is said."""
    play = at_the_bet(tmp_path, SMALL.replace('match: "x == 0"', 'match: "x == 9"'))
    play.command('lesson answer bet "none"')
    play.command("lesson run bet")
    play_on(play, 6)
    result = question(play)["result"]
    assert (result["measured"], result["right"]) == ("0", None)
    assert "another way" in result["says"]


def test_a_quiz_answers_at_once_until_it_is_right(tmp_path: Path) -> None:
    """Nothing is measured; every answer has a reason."""
    play = at_the_bet(tmp_path)
    play.command('lesson answer later "at-once"')
    assert question(play, "later")["result"]["right"] is False
    play.command('lesson answer later "after"')
    assert question(play, "later")["result"]["says"] == "You saw it."
    assert question(play, "later")["open"] is False


def test_numbers_have_a_tolerance_and_recognised_slips(tmp_path: Path) -> None:
    """An experiment of its own begins in a run of its own; its question opens when it has been seen."""
    found = library(tmp_path)
    lesson = found.lessons["small"]
    step = lesson.step("again")
    assert step is not None
    play = LessonPlay(start_of(lesson, step, {}, "run:apart"), lesson, step, found)
    assert document(play)["goal"] is None
    assert play.state["settings"]["latency"] == 1_000_000
    with pytest.raises(CommandRefused, match="is answered"):
        play.command("lesson answer seen 3")
    play.command("lesson run apart")
    play_on(play, 5)
    play.command("lesson answer seen 3")
    result = question(play, "seen")["result"]
    assert (result["right"], result["says"]) == (False, "Copies send no OK to clients.")
    memory = play.session.memory.as_json()
    again = opened(found, "again", start_of(lesson, step, memory))
    assert question(again, "seen")["result"]["right"] is False


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('answer nothing "none"', "There is no question nothing. Questions here: bet, later, seen."),
        ('answer bet "nobody"', "The answer to this question is one of none, both."),
        ("answer bet 3", "one of none, both"),
        ("answer bet {", "cannot be read"),
        ("run apart", "There is no experiment apart in the step bet"),
        ("step look", "does not go on from here"),
        ("step nowhere", "does not go on from here"),
        ("sentence x", "There is no sentence x"),
        ("show", "has nothing to be solved"),
        ("dance", "There is nothing called dance in a lesson"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, line: str, says: str) -> None:
    """And changes nothing."""
    play = at_the_bet(tmp_path)
    before = document(play)
    with pytest.raises(CommandRefused) as refusal:
        play.command(f"lesson {line}")
    assert says in str(refusal.value)
    assert document(play) == before


# --- every way of measuring ------------------------------------------------------------------------

WAYS = {
    "change": ('change: "node(A).last_index"', "x == 2", "2"),
    "most": ('most: "lag(B)"', "x == 1", "1"),
    "least": ('least: "node(A).last_index"', "x == 1", "1"),
    "lasted": ('lasted: "node(C).state == paused"', "x == 2s", "2 s"),
    "first": ('first: "node(C).state == paused"', "x == 3s", "3 s"),
    "values": ('values: "node(C).state"', 'x == "up, paused, up"', "up, paused, up"),
    "answers": ('answers: "key == x"', 'x == "1, 7, 8"', "1, 7, 8"),
    "probe at": ('probe: "time", at: "node(C).state == paused"', "x > 2s", None),
    "truth": ('probe: "ever(node(C).state == paused)"', "x", "yes"),
    "node": ('probe: "leader"', "x == A", "A"),
}
SCRIPT = (
    '[ "write x 7", "read x from A", "wait 2s", "read x", "wait 1s", "pause C", "write x 8", "wait 2s", '
    '"resume C", "read x", "wait 4s" ]'
)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_measuring(tmp_path: Path, way: str) -> None:
    """Of the run block alone: what was before it does not count."""
    measure, match, said = WAYS[way]
    text = SMALL.replace('probe: "2 - lag(B) - lag(C)"', measure)
    text = text.replace('match: "x == 0"', f"match: '{match}'").replace(
        'match: "x > 0"', "match: 'x == none'"
    )
    text = text.replace(RUN, f"```run\ndo: {SCRIPT}\n```\n")
    play = at_the_bet(tmp_path, text)
    play.command("read x")
    play_on(play, 3)
    play.command('lesson answer bet "none"')
    play.command("lesson run bet")
    play_on(play, 20)
    result = question(play)["result"]
    if said is not None:
        assert result["measured"] == said
    assert result["correct"] == ["none"], result["measured"]


def test_an_order_is_measured_by_what_came_first(tmp_path: Path) -> None:
    """Each option has the condition that stands for it."""
    text = SMALL.replace(
        PREDICT,
        """```predict
ask: "In which order?"
kind: order
measure: { run: bet }
options:
  - { id: ok, text: "OK", when: "last_write.ok and last_write.key == y" }
  - { id: stored, text: "Stored", when: "node(A).last_index == 2" }
```
""",
    ).replace(RUN, '```run\ndo: [ "write y 1", "wait 4s" ]\n```\n')
    play = at_the_bet(tmp_path, text)
    with pytest.raises(CommandRefused, match="names all of ok, stored"):
        play.command('lesson answer bet ["ok"]')
    play.command('lesson answer bet ["stored", "ok"]')
    play.command("lesson run bet")
    play_on(play, 5)
    result = question(play)["result"]
    assert (result["right"], result["measured"]) == (True, "Stored, then OK")


def test_two_runs_can_be_compared(tmp_path: Path) -> None:
    """`versus`: the same thing measured in another run is y."""
    text = SMALL.replace(
        'measure: { run: apart, probe: "acknowledged" }\nmatch: "x == 1"',
        'measure: { run: apart, probe: "acknowledged", versus: bet }\nmatch: "x == 1"',
    )
    play = at_the_bet(tmp_path, text)
    play.command('lesson answer bet "none"')
    play.command("lesson run bet")
    play_on(play, 6)
    measured = play.session.memory.measured
    assert measured["seen"] == {"run:bet": 1}


# --- opening ---------------------------------------------------------------------------------------


def test_a_jump_into_the_middle_plays_what_leads_there(tmp_path: Path) -> None:
    """The earlier steps' solutions, without calling them the learner's doing."""
    play = opened(library(tmp_path), "bet")
    assert play.state["nodes"]["B"]["replicas"][0]["log"]
    assert document(play)["done"] == []
    assert document(play)["step"] == "bet"
    play.command('lesson answer bet "none"')
    play.command("lesson run bet")
    play_on(play, 6)
    assert question(play)["result"]["right"] is True


def test_a_refutation_is_played(tmp_path: Path) -> None:
    """From the beginning of the question's step."""
    found = library(tmp_path)
    lesson = found.lessons["small"]
    step = lesson.step("bet")
    assert step is not None
    play = LessonPlay(start_of(lesson, step, {}, "show:bet.both"), lesson, step, found)
    play.command("lesson refute bet.both")
    assert document(play)["playing"]["kind"] == "refute"
    play_on(play, 6)
    assert document(play)["playing"] is None
    assert all(each.held for _, each in play.expectations)


def test_what_breaks_off_says_why(tmp_path: Path) -> None:
    """The learner has killed what the experiment needs: restore, says the page."""
    play = at_the_bet(tmp_path, SMALL.replace('do: [ "write y 1"', 'do: [ "kill B", "write y 1"'))
    play.command("kill B")
    play.command('lesson answer bet "none"')
    play.command("lesson run bet")
    assert document(play)["playing"] is None
    assert "kill B" in document(play)["stopped"]
    assert question(play)["result"] is None
