"""The ledger: one life line for every operation, and which acknowledged writes did not survive.

*Acknowledged* means that the client was told: `operation.ended` with `ok` for a write, cas or
delete. *Lost* means acknowledged, and none of the operation's entries is in the log that counts: the
log of the leader of the highest term, alive or not.

- When a leader of a new term starts, every acknowledged write whose entries its log lacks is lost,
  and a lost write whose entry its log has is lost no more.
- When a crash truncates the log that counts, a write that another log still holds is left open until
  the next leader starts; one that no log holds is lost at once.
- A write acknowledged late by a deposed leader is lost at once if the newer leader's log lacks it.

An operation that was retried without an idempotency key may have several entries; one is enough.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Any

from server.cluster.messages import Address, ClientId, NodeId
from server.guarantees.findings import Finding, Verdict, seconds
from server.guarantees.observed import Machine, ObservedCluster, Partition, Record, Replica


@dataclass(slots=True)
class Shown:
    """What one read showed its client: the operation, the entry it saw, and the state behind it."""

    operation: int
    node: NodeId
    value: str | None
    version: int
    record: Record | None
    """The entry that made the value; `None` when the key was never written."""
    state: Record | None
    """The last entry the answering node had applied; `None` when it had applied none."""
    partition: int
    at_us: int
    called_us: int = 0


@dataclass(slots=True)
class Life:
    """One operation from its call to its end. Times are virtual microseconds."""

    operation: int
    client: ClientId
    kind: str
    key: str
    value: str | None
    expected: str | None
    called_us: int
    called_sequence: int
    outcome: str = "pending"
    returned_us: int | None = None
    returned_sequence: int | None = None
    result: str | None = None
    answered_by: NodeId | None = None
    partition: int = 0
    records: list[Record] = field(default_factory=list)
    """Its entries: none for a read, more than one after a retry that was not recognised."""
    present: int = 0
    """How many of them the log that counts holds."""
    confirmed_us: int | None = None
    """When the leader answered OK, which is before the client is told."""
    confirmed_by: NodeId | None = None
    confirmed: Record | None = None
    answers: list[Shown] | None = None
    """For a read under way: every answer that a node gave, oldest first."""
    version: int = 0
    """The version that the client was told with its answer."""
    is_on_leader_path: bool = True
    """Whether its end says something about the leader (a read sent to a follower does not)."""
    floor: int = 0
    """Where the newest operation on this key that had ended at the call stands in the log's order."""
    own_write: Record | None = None
    """For a read: this client's newest acknowledged write to the key at the call."""
    last_shown: Shown | None = None
    """For a read: the newest value of the key that this client had been shown at the call."""
    horizon: Shown | None = None
    """For a read: the newest entry of any key that this client had been shown at the call."""

    @property
    def is_mutation(self) -> bool:
        """Whether it asks for an entry in the log."""
        return self.kind != "read"

    def taken_answer(self) -> Shown | None:
        """What the node showed whose answer the client took. A node that was asked twice may have given
        two answers."""
        taken = (self.answered_by, self.result, self.version)
        return next(
            (each for each in self.answers or () if (each.node, each.value, each.version) == taken), None
        )

    @property
    def is_acknowledged(self) -> bool:
        """Whether the client was told that it happened."""
        return self.outcome == "ok" and self.kind != "read"

    @property
    def label(self) -> str:
        """What a sentence calls it: `x=3`, `x:1→2`, `delete x`, `read x`."""
        if self.kind == "write":
            return f"{self.key}={self.value}"
        if self.kind == "cas":
            return f"{self.key}:{self.expected if self.expected is not None else '∅'}→{self.value}"
        return f"{self.kind} {self.key}"


@dataclass(slots=True)
class AcknowledgedKey:
    """The acknowledged writes to one key that the log that counts holds."""

    order: list[tuple[int, int]] = field(default_factory=list)
    """(index, operation), in log order."""
    told: list[tuple[int, int]] = field(default_factory=list)
    """(sequence of the event that told the client, index), in the order clients were told."""


