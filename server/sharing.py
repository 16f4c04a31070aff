"""Runs that one person gives to another: as a link to read and write, and as a scenario file.

A run is a pure function of its start and its commands, so that is all a link carries. It is a query,
such as `/play?v=1&seed=7&set=nodes:5,replication:quorum&do=1000:write+x+1;2500:kill+A&end=4000`:

    v=1       the version of this grammar. Always there, and first.
    system    whose behaviour the run has; left out for `textbook`.
    seed      a whole number; left out when it is 1.
    set       settings that differ from the defaults: name:value, as `set <name> <value>` takes them, with
              commas between.
    do        commands, each with the virtual time at which it is given, with semicolons between. A time is
              milliseconds with up to three decimals, or has a unit: 1500, 1500.25, 1.5s. Commands are in the
              order of their times. In a command `+` is a blank, `~` is `->` and `!` is `|`: `cut+A~B`,
              `partition+A+B!C`.
    end       how far the run had come, as a time. Must be there when `do` is, and must not lie before the
              last command: so a link that was cut off on its way is noticed.
    look      the moment at which the run stands still when it is opened, as a time not after `end`. What was
              before can be gone through, and what is still to come is played from there. Left out: the run
              begins at its beginning, playing.

A time may be followed by `@` and a number, `1000@42:kill+leader`: the command comes right after event 42,
between two happenings of one and the same instant. Only a script that waits for something gives such a
command; one given by hand comes after everything that was due at its time.

Fields named `utm_…`, `fbclid` and `gclid`, which some sites add to links, are passed over; any other field,
and any other version, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from server.cluster.commands import Command, CommandRefused
from server.cluster.settings import LIMITS, SAFETY_SWITCHES, Settings
from server.language import Wait, parse, print_command, print_value, read_time
from server.run import Run
from server.scenario import LINES_MAX, SYSTEMS, Scenario, ScriptLine, check_seed, read_settings

VERSION = 1
LINK_CHARACTERS_MAX = 4_000
"""The longest link that is made or read: what every browser, chat and mail program leaves whole."""

SETTINGS_NAMED = 4
"""Settings that a description names."""

_FIELDS = ("v", "system", "seed", "set", "do", "end", "look")
_PASSED_OVER = re.compile(r"utm_\w+|fbclid|gclid")
_TIME = re.compile(r"(\d{1,8})(?:\.(\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimedCommand:
    """One command and when it is given."""

    at_us: int
    text: str
    """As `print_command` writes it."""
    after: int | None = None
    """The event right after which it is given, when more was due at that time."""


@dataclass(frozen=True, slots=True)
class SharedRun:
    """All that a run is made of, up to `end_us`, and where to begin looking at it."""

    system: str = "textbook"
    seed: int = 1
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Stored values by spoken name: those that differ from the defaults."""
    commands: tuple[TimedCommand, ...] = ()
    end_us: int = 0
    look_us: int | None = None
    """Where it stands still when it is opened; `None`: it plays from its beginning."""


def shared_run(run: Run, end_us: int, look_us: int | None = None) -> SharedRun:
    """A run as it can be given away: what it began with, and every command, those of its script included.

    Raises `CommandRefused` when the moment to look at is still to come."""
    if look_us is not None and look_us > end_us:
        raise CommandRefused("That moment is still to come: a link shows one that was.")
    plain = Settings()
    commands = (
        TimedCommand(at_us, text, run.between.get(position))
        for position, (at_us, text) in enumerate(run.commands)
    )
    return SharedRun(
        run.scenario.system,
        run.scenario.seed,
        {name: value for name, value in run.scenario.settings.items() if value != plain.value(name)},
        tuple(commands),
        end_us,
        look_us,
    )


# --- links ---------------------------------------------------------------------------------------


def write_link(shared: SharedRun) -> str:
    """The query of a link. Raises `CommandRefused` when it would be too long to be one."""
    fields = [f"v={VERSION}"]
    if shared.system != SYSTEMS[0]:
        fields.append(f"system={shared.system}")
    if shared.seed != 1:
        fields.append(f"seed={shared.seed}")
    if shared.settings:
        values = (f"{name}:{print_value(name, value)}" for name, value in shared.settings.items())
        fields.append(f"set={','.join(values)}")
    if shared.commands:
        fields.append(f"do={';'.join(_spelled(command) for command in shared.commands)}")
        fields.append(f"end={_milliseconds(shared.end_us)}")
    if shared.look_us is not None:
        fields.append(f"look={_milliseconds(shared.look_us)}")
    link = "&".join(fields)
    if len(link) > LINK_CHARACTERS_MAX:
        raise CommandRefused(
            f"This run has too many commands for a link, which would have {len(link):,} characters; "
            f"{LINK_CHARACTERS_MAX:,} are the most. Use a scenario file instead: it holds everything."
        )
    return link


