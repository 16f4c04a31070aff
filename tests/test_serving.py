"""The real server process: it starts, plays, withstands garbage, remembers rooms, and ends cleanly."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from tests.serving import ROOT, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all tests of this file that do not end it."""
    with Server() as server:
        yield server


def visit(server: Server) -> str:
    """A new visitor's cookie, as a header."""
    response = requests.get(f"{server.url}play", timeout=10)
    assert response.status_code == 200
    return f"room={response.cookies['room']}"


class Tab:
    """A bare WebSocket that speaks just enough Socket.IO; what it sends may be anything."""

    def __init__(self, server: Server, cookie: str | None = None, **options: Any) -> None:
        address = f"{server.url.replace('http', 'ws', 1)}socket.io/?EIO=4&transport=websocket"
        self.waiting: list[str] = []
        self.socket = websocket.create_connection(address, timeout=10, cookie=cookie, **options)
        self.raw = self.socket.sock
        assert self.socket.recv().startswith("0")  # type: ignore[union-attr]
        self.socket.send("40")

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        if self.raw is not None:
            self.raw.close()  # After a reset the library gives it up without closing it.

    def until(self, is_wanted: Callable[[str], bool]) -> str:
        """The first packet that is wanted, of those that came and those to come; the rest may wait."""
        for place, text in enumerate(self.waiting):
            if is_wanted(text):
                return self.waiting.pop(place)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            text = str(self.socket.recv())
            if text == "2":
                self.socket.send("3")
            elif is_wanted(text):
                return text
            else:
                self.waiting.append(text)
        raise AssertionError("the wanted packet did not come")

    def event(self, name: str) -> Any:
        """The payload of the next event called `name`."""
        return json.loads(self.until(lambda text: text.startswith(f'42["{name}"'))[2:])[1]

    def ask(self, name: str, payload: object, number: int = 7) -> Any:
        """Send a message and give its acknowledgement."""
        self.socket.send(f"42{number}{json.dumps([name, payload])}")
        return json.loads(self.until(lambda text: text.startswith(f"43{number}"))[2 + len(str(number)) :])[0]


def is_well(server: Server) -> bool:
    """Whether the server answers and has complained of nothing since this was last asked."""
    is_alive = requests.get(f"{server.url}healthz", timeout=10).json()["ok"]
    complaints = [server.errors.pop(0) for _ in range(len(server.errors))]
    assert "".join(complaints) == ""
    return is_alive is True


def test_a_command_is_carried_out_and_seen_in_the_other_tab(server: Server) -> None:
    """Two tabs of one visitor, over real sockets and with the real core."""
    cookie = visit(server)
    with Tab(server, cookie) as first, Tab(server, cookie) as second:
        keyframe = first.event("keyframe")
        assert list(keyframe["state"]["nodes"]) == ["A", "B", "C"]
        assert second.event("keyframe")["number"] == 1
        assert first.ask("command", {"text": "write x 1"}) == {"ok": True}
        second.until(lambda text: '"command.accepted"' in text)
        answer = first.ask("command", {"text": "kill the leeder"})
        assert answer["ok"] is False
        assert answer["error"]["says"]
    assert is_well(server)


def test_virtual_time_keeps_pace(server: Server) -> None:
    """Frames come by themselves, numbered without a gap, at about the speed of the clock on the wall."""
    with Tab(server, visit(server)) as tab:
        began, first = time.monotonic(), tab.event("keyframe")
        frames = [tab.event("frame") for _ in range(20)]
        passed_us = (time.monotonic() - began) * 1_000_000
        assert [frame["number"] for frame in frames] == list(range(first["number"] + 1, first["number"] + 21))
        assert frames[-1]["now_us"] - first["now_us"] == pytest.approx(passed_us, abs=600_000)


def test_without_a_cookie_the_visitor_is_told_to_reload(server: Server) -> None:
    """Over the real socket the reason arrives before the end of the connection."""
    with Tab(server) as tab:
        assert "Reload the page" in tab.event("room.closed")["says"]
    with Tab(server, "room=" + "a" * 86) as tab:
        assert "Reload the page" in tab.event("room.closed")["says"]
    assert is_well(server)


