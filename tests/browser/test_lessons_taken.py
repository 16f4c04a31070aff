"""A lesson elsewhere: progress on another device, the lesson in another page and in another language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from server.lessons.library import Library
from server.lessons.records import Lesson
from server.lessons.translation import Said
from tests.browser.conftest import MakeContext
from tests.browser.test_looks import VIOLATIONS, sideways
from tests.browser.visitor import until
from tests.serving import ROOT, Server


def step(done: bool, at: int, tries: int = 0) -> dict[str, Any]:
    """What is remembered of a step."""
    return {"done": done, "tries": tries, "hints": 0, "prediction": None, "seen": 1, "at": at}


def quiz(stage: int) -> dict[str, Any]:
    """A quiz item that is not due before long."""
    return {"stage": stage, "due": 9_000_000_000_000, "correct": "a", "whys": {"a": "Because."}}


def remember(page: Page, steps: dict[str, Any], quizzes: dict[str, Any]) -> None:
    """The browser remembers this of its learner."""
    page.goto("/lessons")
    progress = {"version": 1, "steps": steps, "quizzes": quizzes, "drills": {}}
    page.evaluate("text => localStorage.setItem('progress', text)", json.dumps(progress))
    page.reload()


def remembered(page: Page) -> Any:
    return json.loads(page.evaluate("localStorage.getItem('progress')"))


def test_progress_is_typed_on_another_device(make_context: MakeContext, axe: str) -> None:
    """By keyboard; what both have is joined, of each thing the better; a wrong code changes nothing."""
    desk = make_context(viewport={"width": 1280, "height": 800}).new_page()
    remember(
        desk,
        {"lag/one@1": step(True, 1000, tries=3), "lag/two@1": step(False, 9000)},
        {"lag/one@1#q": quiz(3), "lag/two@1#q": quiz(1)},
    )
    phone = make_context(viewport={"width": 360, "height": 740}, has_touch=True).new_page()
    remember(
        phone,
        {"lag/one@1": step(False, 5000, tries=1), "the-log/one@1": step(True, 2000)},
        {"lag/one@1#q": quiz(1), "lag/two@1#q": quiz(2)},
    )
    desk.get_by_role("button", name="Take it to another device").focus()
    desk.keyboard.press("Enter")
    given = desk.locator("#code-given")
    expect(given).to_contain_text("good for 7 days")
    code = given.locator(".code").inner_text()
    assert re.fullmatch(r"[2-9A-HJ-NP-Z]{4} [2-9A-HJ-NP-Z]{4}", code)

    before = remembered(phone)
    field = phone.get_by_label("A code from another device")
    says = phone.locator("#code-says")
    for typed, told in (("ABC", "8 letters and digits"), ("ABCD EFGH", "no progress under this code")):
        field.fill(typed)
        field.press("Enter")
        expect(says).to_contain_text(told)
        expect(says).to_contain_text("Nothing was changed.")
    assert remembered(phone) == before
    field.fill(code.lower())
    field.press("Enter")
    expect(says).to_have_text("Added: 1 step done, 2 quiz items.")
    expect(field).to_have_value("")
    after = remembered(phone)
    assert after["steps"]["lag/one@1"] == step(True, 5000, tries=1)
    assert after["steps"]["lag/two@1"] == step(False, 9000)
    assert after["steps"]["the-log/one@1"] == step(True, 2000)
    assert {key: row["stage"] for key, row in after["quizzes"].items()} == {
        "lag/one@1#q": 3,
        "lag/two@1#q": 2,
    }
    for page in (desk, phone):
        assert sideways(page) <= 0
        page.evaluate(axe)
        assert page.evaluate(VIOLATIONS) == []


def test_without_progress_there_is_no_code(page: Page) -> None:
    """And nothing is asked of the server."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/progress" in request.url else None)
    page.goto("/lessons")
    page.get_by_role("button", name="Take it to another device").click()
    expect(page.locator("#code-given")).to_contain_text("There is no progress yet")
    assert [url for url in asked if url.endswith("/progress")] == []


# --- a lesson in somebody else's page ------------------------------------------------------------

LISTENER = """
const frame = document.querySelector('iframe');
window.heard = [];
addEventListener('message', (event) => {
  if (event.source !== frame.contentWindow || event.data.from !== 'follow-the-leader') return;
  window.heard.push(event.data);
  if (event.data.event === 'height') frame.style.height = event.data.height + 'px';
});
"""


