"""Every setting of a cluster and every limit of a run, each in one place.

`SETTINGS` is the one table that the language, the validation, the help text and the control panel
read. A setting is stored in the unit of its name's ending (`heartbeat_us`) and spoken without it
(`set heartbeat 1s`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from server.cluster.commands import CommandRefused

MILLISECOND = 1_000
"""Microseconds in a millisecond: the core counts virtual time in whole microseconds."""
SECOND = 1_000_000
"""Microseconds in a second."""

NODE_LETTERS = "ABCDEFGHI"
"""The names nodes can have, in the order they are given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not grow without end. Reaching one is a refusal or an event with a sentence."""

    nodes_min: int = 2
    nodes_max: int = len(NODE_LETTERS)
    clients_max: int = 5
    log_entries_max: int = 100_000
    """Entries in one log; a write beyond it is refused as `log full`."""
    messages_in_flight_max: int = 5_000
    """Messages on the wire at once; sending beyond it loses the message."""
    operations_pending_max: int = 200
    """Unfinished operations of one client; a command beyond it is refused."""
    reads_waiting_max: int = 2_000
    """Reads that one replica holds back; beyond it the oldest is forgotten, whose client gave up long ago."""
    key_characters_max: int = 16
    value_characters_max: int = 32
    load_per_second_max: int = 1_000
    """Background operations per second of one client."""
    time_us_max: int = 24 * 3600 * SECOND
    """The longest run, and the longest time a command may name."""


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table."""

    name: str
    """As spoken: `election-timeout-min`."""
    attribute: str
    """As stored in `Settings`: `election_timeout_min_us`."""
    kind: str
    """`choice`, `switch`, `time` or `number`."""
    says: str
    """One sentence: what it decides."""
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 0
    defends: str = ""
    """For a safety switch: the promise that falls when it is off."""
    per_node: bool = False
    """Whether `… on B` may give one node a value of its own."""
    is_fixed: bool = False
    """Whether it can only be chosen when a run starts."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of one run at the teaching scale: slow enough to follow every message by eye."""

    nodes: int = 3
    clients: int = 2
    replication: str = "async"
    level: str = "flushed"
    semi_sync_followers: int = 1
    failover: str = "automatic"
    reads: str = "leader"
    leader_reads: str = "plain"
    session: str = "none"
    staleness_bound_us: int = 10 * SECOND
    heartbeat_us: int = 1 * SECOND
    election_timeout_min_us: int = 3 * SECOND
    election_timeout_max_us: int = 6 * SECOND
    latency_us: int = 300 * MILLISECOND
    client_latency_us: int = 300 * MILLISECOND
    jitter_percent: int = 10
    flush_us: int = 50 * MILLISECOND
    apply_us: int = 20 * MILLISECOND
    batch: int = 16
    operation_timeout_us: int = 5 * SECOND
    retries: int = 0
    fencing: bool = True
    vote_check: bool = True
    majority: bool = True
    truncate_on_rejoin: bool = True
    commit_only_own_term: bool = True
    lease_step_down: bool = True
    idempotent_retries: bool = True
    pre_vote: bool = False
    clock_percent: int = 100
    outstanding: int = 10

    def value(self, name: str) -> str | int | bool:
        """The stored value of the setting spoken as `name`. Raises `KeyError` for an unknown one."""
        stored: str | int | bool = getattr(self, SETTINGS[name].attribute)
        return stored

    def changed(self, name: str, value: str | int | bool) -> Settings:
        """A copy with one setting changed and checked.

        Raises `CommandRefused` with a sentence when the value does not fit the setting or its
        neighbours."""
        check_value(name, value)
        after = replace(self, **{SETTINGS[name].attribute: value})  # type: ignore[arg-type]
        after.check_together()
        return after

    def with_values(self, values: Mapping[str, str | int | bool]) -> Settings:
        """A copy with several settings changed, checked one by one and then together."""
        after = self
        for name, value in values.items():
            check_value(name, value)
            after = replace(after, **{SETTINGS[name].attribute: value})  # type: ignore[arg-type]
        after.check_together()
        return after

    def check_together(self) -> None:
        """Refuse combinations that no cluster could run with."""
        if self.election_timeout_min_us > self.election_timeout_max_us:
            raise CommandRefused(
                "The shortest election timeout cannot be longer than the longest one: "
                "change the other one first."
            )
        if self.reads not in READ_ROUTES and self.reads not in NODE_LETTERS[: LIMITS.nodes_max]:
            raise CommandRefused(f"Reads cannot go to {self.reads}.")

    def differences(self) -> dict[str, str | int | bool]:
        """The settings that are not at their default, by spoken name."""
        plain = Settings()
        return {name: self.value(name) for name in SETTINGS if self.value(name) != plain.value(name)}