def _spelled(command: TimedCommand) -> str:
    place = "" if command.after is None else f"@{command.after}"
    words = command.text.replace(" -> ", "~").replace(" | ", "!").replace("%", "").replace(" ", "+")
    return f"{_milliseconds(command.at_us)}{place}:{words}"


def _milliseconds(time_us: int) -> str:
    whole, rest = divmod(time_us, 1_000)
    decimals = f"{rest:03d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def read_link(query: str) -> SharedRun:
    """The run that a link's query describes. Raises `CommandRefused`; nothing of it is carried out here."""
    query = query.removeprefix("?")
    if len(query) > LINK_CHARACTERS_MAX:
        raise CommandRefused(
            f"This link has {len(query):,} characters; {LINK_CHARACTERS_MAX:,} are the most. "
            "Use a scenario file instead."
        )
    values = _fields(query)
    _check_version(values)
    system = values.get("system", SYSTEMS[0])
    if system not in SYSTEMS:
        raise _fault("system", f"{_shown(system)} is not known. Systems: {', '.join(SYSTEMS)}.")
    if "do" in values and "end" not in values:  # Said first: what is cut off reads oddly besides.
        raise CommandRefused("This link cannot be opened: its end is missing. Was it cut off on its way?")
    commands = _commands(values["do"]) if "do" in values else ()
    end_us = _end(values, commands)
    return SharedRun(system, _seed(values), _settings(values), commands, end_us, _look(values, end_us))


