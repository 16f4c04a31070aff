"""YAML with line numbers: every value of a lesson is read through here, so that an error can say where.

`load` reads text into `Fields` (a mapping that remembers the line of each key), lists and plain values.
`off`, `no` and the like stay words: only `true` and `false` are truths, as in the expression language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from server.cluster.commands import CommandRefused
from server.lessons.yaml_faults import fault_of

IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MISCONCEPTION = re.compile(r"M(-[A-Z0-9]+)+")
TEXT_CHARACTERS_MAX = 6_000
"""The longest text of a lesson."""
ITEMS_MAX = 200
"""The longest list."""


class LessonError(CommandRefused):
    """Something in a lesson's file does not fit: one sentence with file, line and field."""


class Place:
    """A line of a file: what errors begin with."""

    def __init__(self, file: str, line: int) -> None:
        self.file = file
        self.line = line

    def error(self, says: str, field: str | None = None) -> LessonError:
        """The error for something here."""
        where = f"{self.file}, line {self.line}"
        return LessonError(f"{where}: {says}" if field is None else f"{where}, {field}: {says}")


class Lines(list[Any]):
    """A list that remembers where each item is."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


class Fields:
    """One mapping of a file. What is read is noted, so that `end` can name a key that nobody knows."""

    def __init__(self, file: str, line: int, called: str) -> None:
        self.place = Place(file, line)
        self.called = called
        """How errors name the whole: `predict`, `predict.options[2]`."""
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        self._read: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def at(self, name: str) -> Place:
        """Where a key stands; the mapping itself when it is missing."""
        return Place(self.place.file, self.lines.get(name, self.place.line))

    def error(self, name: str | None, says: str) -> LessonError:
        """The error for a field of this mapping, or for the whole."""
        field = f"{self.called}.{name}" if name and self.called else (name or self.called or None)
        return (self.at(name) if name else self.place).error(says, field)

    def take(self, name: str, default: Any = None) -> Any:
        """The raw value."""
        self._read[name] = None
        value = self.values.get(name)
        return default if value is None else value

    def end(self) -> None:
        """Refuse keys that nobody asked for."""
        for name in self.values:
            if name not in self._read:
                raise self.error(name, f"there is no such field here. Fields: {', '.join(self._read)}.")

    # --- kinds of values ---

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required unless there is a default."""
        value = self.take(name, default)
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, int | float):
            value = str(value)
        if value is None:
            raise self.error(name, "this text is missing.")
        if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
            raise self.error(name, f"a text of at most {TEXT_CHARACTERS_MAX:,} characters belongs here.")
        if default is None and not value.strip():
            raise self.error(name, "this text is empty.")
        return value.strip()

    def optional_text(self, name: str) -> str | None:
        """A text, or `None` when it is not there."""
        return self.text(name) if self.take(name) is not None else None

    def identifier(self, name: str = "id", default: str | None = None) -> str:
        """A name made of small letters, digits and hyphens."""
        value = self.text(name, default)
        if not IDENTIFIER.fullmatch(value) or len(value) > 60:
            raise self.error(name, f"{value!r} is no id: small letters, digits and hyphens make one.")
        return value

    def misconception(self, name: str = "mis") -> str | None:
        """A misconception's id, or `None`."""
        value = self.optional_text(name)
        if value is not None and not MISCONCEPTION.fullmatch(value):
            raise self.error(name, f"{value!r} is no misconception's id, such as M-OK-IS-FOREVER.")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in choices:
            raise self.error(name, f"{value!r} does not fit: {', '.join(choices)}.")
        return value

    def whole(self, name: str, minimum: int, maximum: int, default: int | None = None) -> int:
        """A whole number within bounds."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise self.error(name, f"a whole number from {minimum} to {maximum} belongs here.")
        return value

    def number(self, name: str, minimum: float, maximum: float) -> float | None:
        """A number within bounds, or `None` when it is not there."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
            raise self.error(name, f"a number from {minimum:g} to {maximum:g} belongs here.")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """`true` or `false`."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.error(name, "true or false belongs here.")
        return value

    def items(self, name: str) -> list[Any]:
        """A list, empty when it is not there."""
        value = self.take(name, [])
        if not isinstance(value, list) or len(value) > ITEMS_MAX:
            raise self.error(name, f"a list of at most {ITEMS_MAX} items belongs here.")
        return value

    def texts(self, name: str) -> list[tuple[str, Place]]:
        """A list of texts, each with its place."""
        found = []
        items = self.items(name)
        for number, item in enumerate(items):
            line = items.lines[number] if isinstance(items, Lines) else self.at(name).line
            place = Place(self.place.file, line)
            if isinstance(item, bool | int | float):
                item = str(item).lower()
            if isinstance(item, Fields):
                says = "a text belongs here: put quotes around one that has a colon and a blank in it."
                raise place.error(says, f"{self.called}.{name}[{number + 1}]")
            if not isinstance(item, str) or not item.strip() or len(item) > TEXT_CHARACTERS_MAX:
                raise place.error("a text belongs here.", f"{self.called}.{name}[{number + 1}]")
            found.append((item.strip(), place))
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """A list of texts without their places."""
        return tuple(text for text, _ in self.texts(name))

    def mapping(self, name: str) -> Fields | None:
        """A mapping, or `None` when it is not there."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, Fields):
            raise self.error(name, "a mapping of fields belongs here.")
        value.called = f"{self.called}.{name}" if self.called else name
        return value

    def mappings(self, name: str) -> Iterator[Fields]:
        """A list of mappings."""
        for number, item in enumerate(self.items(name), 1):
            if not isinstance(item, Fields):
                raise self.error(name, f"item {number} must be a mapping of fields, such as {{ id: … }}.")
            item.called = f"{self.called}.{name}[{number}]"
            yield item

    def plain(self) -> dict[str, Any]:
        """The mapping without lines, every value a plain one, for who reads it himself."""
        for name in self.values:
            self._read[name] = None
        return dict(self.values)


