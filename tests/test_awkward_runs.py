"""Rare coincidences, staged by hand, each with the promise it must keep. Random runs meet most of them too,
but only now and then (`test_mutations`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.cluster import CommandRefused, events
from server.explore import row_of
from server.guarantees import as_history, check_history
from server.run import Run

QUICK: dict[str, Any] = {"latency": 50_000, "client-latency": 50_000, "jitter": 0}


class Staged:
    """A run that is led by hand."""

    def __init__(self, seed: int = 1, **settings: Any) -> None:
        given = {name.replace("_", "-"): value for name, value in settings.items()}
        self.run = Run(seed, {"jitter": 0, "replication": "quorum", **given})

    def do(self, *lines: str) -> None:
        for line in lines:
            self.run.command(line)

    def wait(self, seconds: float) -> None:
        self.run.advance(self.run.now_us + round(seconds * 1_000_000))

    def until(self, condition: str, seconds: int = 60) -> None:
        compiled, end_us = self.run.condition(condition), self.run.now_us + seconds * 1_000_000
        while not self.run.holds(compiled):
            assert self.run.now_us < end_us, f"never came true: {condition}"
            self.run.step()

    def until_event(self, is_it: Callable[[Any], bool]) -> Any:
        seen = self.run.event_count
        while self.run.now_us < 600_000_000:
            self.run.step()
            for event in self.run.simulation.trace[seen:]:
                if is_it(event):
                    return event
            seen = self.run.event_count
        raise AssertionError("it never happened")

    def flying(self, kind: str) -> list[int]:
        """The messages of one kind that are on the wire."""
        flights = self.run.simulation.network.in_flight
        return [number for number, each in flights.items() if each.message.kind == kind]

    def holds(self, condition: str) -> bool:
        return bool(self.run.evaluate(condition))


def is_sent(kind: str, source: str, target: str) -> Callable[[Any], bool]:
    """A message of this kind leaves."""

    def is_it(event: Any) -> bool:
        is_message = isinstance(event, events.MessageSent)
        return is_message and (event.message.kind, event.source, event.target) == (kind, source, target)

    return is_it


# --- leases ---------------------------------------------------------------------------------------


def test_a_leader_that_hands_over_gives_up_its_lease() -> None:
    """Its successor stands at once, without waiting for any lease to end (Raft thesis §6.4.1)."""
    stage = Staged(leader_reads="lease", **QUICK)
    stage.do("write x 1")
    stage.wait(2.1)
    stage.do("switchover B")
    assert stage.flying("hand-over")
    stage.wait(0.05)
    stage.do("partition A client 1 | B C client 2")
    stage.until("leader == B and leaders == 2")
    stage.do("write x 2 by 2 to B")
    stage.until("last_write.ok")
    stage.do("read x by 1")
    stage.wait(10)
    assert not stage.holds("last_read.ok")
    assert stage.holds("linearizable")


def test_votes_that_were_long_on_their_way_bring_no_lease() -> None:
    """B counts C's vote when a later leader has been writing for long: B may not answer from that."""
    stage = Staged(
        leader_reads="lease", election_timeout_min=3_000_000, election_timeout_max=3_000_000,
        operation_timeout=500_000, **QUICK,
    )  # fmt: skip
    stage.do("set election-timeout-max 8s on C", "write x 1")
    stage.wait(3.5)
    stage.do("partition A | B C", "set election-timeout-max 30s on B", "set election-timeout-min 30s on B")
    stage.until_event(lambda event: isinstance(event, events.ElectionStarted) and event.node == "B")
    stage.do("cut client 1 A", "cut client 1 C")
    vote = stage.until_event(is_sent("vote", "C", "B"))
    stage.do(f"delay message {vote.message_id} 60s", "loss C -> B 100%", "cut B -> C", "heal A C")
    stage.until("leader == A or leader == C")
    stage.do("write x 2 by 2 to leader")
    stage.until("op(2).ok")
    stage.do(f"deliver message {vote.message_id}")
    stage.until("node(B).role == leader", 1)
    stage.do("read x by 1")
    stage.wait(3)
    assert not stage.holds("last_read.ok")
    assert stage.holds("linearizable")


def test_a_lease_is_the_majoritys_that_gave_it() -> None:
    """B and C confirm A and then leave for good: D and E, who have not heard A, elect D."""
    stage = Staged(
        nodes=5, leader_reads="lease", election_timeout_min=4_000_000, election_timeout_max=4_000_000, **QUICK
    )
    stage.do("set election-timeout-max 8s on E", "write x 1")
    stage.wait(3)
    stage.do("cut A D", "cut A E")
    stage.run.advance(stage.run.simulation.nodes["D"].replicas[0].role.election_at_us - 100_000)  # type: ignore[attr-defined]
    stage.do("remove B", "remove C")
    stage.until("leader == D")
    stage.do("write x 2 by 2 to D")
    stage.until("last_write.ok")
    stage.do("read x by 1")
    stage.wait(3)
    assert not stage.holds("last_read.ok")
    assert stage.holds("linearizable")


