"""Parts `core`, `flat` and `memory`: what an event of the cluster costs."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.bench.measure import seconds_of, take_turns
from server.bench.report import Row
from server.cluster import Settings, Simulation, commands
from server.cluster.settings import SECOND
from server.run import Run

if TYPE_CHECKING:
    from server.bench.peer import Cluster

SEED = 1
RUN_US = 240 * SECOND
WRITE_INTERVAL_US = SECOND // 20
"""Each of the two clients asks for 20 writes a second; ten open ones each are what it gets."""
SIMPY_MISSING = "SimPy is not installed (it comes with the test extra)"

CORE = "core: 3 nodes, quorum, writes, trace on"
EVENTS_PER_SECOND = 100_000
FLAT_RATIO = 1.3
FLAT_EVENTS = 60_000
MINUTE_US = 60 * SECOND
HISTORY_INTERVAL_US = SECOND // 2
"""Each of the two clients writes twice a second, for an hour."""
MEMORY_EVENTS = 10_000
MEMORY_MEGABYTES = 5.0


def loaded(nodes: int = 3, write_interval_us: int = WRITE_INTERVAL_US) -> Simulation:
    """A quorum cluster at time 0 whose clients have begun to write."""
    simulation = Simulation(Settings(nodes=nodes, replication="quorum"), SEED)
    for client in simulation.clients:
        simulation.execute(commands.StartLoad("write", write_interval_us, client))
    return simulation


def committed_count(simulation: Simulation) -> int:
    """Writes on a majority of disks, as the leader knows."""
    return simulation.nodes["A"].replicas[0].commit_index


# --- core ----------------------------------------------------------------------------------------


def core() -> list[Row]:
    """Events a second under write load, beside the same protocol on SimPy."""
    probe = loaded()
    queue_events = 0
    while (next_us := probe.next_at_us()) is not None and next_us <= RUN_US:
        probe.step()
        queue_events += 1
    events, writes = len(probe.trace), committed_count(probe)

    def ours() -> float:
        simulation = loaded()
        return seconds_of(lambda: simulation.run_until(RUN_US))

    peer = simpy_seconds()
    if peer is None:
        (seconds,) = take_turns(ours)
        return [Row(CORE, f"{events / seconds:,.0f} events/s", SIMPY_MISSING)]
    seconds, peer_seconds = take_turns(ours, peer)
    speed, peer_speed, ratio = events / seconds, events / peer_seconds, peer_seconds / seconds
    return [
        Row(
            CORE,
            f"{speed:,.0f} events/s",
            f"{peer_speed:,.0f} events/s, SimPy",
            ratio,
            f"≥ {EVENTS_PER_SECOND:,}/s and ≥ 1×",
            speed >= EVENTS_PER_SECOND and ratio >= 1,
        ),
        Row(
            "core: time per committed write",
            f"{seconds / writes * 1e6:,.0f} µs",
            f"{peer_seconds / writes * 1e6:,.0f} µs, SimPy",
            ratio,
            "≥ 1×",
            ratio >= 1,
        ),
        Row("core: queue events (timers, arrivals)", f"{queue_events / seconds:,.0f}/s"),
    ]


def simpy_seconds() -> Callable[[], float] | None:
    """Measures the peer once; `None` when SimPy is missing."""
    try:
        from server.bench.peer import Cluster
    except ImportError:
        return None

    def peer() -> float:
        cluster = Cluster(Settings(replication="quorum"), SEED, WRITE_INTERVAL_US)
        return seconds_of(lambda: cluster.run_until(RUN_US))

    return peer


# --- flat ----------------------------------------------------------------------------------------


def flat() -> list[Row]:
    """What an event costs in a larger cluster and after a longer history."""
    return [*_by_nodes(), *_by_history(), *_watched()]


def _by_nodes() -> list[Row]:
    three, five, nine = take_turns(
        lambda: _cost_us(loaded(3)), lambda: _cost_us(loaded(5)), lambda: _cost_us(loaded(9))
    )
    return [
        _flat_row("flat: cost per event, 5 nodes", five, three, "3 nodes"),
        _flat_row("flat: cost per event, 9 nodes", nine, three, "3 nodes"),
    ]


def _cost_us(simulation: Simulation) -> float:
    """Of one event; as many for every cluster, so that collecting garbage weighs the same."""

    def play() -> None:
        while len(simulation.trace) < FLAT_EVENTS:
            simulation.step()

    return seconds_of(play) / FLAT_EVENTS * 1e6


def _by_history() -> list[Row]:
    minutes, hour = take_turns(_minutes_cost_us, _hour_cost_us, rounds=3)
    old = loaded(write_interval_us=HISTORY_INTERVAL_US)
    old.run_until(60 * MINUTE_US)
    after_minute, after_hour = take_turns(lambda: _next_cost_us(_minute_old()), lambda: _next_cost_us(old))
    return [
        _flat_row("flat: cost per event, runs of 1 h", hour, minutes, "runs of 1 min"),
        _flat_row("flat: cost per event, after 1 h", after_hour, after_minute, "after 1 min"),
    ]


def _minutes_cost_us() -> float:
    seconds, events = 0.0, 0
    for _ in range(10):
        run = loaded(write_interval_us=HISTORY_INTERVAL_US)
        seconds += seconds_of(lambda run=run: run.run_until(MINUTE_US))  # type: ignore[misc]
        events += len(run.trace)
    return seconds / events * 1e6


def _hour_cost_us() -> float:
    run = loaded(write_interval_us=HISTORY_INTERVAL_US)
    return seconds_of(lambda: run.run_until(60 * MINUTE_US)) / len(run.trace) * 1e6


def _minute_old() -> Simulation:
    run = loaded(write_interval_us=HISTORY_INTERVAL_US)
    run.run_until(MINUTE_US)
    return run


def _next_cost_us(run: Simulation) -> float:
    """Of one event in the next five minutes."""
    before, until_us = len(run.trace), run.now_us + 5 * MINUTE_US
    return seconds_of(lambda: run.run_until(until_us)) / (len(run.trace) - before) * 1e6


def _watched() -> list[Row]:
    """A run with its picture, judges and narrator: what a room plays."""
    old = _loaded_run()
    old.advance(15 * MINUTE_US)
    young, later = take_turns(lambda: _next_run_cost_us(_young_run()), lambda: _next_run_cost_us(old))
    return [_flat_row("flat: with picture and judges, after 15 min", later, young, "after 1 min")]


def _loaded_run() -> Run:
    run = Run(SEED, {"replication": "quorum"})
    for client in run.simulation.clients:
        run.execute(commands.StartLoad("write", HISTORY_INTERVAL_US, client))
    return run


def _young_run() -> Run:
    run = _loaded_run()
    run.advance(MINUTE_US)
    return run


def _next_run_cost_us(run: Run) -> float:
    """Of one event in the next minute."""
    run.take_steps()
    before, until_us = run.event_count, run.now_us + MINUTE_US
    return seconds_of(lambda: run.advance(until_us)) / (run.event_count - before) * 1e6


def _flat_row(what: str, cost_us: float, peer_us: float, peer: str) -> Row:
    ratio = cost_us / peer_us
    return Row(
        what, f"{cost_us:.2f} µs", f"{peer_us:.2f} µs, {peer}", ratio, f"≤ {FLAT_RATIO}×", ratio <= FLAT_RATIO
    )


# --- memory --------------------------------------------------------------------------------------


def memory() -> list[Row]:
    """What 10,000 events of a run keep in memory: the trace, and the logs and stores behind it."""
    megabytes = _megabytes_of_trace()
    try:
        from server.bench.peer import Cluster
    except ImportError:
        peer_megabytes = None
    else:
        peer_megabytes = _megabytes_of_peer(Cluster(Settings(replication="quorum"), SEED, WRITE_INTERVAL_US))
    return [
        Row(
            f"memory: {MEMORY_EVENTS:,} events",
            f"{megabytes:.2f} MB",
            SIMPY_MISSING if peer_megabytes is None else f"{peer_megabytes:.2f} MB, SimPy",
            None if peer_megabytes is None else megabytes / peer_megabytes,
            f"< {MEMORY_MEGABYTES:g} MB",
            megabytes < MEMORY_MEGABYTES,
        )
    ]


def _megabytes_of_trace() -> float:
    simulation = loaded()

    def play() -> None:
        until = len(simulation.trace) + MEMORY_EVENTS
        while len(simulation.trace) < until:
            simulation.step()

    return _megabytes_kept(play)


def _megabytes_of_peer(cluster: Cluster) -> float:
    def play() -> None:
        until = len(cluster.trace) + MEMORY_EVENTS
        while len(cluster.trace) < until:
            cluster.env.step()

    return _megabytes_kept(play)


def _megabytes_kept(action: Callable[[], None]) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        action()
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept_bytes / 1e6
