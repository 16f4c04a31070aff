"""The one table of commands, from which parsing, printing, help and completion all follow.

A row's `rule` is what a person types: plain words, `<slot>` or `<field:slot>` to fill in, and `[…]` for
what may be left out. Optional tails may come in any order and are printed in the table's order.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from server.cluster import commands
from server.cluster.commands import Command
from server.cluster.settings import SECOND
from server.language.evaluation import Expression
from server.language.slots import SLOTS, Slot


@dataclass(frozen=True, slots=True)
class Directive:
    """Base of the lines that drive a run without being commands to the cluster."""


@dataclass(frozen=True, slots=True)
class Wait(Directive):
    """`wait 2s`: let virtual time pass."""

    time_us: int


@dataclass(frozen=True, slots=True)
class WaitUntil(Directive):
    """`wait until leader == B within 10s`: go on until it is true; giving up is a failed expectation."""

    expression: Expression
    within_us: int = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Expect(Directive):
    """`expect lost == 0`: it must be true now."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Place:
    """A slot in a row and the fields of the command that it fills."""

    slot: Slot
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """An optional part: the word that announces it (`None`: nothing does), and its place."""

    keyword: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Row:
    """One form of one command."""

    group: str
    make: type[Command] | type[Directive]
    rule: str
    says: str
    examples: tuple[str, ...]
    fixed: dict[str, Any] = field(default_factory=dict)
    """Fields that this form decides by itself."""
    parts: list[str | Place] = field(default_factory=list)
    """What must be there, in order: words and places."""
    tails: list[Tail] = field(default_factory=list)

    def __post_init__(self) -> None:
        for match in _RULE.finditer(self.rule):
            if match["word"]:
                self.parts.append(match["word"])
            elif match["name"]:
                self.parts.append(_place(match["name"]))
            else:
                self.tails.append(Tail(match["keyword"], _place(match["optional"])))

    @property
    def form(self) -> str:
        """The rule as help shows it, slots by their plain names."""
        return _NAME.sub(lambda match: SLOTS[match[1].split(":")[-1]].form, self.rule)

    @property
    def words(self) -> tuple[str, ...]:
        """The plain words that it begins with."""
        first_place = next((at for at, part in enumerate(self.parts) if isinstance(part, Place)), None)
        return tuple(str(part) for part in self.parts[:first_place])

    def left_out(self, place: Place) -> bool:
        """Whether the command has defaults for everything that this place fills."""
        return all(name in self.defaults() for name in place.fields)

    def defaults(self) -> dict[str, Any]:
        """The command's fields that may be left out, and what they are then."""
        return {item.name: item.default for item in fields(self.make) if item.default is not MISSING}


_RULE = re.compile(
    r"\[(?:(?P<keyword>\w+)\s)?<(?P<optional>[\w:]+)>\] | <(?P<name>[\w:]+)> | (?P<word>[\w>-]+)", re.VERBOSE
)
_NAME = re.compile(r"<([\w:]+)>")


def _place(name: str) -> Place:
    field_name, _, slot_name = name.rpartition(":")
    slot = SLOTS[slot_name]
    return Place(slot, slot.fields or (field_name or slot_name,))


