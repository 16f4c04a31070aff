"""What the page is for: write, read, kill, choose how safe a write must be, and see what became of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import QUICKLY, Visitor

NODES = "ABC"


def test_a_write_is_seen_on_every_log(quiet: Visitor) -> None:
    """It enters the leader, is copied, reaches the disks, is committed and applied, and the client hears."""
    quiet.write("k", "7")
    expect(quiet.client("1")).to_contain_text("k=7 …")
    expect(quiet.page.get_by_label("Value", exact=True)).to_have_value("8")
    quiet.play()
    for node in NODES:
        cell = quiet.cell(node, "k=7")
        expect(cell).to_have_class(re.compile(r"\bflushed\b"))
        for mark in (".tick", ".applied"):
            expect(cell.locator(mark)).to_be_visible()
        expect(quiet.log(node)).to_contain_text("store k=7")
    expect(quiet.cell("A", "k=7").locator(".told")).to_be_visible()
    expect(quiet.client("1")).to_contain_text(re.compile(r"k=7 OK"))
    expect(quiet.events("Client 1 has its OK for k=7")).to_have_count(1)


def test_a_read_answers_with_what_was_written(quiet: Visitor) -> None:
    """By another client, from a follower: the answer is shown with the client that asked."""
    quiet.play()
    quiet.write("k", "7")
    expect(quiet.log("C")).to_contain_text("store k=7")
    quiet.radio("Client", "Client 2").check()
    quiet.page.get_by_label("Read from").select_option("C")
    quiet.press("Read")
    expect(quiet.client("2")).to_contain_text("k is 7")
    told = quiet.events("Client 2 reads k = 7, from C")
    expect(told).to_have_count(1)


def test_swap_and_delete(quiet: Visitor) -> None:
    """The seldom used operations: a swap that finds what it expects, then nothing is left."""
    quiet.play()
    quiet.write("k", "1")
    expect(quiet.log("A")).to_contain_text("store k=1")
    quiet.page.get_by_text("More operations").click()
    quiet.page.get_by_label("Expected value").fill("1")
    quiet.page.get_by_label("New value").fill("2")
    quiet.press("Swap")
    expect(quiet.log("C")).to_contain_text("store k=2")
    quiet.press("Delete k")
    for node in NODES:
        expect(quiet.log(node)).not_to_contain_text("store")


def test_killing_the_leader_makes_another(quiet: Visitor) -> None:
    """X over the dead leader, an election, a crown elsewhere, and words for it; then it comes back."""
    page = quiet.page
    expect(quiet.node("A").locator(".crown")).to_be_visible()
    quiet.press("Kill A")
    expect(quiet.node("A")).to_have_class(re.compile(r"\bdead\b"))
    expect(quiet.node("A").locator(".cross")).to_be_visible()
    expect(quiet.node("A")).to_contain_text("A · dead")
    expect(quiet.node("A").locator(".crown")).not_to_be_visible()
    expect(page.locator(".node.leader")).to_have_count(0)
    quiet.go_at("0.25")  # Slow enough that a busy machine does not miss the candidate.
    quiet.play()
    expect(page.locator(".node.candidate")).not_to_have_count(0)
    expect(page.locator(".link.election")).not_to_have_count(0)
    quiet.go_at("2")
    expect(page.locator(".node.leader")).to_have_count(1)
    expect(page.locator(".node.leader .crown")).to_be_visible()
    told = quiet.events("became leader").filter(
        has_text=re.compile("received votes from . and ., a majority of 3, and became leader")
    )
    expect(told).to_have_count(1)
    quiet.go_at(QUICKLY)
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name=re.compile("Node A"))).to_be_visible()
    quiet.press("Restart")
    expect(quiet.node("A")).to_have_class(re.compile(r"\bfollower up\b"))
    expect(quiet.node("A").locator(".cross")).not_to_be_visible()


def test_manual_failover_waits_for_a_person(quiet: Visitor) -> None:
    """Nobody is elected; whom a person promotes leads."""
    quiet.radio("Failover", "Manual").check()
    expect(quiet.page.locator("#failover-hint")).to_contain_text("until you promote")
    quiet.press("Kill A")
    quiet.page.keyboard.press("3")
    expect(quiet.page.locator("#inspector-title")).to_contain_text("Node C")
    quiet.press("Promote")
    quiet.play()
    expect(quiet.node("C").locator(".crown")).to_be_visible()
    expect(quiet.node("C")).to_contain_text("Leader")


@pytest.mark.parametrize(
    ("group", "name", "setting", "value"),
    [
        ("Replication", "Semi-sync", "replication", "semi-sync"),
        ("Replication", "Quorum", "replication", "quorum"),
        ("Replication", "Sync", "replication", "sync"),
        ("Failover", "Manual", "failover", "manual"),
    ],
)
def test_choices_change_the_cluster(quiet: Visitor, group: str, name: str, setting: str, value: str) -> None:
    """The choice is the cluster's, not the page's: it is still there after a reload, and goes back."""
    hint = quiet.page.locator(f"#{setting}-hint")
    before = hint.text_content() or ""
    first = quiet.page.locator(f"input[name={setting}]:checked").input_value()
    quiet.radio(group, name).check()
    expect(hint).not_to_have_text(before)
    assert quiet.state()["settings"][setting] == value
    expect(quiet.radio(group, name)).to_be_checked()
    quiet.page.locator(f"input[name={setting}][value={first}]").check()
    expect(hint).to_have_text(before)


def test_sync_blocks_when_a_follower_is_dead(quiet: Visitor) -> None:
    """What the choice means: the write is on the leader's disk and nobody is told OK."""
    quiet.radio("Replication", "Sync").check()
    quiet.say("kill C", "write k 1")
    quiet.go_at("5")
    quiet.play()
    expect(quiet.cell("B", "k=1")).to_have_class(re.compile(r"\bflushed\b"))
    quiet.hold()
    expect(quiet.cell("A", "k=1").locator(".told")).not_to_be_visible()
    expect(quiet.client("1")).to_contain_text("k=1 …")


