"""Links: latency, order, loss, cuts and what a person can do to a single message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.cluster import LIMITS, CommandRefused, Simulation, commands, controller, network
from server.cluster.events import (
    LeaderStarted,
    LimitReached,
    LinkChanged,
    LinkCut,
    LinkHealed,
    MessageDelayed,
    MessageDelivered,
    MessageDropped,
    MessageSent,
    OperationEnded,
)
from tests.driving import MS, SECOND, after, copy_of, happened, run_to, start, write


def sent(run: Simulation, source: str, target: str) -> list[tuple[int, int, object]]:
    """What went over one link: when, due when, and what."""
    return [
        (each.at_us, each.arrives_at_us, each.message)
        for each in happened(run, MessageSent, source=source, target=target)
    ]


def message_to(run: Simulation, target: str, kind: str = "append") -> int:
    """The number of a message of a kind that is on its way to a node."""
    return next(
        number
        for number, envelope in run.network.in_flight.items()
        if envelope.link.target == target and envelope.message.kind == kind
    )


# --- streams -------------------------------------------------------------------------------------

OTHER_LINKS = (("A", "C"), ("C", "A"), ("A", "D"), ("D", "A"))


@pytest.mark.parametrize(
    "command",
    [
        commands.SetLatency("A", "B", False, 900 * MS),
        commands.SetLoss("A", "B", False, 60),
        commands.Cut("A", "B", False),
    ],
    ids=["latency", "loss", "cut"],
)
def test_change_on_one_link_leaves_every_other_link_as_it_was(command: commands.Command) -> None:
    """Each direction draws from a stream of its own, so two runs can be compared message by message."""
    plain, changed = (start(seed=5, nodes=4, jitter=40, failover="manual") for _ in range(2))
    changed.execute(command)
    for run in (plain, changed):
        after(run, 30 * SECOND)
    for link in OTHER_LINKS:
        assert sent(plain, *link) == sent(changed, *link) != []
    assert sent(plain, "B", "A") != sent(changed, "B", "A")


@pytest.mark.parametrize("replication", ["semi-sync", "quorum", "sync"])
def test_another_policy_leaves_every_message_between_nodes_as_it_was(replication: str) -> None:
    """The policy decides when the client is told, and nothing else: latencies must not be reshuffled."""
    runs = [start(seed=5, jitter=40, replication=policy) for policy in ("async", replication)]
    for run in runs:
        for value in "12345":
            write(run, value)
            after(run, 700 * MS)
        after(run, 5 * SECOND)
    one, other = runs
    for source in "ABC":
        for target in "ABC":
            assert [row[:2] for row in sent(one, source, target)] == [
                row[:2] for row in sent(other, source, target)
            ]
    assert [each.at_us for each in happened(one, OperationEnded)] != [
        each.at_us for each in happened(other, OperationEnded)
    ]


# --- order and loss ------------------------------------------------------------------------------


def test_links_keep_order_whatever_the_jitter() -> None:
    """Messages of one direction arrive in the order they were sent (as over TCP)."""
    run = start(seed=3, jitter=90, heartbeat=10 * MS)
    after(run, 5 * SECOND)
    for target in "BC":
        numbers = [each.message_id for each in happened(run, MessageDelivered, source="A", target=target)]
        assert len(numbers) > 300
        assert numbers == sorted(numbers)


def test_jitter_stays_within_its_percentage() -> None:
    """A flight takes the latency, more or less by at most the jitter, and uses that whole range."""
    run = after(start(seed=3, jitter=10), 200 * SECOND)
    flights_us = [arrives - at for at, arrives, _ in sent(run, "A", "B")]
    assert 270 * MS <= min(flights_us) < 275 * MS
    assert 325 * MS < max(flights_us) <= 330 * MS


@pytest.mark.parametrize("percent", [0, 20, 100])
def test_loss_is_what_was_asked_for(percent: int) -> None:
    """Over a thousand messages the share lost lies within four standard deviations of the setting."""
    run = start(seed=8, heartbeat=20 * MS, failover="manual")
    run.execute(commands.SetLoss("A", "B", True, percent))
    after(run, 20 * SECOND)
    lost = len(happened(run, MessageDropped, source="A", target="B", reason="loss"))
    arrived = len(happened(run, MessageDelivered, source="A", target="B")) - 1  # One was on its way already.
    count = lost + arrived
    assert count > 900
    deviation = (count * percent / 100 * (1 - percent / 100)) ** 0.5
    assert abs(lost - count * percent / 100) <= 4 * deviation
    assert happened(run, MessageDropped, target="C") == []


def test_replication_survives_heavy_loss() -> None:
    """What is lost is sent again until it arrives."""
    run = start(seed=4, replication="sync", operation_timeout=600 * SECOND, failover="manual")
    run.execute(commands.SetLoss("all", None, False, 50))
    for value in "123456789":
        write(run, value)
    after(run, 120 * SECOND)
    assert {each.outcome for each in happened(run, OperationEnded)} == {"ok"}
    assert copy_of(run, "B").log.entries == copy_of(run, "A").log.entries == copy_of(run, "C").log.entries


def test_every_loss_is_caused_by_its_sending() -> None:
    """A dropped message points to the message, whatever dropped it on the way."""
    run = start(seed=4, failover="manual")
    run.execute(commands.SetLoss("A", "B", True, 100))
    run.execute(commands.Cut("A", "C", True))
    run.execute(commands.DropNext("reply", "C", "A"))
    after(run, 3 * SECOND)
    dropped = happened(run, MessageDropped)
    assert {each.reason for each in dropped} >= {"loss", "cut"}
    for each in dropped:
        assert each.cause is not None
        assert run.trace[each.cause].name in ("message.sent", "link.cut", "command.accepted")


# --- cuts ----------------------------------------------------------------------------------------


def test_cut_drops_what_is_on_the_link_in_that_direction_only() -> None:
    """Packets on a broken wire are gone; the other direction goes on."""
    run = after(start(), 500 * MS)  # Replies to the first heartbeat are on their way to A.
    replies = [number for number, each in run.network.in_flight.items() if each.link.source == "B"]
    write(run)
    run.run_until(900 * MS)
    append = message_to(run, "B")
    run.execute(commands.Cut("A", "B", True))
    (dropped,) = happened(run, MessageDropped)
    assert (dropped.message_id, dropped.reason, dropped.at_us) == (append, "cut", run.now_us)
    assert len(happened(run, LinkCut)) == 1
    assert [each.message_id for each in happened(run, MessageDelivered, source="B")] == replies


def test_cut_link_carries_nothing_until_it_is_healed() -> None:
    """Everything sent into a cut is dropped; after the heal the follower catches up."""
    run = start()
    run.execute(commands.Cut("A", "C", False))
    write(run)
    after(run, 2500 * MS)
    assert happened(run, MessageDelivered, target="C") == []
    assert copy_of(run, "C").log.last_index == 0
    run.execute(commands.Heal("A", "C"))
    after(run, 2 * SECOND)
    assert copy_of(run, "C").log.last_index == 1


def test_message_after_a_heal_takes_the_links_latency_again() -> None:
    """A message that was dropped keeps no place in the queue: what follows must not wait for it."""
    run = start(failover="manual")
    run.execute(commands.SetLatency("A", "B", False, 20 * SECOND))
    after(run, 1 * SECOND)
    run.execute(commands.Cut("A", "B", False))
    run.execute(commands.Heal("A", "B"))
    heartbeat = run_to(run, MessageSent, source="A", target="B")
    assert heartbeat.arrives_at_us - heartbeat.at_us == 300 * MS


def test_message_at_a_paused_node_survives_a_cut() -> None:
    """It has arrived: no cut can reach it there."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.Pause("C"))
    write(run)
    after(run, 2 * SECOND)
    run.execute(commands.Cut("A", "C", False))
    run.execute(commands.Resume("C"))
    assert copy_of(run, "C").log.last_index == 1


