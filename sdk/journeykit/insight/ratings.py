"""Ratings that people give by themselves, each brought to one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from journeykit.engine.calendar import to_datetime
from journeykit.insight.stats.intervals import Interval
from journeykit.insight.stats.scores import mean_on_scale

STARS = 5
"""What ratings are brought to a scale up to."""


@dataclass(frozen=True, slots=True)
class Rating:
    """The reviews, or ratings of tickets, of a week, a month or all time.

    Attributes:
        starts_at: When it begins; None: of all time.
        count: How many.
        mean: Their mean, on a scale up to 5.
        interval: Of the mean; None of fewer than two.
    """

    starts_at: datetime | None
    count: int
    mean: float | None
    interval: Interval | None


def stars(table: str) -> str:
    """In SQL: an event's rating on a scale up to 5; null where none makes sense.

    Args:
        table: What the table of events is called, a name of ours.
    """
    rating = f"TRY_CAST({table}.properties->>'$.rating' AS DOUBLE)"
    scale = f"coalesce(TRY_CAST({table}.properties->>'$.scale' AS DOUBLE), {STARS})"
    return (
        f"case when {scale} > 0 and {rating} between 0 and {scale} "
        f"then {rating} * {STARS} / {scale} end"
    )


def rating_of(rated: Iterable[tuple[float, int]], period: int | None = None) -> Rating:
    """The mean of ratings.

    Args:
        rated: Stars, and how many gave them.
        period: The beginning of the week or month, milliseconds; None: of all time.
    """
    pairs = list(rated)
    count = sum(n for _, n in pairs)
    total = math.fsum(given * n for given, n in pairs)
    squares = math.fsum(given * given * n for given, n in pairs)
    return Rating(
        None if period is None else to_datetime(period),
        count,
        total / count if count else None,
        mean_on_scale(count, total, squares, low=0, high=STARS),
    )
