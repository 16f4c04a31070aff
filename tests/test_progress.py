"""Progress on its way from one device to another, under a code to type."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from server import progress, service, web
from server.cluster.commands import CommandRefused
from server.progress import DAY_SECONDS, KEPT_DAYS, LETTERS, Shelf, read_code, read_document
from server.rooms import Rooms
from server.store import Store
from tests.conftest import FakeClock

STEP = {"done": True, "tries": 1, "hints": 0, "prediction": '"some"', "seen": 2, "at": 1_700_000_000_000}
QUIZ = {"stage": 1, "due": 1_700_000_000_000, "correct": "yes", "whys": {"yes": "Because.", "no": ""}}
DRILL = {"score": 3, "of": 4, "at": 1_700_000_000_000, "times": 1}
WHOLE: dict[str, Any] = {
    "version": 1,
    "steps": {"one-writer/look@2": STEP},
    "quizzes": {"one-writer/look@2#check": QUIZ | {"due": None}, "lag/see@1#check": QUIZ},
    "drills": {"explain-leader-follower": DRILL},
    "challenges": {"two-leaders@1": {"best": 2, "at": 1_700_000_000_000}},
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rooms(clock: FakeClock) -> Rooms:
    made = service.open_rooms(Store(None))
    made._clock = clock
    return made


@pytest.fixture
def browser(rooms: Rooms) -> FlaskClient:
    """One that has opened the list of lessons."""
    app = web.create_app(rooms, service.CATALOGUE)
    app.testing = True
    browser = app.test_client()
    browser.get("/lessons")
    return browser


def keep(browser: FlaskClient, document: object = WHOLE) -> Any:
    return browser.post("/progress", data=json.dumps(document)).get_json()


def fetch(browser: FlaskClient, code: object) -> Any:
    return browser.post("/progress/fetch", json={"code": code}).get_json()


def other(browser: FlaskClient) -> FlaskClient:
    """Another device."""
    made = browser.application.test_client()
    made.get("/lessons")
    return made


# --- the routes ----------------------------------------------------------------------------------


def test_what_one_device_leaves_another_takes_along(browser: FlaskClient) -> None:
    """The same document, as often as it is asked for, however the code is typed."""
    answer = keep(browser)
    assert answer["ok"]
    assert answer["days"] == KEPT_DAYS
    code = answer["code"]
    assert len(code) == 8
    assert set(code) <= set(LETTERS)
    phone = other(browser)
    for typed in (code, code.lower(), f" {code[:4]} {code[4:]} ", f"{code[:4]}-{code[4:]}"):
        assert fetch(phone, typed) == {"ok": True, "progress": WHOLE}
    assert keep(browser)["code"] != code


def test_letters_that_look_alike_are_left_out() -> None:
    """32 of them: eight have 40 random bits."""
    assert len(set(LETTERS)) == 32
    assert not set("01OI") & set(LETTERS)


@pytest.mark.parametrize("code", ["", "ABC", "ABCDEFG0", "ABCDEFGHJ", "ABCDEFG'", "ÄBCDEFGH", "ABCDEFGİ"])
def test_what_cannot_be_a_code_is_told_so(code: str) -> None:
    """Before anything is looked up."""
    with pytest.raises(CommandRefused, match="never 0, O, 1 or I"):
        read_code(code)


def test_a_wrong_code_is_told_so(browser: FlaskClient) -> None:
    """Nobody has it; or it is nothing at all."""
    answer = fetch(browser, "ABCDEFGH")
    assert not answer["ok"]
    assert "no progress under this code" in answer["error"]["says"]
    for odd in (None, 7, ["ABCDEFGH"], {}):
        assert "The field code is missing" in fetch(browser, odd)["error"]["says"]
    for body in ("", "[", "[" * 190, '"x"'):
        answer = browser.post("/progress/fetch", data=body).get_json()
        assert "The field code is missing" in answer["error"]["says"]


def test_a_code_is_good_for_some_days(browser: FlaskClient, clock: FakeClock, rooms: Rooms) -> None:
    """Then it is unknown, and gone with the next one that is kept."""
    code = keep(browser)["code"]
    clock.now += KEPT_DAYS * DAY_SECONDS - 60
    assert fetch(browser, code)["ok"]
    clock.now += 61
    assert "days are over" in fetch(browser, code)["error"]["says"]
    keep(browser)
    assert stored(rooms.store) == 1


def test_only_a_browser_of_ours_may_ask(rooms: Rooms, browser: FlaskClient) -> None:
    """Another site's page sends no Strict cookie."""
    code = keep(browser)["code"]
    stranger = browser.application.test_client()
    for answer in (keep(stranger), fetch(stranger, code)):
        assert "does not know this browser" in answer["error"]["says"]


def test_a_document_that_is_too_large_is_refused(browser: FlaskClient) -> None:
    """In words where it is just too large; before it is read where it is far too large."""
    body = json.dumps(WHOLE)
    at_most = body + " " * (progress.DOCUMENT_BYTES_MAX - len(body))
    assert browser.post("/progress", data=at_most).get_json()["ok"]
    assert "larger than 128 KB" in browser.post("/progress", data=at_most + " ").get_json()["error"]["says"]
    assert browser.post("/progress", data=at_most + "  ").status_code == 413


