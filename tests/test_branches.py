"""The past of a room: its history as pages fold it, branches that overwrite nothing, and reasons why."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Generator
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from server import service
from server.branches import BRANCHES_MAX
from server.cluster.commands import CommandRefused
from server.cluster.events import EVENT_TYPES
from server.explore import POLICIES, play_seed
from server.narration import describe
from server.protocol import BranchRequest, EnterRequest, PlaybackRequest
from server.room import RoomLimits
from server.rooms import Rooms
from server.run import Run
from server.store import Store
from tests.conftest import FakeClock, House

Result = TypeVar("Result")


def at_once(work: Generator[None, None, Result]) -> Result:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def real_house(store: Store | None = None, **limits: Any) -> House:
    clock = FakeClock()
    return House(Rooms(service.start_play, store or Store(None), clock, RoomLimits(**limits)), clock)


def branch(house: House, at_us: int, text: str | None = None) -> None:
    house.take(at_once(house.rooms.branch("tab", BranchRequest(at_us=at_us, text=text))))


def enter(house: House, number: int) -> None:
    house.take(at_once(house.rooms.enter("tab", EnterRequest(branch=number))))


def play(house: House) -> Any:
    return house.rooms._rooms["key"].run


def fold(state: Any, steps: list[Any], until: int) -> Any:
    """What a page does with patches, in the plainest way."""
    state = copy.deepcopy(state)
    for step in steps:
        if step["sequence"] > until:
            break
        for kind, path, *rest in copy.deepcopy(step["patches"]):
            holder = state
            for key in path[:-1]:
                holder = holder[key]
            if not path:
                state = rest[0]
            elif kind == "=":
                holder[path[-1]] = rest[0]
            elif kind == "-":
                del holder[path[-1]]
            elif kind == "+":
                holder[path[-1]].append(rest[0])
            elif kind == "<":
                del holder[path[-1]][rest[0] :]
            else:
                del holder[path[-1]][: rest[0]]
    return state


@pytest.mark.parametrize("seed", range(5))
def test_history_folds_to_what_the_server_had_at_any_moment(seed: int) -> None:
    """Random commands at random times; the document at random events is the run's own at that event."""
    chance = Random(seed)
    house = real_house()
    house.open()
    run = play(house).run
    states = {}
    for _ in range(12):
        house.pass_time(chance.uniform(0.1, 2))
        text = chance.choice(["write x 1", "read x", "kill leader", "restart A", "cut A B", "heal"])
        try:
            house.command(text)
        except CommandRefused:
            continue
        states[run.event_count - 1] = copy.deepcopy(run.picture.state)
    history = at_once(house.rooms.history("key"))
    assert history is not None
    assert [step["sequence"] for step in history["steps"]] == list(range(run.event_count))
    assert states
    for sequence, state in states.items():
        assert fold(history["state"], history["steps"], sequence) == state


def test_a_long_history_begins_later_and_folds_the_same() -> None:
    """Only so much is given to a page; what it is given begins with the document of that moment."""
    house = real_house(history_steps=100, queue_events_per_slice=10)
    house.open()
    house.command("load writes 2/s")
    house.pass_time(20)
    history = at_once(house.rooms.history("key"))
    assert history is not None
    assert 100 <= len(history["steps"]) < 300
    assert history["steps"][0]["sequence"] > 0
    folded = fold(history["state"], history["steps"], 10**9)
    assert folded == play(house).run.picture.state


def test_a_branch_leaves_what_came_after_as_it_was() -> None:
    """Back to before the crash, another end; then back to the first, which is as it was left."""
    house = real_house()
    house.open()
    house.pass_time(1)
    house.command("write x 1")
    house.pass_time(2)
    before_us = play(house).now_us
    house.pass_time(0.1)
    house.command("kill leader")
    house.pass_time(10)
    main = play(house)
    digest, main_us = main.run.simulation.trace_sha256(), main.now_us
    branch(house, before_us, "write x 2")
    assert play(house).run.picture.state["nodes"]["A"]["state"] == "up"
    assert play(house).now_us == before_us
    keyframe = house.last()
    assert [each["name"] for each in keyframe["branches"]] == ["main", "write x 2"]
    assert (keyframe["branch"], keyframe["branches"][1]["parent"]) == (2, 1)
    house.take(house.rooms.playback("tab", PlaybackRequest(action="play")))
    house.pass_time(5)
    second = play(house).run.simulation.trace_sha256()
    enter(house, 1)
    assert play(house).run.simulation.trace_sha256() == digest
    assert play(house).now_us == main_us
    enter(house, 2)
    assert play(house).run.simulation.trace_sha256() == second


def test_a_branch_of_a_branch_inherits_from_both() -> None:
    """Commands before the fork count, those after it do not."""
    house = real_house()
    house.open()
    house.command("write x 1")
    house.pass_time(2)
    house.command("write x 2")
    house.pass_time(2)
    branch(house, 1_500_000, "write y 1")
    house.take(house.rooms.playback("tab", PlaybackRequest(action="play")))
    house.pass_time(1)
    branch(house, 2_000_000, "write z 1")
    said = [text for _, text in play(house).run.commands if text.startswith("write") and "by 2" not in text]
    assert said == ["write x 1", "write y 1", "write z 1"]


