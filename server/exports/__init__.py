"""A run as files for other programs: a scenario, the whole trace, ShiViz, Mermaid.

Each is a fold over the run's events that gives its text in pieces, so that a server can do something
else between two of them. Nothing here changes the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.cluster.commands import CommandRefused
from server.exports.mermaid import write_mermaid
from server.exports.shiviz import write_shiviz
from server.exports.trace import write_trace
from server.run import Run
from server.scenario import write_scenario
from server.sharing import scenario_of, shared_run

EVENTS_MAX = 100_000
"""How long a run may be for an export that lists its events."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of file."""

    mimetype: str
    write: Callable[[Run, int], Iterator[str]]
    """The file's text in pieces, of a run that has come to a virtual time."""
    lists_events: bool = True


def scenario_file(run: Run, now_us: int) -> Iterator[str]:
    """The file with which `python -m server run` plays the same run, to the same trace."""
    shared = shared_run(run, now_us)
    title, about = run.scenario.title, run.scenario.about
    named = scenario_of(shared, title if title != "Untitled" else f"A run with seed {shared.seed}", about)
    yield write_scenario(
        named, "Follow the Leader. The same run again, event for event:\npython -m server run THIS_FILE"
    )


KINDS: dict[str, Kind] = {
    "scenario.yaml": Kind("application/yaml", scenario_file, lists_events=False),
    "trace.json": Kind("application/json", write_trace),
    "shiviz.log": Kind("text/plain", write_shiviz),
    "sequence.mmd": Kind("text/plain", write_mermaid),
}
"""Every file that a run can be taken away as, by its name."""


def export(run: Run, now_us: int, name: str) -> tuple[str, Iterator[str]]:
    """The media type and the text, in pieces, of one file. Raises `CommandRefused` when there is no such
    file or the run is too long for it."""
    kind = KINDS.get(name)
    if kind is None:
        raise CommandRefused(f"There is no export called {name[:40]}. Exports: {', '.join(KINDS)}.")
    if kind.lists_events and run.event_count > EVENTS_MAX:
        raise CommandRefused(
            f"This run has had {run.event_count:,} events; {name} has room for {EVENTS_MAX:,}. Download the "
            "scenario file: python -m server run FILE --json plays it again."
        )
    return kind.mimetype, kind.write(run, now_us)
