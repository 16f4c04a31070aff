"""What can be seen of a lesson without playing it: the rules of its text, and of the course as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from server.lessons.library import Library, folder_of, scenes_of
from server.lessons.records import Explain, Lesson, Prose, Question

WORDS_MAX = 120
"""Words of prose in a step."""
LONGER_MAX = 1.25
"""How much longer than the longest wrong option the right one may be."""
NODES_MAX = 7
"""Nodes that a projector shows large enough."""
POSITION_MAX = 0.6
"""How much of all right answers may stand at one position."""
POSITIONS_MIN = 12
"""From how many questions on that is asked."""
COLOURS = re.compile(
    r"\b(red|green|blue|orange|yellow|purple|violet|pink|gr[ae]y|black|white) "
    r"(node|nodes|circle|cell|cells|dot|dots|line|lines|arrow|arrows|box|entry|entries|ring|link|links|bar)\b",
    re.IGNORECASE,
)
CATCH_ALL = re.compile(r"\b(all|none|any|both) of (the above|these)\b", re.IGNORECASE)


RULES = {
    1: "A lesson has a predict and a do block, steps of few words, and scenes that are told in words.",
    2: "A goal is not reached at the start nor by waiting, and its solution reaches it on every seed.",
    3: "A nudge's misfire brings up this nudge and does not reach the goal.",
    4: "On every seed exactly the options without `mis` fit what is measured, every wrong one says `mis` and "
    "`why`, and every `expect` holds.",
    5: "The right option does not show by its length, its words or its place.",
    6: "Beliefs are known, and met by a question or nudge and by a quiz; what is needed was taught before.",
    8: "A scene has few enough nodes to be seen on a wall.",
}
"""The rules of the format of lessons, by number."""


class Finding(NamedTuple):
    """Something that a file does not keep."""

    file: str
    line: int
    rule: int
    """Which of `RULES`; 0: it could not be played."""
    says: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.says}"


def rules_of(findings: Iterable[Finding]) -> list[str]:
    """What the rules say that were not kept."""
    return [RULES[number] for number in sorted({each.rule for each in findings}) if number in RULES]


def check_text(library: Library, lesson: Lesson) -> Iterator[Finding]:
    """Rules 1, 4, 5 and 8 as far as they are about the text."""
    yield from _shape(library, lesson)
    for question in lesson.questions():
        yield from _question(lesson, question)
    yield from _misconceptions(library, lesson)


def _shape(library: Library, lesson: Lesson) -> Iterator[Finding]:
    file = lesson.file
    for step in lesson.steps:
        if step.words > WORDS_MAX:
            says = f"the step {step.id} has {step.words} words of prose; {WORDS_MAX} are the most."
            yield Finding(file, step.line, 1, says)
        for block in step.blocks:
            text = (
                block.text if isinstance(block, Prose) else block.html if isinstance(block, Explain) else ""
            )
            found = COLOURS.search(text)
            if found and isinstance(block, Prose | Explain):
                yield Finding(file, block.line, 1, f"{found[0]!r}: a colour must not be a thing's only name.")
    predictions = [each for each in lesson.questions() if each.block == "predict"]
    if not predictions and lesson.kind != "challenge":
        yield Finding(file, 1, 1, "there is no predict block.")
    if lesson.kind == "lesson" and not any(step.task for step in lesson.steps):
        yield Finding(file, 1, 1, "there is no do block.")
    if lesson.kind == "challenge" and not lesson.steps[0].explains:
        yield Finding(file, 1, 1, "there is no explain block: what is there to learn from it?")
    for name in scenes_of(lesson):
        scene = library.scenarios.get(name)
        if scene is None:
            yield Finding(file, 1, 1, f"there is no scene {name}.")
        elif scene.title == "Untitled" or not scene.about.strip():
            yield Finding(
                file, 1, 1, f"the scene {name} needs a title and an `about`, its alternative in words."
            )
        elif int(scene.settings.get("nodes", 3)) > NODES_MAX:
            yield Finding(file, 1, 8, f"the scene {name} has more than {NODES_MAX} nodes.")


def _question(lesson: Lesson, question: Question) -> Iterator[Finding]:
    def finding(rule: int, says: str, line: int = question.line) -> Finding:
        return Finding(lesson.file, line, rule, f"{question.id}: {says}")

    for option in question.options:
        if CATCH_ALL.search(option.text):
            yield finding(5, f"the option {option.id!r} is a catch-all.", option.line)
    if question.measure is None:
        for option in question.options:
            name, is_right = repr(option.id), option.id == question.answer
            lacks = [] if is_right or option.misconception else ["`mis`"]
            lacks += [] if option.why else ["`why`"]
            if lacks:
                kind = "right" if is_right else "wrong"
                yield finding(4, f"the option {name} is {kind} and needs {' and '.join(lacks)}.", option.line)
            if is_right and option.misconception:
                yield finding(4, f"the option {name} is right and must not have a `mis`.", option.line)
    else:
        for option in question.options:
            if option.misconception and not option.why:
                yield finding(4, f"the option {option.id!r} is wrong and needs `why`.", option.line)
    if question.choice == "one":
        yield from _lengths(lesson, question)


def right_ids(question: Question) -> list[str]:
    """The options that the file marks as right: the answer, or those without a misconception."""
    if question.measure is None:
        return [question.answer or ""]
    return [option.id for option in question.options if not option.misconception]


def _lengths(lesson: Lesson, question: Question) -> Iterator[Finding]:
    right = right_ids(question)
    if len(right) != 1:  # Playing it tells which option lacks its `mis`, or has one too many.
        return
    wrong = [len(option.text) for option in question.options if option.id not in right]
    option = question.option(right[0])
    if option is not None and wrong and len(option.text) > LONGER_MAX * max(wrong):
        long = f"{len(option.text)} characters long, the longest wrong one {max(wrong)}"
        says = f"{question.id}: the right option {option.id!r} is {long}: it gives itself away."
        yield Finding(lesson.file, option.line, 5, says)


def _table(library: Library, lesson: Lesson) -> str:
    """The file in which the beliefs behind a lesson's answers belong."""
    folder = library.folders[-1] if lesson.path is None else folder_of(lesson.path)
    return str(folder.absolute() / "misconceptions.yaml")


