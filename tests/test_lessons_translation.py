"""A lesson in another language: overlays of texts, what they may not change, how a visitor asks for one."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from server import resources, service, web
from server.cluster.commands import CommandRefused
from server.lessons import checking, documents
from server.lessons.library import Library
from server.lessons.loader import load_lesson
from server.lessons.playing import Player
from server.lessons.translation import (
    Said,
    digest,
    gaps,
    load_overlay,
    plain_texts,
    skeleton,
    spoken,
    texts_of,
)
from server.protocol import LessonRequest, read_request
from server.room import RoomLimits
from server.rooms import Rooms
from server.store import Store
from tests.conftest import FakeClock, House
from tests.small_lesson import SMALL, folder, lesson

OURS = resources.folder("lessons")
GERMAN = {
    "title": "Eine kleine Lektion",
    "step.look.prose.1": "Schreib **etwas**.",
    "do.look.nudge.reading": "Lesen ändert nichts.",
    "do.look.hint.1": "Schreib.",
    "question.bet.none.text": "Noch keiner",
    "question.later.after.why": "Du hast es gesehen.",
    "step.bet.explain.1": "Eine **Kopie** kommt später.",
}


def overlay_text(texts: Mapping[str, str], name: str = "small") -> str:
    base = texts_of(lesson())
    rows = [
        f'  {key}:\n    base: "{digest(base.get(key, ""))}"\n    text: "{text}"\n'
        for key, text in texts.items()
    ]
    return f"lesson: {name}\ntexts:\n{''.join(rows)}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the small lesson and a little German."""
    path = folder(tmp_path / "lessons")
    (path / "de").mkdir()
    (path / "de" / "01-small.yaml").write_text(overlay_text(GERMAN), "utf-8")
    return path


@pytest.fixture
def library(place: Path) -> Library:
    return Library([place])


# --- texts and overlays --------------------------------------------------------------------------


def test_every_text_has_an_id_that_stays() -> None:
    """Other texts around it, or another order, do not rename it; what a learner reads is all there."""
    texts = texts_of(lesson())
    assert texts["step.look.prose.1"] == "Write something."
    assert texts["question.bet.both.why"] == "It must travel."
    assert texts["question.seen.slip.three.why"] == "Copies send no OK to clients."
    assert list(texts)[:3] == ["title", "goal", "step.look.title"]
    other = SMALL.replace('  - { id: alive, text: "A never died", always: "node(A).up" }\n', "")
    assert texts_of(lesson(other)) == {
        key: text for key, text in texts.items() if key != "do.look.goal.alive"
    }


@pytest.mark.parametrize(
    "path",
    sorted(path for pattern in ("*.md", "interview/*.md", "challenges/*.md") for path in OURS.glob(pattern)),
    ids=lambda path: path.stem,
)
def test_no_text_of_a_page_is_forgotten(path: Path) -> None:
    """Of a lesson whose every text is translated, pages and learners are told no English."""
    kind = {"interview": "interview", "challenges": "challenge"}.get(path.parent.name, "lesson")
    base = load_lesson(path, kind)
    told = spoken(base, lambda key, text: Said(f"<{key}>", "de"))
    assert set(texts_of(told).values()) == {f"<{key}>" for key in texts_of(base)}
    found = Library([OURS])
    shown = documents.document(found, told, with_notes=True)
    neighbours = [each["title"] for each in (shown["previous"], shown["next"]) if each]
    ours = {key: value for key, value in shown.items() if key in ("title", "goal", "question", "steps")}
    assert [each for each in plain_texts(ours) if each not in neighbours] == []


def test_an_overlay_is_laid_text_by_text(library: Library) -> None:
    """German where there is some, English elsewhere; each text knows which it is."""
    told = library.find("small", "de")
    assert told.title == "Eine kleine Lektion"
    assert isinstance(told.title, Said)
    assert told.title.language == "de"
    assert told.goal == "After this you can break it."
    assert not isinstance(told.goal, Said)
    assert told.steps[1].explains[0].html == "<p>Eine <strong>Kopie</strong> kommt später.</p>\n"
    assert library.find("small").title == "A small lesson"
    assert library.find("small", "fr") is library.find("small")
    assert library.find("small", "de") is told, "a room that goes on compares steps"


