"""Rooms: virtual time follows wall time, frames are complete, and nothing is lost by a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.cluster.commands import CommandRefused
from server.protocol import PlaybackRequest, RestartRequest
from server.rooms import REST_SECONDS, TICK_SECONDS, rest_seconds
from server.store import Store, StoreUnusable
from tests.conftest import BEAT_US, FakeClock, House, MakeHouse


def say(house: House, action: str, speed: float | None = None, connection: str = "tab") -> None:
    request = PlaybackRequest.model_validate({"action": action, "speed": speed})
    house.take(house.rooms.playback(connection, request))


# --- pacing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.05, 0.1, 0.5, 1.0, 3.0, 20.0])
def test_virtual_time_is_wall_time_times_speed(house: House, speed: float) -> None:
    """However slow or fast, ten seconds of wall time are ten seconds times the speed."""
    house.open()
    say(house, "speed", speed)
    house.pass_time(10.0)
    assert house.run().now_us == pytest.approx(10 * speed * 1_000_000, abs=2)
    assert house.run().state["beats"] == house.run().now_us // BEAT_US


def test_uneven_ticks_add_up(house: House) -> None:
    """No microsecond is lost to rounding when ticks are irregular."""
    house.open()
    say(house, "speed", 0.3)
    for tick in range(1_000):
        house.tick(0.001 + (tick % 7) / 300)
    wall_seconds = sum(0.001 + (tick % 7) / 300 for tick in range(1_000))
    assert house.run().now_us == pytest.approx(wall_seconds * 0.3 * 1_000_000, abs=2)


def test_a_stalled_server_does_not_jump(house: House) -> None:
    """After a minute without a tick, at most half a second is made up for."""
    house.open()
    house.tick(60.0)
    assert house.run().now_us == 500_000


def test_a_clock_set_back_does_not_hurt(house: House) -> None:
    """Wall time that goes backwards counts as none."""
    house.open()
    house.tick(-3600.0)
    assert house.run().now_us == 0
    house.tick(0.1)
    assert house.run().now_us == pytest.approx(100_000, abs=2)
    assert len(house.sent["tab"]) > 1


def test_work_of_one_tick_is_bounded_and_its_debt_forgotten(make_house: MakeHouse) -> None:
    """A run with more events than a tick may do goes on slower; it does not run ahead later."""
    house = make_house(queue_events_per_tick=100, queue_events_per_slice=30)
    house.open()
    house.command("burst 1000")
    house.tick(0.11)
    assert house.run().state["beats"] == 100
    slices = sum(1 for _ in house.rooms.tick())
    assert slices >= 3, "others get a turn between the slices"
    assert house.run().now_us == BEAT_US


def test_a_busy_room_does_not_starve_a_quiet_one(make_house: MakeHouse) -> None:
    """The quiet room keeps its pace while the busy one is cut short."""
    house = make_house(queue_events_per_tick=100)
    house.open("busy", "tab-1")
    house.open("quiet", "tab-2")
    house.command("burst 100000", "tab-1")
    house.pass_time(2.0)
    assert house.run("quiet").now_us == pytest.approx(2_000_000, abs=2)
    assert house.run("busy").now_us == BEAT_US


def test_a_failing_run_stops_alone(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A fault inside one run is logged and said; every other room plays on."""
    house.open("broken", "tab-1")
    house.open("sound", "tab-2")
    house.command("explode", "tab-1")
    house.pass_time(1.0)
    assert house.run("sound").now_us == pytest.approx(1_000_000, abs=2)
    assert "Something went wrong" in house.last("tab-1")["notice"]
    assert "A run failed" in caplog.text
    with pytest.raises(CommandRefused, match="Something went wrong"):
        house.command("write x 1", "tab-1")


# --- playback ------------------------------------------------------------------------------------


