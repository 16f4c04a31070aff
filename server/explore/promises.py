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
- But `semi-sync` counts copies of entries of earlier terms too, as soon as a retry asks for one
  (Raft figure 8), so it keeps its word only for clients that send a write once.
- `sync` answers OK to an entry of an earlier term once every node has it on disk, which may be before an
  entry of the leader's own term commits it: it is safe, but not yet committed.
- A plain read of a leader that was deposed without having noticed is stale. Only reads that prove the
  leadership first, or hold a lease on it, are linearizable together with the writes.
"""

from __future__ import annotations

from server.cluster import SETTINGS, Settings

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
_QUORUM = {
    **_DURABLE,
    "acknowledged_is_committed": "A client is told OK only when its write is committed.",
    "writes_linearizable": "One order of all writes, cas and deletes explains all their answers.",
}

PROMISES: dict[str, dict[str, str]] = {
    "manual": _ALWAYS,
    "received": _ELECTED,
    "async": _COMMITTED,
    "semi-sync": _COMMITTED,
    "semi-sync majority": _DURABLE,
    "sync": _DURABLE,
    "quorum": _QUORUM,
    "quorum proven reads": {
        **_QUORUM,
        "linearizable": "One order of all operations, reads included, explains every answer.",
    },
}
"""By row: the key of each promise (mostly one of `Judges.verdicts()`) and the sentence that states it."""

ROWS: dict[str, str] = {
    "manual": "a person promotes leaders, perhaps a stale one",
    "received": "a copy counts although it is only in memory",
    "async": "the leader's own disk is enough",
    "semi-sync": "fewer copies than a majority are enough, or a retry may count old ones",
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


def proves_reads(settings: Settings) -> bool:
    """Whether every read goes to a leader that proves its leadership, or holds a lease on it."""
    if "leader-reads" not in SETTINGS or settings.reads != "leader":
        return False
    return settings.value("leader-reads") in ("read-index", "lease")
