"""Funnels: of those for whom one thing happened, for how many did the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.charts.funnel import Funnel as Drawn, FunnelStage
from journeykit.insight.charts.numbers import span
from journeykit.insight.funnels import Funnel
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, quiet

_LEAD = "How far runs get, message by message, and where they leave."


def funnels_part(funnels: Sequence[tuple[str, Funnel]], draw: Drawing) -> Section:
    """The section."""
    body = "".join(_body(funnels, draw))
    return Section("funnels", "Funnels", _LEAD, body)


def _body(funnels: Sequence[tuple[str, Funnel]], draw: Drawing) -> Iterator[str]:
    told = [(name, found) for name, found in funnels if found.levels[0].reached]
    if not told:
        yield quiet("no journey that sends messages was entered in this time")
    for place, (name, found) in enumerate(told):
        if place:  # it says the same as the first one's
            yield draw.figure(drawn(name, found), about=found.definition)
        else:
            yield draw.figure(drawn(name, found), note=found.definition)


def drawn(name: str, found: Funnel) -> Drawn:
    """A funnel as a chart.

    Args:
        name: The journey, which the names of its points begin with.
        found: The funnel.
    """
    return Drawn(
        name,
        [
            FunnelStage(
                level.point.removeprefix(name).lstrip("/@").removesuffix("@sent")
                or level.point,
                level.reached,
                f"median {span(level.median_ms)}"
                if level.median_ms is not None
                else "",
            )
            for level in found.levels
        ],
        found.unit,
    )
