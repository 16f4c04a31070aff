"""Where a run leaves the server and comes back: exports, scenario files, and pages inside other pages.

`/export/<name>` gives the visitor's run as a file; `POST /scenario` starts a run from a file; `/embed`
is the cluster, or a lesson beside one, for a frame in somebody else's page. Such a frame is sent no
cookie of ours, so its page carries the token of a room made for it alone, and says it whenever it asks
for something.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import flask
from werkzeug.exceptions import NotFound

from server import offline, resources
from server.cluster.commands import CommandRefused
from server.room import Room, RunView
from server.rooms import Rooms
from server.store import Start

FILE_BYTES_MAX = 200 * 1024
"""The largest scenario file that a visitor can open."""
REPLAY = "replay.html"
TOKEN_HEADER = "X-Room"
"""With this a page that has no cookie says which room it means. No other site can send it."""
THEMES = ("light", "dark")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Sharing:
    """How runs are given away and taken in, given as functions."""

    open_link: Callable[[str], tuple[Start, int | None]]
    """What the run of a link begins with, and the moment to look at. Raises `CommandRefused`."""
    open_file: Callable[[str], Start]
    """The same for the text of a scenario file, which is read when its run begins."""
    share: Callable[[RunView, int | None], tuple[str, str]]
    """The link to a run, or a moment of it, and what it carries in a sentence. Raises `CommandRefused`."""
    export: Callable[[RunView, str], tuple[str, Iterator[str]]]
    """The media type and the text, in pieces, of a file. Raises `CommandRefused`."""
    about: Callable[[RunView], dict[str, Any]]
    """What a recording says of the run besides its steps."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What the web side lends to these routes."""

    key: Callable[[], str | None]
    """The key of the visitor's room."""
    token: Callable[[], str]
    """A new room's."""
    in_turns: Callable[[Generator[None, None, Any]], Any]
    """Does long work a slice at a time."""
    deliver: Callable[[list[Any]], None]
    lesson: Callable[[str, str | None], dict[str, Any] | None]
    """What a frame shows of a lesson and its step; `None` when there is none. Raises `NotFound`."""
    is_scenario: Callable[[str], bool]


def add_routes(app: flask.Flask, rooms: Rooms, sharing: Sharing, visit: Visit) -> None:
    """Add these routes to the application."""

    def refused(problem: CommandRefused, code: int = 409) -> flask.Response:
        response = flask.jsonify({"ok": False, "error": {"says": str(problem)}})
        response.status_code = code
        return response

    def visited() -> Room:
        key = visit.key()
        if key is None:
            raise CommandRefused("The server does not know this room. Open the playground first.")
        return rooms.look(key)

    def export(name: str) -> flask.Response:
        try:
            room = visited()
            if name == REPLAY:
                key = visit.key() or ""
                text = _replay(room, visit.in_turns(rooms.history(key)), sharing)
                return _file(text, name, "text/html")
            mimetype, pieces = sharing.export(room.run, name)
            return _file(visit.in_turns(_joined(pieces)), name, mimetype)
        except CommandRefused as problem:
            return refused(problem)

    def bring() -> flask.Response:
        """A scenario file of the visitor's."""
        try:
            flask.request.max_content_length = FILE_BYTES_MAX + 1
            body = flask.request.get_data(cache=False)
            if len(body) > FILE_BYTES_MAX:
                raise CommandRefused(too_large())
            try:
                text = body.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise CommandRefused("This is not a text file in UTF-8, so it is no scenario.") from None
            room = visited()
            connection = next(iter(room.tabs))
            visit.deliver(rooms.begin(connection, sharing.open_file(text)))
        except CommandRefused as problem:
            return refused(problem, 200)  # An answer like those of the socket, not a fault of the request.
        return flask.jsonify({"ok": True})

    def embed(name: str | None = None, step: str | None = None) -> flask.Response:
        lesson = None if name is None else visit.lesson(name, step)
        if name is not None and lesson is None and not visit.is_scenario(name):
            raise NotFound(f"There is no lesson and no scenario called {name[:60]} here.")
        if lesson is None and step is not None:
            raise NotFound(f"There is no lesson called {name} here, and a scenario has no steps.")
        theme = flask.request.args.get("theme")
        html = flask.render_template(
            "embed.html" if lesson is None else "lesson_frame.html",
            room=visit.token(),
            scenario=name,
            fixed_theme=theme if theme in THEMES else None,
            link=_link(flask.request.query_string.decode("ascii", "replace")),
            **(lesson or {}),
        )
        response = flask.make_response(html)
        response.cache_control.no_store = True  # Each frame has a room of its own.
        return response

    app.add_url_rule("/export/<name>", "export", export)
    app.add_url_rule("/scenario", "bring", bring, methods=["POST"])
    app.add_url_rule("/embed", "embed", embed)
    app.add_url_rule("/embed/<name>", "embed", embed)
    app.add_url_rule("/embed/<name>/<step>", "embed", embed)


def too_large() -> str:
    """Why a file is not read."""
    return f"This file is larger than {FILE_BYTES_MAX // 1024} KB, the most that a scenario has."


def _link(query: str) -> str:
    """The query of a frame's address without what is the frame's own business."""
    return "&".join(part for part in query.split("&") if part and not part.startswith("theme="))


def _joined(pieces: Iterator[str]) -> Generator[None, None, str]:
    parts = []
    for piece in pieces:
        parts.append(piece)
        yield
    return "".join(parts)


def _file(text: str, name: str, mimetype: str) -> flask.Response:
    response = flask.Response(text, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="follow-the-leader-{name}"'
    response.cache_control.no_store = True
    return response


def _replay(room: Room, history: dict[str, Any] | None, sharing: Sharing) -> str:
    """The file that plays the run of a room without a server."""
    if history is None:
        raise CommandRefused("This room is being brought back. Try again in a moment.")
    about = sharing.about(room.run)
    recording = {**history, **about, "now_us": room.run.now_us, "start": room.run.start}
    first = history["steps"][0] if history["steps"] else None
    begins_us = first["at_us"] if first is not None and first["sequence"] > 0 else None
    page = flask.render_template("replay.html", place=offline.PLACE, begins_us=begins_us, **about)
    return offline.assemble(page, resources.folder("static"), recording)
