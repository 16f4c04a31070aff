"""The lessons as a learner meets them: by keyboard, to the end, with wrong turns; and the pages around them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.test_looks import VIOLATIONS, sideways
from tests.browser.visitor import QUICKLY, Visitor, until
from tests.serving import ROOT

LESSONS = [re.sub(r"^\d+-", "", path.stem) for path in sorted((ROOT / "lessons").glob("[0-9]*.md"))]
PAGES = [
    "/lessons",
    "/interview",
    "/glossary",
    "/lessons/lost-after-ok/print",
    "/lessons/lost-after-ok",
    "/interview/explain-leader-follower",
]
LONG_MS = 120_000
"""An experiment may take a minute of the cluster's time."""


class Learner:
    """Someone in a lesson who has a keyboard and nothing else."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.visitor = Visitor(page)

    def open(self, path: str) -> Learner:
        """Arrives, and stays until the first step is there."""
        self.page.goto(path)
        expect(self.page.locator("body[data-connection=open]")).to_be_attached()
        expect(self.page.locator(".steps [aria-current]")).to_have_count(1)
        self.hurry()
        return self

    def hurry(self) -> None:
        """Lets time pass quickly: a step may say how fast it is to be played."""
        if self.page.locator("#speed").is_visible():
            self.visitor.go_at(QUICKLY)

    def press(self, button: Locator) -> None:
        """A button under the focus, with Enter."""
        expect(button).to_be_enabled()
        button.focus()
        self.page.keyboard.press("Enter")

    @property
    def step(self) -> Locator:
        """What is shown of the lesson."""
        return self.page.locator(".step:not([hidden])")

    def number(self) -> int:
        """Which step this is, from 0."""
        links = self.page.locator(".steps a")
        return [link.get_attribute("aria-current") for link in links.all()].index("step")

    def is_done(self, number: int) -> bool:
        """Whether the row of steps says so."""
        return (self.page.locator(".steps a").nth(number).get_attribute("aria-label") or "").endswith(
            ", done"
        )

    def finish(self, number: int) -> None:
        """Until the step counts as done."""
        until(self.page, lambda: self.is_done(number))

    def go_on(self) -> None:
        """To the next step."""
        number = self.number()
        self.press(self.page.locator("#go-on"))
        expect(self.page.locator(".steps a").nth(number + 1)).to_have_attribute("aria-current", "step")
        self.hurry()

    # --- what a step asks for ---

    def work(self) -> None:
        """Everything that the step has, from top to bottom."""
        for block in self.step.locator("[data-question], .experiment, .task").all():
            kind = block.get_attribute("class") or ""
            if "experiment" in kind:
                self.run(block)
            elif "task" in kind:
                self.watch_solution(block)
            elif "quiz" in kind:
                self.try_all(block)
            else:
                self.answer(block)
        # What could not be answered before its run was played.
        for block in self.step.locator("[data-question].observe:visible").all():
            if not block.get_attribute("data-result"):
                self.answer(block)

    def run(self, block: Locator) -> None:
        """Plays an experiment to its end."""
        self.press(block.get_by_role("button").first)
        expect(block).to_contain_text("Done. You may play it once more.", timeout=LONG_MS)

    def watch_solution(self, block: Locator) -> None:
        """Has the task done."""
        self.press(self.page.locator("#show-me"))
        expect(block.locator(".tally")).to_have_text(re.compile(r"^(\d+) of \1 done$"), timeout=LONG_MS)
        expect(self.page.locator("#played")).to_be_hidden(timeout=LONG_MS)

    def answer(self, block: Locator) -> None:
        """Says something: the first option, one, or the order as it stands."""
        if not block.is_visible():
            return
        choice = block.get_attribute("data-choice")
        field = block.locator("input").first
        if choice == "number":
            field.focus()
            self.page.keyboard.type("1")
        elif choice != "order":
            field.focus()
            self.page.keyboard.press("Space")
            expect(field).to_be_checked()
        check = block.locator(".check")
        if check.is_visible():
            self.press(check)
        expect(block.locator(".pending:visible, .outcome:visible")).not_to_have_count(0)

    def try_all(self, block: Locator) -> None:
        """Tries the options of a quiz until one is right."""
        for field in block.locator("input").all():
            field.focus()
            self.page.keyboard.press("Space")
            self.press(block.locator(".check"))
            expect(block.locator(".outcome")).to_be_visible()
            label = field.get_attribute("value")
            expect(block.locator(f'[data-option="{label}"]')).to_have_attribute(
                "data-mark", re.compile("right|wrong")
            )
            if block.get_attribute("data-result") == "right":
                return
        pytest.fail("no option of the quiz is right")


@pytest.fixture
def learner(page: Page) -> Learner:
    """At nothing yet."""
    return Learner(page)


@pytest.fixture
def phone(make_context: MakeContext) -> Learner:
    """On a small screen."""
    page = make_context(viewport={"width": 360, "height": 740}, has_touch=True).new_page()
    return Learner(page)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_can_be_completed_by_keyboard(learner: Learner, lesson: str) -> None:
    """Predict, run, see it done, check oneself, go on: at the end every step is done, and stays so."""
    learner.open(f"/lessons/{lesson}")
    steps = learner.page.locator(".steps a").count()
    for number in range(steps):
        assert learner.number() == number
        learner.work()
        learner.finish(number)
        if number + 1 < steps:
            learner.go_on()
    expect(learner.page.locator("#finish")).to_be_visible()
    assert all(learner.is_done(number) for number in range(steps))
    learner.page.goto("/lessons")
    entry = learner.page.locator(f'[data-entry="{lesson}"]')
    expect(entry).to_have_attribute("data-state", "done")


def test_an_interview_answer_can_be_played_sentence_by_sentence(learner: Learner) -> None:
    """Each sentence tells whether it happened; the rubric keeps a score."""
    learner.open("/interview/explain-leader-follower?step=answer")
    items = learner.step.locator("[data-item]")
    for item in items.all():
        learner.hurry()
        learner.press(item.get_by_role("button"))
        expect(item).to_contain_text("✓ measured", timeout=LONG_MS)
    until(learner.page, lambda: learner.is_done(learner.number()))
    learner.open("/interview/explain-leader-follower?step=more")
    learner.page.get_by_role("checkbox").first.check()
    expect(learner.page.locator(".score")).to_have_text("1 of 4")
    learner.page.goto("/interview")
    expect(learner.page.locator('[data-entry="explain-leader-follower"]')).to_contain_text("scored 1 of 4")


def place_bet(learner: Learner) -> None:
    """The worked lesson up to its measured answer, with a wrong prediction."""
    learner.open("/lessons/lost-after-ok?step=bet")
    learner.page.get_by_role("radio", name="None: an OK means it is stored for good").focus()
    learner.page.keyboard.press("Space")
    expect(learner.step.locator(".pending")).to_be_visible()
    learner.go_on()
    learner.run(learner.step.locator(".experiment"))


def test_a_wrong_answer_is_refuted_and_the_way_leads_back(learner: Learner) -> None:
    """What was said stands beside what was measured; the scene that refutes it plays, and one returns."""
    place_bet(learner)
    page = learner.page
    echo = learner.step.locator(".echo")
    expect(echo).to_contain_text("You predicted")
    expect(echo.locator(".measured")).to_have_text(re.compile(r"^\d+$"))
    learner.visitor.go_at("1")
    learner.press(echo.get_by_role("button", name="Show me why"))
    expect(page.locator("#away")).to_contain_text("Watch what speaks against")
    expect(echo.locator("#played")).to_be_visible()
    learner.press(page.locator("#go-back"))
    learner.hurry()
    card = learner.step.locator("[data-question]")
    expect(card).to_have_attribute("data-result", "wrong")
    expect(card.locator(".outcome")).to_contain_text("You said")
    expect(card.locator(".outcome")).to_contain_text("None: an OK means it is stored for good")
    expect(card.locator(".measured")).to_have_text(re.compile(r"^\d+$"))
    expect(card.locator('[data-option="some"]')).to_have_attribute("data-mark", "right")
    learner.press(card.locator(".outcome").get_by_role("button", name="Show me why"))
    expect(page.locator("#away:visible")).to_contain_text("speaks against “None: an OK")
    expect(page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    expect(page.locator('[data-verdict="durable"]')).to_have_class(re.compile("broken"))
    learner.press(page.get_by_role("button", name="Back to the lesson"))
    expect(page.locator("#away")).to_be_hidden()
    expect(card).to_have_attribute("data-result", "wrong")


def test_an_experiment_waits_for_the_prediction(learner: Learner) -> None:
    """Locked, with the reason beside it; and what explains comes only afterwards."""
    learner.open("/lessons/lost-after-ok?step=timeout")
    button = learner.step.locator(".run-it")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description("First say what you expect.")
    button.press("Enter")
    expect(learner.page.get_by_role("alert")).to_contain_text("First say what you expect: ")
    expect(button).to_be_focused()
    learner.answer(learner.step.locator("[data-question]"))
    learner.run(learner.step.locator(".experiment"))
    expect(learner.step.locator(".outcome")).to_contain_text("Measured")
    # It is about the step before as well, which was passed over: that is said, and leads there.
    expect(learner.step.locator(".explain")).to_be_hidden()
    learner.press(learner.page.get_by_role("button", name="What did the new leader do"))
    expect(learner.step.locator("h2")).to_have_text("Pull the plug")


def test_what_explains_comes_after_the_answers(learner: Learner) -> None:
    """Not before the learner has said what was seen."""
    place_bet(learner)
    expect(learner.step.locator(".explain")).to_be_hidden()
    learner.answer(learner.step.locator("[data-question].observe"))
    expect(learner.step.locator(".explain")).to_be_visible()
    expect(learner.step.locator(".waiting")).to_be_hidden()


def test_hints_come_one_at_a_time_and_a_wrong_way_is_named(learner: Learner) -> None:
    """Two hints are asked for; a link that alone is slow brings the nudge for that."""
    learner.open("/lessons/lost-after-ok")
    more = learner.step.locator(".take-hint")
    expect(more).to_have_text("Hint (3 left)")
    learner.press(more)
    expect(learner.step.locator(".hints li")).to_have_text(["Two lines leave A."])
    learner.press(more)
    expect(learner.step.locator(".hints li")).to_have_count(2)
    learner.visitor.say("latency A -> B 400ms")
    expect(learner.step.locator(".nudge:visible")).to_contain_text("Only one link is slow.")
    learner.visitor.say("latency A -> C 400ms")
    expect(learner.step.locator('[data-clause="slow"]')).to_have_class("held")
    expect(learner.step.locator(".tally")).to_have_text("1 of 2 done")
    learner.visitor.say("load writes 20/s")
    expect(learner.step.locator(".tally")).to_have_text("2 of 2 done")
    until(learner.page, lambda: learner.is_done(0))


def test_what_stepped_back_comes_forward_when_the_learner_acts(learner: Learner) -> None:
    """The step points at the leader; from the first command on everything counts."""
    learner.open("/lessons/elections")
    expect(learner.visitor.node("B")).to_have_css("opacity", "0.42")
    learner.visitor.say("kill A")
    expect(learner.visitor.node("B")).to_have_css("opacity", "1")


def test_one_experiment_at_a_time_asks_to_be_pressed(learner: Learner) -> None:
    """The second of a step is for afterwards, and looks like it."""
    learner.open("/lessons/elections?step=four")
    first, second = learner.step.locator(".run-it").all()
    expect(first).to_have_class(re.compile("primary"))
    expect(second).not_to_have_class(re.compile("primary"))
    learner.answer(learner.step.locator("[data-question]").first)
    learner.run(learner.step.locator(".experiment").first)
    expect(first).not_to_have_class(re.compile("primary"))
    expect(second).to_have_class(re.compile("primary"))


def test_an_experiment_after_a_task_waits_for_it(learner: Learner) -> None:
    """It would show how the task is done: it can be played, and asks for nothing before that."""
    learner.open("/lessons/failover")
    experiment = learner.step.locator(".experiment").first
    button = experiment.get_by_role("button").first
    expect(experiment).to_contain_text("first try it yourself")
    expect(button).not_to_have_class(re.compile("primary"))
    learner.press(learner.page.locator("#show-me"))
    expect(button).to_have_class(re.compile("primary"), timeout=LONG_MS)


def test_every_step_begins_with_the_first_value(learner: Learner) -> None:
    """What was written in the step before does not count on in the next one's story."""
    learner.open("/lessons/one-writer")
    value = learner.page.get_by_label("Value", exact=True)
    expect(value).to_have_value("1")
    learner.press(learner.page.get_by_role("button", name="Write", exact=True))
    expect(value).to_have_value("2")
    learner.finish(0)
    learner.go_on()
    expect(value).to_have_value("1")


