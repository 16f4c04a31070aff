"""A lesson's file taken apart: front matter, steps, and in each step prose and named blocks, in order.

Prose is Markdown without HTML. What a block means is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from server.lessons.fields import Fields, Place, load
from server.lessons.records import Prose

FILE_BYTES_MAX = 256 * 1024
"""The largest file of a lesson."""
STEPS_MAX = 60
"""The most steps of one file."""
PLAIN_FENCES = ("", "text", "console")
"""Fences that are shown as they stand."""
HEADING = re.compile(r"(?P<id>[a-z0-9]+(-[a-z0-9]+)*): *(?P<title>\S.*)")


@dataclass(slots=True)
class RawStep:
    """A step as found: prose, and blocks as mappings."""

    id: str
    title: str
    line: int
    parts: list[Prose | tuple[str, Fields]] = field(default_factory=list)


def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def render(text: str) -> tuple[str, int]:
    """HTML of a piece of Markdown, and how many words it has."""
    reader = _reader()
    tokens = reader.parse(text)
    return str(reader.renderer.render(tokens, reader.options, {})), _words(tokens)


def split(text: str, file: str, blocks: Sequence[str]) -> tuple[Fields, list[RawStep]]:
    """Front matter and steps of a file. Raises `LessonError`."""
    front, body_line = _front_matter(text, file)
    lines = text.split("\n")
    # The lines above stay, emptied, so that every token's line is the file's.
    body = "\n" * (body_line - 1) + "\n".join(lines[body_line - 1 :])
    reader = _reader()
    steps: list[RawStep] = []
    pending: list[Token] = []

    def flush() -> None:
        if pending:
            html = str(reader.renderer.render(list(pending), reader.options, {}))
            line = (pending[0].map or [0])[0] + 1
            source = _source(pending, lines)
            steps[-1].parts.append(Prose(html, _words(pending), source, line))
            pending.clear()

    for group in _top_level(reader.parse(body)):
        opener = group[0]
        place = Place(file, (opener.map or [0])[0] + 1)
        if opener.type == "heading_open" and opener.tag == "h2":
            if steps:
                flush()
            steps.append(_step(group[1].content, place, steps))
            continue
        if opener.type == "fence":
            _check_closed(opener, lines, place)
        if not steps:
            raise place.error("before the first step stands something: a step begins with `## id: Title`.")
        name = opener.info.split(" ")[0] if opener.type == "fence" else ""
        if opener.type == "fence" and name not in PLAIN_FENCES:
            flush()
            if name not in blocks:
                raise place.error(f"there is no block called {name!r}. Blocks: {', '.join(blocks)}.")
            fields = load(opener.content, file, place.line + 1, name)
            fields.place.line = place.line
            steps[-1].parts.append((name, fields))
        elif opener.type == "heading_open" and opener.tag == "h1":
            raise place.error("the title stands in the front matter; steps are headings of the second level.")
        else:
            pending += group
    if not steps:
        raise Place(file, body_line).error("there is no step: one begins with `## id: Title`.")
    flush()
    return front, steps


def _check_closed(fence: Token, lines: list[str], place: Place) -> None:
    """Refuse a fence that goes on into the next one, or to the end of the file: in Markdown that is none of
    the next one's fault."""
    _, end = fence.map or [0, 0]
    inside = fence.content.splitlines()
    nested = [number for number, line in enumerate(inside) if line.startswith(fence.markup)]
    if nested:
        until = f"before line {place.line + 1 + nested[0]}"
    elif lines[end - 1].strip().startswith(fence.markup) and end > place.line:
        return
    else:
        until = "before the end of the file"
    name = fence.info.split(" ")[0]
    called = f"the block {name}" if name else "the block"
    raise place.error(f"{called} that begins here is not closed {until}: a line {fence.markup} is missing.")


def _front_matter(text: str, file: str) -> tuple[Fields, int]:
    lines = text.split("\n")
    place = Place(file, 1)
    if lines[0].strip() != "---":
        raise place.error("a lesson begins with front matter between two lines `---`.")
    ends = [number for number, line in enumerate(lines[1:], 1) if line.strip() == "---"]
    if not ends:
        raise place.error("the front matter has no end: a line `---` is missing.")
    return load("\n".join(lines[1 : ends[0]]), file, 2, ""), ends[0] + 2


def _step(heading: str, place: Place, steps: list[RawStep]) -> RawStep:
    found = HEADING.fullmatch(heading.strip())
    if found is None:
        raise place.error(
            f"{heading[:60]!r} is no step: it is written `## id: Title`, the id in small letters."
        )
    if len(steps) >= STEPS_MAX:
        raise place.error(f"a lesson has at most {STEPS_MAX} steps.")
    if any(step.id == found["id"] for step in steps):
        raise place.error(f"the step {found['id']} is there twice.")
    return RawStep(found["id"], found["title"].strip(), place.line)


def _top_level(tokens: list[Token]) -> list[list[Token]]:
    """The tokens in groups, one for each block of the document."""
    groups: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            groups.append([])
        groups[-1].append(token)
        depth += token.nesting
    return groups


def _words(tokens: Sequence[Token]) -> int:
    words = 0
    for token in tokens:
        content = token.content if token.type in ("inline", "fence", "code_block") else ""
        words += len(re.findall(r"[\w][\w’'/.-]*", content))
    return words


def _source(tokens: Sequence[Token], lines: list[str]) -> str:
    spans = [token.map for token in tokens if token.map is not None]
    return "\n".join(lines[min(span[0] for span in spans) : max(span[1] for span in spans)]) if spans else ""
