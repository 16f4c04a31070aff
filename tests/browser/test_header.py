"""On a phone the way through the site, and every link that a finger is to hit."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeContext
from tests.browser.test_looks import NOT_THERE, sideways

READ = ["/lessons", "/interview", "/challenges", "/glossary", "/lessons/lag/print"]
PLAYED = ["/", "/play", "/compare", "/lessons/lag", "/interview/write-heavy"]
TOP = """() => {
  const top = document.querySelector('.top');
  const scrolling = [top, top.querySelector('nav')].filter((each) => each.scrollWidth > each.clientWidth);
  const links = [...top.querySelectorAll('nav a'), ...document.querySelectorAll('.crumb a')];
  const faults = links.filter((link) => link.checkVisibility()).flatMap((link) => {
    const { left, right, height } = link.getBoundingClientRect();
    const isThere = left >= 0 && right <= innerWidth && height >= 24;
    return isThere ? [] : [`${link.textContent} is ${height} high from ${left} to ${right}`];
  });
  return [...scrolling.map((each) => `${each.className || each.tagName} scrolls sideways`), ...faults];
}"""


@pytest.mark.parametrize("width", [390, 360])
def test_the_header_fits_a_phone(make_context: MakeContext, width: int) -> None:
    """Each way through the site is wholly on the screen at once, and high enough for a finger; on the pages
    that are read, so is everything else."""
    size = {"width": width, "height": 800}
    page = make_context(viewport=size, has_touch=True, is_mobile=True).new_page()
    for path in READ + PLAYED:
        page.goto(path)
        expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_text(
            ["Playground", "Lessons", "Challenges", "Interview", "Compare"]
        )
        assert page.evaluate(TOP) == [], path
        assert sideways(page) <= 0, path
        if path in READ:
            assert page.evaluate(NOT_THERE) == [], path
