"""Pages, headers, cookies, and what the socket does with good and bad messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from flask_socketio import SocketIO, SocketIOTestClient

from server import web
from tests.conftest import House

VALID = {"text": "write x 1"}


def complete(text: str, nodes: Sequence[str], clients: Sequence[str]) -> tuple[list[str], str]:
    return ([word for word in ("replication", "reads") if word.startswith(text)], "set <setting> <value>")


@pytest.fixture
def site(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> flask.Flask:
    """The application over fake runs, with pages and files of its own."""
    for name, content in {
        "templates/home.html": "<title>Home</title>{{ url_for('static', filename='js/a.js') }}",
        "templates/play.html": "<!doctype html><title>Play</title>",
        "templates/missing.html": "<h1>{{ says }}</h1>",
        "static/js/a.js": "export const a = 1;\n" * 100,
        "static/css/a.css": "a { color: red }\n" * 100,
        "static/picture.png": "not really a picture " * 100,
        "static/vendor/.lock": "hidden",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr("server.resources.folder", lambda name: tmp_path / name)
    catalogue = web.Catalogue(
        scenarios=lambda: [{"id": "async-loss", "title": "A promise made too early", "about": "…"}],
        language=lambda: {"commands": [], "settings": []},
        complete=complete,
    )
    app = web.create_app(house.rooms, catalogue)
    app.testing = True
    return app


@pytest.fixture
def browser(site: flask.Flask) -> FlaskClient:
    """An HTTP client that keeps cookies."""
    return site.test_client()


Connect = Callable[..., SocketIOTestClient]


@pytest.fixture
def connect(site: flask.Flask) -> Iterator[Connect]:
    """Opens sockets as a browser would: with the cookies of an HTTP client."""
    socketio: SocketIO = site.extensions["socketio"]
    opened: list[SocketIOTestClient] = []

    def open_socket(browser: FlaskClient | None = None) -> SocketIOTestClient:
        socket = socketio.test_client(site, flask_test_client=browser)
        opened.append(socket)
        return socket

    yield open_socket
    for socket in opened:
        if socket.is_connected():
            socket.disconnect()


def received(socket: SocketIOTestClient, name: str) -> list[Any]:
    """The payloads of every event called `name` since the last look."""
    return [event["args"][0] for event in socket.get_received() if event["name"] == name]


def ask(socket: SocketIOTestClient, name: str, *payload: object) -> Any:
    """Send a message and give its acknowledgement."""
    return socket.emit(name, *payload, callback=True)


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/play"])
def test_a_page_gives_out_a_room_cookie_once(browser: FlaskClient, path: str) -> None:
    """256 random bits, kept from scripts and from other sites; a second visit keeps the same room."""
    response = browser.get(path)
    assert response.status_code == 200
    header = response.headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    assert "Secure" not in header
    value = re.match(r"room=([^;]+)", header)[1]  # type: ignore[index]
    assert len(value.partition(".")[0]) == 43, "32 bytes in base64"
    assert f"room={value};" in browser.get(path).headers["Set-Cookie"]


def test_the_cookie_is_secure_over_https(browser: FlaskClient) -> None:
    """And only there, or a plain local server could not be used."""
    assert "Secure" in browser.get("/", base_url="https://localhost").headers["Set-Cookie"]


def test_a_forged_cookie_is_replaced(browser: FlaskClient) -> None:
    """Only what this server signed is a room."""
    browser.set_cookie("room", "a" * 43 + "." + "b" * 43)
    assert "room=a" not in browser.get("/").headers["Set-Cookie"]


def test_a_visit_from_another_site_does_not_lose_the_room(browser: FlaskClient) -> None:
    """A Strict cookie is not sent on such a visit; the page loads itself again and then it is."""
    response = browser.get("/play", headers={"Sec-Fetch-Site": "cross-site"})
    assert "Set-Cookie" not in response.headers
    assert b'http-equiv="refresh"' in response.data
    browser.get("/play", headers={"Sec-Fetch-Site": "same-origin"})
    assert b"<title>Play" in browser.get("/play", headers={"Sec-Fetch-Site": "cross-site"}).data


@pytest.mark.parametrize("path", ["/", "/play", "/nowhere", "/healthz", "/static/js/a.js", "/scenarios.json"])
def test_every_answer_carries_the_strict_headers(browser: FlaskClient, path: str) -> None:
    """No inline code, nothing from elsewhere, no framing, no guessing of types."""
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "microphone=()" in headers["Permissions-Policy"]
    assert "media-src" not in policy


def test_a_strange_host_does_not_reach_the_policy(browser: FlaskClient) -> None:
    """The host header is the visitor's text: only a plain host is repeated."""
    good = browser.get("/", headers={"Host": "example.test:8080"}).headers["Content-Security-Policy"]
    assert "connect-src 'self' ws://example.test:8080 wss://example.test:8080;" in good
    bad = browser.get("/", headers={"Host": "x;script-src *"}).headers["Content-Security-Policy"]
    assert "script-src *" not in bad


