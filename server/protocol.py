"""What travels on the socket: every message a browser may send, and the shape of every answer.

`read_request` is the one gate: a payload comes out as a checked record or is refused with a sentence
that names the field at fault. Frames are described as typed dictionaries because they are built by
the thousand and need no checking.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from server.cluster.commands import CommandRefused

COMMAND_CHARACTERS_MAX = 200
LINK_CHARACTERS_MAX = 8_000
"""Far longer than a link may be, so that whoever reads it can say what is wrong with it."""
SPEED_MIN = 0.05
SPEED_MAX = 20.0
SETTINGS_MAX = 40
"""Settings one restart may name."""
INTEGER_MAX = 2**53 - 1
"""The largest whole number that a browser can hold exactly."""

Line = Annotated[str, StringConstraints(max_length=COMMAND_CHARACTERS_MAX)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Whole = Annotated[int, Field(ge=0, le=INTEGER_MAX)]


Values = Annotated[dict[Word, Word | Whole | bool], Field(max_length=SETTINGS_MAX)]
"""Settings by name."""


class Request(BaseModel):
    """Base of all messages from a browser: no extra field, no guessing of types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CommandRequest(Request):
    """A line of the command language, to be carried out now."""

    text: Line


class PlaybackRequest(Request):
    """Play, pause, step to the next thing told, skip idle stretches or dwell on them, or change the speed
    (which any of them may do as well)."""

    action: Literal["play", "pause", "step", "speed", "skip", "dwell"]
    speed: Annotated[float, Field(ge=SPEED_MIN, le=SPEED_MAX, allow_inf_nan=False)] | None = None


class RestartRequest(Request):
    """A new run in the same room. What is not named is as the scenario, or the default run, has it."""

    seed: Whole | None = None
    settings: Values | None = None
    scenario: Word | None = None
    lanes: Annotated[list[Values], Field(min_length=2, max_length=3)] | None = None
    """For a comparison: the settings of each run."""


class ResyncRequest(Request):
    """The browser missed a frame and wants everything anew."""


class CompleteRequest(Request):
    """What could follow this beginning of a command?"""

    text: Line


class LedgerRequest(Request):
    """The life lines of the newest writes."""


class EvidenceRequest(Request):
    """What shows that a promise is broken?"""

    promise: Word


class WhyRequest(Request):
    """What led to an event, or became of a write?"""

    sequence: Whole | None = None
    operation: Whole | None = None


class BranchRequest(Request):
    """Continue the run as it was at a moment of its past, beginning with a command if one is given."""

    at_us: Whole
    text: Line | None = None


class EnterRequest(Request):
    """Go to another branch."""

    branch: Whole


Identifier = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9-]+$")]


class LessonRequest(Request):
    """What a learner does in a lesson."""

    action: Literal[
        "open",
        "next",
        "answer",
        "run",
        "hint",
        "show",
        "refute",
        "sentence",
        "restore",
        "explore",
        "again",
        "leave",
    ]
    lesson: Identifier | None = None
    step: Identifier | None = None
    question: Identifier | None = None
    answer: Identifier | Annotated[list[Identifier], Field(max_length=20)] | int | float | None = None
    run: Identifier | None = None
    option: Identifier | None = None
    item: Identifier | None = None
    language: Word | None = None
    """In which a lesson that is opened is to be read; `None`: as it was written."""


class OpenRequest(Request):
    """Begin the run that a link describes, in place of the one that is here."""

    link: Annotated[str, StringConstraints(max_length=LINK_CHARACTERS_MAX)]


class ShareRequest(Request):
    """The link to the run as it is, or to a moment of it."""

    look_us: Whole | None = None


REQUESTS: dict[str, type[Request]] = {
    "command": CommandRequest,
    "playback": PlaybackRequest,
    "restart": RestartRequest,
    "resync": ResyncRequest,
    "complete": CompleteRequest,
    "ledger": LedgerRequest,
    "evidence": EvidenceRequest,
    "open": OpenRequest,
    "share": ShareRequest,
    "why": WhyRequest,
    "branch": BranchRequest,
    "enter": EnterRequest,
    "lesson": LessonRequest,
}
"""Every message a browser may send, by its event name."""


def read_request(name: object, payload: object) -> Request:
    """The checked record of one message. Raises `CommandRefused` with a sentence naming the field."""
    kind = REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise CommandRefused(f"The server knows no such message; it knows {', '.join(REQUESTS)}.")
    if not isinstance(payload, dict):
        raise CommandRefused(f"The message {name} takes an object with named fields and nothing else.")
    try:
        return kind.model_validate(payload)
    except ValidationError as problem:
        raise CommandRefused(_sentence(str(name), kind, problem)) from None


