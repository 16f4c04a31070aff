"""Part `page`: from a click to the paint that answers it, and frames a second under load.

A Chromium drives our page, served by its own process, and the bare pages of `echo.py`, in turn.
Everything is found by its accessible name, and everything is timed inside the page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from time import sleep
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from server.bench.measure import percentile
from server.bench.report import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--disable-background-networking", "--disable-gpu", "--no-sandbox"]
"""Without a sandbox because a container has none to give; only our own pages are opened."""

TURNS = 4
CLICKS_PER_TURN = 10
CLICK_MILLISECONDS = 50.0

SEEKS = 60
SEEK_EVENTS = 10_000
SEEK_MILLISECONDS = 50.0

FRAME_TURNS = 2
FRAME_SECONDS = 5
FRAMES_PER_SECOND = 55.0
FRAME_MILLISECONDS = 50.0
LETTERS = "DEFGHI"
"""The nodes that a room gets besides the three it begins with."""
CROWD = ("set failover manual", "set replication quorum", "set outstanding 40", "load writes 22/s")
"""With nine nodes at the usual latency: about a hundred messages in flight."""

WATCH_FRAMES = """() => {
  const ask = window.requestAnimationFrame.bind(window);
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  window.isFrameBeingMade = false;
  port1.onmessage = () => {
    window.isFrameBeingMade = false;
    waiting.splice(0).forEach((resolve) => resolve());
  };
  window.requestAnimationFrame = (paint) => ask((at) => {
    window.isFrameBeingMade = true;
    port2.postMessage(0);
    paint(at);
  });
  window.nextPaint = (then) => {
    waiting.push(then);
    if (!window.isFrameBeingMade) window.requestAnimationFrame(() => {});
  };
}"""
"""Calls back when the frame that carries a change is painted: a message posted while a frame is being
made is handled right after it. A change made within a frame is in that frame, any other in the next."""

EXPECT_PAINT = """(text) => {
  const named = (node) => node.nodeType === Node.TEXT_NODE ? node.data : node.textContent +
    [...node.querySelectorAll("[aria-label]"), node].map((each) => each.ariaLabel).join();
  const shows = ({ target, type, addedNodes }) =>
    [...(type === "childList" ? addedNodes : [target])].some((node) => named(node).includes(text));
  window.painted = new Promise((resolve) => {
    let from = 0;
    addEventListener("pointerdown", () => { from = performance.now(); }, { once: true, capture: true });
    const observer = new MutationObserver((changes) => {
      if (!from || !changes.some(shows)) return;
      observer.disconnect();
      window.nextPaint(() => resolve(performance.now() - from));
    });
    const everything = { subtree: true, childList: true, characterData: true, attributes: true };
    observer.observe(document.body, everything);
  });
}"""
"""Time from pressing until something that shows `text` is painted."""

COLLECT_FRAMES = """(seconds) => new Promise((resolve) => {
  const lengths = [];
  let last = null;
  const end = performance.now() + seconds * 1000;
  requestAnimationFrame(function note(at) {
    if (last !== null) lengths.push(at - last);
    last = at;
    if (at < end) requestAnimationFrame(note); else resolve(lengths);
  });
})"""

SEEK = """async (count) => {
  const slider = document.querySelector("#scrub");
  const painted = () => new Promise((resolve) => window.nextPaint(resolve));
  const measured = [[], []];
  for (let turn = 0; turn < count; turn++) {
    let from = performance.now();
    await painted();
    measured[1].push(performance.now() - from);
    from = performance.now();
    slider.value = String(Math.random() * Number(slider.max));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await painted();
    measured[0].push(performance.now() - from);
  }
  return measured;
}"""
"""Going to random moments of the run, in turn with frames in which nothing is to be done."""

COUNT_MESSAGES = """() => [...document.querySelectorAll("[aria-label]")].filter((each) =>
  /^(append|heartbeat|reply|write|ok)\\b.*, .* to /.test(each.ariaLabel) &&
  getComputedStyle(each).display !== "none").length"""


def page() -> list[Row]:
    """Click to paint, and frames; one row that says why when this machine cannot."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return [Row("page", "not measured: Playwright is not installed (it comes with the test extra)")]
    with sync_playwright() as playwright:
        path = chromium_path(playwright.chromium.executable_path)
        if path is None:
            return [Row("page", "not measured: no Chromium was found")]
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        serve = ["server", "serve", "--port", "0", "--data", ":memory:"]
        with closing(browser), served(*serve) as ours, served("server.bench.echo") as bare:
            return [
                _click_row(browser, ours, bare), *_frame_rows(browser, ours, bare), _seek_row(browser, ours),
            ]  # fmt: skip


def chromium_path(own: str) -> str | None:
    """The browser that CHROMIUM names, one that is installed, or Playwright's own."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS), own]
    return next((path for path in candidates if path and Path(path).is_file()), None)


@contextmanager
def served(*module: str) -> Iterator[str]:
    """The address of `python -m module`, as its own process, for as long as the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://[^ /]+", said)
        if address is None:
            raise RuntimeError(f"{module[0]} did not start: {said}")
        wait_for(f"{address[0]}/healthz")
        yield address[0]
    finally:
        process.terminate()
        process.communicate()


