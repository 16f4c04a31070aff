"""Every lesson there is: the folder that comes with the program, and a teacher's own.

A file that cannot be read is left out and named in `broken`; the rest serve. `refresh` reads what changed on
disk, so that an author sees a saved file at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from server.cluster.commands import CommandRefused
from server.lessons.fields import load
from server.lessons.loader import load_glossary, load_lesson, load_misconceptions, read_text
from server.lessons.opening import Scenes
from server.lessons.records import Lesson, Misconception, Term
from server.lessons.translation import BASE, LOCALE, Overlay, lay, load_overlay
from server.scenario import Scenario, load_scenario

KINDS = {"lesson": "*.md", "interview": "interview/*.md", "challenge": "challenges/*.md"}
"""Where the files of each kind lie in a folder of lessons."""
OWN_FOLDERS = {"interview": "interview", "challenges": "challenge"}
"""The folders in it that hold another kind than lessons, and which."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that was left out."""

    file: str
    says: str
    path: Path

    def is_of(self, kind: str, name: str) -> bool:
        """Whether it would be the lesson, question or challenge of this name."""
        own_kind = OWN_FOLDERS.get(self.path.parent.name, "lesson")
        return self.path.suffix == ".md" and own_kind == kind and scene_id(self.path) == name

    def is_scene(self, name: str) -> bool:
        """Whether it would be the scene of this name."""
        return self.path.parent.name == "scenes" and scene_id(self.path) == name


T = TypeVar("T")
Stamp = tuple[int, int]


class Library:
    """Everything of one or more folders: lessons, interview questions, challenges, scenes and tables; later
    folders win."""

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        self.lessons: dict[str, Lesson] = {}
        self.interview: dict[str, Lesson] = {}
        self.challenges: dict[str, Lesson] = {}
        self.scenarios: dict[str, Scenario] = {}
        self.misconceptions: dict[str, Misconception] = {}
        self.glossary: dict[str, Term] = {}
        self.broken: list[Broken] = []
        self.overlays: dict[str, dict[str, Overlay]] = {}
        """Of each lesson, by language."""
        self._spoken: dict[tuple[str, str], tuple[Lesson, Overlay, Lesson]] = {}
        self._stamps: dict[Path, Stamp] | None = None
        self._read: dict[Path, tuple[Stamp, object]] = {}
        self._told: dict[Path, tuple[Stamp | None, str]] = {}
        """Of each broken file, in which state and with what words it was told."""
        self.refresh()

    @property
    def scenes(self) -> Scenes:
        """What a run can begin with."""
        return Scenes(self.scenarios)

    def find(self, name: str, language: str | None = None) -> Lesson:
        """A lesson, an interview question or a challenge, in a language if it is there. Raises
        `CommandRefused`."""
        everything = {**self.challenges, **self.interview, **self.lessons}
        if name not in everything:
            for fault in (each for kind in KINDS if (each := self.fault(kind, name)) is not None):
                raise CommandRefused(fault.says)
            known = ", ".join([*self.lessons, *self.interview, *self.challenges]) or "none"
            raise CommandRefused(f"There is no lesson called {name}. There are: {known}.")
        return self.spoken(everything[name], language)

    def fault(self, kind: str, name: str) -> Broken | None:
        """Why there is nothing of this name; `None` when there is, or when it has no file either."""
        return next((each for each in self.broken if each.is_of(kind, name)), None)

    def news(self) -> list[Broken]:
        """The files that were left out since this was last asked: each once, until it changes."""
        now = {each.path: ((self._stamps or {}).get(each.path), each.says) for each in self.broken}
        new = [each for each in self.broken if self._told.get(each.path) != now[each.path]]
        self._told = now
        return new

    def spoken(self, lesson: Lesson, language: str | None) -> Lesson:
        """The lesson in a language, as far as it is translated."""
        overlay = self.overlays.get(lesson.id, {}).get(language or BASE)
        if overlay is None:
            return lesson
        key = (lesson.id, overlay.language)
        kept = self._spoken.get(key)
        if kept is None or kept[0] is not lesson or kept[1] is not overlay:
            # The same object each time: who goes on in a lesson compares its steps.
            kept = self._spoken[key] = (lesson, overlay, lay(lesson, overlay))
        return kept[2]

    def languages(self) -> list[str]:
        """Every language that something is translated into."""
        return sorted({language for found in self.overlays.values() for language in found})

    def everything(self) -> list[Lesson]:
        """All that can be opened, kind after kind."""
        return [lesson for kind in KINDS for lesson in self.shelf(kind).values()]

    def shelf(self, kind: str) -> dict[str, Lesson]:
        """All of one kind, in order."""
        return {"interview": self.interview, "challenge": self.challenges}.get(kind, self.lessons)

    # --- reading ---

    def refresh(self) -> bool:
        """Read what changed on disk; whether anything did."""
        files = [
            path
            for pattern in self._patterns()
            for folder in self.folders
            for path in _files(folder, pattern)
        ]
        files += [path for folder in self.folders for _, path in overlay_files(folder)]
        stamps = {path: stamp for path in files if (stamp := _stamp(path)) is not None}
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        self.broken = []
        self.scenarios = self._all("scenes/*.yaml", _scene)
        for kind, pattern in KINDS.items():
            found = self._all(pattern, lambda path, kind=kind: _named(load_lesson(path, kind)))  # type: ignore[misc]
            in_order = sorted(found.values(), key=lambda lesson: (lesson.number, lesson.id))
            kept = {lesson.id: lesson for lesson in in_order if self._has_its_scene(lesson)}
            if kind == "lesson":
                self.lessons = kept
            elif kind == "interview":
                self.interview = kept
            else:
                self.challenges = {name: each for name, each in kept.items() if self._is_alone(each)}
        self._read_overlays()
        tables = self._all("misconceptions.yaml", lambda path: (str(path), load_misconceptions(path)))
        self.misconceptions = {name: row for table in tables.values() for name, row in table.items()}
        words = self._all("glossary.yaml", lambda path: (str(path), load_glossary(path)))
        self.glossary = {name: row for table in words.values() for name, row in table.items()}
        return True

    def _read_overlays(self) -> None:
        """Of every lesson that is there; one that cannot be read leaves the lesson in English."""
        self.overlays = {}
        known = {lesson.id for lesson in self.everything()}
        for folder in self.folders:
            for language, path in overlay_files(folder):
                try:
                    _, overlay = self._once(
                        path,
                        lambda path, language=language: ("", load_overlay(path, language)),  # type: ignore[misc]
                    )
                    if overlay.lesson not in known:
                        raise CommandRefused(f"{overlay.file}: there is no lesson called {overlay.lesson}.")
                except CommandRefused as problem:
                    self.broken.append(Broken(f"{language}/{path.name}", str(problem), path))
                    continue
                self.overlays.setdefault(overlay.lesson, {})[language] = overlay

    def _patterns(self) -> list[str]:
        return ["scenes/*.yaml", *KINDS.values(), "misconceptions.yaml", "glossary.yaml"]

    def _all(self, pattern: str, read: Callable[[Path], tuple[str, T]]) -> dict[str, T]:
        found: dict[str, T] = {}
        for folder in self.folders:
            for path in _files(folder, pattern):
                try:
                    name, record = self._once(path, read)
                except CommandRefused as problem:
                    self.broken.append(Broken(path.name, str(problem), path))
                    # What it was to replace would pass for it.
                    found.pop(scene_id(path), None)
                    continue
                found[name] = record
        return found

    def _once(self, path: Path, read: Callable[[Path], tuple[str, T]]) -> tuple[str, T]:
        """What a file holds, read again only when it changed."""
        stamp = (self._stamps or {}).get(path, (0, 0))
        kept = self._read.get(path)
        if kept is None or kept[0] != stamp:
            try:
                answer: object = read(path)
            except CommandRefused as problem:
                answer = problem
            kept = self._read[path] = (stamp, answer)
        if isinstance(kept[1], CommandRefused):
            raise kept[1]
        return kept[1]  # type: ignore[return-value]

    def _has_its_scene(self, lesson: Lesson) -> bool:
        missing = [name for name in scenes_of(lesson) if name not in self.scenarios]
        if missing:
            fault = next((each for each in self.broken if each.is_scene(missing[0])), None)
            says = f"{lesson.file}: there is no scene {missing[0]!r} among the scenario files."
            if fault is not None:
                says = f"{lesson.file}: its scene {missing[0]!r} cannot be read. {fault.says}"
            self._leave_out(lesson, says)
        return not missing

    def _is_alone(self, lesson: Lesson) -> bool:
        """A room is told only the id of what it opens."""
        other = self.lessons.get(lesson.id) or self.interview.get(lesson.id)
        if other is not None:
            says = f"{lesson.file}: the id {lesson.id} is that of {other.file}: choose another name."
            self._leave_out(lesson, says)
        return other is None

    def _leave_out(self, lesson: Lesson, says: str) -> None:
        self.broken.append(Broken(lesson.file, says, lesson.path or Path(lesson.file)))