def _sentence(name: str, kind: type[Request], problem: ValidationError) -> str:
    """The first thing wrong with a payload, in words for a person."""
    error = problem.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part)[:40] for part in error["loc"][:2]) or name
    limits = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"The field {field} is missing from the message {name}."
        case "extra_forbidden":
            known = ", ".join(kind.model_fields) or "none"
            return f"The message {name} has no field {field}; its fields: {known}."
        case "string_too_long":
            return f"The field {field} may have at most {limits['max_length']} characters."
        case "literal_error":
            return f"The field {field} must be {limits['expected']}."
        case "greater_than_equal" | "less_than_equal" if field == "speed":
            return f"The speed goes from {SPEED_MIN} to {SPEED_MAX:g}."
        case "string_pattern_mismatch":
            return f"The field {field} takes an id: small letters, digits and hyphens."
        case "too_short":
            return f"The field {field} has at least {limits['min_length']} entries."
        case "too_long":
            return f"The field {field} may have at most {limits['max_length']} entries."
        case _:
            return f"The field {field} does not fit: {error['msg'].lower()}."


# --- from the server -----------------------------------------------------------------------------


class StepFrame(TypedDict):
    """One event and what it changed in the visible state."""

    sequence: int
    at_us: int
    name: str
    cause: int | None
    patches: list[Any]
    text: str | None
    tone: str | None
    lane: NotRequired[str]
    """In a comparison: the run that it happened in."""


class BranchFrame(TypedDict):
    """One way in which the run was continued."""

    id: int
    name: str
    parent: int | None
    at_us: int
    now_us: int


class Narrated(TypedDict):
    """One event worth telling, without what it changed."""

    sequence: int
    at_us: int
    name: str
    text: str
    tone: str | None


class StartFrame(TypedDict):
    """What the run began with."""

    seed: int
    settings: dict[str, str | int | bool]
    scenario: str | None
    lanes: NotRequired[list[dict[str, str | int | bool]]]
    """For a comparison: the settings of each run."""


class ScriptLine(TypedDict):
    """One line of the scenario being played."""

    text: str
    done: bool


class ScriptFrame(TypedDict):
    """The scenario being played."""

    title: str
    about: str
    lines: list[ScriptLine]
    broken: list[int]
    """Which lines expected what did not come true, counted from 0."""


class Frame(TypedDict):
    """What happened since the frame with the number before."""

    number: int
    now_us: int
    playing: bool
    speed: float
    steps: list[StepFrame]
    notice: NotRequired[str]
    """Something to tell the visitor about the room, such as why it stands still."""
    script_done: NotRequired[int]
    """How many lines of the scenario's script are done, once some are."""
    lesson: NotRequired[dict[str, Any] | None]
    """The learner's progress in a lesson, when it changed."""
    script_broken: NotRequired[list[int]]
    """Which of them expected what did not come true, once there are such."""


class Keyframe(TypedDict):
    """Everything visible: enough to start from."""

    number: int
    now_us: int
    playing: bool
    speed: float
    sequence: int
    state: dict[str, Any]
    recent: list[Narrated]
    start: StartFrame
    script: ScriptFrame | None
    run: int
    """Which run this is: another after a restart and on another branch."""
    branches: list[BranchFrame]
    branch: int
    lesson: dict[str, Any] | None
    """The learner's progress, when the room is in a lesson."""
    notice: NotRequired[str]


class Refusal(TypedDict):
    """Why something was not done, in one sentence; the word at fault where there is one."""

    says: str
    word: str | None
    at: int | None
    fits: list[str]


class Answer(TypedDict):
    """The acknowledgement of every message."""

    ok: bool
    error: NotRequired[Refusal]
    completions: NotRequired[list[str]]
    hint: NotRequired[str]
    lines: NotRequired[list[dict[str, Any]]]
    """Life lines of writes, newest first (`Ledger.line`)."""
    link: NotRequired[str]
    """The query of a link to the run; absent when the run does not fit into one, …"""
    says: NotRequired[str]
    """… and what it carries, or why there is none."""
    findings: NotRequired[list[dict[str, Any]]]
    """Breaches of one promise: `says` and `operations`."""
    chain: NotRequired[list[dict[str, Any]]]
    """What led to an event, from the command or timer that began it; `asked` is the event itself."""


def accepted() -> Answer:
    """The answer to what was done."""
    return {"ok": True}


def refused(problem: CommandRefused) -> Answer:
    """The answer to what was not done; language errors also name the word."""
    return {
        "ok": False,
        "error": {
            "says": str(problem),
            "word": getattr(problem, "word", None),
            "at": getattr(problem, "at", None),
            "fits": list(getattr(problem, "fits", None) or ()),
        },
    }
