"""When the leader answers OK: the acknowledge policies, to the millisecond."""

from __future__ import annotations

import pytest

from server.cluster import Simulation, commands
from server.cluster.events import EntryApplied, OperationEnded, SettingChanged, WriteAcknowledged
from tests.driving import MS, SECOND, after, copy_of, happened, run_to, start, write

DISTANCES_MS = {"B": 100, "C": 200, "D": 300, "E": 400}
"""One way from the leader A, so that the copies come in a known order."""


def staggered(**values: object) -> Simulation:
    """Five nodes at known distances from A; the client is 300 ms away."""
    run = start(nodes=5, **values)
    for node, distance_ms in DISTANCES_MS.items():
        run.execute(commands.SetLatency("A", node, False, distance_ms * MS))
    return run


@pytest.mark.parametrize(
    ("replication", "followers", "level", "ok_ms"),
    [
        # The request arrives at 300 ms, A's disk has it at 350, its store at 370.
        ("async", 1, "flushed", 370),
        ("async", 1, "applied", 370),
        # A copy at distance d: sent 350, received 350 + d, flushed 50 later, known at A another d later;
        # then A applies, because here an entry stays hidden until it is safe (20 more).
        ("semi-sync", 1, "received", 350 + 200 + 20),
        ("semi-sync", 1, "flushed", 350 + 200 + 50 + 20),
        ("semi-sync", 1, "applied", 350 + 200 + 50 + 20 + 20),
        ("semi-sync", 2, "flushed", 350 + 400 + 50 + 20),
        ("semi-sync", 3, "received", 350 + 600 + 20),
        ("semi-sync", 4, "flushed", 350 + 800 + 50 + 20),
        # A majority of five is A and two more.
        ("quorum", 1, "received", 350 + 400 + 20),
        ("quorum", 1, "flushed", 350 + 400 + 50 + 20),
        # Followers show what they know to be committed: that news comes with the heartbeat at 1 s.
        ("quorum", 1, "applied", 1000 + 400 + 20),
        ("sync", 1, "received", 350 + 800 + 20),
        ("sync", 1, "flushed", 350 + 800 + 50 + 20),
        ("sync", 1, "applied", 350 + 800 + 50 + 20 + 20),
    ],
)
def test_ok_leaves_with_the_last_copy_that_the_policy_asks_for(
    replication: str, followers: int, level: str, ok_ms: int
) -> None:
    """The k-th follower's copy at the level decides, no earlier and no later one."""
    run = staggered(replication=replication, semi_sync_followers=followers, level=level)
    write(run)
    assert run_to(run, WriteAcknowledged).at_us == ok_ms * MS


def test_acknowledgement_names_the_nodes_that_hold_the_entry() -> None:
    """The leader first, then the followers that count at the policy's level."""
    run = staggered(replication="quorum")
    write(run)
    assert run_to(run, WriteAcknowledged).held_by == ("A", "B", "C")


def test_asynchronous_leader_is_the_only_holder() -> None:
    """Acknowledged and held by one machine: the write that can be lost."""
    run = staggered()
    write(run)
    assert run_to(run, WriteAcknowledged).held_by == ("A",)
    assert copy_of(run, "A").commit_index == 0, "acknowledged before it is committed"


def test_sync_blocks_when_one_follower_is_dead() -> None:
    """Every follower counts, the dead one too: the client gives up without knowing."""
    run = start(replication="sync")
    run.execute(commands.Kill("C"))
    operation = write(run)
    assert run_to(run, OperationEnded, operation=operation).outcome == "unknown"
    after(run, 60 * SECOND)
    assert happened(run, WriteAcknowledged) == []
    assert copy_of(run, "A").commit_index == 1, "committed all the same: a majority has it"


def test_sync_goes_on_when_the_missing_follower_is_back() -> None:
    """The waiting write is acknowledged as soon as the last copy is confirmed."""
    run = start(replication="sync", operation_timeout=60 * SECOND)
    run.execute(commands.Kill("C"))
    operation = write(run)
    after(run, 5 * SECOND)
    run.execute(commands.Restart("C"))
    assert run_to(run, WriteAcknowledged).held_by == ("A", "B", "C")
    assert run_to(run, OperationEnded).operation == operation


def test_sync_goes_on_when_the_missing_follower_is_removed() -> None:
    """What has left the cluster is not waited for."""
    run = start(replication="sync", operation_timeout=60 * SECOND)
    run.execute(commands.Kill("C"))
    write(run)
    after(run, 5 * SECOND)
    run.execute(commands.RemoveNode("C"))
    assert run_to(run, WriteAcknowledged, within_us=20 * MS).held_by == ("A", "B")


def test_late_joiner_is_not_waited_for_until_it_is_admitted() -> None:
    """A node that is still catching up must not stop the writes of those who are level."""
    run = start(replication="sync")
    run.execute(commands.AddNode("D"))
    run.execute(commands.Cut("A", "D", False))
    write(run)
    assert run_to(run, WriteAcknowledged).held_by == ("A", "B", "C")


