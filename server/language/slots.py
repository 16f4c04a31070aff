"""The places in a command that a person fills in: how each is read, printed and offered.

A slot reads as many words as it needs and gives the values of one or more fields of the command; its
printing is the exact opposite of its reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from server.cluster.commands import CommandRefused
from server.cluster.messages import MESSAGE_KINDS
from server.cluster.settings import LIMITS, NODE_LETTERS, SECOND, SETTINGS, Setting, check_value
from server.language.cursor import Cursor, Word, wrong
from server.language.expressions import ExpressionReader
from server.language.words import LanguageError, read_time, shown, spoken_time, suggestion

Values = tuple[Any, ...]
"""The values of a slot's fields, in order."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One place to fill in."""

    form: str
    """How help shows it."""
    read: Callable[[Cursor], Values]
    show: Callable[[Values], str]
    fields: tuple[str, ...] = ()
    """The command's fields it fills; empty for the one field that the grammar names."""


RESERVED = ("by", "to", "from")
"""Words that always begin the tail of an operation, so no key and no value can be called that."""
_CLIENTS = tuple(str(number) for number in range(1, LIMITS.clients_max + 1))
_LETTER_NOUN = f"a node's letter, A to {NODE_LETTERS[-1]}"
_ONE = ("leader", "freshest", "stalest")
_SEVERAL = ("leader", "followers", "freshest", "stalest")
_NODE_NOUN = f"a node: A to {NODE_LETTERS[-1]}, leader, followers, freshest or stalest"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3})%?", re.ASCII)
_RATE = re.compile(r"(\d{1,4}(?:\.\d{1,18})?)/s", re.ASCII | re.IGNORECASE)


def one(show: Callable[[Any], str]) -> Callable[[Values], str]:
    """Printing for a slot with a single field."""
    return lambda values: show(values[0])


# --- keys, values, numbers -----------------------------------------------------------------------


def _read_plain(cursor: Cursor, noun: str, example: tuple[str, ...], characters_max: int) -> Word:
    word = cursor.take(noun, example)
    text = word.text
    if not _PLAIN.fullmatch(text):
        says = f"{shown(text)} is not {noun}: use letters, digits, '_', '.' and '-'."
        raise LanguageError(says, text, word.at, example)
    if len(text) > characters_max:
        says = f"{shown(text)} is {len(text)} characters long; {characters_max} are the most."
        raise LanguageError(says, text, word.at, example)
    if text.lower() in RESERVED:
        says = f"{noun[0].upper()}{noun[1:]}, belongs before {shown(text)}."
        raise LanguageError(says, text, word.at, example)
    return word


def _read_key(cursor: Cursor) -> Values:
    word = _read_plain(cursor, "a key, such as x", ("x", "y"), LIMITS.key_characters_max)
    if not word.text[0].isalpha():
        says = f"A key begins with a letter, and {shown(word.text)} does not."
        raise LanguageError(says, *word, ("x", "y"))
    return (word.text,)


def _read_value(cursor: Cursor) -> Values:
    word = _read_plain(cursor, "a value, such as 1", ("1", "2"), LIMITS.value_characters_max)
    if word.text.lower() == "none":
        says = f"{shown(word.text)} means that a key holds nothing: delete the key, or write another value."
        raise LanguageError(says, *word, ("1", "2"))
    return (word.text,)


def _read_expected(cursor: Cursor) -> Values:
    noun = "the expected value, or none"
    word = _read_plain(cursor, noun, ("1", "none"), LIMITS.value_characters_max)
    return (None if word.text.lower() == "none" else word.text,)


def _read_message_id(cursor: Cursor) -> Values:
    noun = "a message's number, such as 17"
    word = cursor.take(noun, ())
    if not re.fullmatch(r"\d{1,9}", word.text, re.ASCII):
        raise wrong(word, noun, ())
    return (int(word.text),)


def _read_percent(cursor: Cursor) -> Values:
    noun = "a whole percentage from 0% to 100%, such as 20%"
    word = cursor.take(noun, ("20%", "100%"))
    match = _PERCENT.fullmatch(word.text)
    if match is None or int(match[1]) > 100:
        raise wrong(word, noun, ("20%", "100%"))
    return (int(match[1]),)


