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
from server.lessons import handout
from server.lessons.handout import Handouts, Work
from server.lessons.library import Library
from server.lessons.play import LessonPlay
from server.lessons.playing import Player, Truths
from server.store import Store
from tests.small_lesson import SCENE, SMALL, folder, library


@pytest.fixture
def browser() -> FlaskClient:
    """A visitor of the real pages."""
    app = web.create_app(service.open_rooms(Store(None)), service.CATALOGUE)
    app.testing = True
    return app.test_client()


def browser_of(found: Library) -> FlaskClient:
    """A visitor of pages with these lessons alone."""
    catalogue = replace(service.CATALOGUE, library=lambda: found)
    app = web.create_app(service.open_rooms(Store(None)), catalogue)
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


# --- on paper ------------------------------------------------------------------------------------


def test_the_handout_has_what_was_measured_when_it_is_asked_for(tmp_path: Path) -> None:
    """Each experiment's values, the right options and one way to each goal; else none of them, and blanks."""
    browser = browser_of(library(tmp_path))
    blank = browser.get("/lessons/small/print").text
    assert 'data-answers="no"' in blank
    assert 'class="answer"' not in blank
    assert 'class="right"' not in blank
    text = re.sub(r"<(?!b>|/b>)[^>]*>", "", unescape(browser.get("/lessons/small/print?answers").text))
    for told in (
        "<b>One way</b>write x 1\nwait 3s",
        "<b>Right</b> None yet",
        "<b>Measured</b> 0 How many followers have it at once?",
        "<b>Held</b> lag(B) == 1",
        "<b>Right</b> A message later You saw it.",
        "<b>Measured</b> 1 How many OKs?",
    ):
        assert told in text, told
    assert 'data-answers="yes"' in browser.get("/lessons/small/print?answers").text


def test_what_a_handout_needs_is_played_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the file or its scene changes; and it is what the check measures."""
    found = library(tmp_path)
    handouts, played = Handouts(found), []
    begun = LessonPlay.performing
    monkeypatch.setattr(
        LessonPlay, "performing", lambda play, act, events: played.append(act) or begun(play, act, events)
    )

    def truths() -> Truths:
        played.clear()
        return done(handouts.truths(found.lessons["small"]))

    player = Player(found, found.lessons["small"])
    player.play()
    assert truths() == player.truths[0][1]
    assert played
    assert truths() == player.truths[0][1]
    assert not played
    (tmp_path / "scenes/plain.yaml").write_text(SCENE + "seed: 5\n")
    found.refresh()
    truths()
    assert played


def test_a_goal_is_given_time_on_paper_too(tmp_path: Path) -> None:
    """A solution may end before its last command is done; what is measured is what the check measures."""
    text = SMALL.replace('solution: [ "write x 1", "wait 3s" ]', 'solution: [ "write x 1" ]')
    text = text.replace("{ run: bet, probe", "{ do: look, probe")
    found = library(tmp_path, text)
    small = found.lessons["small"]
    player = Player(found, small)
    player.play()
    truths = done(Handouts(found).truths(small))
    assert truths["bet"] == {"do:look": 2}
    assert truths == player.truths[0][1]


def test_a_handout_is_not_played_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes too long stays blank, and so does what breaks off."""
    found = library(tmp_path)
    monkeypatch.setattr(handout, "SLICES_MAX", 1)
    short = done(Handouts(found).truths(found.lessons["small"]))
    monkeypatch.undo()
    assert short.keys() < done(Handouts(found).truths(found.lessons["small"])).keys()
    refused = SMALL.replace('do: [ "write y 1"', 'do: [ "resume B"')
    small = library(tmp_path / "refused", refused)
    known = handout.answers(small.lessons["small"], done(Handouts(small).truths(small.lessons["small"])))
    assert "bet" not in known["questions"]
    assert known["questions"]["seen"]["said"] == "1"
    page = browser_of(small).get("/lessons/small/print?answers").text
    assert "<b>Right</b> None yet" not in page


def done(work: Work) -> Truths:
    """Do the work at once."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


# --- a file that cannot be read ------------------------------------------------------------------

FAULT = SMALL.replace("## look: Look", "## <b>look</b>")
LINE = FAULT.splitlines().index("## <b>look</b>") + 1


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
    assert (
        "01-small.md: its scene 'plain' cannot be read. plain.yaml, line 1: this is not YAML: a comma" in page
    )
    (tmp_path / "scenes/plain.yaml").write_text("title: Plain\nsettings: { nodes: 99 }\n")
    assert "cannot be read. plain.yaml: nodes" in unescape(browser.get("/lessons/small").text)
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
