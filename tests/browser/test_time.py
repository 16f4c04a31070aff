"""The past in the page: any moment is the server's, and what is done there begins a branch."""

from __future__ import annotations

import copy
import json
import re
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from server import service
from server.cluster.commands import CommandRefused
from server.room import step_frame
from server.store import Start
from tests.browser.test_patches import RANDOM_LINES
from tests.browser.visitor import Visitor, until

LOOK_BACK = """async ({ blank, steps, nowUs, moments }) => {
  const root = document.querySelector('script[type=module]').src.replace('js/page.js', '');
  const { Store } = await import(root + 'js/store.js');
  const begin = (known) => {
    const store = new Store();
    store.takeKeyframe({ number: 0, now_us: 0, playing: false, speed: 1, sequence: -1, state: blank, recent: [],
      start: { seed: 1, settings: {}, scenario: null }, script: null, run: 1, branches: [], branch: 1 });
    if (known) store.takeFrame({ number: 1, now_us: nowUs, playing: false, speed: 1, steps });
    return store;
  };
  const live = begin(true);
  // A page that came in the middle: first the end, then what was before.
  const late = begin(false);
  const half = steps.length >> 1;
  late.sequence = half - 1;
  let middle = begin(false);
  middle.takeFrame({ number: 1, now_us: 1, playing: false, speed: 1, steps: steps.slice(0, half) });
  late.takeKeyframe({ number: 0, now_us: 1, playing: false, speed: 1, sequence: half - 1, state: middle.newest, recent: [],
    start: { seed: 1, settings: {}, scenario: null }, script: null, run: 1, branches: [], branch: 1 });
  late.takeFrame({ number: 1, now_us: nowUs, playing: false, speed: 1, steps: steps.slice(half) });
  const wasTaken = late.takeHistory({ run: 1, state: blank, steps: steps.slice(0, half + 5) });
  return { wasTaken, isComplete: late.isComplete, foreign: late.takeHistory({ run: 2, state: blank, steps }),
    live: moments.map((us) => JSON.stringify(live.stateAt(us))), late: moments.map((us) => JSON.stringify(late.stateAt(us))) };
}"""


def random_story(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]], int, dict[int, str]]:
    """A run with random commands: the document before it, its steps, its end, and the document at random
    moments of it as the server had it."""
    chance = Random(seed)
    play = service.start_play(Start(scenario="living-cluster"))
    states: dict[int, str] = {}
    steps: list[dict[str, Any]] = []
    for _ in range(60):
        play.advance(play.now_us + chance.randrange(1, 900_000))
        states[play.now_us] = json.dumps(play.state, separators=(",", ":"), ensure_ascii=False)
        steps += copy.deepcopy([dict(step_frame(step)) for step in play.take_steps()])
        play.advance(play.now_us + 1)
        names = chance.sample(list(play.state["nodes"]), 2)
        line = chance.choice(RANDOM_LINES).format(
            key=chance.choice("xy"), value=chance.randrange(9), client=chance.choice("12"), node=names[0],
            other=names[1], others=" ".join(name for name in play.state["nodes"] if name != names[0]),
        )  # fmt: skip
        try:
            play.command(line)
        except CommandRefused:
            continue
    play.advance(play.now_us + 1)
    steps += [dict(step_frame(step)) for step in play.take_steps()]
    return play.blank_state(), steps, play.now_us, states


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_moment_of_the_past_is_the_servers(visitor: Visitor, seed: int) -> None:
    """In any order, for a page that was there from the start and for one that came late."""
    blank, steps, now_us, states = random_story(seed)
    moments = list(states)
    Random(seed).shuffle(moments)
    given = {"blank": blank, "steps": steps, "nowUs": now_us, "moments": moments}
    seen = visitor.page.evaluate(LOOK_BACK, given)
    assert (seen["wasTaken"], seen["isComplete"], seen["foreign"]) == (True, True, False)
    for position, moment in enumerate(moments):
        assert seen["live"][position] == states[moment]
        assert seen["late"][position] == states[moment]


def crashed(quiet: Visitor) -> float:
    """A write, a crash and an election, held; answers when the crash was."""
    quiet.write("x", "1")
    quiet.play()
    expect(quiet.cell("C", "x=1")).to_be_visible()
    quiet.press("Kill A")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)
    expect(new_leader(quiet)).to_have_count(1)
    quiet.hold()
    return seconds(quiet)


def new_leader(visitor: Visitor) -> Locator:
    return visitor.page.locator(".node:not(.dead)", has_text="Leader")


def seconds(visitor: Visitor) -> float:
    return float((visitor.page.locator("#time").text_content() or "").removesuffix(" s"))