def _time_reader(maximum_us: int) -> Callable[[Cursor], Values]:
    noun = "a time, such as 300ms or 2s"
    fits = ("300ms", "2s")

    def read(cursor: Cursor) -> Values:
        word = cursor.take(noun, fits)
        time_us = read_time(word.text)
        if time_us is None:
            raise _wrong_time(word, noun)
        if time_us > maximum_us:
            longest = "24 hours" if maximum_us == LIMITS.time_us_max else spoken_time(maximum_us)
            raise LanguageError(f"{shown(word.text)} is too long: {longest} is the most.", *word, fits)
        return (time_us,)

    return read


def _wrong_time(word: Word, noun: str) -> LanguageError:
    if re.fullmatch(r"\d+(\.\d+)?", word.text, re.ASCII):
        fits = tuple(word.text[:12] + unit for unit in ("ms", "s"))
        return LanguageError(f"{shown(word.text)} needs a unit: {' or '.join(fits)}.", *word, fits)
    return wrong(word, noun, ("300ms", "2s"))


def _read_rate(cursor: Cursor) -> Values:
    noun = "a rate, such as 20/s"
    fits = ("5/s", "20/s")
    word = cursor.take(noun, fits)
    match = _RATE.fullmatch(word.text)
    rate = Fraction(match[1]) if match else None
    if rate is None:
        raise wrong(word, noun, fits)
    if not rate or rate > LIMITS.load_per_second_max or SECOND / rate > LIMITS.time_us_max:
        most = f"{LIMITS.load_per_second_max:,}/s"
        says = f"{shown(word.text)} is outside what a client can do: up to {most}, at least one a day."
        raise LanguageError(says, *word, fits)
    return (round(SECOND / rate),)


def spoken_rate(interval_us: int) -> str:
    """The shortest rate that is read as exactly this interval."""
    rate = Fraction(SECOND, interval_us)
    for digits in range(19):
        near = round(rate * 10**digits)
        if near and round(SECOND * Fraction(10**digits, near)) == interval_us:
            whole, rest = divmod(near, 10**digits)
            return f"{whole}.{rest:0{digits}d}/s" if digits else f"{whole}/s"
    raise ValueError(f"no rate for {interval_us} microseconds")


# --- nodes, clients, links -----------------------------------------------------------------------


def _read_letter(cursor: Cursor) -> Values:
    word = cursor.take(_LETTER_NOUN, NODE_LETTERS)
    if word.text.upper() not in tuple(NODE_LETTERS):
        raise wrong(word, _LETTER_NOUN, NODE_LETTERS)
    return (word.text.upper(),)


def _selector_reader(roles: tuple[str, ...]) -> Callable[[Cursor], Values]:
    noun = f"a node: A to {NODE_LETTERS[-1]}, {', '.join(roles[:-1])} or {roles[-1]}"

    def read(cursor: Cursor) -> Values:
        fits = (*cursor.nodes, *roles)
        word = cursor.take(noun, fits)
        if word.text.upper() in tuple(NODE_LETTERS):
            return (word.text.upper(),)
        if word.text.lower() in roles:
            return (word.text.lower(),)
        if word.text.lower() == "followers":
            raise LanguageError(f"Only one node fits here, and {shown(word.text)} are several.", *word, fits)
        raise wrong(word, noun, fits)

    return read


def _read_client(cursor: Cursor) -> Values:
    noun = f"a client's number, 1 to {LIMITS.clients_max}"
    if cursor.peek(cursor.clients) is not None:
        cursor.accept("client")
    word = cursor.take(noun, cursor.clients)
    if word.text not in _CLIENTS:
        raise wrong(word, noun, cursor.clients)
    return (word.text,)


def read_end(cursor: Cursor) -> str:
    """One end of a link: a node's letter, a role that names nodes, or `client 1`."""
    noun = f"{_NODE_NOUN}, or a client, such as client 1"
    fits = (*cursor.nodes, *_SEVERAL, "client")
    word = cursor.take(noun, fits)
    if word.text.upper() in tuple(NODE_LETTERS):
        return word.text.upper()
    if word.text.lower() == "client":
        return str(_read_client(cursor)[0])
    if word.text in _CLIENTS:
        says = f"{shown(word.text)} could be a client: say client {word.text}."
        raise LanguageError(says, *word, ("client",))
    if word.text.lower() in _SEVERAL:
        return word.text.lower()
    raise wrong(word, noun, fits)


