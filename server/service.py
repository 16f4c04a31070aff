"""What the web server is made of: rooms that play real runs on the real clock, and what pages look up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from server import language, resources
from server.cluster.commands import CommandRefused
from server.cluster.settings import NODE_LETTERS, SETTINGS, Settings
from server.compare import Lanes
from server.exchange import SHARING, own_scenario
from server.lessons.library import Library
from server.lessons.play import LessonPlay
from server.lessons.requests import Plan, plan
from server.play import Play
from server.protocol import LessonRequest
from server.room import RunView
from server.rooms import Rooms
from server.scenario import Scenario
from server.store import OWN, Start, Store
from server.web import Catalogue

FIRST_SCENARIO = "living-cluster"
"""What a newcomer finds: a cluster with gentle traffic, already alive."""


def open_rooms(store: Store) -> Rooms:
    """Rooms in which the runs of this program are played."""
    return Rooms(
        start_play, store, time.time, first_start=Start(scenario=FIRST_SCENARIO), plan_lesson=plan_lesson
    )


LESSON_FOLDERS: list[Path] = []
"""Folders of lessons besides ours, such as a teacher's own; to be filled before anything is looked up."""


@cache
def library() -> Library:
    """Lessons, interview questions and scenes: ours, then those of other folders."""
    return Library([resources.folder("lessons"), *LESSON_FOLDERS])


def scenarios() -> dict[str, Scenario]:
    """Every scenario there is, by the name of its file; a number in front of the name only gives the
    order. A file that cannot be read is left out, and named by the library."""
    return library().scenarios


def start_play(start: Start) -> RunView:
    """The run that a start describes. Raises `CommandRefused` when there is no such run."""
    if start.lanes:
        return Lanes(start, start_one)
    return start_one(start)


def start_one(start: Start) -> Play:
    """A run that is not a comparison. Raises `CommandRefused` when there is no such run."""
    if start.lesson is not None:
        return start_lesson(start, start.lesson)
    if start.scenario is None:
        return Play(start, None)
    if start.scenario == OWN:
        if start.file is None:
            raise CommandRefused("This run did not begin with a scenario of yours.")
        return Play(start, own_scenario(start.file))
    scenario = scenarios().get(start.scenario)
    if scenario is None:
        known = ", ".join(scenarios()) or "none"
        raise CommandRefused(f"There is no scenario called {start.scenario}. There are: {known}.")
    return Play(start, scenario)


def start_lesson(start: Start, name: str) -> LessonPlay:
    """The run of a lesson's step. Raises `CommandRefused` when there is no such lesson or step."""
    lesson = library().find(name, start.language)
    step = lesson.steps[0] if start.step is None else lesson.step(start.step)
    if step is None:
        raise CommandRefused(f"The lesson {name} has no step {start.step} any more.")
    return LessonPlay(start, lesson, step, library())


def plan_lesson(request: LessonRequest, run: RunView, kept: Mapping[str, dict[str, Any]]) -> Plan:
    """What a learner's message means for his room. Raises `CommandRefused` when it does not fit."""
    return plan(library(), request, run, kept)


def list_scenarios() -> list[dict[str, Any]]:
    """What the page offers to start from."""
    return [
        {
            "id": name,
            "title": scenario.title,
            "about": scenario.about,
            "expects": sum(isinstance(line.action, language.Expect) for line in scenario.script),
            "off": [
                row.name
                for row in SETTINGS.values()
                if row.defends and scenario.settings.get(row.name) is False
            ],
        }
        for name, scenario in scenarios().items()
    ]


def describe_language() -> dict[str, Any]:
    """The tables that help and the control panel are made from."""
    plain = Settings()
    return {
        "commands": language.grammar(),
        "settings": [
            {
                "name": row.name,
                "kind": row.kind,
                "choices": list(row.choices),
                "minimum": row.minimum,
                "maximum": row.maximum,
                "says": row.says,
                "defends": row.defends,
                "per_node": row.per_node,
                "is_fixed": row.is_fixed,
                "default": plain.value(row.name),
            }
            for row in SETTINGS.values()
        ],
    }


def complete(text: str, nodes: Sequence[str], clients: Sequence[str]) -> tuple[list[str], str]:
    """The words that could follow a beginning of a command in a run of these nodes and clients, and a
    hint. A new node has a letter of its own, so `add` is offered every letter."""
    is_adding = text.split()[:1] == ["add"]
    completion = language.complete(text, NODE_LETTERS if is_adding else nodes, clients)
    return list(completion.words), completion.hint


CATALOGUE = Catalogue(
    list_scenarios,
    describe_language,
    complete,
    sharing=SHARING,
    library=library,
)
"""What the pages look up."""
