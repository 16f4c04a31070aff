"""Histories from files, for `python -m server check FILE`: Jepsen's operation form as JSON.

One JSON object per line, or one JSON list of them per file:

    {"process": 0, "type": "invoke", "f": "write", "key": "x", "value": 1}
    {"process": 0, "type": "ok",     "f": "write", "key": "x", "value": 1}
    {"process": 1, "type": "invoke", "f": "cas",   "key": "x", "value": [1, 2], "time": 17}

- `process` names who calls: one operation at a time each. Lines of the process `nemesis` are skipped.
- `type`: `invoke` begins an operation; `ok` it happened, `fail` it did not, `info` nobody knows. An
  operation without an end counts as `info`.
- `f`: `read`, `write`, `cas` or `delete`. `value` of a cas is `[expected, new]`; `null` is a register
  that holds nothing.
- `key` may be left out: there is one register then. Or the value is a pair `[key, value]`, as Jepsen's
  independent workloads write it (a register whose values are two-element lists needs `key`).
- The order is that of `time` if every operation has one, of the lines otherwise and among equals.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from server.guarantees.linearizability import HistoryOperation, KeyVerdict, check_history

LINES_MAX = 1_000_000
BYTES_MAX = 512 * 1024**2
"""The longest history that is read."""

LINEARIZABLE, NOT_LINEARIZABLE, NOT_JUDGED = 0, 1, 2
"""Exit statuses: every key is linearizable; some key is not; the file cannot be judged."""

_TYPES = ("invoke", "ok", "fail", "info")
_FUNCTIONS = ("read", "write", "cas", "delete")
_OUTCOMES = {"ok": "ok", "fail": "failed", "info": "unknown"}
_ONE_REGISTER = "register"


class HistoryError(Exception):
    """The file is no history. The text is one sentence that names the line and what is wrong."""


@dataclass(slots=True)
class _Line:
    """One checked object of the file."""

    where: str
    """`Line 7`, or `Item 7` of a list."""
    number: int
    process: str
    type: str
    function: str
    key: Any
    has_key: bool
    value: Any
    has_value: bool
    time: float | None


@dataclass(slots=True)
class _Call:
    """An operation that has begun."""

    line: _Line
    order: int
    key: str | None
    """`None`: known only from the answer."""
    is_pair: bool
    """Whether its value is `[key, value]`."""


def check_file(path: str | Path, initial: str = "null") -> list[KeyVerdict]:
    """A verdict per key of the history in a file; `initial`, in JSON, is what each register held before.
    Raises `HistoryError` when it is none."""
    return check_history(read_history(path), initial=_text(_load("The initial value", initial)))


def run_check(path: str | Path, out: TextIO | None = None, initial: str = "null") -> int:
    """Judge a file and print what was found to `out` (by default standard output, and standard error
    for what is wrong with the file). Gives the exit status: 0 linearizable, 1 not, 2 for a
    file that cannot be judged (no history, or undecided within the search's limit)."""
    try:
        verdicts = check_file(path, initial)
    except HistoryError as problem:
        print(problem, file=out if out is not None else sys.stderr)
        return NOT_JUDGED
    out = out if out is not None else sys.stdout
    for line in format_verdicts(verdicts):
        print(line, file=out)
    held = [verdict.held for verdict in verdicts]
    if False in held:
        return NOT_LINEARIZABLE
    return NOT_JUDGED if None in held else LINEARIZABLE


def format_verdicts(verdicts: list[KeyVerdict]) -> Iterator[str]:
    """The lines a person reads: a verdict per key, each counterexample below its key, and a total."""
    for verdict in verdicts:
        operations = f"{verdict.operations:,} operation" + ("" if verdict.operations == 1 else "s")
        yield f"{verdict.key}: {verdict.says} ({operations})"
        for operation in verdict.counterexample:
            yield f"    {describe(operation)}"
    good = sum(verdict.held is True for verdict in verdicts)
    bad = sum(verdict.held is False for verdict in verdicts)
    total = f"{len(verdicts):,} key" + ("" if len(verdicts) == 1 else "s")
    undecided = len(verdicts) - good - bad
    yield f"{total}: {good:,} linearizable, {bad:,} not" + (f", {undecided:,} undecided" if undecided else "")


def describe(operation: HistoryOperation) -> str:
    """`process 1  read 2   from 7 to 9`, in the file's times or line numbers."""
    until = f"to {operation.returned_at}" if operation.returned_at is not None else "without an answer"
    if operation.outcome == "unknown":
        until = "without an answer"
    return f"process {operation.process}: {operation.label}, from {operation.called_at} {until}"


# --- reading -------------------------------------------------------------------------------------


def read_history(path: str | Path) -> list[HistoryOperation]:
    """The operations of a history file, in the order of their calls. Raises `HistoryError`."""
    try:
        with Path(path).open("rb") as file:  # Some files have no size and no end.
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise HistoryError(f"{path} is larger than {BYTES_MAX // 1024**2} MiB, the most that is read.")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HistoryError(f"{path} is not text in UTF-8.") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "no such path"
        raise HistoryError(f"{path} cannot be read: {reason}.") from None
    lines = [line for line in _parse(text) if line is not None]
    if not lines:
        raise HistoryError(f"{path} holds no operations.")
    return _pair(_in_order(lines))


def _parse(text: str) -> Iterator[_Line | None]:
    if text.lstrip()[:1] == "[":
        items = _load("The list", text)
        if len(items) > LINES_MAX:
            raise HistoryError(f"The list has {len(items):,} items; at most {LINES_MAX:,} are read.")
        for number, item in enumerate(items, 1):
            yield _check(f"Item {number}", number, item)
        return
    for number, line in enumerate(text.split("\n"), 1):  # Not at U+2028, which may stand in a string.
        if number > LINES_MAX:
            raise HistoryError(f"The file has more than {LINES_MAX:,} lines, which is the most that is read.")
        if line.strip():
            yield _check(f"Line {number}", number, _load(f"Line {number}", line))


def _load(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise HistoryError(f"{where} is not JSON: {problem.msg} at character {problem.pos + 1}.") from None
    except (RecursionError, ValueError):
        raise HistoryError(f"{where} is not JSON that can be read: too deep or too long a number.") from None


def _check(where: str, number: int, item: Any) -> _Line | None:
    """One object with every field checked; `None` for a line about the nemesis."""
    if not isinstance(item, dict):
        raise HistoryError(f"{where}: an operation is a JSON object with process, type, f and value.")
    process = item.get("process")
    if process in ("nemesis", ":nemesis"):
        return None
    if isinstance(process, bool) or not isinstance(process, int | str):
        raise HistoryError(f'{where}: "process" must be a number or a name, not {_shown(process)}.')
    kind = _word(where, item, "type", _TYPES)
    function = _word(where, item, "f", _FUNCTIONS)
    time = item.get("time")
    if time is not None and (
        isinstance(time, bool)
        or not isinstance(time, int | float)
        or (isinstance(time, float) and not math.isfinite(time))
    ):
        raise HistoryError(f'{where}: "time" must be a number, not {_shown(time)}.')
    if kind == "ok" and function == "read" and "value" not in item:
        raise HistoryError(f'{where}: an ok read needs "value" (null when the register held nothing).')
    return _Line(
        where, number, str(process), kind, function, item.get("key"), item.get("key") is not None,
        item.get("value"), "value" in item, time,
    )  # fmt: skip


def _word(where: str, item: dict[str, Any], field: str, choices: tuple[str, ...]) -> str:
    value = item.get(field)
    word = value.removeprefix(":") if isinstance(value, str) else None
    if word not in choices:
        fits = ", ".join(choices[:-1]) + f" or {choices[-1]}"
        problem = (
            f"is missing; it must be {fits}" if field not in item else f"must be {fits}, not {_shown(value)}"
        )
        raise HistoryError(f'{where}: "{field}" {problem}.')
    return word


def _in_order(lines: list[_Line]) -> list[_Line]:
    timed = [line for line in lines if line.time is not None]
    if not timed:
        return lines
    if len(timed) < len(lines):
        without = next(line for line in lines if line.time is None)
        raise HistoryError(f'{without.where}: "time" is missing although other operations have one.')
    return sorted(lines, key=lambda line: line.time or 0)  # Stable: equal times keep their order.


# --- from lines to operations ----------------------------------------------------------------------


def _pair(lines: list[_Line]) -> list[HistoryOperation]:
    """Match each end with its begin."""
    is_independent = any(_is_with_key(line) for line in lines)
    _refuse_mixture(lines)
    open_calls: dict[str, _Call] = {}
    operations: list[HistoryOperation] = []
    for order, line in enumerate(lines):
        call = open_calls.get(line.process)
        if line.type == "invoke":
            if call is not None:
                raise HistoryError(
                    f"{line.where}: process {line.process} begins a {line.function} before its "
                    f"{call.line.function} of {call.line.where.lower()} has ended."
                )
            open_calls[line.process] = _begin(line, order, is_independent)
            continue
        if call is None:
            raise HistoryError(_ends_nothing(line, lines, order))
        if call.line.function != line.function:
            raise HistoryError(
                f"{line.where}: process {line.process} ends a {line.function}, but what it began on "
                f"{call.line.where.lower()} is a {call.line.function}."
            )
        del open_calls[line.process]
        operations.append(_operation(call, line, order))
    # A read of nobody knows which register, never answered, says nothing.
    operations += [_operation(call, None, 0) for call in open_calls.values() if call.key is not None]
    return sorted(operations, key=lambda operation: operation.called)


def _is_with_key(line: _Line) -> bool:
    """Whether its value is a pair of a key and what a value is, as independent workloads write it."""
    if line.has_key or not _is_pair(line.value):
        return False
    return line.function != "cas" or (_is_pair(line.value[1]) and not _is_pair(line.value[0]))


def _refuse_mixture(lines: list[_Line]) -> None:
    """One register without a name beside others that have one would be told apart from none of them."""
    named = next((line for line in lines if line.has_key), None)
    for line in lines:
        if named is not None and line.type == "invoke" and not line.has_key:
            raise HistoryError(f'{line.where}: "key" is missing although {named.where.lower()} has one.')


def _ends_nothing(line: _Line, lines: list[_Line], order: int) -> str:
    begin = f"{line.where}: process {line.process} ends a {line.function} ({line.type}) that it has not begun"
    for later in lines[order + 1 :]:
        if later.process == line.process and later.type == "invoke" and later.function == line.function:
            return f"{begin}: its invoke, {later.where.lower()}, comes after it."
    return f"{begin}."


def _begin(line: _Line, order: int, is_independent: bool) -> _Call:
    if line.has_key:
        call = _Call(line, order, _name(line.key), False)
    elif line.function == "cas":
        value = line.value
        is_pair = _is_pair(value) and _is_pair(value[1]) and not _is_pair(value[0])
        call = _Call(line, order, _name(value[0]) if is_pair else _ONE_REGISTER, is_pair)
    elif _is_pair(line.value):
        call = _Call(line, order, _name(line.value[0]), True)
    elif is_independent and line.value is None:
        call = _Call(line, order, None, True)
    else:
        call = _Call(line, order, _ONE_REGISTER, False)
    if line.function == "cas":
        _expected_and_new(line, call.is_pair)
    elif line.function == "write" and not line.has_value:
        raise HistoryError(f'{line.where}: a write needs "value".')
    return call


def _operation(call: _Call, end: _Line | None, order: int) -> HistoryOperation:
    begin = call.line
    key = call.key
    value, expected = None, None
    if begin.function == "write":
        value = _text(begin.value[1] if call.is_pair else begin.value)
    elif begin.function == "cas":
        before, after = _expected_and_new(begin, call.is_pair)
        value, expected = _text(after), _text(before)
    if end is not None:
        key = _answered_key(call, end)
        if end.type == "ok":
            _check_answer(call, end, value, expected)
            if begin.function == "read":
                value = _text(end.value[1] if call.is_pair else end.value)
    return HistoryOperation(
        begin.number, begin.process, begin.function, key or _ONE_REGISTER, value, expected,
        _OUTCOMES[end.type] if end is not None else "pending",
        call.order, order if end is not None else None, None,
        _moment(begin), _moment(end) if end is not None else None,
    )  # fmt: skip


def _answered_key(call: _Call, end: _Line) -> str | None:
    """The key, which the end must not contradict."""
    key = call.key
    if end.has_key:
        said = _name(end.key)
    elif call.is_pair and _is_pair(end.value):
        said = _name(end.value[0])
    elif call.is_pair and end.type == "ok" and end.function == "read":
        raise HistoryError(f'{end.where}: "value" must be [key, value], as in the other operations.')
    else:
        return key
    if key is not None and said != key:
        raise HistoryError(
            f"{end.where}: it is about {said}, but it began on {call.line.where.lower()} about {key}."
        )
    return said


def _check_answer(call: _Call, end: _Line, value: str | None, expected: str | None) -> None:
    """An ok that repeats what was asked must repeat it correctly."""
    if end.function in ("read", "delete") or end.value is None:
        return
    if end.function == "cas":
        before, after = _expected_and_new(end, call.is_pair)
        same = (_text(before), _text(after)) == (expected, value)
    else:
        same = _text(end.value[1] if call.is_pair and _is_pair(end.value) else end.value) == value
    if not same:
        raise HistoryError(
            f'{end.where}: "value" is {_shown(end.value)}, but the {end.function} began on '
            f"{call.line.where.lower()} with {_shown(call.line.value)}."
        )


def _expected_and_new(line: _Line, is_pair: bool) -> tuple[Any, Any]:
    value = line.value
    if is_pair and _is_pair(value):
        value = value[1]
    if not _is_pair(value):
        raise HistoryError(
            f'{line.where}: "value" of a cas must be [expected, new], not {_shown(line.value)}.'
        )
    return value[0], value[1]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _moment(line: _Line) -> int:
    return line.number if line.time is None else int(line.time)


def _text(value: Any) -> str | None:
    """A value as canonical JSON, so that 1, "1" and true stay apart and 1 is 1.0; `None` for null."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _name(key: Any) -> str:
    """A key as people write it; a text that could be taken for another kind of value is quoted."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=False)
    if not isinstance(key, str):
        return text
    try:
        json.loads(key)
    except (ValueError, RecursionError):
        return key
    return text


def _shown(value: Any) -> str:
    """A value in an error message, not longer than a person wants to read."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "…"