def test_message_to_a_dead_node_is_lost() -> None:
    """Nobody is there to take it, also when the node died after it was sent."""
    run = start()
    run.execute(commands.Kill("C"))
    dropped = run_to(run, MessageDropped)
    assert (dropped.target, dropped.reason, dropped.at_us) == ("C", "dead", 300 * MS)


# --- one message ---------------------------------------------------------------------------------


def written(until_us: int = 500 * MS, **values: object) -> Simulation:
    """A write whose copies are on their way to both followers since 350 ms."""
    run = start(**values)
    write(run)
    run.run_until(until_us)
    return run


def test_drop_message_loses_that_one_only() -> None:
    """The copy to B is lost at once, the copy to C arrives."""
    run = written()
    number = message_to(run, "B")
    run.execute(commands.DropMessage(number))
    (dropped,) = happened(run, MessageDropped)
    assert (dropped.message_id, dropped.reason, dropped.at_us) == (number, "asked", 500 * MS)
    run.run_until(700 * MS)
    assert (copy_of(run, "B").log.last_index, copy_of(run, "C").log.last_index) == (0, 1)


def test_delayed_message_arrives_that_much_later() -> None:
    """Counted from when it would have arrived; later messages may overtake it."""
    run = written()
    number = message_to(run, "B")
    run.execute(commands.DelayMessage(number, 2 * SECOND))
    assert happened(run, MessageDelayed)[0].arrives_at_us == 2650 * MS
    assert run_to(run, MessageDelivered, message_id=number).at_us == 2650 * MS
    assert len(happened(run, MessageDelivered, message_id=number)) == 1


