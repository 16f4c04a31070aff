"""Each rule of the replication protocol, on one replica whose messages and time the test makes by hand."""

from __future__ import annotations

import pytest

from server.cluster.events import (
    CommitAdvanced,
    ElectionStarted,
    ElectionTimerSet,
    LeaderStarted,
    LeaderStepped,
    LogFlushed,
    LogTruncated,
    VoteGranted,
    VoteRefused,
)
from server.cluster.messages import (
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from server.cluster.replica import Replica
from tests.driving import (
    MS,
    SECOND,
    HandMachine,
    agrees,
    answers,
    append,
    ask,
    changed,
    entries,
    entry,
    machine_of,
    rejects,
    replica_with,
    terms,
)


def last_reply(replica: Replica) -> AppendEntriesReply:
    reply = machine_of(replica).take_sent("A")[-1]
    assert isinstance(reply, AppendEntriesReply)
    return reply


# --- the follower's log --------------------------------------------------------------------------


def test_follower_refuses_a_gap_and_points_at_its_end() -> None:
    """Without the entry before the new ones nothing is taken (Raft §5.3, consistency check)."""
    follower = replica_with(1, 1)
    follower.receive("A", append(1, entries(1, after=4), previous=(4, 1)))
    assert last_reply(follower) == rejects(1, previous_index=4, hint=2)
    assert terms(follower) == [1, 1]


def test_follower_refuses_a_conflict_and_points_before_the_whole_conflicting_term() -> None:
    """The hint skips every entry of the conflicting term at once (Raft §5.3, last paragraphs)."""
    follower = replica_with(1, 1, 2, 2, 2)
    follower.receive("A", append(4, previous=(4, 3)))
    assert last_reply(follower) == rejects(4, previous_index=4, hint=2)
    assert terms(follower) == [1, 1, 2, 2, 2], "only an accepted message may truncate"


def test_follower_appends_what_follows_on_from_its_log() -> None:
    """Entries after a matching one are taken in order (Raft §5.3)."""
    follower = replica_with(1)
    follower.receive("A", append(2, entries(2, 2, after=1), previous=(1, 1)))
    assert terms(follower) == [1, 2, 2]


def test_follower_truncates_from_the_first_conflict_on() -> None:
    """An existing entry that conflicts goes, and all that follow it (Raft figure 2, step 3)."""
    follower = replica_with(1, 2, 2, 2)
    follower.receive("A", append(3, entries(2, 3, after=1), previous=(1, 1)))
    assert terms(follower) == [1, 2, 3]
    (truncated,) = machine_of(follower).happened(LogTruncated)
    assert (truncated.from_index, truncated.reason) == (3, "conflict")
    assert truncated.entries == (entry(3, 2), entry(4, 2))


@pytest.mark.parametrize("older", [append(1), append(1, entries(1)), append(1, entries(1, 1))])
def test_older_duplicate_append_never_truncates(older: AppendEntries) -> None:
    """A late, shorter copy of an earlier message says nothing about what came after it: truncating on
    it would lose entries whose receipt was confirmed (Raft figure 2, step 3: only on conflict)."""
    follower = replica_with(1, 1, 1)
    follower.receive("A", older)
    assert terms(follower) == [1, 1, 1]
    assert machine_of(follower).happened(LogTruncated) == []
    assert follower.log.flushed_index == 3


def test_follower_refuses_an_older_term_and_shows_the_newer_one() -> None:
    """Messages of a deposed leader change nothing and tell it so (Raft §5.1)."""
    follower = replica_with(2)
    follower.receive("A", append(1, entries(1, after=1), previous=(1, 2), commit=1))
    assert last_reply(follower) == rejects(2, previous_index=1, hint=0)
    assert (terms(follower), follower.commit_index, follower.leader) == ([2], 0, None)


def test_follower_commits_no_further_than_it_agrees_with_the_leader() -> None:
    """The leader's commit index says nothing about a tail that was not compared (Raft figure 2, step 5:
    min of the commit index and the last new entry)."""
    follower = replica_with(1, 1, 1)
    follower.receive("A", append(2, previous=(1, 1), commit=3))
    assert follower.commit_index == 1
    assert last_reply(follower).received_index == 1, "what was not compared is not vouched for"


def test_follower_forgets_in_a_new_term_how_far_it_matched() -> None:
    """Agreement was with the old leader: vouching for it to the next one counts a copy that is not there,
    and an entry would be committed that a majority does not hold (Raft §5.3)."""
    follower = replica_with()
    follower.receive("A", append(1, entries(1, 1)))
    machine_of(follower).pass_time(SECOND)
    follower.receive("C", append(2, previous=(1, 1), commit=2))
    reply = machine_of(follower).take_sent("C")[-1]
    assert reply == agrees(2, received=1, applied=1)
    assert follower.commit_index == 1


# --- when the follower answers -------------------------------------------------------------------


def test_follower_answers_once_flushed() -> None:
    """At level `flushed` a copy counts on disk only: silence until then (Raft figure 2, persistence)."""
    follower = replica_with(level="flushed")
    machine = machine_of(follower)
    follower.receive("A", append(1, entries(1)))
    machine.pass_time(50 * MS - 1)
    assert machine.take_sent() == []
    machine.pass_time(1)
    assert machine.take_sent() == [agrees(1, received=1, flushed=1)]


def test_follower_answers_at_once_at_level_received() -> None:
    """At level `received` memory is enough; the reply still says what is on disk."""
    follower = replica_with(level="received")
    follower.receive("A", append(1, entries(1)))
    assert machine_of(follower).take_sent() == [agrees(1, received=1, flushed=0)]


def test_follower_answers_again_once_applied() -> None:
    """At level `applied` the leader hears of the flush and of the moment it can be read."""
    follower = replica_with(level="applied", replication="sync")
    machine = machine_of(follower)
    follower.receive("A", append(1, entries(1)))
    machine.pass_time(70 * MS)
    assert machine.take_sent() == [agrees(1, 1, 1, applied=0), agrees(1, 1, 1, applied=1)]


def test_heartbeat_is_answered_at_once() -> None:
    """A heartbeat brings nothing to flush; its answer tells the leader how far this log agrees."""
    follower = replica_with(1)
    follower.receive("A", append(1, previous=(1, 1)))
    assert machine_of(follower).take_sent() == [agrees(1, received=1)]


def test_entries_that_come_during_a_flush_wait_for_the_next_one() -> None:
    """Group commit: a running flush vouches for what it began with and for nothing else."""
    follower = replica_with()
    machine = machine_of(follower)
    follower.receive("A", append(1, entries(1)))
    machine.pass_time(30 * MS)
    follower.receive("A", append(1, entries(1, 1, after=1), previous=(1, 1)))
    machine.pass_time(20 * MS)
    assert machine.take_sent() == [agrees(1, received=3, flushed=1)]
    machine.pass_time(50 * MS)
    assert machine.take_sent() == [agrees(1, received=3, applied=1)]
    assert [event.index for event in machine.happened(LogFlushed)] == [1, 3]


def test_flush_cancelled_by_a_truncation_never_vouches_for_new_entries() -> None:
    """The disk was writing entries that no longer exist: what replaces them needs a flush of its own."""
    follower = replica_with(1)
    machine = machine_of(follower)
    follower.receive("A", append(1, entries(1, 1, after=1), previous=(1, 1)))
    machine.pass_time(30 * MS)
    follower.receive("C", append(2, entries(2, 2, after=1), previous=(1, 1)))
    machine.pass_time(49 * MS)
    assert follower.log.flushed_index == 1
    assert machine.take_sent() == []
    machine.pass_time(1 * MS)
    assert machine.take_sent("C") == [agrees(2, received=3)]


# --- votes ---------------------------------------------------------------------------------------


def vote(follower: Replica, term: int, last: tuple[int, int], candidate: str = "A") -> RequestVoteReply:
    """Ask for a vote with a log whose last entry is (index, term)."""
    follower.receive(candidate, RequestVote(term, *last))
    reply = machine_of(follower).take_sent(candidate)[-1]
    assert isinstance(reply, RequestVoteReply)
    return reply


def test_one_vote_a_term() -> None:
    """Whoever has promised its vote refuses every rival, and repeats the promise when asked again
    (Raft §5.2: first come, first served; the answer may have been lost)."""
    follower = replica_with()
    assert vote(follower, 2, (0, 0), "A").granted
    assert not vote(follower, 2, (5, 1), "C").granted
    assert vote(follower, 2, (0, 0), "A").granted
    assert machine_of(follower).happened(VoteRefused)[0].reason == "already voted"


def test_new_term_brings_a_new_vote() -> None:
    """The promise is for one term only (Raft §5.2)."""
    follower = replica_with()
    assert vote(follower, 2, (0, 0), "A").granted
    assert vote(follower, 3, (0, 0), "C") == RequestVoteReply(3, True)


@pytest.mark.parametrize(
    ("last", "is_granted"),
    [((3, 2), True), ((4, 2), True), ((1, 3), True), ((2, 2), False), ((9, 1), False)],
    ids=["same", "longer", "newer term though shorter", "shorter", "older term though longer"],
)
def test_vote_only_for_a_log_as_complete_as_ones_own(last: tuple[int, int], is_granted: bool) -> None:
    """The later last term wins, then the longer log (Raft §5.4.1)."""
    follower = replica_with(1, 2, 2)
    assert vote(follower, 4, last).granted == is_granted
    if not is_granted:
        assert machine_of(follower).happened(VoteRefused)[0].reason == "log is behind"


def test_higher_term_is_adopted_even_when_the_vote_is_refused() -> None:
    """Terms are adopted from every message (Raft §5.1); the vote of that term stays free."""
    follower = replica_with(1, 1)
    assert vote(follower, 7, (1, 1), "A") == RequestVoteReply(7, False)
    assert follower.term == 7
    assert vote(follower, 7, (2, 1), "C").granted


def test_vote_for_an_older_term_is_refused_with_the_newer_one() -> None:
    """So that the candidate gives up (Raft §5.1)."""
    follower = replica_with(3)
    assert vote(follower, 2, (9, 2)) == RequestVoteReply(3, False)
    assert machine_of(follower).happened(VoteRefused)[0].reason == "older term"


def test_late_joiner_does_not_vote() -> None:
    """A node that has not caught up counts in no majority (Raft thesis §4.2.1)."""
    follower = replica_with()
    machine_of(follower).is_voter = False
    assert not vote(follower, 2, (0, 0)).granted


def test_granted_vote_puts_ones_own_election_off_and_a_refused_one_does_not() -> None:
    """The candidate gets time to win; a useless one gets none (Raft §5.2)."""
    follower = replica_with(1)
    machine = machine_of(follower)
    follower.receive("A", append(1, previous=(1, 1)))
    machine.pass_time(1 * SECOND)
    vote(follower, 2, (0, 0), "C")
    assert machine.happened(ElectionTimerSet)[-1].fires_at_us == 3 * SECOND
    vote(follower, 2, (1, 1), "A")
    assert machine.happened(ElectionTimerSet)[-1].fires_at_us == 4 * SECOND


# --- silence -------------------------------------------------------------------------------------


def test_follower_stands_when_the_leader_is_silent() -> None:
    """After the election timeout without a sign of the leader, a candidate asks everyone (Raft §5.2)."""
    follower = replica_with(1, 1)
    machine = machine_of(follower)
    machine.pass_time(3 * SECOND - 1)
    assert machine.happened(ElectionStarted) == []
    machine.pass_time(1)
    assert (follower.role.name, follower.term, follower.voted_for) == ("candidate", 2, "B")
    assert machine.sent == [("A", RequestVote(2, 2, 1)), ("C", RequestVote(2, 2, 1))]


def test_sign_of_the_leader_starts_the_silence_over() -> None:
    """Heartbeats prevent elections (Raft §5.2)."""
    follower = replica_with()
    machine = machine_of(follower)
    machine.pass_time(2 * SECOND)
    follower.receive("A", append(1))
    machine.pass_time(3 * SECOND - 1)
    assert follower.role.name == "follower"
    machine.pass_time(1)
    assert follower.role.name == "candidate"


def test_message_of_a_deposed_leader_does_not_start_the_silence_over() -> None:
    """Only the leader of the present term keeps its followers (Raft §5.2)."""
    follower = replica_with(2)
    machine = machine_of(follower)
    machine.pass_time(2 * SECOND)
    follower.receive("A", append(1))
    machine.pass_time(1 * SECOND)
    assert follower.role.name == "candidate"


def test_shorter_silence_than_the_one_before_is_kept_too() -> None:
    """The announced moment counts, also when an earlier and longer wait has not ended: what the ring shows
    is when the election starts."""
    follower = replica_with()
    machine = machine_of(follower)
    machine.settings = changed(election_timeout_min=1 * SECOND)
    machine.pass_time(1 * SECOND)
    follower.receive("A", append(1))
    announced_us = machine.happened(ElectionTimerSet)[-1].fires_at_us
    assert announced_us == 2 * SECOND
    machine.pass_time(1 * SECOND)
    assert follower.role.name == "candidate"


def test_nobody_stands_under_manual_failover() -> None:
    """A person decides, however long the silence."""
    follower = replica_with(failover="manual")
    machine_of(follower).pass_time(600 * SECOND)
    assert (follower.role.name, follower.term) == ("follower", 1)


# --- the candidate -------------------------------------------------------------------------------


def candidate_of_five(*terms: int) -> Replica:
    """B stands in a cluster of five."""
    machine = HandMachine(peers=("A", "C", "D", "E"))
    replica = replica_with(*terms, machine=machine)
    replica.stand()
    machine.take_sent()
    return replica


def test_candidate_needs_more_than_half_of_all_voters() -> None:
    """Three of five, however many of the five are alive (Raft §5.2)."""
    candidate = candidate_of_five()
    candidate.receive("A", RequestVoteReply(2, True))
    assert candidate.role.name == "candidate"
    candidate.receive("C", RequestVoteReply(2, True))
    assert candidate.role.name == "leader"
    (started,) = machine_of(candidate).happened(LeaderStarted)
    assert (started.term, started.how, started.votes) == (2, "elected", ("B", "A", "C"))


@pytest.mark.parametrize(
    ("voter", "reply"),
    [("A", RequestVoteReply(2, True)), ("C", RequestVoteReply(2, False)), ("C", RequestVoteReply(1, True))],
    ids=["same voter twice", "refusal", "vote of an older term"],
)
def test_candidate_counts_each_voters_yes_of_this_term_once(voter: str, reply: RequestVoteReply) -> None:
    """Duplicated messages, refusals and late votes make no leader (Raft §5.2)."""
    candidate = candidate_of_five()
    candidate.receive("A", RequestVoteReply(2, True))
    candidate.receive(voter, reply)
    assert candidate.role.name == "candidate"


def test_vote_of_a_member_that_left_counts_no_more() -> None:
    """A majority is one of those who are members now (Raft thesis §4.1)."""
    candidate = candidate_of_five()
    candidate.receive("A", RequestVoteReply(2, True))
    machine_of(candidate).peers = ("C", "D", "E")
    candidate.receive("C", RequestVoteReply(2, True))
    assert candidate.role.name == "candidate", "two of four"
    candidate.receive("D", RequestVoteReply(2, True))
    assert candidate.role.name == "leader"


def test_leaders_append_ends_the_candidacy_and_is_taken() -> None:
    """Somebody else won this term (Raft §5.2)."""
    candidate = candidate_of_five()
    candidate.receive("C", append(2, entries(2)))
    assert (candidate.role.name, candidate.leader, terms(candidate)) == ("follower", "C", [2])
    (stepped,) = machine_of(candidate).happened(LeaderStepped)
    assert (stepped.was, stepped.reason) == ("candidate", "lost election")


def test_deposed_leaders_append_does_not_end_the_candidacy() -> None:
    """It is of an older term and is refused (Raft §5.2)."""
    candidate = candidate_of_five()
    candidate.receive("A", append(1, entries(1)))
    assert (candidate.role.name, terms(candidate)) == ("candidate", [])
    assert last_reply(candidate) == rejects(2, previous_index=0, hint=0)


def test_candidate_without_a_majority_tries_again_in_a_new_term() -> None:
    """After another timeout, with the votes of the old term worth nothing (Raft §5.2)."""
    candidate = candidate_of_five()
    machine = machine_of(candidate)
    candidate.receive("A", RequestVoteReply(2, True))
    machine.pass_time(3 * SECOND)
    assert (candidate.role.name, candidate.term) == ("candidate", 3)
    assert [target for target, _ in machine.sent] == ["A", "C", "D", "E"]
    candidate.receive("C", RequestVoteReply(3, True))
    assert candidate.role.name == "candidate"


def test_candidate_gives_way_once_a_person_decides() -> None:
    """Failover was made manual during the election: no second attempt."""
    candidate = candidate_of_five()
    machine_of(candidate).settings = changed(failover="manual")
    machine_of(candidate).pass_time(10 * SECOND)
    assert (candidate.role.name, candidate.term) == ("follower", 2)


def test_hand_over_makes_the_successor_stand_at_once_or_lead_its_given_term() -> None:
    """Automatic: it stands without waiting (Raft thesis §3.10). Manual: it leads in the term it was given."""
    standing, leading = replica_with(1), replica_with(1)
    standing.receive("A", TimeoutNow(1, 0))
    assert (standing.role.name, standing.term) == ("candidate", 2)
    leading.receive("A", TimeoutNow(1, 9))
    assert (leading.role.name, leading.term) == ("leader", 9)
    assert machine_of(leading).happened(LeaderStarted)[0].how == "handed over"


def test_hand_over_of_an_older_term_is_ignored() -> None:
    """A late order must not depose the leader of today (Raft §5.1)."""
    follower = replica_with(3)
    follower.receive("A", TimeoutNow(2, 9))
    assert (follower.role.name, follower.term) == ("follower", 3)


# --- the follower: news, promises and clients ------------------------------------------------------


def test_commit_is_recorded_once_per_advance() -> None:
    """Equal news are no news."""
    follower = replica_with(1, 1)
    for _ in range(3):
        follower.receive("A", append(1, previous=(2, 1), commit=2))
    assert [event.index for event in machine_of(follower).happened(CommitAdvanced)] == [2]


def test_votes_are_granted_after_the_promise_is_on_record() -> None:
    """The promise comes before the answer leaves (Raft figure 2, persistent state)."""
    follower = replica_with()
    vote(follower, 2, (0, 0))
    (granted,) = machine_of(follower).happened(VoteGranted)
    assert (granted.term, granted.candidate, follower.voted_for) == (2, "A", "A")


def test_follower_refuses_writes_and_points_to_the_leader() -> None:
    """Clients are redirected (Raft §8); a read that only the leader may answer is too."""
    follower = replica_with()
    follower.receive("A", append(1))
    for request in (ask(1), ask(2, "read", None)):
        follower.receive("1", request)
    assert answers(follower) == [ClientReply(n, 1, "refused", None, 0, "A") for n in (1, 2)]
    follower.receive("1", ask(3, "read", None, leader_only=False))
    assert answers(follower) == [ClientReply(3, 1, "ok", None, 0, None)]
