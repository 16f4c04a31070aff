"""Watches a goal in a live run: each clause with its own truth, the whole, and the recognised wrong paths.

Everything here is shown the facts after every happening of the cluster (`observe`) and never asks a clock.
"""

from __future__ import annotations

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.language import Expression, compile_condition, spoken_time
from server.lessons.records import Clause, Nudge, Task


class Condition:
    """A condition that sees every event."""

    def __init__(self, text: str) -> None:
        self.expression: Expression = compile_condition(text)

    def observe(self, facts: Facts) -> bool:
        """Whether it holds now."""
        # Asked first, so that a part that `and` would skip misses nothing.
        self.expression.observe(facts)
        return self.expression.holds(facts)


class ClauseWatch:
    """One clause of a goal."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause
        self.is_held = False
        self._conditions = [Condition(_text(clause, condition)) for condition in clause.conditions]
        self._passed = 0
        """Of an order: how many of its conditions have come true."""

    @property
    def is_broken(self) -> bool:
        """Whether it can never be true again in this run."""
        return self.clause.kind == "always" and not self.is_held

    def observe(self, facts: Facts) -> None:
        """Look once."""
        if self.clause.kind != "order":
            self.is_held = self._conditions[0].observe(facts)
            return
        for place, condition in enumerate(self._conditions):
            holds = condition.observe(facts)
            if place == self._passed and holds:
                self._passed += 1
        self.is_held = self._passed == len(self._conditions)


def _text(clause: Clause, condition: str) -> str:
    if clause.kind == "held":
        return f"held({condition}, {spoken_time(clause.for_us)})"
    return f"{clause.kind}({condition})" if clause.kind in ("ever", "always") else condition


class NudgeWatch:
    """One nudge: shown while its condition has held long enough."""

    def __init__(self, nudge: Nudge) -> None:
        self.nudge = nudge
        self.is_on = False
        self._condition = Condition(nudge.when)
        self._since_us: int | None = None

    def observe(self, facts: Facts) -> None:
        """Look once."""
        if not self._condition.observe(facts):
            self._since_us, self.is_on = None, False
            return
        if self._since_us is None:
            self._since_us = facts.now_us
        self.is_on = facts.now_us - self._since_us >= self.nudge.after_us


class TaskWatch:
    """A do block in a live run, from the opening of its step on."""

    def __init__(self, task: Task, start_us: int) -> None:
        self.task = task
        self.start_us = start_us
        self.clauses = [ClauseWatch(clause) for clause in task.goal]
        self.nudges = [NudgeWatch(nudge) for nudge in task.nudges]
        self.reached_us: int | None = None
        self.is_late = False

    @property
    def nudge(self) -> Nudge | None:
        """The first nudge that fits, until the goal is reached."""
        if self.reached_us is not None:
            return None
        return next((watch.nudge for watch in self.nudges if watch.is_on), None)

    def observe(self, facts: Facts) -> bool:
        """Look once; whether the goal was reached at this very moment."""
        for clause in self.clauses:
            clause.observe(facts)
        for nudge in self.nudges:
            nudge.observe(facts)
        if self.reached_us is not None:
            return False
        within_us = self.task.within_us
        self.is_late = within_us is not None and facts.now_us - self.start_us > within_us
        held = [clause.is_held for clause in self.clauses]
        if self.is_late or not (all(held) if self.task.need == "all" else any(held)):
            return False
        self.reached_us = facts.now_us
        return True

    def status(self) -> tuple[object, ...]:
        """Everything a learner can see of it, to be compared with what he saw before."""
        clauses = tuple((clause.is_held, clause.is_broken) for clause in self.clauses)
        return clauses, self.reached_us, self.is_late, self.nudge


def holds_now(text: str, facts: Facts) -> bool:
    """Whether a condition without memory holds; what does not exist yet does not."""
    try:
        return compile_condition(text).holds(facts)
    except CommandRefused:
        return False
