"""What a judge says: one finding when something happens, one verdict for how a promise stands now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Finding(NamedTuple):
    """A judge noticed something at one event. It is a record, never an exception."""

    promise: str
    """Key of the promise it is about, as in `Judges.verdicts()`; `fresh_reads` for a stale read."""
    held: bool
    """`False`: the promise broke here. `True`: worth telling, but nothing broke (a lost write is back)."""
    says: str
    """One sentence for a person."""
    operations: tuple[int, ...]
    """The client operations it is about, the earlier one first."""


class Verdict(NamedTuple):
    """How one promise stands after everything observed so far."""

    title: str
    held: bool | None
    """`None`: not judged yet, or not decidable within the search's limit."""
    says: str
    brief: str = ""
    """When broken: the same in so few words that they fit behind the title."""


@dataclass(slots=True)
class Promise:
    """A promise that, once broken, stays broken for the rest of the run."""

    key: str
    title: str
    claim: str
    """What a person is told while it holds."""
    waits_for: str = ""
    """What has not happened yet and must, before there is anything to judge: `no client has
    written twice`. Empty where a run is judged from its beginning."""
    is_judged: bool = False
    broken_count: int = 0
    first: Finding | None = None

    def judge(self) -> None:
        """There was an occasion to break it."""
        self.is_judged = True

    def break_with(self, says: str, *operations: int) -> Finding:
        """Record one more breach and give the finding for it."""
        finding = Finding(self.key, False, says, operations)
        self.broken_count += 1
        if self.first is None:
            self.first = finding
        return finding

    def verdict(self) -> Verdict:
        """The first breach explains the rest, so that is the one a person is shown."""
        if self.first is None and self.waits_for and not self.is_judged:
            return Verdict(self.title, None, f"Nothing to judge yet: {self.waits_for}.")
        if self.first is None:
            return Verdict(self.title, True, self.claim)
        more = self.broken_count - 1
        after = f" ({more} more since.)" if more else ""
        brief = "once" if self.broken_count == 1 else f"{self.broken_count:,} times"
        return Verdict(self.title, False, self.first.says + after, brief)


def seconds(time_us: int) -> str:
    """`4.21 s`: virtual time as people say it, to the hundredth."""
    hundredths = (time_us + 5_000) // 10_000
    return f"{hundredths // 100}.{hundredths % 100:02d} s"


def counted(count: int, noun: str) -> str:
    """`1 write`, `3 writes`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def value_text(key: str, value: str | None) -> str:
    """`x=1`, or `no x` when the key holds nothing."""
    return f"no {key}" if value is None else f"{key}={value}"
