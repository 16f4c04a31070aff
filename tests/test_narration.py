"""The narrator: what is told of real runs, that it is true, and what is left out."""

from __future__ import annotations

import re

import pytest

from server.cluster import events
from server.narration import Narrator, Telling
from server.narration.words import counted, listed, spoken
from tests.stories import SECOND, Story

# --- one write, from asking to commitment --------------------------------------------------------


def test_asynchronous_write_is_acknowledged_before_it_is_committed() -> None:
    """The three facts are told apart, in the order in which they happen."""
    story = Story().play("write x 1", 3)
    assert story.sentences == [
        "Client 1 asks A to write x=1.",
        "A puts x=1 into its log, as entry 1.",
        "A answers OK to x=1. It knows of no other copy yet.",
        "Client 1 has its OK for x=1, after 644 ms.",
        "x=1 is committed: every node holds it.",
    ]
    acknowledged, committed = story.of("write.acknowledged")[0], story.of("commit.advanced")[0]
    assert acknowledged.precise == "A acknowledges entry 1 (term 1), not committed yet; held by A."
    assert committed.precise == "A commits up to entry 1 (term 1)."
    assert (acknowledged.tone, committed.tone) == ("good", "good")


def test_quorum_write_is_committed_before_it_is_acknowledged() -> None:
    """And the answer names who holds it."""
    story = Story(replication="quorum").play("write x 1", 3)
    names = [told.event.name for told in story.told]
    assert names.index("commit.advanced") < names.index("write.acknowledged")
    assert story.of("write.acknowledged")[0].plain in (
        "A answers OK to x=1: A and B hold it.",
        "A answers OK to x=1: A and C hold it.",
        "A answers OK to x=1: A, B and C hold it.",
    )


def test_commitment_names_the_majority_that_holds_it() -> None:
    """A dead follower is not among them."""
    story = Story().play("kill C", "write x 1", 3)
    assert "x=1 is committed: A and B hold it, a majority of 3." in story.sentences
    story = Story().play("latency A -> C 5s", "write x 1", 3)
    assert "x=1 is committed: A and B hold it, a majority of 3." in story.sentences


def test_a_copy_in_memory_alone_does_not_count() -> None:
    """Neither a new entry that waits for the disk, nor one in the place of a discarded entry."""
    story = Story().play("set flush 5s on C", "latency A -> B 1s", "write x 1", 3)
    assert "x=1 is committed: A and B hold it, a majority of 3." in story.sentences
    story = Story(failover="manual").play("write x 1", 3, "cut A B", "cut A C", "write x 2", 1, "promote B")
    story.play("set flush 5s on A", "latency B -> C 2s", "heal A B", "write x 3 to B", 5)
    assert "A discards x=2: the leader's log does not have it." in story.sentences
    assert "x=3 is committed: B and C hold it, a majority of 3." in story.sentences


def test_nothing_routine_is_told() -> None:
    """An idle cluster is silent: no heartbeat, reply, flush or timer is worth a sentence."""
    assert Story().play(30).sentences == []


def test_dense_background_traffic_is_told_only_when_it_fails() -> None:
    """Twenty writes a second are not twenty stories a second; slow traffic is, and so is trouble."""
    story = Story().play("load writes 20/s", 5, "load stop", 3)
    assert story.sentences == [
        "Client 1 now writes in the background, about 20 times a second.",
        "Client 1 stops its background writes.",
    ]
    story = Story().play("load writes 20/s", 1, "write special 1", 2)
    asked = [text for text in story.sentences if " asks " in text]
    assert asked == ["Client 1 asks A to write special=1."]
    story = Story(failover="manual", operation_timeout=SECOND).play("load writes 5/s", 1, "kill A", 3)
    assert any("it may or may not have happened" in text for text in story.sentences)
    assert (
        "Client 1 now reads in the background, about every 2 s." in Story().play("load reads 0.5/s").sentences
    )


# --- reads, refusals, retries --------------------------------------------------------------------


