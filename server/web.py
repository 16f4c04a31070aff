"""The web side: pages, static files and the socket that joins a browser to its room.

Nothing here decides anything about a run. Every request of a browser is checked by `protocol`,
carried out by `rooms`, and answered with an acknowledgement that says in one sentence what was wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import logging
import mimetypes
import re
import secrets
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import flask
from engineio.payload import Payload
from flask.json.provider import DefaultJSONProvider
from flask_compress import Compress
from flask_socketio import ConnectionRefusedError, SocketIO
from socketio.packet import EVENT, Packet
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.security import safe_join

from server import protocol, resources, web_lessons, web_progress, web_sharing
from server.cluster.commands import CommandRefused
from server.lessons.library import Library
from server.protocol import Answer
from server.room import Delivery
from server.rooms import Rooms, rest_seconds
from server.store import Start

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)
Result = TypeVar("Result")

COOKIE = "room"
FIRST_COMPARISON = Start(
    scenario="living-cluster",
    lanes=[{"replication": "async"}, {"replication": "quorum"}, {"replication": "sync"}],
)
OWN_ROOMS: dict[str, Start | None] = {"compare": FIRST_COMPARISON, "lesson": None}
"""Pages, by what they say of themselves, that watch a room of their own beside the visitor's first: what is
going on there is not lost. With what a visitor finds in it; `None` for what the first room begins with."""
COOKIE_SECONDS = 30 * 24 * 3600
MESSAGE_BYTES_MAX = 64 * 1024
BYTES_MAX = {
    "/scenario": web_sharing.FILE_BYTES_MAX + 1,
    web_progress.PATH: web_progress.BODY_BYTES_MAX,
}
"""Where a request may be larger: one byte more than a file, so that a file that is too large is told so."""
DRILL = "interview"
"""The one page that may ask for the microphone, and play what was said into it."""
PACKETS_PER_POST_MAX = 128
"""Clicks that a browser without WebSocket may gather into one request."""
LOOK_TICKS = 20
"""After so many ticks the lessons' files are looked at again."""
YEAR_SECONDS = 365 * 24 * 3600
COMPRESSED = [
    "application/json",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/markdown",
]

PLAIN_HOST = re.compile(r"([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?")
UNKNOWN_ROOM = "The server does not know this room. Reload the page to get one."


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the pages look up: given as functions because making the answers takes a moment."""

    scenarios: Callable[[], list[dict[str, Any]]]
    language: Callable[[], dict[str, Any]]
    complete: Callable[[str, Sequence[str], Sequence[str]], tuple[list[str], str]]
    """The words that could follow a beginning of a command, and a hint; the run's nodes and clients say
    which of these to offer."""
    library: Callable[[], Library] | None = None
    """Lessons and interview questions."""
    sharing: web_sharing.Sharing | None = None
    """How runs are given away and taken in."""


def create_app(rooms: Rooms, catalogue: Catalogue, *, async_mode: str = "threading") -> flask.Flask:
    """The application. Its sockets are at `app.extensions["socketio"]`."""
    mimetypes.add_type("text/javascript", ".js")  # Some systems' tables say otherwise.
    app = flask.Flask(__name__, static_folder=None, template_folder=resources.folder("templates"))
    tables = DefaultJSONProvider(app)
    tables.sort_keys = False  # They keep the order they were written in.
    app.json = tables
    app.config["COMPRESS_MIMETYPES"] = COMPRESSED
    app.config["COMPRESS_MIN_SIZE"] = 500
    app.config["MAX_CONTENT_LENGTH"] = MESSAGE_BYTES_MAX
    Compress(app)
    secret = rooms.store.secret()
    page = _add_pages(app, rooms)
    _add_data(app, rooms, catalogue)
    if catalogue.library is not None:

        def in_turns(work: Generator[None, None, Result]) -> Result:
            return cast(Sockets, app.extensions["sockets"]).in_turns(work)

        web_lessons.add_routes(app, catalogue.library(), page, _kept_answer, in_turns)
    web_progress.add_routes(app, rooms, lambda: room_key(flask.request.cookies.get(COOKIE), secret))
    _add_static(app)
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _error_page)
    _add_sockets(app, rooms, catalogue, async_mode)
    if catalogue.sharing is not None:
        _add_sharing(app, rooms, catalogue.sharing)
    app.wsgi_app = Bounded(app.wsgi_app)  # type: ignore[method-assign]
    return app


# --- the room cookie -----------------------------------------------------------------------------


def new_token(secret: bytes) -> str:
    """A cookie value that nobody can guess or make: 256 random bits and our signature.

    Signed so that a page costs no storage: a room is made when a tab connects, and only for a cookie
    that this server gave out."""
    token = secrets.token_urlsafe(32)
    return f"{token}.{_signature(token, secret)}"


def room_key(cookie: str | None, secret: bytes) -> str | None:
    """The key of the room that a cookie stands for; `None` when this server did not give it out.

    A digest, so that whoever reads the stored rooms cannot enter them."""
    token, _, signature = (cookie or "").partition(".")
    # Bytes: a comparison of text refuses what is not ASCII with an exception.
    if not hmac.compare_digest(signature.encode(), _signature(token, secret).encode()):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def _visited(secret: bytes) -> str | None:
    """The key of the room that a request is about, which may say from which page it comes (`?page=`). A page
    in another site's frame has no cookie here: it says the token that it was given instead."""
    request = flask.request
    key = room_key(request.headers.get(web_sharing.TOKEN_HEADER) or request.cookies.get(COOKIE), secret)
    return None if key is None else _room_of(key, request.args.get("page"))