def test_delivered_message_arrives_now_and_only_once() -> None:
    """`deliver` brings the arrival forward."""
    run = written()
    number = message_to(run, "B")
    run.execute(commands.DeliverMessage(number))
    assert run_to(run, MessageDelivered).at_us == 500 * MS
    assert copy_of(run, "B").log.last_index == 1
    after(run, 1 * SECOND)
    assert len(happened(run, MessageDelivered, message_id=number)) == 1


def test_duplicated_message_arrives_twice_and_is_taken_once() -> None:
    """The second copy comes right after the first; the follower already has the entry (Raft §5.3)."""
    run = written()
    number = message_to(run, "B")
    run.execute(commands.DuplicateMessage(number))
    run.run_until(650 * MS)
    arrived = happened(run, MessageDelivered, target="B", at_us=650 * MS)
    assert len(arrived) == 2
    assert arrived[0].message_id == number
    assert copy_of(run, "B").log.last_index == 1


def test_duplicated_write_is_appended_once() -> None:
    """To the leader a second copy of a request is a retry."""
    run = start()
    write(run)
    run.execute(commands.DuplicateMessage(message_to(run, "A", "write")))
    after(run, 2 * SECOND)
    assert copy_of(run, "A").log.last_index == 1


def test_copy_of_a_message_into_a_cut_does_not_get_through() -> None:
    """A duplicate is on the same wire as its original."""
    run = start()
    run.execute(commands.Cut("A", "B", False))
    write(run)
    run.run_until(450 * MS)
    run.execute(commands.DuplicateMessage(message_to(run, "B")))
    after(run, 5 * SECOND)
    assert happened(run, MessageDelivered, source="A", target="B") == []


def test_time_never_goes_back_when_an_old_message_is_duplicated() -> None:
    """A message that waits at a paused node was due long ago; its copy arrives now."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.Pause("C"))
    after(run, 5 * SECOND)
    waiting = next(number for number, each in run.network.in_flight.items() if each.has_arrived)
    run.execute(commands.DuplicateMessage(waiting))
    times_us = [run.now_us]
    for _ in range(20):
        run.step()
        times_us.append(run.now_us)
    assert times_us == sorted(times_us)


@pytest.mark.parametrize("kind", ["append", "heartbeat"])
def test_drop_next_loses_one_message_of_that_kind_on_that_link(kind: str) -> None:
    """Others of another kind, on another link, or later ones pass."""
    run = after(start(), 500 * MS)
    run.execute(commands.DropNext(kind, "A", "B"))
    write(run)
    after(run, 5 * SECOND)
    (dropped,) = happened(run, MessageDropped)
    message = next(each for each in happened(run, MessageSent) if each.message_id == dropped.message_id)
    assert (dropped.source, dropped.target, dropped.reason) == ("A", "B", "asked")
    assert message.message.kind == kind
    assert copy_of(run, "B").log.last_index == 1, "it is sent again"


def test_drop_next_message_takes_whatever_comes_first() -> None:
    """`message` means any kind."""
    run = after(start(), 500 * MS)
    run.execute(commands.DropNext("message", "B", "A"))
    after(run, 3 * SECOND)
    (dropped,) = happened(run, MessageDropped)
    first = next(each for each in happened(run, MessageSent, source="B") if each.at_us > 500 * MS)
    assert dropped.message_id == first.message_id


def test_drop_next_between_a_leader_and_all_followers_names_every_link() -> None:
    """A role word at a link's end stands for each of its nodes."""
    run = after(start(), 500 * MS)
    run.execute(commands.DropNext("append", "leader", "followers"))
    write(run)
    after(run, 3 * SECOND)
    assert [each.target for each in happened(run, MessageDropped, reason="asked")] == ["B", "C"]


def test_heal_forgets_what_was_still_to_be_dropped() -> None:
    """After `heal` the network is whole."""
    run = after(start(), 500 * MS)
    run.execute(commands.DropNext("append", "A", "B"))
    run.execute(commands.Heal())
    write(run)
    after(run, 2 * SECOND)
    assert happened(run, MessageDropped) == []


# --- partitions ----------------------------------------------------------------------------------


def cuts(run: Simulation) -> set[str]:
    """Directions that are cut, such as `A>B`."""
    return {f"{source}>{target}" for (source, target), link in run.network.links.items() if link.is_cut}


def both(*pairs: str) -> set[str]:
    return {f"{one}>{other}" for pair in pairs for one, other in (pair, pair[::-1])}


