"""How often somebody may ask for something: a bucket of tokens that fills up at an even pace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something may be asked for."""

    burst: float
    per_second: float


@dataclass(slots=True)
class Bucket:
    """What is left of a pace."""

    tokens: float
    refilled_at: float

    def spend(self, wall: float, pace: Pace) -> bool:
        """Take one token; answers whether there was one."""
        self.tokens = min(pace.burst, self.tokens + max(0.0, wall - self.refilled_at) * pace.per_second)
        self.refilled_at = wall
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