def test_answers_are_kept_by_nobody_on_the_way(browser: FlaskClient) -> None:
    """Neither the code nor what is under it."""
    for response in (
        browser.post("/progress", data=json.dumps(WHOLE)),
        browser.post("/progress/fetch", json={"code": "ABCDEFGH"}),
    ):
        assert response.cache_control.no_store


# --- the document --------------------------------------------------------------------------------


def changed(part: str, value: object) -> bytes:
    return json.dumps(WHOLE | {part: value}).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "should be an object"),
        (b"[" * 100_000, "Invalid JSON"),
        (b'{"version": 1, "version": 2}', "version"),
        (changed("version", 2), "version"),
        (changed("name", "Ada"), "name: Extra inputs"),
        (changed("steps", []), "steps"),
        (changed("steps", {"<b>": STEP}), "steps.<b>"),
        (changed("steps", {"one/look@1\n": STEP}), "steps"),
        (changed("steps", {"one/look@1": STEP | {"done": "yes"}}), "done"),
        (changed("steps", {"one/look@1": STEP | {"tries": -1}}), "tries"),
        (changed("steps", {"one/look@1": STEP | {"at": 1e300}}), "at"),
        (changed("steps", {"one/look@1": STEP | {"prediction": "x" * 201}}), "prediction"),
        (changed("steps", {"one/look@1": STEP | {"who": "Ada"}}), "who"),
        (changed("quizzes", {"one/look@1": QUIZ}), "quizzes"),
        (changed("quizzes", {"one/look@1#q": QUIZ | {"whys": {"x": "y" * 501}}}), "whys"),
        (changed("quizzes", {"one/look@1#q": QUIZ | {"whys": {f"x{i}": "" for i in range(21)}}}), "whys"),
        (changed("drills", {"a b": DRILL}), "drills"),
        (changed("drills", {f"d{i}": DRILL for i in range(1500)}), "larger than"),
        (b'{"version": 1, "steps": {}, "quizzes": {}, "drills": NaN}', "drills"),
    ],
)
def test_what_is_no_progress_is_refused(body: bytes, says: str) -> None:
    """With the place of the fault."""
    if says == "larger than":
        body = body + b" " * progress.DOCUMENT_BYTES_MAX
    with pytest.raises(CommandRefused, match=says):
        read_document(body)


# --- the shelf -----------------------------------------------------------------------------------


def stored(store: Store) -> int:
    return int(store._database.execute("SELECT count(*) FROM progress").fetchone()[0])


def test_the_oldest_makes_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are kept and no more, also when they all came at one moment."""
    monkeypatch.setattr(progress, "KEPT_MAX", 3)
    store = Store(None)
    shelf = Shelf(store)
    body = json.dumps(WHOLE).encode()
    codes = [shelf.keep("me", body, 1000.0) for _ in range(5)]
    assert stored(store) == 3
    for code, is_kept in zip(codes, (False, False, True, True, True), strict=True):
        assert (store.kept_progress(code, 0) is not None) is is_kept


def test_who_is_too_fast_waits(clock: FakeClock) -> None:
    """One visitor's haste is his own; everybody's together is bounded too."""
    shelf = Shelf(Store(None))

    def tries(visitor: str, at: float = 0.0) -> str:
        with pytest.raises(CommandRefused) as refused:
            shelf.fetch(visitor, "ABCDEFGH", at)
        return str(refused.value)

    said = [tries("hasty") for _ in range(11)]
    assert ["too fast" in each for each in said] == [False] * 10 + [True]
    assert "too fast" not in tries("patient")
    assert "too fast" not in tries("hasty", 7.0)
    many = [tries(f"visitor {number}", 1000.0) for number in range(201)]
    assert ["too fast" in each for each in many] == [False] * 200 + [True]
    assert "too fast" not in tries("late", 1001.0)


def test_only_so_many_visitors_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who has asked for nothing for longest is forgotten."""
    monkeypatch.setattr(progress, "VISITORS_MAX", 3)
    shelf = Shelf(Store(None))
    for visitor in ("a", "b", "a", "c", "d"):
        with pytest.raises(CommandRefused):
            shelf.fetch(visitor, "ABCDEFGH", 0.0)
    assert list(shelf._visitors) == ["a", "c", "d"]


def test_it_survives_a_restart_and_an_older_file(tmp_path: Path) -> None:
    """A folder of a server that knew no progress goes on to be used, with its rooms."""
    store = Store(tmp_path)
    secret = store.secret()
    store.close()
    with sqlite3.connect(tmp_path / "rooms.sqlite") as database:
        database.execute("DROP TABLE progress")
    database.close()
    again = Store(tmp_path)
    code = Shelf(again).keep("me", json.dumps(WHOLE).encode(), 1000.0)
    again.close()
    later = Store(tmp_path)
    assert json.loads(Shelf(later).fetch("me", code, 2000.0)) == WHOLE
    assert later.secret() == secret
    later.close()


def test_nothing_says_whose_it_is(browser: FlaskClient, rooms: Rooms) -> None:
    """A code, a time, a document."""
    keep(browser)
    columns = [row[1] for row in rooms.store._database.execute("PRAGMA table_info(progress)")]
    assert columns == ["code", "kept_at", "document"]