@pytest.mark.parametrize(
    ("at_us", "text", "says"),
    [
        (10**9, None, "still to come"),
        (0, "wirte x 1", "wirte"),
        (0, "kill Z", "Z"),
    ],
)
def test_a_branch_that_cannot_be_begun_changes_nothing(at_us: int, text: str | None, says: str) -> None:
    house = real_house()
    house.open()
    house.pass_time(1)
    run, count = play(house), len(house.sent["tab"])
    with pytest.raises(CommandRefused, match=says):
        branch(house, at_us, text)
    assert play(house) is run
    assert len(house.rooms._rooms["key"].branches.records) == 1
    assert len(house.sent["tab"]) == count


def test_there_are_only_so_many_branches_and_no_other() -> None:
    house = real_house()
    house.open()
    for _ in range(BRANCHES_MAX - 1):
        branch(house, 0)
    with pytest.raises(CommandRefused, match=f"{BRANCHES_MAX} branches"):
        branch(house, 0)
    with pytest.raises(CommandRefused, match="no branch 99"):
        enter(house, 99)


def test_too_long_a_run_is_not_gone_back_in() -> None:
    house = real_house(branch_events_max=50)
    house.open()
    house.pass_time(5)
    with pytest.raises(CommandRefused, match="more than 50 events"):
        branch(house, 0)
    with pytest.raises(CommandRefused, match="more than 50 events"):
        at_once(house.rooms.history("key"))


def test_branches_survive_a_restart_of_the_server(tmp_path: Path) -> None:
    """The one that was shown is shown, and the others are where they were left."""
    house = real_house(Store(tmp_path))
    house.open()
    house.command("write x 1")
    house.pass_time(3)
    main = play(house).run.simulation.trace_sha256()
    branch(house, 1_000_000, "kill leader")
    house.take(house.rooms.playback("tab", PlaybackRequest(action="play")))
    house.pass_time(8)
    house.rooms.save()
    digest, now_us = play(house).run.simulation.trace_sha256(), play(house).now_us
    second = real_house(Store(tmp_path))
    second.open()
    second.pass_time(0.5)
    room = second.rooms._rooms["key"]
    assert (room.branches.shown, room.branches.records[2].name) == (2, "kill leader")
    second.take(second.rooms.playback("tab", PlaybackRequest(action="pause")))
    assert play(second).now_us >= now_us
    fresh = service.start_play(room.start)
    for command in room.commands():
        fresh.advance(command.at_us)
        fresh.command(command.text)
    fresh.advance(now_us)
    assert fresh.run.simulation.trace_sha256() == digest
    enter(second, 1)
    assert play(second).run.simulation.trace_sha256() == main


def test_step_goes_to_the_next_thing_told() -> None:
    """One click, one sentence: heartbeats and timers pass unnoticed."""
    house = real_house()
    house.open()
    house.command("load writes 1/s")
    told = []
    for _ in range(6):
        count = play(house).told_count
        house.take(house.rooms.playback("tab", PlaybackRequest(action="step")))
        assert play(house).told_count == count + 1
        told.append(play(house).now_us)
    assert told == sorted(told)


def test_idle_stretches_are_passed_over_when_asked_for() -> None:
    """The same run takes less of the visitor's time, and nothing told is left out."""
    told = {}
    for action in ("dwell", "skip"):
        house = real_house()
        house.open()
        house.command("load stop")
        house.take(house.rooms.playback("tab", PlaybackRequest(action=action)))
        house.pass_time(6)
        house.command("kill leader")
        house.pass_time(6)
        told[action] = play(house).now_us
    assert told["skip"] > 2 * told["dwell"]


def test_a_cluster_at_rest_is_not_skipped_through_for_ever() -> None:
    """Looking ahead ends after a minute in which nothing is told; then time passes as usual."""
    house = real_house()
    house.open()
    house.command("load stop")
    house.pass_time(5)
    house.take(house.rooms.playback("tab", PlaybackRequest(action="skip")))
    house.pass_time(40)
    assert 60_000_000 < play(house).now_us < 125_000_000
    before_us = play(house).now_us
    house.pass_time(5)
    assert play(house).now_us == pytest.approx(before_us + 5_000_000, abs=300_000)


def test_why_goes_back_to_the_command_that_began_it() -> None:
    """From an acknowledgement to the client's write: each link is the cause of the next."""
    run = Run(3)
    run.command("write x 1")
    run.advance(5_000_000)
    steps = run.take_steps()
    acknowledged = next(step for step in steps if step.name == "write.acknowledged")
    chain = run.why(acknowledged.sequence)
    assert next(link["name"] for link in chain) == "command.accepted"
    assert chain[0]["plain"] == "Somebody gave the command: write x 1."
    assert chain[-1]["sequence"] == acknowledged.sequence
    causes = {step.sequence: step.cause for step in steps}
    for earlier, later in itertools.pairwise(chain):
        assert causes[later["sequence"]] == earlier["sequence"]
    assert "entry 1 (term 1)" in chain[-1]["precise"]
    with pytest.raises(CommandRefused, match="no event 99999"):
        run.why(99_999)


def test_every_kind_of_event_has_a_sentence() -> None:
    """Any of them may be a link of a chain."""
    seen = set()
    for seed in range(12):
        for event in play_seed(POLICIES[seed % 4], seed).trial.simulation.trace:
            told = describe(event)
            assert told.plain.endswith((".", "!")), told
            assert "{" not in told.plain
            seen.add(type(event))
    assert len(seen) > len(EVENT_TYPES) * 3 // 4
