"""Keeps rooms on disk so that they survive a restart of the server.

A run is a pure function of its start and its commands, so these are all that is stored: each command
as it is accepted, with the virtual time it was accepted at. How far the room had come is noted now
and then; after a crash it comes back at most that much earlier, and never without a command.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE secret (value BLOB NOT NULL);
CREATE TABLE room (
    key TEXT PRIMARY KEY,
    start TEXT NOT NULL,
    speed REAL NOT NULL,
    playing INTEGER NOT NULL,
    seen_at REAL NOT NULL,
    branch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE branch (
    room TEXT NOT NULL REFERENCES room (key) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    parent INTEGER,
    at_us INTEGER NOT NULL,
    events INTEGER NOT NULL,
    now_us INTEGER NOT NULL,
    PRIMARY KEY (room, number)
) WITHOUT ROWID;
CREATE TABLE command (
    room TEXT NOT NULL REFERENCES room (key) ON DELETE CASCADE,
    branch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (room, branch, position)
) WITHOUT ROWID;
"""

_PROGRESS = """
CREATE TABLE IF NOT EXISTS progress (code TEXT PRIMARY KEY, kept_at REAL NOT NULL, document TEXT NOT NULL)
"""
"""Kept for days, in a file that may be older than this table."""


class StoreUnusable(Exception):
    """The data folder cannot be used. The text is a sentence for the person who runs the server."""


