"""What must hold in every run, whatever people and networks do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from server.cluster import CommandRefused, Settings, Simulation, commands
from server.cluster.events import CommitAdvanced, LeaderStarted
from server.picture import Picture
from tests import random_runs

Script = list[tuple[int, commands.Command]]
SEEDS = st.integers(0, 2**32)


def play(run: Simulation, script: Script) -> Iterator[Simulation]:
    """Play a script, stopping after every single thing that happens."""
    for pause_us, command in script:
        yield from until(run, run.now_us + pause_us)
        before, refusal = len(run.trace), None
        try:
            run.execute(command)
        except CommandRefused as problem:
            refusal = str(problem)
        if refusal is not None:
            assert refusal.endswith("."), "a refusal is a sentence"
            assert len(run.trace) == before, "a refusal changes nothing"
        yield run
    yield from until(run, run.now_us + 10_000_000)


def until(run: Simulation, at_us: int) -> Iterator[Simulation]:
    while (next_us := run.next_at_us()) is not None and next_us <= at_us:
        run.step()
        yield run
    run.run_until(at_us)


def finish(steps: Iterator[Simulation]) -> None:
    for _ in steps:
        pass


def check_marks(run: Simulation) -> None:
    """Applied is flushed, flushed is received; nothing is known committed that is not there."""
    for replica in run.replicas():
        assert 0 <= replica.applied_index <= replica.log.flushed_index <= replica.log.last_index
        assert replica.commit_index <= replica.log.last_index
        assert [entry.index for entry in replica.log.entries] == list(range(1, replica.log.last_index + 1))


def check_log_matching(run: Simulation) -> None:
    """Two logs that hold the same entry are equal up to it (Raft §5.3)."""
    logs = [replica.log.entries for replica in run.replicas()]
    for number, one in enumerate(logs):
        for other in logs[number + 1 :]:
            same = [
                index
                for index, pair in enumerate(zip(one, other, strict=False))
                if pair[0][:2] == pair[1][:2]
            ]
            if same:
                assert one[: same[-1] + 1] == other[: same[-1] + 1]


@given(random_runs.settings(), SEEDS, random_runs.scripts(random_runs.ANYTHING))
def test_marks_terms_and_logs_hold_whatever_people_do(settings: Settings, seed: int, script: Script) -> None:
    """Storage marks keep their order, terms never sink, and logs match, under every policy and fault."""
    run = Simulation(settings, seed)
    terms: dict[str, int] = {}
    for _ in play(run, script):
        check_marks(run)
        for name, node in run.nodes.items():
            assert node.replicas[0].term >= terms.get(name, 0)
            terms[name] = node.replicas[0].term
    check_log_matching(run)


@given(random_runs.settings(), SEEDS, random_runs.scripts(random_runs.ANYTHING))
def test_a_term_never_has_two_leaders(settings: Settings, seed: int, script: Script) -> None:
    """At most one leader per term, decrees included (Raft §5.2)."""
    run = Simulation(settings, seed)
    finish(play(run, script))
    leaders: dict[int, str] = {}
    for event in run.trace:
        if isinstance(event, LeaderStarted):
            assert leaders.setdefault(event.term, event.node) == event.node


@given(
    random_runs.settings(replication="quorum", failover="automatic"),
    SEEDS,
    random_runs.scripts(random_runs.NOTHING_FORCED),
)
def test_committed_entries_are_never_lost_under_quorum(settings: Settings, seed: int, script: Script) -> None:
    """Every committed entry is in the log of every leader of a later term (Raft §5.4). A leader of an
    older term may come after: votes that reached it late; it can commit nothing any more."""
    run = Simulation(settings, seed)
    committed: dict[int, int] = {}
    highest_term = seen = 0
    for _ in play(run, script):
        for event in run.trace[seen:]:
            if isinstance(event, CommitAdvanced):
                log = run.nodes[event.node].replicas[0].log
                for index in range(len(committed) + 1, event.index + 1):
                    committed[index] = log.term_at(index)
            elif isinstance(event, LeaderStarted) and event.term > highest_term:
                highest_term = event.term
                log = run.nodes[event.node].replicas[0].log
                assert all(log.term_at(index) == term for index, term in committed.items())
        seen = len(run.trace)
        for replica in run.replicas():
            assert replica.applied_index <= len(committed), "only committed entries are shown"
            applied = range(1, replica.applied_index + 1)
            assert all(replica.log.term_at(index) == committed[index] for index in applied)


@given(random_runs.settings(), SEEDS, random_runs.scripts(random_runs.ANYTHING))
def test_equal_logs_applied_equally_far_give_equal_stores(
    settings: Settings, seed: int, script: Script
) -> None:
    """The store is a function of the applied log and of nothing else, on every replica at every moment."""
    run = Simulation(settings, seed)
    finish(play(run, script))
    for replica in run.replicas():
        store, refused = dict(replica.store), dict(replica.refused_cas)
        replica.rebuild_store(replica.applied_index)
        assert (replica.store, replica.refused_cas) == (store, refused)


@given(random_runs.settings(), SEEDS, random_runs.scripts(random_runs.ANYTHING), st.integers(0, 400))
def test_a_restored_run_continues_byte_for_byte(
    settings: Settings, seed: int, script: Script, snapshot_at: int
) -> None:
    """Stopping, taking a snapshot and going on from it gives the trace of the run that never stopped."""
    whole = Simulation(settings, seed)
    finish(play(whole, script))

    stopped = Simulation(settings, seed)
    happened = 0
    for pause_us, command in script:
        end_us = stopped.now_us + pause_us
        for _ in until(stopped, end_us):
            happened += 1
            if happened == snapshot_at:
                stopped = Simulation.restored(stopped.snapshot())
                break
        stopped.run_until(end_us)
        with contextlib.suppress(CommandRefused):
            stopped.execute(command)
    stopped = Simulation.restored(stopped.snapshot())
    stopped.run_until(stopped.now_us + 10_000_000)
    assert stopped.trace_sha256() == whole.trace_sha256()


@given(
    random_runs.settings(failover="automatic"),
    SEEDS,
    random_runs.scripts(random_runs.OPERATIONS),
    st.booleans(),
)
def test_after_a_restart_a_follower_ends_where_it_would_have_been(
    settings: Settings, seed: int, script: Script, do_restart: bool
) -> None:
    """Once it has caught up, a follower that crashed holds the same log and store as one that did not."""
    run = Simulation(settings, seed)
    follower = [*run.nodes][-1]
    for number, (pause_us, command) in enumerate(script):
        run.run_until(run.now_us + min(pause_us, 700_000))
        with contextlib.suppress(CommandRefused):
            run.execute(command)
        if do_restart and number == len(script) // 2:
            run.execute(commands.Kill(follower))
            run.execute(commands.Restart(follower))
    run.run_until(run.now_us + 60_000_000)
    leader, copy = run.leader(), run.nodes[follower].replicas[0]
    assert leader is not None
    assert copy.log.entries == leader.replicas[0].log.entries
    assert copy.store == leader.replicas[0].store


@given(random_runs.settings(), SEEDS, random_runs.scripts(random_runs.ANYTHING))
def test_the_picture_shows_what_the_actors_hold(settings: Settings, seed: int, script: Script) -> None:
    """Folding the events gives exactly the state that the actors are in, after every event."""
    run = Simulation(settings, seed)
    picture = Picture(seed)
    seen = 0
    for _ in play(run, script):
        for event in run.trace[seen:]:
            picture.observe(event)
        seen = len(run.trace)
        check_picture(picture, run)


def check_picture(picture: Picture, run: Simulation) -> None:
    """Compare the document with the actors, node by node."""
    assert list(picture.state["nodes"]) == list(run.nodes)
    for name, node in run.nodes.items():
        shown, replica = picture.state["nodes"][name], node.replicas[0]
        assert (shown["state"], shown["voter"]) == (node.state, node.is_voter)
        copy = shown["replicas"][0]
        assert (copy["term"], copy["commit_index"], copy["applied_index"], copy["flushed_index"]) == (
            replica.term, replica.commit_index, replica.applied_index, replica.log.flushed_index,
        )  # fmt: skip
        assert [(entry["index"], entry["term"]) for entry in copy["log"]] == [
            e[:2] for e in replica.log.entries
        ]
        assert {key: row["value"] for key, row in copy["store"].items()} == {
            k: v[0] for k, v in replica.store.items()
        }
        if node.state != "dead":
            assert (copy["role"], copy["leader"]) == (replica.role.name, replica.leader)
            assert copy["election_at_us"] == getattr(replica.role, "election_at_us", copy["election_at_us"])
    in_flight = {name for name, message in picture.state["messages"].items() if message["dropped_us"] is None}
    assert in_flight == {str(number) for number in run.network.in_flight}
    cut = {name for name, link in picture.state["links"].items() if link["cut"]}
    assert cut == {
        f"{source}>{target}" for (source, target), link in run.network.links.items() if link.is_cut
    }
    believed = {name: client["knows"] for name, client in picture.state["clients"].items()}
    assert believed == {name: client.known_leader for name, client in run.clients.items()}
    pending = {name for name, each in picture.state["operations"].items() if each["outcome"] == "pending"}
    assert pending == {str(number) for client in run.clients.values() for number in client.pending}
