"""What the pages are given: lessons, questions and tables as JSON, without any right answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.lessons.library import Library
from server.lessons.records import (
    Block,
    Commands,
    Experiment,
    Explain,
    Focus,
    FollowUps,
    Lesson,
    Note,
    Prose,
    Question,
    Rubric,
    Senior,
    Sentences,
    Setup,
    Step,
    Task,
)
from server.lessons.translation import BASE, name_of, plain_texts


def summary(lesson: Lesson) -> dict[str, Any]:
    """One line of an index."""
    return {
        "id": lesson.id,
        "kind": lesson.kind,
        "number": lesson.number,
        "rev": lesson.rev,
        "title": lesson.title,
        "minutes": lesson.minutes,
        "level": lesson.level,
        "status": lesson.status,
        "goal": lesson.goal,
        "question": lesson.question,
        **_asked(lesson),
        "source": lesson.source,
        "needs": list(lesson.needs),
        "concepts": list(lesson.concepts),
        "steps": [{"id": step.id, "title": step.title} for step in lesson.steps],
    }


def document(
    library: Library, lesson: Lesson, *, with_notes: bool = False, language: str | None = None
) -> dict[str, Any]:
    """A whole lesson as its page shows it, in a language as far as it is translated."""
    lesson = library.spoken(lesson, language)
    scene = library.scenarios[lesson.scene]
    shelf = list(library.shelf(lesson.kind).values())
    place = next((number for number, each in enumerate(shelf) if each.id == lesson.id), 0)
    shown = {
        **summary(lesson),
        "misconceptions": [_misconception(library, name) for name in lesson.misconceptions],
        "scene": {"id": lesson.scene, "title": scene.title, "about": scene.about},
        "revision": lesson.revision,
        "previous": _neighbour(library, shelf, place - 1, language),
        "next": _neighbour(library, shelf, place + 1, language),
        "steps": [_step(step, with_notes) for step in lesson.steps],
        "language": lesson.language,
        "languages": languages(library, [lesson]),
    }
    return {**shown, "english": plain_texts(shown) if lesson.language is not None else []}


def index(library: Library, kind: str, language: str | None = None) -> list[dict[str, Any]]:
    """Every lesson, or every question, in order."""
    return [summary(library.spoken(lesson, language)) for lesson in library.shelf(kind).values()]


def languages(library: Library, lessons: Iterable[Lesson]) -> list[dict[str, str]]:
    """What these can be read in, when that is not English alone."""
    found = sorted({code for lesson in lessons for code in library.overlays.get(lesson.id, {})})
    return [{"code": code, "name": name_of(code)} for code in ([BASE, *found] if found else [])]


def broken(library: Library) -> list[dict[str, str]]:
    """The files that were left out, and why."""
    return [{"file": each.file, "says": each.says} for each in library.broken]


def glossary(library: Library) -> list[dict[str, Any]]:
    """The words of the field."""
    return [
        {"term": term.term, "says": term.says, "aliases": term.aliases} for term in library.glossary.values()
    ]


def misconceptions(library: Library) -> list[dict[str, Any]]:
    """The registry of wrong beliefs."""
    return [_misconception(library, name) for name in library.misconceptions]


def _misconception(library: Library, name: str) -> dict[str, Any]:
    row = library.misconceptions.get(name)
    if row is None:
        return {"id": name, "belief": "", "tempting": "", "kind": None, "lesson": None, "step": None}
    kinds = (kind for kind in ("lesson", "interview") if row.lesson in library.shelf(kind))
    return {
        "id": name,
        "belief": row.belief,
        "tempting": row.tempting,
        "kind": next(kinds, None),
        "lesson": row.lesson,
        "step": row.step,
    }


def _asked(lesson: Lesson) -> dict[str, Any]:
    """What only a challenge has: how few commands do, and whether any do."""
    task = lesson.challenge
    return {} if task is None else {"par": task.par, "impossible": task.is_impossible}


def _neighbour(
    library: Library, shelf: list[Lesson], place: int, language: str | None
) -> dict[str, str] | None:
    if not 0 <= place < len(shelf):
        return None
    return {"id": shelf[place].id, "title": library.spoken(shelf[place], language).title}


def _step(step: Step, with_notes: bool) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    explains = 0
    for block in step.blocks:
        if isinstance(block, Note) and not with_notes:
            continue
        shown = _block(block)
        if isinstance(block, Explain):
            shown["index"] = explains
            explains += 1
        blocks.append(shown)
    return {"id": step.id, "title": step.title, "words": step.words, "blocks": blocks}


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Prose():
            return {"kind": "prose", "html": block.html}
        case Setup():
            return {
                "kind": "scene",
                "fresh": block.is_fresh,
                "speed": block.speed,
                "lock": list(block.lock),
            }
        case Focus():
            return {"kind": "focus", "targets": list(block.targets), "dim": block.dim}
        case Question():
            return _question(block)
        case Task():
            return _task(block)
        case Experiment():
            fresh = block.setup is not None
            return {
                "kind": "run",
                "id": block.id,
                "text": block.text,
                "fresh": fresh,
                "lines": _texts(block.script),
            }
        case Explain():
            reveal = [f"{question}.{option}" for question, option in block.reveal_if]
            return {"kind": "explain", "html": block.html, "after": list(block.after), "reveal_if": reveal}
        case Note():
            return {"kind": "note", **block.fields}
        case Sentences():
            items = [
                {"id": item.id, "say": item.say, "lines": _texts(item.script), "expect": item.expect}
                for item in block.items
            ]
            return {"kind": block.block, "items": items}
        case Senior():
            return {"kind": "senior", "html": block.html}
        case FollowUps():
            pairs = [{"ask": ask, "answer": answer} for ask, answer in block.questions]
            return {"kind": "follow_ups", "questions": pairs}
        case Rubric():
            return {"kind": "rubric", "points": [{"id": name, "text": text} for name, text in block.points]}


def _question(question: Question) -> dict[str, Any]:
    measure = question.measure
    stage = measure.stage if measure is not None else ""
    return {
        "kind": question.block,
        "id": question.id,
        "ask": question.ask,
        "choice": question.choice,
        "options": [{"id": option.id, "text": option.text} for option in question.options],
        "unit": question.unit,
        "run": stage.removeprefix("run:") if stage.startswith("run:") else None,
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "kind": "do",
        "id": task.id,
        "goal": [{"id": clause.id, "text": clause.text} for clause in task.goal],
        "need": task.need,
        "fade": task.fade,
        "hints": len(task.hints),
        "within_ms": None if task.within_us is None else task.within_us // 1_000,
        "allow": None if task.allow is None else list(task.allow),
        "forbid": list(task.forbid),
        "impossible": task.is_impossible,
    }


def _texts(lines: Commands) -> list[str]:
    return [line.text for line in lines]
