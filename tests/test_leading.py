"""The leader's rules, on one replica whose messages and time the test makes by hand."""

from __future__ import annotations

import pytest

from server.cluster.events import (
    EntryAppended,
    LeaderStepped,
    RequestDeduplicated,
    RequestRefused,
    WriteAcknowledged,
)
from server.cluster.leader import WINDOW_BATCHES
from server.cluster.messages import (
    ClientReply,
    ClientRequest,
    TimeoutNow,
)
from server.cluster.replica import Replica
from tests.driving import (
    MS,
    SECOND,
    HandMachine,
    agrees,
    answers,
    append,
    ask,
    changed,
    entries,
    machine_of,
    rejects,
    replica_with,
    terms,
)

# --- the leader: commitment ----------------------------------------------------------------------


def leader_with(*terms: int, term: int, committed: int = 0, **settings: object) -> Replica:
    """A has begun to lead `term`, with entries of earlier terms on its disk."""
    machine = HandMachine("A", changed(**settings), peers=("B", "C"))
    replica = replica_with(*terms, machine=machine)
    replica.commit_index = replica.applied_index = committed
    replica.rebuild_store(committed)
    replica.lead(term, "elected", ("A", "B"))
    return replica


def test_entry_of_an_older_term_is_not_committed_by_counting() -> None:
    """Even on every disk it may still be overwritten by a leader that does not have it; only an entry of
    the leader's own term settles it (Raft §5.4.2, figure 8)."""
    leader = leader_with(1, 2, term=4)
    for follower in ("B", "C"):
        leader.receive(follower, agrees(4, received=2))
    assert leader.commit_index == 0
    machine_of(leader).pass_time(50 * MS)  # Its own entry 3 is on its disk …
    assert leader.commit_index == 0
    leader.receive("B", agrees(4, received=3))  # … and now on a majority.
    assert leader.commit_index == 3


def test_leader_with_uncommitted_entries_begins_with_an_empty_one() -> None:
    """Its own first entry commits what it inherited (Raft §8)."""
    leader = leader_with(1, 1, term=2, committed=1)
    (appended,) = machine_of(leader).happened(EntryAppended)
    assert appended.entry[:4] == (3, 2, "noop", None)


def test_leader_with_nothing_uncommitted_begins_silently() -> None:
    """No entry is needed where nothing waits to be settled."""
    assert machine_of(leader_with(1, 1, term=2, committed=2)).happened(EntryAppended) == []


def test_own_disk_counts_like_any_other() -> None:
    """The leader's copy counts once it is flushed, not before (Raft §5.3; thesis §10.2.1: a leader may even
    commit before its own write, on a majority of followers)."""
    leader = leader_with(term=1, flush=200 * MS)
    leader.receive("1", ask(1))
    machine_of(leader).pass_time(199 * MS)
    assert leader.commit_index == 0
    machine_of(leader).pass_time(1 * MS)
    assert leader.commit_index == 0
    leader.receive("B", agrees(1, received=1))
    assert leader.commit_index == 1


def test_copies_in_memory_count_only_at_level_received() -> None:
    """The level says what a copy must have done to count."""
    for level, commit_index in (("flushed", 0), ("received", 1)):
        leader = leader_with(term=1, level=level)
        leader.receive("1", ask(1))
        machine_of(leader).pass_time(50 * MS)
        leader.receive("B", agrees(1, received=1, flushed=0))
        assert leader.commit_index == commit_index, level


def test_replies_of_an_older_term_and_of_strangers_count_nothing() -> None:
    """What a follower held in another term says nothing about this one (Raft §5.1)."""
    leader = leader_with(1, term=3)
    machine_of(leader).pass_time(50 * MS)
    leader.receive("B", agrees(2, received=2))
    leader.receive("Z", agrees(3, received=2))
    assert leader.commit_index == 0