def test_what_is_not_there_is_said_kindly(browser: FlaskClient) -> None:
    """A page that says so; JSON where JSON was asked for; never the visitor's own text."""
    response = browser.get("/<script>alert(1)</script>")
    assert response.status_code == 404
    assert b"no such page" in response.data
    assert b"<script" not in response.data
    answer = browser.get("/nowhere.json")
    assert answer.status_code == 404
    assert answer.json == {"ok": False, "error": {"says": "There is no such page here."}}
    assert browser.post("/play").status_code == 405


def test_health_and_data(browser: FlaskClient) -> None:
    """What monitors and pages look up, checked by tag when asked again."""
    assert browser.get("/healthz").json == {"ok": True, "rooms": 0}
    for path in ("/scenarios.json", "/language.json"):
        response = browser.get(path)
        assert response.is_json
        again = browser.get(path, headers={"If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304


# --- static files --------------------------------------------------------------------------------


def test_versioned_files_are_kept_for_ever_and_others_checked(browser: FlaskClient) -> None:
    """`url_for` names the version; plain and outdated names work and are never kept unchecked."""
    url = re.search(r"/static/v-\w+/js/a\.js", browser.get("/").text)[0]  # type: ignore[index]
    versioned = browser.get(url)
    assert versioned.status_code == 200
    assert versioned.mimetype == "text/javascript"
    assert versioned.cache_control.immutable
    assert versioned.cache_control.max_age == web.YEAR_SECONDS
    for path in ("/static/js/a.js", "/static/v-0123456789abcdef/js/a.js"):
        plain = browser.get(path)
        assert plain.data == versioned.data
        assert plain.cache_control.no_cache
        assert not plain.cache_control.immutable
        again = browser.get(path, headers={"If-None-Match": plain.headers["ETag"]})
        assert again.status_code == 304


def test_a_changed_file_changes_the_version(site: flask.Flask, browser: FlaskClient, tmp_path: Path) -> None:
    """So a browser never mixes two states of the code."""
    before = browser.get("/").text
    (tmp_path / "static/css/a.css").write_text("a { color: blue }")
    assert browser.get("/").text != before


def test_text_is_compressed_and_pictures_are_not(browser: FlaskClient) -> None:
    """Compressed answers are still checked by tag."""
    wanted = {"Accept-Encoding": "br, gzip"}
    script = browser.get("/static/js/a.js", headers=wanted)
    assert script.headers["Content-Encoding"] == "br"
    assert "Accept-Encoding" in script.headers["Vary"]
    assert len(script.data) < 200
    again = browser.get("/static/js/a.js", headers={**wanted, "If-None-Match": script.headers["ETag"]})
    assert again.status_code == 304
    assert "Content-Encoding" not in browser.get("/static/picture.png", headers=wanted).headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../templates/home.html",
        "/static/%2e%2e/templates/home.html",
        "/static/vendor/.lock",
        "/static/",
    ],
)
def test_only_static_files_are_served(browser: FlaskClient, path: str) -> None:
    """No way out of the folder, and no hidden file."""
    assert browser.get(path).status_code == 404


# --- the socket ----------------------------------------------------------------------------------


def test_two_tabs_of_one_browser_are_in_one_room(
    browser: FlaskClient, connect: Connect, house: House
) -> None:
    """What one asks for, both see; another browser sees nothing of it."""
    browser.get("/play")
    first, second = connect(browser), connect(browser)
    stranger_browser = first.app.test_client()
    stranger_browser.get("/")
    stranger = connect(stranger_browser)
    assert [len(received(socket, "keyframe")) for socket in (first, second, stranger)] == [1, 1, 1]
    assert house.rooms.count() == 2
    assert ask(first, "command", VALID) == {"ok": True}
    for socket in (first, second):
        (frame,) = received(socket, "frame")
        assert frame["steps"][-1]["text"] == "You said write x 1."
    assert received(stranger, "frame") == []


