"""One room: a visitor's run, played against the wall clock and shown to all of its tabs.

A room turns wall time into virtual time, applies commands one after another, and cuts what happened
into numbered frames. It knows no clock and no socket: it is told the wall time, and answers with what
each tab is to be sent. `server.rooms` keeps them all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from server.branches import Branches
from server.cluster.commands import CommandRefused
from server.cluster.settings import LIMITS as RUN_LIMITS
from server.pace import Bucket, Pace
from server.protocol import BranchFrame, Frame, Keyframe, Narrated, ScriptFrame, StartFrame, StepFrame
from server.store import Start, StoredCommand, StoredRoom

MICROSECONDS = 1_000_000
"""In one second."""


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a room and all rooms together may use. Reaching one is said in a sentence."""

    rooms_max: int = 500
    """Rooms in memory; the longest unwatched one makes place for a new one."""
    connections_max: int = 8
    """Open tabs of one room."""
    events_max: int = 500_000
    """Events of one run; on reaching it the room pauses for good."""
    commands_max: int = 10_000
    """Accepted commands of one run."""
    requests_per_second: float = 50.0
    requests_burst: float = 100.0
    """What one connection may ask for at once, refilled at `requests_per_second`."""
    catch_up_seconds: float = 0.5
    """The most wall time one tick makes up for: a server that was busy goes on slower, not in a jump."""
    queue_events_per_tick: int = 2_000
    """Work of one tick, shared by all rooms that play."""
    queue_events_per_room_min: int = 50
    """What a room gets in a tick however many rooms there are."""
    queue_events_per_slice: int = 200
    """Work done before sockets are served again."""
    steps_per_frame_max: int = 400
    """A frame that would show more is replaced by a keyframe."""
    quiet_seconds: float = 0.1
    """How often tabs hear the time while nothing else happens."""
    keyframe_seconds: float = 0.25
    """How often a tab that cannot follow is given everything anew."""
    backlog_max: int = 20
    """Packets waiting for a slow connection before it is skipped."""
    recent_max: int = 50
    """Told events that a keyframe brings."""
    idle_pause_seconds: float = 300.0
    """How long a room plays on when its last tab is gone."""
    untouched_pause_seconds: float = 900.0
    """How long it plays on in open tabs when nobody does anything in them: what a run has had is kept."""
    idle_unload_seconds: float = 1_800.0
    """How long it then stays in memory; later it is brought back from the store."""
    forgotten_seconds: float = 24 * 3600.0
    """How long a room is kept when its last tab is gone."""
    idle_us: int = 1_000_000
    """Nothing told for so long is an idle stretch."""
    skipped_us_max: int = 60_000_000
    """How long a stretch may be passed over at once."""
    step_us_max: int = 2_000_000
    """How far one step goes while nothing is told."""
    history_steps: int = 10_000
    """Events of the past that a page is given; it may be given up to twice as many."""
    branch_events_max: int = 100_000
    """How long a run may be to be played again for a branch or for its history."""
    note_seconds: float = 5.0
    """How often a playing room's position is stored."""


