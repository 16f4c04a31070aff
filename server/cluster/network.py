"""The wire between actors: every message is an envelope with a time of arrival.

Each direction between two actors is a link of its own with its own latency, loss, cuts and random
streams, so that a change on one link never shifts what happens on another. Links keep order unless
a person moves one message by hand.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from server.cluster.events import (
    LimitReached,
    LinkChanged,
    LinkCut,
    LinkHealed,
    MessageDelayed,
    MessageDelivered,
    MessageDropped,
    MessageSent,
    NetworkHealed,
)
from server.cluster.messages import Address, Message
from server.cluster.settings import LIMITS

if TYPE_CHECKING:
    from server.cluster.simulation import Simulation


class Link:
    """One direction between two actors."""

    __slots__ = (
        "is_cut", "is_to_client", "last_arrival_us", "latency_stream", "latency_us", "loss_percent",
        "loss_stream", "source", "target",
    )  # fmt: skip

    def __init__(self, source: Address, target: Address, seed: int) -> None:
        self.source = source
        self.target = target
        self.is_to_client = source.isdigit() or target.isdigit()
        self.latency_us: int | None = None
        """`None`: as the settings say."""
        self.loss_percent = 0
        self.is_cut = False
        self.last_arrival_us = 0
        self.latency_stream = Random(f"{seed}/latency/{source}>{target}")
        self.loss_stream = Random(f"{seed}/loss/{source}>{target}")


class Envelope:
    """A message in flight."""

    __slots__ = (
        "arrives_at_us",
        "fate",
        "has_arrived",
        "link",
        "message",
        "message_id",
        "network",
        "partition",
        "sent",
    )

    def __init__(
        self, network: Network, message_id: int, link: Link, partition: int, message: Message
    ) -> None:
        self.network = network
        self.message_id = message_id
        self.link = link
        self.partition = partition
        self.message = message
        self.arrives_at_us = 0
        self.sent: int | None = None
        """Sequence number of the event that caused its arrival: `message.sent`, or a person's order."""
        self.fate: str | None = None
        """Why it will be dropped when its time comes; `None` when it will be delivered."""
        self.has_arrived = False
        """Whether it waits at a paused machine: no cut can reach it there."""

    def happen(self, due_us: int) -> None:
        """Its time has come, unless it was moved to another time, waits at its target or is gone."""
        is_due = due_us == self.arrives_at_us and not self.has_arrived
        if is_due and self.message_id in self.network.in_flight:
            self.network.finish(self)


