"""What the pages of lessons and questions are allowed to do in a browser."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from server import service, web
from server.store import Store


@pytest.fixture
def browser() -> FlaskClient:
    """A visitor of the real pages."""
    app = web.create_app(service.open_rooms(Store(None)), service.CATALOGUE)
    app.testing = True
    return app.test_client()


def test_only_the_drill_may_listen(browser: FlaskClient) -> None:
    """Where an answer is spoken, the page may ask for the microphone and play the recording; no other may."""
    drill = browser.get("/interview").headers
    assert drill["Permissions-Policy"] == "camera=(), geolocation=(), microphone=(self)"
    assert "; media-src blob:; " in drill["Content-Security-Policy"]
    for path in ("/", "/interview/explain-leader-follower", "/lessons", "/embed", "/nowhere"):
        headers = browser.get(path).headers
        assert headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()", path
        assert "media-src" not in headers["Content-Security-Policy"], path


def test_every_belief_leads_to_what_refutes_it(browser: FlaskClient) -> None:
    """Some are met in a lesson and some in a question: each link of the glossary leads to a page."""
    links = set(re.findall(r'href="(/(?:lessons|interview)/[^"]+)"', browser.get("/glossary").text))
    assert any(link.startswith("/interview/") for link in links)
    assert [link for link in links if browser.get(unescape(link)).status_code != 200] == []
