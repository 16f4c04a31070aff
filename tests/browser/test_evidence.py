"""What the page shows of promises: evidence, the ledger, where an answer came from, what is switched off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.visitor import QUICKLY, Visitor

LOSS = "The write that was acknowledged and then vanished"
STALE = "A follower answers with yesterday's value"
RETRY = "A retry that is not recognised brings back an old value"
UNFENCED = "Without fencing two leaders overwrite each other"


def watch(visitor: Visitor, title: str) -> None:
    """Plays a scenario to its end, and holds."""
    visitor.scenario(title)
    visitor.go_at(QUICKLY)
    visitor.play()
    expect(visitor.page.locator("#script-lines li.done").first).to_be_attached()
    expect(visitor.page.locator("#script-lines li:not(.done)")).to_have_count(0)
    visitor.hold()


def chip(visitor: Visitor, title: str) -> Locator:
    """A verdict."""
    return visitor.page.get_by_role("group", name="Guarantees of this run").get_by_role(
        "button", name=re.compile(f"^{title}")
    )


def cell(visitor: Visitor, node: str, label: str) -> Locator:
    """An entry in a node's log on the diagram."""
    title = visitor.page.locator(".title", has_text=f"log of {node}")
    return visitor.page.locator(".log", has=title).locator(".cell", has_text=re.compile(f"^{label}$"))


def test_a_lost_write_is_shown_and_told(visitor: Visitor) -> None:
    """Choosing the broken promise lights the lost entry; Esc puts the light out and the focus back."""
    watch(visitor, LOSS)
    chip(visitor, "Durable").click()
    drawer = visitor.page.get_by_role("region", name="✗ Durable")
    expect(drawer).to_contain_text("x=3 was acknowledged")
    steps = drawer.get_by_role("list", name="The operations in order of time").get_by_role("listitem")
    expect(steps).to_have_count(1)
    expect(steps).to_contain_text("then LOST")
    expect(cell(visitor, "A", "x=1")).to_have_css("opacity", "0.28")
    expect(cell(visitor, "A", "x=3")).to_have_css("opacity", "1")
    visitor.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(chip(visitor, "Durable")).to_be_focused()
    expect(cell(visitor, "B", "x=1")).to_have_css("opacity", "1")
    expect(visitor.events("x=3").filter(has_text="LOST").first).to_have_class(re.compile(r"\blost\b"))


