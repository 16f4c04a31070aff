"""Challenges: what a file may say, which commands count, what a page is told, and what the check measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from server import resources, service, web
from server.cluster.commands import CommandRefused
from server.lessons import attempts, documents
from server.lessons.attempts import SCHEDULES, check_impossible
from server.lessons.library import Library
from server.lessons.limits import refusal
from server.lessons.loader import read_lesson
from server.lessons.play import LessonPlay
from server.lessons.playing import Player, play_lesson
from server.lessons.records import Lesson, Task
from server.lessons.rules import Finding, check_course, check_text
from server.protocol import LessonRequest, read_request
from server.rooms import Rooms
from server.store import Start, Store
from tests.conftest import FakeClock, House
from tests.small_lesson import SMALL, folder
from tests.test_lessons_rooms import house_on, say, shown

FRONT = """\
---
id: two-writes
rev: 3
title: Two writes
minutes: 2
level: 2
scene: plain
seed: [1, 2]
goal: Store two values.
---

"""
EXPLAIN = """\
```explain
text: Two are more than one.
```
"""
POSSIBLE = f"""{FRONT}## both: Two writes
Store `x` and `y`.

```do
forbid: [kill, set replication]
goal:
  - {{ id: two, text: "Two writes have their OK", now: "acknowledged == 2" }}
solution: [ "write x 1", "write y 1", "wait 3s" ]
hints: [ "Write twice." ]
nudges:
  - {{ id: one, when: "acknowledged == 1", say: "One more.", misfire: [ "write x 1", "wait 5s" ] }}
```
{EXPLAIN}"""
QUIZ = """\
```quiz
id: why
ask: "Why not?"
answer: manual
options:
  - { id: luck, text: "Bad luck", mis: M-REPL-INSTANT, why: "It is none." }
  - { id: manual, text: "Nobody may", why: "You may not." }
```
"""
VARIANT = """\
```run
id: variant
set: { fencing: off }
do: [ "kill A", "promote B", "wait 2s", "expect term > 1" ]
```
"""
IMPOSSIBLE = f"""{FRONT}## both: Another leader
Get another leader. It cannot be done.

```do
impossible: true
forbid: [promote, switchover, set]
goal:
  - {{ id: other, text: "Another node leads", now: "leader != none and leader != A" }}
nudges:
  - {{ id: killed, when: "node(A).state == dead", say: "Nobody follows.", misfire: [ "kill A", "wait 2s" ] }}
```
{QUIZ}
{VARIANT}
```explain
text: Nobody is elected here.
```
"""


def challenge(text: str = POSSIBLE, kind: str = "challenge") -> Lesson:
    return read_lesson(text, "01-two-writes.md", kind)


def library(path: Path, text: str = POSSIBLE) -> Library:
    """The small lesson, and a challenge with this text."""
    return Library([folder(path, challenges__01_two_writes=text)])


# --- files ---------------------------------------------------------------------------------------


def test_par_is_the_solution_without_waiting() -> None:
    """An impossible goal has none."""
    task = challenge().challenge
    assert task is not None
    assert task.par == 2
    impossible = challenge(IMPOSSIBLE).challenge
    assert impossible is not None
    assert impossible.is_impossible
    assert impossible.par is None
    assert read_lesson(SMALL, "01-small.md", "lesson").challenge is None


BROKEN = {
    "two steps": (f"{POSSIBLE}\n## more: More\n\nText.\n", "a challenge has one step, with a do block"),
    "nothing to do": (f"{FRONT}## both: Two writes\nText.\n", "a challenge has one step, with a do block"),
    "a prediction": (f"{POSSIBLE}```predict\nask: x\n```\n", "no block called 'predict'"),
    "no solution": (POSSIBLE.replace("solution:", "hints_:"), "commands that reach the goal are missing"),
    "impossible, and solved": (
        IMPOSSIBLE.replace("impossible: true", "impossible: true\nsolution: [ write x 1 ]"),
        "an impossible goal has no solution",
    ),
    "impossible without a reason": (IMPOSSIBLE.replace(QUIZ, ""), "needs a quiz that asks for the reason"),
    "neither true nor false": (IMPOSSIBLE.replace("impossible: true", "impossible: maybe"), "true or false"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_left_out_and_named(tmp_path: Path, name: str) -> None:
    """The rest serves."""
    text, says = BROKEN[name]
    found = library(tmp_path, text)
    assert list(found.lessons) == ["small"]
    assert found.challenges == {}
    assert [each.file for each in found.broken] == ["01-two-writes.md"]
    assert says in found.broken[0].says


def test_only_a_challenge_may_be_impossible() -> None:
    """A lesson's learner must be able to go on."""
    text = SMALL.replace("forbid: [kill]\nsolution", "forbid: [kill]\nimpossible: true\nsolution_")
    text = text.replace('solution_: [ "write x 1", "wait 3s" ]\n', "")
    with pytest.raises(CommandRefused, match="only the goal of a challenge may be impossible"):
        read_lesson(text, "01-small.md", "lesson")


