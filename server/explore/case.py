"""One run of an exploration: drawn from a seed, or replayed from a list of commands."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from server.cluster import CommandRefused, Settings, commands
from server.explore.chaos import NODES_MAX, Chaos, draw_settings
from server.explore.promises import promises_of, row_of
from server.explore.trial import Breach, Entry, Trial

SETTLED = ("available", "copies_agree")
"""Promises about a cluster whose faults are over."""
HISTORIES = ("linearizable", "writes_linearizable")
"""Promises that are judged by a search when the run is over."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that makes a run, as far as one broken promise needs it."""

    seed: int
    settings: dict[str, str | int | bool]
    """Stored values by spoken name, where they differ from the defaults."""
    entries: tuple[Entry, ...]
    """The commands; for a promise about a settled cluster, without those that settle it."""
    end_us: int
    """When the run is over, or when the promise breaks."""
    breach: Breach | None = None
    last_entries: tuple[Entry, ...] = ()
    """The commands that settled the cluster, when they are not among the others."""

    @property
    def nodes_max(self) -> int:
        """The most nodes that it can have."""
        added = sum(isinstance(entry.command, commands.AddNode) for entry in self.entries)
        return int(self.settings.get("nodes", Settings().nodes)) + added

    def to_break(self, promise: str) -> Case:
        """The case as it is played for one promise: if that is not about a settled cluster, what settles
        it are commands like all others."""
        if promise in SETTLED:
            return self
        return replace(self, entries=(*self.entries, *self.last_entries), last_entries=())

    def promises(self) -> dict[str, str]:
        """What is promised to this run. Raises `CommandRefused` for settings that do not go together."""
        return promises_of(Settings().with_values(self.settings), self.nodes_max)


@dataclass(slots=True)
class Played:
    """What became of one seed."""

    row: str
    """Of `PROMISES`."""
    case: Case
    trial: Trial
    broken: list[Breach]
    """Promises of this run that did not hold."""


def play_seed(policy: str, seed: int, switched_off: Sequence[str] = ()) -> Played:
    """Draw a run from a seed, play it, let it settle and judge it."""
    random = Random(f"{seed}/explore/{policy}")
    values = draw_settings(policy, random, switched_off)
    settings = Settings().with_values(values)
    nodes_max = min(NODES_MAX, settings.nodes + max(0, int(random.random() * 4) - 1))
    promises = promises_of(settings, nodes_max)
    trial = Trial(settings, seed)
    entry_count = 0
    try:
        Chaos(trial, random, nodes_max).play()
        entry_count = len(trial.entries)
        trial.settle()
        trial.judge_histories(promises)
    except Exception as problem:  # Whatever it is, it is a fault of the program, and a finding.
        entry_count = entry_count or len(trial.entries)
        trial.break_with(_failure(problem, trial))
    entries = tuple(trial.entries)
    case = Case(seed, values, entries[:entry_count], trial.now_us, None, entries[entry_count:])
    broken = [trial.breaches[key] for key in promises if key in trial.breaches]
    return Played(row_of(settings, nodes_max), case, trial, broken)


def replay(case: Case, promise: str) -> Case | None:
    """Play the commands of a case again. Gives the case with the commands that were accepted and the
    breach of this promise, or `None` when it holds, or was not given to these settings."""
    try:
        if promise not in case.promises():
            return None
        trial = Trial(Settings().with_values(case.settings), case.seed)
    except CommandRefused:
        return None
    entry_count = 0
    try:
        for entry in case.entries:
            trial.advance(entry.at_us)
            if promise in trial.breaches and promise not in SETTLED:
                break
            trial.execute(entry.command)
        entry_count = len(trial.entries)
        if promise in SETTLED:
            trial.settle()
        else:
            trial.advance(max(case.end_us, trial.now_us))
        if promise in HISTORIES:
            trial.judge_histories((promise,))
    except Exception as problem:
        entry_count = entry_count or len(trial.entries)
        trial.break_with(_failure(problem, trial))
    breach = trial.breaches.get(promise)
    if breach is None:
        return None
    return replace(
        case,
        entries=tuple(trial.entries[:entry_count]),
        end_us=breach.at_us,
        breach=breach,
        last_entries=tuple(trial.entries[entry_count:]) if promise in SETTLED else (),
    )


def _failure(problem: Exception, trial: Trial) -> Breach:
    where = traceback.extract_tb(problem.__traceback__)[-1]
    says = f"{type(problem).__name__}: {problem} ({Path(where.filename).name}, line {where.lineno})."
    return Breach("runs_on", trial.now_us, says)