def test_jumping_back_shows_the_crash_and_playing_on_comes_back(quiet: Visitor) -> None:
    """Nothing is asked of the server, and time goes on from the past into the present."""
    end = crashed(quiet)
    quiet.page.get_by_label("Go to", exact=True).last.select_option("crash")
    quiet.press("Go to the one before")
    expect(quiet.page.locator("#narration")).to_contain_text("A is dead")
    assert seconds(quiet) < end
    expect(quiet.button("Back to now")).to_be_visible()
    quiet.press("Step back")
    expect(quiet.page.locator(".node.dead")).to_have_count(0)
    quiet.press("Step")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)
    quiet.play()
    expect(quiet.button("Back to now")).to_be_hidden()
    expect(new_leader(quiet)).to_have_count(1)
    quiet.hold()
    assert seconds(quiet) >= end


def test_another_branch_tells_its_own_story(quiet: Visitor) -> None:
    """What was chosen and said of a crash is let go of where nobody died: to the eye and to the ear."""
    page = quiet.page
    crashed(quiet)
    row = quiet.events("A is dead").first
    row.locator(".event-text").click()
    expect(row).to_have_class(re.compile(r"\blit\b"))
    says = page.locator(".events .dock-says")
    expect(says).to_contain_text("A is dead")
    expect(page.locator("#spoken")).not_to_be_empty()
    page.get_by_label("Go to", exact=True).last.select_option("crash")
    quiet.press("Go to the one before")
    expect(page.locator("#spoken")).to_contain_text("A is dead")
    quiet.press("Step back")
    expect(page.locator(".node.dead")).to_have_count(0)
    quiet.write("y", "2")
    expect(quiet.button("Back to now")).to_be_hidden()
    expect(page.get_by_label("Branch", exact=True).locator("option")).to_have_count(2)
    quiet.hold()
    expect(page.locator(".node.dead")).to_have_count(0)
    expect(says).to_be_empty()
    for place in ("#narration", "#spoken"):
        expect(page.locator(place)).to_contain_text("y=2")
        expect(page.locator(place)).not_to_contain_text("dead")
    quiet.events()
    expect(page.locator(".event").first).to_be_visible()
    expect(page.locator(".event.lit")).to_have_count(0)


def test_scrubbing_by_keyboard(quiet: Visitor) -> None:
    """The line of time is a slider like any other; it says where it is."""
    crashed(quiet)
    slider = quiet.page.get_by_role("slider", name="Moment shown")
    slider.focus()
    before = seconds(quiet)
    for _ in range(3):
        slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^\d+\.\d\d s of \d+\.\d\d s$"))
    assert seconds(quiet) < before
    slider.press("Home")
    expect(quiet.page.locator("#time")).to_have_text("0.00 s")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^now"))
    expect(quiet.page.locator("#time")).to_have_text(f"{before:.2f} s")


def test_acting_in_the_past_makes_a_branch(quiet: Visitor) -> None:
    """The leader lives on there; on the branch that was left it is as dead as before."""
    crashed(quiet)
    quiet.page.get_by_label("Go to", exact=True).last.select_option("crash")
    quiet.press("Go to the one before")
    quiet.press("Step back")
    quiet.write("y", "7")
    branches = quiet.page.get_by_label("Branch", exact=True)
    expect(branches.locator("option")).to_have_count(2)
    expect(branches.locator("option").last).to_contain_text("write y 7")
    expect(quiet.page.locator(".node.dead")).to_have_count(0)
    quiet.play()
    expect(quiet.cell("C", "y=7")).to_be_visible()
    quiet.hold()
    branches.select_option("1")
    expect(quiet.page.locator(".node.dead")).to_have_count(1)
    expect(quiet.cell("C", "y=7")).to_have_count(0)
    branches.select_option("2")
    expect(quiet.cell("C", "y=7")).to_be_visible()


def test_a_page_that_came_late_goes_back_to_the_beginning(quiet: Visitor) -> None:
    """After a reload what came before is fetched, and is the same."""
    crashed(quiet)
    quiet.page.reload()
    quiet.wait()
    expect(quiet.page.locator("body")).not_to_have_class("past")
    slider = quiet.page.get_by_role("slider", name="Moment shown")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^now"))
    quiet.press("Step back")
    slider.focus()
    expect(slider).to_have_attribute("min", "0")
    slider.press("Home")
    expect(quiet.page.locator("#time")).to_have_text("0.00 s")
    expect(quiet.page.locator(".node.dead")).to_have_count(0)
    expect(quiet.log("A").locator(".cell:not(.empty)")).to_have_count(0)


LEFT_END = """() => {
  const canvas = document.getElementById('scrub-picture');
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixel = copy.getImageData(12 * devicePixelRatio, canvas.height / 2, 1, 1).data;
  return '#' + [...pixel].slice(0, 3).map((part) => part.toString(16).padStart(2, '0')).join('');
}"""
TERM_1 = "getComputedStyle(document.documentElement).getPropertyValue('--t1').trim()"


COUNT_TO = """async (more) => {
  const count = () => parseInt(document.getElementById('count').textContent.replaceAll(',', ''), 10);
  const end = count() + more;
  while (count() < end) await new Promise(requestAnimationFrame);
}"""


