"""The run of a lesson's step as a room plays it: an ordinary run, watched by the learner's session.

Everything a learner does in a lesson arrives as a line that begins with `lesson`. Such lines are stored and
played again like commands, so a room that is brought back is in the same place of the same lesson.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from server.cluster.commands import CommandRefused
from server.language import parse, print_value
from server.lessons.library import Library
from server.lessons.opening import Opening, open_place, show_lines
from server.lessons.records import Commands, Lesson, Step
from server.lessons.session import Act, Memory, Session
from server.play import Play
from server.protocol import ScriptFrame
from server.run import END_US
from server.scenario import Expectation, ScriptLine, ScriptPlayer
from server.store import Start

LESSON_LINE = "lesson "
"""How a line that is meant for the lesson begins."""


class LessonPlay(Play):
    """A run in a lesson."""

    def __init__(self, start: Start, lesson: Lesson, step: Step, library: Library) -> None:
        """Raises `CommandRefused` when the start names what the lesson does not have."""
        self._is_ready = False
        self.expectations: list[tuple[Act, Expectation]] = []
        """What every `expect` of everything played here has found."""
        self.played: list[str] = []
        """Experiments that were begun in this run."""
        self.is_touched = False
        """Whether the learner has given a command since the step began."""
        self.lesson_start = start
        self.library = library
        self.opening: Opening = open_place(library.scenes, lesson, step, start.place, start.seed)
        super().__init__(Start(scenario=self.opening.scene), self.opening.scenario)
        self._play_script(END_US)
        if self.notice is not None:
            raise CommandRefused(f"The scene {self.opening.scene} cannot be opened. {self.notice}")
        self.session = Session(lesson, step, Memory(start.memory), self.opening.is_home)
        self.session.place = start.place
        self._is_ready = True
        self.run.attach(self.session)
        self.session.counts = False
        for earlier in self.opening.prelude:
            self._go_through(earlier)
        self.session.counts = True
        self.enter(step)

    # --- what the room asks ---

    @property
    def lesson(self) -> dict[str, Any] | None:
        """The learner's progress, the same object until something of it changes."""
        lesson = self.session.lesson
        on_disk = self.library.shelf(lesson.kind).get(lesson.id)
        if on_disk is not None:  # A file that its author has just broken is waited for.
            self.session.tell_revision(self.library.spoken(on_disk, lesson.language).revision)
        return self.session.document()

    @property
    def memory(self) -> dict[str, Any]:
        """What the learner has done in this lesson, and in which state of its file; empty when nothing."""
        memory = self.session.memory.as_json()
        return {**memory, "revision": self.session.lesson.revision} if any(memory.values()) else {}

    @property
    def script(self) -> ScriptFrame | None:
        """A lesson shows what is played in its own place."""
        return None

    @property
    def script_done(self) -> int:
        """See `script`."""
        return 0

    def command(self, text: str) -> None:
        """Carry out the learner's command, or what he does in the lesson. Raises `CommandRefused`."""
        if text.startswith(LESSON_LINE):
            self.run.advance(self.now_us)
            self._lesson_command(text.removeprefix(LESSON_LINE))
            return
        self.session.check_allowed(text)
        self.advance(self.now_us)  # A goal that is reached by now was reached without this command.
        # Counted first: the command may reach the goal at once.
        self.session.count(1)
        try:
            super().command(text)
        except CommandRefused:
            self.session.count(-1)
            raise
        self.is_touched = True

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due; conditions that must hold for a time are asked at its end."""
        super().advance(until_us)
        facts = self.run.facts()
        facts.now_us = self.now_us
        self.session.observe_task(facts)

    # --- steps ---

    def enter(self, step: Step) -> None:
        """Begin a step in this run: what its scene changes is carried out first."""
        setup = step.setup
        if setup is not None and not setup.is_fresh and self.session.is_home:
            self.perform(Act("setup", step.id, _setup_lines(step)))
        self.is_touched = False
        self.session.enter(step, self.run.facts())

    def _go_through(self, step: Step) -> None:
        """What the step's learner would have done, played at once."""
        self.enter(step)
        if step.task is not None:
            self.perform(Act("setup", step.id, step.task.solution))
        for experiment in step.experiments:
            if experiment.setup is None:
                self.perform(Act("run", experiment.id, experiment.script))

    def perform(self, act: Act) -> None:
        """Play something to its end at once. Raises `CommandRefused` when the cluster refuses a part."""
        self.begin(act)
        self._play_script(END_US)
        self._performed(act)

    def performing(self, act: Act, slice_events: int) -> Iterator[None]:
        """The same as `perform`, after every so many events with a rest. Raises `CommandRefused`."""
        self.begin(act)
        rest_at = self.event_count + slice_events
        while self.session.act is not None and self.step():
            if self.event_count >= rest_at:
                rest_at = self.event_count + slice_events
                yield
        yield
        self._performed(act)

    def _performed(self, act: Act) -> None:
        self._now_us = max(self._now_us, self.run.now_us)
        if self.session.stopped is not None:
            raise CommandRefused(f"The step {act.name} cannot be opened. {self.session.stopped}")

    # --- what is played ---

    def begin(self, act: Act) -> None:
        """Play something from now on, while time passes."""
        self.session.begin(act, self.run.facts())
        if act.kind == "run":
            self.played.append(act.name)
        self.run.script = ScriptPlayer(self.run, act.lines)
        self._has_script = True
        self._play_script(self.run.now_us)

    def _play_script(self, until_us: int) -> None:
        super()._play_script(until_us)
        if not self._is_ready or self.session.act is None:
            return
        self.session.progress(self.run.script.next_line)
        if not self._has_script:
            stopped, self.notice = self.notice, None
            self.expectations += [(self.session.act, each) for each in self.run.script.expectations]
            self.session.end(self.run.facts(), stopped)

    # --- lines ---

    def _lesson_command(self, line: str) -> None:
        action, _, rest = line.partition(" ")
        match action:
            case "answer":
                question, _, answer = rest.partition(" ")
                self.session.answer(question, _read_json(answer))
            case "hint":
                self.session.hint()
            case "explore":
                self._check_idle()
                self.session.explore()
            case "step":
                self._check_idle()
                self.enter(self._following(rest))
            case "run":
                self._check_idle()
                self.session.check_may_run(rest)
                experiment = self.session.lesson.experiment(rest)
                assert experiment is not None
                self.begin(Act("run", rest, experiment.script))
            case "show":
                self._check_idle()
                task = self.session.step.task
                if task is None or not task.solution:
                    raise CommandRefused(f"The step {self.session.step.id} has nothing to be solved.")
                self.begin(Act("show", self.session.step.id, task.solution))
            case "refute":
                self._check_idle()
                question, _, option = rest.partition(".")
                self.begin(Act("refute", rest, self._refutation(question, option)))
            case "sentence":
                self._check_idle()
                item = self.session.lesson.sentence(rest)
                if item is None:
                    raise CommandRefused(f"There is no sentence {rest} in this answer.")
                self.begin(Act("sentence", rest, item.script))
            case _:
                raise CommandRefused(f"There is nothing called {action[:40]} in a lesson.")

    def _refutation(self, question: str, option: str) -> Commands:
        lines = show_lines(self.library.scenes, self.session.lesson, question, option)
        if not lines:
            raise CommandRefused(f"There is nothing to play for the answer {question}.{option}.")
        return lines

    def _check_idle(self) -> None:
        if self.session.act is not None:
            raise CommandRefused("Something is being played: wait for its end, or restore the scene.")

    def _following(self, name: str) -> Step:
        """A later step that goes on with this run."""
        step = self.session.lesson.step(name)
        if step is None or not self.can_go_on(step):
            raise CommandRefused(f"The step {name} does not go on from here: open it.")
        return step

    def can_go_on(self, step: Step) -> bool:
        """Whether a step can begin in this run: it is the next one and has no scene of its own."""
        steps = self.session.lesson.steps
        place = steps.index(self.session.step)
        is_next = place + 1 < len(steps) and steps[place + 1] is step
        has_scene = step.setup is not None and step.setup.is_fresh
        return is_next and not has_scene and self.session.is_home

    def has_happened(self) -> bool:
        """Whether what later steps go on from has happened in this run: not when it was passed over, broke
        off, or was taken back with a restored scene."""
        session = self.session
        is_reached = session.step.task is None or (
            session.task is not None and session.task.reached_us is not None
        )
        due = [run.id for run in session.step.experiments if run.setup is None]
        return is_reached and session.stopped is None and all(name in self.played for name in due)

    def may_measure(self, experiment: str) -> bool:
        """Whether an experiment of the step finds here what it begins with: not twice in one run, nor when
        the learner has changed something in a step that asks for nothing."""
        return experiment not in self.played and not (self.is_touched and self.session.step.task is None)


def _setup_lines(step: Step) -> tuple[ScriptLine, ...]:
    """The commands of a scene block that goes on with a run."""
    setup = step.setup
    assert setup is not None
    lines = [*setting_lines(setup.settings), *setup.script]
    return tuple(lines)


def setting_lines(settings: dict[str, str | int | bool]) -> list[ScriptLine]:
    """Settings as the commands that set them."""
    lines = []
    for number, (name, value) in enumerate(settings.items(), 1):
        text = f"set {name} {print_value(name, value)}"
        lines.append(ScriptLine(text, parse(text), number))
    return lines


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CommandRefused("The answer cannot be read.") from None
