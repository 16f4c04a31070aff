"""A log for ShiViz: what every actor did, each line with the actor's vector clock.

The first line of the file is the regular expression that ShiViz takes a log apart with, the second,
empty, says that there is one execution. A vector clock counts, for each actor, how much of what it did
can have influenced an event: one event happened before another exactly when its clock is smaller
(C. Fidge, F. Mattern, 1988). Clocks go along with messages and with nothing else: what a person or the
network does is nobody's event. A message that was duplicated by hand carries the clock of the original.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from server.cluster import events
from server.cluster.commands import DuplicateMessage
from server.cluster.events import Event
from server.cluster.messages import Address, LogEntry, Message
from server.run import Run

PARSER = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)"
"""The first line of the file."""
EVENTS_PER_PIECE = 500
_LEFT_OUT = (events.ElectionTimerSet, events.SettingChanged)
"""Nothing that an actor does."""

Clock = dict[str, int]


class VectorClocks:
    """The clock of every actor, and of every message on its way."""

    def __init__(self) -> None:
        self.of_actor: dict[Address, Clock] = {}
        self.of_message: dict[int, Clock] = {}
        self._copying: int | None = None
        """The message that the command at hand duplicates."""

    def observe(self, event: Event) -> tuple[Address, Clock] | None:
        """Whose event this is, and that actor's clock at it; `None` when it is no actor's."""
        if isinstance(event, events.CommandAccepted):
            is_copy = isinstance(event.command, DuplicateMessage)
            self._copying = event.command.message_id if is_copy else None  # type: ignore[attr-defined]
            return None
        copied, self._copying = self._copying, None
        if isinstance(event, events.MessageSent):
            if copied is not None:
                self.of_message[event.message_id] = self.of_message[copied]
                return None
            clock = self._tick(event.source)
            self.of_message[event.message_id] = clock
            return event.source, clock
        if isinstance(event, events.MessageDelivered):
            clock = self._tick(event.target, self.of_message.pop(event.message_id))
            return event.target, clock
        if isinstance(event, events.MessageDropped):
            del self.of_message[event.message_id]
            return None
        actor = getattr(event, "client", None) or getattr(event, "node", None)
        if actor is None or isinstance(event, _LEFT_OUT):
            return None
        return actor, self._tick(actor)

    def _tick(self, actor: Address, heard: Clock | None = None) -> Clock:
        clock = dict(self.of_actor.get(actor, {}))
        for other, count in (heard or {}).items():
            clock[other] = max(count, clock.get(other, 0))
        clock[actor] = clock.get(actor, 0) + 1
        self.of_actor[actor] = clock
        return clock


def write_shiviz(run: Run, now_us: int) -> Iterator[str]:
    """The text in pieces."""
    del now_us
    yield f"{PARSER}\n\n"
    trace = run.simulation.trace
    clocks = VectorClocks()
    messages: dict[int, Message] = {}
    count = len(trace)
    for start in range(0, count, EVENTS_PER_PIECE):
        lines: list[str] = []
        for event in trace[start : min(start + EVENTS_PER_PIECE, count)]:
            if isinstance(event, events.MessageSent):
                messages[event.message_id] = event.message
            stamped = clocks.observe(event)
            if stamped is not None:
                actor, clock = stamped
                named = {_host(each): clock[each] for each in sorted(clock)}
                lines.append(f"{_host(actor)} {json.dumps(named)}\n{_words(event, messages)}\n")
        yield "".join(lines)


def _host(actor: Address) -> str:
    return f"client-{actor}" if actor.isdigit() else actor


def _words(event: Event, messages: dict[int, Message]) -> str:
    """One line on what happened."""
    if isinstance(event, events.MessageSent | events.MessageDelivered):
        message = messages[event.message_id]
        carried = (
            message.kind if message.label.startswith(message.kind) else f"{message.kind} {message.label}"
        )
        if isinstance(event, events.MessageSent):
            what = f"sends {carried} to {_host(event.target)}"
        else:
            what = f"receives {carried} from {_host(event.source)}"
    else:
        facts = " ".join(
            f"{name}={_short(value)}"
            for name, value in event.facts().items()
            if name not in ("node", "client", "partition") and value is not None
        )
        what = f"{event.name} {facts}".rstrip()
    return f"{event.at_us / 1e6:.3f} s {what}"


def _short(value: Any) -> str:
    if isinstance(value, LogEntry):
        return f"[{value.label} index={value.index} term={value.term}]"
    if isinstance(value, tuple):
        return f"[{' '.join(_short(each) for each in value)}]"
    return str(value)
