"""Random runs: every sentence is short and true, and the narrator remembers what is."""

from __future__ import annotations

from random import Random

import pytest

from server.cluster import events
from server.cluster.commands import CommandRefused
from server.narration import Narrator
from server.narration.surroundings import TELLERS as SURROUNDINGS
from tests.stories import SECOND, Story

SCRIPT = (
    "write x {n}",
    "write y {n} by 2",
    "read x from any",
    "read y from {node}",
    "cas x {n} 7",
    "delete y",
    "kill {node}",
    "restart {node}",
    "pause {node}",
    "resume {node}",
    "promote {node}",
    "switchover {node}",
    "rejoin {node}",
    "cut {node} {other}",
    "cut {node} -> client 1",
    "partition {node} | {other}",
    "heal",
    "heal",
    "latency {node} {other} 2s",
    "loss all 30%",
    "loss {node} {other} 50%",
    "drop next append A -> B",
    "heal {node} {other}",
    "set replication {replication}",
    "set failover manual",
    "set failover automatic",
    "set level {level}",
    "set flush 700ms on {node}",
    "set retries 2",
    "load writes 20/s",
    "load reads 0.5/s by 2",
    "load stop",
    "add D",
    "remove D",
)


def random_story(seed: int) -> Story:
    """Sixty random commands, carried out where they fit."""
    draw = Random(f"narration/{seed}")
    story = Story(seed, operation_timeout=2 * SECOND)
    for number in range(60):
        node, other = draw.sample("ABC", 2)
        words = {
            "n": number,
            "node": node,
            "other": other,
            "replication": draw.choice(["async", "semi-sync", "quorum", "sync"]),
            "level": draw.choice(["received", "flushed", "applied"]),
        }
        try:
            story.play(draw.choice(SCRIPT).format(**words))
        except CommandRefused:
            continue
        else:
            check_memory(story)
        finally:
            story.play(draw.choice([0.1, 0.7, 3]))
    return story


@pytest.fixture(scope="module")
def random_stories() -> list[Story]:
    """A few runs in which nearly everything happens."""
    return [random_story(seed) for seed in range(12)]


def test_every_sentence_is_short_and_whole(random_stories: list[Story]) -> None:
    """One or two sentences of at most 140 characters, and a tone that the page knows."""
    kinds = set()
    for story in random_stories:
        for event, telling in story.told:
            kinds.add(event.name)
            for text in (telling.plain, telling.precise):
                assert len(text) <= 140, text
                assert "None" not in text, text
                assert "  " not in text, text
            assert telling.plain[-1] in ".)", telling.plain
            assert telling.tone in ("info", "good", "bad", "vote")
    told = {events.EVENT_TYPES[name] for name in kinds}
    seldom = {
        events.LimitReached,
        events.MessageDelayed,
        events.HandOverEnded,
        events.RequestDeduplicated,
        events.VoteCounted,
        events.NodeRemoved,
    }
    assert set(SURROUNDINGS) - seldom <= told


def check_memory(story: Story) -> None:
    """Sentences about holders, logs and terms are true because the memory equals the actors."""
    memory = story.narrator.memory
    assert memory.states == {name: each.state for name, each in story.simulation.nodes.items()}
    assert memory.voters == {name: each.is_voter for name, each in story.simulation.nodes.items()}
    assert list(memory.messages) == list(story.simulation.network.in_flight)
    for name, each in story.simulation.nodes.items():
        replica, remembered = each.replicas[0], memory.replica(name)
        assert remembered.log == list(replica.log.entries)
        assert (remembered.term, remembered.flushed_index) == (replica.term, replica.log.flushed_index)
        assert remembered.voted_for == replica.voted_for
        if each.state != "dead":
            assert remembered.role == replica.role.name
            assert remembered.commit_index == replica.commit_index
    leader = story.simulation.leader()
    assert memory.live_leader() == (leader.name if leader else None)


def test_what_the_narrator_remembers_is_what_is(random_stories: list[Story]) -> None:
    """The memory equals the actors after every command, and at the end."""
    for story in random_stories:
        check_memory(story)


def test_holders_that_are_told_do_hold_it(random_stories: list[Story]) -> None:
    """Whoever an acknowledgement or a commitment names had received the entry before."""
    for story in random_stories:
        received: set[tuple[str, int, int]] = set()
        for event in story.simulation.trace:
            if isinstance(event, events.EntryAppended | events.EntryReceived):
                received.add((event.node, event.entry.index, event.entry.term))
            elif isinstance(event, events.WriteAcknowledged):
                assert {(node, event.index, event.term) for node in event.held_by} <= received


def test_the_same_trace_is_told_the_same_twice() -> None:
    """The narrator is a fold: no clock, no chance, no order of a set."""
    assert random_story(3).told == random_story(3).told


def test_a_telling_needs_nothing_but_the_events() -> None:
    """A trace that begins in the middle is told without failing: unknown things are left out."""
    trace = random_story(1).simulation.trace
    narrator = Narrator()
    assert any(narrator.tell(event) for event in trace[len(trace) // 2 :])
