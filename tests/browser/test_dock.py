"""The dock: the run over time as a space-time diagram, operations, logs, charts and events."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import QUICKLY, Visitor, until

LOSS = "The write that was acknowledged and then vanished"

MODEL = """async (story) => {
  const root = document.querySelector('script[type=module]').src.replace('js/page.js', '');
  const { SpaceTime, operationAt, problemOf } = await import(root + 'js/dock/spacetime-model.js');
  const { Series } = await import(root + 'js/dock/series-model.js');
  const { lineOf } = await import(root + 'js/dock/spacetime-paint.js');
  const { TimeView, ticks } = await import(root + 'js/dock/view.js');
  const replica = (role) => ({ role, term: 1, log: [], discarded: [] });
  const node = (role) => ({ state: 'up', replicas: [replica(role)] });
  const nodes = { A: node('leader'), B: node('follower') };
  const space = new SpaceTime();
  const series = new Series();
  const state = { clients: { 1: {}, 2: {} }, nodes, operations: {}, messages: {}, led_terms: [1] };
  space.begin(state, 0);
  series.begin(state, space, 0);
  story.forEach(([at_us, name, cause, ...patches], sequence) => {
    const step = { sequence, at_us, name, cause, patches, text: null, tone: null };
    space.add(step);
    series.add(step, space);
  });
  const items = space.spans.all;
  const of = (type) => items.filter((item) => item.type === type);
  const within = (from, to) => {
    const found = [];
    space.spans.within(from, to, (item) => found.push(item));
    return found.length;
  };
  const view = new TimeView();
  view.follow(20e6, true, 0, 20e6);
  return {
    order: space.order(), leader: space.leader,
    segments: Object.fromEntries([...space.lanes].map(([id, lane]) => [id, lane.segments.map((each) =>
      [each.from_us, each.role, each.term, each.condition, each.isOld])])),
    flights: of('message').map(({ kind, fate, to_us, operation, isRoutine }) =>
      [kind, fate, to_us === Infinity ? null : to_us, operation, isRoutine]),
    signs: of('sign').map(({ kind, lane, label, from_us }) => [kind, lane, label, from_us]),
    fates: [0, 45, 90].map((us) => {
      const { outcome, lost, returned_us } = operationAt(space.course(1), us);
      return [outcome, lost, returned_us, problemOf(operationAt(space.course(1), us))];
    }),
    span: [space.course(1).from_us, space.course(1).to_us],
    within: [within(0, 9), within(41, 49), within(0, 1000)],
    lags: [5, 12, 35, 65].map((us) => series.lagAt('B', us)),
    leaderless: series.leaderless.map(({ from_us, to_us }) => [from_us, to_us]),
    endings: series.endings.map(({ latency_us, isRead, isAnswered }) => [latency_us, isRead, isAnswered]),
    view: [view.at(20e6), view.spanUs],
    jumps: [10e6, 9.9e6, 7e6, 5e6, 30e6].map((us) => (view.follow(us, false, 0, 40e6), Math.round(100 * view.at(us)))),
    ends: ['A', 'B'].map((source) => {
      const scene = { lanes: ['A', 'B', 'C'], height: 342, view, nowUs: 40e6, shownUs: 40e6, left: 0, width: 100 };
      const { y1, y2 } = lineOf(scene, { source, target: 'C', from_us: 0, to_us: 5, arrives_us: 10, fate: 'cut' });
      return Math.round(y2 - y1);
    }),
    ticks: ticks(0, 1e6, 5).map(({ words }) => words),
  };
}"""


def message(number: int, kind: str, source: str, target: str, sent: int, **more: Any) -> list[Any]:
    """The patch that shows a message in flight."""
    shown = {
        "id": number, "kind": kind, "source": source, "target": target, "sent_us": sent, "arrives_us": sent + 10,
        "label": "x=1", "term": 1, "operation": None, "success": None, "dropped_us": None, "reason": None,
    }  # fmt: skip
    return ["=", ["messages", str(number)], {**shown, **more}]


def test_the_model_folds_steps_by_hand(visitor: Visitor) -> None:
    """Lifelines, messages, operations and marks with their times; and what was known at each of them."""
    operation = {"id": 1, "client": "1", "kind": "write", "key": "x", "value": "1", "called_us": 0}
    # As it is when the patch is sent late: what is said in it already must not count yet.
    operation |= {"outcome": "ok", "returned_us": 40, "lost": True}
    replica_b = ["nodes", "B", "replicas", 0]
    entry = {"index": 1, "term": 1, "label": "x=1", "operation": 1}
    story: list[list[Any]] = [
        [0, "operation.started", None, ["=", ["operations", "1"], operation]],
        [0, "message.sent", 0, message(1, "write", "1", "A", 0, operation=1)],
        [10, "message.delivered", 1, ["-", ["messages", "1"]]],
        [10, "entry.appended", 2, ["+", ["nodes", "A", "replicas", 0, "log"], entry]],
        [11, "message.sent", 3, message(2, "append", "A", "B", 11)],
        [11, "message.sent", None, message(3, "heartbeat", "A", "B", 11)],
        [21, "message.delivered", 5, ["-", ["messages", "3"]]],
        [21, "message.sent", 6, message(4, "reply", "B", "A", 21)],
        [30, "entry.received", 4, ["+", [*replica_b, "log"], entry]],
        [31, "commit.advanced", 4, ["=", ["nodes", "A", "replicas", 0, "commit_index"], 1]],
        [
            40, "operation.ended", 3,
            ["=", ["operations", "1", "outcome"], "ok"], ["=", ["operations", "1", "returned_us"], 40],
        ],
        [50, "command.accepted", None, ["=", ["command"], "kill leader"]],
        [50, "node.killed", 11, ["=", ["nodes", "A", "state"], "dead"]],
        [
            51, "message.dropped", 4,
            ["=", ["messages", "2", "dropped_us"], 51], ["=", ["messages", "2", "reason"], "loss"],
        ],
        [60, "term.advanced", None, ["=", [*replica_b, "term"], 2]],
        [60, "election.started", None, ["=", [*replica_b, "role"], "candidate"]],
        [70, "leader.started", 15, ["=", [*replica_b, "role"], "leader"]],
        [80, "log.truncated", 15, ["=", ["operations", "1", "lost"], True]],
        [90, "command.accepted", None, ["=", ["command"], "read x"]],
    ]  # fmt: skip
    found = visitor.page.evaluate(MODEL, story)
    assert found["order"] == ["1", "A", "B", "2"]
    assert found["leader"] == "B"
    assert found["segments"]["A"] == [[0, "leader", 1, "up", False], [50, "leader", 1, "dead", False]]
    assert found["segments"]["B"] == [
        [0, "follower", 1, "up", False],
        [60, "candidate", 2, "up", False],
        [70, "leader", 2, "up", False],
    ]
    assert found["flights"] == [
        ["write", "delivered", 10, 1, False],
        ["append", "loss", 51, 1, False],
        ["heartbeat", "delivered", 21, None, True],
        ["reply", "", None, None, True],
    ]
    assert found["signs"] == [
        ["commit", "A", "", 31],
        ["command", None, "kill leader", 50],
        ["kill", "A", "", 50],
        ["election", "B", "term 2", 60],
        ["leader", "B", "term 2", 70],
    ]
    assert found["fates"] == [
        ["pending", False, None, None],
        ["ok", False, 40, None],
        ["ok", True, 40, "lost"],
    ]
    assert found["span"] == [0, 40]
    assert found["within"] == [2, 2, len(found["flights"]) + len(found["signs"]) + 1]
    assert found["lags"] == [0, 1, 0, None]
    assert found["leaderless"] == [[50, 70]]
    assert found["endings"] == [[40, False, True]]
    assert found["view"] == [pytest.approx(0.88), 9_000_000]
    assert found["jumps"] == [70, 69, 37, 30, 70], "what led to a moment is in the window with it"
    assert found["ends"] == [55, 50], "rows are 100 high: what ends on the way ends at nobody's line"
    assert found["ticks"] == ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"]


@pytest.fixture
def lost(visitor: Visitor) -> Visitor:
    """A visitor of a finished run in which an acknowledged write was lost."""
    visitor.go_at(QUICKLY)
    visitor.scenario(LOSS)
    expect(visitor.page.locator("#script-lines li:not(.done)")).to_have_count(0)
    visitor.hold()
    return visitor


def field(visitor: Visitor) -> Locator:
    """The space-time diagram."""
    visitor.dock("Space-time")
    return visitor.page.get_by_role("application", name="Space-time diagram")


def walk(visitor: Visitor, most: int = 120) -> list[str]:
    """Everything that the arrow keys come to, from the first thing on, as it is said."""
    page = visitor.page
    status = page.locator(".space-says")
    field(visitor).focus()
    # Nothing can be walked to before the past is there.
    until(page, lambda: page.keyboard.press("Home") or status.text_content())
    said = [status.text_content() or ""]
    for _ in range(most):
        page.keyboard.press("ArrowRight")
        words = status.text_content() or ""
        if words == said[-1]:
            break
        said.append(words)
    return said


COLOURS = """(names) => {
  const canvas = document.querySelector('.space-field canvas');
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const style = getComputedStyle(document.documentElement);
  const seen = new Set();
  for (let at = 0; at < data.length; at += 4) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
  return names.filter((name) => {
    const value = parseInt(style.getPropertyValue(name).trim().slice(1), 16);
    return seen.has([value >> 16, (value >> 8) & 255, value & 255].join());
  });
}"""


def test_the_space_time_diagram_shows_what_happened(lost: Visitor) -> None:
    """Operations with their verdicts, the crash, the election, the copies: each can be walked to."""
    told = "\n".join(walk(lost))
    for words in (
        r"x=3, lost: Client 1, x=3, asked at",
        r"A is dead",
        r"stands for election",
        r"became leader",
        r"append x=1 from A to B, term 1, arrived at",
        r"answer OK from A to client 1, arrived at",
        r"x=2 is committed",
        r"kill",
    ):
        assert re.search(words, told), words
    assert "heartbeat" not in told
    lost.press("Heartbeats")
    assert "heartbeat from A to B" in "\n".join(walk(lost))
    lost.press("Whole run")
    names = ["--leader", "--follower", "--candidate", "--bad", "--ok", "--ink"]
    until(lost.page, lambda: lost.page.evaluate(COLOURS, names) == names)


def test_a_walk_goes_on_when_more_of_the_past_has_come(lost: Visitor) -> None:
    """A page that came late asks for what was before; who walks meanwhile stays where they are."""
    page = lost.page
    held: list[Route] = []
    page.route("**/history.json*", lambda route: held.append(route))
    page.reload()
    lost.wait()
    status = page.locator(".space-says")
    field(lost).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(status).to_contain_text("x=2")
    here = status.text_content() or ""
    until(page, lambda: held)
    for route in held:
        route.continue_()
    slider = page.get_by_role("slider", name="Moment shown")
    expect(slider).not_to_have_attribute("max", "0")
    expect(slider).to_have_attribute("min", "0")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.keyboard.press("ArrowLeft")
    expect(status).not_to_contain_text("x=1: Client 1")
    page.keyboard.press("ArrowRight")
    expect(status).to_have_text(here)


def write_of_3(visitor: Visitor) -> Locator:
    """The row of the lost write."""
    return visitor.page.get_by_role("row", name=re.compile(r"^\d+ 1 x=3 "))


def test_a_press_on_the_empty_axis_goes_to_that_moment(lost: Visitor) -> None:
    """And what was not yet known then is not told of it."""
    page = lost.page
    box = field(lost).bounding_box()
    assert box is not None
    lost.press("Whole run")
    end = float((page.locator("#time").text_content() or "0 s").split()[0])
    share = (0.02 * end + 4.5) / (1.04 * end)
    page.mouse.click(box["x"] + 104 + (box["width"] - 116) * share, box["y"] + box["height"] - 5)
    expect(page.locator("#time")).to_have_text(re.compile(r"^4\.[45]\d s$"))
    expect(page.locator("body")).to_have_class(re.compile(r"\bpast\b"))
    lost.dock("Operations")
    row = write_of_3(lost)
    expect(row).to_contain_text("OK")
    expect(row).not_to_contain_text("LOST")
    lost.press("Back to now")
    expect(row).to_contain_text("LOST")


def test_what_is_chosen_in_one_is_lit_in_all(lost: Visitor) -> None:
    """A write chosen among the operations is lit in the diagram, the logs, the events; and again puts it out."""
    page = lost.page
    lost.dock("Operations")
    row = write_of_3(lost)
    row.click()
    expect(row).to_have_class(re.compile(r"\blit\b"))
    expect(lost.cell("A", "x=1")).to_have_css("opacity", "0.28")
    expect(lost.cell("A", "x=3")).to_have_css("opacity", "1")
    lost.dock("Logs")
    expect(page.locator(".log-grid .log-cell.lit .log-value")).to_have_text("x=3")
    lost.dock("Events")
    expect(page.locator(".event.lit").first).to_contain_text("x=3")
    chosen = field(lost)
    chosen.focus()
    page.keyboard.press("Escape")
    expect(lost.cell("B", "x=1")).to_have_css("opacity", "1")
    lost.dock("Events")
    expect(page.locator(".event.lit")).to_have_count(0)


def test_a_dock_that_closes_puts_the_light_out(lost: Visitor) -> None:
    """Nothing stays dim without a row that says why."""
    lost.dock("Operations")
    row = write_of_3(lost)
    row.click()
    expect(lost.cell("B", "x=1")).to_have_css("opacity", "0.28")
    lost.page.keyboard.press("Escape")
    expect(lost.page.locator("#dock")).to_be_hidden()
    expect(lost.cell("B", "x=1")).to_have_css("opacity", "1")


def test_the_logs_open_at_their_end(quiet: Visitor) -> None:
    """In a long run the newest entries are what one looks for."""
    quiet.say(*(f"write x {number}" for number in range(1, 26)))
    quiet.play()
    expect(quiet.cell("A", "x=25")).to_be_visible()
    quiet.hold()
    quiet.dock("Logs")
    last = quiet.page.locator(".log-grid .log-cell").filter(has_text="x=25").first
    expect(last).to_be_in_viewport()


def test_the_tables_agree_with_the_state(lost: Visitor) -> None:
    """Every operation with its outcome and verdict; every log with its entries, terms and marks."""
    page = lost.page
    state = lost.state()
    lost.dock("Operations")
    rows = page.locator(".operation-rows [role=row]:has([role=gridcell])")
    expect(rows).to_have_count(len(state["operations"]))
    for operation in state["operations"].values():
        row = page.locator(f'.operation-rows [data-key="{operation["id"]}"]')
        expect(row).to_contain_text({"ok": "OK", "pending": "waiting"}.get(operation["outcome"], ""))
        expect(row.locator("[role=gridcell]").nth(3)).to_have_text(f"{operation['called_us'] / 1e6:.2f} s")
        assert ("LOST" in (row.text_content() or "")) == operation["lost"]
    page.get_by_label("Only problems").check()
    problems = [
        each for each in state["operations"].values()
        if each["lost"] or each["stale"] or each["outcome"] in ("failed", "unknown")
    ]  # fmt: skip
    expect(rows).to_have_count(len(problems))
    page.get_by_label("Only problems").uncheck()
    page.get_by_label("Kind", exact=True).select_option("read")
    expect(rows).to_have_count(sum(each["kind"] == "read" for each in state["operations"].values()))
    lost.dock("Logs")
    for name, node in state["nodes"].items():
        replica = node["replicas"][0]
        for entry in replica["log"]:
            cell = page.locator(f'[data-cell="{name} {entry["index"]} "]')
            expect(cell.locator(".log-value")).to_have_text(entry["label"])
            expect(cell.locator("small")).to_have_text(f"t{entry['term']}")
            classes = (cell.get_attribute("class") or "").split()
            for mark in ("flushed", "commit", "applied"):
                has = entry["index"] <= replica[f"{mark}_index"]
                assert (("committed" if mark == "commit" else mark) in classes) == has, (name, entry, mark)
    expect(page.locator(".log-grid .log-cell.lost .log-value")).to_have_text("x=3")


def test_logs_that_differ_are_marked(quiet: Visitor) -> None:
    """An entry of a leader that was cut off, which the new leader's log does not have."""
    quiet.say("partition A | B C", "write x 1")
    quiet.play()
    expect(quiet.page.locator(".node.leader")).to_have_count(2)
    quiet.hold()
    quiet.dock("Logs")
    expect(quiet.page.locator(".log-grid .divergent .log-value")).to_have_text("x=1")


