"""What a learner is shown of his progress: measured truths beside his answers, goals, hints, experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server.language.vocabulary import NUMBER
from server.lessons.blocks import UNITS
from server.lessons.measures import spoken
from server.lessons.records import Experiment, Explain, Measure, Option, Question, Step, Task
from server.lessons.translation import plain_texts

if TYPE_CHECKING:
    from server.lessons.session import Session

Measured = Mapping[str, Mapping[str, Any]]
PASSED_OVER = "Nobody said beforehand. This is what happened."
OTHER_WAY = "Your run went another way than this lesson knows. Restore the scene and play it again."


def is_measured(question: Question, measured: Measured) -> bool:
    """Whether every stage that the question needs has been measured."""
    measure = question.measure
    found = measured.get(question.id, {})
    if measure is None or measure.stage not in found:
        return False
    return measure.versus is None or measure.versus in found


def matched(question: Question, measured: Measured) -> list[str]:
    """The options that the measured truth makes right; of an order, all of them in their true order."""
    measure = question.measure
    assert measure is not None
    x, y = truth(question, measured)
    if question.choice == "order":
        return list(x) if isinstance(x, list) else []
    values = {"x": x} if measure.versus is None else {"x": x, "y": y}
    return [
        option.id for option in question.options if option.match is not None and option.match.holds(**values)
    ]


def truth(question: Question, measured: Measured) -> tuple[Any, Any]:
    """The measured x, and y where there is one."""
    measure = question.measure
    assert measure is not None
    found = measured.get(question.id, {})
    return found.get(measure.stage), found.get(measure.versus or "")


def said(measure: Measure, question: Question, measured: Measured) -> str:
    """The measured truth for a person."""
    x, y = truth(question, measured)
    if question.choice == "order":
        texts = {option.id: option.text for option in question.options}
        return ", then ".join(texts[name] for name in x) if isinstance(x, list) else "none"
    mine = spoken(x, measure.kind)
    return mine if measure.versus is None else f"{mine} against {spoken(y, measure.kind)}"


def result(question: Question, answers: Mapping[str, Any], measured: Measured) -> dict[str, Any] | None:
    """What became of an answer; `None` while there is no answer or no truth yet. A question that was passed
    over has no answer, and yet a result."""
    if question.id not in answers:
        return None
    answer = answers[question.id]
    if question.measure is None:
        correct = [question.answer or ""]
        return _result(question, None, answer == question.answer, correct, [answer])
    if not is_measured(question, measured):
        return None
    text = said(question.measure, question, measured)
    if question.choice == "number":
        return _number_result(question, text, answer, truth(question, measured)[0])
    correct = matched(question, measured)
    if answer is None:
        return {**_result(question, text, None, correct, []), "says": PASSED_OVER}
    if question.choice == "one":
        is_right = answer in correct
    elif question.choice == "many":
        is_right = sorted(answer) == sorted(correct)
    else:
        is_right = answer == correct
    chosen = [answer] if question.choice == "one" else list(answer)
    knows = bool(correct) or question.choice == "many"
    return _result(question, text, is_right if knows else None, correct, chosen)


def _result(
    question: Question, measured: str | None, is_right: bool | None, correct: list[str], chosen: list[str]
) -> dict[str, Any]:
    wrong = [name for name in chosen if name not in correct]
    if is_right is None:
        says = OTHER_WAY
    elif is_right:
        option = question.option(chosen[0]) if question.choice == "one" else None
        says = (option.why if option else None) or "That is what happened."
    else:
        first = question.option(wrong[0]) if wrong else None
        says = (first.why if first else None) or "That is not what happened."
    return {
        "measured": measured,
        "means": question.measure.means if question.measure is not None else None,
        "right": is_right,
        "correct": correct,
        "says": says,
        "options": {option.id: _option(option, correct) for option in question.options},
    }


def _option(option: Option, correct: list[str]) -> dict[str, Any]:
    return {
        "matched": option.id in correct,
        "why": option.why,
        "misconception": option.misconception,
        "show": option.show is not None,
    }


def _number_result(question: Question, text: str, answer: float | None, x: Any) -> dict[str, Any]:
    assert question.measure is not None
    base: dict[str, Any] = {
        "measured": text, "means": question.measure.means, "correct": [], "options": {},
    }  # fmt: skip
    if not isinstance(x, int | float) or question.match is None or not question.match.holds(x=x):
        return {**base, "right": None, "says": OTHER_WAY}
    if answer is None:
        return {**base, "right": None, "says": PASSED_OVER}
    unit_us = 1 if question.measure.kind is NUMBER else UNITS.get(question.unit or "s", 1)
    if question.tolerance.covers(answer, x / unit_us):
        return {**base, "right": True, "says": "That is what happened."}
    slip = next((each for each in question.slips if each.match.holds(x=answer * unit_us)), None)
    says = slip.why if slip is not None else "That is not what happened."
    return {**base, "right": False, "says": says, "misconception": slip.misconception if slip else None}


# --- the document --------------------------------------------------------------------------------


def document(session: Session) -> dict[str, Any]:
    """Everything of a session that a page shows."""
    memory, step, act = session.memory, session.step, session.act
    task = step.task
    given = memory.hints.get(step.id, 0)
    hints = list(task.hints[:given]) if task is not None else []
    shown: dict[str, Any] = {
        "id": session.lesson.id,
        "kind": session.lesson.kind,
        "revision": session.revision,
        "step": step.id,
        "goal": _goal(session),
        "nudge": _nudge(session),
        "hints": hints,
        "hints_left": len(task.hints) - given if task is not None else 0,
        "playing": None
        if act is None
        else {
            "kind": act.kind,
            "id": act.name,
            "lines": [{"text": line.text, "done": place < act.done} for place, line in enumerate(act.lines)],
        },
        "stopped": session.stopped,
        "place": session.place,
        "challenge": _challenge(session),
        "offers": _offers(session),
        "runs": {
            run.id: _run_state(session, run.id) for each in session.lesson.steps for run in each.experiments
        },
        "questions": {
            question.id: {
                "answer": memory.answers.get(question.id),
                "open": session.is_open(question),
                "result": result(question, memory.answers, memory.measured),
            }
            for question in session.lesson.questions()
        },
        "explains": [_may_show(session, explain) for explain in step.explains],
        "items": {
            item.id: memory.items.get(item.id) for each in session.lesson.steps for item in each.sentences
        },
        "done": [each.id for each in session.lesson.steps if _is_done(session, each)],
        "language": session.lesson.language,
    }
    # Of a translated lesson the page is told which texts stayed English, to name their language right.
    return {**shown, "english": plain_texts(shown) if session.lesson.language is not None else []}


def _offers(session: Session) -> dict[str, Any] | None:
    """Which controls a step keeps for later; `None` where it keeps none, or while the learner explores."""
    setup = session.step.setup
    if setup is None or not session.is_home or (not setup.lock and setup.only is None):
        return None
    return {"lock": list(setup.lock), "only": None if setup.only is None else list(setup.only)}


def _goal(session: Session) -> dict[str, Any] | None:
    watch = session.task
    if watch is None:
        return None
    clauses = [
        {
            "id": each.clause.id,
            "text": each.clause.text,
            "held": each.is_held,
            "broken": each.is_broken,
            "keeps": each.clause.kind == "always",
        }
        for each in watch.clauses
    ]
    return {
        "clauses": clauses,
        # What is only not to be broken is true from the start: it counts when the goal is reached.
        "held": sum(
            each.is_held and (watch.reached_us is not None or each.clause.kind != "always")
            for each in watch.clauses
        ),
        "of": len(clauses),
        "reached": watch.reached_us is not None,
        "reached_us": watch.reached_us,
        "late": watch.is_late,
        "shown": session.step.id in session.memory.shown,
    }


def _challenge(session: Session) -> dict[str, Any] | None:
    """How many commands were given so far, and how many it took when the goal was reached."""
    task = session.lesson.challenge
    if task is None:
        return None
    return {
        "commands": session.commands,
        "score": session.score,
        "par": task.par,
        "shown": session.is_shown,
    }


def _nudge(session: Session) -> dict[str, Any] | None:
    nudge = session.task.nudge if session.task is not None and session.act is None else None
    if nudge is None:
        return None
    return {"id": nudge.id, "says": nudge.say, "misconception": nudge.misconception}


def _run_state(session: Session, run: str) -> str:
    act = session.act
    if act is not None and act.kind == "run" and act.name == run:
        return "playing"
    if run in session.memory.runs:
        return "done"
    return "locked" if session.waiting_for(run) else "ready"


def _may_show(session: Session, explain: Explain) -> bool:
    memory = session.memory
    is_challenge = session.lesson.challenge is not None
    if is_challenge and not _is_done(session, session.step):
        return False
    for name in explain.after:
        question = session.lesson.question_named(name)
        if question is None or result(question, memory.answers, memory.measured) is None:
            return False
    if not (explain.has_own_after or is_challenge) and not _has_happened(session, explain):
        return False
    return not explain.reveal_if or any(
        option == chosen or (isinstance(chosen, list) and option in chosen)
        for name, option in explain.reveal_if
        for chosen in (memory.answers.get(name),)
    )


def _has_happened(session: Session, explain: Explain) -> bool:
    """Whether what stands before an explanation in its step has been tried: its goal, its experiments."""
    for block in session.step.blocks:
        if block is explain:
            return True
        if isinstance(block, Experiment) and block.id not in session.memory.runs:
            return False
        if isinstance(block, Task) and session.step.id not in session.memory.reached:
            return False
    return True


def _is_done(session: Session, step: Step) -> bool:
    """Goal reached, experiments played, questions answered and, where they are measured, measured."""
    memory = session.memory
    challenge = session.lesson.challenge
    if challenge is not None:
        quizzes = [each for each in step.questions if each.measure is None]
        knows_why = all(memory.answers.get(each.id) == each.answer for each in quizzes)
        return knows_why if challenge.is_impossible else step.id in memory.reached
    if step.task is not None and step.id not in memory.reached:
        return False
    if any(run.id not in memory.runs for run in step.experiments):
        return False
    if any(item.id not in memory.items for item in step.sentences):
        return False
    own = [f"run:{run.id}" for run in step.experiments] + [f"do:{step.id}"]
    for question in step.questions:
        if memory.answers.get(question.id) is None:
            return False
        if question.measure is not None and question.measure.stage in own:
            if result(question, memory.answers, memory.measured) is None:
                return False
        elif question.measure is None and memory.answers[question.id] != question.answer:
            return False
    return not (session.lesson.steps.index(step) > session.lesson.steps.index(session.step))