def show_end(end: str) -> str:
    """`A`, or `client 1`."""
    return f"client {end}" if end.isdigit() else end


def _read_pair(cursor: Cursor, needs_arrow: bool = False) -> Values:
    source = read_end(cursor)
    one_way = False
    if needs_arrow:
        cursor.literal("->")
    else:
        one_way = cursor.accept("->")
    first_word = cursor.words[cursor.next] if cursor.next < len(cursor.words) else None
    target = read_end(cursor)
    problem = None
    if source == target:
        problem = f"A link joins two different ends, and both are {show_end(source)}."
    elif source.isdigit() and target.isdigit():
        problem = "Clients talk to nodes, not to each other: one end must be a node."
    if problem is not None and first_word is not None:
        raise LanguageError(problem, *first_word, cursor.nodes)
    return source, target, one_way


def _show_pair(values: Values) -> str:
    source, target, one_way = values
    return f"{show_end(source)} {'-> ' if one_way else ''}{show_end(target)}"


def _read_links(cursor: Cursor) -> Values:
    for word in ("all", "clients"):
        if cursor.accept(word):
            return word, None, False
    return _read_pair(cursor)


def _show_links(values: Values) -> str:
    return str(values[0]) if values[1] is None else _show_pair(values)


def _read_groups(cursor: Cursor) -> Values:
    groups: list[tuple[str, ...]] = []
    members: list[str] = []
    while True:
        fits = (*cursor.nodes, *_SEVERAL, "client", *(("|",) if members else ()))
        word = cursor.peek(fits if members or groups else ())
        if members and (word is None or word.text == "|"):
            groups.append(tuple(members))
            members = []
            if not cursor.accept("|"):
                return (tuple(groups),)
            continue
        end = read_end(cursor)
        if end in members or any(end in group for group in groups):
            assert word is not None
            raise LanguageError(f"{show_end(end)} is named twice: it can stand on one side only.", *word)
        members.append(end)


def _show_groups(values: Values) -> str:
    return " | ".join(" ".join(show_end(end) for end in group) for group in values[0])


def _read_message_kind(cursor: Cursor) -> Values:
    kinds = (*MESSAGE_KINDS, "message")
    word = cursor.take(f"a kind of message: {', '.join(kinds)}", kinds)
    if word.text.lower() not in kinds:
        raise wrong(word, f"a kind of message: {', '.join(kinds)}", kinds)
    return (word.text.lower(),)


# --- settings ------------------------------------------------------------------------------------


def read_setting(name: str, text: str) -> tuple[str, str | int | bool]:
    """A setting's spoken name and stored value, from what a person wrote. Raises `LanguageError`."""
    row = _known_setting(Word(name, 0))
    cursor = Cursor(text, (), ())
    value = _read_value_of(row, cursor)
    extra = cursor.peek()
    if extra is not None:
        raise LanguageError(f"{row.name} takes one value, so {shown(extra.text)} is one too many.", *extra)
    return row.name, value


def print_value(name: str, value: str | int | bool) -> str:
    """A stored value as a person writes it: the opposite of `read_setting`."""
    kind = SETTINGS[name].kind
    if kind == "switch":
        return "on" if value else "off"
    return spoken_time(int(value)) if kind == "time" else str(value)


def _known_setting(word: Word) -> Setting:
    row = SETTINGS.get(word.text.lower().replace("_", "-"))
    if row is None:
        hint = suggestion(word.text, SETTINGS) or f" Settings: {', '.join(SETTINGS)}."
        raise LanguageError(f"There is no setting called {shown(word.text)}.{hint}", *word, tuple(SETTINGS))
    return row


def _read_setting(cursor: Cursor) -> Values:
    word = cursor.take("a setting", [name for name, row in SETTINGS.items() if not row.is_fixed])
    row = _known_setting(word)
    if row.is_fixed:
        raise LanguageError(f"{row.name} can only be chosen when a run starts.", *word)
    if not row.per_node:
        own = ", ".join(name for name, other in SETTINGS.items() if other.per_node)
        cursor.barred["on"] = f"{row.name} holds for the whole cluster. One node can have its own {own}."
    return row.name, _read_value_of(row, cursor)


