"""What a lesson is made of, once its file has been read and checked: plain records.

Conditions are kept as text that is known to be good: each learner's session compiles its own, because
`ever(…)` and its like remember. Times are in microseconds of virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from server.language import Directive, Match
from server.language.vocabulary import Kind
from server.scenario import ScriptLine

Commands = tuple[ScriptLine, ...]
"""Lines of the command language, parsed."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a run begins, or, without a scene, how one that goes on is changed."""

    use: str | None = None
    """A scene's id; `None`: not named."""
    settings: dict[str, str | int | bool] = field(default_factory=dict)
    script: Commands = ()
    at_us: int | None = None
    speed: float | None = None
    lock: tuple[str, ...] = ()
    """Beginnings of commands that the step keeps for later: the page hides their controls."""
    only: tuple[str, ...] | None = None
    """Beginnings of the only commands that the step offers; `None`: all."""
    line: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it names something that only a new run can have."""
        return self.use is not None


@dataclass(frozen=True, slots=True)
class Measure:
    """How the truth of a question is taken from the learner's own run."""

    stage: str
    """`run:<id>` or `do:<step>`: what is being measured while it lasts."""
    form: str
    text: str
    kind: Kind
    at: str | None = None
    """Only for `probe`: the value is taken at the first instant this holds."""
    versus: str | None = None
    """The stage whose value is `y`."""
    means: str | None = None
    """What the value is, for a person, where the question does not say so."""


MEASURE_FORMS = ("probe", "change", "most", "least", "lasted", "first", "values", "answers")


@dataclass(frozen=True, slots=True)
class Show:
    """What is played to refute a wrong answer."""

    setup: Setup
    is_from_step: bool
    """Whether it begins where the question's step begins, instead of in a setup of its own."""
    is_scene: bool = False
    """Whether it is a scene's own story, played from its beginning."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that can be chosen."""

    id: str
    text: str
    match: Match | None
    when: str | None
    misconception: str | None
    why: str | None
    show: Show | None
    line: int


@dataclass(frozen=True, slots=True)
class Slip:
    """A recognised wrong number."""

    id: str
    match: Match
    misconception: str
    why: str
    line: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from the truth."""

    amount: float
    is_percent: bool

    def covers(self, answer: float, truth: float) -> bool:
        """Whether an answer is near enough."""
        reach = abs(truth) * self.amount / 100 if self.is_percent else self.amount
        return abs(answer - truth) <= reach


@dataclass(frozen=True, slots=True)
class Question:
    """A predict, observe or quiz block."""

    id: str
    block: str
    """predict, observe or quiz."""
    choice: str
    """one, many, number or order."""
    ask: str
    options: tuple[Option, ...]
    measure: Measure | None
    answer: str | None
    """A quiz's right option."""
    explain_after: bool
    unit: str | None
    tolerance: Tolerance
    match: Match | None
    slips: tuple[Slip, ...]
    line: int

    def option(self, name: str) -> Option | None:
        """One option by its id."""
        return next((each for each in self.options if each.id == name), None)


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a goal, with its own truth."""

    id: str
    text: str
    kind: str
    """now, ever, always, held or order."""
    conditions: tuple[str, ...]
    for_us: int
    line: int


@dataclass(frozen=True, slots=True)
class Nudge:
    """A recognised wrong path."""

    id: str
    when: str
    after_us: int
    say: str
    misconception: str | None
    misfire: Commands
    line: int


@dataclass(frozen=True, slots=True)
class Task:
    """A do block: what the learner is to bring about."""

    id: str
    goal: tuple[Clause, ...]
    need: str
    within_us: int | None
    fade: int
    allow: tuple[str, ...] | None
    forbid: tuple[str, ...]
    """Beginnings of commands, such as `kill` or `set replication`."""
    solution: Commands
    hints: tuple[str, ...]
    nudges: tuple[Nudge, ...]
    is_impossible: bool
    """Of a challenge: nothing reaches this goal, and the learner is to find out why."""
    line: int

    @property
    def par(self) -> int | None:
        """How many commands the solution takes; waiting is free."""
        if self.is_impossible:
            return None
        return sum(not isinstance(line.action, Directive) for line in self.solution)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A run block: commands played for the learner, during which predictions are measured."""

    id: str
    text: str | None
    setup: Setup | None
    """Where it starts afresh; `None`: it goes on with the learner's run."""
    script: Commands
    line: int


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown of the author, rendered."""

    html: str
    words: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Focus:
    """What to look at."""

    targets: tuple[str, ...]
    dim: bool


@dataclass(frozen=True, slots=True)
class Explain:
    """What is shown once the measurement is there."""

    html: str
    words: int
    after: tuple[str, ...]
    reveal_if: tuple[tuple[str, str], ...]
    line: int
    text: str
    """As it was written."""
    has_own_after: bool = False
    """Whether its author wrote what it waits for; if not, it waits for all that stands before it."""


@dataclass(frozen=True, slots=True)
class Note:
    """For the presenter only."""

    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an interview answer, with what plays it and what must then hold."""

    id: str
    say: str
    setup: Setup
    script: Commands
    expect: str
    line: int


