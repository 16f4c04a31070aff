"""Links, exports, files and frames as a browser meets them: over the real server's routes and sockets."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from flask_socketio import SocketIO, SocketIOTestClient

from server import exports, offline, resources, service, sharing, web, web_sharing
from server.play import Play
from server.rooms import Rooms
from server.run import Run
from server.scenario import read_scenario
from server.store import Store
from tests.conftest import FakeClock

LINK = "v=1&seed=7&set=fencing:off&do=500:write+x+1;2500:kill+A&end=4000"
HOSTILE = '</script><script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def rooms() -> Rooms:
    """Rooms of real runs, on a clock that stands still."""
    made = service.open_rooms(Store(None))
    made._clock = FakeClock()
    return made


@pytest.fixture
def site(rooms: Rooms) -> flask.Flask:
    app = web.create_app(rooms, service.CATALOGUE)
    app.testing = True
    return app


@pytest.fixture
def browser(site: flask.Flask) -> FlaskClient:
    return site.test_client()


Connect = Callable[..., SocketIOTestClient]


@pytest.fixture
def connect(site: flask.Flask) -> Iterator[Connect]:
    """Opens sockets with the cookies of an HTTP client, or with what a page says of itself."""
    socketio: SocketIO = site.extensions["socketio"]
    opened: list[SocketIOTestClient] = []

    def open_socket(browser: FlaskClient | None = None, auth: Any = None) -> SocketIOTestClient:
        socket = socketio.test_client(site, flask_test_client=browser, auth=auth)
        opened.append(socket)
        return socket

    yield open_socket
    for socket in opened:
        if socket.is_connected():
            socket.disconnect()


@pytest.fixture
def tab(browser: FlaskClient, connect: Connect) -> SocketIOTestClient:
    """A tab of a visitor who has opened the playground."""
    browser.get("/play")
    return connect(browser)


def ask(socket: SocketIOTestClient, name: str, **payload: object) -> Any:
    return socket.emit(name, payload, callback=True)


def keyframe(socket: SocketIOTestClient) -> Any:
    """The newest keyframe that a tab was sent."""
    return [event["args"][0] for event in socket.get_received() if event["name"] == "keyframe"][-1]


def run_of(rooms: Rooms) -> Run:
    """The run of the only room."""
    (room,) = rooms._rooms.values()
    assert isinstance(room.run, Play)
    return room.run.run


def let_pass(rooms: Rooms, seconds: float) -> None:
    """Time, as ticks make it pass."""
    clock = rooms._clock
    assert isinstance(clock, FakeClock)
    for _ in range(round(seconds / 0.05)):
        clock.now += 0.05
        for _ in rooms.tick():
            pass


# --- links ---------------------------------------------------------------------------------------


def test_a_link_begins_a_new_run_with_its_commands(rooms: Rooms, tab: SocketIOTestClient) -> None:
    """Playing, from nothing, with what is to come shown as a script; a switched-off rule is named."""
    let_pass(rooms, 2)
    assert ask(tab, "open", link=LINK) == {"ok": True}
    frame = keyframe(tab)
    assert (frame["start"]["seed"], frame["start"]["settings"]) == (7, {"fencing": False})
    assert (frame["now_us"], frame["playing"]) == (0, True)
    assert frame["state"]["run"]["modified"] == ["fencing"]
    assert [line["text"] for line in frame["script"]["lines"]] == ["write x 1", "kill A", "wait 1.5s"]
    let_pass(rooms, 3)
    assert run_of(rooms).commands == [(500_000, "write x 1"), (2_500_000, "kill A")]


def test_a_run_too_long_to_go_back_in_is_no_failure(
    rooms: Rooms, tab: SocketIOTestClient, browser: FlaskClient
) -> None:
    """Its history is refused in words; a browser has nothing to report."""
    let_pass(rooms, 2)
    rooms.limits = dataclasses.replace(rooms.limits, branch_events_max=10)
    answer = browser.get("/history.json")
    assert answer.status_code == 200
    assert answer.json["ok"] is False
    assert "too many to go back in it" in answer.json["error"]["says"]


def test_a_link_shows_a_moment(rooms: Rooms, tab: SocketIOTestClient, browser: FlaskClient) -> None:
    """The run stands still there, with what was before it; what is left of the script comes when it plays."""
    let_pass(rooms, 2)
    keyframe(tab)
    assert ask(tab, "open", link=f"{LINK}&look=2499.5") == {"ok": True}
    let_pass(rooms, 3)
    frame = keyframe(tab)
    assert (frame["now_us"], frame["playing"]) == (2_499_500, False)
    assert [line["done"] for line in frame["script"]["lines"]] == [True, False, False]
    there = Run(scenario=sharing.scenario_of(sharing.read_link(LINK), "again"))
    there.play_script(2_499_500)
    assert frame["state"] == there.picture.state
    history = browser.get("/history.json").get_json()
    assert [step["sequence"] for step in history["steps"]] == list(range(frame["sequence"] + 1))
    look = ask(tab, "share", look_us=600_000)["link"]
    assert look == "v=1&seed=7&set=fencing:off&do=500:write+x+1&end=2499.5&look=600"
    assert "still to come" in ask(tab, "share", look_us=2_499_501)["says"]
    assert ask(tab, "playback", action="play") == {"ok": True}
    let_pass(rooms, 2)
    assert run_of(rooms).commands == [(500_000, "write x 1"), (2_500_000, "kill A")]


def test_a_moment_that_is_looked_at_survives_the_server(tmp_path: Path) -> None:
    """Also one that was killed: where the room stands is noted when it has come there."""
    clock = FakeClock()
    for _ in range(2):
        house = service.open_rooms(Store(tmp_path))
        house._clock = clock
        house.open("key", "tab")
        if clock.now == FakeClock().now:
            house.begin("tab", *service.CATALOGUE.sharing.open_link(f"{LINK}&look=2s"))  # type: ignore[union-attr]
        let_pass(house, 1)
        (room,) = house._rooms.values()
        assert (room.run.now_us, room.playing) == (2_000_000, False)
        house.store.close()


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("", "does not name its version"),
        ("v=2&seed=7", "a newer version"),
        (LINK[:-9], "Was it cut off on its way?"),
        ("v=1&do=0:explode&end=0", "There is no command 'explode'"),
        ("v=1&set=nodes:99", "nodes"),
        ("v=1&" + "x" * 4_500, "4,000 are the most"),
        ("v=1&" + "x" * 9_000, "The field link may have at most 8000 characters."),
    ],
)
def test_a_bad_link_leaves_the_run_as_it_was(
    rooms: Rooms, tab: SocketIOTestClient, link: str, words: str
) -> None:
    """The answer says why, in a sentence."""
    let_pass(rooms, 2)
    before = run_of(rooms)
    answer = ask(tab, "open", link=link)
    assert answer["ok"] is False
    assert words in answer["error"]["says"]
    assert run_of(rooms) is before


def test_what_is_shared_is_the_run_as_it_is(rooms: Rooms, tab: SocketIOTestClient) -> None:
    """The script's commands and the visitor's, in one link that plays to the same trace."""
    assert ask(tab, "open", link=LINK)["ok"]
    let_pass(rooms, 1.33)
    assert ask(tab, "command", text="write y 2 by 2")["ok"]
    let_pass(rooms, 4)
    answer = ask(tab, "share")
    assert "fencing off" in answer["says"]
    shared = sharing.read_link(answer["link"])
    assert [each.text for each in shared.commands] == ["write x 1", "write y 2 by 2", "kill A"]
    again = Run(scenario=sharing.scenario_of(shared, "again"))
    again.play_script()
    run = run_of(rooms)
    run.advance(shared.end_us)
    assert again.simulation.trace_sha256() == run.simulation.trace_sha256()


def test_a_run_that_fits_into_no_link_says_so(rooms: Rooms, tab: SocketIOTestClient) -> None:
    """Instead of a link that was cut."""
    for number in range(90):
        for client in range(1, 3):
            assert ask(
                tab, "command", text=f"write somewhat-long-{number} a-rather-long-value-{number} by {client}"
            )
        let_pass(rooms, 2)
    answer = ask(tab, "share")
    assert answer["ok"] is True
    assert "link" not in answer
    assert "Use a scenario file instead" in answer["says"]


def test_what_was_brought_can_be_begun_again(rooms: Rooms, tab: SocketIOTestClient) -> None:
    """*Reset* plays the link anew; where there was none, that is refused."""
    answer = ask(tab, "restart", scenario="own")
    assert answer["error"]["says"] == "This run did not begin with a scenario of yours."
    assert ask(tab, "open", link=LINK)["ok"]
    assert keyframe(tab)["start"]["scenario"] == "own"
    let_pass(rooms, 3)
    assert ask(tab, "restart", scenario="own") == {"ok": True}
    frame = keyframe(tab)
    assert (frame["now_us"], frame["start"]["seed"]) == (0, 7)
    assert frame["script"]["lines"][0]["done"] is False


def test_a_run_from_a_link_survives_the_server(tmp_path: Path) -> None:
    """Its script is stored with the room."""
    clock = FakeClock()

    def open_rooms() -> Rooms:
        made = service.open_rooms(Store(tmp_path))
        made._clock = clock
        return made

    first = open_rooms()
    first.open("key", "tab")
    first.begin("tab", *service.CATALOGUE.sharing.open_link(LINK))  # type: ignore[union-attr]
    let_pass(first, 3)
    trace = run_of(first).simulation.trace_sha256()
    first.save()
    first.store.close()
    second = open_rooms()
    second.open("key", "tab")
    let_pass(second, 0.1)
    assert run_of(second).simulation.trace_sha256() == trace
    assert run_of(second).commands == [(500_000, "write x 1"), (2_500_000, "kill A")]


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", exports.KINDS)
def test_the_room_is_taken_away_as_a_file(
    rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient, name: str
) -> None:
    """A download, never shown as a page of ours and never kept."""
    assert ask(tab, "open", link=LINK)["ok"]
    let_pass(rooms, 4)
    response = browser.get(f"/export/{name}")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == f'attachment; filename="follow-the-leader-{name}"'
    assert response.headers["Cache-Control"] == "no-store"
    (room,) = rooms._rooms.values()
    assert response.text == "".join(exports.export(run_of(rooms), room.run.now_us, name)[1])


def test_the_scenario_file_plays_what_the_room_played(
    rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient
) -> None:
    """To the same trace, at the room's time."""
    assert ask(tab, "open", link=LINK)["ok"]
    let_pass(rooms, 1.7)
    assert ask(tab, "command", text="partition A | B C")["ok"]
    let_pass(rooms, 6)
    again = Run(scenario=read_scenario(browser.get("/export/scenario.yaml").text, "a test"))
    again.play_script()
    run = run_of(rooms)
    run.advance(again.now_us)
    assert again.simulation.trace_sha256() == run.simulation.trace_sha256()


