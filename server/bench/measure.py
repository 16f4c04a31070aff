"""How to measure on a machine that does other things meanwhile: take turns, and use medians."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

ROUNDS = 5
"""How often each side is measured."""


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time of an action, its garbage included but nobody else's."""
    gc.collect()
    start = perf_counter()
    action()
    return perf_counter() - start


def take_turns(*sides: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """The median of what each side measures, one round of all sides after another, so that a slow
    moment of the machine meets all of them."""
    figures: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, own in zip(sides, figures, strict=True):
            own.append(side())
    return [median(own) for own in figures]


def percentile(figures: Sequence[float], percent: float) -> float:
    """The smallest figure that at least `percent` of all do not exceed."""
    ranked = sorted(figures)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]
