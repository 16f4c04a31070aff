"""Disks, power and pauses: what a machine keeps and what it loses."""

from __future__ import annotations

import pytest

from server.cluster import Simulation, commands
from server.cluster.events import (
    ElectionStarted,
    ElectionTimerSet,
    EntryReceived,
    LeaderStarted,
    LeaderStepped,
    LogFlushed,
    LogTruncated,
    MessageDelivered,
    MessageSent,
    NodeKilled,
    NodeRestarted,
    NodeResumed,
    OperationEnded,
    StoreRebuilt,
    WriteAcknowledged,
)
from tests.driving import MS, SECOND, after, copy_of, happened, run_to, start, write


def values(run: Simulation, node: str) -> list[str | None]:
    return [entry.value for entry in copy_of(run, node).log.entries]


# --- crash and restart ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("killed_ms", "kept"),
    [(310, 0), (349, 0), (350, 1), (399, 1), (400, 3), (900, 3)],
)
def test_crash_loses_exactly_what_was_not_flushed(killed_ms: int, kept: int) -> None:
    """The first write is being flushed from 300 to 350 ms; the other two arrive meanwhile and share the
    flush that ends at 400 ms."""
    run = start()
    for pause_ms, value in ((0, "1"), (10, "2"), (10, "3")):
        write(after(run, pause_ms * MS), value)
    run.run_until(killed_ms * MS)
    held = copy_of(run, "A").log.entries[:]
    run.execute(commands.Kill("A"))
    assert values(run, "A") == ["1", "2", "3"][:kept]
    lost = happened(run, LogTruncated, node="A")
    if len(held) == kept:
        assert lost == [], "nothing to lose is not an event"
    else:
        assert [(each.from_index, each.entries, each.reason) for each in lost] == [
            (kept + 1, tuple(held[kept:]), "crash")
        ]


def test_leader_that_dies_before_its_flush_leaves_no_copy_anywhere() -> None:
    """It sends only what is on its disk, so no follower can be ahead of it after a restart."""
    run = start(flush=500 * MS)
    write(run)
    run.run_until(790 * MS)
    run.execute(commands.Kill("A"))
    after(run, 2 * SECOND)
    assert [values(run, node) for node in "ABC"] == [[], [], []]


def test_timers_of_an_earlier_life_never_ring() -> None:
    """A flush that was running when the power went does not end after the restart."""
    run = start(failover="manual")
    write(run)
    run.run_until(340 * MS)
    run.execute(commands.Kill("A"))
    run.execute(commands.Restart("A"))
    after(run, 5 * SECOND)
    assert happened(run, LogFlushed, node="A") == []
    assert copy_of(run, "A").log.flushed_index == 0


def test_restart_replays_the_log_into_the_store() -> None:
    """Deletes and compare-and-sets count again exactly as they did: same log, same store."""
    run = start()
    for command in (
        commands.Write("x", "1"),
        commands.Write("y", "5"),
        commands.CompareAndSet("x", "1", "2"),
        commands.CompareAndSet("x", "1", "3"),  # Finds 2: changes nothing.
        commands.Delete("y"),
        commands.CompareAndSet("z", None, "9"),
    ):
        run.execute(command)
        after(run, 2 * SECOND)
    copy = copy_of(run, "B")
    before = dict(copy.store), dict(copy.refused_cas)
    assert {key: row[0] for key, row in copy.store.items()} == {"x": "2", "z": "9"}
    assert copy.refused_cas == {4: "2"}
    run.execute(commands.Kill("B"))
    run.execute(commands.Restart("B"))
    (rebuilt,) = happened(run, StoreRebuilt, node="B")
    assert rebuilt.applied_index == 6
    assert rebuilt.store == (("x", "2", 3, 1), ("z", "9", 6, 1))
    assert (copy.store, copy.refused_cas) == before


def test_truncation_of_applied_entries_rebuilds_the_store() -> None:
    """A discarded delete or compare-and-set gives back what it took away."""
    run = start(replication="async")
    write(run, "1")
    after(run, 3 * SECOND)
    run.execute(commands.Partition((("A", "1"),)))
    for command in (commands.CompareAndSet("x", "1", "2"), commands.Delete("x")):
        run.execute(command)
        after(run, 1 * SECOND)
    assert copy_of(run, "A").store == {}, "the cut-off leader has applied both"
    run_to(run, LeaderStarted, how="elected")
    run.execute(commands.Heal())
    run.execute(commands.Write("y", "7", "2", "leader"))
    truncated = run_to(run, LogTruncated, node="A")
    assert (truncated.from_index, truncated.reason) == (2, "conflict")
    assert copy_of(run, "A").store["x"] == ("1", 1, 1)
    assert happened(run, StoreRebuilt, node="A")[-1].cause == truncated.cause


