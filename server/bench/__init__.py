"""`python -m server bench [PART…]`: how fast things are on this machine, each beside a peer.

Every figure is measured in the same run as its peer, the two taking turns, because a machine has slow
moments. Nothing here is a test: a missed target is a row with ✗ and an exit status.

- `core.py`: what an event costs, beside `peer.py`, the same protocol on SimPy.
- `checking.py`: how long the judge of linearizability takes.
- `browser.py`: click to paint and frames a second, beside the bare pages of `echo.py`.
- `crowd.py`: how late the events of many rooms are.
- `measure.py`, `report.py`: taking turns, and the table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from server.bench import browser, checking, core, crowd
from server.bench.report import Row, format_table

PARTS: dict[str, Callable[[], list[Row]]] = {
    "core": core.core,
    "flat": core.flat,
    "memory": core.memory,
    "check": checking.check,
    "page": browser.page,
    "rooms": crowd.rooms,
}
"""What can be measured, by the word for it."""

ALL_MET, MISSED, BAD_USE = 0, 1, 2
"""Exit statuses: every target is met; one is not; there is no such part."""


def main(parts: Sequence[str] = ()) -> int:
    """Measure the named parts, or all, and print one table. Gives the exit status."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"There is no part {unknown[0]} of the benchmark. Parts: {', '.join(PARTS)}.", file=sys.stderr)
        return BAD_USE
    rows: list[Row] = []
    for part in [part for part in PARTS if not parts or part in parts]:
        print(f"Measuring {part} …", file=sys.stderr, flush=True)
        rows += PARTS[part]()
    print(format_table(rows))
    return MISSED if any(row.is_met is False for row in rows) else ALL_MET
