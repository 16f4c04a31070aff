"""What a run is taken away as: every file says what happened, and says so when it leaves something out."""

from __future__ import annotations

import json
import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from server import exports
from server.cluster import Settings, events
from server.cluster.commands import CommandRefused, DuplicateMessage
from server.cluster.settings import SETTINGS
from server.exports import mermaid, shiviz
from server.language import print_command
from server.run import Run
from server.scenario import read_scenario
from tests import random_runs


def written(run: Run, name: str) -> str:
    """The text of a file."""
    return "".join(exports.export(run, run.now_us, name)[1])


def run_of(*lines: tuple[int, str], until_us: int, seed: int = 7) -> Run:
    """A run with commands at their times."""
    run = Run(seed)
    for at_us, text in lines:
        run.advance(at_us)
        run.command(text)
    run.advance(until_us)
    return run


def random_run(cluster: Settings, script: list[tuple[int, object]], seed: int, limit_us: int) -> Run:
    """A run of random commands; those that do not fit are left out."""
    plain = Settings()
    values = {name: cluster.value(name) for name in SETTINGS if cluster.value(name) != plain.value(name)}
    run = Run(seed, values)
    for pause_us, command in script:
        run.advance(min(limit_us, run.now_us + pause_us))
        try:
            run.command(print_command(command))  # type: ignore[arg-type]
        except CommandRefused:
            continue
    run.advance(limit_us)
    return run


STORY = run_of(
    (100_000, "write x 1"),
    (2_000_000, "partition A | B C"),
    (2_500_000, "write z 3"),
    (2_600_000, "kill A"),
    (9_000_000, "restart A"),
    (9_500_000, "heal"),
    until_us=15_000_000,
)


# --- scenario and trace --------------------------------------------------------------------------


def test_the_scenario_file_plays_the_same_run() -> None:
    """With a title to know it by."""
    scenario = read_scenario(written(STORY, "scenario.yaml"), "a test")
    again = Run(scenario=scenario)
    again.play_script()
    assert scenario.title == "A run with seed 7"
    assert again.simulation.trace_sha256() == STORY.simulation.trace_sha256()


def test_the_trace_has_every_event_and_the_outcome() -> None:
    """In pieces that make one document, whatever their number."""
    document = json.loads(written(STORY, "trace.json"))
    assert (document["format"], document["version"]) == ("follow-the-leader-trace", 1)
    assert document["run"] == STORY.document()
    assert [each["text"] for each in document["commands"]] == [text for _, text in STORY.commands]
    assert [each["sequence"] for each in document["events"]] == list(range(STORY.event_count))
    for told, event in zip(document["events"], STORY.simulation.trace, strict=True):
        assert (told["at_us"], told["cause"], told["name"]) == (event.at_us, event.cause, event.name)
        assert list(told["facts"]) == list(event.facts())
    sent = next(
        each for each in document["events"] if each["facts"].get("message", {}).get("kind") == "append"
    )
    assert sent["facts"]["message"]["entries"][0]["key"] == "x"
    assert document["events"][-1]["at_us"] <= document["now_us"] == 15_000_000


@pytest.mark.parametrize("count", [1, 499, 500, 501])
def test_the_trace_is_json_wherever_its_pieces_end(count: int) -> None:
    """Commas stand between, and nowhere else."""
    run = Run(7)
    while run.event_count < count:
        run.step()
    del run.simulation.trace[count:]
    assert len(json.loads(written(run, "trace.json"))["events"]) == count


# --- ShiViz --------------------------------------------------------------------------------------

Stamp = tuple[str, dict[str, int], str]


def stamps(text: str) -> list[Stamp]:
    """A log taken apart as ShiViz does it: by its own first line."""
    parser, delimiter, log = text.split("\n", 2)
    assert delimiter == ""
    pattern = re.compile(f"^{parser.replace('(?<', '(?P<')}$", re.MULTILINE)
    found = [(match["host"], json.loads(match["clock"]), match["event"]) for match in pattern.finditer(log)]
    assert len(found) * 2 == log.count("\n"), "every line belongs to an event"
    return found


