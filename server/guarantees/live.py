"""Linearizability while a run goes on, mostly without a search.

The judges see the logs, so they have a candidate for the order that linearizability asks for: the
log that counts, with every read just after the entry it saw. Whether each operation fits into that
order, and the order into real time, takes one comparison when the operation ends. As long as all of
a key's operations fit, the order itself is the proof, wherever it came from.

When one does not fit (a stale read, a lost write, an entry applied twice), that order proves nothing
any more and the key's history is searched: at every end while it is short, later each time it has
grown by a quarter, so that the cost per operation stays level. Between two searches the verdict is
open (`None`). A history that is not linearizable stays so, and is not searched again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.cluster.events import EntryApplied
from server.guarantees.findings import Finding, Verdict
from server.guarantees.ledger import Ledger, Life
from server.guarantees.linearizability import HistoryOperation, KeyVerdict, check_key
from server.guarantees.observed import ObservedCluster, Partition, Record, Replica

EXPLORED_LIVE_MAX = 30_000
"""Possibilities tried for one key while a run goes on."""
EXPLORED_FULL_MAX = 500_000
"""… and when the whole run is judged."""
ALWAYS_SEARCHED_MAX = 256
"""Up to this many operations a key is searched whenever one of them ends."""

_TITLE = "Linearizable"


@dataclass(slots=True)
class LiveKey:
    """One key's operations and what is known of them."""

    key: str
    operations: list[Life] = field(default_factory=list)
    partition: int = 0
    floor: int = 0
    """Where the newest ended operation stands: twice its entry's index, and one more for a read of
    it. An operation that begins now may not stand before it."""
    is_proved: bool = True
    """Whether the log's order has explained every operation so far."""
    ended_count: int = 0
    judged_count: int = 0
    """How many operations had ended when the key was last settled by a search."""
    verdict: KeyVerdict | None = None
    """What the last search found."""


