"""What became of a write, told link by link: its copies, who was told OK, and who led on without it."""

from __future__ import annotations

from typing import Any

import pytest

from server.cluster.commands import CommandRefused
from server.run import Run
from server.scenario import load_scenario
from tests.serving import ROOT


def told(chain: list[dict[str, Any]]) -> str:
    """The chain as a person reads it."""
    return "\n".join(f"{link['name']}: {link['plain']}" for link in chain)


def in_order(text: str, *pieces: str) -> bool:
    """Whether the pieces are all there, one after the other."""
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


@pytest.fixture(scope="module")
def lossy() -> Run:
    """x=3 is acknowledged by A, its copies never arrive, A dies, C leads on without it."""
    run = Run(scenario=load_scenario(ROOT / "lessons/scenes/03-async-loss.yaml"))
    run.play_script()
    return run


def test_a_loss_begins_with_the_write_and_not_with_the_election(lossy: Run) -> None:
    """The write, its OK and what that waited for, the copies that did not arrive, the kill, the election."""
    loss = next(step for step in lossy.take_steps() if step.text and "write is lost" in step.text)
    chain = lossy.why(loss.sequence)
    assert in_order(
        told(chain),
        "Client 1 asks A to write x=3",
        "A puts x=3 into its log",
        "write.acknowledged: A answers OK to x=3",
        "Under async its own disk is enough",
        "Client 1 has its OK for x=3",
        "link.cut: The link between A and B",
        "The append x=3 from A to B does not arrive: the link is cut.",
        "The append x=3 from A to C does not arrive: the link is cut.",
        "node.killed: A is dead.",
        "No other node held x=3.",
        "election.started: C",
        "leader.started: C received votes",
        "x=3 was acknowledged at 3.00 s by A, which died at 3.29 s",
    ), told(chain)
    assert "heartbeat" not in told(chain)
    assert [link["name"] for link in chain if link["asked"]] == ["leader.started"]
    assert [link["sequence"] for link in chain] == sorted(link["sequence"] for link in chain)
    assert lossy.why(None, 3) == chain


def test_copies_on_their_way_are_told_when_the_leader_dies() -> None:
    """Neither had arrived nor was lost yet: both followers were dead when they came."""
    run = Run(7)
    run.command("latency A B 5s")
    run.command("latency A C 5s")
    run.command("write x 1")
    run.advance(1_000_000)
    run.command("kill leader")
    run.advance(4_900_000)
    run.command("kill B")
    run.command("kill C")
    run.advance(6_000_000)
    run.command("restart B")
    run.command("restart C")
    run.advance(30_000_000)
    assert list(run.judges.lost) == [1]
    assert "The copy of x=1 for B and C was still on its way." in told(run.why(None, 1))


def test_a_write_of_a_cut_off_leader_ends_with_its_discarding() -> None:
    """The split was before the write, and the truncation after the loss: both belong to it."""
    run = Run(7)
    for line in ("partition A | B C", "write x 1"):
        run.command(line)
    run.advance(15_000_000)
    run.command("heal")
    run.advance(25_000_000)
    chain = run.why(None, 1)
    assert chain[0]["name"] == "network.partitioned"
    assert chain[-1]["plain"] == "A discards x=1: the leader's log does not have it."
    assert [link["name"] for link in chain if link["asked"]] == ["leader.started"]


def test_a_write_that_survived_has_a_course_too(lossy: Run) -> None:
    """Up to its commit; and what does not exist is refused in words."""
    chain = lossy.why(None, 1)
    assert chain[0]["name"] == "operation.started"
    assert [link["name"] for link in chain].count("entry.received") == 2
    assert chain[-1]["name"] == "commit.advanced"
    assert chain[-1]["asked"]
    with pytest.raises(CommandRefused, match="no operation 99"):
        lossy.why(None, 99)
