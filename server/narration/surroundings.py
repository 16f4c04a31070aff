"""Commands, settings, machines and the network in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.cluster import commands, events
from server.cluster.events import Event
from server.cluster.messages import AppendEntries, AppendEntriesReply, LogEntry
from server.cluster.settings import SETTINGS
from server.narration.memory import InFlight, Memory
from server.narration.words import (
    Telling,
    bad,
    capital,
    counted,
    good,
    info,
    labels,
    listed,
    named,
    opening,
    spoken,
    value_of,
    with_more,
)

Teller = Callable[[Memory, Any], Telling | None]

# --- commands and settings -----------------------------------------------------------------------


def _command(memory: Memory, event: events.CommandAccepted) -> Telling | None:
    """Only commands that no event of their own follows; the rest is told by what they cause."""
    command = event.command
    if isinstance(command, commands.DropNext):
        what = "message" if command.message_kind == "message" else f"{command.message_kind} message"
        return info(f"The next {what} from {named(command.source)} to {named(command.target)} will be lost.")
    if isinstance(command, commands.DuplicateMessage) and command.message_id in memory.messages:
        return info(f"{capital(_message(memory.messages[command.message_id]))} will arrive twice.")
    if isinstance(command, commands.SetLoss) and command.target is None:
        where = "between the nodes" if command.source == "all" else "between clients and nodes"
        return info(f"From now on {command.percent}% of the messages {where} get lost.")
    return None


_REPLICATION = {
    "async": "once its own disk has it, before any follower",
    "quorum": "once a majority of the nodes holds it",
    "sync": "once every follower holds it, dead ones included",
}
_PLAIN_SETTINGS: dict[tuple[str, str | int | bool], str] = {
    ("failover", "manual"): "Failover is manual now: only a person can replace a dead leader.",
    ("failover", "automatic"): "Failover is automatic now: followers replace a leader that falls silent.",
    ("level", "received"): "A copy now counts as soon as a follower has it in memory.",
    ("level", "flushed"): "A copy now counts once it is on a follower's disk.",
    ("level", "applied"): "A copy now counts once it can be read on a follower.",
    ("reads", "leader"): "Reads go to the leader now.",
    ("reads", "any"): "Each read goes to a node chosen by chance now.",
    ("reads", "round-robin"): "Reads go to one node after the other now.",
    ("idempotent-retries", True): "Leaders recognise a repeated operation now and add it only once.",
    ("idempotent-retries", False): "Leaders do not know a repeated operation: a retry can count twice.",
}  # fmt: skip


def _setting(memory: Memory, event: events.SettingChanged) -> Telling | None:
    if event.cause is None:
        return None  # The run's opening values.
    name, value = event.setting, event.value
    precise = f"{name} = {value_of(name, value)}" + (f" on {event.node}" if event.node else "")
    if name == "replication":
        when = _REPLICATION.get(str(value))
        if when is None:
            count = int(memory.settings.get("semi-sync-followers", 1))
            when = f"once {counted(count, 'follower')} {'holds' if count == 1 else 'hold'} it"
        return info(f"From now on the leader answers OK to a write {when}.", precise)
    if event.node is None and (name, value) in _PLAIN_SETTINGS:
        return info(_PLAIN_SETTINGS[name, value], precise)
    if name == "reads":
        return info(f"Reads go to {value} now.", precise)
    defends = SETTINGS[name].defends
    if defends and value is False:
        return bad(f"The safety switch {name} is off: it is no longer certain that {defends}.", precise)
    if defends:
        return good(f"The safety switch {name} is on: {defends}.", precise)
    where = f" on {event.node}" if event.node else ""
    return info(f"The setting {name}{where} is {value_of(name, value)} now.", precise)


def _load(memory: Memory, event: events.LoadChanged) -> Telling:
    what = f"{event.operation_kind}s"
    who = f"Client {event.client}"
    if event.interval_us is None:
        return info(f"{who} stops its background {what}.")
    if event.interval_us <= 1_000_000:
        rate = f"about {1_000_000 / event.interval_us:.3g} times a second"
    else:
        rate = f"about every {spoken(event.interval_us)}"
    return info(f"{who} now {what} in the background, {rate}.")


def _limit(memory: Memory, event: events.LimitReached) -> Telling:
    return bad(event.says, f"{event.says} ({event.what}: {event.limit:,})")


# --- machines ------------------------------------------------------------------------------------


def _added(memory: Memory, event: events.NodeAdded) -> Telling | None:
    if event.cause is None:
        return None
    return info(f"{event.node} joins with an empty log. It counts in no majority until it has caught up.")


def _admitted(memory: Memory, event: events.NodeAdmitted) -> Telling:
    count = memory.voter_count + 1
    return good(
        f"{event.node} has caught up and counts from now on: a majority is {count // 2 + 1} of {count}."
    )


def _removed(memory: Memory, event: events.NodeRemoved) -> Telling:
    count = memory.voter_count - int(memory.voters.get(event.node, False))
    return info(f"{event.node} has left the cluster: a majority is {count // 2 + 1} of {count} now.")


def _killed(memory: Memory, event: events.NodeKilled) -> Telling | None:
    if memory.caused_by_command(event, commands.RemoveNode):
        return None
    node = event.node
    others = [other for other, state in memory.states.items() if state == "up" and other != node]
    precise = f"{node} is dead; running: {listed(others) if others else 'none'}."
    if memory.live_leader() == node and not any(memory.leads(other) for other in others):
        plain = f"{node} is dead. It was the leader, so no write can succeed until a node leads again."
        return bad(with_more(plain, _still_flying(memory, node)), precise)
    if memory.leads(node):
        return bad(f"{node} is dead. It believed that it was the leader.", precise)
    left = (
        f"{len(others)} of {len(memory.states)} nodes still run"
        if len(others) != 1
        else "one node still runs"
    )
    leader = memory.live_leader()
    if leader is not None and memory.voters.get(node) and memory.settings.get("replication") == "sync":
        left += f". Under sync every write to {leader} now waits for it"
    return bad(f"{node} is dead; {left}.", precise)


def _still_flying(memory: Memory, node: str) -> str:
    """Which entries a dead leader's messages still carry to nodes that lack them."""
    carried: dict[str, LogEntry] = {}
    targets: dict[str, None] = {}
    for source, target, message in memory.messages.values():
        if source != node or not isinstance(message, AppendEntries) or (source, target) in memory.cuts:
            continue
        log = memory.replica(target)
        for entry in message.entries:
            if memory.states.get(target) == "up" and log.term_at(entry.index) != entry.term:
                carried[entry.label] = entry
                targets[target] = None
    if not carried:
        return ""
    verb = "is" if len(carried) == 1 else "are"
    return f"{opening(labels(list(carried.values())))} {verb} still on the way to {listed(list(targets))}."


