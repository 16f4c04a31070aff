"""Histories from files: what is read, what is refused and how, and what `check` prints."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.guarantees import HistoryError, check_file, run_check
from server.guarantees.histories import read_history


def line(process: int | str, kind: str, function: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """One operation in Jepsen's form."""
    return {"process": process, "type": kind, "f": function, "value": value, **more}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    """A file with one JSON object per line."""
    path = folder / "history.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return path


def checked(path: Path) -> tuple[int, str]:
    """Exit status and output of `check`."""
    out = io.StringIO()
    return run_check(path, out), out.getvalue()


GOOD = (
    line(0, "invoke", "write", 1, key="x"),
    line(0, "ok", "write", 1, key="x"),
    line(1, "invoke", "read", None, key="x"),
    line(1, "ok", "read", 1, key="x"),
)
STALE = (
    *GOOD,
    line(0, "invoke", "write", 2, key="x"),
    line(0, "ok", "write", 2, key="x"),
    line(1, "invoke", "read", None, key="x"),
    line(1, "ok", "read", 1, key="x"),
)


def test_linearizable_history_exits_with_zero(tmp_path: Path) -> None:
    """And says so, per key and in total."""
    assert checked(written(tmp_path, *GOOD)) == (
        0,
        "x: Linearizable. (2 operations)\n1 key: 1 linearizable, 0 not\n",
    )


def test_stale_history_exits_with_one_and_shows_why(tmp_path: Path) -> None:
    """The counterexample is what a person needs, with the lines to look at."""
    assert checked(written(tmp_path, *STALE)) == (
        1,
        "x: Not linearizable: x was read as 1, although write 2 had ended before that read began. "
        "(4 operations)\n"
        "    process 0: write 1, from 1 to 2\n"
        "    process 0: write 2, from 5 to 6\n"
        "    process 1: read 1, from 7 to 8\n"
        "1 key: 0 linearizable, 1 not\n",
    )


def test_every_key_has_its_verdict(tmp_path: Path) -> None:
    """One bad key is enough for exit status 1."""
    other = [{**each, "key": "y"} for each in GOOD]
    status, output = checked(written(tmp_path, *STALE, *other))
    assert status == 1
    assert "y: Linearizable. (2 operations)\n2 keys: 1 linearizable, 1 not\n" in output


def test_one_list_per_file(tmp_path: Path) -> None:
    """The same as lines."""
    path = tmp_path / "history.json"
    path.write_text("\n " + json.dumps(STALE, indent=1), encoding="utf-8")
    assert [verdict.held for verdict in check_file(path)] == [False]


def test_key_and_value_pairs(tmp_path: Path) -> None:
    """Jepsen's independent workloads put the key into the value; reads may begin without."""
    path = written(
        tmp_path,
        line(0, "invoke", "write", ["x", 1]),
        line(0, "ok", "write", ["x", 1]),
        line(0, "invoke", "cas", ["x", [1, 2]]),
        line(0, "ok", "cas", ["x", [1, 2]]),
        line(1, "invoke", "read", ["x", None]),
        line(1, "ok", "read", ["x", 2]),
        line(2, "invoke", "read", None),
        line(2, "ok", "read", ["y", None]),
    )
    assert [(verdict.key, verdict.held) for verdict in check_file(path)] == [("x", True), ("y", True)]


def test_without_a_key_there_is_one_register(tmp_path: Path) -> None:
    """A cas is [expected, new]."""
    path = written(
        tmp_path,
        line(0, "invoke", "write", 1),
        line(0, "ok", "write", 1),
        line(0, "invoke", "cas", [1, 2]),
        line(0, "ok", "cas"),
        line(0, "invoke", "read"),
        line(0, "ok", "read", 2),
        line(0, "invoke", "delete"),
        line(0, "ok", "delete"),
        line(0, "invoke", "read"),
        line(0, "ok", "read", None),
    )
    assert [(verdict.key, verdict.held, verdict.operations) for verdict in check_file(path)] == [
        ("register", True, 5)
    ]


def test_info_and_fail_mean_unknown_and_never(tmp_path: Path) -> None:
    """An unanswered write may surface; a failed one may not."""
    for end, is_fine in (("info", True), ("fail", False), (None, True)):
        middle = [] if end is None else [line(0, end, "write", 2, key="x")]
        path = written(
            tmp_path,
            line(0, "invoke", "write", 2, key="x"),
            *middle,
            line(1, "invoke", "read", None, key="x"),
            line(1, "ok", "read", 2, key="x"),
        )
        assert checked(path)[0] == (0 if is_fine else 1)


def test_values_of_different_types_differ(tmp_path: Path) -> None:
    """1 is not "1", and neither is true."""
    for value in ("1", True, 1.5, [1], {"a": 1}):
        assert checked(written(tmp_path, *GOOD[:3], line(1, "ok", "read", value, key="x")))[0] == 1


