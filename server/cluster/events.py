"""What happened: the numbered record that everything else reads.

The trace is the only thing that leaves the core. The picture in the browser, the narration, the
judges and the exports are all folds over it, so an event carries everything a reader needs and a
reader never asks an actor. Names are `subject.past_participle`; fields are the facts.

Every event knows its cause: the sequence number of the event that made it happen (a delivery, a
timer, a command), or `None` for what the run began with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from server.cluster.commands import Command
from server.cluster.messages import Address, ClientId, LogEntry, Message, NodeId


@dataclass(slots=True)
class Event:
    """One thing that happened. The three stamps are set when it is recorded."""

    name: ClassVar[str] = ""
    """`subject.past_participle`, the word readers match on."""

    sequence: int = field(init=False)
    """Position in the trace, from 0, without gaps."""
    at_us: int = field(init=False)
    """Virtual time in microseconds."""
    cause: int | None = field(init=False)
    """Sequence number of the event that made this one happen."""

    def facts(self) -> dict[str, Any]:
        """The event's own fields by name, without the three stamps."""
        return {item.name: getattr(self, item.name) for item in fields(self)[3:]}

    def line(self) -> str:
        """One canonical line, the same in every process: what `trace_sha256` is taken over."""
        facts = " ".join(f"{name}={value!r}" for name, value in self.facts().items())
        return f"{self.sequence} {self.at_us} {self.cause} {self.name} {facts}"


# --- commands and settings -----------------------------------------------------------------------


@dataclass(slots=True)
class CommandAccepted(Event):
    """A person, a script or a lesson asked for something, and it was allowed."""

    name = "command.accepted"
    command: Command


@dataclass(slots=True)
class SettingChanged(Event):
    """A setting now has another value, for the cluster or for one node. Also at time 0, one each."""

    name = "setting.changed"
    setting: str
    value: str | int | bool
    """As stored in `Settings`: times in microseconds, switches as booleans."""
    node: NodeId | None


@dataclass(slots=True)
class LoadChanged(Event):
    """A client's background traffic starts, changes or stops."""

    name = "load.changed"
    client: ClientId
    operation_kind: str
    """`write` or `read`."""
    interval_us: int | None
    """Mean time between operations; `None` when stopped."""


@dataclass(slots=True)
class LimitReached(Event):
    """Something that may not grow without end reached its maximum; the sentence says what follows."""

    name = "limit.reached"
    what: str
    limit: int
    says: str


# --- machines ------------------------------------------------------------------------------------


@dataclass(slots=True)
class NodeAdded(Event):
    """A machine joins. `is_voter` is false until a late joiner has caught up with the leader."""

    name = "node.added"
    node: NodeId
    is_voter: bool


@dataclass(slots=True)
class NodeAdmitted(Event):
    """A late joiner has caught up: from now on it counts in every majority."""

    name = "node.admitted"
    node: NodeId


@dataclass(slots=True)
class NodeRemoved(Event):
    """A machine leaves the cluster for good."""

    name = "node.removed"
    node: NodeId


@dataclass(slots=True)
class NodeKilled(Event):
    """Power is gone: memory is lost, the disk keeps what was flushed. A `log.truncated` with reason
    `crash` follows when entries were not flushed."""

    name = "node.killed"
    node: NodeId


@dataclass(slots=True)
class NodeRestarted(Event):
    """The machine is up again with what its disk held."""

    name = "node.restarted"
    node: NodeId


@dataclass(slots=True)
class NodePaused(Event):
    """The machine stands still (a long collection, a stalled VM): it loses and notices nothing."""

    name = "node.paused"
    node: NodeId


@dataclass(slots=True)
class NodeResumed(Event):
    """The machine runs again and finds everything that arrived meanwhile."""

    name = "node.resumed"
    node: NodeId


# --- network -------------------------------------------------------------------------------------


@dataclass(slots=True)
class LinkCut(Event):
    """One direction between two actors carries nothing any more; what was on the way is dropped."""

    name = "link.cut"
    source: Address
    target: Address


@dataclass(slots=True)
class LinkHealed(Event):
    """One direction works again."""

    name = "link.healed"
    source: Address
    target: Address


@dataclass(slots=True)
class LinkChanged(Event):
    """One direction has another latency or loss; `None` means the setting's value applies."""

    name = "link.changed"
    source: Address
    target: Address
    latency_us: int | None
    loss_percent: int
    """0 to 100."""


@dataclass(slots=True)
class NetworkPartitioned(Event):
    """Groups that cannot reach each other. A `link.cut` for every direction follows."""

    name = "network.partitioned"
    groups: tuple[tuple[Address, ...], ...]


@dataclass(slots=True)
class NetworkHealed(Event):
    """Every link works again; latency and loss return to the settings. `link.healed` events follow."""

    name = "network.healed"


