"""Challenges as a person meets them: by keyboard, with a score that stays, and the one that cannot be done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.test_lessons import LONG_MS, Learner
from tests.browser.test_looks import VIOLATIONS, sideways

PAGES = ["/challenges", "/challenges/two-leaders", "/challenges/quorum-keeps"]


@pytest.fixture
def learner(page: Page) -> Learner:
    """At nothing yet."""
    return Learner(page)


def counts(learner: Learner) -> list[str]:
    """Commands, par and best, as they stand."""
    return [text.strip() for text in learner.page.locator("#counts dd").all_text_contents()]


def reached(learner: Learner, says: str) -> None:
    """Until the goal is reached and counted."""
    expect(learner.page.locator("#reached")).to_have_text(re.compile(re.escape(says)), timeout=LONG_MS)
    expect(learner.page.locator(".tally")).to_have_text("1 of 1 done")


def test_a_challenge_is_completed_by_keyboard_and_the_best_stays(learner: Learner) -> None:
    """First with a command too many, then at par; after a reload and on the list the best is still there."""
    learner.open("/challenges/two-leaders")
    page = learner.page
    expect(page.locator("#count-par")).to_have_text("1")
    assert counts(learner) == ["0", "1", "–"]
    expect(learner.step.locator(".explain")).to_be_hidden()
    learner.press(page.locator("#play"))  # Both links are to be cut at one moment: time stands still.
    expect(learner.visitor.button("Play")).to_be_attached()
    learner.visitor.say("cut A B")
    expect(page.locator("#count-commands")).to_have_text("1")
    field = learner.visitor.palette()
    field.fill("promote B")
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("does without promote")
    page.keyboard.press("Escape")
    learner.visitor.say("cut A C")
    learner.press(page.locator("#play"))
    reached(learner, "✓ Reached with 2 commands. Par is 1: it can be done with 1 fewer.")
    assert counts(learner) == ["2", "1", "2"]
    expect(learner.step.locator(".explain")).to_be_visible()
    learner.press(page.locator("#restore"))
    expect(page.locator("#count-commands")).to_have_text("0")
    expect(page.locator("#reached")).to_be_hidden()
    expect(page.locator(".tally")).to_have_text("0 of 1 done")
    learner.hurry()
    learner.visitor.say("cut A followers")
    reached(learner, "✓ Reached with 1 command. That is par.")
    assert counts(learner) == ["1", "1", "1"]
    page.reload()
    reached(learner, "✓ Reached with 1 command. That is par.")
    learner.press(page.locator("#restore"))
    expect(page.locator("#count-commands")).to_have_text("0")
    expect(page.locator("#count-best")).to_have_text("1")
    page.goto("/challenges")
    entry = page.locator('[data-entry="two-leaders"]')
    expect(entry).to_contain_text("✓ your best 1")
    expect(entry).to_have_attribute("data-state", "done")
    expect(page.locator("#continue")).to_have_text("Next: One follower stops them all")


def test_who_was_shown_the_solution_has_no_score(learner: Learner) -> None:
    """The list says that it was seen, and it is not counted as done."""
    learner.open("/challenges/two-leaders")
    learner.watch_solution(learner.step.locator(".task"))
    page = learner.page
    expect(page.locator(".task-note")).to_contain_text("by the worked solution")
    expect(page.locator("#reached")).to_be_hidden()
    assert counts(learner) == ["0", "1", "–"]
    page.goto("/challenges")
    expect(page.locator('[data-entry="two-leaders"]')).to_contain_text("solution seen")
    expect(page.locator('[data-entry="two-leaders"]')).to_have_attribute("data-state", "begun")


def test_what_cannot_be_done_is_finished_by_knowing_why(learner: Learner) -> None:
    """The learner says so, gives a reason, and sees it happen with a rule off."""
    learner.open("/challenges/quorum-keeps")
    page, step = learner.page, learner.step
    expect(page.locator("#count-par")).to_have_text("none")
    quiz, run = step.locator("[data-question]"), step.locator(".experiment")
    expect(quiz).to_be_hidden()
    expect(run).to_be_hidden()
    expect(page.locator("#show-me")).to_be_hidden()
    learner.press(page.get_by_role("button", name="It cannot be done, and I know why"))
    expect(quiz.locator("input").first).to_be_focused()
    learner.try_all(quiz)
    expect(step.locator(".explain")).to_be_visible()
    expect(page.locator("#claim")).to_be_hidden()
    learner.run(run)
    expect(page.locator("#modified")).to_contain_text("vote-check off")
    expect(page.locator("#away:visible")).to_contain_text("cluster of the experiment")
    page.goto("/challenges")
    expect(page.locator('[data-entry="quorum-keeps"]')).to_contain_text("✓ you know why")


def test_the_better_score_is_kept_when_progress_is_taken_along(learner: Learner, tmp_path: Path) -> None:
    """Fewer commands win, whichever side has them; what is no score is refused."""
    page = learner.page
    page.goto("/challenges")
    rows = {"two-leaders@1": {"best": 3, "at": 5}, "backwards@1": {"best": 4, "at": 5}}
    kept = {"version": 1, "steps": {}, "quizzes": {}, "drills": {}, "challenges": rows}
    page.evaluate("text => localStorage.setItem('progress', text)", json.dumps(kept))
    page.reload()
    expect(page.locator('[data-entry="two-leaders"]')).to_contain_text("your best 3")
    says = page.locator("#import-says")
    file = tmp_path / "progress.json"
    for best in (0, 2.5, "1", -1, 1e9, None):
        bad = {"two-leaders@1": {"best": best, "at": 1}}
        file.write_text(json.dumps({"version": 1, "challenges": bad}), "utf-8")
        page.locator("#import").set_input_files(file)
        expect(says).to_contain_text("best is no number of commands. Nothing was changed.")
        page.locator("#import-says").evaluate("element => (element.textContent = '')")
    other = {"two-leaders@1": {"best": 2, "at": 1}, "backwards@1": {"best": 9, "at": 9}}
    file.write_text(json.dumps({"version": 1, "challenges": other}), "utf-8")
    page.locator("#import").set_input_files(file)
    expect(says).to_contain_text("2 challenges.")
    expect(page.locator('[data-entry="two-leaders"]')).to_contain_text("your best 2")
    expect(page.locator('[data-entry="backwards"]')).to_contain_text("your best 4")
    with page.expect_download() as saving:
        learner.press(page.get_by_role("button", name="Save to a file"))
    saving.value.save_as(file)
    saved = json.loads(file.read_text("utf-8"))["challenges"]
    assert {name: row["best"] for name, row in saved.items()} == {"two-leaders@1": 2, "backwards@1": 4}


def test_they_are_found_from_the_lessons_and_the_header(learner: Learner) -> None:
    """And the header has room for them."""
    page = learner.page
    page.goto("/lessons")
    page.get_by_role("complementary").get_by_role("link", name="Challenges").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Challenges")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Challenges")
    expect(link).to_have_attribute("aria-current", "page")
    page.set_viewport_size({"width": 360, "height": 844})
    assert sideways(page) <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_checker_finds_nothing(make_context: MakeContext, axe: str, width: int, theme: str) -> None:
    """On the list and beside the cluster, at the beginning and with everything to be seen."""
    page = make_context(viewport={"width": width, "height": 900}, color_scheme=theme).new_page()
    for path in PAGES:
        page.goto(path)
        if path != "/challenges":
            expect(page.locator("#count-best, #claim")).to_be_attached()
            expect(page.locator("body[data-connection=open]")).to_be_attached()
            expect(page.locator(".tally")).to_have_text(re.compile("of 1 done"))
        page.evaluate(axe)
        assert page.evaluate(VIOLATIONS) == [], path
        assert sideways(page) <= 0, path
    page.locator("#claim").click()
    expect(page.locator("[data-question]")).to_be_visible()
    page.locator('input[value="overlap"]').check()
    page.locator(".question .check").click()
    expect(page.locator(".explain")).to_be_visible()
    assert page.evaluate(VIOLATIONS) == []
    assert sideways(page) <= 0