def test_why_is_offered_where_a_loss_is_met(visitor: Visitor) -> None:
    """On the evidence, in the ledger and behind the sentence: each leads to the course of the write."""
    page = visitor.page
    watch(visitor, LOSS)
    drawer = page.get_by_role("region", name="Why?")
    for opener in (chip(visitor, "Durable"), visitor.button("Ledger")):
        opener.click()
        visitor.button("Why? What became of x=3").click()
        expect(drawer.locator(".why-asked")).to_contain_text("x=3 was acknowledged at")
        expect(drawer.get_by_role("listitem").filter(has_text="from A to B does not arrive")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(drawer).to_have_count(0)
        expect(opener).to_be_focused()
    narration = page.locator("#narration")
    why = visitor.button("Why did this happen?")
    while "acknowledged write is lost" not in (narration.text_content() or ""):
        shown = page.locator("#time").text_content() or ""
        page.locator("#step-back").click()
        expect(page.locator("#time")).not_to_have_text(shown)
    for width, height in ((1440, 900), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        expect(why).to_be_in_viewport(ratio=1)
    why.click()
    expect(drawer.locator(".why-asked")).to_contain_text("1 acknowledged write is lost")


def test_a_counterexample_can_be_followed(visitor: Visitor) -> None:
    """The four operations that no order explains, each with its client, times and result."""
    watch(visitor, RETRY)
    chip(visitor, "Linearizable").click()
    steps = visitor.page.get_by_role("list", name="The operations in order of time").get_by_role("listitem")
    expect(steps).to_have_count(4)
    for step, words in enumerate(["x=1", "found x = 1", "x=2", "found x = 1"]):
        expect(steps.nth(step)).to_contain_text(words)


def test_the_ledger_says_where_every_write_went(visitor: Visitor) -> None:
    """One row for each write, newest first, with its fate; a chosen one is lit."""
    watch(visitor, LOSS)
    visitor.page.keyboard.press("l")
    rows = visitor.page.get_by_role("table", name="Ledger of writes").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("LOST")
    expect(rows.last).to_contain_text("survived")
    expect(rows.last.get_by_role("cell", name=re.compile("received .* on disk .* applied"))).to_have_count(3)
    rows.first.get_by_role("button", name=re.compile("^x=3")).click()
    expect(cell(visitor, "A", "x=2")).to_have_css("opacity", "0.28")
    visitor.press("Close")
    expect(visitor.button("Ledger")).to_be_focused()


def test_the_ledger_of_the_past_knows_no_future(visitor: Visitor) -> None:
    """At the moment of the OK nothing is lost yet; now, the lost ones can be had alone, by keys as well."""
    watch(visitor, LOSS)
    page = visitor.page
    page.keyboard.press("l")
    rows = page.get_by_role("table", name="Ledger of writes").locator("tbody tr")
    kinds = page.get_by_role("group", name="Which writes")
    expect(kinds.get_by_role("button", name="All 3")).to_have_attribute("aria-pressed", "true")
    kinds.get_by_role("button", name="Lost 1").press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("x=3")
    kinds.get_by_role("button", name="All 3").press("Enter")
    expect(rows).to_have_count(3)
    slider = page.get_by_role("slider", name="Moment shown")
    slider.press("Home")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("on its way")
    expect(kinds.get_by_role("button", name="Lost 0")).to_be_visible()


def test_a_read_says_where_its_answer_came_from(visitor: Visitor) -> None:
    """The client's box describes its last read to whoever focuses it."""
    watch(visitor, STALE)
    visitor.client("2").get_by_role("button").focus()
    expect(visitor.page.get_by_role("tooltip")).to_contain_text("Served by C")
    expect(visitor.client("2").get_by_role("button")).to_have_accessible_description(
        re.compile("Served by C .* version 2")
    )
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_role("tooltip")).to_have_count(0)


def test_a_modified_run_is_labelled_on_every_page(visitor: Visitor) -> None:
    """The label leads to the switches; with the switch on again, it is gone."""
    watch(visitor, UNFENCED)
    visitor.open("/")
    label = visitor.page.get_by_role("link", name="Modified: fencing off")
    label.click()
    switch = visitor.page.get_by_role("switch", name="Fencing")
    expect(switch).not_to_be_checked()
    switch.press("Space")
    expect(switch).to_be_checked()
    expect(label).to_have_count(0)


def test_rules_for_reads_and_the_speed_of_clocks(quiet: Visitor) -> None:
    """What is chosen reaches the run, and the page explains it."""
    quiet.page.get_by_text("Reads and sessions").click()
    quiet.page.get_by_label("What a client’s reads wait for").select_option("monotonic-reads")
    expect(quiet.page.locator("#hint-session")).to_contain_text("written or seen")
    quiet.page.get_by_label("clock runs at").select_option("80")
    state = quiet.state()
    assert state["settings"]["session"] == "monotonic-reads"
    assert state["nodes"]["A"]["settings"]["clock"] == 80


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", [LOSS, UNFENCED])
def test_everybody_can_read_it(visitor: Visitor, axe: str, title: str, scheme: str) -> None:
    """The checker finds nothing in the evidence, the ledger, the switches."""
    visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    watch(visitor, title)
    visitor.page.get_by_text("Safety switches").click()
    expect(visitor.page.get_by_role("switch").first).to_be_attached()
    visitor.page.evaluate(axe)
    for opener in (chip(visitor, "Durable"), visitor.button("Ledger"), visitor.tab("Events")):
        opener.click()
        visitor.page.wait_for_timeout(200)
        assert visitor.page.evaluate("axe.run().then((found) => found.violations)") == []
