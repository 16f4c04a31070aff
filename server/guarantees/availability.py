"""Is the cluster available, as its clients see it?

Not available: no partition may be without a running leader, and the last operation on the leader's
path that ended must have been answered. A pending operation says nothing yet. On the leader's path
are all writes, cas and deletes, and reads sent to a node that led when they were sent. A cas that
found another value was answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.guarantees.findings import Verdict, counted, seconds
from server.guarantees.ledger import Life
from server.guarantees.observed import ObservedCluster

_TITLE = "Available"


@dataclass(slots=True)
class Availability:
    """Follows leaders and the ends of operations. Called by `Judges`."""

    cluster: ObservedCluster
    leaders: dict[int, str | None] = field(default_factory=dict)
    """Partition to its running leader."""
    leaderless_since_us: dict[int, int] = field(default_factory=dict)
    unanswered: str | None = None
    """What the last ended operation did not get; `None` when it was answered."""
    leaderless: tuple[int, int] | None = None
    """When the last stretch without a leader began and ended."""
    leaderless_count: int = 0
    unanswered_count: int = 0

    def leaders_changed(self, at_us: int) -> None:
        """Roles or machines changed: who leads now?"""
        for number, partition in self.cluster.partitions.items():
            leader = self.cluster.live_leader(partition)
            had_one = self.leaders.get(number) is not None
            if leader is None and had_one:
                self.leaderless_since_us[number] = at_us
            elif leader is not None and not had_one and number in self.leaders:
                self.leaderless = (self.leaderless_since_us.get(number, 0), at_us)
                self.leaderless_count += 1
            if leader is not None or number in self.leaders:
                self.leaders[number] = leader.node if leader is not None else None

    def ended(self, life: Life) -> None:
        """An operation is over."""
        if not life.is_on_leader_path:
            return
        is_answered = life.outcome == "ok" or (life.kind == "cas" and life.answered_by is not None)
        if is_answered:
            self.unanswered = None
            return
        self.unanswered_count += 1
        if self.unanswered is None:
            what = "was refused" if life.outcome == "failed" else "got no answer"
            self.unanswered = f"{life.label} {what} by {seconds(life.returned_us or 0)}"

    def verdict(self) -> Verdict:
        """How it stands, with the moment since when: no sentence here changes as time passes."""
        if not self.leaders:
            return Verdict(_TITLE, None, "No leader has started yet.")
        for number, leader in self.leaders.items():
            if leader is None:
                where = f" in partition {number}" if len(self.leaders) > 1 else ""
                since = seconds(self.leaderless_since_us.get(number, 0))
                return Verdict(_TITLE, False, f"No leader{where} since {since}.", f"no leader since {since}")
        if self.unanswered is not None:
            says = f"{self.unanswered}, and nothing has succeeded since."
            return Verdict(_TITLE, False, says, self.unanswered.partition(" by ")[0])
        names = [leader for leader in self.leaders.values() if leader is not None]
        now = f"{' and '.join(dict.fromkeys(names))} leads and answers."
        return Verdict(_TITLE, True, now + self._before())

    def _before(self) -> str:
        """What clients had to bear until now; empty when nothing."""
        parts = []
        if self.leaderless is not None:
            since_us, until_us = self.leaderless
            often = "" if self.leaderless_count == 1 else f" {self.leaderless_count} times, last"
            parts.append(f"no leader{often} from {seconds(since_us)} to {seconds(until_us)}")
        if self.unanswered_count:
            parts.append(f"{counted(self.unanswered_count, 'request')} unanswered or refused")
        return f" Before: {', '.join(parts)}." if parts else ""