def test_without_a_room_there_is_no_file(browser: FlaskClient, rooms: Rooms, connect: Connect) -> None:
    """Nobody's, one that is open nowhere, an unknown kind: a sentence each."""
    for path in ("/export/trace.json", "/export/replay.html"):
        answer = browser.get(path)
        assert answer.status_code == 409
        assert "Open the playground first" in answer.json["error"]["says"]
    browser.get("/play")
    assert "open in no tab" in browser.get("/export/trace.json").json["error"]["says"]
    connect(browser)
    assert "There is no export called nonsense" in browser.get("/export/nonsense").json["error"]["says"]


def bring(browser: FlaskClient, body: bytes | str) -> Any:
    """Opens a scenario file."""
    return browser.post("/scenario", data=body, content_type="application/yaml")


def test_a_scenario_file_begins_a_new_run(
    rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient
) -> None:
    """In every tab of the room."""
    let_pass(rooms, 2)
    text = "title: 'Mine: ü'\nseed: 99\nsettings: {nodes: 5}\nscript: [wait 1s, write x 1, wait 2s]"
    assert bring(browser, text).json == {"ok": True}
    frame = keyframe(tab)
    assert (frame["start"]["seed"], frame["script"]["title"]) == (99, "Mine: ü")
    assert list(frame["state"]["nodes"]) == list("ABCDE")
    # Some editors begin a file with this mark.
    assert bring(browser, b"\xef\xbb\xbfseed: 5").json == {"ok": True}, (
        "with the mark that some editors write"
    )
    assert keyframe(tab)["start"]["seed"] == 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"script: [kil A]", "There is no command 'kil'. Did you mean kill?"),
        (b"seed: [", "this is not YAML"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        (b"\x00" * 100, "this is not YAML"),
        (b"[" * 100_000, "this is not YAML"),
        (b"seed: 0x" + b"f" * 5_000, "a number in it is too long"),
        (b"x" * (web_sharing.FILE_BYTES_MAX + 1), "larger than 200 KB"),
        (b"", "a scenario is a mapping"),
        (b"title: !!python/object/apply:os.system ['true']", "this is not YAML"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_file_leaves_the_run_as_it_was(
    rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient, body: bytes, words: str
) -> None:
    """Refused with the reader's own sentence."""
    before = run_of(rooms)
    answer = bring(browser, body).json
    assert answer["ok"] is False
    assert words in answer["error"]["says"]
    assert len(answer["error"]["says"]) < 600
    assert run_of(rooms) is before


def test_a_huge_file_is_not_even_read(rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient) -> None:
    """5 MB: refused before anything looks at it; other routes stay as narrow as they were."""
    before = run_of(rooms)
    answer = bring(browser, b"x" * 5_000_000)
    assert answer.status_code == 413
    assert "at most" in answer.text
    assert browser.post("/play", data=b"x" * 100_000).status_code == 413
    assert run_of(rooms) is before


def test_another_site_cannot_begin_a_run(site: flask.Flask, rooms: Rooms, tab: SocketIOTestClient) -> None:
    """It cannot send the cookie, and so has no room here."""
    before = run_of(rooms)
    assert "does not know this room" in bring(site.test_client(), "seed: 5").json["error"]["says"]
    assert run_of(rooms) is before


# --- a recording ---------------------------------------------------------------------------------


class Parts(HTMLParser):
    """The scripts, styles and policy of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.policy = ""
        self.inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "script":
            self.scripts.append((values, ""))
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        assert not [name for name in values if name.startswith("on")], values
        self.inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self.inside = None

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self.inside == "style":
            self.styles.append(data)


def is_left_out(name: str) -> bool:
    return offline.LEFT_OUT.fullmatch(name.removeprefix("app/")) is not None


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.fixture
def replay(rooms: Rooms, browser: FlaskClient, tab: SocketIOTestClient) -> str:
    """The recording of a run whose title would break out if it could."""
    text = f"title: {json.dumps(HOSTILE)}\nseed: 7\nscript: [wait 500ms, write x 1, wait 2s, kill A, wait 8s]"
    assert bring(browser, text).json == {"ok": True}
    let_pass(rooms, 6)
    response = browser.get("/export/replay.html")
    assert response.headers["Content-Disposition"].startswith("attachment")
    return response.text


def test_a_recording_is_one_file_that_asks_for_nothing(replay: str) -> None:
    """Every script and style is in it, and its policy allows exactly these."""
    parts = Parts(replay)
    kinds = [attributes.get("type") for attributes, _ in parts.scripts]
    assert kinds == ["application/json", "importmap", "module"]
    assert all("src" not in attributes for attributes, _ in parts.scripts)
    for _, text in parts.scripts[1:]:
        assert digest(text) in parts.policy
    assert digest("".join(parts.styles)) in parts.policy
    assert parts.policy.startswith("default-src 'none';")
    assert "unsafe" not in parts.policy
    assert not re.search(r'(?:src|href)\s*=\s*"(?!data:|#)', replay.split("<body", 1)[1])
    modules = json.loads(parts.scripts[1][1])["imports"]
    for name, address in modules.items():
        source = base64.b64decode(address.removeprefix("data:text/javascript;base64,")).decode()
        wanted = re.findall(r'"(app/[^"]+\.js)"', source)
        assert not [each for each in wanted if each not in modules and not is_left_out(each)], name
        assert not re.search(r'(from|import\()\s*"\.', source), name
        assert "socket.io" not in source, name


def test_a_recording_holds_the_run(replay: str, rooms: Rooms) -> None:
    """Every step from the first document on, and what is known of it."""
    (room,) = rooms._rooms.values()
    recording = json.loads(Parts(replay).scripts[0][1])
    assert [step["sequence"] for step in recording["steps"]] == list(range(room.run.event_count))
    assert recording["state"]["nodes"] == {}
    assert recording["now_us"] == room.run.now_us
    assert recording["title"] == HOSTILE
    assert sharing.read_link(recording["link"]).seed == 7


def test_nothing_breaks_out_of_a_recording(replay: str) -> None:
    """A title with markup is text wherever it stands."""
    assert "<script>alert" not in replay
    assert "<img src=x" not in replay
    assert unescape(re.search(r"<title>(.*?)</title>", replay)[1]).startswith(HOSTILE)  # type: ignore[index]


def test_every_module_of_the_page_can_be_put_into_a_file() -> None:
    """Also those that are loaded when they are first needed; none twice under two names."""
    found = offline.modules(resources.folder("static") / "js")
    assert {"page.js", "store.js", "connection.js", "diagram/diagram.js", "panels/replay.js"} <= set(found)
    assert "recording" in found["connection.js"]
    assert "recording.js" not in found
    assert not any("import.meta" in source for source in found.values())
    assert not any(map(is_left_out, found))


# --- frames --------------------------------------------------------------------------------------


def token_of(page: str) -> str:
    found = re.search(r'data-room="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_only_the_frame_may_be_framed(browser: FlaskClient) -> None:
    """By anybody; every other page by nobody. It gives out no cookie and is never kept."""
    response = browser.get(f"/embed?{LINK}")
    assert "frame-ancestors *;" in response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in response.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    for path in ("/", "/play", "/healthz", "/nowhere", "/export/trace.json"):
        assert "frame-ancestors 'none'" in browser.get(path).headers["Content-Security-Policy"]


def test_a_frame_carries_its_link_and_no_markup(browser: FlaskClient) -> None:
    """Whatever stands in the address is an attribute's text."""
    page = browser.get(f"/embed?{LINK}&theme=dark").text
    assert f'data-link="{LINK.replace("&", "&amp;")}"' in page
    assert 'data-theme="dark"' in page
    assert "data-theme" not in browser.get("/embed?theme=evil").text
    for path in ('/embed?v=1"><script>alert(1)</script>', '/embed/"><script>alert(1)</script>'):
        assert "<script>alert" not in browser.get(path).text
    assert 'data-scenario="async-loss"' in browser.get("/embed/async-loss").text


def test_a_lesson_in_a_frame(browser: FlaskClient, connect: Connect) -> None:
    """Framed by anybody, without a cookie, with a room of its own that the lesson opens in."""
    response = browser.get("/embed/lost-after-ok/bet?theme=light")
    assert "frame-ancestors *;" in response.headers["Content-Security-Policy"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert 'data-lesson="lost-after-ok"' in response.text
    assert 'data-step="bet" data-next' in response.text
    assert 'data-theme="light"' in response.text
    assert 'class="top"' not in response.text
    frame = connect(None, auth={"room": token_of(response.text)})
    assert ask(frame, "lesson", action="open", lesson="lost-after-ok", step="bet")["ok"]
    assert keyframe(frame)["lesson"]["step"] == "bet"
    later = browser.get("/embed/lost-after-ok/bet?step=fix").text
    assert 'data-step="fix" data-next' in later, "a frame that is loaded anew is where its learner was"
    assert 'data-lesson="keep-consistent"' in browser.get("/embed/keep-consistent").text
    both = browser.get("/embed/old-leader-returns").text
    assert 'data-lesson="old-leader-returns"' in both, "the lesson, where a scenario is called the same"


def test_a_frame_of_what_is_not_there(browser: FlaskClient) -> None:
    """A page that can be read in the frame, with the visitor's text as text."""
    for path, says in {
        "/embed/gone": "There is no lesson and no scenario called gone here.",
        "/embed/lag/gone": "The lesson lag has no step called gone.",
        "/embed/async-loss/gone": "There is no lesson called async-loss here, and a scenario has no steps.",
        "/embed/<b>": "There is no lesson and no scenario called &lt;b&gt; here.",
    }.items():
        response = browser.get(path)
        assert response.status_code == 404
        assert says in response.text
        assert all('target="_blank"' in link for link in re.findall(r"<a (?!class=.skip).*?>", response.text))
        assert "<header" not in response.text
        assert "<script" not in response.text
        assert "frame-ancestors *;" in response.headers["Content-Security-Policy"]


def test_a_page_that_is_not_there_leads_on(browser: FlaskClient) -> None:
    """In the site's own looks, in the theme that was chosen, and without a program."""
    browser.set_cookie("theme", "dark")
    for path, says in {
        "/nothing": "There is no such page here.",
        "/lessons/gone": "There is no lesson called gone here.",
        "/interview/gone": "There is no question called gone here.",
        "/challenges/<b>": "There is no challenge called &lt;b&gt; here.",
    }.items():
        response = browser.get(path)
        assert response.status_code == 404
        header, main = response.text.split("<main")
        assert '<header class="top">' in header
        assert 'data-theme="dark"' in header
        assert f"<h1>{says}</h1>" in main
        for way in ("/lessons", "/interview", "/play"):
            assert f'<a href="{way}">' in main
        assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)", response.text)
    assert browser.get("/lessons/gone.json").json == {
        "ok": False,
        "error": {"says": "There is no lesson called gone here."},
    }


def test_a_frame_has_a_room_of_its_own(
    rooms: Rooms, browser: FlaskClient, connect: Connect, tab: SocketIOTestClient
) -> None:
    """Also beside the visitor's own cookie, which a frame of the same site does send."""
    first, second = (token_of(browser.get("/embed").text) for _ in range(2))
    assert first != second
    frame = connect(browser, auth={"room": first})
    assert rooms.count() == 2
    assert ask(frame, "open", link="v=1&seed=4242")["ok"]
    assert keyframe(frame)["start"]["seed"] == 4242
    assert keyframe(tab)["start"]["seed"] != 4242
    assert ask(tab, "share")["link"] != ask(frame, "share")["link"]


def test_a_frame_says_its_token_and_no_other_is_taken(
    site: flask.Flask, rooms: Rooms, browser: FlaskClient, connect: Connect
) -> None:
    """A forged one is refused, even beside a good cookie; the history of a frame's room asks for its own."""
    browser.get("/play")
    for forged in ("", "x", "a" * 43 + "." + "b" * 43, "ü.ü"):
        assert not connect(browser, auth={"room": forged}).is_connected()
    assert connect(browser, auth={"room": 17}).is_connected(), "not a token at all: the cookie counts"
    token = token_of(browser.get("/embed").text)
    frame = connect(None, auth={"room": token})
    assert ask(frame, "open", link="v=1&seed=4242")["ok"]
    stranger = site.test_client()
    assert stranger.get("/history.json").status_code == 409
    history = stranger.get("/history.json", headers={web_sharing.TOKEN_HEADER: token})
    assert history.json["state"]["run"]["seed"] == 4242
