"""Takes the truth of a prediction from a live run: one `Gauge` for each question, while its stage lasts."""

from __future__ import annotations

from typing import Any

from server.cluster.commands import CommandRefused
from server.facts import Facts, Record
from server.language import compile_condition, compile_expression, spoken_time
from server.language.vocabulary import NODE, TIME, TRUTH, Kind
from server.lessons.clauses import Condition
from server.lessons.records import Option, Question

Value = str | int | float | bool | list[str] | None
"""A measured value as JSON has it; a time in microseconds; of an order, the options' ids."""


class Gauge:
    """Measures one question's truth from the moment it is made until `value` is asked."""

    def __init__(self, question: Question, facts: Facts) -> None:
        assert question.measure is not None
        self.question = question
        self.measure = question.measure
        self.start_us = facts.now_us
        self._first_operation = len(facts.operations()) and int(facts.operations()[-1]["id"])
        self._asked = None if self.measure.form in ("lasted", "first", "answers", "order") else (
            compile_expression(self.measure.text)
        )  # fmt: skip
        is_condition = self.measure.form in ("lasted", "first")
        self._condition = Condition(self.measure.text) if is_condition else None
        self._at = Condition(self.measure.at) if self.measure.at else None
        self._orders = [(option, Condition(option.when)) for option in question.options if option.when]
        self._reached: list[tuple[int, Option]] = []
        self._taken = False
        self._value: Any = None
        self._values: list[Any] = []
        self._begin: Any = None
        self._last_us = facts.now_us
        self._was = False
        if self._asked is not None:
            self._asked.observe(facts)
            self._begin = self._answer(facts)
        self.observe(facts)

    def observe(self, facts: Facts) -> None:
        """Look once; to be called after every happening of the cluster."""
        if self._asked is not None:
            self._asked.observe(facts)
        match self.measure.form:
            case "probe" if self._at is not None:
                if self._at.observe(facts) and not self._taken:
                    self._taken, self._value = True, self._answer(facts)
            case "most" | "least":
                self._extreme(self._answer(facts))
            case "values":
                value = self._answer(facts)
                if value is not None and (not self._values or self._values[-1] != value):
                    self._values.append(value)
            case "lasted" | "first":
                self._watch_condition(facts)
            case "order":
                self._watch_order(facts)

    def value(self, facts: Facts) -> Value:
        """The truth, as of now."""
        self.observe(facts)
        match self.measure.form:
            case "probe":
                return _plain(self._value if self._at is not None else self._answer(facts))
            case "change":
                end = self._answer(facts)
                return None if end is None or self._begin is None else _plain(end - self._begin)
            case "values":
                kind = self.measure.kind if self._asked is None else self._asked.kind
                return ", ".join(spoken(value, kind) for value in self._values)
            case "answers":
                return ", ".join(self._answers(facts))
            case "order":
                return [option.id for _, option in self._reached]
            case _:
                return _plain(self._value if self.measure.form != "lasted" else (self._value or 0))

    def _answer(self, facts: Facts) -> Any:
        assert self._asked is not None
        try:
            return self._asked.evaluate(facts)
        except CommandRefused:
            return None

    def _extreme(self, value: Any) -> None:
        if value is None:
            return
        choose = max if self.measure.form == "most" else min
        self._value = value if self._value is None else choose(self._value, value)

    def _watch_condition(self, facts: Facts) -> None:
        assert self._condition is not None
        if self.measure.form == "lasted" and self._was:
            self._value = (self._value or 0) + facts.now_us - self._last_us
        self._was, self._last_us = self._condition.observe(facts), facts.now_us
        if self.measure.form == "first" and self._was and self._value is None:
            self._value = facts.now_us - self.start_us

    def _watch_order(self, facts: Facts) -> None:
        known = [option for _, option in self._reached]
        for option, condition in self._orders:
            if condition.observe(facts) and option not in known:
                self._reached.append((facts.now_us, option))

    def is_clear(self) -> bool:
        """Of an order: whether every option's condition came true, and no two at one instant."""
        times = [at_us for at_us, _ in self._reached]
        return len(times) == len(self._orders) and len(set(times)) == len(times)

    def _answers(self, facts: Facts) -> list[str]:
        found = []
        for read in facts.reads():
            if int(read["id"]) > self._first_operation and read["returned_us"] is not None:
                found.append(read)
        found.sort(key=lambda read: (read["returned_us"], read["id"]))
        return [_returned(read) for read in found if self._is_asked(read, facts)]

    def _is_asked(self, read: Record, facts: Facts) -> bool:
        text = f"count(reads.where(id == {read['id']} and ({self.measure.text}))) == 1"
        return compile_condition(text).holds(facts)


def _returned(read: Record) -> str:
    if read["outcome"] != "ok":
        return str(read["outcome"])
    return "none" if read["result"] is None else str(read["result"])


def _plain(value: Any) -> Value:
    """The value as JSON can hold it."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def spoken(value: Value, kind: Kind) -> str:
    """A measured value for a person."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is TIME and isinstance(value, int | float):
        return _short_time(round(value))
    if kind is NODE or kind is TRUTH or isinstance(value, str):
        return str(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _short_time(time_us: int) -> str:
    """To three places: a measured time is no round number."""
    if abs(time_us) >= 1_000_000:
        return f"{time_us / 1e6:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{time_us / 1e3:.0f} ms" if abs(time_us) >= 1_000 else spoken_time(time_us)