def test_without_a_cookie_the_socket_is_refused_in_words(browser: FlaskClient, connect: Connect) -> None:
    """No cookie and a forged one: told to reload, and disconnected."""
    for value in ("", "a" * 43 + "." + "b" * 43, "ä", "." * 500):
        browser.set_cookie("room", value)
        socket = connect(browser)
        (closing,) = [event for event in socket.queue if event["name"] == "room.closed"]
        assert closing["args"] == [{"says": web.UNKNOWN_ROOM}]
        assert not socket.is_connected()
    assert not connect(None).is_connected()


def test_every_message_is_answered(browser: FlaskClient, connect: Connect, house: House) -> None:
    """The five messages that there are, as the page sends them."""
    browser.get("/")
    socket = connect(browser)
    socket.get_received()
    assert ask(socket, "playback", {"action": "pause"}) == {"ok": True}
    assert received(socket, "frame")[-1]["playing"] is False
    assert ask(socket, "playback", {"action": "step"}) == {"ok": True}
    assert received(socket, "frame")[-1]["steps"][0]["name"] == "beat"
    assert ask(socket, "playback", {"action": "speed", "speed": 20}) == {"ok": True}
    assert ask(socket, "resync", {}) == {"ok": True}
    assert received(socket, "keyframe")[0]["speed"] == 20
    assert ask(socket, "restart", {"seed": 7, "settings": {"replication": "sync"}}) == {"ok": True}
    assert received(socket, "keyframe")[0]["start"]["seed"] == 7
    answer = ask(socket, "complete", {"text": "repl"})
    assert answer == {"ok": True, "completions": ["replication"], "hint": "set <setting> <value>"}


def test_a_refusal_says_what_is_wrong(browser: FlaskClient, connect: Connect) -> None:
    """The run's own sentence, with the word at fault where the language names one."""
    browser.get("/")
    answer = ask(connect(browser), "command", {"text": "nonsense"})
    assert answer == {
        "ok": False,
        "error": {"says": "There is no command nonsense.", "word": None, "at": None, "fits": []},
    }


GARBAGE: list[tuple[Any, ...]] = [
    ("command",),
    ("command", None),
    ("command", "write x 1"),
    ("command", ["write x 1"]),
    ("command", {}),
    ("command", {"text": 5}),
    ("command", {"text": None}),
    ("command", {"text": "x" * 201}),
    ("command", {"text": "write x 1", "colour": "red"}),
    ("command", {"text": {"text": "write x 1"}}),
    ("command", VALID, VALID),
    ("command", b"write x 1"),
    ("command", {"text": b"write x 1"}),
    ("playback", {"action": "rewind"}),
    ("playback", {"action": "speed"}),
    ("playback", {"action": "speed", "speed": 0}),
    ("playback", {"action": "speed", "speed": 20.1}),
    ("playback", {"action": "speed", "speed": "1"}),
    ("playback", {"action": "speed", "speed": True}),
    ("playback", {"action": "speed", "speed": float("nan")}),
    ("playback", {"action": "speed", "speed": float("inf")}),
    ("playback", {"action": "speed", "speed": 10**400}),
    ("restart", {"seed": -1}),
    ("restart", {"seed": 2**53}),
    ("restart", {"seed": 1.5}),
    ("restart", {"settings": ["replication"]}),
    ("restart", {"settings": {"replication": {"a": 1}}}),
    ("restart", {"settings": {str(number): 1 for number in range(41)}}),
    ("restart", {"scenario": ""}),
    ("restart", {"scenario": "missing"}),
    ("resync", {"now": True}),
    ("complete", {}),
    ("why", {}),
    ("why", {"operation": -1}),
    ("message", "hello"),
    ("json", {}),
    ("*", {}),
    ("", {}),
    ("__proto__", {}),
    ("server_info", {"x": "y" * 1000}),
]