def test_late_smaller_reply_takes_nothing_back() -> None:
    """Replies may overtake each other: what a follower holds only grows (Raft figure 2, matchIndex)."""
    leader = leader_with(term=1, replication="sync", apply=0)
    leader.receive("1", ask(1))
    machine_of(leader).pass_time(50 * MS)
    leader.receive("B", agrees(1, received=1))
    leader.receive("B", agrees(1, received=0))
    leader.receive("C", agrees(1, received=1))
    assert [reply.outcome for reply in answers(leader)] == ["ok"]
    machine_of(leader).take_sent()
    machine_of(leader).pass_time(SECOND)
    assert machine_of(leader).take_sent("B") == [append(1, previous=(1, 1), commit=1)]


# --- the leader: copying -------------------------------------------------------------------------


def test_leader_sends_only_what_is_on_its_own_disk() -> None:
    """No follower is ever ahead of its leader's disk (PostgreSQL 15, walsender)."""
    leader = leader_with(term=1)
    machine = machine_of(leader)
    leader.receive("B", agrees(1, received=0))
    machine.take_sent()
    leader.receive("1", ask(1))
    machine.pass_time(50 * MS - 1)
    leader.receive("B", agrees(1, received=0))
    assert machine.take_sent() == []
    machine.pass_time(1)
    (message,) = machine.take_sent("B")
    assert message == append(1, (leader.log.entries[0],))


def test_leader_probes_with_one_message_at_a_time() -> None:
    """Until a follower agrees once, more than one message would be guesses on guesses (etcd raft, probe)."""
    leader = leader_with(*[1] * 40, term=1, committed=40, batch=2)
    machine = machine_of(leader)
    machine.take_sent()
    leader.receive("B", rejects(1, previous_index=40, hint=0))
    assert machine.take_sent("B") == [append(1, entries(1, 1), commit=40)]
    leader.receive("1", ask(1))
    machine.pass_time(50 * MS)
    assert machine.take_sent("B") == [], "the first one is still out"


def test_leader_pipelines_up_to_its_window_once_a_follower_agrees() -> None:
    """Then it sends ahead, but never more than a window beyond what was confirmed."""
    leader = leader_with(*[1] * 100, term=1, committed=100, batch=2)
    machine = machine_of(leader)
    leader.receive("B", rejects(1, previous_index=100, hint=0))
    machine.take_sent()
    leader.receive("B", agrees(1, received=2))
    sent = machine.take_sent("B")
    assert len(sent) == WINDOW_BATCHES
    assert [message.previous_index for message in sent] == list(range(2, 2 + 2 * WINDOW_BATCHES, 2))
    leader.receive("B", agrees(1, received=4))
    assert [message.previous_index for message in machine.take_sent("B")] == [2 + 2 * WINDOW_BATCHES]


def test_lost_probe_is_sent_again_with_the_next_heartbeat() -> None:
    """A probe without an answer must not stop the copying for ever."""
    leader = leader_with(1, term=1, committed=1)
    machine = machine_of(leader)
    leader.receive("B", rejects(1, previous_index=1, hint=0))
    (probe,) = machine.take_sent("B")[-1:]
    machine.pass_time(SECOND)
    assert machine.take_sent("B") == [probe]


def test_rejection_backs_up_over_a_whole_conflicting_term_in_one_step() -> None:
    """The hint saves one round trip per entry (Raft §5.3, last paragraphs)."""
    leader = leader_with(1, 1, 3, 3, 3, term=3, committed=2)
    machine = machine_of(leader)
    machine.take_sent()
    leader.receive("B", rejects(3, previous_index=5, hint=2))
    assert machine.take_sent("B") == [append(3, entries(3, 3, 3, after=2), previous=(2, 1), commit=2)]


def test_answer_to_an_older_probe_is_ignored() -> None:
    """Only the answer to the probe that is out moves it (etcd raft, MaybeDecrTo)."""
    leader = leader_with(*[1] * 9, term=1, committed=9)
    leader.receive("B", rejects(1, previous_index=9, hint=6))
    machine_of(leader).take_sent()
    leader.receive("B", rejects(1, previous_index=9, hint=0))
    assert machine_of(leader).take_sent() == []


