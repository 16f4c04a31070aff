"""The command language: what is read, what is printed, what is offered, and what is said about slips."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.cluster import commands
from server.cluster.commands import Command
from server.cluster.messages import MESSAGE_KINDS
from server.cluster.settings import LIMITS, NODE_LETTERS, SETTINGS
from server.language import (
    Expect,
    LanguageError,
    Wait,
    WaitUntil,
    compile_condition,
    complete,
    parse,
    print_command,
    print_value,
    read_setting,
    read_time,
    spoken_time,
)
from server.language.grammar import ROWS
from server.language.slots import spoken_rate
from server.language.words import TEXT_CHARACTERS_MAX

SECOND = 1_000_000

# --- what each line means ------------------------------------------------------------------------

MEANINGS = [
    ("write x 1", commands.Write("x", "1")),
    ("write x 1 by 2", commands.Write("x", "1", client="2")),
    ("write x 1 to B", commands.Write("x", "1", to="B")),
    ("write x 1 by 2 to leader", commands.Write("x", "1", "2", "leader")),
    ("read x", commands.Read("x")),
    ("read x by 2 from C", commands.Read("x", "2", "C")),
    ("read x from any", commands.Read("x", source="any")),
    ("cas x 1 2", commands.CompareAndSet("x", "1", "2")),
    ("cas x none 1", commands.CompareAndSet("x", None, "1")),
    ("delete x", commands.Delete("x")),
    ("kill leader", commands.Kill("leader")),
    ("kill followers", commands.Kill("followers")),
    ("restart B", commands.Restart("B")),
    ("pause B", commands.Pause("B")),
    ("resume B", commands.Resume("B")),
    ("add D", commands.AddNode("D")),
    ("remove D", commands.RemoveNode("D")),
    ("cut A B", commands.Cut("A", "B", one_way=False)),
    ("cut A -> B", commands.Cut("A", "B", one_way=True)),
    ("cut client 1 A", commands.Cut("1", "A", one_way=False)),
    ("cut leader client 2", commands.Cut("leader", "2", one_way=False)),
    ("partition A | B C", commands.Partition((("A",), ("B", "C")))),
    ("partition A client 1 | B C", commands.Partition((("A", "1"), ("B", "C")))),
    ("partition leader", commands.Partition((("leader",),))),
    ("heal", commands.Heal()),
    ("heal A B", commands.Heal("A", "B", one_way=False)),
    ("heal A -> B", commands.Heal("A", "B", one_way=True)),
    ("latency A -> B 400ms", commands.SetLatency("A", "B", True, 400_000)),
    ("latency A B 400ms", commands.SetLatency("A", "B", False, 400_000)),
    ("latency all 50ms", commands.SetLatency("all", None, False, 50_000)),
    ("latency clients 50ms", commands.SetLatency("clients", None, False, 50_000)),
    ("loss A B 20%", commands.SetLoss("A", "B", False, 20)),
    ("loss all 5%", commands.SetLoss("all", None, False, 5)),
    ("drop next append A -> B", commands.DropNext("append", "A", "B")),
    ("drop next message A -> client 1", commands.DropNext("message", "A", "1")),
    ("drop message 17", commands.DropMessage(17)),
    ("delay message 17 2s", commands.DelayMessage(17, 2 * SECOND)),
    ("duplicate message 17", commands.DuplicateMessage(17)),
    ("deliver message 17", commands.DeliverMessage(17)),
    ("promote freshest", commands.Promote("freshest")),
    ("switchover B", commands.Switchover("B")),
    ("rejoin A", commands.Rejoin("A")),
    ("set replication semi-sync", commands.SetSetting("replication", "semi-sync")),
    ("set reads B", commands.SetSetting("reads", "B")),
    ("set jitter 10", commands.SetSetting("jitter", 10)),
    ("set idempotent-retries off", commands.SetSetting("idempotent-retries", False)),
    ("set heartbeat 1.5s", commands.SetSetting("heartbeat", 1_500_000)),
    ("set flush 200ms on B", commands.SetSetting("flush", 200_000, "B")),
    ("load writes 20/s", commands.StartLoad("write", 50_000)),
    ("load reads 200/s by 3", commands.StartLoad("read", 5_000, "3")),
    ("load writes 0.5/s", commands.StartLoad("write", 2 * SECOND)),
    ("load stop", commands.StopLoad()),
    ("load stop by 2", commands.StopLoad("2")),
    ("wait 2s", Wait(2 * SECOND)),
    ("expect lost == 0", Expect(compile_condition("lost == 0"))),
    ("wait until leader == B", WaitUntil(compile_condition("leader == B"))),
    ("wait until lag(C) > 5 within 10s", WaitUntil(compile_condition("lag(C) > 5"), 10 * SECOND)),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_canonical_line_means_one_command_and_back(text: str, meaning: Any) -> None:
    """A canonical line is read as its command, and the command is printed as that line."""
    assert parse(text) == meaning
    assert print_command(meaning) == text


def test_every_command_of_the_core_can_be_spoken() -> None:
    """No command exists that no line means, and the meanings above cover every one of them."""
    spoken = {row.make for row in ROWS}
    defined = {
        kind for kind in vars(commands).values() if isinstance(kind, type) and issubclass(kind, Command)
    }
    assert defined - {Command} <= spoken
    assert spoken == {type(meaning) for _, meaning in MEANINGS}


def test_examples_of_the_table_are_canonical() -> None:
    """What help shows is what is printed."""
    for row in ROWS:
        assert row.examples
        for text in row.examples:
            assert print_command(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  KILL   Leader ", "kill leader"),
        ("kill b", "kill B"),
        ("cut a->b", "cut A -> B"),
        ("partition a|b c", "partition A | B C"),
        ("write X One to b by 2", "write X One by 2 to B"),
        ("write x 1 by client 2", "write x 1 by 2"),
        ("write x 1 by 1", "write x 1"),
        ("set election_timeout_min 2000ms", "set election-timeout-min 2s"),
        ("set idempotent-retries FALSE", "set idempotent-retries off"),
        ("set reads b", "set reads B"),
        ("set jitter 10%", "set jitter 10"),
        ("loss all 5", "loss all 5%"),
        ("latency all 0.4S", "latency all 400ms"),
        ("load writes 0.50/S", "load writes 0.5/s"),
        ("kill A # and see", "kill A"),
        ("expect   lost  ==  0 # none", "expect lost == 0"),
        ("wait until lost == 1 within 60s", "wait until lost == 1"),
        ('expect last_read.value == "a  # b"', 'expect last_read.value == "a  # b"'),
        ("cas x NONE 1", "cas x none 1"),
    ],
)
def test_loose_spelling_becomes_canonical(text: str, canonical: str) -> None:
    """Case, blanks, order, other units and comments do not matter; there is one way to print."""
    assert print_command(parse(text)) == canonical
    assert parse(canonical) == parse(text)


# --- slips ---------------------------------------------------------------------------------------

SLIPS = [
    # text, word at fault, where, something that fits, part of the sentence
    ("", None, 0, "write", "A line begins with a command"),
    ("# only a comment", None, 0, "write", "A line begins with a command"),
    ("kil A", "kil", 0, "kill", "Did you mean kill?"),
    ("frobnicate", "frobnicate", 0, "write", "Commands: write, read"),
    ("kill", None, 4, "leader", "After 'kill' comes a node"),
    ("kill leeder", "leeder", 5, "leader", "Did you mean leader?"),
    ("kill K", "K", 5, "A", "is not a node"),
    ("kill A now", "now", 7, None, "complete before it"),
    ("  write x", None, 9, "1", "a value"),
    ("write by 2", "by", 6, "x", "belongs before 'by'"),
    ("write 1 x", "1", 6, "x", "begins with a letter"),
    ("write x none", "none", 8, "1", "holds nothing"),
    ("write x a/b", "a/b", 8, "1", "letters, digits"),
    ("write x 1 by 9", "9", 13, "1", "a client's number, 1 to 5"),
    ("write x 1 at B", "at", 10, "by", "Here fits by or to"),
    ("write x 1 by 1 by 2", "by", 15, "to", "Here fits to"),
    ("write x 1 to followers", "followers", 13, "leader", "Only one node"),
    (f"write {'k' * 17} 1", "k" * 17, 6, "x", "16 are the most"),
    (f"write x {'1' * 33}", "1" * 33, 8, "1", "32 are the most"),
    ("add leader", "leader", 4, "A", "a node's letter"),
    ("cut A", None, 5, "B", "a node"),
    ("cut A A", "A", 6, "B", "two different ends"),
    ("cut 1 A", "1", 4, "client", "say client 1"),
    ("cut client 1 client 2", "client", 13, "A", "one end must be a node"),
    ("partition A | A", "A", 14, None, "named twice"),
    ("partition A |", None, 13, "B", "a node"),
    ("latency A B 5", "5", 12, "5ms", "needs a unit: 5ms or 5s"),
    ("latency A B 61s", "61s", 12, "2s", "60s is the most"),
    ("latency A B 0.0001ms", "0.0001ms", 12, "300ms", "is not a time"),
    ("wait 25000h", "25000h", 5, "2s", "is not a time"),
    ("wait 90000s", "90000s", 5, "2s", "24 hours is the most"),
    ("loss A B 120%", "120%", 9, "20%", "from 0% to 100%"),
    ("load writes 5", "5", 12, "20/s", "is not a rate"),
    ("load writes 0/s", "0/s", 12, "20/s", "outside what a client can do"),
    ("load writes 2000/s", "2000/s", 12, "20/s", "up to 1,000/s"),
    ("load write 5/s", "write", 5, "writes", "Did you mean writes?"),
    ("drop next appnd A -> B", "appnd", 10, "append", "Did you mean append?"),
    ("drop next append A B", "B", 19, "->", "'->' does"),
    ("drop message x", "x", 13, None, "a message's number"),
    ("set replikation sync", "replikation", 4, "replication", "Did you mean replication?"),
    ("set replication asink", "asink", 16, "async", "Did you mean async?"),
    ("set heartbeat 5", "5", 14, "5s", "needs a unit"),
    ("set heartbeat 61s", "61s", 14, "60s", "goes from 1ms to 60s"),
    ("set batch 0", "0", 10, "256", "goes from 1 to 256"),
    ("set batch two", "two", 10, "1", "takes 1 to 256"),
    ("set idempotent-retries maybe", "maybe", 23, "off", "on or off"),
    ("set replication sync on B", "on", 21, None, "holds for the whole cluster"),
    ("set nodes 5", "nodes", 4, None, "when a run starts"),
    ("wait", None, 4, "until", "a time"),
    ("expect", None, 6, "lost", "an expression"),
    ("wait until", None, 10, "lost", "an expression"),
    ("wait until within 5s", None, 11, "lost", "an expression"),
    ("wait until lost == 1 within soon", "soon", 28, "2s", "is not a time"),
    ("expect leeder == B", "leeder", 7, "leader", "Did you mean leader?"),
    ("kill A\nkill B", None, 6, None, "One line is one command"),
]


@pytest.mark.parametrize(("text", "word", "at", "fits", "says"), SLIPS, ids=[slip[0][:30] for slip in SLIPS])
def test_slip_names_word_place_and_what_fits(
    text: str, word: str | None, at: int, fits: str | None, says: str
) -> None:
    """An error points at the word, says one sentence about it and lists what would fit there."""
    with pytest.raises(LanguageError) as caught:
        parse(text)
    error = caught.value
    assert (error.word, error.at) == (word, at)
    assert says in error.says
    assert str(error) == error.says
    assert fits in error.fits if fits is not None else not error.fits
    if word is not None:
        assert text[at : at + len(word)] == word


def test_line_that_nobody_typed_is_refused() -> None:
    """Length is bounded, and the sentence does not repeat the page that was pasted."""
    assert parse("kill A" + " " * (TEXT_CHARACTERS_MAX - 6)) == commands.Kill("A")
    for text in ("kill A" + " " * TEXT_CHARACTERS_MAX, "x" * 1_000_000):
        with pytest.raises(LanguageError) as caught:
            parse(text)
        assert len(caught.value.says) < 100
    with pytest.raises(LanguageError) as caught:
        parse("x" * TEXT_CHARACTERS_MAX)
    assert len(caught.value.says) < 300


# --- properties ----------------------------------------------------------------------------------

NODES = st.sampled_from(NODE_LETTERS)
ONE = st.sampled_from([*NODE_LETTERS, "leader", "freshest", "stalest"])
SEVERAL = st.one_of(ONE, st.just("followers"))
CLIENTS = st.sampled_from([str(number) for number in range(1, LIMITS.clients_max + 1)])
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,15}", fullmatch=True).filter(
    lambda word: word.lower() not in ("by", "to", "from")
)
VALUES = st.from_regex(r"[A-Za-z0-9_.-]{1,32}", fullmatch=True).filter(
    lambda word: word.lower() not in ("by", "to", "from", "none")
)
TIMES = st.integers(0, LIMITS.time_us_max)
LATENCIES = st.integers(0, SETTINGS["latency"].maximum)
PAIRS = st.tuples(NODES, st.one_of(NODES, CLIENTS)).filter(lambda pair: pair[0] != pair[1])
MESSAGES = st.integers(0, 999_999_999)
INTERVALS = st.integers(SECOND // LIMITS.load_per_second_max, LIMITS.time_us_max)
CONDITIONS = st.sampled_from(["lost == 1", "ever(leaders == 2)", 'store(A).x == "#  x"']).map(
    compile_condition
)


@st.composite
def groups(draw: st.DrawFn) -> tuple[tuple[str, ...], ...]:
    """Some of the nodes and clients, in groups."""
    ends = draw(st.permutations([*NODE_LETTERS, "1", "2"]))
    ends = ends[: draw(st.integers(1, len(ends)))]
    cuts = sorted(draw(st.sets(st.integers(1, len(ends) - 1), max_size=3))) if len(ends) > 1 else []
    return tuple(tuple(ends[start:end]) for start, end in zip([0, *cuts], [*cuts, len(ends)], strict=True))


@st.composite
def settings_commands(draw: st.DrawFn) -> commands.SetSetting:
    """Any setting that may change while a run goes on, with any value that fits it."""
    row = draw(st.sampled_from([row for row in SETTINGS.values() if not row.is_fixed]))
    value: Any
    if row.kind == "switch":
        value = draw(st.booleans())
    elif row.kind == "choice":
        value = draw(st.sampled_from(row.choices))
    else:
        value = draw(st.integers(row.minimum, row.maximum))
    return commands.SetSetting(row.name, value, draw(st.none() | SEVERAL) if row.per_node else None)


def links(make: Any, *more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A link command on a pair, on all links, or on those of clients."""
    ends = st.one_of(
        st.tuples(PAIRS, st.booleans()).map(lambda drawn: (*drawn[0], drawn[1])),
        st.sampled_from([("all", None, False), ("clients", None, False)]),
    )
    return st.tuples(ends, *more).map(lambda drawn: make(*drawn[0], *drawn[1:]))


