"""What a person can command: what each command does, and what it refuses with which sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from server.cluster import LIMITS, CommandRefused, Settings, commands, controller, leader
from server.cluster.commands import Command
from server.cluster.events import (
    CommandAccepted,
    ElectionTimerSet,
    LeaderStarted,
    NodeRestarted,
    NodeResumed,
    OperationEnded,
    RequestRefused,
    SettingChanged,
)
from server.cluster.settings import SETTINGS
from tests.driving import MS, SECOND, after, copy_of, happened, run_to, start, write

# --- every command -------------------------------------------------------------------------------

EXAMPLES: dict[type[Command], tuple[Sequence[Command], Command, str]] = {
    commands.Write: ((), commands.Write("x", "1"), "operation.started"),
    commands.Read: ((), commands.Read("x", source="any"), "operation.started"),
    commands.CompareAndSet: ((), commands.CompareAndSet("x", None, "1"), "operation.started"),
    commands.Delete: ((), commands.Delete("x", "2", "B"), "operation.started"),
    commands.Kill: ((), commands.Kill("leader"), "node.killed"),
    commands.Restart: ((commands.Kill("B"),), commands.Restart("B"), "node.restarted"),
    commands.Pause: ((), commands.Pause("followers"), "node.paused"),
    commands.Resume: ((commands.Pause("B"),), commands.Resume("B"), "node.resumed"),
    commands.AddNode: ((), commands.AddNode("D"), "node.added"),
    commands.RemoveNode: ((), commands.RemoveNode("C"), "node.removed"),
    commands.Cut: ((), commands.Cut("A", "1", True), "link.cut"),
    commands.Partition: ((), commands.Partition((("A",),)), "network.partitioned"),
    commands.Heal: ((commands.Cut("A", "B", False),), commands.Heal(), "link.healed"),
    commands.SetLatency: ((), commands.SetLatency("A", "B", True, 5 * MS), "link.changed"),
    commands.SetLoss: ((), commands.SetLoss("clients", None, False, 5), "link.changed"),
    commands.DropNext: ((), commands.DropNext("append", "A", "B"), "command.accepted"),
    commands.DropMessage: ((), commands.DropMessage(1), "message.dropped"),
    commands.DelayMessage: ((), commands.DelayMessage(1, 5 * SECOND), "message.delayed"),
    commands.DuplicateMessage: ((), commands.DuplicateMessage(1), "message.sent"),
    commands.DeliverMessage: ((), commands.DeliverMessage(1), "message.delayed"),
    commands.Promote: ((), commands.Promote("freshest"), "leader.started"),
    commands.Switchover: ((), commands.Switchover("B"), "handover.started"),
    commands.Rejoin: ((commands.Promote("B"),), commands.Rejoin("A"), "leader.stepped_down"),
    commands.SetSetting: ((), commands.SetSetting("flush", 5 * MS, "B"), "setting.changed"),
    commands.StartLoad: ((), commands.StartLoad("read", 50 * MS), "load.changed"),
    commands.StopLoad: (
        (commands.StartLoad("write", 50 * MS),), commands.StopLoad(), "load.changed",
    ),
}  # fmt: skip


def test_every_command_has_an_action_and_an_example_here() -> None:
    """A new kind of command is carried out by somebody and tested by this file."""
    kinds = {
        kind
        for kind in vars(commands).values()
        if isinstance(kind, type) and issubclass(kind, Command) and kind is not Command
    }
    assert set(controller._ACTIONS) == kinds
    assert set(EXAMPLES) == kinds


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_command_is_recorded_first_and_causes_what_follows(kind: type[Command]) -> None:
    """The command is the cause of everything that it made happen at once."""
    before, command, name = EXAMPLES[kind]
    run = start(failover="manual")
    for each in before:
        run.execute(each)
    since = len(run.trace)
    run.execute(command)
    accepted, *others = run.trace[since:]
    assert isinstance(accepted, CommandAccepted)
    assert (accepted.command, accepted.cause) == (command, None)
    assert name in [event.name for event in run.trace[since:]]
    direct = [event for event in others if event.name == name]
    assert all(event.cause == accepted.sequence for event in direct)


# --- refusals ------------------------------------------------------------------------------------

DEAD = (commands.Kill("A"), commands.Kill("B"), commands.Kill("C"))
NO_LEADER = (commands.Kill("A"),)

REFUSALS: list[tuple[Sequence[Command], Command, str]] = [
    ((), commands.Write("x", "1", "7"), "There is no client 7 here. Clients: 1, 2."),
    ((), commands.Write("x", "1", to="D"), "There is no node D here. Nodes: A, B, C; or leader, "),
    ((), commands.Write("x", "1", to="followers"), "followers are several nodes (B and C): name one."),
    (NO_LEADER, commands.Write("x", "1", to="leader"), "There is no live leader now."),
    ((), commands.Write("k" * 17, "1"), "A key has 1 to 16 characters; this one has 17."),
    ((), commands.Write("", "1"), "A key has 1 to 16 characters; this one has 0."),
    ((), commands.Write("x", "v" * 33), "A value has 1 to 32 characters; this one has 33."),
    ((), commands.CompareAndSet("x", "v" * 33, "1"), "A value has 1 to 32 characters; this one has 33."),
    ((), commands.Read("k" * 17), "A key has 1 to 16 characters; this one has 17."),
    ((), commands.Read("x", source="Z"), "There is no node Z here."),
    ((), commands.Delete("x", "9"), "There is no client 9 here."),
    (NO_LEADER, commands.Kill("A"), "A is already dead."),
    (DEAD, commands.Kill("followers"), "A, B and C are already dead."),
    ((), commands.Restart("B"), "B is not dead: only a dead node can be restarted."),
    ((commands.Pause("B"),), commands.Restart("B"), "B is not dead"),
    ((), commands.Restart("followers"), "B and C are not dead: only a dead node can be restarted."),
    ((), commands.Resume("followers"), "B and C are not paused."),
    (NO_LEADER, commands.Pause("A"), "A is dead: only a running node can be paused."),
    ((commands.Pause("B"),), commands.Pause("B"), "B is paused: only a running node can be paused."),
    ((), commands.Resume("B"), "B is up, not paused."),
    ((), commands.AddNode("B"), "B is already in the cluster."),
    ((), commands.AddNode("Z"), "Nodes are named A to I, not Z."),
    ((), commands.AddNode("leader"), "Nodes are named A to I, not leader."),
    ((commands.AddNode("D"),), commands.AddNode("E"), "D has not caught up yet: nodes join one at a time"),
    ((), commands.RemoveNode("A"), "A leads: switch over to another node first."),
    ((commands.RemoveNode("C"),), commands.RemoveNode("B"), "A cluster has at least 2 nodes."),
    ((), commands.Cut("A", "A", False), "A link needs two ends: A has none to itself."),
    ((), commands.Cut("1", "2", False), "Clients do not talk to each other."),
    ((), commands.Cut("A", "3", False), "There is no client 3 here."),
    ((), commands.Heal("A", "Q"), "There is no node Q here."),
    ((), commands.Partition((("A", "B", "C"),)), "A partition needs nodes on both sides"),
    ((), commands.Partition((("A",), ("A", "B"))), "A cannot be in two groups."),
    ((), commands.Partition((("A", "1"), ("B", "1"))), "client 1 cannot be in two groups."),
    ((), commands.SetLatency("A", "B", False, 61 * SECOND), "latency goes from 0 µs to 60,000,000 µs"),
    ((), commands.SetLatency("clients", None, False, -1), "client-latency goes from 0 µs"),
    ((), commands.SetLoss("A", "B", False, 101), "Loss goes from 0% to 100%, not 101%."),
    ((), commands.SetLoss("A", "B", False, -1), "Loss goes from 0% to 100%, not -1%."),
    ((), commands.DropNext("gossip", "A", "B"), "There is no kind of message called gossip."),
    ([commands.DropNext("vote", "A", "B")] * 100, commands.DropNext("vote", "A", "B"), "100 messages are"),
    ((), commands.DropMessage(99), "Message 99 is not in flight."),
    ((), commands.DelayMessage(99, 1), "Message 99 is not in flight."),
    ((), commands.DelayMessage(1, 0), "A message can be delayed by more than 0 s and at most a day."),
    ((), commands.DelayMessage(1, 25 * 3600 * SECOND), "at most a day."),
    ((), commands.DuplicateMessage(99), "Message 99 is not in flight."),
    ((), commands.DeliverMessage(99), "Message 99 is not in flight."),
    ((commands.Pause("B"),), commands.DeliverMessage(1), "B is paused: it takes its messages when"),
    ((), commands.Promote("A"), "A already leads."),
    ((commands.Kill("B"),), commands.Promote("B"), "B is dead: a leader must be running."),
    ((commands.Pause("B"),), commands.Promote("B"), "B is paused: a leader must be running."),
    ((commands.AddNode("D"),), commands.Promote("D"), "D has not caught up yet."),
    (DEAD, commands.Promote("freshest"), "No follower is running, so none is the freshest."),
    (NO_LEADER, commands.Switchover("B"), "There is no live leader to hand over from: promote a node"),
    ((), commands.Switchover("A"), "A already leads."),
    ((commands.Kill("B"),), commands.Switchover("B"), "B is dead: a leader must be running."),
    ((commands.AddNode("D"),), commands.Switchover("D"), "D has not caught up yet."),
    (NO_LEADER, commands.Rejoin("B"), "There is no live leader to follow."),
    ((), commands.Rejoin("A"), "A leads: there is nobody for it to follow."),
    ((), commands.Rejoin("B"), "B already follows."),
    ((commands.Kill("B"),), commands.Rejoin("B"), "B is dead: restart or resume it first."),
    ((), commands.SetSetting("flsh", 1), "There is no setting called flsh. Settings: nodes, "),
    ((), commands.SetSetting("nodes", 5), "nodes is chosen when a run starts and cannot change"),
    ((), commands.SetSetting("replication", "maybe"), "replication is one of async, semi-sync, quorum,"),
    ((), commands.SetSetting("idempotent-retries", 1), "idempotent-retries is on or off."),
    ((), commands.SetSetting("batch", "many"), "batch takes a number."),
    ((), commands.SetSetting("batch", True), "batch takes a number."),
    ((), commands.SetSetting("batch", 0), "batch goes from 1 to 256; 0 is outside."),
    ((), commands.SetSetting("heartbeat", 0), "heartbeat goes from 1,000 µs to 60,000,000 µs; 0 µs is"),
    ((), commands.SetSetting("heartbeat", SECOND, "B"), "heartbeat is one for the whole cluster"),
    ((), commands.SetSetting("flush", SECOND, "Z"), "There is no node Z here."),
    ((), commands.SetSetting("reads", "D"), "There is no node D here."),
    ((), commands.SetSetting("election-timeout-min", 9 * SECOND), "The shortest election timeout cannot"),
    ((), commands.StartLoad("cas", 1000), "Background load is writes or reads."),
    ((), commands.StartLoad("write", 999), "A client does at most 1,000 operations a second."),
    ((), commands.StartLoad("write", 25 * 3600 * SECOND), "Background load is at least one operation a day."),
    ((), commands.StartLoad("write", 1000, "3"), "There is no client 3 here."),
    ((), commands.StopLoad("3"), "There is no client 3 here."),
]  # fmt: skip


@pytest.mark.parametrize(("before", "command", "says"), REFUSALS, ids=lambda part: str(part)[:60])
def test_refusal_is_a_sentence_and_changes_nothing(
    before: Sequence[Command], command: Command, says: str
) -> None:
    """It names what is wrong, and the run goes on as if nothing had been said."""
    run, untouched = start(failover="manual"), start(failover="manual")
    for each in before:
        run.execute(each)
        untouched.execute(each)
    with pytest.raises(CommandRefused) as refused:
        run.execute(command)
    assert says in str(refused.value)
    assert str(refused.value)[0].isupper() or not str(refused.value)[0].isalpha() or " " in str(refused.value)
    assert str(refused.value).endswith(".")
    for each in (run, untouched):
        each.execute(commands.Write("y", "1"))
        after(each, 5 * SECOND)
    assert run.trace_sha256() == untouched.trace_sha256()


def test_cluster_has_at_most_nine_nodes() -> None:
    """The letters are the limit."""
    run = start(nodes=9)
    with pytest.raises(CommandRefused, match=r"is already in the cluster|at most 9"):
        run.execute(commands.AddNode("I"))
    assert LIMITS.nodes_max == 9


def test_full_log_refuses_writes_and_goes_on_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told `log full` and certainly nothing happened; reads are answered."""
    monkeypatch.setattr(leader, "LIMITS", replace(LIMITS, log_entries_max=2))
    run = start(operation_timeout=1 * SECOND)
    for value in "123":
        write(run, value)
    assert run_to(run, RequestRefused).reason == "log full"
    after(run, 10 * SECOND)
    assert copy_of(run, "A").log.last_index == 2
    run.execute(commands.Read("x"))
    assert run_to(run, OperationEnded).value == "2"


