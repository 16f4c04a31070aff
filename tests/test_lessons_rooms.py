"""Lessons in rooms: what a page sends and is sent, and a room that comes back in the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask_socketio import SocketIO, SocketIOTestClient

from server import resources, service, web
from server.cluster.commands import CommandRefused
from server.lessons.library import Library
from server.protocol import LessonRequest, read_request
from server.room import RoomLimits
from server.rooms import Rooms
from server.store import Store
from tests.conftest import FakeClock, House
from tests.small_lesson import SMALL, library


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The small lesson is all there is."""
    found = library(tmp_path / "lessons")
    monkeypatch.setattr(service, "library", lambda: found)
    return found


def house_on(store: Store) -> House:
    clock = FakeClock()
    rooms = Rooms(service.start_play, store, clock, RoomLimits(), plan_lesson=service.plan_lesson)
    return House(rooms, clock)


@pytest.fixture
def house(small: Library) -> House:
    """One tab in a room of its own."""
    house = house_on(Store(None))
    house.open()
    return house


def say(house: House, action: str, **fields: Any) -> None:
    request = read_request("lesson", {"action": action, **fields})
    assert isinstance(request, LessonRequest)
    house.take(house.rooms.lesson("tab", request))


def shown(house: House) -> Any:
    """The learner's progress as the page knows it."""
    for delivery in reversed(house.sent["tab"]):
        if "lesson" in delivery.payload:
            return delivery.payload["lesson"]
    return None


def test_a_room_in_no_lesson_says_so(house: House) -> None:
    """The first thing a page sends is `open`."""
    assert shown(house) is None
    with pytest.raises(CommandRefused, match="in no lesson"):
        say(house, "next")
    with pytest.raises(CommandRefused, match="There is no lesson called gone"):
        say(house, "open", lesson="gone")
    with pytest.raises(CommandRefused, match="has no step gone"):
        say(house, "open", lesson="small", step="gone")
    with pytest.raises(CommandRefused, match="The field lesson is missing"):
        say(house, "open")


def test_a_whole_lesson(house: House) -> None:
    """As a learner goes through it."""
    say(house, "open", lesson="small")
    assert shown(house)["step"] == "look"
    house.command("write x 1")
    house.pass_time(3)
    assert shown(house)["goal"]["reached"]
    say(house, "next")
    say(house, "answer", question="bet", answer="both")
    say(house, "run", run="bet")
    house.pass_time(3)
    assert shown(house)["questions"]["bet"]["result"]["right"] is False
    say(house, "refute", question="bet", option="both")
    assert shown(house)["playing"]["kind"] == "refute"
    house.pass_time(3)
    say(house, "answer", question="later", answer="after")
    say(house, "next")
    assert house.last()["speed"] == 0.5
    say(house, "run", run="apart")
    house.pass_time(10)
    say(house, "answer", question="seen", answer=1)
    assert shown(house)["done"] == ["look", "bet", "again"]
    with pytest.raises(CommandRefused, match="last step"):
        say(house, "next")
    say(house, "leave")
    assert shown(house) is None


def test_frames_tell_progress_only_when_it_changed(house: House) -> None:
    """A quiet frame carries none of it."""
    say(house, "open", lesson="small")
    house.pass_time(1)
    before = len(house.sent["tab"])
    house.pass_time(2)
    assert not [each for each in house.sent["tab"][before:] if "lesson" in each.payload]


def test_opening_where_one_is_restarts_nothing(house: House) -> None:
    """A reload of the page sends `open` again."""
    say(house, "open", lesson="small")
    house.command("write x 1")
    house.pass_time(1)
    now_us = house.last()["now_us"]
    say(house, "open", lesson="small")
    say(house, "open", lesson="small", step="look")
    assert house.last()["now_us"] >= now_us
    say(house, "open", lesson="small", step="again")
    assert house.last()["now_us"] < now_us


