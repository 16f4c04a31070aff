"""A run is a pure function of settings, seed and commands, in every process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server.cluster import Simulation
from tests.driving import SECOND, after

ROOT = Path(__file__).resolve().parent.parent

STORY = """
import sys
from server.cluster import Settings, Simulation, commands
run = Simulation(Settings(nodes=5, replication="quorum", reads="any"), int(sys.argv[1]))
run.execute(commands.StartLoad("write", 90_000))
run.execute(commands.StartLoad("read", 70_000, "2"))
run.execute(commands.SetLoss("all", None, False, 10))
for at_s, command in enumerate([
    commands.Kill("leader"), commands.Partition((("B", "C"),)), commands.Heal(), commands.Restart("A"),
    commands.AddNode("F"), commands.Pause("freshest"), commands.SetSetting("replication", "sync"),
]):
    run.run_until(at_s * 7_000_000)
    run.execute(command)
run.run_until(60_000_000)
print(len(run.trace), run.trace_sha256())
"""


def fingerprint(seed: int, hash_seed: str) -> str:
    """Play the story in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", STORY, str(seed)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_same_seed_gives_the_same_trace_in_any_process() -> None:
    """A run is a pure function of settings, seed and commands: no hash order, no address, no clock."""
    first = fingerprint(7, "1")
    assert int(first.split()[0]) > 5_000
    assert fingerprint(7, "2") == first


def test_another_seed_gives_another_trace() -> None:
    """The fingerprint covers what the seed decides."""
    traces = set()
    for seed in range(8):
        traces.add(after(Simulation(seed=seed), 10 * SECOND).trace_sha256())
    assert len(traces) == 8
