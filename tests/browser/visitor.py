"""A person at the page: what they press, and what they can see. Waits for facts, never for time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

from playwright.sync_api import Locator, Page, WebSocket, expect

PATIENCE_MS = 30_000
"""How long anything may take on a busy machine."""
QUICKLY = "20"
"""The speed at which a story is over soon."""

expect.set_options(timeout=PATIENCE_MS)


class Wire:
    """What the page and the server said to each other: Socket.IO on Engine.IO.

    `42<id>[name, payload]` is an event that may want an answer, `43<id>[answer]` gives it."""

    def __init__(self, page: Page) -> None:
        self.keyframes: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        """To everything asked, in order, each with the name of the request as `to`."""
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        asked: dict[str, str] = {}
        socket.on("framesent", lambda text: self._send(str(text), asked))
        socket.on("framereceived", lambda text: self._receive(str(text), asked))

    def _send(self, text: str, asked: dict[str, str]) -> None:
        if found := re.match(r"42(\d+)(\[.*)", text, re.DOTALL):
            asked[found[1]] = json.loads(found[2])[0]

    def _receive(self, text: str, asked: dict[str, str]) -> None:
        if found := re.match(r"43(\d+)(\[.*)", text, re.DOTALL):
            self.answers.append({**json.loads(found[2])[0], "to": asked.pop(found[1])})
        elif text.startswith('42["keyframe"'):
            self.keyframes.append(json.loads(text[2:])[1])

    def answers_to(self, name: str) -> list[dict[str, Any]]:
        """The answers to one kind of request."""
        return [answer for answer in self.answers if answer["to"] == name]


class Visitor:
    """Someone with one tab open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wire = Wire(page)
        page.set_default_timeout(PATIENCE_MS)

    # --- what they do ---

    def open(self, path: str = "/play") -> Visitor:
        """Arrives, and stays until the cluster is there."""
        self.page.goto(path)
        return self.wait()

    def wait(self) -> Visitor:
        """Until the cluster is drawn and the page listens to its keys."""
        expect(self.page.locator("body[data-connection=open]")).to_be_attached()
        expect(self.page.locator("#diagram .node").first).to_be_attached()
        expect(self.page.locator("#add-node, #invite:not(:empty)").first).not_to_have_text("Add a node")
        return self

    def say(self, *lines: str) -> None:
        """Commands through the palette, each accepted."""
        for line in lines:
            field = self.palette()
            field.fill(line)
            field.press("Enter")
            expect(self.page.get_by_role("dialog")).to_have_count(0)

    def palette(self) -> Locator:
        """Opens the palette; answers its field."""
        self.page.keyboard.press("Control+k")
        return self.page.get_by_label("Command", exact=True)

    def press(self, name: str) -> None:
        """A button, by the whole of its name; and what the page itself does about it is seen."""
        self.button(name).click()
        self.see()

    def begin_quietly(self) -> None:
        """A run of its own without background load, standing still at nothing."""
        self.hold()
        seed = self.seed()
        self.press("New seed")
        expect(self.page.locator("#seed")).to_have_text(f"seed {seed + 1}")
        self.hold()

    def scenario(self, title: str) -> None:
        """Picks a scenario by a part of its title."""
        self.press("Scenarios…")
        disasters = self.page.get_by_role("menuitem", name="One rule switched off")
        expect(disasters).to_be_visible()
        if self.page.get_by_role("menuitem", name=title).count() == 0:
            disasters.click()
        self.page.get_by_role("menuitem", name=title).click()
        expect(self.page.locator("#script-title")).to_contain_text(title)

    def play(self) -> None:
        """Lets time pass."""
        if self.page.locator("#play").get_attribute("aria-label") == "Play":
            self.press("Play")
        expect(self.button("Pause playback")).to_be_attached()

    def hold(self) -> None:
        """Lets time stand still."""
        if self.page.locator("#play").get_attribute("aria-label") != "Play":
            self.press("Pause playback")
        expect(self.button("Play")).to_be_attached()
        self.see()

    def see(self) -> None:
        """Until what is known is drawn: words change at once, the picture and the time with the next paint."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def go_at(self, speed: str) -> None:
        """Chooses how fast time passes."""
        self.page.get_by_role("combobox", name="speed", exact=True).select_option(speed)

    def write(self, key: str, value: str) -> None:
        """Fills the form and presses Write."""
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.get_by_label("Value", exact=True).fill(value)
        self.press("Write")

    # --- what they see ---

    def button(self, name: str) -> Locator:
        """A button, by the whole of its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def radio(self, group: str, name: str) -> Locator:
        """One choice of a group of them."""
        return self.page.get_by_role("radiogroup", name=group).get_by_role("radio", name=name, exact=True)

    def node(self, letter: str) -> Locator:
        """A circle on the diagram."""
        return self.page.locator(".node", has=self.page.locator(f'.grip[data-id="{letter}"]'))

    def client(self, digit: str) -> Locator:
        """A client's box on the diagram."""
        return self.page.locator(".client", has=self.page.locator(f'.grip[data-id="{digit}"]'))

    def log(self, letter: str) -> Locator:
        """A node's log on the diagram."""
        return self.page.locator(f'.log[data-log="{letter}"]')

    def cell(self, letter: str, label: str) -> Locator:
        """The cells of a log that hold an entry."""
        return self.log(letter).locator(".cell", has_text=re.compile(f"^{re.escape(label)}$"))

    def tab(self, name: str) -> Locator:
        """A tab of the dock."""
        return self.page.get_by_role("tab", name=name, exact=True)

    def dock(self, name: str) -> Locator:
        """Opens a tab of the dock; answers what it shows."""
        panel = self.page.locator("#dock")
        if self.tab(name).get_attribute("aria-selected") != "true" or not panel.is_visible():
            self.tab(name).click()
        expect(panel).to_be_visible()
        return panel

    def events(self, about: str = "") -> Locator:
        """What was told, as far as these words are in it."""
        self.dock("Events")
        search = self.page.get_by_role("searchbox", name="Search the events")
        search.fill(about)
        search.blur()
        return self.page.locator(".event")

    def alert(self) -> Locator:
        """The sentences that pop up."""
        return self.page.get_by_role("alert").locator("p")

    def seed(self) -> int:
        """Of the run that is shown."""
        return int((self.page.locator("#seed").text_content() or "").removeprefix("seed "))

    def state(self) -> dict[str, Any]:
        """The visible state as the server tells it to whoever comes now: this loads the page anew."""
        known = len(self.wire.keyframes)
        self.page.reload()
        until(self.page, lambda: len(self.wire.keyframes) > known)
        self.wait()
        state: dict[str, Any] = self.wire.keyframes[known]["state"]
        return state


def until(page: Page, is_so: Callable[[], object]) -> None:
    """Waits for a fact that no locator can tell. (`wait_for_function` needs what our policy forbids.)"""
    end = monotonic() + PATIENCE_MS / 1000
    while not is_so():
        assert monotonic() < end, "this never came true"
        page.wait_for_timeout(30)