def test_follower_that_missed_writes_while_dead_catches_up() -> None:
    """A restart ends where an uninterrupted follower would have been."""
    run = start()
    for value in "123":
        write(run, value)
        after(run, 1 * SECOND)
        if value == "1":
            run.execute(commands.Kill("C"))
    run.execute(commands.Restart("C"))
    after(run, 3 * SECOND)
    assert copy_of(run, "C").log.entries == copy_of(run, "A").log.entries
    assert copy_of(run, "C").store == copy_of(run, "A").store


def test_term_and_vote_survive_a_crash() -> None:
    """A voter that forgot its promise could make two leaders of one term (Raft figure 2, durable state)."""
    run = start()
    run.execute(commands.Kill("A"))
    elected = run_to(run, LeaderStarted)
    voter = next(node for node in elected.votes if node != elected.node)
    run.execute(commands.Kill(voter))
    run.execute(commands.Restart(voter))
    assert (copy_of(run, voter).term, copy_of(run, voter).voted_for) == (elected.term, elected.node)


# --- leaders that come back ----------------------------------------------------------------------


def test_restarted_leader_follows_under_automatic_failover() -> None:
    """Roles are not durable: it waits like any other for a leader or an election (Raft §5.2)."""
    run = start()
    run.execute(commands.Kill("A"))
    run.execute(commands.Restart("A"))
    assert copy_of(run, "A").role.name == "follower"
    assert run_to(run, ElectionStarted).at_us >= 3 * SECOND


def test_restarted_leader_resumes_under_manual_failover_when_nobody_replaced_it() -> None:
    """A database server restarts as what it was: same term, no empty entry."""
    run = start(failover="manual")
    write(run, "1")
    after(run, 2 * SECOND)
    run.execute(commands.Kill("A"))
    after(run, 10 * SECOND)
    run.execute(commands.Restart("A"))
    (_, resumed) = happened(run, LeaderStarted)
    assert (resumed.node, resumed.term, resumed.how) == ("A", 1, "resumed")
    operation = write(run, "2")
    assert run_to(run, OperationEnded, operation=operation).outcome == "ok"
    assert values(run, "A") == ["1", "2"]


def test_restarted_leader_that_was_replaced_steps_down_when_it_hears_so() -> None:
    """Until then both lead, each in its own term; the higher one wins (Raft §5.1)."""
    run = start(failover="manual")
    run.execute(commands.Kill("A"))
    run.execute(commands.Promote("B"))
    after(run, 5 * SECOND)
    run.execute(commands.Restart("A"))
    assert [copy_of(run, node).role.name for node in "AB"] == ["leader", "leader"]
    stepped = run_to(run, LeaderStepped, within_us=2 * SECOND)
    assert (stepped.node, stepped.reason, stepped.term) == ("A", "higher term", 2)
    after(run, 2 * SECOND)
    assert copy_of(run, "A").leader == "B"


def test_divergent_tail_is_discarded_and_named() -> None:
    """What a replaced leader had alone goes, entry by entry on record."""
    run = start(failover="manual")
    run.execute(commands.Partition((("A", "1"),)))
    write(run, "1")
    write(run, "2")
    after(run, 2 * SECOND)
    run.execute(commands.Promote("B"))
    run.execute(commands.Write("x", "9", "2", "B"))
    after(run, 2 * SECOND)
    run.execute(commands.Heal())
    truncated = run_to(run, LogTruncated, node="A")
    assert ([entry.value for entry in truncated.entries], truncated.reason) == (["1", "2"], "conflict")
    after(run, 2 * SECOND)
    assert values(run, "A") == values(run, "B") == ["9"]


# --- pauses --------------------------------------------------------------------------------------


def test_pause_keeps_everything() -> None:
    """Memory, messages and timers wait: a flush that was running ends when the machine runs again."""
    run = start()
    write(run)
    run.run_until(310 * MS)
    run.execute(commands.Pause("A"))
    after(run, 2 * SECOND)
    assert happened(run, LogFlushed, node="A") == []
    run.execute(commands.Resume("A"))
    assert happened(run, LogFlushed, node="A")[0].at_us == run.now_us
    assert happened(run, LogTruncated) == []
    assert run_to(run, OperationEnded).outcome == "ok"


