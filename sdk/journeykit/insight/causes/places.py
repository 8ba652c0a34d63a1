"""The steps of a journey, what stands at them, and how many left there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from journeykit.insight.causes.factors import Place
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey
from journeykit.model.mapping import Touchpoint


class Where(NamedTuple):
    """What stands at the steps.

    Attributes:
        steps: The journey's steps, in order.
        touchpoints: Step to touchpoint.
        friction: Step to the friction noted at its touchpoint.
    """

    steps: list[str]
    touchpoints: dict[str, str]
    friction: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, journey: Journey, touchpoints: Iterable[Touchpoint]) -> Where:
        """Read it out of the definitions."""
        known = {each.id: tuple(each.friction) for each in touchpoints}
        found = cls([], {}, {})
        for step in journey.walk():
            if step.id is None:
                continue
            found.steps.append(step.id)
            if touchpoint := getattr(step, "touchpoint", None):
                found.touchpoints[step.id] = touchpoint
                if friction := known.get(touchpoint):
                    found.friction[step.id] = friction
        return found


def places_of(
    house: Warehouse, journey: Journey, at: Where, level: float
) -> Iterator[Place]:
    """Yield the steps that somebody came to, in the journey's order, older ones last."""
    counts = {
        step: (left, came)
        for step, came, left in house.rows(
            "select step, count(*), count(*) filter (is_left) from cause_stays "
            "group by step order by step"
        )
    }
    for step in dict.fromkeys([*at.steps, *counts]):
        if step in counts:
            yield Place(
                step,
                at.touchpoints.get(step, ""),
                at.friction.get(step, ()),
                Share.from_counts(*counts[step], level=level),
            )