PACKETS: list[str | bytes] = [
    "", "9", "x", "4", "4x", "42", "42{}", "42[]", "42[1]", '42[["command"]]', '42["command"',
    "42" + "[" * 5_000, "49", "44{}", "45", "451-[]", '451-["command",{"_placeholder":true,"num":0}]',
    '459999-["x"]', "46", "42" + "9" * 150 + '["command"]', "43", "4399[]", "43-1[]", "1", "5", "6", "0{}",
    "40/admin,", "41/admin,", "40{}", '42/admin,["command"]', b"", b"\x00", b"\xff" * 100, b"4\x00", "42\x00",
    '42["*",{}]', '42["connect"]', '42["end"]', '42["command",{"text":"\\ud800"}]', '42["command",NaN]',
    "😀" * 100,
]  # fmt: skip


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: repr(packet)[:40])
def test_garbage_leaves_no_trace(server: Server, packet: str | bytes) -> None:
    """Whatever a socket is sent, nobody else notices and nothing is written to the error output."""
    cookie = visit(server)
    with Tab(server, cookie) as good, Tab(server, cookie) as bad:
        good.event("keyframe")
        bad.event("keyframe")
        if isinstance(packet, bytes):
            bad.socket.send_binary(packet)
        else:
            bad.socket.send(packet)
        answer = good.ask("playback", {"action": "pause"})
        assert answer == {"ok": True}
    assert is_well(server)


@pytest.mark.parametrize("size", [60_000, 70_000, 5_000_000])
def test_huge_messages_are_refused(server: Server, size: int) -> None:
    """Below the limit by the schema, above it by the socket; either way the server lives on."""
    cookie = visit(server)
    with Tab(server, cookie) as tab:
        tab.event("keyframe")
        message = json.dumps(["command", {"text": "x" * size}])
        if size < 64 * 1024:
            tab.socket.send(f"421{message}")
            assert "at most 200 characters" in tab.until(lambda text: text.startswith("431"))
        else:
            with pytest.raises((websocket.WebSocketException, OSError)):  # noqa: PT012
                tab.socket.send(f"421{message}")
                while tab.socket.recv() != "":
                    pass
                raise websocket.WebSocketConnectionClosedException
    assert is_well(server)


