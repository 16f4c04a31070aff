"""When it gets rough: far too many clicks, and a server that dies under the page."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Watcher, rest
from tests.browser.visitor import QUICKLY, Visitor
from tests.serving import Server

CLICKS = 300


def test_the_server_goes_and_comes_back(chromium: Browser, tmp_path: Path) -> None:
    """A banner says so; when it is back, so is the room: the same run, held where it was."""
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
        seed, time = visitor.seed(), visitor.page.locator("#time").text_content() or ""
        first.end(signal.SIGKILL)
        banner = visitor.page.locator("#banner")
        expect(banner).to_contain_text("The server does not answer")
        visitor.press("Kill A")
        expect(visitor.alert()).to_contain_text(["no connection to the server"])
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