# --- selectors -----------------------------------------------------------------------------------


def test_role_words_name_nodes_by_what_they_are_now() -> None:
    """`freshest` and `stalest` compare the running followers' logs, newest term first (Raft §5.4.1)."""
    run = start(nodes=4)
    for cut_off, value in (("D", "1"), ("C", "2")):
        run.execute(commands.Cut("A", cut_off, False))
        write(run, value)
        after(run, 2 * SECOND)
    select = run.controller._nodes
    assert [node.name for node in select("leader")] == ["A"]
    assert [node.name for node in select("followers")] == ["B", "C", "D"]
    assert [node.name for node in select("freshest")] == ["B"]
    assert [node.name for node in select("stalest")] == ["D"]
    run.execute(commands.Kill("D"))
    assert [node.name for node in select("stalest")] == ["C"], "a dead node cannot be chosen"


def test_leader_is_the_live_leader_of_the_highest_term() -> None:
    """Of two leaders the newer one is meant, unless it is not running."""
    run = start(failover="manual")
    run.execute(commands.Partition((("A",),)))
    run.execute(commands.Promote("B"))
    assert run.leader() is run.nodes["B"]
    run.execute(commands.Pause("B"))
    assert run.leader() is run.nodes["A"]
    run.execute(commands.Kill("leader"))
    assert run.leader() is None


