"""The real runs as rooms play them: in pieces, with a script, brought back from the store."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from server import service
from server.cluster.commands import CommandRefused
from server.play import Play
from server.protocol import RestartRequest
from server.room import RoomLimits
from server.rooms import Rooms
from server.run import Run
from server.scenario import read_scenario
from server.store import Start, Store
from tests.conftest import FakeClock, House

END_US = 60_000_000


def play_in_pieces(play: Play, until_us: int, seed: int) -> None:
    """Let time pass as ticks and clicks do: in uneven pieces, some of them single steps."""
    chance = Random(seed)
    while play.now_us < until_us:
        if chance.random() < 0.2 and (play.next_at_us() or until_us) <= until_us:
            play.step()
        else:
            play.advance(min(until_us, play.now_us + chance.randrange(1, 400_000)))
    play.advance(until_us)  # A single step may have left some of the last instant.


@pytest.mark.parametrize("name", sorted(service.scenarios()))
def test_a_scenario_goes_the_same_way_however_time_is_cut(name: str) -> None:
    """In one piece, in ticks of any length, step by step: the same events at the same times."""
    whole = Run(scenario=service.scenarios()[name])
    whole.play_script()
    whole.advance(max(END_US, whole.now_us))
    for seed in (1, 2):
        play = Play(Start(scenario=name), service.scenarios()[name])
        play_in_pieces(play, whole.now_us, seed)
        assert play.notice is None
        assert play.script_done == len(whole.script.script)
        assert play.run.simulation.trace_sha256() == whole.simulation.trace_sha256()
        assert play.state == whole.picture.state


def test_the_script_is_shown_with_its_progress() -> None:
    """Which lines are done, as the page draws them."""
    name, scenario = next((name, one) for name, one in service.scenarios().items() if len(one.script) > 3)
    play = service.start_play(Start(scenario=name))
    assert play.start == {"seed": scenario.seed, "settings": scenario.settings, "scenario": name}
    script = play.script
    assert script is not None
    assert [line["text"] for line in script["lines"]] == [line.text for line in scenario.script]
    while play.script_done == 0:
        assert play.step()
    script = play.script
    assert script is not None
    assert script["lines"][0]["done"] is True
    assert script["about"] == scenario.about


def test_the_script_shows_which_expectations_held() -> None:
    """Broken ones by their line, a wait that was given up included."""
    lines = "write x 1, expect lost == 1, wait 1s, expect lost == 0, wait until lost == 2 within 1s"
    play = Play(Start(), read_scenario(f"script: [{lines}]", "a test"))
    play.advance(500_000)
    assert play.script_broken == [1]
    play.advance(5_000_000)
    script = play.script
    assert script is not None
    assert script["broken"] == [1, 4]
    assert all(line["done"] for line in script["lines"])


def test_a_script_that_the_cluster_refuses_stops_there_and_says_so() -> None:
    """The visitor killed what the script wanted to kill; the run itself goes on."""
    scenario = read_scenario("script: [wait 1s, kill B, write x 1]", "a test")
    play = Play(Start(), scenario)
    play.command("kill B")
    play.advance(END_US)
    assert play.notice is not None
    assert play.notice.startswith("The scenario stopped: ")
    assert play.script_done == 1
    play.command("restart B")
    play.advance(2 * END_US)
    assert play.now_us == 2 * END_US


def test_waiting_for_a_time_does_not_depend_on_the_pieces() -> None:
    """A condition on the clock is looked at when something happens, never when a tick ends."""
    scenario = read_scenario("script: ['wait until time > 3333ms', write x 1]", "a test")
    times = set()
    for seed in range(5):
        play = Play(Start(), scenario)
        play_in_pieces(play, 20_000_000, seed)
        times.add(play.run.commands[0][0])
    assert len(times) == 1


def test_a_scenario_may_be_started_with_other_settings_and_seed() -> None:
    """What is named replaces the scenario's own; the rest stays."""
    name, scenario = next(iter(service.scenarios().items()))
    play = service.start_play(Start(seed=99, settings={"replication": "sync"}, scenario=name))
    assert play.start["seed"] == 99
    assert play.start["settings"] == {**scenario.settings, "replication": "sync"}


@pytest.mark.parametrize(
    "start",
    [
        Start(scenario="missing"),
        Start(scenario="../../pyproject"),
        Start(settings={"replication": "perhaps"}),
        Start(settings={"colour": "red"}),
        Start(settings={"nodes": 99}),
        Start(settings={"heartbeat": True}),
    ],
)
def test_a_start_that_does_not_fit_is_refused_in_words(start: Start) -> None:
    """One sentence that says what would fit."""
    with pytest.raises(CommandRefused, match=r"\.$"):
        service.start_play(start)


def real_house(store: Store, **limits: int) -> House:
    clock = FakeClock()
    return House(Rooms(service.start_play, store, clock, RoomLimits(**limits)), clock)


@pytest.mark.parametrize("scenario", [None, *sorted(service.scenarios())])
def test_a_real_room_comes_back_exactly(tmp_path: Path, scenario: str | None) -> None:
    """Scenario and visitor's commands together are replayed to the same trace and the same picture."""
    store = Store(tmp_path)
    first = real_house(store)
    first.open()
    first.take(first.rooms.restart("tab", RestartRequest(seed=3, scenario=scenario)))
    chance = Random(1)
    for command in (
        "write x 1",
        "pause C",
        "write y 2 by 2",
        "kill leader",
        "resume C",
        "read x by 2",
        "heal",
    ):
        first.pass_time(chance.random() * 4, tick_seconds=0.047)
        try:
            first.command(command)
        except CommandRefused:
            continue
    first.pass_time(2.0)
    first.rooms.save()
    store.close()
    before = first.rooms._rooms["key"].run
    second = real_house(Store(tmp_path), queue_events_per_slice=7)
    second.open()
    while "tab" not in second.sent:
        second.tick()
    after = second.rooms._rooms["key"].run
    assert isinstance(before, Play)
    assert isinstance(after, Play)
    after.advance(max(before.now_us, after.now_us))
    before.advance(after.now_us)
    assert after.run.simulation.trace_sha256() == before.run.simulation.trace_sha256()
    assert after.state == before.state
    assert after.run.commands == before.run.commands


def test_the_catalogue_describes_every_scenario_setting_and_command() -> None:
    """What the page looks up is complete and in words."""
    assert [row["id"] for row in service.list_scenarios()] == list(service.scenarios())
    assert all(row["title"] and row["about"] for row in service.list_scenarios())
    tables = service.describe_language()
    assert {row["name"] for row in tables["settings"]} >= {"replication", "failover", "heartbeat"}
    assert all(row["form"] and row["says"] and row["examples"] for row in tables["commands"])
    assert "replication" in service.complete("set repl", "ABC", "12")[0]


def test_completion_offers_the_nodes_and_clients_of_the_run() -> None:
    """Nobody is sent to a node that is not there; a new node gets a letter of its own."""
    offered, _ = service.complete("latency A -> ", ["A", "B"], ["1"])
    assert [word for word in offered if len(word) == 1] == ["A", "B"]
    assert service.complete("write x 1 by ", ["A", "B"], ["1", "3"])[0] == ["1", "3"]
    assert "D" in service.complete("add ", ["A", "B", "C"], ["1"])[0]
