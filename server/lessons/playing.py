"""Plays a lesson as its learners may, on every seed it lists, and holds it to what it claims.

Each time something is asked of a run, that is one assertion; a check that asks nothing has failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.language import Directive
from server.lessons import results
from server.lessons.attempts import check_impossible, check_par
from server.lessons.library import Library
from server.lessons.limits import locked, refusal
from server.lessons.play import LessonPlay
from server.lessons.records import Commands, Experiment, Lesson, Nudge, Option, Question, Sentence, Step, Task
from server.lessons.requests import start_of
from server.lessons.rules import Finding
from server.lessons.session import Act
from server.lessons.verdicts import LINGER_US, WHERE, Outcome, Where, said_where, verdicts
from server.store import Start

IDLE_US = 60_000_000
"""How long doing nothing must not reach a goal."""
SETTLE_US = 30_000_000
"""How long a goal may take after the last command of its solution."""

PLAYED = {
    "setup": "the solution",
    "show": "the solution",
    "run": "the experiment",
    "sentence": "the sentence",
}
"""What is played, for a person, by the kind of the act."""

Truths = dict[str, dict[str, Any]]
"""By question, what each stage measured."""


@dataclass(slots=True)
class Fault:
    """Something that did not hold, and where."""

    wheres: list[Where]
    because: tuple[str, ...]
    """Stages that would explain it, if one of them could not be played."""


class Player:
    """Plays one lesson and collects what does not hold: each thing once, however often it was met, and
    nothing that merely follows from another."""

    def __init__(self, library: Library, lesson: Lesson) -> None:
        self.library = library
        self.lesson = lesson
        self.assertions = 0
        self.truths: list[tuple[Where, Truths]] = []
        """What every question measured, each time that it was gone through."""
        self._faults: dict[tuple[int, int, str], Fault] = {}
        self._broken: set[str] = set()
        """Stages that could not be played to their end: `do:look`, `run:bet`."""
        self._is_late = False

    @property
    def findings(self) -> list[Finding]:
        """What does not hold."""
        return [
            Finding(self.lesson.file, line, rule, says.replace(WHERE, said_where(fault.wheres, self.lesson)))
            for (line, rule, says), fault in self._faults.items()
            if self._broken.isdisjoint(fault.because)
        ]

    def play(self) -> None:
        """Everything, on every seed."""
        truths = self.truths
        for seed in self.lesson.seeds:
            for step in self.lesson.steps:
                if step.task is not None:
                    self._task(step, step.task, seed)
                for item in step.sentences:
                    self._sentence(step, item, seed)
                for question in step.questions:
                    self._shows(step, question, seed)
            for where, linger_us in ((Where(seed), 0), (Where(seed, True), LINGER_US)):
                self._is_late = where.is_late
                truths.append((where, self._walk(seed, linger_us)))
            self._is_late = False
        for question in self.lesson.questions():
            if question.measure is not None:
                self._question(question, truths)

    # --- assertions ---

    def hold(
        self, line: int, rule: int, is_true: bool, says: str, seed: int | None = None,
        because: tuple[str, ...] = (),
    ) -> bool:  # fmt: skip
        """One assertion, about the run on a seed or about all of them."""
        self.assertions += 1
        if not is_true:
            fault = self._faults.setdefault((line, rule, says), Fault([], because))
            if seed is not None and Where(seed, self._is_late) not in fault.wheres:
                fault.wheres.append(Where(seed, self._is_late))
        return is_true

    def open(self, step: Step, seed: int, place: str | None = None) -> LessonPlay | None:
        """The run of a step, or of another place in it; `None` when there is none."""
        start = start_of(self.lesson, step, {}, place)
        start = Start(seed=seed, lesson=start.lesson, step=start.step, place=place)
        try:
            return LessonPlay(start, self.lesson, step, self.library)
        except CommandRefused as problem:
            says = f"{step.id}: {WHERE} it cannot be opened: {_bare(problem)}"
            self.hold(step.line, 0, False, says, seed, self._before(step))
            return None

    def _before(self, step: Step) -> tuple[str, ...]:
        """The stages of the steps whose run this step goes on with."""
        steps = self.lesson.steps
        earlier = steps[steps.index(self.lesson.base(step)) : steps.index(step)]
        return tuple(name for each in earlier for name in (f"do:{each.id}", *_runs(each)))

    def _leading_to(self, stage: str) -> tuple[str, ...]:
        """The stages that come before a stage in its run."""
        step = next(each for each in self.lesson.steps if stage in (f"do:{each.id}", *_runs(each)))
        experiment = self.lesson.experiment(stage.removeprefix("run:")) if stage.startswith("run:") else None
        if experiment is None:
            return self._before(step)
        return () if experiment.setup is not None else (*self._before(step), f"do:{step.id}")

    def perform(self, play: LessonPlay, act: Act, line: int, seed: int) -> bool:
        """Play something to its end; its `expect` lines are assertions."""
        stage = {"setup": "do:", "show": "do:", "run": "run:"}.get(act.kind)
        because = () if stage is None else self._leading_to(stage + act.name)
        try:
            play.perform(act)
        except CommandRefused as problem:
            if stage is not None:
                self._broken.add(stage + act.name)
            says = f"{act.name}: {WHERE} {PLAYED[act.kind]} broke off: {_bare(problem)}"
            self.hold(line, 0, False, says, seed, because)
            return False
        self._expectations(play, line, seed, because)
        return True

    def _expectations(self, play: LessonPlay, line: int, seed: int, because: tuple[str, ...] = ()) -> int:
        for act, each in play.expectations:
            says = f"{act.name}: {WHERE} this did not hold: {each.text}"
            self.hold(line, 4, each.held, says, seed, because)
        count = len(play.expectations)
        play.expectations.clear()
        return count

    # --- goals ---

    def _task(self, step: Step, task: Task, seed: int) -> None:
        play = self.open(step, seed)
        if play is None:
            return
        watch = play.session.task
        assert watch is not None
        says = f"{step.id}: the goal is reached before anything is done."
        if not self.hold(task.line, 2, watch.reached_us is None, says):
            return
        play.advance(play.now_us + IDLE_US)
        says = f"{step.id}: {WHERE} the goal is reached by doing nothing for {IDLE_US // 1_000_000} s."
        if not self.hold(task.line, 2, watch.reached_us is None, says, seed):
            return
        if task.is_impossible:
            check_impossible(self, step, task, seed)
        else:
            self._solution(step, task, seed)
        for nudge in task.nudges:
            self._nudge(step, task, nudge, seed)

    def _solution(self, step: Step, task: Task, seed: int) -> None:
        for line in task.solution:
            word = None if isinstance(line.action, Directive) else refusal(task, line.text)
            says = f"{step.id}: the solution uses {word}, which the step refuses."
            self.hold(task.line, 2, word is None, says)
        self._offered(step, task.solution, "the solution", task.line)
        is_solved = self._solves(step, task, seed, 0)
        if is_solved and task.within_us is None:
            self._solves(step, task, seed, IDLE_US)
        if is_solved and self.lesson.challenge:
            check_par(self, step, task, seed)

    def _solves(self, step: Step, task: Task, seed: int, linger_us: int) -> bool:
        """Whether the solution reaches the goal when the learner reads for so long before he begins."""
        play = self.open(step, seed)
        if play is None:
            return False
        play.advance(play.now_us + linger_us)
        if not self.perform(play, Act("show", step.id, task.solution), task.line, seed):
            return False
        self.settle(play)
        watch = play.session.task
        assert watch is not None
        missing = "; ".join(each.clause.text for each in watch.clauses if not each.is_held)
        late = " (too late)" if watch.is_late else ""
        after = f" after {linger_us // 1_000_000} s of waiting" if linger_us else ""
        says = f"{step.id}: {WHERE} the solution does not reach the goal{after}{late}: {missing}"
        if watch.reached_us is None:
            self._broken.add(f"do:{step.id}")
        return self.hold(task.line, 2, watch.reached_us is not None, says, seed)

    def _offered(self, step: Step, lines: Commands, called: str, place: int) -> None:
        """What the step expects of a learner must be among the controls that it shows."""
        for line in lines:
            word = None if isinstance(line.action, Directive) else locked(step.setup, line.text)
            says = f"{step.id}: {called} uses {word}, whose controls the step hides."
            self.hold(place, 2, word is None, says)

    def settle(self, play: LessonPlay) -> None:
        """Give a goal time to be reached."""
        watch, end_us = play.session.task, play.now_us + SETTLE_US
        while watch is not None and watch.reached_us is None and play.now_us < end_us:
            play.advance(min(end_us, play.now_us + 100_000))

    def _nudge(self, step: Step, task: Task, nudge: Nudge, seed: int) -> None:
        self._offered(step, nudge.misfire, f"the misfire of {nudge.id}", nudge.line)
        play = self.open(step, seed)
        if play is None:
            return
        shown = _Shown(play)
        play.run.attach(shown)
        if not self.perform(play, Act("show", step.id, nudge.misfire), nudge.line, seed):
            return
        play.advance(play.now_us + nudge.after_us + 100_000)
        shown.observe(play.run.facts())
        watch = play.session.task
        assert watch is not None
        name = f"{step.id}.{nudge.id}"
        says = f"{name}: {WHERE} its misfire reaches the goal."
        if not self.hold(nudge.line, 3, watch.reached_us is None, says, seed):
            return
        others = ", ".join(repr(each) for each in shown.names if each != nudge.id)
        says = f"{name}: {WHERE} its misfire does not make it show{f', but {others}' if others else ''}."
        if not self.hold(nudge.line, 3, nudge.id in shown.names, says, seed):
            return
        says = f"{name}: {WHERE} its misfire ends with another nudge: {others}."
        self.hold(nudge.line, 3, shown.names[-1] == nudge.id, says, seed)

    # --- what is played for the learner ---

    def _sentence(self, step: Step, item: Sentence, seed: int) -> None:
        play = self.open(step, seed, f"item:{item.id}")
        if play is None or not self.perform(play, Act("sentence", item.id, item.script), item.line, seed):
            return
        held = play.session.memory.items.get(item.id) is True
        self.hold(item.line, 4, held, f"{item.id}: {WHERE} this does not hold: {item.expect}", seed)

    def _shows(self, step: Step, question: Question, seed: int) -> None:
        for option in question.options:
            if option.show is None or (option.show.is_scene and seed != self.lesson.seeds[0]):
                continue
            self._show(step, question, option, seed)

    def _show(self, step: Step, question: Question, option: Option, seed: int) -> None:
        name = f"{question.id}.{option.id}"
        assert option.show is not None
        place = f"show:{name}"
        # A scene tells its own story, on its own seed.
        start = Start(
            None if option.show.is_scene else seed, lesson=self.lesson.id, step=step.id, place=place
        )
        try:
            play = LessonPlay(start, self.lesson, step, self.library)
            play.expectations.clear()
            play.command(f"lesson refute {name}")
            while play.session.act is not None and play.step():
                pass
        except CommandRefused as problem:
            says = f"{name}: its show cannot be played: {_bare(problem)}"
            self.hold(option.line, 4, False, says, because=self._before(step))
            return
        stopped = play.session.stopped
        says = f"{name}: {WHERE} its show broke off: {_bare(stopped or '')}"
        if not self.hold(option.line, 4, stopped is None, says, seed):
            return
        count = self._expectations(play, option.line, seed)
        self.hold(option.line, 4, count > 0, f"{name}: its show has no expect: what refutes the belief?")

    # --- predictions ---

    def _walk(self, seed: int, linger_us: int) -> Truths:
        """Go through the whole lesson as its learner may; what was measured on the way."""
        truths: Truths = {}
        play: LessonPlay | None = None
        for step in self.lesson.steps:
            if play is not None and play.can_go_on(step):
                try:
                    play.enter(step)
                except CommandRefused as problem:
                    says = f"{step.id}: {WHERE} it cannot be entered: {_bare(problem)}"
                    self.hold(step.line, 0, False, says, seed, self._before(step))
            else:
                play = self.open(step, seed)
            if play is None:
                continue
            self._go_through(play, step, seed, linger_us)
            merge(truths, play.session.memory.measured)
            for experiment in step.experiments:
                if experiment.setup is not None:
                    merge(truths, self._apart(step, experiment, seed))
        return truths

    def _go_through(self, play: LessonPlay, step: Step, seed: int, linger_us: int) -> None:
        if step.task is not None and not step.task.is_impossible:
            self.perform(play, Act("setup", step.id, step.task.solution), step.task.line, seed)
            self.settle(play)
        for experiment in step.experiments:
            if experiment.setup is None:
                play.advance(play.now_us + linger_us)
                act = Act("run", experiment.id, experiment.script)
                self.perform(play, act, experiment.line, seed)

    def _apart(self, step: Step, experiment: Experiment, seed: int) -> Truths:
        """An experiment in a run of its own."""
        play = self.open(step, seed, f"run:{experiment.id}")
        if play is None:
            return {}
        self.perform(play, Act("run", experiment.id, experiment.script), experiment.line, seed)
        return play.session.memory.measured

    def _question(self, question: Question, truths: list[tuple[Where, Truths]]) -> None:
        """Rule 4: what was measured is what the file marks as right, every time."""
        measure = question.measure
        assert measure is not None
        outcomes: list[Outcome] = []
        for where, measured in truths:
            self._is_late = where.is_late
            says = f"{question.id}: {WHERE} nothing is measured."
            is_measured = results.is_measured(question, measured)
            if self.hold(question.line, 4, is_measured, says, where.seed, self._stages(question)):
                found = () if question.choice == "number" else tuple(results.matched(question, measured))
                x = results.truth(question, measured)[0]
                outcomes.append(Outcome(where, results.said(measure, question, measured), x, found))
        self._is_late = False
        for line, says in verdicts(question, outcomes, self.lesson):
            self.hold(line, 4, False, says, because=self._stages(question))
        # Each time something was measured, each of its options was held against it.
        self.assertions += len(outcomes) * max(1, len(question.options))

    def _stages(self, question: Question) -> tuple[str, ...]:
        """The stages in which a question is measured, with those that lead to them."""
        measure = question.measure
        assert measure is not None
        stages = [stage for stage in (measure.stage, measure.versus) if stage]
        return tuple(name for stage in stages for name in (*self._leading_to(stage), stage))


def _runs(step: Step) -> list[str]:
    """The stages of a step's experiments."""
    return [f"run:{run.id}" for run in step.experiments]


