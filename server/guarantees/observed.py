"""The judges' own picture of the cluster, folded from events alone.

It shares nothing with the replication code it is used to judge: a bug there must not be repeated
here. Every log line that any replica ever held is one `Record`; logs refer to records, so "the same
entry" is object identity, and whether one entry precedes another in some log is a walk over terms.

Events may come in any order or with parts missing; what does not fit is taken as it comes, because
a judge that raises would hide the very fault it should report.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field

from server.cluster.messages import Address, LogEntry, NodeId


@dataclass(slots=True)
class Copy:
    """One replica's copy of one entry, and what became of it. Times are virtual microseconds."""

    received_us: int
    flushed_us: int | None = None
    applied_us: int | None = None
    gone_us: int | None = None
    """When it was truncated; `None` while the replica's log holds it."""
    gone_because: str | None = None
    """`conflict` or `crash`."""


@dataclass(slots=True)
class Record:
    """One log entry, wherever it is held. `(index, term)` is its identity (Raft §5.3)."""

    entry: LogEntry
    index: int
    term: int
    previous_term: int | None
    """Term of the entry just before it; 0 before the first; `None` when nobody showed it."""
    base: tuple[int, int] | None
    """Identity of the last entry of an older term before it: one step per term leads to the start."""
    created_by: NodeId
    created_us: int
    created_sequence: int
    copies: dict[NodeId, Copy] = field(default_factory=dict)
    committed_us: int | None = None
    is_effective: bool | None = None
    """Whether applying it changed its key; `None` until some replica applied it."""

    def is_held(self) -> bool:
        """Whether any replica's log still has it."""
        return any(copy.gone_us is None for copy in self.copies.values())


@dataclass(slots=True)
class Replica:
    """One node's copy of one partition's log and store."""

    node: NodeId
    log: dict[int, Record] = field(default_factory=dict)
    """By index. A dictionary, so that a gap in what was observed does no harm."""
    last_index: int = 0
    flushed_index: int = 0
    commit_index: int = 0
    applied_index: int = 0
    is_leader: bool = False
    term: int = 0
    """The term it last led."""
    store: dict[str, tuple[str | None, Record | None]] = field(default_factory=dict)
    """What each key holds here and the entry that made it so, deletes included."""


