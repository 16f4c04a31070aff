"""Whom a write waits for: what keeps its OK away, in words."""

from __future__ import annotations

from server.cluster.messages import LogEntry, NodeId
from server.narration.memory import Memory
from server.narration.words import listed

OPERATIONS_SEARCHED = 200
"""How far back from the end of a log an operation's entry is looked for."""


def awaited(memory: Memory, leader: NodeId, entry: LogEntry, partition: int) -> str:
    """`C (dead)`, `1 more of B and C`: who must still store an entry before its leader answers OK; empty
    when nobody must, and where it cannot be told from the events."""
    if memory.settings.get("level") == "applied":
        return ""
    holders = memory.holders(entry.index, entry.term, partition)
    others = [node for node, is_voter in memory.voters.items() if is_voter and node != leader]
    missing = [node for node in others if node not in holders]
    count = _needed(memory, len(others)) - (len(others) - len(missing))
    if count <= 0:
        return ""
    names = [f"{node}{_trouble(memory, leader, node)}" for node in missing]
    return listed(names) if count >= len(names) else f"{count} more of {listed(names)}"


def awaited_for(memory: Memory, operation: int, partition: int = 0) -> str:
    """The same for a client's operation, at the node that leads now."""
    leader = memory.live_leader(partition)
    if leader is None:
        return ""
    for entry in reversed(memory.replica(leader, partition).log[-OPERATIONS_SEARCHED:]):
        if entry.operation == operation:
            return awaited(memory, leader, entry, partition)
    return ""


def out_of_reach(memory: Memory, leader: NodeId) -> str:
    """The followers without whom no write can be answered now: `C (dead)`; empty when enough are there."""
    others = [node for node, is_voter in memory.voters.items() if is_voter and node != leader]
    away = [f"{node}{trouble}" for node in others if (trouble := _trouble(memory, leader, node))]
    return listed(away) if away and len(others) - len(away) < _needed(memory, len(others)) else ""


def _needed(memory: Memory, others: int) -> int:
    """How many of the other voters must hold an entry."""
    match memory.settings.get("replication"):
        case "sync":
            return others
        case "quorum":
            return memory.majority - 1
        case "semi-sync":
            return min(int(memory.settings.get("semi-sync-followers", 1)), others)
    return 0


def _trouble(memory: Memory, leader: NodeId, node: NodeId) -> str:
    state = memory.states.get(node)
    if state in ("dead", "paused"):
        return " (dead)" if state == "dead" else " (stands still)"
    is_cut = (leader, node) in memory.cuts or (node, leader) in memory.cuts
    return " (cut off)" if is_cut else ""
