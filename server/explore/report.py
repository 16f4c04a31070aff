"""The command itself: which seeds to play, and what is said about them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TextIO

from server.cluster import SETTINGS, CommandRefused, Settings
from server.explore.case import Case, Played, play_seed
from server.explore.promises import POLICIES, PROMISES, ROWS, SENTENCES
from server.explore.shrink import shrink
from server.explore.story import is_reproduced, write_story
from server.scenario import SEED_MAX, SYSTEMS

ALL_HELD, BROKEN, BAD_USE = 0, 1, 2
"""Exit statuses: every promise held; one broke; the request does not fit."""
SEEDS_NAMED = 8
"""How many seeds a line names before it says how many more there are."""
PROGRESS_SECONDS = 20
"""How often a long exploration says how far it is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to explore; checked."""

    policies: tuple[str, ...]
    first: int
    count: int
    switched_off: tuple[str, ...]
    out: Path


@dataclass(slots=True)
class RowTally:
    """What was found in the runs of one row of `PROMISES`."""

    runs: int = 0
    acknowledged: int = 0
    lost: int = 0
    losing: list[int] = field(default_factory=list)
    """Seeds whose runs lost acknowledged writes, whether or not that was promised."""
    unordered: list[int] = field(default_factory=list)
    """Seeds whose histories are not linearizable."""


@dataclass(slots=True)
class Tally:
    """What was found under one policy."""

    policy: str
    rows: dict[str, RowTally] = field(default_factory=dict)
    broken: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Promise to the seeds that broke it, each with the row it was given in."""
    examples: dict[str, tuple[Case, str]] = field(default_factory=dict)
    """… to the first run that did, and what was said about it."""
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, played: Played) -> None:
        """Count one seed's run."""
        trial, seed = played.trial, played.case.seed
        row = self.rows.setdefault(played.row, RowTally())
        row.runs += 1
        row.acknowledged += trial.judges.acknowledged
        if "durable" in trial.breaches:
            row.losing.append(seed)
            row.lost += max(1, len(trial.judges.lost))
        if "linearizable" in trial.breaches:
            row.unordered.append(seed)
        self.counts["seeds"] += 1
        self.counts["events"] += len(trial.simulation.trace)
        self.counts["committed"] += trial.committed_count()
        self.counts["elections"] += trial.election_count()
        for breach in played.broken:
            self.broken.setdefault(breach.promise, []).append((seed, played.row))
            self.examples.setdefault(breach.promise, (played.case, breach.says))


def main(
    seeds: str, first: str, system: str, policy: str, off: Sequence[str], out: str, to: TextIO = sys.stdout
) -> int:
    """Explore and report. Gives the exit status."""
    try:
        plan = read_plan(seeds, first, system, policy, off, out)
    except CommandRefused as problem:
        print(problem, file=sys.stderr)
        return BAD_USE
    is_broken = False
    for name in plan.policies:
        tally = explore(plan, name)
        _report(tally, to)
        for promise in tally.broken:
            is_broken = True
            print(_tell_breach(tally, promise, plan.out), file=to, flush=True)
    return BROKEN if is_broken else ALL_HELD


def read_plan(seeds: str, first: str, system: str, policy: str, off: Sequence[str], out: str) -> Plan:
    """Check what was asked for. Raises `CommandRefused` with a sentence."""
    count, start = _number("--seeds", seeds, 1), _number("--from", first, 0)
    if start + count - 1 > SEED_MAX:
        raise CommandRefused(f"Seeds go up to {SEED_MAX}: --from {start} with --seeds {count} goes beyond.")
    if system not in SYSTEMS:
        raise CommandRefused(f"--system: {system!r} is not known. Systems: {', '.join(SYSTEMS)}.")
    if policy != "all" and policy not in POLICIES:
        raise CommandRefused(f"--policy is one of {', '.join(POLICIES)} or all, not {policy!r}.")
    switches = safety_switches()
    for name in off:
        if name not in switches:
            raise CommandRefused(f"--off takes a safety switch, not {name!r}: {', '.join(switches)}.")
    folder = Path(out)
    if not folder.is_dir():
        raise CommandRefused(f"--out: there is no folder {out}.")
    policies = POLICIES if policy == "all" else (policy,)
    return Plan(policies, start, count, tuple(dict.fromkeys(off)), folder)