def _fits_setting(row: Setting) -> tuple[str, ...]:
    if row.kind == "switch":
        return ("on", "off")
    return row.choices or (print_value(row.name, row.minimum), print_value(row.name, row.maximum))


def _read_value_of(row: Setting, cursor: Cursor) -> str | int | bool:
    fits = _fits_setting(row)
    noun = " to ".join(fits) if row.kind in ("time", "number") else f"{', '.join(fits[:-1])} or {fits[-1]}"
    word = cursor.take(f"a value for {row.name}: {noun}", fits)
    value = _stored_value(row, word)
    if value is None:
        says = f"{row.name} takes {noun}, not {shown(word.text)}.{suggestion(word.text, row.choices)}"
        raise LanguageError(says, *word, fits)
    try:
        check_value(row.name, value)
    except CommandRefused:
        says = f"{row.name} goes from {noun}; {shown(word.text)} is outside."
        raise LanguageError(says, *word, fits) from None
    return value


def _stored_value(row: Setting, word: Word) -> str | int | bool | None:
    """What the word means for this setting, `None` when nothing."""
    text = word.text.lower()
    if row.kind == "switch":
        return {"on": True, "off": False, "true": True, "false": False}.get(text)
    if row.kind == "choice":
        choices = {choice.lower(): choice for choice in row.choices}
        return choices.get(text, choices.get(text.replace("_", "-")))
    if row.kind == "time":
        if re.fullmatch(r"[\d.]+", text, re.ASCII):
            raise _wrong_time(word, "a time, such as 300ms or 2s")
        return read_time(text)
    return int(text.rstrip("%")) if re.fullmatch(r"\d{1,9}%?", text, re.ASCII) else None


def _show_setting(values: Values) -> str:
    return f"{values[0]} {print_value(values[0], values[1])}"


# --- expressions ---------------------------------------------------------------------------------


def _read_expression(cursor: Cursor) -> Values:
    """Everything up to `within` or the end; it must be readable, and true or false."""
    first = cursor.next
    while (word := cursor.peek()) is not None and word.text.lower() != "within":
        cursor.next += 1
    start = cursor.words[first].at if first < len(cursor.words) else len(cursor.text)
    reader = ExpressionReader(cursor.text, start, len(cursor.text) if word is None else word.at)
    try:
        expression = reader.read(is_condition=True)
    finally:
        if word is None:
            cursor.wanted += reader.wanted
    return (expression,)


_END_TEXT = one(show_end)
_WORD = one(str)
_TIME = one(spoken_time)

SLOTS: dict[str, Slot] = {
    "key": Slot("<key>", _read_key, _WORD),
    "value": Slot("<value>", _read_value, _WORD),
    "expected": Slot("<expected>", _read_expected, one(lambda value: "none" if value is None else value)),
    "client": Slot("<client>", _read_client, _WORD),
    "letter": Slot("<letter>", _read_letter, _WORD),
    "node": Slot("<node>", _selector_reader(_ONE), _WORD),
    "nodes": Slot("<node>", _selector_reader(_SEVERAL), _WORD),
    "source": Slot("<node>", _selector_reader((*_ONE, "any")), _WORD),
    "link": Slot("<end> [->] <end>", _read_pair, _show_pair, ("source", "target", "one_way")),
    "path": Slot("<end> -> <end>", lambda cursor: _read_pair(cursor, True)[:2],
                 lambda values: _show_pair((*values, True)), ("source", "target")),
    "links": Slot("(<end> [->] <end> | all | clients)", _read_links, _show_links,
                  ("source", "target", "one_way")),
    "groups": Slot("<ends> | <ends>", _read_groups, _show_groups),
    "kind": Slot("<kind>", _read_message_kind, _WORD),
    "message": Slot("<number>", _read_message_id, _WORD),
    "percent": Slot("<percent>", _read_percent, one(lambda percent: f"{percent}%")),
    "time": Slot("<time>", _time_reader(LIMITS.time_us_max), _TIME),
    "latency": Slot("<time>", _time_reader(SETTINGS["latency"].maximum), _TIME),
    "rate": Slot("<rate>", _read_rate, one(spoken_rate)),
    "setting": Slot("<setting> <value>", _read_setting, _show_setting, ("setting", "value")),
    "expression": Slot("<expression>", _read_expression, one(lambda expression: str(expression.text))),
}  # fmt: skip
"""Every slot by the name that the grammar uses."""