def test_http_garbage_leaves_no_trace(server: Server) -> None:
    """Broken polling requests, foreign origins and half a request."""
    polling = f"{server.url}socket.io/?EIO=4&transport=polling"
    session = re.search(r'"sid":"([^"]+)"', requests.get(polling, timeout=10).text)[1]  # type: ignore[index]
    for url, body in [
        (polling, b"garbage"),
        (f"{polling}&sid=nobody", b"40"),
        (f"{polling}&sid={session}", b"\xff\xfe"),
        (f"{polling}&sid={session}", b"\x1e".join([b"42[]"] * 1_000)),
        (f"{polling}&sid={session}", b"x" * 100_000),
        (f"{server.url}socket.io/?EIO=3&transport=polling", b""),
        (f"{server.url}socket.io/?EIO=4&transport=pigeon", b""),
        (f"{server.url}play", b"x" * 100_000),
    ]:
        assert requests.post(url, data=body, timeout=10).status_code in (200, 400, 405, 413)
    foreign = requests.get(polling, headers={"Origin": "http://elsewhere.test"}, timeout=10)
    assert foreign.status_code == 400
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Origin": "http://elsewhere.test",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Cookie": visit(server),
    }
    foreign = requests.get(polling.replace("polling", "websocket"), headers=upgrade, timeout=10)
    assert foreign.status_code == 400
    host, port = server.url.removeprefix("http://").strip("/").split(":")
    for bytes_sent in (b"\x16\x03\x01\x00", b"GET / HTTP/1.1\r\nHost: x", b"NONSENSE\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(bytes_sent)
    assert is_well(server)


def test_ten_thousand_clicks_over_the_wire(server: Server) -> None:
    """All are answered; most are refused by name; another visitor's room does not feel it."""
    with Tab(server, visit(server)) as fast, Tab(server, visit(server)) as calm:
        calm.event("keyframe")
        fast.event("keyframe")
        answers = []
        for batch in range(100):
            for number in range(100):
                fast.socket.send(f'42{batch * 100 + number}["command",{{"text":"read x"}}]')
            for _ in range(100):
                answers.append(fast.until(lambda text: text.startswith("43")))
            assert batch % 50 or calm.ask("playback", {"action": "pause"}) == {"ok": True}
    assert len(answers) == 10_000
    accepted = sum('"ok":true' in answer for answer in answers)
    assert 100 <= accepted < 5_000
    refused = [answer for answer in answers if '"ok":true' not in answer]
    assert all("too fast" in answer or "unfinished" in answer for answer in refused)
    assert is_well(server)


def test_a_client_that_does_not_read_slows_nobody(server: Server) -> None:
    """Its room goes on for the visitor's other tab."""
    cookie = visit(server)
    with Tab(server, cookie) as stuck, Tab(server, cookie) as quick:
        quick.event("keyframe")
        assert quick.ask("playback", {"action": "speed", "speed": 20}) == {"ok": True}
        before = quick.event("frame")["now_us"]
        time.sleep(2)
        quick.ask("resync", {})
        assert quick.event("keyframe")["now_us"] - before > 20_000_000
        assert stuck.socket.connected
    assert is_well(server)


# --- starting and ending -------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_when_asked(how: signal.Signals) -> None:
    """Ctrl-C and a polite kill: exit code 0, nothing on the error output, with tabs open."""
    server = Server()
    with server, Tab(server, visit(server)) as tab:
        tab.event("keyframe")
        assert server.end(how) == 0
        assert server.errors == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_room_outlives_the_server(tmp_path: Path, how: signal.Signals) -> None:
    """After an orderly end and after a crash: same cookie, same room, same entries."""
    first = Server(tmp_path)
    first.__enter__()
    cookie = visit(first)
    with Tab(first, cookie) as tab:
        tab.event("keyframe")
        assert tab.ask("restart", {"seed": 7, "settings": {"replication": "sync"}}) == {"ok": True}
        tab.event("keyframe")
        assert tab.ask("command", {"text": "write x 1"}) == {"ok": True}
        assert tab.ask("playback", {"action": "speed", "speed": 20}) == {"ok": True}
        tab.until(lambda text: '"operation.ended"' in text)
        assert tab.ask("playback", {"action": "pause"}) == {"ok": True}
        assert tab.ask("resync", {}) == {"ok": True}
        before = tab.event("keyframe")
        first.end(how)
    with Server(tmp_path) as second, Tab(second, cookie) as tab:
        after = tab.event("keyframe")
        assert after["state"] == before["state"]
        assert (after["now_us"], after["sequence"]) == (before["now_us"], before["sequence"])
        assert (after["playing"], after["speed"], after["start"]) == (False, 20, before["start"])


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_what_cannot_be_started_is_said_in_one_sentence(server: Server, tmp_path: Path) -> None:
    """A taken port, a data folder that is a file, an unknown host: exit code 2 and no traceback."""
    port = server.url.rsplit(":", 1)[1].strip("/")
    (tmp_path / "file").write_text("x")
    for arguments, words in [
        (["--port", port, "--data", ":memory:"], f"Port {port} on 127.0.0.1 cannot be used"),
        (["--port", "0", "--data", str(tmp_path / "file")], "Rooms cannot be kept in"),
        (["--port", "0", "--host", "no.such.host.invalid"], "cannot be used"),
    ]:
        done = run_command("serve", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
    assert "0 to 65535" in run_command("serve", "--port", "99999").stderr


def test_help_explains_the_language() -> None:
    """As a whole and by topic; an unknown topic is refused in words."""
    assert "write" in run_command("help").stdout
    assert "promote" in run_command("help", "promote").stdout
    done = run_command("help", "nonsense")
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)


def test_a_file_that_is_not_there_is_refused() -> None:
    """By both subcommands that read one."""
    for subcommand in ("run", "check"):
        done = run_command(subcommand, "nowhere.file")
        assert done.returncode == 2
        assert "nowhere.file" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
