"""For every eye and hand: themes, stillness, the accessibility checker, and small screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor

VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
  const { violations } = await axe.run();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
}"""

DOCK = ["Space-time", "Operations", "Logs", "Charts", "Events"]

SURFACES: dict[str, Callable[[Visitor], object]] = {
    "playground": lambda visitor: None,
    "palette": lambda visitor: type_nonsense(visitor),
    "help": lambda visitor: visitor.page.keyboard.press("?"),
    "menu": lambda visitor: visitor.press("Scenarios…"),
    "evidence": lambda visitor: visitor.page.locator(".verdicts .broken").first.click(),
    "ledger": lambda visitor: visitor.press("Ledger"),
    **{name: partial(Visitor.dock, name=name) for name in DOCK},
    "table": lambda visitor: visitor.page.keyboard.press("t"),
}
"""Everything that can be opened in the playground, and how."""

OPENED = {
    "palette": ".fault",
    "help": ".command-row",
    "menu": "[role=menuitem]",
    "evidence": ".drawer",
    "ledger": ".drawer",
    **dict.fromkeys(DOCK, "#dock .dock-body > *"),
    "table": "#table tr",
}


def type_nonsense(visitor: Visitor) -> None:
    """The palette with a refused line in it."""
    field = visitor.palette()
    field.fill("kill leeder")
    field.press("Enter")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_checker_finds_nothing(make_context: MakeContext, axe: str, width: int, theme: str) -> None:
    """With a dead node, a lost write and broken promises to be seen, and each thing open in turn."""
    motion = "reduce" if width < 500 else "no-preference"
    size = {"width": width, "height": 900}
    context = make_context(viewport=size, color_scheme=theme, reduced_motion=motion)
    visitor = Visitor(context.new_page()).open()
    page = visitor.page
    visitor.go_at(QUICKLY)
    visitor.scenario("The write that was acknowledged and then vanished")
    expect(page.locator("#script-lines li:not(.done)")).to_have_count(0)
    visitor.hold()
    page.evaluate(axe)
    for name, show in SURFACES.items():
        show(visitor)
        if name in OPENED:
            expect(page.locator(OPENED[name]).first).to_be_visible()
        assert page.evaluate(VIOLATIONS) == [], name
        assert sideways(page) <= 0, name
        page.keyboard.press("Escape")
    visitor.open("/")
    page.evaluate(axe)
    assert page.evaluate(VIOLATIONS) == []
    assert sideways(page) <= 0


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    return wide


NOT_THERE = """() => [...document.querySelectorAll(
    'button, select, summary, a[href], input:not([type=radio]), label:has(input[type=radio])')]
  .filter((control) => control.checkVisibility() && !control.matches('.skip'))
  .flatMap((control) => {
    const name = control.getAttribute('aria-label') || control.textContent.trim() || control.id;
    control.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const { left, top, width, height } = control.getBoundingClientRect();
    const found = document.elementFromPoint(left + width / 2, top + height / 2);
    const faults = [];
    const isHit = control.contains(found) || found?.closest('label')?.control === control;
    if (!isHit) faults.push(`${name} is covered by ${found?.outerHTML.slice(0, 80)}`);
    if (width < 24 || height < 24) faults.push(`${name} is ${width} by ${height}`);
    if (left < 0 || left + width > innerWidth + 0.5) faults.push(`${name} is cut off`);
    return faults;
  })"""


@pytest.mark.parametrize("size", [(390, 844), (360, 640)], ids=lambda size: f"{size[0]}")
def test_everything_is_within_reach_on_a_phone(make_context: MakeContext, size: tuple[int, int]) -> None:
    """Every control can be scrolled to and hit by a finger, and is wholly on the screen."""
    context = make_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    visitor = Visitor(context.new_page()).open("/")
    page = visitor.page
    assert page.evaluate(NOT_THERE) == []
    visitor.open()
    page.get_by_text("More operations").tap()
    visitor.hold()
    for name in (
        "Write",
        "Read",
        "Kill A",
        "Pause",
        "Play",
        "Step",
        "Table",
        "Scenarios…",
        "Heal all",
    ):
        expect(visitor.button(name)).to_be_visible()
    assert page.evaluate(NOT_THERE) == []
    visitor.node("B").locator(".grip").tap()
    menu = page.get_by_role("menu")
    expect(menu).to_be_in_viewport(ratio=0.99)
    assert page.evaluate(NOT_THERE.replace("document.q", "document.querySelector('[role=menu]').q")) == []
    menu.get_by_role("menuitem", name="Kill").tap()
    expect(visitor.node("B")).to_have_class(re.compile(r"\bdead\b"))
    visitor.button("Restart").tap()
    expect(visitor.node("B")).not_to_have_class(re.compile(r"\bdead\b"))


BAR = """() => {
  const bar = document.querySelector('.bar');
  const places = [...bar.children].filter((part) => part.offsetWidth > 0 && getComputedStyle(part).position !== 'fixed')
    .map((part) => part.getBoundingClientRect()).map(({ top, height }) => top + height / 2);
  const isOneLine = Math.max(...places) - Math.min(...places) < 6;
  return isOneLine && bar.scrollWidth <= bar.clientWidth ? '' : `${innerWidth}: ${bar.offsetHeight} high, ${bar.scrollWidth} wide`;
}"""