def _restarted(memory: Memory, event: events.NodeRestarted) -> Telling:
    log = memory.replica(event.node).log
    held = f"the {counted(len(log), 'entry')} on its disk" if log else "an empty disk"
    term, index = memory.replica(event.node).last_id
    return info(
        f"{event.node} is up again with {held}.",
        f"{event.node} is up again; log ends at {index} (term {term}).",
    )


def _paused(memory: Memory, event: events.NodePaused) -> Telling:
    if memory.leads(event.node):
        return bad(f"{event.node} stands still and does not notice: it still believes that it leads.")
    return bad(f"{event.node} stands still and does not notice. Nothing it holds is lost.")


def _resumed(memory: Memory, event: events.NodeResumed) -> Telling:
    still = " It still believes that it leads." if memory.leads(event.node) else ""
    return info(f"{event.node} runs again and takes what arrived meanwhile.{still}")


# --- network -------------------------------------------------------------------------------------


def _partitioned(memory: Memory, event: events.NetworkPartitioned) -> Telling:
    sides = [listed([named(each) for each in group]) for group in event.groups]
    if len(sides) == 2:
        return bad(f"The network splits: {sides[0]} on one side, {sides[1]} on the other.")
    return bad(f"The network splits into {len(sides)} parts: {' | '.join(sides)}.")


def _network_healed(memory: Memory, event: events.NetworkHealed) -> Telling:
    return good("Every link works again, without loss and at its usual speed.")


def _once_per_pair(memory: Memory, event: Any) -> bool:
    """Whether this is the first of the two directions that one command changes."""
    key = (event.name, event.cause, *sorted((event.source, event.target)))
    if key in memory.said:
        return False
    memory.said[key] = None
    return True


