"""What the pages of lessons and questions are allowed to do in a browser."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from server import service, web, web_lessons
from server.lessons.library import Library
from server.store import Store
from tests.small_lesson import SCENE, SMALL, folder, library


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


# --- a file that cannot be read ------------------------------------------------------------------

FAULT = SMALL.replace("## look: Look", "## <b>look</b>")
LINE = FAULT.splitlines().index("## <b>look</b>") + 1


def browser_of(found: Library) -> FlaskClient:
    """A visitor of pages with these lessons alone."""
    catalogue = replace(service.CATALOGUE, library=lambda: found)
    app = web.create_app(service.open_rooms(Store(None)), catalogue)
    app.testing = True
    return app.test_client()


@pytest.mark.parametrize("kind", ["lessons", "interview", "challenges"])
def test_a_lesson_with_a_fault_says_what_to_mend(tmp_path: Path, kind: str) -> None:
    """On its own page, in the lists and in a frame: file, line and words, as text; once it is mended it is
    there again."""
    found = library(tmp_path)
    browser = browser_of(found)
    path = tmp_path / ("" if kind == "lessons" else kind) / "24-mine.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(FAULT)
    for address in (f"/{kind}/mine", f"/{kind}/mine/print", "/embed/mine"):
        page = browser.get(address)
        assert page.status_code == 503, address
        assert f"24-mine.md, line {LINE}: &#39;&lt;b&gt;look&lt;/b&gt;&#39; is no step" in page.text, address
        assert "<b>look" not in page.text
    answer = browser.get(f"/{kind}/mine.json")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["says"].startswith(f"24-mine.md, line {LINE}: ")
    for address in ("/lessons", "/interview", "/challenges"):
        assert f"24-mine.md, line {LINE}: " in browser.get(address).text, address
    assert browser.get(f"/{kind}/yours").status_code == 404
    path.unlink()
    assert browser.get(f"/{kind}/mine").status_code == 404
    assert "24-mine.md" not in browser.get(f"/{kind}").text


def test_a_fault_of_a_scene_is_named_with_the_lesson(tmp_path: Path) -> None:
    """The lesson itself is well; what it begins with cannot be read."""
    browser = browser_of(library(tmp_path))
    assert browser.get("/lessons/small").status_code == 200
    (tmp_path / "scenes/plain.yaml").write_text("title: [")
    page = unescape(browser.get("/lessons/small").text)
    assert "01-small.md: its scene 'plain' cannot be read. plain.yaml, line 1: this is not YAML" in page
    (tmp_path / "scenes/plain.yaml").write_text(SCENE)
    assert browser.get("/lessons/small").status_code == 200


def test_a_fault_in_what_replaces_ours_is_not_hidden_by_ours(tmp_path: Path) -> None:
    """Else an author would look at our lesson and think it were his own."""
    ours, theirs = folder(tmp_path / "ours"), folder(tmp_path / "theirs")
    (theirs / "01-small.md").write_text("nothing")
    browser = browser_of(Library([ours, theirs]))
    assert browser.get("/lessons/small").status_code == 503


def test_the_terminal_says_once_what_is_wrong_with_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And again when it was saved and is still wrong; a page that looks first takes nothing away."""
    found = library(tmp_path)
    browser = browser_of(found)
    path = tmp_path / "24-mine.md"

    def said() -> list[str]:
        web_lessons.watch(found)
        web_lessons.watch(found)
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        caplog.clear()
        return told

    assert said() == []
    path.write_text(FAULT)
    browser.get("/lessons/mine")
    (told,) = said()
    assert told.startswith(f"24-mine.md, line {LINE}: ")
    assert told.endswith(f"It is left out until it is mended: {path}")
    path.write_text(FAULT + "\n")
    assert len(said()) == 1
    path.write_text(SMALL.replace("id: small", "id: mine"))
    assert said() == []
    assert browser.get("/lessons/mine").status_code == 200
