"""Single moves of a random run: one operation, one fault, one repair.

Whom a move hits is drawn, too, and a move that the cluster refuses is no move.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from server.cluster import Simulation, commands, events
from server.cluster.commands import Command
from server.cluster.settings import MILLISECOND, NODE_LETTERS
from server.explore.promises import proves_reads

GAPS = 48
"""Stretches of time between one thing and the next in a run."""
KEYS = ("x", "y")
DROPPED_KINDS = ("append", "heartbeat", "reply", "vote-request", "vote", "hand-over", "message")

Item = TypeVar("Item")

MOMENTS: tuple[tuple[type[events.Event], int], ...] = (
    (events.WriteAcknowledged, 5),
    (events.EntryAppended, 2),
    (events.EntryReceived, 2),
    (events.LogFlushed, 2),
    (events.CommitAdvanced, 2),
    (events.ElectionStarted, 3),
    (events.VoteGranted, 2),
    (events.LeaderStarted, 3),
    (events.LogTruncated, 1),
    (events.HandOverStarted, 1),
)
"""When a fault is most likely to matter, each with its weight."""


def pick(random: Random, items: Sequence[Item]) -> Item:
    """One of them, each as likely."""
    return items[int(random.random() * len(items))]


class Ground(Protocol):
    """What random faults need of a cluster: a trial has it, and so has a learner's run."""

    @property
    def simulation(self) -> Simulation: ...
    @property
    def now_us(self) -> int: ...
    def advance(self, until_us: int) -> None: ...
    def advance_to(self, kinds: tuple[type[events.Event], ...], until_us: int) -> events.Event | None: ...
    def execute(self, command: Command) -> bool: ...


