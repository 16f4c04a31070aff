"""All rooms: who watches which, whose turn it is to be played, and what is kept on disk.

The web layer calls in with connections and their requests, and carries every `Delivery` that comes
back to its connection. The wall clock is handed in, so that tests play days in milliseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from threading import RLock
from typing import Any

from server.branches import Branches
from server.cluster.commands import CommandRefused
from server.lessons.requests import Plan
from server.pace import Bucket
from server.protocol import (
    BranchRequest,
    EnterRequest,
    LessonRequest,
    PlaybackRequest,
    RestartRequest,
    StepFrame,
)
from server.room import Delivery, Replay, Room, RoomLimits, RunView, Tab, play_again, step_frame
from server.store import OWN, Start, Store, StoredCommand, StoredRoom, StoreUnusable

log = logging.getLogger(__name__)

StartRun = Callable[[Start], RunView]
"""Makes the run that a `Start` describes; raises `CommandRefused` when there is no such run."""
PlanLesson = Callable[[LessonRequest, RunView, Mapping[str, dict[str, Any]]], Plan]
"""What a learner's message means for his room; raises `CommandRefused` when it does not fit."""

LESSONS_KEPT_MAX = 30
"""Lessons of which a room remembers what was done, besides the one that it is in."""
SWEEP_SECONDS = 60.0
"""How often rooms that nobody watches or touches are looked at."""
UNTOUCHED = "Time stands still: nobody has done anything here for a while. Press Play to go on."
TICK_SECONDS = 0.05
"""How far apart the ticks begin, where there is time for that."""
REST_SECONDS = 0.005
"""Between two ticks at least: requests are answered meanwhile."""


def rest_seconds(began_at: float, wall: float) -> float:
    """How long to rest now, after a tick that began then. A clock that was set back adds nothing."""
    return min(TICK_SECONDS, max(REST_SECONDS, TICK_SECONDS - (wall - began_at)))


def _kept(old: Room, start: Start) -> dict[str, dict[str, Any]]:
    """What was done in other lessons than the one that begins now; the last one left stands last."""
    kept = dict(old.start.kept)
    if old.start.lesson is not None and old.run.memory:
        kept.pop(old.start.lesson, None)
        kept[old.start.lesson] = old.run.memory
    if start.lesson is not None:
        kept.pop(start.lesson, None)
    return dict(list(kept.items())[-LESSONS_KEPT_MAX:])


