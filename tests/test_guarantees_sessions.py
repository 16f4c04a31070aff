"""Reads and sessions: what a client is shown, beside what it was told before."""

from __future__ import annotations

import pytest

from server.cluster import events
from server.cluster.messages import LogEntry
from tests.staged_events import Stage


def started() -> Stage:
    """A leads term 1 of A, B and C."""
    stage = Stage(replication="async")
    stage.lead("A", 1, "initial")
    return stage


def two_writes(followers: str = "") -> tuple[Stage, int, int, LogEntry, LogEntry]:
    """x=1 is everywhere; x=2, told at 2 s, is on A and `followers`."""
    stage = started()
    stage.at(1)
    first, one = stage.write("A", 1, 1, "x", "1", followers="BC")
    stage.at(2)
    second, two = stage.write("A", 2, 1, "x", "2", followers=followers)
    return stage, first, second, one, two


# --- stale reads -----------------------------------------------------------------------------------


def test_read_that_misses_an_acknowledged_write_is_stale() -> None:
    """By how much, in entries and in time, and beside what the leader held."""
    stage, _, second, _, _ = two_writes()
    stage.at(5)
    read = stage.read("B", "x", "1", 1, 1, client="2")
    judgement = stage.judges.read(read)
    assert judgement is not None
    assert (judgement.stale, judgement.entries, judgement.staleness_us) == (True, 1, 3_000_000)
    assert (judgement.leader, judgement.leader_value, judgement.leader_version) == ("A", "2", 2)
    assert (judgement.node, judgement.value, judgement.version) == ("B", "1", 1)
    assert judgement.entries_behind == 1
    assert judgement.says == (
        "B answered x=1 and missed 1 acknowledged write to x: x=2 had been acknowledged 3.00 s before; "
        "it was 1 log entry behind A."
    )
    assert stage.findings[-1].operations == (second, read) or stage.findings[-2].operations == (second, read)
    assert stage.judges.stale_reads == 1


def test_same_read_after_the_write_arrived_is_fresh() -> None:
    """The mirror image."""
    stage, _, _, _, _ = two_writes(followers="B")
    judgement = stage.judges.read(stage.read("B", "x", "2", 2, 2, client="2"))
    assert judgement is not None
    assert (judgement.stale, judgement.entries, judgement.staleness_us) == (False, 0, 0)
    assert stage.judges.stale_reads == 0
    assert stage.broken() == []


def test_missing_a_write_acknowledged_during_the_read_is_not_stale() -> None:
    """Only what was acknowledged before the call counts, although the leader already holds more."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="BC")
    read = stage.call("read", "x", client="2", target="B")
    stage.write("A", 2, 1, "x", "2")
    stage.answer(read, "B", "1", 1, 1)
    stage.end(read, value="1", node="B", version=1, client="2")
    judgement = stage.judges.read(read)
    assert judgement is not None
    assert not judgement.stale
    assert judgement.says == "B answered x=1 while A, the leader, held x=2: no promise was broken."
    assert stage.judges.verdicts()["linearizable"].held is True


def test_missing_writes_are_counted_without_those_told_later() -> None:
    """Three missed, a fourth acknowledged after the call; the first missed one dates the answer."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="BC")
    for index in (2, 3, 4):
        stage.at(index)
        stage.write("A", index, 1, "x", str(index))
    read = stage.call("read", "x", client="2", target="B")
    stage.write("A", 5, 1, "x", "5")
    stage.at(9).answer(read, "B", "1", 1, 1)
    judgement = stage.judges.read(read)
    assert judgement is not None
    assert (judgement.entries, judgement.staleness_us, judgement.missed_label) == (3, 7_000_000, "x=2")
    assert judgement.entries_behind == 4


@pytest.mark.parametrize(("called_s", "is_broken"), [(11.9, False), (12.0, False), (12.1, True)])
def test_read_may_be_behind_as_far_as_the_bound_allows(called_s: float, is_broken: bool) -> None:
    """What counts is how long before the call the first missed write had been told, not the answer."""
    stage = Stage(replication="async", staleness_bound=10_000_000)
    stage.lead("A", 1, "initial")
    write, _ = stage.at(2).write("A", 1, 1, "x", "1")
    read = stage.at(called_s).call("read", "x", target="B")
    stage.at(30).answer(read, "B", None, 0, 0)
    stage.end(read, node="B")
    assert ("bounded_staleness" in stage.broken()) is is_broken
    if is_broken:
        finding = stage.judges.evidence("bounded_staleness")[0]
        assert finding.operations == (write, read)
        assert finding.says == (
            "Client 1 read no x from B at 12.10 s, but x=1 had been acknowledged 10.10 s before: "
            "more than the 10.00 s that a read may be behind."
        )


