"""The blocks of a step: each read from its fields into its record, every condition and command checked.

What refers to something elsewhere in the file or in other files (scenes, misconceptions, stages) is checked
by `server.lessons.loader` when the whole file is known.
"""

from __future__ import annotations

from collections.abc import Callable

from server.cluster.commands import CommandRefused
from server.language import (
    Expression,
    Match,
    compile_condition,
    compile_expression,
    compile_match,
    parse,
    read_time,
)
from server.language.vocabulary import NUMBER, TEXT, TIME, Kind
from server.lessons.fields import IDENTIFIER, Fields, Place
from server.lessons.markdown import render
from server.lessons.records import (
    MEASURE_FORMS,
    Block,
    Clause,
    Commands,
    Experiment,
    Explain,
    Focus,
    FollowUps,
    Measure,
    Note,
    Nudge,
    Option,
    Question,
    Rubric,
    Senior,
    Sentence,
    Sentences,
    Setup,
    Show,
    Slip,
    Task,
    Tolerance,
)
from server.protocol import SPEED_MAX, SPEED_MIN
from server.scenario import ScriptLine, read_settings

CLAUSE_KINDS = ("now", "ever", "always", "held", "order")
CHOICES = ("one", "many", "number", "order")
HINTS_MAX = 3
UNITS = {"ms": 1_000, "s": 1_000_000}
"""Microseconds in each unit a person may answer in."""


class Reader:
    """Reads the blocks of one step."""

    def __init__(self, step: str) -> None:
        self.step = step
        self._questions = 0
        self._explains = 0

    def read(self, name: str, fields: Fields) -> Block:
        """One block. Raises `LessonError`."""
        block = READERS[name](self, fields)
        fields.end()
        return block

    # --- set-up ---

    def scene(self, fields: Fields) -> Setup:
        """A scene block."""
        setup = read_setup(fields)
        if setup.at_us is not None and not setup.is_fresh:
            raise fields.error("at", "only a new run can begin later: name its scene with `use`.")
        return setup

    def focus(self, fields: Fields) -> Focus:
        """A focus block."""
        return Focus(fields.words("targets"), fields.flag("dim", True))

    def run(self, fields: Fields) -> Experiment:
        """A run block."""
        name = fields.identifier("id", self.step)
        text = fields.optional_text("text")
        is_fresh = "use" in fields or "set" in fields
        use = fields.identifier("use") if "use" in fields else None
        setup = Setup(use=use, settings=read_set(fields), line=fields.place.line) if is_fresh else None
        script = read_commands(fields, "do")
        if not script:
            raise fields.error("do", "an experiment has at least one command.")
        return Experiment(name, text, setup, script, fields.place.line)

    # --- questions ---

    def predict(self, fields: Fields) -> Question:
        """A predict block."""
        return self._question("predict", fields)

    def observe(self, fields: Fields) -> Question:
        """An observe block."""
        return self._question("observe", fields)

    def quiz(self, fields: Fields) -> Question:
        """A quiz block."""
        return self._question("quiz", fields)

    def _question(self, block: str, fields: Fields) -> Question:
        self._questions += 1
        default = self.step if self._questions == 1 else f"{self.step}-{self._questions}"
        name = fields.identifier("id", default)
        ask = fields.text("ask")
        choice = fields.choice("kind", CHOICES, "one")
        measure = read_measure(fields) if block != "quiz" or "measure" in fields else None
        if measure is None and choice != "one":
            raise fields.error("kind", "a quiz without `measure` has one right option.")
        kinds = match_kinds(measure)
        options = tuple(read_option(each, choice, kinds) for each in fields.mappings("options"))
        check_options(fields, choice, options)
        answer = fields.identifier("answer") if measure is None else None
        if answer is not None and answer not in [option.id for option in options]:
            raise fields.error("answer", f"there is no option {answer!r}.")
        explain_after = fields.flag("explain_after", True)
        unit = read_unit(fields, measure)
        match = read_match(fields, "match", kinds) if choice == "number" else None
        if choice == "number" and match is None:
            raise fields.error("match", "a number needs a match that the measured x must fulfil.")
        slips = tuple(read_slip(each, kinds) for each in fields.mappings("slips"))
        return Question(
            name, block, choice, ask, options, measure, answer, explain_after, unit,
            read_tolerance(fields), match, slips, fields.place.line,
        )  # fmt: skip

    # --- tasks ---

    def do(self, fields: Fields) -> Task:
        """A do block."""
        goal = tuple(read_clause(each) for each in fields.mappings("goal"))
        if not goal:
            raise fields.error("goal", "a goal has at least one clause.")
        hints = fields.words("hints")
        if len(hints) > HINTS_MAX:
            raise fields.error("hints", f"at most {HINTS_MAX} hints.")
        solution = read_commands(fields, "solution")
        is_impossible = fields.flag("impossible", False)
        if not solution and not is_impossible:
            raise fields.error("solution", "the commands that reach the goal are missing.")
        if solution and is_impossible:
            raise fields.error("solution", "an impossible goal has no solution.")
        task = Task(
            id=fields.identifier("id", self.step),
            goal=goal,
            need=fields.choice("need", ("all", "any"), "all"),
            within_us=read_duration(fields, "within"),
            fade=fields.whole("fade", 0, 3, 1),
            allow=fields.words("allow") if "allow" in fields else None,
            forbid=fields.words("forbid"),
            solution=solution,
            hints=hints,
            nudges=tuple(read_nudge(each) for each in fields.mappings("nudges")),
            is_impossible=is_impossible,
            line=fields.place.line,
        )
        if task.id != self.step:
            raise fields.error("id", "a do block has the id of its step: leave it out.")
        check_unique(fields, "goal", [clause.id for clause in task.goal])
        check_unique(fields, "nudges", [nudge.id for nudge in task.nudges])
        return task

    # --- texts ---

    def explain(self, fields: Fields) -> Explain:
        """An explain block."""
        source = fields.text("text")
        html, words = render(source)
        reveal = []
        for text, place in fields.texts("reveal_if"):
            question, _, option = text.partition(".")
            if not option:
                raise place.error(f"{text!r} names no question and option, such as bet.none.", "reveal_if")
            reveal.append((question, option))
        self._explains += 1
        after = fields.words("after") if "after" in fields else ()
        return Explain(html, words, after, tuple(reveal), fields.place.line, source, bool(after))

    def note(self, fields: Fields) -> Note:
        """A note block."""
        names = ("say", "ask", "watch_for", "minutes", "if_low", "if_high")
        return Note({name: fields.text(name) for name in names if name in fields or fields.take(name)})

    def short_answer(self, fields: Fields) -> Sentences:
        """A short_answer block."""
        return read_sentences(fields, "short_answer", "sentences")

    def hides(self, fields: Fields) -> Sentences:
        """A hides block."""
        return read_sentences(fields, "hides", "points")

    def senior(self, fields: Fields) -> Senior:
        """A senior block."""
        source = fields.text("text")
        return Senior(render(source)[0], source)

    def follow_ups(self, fields: Fields) -> FollowUps:
        """A follow_ups block."""
        return FollowUps(
            tuple(_pairs(fields, "questions", lambda each: (each.text("ask"), each.text("answer"))))
        )

    def rubric(self, fields: Fields) -> Rubric:
        """A rubric block."""
        points = tuple(_pairs(fields, "points", lambda each: (each.identifier(), each.text("text"))))
        check_unique(fields, "points", [name for name, _ in points])
        return Rubric(points)