def wait_for(address: str) -> None:
    """Until something answers there. Raises `URLError` when nothing does for ten seconds."""
    for attempt in range(100):
        try:
            urlopen(address, timeout=5).close()
        except URLError:
            if attempt == 99:
                raise
            sleep(0.1)
        else:
            return


@contextmanager
def visited(browser: Browser, address: str) -> Iterator[Page]:
    """A page with a room of its own."""
    with closing(browser.new_context(viewport={"width": 1280, "height": 800})) as context:
        opened = context.new_page()
        opened.goto(address, wait_until="networkidle")
        yield opened


# --- click to paint ------------------------------------------------------------------------------


def _click_row(browser: Browser, ours: str, bare: str) -> Row:
    figures: list[float] = []
    bare_figures: list[float] = []
    for _ in range(TURNS):
        for address, own in ((f"{ours}/play", figures), (f"{bare}/echo", bare_figures)):
            with visited(browser, address) as opened:
                opened.evaluate(WATCH_FRAMES)
                own += [_click_milliseconds(opened, number) for number in range(-2, CLICKS_PER_TURN)][2:]
    late, bare_late = percentile(figures, 95), percentile(bare_figures, 95)
    return Row(
        "page: click to paint, p95",
        f"{late:.0f} ms",
        f"{bare_late:.0f} ms, bare echo",
        late / bare_late,
        f"< {CLICK_MILLISECONDS:g} ms",
        late < CLICK_MILLISECONDS,
    )


def _click_milliseconds(opened: Page, number: int) -> float:
    """One write of a value that nothing on the page has shown before."""
    value = f"v{number + 100}"
    opened.get_by_label("Value", exact=True).fill(value)
    opened.evaluate(EXPECT_PAINT, value)
    opened.get_by_role("button", name="Write", exact=True).click()
    milliseconds: float = opened.evaluate("window.painted")
    opened.wait_for_timeout(60 + number * 7)  # Not in step with the server's ticks.
    return milliseconds


# --- frames --------------------------------------------------------------------------------------


def _frame_rows(browser: Browser, ours: str, bare: str) -> list[Row]:
    lengths: list[float] = []
    bare_lengths: list[float] = []
    crowds = []
    for _ in range(FRAME_TURNS):
        with visited(browser, f"{ours}/play") as opened:
            _crowd(opened)
            crowds.append(opened.evaluate(COUNT_MESSAGES))
            lengths += opened.evaluate(COLLECT_FRAMES, FRAME_SECONDS)
            crowds.append(opened.evaluate(COUNT_MESSAGES))
        with visited(browser, f"{bare}/dots") as opened:
            bare_lengths += opened.evaluate(COLLECT_FRAMES, FRAME_SECONDS)
    rate, bare_rate = 1000 / median(lengths), 1000 / median(bare_lengths)
    return [
        Row(
            f"page: frames, 9 nodes, {median(crowds):.0f} messages",
            f"{rate:.0f} fps median",
            f"{bare_rate:.0f} fps, 100 bare groups",
            rate / bare_rate,
            f"≥ {FRAMES_PER_SECOND:g} fps",
            rate >= FRAMES_PER_SECOND,
        ),
        Row(
            "page: … longest frame",
            f"{max(lengths):.0f} ms",
            f"{max(bare_lengths):.0f} ms, 100 bare groups",
            max(lengths) / max(bare_lengths),
            f"≤ {FRAME_MILLISECONDS:g} ms",
            max(lengths) <= FRAME_MILLISECONDS,
        ),
    ]


def _crowd(opened: Page) -> None:
    """Bring our page to nine nodes and a full wire."""
    opened.get_by_label("speed").select_option("20")
    for letter in LETTERS:
        _command(opened, f"add {letter}")
        opened.wait_for_timeout(500)  # Nodes join one at a time: at this speed it has caught up by then.
    opened.get_by_label("speed").select_option("1")
    for command in CROWD:
        _command(opened, command)
    opened.wait_for_timeout(3000)


def _command(opened: Page, text: str) -> None:
    """Type a command as a visitor does."""
    opened.get_by_role("button", name="Type a command").click()
    field = opened.get_by_label("Command", exact=True)
    field.fill(text)
    field.press("Enter")
    opened.get_by_role("dialog", name="Type a command").wait_for(state="detached")


# --- the past ------------------------------------------------------------------------------------


def _seek_row(browser: Browser, ours: str) -> Row:
    """From moving the slider to the paint of that moment, in a run of ten thousand events."""
    with visited(browser, f"{ours}/play") as opened:
        opened.evaluate(WATCH_FRAMES)
        opened.get_by_label("speed").select_option("20")
        _command(opened, "load writes 20/s")
        count = opened.locator("#count")
        while int(re.sub(r"\D", "", count.text_content() or "0") or 0) < SEEK_EVENTS:
            opened.wait_for_timeout(200)
        opened.get_by_role("button", name="Pause playback").click()
        opened.wait_for_timeout(500)
        figures, bare_figures = opened.evaluate(SEEK, SEEKS)
    late, bare_late = percentile(figures, 95), percentile(bare_figures, 95)
    return Row(
        "page: seek in 10,000 events, p95",
        f"{late:.0f} ms",
        f"{bare_late:.0f} ms, an empty frame",
        late / bare_late,
        f"< {SEEK_MILLISECONDS:g} ms",
        late < SEEK_MILLISECONDS,
    )
