"""A stage for judges: events written by hand, stamped and observed one after another."""

from __future__ import annotations

from server.cluster import events
from server.cluster.messages import LogEntry
from server.guarantees import Finding, Judges

SECOND = 1_000_000


class Stage:
    """Plays a cluster's events to `judges`. Times are seconds; `say` moves the clock only forwards."""

    def __init__(self, **settings: str | int | bool) -> None:
        self.judges = Judges()
        self.findings: list[Finding] = []
        self.trace: list[events.Event] = []
        self.now_us = 0
        self.operations = 0
        self.kinds: dict[int, tuple[str, str, str | None, str | None]] = {}
        for name, value in settings.items():
            self.say(events.SettingChanged(name.replace("_", "-"), value, None))

    def at(self, seconds: float) -> Stage:
        """From here on it is this late."""
        self.now_us = round(seconds * SECOND)
        return self

    def say(self, *happened: events.Event) -> list[Finding]:
        """These events happen now; gives what the judges found in them."""
        found = []
        for event in happened:
            event.sequence, event.at_us, event.cause = len(self.trace), self.now_us, None
            self.trace.append(event)
            found += self.judges.observe(event)
        self.findings += found
        return found

    # --- roles and machines ---

    def lead(self, node: str, term: int, how: str = "elected", partition: int = 0) -> list[Finding]:
        """A leader starts."""
        return self.say(events.LeaderStarted(node, partition, term, how, ()))

    def kill(self, node: str, keep: int | None = None, partition: int = 0) -> list[Finding]:
        """A machine dies and keeps the first `keep` entries of its log (all by default)."""
        found = self.say(events.NodeKilled(node))
        return found if keep is None else found + self.truncate(node, keep + 1, "crash", partition)

    def restart(self, node: str) -> list[Finding]:
        """A machine runs again."""
        return self.say(events.NodeRestarted(node))

    # --- logs ---

    def append(self, node: str, index: int, term: int, operation: int | None, partition: int = 0) -> LogEntry:
        """A leader appends the operation's entry (or a noop)."""
        entry = self.entry(index, term, operation)
        self.say(events.EntryAppended(node, partition, entry))
        return entry

    def entry(self, index: int, term: int, operation: int | None) -> LogEntry:
        """The entry that an operation asks for."""
        kind, key, value, expected = self.kinds.get(operation or 0, ("noop", None, None, None))
        return LogEntry(index, term, kind, key, value, expected, operation)

    def receive(self, nodes: str, entry: LogEntry, partition: int = 0) -> list[Finding]:
        """Followers receive an entry and flush it."""
        found = []
        for node in nodes:
            found += self.say(
                events.EntryReceived(node, partition, entry), events.LogFlushed(node, partition, entry.index)
            )
        return found

    def flush(self, node: str, index: int, partition: int = 0) -> list[Finding]:
        """A log is on disk up to here."""
        return self.say(events.LogFlushed(node, partition, index))

    def commit(self, node: str, index: int, partition: int = 0) -> list[Finding]:
        """A replica learns that entries are committed."""
        return self.say(events.CommitAdvanced(node, partition, index))

    def apply(
        self, nodes: str, entry: LogEntry, changed: bool = True, found: str | None = None
    ) -> list[Finding]:
        """Replicas apply an entry; a cas that changes nothing says what it `found`."""
        value = None if entry.kind == "delete" else entry.value if changed else found
        return [
            finding
            for node in nodes
            for finding in self.say(
                events.EntryApplied(node, 0, entry.index, entry.term, entry.key, value, changed)
            )
        ]

    def truncate(self, node: str, index: int, reason: str = "conflict", partition: int = 0) -> list[Finding]:
        """A log loses everything from `index` on."""
        return self.say(events.LogTruncated(node, partition, index, (), reason))

    # --- operations ---

    def call(
        self, kind: str, key: str, value: str | None = None, *,
        client: str = "1", target: str = "A", expected: str | None = None,
    ) -> int:  # fmt: skip
        """A client calls; gives the operation's number."""
        self.operations += 1
        self.kinds[self.operations] = (kind, key, value, expected)
        self.say(events.OperationStarted(self.operations, client, kind, key, value, expected, target))
        return self.operations

    def confirm(self, node: str, operation: int, index: int, term: int) -> list[Finding]:
        """A leader answers OK."""
        return self.say(events.WriteAcknowledged(node, 0, operation, index, term, (node,)))

    def end(
        self, operation: int, outcome: str = "ok", *, value: str | None = None,
        node: str | None = "A", version: int = 0, client: str = "1",
    ) -> list[Finding]:  # fmt: skip
        """The client is told, or gives up."""
        answered = node if outcome != "unknown" else None
        return self.say(events.OperationEnded(operation, client, outcome, value, version, answered))

    def write(
        self,
        node: str,
        index: int,
        term: int,
        key: str,
        value: str,
        *,
        client: str = "1",
        followers: str = "",
    ) -> tuple[int, LogEntry]:
        """A whole write: called, appended, flushed, received, applied, acknowledged, told."""
        operation = self.call("write", key, value, client=client, target=node)
        entry = self.append(node, index, term, operation)
        self.flush(node, index)
        self.receive(followers, entry)
        self.apply(node + followers, entry)
        self.confirm(node, operation, index, term)
        self.end(operation, node=node, client=client)
        return operation, entry

    def read(
        self, node: str, key: str, value: str | None, version: int, applied: int, *, client: str = "1"
    ) -> int:
        """A whole read: called, answered, told."""
        operation = self.call("read", key, client=client, target=node)
        self.answer(operation, node, value, version, applied)
        self.end(operation, value=value, node=node, version=version, client=client)
        return operation

    def answer(
        self, operation: int, node: str, value: str | None, version: int, applied: int
    ) -> list[Finding]:
        """A node answers a read."""
        key = self.kinds[operation][1]
        return self.say(events.ReadAnswered(node, 0, operation, key, value, version, applied))

    def broken(self) -> list[str]:
        """The promises that do not hold now."""
        return [key for key, verdict in self.judges.verdicts().items() if verdict.held is False]