def test_staleness_counts_from_the_write_that_was_told_first() -> None:
    """Which need not be the first in the log: its answer may have been slow."""
    stage = started()
    slow = stage.at(1).call("write", "x", "1")
    stage.apply("A", stage.append("A", 1, 1, slow))
    told, _ = stage.at(2).write("A", 2, 1, "x", "2", client="2")
    stage.at(6).end(slow)
    judgement = stage.judges.read(stage.at(8).read("B", "x", None, 0, 0, client="2"))
    assert judgement is not None
    assert (judgement.missed, judgement.entries, judgement.staleness_us) == (told, 2, 6_000_000)


def test_read_is_judged_by_the_answer_that_was_taken_of_two_from_one_node() -> None:
    """B answered twice: the client took the first, which misses its own write."""
    stage, _, second, _, two = two_writes()
    read = stage.at(5).call("read", "x", target="B")
    stage.answer(read, "B", "1", 1, 1)
    stage.receive("B", two)
    stage.apply("B", two)
    stage.answer(read, "B", "2", 2, 2)
    stage.end(read, value="1", node="B", version=1)
    judgement = stage.judges.read(read)
    assert judgement is not None
    assert (judgement.value, judgement.stale, judgement.missed) == ("1", True, second)
    assert "read_your_writes" in stage.broken()


def test_other_keys_do_not_make_a_read_stale() -> None:
    """Staleness is about the key that was read."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="BC")
    stage.write("A", 2, 1, "y", "2")
    judgement = stage.judges.read(stage.read("B", "x", "1", 1, 1))
    assert judgement is not None
    assert not judgement.stale
    assert judgement.entries_behind == 1


def test_reading_a_deleted_key_is_fresh() -> None:
    """Version 0 is what a delete leaves behind; it is not older than the delete."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    operation = stage.call("delete", "x")
    entry = stage.append("A", 2, 1, operation)
    stage.receive("B", entry)
    stage.apply("AB", entry)
    stage.end(operation)
    judgement = stage.judges.read(stage.read("B", "x", None, 0, 2))
    assert judgement is not None
    assert not judgement.stale
    assert stage.broken() == []
    stale = stage.judges.read(stage.read("B", "x", "1", 1, 1))
    assert stale is not None
    assert stale.stale


def test_missing_a_lost_write_is_not_stale() -> None:
    """What the log that counts does not hold cannot be missed; the ledger reports it."""
    stage, _, second, _, _ = two_writes()
    stage.kill("A")
    stage.lead("B", 2)
    judgement = stage.judges.read(stage.read("B", "x", "1", 1, 1, client="2"))
    assert judgement is not None
    assert not judgement.stale
    assert list(stage.judges.lost) == [second]


def test_answer_of_a_deposed_leader_is_placed_where_its_log_parts() -> None:
    """A's own x=2 at index 2 does not make up for B's x=9 at index 2, which was acknowledged."""
    stage, _, _, _, _ = two_writes()
    stage.lead("B", 2)
    stage.write("B", 2, 2, "x", "9", client="2")
    judgement = stage.judges.read(stage.read("A", "x", "2", 2, 2, client="2"))
    assert judgement is not None
    assert (judgement.stale, judgement.entries, judgement.is_dirty) == (True, 1, True)


def test_dirty_read_is_named() -> None:
    """A value from an entry that the leader's log does not have, with nothing missed."""
    stage, _, _, _, _ = two_writes()
    stage.lead("B", 2)
    judgement = stage.judges.read(stage.read("A", "x", "2", 2, 2, client="2"))
    assert judgement is not None
    assert not judgement.stale
    assert judgement.says == "A answered x=2 from an entry that is not in the log of B."


def test_judgement_is_of_the_answer_that_the_client_took() -> None:
    """A retried read was answered by B and by A: the client took A's."""
    stage, _, _, _, _ = two_writes()
    read = stage.call("read", "x", client="2", target="A")
    stage.answer(read, "A", "2", 2, 2)
    stage.answer(read, "B", "1", 1, 1)
    stage.end(read, value="2", node="A", version=2, client="2")
    judgement = stage.judges.read(read)
    assert judgement is not None
    assert (judgement.node, judgement.stale) == ("A", False)


