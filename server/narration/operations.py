"""What clients ask and learn, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.cluster import events
from server.cluster.events import Event
from server.narration.memory import Memory
from server.narration.waiting import awaited_for
from server.narration.words import Telling, bad, good, info, listed, spoken, with_more

Teller = Callable[[Memory, Any], Telling | None]

# --- operations ----------------------------------------------------------------------------------


def _started(memory: Memory, event: events.OperationStarted) -> Telling | None:
    operation = memory.operation(event)
    if operation.is_quiet:
        return None
    precise = f"Operation {event.operation}: {operation.what} to {event.target}."
    plain = f"Client {event.client} asks {event.target} to {_asked(event)}."
    if memory.states.get(event.target) == "dead":
        plain += f" It does not know that {event.target} is dead."
    return info(plain, precise)


def _asked(event: events.OperationStarted) -> str:
    if event.operation_kind == "write":
        return f"write {event.key}={event.value}"
    if event.operation_kind == "cas":
        expected = "nothing" if event.expected is None else event.expected
        return f"make {event.key} {event.value} if it holds {expected}"
    return f"{event.operation_kind} {event.key}"


def _retried(memory: Memory, event: events.OperationRetried) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None or (operation.is_quiet and event.reason != "no answer"):
        return None
    who = f"Client {event.client}"
    precise = f"Operation {event.operation}, attempt {event.attempt}, to {event.target} ({event.reason})."
    if event.reason == "redirected":
        return info(f"{who} turns to {event.target} instead, with {operation.what}.", precise)
    if event.reason == "no answer":
        return bad(f"{who} got no answer and sends {operation.what} again, to {event.target}.", precise)
    return info(f"{who} tries {event.target} with {operation.what}.", precise)


def _refused(memory: Memory, event: events.RequestRefused) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None or operation.is_quiet:
        return None
    node, who = event.node, f"client {operation.client}"
    known = f"it knows leader {event.leader}" if event.leader else "it knows of no leader"
    precise = f"{node} refuses operation {event.operation} ({event.reason}); {known}."
    if event.reason == "handing over":
        return info(f"{node} refuses {operation.what}: it is handing over and takes no new writes.", precise)
    if event.reason == "log full":
        return bad(f"{node} refuses {operation.what}: its log is full.", precise)
    if event.leader is None:
        return info(f"{node} is not the leader and knows of none, so {who} must ask elsewhere.", precise)
    return info(f"{node} is not the leader and sends {who} on to {event.leader}.", precise)


def _deduplicated(memory: Memory, event: events.RequestDeduplicated) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None:
        return None
    return good(f"{event.node} recognises {operation.what} as entry {event.index} and does not add it again.")


def _acknowledged(memory: Memory, event: events.WriteAcknowledged) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None or operation.is_quiet:
        return None
    is_committed = memory.replica(event.node, event.partition).commit_index >= event.index
    status = "committed" if is_committed else "not committed yet"
    holders = listed(event.held_by)
    precise = (
        f"{event.node} acknowledges entry {event.index} (term {event.term}), {status}; held by {holders}."
    )
    if len(event.held_by) == 1:
        return good(f"{event.node} answers OK to {operation.what}. It knows of no other copy yet.", precise)
    return good(f"{event.node} answers OK to {operation.what}: {listed(event.held_by)} hold it.", precise)


def _deferred(memory: Memory, event: events.ReadDeferred) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None or operation.is_quiet:
        return None
    node, index = event.node, event.awaited_index
    precise = f"{node} has applied its log up to {event.applied_index}"
    if event.reason == "proof":
        return info(
            f"Before {node} answers the read of {event.key}, a majority must confirm that it still leads.",
            f"{precise}; its answer must show entry {index} at least.",
        )
    if event.reason == "session":
        return info(
            f"{node} holds the read of {event.key} back: client {operation.client} has seen entry {index}, "
            f"and {node} has applied {event.applied_index}.",
            f"{precise}; the token of the session is {index}.",
        )
    if event.reason == "staleness":
        return info(
            f"{node} holds the read of {event.key} back: nothing that reached it vouches for a state as "
            "fresh as the session asks.",
            f"{precise}; it waits for word of a leader that a majority has confirmed.",
        )
    return info(
        f"{node} applies its log up to entry {index} before it answers the read of {event.key}.",
        precise + ".",
    )


def _read(memory: Memory, event: events.ReadAnswered) -> Telling | None:
    if memory.is_quiet(event.operation):
        return None
    source = f"the value is from entry {event.version}" if event.version else "there is no value"
    precise = f"{event.node} has applied its log up to {event.applied_index}; {source}."
    if event.value is None:
        return info(f"{event.node} looks up {event.key}: it holds nothing here.", precise)
    return info(f"{event.node} looks up {event.key}: it holds {event.value} here.", precise)


def _ended(memory: Memory, event: events.OperationEnded) -> Telling | None:
    operation = memory.operations.get(event.operation)
    if operation is None:
        return None
    who, what = f"Client {event.client}", operation.what
    after = spoken(event.at_us - operation.started_us)
    precise = (
        f"Operation {event.operation} ({what}): {event.outcome} after {after}, from {event.node or 'nobody'}."
    )
    if event.outcome == "unknown":
        doubt = "no answer came" if operation.kind == "read" else "it may or may not have happened"
        missing = awaited_for(memory, event.operation)
        why = f"It waited for {missing}." if missing else ""
        return bad(with_more(f"{who} gives up on {what} after {after}: {doubt}.", why), precise)
    if event.outcome == "failed":
        return _failed(event, who, what, precise)
    if operation.is_quiet:
        return None
    if operation.kind == "read":
        found = (
            f"{operation.key} = {event.value}"
            if event.value is not None
            else f"that {operation.key} holds nothing"
        )
        return good(f"{who} reads {found}, from {event.node}, after {after}.", precise)
    return good(f"{who} has its OK for {what}, after {after}.", precise)


def _failed(event: events.OperationEnded, who: str, what: str, precise: str) -> Telling:
    if event.node is None:
        return bad(
            f"{who} gives up on {what}: every node it asked refused, so it certainly did not happen.", precise
        )
    held = "nothing" if event.value is None else event.value
    return bad(f"{who} learns that {what} did not happen: the key held {held}.", precise)


TELLERS: dict[type[Event], Teller] = {
    events.OperationStarted: _started,
    events.OperationRetried: _retried,
    events.RequestRefused: _refused,
    events.RequestDeduplicated: _deduplicated,
    events.WriteAcknowledged: _acknowledged,
    events.ReadDeferred: _deferred,
    events.ReadAnswered: _read,
    events.OperationEnded: _ended,
}