class StepView(Protocol):
    """One event of a run, with what it changed and how it is told."""

    @property
    def sequence(self) -> int: ...
    @property
    def at_us(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def cause(self) -> int | None: ...
    @property
    def patches(self) -> list[Any]: ...
    @property
    def text(self) -> str | None: ...
    @property
    def tone(self) -> str | None: ...
    @property
    def lane(self) -> str | None: ...


class RunView(Protocol):
    """What a room needs of a run (`server.run.Run` is one)."""

    @property
    def now_us(self) -> int: ...
    @property
    def event_count(self) -> int: ...
    @property
    def told_count(self) -> int: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def start(self) -> StartFrame: ...
    @property
    def script(self) -> ScriptFrame | None: ...
    @property
    def script_done(self) -> int: ...
    @property
    def script_broken(self) -> list[int]: ...
    @property
    def notice(self) -> str | None: ...
    @property
    def lesson(self) -> dict[str, Any] | None: ...
    @property
    def memory(self) -> dict[str, Any]: ...
    def next_at_us(self) -> int | None: ...
    def ledger(self) -> list[dict[str, Any]]: ...
    def evidence(self, promise: str) -> list[dict[str, Any]]: ...
    def why(self, sequence: int | None, operation: int | None = None) -> list[dict[str, Any]]: ...
    def blank_state(self) -> dict[str, Any]: ...
    def command(self, text: str) -> None: ...
    def advance(self, until_us: int) -> None: ...
    def step(self) -> bool: ...
    def take_steps(self) -> Sequence[StepView]:
        """The steps since this was last asked."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something for one connection: the name of a socket event and its payload."""

    connection: str
    event: str
    payload: Frame | Keyframe


@dataclass(slots=True)
class Tab:
    """One connection watching a room."""

    connection: str
    bucket: Bucket
    """What it may still ask for."""
    number: int = 0
    """Of the last frame sent to it."""
    needs_keyframe: bool = True
    keyframe_at: float = float("-inf")

    def spend(self, wall: float, limits: RoomLimits) -> None:
        """Take one token. Raises `CommandRefused` when none is left."""
        if not self.bucket.spend(wall, Pace(limits.requests_burst, limits.requests_per_second)):
            raise CommandRefused(
                f"That was too fast: one tab may ask for {limits.requests_per_second:g} things a second. "
                "Wait a moment and try again."
            )


@dataclass(slots=True)
class Replay:
    """What is left to do until a stored room is where it was, or one that begins is where it is looked at."""

    slices: Iterator[None]
    playing: bool


def play_again(
    run: RunView,
    commands: Sequence[StoredCommand],
    until_us: int,
    events: int | None = None,
    slice_events: int = 200,
) -> Iterator[None]:
    """Let a new run take a course that another one took; pauses after every slice of it.

    It ends when everything due by `until_us` has happened, or after so many `events`: of the last instant
    some may have been still to come. Raises `CommandRefused` when a command does not fit the run."""
    used = 0

    def reached(moment_us: int) -> bool:
        next_us = run.next_at_us()
        return next_us is None or next_us > moment_us

    for command in commands:
        while not reached(command.at_us):
            run.step()
            used += 1
            if used % slice_events == 0:
                yield
        run.advance(command.at_us)
        run.command(command.text)
    while run.event_count < events if events is not None else not reached(until_us):
        if not run.step():
            break
        used += 1
        if used % slice_events == 0:
            yield
    if reached(until_us):
        run.advance(max(until_us, run.now_us))


def step_frame(step: StepView) -> StepFrame:
    """One event as a page takes it."""
    frame: StepFrame = {
        "sequence": step.sequence,
        "at_us": step.at_us,
        "name": step.name,
        "cause": step.cause,
        "patches": step.patches,
        "text": step.text,
        "tone": step.tone,
    }
    if step.lane is not None:
        frame["lane"] = step.lane
    return frame


@dataclass(slots=True)
class Room:
    """One visitor's run and how it is played."""

    key: str
    start: Start
    run: RunView
    limits: RoomLimits
    wall: float
    """Wall time up to which the run has been played."""
    seen_at: float
    """Wall time at which a tab was last connected."""
    speed: float = 1.0
    playing: bool = True
    told_at_us: int = 0
    """When something was last told."""
    notice: str | None = None
    """What the visitor should know about the room, such as why it stands still."""
    is_over: bool = False
    """Whether this run cannot go on; the notice says why."""
    tabs: dict[str, Tab] = field(default_factory=dict)
    replay: Replay | None = None
    number: int = 0
    """Which run this is, among all that this server has shown."""
    branches: Branches = field(default_factory=Branches)
    skips_idle: bool = False
    """Whether stretches in which nothing is told are passed over."""
    is_stored: bool = True
    """Whether the stored commands are still all of the run's."""
    commands_count: int = 0
    target_us: float = 0.0
    """Virtual time the run should have reached by now."""
    flushed_at: float = 0.0
    shown: tuple[bool, float, str | None, int] = (True, 1.0, None, 0)
    """Playing, speed, notice and script lines done as the tabs know them."""
    shown_lesson: dict[str, Any] | None = None
    """The learner's progress as the tabs know it."""
    noted_at: float = 0.0
    recent: deque[Narrated] = field(default_factory=deque)
    touched_at: float = field(init=False)
    """Wall time at which somebody last did something."""

    def __post_init__(self) -> None:
        self.touched_at = self.wall

    # --- time ---

    def owe(self, wall: float) -> None:
        """Note how far the run should be at `wall`: bounded, so that a pause of ours is not a jump."""
        elapsed = min(max(0.0, wall - self.wall), self.limits.catch_up_seconds)
        self.wall = wall
        if self.playing:
            self.target_us = max(self.target_us, self.run.now_us) + elapsed * self.speed * MICROSECONDS

    def work(self, queue_events: int) -> int:
        """Play towards the owed time with at most so many events of the queue; answers how many it took.

        A run that cannot keep up goes on later from where it is: it does not pile up a debt."""
        if self.replay is not None:
            return self._replay_some(queue_events)
        if not self.playing:
            return 0
        until_us = min(int(self.target_us), RUN_LIMITS.time_us_max)
        told_count = self.run.told_count
        used = self._advance(until_us, queue_events)
        if self.run.told_count > told_count:
            self.told_at_us = self.run.now_us
        elif self._may_skip():
            used += self._advance_to_telling(queue_events, self.limits.skipped_us_max)
            self.target_us = float(self.run.now_us)
        self._check_limits()
        return used

    def _may_skip(self) -> bool:
        """Whether nothing has been told for a while, but not for so long that nothing will be: a cluster at
        rest would be skipped through for ever."""
        silence_us = self.run.now_us - self.told_at_us
        return self.skips_idle and 0 <= silence_us - self.limits.idle_us < self.limits.skipped_us_max

    def _advance_to_telling(self, queue_events: int, within_us: int) -> int:
        """Go on until something is told, but not for ever; answers how many events that took."""
        told_count = self.run.told_count
        until_us = min(self.run.now_us + within_us, RUN_LIMITS.time_us_max)
        for used in range(queue_events):
            next_us = self.run.next_at_us()
            if next_us is None or next_us > until_us:
                return used
            self.run.step()
            if self.run.told_count > told_count:
                self.told_at_us = self.run.now_us
                return used + 1
        return queue_events

    def is_behind(self) -> bool:
        """Whether there is work left in this tick."""
        if self.replay is not None:
            return True
        next_us = self.run.next_at_us()
        return self.playing and next_us is not None and next_us <= self.target_us

    def drop_debt(self) -> None:
        """Forget owed time that could not be played."""
        if self.is_behind():
            self.target_us = float(self.run.now_us)

    def _advance(self, until_us: int, queue_events: int) -> int:
        """Let what is due by `until_us` happen; taking fewer than allowed means that it all has."""
        for used in range(queue_events):
            next_us = self.run.next_at_us()
            if next_us is None or next_us > until_us:
                self.run.advance(until_us)  # Nothing is due: only the clock moves.
                return used
            self.run.step()
        return queue_events

    def _check_limits(self) -> None:
        if self.run.event_count >= self.limits.events_max:
            reason = f"This run has had {self.limits.events_max:,} events, as many as a run may have"
        elif self.run.now_us >= RUN_LIMITS.time_us_max:
            hours = RUN_LIMITS.time_us_max // MICROSECONDS // 3600
            reason = f"This run has lasted {hours} hours, as long as a run may"
        else:
            return
        self.end(f"{reason}. Start a new run to go on.")

    def end(self, says: str) -> None:
        """This run stands still for good; the room can begin another."""
        self.playing = False
        self.replay = None
        self.is_over = True
        self.notice = says

    def _replay_some(self, queue_events: int) -> int:
        """Bring a stored room back, about so many events at a time."""
        assert self.replay is not None
        used = 0
        try:
            while used < queue_events:
                next(self.replay.slices)
                used += self.limits.queue_events_per_slice
        except StopIteration:
            self._end_replay(self.replay)
        except CommandRefused as problem:
            seconds = self.run.now_us / MICROSECONDS
            self.notice = f"This room came back only as far as {seconds:.1f} s: {problem}"
            self.is_stored = False  # What is stored can never be played; what comes now would not fit it.
            self._end_replay(self.replay)
        return used

    def _end_replay(self, replay: Replay) -> None:
        """The run is where it was."""
        self.commands_count = len(self.commands())
        self.target_us, self.told_at_us = float(self.run.now_us), self.run.now_us
        self.playing = replay.playing
        self.replay = None
        self._check_limits()

    # --- what a person asks ---

    def check_ready(self) -> None:
        """Refuse while the room comes back from the store, and when its run is over."""
        if self.replay is not None:
            raise CommandRefused("This room is being brought back. Try again in a moment.")
        if self.is_over:
            raise CommandRefused(self.notice or "This run is over. Start a new run to go on.")

    def command(self, text: str) -> StoredCommand:
        """Carry out one line at this moment. Raises `CommandRefused`; then nothing has changed."""
        self.check_ready()
        if self.commands_count >= self.limits.commands_max:
            raise CommandRefused(
                f"This run has had {self.limits.commands_max:,} commands, as many as a run may have. "
                "Start a new run to go on."
            )
        # A replay carries a command out after everything that was due at its time, so do so now.
        self.run.advance(self.run.now_us)
        at_us = self.run.now_us
        self.run.command(text)
        self.commands_count += 1
        accepted = StoredCommand(at_us, text)
        self.branches.own[self.branches.shown].append(accepted)
        return accepted

    def step(self) -> None:
        """Stop playing and go on to the next thing that is told."""
        self.check_ready()
        self.playing = False
        if self.run.next_at_us() is None:
            raise CommandRefused("Nothing is left to happen in this run: give a command.")
        if not self._advance_to_telling(self.limits.queue_events_per_tick, self.limits.step_us_max):
            self.run.step()
        self.target_us = float(self.run.now_us)
        self._check_limits()

    def play(self) -> None:
        """Let time pass."""
        self.check_ready()
        self.playing, self.notice = True, None

    def pause(self) -> None:
        """Let time stand still."""
        if self.replay is not None:
            self.replay.playing = False
        self.playing = False

    def commands(self) -> list[StoredCommand]:
        """Everything that was commanded on the way to where the run is."""
        return self.branches.commands(self.branches.shown)

    def take_run(self, run: RunView, branches: Branches, number: int) -> None:
        """Show another run, as a branch of this room: every tab starts anew with it."""
        self.run, self.branches, self.number = run, branches, number
        self.playing, self.is_over, self.notice = False, False, None
        self.commands_count = len(self.commands())
        self.target_us, self.told_at_us = float(run.now_us), run.now_us
        self.recent.clear()
        self._fresh_steps()
        for tab in self.tabs.values():
            tab.needs_keyframe = True
        self._check_limits()

    # --- frames ---

    def flush(self, wall: float, backlog: Callable[[str], int], *, is_urgent: bool) -> list[Delivery]:
        """What each tab is to be sent now. Urgent: although nothing happened in the run."""
        steps = self._fresh_steps()
        is_quiet = self.playing and abs(wall - self.flushed_at) >= self.limits.quiet_seconds
        shown = (self.playing, self.speed, self.notice or self.run.notice, self.run.script_done)
        lesson, shown_lesson = self.run.lesson, self.shown_lesson
        is_due = bool(steps) or is_urgent or is_quiet or shown != self.shown or lesson is not shown_lesson
        if self.replay is not None or not (is_due or any(tab.needs_keyframe for tab in self.tabs.values())):
            return []
        self.flushed_at, self.shown, self.shown_lesson = wall, shown, lesson
        deliveries = []
        for tab in self.tabs.values():
            if backlog(tab.connection) > self.limits.backlog_max:
                tab.needs_keyframe = True  # It reads too slowly: skip it, and start it anew later.
            elif tab.needs_keyframe or len(steps) > self.limits.steps_per_frame_max:
                tab.needs_keyframe = True
                if is_urgent or abs(wall - tab.keyframe_at) >= self.limits.keyframe_seconds:
                    deliveries.append(self._keyframe(tab, wall))
            elif is_due:
                delivery = self._frame(tab, steps)
                if lesson is not shown_lesson:
                    delivery.payload["lesson"] = lesson
                deliveries.append(delivery)
        return deliveries

    def _fresh_steps(self) -> list[StepFrame]:
        fresh: list[StepFrame] = []
        for step in self.run.take_steps():
            fresh.append(step_frame(step))
            if step.text is not None:
                self.recent.append(
                    {
                        "sequence": step.sequence,
                        "at_us": step.at_us,
                        "name": step.name,
                        "text": step.text,
                        "tone": step.tone,
                    }
                )
        while len(self.recent) > self.limits.recent_max:
            self.recent.popleft()
        return fresh

    def _frame(self, tab: Tab, steps: list[StepFrame]) -> Delivery:
        tab.number += 1
        frame: Frame = {
            "number": tab.number,
            "now_us": self.run.now_us,
            "playing": self.playing,
            "speed": self.speed,
            "steps": steps,
        }
        if (notice := self.notice or self.run.notice) is not None:
            frame["notice"] = notice
        if self.run.script_done:
            frame["script_done"] = self.run.script_done
        if self.run.script_broken:
            frame["script_broken"] = self.run.script_broken
        return Delivery(tab.connection, "frame", frame)

    def _keyframe(self, tab: Tab, wall: float) -> Delivery:
        tab.number += 1
        tab.needs_keyframe = False
        tab.keyframe_at = wall
        keyframe: Keyframe = {
            "number": tab.number,
            "now_us": self.run.now_us,
            "playing": self.playing,
            "speed": self.speed,
            "sequence": self.run.event_count - 1,
            "state": dict(self.run.state),
            "recent": list(self.recent),
            "start": self.run.start,
            "script": self.run.script,
            "run": self.number,
            "branches": self.branch_frames(),
            "branch": self.branches.shown,
            "lesson": self.run.lesson,
        }
        if (notice := self.notice or self.run.notice) is not None:
            keyframe["notice"] = notice
        return Delivery(tab.connection, "keyframe", keyframe)

    def branch_frames(self) -> list[BranchFrame]:
        """The branches as a page shows them."""
        self._note_present()
        return [
            {
                "id": branch.number, "name": branch.name, "parent": branch.parent,
                "at_us": branch.at_us, "now_us": branch.now_us,
            }
            for branch in self.branches.records.values()
        ]  # fmt: skip

    def _note_present(self) -> None:
        """Note how far the branch that is shown has come."""
        if self.replay is None:
            present = self.branches.present
            present.events, present.now_us = self.run.event_count, self.run.now_us

    def stored(self) -> StoredRoom:
        """The room as it is kept, without its commands: they are stored one by one."""
        self._note_present()
        return StoredRoom(
            self.key, self.start, self.speed,
            self.replay.playing if self.replay is not None else self.playing,
            self.seen_at, list(self.branches.records.values()), self.branches.shown,
        )  # fmt: skip