def test_a_lost_write_is_red_and_explained(visitor: Visitor) -> None:
    """The promise that asynchronous replication breaks: seen in the log, in the verdict, in words."""
    page = visitor.page
    visitor.go_at(QUICKLY)
    visitor.scenario("The write that was acknowledged and then vanished")
    chip = page.get_by_role("group", name="Guarantees of this run").get_by_role("button", name="Durable")
    expect(chip).to_contain_text("✗ Durable")
    lost = page.locator(".cell.lost")
    expect(lost).to_have_count(1)
    expect(lost).to_contain_text("x=3")
    expect(visitor.log("A")).to_contain_text("acked, lost")
    expect(page.locator("#script-lines li:not(.done)")).to_have_count(0)
    visitor.hold()
    chip.click()
    says = page.get_by_role("region", name="✗ Durable")
    expect(says).to_contain_text("1 of 3 acknowledged lost")
    expect(visitor.events("1 acknowledged write is lost")).to_have_count(1)


def test_a_partition_has_two_sides(quiet: Visitor) -> None:
    """Walls with what each side can do; healing takes them away."""
    quiet.press("Isolate")
    regions = quiet.page.locator(".region:visible")
    expect(regions).to_have_text([re.compile("side 1 · no majority"), re.compile("side 2 · majority")])
    quiet.play()
    expect(quiet.page.locator(".node.leader")).to_have_count(2)
    expect(quiet.node("A")).to_contain_text("Old leader")
    quiet.press("Heal all")
    expect(regions).to_have_count(0)
    expect(quiet.page.locator(".node.leader")).to_have_count(1)


def test_a_link_can_be_cut_by_hand(quiet: Visitor) -> None:
    """From the diagram: its menu, the mark that it is cut, and healing."""
    link = quiet.page.get_by_role("button", name="Link A and B")
    link.press("Enter")
    quiet.page.get_by_role("menuitem", name="Cut", exact=True).click()
    expect(link).to_have_attribute("aria-label", "Link A and B, cut")
    expect(link.locator(".slashes")).to_be_visible()
    expect(link).to_contain_text("cut")
    quiet.press("Heal all")
    expect(link).to_have_attribute("aria-label", "Link A and B")


def test_a_message_can_be_dropped_on_its_way(quiet: Visitor) -> None:
    """The run waits while its menu is open, and goes on afterwards."""
    quiet.write("k", "1")
    quiet.go_at("0.05")
    message = quiet.page.get_by_role("button", name=re.compile("^write k=1, client 1 to A"))
    message.focus()
    quiet.play()
    message.press("Enter")
    menu = quiet.page.get_by_role("menu")
    expect(menu).to_be_visible()
    expect(quiet.button("Play")).to_be_visible()
    menu.get_by_role("menuitem", name="Drop").click()
    expect(quiet.page.locator(".message.write.dropped .cross")).to_be_visible()
    expect(quiet.button("Pause playback")).to_be_visible()


def test_nodes_are_added_under_new_names(quiet: Visitor) -> None:
    """A name that was used is not offered again; when all are used, nothing is offered."""
    quiet.play()
    quiet.press("Add D")
    expect(quiet.node("D")).to_be_visible()
    expect(quiet.node("D")).to_contain_text("Follower")
    quiet.page.keyboard.press("4")
    quiet.press("Remove")
    expect(quiet.node("D")).to_have_count(1)
    expect(quiet.node("D")).not_to_be_visible()
    expect(quiet.button("Add E")).to_be_visible()
    quiet.say("add I")
    expect(quiet.node("I")).to_be_visible()
    expect(quiet.page.locator("#add-node")).not_to_be_visible()