def _room_of(key: str, page: object) -> str:
    """The key of the room that a visitor's page watches."""
    return f"{key}-{page}" if isinstance(page, str) and page in OWN_ROOMS else key


def _signature(token: str, secret: bytes) -> str:
    digest = hmac.digest(secret, token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


# --- pages ---------------------------------------------------------------------------------------


def _add_pages(app: flask.Flask, rooms: Rooms) -> Callable[..., flask.Response]:
    """The pages that are not somebody else's; answers how a page for a visitor with a room is made."""
    secret = rooms.store.secret()

    def page(template: str, **values: Any) -> flask.Response:
        request = flask.request
        cookie = request.cookies.get(COOKIE)
        is_known = room_key(cookie, secret) is not None
        if not is_known and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return _arrive_again()
        response = flask.make_response(flask.render_template(template, **values))
        response.cache_control.private = True
        response.cache_control.no_cache = True
        response.set_cookie(
            COOKIE,
            cookie if is_known and cookie else new_token(secret),
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )
        return response

    app.add_url_rule("/", "home", lambda: page("home.html"))
    app.add_url_rule("/play", "play", lambda: page("play.html"))
    app.add_url_rule("/compare", "compare", lambda: page("compare.html"))
    return page


def _arrive_again() -> flask.Response:
    """A visitor who follows a link from another site sends no Strict cookie, even when there is one.

    Giving out a new one would take the visitor's room away; a page that loads itself once more is
    asked for by our own site, and then the cookie comes along."""
    response = flask.make_response(
        '<!doctype html><meta charset="utf-8"><title>Follow the Leader</title>'
        '<meta http-equiv="refresh" content="0"><p>One moment…'
    )
    response.cache_control.no_store = True
    return response


def _error_page(problem: HTTPException) -> flask.Response:
    """A page, or JSON where JSON was asked for, that says what went wrong and leads back."""
    code = problem.code or 500
    is_plain = problem.description is None or problem.description == NotFound.description
    says = "There is no such page here." if code == 404 and is_plain else problem.description or problem.name
    if flask.request.path.endswith(".json"):
        says = problem.fault if isinstance(problem, web_lessons.LeftOut) else says
        return _coded(flask.jsonify({"ok": False, "error": {"says": says}}), code)
    theme = flask.request.args.get("theme") if flask.request.endpoint == "embed" else None
    fixed_theme = theme if theme in web_sharing.THEMES else None
    fault = problem.fault if isinstance(problem, web_lessons.LeftOut) else None
    html = flask.render_template("missing.html", says=says, fault=fault, fixed_theme=fixed_theme)
    return _coded(flask.make_response(html), code)


def _coded(response: flask.Response, code: int) -> flask.Response:
    response.status_code = code
    return response


def _add_headers(response: flask.Response) -> flask.Response:
    headers = response.headers
    framed_by = "*" if flask.request.endpoint == "embed" else "'none'"
    is_drill = flask.request.endpoint == DRILL
    headers["Content-Security-Policy"] = _content_policy(flask.request.host, framed_by, is_drill)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    is_for_frames = flask.request.endpoint == "embed"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_for_frames else "same-origin"
    heard_by = "(self)" if is_drill else "()"
    headers["Permissions-Policy"] = f"camera=(), geolocation=(), microphone={heard_by}"
    return response


def _content_policy(host: str, framed_by: str, plays_own_sound: bool) -> str:
    """Everything from here, nothing from elsewhere, no inline code."""
    # Older browsers do not count the own host's WebSocket as 'self'.
    sockets = f" ws://{host} wss://{host}" if PLAIN_HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"manifest-src 'self'; connect-src 'self'{sockets}; {'media-src blob:; ' * plays_own_sound}"
        f"frame-ancestors {framed_by}; base-uri 'none'; form-action 'self'"
    )


