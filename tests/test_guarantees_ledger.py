"""The ledger: which acknowledged writes are lost, when that is judged, and what is said about it."""

from __future__ import annotations

import pytest

from server.cluster import events
from tests.staged_events import Stage


def started() -> Stage:
    """A leads term 1; nothing is in any log."""
    stage = Stage(replication="async")
    stage.lead("A", 1, "initial")
    return stage


def lost_by_failover(how: str = "elected") -> tuple[Stage, int]:
    """x=3 reached only A, which was cut off or killed by the caller's story; B leads term 2."""
    stage = started()
    stage.at(4.10)
    operation, _ = stage.write("A", 1, 1, "x", "3")
    stage.at(4.21).kill("A")
    stage.at(4.82).lead("B", 2, how)
    return stage, operation


def test_acknowledged_write_that_the_new_leader_lacks_is_lost() -> None:
    """The sentence names who acknowledged, what became of it, and who leads now."""
    stage, operation = lost_by_failover()
    assert stage.judges.lost == {
        operation: "x=3 was acknowledged at 4.10 s by A, which died at 4.21 s; "
        "B, elected at 4.82 s, never received it."
    }
    assert stage.judges.acknowledged == 1
    assert stage.broken() == ["durable"]
    assert stage.findings[-1].operations == (operation,)
    assert stage.judges.violations == 0, "losing an asynchronous write breaks no invariant"


def test_acknowledged_write_that_the_new_leader_has_survives() -> None:
    """The mirror image: B had received it."""
    stage = started()
    stage.write("A", 1, 1, "x", "3", followers="B")
    stage.kill("A")
    stage.lead("B", 2)
    assert stage.judges.lost == {}
    assert stage.broken() == []
    assert stage.judges.verdicts()["durable"].says == "1 acknowledged, none lost"


def test_write_nobody_was_told_about_cannot_be_lost() -> None:
    """A leader's OK that never arrived is no promise."""
    stage = started()
    operation = stage.call("write", "x", "3")
    stage.append("A", 1, 1, operation)
    stage.confirm("A", operation, 1, 1)
    stage.kill("A")
    stage.lead("B", 2)
    stage.end(operation, "unknown")
    assert (stage.judges.acknowledged, stage.judges.lost) == (0, {})


def test_same_place_in_the_log_is_not_the_same_entry() -> None:
    """B's log has an entry at index 1, but of another term: identity is index and term."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3")
    stage.kill("A")
    stage.lead("B", 2)
    stage.append("B", 1, 2, None)
    assert list(stage.judges.lost) == [operation]


def test_promotion_by_the_operator_is_named() -> None:
    """`promote` says who chose."""
    stage, operation = lost_by_failover("promoted")
    assert "B, promoted by the operator at 4.82 s, never received it." in stage.judges.lost[operation]


def test_entry_that_the_leader_had_and_discarded_is_named() -> None:
    """B held it until it followed another leader."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3", followers="B")
    stage.at(2).truncate("B", 1)
    stage.kill("A")
    stage.at(3).lead("B", 2)
    assert stage.judges.lost[operation].endswith("had received it but discarded it at 2.00 s.")


def test_entry_that_the_leader_had_only_in_memory_is_named() -> None:
    """B received it, died before its disk had it, and came back."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3", followers="B")
    stage.at(2).kill("B", keep=0)
    stage.restart("B")
    stage.kill("A")
    stage.at(3).lead("B", 2)
    assert (
        "B, elected at 3.00 s, had it only in memory when it died at 2.00 s." in stage.judges.lost[operation]
    )


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (events.LinkCut("A", "B"), "by A, which was cut off from B at 2.00 s;"),
        (events.NodePaused("A"), "by A, which stood still from 2.00 s;"),
        (events.NodeRemoved("A"), "by A, which was removed at 2.00 s;"),
        (events.LinkCut("A", "C"), "by A; B,"),
    ],
)
def test_what_became_of_the_node_that_acknowledged_is_named(happened: events.Event, words: str) -> None:
    """Cut off, standing still, removed, or simply replaced."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3")
    stage.at(2).say(happened)
    stage.at(3).lead("B", 2)
    assert words in stage.judges.lost[operation]


def test_late_acknowledgement_by_a_deposed_leader_is_lost_at_once() -> None:
    """B leads already; A does not know and answers OK."""
    stage = started()
    stage.at(2).lead("B", 2)
    stage.at(3)
    operation, _ = stage.write("A", 1, 1, "x", "3")
    assert stage.judges.lost == {
        operation: "x=3 was acknowledged at 3.00 s by A, after B had taken its place: "
        "B, elected at 2.00 s, never received it."
    }


