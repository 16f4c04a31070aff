"""All judges of a run behind one door: events in, findings and verdicts out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from server.cluster import events
from server.guarantees.availability import Availability
from server.guarantees.findings import Finding, Verdict
from server.guarantees.invariants import Invariants
from server.guarantees.ledger import Ledger, Life
from server.guarantees.linearizability import KeyVerdict
from server.guarantees.live import LiveLinearizability
from server.guarantees.observed import ObservedCluster
from server.guarantees.reads import ReadJudgement, Reads
from server.guarantees.sessions import Sessions

BREACHES_KEPT = 200
"""Findings of broken promises that are kept as evidence."""


class Judges:
    """Judges one run from outside, from its events alone, as they happen.

    `observe` takes every event in order and gives what it revealed (mostly nothing); its cost does
    not grow with the run. Plain data throughout, so `copy.deepcopy` and `pickle` make a snapshot."""

    def __init__(self) -> None:
        self.cluster = ObservedCluster()
        self.ledger = Ledger(self.cluster)
        self.reads = Reads(self.cluster, self.ledger)
        self.sessions = Sessions(self.cluster, self.ledger)
        self.invariants = Invariants(self.cluster)
        self.availability = Availability(self.cluster)
        self.linearizability = LiveLinearizability(self.cluster, self.ledger)
        self.violations = 0
        """Breaches found of the protocol's invariants, of session guarantees and of linearizability.
        Lost writes, stale reads and unavailability are counted apart: some settings allow them."""
        self.breaches: deque[Finding] = deque(maxlen=BREACHES_KEPT)
        """What broke, oldest first; of very many, the last ones."""
        self._findings: list[Finding] = []
        self._verdicts: dict[str, Verdict] | None = None

    def observe(self, event: events.Event) -> list[Finding]:
        """Take the next event of the run. Never raises, whatever the order of events."""
        handler = _HANDLERS.get(type(event))
        if handler is None:
            return []
        handler(self, event)
        if not self._findings:
            return []
        found, self._findings = self._findings, []
        self._verdicts = None
        for finding in found:
            if finding.held or finding.promise == "durable":
                continue  # Lost writes can come back: the ledger knows which are lost now.
            self.breaches.append(finding)
            if finding.promise != "fresh_reads":
                self.violations += 1
        return found

    # --- what readers ask ------------------------------------------------------------------------

    @property
    def acknowledged(self) -> int:
        """How many writes, cas and deletes clients were told succeeded."""
        return self.ledger.acknowledged

    @property
    def lost(self) -> dict[int, str]:
        """Acknowledged operations that the log that counts does not hold, each with the reason."""
        return self.ledger.lost

    @property
    def stale_reads(self) -> int:
        """How many reads returned less than was acknowledged before they were called."""
        return self.reads.stale_count

    def life(self, operation: int) -> Life | None:
        """Everything known about one operation."""
        return self.ledger.lives.get(operation)

    def read(self, operation: int) -> ReadJudgement | None:
        """Where a read's answer came from; `None` until some node has answered it."""
        return self.reads.judgements.get(operation)

    def verdicts(self) -> dict[str, Verdict]:
        """How every promise stands. The same object until something changed, then a new one."""
        if self._verdicts is None:
            self._verdicts = {
                "durable": self.ledger.verdict(),
                "available": self.availability.verdict(),
                "linearizable": self.linearizability.verdict(),
            }
            for promise in (
                *self.invariants.promises(), *self.sessions.promises(), *self.reads.promises(),
            ):  # fmt: skip
                self._verdicts[promise.key] = promise.verdict()
        return self._verdicts

    def evidence(self, promise: str) -> list[Finding]:
        """Every known breach of one promise, oldest first; for lost writes, those that are lost now."""
        if promise == "durable":
            return [Finding("durable", False, says, (number,)) for number, says in self.lost.items()]
        return [finding for finding in self.breaches if finding.promise == promise]

    def check_linearizability(self) -> list[KeyVerdict]:
        """How every key stands, after searching those that are still open. May take its time."""
        found = self.linearizability.settle()
        self.violations += len(found)
        self.breaches.extend(found)
        self._verdicts = None
        return self.linearizability.check_all()

    def summary(self) -> dict[str, Any]:
        """The `guarantees` of a run's document. Decides linearizability in full."""
        held = [verdict.held for verdict in self.check_linearizability()]
        verdicts = self.verdicts()
        clients = (*self.sessions.promises(), *self.reads.promises())
        sessions = {promise.key: promise.first is None for promise in clients}
        return {
            "acknowledged": self.acknowledged,
            "lost": sorted(self.lost),
            "linearizable": False if False in held else None if None in held else True,
            **sessions,
            "one_leader_per_term": verdicts["one_leader_per_term"].held,
            "log_matching": verdicts["log_matching"].held,
            "committed_never_lost": verdicts["committed_never_lost"].held,
        }

    # --- settings and machines -------------------------------------------------------------------

    def _on_setting_changed(self, event: events.SettingChanged) -> None:
        if event.node is None:
            self.cluster.settings[event.setting] = event.value

    def _on_node_added(self, event: events.NodeAdded) -> None:
        self.cluster.set_machine(event.node, "up", event.at_us)

    def _on_node_stopped(self, event: events.NodeKilled | events.NodePaused | events.NodeRemoved) -> None:
        state = {"node.killed": "dead", "node.paused": "paused"}.get(event.name, "removed")
        self.cluster.set_machine(event.node, state, event.at_us)
        self._leaders_changed(event)

    def _on_node_running(self, event: events.NodeRestarted | events.NodeResumed) -> None:
        self.cluster.set_machine(event.node, "up", event.at_us)
        self._leaders_changed(event)

    def _leaders_changed(self, event: events.Event) -> None:
        self.availability.leaders_changed(event.at_us)
        self._verdicts = None

    def _on_link_cut(self, event: events.LinkCut) -> None:
        self.cluster.cuts.setdefault((event.source, event.target), event.at_us)

    def _on_link_healed(self, event: events.LinkHealed) -> None:
        self.cluster.cuts.pop((event.source, event.target), None)

    # --- roles -----------------------------------------------------------------------------------

    def _on_leader_started(self, event: events.LeaderStarted) -> None:
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        replica.is_leader, replica.term = True, event.term
        self._findings += self.invariants.leader_started(partition, replica, event.term)
        previous = partition.authority
        is_rival = previous is not None and previous is not replica and event.term <= partition.authority_term
        if not is_rival and event.term >= partition.authority_term:
            partition.authority, partition.authority_term = replica, event.term
            partition.authority_how, partition.authority_us = event.how, event.at_us
            self.linearizability.leader_started(partition, previous, replica)
            found = self.ledger.leader_started(partition, previous, replica)
            self.sessions.leader_started(partition, found)
            self._findings += found
        self._leaders_changed(event)

    def _on_leader_stepped(self, event: events.LeaderStepped) -> None:
        if event.was == "leader":
            self.cluster.partition(event.partition).replica(event.node).is_leader = False
            self._leaders_changed(event)

    # --- the log and the store -------------------------------------------------------------------

    def _on_entry_stored(self, event: events.EntryAppended | events.EntryReceived) -> None:
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        entry = event.entry
        record, matches = partition.store_entry(replica, entry, event.at_us, event.sequence)
        if not matches:
            self._findings.append(self.invariants.log_mismatched(partition, replica, entry))
        life, found = self.ledger.entry_stored(partition, replica, record)
        if life is not None and len(life.records) > 1:
            self.linearizability.stored_twice(life)
        if life is not None and replica is partition.authority:
            self._findings += found
            self._findings += self.sessions.entry_ordered(life, record, partition)

    def _on_log_flushed(self, event: events.LogFlushed) -> None:
        partition = self.cluster.partition(event.partition)
        partition.flush(partition.replica(event.node), event.index, event.at_us)

    def _on_commit_advanced(self, event: events.CommitAdvanced) -> None:
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        before, replica.commit_index = replica.commit_index, event.index
        self._findings += self.invariants.commit_advanced(partition, replica, before, event.at_us)

    def _on_entry_applied(self, event: events.EntryApplied) -> None:
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        replica.applied_index = event.index
        record = replica.log.get(event.index)
        key = event.key
        if record is not None:
            copy = record.copies.get(event.node)
            if copy is not None:
                copy.applied_us = event.at_us
            if record.is_effective is None:
                record.is_effective = event.changed
            if record.entry.kind == "cas":
                self.linearizability.cas_applied(partition, replica, record, event)
        if key is not None and event.changed:
            replica.store[key] = (event.value, record)
        self._findings += self.invariants.applied(partition, replica, event.index, event.term)

    def _on_log_truncated(self, event: events.LogTruncated) -> None:
        partition = self.cluster.partition(event.partition)
        replica = partition.replica(event.node)
        removed = partition.truncate(replica, event.from_index, event.at_us, event.reason)
        if replica is partition.authority:
            self.linearizability.truncated(partition, event.from_index)
        found = self.ledger.truncated(partition, replica, removed)
        self.sessions.note_lost(found)
        self._findings += found

    def _on_store_rebuilt(self, event: events.StoreRebuilt) -> None:
        replica = self.cluster.partition(event.partition).replica(event.node)
        replica.applied_index, replica.commit_index = event.applied_index, event.commit_index
        replica.store = {key: (value, replica.log.get(index)) for key, value, index, _ in event.store}

    # --- operations ------------------------------------------------------------------------------

    def _on_operation_started(self, event: events.OperationStarted) -> None:
        if event.operation in self.ledger.lives:
            return
        life = Life(
            event.operation, event.client, event.operation_kind, event.key, event.value,
            event.expected, event.at_us, event.sequence,
        )  # fmt: skip
        self.ledger.lives[event.operation] = life
        if event.operation_kind == "read":
            life.is_on_leader_path = any(
                event.target in partition.replicas and partition.replicas[event.target].is_leader
                for partition in self.cluster.partitions.values()
            )
        self.sessions.started(life)
        self.linearizability.started(life)

    def _on_write_acknowledged(self, event: events.WriteAcknowledged) -> None:
        partition = self.cluster.partition(event.partition)
        record = partition.replica(event.node).log.get(event.index)
        life = self.ledger.lives.get(event.operation)
        if life is not None:
            self.ledger.confirmed(partition, life, event.node, event.at_us, record)
        self._findings += self.invariants.acknowledged(event.node, event.operation, record)

    def _on_read_answered(self, event: events.ReadAnswered) -> None:
        life = self.ledger.lives.get(event.operation)
        if life is not None and life.outcome == "pending":
            self.reads.answered(life, event)

    def _on_operation_ended(self, event: events.OperationEnded) -> None:
        life = self.ledger.lives.get(event.operation)
        if life is None or life.outcome != "pending":
            return
        life.outcome, life.result, life.answered_by = event.outcome, event.value, event.node
        life.returned_us, life.returned_sequence, life.version = event.at_us, event.sequence, event.version
        self._findings += self.ledger.ended(life)
        self._findings += self.linearizability.ended(life)
        if not life.is_mutation:
            self._findings += self.reads.ended(life)
        self._findings += self.sessions.ended(life)
        self.availability.ended(life)
        life.answers = life.last_shown = life.horizon = None  # Only its end needed them.
        self._verdicts = None