def test_events_can_be_searched_and_asked_why(lost: Visitor) -> None:
    """By word and by kind, untold ones by their names; the reason opens in place of the dock, which returns."""
    page = lost.page
    all_told = lost.events().count()
    assert all_told > 5
    found = lost.events("acknowledged write is lost")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("x=3")
    lost.events()
    kind = page.get_by_label("Kind of event")
    kind.select_option("elections")
    page.get_by_role("searchbox").fill("for")
    expect(page.locator(".event").filter(has_text="stands for election").first).to_be_visible()
    expect(page.locator(".event").filter(has_text="x=3 into its log")).to_have_count(0)
    page.get_by_role("searchbox").fill("")
    kind.select_option("network")
    expect(page.locator(".event code").first).to_have_text(re.compile(r"^message\."))
    kind.select_option("all")
    page.get_by_role("searchbox").fill("timer.set")
    expect(page.locator(".event").first).to_contain_text("fires at")
    kind.select_option("told")
    lost.events("became leader").first.get_by_role("button", name=re.compile("^Why")).click()
    drawer = page.get_by_role("region", name="Why?")
    expect(drawer.get_by_role("listitem").last).to_contain_text("became leader")
    expect(page.locator("#dock")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page.locator("#dock")).to_be_visible()
    expect(lost.tab("Events")).to_have_attribute("aria-selected", "true")