def test_a_reload_comes_back_to_the_same_step(learner: Learner) -> None:
    """With the answer that was given and what was measured."""
    place_bet(learner)
    learner.page.reload()
    expect(learner.page.locator(".steps a").nth(2)).to_have_attribute("aria-current", "step")
    expect(learner.step.locator("h2")).to_have_text("Pull the plug")
    learner.press(learner.page.locator("#go-back"))
    expect(learner.step.locator("[data-question]")).to_have_attribute("data-result", "wrong")


def test_exploring_is_free_and_leads_back(learner: Learner) -> None:
    """Nothing is judged meanwhile; the goal counts again afterwards."""
    learner.open("/lessons/lost-after-ok")
    learner.press(learner.page.get_by_role("button", name="Explore freely"))
    expect(learner.page.locator("#away:visible")).to_contain_text("You are exploring")
    learner.visitor.say("latency A -> B 400ms", "latency A -> C 400ms", "kill A", "promote freshest")
    expect(learner.visitor.node("A")).to_have_class(re.compile("dead"))
    expect(learner.step.locator('[data-clause="slow"]')).not_to_have_class("held")
    expect(learner.step.locator(".task-note:visible")).to_have_text("Go back to the lesson to be judged.")
    learner.press(learner.page.get_by_role("button", name="Back to the lesson"))
    expect(learner.step.locator(".tally")).to_have_text("0 of 2 done")
    expect(learner.visitor.node("A")).not_to_have_class(re.compile("dead"))


