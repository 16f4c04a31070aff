"""What somebody needs who sees the page for the first time: to be told whom everything waits for, and to find
what there is to press."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor

SPLIT = """() => [...document.querySelectorAll('#table td:not(.long), #table th')].filter((cell) => {
  const lines = new Range();
  lines.selectNodeContents(cell);
  return new Set([...lines.getClientRects()].map((box) => Math.round(box.top))).size > 1;
}).map((cell) => cell.textContent)"""


def test_a_write_says_whom_it_waits_for(quiet: Visitor) -> None:
    """In the client's box, in its explanation and in the caption."""
    quiet.radio("Replication", "Sync").check()
    quiet.say("kill C", "write k 1")
    quiet.go_at("1")
    quiet.play()
    expect(quiet.client("1")).to_contain_text("k=1 … waits for C (dead)")
    quiet.hold()
    quiet.client("1").get_by_role("button").focus()
    expect(quiet.page.get_by_role("tooltip")).to_contain_text("C (dead) does not hold it")
    expect(quiet.events().filter(has_text="The OK has to wait for C (dead).")).to_have_count(1)


def test_a_mistaken_client_is_shown_as_one(quiet: Visitor) -> None:
    """It goes on asking the leader that it knew, until silence teaches it better."""
    quiet.play()
    quiet.write("k", "1")
    expect(quiet.client("1")).to_contain_text("k=1 OK")
    quiet.hold()
    quiet.say("kill A")
    expect(
        quiet.page.get_by_role("button", name="Link client 1 and A, still believes A leads")
    ).to_be_attached()
    quiet.write("k", "2")
    expect(quiet.client("1")).to_contain_text("k=2 … A is dead")
    quiet.go_at(QUICKLY)
    quiet.play()
    expect(quiet.client("1")).to_contain_text("k=2: no answer")
    expect(
        quiet.page.locator(".link .tag", has_text="still believes A leads").locator("visible=true")
    ).to_have_count(0)


def test_the_words_under_a_node_can_be_chosen(quiet: Visitor) -> None:
    """Not only the circle."""
    quiet.say("kill B")
    quiet.node("B").get_by_text("B · dead").click()
    expect(quiet.page.get_by_role("menu")).to_contain_text("Restart")


def test_background_load_is_somebody_elses(quiet: Visitor) -> None:
    """It has a client and a key of its own, and is put off where it is put on."""
    quiet.go_at("5")
    quiet.play()
    quiet.radio("Background load", "Busy").check()
    expect(quiet.page.locator("#load-hint")).to_contain_text("Client 2")
    expect(quiet.log("C")).to_contain_text(re.compile(r"y=\d"))
    quiet.radio("Background load", "Off").check()
    expect(quiet.page.locator("#load-hint")).to_contain_text("Nobody")
    operations = quiet.state()["operations"].values()
    assert {(operation["client"], operation["key"]) for operation in operations} == {("2", "y")}


def test_every_followers_lag_is_told(quiet: Visitor) -> None:
    """A dead one's as well."""
    quiet.say("kill C", "write k 1")
    facts = quiet.page.locator("#inspector-facts")
    expect(facts).to_contain_text("lag of B")
    expect(facts).to_contain_text("lag of C (dead)")


def test_a_scenario_says_what_it_is_about_and_how_it_ended(visitor: Visitor) -> None:
    """Its result comes from the run: an expectation that does not hold is marked."""
    page = visitor.page
    visitor.go_at(QUICKLY)
    visitor.scenario("The write that was acknowledged and then vanished")
    expect(page.locator("#script-about")).to_contain_text("one acknowledged write is lost")
    expect(page.locator("#script-result")).to_have_text("Over: all 5 expectations held")
    visitor.go_at("0.25")
    visitor.scenario("The write that was acknowledged and then vanished")
    visitor.hold()
    visitor.radio("Replication", "Quorum").check()
    visitor.go_at(QUICKLY)
    visitor.play()
    expect(page.locator("#script-result")).to_have_text(
        re.compile(r"expectations? did not hold|not as expected")
    )
    expect(page.locator("#script-lines .broken").first).to_contain_text("✗")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_table_breaks_no_word(make_context: MakeContext, width: int) -> None:
    """Numbers, names and headings stay on one line; what is too wide is scrolled to."""
    visitor = Visitor(make_context(viewport={"width": width, "height": 900}).new_page()).open()
    page = visitor.page
    visitor.go_at(QUICKLY)
    expect(visitor.log("C")).to_contain_text(re.compile(r"y=\d\d"))
    visitor.hold()
    page.keyboard.press("t")
    expect(page.get_by_role("table")).to_have_count(3)
    assert page.evaluate(SPLIT) == []


def test_on_a_phone_what_is_done_and_what_happens_share_the_screen(make_context: MakeContext) -> None:
    """Home: invitation, cluster, caption. Playground: cluster, caption, verdicts, writing and reading."""
    context = make_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor = Visitor(context.new_page()).open("/")
    page = visitor.page
    bar = page.locator("#play").bounding_box()
    assert bar is not None
    for place in ("#invite", "#diagram", "#narration"):
        box = page.locator(place).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= bar["y"], place
    visitor.open()
    for place in ("#diagram", "#narration", "#verdicts", "#write-form", "#read-form"):
        box = page.locator(place).bounding_box()
        scrub = page.locator(".dock").bounding_box()
        assert box is not None
        assert scrub is not None
        assert box["y"] + box["height"] <= scrub["y"], place


