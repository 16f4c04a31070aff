"""One partition's copy on one machine: its log, its store, its term, and the role it plays now.

The replica owns what every role shares: the durable state (term, vote, log), flushing, applying,
and the rule that a higher term is always adopted. What differs by role lives in `leader.py`,
`follower.py` and `candidate.py`; losing the role loses the role's state, as in the Raft paper.

A replica knows the world only through `Machine`, so a test can drive it by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from server.cluster.candidate import Candidate
from server.cluster.events import (
    CommitAdvanced,
    EntryApplied,
    Event,
    LeaderRecognised,
    LeaderStepped,
    LogFlushed,
    LogTruncated,
    ReadAnswered,
    ReadDeferred,
    RequestRefused,
    StoreRebuilt,
    TermAdvanced,
    VoteGranted,
    VoteRefused,
)
from server.cluster.follower import Follower
from server.cluster.leader import Leader
from server.cluster.log import ReplicatedLog
from server.cluster.messages import (
    Address,
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    LogEntry,
    Message,
    NodeId,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from server.cluster.policies import ACKNOWLEDGE_POLICIES
from server.cluster.role import Role
from server.cluster.settings import LIMITS, Settings

if TYPE_CHECKING:
    from server.cluster.simulation import Timer


class Machine(Protocol):
    """What a replica may ask of the machine that hosts it."""

    name: NodeId
    settings: Settings
    is_voter: bool

    @property
    def now_us(self) -> int:
        """Virtual time."""

    @property
    def peers(self) -> tuple[NodeId, ...]:
        """Every other node of the cluster, dead or alive."""

    @property
    def voting_peers(self) -> tuple[NodeId, ...]:
        """Those of them that count in a majority."""

    @property
    def majority(self) -> int:
        """How many voters are more than half."""

    def send(self, target: Address, partition: int, message: Message) -> None:
        """Put a message on the wire."""

    def set_timer(self, delay_us: int, action: Callable[[], None]) -> Timer:
        """Call `action` later, unless the timer is cancelled or the machine dies first."""

    def set_alarm(self, at_us: int, action: Callable[[], None]) -> Timer:
        """Call `action` at a moment of virtual time, unless it is cancelled or the machine dies first."""

    def record(self, event: Event) -> int:
        """Write an event to the trace and return its sequence number."""

    def blame(self, sequence: int | None) -> None:
        """Make a recorded event the cause of what follows."""

    def elapsed_us(self, since_us: int) -> int:
        """How much time this machine's own clock has counted since a moment of virtual time."""

    def draw_election_timeout_us(self) -> int:
        """A random silence between the two election timeout settings, in virtual time."""

    def next_term(self, term: int) -> int:
        """The lowest term above `term` that the operator's register has not given away."""

    def issue_term(self) -> int:
        """A term above every term in the cluster, taken from the operator's register."""

    def admit(self, node: NodeId) -> None:
        """Let a late joiner that has caught up count in majorities."""