def test_read_is_answered_from_one_nodes_own_store() -> None:
    """What a node holds is told as its own; whether it is stale is for the judges."""
    story = Story().play("write x 1", 3, "read x from C", 1, "read nothing from B", 1)
    assert "C looks up x: it holds 1 here." in story.sentences
    assert "Client 1 reads x = 1, from C, after 620 ms." in story.sentences
    assert "B looks up nothing: it holds nothing here." in story.sentences
    assert any("reads that nothing holds nothing" in text for text in story.sentences)
    assert story.of("read.answered")[0].precise == "C has applied its log up to 1; the value is from entry 1."


def test_a_read_that_is_held_back_says_what_it_waits_for() -> None:
    """Told once, however often the node looks again: session token, bound, proof."""
    away = ("cut A C", "write x 1", 3, "read x from A", 2, "read x from C", 4)
    story = Story(session="monotonic-reads", failover="manual").play(*away)
    held_back = "C holds the read of x back: client 1 has seen entry 1, and C has applied 0."
    assert story.sentences.count(held_back) == 1
    assert (
        story.of("read.deferred")[0].precise
        == "C has applied its log up to 0; the token of the session is 1."
    )
    story = Story(session="bounded-staleness", failover="manual").play("cut A C", 20, "read x from C", 4)
    assert any(
        text.startswith("C holds the read of x back: nothing that reached it") for text in story.sentences
    )
    story = Story(leader_reads="read-index").play("write x 1", 3, "read x", 4)
    assert "Before A answers the read of x, a majority must confirm that it still leads." in story.sentences
    assert story.of("read.deferred")[0].precise == (
        "A has applied its log up to 1; its answer must show entry 1 at least."
    )
    assert Story().play("write x 1", 3, "read x from C", 2, "read x", 2).of("read.deferred") == []


def test_refusal_sends_the_client_to_the_leader() -> None:
    """Refused and redirected, then accepted."""
    story = Story().play("write x 1 to B", 2)
    assert story.sentences[1:4] == [
        "B is not the leader and sends client 1 on to A.",
        "Client 1 turns to A instead, with x=1.",
        "A puts x=1 into its log, as entry 1.",
    ]


def test_compare_and_set_that_fails_says_what_it_found() -> None:
    """An entry that changes nothing is told as such."""
    story = Story().play("write x 1", 3, "cas x 9 2", 3, "cas y none 1", 3, "delete x", 3)
    assert "Client 1 asks A to make x 2 if it holds 9." in story.sentences
    assert "x:9→2 changes nothing: x holds 1, not 9." in story.sentences
    assert "Client 1 learns that x:9→2 did not happen: the key held 1." in story.sentences
    assert "Client 1 asks A to make y 1 if it holds nothing." in story.sentences
    assert "Client 1 has its OK for y:∅→1, after" in " ".join(story.sentences)
    assert "The delete of x is committed: every node holds it." in story.sentences


def test_whom_a_write_waits_for_is_named() -> None:
    """A dead follower blocks a synchronous write: said when it dies, and at every step of the write."""
    story = Story(replication="sync").play("kill C", "write x 1", 6)
    assert story.sentences == [
        "C is dead; 2 of 3 nodes still run. Under sync every write to A now waits for it.",
        "Client 1 asks A to write x=1.",
        "A puts x=1 into its log, as entry 1. The OK has to wait for C (dead).",
        "x=1 is committed: A and B hold it, a majority of 3. The OK still waits for C (dead).",
        "Client 1 gives up on x=1 after 5 s: it may or may not have happened. It waited for C (dead).",
    ]
    story = Story(replication="quorum").play("kill C", "cut A B", "write x 1", 2)
    assert any("has to wait for B (cut off) and C (dead)." in text for text in story.sentences)
    story = Story(replication="quorum").play("kill C", "write x 1", 3)
    assert not any("wait" in text for text in story.sentences)


def test_a_copy_that_outlives_its_leader_is_told() -> None:
    """Killing a leader right after its OK loses nothing while the copies are on their way."""
    story = Story().play("write x 1", 0.4, "kill A")
    assert story.sentences[-1] == (
        "A is dead. It was the leader, so no write can succeed until a node leads again. "
        "x=1 is still on the way to B and C."
    )
    story = Story().play("cut A B", "cut A C", "write x 1", 0.4, "kill A")
    assert story.sentences[-1].endswith("until a node leads again.")


