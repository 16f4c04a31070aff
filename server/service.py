"""What the web server is made of: rooms that play real runs on the real clock, and what pages look up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from server import language, resources
from server.cluster.commands import CommandRefused
from server.cluster.settings import NODE_LETTERS, SETTINGS, Settings
from server.play import Play
from server.rooms import Rooms
from server.scenario import Scenario, load_scenario
from server.store import Start, Store
from server.web import Catalogue

FIRST_SCENARIO = "living-cluster"
"""What a newcomer finds: a cluster with gentle traffic, already alive."""


def open_rooms(store: Store) -> Rooms:
    """Rooms in which the runs of this program are played."""
    return Rooms(start_play, store, time.time, first_start=Start(scenario=FIRST_SCENARIO))


@cache
def scenarios() -> dict[str, Scenario]:
    """Every scenario that comes with the program, by the name of its file; a number in front of the
    name only gives the order.

    Raises `CommandRefused` for a file that cannot be read: it is ours, so a test sees it first."""
    files = sorted(resources.folder("lessons").glob("scenes/*.yaml"))
    return {path.stem.lstrip("0123456789").lstrip("-"): load_scenario(path) for path in files}


def start_play(start: Start) -> Play:
    """The run that a start describes. Raises `CommandRefused` when there is no such run."""
    if start.scenario is None:
        return Play(start, None)
    scenario = scenarios().get(start.scenario)
    if scenario is None:
        known = ", ".join(scenarios()) or "none"
        raise CommandRefused(f"There is no scenario called {start.scenario}. There are: {known}.")
    return Play(start, scenario)


def list_scenarios() -> list[dict[str, Any]]:
    """What the page offers to start from."""
    return [
        {"id": name, "title": scenario.title, "about": scenario.about}
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


CATALOGUE = Catalogue(list_scenarios, describe_language, complete)
"""What the pages look up."""
