"""A random run: settings, traffic and faults, all drawn from one stream.

Most random schedules are dull: faults hit idle nodes. So the moves here wait for telling moments (an
acknowledgement that has just left, a vote, a new leader) and strike then, cut a leader off together
with a client, restart nodes in the middle of an election, and let faults come in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, TypeVar

from server.cluster import Settings, Simulation, commands, events
from server.cluster.commands import Command
from server.cluster.settings import MILLISECOND, NODE_LETTERS, SECOND
from server.explore.promises import proves_reads

GAPS = 60
"""Stretches of time between one thing and the next in a run."""
KEYS = ("x", "y")
MANUAL_SHARE = 8
"""One run in so many is left to an operator who promotes."""
NODES_MAX = 7
"""The largest cluster that nodes are added to."""
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


def draw_settings(
    policy: str, random: Random, switched_off: Sequence[str] = ()
) -> dict[str, str | int | bool]:
    """Settings of a small cluster under one acknowledge policy, by spoken name."""
    nodes = _pick(random, (3, 3, 3, 4, 5, 5))
    latency_us = _pick(random, (20, 100, 300)) * MILLISECOND
    heartbeat_us = _pick(random, (500, 1_000)) * MILLISECOND
    shortest_us = heartbeat_us * 2 + latency_us * _pick(random, (1, 2, 4))
    values: dict[str, str | int | bool] = {
        "nodes": nodes,
        "replication": policy,
        "failover": "automatic" if int(random.random() * MANUAL_SHARE) else "manual",
        "level": _pick(random, ("flushed", "flushed", "flushed", "applied")),
        "semi-sync-followers": nodes // 2,
        "heartbeat": heartbeat_us,
        "election-timeout-min": shortest_us,
        "election-timeout-max": shortest_us + latency_us * 2 + _pick(random, (1, 2)) * SECOND,
        "latency": latency_us,
        "client-latency": _pick(random, (20, 100, 300)) * MILLISECOND,
        "jitter": _pick(random, (0, 10, 10, 60)),
        "flush": _pick(random, (0, 10, 50, 400)) * MILLISECOND,
        "apply": _pick(random, (0, 20, 20, 200)) * MILLISECOND,
        "batch": _pick(random, (1, 2, 16)),
        "retries": _pick(random, (0, 0, 1, 3)),
        "operation-timeout": _pick(random, (1, 3, 5)) * SECOND,
        **{name: False for name in switched_off},
    }
    if policy in ("async", "semi-sync") and not int(random.random() * 8):
        values["level"] = "received"
    if policy == "semi-sync":
        values["semi-sync-followers"] = 1 + int(random.random() * (nodes - 1))
    for name, choices in _READS_AND_VOTES:
        values[name] = _pick(random, choices)
    plain = Settings()
    return {name: value for name, value in values.items() if plain.value(name) != value}


_READS_AND_VOTES: tuple[tuple[str, tuple[str | int | bool, ...]], ...] = (
    ("leader-reads", ("plain", "read-index", "read-index", "lease")),
    ("session", ("none", "none", "read-your-writes", "monotonic-reads", "bounded-staleness")),
    ("staleness-bound", (1 * SECOND, 4 * SECOND, 10 * SECOND)),
    ("pre-vote", (False, False, True)),
)
"""What else is drawn, each value as likely as it stands here."""


def _pick(random: Random, items: Sequence[Item]) -> Item:
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


def disturb(ground: Ground, seed: str) -> None:
    """Random operations and faults on a cluster that is there already."""
    Chaos(ground, Random(seed), len(ground.simulation.nodes) + 1).play()


class Chaos:
    """Plays one random run on a trial."""

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
                _pick(self.random, self._moves)()
            self._wait()

    def _weighted(self) -> tuple[tuple[Callable[[], None], int], ...]:
        return (
            (self._operate, 26),
            (self._strike, 22),
            (self._fault_in_pairs, 3),
            (self._isolate_leader, 7),
            (self._depose_unseen, 4),
            (self._relay, 2),
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

    # --- chance and time ----------------------------------------------------------------------------

    def _chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def _up_to(self, time_us: int) -> int:
        return int(self.random.random() * (time_us + 1))

    def _wait(self, percent_at_once: int = 15) -> None:
        """One gap: nothing at all, or a time in which messages, heartbeats or elections happen."""
        self.gaps_left -= 1
        if self._chance(percent_at_once):
            return
        settings = self.settings
        scale_us = _pick(
            self.random,
            (
                settings.latency_us, settings.latency_us, 2 * settings.latency_us + settings.flush_us,
                settings.heartbeat_us, settings.election_timeout_max_us,
            ),
        )  # fmt: skip
        self.trial.advance(self.trial.now_us + self._up_to(scale_us))

    # --- who ----------------------------------------------------------------------------------------

    def _names(self, *states: str) -> list[str]:
        nodes = self.trial.simulation.nodes.items()
        return [name for name, node in nodes if node.state in states]

    def _anyone(self) -> str:
        return _pick(self.random, tuple(self.trial.simulation.nodes))

    def _leader(self) -> str | None:
        leader = self.trial.simulation.leader()
        return leader.name if leader is not None else None

    def _leader_or_anyone(self) -> str:
        leader = self._leader()
        return leader if leader is not None and self._chance(60) else self._anyone()

    def _is_crippled(self) -> bool:
        """Whether no majority of the nodes runs."""
        return len(self._names("up")) <= len(self.trial.simulation.nodes) // 2

    def _do(self, command: Command) -> None:
        self.trial.execute(command)

    # --- traffic ------------------------------------------------------------------------------------

    def _start_load(self) -> None:
        if self._chance(60):
            self._do(commands.StartLoad("write", _pick(self.random, (300, 800, 2_000)) * MILLISECOND, "1"))
        if self._chance(30):
            self._do(commands.StartLoad("read", _pick(self.random, (500, 2_000)) * MILLISECOND, "2"))

    def _operate(self) -> None:
        """One client operation, or a short burst."""
        for _ in range(_pick(self.random, (1, 1, 2, 4))):
            self._do(self._operation(_pick(self.random, self.clients)))

    def _operation(self, client: str) -> Command:
        key = _pick(self.random, KEYS)
        to = self._anyone() if self._chance(15) else None
        kind = _pick(self.random, ("write", "write", "write", "read", "read", "cas", "delete"))
        if kind == "read":
            is_plain = self.has_proven_reads or self._chance(70)
            return commands.Read(
                key, client, None if is_plain else _pick(self.random, ("any", self._anyone()))
            )
        if kind == "delete":
            self._values_written.pop(key, None)
            return commands.Delete(key, client, to)
        before = self._values_written.get(key)
        write = self._next_write(key, client, to)
        if kind == "cas":
            return commands.CompareAndSet(key, before, write.value, client, to)
        return write

    # --- faults -------------------------------------------------------------------------------------

    def _strike(self) -> None:
        """Wait for a telling moment, and hit who had it, or the leader, right then or a little later."""
        kinds = [kind for kind, weight in MOMENTS for _ in range(weight)]
        within_us = self.settings.election_timeout_max_us
        event = self.trial.advance_to((_pick(self.random, kinds),), self.trial.now_us + within_us)
        if event is None:
            return
        if self._chance(50):
            self.trial.advance(self.trial.now_us + self._up_to(self.settings.latency_us * 2))
        victim: str = getattr(event, "node", None) or self._leader_or_anyone()
        if self._chance(30) or victim not in self.trial.simulation.nodes:
            victim = self._leader_or_anyone()
        blow = _pick(self.random, ("kill", "kill", "kill", "pause", "isolate", "one way", "restart"))
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
        _pick(self.random, (self._kill, self._pause, self._partition, self._restart))()

    def _kill(self) -> None:
        self._do(commands.Kill(self._leader_or_anyone()))

    def _blink(self) -> None:
        """A crash and an immediate restart: what was only in memory is forgotten, all else goes on."""
        victim = self._anyone()
        self._do(commands.Kill(victim))
        if victim in self._names("dead"):
            self._do(commands.Restart(victim))

    def _pause(self) -> None:
        self._do(commands.Pause(self._leader_or_anyone()))

    def _restart(self) -> None:
        if dead := self._names("dead"):
            self._do(commands.Restart(_pick(self.random, dead)))

    def _resume(self) -> None:
        if paused := self._names("paused"):
            self._do(commands.Resume(_pick(self.random, paused)))

    def _repair(self) -> None:
        """Bring somebody back, and sometimes everything."""
        if self._chance(25):
            self._do(commands.Heal())
            for name in self._names("dead", "paused"):
                is_dead = self.trial.simulation.nodes[name].state == "dead"
                self._do(commands.Restart(name) if is_dead else commands.Resume(name))
        elif self._chance(60):
            self._restart()
        else:
            self._resume()

    # --- the network --------------------------------------------------------------------------------

    def _other_than(self, name: str) -> str:
        return _pick(self.random, [each for each in self.trial.simulation.nodes if each != name])

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

    def _depose_unseen(self) -> None:
        """Let a leader go on with one client while the others, some fresh from a crash, choose another
        and take the other clients' writes: whatever it answers may be out of date."""
        leader = self._leader()
        others = [name for name in self._names("up") if name != leader]
        if leader is None or len(others) < 2:
            return
        first, *rest = self.clients
        key = _pick(self.random, KEYS)
        self._do(self._next_write(key, first, leader))
        self._await(events.OperationEnded)
        self._do(commands.Cut(leader, others[0], False))  # It misses the leader for longer than the rest.
        half_us = self.settings.election_timeout_min_us // 2
        self.trial.advance(self.trial.now_us + half_us + self._up_to(half_us))
        if self._chance(70):
            for name in others[1:]:
                self._do(commands.Kill(name))
                self._do(commands.Restart(name))
        nodes = (name for name in self.trial.simulation.nodes if name != leader)
        self._do(commands.Partition(((leader, first), (*nodes, *rest))))
        self._do(commands.Read(key, first))
        if rest and (elected := self._await(events.LeaderStarted)) is not None:
            self._do(self._next_write(key, rest[0], str(elected.facts()["node"])))
            self._await(events.OperationEnded)
        for _ in range(3):
            self._do(commands.Read(key, first))
            self._wait(percent_at_once=0)
        self.gaps_left -= 1

    def _next_write(self, key: str, client: str, to: str | None) -> commands.Write:
        self._value += 1
        value = self._values_written[key] = str(self._value)
        return commands.Write(key, value, client, to)

    def _relay(self) -> None:
        """Raft's figure 8: two nodes lead in turn, each with an entry that nobody else has; the first one
        returns, spreads its old entry, and dies as soon as somebody calls it safe."""
        one = self._lead_alone()
        if one is None:
            return
        self._do(commands.Kill(one))
        self._do(commands.Heal())
        if self._await(events.LeaderStarted) is None:
            return
        other = self._lead_alone()
        if other is None or other == one:
            return
        self._do(commands.Kill(other))
        self._do(commands.Heal())
        self._do(commands.Restart(one))
        if self._await(events.LeaderStarted) is not None:
            self._await(_pick(self.random, (events.CommitAdvanced, events.WriteAcknowledged)))
        self.trial.advance(self.trial.now_us + self._up_to(self.settings.latency_us))
        self._do(commands.Kill(one))
        self._do(commands.Restart(other))
        self._await(events.LeaderStarted)
        self._do(commands.Restart(one))
        self.gaps_left -= 5

    def _lead_alone(self) -> str | None:
        """Let the leader write what reaches its own disk only; gives its name."""
        leader = self._leader()
        if leader is None:
            return None
        rest = tuple(name for name in self.trial.simulation.nodes if name != leader)
        self._do(commands.Partition(((leader,), rest)))
        self._do(self._next_write(_pick(self.random, KEYS), self.clients[0], leader))
        self._await(events.LogFlushed)
        return leader

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
            self._do(commands.Heal(*_pick(self.random, cut), True))

    def _disturb_links(self) -> None:
        if self._chance(50):
            self._do(commands.SetLoss("all", None, False, _pick(self.random, (0, 10, 40))))
        else:
            one = self._leader_or_anyone()
            latency_us = _pick(self.random, (1, 700, 2_500)) * MILLISECOND
            self._do(commands.SetLatency(one, self._other_than(one), self._chance(70), latency_us))

    def _touch_message(self) -> None:
        """Lose, delay, repeat or hurry one message."""
        in_flight = tuple(self.trial.simulation.network.in_flight)
        if not in_flight:
            return
        number = _pick(self.random, in_flight)
        delay_us = _pick(self.random, (self.settings.latency_us, self.settings.election_timeout_max_us))
        self._do(
            _pick(
                self.random,
                (
                    commands.DropMessage(number),
                    commands.DelayMessage(number, 1 + self._up_to(delay_us)),
                    commands.DuplicateMessage(number),
                    commands.DeliverMessage(number),
                ),
            )
        )

    def _drop_next(self) -> None:
        one = self._leader_or_anyone()
        self._do(commands.DropNext(_pick(self.random, DROPPED_KINDS), one, self._other_than(one)))

    # --- leadership and membership ------------------------------------------------------------------

    def _switch_over(self) -> None:
        self._do(commands.Switchover(self._anyone()))

    def _promote(self) -> None:
        self._do(commands.Promote(_pick(self.random, (self._anyone(), "freshest", "stalest"))))

    def _rejoin(self) -> None:
        self._do(commands.Rejoin(self._anyone()))

    def _change_node(self) -> None:
        """Give one node a disk or a clock of its own speed; leases and bounds allow clocks to
        differ by a tenth."""
        if self._chance(50):
            relies = self.settings.leader_reads == "lease" or self.settings.session == "bounded-staleness"
            percent = _pick(self.random, (95, 105) if relies else (50, 80, 125, 200))
            self._do(commands.SetSetting("clock", percent, self._anyone()))
        else:
            flush_us = _pick(self.random, (0, 200, 900)) * MILLISECOND
            self._do(commands.SetSetting("flush", flush_us, self._anyone()))

    def _add_node(self) -> None:
        """Let a node join, sometimes where it reaches only the leader or an old one."""
        simulation = self.trial.simulation
        if len(simulation.names_used) >= self.nodes_max:
            return
        name = NODE_LETTERS[len(simulation.names_used)]
        self._do(commands.AddNode(name))
        if name not in simulation.nodes or self._chance(50):
            return
        one = self._leader_or_anyone()
        rest = tuple(each for each in simulation.nodes if each not in (name, one))
        if one != name and rest:
            self._do(commands.Partition(((one, name, *self.clients[:1]), rest)))

    def _remove_node(self) -> None:
        """Let a node leave, as long as enough followers stay for the policy to acknowledge at all."""
        voters = [name for name, node in self.trial.simulation.nodes.items() if node.is_voter]
        if self.nodes_max > 3 and len(voters) > max(3, self.settings.semi_sync_followers + 1):
            self._do(commands.RemoveNode(self._anyone()))