READERS: dict[str, Callable[[Reader, Fields], Block]] = {
    name: getattr(Reader, name)
    for name in (
        "scene", "focus", "predict", "do", "run", "observe", "explain", "quiz", "note",
        "short_answer", "hides", "senior", "follow_ups", "rubric",
    )
}  # fmt: skip


# --- pieces --------------------------------------------------------------------------------------


def _pairs(fields: Fields, name: str, read: Callable[[Fields], tuple[str, str]]) -> list[tuple[str, str]]:
    pairs = []
    for each in fields.mappings(name):
        pairs.append(read(each))
        each.end()
    if not pairs:
        raise fields.error(name, "this list is empty.")
    return pairs


def check_unique(fields: Fields, name: str, ids: list[str]) -> None:
    """Refuse an id that is there twice."""
    for place, each in enumerate(ids):
        if each in ids[:place]:
            raise fields.error(name, f"the id {each} is there twice.")


def read_setup(fields: Fields) -> Setup:
    """Scene, settings and opening commands."""
    return Setup(
        use=fields.identifier("use") if "use" in fields else None,
        settings=read_set(fields),
        script=read_commands(fields, "do"),
        at_us=read_duration(fields, "at"),
        speed=fields.number("speed", SPEED_MIN, SPEED_MAX),
        lock=fields.words("lock"),
        only=fields.words("only") if "only" in fields else None,
        line=fields.place.line,
    )


def read_set(fields: Fields, name: str = "set") -> dict[str, str | int | bool]:
    """Settings as stored values."""
    mapping = fields.mapping(name)
    if mapping is None:
        return {}
    try:
        return read_settings(mapping.plain())
    except CommandRefused as problem:
        raise fields.error(name, str(problem)) from None


def read_duration(fields: Fields, name: str) -> int | None:
    """A time such as 2s in microseconds, or `None`."""
    text = fields.optional_text(name)
    if text is None:
        return None
    time_us = read_time(text)
    if time_us is None:
        raise fields.error(name, f"{text!r} is no time, such as 2s or 400ms.")
    return time_us