def test_what_is_stale_missing_or_unknown_is_english(place: Path) -> None:
    """A text whose English has changed since is not shown."""
    path = place / "01-small.md"
    path.write_text(SMALL.replace("A read changes nothing.", "A read changes nothing at all."), "utf-8")
    (place / "de" / "01-small.yaml").write_text(overlay_text(GERMAN | {"step.gone.title": "Fort"}), "utf-8")
    library = Library([place])
    told = library.find("small", "de")
    assert told.steps[0].task is not None
    assert told.steps[0].task.nudges[0].say == "A read changes nothing at all."
    found = gaps(library.find("small"), library.overlays["small"]["de"])
    assert found.stale == ("do.look.nudge.reading",)
    assert found.unknown == ("step.gone.title",)
    assert "goal" in found.missing
    assert "title" not in found.missing


def test_where_lines_end_makes_nothing_stale() -> None:
    """An author may wrap a paragraph anew."""
    assert digest("a b\nc") == digest("a\nb c")
    assert digest("a b c") != digest("a b d")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lesson: small\ntexts: []\n", "mapping"),
        ("lesson: small\ntexts: { title: Titel }\n", "mapping"),
        ("lesson: small\ntexts: { title: { base: x, text: y, html: z } }\n", "html"),
        ("lesson: small\nsteps: {}\n", "steps"),
        ("lesson: gone\ntexts: {}\n", "there is no lesson called gone"),
        ("texts: {}\n", "lesson"),
    ],
)
def test_an_overlay_that_cannot_be_read_leaves_the_english(place: Path, text: str, says: str) -> None:
    """And is named with the files that were left out."""
    (place / "de" / "01-small.yaml").write_text(text, "utf-8")
    library = Library([place])
    assert [each.file for each in library.broken] == ["de/01-small.yaml"]
    assert says in library.broken[0].says
    assert library.find("small", "de").title == "A small lesson"


def test_a_saved_overlay_is_read_at_once(place: Path, library: Library) -> None:
    """Its translator sees it in open pages: the revision is another one."""
    before = library.find("small", "de")
    assert before.revision != library.find("small").revision
    path = place / "de" / "01-small.yaml"
    path.write_text(path.read_text("utf-8").replace("Eine kleine", "Eine winzig kleine"), "utf-8")
    assert library.refresh()
    after = library.find("small", "de")
    assert after.title == "Eine winzig kleine Lektion"
    assert after.revision != before.revision


# --- the command line ----------------------------------------------------------------------------


def run(action: str, *names: Path, language: str | None = None, extra: Path | None = None) -> tuple[int, str]:
    out = io.StringIO()
    status = checking.main(action, list(names), extra, out, language)
    return status, out.getvalue()


def test_a_skeleton_holds_every_text_and_nothing_else(tmp_path: Path) -> None:
    """With the digest of each; filled in, it is whole."""
    path = folder(tmp_path / "lessons")
    status, says = run("translate", path / "01-small.md", language="pt-BR")
    overlay = path / "pt-BR" / "01-small.yaml"
    assert status == 0
    assert f"{overlay} is written" in says
    found = load_overlay(overlay, "pt-BR")
    base = texts_of(lesson())
    assert {key: row.base for key, row in found.texts.items()} == {k: digest(t) for k, t in base.items()}
    assert len(gaps(lesson(), found).missing) == len(base)
    text = overlay.read_text("utf-8")
    assert "match" not in text
    assert "x == 0" not in text
    overlay.write_text(text.replace('text: ""', 'text: "Olá"'), "utf-8")
    assert not gaps(lesson(), load_overlay(overlay, "pt-BR"))


def test_a_skeleton_keeps_what_was_translated(place: Path) -> None:
    """Also what is stale, with the digest it was made from, and what is no longer asked for."""
    path, overlay = place / "01-small.md", place / "de" / "01-small.yaml"
    path.write_text(SMALL.replace("A read changes nothing.", "A read changes nothing at all."), "utf-8")
    overlay.write_text(overlay_text(GERMAN | {"step.gone.title": "Fort"}), "utf-8")
    before = load_overlay(overlay, "de")
    assert run("translate", path, language="de")[0] == 0
    after = load_overlay(overlay, "de")
    assert {key: (row.base, row.text) for key, row in before.texts.items()} == {
        key: (row.base, row.text) for key, row in after.texts.items() if row.text
    }
    fresh = load_lesson(path, "lesson")
    assert gaps(fresh, after).stale == ("do.look.nudge.reading",)
    assert skeleton(fresh, "de", after) == overlay.read_text("utf-8")
    assert digest("A read changes nothing at all.") in overlay.read_text("utf-8"), "what to write when mended"


