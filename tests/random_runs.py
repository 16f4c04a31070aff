"""Random commands on random settings, for the properties that must hold in every run."""

from __future__ import annotations

from hypothesis import strategies as st

from server.cluster import Settings, commands

NODES = st.sampled_from("ABCDE")
"""More letters than most clusters have, so that refusals are part of every run."""
SELECTORS = NODES | st.sampled_from(["leader", "freshest", "stalest"])
CLIENTS = st.sampled_from(["1", "2"])
KEYS = st.sampled_from("xy")
VALUES = st.integers(1, 9).map(str)

OPERATIONS = st.one_of(
    st.builds(commands.Write, KEYS, VALUES, CLIENTS, st.none() | NODES),
    st.builds(commands.CompareAndSet, KEYS, st.none() | VALUES, VALUES, CLIENTS, st.none() | NODES),
    st.builds(commands.Delete, KEYS, CLIENTS, st.none()),
    st.builds(commands.Read, KEYS, CLIENTS, st.none() | NODES | st.just("any")),
)
FAULTS = st.one_of(
    st.builds(commands.Kill, SELECTORS),
    st.builds(commands.Restart, NODES),
    st.builds(commands.Pause, SELECTORS),
    st.builds(commands.Resume, NODES),
    st.builds(commands.Cut, NODES, NODES, st.booleans()),
    st.builds(commands.Partition, st.lists(NODES, min_size=1, max_size=2).map(lambda group: (tuple(group),))),
    st.just(commands.Heal()),
    st.builds(commands.SetLoss, st.just("all"), st.none(), st.just(False), st.sampled_from([0, 10, 40])),
    st.builds(commands.SetLatency, NODES, NODES, st.booleans(), st.sampled_from([1_000, 900_000])),
    st.builds(commands.DropNext, st.sampled_from(["append", "reply", "vote", "message"]), NODES, NODES),
    st.builds(commands.DuplicateMessage, st.integers(1, 60)),
    st.builds(commands.DelayMessage, st.integers(1, 60), st.sampled_from([100_000, 3_000_000])),
    st.builds(commands.DeliverMessage, st.integers(1, 60)),
    st.builds(commands.Switchover, SELECTORS),
)
MEMBERSHIP = st.one_of(
    st.builds(commands.AddNode, NODES),
    st.builds(commands.RemoveNode, NODES),
)
DECREES = st.one_of(st.builds(commands.Promote, SELECTORS), st.builds(commands.Rejoin, NODES))
POLICY_CHANGES = st.builds(
    commands.SetSetting, st.just("replication"), st.sampled_from(["async", "semi-sync", "quorum", "sync"])
)
FAILOVER_CHANGES = st.builds(
    commands.SetSetting, st.just("failover"), st.sampled_from(["manual", "automatic"])
)

ANYTHING = st.one_of(
    OPERATIONS, OPERATIONS, FAULTS, FAULTS, MEMBERSHIP, DECREES, POLICY_CHANGES, FAILOVER_CHANGES
)
"""Everything a person can do."""
NOTHING_FORCED = st.one_of(OPERATIONS, OPERATIONS, FAULTS, FAULTS, MEMBERSHIP)
"""Everything but an operator's decrees and changes of policy: what a quorum must survive."""

PAUSES_US = st.sampled_from([0, 10_000, 200_000, 700_000, 2_500_000, 7_000_000])
"""Time between commands."""


@st.composite
def settings(draw: st.DrawFn, replication: str | None = None, failover: str | None = None) -> Settings:
    """Settings of a small cluster: some slow, some instant."""
    return Settings().with_values(
        {
            "nodes": draw(st.integers(2, 5)),
            "replication": replication or draw(st.sampled_from(["async", "semi-sync", "quorum", "sync"])),
            "failover": failover or draw(st.sampled_from(["manual", "automatic"])),
            "level": draw(st.sampled_from(["received", "flushed", "applied"]))
            if replication is None
            else "flushed",
            "flush": draw(st.sampled_from([0, 50_000, 400_000])),
            "apply": draw(st.sampled_from([0, 20_000])),
            "batch": draw(st.sampled_from([1, 2, 16])),
            "retries": draw(st.integers(0, 2)),
            "election-timeout-max": draw(st.sampled_from([3_100_000, 6_000_000])),
        }
    )


def scripts(
    kind: st.SearchStrategy[commands.Command],
) -> st.SearchStrategy[list[tuple[int, commands.Command]]]:
    """(pause before it, command), up to 40 of them."""
    return st.lists(st.tuples(PAUSES_US, kind), max_size=40)
