"""What leaves the page of a lesson: progress that is typed on another device."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.test_looks import VIOLATIONS, sideways


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