class _Shown:
    """Notes which nudges show."""

    def __init__(self, play: LessonPlay) -> None:
        self.play = play
        self.names: list[str] = []

    def observe(self, facts: Facts) -> None:
        """Look once; the session has looked before."""
        del facts
        watch = self.play.session.task
        nudge = watch.nudge if watch is not None else None
        if nudge is not None and (not self.names or self.names[-1] != nudge.id):
            self.names.append(nudge.id)


def merge(truths: Truths, found: Truths) -> None:
    """Add what was measured in another run."""
    for question, stages in found.items():
        truths.setdefault(question, {}).update(stages)


def _bare(problem: object) -> str:
    """A refusal without what says the same again: where it was."""
    return re.sub(
        r"^(The (step|scene) [\w-]+ cannot be opened\. )?(The scenario stopped: )?", "", str(problem)
    )


def play_lesson(library: Library, lesson: Lesson) -> tuple[int, list[Finding]]:
    """How many assertions were measured, and what did not hold."""
    player = Player(library, lesson)
    player.play()
    return player.assertions, player.findings


def all_findings(findings: Iterator[Finding]) -> list[Finding]:
    """Each once, in the order of the file."""
    return sorted(dict.fromkeys(findings), key=lambda each: (each.file, each.line, each.rule))