@dataclass(slots=True)
class MessageSent(Event):
    """A message left its sender. `arrives_at_us` is when it will arrive if nothing stops it."""

    name = "message.sent"
    message_id: int
    source: Address
    target: Address
    partition: int
    arrives_at_us: int
    message: Message


@dataclass(slots=True)
class MessageDelivered(Event):
    """A message reached a running target, which now handles it. Its cause is `message.sent`."""

    name = "message.delivered"
    message_id: int
    source: Address
    target: Address


@dataclass(slots=True)
class MessageDropped(Event):
    """A message will never arrive. `reason`: `loss`, `cut`, `dead`, `asked` (by a person)."""

    name = "message.dropped"
    message_id: int
    source: Address
    target: Address
    reason: str


@dataclass(slots=True)
class MessageDelayed(Event):
    """A message in flight will arrive at another time than it was sent for (later, or now)."""

    name = "message.delayed"
    message_id: int
    arrives_at_us: int


# --- roles and terms -----------------------------------------------------------------------------


@dataclass(slots=True)
class TermAdvanced(Event):
    """A replica learned of, or began, a higher term. It has voted for nobody in it yet."""

    name = "term.advanced"
    node: NodeId
    partition: int
    term: int


@dataclass(slots=True)
class ElectionTimerSet(Event):
    """A follower or candidate will stand for election at `fires_at_us` unless it hears a leader.

    `fires_at_us` is `None` when it will not (leaders, and everyone under manual failover)."""

    name = "timer.set"
    node: NodeId
    partition: int
    fires_at_us: int | None


@dataclass(slots=True)
class PreVoteStarted(Event):
    """A follower asks whether it could win `term` before it stands (Raft thesis §9.6)."""

    name = "prevote.started"
    node: NodeId
    partition: int
    term: int


@dataclass(slots=True)
class ElectionStarted(Event):
    """A replica became candidate of `term` and voted for itself."""

    name = "election.started"
    node: NodeId
    partition: int
    term: int


@dataclass(slots=True)
class VoteGranted(Event):
    """A voter promised its one vote of the term to the candidate."""

    name = "vote.granted"
    node: NodeId
    partition: int
    term: int
    candidate: NodeId


@dataclass(slots=True)
class VoteRefused(Event):
    """A voter said no. `reason`: `older term`, `already voted`, `log is behind`, `not a voter`."""

    name = "vote.refused"
    node: NodeId
    partition: int
    term: int
    candidate: NodeId
    reason: str


@dataclass(slots=True)
class VoteCounted(Event):
    """A candidate received a vote; `votes` are all it holds now, its own first."""

    name = "vote.counted"
    node: NodeId
    partition: int
    term: int
    votes: tuple[NodeId, ...]


@dataclass(slots=True)
class LeaderStarted(Event):
    """A replica leads from here. `how`: `initial`, `elected`, `promoted` (by an operator), `handed over`
    (planned, manual failover) or `resumed` (a restarted leader that nobody replaced, manual failover)."""

    name = "leader.started"
    node: NodeId
    partition: int
    term: int
    how: str
    votes: tuple[NodeId, ...]
    """Who elected it; empty unless `how` is `elected`."""


@dataclass(slots=True)
class LeaderStepped(Event):
    """A leader or candidate became a follower. `reason`: `higher term`, `lost election`, `hand-over`,
    `operator`, `lease expired`."""

    name = "leader.stepped_down"
    node: NodeId
    partition: int
    term: int
    was: str
    """`leader` or `candidate`."""
    reason: str


@dataclass(slots=True)
class LeaderRecognised(Event):
    """A follower now follows this leader; `None`: it knows of none."""

    name = "leader.recognised"
    node: NodeId
    partition: int
    term: int
    leader: NodeId | None


@dataclass(slots=True)
class HandOverStarted(Event):
    """A planned switchover: the leader takes no new writes until its successor has caught up."""

    name = "handover.started"
    node: NodeId
    partition: int
    successor: NodeId


@dataclass(slots=True)
class HandOverEnded(Event):
    """The leader takes writes again because the successor never took over."""

    name = "handover.ended"
    node: NodeId
    partition: int
    successor: NodeId


# --- the log and the store -----------------------------------------------------------------------


@dataclass(slots=True)
class EntryAppended(Event):
    """A leader put a new entry at the end of its log (in memory, not flushed yet)."""

    name = "entry.appended"
    node: NodeId
    partition: int
    entry: LogEntry


@dataclass(slots=True)
class EntryReceived(Event):
    """A follower put a leader's entry at the end of its log (in memory, not flushed yet)."""

    name = "entry.received"
    node: NodeId
    partition: int
    entry: LogEntry


@dataclass(slots=True)
class LogFlushed(Event):
    """Everything up to `index` is on this replica's disk and survives a crash."""

    name = "log.flushed"
    node: NodeId
    partition: int
    index: int


