"""Any event in a sentence of its own, however small it is: the links of a chain of causes.

The narrator tells what a learner would miss, with all it remembers; a chain from an effect back to its
cause needs the rest as well: heartbeats, replies, timers. These sentences know the event alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.cluster import events
from server.cluster.events import Event
from server.narration.words import (
    Telling,
    capital,
    counted,
    entry_text,
    info,
    listed,
    named,
    spoken,
    value_of,
)

_Sentence = Callable[[Any], str]


_HELD_BACK = {
    "session": "its client had seen more than this node had applied",
    "staleness": "nothing vouched for a state as fresh as the session asks",
    "proof": "a majority had to confirm first that it leads",
    "apply": "it had to apply its log first",
}
_CARRIED: dict[str, _Sentence] = {
    "append": lambda message: f"{counted(len(message.entries), 'entry')} to copy",
    "heartbeat": lambda message: "a heartbeat",
    "reply": lambda message: (
        f"word that its log agrees up to entry {message.received_index}"
        if message.success
        else "word that its log does not fit"
    ),
    "vote-request": lambda message: f"a request for a vote in term {message.term}",
    "vote": lambda message: f"{'its vote' if message.granted else 'no vote'} for term {message.term}",
    "hand-over": lambda message: "the order to take over",
    "ok": lambda message: "OK" if message.value is None else f"OK, {message.value}",
    "refused": lambda message: "a refusal",
}
_WHY_LOST = {
    "loss": "the network lost it", "cut": "the link is cut", "dead": "the receiver is dead",
    "asked": "somebody asked for that",
}  # fmt: skip


def _sent(event: events.MessageSent) -> str:
    message = event.message
    carried = _CARRIED.get(message.kind)
    what = carried(message) if carried else f"the request {message.label}"
    return f"{capital(named(event.source))} sent {what} to {named(event.target)}."


_SENTENCES: dict[type[Event], _Sentence] = {
    events.CommandAccepted: lambda event: "Somebody gave a command.",
    events.SettingChanged: lambda event: (
        f"{event.setting}{f' of {event.node}' if event.node else ''} is "
        f"{value_of(event.setting, event.value)} from here on."
    ),
    events.LoadChanged: lambda event: (
        f"The background {event.operation_kind}s of client {event.client} "
        + ("stopped." if event.interval_us is None else f"come every {spoken(event.interval_us)}.")
    ),
    events.LimitReached: lambda event: event.says,
    events.NodeAdded: lambda event: f"{event.node} is part of the cluster.",
    events.NodeAdmitted: lambda event: f"{event.node} counts in majorities from here on.",
    events.NodeRemoved: lambda event: f"{event.node} left the cluster.",
    events.NodeKilled: lambda event: f"{event.node} died.",
    events.NodeRestarted: lambda event: f"{event.node} came back with what its disk held.",
    events.NodePaused: lambda event: f"{event.node} stood still.",
    events.NodeResumed: lambda event: f"{event.node} went on.",
    events.LinkCut: lambda event: f"The link from {named(event.source)} to {named(event.target)} was cut.",
    events.LinkHealed: lambda event: (
        f"The link from {named(event.source)} to {named(event.target)} is whole."
    ),
    events.LinkChanged: lambda event: (
        f"The link from {named(event.source)} to {named(event.target)} behaves differently from here on."
    ),
    events.NetworkPartitioned: lambda event: (
        f"The network was split: {' | '.join(' '.join(group) for group in event.groups)}."
    ),
    events.NetworkHealed: lambda event: "All links are whole.",
    events.MessageSent: _sent,
    events.MessageDelivered: lambda event: f"It arrived at {named(event.target)}.",
    events.MessageDropped: lambda event: (
        f"The message from {named(event.source)} to {named(event.target)} never arrived: "
        f"{_WHY_LOST.get(event.reason, event.reason)}."
    ),
    events.MessageDelayed: lambda event: (
        f"Message {event.message_id} was set to arrive at {event.arrives_at_us / 1e6:.2f} s."
    ),
    events.TermAdvanced: lambda event: f"{event.node} moved on to term {event.term}.",
    events.ElectionTimerSet: lambda event: (
        f"{event.node} stopped waiting for a leader."
        if event.fires_at_us is None
        else f"{event.node} would stand for election at {event.fires_at_us / 1e6:.2f} s unless it heard a "
        "leader first."
    ),
    events.PreVoteStarted: lambda event: f"{event.node} asked who would vote for it in term {event.term}.",
    events.ElectionStarted: lambda event: f"{event.node} stood for election in term {event.term}.",
    events.VoteGranted: lambda event: f"{event.node} gave {event.candidate} its vote for term {event.term}.",
    events.VoteRefused: lambda event: (
        f"{event.node} refused {event.candidate} its vote for term {event.term}: {event.reason}."
    ),
    events.VoteCounted: lambda event: (
        f"{event.node} had the votes of {listed(event.votes)} for term {event.term}."
    ),
    events.LeaderStarted: lambda event: f"{event.node} became leader of term {event.term}.",
    events.LeaderStepped: lambda event: f"{event.node} is {event.was} no more: {event.reason}.",
    events.LeaderRecognised: lambda event: (
        f"{event.node} knows of no leader in term {event.term}."
        if event.leader is None
        else f"{event.node} took {event.leader} for the leader of term {event.term}."
    ),
    events.HandOverStarted: lambda event: f"{event.node} began to hand over to {event.successor}.",
    events.HandOverEnded: lambda event: f"{event.node} gave up handing over to {event.successor}.",
    events.EntryAppended: lambda event: (
        f"{event.node}, the leader, put {entry_text(event.entry)} into its log at index {event.entry.index}."
    ),
    events.EntryReceived: lambda event: (
        f"{event.node} received {entry_text(event.entry)} for index {event.entry.index}."
    ),
    events.LogFlushed: lambda event: f"{event.node} has its log on disk up to entry {event.index}.",
    events.CommitAdvanced: lambda event: f"{event.node} took entry {event.index} for committed.",
    events.EntryApplied: lambda event: f"{event.node} applied entry {event.index}.",
    events.LogTruncated: lambda event: (
        f"{event.node} discarded {counted(len(event.entries), 'entry')} from index {event.from_index} on."
    ),
    events.StoreRebuilt: lambda event: f"{event.node} built its store anew from its log.",
    events.OperationStarted: lambda event: (
        f"Client {event.client} began operation {event.operation}: {event.operation_kind} {event.key}."
    ),
    events.LeaderLearned: lambda event: (
        f"Client {event.client} knows of no leader any more."
        if event.leader is None
        else f"Client {event.client} believes from now on that {event.leader} leads."
    ),
    events.OperationRetried: lambda event: (
        f"Client {event.client} tried again at {event.target}: {event.reason}."
    ),
    events.RequestRefused: lambda event: f"{event.node} refused the request: {event.reason}.",
    events.RequestDeduplicated: lambda event: (
        f"{event.node} already had this write, at index {event.index}: it did not append it again."
    ),
    events.WriteAcknowledged: lambda event: (
        f"{event.node} answered OK for entry {event.index}, which {listed(event.held_by)} held."
    ),
    events.ReadDeferred: lambda event: (
        f"{event.node} held the read of {event.key} back: {_HELD_BACK[event.reason]}."
    ),
    events.ReadAnswered: lambda event: f"{event.node} answered the read of {event.key} from its own store.",
    events.OperationEnded: lambda event: f"Operation {event.operation} ended: {event.outcome}.",
}


def describe(event: Event) -> Telling:
    """The event in a sentence of its own."""
    facts = ", ".join(f"{name} {value}" for name, value in event.facts().items() if name != "message")
    plain = _SENTENCES[type(event)](event)
    return info(plain, f"{plain} ({event.name}: {facts})" if facts else plain)