def test_a_lesson_leaves_the_playground_as_it_is(learner: Learner) -> None:
    """It has a cluster of its own, and what is taken from it by file is that cluster's."""
    visitor = learner.visitor
    visitor.open("/play")
    visitor.say("write mine 1")
    expect(visitor.cell("A", "mine=1")).to_be_visible()
    visitor.hold()
    learner.open("/lessons/lost-after-ok")
    scenario = learner.page.evaluate(
        "fetch('/export/scenario.yaml?page=lesson').then((given) => given.text())"
    )
    assert "title:" in scenario
    assert "mine" not in scenario
    visitor.open("/play")
    expect(visitor.cell("A", "mine=1")).to_be_visible()


def test_progress_can_be_taken_along(learner: Learner, tmp_path: Path, make_context: MakeContext) -> None:
    """Saved to a file and loaded elsewhere; a file that is none is told so, and changes nothing."""
    learner.open("/lessons/lost-after-ok?step=timeout")
    learner.answer(learner.step.locator("[data-question]"))
    learner.run(learner.step.locator(".experiment"))
    until(learner.page, lambda: learner.is_done(learner.number()))
    learner.page.goto("/lessons")
    with learner.page.expect_download() as saving:
        learner.press(learner.page.get_by_role("button", name="Save to a file"))
    file = tmp_path / "progress.json"
    saving.value.save_as(file)
    other = make_context().new_page()
    other.goto("/lessons")
    says = other.locator("#import-says")
    for text, told in {
        "no JSON": "it is not JSON",
        '{"version": 7}': "its version is not known",
        '{"version": 1, "steps": {"<b>": {}}}': "<b> is nothing that belongs among its steps",
        "[]": "it is not a list of steps",
    }.items():
        bad = tmp_path / "bad.json"
        bad.write_text(text, "utf-8")
        other.locator("#import").set_input_files(bad)
        expect(says).to_contain_text(told)
        expect(says).to_contain_text("Nothing was changed.")
    entry = other.locator('[data-entry="lost-after-ok"]')
    expect(entry).not_to_contain_text("1 of 5 done")
    other.locator("#import").set_input_files(file)
    expect(says).to_contain_text("Added: 1 step done")
    expect(entry).to_contain_text("1 of 5 done")
    expect(other.locator("#continue")).to_have_text("Go on with The OK that did not last")