OWN = "own"
"""Names, in place of a scenario that comes with the program, the one that the visitor brought."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with: a scenario, or a seed and settings; `None` and absence mean the default."""

    seed: int | None = None
    settings: dict[str, str | int | bool] = field(default_factory=dict)
    scenario: str | None = None
    lesson: str | None = None
    """The lesson or interview question whose step this is, …"""
    step: str | None = None
    """… the step, …"""
    place: str | None = None
    """… where it is not the step itself: an experiment of its own, what refutes an answer, a sentence …"""
    memory: dict[str, Any] = field(default_factory=dict)
    """… and what the learner has done in it so far."""
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The same of other lessons that the visitor was in before, by lesson, the last one left last."""
    lanes: list[dict[str, str | int | bool]] = field(default_factory=list)
    """For a comparison: the settings of each run, on top of `settings`."""
    file: str | None = None
    """The text of the scenario that a visitor brought, as a file or in a link; `scenario` is then `OWN`."""
    language: str | None = None
    """In which the lesson is read; `None`: as it was written."""


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """One accepted command and the virtual time at which it was accepted."""

    at_us: int
    text: str


@dataclass(slots=True)
class Branch:
    """One way in which a run was continued."""

    number: int
    name: str
    parent: int | None
    """The branch it left, and …"""
    at_us: int = 0
    """… at which virtual time."""
    events: int = 0
    """Events the run had when it was last noted; at least those the commands imply."""
    now_us: int = 0


@dataclass(slots=True)
class StoredRoom:
    """Everything needed to bring a room back."""

    key: str
    start: Start
    speed: float
    playing: bool
    seen_at: float
    """Wall time at which a tab was last connected."""
    branches: Sequence[Branch]
    branch: int
    """The number of the branch that is shown."""
    commands: Mapping[int, Sequence[StoredCommand]] = field(default_factory=dict)
    """By branch, what was commanded on it."""


class Store:
    """One SQLite file in a data folder, or memory when `folder` is `None`.

    Every method raises `StoreUnusable` when the file cannot be read or written."""

    def __init__(self, folder: Path | None) -> None:
        self._place = "memory" if folder is None else str(folder)
        with self._guarded():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = ":memory:" if folder is None else folder / "rooms.sqlite"
            # Whoever calls holds the registry's lock, so threads may share the connection.
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._prepare()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn the ways a file can fail into one error with one sentence."""
        try:
            yield
        except (OSError, sqlite3.Error) as problem:
            raise StoreUnusable(f"Rooms cannot be kept in {self._place}: {problem}.") from problem

    def _prepare(self) -> None:
        execute = self._database.execute
        execute("PRAGMA busy_timeout = 2000")
        execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last moments; a crash of the server loses nothing.
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA foreign_keys = ON")
        (version,) = execute("PRAGMA user_version").fetchone()
        if 0 < version < _SCHEMA_VERSION:
            # Rooms last a day; those of an older version begin anew.
            for table in ("command", "room"):
                execute(f"DROP TABLE IF EXISTS {table}")
            schema = _SCHEMA.replace("CREATE TABLE secret (value BLOB NOT NULL);", "")
            self._database.executescript(f"BEGIN; {schema} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
        elif version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
        elif version != _SCHEMA_VERSION:
            raise sqlite3.DatabaseError("the file was written by another version of this program")
        execute(_PROGRESS)

    def secret(self) -> bytes:
        """The key that room cookies are signed with: made once, kept with the rooms."""
        with self._guarded():
            row = self._database.execute("SELECT value FROM secret").fetchone()
            if row is None:
                row = (secrets.token_bytes(32),)
                self._database.execute("INSERT INTO secret VALUES (?)", row)
            return bytes(row[0])

    def begin(self, room: StoredRoom) -> None:
        """Store a room at the start of a run: its earlier commands are forgotten."""
        with self._guarded(), self._database as database:
            database.execute("BEGIN")
            database.execute("DELETE FROM room WHERE key = ?", (room.key,))
            database.execute(
                "INSERT INTO room VALUES (?, ?, ?, ?, ?, ?)",
                (
                    room.key, json.dumps(asdict(room.start)), room.speed, room.playing, room.seen_at,
                    room.branch,
                ),
            )  # fmt: skip
            for branch in room.branches:
                self._put_branch(room.key, branch)

    def add(self, key: str, branch: int, position: int, command: StoredCommand) -> None:
        """Store one accepted command, the `position`-th of its branch."""
        row = (key, branch, position, command.at_us, command.text)
        with self._guarded():
            self._database.execute("INSERT INTO command VALUES (?, ?, ?, ?, ?)", row)

    def note(self, room: StoredRoom) -> None:
        """Store how far the room has come and how it is played; its commands are stored already."""
        row = (room.speed, room.playing, room.seen_at, room.branch, room.key)
        with self._guarded(), self._database as database:
            database.execute("BEGIN")
            database.execute(
                "UPDATE room SET speed = ?, playing = ?, seen_at = ?, branch = ? WHERE key = ?", row
            )
            for branch in room.branches:
                if branch.number == room.branch:
                    self._put_branch(room.key, branch)

    def _put_branch(self, key: str, branch: Branch) -> None:
        row = (
            key, branch.number, branch.name, branch.parent, branch.at_us, branch.events, branch.now_us,
        )  # fmt: skip
        self._database.execute("INSERT OR REPLACE INTO branch VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def load(self, key: str) -> StoredRoom | None:
        """The stored room, or `None`."""
        with self._guarded():
            row = self._database.execute("SELECT * FROM room WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            branches = self._database.execute(
                "SELECT number, name, parent, at_us, events, now_us FROM branch WHERE room = ? "
                "ORDER BY number",
                (key,),
            ).fetchall()
            commands = self._database.execute(
                "SELECT branch, at_us, text FROM command WHERE room = ? ORDER BY branch, position", (key,)
            ).fetchall()
        _, start, speed, playing, seen_at, shown = row
        by_branch: dict[int, list[StoredCommand]] = {}
        for branch, at_us, text in commands:
            by_branch.setdefault(branch, []).append(StoredCommand(at_us, text))
        return StoredRoom(
            key=key,
            start=Start(**json.loads(start)),
            speed=speed,
            playing=bool(playing),
            seen_at=seen_at,
            branches=[Branch(*branch) for branch in branches],
            branch=shown,
            commands=by_branch,
        )

    def forget_unseen_since(self, wall: float) -> int:
        """Forget every room whose last tab left before `wall`; answers how many."""
        with self._guarded():
            return self._database.execute("DELETE FROM room WHERE seen_at < ?", (wall,)).rowcount

    def keep_progress(self, code: str, document: str, wall: float, since: float, most: int) -> None:
        """Keep a document under a code. Those from before `since` go; so do the oldest of too many."""
        with self._guarded(), self._database as database:
            database.execute("BEGIN")
            database.execute("DELETE FROM progress WHERE kept_at < ?", (since,))
            database.execute("INSERT INTO progress VALUES (?, ?, ?)", (code, wall, document))
            database.execute(
                "DELETE FROM progress WHERE code IN "
                "(SELECT code FROM progress ORDER BY kept_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (most,),
            )

    def kept_progress(self, code: str, since: float) -> str | None:
        """The document under a code, unless it is from before `since`."""
        with self._guarded():
            row = self._database.execute(
                "SELECT document FROM progress WHERE code = ? AND kept_at >= ?", (code, since)
            ).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Finish; the store cannot be used afterwards."""
        self._database.close()
