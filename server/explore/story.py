"""A broken promise as a scenario file that `python -m server run` replays.

The file ends with what the breach looks like (`expect lost == 1`), so playing it gives exit status 0
exactly while the breach is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby

from server.cluster.settings import MILLISECOND, SECOND
from server.explore.case import Case
from server.explore.promises import SENTENCES
from server.language import print_command, print_value, spoken_time
from server.language.vocabulary import FACTS
from server.run import Run
from server.scenario import read_scenario


def write_story(case: Case) -> str:
    """The scenario's text. What it expects has been seen to hold by playing it."""
    text = ""
    for expectation in _expectations(case):
        for at_us in _moments(case.end_us):
            text = _text(case, expectation, at_us)
            if not expectation or is_reproduced(text):
                return text
    return text


def is_reproduced(text: str) -> bool:
    """Whether playing a scenario shows what it expects. One about a failing program expects nothing."""
    run = Run(scenario=read_scenario(text, "story"), operations_shown=100_000)
    run.play_script()
    return bool(run.script.expectations) and all(each.held for each in run.script.expectations)


def _moments(time_us: int) -> Iterable[int]:
    """When to look: at the next round time after the breach, or at the breach itself."""
    for unit_us in (SECOND, 100 * MILLISECOND, MILLISECOND):
        yield -(-time_us // unit_us) * unit_us
    yield time_us


def _expectations(case: Case) -> tuple[str, ...]:
    """What can be said of the breach in the language of expressions, the plainest first."""
    breach = case.breach
    assert breach is not None
    promise = breach.promise
    if promise == "durable":
        return ("lost == 1", "lost > 0", "ever(lost > 0)")
    if promise == "available":
        return ("last_write.outcome != ok",)
    if promise == "copies_agree":
        one, other = breach.nodes
        return (f"log({one}) != log({other})", f"store({one}) != store({other})")
    if promise in ("linearizable", "writes_linearizable"):
        return ("not linearizable",)
    if promise == "runs_on":
        return ("",)
    return (f"not {promise}",) if promise in FACTS else ("violations > 0",)


def _text(case: Case, expectation: str, at_us: int) -> str:
    breach = case.breach
    assert breach is not None
    settings = ", ".join(f"{name}: {print_value(name, value)}" for name, value in case.settings.items())
    lines = [
        f"title: {_quoted(f'Broken: {SENTENCES[breach.promise]}')}",
        f"about: {_quoted(breach.says)}",
        f"seed: {case.seed}",
        f"settings: {{ {settings} }}" if settings else "settings: {}",
        "script:",
    ]
    last_us = 0
    for time_us, entries in groupby((*case.entries, *case.last_entries), key=lambda entry: entry.at_us):
        texts = [print_command(entry.command) for entry in entries]
        lines.append(_line(time_us, texts))
        last_us = time_us
    if expectation:
        lines.append(_line(max(at_us, last_us), [f"expect {expectation}"]))
    return "\n".join(lines) + "\n"


def _line(at_us: int, texts: list[str]) -> str:
    quoted = [_quoted(text) for text in texts]
    do = quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
    return f"  - {{ at: {spoken_time(at_us)}, do: {do} }}"


def _quoted(text: str) -> str:
    """A YAML scalar: plain when nothing in it could mean something else."""
    if re.fullmatch(r"[A-Za-z][\w .()=/<>-]*", text, re.ASCII):
        return text
    return json.dumps(text, ensure_ascii=False)
