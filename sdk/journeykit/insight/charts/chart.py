"""What every chart can do: be drawn in a width, be described, and be a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from journeykit.insight.charts.canvas import LINE, SIZE, Canvas
from journeykit.insight.charts.text import width_of

NARROW = 560.0
"""Below this width names stand above what they name, and not beside it."""


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart.

    Attributes:
        head: What the columns are; the first names the rows.
        rows: As many cells each as `head` has.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Chart(Protocol):
    """A chart, before it is drawn."""

    @property
    def title(self) -> str:
        """What it is."""

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it.

        Args:
            width: In CSS pixels; the height follows.
            name: Unique on the page.
            rtl: Whether people read from the right.
        """

    def described(self) -> str:
        """What it shows, in a sentence or two, for who can't see it."""

    def table(self) -> Table:
        """Its numbers."""


def legend_height(names: Sequence[str], width: float) -> float:
    """How much room `legend` takes."""
    return LINE * 1.2 * len(_rows(names, width)) if len(names) > 1 else 0.0


def legend(
    canvas: Canvas, names: Sequence[str], *, top: float = 0.0, lines: bool = False
) -> None:
    """Name the series, in as many rows as they take; one alone needs no name."""
    if len(names) < 2:
        return
    for number, row in enumerate(_rows(names, canvas.width)):
        x, y = 0.0, top + LINE * 1.2 * number + SIZE
        for place in row:
            if lines:
                canvas.polyline([(x, y - 4), (x + 22, y - 4)], place=place)
                canvas.mark(x + 11, y - 4, place=place)
            else:
                canvas.rect(x, y - 10, 22, 12, fill=canvas.fill_of(place), radius=2)
            canvas.words(x + 28, y, names[place], room=canvas.width - 30)
            x += _KEY + width_of(names[place], size=SIZE)


_KEY = 46.0  # a key, its gap, and the gap to the next


def _rows(names: Sequence[str], width: float) -> list[list[int]]:
    rows: list[list[int]] = [[]]
    used = 0.0
    for place, name in enumerate(names):
        needed = _KEY + width_of(name, size=SIZE)
        if rows[-1] and used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(place)
        used += needed
    return rows