def _misconceptions(library: Library, lesson: Lesson) -> Iterator[Finding]:
    used: dict[str, int] = {}
    for question in lesson.questions():
        for option in question.options:
            if option.misconception:
                used.setdefault(option.misconception, option.line)
        for slip in question.slips:
            used.setdefault(slip.misconception, slip.line)
    for step in lesson.steps:
        for nudge in step.task.nudges if step.task else ():
            if nudge.misconception:
                used.setdefault(nudge.misconception, nudge.line)
    for name, line in used.items():
        if name not in library.misconceptions:
            row, table = f"{name}: {{ belief: …, tempting: … }}", _table(library, lesson)
            says = f"{name} is not in misconceptions.yaml: write `{row}` into {table}."
            yield Finding(lesson.file, line, 6, says)
    for name in lesson.misconceptions:
        if name not in used:
            yield Finding(
                lesson.file, 1, 6, f"{name} stands in the front matter, but no answer or nudge has it."
            )


# --- the course ----------------------------------------------------------------------------------


def check_course(library: Library) -> Iterator[Finding]:
    """Rules 5 and 6 over all files together."""
    yield from _needs(library)
    yield from _confronted(library)
    yield from _positions(library)


def _needs(library: Library) -> Iterator[Finding]:
    taught: dict[str, None] = {}
    for lesson in library.lessons.values():
        for name in lesson.needs:
            if name not in taught:
                yield Finding(lesson.file, 1, 6, f"needs: {name!r} is not taught by an earlier lesson.")
        taught |= dict.fromkeys([lesson.id, *lesson.concepts])
    for lesson in [*library.interview.values(), *library.challenges.values()]:
        for name in lesson.needs:
            if name not in taught:
                yield Finding(lesson.file, 1, 6, f"needs: {name!r} is not taught by any lesson.")


def _confronted(library: Library) -> Iterator[Finding]:
    steps: dict[str, None] = {}
    quizzes: dict[str, None] = {}
    for lesson in library.everything():
        for question in lesson.questions():
            seen = quizzes if question.block == "quiz" else steps
            seen |= dict.fromkeys(option.misconception or "" for option in question.options)
            seen |= dict.fromkeys(slip.misconception for slip in question.slips)
        for step in lesson.steps:
            steps |= dict.fromkeys(
                nudge.misconception or "" for nudge in (step.task.nudges if step.task else ())
            )
    for name, row in library.misconceptions.items():
        lesson_of = library.lessons.get(row.lesson or "") or library.interview.get(row.lesson or "")
        if row.lesson is not None and lesson_of is None:
            yield Finding("misconceptions.yaml", 1, 6, f"{name}: there is no lesson {row.lesson}.")
        if lesson_of is not None and row.step is not None and lesson_of.step(row.step) is None:
            yield Finding("misconceptions.yaml", 1, 6, f"{name}: {row.lesson} has no step {row.step}.")
        if name not in steps:
            yield Finding("misconceptions.yaml", 1, 6, f"{name} is confronted by no prediction or nudge.")
        if name not in quizzes:
            yield Finding("misconceptions.yaml", 1, 6, f"{name} is asked for in no quiz.")


def _positions(library: Library) -> Iterator[Finding]:
    places: list[int] = []
    for lesson in library.lessons.values():
        for question in lesson.questions():
            right = right_ids(question)
            if question.choice == "one" and len(right) == 1:
                places.append([option.id for option in question.options].index(right[0]))
    for place in range(8):
        share = places.count(place) / max(1, len(places))
        if len(places) >= POSITIONS_MIN and share > POSITION_MAX:
            says = f"{share:.0%} of the right answers stand at position {place + 1}: vary it."
            yield Finding("lessons", 1, 5, says)
