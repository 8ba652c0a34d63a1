"""A table whose cells are shaded by their value, such as cohorts by week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journeykit.insight.charts.text import safe

SHADES = 10
"""From h0, the lightest, to h9."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        share: 0 to 1, what shades it; None: it is empty.
        said: What stands in it.
        is_open: Its time isn't over for everybody, so it may still grow.
        tip: What a pointer that rests on it is told.
    """

    share: float | None
    said: str
    is_open: bool = False
    tip: str = ""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row.

    Attributes:
        name: Of the row.
        size: How many it is of, in words.
        cells: In the order of the columns.
    """

    name: str
    size: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Heat:
    """A table that is a chart: numbers in all cells, so shades are never all there is.

    Attributes:
        title: What it is.
        corner: What rows are: `cohort`.
        size_name: What is counted: `people`.
        columns: Their names.
        rows: The rows.
    """

    title: str
    corner: str
    size_name: str
    columns: Sequence[str]
    rows: Sequence[HeatRow]

    def html(self) -> str:
        """The table, for a page whose style knows `.heat` and its shades."""
        most = max(
            (c.share for row in self.rows for c in row.cells if c.share is not None),
            default=0.0,
        )
        head = "".join(f'<th scope="col">{safe(name)}</th>' for name in self.columns)
        body = "".join(self._row(row, most) for row in self.rows)
        return (
            f'<table class="heat"><caption>{safe(self.title)}</caption><thead><tr>'
            f'<th scope="col">{safe(self.corner)}</th>'
            f'<th scope="col">{safe(self.size_name)}</th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )

    def _row(self, row: HeatRow, most: float) -> str:
        cells = "".join(_cell(cell, most) for cell in row.cells)
        cells += "<td></td>" * (len(self.columns) - len(row.cells))
        return (
            f'<tr><th scope="row">{safe(row.name)}</th><td>{safe(row.size)}</td>'
            f"{cells}</tr>"
        )


def _cell(cell: Cell, most: float) -> str:
    if cell.share is None:
        return f"<td>{safe(cell.said)}</td>"
    shade = min(SHADES - 1, int(cell.share / most * SHADES)) if most else 0
    kind = f"h{shade} open" if cell.is_open else f"h{shade}"
    tip = f' title="{safe(cell.tip)}"' if cell.tip else ""
    mark = '<span class="open">*</span>' if cell.is_open else ""
    return f'<td class="{kind}"{tip}>{safe(cell.said)}{mark}</td>'