# --- data and static files -----------------------------------------------------------------------


def _add_data(app: flask.Flask, rooms: Rooms, catalogue: Catalogue) -> None:
    answer = _kept_answer
    app.add_url_rule("/scenarios.json", "scenarios", lambda: answer(catalogue.scenarios()))
    app.add_url_rule("/language.json", "language", lambda: answer(catalogue.language()))
    app.add_url_rule("/history.json", "history", lambda: _history(app, rooms))
    app.add_url_rule("/healthz", "healthz", lambda: {"ok": True, "rooms": rooms.count()})


def _history(app: flask.Flask, rooms: Rooms) -> flask.Response:
    """What has happened so far in the visitor's room. That a run is too long to be told from its beginning
    is an answer like another: a browser need not report it as a failure."""
    sockets = cast(Sockets, app.extensions["sockets"])
    key = _visited(sockets.secret)
    try:
        history = sockets.in_turns(rooms.history(key)) if key is not None else None
    except CommandRefused as problem:
        history = {"ok": False, "error": {"says": str(problem)}}
    if history is None:
        return _coded(flask.jsonify({"ok": False, "error": {"says": UNKNOWN_ROOM}}), 409)
    response = flask.jsonify(history)
    response.cache_control.no_store = True
    return response


def _add_sharing(app: flask.Flask, rooms: Rooms, sharing: web_sharing.Sharing) -> None:
    sockets = cast(Sockets, app.extensions["sockets"])
    secret, library = sockets.secret, sockets.catalogue.library
    visit = web_sharing.Visit(
        lambda: _visited(secret),
        lambda: new_token(secret),
        sockets.in_turns,
        sockets.deliver,
        lambda name, step: None if library is None else web_lessons.framed(library(), name, step),
        lambda name: any(each["id"] == name for each in sockets.catalogue.scenarios()),
    )
    web_sharing.add_routes(app, rooms, sharing, visit)


def _kept_answer(value: object) -> flask.Response:
    response = flask.jsonify(value)
    response.cache_control.no_cache = True
    return _tagged(response)


def _tagged(response: flask.Response) -> flask.Response:
    """Let a browser that has this already keep it."""
    response.add_etag()
    response.make_conditional(flask.request)
    return response


class StaticFiles:
    """The static folder under a name that changes with its content, so that browsers may keep it.

    `url_for("static", filename=…)` gives `/static/v-<digest>/…`. The version is a folder, so modules
    that import each other by relative path stay within it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: list[tuple[str, int, int]] = []
        self._version = ""

    def version(self) -> str:
        """`v-<digest>` of everything in the folder, computed again when a file changes."""
        seen = [
            (path.relative_to(self.folder).as_posix(), path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        ]
        if seen != self._seen:
            digest = hashlib.sha256()
            for name, _, size in seen:
                digest.update(f"{name} {size}\n".encode() + (self.folder / name).read_bytes())
            self._seen, self._version = seen, f"v-{digest.hexdigest()[:16]}"
        return self._version

    def response(self, filename: str) -> flask.Response:
        """One file; for a year when asked for under the present version, else checked every time."""
        version, _, rest = filename.partition("/")
        is_versioned = version.startswith("v-") and bool(rest)
        name = rest if is_versioned else filename
        path = safe_join(str(self.folder), name)
        if path is None or not Path(path).is_file() or any(part.startswith(".") for part in name.split("/")):
            raise NotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        response = flask.Response(Path(path).read_bytes(), mimetype=kind)
        if is_versioned and version == self.version():
            response.cache_control.public = True
            response.cache_control.immutable = True
            response.cache_control.max_age = YEAR_SECONDS
        else:
            response.cache_control.no_cache = True
        return _tagged(response)


def _add_static(app: flask.Flask) -> None:
    files = StaticFiles(resources.folder("static"))
    app.add_url_rule("/static/<path:filename>", "static", files.response)

    def name_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            if "version" not in flask.g:  # One look at the folder for each page.
                flask.g.version = files.version()
            values["filename"] = f"{flask.g.version}/{values['filename']}"

    app.url_default_functions.setdefault(None, []).append(name_version)


# --- sockets -------------------------------------------------------------------------------------


class CarefulPacket(Packet):  # type: ignore[misc]
    """A packet that is never an error: what cannot be read becomes a message that nobody knows.

    Such a message is refused like any other, where an exception would end in a traceback."""

    packet_type: int
    namespace: str | None
    data: Any

    def __init__(self, *arguments: Any, encoded_packet: object = None, **options: Any) -> None:
        super().__init__(*arguments, encoded_packet=encoded_packet, **options)
        if encoded_packet is not None and not encoded_packet:
            self.data = [""]  # The library does not look at an empty packet, and then stumbles over it.

    def decode(self, encoded_packet: object) -> int:
        try:
            if not isinstance(encoded_packet, str):
                raise ValueError("binary")
            attachments: int = super().decode(encoded_packet)
            if attachments or self.packet_type not in range(4) or not self._is_readable():
                raise ValueError("not a message of ours")
        except (ValueError, RecursionError):
            self.packet_type, self.namespace, self.data = EVENT, None, [""]
        return 0

    def _is_readable(self) -> bool:
        """Whether an event has a name that means nothing of its own to the socket library."""
        if self.packet_type != EVENT:
            return True
        name = self.data[0] if isinstance(self.data, list) and self.data else None
        return isinstance(name, str) and name not in ("*", "connect", "disconnect")


class Bounded:
    """Refuses requests with a body that is too large before anything else sees them.

    The socket library would wait for ever for a client that sends one."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        bytes_max = BYTES_MAX.get(environ.get("PATH_INFO", ""), MESSAGE_BYTES_MAX)
        if length.isdecimal() and int(length) <= bytes_max:
            return self.application(environ, start_response)
        start_response("413 Content Too Large", [("Content-Type", "text/plain"), ("Connection", "close")])
        return [f"A request may have at most {bytes_max:,} bytes.\n".encode()]