def test_a_text_of_several_lines_comes_back_as_it_was(place: Path) -> None:
    """Through the file and back."""
    base, words = lesson(), 'Ein "Wort" — und `x: 1`.\n\n- # eins\n- zwei'
    first = load_overlay(place / "de" / "01-small.yaml", "de")
    texts = {key: row for key, row in first.texts.items()}
    row = first.texts["step.look.prose.1"]
    texts["step.look.prose.1"] = type(row)(row.base, words, 0)
    path = place / "de" / "01-small.yaml"
    path.write_text(skeleton(base, "de", type(first)("de", "small", "", texts, "")), "utf-8")
    assert load_overlay(path, "de").texts["step.look.prose.1"].text == words


def test_what_is_no_language_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written."""
    path = folder(tmp_path / "lessons") / "01-small.md"
    for language in ("en", "German", "../de", "d", ""):
        assert run("translate", path, language=language)[0] == 2
        assert "no language to translate into" in capsys.readouterr().err
    assert run("translate", tmp_path / "gone.md", language="de")[0] == 2
    assert sorted(each.name for each in path.parent.iterdir() if each.is_dir()) == ["scenes"]


def test_the_check_plays_a_translation_and_lists_its_gaps(place: Path) -> None:
    """Gaps of an overlay make only its own check fail."""
    overlay = place / "de" / "01-small.yaml"
    overlay.write_text(overlay_text(GERMAN | {"step.gone.title": "Fort"}), "utf-8")
    status, says = run("check", place / "01-small.md", extra=place)
    assert status == 0, says
    (line,) = re.findall(r"✓ de/01-small.yaml: .*", says)
    assert "1 unknown" in line
    assert "nothing to mend" in line
    assert "unknown: step.gone.title" in says
    assert "missing: goal" in says
    measured = [int(each) for each in re.findall(r"yaml: .*?(\d+) assertions", says)]
    assert measured[0] > 50, "it was played"
    status, says = run("check", overlay, extra=place)
    assert status == 1


def test_a_translation_is_held_to_the_rules_of_text(place: Path) -> None:
    """A right option that gives itself away by its length does so in any language."""
    long = "Keiner von den beiden, denn es muss ja erst noch zu ihnen hin kommen"
    overlay = place / "de" / "01-small.yaml"
    overlay.write_text(overlay_text(GERMAN | {"question.bet.none.text": long}), "utf-8")
    status, says = run("check", place / "01-small.md", extra=place)
    assert status == 1
    assert re.search(r"✗ de/01-small.yaml: .* 1 to mend", says), says


def test_what_a_translation_measures_must_be_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check compares what both runs measured."""
    library = Library([place])
    base = Player(library, library.find("small"))
    base.play()
    told = Player(library, library.find("small", "de"))
    told.play()
    assert told.truths == base.truths != []
    assert told.assertions == base.assertions
    play = Player.play

    def other(self: Player) -> None:
        play(self)
        if self.lesson.language is not None:
            self.truths = self.truths[1:]

    monkeypatch.setattr(Player, "play", other)
    status, says = run("check", place / "01-small.md", extra=place)
    assert status == 1
    assert "its runs measure something else" in says


def test_ours_can_be_read_in_german() -> None:
    """The first lesson, nearly all of it whatever its author has changed last."""
    library = Library([OURS])
    overlay = library.overlays["one-writer"]["de"]
    base = library.find("one-writer")
    found = gaps(base, overlay)
    assert found.unknown == ()
    assert len(found.missing) + len(found.stale) <= len(texts_of(base)) // 5
    # What is code in the English is code in the German.
    for key, text in texts_of(base).items():
        if key in overlay.texts and overlay.texts[key].base == digest(text):
            codes = sorted(re.findall(r"`[^`]+`", text))
            assert sorted(re.findall(r"`[^`]+`", overlay.texts[key].text)) == codes, key


# --- rooms and pages -----------------------------------------------------------------------------


@pytest.fixture
def house(library: Library, monkeypatch: pytest.MonkeyPatch) -> House:
    """One tab in a room of its own."""
    monkeypatch.setattr(service, "library", lambda: library)
    return house_on(Store(None))


def house_on(store: Store) -> House:
    clock = FakeClock()
    rooms = Rooms(service.start_play, store, clock, RoomLimits(), plan_lesson=service.plan_lesson)
    house = House(rooms, clock)
    house.open()
    return house


