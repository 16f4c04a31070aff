"""One cluster under trial: what was commanded, what happened, and which promises broke when.

A trial is played by whoever holds it, a stretch of time and a command at a time. Before every command
everything is over that was due at that moment, exactly as when a scenario file is played, so the list
of entries replays the trial to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from server.cluster import SETTINGS, CommandRefused, Settings, Simulation, commands
from server.cluster.commands import Command
from server.cluster.events import ElectionStarted, Event, OperationEnded
from server.guarantees import Judges, as_history, check_history

EXPLORED_MAX = 200_000
"""Possibilities tried for one key's history of writes before it is left undecided."""
PROBES = 3
"""How many writes a settled cluster may take to answer one."""
STILL_MAX = 100_000
"""How many things may happen at one instant before time counts as standing still."""
PATIENCE_US = 15_000_000
"""How long the client of those writes waits: longer than the slowest disks and links need."""
ROUNDS_WITHOUT_PROGRESS = 12
"""How many heartbeats copies may stay as they are before they count as different for good."""
ELECTIONS_TO_SETTLE = 12
"""How many of its longest election timeouts a cluster has to find a leader once all faults are over."""


class Entry(NamedTuple):
    """One command and the virtual time at which it was given."""

    at_us: int
    command: Command


class Breach(NamedTuple):
    """A promise broke."""

    promise: str
    """Its key in `PROMISES`."""
    at_us: int
    says: str
    operations: tuple[int, ...] = ()
    """The client operations it is about."""
    nodes: tuple[str, ...] = ()
    """For copies that disagree: two of them."""


