"""Days of a journey as a decision log comes to, for tests of what `watch` finds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from journeykit.insight.daily import Day, JourneyDay, Sample

FIRST = date(2026, 1, 5)  # a Monday
WEEK = (1.0, 1.0, 1.1, 1.1, 1.3, 1.6, 0.4)

Shape = Mapping[str, Any]


def some_days(
    count: int,
    change: Callable[[int, dict[str, Any]], None] = lambda day, shape: None,
    *,
    seed: int = 1,
    journeys: tuple[str, ...] = ("cart",),
) -> dict[date, Day]:
    """Draw days that are alike but for weekdays and chance.

    Args:
        count: How many, from `FIRST` on.
        change: Is given each day's number and what it is drawn by, to change that.
        seed: Of the draw.
        journeys: Which ones there are.
    """
    draw = random.Random(seed)
    days = {}
    run = 0
    for number in range(count):
        day = Day(decisions=1)
        for journey in journeys:
            shape: dict[str, Any] = {
                "entries": 80.0 * WEEK[number % 7],
                "failed": 0.002,
                "no_consent": 0.05,
                "undelivered": 0.01,
                "converts": 0.3,
                "version": 1,
            }
            change(number, shape)
            entries = _poisson(draw, shape["entries"])
            runs = [draw.getrandbits(40) for _ in range(entries)]
            reached = [one for one in runs if draw.random() < shape["converts"]]
            failed = _binomial(draw, entries, shape["failed"])
            kept = _binomial(draw, entries, shape["no_consent"])
            lost = _binomial(draw, entries - kept, shape["undelivered"])
            run += entries
            day.decisions += entries
            day.journeys[journey] = JourneyDay(
                {
                    "entered": {"": entries},
                    "completed": {"": entries - failed},
                    "failed": {"step_limit": failed},
                    "sent": {"email": entries - kept},
                    "suppressed": {"no_consent": kept, "quiet_hours": min(3, entries)},
                    "undelivered": {"bounced": lost},
                    "goal": {"bought": len(reached)},
                },
                {str(shape["version"]): entries},
                Sample.of(runs),
                {"bought": Sample.of(reached)},
            )
        days[FIRST + timedelta(days=number)] = day
    return days


def _poisson(draw: random.Random, mean: float) -> int:
    if mean > 50:  # close enough, and quick
        return max(0, round(draw.gauss(mean, mean**0.5)))
    count, left = 0, draw.expovariate(1)
    while left < mean:
        count, left = count + 1, left + draw.expovariate(1)
    return count


def _binomial(draw: random.Random, of: int, share: float) -> int:
    return sum(draw.random() < share for _ in range(of))
