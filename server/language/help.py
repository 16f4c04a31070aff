"""Help in plain text, made from the tables that also do the work."""

from __future__ import annotations

import sys

from server.cluster.settings import SETTINGS, Setting, Settings
from server.language.grammar import GROUPS, ROWS, Row
from server.language.slots import print_value
from server.language.vocabulary import CALLS, CALLS_SAY, FACTS, FIELDS, LINK, LOG, NODE, OPERATION, Field
from server.language.words import LanguageError, shown, suggestion

_FIELD_TITLES = {NODE: "Of a node", LOG: "Of a log", LINK: "Of a link", OPERATION: "Of an operation"}
_TOPICS = ("commands", "settings", "facts", *GROUPS)


def help_text(topic: str | None = None) -> str:
    """Help for everything (`None`), for a group, a command, a setting, or a fact.

    Raises `LanguageError` for a topic that does not exist."""
    if topic is None or topic.lower() == "commands":
        lines = [line for group in GROUPS for line in ("", group.capitalize(), *_group_lines(group))]
        closing = "More: help settings, help facts, or help and any word of a command."
        return "\n".join((*lines[1:], "", closing))
    name = topic.lower().replace("_", "-")
    if name == "settings":
        return "\n".join(line for row in SETTINGS.values() for line in _setting_lines(row))
    if name in ("facts", "expressions"):
        return _facts_text()
    lines = [line for row in ROWS if name in (row.words[0], row.group) for line in _command_lines(row)]
    lines += _setting_lines(SETTINGS[name]) if name in SETTINGS else []
    lines += _fact_lines(topic.lower())
    if not lines:
        known = (*_TOPICS, *(row.words[0] for row in ROWS), *SETTINGS, *FACTS, *CALLS)
        hint = suggestion(topic, known) or f" Topics: {', '.join(_TOPICS)}."
        raise LanguageError(f"There is no help about {shown(topic)}.{hint}", topic, 0, known)
    return "\n".join(lines)


def _command_lines(row: Row) -> list[str]:
    return [row.form, f"  {row.says}", *(f"    {text}" for text in row.examples)]


def _group_lines(group: str) -> list[str]:
    return [line for row in ROWS if row.group == group for line in (f"  {row.form}", f"      {row.says}")]


def _setting_lines(row: Setting) -> list[str]:
    if row.kind == "switch":
        values = "on or off"
    else:
        ends = (print_value(row.name, row.minimum), print_value(row.name, row.maximum))
        values = " | ".join(row.choices) or " to ".join(ends)
    plain = print_value(row.name, Settings().value(row.name))
    notes = " Only when a run starts." if row.is_fixed else " Also for one node." if row.per_node else ""
    return [f"{row.name}: {values} (default {plain})", f"    {row.says}{notes}"]


def _facts_text() -> str:
    """The table of everything that an expression may name."""
    lines = ["Facts"]
    lines += [f"  {row.form:32}{row.says}" for row in FACTS.values()]
    lines += ["", "Questions about them"]
    lines += [f"  {form:40}{CALLS_SAY[name]}" for name, form in CALLS.items()]
    for kind, title in _FIELD_TITLES.items():
        lines += ["", f"{title}, after a dot"]
        lines += [_field_line(row) for row in FIELDS[kind].values()]
    lines += ["", "Signs: == != < <= > >= + - * / ( ) . and or not in"]
    lines += ['Values: 3, 2s, 300ms, B, "text", none, true, false. What stores hold is text; == 2 fits it.']
    return "\n".join(lines)


def _field_line(row: Field) -> str:
    return f"  .{row.name:20}{row.says}"


def _fact_lines(name: str) -> list[str]:
    if name in FACTS:
        return [FACTS[name].form, f"  {FACTS[name].says}"]
    return [CALLS[name], f"  {CALLS_SAY[name]}"] if name in CALLS else []


def main(topic: str | None) -> int:
    """`help [topic]` on the command line: prints it; 0 when there was something to print, else 2."""
    try:
        print(help_text(topic))
    except LanguageError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0
