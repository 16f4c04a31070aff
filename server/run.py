"""A run with everything that watches it: the cluster, its picture, its judges and its narrator.

`Run` is what a room plays, what the command line runs and what a lesson measures. It feeds every event
of the cluster, in order, to those who fold over it, and collects what changed as steps.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from server.cluster import Settings, Simulation
from server.cluster.commands import Command, CommandRefused
from server.cluster.events import CommandAccepted, Event, ReadAnswered
from server.cluster.replica import Replica
from server.facts import Facts
from server.guarantees import Finding, Judges, Verdict
from server.language import (
    Directive,
    Expression,
    compile_condition,
    compile_expression,
    parse,
    print_command,
    print_value,
)
from server.narration import Narrator, Telling, course, describe
from server.picture import Patch, Picture
from server.scenario import Scenario, ScriptPlayer, load_scenario

LEDGER_LINES = 100
"""How many writes a ledger shows."""
CHAIN_MAX = 100
"""How far back an event is explained."""
COURSE_HEAD, COURSE_TAIL = 60, 40
"""How much is told of the course of one write: its beginning and its end."""
END_US = 24 * 3600 * 1_000_000
"""Nothing is played beyond a day of virtual time."""


@dataclass(slots=True)
class Step:
    """One event as a browser needs it: what changed, and how it is told, if it is."""

    sequence: int
    at_us: int
    name: str
    cause: int | None
    patches: list[Patch]
    text: str | None
    tone: str | None
    lane: str | None = None
    """In a comparison: the run that it happened in."""


class Watcher(Protocol):
    """Somebody who wants to see the facts after every happening."""

    def observe(self, facts: Facts) -> None:
        """Look once."""


class Run:
    """One run. Time moves only through `advance`, `step` and `play_script`."""

    def __init__(
        self,
        seed: int = 1,
        settings: Mapping[str, str | int | bool] | None = None,
        scenario: Scenario | None = None,
        operations_shown: int = 200,
    ) -> None:
        self.scenario = scenario or Scenario(seed=seed, settings=dict(settings or {}))
        self.simulation = Simulation(Settings().with_values(self.scenario.settings), self.scenario.seed)
        self.picture = Picture(self.scenario.seed, self.scenario.system, operations_shown)
        self.judges = Judges()
        self.narrator = Narrator()
        self.commands: list[tuple[int, str]] = []
        """Everything that was commanded, with its virtual time: with seed and settings, the whole run."""
        self.between: dict[int, int] = {}
        """By its position in `commands`: after which event a command came while more was due at its time."""
        self._watched: list[Watcher] = []
        self._verdicts: dict[str, Verdict] | None = None
        self._steps: list[Step] = []
        self._tellings: dict[int, Telling] = {}
        """By event: how it was told, for those that were."""
        self._lost_at: dict[int, int] = {}
        """By write that is lost: the event with which it was."""
        self._seen = 0
        self._watch_new_events()
        self.script = ScriptPlayer(self, self.scenario.script)

    # --- time ---------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return self.simulation.now_us

    @property
    def event_count(self) -> int:
        """How many events the run has had."""
        return len(self.simulation.trace)

    @property
    def told_count(self) -> int:
        """How many of them were told."""
        return len(self._tellings)

    def next_at_us(self) -> int | None:
        """When the next thing is due in the cluster."""
        return self.simulation.next_at_us()

    def step(self) -> bool:
        """Let the next thing in the cluster happen."""
        has_stepped = self.simulation.step()
        self._watch_new_events()
        return has_stepped

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due up to `until_us`."""
        while True:
            next_us = self.simulation.next_at_us()
            if next_us is None or next_us > until_us:
                break
            self.step()
        self.simulation.run_until(until_us)
        self._watch_time()

    # --- commands -----------------------------------------------------------------------------------

    def command(self, text: str) -> None:
        """Read a line and carry it out. Raises `CommandRefused` (`LanguageError` for a bad line)."""
        action = parse(text)
        if not isinstance(action, Command):
            raise CommandRefused("Waiting and expecting belong in a scenario; here, just watch.")
        self.execute(action)

    def execute(self, command: Command | Directive) -> None:
        """Carry out a command now."""
        assert isinstance(command, Command)
        next_us = self.next_at_us()
        is_between = next_us is not None and next_us <= self.now_us
        last = self.event_count - 1
        self.simulation.execute(command)
        if is_between:
            self.between[len(self.commands)] = last
        self.commands.append((self.now_us, print_command(command)))
        self._watch_new_events()

    def play_script(self, until_us: int = END_US) -> None:
        """Play the scenario's script to its end, or to `until_us`. Raises `CommandRefused`."""
        self.script.advance(until_us)

    # --- questions ----------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """What expressions can ask about, as of now."""
        return Facts(self.picture.state, self.judges, self.now_us)

    def evaluate(self, text: str) -> Any:
        """The value of an expression now. `ever(…)` and `always(…)` count from now on: use `watch`
        before the run to have them look back. Raises `CommandRefused`."""
        return compile_expression(text).evaluate(self.facts())

    def holds(self, expression: Expression) -> bool:
        """Whether a compiled condition is true now."""
        return expression.holds(self.facts())

    def condition(self, text: str) -> Expression:
        """A condition, compiled and watched from now on."""
        expression = compile_condition(text)
        self.watch(expression)
        return expression

    def watch(self, expression: Expression) -> None:
        """Show an expression every event from now on, so that `ever` and `always` miss none."""
        if expression.watched:
            self.attach(expression)

    def attach(self, watcher: Watcher) -> None:
        """Show a watcher this moment and every happening of the cluster from now on."""
        self._watched.append(watcher)
        watcher.observe(self.facts())

    def detach(self, watcher: Watcher) -> None:
        """Show a watcher nothing more."""
        self._watched = [each for each in self._watched if each is not watcher]

    def ledger(self) -> list[dict[str, Any]]:
        """The life lines of the newest writes, newest first: where each went, and what became of it."""
        writes = [
            number for number, each in self.picture.state["operations"].items() if each["kind"] != "read"
        ]
        lines = (self.judges.ledger.line(int(number)) for number in reversed(writes[-LEDGER_LINES:]))
        return [line for line in lines if line is not None]

    def evidence(self, promise: str) -> list[dict[str, Any]]:
        """Each breach of a promise: a sentence, and the operations it is about, the earlier one first.

        Raises `CommandRefused` for a promise that nobody judges."""
        verdicts = self.judges.verdicts()
        if promise not in verdicts:
            raise CommandRefused(f"There is no promise called {promise}. Promises: {', '.join(verdicts)}.")
        return [
            {"says": finding.says, "operations": list(finding.operations)}
            for finding in self.judges.evidence(promise)
        ]

    def why(self, sequence: int | None, operation: int | None = None) -> list[dict[str, Any]]:
        """What led to an event, each link in plain and in precise words: the chain of causes from the
        command or timer that began it. Of an event with which a write was lost, and of a write that is
        asked for by its operation, the course of that write. Raises `CommandRefused` when there is no such
        event or write."""
        trace = self.simulation.trace
        if sequence is not None and sequence >= len(trace):
            raise CommandRefused(f"There is no event {sequence} yet; the newest is {len(trace) - 1}.")
        if operation is None and sequence is not None:
            operation = next((each for each, at in self._lost_at.items() if at == sequence), None)
        if operation is not None:
            return self._why_write(operation)
        chain: list[dict[str, Any]] = []
        each = sequence
        while each is not None and len(chain) < CHAIN_MAX:
            chain.append(self._link(each) | {"asked": each == sequence})
            each = trace[each].cause
        return chain[::-1]

    def _why_write(self, operation: int) -> list[dict[str, Any]]:
        if self.judges.ledger.line(operation) is None:
            raise CommandRefused(f"There is no operation {operation} yet.")
        trace = self.simulation.trace
        lost_at = self._lost_at.get(operation)
        end = self.event_count - 1 if lost_at is None else lost_at
        links = course(trace, operation, end, lost_at is not None)
        because = self.judges.lost.get(operation, "")
        asked = links[-1][0] if lost_at is None and links else lost_at
        chain = []
        for each, more in links[:COURSE_HEAD] + links[COURSE_HEAD:][-COURSE_TAIL:]:
            link = self._link(each) | {"asked": each == asked}
            extra = [more, because if each == lost_at and because not in link["plain"] else ""]
            for words in ("plain", "precise"):
                link[words] = " ".join(filter(None, [link[words], *extra]))
            chain.append(link)
        return chain

    def _link(self, sequence: int) -> dict[str, Any]:
        """One event in plain and in precise words."""
        event = self.simulation.trace[sequence]
        told = self._tellings.get(sequence) or describe(event)
        if isinstance(event, CommandAccepted):
            said = f"Somebody gave the command: {print_command(event.command)}."
            told = Telling(said, said, "info")
        return {
            "sequence": sequence, "at_us": event.at_us, "name": event.name,
            "plain": told.plain, "precise": told.precise,
        }  # fmt: skip

    # --- watching -----------------------------------------------------------------------------------

    def take_steps(self) -> list[Step]:
        """The steps since this was last asked."""
        steps, self._steps = self._steps, []
        return steps

    def _watch_new_events(self) -> None:
        trace = self.simulation.trace
        while self._seen < len(trace):
            event = trace[self._seen]
            self._seen += 1
            self._watch_event(event)
        self._watch_time()

    def _watch_event(self, event: Event) -> None:
        patches = self.picture.observe(event)
        findings = self.judges.observe(event)
        for finding in findings:
            if finding.promise == "durable":
                self._note_loss(finding, event.sequence)
        telling = self.narrator.tell(event)
        text = telling.plain if telling else None
        tone = telling.tone if telling else None
        said = _broken(findings, len(self.judges.lost))
        if said:
            text, tone = f"{text} {said}" if text else said, "bad"
        if text is not None:
            precise = f"{telling.precise} {said}".strip() if telling else said
            self._tellings[event.sequence] = Telling(text, precise, tone or "info")
        patches += self._amendments(event, findings)
        self._steps.append(
            Step(
                event.sequence, event.at_us, event.name, event.cause, patches,
                text, tone,
            )
        )  # fmt: skip

    def _note_loss(self, finding: Finding, sequence: int) -> None:
        for operation in finding.operations:
            if finding.held:
                self._lost_at.pop(operation, None)
            else:
                self._lost_at[operation] = sequence

    def _watch_time(self) -> None:
        if self._watched:
            facts = self.facts()
            for watcher in self._watched:
                watcher.observe(facts)

    def _amendments(self, event: Event, findings: list[Finding]) -> list[Patch]:
        """What this event changes in the picture that is not for the event's fold to say: how the command
        reads, and what the judges found."""
        patches = []
        if isinstance(event, CommandAccepted):
            patches.append(self.picture.amend(["command"], print_command(event.command)))
        operations = self.picture.state["operations"]
        for number in (
            each for finding in findings if finding.promise == "durable" for each in finding.operations
        ):
            if str(number) in operations:
                path = ["operations", str(number)]
                because = self.judges.lost.get(number)
                patches.append(self.picture.amend([*path, "lost"], because is not None))
                patches.append(self.picture.amend([*path, "lost_because"], because))
        if isinstance(event, ReadAnswered) and str(event.operation) in operations:
            judgement = self.judges.read(event.operation)
            if judgement is not None:
                path = ["operations", str(event.operation)]
                patches.append(self.picture.amend([*path, "stale"], judgement.stale))
                patches.append(self.picture.amend([*path, "staleness"], judgement.says))
        verdicts = self.judges.verdicts()
        if verdicts is not self._verdicts:
            self._verdicts = verdicts
            shown = self.picture.state["verdicts"]
            for name, verdict in verdicts.items():
                said = verdict._asdict()
                if shown.get(name) != said:
                    patches.append(self.picture.amend(["verdicts", name], said))
        return patches

    # --- the record ---------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The whole outcome as JSON, as `run --json` prints it."""
        simulation = self.simulation
        leader = simulation.leader()
        return {
            "title": self.scenario.title,
            "system": self.scenario.system,
            "seed": self.scenario.seed,
            "settings": {name: print_value(name, value) for name, value in self.scenario.settings.items()},
            "modified": list(self.picture.state["run"]["modified"]),
            "end_ms": _milliseconds(simulation.now_us),
            "trace_sha256": simulation.trace_sha256(),
            "leader": leader.name if leader else None,
            "term": max(replica.term for replica in simulation.replicas()),
            "nodes": {
                name: {"state": node.state, **_replica_document(node.replicas[0])}
                | {"discarded": self._discarded(name)}
                for name, node in simulation.nodes.items()
            },
            "operations": [_operation_document(each) for each in self.picture.state["operations"].values()],
            "guarantees": self.judges.summary(),
            "expectations": [{"text": each.text, "held": each.held} for each in self.script.expectations],
        }

    def _discarded(self, name: str) -> list[dict[str, Any]]:
        entries = self.picture.state["nodes"][name]["replicas"][0]["discarded"]
        return [_entry_document(entry) for entry in entries]


