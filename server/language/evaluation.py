"""How an expression is answered: the closures it is made of, and the memory of its watched parts.

The reader (`server.language.expressions`) decides names and kinds; here is what runs after every
event. What does not exist yet is `None`: it equals only `none`, no order holds for it, and
calculating with it gives `None` again, so that waiting for something that has not begun is no error.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from server.cluster.commands import CommandRefused
from server.cluster.settings import LIMITS
from server.facts import Facts
from server.language.vocabulary import FIELDS, LOG, NODE, NODES, NONE, NUMBER, STORE, TEXT, TIME, Kind
from server.language.words import DIGITS_MAX, LanguageError, Token, read_time, shown, suggestion

Run = Callable[[Facts], Any]
"""A piece of an expression, ready to be asked."""


class Part(NamedTuple):
    """A piece of an expression that has been read."""

    kind: Kind
    run: Run
    at: int
    """Where it begins in the text."""
    source: str
    """As written, for sentences about it."""
    literal: bool = False
    """Whether it is a value written out; a number's `source` is then its text form."""


class Watch:
    """One `ever`, `always` or `held` part: it remembers what was true at earlier instants."""

    def __init__(self, name: str, condition: Run, duration_us: int = 0) -> None:
        self.name = name
        self.condition = condition
        self.duration_us = duration_us
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if the run began now."""
        self.latched = self.name == "always"
        self.since_us: int | None = None

    def observe(self, facts: Facts) -> None:
        """Look once; to be called after every event."""
        try:
            self.value(facts)
        except CommandRefused:
            # It names something that does not exist yet: nothing was seen, nothing was broken.
            self.since_us = None

    def value(self, facts: Facts) -> bool:
        """The answer now, from the memory and this instant."""
        if self.name == "ever":
            self.latched = self.latched or bool(self.condition(facts))
        elif self.name == "always":
            self.latched = self.latched and bool(self.condition(facts))
        else:
            return self._has_held(facts)
        return self.latched

    def _has_held(self, facts: Facts) -> bool:
        if not self.condition(facts):
            self.since_us = None
            return False
        if self.since_us is None:
            self.since_us = facts.now_us
        return facts.now_us - self.since_us >= self.duration_us


@dataclass(frozen=True, slots=True)
class Expression:
    """A question about a run, ready to be asked again and again."""

    text: str
    """As written, with white space made even; what equality goes by."""
    kind: Kind = field(compare=False, repr=False)
    watched: tuple[Watch, ...] = field(compare=False, repr=False)
    """The parts that must see every event, inner ones first."""
    run: Run = field(compare=False, repr=False)

    def evaluate(self, facts: Facts) -> Any:
        """The answer now: `bool`, `int`, `float`, text, a node's letter, a list of letters or `None`.

        Raises `CommandRefused` when it names something this run does not have."""
        value = self.run(facts)
        if isinstance(value, Fraction):
            return value.numerator if value.denominator == 1 else float(value)
        return value

    def holds(self, facts: Facts) -> bool:
        """Whether it is true now. What does not exist yet is not true; `evaluate` says what is missing."""
        try:
            return self.run(facts) is True
        except CommandRefused:
            return False

    def observe(self, facts: Facts) -> None:
        """Show the watched parts this instant. Call it after every event."""
        for watch in self.watched:
            watch.observe(facts)

    def reset(self) -> None:
        """Forget what the watched parts remember."""
        for watch in self.watched:
            watch.reset()


# --- closures ------------------------------------------------------------------------------------


def constant(value: Any) -> Run:
    """Always the same answer."""
    return lambda facts: value


def every(runs: tuple[Run, ...]) -> Run:
    """`and`: true when all are, asked from the left until one is not."""

    def run(facts: Facts) -> bool:
        for part in runs:  # noqa: SIM110 - asked after every event; a loop costs half of all(…)
            if not part(facts):
                return False
        return True

    return run


def some(runs: tuple[Run, ...]) -> Run:
    """`or`: true when one is, asked from the left until one is."""

    def run(facts: Facts) -> bool:
        for part in runs:  # noqa: SIM110 - as above
            if part(facts):
                return True
        return False

    return run


def negation(condition: Run) -> Run:
    """`not`: what is not known yet is not true."""
    return lambda facts: not condition(facts)


def application(read: Callable[..., Any], arguments: tuple[Run, ...]) -> Run:
    """A fact asked about something; nothing is known about `none`."""

    def run(facts: Facts) -> Any:
        values = [argument(facts) for argument in arguments]
        return None if None in values else read(facts, *values)

    return run


def dotted_run(owner: Run, read: Callable[[Facts, Any], Any]) -> Run:
    """What stands after a dot; `none` has only `none`."""

    def run(facts: Facts) -> Any:
        record = owner(facts)
        return None if record is None else read(facts, record)

    return run


def loop(frame: list[Any], slot: int, group: Run, body: Run, is_all: bool) -> Run:
    """`all`/`any`: asks `body` with each item in the variable's slot."""

    def run(facts: Facts) -> bool:
        for item in group(facts):
            frame[slot] = item
            if bool(body(facts)) is not is_all:
                return not is_all
        return is_all

    return run


