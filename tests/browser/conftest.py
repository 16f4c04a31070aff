"""A real Chromium on the real server. A test fails on any console error and any outside request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, Request, sync_playwright

from tests.__main__ import BROWSERS, CHROMIUM
from tests.browser.visitor import QUICKLY, Visitor
from tests.serving import ROOT, Server

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    # A microphone that beeps, for who is allowed to hear it: no test depends on what hangs on the machine.
    "--use-fake-device-for-media-stream",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test. One that fails is run once more, and listed as such: a
    browser on a busy machine may be late. What fails twice has failed."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server under test, alone on its port, with rooms in memory only."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests; each test has a context, and so a room, of its own."""
    named = os.environ.get(CHROMIUM) or next(filter(None, map(shutil.which, BROWSERS)), None)
    path = named or playwright.chromium.executable_path
    if not Path(path).is_file():
        pytest.fail("There is no Chromium here. `python3 -m tests` installs one where it can.")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


class Watcher:
    """Notes everything that a page must not do."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.faults: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("console", lambda line: self._hear(line.type, line.text))
        page.on("request", self._see)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"console {kind}: {text}")

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self.host:
            self.faults.append(f"outside request: {request.url}")


MakeContext = Callable[..., BrowserContext]


@pytest.fixture
def make_context(chromium: Browser, server: Server) -> Iterator[MakeContext]:
    """Makes visitors: browsers with cookies of their own. Takes Playwright's context options."""
    watcher = Watcher(server.url)
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = chromium.new_context(base_url=server.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        context.on("page", watcher.watch)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        for page in context.pages[:1]:
            rest(page)
        context.close()
    assert watcher.faults == []


def rest(page: Page) -> None:
    """A room plays on for a while when its last tab is gone: do not let it, others want the machine."""
    with suppress(Error):
        if page.locator("#play").get_attribute("aria-label", timeout=1_000) != "Play":
            page.locator("#play").click(timeout=1_000)
            page.get_by_role("button", name="Play", exact=True).wait_for(timeout=1_000)


@pytest.fixture
def page(make_context: MakeContext) -> Page:
    """A newcomer's first tab, at nothing yet."""
    return make_context(viewport={"width": 1280, "height": 800}).new_page()


@pytest.fixture
def visitor(page: Page) -> Visitor:
    """A newcomer in the playground."""
    return Visitor(page).open()


@pytest.fixture
def quiet(visitor: Visitor) -> Visitor:
    """A visitor of a run without background load, at its beginning, held, at a quick speed."""
    visitor.begin_quietly()
    visitor.go_at(QUICKLY)
    return visitor


@pytest.fixture
def course_of() -> Iterator[Callable[[str], str]]:
    """Puts a page on another site, as the browser sees it: `localhost`, while ours is `127.0.0.1`."""
    pages: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1])

        def log_message(self, format: str, *values: object) -> None:
            pass

    site = ThreadingHTTPServer(("localhost", 0), Handler)
    thread = Thread(target=site.serve_forever)
    thread.start()

    def publish(html: str) -> str:
        pages.append(f'<!doctype html><link rel="icon" href="data:,">{html}'.encode())
        return f"http://localhost:{site.server_port}/"

    yield publish
    site.shutdown()
    thread.join()
    site.server_close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker: `page.evaluate(axe)`, then `page.evaluate("axe.run()")`."""
    return (ROOT / ".build/node_modules/axe-core/axe.min.js").read_text("utf-8")
