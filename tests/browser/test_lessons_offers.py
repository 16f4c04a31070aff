"""Early steps keep most controls for later: they are hidden, a sentence says so, and exploring brings them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.visitor import Visitor


def test_a_step_hides_what_it_keeps_for_later(page: Page) -> None:
    """The first step needs two buttons; menus leave out what is refused; exploring brings everything."""
    visitor = Visitor(page).open("/lessons/one-writer")
    expect(page.locator("#kept-says")).to_have_text(
        "This step needs no other controls. “Explore freely” brings all of them."
    )
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Read", exact=True)).to_be_visible()
    for gone in ("#replication-title", "#failover-title", "#load-title", "#inspector", "#heal", "#switches"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator(".side .group:visible")).to_have_count(1)
    visitor.palette().fill("kill A")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This step keeps kill for later.").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Explore freely").click()
    expect(page.locator("#kept-says")).to_be_hidden()
    for back in ("#replication-title", "#failover-title", "#load-title", "#inspector", "#heal", "#switches"):
        expect(page.locator(back)).to_be_visible()
    expect(page.locator("#inspector-actions").get_by_role("button", name="Kill")).to_be_visible()
    page.get_by_role("button", name="Back to the lesson").click()
    expect(page.locator("#inspector")).to_be_hidden()


def test_a_menu_leaves_out_what_is_kept(page: Page) -> None:
    """Of all that can be done with a node this step needs one thing; the panel beside says the same."""
    Visitor(page).open("/lessons/one-writer?step=move")
    expect(page.locator("#kept-says")).to_be_visible()
    page.locator('#diagram .grip[data-id="C"]').press("Enter")
    expect(page.get_by_role("menu").get_by_role("menuitem")).to_have_text(
        ["Switch overplanned: catches up first"]
    )
    page.keyboard.press("Escape")
    expect(page.locator("#inspector-actions").get_by_role("button")).to_have_text(["Switch over"])


def test_what_must_not_be_broken_is_no_merit_at_the_start(page: Page) -> None:
    """It is ticked as so far, and counts when the goal is reached."""
    visitor = Visitor(page).open("/lessons/lag?step=demand")
    step = page.locator('.step[data-step="demand"]')
    expect(step.locator(".tally")).to_have_text("0 of 2 done")
    expect(step.locator('[data-clause="healthy"]')).to_have_class("kept")
    visitor.say("cut A -> C", "write x 2")
    expect(page.locator("#diagram")).to_contain_text("x=2 OK")
    visitor.say("read x from C")
    expect(step.locator(".tally")).to_have_text("2 of 2 done")
    expect(step.locator('[data-clause="healthy"]')).to_have_class("held")
