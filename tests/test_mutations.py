"""Judges that never object prove nothing: every rule of the protocol is broken in code, one at a time, and
some judge must notice while random faults are played. With the rule in place no judge does (`test_explore`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from server.cluster.candidate import Candidate
from server.cluster.controller import Controller
from server.cluster.follower import Follower
from server.cluster.leader import Leader
from server.cluster.machine import Node
from server.cluster.messages import AppendEntries, AppendEntriesReply, LogEntry, RequestVote
from server.cluster.replica import Replica
from server.cluster.simulation import Simulation
from server.explore import play_seed

SEEDS_MAX = 400
"""How many random runs a broken rule may pass before it counts as unnoticed."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule of the protocol, and the same code without it."""

    rule: str
    owner: type
    name: str
    without: Callable[[Any], Any]
    """Given the method as it is, a method that lacks the rule."""
    promises: tuple[str, ...]
    """Of these, at least one must be seen to break."""
    policy: str = "quorum"
    first: int = 0
    """The seed to begin with: what takes a rare coincidence is looked for where there is one."""


def _votes_twice(_: Any) -> Any:
    def why_not(self: Replica, candidate: str, message: RequestVote) -> str | None:
        if message.term < self.term:
            return "older term"
        return None if self._is_complete(message) else "log is behind"

    return why_not


def _forgets_its_vote(original: Any) -> Any:
    def crash(self: Replica) -> None:
        original(self)
        self.voted_for = None

    return crash


def _takes_what_follows_nothing(original: Any) -> Any:
    def on_append_entries(self: Follower, source: str, message: AppendEntries) -> None:
        log, previous = self.replica.log, message.previous_index
        if previous <= log.last_index:
            message = message._replace(previous_term=log.term_at(previous))
        original(self, source, message)

    return on_append_entries


def _say_all_is_on_disk(follower: Follower) -> None:
    replica, matched = follower.replica, follower.matched_index
    if replica.leader is not None:
        reply = AppendEntriesReply(replica.term, True, matched, matched, matched, 0, follower.round)
        replica.send(replica.leader, reply)


def _replies_before_the_flush(original: Any) -> Any:
    def on_append_entries(self: Follower, source: str, message: AppendEntries) -> None:
        original(self, source, message)
        if self.matched_index > self.replica.log.flushed_index:
            _say_all_is_on_disk(self)

    return on_append_entries


def _believes_any_commit_index(original: Any) -> Any:
    def on_append_entries(self: Follower, source: str, message: AppendEntries) -> None:
        original(self, source, message)
        if self.replica.role is self:
            self.replica.advance_commit(min(message.commit_index, self.replica.log.last_index))

    return on_append_entries


def _half_is_enough(_: Any) -> Any:
    def lead_if_elected(self: Candidate) -> None:
        if len(self.votes) >= max(1, self.machine.majority - 1):
            self.replica.lead(self.replica.term, "elected", tuple(self.votes))

    return lead_if_elected


def _commits_on_half(original: Any) -> Any:
    def advance(self: Leader) -> None:
        held = sorted(
            [self.replica.log.flushed_index, *(each.flushed_index for each in self.progress.values())],
            reverse=True,
        )
        self.replica.advance_commit(held[max(0, self.machine.majority - 2)])
        original(self)

    return advance


def _acknowledges_at_once(_: Any) -> Any:
    return lambda self: self.replica.log.flushed_index


def _proves_nothing(_: Any) -> Any:
    return lambda self: True


def _believes_any_one(original: Any) -> Any:
    """One follower's answer proves the leadership, as if all had given it."""

    def confirm(self: Leader, progress: Any, answered_round: int) -> None:
        for each in self.progress.values():
            if each is not progress:
                each.round = max(each.round, answered_round)
        original(self, progress, answered_round)

    return confirm


def _ignores_the_session(original: Any) -> Any:
    def answer_read(self: Replica, source: str, request: Any) -> None:
        original(self, source, request._replace(token=0, staleness_bound_us=None))

    return answer_read


def _follows_an_older_term(original: Any) -> Any:
    def receive(self: Replica, source: str, message: Any) -> None:
        if isinstance(message, AppendEntries) and message.term < self.term:
            message = message._replace(term=self.term)
        original(self, source, message)

    return receive


def _appends_every_retry(original: Any) -> Any:
    def on_client_request(self: Leader, source: str, request: Any) -> None:
        self.replica.log.index_of_operation.pop(request.operation, None)
        original(self, source, request)

    return on_client_request


# --- rules for rare coincidences, most of them staged by hand in `test_awkward_runs` ------------------------


def _keeps_its_lease(original: Any) -> Any:
    def maybe_hand_over(self: Leader) -> None:
        original(self)
        self.may_lease = True

    return maybe_hand_over


def _leases_from_its_start(original: Any) -> Any:
    def begin(self: Leader, replica: Replica) -> None:
        original(self, replica)
        self.lease_us = self.machine.now_us

    return begin


def _leases_from_who_left(original: Any) -> Any:
    def on_membership_changed(self: Leader, led_term: int) -> None:
        kept = self.lease_us, self.lease_round
        original(self, led_term)
        self.lease_us, self.lease_round = kept

    return on_membership_changed


def _counts_by_members_it_was_never_told(original: Any) -> Any:
    def on_membership_changed(self: Leader, led_term: int) -> None:
        original(self, led_term)
        self.is_superseded = False

    return on_membership_changed


def _fills_terms_again(original: Any) -> Any:
    def close_terms(self: Simulation) -> None:
        kept = self._closed_term
        original(self)
        self._closed_term = kept

    return close_terms


def _counts_copies_of_an_older_term(original: Any) -> Any:
    def policy_index(self: Leader) -> int:
        settings = self.machine.settings
        self.machine.settings = settings.changed("commit-only-own-term", False)
        try:
            return int(original(self))
        finally:
            self.machine.settings = settings

    return policy_index