def test_pause_step_play(house: House) -> None:
    """Paused, time stands still; a step is one event of the queue; play goes on from there."""
    house.open()
    say(house, "pause")
    house.pass_time(1.0)
    assert house.run().now_us == 0
    say(house, "step")
    assert house.run().state["beats"] == 1
    assert (house.last()["now_us"], house.last()["playing"]) == (BEAT_US, False)
    say(house, "play")
    house.pass_time(1.0)
    assert house.run().now_us == pytest.approx(BEAT_US + 1_000_000, abs=2)


def test_step_pauses_first(house: House) -> None:
    """Stepping a playing room stops it."""
    house.open()
    say(house, "step")
    house.pass_time(1.0)
    assert house.run().state["beats"] == 1


def test_speed_needs_a_number(house: House) -> None:
    """The action speed without one is refused and changes nothing."""
    house.open()
    with pytest.raises(CommandRefused, match="speed"):
        say(house, "speed")


# --- frames --------------------------------------------------------------------------------------


def test_a_tab_begins_with_a_keyframe_and_misses_no_number_and_no_event(house: House) -> None:
    """Numbers rise by one and event sequences have no gap, whatever happens in between."""
    house.open()
    for round_number in range(40):
        house.tick(0.013 * (round_number % 9))
        if round_number % 5 == 0:
            house.command(f"write x {round_number}")
        if round_number % 11 == 0:
            say(house, "speed", 1 + round_number / 4)
    sent = house.sent["tab"]
    assert sent[0].event == "keyframe"
    assert all(delivery.event == "frame" for delivery in sent[1:])
    assert [delivery.payload["number"] for delivery in sent] == list(range(1, len(sent) + 1))
    seen = [step["sequence"] for delivery in sent[1:] for step in delivery.payload["steps"]]  # type: ignore[typeddict-item]
    assert seen == list(range(len(house.run().steps)))


def test_a_second_tab_joins_the_same_room(house: House) -> None:
    """It is brought up to date by its keyframe and from then on sees what the first one sees."""
    house.open()
    house.pass_time(1.0)
    house.open("key", "second")
    keyframe = house.last("second")
    assert keyframe["sequence"] == len(house.run().steps) - 1
    house.command("write x 1")
    assert house.last("tab")["steps"] == house.last("second")["steps"] != []
    assert house.last("second")["number"] == keyframe["number"] + 1


def test_a_command_is_shown_at_once_and_lands_when_it_was_given(house: House) -> None:
    """The frame comes with the answer, and the command's time is the wall time of the click."""
    house.open()
    house.clock.now += 0.033
    house.command("write x 1")
    assert house.run().state["commands"] == [(33_000, 0, "write x 1")]
    assert house.last()["steps"][-1]["text"] == "You said write x 1."


def test_quiet_rooms_say_the_time_and_paused_ones_nothing(house: House) -> None:
    """While nothing happens, a playing room sends about ten small frames a second; a paused one none."""
    house.open()
    house.clock.now += 0.001
    say(house, "speed", 0.05)
    before = len(house.sent["tab"])
    house.pass_time(1.0)
    assert 8 <= len(house.sent["tab"]) - before <= 11
    say(house, "pause")
    before = len(house.sent["tab"])
    house.pass_time(1.0)
    assert len(house.sent["tab"]) == before


def test_a_keyframe_tells_what_happened_last(make_house: MakeHouse) -> None:
    """Only told events are recalled, the latest ones, and no more than the limit."""
    house = make_house(recent_max=3)
    house.open()
    for number in range(5):
        house.command(f"write x {number}")
    house.take(house.rooms.resync("tab"))
    assert [line["text"] for line in house.last()["recent"]] == [
        "You said write x 2.",
        "You said write x 3.",
        "You said write x 4.",
    ]
    assert house.last()["start"] == {"seed": 1, "settings": {}, "scenario": None}


