"""The comparison page: one click, three runs, and what it cost in each."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import Visitor


def arrive(page: Page) -> Visitor:
    """Opens the page; it is alive."""
    visitor = Visitor(page)
    page.goto("/compare")
    expect(page.locator(".lane")).to_have_count(3)
    expect(page.locator(".lane .node")).to_have_count(9)
    return visitor


def figure(page: Page, row: str, lane: int) -> Locator:
    """A number of the table, by its row's title and its run."""
    return page.locator(f'#figures td[data-figure="{row}"]').nth(lane - 1)


def test_one_crash_in_three_runs(page: Page) -> None:
    """Async loses what it acknowledged; the first difference is marked and can be gone to."""
    visitor = arrive(page)
    visitor.hold()
    visitor.press("New seed")
    expect(visitor.button("Pause playback")).to_be_attached()
    visitor.hold()
    command = page.get_by_label("Command for all runs")
    for line in ("load stop", "latency A B 30s", "latency A C 30s"):
        command.fill(line)
        visitor.press("Send")
        expect(command).to_have_value("")
    visitor.go_at("5")
    visitor.press("Write")
    visitor.play()
    expect(figure(page, "acknowledged writes", 1)).not_to_have_text("0")
    visitor.press("Kill the leader")
    expect(page.locator(".lane .node.dead")).to_have_count(3)
    expect(figure(page, "acknowledged, then lost", 1)).not_to_have_text("0")
    expect(figure(page, "acknowledged, then lost", 3)).to_have_text("0")
    visitor.hold()
    expect(page.locator("#difference")).to_contain_text("First difference")
    page.locator("#difference button").click()
    expect(visitor.button("Back to now")).to_be_visible()
    expect(page.locator(".lane .node.dead")).to_have_count(0)
    expect(figure(page, "acknowledged, then lost", 1)).to_have_text("0")


def test_choosing_other_settings_begins_anew(page: Page) -> None:
    """Two runs instead of three, and another replication for one of them."""
    visitor = arrive(page)
    visitor.press("Two runs only")
    expect(page.locator(".lane")).to_have_count(2)
    page.get_by_label("Replication of run 2").select_option("semi-sync")
    expect(page.locator("#figures")).to_contain_text("2 semi-sync")
    page.reload()
    expect(page.locator(".lane")).to_have_count(2)
    expect(page.get_by_label("Replication of run 2")).to_have_value("semi-sync")
    visitor.press("Add a third run")
    expect(page.locator(".lane")).to_have_count(3)


def test_a_refused_command_says_why(page: Page) -> None:
    """And nothing changes; the playground beside it has a run of its own."""
    arrive(page)
    command = page.get_by_label("Command for all runs")
    command.fill("kill Q")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#toasts")).to_contain_text("Q")
    expect(command).to_have_value("kill Q")
    expect(page.locator(".lane .node.dead")).to_have_count(0)
    page.goto("/play")
    expect(page.locator("#diagram .node")).to_have_count(3)


SEEN = """() => {
  const box = (element) => element.getBoundingClientRect();
  const floor = box(document.querySelector('.dock')).top;
  const faults = [...document.querySelectorAll('#figures tr')].filter((row) => box(row).bottom > floor + 1)
    .map((row) => `out of sight: ${row.textContent}`);
  for (const lane of document.querySelectorAll('.lane')) {
    const words = box(lane.querySelector('p.told')).top;
    const low = [...lane.querySelectorAll('.region rect, .log text')].filter((part) => box(part).bottom > words);
    faults.push(...low.map((part) => `under the sentence: ${part.outerHTML}`));
  }
  const toast = box(document.querySelector('#toasts > div'));
  for (const control of document.querySelectorAll('.compare-head :is(button, input)')) {
    const { left, right, top, bottom } = box(control);
    if (left < toast.right && right > toast.left && top < toast.bottom && bottom > toast.top)
      faults.push(`covered: ${control.id || control.textContent}`);
  }
  const field = document.querySelector('#command');
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = getComputedStyle(field).font;
  if (pen.measureText(field.placeholder).width > field.clientWidth - 18) faults.push('the placeholder is cut');
  return faults;
}"""


def test_all_is_seen_at_once(make_context: Any) -> None:
    """On a laptop each figure of each run, whole boxes of a partition, and controls free of what is refused."""
    page: Page = make_context(viewport={"width": 1440, "height": 900}).new_page()
    visitor = arrive(page)
    visitor.hold()
    command = page.get_by_label("Command for all runs")
    command.fill("partition A | B C")
    visitor.press("Send")
    expect(page.locator(".region")).to_have_count(6)
    command.fill("kill Q")
    visitor.press("Send")
    expect(page.locator("#toasts > div")).to_be_visible()
    assert page.locator("#figures td").count() == 3 * 8
    assert page.evaluate(SEEN) == []


def test_accessible_and_at_home_on_a_phone(make_context: Any, axe: str) -> None:
    """No violation at any size; nothing scrolls sideways."""
    for width, height in ((1440, 900), (390, 844)):
        page: Page = make_context(viewport={"width": width, "height": height}).new_page()
        arrive(page).hold()
        page.wait_for_timeout(1200)
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
