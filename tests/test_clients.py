"""Clients: how they find the leader, what they do in silence, and what they may say about an outcome."""

from __future__ import annotations

import pytest

from server.cluster import CommandRefused, Simulation, commands
from server.cluster.client import READ_RETRIES
from server.cluster.events import (
    EntryAppended,
    LeaderStarted,
    LoadChanged,
    MessageDelivered,
    MessageSent,
    OperationEnded,
    OperationRetried,
    OperationStarted,
    ReadAnswered,
    RequestRefused,
)
from server.cluster.messages import ClientReply
from tests.driving import MS, SECOND, after, copy_of, happened, run_to, start, write


def ended(run: Simulation, operation: int) -> OperationEnded:
    """How an operation ended, once it has."""
    known = happened(run, OperationEnded, operation=operation)
    return known[0] if known else run_to(run, OperationEnded, operation=operation)


def leaderless(**values: object) -> Simulation:
    """Manual failover, the leader A dead, B and C fresh from a restart: they know of no leader."""
    run = start(failover="manual", **values)
    for node in "ABC":
        run.execute(commands.Kill(node))
    after(run, 1 * SECOND)  # The last heartbeat of A is gone.
    for node in "BC":
        run.execute(commands.Restart(node))
    return run


# --- finding the leader --------------------------------------------------------------------------


def test_redirect_leads_to_the_leader_and_is_remembered() -> None:
    """A follower points to the leader; the next write goes there at once (Raft §8)."""
    run = after(start(), 1 * SECOND)
    operation = write(run, to="B")
    assert ended(run, operation).outcome == "ok"
    (retried,) = happened(run, OperationRetried)
    assert (retried.target, retried.reason, retried.attempt) == ("A", "redirected", 2)
    write(run)
    assert happened(run, OperationStarted)[-1].target == "A"


def test_client_waits_and_asks_again_when_no_leader_is_known() -> None:
    """Half a heartbeat after the refusal it asks the next node in turn."""
    run = leaderless()
    operation = write(run, to="B")
    run_to(run, RequestRefused, node="B", leader=None)
    run.execute(commands.Restart("A"))  # Under manual failover it leads again.
    assert ended(run, operation).outcome == "ok"
    (refusal,) = happened(run, MessageDelivered, source="B", target="1")
    (waited,) = happened(run, OperationRetried)
    assert (waited.target, waited.reason) == ("A", "no leader known")
    assert waited.at_us - refusal.at_us == 500 * MS


def test_client_forgets_a_leader_that_does_not_answer() -> None:
    """After a timeout the next write asks another node."""
    run = start()
    run.execute(commands.Kill("A"))
    assert ended(run, write(run)).outcome == "unknown"
    write(run, "2")
    assert happened(run, OperationStarted)[-1].target == "B"


def test_read_of_the_leader_is_refused_by_a_deposed_one() -> None:
    """A `leader` read goes where the leader was believed to be, and is redirected like a write."""
    run = start()
    run.execute(commands.Partition((("A",),)))
    elected = run_to(run, LeaderStarted)
    run.execute(commands.Heal())
    after(run, 3 * SECOND)
    run.execute(commands.Read("x"))
    assert ended(run, 1).node == elected.node
    assert [each.target for each in happened(run, OperationRetried)] == [elected.node]


# --- outcomes ------------------------------------------------------------------------------------


def test_silence_is_unknown_although_it_was_done() -> None:
    """The answer was lost: the write is there, and the client cannot know."""
    run = start()
    run.execute(commands.DropNext("ok", "A", "1"))
    operation = write(run)
    end = ended(run, operation)
    assert (end.outcome, end.node, end.at_us) == ("unknown", None, 5 * SECOND)
    assert copy_of(run, "A").store["x"][0] == "1"


def test_silence_is_unknown_although_it_was_not_done() -> None:
    """The request was lost: to the client that looks the same."""
    run = start()
    run.execute(commands.DropNext("write", "1", "A"))
    assert ended(run, write(run)).outcome == "unknown"
    assert copy_of(run, "A").log.last_index == 0


def test_refused_everywhere_is_failed() -> None:
    """Every attempt was answered with a refusal: certainly not done."""
    run = leaderless(operation_timeout=4200 * MS)
    run.execute(commands.RemoveNode("A"))
    end = ended(run, write(run, to="B"))
    assert (end.outcome, end.at_us) == ("failed", 1 * SECOND + 4200 * MS)
    assert {each.node for each in happened(run, RequestRefused)} == {"B", "C"}


