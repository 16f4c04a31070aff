"""The choices a cluster can be run with, each a small object that answers one question.

`AcknowledgePolicy` decides when a leader may answer OK, and from which moment an entry can be read.
The protocol asks; it never compares a policy's name.
"""

from __future__ import annotations

from typing import ClassVar

from server.cluster.settings import Settings


class AcknowledgePolicy:
    """When may the leader answer OK to a write?"""

    name: ClassVar[str]
    readable: ClassVar[str]
    """What must be true of an entry before a read on the leader can see it: `flushed` there,
    `acknowledged`, or `committed`. Followers show what they flushed, or under `committed` what
    they know to be committed."""

    def followers_needed(self, follower_count: int, settings: Settings) -> int:
        """How many followers must hold the entry at the `level` setting, besides the leader's disk."""
        raise NotImplementedError


class Asynchronous(AcknowledgePolicy):
    """The leader's own disk is enough: fast, and lost with the leader."""

    name = "async"
    readable = "flushed"

    def followers_needed(self, follower_count: int, settings: Settings) -> int:
        """None."""
        return 0


class SemiSynchronous(AcknowledgePolicy):
    """A chosen number of followers, whichever come first (MySQL semi-sync, PostgreSQL ANY k).

    An entry stays hidden on the leader until then (MySQL 8, AFTER_SYNC)."""

    name = "semi-sync"
    readable = "acknowledged"

    def followers_needed(self, follower_count: int, settings: Settings) -> int:
        """The `semi-sync-followers` setting, even when fewer exist: then nothing is acknowledged."""
        return settings.semi_sync_followers


class Quorum(AcknowledgePolicy):
    """More than half of all nodes, the leader among them: any later majority overlaps (Raft §5.3)."""

    name = "quorum"
    readable = "committed"

    def followers_needed(self, follower_count: int, settings: Settings) -> int:
        """A majority of the cluster, less the leader itself."""
        return (follower_count + 1) // 2


class Synchronous(AcknowledgePolicy):
    """Every follower, the dead ones too: one that does not answer stops all writes."""

    name = "sync"
    readable = "acknowledged"

    def followers_needed(self, follower_count: int, settings: Settings) -> int:
        """All of them."""
        return follower_count


ACKNOWLEDGE_POLICIES: dict[str, AcknowledgePolicy] = {
    policy.name: policy for policy in (Asynchronous(), SemiSynchronous(), Quorum(), Synchronous())
}
"""By the value of the `replication` setting."""
