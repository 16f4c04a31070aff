"""Progress by code: a browser leaves what it remembers of its learner, another one takes it along.

Both are asked for by a browser that this server has given a cookie, so no other site can do either.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import flask

from server import protocol
from server.cluster.commands import CommandRefused
from server.progress import DOCUMENT_BYTES_MAX, KEPT_DAYS, Shelf
from server.rooms import Rooms
from server.store import StoreUnusable

log = logging.getLogger(__name__)

PATH = "/progress"
BODY_BYTES_MAX = DOCUMENT_BYTES_MAX + 1
"""One byte more than a document, so that one that is too large is told so."""
CODE_BYTES_MAX = 200
"""The largest question for a code."""


def add_routes(app: flask.Flask, rooms: Rooms, visitor: Callable[[], str | None]) -> None:
    """Add the two routes. `visitor` tells who asks, for the pace; it is not kept with anything."""
    shelf = Shelf(rooms.store)

    def known() -> str:
        key = visitor()
        if key is None:
            raise CommandRefused("The server does not know this browser. Reload the page and try again.")
        return key

    def keep() -> flask.Response:
        flask.request.max_content_length = BODY_BYTES_MAX
        body = flask.request.get_data(cache=False)
        with rooms.turn() as wall:
            code = shelf.keep(known(), body, wall)
        return flask.jsonify({"ok": True, "code": code, "days": KEPT_DAYS})

    def fetch() -> flask.Response:
        code = _asked()
        with rooms.turn() as wall:
            document = shelf.fetch(known(), code, wall)
        return flask.Response(f'{{"ok":true,"progress":{document}}}', mimetype="application/json")

    def answered(work: Callable[[], flask.Response]) -> flask.Response:
        try:
            response = work()
        except CommandRefused as problem:
            response = flask.jsonify(protocol.refused(problem))
        except StoreUnusable as problem:
            log.error("%s", problem)
            sorry = CommandRefused("The server could not reach what it keeps. Nothing was changed.")
            response = flask.jsonify(protocol.refused(sorry))
        response.cache_control.no_store = True
        return response

    app.add_url_rule(PATH, "progress_keep", lambda: answered(keep), methods=["POST"])
    # Not in the address, which proxies write into their logs.
    app.add_url_rule(f"{PATH}/fetch", "progress_fetch", lambda: answered(fetch), methods=["POST"])


def _asked() -> str:
    """The code in the body of a request. Raises `CommandRefused`."""
    try:
        body = json.loads(flask.request.get_data(cache=False)[:CODE_BYTES_MAX])
    except (ValueError, RecursionError):
        body = None
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, str):
        raise CommandRefused("The field code is missing: the code as a text.")
    return code