def test_follower_that_lost_its_memory_is_caught_up_again() -> None:
    """At level `received` a crash takes back what was confirmed; the copying starts over from there."""
    leader = leader_with(1, 1, 1, term=1, committed=3, level="received")
    machine = machine_of(leader)
    leader.receive("B", agrees(1, received=3, flushed=1))
    machine.take_sent()
    leader.receive("B", rejects(1, previous_index=3, hint=1))
    assert machine.take_sent("B") == [append(1, entries(1, 1, after=1), previous=(1, 1), commit=3)]
    leader.receive("B", agrees(1, received=3))
    machine.pass_time(SECOND)
    assert machine.take_sent("B") == [append(1, previous=(3, 1), commit=3)]


def test_joiner_is_admitted_once_its_disk_is_level() -> None:
    """A new node counts in majorities only when it can help to reach one (Raft thesis §4.2.1)."""
    leader = leader_with(1, 1, term=1, committed=2)
    machine = machine_of(leader)
    machine.peers, machine.joining = ("B", "C", "D"), ("D",)
    leader.role.on_peer_added("D")
    leader.receive("D", agrees(1, received=2, flushed=1))
    assert machine.admitted == []
    leader.receive("D", agrees(1, received=2))
    assert machine.admitted == ["D"]


# --- the leader: clients -------------------------------------------------------------------------


def test_reads_wait_until_what_was_inherited_can_be_read() -> None:
    """A new leader knows what is committed only after its own first entry is (Raft §8)."""
    leader = leader_with(1, term=2, replication="quorum", apply=20 * MS)
    machine = machine_of(leader)
    leader.receive("1", ask(1, "read", None))
    machine.pass_time(50 * MS)
    leader.receive("B", agrees(2, received=2))
    machine.pass_time(39 * MS)
    assert answers(leader) == [], "entries 1 and 2 are committed but not applied"
    machine.pass_time(1 * MS)
    assert answers(leader) == [ClientReply(1, 1, "ok", "1.1", 1, None)]


def test_reads_of_an_asynchronous_leader_wait_for_inherited_entries_only() -> None:
    """Where what is flushed can be read, no majority is asked."""
    leader = leader_with(1, term=2, replication="async", apply=20 * MS)
    leader.receive("1", ask(1, "read", None))
    assert answers(leader) == []
    machine_of(leader).pass_time(20 * MS)
    assert answers(leader) == [ClientReply(1, 1, "ok", "1.1", 1, None)]


def test_leader_steps_down_on_a_higher_term_and_answers_nobody() -> None:
    """Whether the waiting write survives is not known here: silence, not a no (Raft §5.1)."""
    leader = leader_with(term=1, replication="sync")
    machine = machine_of(leader)
    leader.receive("1", ask(1))
    leader.receive("B", rejects(5, previous_index=0, hint=0))
    assert (leader.role.name, leader.term, leader.leader) == ("follower", 5, None)
    (stepped,) = machine.happened(LeaderStepped)
    assert (stepped.was, stepped.reason) == ("leader", "higher term")
    machine.take_sent()
    machine.pass_time(2 * SECOND)
    assert machine.take_sent() == [], "no heartbeats, no answers"
    assert terms(leader) == [1], "the entry stays until a leader says otherwise"


def retried(**settings: object) -> Replica:
    """A leader that was asked for the same write three times: twice before the OK, once after."""
    leader = leader_with(term=1, replication="quorum", **settings)
    leader.receive("1", ask(1))
    leader.receive("1", ask(1, attempt=2))
    machine_of(leader).pass_time(50 * MS)
    leader.receive("B", agrees(1, received=leader.log.last_index))
    machine_of(leader).pass_time(SECOND)
    leader.receive("1", ask(1, attempt=3))
    return leader


def test_retry_is_recognised_and_not_appended_twice() -> None:
    """Every attempt is answered, the entry stands once (Raft §8, at most once by serial number)."""
    leader = retried()
    assert leader.log.last_index == 1
    assert [reply.attempt for reply in answers(leader)] == [1, 2, 3]
    assert [event.index for event in machine_of(leader).happened(RequestDeduplicated)] == [1, 1]


