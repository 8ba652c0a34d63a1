"""Days, and the weeks and months, UTC, that trends go by; a week begins on Monday."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Literal

from journeykit.engine.calendar import to_ms
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration

Per = Literal["week", "month"]

DAY_MS = 86_400_000
_HALF_A_YEAR = 183 * DAY_MS
_MONTH = 365.2425 / 12  # days; the Gregorian calendar's mean


def midnight(day: date) -> int:
    """When a day begins, UTC, milliseconds."""
    return to_ms(datetime.combine(day, time(), UTC))


def days_of(length: Duration) -> float:
    """A length of time in days; a month is the mean one."""
    return length.months * _MONTH + length.days + length.ms / DAY_MS


def chosen(house: Warehouse, per: Per | None) -> Per:
    """What a trend goes by: what was said, else weeks of a log of up to half a year."""
    if per is not None:
        return per
    first, last = house.span or (0, 0)
    return "week" if last - first <= _HALF_A_YEAR else "month"


def beginning(instant: str, per: Per) -> str:
    """In SQL: when the week or month of an instant begins, milliseconds.

    Args:
        instant: A column of ours, in milliseconds.
        per: Which of the two.
    """
    unit = "week" if per == "week" else "month"
    return (
        f"epoch_ms(date_trunc('{unit}', make_timestamp({instant} * 1000))::TIMESTAMP)"
    )
