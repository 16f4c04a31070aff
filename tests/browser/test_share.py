"""Runs given away and taken in, as a person does it: links, the dialog, files, a recording, a frame."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.visitor import Visitor, until
from tests.serving import Server

LINK = "v=1&seed=4711&set=fencing:off&do=500:write+x+1;2500:kill+A&end=4000"
HOSTILE = "</script><script>document.title='gone'</script><b>bold</b>"


def dialog(visitor: Visitor) -> Locator:
    """The dialog, opened."""
    visitor.press("Share")
    shown = visitor.page.get_by_role("dialog", name="Share this run")
    expect(shown.get_by_label("Link to this run")).to_have_value(re.compile(r"/play\?v=1"))
    return shown


def downloaded(visitor: Visitor, label: str, folder: Path) -> Path:
    """What pressing a button of the dialog saves."""
    with visitor.page.expect_download() as saving:
        visitor.page.get_by_role("dialog").get_by_role("button", name=label).click()
    path = folder / saving.value.suggested_filename
    saving.value.save_as(path)
    return path


def choose_file(shown: Locator, name: str, body: bytes) -> None:
    """Picks a file as the visitor's."""
    field = shown.get_by_label("Scenario file, up to 200 KB")
    field.set_input_files({"name": name, "mimeType": "application/yaml", "buffer": body})


# --- links ---------------------------------------------------------------------------------------


def test_a_link_is_opened_and_not_begun_again(visitor: Visitor) -> None:
    """Its commands come at their times, a switched-off rule is named, and a reload goes on."""
    visitor.open(f"/play?{LINK}")
    expect(visitor.page.locator("#seed")).to_have_text("seed 4711")
    expect(visitor.page.locator("#modified")).to_contain_text("Modified: fencing off")
    expect(visitor.page.locator("#script-lines li").first).to_contain_text("write x 1")
    expect(visitor.page).to_have_url(re.compile(r"/play$"))
    expect(visitor.node("A")).to_have_class(re.compile("dead"))
    visitor.hold()
    visitor.page.reload()
    visitor.wait()
    expect(visitor.node("A")).to_have_class(re.compile("dead"))
    expect(visitor.page.locator("#seed")).to_have_text("seed 4711")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("v=1&sed=7", "there is no field 'sed'"),
        ("v=9&seed=7", "a newer version of this page"),
        ("v=1&do=0:write+x+<img+src=x+onerror=alert(1)>&end=0", "This link cannot be opened"),
        (LINK[:-10], "Was it cut off on its way?"),
    ],
)
def test_a_bad_link_is_explained_and_the_run_goes_on(quiet: Visitor, link: str, words: str) -> None:
    """Nothing of it is carried out; the page works as before, and the address can be put right."""
    quiet.write("x", "1")
    seed = quiet.seed()
    quiet.page.goto(f"/play?{link}")
    expect(quiet.alert()).to_contain_text(words)
    quiet.wait()
    assert quiet.seed() == seed
    assert quiet.page.url.partition("?")[2]
    quiet.write("y", "2")
    quiet.play()
    expect(quiet.cell("A", "y=2")).to_have_count(1)
    expect(quiet.cell("A", "x=1")).to_have_count(1)


def test_a_moment_is_shown_to_somebody_else(quiet: Visitor, make_context: MakeContext) -> None:
    """Who looks at the past shares that; the other sees it standing still, with what was before and after."""
    page = quiet.page
    quiet.write("x", "1")
    quiet.play()
    expect(quiet.cell("C", "x=1")).to_be_visible()
    quiet.press("Kill A")
    expect(quiet.node("A")).to_have_class(re.compile("dead"))
    quiet.hold()
    page.get_by_label("Go to", exact=True).last.select_option("crash")
    quiet.press("Go to the one before")
    quiet.press("Step back")
    expect(quiet.node("A")).not_to_have_class(re.compile("dead"))
    moment = page.locator("#time").text_content() or ""
    shown = dialog(quiet)
    field = shown.get_by_label("Link to this run")
    choice = shown.get_by_role("checkbox", name=re.compile("^Show this moment, "))
    expect(choice).to_be_checked()
    expect(field).to_have_value(re.compile(r"end=[\d.]+&look=[\d.]+$"))
    link = field.input_value()
    choice.uncheck()
    expect(field).not_to_have_value(re.compile("look="))
    other = Visitor(make_context().new_page()).open(link)
    expect(other.button("Play")).to_be_visible()
    expect(other.page.locator("#time")).to_have_text(moment)
    expect(other.node("A")).not_to_have_class(re.compile("dead"))
    other.press("Step back")
    expect(other.button("Back to now")).to_be_visible()
    other.press("Back to now")
    other.play()
    expect(other.node("A")).to_have_class(re.compile("dead"))


