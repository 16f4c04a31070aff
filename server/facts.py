"""The public facts of a run: how each answer that an expression asks for is found.

`Facts` reads the picture's state document and the judges' counts; it asks no actor and changes
nothing. What may be asked, by name and kind, is the table in `server.language.vocabulary`.

An answer that does not exist yet (no leader, no read so far) is `None`, spoken `none`. Naming a thing
that is not there (`node(H)` in a run of three, `op(99)`) is refused with a sentence instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from server.cluster.commands import CommandRefused

# --- what the facts are read from ----------------------------------------------------------------


class ReadJudgement(Protocol):
    """What the judges say about one finished read."""

    @property
    def stale(self) -> bool: ...
    @property
    def entries(self) -> int: ...
    @property
    def staleness_us(self) -> int: ...


class Verdict(Protocol):
    """Whether one promise is kept so far; `None` while nobody has looked."""

    @property
    def held(self) -> bool | None: ...


class Judges(Protocol):
    """The part of `server.guarantees.Judges` that facts are read from."""

    @property
    def acknowledged(self) -> int: ...
    @property
    def lost(self) -> Mapping[int, str]: ...
    @property
    def violations(self) -> int: ...
    def read(self, operation: int) -> ReadJudgement | None: ...
    def verdicts(self) -> Mapping[str, Verdict]: ...
    def summary(self) -> Mapping[str, Any]: ...


Record = dict[str, Any]
"""One object of the state document."""


class Facts:
    """Every fact of one run at one instant.

    The object may be kept: it reads the living document, and `now_us` may be moved on."""

    def __init__(self, state: Mapping[str, Any], judges: Judges, now_us: int) -> None:
        self.state = state
        self.judges = judges
        self.now_us = now_us
        self._linearizable: tuple[int, bool] | None = None

    # --- the cluster ---

    def time(self) -> int:
        """Virtual time, in microseconds since the run began."""
        return self.now_us

    def nodes(self) -> list[str]:
        """Every node of the cluster, dead ones too."""
        return list(self.state["nodes"])

    def leader(self) -> str | None:
        """The leader of the highest term among the nodes that are up."""
        best: str | None = None
        best_term = -1
        for letter, node in self.state["nodes"].items():
            replica = node["replicas"][0]
            if node["state"] == "up" and replica["role"] == "leader" and replica["term"] > best_term:
                best, best_term = letter, replica["term"]
        return best

    def leaders(self) -> int:
        """How many nodes believe they lead: running or paused, for a paused one notices nothing."""
        return sum(
            node["state"] != "dead" and node["replicas"][0]["role"] == "leader"
            for node in self.state["nodes"].values()
        )

    def followers(self) -> list[str]:
        """Every node but the live leader, dead ones too, as in `kill followers`."""
        leader = self.leader()
        return [letter for letter in self.state["nodes"] if letter != leader]

    def term(self) -> int:
        """The live leader's term; without one, the highest term any node has reached."""
        leader = self.leader()
        if leader is not None:
            return int(self.replica(leader)["term"])
        return max((node["replicas"][0]["term"] for node in self.state["nodes"].values()), default=0)

    def freshest(self) -> str | None:
        """The voter, among those that are up and not the leader, with the most complete log.

        Logs compare by the term of the last entry, then by its index (Raft §5.4.1); the first letter
        wins a tie."""
        return self._by_log(max)

    def stalest(self) -> str | None:
        """The voter, among those that are up and not the leader, with the least complete log."""
        return self._by_log(min)

    def _by_log(self, choose: Callable[..., str]) -> str | None:
        leader = self.leader()
        rivals = [
            letter
            for letter, node in self.state["nodes"].items()
            if node["state"] == "up" and node["voter"] and letter != leader
        ]
        return choose(rivals, key=self.last_id) if rivals else None

    def node(self, letter: str | None) -> str | None:
        """The same letter, once it is sure that this run has such a node."""
        if letter is not None:
            self.machine(letter)
        return letter

    def machine(self, letter: str) -> Record:
        """The node's record in the state document. Refuses a letter that this run does not have."""
        found: Record | None = self.state["nodes"].get(letter)
        if found is None:
            letters = ", ".join(self.state["nodes"])
            raise CommandRefused(f"There is no node {letter} in this run. Nodes: {letters}.")
        return found

    def replica(self, letter: str) -> Record:
        """The node's replica of the first partition."""
        replica: Record = self.machine(letter)["replicas"][0]
        return replica

    def last_id(self, letter: str) -> tuple[int, int]:
        """Term and index of a log's last entry; zeros for an empty log."""
        log = self.replica(letter)["log"]
        return (log[-1]["term"], log[-1]["index"]) if log else (0, 0)

    def lag(self, letter: str | None) -> int | None:
        """How many entries of the live leader's log this node does not hold; none without a leader.

        An entry counts as held only when index and term agree: a divergent tail is no progress."""
        leader = self.leader()
        if leader is None or letter is None:
            return None
        ours, theirs = self.replica(leader)["log"], self.replica(letter)["log"]
        if not ours:
            return 0
        last = int(ours[-1]["index"])
        if not theirs:
            return last
        first = int(theirs[0]["index"])
        for entry in reversed(ours):
            place = entry["index"] - first
            if place < 0:
                break
            if place < len(theirs) and theirs[place]["term"] == entry["term"]:
                return last - int(entry["index"])
        # Nothing in the kept parts agrees: what lies before them is the most the two can share.
        return last - min(last, int(theirs[-1]["index"]), max(first, int(ours[0]["index"])) - 1)

    def same_log(self, one: str | None, other: str | None) -> bool:
        """Whether two logs hold the same entries, as far back as the document keeps them."""
        if one is None or other is None:
            return one is other
        ours, theirs = self.replica(one)["log"], self.replica(other)["log"]
        if self.last_id(one) != self.last_id(other):
            return False
        length = min(len(ours), len(theirs))
        return length == 0 or bool(ours[-length:] == theirs[-length:])

    def same_store(self, one: str | None, other: str | None) -> bool:
        """Whether two stores hold the same keys and values, whenever they were written."""
        if one is None or other is None:
            return one is other
        return self.values(one) == self.values(other)

    def values(self, letter: str) -> dict[str, str]:
        """A node's store as key and value."""
        store = self.replica(letter)["store"]
        return {key: cell["value"] for key, cell in store.items() if cell["value"] is not None}

    def stored(self, letter: str | None, key: str) -> str | None:
        """What one node's store holds under a key."""
        return None if letter is None else self.values(letter).get(key)

    def link(self, source: str, target: str) -> tuple[str, str]:
        """One direction between two ends, once it is sure that this run has both."""
        for end in (source, target):
            if end not in self.state["nodes"] and end not in self.state["clients"]:
                if end.isdigit():
                    raise CommandRefused(f"There is no client {end} in this run.")
                self.machine(end)
        return source, target

    def link_facts(self, link: tuple[str, str]) -> Record:
        """What the document says about a direction that differs from the settings."""
        found: Record = self.state["links"].get(f"{link[0]}>{link[1]}", {})
        return found

    def delay(self, link: tuple[str, str]) -> int:
        """A direction's one-way latency in microseconds: its own, or the setting's."""
        own = self.link_facts(link).get("latency_us")
        if own is not None:
            return int(own)
        between_nodes = all(end in self.state["nodes"] for end in link)
        return int(self.state["settings"]["latency" if between_nodes else "client-latency"])

    def setting(self, name: str, letter: str | None = None) -> Any:
        """A setting's stored value, for the cluster or as one node has it."""
        if letter is not None:
            own = self.machine(letter)["settings"]
            if name in own:
                return own[name]
        return self.state["settings"][name]

    # --- operations ---

    def op(self, number: int) -> Record:
        """One operation by its number. Refuses a number that the document does not hold."""
        found: Record | None = self.state["operations"].get(str(number))
        if found is None:
            numbers = list(self.state["operations"])
            if not numbers:
                raise CommandRefused(f"There is no operation {number}: nothing has been asked yet.")
            raise CommandRefused(
                f"There is no operation {number}. Operations here: {numbers[0]} to {numbers[-1]}."
            )
        return found

    def operations(self) -> list[Record]:
        """The operations that the document keeps, oldest first."""
        return list(self.state["operations"].values())

    def writes(self) -> list[Record]:
        """The kept operations that change something: write, cas and delete."""
        return [item for item in self.state["operations"].values() if item["kind"] != "read"]

    def reads(self) -> list[Record]:
        """The kept operations that read."""
        return [item for item in self.state["operations"].values() if item["kind"] == "read"]

    def last_write(self) -> Record | None:
        """The newest write, cas or delete; none before the first."""
        return next((item for item in self._newest_first() if item["kind"] != "read"), None)

    def last_read(self) -> Record | None:
        """The newest read; none before the first."""
        return next((item for item in self._newest_first() if item["kind"] == "read"), None)

    def _newest_first(self) -> Iterator[Record]:
        operations: dict[str, Record] = self.state["operations"]
        return reversed(operations.values())

    def is_stale(self, operation: Record) -> bool | None:
        """Whether a read returned less than was acknowledged before it; none until it is judged."""
        judgement = self.judges.read(operation["id"])
        stale: bool | None = judgement.stale if judgement is not None else operation.get("stale")
        return stale

    # --- what the judges say ---

    def acknowledged(self) -> int:
        """How many writes were answered OK in the whole run."""
        return self.judges.acknowledged

    def lost(self) -> int:
        """How many acknowledged writes are gone, in the whole run."""
        return len(self.judges.lost)

    def violations(self) -> int:
        """How often a promise was found broken."""
        return self.judges.violations

    def guarantee(self, name: str) -> bool:
        """Whether a promise has been kept so far: true until something breaks it."""
        held = self.judges.verdicts()[name].held
        return held is not False

    def linearizable(self) -> bool:
        """Whether one order of all operations explains every answer; judged in full when asked. Raises
        `CommandRefused` when that is too much to decide."""
        held = self.judges.verdicts()["linearizable"].held
        if held is not None:
            return held
        # The judges postpone this one because it costs time; its answer changes only with an answer.
        finished = sum(item["outcome"] != "pending" for item in self.state["operations"].values())
        newest = int(next(reversed(self.state["operations"]), "0"))
        stamp = newest * 1_000 + finished
        if self._linearizable is None or self._linearizable[0] != stamp:
            held = self.judges.summary()["linearizable"]
            if held is None:
                raise CommandRefused(
                    "Whether this run is linearizable cannot be decided: too many operations overlap."
                )
            self._linearizable = (stamp, held)
        return self._linearizable[1]
