"""What one client may expect of its own operations, whichever nodes answer them.

The four session guarantees are those of Terry et al., *Session Guarantees for Weakly Consistent
Replicated Data* (1994), and consistent prefix is that of Terry, *Replicated Data Consistency
Explained Through Baseball* (2011). A client is a session. Only operations that ended before the
other one began are compared; an operation without an answer promises nothing. A state *includes* an
entry when every log with the state's last entry holds that entry too.

- **Read your writes**: a read misses the client's own acknowledged write to the key. The state
  behind the answer does not include it, and the value shown was not written later either.
- **Monotonic reads**: a read shows an older value of a key than an earlier read did: the state does
  not include the entry shown before, and what it shows was not written later.
- **Monotonic writes**: the log that counts holds a client's write without the one it had made
  before, or with an old one put in again after it (a retry nobody recognised).
- **Writes follow reads**: the log that counts holds a client's write, but not the entry that the
  client had read before it wrote.
- **Consistent prefix**: what a client saw at different times, taken together, is no prefix of one
  order of writes: it saw an entry, and later missed a write to another key that stands before it;
  or it saw two entries of which no log holds both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.cluster.messages import ClientId
from server.guarantees.findings import Finding, Promise, seconds, value_text
from server.guarantees.ledger import Ledger, Life, Shown
from server.guarantees.observed import ObservedCluster, Partition, Record

_LATE_SEARCH_MAX = 200
"""How many of a client's newest writes are compared with an entry that came late."""


@dataclass(slots=True)
class Session:
    """What one client has been told and shown."""

    own_writes: dict[str, tuple[Record, int]] = field(default_factory=dict)
    """By key: the newest acknowledged write and its operation."""
    shown: dict[str, Shown] = field(default_factory=dict)
    """By key: the newest entry that a read has shown."""
    horizon: dict[int, Shown] = field(default_factory=dict)
    """By partition: the newest entry of any key that a read has shown."""
    writes: list[int] = field(default_factory=list)
    """Every mutation, in the order of their calls."""
    lost: dict[int, None] = field(default_factory=dict)
    """Own acknowledged writes that were lost and that no later write was compared with yet."""
    unfollowed: dict[int, Shown] = field(default_factory=dict)
    """Reads of entries that the log that counts does not hold, by read."""


