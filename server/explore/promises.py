"""What each way of replicating promises: the one table that `explore`, the pages and the tests read.

A promise is looked up by the settings of a run (`row_of`), because a policy's name alone promises
little: `semi-sync` with too few followers, or any policy whose leaders a person appoints, may lose
what it acknowledged, and that is no fault of the program.

Why the rows differ, for automatic failover at level `flushed` or `applied`:

- A new leader needs the votes of a majority, and no voter votes for a log behind its own. So whatever
  is on the disks of a majority **in the leader's own term** is in every later leader's log (Raft §5.4).
- `quorum` acknowledges exactly that, and `sync` more. `async` acknowledges before.
- `semi-sync` waits for *k* followers. With the leader that is a majority when *k* is at least half of
  all nodes, rounded down; with fewer, an election can be won without any of the holders.
- Copies of an entry of an earlier term, which a retry may ask for, count for nobody until an entry of the
  leader's own term has committed it (Raft figure 8).
- A plain read of a leader that was deposed without having noticed is stale. Only reads that prove the
  leadership first, or hold a lease on it, are linearizable together with the writes.
- A session's token is an index, so it keeps its word where what can be read is never replaced: under
  `quorum`, whose nodes show only committed entries. Elsewhere another entry may come to stand there.
"""

from __future__ import annotations

from server.cluster import Settings

POLICIES = ("async", "semi-sync", "quorum", "sync")
"""The values of the `replication` setting that can be explored, in the order of reports."""

_ALWAYS = {
    "one_leader_per_term": "No term ever has two leaders.",
    "log_matching": "Two logs that hold the same entry are equal up to it.",
    "runs_on": "Nothing that a person or the network does makes the program itself fail.",
}
_ELECTED = {
    **_ALWAYS,
    "available": "Once every fault is over, the cluster answers writes again.",
    "copies_agree": "Once every fault is over, all copies hold the same log and the same values.",
}
_COMMITTED = {
    **_ELECTED,
    "committed_never_lost": "Every new leader holds every committed entry.",
    "state_machine_agreement": "No two nodes take different entries at one place for committed.",
}
_DURABLE = {
    **_COMMITTED,
    "durable": "No acknowledged write is ever lost, whoever crashes and whatever is cut.",
}
_COMMITTED_FIRST = {"acknowledged_is_committed": "A client is told OK only when its write is committed."}
_QUORUM = {
    **_DURABLE,
    **_COMMITTED_FIRST,
    "writes_linearizable": "One order of all writes, cas and deletes explains all their answers.",
}

PROMISES: dict[str, dict[str, str]] = {
    "manual": _ALWAYS,
    "received": _ELECTED,
    "async": _COMMITTED,
    "semi-sync": _COMMITTED,
    "semi-sync majority": _DURABLE,
    "sync": {**_DURABLE, **_COMMITTED_FIRST},
    "quorum": _QUORUM,
    "quorum proven reads": {
        **_QUORUM,
        "linearizable": "One order of all operations, reads included, explains every answer.",
    },
}
"""By row: the key of each promise (mostly one of `Judges.verdicts()`) and the sentence that states it."""

_OWN_WRITES = {"read_your_writes": "No read misses what its client was told it had written."}
_BACKWARDS = {"monotonic_reads": "No client reads an older value of a key after a newer one."}
_BOUND = {"bounded_staleness": "No read misses what was acknowledged longer ago than its bound allows."}

SESSION_PROMISES: dict[str, dict[str, str]] = {
    "none": {},
    "read-your-writes": _OWN_WRITES,
    "monotonic-reads": {**_OWN_WRITES, **_BACKWARDS},
    "bounded-staleness": _BOUND,
}
"""By the value of the `session` setting: what it adds in the rows of `quorum`."""

SENTENCES: dict[str, str] = {
    key: says for rows in (PROMISES, SESSION_PROMISES) for row in rows.values() for key, says in row.items()
}
"""The sentence that states each promise."""

ROWS: dict[str, str] = {
    "manual": "a person promotes leaders, perhaps a stale one",
    "received": "a copy counts although it is only in memory",
    "async": "the leader's own disk is enough",
    "semi-sync": "fewer copies than a majority are enough",
    "semi-sync majority": "the leader and enough followers to make a majority",
    "sync": "every node holds what is acknowledged",
    "quorum": "a majority holds what is acknowledged",
    "quorum proven reads": "and a leader proves that it leads before it answers a read",
}
"""Each row of `PROMISES` in a few words."""


def row_of(settings: Settings, nodes_max: int) -> str:
    """The row of `PROMISES` for a run that never has more than `nodes_max` nodes."""
    if settings.failover == "manual":
        return "manual"
    if settings.level == "received":
        return "received"
    if settings.replication == "semi-sync":
        is_majority = settings.semi_sync_followers >= nodes_max // 2
        return "semi-sync majority" if is_majority else "semi-sync"
    if settings.replication == "quorum" and proves_reads(settings):
        return "quorum proven reads"
    return settings.replication


def promises_of(settings: Settings, nodes_max: int) -> dict[str, str]:
    """All that is promised to a run: by its row, and under `quorum` to its sessions."""
    row = row_of(settings, nodes_max)
    sessions = SESSION_PROMISES[settings.session] if PROMISES[row].items() >= _QUORUM.items() else {}
    return {**PROMISES[row], **sessions}


def proves_reads(settings: Settings) -> bool:
    """Whether every read goes to a leader that proves its leadership, or holds a lease on it."""
    return settings.reads == "leader" and settings.leader_reads in ("read-index", "lease")
