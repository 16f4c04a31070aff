"""Words of the language and what is said about wrong ones: tokens, times, suggestions, the error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fractions import Fraction
from typing import NamedTuple

from server.cluster.commands import CommandRefused
from server.cluster.settings import MILLISECOND, SECOND, SETTINGS

TEXT_CHARACTERS_MAX = 500
"""The longest line or expression that is read."""
NESTING_MAX = 24
"""How deep parentheses, calls and `all`/`any` may nest."""
DIGITS_MAX = 12
"""The longest number."""


class LanguageError(CommandRefused):
    """A text that cannot be read. `str(error)` is a sentence for a person."""

    def __init__(self, says: str, word: str | None = None, at: int | None = None,
                 fits: Iterable[str] = ()) -> None:  # fmt: skip
        super().__init__(says)
        self.says = says
        self.word = word
        """The word at fault; `None` when something is missing at the end."""
        self.at = at
        """Where it begins, in characters from the start of the text."""
        self.fits = tuple(fits)
        """What would fit there."""


def check_length(text: str) -> None:
    """Refuse a text that nobody typed by hand."""
    if len(text) > TEXT_CHARACTERS_MAX:
        says = f"That is {len(text):,} characters long; {TEXT_CHARACTERS_MAX} are the most."
        raise LanguageError(says, None, TEXT_CHARACTERS_MAX)


def shown(word: str) -> str:
    """A word as a sentence quotes it, cut when somebody pasted a page."""
    return f"'{word if len(word) <= 30 else word[:29] + '…'}'"


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing when no known word is close."""
    match = close_word(word, known)
    return f" Did you mean {match}?" if match else ""


def close_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; `None` when none is close."""
    if any(letter.isdigit() for letter in word):
        return None  # A number that does not fit is no slip of the pen.
    close = get_close_matches(word.lower(), {item.lower(): None for item in known}, n=1, cutoff=0.6)
    return next((item for item in known if close and item.lower() == close[0]), None)


def spoken_time(time_us: int) -> str:
    """A time as the language writes it: `300ms`, `2s`, `1.5s`; exact to the microsecond."""
    in_seconds = time_us >= SECOND and time_us % MILLISECOND == 0
    unit_us, unit = (SECOND, "s") if in_seconds else (MILLISECOND, "ms")
    whole, rest = divmod(time_us, unit_us)
    decimals = f"{rest:0{len(str(unit_us)) - 1}d}".rstrip("0")
    return f"{whole}{'.' + decimals if decimals else ''}{unit}"


def read_time(word: str) -> int | None:
    """Microseconds of `300ms`, `2s` or `1.5s`; `None` when the word is no time."""
    match = _TIME.fullmatch(word)
    if match is None:
        return None
    time_us = Fraction(match[1]) * (MILLISECOND if match[2].lower() == "ms" else SECOND)
    return int(time_us) if time_us.denominator == 1 else None


_TIME = re.compile(rf"(\d{{1,{DIGITS_MAX}}}(?:\.\d{{1,6}})?)(ms|s)", re.ASCII | re.IGNORECASE)


# --- words ---------------------------------------------------------------------------------------


class Token(NamedTuple):
    """One word or sign of an expression and where it stands."""

    sort: str
    """`time`, `number`, `word`, `text`, `sign`, or `end`."""
    text: str
    at: int


_HYPHENATED = sorted(
    {word for row in SETTINGS.values() for word in (row.name, *row.choices) if "-" in word},
    key=len,
    reverse=True,
)
_TOKEN = re.compile(
    rf"""(?P<time>{_TIME.pattern}\b)
    | (?P<number>\d+(?:\.\d+)?%?)
    | (?P<word>(?:{"|".join(_HYPHENATED)})\b | [A-Za-z_]\w*)
    | (?P<text>"[^"]*" | '[^']*')
    | (?P<sign>==|!=|<=|>=|[-+*/<>().,:])""",
    re.ASCII | re.VERBOSE,
)
_SIGN_HINTS = {
    "=": "Use == to compare.", "!": "Use not, or != to compare.", "&": "Use and.", "|": "Use or.",
    "%": "Percents are plain numbers.", "[": "Use ( and ).", '"': "The quotation is never closed.",
    "'": "The quotation is never closed.",
}  # fmt: skip


def tokenised(text: str, start: int, end: int) -> list[Token]:
    """The words of `text[start:end]`, with an `end` token last."""
    tokens: list[Token] = []
    at = start
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at, end)
        if match is None:
            hint = _SIGN_HINTS.get(text[at], "")
            raise LanguageError(f"{shown(text[at])} does not belong in an expression. {hint}".strip(),
                                text[at], at)  # fmt: skip
        sort = match.lastgroup if match.lastgroup is not None else "time"
        tokens.append(Token(sort, match[0], at))
        at = match.end()
    tokens.append(Token("end", "", end))
    return tokens


def evened(text: str) -> str:
    """The text with each stretch of white space outside quotations made one blank."""
    parts = re.split(r"(\"[^\"]*\"|'[^']*')", text)
    return "".join(
        part if position % 2 else re.sub(r"\s+", " ", part) for position, part in enumerate(parts)
    ).strip()


class TokenReader:
    """Goes through the tokens of `text[start:end]` and says what is wrong with them."""

    def __init__(self, text: str, start: int, end: int) -> None:
        check_length(text)
        self.text = evened(text[start:end])
        self.wanted: list[str] = []
        """What would fit where the text ends: for completion."""
        self._tokens = tokenised(text, start, end)
        self._next = 0
        self._depth = 0

    def _peek(self, *fits: str) -> Token:
        """The next token; where the text ends, `fits` is remembered as what could come."""
        token = self._tokens[self._next]
        if token.sort == "end":
            self.wanted += fits
        return token

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _accept(self, *texts: str) -> Token | None:
        """The next token when it is one of these signs or words."""
        return self._take() if self._peek(*texts).text in texts else None

    def _expect(self, sign: str, after: str) -> None:
        if self._accept(sign) is None:
            raise self._unexpected(f"after {shown(after)}", (sign,))

    def _unexpected(self, where: str, fits: tuple[str, ...] = ()) -> LanguageError:
        token = self._peek()
        needed = f" Here belongs {' or '.join(fits)}." if fits else ""
        if token.sort == "end":
            return LanguageError(f"The expression stops too early, {where}.{needed}", None, token.at, fits)
        return LanguageError(f"{shown(token.text)} does not fit {where}.{needed}", token.text, token.at, fits)

    def _enter(self, at: int) -> None:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise LanguageError(f"That is nested too deeply: {NESTING_MAX} levels are the most.", None, at)