def test_the_lists_say_when_quiz_items_come_back(learner: Learner) -> None:
    """Before one is due, the lists of lessons and questions say when it will be; the drill is beside it."""
    page = learner.page
    page.goto("/lessons")
    expect(page.locator("#review")).to_be_hidden()
    page.evaluate(
        """() => {
          const noon = (days) => new Date(new Date().setHours(12, 0, 0, 0)).setDate(new Date().getDate() + days);
          const item = (days) => ({ stage: 0, due: noon(days), correct: "a", whys: {} });
          const quizzes = { "a/b@1#c": item(1), "a/b@1#d": item(1), "a/b@1#e": item(3) };
          localStorage.setItem("progress", JSON.stringify({ version: 1, steps: {}, quizzes, drills: {} }));
        }"""
    )
    for path in ("/lessons", "/interview"):
        page.goto(path)
        expect(page.locator("#review:visible")).to_contain_text("2 questions come back tomorrow.")
        expect(page.get_by_role("button", name="Review now")).to_be_hidden()
    expect(page.get_by_role("button", name="Give me a question")).to_be_visible()
    page.goto("/lessons")
    learner.press(page.get_by_role("link", name="the interview drill"))
    expect(page.get_by_role("heading", name="Drill")).to_be_in_viewport()


def test_quiz_items_come_back(learner: Learner) -> None:
    """One that is due is asked on the index; right, it comes back later; wrong, tomorrow."""
    page = learner.page
    page.goto("/lessons")
    expect(page.locator("#review")).to_be_hidden()
    rows = {
        f"lost-after-ok/fix@2#{name}": {
            "stage": 0,
            "due": due,
            "correct": right,
            "whys": {right: "So it is."},
        }
        for name, due, right in [("silence", 1, "unknown"), ("which-are-lost", 2, "not-on-b")]
    }
    progress = {"version": 1, "steps": {}, "quizzes": rows, "drills": {}}
    page.evaluate("text => localStorage.setItem('progress', text)", json.dumps(progress))
    page.reload()
    expect(page.locator("#review:visible")).to_contain_text("2 questions have come back")
    learner.press(page.get_by_role("button", name="Review now"))
    expect(page.locator("#review-ask")).to_contain_text("timed out just as A died")
    page.locator('#review input[value="unknown"]').focus()
    page.keyboard.press("Space")
    learner.press(page.locator("#review").get_by_role("button", name="Check"))
    expect(page.locator("#review")).to_contain_text("Right. So it is.")
    learner.press(page.locator("#review").get_by_role("button", name="On"))
    page.locator('#review input[value="late"]').focus()
    page.keyboard.press("Space")
    learner.press(page.locator("#review").get_by_role("button", name="Check"))
    expect(page.locator("#review")).to_contain_text("Not so.")
    kept = json.loads(page.evaluate("localStorage.getItem('progress')"))["quizzes"]
    day = 24 * 3600 * 1000
    now = page.evaluate("Date.now()")
    stages = {key.split("#")[1]: (row["stage"], round((row["due"] - now) / day)) for key, row in kept.items()}
    assert stages == {"silence": (1, 3), "which-are-lost": (0, 1)}