class Replica:
    """One copy of one partition."""

    def __init__(self, machine: Machine, partition: int) -> None:
        self.machine = machine
        self.partition = partition
        # Survives a crash: on disk before any message that depends on it leaves (Raft figure 2).
        self.term = 1
        self.voted_for: NodeId | None = None
        self.led_term = 0
        """The last term this replica led; what a restarted leader believes about itself."""
        self.log = ReplicatedLog()
        self.commit_index = 0
        """Known to be on a majority. Invariant: commit_index <= last_index. (Raft may forget it in a crash;
        kept, as etcd does, it need not be learned again.)"""
        self.round = 0
        """Number of the last round of heartbeats it sent as a leader, over all its lives: an answer proves
        that it led when that round was sent, and a number used twice would prove nothing."""
        self._tries: dict[int, int] = {}
        """By operation that changes something: the last try that came here."""
        # Made anew from the log, or lost.
        self.leader: NodeId | None = None
        """Who leads this term, as far as this replica has heard."""
        self.applied_index = 0
        """Invariant: applied_index <= flushed_index."""
        self.store: dict[str, tuple[str, int, int]] = {}
        """key → (value, index, term of the entry that wrote it)."""
        self.deleted: dict[str, int] = {}
        """key → index of the entry that deleted it, while nothing is stored there."""
        self.refused_cas: dict[int, str | None] = {}
        """For each `cas` entry that changed nothing: the value it found."""
        self.role = Role(self)
        self._flush: Timer | None = None
        self._flush_target = 0
        self._apply: Timer | None = None
        self._waiting_reads: list[tuple[Address, ClientRequest]] = []
        """Reads that ask for more, or for something newer, than this replica can show yet."""

    # --- messages ---------------------------------------------------------------------------------

    def receive(self, source: Address, message: Message) -> None:
        """Handle one message: first terms, which fence (Raft §5.1), then the role."""
        if isinstance(message, ClientRequest):
            if self._is_first_copy(message):
                self.role.on_client_request(source, message)
            return
        if isinstance(message, ClientReply):
            return
        if isinstance(message, RequestVote | RequestVoteReply) and message.is_trial:
            self._on_trial(source, message)
            return
        if isinstance(message, RequestVote) and self._ignores(message):
            return
        fencing = self.machine.settings.fencing
        if message.term > self.term and (fencing or self.role.name != "leader"):
            self.adopt_term(message.term)
        if isinstance(message, AppendEntries):
            if message.term < self.term and fencing:
                self.send(source, AppendEntriesReply(self.term, False, 0, 0, 0, message.previous_index))
            else:
                self.role.on_append_entries(source, message)
        elif isinstance(message, AppendEntriesReply):
            if message.term == self.term or not fencing:
                self.role.on_append_entries_reply(source, message)
        elif isinstance(message, RequestVote):
            self._on_request_vote(source, message)
        elif isinstance(message, RequestVoteReply):
            if message.term == self.term:
                self.role.on_vote(source, message)
        elif message.term == self.term:
            self._on_timeout_now(message)

    def _is_first_copy(self, request: ClientRequest) -> bool:
        """Whether this try of a change is new here: a connection hands over nothing twice, and nothing that
        a later try has overtaken. Otherwise a try that was refused could still be carried out."""
        if request.operation_kind == "read":
            return True
        is_first = request.attempt > self._tries.get(request.operation, 0)
        if is_first:
            self._tries[request.operation] = request.attempt
        return is_first

    def _on_trial(self, source: NodeId, message: RequestVote | RequestVoteReply) -> None:
        """A pre-vote: say what would be, and change nothing (Raft thesis §9.6)."""
        if isinstance(message, RequestVoteReply):
            if message.granted and message.term == self.term + 1:
                self.role.on_trial_vote(source, message)
            elif not message.granted and message.term > self.term:
                self.adopt_term(message.term)
            return
        would = (
            message.term > self.term
            and self.machine.is_voter
            and not self.role.trusts_leader()
            and (not self.machine.settings.vote_check or self._is_complete(message))
        )
        self.send(source, RequestVoteReply(message.term if would else self.term, would, is_trial=True))

    def _ignores(self, message: RequestVote) -> bool:
        """A lease holds only if nobody elects another leader while it lasts: who has just heard the
        leader ignores candidates altogether (Raft thesis §6.4.1)."""
        is_lease = self.machine.settings.leader_reads == "lease"
        return is_lease and not message.is_transfer and self.role.trusts_leader()

    def _is_complete(self, message: RequestVote) -> bool:
        """Whether the candidate's log is at least as complete as this one (Raft §5.4.1)."""
        return (message.last_term, message.last_index) >= self.log.last_id

    def _on_request_vote(self, source: NodeId, message: RequestVote) -> None:
        """One vote a term, and only for a log at least as complete as this one (Raft §5.2, §5.4.1)."""
        reason = self._why_not_vote_for(source, message)
        if reason is None:
            self.voted_for = source
            self.machine.record(VoteGranted(self.machine.name, self.partition, self.term, source))
            self.role.on_vote_granted()
        else:
            self.machine.record(VoteRefused(self.machine.name, self.partition, message.term, source, reason))
        self.send(source, RequestVoteReply(self.term, reason is None))

    def _why_not_vote_for(self, candidate: NodeId, message: RequestVote) -> str | None:
        if message.term < self.term:
            return "older term"
        if not self.machine.is_voter:
            return "not a voter"
        if self.voted_for not in (None, candidate):
            return "already voted"
        if self.machine.settings.vote_check and not self._is_complete(message):
            return "log is behind"
        return None

    def _on_timeout_now(self, message: TimeoutNow) -> None:
        if message.successor_term:
            self.lead(message.successor_term, "handed over", ())
        else:
            self.stand(is_transfer=True)

    # --- roles and terms --------------------------------------------------------------------------

    def become(self, role: Role) -> None:
        """Change role; the old role's state is gone."""
        self.role.stop()
        self.role = role

    def adopt_term(self, term: int) -> None:
        """A higher term exists: whatever this replica led or hoped to lead is over (Raft §5.1)."""
        self._advance_term(term)
        self.follow(None, "higher term")

    def follow(self, leader: NodeId | None, reason: str) -> None:
        """Be a follower of this term; `reason` is recorded when that ends a leadership or candidacy."""
        if not isinstance(self.role, Follower):
            was = self.role.name
            self.become(Follower(self))
            if was:
                self.machine.record(LeaderStepped(self.machine.name, self.partition, self.term, was, reason))
            self.role.on_settings_changed()
            self.apply()  # A follower may show what a leader still hides.
        self.recognise(leader)

    def recognise(self, leader: NodeId | None) -> None:
        """Note who leads this term."""
        if leader != self.leader:
            self.leader = leader
            self.machine.record(LeaderRecognised(self.machine.name, self.partition, self.term, leader))

    def stand(self, is_transfer: bool = False) -> None:
        """Stand for election in a new term; `is_transfer` when the leader asked for it."""
        self._advance_term(self.machine.next_term(self.term))
        self.voted_for = self.machine.name
        self.recognise(None)
        candidate = Candidate(self, is_transfer)
        self.become(candidate)
        candidate.start()

    def lead(self, term: int, how: str, votes: tuple[NodeId, ...]) -> None:
        """Lead `term`: won in an election, given by the operator's register, or kept over a restart."""
        if term > self.term:
            self._advance_term(term)
            self.voted_for = self.machine.name
        self.led_term = term
        self.leader = self.machine.name
        leader = Leader(self)
        self.become(leader)
        leader.start(how, votes)

    def _advance_term(self, term: int) -> None:
        self.term = term
        self.voted_for = None
        self.machine.record(TermAdvanced(self.machine.name, self.partition, term))
        self.role.on_term_advanced()

    # --- storage: received → flushed → applied ----------------------------------------------------

    def flush(self) -> None:
        """Bring what was received to disk; one flush at a time takes all that waits (group commit)."""
        if self._flush is None and self.log.flushed_index < self.log.last_index:
            self._flush_target = self.log.last_index
            delay_us = self.machine.settings.flush_us
            if delay_us:
                self._flush = self.machine.set_timer(delay_us, self._on_flush_done)
            else:
                self._on_flush_done()

    def _on_flush_done(self) -> None:
        self._flush = None
        self.log.flushed_index = self._flush_target
        self.machine.record(LogFlushed(self.machine.name, self.partition, self._flush_target))
        self.role.on_flushed()
        self.flush()
        self.apply()

    def advance_commit(self, index: int) -> None:
        """Learn that everything up to `index` is committed."""
        if index > self.commit_index:
            self.commit_index = index
            self.machine.record(CommitAdvanced(self.machine.name, self.partition, index))
            self.apply()

    def apply(self) -> None:
        """Apply entries in order, one at a time, as far as the role lets them be read."""
        if self._apply is not None:
            return
        delay_us = self.machine.settings.apply_us
        while self.applied_index < min(self.role.readable_index(), self.log.flushed_index):
            if delay_us:
                self._apply = self.machine.set_timer(delay_us, self._on_apply_done)
                return
            self._apply_next()
            self.role.on_applied()

    def _on_apply_done(self) -> None:
        self._apply = None
        self._apply_next()
        self.role.on_applied()
        self.apply()

    def _apply_next(self) -> None:
        self.applied_index += 1
        entry = self.log.entries[self.applied_index - 1]
        changed = self._take_effect(entry)
        held = self.store.get(entry.key) if entry.key is not None else None
        self.machine.record(
            EntryApplied(
                self.machine.name, self.partition, entry.index, entry.term,
                entry.key, held[0] if held else None, changed,
            )
        )  # fmt: skip
        self.retry_reads()

    def _take_effect(self, entry: LogEntry) -> bool:
        """Change the store as the entry says; the same log gives the same store on every replica."""
        if entry.key is None:
            return False
        held = self.store.get(entry.key)
        if entry.kind == "delete":
            if held is not None:
                del self.store[entry.key]
                self.deleted[entry.key] = entry.index
            return held is not None
        if entry.kind == "cas" and (held[0] if held else None) != entry.expected:
            self.refused_cas[entry.index] = held[0] if held else None
            return False
        assert entry.value is not None
        self.deleted.pop(entry.key, None)
        self.store[entry.key] = (entry.value, entry.index, entry.term)
        return True

    def truncate_from(self, index: int, reason: str) -> None:
        """Discard the entries from `index` on, undoing what they did to the store."""
        if self._flush is not None and self._flush_target >= index:
            # The running flush carries entries that no longer exist: it must not vouch for new ones.
            self._flush.cancel()
            self._flush = None
        discarded = self.log.truncate_from(index)
        self.machine.record(LogTruncated(self.machine.name, self.partition, index, discarded, reason))
        self.commit_index = min(self.commit_index, self.log.last_index)
        if self._apply is not None and self.applied_index + 1 >= index:
            self._apply.cancel()
            self._apply = None
        if self.applied_index >= index:
            self.rebuild_store(index - 1)

    def rebuild_store(self, applied_index: int) -> None:
        """Replay the log from its start up to `applied_index`, as a recovering machine does."""
        self.applied_index = applied_index
        self.store, self.deleted, self.refused_cas = {}, {}, {}
        for entry in self.log.entries[:applied_index]:
            self._take_effect(entry)
        rows = tuple((key, *self.store[key]) for key in sorted(self.store))
        self.machine.record(
            StoreRebuilt(self.machine.name, self.partition, applied_index, self.commit_index, rows)
        )

    # --- the machine's life -----------------------------------------------------------------------

    def crash(self) -> None:
        """Power is gone: timers stop, the role and everything not flushed are lost."""
        self.become(Role(self))
        self._waiting_reads = []
        self._flush = self._apply = None  # The machine has stopped its timers.
        if self.log.last_index > self.log.flushed_index:
            self.truncate_from(self.log.flushed_index + 1, "crash")

    def recover(self) -> None:
        """Power is back. Under manual failover a leader that nobody replaced, as far as it knows, goes
        on leading (PostgreSQL and MySQL restart as what they were); otherwise it is a follower."""
        self.rebuild_store(min(self.applied_index, self.log.flushed_index))
        self.leader = None
        if self.machine.settings.failover == "manual" and self.led_term == self.term:
            self.lead(self.term, "resumed", ())
        else:
            self.follow(None, "")
            self.role.on_recovered()
        self.apply()

    # --- helpers ----------------------------------------------------------------------------------

    def send(self, target: Address, message: Message) -> None:
        """Send a message of this partition."""
        self.machine.send(target, self.partition, message)

    def readable_index_of_follower(self) -> int:
        """What is on disk; under a policy that shows only committed entries, what is known as such."""
        if ACKNOWLEDGE_POLICIES[self.machine.settings.replication].readable == "committed":
            return self.commit_index
        return self.log.flushed_index

    def answer_read(self, source: Address, request: ClientRequest, is_first_try: bool = True) -> None:
        """Answer from this replica's own store, however old that is, once it shows what the session
        has seen and is as fresh as the session asks."""
        is_behind = request.token > self.applied_index
        if is_behind or not self._is_fresh_enough(request):
            if is_first_try:
                self.defer_read(request, *(("session", request.token) if is_behind else ("staleness", 0)))
            self._waiting_reads.append((source, request))
            del self._waiting_reads[: -LIMITS.reads_waiting_max]
            return
        value, version = None, self.deleted.get(request.key, 0)
        if request.key in self.store:
            value, version, _ = self.store[request.key]
        self.machine.record(
            ReadAnswered(
                self.machine.name, self.partition, request.operation,
                request.key, value, version, self.applied_index,
            )
        )  # fmt: skip
        self.send(source, ClientReply(request.operation, request.attempt, "ok", value, version, None))

    def _is_fresh_enough(self, request: ClientRequest) -> bool:
        """Whether the role can vouch for a state no older than the request's bound; a tenth of it is kept
        back for clocks that differ, as with leases."""
        if request.staleness_bound_us is None:
            return True
        vouched_us = self.role.vouched_us()
        if vouched_us is None:
            return False
        return self.machine.elapsed_us(vouched_us) <= request.staleness_bound_us * 9 // 10

    def retry_reads(self) -> None:
        """More can be shown, or vouched for: answer the reads that waited for that."""
        if self._waiting_reads:
            waiting, self._waiting_reads = self._waiting_reads, []
            for source, request in waiting:
                self.answer_read(source, request, is_first_try=False)

    def defer_read(self, request: ClientRequest, reason: str, awaited_index: int) -> None:
        """Put on record that a read has to wait, and for what."""
        self.machine.record(
            ReadDeferred(
                self.machine.name, self.partition, request.operation, request.key, reason,
                awaited_index, self.applied_index,
            )
        )  # fmt: skip

    def refuse(self, source: Address, request: ClientRequest, reason: str, leader: NodeId | None) -> None:
        """Tell a client that this request was certainly not accepted here, and where to try."""
        self.machine.record(
            RequestRefused(self.machine.name, self.partition, request.operation, reason, leader)
        )
        self.send(source, ClientReply(request.operation, request.attempt, "refused", None, 0, leader))
