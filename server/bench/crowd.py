"""Part `rooms`: how late events reach the visitors of many rooms that one process plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from server import service
from server.bench.measure import percentile, take_turns
from server.bench.report import Row
from server.cluster import Simulation, commands
from server.rooms import TICK_SECONDS, Rooms, rest_seconds
from server.store import Start, Store

ROOMS = 300
LOAD = "load writes 1/s"
ARRIVE_TOGETHER = 5
"""Visitors that come within one tick."""
LISTEN_SECONDS = 4.0
LATE_MILLISECONDS = 100.0


def rooms() -> list[Row]:
    """Rooms at 1×, each with a tab and a write a second; frames are made and encoded, not sent."""
    crowd, bare = Crowd(ROOMS), BareRuns(ROOMS)
    late, bare_late = take_turns(crowd.lateness_p99_ms, bare.lateness_p99_ms, rounds=3)
    return [
        Row(
            f"rooms: lateness p99 of {ROOMS} (no sockets)",
            f"{late:.0f} ms",
            f"{bare_late:.0f} ms, bare clusters",
            late / bare_late,
            f"< {LATE_MILLISECONDS:g} ms",
            late < LATE_MILLISECONDS,
        )
    ]


class Crowd:
    """Rooms with one tab each, as the web layer plays them."""

    def __init__(self, count: int) -> None:
        self.rooms = Rooms(service.start_play, Store(None), monotonic)
        self.started_at: dict[str, float] = {}
        """By connection: the wall time at which its run's time 0 would have been."""
        self.late_ms: list[float] = []
        for number in range(count):
            # Visitors come one after another, each with a seed: their heartbeats do not fall together.
            connection = str(number)
            self.rooms.open(f"room {number}", connection, Start(number))
            self.rooms.command(connection, LOAD)
            if number % ARRIVE_TOGETHER == 0:
                play_for(TICK_SECONDS, self._tick)

    def lateness_p99_ms(self) -> float:
        """Of every event during some seconds: from when it was due until its frame was encoded."""
        play_for(0.5, self._tick)  # Whoever fell behind while others were measured drops that debt.
        self.started_at.clear()
        self.late_ms.clear()
        play_for(LISTEN_SECONDS, self._tick)
        return percentile(self.late_ms, 99)

    def _tick(self) -> None:
        for deliveries in self.rooms.tick():
            for delivery in deliveries:
                self._take(delivery.connection, dict(delivery.payload))

    def _take(self, connection: str, payload: dict[str, Any]) -> None:
        """A frame or a keyframe; only frames tell single events."""
        json.dumps(payload, separators=(",", ":"))
        now = monotonic()
        started_at = self.started_at.setdefault(connection, now - payload["now_us"] / 1e6)
        for step in payload.get("steps", ()):
            self.late_ms.append((now - started_at - step["at_us"] / 1e6) * 1000)


class BareRuns:
    """The same clusters with nobody watching: what taking turns alone costs."""

    def __init__(self, count: int) -> None:
        self.runs = [Simulation(seed=number) for number in range(count)]
        for number, run in enumerate(self.runs):
            run.run_until((count - number) // ARRIVE_TOGETHER * int(2e6 * TICK_SECONDS))
            run.execute(commands.StartLoad("write", 1_000_000))
        self.late_ms: list[float] = []

    def lateness_p99_ms(self) -> float:
        """As for the crowd, until the event is in the trace."""
        now = monotonic()
        started_at = [now - run.now_us / 1e6 for run in self.runs]
        self.late_ms.clear()
        play_for(LISTEN_SECONDS, lambda: self._tick(started_at))
        return percentile(self.late_ms, 99)

    def _tick(self, started_at: list[float]) -> None:
        for run, zero in zip(self.runs, started_at, strict=True):
            seen = len(run.trace)
            run.run_until(int((monotonic() - zero) * 1e6))
            now = monotonic()
            for event in run.trace[seen:]:
                self.late_ms.append((now - zero - event.at_us / 1e6) * 1000)


def play_for(seconds: float, tick: Callable[[], None]) -> None:
    """Tick at the pace of the web layer."""
    until = monotonic() + seconds
    while (began_at := monotonic()) < until:
        tick()
        sleep(rest_seconds(began_at, monotonic()))
