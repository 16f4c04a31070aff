"""Learners' progress on its way from one device to another: kept for some days under a code to type.

What a browser remembers of its learner comes here as a document and leaves as the same document. Nothing
says whose it is: no room, no name, no address; whoever has the code may fetch it until its time is over.
"""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from server.cluster.commands import CommandRefused
from server.pace import Bucket, Pace
from server.protocol import INTEGER_MAX, Request
from server.store import Store

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0 and O, no 1 and I: it is read from a screen and typed on another. 32, so a code is 40 random bits."""
CODE_LENGTH = 8
KEPT_DAYS = 7
KEPT_MAX = 1_000
"""Documents kept at once; the oldest makes place for a new one."""
DOCUMENT_BYTES_MAX = 128 * 1024
ROWS_MAX = 5_000
DAY_SECONDS = 24 * 3600.0
VISITORS_MAX = 10_000
"""Visitors whose haste is remembered at once."""

_NAME = "[a-z0-9-]{1,60}"
_STEP = rf"{_NAME}/{_NAME}@[0-9]{{1,6}}"


def _key(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern}$", max_length=250)


Count = Annotated[int, Field(ge=0, le=INTEGER_MAX)] | Annotated[float, Field(ge=0, le=INTEGER_MAX)]
Name = Annotated[str, StringConstraints(max_length=60)]
Words = Annotated[str, StringConstraints(max_length=500)]


class StepRow(Request):
    """What is remembered of a step."""

    done: bool
    tries: Count
    hints: Count
    prediction: Annotated[str, StringConstraints(max_length=200)] | None
    seen: Count
    at: Count


class QuizRow(Request):
    """A quiz item that comes back."""

    stage: Annotated[int, Field(ge=0, le=20)]
    due: Count | None
    correct: Name
    whys: Annotated[dict[Name, Words], Field(max_length=20)]


class DrillRow(Request):
    """The score of an interview question."""

    score: Count
    of: Count
    at: Count
    times: Count


class ChallengeRow(Request):
    """The fewest commands that a challenge took."""

    best: Annotated[int, Field(ge=1, le=10_000)]
    at: Count


class Progress(Request):
    """The document, as `static/js/lessons/progress.js` writes it."""

    version: Literal[1]
    steps: Annotated[dict[Annotated[str, _key(_STEP)], StepRow], Field(max_length=ROWS_MAX)]
    quizzes: Annotated[dict[Annotated[str, _key(f"{_STEP}#{_NAME}")], QuizRow], Field(max_length=ROWS_MAX)]
    drills: Annotated[dict[Annotated[str, _key(_NAME)], DrillRow], Field(max_length=ROWS_MAX)]
    challenges: Annotated[
        dict[Annotated[str, _key(rf"{_NAME}@[0-9]{{1,6}}")], ChallengeRow], Field(max_length=ROWS_MAX)
    ] = Field(default_factory=dict)


def read_document(body: bytes) -> Progress:
    """The document in the body of a request. Raises `CommandRefused` when it is anything else."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise CommandRefused(
            f"This progress is larger than {DOCUMENT_BYTES_MAX // 1024} KB, the most that a code carries. "
            "Save it to a file instead."
        )
    try:
        return Progress.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"])
        where = f"{place}: " if place else ""
        raise CommandRefused(f"This is no progress that can be kept: {where}{first['msg']}.") from None


def read_code(text: str) -> str:
    """A code as somebody typed it. Raises `CommandRefused` when it cannot be one."""
    code = re.sub(r"[\s-]", "", text).upper()
    if len(code) != CODE_LENGTH or set(code) - set(LETTERS):
        raise CommandRefused(
            f"A code has {CODE_LENGTH} letters and digits, and never 0, O, 1 or I. Nothing was changed."
        )
    return code


class Shelf:
    """Where documents wait for the other device.

    Whoever calls holds the registry's turn (`Rooms.turn`), which also tells the wall time."""

    VISITOR = Pace(burst=10, per_second=1 / 6)
    """Enough to mistype a code; …"""
    EVERYBODY = Pace(burst=200, per_second=5)
    """… whoever takes new cookies to try out codes needs years for one that is anybody's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._visitors: dict[str, Bucket] = {}
        self._everybody: Bucket | None = None

    def keep(self, visitor: str, body: bytes, wall: float) -> str:
        """Keep the document in a request's body; answers its code.

        Raises `CommandRefused`, `StoreUnusable`."""
        self._spend(visitor, wall)
        progress = read_document(body)
        since = wall - KEPT_DAYS * DAY_SECONDS
        while True:
            code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
            if self._store.kept_progress(code, since) is None:
                break
        self._store.keep_progress(code, progress.model_dump_json(), wall, since, KEPT_MAX)
        return code

    def fetch(self, visitor: str, code: str, wall: float) -> str:
        """The document under a code, as JSON. Raises `CommandRefused`, `StoreUnusable`."""
        self._spend(visitor, wall)
        document = self._store.kept_progress(read_code(code), wall - KEPT_DAYS * DAY_SECONDS)
        if document is None:
            raise CommandRefused(
                f"There is no progress under this code: it is mistyped, or its {KEPT_DAYS} days are over. "
                "Nothing was changed."
            )
        return document

    def _spend(self, visitor: str, wall: float) -> None:
        if len(self._visitors) >= VISITORS_MAX:
            del self._visitors[next(iter(self._visitors))]
        # The newest stand last, so that the one that makes place has asked for nothing for longest.
        own = self._visitors.pop(visitor, None) or Bucket(self.VISITOR.burst, wall)
        self._visitors[visitor] = own
        self._everybody = self._everybody or Bucket(self.EVERYBODY.burst, wall)
        if not (own.spend(wall, self.VISITOR) and self._everybody.spend(wall, self.EVERYBODY)):
            raise CommandRefused("That was too fast. Wait some seconds and try again. Nothing was changed.")