def test_a_write_can_be_handed_to_a_named_node(quiet: Visitor) -> None:
    """The button says so; a follower sends the client on."""
    page = quiet.page
    page.locator("#operations summary").click()
    page.get_by_label("writes go to").select_option("B")
    page.get_by_role("button", name="Write to B", exact=True).click()
    quiet.play()
    expect(page.locator(".node.leader")).to_have_count(1)
    expect(quiet.cell("B", "x=2")).to_be_visible()
    page.get_by_label("writes go to").select_option("")
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
    assert quiet.state()["operations"]["1"]["attempts"] == 2


def test_a_client_can_be_isolated_with_its_leader(quiet: Visitor) -> None:
    """The two reach each other and nobody else: what split-brain begins with."""
    page = quiet.page
    page.locator(".client").first.click()
    page.get_by_role("menuitem", name="Isolate with A").click()
    expect(page.locator(".side-name, .region")).not_to_have_count(0)
    assert quiet.state()["groups"] == [["A", "1"], ["B", "C", "2"]]


def test_a_switch_leads_to_a_run_without_it(visitor: Visitor) -> None:
    """The scenario that shows what the rule defends against."""
    page = visitor.page
    page.get_by_role("heading", name="Safety switches").click()
    fencing = page.locator(".switch", has_text="Fencing")
    fencing.get_by_role("button", name="Watch a run without it").click()
    expect(page.locator("#script-title")).to_have_text("Without fencing two leaders overwrite each other")
    expect(page.locator("#modified")).to_contain_text("fencing")


def test_a_tree_of_branches_is_not_dropped_by_one_click(quiet: Visitor) -> None:
    """Reset asks on the button itself; a run without branches is soon made again."""
    page = quiet.page
    quiet.write("x", "1")
    quiet.press("Step back")
    quiet.press("Branch from here")
    expect(page.locator(".branches")).to_be_visible()
    quiet.press("Reset")
    asked = page.get_by_role("button", name="Drop all branches?")
    expect(asked).to_be_visible()
    expect(page.locator(".branches")).to_be_visible()
    asked.click()
    expect(page.locator(".branches")).to_be_hidden()


def test_the_palette_knows_the_run(quiet: Visitor) -> None:
    """It offers the nodes that are there, guesses what was meant, and tells a fault once."""
    field = quiet.palette()
    options = quiet.page.get_by_role("listbox").get_by_role("option")
    field.fill("latency A -> ")
    expect(options.filter(has_text=re.compile("^[A-I]$"))).to_have_text(["A", "B", "C"])
    field.fill("set replication asinc")
    expect(options).to_have_text(["async"])
    field.fill("kill leedr")
    field.press("Enter")
    fault = quiet.page.get_by_role("dialog").get_by_role("alert")
    expect(fault.get_by_role("button").first).to_have_text("leader")
    quiet.page.wait_for_timeout(300)  # The answer to what was typed comes after that to what was sent.
    expect(quiet.page.get_by_role("dialog").get_by_text("Did you mean leader?")).to_have_count(1)


def test_verdicts_stay_in_sight(visitor: Visitor) -> None:
    """With many promises broken it is those that stay in the row; what holds is a press away."""
    page = visitor.page
    page.set_viewport_size({"width": 1440, "height": 900})
    visitor.go_at(QUICKLY)
    visitor.scenario("The operator promotes the wrong node")
    expect(page.locator("#script-lines li:not(.done)")).to_have_count(0)
    visitor.hold()
    row = page.locator("#verdicts")
    assert row.evaluate("(row) => row.scrollWidth <= row.clientWidth")
    expect(row).not_to_contain_text("Not linearizable")
    broken = row.locator(".broken").count()
    assert broken > 1
    expect(row.locator(".broken:visible")).to_have_count(broken)
    shown = row.locator("[data-verdict]:visible").count()
    expect(row.locator(".more")).to_have_text(f"+{14 - shown} more")
    row.locator(".more").click()
    expect(row.locator("[data-verdict]:visible")).to_have_count(14)
    assert row.evaluate("(row) => row.scrollWidth <= row.clientWidth")


def test_another_run_begins_with_nothing_of_the_last(visitor: Visitor) -> None:
    """Neither the arrow of a client that had asked, nor the colour of the sentence on what was lost."""
    page = visitor.page
    visitor.begin_quietly()
    visitor.go_at(QUICKLY)
    visitor.write("k", "1")
    visitor.play()
    expect(visitor.client("1")).to_contain_text("OK")
    visitor.press("Kill A")
    expect(page.locator("#narration")).to_have_attribute("data-tone", "bad")
    expect(page.locator('.link[data-id="1-A"]:not([display="none"])')).to_have_count(1)
    visitor.begin_quietly()
    expect(page.locator("#narration")).to_contain_text("Nothing has happened yet.")
    expect(page.locator("#narration")).to_have_attribute("data-tone", "info")
    expect(page.locator('.link[data-id="1-A"]:not([display="none"])')).to_have_count(0)