_HANDLERS: dict[type[events.Event], Callable[[Judges, Any], None]] = {
    events.SettingChanged: Judges._on_setting_changed,
    events.NodeAdded: Judges._on_node_added,
    events.NodeKilled: Judges._on_node_stopped,
    events.NodePaused: Judges._on_node_stopped,
    events.NodeRemoved: Judges._on_node_stopped,
    events.NodeRestarted: Judges._on_node_running,
    events.NodeResumed: Judges._on_node_running,
    events.LinkCut: Judges._on_link_cut,
    events.LinkHealed: Judges._on_link_healed,
    events.LeaderStarted: Judges._on_leader_started,
    events.LeaderStepped: Judges._on_leader_stepped,
    events.EntryAppended: Judges._on_entry_stored,
    events.EntryReceived: Judges._on_entry_stored,
    events.LogFlushed: Judges._on_log_flushed,
    events.CommitAdvanced: Judges._on_commit_advanced,
    events.EntryApplied: Judges._on_entry_applied,
    events.LogTruncated: Judges._on_log_truncated,
    events.StoreRebuilt: Judges._on_store_rebuilt,
    events.OperationStarted: Judges._on_operation_started,
    events.WriteAcknowledged: Judges._on_write_acknowledged,
    events.ReadAnswered: Judges._on_read_answered,
    events.OperationEnded: Judges._on_operation_ended,
}
"""Which events matter to any judge; the others cost one look-up."""
