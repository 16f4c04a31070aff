"""What the check asks of challenges: that par is honest, and that what is called impossible is.

Impossible cannot be proved by playing; it is held against the attempts that the file lists (its misfires) and
against random faults that strike at telling moments, all under the rules that the learner has. That the goal
is one that could be reached is shown by the experiments of the file, in which a safety rule is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from server.cluster.commands import Command, CommandRefused
from server.cluster.events import Event
from server.explore import disturb
from server.language import Wait, WaitUntil, print_command
from server.lessons.clauses import TaskWatch
from server.lessons.play import LessonPlay
from server.lessons.records import Commands, Experiment, Step, Task
from server.lessons.session import Act
from server.lessons.verdicts import WHERE

if TYPE_CHECKING:
    from server.lessons.playing import Player

SCHEDULES = 16
"""Runs with random faults on each seed."""
LATE_US = 60_000_000
"""How long a run with random faults goes on when everything is whole again."""


def check_par(player: Player, step: Step, task: Task, seed: int) -> None:
    """The solution, given by hand, is counted as par; and no command of it can be left out."""
    play = by_hand(player, step, task.solution, seed)
    if play is None:
        return
    score = play.session.score
    says = f"{step.id}: {WHERE} the solution by hand takes {score} commands, but par is {task.par}."
    player.hold(task.line, 2, score == task.par, says, seed)
    for place, line in enumerate(task.solution):
        if not isinstance(line.action, Command):
            continue
        rest = (*task.solution[:place], *task.solution[place + 1 :])
        play = by_hand(player, step, rest, seed)
        is_needed = play is None or play.session.score is None
        says = f"{step.id}: {WHERE} the solution reaches the goal without {line.text!r}: par is too high."
        player.hold(task.line, 2, is_needed, says, seed)


def by_hand(player: Player, step: Step, lines: Commands, seed: int) -> LessonPlay | None:
    """A run in which a learner gives these commands himself; what is refused is left out."""
    play = player.open(step, seed)
    if play is None:
        return None
    for line in lines:
        match line.action:
            case Command():
                try:
                    play.command(line.text)
                except CommandRefused:
                    continue
            case Wait(time_us):
                play.advance(play.now_us + time_us)
            case WaitUntil(expression, within_us):
                _wait(play, expression.text, within_us)
    player.settle(play)
    return play


def _wait(play: LessonPlay, condition: str, within_us: int) -> None:
    wanted, end_us = play.run.condition(condition), play.now_us + within_us
    while not play.run.holds(wanted):
        next_us = play.next_at_us()
        if next_us is None or next_us > end_us:
            play.advance(end_us)
            return
        play.advance(next_us)


def check_impossible(player: Player, step: Step, task: Task, seed: int) -> None:
    """Random faults do not reach the goal; with a safety rule off, every experiment does."""
    for number in range(SCHEDULES):
        play = player.open(step, seed)
        if play is None:
            return
        disturb(_Hand(play), f"{player.lesson.id}/{seed}/{number}")
        _make_whole(play)
        watch = play.session.task
        assert watch is not None
        says = f"{step.id}: {WHERE} the goal that cannot be reached is, by random faults."
        player.hold(task.line, 2, watch.reached_us is None, says, seed)
    player.hold(task.line, 2, bool(step.experiments), f"{step.id}: no run shows the goal with a rule off.")
    for experiment in step.experiments:
        _check_variant(player, step, task, experiment, seed)


def _check_variant(player: Player, step: Step, task: Task, experiment: Experiment, seed: int) -> None:
    play = player.open(step, seed, f"run:{experiment.id}")
    if play is None:
        return
    name = experiment.id
    is_other = bool(play.run.picture.state["run"]["modified"])
    says = f"{name}: {WHERE} its run has every safety rule on; one must be off."
    player.hold(experiment.line, 2, is_other, says, seed)
    watch = _Goal(task, play)
    if not player.perform(play, Act("run", name, experiment.script), experiment.line, seed):
        return
    play.advance(play.now_us)
    says = f"{name}: {WHERE} the goal is not reached with the rule off either."
    player.hold(experiment.line, 2, watch.is_reached, says, seed)


class _Goal:
    """The goal of a task in a run that is not its own."""

    def __init__(self, task: Task, play: LessonPlay) -> None:
        self.watch = TaskWatch(task, play.now_us)
        play.run.attach(self)

    def observe(self, facts: Any) -> None:
        """Look once."""
        self.watch.observe(facts)

    @property
    def is_reached(self) -> bool:
        """Whether it was reached at some moment."""
        return self.watch.reached_us is not None


def _make_whole(play: LessonPlay) -> None:
    """Repair everything, and let the run go on."""
    lines = ["heal"]
    for name, node in play.run.simulation.nodes.items():
        lines += {"dead": [f"restart {name}"], "paused": [f"resume {name}"]}.get(node.state, [])
    for text in lines:
        try:
            play.command(text)
        except CommandRefused:
            continue
    play.advance(play.now_us + LATE_US)


class _Hand:
    """A learner's cluster as random faults take hold of it: with his commands, and none that he has not."""

    def __init__(self, play: LessonPlay) -> None:
        self.play = play
        self.simulation = play.run.simulation

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return self.play.now_us

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due."""
        self.play.advance(until_us)

    def advance_to(self, kinds: tuple[type[Event], ...], until_us: int) -> Event | None:
        """Go on to the next event of one of these kinds, or to `until_us`."""
        trace: Sequence[Event] = self.simulation.trace
        seen = len(trace)
        while (next_us := self.play.next_at_us()) is not None and next_us <= until_us:
            self.play.step()
            for event in trace[seen:]:
                if isinstance(event, kinds):
                    self.play.advance(self.play.now_us)
                    return event
            seen = len(trace)
        self.play.advance(until_us)
        return None

    def execute(self, command: Command) -> bool:
        """Carry out a command; `False` when the cluster or the challenge refuses it."""
        try:
            self.play.command(print_command(command))
        except CommandRefused:
            return False
        return True
