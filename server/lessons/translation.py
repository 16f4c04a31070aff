"""A lesson in another language: an overlay that holds nothing but texts, laid over the English file.

An overlay (`lessons/de/01-one-writer.yaml`) names each text by a stable id, with a digest of the English
text that was translated. Where a text is missing, or the English has changed since, the English is shown.
What is measured, and all ids, are the English file's: a translator cannot change them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from server.lessons.fields import Place, load
from server.lessons.loader import read_text
from server.lessons.markdown import render
from server.lessons.records import (
    Block,
    Clause,
    Experiment,
    Explain,
    FollowUps,
    Lesson,
    Note,
    Nudge,
    Option,
    Prose,
    Question,
    Rubric,
    Senior,
    Sentence,
    Sentences,
    Slip,
    Step,
    Task,
)

LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
"""How a language is called, and the folder of its overlays: de, pt-BR, zh-Hant."""
BASE = "en"
"""The language of the files themselves."""
NAMES = {
    "ar": "العربية", "cs": "Čeština", "da": "Dansk", "de": "Deutsch", "es": "Español", "fa": "فارسی",
    "fi": "Suomi", "fr": "Français", "hi": "हिन्दी", "it": "Italiano", "ja": "日本語", "ko": "한국어",
    "nl": "Nederlands", "pl": "Polski", "pt": "Português", "pt-BR": "Português (Brasil)", "ru": "Русский",
    "sv": "Svenska", "tr": "Türkçe", "uk": "Українська", "vi": "Tiếng Việt", "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文", BASE: "English",
}  # fmt: skip
"""What languages call themselves; one that is not here is called by its code."""
WRITTEN = (
    "answer", "ask", "goal", "hints", "html", "if_high", "if_low", "means", "question", "say", "says",
    "text", "title", "watch_for", "why",
)  # fmt: skip
"""Fields of what pages are told that hold what a person wrote."""
NOT_SPOKEN = ("minutes",)
"""Of a note: no text."""


def name_of(language: str) -> str:
    """What a language calls itself."""
    return NAMES.get(language, language)


Say = Callable[[str, str], str]
"""Given a text's id and the English, what to say in its place."""


class Said(str):
    """A text that a translator wrote: it knows its language."""

    language: str

    def __new__(cls, text: str, language: str = "") -> Said:
        """The text in this language."""
        said = super().__new__(cls, text)
        said.language = language
        return said


@dataclass(frozen=True, slots=True)
class Translation:
    """One text of an overlay."""

    base: str
    """The digest of the English that it was made from."""
    text: str
    """Empty while there is none."""
    line: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """The texts of one lesson in one language."""

    language: str
    lesson: str
    file: str
    """As it is called in what is found: `de/01-one-writer.yaml`."""
    texts: Mapping[str, Translation]
    revision: str
    """A digest of the file."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Where an overlay does not fit its lesson: ids of texts."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    stale: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unknown or self.stale)


# --- the texts of a lesson -----------------------------------------------------------------------


def spoken(lesson: Lesson, say: Say) -> Lesson:
    """The lesson with every text given by `say`: the one place that knows which texts there are."""
    return replace(
        lesson,
        title=say("title", lesson.title),
        goal=say("goal", lesson.goal),
        question=None if lesson.question is None else say("question", lesson.question),
        steps=tuple(_step(step, say) for step in lesson.steps),
    )


def _step(step: Step, say: Say) -> Step:
    title = say(f"step.{step.id}.title", step.title)
    counts: dict[str, int] = {}
    blocks = []
    for block in step.blocks:
        kind = type(block).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        blocks.append(_block(block, f"step.{step.id}.{kind}.{counts[kind]}", say))
    return replace(step, title=title, blocks=tuple(blocks))


def _block(block: Block, place: str, say: Say) -> Block:
    """A block that has no id of its own is called by its `place`: the number among its kind in the step."""
    match block:
        case Prose():
            text, html, words = _rendered(place, block.text, block.html, block.words, say)
            return replace(block, text=text, html=html, words=words)
        case Explain():
            text, html, words = _rendered(place, block.text, block.html, block.words, say)
            return replace(block, text=text, html=html, words=words)
        case Senior():
            text, html, _ = _rendered(place, block.text, block.html, 0, say)
            return replace(block, text=text, html=html)
        case Question():
            return _question(block, say)
        case Task():
            return _task(block, say)
        case Experiment():
            label = None if block.text is None else say(f"run.{block.id}.text", block.text)
            return replace(block, text=label)
        case Note():
            texts = {
                name: text if name in NOT_SPOKEN else say(f"{place}.{name}", text)
                for name, text in block.fields.items()
            }
            return replace(block, fields=texts)
        case Sentences():
            return replace(block, items=tuple(_sentence(each, say) for each in block.items))
        case FollowUps():
            pairs = [
                (say(f"{place}.{number}.ask", ask), say(f"{place}.{number}.answer", answer))
                for number, (ask, answer) in enumerate(block.questions, 1)
            ]
            return replace(block, questions=tuple(pairs))
        case Rubric():
            points = [(name, say(f"{place}.{name}", text)) for name, text in block.points]
            return replace(block, points=tuple(points))
        case _:
            return block


def _rendered(key: str, text: str, html: str, words: int, say: Say) -> tuple[str, str, int]:
    said = say(key, text)
    if not isinstance(said, Said):
        return said, html, words
    html, words = render(said)
    return said, Said(html, said.language), words


def _question(question: Question, say: Say) -> Question:
    key = f"question.{question.id}"

    def option(each: Option) -> Option:
        own = f"{key}.{each.id}"
        text = say(f"{own}.text", each.text)
        return replace(each, text=text, why=None if each.why is None else say(f"{own}.why", each.why))

    def slip(each: Slip) -> Slip:
        return replace(each, why=say(f"{key}.slip.{each.id}.why", each.why))

    measure = question.measure
    if measure is not None and measure.means is not None:
        measure = replace(measure, means=say(f"{key}.means", measure.means))
    return replace(
        question,
        ask=say(f"{key}.ask", question.ask),
        measure=measure,
        options=tuple(map(option, question.options)),
        slips=tuple(map(slip, question.slips)),
    )


def _task(task: Task, say: Say) -> Task:
    key = f"do.{task.id}"

    def clause(each: Clause) -> Clause:
        return replace(each, text=say(f"{key}.goal.{each.id}", each.text))

    def nudge(each: Nudge) -> Nudge:
        return replace(each, say=say(f"{key}.nudge.{each.id}", each.say))

    hints = (say(f"{key}.hint.{number}", hint) for number, hint in enumerate(task.hints, 1))
    return replace(
        task,
        goal=tuple(map(clause, task.goal)),
        nudges=tuple(map(nudge, task.nudges)),
        hints=tuple(hints),
    )


def _sentence(item: Sentence, say: Say) -> Sentence:
    return replace(item, say=say(f"sentence.{item.id}", item.say))


def texts_of(lesson: Lesson) -> dict[str, str]:
    """Every text of a lesson by its id, in the order of the file."""
    found: dict[str, str] = {}

    def note(key: str, text: str) -> str:
        found[key] = text
        return text

    spoken(lesson, note)
    return found


def digest(text: str) -> str:
    """What tells whether a text has changed; where its lines end does not matter."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:10]