def test_a_client_that_asks_a_dead_node_does_not_know_it() -> None:
    """It goes on asking the leader it knew."""
    story = Story().play("kill A", "read x by 2", 1)
    assert "Client 2 asks A to read x. It does not know that A is dead." in story.sentences


def test_silence_is_told_as_doubt_and_refusal_as_certainty() -> None:
    """`unknown` may have happened; `failed` certainly did not."""
    story = Story(failover="manual").play("kill A", "write x 1", 6)
    assert "Client 1 gives up on x=1 after 5 s: it may or may not have happened." in story.sentences
    story = Story(retries=0).play("partition client 1 | A B C", "read x", 6)
    story.play(60)
    assert any(
        re.fullmatch(r"Client 1 gives up on the read of x after \d+ s: no answer came\.", text)
        for text in story.sentences
    )
    started = events.OperationStarted(1, "1", "write", "x", "1", None, "A")
    ended = events.OperationEnded(1, "1", "failed", None, 0, None)
    narrator = Narrator()
    for sequence, event in enumerate((started, ended)):
        event.sequence, event.at_us, event.cause = sequence, sequence * SECOND, None
    narrator.tell(started)
    telling = narrator.tell(ended)
    assert telling is not None
    assert (
        telling.plain
        == "Client 1 gives up on x=1: every node it asked refused, so it certainly did not happen."
    )


def test_retry_is_recognised_and_not_added_twice() -> None:
    """An answer that got lost, a second try, one entry."""
    story = Story(retries=1, operation_timeout=2 * SECOND)
    story.play("drop next ok A -> client 1", "write x 1", 4)
    assert "The next ok message from A to client 1 will be lost." in story.sentences
    assert "The OK from A to client 1 is dropped, as asked." in story.sentences
    assert any(text.startswith("Client 1 got no answer and sends x=1 again, to ") for text in story.sentences)
    assert "A recognises x=1 as entry 1 and does not add it again." in story.sentences


# --- elections -----------------------------------------------------------------------------------


def test_failover_tells_silence_votes_and_majority() -> None:
    """Who stood and why, who voted, and what that made."""
    story = Story().play("write x 1", 3, "kill leader", 8)
    leader = story.simulation.leader()
    assert leader is not None
    new, other = ("B", "C") if leader.name == "B" else ("C", "B")
    told = [text for text in story.sentences if "term 2" in text]
    assert told[0].startswith(f"{new} heard no leader for ")
    assert told[0].endswith(" s and stands for election in term 2.")
    assert told[1:] == [
        f"{other} votes for {new} in term 2: {new}'s log is at least as complete.",
        f"{new} received votes from {new} and {other}, a majority of 3, and became leader of term 2.",
    ]
    assert (
        "A is dead. It was the leader, so no write can succeed until a node leads again." in story.sentences
    )
    assert f"{other} hears from {new} and follows it." in story.sentences
    assert [telling.tone for telling in story.of("vote.granted")] == ["vote"]


def test_silence_is_measured_from_the_last_message_of_a_leader() -> None:
    """The length that is told is the length that was."""
    story = Story().play(10, "kill A", 1, "read x from B", "read x from C", 8)
    started = next(told for told in story.told if told.event.name == "election.started")
    node = started.event.node  # type: ignore[attr-defined]
    sent = {
        each.message_id: each.message
        for each in story.simulation.trace
        if isinstance(each, events.MessageSent)
    }
    heard = [
        each
        for each in story.simulation.trace
        if isinstance(each, events.MessageDelivered)
        and each.target == node
        and each.at_us < started.event.at_us
        and sent[each.message_id].kind in ("append", "heartbeat")
    ]
    assert f"for {spoken(started.event.at_us - heard[-1].at_us)} and" in started.telling.plain


def test_refused_votes_say_why() -> None:
    """A log that is behind, and a vote that is already given."""
    story = Story(seed=1).play("cut A C", "cut B C", "write x 1", 3, "kill A", 9, "heal", 12)
    assert any(
        text
        in (
            "B refuses C its vote: C's log ends at entry 0, its own at 1.",
            "B refuses C its vote: C's last entry is of term 0, its own of term 1.",
        )
        for text in story.sentences
    ), story.sentences
    split = Story(seed=3, nodes=5, election_timeout_min=3 * SECOND, election_timeout_max=3 * SECOND)
    split.play("kill A", 10)
    assert any("its vote: it has voted for itself in this term." in text for text in split.sentences)
    assert any(" of the 3 it needs." in text or "tries again" in text for text in split.sentences)