def lesson_in(course: Page, url: str, source: str, publish: Callable[[str], str], wide: str) -> FrameLocator:
    """A page of another site with a lesson in it, which does what the frame asks for."""
    frame = f'<iframe title="Lesson" style="width:{wide};height:300px;border:0" src="{url}embed/{source}">'
    course.goto(publish(f"<h1>Course</h1>{frame}</iframe><p>After.</p><script>{LISTENER}</script>"))
    inside = course.frame_locator("iframe")
    expect(inside.locator("body[data-connection=open]")).to_be_attached()
    expect(inside.locator(".steps [aria-current]")).to_have_count(1)
    return inside


def heard(course: Page, event: str) -> list[dict[str, Any]]:
    """What the frame told the page around it."""
    return [each for each in course.evaluate("window.heard") if each["event"] == event]


def is_whole(inside: FrameLocator) -> bool:
    """Whether the frame has been given the height it asked for, so that nothing in it is scrolled."""
    hidden: bool = inside.locator("body").evaluate(
        """(body) => [document.scrollingElement, document.getElementById('lesson-body')]
        .some((part) => part.scrollHeight > part.clientHeight + 1)"""
    )
    return not hidden


@pytest.mark.parametrize("wide", ["1240px", "100%"])
def test_a_lesson_is_done_in_a_page_of_another_site(
    chromium: Browser, server: Server, course_of: Callable[[str], str], wide: str
) -> None:
    """By keyboard, without cookies, as high as it needs to be; the page around it hears what is completed."""
    size = {"width": 1280 if wide != "100%" else 376, "height": 800}
    context = chromium.new_context(viewport=size)  # type: ignore[arg-type]
    course = context.new_page()
    faults: list[str] = []
    course.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
    course.on("pageerror", lambda error: faults.append(str(error)))
    inside = lesson_in(course, server.url, "lost-after-ok/timeout", course_of, wide)
    expect(inside.locator(".step:not([hidden])")).to_have_attribute("data-step", "timeout")
    expect(inside.locator(".top, .crumb").locator("visible=true")).to_have_count(0)
    expect(inside.get_by_role("link", name="Open in Follow the Leader")).to_have_attribute(
        "href", "/lessons/lost-after-ok?step=timeout"
    )
    until(course, lambda: heard(course, "height") and is_whole(inside))
    assert inside.locator("body").evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert heard(course, "completed") == []

    step = inside.locator(".step:not([hidden])")
    field = step.locator("[data-question] input").first
    field.focus()
    course.keyboard.press("Space")
    check = step.locator("[data-question] .check").first
    if check.is_visible():
        check.press("Enter")
    step.locator(".experiment button").press("Enter")
    until(course, lambda: heard(course, "completed"))
    (told,) = heard(course, "completed")
    assert (told["lesson"], told["step"]) == ("lost-after-ok", "timeout")
    assert told["done"] == ["timeout"]
    assert "timeout" in told["steps"]
    until(course, lambda: is_whole(inside))
    heights = heard(course, "height")
    assert heights[-1]["height"] < 4000, "a frame that follows itself grows for ever"
    assert context.cookies() == []
    assert faults == []
    context.close()