def test_step_by_step(quiet: Visitor) -> None:
    """Each step is one event of the queue; the count and the clock say so."""
    quiet.write("k", "1")
    count = quiet.page.locator("#count")
    before = count.text_content() or ""
    quiet.press("Step")
    expect(count).not_to_have_text(before)
    expect(quiet.page.locator("#time")).not_to_have_text("0.00 s")
    expect(quiet.button("Play")).to_be_visible()


def test_home_tells_what_became_of_the_visitors_value(visitor: Visitor) -> None:
    """It survives the leader; a write that no other node had does not, although its client was told OK."""
    page = visitor.page
    invitation = page.locator("#invitation")
    visitor.go_at("5")
    visitor.open("/")
    expect(page.get_by_role("link", name="Playground")).to_have_count(2)  # One of them in the menu.
    expect(visitor.client("1")).to_contain_text("x=1 OK")
    visitor.press("Kill the leader")
    expect(page.locator(".node.dead")).to_have_count(1)
    visitor.press("Read x from the new leader")
    expect(invitation).to_contain_text(re.compile("x=1 survived: B and C had it."))
    page.wait_for_timeout(1_000)  # Five seconds of the run: the answer stays until the visitor goes on.
    expect(invitation).to_contain_text("x=1 survived")
    visitor.press("Bring A back")
    expect(page.locator(".node.dead")).to_have_count(0)
    visitor.go_at("1")
    page.get_by_role("button", name=re.compile("^Cut . off from . and .$")).click()
    visitor.press("Write x=2")
    expect(invitation).to_contain_text("x=2")
    visitor.go_at("5")
    lost = page.get_by_text(re.compile("x=2 is gone. x=2 was acknowledged at"))
    onward = page.get_by_role("button", name=re.compile("^(Kill [ABC]|Read x from the new leader)$"))
    while not lost.is_visible():
        expect(lost.or_(onward)).to_be_visible()
        if onward.is_visible():
            onward.click()
    page.get_by_role("button", name=re.compile("^(Bring . back|Heal the links)$")).click()
    visitor.press("Open the Playground")
    expect(page).to_have_url(re.compile("/play$"))
    expect(page.locator(".node")).to_have_count(3)


DIFFERENCES = """async () => {
  const root = document.querySelector('script[type=module]').src.replace('js/page.js', '');
  const { difference } = await import(root + 'js/store.js');
  const log = (first, ...terms) => terms.map((term, position) => ({ index: first + position, term }));
  const pairs = [
    [log(1, 1, 1, 2, 2), log(1, 1, 1, 1, 1, 1)],
    [log(1, 1, 1, 1), log(1, 1, 1)],
    [log(1, 1), log(1, 1, 1)],
    [log(1, 1, 2), log(1)],
    [log(1), log(1, 1)],
    [log(1, 2), log(1, 1)],
    [log(101, 1, 1), log(50, ...Array(51).fill(1))],
    [log(101, 3, 3), log(101, 2, 2, 2)],
    [log(101, 3, 3), log(1, 1, 1)],
  ];
  return pairs.map(([ours, theirs]) => Object.values(difference(ours, theirs)));
}"""


def test_what_a_log_lacks_is_told_by_index_and_term(page: Page) -> None:
    """A divergent tail is no progress; logs that are kept from an index on share what lies before."""
    page.goto("/play")
    assert page.evaluate(DIFFERENCES) == [
        [2, 3],
        [1, 0],
        [0, 1],
        [2, 0],
        [0, 1],
        [1, 1],
        [2, 0],
        [2, 3],
        [100, 0],
    ]


def test_who_was_superseded_leads_no_more(quiet: Visitor) -> None:
    """An old leader behind a cut stays one when its successor dies, and its tail is told apart."""
    quiet.say("write x 1")
    quiet.play()
    expect(quiet.cell("C", "x=1")).to_be_visible()
    quiet.say("partition A client 1 | B C client 2", "write x 2")
    expect(quiet.node("A")).to_contain_text("Old leader")
    expect(quiet.log("A").locator(".lag")).to_contain_text("1 extra")
    quiet.say("kill leader")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)
    quiet.hold()
    expect(quiet.page.locator(".node", has_text="Old leader")).to_have_count(1)
    expect(quiet.page.locator(".node:not(.dead)", has_text=re.compile(r"\bLeader"))).to_have_count(0)