def test_a_slow_connection_is_skipped_and_then_started_anew(house: House) -> None:
    """The room and its other tabs go on; the slow tab gets one keyframe when it reads again."""
    house.open("key", "slow")
    house.open("key", "quick")
    waiting = {"slow": 1_000, "quick": 0}
    house.rooms.backlog = lambda connection: waiting[connection]
    house.pass_time(2.0)
    assert len(house.sent["slow"]) == 1
    assert len(house.sent["quick"]) > 15
    waiting["slow"] = 0
    house.pass_time(0.2)
    assert house.sent["slow"][1].event == "keyframe"
    assert house.sent["slow"][1].payload["number"] == 2
    assert all(delivery.event == "frame" for delivery in house.sent["slow"][2:])


def test_too_much_for_a_frame_becomes_a_keyframe(make_house: MakeHouse) -> None:
    """A flood of events is shown by its result, a few times a second."""
    house = make_house(steps_per_frame_max=10)
    house.open()
    house.command("burst 5000")
    before = len(house.sent["tab"])
    house.pass_time(1.0)
    flood = house.sent["tab"][before:]
    keyframes = [delivery for delivery in flood if delivery.event == "keyframe"]
    assert 1 <= len(keyframes) <= 5
    assert all(len(delivery.payload.get("steps", [])) <= 10 for delivery in flood)  # type: ignore[attr-defined]
    follow = flood[flood.index(keyframes[-1]) :]
    seen = [step["sequence"] for delivery in follow[1:] for step in delivery.payload["steps"]]  # type: ignore[typeddict-item]
    first = keyframes[-1].payload["sequence"] + 1  # type: ignore[typeddict-item]
    assert seen == list(range(first, len(house.run().steps)))


# --- requests ------------------------------------------------------------------------------------


def test_a_refused_command_changes_nothing(house: House) -> None:
    """The sentence of the run is passed on, and not one event is added."""
    house.open()
    with pytest.raises(CommandRefused, match="no command nonsense"):
        house.command("nonsense")
    assert house.run().steps == []


def test_ten_thousand_clicks_are_mostly_refused(house: House) -> None:
    """At one instant a tab has its burst; then fifty a second; another tab is not held back."""
    house.open()
    house.open("other", "other tab")
    for _ in range(100):
        house.command("write x 1")
    for _ in range(9_900):
        with pytest.raises(CommandRefused, match="too fast"):
            house.command("write x 1")
    assert house.run().event_count == 100
    house.command("write x 1", "other tab")
    house.clock.now += 1.0
    for _ in range(50):
        house.command("write x 1")
    with pytest.raises(CommandRefused, match="50 things a second"):
        house.command("write x 1")


def test_commands_of_several_tabs_are_applied_in_the_order_they_came(house: House) -> None:
    """Each is one more line of the same run."""
    house.open("key", "one")
    house.open("key", "two")
    for number in range(20):
        house.command(f"write x {number}", "one" if number % 3 else "two")
    assert [text for _, _, text in house.run().state["commands"]] == [f"write x {n}" for n in range(20)]


def test_an_unknown_connection_is_told_to_reload(house: House) -> None:
    """A request after the room is gone is refused in words."""
    with pytest.raises(CommandRefused, match="Reload"):
        house.command("write x 1", "nobody")


def test_restart_begins_anew_for_all_tabs(house: House) -> None:
    """Every tab gets a keyframe of the new run; the speed stays; a bad start changes nothing."""
    house.open("key", "one")
    house.open("key", "two")
    say(house, "speed", 2.0, "one")
    house.pass_time(1.0)
    request = RestartRequest(seed=7, settings={"replication": "sync"})
    house.take(house.rooms.restart("one", request))
    for connection in ("one", "two"):
        keyframe = house.last(connection)
        assert (keyframe["now_us"], keyframe["sequence"], keyframe["speed"]) == (0, -1, 2.0)
        assert keyframe["start"]["seed"] == 7
    with pytest.raises(CommandRefused, match="no scenario called missing"):
        house.rooms.restart("one", RestartRequest(scenario="missing"))
    house.pass_time(1.0)
    assert house.run().now_us == pytest.approx(2_000_000, abs=2)


