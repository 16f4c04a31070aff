"""The table that a benchmark prints: one row per measurement, beside its peer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("what", "measured", "peer", "ratio", "target", "")
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, in words for people."""

    what: str
    measured: str
    peer: str = NOTHING
    """The same figure of whatever it is compared with, and that one's name."""
    ratio: float | None = None
    """Measured over peer, or peer over measured where less is better: the target says which way."""
    target: str = NOTHING
    is_met: bool | None = None
    """`None`: no target, or nothing could be measured."""

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        ratio = NOTHING if self.ratio is None else f"{self.ratio:.2f}×"
        mark = "" if self.is_met is None else "✓" if self.is_met else "✗"
        return self.what, self.measured, self.peer, ratio, self.target, mark


def format_table(rows: Sequence[Row]) -> str:
    """All rows under their headings, columns aligned, ratios to the right."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    ratio_column = HEADINGS.index("ratio")
    printed = []
    for line in lines:
        cells = [
            cell.rjust(width) if column == ratio_column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        printed.append("  ".join(cells).rstrip())
    return "\n".join(printed)
