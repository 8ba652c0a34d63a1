"""Lying bars: one value a row, with its interval and its target where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from journeykit.insight.charts.canvas import LINE, SIZE, Canvas, color, series_color
from journeykit.insight.charts.chart import (
    NARROW,
    Table,
    legend,
    legend_height,
)
from journeykit.insight.charts.numbers import percent, whole
from journeykit.insight.charts.scale import Scale
from journeykit.insight.charts.text import in_lines, width_of

State = Literal["", "good", "bad"]

_BAR = 16.0
_NAME_SHARE = 0.36  # of the width, at most


@dataclass(frozen=True, slots=True)
class Bar:
    """One row.

    Attributes:
        name: Of the row.
        value: The bar's length; None: there is none, and `said` tells why.
        said: The value in words.
        interval: From where to where it may truly be.
        target: Where it is to be.
        state: Whether the target is met; a mark and a word say it, too.
    """

    name: str
    value: float | None
    said: str
    interval: tuple[float, float] | None = None
    target: float | None = None
    state: State = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows of bars on one scale that begins at zero.

    Attributes:
        title: What they are.
        bars: The rows.
        value_name: What is measured, as the head of the table's column.
        most: Where the scale ends; None: at the largest value.
    """

    title: str
    bars: Sequence[Bar]
    value_name: str
    most: float | None = None

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it: names before the bars, above them where it is narrow."""
        above = width < NARROW
        longest = max((width_of(b.name, size=SIZE) for b in self.bars), default=0.0)
        names = 0.0 if above else min(longest, width * _NAME_SHARE) + 14
        room = width if above else names - 14
        texts = [in_lines(b.name, size=SIZE, room=room, most=2) for b in self.bars]
        heights = [
            _BAR + 12 + LINE * (len(lines) if above else max(0, len(lines) - 1))
            for lines in texts
        ]
        said = max((width_of(b.said, size=SIZE) for b in self.bars), default=0.0)
        said = min(said, width * 0.45) + 14
        scale = Scale(0.0, self._most() or 1.0, names, max(width - said, names + 40))
        canvas = Canvas(width, sum(heights) + 4, name=name, rtl=rtl)
        top = 4.0
        for bar, lines, height in zip(self.bars, texts, heights, strict=True):
            for number, line in enumerate(lines):
                y = top + SIZE + number * LINE - (2 if above else 0)
                canvas.words(0, y, line)
            self._row(canvas, scale, bar, top + (LINE * len(lines) if above else 0))
            top += height
        return canvas.svg(title=self.title, description=self.described())

    def _row(self, canvas: Canvas, scale: Scale, bar: Bar, top: float) -> None:
        middle = top + _BAR / 2
        canvas.rect(scale.start, top, scale.end - scale.start, _BAR, fill=color("wash"))
        end = scale.start
        if bar.value is not None:
            end = scale(bar.value)
            canvas.rect(
                scale.start,
                top,
                max(end - scale.start, 1.5 if bar.value > 0 else 0),
                _BAR,
                fill=series_color(0),
                tip=f"{bar.name}: {bar.said}",
            )
        if bar.interval is not None:
            low, high = scale(bar.interval[0]), scale(bar.interval[1])
            # In two strokes, so that it is seen on the bar as well as beside it.
            for stroke, thick in ((color("paper"), 4.0), (color("ink"), 1.6)):
                canvas.line(low, middle, high, middle, stroke=stroke, width=thick)
                for x in (low, high):
                    canvas.line(
                        x, middle - 4, x, middle + 4, stroke=stroke, width=thick
                    )
            end = max(end, high)
        if bar.target is not None:
            x = scale(bar.target)
            canvas.line(x, top - 3, x, top + _BAR + 3, stroke=color("paper"), width=5)
            canvas.line(x, top - 3, x, top + _BAR + 3, stroke=color("ink"), width=2.5)
            end = max(end, x)
        mark = {"good": "✓ ", "bad": "✗ ", "": ""}[bar.state]
        canvas.words(
            end + 8,
            top + SIZE,
            f"{mark}{bar.said}",
            room=canvas.width - end - 8,
            fill=color(bar.state) if bar.state else "",
        )

    def _most(self) -> float:
        if self.most is not None:
            return self.most
        return max(
            (
                x
                for bar in self.bars
                for x in (bar.value, bar.target, *(bar.interval or ()))
                if x is not None
            ),
            default=0.0,
        )

    def described(self) -> str:
        """The first rows, in words."""
        told = "; ".join(f"{bar.name}: {bar.said}" for bar in self.bars[:_TOLD])
        more = len(self.bars) - _TOLD
        return f"{told}; and {more} more in the table." if more > 0 else f"{told}."

    def table(self) -> Table:
        """Each row's value."""
        return Table(
            ["", self.value_name],
            [[bar.name, bar.said] for bar in self.bars],
        )