def test_paused_follower_finds_its_messages_in_order() -> None:
    """Everything that arrived meanwhile is handled first, in the order it came."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.Pause("C"))
    for value in "123":
        write(run, value)
        after(run, 1 * SECOND)
    assert values(run, "C") == []
    run.execute(commands.Resume("C"))
    assert values(run, "C") == ["1", "2", "3"]
    assert [each.entry.value for each in happened(run, EntryReceived, node="C")] == ["1", "2", "3"]
    delivered = happened(run, MessageDelivered, target="C", at_us=run.now_us)
    assert [each.message_id for each in delivered] == sorted(each.message_id for each in delivered)


def test_follower_paused_for_longer_than_its_timeout_hears_the_waiting_heartbeats_first() -> None:
    """Its election alarm rang while it stood still, but after signs of the leader had arrived."""
    run = after(start(), 2 * SECOND)
    run.execute(commands.Pause("C"))
    after(run, 20 * SECOND)
    run.execute(commands.Resume("C"))
    after(run, 2 * SECOND)
    assert happened(run, ElectionStarted) == []


def test_paused_leader_still_leads_in_its_own_eyes_until_it_hears_otherwise() -> None:
    """The classic: it wakes up, believes it leads, and is told by the higher term (Raft §5.1)."""
    run = start(replication="quorum")
    run.execute(commands.Pause("A"))
    elected = run_to(run, LeaderStarted)
    assert run.leader() is run.nodes[elected.node]
    assert copy_of(run, "A").role.name == "leader"
    after(run, 1 * SECOND)
    run.execute(commands.Resume("A"))
    (stepped,) = happened(run, LeaderStepped, node="A")
    assert (stepped.reason, stepped.term) == ("higher term", elected.term)


@pytest.mark.parametrize("command", [
    commands.SetSetting("replication", "async"),
    commands.SetSetting("level", "received"),
    commands.SetLatency("all", None, False, 5 * MS),
    commands.RemoveNode("C"),
    commands.AddNode("D"),
], ids=["policy", "level", "latency", "remove", "add"])  # fmt: skip
def test_paused_machine_does_nothing_whatever_changes_around_it(command: commands.Command) -> None:
    """It notices nothing: no entry is applied, no answer and no message leaves before it is resumed."""
    run = start(replication="sync", operation_timeout=60 * SECOND, apply=0)
    run.execute(commands.Kill("C"))
    write(run)
    after(run, 3 * SECOND)
    run.execute(commands.Pause("A"))
    since = len(run.trace)
    run.execute(command)
    after(run, 2 * SECOND)
    assert happened(run, MessageSent, since, source="A") == []
    assert happened(run, WriteAcknowledged) == []
    assert copy_of(run, "A").applied_index == 0


@pytest.mark.parametrize("command", [commands.SetSetting("replication", "async"), commands.RemoveNode("C")])
def test_resumed_machine_takes_notice_of_what_changed(command: commands.Command) -> None:
    """What a paused leader could not see counts from the moment it runs again."""
    run = start(replication="sync", operation_timeout=60 * SECOND, apply=0)
    run.execute(commands.Kill("C"))
    write(run)
    after(run, 3 * SECOND)
    run.execute(commands.Pause("A"))
    run.execute(command)
    after(run, 1 * SECOND)
    assert happened(run, WriteAcknowledged) == []
    run.execute(commands.Resume("A"))
    (acknowledged,) = happened(run, WriteAcknowledged)
    assert acknowledged.at_us == run.now_us


def test_killing_a_paused_machine_loses_what_waited_for_it() -> None:
    """Messages that were not handled were in memory; of every death the command is the cause."""
    run = start()
    write(run)
    run.run_until(500 * MS)
    run.execute(commands.Pause("B"))
    after(run, 2 * SECOND)
    run.execute(commands.Kill("followers"))
    killed = happened(run, NodeKilled)
    assert [each.node for each in killed] == ["B", "C"]
    assert killed[0].cause == killed[1].cause
    run.execute(commands.Restart("B"))
    assert values(run, "B") == []


def test_life_is_on_record() -> None:
    """Every change of power or pause is one event, caused by its command."""
    run = start()
    for command in (
        commands.Pause("B"), commands.Resume("B"), commands.Kill("B"), commands.Restart("B"),
    ):  # fmt: skip
        run.execute(command)
    for kind in (NodeResumed, NodeKilled, NodeRestarted):
        (event,) = happened(run, kind)
        assert event.cause is not None
        assert run.trace[event.cause].name == "command.accepted"


@pytest.mark.parametrize("clock", [25, 50, 99, 101, 125, 400])
def test_every_timer_of_a_node_follows_its_clock(clock: int) -> None:
    """A clock at 125 % has counted 3 s after 2.4 s; what is shown as the moment of the election is true."""
    run = start()
    run.execute(commands.SetSetting("clock", clock, "B"))
    run.execute(commands.Kill("A"))
    after(run, 1 * SECOND)
    run.execute(commands.Kill("C"))
    after(run, 60 * SECOND)
    timers = [
        event for event in happened(run, ElectionTimerSet) if event.node == "B" and event.at_us > SECOND
    ]
    assert timers
    for event in timers:
        assert event.fires_at_us is not None
        wait_us = event.fires_at_us - event.at_us
        assert 3 * SECOND * 100 // clock <= wait_us <= 6 * SECOND * 100 // clock
    moments = {event.at_us for event in happened(run, ElectionStarted) if event.node == "B"}
    assert moments
    assert moments <= {event.fires_at_us for event in happened(run, ElectionTimerSet) if event.node == "B"}
