"""The same commands and the same seed under two or three settings, in step: what differs is the settings.

`Lanes` is one run to whoever plays it. Its document has every lane's own under `lanes`, so pages fold,
scrub and branch it like any other; a command acts on all lanes at the same virtual time, and on one of
them when its number stands in front (`2: kill B`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from server.cluster.commands import CommandRefused
from server.language import print_value
from server.narration import describe
from server.play import Play
from server.protocol import ScriptFrame, StartFrame
from server.run import Step
from server.store import Start

LANES_MIN, LANES_MAX = 2, 3
"""How many runs can be compared."""
LATENCIES_MAX = 1_000
"""The newest writes whose latency is summed up."""

_FOR_ONE = re.compile(r"\s*(\d)\s*:\s*(.*)", re.DOTALL)
_TELLTALE = {
    "write.acknowledged", "operation.ended", "read.answered", "leader.started", "node.killed",
    "log.truncated", "entry.received",
}  # fmt: skip
"""Events by which two lanes are told apart."""
_TALLIED = {"operation.ended", "leader.started", "leader.stepped_down", "node.killed", "node.restarted"}
"""Events after which the figures are brought up to date; that of the messages is with each of them."""


@dataclass(slots=True)
class Lane:
    """One of the runs, and what it has cost so far."""

    name: str
    play: Play
    sequences: list[int] = field(default_factory=list)
    """For each of its own events: its number among the events of all lanes."""
    signs: list[tuple[int, str, str]] = field(default_factory=list)
    """Its telltale events: when, which, and in words."""
    messages: int = 0
    stale_reads: int = 0
    answered: int = 0
    ended: int = 0
    latencies_us: list[int] = field(default_factory=list)
    leaderless_us: int = 0
    leaderless_since_us: int | None = None

    def watch(self, step: Step) -> None:
        """Count what an event adds to the figures."""
        state = self.play.run.picture.state
        if step.name == "message.sent":
            self.messages += 1
        elif step.name == "operation.ended":
            self._count_ended(step, state)
        if step.name in _TALLIED:
            self._count_leaderless(step.at_us)
        if step.name in _TELLTALE:
            event = self.play.run.simulation.trace[step.sequence]
            self.signs.append((step.at_us, step.name, step.text or describe(event).plain))

    def _count_ended(self, step: Step, state: Mapping[str, Any]) -> None:
        number = next((path[1] for _, path, *_ in step.patches if path[:1] == ["operations"]), None)
        operation = state["operations"].get(number)
        if operation is None:
            return
        self.ended += 1
        if operation["outcome"] != "ok":
            return
        self.answered += 1
        if operation["kind"] == "read":
            self.stale_reads += operation["stale"] is True
        else:
            self.latencies_us.append(operation["returned_us"] - operation["called_us"])
            del self.latencies_us[:-LATENCIES_MAX]

    def _count_leaderless(self, at_us: int) -> None:
        if self.play.run.simulation.leader() is None:
            if self.leaderless_since_us is None:
                self.leaderless_since_us = at_us
        elif self.leaderless_since_us is not None:
            self.leaderless_us += at_us - self.leaderless_since_us
            self.leaderless_since_us = None

    def figures(self) -> dict[str, Any]:
        """What this lane has cost and lost by now."""
        judges, slowest = self.play.run.judges, sorted(self.latencies_us)
        since_us = self.leaderless_since_us
        return {
            "acknowledged": judges.acknowledged,
            "lost": len(judges.lost),
            "stale_reads": self.stale_reads,
            "answered": self.answered,
            "ended": self.ended,
            "write_median_us": int(median(slowest)) if slowest else None,
            "write_p95_us": slowest[len(slowest) * 19 // 20] if slowest else None,
            "leaderless_us": self.leaderless_us,
            "leaderless_since_us": since_us,
            "messages": self.messages,
        }


class Lanes:
    """Two or three runs as one. Time moves through `advance` and `step`, in all of them alike."""

    def __init__(self, start: Start, start_play: Callable[[Start], Play]) -> None:
        """Raises `CommandRefused` when a lane's settings do not fit."""
        if not LANES_MIN <= len(start.lanes) <= LANES_MAX:
            raise CommandRefused(f"{LANES_MIN} or {LANES_MAX} runs can be compared, not {len(start.lanes)}.")
        self.given = start
        self.notice: str | None = None
        self.lanes: list[Lane] = []
        for number, own in enumerate(start.lanes, 1):
            settings = {**start.settings, **own}
            play = start_play(Start(start.seed, settings, start.scenario, file=start.file))
            self.lanes.append(Lane(str(number), play))
        self._steps: list[Step] = []
        self._event_count = 0
        self._alike = 0
        """So many telltale events are the same in all lanes."""
        self._now_us = 0
        self._blank = self._document([lane.play.blank_state() for lane in self.lanes])
        self.state: dict[str, Any] = self._document([lane.play.state for lane in self.lanes])
        self._collect()

    def _document(self, states: list[Any]) -> dict[str, Any]:
        names = [lane.name for lane in self.lanes]
        return {
            "lanes": dict(zip(names, states, strict=True)),
            "figures": {lane.name: lane.figures() for lane in self.lanes},
            "difference": None,
        }

    # --- what a room asks of a run ------------------------------------------------------------------

    @property
    def start(self) -> StartFrame:
        """What the runs began with."""
        first = self.lanes[0].play.start
        return {**first, "settings": self.given.settings, "lanes": [dict(own) for own in self.given.lanes]}

    @property
    def script(self) -> ScriptFrame | None:
        """A comparison has no story of its own."""
        return None

    @property
    def script_done(self) -> int:
        """See `script`."""
        return 0

    @property
    def script_broken(self) -> list[int]:
        """See `script`."""
        return []

    @property
    def memory(self) -> dict[str, Any]:
        """A comparison is part of no lesson."""
        return {}

    @property
    def lesson(self) -> dict[str, Any] | None:
        """A comparison is part of no lesson."""
        return None

    @property
    def now_us(self) -> int:
        """Virtual time, the same in all lanes."""
        return max(self._now_us, *(lane.play.now_us for lane in self.lanes))

    @property
    def event_count(self) -> int:
        """How many events all lanes have had together."""
        return self._event_count

    @property
    def told_count(self) -> int:
        """How many of them were told."""
        return sum(lane.play.told_count for lane in self.lanes)

    def blank_state(self) -> dict[str, Any]:
        """The document before the first event."""
        return self._blank

    def ledger(self) -> list[dict[str, Any]]:
        """Raises `CommandRefused`: every lane has its own."""
        raise CommandRefused("The ledger is of one run: open the settings you want in the playground.")

    def evidence(self, promise: str) -> list[dict[str, Any]]:
        """Raises `CommandRefused`: every lane has its own."""
        raise CommandRefused(f"{promise} is judged in one run: open the settings you want in the playground.")

    def why(self, sequence: int | None, operation: int | None = None) -> list[dict[str, Any]]:
        """What led to an event, in its own lane. Raises `CommandRefused` when there is no such event, or
        when only an operation is named: every lane has its own."""
        if sequence is None:
            raise CommandRefused(f"Operation {operation} is one of each run: ask about one of its events.")
        for lane in self.lanes:
            if sequence in lane.sequences:
                chain = lane.play.why(lane.sequences.index(sequence))
                return [{**link, "sequence": lane.sequences[link["sequence"]]} for link in chain]
        raise CommandRefused(f"There is no event {sequence} yet.")

    def take_steps(self) -> list[Step]:
        """The steps since this was last asked."""
        steps, self._steps = self._steps, []
        return steps

    def next_at_us(self) -> int | None:
        """When the next thing is due in any lane."""
        due = [lane.play.next_at_us() for lane in self.lanes]
        return min((at_us for at_us in due if at_us is not None), default=None)

    def step(self) -> bool:
        """Let the next thing happen, in the lane where it is due first."""
        next_us = self.next_at_us()
        if next_us is None:
            return False
        next(lane for lane in self.lanes if lane.play.next_at_us() == next_us).play.step()
        self._collect()
        return True

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due up to `until_us`."""
        while (next_us := self.next_at_us()) is not None and next_us <= until_us:
            self.step()
        for lane in self.lanes:
            lane.play.advance(max(until_us, lane.play.now_us))
        self._now_us = max(self._now_us, until_us)
        self._collect()

    def command(self, text: str) -> None:
        """Carry out a line now, in every lane that takes it. Raises `CommandRefused` when none does."""
        named = _FOR_ONE.fullmatch(text)
        wanted = [lane for lane in self.lanes if named is None or lane.name == named[1]]
        if not wanted:
            raise CommandRefused(f"There is no run {named[1] if named else ''} here: {self._names()}.")
        line = named[2] if named else text
        refused: dict[str, CommandRefused] = {}
        for lane in wanted:
            lane.play.advance(max(self.now_us, lane.play.now_us))
            try:
                lane.play.command(line)
            except CommandRefused as problem:
                refused[lane.name] = problem
        self._collect()
        if len(refused) == len(wanted):
            raise next(iter(refused.values()))
        said = " ".join(f"Run {name} did not take {line}: {problem}" for name, problem in refused.items())
        self.notice = said or None

    def _names(self) -> str:
        return ", ".join(lane.name for lane in self.lanes)

    # --- putting lanes together ---------------------------------------------------------------------

    def _collect(self) -> None:
        """Take what happened in the lanes as happenings of this run."""
        for lane in self.lanes:
            for step in lane.play.take_steps():
                lane.watch(step)
                self._steps.append(self._as_own(lane, step))
        self._compare()

    def _as_own(self, lane: Lane, step: Step) -> Step:
        sequence = self._event_count
        self._event_count += 1
        lane.sequences.append(sequence)
        cause = None if step.cause is None else lane.sequences[step.cause]
        patches = [[kind, ["lanes", lane.name, *path], *rest] for kind, path, *rest in step.patches]
        if step.name in _TALLIED:
            figures = self.state["figures"][lane.name] = lane.figures()
            patches.append(["=", ["figures", lane.name], dict(figures)])
        elif step.name == "message.sent":
            self.state["figures"][lane.name]["messages"] = lane.messages
            patches.append(["=", ["figures", lane.name, "messages"], lane.messages])
        return Step(sequence, step.at_us, step.name, cause, patches, step.text, step.tone, lane.name)

    def _compare(self) -> None:
        """Find the first telltale event that is not the same in all lanes."""
        while self.state["difference"] is None and self._steps:
            signs = [lane.signs[self._alike : self._alike + 1] for lane in self.lanes]
            first_us = min((sign[0][0] for sign in signs if sign), default=None)
            if first_us is None or (not all(signs) and first_us >= self.now_us):
                return
            if len({sign[0] if sign else None for sign in signs}) == 1:
                self._alike += 1
                continue
            says = {
                lane.name: sign[0][2] if sign and sign[0][0] == first_us else ""
                for lane, sign in zip(self.lanes, signs, strict=True)
            }
            difference = self.state["difference"] = {"at_us": first_us, "says": says}
            self._steps[-1].patches.append(["=", ["difference"], difference])
            return


def lane_title(settings: Mapping[str, str | int | bool]) -> str:
    """What tells a lane apart, in words: `replication sync`."""
    return ", ".join(f"{name} {print_value(name, value)}" for name, value in settings.items()) or "as it is"