def test_why_of_a_loss_begins_with_the_write(lost: Visitor) -> None:
    """What is asked about stands on top and in sight; below it the write, its copies, the kill, the election."""
    page = lost.page
    row = lost.events("acknowledged write is lost")
    row.get_by_role("button", name=re.compile("^Why")).click()
    drawer = page.get_by_role("region", name="Why?")
    links = drawer.get_by_role("listitem")
    expect(links.filter(has_text="Client 1 asks A to write x=3")).to_have_count(1)
    told = "\n".join(links.all_inner_texts())
    pieces = [
        "asks A to write x=3",
        "answers OK to x=3",
        "x=3 from A to B does not arrive",
        "A is dead",
        "became leader",
    ]
    places = [told.find(piece) for piece in pieces]
    assert -1 not in places
    assert places == sorted(places), told
    expect(drawer.locator(".why-asked")).to_contain_text("1 acknowledged write is lost: x=3")
    expect(drawer.locator(".why-asked")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    lost.events("asks A to write x=3").get_by_role("button", name=re.compile("^Why")).click()
    expect(drawer.locator(".why-asked")).to_contain_text("1 acknowledged write is lost: x=3")


def test_what_is_not_told_is_put_into_words_all_the_same(lost: Visitor) -> None:
    """A term that an election began, a leader that is recognised: no row is a bare name or a hole."""
    page = lost.page
    lost.events()
    page.get_by_label("Kind of event").select_option("elections")
    rows = page.locator(".event")
    expect(rows.filter(has_text="C moves on to term 3.").first).to_be_visible()
    said: set[str] = set()
    for _ in range(40):
        seen = rows.locator(".event-text").all_inner_texts()
        if not said:
            rows.first.focus()
        said.update(seen)
        page.keyboard.press("ArrowDown")
    assert "B moves on to term 2." in said
    assert "B takes A for the leader." in said
    wrong = [
        words for words in said if not words.endswith(".") or "undefined" in words or ".recognised" in words
    ]
    assert wrong == []


def test_charts_tell_their_values(lost: Visitor) -> None:
    """Latency, lag, throughput and availability, read with the arrow keys at any moment."""
    page = lost.page
    lost.dock("Charts")
    for name in ("Write latency", "Replication lag", "Throughput", "Availability"):
        expect(page.get_by_role("slider", name=name)).to_be_visible()
    availability = page.get_by_role("slider", name="Availability")
    availability.focus()
    page.keyboard.press("Home")
    expect(availability).to_have_attribute("aria-valuetext", re.compile(r"^0\.00 s: nothing due lately"))
    until(page, lambda: later(availability, "no leader"))
    expect(page.locator(".charts p.hidden").first).to_contain_text(re.compile(r"\d answered, middle \d+ ms"))
    expect(page.locator(".chart-legend").last).to_contain_text(re.compile(r"no leader: 1\d\.\d s"))
    # A read waits for an answer in the gap: the share falls.
    until(page, lambda: later(availability, "s: 0 % answered"))
    lag = page.get_by_role("slider", name="Replication lag")
    lag.focus()
    page.keyboard.press("Home")
    until(page, lambda: later(lag, "B 1"))


def later(slider: Locator, words: str) -> bool:
    """Reads a chart a little later; whether these words are told there."""
    slider.press("ArrowRight")
    return words in (slider.get_attribute("aria-valuetext") or "")


def test_the_dock_by_keyboard_alone(lost: Visitor) -> None:
    """Tabs, height, rows, cells, moments; Esc closes, with the focus back on the tab; the height stays."""
    page = lost.page
    tab = lost.tab("Space-time")
    tab.focus()
    expect(page.locator(".dock-handle")).to_be_attached()
    page.keyboard.press("ArrowRight")
    expect(lost.tab("Operations")).to_be_focused()
    expect(page.locator("#dock")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#dock")).to_be_visible()
    page.locator(".operation-rows [role=row][tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".operation-rows .lit:focus")).to_have_count(1)
    lost.tab("Operations").focus()
    page.keyboard.press("ArrowRight")
    expect(lost.tab("Logs")).to_have_attribute("aria-selected", "true")
    page.locator(".log-grid [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".log-grid .log-cell:focus .log-value")).to_have_text("x=2")
    page.keyboard.press("End")
    expect(page.locator(".dock-says").first).to_contain_text("index")
    field(lost).focus()
    end = page.locator("#time").text_content() or ""
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#time")).not_to_have_text(end)
    page.keyboard.press("Escape")
    handle = page.get_by_role("separator", name="Height of the dock")
    handle.focus()
    height = int(handle.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowUp")
    expect(handle).to_have_attribute("aria-valuenow", str(height + 24))
    page.keyboard.press("Escape")
    expect(page.locator("#dock")).to_be_hidden()
    expect(lost.tab("Space-time")).to_be_focused()
    page.reload()
    lost.wait()
    lost.dock("Events")
    expect(handle).to_have_attribute("aria-valuenow", str(height + 24))


def test_a_long_run_makes_no_long_page(visitor: Visitor) -> None:
    """Of ten thousand events only the rows in sight exist; the first of all can still be gone to."""
    page = visitor.page
    visitor.begin_quietly()
    visitor.say("load writes 1/s by 1", "load reads 1/s by 2")
    visitor.dock("Events")
    visitor.go_at(QUICKLY)
    visitor.play()
    until(
        page,
        lambda: int((page.locator("#count").text_content() or "0 e").split()[0].replace(",", "")) > 10_000,
    )
    visitor.hold()
    page.get_by_label("Kind of event").select_option("all")
    grid = page.get_by_role("grid", name="Events, newest first")
    until(page, lambda: int(grid.get_attribute("aria-rowcount") or 0) > 10_000)
    assert page.locator(".event").count() < 40
    grid.locator("[role=row][tabindex='0']").focus()
    page.keyboard.press("End")
    expect(page.locator(".event:focus")).to_contain_text("0.00 s")
    assert page.locator(".event").count() < 60
    visitor.dock("Operations")
    rows = page.get_by_role("grid", name="Operations, newest first")
    until(page, lambda: int(rows.get_attribute("aria-rowcount") or 0) > 300)
    assert page.locator(".operation-rows [role=row]").count() < 40


def test_the_dock_on_a_phone(make_context: MakeContext) -> None:
    """Below the diagram, over the whole width, and nothing sticks out."""
    visitor = Visitor(make_context(viewport={"width": 390, "height": 844}, has_touch=True).new_page()).open()
    page = visitor.page
    visitor.hold()
    for name in ("Space-time", "Operations", "Logs", "Charts", "Events"):
        visitor.tab(name).tap()
        panel = page.locator("#dock")
        expect(panel).to_be_visible()
        box = panel.bounding_box()
        diagram = page.locator("#diagram").bounding_box()
        assert box is not None
        assert diagram is not None
        assert (box["x"], box["width"]) == (0, 390)
        assert box["y"] >= diagram["y"] + diagram["height"]
        assert page.evaluate("document.scrollingElement.scrollWidth") == 390
        expect(panel).to_be_in_viewport(ratio=0.95)
