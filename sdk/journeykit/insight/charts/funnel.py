"""Stages one after the other, and how many are left at each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.canvas import LINE, SIZE, Canvas, color, series_color
from journeykit.insight.charts.chart import NARROW, Table
from journeykit.insight.charts.numbers import NOTHING, percent, whole
from journeykit.insight.charts.text import width_of


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """One stage.

    Attributes:
        name: Of the stage.
        count: How many came to it.
        note: What else is to be said of the way to it, such as its median time.
    """

    name: str
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Funnel:
    """Stages, the widest first.

    Attributes:
        title: What it is.
        stages: In their order.
        noun: What is counted: `people`, `runs`.
    """

    title: str
    stages: Sequence[FunnelStage]
    noun: str

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it: a bar a stage, and between two of them who was lost."""
        above = width < NARROW
        bar, between = 26.0, 30.0
        row = bar + between + (LINE if above else 0)
        longest = max((width_of(s.name, size=SIZE) for s in self.stages), default=0.0)
        start = 0.0 if above else min(longest * 1.1, width * 0.34) + 14
        room = width - start
        most = max((stage.count for stage in self.stages), default=0) or 1
        height = row * len(self.stages) - between + 4
        canvas = Canvas(width, max(height, LINE), name=name, rtl=rtl)
        before: tuple[float, float] | None = None
        shares = list(self._shares())
        for place, stage in enumerate(self.stages):
            top = place * row + 2
            if above:
                canvas.words(0, top + SIZE - 1, stage.name, room=width, bold=True)
                top += LINE
            else:
                canvas.words(
                    0, top + bar / 2 + 5, stage.name, room=start - 12, bold=True
                )
            long = max(stage.count / most * room, 1.5 if stage.count else 0)
            if before:
                self._lost(canvas, place, shares[place], before, (start, top), long)
            canvas.rect(start, top, long, bar, fill=series_color(0), radius=2)
            said = f"{whole(stage.count)} · {percent(shares[place][0])}"
            if width_of(said, size=SIZE) * 1.1 + 16 < long:
                canvas.words(
                    start + 8, top + bar / 2 + 5, said, fill=color("paper"), bold=True
                )
            else:
                canvas.words(start + long + 6, top + bar / 2 + 5, said, bold=True)
            before = (top + bar, long)
        return canvas.svg(title=self.title, description=self.described())

    def _lost(
        self,
        canvas: Canvas,
        place: int,
        shares: tuple[float | None, float | None],
        before: tuple[float, float],
        corner: tuple[float, float],
        long: float,
    ) -> None:
        """What is between a stage and the one before it."""
        (bottom, was_long), (start, top) = before, corner
        end = top - (LINE if canvas.width < NARROW else 0)
        canvas.polygon(
            [
                (start, bottom),
                (start + was_long, bottom),
                (start + long, end),
                (start, end),
            ],
            fill=series_color(0),
            opacity=0.14,
        )
        stage, lost = self.stages[place], self._lost_at(place)
        words = f"{percent(shares[1])} went on"
        if lost:
            words += f", {whole(lost)} did not"
        if stage.note:
            words += f" · {stage.note}"
        canvas.words(
            start + 8,
            (bottom + end) / 2 + 5,
            words,
            faint=True,
            room=canvas.width - start - 8,
        )

    def _lost_at(self, place: int) -> int:
        return max(0, self.stages[place - 1].count - self.stages[place].count)

    def _shares(self) -> Iterator[tuple[float | None, float | None]]:
        """Of the first stage and of the one before, by stage."""
        first = self.stages[0].count if self.stages else 0
        before = first
        for stage in self.stages:
            yield (
                stage.count / first if first else None,
                stage.count / before if before else None,
            )
            before = stage.count

    def described(self) -> str:
        """From the first stage to the last, and where most were lost."""
        if not self.stages:
            return "There are no stages."
        first, last = self.stages[0], self.stages[-1]
        words = (
            f"{whole(first.count)} {self.noun} at {first.name}, "
            f"{whole(last.count)} at {last.name}"
        )
        if first.count:
            words += f", {percent(last.count / first.count)} of the first"
        if len(self.stages) > 1:
            worst = max(range(1, len(self.stages)), key=self._lost_at)
            words += (
                f"; most were lost before {self.stages[worst].name}: "
                f"{whole(self._lost_at(worst))}"
            )
        return f"{words}."

    def table(self) -> Table:
        """Each stage's count and shares."""
        return Table(
            ["stage", self.noun, "of the first", "of the one before", ""],
            [
                [
                    stage.name,
                    whole(stage.count),
                    percent(of_first),
                    percent(of_before) if place else NOTHING,
                    stage.note,
                ]
                for place, (stage, (of_first, of_before)) in enumerate(
                    zip(self.stages, self._shares(), strict=True)
                )
            ],
        )