def _between(memory: Memory, event: Any) -> str:
    if getattr(memory.command, "one_way", False):
        return f"from {named(event.source)} to {named(event.target)}"
    return f"between {named(event.source)} and {named(event.target)}"


def _link_cut(memory: Memory, event: events.LinkCut) -> Telling | None:
    if not memory.caused_by_command(event, commands.Cut) or not _once_per_pair(memory, event):
        return None
    return bad(f"The link {_between(memory, event)} is cut: nothing gets through.")


def _link_healed(memory: Memory, event: events.LinkHealed) -> Telling | None:
    command = memory.command
    is_asked = memory.caused_by_command(event, commands.Heal) and getattr(command, "source", None) is not None
    if not is_asked or not _once_per_pair(memory, event):
        return None
    return good(f"The link {_between(memory, event)} works again.")


def _link_changed(memory: Memory, event: events.LinkChanged) -> Telling | None:
    """Changes of one link by command; those of many at once are told once, by command or setting."""
    command = memory.command
    if not memory.caused_by_command(event, commands.SetLatency, commands.SetLoss):
        return None
    if getattr(command, "target", None) is None or not _once_per_pair(memory, event):
        return None
    where = _between(memory, event)
    if isinstance(command, commands.SetLoss):
        return info(f"{event.loss_percent}% of the messages {where} get lost from now on.")
    assert event.latency_us is not None
    return info(f"Messages {where} now take {spoken(event.latency_us)}.")


def _message(sent: InFlight) -> str:
    """How a sentence names a message: `the append x=1 from A to B`."""
    kind, label = sent.message.kind, sent.message.label
    detail = f" {label}" if kind in ("append", "write", "cas", "delete") else ""
    detail = " of an empty entry" if kind == "append" and label == "–" else detail
    detail = f" of {label.removeprefix('read ')}" if kind == "read" else detail
    name = {"ok": "OK", "vote-request": "request for a vote", "hand-over": "order to take over"}.get(
        kind, kind
    )
    return f"the {name}{detail} from {named(sent.source)} to {named(sent.target)}"


def _dropped(memory: Memory, event: events.MessageDropped) -> Telling | None:
    sent = memory.messages.get(event.message_id)
    if sent is None:
        return None
    if event.reason == "asked":
        return bad(f"{capital(_message(sent))} is dropped, as asked.")
    is_routine = isinstance(sent.message, AppendEntriesReply) or sent.message.kind == "heartbeat"
    if is_routine or memory.is_quiet(getattr(sent.message, "operation", None)):
        return None
    if event.reason == "loss":
        return bad(f"{capital(_message(sent))} got lost on the way.")
    is_cut = (event.source, event.target) in memory.cuts
    if isinstance(sent.message, AppendEntries):
        # A leader tries again and again; saying so once is enough.
        key = ("cut", event.source, event.target)
        if event.reason == "dead" or key in memory.said:
            return None
        if is_cut:
            memory.said[key] = None
    why = f"{named(event.target)} is dead"
    if event.reason == "cut":
        why = f"the link {'is' if is_cut else 'was'} cut"
    return bad(f"{capital(_message(sent))} does not arrive: {why}.")


def _delayed(memory: Memory, event: events.MessageDelayed) -> Telling | None:
    sent = memory.messages.get(event.message_id)
    if sent is None:
        return None
    if event.arrives_at_us <= event.at_us:
        return info(f"{capital(_message(sent))} arrives at once, as asked.")
    left = spoken(event.arrives_at_us - event.at_us)
    return info(f"{capital(_message(sent))} is held up: it will arrive in {left}.")


TELLERS: dict[type[Event], Teller] = {
    events.CommandAccepted: _command,
    events.SettingChanged: _setting,
    events.LoadChanged: _load,
    events.LimitReached: _limit,
    events.NodeAdded: _added,
    events.NodeAdmitted: _admitted,
    events.NodeRemoved: _removed,
    events.NodeKilled: _killed,
    events.NodeRestarted: _restarted,
    events.NodePaused: _paused,
    events.NodeResumed: _resumed,
    events.LinkCut: _link_cut,
    events.LinkHealed: _link_healed,
    events.LinkChanged: _link_changed,
    events.NetworkPartitioned: _partitioned,
    events.NetworkHealed: _network_healed,
    events.MessageDropped: _dropped,
    events.MessageDelayed: _delayed,
}