def test_a_folder_of_one_s_own_may_hold_challenges(tmp_path: Path) -> None:
    """Beside ours; one whose name a lesson has is named, and left out."""
    ours = folder(tmp_path / "ours")
    own = folder(tmp_path / "own", challenges__01_two_writes=POSSIBLE)
    (own / "challenges" / "02-small.md").write_text(POSSIBLE.replace("id: two-writes", "id: small"), "utf-8")
    found = Library([ours, own])
    assert list(found.challenges) == ["two-writes"]
    assert found.find("two-writes").kind == "challenge"
    assert found.find("small").kind == "lesson"
    assert [each.says for each in found.broken] == [
        "02-small.md: the id small is that of 01-small.md: choose another name."
    ]
    assert [each.id for each in found.everything()] == ["small", "two-writes"]


# --- which commands ------------------------------------------------------------------------------


def task(**fields: Any) -> Task:
    found = challenge().challenge
    assert found is not None
    return replace(found, **fields)


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("kill A", "kill"),
        ("set replication sync", "set replication"),
        ("SET   Replication sync", "set replication"),
        ("set flush 1s", None),
        ("write kill 1", None),
        ("nonsense", None),
    ],
)
def test_what_is_forbidden_may_be_a_beginning(line: str, refused: str | None) -> None:
    """`set replication` leaves other settings free, however the line is written."""
    assert refusal(task(), line) == refused


def test_what_is_allowed_may_be_a_beginning() -> None:
    """Everything else is refused by its first word."""
    only = task(allow=("write", "set flush"), forbid=())
    lines = ["write x 1", "set flush 1s on B", "set apply 1s", "kill A", ""]
    assert [refusal(only, line) for line in lines] == [None, None, "set", "kill", ""]


# --- counting ------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The small lesson and a challenge are all there is."""
    found = library(tmp_path / "lessons")
    monkeypatch.setattr(service, "library", lambda: found)
    return found


@pytest.fixture
def house(served: Library) -> House:
    """A room in the challenge."""
    house = house_on(Store(None))
    house.open()
    say(house, "open", lesson="two-writes")
    return house


def counted(house: House) -> tuple[int, int | None]:
    """Commands and score."""
    state = shown(house)["challenge"]
    return state["commands"], state["score"]


def test_accepted_commands_count_and_waiting_is_free(house: House) -> None:
    """Not what the cluster or the challenge refuses, and nothing after the goal."""
    assert shown(house)["challenge"] == {"commands": 0, "score": None, "par": 2, "shown": False}
    house.command("write x 1")
    for refused in ("kill A", "set replication sync", "restart A", "nonsense", "wait 1s"):
        with pytest.raises(CommandRefused):
            house.command(refused)
    house.pass_time(5)
    assert counted(house) == (1, None)
    house.command("pause B")
    house.command("write y 1")
    house.pass_time(5)
    assert shown(house)["goal"]["reached"]
    assert counted(house) == (3, 3)
    house.command("write z 1")
    house.pass_time(1)
    assert counted(house) == (3, 3)
    assert shown(house)["done"] == ["both"]
    assert shown(house)["explains"] == [True]


def test_a_restored_scene_counts_from_zero(house: House) -> None:
    """And the explanation, once earned, stays."""
    house.command("write x 1")
    house.command("write y 1")
    house.pass_time(5)
    say(house, "restore")
    assert counted(house) == (0, None)
    assert not shown(house)["goal"]["reached"]
    assert shown(house)["explains"] == [True]
    house.command("write x 1")
    assert counted(house) == (1, None)


def test_who_is_shown_the_solution_has_no_score(house: House) -> None:
    """Doing it oneself afterwards has one."""
    say(house, "show")
    house.pass_time(5)
    assert shown(house)["goal"]["reached"]
    assert shown(house)["challenge"] == {"commands": 0, "score": None, "par": 2, "shown": True}
    say(house, "restore")
    house.command("write x 1")
    house.command("write y 1")
    house.pass_time(5)
    assert counted(house) == (2, 2)


