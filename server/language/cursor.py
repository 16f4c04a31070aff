"""A line of the command language on its way from text to words.

The cursor hands out words, remembers what would have fitted where the text ended (completion), and
turns every wrong word into one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from server.language.words import LanguageError, shown, suggestion

_WORD = re.compile(r"->|\||(?:(?!->)[^\s|])+")
_QUOTED_OR_COMMENT = re.compile(r"\"[^\"]*\"|'[^']*'|(?:(?<=\s)|^)#.*", re.DOTALL)


class Word(NamedTuple):
    """One word of a line and where it begins."""

    text: str
    at: int


def without_comment(text: str) -> str:
    """The line without its `# comment`; a `#` inside a word or a quotation begins none."""
    return _QUOTED_OR_COMMENT.sub(lambda match: "" if match[0][0] == "#" else match[0], text).rstrip()


class Cursor:
    """Goes through the words of one line."""

    def __init__(self, text: str, nodes: Sequence[str], clients: Sequence[str]) -> None:
        self.text = text
        self.nodes = nodes
        """Letters to offer in completion."""
        self.clients = clients
        self.words = [Word(match[0], match.start()) for match in _WORD.finditer(text)]
        self.next = 0
        self.wanted: list[str] = []
        """What would fit where the text ends."""
        self.barred: dict[str, str] = {}
        """Optional words that do not fit after what was read so far, and why."""

    def peek(self, fits: Iterable[str] = ()) -> Word | None:
        """The next word; where the text ends, `fits` is remembered as what could come."""
        if self.next < len(self.words):
            return self.words[self.next]
        self.wanted += fits
        return None

    def take(self, noun: str, fits: Iterable[str]) -> Word:
        """The next word. Raises when the line ends before it."""
        fits = tuple(fits)
        word = self.peek(fits)
        if word is None:
            after = f"After {shown(self.words[-1].text)} comes" if self.words else "A line begins with"
            raise LanguageError(f"{after} {noun}.", None, len(self.text), dict.fromkeys(self.wanted))
        self.next += 1
        return word

    def accept(self, literal: str) -> bool:
        """Step over the next word when it is this one."""
        word = self.peek((literal,))
        if word is None or word.text.lower() != literal:
            return False
        self.next += 1
        return True

    def literal(self, literal: str) -> None:
        """Step over this word. Raises when something else stands there."""
        word = self.take(f"'{literal}'", (literal,))
        if word.text.lower() != literal:
            says = f"{shown(word.text)} does not fit here: '{literal}' does."
            raise LanguageError(says, word.text, word.at, (literal,))


def wrong(word: Word, noun: str, fits: Iterable[str]) -> LanguageError:
    """The error for a word that is not the kind of thing that belongs where it stands."""
    fits = tuple(fits)
    return LanguageError(f"{shown(word.text)} is not {noun}.{suggestion(word.text, fits)}",
                         word.text, word.at, fits)  # fmt: skip
