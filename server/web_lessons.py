"""The pages and data of lessons, interview questions and challenges.

What a learner does goes over the socket like everything else; here are only what a browser fetches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import flask
from werkzeug.exceptions import NotFound, ServiceUnavailable

from server.cluster.commands import CommandRefused
from server.lessons import documents, handout
from server.lessons.library import Broken, Library
from server.lessons.records import Lesson

log = logging.getLogger(__name__)

Page = Callable[..., flask.Response]
"""Renders a template for a visitor who has, or gets, a room."""
Answer = Callable[[object], flask.Response]
"""JSON that a browser may keep until it changes."""
InTurns = Callable[[handout.Work], dict[str, dict[str, Any]]]
"""Does long work a slice at a time, so that everybody else gets their turn."""
FOLDERS = {"lesson": "lessons", "interview": "interview", "challenge": "challenges"}
"""Under which address each kind is found."""
NAMES = {"lesson": "lessons", "interview": "questions", "challenge": "challenges"}
"""What templates and data call the list of each kind."""


SPOKEN = {*FOLDERS.values(), *(f"{kind}_{what}" for kind in FOLDERS for what in ("page", "print"))}
"""Pages whose texts may be translated."""


class LeftOut(ServiceUnavailable):
    """A lesson whose file cannot be read at present: for its author, who may be mending it."""

    def __init__(self, called: str, fault: Broken) -> None:
        super().__init__(f"This {called} cannot be shown at present.")
        self.fault = fault.says


def add_routes(app: flask.Flask, library: Library, page: Page, answer: Answer, in_turns: InTurns) -> None:
    """Add the pages of every kind and the tables."""

    def keep_language(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in SPOKEN and "language" not in values:
            values["language"] = _language(library)

    app.url_defaults(keep_language)
    for kind in FOLDERS:
        _add_kind(app, library, kind, page, answer, in_turns)

    def glossary() -> flask.Response:
        library.refresh()
        return answer({"terms": documents.glossary(library)})

    def misconceptions() -> flask.Response:
        library.refresh()
        return answer({"misconceptions": documents.misconceptions(library)})

    def glossary_page() -> flask.Response:
        library.refresh()
        return page(
            "glossary.html", terms=documents.glossary(library), beliefs=documents.misconceptions(library)
        )

    app.add_url_rule("/glossary", "glossary", glossary_page)
    app.add_url_rule("/glossary.json", "glossary_data", glossary)
    app.add_url_rule("/misconceptions.json", "misconceptions_data", misconceptions)


def _add_kind(
    app: flask.Flask, library: Library, kind: str, page: Page, answer: Answer, in_turns: InTurns
) -> None:
    folder = FOLDERS[kind]
    named = NAMES[kind]
    handouts = handout.Handouts(library)

    def find(name: str) -> Lesson:
        library.refresh()
        lesson = library.shelf(kind).get(name)
        if lesson is None:
            fault = library.fault(kind, name)
            if fault is not None:
                raise LeftOut(named.removesuffix("s"), fault)
            raise NotFound(f"There is no {named.removesuffix('s')} called {name[:60]} here.")
        return lesson

    def index() -> dict[str, Any]:
        library.refresh()
        entries = documents.index(library, kind, _language(library))
        return {named: entries, "broken": documents.broken(library)}

    def index_page() -> flask.Response:
        library.refresh()
        language = _language(library)
        found: dict[str, Any] = {
            name: documents.index(library, each, language) for each, name in NAMES.items()
        }
        found["languages"] = documents.languages(library, library.shelf(kind).values())
        return page(f"{folder}.html", **found, language=language, broken=documents.broken(library))

    def lesson_page(name: str) -> flask.Response:
        lesson = find(name)
        template = "interview_question.html" if kind == "interview" else "lesson.html"
        asked = flask.request.args.get("step", "")
        step = asked if lesson.step(asked) is not None else None
        shelf = list(library.shelf(kind))
        shown = documents.document(library, lesson, language=_language(library))
        return page(template, lesson=shown, step=step, place=shelf.index(lesson.id) + 1, count=len(shelf))

    def print_page(name: str) -> flask.Response:
        lesson, language = find(name), _language(library)
        answers = None
        if "answers" in flask.request.args:
            answers = handout.answers(library.spoken(lesson, language), in_turns(handouts.truths(lesson)))
        shown = documents.document(library, lesson, language=language)
        return page("lesson_print.html", lesson=shown, answers=answers)

    def data(name: str) -> flask.Response:
        with_notes = flask.request.args.get("audience") == "presenter"
        lesson = find(name)
        shown = documents.document(library, lesson, with_notes=with_notes, language=_language(library))
        return answer(shown)

    app.add_url_rule(f"/{folder}.json", f"{folder}_index_data", lambda: answer(index()))
    app.add_url_rule(f"/{folder}/<name>.json", f"{kind}_data", data)
    app.add_url_rule(f"/{folder}", folder, index_page)
    app.add_url_rule(f"/{folder}/<name>", f"{kind}_page", lesson_page)
    app.add_url_rule(f"/{folder}/<name>/print", f"{kind}_print", print_page)


def _language(library: Library) -> str | None:
    """What the visitor asks to read in, where anything is translated into it."""
    asked = flask.request.args.get("language")
    return asked if asked in library.languages() else None


def framed(library: Library, name: str, step: str | None) -> dict[str, Any] | None:
    """What a frame shows of a lesson; `None` when there is none of this name. Raises `NotFound` when it has
    no such step, `LeftOut` when its file cannot be read."""
    library.refresh()
    try:
        lesson = library.find(name)
    except CommandRefused:
        for kind, called in NAMES.items():
            fault = library.fault(kind, name)
            if fault is not None:
                raise LeftOut(called.removesuffix("s"), fault) from None
        return None
    if step is not None and lesson.step(step) is None:
        raise NotFound(f"The lesson {lesson.id} has no step called {step[:60]}.")
    asked = flask.request.args.get("step", "")  # Where the learner was when the frame was loaded anew.
    shelf = list(library.shelf(lesson.kind))
    return {
        "lesson": documents.document(library, lesson, language=_language(library)),
        "step": asked if lesson.step(asked) is not None else step,
        "place": shelf.index(lesson.id) + 1,
        "count": len(shelf),
    }


def watch(library: Library) -> None:
    """Look for changed files; a file that cannot be read is named on the index, and in the terminal once for
    each time that it is saved."""
    try:
        library.refresh()
    except (CommandRefused, OSError):  # A folder that is just being moved: the next look is soon.
        return
    for fault in library.news():
        log.warning("%s It is left out until it is mended: %s", fault.says, fault.path)
