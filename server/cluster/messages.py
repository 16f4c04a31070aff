"""What actors say to each other: one immutable record per kind of message.

A message never changes after it is sent and never holds a reference into an actor, so the
sender's later life cannot leak into what the receiver reads. `kind` is the word that people use
for the message (`drop next append A -> B`); `label` is what a pill on the diagram can carry.
"""

from __future__ import annotations

from typing import NamedTuple

NodeId = str
"""A node's fixed letter, `A` to `I`. Roles move; letters never do."""
ClientId = str
"""A client's number as text, `1` to `5`. Letters and digits never collide, so either is an address."""
Address = str
"""A `NodeId` or a `ClientId`."""


class LogEntry(NamedTuple):
    """One line of a replicated log. `(index, term)` is its identity everywhere (Raft §5.3)."""

    index: int  # type: ignore[assignment]  # The field's word for it matters more than tuple.index.
    """Position in the log, counted from 1."""
    term: int
    """The term of the leader that created it."""
    kind: str
    """`write`, `cas`, `delete`, or `noop` (a new leader's first entry, Raft §8)."""
    key: str | None
    value: str | None
    expected: str | None
    """For `cas`: the value that must be there for the change to happen; `None` means no value."""
    operation: int | None
    """The client operation that asked for it; the idempotency key of a retry. `None` for `noop`."""

    @property
    def label(self) -> str:
        """The few characters that fit a log cell: `x=1`, `x:1→2`, `x✕`, `–`."""
        if self.kind == "write":
            return f"{self.key}={self.value}"
        if self.kind == "cas":
            return f"{self.key}:{self.expected if self.expected is not None else '∅'}→{self.value}"
        if self.kind == "delete":
            return f"{self.key}✕"
        return "–"


class AppendEntries(NamedTuple):
    """A leader copies entries to a follower, or, with none, shows that it is alive (Raft §5.3)."""

    term: int
    previous_index: int
    """The entry just before `entries`; the follower refuses unless it holds exactly that one."""
    previous_term: int
    entries: tuple[LogEntry, ...]
    commit_index: int
    """How far the leader knows the log to be committed."""
    round: int = 0
    """Counts the leader's rounds; the reply repeats it, which proves when the follower still followed."""
    last_index: int | None = None
    """Where the leader's log ended when this was sent."""
    proved_us: int | None = None
    """The newest moment at which, as a majority has confirmed since, the sender certainly led …"""
    proved_index: int = 0
    """… and what had been acknowledged by then stands at or before this index."""

    @property
    def kind(self) -> str:
        """`append` with entries, `heartbeat` without."""
        return "append" if self.entries else "heartbeat"

    @property
    def label(self) -> str:
        """The first entry and how many more follow."""
        if not self.entries:
            return "♥"
        more = len(self.entries) - 1
        return self.entries[0].label + (f" +{more}" if more else "")


class AppendEntriesReply(NamedTuple):
    """A follower says how far it holds the leader's log, or where it disagrees."""

    term: int
    success: bool
    received_index: int
    """On success: everything up to here equals the leader's log and is in this follower's memory."""
    flushed_index: int
    """… and is on its disk up to here."""
    applied_index: int
    """… and can be read from it up to here."""
    rejected_index: int
    """On refusal: the `previous_index` that did not match; 0 on success."""
    round: int = 0
    """The round of the message this answers."""

    @property
    def kind(self) -> str:
        """The word for it."""
        return "reply"

    @property
    def label(self) -> str:
        """`✓3` for agreement up to entry 3, `✗` for a gap or a conflict."""
        return f"✓{self.received_index}" if self.success else "✗ gap"


class RequestVote(NamedTuple):
    """A candidate asks for a vote and shows how complete its log is (Raft §5.2, §5.4.1)."""

    term: int
    last_index: int
    last_term: int
    is_trial: bool = False
    """A pre-vote: would you vote for me in this term? Nobody's term or vote changes (Raft thesis §9.6)."""
    is_transfer: bool = False
    """The leader itself asked this candidate to stand, so having heard that leader is no objection."""

    @property
    def kind(self) -> str:
        """The word for it."""
        return "vote-request"

    @property
    def label(self) -> str:
        """The question on the pill."""
        return f"{'would you ' if self.is_trial else ''}vote? term {self.term}"


class RequestVoteReply(NamedTuple):
    """A voter's answer for one term."""

    term: int
    granted: bool
    is_trial: bool = False
    """The answer to a pre-vote: it promises nothing."""

    @property
    def kind(self) -> str:
        """The word for it."""
        return "vote"

    @property
    def label(self) -> str:
        """The answer on the pill."""
        return f"{'would ' if self.is_trial else ''}vote {'✓' if self.granted else '✗'} term {self.term}"


class TimeoutNow(NamedTuple):
    """A leader that hands over tells its caught-up successor to take its place (Raft thesis §3.10)."""

    term: int
    successor_term: int
    """Under manual failover: the term the operator's register gave the successor, who leads in it
    without a vote. 0 under automatic failover: the successor stands for election at once."""

    @property
    def kind(self) -> str:
        """The word for it."""
        return "hand-over"

    @property
    def label(self) -> str:
        """The order on the pill."""
        return "take over"


class ClientRequest(NamedTuple):
    """A client asks a node to write, read, compare-and-set or delete."""

    operation: int
    """Number of the operation; the same on every retry."""
    attempt: int
    """1 for the first try."""
    operation_kind: str
    """`write`, `read`, `cas` or `delete`."""
    key: str
    value: str | None
    expected: str | None
    leader_only: bool
    """A read that any other node must refuse."""
    token: int = 0
    """A read waits until the node has applied its log up to here: what the session has seen or written."""
    staleness_bound_us: int | None = None
    """A read waits until the node can vouch that it shows all that was acknowledged longer ago; `None`
    when any age will do."""

    @property
    def kind(self) -> str:
        """`write`, `read`, `cas` or `delete`."""
        return self.operation_kind

    @property
    def label(self) -> str:
        """What is asked."""
        if self.operation_kind == "read":
            return f"read {self.key}"
        if self.operation_kind == "write":
            return f"{self.key}={self.value}"
        if self.operation_kind == "cas":
            return f"{self.key}:{self.expected if self.expected is not None else '∅'}→{self.value}"
        return f"{self.key}✕"


class ClientReply(NamedTuple):
    """A node's answer to a client."""

    operation: int
    attempt: int
    outcome: str
    """`ok`; `refused` (certainly not done here, try elsewhere); `failed` (certainly not done at all)."""
    value: str | None
    """What a read found, or what a failed `cas` found instead."""
    version: int
    """Index of the log entry that wrote `value`; 0 when the key was never written."""
    leader: NodeId | None
    """On `refused`: who leads, as far as this node knows."""

    @property
    def kind(self) -> str:
        """`ok` or `refused`: what the client learns."""
        return "ok" if self.outcome == "ok" else "refused"

    @property
    def label(self) -> str:
        """The answer on the pill."""
        if self.outcome == "ok":
            return "OK" if self.value is None else f"OK {self.value}"
        if self.outcome == "refused":
            return f"ask {self.leader}" if self.leader else "no leader"
        return "no: differs"


Message = (
    AppendEntries
    | AppendEntriesReply
    | RequestVote
    | RequestVoteReply
    | TimeoutNow
    | ClientRequest
    | ClientReply
)

MESSAGE_KINDS = (
    "append", "heartbeat", "reply", "vote-request", "vote", "hand-over",
    "write", "read", "cas", "delete", "ok", "refused",
)  # fmt: skip
"""Every value that `kind` can take: the words that `drop next …` understands."""
