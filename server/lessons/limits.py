"""Which commands a task takes, and which controls a step keeps for later.

`allow` and `forbid`, `lock` and `only` name beginnings of commands: `kill`, or `set replication`, which
leaves other settings free. A line is looked at as the language prints it, so that another way of writing it
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.cluster.commands import Command, CommandRefused
from server.language import parse, print_command
from server.lessons.records import Setup, Task


def refusal(task: Task, text: str) -> str | None:
    """What of a line the task does without; `None` when it takes it."""
    return _outside(text, task.forbid, task.allow)


def locked(setup: Setup | None, text: str) -> str | None:
    """What of a line a step keeps for later, its controls hidden; `None` when it may be given."""
    return None if setup is None else _outside(text, setup.lock, setup.only)


def _outside(text: str, barred: Sequence[str], open_to: Sequence[str] | None) -> str | None:
    """What of a line is barred, or not among the only things that are open; `None` when nothing is."""
    words = _words(text)
    for entry in barred:
        if _begins(words, entry):
            return entry
    if open_to is not None and not any(_begins(words, entry) for entry in open_to):
        return words[0] if words else ""
    return None


def _begins(words: list[str], entry: str) -> bool:
    named = entry.lower().split()
    return words[: len(named)] == named


def _words(text: str) -> list[str]:
    try:
        action = parse(text)
    except CommandRefused:
        return text.lower().split()
    return (print_command(action) if isinstance(action, Command) else text).lower().split()
