"""Conditions about values that are handed in by name, such as `x >= 5 and x <= 14`.

Lessons match a measured `x` with them. They are read by the grammar of expressions, but may not ask a run
for anything: the same value gets the same answer for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from server.cluster.commands import CommandRefused
from server.facts import Facts
from server.language.evaluation import Part, Run
from server.language.expressions import ExpressionReader, Name
from server.language.vocabulary import Kind
from server.language.words import LanguageError, Token, shown


@dataclass(frozen=True, slots=True)
class Match:
    """A condition about named values."""

    text: str
    run: Run = field(compare=False, repr=False)
    names: Mapping[str, int] = field(compare=False, repr=False)
    """The slot of each name."""
    frame: list[Any] = field(compare=False, repr=False)

    def holds(self, **values: Any) -> bool:
        """Whether the condition is true of these values."""
        for name, slot in self.names.items():
            self.frame[slot] = values.get(name)
        try:
            return self.run(cast(Facts, None)) is True
        except CommandRefused:  # A text that spells no number is no number.
            return False


def compile_match(text: str, names: Mapping[str, Kind]) -> Match:
    """Read a condition about the named values. Raises `LanguageError` and nothing else."""
    return MatchReader(text, names).read_match()


class MatchReader(ExpressionReader):
    """Reads one condition about values."""

    def __init__(self, text: str, names: Mapping[str, Kind]) -> None:
        super().__init__(text)
        self.slots = {name: self._new_slot() for name in names}
        self._variables = {name: (self.slots[name], kind) for name, kind in names.items()}

    def read_match(self) -> Match:
        """The whole condition."""
        expression = self.read(is_condition=True)
        return Match(text=expression.text, run=expression.run, names=self.slots, frame=self._frame)

    def _resolved(self, name: Name, beside: Kind | None) -> Part | None:
        part = super()._resolved(name, beside)
        is_ours = part is not None and (part.literal or name.word in self._variables)
        return part if is_ours else None

    def _refuse(self, name: Name, beside: Kind | None) -> Part:
        if beside is not None and beside.choices:
            return super()._refuse(name, beside)
        self._not_a_fact(name.word, name.at)

    def _call(self, token: Token) -> Part:
        self._not_a_fact(token.text, token.at)

    def _not_a_fact(self, word: str, at: int) -> NoReturn:
        names = " and ".join(self._variables)
        says = f"A match compares {names} with values, such as x == 2; {shown(word)} is neither."
        raise LanguageError(says, word, at, tuple(self._variables))