@dataclass(slots=True)
class Ledger:
    """Follows every operation. Its methods are called by `Judges`, one per kind of event."""

    cluster: ObservedCluster
    lives: dict[int, Life] = field(default_factory=dict)
    acknowledged: int = 0
    lost: dict[int, str] = field(default_factory=dict)
    """Operation to the sentence that says why, while the log that counts lacks it."""
    keys: dict[str, AcknowledgedKey] = field(default_factory=dict)
    open: dict[int, None] = field(default_factory=dict)
    """Acknowledged, absent from the log that counts, but held by another: the next leader decides."""
    surprises: dict[int, str] = field(default_factory=dict)
    """Operations whose client got no answer although the leader has them, with the sentence."""

    # --- what happens to entries -----------------------------------------------------------------

    def entry_stored(
        self, partition: Partition, replica: Replica, record: Record
    ) -> tuple[Life | None, list[Finding]]:
        """An entry reached a log. Gives the life it belongs to, if it has one."""
        operation = record.entry.operation
        life = self.lives.get(operation) if operation is not None else None
        if life is None:
            return None, []
        if all(known is not record for known in life.records):
            life.records.append(record)
            life.partition = partition.number
        if replica is not partition.authority:
            return life, []
        life.present += 1
        if life.operation in self.lost or life.operation in self.open:
            return life, self._judge(life, partition)
        return life, []

    def truncated(self, partition: Partition, replica: Replica, removed: list[Record]) -> list[Finding]:
        """Entries left a log: the log that counts by a crash, or another one that may be the last."""
        findings = []
        for record in removed:
            operation = record.entry.operation
            life = self.lives.get(operation) if operation is not None else None
            if life is None:
                continue
            if replica is partition.authority:
                life.present = max(0, life.present - 1)
            if life.is_acknowledged and life.operation not in self.lost:
                findings += self._judge(life, partition)
        return findings

    def leader_started(
        self, partition: Partition, previous: Replica | None, replica: Replica
    ) -> list[Finding]:
        """The log that counts is now this replica's: judge whatever the change touches."""
        touched: dict[int, Life] = {}
        if previous is not replica:
            common = partition.common_index(previous, replica) if previous is not None else 0
            if previous is not None:
                self._shift(previous, common, -1, touched)
            self._shift(replica, common, +1, touched)
        for operation in self.open:
            if self.lives[operation].partition == partition.number:
                touched[operation] = self.lives[operation]
        findings = []
        for operation in sorted(touched):
            life = touched[operation]
            findings += self._judge(life, partition, is_final=True)
            findings += self._judge_surprise(life, partition)
        return findings

    def _shift(self, replica: Replica, common: int, change: int, touched: dict[int, Life]) -> None:
        for index in range(common + 1, replica.last_index + 1):
            record = replica.log.get(index)
            if record is None or record.entry.operation is None:
                continue
            life = self.lives.get(record.entry.operation)
            if life is not None:
                life.present = max(0, life.present + change)
                touched[life.operation] = life

    # --- what clients are told -------------------------------------------------------------------

    def confirmed(
        self, partition: Partition, life: Life, node: NodeId, at_us: int, record: Record | None
    ) -> None:
        """A leader answered OK; the client is told later, or never."""
        if life.confirmed_us is None:
            life.confirmed_us, life.confirmed_by, life.confirmed = at_us, node, record
            life.partition = partition.number

    def ended(self, life: Life) -> list[Finding]:
        """The client's operation is over: from here on an OK is a promise."""
        partition = self.cluster.partition(life.partition)
        if not life.is_mutation:
            return []
        if life.outcome != "ok":
            return self._judge_surprise(life, partition)
        self.acknowledged += 1
        if life.present > 0:
            self._list(life, partition)
            return []
        return self._judge(life, partition)

    def _judge_surprise(self, life: Life, partition: Partition) -> list[Finding]:
        if life.outcome != "unknown" or life.present == 0 or life.operation in self.surprises:
            return []
        leader = partition.authority.node if partition.authority is not None else "a leader"
        says = (
            f"Client {life.client} was never told that {life.label} happened and gave up at "
            f"{seconds(life.returned_us or 0)}, yet {leader}, the leader, has it."
        )
        self.surprises[life.operation] = says
        return [Finding("durable", True, says, (life.operation,))]

    # --- the judgement ---------------------------------------------------------------------------

    def _judge(self, life: Life, partition: Partition, is_final: bool = False) -> list[Finding]:
        """Bring one acknowledged operation's entry in `lost` up to date."""
        operation = life.operation
        if not life.is_acknowledged or partition.authority is None:
            return []
        if life.present > 0:
            self.open.pop(operation, None)
            was_lost = self.lost.pop(operation, None) is not None
            self._unlist(life)
            self._list(life, partition)
            if not was_lost:
                return []
            says = f"{life.label} was lost and is back: {partition.authority.node}, the leader, has it."
            return [Finding("durable", True, says, (operation,))]
        if operation in self.lost:
            return []
        if not is_final and self._may_return(life, partition):
            self.open[operation] = None
            return []
        self.open.pop(operation, None)
        self._unlist(life)
        says = self.lost[operation] = _why_lost(self.cluster, partition, life)
        return [Finding("durable", False, says, (operation,))]

    @staticmethod
    def _may_return(life: Life, partition: Partition) -> bool:
        """Whether a log still holds an entry that only a crash of the newest leader took out of the log that
        counts: the next leader may well have it. An entry of an older term that the newer leader's log
        lacked already is on its way out everywhere."""
        return any(
            record.is_held() and (record.term >= partition.authority_term or _crashed_away(record, partition))
            for record in life.records
        )

    def _list(self, life: Life, partition: Partition) -> None:
        index = min((record.index for record in life.records if partition.is_in_authority(record)), default=0)
        if index == 0 or life.returned_sequence is None:
            return
        key = self.keys.get(life.key)
        if key is None:
            key = self.keys[life.key] = AcknowledgedKey()
        _insert(key.order, (index, life.operation))
        _insert(key.told, (life.returned_sequence, index))

    def _unlist(self, life: Life) -> None:
        key = self.keys.get(life.key)
        if key is None:
            return
        for record in life.records:
            _remove(key.order, (record.index, life.operation))
            if life.returned_sequence is not None:
                _remove(key.told, (life.returned_sequence, record.index))

    # --- for readers -----------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """`3 acknowledged, none lost`, or how many are lost and why the first one was."""
        if not self.lost:
            return Verdict("Durable", True, f"{self.acknowledged:,} acknowledged, none lost")
        brief = f"{len(self.lost):,} of {self.acknowledged:,} acknowledged lost"
        return Verdict("Durable", False, f"{brief}. {next(iter(self.lost.values()))}", brief)

    def line(self, operation: int) -> dict[str, Any] | None:
        """An operation's life line as plain JSON values, or `None` for an unknown one."""
        life = self.lives.get(operation)
        if life is None:
            return None
        return {
            "operation": life.operation, "client": life.client, "label": life.label,
            "called_us": life.called_us, "returned_us": life.returned_us, "outcome": life.outcome,
            "confirmed_us": life.confirmed_us, "confirmed_by": life.confirmed_by,
            "entries": [_entry_line(record) for record in life.records],
            "is_present": life.present > 0, "lost_because": self.lost.get(operation),
            "surprise": self.surprises.get(operation),
        }  # fmt: skip


