"""The whole trace as JSON: what the run began with, every command, every event, and the outcome.

{"format": "follow-the-leader-trace", "version": 1, "now_us": …,
 "run": …,            the outcome, as `python -m server run FILE --json` prints it
 "commands": [{"at_us": …, "text": …, "after": …}, …],
 "events": [{"sequence": …, "at_us": …, "cause": …, "name": …, "facts": {…}}, …]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from server.cluster.commands import Command
from server.language import print_command
from server.run import Run
from server.sharing import shared_run

EVENTS_PER_PIECE = 500


def write_trace(run: Run, now_us: int) -> Iterator[str]:
    """The text in pieces; events that happen meanwhile are not in it."""
    events = run.simulation.trace
    count = len(events)
    head = {
        "format": "follow-the-leader-trace",
        "version": 1,
        "now_us": now_us,
        "run": run.document(),
        "commands": [
            {"at_us": each.at_us, "text": each.text, "after": each.after}
            for each in shared_run(run, now_us).commands
        ],
    }
    yield f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "events": [\n'
    for start in range(0, count, EVENTS_PER_PIECE):
        lines = (
            json.dumps(
                {
                    "sequence": event.sequence,
                    "at_us": event.at_us,
                    "cause": event.cause,
                    "name": event.name,
                    "facts": {name: _plain(value) for name, value in event.facts().items()},
                },
                ensure_ascii=False,
            )
            for event in events[start : min(start + EVENTS_PER_PIECE, count)]
        )
        yield ",\n".join(lines) + (",\n" if start + EVENTS_PER_PIECE < count else "\n")
    yield " ]}\n"


def _plain(value: Any) -> Any:
    """A fact in JSON's own kinds: records as objects, commands as their lines."""
    if isinstance(value, Command):
        return print_command(value)
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        if names is None:
            return [_plain(each) for each in value]
        record = {name: _plain(each) for name, each in zip(names, value, strict=True)}
        return record if "kind" in record else {"kind": value.kind, **record}  # type: ignore[attr-defined]
    return value
