"""Links and scenario files: what is given away is the run itself, exactly; what cannot be read is said."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from server import service, sharing
from server.cluster.commands import CommandRefused
from server.cluster.settings import LIMITS, SAFETY_SWITCHES, SETTINGS, Settings
from server.language import parse, print_command, print_value
from server.run import Run, run_file
from server.scenario import FILE_BYTES_MAX, LINES_MAX, Scenario, load_scenario, read_scenario, write_scenario
from server.sharing import SharedRun, TimedCommand, read_link, write_link
from tests import random_runs
from tests.serving import ROOT

HAND_WRITTEN = "v=1&seed=7&set=nodes:5,replication:quorum&do=1000:write+x+1;2500:kill+A&end=4000"


def play(shared: SharedRun) -> Run:
    """The shared run, played to its end."""
    run = Run(scenario=sharing.scenario_of(shared, "A test"))
    run.play_script()
    return run


def values_of(name: str) -> st.SearchStrategy[str | int | bool]:
    """What a setting can be."""
    row = SETTINGS[name]
    if row.kind == "choice":
        return st.sampled_from(row.choices)
    return st.booleans() if row.kind == "switch" else st.integers(row.minimum, row.maximum)


@st.composite
def start_settings(draw: st.DrawFn) -> dict[str, str | int | bool]:
    """Settings that differ from the defaults and go together."""
    plain = Settings()
    names = draw(st.lists(st.sampled_from(list(SETTINGS)), unique=True, max_size=8))
    values = {name: draw(values_of(name)) for name in names}
    values = {name: value for name, value in values.items() if value != plain.value(name)}
    try:
        plain.with_values(values)
    except CommandRefused:
        return {}
    return values


def is_line(text: str) -> bool:
    """Whether the language reads it: the random commands hold a few that no line can give."""
    try:
        parse(text)
    except CommandRefused:
        return False
    return True


LINES = random_runs.ANYTHING.map(print_command).filter(is_line)


@st.composite
def shared_runs(draw: st.DrawFn) -> SharedRun:
    """Anything that a link can carry."""
    times = sorted(draw(st.lists(st.integers(0, 90_000_000), max_size=12)))
    commands = tuple(
        TimedCommand(at_us, draw(LINES), draw(st.none() | st.integers(0, 999))) for at_us in times
    )
    rest_us = draw(st.integers(0, 5_000_000)) if commands else 0
    end_us = (times[-1] if times else 0) + rest_us
    look_us = draw(st.none() | st.integers(0, end_us if commands else 90_000_000))
    return SharedRun(
        "textbook", draw(st.integers(0, 2**53)), draw(start_settings()), commands, end_us, look_us
    )


# --- links ---------------------------------------------------------------------------------------


@given(shared_runs())
def test_a_link_is_read_back_exactly(shared: SharedRun) -> None:
    """Whatever a run is made of, and in characters that no program changes on the way."""
    link = write_link(shared)
    assert read_link(link) == shared
    assert read_link(f"?{link}") == shared
    assert re.fullmatch(r"[A-Za-z0-9=&:;,@.+~!/_-]*", link), link


def test_a_link_can_be_read_and_written_by_hand() -> None:
    """The example of the documentation, and its longer spellings."""
    shared = read_link(HAND_WRITTEN)
    assert shared.seed == 7
    assert shared.settings == {"nodes": 5, "replication": "quorum"}
    assert [(each.at_us, each.text) for each in shared.commands] == [
        (1_000_000, "write x 1"),
        (2_500_000, "kill A"),
    ]
    assert shared.end_us == 4_000_000
    assert write_link(shared) == HAND_WRITTEN
    assert HAND_WRITTEN in (sharing.__doc__ or "")
    assert HAND_WRITTEN in (ROOT / "README.md").read_text("utf-8")
    assert read_link("v=1&do=1.5s:cut%20A%20-%3E%20B;2000.25:partition+A|B+C&end=2.5s") == read_link(
        "v=1&do=1500:cut+A~B;2000.250:partition+A!B+C&end=2500"
    )


def test_a_link_shows_a_moment_that_has_been() -> None:
    """With or without commands; never one that is still to come."""
    run = Run(3)
    run.advance(2_500_000)
    assert write_link(sharing.shared_run(run, run.now_us, 1_234_567)) == "v=1&seed=3&look=1234.567"
    with pytest.raises(CommandRefused, match="still to come"):
        sharing.shared_run(run, run.now_us, 2_500_001)
    assert read_link(f"{HAND_WRITTEN}&look=2.5s").look_us == 2_500_000


def test_only_what_differs_is_written() -> None:
    """The plain run is the shortest link, and defaults that are spelled out change nothing."""
    assert write_link(SharedRun()) == "v=1"
    assert write_link(read_link("v=1&seed=1&system=textbook&set=replication:async,nodes:3")) == "v=1"
    plain = sharing.shared_run(Run(3, {"replication": "async", "nodes": 3, "batch": 2}), 0)
    assert write_link(plain) == "v=1&seed=3&set=batch:2"
    assert read_link("v=1&utm_source=mail&fbclid=x&seed=2") == SharedRun(seed=2)


@pytest.mark.parametrize("switch", SAFETY_SWITCHES)
def test_a_link_carries_switched_off_rules(switch: str) -> None:
    """So the run that it opens is labelled modified, and the link says so as well."""
    link = write_link(SharedRun(settings={switch: False}))
    assert link == f"v=1&set={switch}:off"
    shared = read_link(link)
    assert play(shared).picture.state["run"]["modified"] == [switch]
    assert f"the run is modified: {switch} off" in sharing.describe(shared)


REFUSED = {
    "": "does not name its version",
    "seed=7": "does not name its version",
    "v=2&nonsense": "a newer version of this page (v=2)",
    "v=0&seed=7": "an older version of this page (v=0)",
    "v=one": "a version is a whole number",
    "v=" + "9" * 400: "a version is a whole number",
    "v=1&sed=7": "there is no field 'sed'. Fields: v, system, seed",
    "v=1&seed=7&seed=8": "seed: this field is there twice",
    "v=1&seed=-1": "seed: a seed is a whole number",
    "v=1&seed=" + "9" * 400: "seed: a seed is a whole number",
    "v=1&seed=9999999999999999": "seed: a whole number from 0 to",
    "v=1&seed=%D9%A7": "seed: a seed is a whole number",
    "v=1&system=oracle": "system: 'oracle' is not known",
    "v=1&set=": "set: a setting is name:value",
    "v=1&set=replicashun:async": "set: There is no setting",
    "v=1&set=replication:fast": "set: ",
    "v=1&set=nodes:500": "set: ",
    "v=1&set=nodes:3,nodes:5": "'nodes' is there twice",
    "v=1&do=write+x+1&end=1": "a command has its time in front",
    "v=1&do=1000:&end=1000": "do: ",
    "v=1&do=1000:explode&end=1000": "There is no command 'explode'",
    "v=1&do=1000:wait+1s&end=1000": "a link has only commands",
    "v=1&do=1000:kill+A%0Akill+B&end=1000": "One line is one command",
    "v=1&do=soon:kill+A&end=1": "'soon' is not a time",
    "v=1&do=99999999:kill+A&end=99999999": "a run lasts a day at most",
    "v=1&do=1000@x:kill+A&end=1000": "after @ comes the number of an event",
    "v=1&do=2000:kill+A;1000:kill+B&end=2000": "commands are in order of time",
    "v=1&do=1000:kill+A": "its end is missing. Was it cut off",
    "v=1&do=1000:kill+A&end=": "end: ",
    "v=1&do=1000:kill+A&end=99": "before the last command. Was the link cut off",
    "v=1&do=1000:kill+A&end=1000&look=1001": "look: it lies after the end: that moment is still to come",
    "v=1&do=1000:kill+A&look=1000": "its end is missing",
    "v=1&look=": "look: '' is not a time",
    "v=1&look=-1": "look: '-1' is not a time",
    "v=1&look=99999999": "look: '99999999' is too long: a run lasts a day at most",
    "v=1&do=1000:write+x+<script>alert(1)</script>&end=1000": "do: ",
    "v=1&do=1000:write+x+%00&end=1000": "do: ",
    "v=1&do=1000:write+x+%ff&end=1000": "do: ",
    "v=1&seed=7&" + "x" * 5_000: "This link has 5,011 characters; 4,000 are the most",
}


@pytest.mark.parametrize("link", REFUSED, ids=lambda link: link[:40])
def test_what_is_no_link_is_refused_in_a_sentence(link: str) -> None:
    """Malformed, hostile, of another version: what is wrong and what would fit."""
    with pytest.raises(CommandRefused) as refusal:
        read_link(link)
    says = str(refusal.value)
    assert REFUSED[link] in says
    assert says[0].isupper()
    assert says[-1] in ".?"
    assert len(says) < 1_500


@given(shared_runs(), st.integers(0, 10_000))
def test_a_link_that_was_cut_off_never_gives_another_course(shared: SharedRun, cut: int) -> None:
    """Once it has commands, what is left of it is refused or gives the same commands."""
    link = write_link(shared)
    at = cut % (len(link) + 1)
    if not shared.commands or "&do=" not in link[:at]:
        return
    try:
        rest = read_link(link[:at])
    except CommandRefused:
        return
    assert rest.commands == shared.commands


@given(st.text(max_size=200) | st.text("v=1&seed:tdo;,+%@~!. 0123456789", max_size=80).map("v=1&".__add__))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    """Never an exception of another kind."""
    try:
        shared = read_link(text)
    except CommandRefused:
        return
    assert read_link(write_link(shared)) == shared


def test_a_link_that_would_be_too_long_is_refused() -> None:
    """Never shortened: the sentence names the way that has room for everything."""
    commands = tuple(TimedCommand(number * 1_000, "write x 1") for number in range(400))
    with pytest.raises(CommandRefused, match=r"too many commands for a link.*4,000.*Use a scenario file"):
        write_link(SharedRun(commands=commands, end_us=400_000))


# --- scenario files ------------------------------------------------------------------------------


@given(shared_runs(), st.text(max_size=60), st.text(max_size=60))
@example(SharedRun(), "ends of lines to some: \x85\u2028\u2029", "\x85")
@hypothesis_settings(max_examples=50)
def test_a_scenario_file_is_read_back_exactly(shared: SharedRun, title: str, about: str) -> None:
    """Odd titles, settings that YAML would take for truth values, times to the microsecond."""
    scenario = sharing.scenario_of(shared, title, about)
    text = write_scenario(scenario, "A remark\nof two lines")
    assert text.startswith("# A remark\n# of two lines\n")
    assert read_scenario(text, "a test") == scenario


@given(
    random_runs.settings(),
    random_runs.scripts(random_runs.ANYTHING),
    st.integers(0, 9),
    st.integers(0, 5_000_000),
)
@hypothesis_settings(max_examples=40)
def test_a_shared_run_goes_the_same_way(cluster: Settings, script: list, seed: int, rest_us: int) -> None:  # type: ignore[type-arg]
    """Played again from its link and from its file: the same trace, byte for byte."""
    values = {name: cluster.value(name) for name in SETTINGS if cluster.value(name) != Settings().value(name)}
    run = Run(seed, values)
    for pause_us, command in script:
        run.advance(run.now_us + pause_us)
        try:
            run.command(print_command(command))
        except CommandRefused:
            continue
    run.advance(run.now_us + rest_us)
    shared = sharing.shared_run(run, run.now_us)
    again = Run(scenario=read_scenario(write_scenario(sharing.scenario_of(shared, "A test")), "a test"))
    again.play_script()
    assert again.simulation.trace_sha256() == run.simulation.trace_sha256()
    try:
        link = write_link(shared)
    except CommandRefused:
        return
    linked = play(read_link(link))
    linked.advance(run.now_us)  # A run without a command has no end in its link.
    assert linked.simulation.trace_sha256() == run.simulation.trace_sha256()


@pytest.mark.parametrize("name", sorted(service.scenarios()))
def test_a_scenario_that_waits_is_shared_as_what_it_did(name: str) -> None:
    """Also where a wait ended between two happenings of one instant."""
    run = Run(scenario=service.scenarios()[name])
    run.play_script()
    run.advance(run.now_us + 3_000_000)
    again = play(sharing.shared_run(run, run.now_us))
    assert again.simulation.trace_sha256() == run.simulation.trace_sha256()


INSTANT = """
settings: {latency: 0ms, client-latency: 0ms, jitter: 0, flush: 0ms, apply: 0ms}
script:
  - wait 1s
  - write x 1
  - wait until node(A).last_index == 1
  - kill B
  - write y 2
