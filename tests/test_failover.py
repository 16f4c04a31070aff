"""Who belongs to the cluster and who leads it, when people decide."""

from __future__ import annotations

import contextlib

import pytest

from server.cluster import CommandRefused, commands
from server.cluster.events import (
    ElectionTimerSet,
    HandOverEnded,
    HandOverStarted,
    LeaderStarted,
    LeaderStepped,
    LogTruncated,
    NodeAdded,
    NodeAdmitted,
    NodeRemoved,
    OperationEnded,
    RequestRefused,
    VoteGranted,
    WriteAcknowledged,
)
from tests.driving import SECOND, after, copy_of, happened, run_to, start, write

# --- membership ----------------------------------------------------------------------------------


def test_joiner_copies_everything_and_then_counts() -> None:
    """It starts empty and without a vote, and is admitted once it is level (Raft thesis §4.2.1)."""
    run = start(replication="quorum")
    for value in "123":
        write(run, value)
    after(run, 3 * SECOND)
    run.execute(commands.AddNode("D"))
    assert happened(run, NodeAdded, node="D")[0].is_voter is False
    assert (run.nodes["A"].majority, copy_of(run, "D").log.last_index) == (2, 0)
    run_to(run, NodeAdmitted, node="D")
    assert copy_of(run, "D").log.flushed_index == 3
    assert run.nodes["A"].majority == 3, "a majority of four"


def test_joiner_that_cannot_catch_up_never_counts() -> None:
    """It must not be able to block the majority (Raft thesis §4.2.1)."""
    run = start(replication="quorum")
    run.execute(commands.AddNode("D"))
    run.execute(commands.Cut("A", "D", False))
    run.execute(commands.Kill("C"))
    write(run)
    assert run_to(run, WriteAcknowledged).held_by == ("A", "B")
    after(run, 20 * SECOND)
    assert run.nodes["D"].is_voter is False
    assert happened(run, ElectionTimerSet, node="D") == [], "nor does it stand for election"


def test_removal_that_would_leave_a_committed_entry_on_too_few_nodes_is_refused() -> None:
    """A later majority of those who stay could elect a leader without it (Raft thesis §4.1)."""
    run = start(replication="quorum")
    run.execute(commands.Cut("A", "C", False))
    write(run)
    run_to(run, WriteAcknowledged)
    with pytest.raises(CommandRefused, match="entry 1 would be committed but on 1 of 2 nodes only"):
        run.execute(commands.RemoveNode("B"))
    run.execute(commands.Heal())
    after(run, 3 * SECOND)
    run.execute(commands.RemoveNode("B"))
    assert happened(run, NodeRemoved)[0].node == "B"


def test_removal_can_complete_a_majority() -> None:
    """Fewer nodes, smaller majority: what waited is committed and acknowledged."""
    run = start(nodes=4, replication="quorum", operation_timeout=60 * SECOND)
    for node in "CD":
        run.execute(commands.Kill(node))
    write(run)
    after(run, 5 * SECOND)
    assert copy_of(run, "A").commit_index == 0
    run.execute(commands.RemoveNode("D"))
    assert copy_of(run, "A").commit_index == 1


def test_a_name_is_never_given_twice() -> None:
    """A vote or an answer of the old bearer, still on the wire, would be taken for the new one's; and a
    node that voted, left and came back empty could vote again in the same term."""
    run = start(nodes=4)
    run.execute(commands.RemoveNode("D"))
    with pytest.raises(CommandRefused, match="D was in this cluster before"):
        run.execute(commands.AddNode("D"))
    run.execute(commands.AddNode("E"))
    assert list(run.nodes) == ["A", "B", "C", "E"]