def read_commands(fields: Fields, name: str) -> Commands:
    """A list of command lines."""
    return commands(fields.texts(name), f"{fields.called}.{name}")


def commands(texts: list[tuple[str, Place]], called: str) -> Commands:
    """Command lines, parsed."""
    lines = []
    for number, (text, place) in enumerate(texts, 1):
        try:
            lines.append(ScriptLine(" ".join(text.split()), parse(text), number))
        except CommandRefused as problem:
            raise place.error(f"{text[:80]!r}: {problem}", f"{called}[{number}]") from None
    return tuple(lines)


def read_condition(fields: Fields, name: str) -> str:
    """A condition over the run's facts, as text that can be compiled."""
    return checked_condition(fields.text(name), fields.at(name), f"{fields.called}.{name}")


def checked_condition(text: str, place: Place, called: str) -> str:
    """The text, once it is sure that it is a condition."""
    try:
        compile_condition(text)
    except CommandRefused as problem:
        raise place.error(f"{text[:80]!r}: {problem}", called) from None
    return text


def read_value(fields: Fields, name: str) -> Expression:
    """An expression of any kind."""
    text = fields.text(name)
    try:
        return compile_expression(text)
    except CommandRefused as problem:
        raise fields.error(name, f"{text[:80]!r}: {problem}") from None


def read_measure(fields: Fields) -> Measure:
    """How the truth is measured; the stage may still be empty, for the loader to fill in."""
    own = fields.mapping("measure")
    if own is None:
        raise fields.error("measure", "how the truth is measured is missing, such as { probe: lost }.")
    forms = [form for form in MEASURE_FORMS if form in own]
    is_order = fields.take("kind") == "order"
    if is_order and forms:
        raise own.error(forms[0], "an order is measured by the options' `when`.")
    if not is_order and len(forms) != 1:
        raise own.error(None, f"exactly one of {', '.join(MEASURE_FORMS)} says what is measured.")
    form = "order" if is_order else forms[0]
    kind, text = (TEXT, "") if is_order else _measured(own, form)
    if "run" in own and "do" in own:
        raise own.error("do", "a question is measured by a run or by a do, not by both.")
    stage = f"run:{own.identifier('run')}" if "run" in own else ""
    stage = f"do:{own.identifier('do')}" if "do" in own else stage
    at = read_condition(own, "at") if "at" in own else None
    if at is not None and form != "probe":
        raise own.error("at", "only a probe is taken at a moment.")
    versus = f"run:{own.identifier('versus')}" if "versus" in own else None
    means = own.optional_text("means")
    own.end()
    return Measure(stage, form, text, kind, at, versus, means)


def _measured(own: Fields, form: str) -> tuple[Kind, str]:
    """The kind of x, and the text of what is asked."""
    if form in ("lasted", "first"):
        return TIME, read_condition(own, form)
    if form == "answers":
        text = own.text(form)
        checked_condition(f"count(reads.where({text})) == 1", own.at(form), f"{own.called}.{form}")
        return TEXT, text
    expression = read_value(own, form)
    if form in ("change", "most", "least") and expression.kind not in (NUMBER, TIME):
        raise own.error(form, f"{expression.text!r} is {expression.kind.says}; a number or a time fits.")
    return (TEXT if form == "values" else expression.kind), expression.text


def match_kinds(measure: Measure | None) -> dict[str, Kind]:
    """What x, and y, are."""
    if measure is None:
        return {}
    return {"x": measure.kind, "y": measure.kind} if measure.versus else {"x": measure.kind}


def read_match(fields: Fields, name: str, kinds: dict[str, Kind]) -> Match | None:
    """A condition about the measured x, or `None`."""
    text = fields.optional_text(name)
    if text is None:
        return None
    try:
        return compile_match(text, kinds)
    except CommandRefused as problem:
        raise fields.error(name, f"{text[:80]!r}: {problem}") from None


def read_option(fields: Fields, choice: str, kinds: dict[str, Kind]) -> Option:
    """One option."""
    match = when = None
    if kinds and choice != "order":
        match = read_match(fields, "match", kinds)
        if match is None:
            raise fields.error("match", "an option of a measured question needs a match, such as x == 0.")
    if choice == "order":
        when = read_condition(fields, "when")
    option = Option(
        fields.identifier(), fields.text("text"), match, when, fields.misconception(),
        fields.optional_text("why"), read_show(fields), fields.place.line,
    )  # fmt: skip
    fields.end()
    return option


