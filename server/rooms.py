"""All rooms: who watches which, whose turn it is to be played, and what is kept on disk.

The web layer calls in with connections and their requests, and carries every `Delivery` that comes
back to its connection. The wall clock is handed in, so that tests play days in milliseconds.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from threading import RLock

from server.cluster.commands import CommandRefused
from server.protocol import PlaybackRequest, RestartRequest
from server.room import Delivery, Replay, Room, RoomLimits, RunView, Tab
from server.store import Start, Store, StoredRoom, StoreUnusable

log = logging.getLogger(__name__)

StartRun = Callable[[Start], RunView]
"""Makes the run that a `Start` describes; raises `CommandRefused` when there is no such run."""

SWEEP_SECONDS = 60.0
"""How often rooms that nobody watches are looked at."""


class Rooms:
    """Every room there is, by the key its visitor's cookie stands for."""

    def __init__(
        self,
        start_run: StartRun,
        store: Store,
        clock: Callable[[], float],
        limits: RoomLimits | None = None,
        first_start: Start | None = None,
    ) -> None:
        self.first_start = first_start or Start()
        """What a new visitor's run begins with."""
        self.limits = limits or RoomLimits()
        self.backlog: Callable[[str], int] = lambda connection: 0
        """Packets waiting for a connection; the web layer, which knows, replaces it."""
        self.store = store
        self._start_run = start_run
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._watching: dict[str, Room] = {}
        self._swept_at = float("-inf")
        # Where requests and ticks run in threads, they take turns; each turn is short.
        self._lock = RLock()

    # --- connections ---

    def open(self, key: str, connection: str) -> list[Delivery]:
        """A tab connects to the room of its visitor, which is made, or brought back, if need be.

        Raises `CommandRefused` when there is no place for it."""
        with self._lock:
            wall = self._clock()
            room = self._rooms.get(key) or self._enter(key, wall)
            if len(room.tabs) >= self.limits.connections_max:
                raise CommandRefused(
                    f"This room is open in {self.limits.connections_max} tabs already, as many as it may be. "
                    "Close one of them."
                )
            room.tabs[connection] = Tab(connection, self.limits.requests_burst, wall)
            room.seen_at = wall
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

    def _enter(self, key: str, wall: float) -> Room:
        if len(self._rooms) >= self.limits.rooms_max:
            self._make_place()
        stored = self._load(key)
        room = self._new_room(key, wall) if stored is None else self._bring_back(stored, wall)
        self._rooms[key] = room
        return room

    def _make_place(self) -> None:
        unwatched = [room for room in self._rooms.values() if not room.tabs]
        if not unwatched:
            raise CommandRefused(
                f"All {self.limits.rooms_max:,} rooms of this server are in use. Try again a little later."
            )
        self._unload(min(unwatched, key=lambda room: room.seen_at))

    def _new_room(self, key: str, wall: float) -> Room:
        start = self.first_start
        room = Room(key, start, self._start_run(start), self.limits, wall=wall, seen_at=wall)
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
        room.replay = Replay(deque(stored.commands), stored.events, stored.now_us, stored.playing)
        room.playing = False
        return room

    # --- requests ---

    def spend(self, connection: str) -> Room:
        """The connection's room, one token poorer. Raises `CommandRefused` when it has none of either."""
        with self._lock:
            room = self._watching.get(connection)
            if room is None:
                raise CommandRefused("This page has lost its room. Reload the page.")
            room.tabs[connection].spend(self._clock(), self.limits)
            return room

    def command(self, connection: str, text: str) -> list[Delivery]:
        """Carry out one line in the connection's room, now. Raises `CommandRefused`."""
        with self._lock:
            room = self._caught_up(connection)
            accepted = room.command(text)
            position = room.commands_count
            self._keep(room, lambda: self.store.add(room.key, position, accepted))
            return self._urgent(room)

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
            room.speed = room.speed if request.speed is None else request.speed
            self._note(room)
            return self._urgent(room)

    def restart(self, connection: str, request: RestartRequest) -> list[Delivery]:
        """A new run in the same room, playing, at the same speed. Raises `CommandRefused`."""
        with self._lock:
            old = self.spend(connection)
            wall = self._clock()
            start = Start(request.seed, dict(request.settings or {}), request.scenario)
            room = Room(old.key, start, self._start_run(start), self.limits, wall=wall, seen_at=wall)
            room.speed = old.speed
            room.tabs = old.tabs
            for tab in room.tabs.values():
                tab.needs_keyframe = True
                self._watching[tab.connection] = room
            self._rooms[room.key] = room
            self._keep(room, lambda: self.store.begin(room.stored()))
            return self._urgent(room)

    def resync(self, connection: str) -> list[Delivery]:
        """The connection wants a keyframe. Raises `CommandRefused`."""
        with self._lock:
            room = self._caught_up(connection)
            room.tabs[connection].needs_keyframe = True
            return self._urgent(room)

    def _caught_up(self, connection: str) -> Room:
        """The connection's room, played up to this moment: a click lands when it was made."""
        room = self.spend(connection)
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
        try:
            return room.work(queue_events)
        except Exception:
            log.exception("A run failed and was stopped.")
            room.end("Something went wrong inside this run and it was stopped. Start a new run to go on.")
            return 0

    def _sweep(self, wall: float) -> None:
        """Pause and put away the rooms that nobody has watched for long, and forget the oldest."""
        if abs(wall - self._swept_at) < SWEEP_SECONDS:
            return
        self._swept_at = wall
        for room in list(self._rooms.values()):
            if room.tabs:
                room.seen_at = wall
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