def test_promoting_a_stale_node_says_what_it_lacks() -> None:
    """The operator may err, and the sentence says by how much."""
    story = Story(failover="manual").play("cut A C", "write x 1", 3, "write x 2", 3, "kill A", "promote C")
    telling = story.of("leader.started")[-1]
    assert telling.plain == "The operator makes C leader of term 2. It lacks 2 entries that A holds."
    assert telling.tone == "bad"
    story = Story(failover="manual").play("write x 1", 3, "cut A B", "cut A C", "write x 2", 1, "promote B")
    story.play("write x 3 to B", 3, "promote A")
    told = story.of("leader.started")[-1].plain
    assert told == "The operator makes A leader of term 3. It lacks 1 entry that B holds."
    story = Story(failover="manual").play("write x 1", 3, "kill A", "promote C")
    assert story.of("leader.started")[-1] == Telling(
        "The operator makes C leader of term 2.", "C leads term 2 (promoted); its log ends at 1.", "good"
    )


def test_old_leader_steps_down_and_discards() -> None:
    """A pause that nobody noticed, and a tail that the new leader does not have."""
    story = Story(failover="manual").play("write x 1", 3, "write x 2", 0.5, "pause A", "promote B", 2)
    story.play("write x 3 to B", 3, "resume A", 4)
    assert "A stands still and does not notice: it still believes that it leads." in story.sentences
    assert (
        "A runs again and takes what arrived meanwhile. It still believes that it leads." in story.sentences
    )
    assert "A learns of term 2, newer than its own: it stops leading and follows." in story.sentences
    assert "A discards x=2: the leader's log does not have it." in story.sentences


def test_planned_switchover_and_its_end() -> None:
    """Handing over, standing at once, and what happens when the successor never does."""
    story = Story().play("write x 1", 3, "switchover C", 3)
    assert "A hands over to C: no new writes until C has caught up." in story.sentences
    assert "A told C to take over, so C stands for election in term 2." in story.sentences
    story = Story(failover="manual").play("switchover C", 3)
    assert "A stops leading, so that its successor can take over." in story.sentences
    assert "C takes over as planned and leads term 2." in story.sentences
    story = Story().play("cut A C", "switchover C", "write x 1", 3, "write x 2", 9)
    assert "C did not take over, so A takes writes again." in story.sentences or story.of("leader.started")


def test_manual_restart_and_rejoin() -> None:
    """A restarted leader goes on; an operator makes it follow."""
    story = Story(failover="manual").play("write x 1", 3, "kill A", 1, "restart A", 1)
    assert "A is up again with the 1 entry on its disk." in story.sentences
    assert "A goes on leading term 1: as far as it knows, nobody replaced it." in story.sentences
    story = Story(failover="manual").play("partition A | B C", "promote B", 1, "rejoin A")
    assert "A stops leading and will follow, as the operator asked." in story.sentences


def test_crash_tells_what_had_not_reached_the_disk() -> None:
    """What memory held is gone, and named."""
    story = Story(flush=SECOND).play("write x 1", "write y 2", 0.5, "kill A")
    gone = story.of("log.truncated")[0]
    assert gone.plain == "x=1 and y=2 had not reached A's disk and are gone from it."
    assert gone.precise == "A loses entries 1 to 2 (crash): x=1 and y=2."
    assert gone.tone == "bad"


# --- network and settings ------------------------------------------------------------------------


def test_network_changes_are_told_once_each() -> None:
    """A command that changes two directions, or many links, is one sentence."""
    story = Story().play(
        "cut A B",
        "heal A B",
        "cut A -> C",
        "partition A client 1 | B C",
        "heal",
        "latency A -> B 400ms",
        "latency B C 1s",
        "latency all 50ms",
        "loss A B 20%",
        "loss all 5%",
    )
    assert story.sentences == [
        "The link between A and B is cut: nothing gets through.",
        "The link between A and B works again.",
        "The link from A to C is cut: nothing gets through.",
        "The network splits: A and client 1 on one side, B and C on the other.",
        "Every link works again, without loss and at its usual speed.",
        "Messages from A to B now take 400 ms.",
        "Messages between B and C now take 1 s.",
        "The setting latency is 50 ms now.",
        "20% of the messages between A and B get lost from now on.",
        "From now on 5% of the messages between the nodes get lost.",
    ]
    assert "The network splits into 3 parts: A | B | C." in Story().play("partition A | B | C").sentences


