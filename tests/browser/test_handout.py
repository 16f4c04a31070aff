"""A lesson on paper, in a real browser: blank for who is to answer, and with what its experiments show."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def test_what_the_experiments_show_takes_the_place_of_the_blanks(page: Page) -> None:
    """Only while it is ticked; the server is asked for it only then."""
    page.goto("/lessons/lost-after-ok/print")
    blanks = page.locator(".blank-line").locator("visible=true")
    shown = page.locator(".answer").locator("visible=true")
    expect(blanks).to_have_count(page.locator(".blank-line").count())
    expect(page.locator(".answer")).to_have_count(0)
    tick = page.get_by_role("checkbox", name="With what the experiments show")
    tick.check()
    expect(shown.first).to_be_visible()
    page.emulate_media(media="print")
    expect(blanks).to_have_count(0)
    for run in page.locator(".sheet-run").all():
        expect(run.locator(".answer")).to_contain_text("Measured")
    page.emulate_media(media="screen")
    tick.uncheck()
    expect(shown).to_have_count(0)
    expect(blanks.first).to_be_visible()


def test_a_handout_that_could_not_be_fetched_says_so(page: Page) -> None:
    """What the page has is shown all the same."""
    page.add_init_script("window.fetch = () => Promise.reject(new TypeError('away'))")
    page.goto("/lessons/lost-after-ok/print")
    page.get_by_role("checkbox", name="With what the experiments show").check()
    expect(page.get_by_text("could not be fetched")).to_be_visible()
    expect(page.locator(".explain").first).to_be_visible()
    expect(page.locator(".blank-line").first).to_be_visible()