# --- the dialog ----------------------------------------------------------------------------------


def test_the_link_is_copied_by_keyboard(make_context: MakeContext) -> None:
    """From the button in the header to the clipboard and back; the other page plays the same run."""
    context = make_context(permissions=["clipboard-read", "clipboard-write"])
    visitor = Visitor(context.new_page()).open()
    visitor.begin_quietly()
    visitor.say("write x 1", "set majority off")
    visitor.button("Share").focus()
    visitor.page.keyboard.press("Enter")
    shown = visitor.page.get_by_role("dialog", name="Share this run")
    expect(shown).to_contain_text("2 commands")
    expect(shown).to_contain_text("the run is modified: majority off")
    field = shown.get_by_label("Link to this run")
    expect(field).to_be_visible()
    while not shown.get_by_role("button", name="Copy").first.evaluate("it => it === document.activeElement"):
        visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied == field.input_value()
    visitor.page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    expect(visitor.button("Share")).to_be_focused()
    other = Visitor(make_context().new_page()).open(copied)
    expect(other.page.locator("#seed")).to_have_text(f"seed {visitor.seed()}")
    expect(other.page.locator("#script-lines li")).to_contain_text(["write x 1", "set majority off"])
    expect(other.page.locator("#modified")).to_contain_text("majority")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dialog_fits_a_phone(make_context: MakeContext, axe: str, theme: str) -> None:
    """Nothing sticks out, everything can be reached, and the checker of accessibility finds nothing."""
    context = make_context(viewport={"width": 390, "height": 844}, color_scheme=theme, bypass_csp=True)
    visitor = Visitor(context.new_page()).open()
    visitor.hold()
    shown = dialog(visitor)
    box = shown.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] + box["height"] <= 844
    assert shown.evaluate(
        "it => [...it.querySelectorAll('*')].every((e) => e.getBoundingClientRect().right <= innerWidth)"
    )
    choose = shown.get_by_label("Scenario file, up to 200 KB")
    choose.scroll_into_view_if_needed()
    expect(choose).to_be_in_viewport()
    visitor.page.evaluate(axe)
    found = visitor.page.evaluate("axe.run(document.querySelector('dialog.share'))")
    assert [each["id"] for each in found["violations"]] == []


def test_a_run_that_fits_into_no_link_says_so(quiet: Visitor) -> None:
    """The files remain."""
    quiet.page.route("**/*", lambda route: route.continue_())
    long = ";".join(f"{number * 10}:write+some-key+a-rather-long-value-{number}" for number in range(80))
    quiet.open(f"/play?v=1&do={long}&end=1000")
    expect(quiet.page.locator("#script-lines li.done")).to_have_count(81)
    for number in range(3):
        quiet.say(*[f"write another-key a-rather-long-value-{number}{digit}" for digit in range(9)])
    quiet.press("Share")
    shown = quiet.page.get_by_role("dialog")
    expect(shown).to_contain_text("Use a scenario file instead: it holds everything.")
    for name in ("Link to this run", "Show this moment", "HTML of a frame"):
        expect(shown.get_by_label(name)).to_be_hidden()
    expect(shown.get_by_role("button", name="Scenario (YAML)")).to_be_enabled()


# --- pictures and files --------------------------------------------------------------------------


def test_the_dialog_keeps_the_keys_after_a_download(quiet: Visitor, tmp_path: Path) -> None:
    """They are the dialog's as long as it is open; Escape closes it, and the focus is where it was."""
    quiet.button("Share").press("Enter")
    shown = quiet.page.get_by_role("dialog", name="Share this run")
    picture = shown.get_by_role("button", name="Picture (SVG)")
    with quiet.page.expect_download():
        picture.press("Enter")
    expect(picture).to_be_focused()
    quiet.page.evaluate("document.activeElement.blur()")
    quiet.page.keyboard.press("k")
    quiet.page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    expect(quiet.button("Share")).to_be_focused()
    quiet.write("k", "1")
    quiet.play()
    expect(quiet.cell("A", "k=1")).to_have_count(1)
    expect(quiet.page.locator(".node.dead")).to_have_count(0)


def test_files_are_saved_under_their_names(quiet: Visitor, tmp_path: Path) -> None:
    """Each with what it should hold."""
    quiet.say("write x 1")
    dialog(quiet)
    holds: dict[str, tuple[str, Callable[[str], Any]]] = {
        "Scenario (YAML)": ("scenario.yaml", lambda text: "do: write x 1" in text),
        "Trace (JSON)": ("trace.json", lambda text: len(json.loads(text)["events"]) > 20),
        "ShiViz log": ("shiviz.log", lambda text: text.startswith(r"(?<host>\S*) (?<clock>{.*})\n")),
        "Sequence diagram (Mermaid)": ("sequence.mmd", lambda text: "\nsequenceDiagram\n" in text),
    }
    for label, (name, is_right) in holds.items():
        path = downloaded(quiet, label, tmp_path)
        assert path.name == f"follow-the-leader-{name}"
        assert is_right(path.read_text("utf-8")), label


