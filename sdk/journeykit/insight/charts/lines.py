"""Values over time, as lines with the bands of their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.canvas import (
    LINE,
    SIZE,
    Canvas,
    color,
    series_color,
)
from journeykit.insight.charts.chart import (
    NARROW,
    Table,
    legend,
    legend_height,
)
from journeykit.insight.charts.numbers import NOTHING, day, short, span
from journeykit.insight.charts.scale import Scale, elapsed_ticks, ticks, time_ticks
from journeykit.insight.charts.text import width_of


@dataclass(frozen=True, slots=True)
class Dot:
    """One value of a line.

    Attributes:
        at: When, in milliseconds: an instant, or how long after a beginning.
        value: How much; None: nothing is known, and the line has a gap.
        interval: From where to where it may truly be.
    """

    at: int
    value: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One series.

    Attributes:
        name: Of the series.
        dots: Its values, by time.
    """

    name: str
    dots: Sequence[Dot]


@dataclass(frozen=True, slots=True)
class Lines:
    """Series over time.

    Attributes:
        title: What they are.
        lines: The series, six at most to be told apart.
        words: A value in words.
        from_zero: Whether the scale begins at zero.
        bounds: What the scale never goes beyond, as 0 and 1 for shares.
        targets: Values to be reached, each with its name.
        elapsed: Whether it goes by the time since a beginning, and not by dates.
    """

    title: str
    lines: Sequence[Line]
    words: Callable[[float], str] = short
    from_zero: bool = True
    bounds: tuple[float, float] | None = None
    targets: Sequence[tuple[str, float]] = ()
    elapsed: bool = False

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it."""
        names = [line.name for line in self.lines]
        top = legend_height(names, width) + 12
        height = 180.0 if width < NARROW else 220.0
        values = ticks(*self._range(), count=5)
        low, high = values[0], values[-1]
        if self.bounds:
            low, high = max(low, self.bounds[0]), min(high, self.bounds[1])
            values = [v for v in values if low - 1e-9 <= v <= high + 1e-9]
        said = [self.words(value) for value in values]
        left = max((width_of(each, size=SIZE) for each in said), default=0.0) + 10
        canvas = Canvas(width, top + height + LINE + 8, name=name, rtl=rtl)
        legend(canvas, names, lines=True)
        up = Scale(low, high, top + height, top)
        for value, word in zip(values, said, strict=True):
            y = up(value)
            canvas.line(left, y, width, y, stroke=color("rule"))
            canvas.words(left - 8, y + 4, word, anchor="end", faint=True)
        along = self._along(left + 6, width - 8)
        self._days(canvas, along, top + height)
        for name_, target in self.targets:
            y = up(target)
            canvas.line(left, y, width, y, stroke=color("ink"), width=1.5, dash="6 3")
            canvas.words(width, y - 6, name_, anchor="end", faint=True, on_lines=True)
        for place, line in enumerate(self.lines):
            for piece in _pieces(line.dots):
                self._draw(canvas, piece, place, along, up)
        return canvas.svg(title=self.title, description=self.described())

    def _draw(
        self,
        canvas: Canvas,
        dots: Sequence[Dot],
        place: int,
        along: Scale,
        up: Scale,
    ) -> None:
        """One piece of a line that has no gap."""
        band = [dot for dot in dots if dot.interval]
        if len(band) > 1:
            upper = [(along(d.at), up(d.interval[1])) for d in band if d.interval]
            lower = [(along(d.at), up(d.interval[0])) for d in band if d.interval]
            canvas.polygon(
                [*upper, *reversed(lower)], fill=series_color(place), opacity=0.14
            )
        elif band and band[0].interval:
            x = along(band[0].at)
            low, high = up(band[0].interval[0]), up(band[0].interval[1])
            canvas.line(x, low, x, high, stroke=series_color(place))
        points = [(along(dot.at), up(dot.value or 0.0)) for dot in dots]
        canvas.polyline(points, place=place)
        few = len(points) <= _MARKED
        for number, (x, y) in enumerate(points):
            if few or number in (0, len(points) - 1):
                canvas.mark(x, y, place=place, size=3.2)

    def _days(self, canvas: Canvas, along: Scale, bottom: float) -> None:
        last = float("-inf")
        count = max(2, int((along.end - along.start) / _TICK))
        named = elapsed_ticks if self.elapsed else time_ticks
        for tick in named(int(along.low), int(along.high), count=count):
            x = along(tick.at)
            half = width_of(tick.name, size=SIZE) / 2
            canvas.line(x, bottom, x, bottom + 4, stroke=color("faint"))
            middle = min(
                x, canvas.width - half
            )  # the last name is drawn in, not left out
            if middle - half > last:
                canvas.words(
                    middle, bottom + LINE + 2, tick.name, anchor="middle", faint=True
                )
                last = middle + half + 8

    def _along(self, start: float, end: float) -> Scale:
        instants = [dot.at for line in self.lines for dot in line.dots] or [0]
        first, last = min(instants), max(instants)
        return Scale(first, max(last, first + 1), start, end)

    def _range(self) -> tuple[float, float]:
        values = [
            value
            for line in self.lines
            for dot in line.dots
            if dot.value is not None
            for value in (dot.value, *(dot.interval or ()))
        ] + [target for _, target in self.targets]
        if not values:
            return self.bounds or (0.0, 1.0)
        low, high = min(values), max(values)
        if self.from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if self.bounds:
            low, high = max(low, self.bounds[0]), min(high, self.bounds[1])
        return low, high

    def described(self) -> str:
        """Where each series begins and ends, and its lowest and highest value."""
        return " ".join(map(self._told, self.lines)) or "There is nothing to show."

    def _told(self, line: Line) -> str:
        known = [(dot.at, dot.value) for dot in line.dots if dot.value is not None]
        if not known:
            return f"{line.name}: nothing is known."
        (first, begins), (last, ends) = known[0], known[-1]
        values = [value for _, value in known]
        return (
            f"{line.name}: {self.words(begins)} {self._when(first)}, "
            f"{self.words(ends)} {self._when(last)}, "
            f"{self.words(min(values))} to {self.words(max(values))} between."
        )

    def _when(self, at: int) -> str:
        return f"after {span(at)}" if self.elapsed else f"on {day(at)}"

    def table(self) -> Table:
        """All values, by day."""
        instants = sorted({dot.at for line in self.lines for dot in line.dots})
        by_line = [{dot.at: dot for dot in line.dots} for line in self.lines]
        return Table(
            ["after" if self.elapsed else "from", *(line.name for line in self.lines)],
            [
                [
                    span(at) if self.elapsed else day(at),
                    *(self._cell(dots.get(at)) for dots in by_line),
                ]
                for at in instants
            ],
        )

    def _cell(self, dot: Dot | None) -> str:
        if dot is None or dot.value is None:
            return NOTHING
        said = self.words(dot.value)
        if dot.interval is None:
            return said
        low, high = map(self.words, dot.interval)
        return f"{said} ({low} to {high})"


_TICK = 56.0  # pixels of an axis for the name of a month
_MARKED = 60  # dots of a line that are each marked; more would hide it


def _pieces(dots: Sequence[Dot]) -> Iterator[Sequence[Dot]]:
    """Yield the runs of known values."""
    piece: list[Dot] = []
    for dot in dots:
        if dot.value is not None:
            piece.append(dot)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def sparkline(
    values: Sequence[float], *, name: str, said: str, rtl: bool = False
) -> str:
    """A line without axes, as small as a word: where a number comes from.

    Args:
        values: By time, from zero on.
        name: Unique on the page.
        said: What it shows, for who can't see it.
        rtl: Whether people read from the right.
    """
    width, height = 120.0, 28.0
    canvas = Canvas(width, height, name=name, rtl=rtl)
    if values:
        up = Scale(min(0.0, *values), max(*values, 0.0) or 1.0, height - 4, 5)
        along = Scale(0, max(1, len(values) - 1), 3, width - 5)
        points = [(along(place), up(value)) for place, value in enumerate(values)]
        base = [(points[-1][0], up(0)), (points[0][0], up(0))]
        if len(points) > 1:
            canvas.polygon([*points, *base], fill=series_color(0), opacity=0.12)
        canvas.polyline(points, place=0)
        canvas.mark(*points[-1], place=0, size=3)
    return canvas.svg(title=said, description="")
