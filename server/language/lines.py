"""Lines of the command language: text to command, command to text, and help while typing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from server.cluster.commands import Command
from server.cluster.settings import LIMITS, NODE_LETTERS
from server.language.cursor import Cursor, Word, without_comment
from server.language.grammar import ROWS, Directive, Place, Row, Tail
from server.language.words import LanguageError, check_length, close_word, shown, suggestion

_BY_WORD: dict[str, list[Row]] = {}
for _row in ROWS:
    _BY_WORD.setdefault(_row.words[0], []).append(_row)
_CLIENTS = tuple(str(number) for number in range(1, LIMITS.clients_max + 1))


class Completion(NamedTuple):
    """What may come next while a line is typed."""

    words: tuple[str, ...]
    """Words that fit in place of the one being typed, best first; the one that was meant when none does."""
    hint: str
    """The command's form, or the sentence about what is wrong so far."""


def parse(text: str) -> Command | Directive:
    """The command or directive that a line means. Raises `LanguageError` and nothing else."""
    check_length(text)
    line = without_comment(text)
    lines = line.strip().splitlines()
    if len(lines) > 1:
        at = line.index(lines[0]) + len(lines[0])
        raise LanguageError("One line is one command: send the lines one by one.", None, at)
    return _read_line(Cursor(line, NODE_LETTERS, _CLIENTS), [])


def print_command(command: Command | Directive) -> str:
    """The one canonical line for a command: `parse(print_command(command)) == command`."""
    row = next(row for row in ROWS if row.make is type(command) and _agrees(row, command))
    words = [part if isinstance(part, str) else _printed(part, command) for part in row.parts]
    defaults = row.defaults()
    for tail in row.tails:
        if all(getattr(command, name) == defaults[name] for name in tail.place.fields if name in defaults):
            continue
        words += [tail.keyword] if tail.keyword else []
        words.append(_printed(tail.place, command))
    return " ".join(words)


def _agrees(row: Row, command: Command | Directive) -> bool:
    return all(getattr(command, name) == value for name, value in row.fixed.items())


def _printed(place: Place, command: Command | Directive) -> str:
    return place.slot.show(tuple(getattr(command, name) for name in place.fields))


# --- reading -------------------------------------------------------------------------------------


def _read_line(cursor: Cursor, considered: list[Row]) -> Command | Directive:
    """Read a whole line; `considered` receives the rows it could have become."""
    row = _chosen_row(cursor, considered)
    values: dict[str, Any] = dict(row.fixed)
    for part in row.parts[cursor.next :]:
        if isinstance(part, str):
            cursor.literal(part)
        else:
            _fill(part, cursor, values)
    _read_tails(row, cursor, values)
    made: Command | Directive = row.make(**values)
    return made


def _chosen_row(cursor: Cursor, considered: list[Row]) -> Row:
    word = cursor.take("a command, such as write x 1", _BY_WORD)
    rows = _BY_WORD.get(word.text.lower())
    if rows is None:
        hint = suggestion(word.text, _BY_WORD) or f" Commands: {', '.join(_BY_WORD)}."
        raise LanguageError(f"There is no command {shown(word.text)}.{hint}", *word, tuple(_BY_WORD))
    considered += rows
    seconds = {row.words[1]: row for row in rows if len(row.words) > 1}
    if not seconds:
        return rows[0]
    open_row = next((row for row in rows if len(row.words) == 1), None)
    second = cursor.peek(seconds)
    chosen = seconds.get(second.text.lower()) if second is not None else None
    if chosen is not None:
        considered[:] = [chosen]
        cursor.next += 1
        return chosen
    if open_row is not None:
        _refuse_misspelt(second, seconds)
        return open_row
    choices = " or ".join(f"'{item}'" for item in seconds)
    second = cursor.take(choices, ())
    says = f"After {shown(word.text)} comes {choices}, not {shown(second.text)}."
    raise LanguageError(says + suggestion(second.text, seconds), *second, tuple(seconds))


def _refuse_misspelt(second: Word | None, seconds: Iterable[str]) -> None:
    """Refuse `wait untill`: a slip in a plain word is not read as what may stand there as well."""
    if second is not None and close_word(second.text, seconds) is not None:
        says = f"{shown(second.text)} does not fit here.{suggestion(second.text, seconds)}"
        raise LanguageError(says, *second, tuple(seconds))