def pairs(make: Any) -> st.SearchStrategy[Any]:
    """A command on one link."""
    return st.tuples(PAIRS, st.booleans()).map(lambda drawn: make(*drawn[0], drawn[1]))


COMMANDS: st.SearchStrategy[Any] = st.one_of(
    st.builds(commands.Write, KEYS, VALUES, CLIENTS, st.none() | ONE),
    st.builds(commands.Read, KEYS, CLIENTS, st.none() | ONE | st.just("any")),
    st.builds(commands.CompareAndSet, KEYS, st.none() | VALUES, VALUES, CLIENTS, st.none() | ONE),
    st.builds(commands.Delete, KEYS, CLIENTS, st.none() | ONE),
    *(
        st.builds(make, SEVERAL)
        for make in (commands.Kill, commands.Restart, commands.Pause, commands.Resume)
    ),
    *(st.builds(make, ONE) for make in (commands.Promote, commands.Switchover, commands.Rejoin)),
    st.builds(commands.AddNode, NODES),
    st.builds(commands.RemoveNode, ONE),
    pairs(commands.Cut),
    pairs(commands.Heal),
    st.just(commands.Heal()),
    st.builds(commands.Partition, groups()),
    links(commands.SetLatency, LATENCIES),
    links(commands.SetLoss, st.integers(0, 100)),
    st.tuples(st.sampled_from([*MESSAGE_KINDS, "message"]), PAIRS).map(
        lambda drawn: commands.DropNext(drawn[0], *drawn[1])
    ),
    *(
        st.builds(make, MESSAGES)
        for make in (commands.DropMessage, commands.DuplicateMessage, commands.DeliverMessage)
    ),
    st.builds(commands.DelayMessage, MESSAGES, TIMES),
    settings_commands(),
    st.builds(commands.StartLoad, st.sampled_from(["write", "read"]), INTERVALS, CLIENTS),
    st.builds(commands.StopLoad, st.none() | CLIENTS),
    st.builds(Wait, TIMES),
    st.builds(WaitUntil, CONDITIONS, TIMES),
    st.builds(Expect, CONDITIONS),
)