# --- a leader that comes back in its own term ---------------------------------------------------------


def test_a_resumed_leader_proves_itself_with_rounds_of_its_own() -> None:
    """Answers to the heartbeats of its life before the crash neither stand for new ones nor hide them."""
    stage = Staged(leader_reads="read-index", failover="manual")
    stage.do("write x 1")
    stage.wait(30)
    stage.do("write x 2")
    stage.until_event(is_sent("reply", "B", "A"))
    stage.do("kill A", "restart A")
    stage.wait(3)
    stage.do("read x")
    stage.until("last_read.ok", 4)
    assert stage.holds("last_read.value == 2 and last_read.latency < 4s")


def test_an_answer_to_an_earlier_life_proves_nothing() -> None:
    """B's answer to A was slow. A has died since, B leads, and A comes back as what it was."""
    stage = Staged(leader_reads="read-index", failover="manual")
    stage.do("write x 1")
    stage.wait(30)
    stage.until_event(is_sent("reply", "B", "A"))
    old = stage.flying("reply")
    for number in old:
        stage.do(f"delay message {number} 20s")
    stage.do("kill A", "promote B")
    stage.wait(2)
    stage.do("write x 2 by 2 to B")
    stage.until("last_write.ok")
    stage.do("cut A -> B", "cut A -> C", "cut C -> A", "latency B -> A 30s", "restart A")
    stage.wait(0.5)
    stage.run.simulation.clients["1"].known_leader = "A"
    stage.do("read x by 1")
    stage.wait(0.45)
    for number in old:
        if number in stage.run.simulation.network.in_flight:
            stage.do(f"deliver message {number}")
    stage.wait(5)
    assert not stage.holds("last_read.ok and last_read.value == 1")
    assert stage.holds("linearizable")


# --- what must be on disk, and of which term ----------------------------------------------------------


def test_semi_sync_counts_no_copies_of_an_older_terms_entry() -> None:
    """Raft figure 8 with a client that asks again: its write is on a majority and can still be replaced."""
    stage = Staged(
        nodes=5, replication="semi-sync", semi_sync_followers=2, batch=1, retries=10,
        operation_timeout=3_000_000,
    )  # fmt: skip
    assert row_of(stage.run.simulation.settings, 5) == "semi-sync majority"
    for name in "CDE":
        stage.do(f"set election-timeout-max 300s on {name}", f"set election-timeout-min 300s on {name}")
    stage.do("write y 0")
    stage.wait(5)
    stage.do("partition A client 1 | B C D E client 2", "write x 1 by 1 to A")
    stage.wait(0.7)
    stage.do("kill A")
    stage.until("leader == B")
    stage.do("partition B client 2 | A client 1 C D E", "write x 2 by 2 to B")
    stage.wait(0.4)
    stage.do("kill B", "restart A")
    stage.until("leader == A")
    stage.until_event(lambda event: isinstance(event, events.WriteAcknowledged) and event.operation == 2)
    stage.do("partition A client 1 | B C D E")
    stage.until("op(2).ok")
    stage.do("kill A", "restart B")
    stage.wait(20)
    assert stage.holds("lost == 0")


def test_a_copy_in_memory_lets_nobody_leave() -> None:
    """A node may leave when the rest hold what is committed on disk: D has it, but not there."""
    stage = Staged(3, nodes=5)
    stage.do("write y 0")
    stage.wait(5)
    stage.do("set flush 20s on D", "cut A -> E", "write x 1")
    stage.until("last_write.ok")
    refused = 0
    for line in ("remove B", "remove C"):
        try:
            stage.do(line)
        except CommandRefused as problem:
            refused += "let the others catch up" in str(problem)
    assert refused
    stage.do("kill D", "restart D", "kill A")
    stage.wait(20)
    assert stage.holds("durable and committed_never_lost")


def test_what_a_dead_leader_had_only_in_memory_is_not_lost() -> None:
    """C is elected with a committed entry that its disk does not have yet, and dies: B still has it."""
    stage = Staged()
    stage.do("set election-timeout-max 20s on B", "set election-timeout-min 20s on B")
    stage.do("set flush 60s on C", "write x 1")
    stage.until("last_write.ok")
    stage.do("kill A")
    stage.until("leader == C")
    stage.do("kill C")
    assert stage.holds("lost == 0")
    stage.do("restart A")
    stage.until("leader == A or leader == B")
    assert stage.holds("lost == 0 and durable")


