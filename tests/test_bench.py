"""The benchmark compares like with like and says what it found; how fast anything is, no test asks."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest

from server import bench
from server.bench import browser, checking, core
from server.bench.measure import percentile, take_turns
from server.bench.peer import Cluster
from server.bench.report import Row, format_table
from server.cluster import Settings
from server.cluster.events import MessageSent
from server.cluster.settings import SECOND
from server.guarantees import check_history

BEGINNING = {"setting.changed", "node.added", "command.accepted", "load.changed"}
"""What a run records before anything happens; the peer has no commands and no table of settings."""
UNTIL_US = 60 * SECOND


@pytest.fixture
def peer() -> Cluster:
    """The SimPy cluster under the benchmark's load, a minute on."""
    cluster = Cluster(Settings(replication="quorum"), core.SEED, core.WRITE_INTERVAL_US)
    cluster.run_until(UNTIL_US)
    return cluster


def test_the_peer_commits_as_many_writes_with_as_many_messages_of_each_kind(peer: Cluster) -> None:
    """Neither side is given less to do."""
    ours = core.loaded()
    ours.run_until(UNTIL_US)
    assert core.committed_count(ours) == peer.leader.commit_index > 500
    assert Counter(event.message.kind for event in ours.trace if isinstance(event, MessageSent)) == Counter(
        fields[-1].kind for _, name, fields in peer.trace if name == "message.sent"
    )


@pytest.mark.parametrize("nodes", [3, 4, 9])
def test_the_peer_records_the_same_events_at_the_same_times(nodes: int) -> None:
    """Same streams, same rules, same record: every event with its fields, every message by its kind.

    Only what happens at one instant may come in another order, so messages may swap their numbers."""
    ours = core.loaded(nodes)
    ours.run_until(UNTIL_US)
    peer = Cluster(Settings(nodes=nodes, replication="quorum"), core.SEED, core.WRITE_INTERVAL_US)
    peer.run_until(UNTIL_US)

    def line(at_us: int, name: str, fields: tuple[Any, ...]) -> tuple[int, str, str]:
        if name == "message.sent":
            fields = (*fields[1:-1], fields[-1].kind)
        elif name == "message.delivered":
            fields = fields[1:]
        return at_us, name, repr(fields)

    recorded = Counter(
        line(event.at_us, event.name, tuple(event.facts().values()))
        for event in ours.trace
        if event.name not in BEGINNING
    )
    expected = Counter(line(*each) for each in peer.trace)
    assert list((recorded - expected).elements())[:3] == []
    assert list((expected - recorded).elements())[:3] == []


def test_the_peer_stores_what_it_commits(peer: Cluster) -> None:
    """Followers end with the leader's log, as far as they have it, and with stores made from it."""
    for follower in peer.followers:
        assert follower.log == peer.leader.log[: len(follower.log)]
        assert follower.applied_index > 500
        assert {
            entry.key: (entry.value, entry.index, entry.term)
            for entry in follower.log[: follower.applied_index]
        } == follower.store


def test_the_made_history_holds_until_a_stale_read_is_put_into_it() -> None:
    """The judge and the textbook search agree on both, and the counterexample shows the read."""
    good = checking.made_history(count=200)
    assert len(good) == 200
    assert all(verdict.held for verdict in check_history(good))
    assert checking.wing_gong(good)
    bad = checking.with_stale_read(good)
    assert not checking.wing_gong(bad)
    (broken,) = (verdict for verdict in check_history(bad) if not verdict.held)
    assert any(each.kind == "read" and each.value == "old" for each in broken.counterexample)


def test_sides_take_turns_and_the_median_counts() -> None:
    """One slow moment of the machine changes no figure."""
    order: list[str] = []
    figures = {"ours": iter([1.0, 90.0, 2.0]), "peer": iter([5.0, 4.0, 80.0])}

    def side(name: str) -> float:
        order.append(name)
        return next(figures[name])

    assert take_turns(lambda: side("ours"), lambda: side("peer"), rounds=3) == [2.0, 5.0]
    assert order == ["ours", "peer"] * 3


def test_percentile_is_a_figure_that_was_measured() -> None:
    """The smallest one that so many do not exceed."""
    figures = [float(number) for number in range(100, 0, -1)]
    assert (percentile(figures, 95), percentile(figures, 99), percentile([7.0], 99)) == (95.0, 99.0, 7.0)


def test_the_table_is_aligned_and_marks_what_is_met() -> None:
    """Columns begin below their headings; what was not compared shows a dash."""
    rows = [
        Row("fast", "1,000/s", "900/s, peer", 1.111, "≥ 1×", True),
        Row("a longer name", "5 ms", target="< 1 ms", is_met=False),
        Row("no target", "7"),
    ]
    assert format_table(rows).splitlines() == [
        "what           measured  peer         ratio  target",
        "fast           1,000/s   900/s, peer  1.11×  ≥ 1×    ✓",
        "a longer name  5 ms      –                –  < 1 ms  ✗",
        "no target      7         –                –  –",
    ]


def test_an_unknown_part_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is measured, and the parts there are are named."""
    assert bench.main(["check", "cofee"]) == bench.BAD_USE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "There is no part cofee of the benchmark. Parts: core, flat, memory, check, page, rooms.\n"
    )


@pytest.mark.parametrize(
    ("words", "measured", "status"),
    [((), ["good", "bad", "open"], 1), (("open", "good"), ["good", "open"], 0), (("bad",), ["bad"], 1)],
)
def test_parts_are_measured_in_their_order_and_a_missed_target_is_told(
    words: tuple[str, ...],
    measured: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All of them when none is named; a row without a target misses nothing."""
    marks = {"good": True, "bad": False, "open": None}
    parts = {name: lambda name=name: [Row(name, "1", is_met=marks[name])] for name in marks}
    monkeypatch.setattr(bench, "PARTS", parts)
    assert bench.main(words) == status
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == measured


def test_without_simpy_the_core_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says what is missing instead of a peer's figure."""
    monkeypatch.setitem(sys.modules, "server.bench.peer", None)
    monkeypatch.setattr(core, "RUN_US", 2 * SECOND)
    (row,) = core.core()
    assert "SimPy is not installed" in row.peer
    assert (row.ratio, row.is_met) == (None, None)


def test_without_playwright_or_chromium_the_page_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not measured is not missed."""
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    (row,) = browser.page()
    assert "Playwright is not installed" in row.measured
    assert row.is_met is None
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    monkeypatch.setattr(browser, "BROWSERS", ())
    assert browser.chromium_path("/nor/this/one") is None
