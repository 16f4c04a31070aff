"""What a page's `lesson` message means for its room: a line for the run that is there, or a new run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.cluster.commands import CommandRefused
from server.lessons.library import Library
from server.lessons.opening import show_of, step_of_run
from server.lessons.play import LESSON_LINE, LessonPlay
from server.lessons.records import Lesson, Setup, Step
from server.lessons.session import checked_answer
from server.protocol import LessonRequest
from server.store import Start

LINE_CHARACTERS_MAX = 2_000
"""The longest line that a lesson's message becomes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a room is to do: begin a new run, if there is a start; then carry out a line, if there is one."""

    start: Start | None = None
    line: str | None = None
    speed: float | None = None
    """How fast a new run is played, when the step says so."""
    leaves: bool = False
    """Whether the room goes back to what a newcomer finds."""


def plan(library: Library, request: LessonRequest, run: object, kept: Mapping[str, dict[str, Any]]) -> Plan:
    """What a message asks for, checked; `kept` is what was done in other lessons. Raises `CommandRefused`."""
    if request.action == "open":
        return _open(library, request, run if isinstance(run, LessonPlay) else None, kept)
    if not isinstance(run, LessonPlay):
        raise CommandRefused("This room is in no lesson: open one first.")
    match request.action:
        case "next":
            return _next(run)
        case "answer":
            return Plan(line=_answer(run, _needed(request.question, "question"), request.answer))
        case "hint":
            return Plan(line=f"{LESSON_LINE}hint")
        case "explore":
            return Plan(line=f"{LESSON_LINE}explore")
        case "restore":
            return _fresh(run, run.session.step)
        case "again":
            lesson, first = run.session.lesson, run.session.lesson.steps[0]
            return Plan(start_of(lesson, first, {}), speed=_first_speed(lesson, first, run))
        case "show":
            return _show(run)
        case "run":
            return _run(run, _needed(request.run, "run"))
        case "refute":
            return _refute(run, _needed(request.question, "question"), _needed(request.option, "option"))
        case "sentence":
            return _sentence(run, _needed(request.item, "item"))
        case _:
            return Plan(leaves=True)


def start_of(lesson: Lesson, step: Step, memory: dict[str, Any], place: str | None = None) -> Start:
    """The start of a run in a lesson."""
    return Start(lesson=lesson.id, step=step.id, place=place, memory=memory, language=lesson.language)


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise CommandRefused(f"The field {name} is missing from the message lesson.")
    return value


def _fresh(run: LessonPlay, step: Step, place: str | None = None, line: str | None = None) -> Plan:
    lesson, memory = run.session.lesson, run.session.memory.as_json()
    speed = step.setup.speed if step.setup is not None else None
    return Plan(start_of(lesson, step, memory, place), line, speed)


def _open(
    library: Library, request: LessonRequest, run: LessonPlay | None, kept: Mapping[str, dict[str, Any]]
) -> Plan:
    lesson = library.find(_needed(request.lesson, "lesson"), request.language)
    present = run.session if run is not None and run.session.lesson.id == lesson.id else None
    if request.step is None:
        step = lesson.step(present.step.id) if present is not None else None
        step = step or lesson.steps[0]
    else:
        found = lesson.step(request.step)
        if found is None:
            known = ", ".join(step.id for step in lesson.steps)
            raise CommandRefused(f"The lesson {lesson.id} has no step {request.step}. Steps: {known}.")
        step = found
    if run is not None and present is not None:
        is_same = present.lesson.revision == lesson.revision
        if is_same and present.step.id == step.id:
            return Plan()
        if is_same and run.can_go_on(step) and present.act is None and run.has_happened():
            return Plan(line=f"{LESSON_LINE}step {step.id}", speed=_speed(step))
    memory = present.memory.as_json() if present is not None else _remembered(lesson, kept)
    return Plan(start_of(lesson, step, memory), speed=_first_speed(lesson, step, run))


def _remembered(lesson: Lesson, kept: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What was done in this lesson when it was last left; nothing when its file has changed since."""
    memory = kept.get(lesson.id, {})
    return memory if memory.get("revision") == lesson.revision else {}


def _speed(step: Step) -> float | None:
    return step.setup.speed if step.setup is not None else None


def _first_speed(lesson: Lesson, step: Step, run: LessonPlay | None) -> float | None:
    """How fast another step's own run is played: the speed that an earlier step asked for ends with it."""
    own = (lesson.base(step).setup or Setup()).speed
    if own is not None or run is None:
        return own
    before = run.session.lesson.base(run.session.step).setup
    return 1.0 if before is not None and before.speed is not None else None


def _next(run: LessonPlay) -> Plan:
    steps = run.session.lesson.steps
    place = steps.index(run.session.step)
    if place + 1 >= len(steps):
        raise CommandRefused("This was the last step.")
    step = steps[place + 1]
    if run.can_go_on(step) and run.session.act is None and run.has_happened():
        return Plan(line=f"{LESSON_LINE}step {step.id}", speed=_speed(step))
    lesson = run.session.lesson
    return Plan(start_of(lesson, step, run.session.memory.as_json()), speed=_first_speed(lesson, step, run))


def _answer(run: LessonPlay, question: str, answer: Any) -> str:
    found = run.session.lesson.question_named(question)
    if found is not None:
        checked_answer(found, answer)
    line = f"{LESSON_LINE}answer {question} {json.dumps(answer)}"
    if len(line) > LINE_CHARACTERS_MAX:
        raise CommandRefused("This answer is too long.")
    return line


def _show(run: LessonPlay) -> Plan:
    step = run.session.step
    if step.task is None or not step.task.solution:
        raise CommandRefused(f"The step {step.id} has nothing to be solved.")
    return _fresh(run, step, line=f"{LESSON_LINE}show")


def _run(run: LessonPlay, name: str) -> Plan:
    session = run.session
    session.check_may_run(name)
    experiment = session.lesson.experiment(name)
    assert experiment is not None
    line = f"{LESSON_LINE}run {name}"
    if experiment.setup is not None:
        return _fresh(run, step_of_run(session.lesson, name), f"run:{name}", line)
    if not session.is_home or session.act is not None or not run.may_measure(name):
        return _fresh(run, session.step, line=line)
    return Plan(line=line)


def _refute(run: LessonPlay, question: str, option: str) -> Plan:
    session = run.session
    show_of(session.lesson, question, option)
    if question not in session.memory.answers:
        raise CommandRefused("First answer the question.")
    line = f"{LESSON_LINE}refute {question}.{option}"
    return _fresh(run, session.step, f"show:{question}.{option}", line)


def _sentence(run: LessonPlay, name: str) -> Plan:
    session = run.session
    if session.lesson.sentence(name) is None:
        raise CommandRefused(f"There is no sentence {name} in this answer.")
    return _fresh(run, session.step, f"item:{name}", f"{LESSON_LINE}sentence {name}")
