"""One learner's progress in one lesson: what was answered, measured, hinted and reached.

A session is shown a live run and told what the learner does; it answers with the document that the page
shows (`document`). What must outlive the run (a restored scene begins a new one) is its `memory`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.lessons import results
from server.lessons.clauses import Condition, TaskWatch
from server.lessons.limits import locked, refusal
from server.lessons.measures import Gauge, Value
from server.lessons.records import Commands, Lesson, Question, Step

ANSWER_MAX = 1e12
"""The largest number that is an answer."""


@dataclass(slots=True)
class Act:
    """Something that is being played for the learner."""

    kind: str
    """run, show, refute or sentence."""
    name: str
    lines: Commands
    done: int = 0


class Memory:
    """What a learner has done in a lesson, as JSON."""

    def __init__(self, stored: Mapping[str, Any] | None = None) -> None:
        stored = stored or {}
        self.answers: dict[str, Any] = dict(stored.get("answers", {}))
        self.measured: dict[str, dict[str, Any]] = {
            name: dict(values) for name, values in stored.get("measured", {}).items()
        }
        """By question: what each stage measured."""
        self.hints: dict[str, int] = dict(stored.get("hints", {}))
        self.reached: list[str] = list(stored.get("reached", []))
        """Steps whose goal was reached."""
        self.shown: list[str] = list(stored.get("shown", []))
        """Steps whose solution was played."""
        self.runs: list[str] = list(stored.get("runs", []))
        self.items: dict[str, bool] = dict(stored.get("items", {}))

    def as_json(self) -> dict[str, Any]:
        """To be kept with the room."""
        return {
            "answers": self.answers, "measured": self.measured, "hints": self.hints,
            "reached": self.reached, "shown": self.shown, "runs": self.runs, "items": self.items,
        }  # fmt: skip


class Session:
    """One lesson in one run."""

    def __init__(self, lesson: Lesson, step: Step, memory: Memory, is_home: bool) -> None:
        self.lesson = lesson
        self.step = step
        self.memory = memory
        self.is_home = is_home
        self.place: str | None = None
        """Where the run is when it is not the step's own: `show:bet.none`, `run:crash`, `explore` …"""
        self.revision = lesson.revision
        """Of the file as it is now: a page of another revision is old."""
        self.counts = True
        """Whether what happens is the learner's doing; not while earlier steps are played to get here."""
        self.task: TaskWatch | None = None
        self.commands = 0
        """How many commands the learner gave towards the goal; waiting is free."""
        self.score: int | None = None
        """How many it took to reach the goal, unless the solution was played."""
        self.is_shown = False
        """Whether the solution was played in this run."""
        self.act: Act | None = None
        self.stopped: str | None = None
        """Why what was played broke off."""
        self._gauges: list[Gauge] = []
        self._task_gauges: list[Gauge] = []
        self._expectation: Condition | None = None
        self._seen: tuple[object, ...] = ()
        self._document: dict[str, Any] | None = None

    # --- the run ---

    def enter(self, step: Step, facts: Facts) -> None:
        """The learner begins a step: its goal counts from now on."""
        self.step, self.act, self.stopped = step, None, None
        self.commands, self.score, self.is_shown = 0, None, False
        task = step.task if self.is_home else None
        self.task = None if task is None else TaskWatch(task, facts.now_us)
        self._task_gauges = self._gauges_of(f"do:{step.id}", facts) if task is not None else []
        self.observe(facts)
        self._changed()

    def explore(self) -> None:
        """The learner goes his own ways in this run: nothing is judged, everything is allowed."""
        self.is_home, self.place, self.task = False, "explore", None
        self._changed()

    def observe(self, facts: Facts) -> None:
        """Look at the run; to be called after every happening of the cluster."""
        for gauge in self._gauges:
            gauge.observe(facts)
        if self._expectation is not None:
            self._expectation.observe(facts)
        self.observe_task(facts)

    def observe_task(self, facts: Facts) -> None:
        """Look at the goal alone; to be called also when nothing but time has passed."""
        if self.task is None:
            return
        for gauge in self._task_gauges:
            gauge.observe(facts)
        if self.task.observe(facts):
            self._record(f"do:{self.step.id}", self._task_gauges, facts)
            self.score = None if self.is_shown else self.commands
            if self.counts:
                _note(self.memory.reached, self.step.id)
        status = self.task.status()
        if status != self._seen:
            self._seen = status
            self._changed()

    def begin(self, act: Act, facts: Facts) -> None:
        """Something is played from now on; a run is measured while it lasts."""
        self.act, self.stopped = act, None
        if act.kind == "run":
            self._gauges = self._gauges_of(f"run:{act.name}", facts)
        elif act.kind == "show":
            self.is_shown = True
            _note(self.memory.shown, self.step.id)
        elif act.kind == "sentence":
            item = self.lesson.sentence(act.name)
            assert item is not None
            self._expectation = Condition(item.expect)
            self._expectation.observe(facts)
        self._changed()

    def progress(self, done: int) -> None:
        """So many lines of what is played are done."""
        if self.act is not None and self.act.done != done:
            self.act.done = done
            self._changed()

    def end(self, facts: Facts, stopped: str | None) -> None:
        """What was played is over, or broke off."""
        act, self.act, self.stopped = self.act, None, stopped
        assert act is not None
        if stopped is None and act.kind == "run":
            self._record(f"run:{act.name}", self._gauges, facts)
            if self.counts:
                _note(self.memory.runs, act.name)
        elif act.kind == "sentence" and self._expectation is not None:
            self.memory.items[act.name] = stopped is None and self._expectation.observe(facts)
        self._gauges, self._expectation = [], None
        self._changed()

    def _gauges_of(self, stage: str, facts: Facts) -> list[Gauge]:
        """One for each question that this stage measures."""
        return [
            Gauge(question, facts)
            for question in self.lesson.questions()
            if question.measure is not None and stage in (question.measure.stage, question.measure.versus)
        ]

    def _record(self, stage: str, gauges: list[Gauge], facts: Facts) -> None:
        for gauge in gauges:
            value: Value = gauge.value(facts)
            if gauge.measure.form == "order" and not gauge.is_clear():
                value = None
            found = self.memory.measured.setdefault(gauge.question.id, {})
            if self.counts or stage not in found:
                found[stage] = value

    # --- what the learner does ---

    def answer(self, name: str, answer: Any) -> None:
        """Store an answer. Raises `CommandRefused` when it is none."""
        question = self._question(name)
        if not self.is_open(question):
            raise CommandRefused(f"The question {name} is answered, and the run has shown the truth.")
        checked_answer(question, answer)
        self.memory.answers[name] = answer
        self._changed()

    def hint(self) -> None:
        """Give one more hint. Raises `CommandRefused` when there is none."""
        task = self.step.task
        given = self.memory.hints.get(self.step.id, 0)
        if task is None or given >= len(task.hints):
            raise CommandRefused("There are no more hints in this step.")
        self.memory.hints[self.step.id] = given + 1
        self._changed()

    def check_may_run(self, name: str) -> None:
        """Refuse an experiment of another step, and one whose predictions are open."""
        if name not in [run.id for run in self.step.experiments]:
            raise CommandRefused(f"There is no experiment {name} in the step {self.step.id}.")
        waiting = self.waiting_for(name)
        if waiting:
            raise CommandRefused(f"First say what you expect: {waiting[0].ask}")

    def waiting_for(self, run: str) -> list[Question]:
        """Predictions that an experiment would answer, and that the learner has not made."""
        return [
            question
            for question in self.lesson.questions()
            if question.block == "predict"
            and question.measure is not None
            and f"run:{run}" in (question.measure.stage, question.measure.versus)
            and question.id not in self.memory.answers
            and self._is_here_or_before(question)
        ]

    def check_allowed(self, text: str) -> None:
        """Refuse a command that the step does not want."""
        if self.act is not None:
            raise CommandRefused("The experiment is being played: wait for its end, or restore the scene.")
        if not self.is_home:
            return
        word = locked(self.step.setup, text)
        if word is not None:
            raise CommandRefused(f"This step keeps {word} for later. To use it here, explore freely.")
        task = self.step.task
        if task is None:
            return
        word = refusal(task, text)
        if word is not None:
            fits = (
                ", ".join(task.allow) if task.allow is not None else f"anything but {', '.join(task.forbid)}"
            )
            raise CommandRefused(f"This step does without {word}; it takes {fits}.")

    def count(self, by: int) -> None:
        """A command is given (1), or the cluster refused it (-1). What comes after the goal is free."""
        if self.task is not None and self.task.reached_us is None:
            self.commands += by
            self._changed()

    def _question(self, name: str) -> Question:
        question = self.lesson.question_named(name)
        if question is None:
            known = ", ".join(each.id for each in self.lesson.questions()) or "none"
            raise CommandRefused(f"There is no question {name}. Questions here: {known}.")
        return question

    def _is_here_or_before(self, question: Question) -> bool:
        last = self.lesson.steps.index(self.step)
        return any(question in step.questions for step in self.lesson.steps[: last + 1])

    def is_open(self, question: Question) -> bool:
        """Whether a question may (still) be answered."""
        if question.measure is None:
            return self.memory.answers.get(question.id) != question.answer
        if question.block == "observe" and not results.is_measured(question, self.memory.measured):
            return False  # It asks what was seen: first something must be seen.
        return results.result(question, self.memory.answers, self.memory.measured) is None

    # --- the page ---

    def tell_revision(self, revision: str) -> None:
        """The file may have been changed."""
        if revision != self.revision:
            self.revision = revision
            self._changed()

    def _changed(self) -> None:
        self._document = None

    def document(self) -> dict[str, Any]:
        """What the page shows; the same object until something changes."""
        if self._document is None:
            self._document = results.document(self)
        return self._document


def checked_answer(question: Question, answer: Any) -> None:
    """Refuse what is no answer to a question. None passes a measured one over: its run may be played, and
    what happened is told to nobody's account."""
    if answer is None and question.measure is not None:
        return
    if question.choice == "number":
        is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
        if not is_number or not math.isfinite(answer) or abs(answer) > ANSWER_MAX:
            raise CommandRefused("The answer to this question is a number.")
        return
    known = [option.id for option in question.options]
    chosen = [answer] if question.choice == "one" else answer
    if not isinstance(chosen, list) or any(each not in known for each in chosen):
        several = "" if question.choice == "one" else "a list of "
        raise CommandRefused(f"The answer to this question is {several}one of {', '.join(known)}.")
    if len(set(chosen)) != len(chosen):
        raise CommandRefused("This answer names an option twice.")
    if question.choice == "order" and len(chosen) != len(known):
        raise CommandRefused(f"An order names all of {', '.join(known)}.")


def _note(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