def selection(frame: list[Any], slot: int, group: Run, body: Run) -> Run:
    """`where`: the items for which `body` is true."""

    def run(facts: Facts) -> list[Any]:
        found = []
        for item in group(facts):
            frame[slot] = item
            if body(facts):
                found.append(item)
        return found

    return run


# --- arithmetic ----------------------------------------------------------------------------------


def _divided(one: Any, other: Any) -> Any:
    return Fraction(one) / other if other else None


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divided,
}  # fmt: skip
_ARITHMETIC_KINDS: dict[tuple[Kind, str, Kind], Kind] = {
    (NUMBER, "+", NUMBER): NUMBER, (NUMBER, "-", NUMBER): NUMBER, (NUMBER, "*", NUMBER): NUMBER,
    (NUMBER, "/", NUMBER): NUMBER, (TIME, "+", TIME): TIME, (TIME, "-", TIME): TIME,
    (TIME, "*", NUMBER): TIME, (NUMBER, "*", TIME): TIME, (TIME, "/", NUMBER): TIME,
    (TIME, "/", TIME): NUMBER,
}  # fmt: skip


def arithmetic_kind(one: Kind, sign: str, other: Kind) -> Kind | None:
    """What a calculation gives; `None` when the two do not go together."""
    return _ARITHMETIC_KINDS.get((one, sign, other))


def calculation(first: Run, steps: tuple[tuple[str, Run], ...]) -> Run:
    """A chain of `+ -` or `* /`, from the left. Dividing by zero gives nothing."""
    pairs = tuple((_ARITHMETIC[sign], run) for sign, run in steps)

    def run(facts: Facts) -> Any:
        total = first(facts)
        for apply, part in pairs:
            value = part(facts)
            if total is None or value is None:
                return None
            total = apply(total, value)
        return total

    return run


# --- comparison ----------------------------------------------------------------------------------

EQUALITIES: dict[str, bool] = {"==": True, "!=": False}
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
COMPARISONS = (*EQUALITIES, *ORDERS)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def comparison(left: Part, sign: str, right: Part) -> Run | None:
    """A closure that compares two parts, or `None` when their kinds cannot be compared."""
    if sign in EQUALITIES:
        return _equality(left, right, EQUALITIES[sign])
    kinds = {left.kind, right.kind}
    if kinds in ({NUMBER}, {TIME}):
        return _order(left.run, right.run, ORDERS[sign])
    if kinds <= {TEXT, NUMBER}:
        return _order(_as_number(left.run), _as_number(right.run), ORDERS[sign])
    return None


def _equality(left: Part, right: Part, wanted: bool) -> Run | None:
    one, other = left.run, right.run
    if left.kind is LOG and right.kind is LOG:
        return lambda facts: facts.same_log(one(facts), other(facts)) is wanted
    if left.kind is STORE and right.kind is STORE:
        return lambda facts: facts.same_store(one(facts), other(facts)) is wanted
    if {left.kind, right.kind} == {TEXT, NUMBER}:
        one, other = _text_form(left), _text_form(right)
    elif not _may_be_equal(left, right):
        return None
    if wanted:
        return lambda facts: bool(one(facts) == other(facts))
    return lambda facts: bool(one(facts) != other(facts))


def _may_be_equal(left: Part, right: Part) -> bool:
    if left.kind is right.kind or NONE in (left.kind, right.kind):
        return True
    for word, other in ((left, right), (right, left)):
        if word.kind.choices and other.kind in (TEXT, NODE):
            # A quoted word must be one of the list; anything else is a slip worth reporting.
            return not other.literal or other.source in word.kind.choices
    return False


def _order(one: Run, other: Run, test: Callable[[Any, Any], bool]) -> Run:
    def run(facts: Facts) -> bool:
        left, right = one(facts), other(facts)
        return left is not None and right is not None and test(left, right)

    return run