def test_the_last_step_in_a_frame_leads_to_no_page_that_cannot_be_framed(page: Page) -> None:
    """Nothing goes on there; links open beside the frame."""
    page.goto("/embed/lost-after-ok?step=timeout&theme=dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator(".steps [aria-current]")).to_have_count(1)
    page.locator(".steps a").last.click()
    expect(page.locator(".steps a").last).to_have_attribute("aria-current", "step")
    expect(page.locator("#go-on")).to_be_hidden()
    for link in page.locator("a[href]:not([href^='?'], [href^='#'])").all():
        assert link.get_attribute("target") == "_blank"


def test_a_frame_of_what_is_not_there_says_so(
    chromium: Browser, server: Server, course_of: Callable[[str], str]
) -> None:
    """A page that can be read in the frame."""
    context = chromium.new_context()
    course = context.new_page()
    for source, says in (
        ("gone", "There is no lesson and no scenario called gone here."),
        ("lag/gone", "The lesson lag has no step called gone."),
    ):
        course.goto(course_of(f'<iframe src="{server.url}embed/{source}"></iframe>'))
        inside = course.frame_locator("iframe")
        expect(inside.get_by_role("heading")).to_have_text(says)
        links = inside.get_by_role("main").get_by_role("link")
        expect(links).to_have_text(
            ["Lessons", "interview questions", "a cluster to play with", "Follow the Leader"]
        )
        assert [link.get_attribute("target") for link in links.all()] == ["_blank"] * 4
    context.close()


def test_the_page_of_a_lesson_has_the_frame_to_copy(page: Page) -> None:
    """From the step that is shown."""
    page.goto("/lessons/lag")
    expect(page.locator(".steps [aria-current]")).to_have_count(1)
    page.get_by_role("button", name="Share").click()
    page.get_by_text("Put this lesson into a page").click()
    step = page.locator(".step:not([hidden])").get_attribute("data-step")
    frame = page.get_by_label("HTML of a frame with the lesson")
    expect(frame).to_have_value(re.compile(rf'<iframe src="http://[^"]+/embed/lag/{step}" .*title="'))


# --- a lesson in another language ----------------------------------------------------------------


GERMAN = Library([ROOT / "lessons"]).find("one-writer", "de")
ENGLISH = Library([ROOT / "lessons"]).find("one-writer")
"""A text whose English has changed since stands in both."""


def expect_said(part: Locator, text: str) -> None:
    """A person's text, in its language."""
    expect(part).to_have_text(text.replace("`", ""))
    language = part.evaluate("(part) => part.closest('[lang]').lang")
    assert language == (text.language if isinstance(text, Said) else "en")


def test_a_lesson_is_read_in_another_language(page: Page, axe: str) -> None:
    """From the list on; what the learner is told comes in it too, and every part says its language."""
    assert isinstance(GERMAN.title, Said)
    page.goto("/lessons")
    page.get_by_role("link", name="Deutsch").click()
    page.get_by_role("link", name=GERMAN.title).click()
    expect(page.locator(".steps [aria-current]")).to_have_count(1)
    step = page.locator(".step:not([hidden])")
    first = GERMAN.steps[0]
    assert first.task is not None
    expect_said(page.locator("#lesson-title"), GERMAN.title)
    expect_said(step.locator("h2"), first.title)
    expect_said(step.locator(".todo li > span:not([aria-hidden], .state)").first, first.task.goal[0].text)
    page.get_by_role("button", name=re.compile("^Hint")).press("Enter")
    expect_said(step.locator(".hints li"), first.task.hints[0])
    expect_said(page.locator("#go-on"), "Skip →")
    page.evaluate(axe)
    assert page.evaluate(VIOLATIONS) == []

    page.locator("#go-on").press("Enter")
    expect(page.locator(".steps a").nth(1)).to_have_attribute("aria-current", "step")
    assert "language=de" in page.url
    step.locator("[data-option=stored] input").check()
    step.locator(".experiment button").press("Enter")
    outcome = step.locator("[data-question] .outcome")
    answer_in(outcome, GERMAN, "stored")
    page.reload()
    answer_in(outcome, GERMAN, "stored")
    page.get_by_role("link", name="English").click()
    expect_said(page.locator("#lesson-title"), ENGLISH.title)
    expect(page.locator(".steps a").nth(1)).to_have_attribute("aria-current", "step")
    answer_in(outcome, ENGLISH, "stored")


def answer_in(outcome: Locator, lesson: Lesson, name: str) -> None:
    """What became of an answer to the first question, in the lesson's language."""
    option = lesson.questions()[0].option(name)
    assert option is not None
    expect_said(outcome.locator("> p:not(.outcome-title, .means)"), option.why or "That is what happened.")
    expect_said(outcome.locator("dd.you-said"), option.text)
    expect_said(outcome.locator("dd.measured"), "1")


def test_a_text_that_is_not_translated_says_that_it_is_english(page: Page) -> None:
    """In a lesson that otherwise is not: what the server says by itself."""
    page.goto("/embed/one-writer/bet?language=de")
    expect(page.locator(".steps [aria-current]")).to_have_count(1)
    step = page.locator(".step:not([hidden])")
    expect_said(step.locator(".ask").first, GERMAN.questions()[0].ask)
    step.locator("[data-option=refused] input").check()
    step.locator(".experiment button").press("Enter")
    answer_in(step.locator("[data-question] .outcome"), GERMAN, "refused")