def test_votes_of_nodes_that_left_elect_nobody() -> None:
    """C's vote reaches B after C has left. Counting it would make B a leader of term 2 with one vote of
    three members, and the other two elect a leader of term 2 as well (Raft thesis §4.1)."""
    run = start(nodes=5)
    for command in (
        commands.SetSetting("election-timeout-max", 60 * SECOND),
        commands.SetSetting("election-timeout-min", 60 * SECOND),
        commands.SetSetting("election-timeout-min", 3 * SECOND, "B"),
        commands.SetSetting("election-timeout-max", 3 * SECOND, "B"),
        commands.SetSetting("election-timeout-min", 4 * SECOND, "D"),
        commands.SetSetting("election-timeout-max", 4 * SECOND, "D"),
        commands.SetLatency("B", "D", False, 30 * SECOND),
        commands.SetLatency("B", "E", False, 30 * SECOND),
        commands.Kill("A"),
    ):
        run.execute(command)
    run_to(run, VoteGranted, node="C", candidate="B")
    run.execute(commands.RemoveNode("A"))
    run.execute(commands.RemoveNode("C"))
    first = run_to(run, LeaderStarted)
    assert (first.node, first.votes) == ("D", ("D", "E"))


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_removals_never_let_two_nodes_lead_one_term(seed: int) -> None:
    """B leads term 2 by the votes of A, B and C. When A and C leave, D and E are a majority that never
    heard of term 2, and must not fill it a second time (Raft §5.2; thesis §4.1: majorities must overlap)."""
    run = after(start(seed, nodes=5), 1 * SECOND)
    run.execute(commands.Partition((("A", "B", "C"), ("D", "E"))))
    run.execute(commands.Switchover("B"))
    second = run_to(run, LeaderStarted)
    assert (second.node, second.term) == ("B", 2)
    for node in "AC":
        with contextlib.suppress(CommandRefused):
            run.execute(commands.RemoveNode(node))
    after(run, 30 * SECOND)
    led = [event.term for event in happened(run, LeaderStarted)]
    assert len(led) == len(set(led))


@pytest.mark.parametrize("replication", ["quorum", "sync"])
def test_smaller_majority_is_no_news_for_a_deposed_leader(replication: str) -> None:
    """A and B hold a write that the others never saw; C leads a later term. Two of the others leave, and
    A and B are a majority of those who stay, yet A may call nothing safe (Raft thesis §4.1)."""
    run = after(start(nodes=5, replication=replication, reads="any", leader_reads="read-index"), 1 * SECOND)
    run.execute(commands.Partition((("A", "B", "1"), ("C", "D", "E"))))
    write(run, to="A")
    elected = run_to(run, LeaderStarted)
    for node in {"C", "D", "E"} - {elected.node}:
        run.execute(commands.RemoveNode(node))
    after(run, 30 * SECOND)
    assert copy_of(run, "A").role.name == "leader"
    assert copy_of(run, "B").log.last_index == 1
    assert copy_of(run, "A").commit_index == 0
    assert happened(run, WriteAcknowledged) == []


def test_a_deposed_leader_admits_nobody() -> None:
    """D joins where it hears A alone, whom B has replaced meanwhile. With D, and then with others like it,
    A would have a majority that shares no node with the one that elected B (Raft thesis §4.1)."""
    run = after(start(replication="quorum"), 1 * SECOND)
    run.execute(commands.Partition((("A",), ("B", "C"))))
    run_to(run, LeaderStarted)
    run.execute(commands.AddNode("D"))
    run.execute(commands.Partition((("A", "D"), ("B", "C"))))
    after(run, 20 * SECOND)
    assert copy_of(run, "D").leader == "A"
    assert not run.nodes["D"].is_voter
    run.execute(commands.Heal())
    after(run, 20 * SECOND)
    assert run.nodes["D"].is_voter


# --- failover by hand ----------------------------------------------------------------------------


def test_promotion_gives_a_term_that_nobody_has_and_never_will() -> None:
    """Terms are taken from a register; elections skip what it has given away, also unheard of."""
    run = start(nodes=5)
    for command in (
        commands.SetSetting("election-timeout-max", 60 * SECOND),
        commands.SetSetting("election-timeout-min", 60 * SECOND),
        commands.SetSetting("election-timeout-min", 3 * SECOND, "C"),
        commands.Partition((("B",),)),
        commands.Promote("B"),
        commands.Kill("A"),
    ):
        run.execute(command)
    assert [(each.term, each.how) for each in happened(run, LeaderStarted)[1:]] == [(2, "promoted")]
    elected = run_to(run, LeaderStarted)
    assert (elected.node, elected.term) == ("C", 3)
    run.execute(commands.Promote("E"))
    assert happened(run, LeaderStarted)[-1].term == 4