def test_the_bar_keeps_to_one_line(quiet: Visitor) -> None:
    """From 1000 pixels on: live, in the past, and with a branch to choose; each tab can be come to."""
    page = quiet.page
    quiet.write("k", "1")
    quiet.press("Step")
    expect(page.locator("#count")).not_to_have_text("1 events")
    for when in ("live", "past", "branch"):
        if when == "past":
            quiet.press("Step back")
            expect(quiet.button("Back to now")).to_be_visible()
        if when == "branch":
            quiet.press("Branch from here")
            expect(page.get_by_label("Branch", exact=True)).to_be_visible()
            quiet.press("Step back")
            expect(quiet.button("Back to now")).to_be_visible()
        for width in (1000, 1100, 1280, 1440, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(BAR) == "", when
            if when == "branch" and width >= 1280:
                assert (
                    page.locator("#branch-here .word").evaluate("(word) => getComputedStyle(word).position")
                    == "static"
                )
    page.set_viewport_size({"width": 1000, "height": 800})
    quiet.dock("Events")
    expect(quiet.tab("Events")).to_be_in_viewport()
    assert page.evaluate(BAR) == ""


LOW = """() => {
  const floor = document.querySelector('#diagram').getBoundingClientRect().bottom;
  return [...document.querySelectorAll('.region rect, .log text, .discarded rect')].filter((part) => part.checkVisibility())
    .filter((part) => part.getBoundingClientRect().bottom > floor).map((part) => part.outerHTML);
}"""


@pytest.mark.parametrize("nodes", [3, 5, 9])
def test_a_partition_is_seen_whole(page: Page, nodes: int) -> None:
    """The boxes around its sides and what stands in them end above what is told, with the dock open too."""
    others = "+".join("BCDEFGHI"[: nodes - 1])
    visitor = Visitor(page).open(f"/play?v=1&set=nodes:{nodes}&do=500:partition+A!{others}&end=1000")
    expect(page.locator(".node")).to_have_count(nodes)
    expect(page.locator(".region")).to_have_count(2)
    visitor.hold()
    for width, height in ((1440, 900), (1920, 1080), (1100, 800)):
        page.set_viewport_size({"width": width, "height": height})
        for is_open in (False, True):
            if is_open:
                visitor.dock("Logs")
            visitor.hold()
            assert page.evaluate(LOW) == [], (width, is_open)
            expect(page.locator("#narration")).to_be_in_viewport(ratio=0.9)
        visitor.tab("Logs").click()
        expect(page.locator("#dock")).to_be_hidden()


def test_every_term_of_a_log_in_two_rows_is_named(page: Page) -> None:
    """Nine logs leave room for one line above them: it names what begins further down, too."""
    page.set_viewport_size({"width": 1440, "height": 900})
    link = "v=1&seed=5&set=nodes:9&do=100:write+x+100;200:write+y+200;1500:kill+A&end=9000&look=8500"
    visitor = Visitor(page).open(f"/play?{link}")
    expect(visitor.cell("B", "–")).to_have_count(1)
    expect(visitor.log("B").locator(".run")).to_have_text("term 1, then 2")
    expect(visitor.log("A").locator(".run")).to_have_text("term 1")


def test_the_theme_is_the_systems_until_one_is_chosen(make_context: MakeContext) -> None:
    """Dark where the system is dark; what the visitor chooses stays, from the first paint of any page."""
    visitor = Visitor(make_context(color_scheme="dark").new_page()).open()
    switch = visitor.button("Dark theme")
    body = visitor.page.locator("body")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(body).to_have_css("background-color", "rgb(18, 22, 28)")
    switch.click()
    expect(body).to_have_css("background-color", "rgb(251, 250, 247)")
    response = visitor.page.goto("/")
    assert response is not None
    assert 'data-theme="light"' in response.text()
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(body).to_have_css("background-color", "rgb(251, 250, 247)")


def test_where_motion_is_unwanted_nothing_moves(make_context: MakeContext) -> None:
    """Messages wait on their way, numbered in the order of sending, until they arrive."""
    visitor = Visitor(make_context(reduced_motion="reduce").new_page()).open()
    page = visitor.page
    visitor.begin_quietly()
    visitor.write("k", "1")
    message = page.locator(".message.write:visible")
    expect(message).to_have_text(re.compile(r"^\d+ k=1 [←↓]$"))
    place = message.get_attribute("transform")
    visitor.go_at("0.05")
    visitor.play()
    expect(page.locator("#time")).not_to_have_text(re.compile(r"^0\.0"))
    assert message.get_attribute("transform") == place
    visitor.hold()
    visitor.go_at(QUICKLY)
    copies = page.locator(".message.append:visible")
    for _ in range(60):
        if copies.count() == 2:
            break
        before = page.locator("#count").text_content() or ""
        visitor.press("Step")
        expect(page.locator("#count")).not_to_have_text(before)
        visitor.see()  # The words come at once, the picture with the next paint.
    expect(copies).to_have_text([re.compile(r"^\d+ k=1 →$")] * 2)
    order = "(all) => all.map((one) => [Number(one.dataset.id), parseInt(one.textContent)]).sort()"
    (_, first), (_, second) = copies.evaluate_all(order)
    assert first < second