READ_ROUTES = ("leader", "any", "round-robin")
"""Where a read may go besides one named node."""

_TABLE = (
    Setting("nodes", "nodes", "number", "How many nodes the run starts with.",
            minimum=LIMITS.nodes_min, maximum=LIMITS.nodes_max, is_fixed=True),
    Setting("clients", "clients", "number", "How many clients there are.",
            minimum=1, maximum=LIMITS.clients_max, is_fixed=True),
    Setting("replication", "replication", "choice",
            "When the leader answers OK: at once (async), after some followers (semi-sync), after a "
            "majority (quorum), or after every follower (sync).",
            choices=("async", "semi-sync", "quorum", "sync")),
    Setting("level", "level", "choice",
            "What a copy must have done to count: received it in memory, flushed it to disk, or "
            "applied it so that it can be read.",
            choices=("received", "flushed", "applied")),
    Setting("semi-sync-followers", "semi_sync_followers", "number",
            "How many followers semi-sync waits for.", minimum=1, maximum=LIMITS.nodes_max - 1),
    Setting("failover", "failover", "choice",
            "Who replaces a dead leader: a person (manual) or an election (automatic).",
            choices=("manual", "automatic")),
    Setting("reads", "reads", "choice",
            "Which node a read goes to when the command does not say.",
            choices=(*READ_ROUTES, *NODE_LETTERS)),
    Setting("leader-reads", "leader_reads", "choice",
            "What a leader does before it answers a read: nothing (plain), prove by a round of heartbeats "
            "that it still leads (read-index), or rely on a recent such proof (lease).",
            choices=("plain", "read-index", "lease")),
    Setting("session", "session", "choice",
            "What a client carries along so that a read waits for it: nothing, the version it last wrote "
            "(read-your-writes), the highest it has written or seen (monotonic-reads), or how old an answer "
            "may be (bounded-staleness).",
            choices=("none", "read-your-writes", "monotonic-reads", "bounded-staleness")),
    Setting("staleness-bound", "staleness_bound_us", "time",
            "How far behind a read may be: what a bounded-staleness session asks for, and what the promise "
            "of bounded staleness is judged by.",
            minimum=0, maximum=600 * SECOND),
    Setting("heartbeat", "heartbeat_us", "time", "How often an idle leader shows that it is alive.",
            minimum=MILLISECOND, maximum=60 * SECOND),
    Setting("election-timeout-min", "election_timeout_min_us", "time",
            "The shortest silence after which a follower stands for election.",
            minimum=MILLISECOND, maximum=600 * SECOND, per_node=True),
    Setting("election-timeout-max", "election_timeout_max_us", "time",
            "The longest silence after which a follower stands for election.",
            minimum=MILLISECOND, maximum=600 * SECOND, per_node=True),
    Setting("latency", "latency_us", "time", "One-way time between two nodes.",
            minimum=0, maximum=60 * SECOND),
    Setting("client-latency", "client_latency_us", "time", "One-way time between a client and a node.",
            minimum=0, maximum=60 * SECOND),
    Setting("jitter", "jitter_percent", "number",
            "How much a message's time may vary, in percent of the latency, up or down.",
            minimum=0, maximum=90),
    Setting("flush", "flush_us", "time", "How long a disk takes to make entries safe.",
            minimum=0, maximum=60 * SECOND, per_node=True),
    Setting("apply", "apply_us", "time", "How long it takes until an entry can be read.",
            minimum=0, maximum=60 * SECOND, per_node=True),
    Setting("batch", "batch", "number", "The most entries one message carries.",
            minimum=1, maximum=256),
    Setting("operation-timeout", "operation_timeout_us", "time",
            "How long a client waits for an answer before it gives up.",
            minimum=MILLISECOND, maximum=600 * SECOND),
    Setting("retries", "retries", "number",
            "How often a client sends an unanswered write again, each try as long as the timeout. A read is "
            "asked again twice in any case: it changes nothing.",
            minimum=0, maximum=10),
    Setting("clock", "clock_percent", "number",
            "How fast a node's clock runs, in percent of true time: every timer of the node follows it.",
            minimum=25, maximum=400, per_node=True),
    Setting("fencing", "fencing", "switch",
            "Whether a higher term deposes a leader, and an older leader's entries are refused.",
            defends="an old leader cannot overwrite what a newer one has committed"),
    Setting("vote-check", "vote_check", "switch",
            "Whether a voter refuses a candidate whose log is behind its own.",
            defends="a new leader has every committed entry"),
    Setting("majority", "majority", "switch",
            "Whether a candidate needs the votes of more than half of all nodes.",
            defends="a term has at most one leader"),
    Setting("truncate-on-rejoin", "truncate_on_rejoin", "switch",
            "Whether a follower discards entries that contradict its leader's log.",
            defends="logs with the same entry are equal up to it"),
    Setting("commit-only-own-term", "commit_only_own_term", "switch",
            "Whether a leader counts copies only for entries of its own term (Raft §5.4.2, figure 8).",
            defends="a committed entry is never replaced"),
    Setting("lease-step-down", "lease_step_down", "switch",
            "Whether a leader whose lease has run out stops answering and steps down.",
            defends="reads under a lease are never stale"),
    Setting("idempotent-retries", "idempotent_retries", "switch",
            "Whether a leader recognises an operation it already has and does not append it twice.",
            defends="a retried operation takes effect once"),
    Setting("pre-vote", "pre_vote", "switch",
            "Whether a node first asks if it could win before it stands and raises the term "
            "(Raft thesis §9.6). The textbook leaves it out.",
            defends="a node that was away does not depose a working leader"),
    Setting("outstanding", "outstanding", "number",
            "How many background operations a client keeps open before it waits.",
            minimum=1, maximum=LIMITS.operations_pending_max),
)  # fmt: skip