class Trial:
    """A cluster, its judges, and the record of what was done to it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.simulation = Simulation(settings, seed)
        self.judges = Judges()
        self.entries: list[Entry] = []
        self.breaches: dict[str, Breach] = {}
        """The first breach of every promise, whoever gave it."""
        self._seen = 0
        self._watch()

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return self.simulation.now_us

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due up to `until_us`."""
        simulation = self.simulation
        still_count, now_us = 0, simulation.now_us
        while (next_us := simulation.next_at_us()) is not None and next_us <= until_us:
            simulation.step()
            still_count = still_count + 1 if next_us == now_us else 0
            now_us = next_us
            if still_count > STILL_MAX:
                raise RuntimeError(f"time stands still at {now_us} µs: something is due again and again")
        simulation.run_until(until_us)
        self._watch()

    def advance_to(self, kinds: tuple[type[Event], ...], until_us: int) -> Event | None:
        """Go on to the next event of one of these kinds, or to `until_us`. All that is due at the moment
        of the event happens, too."""
        simulation = self.simulation
        trace, seen = simulation.trace, len(simulation.trace)
        while (next_us := simulation.next_at_us()) is not None and next_us <= until_us:
            simulation.step()
            for event in trace[seen:]:
                if isinstance(event, kinds):
                    self.advance(self.now_us)
                    return event
            seen = len(trace)
        self.advance(until_us)
        return None

    def execute(self, command: Command) -> bool:
        """Carry out a command now; `False`, and nothing changed, when the cluster refuses it."""
        self.advance(self.now_us)
        self.entries.append(Entry(self.now_us, command))
        try:
            self.simulation.execute(command)
        except CommandRefused:
            self.entries.pop()
            return False
        self._watch()
        return True

    def _watch(self) -> None:
        trace, observe = self.simulation.trace, self.judges.observe
        for event in trace[self._seen :]:
            for finding in observe(event):
                if not finding.held and finding.promise not in self.breaches:
                    self.break_with(Breach(finding.promise, event.at_us, finding.says, finding.operations))
        self._seen = len(trace)

    def break_with(self, breach: Breach) -> None:
        """Note that a promise broke; only the first breach of each counts."""
        self.breaches.setdefault(breach.promise, breach)

    # --- the end ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """End all faults and see whether the cluster recovers: it must answer a write, and all its
        copies must become equal."""
        self.execute(commands.StopLoad())
        self.execute(commands.Heal())
        for name, node in self.simulation.nodes.items():
            if node.state == "dead":
                self.execute(commands.Restart(name))
            elif node.state == "paused":
                self.execute(commands.Resume(name))
        self._take_back_own_settings()
        self._let_old_messages_arrive()
        settings = self.simulation.settings
        deadline_us = self.now_us + ELECTIONS_TO_SETTLE * settings.election_timeout_max_us
        while self.simulation.leader() is None and self.now_us < deadline_us:
            self.advance(self.now_us + settings.heartbeat_us)
        if self._probe():
            self._compare_copies()

    def _take_back_own_settings(self) -> None:
        """A slow disk and a wrong clock are faults too."""
        settings = self.simulation.settings
        for name, row in SETTINGS.items():
            if any(row.attribute in node.overrides for node in self.simulation.nodes.values()):
                self.execute(commands.SetSetting(name, settings.value(name)))

    def _let_old_messages_arrive(self) -> None:
        """What a person delayed is a fault that lasts until it arrives."""
        in_flight = self.simulation.network.in_flight.values()
        self.advance(max((each.arrives_at_us for each in in_flight), default=self.now_us))

    def _probe(self) -> bool:
        self.execute(commands.SetSetting("operation-timeout", PATIENCE_US))
        for number in range(1, PROBES + 1):
            self.execute(commands.Write("x", f"probe{number}"))
            operation = next(reversed(self.simulation.clients["1"].pending), 0)
            while operation in self.simulation.clients["1"].pending:
                self.advance_to((OperationEnded,), self.now_us + 60_000_000)
            if self.judges.ledger.lives[operation].outcome == "ok":
                return True
        says = f"Every fault is over, yet {PROBES} writes in a row were not answered OK."
        self.break_with(Breach("available", self.now_us, says))
        return False

    def _compare_copies(self) -> None:
        """Wait for as long as copies still come closer: a slow one has the whole log to apply."""
        settings = self.simulation.settings
        idle, furthest = 0, -1
        while (pair := self._different_copies()) and idle < ROUNDS_WITHOUT_PROGRESS:
            self.advance(self.now_us + settings.heartbeat_us + settings.latency_us + settings.apply_us)
            reached = sum(copy.log.last_index + copy.applied_index for copy in self.simulation.replicas())
            idle = 0 if reached > furthest else idle + 1
            furthest = max(furthest, reached)
        if pair:
            says = f"Every fault is over, yet the copies of {pair[0]} and {pair[1]} differ."
            self.break_with(Breach("copies_agree", self.now_us, says, nodes=pair))

    def _different_copies(self) -> tuple[str, str] | None:
        leader = self.simulation.leader()
        if leader is None:
            names = tuple(self.simulation.nodes)
            return names[0], names[1]
        one = leader.replicas[0]
        for name, node in self.simulation.nodes.items():
            other = node.replicas[0]
            if one.log.entries != other.log.entries or one.store != other.store:
                return leader.name, name
        return None

    def judge_histories(self, promises: Iterable[str]) -> None:
        """Search the histories of clients, as far as these promises are about them."""
        wanted = tuple(promises)
        if "linearizable" not in wanted and "writes_linearizable" not in wanted:
            return
        verdicts = self.judges.check_linearizability()
        broken = next((verdict for verdict in verdicts if verdict.held is False), None)
        if broken is None:
            return
        named = tuple(operation.identity for operation in broken.counterexample)
        self.break_with(Breach("linearizable", self.now_us, broken.says, named))
        if "writes_linearizable" not in wanted:
            return
        history = [as_history(life) for life in self.judges.ledger.lives.values() if life.is_mutation]
        for verdict in check_history(history, EXPLORED_MAX):
            if verdict.held is False:
                named = tuple(operation.identity for operation in verdict.counterexample)
                self.break_with(Breach("writes_linearizable", self.now_us, verdict.says, named))

    # --- figures ------------------------------------------------------------------------------------

    def committed_count(self) -> int:
        """Entries that a leader announced as committed."""
        return sum(part.last_index for part in self.judges.invariants.committed.values())

    def election_count(self) -> int:
        """How often a node stood."""
        return sum(isinstance(event, ElectionStarted) for event in self.simulation.trace)
