"""What a lesson's questions mark as right, held against what its runs measured: one fault is one sentence.

A match that is wrong shows in every run, and in every option; an author wants to be told of it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from server.lessons.records import Lesson, Question

WHERE = "{where}"
"""Stands in what is said for the seeds on which it was found."""
LINGER_US = 120_000_000
"""A learner may read for so long before he presses the button of an experiment."""
VALUES_MAX = 5
"""Of what was measured differently, how many values are told."""


class Where(NamedTuple):
    """One time that a lesson is played."""

    seed: int
    is_late: bool = False
    """Whether the learner first waits before he presses a button."""


def said_where(wheres: Iterable[Where], lesson: Lesson) -> str:
    """These times, for a person: `on every seed`, `on seeds 1 and 3`."""
    known = set(wheres)
    prompt = sorted(each.seed for each in known if not each.is_late)
    late = sorted(each.seed for each in known if each.is_late and Where(each.seed) not in known)
    parts = [_seeds(prompt, lesson)] if prompt else []
    if late:
        parts.append(f"{_seeds(late, lesson)}, when the learner first waits {LINGER_US // 1_000_000} s,")
    return " and ".join(parts)


def _seeds(seeds: list[int], lesson: Lesson) -> str:
    if len(seeds) == len(lesson.seeds) > 1:
        return "on every seed"
    if len(seeds) == 1:
        return f"on seed {seeds[0]}"
    return f"on seeds {', '.join(map(str, seeds[:-1]))} and {seeds[-1]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a question measured one time."""

    where: Where
    said: str
    """The value, for a person."""
    x: Any
    found: tuple[str, ...]
    """The options that it makes right; of an order, all of them in their true order."""


def verdicts(question: Question, outcomes: list[Outcome], lesson: Lesson) -> Iterator[tuple[int, str]]:
    """What does not fit, each with its line; what would follow from another fault is left out."""
    match question.choice:
        case "number":
            found = _number(question, outcomes, lesson)
        case "order":
            found = _order(question, outcomes, lesson)
        case _:
            found = _options(question, outcomes, lesson)
    for line, says in found:
        yield line, f"{question.id}: {says}"


def _number(question: Question, outcomes: list[Outcome], lesson: Lesson) -> Iterator[tuple[int, str]]:
    denied = [each for each in outcomes if question.match is None or not question.match.holds(x=each.x)]
    if denied:
        yield question.line, f"{_measured(denied, lesson)}, which its match denies."


def _order(question: Question, outcomes: list[Outcome], lesson: Lesson) -> Iterator[tuple[int, str]]:
    unclear = [each.where for each in outcomes if not each.found]
    if unclear:
        where = said_where(unclear, lesson)
        yield question.line, f"{where} not every `when` came true, or two at once."
    listed = tuple(option.id for option in question.options)
    if any(each.found == listed for each in outcomes):
        yield question.line, "the options stand in the right order."
    yield from _unsteady(question, [each for each in outcomes if each.found], lesson)


def _options(question: Question, outcomes: list[Outcome], lesson: Lesson) -> Iterator[tuple[int, str]]:
    if question.choice == "one":
        by_options: dict[tuple[str, ...], list[Outcome]] = {}
        for each in outcomes:
            by_options.setdefault(each.found, []).append(each)
        unfit = [(found, group) for found, group in by_options.items() if len(found) != 1]
        for found, group in unfit:
            fits = f"{_named(found)} fit" if found else "no option fits"
            yield question.line, f"{_measured(group, lesson)}: {fits}; exactly one must."
        if unfit:  # Which option was meant to be right is not known.
            return
    unsteady = list(_unsteady(question, outcomes, lesson))
    yield from unsteady
    if unsteady:
        return
    right = {name for each in outcomes for name in each.found}
    wrongly = [option for option in question.options if option.id in right and option.misconception]
    for option in wrongly:
        yield option.line, f"{_measured(outcomes, lesson)}: that is {option.id!r}, which has a `mis`."
    for option in question.options:
        if outcomes and not wrongly and option.id not in right and not option.misconception:
            needs = "`mis`" if option.why else "`mis` and `why`"
            says = f"{_measured(outcomes, lesson)}: the option {option.id!r} is wrong and needs {needs}."
            yield option.line, says


def _unsteady(question: Question, outcomes: list[Outcome], lesson: Lesson) -> Iterator[tuple[int, str]]:
    by_options: dict[tuple[str, ...], list[Where]] = {}
    for each in outcomes:
        by_options.setdefault(each.found, []).append(each.where)
    if len(by_options) > 1:
        parts = [
            f"{_named(found) or 'none of them'} {said_where(wheres, lesson).rstrip(',')}"
            for found, wheres in by_options.items()
        ]
        yield question.line, f"what is right is not always the same: {'; '.join(parts[:VALUES_MAX])}."


def _measured(outcomes: list[Outcome], lesson: Lesson) -> str:
    """`on every seed the run measures 0`, or the values with where each was measured."""
    by_value: dict[str, list[Where]] = {}
    for each in outcomes:
        by_value.setdefault(each.said, []).append(each.where)
    if len(by_value) == 1:
        ((said, wheres),) = by_value.items()
        return f"{said_where(wheres, lesson)} the run measures {said}"
    parts = [f"{said} {said_where(wheres, lesson).rstrip(',')}" for said, wheres in by_value.items()]
    more = f"; {len(parts) - VALUES_MAX} more" if len(parts) > VALUES_MAX else ""
    return f"the run measures {'; '.join(parts[:VALUES_MAX])}{more}"


def _named(ids: Iterable[str]) -> str:
    return ", ".join(repr(each) for each in ids)