def check_options(fields: Fields, choice: str, options: tuple[Option, ...]) -> None:
    """Numbers have no options; everything else has at least two."""
    if choice == "number" and options:
        raise fields.error("options", "a number has no options; recognised wrong numbers are `slips`.")
    if choice != "number" and len(options) < 2:
        raise fields.error("options", "at least two options.")
    check_unique(fields, "options", [option.id for option in options])


def read_show(fields: Fields) -> Show | None:
    """What refutes a wrong option."""
    value = fields.take("show")
    if value is None:
        return None
    line = fields.at("show").line
    if isinstance(value, str) and IDENTIFIER.fullmatch(value):
        return Show(Setup(use=value, line=line), False, True)
    if isinstance(value, list):
        return Show(Setup(script=read_commands(fields, "show"), line=line), True)
    own = fields.mapping("show") if isinstance(value, Fields) else None
    if own is None:
        raise fields.error("show", "a scene's id, a list of commands, or a mapping of use, set and do.")
    setup = Setup(
        use=own.identifier("use") if "use" in own else None,
        settings=read_set(own),
        script=read_commands(own, "do"),
        line=line,
    )
    own.end()
    return Show(setup, False)


def read_unit(fields: Fields, measure: Measure | None) -> str | None:
    """The unit that a number is answered in."""
    unit = fields.optional_text("unit")
    if measure is not None and fields.take("kind") == "number":
        if measure.kind not in (NUMBER, TIME):
            raise fields.error("measure", f"what is measured is {measure.kind.says}, not a number.")
        if measure.kind is TIME and unit not in UNITS:
            raise fields.error("unit", "a time is answered in ms or s.")
    return unit


def read_tolerance(fields: Fields) -> Tolerance:
    """How near a number must be: `2` or `20%`."""
    text = fields.text("tolerance", "0")
    number = text.removesuffix("%")
    try:
        amount = float(number)
    except ValueError:
        raise fields.error("tolerance", f"{text!r} is no number such as 2 or 20%.") from None
    if not 0 <= amount < 1e9:
        raise fields.error("tolerance", f"{text!r} is out of range.")
    return Tolerance(amount, text.endswith("%"))


def read_slip(fields: Fields, kinds: dict[str, Kind]) -> Slip:
    """One recognised wrong number."""
    match = read_match(fields, "match", {"x": kinds.get("x", NUMBER)})
    misconception = fields.misconception()
    if match is None or misconception is None:
        raise fields.error(None, "a slip needs a match about the number x and the misconception `mis`.")
    slip = Slip(fields.identifier(), match, misconception, fields.text("why"), fields.place.line)
    fields.end()
    return slip


def read_clause(fields: Fields) -> Clause:
    """One clause of a goal."""
    name, text = fields.identifier(), fields.text("text")
    kinds = [kind for kind in CLAUSE_KINDS if kind in fields]
    if len(kinds) != 1:
        raise fields.error(None, f"exactly one of {', '.join(CLAUSE_KINDS)} says what is asked.")
    kind, for_us = kinds[0], 0
    if kind == "held":
        own = fields.mapping("held")
        assert own is not None
        conditions: tuple[str, ...] = (read_condition(own, "that"),)
        for_us = read_duration(own, "for") or 0
        own.end()
    elif kind == "order":
        conditions = tuple(
            checked_condition(text, place, f"{fields.called}.order[{number}]")
            for number, (text, place) in enumerate(fields.texts("order"), 1)
        )
        if len(conditions) < 2:
            raise fields.error("order", "an order has at least two conditions.")
    else:
        conditions = (read_condition(fields, kind),)
    fields.end()
    return Clause(name, text, kind, conditions, for_us, fields.place.line)


def read_nudge(fields: Fields) -> Nudge:
    """One nudge."""
    after_us = read_duration(fields, "after")
    nudge = Nudge(
        fields.identifier(), read_condition(fields, "when"), 1_000_000 if after_us is None else after_us,
        fields.text("say"), fields.misconception(), read_commands(fields, "misfire"), fields.place.line,
    )  # fmt: skip
    if not nudge.misfire:
        raise fields.error("misfire", "the commands that go wrong in this way are missing.")
    fields.end()
    return nudge


def read_sentences(fields: Fields, block: str, name: str) -> Sentences:
    """Sentences that can be played."""
    items = []
    for each in fields.mappings(name):
        setup = Setup(
            use=each.identifier("use") if "use" in each else None,
            settings=read_set(each),
            line=each.place.line,
        )
        script = read_commands(each, "play")
        if not script:
            raise each.error("play", "the commands that play this sentence are missing.")
        expect = read_condition(each, "expect")
        items.append(Sentence(each.identifier(), each.text("say"), setup, script, expect, each.place.line))
        each.end()
    if not items:
        raise fields.error(name, "this list is empty.")
    return Sentences(block, tuple(items))