@dataclass(slots=True)
class Partition:
    """One replicated log with everything that was ever in any copy of it."""

    number: int
    replicas: dict[NodeId, Replica] = field(default_factory=dict)
    records: dict[tuple[int, int], Record] = field(default_factory=dict)
    writes: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Identities of every entry about a key, sorted."""
    authority: Replica | None = None
    """The leader of the highest term, alive or not: its log is the history that counts."""
    authority_term: int = 0
    authority_how: str = "initial"
    authority_us: int = 0
    is_tangled: bool = False
    """Two logs broke log matching: equality at one index then says nothing about those before."""

    def replica(self, node: NodeId) -> Replica:
        """The node's replica, made at its first mention."""
        found = self.replicas.get(node)
        if found is None:
            found = self.replicas[node] = Replica(node)
        return found

    def store_entry(
        self, replica: Replica, entry: LogEntry, at_us: int, sequence: int
    ) -> tuple[Record, bool]:
        """Put an entry at its place in a log. The flag says whether log matching survived it."""
        index, term = entry.index, entry.term
        before = replica.log.get(index - 1)
        previous_term = before.term if before is not None else (0 if index == 1 else None)
        record = self.records.get((index, term))
        matches = True
        if record is None:
            record = self._create(replica, entry, before, previous_term, at_us, sequence)
        elif record.entry != entry or (
            previous_term is not None
            and record.previous_term is not None
            and record.previous_term != previous_term
        ):
            # An identity may be used again once no log holds its first bearer.
            matches = not record.is_held()
            record = self._create(replica, entry, before, previous_term, at_us, sequence)
        replaced = replica.log.get(index)
        if replaced is not None and replaced is not record:
            self._forget(replica, replaced, at_us, "conflict")
        replica.log[index] = record
        replica.last_index = index
        if replica.flushed_index >= index:
            replica.flushed_index = index - 1
        record.copies[replica.node] = Copy(at_us)
        return record, matches

    def _create(
        self,
        replica: Replica,
        entry: LogEntry,
        before: Record | None,
        previous_term: int | None,
        at_us: int,
        sequence: int,
    ) -> Record:
        base = None
        if before is not None:
            base = before.base if before.term == entry.term else (before.index, before.term)
        record = Record(entry, entry.index, entry.term, previous_term, base, replica.node, at_us, sequence)
        self.records[(entry.index, entry.term)] = record
        if entry.key is not None:
            written = self.writes.setdefault(entry.key, [])
            identity = (entry.index, entry.term)
            if not written or written[-1] < identity:
                written.append(identity)
            elif written[bisect_right(written, identity) - 1] != identity:
                insort(written, identity)
        return record

    def truncate(self, replica: Replica, from_index: int, at_us: int, reason: str) -> list[Record]:
        """Drop a log's tail; gives what was dropped, oldest first."""
        removed = []
        for index in range(max(from_index, 1), replica.last_index + 1):
            record = replica.log.pop(index, None)
            if record is not None:
                self._forget(replica, record, at_us, reason)
                removed.append(record)
        last = max(from_index, 1) - 1
        replica.last_index = min(replica.last_index, last)
        replica.flushed_index = min(replica.flushed_index, last)
        replica.commit_index = min(replica.commit_index, last)
        replica.applied_index = min(replica.applied_index, last)
        return removed

    @staticmethod
    def _forget(replica: Replica, record: Record, at_us: int, reason: str) -> None:
        copy = record.copies.get(replica.node)
        if copy is not None and copy.gone_us is None:
            copy.gone_us = at_us
            copy.gone_because = reason

    def flush(self, replica: Replica, index: int, at_us: int) -> None:
        """Mark everything up to `index` as on this replica's disk."""
        for position in range(replica.flushed_index + 1, min(index, replica.last_index) + 1):
            record = replica.log.get(position)
            if record is not None:
                record.copies[replica.node].flushed_us = at_us
        replica.flushed_index = max(replica.flushed_index, min(index, replica.last_index))

    def follows(self, later: Record | None, earlier: Record) -> bool:
        """Whether every log that holds `later` holds `earlier` at or before it.

        Entries of one term are one leader's, so the walk takes one step per term, not per entry."""
        if later is None or self.records.get((earlier.index, earlier.term)) is not earlier:
            return later is earlier
        index, term = later.index, later.term
        while term > earlier.term:
            record = self.records.get((index, term))
            if record is None or record.base is None:
                return False
            index, term = record.base
        return term == earlier.term and index >= earlier.index

    def is_in_authority(self, record: Record) -> bool:
        """Whether the log that counts holds this entry."""
        return self.authority is not None and self.authority.log.get(record.index) is record

    def common_index(self, one: Replica, other: Replica) -> int:
        """Up to which index two logs are the same. Logs part once and for good (Raft §5.3), so
        bisection finds the place; a tangled partition is walked instead."""
        low, high = 0, min(one.last_index, other.last_index)
        if self.is_tangled:
            while low < high and one.log.get(low + 1) is other.log.get(low + 1):
                low += 1
            return low
        while low < high:
            middle = (low + high + 1) // 2
            if one.log.get(middle) is other.log.get(middle):
                low = middle
            else:
                high = middle - 1
        return low

    def newest_write(self, key: str, at: Record) -> Record | None:
        """The newest effective entry about `key` at or before `at` in the history of `at`."""
        written = self.writes.get(key, [])
        for position in range(bisect_right(written, (at.index, at.term)) - 1, -1, -1):
            record = self.records[written[position]]
            if record.is_effective is not False and self.follows(at, record):
                return record
        return None


@dataclass(slots=True)
class Machine:
    """Whether a node runs, and since when not."""

    state: str = "up"
    """`up`, `dead`, `paused` or `removed`."""
    since_us: int = 0


@dataclass(slots=True)
class ObservedCluster:
    """Everything outside the logs that a judge's sentence may need."""

    partitions: dict[int, Partition] = field(default_factory=dict)
    machines: dict[NodeId, Machine] = field(default_factory=dict)
    cuts: dict[tuple[Address, Address], int] = field(default_factory=dict)
    """Directions that carry nothing, each with the time it was cut."""
    settings: dict[str, str | int | bool] = field(default_factory=dict)
    """The cluster's settings by spoken name."""

    def partition(self, number: int) -> Partition:
        """The partition of that number, made at its first mention."""
        found = self.partitions.get(number)
        if found is None:
            found = self.partitions[number] = Partition(number)
        return found

    def machine(self, node: NodeId) -> Machine:
        """The node's machine, made at its first mention."""
        found = self.machines.get(node)
        if found is None:
            found = self.machines[node] = Machine()
        return found

    def set_machine(self, node: NodeId, state: str, at_us: int) -> None:
        """A machine now runs or does not. A dead or removed machine leads nothing."""
        machine = self.machine(node)
        machine.state, machine.since_us = state, at_us
        if state in ("dead", "removed"):
            for partition in self.partitions.values():
                replica = partition.replicas.get(node)
                if replica is not None:
                    replica.is_leader = False

    def live_leader(self, partition: Partition) -> Replica | None:
        """The leader of the highest term on a running machine."""
        best: Replica | None = None
        for replica in partition.replicas.values():
            if (
                replica.is_leader
                and self.machine(replica.node).state == "up"
                and (best is None or replica.term > best.term)
            ):
                best = replica
        return best
