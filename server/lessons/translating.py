"""`lessons translate`, and what `lessons check` finds in a translation.

A translation is played once, as a lesson is: what is measured, and what is right, must be what the English
file's run measures. Texts that are missing or stale harm nobody, since the English stands in for them: they
are listed, and make a check fail only when the overlay itself was to be checked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from server import resources
from server.cluster.commands import CommandRefused
from server.lessons.library import OWN_FOLDERS, Library
from server.lessons.loader import load_lesson
from server.lessons.playing import Player
from server.lessons.records import Lesson
from server.lessons.rules import check_text
from server.lessons.translation import (
    BASE,
    LOCALE,
    Gaps,
    Overlay,
    gaps,
    lay,
    load_overlay,
    skeleton,
    texts_of,
)

GREEN, BAD_USE = 0, 2
"""Exit statuses."""
GAPS_MAX = 10
"""Of each kind, how many gaps are named when the overlay itself is not what is checked."""


def kind_of(path: Path) -> str:
    """What a file is, by its folder."""
    return OWN_FOLDERS.get(path.resolve().parent.name, "lesson")


def overlay_path(path: Path, language: str) -> Path:
    """Where the overlay of a lesson's file lies: in a folder of its language beside the lessons."""
    folder = path.resolve().parent
    if folder.name in OWN_FOLDERS:
        return folder.parent / language / folder.name / f"{path.stem}.yaml"
    return folder / language / f"{path.stem}.yaml"


def language_of(path: Path) -> str | None:
    """The language of an overlay by its folder; `None` when it is no overlay."""
    folder = path.resolve().parent
    name = folder.parent.name if folder.name in OWN_FOLDERS else folder.name
    return name if path.suffix == ".yaml" and LOCALE.fullmatch(name) else None


def translate(language: str, names: list[Path], out: TextIO) -> int:
    """Write a skeleton for each file; what was translated before stays in it."""
    if not LOCALE.fullmatch(language) or language == BASE:
        print(f"{language!r} is no language to translate into, such as de or pt-BR.", file=sys.stderr)
        return BAD_USE
    if not names:
        print("Name the lesson's file: lessons/01-one-writer.md.", file=sys.stderr)
        return BAD_USE
    for name in names:
        path = name if name.exists() else resources.folder("lessons") / name
        place = overlay_path(path, language)
        try:
            lesson = load_lesson(path, kind_of(path))
            before = load_overlay(place, language) if place.exists() else None
        except CommandRefused as problem:
            print(problem, file=sys.stderr)
            return BAD_USE
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(skeleton(lesson, language, before), encoding="utf-8")
        rest = gaps(lesson, load_overlay(place, language))
        print(f"{place} is written: {_counted(lesson, rest)}.", file=out)
    return GREEN


def _counted(lesson: Lesson, rest: Gaps) -> str:
    parts = [f"{len(texts_of(lesson))} texts"]
    for name, keys in (("missing", rest.missing), ("unknown", rest.unknown), ("stale", rest.stale)):
        if keys:
            parts.append(f"{len(keys)} {name}")
    return ", ".join(parts)


def check_overlay(
    library: Library, lesson: Lesson, overlay: Overlay, measured: Player, out: TextIO, most: int = GAPS_MAX
) -> tuple[int, int]:
    """How many assertions were measured and how many things do not hold; `measured` played the English."""
    told = lay(lesson, overlay)
    player = Player(library, told)
    player.play()
    faults = [str(each.says) for each in [*check_text(library, told), *player.findings]]
    if texts_of(told).keys() != texts_of(lesson).keys():
        faults.append("it has other ids than the English file.")
    if player.truths != measured.truths:
        faults.append("its runs measure something else than those of the English file.")
    faults = list(dict.fromkeys(faults))
    rest = gaps(lesson, overlay)
    mark = "✗" if faults else "✓"
    print(
        f"{mark} {overlay.file}: {_counted(lesson, rest)}; {player.assertions:,} assertions measured, "
        f"{len(faults) or 'nothing'} to mend",
        file=out,
    )
    for says in faults:
        print(f"    {says}", file=out)
    for name, keys in (("missing", rest.missing), ("unknown", rest.unknown), ("stale", rest.stale)):
        for key in keys[:most]:
            print(f"    {name}: {key}", file=out)
        if len(keys) > most:
            print(f"    {name}: {len(keys) - most} more", file=out)
    return player.assertions, len(faults)


def check_overlay_file(library: Library, path: Path, language: str, out: TextIO) -> tuple[int, int]:
    """One overlay, wherever it lies, with its lesson: here every gap is to be mended."""
    try:
        overlay = load_overlay(path, language)
        lesson = library.find(overlay.lesson)
    except CommandRefused as problem:
        print(f"✗ {problem}", file=out)
        return 0, 1
    measured = Player(library, lesson)
    measured.play()
    count, failed = check_overlay(library, lesson, overlay, measured, out, len(overlay.texts) + 1_000)
    rest = gaps(lesson, overlay)
    return count, failed + len(rest.missing) + len(rest.unknown) + len(rest.stale)