def test_one_unanswered_attempt_makes_the_outcome_unknown() -> None:
    """A refusal of one attempt says nothing about another that nobody answered."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.DropNext("ok", "A", "1"))
    operation = write(run, to="B")
    assert ended(run, operation).outcome == "unknown"
    assert happened(run, RequestRefused, operation=operation) != []
    assert copy_of(run, "A").store["x"][0] == "1"


def test_second_copy_of_a_refusal_is_not_a_second_refusal() -> None:
    """The network may double an answer; that must not turn an unanswered attempt into a certain no."""
    run = after(start(), 1 * SECOND)
    run.execute(commands.DropNext("ok", "A", "1"))
    operation = write(run, to="B")
    refusal = run_to(run, MessageSent, source="B", target="1")
    run.execute(commands.DuplicateMessage(refusal.message_id))
    assert ended(run, operation).outcome == "unknown"
    assert copy_of(run, "A").store["x"][0] == "1", "it happened, so `failed` would be a lie"


def test_compare_and_set_that_found_another_value_is_failed_and_says_what_it_found() -> None:
    """The one certain no that a leader gives."""
    run = start()
    write(run, "5")
    run_to(run, OperationEnded)
    run.execute(commands.CompareAndSet("x", "1", "2"))
    end = ended(run, 2)
    assert (end.outcome, end.value, end.node) == ("failed", "5", "A")


def test_late_answer_changes_nothing() -> None:
    """Once the client has given up, its operation is over."""
    run = start()
    run.execute(commands.SetLatency("A", "1", True, 8 * SECOND))
    operation = write(run)
    assert ended(run, operation).outcome == "unknown"
    late = run_to(run, MessageDelivered, target="1")
    assert late.at_us > 8 * SECOND
    after(run, 5 * SECOND)
    assert len(happened(run, OperationEnded)) == 1


# --- retries -------------------------------------------------------------------------------------


def test_write_is_sent_once_without_retries() -> None:
    """A write is not repeated unless the client was told to."""
    run = start()
    run.execute(commands.DropNext("write", "1", "A"))
    ended(run, write(run))
    assert happened(run, OperationRetried) == []


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_retry_after_silence_carries_the_same_number(is_idempotent: bool) -> None:
    """The leader recognises it; with the safety switch off the write is stored twice."""
    run = start(retries=1, operation_timeout=3 * SECOND, idempotent_retries=is_idempotent)
    run.execute(commands.DropNext("ok", "A", "1"))
    operation = write(run)
    # The next node in turn is asked, and redirects to the leader.
    assert ended(run, operation).outcome == "ok"
    assert happened(run, OperationRetried)[0].reason == "no answer"
    assert {each.entry.operation for each in happened(run, EntryAppended)} == {operation}
    assert copy_of(run, "A").log.last_index == (1 if is_idempotent else 2)


def test_each_try_lasts_as_long_as_the_timeout() -> None:
    """With two retries a client gives up after three timeouts."""
    run = start(retries=2, operation_timeout=2 * SECOND)
    for node in "ABC":
        run.execute(commands.Kill(node))
    assert ended(run, write(run)).at_us == 6 * SECOND
    assert [each.attempt for each in happened(run, OperationRetried)] == [2, 3]


def test_read_is_asked_again_elsewhere_in_any_case() -> None:
    """It changes nothing, so asking other nodes is always safe."""
    run = start(reads="any")
    run.execute(commands.Kill("C"))
    run.execute(commands.Read("x", source="C"))
    end = ended(run, 1)
    assert (end.outcome, end.node) == ("ok", "A")
    assert len(happened(run, OperationRetried)) == 1 <= READ_RETRIES


def test_read_of_a_dead_cluster_ends_after_all_its_tries() -> None:
    """Nobody answers: the first try and two more."""
    run = start()
    for node in "ABC":
        run.execute(commands.Kill(node))
    run.execute(commands.Read("x"))
    end = ended(run, 1)
    assert (end.outcome, end.at_us) == ("unknown", (1 + READ_RETRIES) * 5 * SECOND)


# --- routes --------------------------------------------------------------------------------------


def read_targets(run: Simulation, count: int, source: str | None = None) -> list[str]:
    for _ in range(count):
        run.execute(commands.Read("x", source=source))
    return [each.target for each in happened(run, OperationStarted)]


def test_round_robin_takes_turns() -> None:
    """Every node in order, over and over."""
    assert read_targets(start(reads="round-robin"), 7) == list("ABCABCA")


def test_any_route_uses_every_node_and_the_clients_own_stream() -> None:
    """Two clients do not disturb each other's choices."""
    alone, both = start(reads="any"), start(reads="any")
    targets = read_targets(alone, 40)
    assert set(targets) == {"A", "B", "C"}
    for _ in range(40):
        both.execute(commands.Read("x", "2"))
        both.execute(commands.Read("x", "1"))
    assert [each.target for each in happened(both, OperationStarted, client="1")] == targets