@pytest.mark.parametrize("message", GARBAGE, ids=lambda message: repr(message)[:50])
def test_garbage_is_refused_and_changes_nothing(
    message: tuple[Any, ...],
    browser: FlaskClient,
    connect: Connect,
    house: House,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One clear sentence, no traceback, no event, no frame."""
    browser.get("/")
    socket = connect(browser)
    socket.get_received()
    answer = ask(socket, *message)
    assert answer["ok"] is False
    assert 10 < len(answer["error"]["says"]) < 300
    assert answer["error"]["says"].endswith(".")
    assert socket.get_received() == []
    assert caplog.records == []
    assert all(room.run.event_count == 0 for room in house.rooms._rooms.values())
    assert ask(socket, "command", VALID) == {"ok": True}


def test_refusals_name_the_field(browser: FlaskClient, connect: Connect) -> None:
    """So that whoever writes a client knows where to look."""
    browser.get("/")
    socket = connect(browser)
    for payload, words in [
        ({}, "field text is missing"),
        ({"text": 5}, "field text"),
        ({"text": "x" * 201}, "at most 200 characters"),
        ({"text": "x", "colour": 1}, "no field colour"),
    ]:
        assert words in ask(socket, "command", payload)["error"]["says"]
    assert "0.05 to 20" in ask(socket, "playback", {"action": "speed", "speed": 99})["error"]["says"]
    assert "'play'" in ask(socket, "playback", {"action": "go"})["error"]["says"]
    assert "field sequence is missing" in ask(socket, "why", {})["error"]["says"]


def test_ten_thousand_clicks(browser: FlaskClient, connect: Connect, house: House) -> None:
    """Each is answered; those over the rate are refused by name; the room goes on."""
    browser.get("/")
    socket = connect(browser)
    answers = [ask(socket, "command", VALID)["ok"] for _ in range(10_000)]
    assert answers.count(True) == 100
    house.clock.now += 1
    assert ask(socket, "command", VALID) == {"ok": True}


def test_a_fault_of_ours_is_answered_and_logged(
    browser: FlaskClient,
    connect: Connect,
    house: House,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception inside a handler does not end the connection."""
    browser.get("/")
    socket = connect(browser)

    def broken(connection: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.rooms, "resync", broken)
    answer = ask(socket, "resync", {})
    assert answer["ok"] is False
    assert "Something went wrong" in answer["error"]["says"]
    assert "could not be handled" in caplog.text
    assert ask(socket, "command", VALID) == {"ok": True}


def test_ticking_goes_on_after_a_fault(
    site: flask.Flask,
    browser: FlaskClient,
    connect: Connect,
    house: House,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be sent is logged; time passes all the same, in every room."""
    browser.get("/")
    socket = connect(browser)
    socket.get_received()
    sockets: web.Sockets = site.extensions["sockets"]
    (room,) = house.rooms._rooms.values()
    assert ask(socket, "command", VALID) == {"ok": True}
    room.run.state["unsendable"] = object()  # type: ignore[index]
    room.tabs[next(iter(room.tabs))].needs_keyframe = True
    house.clock.now += 0.3
    sockets.tick()
    assert "A tick failed" in caplog.text
    del room.run.state["unsendable"]  # type: ignore[attr-defined]
    house.clock.now += 0.3
    sockets.tick()
    assert received(socket, "frame")[-1]["now_us"] == pytest.approx(600_000, abs=2)


def test_a_closed_tab_leaves_its_room(browser: FlaskClient, connect: Connect, house: House) -> None:
    """Its slot is free again."""
    browser.get("/")
    for _ in range(3 * house.rooms.limits.connections_max):
        connect(browser).disconnect()
    assert connect(browser).is_connected()
    assert all(len(room.tabs) == 1 for room in house.rooms._rooms.values())


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "2", "2{}", "2[]", "2[1]", '2[["command"]]', '2["command"', "2" + "[" * 5000, "9[]", "4{}",
        "5", "6", '51-["command",{"_placeholder":true,"num":0}]', '5999-["command"]', "2" + "9" * 150 + "[]",
        "2nan", b"\x00\xff", None, 7, '2["*"]', '2["connect"]', '2["disconnect"]',
    ],
)  # fmt: skip
def test_a_packet_that_cannot_be_read_becomes_one_that_nobody_knows(text: object) -> None:
    """It is refused like any unknown message instead of raising inside the socket library."""
    packet = web.CarefulPacket(encoded_packet=text) if text else web.CarefulPacket()
    if text:
        assert (packet.packet_type, packet.data, packet.attachment_count) == (2, [""], 0)