# --- overlays ------------------------------------------------------------------------------------


def load_overlay(path: Path, language: str) -> Overlay:
    """Read an overlay. Raises `LessonError`."""
    text = read_text(path)
    file = f"{language}/{path.name}"
    fields = load(text, file, 1, "")
    if not LOCALE.fullmatch(language) or language == BASE:
        raise Place(file, 1).error(f"{language!r} is no language to translate into, such as de or pt-BR.")
    lesson = fields.identifier("lesson")
    rows = fields.mapping("texts")
    found: dict[str, Translation] = {}
    for key in rows.values if rows is not None else ():
        row = rows.mapping(key) if rows is not None else None
        if row is None:
            continue
        found[key] = Translation(row.text("base"), row.text("text", ""), row.place.line)
        row.end()
    fields.end()
    revision = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Overlay(language, lesson, file, found, revision)


def lay(lesson: Lesson, overlay: Overlay) -> Lesson:
    """The lesson in the overlay's language, text by text; the English where there is none that fits."""

    def say(key: str, text: str) -> str:
        row = overlay.texts.get(key)
        if row is None or not row.text or row.base != digest(text):
            return text
        return Said(row.text, overlay.language)

    revision = hashlib.sha256(f"{lesson.revision} {overlay.revision}".encode()).hexdigest()[:16]
    return replace(spoken(lesson, say), language=overlay.language, revision=revision)


def gaps(lesson: Lesson, overlay: Overlay) -> Gaps:
    """Where an overlay does not fit its lesson."""
    base = texts_of(lesson)
    rows = overlay.texts
    return Gaps(
        missing=tuple(key for key in base if key not in rows or not rows[key].text),
        unknown=tuple(key for key in rows if key not in base),
        stale=tuple(
            key
            for key, text in base.items()
            if key in rows and rows[key].text and rows[key].base != digest(text)
        ),
    )


def plain_texts(value: object) -> list[str]:
    """Of what a page is told in another language, the texts that stayed English: each once, wherever a field
    holds what a person wrote."""
    found: dict[str, None] = {}

    def look(each: object, is_text: bool) -> None:
        if isinstance(each, dict):
            for name, item in each.items():
                look(item, name in WRITTEN)
        elif isinstance(each, list):
            for item in each:
                look(item, is_text)
        elif is_text and isinstance(each, str) and not isinstance(each, Said):
            found[each] = None

    look(value, False)
    return list(found)


# --- what a translator is given ------------------------------------------------------------------


def skeleton(lesson: Lesson, language: str, before: Overlay | None = None) -> str:
    """An overlay to fill in: every text's id and digest, the English as a comment. What was translated before
    stays; what is stale keeps its old digest until its translator has looked at it."""
    rows = dict(before.texts) if before is not None else {}
    base = texts_of(lesson)
    parts = [
        f"# The texts of {lesson.file}: {name_of(language)}. `base` is the digest of the English\n"
        "# text that was translated, which stands above it. A text that is empty is shown in English.\n"
        f"lesson: {lesson.id}\ntexts:\n"
    ]
    for key, text in base.items():
        row = rows.get(key)
        is_stale = row is not None and bool(row.text) and row.base != digest(text)
        mark = f"  # The English has changed: mend the text, then write base: {json.dumps(digest(text))}\n"
        shown = row.base if row is not None and is_stale else digest(text)
        parts.append(
            f"\n{_comment(text)}{mark if is_stale else ''}{_entry(key, shown, row.text if row else '')}"
        )
    for key, row in rows.items():
        if key not in base:
            parts.append(f"\n  # This text is no longer in the lesson.\n{_entry(key, row.base, row.text)}")
    return "".join(parts)


def _comment(text: str) -> str:
    return "".join(f"  # {line}".rstrip() + "\n" for line in text.splitlines())


def _entry(key: str, base: str, text: str) -> str:
    if "\n" in text:
        lines = "".join(f"      {line}".rstrip() + "\n" for line in text.splitlines())
        return f"  {key}:\n    base: {json.dumps(base)}\n    text: |\n{lines}"
    return f"  {key}:\n    base: {json.dumps(base)}\n    text: {json.dumps(text, ensure_ascii=False)}\n"
