"""What an expression may name: the kinds of things, every fact, and what can be asked of each.

`FACTS` and `FIELDS` are the one table that the expression reader checks names and kinds against, that
completion offers, that help prints, and that the tests hold to `server.facts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.cluster.settings import SETTINGS
from server.facts import Facts, Record

# --- kinds of answers ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of thing an expression's value is."""

    says: str
    """How a sentence names it: `a number`."""
    choices: tuple[str, ...] = ()
    """For a word from a closed list: the list."""
    item: Kind | None = None
    """For a list: what it holds."""


TRUTH = Kind("true or false")
NUMBER = Kind("a number")
TIME = Kind("a time")
"""In microseconds, like the core's virtual time."""
TEXT = Kind("text")
"""Keys, values, client numbers: whatever a person chose."""
NODE = Kind("a node")
NONE = Kind("none")
LOG = Kind("a log")
STORE = Kind("a store")
LINK = Kind("a link")
OPERATION = Kind("an operation")
NODES = Kind("a list of nodes", item=NODE)
OPERATIONS = Kind("a list of operations", item=OPERATION)
END = Kind("a node or a client's number")
"""Only as an argument: one end of a link."""

NODE_STATE = Kind("a node's state", choices=("up", "dead", "paused"))
ROLE = Kind("a role", choices=("leader", "follower", "candidate"))
OUTCOME = Kind("an outcome", choices=("pending", "ok", "failed", "unknown"))
OPERATION_KIND = Kind("a kind of operation", choices=("write", "read", "cas", "delete"))

_SETTING_KINDS = {"switch": TRUTH, "time": TIME, "number": NUMBER}
SETTING_KINDS: dict[str, Kind] = {
    name: Kind(f"a value of {name}", choices=row.choices) if row.choices else _SETTING_KINDS[row.kind]
    for name, row in SETTINGS.items()
}
"""What `setting(name)` answers, by spoken name."""