def _entry_line(record: Record) -> dict[str, Any]:
    return {
        "index": record.index, "term": record.term,
        "created_by": record.created_by, "created_us": record.created_us,
        "committed_us": record.committed_us,
        "copies": {
            node: {
                "received_us": copy.received_us, "flushed_us": copy.flushed_us,
                "applied_us": copy.applied_us, "gone_us": copy.gone_us, "gone_because": copy.gone_because,
            }
            for node, copy in record.copies.items()
        },
    }  # fmt: skip


def _insert(rows: list[tuple[int, int]], row: tuple[int, int]) -> None:
    if not rows or rows[-1] < row:
        rows.append(row)
    else:
        insort(rows, row)


def _remove(rows: list[tuple[int, int]], row: tuple[int, int]) -> None:
    place = bisect_left(rows, row)
    if place < len(rows) and rows[place] == row:
        del rows[place]


def _crashed_away(record: Record, partition: Partition) -> bool:
    """Whether the newest leader had this entry, inherited but not on its disk yet, and crashed."""
    copy = record.copies.get(partition.authority.node) if partition.authority is not None else None
    if copy is None or copy.gone_us is None:
        return False
    return copy.gone_because == "crash" and copy.gone_us >= partition.authority_us


# --- why a write was lost, from recorded facts only --------------------------------------------------

