"""`python -m server explore`: random runs under random faults, held against what was promised.

- `promises.py`: `PROMISES`, what each way of replicating promises, and why.
- `chaos.py`: a run's settings, and what is done in it, drawn from a seed; `disturb` does it to any cluster.
- `moves.py`: single operations and faults. `storms.py`: faults in an order in which they can hurt.
- `trial.py`: a cluster with its judges, and the record of what was done to it.
- `case.py`: one seed's run, and a run replayed from its commands.
- `shrink.py`: the few commands that matter. `story.py`: those as a scenario file.
- `report.py`: what was found, policy by policy.
"""

from server.explore.case import Case, Played, play_seed, replay
from server.explore.chaos import disturb
from server.explore.promises import POLICIES, PROMISES, ROWS, row_of
from server.explore.report import main
from server.explore.shrink import shrink
from server.explore.story import is_reproduced, write_story

__all__ = [
    "POLICIES", "PROMISES", "ROWS", "Case", "Played", "disturb", "is_reproduced", "main", "play_seed",
    "replay", "row_of", "shrink", "write_story",
]  # fmt: skip