@pytest.mark.parametrize(("theme", "paper"), [("light", "#fbfaf7"), ("dark", "#12161c")])
def test_a_picture_stands_alone(make_context: MakeContext, tmp_path: Path, theme: str, paper: str) -> None:
    """An SVG without classes or variables that looks, elsewhere, as the diagram does; and a PNG of it."""
    context = make_context(color_scheme=theme, viewport={"width": 1280, "height": 800})
    visitor = Visitor(context.new_page()).open()
    visitor.begin_quietly()
    visitor.say("kill A", "write x 1", "set fencing off")
    dialog(visitor)
    svg = downloaded(visitor, "Picture (SVG)", tmp_path).read_text("utf-8")
    png = downloaded(visitor, "Picture (PNG)", tmp_path).read_bytes()
    assert not re.search(r'var\(|class=|style=|aria-|data-|rgba\(|<script|onload|href="(?!#)', svg)
    assert f'fill="{paper}"' in svg
    assert "Modified: fencing off" in svg
    width, height = (int(re.search(rf'<svg[^>]* {name}="(\d+)"', svg)[1]) for name in ("width", "height"))  # type: ignore[index]
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 2 * width
    assert int.from_bytes(png[20:24], "big") == 2 * height
    letter = visitor.node("B").locator(".letter")
    shown = {
        name: letter.evaluate(f"it => getComputedStyle(it)['{name}']")
        for name in ("fill", "fontFamily", "fontWeight")
    }
    alone = make_context().new_page()
    alone.set_content(svg)
    for name, value in shown.items():
        assert (
            alone.locator("svg text", has_text=re.compile("^B$")).evaluate(
                f"it => getComputedStyle(it)['{name}']"
            )
            == value
        )
    expect(alone.locator("svg text", has_text="was Leader")).to_have_count(1)


# --- a recording ---------------------------------------------------------------------------------


@pytest.fixture
def offline(chromium: Browser) -> Any:
    """A browser without a network, and everything it complained about."""
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    faults: list[str] = []

    def watch(page: Page) -> None:
        page.on(
            "console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda request: faults.append(request.url) if request.url.startswith("http") else None
        )

    context.on("page", watch)
    yield context
    context.close()
    assert faults == []


