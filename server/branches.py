"""The ways in which one run was continued: a small tree, in which nothing is ever overwritten.

A branch is its parent's commands up to the moment where it left, and then commands of its own. As a run
is a pure function of its start and its commands, that is all a branch is.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.cluster.commands import CommandRefused
from server.store import Branch, StoredCommand

BRANCHES_MAX = 30
"""Branches of one run."""
NAME_CHARACTERS_MAX = 40


class Branches:
    """All branches of a run, and which of them is shown."""

    def __init__(self, records: Sequence[Branch] = (), shown: int = 1) -> None:
        self.records = {record.number: record for record in records} or {1: Branch(1, "main", None)}
        self.shown = shown
        self.own: dict[int, list[StoredCommand]] = {number: [] for number in self.records}
        """What was commanded on each branch itself, in order."""

    @property
    def present(self) -> Branch:
        """The branch that is shown."""
        return self.records[self.shown]

    def commands(self, number: int) -> list[StoredCommand]:
        """Every command that leads to where a branch is, in order."""
        branch = self.records[number]
        if branch.parent is None:
            return list(self.own[number])
        inherited = [command for command in self.commands(branch.parent) if command.at_us <= branch.at_us]
        return inherited + self.own[number]

    def check_room_for_one(self) -> None:
        """Raises `CommandRefused` when there are as many branches as there may be."""
        if len(self.records) >= BRANCHES_MAX:
            raise CommandRefused(
                f"This run has {BRANCHES_MAX} branches, as many as a run may have. Start a new run to go on."
            )

    def add(self, name: str | None, at_us: int) -> Branch:
        """A branch that leaves the present one, and is shown from now on."""
        number = max(self.records) + 1
        said = name or f"branch {number}"
        if len(said) > NAME_CHARACTERS_MAX:
            said = f"{said[: NAME_CHARACTERS_MAX - 1]}…"
        branch = self.records[number] = Branch(number, said, self.shown, at_us, now_us=at_us)
        self.own[number] = []
        self.shown = number
        return branch

    def find(self, number: int) -> Branch:
        """Raises `CommandRefused` when there is no such branch."""
        if number not in self.records:
            raise CommandRefused(
                f"There is no branch {number}. Branches: {', '.join(map(str, self.records))}."
            )
        return self.records[number]