def _broken(findings: list[Finding], lost_count: int) -> str:
    """The sentences of promises that broke at one event. Of many breaches of one promise, the first stands
    for all; of lost writes it is told how many there are by now."""
    broken = [finding for finding in findings if not finding.held]
    lost = [finding for finding in broken if finding.promise == "durable"]
    by_promise: dict[str, list[str]] = {}
    for finding in broken:
        if finding.promise != "durable":
            by_promise.setdefault(finding.promise, []).append(finding.says)
    others = [
        says[0] if len(says) == 1 else f"{says[0]} (So it is with {len(says) - 1} more.)"
        for says in by_promise.values()
    ]
    if lost and lost_count > len(lost):
        others.insert(0, f"{lost_count} acknowledged writes are lost by now, among them: {lost[0].says}")
    elif len(lost) > 1:
        others.insert(0, f"{len(lost)} acknowledged writes are lost, among them: {lost[0].says}")
    elif lost:
        others.insert(0, f"1 acknowledged write is lost: {lost[0].says}")
    return " ".join(others)


def _milliseconds(time_us: int | None) -> int | None:
    return None if time_us is None else round(time_us / 1000)


def _entry_document(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("index", "term", "kind", "key", "value")}


def _replica_document(replica: Replica) -> dict[str, Any]:
    return {
        "role": replica.role.name or "follower",
        "term": replica.term,
        "log": [_entry_document(entry._asdict()) for entry in replica.log.entries],
        "commit_index": replica.commit_index,
        "applied_index": replica.applied_index,
        "store": {key: replica.store[key][0] for key in sorted(replica.store)},
    }


