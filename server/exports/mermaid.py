"""A sequence diagram for Mermaid: operations and messages as arrows, crashes and elections as notes.

A message is drawn when it arrives, or where it is lost, so that what it leads to stands below it.
Heartbeats and their answers are left out: they would hide everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from server.cluster import events
from server.cluster.events import Event
from server.cluster.messages import Address, Message
from server.run import Run

LINES_MAX = 400
"""Arrows and notes drawn: Mermaid itself gives up not far beyond."""
_EVENTS_PER_PIECE = 2_000
_ANSWERS = ("reply", "vote", "ok", "refused")


def write_mermaid(run: Run, now_us: int) -> Iterator[str]:
    """The text in pieces."""
    trace = run.simulation.trace
    count = len(trace)
    clients = list(run.simulation.clients)
    nodes = list(dict.fromkeys(event.node for event in trace[:count] if isinstance(event, events.NodeAdded)))
    yield (
        f"%% Follow the Leader: {run.scenario.system}, seed {run.scenario.seed}, up to {_seconds(now_us)}. "
        "Heartbeats and their answers are left out.\nsequenceDiagram\n"
    )
    yield "".join(f"  participant {_actor(client)} as Client {client}\n" for client in clients)
    yield "".join(f"  participant {node}\n" for node in nodes)
    everybody = f"{_actor(clients[0]) if clients else nodes[0]},{nodes[-1]}"
    drawing = _Drawing(everybody)
    drawn = left_out = left_at_us = 0
    for start in range(0, count, _EVENTS_PER_PIECE):
        lines: list[str] = []
        for event in trace[start : min(start + _EVENTS_PER_PIECE, count)]:
            line = drawing.line(event)
            if line is None:
                continue
            if drawn < LINES_MAX:
                drawn += 1
                lines.append(f"  {line}\n")
                left_at_us = event.at_us
            else:
                left_out += 1
        yield "".join(lines)
    if left_out:
        yield (
            f"  Note over {everybody}: Only the first {LINES_MAX} arrows and notes are drawn, up to "
            f"{_seconds(left_at_us)}. {left_out:,} more follow in the run.\n"
        )


class _Drawing:
    """What each event looks like."""

    def __init__(self, everybody: str) -> None:
        self.everybody = everybody
        self._carried: dict[int, Message] = {}
        """Messages on their way that are drawn."""
        self._heartbeats: dict[int, None] = {}
        self._beats_heard: dict[int, None] = {}
        """Events at which a heartbeat arrived: what they cause directly is only its answer."""
        self._labels: dict[int, str] = {}
        """What operations are, by their numbers."""

    def line(self, event: Event) -> str | None:
        """A line of the diagram, or `None`."""
        draw = _LINES.get(type(event))
        return draw(self, event) if draw is not None else None

    def started(self, event: events.OperationStarted) -> None:
        """An operation: its request is drawn, this only remembers what it is."""
        value = f"={event.value}" if event.value is not None else ""
        self._labels[event.operation] = f"{event.operation_kind} {event.key}{value}"

    def sent(self, event: events.MessageSent) -> None:
        """A message: drawn when it arrives."""
        kind = event.message.kind
        if kind == "heartbeat":
            self._heartbeats[event.message_id] = None
        elif kind != "reply" or event.cause not in self._beats_heard:
            self._carried[event.message_id] = event.message

    def delivered(self, event: events.MessageDelivered) -> str | None:
        """An arrow."""
        if event.message_id in self._heartbeats:
            del self._heartbeats[event.message_id]
            self._beats_heard[event.sequence] = None
        return self._arrow(event, "->>", "-->>", "")

    def dropped(self, event: events.MessageDropped) -> str | None:
        """An arrow that ends in a cross."""
        self._heartbeats.pop(event.message_id, None)
        return self._arrow(event, "-x", "--x", f" (lost: {event.reason})")

    def _arrow(
        self, event: events.MessageDelivered | events.MessageDropped, ask: str, answer: str, more: str
    ) -> str | None:
        message = self._carried.pop(event.message_id, None)
        if message is None:
            return None
        label = message.label
        text = label if label.split()[0].rstrip("?") in (message.kind, "vote", "would") else (
            f"{message.kind} {label}"
        )  # fmt: skip
        if message.kind in ("ok", "refused"):
            text = label
        head = answer if message.kind in _ANSWERS else ask
        return f"{_actor(event.source)}{head}{_actor(event.target)}: {_safe(text + more)}"

    def ended(self, event: events.OperationEnded) -> str | None:
        """A note, unless the answer's arrow says it already."""
        if event.outcome == "ok":
            return None
        said = {"failed": "failed", "unknown": "no answer, outcome unknown"}[event.outcome]
        what = self._labels.get(event.operation, "an operation")
        return _note(_actor(event.client), event, f"{what}: {said}")


def _note(over: str, event: Event, text: str) -> str:
    return f"Note over {over}: {_seconds(event.at_us)} {_safe(text)}"


def _of_node(words: Callable[[Any], str]) -> Callable[[_Drawing, Any], str | None]:
    return lambda drawing, event: _note(event.node, event, words(event))


def _of_all(words: Callable[[Any], str]) -> Callable[[_Drawing, Any], str | None]:
    return lambda drawing, event: _note(drawing.everybody, event, words(event))


def _groups(event: events.NetworkPartitioned) -> str:
    return " | ".join(" ".join(_named(each) for each in group) for group in event.groups)


def _leads(event: events.LeaderStarted) -> str:
    return f"leads term {event.term} ({event.how})"


def _discards(event: events.LogTruncated) -> str:
    return f"discards {', '.join(entry.label for entry in event.entries[:4])}" + (
        f" and {len(event.entries) - 4} more" if len(event.entries) > 4 else ""
    )


_LINES: dict[type[Event], Callable[[_Drawing, Any], str | None]] = {
    events.OperationStarted: _Drawing.started,
    events.MessageSent: _Drawing.sent,
    events.MessageDelivered: _Drawing.delivered,
    events.MessageDropped: _Drawing.dropped,
    events.OperationEnded: _Drawing.ended,
    events.NodeKilled: _of_node(lambda event: "crashes"),
    events.NodeRestarted: _of_node(lambda event: "restarts"),
    events.NodePaused: _of_node(lambda event: "stands still"),
    events.NodeResumed: _of_node(lambda event: "goes on"),
    events.NodeAdmitted: _of_node(lambda event: "is admitted"),
    events.NodeRemoved: _of_node(lambda event: "leaves the cluster"),
    events.ElectionStarted: _of_node(lambda event: f"stands for term {event.term}"),
    events.LeaderStarted: _of_node(_leads),
    events.LeaderStepped: _of_node(lambda event: f"steps down ({event.reason})"),
    events.LogTruncated: _of_node(_discards),
    events.NetworkPartitioned: _of_all(lambda event: f"partition {_groups(event)}"),
    events.NetworkHealed: _of_all(lambda event: "every link works again"),
}


def _actor(address: Address) -> str:
    return f"client{address}" if address.isdigit() else address


def _named(address: Address) -> str:
    return f"client {address}" if address.isdigit() else address


def _seconds(time_us: int) -> str:
    return f"{time_us / 1e6:.2f} s"


def _safe(text: str) -> str:
    """Without the two signs that mean something inside a text of Mermaid."""
    return text.replace("#", "").replace(";", ",")