@dataclass(slots=True)
class CommitAdvanced(Event):
    """This replica knows that everything up to `index` is committed: on a majority's logs.

    On the leader that is the moment of commitment; on a follower it is news."""

    name = "commit.advanced"
    node: NodeId
    partition: int
    index: int


@dataclass(slots=True)
class EntryApplied(Event):
    """An entry took effect in this replica's store. `changed` is false for a `noop` and a `cas` that
    found another value; `value` is then what the key holds."""

    name = "entry.applied"
    node: NodeId
    partition: int
    index: int
    term: int
    key: str | None
    value: str | None
    """What the key holds now; `None` when it holds nothing."""
    changed: bool


@dataclass(slots=True)
class LogTruncated(Event):
    """Entries from `from_index` on are gone from this log. `reason`: `conflict` (the leader's log says
    otherwise, Raft §5.3) or `crash` (they were never flushed). Flushed, commit and applied marks
    beyond the new end come back to it; `store.rebuilt` follows when applied entries were undone."""

    name = "log.truncated"
    node: NodeId
    partition: int
    from_index: int
    entries: tuple[LogEntry, ...]
    """What was discarded, oldest first."""
    reason: str


@dataclass(slots=True)
class StoreRebuilt(Event):
    """The store was made anew from the log, after a restart or after applied entries were truncated."""

    name = "store.rebuilt"
    node: NodeId
    partition: int
    applied_index: int
    commit_index: int
    store: tuple[tuple[str, str, int, int], ...]
    """(key, value, index, term of the entry that wrote it), by key."""


# --- operations ----------------------------------------------------------------------------------


@dataclass(slots=True)
class OperationStarted(Event):
    """A client began an operation and sends it to `target`."""

    name = "operation.started"
    operation: int
    client: ClientId
    operation_kind: str
    key: str
    value: str | None
    expected: str | None
    target: NodeId


@dataclass(slots=True)
class LeaderLearned(Event):
    """A client believes from now on that this node leads; `None`: it knows of no leader. Every run begins
    with clients that believe in the first leader."""

    name = "client.learned"
    client: ClientId
    leader: NodeId | None


@dataclass(slots=True)
class OperationRetried(Event):
    """A client sends the same operation again. `reason`: `redirected`, `no leader known`, `no answer`."""

    name = "operation.retried"
    operation: int
    client: ClientId
    attempt: int
    target: NodeId
    reason: str


@dataclass(slots=True)
class RequestRefused(Event):
    """A node did not accept a request. `reason`: `not leader`, `handing over`, `log full`."""

    name = "request.refused"
    node: NodeId
    partition: int
    operation: int
    reason: str
    leader: NodeId | None
    """The pointer given to the client."""


@dataclass(slots=True)
class RequestDeduplicated(Event):
    """A retry arrived whose entry is already in the log: it is not appended a second time."""

    name = "request.deduplicated"
    node: NodeId
    partition: int
    operation: int
    index: int


@dataclass(slots=True)
class WriteAcknowledged(Event):
    """A leader answered OK: the acknowledge policy's condition is met. The client is told when the
    reply arrives (`operation.ended`)."""

    name = "write.acknowledged"
    node: NodeId
    partition: int
    operation: int
    index: int
    term: int
    held_by: tuple[NodeId, ...]
    """The nodes known to hold the entry at the policy's level, the leader first."""


@dataclass(slots=True)
class ReadDeferred(Event):
    """A node holds a read back for now. `reason`: `session` (the client has seen what this node has not
    applied), `staleness` (nothing vouches for a state as fresh as the session asks), `proof` (a majority
    must confirm first that this leader still leads), `apply` (it must first apply what it holds)."""

    name = "read.deferred"
    node: NodeId
    partition: int
    operation: int
    key: str
    reason: str
    awaited_index: int
    """How far it must have applied its log before it answers; 0 when that is not what is missing."""
    applied_index: int
    """How far it has."""


@dataclass(slots=True)
class ReadAnswered(Event):
    """A node answered a read from its own store."""

    name = "read.answered"
    node: NodeId
    partition: int
    operation: int
    key: str
    value: str | None
    version: int
    """Index of the entry that wrote the value; 0 when there is none."""
    applied_index: int
    """How far this node had applied its log."""


@dataclass(slots=True)
class OperationEnded(Event):
    """A client's operation is over for the client. `outcome`: `ok`; `failed` (certainly not done);
    `unknown` (no answer came: it may or may not have happened)."""

    name = "operation.ended"
    operation: int
    client: ClientId
    outcome: str
    value: str | None
    """What a read returned, or what a failed `cas` found."""
    version: int
    node: NodeId | None
    """Who answered; `None` when nobody did."""


EVENT_TYPES: dict[str, type[Event]] = {kind.name: kind for kind in Event.__subclasses__()}
"""Every kind of event by name: the catalogue that readers, tests and documentation share."""