def test_the_nemesis_is_skipped_and_keywords_are_read(tmp_path: Path) -> None:
    """As tools that export Jepsen's own form write them."""
    lines = [{**each, "type": ":" + each["type"], "f": ":" + each["f"]} for each in GOOD]
    nemesis = line("nemesis", "info", "start-partition", "majority")
    assert checked(written(tmp_path, nemesis, *lines, nemesis))[0] == 0


def test_order_is_that_of_time(tmp_path: Path) -> None:
    """The same lines, shuffled: with times they mean what they meant."""
    timed = [{**each, "time": 10 * number} for number, each in enumerate(STALE)]
    assert checked(written(tmp_path, *reversed(timed)))[0] == 1
    status, output = checked(written(tmp_path, *timed))
    assert status == 1
    assert "process 1: read 1, from 60 to 70" in output


def test_a_process_may_go_on_after_info(tmp_path: Path) -> None:
    """Its unanswered operation stays possible for ever."""
    path = written(
        tmp_path,
        line(0, "invoke", "write", 2, key="x"),
        line(0, "info", "write", 2, key="x"),
        line(0, "invoke", "read", None, key="x"),
        line(0, "ok", "read", None, key="x"),
        line(0, "invoke", "read", None, key="x"),
        line(0, "ok", "read", 2, key="x"),
    )
    assert checked(path)[0] == 0


REFUSED: list[tuple[str, str]] = [
    ("", "holds no operations."),
    ("\n  \n", "holds no operations."),
    ("{", "Line 1 is not JSON: "),
    ("[1, 2", "The list is not JSON: "),
    ("3", "Line 1: an operation is a JSON object with process, type, f and value."),
    ("[[]]", "Item 1: an operation is a JSON object with process, type, f and value."),
    ('{"type": "ok", "f": "read"}', 'Line 1: "process" must be a number or a name, not null.'),
    (
        '{"process": true, "type": "ok", "f": "read"}',
        'Line 1: "process" must be a number or a name, not true.',
    ),
    ('{"process": 1, "f": "read"}', 'Line 1: "type" is missing; it must be invoke, ok, fail or info.'),
    (
        '\n{"process": 1, "type": "done", "f": "read"}',
        'Line 2: "type" must be invoke, ok, fail or info, not "done".',
    ),
    (
        '{"process": 1, "type": "ok", "f": "append"}',
        'Line 1: "f" must be read, write, cas or delete, not "append".',
    ),
    (
        '{"process": 1, "type": "ok", "f": "read"}',
        'Line 1: an ok read needs "value" (null when the register held nothing).',
    ),
    ('{"process": 1, "type": "invoke", "f": "write"}', 'Line 1: a write needs "value".'),
    (
        '{"process": 1, "type": "invoke", "f": "cas", "value": 3}',
        'Line 1: "value" of a cas must be [expected, new], not 3.',
    ),
    (
        '{"process": 1, "type": "invoke", "f": "read", "time": "now"}',
        'Line 1: "time" must be a number, not "now".',
    ),
    (
        '{"process": 1, "type": "invoke", "f": "read", "time": NaN}',
        'Line 1: "time" must be a number, not NaN.',
    ),
    (
        '{"process": 1, "type": "invoke", "f": "read", "time": 1}\n'
        '{"process": 2, "type": "invoke", "f": "read"}',
        'Line 2: "time" is missing although other operations have one.',
    ),
    ("[" * 100_000, "The list is not JSON that can be read: too deep or too long a number."),
]


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_no_history_is_refused_with_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    """It names the line and the field, exits with 2, and never raises."""
    path = tmp_path / "history.jsonl"
    path.write_text(text, encoding="utf-8")
    status, output = checked(path)
    assert status == 2
    assert says in output
    assert output.count("\n") == 1


IMPOSSIBLE: list[tuple[list[dict[str, Any]], str]] = [
    (
        [line(3, "ok", "write", 1, key="x")],
        "Line 1: process 3 ends a write (ok) that it has not begun.",
    ),
    (
        [line(3, "ok", "write", 1, key="x"), line(3, "invoke", "write", 1, key="x")],
        "Line 1: process 3 ends a write (ok) that it has not begun: its invoke, line 2, comes after it.",
    ),
    (
        [line(3, "invoke", "write", 1, key="x", time=9), line(3, "ok", "write", 1, key="x", time=5)],
        "Line 2: process 3 ends a write (ok) that it has not begun: its invoke, line 1, comes after it.",
    ),
    (
        [line(3, "invoke", "write", 1, key="x"), line(3, "invoke", "read", key="x")],
        "Line 2: process 3 begins a read before its write of line 1 has ended.",
    ),
    (
        [line(3, "invoke", "write", 1, key="x"), line(3, "ok", "read", 1, key="x")],
        "Line 2: process 3 ends a read, but what it began on line 1 is a write.",
    ),
    (
        [line(3, "invoke", "write", 1, key="x"), line(3, "ok", "write", 1, key="y")],
        "Line 2: it is about y, but it began on line 1 about x.",
    ),
    (
        [line(3, "invoke", "write", 1, key="x"), line(3, "ok", "write", 2, key="x")],
        'Line 2: "value" is 2, but the write began on line 1 with 1.',
    ),
    (
        [line(3, "invoke", "cas", [1, 2], key="x"), line(3, "ok", "cas", [1, 3], key="x")],
        'Line 2: "value" is [1, 3], but the cas began on line 1 with [1, 2].',
    ),
    (
        [line(3, "invoke", "read", ["x", None]), line(3, "ok", "read", 7)],
        'Line 2: "value" must be [key, value], as in the other operations.',
    ),
]


