"""The pure core: a cluster of leader and follower actors in virtual time.

A tour, in the order a write visits the files: a `client` sends a request over the `network` to a
`machine`; its `replica` hands it to the role it plays, the `leader`, which appends to its `log`,
flushes, and copies to each `follower`; a `policies` object says when the leader may answer OK. When
the leader falls silent a follower becomes `candidate`. `controller` carries out what a person
`commands`; `simulation` owns time and the trace of `events`.

>>> from server.cluster import Simulation, commands
>>> run = Simulation(seed=7)
>>> run.execute(commands.Write("x", "1"))
>>> run.run_until(2_000_000)
>>> [len(node.replicas[0].log.entries) for node in run.nodes.values()]
[1, 1, 1]
>>> run.execute(commands.Kill("leader"))
>>> run.run_until(9_000_000)
>>> run.leader().name, run.leader().replicas[0].store["x"][0]
('B', '1')
"""

from server.cluster.commands import CommandRefused
from server.cluster.settings import LIMITS, SETTINGS, Settings
from server.cluster.simulation import Simulation, Snapshot

__all__ = ["LIMITS", "SETTINGS", "CommandRefused", "Settings", "Simulation", "Snapshot"]