def _text_form(part: Part) -> Run:
    """A number as the text that a store would hold: `2` is "2"."""
    if part.kind is TEXT:
        return part.run
    if part.literal:
        return constant(part.source)
    run = part.run

    def text(facts: Facts) -> str | None:
        value = run(facts)
        if isinstance(value, Fraction) and value.denominator != 1:
            return str(float(value))
        return None if value is None else str(value)

    return text


def _as_number(run: Run) -> Run:
    """A text as the number it spells. Refuses one that spells none."""

    def number(facts: Facts) -> Any:
        value = run(facts)
        if not isinstance(value, str):
            return value
        if not _NUMBER.fullmatch(value):
            raise CommandRefused(f"The value {shown(value)} is no number: compare it with == or !=.")
        return Fraction(value)

    return number


def cannot_compare(left: Part, sign: str, right: Part) -> LanguageError:
    """The error for two parts that `comparison` would not take."""
    fits: tuple[str, ...] = ()
    says = f"{shown(left.source)} is {left.kind.says} and {shown(right.source)} is {right.kind.says}"
    if sign in ORDERS and left.kind is right.kind:
        says += ": they have no order, only == and != fit."
    else:
        says += f": {sign} cannot compare them."
    for one, other in ((left, right), (right, left)):
        if one.kind is TIME and other.kind is NUMBER:
            number = other.source if other.literal else "2"
            fits = (f"{number}s", f"{number}ms")
            says = f"{shown(one.source)} is a time and {shown(other.source)} a plain number:"
            says += f" add a unit, such as {fits[0]}."
        elif one.kind.choices and not other.kind.choices:
            fits = one.kind.choices
            says = f"{shown(other.source)} is not {one.kind.says}: {', '.join(fits)}."
    return LanguageError(says, right.source, right.at, fits)


def joined(parts: Iterable[Part], word: str) -> str:
    """The source of several parts with a word between."""
    return f" {word} ".join(part.source for part in parts)


# --- parts ---------------------------------------------------------------------------------------


def check_answer(part: Part) -> None:
    """Refuse a whole expression whose answer is a thing that nobody could print."""
    if part.kind.item is not None and part.kind is not NODES:
        says = f"{part.source} is {part.kind.says}: count it, such as count({part.source})."
    elif part.kind is STORE or (part.kind in FIELDS and part.kind is not NODE):
        fields = ", ".join(f".{name}" for name in [*FIELDS.get(part.kind, ("x",))][:6])
        says = f"{part.source} is {part.kind.says}: ask for something of it, such as {fields}."
    else:
        return
    raise LanguageError(says, part.source, part.at)


def literal(token: Token) -> Part | None:
    """The value that a token writes out, or `None`."""
    value: str | int | Fraction | None
    kind, source = TEXT, token.text
    if token.sort == "text":
        value = source = token.text[1:-1]
    elif token.sort == "time":
        kind, value = TIME, read_time(token.text)
        if value is None or value > LIMITS.time_us_max:
            says = f"{shown(token.text)} is not a time from 0.001ms to 24 hours."
            raise LanguageError(says, token.text, token.at)
    elif token.sort == "number":
        kind, source = NUMBER, token.text.rstrip("%")
        if len(source) > DIGITS_MAX:
            raise LanguageError(f"{shown(token.text)} has too many digits.", token.text, token.at)
        value = Fraction(source) if "." in source else int(source)
    else:
        return None
    return Part(kind, constant(value), token.at, source, True)


def dotted(owner: Part, token: Token) -> Part:
    """What is asked of the owner after a dot. Refuses what its kind does not have."""
    row = FIELDS.get(owner.kind, {}).get(token.text)
    if row is None:
        fits = (*FIELDS.get(owner.kind, ()), *(("where",) if owner.kind.item else ()))
        has = f"It has {', '.join(fits)}." if fits else f"It is {owner.kind.says}, which has no parts."
        says = f"{shown(owner.source)} has no {shown(token.text)}.{suggestion(token.text, fits)} {has}"
        raise LanguageError(says, token.text, token.at, fits)
    return Part(row.kind, dotted_run(owner.run, row.read), owner.at, f"{owner.source}.{token.text}")


def stored(store: Part, key: str) -> Part:
    """What a store holds under a key."""
    owner = store.run
    return Part(TEXT, lambda facts: facts.stored(owner(facts), key), store.at, f"{store.source}.{key}")
