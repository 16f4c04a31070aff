"""A node: one machine with a disk, a clock and power, hosting one replica of each partition.

Killing the machine kills its replicas; what they had flushed waits on the disk. A paused machine
loses nothing and notices nothing: timers that ring and messages that arrive wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from server.cluster.events import Event, NodeKilled, NodePaused, NodeRestarted, NodeResumed
from server.cluster.messages import Address, Message, NodeId
from server.cluster.network import Envelope
from server.cluster.replica import Replica
from server.cluster.settings import Settings

if TYPE_CHECKING:
    from server.cluster.simulation import Simulation, Timer


class Node:
    """One machine of the cluster. Implements `replica.Machine` on the simulation."""

    def __init__(self, simulation: Simulation, name: NodeId, is_voter: bool) -> None:
        self.simulation = simulation
        self.name = name
        self.is_voter = is_voter
        self.state = "up"
        """`up`, `paused` or `dead`."""
        self.incarnation = 0
        """Rises with every crash, so that timers of an earlier life never ring."""
        self.overrides: dict[str, int] = {}
        """Settings of its own, by attribute of `Settings`."""
        self.settings: Settings = simulation.settings
        """The run's settings with the overrides in place."""
        self.backlog: list[Timer | Envelope] = []
        """While paused: what became due, in order."""
        self.peers: tuple[NodeId, ...] = ()
        self.voting_peers: tuple[NodeId, ...] = ()
        self.majority = 1
        self._election_stream = simulation.stream(f"election/{name}")
        self.replicas = [Replica(self, partition) for partition in range(simulation.partition_count)]

    # --- what a replica may ask ---------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return self.simulation.now_us

    def send(self, target: Address, partition: int, message: Message) -> None:
        """Put a message on the wire; a paused machine does so when it runs again."""
        if self.state == "paused":
            self.when_running(partial(self.send, target, partition, message))
        else:
            self.simulation.network.send(self.name, target, partition, message)

    def set_timer(self, delay_us: int, action: Callable[[], None]) -> Timer:
        """Call `action` later, unless the timer is cancelled or this machine dies first."""
        # A clock that runs at 80 % takes 1.25 s to count one.
        return self.simulation.set_timer(delay_us * 100 // self.settings.clock_percent, action, self)

    def set_alarm(self, at_us: int, action: Callable[[], None]) -> Timer:
        """Call `action` at a moment of virtual time, whatever this machine's clock says."""
        return self.simulation.set_timer(at_us - self.simulation.now_us, action, self)

    def elapsed_us(self, since_us: int) -> int:
        """How much time this machine's own clock has counted since a moment of virtual time."""
        return (self.simulation.now_us - since_us) * self.settings.clock_percent // 100

    def record(self, event: Event) -> int:
        """Write an event to the trace."""
        return self.simulation.record(event)

    def blame(self, sequence: int | None) -> None:
        """Make a recorded event the cause of what follows."""
        self.simulation.cause = sequence

    def draw_election_timeout_us(self) -> int:
        """A random silence between the two election timeout settings of this node, by its own clock;
        given in virtual time."""
        shortest_us = self.settings.election_timeout_min_us
        spread_us = max(0, self.settings.election_timeout_max_us - shortest_us)
        counted_us = shortest_us + int(self._election_stream.random() * (spread_us + 1))
        return counted_us * 100 // self.settings.clock_percent

    def next_term(self, term: int) -> int:
        """The lowest term above `term` that the operator's register has not given away."""
        return self.simulation.next_term(term)

    def issue_term(self) -> int:
        """A term above every term in the cluster."""
        return self.simulation.issue_term()

    def admit(self, node: NodeId) -> None:
        """Let a late joiner count in majorities."""
        self.simulation.admit(node, self)

    # --- its life -------------------------------------------------------------------------------------

    def use_settings(self, settings: Settings) -> None:
        """Take the run's settings, keep what is this node's own, and let every role react."""
        self.settings = replace(settings, **self.overrides)  # type: ignore[arg-type]
        self.when_running(self.on_settings_changed)

    def when_running(self, action: Callable[[], None]) -> None:
        """Let this machine take notice of something: now, or, while it is paused, when it runs again."""
        if self.state == "paused":
            self.set_timer(0, action)
        else:
            action()

    def on_settings_changed(self) -> None:
        """Settings or membership differ: every role may have to react."""
        for replica in self.replicas:
            replica.role.on_settings_changed()
            replica.apply()

    def on_peer_removed(self, peer: NodeId) -> None:
        """A machine left for good."""
        for replica in self.replicas:
            replica.role.on_peer_removed(peer)

    def kill(self) -> None:
        """Cut the power: everything not flushed is gone."""
        self.state = "dead"
        self.incarnation += 1
        lost = [each for each in self.backlog if isinstance(each, Envelope)]
        self.backlog = []
        self.record(NodeKilled(self.name))
        for replica in self.replicas:
            replica.crash()
        cause = self.simulation.cause
        for envelope in lost:
            self.simulation.network.drop(envelope, "dead")
        self.simulation.cause = cause

    def restart(self) -> None:
        """Power on with what the disk held."""
        self.state = "up"
        self.record(NodeRestarted(self.name))
        for replica in self.replicas:
            replica.recover()

    def pause(self) -> None:
        """Stand still."""
        self.state = "paused"
        self.record(NodePaused(self.name))

    def resume(self) -> None:
        """Run again: first everything that became due meanwhile, in its order."""
        self.state = "up"
        resumed = self.record(NodeResumed(self.name))
        backlog, self.backlog = self.backlog, []
        for each in backlog:
            self.simulation.cause = resumed
            if isinstance(each, Envelope):
                self.simulation.network.finish(each)
            else:
                each.ring()