def test_a_restored_scene_forgets_no_answer(house: House) -> None:
    """Nor what was measured, nor hints; only the run begins anew."""
    say(house, "open", lesson="small", step="bet")
    say(house, "answer", question="bet", answer="none")
    say(house, "run", run="bet")
    house.pass_time(3)
    say(house, "restore")
    assert shown(house)["questions"]["bet"]["result"]["right"] is True
    assert shown(house)["step"] == "bet"


@pytest.fixture
def two(small: Library, tmp_path: Path) -> Path:
    """A second lesson beside the small one; the file of the small one."""
    other = SMALL.replace("id: small", "id: other")
    (tmp_path / "lessons" / "02-other.md").write_text(other, encoding="utf-8")
    small.refresh()
    return tmp_path / "lessons" / "01-small.md"


def test_a_lesson_that_was_left_is_come_back_to(house: House, two: Path) -> None:
    """From another lesson and from the playground: its answers are there."""
    bet(house)
    say(house, "open", lesson="other")
    assert shown(house)["questions"]["bet"]["answer"] is None
    say(house, "open", lesson="small")
    assert shown(house)["questions"]["bet"]["answer"] == "both"
    say(house, "leave")
    say(house, "open", lesson="small", step="bet")
    assert shown(house)["questions"]["bet"]["result"]["right"] is False


def test_a_lesson_that_was_left_outlives_the_server(small: Library, two: Path) -> None:
    """What was done in it is stored with the room that is now in another lesson."""
    store = Store(None)
    first = house_on(store)
    first.open()
    bet(first)
    say(first, "open", lesson="other")
    second = house_on(store)
    second.open()
    second.pass_time(1)
    say(second, "open", lesson="small")
    assert shown(second)["questions"]["bet"]["answer"] == "both"


def test_a_lesson_whose_file_changed_meanwhile_begins_anew(house: House, small: Library, two: Path) -> None:
    """The answers were given to other questions."""
    bet(house)
    say(house, "open", lesson="other")
    two.write_text(two.read_text(encoding="utf-8").replace("rev: 1", "rev: 2"), encoding="utf-8")
    small.refresh()
    say(house, "open", lesson="small")
    assert shown(house)["questions"]["bet"]["answer"] is None


def test_a_lesson_can_be_begun_again(house: House) -> None:
    """At its first step, with nothing answered, measured or done; and nothing of it comes back later."""
    bet(house)
    say(house, "again")
    assert (shown(house)["step"], shown(house)["done"]) == ("look", [])
    assert shown(house)["questions"]["bet"]["answer"] is None
    say(house, "leave")
    say(house, "open", lesson="small")
    assert shown(house)["done"] == []


GOES_ON = """
## more: More of it

```run
id: third
do: [ "kill B", "wait 1s" ]
```
```observe
id: entries
ask: "How many entries has A?"
kind: number
measure: { run: third, probe: "node(A).last_index" }
match: "x == 2"
tolerance: 0
```
"""
"""A step that goes on with the run of the one before."""


@pytest.fixture
def longer(small: Library, tmp_path: Path) -> None:
    """The small lesson has one step more, which goes on from the bet."""
    file = tmp_path / "lessons" / "01-small.md"
    file.write_text(SMALL.replace("\n## again:", f"{GOES_ON}\n## again:"), encoding="utf-8")
    small.refresh()


def bet(house: House) -> None:
    """The bet, predicted and played."""
    say(house, "open", lesson="small", step="bet")
    say(house, "answer", question="bet", answer="both")
    say(house, "run", run="bet")
    house.pass_time(3)


def entries(house: House) -> str:
    """Goes on from the bet and plays the experiment there: how many entries A has, as measured."""
    if shown(house)["step"] != "more":
        say(house, "next")
    say(house, "run", run="third")
    house.pass_time(3)
    assert shown(house)["stopped"] is None
    assert shown(house)["runs"]["third"] == "done"
    if shown(house)["questions"]["entries"]["open"]:
        say(house, "answer", question="entries", answer=2)
    return str(shown(house)["questions"]["entries"]["result"]["measured"])