# --- settings ------------------------------------------------------------------------------------


def test_setting_of_one_node_is_its_own_until_the_cluster_gets_a_new_one() -> None:
    """`set flush 200ms on B` leaves the others; `set flush 10ms` is for everybody again."""
    run = start()
    run.execute(commands.SetSetting("flush", 200 * MS, "B"))
    flushes = [run.nodes[node].settings.flush_us for node in "ABC"]
    assert flushes == [50 * MS, 200 * MS, 50 * MS]
    run.execute(commands.SetSetting("apply", 0))
    assert run.nodes["B"].settings.flush_us == 200 * MS, "another setting leaves it alone"
    run.execute(commands.SetSetting("flush", 10 * MS))
    assert [run.nodes[node].settings.flush_us for node in "ABC"] == [10 * MS] * 3
    changed = [(e.setting, e.value, e.node) for e in happened(run, SettingChanged)[len(SETTINGS) :]]
    assert changed == [("flush", 200 * MS, "B"), ("apply", 0, None), ("flush", 10 * MS, None)]


def test_setting_of_one_node_is_checked_against_what_that_node_has() -> None:
    """A node with a longest timeout of its own may have a shortest one that fits it."""
    run = start()
    run.execute(commands.SetSetting("election-timeout-max", 20 * SECOND, "B"))
    run.execute(commands.SetSetting("election-timeout-min", 15 * SECOND, "B"))
    assert run.nodes["B"].settings.election_timeout_min_us == 15 * SECOND
    with pytest.raises(CommandRefused, match="shortest election timeout"):
        run.execute(commands.SetSetting("election-timeout-max", 14 * SECOND, "B"))


