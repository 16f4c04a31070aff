"""Judges of a run: what was promised, and whether it held.

They fold over the run's events and share no code with the replication they judge. A tour, in the
order an event travels:

- `judges.py`: `Judges`, the only name that others need. `observe(event)` hands each event to the
  judges that care and gives their `Finding`s; `verdicts()` and `summary()` say how things stand.
- `observed.py`: the judges' own picture: every replica's log as it was told, and *the log that
  counts*, that of the leader of the highest term.
- `ledger.py`: one life line per operation; which acknowledged writes are lost, and why.
- `reads.py`: where each answer came from and how stale it was.
- `sessions.py`: what one client may expect of its own operations.
- `invariants.py`: the protocol's own promises, such as one leader per term.
- `availability.py`: whether clients get answers.
- `linearizability.py`: a checker for any history of a register, with a small counterexample.
- `live.py`: the same verdict while a run goes on, mostly without a search.
- `histories.py`: histories from files, for `python -m server check`.
"""

from server.guarantees.findings import Finding, Verdict
from server.guarantees.histories import HistoryError, check_file, run_check
from server.guarantees.judges import Judges
from server.guarantees.ledger import Life
from server.guarantees.linearizability import HistoryOperation, KeyVerdict, check_history, check_key
from server.guarantees.live import as_history
from server.guarantees.reads import ReadJudgement

__all__ = [
    "Finding",
    "HistoryError",
    "HistoryOperation",
    "Judges",
    "KeyVerdict",
    "Life",
    "ReadJudgement",
    "Verdict",
    "as_history",
    "check_file",
    "check_history",
    "check_key",
    "run_check",
]
