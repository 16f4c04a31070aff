"""The same run under other settings: in step, each as it would be alone, with the first difference."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from server import service
from server.cluster.commands import CommandRefused
from server.compare import Lanes
from server.protocol import RestartRequest, read_request
from server.rooms import Rooms
from server.store import Start, Store
from tests.conftest import FakeClock, House
from tests.test_branches import at_once, fold

THREE: list[dict[str, str | int | bool]] = [
    {"replication": "async"},
    {"replication": "quorum"},
    {"replication": "sync"},
]


def lanes(seed: int = 7, own: list[dict[str, Any]] | None = None, **settings: Any) -> Lanes:
    run = service.start_play(Start(seed, settings, lanes=own or THREE))
    assert isinstance(run, Lanes)
    return run


def lose_one(run: Lanes) -> None:
    """A write that only the leader has when it dies."""
    run.command("write x 1")
    run.advance(3_000_000)
    run.command("latency A B 20s")
    run.command("latency A C 20s")
    run.command("write x 2")
    run.advance(4_000_000)
    run.command("kill A")
    run.advance(30_000_000)


@pytest.mark.parametrize("seed", range(4))
def test_every_lane_is_as_it_would_be_alone(seed: int) -> None:
    """Side by side or by itself: the same trace, whatever pieces time passes in."""
    chance = Random(seed)
    run = lanes(seed)
    alone = [service.start_play(Start(seed, dict(own))) for own in THREE]
    for text in ("write x 1", "cut A B", "read x from any", "kill leader", "heal", "write x 2"):
        until_us = run.now_us + chance.randrange(1, 4_000_000)
        run.advance(until_us)
        run.command(text)
        for each in alone:
            each.advance(until_us)
            try:
                each.command(text)
            except CommandRefused:
                continue
    run.advance(run.now_us + 1)
    for each, lane in zip(alone, run.lanes, strict=True):
        each.advance(run.now_us)
        assert lane.play.run.simulation.trace_sha256() == each.run.simulation.trace_sha256()  # type: ignore[attr-defined]


def test_what_each_cost_and_lost() -> None:
    """Async loses the write it acknowledged; the others never acknowledged it, and are slower."""
    run = lanes()
    lose_one(run)
    figures = run.state["figures"]
    assert [figures[lane]["lost"] for lane in "123"] == [1, 0, 0]
    assert [figures[lane]["acknowledged"] for lane in "123"] == [2, 1, 1]
    assert figures["1"]["write_median_us"] < figures["2"]["write_median_us"]
    assert figures["1"]["leaderless_us"] > 0
    sent = [event for event in run.lanes[0].play.run.simulation.trace if event.name == "message.sent"]
    assert run.lanes[0].figures()["messages"] == len(sent)


def test_the_first_difference_is_the_first() -> None:
    """Async answers when its own disk has the write, before anybody else does; until then all is alike."""
    run = lanes()
    run.command("write x 1")
    while run.state["difference"] is None:
        run.advance(run.now_us + 10_000)
    difference = run.state["difference"]
    assert difference["says"]["1"].startswith("A answers OK to x=1")
    assert difference["says"]["2"] == difference["says"]["3"] == ""
    assert difference["at_us"] <= run.now_us < difference["at_us"] + 20_000


def test_runs_with_the_same_settings_do_not_differ() -> None:
    """Nothing but the settings makes a difference."""
    run = lanes(own=[{"replication": "quorum"}, {"replication": "quorum"}])
    lose_one(run)
    assert run.state["difference"] is None
    assert run.state["figures"]["1"] == run.state["figures"]["2"]


def test_the_document_folds_like_any_other() -> None:
    """Lanes, figures and the difference: what a page has after all patches is what the server has."""
    run = lanes()
    steps = [vars_of(step) for step in run.take_steps()]
    lose_one(run)
    steps += [vars_of(step) for step in run.take_steps()]
    assert [step["sequence"] for step in steps] == list(range(run.event_count))
    folded = fold(run.blank_state(), steps, 10**9)
    assert json.dumps(folded["lanes"]) == json.dumps(run.state["lanes"])
    assert folded["difference"] == run.state["difference"]
    assert folded["figures"]["1"]["lost"] == 1
    for lane in run.lanes:
        sent = [event for event in lane.play.run.simulation.trace if event.name == "message.sent"]
        assert folded["figures"][lane.name]["messages"] == len(sent), "at any moment, not only at some"
    for step in steps:
        assert step["cause"] is None or step["cause"] < step["sequence"]


def vars_of(step: Any) -> dict[str, Any]:
    return {name: getattr(step, name) for name in ("sequence", "at_us", "name", "cause", "patches")}


def test_a_command_for_one_lane_only() -> None:
    """Its number stands in front."""
    run = lanes()
    run.command("2: kill B")
    states = [run.state["lanes"][lane]["nodes"]["B"]["state"] for lane in "123"]
    assert states == ["up", "dead", "up"]
    run.command("kill B")
    assert run.notice is not None
    assert run.notice.startswith("Run 2 did not take kill B")
    run.command("write x 1")
    assert run.notice is None


@pytest.mark.parametrize(
    ("text", "says"),
    [("wirte x 1", "wirte"), ("9: kill A", "no run 9"), ("2: kill Q", "Q"), ("", "command")],
)
def test_a_command_that_no_lane_takes_is_refused(text: str, says: str) -> None:
    run = lanes()
    count = run.event_count
    with pytest.raises(CommandRefused, match=says):
        run.command(text)
    assert run.event_count == count


@pytest.mark.parametrize(
    "own", [[{"replication": "async"}], [{}] * 4, [{"replication": "async"}, {"replication": "maybe"}]]
)
def test_what_cannot_be_compared_is_refused(own: list[dict[str, Any]]) -> None:
    with pytest.raises(CommandRefused):
        service.start_play(Start(1, lanes=own))


def test_the_message_that_begins_a_comparison_is_checked() -> None:
    request = read_request(
        "restart", {"seed": 3, "lanes": [{"replication": "async"}, {"replication": "sync"}]}
    )
    assert isinstance(request, RestartRequest)
    for wrong in ([], [{}], [{}] * 4, "async", [{"replication": []}, {}]):
        with pytest.raises(CommandRefused, match="lanes"):
            read_request("restart", {"lanes": wrong})


def test_why_is_told_within_the_lane() -> None:
    """From lane 3's own commit back to the command, by the numbers that the page knows."""
    run = lanes()
    run.command("write x 1")
    run.advance(4_000_000)
    asked = next(
        step for step in run.take_steps()
        if step.name == "write.acknowledged" and step.lane == "3"
    )  # fmt: skip
    chain = run.why(asked.sequence)
    assert chain[-1]["sequence"] == asked.sequence
    assert chain[0]["plain"] == "Somebody gave the command: write x 1."


def test_a_comparison_is_branched_and_comes_back_after_a_restart(tmp_path: Any) -> None:
    """It is a run like any other to its room."""
    from server.protocol import BranchRequest

    house = House(Rooms(service.start_play, Store(tmp_path), FakeClock()), FakeClock())
    house.clock = house.rooms._clock  # type: ignore[assignment]
    house.take(house.rooms.open("key", "tab", Start(7, lanes=THREE)))
    house.command("write x 1")
    house.pass_time(3)
    house.take(at_once(house.rooms.branch("tab", BranchRequest(at_us=1_000_000, text="kill A"))))
    state = house.rooms._rooms["key"].run.state
    assert [state["lanes"][lane]["nodes"]["A"]["state"] for lane in "123"] == ["dead"] * 3
    house.rooms.save()
    again = House(Rooms(service.start_play, Store(tmp_path), FakeClock()), FakeClock())
    again.clock = again.rooms._clock  # type: ignore[assignment]
    again.open()
    again.pass_time(0.5)
    assert json.dumps(again.rooms._rooms["key"].run.state) == json.dumps(state)
