"""Scenario files: a title, a seed, settings, and a script of commands, waits and expectations.

A file is read in full and checked before anything runs; what is wrong is said with the file, the field
and the word. `ScriptPlayer` plays a script against a run, a stretch at a time, so that the same script
serves the command line, a room and a lesson.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from server.cluster.commands import Command, CommandRefused
from server.cluster.settings import LIMITS, Settings
from server.language import (
    Directive,
    Expect,
    Expression,
    Wait,
    WaitUntil,
    parse,
    print_value,
    read_setting,
    read_time,
    spoken_time,
)

if TYPE_CHECKING:
    from server.run import Run

FILE_BYTES_MAX = 256 * 1024
"""The largest scenario file that is read."""
NESTING_MAX = 20
"""How deep values in a scenario file may contain each other."""
LINES_MAX = 2_000
"""The longest script."""
SYSTEMS = ("textbook",)
"""Whose behaviour a run can have."""
SEED_MAX = 2**53
"""Seeds are whole numbers that every tool on the way can hold."""


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One line of a script. `at_us` is when it is due; `None`: as soon as the line before is done."""

    text: str
    action: Command | Directive
    entry: int
    """Its entry in the file, counted from 1."""
    at_us: int | None = None
    after: int | None = None
    """The event right after which it is due, when more happens at `at_us`."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run that can be told as a story."""

    title: str = "Untitled"
    about: str = ""
    system: str = "textbook"
    seed: int = 1
    settings: dict[str, str | int | bool] = field(default_factory=dict)
    """Stored values by spoken name; checked."""
    script: tuple[ScriptLine, ...] = ()


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises `CommandRefused` with the file's name, the field and the reason."""
    try:
        with path.open("rb") as file:  # Some files have no size and no end.
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise CommandRefused(
                f"{path.name}: larger than {FILE_BYTES_MAX // 1024} KiB, the most a scenario has."
            )
        text = content.decode("utf-8")
    except OSError as problem:
        raise CommandRefused(f"{path}: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandRefused(f"{path.name}: not a text file in UTF-8.") from None
    return read_scenario(text, path.name)


def read_scenario(text: str, name: str) -> Scenario:
    """Read a scenario from YAML text; `name` is what errors call it."""
    try:
        document = _load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:  # `2001-99-99` is no date: ValueError.
        mark = getattr(problem, "problem_mark", None)
        # The end of the text counts as the line after the last.
        where = f", line {min(mark.line + 1, max(1, len(text.splitlines())))}" if mark else ""
        raise CommandRefused(
            f"{name}{where}: this is not YAML: {getattr(problem, 'problem', problem)}."
        ) from None
    if not isinstance(document, dict):
        raise CommandRefused(f"{name}: a scenario is a mapping with title, seed, settings and script.")
    try:
        return _scenario(document)
    except CommandRefused as problem:
        raise CommandRefused(f"{name}: {problem}") from None
    except ValueError:  # Python does not write out whole numbers of thousands of digits.
        raise CommandRefused(f"{name}: a number in it is too long.") from None


def _load(text: str) -> Any:
    """The values of a YAML text. Raises what YAML raises."""
    # The fast loader takes a tenth of the time, but nothing stops it from nesting without end.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > NESTING_MAX:
            raise yaml.YAMLError("it is nested too deeply")
    return yaml.load(text, loader)


def _scenario(document: Mapping[Any, Any]) -> Scenario:
    known = ("title", "about", "system", "seed", "settings", "script")
    for key in document:
        if key not in known:
            raise CommandRefused(f"there is no field {key!r}. Fields: {', '.join(known)}.")
    system = document.get("system", "textbook")
    if system not in SYSTEMS:
        raise CommandRefused(f"system: {system!r} is not known. Systems: {', '.join(SYSTEMS)}.")
    script = document.get("script", [])
    if not isinstance(script, list) or len(script) > LINES_MAX:
        raise CommandRefused(f"script: a list of at most {LINES_MAX} commands.")
    lines: list[ScriptLine] = []
    for number, entry in enumerate(script, 1):
        lines += _lines(number, entry, LINES_MAX - len(lines))
    return Scenario(
        title=_text(document, "title", "Untitled"),
        about=_text(document, "about", ""),
        system=system,
        seed=check_seed(document.get("seed", 1)),
        settings=read_settings(document.get("settings", {})),
        script=tuple(lines),
    )


def write_scenario(scenario: Scenario, comment: str = "") -> str:
    """The YAML text of a scenario: `read_scenario` gives the same one back."""
    document: dict[str, Any] = {"title": scenario.title}
    if scenario.about:
        document["about"] = scenario.about
    document["system"] = scenario.system
    document["seed"] = scenario.seed
    if scenario.settings:
        document["settings"] = {name: print_value(name, value) for name, value in scenario.settings.items()}
    entries: list[Any] = []
    for line in scenario.script:
        timed = {} if line.at_us is None else {"at": spoken_time(line.at_us)}
        placed = {} if line.after is None else {"after": line.after}
        entries.append({**timed, **placed, "do": line.text} if timed else line.text)
    if entries:
        document["script"] = entries
    remarks = "".join(f"# {line}\n" for line in comment.splitlines())
    # Not every reader takes these three for the ends of lines.
    is_plain = not any(sign in scenario.title + scenario.about for sign in "\x85\u2028\u2029")
    return remarks + yaml.safe_dump(
        document, sort_keys=False, allow_unicode=is_plain, default_flow_style=None, width=1_000
    )


def _text(document: Mapping[Any, Any], name: str, default: str) -> str:
    value = document.get(name, default)
    if not isinstance(value, str) or len(value) > 2_000:
        raise CommandRefused(f"{name}: a text of at most 2,000 characters.")
    return value


def check_seed(seed: Any) -> int:
    """A seed as given, when it is one."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= SEED_MAX:
        raise CommandRefused(f"seed: a whole number from 0 to {SEED_MAX}, not {str(seed)[:40]!r}.")
    return seed


def read_settings(mapping: Any) -> dict[str, str | int | bool]:
    """Settings as a person writes them (`flush: 50ms`, `idempotent-retries: off`) to stored values."""
    if not isinstance(mapping, Mapping):
        raise CommandRefused("settings: a mapping of setting to value.")
    values: dict[str, str | int | bool] = {}
    for name, value in mapping.items():
        # YAML reads `off` as false and `5` as a number: back to words for the language to judge.
        word = ("on" if value else "off") if isinstance(value, bool) else str(value)
        spoken, stored = read_setting(str(name), word)
        values[spoken] = stored
    Settings().with_values(values)
    return values


def _lines(number: int, entry: Any, lines_max: int) -> list[ScriptLine]:
    at_us: int | None = None
    after: int | None = None
    texts: list[Any] = [entry]
    if isinstance(entry, Mapping):
        if set(entry) - {"after"} != {"at", "do"}:
            raise CommandRefused(f"script, entry {number}: a timed entry has `at` and `do`.")
        after = entry.get("after")
        if "after" in entry and (isinstance(after, bool) or not isinstance(after, int) or after < 0):
            raise CommandRefused(f"script, entry {number}: after takes the number of an event.")
        at_us = read_time(str(entry["at"]))
        if at_us is None or at_us > LIMITS.time_us_max:
            raise CommandRefused(f"script, entry {number}: at takes a time such as 1500ms, at most a day.")
        texts = entry["do"] if isinstance(entry["do"], list) else [entry["do"]]
    if len(texts) > lines_max:
        raise CommandRefused(f"script, entry {number}: a script has at most {LINES_MAX} commands in all.")
    lines = []
    for text in texts:
        if not isinstance(text, str):
            raise CommandRefused(f"script, entry {number}: a command is a text, not {str(text)[:40]!r}.")
        try:
            lines.append(ScriptLine(" ".join(text.split()), parse(text), number, at_us, after))
        except CommandRefused as problem:
            raise CommandRefused(f"script, entry {number} ({text.strip()[:60]!r}): {problem}") from None
    return lines


@dataclass(slots=True)
class Expectation:
    """What an `expect` or a `wait until` found."""

    text: str
    held: bool
    line: int = 0
    """Which line of the script it is, counted from 0."""


def _of_its_own(line: ScriptLine) -> ScriptLine:
    """The line with conditions that remember nothing yet."""
    return replace(line, action=parse(line.text)) if isinstance(line.action, WaitUntil | Expect) else line


class ScriptPlayer:
    """Plays a script against a run. Nothing of it happens before `advance` is called."""

    def __init__(self, run: Run, script: tuple[ScriptLine, ...]) -> None:
        self.run = run
        # What `ever` and its like remember is of this run alone, however often the script is played.
        self.script = tuple(_of_its_own(line) for line in script)
        self.next_line = 0
        """How many lines are done."""
        self.expectations: list[Expectation] = []
        self._wake_us: int | None = None
        """While a `wait` or `wait until` lasts: when it ends at the latest."""
        self._asked_at = -1
        """How many events there were when a `wait until` was last asked."""
        for line in self.script:
            if isinstance(line.action, WaitUntil | Expect):
                run.watch(line.action.expression)

    @property
    def is_done(self) -> bool:
        """Whether every line has been played."""
        return self.next_line >= len(self.script)

    def advance(self, until_us: int) -> None:
        """Play what is due up to `until_us`, letting the run's time pass as the script says.

        Raises `CommandRefused`, naming the line, when the cluster refuses a command."""
        while not self.is_done:
            line = self.script[self.next_line]
            if line.at_us is not None and self._wake_us is None and not self._wait_for(line, until_us):
                return
            if not self._play(line, until_us):
                return
            self._wake_us = None
            self.next_line += 1

    def next_at_us(self) -> int | None:
        """When the script next wants to act; `None` when it is done."""
        if self.is_done:
            return None
        line = self.script[self.next_line]
        if self._wake_us is not None:
            return self._wake_us
        return max(self.run.now_us, line.at_us or 0)

    def _wait_for(self, line: ScriptLine, until_us: int) -> bool:
        assert line.at_us is not None
        if line.at_us < self.run.now_us:
            at_s, now_s = line.at_us / 1e6, self.run.now_us / 1e6
            raise CommandRefused(
                f"script, entry {line.entry} ({line.text!r}): it was to happen at {at_s:g} s, but it is "
                f"{now_s:g} s already."
            )
        end_us = min(line.at_us, until_us)
        if line.after is None or not self._step_past(line.after, end_us):
            self.run.advance(end_us)
        return line.at_us <= until_us

    def _step_past(self, event: int, end_us: int) -> bool:
        """Go on just until an event has happened; whether that took the run to `end_us` and no further."""
        while self.run.event_count <= event:
            next_us = self.run.next_at_us()
            if next_us is None or next_us > end_us:
                return False
            self.run.step()
        return self.run.now_us == end_us

    def _play(self, line: ScriptLine, until_us: int) -> bool:
        """Play one line as far as `until_us`; `True` when it is done."""
        action, run = line.action, self.run
        if isinstance(action, Wait):
            if self._wake_us is None:
                self._wake_us = run.now_us + action.time_us
            run.advance(min(self._wake_us, until_us))
            return self._wake_us <= until_us
        if isinstance(action, WaitUntil):
            if self._wake_us is None:
                self._wake_us = run.now_us + action.within_us
            return self._wait_until(action.expression, until_us)
        if isinstance(action, Expect):
            self.expectations.append(
                Expectation(line.text.removeprefix("expect "), run.holds(action.expression), self.next_line)
            )
            return True
        try:
            run.execute(action)
        except CommandRefused as problem:
            raise CommandRefused(f"script, entry {line.entry} ({line.text!r}): {problem}") from None
        return True

    def _wait_until(self, expression: Expression, until_us: int) -> bool:
        """Go on until a condition holds; `True` when it does, or when the wait is over.

        It is asked at first, after every event and at the end of the wait, never at `until_us`: where a
        stretch of playing ends must not change the run."""
        assert self._wake_us is not None
        while not self._holds(expression):
            end_us = min(self._wake_us, until_us)
            next_us = self.run.next_at_us()
            if next_us is not None and next_us <= end_us:
                self.run.step()
                continue
            self.run.advance(end_us)
            if self._wake_us > until_us:
                return False
            if not self.run.holds(expression):
                text = self.script[self.next_line].text
                self.expectations.append(Expectation(text, False, self.next_line))
            break
        self._asked_at = -1
        return True

    def _holds(self, expression: Expression) -> bool:
        """Whether it holds, asked once per event."""
        if self._asked_at == self.run.event_count:
            return False
        self._asked_at = self.run.event_count
        return self.run.holds(expression)
