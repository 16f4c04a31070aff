"""Plays a lesson as its learners may, on every seed it lists, and holds it to what it claims.

Each time something is asked of a run, that is one assertion; a check that asks nothing has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from server.store import Start

IDLE_US = 60_000_000
"""How long doing nothing must not reach a goal."""
SETTLE_US = 30_000_000
"""How long a goal may take after the last command of its solution."""
LINGER_US = 120_000_000
"""A learner may read for so long before he presses the button of an experiment."""

Truths = dict[str, dict[str, Any]]
"""By question, what each stage measured."""


class Player:
    """Plays one lesson and collects what does not hold."""

    def __init__(self, library: Library, lesson: Lesson) -> None:
        self.library = library
        self.lesson = lesson
        self.findings: list[Finding] = []
        self.assertions = 0
        self.truths: list[tuple[str, Truths]] = []
        """What every question measured, each time that it was gone through."""

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
            truths.append((f"on seed {seed}", self._walk(seed, 0)))
            seconds = LINGER_US // 1_000_000
            late = f"on seed {seed}, when the learner first waits {seconds} s"
            truths.append((late, self._walk(seed, LINGER_US)))
        for question in self.lesson.questions():
            if question.measure is not None:
                self._question(question, truths)

    # --- assertions ---

    def hold(self, line: int, rule: int, is_true: bool, says: str) -> bool:
        """One assertion; the first finding of its kind at a place is enough."""
        self.assertions += 1
        finding = Finding(self.lesson.file, line, rule, says)
        if not is_true and finding not in self.findings:
            self.findings.append(finding)
        return is_true

    def open(self, step: Step, seed: int, place: str | None = None) -> LessonPlay | None:
        start = start_of(self.lesson, step, {}, place)
        start = Start(seed=seed, lesson=start.lesson, step=start.step, place=place)
        try:
            return LessonPlay(start, self.lesson, step, self.library)
        except CommandRefused as problem:
            self.hold(step.line, 0, False, f"{step.id}: on seed {seed} it cannot be opened: {problem}")
            return None

    def perform(self, play: LessonPlay, act: Act, line: int, seed: int) -> bool:
        """Play something to its end; its `expect` lines are assertions."""
        try:
            play.perform(act)
        except CommandRefused as problem:
            self.hold(line, 0, False, f"{act.name}: on seed {seed} the {act.kind} broke off: {problem}")
            return False
        self._expectations(play, line, seed)
        return True

    def _expectations(self, play: LessonPlay, line: int, seed: int) -> int:
        for act, each in play.expectations:
            says = f"{act.name}: on seed {seed} this did not hold: {each.text}"
            self.hold(line, 4, each.held, says)
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
        self.hold(
            task.line, 2, watch.reached_us is None, f"{step.id}: the goal is reached before anything is done."
        )
        play.advance(play.now_us + IDLE_US)
        says = f"{step.id}: on seed {seed} the goal is reached by doing nothing for {IDLE_US // 1_000_000} s."
        self.hold(task.line, 2, watch.reached_us is None, says)
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
        if task.within_us is None:
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
        says = f"{step.id}: on seed {seed} the solution does not reach the goal{after}{late}: {missing}"
        return self.hold(task.line, 2, watch.reached_us is not None, says)

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
        says = f"{step.id}.{nudge.id}: on seed {seed} its misfire reaches the goal."
        self.hold(nudge.line, 3, watch.reached_us is None, says)
        others = ", ".join(name for name in shown.names if name != nudge.id)
        says = f"{step.id}.{nudge.id}: on seed {seed} its misfire does not make it show"
        self.hold(nudge.line, 3, nudge.id in shown.names, f"{says}{f', but {others}' if others else ''}.")
        says = f"{step.id}.{nudge.id}: on seed {seed} its misfire ends with another nudge: {others}."
        self.hold(nudge.line, 3, not shown.names or shown.names[-1] == nudge.id, says)

    # --- what is played for the learner ---

    def _sentence(self, step: Step, item: Sentence, seed: int) -> None:
        play = self.open(step, seed, f"item:{item.id}")
        if play is None or not self.perform(play, Act("sentence", item.id, item.script), item.line, seed):
            return
        held = play.session.memory.items.get(item.id) is True
        self.hold(item.line, 4, held, f"{item.id}: on seed {seed} this does not hold: {item.expect}")

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
            self.hold(option.line, 4, False, f"{name}: its show cannot be played: {problem}")
            return
        stopped = play.session.stopped
        self.hold(option.line, 4, stopped is None, f"{name}: on seed {seed} its show broke off: {stopped}")
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
                    self.hold(step.line, 0, False, f"{step.id}: it cannot be entered: {problem}")
            else:
                play = self.open(step, seed)
            if play is None:
                continue
            self._go_through(play, step, seed, linger_us)
            _merge(truths, play.session.memory.measured)
            for experiment in step.experiments:
                if experiment.setup is not None:
                    _merge(truths, self._apart(step, experiment, seed))
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

    def _question(self, question: Question, truths: list[tuple[str, Truths]]) -> None:
        """Rule 4: what was measured is what the file marks as right, every time."""
        firsts: list[list[str]] = []
        for where, measured in truths:
            says = f"{question.id}: {where} nothing is measured."
            if not self.hold(question.line, 4, results.is_measured(question, measured), says):
                continue
            assert question.measure is not None
            text = f"{where} the run measures {results.said(question.measure, question, measured)}"
            if question.choice == "number":
                is_right = question.match is not None and question.match.holds(
                    x=results.truth(question, measured)[0]
                )
                self.hold(question.line, 4, is_right, f"{question.id}: {text}, which its match denies.")
                continue
            self._matching(question, results.matched(question, measured), text, firsts)

    def _matching(self, question: Question, found: list[str], text: str, firsts: list[list[str]]) -> None:
        says = f"{question.id}: {text}"
        if question.choice == "one":
            fits = ", ".join(found) or "no option"
            self.hold(question.line, 4, len(found) == 1, f"{says}: {fits} fits; exactly one must.")
        if question.choice == "order":
            self.hold(question.line, 4, bool(found), f"{says}: not every `when` came true, or two at once.")
            listed = [option.id for option in question.options]
            self.hold(
                question.line, 4, found != listed, f"{question.id}: the options stand in the right order."
            )
        else:
            for option in question.options:
                is_right = option.id in found
                marked = f"{says}: that is {option.id}, which has a `mis`."
                self.hold(option.line, 4, not (is_right and option.misconception), marked)
                unmarked = f"{says}: {option.id} is wrong and needs `mis` and `why`."
                is_explained = bool(option.misconception and option.why)
                self.hold(option.line, 4, is_right or is_explained, unmarked)
        firsts.append(found)
        again = f"{says}: {', '.join(found)}, but at first it was {', '.join(firsts[0])}."
        self.hold(question.line, 4, found == firsts[0], again)


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


def _merge(truths: Truths, found: Truths) -> None:
    for question, stages in found.items():
        truths.setdefault(question, {}).update(stages)


def play_lesson(library: Library, lesson: Lesson) -> tuple[int, list[Finding]]:
    """How many assertions were measured, and what did not hold."""
    player = Player(library, lesson)
    player.play()
    return player.assertions, player.findings


def all_findings(findings: Iterator[Finding]) -> list[Finding]:
    """Each once, in the order of the file."""
    return sorted(dict.fromkeys(findings), key=lambda each: (each.file, each.line, each.rule))
