"""The interview drill with a spoken answer: recorded in the page, heard beside the rubric, and gone with it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import until

LISTEN = """
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wish) => (window.heard = await ask(wish));
"""
"""Keeps what the page listens to, so that a test can see whether the microphone is still on."""
HEARD = "heard.getTracks().map((track) => track.readyState)"


def take_question(page: Page) -> None:
    """Opens the drill and waits until the answer can be given."""
    page.goto("/interview")
    page.get_by_role("button", name="Give me a question").press("Enter")
    expect(page.get_by_role("textbox", name="Your answer")).to_be_focused()


def test_an_answer_can_be_said_and_is_heard_beside_the_rubric(make_context: MakeContext) -> None:
    """By keyboard alone: start, see the time, stop, hear it. Nothing is sent, and the next question forgets it."""
    page = make_context(permissions=["microphone"]).new_page()
    page.add_init_script(LISTEN)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method != "GET" else None)
    take_question(page)
    page.keyboard.press("Alt+r")
    expect(page.get_by_role("button", name="Stop recording")).to_be_visible()
    expect(page.locator(".record-time")).to_have_text("0:01")
    assert page.evaluate(HEARD) == ["live"]
    page.keyboard.press("Alt+r")
    expect(page.get_by_role("status").filter(has_text=re.compile(r"^Recorded 0:\d\d\."))).to_be_visible()
    assert page.evaluate(HEARD) == ["ended"]

    # Once more, over the first: the button itself, and Done in the middle of it.
    page.get_by_role("button", name="Record it again").press("Enter")
    expect(page.locator(".record-time")).to_have_text("0:01")
    page.get_by_role("button", name="Done").press("Enter")
    expect(page.get_by_role("group", name="Score yourself")).to_be_visible()
    assert page.evaluate(HEARD) == ["ended"]
    player = page.get_by_label("Your recorded answer")
    expect(player).to_be_visible()
    expect(page.locator(".spoken + .rubric")).to_be_visible()
    until(page, lambda: player.evaluate("(sound) => sound.duration > 0.5 && sound.duration < 60"))
    player.evaluate("(sound) => sound.play()")
    until(page, lambda: player.evaluate("(sound) => sound.currentTime > 0 && sound.error === null"))

    # What the rubric asks for beyond the short answer is there to compare with.
    page.get_by_text("What a senior adds", exact=True).press("Enter")
    expect(page.locator(".senior li").first).to_be_visible()
    expect(page.locator(".sheet-follow dt").first).to_have_text(re.compile(r"\?$"))

    page.get_by_role("button", name="Keep this score").press("Enter")
    page.get_by_role("button", name="Another question").press("Enter")
    expect(page.get_by_role("button", name="Record your answer")).to_be_visible()
    expect(player).to_have_count(0)
    assert sent == []


def test_the_end_of_the_minute_ends_the_recording(make_context: MakeContext) -> None:
    """What was said until then is kept for the rubric; nothing more is taken."""
    page = make_context(permissions=["microphone"]).new_page()
    page.clock.install()
    page.add_init_script(LISTEN)
    take_question(page)
    record = page.get_by_role("button", name="Record your answer")
    record.press("Enter")
    expect(page.get_by_role("button", name="Stop recording")).to_be_visible()
    page.clock.fast_forward(61_000)
    expect(page.get_by_text("The minute is over.")).to_be_visible()
    expect(page.get_by_role("button", name="Record it again")).to_be_disabled()
    assert page.evaluate(HEARD) == ["ended"]
    page.get_by_role("button", name="Done").press("Enter")
    expect(page.get_by_label("Your recorded answer")).to_be_visible()


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("permission", "The microphone was not allowed."),
        ("microphone", "There is no microphone here."),
        ("means", "This browser lets this page record nothing."),
    ],
)
def test_without_a_microphone_one_types(make_context: MakeContext, missing: str, says: str) -> None:
    """A plain sentence says why, and the question can be answered and scored all the same."""
    page = make_context().new_page()
    if missing == "microphone":
        page.add_init_script(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))"
        )
    elif missing == "means":
        page.add_init_script("delete window.MediaRecorder")
    take_question(page)
    page.get_by_role("button", name="Record your answer").press("Enter")
    expect(page.get_by_role("status").filter(has_text=says)).to_be_visible()
    page.get_by_role("textbox", name="Your answer").fill("One node writes.")
    page.get_by_role("button", name="Done").press("Enter")
    expect(page.locator(".own")).to_have_text("One node writes.")
    expect(page.get_by_label("Your recorded answer")).to_have_count(0)
    page.get_by_role("button", name="Keep this score").press("Enter")
    expect(page.get_by_role("button", name="Another question")).to_be_focused()
