"""How the narrator puts names, lists, times and values into a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from server.cluster.messages import Address, LogEntry
from server.cluster.settings import SETTINGS


class Telling(NamedTuple):
    """One event in words."""

    plain: str
    """For everybody: one or two short sentences."""
    precise: str
    """The same with indexes, terms and names of settings."""
    tone: str
    """`info`, `good`, `bad`, or `vote`."""


def info(plain: str, precise: str = "") -> Telling:
    """Something that is neither good nor bad news."""
    return Telling(plain, precise or plain, "info")


def good(plain: str, precise: str = "") -> Telling:
    """A promise is met or a trouble is over."""
    return Telling(plain, precise or plain, "good")


def bad(plain: str, precise: str = "") -> Telling:
    """Something is broken, lost or in doubt."""
    return Telling(plain, precise or plain, "bad")


def vote(plain: str, precise: str = "") -> Telling:
    """A step of an election."""
    return Telling(plain, precise or plain, "vote")


CHARACTERS_MAX = 140
"""As much as is read at a glance."""


def with_more(plain: str, more: str) -> str:
    """A sentence and another one, where both together can still be read at a glance."""
    both = f"{plain} {more}"
    return both if more and len(both) <= CHARACTERS_MAX else plain


def listed(names: Sequence[str], word: str = "and") -> str:
    """`A`, `A and B`, `A, B and C`."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def named(address: Address) -> str:
    """A node by its letter, a client as `client 1`."""
    return f"client {address}" if address.isdigit() else address


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    """`1 entry`, `3 entries`."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else many}"


def spoken(time_us: int) -> str:
    """A duration for people: `320 ms`, `3.4 s`."""
    if time_us < 999_500:
        return f"{time_us / 1000:.3g} ms"
    return f"{round(time_us / 100_000) / 10:g} s"


def entry_text(entry: LogEntry) -> str:
    """One entry in a sentence: `x=1`, `the delete of x`, `an empty entry`."""
    if entry.kind == "noop":
        return "an empty entry"
    return f"the delete of {entry.key}" if entry.kind == "delete" else entry.label


def opening(text: str) -> str:
    """The start of a sentence: words get a capital letter, keys keep their own."""
    return capital(text) if text.startswith(("an ", "the ")) else text


def labels(entries: Sequence[LogEntry]) -> str:
    """What entries say, the first three of them."""
    shown = [entry_text(entry) for entry in entries[:3]]
    more = len(entries) - len(shown)
    return listed([*shown, f"{more:,} more"] if more else shown)


def value_of(setting: str, value: str | int | bool) -> str:
    """A setting's stored value in words."""
    kind = SETTINGS[setting].kind
    if kind == "switch":
        return "on" if value else "off"
    if kind == "time":
        return spoken(int(value))
    return f"{value}%" if SETTINGS[setting].attribute.endswith("_percent") else str(value)
