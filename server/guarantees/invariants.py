"""The promises of the protocol itself (Raft, Figure 3), checked at every event that could break one.

- **One leader per term** (election safety).
- **Log matching**: two logs that hold the same entry (index and term) are identical up to it. Each
  entry remembers the term of the one before it, so comparing that at every append proves the rest
  by induction.
- **Committed never lost** (leader completeness): an entry is committed when a leader's
  `commit.advanced` covers it; every leader of a later term must hold it from its start.
- **State machine agreement**: no two nodes take different entries at one index for committed. What
  was applied before it was committed and truncated later is allowed: some policies let it be read.
- **Acknowledged means committed**: with replication `quorum` or `sync`, and level `flushed` or
  `applied`, a leader answers OK only for a committed entry. (At level `received` it may not be.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.cluster.messages import LogEntry, NodeId
from server.guarantees.findings import Finding, Promise, counted
from server.guarantees.observed import ObservedCluster, Partition, Record, Replica


@dataclass(slots=True)
class Committed:
    """The committed entries of one partition, as its leaders announced them."""

    records: dict[int, Record] = field(default_factory=dict)
    last_index: int = 0


def _one_leader() -> Promise:
    return Promise("one_leader_per_term", "One leader per term", "No term has had two leaders.")


def _log_matching() -> Promise:
    return Promise("log_matching", "Log matching", "Logs that hold the same entry are the same up to it.")


def _committed() -> Promise:
    return Promise(
        "committed_never_lost", "Committed never lost", "No later leader lacked a committed entry."
    )


def _agreement() -> Promise:
    return Promise(
        "state_machine_agreement", "State machine agreement",
        "No two nodes committed different entries at one place.",
    )  # fmt: skip


def _acknowledged() -> Promise:
    return Promise(
        "acknowledged_is_committed", "Acknowledged means committed",
        "Under quorum and sync, only committed writes were acknowledged.",
        "no write has been acknowledged under quorum or sync at level flushed or applied, which promise it",
    )  # fmt: skip


@dataclass(slots=True)
class Invariants:
    """Checks the protocol's promises. Called by `Judges` after the picture was brought up to date."""

    cluster: ObservedCluster
    leaders: dict[tuple[int, int], NodeId] = field(default_factory=dict)
    """(partition, term) to the node that led it first."""
    committed: dict[int, Committed] = field(default_factory=dict)
    one_leader_per_term: Promise = field(default_factory=_one_leader)
    log_matching: Promise = field(default_factory=_log_matching)
    committed_never_lost: Promise = field(default_factory=_committed)
    state_machine_agreement: Promise = field(default_factory=_agreement)
    acknowledged_is_committed: Promise = field(default_factory=_acknowledged)

    def promises(self) -> tuple[Promise, ...]:
        """The five promises in the order people are shown them."""
        return (
            self.one_leader_per_term, self.log_matching, self.committed_never_lost,
            self.state_machine_agreement, self.acknowledged_is_committed,
        )  # fmt: skip

    def log_mismatched(self, partition: Partition, replica: Replica, entry: LogEntry) -> Finding:
        """The picture found that an entry's identity or its predecessor differs between two logs."""
        partition.is_tangled = True
        return self.log_matching.break_with(
            f"Entry {entry.index} of term {entry.term} ({entry.label}) on {replica.node} is not the same, "
            "or does not follow the same entry, as in another log.",
            *_operations(entry),
        )

    def leader_started(self, partition: Partition, replica: Replica, term: int) -> list[Finding]:
        """A replica leads `term`: is it the only one, and does it hold all that is committed?"""
        findings = []
        first = self.leaders.setdefault((partition.number, term), replica.node)
        if first != replica.node:
            findings.append(
                self.one_leader_per_term.break_with(
                    f"Both {first} and {replica.node} became leader of term {term}."
                )
            )
        committed = self.committed.get(partition.number)
        if committed is not None and term >= partition.authority_term:
            findings += self._judge_completeness(partition, replica, term, committed)
        return findings

    def _judge_completeness(
        self, partition: Partition, replica: Replica, term: int, committed: Committed
    ) -> list[Finding]:
        last = committed.records.get(committed.last_index)
        if last is None or (replica.log.get(committed.last_index) is last and not partition.is_tangled):
            return []
        missing: list[Record] = []
        index = committed.last_index
        while index > 0 and replica.log.get(index) is not committed.records.get(index):
            record = committed.records.pop(index, None)
            if record is not None:
                missing.append(record)
            index -= 1
        committed.last_index = index  # The new leader's log is the history from here on.
        if not missing:
            return []
        missing.reverse()
        entries = counted(len(missing), "committed entry").replace("entrys", "entries")
        says = (
            f"{replica.node} became leader of term {term} without {entries}, "
            f"from {missing[0].entry.label} at index {missing[0].index} on."
        )
        operations = [number for record in missing for number in _operations(record.entry)]
        return [self.committed_never_lost.break_with(says, *operations)]

    def commit_advanced(
        self, partition: Partition, replica: Replica, before: int, at_us: int
    ) -> list[Finding]:
        """A replica's commit index rose from `before`. On a leader that commits; elsewhere it is news."""
        committed = self.committed.get(partition.number)
        if committed is None:
            committed = self.committed[partition.number] = Committed()
        if not replica.is_leader:
            return self._judge_news(replica, committed)
        last = committed.last_index
        if last and replica.log.get(last) is committed.records.get(last):
            before = max(before, last)  # All before it are the same, too: log matching.
        findings = []
        for index in range(before + 1, min(replica.commit_index, replica.last_index) + 1):
            record = replica.log.get(index)
            if record is not None:
                findings += self._commit(partition, replica, committed, record, at_us)
        return findings

    def _commit(
        self, partition: Partition, replica: Replica, committed: Committed, record: Record, at_us: int
    ) -> list[Finding]:
        if record.committed_us is None:
            record.committed_us = at_us
        findings = []
        known = committed.records.get(record.index)
        if known is not None and known is not record:
            findings.append(self._disagreement(replica.node, record.index, record.term, known))
        authority = partition.authority
        if authority is not None and authority is not replica and not partition.is_in_authority(record):
            says = (
                f"{replica.node}, which no longer leads, committed {record.entry.label} at index "
                f"{record.index}; {authority.node}, the leader of term {partition.authority_term}, lacks it."
            )
            findings.append(self.committed_never_lost.break_with(says, *_operations(record.entry)))
            return findings
        committed.records[record.index] = record
        committed.last_index = max(committed.last_index, record.index)
        return findings

    def _judge_news(self, replica: Replica, committed: Committed) -> list[Finding]:
        index = min(replica.commit_index, committed.last_index)
        record, known = replica.log.get(index), committed.records.get(index)
        if record is None or known is None or record is known:
            return []
        return [self._disagreement(replica.node, index, record.term, known)]

    def applied(self, partition: Partition, replica: Replica, index: int, term: int) -> list[Finding]:
        """A node applied an entry that it knows to be committed: is it the one that was?"""
        if index > replica.commit_index:
            return []
        committed = self.committed.get(partition.number)
        known = committed.records.get(index) if committed is not None else None
        if known is None or known.term == term:
            return []
        return [self._disagreement(replica.node, index, term, known)]

    def _disagreement(self, node: NodeId, index: int, term: int, known: Record) -> Finding:
        says = (
            f"{node} took entry {index} of term {term} for committed, but {known.entry.label} of term "
            f"{known.term} was committed there."
        )
        return self.state_machine_agreement.break_with(says, *_operations(known.entry))

    def acknowledged(self, node: NodeId, operation: int, record: Record | None) -> list[Finding]:
        """A leader answered OK: under quorum and sync the entry must be committed by now."""
        settings = self.cluster.settings
        replication = settings.get("replication")
        if replication not in ("quorum", "sync") or settings.get("level") == "received":
            return []
        self.acknowledged_is_committed.judge()
        if record is not None and record.committed_us is not None:
            return []
        what = record.entry.label if record is not None else f"operation {operation}"
        says = f"{node} acknowledged {what} under {replication} replication before it was committed."
        return [self.acknowledged_is_committed.break_with(says, operation)]


def _operations(entry: LogEntry) -> tuple[int, ...]:
    return () if entry.operation is None else (entry.operation,)