def _fill(place: Place, cursor: Cursor, values: dict[str, Any]) -> None:
    values.update(zip(place.fields, place.slot.read(cursor), strict=True))


def _read_tails(row: Row, cursor: Cursor, values: dict[str, Any]) -> None:
    """Optional parts in any order, each at most once, and then the end of the line."""
    left = list(row.tails)
    while True:
        bare = next((tail for tail in left if tail.keyword is None), None)
        if bare is not None and cursor.peek() is not None:
            left.remove(bare)
            _fill(bare.place, cursor, values)
            continue
        if bare is not None:
            cursor.peek((*cursor.nodes, "leader", "client"))
        word = cursor.peek(_fitting(left, cursor))
        if word is None:
            return
        tail = next((tail for tail in left if tail.keyword == word.text.lower()), None)
        if tail is None or word.text.lower() in cursor.barred:
            raise _surplus(row, cursor, left)
        cursor.next += 1
        left.remove(tail)
        _fill(tail.place, cursor, values)


def _fitting(left: list[Tail], cursor: Cursor) -> tuple[str, ...]:
    """The words that may announce one of the tails that are left."""
    return tuple(tail.keyword for tail in left if tail.keyword and tail.keyword not in cursor.barred)


def _surplus(row: Row, cursor: Cursor, left: list[Tail]) -> LanguageError:
    word = cursor.words[cursor.next]
    fits = _fitting(left, cursor)
    barred = cursor.barred.get(word.text.lower())
    if barred is not None:
        return LanguageError(barred, *word, fits)
    more = f" Here fits {' or '.join(fits)}, or nothing." if fits else " The command is complete before it."
    more += suggestion(word.text, fits)
    return LanguageError(f"{shown(word.text)} does not fit here.{more}", *word, fits)


# --- completing ----------------------------------------------------------------------------------

_CONDITION = re.compile(r"\s*(expect|wait\s+until)\s", re.IGNORECASE)
_PARTIAL_NAME = re.compile(r"([A-Za-z_]\w*)?$", re.ASCII)
_PARTIAL_WORD = re.compile(r"[\w.%/-]*$")
_SUGGESTIONS_MAX = 40
_UNOFFERED = (".", "(", "+", "-", "*", "/")
"""Signs that may follow almost anything, so that offering them helps nobody."""


def complete(text: str, nodes: Sequence[str] = NODE_LETTERS, clients: Sequence[str] = _CLIENTS) -> Completion:
    """What fits where the text ends; the last word may be half typed. Never raises.

    `nodes` and `clients` are those of the run, so that nothing else is offered."""
    try:
        check_length(text)
    except LanguageError as problem:
        return Completion((), problem.says)
    match = (_PARTIAL_NAME if _CONDITION.match(text) else _PARTIAL_WORD).search(text)
    partial = match[0] if match else ""
    stem = text[: len(text) - len(partial)]
    if without_comment(text) != text.rstrip():
        return Completion((), "The rest of the line is a comment.")
    cursor, considered = Cursor(stem, nodes, clients), list[Row]()
    hint = ""
    try:
        _read_line(cursor, considered)
    except LanguageError as problem:
        if problem.word is not None and not (cursor.wanted and _is_at_end(problem, stem)):
            hint = problem.says
    wanted = dict.fromkeys(word for word in cursor.wanted if word not in _UNOFFERED)
    words = [word for word in wanted if word.lower().startswith(partial.lower())]
    if not stem.strip():
        considered = [row for word in words for row in _BY_WORD.get(word, ())]
        if not partial:
            hint = "Type a command, such as write x 1."
    if not hint:
        hint = " · ".join(row.form for row in considered[:4])
    if not words and (meant := close_word(partial, wanted)) is not None:
        return Completion((meant,), f"{suggestion(partial, wanted).strip()} {hint}".strip())
    return Completion(tuple(words[:_SUGGESTIONS_MAX]), hint)


def _is_at_end(problem: LanguageError, stem: str) -> bool:
    """Whether the word at fault is the last one, which what comes next may still put right."""
    return problem.at is not None and problem.at + len(problem.word or "") >= len(stem.rstrip())


assert all(
    {name for part in (*row.parts, *(tail.place for tail in row.tails)) if isinstance(part, Place)
     for name in part.fields} | set(row.fixed) == {item.name for item in fields(row.make)}
    for row in ROWS
)  # fmt: skip