_TOLD = 8


@dataclass(frozen=True, slots=True)
class Stack:
    """One row of parts.

    Attributes:
        name: Of the row.
        parts: A count for each series.
    """

    name: str
    parts: Sequence[float]


@dataclass(frozen=True, slots=True)
class Stacks:
    """What wholes are made of: each row is as long as the others, in shares.

    Attributes:
        title: What they are.
        series: Names of the parts.
        stacks: The rows.
        noun: What is counted: `runs`.
    """

    title: str
    series: Sequence[str]
    stacks: Sequence[Stack]
    noun: str

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it, with its legend on top."""
        above = width < NARROW
        height = _BAR + 12 + (LINE if above else 0)
        top = legend_height(self.series, width) + 8
        longest = max((width_of(s.name, size=SIZE) for s in self.stacks), default=0.0)
        names = 0.0 if above else min(longest, width * _NAME_SHARE) + 12
        totals = [f"{whole(sum(s.parts))}" for s in self.stacks]
        said = max((width_of(t, size=SIZE) for t in totals), default=0.0) + 12
        canvas = Canvas(width, top + height * len(self.stacks), name=name, rtl=rtl)
        legend(canvas, self.series)
        for place, stack in enumerate(self.stacks):
            y = top + place * height
            if above:
                canvas.words(0, y + SIZE - 2, stack.name, room=width)
                y += LINE
            else:
                canvas.words(0, y + SIZE, stack.name, room=names - 10)
            self._row(canvas, stack, y, names, width - said)
            canvas.words(width, y + SIZE, totals[place], anchor="end", faint=True)
        return canvas.svg(title=self.title, description=self.described())

    def _row(
        self, canvas: Canvas, stack: Stack, y: float, start: float, end: float
    ) -> None:
        total = sum(stack.parts)
        canvas.rect(start, y, end - start, _BAR, fill=color("wash"))
        if not total:
            return
        x = start
        for place, part in enumerate(stack.parts):
            if not part:
                continue
            wide = part / total * (end - start)
            share = percent(part / total)
            canvas.rect(
                x,
                y,
                wide,
                _BAR,
                fill=canvas.fill_of(place),
                stroke=color("paper"),
                tip=f"{stack.name}, {self.series[place]}: {whole(part)}, {share}",
            )
            x += wide

    def described(self) -> str:
        """The largest part of each row."""
        told: list[str] = []
        for stack in self.stacks[:_TOLD]:
            total = sum(stack.parts)
            if not total:
                continue
            most = max(range(len(stack.parts)), key=stack.parts.__getitem__)
            share = percent(stack.parts[most] / total)
            told.append(
                f"{stack.name}: {whole(total)} {self.noun}, {share} {self.series[most]}"
            )
        return f"{'; '.join(told)}." if told else "There is nothing to show."

    def table(self) -> Table:
        """Each part of each row."""
        return Table(
            ["", *self.series, self.noun],
            [
                [stack.name, *map(whole, stack.parts), whole(sum(stack.parts))]
                for stack in self.stacks
            ],
        )
