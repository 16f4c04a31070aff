"""`lessons check`, `lessons new` and `lessons translate`: what an author runs.

Every claim of a lesson is measured, on every seed it lists; how many assertions that took is printed for each
file and in all. A check that measured nothing is a failure.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from server import resources
from server.cluster.commands import CommandRefused
from server.lessons.fields import IDENTIFIER
from server.lessons.library import Library
from server.lessons.loader import load_lesson
from server.lessons.playing import Player, all_findings
from server.lessons.records import Lesson
from server.lessons.rules import check_course, check_text
from server.lessons.starter import LESSON, STARTERS
from server.lessons.translating import check_overlay, check_overlay_file, kind_of, language_of, translate

GREEN, RED, BAD_USE = 0, 1, 2
"""Exit statuses."""


def main(
    action: str,
    names: list[Path],
    folder: Path | None = None,
    out: TextIO | None = None,
    language: str | None = None,
) -> int:
    """Carry out one of the subcommands."""
    out = out or sys.stdout
    if action == "translate":
        return translate(language or "", names, out)
    if action == "new":
        return new(names, folder or resources.folder("lessons"), out)
    return check(names, folder, out)


def folders(extra: Path | None) -> list[Path]:
    """Our lessons, and a teacher's own."""
    return [resources.folder("lessons"), *([extra] if extra is not None else [])]


def check(files: list[Path], folder: Path | None, out: TextIO) -> int:
    """Check files, or everything there is."""
    library = Library(folders(folder))
    total, failures = 0, 0
    if files:
        for path in files:
            count, failed = _check_file(library, path, out)
            total, failures = total + count, failures + failed
    else:
        for broken in library.broken:
            failures += 1
            print(f"✗ {broken.says}", file=out)
        for lesson in library.everything():
            count, failed = _check_lesson(library, lesson, out)
            total, failures = total + count, failures + (failed if lesson.status == "ready" else 0)
        for finding in check_course(library):
            failures += 1
            print(f"✗ {finding}", file=out)
    if total == 0:
        failures += 1
        print("✗ nothing was measured.", file=out)
    print(f"{total:,} assertions measured in all; {failures or 'nothing'} to mend.", file=out)
    return GREEN if failures == 0 else RED


def _check_file(library: Library, path: Path, out: TextIO) -> tuple[int, int]:
    """One file, wherever it lies."""
    language = language_of(path)
    if language is not None:
        return check_overlay_file(library, path, language, out)
    try:
        lesson = load_lesson(path, kind_of(path))
    except CommandRefused as problem:
        print(f"✗ {problem}", file=out)
        return 0, 1
    return _check_lesson(library, lesson, out)


def _check_lesson(library: Library, lesson: Lesson, out: TextIO) -> tuple[int, int]:
    findings = list(check_text(library, lesson))
    player = Player(library, lesson)
    player.play()
    count = player.assertions
    found = all_findings(iter([*findings, *player.findings]))
    mark, wip = ("✗" if found or not count else "✓"), (" (wip)" if lesson.status == "wip" else "")
    print(
        f"{mark} {lesson.file}{wip}: {count:,} assertions measured, {len(found) or 'nothing'} to mend",
        file=out,
    )
    for finding in found:
        print(f"    line {finding.line}, rule {finding.rule}: {finding.says}", file=out)
    failed = len(found) + (0 if count else 1)
    for overlay in library.overlays.get(lesson.id, {}).values():
        more, faults = check_overlay(library, lesson, overlay, player, out)
        count, failed = count + more, failed + faults
    return count, failed


def new(names: list[Path], folder: Path, out: TextIO) -> int:
    """Write a file to begin with: it can be read and its check is green. What lies in `interview` is a
    question, and in `challenges` a challenge."""
    for name in names:
        stem = name.name.removesuffix(".md")
        number, _, rest = stem.partition("-")
        identifier = rest if number.isdecimal() and rest else stem
        if not IDENTIFIER.fullmatch(identifier):
            print(f"{stem!r} is no name for a lesson: 17-my-lesson is one.", file=sys.stderr)
            return BAD_USE
        path = (folder if name.parent == Path() else name.parent) / f"{stem}.md"
        if path.exists():
            print(f"{path} is there already.", file=sys.stderr)
            return BAD_USE
        title = identifier.replace("-", " ").capitalize()
        starter = STARTERS.get(path.parent.name, LESSON)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(starter.replace("@ID@", identifier).replace("@TITLE@", title), encoding="utf-8")
        print(f"{path} is written. Check it with: python -m server lessons check {path}", file=out)
    return GREEN