def scenes_of(lesson: Lesson) -> list[str]:
    """Every scene that a lesson names."""
    names = [lesson.scene]
    for step in lesson.steps:
        setups = [
            step.setup,
            *(run.setup for run in step.experiments),
            *(item.setup for item in step.sentences),
        ]
        for question in step.questions:
            setups += [option.show.setup for option in question.options if option.show is not None]
        names += [setup.use for setup in setups if setup is not None and setup.use is not None]
    return list(dict.fromkeys(names))


def overlay_files(folder: Path) -> list[tuple[str, Path]]:
    """Every overlay of a folder of lessons, with its language: `de/01-one-writer.yaml`."""
    return [
        (place.name, path)
        for place in sorted(folder.glob("[a-z]*"))
        if LOCALE.fullmatch(place.name) and place.is_dir()
        for pattern in ("*.yaml", "interview/*.yaml", "challenges/*.yaml")
        for path in _files(place, pattern)
    ]


def folder_of(path: Path) -> Path:
    """The folder of lessons that a file belongs to; kinds and languages have folders of their own in it."""
    folder = path.resolve().parent
    if folder.name in OWN_FOLDERS:
        folder = folder.parent
    is_overlay = path.suffix == ".yaml" and LOCALE.fullmatch(folder.name)
    return folder.parent if is_overlay else folder


def scene_id(path: Path) -> str:
    """A scene's id: its file's name; a number in front only gives the order."""
    return re.sub(r"^\d+-", "", path.stem)


def _scene(path: Path) -> tuple[str, Scenario]:
    try:
        return scene_id(path), load_scenario(path)
    except CommandRefused:
        load(read_text(path), path.name, 1, "")  # What is no YAML is told in plain words there.
        raise


def _named(lesson: Lesson) -> tuple[str, Lesson]:
    return lesson.id, lesson


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith((".", "_")))


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