@pytest.mark.parametrize(("lines", "says"), IMPOSSIBLE)
def test_impossible_timing_names_the_operation(
    tmp_path: Path, lines: list[dict[str, Any]], says: str
) -> None:
    """A history that no clients can have had."""
    assert checked(written(tmp_path, *lines)) == (2, says + "\n")


def test_unreadable_paths_are_refused(tmp_path: Path) -> None:
    """No file, a folder, bytes that are no text."""
    assert checked(tmp_path / "none")[0] == 2
    assert "cannot be read: No such file or directory." in checked(tmp_path / "none")[1]
    assert "cannot be read" in checked(tmp_path)[1]
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert checked(tmp_path / "bytes")[1].endswith("bytes is not text in UTF-8.\n")
    with pytest.raises(HistoryError):
        read_history(tmp_path / "none")


def test_a_long_history_is_judged(tmp_path: Path) -> None:
    """Twelve thousand lines on one key, from four processes that overlap."""
    lines = []
    for number in range(1_500):
        begun = [line(process, "invoke", "write", 4 * number + process) for process in range(3)]
        ended = [line(process, "ok", "write", 4 * number + process) for process in (2, 0, 1)]
        read = [line(3, "invoke", "read"), line(3, "ok", "read", 4 * number + 1)]
        lines += [*begun, *ended, *read]
    path = written(tmp_path, *lines)
    assert [verdict.held for verdict in check_file(path)] == [True]
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line(9, "invoke", "read")) + "\n" + json.dumps(line(9, "ok", "read", 401)))
    verdict = check_file(path)[0]
    assert verdict.held is False
    assert len(verdict.counterexample) == 3


@pytest.mark.parametrize("answers", [("read", [1, None]), ("cas", [1, [None, 6]])])
def test_independent_histories_without_a_write_have_keys_too(
    tmp_path: Path, answers: tuple[str, Any]
) -> None:
    """Reads and cas alone show that values are pairs of a key and a value."""
    function, value = answers
    path = written(
        tmp_path,
        line(0, "invoke", function, value),
        line(0, "ok", function, value),
        line(1, "invoke", "read", None),
        line(1, "ok", "read", [1, None if function == "read" else 6]),
        line(2, "invoke", "read", None),
    )
    assert [(each.key, each.held) for each in check_file(path)] == [("1", True)]


def test_keys_of_different_kinds_are_different_keys(tmp_path: Path) -> None:
    """The number 1 and the text "1"; and 1 and 1.0 are one number."""
    path = written(
        tmp_path,
        line(0, "invoke", "write", 1, key=1),
        line(0, "ok", "write", 1, key=1),
        line(0, "invoke", "read", None, key="1"),
        line(0, "ok", "read", None, key="1"),
        line(0, "invoke", "read", None, key=1),
        line(0, "ok", "read", 1.0, key=1),
    )
    assert [(each.key, each.held) for each in check_file(path)] == [("1", True), ('"1"', True)]


def test_a_register_without_a_name_beside_named_ones_is_refused(tmp_path: Path) -> None:
    """It might be any of them."""
    path = written(tmp_path, line(0, "invoke", "write", 1, key="register"), line(1, "invoke", "read", None))
    assert checked(path) == (2, 'Line 2: "key" is missing although line 1 has one.\n')


def test_what_a_register_holds_at_first_can_be_said(tmp_path: Path) -> None:
    """In JSON; nothing, unless it is said."""
    path = written(tmp_path, line(0, "invoke", "read", None), line(0, "ok", "read", 0))
    out = io.StringIO()
    assert (run_check(path, out), run_check(path, out, "0"), run_check(path, out, "{")) == (1, 0, 2)
    assert out.getvalue().endswith(
        "The initial value is not JSON: Expecting property name enclosed in double quotes at character 2.\n"
    )


def test_odd_characters_and_numbers_are_read_as_they_are(tmp_path: Path) -> None:
    """A line separator inside a text ends no line, half a character is a value, and time may be long."""
    path = tmp_path / "history.jsonl"
    lines = [
        '{"process": 0, "type": "invoke", "f": "write", "value": "a\u2028b", "time": 1' + "0" * 400 + "}",
        '{"process": 0, "type": "ok", "f": "write", "time": 2' + "0" * 400 + "}",
        '{"process": 0, "type": "invoke", "f": "read", "time": 3' + "0" * 400 + "}",
        '{"process": 0, "type": "ok", "f": "read", "value": "\\ud800", "time": 4' + "0" * 400 + "}",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [verdict.held for verdict in check_file(path)] == [False]
    done = subprocess.run(
        [sys.executable, "-m", "server", "check", str(path)],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\\ud800" in done.stdout