ROWS = (
    Row("operations", commands.Write, "write <key> <value> [by <client>] [to <to:node>]",
        "A client writes a value. It goes to the leader it knows, or to the node named.",
        ("write x 1", "write x 1 by 2", "write x 1 to B")),
    Row("operations", commands.Read, "read <key> [by <client>] [from <source>]",
        "A client reads a key, from the node named or as the setting reads says.",
        ("read x", "read x by 2 from C", "read x from any")),
    Row("operations", commands.CompareAndSet, "cas <key> <expected> <value> [by <client>] [to <to:node>]",
        "Compare and set: writes the value only if the key holds the expected one (none: holds nothing).",
        ("cas x 1 2", "cas x none 1")),
    Row("operations", commands.Delete, "delete <key> [by <client>] [to <to:node>]",
        "A client deletes a key.", ("delete x",)),
    Row("machines", commands.Kill, "kill <node:nodes>",
        "Power off: memory is lost, the disk keeps what was flushed.", ("kill leader", "kill B")),
    Row("machines", commands.Restart, "restart <node:nodes>", "Power on again, with what the disk held.",
        ("restart B", "restart followers")),
    Row("machines", commands.Pause, "pause <node:nodes>",
        "Stand still, as in a long garbage collection; nothing is lost or noticed.", ("pause B",)),
    Row("machines", commands.Resume, "resume <node:nodes>", "Run again after a pause.",
        ("resume B", "resume followers")),
    Row("machines", commands.AddNode, "add <node:letter>",
        "A new, empty node; it counts in majorities once it has caught up.", ("add D",)),
    Row("machines", commands.RemoveNode, "remove <node>", "A node leaves for good.", ("remove D",)),
    Row("network", commands.Cut, "cut <link>",
        "A link carries nothing any more; with -> only in that direction.", ("cut A B", "cut A -> B")),
    Row("network", commands.Partition, "partition <groups>",
        "Groups that cannot reach each other; nodes named in no group form one of their own.",
        ("partition A | B C", "partition A client 1 | B C")),
    Row("network", commands.Heal, "heal [<link>]", "Every link works again, or one.", ("heal", "heal A B")),
    Row("network", commands.SetLatency, "latency <links> <latency_us:latency>",
        "How long messages take one way, on a link, between all nodes, or to and from clients.",
        ("latency A -> B 400ms", "latency all 50ms", "latency clients 50ms")),
    Row("network", commands.SetLoss, "loss <links> <percent>",
        "How many messages get lost, on a link, between all nodes, or to and from clients.",
        ("loss A B 20%", "loss all 5%")),
    Row("one message", commands.DropNext, "drop next <message_kind:kind> <path>",
        "The next message of that kind on that link is lost.", ("drop next append A -> B",)),
    Row("one message", commands.DropMessage, "drop message <message_id:message>",
        "A message in flight is lost.", ("drop message 17",)),
    Row("one message", commands.DelayMessage, "delay message <message_id:message> <delay_us:time>",
        "A message in flight arrives that much later.", ("delay message 17 2s",)),
    Row("one message", commands.DuplicateMessage, "duplicate message <message_id:message>",
        "A message in flight arrives twice.", ("duplicate message 17",)),
    Row("one message", commands.DeliverMessage, "deliver message <message_id:message>",
        "A message in flight arrives now.", ("deliver message 17",)),
    Row("failover", commands.Promote, "promote <node>",
        "The operator makes a node leader of a new term, however stale it is.",
        ("promote B", "promote freshest")),
    Row("failover", commands.Switchover, "switchover <node>",
        "Planned: the leader catches the node up, then hands over; nothing is lost.", ("switchover B",)),
    Row("failover", commands.Rejoin, "rejoin <node>",
        "The operator makes a node that still believes it leads follow the real leader.", ("rejoin A",)),
    Row("settings", commands.SetSetting, "set <setting> [on <node:nodes>]",
        "Change a setting while the cluster runs, for all nodes or, where it makes sense, for one.",
        ("set replication async", "set failover manual", "set flush 200ms on B")),
    Row("load", commands.StartLoad, "load writes <interval_us:rate> [on <key>] [by <client>]",
        "A client writes in the background, this often on average; several keys unless one is named.",
        ("load writes 20/s", "load writes 0.5/s by 2", "load writes 2/s on y by 2"),
        {"operation_kind": "write"}),
    Row("load", commands.StartLoad, "load reads <interval_us:rate> [on <key>] [by <client>]",
        "A client reads in the background, this often on average.",
        ("load reads 200/s by 3", "load reads 2/s on y"),
        {"operation_kind": "read"}),
    Row("load", commands.StopLoad, "load stop [by <client>]",
        "Background traffic stops, of every client or of one.", ("load stop", "load stop by 2")),
    Row("running", Wait, "wait <time_us:time>", "Let virtual time pass.", ("wait 2s",)),
    Row("running", WaitUntil, "wait until <expression> [within <within_us:time>]",
        "Go on until it is true; after 60s, or the time named, that is a failed expectation.",
        ("wait until leader == B", "wait until lag(C) > 5 within 10s")),
    Row("running", Expect, "expect <expression>", "It must be true now.", ("expect lost == 0",)),
)  # fmt: skip

GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
"""The groups of commands, in the order that help shows them."""


def grammar() -> list[dict[str, Any]]:
    """The table for readers outside: form, examples, says and group of every command."""
    return [
        {"form": row.form, "examples": list(row.examples), "says": row.says, "group": row.group}
        for row in ROWS
    ]