@dataclass(frozen=True, slots=True)
class Sentences:
    """A short_answer or hides block."""

    block: str
    items: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Senior:
    """The strong answer."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What the interviewer asks next."""

    questions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a candidate scores himself against."""

    points: tuple[tuple[str, str], ...]


Block = (
    Prose | Setup | Focus | Question | Task | Experiment | Explain | Note | Sentences | Senior | FollowUps
    | Rubric
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a lesson: a heading and what stands under it."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    line: int

    @property
    def setup(self) -> Setup | None:
        """Its scene block."""
        return next((each for each in self.blocks if isinstance(each, Setup)), None)

    @property
    def task(self) -> Task | None:
        """Its do block."""
        return next((each for each in self.blocks if isinstance(each, Task)), None)

    @property
    def experiments(self) -> list[Experiment]:
        """Its run blocks."""
        return [each for each in self.blocks if isinstance(each, Experiment)]

    @property
    def questions(self) -> list[Question]:
        """Its predict, observe and quiz blocks."""
        return [each for each in self.blocks if isinstance(each, Question)]

    @property
    def explains(self) -> list[Explain]:
        """Its explain blocks."""
        return [each for each in self.blocks if isinstance(each, Explain)]

    @property
    def sentences(self) -> list[Sentence]:
        """What of an interview answer can be played here."""
        return [item for each in self.blocks if isinstance(each, Sentences) for item in each.items]

    @property
    def words(self) -> int:
        """Words of prose."""
        return sum(each.words for each in self.blocks if isinstance(each, Prose))


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson, an interview question or a challenge."""

    kind: str
    """lesson, interview or challenge."""
    id: str
    number: int
    """Its place in the course: the number in its file's name."""
    file: str
    revision: str
    """A digest of the file."""
    rev: int
    title: str
    minutes: int
    level: int
    status: str
    needs: tuple[str, ...]
    concepts: tuple[str, ...]
    misconceptions: tuple[str, ...]
    scene: str
    settings: dict[str, str | int | bool]
    seeds: tuple[int, ...]
    goal: str
    question: str | None
    source: str | None
    steps: tuple[Step, ...]
    language: str | None = None
    """Into which its texts are translated; `None`: they are as the file has them."""
    path: Path | None = None
    """Where its file lies; `None`: it was read from a text."""

    def step(self, name: str) -> Step | None:
        """One step by its id."""
        return next((each for each in self.steps if each.id == name), None)

    @property
    def challenge(self) -> Task | None:
        """What a challenge asks for; `None` of anything else."""
        return self.steps[0].task if self.kind == "challenge" else None

    def questions(self) -> list[Question]:
        """Every question of every step."""
        return [question for step in self.steps for question in step.questions]

    def question_named(self, name: str) -> Question | None:
        """One question by its id."""
        return next((each for each in self.questions() if each.id == name), None)

    def experiment(self, name: str) -> Experiment | None:
        """One run block by its id."""
        return next((run for step in self.steps for run in step.experiments if run.id == name), None)

    def sentence(self, name: str) -> Sentence | None:
        """One sentence of an interview answer by its id."""
        return next((item for step in self.steps for item in step.sentences if item.id == name), None)

    def base(self, step: Step) -> Step:
        """The step whose opening starts the run that this step goes on with."""
        place = self.steps.index(step)
        for each in reversed(self.steps[: place + 1]):
            if each.setup is not None and each.setup.is_fresh:
                return each
        return self.steps[0]


@dataclass(frozen=True, slots=True)
class Misconception:
    """A wrong belief that lessons confront."""

    id: str
    belief: str
    tempting: str
    lesson: str | None
    step: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the field."""

    term: str
    says: str
    aliases: dict[str, str]