def test_a_recording_plays_from_a_disk(visitor: Visitor, offline: BrowserContext, tmp_path: Path) -> None:
    """Without a network: the diagram is there; bar, keys and buttons go anywhere in the run."""
    visitor.open(f"/play?{LINK}")
    expect(visitor.node("A")).to_have_class(re.compile("dead"))
    visitor.hold()
    dialog(visitor)
    path = downloaded(visitor, "Replay (HTML)", tmp_path)
    page = offline.new_page()
    page.goto(path.as_uri())
    replay = Visitor(page)
    expect(page.locator("#diagram .node")).to_have_count(3)
    expect(page.locator("#time")).to_have_text("0.00 s")
    expect(page.locator("#modified")).to_contain_text("fencing off")
    expect(replay.node("A")).to_have_class(re.compile("leader"))
    bar = page.get_by_role("slider", name="Moment shown")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("of"))
    bar.focus()
    page.keyboard.press("End")
    expect(replay.node("A")).to_have_class(re.compile("dead"))
    page.keyboard.press("Home")
    expect(replay.node("A")).to_have_class(re.compile("leader"))
    expect(page.locator("#time")).to_have_text("0.00 s")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#time")).to_have_text("0.50 s")
    expect(page.locator("#narration")).to_contain_text("x=1")
    bar.fill("2600000")
    expect(replay.node("A")).to_have_class(re.compile("dead"))
    expect(page.locator("#narration")).to_contain_text("A is dead")
    bar.fill("0")
    replay.go_at("20")
    replay.press("Play")
    expect(replay.node("A")).to_have_class(re.compile("dead"))
    expect(replay.button("Play")).to_be_visible()
    page.get_by_role("tab", name="Space-time").click()
    expect(page.get_by_role("tabpanel").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Play or pause the run")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    expect(replay.alert()).to_contain_text("This is a recording: it can be looked at, not changed.")


def test_nothing_breaks_out_of_a_recording(visitor: Visitor, offline: BrowserContext, tmp_path: Path) -> None:
    """A title with markup is a title."""
    shown = dialog(visitor)
    choose_file(shown, "mine.yaml", f"title: {json.dumps(HOSTILE)}\nscript: [write x 1, wait 1s]".encode())
    expect(shown).to_have_count(0)
    expect(visitor.page.locator("#script-title")).to_have_text(HOSTILE)
    dialog(visitor)
    path = downloaded(visitor, "Replay (HTML)", tmp_path)
    page = offline.new_page()
    page.goto(path.as_uri())
    expect(page.locator("#diagram .node")).to_have_count(3)
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.title() == f"{HOSTILE} · Follow the Leader"
    assert page.locator("b", has_text="bold").count() == 0


# --- a file to come in ---------------------------------------------------------------------------


def test_a_scenario_file_is_opened_or_refused(visitor: Visitor) -> None:
    """A refusal stands in the dialog and changes nothing; a good file begins, and *Reset* begins it again."""
    seed = visitor.seed()
    shown = dialog(visitor)
    fault = shown.get_by_role("alert")
    choose_file(shown, "bad.yaml", b"script: [kil A]")
    expect(fault).to_contain_text("There is no command 'kil'. Did you mean kill?")
    choose_file(shown, "huge.yaml", b"x" * 5_000_000)
    expect(fault).to_have_text("huge.yaml has 4,883 KB; a scenario file has at most 200 KB.")
    choose_file(shown, "picture.yaml", b"\x89PNG\xff\xfe")
    expect(fault).to_contain_text("not a text file in UTF-8")
    assert visitor.seed() == seed
    choose_file(shown, "mine.yaml", b"title: Mine\nseed: 4242\nscript: [wait 1s, write x 1, wait 2s, kill A]")
    expect(shown).to_have_count(0)
    expect(visitor.page.locator("#seed")).to_have_text("seed 4242")
    expect(visitor.page.locator("#script-title")).to_have_text("Mine")
    expect(visitor.node("A")).to_have_class(re.compile("dead"))
    visitor.press("Reset")
    expect(visitor.node("A")).not_to_have_class(re.compile("dead"))
    expect(visitor.page.locator("#script-title")).to_have_text("Mine")


# --- a frame in somebody else's page -------------------------------------------------------------


def test_a_frame_plays_in_a_page_of_another_site(
    chromium: Browser, server: Server, course_of: Callable[[str], str]
) -> None:
    """Without cookies: a room of its own, which leaves the visitor's own as it is."""
    context = chromium.new_context(viewport={"width": 900, "height": 760})
    faults: list[str] = []
    link = LINK.replace("&", "&amp;")
    frames = f'<iframe src="{server.url}embed?{link}" width="760" height="620"></iframe>' * 2
    visitor = Visitor(context.new_page()).open(f"{server.url}play")
    visitor.hold()
    seed, cookies = visitor.seed(), context.cookies()
    course = context.new_page()
    course.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
    course.on("pageerror", lambda error: faults.append(str(error)))
    course.goto(course_of(f"<h1>Course</h1>{frames}"))
    first, second = (course.frame_locator("iframe").nth(number) for number in range(2))
    for frame in (first, second):
        expect(frame.locator("#diagram .node.dead")).to_have_count(1)
        expect(frame.locator("#modified")).to_contain_text("fencing off")
        expect(frame.get_by_role("link", name="Open in Follow the Leader")).to_have_attribute(
            "href", f"/play?{LINK}"
        )
        expect(
            frame.locator(".legend, .verdicts, .side, .top, [role=tab]").locator("visible=true")
        ).to_have_count(0)
        foot = frame.locator(".credit").bounding_box()
        assert foot is not None
    first.get_by_role("button", name="Pause playback").click()
    expect(first.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(second.get_by_role("button", name="Pause playback")).to_be_visible()
    first.get_by_role("button", name="Step back").click()
    first.get_by_role("button", name="Step back").click()
    expect(first.locator("#diagram .node.leader")).to_have_count(1)
    assert context.cookies() == cookies
    assert faults == []
    visitor.page.reload()
    visitor.wait()
    assert visitor.seed() == seed
    context.close()


def test_only_the_frame_can_be_framed(
    chromium: Browser, server: Server, course_of: Callable[[str], str]
) -> None:
    """The playground in a frame is blocked by the browser."""
    context = chromium.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if "frame-ancestors" in line.text else None)
    page.goto(course_of(f'<iframe src="{server.url}play"></iframe>'))
    until(page, lambda: refused)
    context.close()


def test_a_bad_link_in_a_frame_is_explained(page: Page) -> None:
    """The frame still shows a cluster that works."""
    page.goto("/embed?v=1&sed=7")
    expect(page.get_by_role("alert").locator("p")).to_contain_text("there is no field 'sed'")
    expect(page.locator("#diagram .node")).to_have_count(3)
    page.goto("/embed/async-loss?theme=dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#diagram .node.dead")).to_have_count(1)
