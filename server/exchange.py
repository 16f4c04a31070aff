"""How the runs of rooms are given away and taken in: what the web's routes for that are made of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from server import exports, sharing
from server.cluster.commands import CommandRefused
from server.play import Play
from server.room import RunView
from server.scenario import Scenario, read_scenario, write_scenario
from server.store import OWN, Start
from server.web_sharing import Sharing


def open_link(link: str) -> tuple[Start, int | None]:
    """What the run of a link begins with, and the moment to look at. Raises `CommandRefused` when it cannot
    be read."""
    shared = sharing.read_link(link)
    scenario = sharing.scenario_of(shared, "A shared run")
    return Start(scenario=OWN, file=write_scenario(scenario)), shared.look_us


def open_file(text: str) -> Start:
    """What the run of a visitor's file begins with. Whether it is a scenario shows when it begins."""
    return Start(scenario=OWN, file=text)


@lru_cache(maxsize=8)
def own_scenario(text: str) -> Scenario:
    """A scenario that a visitor brought. Remembered, because a large one takes a moment to read."""
    return read_scenario(text, "This file")


def share(view: RunView, look_us: int | None = None) -> tuple[str, str]:
    """The link to a run, or to a moment of it, and what it carries. Raises `CommandRefused` when it does not
    fit into a link, or the moment has not been."""
    play = _played(view)
    shared = sharing.shared_run(play.run, play.now_us, look_us)
    return sharing.write_link(shared), sharing.describe(shared)


def export(view: RunView, name: str) -> tuple[str, Iterator[str]]:
    """The media type and the text of a file. Raises `CommandRefused`."""
    play = _played(view)
    return exports.export(play.run, play.now_us, name)


def about(view: RunView) -> dict[str, Any]:
    """What a recording says of a run besides its steps."""
    play = _played(view)
    try:
        link = sharing.write_link(sharing.shared_run(play.run, play.now_us))
    except CommandRefused:
        link = None
    title = play.scenario.title
    broken = [name for name, verdict in play.run.judges.verdicts().items() if verdict.held is False]
    return {
        "title": title if title != "Untitled" else f"A run with seed {play.scenario.seed}",
        "link": link,
        "ledger": play.ledger(),
        "evidence": {name: play.evidence(name) for name in broken},
    }


def _played(view: RunView) -> Play:
    if not isinstance(view, Play):
        raise CommandRefused("Several runs beside each other cannot be shared; share one of them alone.")
    return view


SHARING = Sharing(open_link, open_file, share, export, about)
"""What the routes call."""