def test_lost_write_that_a_later_leader_holds_is_lost_no_more() -> None:
    """A held it all the time and leads again."""
    stage, operation = lost_by_failover()
    stage.restart("A")
    stage.at(9)
    found = stage.lead("A", 3)
    assert stage.judges.lost == {}
    assert [(finding.promise, finding.held, finding.operations) for finding in found] == [
        ("durable", True, (operation,))
    ]
    assert stage.broken() == []


def test_loss_is_judged_only_between_the_logs_that_part() -> None:
    """Three shared entries survive, the fourth does not, and the rival's own fourth is its own."""
    stage = started()
    for index in (1, 2, 3):
        stage.write("A", index, 1, "x", str(index), followers="BC")
    lost, _ = stage.write("A", 4, 1, "x", "4")
    stage.kill("A")
    stage.lead("B", 2)
    kept, _ = stage.write("B", 4, 2, "x", "5", followers="C")
    stage.lead("C", 3)
    assert list(stage.judges.lost) == [lost]
    assert stage.judges.ledger.lives[kept].present == 1


def test_crash_of_the_only_holder_loses_the_write_at_once() -> None:
    """Acknowledged from memory; the machine died before the disk had it."""
    stage = started()
    operation = stage.call("write", "x", "3")
    stage.append("A", 1, 1, operation)
    stage.at(1).confirm("A", operation, 1, 1)
    stage.end(operation)
    stage.at(2).kill("A", keep=0)
    assert stage.judges.lost == {
        operation: "x=3 was acknowledged at 1.00 s by A, which died at 2.00 s before the entry was on "
        "its disk; no other node has it."
    }


def test_crash_while_another_log_holds_the_entry_waits_for_the_next_leader() -> None:
    """B has it, so only B's election can tell, and it is good news."""
    for successor, is_lost in (("B", False), ("C", True), ("A", True)):
        stage = started()
        operation, _ = stage.write("A", 1, 1, "x", "3", followers="B")
        stage.at(2).kill("A", keep=0)
        assert stage.judges.lost == {}, "open until a leader starts"
        stage.at(3).lead(
            successor, 1 if successor == "A" else 2, "resumed" if successor == "A" else "elected"
        )
        assert (operation in stage.judges.lost) is is_lost
        if successor == "A":
            assert stage.judges.lost[operation].endswith(
                "A, leading again since 3.00 s, no longer has what only B received."
            )


def test_crash_of_a_leader_that_inherited_in_memory_waits_for_the_next_leader() -> None:
    """B was elected for an entry of an older term that its disk did not have yet; C's disk has it."""
    for successor, is_lost in (("C", False), ("D", True)):
        stage = started()
        operation, entry = stage.write("A", 1, 1, "x", "3", followers="C")
        stage.say(events.EntryReceived("B", 0, entry))
        stage.at(2).kill("A")
        stage.at(3).lead("B", 2)
        stage.at(4).kill("B", keep=0)
        assert stage.judges.lost == {}, "open until a leader starts"
        stage.at(5).lead(successor, 3)
        assert (operation in stage.judges.lost) is is_lost


def test_last_holder_gone_loses_an_open_write() -> None:
    """A's crash left it to B alone; then B's copy goes, too."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3", followers="B")
    stage.kill("A", keep=0)
    stage.kill("B", keep=0)
    assert list(stage.judges.lost) == [operation]


def test_one_of_two_entries_of_a_retried_write_is_enough() -> None:
    """Without idempotency a retry appends again: either entry keeps the promise."""
    stage = started()
    operation = stage.call("write", "x", "3")
    stage.append("A", 1, 1, operation)
    stage.lead("B", 2)
    stage.append("B", 1, 2, operation)
    stage.confirm("B", operation, 1, 2)
    stage.end(operation, node="B")
    assert stage.judges.lost == {}
    stage.lead("C", 3)
    assert list(stage.judges.lost) == [operation]
    stage.lead("A", 4)
    assert stage.judges.lost == {}


def test_unanswered_write_that_the_leader_holds_is_a_surprise() -> None:
    """The client gave up, and yet it happened. Told once, and nothing is broken."""
    stage = started()
    operation = stage.call("write", "x", "3")
    entry = stage.append("A", 1, 1, operation)
    stage.receive("B", entry)
    stage.at(5).end(operation, "unknown")
    stage.lead("B", 2)
    surprises = [finding for finding in stage.findings if finding.operations == (operation,)]
    assert [finding.held for finding in surprises] == [True]
    assert surprises[0].says == (
        "Client 1 was never told that x=3 happened and gave up at 5.00 s, yet A, the leader, has it."
    )
    assert stage.broken() == ["available"], "giving up is no loss, but no service either"


def test_unanswered_write_may_surprise_with_a_later_leader() -> None:
    """It is on B alone, so only B's election makes it happen."""
    stage = started()
    operation = stage.call("write", "x", "3")
    entry = stage.entry(1, 1, operation)
    stage.receive("B", entry)
    stage.at(5)
    assert stage.end(operation, "unknown") == []
    assert [finding.held for finding in stage.lead("B", 2)] == [True]