"""


def test_a_command_between_two_happenings_of_an_instant_stays_there() -> None:
    """Without its place it would come after everything that was due: another run."""
    run = Run(scenario=read_scenario(INSTANT, "a test"))
    run.play_script()
    run.advance(5_000_000)
    shared = sharing.shared_run(run, run.now_us)
    assert any(command.after is not None for command in shared.commands)
    assert play(shared).simulation.trace_sha256() == run.simulation.trace_sha256()
    misplaced = tuple(TimedCommand(each.at_us, each.text) for each in shared.commands)
    other = SharedRun(shared.system, shared.seed, shared.settings, misplaced, shared.end_us)
    assert play(other).simulation.trace_sha256() != run.simulation.trace_sha256()


def test_the_command_line_plays_what_was_shared(tmp_path: Path) -> None:
    """`python -m server run FILE` on an exported file: the trace of the room."""
    run = Run(3, {"replication": "semi-sync", "fencing": False})
    for at_us, text in [(500_001, "load writes 5/s"), (2_000_003, "kill leader"), (7_000_000, "restart A")]:
        run.advance(at_us)
        run.command(text)
    run.advance(12_345_678)
    path = tmp_path / "shared.yaml"
    path.write_text(write_scenario(sharing.scenario_of(sharing.shared_run(run, run.now_us), "Mine: 'a' # b")))
    printed = StringIO()
    assert run_file(path, as_json=True, out=printed) == 0
    assert json.loads(printed.getvalue())["trace_sha256"] == run.simulation.trace_sha256()
    assert load_scenario(path).title == "Mine: 'a' # b"


def test_more_commands_than_a_file_holds_are_refused() -> None:
    """A file that could not be read back is never written."""
    commands = tuple(TimedCommand(number, "write x 1") for number in range(LINES_MAX))
    with pytest.raises(CommandRefused, match="2,000 commands; a scenario file has room for 1,999"):
        sharing.scenario_of(SharedRun(commands=commands, end_us=LINES_MAX), "A test")


HOSTILE = {
    "a date that is none": ("title: 2001-99-99", "not YAML"),
    "a number that is too long": ("seed: " + "9" * 5_000, "not YAML"),
    "nested without end": ("[" * 3_000, "not YAML"),
    "many lines from few letters": (
        "a: &a [" + ",".join(["write x 1"] * 1_000) + "]\n",
        "there is no field 'a'",
    ),
    "a script of copies": (
        "script:\n- {at: 1s, do: &a [" + ", ".join(["write x 1"] * 900) + "]}\n" + "- {at: 1s, do: *a}\n" * 5,
        "at most 2000 commands in all",
    ),
    "a Python object": ("title: !!python/object/apply:os.system [ls]", "not YAML"),
    "no mapping": ("- a", "a scenario is a mapping"),
    "nothing": ("", "a scenario is a mapping"),
    "after without a number": ("script: [{at: 1s, after: soon, do: kill A}]", "after takes the number"),
    "after a truth": ("script: [{at: 1s, after: true, do: kill A}]", "after takes the number"),
    "at without a time": ("script: [{at: soon, do: kill A}]", "at takes a time"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(what: str) -> None:
    """By the same reader that the command line has."""
    text, words = HOSTILE[what]
    with pytest.raises(CommandRefused, match=re.escape(words)):
        read_scenario(text, "mine.yaml")


@given(st.text(max_size=300) | st.text(":-[]{}&*!|>'\"%@`#, \n0aseti", max_size=120))
def test_any_text_is_a_scenario_or_refused(text: str) -> None:
    """Never an exception of another kind."""
    try:
        scenario = read_scenario(text, "mine.yaml")
    except CommandRefused:
        return
    assert isinstance(scenario, Scenario)


def test_the_limits_are_what_the_documentation_says() -> None:
    """Numbers that other programs may rely on."""
    assert sharing.LINK_CHARACTERS_MAX == 4_000
    assert FILE_BYTES_MAX >= 200 * 1024
    assert parse(print_command(parse("write x 1"))) == parse("write x 1")
    assert print_value("flush", 50_000) == "50ms"
    assert LIMITS.time_us_max == 24 * 3600 * 1_000_000