# --- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fact:
    """One name that an expression may use."""

    name: str
    kind: Kind
    says: str
    read: Callable[..., Any]
    """Called with the `Facts` and the arguments."""
    takes: tuple[Kind, ...] = ()
    """The kinds of its arguments, in order."""
    example: str = ""

    @property
    def form(self) -> str:
        """How it is written in help: the example, or the bare name."""
        return self.example or self.name


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be asked of a node, a log, a link or an operation, after a dot."""

    name: str
    kind: Kind
    says: str
    read: Callable[[Facts, Any], Any]


_GUARANTEES = (
    ("durable", "No acknowledged write is lost."),
    ("one_leader_per_term", "No term ever had two leaders."),
    ("available", "The cluster answers writes."),
    ("log_matching", "Two logs that agree on an entry agree on all before it."),
    ("committed_never_lost", "Whatever was committed stays committed."),
    ("state_machine_agreement", "No two nodes take different entries at one place for committed."),
    ("acknowledged_is_committed", "Under quorum and sync, only committed writes are acknowledged."),
    ("read_your_writes", "Each client sees its own acknowledged writes."),
    ("monotonic_reads", "No client reads an older value after a newer one."),
    ("monotonic_writes", "Each client's writes take effect in its order."),
    ("writes_follow_reads", "Each client's writes stand after what it had read."),
    ("consistent_prefix", "Every read fits some moment of one history."),
    ("bounded_staleness", "No read is further behind than `staleness-bound` allows."),
)


def _guarantee(name: str) -> Callable[[Facts], bool]:
    return lambda facts: facts.guarantee(name)


FACTS: dict[str, Fact] = {
    row.name: row
    for row in (
        Fact("time", TIME, "Virtual time since the run began.", Facts.time, example="time > 2s"),
        Fact("leader", NODE, "The live leader of the highest term, or none.", Facts.leader),
        Fact("leaders", NUMBER, "How many nodes believe they lead (a paused one too).", Facts.leaders),
        Fact("term", NUMBER, "The leader's term; without a leader, the highest term.", Facts.term),
        Fact("nodes", NODES, "Every node, dead ones too.", Facts.nodes),
        Fact("followers", NODES, "Every node but the live leader, dead ones too.", Facts.followers),
        Fact("freshest", NODE, "The live non-leader with the most complete log.", Facts.freshest),
        Fact("stalest", NODE, "The live non-leader with the least complete log.", Facts.stalest),
        Fact("acknowledged", NUMBER, "Writes answered OK in the whole run.", Facts.acknowledged),
        Fact("lost", NUMBER, "Acknowledged writes that are gone.", Facts.lost),
        Fact("violations", NUMBER, "How often a promise was broken.", Facts.violations),
        Fact("linearizable", TRUTH, "One order of all operations explains every answer.",
             Facts.linearizable),
        *(Fact(name, TRUTH, says, _guarantee(name)) for name, says in _GUARANTEES),
        Fact("last_write", OPERATION, "The newest write, cas or delete, or none.", Facts.last_write),
        Fact("last_read", OPERATION, "The newest read, or none.", Facts.last_read),
        Fact("writes", OPERATIONS, "The last writes, cas and deletes (200 operations are kept).",
             Facts.writes, example="writes.where(acked and lost)"),
        Fact("reads", OPERATIONS, "The last reads (200 operations are kept).", Facts.reads,
             example="reads.where(stale)"),
        Fact("operations", OPERATIONS, "The last 200 operations.", Facts.operations),
        Fact("op", OPERATION, "One operation by its number.", Facts.op, (NUMBER,), "op(3)"),
        Fact("node", NODE, "One node by its letter or role.", Facts.node, (NODE,), "node(B)"),
        Fact("log", LOG, "A node's log; two logs can be compared.", Facts.node, (NODE,), "log(A) == log(B)"),
        Fact("store", STORE, "What a node's clients can read: store(B).x", Facts.node, (NODE,), "store(B).x"),
        Fact("lag", NUMBER, "Entries of the leader's log that a node does not hold.", Facts.lag, (NODE,),
             "lag(C) > 5"),
        Fact("link", LINK, "One direction between two ends (a client by its number).", Facts.link,
             (END, END), "link(A, B)"),
    )
}  # fmt: skip
"""Every fact by name, in the order that help shows them."""


def _replica(field: str) -> Callable[[Facts, Any], Any]:
    return lambda facts, letter: facts.replica(letter)[field]


def _operation(field: str) -> Callable[[Facts, Any], Any]:
    def read(facts: Facts, operation: Record) -> Any:
        return operation[field]

    return read


def _outcome(word: str) -> Callable[[Facts, Any], bool]:
    return lambda facts, operation: operation["outcome"] == word


def _value(facts: Facts, operation: Record) -> Any:
    return operation["result" if operation["kind"] == "read" else "value"]


def _latency(facts: Facts, operation: Record) -> int | None:
    returned = operation["returned_us"]
    return None if returned is None else returned - operation["called_us"]


def _judged(field: str) -> Callable[[Facts, Any], int | None]:
    def read(facts: Facts, operation: Record) -> int | None:
        judgement = facts.judges.read(operation["id"])
        return None if judgement is None else getattr(judgement, field)

    return read


def _is_acknowledged(facts: Facts, operation: Record) -> bool:
    return bool(operation["outcome"] == "ok")


def _is_lost(facts: Facts, operation: Record) -> bool:
    return operation["id"] in facts.judges.lost


def _has_survived(facts: Facts, operation: Record) -> bool:
    return _is_acknowledged(facts, operation) and not _is_lost(facts, operation)


_LAST_INDEX = Field("last_index", NUMBER, "Index of its last entry, 0 when empty.",
                    lambda f, n: f.last_id(n)[1])  # fmt: skip
_LAST_TERM = Field("last_term", NUMBER, "Term of its last entry.", lambda f, n: f.last_id(n)[0])


def _also(name: str, row: Field) -> Field:
    return Field(name, row.kind, f"Same as {row.name}.", row.read)


_FLUSHED = Field("flushed_index", NUMBER, "How far the log is on disk.", _replica("flushed_index"))
_COMMIT = Field("commit_index", NUMBER, "How far it knows the log to be committed.",
                _replica("commit_index"))  # fmt: skip
_APPLIED = Field("applied_index", NUMBER, "How far the log can be read here.", _replica("applied_index"))
_UP = Field("up", TRUTH, "Whether it is running.", lambda f, n: f.machine(n)["state"] == "up")
_DELAY = Field("delay", TIME, "One-way latency of this direction.", lambda f, link: f.delay(link))
_CLIENT = Field("client", TEXT, "The client's number.", _operation("client"))

_ROWS: dict[Kind, tuple[Field, ...]] = {
    NODE: (
        Field("state", NODE_STATE, "up, dead or paused.", lambda f, n: f.machine(n)["state"]),
        _UP, _also("alive", _UP),
        Field("role", ROLE, "leader, follower or candidate, as the node itself believes.", _replica("role")),
        Field("term", NUMBER, "The highest term it has seen.", _replica("term")),
        Field("leader", NODE, "Whom it follows, or none.", _replica("leader")),
        _LAST_INDEX, _LAST_TERM, _FLUSHED, _COMMIT, _APPLIED,
        _also("flushed", _FLUSHED), _also("commit", _COMMIT), _also("applied", _APPLIED),
        Field("log", LOG, "Its log.", lambda f, n: n),
        Field("store", STORE, "Its store.", lambda f, n: n),
        Field("lag", NUMBER, "Same as lag(X).", lambda f, n: f.lag(n)),
        Field("voter", TRUTH, "Whether it counts in majorities.", lambda f, n: f.machine(n)["voter"]),
        Field("discarded", NUMBER, "Entries it lost from its log (50 are kept).",
              lambda f, n: len(f.replica(n)["discarded"])),
    ),
    LOG: (
        _also("last", _LAST_INDEX), _LAST_INDEX, _LAST_TERM,
        _also("flushed", _FLUSHED), _also("commit", _COMMIT), _also("applied", _APPLIED),
    ),
    LINK: (
        Field("up", TRUTH, "Whether this direction carries messages.",
              lambda f, link: not f.link_facts(link).get("cut", False)),
        Field("cut", TRUTH, "Whether this direction is cut.",
              lambda f, link: bool(f.link_facts(link).get("cut", False))),
        _DELAY, _also("latency", _DELAY),
        Field("loss", NUMBER, "Messages lost, in percent.",
              lambda f, link: f.link_facts(link).get("loss_percent") or 0),
    ),
    OPERATION: (
        Field("outcome", OUTCOME, "pending, ok, failed or unknown, as its client knows.",
              _operation("outcome")),
        Field("value", TEXT, "What a read returned, or what a write writes.", _value),
        Field("result", TEXT, "What came back: a read's value, or what a failed cas found.",
              _operation("result")),
        Field("key", TEXT, "The key it is about.", _operation("key")),
        Field("kind", OPERATION_KIND, "write, read, cas or delete.", _operation("kind")),
        _CLIENT, _also("by", _CLIENT),
        Field("id", NUMBER, "Its number.", _operation("id")),
        Field("node", NODE, "Who answered, or none.", _operation("node")),
        Field("attempts", NUMBER, "How often it was sent.", _operation("attempts")),
        Field("called", TIME, "When it began.", _operation("called_us")),
        Field("returned", TIME, "When its client was answered or gave up, or none.",
              _operation("returned_us")),
        Field("latency", TIME, "How long its client waited, or none.", _latency),
        Field("pending", TRUTH, "Not over yet.", _outcome("pending")),
        Field("ok", TRUTH, "Answered OK.", _outcome("ok")),
        Field("failed", TRUTH, "Certainly not done.", _outcome("failed")),
        Field("unknown", TRUTH, "No answer came: it may or may not be done.", _outcome("unknown")),
        Field("acked", TRUTH, "Its client was told OK.", _is_acknowledged),
        Field("lost", TRUTH, "Acknowledged, and gone.", _is_lost),
        Field("survived", TRUTH, "Acknowledged, and still there.", _has_survived),
        Field("stale", TRUTH, "A read that returned an outdated value.", lambda f, op: f.is_stale(op)),
        Field("staleness", TIME, "How outdated the read's value was.", _judged("staleness_us")),
        Field("behind", NUMBER, "How many writes to its key the read missed.", _judged("entries")),
    ),
}  # fmt: skip

FIELDS: dict[Kind, dict[str, Field]] = {kind: {row.name: row for row in rows} for kind, rows in _ROWS.items()}
"""Every field by the kind it belongs to. A `STORE` has one field per key and is not listed."""

CALLS: dict[str, str] = {
    "count": "count(writes.where(acked and lost))",
    "ever": "ever(leaders == 2)",
    "always": "always(lost == 0)",
    "held": "held(lag(C) > 5, 1s)",
    "setting": "setting(replication) == sync",
    "all": "all n in followers: lag(n) == 0",
    "any": "any n in nodes: n.state == dead",
}
"""What can be asked besides the facts, with an example each."""
CALLS_SAY: dict[str, str] = {
    "count": "How many items a list has, here of those for which something is true.",
    "ever": "True once it has been true at any moment.",
    "always": "True while it has been true at every moment.",
    "held": "True when it has been true without a break for that long.",
    "setting": "The value of a setting; setting(flush, B) as one node has it.",
    "all": "True when it is true of every item.",
    "any": "True when it is true of some item.",
}