@pytest.mark.usefixtures("longer")
def test_a_step_goes_on_from_what_was_taken_back(house: House) -> None:
    """A restored scene has not played the experiment: the next step brings what it goes on from."""
    bet(house)
    say(house, "refute", question="bet", option="both")
    house.pass_time(3)
    say(house, "restore")
    assert entries(house) == "2"


@pytest.mark.usefixtures("longer")
def test_a_step_goes_on_from_what_was_passed_over(house: House) -> None:
    """Neither the task nor the experiment before was done."""
    say(house, "open", lesson="small")
    say(house, "next")
    say(house, "next")
    assert shown(house)["done"] == []
    assert entries(house) == "2"


@pytest.mark.usefixtures("longer")
def test_a_step_goes_on_with_what_the_learner_did(house: House) -> None:
    """What has happened is not played anew."""
    bet(house)
    house.command("write w 1")
    house.pass_time(3)
    assert entries(house) == "3"


@pytest.mark.usefixtures("longer")
def test_an_experiment_is_played_once_more_from_its_beginning(house: House) -> None:
    """A second time it would find what it has left behind."""
    bet(house)
    assert [entries(house), entries(house)] == ["2", "2"]


def test_an_experiment_begins_without_what_the_learner_changed(house: House) -> None:
    """A step without a task asks for nothing: what was tried there is not measured."""
    say(house, "open", lesson="small", step="bet")
    say(house, "answer", question="bet", answer="both")
    house.command("kill A")
    say(house, "run", run="bet")
    house.pass_time(3)
    assert shown(house)["stopped"] is None
    assert shown(house)["questions"]["bet"]["result"]["right"] is False


def test_show_me_begins_at_the_steps_beginning(house: House) -> None:
    """Whatever the learner has done so far."""
    say(house, "open", lesson="small")
    house.command("cut A B")
    house.command("cut A C")
    say(house, "show")
    house.pass_time(4)
    assert shown(house)["goal"]["reached"]
    assert shown(house)["goal"]["shown"]


def test_a_room_comes_back_in_the_same_place(small: Library, tmp_path: Path) -> None:
    """Step, answers, measurements, and what is just being played."""
    store = Store(tmp_path / "data")
    first = house_on(store)
    first.open()
    say(first, "open", lesson="small")
    first.command("write x 1")
    first.pass_time(3)
    say(first, "next")
    say(first, "answer", question="later", answer="at-once")
    say(first, "answer", question="bet", answer="none")
    say(first, "run", run="bet")
    first.pass_time(0.1)
    before = shown(first)
    assert before["playing"] is not None
    first.rooms.save()
    store.close()
    second = house_on(Store(tmp_path / "data"))
    second.open()
    second.pass_time(0.2)
    say(second, "open", lesson="small")
    after = shown(second)
    assert {**after, "playing": None} == {**before, "playing": None}
    second.pass_time(4)
    assert shown(second)["questions"]["bet"]["result"]["right"] is True


def test_a_changed_file_is_told_by_its_revision(house: House, small: Library) -> None:
    """The page sees another revision than its own, loads anew, and opens the step again."""
    say(house, "open", lesson="small")
    before = shown(house)["revision"]
    (small.folders[0] / "01-small.md").write_text(SMALL.replace("A small lesson", "Better"))
    small.refresh()
    house.pass_time(0.2)
    assert shown(house)["revision"] != before
    say(house, "open", lesson="small")
    assert shown(house)["revision"] == small.lessons["small"].revision


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({}, "The field action is missing"),
        ({"action": "cheat"}, "The field action must be"),
        ({"action": "open", "lesson": "../x"}, "takes an id"),
        ({"action": "open", "lesson": 3}, "does not fit"),
        ({"action": "answer", "question": "bet", "answer": {"a": 1}}, "does not fit"),
        ({"action": "answer", "question": "bet", "answer": ["a"] * 99}, "does not fit|at most 20"),
        ({"action": "run", "run": "x" * 99}, "at most 60 characters"),
        ({"action": "open", "colour": "red"}, "has no field colour"),
    ],
)
def test_a_message_that_does_not_fit_is_refused(payload: dict[str, Any], says: str) -> None:
    """In a sentence that names the field."""
    with pytest.raises(CommandRefused, match=says):
        read_request("lesson", payload)