class Moves:
    """What may be done to a cluster at random, a move at a time."""

    def __init__(self, trial: Ground, random: Random, nodes_max: int) -> None:
        self.trial = trial
        self.random = random
        self.nodes_max = nodes_max
        self.gaps_left = GAPS
        settings = trial.simulation.settings
        self.settings = settings
        self.is_manual = settings.failover == "manual"
        self.has_proven_reads = proves_reads(settings)
        self.clients = tuple(trial.simulation.clients)
        self._value = 100
        self._values_written: dict[str, str] = {}

    # --- chance and time ----------------------------------------------------------------------------

    def _chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def _pick(self, items: Sequence[Item]) -> Item:
        return pick(self.random, items)

    def _up_to(self, time_us: int) -> int:
        return int(self.random.random() * (time_us + 1))

    def _wait(self, percent_at_once: int = 15) -> None:
        """One gap: nothing at all, or a time in which messages, heartbeats or elections happen."""
        self.gaps_left -= 1
        if self._chance(percent_at_once):
            return
        settings = self.settings
        scale_us = self._pick((
            settings.latency_us, settings.latency_us, 2 * settings.latency_us + settings.flush_us,
            settings.heartbeat_us, settings.election_timeout_max_us,
        ))  # fmt: skip
        self.trial.advance(self.trial.now_us + self._up_to(scale_us))

    # --- who ----------------------------------------------------------------------------------------

    def _names(self, *states: str) -> list[str]:
        nodes = self.trial.simulation.nodes.items()
        return [name for name, node in nodes if node.state in states]

    def _anyone(self) -> str:
        return self._pick(tuple(self.trial.simulation.nodes))

    def _leader(self) -> str | None:
        leader = self.trial.simulation.leader()
        return leader.name if leader is not None else None

    def _leader_or_anyone(self) -> str:
        leader = self._leader()
        return leader if leader is not None and self._chance(60) else self._anyone()

    def _is_crippled(self) -> bool:
        """Whether no majority of the nodes runs."""
        return len(self._names("up")) <= len(self.trial.simulation.nodes) // 2

    def _do(self, command: Command) -> bool:
        return self.trial.execute(command)

    # --- traffic ------------------------------------------------------------------------------------

    def _start_load(self) -> None:
        if self._chance(60):
            self._do(commands.StartLoad("write", self._pick((300, 800, 2_000)) * MILLISECOND, "1"))
        if self._chance(30):
            self._do(commands.StartLoad("read", self._pick((500, 2_000)) * MILLISECOND, "2"))

    def _operate(self) -> None:
        """One client operation, or a short burst."""
        for _ in range(self._pick((1, 1, 2, 4))):
            self._do(self._operation(self._pick(self.clients)))

    def _operation(self, client: str) -> Command:
        key = self._pick(KEYS)
        to = self._anyone() if self._chance(15) else None
        kind = self._pick(("write", "write", "write", "read", "read", "cas", "delete"))
        if kind == "read":
            is_plain = self.has_proven_reads or self._chance(70)
            return commands.Read(key, client, None if is_plain else self._pick(("any", self._anyone())))
        if kind == "delete":
            return self._delete(key, client, to)
        before = self._values_written.get(key)
        write = self._next_write(key, client, to)
        if kind == "cas":
            return commands.CompareAndSet(key, before, write.value, client, to)
        return write

    def _next_write(self, key: str, client: str, to: str | None) -> commands.Write:
        self._value += 1
        value = self._values_written[key] = str(self._value)
        return commands.Write(key, value, client, to)

    def _delete(self, key: str, client: str, to: str | None) -> commands.Delete:
        self._values_written.pop(key, None)
        return commands.Delete(key, client, to)

    # --- faults -------------------------------------------------------------------------------------

    def _strike(self) -> None:
        """Wait for a telling moment, and hit who had it, or the leader, right then or a little later."""
        kinds = [kind for kind, weight in MOMENTS for _ in range(weight)]
        within_us = self.settings.election_timeout_max_us
        event = self.trial.advance_to((self._pick(kinds),), self.trial.now_us + within_us)
        if event is None:
            return
        if self._chance(50):
            self.trial.advance(self.trial.now_us + self._up_to(self.settings.latency_us * 2))
        victim: str = getattr(event, "node", None) or self._leader_or_anyone()
        if self._chance(30) or victim not in self.trial.simulation.nodes:
            victim = self._leader_or_anyone()
        self._hit(victim)

    def _hit(self, victim: str) -> None:
        blow = self._pick(("kill", "kill", "kill", "pause", "isolate", "one way", "restart"))
        if blow == "kill":
            self._do(commands.Kill(victim))
            if self._chance(30):
                self._wait()
                self._do(commands.Restart(victim))
        elif blow == "pause":
            self._do(commands.Pause(victim))
        elif blow == "isolate":
            self._isolate(victim)
        elif blow == "one way":
            self._do(commands.Cut(victim, self._other_than(victim), True))
        else:
            self._restart()

    def _fault_in_pairs(self) -> None:
        self._do(commands.Kill(self._leader_or_anyone()))
        self._wait(percent_at_once=50)
        self._pick((self._kill, self._pause, self._partition, self._restart))()

    def _kill(self) -> None:
        self._do(commands.Kill(self._leader_or_anyone()))

    def _blink(self, name: str | None = None) -> None:
        """A crash and an immediate restart: what was only in memory is forgotten, all else goes on."""
        victim = name or self._anyone()
        self._do(commands.Kill(victim))
        if victim in self._names("dead"):
            self._do(commands.Restart(victim))

    def _pause(self) -> None:
        self._do(commands.Pause(self._leader_or_anyone()))

    def _restart(self) -> None:
        if dead := self._names("dead"):
            self._do(commands.Restart(self._pick(dead)))

    def _resume(self) -> None:
        if paused := self._names("paused"):
            self._do(commands.Resume(self._pick(paused)))

    def _repair(self) -> None:
        """Bring somebody back, and sometimes everything."""
        if self._chance(25):
            self._make_whole()
        elif self._chance(60):
            self._restart()
        else:
            self._resume()

    def _make_whole(self) -> None:
        self._do(commands.Heal())
        for name in self._names("dead"):
            self._do(commands.Restart(name))
        for name in self._names("paused"):
            self._do(commands.Resume(name))

    # --- the network --------------------------------------------------------------------------------

    def _other_than(self, name: str) -> str:
        return self._pick([each for each in self.trial.simulation.nodes if each != name])

    def _isolate_leader(self) -> None:
        """Cut a leader off, with a client that goes on writing to it, and sometimes with a follower."""
        self._isolate(self._leader_or_anyone())
        for client in self.clients:
            if self._chance(70):
                self._do(self._operation(client))

    def _isolate(self, name: str) -> None:
        group = [name]
        if len(self.trial.simulation.nodes) > 3 and self._chance(50):
            group.append(self._other_than(name))
        rest = [each for each in self.trial.simulation.nodes if each not in group]
        group += self.clients[:1]
        rest += self.clients[1:] if self._chance(50) else ()
        self._do(commands.Partition((tuple(group), tuple(rest))))

    def _await(self, kind: type[events.Event]) -> events.Event | None:
        return self.trial.advance_to((kind,), self.trial.now_us + 2 * self.settings.election_timeout_max_us)

    def _partition(self) -> None:
        names = list(self.trial.simulation.nodes)
        self.random.shuffle(names)
        size = 1 + int(self.random.random() * (len(names) - 1))
        self._do(commands.Partition((tuple(names[:size]), tuple(names[size:]))))

    def _cut_one_way(self) -> None:
        one = self._leader_or_anyone()
        other = self._other_than(one)
        pair = (one, other) if self._chance(60) else (other, one)
        self._do(commands.Cut(*pair, self._chance(80)))

    def _heal(self) -> None:
        if self._chance(60):
            self._do(commands.Heal())
            return
        cut = [pair for pair, link in self.trial.simulation.network.links.items() if link.is_cut]
        if cut:
            self._do(commands.Heal(*self._pick(cut), True))

    def _disturb_links(self) -> None:
        if self._chance(50):
            self._do(commands.SetLoss("all", None, False, self._pick((0, 10, 40))))
        else:
            one = self._leader_or_anyone()
            latency_us = self._pick((1, 700, 2_500)) * MILLISECOND
            self._do(commands.SetLatency(one, self._other_than(one), self._chance(70), latency_us))

    def _touch_message(self) -> None:
        """Lose, delay, repeat or hurry one message."""
        in_flight = tuple(self.trial.simulation.network.in_flight)
        if not in_flight:
            return
        number = self._pick(in_flight)
        delay_us = self._pick((self.settings.latency_us, self.settings.election_timeout_max_us))
        self._do(
            self._pick(
                (
                    commands.DropMessage(number),
                    commands.DelayMessage(number, 1 + self._up_to(delay_us)),
                    commands.DuplicateMessage(number),
                    commands.DeliverMessage(number),
                )
            )
        )

    def _drop_next(self) -> None:
        one = self._leader_or_anyone()
        self._do(commands.DropNext(self._pick(DROPPED_KINDS), one, self._other_than(one)))

    # --- leadership and membership ------------------------------------------------------------------

    def _switch_over(self) -> None:
        """Hand the leadership over, and sometimes hit one of the two while that is under way."""
        leader, successor = self._leader(), self._anyone()
        if not self._do(commands.Switchover(successor)) or leader is None or self._chance(50):
            return
        kinds = (events.ElectionStarted, events.VoteGranted, events.LeaderStarted)
        within_us = self.settings.election_timeout_max_us
        self.trial.advance_to((self._pick(kinds),), self.trial.now_us + within_us)
        self._hit(self._pick((leader, successor)))

    def _promote(self) -> None:
        self._do(commands.Promote(self._pick((self._anyone(), "freshest", "stalest"))))

    def _rejoin(self) -> None:
        self._do(commands.Rejoin(self._anyone()))

    def _change_node(self) -> None:
        """Give one node a disk or a clock of its own speed; leases and bounds allow clocks to
        differ by a tenth."""
        if self._chance(50):
            relies = self.settings.leader_reads == "lease" or self.settings.session == "bounded-staleness"
            percent = self._pick((95, 105) if relies else (50, 80, 125, 200))
            self._do(commands.SetSetting("clock", percent, self._anyone()))
        else:
            flush_us = self._pick((0, 200, 900)) * MILLISECOND
            self._do(commands.SetSetting("flush", flush_us, self._anyone()))

    def _add_node(self) -> None:
        """Let a node join, sometimes where it reaches only the leader or an old one."""
        simulation, name = self.trial.simulation, self._join()
        if name is None or self._chance(50):
            return
        one = self._leader_or_anyone()
        rest = tuple(each for each in simulation.nodes if each not in (name, one))
        if one != name and rest:
            self._do(commands.Partition(((one, name, *self.clients[:1]), rest)))

    def _join(self) -> str | None:
        """Add a node, if there may be one more; gives its name."""
        used = self.trial.simulation.names_used
        if len(used) >= self.nodes_max:
            return None
        name = NODE_LETTERS[len(used)]
        return name if self._do(commands.AddNode(name)) else None

    def _remove_node(self, name: str | None = None) -> None:
        """Let a node leave, as long as enough followers stay for the policy to acknowledge at all."""
        voters = [name for name, node in self.trial.simulation.nodes.items() if node.is_voter]
        if self.nodes_max > 3 and len(voters) > max(3, self.settings.semi_sync_followers + 1):
            self._do(commands.RemoveNode(name or self._anyone()))
