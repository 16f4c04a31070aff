"""A small cluster as facts see it, made by hand: what expressions are tried on."""

from __future__ import annotations

from typing import Any

from server.cluster.settings import SETTINGS, Settings
from server.facts import Facts
from server.language.vocabulary import FACTS

SECOND = 1_000_000


class NoJudges:
    """Nothing acknowledged, nothing lost, every promise kept."""

    acknowledged = 3
    violations = 0

    def __init__(self) -> None:
        self.lost: dict[int, str] = {2: "because"}

    def read(self, operation: int) -> None:
        return None

    def verdicts(self) -> dict[str, Any]:
        return {name: type("Verdict", (), {"held": True}) for name in FACTS}

    def summary(self) -> dict[str, Any]:
        return {"linearizable": True}


def node(state: str, role: str, term: int, length: int) -> dict[str, Any]:
    log = [
        {"index": index, "term": 1, "kind": "write", "key": "x", "value": "1"}
        for index in range(1, length + 1)
    ]
    replica = {
        "role": role,
        "term": term,
        "leader": "A",
        "log": log,
        "flushed_index": length,
        "commit_index": 1,
        "applied_index": 2,
        "discarded": [],
        "store": {"x": {"value": "2"}, "word": {"value": "leader"}, "user-1": {"value": "1.50"}},
    }
    return {
        "state": state,
        "voter": True,
        "settings": {"flush": 7_000} if length == 5 else {},
        "replicas": [replica],
    }


def operation(number: int, kind: str, outcome: str, value: str | None, client: str = "1") -> dict[str, Any]:
    return {
        "id": number,
        "client": client,
        "kind": kind,
        "key": "x",
        "value": None if kind == "read" else value,
        "result": value if kind == "read" else None,
        "outcome": outcome,
        "attempts": 1,
        "called_us": number * 1_000,
        "returned_us": None if outcome == "pending" else number * SECOND,
        "node": "A",
        "stale": kind == "read",
        "acknowledged_us": 5,
    }


def small_cluster() -> Facts:
    """A leads with 9 entries; B has 5 and C has 9 but is dead. Two writes, one of them lost; one read."""
    state = {
        "nodes": {
            "A": node("up", "leader", 2, 9),
            "B": node("up", "follower", 2, 5),
            "C": node("dead", "follower", 1, 9),
        },
        "links": {"A>B": {"cut": False, "latency_us": 400_000, "loss_percent": 0}},
        "clients": {"1": {}, "2": {}},
        "settings": {name: Settings().value(name) for name in SETTINGS},
        "operations": {
            "1": operation(1, "write", "ok", "1"),
            "2": operation(2, "write", "ok", "2"),
            "3": operation(3, "read", "ok", "2", client="2"),
            "4": operation(4, "write", "unknown", "4"),
        },
    }
    return Facts(state, NoJudges(), now_us=4 * SECOND)