SETTINGS: dict[str, Setting] = {row.name: row for row in _TABLE}
"""Every setting by its spoken name, in the order that help shows them."""


SAFETY_SWITCHES = tuple(row.name for row in _TABLE if row.defends and getattr(Settings(), row.attribute))
"""The switches that a sound run has on: a run with one of them off is labelled *modified*."""


def check_value(name: str, value: str | int | bool) -> None:
    """Refuse an unknown setting or a value outside its range, with a sentence that says what fits."""
    row = SETTINGS.get(name)
    if row is None:
        raise CommandRefused(f"There is no setting called {name}. Settings: {', '.join(SETTINGS)}.")
    if row.kind == "switch":
        if not isinstance(value, bool):
            raise CommandRefused(f"{name} is on or off.")
    elif row.kind == "choice":
        if value not in row.choices:
            raise CommandRefused(f"{name} is one of {', '.join(row.choices)}, not {value}.")
    elif isinstance(value, bool) or not isinstance(value, int):
        raise CommandRefused(f"{name} takes a {row.kind}.")
    elif not row.minimum <= value <= row.maximum:
        unit = " µs" if row.kind == "time" else ""
        raise CommandRefused(
            f"{name} goes from {row.minimum:,}{unit} to {row.maximum:,}{unit}; {value:,}{unit} is outside."
        )


assert {item.attribute for item in _TABLE} == {item.name for item in fields(Settings)}