def test_retry_is_appended_again_when_retries_are_not_idempotent() -> None:
    """With the safety switch off the same write stands in the log three times."""
    leader = retried(idempotent_retries=False)
    assert [each.operation for each in leader.log.entries] == [1, 1, 1]


def test_retry_to_the_next_leader_waits_for_the_inherited_entry() -> None:
    """The new leader holds the entry but must not vouch for it before its own term commits it."""
    leader = leader_with(1, term=2, replication="quorum")
    leader.receive("1", ask(101))
    machine_of(leader).pass_time(50 * MS)
    leader.receive("B", agrees(2, received=1))
    machine_of(leader).pass_time(100 * MS)
    assert answers(leader) == []
    leader.receive("B", agrees(2, received=2))
    machine_of(leader).pass_time(100 * MS)
    assert [reply.outcome for reply in answers(leader)] == ["ok"]
    assert leader.log.last_index == 2


@pytest.mark.parametrize(("expected", "outcome"), [("9", "failed"), (None, "failed"), ("1.1", "ok")])
def test_compare_and_set_that_finds_another_value_says_what_it_found(
    expected: str | None, outcome: str
) -> None:
    """It is in the log, changes nothing, and counts as no acknowledged write."""
    leader = leader_with(1, term=1, committed=1, flush=0, apply=0)
    leader.receive("1", ask(7, "cas", "2", expected=expected))
    (reply,) = answers(leader)
    is_done = outcome == "ok"
    assert (reply.outcome, reply.value) == (outcome, None if is_done else "1.1")
    assert leader.store["x"][0] == ("2" if is_done else "1.1")
    assert len(machine_of(leader).happened(WriteAcknowledged)) == is_done


def test_leader_that_hands_over_refuses_new_writes_and_tells_a_level_successor() -> None:
    """No new writes, catch up, then `take over` (Raft thesis §3.10)."""
    leader = leader_with(1, term=1, committed=1)
    machine = machine_of(leader)
    leader.receive("B", agrees(1, received=0))
    machine.take_sent()
    leader.role.hand_over("B", 0)  # type: ignore[attr-defined]
    leader.receive("1", ask(1))
    assert [event.reason for event in machine.happened(RequestRefused)] == ["handing over"]
    assert TimeoutNow(1, 0) not in machine.take_sent("B")
    leader.receive("B", agrees(1, received=1))
    assert TimeoutNow(1, 0) in machine.take_sent("B")


def test_leader_takes_writes_again_when_its_successor_never_took_over() -> None:
    """A planned switchover that fails costs an election timeout of writes and no more."""
    leader = leader_with(1, term=1, committed=1)
    leader.role.hand_over("B", 0)  # type: ignore[attr-defined]
    machine_of(leader).pass_time(6 * SECOND)
    leader.receive("1", ask(1))
    assert machine_of(leader).happened(RequestRefused) == []
    assert leader.log.last_index == 2


def test_dead_machine_reacts_to_nothing() -> None:
    """A replica without power has a role that does nothing at all."""
    leader = leader_with(1, term=1)
    machine = machine_of(leader)
    leader.crash()
    machine.take_sent()
    requests: list[tuple[str, object]] = [("B", agrees(1, 1)), ("B", append(1, entries(1, after=1), (1, 1)))]
    for source, message in requests:
        leader.receive(source, message)  # type: ignore[arg-type]
    assert machine.take_sent() == []
    assert leader.log.last_index == 1


def test_answered_requests_are_forgotten() -> None:
    """The leader keeps only who still waits: its memory does not grow with every write."""
    leader = leader_with(term=1, flush=0, apply=0)
    for number in range(1, 20):
        leader.receive("1", ClientRequest(number, 1, "write", "x", "1", None, True))
    assert len(answers(leader)) == 19
    assert leader.role.waiting == {}  # type: ignore[attr-defined]
