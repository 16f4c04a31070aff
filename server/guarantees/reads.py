"""Where each read's answer came from, and how old it was.

A read is *stale* when it misses a write that its caller could have relied on: a write to the same
key that some client had been told succeeded **before the read was called**, that the log that counts
still holds, and that the answering node had not applied. Being newer than the last acknowledged
value is not stale, nor is missing a write that was acknowledged while the read was under way, nor
missing one that was lost (that is the ledger's business).

How stale: `entries` counts the missed acknowledged writes to the key; `staleness_us` is how long
before the answer the first client was told of one of them; `entries_behind`
counts the log entries of any key that the leader had applied and the answering node had not.

**Bounded staleness** (Terry, *Replicated Data Consistency Explained Through Baseball*, 2011): no read
misses a write whose client had been told OK longer than the `staleness-bound` setting before the read
was called.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from server.cluster.events import ReadAnswered
from server.cluster.messages import NodeId
from server.guarantees.findings import Finding, Promise, counted, seconds, value_text
from server.guarantees.ledger import Ledger, Life, Shown
from server.guarantees.observed import ObservedCluster, Partition, Record, Replica

_OUT_OF_ORDER_MAX = 1_000
"""How many answers to writes may overtake one another: more than all clients can have open."""


@dataclass(slots=True)
class ReadJudgement:
    """One answered read beside what the leader of the highest term held at that moment."""

    operation: int
    key: str
    node: NodeId
    value: str | None
    version: int
    answered_us: int
    leader: NodeId | None
    """The running leader of the highest term; `None` when there was none."""
    leader_value: str | None
    leader_version: int
    stale: bool
    entries: int
    """Acknowledged writes to the key that it missed."""
    staleness_us: int
    """Since a client was told of the first missed write; 0 when it missed none."""
    entries_behind: int
    """Log entries of any key that the leader had applied and this node had not."""
    missed: int | None
    """Operation number of the first missed write."""
    missed_label: str | None
    is_dirty: bool
    """The value came from an entry that the log that counts does not hold."""
    lost_label: str | None = None
    """The newest lost write to the key, when it was acknowledged after the value was stored."""

    @property
    def says(self) -> str:
        """One sentence: what was returned, by whom, and how that compares."""
        answer = f"{self.node} answered {value_text(self.key, self.value)}"
        if self.stale:
            behind = ""
            if self.leader and self.entries_behind:
                entries = "entry" if self.entries_behind == 1 else "entries"
                behind = f"; it was {self.entries_behind:,} log {entries} behind {self.leader}"
            return (
                f"{answer} and missed {counted(self.entries, 'acknowledged write')} to {self.key}: "
                f"{self.missed_label} had been acknowledged {seconds(self.staleness_us)} before{behind}."
            )
        if self.is_dirty:
            return f"{answer} from an entry that is not in the log of {self.leader or 'the last leader'}."
        if self.leader is None:
            return f"{answer} while no leader was up."
        if self.leader != self.node and self.leader_version != self.version:
            held = value_text(self.key, self.leader_value)
            return f"{answer} while {self.leader}, the leader, held {held}: no promise was broken."
        if self.lost_label is not None:
            return f"{answer}, the newest that still exists; {self.lost_label} is lost."
        return f"{answer}, the newest there was."


@dataclass(slots=True)
class Reads:
    """Judges every answered read. Called by `Judges`."""

    cluster: ObservedCluster
    ledger: Ledger
    judgements: dict[int, ReadJudgement] = field(default_factory=dict)
    pending: dict[int, list[ReadJudgement]] = field(default_factory=dict)
    """Of reads whose client has no answer yet: a retried read may be answered more than once."""
    stale_count: int = 0
    bounded_staleness: Promise = field(
        default_factory=lambda: Promise(
            "bounded_staleness",
            "Bounded staleness",
            "No read was older than the staleness bound allows.",
            "no read has been answered",
        )
    )

    def promises(self) -> tuple[Promise, ...]:
        """What may be promised of reads, whoever asks."""
        return (self.bounded_staleness,)

    def answered(self, life: Life, event: ReadAnswered) -> None:
        """A node answered: note what it showed, and what it should have shown."""
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        record = shown_record(partition, replica, event.key, event.version, event.applied_index)
        state = replica.log.get(event.applied_index)
        life.partition = partition.number
        if state is not None or event.applied_index == 0:  # Otherwise nothing can be said about it.
            if life.answers is None:
                life.answers = []
            life.answers.append(
                Shown(
                    life.operation, event.node, event.value, event.version, record, state,
                    partition.number, event.at_us, life.called_us,
                )
            )  # fmt: skip
        judgement = self._judge(life, event, partition, replica, record)
        self.judgements[life.operation] = judgement
        self.pending.setdefault(life.operation, []).append(judgement)

    def ended(self, life: Life) -> list[Finding]:
        """The client has its answer: the judgement of that one stands."""
        taken = (life.answered_by, life.result, life.version)
        answers = self.pending.pop(life.operation, ())
        judgement = next((each for each in answers if (each.node, each.value, each.version) == taken), None)
        if judgement is None or life.outcome != "ok":
            return []
        self.judgements[life.operation] = judgement
        self.bounded_staleness.judge()
        if not judgement.stale:
            return []
        self.stale_count += 1
        named = (judgement.missed,) if judgement.missed is not None else ()
        stale = Finding("fresh_reads", False, judgement.says, (*named, life.operation))
        return [stale, *self._judge_bound(life, judgement)]

    def _judge_bound(self, life: Life, judgement: ReadJudgement) -> list[Finding]:
        """Whether the first write that it missed was known for longer than a read may be behind."""
        bound_us = self.cluster.settings.get("staleness-bound")
        missed = self.ledger.lives.get(judgement.missed or 0)
        if not isinstance(bound_us, int) or missed is None or missed.returned_us is None:
            return []
        late_us = life.called_us - missed.returned_us
        if late_us <= bound_us:
            return []
        says = (
            f"Client {life.client} read {value_text(life.key, judgement.value)} from {judgement.node} at "
            f"{seconds(life.called_us)}, but {missed.label} had been acknowledged {seconds(late_us)} before: "
            f"more than the {seconds(bound_us)} that a read may be behind."
        )
        return [self.bounded_staleness.break_with(says, missed.operation, life.operation)]

    def _judge(
        self,
        life: Life,
        event: ReadAnswered,
        partition: Partition,
        replica: Replica,
        record: Record | None,
    ) -> ReadJudgement:
        leader = self.cluster.live_leader(partition)
        leader_value, leader_version = None, 0
        if leader is not None:
            leader_value, held = leader.store.get(life.key, (None, None))
            leader_version = held.index if held is not None else 0
        position = _position(partition, replica, max(event.applied_index, event.version))
        missed_count, missed = self._missed(life, position)
        since_us = 0
        if missed is not None and missed.returned_us is not None:
            since_us = event.at_us - missed.returned_us
        return ReadJudgement(
            life.operation, life.key, event.node, event.value, event.version, event.at_us,
            leader.node if leader is not None else None, leader_value, leader_version,
            missed_count > 0, missed_count, since_us,
            max(0, leader.applied_index - position) if leader is not None else 0,
            missed.operation if missed is not None else None,
            missed.label if missed is not None else None,
            record is not None and partition.authority is not None
            and not partition.is_in_authority(record),
            self._lost_since(life.key, record),
        )  # fmt: skip

    def _lost_since(self, key: str, record: Record | None) -> str | None:
        """The last write to the key that is lost now and had entered a log after `record` did."""
        for operation in reversed(self.ledger.lost):
            lost = self.ledger.lives[operation]
            if lost.key == key and lost.records:
                is_newer = record is None or lost.records[-1].created_sequence > record.created_sequence
                return lost.label if is_newer else None
        return None

    def _missed(self, life: Life, position: int) -> tuple[int, Life | None]:
        """How many writes to the key, acknowledged before the call, stand after `position` in the
        log, and the one of them that was told first. Costs a bisection, the writes acknowledged during the
        read, and a look at a few neighbours."""
        key = self.ledger.keys.get(life.key)
        if key is None or not key.order or key.order[-1][0] <= position:
            return 0, None
        start = bisect_right(key.order, (position + 1, -1))
        count = len(key.order) - start
        for sequence, index in reversed(key.told):
            if sequence < life.called_sequence:
                break
            count -= index > position
        if count <= 0:
            return 0, None
        # Clients are told nearly in the log's order: the first that was told of a missed write stands near
        # the place in that order.
        for place in range(max(0, start - _OUT_OF_ORDER_MAX), len(key.told)):
            sequence, index = key.told[place]
            if index > position and sequence < life.called_sequence:
                return count, self.ledger.lives[key.order[bisect_left(key.order, (index, -1))][1]]
        return 0, None


def _position(partition: Partition, replica: Replica, applied_index: int) -> int:
    """How far along the log that counts this replica's state stands: what it has applied, but no
    further than where its log parts from that one."""
    authority = partition.authority
    if authority is None or authority is replica or applied_index == 0:
        return applied_index
    state = replica.log.get(applied_index)
    if state is not None and authority.log.get(applied_index) is state:
        return applied_index
    return min(applied_index, partition.common_index(authority, replica))


def shown_record(
    partition: Partition, replica: Replica, key: str, version: int, applied_index: int
) -> Record | None:
    """The entry that made what a read of `key` saw, a delete included; `None` if there was none."""
    _, record = replica.store.get(key, (None, None))
    if record is not None and record.index <= applied_index:
        return record
    if version > 0:
        return replica.log.get(version)
    state = replica.log.get(applied_index)
    return partition.newest_write(key, state) if state is not None else None
