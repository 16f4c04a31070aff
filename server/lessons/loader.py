"""Reads one lesson file into its record, and the small tables that go with lessons.

Everything that a file says about itself is checked here; what it says about scenes, misconceptions and
other lessons is checked against the whole library (`server.lessons.library`, `server.lessons.rules`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from server.cluster.commands import CommandRefused
from server.lessons.blocks import READERS, Reader, read_set
from server.lessons.fields import Fields, LessonError, Place, load
from server.lessons.markdown import FILE_BYTES_MAX, RawStep, split
from server.lessons.records import (
    Block,
    Experiment,
    Explain,
    Lesson,
    Misconception,
    Prose,
    Question,
    Step,
    Task,
    Term,
)
from server.scenario import check_seed

SEEDS_MAX = 10
"""The most seeds of one lesson."""
INTERVIEW_ONLY = ("short_answer", "hides", "senior", "follow_ups", "rubric")
LESSON_BLOCKS = tuple(name for name in READERS if name not in INTERVIEW_ONLY)
CHALLENGE_BLOCKS = ("scene", "focus", "do", "run", "explain", "quiz", "note")
BLOCKS = {"lesson": LESSON_BLOCKS, "interview": tuple(READERS), "challenge": CHALLENGE_BLOCKS}
"""What may stand in a file of each kind."""
ONCE_PER_STEP = ("scene", "focus", "do", "hides", "short_answer", "senior", "follow_ups", "rubric")


def load_lesson(path: Path, kind: str) -> Lesson:
    """Read the file of a lesson, an interview question or a challenge. Raises `LessonError`."""
    return replace(read_lesson(read_text(path), path.name, kind), path=path)


def read_text(path: Path) -> str:
    """A file's text. Raises `LessonError` when there is none to read."""
    place = Place(path.name, 1)
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise place.error(f"the file is larger than {FILE_BYTES_MAX // 1024} KiB.")
        return path.read_text(encoding="utf-8").removeprefix("\ufeff")
    except OSError as problem:
        raise place.error(f"the file cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise place.error("the file is not a text in UTF-8.") from None


def read_lesson(text: str, file: str, kind: str) -> Lesson:
    """Read a lesson from its text; `file` is what errors call it, and gives number and id."""
    front, raw = split(text, file, BLOCKS[kind])
    steps = tuple(_step(each, file) for each in raw)
    named = re.match(r"(\d+)-", file)
    lesson = Lesson(
        kind=kind,
        id=front.identifier(),
        number=int(named[1]) if named else 0,
        file=file,
        revision=hashlib.sha256(text.encode()).hexdigest()[:16],
        rev=front.whole("rev", 1, 10_000),
        title=front.text("title"),
        minutes=front.whole("minutes", 1, 180),
        level=front.whole("level", 1, 4),
        status=front.choice("status", ("wip", "ready"), "ready"),
        needs=front.words("needs"),
        concepts=front.words("concepts"),
        misconceptions=front.words("misconceptions"),
        scene=front.identifier("scene"),
        settings=read_set(front, "settings"),
        seeds=_seeds(front),
        goal=front.text("goal"),
        question=front.text("question") if kind == "interview" else None,
        source=front.optional_text("source") if kind == "interview" else None,
        steps=_with_stages(steps, file),
    )
    front.end()
    stem = file.rsplit(".", 1)[0]
    if lesson.id != re.sub(r"^\d+-", "", stem):
        raise front.error("id", f"{lesson.id!r} is not the file's name {stem!r} without its number.")
    _check_names(lesson)
    _check_kind(lesson)
    return lesson


def _seeds(front: Fields) -> tuple[int, ...]:
    value = front.take("seed")
    seeds = list(value) if isinstance(value, list) else [value]
    if value is None or not 1 <= len(seeds) <= SEEDS_MAX:
        raise front.error("seed", f"1 to {SEEDS_MAX} seeds such as [11, 12, 13] belong here.")
    try:
        return tuple(check_seed(seed) for seed in seeds)
    except CommandRefused as problem:
        raise front.error("seed", str(problem).removeprefix("seed: ")) from None


def _step(raw: RawStep, file: str) -> Step:
    reader = Reader(raw.id)
    blocks: list[Block] = []
    seen: dict[str, int] = {}
    for part in raw.parts:
        if isinstance(part, Prose):
            blocks.append(part)
            continue
        name, fields = part
        seen[name] = seen.get(name, 0) + 1
        if name in ONCE_PER_STEP and seen[name] > 1:
            raise fields.error(None, "one such block fits into a step.")
        blocks.append(reader.read(name, fields))
    return Step(raw.id, raw.title, tuple(blocks), raw.line)


# --- who refers to whom ----------------------------------------------------------------------------


def _with_stages(steps: tuple[Step, ...], file: str) -> tuple[Step, ...]:
    """The steps, every question knowing its stage and every explain knowing what it waits for."""
    stages = {f"run:{run.id}" for step in steps for run in step.experiments}
    tasks = {f"do:{step.id}" for step in steps if step.task}
    done: list[Step] = []
    for place, step in enumerate(steps):
        blocks: list[Block] = []
        for position, block in enumerate(step.blocks):
            if isinstance(block, Question) and block.measure is not None:
                stage = block.measure.stage or _default_stage(steps, place, position)
                wanted = {stage, block.measure.versus} - {None}
                missing = sorted(str(each) for each in wanted - stages - tasks)
                if missing:
                    says = f"there is no {missing[0].replace(':', ' block ') or 'run block'} to measure in."
                    raise Place(file, block.line).error(says, f"{block.block}.measure")
                block = replace(block, measure=replace(block.measure, stage=stage))
            blocks.append(block)
        done.append(replace(step, blocks=tuple(blocks)))
    return tuple(_with_afters(done, place) for place in range(len(done)))


def _default_stage(steps: tuple[Step, ...], place: int, position: int) -> str:
    """The run of the same step (the one after the question, else before), else the nearest step's."""
    after = [block for block in steps[place].blocks[position:] if isinstance(block, Experiment)]
    before = [block for block in steps[place].blocks[:position] if isinstance(block, Experiment)]
    later = [run for step in steps[place + 1 :] for run in step.experiments]
    earlier = [run for step in reversed(steps[:place]) for run in step.experiments[::-1]]
    is_prediction = steps[place].blocks[position].block == "predict"  # type: ignore[union-attr]
    order = [*after, *before[::-1]] if is_prediction else [*before[::-1], *after]
    order += [*later, *earlier] if is_prediction else [*earlier, *later]
    return f"run:{order[0].id}" if order else ""


def _with_afters(steps: list[Step], place: int) -> Step:
    """An explain that names nothing waits for the measured questions of its step and of the step before."""
    near = [question for step in steps[max(0, place - 1) : place + 1] for question in step.questions]
    waits = tuple(each.id for each in near if each.measure is not None and each.explain_after)
    step = steps[place]
    return replace(
        step,
        blocks=tuple(
            replace(block, after=waits) if isinstance(block, Explain) and not block.after else block
            for block in step.blocks
        ),
    )


def _check_names(lesson: Lesson) -> None:
    """Ids are unique where they are looked up, and what an explain refers to is there."""
    questions = lesson.questions()
    runs = [run for step in lesson.steps for run in step.experiments]
    items = [item for step in lesson.steps for item in step.sentences]
    for what, records in (("question", questions), ("run", runs), ("sentence", items)):
        seen: dict[str, int] = {}
        for record in records:
            if record.id in seen:
                says = f"the id {record.id} is there twice (line {seen[record.id]}): write another `id`."
                raise Place(lesson.file, record.line).error(says, what)
            seen[record.id] = record.line
    known = {question.id: [option.id for option in question.options] for question in questions}
    for explain in (each for step in lesson.steps for each in step.explains):
        place = Place(lesson.file, explain.line)
        for name in (*explain.after, *(name for name, _ in explain.reveal_if)):
            if name not in known:
                raise place.error(f"there is no question {name!r}. Questions: {', '.join(known)}.", "explain")
        for name, option in explain.reveal_if:
            if option not in known[name]:
                says = f"the question {name} has no option {option!r}: {', '.join(known[name])}."
                raise place.error(says, "explain.reveal_if")
    once: dict[str, int] = {}
    for step in lesson.steps:
        for block in step.blocks:
            name = type(block).__name__ if not isinstance(block, Task) else ""
            if name in ("Senior", "FollowUps", "Rubric"):
                once[name] = once.get(name, 0) + 1
                if once[name] > 1:
                    raise Place(lesson.file, step.line).error(f"a second {name.lower()} block.", step.id)


def _check_kind(lesson: Lesson) -> None:
    """A challenge is one step with a goal; only there a goal may be out of reach, and then a question asks
    for the reason."""
    place = Place(lesson.file, lesson.steps[-1].line)
    tasks = [step.task for step in lesson.steps if step.task is not None]
    is_challenge = lesson.kind == "challenge"
    if is_challenge and (len(lesson.steps) != 1 or not tasks):
        raise place.error("a challenge has one step, with a do block in it.")
    for task in tasks:
        here = Place(lesson.file, task.line)
        if task.is_impossible and not is_challenge:
            raise here.error("only the goal of a challenge may be impossible.", "do.impossible")
        if task.is_impossible and not lesson.questions():
            raise here.error("an impossible goal needs a quiz that asks for the reason.", "do.impossible")


# --- tables ----------------------------------------------------------------------------------------


def load_misconceptions(path: Path) -> dict[str, Misconception]:
    """The registry of wrong beliefs. Raises `LessonError`."""
    found = {}
    table = load(read_text(path), path.name, 1, "")
    for name in table.values:
        row = table.mapping(name)
        assert row is not None
        if not re.fullmatch(r"M(-[A-Z0-9]+)+", name):
            raise table.error(name, "a misconception's id looks like M-OK-IS-FOREVER.")
        found[name] = Misconception(
            name,
            row.text("belief"),
            row.text("tempting"),
            row.optional_text("lesson"),
            row.optional_text("step"),
        )
        row.end()
    return found


def load_glossary(path: Path) -> dict[str, Term]:
    """The words of the field. Raises `LessonError`."""
    found = {}
    table = load(read_text(path), path.name, 1, "")
    for name in table.values:
        row = table.mapping(name)
        assert row is not None
        aliases = row.mapping("aliases")
        words = {} if aliases is None else {system: aliases.text(system) for system in aliases.values}
        found[name] = Term(name, row.text("says"), words)
        row.end()
    return found


__all__ = ["LessonError", "load_glossary", "load_lesson", "load_misconceptions", "read_lesson"]