@pytest.mark.parametrize(
    ("groups", "cut"),
    [
        ((("A",), ("B", "C")), both("AB", "AC")),
        ((("A",),), both("AB", "AC")),
        ((("A", "1"), ("B", "C")), both("AB", "AC", "1B", "1C")),
        ((("A", "1"), ("B", "C", "2")), both("AB", "AC", "1B", "1C", "2A")),
        ((("A",), ("B",), ("C",)), both("AB", "AC", "BC")),
        ((("leader",), ("followers",)), both("AB", "AC")),
        ((("1",), ("A", "B", "C")), both("1A", "1B", "1C")),
    ],
)
def test_partition_cuts_between_its_groups_and_nowhere_else(
    groups: tuple[tuple[str, ...], ...], cut: set[str]
) -> None:
    """Nodes named in no group form one; a client named in no group reaches everyone."""
    run = start()
    run.execute(commands.Partition(groups))
    assert cuts(run) == cut


def test_new_partition_replaces_the_old_one() -> None:
    """What is in one group now is whole again."""
    run = start()
    run.execute(commands.Partition((("A",),)))
    run.execute(commands.Partition((("C",),)))
    assert cuts(run) == both("CA", "CB")


def test_majority_side_elects_and_the_minority_side_cannot_commit() -> None:
    """Two leaders at once, in two terms; only one has a majority."""
    run = start(nodes=5, replication="quorum")
    run.execute(commands.Partition((("A", "B", "1"), ("C", "D", "E", "2"))))
    elected = run_to(run, LeaderStarted)
    assert elected.node in "CDE"
    lonely, heard = write(run, "1"), write(run, "2", client="2", to=elected.node)
    assert run_to(run, OperationEnded, operation=heard).outcome == "ok"
    assert run_to(run, OperationEnded, operation=lonely).outcome == "unknown"
    assert copy_of(run, "A").role.name == "leader"


def test_heal_makes_everything_whole() -> None:
    """Cuts, loss and latencies of single links go; each is on record."""
    run = start()
    run.execute(commands.Cut("A", "B", False))
    run.execute(commands.SetLoss("A", "C", False, 30))
    run.execute(commands.SetLatency("B", "C", True, 9 * MS))
    run.execute(commands.Heal())
    for link in run.network.links.values():
        assert (link.is_cut, link.loss_percent, link.latency_us) == (False, 0, None)
    assert len(happened(run, LinkHealed)) == 2
    assert len(happened(run, LinkChanged, latency_us=None, loss_percent=0)) == 3


def test_latency_of_all_links_is_the_setting_and_clears_single_ones() -> None:
    """`latency all` changes every link between nodes, `latency clients` the others."""
    run = start()
    run.execute(commands.SetLatency("A", "B", False, 900 * MS))
    run.execute(commands.SetLatency("all", None, False, 40 * MS))
    run.execute(commands.SetLatency("clients", None, False, 70 * MS))
    write(run)
    after(run, 2 * SECOND)
    flights = {
        (each.source, each.target): each.arrives_at_us - each.at_us
        for each in happened(run, MessageSent)
        if each.at_us >= 1 * SECOND or each.source == "1"
    }
    assert flights["A", "B"] == flights["B", "A"] == flights["A", "C"] == 40 * MS
    assert flights["1", "A"] == 70 * MS


# --- limits --------------------------------------------------------------------------------------


def test_full_wire_loses_messages_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reaching the limit is one event with a sentence, not one per message, and nothing breaks."""
    monkeypatch.setattr(network, "LIMITS", replace(LIMITS, messages_in_flight_max=3))
    run = start()
    run.execute(commands.SetLatency("all", None, False, 10 * SECOND))
    after(run, 9 * SECOND)
    assert len(run.network.in_flight) == 3
    (reached,) = happened(run, LimitReached)
    assert reached.limit == 3
    assert reached.says.endswith(".")
    after(run, 60 * SECOND)
    assert len(run.network.in_flight) <= 3


def test_full_wire_refuses_a_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person cannot pass the limit either."""
    monkeypatch.setattr(controller, "LIMITS", replace(LIMITS, messages_in_flight_max=3))
    run = after(start(), 100 * MS)
    duplicate = commands.DuplicateMessage(message_to(run, "B", "heartbeat"))
    run.execute(duplicate)
    with pytest.raises(CommandRefused, match="3 messages are on the wire"):
        run.execute(duplicate)
    assert len(run.network.in_flight) == 3


def test_what_a_cut_link_swallowed_delays_nothing_afterwards() -> None:
    """A slow link is cut, a message is lost on it, it is healed: the next one takes its own time only."""
    run = start(failover="manual")
    run.execute(commands.SetLatency("A", "C", True, 60 * SECOND))
    run.execute(commands.Cut("A", "C", True))
    after(run, 2 * SECOND)
    run.execute(commands.Heal("A", "C", True))
    healed_us = run.now_us
    after(run, 2 * SECOND)
    arrivals = [
        event.arrives_at_us - event.at_us
        for event in happened(run, MessageSent, source="A", target="C")
        if event.at_us > healed_us
    ]
    assert arrivals
    assert max(arrivals) < 1 * SECOND