def test_promotion_of_a_stale_node_discards_what_it_does_not_have() -> None:
    """The operator may err: the new leader's log is the one that counts."""
    run = start(failover="manual")
    run.execute(commands.Cut("A", "C", False))
    write(run, "1")
    after(run, 2 * SECOND)
    run.execute(commands.Kill("A"))
    run.execute(commands.Promote("stalest"))
    run.execute(commands.Write("x", "2", "2", "C"))
    truncated = run_to(run, LogTruncated, node="B")
    assert [entry.value for entry in truncated.entries] == ["1"]


@pytest.mark.parametrize("failover", ["automatic", "manual"])
def test_switchover_loses_nothing_and_refuses_writes_meanwhile(failover: str) -> None:
    """Catch the successor up, stop taking writes, then hand over (Raft thesis §3.10)."""
    run = start(failover=failover, replication="async", operation_timeout=30 * SECOND)
    run.execute(commands.SetLatency("A", "B", False, 1 * SECOND))
    before = write(run, "1")
    run_to(run, OperationEnded, operation=before)
    run.execute(commands.Switchover("B"))
    assert happened(run, HandOverStarted)[0].successor == "B"
    with pytest.raises(CommandRefused, match=r"A is already handing over to B\."):
        run.execute(commands.Switchover("C"))
    meanwhile = write(run, "2")
    assert run_to(run, RequestRefused, operation=meanwhile).reason == "handing over"
    started = run_to(run, LeaderStarted)
    assert started.node == "B"
    assert started.how == ("handed over" if failover == "manual" else "elected")
    assert run_to(run, OperationEnded, operation=meanwhile).outcome == "ok"
    after(run, 10 * SECOND)
    assert copy_of(run, "A").role.name == "follower"
    assert happened(run, LogTruncated) == []
    values = [entry.value for entry in copy_of(run, "A").log.entries if entry.kind == "write"]
    assert values == ["1", "2"]


@pytest.mark.parametrize("failover", ["automatic", "manual"])
def test_switchover_to_a_node_that_cannot_catch_up_is_given_up(failover: str) -> None:
    """After an election timeout the old leader takes writes again."""
    run = start(failover=failover)
    run.execute(commands.Cut("A", "B", True))
    run_to(run, OperationEnded, operation=write(run))
    run.execute(commands.Switchover("B"))
    run.execute(commands.Kill("B"))
    assert run_to(run, HandOverEnded).at_us - happened(run, HandOverStarted)[0].at_us == 6 * SECOND
    assert run_to(run, OperationEnded, operation=write(run, "2")).outcome == "ok"


def test_lost_order_to_take_over_costs_an_election_timeout_where_nodes_elect() -> None:
    """The old leader led on all the while, and takes writes again."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.DropNext("hand-over", "A", "B"))
    run.execute(commands.Switchover("B"))
    run_to(run, HandOverEnded)
    assert run_to(run, OperationEnded, operation=write(run)).outcome == "ok"


def test_lost_order_to_take_over_leaves_no_leader_where_people_decide() -> None:
    """Nobody votes under manual failover: two leaders are avoided by leaving first. A person must promote."""
    run = after(start(failover="manual"), 1 * SECOND)
    run.execute(commands.DropNext("hand-over", "A", "B"))
    run.execute(commands.Switchover("B"))
    after(run, 60 * SECOND)
    assert run.leader() is None
    run.execute(commands.Promote("B"))
    assert run_to(run, OperationEnded, operation=write(run)).outcome == "ok"


def test_switchover_to_a_node_that_is_removed_is_given_up() -> None:
    """There is nobody left to wait for."""
    run = start(failover="manual")
    run.execute(commands.Cut("A", "B", False))
    write(run)
    after(run, 2 * SECOND)
    run.execute(commands.Switchover("B"))
    run.execute(commands.RemoveNode("B"))
    assert len(happened(run, HandOverEnded)) == 1


def test_rejoin_makes_an_old_leader_follow_without_hearing_from_the_new_one() -> None:
    """The operator tells it; it adopts the new leader's term."""
    run = start(failover="manual")
    run.execute(commands.Partition((("A",),)))
    run.execute(commands.Promote("B"))
    run.execute(commands.Rejoin("A"))
    assert (copy_of(run, "A").role.name, copy_of(run, "A").term) == ("follower", 2)
    assert happened(run, LeaderStepped)[0].node == "A"