@dataclass(slots=True)
class LiveLinearizability:
    """Follows every key. Called by `Judges`."""

    cluster: ObservedCluster
    ledger: Ledger
    keys: dict[str, LiveKey] = field(default_factory=dict)
    violated: dict[str, KeyVerdict] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)
    """Keys whose last operations no search has settled."""
    found: dict[int, str | None] = field(default_factory=dict)
    """What each cas that changed nothing found when its entry was applied."""

    def key(self, name: str) -> LiveKey:
        """The key's history, made at its first operation."""
        found = self.keys.get(name)
        if found is None:
            found = self.keys[name] = LiveKey(name)
        return found

    # --- what happens ----------------------------------------------------------------------------

    def started(self, life: Life) -> None:
        """An operation is called: it may not stand before what has ended."""
        key = self.key(life.key)
        key.operations.append(life)
        life.floor = key.floor

    def ended(self, life: Life) -> list[Finding]:
        """An operation is over: does it fit?"""
        key = self.key(life.key)
        key.ended_count += 1
        if key.verdict is not None and key.verdict.held is False:
            return []
        if key.is_proved and self._fits(key, life):
            return []
        was_proved, key.is_proved = key.is_proved, False
        if not _constrains(life):
            if was_proved:  # It did not happen, yet the order that explained the others holds it.
                self.open[key.key] = None
            return []
        grown = key.ended_count - key.judged_count
        if len(key.operations) > ALWAYS_SEARCHED_MAX and grown * 4 < key.judged_count:
            self.open[key.key] = None
            return []
        return self._search(key, EXPLORED_LIVE_MAX)

    def cas_applied(
        self, partition: Partition, replica: Replica, record: Record, event: EntryApplied
    ) -> None:
        """A cas took effect, or did not: does that agree with the log before it?"""
        before = replica.log.get(record.index - 1)
        prior = None
        if before is not None and event.key is not None:
            newest = partition.newest_write(event.key, before)
            prior = None if newest is None or newest.entry.kind == "delete" else newest.entry.value
        entry = record.entry
        agrees = (prior == entry.expected) == event.changed
        if not event.changed:
            agrees = agrees and prior == event.value
            if entry.operation is not None:
                self.found[entry.operation] = prior
        if not agrees and entry.key is not None:
            self.key(entry.key).is_proved = False

    def stored_twice(self, life: Life) -> None:
        """An operation has a second entry: in the log's order it takes effect twice."""
        self.key(life.key).is_proved = False

    def leader_started(self, partition: Partition, previous: Replica | None, replica: Replica) -> None:
        """The log that counts changed: keys whose operations stood in what is gone lose their proof.
        The histories are what they were, so verdicts stand until another operation ends."""
        if previous is not None and previous is not replica:
            self._drop_after(partition, partition.common_index(previous, replica))

    def truncated(self, partition: Partition, from_index: int) -> None:
        """The log that counts lost its tail."""
        self._drop_after(partition, from_index - 1)

    def _drop_after(self, partition: Partition, index: int) -> None:
        for key in self.keys.values():
            if key.partition == partition.number and key.floor > 2 * index + 1:
                key.is_proved = False

    # --- the cheap proof -------------------------------------------------------------------------

    def _fits(self, key: LiveKey, life: Life) -> bool:
        """Whether an ended operation stands in the log's order where its times and answer allow."""
        if not _constrains(life):
            return life.outcome == "unknown" or not life.records
        if life.kind == "read":
            return self._read_fits(key, life)
        partition = self.cluster.partition(life.partition)
        if len(life.records) != 1 or not partition.is_in_authority(life.records[0]):
            return False
        record = life.records[0]
        if life.outcome == "failed":
            if record.is_effective is not False or self.found.get(life.operation) != life.result:
                return False
        elif life.kind == "cas" and record.is_effective is not True:
            return False
        return _stands(key, life, 2 * record.index)

    def _read_fits(self, key: LiveKey, life: Life) -> bool:
        shown = life.taken_answer()
        if shown is None or shown.value != life.result:
            return False
        record = shown.record
        partition = self.cluster.partition(shown.partition)
        if record is not None:
            held = None if record.entry.kind == "delete" else record.entry.value
            if record.is_effective is False or not partition.is_in_authority(record):
                return False
        else:
            held = None
        if held != life.result:
            return False
        position = 2 * record.index + 1 if record is not None else 1
        if position < life.floor:
            # It may stand later, as long as nothing changed the key in between.
            last = partition.authority.log.get(life.floor // 2) if partition.authority else None
            if last is None or partition.newest_write(key.key, last) is not record:
                return False
            position = life.floor | 1
        return _stands(key, life, position)

    # --- the search ------------------------------------------------------------------------------

    def _search(self, key: LiveKey, explored_max: int) -> list[Finding]:
        history = [as_history(life) for life in key.operations]
        key.verdict = check_key(key.key, history, explored_max=explored_max)
        key.judged_count = key.ended_count
        if key.verdict.held is None:
            self.open[key.key] = None
            return []
        self.open.pop(key.key, None)
        if key.verdict.held:
            return []
        self.violated[key.key] = key.verdict
        named = tuple(operation.identity for operation in key.verdict.counterexample)
        return [Finding("linearizable", False, key.verdict.says, named)]

    def settle(self) -> list[Finding]:
        """Search every key that is open, with the full limit."""
        findings = []
        for name in list(self.open):
            findings += self._search(self.keys[name], EXPLORED_FULL_MAX)
        return findings

    def check_all(self) -> list[KeyVerdict]:
        """How every key stands. A key that the log's order explains needs no search."""
        verdicts = []
        for key in self.keys.values():
            count = len(key.operations)
            if key.verdict is not None:
                verdicts.append(key.verdict._replace(operations=count))
            else:
                says = "Linearizable: the order of the log explains every answer."
                verdicts.append(KeyVerdict(key.key, True, count, 0, (), says))
        return verdicts

    def verdict(self) -> Verdict:
        """How the whole run stands, without searching."""
        if self.violated:
            first = next(iter(self.violated.values()))
            return Verdict(_TITLE, False, first.says, _brief(first))
        if self.open:
            names = ", ".join(self.open)
            return Verdict(_TITLE, None, f"Not decided yet for {names}: too much to search at once.")
        return Verdict(_TITLE, True, "One order of all operations explains every answer.")


def _brief(verdict: KeyVerdict) -> str:
    """`x read as 2`: what no order explains."""
    reads = [each for each in verdict.counterexample if each.kind == "read" and each.outcome == "ok"]
    if not reads:
        return f"{len(verdict.counterexample)} operations at odds"
    last = max(reads, key=lambda each: each.called)
    return f"{verdict.key} read as {'nothing' if last.value is None else last.value}"


def _constrains(life: Life) -> bool:
    """Whether an end adds something that the history must explain."""
    return life.outcome == "ok" or (
        life.outcome == "failed" and life.kind == "cas" and life.result is not None
    )


def _stands(key: LiveKey, life: Life, position: int) -> bool:
    """Put an operation at its place in the log's order, unless something that had ended before it
    was called stands after it. Only reads of one entry may share a place."""
    if position < life.floor or (position == life.floor and position % 2 == 0):
        return False
    key.partition = life.partition
    key.floor = max(key.floor, position)
    return True


def as_history(life: Life) -> HistoryOperation:
    """An operation as its caller saw it."""
    found = life.result if life.outcome == "failed" and life.kind == "cas" else None
    return HistoryOperation(
        life.operation, life.client, life.kind, life.key,
        life.result if life.kind == "read" else life.value,
        life.expected, life.outcome, life.called_sequence, life.returned_sequence,
        found, life.called_us, life.returned_us,
    )  # fmt: skip