# --- read your writes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "broken"), [("1", ["linearizable", "read_your_writes"]), ("2", ["linearizable"])]
)
def test_only_the_writer_may_insist_on_its_write(client: str, broken: list[str]) -> None:
    """The same stale answer breaks the promise to client 1 but not to client 2, who wrote nothing."""
    stage, _, second, _, _ = two_writes()
    read = stage.at(5).read("B", "x", "1", 1, 1, client=client)
    assert stage.broken() == broken
    if client == "1":
        finding = next(each for each in stage.findings if each.promise == "read_your_writes")
        assert finding.operations == (second, read)
        assert finding.says == (
            "Client 1 was told at 2.00 s that x=2 happened, but its read at 5.00 s got x=1 from B."
        )


def test_reading_a_newer_write_of_another_client_is_fine() -> None:
    """Client 1's x=2 was overwritten, not missed."""
    stage, _, _, _, _ = two_writes(followers="B")
    stage.write("A", 3, 1, "x", "3", client="2", followers="B")
    stage.read("B", "x", "3", 3, 3, client="1")
    assert stage.broken() == []


def test_own_lost_write_is_missed() -> None:
    """The client was told OK, and the new leader shows the value before."""
    stage, _, second, _, _ = two_writes()
    stage.kill("A")
    stage.lead("B", 2)
    read = stage.read("B", "x", "1", 1, 1)
    assert next(each for each in stage.findings if each.promise == "read_your_writes").operations == (
        second,
        read,
    )