def _operation_document(operation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "client", "kind", "key", "value")
    return {
        **{name: operation[name] for name in names},
        "client": int(operation["client"]),
        "node": operation["node"] or operation["target"],
        "called_ms": _milliseconds(operation["called_us"]),
        "returned_ms": _milliseconds(operation["returned_us"]),
        "outcome": operation["outcome"],
        "result": operation["result"],
    }


def run_file(path: Path, as_json: bool, out: TextIO = sys.stdout) -> int:
    """Play a scenario file headless and print how it went. Exit status: 0 when every expectation held,
    1 when one did not, 2 when the file or a command in it is refused."""
    try:
        run = Run(scenario=load_scenario(path), operations_shown=100_000)
    except CommandRefused as problem:
        print(str(problem), file=sys.stderr)
        return 2
    try:
        run.play_script()
    except CommandRefused as problem:
        print(f"{path.name}: {problem}", file=sys.stderr)
        return 2
    has_held = all(each.held for each in run.script.expectations)
    if as_json:
        print(json.dumps(run.document(), ensure_ascii=False, indent=1), file=out)
    else:
        _tell(run, out)
    return 0 if has_held else 1


def _tell(run: Run, out: TextIO) -> None:
    print(run.scenario.title, file=out)
    for step in run.take_steps():
        if step.text:
            print(f"{step.at_us / 1e6:8.2f} s  {step.text}", file=out)
    for each in run.script.expectations:
        print(f"  {'✓' if each.held else '✗'} {each.text}", file=out)