def before(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether a clock is smaller than another."""
    return one != other and all(other.get(actor, 0) >= count for actor, count in one.items())


def test_the_log_reads_as_shiviz_reads_it() -> None:
    """Each actor counts its own events from 1 without a gap, which ShiViz insists on."""
    own: dict[str, int] = {}
    for actor, clock, event in stamps(written(STORY, "shiviz.log")):
        own[actor] = own.get(actor, 0) + 1
        assert clock[actor] == own[actor]
        assert re.match(r"\d+\.\d{3} s \S", event)
    assert set(own) == {"A", "B", "C", "client-1"}


def happened_before(run: Run) -> list[set[int]]:
    """For each stamped event, those before it: from the definition, along actors and messages.

    Knows nothing of clocks. A copy made by hand was sent when its original was."""
    past: list[set[int]] = []
    newest: dict[str, int] = {}
    sent: dict[int, int] = {}
    copying: int | None = None
    for event in run.simulation.trace:
        if isinstance(event, events.CommandAccepted):
            copying = event.command.message_id if isinstance(event.command, DuplicateMessage) else None
            continue
        copied, copying = copying, None
        if isinstance(event, events.MessageSent):
            if copied is not None:
                sent[event.message_id] = sent[copied]
                continue
            sent[event.message_id] = len(past)
            actor, heard = event.source, None
        elif isinstance(event, events.MessageDelivered):
            actor, heard = event.target, sent[event.message_id]
        elif isinstance(event, events.MessageDropped | events.SettingChanged | events.ElectionTimerSet):
            continue
        else:
            named = getattr(event, "client", None) or getattr(event, "node", None)
            if named is None:
                continue
            actor, heard = named, None
        here = set() if actor not in newest else past[newest[actor]] | {newest[actor]}
        if heard is not None:
            here |= past[heard] | {heard}
        newest[actor] = len(past)
        past.append(here)
    return past


@given(
    random_runs.settings(),
    random_runs.scripts(random_runs.ANYTHING),
    st.integers(0, 9),
    st.sampled_from([3_000_000, 8_000_000]),
)
@hypothesis_settings(max_examples=25)
def test_clocks_tell_what_happened_before_what(
    cluster: Settings, script: list[tuple[int, object]], seed: int, limit_us: int
) -> None:
    """Of any two events: one clock is smaller exactly when one happened before the other."""
    run = random_run(cluster, script, seed, limit_us)
    past = happened_before(run)
    clocks = [clock for _, clock, _ in stamps(written(run, "shiviz.log"))]
    assert len(clocks) == len(past)
    for one, other in combinations(range(len(clocks))[-160:], 2):
        assert before(clocks[one], clocks[other]) == (one in past[other])
        assert not before(clocks[other], clocks[one])


def test_a_message_arrives_after_it_was_sent() -> None:
    """By their clocks, for every message of a story with losses, and for a copy made by hand."""
    run = run_of((100_000, "write x 1"), (700_000, "duplicate message 6"), until_us=4_000_000)
    clocks = shiviz.VectorClocks()
    sent: dict[int, dict[str, int]] = {}
    arrived = 0
    for event in run.simulation.trace:
        stamped = clocks.observe(event)
        if isinstance(event, events.MessageSent):
            sent[event.message_id] = clocks.of_message[event.message_id]
        if isinstance(event, events.MessageDelivered) and stamped is not None:
            assert before(sent[event.message_id], stamped[1])
            arrived += 1
    assert arrived > 20
    assert len({json.dumps(clock) for clock in sent.values()}) == len(sent) - 1, (
        "the copy's is the original's"
    )


# --- Mermaid -------------------------------------------------------------------------------------

STATEMENT = re.compile(
    r"  (participant (client\d as Client \d|[A-I])"
    r"|(client\d|[A-I])(->>|-->>|-x|--x)(client\d|[A-I]): [^#;\n]+"
    r"|Note over (client\d|[A-I])(,(client\d|[A-I]))?: [^#;\n]+)"
)


def test_the_diagram_has_messages_and_what_they_carry() -> None:
    """Operations, appends, losses, the crash and the election; no heartbeat."""
    text = written(STORY, "sequence.mmd")
    first, second, *rest = text.splitlines()
    assert first.startswith("%% Follow the Leader: textbook, seed 7, up to 15.00 s.")
    assert second == "sequenceDiagram"
    for line in rest:
        assert STATEMENT.fullmatch(line), line
    for line in [
        "  client1->>A: write x=1",
        "  A-->>client1: OK",
        "  A->>B: append x=1",
        "  client1-xA: write z=3 (lost: dead)",
        "  Note over A: 2.60 s crashes",
        "  Note over client1: 7.50 s write z=3: no answer, outcome unknown",
        "  Note over client1,C: 2.00 s partition A | B C",
    ]:
        assert line in rest, line
    assert re.search(r"(?m)^  ([BC])->>([BC]): vote\? term 2$[^§]*^  \2-->>\1: vote ✓ term 2$", text)
    assert any("leads term 2 (elected)" in line for line in rest)
    assert "heartbeat" not in "".join(rest)
    assert "reply ✓0" not in text, "an answer to a heartbeat"


def test_a_long_diagram_says_what_it_leaves_out() -> None:
    """In the picture itself, where a reader sees it."""
    run = run_of((0, "load writes 20/s"), until_us=60_000_000)
    lines = written(run, "sequence.mmd").splitlines()
    drawn = [line for line in lines if re.match(r"  (Note|\w+-)", line)]
    assert len(drawn) == mermaid.LINES_MAX + 1
    assert re.search(r"Only the first 400 arrows .* up to \d+\.\d\d s\. [\d,]+ more follow", drawn[-1])
    assert sum(map(len, lines)) < 50_000, "the most that Mermaid reads"


# --- limits --------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown file, and a run that is too long for all but the scenario."""
    with pytest.raises(
        CommandRefused, match=r"no export called x\.exe\. Exports: scenario\.yaml, trace\.json"
    ):
        exports.export(STORY, 0, "x.exe")
    monkeypatch.setattr(exports, "EVENTS_MAX", 100)
    for name, kind in exports.KINDS.items():
        if kind.lists_events:
            with pytest.raises(CommandRefused, match=f"{name} has room for 100"):
                exports.export(STORY, 0, name)
        else:
            assert written(STORY, name)
