"""The protocol's promises and availability: each shown kept, and each shown broken."""

from __future__ import annotations

import pytest

from server.cluster import events
from tests.staged_events import Stage


def started(**settings: str) -> Stage:
    """A leads term 1."""
    stage = Stage(**settings)
    stage.lead("A", 1, "initial")
    return stage


def says(stage: Stage, promise: str) -> list[str]:
    """What was found against one promise."""
    return [finding.says for finding in stage.findings if finding.promise == promise]


# --- one leader per term ----------------------------------------------------------------------------


def test_two_leaders_in_one_term() -> None:
    """The second one is reported, and the first one's log stays the one that counts."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    stage.lead("B", 1)
    assert says(stage, "one_leader_per_term") == ["Both A and B became leader of term 1."]
    assert stage.judges.lost == {}
    assert stage.judges.violations == 1


@pytest.mark.parametrize(("node", "term", "partition"), [("B", 2, 0), ("A", 1, 0), ("B", 1, 1)])
def test_another_term_the_same_leader_or_another_partition(node: str, term: int, partition: int) -> None:
    """None of these is a second leader of the term."""
    stage = started()
    stage.lead(node, term, partition=partition)
    assert "one_leader_per_term" not in stage.broken()


# --- log matching ------------------------------------------------------------------------------------


def test_one_identity_with_two_contents() -> None:
    """Entry (1, term 1) is x=1 on A and x=2 on B."""
    stage = started()
    first, second = stage.call("write", "x", "1"), stage.call("write", "x", "2")
    stage.append("A", 1, 1, first)
    stage.receive("B", stage.entry(1, 1, second))
    assert says(stage, "log_matching") == [
        "Entry 1 of term 1 (x=2) on B is not the same, or does not follow the same entry, as in another log."
    ]


def test_one_entry_after_two_different_ones() -> None:
    """(2, term 2) follows (1, term 2) on A but (1, term 1) on B."""
    stage = started()
    stage.append("B", 1, 1, None)
    stage.lead("A", 2)
    stage.append("A", 1, 2, None)
    entry = stage.append("A", 2, 2, None)
    assert "log_matching" not in stage.broken()
    stage.receive("B", entry)
    assert "log_matching" in stage.broken()


def test_logs_that_part_once_match() -> None:
    """Different tails, truncated and replaced, are everyday life."""
    stage = started()
    first = stage.append("A", 1, 1, None)
    stage.receive("B", first)
    stage.append("A", 2, 1, None)
    stage.lead("B", 2)
    second = stage.append("B", 2, 2, None)
    stage.truncate("A", 2)
    stage.receive("A", second)
    assert stage.broken() == []


def test_identity_may_be_used_again_once_nobody_holds_it() -> None:
    """A leader that lost an unflushed entry to a crash and resumes its term writes another there."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    stage.kill("A", keep=0)
    stage.restart("A")
    stage.lead("A", 1, "resumed")
    stage.write("A", 1, 1, "x", "2")
    assert "log_matching" not in stage.broken()
    assert len(stage.judges.lost) == 1


def test_identity_may_not_be_used_again_while_somebody_holds_it() -> None:
    """The same, but B has the first one."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    stage.kill("A", keep=0)
    stage.restart("A")
    stage.lead("A", 1, "resumed")
    stage.write("A", 1, 1, "x", "2")
    assert "log_matching" in stage.broken()


# --- committed never lost --------------------------------------------------------------------------------


def test_leader_without_a_committed_entry() -> None:
    """What a leader had announced as committed is missing from the next leader's log."""
    stage = started()
    operation, _ = stage.write("A", 1, 1, "x", "1", followers="B")
    stage.write("A", 2, 1, "x", "2", followers="B")
    stage.commit("A", 2)
    found = stage.lead("C", 2)
    assert says(stage, "committed_never_lost") == [
        "C became leader of term 2 without 2 committed entries, from x=1 at index 1 on."
    ]
    assert next(each for each in found if each.promise == "committed_never_lost").operations == (operation, 2)
    stage.lead("A", 3)
    assert len(says(stage, "committed_never_lost")) == 1, "told once"


