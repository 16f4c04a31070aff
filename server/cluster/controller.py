"""The operator's console: carries out what a person commands, or says why it cannot.

Every command is checked in full before anything changes: a refusal is a sentence and nothing else.
A command that fits is recorded first, so that it is the cause of all that follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import permutations
from typing import TYPE_CHECKING, Any, NoReturn

from server.cluster import commands
from server.cluster.commands import Command, CommandRefused
from server.cluster.events import NetworkPartitioned, SettingChanged
from server.cluster.messages import MESSAGE_KINDS, Address
from server.cluster.settings import LIMITS, NODE_LETTERS, SETTINGS, check_value

if TYPE_CHECKING:
    from server.cluster.client import Client
    from server.cluster.leader import Leader
    from server.cluster.machine import Node
    from server.cluster.network import Envelope
    from server.cluster.simulation import Simulation

ROLE_WORDS = ("leader", "followers", "freshest", "stalest")
"""Selectors that name nodes by what they are now."""


def refuse(says: str) -> NoReturn:
    """Refuse a command with a sentence."""
    raise CommandRefused(says)


class Controller:
    """Knows every actor of one run and acts on them for a person."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def execute(self, command: Command) -> None:
        """Carry out one command. Raises `CommandRefused`."""
        action: Callable[[Any], None] = getattr(self, _ACTIONS[type(command)])
        action(command)

    # --- operations ---------------------------------------------------------------------------------

    def write(self, command: commands.Write) -> None:
        """Start a write."""
        self._change("write", command, command.value, None)

    def cas(self, command: commands.CompareAndSet) -> None:
        """Start a compare-and-set."""
        self._change("cas", command, command.value, command.expected)

    def delete(self, command: commands.Delete) -> None:
        """Start a delete."""
        self._change("delete", command, None, None)

    def _change(
        self,
        kind: str,
        command: commands.Write | commands.CompareAndSet | commands.Delete,
        value: str | None,
        expected: str | None,
    ) -> None:
        client = self._client(command.client)
        client.refuse_if_busy()
        target = self._one(command.to).name if command.to is not None else None
        self._check_text(command.key, "key", LIMITS.key_characters_max)
        for text in (value, expected):
            if text is not None:
                self._check_text(text, "value", LIMITS.value_characters_max)
        self.simulation.accept(command)
        client.write(kind, command.key, value, expected, target)

    def read(self, command: commands.Read) -> None:
        """Start a read."""
        client = self._client(command.client)
        client.refuse_if_busy()
        named = command.source not in (None, "any")
        node = self._one(command.source).name if named and command.source is not None else None
        self._check_text(command.key, "key", LIMITS.key_characters_max)
        self.simulation.accept(command)
        if node is not None:
            client.read_from(command.key, node, leader_only=command.source == "leader")
        else:
            client.read(command.key, command.source or self.simulation.settings.reads)

    # --- machines -----------------------------------------------------------------------------------

    def kill(self, command: commands.Kill) -> None:
        """Cut the power of one node, or of all that a role word names."""
        nodes = [node for node in self._nodes(command.node) if node.state != "dead"]
        if not nodes:
            refuse(f"{self._names(self._nodes(command.node))} already dead.")
        self.simulation.accept(command)
        for node in nodes:
            node.kill()

    def restart(self, command: commands.Restart) -> None:
        """Give power back to one node, or to all dead ones that a role word names."""
        named = self._nodes(command.node)
        nodes = [node for node in named if node.state == "dead"]
        if not nodes:
            refuse(f"{self._names(named)} not dead: only a dead node can be restarted.")
        self.simulation.accept(command)
        for node in nodes:
            node.restart()

    def pause(self, command: commands.Pause) -> None:
        """Let nodes stand still."""
        nodes = [node for node in self._nodes(command.node) if node.state == "up"]
        if not nodes:
            node = self._nodes(command.node)[0]
            refuse(f"{node.name} is {node.state}: only a running node can be paused.")
        self.simulation.accept(command)
        for node in nodes:
            node.pause()

    def resume(self, command: commands.Resume) -> None:
        """Let paused nodes run on."""
        named = self._nodes(command.node)
        nodes = [node for node in named if node.state == "paused"]
        if not nodes:
            state = (
                f"{named[0].name} is {named[0].state}, not"
                if len(named) == 1
                else f"{self._names(named)} not"
            )
            refuse(f"{state} paused.")
        self.simulation.accept(command)
        for node in nodes:
            node.resume()

    def add_node(self, command: commands.AddNode) -> None:
        """Let a new node join."""
        nodes = self.simulation.nodes
        if command.node in nodes:
            refuse(f"{command.node} is already in the cluster.")
        if command.node not in NODE_LETTERS:
            refuse(f"Nodes are named {NODE_LETTERS[0]} to {NODE_LETTERS[-1]}, not {command.node}.")
        if command.node in self.simulation.names_used:
            refuse(
                f"{command.node} was in this cluster before: a new, empty machine needs a name of its own."
            )
        if len(nodes) >= LIMITS.nodes_max:
            refuse(f"A cluster has at most {LIMITS.nodes_max} nodes.")
        for node in nodes.values():
            if not node.is_voter:
                refuse(f"{node.name} has not caught up yet: nodes join one at a time (Raft thesis §4.1).")
        self.simulation.accept(command)
        self.simulation.add_node(command.node)

    def remove_node(self, command: commands.RemoveNode) -> None:
        """Let a node leave for good."""
        node = self._one(command.node)
        if len(self.simulation.nodes) <= LIMITS.nodes_min:
            refuse(f"A cluster has at least {LIMITS.nodes_min} nodes.")
        if node is self.simulation.leader():
            refuse(f"{node.name} leads: switch over to another node first.")
        self._refuse_if_copies_would_miss(node)
        self.simulation.accept(command)
        self.simulation.remove_node(node.name)

    def _refuse_if_copies_would_miss(self, leaving: Node) -> None:
        """A committed entry must stay on a majority of those who remain, or a later election could
        lose it (Raft thesis §4.1: the old and the new majorities must overlap)."""
        voters = [node for node in self.simulation.nodes.values() if node.is_voter]
        staying = [node for node in voters if node is not leaving]
        for partition in range(self.simulation.partition_count):
            known = max(voters, key=lambda node: node.replicas[partition].commit_index)
            index = known.replicas[partition].commit_index
            term = known.replicas[partition].log.term_at(index)
            logs = [node.replicas[partition].log for node in staying]
            holders = [log for log in logs if log.flushed_index >= index and log.term_at(index) == term]
            if index and len(holders) <= len(staying) // 2:
                refuse(
                    f"Without {leaving.name}, entry {index} would be committed but on "
                    f"{len(holders)} of {len(staying)} nodes only: let the others catch up first."
                )

    # --- network ------------------------------------------------------------------------------------

    def cut(self, command: commands.Cut) -> None:
        """Cut a link, in one direction or both."""
        pairs = self._pairs(command.source, command.target, command.one_way)
        self.simulation.accept(command)
        for source, target in pairs:
            self.simulation.network.cut(source, target)

    def partition(self, command: commands.Partition) -> None:
        """Separate groups from each other and make everything inside each whole."""
        groups = self._groups(command.groups)
        self.simulation.accept(command)
        self.simulation.record(NetworkPartitioned(groups))
        group_of = {address: number for number, group in enumerate(groups) for address in group}
        addresses = (*self.simulation.nodes, *self.simulation.clients)
        for source, target in permutations(addresses, 2):
            if source in self.simulation.clients and target in self.simulation.clients:
                continue
            if source in group_of and target in group_of and group_of[source] != group_of[target]:
                self.simulation.network.cut(source, target)
            else:
                self.simulation.network.heal(source, target)

    def _groups(self, named: tuple[tuple[Address, ...], ...]) -> tuple[tuple[Address, ...], ...]:
        groups: list[tuple[Address, ...]] = []
        seen: dict[Address, None] = {}
        for group in named:
            addresses = tuple(address for end in group for address in self._ends(end))
            for address in addresses:
                if address in seen:
                    refuse(f"{_spoken(address)} cannot be in two groups.")
                seen[address] = None
            groups.append(addresses)
        rest = tuple(name for name in self.simulation.nodes if name not in seen)
        if rest:
            groups.append(rest)
        if len(groups) < 2:
            refuse("A partition needs nodes on both sides: partition A | B C.")
        return tuple(groups)

    def heal(self, command: commands.Heal) -> None:
        """Make one link whole, or all of them."""
        network = self.simulation.network
        if command.source is None:
            self.simulation.accept(command)
            network.heal_all()
            return
        assert command.target is not None
        pairs = self._pairs(command.source, command.target, command.one_way)
        self.simulation.accept(command)
        for source, target in pairs:
            network.heal(source, target)
            network.change(source, target, None, 0)

    def set_latency(self, command: commands.SetLatency) -> None:
        """Give links another latency; for `all` and `clients` that is a setting of the run."""
        name = {"all": "latency", "clients": "client-latency"}.get(command.source)
        check_value(name or "latency", command.latency_us)
        pairs = self._named_pairs(command.source, command.target, command.one_way)
        self.simulation.accept(command)
        network = self.simulation.network
        if name is not None:
            self._use_setting(name, command.latency_us)
        for source, target in pairs:
            own_us = None if name is not None else command.latency_us
            network.change(source, target, own_us, network.link(source, target).loss_percent)

    def set_loss(self, command: commands.SetLoss) -> None:
        """Let links lose some of their messages."""
        if not 0 <= command.percent <= 100:
            refuse(f"Loss goes from 0% to 100%, not {command.percent}%.")
        pairs = self._named_pairs(command.source, command.target, command.one_way)
        self.simulation.accept(command)
        network = self.simulation.network
        for source, target in pairs:
            network.change(source, target, network.link(source, target).latency_us, command.percent)

    # --- one message --------------------------------------------------------------------------------

    def drop_next(self, command: commands.DropNext) -> None:
        """Lose the next message of a kind on a link."""
        if command.message_kind not in (*MESSAGE_KINDS, "message"):
            refuse(f"There is no kind of message called {command.message_kind}.")
        pairs = self._pairs(command.source, command.target, one_way=True)
        rules = self.simulation.network.drop_rules
        if len(rules) >= 100:
            refuse("100 messages are already waiting to be dropped: let some of them come first.")
        self.simulation.accept(command)
        rules.extend((command.message_kind, source, target) for source, target in pairs)

    def drop_message(self, command: commands.DropMessage) -> None:
        """Lose one message in flight."""
        envelope = self._envelope(command.message_id)
        self.simulation.accept(command)
        self._forget_in_backlog(envelope)
        self.simulation.network.drop(envelope, "asked")

    def delay_message(self, command: commands.DelayMessage) -> None:
        """Let one message arrive later."""
        envelope = self._envelope(command.message_id)
        if not 0 < command.delay_us <= LIMITS.time_us_max:
            refuse("A message can be delayed by more than 0 s and at most a day.")
        self.simulation.accept(command)
        self._forget_in_backlog(envelope)
        due_us = max(envelope.arrives_at_us, self.simulation.now_us)
        self.simulation.network.move(envelope, due_us + command.delay_us)

    def duplicate_message(self, command: commands.DuplicateMessage) -> None:
        """Let one message arrive twice."""
        envelope = self._envelope(command.message_id)
        if len(self.simulation.network.in_flight) >= LIMITS.messages_in_flight_max:
            refuse(f"{LIMITS.messages_in_flight_max:,} messages are on the wire: let some arrive first.")
        self.simulation.accept(command)
        self.simulation.network.duplicate(envelope)

    def deliver_message(self, command: commands.DeliverMessage) -> None:
        """Let one message arrive now."""
        envelope = self._envelope(command.message_id)
        if self.simulation.nodes.get(envelope.link.target) in self._paused():
            refuse(f"{envelope.link.target} is paused: it takes its messages when it is resumed.")
        self.simulation.accept(command)
        self.simulation.network.move(envelope, self.simulation.now_us)

    # --- failover -----------------------------------------------------------------------------------

    def promote(self, command: commands.Promote) -> None:
        """Make a node leader by decree, in a term that no other node has."""
        node = self._one(command.node)
        if node.state != "up":
            refuse(f"{node.name} is {node.state}: a leader must be running.")
        if not node.is_voter:
            refuse(f"{node.name} has not caught up yet.")
        if node is self.simulation.leader():
            refuse(f"{node.name} already leads.")
        self.simulation.accept(command)
        for replica in node.replicas:
            replica.lead(self.simulation.issue_term(), "promoted", ())

    def switchover(self, command: commands.Switchover) -> None:
        """Hand leadership over without losing anything."""
        leader = self.simulation.leader()
        node = self._one(command.node)
        if leader is None:
            refuse("There is no live leader to hand over from: promote a node instead.")
        if node is leader:
            refuse(f"{node.name} already leads.")
        if node.state != "up":
            refuse(f"{node.name} is {node.state}: a leader must be running.")
        if not node.is_voter:
            refuse(f"{node.name} has not caught up yet.")
        roles: list[Leader] = [replica.role for replica in leader.replicas]  # type: ignore[misc]
        if any(role.successor is not None for role in roles):
            refuse(f"{leader.name} is already handing over to {roles[0].successor}.")
        self.simulation.accept(command)
        for role in roles:
            is_decreed = self.simulation.settings.failover == "manual"
            role.hand_over(node.name, self.simulation.issue_term() if is_decreed else 0)

    def rejoin(self, command: commands.Rejoin) -> None:
        """Make a node that believes it leads follow the leader of the highest term."""
        node = self._one(command.node)
        leader = self.simulation.leader()
        if leader is None:
            refuse("There is no live leader to follow.")
        if node.state != "up":
            refuse(f"{node.name} is {node.state}: restart or resume it first.")
        if node is leader:
            refuse(f"{node.name} leads: there is nobody for it to follow.")
        if all(replica.role.name == "follower" for replica in node.replicas):
            refuse(f"{node.name} already follows.")
        self.simulation.accept(command)
        for replica, followed in zip(node.replicas, leader.replicas, strict=True):
            if followed.term > replica.term:
                replica.adopt_term(followed.term)
            else:
                replica.follow(None, "operator")

    # --- settings and load --------------------------------------------------------------------------

    def set_setting(self, command: commands.SetSetting) -> None:
        """Change a setting for the run, or for one node."""
        row = SETTINGS.get(command.setting)
        if row is not None and row.is_fixed:
            refuse(f"{row.name} is chosen when a run starts and cannot change while it runs.")
        check_value(command.setting, command.value)
        assert row is not None
        if row.name == "reads" and str(command.value) in NODE_LETTERS:
            self._one(str(command.value))
        if command.node is None:
            self.simulation.settings.changed(row.name, command.value)
            self.simulation.accept(command)
            self._use_setting(row.name, command.value)
            return
        if not row.per_node:
            refuse(f"{row.name} is one for the whole cluster, not for a single node.")
        nodes = self._nodes(command.node)
        for node in nodes:
            node.settings.changed(row.name, command.value)
        self.simulation.accept(command)
        for node in nodes:
            node.overrides[row.attribute] = command.value  # type: ignore[assignment]  # Checked above.
            self.simulation.record(SettingChanged(row.name, command.value, node.name))
            node.use_settings(self.simulation.settings)

    def _use_setting(self, name: str, value: str | int | bool) -> None:
        after = self.simulation.settings.changed(name, value)
        self.simulation.record(SettingChanged(name, value, None))
        for node in self.simulation.nodes.values():
            node.overrides.pop(SETTINGS[name].attribute, None)
        self.simulation.use_settings(after)

    def start_load(self, command: commands.StartLoad) -> None:
        """Start or change a client's background traffic."""
        client = self._client(command.client)
        if command.operation_kind not in ("write", "read"):
            refuse("Background load is writes or reads.")
        if command.interval_us * LIMITS.load_per_second_max < 1_000_000:
            refuse(f"A client does at most {LIMITS.load_per_second_max:,} operations a second.")
        if command.interval_us > LIMITS.time_us_max:
            refuse("Background load is at least one operation a day.")
        self.simulation.accept(command)
        client.start_load(command.operation_kind, command.interval_us, command.key)

    def stop_load(self, command: commands.StopLoad) -> None:
        """Stop background traffic."""
        clients = self.simulation.clients.values()
        named = [self._client(command.client)] if command.client is not None else list(clients)
        self.simulation.accept(command)
        for client in named:
            for kind in ("write", "read"):
                client.stop_load(kind)

    # --- finding what a command names -----------------------------------------------------------------

    def _nodes(self, selector: str) -> list[Node]:
        """The nodes that a selector names; at least one."""
        nodes = self.simulation.nodes
        if selector in nodes:
            return [nodes[selector]]
        leader = self.simulation.leader()
        if selector == "leader":
            if leader is None:
                refuse("There is no live leader now.")
            return [leader]
        others = [node for node in nodes.values() if node is not leader]
        if selector == "followers":
            return others
        if selector in ("freshest", "stalest"):
            running = [node for node in others if node.state == "up" and node.is_voter]
            if not running:
                refuse(f"No follower is running, so none is the {selector}.")
            choose = max if selector == "freshest" else min
            return [choose(running, key=lambda node: node.replicas[0].log.last_id)]
        refuse(self._no_such_node(selector))

    def _no_such_node(self, name: str) -> str:
        present = ", ".join(self.simulation.nodes)
        return f"There is no node {name} here. Nodes: {present}; or {', '.join(ROLE_WORDS)}."

    def _one(self, selector: str) -> Node:
        nodes = self._nodes(selector)
        if len(nodes) > 1:
            refuse(f"{selector} are several nodes ({self._names(nodes, verb='')}): name one.")
        return nodes[0]

    @staticmethod
    def _names(nodes: Iterable[Node], verb: str | None = None) -> str:
        names = [node.name for node in nodes]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return f"{listed} {verb or ('is' if len(names) == 1 else 'are')}" if verb != "" else listed

    def _client(self, name: str) -> Client:
        clients = self.simulation.clients
        if name not in clients:
            refuse(f"There is no client {name} here. Clients: {', '.join(clients)}.")
        return clients[name]

    def _ends(self, end: Address) -> list[Address]:
        if end.isdigit():
            if end not in self.simulation.clients:
                refuse(f"There is no client {end} here. Clients: {', '.join(self.simulation.clients)}.")
            return [end]
        return [node.name for node in self._nodes(end)]

    def _pairs(self, source: Address, target: Address, one_way: bool) -> list[tuple[Address, Address]]:
        pairs: list[tuple[Address, Address]] = []
        for one in self._ends(source):
            for other in self._ends(target):
                if one == other:
                    refuse(f"A link needs two ends: {_spoken(one)} has none to itself.")
                if one.isdigit() and other.isdigit():
                    refuse("Clients do not talk to each other.")
                pairs.append((one, other))
                if not one_way:
                    pairs.append((other, one))
        return pairs

    def _named_pairs(
        self, source: Address, target: Address | None, one_way: bool
    ) -> list[tuple[Address, Address]]:
        nodes, clients = self.simulation.nodes, self.simulation.clients
        if source == "all":
            return list(permutations(nodes, 2))
        if source == "clients":
            return [pair for client in clients for node in nodes for pair in ((client, node), (node, client))]
        assert target is not None
        return self._pairs(source, target, one_way)

    def _envelope(self, message_id: int) -> Envelope:
        envelope = self.simulation.network.in_flight.get(message_id)
        if envelope is None:
            refuse(f"Message {message_id} is not in flight.")
        return envelope

    def _paused(self) -> list[Node]:
        return [node for node in self.simulation.nodes.values() if node.state == "paused"]

    def _forget_in_backlog(self, envelope: Envelope) -> None:
        for node in self._paused():
            if envelope in node.backlog:
                node.backlog.remove(envelope)

    @staticmethod
    def _check_text(text: str, what: str, characters_max: int) -> None:
        if not 1 <= len(text) <= characters_max:
            refuse(f"A {what} has 1 to {characters_max} characters; this one has {len(text)}.")


def _spoken(address: Address) -> str:
    return f"client {address}" if address.isdigit() else address


_ACTIONS: dict[type[Command], str] = {
    commands.Write: "write",
    commands.Read: "read",
    commands.CompareAndSet: "cas",
    commands.Delete: "delete",
    commands.Kill: "kill",
    commands.Restart: "restart",
    commands.Pause: "pause",
    commands.Resume: "resume",
    commands.AddNode: "add_node",
    commands.RemoveNode: "remove_node",
    commands.Cut: "cut",
    commands.Partition: "partition",
    commands.Heal: "heal",
    commands.SetLatency: "set_latency",
    commands.SetLoss: "set_loss",
    commands.DropNext: "drop_next",
    commands.DropMessage: "drop_message",
    commands.DelayMessage: "delay_message",
    commands.DuplicateMessage: "duplicate_message",
    commands.DeliverMessage: "deliver_message",
    commands.Promote: "promote",
    commands.Switchover: "switchover",
    commands.Rejoin: "rejoin",
    commands.SetSetting: "set_setting",
    commands.StartLoad: "start_load",
    commands.StopLoad: "stop_load",
}
"""Which method carries out which command; a test checks that none is missing."""