def _counts_copies_in_memory(original: Any) -> Any:
    def refuse_if_copies_would_miss(self: Controller, leaving: Node) -> None:
        logs = [replica.log for replica in self.simulation.replicas()]
        flushed = [log.flushed_index for log in logs]
        for log in logs:
            log.flushed_index = log.last_index
        try:
            original(self, leaving)
        finally:
            for log, index in zip(logs, flushed, strict=True):
                log.flushed_index = index

    return refuse_if_copies_would_miss


def _forgets_what_was_deleted(original: Any) -> Any:
    def take_effect(self: Replica, entry: LogEntry) -> bool:
        changed = bool(original(self, entry))
        self.deleted.clear()
        return changed

    return take_effect


def _vouches_at_once(_: Any) -> Any:
    return lambda self: self.started_us if self.confirmed_us is None else self.confirmed_us


MUTATIONS = (
    Mutation("a voter votes once a term (Raft §5.2)", Replica, "_why_not_vote_for", _votes_twice,
             ("one_leader_per_term",)),
    Mutation("a vote survives a crash (Raft figure 2)", Replica, "crash", _forgets_its_vote,
             ("one_leader_per_term",), first=330),
    Mutation("more than half elect (Raft §5.2)", Candidate, "_lead_if_elected", _half_is_enough,
             ("one_leader_per_term", "committed_never_lost")),
    Mutation("a voter refuses a log behind its own (Raft §5.4.1)", Replica, "_is_complete",
             lambda _: lambda self, message: True, ("committed_never_lost", "durable")),
    Mutation("entries follow on from the one before (Raft §5.3)", Follower, "on_append_entries",
             _takes_what_follows_nothing,
             ("log_matching", "committed_never_lost", "state_machine_agreement")),
    Mutation("a copy counts once it is on disk", Follower, "on_append_entries", _replies_before_the_flush,
             ("committed_never_lost", "durable"), first=200),
    Mutation("a follower believes a commit index as far as its log is the leader's (Raft §5.3)", Follower,
             "on_append_entries", _believes_any_commit_index, ("state_machine_agreement",)),
    Mutation("more than half commit (Raft §5.3)", Leader, "_advance", _commits_on_half,
             ("committed_never_lost", "durable")),
    Mutation("OK waits for the policy", Leader, "_policy_index", _acknowledges_at_once,
             ("acknowledged_is_committed", "durable"), "sync"),
    Mutation("a leader's old term is refused (Raft §5.1)", Replica, "receive", _follows_an_older_term,
             ("committed_never_lost", "log_matching", "state_machine_agreement")),
    Mutation("a read proves the leadership first (Raft thesis §6.4)", Leader, "_may_answer_unproven",
             _proves_nothing, ("linearizable",)),
    Mutation("a majority proves it", Leader, "_confirm", _believes_any_one, ("linearizable",)),
    Mutation("a session's read waits for what the session knows", Replica, "answer_read",
             _ignores_the_session, ("read_your_writes", "monotonic_reads", "bounded_staleness")),
    Mutation("a retry is the same operation", Leader, "on_client_request", _appends_every_retry,
             ("writes_linearizable", "linearizable")),
    Mutation("a leader that hands over gives up its lease (Raft thesis §6.4.1)", Leader, "_maybe_hand_over",
             _keeps_its_lease, ("linearizable",), first=100),
    Mutation("votes bring no lease", Leader, "__init__", _leases_from_its_start, ("linearizable",),
             first=450),
    Mutation("a lease is the majority's that gave it", Leader, "on_membership_changed", _leases_from_who_left,
             ("linearizable",), first=260),
    Mutation("a crash forgets no lease", Follower, "on_recovered", lambda _: lambda self: None,
             ("linearizable",), first=110),
    Mutation("a deposed leader counts by no membership that it was not told of (Raft thesis §4.1)", Leader,
             "on_membership_changed", _counts_by_members_it_was_never_told,
             ("committed_never_lost", "durable"), first=120),
    Mutation("no term is filled twice, whoever the members are", Simulation, "_close_terms",
             _fills_terms_again, ("one_leader_per_term",), first=220),
    Mutation("copies of an older term's entry count for nobody (Raft figure 8)", Leader, "_policy_index",
             _counts_copies_of_an_older_term, ("acknowledged_is_committed", "durable"), "sync"),
    Mutation("nor under semi-sync do they", Leader, "_policy_index", _counts_copies_of_an_older_term,
             ("durable",), "semi-sync", first=530),
    Mutation("a copy in memory lets nobody leave", Controller, "_refuse_if_copies_would_miss",
             _counts_copies_in_memory, ("committed_never_lost", "durable")),
    Mutation("a deleted key has a version", Replica, "_take_effect", _forgets_what_was_deleted,
             ("monotonic_reads",), first=140),
    Mutation("a new leader vouches for nothing before it shows what it took over", Leader, "vouched_us",
             _vouches_at_once, ("bounded_staleness",), first=300),
    Mutation("a try that was refused is not carried out later", Replica, "_is_first_copy",
             lambda _: lambda self, request: True, ("linearizable",), first=30),
)  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_without_the_rule_a_promise_is_seen_to_break(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks is among the promises that the rule is there for."""
    original = getattr(mutation.owner, mutation.name)
    monkeypatch.setattr(mutation.owner, mutation.name, mutation.without(original))
    for seed in range(mutation.first, mutation.first + SEEDS_MAX):
        broken = {breach.promise for breach in play_seed(mutation.policy, seed).broken}
        if broken & set(mutation.promises):
            return
    pytest.fail(f"{SEEDS_MAX} runs, and no judge noticed.")