def test_history_goes_on_after_a_committed_entry_was_lost() -> None:
    """What the new leader commits instead can be lost in its turn, and that is told as well."""
    stage = started()
    for index in (1, 2, 3):
        stage.write("A", index, 1, "x", "1")
    stage.commit("A", 3)
    stage.lead("C", 2)
    stage.write("C", 1, 2, "x", "2")
    stage.commit("C", 1)
    stage.lead("B", 3)
    assert len(says(stage, "committed_never_lost")) == 2


def test_leader_with_every_committed_entry() -> None:
    """The mirror image; that it lacks what was not committed breaks nothing."""
    stage = started()
    _, one = stage.write("A", 1, 1, "x", "1", followers="B")
    stage.write("A", 2, 1, "x", "2")
    stage.commit("A", 1)
    stage.lead("B", 2)
    assert "committed_never_lost" not in stage.broken()
    stage.receive("C", one)
    stage.lead("C", 3)
    assert "committed_never_lost" not in stage.broken()


def test_only_a_leader_commits() -> None:
    """A follower's commit index is news; what it names is not thereby committed."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    stage.commit("B", 1)
    stage.lead("C", 2)
    assert "committed_never_lost" not in stage.broken()


def test_commitment_by_a_deposed_leader_is_lost_at_once() -> None:
    """B leads without it; A announces it all the same."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    stage.lead("B", 2)
    stage.commit("A", 1)
    assert says(stage, "committed_never_lost") == [
        "A, which no longer leads, committed x=1 at index 1; B, the leader of term 2, lacks it."
    ]


# --- state machine agreement --------------------------------------------------------------------------


def test_two_entries_committed_at_one_place() -> None:
    """A follower takes its own entry for the committed one."""
    stage = started()
    stage.append("B", 1, 7, None)
    stage.append("A", 1, 1, None)
    stage.commit("A", 1)
    stage.commit("B", 1)
    assert says(stage, "state_machine_agreement") == [
        "B took entry 1 of term 7 for committed, but – of term 1 was committed there."
    ]


def test_applied_before_commitment_and_truncated_later_is_allowed() -> None:
    """Asynchronous followers show what they have; only committed places are compared."""
    stage = started()
    _, wrong = stage.write("A", 1, 1, "x", "1")
    stage.lead("B", 2)
    _, right = stage.write("B", 1, 2, "x", "2", followers="C")
    stage.commit("B", 1)
    stage.apply("A", wrong)
    assert "state_machine_agreement" not in stage.broken()
    stage.commit("A", 1)
    assert "state_machine_agreement" in stage.broken()
    assert right.term == 2


def test_applying_another_entry_than_the_committed_one() -> None:
    """The event says so, whatever the log says."""
    stage = started()
    entry = stage.append("A", 1, 1, None)
    stage.commit("A", 1)
    stage.receive("B", entry)
    stage.commit("B", 1)
    assert "state_machine_agreement" not in stage.broken()
    stage.say(events.EntryApplied("B", 0, 1, 9, "x", "1", True))
    assert "state_machine_agreement" in stage.broken()


# --- acknowledged means committed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replication", "level", "is_committed", "is_broken"),
    [
        ("quorum", "flushed", False, True),
        ("quorum", "flushed", True, False),
        ("sync", "applied", False, True),
        ("quorum", "received", False, False),
        ("async", "flushed", False, False),
        ("semi-sync", "flushed", False, False),
    ],
)
def test_acknowledged_means_committed(
    replication: str, level: str, is_committed: bool, is_broken: bool
) -> None:
    """Only where the policy promises it."""
    stage = started(replication=replication, level=level)
    operation = stage.call("write", "x", "1")
    stage.append("A", 1, 1, operation)
    if is_committed:
        stage.commit("A", 1)
    stage.confirm("A", operation, 1, 1)
    assert ("acknowledged_is_committed" in stage.broken()) is is_broken
    stage.end(operation, "ok", node="A")
    is_promised = replication in ("quorum", "sync") and level != "received"
    assert (stage.judges.verdicts()["acknowledged_is_committed"].held is None) is not is_promised
    if is_broken:
        assert says(stage, "acknowledged_is_committed") == [
            f"A acknowledged x=1 under {replication} replication before it was committed."
        ]