def test_semi_sync_with_more_followers_than_exist_never_acknowledges() -> None:
    """Asking for three copies of two followers is a cluster that never says OK (MySQL
    rpl_semi_sync_source_wait_for_replica_count)."""
    run = start(replication="semi-sync", semi_sync_followers=3)
    operation = write(run)
    assert run_to(run, OperationEnded, operation=operation).outcome == "unknown"
    assert happened(run, WriteAcknowledged) == []


def test_semi_sync_does_not_wait_for_a_dead_follower_while_enough_others_live() -> None:
    """Whichever come first count (PostgreSQL ANY k)."""
    run = start(replication="semi-sync", semi_sync_followers=1)
    run.execute(commands.Kill("B"))
    write(run)
    assert run_to(run, WriteAcknowledged).held_by == ("A", "C")


def test_quorum_of_an_even_cluster_is_more_than_half() -> None:
    """Two of four are no majority."""
    run = start(nodes=4, replication="quorum")
    for node in "CD":
        run.execute(commands.Kill(node))
    operation = write(run)
    assert run_to(run, OperationEnded, operation=operation).outcome == "unknown"
    assert happened(run, WriteAcknowledged) == []


def blocked_by_sync() -> Simulation:
    """Three writes wait for a follower that is dead."""
    run = start(replication="sync", operation_timeout=60 * SECOND)
    run.execute(commands.Kill("C"))
    for value in "123":
        write(run, value)
    return after(run, 3 * SECOND)


def test_weaker_policy_releases_the_writes_that_wait() -> None:
    """Their condition is met the moment the setting changes; the setting is why."""
    run = blocked_by_sync()
    run.execute(commands.SetSetting("replication", "semi-sync"))
    (changed,) = happened(run, SettingChanged, since=20, setting="replication")
    after(run, 60 * MS)
    acknowledged = happened(run, WriteAcknowledged)
    assert [event.index for event in acknowledged] == [1, 2, 3]
    # Each was hidden until it was safe, so each is applied first (20 ms).
    assert [event.at_us - changed.at_us for event in acknowledged] == [20 * MS, 40 * MS, 60 * MS]


def test_weaker_level_releases_the_writes_that_wait() -> None:
    """The level is part of the condition."""
    run = start(replication="sync", flush=0, operation_timeout=60 * SECOND)
    run.execute(commands.SetSetting("flush", 30 * SECOND, "C"))
    write(run)
    after(run, 3 * SECOND)
    assert happened(run, WriteAcknowledged) == []
    run.execute(commands.SetSetting("level", "received"))
    # C has it in memory; its next reply, to a heartbeat, says so.
    assert run_to(run, WriteAcknowledged, within_us=2 * SECOND).held_by == ("A", "B", "C")


def test_stricter_policy_takes_no_ok_back_and_holds_the_next_write() -> None:
    """What was acknowledged stays acknowledged; what comes waits for the new condition."""
    run = start(replication="async")
    write(run)
    run_to(run, OperationEnded, outcome="ok")
    run.execute(commands.Kill("C"))
    run.execute(commands.SetSetting("replication", "sync"))
    write(run, "2")
    after(run, 5 * SECOND)
    assert [event.index for event in happened(run, WriteAcknowledged)] == [1]


@pytest.mark.parametrize(
    ("replication", "shown_ms"),
    [("async", 370), ("semi-sync", 620), ("quorum", 820), ("sync", 1220)],
)
def test_entry_can_be_read_on_the_leader_when_the_policy_lets_it(replication: str, shown_ms: int) -> None:
    """Asynchronous: from the leader's disk. Semi-sync and sync: once acknowledged (MySQL AFTER_SYNC). Quorum:
    once committed."""
    run = staggered(replication=replication)
    write(run)
    assert run_to(run, EntryApplied, node="A").at_us == shown_ms * MS


@pytest.mark.parametrize(
    ("replication", "shown_ms"),
    [("async", 350 + 100 + 50 + 20), ("sync", 350 + 100 + 50 + 20), ("quorum", 1000 + 100 + 20)],
)
def test_entry_can_be_read_on_a_follower_when_the_policy_lets_it(replication: str, shown_ms: int) -> None:
    """What is on its disk (a standby may show more than the leader does); under quorum only what it knows to
    be committed, which the next message brings."""
    run = staggered(replication=replication)
    write(run)
    assert run_to(run, EntryApplied, node="B").at_us == shown_ms * MS


def test_quorum_at_level_applied_asks_for_a_majority_of_stores() -> None:
    """Of four nodes that is the leader and two more, not one more."""
    run = start(nodes=4, replication="quorum", level="applied")
    for node in "BCD":
        run.execute(commands.SetLatency("A", node, False, DISTANCES_MS[node] * MS))
    write(run)
    acknowledged = run_to(run, WriteAcknowledged)
    assert (acknowledged.held_by, acknowledged.at_us) == (("A", "B", "C"), (1000 + 400 + 20) * MS)
