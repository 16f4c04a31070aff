"""The projector view where the room has not voted: nothing is answered for it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor, until

LONG_MS = 120_000
NOT_VOTED = re.compile(
    r"^The room has not voted\. Press 1 to 4 for its answer, or go on once more without one\.$"
)
"""What is said to a presenter who goes on without an answer."""
KEEP_CAPTIONS = """() => {
  window.captions = [];
  const text = document.getElementById("narration-text");
  new MutationObserver(() => captions.push(text.textContent)).observe(text, { childList: true });
}"""
"""Notes every sentence from here on: how long one stays depends on how fast the machine is."""


HOLD_UP = """window.holdUp = setInterval(() => {
  const since = performance.now();
  while (performance.now() - since < 900);
}, 60)"""
"""A page that paints about once a second: at this speed twenty seconds of the run come between two paints."""


def on_the_wall(make_context: MakeContext) -> Page:
    """The worked lesson at its prediction, large, playing quickly."""
    page = make_context(viewport={"width": 1920, "height": 1080}).new_page()
    page.goto("/lessons/lost-after-ok?step=bet")
    expect(page.locator("body[data-connection=open]")).to_be_attached()
    Visitor(page).go_at(QUICKLY)
    page.goto("/lessons/lost-after-ok?step=bet&present")
    expect(page.locator(".wall-title")).to_contain_text("How many writes with an OK")
    return page


def test_the_wall_says_how_to_go_on(make_context: MakeContext) -> None:
    """At first, when the mouse moves, and to whoever presses a key that does nothing; then it is gone again."""
    page = make_context(viewport={"width": 1920, "height": 1080}).new_page()
    page.goto("/lessons/lost-after-ok?present")
    ways = page.get_by_role("navigation", name="Projector view")
    expect(ways).to_have_css("opacity", "1")
    expect(ways).to_contain_text("PageDown or a clicker")
    expect(ways).to_have_css("opacity", "0")
    page.keyboard.press("x")
    expect(ways).to_have_css("opacity", "1")
    expect(ways).to_have_css("opacity", "0")
    page.mouse.move(300, 300)
    expect(ways).to_have_css("opacity", "1")


def test_an_unanswered_prediction_is_asked_for(make_context: MakeContext) -> None:
    """Going on says that the room has not voted, and chooses nothing; then the presenter gives its answer."""
    page = on_the_wall(make_context)
    page.keyboard.press("PageDown")
    expect(page.get_by_role("status").filter(has_text=NOT_VOTED)).to_be_visible()
    expect(page.locator(".wall-title")).to_contain_text("How many writes with an OK")
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    page.keyboard.press("3")
    expect(page.locator('[data-question="bet"] input[value="some"]')).to_be_checked()
    expect(page.locator(".wall-vote")).to_have_count(0)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("Pull the plug")


def test_an_unanswered_prediction_can_be_passed_over(make_context: MakeContext) -> None:
    """The second press goes on: the run tells what happened, and nobody was right or wrong. What was seen is
    asked for in the same way."""
    page = on_the_wall(make_context)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-vote")).to_have_text(NOT_VOTED)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("Pull the plug")
    expect(page.locator(".wall-vote")).to_have_count(0)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_contain_text("What did the new leader do", timeout=LONG_MS)
    echo = page.locator('[data-echo="bet"]')
    expect(echo.locator(".measured")).to_have_text(re.compile(r"^\d+$"))
    expect(echo).not_to_contain_text("You said")
    expect(page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-vote")).to_contain_text("Press 1 or 2 for its answer")
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    page.keyboard.press("2")
    expect(page.locator('.step:not([hidden]) [data-question="where"]')).to_have_attribute(
        "data-result", "right"
    )
    expect(page.locator(".step:not([hidden]) .explain")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("What can this client say about its write?")


def test_a_step_that_is_come_back_to_is_played_again(make_context: MakeContext) -> None:
    """With the losses in words, all of them; and who has seen enough goes on while it plays."""
    page = on_the_wall(make_context)
    page.keyboard.press("3")
    expect(page.locator('[data-question="bet"] input[value="some"]')).to_be_checked()
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("Pull the plug")
    page.evaluate(KEEP_CAPTIONS)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_contain_text("What did the new leader do", timeout=LONG_MS)
    expect(page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    lost = page.locator('[data-echo="bet"] .measured').inner_text()
    until(page, lambda: f"{lost} acknowledged writes are lost by now" in page.evaluate("captions.join(' ')"))
    page.keyboard.press("2")
    expect(page.locator(".step:not([hidden]) .explain")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("What can this client say about its write?")
    for key in ("PageUp", "PageDown"):
        page.keyboard.press(key)
        expect(page.locator(".wall-title")).to_contain_text("What did the new leader do")
    expect(page.locator("#played")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("What can this client say about its write?")


def test_of_all_that_comes_at_once_the_loss_is_told(make_context: MakeContext) -> None:
    """However slow the machine: not what was broken by the loss, nor what came after it."""
    page = on_the_wall(make_context)
    page.keyboard.press("3")
    expect(page.locator('[data-question="bet"] input[value="some"]')).to_be_checked()
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_have_text("Pull the plug")
    page.evaluate(KEEP_CAPTIONS)
    page.evaluate(HOLD_UP)
    page.keyboard.press("PageDown")
    expect(page.locator(".wall-title")).to_contain_text("What did the new leader do", timeout=LONG_MS)
    expect(page.locator("#played")).to_be_hidden(timeout=LONG_MS)
    page.evaluate("clearInterval(holdUp)")
    lost = page.locator('[data-echo="bet"] .measured').inner_text()
    until(page, lambda: f"{lost} acknowledged writes are lost by now" in page.evaluate("captions.join(' ')"))


def test_who_rehearsed_begins_again(make_context: MakeContext) -> None:
    """R asks, and R once more forgets every answer; before there is one it does nothing."""
    page = on_the_wall(make_context)
    again = page.locator(".wall-ways button").nth(1)
    expect(again).to_be_hidden()
    page.keyboard.press("3")
    expect(page.locator('[data-question="bet"] input[value="some"]')).to_be_checked()
    expect(again).to_be_visible()
    expect(again).to_have_text("Begin again (R)")
    page.keyboard.press("r")
    expect(again).to_have_text("Forget all answers?")
    page.keyboard.press("r")
    expect(page.locator(".wall-crumb")).to_contain_text("1 of 5")
    expect(page).to_have_url(re.compile(r"\?present&step=[\w-]+$"))
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    expect(again).to_be_hidden()


def test_a_long_caption_is_whole_on_the_wall(make_context: MakeContext) -> None:
    """Set smaller, it is not cut off; a short one is large again."""
    page = on_the_wall(make_context)
    page.set_viewport_size({"width": 1280, "height": 720})
    box, text = page.locator("#narration"), page.locator("#narration-text")
    sizes = []
    for words in ("A sentence of some length that says what has just happened. " * 4, "A is dead."):
        text.evaluate("(text, words) => text.replaceChildren(words)", words)
        until(page, lambda: box.evaluate("(box) => box.scrollHeight <= box.clientHeight"))
        sizes.append(box.evaluate("(box) => parseFloat(getComputedStyle(box).fontSize)"))
    assert sizes[0] < sizes[1]