def test_a_cut_that_swallows_entries_is_told_once_until_it_is_healed() -> None:
    """The leader tries again every heartbeat; that is no news."""
    story = Story(failover="manual").play("cut A B", "write x 1", 6)
    swallowed = "The append x=1 from A to B does not arrive: the link is cut."
    assert story.sentences.count(swallowed) == 1
    story.play("heal", 3, "cut A B", "write y 1", 3)
    assert "The append y=1 from A to B does not arrive: the link is cut." in story.sentences
    assert story.sentences.count(swallowed) == 1


def test_messages_by_hand() -> None:
    """Delay, deliver, duplicate and drop say which message it was."""
    story = Story().play("write x 1")
    in_flight = story.simulation.network.in_flight
    number = next(number for number, each in in_flight.items() if each.message.kind == "write")
    story.play(f"delay message {number} 2s", f"duplicate message {number}", f"deliver message {number}")
    assert story.sentences[1].startswith(
        "The write x=1 from client 1 to A is held up: it will arrive in 2.3 s."
    )
    assert story.sentences[2:4] == [
        "The write x=1 from client 1 to A will arrive twice.",
        "The write x=1 from client 1 to A arrives at once, as asked.",
    ]
    story = Story().play("read x")
    number = next(
        number for number, each in story.simulation.network.in_flight.items() if each.message.kind == "read"
    )
    story.play(f"drop message {number}")
    assert story.sentences[-1] == "The read of x from client 1 to A is dropped, as asked."


def test_settings_are_told_by_what_they_mean() -> None:
    """A word that a newcomer does not know is explained by what happens from now on."""
    story = Story().play(
        "set replication semi-sync",
        "set semi-sync-followers 2",
        "set replication semi-sync",
        "set replication sync",
        "set failover manual",
        "set reads C",
        "set flush 200ms on B",
        "set jitter 5",
        "set idempotent-retries off",
    )
    assert story.sentences == [
        "From now on the leader answers OK to a write once 1 follower holds it.",
        "The setting semi-sync-followers is 2 now.",
        "From now on the leader answers OK to a write once 2 followers hold it.",
        "From now on the leader answers OK to a write once every follower holds it, dead ones included.",
        "Failover is manual now: only a person can replace a dead leader.",
        "Reads go to C now.",
        "The setting flush on B is 200 ms now.",
        "The setting jitter is 5% now.",
        "Leaders do not know a repeated operation: a retry can count twice.",
    ]
    assert story.of("setting.changed")[0].precise == "replication = semi-sync"


def test_membership_changes_tell_the_new_majority() -> None:
    """A late joiner does not count before it has caught up."""
    story = Story().play("write x 1", 3, "add D", 3, "remove D", 1)
    assert story.sentences[-4:] == [
        "D joins with an empty log. It counts in no majority until it has caught up.",
        "D hears from A and follows it.",
        "D has caught up and counts from now on: a majority is 3 of 4.",
        "D has left the cluster: a majority is 2 of 3 now.",
    ]


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "0 ms"),
        (320_000, "320 ms"),
        (999_499, "999 ms"),
        (999_999, "1 s"),
        (1_500, "1.5 ms"),
        (SECOND, "1 s"),
        (3_449_000, "3.4 s"),
        (60 * SECOND, "60 s"),
    ],
)
def test_durations_for_people(time_us: int, text: str) -> None:
    """Three digits at most are said aloud."""
    assert spoken(time_us) == text


def test_lists_and_counts() -> None:
    """As people write them."""
    assert (listed(["A"]), listed(["A", "B"]), listed(["A", "B", "C"])) == ("A", "A and B", "A, B and C")
    assert (counted(1, "entry"), counted(2, "entry"), counted(1200, "vote")) == (
        "1 entry",
        "2 entries",
        "1,200 votes",
    )