# --- limits --------------------------------------------------------------------------------------


def test_a_run_that_has_had_all_its_events_pauses_and_says_so(make_house: MakeHouse) -> None:
    """Nothing more can be asked of it; a new run can."""
    house = make_house(events_max=20)
    house.open()
    house.pass_time(5.0)
    assert len(house.run().steps) == 20
    assert house.last()["playing"] is False
    assert house.last()["notice"] == (
        "This run has had 20 events, as many as a run may have. Start a new run to go on."
    )
    for refused in (
        lambda: house.command("write x 1"),
        lambda: say(house, "play"),
        lambda: say(house, "step"),
    ):
        with pytest.raises(CommandRefused, match="20 events"):
            refused()
    house.take(house.rooms.restart("tab", RestartRequest()))
    house.command("write x 1")
    assert "notice" not in house.last()


def test_tabs_and_commands_and_rooms_have_a_maximum(make_house: MakeHouse) -> None:
    """Each refusal names the number."""
    house = make_house(connections_max=2, commands_max=3, rooms_max=2)
    house.open("one", "1a")
    house.open("one", "1b")
    with pytest.raises(CommandRefused, match="2 tabs"):
        house.open("one", "1c")
    for _ in range(3):
        house.command("write x 1", "1a")
    with pytest.raises(CommandRefused, match="3 commands"):
        house.command("write x 1", "1a")
    house.open("two", "2a")
    with pytest.raises(CommandRefused, match="All 2 rooms"):
        house.open("three", "3a")
    house.rooms.close("2a")
    house.open("three", "3a")  # The unwatched room made place and comes back when asked for.
    house.rooms.close("3a")
    house.open("two", "2a")
    assert house.rooms.count() == 2


def test_an_unwatched_room_plays_on_then_pauses_then_leaves_memory_then_is_forgotten(house: House) -> None:
    """Five minutes, half an hour, a day."""
    house.open()
    house.command("write x 1")
    house.rooms.close("tab")
    house.pass_time(200.0, tick_seconds=0.5)
    assert house.run().now_us == pytest.approx(200_000_000, abs=2)
    house.pass_time(300.0, tick_seconds=0.5)
    paused_at = house.run().now_us
    assert 300_000_000 <= paused_at <= 361_000_000
    house.pass_time(1_700.0, tick_seconds=10.0)
    assert house.rooms.count() == 0
    house.open("key", "again")
    house.pass_time(1.0)
    assert house.run().now_us == paused_at
    assert house.last("again")["playing"] is False
    house.rooms.close("again")
    house.pass_time(25 * 3600.0, tick_seconds=60.0)
    house.open("key", "later")
    assert house.last("later")["sequence"] == -1


def test_a_room_that_nobody_touches_pauses_and_says_so(house: House) -> None:
    """A forgotten tab, which may ask for a keyframe by itself; a click is enough to go on."""
    house.open()
    house.pass_time(600.0, tick_seconds=0.5)
    house.command("write x 1")
    house.pass_time(800.0, tick_seconds=0.5)
    house.rooms.resync("tab")
    assert house.last()["playing"] is True
    house.pass_time(200.0, tick_seconds=0.5)
    assert house.last()["playing"] is False
    assert "nobody has done anything" in house.last()["notice"]
    paused_at = house.run().now_us
    assert 1_500_000_000 <= paused_at <= 1_561_000_000
    say(house, "play")
    house.pass_time(1.0)
    assert house.run().now_us == pytest.approx(paused_at + 1_000_000, abs=2)
    assert "notice" not in house.last()


# --- the store -----------------------------------------------------------------------------------


