"""Differences with their intervals, below each other, around zero: a forest plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.canvas import LINE, SIZE, Canvas, color, series_color
from journeykit.insight.charts.chart import NARROW, Table
from journeykit.insight.charts.numbers import NOTHING, points
from journeykit.insight.charts.scale import Scale, ticks
from journeykit.insight.charts.text import in_lines, width_of


@dataclass(frozen=True, slots=True)
class Difference:
    """One row.

    Attributes:
        name: What differs from what.
        value: The difference; None: it isn't known.
        interval: From where to where it may truly be; None: it isn't known.
        weight: How much the row says, such as how many people; its square is larger.
        note: What stands in the table's last column.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    weight: float = 1.0
    note: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether zero is not within the interval."""
        return self.interval is not None and (
            self.interval[0] > 0 or self.interval[1] < 0
        )


@dataclass(frozen=True, slots=True)
class Forest:
    """Rows around a line at zero.

    Attributes:
        title: What they are.
        rows: The differences.
        words: A difference in words.
        less: What a value to the left of zero means.
        more: What a value to the right means.
    """

    title: str
    rows: Sequence[Difference]
    words: Callable[[float | None], str] = points
    less: str = "less"
    more: str = "more"

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it: a square for each, filled where zero is out of the question."""
        above = width < NARROW
        names = 26.0 if above else width * 0.36
        said = [self._said(row) for row in self.rows]
        right = max((width_of(s, size=SIZE) for s in said), default=0.0) + 14
        end = width - 26 if above else max(width - right, names + 80)
        low, high = self._reach()
        scale = Scale(low, high, names, end)
        values = [v for v in ticks(low, high, count=5) if low <= v <= high]
        texts = [
            in_lines(row.name, size=SIZE, room=width if above else names - 14, most=2)
            for row in self.rows
        ]
        heights = [
            (len(lines) + 1) * LINE + 26 if above else max(26, len(lines) * LINE + 10)
            for lines in texts
        ]
        top = LINE + 8
        bottom = top + sum(heights)
        canvas = Canvas(width, bottom + LINE * 1.6, name=name, rtl=rtl)
        self._axis(canvas, scale, values, top, bottom)
        y = top
        most = max((row.weight for row in self.rows), default=1.0) or 1.0
        for row, lines, words, height in zip(
            self.rows, texts, said, heights, strict=True
        ):
            for number, line in enumerate(lines):
                canvas.words(0, y + SIZE + number * LINE, line, on_lines=True)
            if above:
                canvas.words(
                    0, y + SIZE + len(lines) * LINE, words, faint=True, on_lines=True
                )
                middle = y + (len(lines) + 1) * LINE + 8
            else:
                middle = y + SIZE - 4
                canvas.words(width, middle + 4, words, anchor="end")
            self._row(canvas, scale, row, middle, (row.weight / most) ** 0.5)
            y += height
        return canvas.svg(title=self.title, description=self.described())

    def _axis(
        self,
        canvas: Canvas,
        scale: Scale,
        values: Sequence[float],
        top: float,
        bottom: float,
    ) -> None:
        zero = scale(0.0)
        less, more = f"← {self.less}", f"{self.more} →"
        ends, begins = _sides(
            zero,
            canvas.width,
            width_of(less, size=SIZE) + 4,
            width_of(more, size=SIZE) + 4,
        )
        canvas.words(ends, SIZE, less, anchor="end", faint=True, room=ends)
        room = canvas.width - begins
        canvas.words(begins, SIZE, more, faint=True, room=room)
        last = float("-inf")
        for value in values:
            x, word = scale(value), self.words(value).removesuffix(" points")
            half = width_of(word, size=SIZE) / 2
            canvas.line(x, top - 4, x, bottom, stroke=color("rule"))
            if x - half > last:
                canvas.words(x, bottom + LINE, word, anchor="middle", faint=True)
                last = x + half + 8
        canvas.line(zero, top - 4, zero, bottom, stroke=color("ink"), width=1.5)

    def _row(
        self,
        canvas: Canvas,
        scale: Scale,
        row: Difference,
        middle: float,
        size: float,
    ) -> None:
        paint = series_color(0) if row.is_clear else color("faint")
        if row.interval:
            low, high = row.interval
            canvas.line(
                scale(low), middle, scale(high), middle, stroke=paint, width=2.2
            )
            for edge, inward in ((low, 1), (high, -1)):
                x = scale(edge)
                if scale.holds(edge):
                    canvas.line(x, middle - 4, x, middle + 4, stroke=paint, width=2.2)
                else:  # it goes on beyond the chart
                    canvas.polygon(
                        [
                            (x - inward * 5, middle),
                            (x + inward * 4, middle - 5),
                            (x + inward * 4, middle + 5),
                        ],
                        fill=paint,
                    )
        if row.value is not None and scale.holds(row.value):
            half = 3.5 + 3 * size
            x = scale(row.value)
            canvas.rect(
                x - half,
                middle - half,
                2 * half,
                2 * half,
                fill=paint if row.is_clear else color("paper"),
                stroke=paint,
                tip=f"{row.name}: {self._said(row)}",
            )

    def _reach(self) -> tuple[float, float]:
        """The axis: all values, and the intervals where they aren't out of all measure."""
        known = [abs(row.value) for row in self.rows if row.value is not None]
        edges = sorted(abs(x) for row in self.rows for x in row.interval or ())
        # A row of three people may have an interval that leaves no room for the others.
        usual = edges[len(edges) * 3 // 4] * 3 if edges else 0.0
        reach = max([*known, min(edges[-1], usual) if edges else 0.0, 0.001])
        low = -reach if any(x < 0 for x in self._all()) else -reach * 0.25
        high = reach if any(x > 0 for x in self._all()) else reach * 0.25
        return low * 1.06, high * 1.06

    def _all(self) -> list[float]:
        return [
            x
            for row in self.rows
            for x in (row.value, *(row.interval or ()))
            if x is not None
        ]

    def _said(self, row: Difference) -> str:
        if row.value is None:
            return "not known"
        if row.interval is None:
            return self.words(row.value)
        low, high = (self.words(x).removesuffix(" points") for x in row.interval)
        return f"{self.words(row.value)} ({low} to {high})"

    def described(self) -> str:
        """How many are clearly more or less, and the first rows in words."""
        clear = sum(row.is_clear for row in self.rows)
        told = "; ".join(f"{row.name}: {self._said(row)}" for row in self.rows[:_TOLD])
        return (
            f"Of {len(self.rows)} differences, {clear} have an interval without zero. "
            f"{told}."
        )

    def table(self) -> Table:
        """Each row."""
        return Table(
            ["", "difference", "interval", ""],
            [
                [
                    row.name,
                    self.words(row.value),
                    " to ".join(map(self.words, row.interval))
                    if row.interval
                    else NOTHING,
                    row.note,
                ]
                for row in self.rows
            ],
        )


def _sides(zero: float, width: float, less: float, more: float) -> tuple[float, float]:
    """Where the word for less ends, and the one for more begins.

    They stand on both sides of zero. Where zero is so near to an edge that one has no room
    there, both move, and none is cut as long as they fit beside each other.
    """
    ends = max(zero - 8, less)
    begins = max(zero + 8, ends + 16)
    if begins + more > width:
        begins = max(width - more, min(less + 16, zero + 8))
        ends = min(ends, begins - 16)
    return ends, begins


_TOLD = 6