def test_exploring_is_not_counted(house: House) -> None:
    """Nothing is judged, so nothing can be reached."""
    say(house, "explore")
    house.command("set replication quorum")
    house.command("write x 1")
    house.command("write y 1")
    house.pass_time(5)
    assert counted(house) == (0, None)
    assert shown(house)["done"] == []


@pytest.mark.usefixtures("served")
def test_a_command_that_comes_when_the_goal_is_reached_is_free() -> None:
    """It is given in the very moment, but nothing had to be done for it."""

    def written() -> LessonPlay:
        play = service.start_lesson(Start(), "two-writes")
        play.command("write x 1")
        play.command("write y 1")
        return play

    first, second = written(), written()
    first.advance(5_000_000)
    watch = first.session.task
    assert watch is not None
    assert watch.reached_us is not None
    second.advance(watch.reached_us - 1)
    assert second.session.score is None
    second._now_us = watch.reached_us
    second.command("pause B")
    assert second.session.score == 2


def test_a_room_that_is_brought_back_has_counted_the_same(served: Library, tmp_path: Path) -> None:
    """The commands are played again, and so is their count."""
    store = Store(tmp_path / "data")
    before = house_on(store)
    before.open()
    say(before, "open", lesson="two-writes")
    before.command("write x 1")
    before.command("pause B")
    before.pass_time(1)
    before.rooms.save()
    store.close()
    after = house_on(Store(tmp_path / "data"))
    after.open()
    after.pass_time(1)
    assert counted(after) == (2, None)
    after.command("write y 1")
    after.pass_time(5)
    assert counted(after) == (3, 3)


def test_a_goal_out_of_reach_is_finished_by_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong reason does not do, and there is no solution to be shown."""
    found = library(tmp_path / "lessons", IMPOSSIBLE)
    monkeypatch.setattr(service, "library", lambda: found)
    house = house_on(Store(None))
    house.open()
    say(house, "open", lesson="two-writes")
    with pytest.raises(CommandRefused, match="has nothing to be solved"):
        say(house, "show")
    house.command("kill A")
    say(house, "answer", question="why", answer="luck")
    assert shown(house)["done"] == []
    assert shown(house)["explains"] == [False]
    say(house, "answer", question="why", answer="manual")
    assert shown(house)["done"] == ["both"]
    assert shown(house)["explains"] == [True]
    assert shown(house)["challenge"] == {"commands": 1, "score": None, "par": None, "shown": False}
    say(house, "run", run="variant")
    house.pass_time(5)
    assert shown(house)["runs"]["variant"] == "done"


def test_lessons_are_not_counted(house: House) -> None:
    """They are no contest."""
    say(house, "open", lesson="small")
    house.command("write x 1")
    assert shown(house)["challenge"] is None


# --- pages ---------------------------------------------------------------------------------------


@pytest.fixture
def browser() -> FlaskClient:
    rooms = Rooms(service.start_play, Store(None), FakeClock(), plan_lesson=service.plan_lesson)
    app = web.create_app(rooms, service.CATALOGUE)
    app.testing = True
    return app.test_client()


def test_the_list_has_par_and_no_solution(browser: FlaskClient) -> None:
    """Nor has the challenge's own document."""
    listed = browser.get("/challenges.json").get_json()
    assert listed["broken"] == []
    rows = {row["id"]: row for row in listed["challenges"]}
    assert len(rows) >= 8
    assert rows["two-leaders"]["par"] == 1
    assert rows["quorum-keeps"]["par"] is None
    assert rows["quorum-keeps"]["impossible"]
    assert [row["level"] for row in rows.values()] == sorted(row["level"] for row in rows.values())
    for name in rows:
        data = browser.get(f"/challenges/{name}.json")
        assert data.get_json()["kind"] == "challenge"
        assert "solution" not in data.get_data(as_text=True)
        assert browser.get(f"/challenges/{name}").status_code == 200
    page = browser.get("/challenges").get_data(as_text=True)
    assert all(row["goal"].split("'")[0] in page for row in rows.values())
    assert browser.get("/challenges/lost-after-ok").status_code == 404
    assert "/challenges" in browser.get("/lessons").get_data(as_text=True)