def test_only_settings_marked_so_can_differ_between_nodes() -> None:
    """The table says which; the controller enforces it."""
    for name, row in SETTINGS.items():
        if row.is_fixed:
            continue
        run, value = start(), Settings().value(name)
        command = commands.SetSetting(name, value, "B")
        if row.per_node:
            run.execute(command)
        else:
            with pytest.raises(CommandRefused, match="whole cluster"):
                run.execute(command)


def test_failover_can_be_switched_both_ways_while_running() -> None:
    """Manual stops every election timer, automatic starts them again."""
    run = start(failover="manual")
    run.execute(commands.Kill("A"))
    after(run, 30 * SECOND)
    assert len(happened(run, LeaderStarted)) == 1
    run.execute(commands.SetSetting("failover", "automatic"))
    run_to(run, LeaderStarted)
    run.execute(commands.SetSetting("failover", "manual"))
    run.execute(commands.Kill("leader"))
    after(run, 60 * SECOND)
    assert run.leader() is None
    assert happened(run, ElectionTimerSet)[-1].fires_at_us is None


def test_a_role_word_that_names_several_brings_all_of_them_back() -> None:
    """Those that need it: one that was restarted by itself stays as it is."""
    run = start()
    for command in (
        commands.Kill("followers"),
        commands.Restart("B"),
        commands.Restart("followers"),
        commands.Pause("followers"),
        commands.Resume("C"),
        commands.Resume("followers"),
    ):
        run.execute(command)
    assert [node.state for node in run.nodes.values()] == ["up", "up", "up"]
    assert [event.node for event in happened(run, NodeRestarted)] == ["B", "C"]
    assert [event.node for event in happened(run, NodeResumed)] == ["C", "B"]
