"""What the experiments of a lesson show, and which answers are right: for paper, where nothing can be played.

Nothing of this is stored: a lesson is gone through once on its first seed, as the check does, when somebody
asks for it. That is done a slice at a time and within bounds, and kept until the file or a scene changes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any

from server.cluster.commands import CommandRefused
from server.language import Expect
from server.language.vocabulary import NUMBER
from server.lessons import results
from server.lessons.library import Library, scenes_of
from server.lessons.measures import spoken
from server.lessons.play import LessonPlay
from server.lessons.playing import Player, Truths, merge
from server.lessons.records import Experiment, Lesson, Question, Step
from server.lessons.session import Act

SLICE_EVENTS = 500
"""After so many events it is somebody else's turn."""
SLICES_MAX = 400
"""How long a lesson may be played for paper; what is not measured by then stays blank."""

Work = Generator[None, None, Truths]
"""Playing, a slice at a time; what it measured."""


class Handouts:
    """What lessons measure, each played once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._kept: dict[str, tuple[object, Truths]] = {}
        self._busy: set[str] = set()

    def truths(self, lesson: Lesson) -> Work:
        """What every question of a lesson measures."""
        name = f"{lesson.kind} {lesson.id}"
        while name in self._busy:  # Whoever asks meanwhile waits for the same.
            yield
        state = (lesson.revision, [self.library.scenarios.get(scene) for scene in scenes_of(lesson)])
        kept = self._kept.get(name)
        if kept is None or kept[0] != state:
            self._busy.add(name)
            found = Truths()
            try:
                for count, _ in enumerate(_playing(self.library, lesson, found)):
                    if count == SLICES_MAX:
                        break
                    yield
            finally:
                self._busy.discard(name)
            kept = self._kept[name] = (state, found)
        return kept[1]


def _playing(library: Library, lesson: Lesson, truths: Truths) -> Iterator[None]:
    """Go through a lesson, a slice at a time. What breaks off is not measured."""
    player = Player(library, lesson)
    play: LessonPlay | None = None
    for step in lesson.steps:
        try:
            if play is not None and play.can_go_on(step):
                play.enter(step)
            else:
                play = player.open(step, lesson.seeds[0])
            if play is not None:
                yield from _through(player, play, step)
        except CommandRefused:
            play = None
        if play is not None:
            merge(truths, play.session.memory.measured)
        for experiment in step.experiments:
            own = player.open(step, lesson.seeds[0], f"run:{experiment.id}") if experiment.setup else None
            if own is not None:
                with suppress(CommandRefused):
                    yield from own.performing(Act("run", experiment.id, experiment.script), SLICE_EVENTS)
                merge(truths, own.session.memory.measured)


def _through(player: Player, play: LessonPlay, step: Step) -> Iterator[None]:
    """What the step's learner would do in this run."""
    if step.task is not None and not step.task.is_impossible:
        yield from play.performing(Act("setup", step.id, step.task.solution), SLICE_EVENTS)
        player.settle(play)
    for experiment in step.experiments:
        if experiment.setup is None:
            yield from play.performing(Act("run", experiment.id, experiment.script), SLICE_EVENTS)


# --- the answers -----------------------------------------------------------------------------------


def answers(lesson: Lesson, truths: Truths) -> dict[str, Any]:
    """Of questions, experiments and tasks by their ids: what is right, what was measured, and how it is done.
    What is not known is not there."""
    right = {each.id: _right(each, truths) for each in lesson.questions()}
    runs = [run for step in lesson.steps for run in step.experiments]
    tasks = [step.task for step in lesson.steps if step.task is not None]
    return {
        "questions": {name: found for name, found in right.items() if found is not None},
        "runs": {run.id: _shown(lesson, run, truths) for run in runs},
        "tasks": {task.id: [line.text for line in task.solution] for task in tasks if task.solution},
    }


def _right(question: Question, truths: Truths) -> dict[str, Any] | None:
    """The right answer to a question; `None` where it is measured and was not."""
    measure = question.measure
    if measure is None:
        return {
            "options": [question.answer],
            "said": None,
            "means": None,
            "why": _why(question, [question.answer]),
        }
    if not results.is_measured(question, truths):
        return None
    correct = [] if question.choice == "number" else results.matched(question, truths)
    if question.choice in ("one", "order") and not correct:
        return None
    said = None if question.choice == "order" else _united(question, results.said(measure, question, truths))
    return {"options": correct, "said": said, "means": measure.means, "why": _why(question, correct)}


def _why(question: Question, correct: Sequence[str | None]) -> str | None:
    option = question.option(correct[0] or "") if question.choice == "one" and correct else None
    return option.why if option is not None else None


def _united(question: Question, said: str) -> str:
    """A number that is no time with its unit, which a time has already."""
    is_plain = question.measure is not None and question.measure.kind is NUMBER and question.unit is not None
    return f"{said} {question.unit}" if is_plain else said


def _shown(lesson: Lesson, run: Experiment, truths: Truths) -> dict[str, Any]:
    """What an experiment measured for each question, and what else it proves."""
    stage, measured = f"run:{run.id}", []
    for question in lesson.questions():
        measure, values = question.measure, truths.get(question.id, {})
        if measure is None or stage not in values or stage not in (measure.stage, measure.versus):
            continue
        if question.choice == "order":
            said = results.said(measure, question, truths)
        else:
            said = _united(question, spoken(values[stage], measure.kind))
        measured.append({"asked": measure.means or question.ask, "said": said})
    claims = [line.text.removeprefix("expect ") for line in run.script if isinstance(line.action, Expect)]
    return {"measured": measured, "claims": claims}
