"""Elections, leaders and logs in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from server.cluster import commands, events
from server.cluster.events import Event
from server.cluster.messages import RequestVote, TimeoutNow
from server.narration.memory import Memory
from server.narration.waiting import awaited, out_of_reach
from server.narration.words import (
    Telling,
    bad,
    counted,
    entry_text,
    good,
    info,
    labels,
    listed,
    opening,
    spoken,
    vote,
    with_more,
)

Teller = Callable[[Memory, Any], Telling | None]

# --- roles and terms -----------------------------------------------------------------------------


def _election(memory: Memory, event: events.ElectionStarted) -> Telling:
    node, term = event.node, event.term
    replica = memory.replica(node, event.partition)
    last_term, last_index = replica.last_id
    precise = f"{node} is candidate of term {term}; its log ends at {last_index} (term {last_term})."
    cause = memory.caused_by_delivery(event)
    if cause is not None and isinstance(cause.message, TimeoutNow):
        return vote(
            f"{cause.source} told {node} to take over, so {node} stands for election in term {term}.", precise
        )
    if replica.role == "candidate":
        return vote(f"{node} got no majority in time and tries again, in term {term}.", precise)
    if replica.heard_us is None:
        return vote(
            f"{node} has heard no leader since it started and stands for election in term {term}.", precise
        )
    silence = spoken(event.at_us - replica.heard_us)
    return vote(f"{node} heard no leader for {silence} and stands for election in term {term}.", precise)


def _trial(memory: Memory, event: events.PreVoteStarted) -> Telling:
    """A pre-vote."""
    plain = f"{event.node} hears no leader and first asks who would vote for it in term {event.term}."
    return vote(plain, f"{event.node} starts a pre-vote for term {event.term}; no term changes.")


def _request(memory: Memory, event: Event) -> RequestVote | None:
    """The request that a vote answers."""
    cause = memory.caused_by_delivery(event)
    return cause.message if cause is not None and isinstance(cause.message, RequestVote) else None


def _granted(memory: Memory, event: events.VoteGranted) -> Telling:
    node, candidate, term = event.node, event.candidate, event.term
    request = _request(memory, event)
    precise = f"{node} grants its vote of term {term} to {candidate}."
    judgement = f"{candidate}'s log is at least as complete"
    if request is not None:
        own_term, own_index = memory.replica(node, event.partition).last_id
        if (request.last_term, request.last_index) < (own_term, own_index):
            judgement = f"logs are not compared, and {candidate}'s lacks entries"
        precise += (
            f" {candidate}'s log ends at {request.last_index} (term {request.last_term}),"
            f" {node}'s at {own_index} (term {own_term})."
        )
    return vote(f"{node} votes for {candidate} in term {term}: {judgement}.", precise)


def _refused_vote(memory: Memory, event: events.VoteRefused) -> Telling:
    node, candidate = event.node, event.candidate
    replica = memory.replica(node, event.partition)
    request = _request(memory, event)
    why = event.reason
    if event.reason == "older term":
        why = f"it is in term {replica.term} already"
    elif event.reason == "already voted":
        whom = "itself" if replica.voted_for == node else replica.voted_for
        why = f"it has voted for {whom} in this term" if whom else "it has voted in this term"
    elif event.reason == "not a voter":
        why = "it has no vote before it has caught up"
    elif request is not None:
        own_term, own_index = replica.last_id
        if own_term != request.last_term:
            why = f"{candidate}'s last entry is of term {request.last_term}, its own of term {own_term}"
        else:
            why = f"{candidate}'s log ends at entry {request.last_index}, its own at {own_index}"
    plain = f"{node} refuses {candidate} its vote: {why}."
    return vote(plain, f"{plain} (term {event.term}, {event.reason})")


def _counted(memory: Memory, event: events.VoteCounted) -> Telling | None:
    if len(event.votes) >= memory.majority:
        return None  # Told by what follows: it leads.
    return vote(f"{event.node} has {counted(len(event.votes), 'vote')} of the {memory.majority} it needs.")


def _leader(memory: Memory, event: events.LeaderStarted) -> Telling | None:
    node, term = event.node, event.term
    index = memory.replica(node, event.partition).last_id[1]
    precise = f"{node} leads term {term} ({event.how}); its log ends at {index}."
    if event.how == "initial":
        return None
    if event.how == "elected":
        is_majority = len(event.votes) >= memory.majority
        share = f"a majority of {memory.voter_count}" if is_majority else "and needs no majority"
        votes = f"{listed(event.votes)}, {share},"
        return Telling(
            f"{node} received votes from {votes} and became leader of term {term}.", precise, "good"
        )
    if event.how == "promoted":
        lacks = _lacks(memory, node, event.partition)
        return Telling(
            f"The operator makes {node} leader of term {term}.{lacks}", precise, "bad" if lacks else "good"
        )
    if event.how == "handed over":
        return good(f"{node} takes over as planned and leads term {term}.", precise)
    return good(f"{node} goes on leading term {term}: as far as it knows, nobody replaced it.", precise)


def _lacks(memory: Memory, node: str, partition: int) -> str:
    """Who holds entries that a promoted node does not."""
    own = memory.replica(node, partition)
    worst, worst_count = "", 0
    for other in memory.states:
        log = memory.replica(other, partition).log
        count = 0
        for entry in reversed(log):
            if own.term_at(entry.index) == entry.term:
                break
            count += 1
        if count > worst_count:
            worst, worst_count = other, count
    return f" It lacks {counted(worst_count, 'entry')} that {worst} holds." if worst_count else ""


def _stepped(memory: Memory, event: events.LeaderStepped) -> Telling:
    node, term = event.node, event.term
    precise = f"{node} was {event.was}, is follower in term {term} ({event.reason})."
    is_rejoin = memory.caused_by_command(event, commands.Rejoin)
    if is_rejoin or event.reason == "operator":
        return info(f"{node} stops leading and will follow, as the operator asked.", precise)
    if event.reason == "hand-over":
        return info(f"{node} stops leading, so that its successor can take over.", precise)
    if event.reason == "lease expired":
        plain = f"{node} has not heard from a majority for as long as its lease lasts, and stops leading."
        return info(plain, precise)
    if event.was == "leader":
        return info(
            f"{node} learns of term {term}, newer than its own: it stops leading and follows.", precise
        )
    if event.reason == "higher term":
        return vote(f"{node} learns of term {term}, newer than its own, and gives up its candidacy.", precise)
    return vote(f"{node} did not win term {term} and follows again.", precise)


def _recognised(memory: Memory, event: events.LeaderRecognised) -> Telling | None:
    if event.leader is None or memory.caused_by_delivery(event) is None:
        return None
    precise = f"{event.node} follows {event.leader} in term {event.term}."
    return info(f"{event.node} hears from {event.leader} and follows it.", precise)


def _hand_over(memory: Memory, event: events.HandOverStarted) -> Telling:
    return info(
        f"{event.node} hands over to {event.successor}: no new writes until {event.successor} has caught up."
    )


def _hand_over_ended(memory: Memory, event: events.HandOverEnded) -> Telling:
    return bad(f"{event.successor} did not take over, so {event.node} takes writes again.")


# --- the log and the store -----------------------------------------------------------------------


def _appended(memory: Memory, event: events.EntryAppended) -> Telling | None:
    entry = event.entry
    where = f"{event.node} appended entry {entry.index} (term {entry.term}): {entry.label}"
    if entry.kind == "noop":
        return info(
            f"{event.node} adds an empty entry of its own term: with it, older entries can be committed.",
            where,
        )
    if memory.is_quiet(entry.operation):
        return None
    plain = f"{event.node} puts {entry_text(entry)} into its log, as entry {entry.index}."
    away = out_of_reach(memory, event.node)
    return info(with_more(plain, f"The OK has to wait for {away}." if away else ""), where)


def _committed(memory: Memory, event: events.CommitAdvanced) -> Telling | None:
    """The moment of commitment, on the leader; on a follower it is old news."""
    if not memory.leads(event.node, event.partition):
        return None
    replica = memory.replica(event.node, event.partition)
    entries = replica.log[replica.commit_index : event.index]
    if not entries or all(memory.is_quiet(entry.operation) for entry in entries):
        return None
    holders = memory.holders(event.index, entries[-1].term, event.partition)
    plain = f"{opening(labels(entries))} {_is(entries)} committed: {_held(memory, holders, _them(entries))}."
    missing = awaited(memory, event.node, entries[-1], event.partition) if entries[-1].operation else ""
    plain = with_more(plain, f"The OK still waits for {missing}." if missing else "")
    return good(plain, f"{event.node} commits up to entry {event.index} (term {entries[-1].term}).")


def _held(memory: Memory, holders: list[str], them: str) -> str:
    if len(holders) < memory.majority:
        return f"a majority has confirmed {them}"  # Some of them have crashed since.
    if len(holders) == memory.voter_count:
        return f"every node holds {them}"
    return f"{listed(holders)} hold {them}, a majority of {memory.voter_count}"


def _applied(memory: Memory, event: events.EntryApplied) -> Telling | None:
    replica = memory.replica(event.node, event.partition)
    if event.changed or not memory.leads(event.node, event.partition) or event.index > len(replica.log):
        return None
    entry = replica.log[event.index - 1]
    if entry.kind != "cas":
        return None
    held = "nothing" if event.value is None else event.value
    expected = "nothing" if entry.expected is None else entry.expected
    precise = f"Entry {event.index} (term {event.term}) on {event.node}: {entry.key} holds {held}."
    return info(f"{entry.label} changes nothing: {entry.key} holds {held}, not {expected}.", precise)


def _truncated(memory: Memory, event: events.LogTruncated) -> Telling:
    gone = labels(event.entries)
    last = event.from_index + len(event.entries) - 1
    span = f"entry {last}" if last == event.from_index else f"entries {event.from_index} to {last}"
    precise = f"{event.node} loses {span} ({event.reason}): {gone}."
    if event.reason == "crash":
        return bad(
            f"{gone} had not reached {event.node}'s disk and {_is(event.entries)} gone from it.", precise
        )
    return bad(
        f"{event.node} discards {gone}: the leader's log does not have {_them(event.entries)}.", precise
    )


def _is(entries: Sequence[Any]) -> str:
    return "is" if len(entries) == 1 else "are"


def _them(entries: Sequence[Any]) -> str:
    return "it" if len(entries) == 1 else "them"


TELLERS: dict[type[Event], Teller] = {
    events.PreVoteStarted: _trial,
    events.ElectionStarted: _election,
    events.VoteGranted: _granted,
    events.VoteRefused: _refused_vote,
    events.VoteCounted: _counted,
    events.LeaderStarted: _leader,
    events.LeaderStepped: _stepped,
    events.LeaderRecognised: _recognised,
    events.HandOverStarted: _hand_over,
    events.HandOverEnded: _hand_over_ended,
    events.EntryAppended: _appended,
    events.EntryApplied: _applied,
    events.CommitAdvanced: _committed,
    events.LogTruncated: _truncated,
}
