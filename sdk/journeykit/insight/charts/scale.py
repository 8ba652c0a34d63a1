"""From values to places on a chart, and the round values that its axis names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from journeykit.insight.charts.numbers import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    moment,
    short,
)


class Scale(NamedTuple):
    """A straight scale.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: Where `low` stands.
        end: Where `high` stands.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value stands; what lies beyond the scale stands at its edge."""
        if self.high == self.low:
            return self.start
        share = (min(max(value, self.low), self.high) - self.low) / (
            self.high - self.low
        )
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the scale."""
        return self.low <= value <= self.high


_LEAST = 1e-300  # of numbers that are smaller still a part may be zero


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Round values from `low` to `high` or a little beyond, about `count` of them.

    Steps are 1, 2 or 5 times a power of ten, as in Heckbert, "Nice numbers for graph
    labels", Graphics Gems (1990), p. 61.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return [0.0, 1.0]
    if high <= low:
        high = low + (abs(low) or 1.0)
    if high - low < _LEAST:
        return [0.0, 1.0]
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(
        (n * power for n in (1.0, 2.0, 5.0) if n * power >= rough * 0.999), 10 * power
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


class Tick(NamedTuple):
    """A named place on an axis of time."""

    at: int
    name: str


def elapsed_ticks(first: int, last: int, *, count: int = 6) -> Sequence[Tick]:
    """Spans of time from `first` to `last`, in days or what is shorter, round ones."""
    unit, name = next(
        ((size, name) for size, name in _SPANS if last >= 2 * size), _SPANS[-1]
    )
    return [
        Tick(round(value * unit), f"{short(value)} {name}")
        for value in ticks(first / unit, last / unit, count=count)
        if first <= value * unit <= last
    ]


_SPANS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
_LONGEST_WITH_DAYS = 70 * DAY  # ten weeks; above it months are what people think in


def time_ticks(first: int, last: int, *, count: int = 6) -> Sequence[Tick]:
    """Days, months or years between two instants, `count` or fewer of them, in UTC."""
    if last - first <= _LONGEST_WITH_DAYS:
        return _days(first, last, count)
    return _months(first, last, count)


def _days(first: int, last: int, count: int) -> list[Tick]:
    start = moment(first).replace(hour=0, minute=0, second=0, microsecond=0)
    if start < moment(first):
        start += timedelta(days=1)
    days = max(0, (last - _ms(start)) // DAY)
    step = next((n for n in (1, 2, 7, 14, 28) if days // n <= count), 28)
    steps = (start + timedelta(days=n) for n in range(0, days + 1, step))
    return [
        Tick(_ms(each), f"{each.day} {each:%b}") for each in steps if _ms(each) <= last
    ]


def _months(first: int, last: int, count: int) -> list[Tick]:
    start, end = moment(first), moment(last)
    months = (end.year - start.year) * 12 + end.month - start.month
    step = next((n for n in (1, 2, 3, 6, 12) if months // n <= count), 0)
    if not step:
        step = 12 * math.ceil(months / 12 / count)
    found: list[Tick] = []
    number = start.year * 12 + start.month - 1
    number += -number % step  # the first of a quarter, a half, a year
    while True:
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if at > end:
            return found
        if at >= start:
            name = f"{at:%b %Y}" if at.month == 1 or not found else f"{at:%b}"
            found.append(Tick(_ms(at), f"{at:%Y}" if step >= 12 else name))
        number += step


def _ms(at: datetime) -> int:
    return round(at.timestamp() * SECOND)
