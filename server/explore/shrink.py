"""From a run of sixty commands that breaks a promise to the few that matter.

Every step proposes a simpler case and keeps it when the same promise still breaks in it: first fewer
commands (delta debugging, Zeller & Hildebrandt 2002), then plainer settings, shorter waits, plainer
commands and rounder times, all over again until nothing helps or the tries are used up.
"""

from __future__ import annotations

from dataclasses import fields, replace

from server.cluster import Settings, commands
from server.cluster.commands import Command
from server.cluster.settings import MILLISECOND, SECOND
from server.explore.case import Case, replay
from server.explore.trial import Entry

TRIES_MAX = 900
"""How often a case is played again at most."""
ROUND_US = (SECOND, 500 * MILLISECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND)
"""Times that a person likes better than others, the best first."""


class Shrinker:
    """Makes one case smaller. `case` is the smallest so far."""

    def __init__(self, case: Case, promise: str, tries_max: int = TRIES_MAX) -> None:
        self.promise = promise
        self.tries_left = tries_max
        self.case = case.to_break(promise)

    def shrink(self) -> Case | None:
        """The smallest case found; `None` when the promise does not break when played again."""
        first = replay(self.case, self.promise)
        if first is None:
            return None
        self.case = first
        while self.tries_left > 0:
            before = self.case
            self._drop_entries()
            self._plain_settings()
            self._close_gaps()
            self._plain_commands()
            if self.case == before:
                break
        self._round_times()
        return self.case

    def _keeps(self, entries: list[Entry], settings: dict[str, str | int | bool] | None = None) -> bool:
        """Whether the promise still breaks with these commands; if so, that is the case from now on."""
        if self.tries_left <= 0:
            return False
        self.tries_left -= 1
        values = self.case.settings if settings is None else settings
        end_us = max(self.case.end_us, entries[-1].at_us if entries else 0)
        found = replay(
            replace(self.case, entries=tuple(entries), settings=values, end_us=end_us), self.promise
        )
        if found is None:
            return False
        self.case = found
        return True

    # --- what can be simpler ------------------------------------------------------------------------

    def _drop_entries(self) -> None:
        size = max(1, len(self.case.entries) // 2)
        while True:
            place = 0
            while place < len(self.case.entries):
                entries = list(self.case.entries)
                del entries[place : place + size]
                if not self._keeps(entries):
                    place += size
            if size == 1:
                return
            size //= 2

    def _plain_settings(self) -> None:
        plain = Settings()
        for name, value in list(self.case.settings.items()):
            rest = {each: kept for each, kept in self.case.settings.items() if each != name}
            if name == "nodes":
                smaller = [{**rest, name: count} for count in range(3, int(value))]
                any(self._keeps(list(self.case.entries), values) for values in smaller)
            elif value != plain.value(name) and name in self.case.settings:
                self._keeps(list(self.case.entries), rest)

    def _close_gaps(self) -> None:
        place = 0
        while place < len(self.case.entries):
            previous_us = self.case.entries[place - 1].at_us if place else 0
            gap_us = self.case.entries[place].at_us - previous_us
            for less_us in (gap_us, gap_us * 3 // 4, gap_us // 2, gap_us // 4):
                if less_us >= 10 * MILLISECOND and self._keeps(self._earlier(place, less_us)):
                    break
            place += 1

    def _earlier(self, place: int, less_us: int) -> list[Entry]:
        entries = self.case.entries
        later = [entry._replace(at_us=entry.at_us - less_us) for entry in entries[place:]]
        return [*entries[:place], *later]

    def _plain_commands(self) -> None:
        for place, entry in enumerate(self.case.entries):
            if place >= len(self.case.entries):
                return
            for command in _plainer(entry.command):
                entries = list(self.case.entries)
                entries[place] = entries[place]._replace(command=command)
                self._keeps(entries)

    def _round_times(self) -> None:
        for unit_us in (100 * MILLISECOND, 10 * MILLISECOND):
            rounded = [entry._replace(at_us=_rounded(entry.at_us, unit_us)) for entry in self.case.entries]
            if self._keeps(rounded):
                break
        for unit_us in ROUND_US:
            for place in range(len(self.case.entries)):
                if place >= len(self.case.entries):
                    return
                entries = list(self.case.entries)
                at_us = entries[place].at_us
                if any(at_us % better == 0 for better in ROUND_US[: ROUND_US.index(unit_us) + 1]):
                    continue
                entries[place] = entries[place]._replace(at_us=_rounded(at_us, unit_us))
                if entries == sorted(entries, key=lambda entry: entry.at_us):
                    self._keeps(entries)


def _rounded(time_us: int, unit_us: int) -> int:
    return (time_us + unit_us // 2) // unit_us * unit_us


def _plainer(command: Command) -> list[Command]:
    """The same command with one of its choices left out."""
    names = {field.name for field in fields(command)}
    plainer: list[Command] = []
    if "to" in names and command.to is not None:  # type: ignore[attr-defined]
        plainer.append(replace(command, to=None))  # type: ignore[call-arg]
    if isinstance(command, commands.Cut) and command.one_way:
        plainer.append(replace(command, one_way=False))
    if isinstance(command, commands.Partition):
        nodes_only = tuple(tuple(end for end in group if not end.isdigit()) for group in command.groups)
        if nodes_only != command.groups and all(nodes_only):
            plainer.append(commands.Partition(nodes_only))
    if isinstance(command, commands.CompareAndSet):
        plainer.append(commands.Write(command.key, command.value, command.client, command.to))
    return plainer


def shrink(case: Case, promise: str, tries_max: int = TRIES_MAX) -> Case | None:
    """The smallest case found that breaks the same promise; `None` when it does not break again."""
    return Shrinker(case, promise, tries_max).shrink()