def safety_switches() -> tuple[str, ...]:
    """Every switch that is on by default: what `--off` can turn off."""
    plain = Settings()
    return tuple(name for name, row in SETTINGS.items() if row.kind == "switch" and plain.value(name) is True)


def _number(flag: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 17) or int(text) < least:
        raise CommandRefused(f"{flag} takes a whole number from {least} on, not {text!r}.")
    return int(text)


def explore(plan: Plan, policy: str) -> Tally:
    """Play every seed under one policy."""
    tally = Tally(policy)
    start = said = perf_counter()
    for seed in range(plan.first, plan.first + plan.count):
        tally.add(play_seed(policy, seed, plan.switched_off))
        now = perf_counter()
        if now - said > PROGRESS_SECONDS:
            said = now
            done, broken = tally.counts["seeds"], sum(len(seeds) for seeds in tally.broken.values())
            print(
                f"{policy}: {done:,} of {plan.count:,} seeds, {broken} breaches …",
                file=sys.stderr,
                flush=True,
            )
    tally.seconds = perf_counter() - start
    return tally


# --- what is said ----------------------------------------------------------------------------------


def _report(tally: Tally, to: TextIO) -> None:
    counts, seconds = tally.counts, max(tally.seconds, 1e-9)
    print(
        f"{tally.policy}: {counts['seeds']:,} seeds, {counts['events']:,} events in {seconds:.1f} s "
        f"({counts['seeds'] / seconds:.1f} seeds/s, {counts['events'] / seconds:,.0f} events/s); "
        f"{counts['committed']:,} entries committed, {counts['elections']:,} elections.",
        file=to,
    )
    for name in PROMISES:
        if name in tally.rows:
            print(f"  {name} ({ROWS[name]}): {_tell_row(tally, name)}", file=to)
    to.flush()


def _tell_row(tally: Tally, name: str) -> str:
    row = tally.rows[name]
    is_held = not any(place == name for runs in tally.broken.values() for _, place in runs)
    parts = [f"{_counted(row.runs, 'run')}, {row.acknowledged:,} writes acknowledged"]
    parts.append(f"{'all' if is_held else 'not all'} of its promises held")
    if "durable" not in PROMISES[name]:
        found = f"{_counted(len(row.losing), 'run')} lost {row.lost:,} acknowledged writes"
        parts.append(f"{found}, found, as expected: {_seeds(row.losing)}" if row.losing else "no loss found")
    return "; ".join(parts) + "."


def _tell_breach(tally: Tally, promise: str, out: Path) -> str:
    seeds = [seed for seed, _ in tally.broken[promise]]
    rows = dict.fromkeys(row for _, row in tally.broken[promise])
    case, says = tally.examples[promise]
    told = (
        f"  BROKEN under {' and '.join(rows)}: {SENTENCES[promise]} "
        f"{_counted(len(seeds), 'run')}: {_seeds(seeds)}.\n"
        f"    Seed {seeds[0]}: {says}\n"
    )
    small = shrink(case, promise)
    if small is None:
        return told + "    Played again from its commands, it holds: a fault of the exploration itself."
    text = write_story(small)
    path = out / f"{tally.policy}-{promise.replace('_', '-')}-seed-{seeds[0]}.yaml"
    path.write_text(text, encoding="utf-8")
    lines = _counted(len(small.entries), "command")
    is_seen = promise == "runs_on" or is_reproduced(text)
    seen = "" if is_seen else " It does not reproduce there: a fault of the exploration itself."
    return told + f"    Shrunk to {lines}: python -m server run {path}{seen}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _seeds(seeds: Sequence[int]) -> str:
    more = len(seeds) - SEEDS_NAMED
    named = ", ".join(str(seed) for seed in seeds[:SEEDS_NAMED])
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {named}" + (f" and {more:,} more" if more > 0 else "")
