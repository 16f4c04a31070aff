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
from server.lessons.library import Library, folder_of, scenes_of
from server.lessons.loader import load_lesson
from server.lessons.playing import Player, all_findings
from server.lessons.records import Lesson
from server.lessons.rules import Finding, check_course, check_text, rules_of
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
        return new(names, folder, out)
    return check(names, folder, out)


def folders(extra: Path | None) -> list[Path]:
    """Our lessons, and a teacher's own."""
    return [resources.folder("lessons"), *([extra] if extra is not None else [])]


def _folders_for(files: list[Path], extra: Path | None) -> list[Path]:
    """Also the folders that the files lie in, whose scenes and beliefs they may use."""
    wanted = folders(extra)
    for path in files:
        if folder_of(path) not in [each.resolve() for each in wanted]:
            wanted.append(folder_of(path))
    return wanted


def check(files: list[Path], folder: Path | None, out: TextIO) -> int:
    """Check files, or everything there is."""
    library = Library(_folders_for(files, folder))
    total, failures = 0, 0
    if files:
        # Of what lies beside the files: scenes and tables, on which they may depend.
        beside = {place for path in files for place in (folder_of(path), folder_of(path) / "scenes")}
        for broken in library.broken:
            if broken.path.suffix == ".yaml" and broken.path.resolve().parent in beside:
                failures += 1
                print(f"✗ {broken.says}", file=out)
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
        course = list(check_course(library))
        failures += len(course)
        for finding in course:
            print(f"✗ {finding}", file=out)
        _explain(course, out)
    if total == 0 and failures == 0:
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
    can_begin = all(name in library.scenarios for name in scenes_of(lesson))
    if can_begin:
        player.play()
    count = player.assertions
    found = all_findings(iter([*findings, *player.findings]))
    mark, wip = ("✗" if found or not count else "✓"), (" (wip)" if lesson.status == "wip" else "")
    print(
        f"{mark} {lesson.file}{wip}: {count:,} assertions measured, {len(found) or 'nothing'} to mend",
        file=out,
    )
    for finding in found:
        print(f"    line {finding.line}: {finding.says}", file=out)
    _explain(found, out)
    failed = len(found) or (0 if count else 1)
    for overlay in library.overlays.get(lesson.id, {}).values() if can_begin else ():
        more, faults = check_overlay(library, lesson, overlay, player, out)
        count, failed = count + more, failed + faults
    return count, failed


def _explain(findings: list[Finding], out: TextIO) -> None:
    """What was not kept, in general."""
    for says in rules_of(findings):
        print(f"    The rule: {says}", file=out)


def new_path(name: Path, folder: Path | None) -> Path:
    """Where a new file goes. `17-mine`, `interview/23-mine` and `challenges/11-mine` go into a folder of
    lessons: the one that is named, else `lessons` below the current folder if it is there, else the current
    folder. A name with any other folder in it is a path, and taken as it stands."""
    if name.parent != Path() and str(name.parent) not in STARTERS:
        return name.absolute()
    here = Path("lessons") if Path("lessons").is_dir() else Path()
    return (folder or here).absolute() / name


def new(names: list[Path], folder: Path | None, out: TextIO) -> int:
    """Write a file to begin with: it can be read and its check is green. What lies in `interview` is a
    question, and in `challenges` a challenge."""
    for name in names:
        stem = name.name.removesuffix(".md")
        number, _, rest = stem.partition("-")
        identifier = rest if number.isdecimal() and rest else stem
        if not IDENTIFIER.fullmatch(identifier):
            print(f"{stem!r} is no name for a lesson: 17-my-lesson is one.", file=sys.stderr)
            return BAD_USE
        path = new_path(name.with_name(f"{stem}.md"), folder)
        if folder is not None and not path.is_relative_to(folder.absolute()):
            says = "17-mine, interview/23-mine or challenges/11-mine fits"
            print(f"{name} does not lie in a folder of lessons such as {folder}: {says}.", file=sys.stderr)
            return BAD_USE
        if path.exists():
            print(f"{path} is there already.", file=sys.stderr)
            return BAD_USE
        title = identifier.replace("-", " ").capitalize()
        starter = STARTERS.get(path.resolve().parent.name, LESSON)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(starter.replace("@ID@", identifier).replace("@TITLE@", title), encoding="utf-8")
        print(f"{path} is written. Check it with: python -m server lessons check {path}", file=out)
    return GREEN