def _fault(name: str, says: str) -> CommandRefused:
    return CommandRefused(f"This link cannot be opened: {name}: {says}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _fields(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if _PASSED_OVER.fullmatch(name):
            continue
        if name in values:
            raise _fault(name, "this field is there twice.")
        values[name] = value
    return values


def _check_version(values: Mapping[str, str]) -> None:
    """Before anything else is looked at: of another version nothing else is known."""
    version = values.get("v")
    if version is None:
        raise CommandRefused(f"This link cannot be opened: it does not name its version, v={VERSION}.")
    if not re.fullmatch(r"\d{1,9}", version, re.ASCII):
        raise _fault("v", f"a version is a whole number such as {VERSION}, not {_shown(version)}.")
    if int(version) != VERSION:
        age = "a newer" if int(version) > VERSION else "an older"
        raise CommandRefused(
            f"This link cannot be opened: it was made for {age} version of this page (v={int(version)}); "
            f"this page reads v={VERSION}."
        )
    for name in values:
        if name not in _FIELDS:
            raise CommandRefused(
                f"This link cannot be opened: there is no field {_shown(name)}. Fields: {', '.join(_FIELDS)}."
            )


def _seed(values: Mapping[str, str]) -> int:
    text = values.get("seed", "1")
    if not re.fullmatch(r"\d{1,16}", text, re.ASCII):
        raise _fault("seed", f"a seed is a whole number such as 7, not {_shown(text)}.")
    try:
        return check_seed(int(text))
    except CommandRefused as problem:
        raise CommandRefused(f"This link cannot be opened: {problem}") from None


def _settings(values: Mapping[str, str]) -> dict[str, str | int | bool]:
    if "set" not in values:
        return {}
    spoken: dict[str, str] = {}
    for item in values["set"].split(","):
        name, colon, value = item.partition(":")
        if not colon:
            raise _fault("set", f"a setting is name:value, such as nodes:5, not {_shown(item)}.")
        if name in spoken:
            raise _fault("set", f"{_shown(name)} is there twice.")
        spoken[name] = value
    try:
        stored = read_settings(spoken)
    except CommandRefused as problem:
        raise _fault("set", str(problem)) from None
    plain = Settings()
    return {name: value for name, value in stored.items() if value != plain.value(name)}


def _time(field_name: str, text: str) -> int:
    match = _TIME.fullmatch(text)
    time_us = int(match[1]) * 1_000 + int((match[2] or "").ljust(3, "0")) if match else read_time(text)
    if time_us is None:
        raise _fault(field_name, f"{_shown(text)} is not a time, such as 1500 (milliseconds) or 1.5s.")
    if time_us > LIMITS.time_us_max:
        raise _fault(field_name, f"{_shown(text)} is too long: a run lasts a day at most.")
    return time_us


def _commands(text: str) -> tuple[TimedCommand, ...]:
    commands: list[TimedCommand] = []
    for item in text.split(";"):
        moment, colon, words = item.partition(":")
        if not colon:
            raise _fault("do", f"a command has its time in front, such as 1000:kill+A, not {_shown(item)}.")
        at, sign, event = moment.partition("@")
        if sign and not re.fullmatch(r"\d{1,9}", event, re.ASCII):
            raise _fault("do", f"after @ comes the number of an event, not {_shown(event)}.")
        at_us = _time("do", at)
        if commands and at_us < commands[-1].at_us:
            raise _fault("do", f"{_shown(item)} comes after a later command; commands are in order of time.")
        try:
            action = parse(words.replace("~", " -> ").replace("!", " | "))
        except CommandRefused as problem:
            raise _fault("do", f"{_shown(words)}: {problem}") from None
        if not isinstance(action, Command):
            raise _fault("do", f"{_shown(words)} belongs in a scenario file; a link has only commands.")
        commands.append(TimedCommand(at_us, print_command(action), int(event) if sign else None))
    return tuple(commands)


def _end(values: Mapping[str, str], commands: tuple[TimedCommand, ...]) -> int:
    if not commands:
        return _time("end", values["end"]) if "end" in values else 0
    end_us = _time("end", values["end"])
    if end_us < commands[-1].at_us:
        raise _fault("end", "it lies before the last command. Was the link cut off on its way?")
    return end_us


def _look(values: Mapping[str, str], end_us: int) -> int | None:
    if "look" not in values:
        return None
    look_us = _time("look", values["look"])
    if "end" in values and look_us > end_us:
        raise _fault("look", "it lies after the end: that moment is still to come.")
    return look_us


# --- scenarios -----------------------------------------------------------------------------------


def scenario_of(shared: SharedRun, title: str, about: str = "") -> Scenario:
    """The scenario that plays a shared run again, to its end.

    Raises `CommandRefused` when there are more commands than a scenario may have lines."""
    if len(shared.commands) >= LINES_MAX:
        raise CommandRefused(
            f"This run has had {len(shared.commands):,} commands; a scenario file has room for "
            f"{LINES_MAX - 1:,}."
        )
    lines = [
        ScriptLine(command.text, parse(command.text), number, command.at_us, command.after)
        for number, command in enumerate(shared.commands, 1)
    ]
    if shared.commands or shared.end_us:
        wait = Wait(max(0, shared.end_us - (shared.commands[-1].at_us if shared.commands else 0)))
        lines.append(ScriptLine(print_command(wait), wait, len(lines) + 1))
    return Scenario(title, about, shared.system, shared.seed, dict(shared.settings), tuple(lines))


def describe(shared: SharedRun) -> str:
    """What a link or file carries, in one sentence."""
    parts = [f"seed {shared.seed}"]
    parts += [f"{name} {print_value(name, value)}" for name, value in list(shared.settings.items())[:4]]
    if len(shared.settings) > 4:
        parts.append(f"{len(shared.settings) - 4} more settings")
    count = len(shared.commands)
    parts.append("no commands" if not count else "1 command" if count == 1 else f"{count:,} commands")
    texts = {command.text for command in shared.commands}
    off = [
        name for name in SAFETY_SWITCHES if shared.settings.get(name) is False or f"set {name} off" in texts
    ]
    named = [(name, value) for name, value in shared.settings.items() if name not in off]
    parts = [f"seed {shared.seed}"]
    parts += [f"{name} {print_value(name, value)}" for name, value in named[:SETTINGS_NAMED]]
    if len(named) > SETTINGS_NAMED:
        parts.append(f"{len(named) - SETTINGS_NAMED} more settings")
    count = len(shared.commands)
    parts.append("no commands" if not count else "1 command" if count == 1 else f"{count:,} commands")
    sentence = f"It carries {', '.join(parts[:-1])} and {parts[-1]}"
    if count:
        sentence += f" over {shared.end_us / 1e6:.2f} s"
    return f"{sentence}{'; the run is modified: ' + ', '.join(off) + ' off' if off else ''}."
