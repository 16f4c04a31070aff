"""Consistency levels of reads: what each proves before it answers, and what that costs."""

from __future__ import annotations

import pytest

from server.cluster.events import LeaderStepped
from server.run import Run

SEEDS = range(1, 9)


def play(run: Run, *lines: str) -> Run:
    """Carry out commands; `wait 2s` lets time pass and `until …` until it holds."""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "wait":
            run.advance(run.now_us + int(float(rest.removesuffix("s")) * 1_000_000))
        elif word == "until":
            condition, end_us = run.condition(rest), run.now_us + 60_000_000
            while not run.holds(condition):
                assert run.now_us < end_us, f"never came true: {rest}"
                run.step()
        else:
            run.command(line)
    return run


def deposed(seed: int, *before: str, **settings: str | int | bool) -> Run:
    """A is cut off with client 1; the others have a new leader, which acknowledged x=2."""
    run = Run(
        seed, {"replication": "quorum", **{key.replace("_", "-"): value for key, value in settings.items()}}
    )
    return play(
        run,
        *before,
        "write x 1",
        "until op(1).outcome == ok",
        "wait 2s",
        "partition A client 1 | B C client 2",
        "until leaders == 2 or ever(leader == B) or ever(leader == C)",
        "write x 2 by 2 to leader",
        "until op(2).outcome == ok",
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_plain_read_at_a_deposed_leader_is_stale(seed: int) -> None:
    """A leader that does not know it was replaced answers from the past (Raft §8)."""
    run = play(deposed(seed), "read x by 1", "until last_read.outcome == ok")
    assert run.evaluate("last_read.value") == "1"
    assert run.evaluate("last_read.stale and not linearizable")


@pytest.mark.parametrize("seed", SEEDS)
def test_read_index_gets_no_answer_without_a_majority(seed: int) -> None:
    """Nobody confirms that it still leads, so it says nothing rather than something old (thesis §6.4)."""
    run = play(deposed(seed, leader_reads="read-index"), "read x by 1", "wait 30s")
    assert run.evaluate("op(3).outcome") == "unknown"
    play(run, "heal", "wait 20s", "read x by 2", "until op(4).outcome == ok")
    assert run.evaluate("op(4).value") == "2"
    assert run.evaluate("linearizable")


def test_read_index_costs_a_round_trip_and_plain_does_not() -> None:
    """The price of proof, in messages and in time."""
    took_us = {}
    for level in ("plain", "read-index", "lease"):
        run = Run(3, {"replication": "quorum", "leader-reads": level, "jitter": 0})
        play(run, "write x 1", "until op(1).outcome == ok", "wait 2s", "read x", "until op(2).outcome == ok")
        operation = run.picture.state["operations"]["2"]
        took_us[level] = operation["returned_us"] - operation["called_us"]
    assert took_us["plain"] == took_us["lease"] == 600_000
    assert took_us["read-index"] == 1_200_000


@pytest.mark.parametrize("seed", SEEDS)
def test_lease_is_never_stale_with_good_clocks(seed: int) -> None:
    """While A may still answer, nobody else can have been elected (Raft thesis §6.4.1)."""
    run = play(deposed(seed, leader_reads="lease"), "read x by 1", "wait 30s")
    assert run.evaluate("op(3).outcome") != "ok"
    assert run.evaluate("linearizable")
    stepped = [event for event in run.simulation.trace if isinstance(event, LeaderStepped)]
    assert [(event.node, event.reason) for event in stepped if event.was == "leader"] == [
        ("A", "lease expired")
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_crash_forgets_no_lease(seed: int) -> None:
    """B has not heard A for a while and stands; C would vote for it at once, having just come back from a
    crash with no memory of A's last heartbeat, while A still answers reads."""
    run = Run(
        seed,
        {
            "replication": "quorum", "leader-reads": "lease", "latency": 20_000, "client-latency": 20_000,
            "election-timeout-min": 2_000_000, "election-timeout-max": 2_200_000,
        },
    )  # fmt: skip
    play(run, "write x 1", "until op(1).outcome == ok", "cut A B", "wait 1.5s")
    play(run, "kill C", "restart C", "partition A client 1 | B C client 2")
    for _ in range(30):
        play(run, "write x 2 by 2 to B", "read x by 1", "wait 0.1s")
    play(run, "wait 20s")
    assert run.evaluate("linearizable")


@pytest.mark.parametrize(("clock", "is_stale"), [(50, True), (100, False)])
def test_lease_is_stale_when_the_leaders_clock_is_too_slow(clock: int, is_stale: bool) -> None:
    """Beyond the margin of a tenth, A counts its lease longer than the others wait."""
    found = []
    for seed in SEEDS:
        run = deposed(
            seed,
            f"set clock {clock} on A",
            leader_reads="lease",
            election_timeout_max=3_500_000,
            latency=50_000,
            client_latency=50_000,
        )
        play(run, "read x by 1", "wait 10s")
        found.append(run.evaluate("op(3).outcome == ok and op(3).value == 1 and not linearizable"))
    assert any(found) is is_stale


@pytest.mark.parametrize("seed", SEEDS)
def test_read_your_writes_token_waits_for_the_own_write(seed: int) -> None:
    """A follower that is behind lets the read wait instead of showing less than the session wrote."""
    without, with_token = (
        play(
            Run(seed, {"session": session}),
            "latency A -> C 3s",
            "write x 1",
            "until op(1).outcome == ok",
            "read x from C",
            "until op(2).outcome == ok",
        )
        for session in ("none", "read-your-writes")
    )
    assert without.evaluate("op(2).value == none and not read_your_writes")
    assert with_token.evaluate("op(2).value == 1 and read_your_writes")
    assert with_token.now_us > without.now_us, "waiting is the price"


@pytest.mark.parametrize("seed", SEEDS)
def test_monotonic_token_never_goes_back(seed: int) -> None:
    """Having seen x=1 on B, the session waits for it on C; the token of its own writes does not help."""
    for session, goes_back in (("none", True), ("read-your-writes", True), ("monotonic-reads", False)):
        run = play(
            Run(seed, {"session": session}),
            "latency A -> C 4s",
            "write x 1 by 1",
            "until node(B).applied_index == 1",
            "read x by 2 from B",
            "until op(2).outcome == ok",
            "read x by 2 from C",
            "until op(3).outcome == ok",
        )
        assert run.evaluate("op(2).value") == "1"
        assert run.evaluate("monotonic_reads") is not goes_back


def test_waiting_reads_are_forgotten_in_a_crash() -> None:
    """They were in memory; the client asks elsewhere."""
    run = play(
        Run(1, {"session": "read-your-writes"}),
        "latency A -> C 30s",
        "write x 1",
        "until op(1).outcome == ok",
        "read x from C",
        "wait 1s",
        "kill C",
        "restart C",
        "until op(2).outcome == ok",
    )
    assert run.evaluate("op(2).value == 1 and op(2).node != C")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_was_cut_off_cannot_vouch_for_a_recent_state(seed: int) -> None:
    """C hears no leader for longer than the bound: it lets the read wait, and the client asks elsewhere."""
    for session, node in (("none", "C"), ("bounded-staleness", "B")):
        run = play(
            Run(seed, {"replication": "quorum", "session": session, "staleness-bound": 5_000_000}),
            "write x 1",
            "until op(1).outcome == ok",
            "wait 2s",
            "partition A B client 1 | C client 2",
            "write x 2",
            "until op(2).outcome == ok",
            "wait 8s",
            "read x by 2 from C",
            "wait 4s",
        )
        is_bounded = session == "bounded-staleness"
        assert run.evaluate("op(3).pending") is is_bounded
        assert run.evaluate("bounded_staleness") is is_bounded
        play(run, "heal", "until op(3).outcome == ok")
        assert run.evaluate("op(3).value") == ("2" if is_bounded else "1"), node


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leader_that_was_deposed_cannot_vouch_either(seed: int) -> None:
    """Without a majority to confirm it, A's own word ages like that of its followers."""
    levels = {"session": "bounded-staleness", "staleness_bound": 2_000_000}
    run = play(deposed(seed, **levels), "wait 4s", "read x by 1", "wait 3s")
    assert run.evaluate("op(3).pending and node(A).role == leader")
    play(run, "heal", "wait 20s")
    assert run.evaluate("bounded_staleness")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recent_enough_state_is_given_at_once(seed: int) -> None:
    """A follower that misses the newest write may show the one before, as long as the bound allows."""
    run = play(
        Run(seed, {"replication": "quorum", "session": "bounded-staleness", "jitter": 0}),
        "write x 1",
        "until op(1).outcome == ok",
        "wait 3s",
        "latency A -> C 4s",
        "write x 2",
        "until op(2).outcome == ok",
        "read x by 2 from C",
        "until op(3).outcome == ok",
    )
    assert run.evaluate("op(3).value == 1 and op(3).stale and bounded_staleness")
    assert run.evaluate("op(3).latency") == 600_000