class Network:
    """All links and everything on them."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.links: dict[tuple[Address, Address], Link] = {}
        self.in_flight: dict[int, Envelope] = {}
        """By message number, in the order they were sent."""
        self.drop_rules: list[tuple[str, Address, Address]] = []
        """(kind or `message`, source, target) of messages that people asked to lose, oldest first."""
        self._next_message_id = 1
        self._is_full = False

    def link(self, source: Address, target: Address) -> Link:
        """The link from `source` to `target`."""
        pair = (source, target)
        link = self.links.get(pair)
        if link is None:
            link = self.links[pair] = Link(source, target, self.simulation.seed)
        return link

    # --- the life of a message --------------------------------------------------------------------

    def send(self, source: Address, target: Address, partition: int, message: Message) -> None:
        """Put a message on its link; decide now whether it will arrive, and when."""
        if len(self.in_flight) >= LIMITS.messages_in_flight_max:
            self._report_full()
            return
        self._is_full = False
        simulation = self.simulation
        link = self.link(source, target)
        envelope = Envelope(self, self._next_message_id, link, partition, message)
        self._next_message_id += 1
        flight_us = self._flight_us(link)
        arrives_at_us = max(simulation.now_us + flight_us, link.last_arrival_us)
        envelope.sent = simulation.record(
            MessageSent(envelope.message_id, source, target, partition, arrives_at_us, message)
        )
        envelope.fate = self._fate(link, message)
        if envelope.fate is not None:
            # It dies half way, where an eye can see it.
            arrives_at_us = simulation.now_us + flight_us // 2
        else:
            link.last_arrival_us = arrives_at_us
        envelope.arrives_at_us = arrives_at_us
        self.in_flight[envelope.message_id] = envelope
        simulation.schedule(arrives_at_us, envelope)

    def _flight_us(self, link: Link) -> int:
        settings = self.simulation.settings
        latency_us = link.latency_us
        if latency_us is None:
            latency_us = settings.client_latency_us if link.is_to_client else settings.latency_us
        if settings.jitter_percent:
            spread_us = latency_us * settings.jitter_percent // 100
            latency_us += int(link.latency_stream.random() * (2 * spread_us + 1)) - spread_us
        return latency_us

    def _fate(self, link: Link, message: Message) -> str | None:
        if self.drop_rules:
            for kind in (message.kind, "message"):
                rule = (kind, link.source, link.target)
                if rule in self.drop_rules:
                    self.drop_rules.remove(rule)
                    return "asked"
        if link.is_cut:
            return "cut"
        if link.loss_percent and link.loss_stream.random() * 100 < link.loss_percent:
            return "loss"
        return None

    def _report_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            limit = LIMITS.messages_in_flight_max
            says = f"{limit:,} messages are on the wire: more are lost until some arrive."
            self.simulation.record(LimitReached("messages in flight", limit, says))

    def finish(self, envelope: Envelope) -> None:
        """Deliver a message to a running target; lose it at a dead one; let a paused one find it later."""
        simulation, link = self.simulation, envelope.link
        if envelope.fate is not None:
            simulation.cause = envelope.sent
            self.drop(envelope, envelope.fate)
            return
        node = simulation.nodes.get(link.target)
        if node is None:
            client = simulation.clients.get(link.target)
            if client is None:
                self.drop(envelope, "dead")
                return
            self._deliver(envelope)
            client.receive(link.source, envelope.message)
        elif node.state == "up":
            self._deliver(envelope)
            node.replicas[envelope.partition].receive(link.source, envelope.message)
        elif node.state == "paused":
            envelope.has_arrived = True
            node.backlog.append(envelope)
        else:
            self.drop(envelope, "dead")

    def _deliver(self, envelope: Envelope) -> None:
        del self.in_flight[envelope.message_id]
        simulation, link = self.simulation, envelope.link
        simulation.cause = envelope.sent
        simulation.cause = simulation.record(MessageDelivered(envelope.message_id, link.source, link.target))

    def drop(self, envelope: Envelope, reason: str) -> None:
        """The message will never arrive."""
        del self.in_flight[envelope.message_id]
        simulation, link = self.simulation, envelope.link
        if reason in ("loss", "dead"):
            simulation.cause = envelope.sent
        simulation.record(MessageDropped(envelope.message_id, link.source, link.target, reason))

    # --- one message, by hand ---------------------------------------------------------------------

    def move(self, envelope: Envelope, arrives_at_us: int) -> None:
        """Let a message arrive at another time than it was sent for."""
        envelope.arrives_at_us = arrives_at_us
        envelope.has_arrived = False
        envelope.sent = self.simulation.record(MessageDelayed(envelope.message_id, arrives_at_us))
        self.simulation.schedule(arrives_at_us, envelope)

    def duplicate(self, original: Envelope) -> None:
        """Put a second copy of a message on the wire, to arrive right after the first."""
        link = original.link
        copy = Envelope(self, self._next_message_id, link, original.partition, original.message)
        self._next_message_id += 1
        copy.fate = original.fate
        copy.arrives_at_us = max(original.arrives_at_us, self.simulation.now_us)
        copy.sent = self.simulation.record(
            MessageSent(
                copy.message_id, link.source, link.target, copy.partition,
                copy.arrives_at_us, copy.message,
            )
        )  # fmt: skip
        self.in_flight[copy.message_id] = copy
        self.simulation.schedule(copy.arrives_at_us, copy)

    # --- links ------------------------------------------------------------------------------------

    def cut(self, source: Address, target: Address) -> None:
        """Let one direction carry nothing, starting with what is on it now."""
        link = self.link(source, target)
        if link.is_cut:
            return
        link.is_cut = True
        link.last_arrival_us = 0  # Nothing is left on it that a later message could overtake.
        self.simulation.record(LinkCut(source, target))
        on_link = [each for each in self.in_flight.values() if each.link is link]
        for envelope in on_link:
            if not envelope.has_arrived:
                self.drop(envelope, "cut")

    def heal(self, source: Address, target: Address) -> None:
        """Let one direction work again."""
        link = self.link(source, target)
        if link.is_cut:
            link.is_cut = False
            self.simulation.record(LinkHealed(source, target))

    def change(self, source: Address, target: Address, latency_us: int | None, loss_percent: int) -> None:
        """Give one direction a latency and a loss of its own."""
        link = self.link(source, target)
        if (link.latency_us, link.loss_percent) != (latency_us, loss_percent):
            link.latency_us, link.loss_percent = latency_us, loss_percent
            self.simulation.record(LinkChanged(source, target, latency_us, loss_percent))

    def forget(self, name: Address) -> None:
        """A node left: what it said to other nodes must not be taken for a namesake's, and a namesake
        starts on whole links."""
        lost = [
            each
            for each in self.in_flight.values()
            if name in (each.link.source, each.link.target) and not each.link.is_to_client
        ]
        for node in self.simulation.nodes.values():
            node.backlog = [each for each in node.backlog if each not in lost]
        for envelope in lost:
            self.drop(envelope, "dead")
        for link in self.links.values():
            if name in (link.source, link.target):
                self.heal(link.source, link.target)
                self.change(link.source, link.target, None, 0)

    def heal_all(self) -> None:
        """Make every link whole: no cuts, no loss, the latency that the settings say."""
        self.simulation.record(NetworkHealed())
        self.drop_rules.clear()
        for link in self.links.values():
            self.heal(link.source, link.target)
            self.change(link.source, link.target, None, 0)