_HOW = {
    "elected": "elected at {time}",
    "promoted": "promoted by the operator at {time}",
    "initial": "the leader from the start",
    "resumed": "leading again since {time}",
}


def _why_lost(cluster: ObservedCluster, partition: Partition, life: Life) -> str:
    """`x=3 was acknowledged at 4.10 s by A, which died at 4.21 s; B, elected at 4.82 s, never
    received it.`"""
    record = life.confirmed or (life.records[-1] if life.records else None)
    node = life.confirmed_by or life.answered_by
    told_us = life.confirmed_us if life.confirmed_us is not None else life.returned_us or 0
    start = f"{life.label} was acknowledged at {seconds(told_us)}" + (f" by {node}" if node else "")
    leader = partition.authority
    if record is None or leader is None or node is None:
        return f"{start}, but no log ever held it."
    if leader.node == node:
        return f"{start}, {_own_crash(record, node, partition)}"
    had = _what_leader_had(record, leader.node)
    how = _HOW.get(partition.authority_how, "leading since {time}").format(
        time=seconds(partition.authority_us)
    )
    if partition.authority_us <= told_us:
        return f"{start}, after {leader.node} had taken its place: {leader.node}, {how}, {had}."
    fate = _fate(cluster, partition, record, node)
    return f"{start}{fate}; {leader.node}, {how}, {had}."


def _own_crash(record: Record, node: NodeId, partition: Partition) -> str:
    copy = record.copies.get(node)
    if copy is None or copy.gone_us is None:
        return "which never held it."
    if copy.gone_because == "conflict":
        return f"which discarded it at {seconds(copy.gone_us)}."
    crash = f"which died at {seconds(copy.gone_us)} before the entry was on its disk"
    holders = [name for name, held in record.copies.items() if held.gone_us is None]
    if holders:
        return (
            f"{crash}; {node}, leading again since {seconds(partition.authority_us)}, no longer has "
            f"what only {' and '.join(holders)} received."
        )
    return f"{crash}; no other node has it."


def _what_leader_had(record: Record, leader: NodeId) -> str:
    copy = record.copies.get(leader)
    if copy is None:
        return "never received it"
    if copy.gone_us is None:
        return "holds it no longer"
    if copy.gone_because == "crash":
        return f"had it only in memory when it died at {seconds(copy.gone_us)}"
    return f"had received it but discarded it at {seconds(copy.gone_us)}"


def _fate(cluster: ObservedCluster, partition: Partition, record: Record, node: NodeId) -> str:
    """What had become of the node that acknowledged, when another took over."""
    leader = partition.authority.node if partition.authority is not None else node
    machine = cluster.machines.get(node, Machine())
    copy = record.copies.get(node)
    died_us = machine.since_us if machine.state == "dead" else None
    if died_us is None and copy is not None and copy.gone_because == "crash":
        died_us = copy.gone_us
    if died_us is not None:
        return f", which died at {seconds(died_us)}"
    if machine.state == "paused":
        return f", which stood still from {seconds(machine.since_us)}"
    if machine.state == "removed":
        return f", which was removed at {seconds(machine.since_us)}"
    cut_us = _cut_since(cluster.cuts, node, leader)
    if cut_us is not None:
        return f", which was cut off from {leader} at {seconds(cut_us)}"
    return ""


def _cut_since(cuts: dict[tuple[Address, Address], int], node: NodeId, leader: NodeId) -> int | None:
    times = [cuts[link] for link in ((node, leader), (leader, node)) if link in cuts]
    return min(times) if times else None