# --- availability -------------------------------------------------------------------------------------


def available(stage: Stage) -> tuple[bool | None, str]:
    """The verdict as a person sees it."""
    verdict = stage.judges.verdicts()["available"]
    return verdict.held, verdict.says


def test_availability_follows_the_leader() -> None:
    """Not judged, up, dead, up again."""
    stage = Stage()
    assert available(stage) == (None, "No leader has started yet.")
    stage.lead("A", 1, "initial")
    assert available(stage) == (True, "A leads and answers.")
    stage.at(4.21).kill("A")
    assert available(stage) == (False, "No leader since 4.21 s.")
    stage.at(5).restart("A")
    assert available(stage) == (False, "No leader since 4.21 s.")
    stage.at(6).lead("B", 2)
    assert available(stage) == (True, "B leads and answers. Before: no leader from 4.21 s to 6.00 s.")
    stage.at(7).kill("B")
    stage.at(7.5).lead("C", 3)
    assert (
        available(stage)[1] == "C leads and answers. Before: no leader 2 times, last from 7.00 s to 7.50 s."
    )


@pytest.mark.parametrize(
    "event",
    [
        events.NodePaused("A"),
        events.NodeRemoved("A"),
        events.LeaderStepped("A", 0, 2, "leader", "higher term"),
    ],
)
def test_a_leader_that_does_not_run_or_lead_is_none(event: events.Event) -> None:
    """Standing still, gone or stepped down."""
    stage = started()
    stage.at(3).say(event)
    assert available(stage) == (False, "No leader since 3.00 s.")


def test_a_paused_leader_leads_again() -> None:
    """It lost nothing."""
    stage = started()
    stage.say(events.NodePaused("A"), events.NodeResumed("A"))
    assert available(stage)[0] is True


def test_a_candidate_that_steps_down_changes_nothing() -> None:
    """Only leaders count."""
    stage = started()
    stage.say(events.LeaderStepped("A", 0, 2, "candidate", "lost election"))
    assert available(stage)[0] is True


def test_availability_follows_the_last_answer() -> None:
    """A leader that nobody gets an answer from is not available, until somebody does."""
    stage = started()
    write = stage.call("write", "x", "1")
    assert available(stage)[0] is True, "pending says nothing yet"
    stage.at(5).end(write, "unknown")
    assert available(stage) == (False, "x=1 got no answer by 5.00 s, and nothing has succeeded since.")
    stage.at(7).write("A", 1, 1, "x", "2")
    assert available(stage)[0] is True
    refused = stage.call("write", "x", "3")
    stage.at(9).end(refused, "failed", node=None)
    assert available(stage) == (False, "x=3 was refused by 9.00 s, and nothing has succeeded since.")


def test_a_cas_that_found_another_value_was_answered() -> None:
    """Saying no is an answer."""
    stage = started()
    cas = stage.call("cas", "x", "2", expected="9")
    stage.end(cas, "failed", value="1")
    assert available(stage)[0] is True


def test_reads_of_followers_say_nothing_about_the_leader() -> None:
    """Neither for it nor against it."""
    stage = started()
    read = stage.call("read", "x", target="B")
    stage.end(read, "unknown")
    assert available(stage)[0] is True
    write = stage.call("write", "x", "1")
    stage.end(write, "unknown")
    stage.read("B", "x", None, 0, 0)
    assert available(stage)[0] is False
