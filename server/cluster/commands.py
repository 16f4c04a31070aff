"""What a person may ask of a running cluster: one record per command.

These are values, not text: `server.language` turns a line into one of them and back. A selector
names nodes by letter (`B`) or by role (`leader`, `followers`, `freshest`, `stalest`) and is
resolved when the command is carried out. A link end is a node's letter or a client's number.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.cluster.messages import Address, ClientId

Selector = str
"""A node's letter, or `leader`, `followers`, `freshest`, `stalest`."""


class CommandRefused(Exception):
    """The command does not fit the run as it is. The text is a sentence for a person; nothing changed."""


@dataclass(frozen=True, slots=True)
class Command:
    """Base of all commands."""


@dataclass(frozen=True, slots=True)
class Write(Command):
    """`write x 1 by 2 to B`"""

    key: str
    value: str
    client: ClientId = "1"
    to: Selector | None = None


@dataclass(frozen=True, slots=True)
class Read(Command):
    """`read x by 2 from C`; `source` may also be `any`. `None`: as the `reads` setting says."""

    key: str
    client: ClientId = "1"
    source: Selector | None = None


@dataclass(frozen=True, slots=True)
class CompareAndSet(Command):
    """`cas x 1 2 by 2 to B`: make x 2 if it is 1. Expected `none` means: if x holds nothing."""

    key: str
    expected: str | None
    value: str
    client: ClientId = "1"
    to: Selector | None = None


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """`delete x by 2 to B`"""

    key: str
    client: ClientId = "1"
    to: Selector | None = None


@dataclass(frozen=True, slots=True)
class Kill(Command):
    """`kill leader`: power off; what was not flushed is gone."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Restart(Command):
    """`restart B`: power on again."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Pause(Command):
    """`pause B`: stand still, as in a long garbage collection."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """`resume B`"""

    node: Selector


@dataclass(frozen=True, slots=True)
class AddNode(Command):
    """`add D`: a new, empty node; it counts in majorities once it has caught up."""

    node: str


@dataclass(frozen=True, slots=True)
class RemoveNode(Command):
    """`remove D`: leaves for good."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Cut(Command):
    """`cut A B` (both directions) or `cut A -> B`; an end may be `client 1`."""

    source: Address
    target: Address
    one_way: bool


@dataclass(frozen=True, slots=True)
class Partition(Command):
    """`partition A client 1 | B C`: the groups cannot reach each other. Nodes named in no group form
    one of their own; a client named in no group reaches every node."""

    groups: tuple[tuple[Address, ...], ...]


@dataclass(frozen=True, slots=True)
class Heal(Command):
    """`heal` (everything) or `heal A B`, `heal A -> B`."""

    source: Address | None = None
    target: Address | None = None
    one_way: bool = False


@dataclass(frozen=True, slots=True)
class SetLatency(Command):
    """`latency A -> B 400ms`, `latency A B 400ms`, `latency all 50ms`, `latency clients 50ms`.

    `source` is `all` or `clients` when no pair is named; `target` is then `None`."""

    source: Address
    target: Address | None
    one_way: bool
    latency_us: int


@dataclass(frozen=True, slots=True)
class SetLoss(Command):
    """`loss A B 20%`, `loss A -> B 20%`, `loss all 5%`, `loss clients 5%`."""

    source: Address
    target: Address | None
    one_way: bool
    percent: int


@dataclass(frozen=True, slots=True)
class DropNext(Command):
    """`drop next append A -> B`: the next message of that kind on that link is lost. `message_kind`
    may be `message` for any kind."""

    message_kind: str
    source: Address
    target: Address


@dataclass(frozen=True, slots=True)
class DropMessage(Command):
    """`drop message 17`"""

    message_id: int


@dataclass(frozen=True, slots=True)
class DelayMessage(Command):
    """`delay message 17 2s`: arrives that much later."""

    message_id: int
    delay_us: int


@dataclass(frozen=True, slots=True)
class DuplicateMessage(Command):
    """`duplicate message 17`: arrives twice."""

    message_id: int


@dataclass(frozen=True, slots=True)
class DeliverMessage(Command):
    """`deliver message 17`: arrives now."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Promote(Command):
    """`promote B`: the operator makes it leader of a new term, however stale it is."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Switchover(Command):
    """`switchover B`: planned; the leader catches B up, hands over, and nothing is lost."""

    node: Selector


@dataclass(frozen=True, slots=True)
class Rejoin(Command):
    """`rejoin A`: the operator makes a node that still believes it leads follow the real leader."""

    node: Selector


@dataclass(frozen=True, slots=True)
class SetSetting(Command):
    """`set replication async`, `set flush 200ms on B`. `value` is as stored in `Settings`."""

    setting: str
    value: str | int | bool
    node: Selector | None = None


@dataclass(frozen=True, slots=True)
class StartLoad(Command):
    """`load writes 20/s on y by 2`: background traffic of one client, on one key or on several."""

    operation_kind: str
    """`write` or `read`."""
    interval_us: int
    """Mean time between operations."""
    client: ClientId = "1"
    key: str | None = None
    """The only key of this traffic; `None`: each operation picks one of a few."""


@dataclass(frozen=True, slots=True)
class StopLoad(Command):
    """`load stop` (every client) or `load stop by 2`."""

    client: ClientId | None = None
