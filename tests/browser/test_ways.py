"""Ways of using the page: again after a reload, in two tabs, by keyboard, on a phone, with assistance."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor

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
    quiet.page.reload()
    quiet.wait()
    expect(quiet.button("Pause playback")).to_be_visible()
    expect(quiet.log("C")).to_contain_text("store k=7")


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
    page.keyboard.press(".")
    expect(page.locator("#time")).not_to_have_text("0.00 s")
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
    """The sentence, the word at fault marked, what would fit; nothing happened in the run."""
    count = quiet.page.locator("#count").text_content() or ""
    field = quiet.palette()
    fault = quiet.page.get_by_role("dialog").get_by_role("alert")
    for line, word, says in (
        ("kill leeder", "leeder", "leader"),
        ("set replication fast", "fast", "semi-sync"),
        ("write x 1 by A", "A", "client"),
        ("restart A", None, "A is not dead"),
        ("<b>x</b> & 1", "<b>x</b>", "no command"),
    ):
        field.fill(line)
        field.press("Enter")
        expect(fault.locator("code").first).to_have_text(line)
        expect(fault.locator("u")).to_have_text([word] if word else [])
        expect(fault).to_contain_text(says)
    field.fill("kill leeder")
    field.press("Enter")
    fault.get_by_role("button", name="leader", exact=True).click()
    expect(field).to_have_value("kill leader")
    expect(fault).not_to_be_visible()
    expect(quiet.page.locator("#count")).to_have_text(count)
    field.press("Enter")
    expect(quiet.node("A")).to_contain_text("dead")


def test_the_palette_takes_what_is_typed_before_it_is_there(page: Page) -> None:
    """On a slow line the first Ctrl K fetches it; nothing typed meanwhile is lost or taken for a key."""

    def late(route: Route) -> None:
        page.wait_for_timeout(1_500)
        route.continue_()

    page.route("**/palette.js", late)
    visitor = Visitor(page)
    page.goto("/play", wait_until="commit")
    expect(page.locator("body[data-connection=open]")).to_be_attached()
    page.keyboard.press("Control+k")
    page.keyboard.type("kill B")
    expect(page.get_by_role("combobox", name="Command")).to_have_value("kill B")
    page.keyboard.press("Enter")
    visitor.wait()
    expect(page.locator(".node.dead")).to_have_count(1)


def test_the_palette_completes(quiet: Visitor) -> None:
    """What could come next is listed and taken by Tab; what was sent comes back by the arrow up."""
    field = quiet.palette()
    field.press_sequentially("wri")
    expect(
        quiet.page.get_by_role("listbox", name="What could come next").get_by_role("option").first
    ).to_have_text("write")
    field.press("Tab")
    expect(field).to_have_value("write ")
    field.press_sequentially("k 7")
    field.press("Enter")
    expect(quiet.client("1")).to_contain_text("k=7 …")
    quiet.palette().press("ArrowUp")
    expect(field).to_have_value("write k 7")


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