def test_properties_cover_every_command() -> None:
    """The strategy below can make every kind of command there is."""
    made: set[type] = set()

    @settings(max_examples=1_000, database=None, derandomize=True)
    @given(COMMANDS)
    def collect(command: Any) -> None:
        made.add(type(command))

    collect()
    assert made == {row.make for row in ROWS}


@settings(max_examples=400)
@given(COMMANDS)
def test_printing_and_reading_are_opposites(command: Any) -> None:
    """`parse(print_command(c)) == c`, and what is printed is printed again the same."""
    text = print_command(command)
    assert parse(text) == command
    assert print_command(parse(text)) == text


WORDS = sorted(
    {word for row in ROWS for word in row.rule.replace("<", " ").replace(">", " ").split()}
    | {word for text, _ in MEANINGS for word in text.split()}
    | {"->", "|", "#", "(", ")", "==", ".", '"', "'", "within", "not", "all", "in", "nodes", ":", "ever("}
)
WORD_SALAD = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@settings(max_examples=400)
@example("write \x00 \ud800")
@example("expect " + "(" * 490)
@example("expect " + "not " * 120 + "lost")
@example("expect " + "-" * 400 + "1 == 1")
@example("expect " + "all n in nodes: " * 30 + "n.up")
@example("expect 1" + "+1" * 240 + " == 1")
@example("load writes 0.000000000001/s")
@example("wait " + "9" * 400 + "s")
@example("drop message ٣")
@example("expect " + "9" * 400 + " == 1")
@given(st.one_of(st.text(max_size=80), WORD_SALAD, st.builds("expect {}".format, st.text(max_size=60))))
def test_no_text_breaks_the_parser_or_completion(text: str) -> None:
    """Whatever is typed: a command that can be printed and read again, or a `LanguageError`."""
    problem: LanguageError | None = None
    try:
        command = parse(text)
    except LanguageError as error:
        problem = error
    else:
        assert parse(print_command(command)) == command
    if problem is not None:
        assert 0 < len(problem.says) < 1_000
        assert problem.at is None or 0 <= problem.at <= len(text)
    offered = complete(text)
    assert all(isinstance(word, str) for word in offered.words)