@dataclass(slots=True)
class Sessions:
    """Judges every client's session. Called by `Judges`."""

    cluster: ObservedCluster
    ledger: Ledger
    clients: dict[ClientId, Session] = field(default_factory=dict)
    read_your_writes: Promise = field(
        default_factory=lambda: Promise(
            "read_your_writes",
            "Read your writes",
            "Every read showed its client's own acknowledged writes.",
            "no client has read a key after an OK for a write of its own to it",
        )
    )
    monotonic_reads: Promise = field(
        default_factory=lambda: Promise(
            "monotonic_reads",
            "Monotonic reads",
            "No client saw a key go back to an older value.",
            "no client has read a key again after it found a value there",
        )
    )
    monotonic_writes: Promise = field(
        default_factory=lambda: Promise(
            "monotonic_writes",
            "Monotonic writes",
            "Each client's writes took effect in their order.",
            "no client has written twice",
        )
    )
    writes_follow_reads: Promise = field(
        default_factory=lambda: Promise(
            "writes_follow_reads",
            "Writes follow reads",
            "Every write stands after what its client had read.",
            "no client has written after it read a value",
        )
    )
    consistent_prefix: Promise = field(
        default_factory=lambda: Promise(
            "consistent_prefix",
            "Consistent prefix",
            "No client saw a write without those before it.",
            "no client has read again after it found a value",
        )
    )

    def promises(self) -> tuple[Promise, ...]:
        """The five promises in the order people are shown them."""
        return (
            self.read_your_writes, self.monotonic_reads, self.monotonic_writes,
            self.writes_follow_reads, self.consistent_prefix,
        )  # fmt: skip

    def session(self, client: ClientId) -> Session:
        """The client's session, made at its first mention."""
        found = self.clients.get(client)
        if found is None:
            found = self.clients[client] = Session()
        return found

    # --- what happens ----------------------------------------------------------------------------

    def started(self, life: Life) -> None:
        """An operation begins: what its client knows now is what it may expect."""
        session = self.session(life.client)
        if life.is_mutation:
            if session.writes:
                self.monotonic_writes.judge()
            if session.horizon:
                self.writes_follow_reads.judge()
            session.writes.append(life.operation)
            return
        own = session.own_writes.get(life.key)
        if own is not None:
            life.own_write = own[0]
        life.last_shown = session.shown.get(life.key)
        if session.horizon:
            partition = self._partition_of(life)
            life.horizon = session.horizon.get(partition) if partition is not None else None

    def _partition_of(self, life: Life) -> int | None:
        """The partition a key belongs to, learned from an entry about it or from being alone."""
        for number, partition in self.cluster.partitions.items():
            if life.key in partition.writes or len(self.cluster.partitions) == 1:
                return number
        return None

    def ended(self, life: Life) -> list[Finding]:
        """The client was told something: an acknowledgement to rely on, or a value to compare."""
        if life.outcome != "ok":
            return []
        session = self.session(life.client)
        if life.is_mutation:
            self._remember_write(session, life)
            return []
        shown = life.taken_answer()
        if shown is None:
            return []
        partition = self.cluster.partition(shown.partition)
        findings = [
            *self._judge_own_write(life, shown, partition),
            *self._judge_last_shown(life, shown, partition),
            *self._judge_horizon(life, shown, partition),
        ]
        self._remember_read(session, life, shown, partition)
        return findings

    def _remember_write(self, session: Session, life: Life) -> None:
        if life.operation in self.ledger.lost:
            session.lost[life.operation] = None
        record = life.confirmed or (life.records[-1] if life.records else None)
        if record is None:
            return
        known = session.own_writes.get(life.key)
        if known is None or (known[0].term, known[0].index) < (record.term, record.index):
            session.own_writes[life.key] = (record, life.operation)

    def _remember_read(self, session: Session, life: Life, shown: Shown, partition: Partition) -> None:
        record = shown.record
        if record is None:
            return
        known = session.shown.get(life.key)
        if known is None or known.record is None or _is_newer(record, known.record):
            session.shown[life.key] = shown
        highest = session.horizon.get(shown.partition)
        if highest is None or highest.record is None or _is_newer(record, highest.record):
            session.horizon[shown.partition] = shown
        if partition.authority is not None and not partition.is_in_authority(record):
            session.unfollowed[life.operation] = shown

    # --- reads -----------------------------------------------------------------------------------

    def _judge_own_write(self, life: Life, shown: Shown, partition: Partition) -> list[Finding]:
        record = life.own_write
        if record is None:
            return []
        self.read_your_writes.judge()
        if not _went_back(partition, shown, record):
            return []
        write = self.ledger.lives.get(record.entry.operation or 0)
        if write is None or any(partition.follows(shown.state, entry) for entry in write.records):
            return []
        says = (
            f"Client {life.client} was told at {seconds(write.returned_us or 0)} that {write.label} "
            f"happened, but its read at {seconds(life.called_us)} got "
            f"{value_text(life.key, shown.value)} from {shown.node}."
        )
        return [self.read_your_writes.break_with(says, write.operation, life.operation)]

    def _judge_last_shown(self, life: Life, shown: Shown, partition: Partition) -> list[Finding]:
        last = life.last_shown
        if last is None or last.record is None:
            return []
        self.monotonic_reads.judge()
        if not _went_back(partition, shown, last.record):
            return []
        says = (
            f"Client {life.client} read {value_text(life.key, last.value)} from {last.node} at "
            f"{seconds(last.called_us)}, then {value_text(life.key, shown.value)}, which is older, "
            f"from {shown.node} at {seconds(life.called_us)}."
        )
        return [self.monotonic_reads.break_with(says, last.operation, life.operation)]

    def _judge_horizon(self, life: Life, shown: Shown, partition: Partition) -> list[Finding]:
        last = life.horizon
        if last is None or last.record is None:
            return []
        self.consistent_prefix.judge()
        if partition.follows(shown.state, last.record):
            return []
        seen, seen_key = last.record, last.record.entry.key or ""
        first = f"Client {life.client} read {value_text(seen_key, last.value)} from {last.node}"
        if shown.record is not None and not partition.follows(seen, shown.record):
            says = (
                f"{first}, then {value_text(life.key, shown.value)} from {shown.node}: "
                "no log ever held both of these entries."
            )
            return [self.consistent_prefix.break_with(says, last.operation, life.operation)]
        if seen_key == life.key:
            return []
        newest = partition.newest_write(life.key, seen)
        if newest is None or partition.follows(shown.state, newest):
            return []
        says = (
            f"{first}, then {value_text(life.key, shown.value)} from {shown.node}, which misses "
            f"{newest.entry.label}: that was written before {seen.entry.label}."
        )
        return [self.consistent_prefix.break_with(says, last.operation, life.operation)]

    # --- writes ----------------------------------------------------------------------------------

    def entry_ordered(self, life: Life, record: Record, partition: Partition) -> list[Finding]:
        """A mutation reached the log that counts: is all there that its client knew before?"""
        session = self.session(life.client)
        findings = []
        if session.lost:
            findings += self._judge_lost(session, life, partition)
        if session.unfollowed:
            findings += self._judge_unfollowed(session, life, partition)
        if life.returned_sequence is not None and life.outcome == "ok":
            findings += self._judge_late(session, life, partition)
        return findings

    def _judge_lost(self, session: Session, life: Life, partition: Partition) -> list[Finding]:
        findings = []
        for operation in list(session.lost):
            earlier = self.ledger.lives[operation]
            if operation not in self.ledger.lost:
                del session.lost[operation]
                continue
            if earlier.partition != partition.number or not _ended_before(earlier, life):
                continue
            del session.lost[operation]
            says = (
                f"Client {life.client} wrote {earlier.label} and then {life.label}; the log of "
                f"{_authority(partition)} has {life.label} without {earlier.label}, which was lost."
            )
            findings.append(self.monotonic_writes.break_with(says, operation, life.operation))
        return findings

    def _judge_unfollowed(self, session: Session, life: Life, partition: Partition) -> list[Finding]:
        findings = []
        for operation in list(session.unfollowed):
            shown = session.unfollowed[operation]
            if shown.partition != partition.number or shown.record is None:
                continue
            if partition.is_in_authority(shown.record):
                del session.unfollowed[operation]
                continue
            if not _ended_before(self.ledger.lives[operation], life):
                continue
            del session.unfollowed[operation]
            says = (
                f"Client {life.client} read {value_text(shown.record.entry.key or '', shown.value)} "
                f"from {shown.node} and then wrote {life.label}; the log of {_authority(partition)} "
                f"has {life.label} without the {shown.record.entry.label} it follows."
            )
            findings.append(self.writes_follow_reads.break_with(says, operation, life.operation))
        return findings

    def _judge_late(self, session: Session, life: Life, partition: Partition) -> list[Finding]:
        """An entry of an operation that is over: its client may have written something since."""
        for operation in session.writes[-_LATE_SEARCH_MAX:]:
            later = self.ledger.lives[operation]
            if later.present and later.partition == partition.number and _ended_before(life, later):
                says = (
                    f"Client {life.client} wrote {life.label} and then {later.label}, but a retry put "
                    f"{life.label} into the log of {_authority(partition)} once more, after it."
                )
                return [self.monotonic_writes.break_with(says, life.operation, operation)]
        return []

    def leader_started(self, partition: Partition, findings: list[Finding]) -> None:
        """The log that counts changed: note what clients rely on and it does not hold."""
        self.note_lost(findings)
        for session in self.clients.values():
            for shown in session.shown.values():
                if (
                    shown.partition == partition.number
                    and shown.record is not None
                    and not partition.is_in_authority(shown.record)
                ):
                    session.unfollowed[shown.operation] = shown

    def note_lost(self, findings: list[Finding]) -> None:
        """The ledger has just found these."""
        for finding in findings:
            if finding.promise == "durable" and not finding.held:
                operation = finding.operations[0]
                life = self.ledger.lives[operation]
                self.session(life.client).lost[operation] = None


def _is_newer(record: Record, than: Record) -> bool:
    return (record.term, record.index) > (than.term, than.index)


def _ended_before(earlier: Life, later: Life) -> bool:
    return earlier.returned_sequence is not None and earlier.returned_sequence < later.called_sequence


def _went_back(partition: Partition, shown: Shown, known: Record) -> bool:
    """Whether a read showed something older than `known`, which its client had a right to see."""
    if partition.follows(shown.state, known):
        return False
    return shown.record is None or shown.record.created_sequence < known.created_sequence


def _authority(partition: Partition) -> str:
    return partition.authority.node if partition.authority is not None else "the leader"