class _Loader(yaml.SafeLoader):
    """Reads only what lessons use; `off`, `no` and dates stay text."""


_Loader.yaml_implicit_resolvers = {
    letter: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(true|false)$"), list("tf"))


def load(text: str, file: str, first_line: int, called: str) -> Fields:
    """Read a YAML mapping that begins at a line of a file. Raises `LessonError`."""
    place = Place(file, first_line)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except (yaml.YAMLError, RecursionError) as problem:
        fault = fault_of(problem, text)
        place = Place(file, first_line + fault.line)
        raise place.error(f"this is not YAML: {fault.says}.", called or None) from None
    if node is None:
        return Fields(file, first_line, called)
    if not isinstance(node, yaml.MappingNode):
        raise place.error("a mapping of fields belongs here.", called or None)
    found = _built(loader, node, file, first_line, 0)
    assert isinstance(found, Fields)
    found.called = called
    return found


def _built(loader: _Loader, node: yaml.Node, file: str, first_line: int, depth: int) -> Any:
    line = first_line + node.start_mark.line
    if depth > 12:
        raise Place(file, line).error("this is nested too deeply.")
    if isinstance(node, yaml.MappingNode):
        fields = Fields(file, line, "")
        for key, value in node.value:
            name = str(key.value)
            if name in fields.values:
                raise Place(file, first_line + key.start_mark.line).error("this field is there twice.", name)
            fields.values[name] = _built(loader, value, file, first_line, depth + 1)
            fields.lines[name] = first_line + key.start_mark.line
        return fields
    if isinstance(node, yaml.SequenceNode):
        items = Lines()
        for child in node.value:
            items.append(_built(loader, child, file, first_line, depth + 1))
            items.lines.append(first_line + child.start_mark.line)
        return items
    try:
        return loader.construct_object(node)
    except yaml.YAMLError as problem:
        fault = fault_of(problem, node.start_mark.buffer or "")
        raise Place(file, first_line + fault.line).error(f"this is not YAML: {fault.says}.") from None
    except ValueError as problem:
        raise Place(file, line).error(f"this value cannot be read: {problem}.") from None