def test_after_a_reload_the_line_of_time_has_its_past(quiet: Visitor) -> None:
    """It is whole there at once, while the run goes on: marks can be gone to, and its beginning."""
    crashed(quiet)
    quiet.play()
    page = quiet.page
    held: list[Route] = []
    page.route("**/history.json*", lambda route: held.append(route))
    page.reload()
    quiet.wait()
    until(page, lambda: held)
    # A good deal more happens before the past is there.
    page.evaluate(COUNT_TO, 100)
    for route in held:
        route.continue_()
    page.get_by_label("Go to", exact=True).last.select_option("crash")
    # The line of time comes a moment after the page; from its beginning on it tells who led.
    until(page, lambda: page.evaluate(LEFT_END) == page.evaluate(TERM_1))
    quiet.press("Go to the one before")
    expect(page.locator("#narration")).to_contain_text("A is dead")


def test_a_refused_act_in_the_past_changes_nothing(quiet: Visitor) -> None:
    """A sentence, the same moment, no branch."""
    crashed(quiet)
    quiet.press("Step back")
    moment = seconds(quiet)
    field = quiet.palette()
    field.fill("kill Q")
    field.press("Enter")
    until(quiet.page, lambda: len(quiet.wire.answers_to("branch")) == 1)
    assert not quiet.wire.answers_to("branch")[0]["ok"]
    field.press("Escape")
    assert seconds(quiet) == moment
    expect(quiet.page.get_by_label("Branch", exact=True)).to_be_hidden()


def test_phone_has_the_line_of_time(make_context: Any) -> None:
    """Small, yet there."""
    page: Page = make_context(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    visitor = Visitor(page).open()
    expect(page.get_by_role("slider", name="Moment shown")).to_be_visible()
    visitor.press("Step back")
    expect(visitor.button("Back to now")).to_be_visible()
    box = page.locator("#step-back").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 36


def test_why_leads_from_a_node_to_the_command(quiet: Visitor) -> None:
    """A chain of sentences, in plain words and in precise ones; each moment of it can be gone to."""
    crashed(quiet)
    quiet.page.locator('.grip[data-kind="node"][data-id="A"]').click()
    quiet.page.get_by_role("menuitem", name="Why?").click()
    chain = quiet.page.locator(".chain li")
    expect(chain.first).to_contain_text("Somebody gave the command: kill A.")
    expect(chain.last).to_have_class("asked")
    quiet.press("Precise words")
    expect(chain.last).to_contain_text("running: B and C")
    end = seconds(quiet)
    chain.first.get_by_role("button").click()
    expect(quiet.button("Back to now")).to_be_visible()
    assert seconds(quiet) < end


def test_a_message_of_the_past_is_dropped_on_a_branch(quiet: Visitor) -> None:
    """One message, by keyboard: what it carries is said, and what would have been stays."""
    quiet.write("x", "1")
    quiet.go_at("1")
    quiet.play()
    expect(quiet.page.locator('.message[data-kind="message"]').first).to_be_attached()
    quiet.hold()
    expect(quiet.page.locator(".message:not(.dropped)").first).to_be_attached()
    quiet.go_at("20")
    quiet.play()
    expect(quiet.cell("C", "x=1")).to_be_visible()
    quiet.hold()
    message = quiet.page.get_by_label(re.compile("append x=1, A to C$")).locator("visible=true")
    time = quiet.page.locator("#time")
    for _ in range(40):
        if message.count():
            break
        before = time.text_content() or ""
        quiet.press("Step back")
        # Time and picture change with the same paint.
        expect(time).not_to_have_text(before)
    message.first.focus()
    message.first.press("Enter")
    expect(quiet.page.get_by_role("menu")).to_contain_text("1 entry, term 1, sent")
    quiet.page.get_by_role("menuitem", name="Drop").press("Enter")
    expect(quiet.page.get_by_label("Branch", exact=True).locator("option")).to_have_count(2)


LISTEN = """() => {
  const seconds = (id) => parseFloat(document.getElementById(id).textContent);
  window.told = [];
  new MutationObserver(() => window.told.push([seconds('narration-time'), seconds('time')]))
    .observe(document.getElementById('narration-time'), { childList: true, characterData: true, subtree: true });
}"""


def test_nothing_is_told_before_its_time(quiet: Visitor) -> None:
    """Frames come ahead of the clock that is shown; the sentences wait for it."""
    page = quiet.page
    quiet.go_at("2")
    quiet.say("write x 1")
    page.evaluate(LISTEN)
    quiet.play()
    until(page, lambda: page.evaluate("window.told.length") >= 3)
    quiet.say("kill leader")
    until(page, lambda: page.evaluate("window.told.length") >= 5)
    quiet.hold()
    early = [(told, clock) for told, clock in page.evaluate("window.told") if told > clock]
    assert early == []