def test_life_line_has_every_station() -> None:
    """Called, appended, received, flushed, applied, committed, acknowledged, told."""
    stage = started()
    stage.at(1)
    operation = stage.call("write", "x", "3")
    entry = stage.at(2).append("A", 1, 1, operation)
    stage.at(3).flush("A", 1)
    stage.at(4).say(events.EntryReceived("B", 0, entry))
    stage.at(5).flush("B", 1)
    stage.at(6).commit("A", 1)
    stage.at(7).apply("A", entry)
    stage.at(8).confirm("A", operation, 1, 1)
    stage.at(9).end(operation)
    line = stage.judges.ledger.line(operation)
    assert line is not None
    copies = line["entries"][0].pop("copies")
    assert line == {
        "operation": 1, "client": "1", "label": "x=3", "called_us": 1_000_000, "returned_us": 9_000_000,
        "outcome": "ok", "confirmed_us": 8_000_000, "confirmed_by": "A",
        "entries": [
            {"index": 1, "term": 1, "created_by": "A", "created_us": 2_000_000, "committed_us": 6_000_000}
        ],
        "is_present": True, "lost_because": None, "surprise": None,
    }  # fmt: skip
    assert [copies["A"][name] for name in ("received_us", "flushed_us", "applied_us", "gone_us")] == [
        2_000_000, 3_000_000, 7_000_000, None,
    ]  # fmt: skip
    assert [copies["B"][name] for name in ("received_us", "flushed_us", "applied_us", "gone_us")] == [
        4_000_000, 5_000_000, None, None,
    ]  # fmt: skip
    assert stage.judges.ledger.line(99) is None


@pytest.mark.parametrize(("kind", "label"), [("cas", "x:∅→3"), ("delete", "delete x")])
def test_cas_and_delete_are_promises_too(kind: str, label: str) -> None:
    """Every mutation can be lost."""
    stage = started()
    operation = stage.call(kind, "x", "3" if kind == "cas" else None)
    stage.append("A", 1, 1, operation)
    stage.end(operation)
    stage.lead("B", 2)
    assert stage.judges.lost[operation].startswith(f"{label} was acknowledged at")


def test_acknowledged_write_without_any_entry_is_lost() -> None:
    """A leader that says OK and stores nothing is found out at once."""
    stage = started()
    operation = stage.call("write", "x", "3")
    stage.end(operation)
    assert stage.judges.lost == {operation: "x=3 was acknowledged at 0.00 s by A, but no log ever held it."}


def test_partitions_do_not_mix() -> None:
    """A leader of another partition says nothing about this one's writes."""
    stage = started()
    stage.write("A", 1, 1, "x", "3")
    stage.lead("B", 5, partition=1)
    assert stage.judges.lost == {}
    open_write, _ = stage.write("A", 2, 1, "x", "4", followers="B")
    stage.kill("A", keep=1)
    stage.lead("C", 6, partition=1)
    assert stage.judges.lost == {}, "only a leader of its own partition decides about an open write"
    stage.lead("C", 2)
    assert open_write in stage.judges.lost


def test_an_operation_ends_once() -> None:
    """A second end, or one of an operation that never began, changes nothing."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "3")
    assert stage.end(operation, "failed") == []
    assert stage.end(99) == []
    assert (stage.judges.acknowledged, stage.judges.lost) == (1, {})
    life = stage.judges.life(operation)
    assert life is not None
    assert life.outcome == "ok"


def test_a_read_after_a_loss_does_not_hide_it() -> None:
    """What it shows is the newest that still exists; a value written since then is simply the newest."""
    stage = started()
    stage.write("A", 1, 1, "x", "2", followers="B")
    stage.at(4.10)
    stage.write("A", 2, 1, "x", "3")
    stage.at(4.21).kill("A")
    stage.at(4.82).lead("B", 2)
    read = stage.judges.read(stage.read("B", "x", "2", 1, 1))
    assert read is not None
    assert read.says == "B answered x=2, the newest that still exists; x=3 is lost."
    stage.write("B", 2, 2, "x", "4")
    later = stage.judges.read(stage.read("B", "x", "4", 2, 2))
    assert later is not None
    assert later.says == "B answered x=4, the newest there was."
    assert stage.judges.verdicts()["durable"].brief == "1 of 3 acknowledged lost"