def _add_sockets(app: flask.Flask, rooms: Rooms, catalogue: Catalogue, async_mode: str) -> None:
    Payload.max_decode_packets = PACKETS_PER_POST_MAX
    # The library logs whatever garbage a client sends; faults of ours are logged by `Sockets.failed`.
    silent = logging.getLogger(f"{__name__}.transport")
    silent.setLevel(logging.CRITICAL)
    socketio = SocketIO(
        app,
        async_mode=async_mode,
        logger=silent,
        engineio_logger=silent,
        serializer=CarefulPacket,
        max_http_buffer_size=MESSAGE_BYTES_MAX,
        manage_session=False,
        async_handlers=False,  # One connection's requests are carried out in the order they came.
        always_connect=True,  # A refusal is a message that the page can show.
        ping_interval=20,
        ping_timeout=20,
    )
    sockets = Sockets(socketio, rooms, catalogue)
    rooms.backlog = sockets.backlog
    socketio.on_event("connect", sockets.connect)
    socketio.on_event("disconnect", sockets.disconnect)
    socketio.on_event("*", sockets.request)
    socketio.on_error_default(sockets.failed)
    app.extensions["sockets"] = sockets


class Sockets:
    """Between connections and rooms."""

    def __init__(self, socketio: SocketIO, rooms: Rooms, catalogue: Catalogue) -> None:
        self.socketio = socketio
        self.rooms = rooms
        self.catalogue = catalogue
        self.secret = rooms.store.secret()

    def connect(self, auth: object = None) -> None:
        """A tab opens its socket: the cookie says which room it watches, or in another site's frame,
        where there is none, the token that the page was given."""
        token = auth.get("room") if isinstance(auth, dict) else None
        connection = _connection()
        try:
            cookie = token if isinstance(token, str) else flask.request.cookies.get(COOKIE)
            key = room_key(cookie, self.secret)
            if key is None:
                raise CommandRefused(UNKNOWN_ROOM)
            page = auth.get("page") if isinstance(auth, dict) else None
            first_start = OWN_ROOMS.get(page) if isinstance(page, str) else None
            self.deliver(self.rooms.open(_room_of(key, page), connection, first_start))
        except CommandRefused as problem:
            says = {"says": str(problem)}
            self.socketio.emit("room.closed", says, to=connection)
            raise ConnectionRefusedError(str(problem), says) from None

    def disconnect(self, reason: object = None) -> None:
        """A tab is gone, for whatever reason."""
        del reason
        self.rooms.close(_connection())

    def request(self, name: object, *payloads: object) -> Answer:
        """Any message at all: carried out and acknowledged, or refused in words."""
        try:
            if len(payloads) > 1:
                raise CommandRefused("A message carries one object.")
            request = protocol.read_request(name, payloads[0] if payloads else {})
            return self.carry_out(_connection(), request)
        except CommandRefused as problem:
            return protocol.refused(problem)

    def carry_out(self, connection: str, request: protocol.Request) -> Answer:
        """Do what a checked message asks. Raises `CommandRefused`."""
        answer = protocol.accepted()
        match request:
            case protocol.CommandRequest():
                self.deliver(self.rooms.command(connection, request.text))
            case protocol.PlaybackRequest():
                self.deliver(self.rooms.playback(connection, request))
            case protocol.LessonRequest():
                self.deliver(self.rooms.lesson(connection, request))
            case protocol.RestartRequest():
                self.deliver(self.rooms.restart(connection, request))
            case protocol.ResyncRequest():
                self.deliver(self.rooms.resync(connection))
            case protocol.CompleteRequest():
                state = self.rooms.spend(connection).run.state
                nodes, clients = list(state.get("nodes", ())), list(state.get("clients", ()))
                answer["completions"], answer["hint"] = self.catalogue.complete(request.text, nodes, clients)
            case protocol.LedgerRequest():
                answer["lines"] = self.rooms.spend(connection).run.ledger()
            case protocol.WhyRequest():
                if request.sequence is None and request.operation is None:
                    raise CommandRefused("The field sequence is missing: the number of an event.")
                answer["chain"] = self.rooms.spend(connection).run.why(request.sequence, request.operation)
            case protocol.BranchRequest():
                self.deliver(self.in_turns(self.rooms.branch(connection, request)))
            case protocol.EnterRequest():
                self.deliver(self.in_turns(self.rooms.enter(connection, request)))
            case protocol.OpenRequest():
                start, look_us = self.sharing().open_link(request.link)
                self.deliver(self.rooms.begin(connection, start, look_us))
            case protocol.ShareRequest():
                run = self.rooms.spend(connection).run
                try:
                    answer["link"], answer["says"] = self.sharing().share(run, request.look_us)
                except CommandRefused as problem:
                    answer["says"] = str(problem)
            case protocol.EvidenceRequest():
                answer["findings"] = self.rooms.spend(connection).run.evidence(request.promise)
        return answer

    def in_turns(self, work: Generator[None, None, Result]) -> Result:
        """Do long work a slice at a time, so that everybody else gets their turn."""
        while True:
            try:
                next(work)
            except StopIteration as end:
                return cast(Result, end.value)
            self.socketio.sleep(0)

    def sharing(self) -> web_sharing.Sharing:
        """How runs are given away here. Raises `CommandRefused` when they are not."""
        if self.catalogue.sharing is None:
            raise CommandRefused("Runs cannot be shared here.")
        return self.catalogue.sharing

    def failed(self, problem: Exception) -> Answer:
        """A fault of ours while handling a message: told apart from a refusal, and logged."""
        log.error("A message could not be handled.", exc_info=problem)
        return protocol.refused(CommandRefused("Something went wrong on the server; nothing was done."))

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Hand each payload to its connection's queue."""
        for delivery in deliveries:
            self.socketio.emit(delivery.event, delivery.payload, to=delivery.connection)

    def backlog(self, connection: str) -> int:
        """Packets that wait to be sent to a connection."""
        server = self.socketio.server
        transport = server.eio.sockets.get(server.manager.eio_sid_from_sid(connection, "/"))
        return 0 if transport is None else cast(int, transport.queue.qsize())

    def play(self) -> None:
        """Tick all rooms for ever: the one background task."""
        for count in itertools.count():
            began_at = self.rooms.wall()
            self.tick()
            if count % LOOK_TICKS == 0 and self.catalogue.library is not None:
                web_lessons.watch(self.catalogue.library())
            self.socketio.sleep(rest_seconds(began_at, self.rooms.wall()))

    def tick(self) -> None:
        """Let every room play once. A fault is logged; the next tick comes all the same."""
        try:
            for deliveries in self.rooms.tick():
                self.deliver(deliveries)
                self.socketio.sleep(0)
        except Exception:
            log.exception("A tick failed.")


def _connection() -> str:
    """The identifier of the connection that the present message came from."""
    return cast(str, flask.request.sid)  # type: ignore[attr-defined]


def start_playing(app: flask.Flask) -> None:
    """Start the background task that lets time pass in all rooms."""
    sockets = cast(Sockets, app.extensions["sockets"])
    sockets.socketio.start_background_task(sockets.play)
