"""When it gets rough: a server that dies under the page, and a part of the page that does not come."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Watcher, rest
from tests.browser.visitor import QUICKLY, Visitor, until
from tests.serving import Server

IS_AT_REST = """performance.getEntriesByType('resource')
  .filter(({ name }) => /later[.]js|panels.why[.]js|dock[.]css/.test(name)).length >= 3"""
"""Whether the page has fetched beforehand what may be wanted."""


def test_a_part_that_cannot_be_fetched_is_missed_in_words(chromium: Browser, server: Server) -> None:
    """Nothing else suffers; the button says what is the matter each time."""
    watcher = Watcher(server.url)
    context = chromium.new_context(base_url=server.url)
    context.on("page", watcher.watch)
    context.route(re.compile(r"/js/(later|panels/help)[.]js"), lambda route: route.abort())
    visitor = Visitor(context.new_page()).open()
    visitor.begin_quietly()
    visitor.page.keyboard.press("?")
    expect(visitor.alert()).to_contain_text(["This part of the page has not come"])
    visitor.write("k", "1")
    visitor.play()
    expect(visitor.cell("A", "k=1")).to_have_count(1)
    rest(visitor.page)
    context.close()
    assert [fault for fault in watcher.faults if "ERR_FAILED" not in fault] == []


def test_the_server_goes_and_comes_back(chromium: Browser, tmp_path: Path) -> None:
    """A banner says so; what is in the page still works; when it is back, so is the room: the same run,
    held where it was."""
    first = Server(tmp_path).__enter__()
    port = urlsplit(first.url).port
    assert port is not None
    watcher = Watcher(first.url)
    context = chromium.new_context(base_url=first.url)
    context.on("page", watcher.watch)
    try:
        visitor = Visitor(context.new_page()).open()
        visitor.begin_quietly()
        visitor.go_at(QUICKLY)
        visitor.write("k", "7")
        visitor.play()
        expect(visitor.log("C")).to_contain_text("store k=7")
        visitor.hold()
        until(visitor.page, lambda: visitor.page.evaluate(IS_AT_REST))
        # The page stands still at once; by the answer to a step the server does, too.
        count = visitor.page.locator("#count").text_content() or ""
        visitor.press("Step")
        expect(visitor.page.locator("#count")).not_to_have_text(count)
        seed, time = visitor.seed(), visitor.page.locator("#time").text_content() or ""
        first.end(signal.SIGKILL)
        banner = visitor.page.locator("#banner")
        expect(banner).to_contain_text("The server does not answer")
        visitor.press("Kill A")
        expect(visitor.alert()).to_contain_text(["no connection to the server"])
        expect(visitor.events("k=7").first).to_be_visible()
        visitor.page.keyboard.press("?")
        expect(visitor.page.get_by_role("dialog")).to_contain_text("Keys")
        visitor.page.keyboard.press("Escape")
        with Server(tmp_path, port=port):
            expect(banner).not_to_be_visible()
            expect(visitor.log("C")).to_contain_text("store k=7")
            expect(visitor.page.locator("#time")).to_have_text(time)
            expect(visitor.button("Play")).to_be_visible()
            assert visitor.seed() == seed
            visitor.press("Kill A")
            expect(visitor.node("A")).to_have_class(re.compile(r"\bdead\b"))
            rest(visitor.page)
            context.close()
    finally:
        first.end(signal.SIGKILL)
    others = [fault for fault in watcher.faults if "WebSocket" not in fault and "ERR_CONNECTION" not in fault]
    assert others == []