@given(st.integers(0, LIMITS.time_us_max))
def test_times_are_printed_exactly(time_us: int) -> None:
    """No microsecond is lost between a time and its spelling."""
    assert read_time(spoken_time(time_us)) == time_us


@example(1_000)
@example(333_333)
@example(LIMITS.time_us_max)
@given(INTERVALS)
def test_rates_are_printed_exactly(interval_us: int) -> None:
    """The rate that is printed for an interval is read as that interval."""
    line = f"load writes {spoken_rate(interval_us)}"
    assert parse(line) == commands.StartLoad("write", interval_us)


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "0ms"),
        (1, "0.001ms"),
        (300_000, "300ms"),
        (SECOND, "1s"),
        (1_500_000, "1.5s"),
        (1_234_567, "1234.567ms"),
        (90 * SECOND, "90s"),
    ],
)
def test_times_are_spoken_simply(time_us: int, text: str) -> None:
    """Seconds from one second on, unless that would need microseconds."""
    assert spoken_time(time_us) == text


# --- settings ------------------------------------------------------------------------------------


def test_settings_are_read_and_printed_by_one_table() -> None:
    """Every default value survives being written down and read; fixed settings too."""
    from server.cluster.settings import Settings

    for name in SETTINGS:
        value = Settings().value(name)
        assert read_setting(name, print_value(name, value)) == (name, value)
    assert read_setting("Semi_Sync_Followers", "2") == ("semi-sync-followers", 2)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nodes", "99", "goes from 2 to 9"),
        ("sped", "1", "no setting called 'sped'"),
        ("flush", "1s 2s", "one too many"),
        ("flush", "", "a value for flush"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, text: str, says: str) -> None:
    """What a scenario file says is checked like what a person types."""
    with pytest.raises(LanguageError, match=says):
        read_setting(name, text)
