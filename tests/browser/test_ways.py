"""Ways of using the page: again after a reload, in two tabs, by keyboard, on a phone, with assistance."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor, until

PHONES = [{"width": 390, "height": 844}, {"width": 360, "height": 640}]


def test_reload_comes_back_to_the_same_room(quiet: Visitor) -> None:
    """The same run, the same entries, held as before, and it goes on from there."""
    quiet.write("k", "7")
    quiet.play()
    expect(quiet.log("C")).to_contain_text("store k=7")
    quiet.hold()
    quiet.state()
    time = quiet.page.locator("#time").text_content() or ""
    quiet.page.reload()
    quiet.wait()
    expect(quiet.log("C")).to_contain_text("store k=7")
    expect(quiet.button("Play")).to_be_visible()
    expect(quiet.page.locator("#time")).to_have_text(time)
    quiet.play()
    expect(quiet.page.locator("#time")).not_to_have_text(time)


def test_second_tab_shows_and_steers_the_same_run(quiet: Visitor) -> None:
    """Two tabs of one visitor are one room; what either does, both show."""
    second = Visitor(quiet.page.context.new_page()).open()
    assert second.seed() == quiet.seed()
    second.say("kill B")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)
    quiet.say("restart B")
    expect(second.page.locator(".node.dead")).to_have_count(0)


def test_another_visitor_has_a_room_of_their_own(quiet: Visitor, make_context: MakeContext) -> None:
    """Nothing of one room is seen or touched from another."""
    stranger = Visitor(make_context().new_page()).open()
    stranger.say("kill B")
    expect(stranger.page.locator(".node.dead")).to_have_count(1)
    expect(quiet.page.locator(".node.dead")).to_have_count(0)


def test_everything_by_keyboard_alone(quiet: Visitor) -> None:
    """Write, read, kill, choose, play and hold, step, ask for help, read the table: without a mouse."""
    page = quiet.page
    page.keyboard.press("w")
    page.keyboard.press("Control+a")
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    expect(quiet.client("1")).to_contain_text("=9 …")
    page.keyboard.press("Escape")
    page.locator("#main").focus()
    page.keyboard.press("Space")
    expect(quiet.button("Pause playback")).to_be_attached()
    expect(quiet.log("C")).to_contain_text("=9")
    page.keyboard.press("r")
    expect(quiet.client("1")).to_contain_text("is 9")
    quiet.radio("Replication", "Async").focus()
    page.keyboard.press("ArrowRight")
    expect(quiet.radio("Replication", "Semi-sync")).to_be_checked()
    page.locator("#main").focus()
    page.keyboard.press("k")
    expect(page.locator(".node.dead")).to_have_count(1)
    page.keyboard.press("t")
    expect(page.get_by_role("table").first).to_contain_text("dead")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("kill")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_bad_command_is_explained_and_changes_nothing(quiet: Visitor) -> None:
    """The sentence, the word at fault, what would fit; nothing happened in the run."""
    count = quiet.page.locator("#count").text_content() or ""
    field = quiet.palette()
    for line, says, word in (
        ("kill leeder", "Did you mean leader?", "leeder"),
        ("set replication fast", "fast", "fast"),
        ("write", "", None),
        ("restart A", "A is not dead", None),
        ("<b>x</b>", "There is no command", None),
    ):
        field.fill(line)
        field.press("Enter")
        dialog = quiet.page.get_by_role("dialog")
        expect(dialog).to_contain_text(says)
        if word is not None:
            expect(dialog.locator(".fault code > *").first).to_have_text(word)
    expect(quiet.page.locator("#count")).to_have_text(count)


def test_a_storm_of_clicks_loses_nothing(quiet: Visitor) -> None:
    """Hundreds at once: those over the limit are refused in a sentence, and the page still works."""
    quiet.page.evaluate(
        "() => { const write = [...document.querySelectorAll('button')].find((one) =>"
        " one.textContent === 'Write');"
        " for (let i = 0; i < 1000; i += 1) write.click(); }"
    )
    until(quiet.page, lambda: any(not answer["ok"] for answer in quiet.wire.answers))
    refused = next(answer for answer in quiet.wire.answers if not answer["ok"])
    assert refused["error"]["says"].endswith(".")
    quiet.page.wait_for_timeout(1_500)  # The bucket fills again.
    quiet.say("kill B")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)


@pytest.mark.parametrize("size", PHONES, ids=lambda size: f"{size['width']}")
def test_on_a_phone_everything_is_within_reach(make_context: MakeContext, size: dict[str, int]) -> None:
    """No sideways scrolling; write, kill and watch by touch; targets large enough for a finger."""
    context = make_context(viewport=size, has_touch=True, is_mobile=True)
    visitor = Visitor(context.new_page()).open("/")
    page = visitor.page
    assert sideways(page) <= 0
    page.get_by_role("button", name="Kill the leader").tap()
    expect(page.locator(".node.dead")).to_have_count(1)
    visitor.open("/play")
    assert sideways(page) <= 0
    page.get_by_label("Key", exact=True).fill("k")
    page.get_by_label("Value", exact=True).fill("7")
    visitor.button("Write").tap()
    expect(visitor.client("1")).to_contain_text("k=7")
    for name in ("Write", "Read", "Step"):
        box = visitor.button(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_checker_finds_nothing(make_context: MakeContext, axe: str, width: int, scheme: str) -> None:
    """Both pages, with palette, help, table and a node's menu open, in both themes, large and small."""
    context = make_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visitor = Visitor(context.new_page())
    for path in ("/", "/play"):
        visitor.open(path)
        visitor.page.evaluate(axe)
        assert violations(visitor.page) == []
    for key in ("Control+k", "?", "t"):
        visitor.page.keyboard.press(key)
        visitor.page.wait_for_timeout(300)
        assert violations(visitor.page) == []
        visitor.page.keyboard.press("Escape")


def violations(page: Page) -> list[str]:
    """What axe finds, a line each."""
    found = "axe.run().then((found) => found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`))"
    lines: list[str] = page.evaluate(found)
    return lines


def test_unknown_page_is_friendly(make_context: MakeContext) -> None:
    """A wrong address says so and leads home."""
    page = make_context().new_page()
    answer = page.request.get("/nowhere")
    assert answer.status == 404
    assert "There is no such page here" in answer.text()


def test_quick_and_slow(quiet: Visitor) -> None:
    """The speed is the room's: it is still chosen after a reload."""
    quiet.go_at("0.1")
    quiet.page.reload()
    quiet.wait()
    expect(quiet.page.get_by_role("combobox", name="speed", exact=True)).to_have_value("0.1")
    quiet.go_at(QUICKLY)