# --- over the web ----------------------------------------------------------------------------------


@pytest.fixture
def app(small: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> flask.Flask:
    """The application with pages that show what they are given."""
    for name in ("home", "play", "lessons", "interview"):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / f"templates/{name}.html").write_text("{{ lessons|tojson }}{{ broken|tojson }}")
    for name in ("lesson", "lesson_print", "interview_question"):
        (tmp_path / f"templates/{name}.html").write_text("{{ lesson.title }} {{ step }}")
    (tmp_path / "templates/missing.html").write_text("{{ says }}")
    ours = resources.folder
    monkeypatch.setattr(
        "server.resources.folder", lambda name: tmp_path / name if name == "templates" else ours(name)
    )
    catalogue = web.Catalogue(lambda: [], lambda: {}, lambda *_: ([], ""), library=lambda: small)
    app = web.create_app(house_on(Store(None)).rooms, catalogue)
    app.testing = True
    return app


def test_the_pages_and_their_data(app: flask.Flask, small: Library) -> None:
    """Index, lesson, step, print, and JSON for all of them."""
    browser = app.test_client()
    assert b"small" in browser.get("/lessons").data
    assert browser.get("/lessons/small").data == b"A small lesson None"
    assert browser.get("/lessons/small?step=bet").data == b"A small lesson bet"
    assert browser.get("/lessons/small?step=<b>").data == b"A small lesson None"
    assert browser.get("/lessons/small/print").status_code == 200
    assert browser.get("/interview").status_code == 200
    for path in ("/lessons/gone", "/interview/small", "/lessons/gone.json", "/lessons/gone/print"):
        assert browser.get(path).status_code == 404, path
    index: Any = browser.get("/lessons.json").get_json()
    assert [each["id"] for each in index["lessons"]] == ["small"]
    document: Any = browser.get("/lessons/small.json").get_json()
    assert document["steps"][1]["blocks"][0]["kind"] == "prose"
    assert browser.get("/interview.json").get_json() == {"questions": [], "broken": []}
    assert browser.get("/glossary.json").get_json() == {"terms": []}
    table: Any = browser.get("/misconceptions.json").get_json()
    assert table["misconceptions"][0]["id"] == "M-REPL-INSTANT"


def test_a_file_that_breaks_is_named_on_the_index(app: flask.Flask, small: Library) -> None:
    """And comes back once it is mended."""
    browser = app.test_client()
    path = small.folders[0] / "01-small.md"
    path.write_text("nothing")
    assert b"front matter" in browser.get("/lessons").data
    assert browser.get("/lessons/small").status_code == 503
    path.write_text(SMALL)
    assert browser.get("/lessons/small").status_code == 200


Ask = Callable[..., Any]


@pytest.fixture
def ask(app: flask.Flask) -> Iterator[Ask]:
    """Sends one message and gives its acknowledgement."""
    socketio: SocketIO = app.extensions["socketio"]
    browser = app.test_client()
    browser.get("/lessons/small")
    socket: SocketIOTestClient = socketio.test_client(app, flask_test_client=browser)
    yield lambda **payload: socket.emit("lesson", payload, callback=True)
    socket.disconnect()


def test_the_socket_carries_it(ask: Ask) -> None:
    """Acknowledged, or refused in words."""
    assert ask(action="open", lesson="small") == {"ok": True}
    refusal = ask(action="answer", question="bet", answer="perhaps")
    assert refusal["ok"] is False
    assert refusal["error"]["says"] == "The answer to this question is one of none, both."