def test_a_drill_asks_and_keeps_the_score(learner: Learner) -> None:
    """A question, a minute, one's own words, then the rubric."""
    page = learner.page
    page.goto("/interview")
    learner.press(page.get_by_role("button", name="Give me a question"))
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^\d+ s$"))
    expect(page.get_by_role("textbox", name="Your answer")).to_be_focused()
    page.keyboard.type("<b>One node writes.</b>")
    learner.press(page.get_by_role("button", name="Done"))
    expect(page.locator(".own")).to_have_text("<b>One node writes.</b>")
    page.get_by_role("group", name="Score yourself").get_by_role("checkbox").first.check()
    learner.press(page.get_by_role("button", name="Keep this score"))
    expect(page.locator("#path")).to_contain_text(re.compile(r"scored 1 of \d"))
    expect(page.get_by_role("button", name="Another question")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_checker_finds_nothing_on_the_new_pages(
    make_context: MakeContext, axe: str, width: int, theme: str
) -> None:
    """No page is wider than the window, and every control has a name, a role and enough contrast."""
    motion = "reduce" if width < 500 else "no-preference"
    context = make_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion=motion
    )
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        if page.locator("#lesson").count() > 0:
            expect(page.locator(".steps [aria-current]")).to_have_count(1)
        page.evaluate(axe)
        assert page.evaluate(VIOLATIONS) == [], path
        assert sideways(page) <= 0, path