def test_an_operation_that_stood_twice_may_be_truncated_whole() -> None:
    """Without recognised retries a write can stand in a log twice, and both may go."""
    stage = Staged(idempotent_retries=False, retries=3, operation_timeout=1_000_000)
    stage.do("write x 0")
    stage.wait(2)
    stage.do("partition A client 1 | B C client 2", "write x 1 by 1 to A")
    stage.wait(4)
    assert stage.run.simulation.nodes["A"].replicas[0].log.last_index >= 3
    stage.until("leader == B or leader == C")
    stage.wait(2)
    stage.do("heal")
    stage.wait(10)
    assert stage.holds("log(A) == log(leader)")


def test_a_former_leader_shows_what_a_follower_shows() -> None:
    """Under sync a leader hides what a dead follower lacks; as a follower it applies what is on its disk."""
    stage = Staged(replication="sync", failover="manual")
    stage.do("kill C", "write x 1")
    stage.wait(4)
    assert stage.holds("node(A).commit_index == 1 and node(B).commit_index == 1")
    assert stage.holds("store(A).x == none and store(B).x == 1")
    stage.do("promote B")
    stage.wait(2)
    assert stage.holds("node(A).role == follower and store(A).x == 1")


# --- reads ------------------------------------------------------------------------------------------


def test_who_has_seen_that_nothing_is_there_does_not_see_it_come_back() -> None:
    """A deleted key has a version too, and a monotonic session carries it to the next node."""
    stage = Staged(session="monotonic-reads", replication="async")
    stage.do("write x 1")
    stage.wait(3)
    stage.do("latency A -> C 5s", "delete x")
    stage.wait(2)
    stage.do("read x by 2 from B")
    stage.until("last_read.ok")
    assert stage.holds("last_read.value == none")
    assert stage.run.picture.state["operations"]["3"]["version"] == 2
    stage.do("read x by 2 from C")
    stage.wait(1)
    assert stage.holds("last_read.pending")
    stage.wait(5)
    assert stage.holds("last_read.value == none and monotonic_reads")


def test_a_new_leader_vouches_for_nothing_before_it_shows_what_it_took_over() -> None:
    """A read that waits at a follower is not answered by its winning alone."""
    stage = Staged(session="bounded-staleness", staleness_bound=2_000_000)
    stage.do("set election-timeout-max 20s on C", "set election-timeout-min 20s on C", "write x 1")
    stage.wait(4.5)
    stage.do("write x 2")
    stage.until("last_write.ok")
    stage.do("kill A")
    stage.wait(2.5)
    stage.do("read x by 2 from B")
    stage.until("last_read.ok")
    assert stage.holds("last_read.value == 2 and bounded_staleness")


# --- messages ---------------------------------------------------------------------------------------


def test_a_message_is_delivered_once_however_often_that_is_asked() -> None:
    """Twice at one moment, to a node that stands still by then."""
    stage = Staged()
    stage.do("write x 1")
    stage.wait(0.36)
    (append, *_) = stage.flying("append")
    stage.do(f"deliver message {append}", f"deliver message {append}", "pause B")
    stage.wait(1)
    stage.do("resume B")
    stage.wait(1)
    assert stage.holds("node(B).last_index == 1")


def test_a_try_that_was_refused_is_not_carried_out_later() -> None:
    """A copy of the request arrives after its original was refused: failed is failed."""
    stage = Staged(failover="manual", operation_timeout=900_000)
    stage.wait(3)
    stage.do("kill A")
    stage.wait(1)
    stage.do("kill B", "restart B", "write x 9 to B")
    (request,) = stage.flying("write")
    stage.do(f"duplicate message {request}")
    (copy,) = [number for number in stage.flying("write") if number != request]
    stage.do(f"delay message {copy} 3s")
    stage.wait(2)
    assert stage.holds("op(1).failed")
    stage.do("promote B")
    stage.wait(5)
    stage.do("read x by 2 from B")
    stage.wait(2)
    assert stage.holds("last_read.value == none and linearizable")
    lives = stage.run.judges.ledger.lives.values()
    assert [verdict.held for verdict in check_history([as_history(life) for life in lives])] == [True]


# --- pre-vote -----------------------------------------------------------------------------------------


def test_a_candidate_that_is_cut_off_asks_before_it_takes_another_term() -> None:
    """Its first attempt was fair; while it is alone it spends no more terms (Raft thesis §9.6)."""
    stage = Staged(pre_vote=True)
    stage.do("write x 1")
    stage.wait(3)
    stage.do("kill A")
    candidate = stage.until_event(lambda event: isinstance(event, events.ElectionStarted)).node
    other = "C" if candidate == "B" else "B"
    stage.do(f"partition {candidate} | {other} A", "restart A")
    stage.wait(30)
    term = stage.run.simulation.nodes[candidate].replicas[0].term
    assert term == 2
    leader = stage.run.evaluate("leader")
    stage.do("heal")
    stage.wait(10)
    assert stage.run.evaluate("leader") == leader