def test_own_write_during_the_read_promises_nothing() -> None:
    """It was not acknowledged when the read was called."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="B")
    read = stage.call("read", "x", target="B")
    stage.write("A", 2, 1, "x", "2")
    stage.answer(read, "B", "1", 1, 1)
    stage.end(read, value="1", node="B", version=1)
    assert stage.broken() == []


# --- monotonic reads ----------------------------------------------------------------------------------


def test_reading_new_then_old_goes_back_in_time() -> None:
    """By one client; by two clients nobody is promised anything."""
    for second_reader, is_broken in (("2", True), ("3", False)):
        stage, _, _, _, _ = two_writes()
        first = stage.at(4).read("A", "x", "2", 2, 2, client="2")
        second = stage.at(5).read("B", "x", "1", 1, 1, client=second_reader)
        assert ("monotonic_reads" in stage.broken()) is is_broken
        if is_broken:
            finding = next(each for each in stage.findings if each.promise == "monotonic_reads")
            assert finding.operations == (first, second)
            assert finding.says == (
                "Client 2 read x=2 from A at 4.00 s, then x=1, which is older, from B at 5.00 s."
            )


def test_reading_old_then_new_is_fine() -> None:
    """The mirror image."""
    stage, _, _, _, _ = two_writes()
    stage.read("B", "x", "1", 1, 1, client="2")
    stage.read("A", "x", "2", 2, 2, client="2")
    assert "monotonic_reads" not in stage.broken()


def test_what_was_seen_stays_seen_over_many_terms() -> None:
    """The walk from the newest entry back to the one seen passes every term in between."""
    stage = started()
    stage.write("A", 1, 1, "x", "1", followers="BC")
    stage.read("A", "x", "1", 1, 1, client="2")
    for term in (2, 3, 4, 5):
        node = "ABC"[term % 3]
        stage.lead(node, term)
        stage.receive("ABC".replace(node, ""), stage.append(node, term, term, None))
    stage.read("B", "x", "1", 1, 5, client="2")
    partition = stage.judges.cluster.partitions[0]
    first, last = partition.records[(1, 1)], partition.records[(5, 5)]
    assert partition.follows(last, first)
    assert not partition.follows(first, last)
    assert stage.broken() == []


def test_overlapping_reads_are_not_compared() -> None:
    """Two reads under way at once may be answered in any order."""
    stage, _, _, _, _ = two_writes()
    first = stage.call("read", "x", client="2", target="A")
    second = stage.call("read", "x", client="2", target="B")
    stage.answer(first, "A", "2", 2, 2)
    stage.end(first, value="2", node="A", version=2, client="2")
    stage.answer(second, "B", "1", 1, 1)
    stage.end(second, value="1", node="B", version=1, client="2")
    assert "monotonic_reads" not in stage.broken()


def test_value_gone_with_its_leader_goes_back_unless_it_was_replaced() -> None:
    """x=2 is seen, lost, and then x=1 again (back) or x=9, written later (not back)."""
    for replaced in (False, True):
        stage, _, _, _, _ = two_writes()
        stage.read("A", "x", "2", 2, 2, client="2")
        stage.kill("A")
        stage.lead("B", 2)
        if replaced:
            stage.write("B", 2, 2, "x", "9", client="3")
            stage.read("B", "x", "9", 2, 2, client="2")
        else:
            stage.read("B", "x", "1", 1, 1, client="2")
        assert ("monotonic_reads" in stage.broken()) is not replaced
        assert ("consistent_prefix" in stage.broken()) is replaced, "no log ever held both x=2 and x=9"


# --- monotonic writes ---------------------------------------------------------------------------------


def test_later_write_without_the_earlier_one() -> None:
    """x=2 was lost; the same client's y=3 stands in the log without it. Another client's may."""
    for client, is_broken in (("1", True), ("2", False)):
        stage, _, second, _, _ = two_writes()
        stage.kill("A")
        stage.lead("B", 2)
        third, _ = stage.write("B", 2, 2, "y", "3", client=client)
        assert ("monotonic_writes" in stage.broken()) is is_broken
        if is_broken:
            finding = next(each for each in stage.findings if each.promise == "monotonic_writes")
            assert finding.operations == (second, third)
            assert finding.says == (
                "Client 1 wrote x=2 and then y=3; the log of B has y=3 without x=2, which was lost."
            )


def test_write_under_way_when_the_other_was_lost_is_not_compared() -> None:
    """It was called before the lost one had been acknowledged."""
    stage = started()
    first = stage.call("write", "x", "1")
    second = stage.call("write", "y", "2")
    stage.append("A", 1, 1, first)
    stage.end(first)
    stage.lead("B", 2)
    stage.append("B", 1, 2, second)
    assert list(stage.judges.lost) == [first]
    assert "monotonic_writes" not in stage.broken()


def test_retry_that_comes_late_undoes_the_later_write() -> None:
    """Without idempotent retries x=1 is appended once more, after x=2 by the same client."""
    stage, first, second, _, _ = two_writes()
    stage.append("A", 3, 1, first)
    finding = next(each for each in stage.findings if each.promise == "monotonic_writes")
    assert finding.operations == (first, second)
    assert finding.says == (
        "Client 1 wrote x=1 and then x=2, but a retry put x=1 into the log of A once more, after it."
    )


def test_retry_that_comes_before_the_later_write_is_harmless() -> None:
    """Twice in a row, then x=2: the order of the writes is kept."""
    stage = started()
    first, _ = stage.write("A", 1, 1, "x", "1")
    stage.append("A", 2, 1, first)
    stage.write("A", 3, 1, "x", "2")
    assert "monotonic_writes" not in stage.broken()


# --- writes follow reads ------------------------------------------------------------------------------


def test_write_without_what_its_writer_had_read() -> None:
    """Client 2 read x=2, which the new leader never had, and then wrote to it."""
    stage, _, _, _, _ = two_writes()
    read = stage.read("A", "x", "2", 2, 2, client="2")
    stage.kill("A")
    stage.lead("B", 2)
    write, _ = stage.write("B", 2, 2, "y", "7", client="2")
    finding = next(each for each in stage.findings if each.promise == "writes_follow_reads")
    assert finding.operations == (read, write)
    assert finding.says == (
        "Client 2 read x=2 from A and then wrote y=7; the log of B has y=7 without the x=2 it follows."
    )


def test_dirty_read_before_a_write_to_the_new_leader() -> None:
    """The same through a deposed leader that still answers."""
    stage, _, _, _, _ = two_writes()
    stage.lead("B", 2)
    stage.read("A", "x", "2", 2, 2, client="2")
    stage.write("B", 2, 2, "y", "7", client="2")
    assert "writes_follow_reads" in stage.broken()


def test_write_that_follows_what_was_read_is_fine() -> None:
    """The mirror image: the new leader has what was read."""
    stage, _, _, _, _ = two_writes(followers="B")
    stage.read("A", "x", "2", 2, 2, client="2")
    stage.kill("A")
    stage.lead("B", 2)
    stage.write("B", 3, 2, "y", "7", client="2")
    assert "writes_follow_reads" not in stage.broken()


# --- consistent prefix --------------------------------------------------------------------------------


def question_and_answer() -> tuple[Stage, LogEntry, LogEntry]:
    """question=1 is written first, then answer=1; B has neither."""
    stage = started()
    _, question = stage.write("A", 1, 1, "question", "1")
    _, answer = stage.write("A", 2, 1, "answer", "1")
    return stage, question, answer


def test_answer_before_the_question() -> None:
    """Client 2 sees the answer on A, and then no question on B."""
    stage, _, _ = question_and_answer()
    first = stage.read("A", "answer", "1", 2, 2, client="2")
    second = stage.read("B", "question", None, 0, 0, client="2")
    finding = next(each for each in stage.findings if each.promise == "consistent_prefix")
    assert finding.operations == (first, second)
    assert finding.says == (
        "Client 2 read answer=1 from A, then no question from B, which misses question=1: that was "
        "written before answer=1."
    )
    assert "monotonic_reads" not in stage.broken(), "it never saw either key go back"


def test_question_before_the_answer_is_fine() -> None:
    """The mirror image: a lagging node shows less, but nothing out of order."""
    stage, _, _ = question_and_answer()
    stage.read("A", "question", "1", 1, 2, client="2")
    stage.read("B", "answer", None, 0, 0, client="2")
    assert "consistent_prefix" not in stage.broken()


def test_missing_what_came_later_than_the_answer_is_fine() -> None:
    """B misses question=2, but that was written after the answer that was seen."""
    stage = started()
    stage.write("A", 1, 1, "question", "1", followers="B")
    stage.write("A", 2, 1, "answer", "1")
    stage.write("A", 3, 1, "question", "2")
    stage.read("A", "answer", "1", 2, 3, client="2")
    stage.read("B", "question", "1", 1, 1, client="2")
    assert "consistent_prefix" not in stage.broken()


def test_cas_that_changed_nothing_is_not_missed() -> None:
    """An entry without effect is not a write that a reader could see."""
    stage = started()
    stage.write("A", 1, 1, "question", "1", followers="B")
    cas = stage.call("cas", "question", "9", expected="7")
    entry = stage.append("A", 2, 1, cas)
    stage.apply("A", entry, changed=False, found="1")
    stage.end(cas, "failed", value="1")
    stage.write("A", 3, 1, "answer", "1")
    stage.read("A", "answer", "1", 3, 3, client="2")
    stage.read("B", "question", "1", 1, 1, client="2")
    assert "consistent_prefix" not in stage.broken()


def test_after_a_restart_a_deleted_key_still_counts_as_seen() -> None:
    """The rebuilt store no longer names the entry that deleted the key; the log does."""
    stage = started()
    stage.write("A", 1, 1, "x", "1")
    delete = stage.call("delete", "x")
    entry = stage.append("A", 2, 1, delete)
    stage.apply("A", entry)
    stage.end(delete)
    stage.kill("A")
    stage.restart("A")
    stage.say(events.StoreRebuilt("A", 0, 2, 2, ()))
    stage.lead("A", 1, "resumed")
    stage.read("A", "x", None, 0, 2)
    stage.read("A", "x", None, 0, 2)
    assert stage.broken() == []


# --- what there is to judge ---------------------------------------------------------------------------


def open_promises(stage: Stage) -> set[str]:
    """What no run so short can have kept or broken."""
    return {key for key, verdict in stage.judges.verdicts().items() if verdict.held is None}


def test_a_promise_without_an_occasion_is_neither_kept_nor_broken() -> None:
    """One after another gets its occasion; nothing counts for another client."""
    stage = started()
    sessions = {
        "read_your_writes",
        "monotonic_reads",
        "consistent_prefix",
        "monotonic_writes",
        "writes_follow_reads",
    }
    always = {"acknowledged_is_committed"}  # Asynchronous replication does not promise it.
    assert open_promises(stage) == sessions | always | {"bounded_staleness"}
    for _ in range(2):  # Who found nothing has nothing to lose sight of.
        stage.read("A", "x", None, 0, 0, client="3")
    assert open_promises(stage) == sessions | always
    stage.write("A", 1, 1, "x", "1", followers="BC")
    stage.read("A", "x", "1", 1, 1, client="2")
    assert open_promises(stage) == sessions | always
    stage.read("A", "x", "1", 1, 1, client="2")
    assert open_promises(stage) == {"read_your_writes", "monotonic_writes", "writes_follow_reads"} | always
    stage.read("A", "x", "1", 1, 1)
    assert open_promises(stage) == {"monotonic_writes", "writes_follow_reads"} | always
    stage.write("A", 2, 1, "y", "2", followers="BC")
    assert open_promises(stage) == always
    assert stage.broken() == []
    says = stage.judges.verdicts()["acknowledged_is_committed"].says
    assert says.startswith("Nothing to judge yet: no write has been acknowledged under quorum or sync")
