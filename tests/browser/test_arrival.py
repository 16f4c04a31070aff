"""Pages arrive whole: no error, nothing from elsewhere, and a socket that is answered."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.serving import Server


@pytest.mark.parametrize("path", ["/", "/play"])
def test_a_page_loads_and_joins_its_room(page: Page, path: str) -> None:
    """The first keyframe reaches the page over its socket; the policy blocks nothing it needs."""
    with page.expect_websocket() as opened:
        page.goto(path)
    socket = opened.value
    socket.wait_for_event("framereceived", lambda text: "keyframe" in str(text))


def test_first_load_is_small(page: Page) -> None:
    """At most 12 requests and 150 KB as sent, the socket apart."""
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(sum(request.sizes().values())))
    page.goto("/play", wait_until="networkidle")
    assert len(sizes) <= 12
    assert sum(sizes) <= 150 * 1024


def test_a_link_from_elsewhere_keeps_the_room(chromium: Browser, server: Server) -> None:
    """The room's cookie is Strict: a visit from another site finds the same room all the same."""
    context = chromium.new_context()
    context.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(content_type="text/html", body=f'<a href="{server.url}play">go</a>'),
    )
    page = context.new_page()
    page.goto(f"{server.url}play")
    (before,) = context.cookies(server.url)
    page.goto("http://elsewhere.test/")
    page.get_by_text("go").click()
    page.locator("#diagram .node").first.wait_for()
    (after,) = context.cookies(server.url)
    assert after["value"] == before["value"]
    context.close()
