"""A replicated log: entries in order, and how many of them are safe on disk.

Received is everything in the list; flushed is the prefix that survives a crash. No policy lives
here: who may append, truncate or flush, and when, is the replica's business.
"""

from __future__ import annotations

from server.cluster.messages import LogEntry


class ReplicatedLog:
    """Entries 1…`last_index` of one replica."""

    __slots__ = ("entries", "flushed_index", "index_of_operation")

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        """The entry with index i is at position i - 1."""
        self.flushed_index = 0
        """Invariant: 0 <= flushed_index <= last_index."""
        self.index_of_operation: dict[int, int] = {}
        """Where each client operation first stands: how a leader recognises a retry."""

    @property
    def last_index(self) -> int:
        """Index of the newest entry; 0 for an empty log."""
        return len(self.entries)

    @property
    def last_term(self) -> int:
        """Term of the newest entry; 0 for an empty log."""
        return self.entries[-1].term if self.entries else 0

    @property
    def last_id(self) -> tuple[int, int]:
        """(term, index) of the newest entry: logs are compared by it (Raft §5.4.1)."""
        return self.last_term, len(self.entries)

    def term_at(self, index: int) -> int:
        """Term of the entry at `index`; 0 for index 0, -1 where the log does not reach."""
        if index == 0:
            return 0
        return self.entries[index - 1].term if index <= len(self.entries) else -1

    def first_index_of_term_at(self, index: int) -> int:
        """The first index of the unbroken stretch of equal terms that `index` stands in."""
        term = self.entries[index - 1].term
        while index > 1 and self.entries[index - 2].term == term:
            index -= 1
        return index

    def append(self, entry: LogEntry) -> None:
        """Put an entry at the end; its index must be the next one."""
        self.entries.append(entry)
        if entry.operation is not None:
            self.index_of_operation.setdefault(entry.operation, entry.index)

    def slice(self, first_index: int, last_index: int) -> tuple[LogEntry, ...]:
        """Entries `first_index`…`last_index`, both included."""
        return tuple(self.entries[first_index - 1 : last_index])

    def truncate_from(self, index: int) -> tuple[LogEntry, ...]:
        """Remove the entries from `index` on and return them, oldest first."""
        discarded = tuple(self.entries[index - 1 :])
        del self.entries[index - 1 :]
        for entry in discarded:
            if entry.operation is not None and self.index_of_operation.get(entry.operation) == entry.index:
                del self.index_of_operation[entry.operation]
        self.flushed_index = min(self.flushed_index, index - 1)
        return discarded