def test_named_route_reads_from_that_node() -> None:
    """`set reads C`, and a command that says otherwise wins."""
    run = start(reads="C")
    assert read_targets(run, 2) == ["C", "C"]
    assert read_targets(run, 1, "B")[-1] == "B"
    after(run, 2 * SECOND)
    assert [each.node for each in happened(run, ReadAnswered)] == ["C", "C", "B"]


def test_route_to_a_node_that_has_left_takes_turns_instead() -> None:
    """The setting outlives the node: the read goes somewhere all the same."""
    run = start(reads="C")
    run.execute(commands.RemoveNode("C"))
    assert read_targets(run, 3) == ["A", "B", "A"]


def test_read_from_a_follower_shows_what_it_has() -> None:
    """It answers from its own store, however old (the stale read)."""
    run = start()
    run.execute(commands.Cut("A", "C", False))
    ended(run, write(run))
    run.execute(commands.Read("x", source="C"))
    end = ended(run, 2)
    assert (end.outcome, end.value, end.version, end.node) == ("ok", None, 0, "C")


# --- background traffic --------------------------------------------------------------------------


def test_load_keeps_its_mean_rate() -> None:
    """Intervals vary by half, the mean is what was asked for."""
    run = start(seed=2)
    run.execute(commands.StartLoad("write", 100 * MS))
    after(run, 100 * SECOND)
    count = len(happened(run, OperationStarted))
    assert 950 <= count <= 1050


def test_load_on_one_key_leaves_the_others_alone() -> None:
    """The times of its operations are those of a load on several keys."""
    several, one = start(seed=2), start(seed=2)
    several.execute(commands.StartLoad("write", 100 * MS))
    one.execute(commands.StartLoad("write", 100 * MS, "1", "k"))
    started = []
    for run in (several, one):
        after(run, 5 * SECOND)
        started.append(happened(run, OperationStarted))
    assert {each.key for each in started[0]} == {"x", "y", "z"}
    assert {each.key for each in started[1]} == {"k"}
    assert [each.at_us for each in started[0]] == [each.at_us for each in started[1]]


def test_load_leaves_no_more_open_than_allowed() -> None:
    """With nobody answering, a client keeps `outstanding` operations open and waits."""
    run = start(outstanding=4, operation_timeout=60 * SECOND)
    run.execute(commands.Kill("A"))
    run.execute(commands.StartLoad("write", 10 * MS))
    after(run, 2 * SECOND)
    assert len(run.clients["1"].pending) == 4
    write(run)
    assert len(run.clients["1"].pending) == 5, "a person's own write is not background traffic"


def test_load_can_be_changed_and_stopped() -> None:
    """Starting again replaces the rate; stopping ends both kinds, of one client or of all."""
    run = start()
    run.execute(commands.StartLoad("write", 100 * MS))
    run.execute(commands.StartLoad("write", 50 * MS))
    run.execute(commands.StartLoad("read", 50 * MS))
    run.execute(commands.StartLoad("read", 50 * MS, "2"))
    after(run, 1 * SECOND)
    run.execute(commands.StopLoad("1"))
    since = len(run.trace)
    after(run, 1 * SECOND)
    assert {each.client for each in happened(run, OperationStarted, since)} == {"2"}
    run.execute(commands.StopLoad())
    since = len(run.trace)
    after(run, 1 * SECOND)
    assert happened(run, OperationStarted, since) == []
    changes = [(e.client, e.operation_kind, e.interval_us) for e in happened(run, LoadChanged)]
    assert changes[4:] == [("1", "write", None), ("1", "read", None), ("2", "read", None)]


def test_load_of_one_client_leaves_anothers_as_it_was() -> None:
    """Each client draws from streams of its own."""
    alone, both = start(seed=6), start(seed=6)
    for run in (alone, both):
        run.execute(commands.StartLoad("read", 200 * MS, "2"))
    both.execute(commands.StartLoad("read", 130 * MS, "1"))
    times = [
        [e.at_us for e in happened(after(run, 20 * SECOND), OperationStarted, client="2")]
        for run in (alone, both)
    ]
    assert times[0] == times[1] != []


def test_busy_client_can_still_stop_its_load() -> None:
    """What is over the limit is a new operation; ending the traffic is the way out."""
    run = start(outstanding=200, operation_timeout=600 * SECOND)
    run.execute(commands.Kill("A"))
    run.execute(commands.StartLoad("write", 1 * MS))
    after(run, 1 * SECOND)
    with pytest.raises(CommandRefused, match="already has 200 open operations"):
        write(run)
    run.execute(commands.StopLoad("1"))
    assert run.clients["1"].load_interval_us == {}


def test_answer_that_is_for_nobody_is_ignored() -> None:
    """A client takes answers to its own open operations and nothing else."""
    run = start()
    before = len(run.trace)
    run.clients["1"].receive("A", ClientReply(99, 1, "ok", None, 1, None))
    assert len(run.trace) == before
