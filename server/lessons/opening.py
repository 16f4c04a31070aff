"""How a step becomes the start of a run: the scene's scenario with the step's settings, and what is played
before the learner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from server.cluster.commands import CommandRefused
from server.language import Wait
from server.lessons.records import Commands, Lesson, Setup, Show, Step
from server.scenario import Scenario, ScriptLine


@dataclass(frozen=True, slots=True)
class Opening:
    """The start of a run in a lesson."""

    scenario: Scenario
    """Its script is played to its end before anything is shown."""
    scene: str
    prelude: tuple[Step, ...] = ()
    """Earlier steps whose solutions and experiments lead here."""
    is_home: bool = True
    """Whether the step's own goal is judged here; not in a comparison, nor in what refutes an answer."""
    speed: float | None = None


class Scenes:
    """Every scene by its id."""

    def __init__(self, scenarios: Mapping[str, Scenario]) -> None:
        self.scenarios = scenarios

    def find(self, name: str) -> Scenario:
        """Raises `CommandRefused` when there is no such scene."""
        scenario = self.scenarios.get(name)
        if scenario is None:
            raise CommandRefused(f"There is no scene {name!r} among the scenario files.")
        return scenario


def open_step(scenes: Scenes, lesson: Lesson, step: Step, seed: int | None = None) -> Opening:
    """The run that a step begins in, or goes on with."""
    base = lesson.base(step)
    setup = base.setup or Setup()
    first, last = lesson.steps.index(base), lesson.steps.index(step)
    opening = _opening(scenes, lesson, (setup,), seed)
    own = step.setup
    return replace(
        opening,
        prelude=lesson.steps[first:last],
        speed=own.speed if own is not None else None,
    )


def open_place(
    scenes: Scenes, lesson: Lesson, step: Step, place: str | None, seed: int | None = None
) -> Opening:
    """The run of a place in a lesson: a step (`None`), an experiment of its own (`run:crash`), what refutes
    an option (`show:bet.none`) or a sentence (`item:order`). Raises `CommandRefused`."""
    if place is None:
        return open_step(scenes, lesson, step, seed)
    kind, _, name = place.partition(":")
    if kind == "run":
        experiment = lesson.experiment(name)
        if experiment is not None and experiment.setup is not None:
            base = lesson.base(step).setup or Setup()
            setups = (experiment.setup,) if experiment.setup.use else (base, experiment.setup)
            return replace(_opening(scenes, lesson, setups, seed), is_home=False)
    elif kind == "show":
        question, _, option = name.partition(".")
        show = show_of(lesson, question, option)
        if show.is_scene:
            scene = scenes.find(show.setup.use or "")
            return Opening(replace(scene, script=()), show.setup.use or "", is_home=False)
        if not show.is_from_step:
            base = lesson.base(step_of_question(lesson, question)).setup or Setup()
            setups = (show.setup,) if show.setup.use else (base, show.setup)
            bare = tuple(replace(setup, script=()) if setup is show.setup else setup for setup in setups)
            return replace(_opening(scenes, lesson, bare, seed), is_home=False)
        return replace(open_step(scenes, lesson, step_of_question(lesson, question), seed), is_home=False)
    elif kind == "item":
        item = lesson.sentence(name)
        if item is not None:
            return replace(_opening(scenes, lesson, (item.setup,), seed), is_home=False)
    raise CommandRefused(f"There is no place {place!r} in the lesson {lesson.id}.")


def show_lines(scenes: Scenes, lesson: Lesson, question: str, option: str) -> Commands:
    """What is played to refute an option."""
    show = show_of(lesson, question, option)
    return scenes.find(show.setup.use or "").script if show.is_scene else show.setup.script


def show_of(lesson: Lesson, question: str, option: str) -> Show:
    """Raises `CommandRefused` when there is nothing to show."""
    found = lesson.question_named(question)
    chosen = found.option(option) if found is not None else None
    if chosen is None or chosen.show is None:
        raise CommandRefused(f"There is nothing to play for the answer {question}.{option}.")
    return chosen.show


def step_of_question(lesson: Lesson, question: str) -> Step:
    """The step that a question stands in."""
    return next(step for step in lesson.steps if any(each.id == question for each in step.questions))


def step_of_run(lesson: Lesson, run: str) -> Step:
    """The step that an experiment stands in."""
    return next(step for step in lesson.steps if any(each.id == run for each in step.experiments))


def _opening(scenes: Scenes, lesson: Lesson, setups: tuple[Setup, ...], seed: int | None) -> Opening:
    use = next((setup.use for setup in setups if setup.use), lesson.scene)
    scene = scenes.find(use)
    settings = {**scene.settings, **lesson.settings}
    lines = list(scene.script)
    for setup in setups:
        settings |= setup.settings
        if setup.at_us is not None:
            lines.append(ScriptLine("wait", Wait(0), len(lines) + 1, setup.at_us))
        lines += setup.script
    numbered = tuple(replace(line, entry=number) for number, line in enumerate(lines, 1))
    scenario = replace(
        scene, seed=lesson.seeds[0] if seed is None else seed, settings=settings, script=numbered
    )
    return Opening(scenario, use)