def test_a_page_names_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And serves with what there is."""
    found = library(tmp_path, BROKEN["two steps"][0])
    monkeypatch.setattr(service, "library", lambda: found)
    catalogue = replace(service.CATALOGUE, library=lambda: found)
    rooms = Rooms(service.start_play, Store(None), FakeClock())
    page = web.create_app(rooms, catalogue).test_client().get("/challenges").get_data(as_text=True)
    assert "There are no challenges here yet." in page
    assert "01-two-writes.md, line" in page


def test_a_document_says_what_cannot_be_done(tmp_path: Path) -> None:
    """The page offers to say why."""
    found = library(tmp_path, IMPOSSIBLE)
    shown = documents.document(found, found.challenges["two-writes"])
    block = next(block for block in shown["steps"][0]["blocks"] if block["kind"] == "do")
    assert block["impossible"]
    assert shown["par"] is None


# --- the check -----------------------------------------------------------------------------------


def findings(path: Path, text: str) -> list[Finding]:
    """What a check finds in a challenge with this text."""
    found = library(path, text)
    assert found.broken == []
    lesson = found.challenges["two-writes"]
    count, played = play_lesson(found, lesson)
    assert count > 0
    return [*check_text(found, lesson), *played, *check_course(found)]


def test_good_challenges_are_green(tmp_path: Path) -> None:
    """One that can be reached, and one that cannot."""
    assert findings(tmp_path / "one", POSSIBLE) == []
    assert findings(tmp_path / "two", IMPOSSIBLE) == []


BREACHES = {
    "a command too many": (
        POSSIBLE.replace('"write y 1", "wait', '"write y 1", "pause B", "wait'),
        "reaches the goal without 'pause B': par is too high",
    ),
    "a command that is refused": (
        POSSIBLE.replace('"write y 1", "wait', '"write y 1", "set replication sync", "wait'),
        "the solution uses set replication, which the step refuses",
    ),
    "a goal that waiting reaches": (POSSIBLE.replace("== 2", "< 2"), "is reached before anything is done"),
    "nothing to learn": (POSSIBLE.replace(EXPLAIN, ""), "no explain"),
    "possible after all": (
        IMPOSSIBLE.replace("forbid: [promote, switchover, set]", "forbid: [promote, set]"),
        "the goal that cannot be reached is, by random faults",
    ),
    "no variant": (IMPOSSIBLE.replace(VARIANT, ""), "no run shows the goal with a rule off"),
    "a variant with every rule": (
        IMPOSSIBLE.replace("set: { fencing: off }", "set: { flush: 10ms }"), "has every safety rule on",
    ),
    "a variant that shows nothing": (
        IMPOSSIBLE.replace('"promote B", "wait 2s", "expect term > 1"', '"wait 2s"'),
        "the goal is not reached with the rule off either",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_the_check_catches_who_breaks_it(tmp_path: Path, name: str) -> None:
    """With the sentence that says what to mend."""
    text, says = BREACHES[name]
    found = [each.says for each in findings(tmp_path, text)]
    assert any(says in each for each in found), found


def test_a_count_that_is_not_par_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the learner's page would show is compared, not only the file."""
    monkeypatch.setattr(Task, "par", property(lambda self: 7))
    found = [each.says for each in findings(tmp_path, POSSIBLE)]
    assert any("the solution by hand takes 2 commands, but par is 7" in each for each in found), found


# --- the impossible one --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_faults_that_cannot_lose_a_write_would_lose_one_without_the_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same random faults, with the vote check off: some of them reach the goal, and that is noticed."""
    ours = Library([resources.folder("lessons")])
    lesson = ours.challenges["quorum-keeps"]
    unsafe = replace(lesson, settings={**lesson.settings, "vote-check": False})
    step, goal = lesson.steps[0], lesson.challenge
    assert goal is not None
    assert SCHEDULES * len(lesson.seeds) >= 36
    monkeypatch.setattr(attempts, "_check_variant", lambda *arguments: None)
    for each, is_reached in ((lesson, False), (unsafe, True)):
        player = Player(ours, each)
        for seed in lesson.seeds:
            check_impossible(player, step, goal, seed)
        assert player.assertions >= SCHEDULES * len(lesson.seeds)
        assert bool(player.findings) is is_reached


def test_requests_are_those_of_lessons() -> None:
    """A challenge needs no message of its own."""
    request = read_request("lesson", {"action": "open", "lesson": "two-leaders"})
    assert isinstance(request, LessonRequest)