def test_the_measured_answer_reads_well(make_context: MakeContext, axe: str) -> None:
    """The checker again, where an answer was wrong, a scene refutes it and everything is told."""
    context = make_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    learner = Learner(context.new_page())
    place_bet(learner)
    learner.press(learner.page.locator("#go-back"))
    learner.press(learner.page.get_by_role("button", name="Why not the others?"))
    learner.press(learner.step.locator(".outcome").get_by_role("button", name="Show me why"))
    expect(learner.page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    learner.page.evaluate(axe)
    assert learner.page.evaluate(VIOLATIONS) == []


def test_on_a_phone_lesson_and_cluster_take_turns(phone: Learner) -> None:
    """Text, diagram and controls are each a tap away, and what is played is shown."""
    phone.open("/lessons/lost-after-ok?step=timeout")
    page = phone.page
    expect(page.locator("#diagram")).to_be_hidden()
    phone.answer(phone.step.locator(".question"))
    phone.step.locator(".run-it").tap()
    expect(page.locator("#diagram .node").first).to_be_visible()
    expect(page.locator("#lesson")).to_be_hidden()
    assert sideways(page) <= 0
    page.get_by_role("tab", name="Controls").tap()
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
    assert sideways(page) <= 0
    page.get_by_role("tab", name="Lesson").tap()
    expect(phone.step.locator("h2")).to_be_visible()
    assert sideways(page) <= 0


def test_the_handout_prints_without_the_page_around_it(page: Page) -> None:
    """On paper there is the lesson, with room for answers, and none given away."""
    page.goto("/lessons/lost-after-ok/print")
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("The OK that did not last")
    expect(page.get_by_role("heading", level=2)).to_have_count(5)
    expect(page.get_by_text("What can this client say about its write?")).to_be_visible()
    assert "Beside what was measured" not in page.content()
    assert page.evaluate("getComputedStyle(document.querySelector('main')).overflowY") == "visible"
    expect(page.locator(".explain").locator("visible=true")).to_have_count(0)
    page.emulate_media(media="screen")
    page.get_by_role("checkbox", name="With what the experiments show").check()
    page.emulate_media(media="print")
    expect(page.locator(".explain").first).to_be_visible()


def test_a_clicker_leads_through_the_lesson_on_the_wall(make_context: MakeContext) -> None:
    """Large type, no chrome; PageDown plays and goes on, B blanks; the notes follow in their window."""
    context = make_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    page.goto("/lessons/lost-after-ok?present")
    expect(page.locator(".wall-title")).to_have_text("Make room between OK and copied")
    expect(page.locator(".top")).to_be_hidden()
    small = page.evaluate(
        "[...document.querySelectorAll('.wall-head p, .step:not([hidden]) :is(p, li), #narration')]"
        ".filter((e) => e.offsetParent && e.textContent.trim())"
        ".map((e) => parseFloat(getComputedStyle(e).fontSize)).filter((size) => size < 18)"
    )
    assert small == []
    with page.expect_popup() as opening:
        page.keyboard.press("n")
    notes = opening.value
    expect(notes.locator("#notes")).to_contain_text("Two numbers above the logs")
    page.bring_to_front()
    page.keyboard.press("PageDown")
    expect(page.locator(".tally").first).to_have_text("2 of 2 done", timeout=LONG_MS)
    expect(page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_contain_text("How many writes with an OK")
    expect(notes.locator("#notes")).to_contain_text("Ask who would refund the customer")
    page.keyboard.press("b")
    expect(page.locator(".blank")).to_be_visible()
    page.keyboard.press(".")
    expect(page.locator(".blank")).to_be_hidden()
    page.keyboard.press("3")
    expect(page.locator('[data-question="bet"] input[value="some"]')).to_be_checked()
    notes.locator("body").press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("Pull the plug")


def test_home_and_header_lead_to_the_lessons(page: Page) -> None:
    """A newcomer finds the first lesson; on its page the header says where one is."""
    page.goto("/lessons")
    page.get_by_role("link", name="Begin with the first lesson").click()
    expect(page.locator("#lesson-title")).to_have_text("One writer, many copies")
    page.goto("/")
    page.get_by_role("link", name="take the first lesson").click()
    expect(page.locator("#lesson-title")).to_have_text("One writer, many copies")
    current = page.get_by_role("navigation", name="Main").locator("[aria-current]")
    expect(current).to_have_text("Lessons")


def test_on_a_phone_two_dead_neighbours_keep_their_words_apart(phone: Learner) -> None:
    """What a dead node was stands below it, not in the next one's words."""
    phone.open("/lessons/elections?step=four")
    phone.answer(phone.step.locator("[data-question]").first)
    phone.step.locator(".run-it").first.tap()
    words = [phone.visitor.node(letter).locator(".term") for letter in "AB"]
    expect(words[1]).to_contain_text("was follower")
    first, second = (each.bounding_box() or pytest.fail("not shown") for each in words)
    assert first["x"] + first["width"] <= second["x"]


def test_a_question_leads_to_the_next_question(learner: Learner) -> None:
    """Not to a lesson."""
    learner.open("/interview/explain-leader-follower?step=more")
    expect(learner.page.locator("#go-on")).to_have_text("Next question →")