def say(house: House, action: str, **fields: Any) -> Any:
    request = read_request("lesson", {"action": action, **fields})
    assert isinstance(request, LessonRequest)
    house.take(house.rooms.lesson("tab", request))
    return shown(house)


def shown(house: House) -> Any:
    for delivery in reversed(house.sent["tab"]):
        if "lesson" in delivery.payload:
            return delivery.payload["lesson"]
    return None


def test_a_learner_is_told_in_the_language_of_the_page(house: House) -> None:
    """Hints, nudges and reasons; which of them stayed English is said."""
    state = say(house, "open", lesson="small", language="de")
    assert (state["language"], state["step"]) == ("de", "look")
    assert say(house, "hint")["hints"] == ["Schreib."]
    state = say(house, "hint")
    assert state["hints"] == ["Schreib.", "Write to A."]
    assert "Write to A." in state["english"]
    assert "Schreib." not in state["english"]
    house.command("read x")
    house.pass_time(3)
    assert shown(house)["nudge"]["says"] == "Lesen ändert nichts."
    house.command("write x 1")
    house.pass_time(3)
    assert say(house, "next")["step"] == "bet"
    state = say(house, "answer", question="later", answer="after")
    assert state["questions"]["later"]["result"]["says"] == "Du hast es gesehen."


def test_another_language_keeps_what_was_done(house: House) -> None:
    """The step is begun anew, in the other language; asking again changes nothing."""
    say(house, "open", lesson="small", language="de")
    say(house, "open", lesson="small", step="bet", language="de")
    say(house, "answer", question="bet", answer="none")
    state = say(house, "open", lesson="small")
    assert (state["language"], state["step"], state["english"]) == (None, "bet", [])
    assert state["questions"]["bet"]["answer"] == "none"
    run = house.rooms._rooms["key"].run
    say(house, "open", lesson="small")
    assert house.rooms._rooms["key"].run is run
    assert say(house, "open", lesson="small", language="xx")["language"] is None


def test_a_room_comes_back_in_its_language(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart of the server."""
    monkeypatch.setattr(service, "library", lambda: library)
    store = Store(None)
    house = house_on(store)
    say(house, "open", lesson="small", language="de")
    say(house, "hint")
    house.rooms.save()
    again = house_on(store)
    again.pass_time(1)
    assert shown(again)["language"] == "de"
    assert shown(again)["hints"] == ["Schreib."]


@pytest.fixture
def browser() -> FlaskClient:
    app: flask.Flask = web.create_app(service.open_rooms(Store(None)), service.CATALOGUE)
    app.testing = True
    return app.test_client()


def test_pages_are_in_the_language_that_is_asked_for(browser: FlaskClient) -> None:
    """With the language of each part, and kept on every link that leads to another such page."""
    said = Library([OURS]).find("one-writer", "de").title
    assert isinstance(said, Said), "its English title has changed: translate it anew"
    title = re.escape(said)
    for path in ("/lessons", "/lessons/one-writer", "/lessons/one-writer/print", "/embed/one-writer"):
        page = browser.get(f"{path}?language=de").text
        assert re.search(rf'lang="de"[^>]*>{title}<', page), path
        assert '<html lang="en"' in page
        links = re.findall(r'href="(/(?:lessons|interview|challenges)[^"]*)"', page)
        assert links, path
        english = [link for link in links if "language=de" not in link]
        # The one way back to English.
        assert english in ([], ["/lessons"], ["/lessons/one-writer"]), path
        assert not re.search(title, browser.get(path).text)
        assert not re.search(title, browser.get(f"{path}?language=xx").text)
    page = browser.get("/lessons/one-writer").text
    assert 'hreflang="de" href="/lessons/one-writer?language=de">Deutsch</a>' in page
    assert "hreflang" not in browser.get("/lessons/the-log").text, "what is not translated offers nothing"
    assert page.count("?language=") == 1
    data: Any = browser.get("/lessons/one-writer.json?language=de").get_json()
    assert (data["language"], data["languages"][1]["name"]) == ("de", "Deutsch")
    assert data["title"] == said


def test_the_language_is_nothing_but_a_word(browser: FlaskClient) -> None:
    """What is asked for is looked up, never repeated."""
    page = browser.get('/lessons/one-writer?language="><script>alert(1)</script>').text
    assert "<script>alert" not in page
    with pytest.raises(CommandRefused):
        read_request("lesson", {"action": "open", "lesson": "small", "language": "x" * 41})
