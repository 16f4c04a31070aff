"""A random run: settings, traffic and faults, all drawn from one stream.

Most random schedules are dull: faults hit idle nodes. So moves wait for telling moments (an
acknowledgement that has just left, a vote, a new leader) and strike then (`moves.py`), and some come as
a storm: a sequence in an order in which it can hurt (`storms.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from server.cluster import Settings
from server.cluster.settings import MILLISECOND, SECOND
from server.explore.moves import Ground, pick
from server.explore.storms import Storms

MANUAL_SHARE = 8
"""One run in so many is left to an operator who promotes."""
NODES_MAX = 7
"""The largest cluster that nodes are added to."""


def draw_settings(
    policy: str, random: Random, switched_off: Sequence[str] = ()
) -> dict[str, str | int | bool]:
    """Settings of a small cluster under one acknowledge policy, by spoken name."""
    nodes = pick(random, (3, 3, 3, 4, 5, 5))
    latency_us = pick(random, (20, 100, 300)) * MILLISECOND
    heartbeat_us = pick(random, (500, 1_000)) * MILLISECOND
    shortest_us = heartbeat_us * pick(random, (2, 2, 4)) + latency_us * pick(random, (1, 2, 4))
    spread_us = 2 * latency_us + pick(random, (200, 1_000, 2_000)) * MILLISECOND
    values: dict[str, str | int | bool] = {
        "nodes": nodes,
        "replication": policy,
        "failover": "automatic" if int(random.random() * MANUAL_SHARE) else "manual",
        "level": pick(random, ("flushed", "flushed", "flushed", "applied")),
        "semi-sync-followers": nodes // 2,
        "heartbeat": heartbeat_us,
        "election-timeout-min": shortest_us,
        "election-timeout-max": shortest_us + spread_us,
        "latency": latency_us,
        "client-latency": pick(random, (20, 100, 300)) * MILLISECOND,
        "jitter": pick(random, (0, 10, 10, 60)),
        "flush": pick(random, (0, 10, 50, 400)) * MILLISECOND,
        "apply": pick(random, (0, 20, 20, 200)) * MILLISECOND,
        "batch": pick(random, (1, 1, 2, 16)),
        "retries": pick(random, (0, 0, 1, 3)),
        "operation-timeout": pick(random, (1, 3, 5)) * SECOND,
        **{name: False for name in switched_off},
    }
    if policy in ("async", "semi-sync") and not int(random.random() * 8):
        values["level"] = "received"
    if policy == "semi-sync":
        values["semi-sync-followers"] = 1 + int(random.random() * (nodes - 1))
    for name, choices in _READS_AND_VOTES:
        values[name] = pick(random, choices)
    plain = Settings()
    return {name: value for name, value in values.items() if plain.value(name) != value}


_READS_AND_VOTES: tuple[tuple[str, tuple[str | int | bool, ...]], ...] = (
    ("reads", ("leader", "leader", "leader", "any")),
    ("leader-reads", ("plain", "read-index", "lease", "lease")),
    ("session", ("none", "none", "read-your-writes", "monotonic-reads", "bounded-staleness")),
    ("staleness-bound", (1 * SECOND, 4 * SECOND, 10 * SECOND)),
    ("pre-vote", (False, False, True)),
)
"""What else is drawn, each value as likely as it stands here."""


def disturb(ground: Ground, seed: str) -> None:
    """Random operations and faults on a cluster that is there already."""
    Chaos(ground, Random(seed), len(ground.simulation.nodes) + 1).play()


class Chaos(Storms):
    """Plays one random run on a trial."""

    def __init__(self, trial: Ground, random: Random, nodes_max: int) -> None:
        super().__init__(trial, random, nodes_max)
        self._moves: list[Callable[[], None]] = []
        for move, weight in self._weighted():
            self._moves += [move] * weight

    def play(self) -> None:
        """Fill the run's gaps with operations and faults."""
        self._start_load()
        while self.gaps_left > 0:
            if self._is_crippled() and self._chance(50):
                self._repair()
            else:
                self._pick(self._moves)()
            self._wait()

    def _weighted(self) -> tuple[tuple[Callable[[], None], int], ...]:
        return (
            (self._operate, 26),
            (self._strike, 22),
            (self._fault_in_pairs, 3),
            (self._isolate_leader, 7),
            (self._two_leaders, 7),
            (self._relay, 2),
            (self._shrink, 2),
            (self._repeat_refused, 2),
            (self._look_around, 0 if self.has_proven_reads else 4),
            (self._partition, 3),
            (self._cut_one_way, 5),
            (self._kill, 4),
            (self._blink, 4),
            (self._pause, 3),
            (self._restart, 9),
            (self._resume, 6),
            (self._heal, 6),
            (self._disturb_links, 4),
            (self._touch_message, 8),
            (self._drop_next, 4),
            (self._switch_over, 3),
            (self._change_node, 3),
            (self._add_node, 3),
            (self._remove_node, 2),
            (self._promote, 14 if self.is_manual else 0),
            (self._rejoin, 4 if self.is_manual else 0),
        )
