"""Says in plain words what is wrong with a text that is not YAML, and in which line.

The parser names the place where it could not go on. What is to be mended often stands before it: where a
quote was opened, or at the end of the line in which a bracket should have been closed.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

INDENTATION = "this line's indentation does not fit the lines above it"
QUOTE = "the quote that is opened in this line is not closed"
AFTER_QUOTE = (
    "a text goes on after its closing quote: one with quotes within needs the other kind of quotes around it"
)


class Fault(NamedTuple):
    """What is to be mended."""

    line: int
    """Counted from 0."""
    says: str
    """In plain words where we have them; then, in brackets, the parser's own."""


def fault_of(problem: Exception, text: str) -> Fault:
    """The fault that made the parser give up."""
    if isinstance(problem, yaml.reader.ReaderError):
        line = text.count("\n", 0, problem.position)
        return Fault(line, f"it has a character that no text has ({problem.character:#x})")
    if not isinstance(problem, yaml.MarkedYAMLError) or problem.problem_mark is None:
        return Fault(0, str(problem).splitlines()[0])
    line, plain = _Place(problem, text).fault()
    words = (problem.problem or problem.context or "").replace("\n", " ")
    return Fault(line, f"{plain} ({words})" if plain else words)


class _Place:
    """The place where the parser gave up, with what it had read until then."""

    def __init__(self, problem: yaml.MarkedYAMLError, text: str) -> None:
        assert problem.problem_mark is not None
        self.says, self.context = problem.problem or "", problem.context or ""
        self.mark: Any = problem.problem_mark
        self.opened: Any = problem.context_mark or problem.problem_mark
        self.lines = text.splitlines() or [""]
        self.tokens = [token for token in _tokens(text) if token.end_mark.index <= self.mark.index]

    @property
    def before(self) -> str:
        """What stands before the place in its line."""
        return self._line(self.mark.line)[: self.mark.column]

    def fault(self) -> tuple[int, str]:
        """The line, and plain words if there are any for it."""
        return self._quote() or self._bracket() or self._block() or self._sign() or (int(self.mark.line), "")

    def _quote(self) -> tuple[int, str] | None:
        if self.context.endswith("quoted scalar") and "escape" not in self.says:
            return self.opened.line, QUOTE
        if "escape" in self.says:
            says = "in double quotes a backslash begins an escape: write two of them, or use single quotes"
            return self.mark.line, says
        last = self.tokens[-1] if self.tokens else None
        is_quoted = isinstance(last, yaml.ScalarToken) and last.style in ("'", '"')
        if last is None or not is_quoted or last.end_mark.line != self.mark.line:
            return None
        if last.start_mark.line < last.end_mark.line:  # It ended where another quote was to begin.
            return last.start_mark.line, QUOTE
        if last.end_mark.index == self.mark.index or "<block end>" in self.says:
            return self.mark.line, AFTER_QUOTE
        return None

    def _bracket(self) -> tuple[int, str] | None:
        open_ones: list[Any] = []
        for token in self.tokens:
            if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                open_ones.append(token)
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) and open_ones:
                open_ones.pop()
        if not open_ones or not ("flow" in self.context or "expected ','" in self.says):
            return None
        sign = "]" if isinstance(open_ones[-1], yaml.FlowSequenceStartToken) else "}"
        line = int(self.mark.line)
        # Nothing, or only a field's name, before the place: what is missing belongs into an earlier line.
        if open_ones[-1].start_mark.line < line and re.fullmatch(r"\s*[\w.-]*\s*", self.before):
            earlier = [token.end_mark.line for token in self.tokens if token.end_mark.line < line]
            line = max(earlier, default=line)
        elif self.says.endswith("got ':'"):
            return line, "a comma is missing in this line, or a text with a colon in it needs quotes"
        return line, f"a comma or the closing {sign} is missing in this line"

    def _block(self) -> tuple[int, str] | None:
        line = int(self.mark.line)
        if self.says.startswith("mapping values are not allowed"):
            is_text = ": " in self.before
            return line, "a text with a colon and a blank in it needs quotes" if is_text else INDENTATION
        if self.says.startswith("expected <block end>"):
            if not self.before.strip():
                return line, INDENTATION
            if re.search(r"'[\]}]'$", self.says):
                return line, "this line closes a bracket that none opened"
        if "could not find expected ':'" in self.says:
            return (
                self.opened.line,
                "this line is no field: a name with a colon and a blank after it begins one",
            )
        if "another document" in self.says:
            return line, "a line --- stands in it"
        if self.context.endswith("block scalar"):
            return line, "the text after | begins in the next line"
        return None

    def _sign(self) -> tuple[int, str] | None:
        """A text that begins with a sign that means something else in YAML."""
        if "'\\t'" in self.says:
            return self.mark.line, "a tab stands here: lines are indented with blanks"
        is_name = re.search(r"alias|anchor|tag|directive", f"{self.context} {self.says}") is not None
        if not is_name and "cannot start any token" not in self.says:
            return None
        mark = self.opened if is_name else self.mark
        sign = self._line(mark.line)[mark.column : mark.column + 1]
        return mark.line, f"a text that begins with {sign} needs quotes"

    def _line(self, number: int) -> str:
        return self.lines[number] if number < len(self.lines) else ""


def _tokens(text: str) -> list[Any]:
    """What can be read, up to what cannot."""
    found: list[Any] = []
    try:
        for token in yaml.scan(text, yaml.SafeLoader):
            if token.end_mark.index > token.start_mark.index:
                found.append(token)
    except yaml.YAMLError:
        pass
    return found