class Rooms:
    """Every room there is, by the key its visitor's cookie stands for."""

    def __init__(
        self,
        start_run: StartRun,
        store: Store,
        clock: Callable[[], float],
        limits: RoomLimits | None = None,
        first_start: Start | None = None,
        plan_lesson: PlanLesson | None = None,
    ) -> None:
        self.first_start = first_start or Start()
        """What a new visitor's run begins with."""
        self.limits = limits or RoomLimits()
        self.backlog: Callable[[str], int] = lambda connection: 0
        """Packets waiting for a connection; the web layer, which knows, replaces it."""
        self.store = store
        self._start_run = start_run
        self._plan_lesson = plan_lesson
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._watching: dict[str, Room] = {}
        self._swept_at = float("-inf")
        self._number = int(clock() * 1000)
        """Of the newest run; a server that is started again goes on counting."""
        # Where requests and ticks run in threads, they take turns; each turn is short.
        self._lock = RLock()

    # --- connections ---

    def open(self, key: str, connection: str, first_start: Start | None = None) -> list[Delivery]:
        """A tab connects to the room of its visitor, which is made, or brought back, if need be.

        Raises `CommandRefused` when there is no place for it."""
        with self._lock:
            wall = self._clock()
            room = self._rooms.get(key) or self._enter(key, wall, first_start)
            if len(room.tabs) >= self.limits.connections_max:
                raise CommandRefused(
                    f"This room is open in {self.limits.connections_max} tabs already, as many as it may be. "
                    "Close one of them."
                )
            room.tabs[connection] = Tab(connection, Bucket(self.limits.requests_burst, wall))
            room.seen_at = room.touched_at = wall
            self._watching[connection] = room
            self._work_safely(room, self.limits.queue_events_per_slice)  # A short run is back at once.
            return room.flush(wall, self.backlog, is_urgent=False)

    def close(self, connection: str) -> None:
        """A tab is gone. Its room plays on for a while."""
        with self._lock:
            room = self._watching.pop(connection, None)
            if room is not None:
                del room.tabs[connection]
                room.seen_at = self._clock()
                self._note(room)

    def _enter(self, key: str, wall: float, first_start: Start | None) -> Room:
        if len(self._rooms) >= self.limits.rooms_max:
            self._make_place()
        stored = self._load(key)
        room = self._new_room(key, wall, first_start) if stored is None else self._bring_back(stored, wall)
        self._rooms[key] = room
        return room

    def _make_place(self) -> None:
        unwatched = [room for room in self._rooms.values() if not room.tabs]
        if not unwatched:
            raise CommandRefused(
                f"All {self.limits.rooms_max:,} rooms of this server are in use. Try again a little later."
            )
        self._unload(min(unwatched, key=lambda room: room.seen_at))

    def _new_room(self, key: str, wall: float, first_start: Start | None = None) -> Room:
        start = first_start or self.first_start
        room = Room(key, start, self._start_run(start), self.limits, wall=wall, seen_at=wall)
        room.number = self._take_number()
        self._keep(room, lambda: self.store.begin(room.stored()))
        return room

    def _bring_back(self, stored: StoredRoom, wall: float) -> Room:
        """The room as it was: its run is played again, a slice with every tick."""
        try:
            run = self._start_run(stored.start)
        except CommandRefused as problem:  # A scenario of its time is no longer there.
            room = self._new_room(stored.key, wall)
            room.notice = str(problem)
            return room
        room = Room(stored.key, stored.start, run, self.limits, wall=wall, seen_at=wall, speed=stored.speed)
        room.number = self._take_number()
        room.branches = Branches(stored.branches, stored.branch)
        for number, commands in stored.commands.items():
            room.branches.own[number] = list(commands)
        present = room.branches.present
        slices = play_again(
            run, room.commands(), present.now_us, present.events, self.limits.queue_events_per_slice
        )
        room.replay = Replay(slices, stored.playing)
        room.playing = False
        return room

    # --- requests ---

    def spend(self, connection: str, *, is_touch: bool = True) -> Room:
        """The connection's room, one token poorer. Raises `CommandRefused` when it has none of either.

        `is_touch`: somebody is at the page and does something."""
        with self._lock:
            room = self._watching.get(connection)
            if room is None:
                raise CommandRefused("This page has lost its room. Reload the page.")
            wall = self._clock()
            room.tabs[connection].spend(wall, self.limits)
            if is_touch:
                room.touched_at = wall
            return room

    def command(self, connection: str, text: str) -> list[Delivery]:
        """Carry out one line in the connection's room, now. Raises `CommandRefused`."""
        with self._lock:
            room = self._caught_up(connection)
            accepted = room.command(text)
            self._keep_command(room, accepted)
            return self._urgent(room)

    def _keep_command(self, room: Room, accepted: StoredCommand) -> None:
        number = room.branches.shown
        position = len(room.branches.own[number])
        self._keep(room, lambda: self.store.add(room.key, number, position, accepted))

    def playback(self, connection: str, request: PlaybackRequest) -> list[Delivery]:
        """Play, pause, step, or change the speed. Raises `CommandRefused`."""
        with self._lock:
            if request.action == "speed" and request.speed is None:
                raise CommandRefused("The field speed is missing: a number such as 0.5.")
            room = self._caught_up(connection)
            match request.action:
                case "play":
                    room.play()
                case "pause":
                    room.pause()
                case "step":
                    room.step()
                case "skip" | "dwell":
                    room.skips_idle = request.action == "skip"
            room.speed = room.speed if request.speed is None else request.speed
            self._note(room)
            return self._urgent(room)

    def restart(self, connection: str, request: RestartRequest) -> list[Delivery]:
        """A new run in the same room, playing, at the same speed. Raises `CommandRefused`."""
        with self._lock:
            old = self.spend(connection)
            file = old.start.file if request.scenario == OWN else None
            start = Start(
                request.seed, dict(request.settings or {}), request.scenario, file=file,
                lanes=[dict(own) for own in request.lanes or ()],
            )  # fmt: skip
            return self._urgent(self._begin(old, start))

    def begin(self, connection: str, start: Start, look_us: int | None = None) -> list[Delivery]:
        """The same with whatever a run can begin with; with a moment to look at, it stands still there.

        Raises `CommandRefused`."""
        with self._lock:
            room = self._begin(self.spend(connection), start)
            if look_us is not None:
                slices = play_again(room.run, (), look_us, None, self.limits.queue_events_per_slice)
                room.replay, room.playing = Replay(slices, playing=False), False
                self._work_safely(room, self.limits.queue_events_per_slice)
            return self._urgent(room)

    def lesson(self, connection: str, request: LessonRequest) -> list[Delivery]:
        """What a learner does in a lesson: a new run, a line for the present one, or both.

        Raises `CommandRefused`."""
        with self._lock:
            if self._plan_lesson is None:
                raise CommandRefused("This server has no lessons.")
            room = self._caught_up(connection)
            if room.replay is not None:
                if request.action == "open" and request.lesson == room.start.lesson:
                    return []  # It comes back to where its learner was.
                room.check_ready()
            plan = self._plan_lesson(request, room.run, room.start.kept)
            if plan.leaves or plan.start is not None:
                room = self._begin(room, plan.start or self.first_start)
            if plan.speed is not None:
                room.speed = plan.speed
            if plan.line is not None:
                self._keep_command(room, room.command(plan.line))
            return self._urgent(room)

    def _begin(self, old: Room, start: Start) -> Room:
        """A new run in the place of an old one."""
        wall = self._clock()
        start = replace(start, kept=_kept(old, start))
        room = Room(old.key, start, self._start_run(start), self.limits, wall=wall, seen_at=wall)
        room.number = self._take_number()
        room.speed, room.skips_idle = old.speed, old.skips_idle
        room.tabs = old.tabs
        for tab in room.tabs.values():
            tab.needs_keyframe = True
            self._watching[tab.connection] = room
        self._rooms[room.key] = room
        self._keep(room, lambda: self.store.begin(room.stored()))
        return room

    def look(self, key: str) -> Room:
        """A room that somebody is in. Raises `CommandRefused` when it is not to be had now."""
        with self._lock:
            room = self._rooms.get(key)
            if room is None or not room.tabs:
                raise CommandRefused("This room is open in no tab. Open the playground first.")
            if room.replay is not None:
                raise CommandRefused("This room is being brought back. Try again in a moment.")
            return room

    def resync(self, connection: str) -> list[Delivery]:
        """The connection wants a keyframe. Raises `CommandRefused`."""
        with self._lock:
            room = self._caught_up(connection, is_touch=False)  # Pages ask by themselves.
            room.tabs[connection].needs_keyframe = True
            return self._urgent(room)

    # --- branches and the past ---

    def branch(self, connection: str, request: BranchRequest) -> Generator[None, None, list[Delivery]]:
        """Continue the run as it was at a moment of its past. Nothing of what came after is lost: that is
        the branch which is left. Raises `CommandRefused`; then nothing has changed."""
        with self._lock:
            room = self._caught_up(connection)
            room.check_ready()
            self._check_length(room)
            room.branches.check_room_for_one()
            if request.at_us > room.run.now_us:
                raise CommandRefused("That moment is still to come: a branch begins now or in the past.")
            commands = [each for each in room.commands() if each.at_us <= request.at_us]
            number = room.number
        run = yield from self._played(room.start, commands, request.at_us)
        with self._lock:
            self._check_unchanged(room, number)
            if request.text is not None:
                run.command(request.text)
            room.stored()  # Notes how far the branch that is left has come.
            self._note(room)
            room.branches.add(request.text, request.at_us)
            room.take_run(run, room.branches, self._take_number())
            self._note(room)
            if request.text is not None:
                accepted = StoredCommand(request.at_us, request.text)
                room.branches.own[room.branches.shown].append(accepted)
                room.commands_count += 1
                self._keep_command(room, accepted)
            return self._urgent(room)

    def enter(self, connection: str, request: EnterRequest) -> Generator[None, None, list[Delivery]]:
        """Go to where another branch was left. Raises `CommandRefused`."""
        with self._lock:
            room = self._caught_up(connection)
            if room.replay is not None:
                room.check_ready()
            branch = room.branches.find(request.branch)
            number = room.number
            self._note(room)
            commands = room.branches.commands(branch.number)
        run = yield from self._played(room.start, commands, branch.now_us, branch.events)
        with self._lock:
            self._check_unchanged(room, number)
            room.branches.shown = branch.number
            room.take_run(run, room.branches, self._take_number())
            self._note(room)
            return self._urgent(room)

    def history(self, key: str) -> Generator[None, None, dict[str, Any] | None]:
        """What has happened in a room so far, as its pages fold it: the document before the first step,
        and the steps. `None` when there is no such room. Raises `CommandRefused` for too long a run."""
        with self._lock:
            room = self._rooms.get(key)
            if room is None or room.replay is not None:
                return None
            self._check_length(room)
            commands, events, now_us = room.commands(), room.run.event_count, room.run.now_us
            start, number = room.start, room.number
        run = self._start_run(start)
        older: list[StepFrame] = []
        steps: list[StepFrame] = []
        before_older = before_steps = run.blank_state()
        slices = play_again(run, commands, now_us, events, self.limits.queue_events_per_slice)
        for _ in slices:
            steps += map(step_frame, run.take_steps())
            if len(steps) >= self.limits.history_steps:
                before_older, before_steps = before_steps, deepcopy(dict(run.state))
                older, steps = steps, []  # What is older still is left out.
            yield
        steps += map(step_frame, run.take_steps())
        return {"run": number, "state": before_older, "steps": older + steps}

    def _played(
        self, start: Start, commands: Sequence[StoredCommand], until_us: int, events: int | None = None
    ) -> Generator[None, None, RunView]:
        """Another run that takes the same course."""
        run = self._start_run(start)
        yield from play_again(run, commands, until_us, events, self.limits.queue_events_per_slice)
        return run

    def _check_length(self, room: Room) -> None:
        if room.run.event_count > self.limits.branch_events_max:
            raise CommandRefused(
                f"This run has had more than {self.limits.branch_events_max:,} events: too many to go back "
                "in it. Start a new run to go on."
            )

    def _check_unchanged(self, room: Room, number: int) -> None:
        if self._rooms.get(room.key) is not room or room.number != number:
            raise CommandRefused("Another run was begun in this room meanwhile.")

    def _take_number(self) -> int:
        self._number += 1
        return self._number

    def _caught_up(self, connection: str, *, is_touch: bool = True) -> Room:
        """The connection's room, played up to this moment: a click lands when it was made."""
        room = self.spend(connection, is_touch=is_touch)
        room.owe(self._clock())
        self._work_safely(room, self.limits.queue_events_per_slice)
        return room

    def _urgent(self, room: Room) -> list[Delivery]:
        return room.flush(self._clock(), self.backlog, is_urgent=True)

    # --- time ---

    def tick(self) -> Iterator[list[Delivery]]:
        """Play every room up to now. Yields after each slice of work, so that others get their turn."""
        with self._lock:
            wall = self._clock()
            self._sweep(wall)
            rooms = list(self._rooms.values())
            busy = sum(1 for room in rooms if room.playing or room.replay is not None)
            share = self.limits.queue_events_per_tick // max(1, busy)
            share = max(self.limits.queue_events_per_room_min, share)
        for room in rooms:
            yield from self._play(room, share)

    def _play(self, room: Room, share: int) -> Iterator[list[Delivery]]:
        """One room's part of a tick: slices of work, then what its tabs are sent."""
        with self._lock:
            room.owe(self._clock())
        while share > 0:
            with self._lock:
                used = self._work_safely(room, min(share, self.limits.queue_events_per_slice))
                share -= max(1, used)
                is_behind = room.is_behind()
            if not is_behind:
                break
            yield []
        with self._lock:
            if self._rooms.get(room.key) is not room:
                return  # It was restarted, or put away, between two slices.
            room.drop_debt()
            self._note_now_and_then(room)
            deliveries = room.flush(self._clock(), self.backlog, is_urgent=False)
        if deliveries:
            yield deliveries

    def _work_safely(self, room: Room, queue_events: int) -> int:
        """A fault in one run stops that run and no other."""
        was_coming = room.replay is not None
        try:
            used = room.work(queue_events)
            if was_coming and room.replay is None:
                self._note(room)
            return used
        except Exception:
            log.exception("A run failed and was stopped.")
            room.end("Something went wrong inside this run and it was stopped. Start a new run to go on.")
            return 0

    def _sweep(self, wall: float) -> None:
        """Pause the rooms that nobody has touched for long, put away those that nobody has watched, and
        forget the oldest."""
        if abs(wall - self._swept_at) < SWEEP_SECONDS:
            return
        self._swept_at = wall
        for room in list(self._rooms.values()):
            if room.tabs:
                room.seen_at = wall
                if room.playing and wall - room.touched_at >= self.limits.untouched_pause_seconds:
                    room.pause()
                    room.notice = UNTOUCHED
                    self._note(room)
                continue
            idle_seconds = wall - room.seen_at
            if idle_seconds >= self.limits.idle_unload_seconds and room.is_stored:
                self._unload(room)
            elif idle_seconds >= self.limits.idle_pause_seconds and room.playing:
                room.pause()
                self._note(room)
        try:
            self.store.forget_unseen_since(wall - self.limits.forgotten_seconds)
        except StoreUnusable as problem:
            log.error("%s", problem)

    def _unload(self, room: Room) -> None:
        """Put a room away, paused: it is brought back from the store when its visitor returns."""
        room.pause()
        self._note(room)
        del self._rooms[room.key]

    # --- the store ---

    @contextmanager
    def turn(self) -> Iterator[float]:
        """A moment in which nobody else is at the rooms or the store; tells the wall time."""
        with self._lock:
            yield self._clock()

    def wall(self) -> float:
        """The wall time in seconds."""
        return self._clock()

    def save(self) -> None:
        """Note where every room is: to be called before the server ends."""
        with self._lock:
            for room in self._rooms.values():
                self._note(room)

    def count(self) -> int:
        """Rooms in memory."""
        return len(self._rooms)

    def _note(self, room: Room) -> None:
        room.noted_at = self._clock()
        if room.replay is None:  # What is still being brought back is stored already.
            self._keep(room, lambda: self.store.note(room.stored()))

    def _note_now_and_then(self, room: Room) -> None:
        if room.playing and abs(self._clock() - room.noted_at) >= self.limits.note_seconds:
            self._note(room)

    def _keep(self, room: Room, action: Callable[[], None]) -> None:
        """Store something of a room. When that fails the room goes on, and is not stored any more:
        a later command without an earlier one would bring back another run."""
        if not room.is_stored:
            return
        try:
            action()
        except StoreUnusable as problem:
            log.error("A room plays on but is not kept: %s", problem)
            room.is_stored = False

    def _load(self, key: str) -> StoredRoom | None:
        try:
            return self.store.load(key)
        except StoreUnusable as problem:
            log.error("%s", problem)
            return None