def play_something(house: House) -> None:
    house.open()
    house.command("burst 7")
    for number in range(9):
        house.tick(0.037 * number)
        house.command(f"write x {number}")
    say(house, "step")
    house.command("write y 1")
    say(house, "speed", 4.0)
    say(house, "play")
    house.pass_time(3.0)
    say(house, "step")


@pytest.mark.parametrize("ends_cleanly", [True, False])
def test_a_restarted_server_brings_rooms_back_exactly(
    make_house: MakeHouse, tmp_path: Path, ends_cleanly: bool
) -> None:
    """The run is replayed to an equal state, speed and pause included, also after a crash."""
    store = Store(tmp_path)
    first = make_house(store)
    play_something(first)
    before = first.run()
    if ends_cleanly:
        first.rooms.save()
    store.close()
    second = make_house(Store(tmp_path), FakeClock(), queue_events_per_slice=5)
    second.open()
    assert "tab" not in second.sent, "nothing is shown of a room that is only half back"
    with pytest.raises(CommandRefused, match="brought back"):
        second.command("write x 1")
    second.pass_time(5.0)
    after = second.run()
    assert after.state == before.state
    assert after.steps == before.steps
    assert after.now_us == before.now_us
    keyframe = second.sent["tab"][0]
    assert keyframe.event == "keyframe"
    assert (keyframe.payload["playing"], keyframe.payload["speed"]) == (False, 4.0)
    second.command("write z 1")


def test_a_playing_room_comes_back_playing_and_without_a_jump(make_house: MakeHouse, tmp_path: Path) -> None:
    """The time that the server was away does not count."""
    store, clock = Store(tmp_path), FakeClock()
    first = make_house(store, clock)
    first.open()
    first.pass_time(7.0)
    first.rooms.save()
    store.close()
    clock.now += 3600.0
    second = make_house(Store(tmp_path), clock)
    second.open()
    second.pass_time(1.0)
    assert second.run().now_us == pytest.approx(8_000_000, abs=100_000)


def test_a_new_run_replaces_the_stored_one(make_house: MakeHouse, tmp_path: Path) -> None:
    """Commands of the run before are not replayed."""
    store = Store(tmp_path)
    first = make_house(store)
    play_something(first)
    first.take(first.rooms.restart("tab", RestartRequest(seed=9, scenario="known")))
    first.command("write only 1")
    store.close()
    second = make_house(Store(tmp_path))
    second.open()
    second.pass_time(1.0)
    assert [text for _, _, text in second.run().state["commands"]] == ["write only 1"]
    assert second.run().start["scenario"] == "known"


def test_rooms_play_on_when_the_disk_fails(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A broken store is logged; nobody's click is refused for it."""
    house.open()
    house.rooms.store.close()
    house.command("write x 1")
    house.pass_time(1.0)
    house.open("new", "new tab")
    assert house.last("new tab")["sequence"] == -1
    assert "not kept" in caplog.text


def test_a_data_folder_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    """A file where the folder should be, and a file that is no store."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(StoreUnusable, match="Rooms cannot be kept in"):
        Store(tmp_path / "taken")
    (tmp_path / "rooms.sqlite").write_text("this is no database " * 100)
    with pytest.raises(StoreUnusable, match="not a database"):
        Store(tmp_path)


def test_the_signing_secret_is_kept_with_the_rooms(tmp_path: Path) -> None:
    """So a cookie given out before a restart is still good."""
    first = Store(tmp_path)
    secret = first.secret()
    first.close()
    assert Store(tmp_path).secret() == secret != Store(None).secret()


def test_ticks_keep_their_pace() -> None:
    """Ticks begin at even distances while there is time; requests are answered between them all the same."""
    assert rest_seconds(10.0, 10.02) == pytest.approx(TICK_SECONDS - 0.02)
    assert rest_seconds(10.0, 10.0 + TICK_SECONDS) == REST_SECONDS
    assert rest_seconds(10.0, 70.0) == REST_SECONDS
    assert rest_seconds(10.0, -3600.0) == TICK_SECONDS
