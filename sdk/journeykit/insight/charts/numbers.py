"""Numbers as people read them: shares in percent, amounts, spans of time, days."""

from __future__ import annotations

import math
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NOTHING = "\N{EN DASH}"
"""Where there is no number."""

_MINUS = "\N{MINUS SIGN}"
YEAR = 365 * DAY

_UNITS = (
    (YEAR, "year"),
    (DAY, "day"),
    (HOUR, "hour"),
    (MINUTE, "minute"),
    (SECOND, "second"),
)
_SHORT = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))


def percent(share: float | None) -> str:
    """A share of 0 to 1: `44.5 %`; a dash where there is none."""
    if share is None or not math.isfinite(share):
        return NOTHING
    per_cent = share * 100
    if 0 < abs(per_cent) < 0.1:
        return "< 0.1 %" if per_cent > 0 else f"> {_MINUS}0.1 %"
    if 99.9 < per_cent < 100:
        return "> 99.9 %"
    return f"{_signed(per_cent, 1)} %"


def points(difference: float | None) -> str:
    """A difference of shares: `+1.3 points`, of a hundred."""
    if difference is None or not math.isfinite(difference):
        return NOTHING
    text = f"{abs(difference) * 100:.1f}"
    if text == "0.0":
        return "0.0 points"
    return f"{_MINUS if difference < 0 else '+'}{text} points"


def whole(count: float) -> str:
    """A count: `1,234`."""
    return f"{count:,.0f}".replace("-", _MINUS)


def counted(count: int, noun: str) -> str:
    """A number of something: `1 run`, `1,234 runs`."""
    return f"{whole(count)} {noun}{'s' * (count != 1)}"


def short(number: float) -> str:
    """A number for an axis: `1.2 M`, `350 k`, `0.25`."""
    for size, unit in _SHORT:
        if abs(number) >= size:
            return f"{_signed(number / size, 1)} {unit}"
    return _signed(number, 2)


def amount(number: float | None) -> str:
    """A worth or another measure: whole from 1,000 on, else with two places at most."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return whole(number) if abs(number) >= 1_000 else _signed(number, 2)


def signed(number: float | None) -> str:
    """A difference of amounts, with its sign."""
    if number is None or not math.isfinite(number):
        return NOTHING
    text = amount(number)
    return f"+{text}" if number > 0 and text != "0" else text


def span(milliseconds: float | None) -> str:
    """A span of time in its largest unit: `3.2 days`, `14 hours`."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return NOTHING
    for size, unit in _UNITS:
        if abs(milliseconds) >= size:
            number = _signed(milliseconds / size, 1)
            return f"{number} {unit}{'s' * (number != '1')}"
    return "0 seconds" if milliseconds == 0 else "less than a second"


def moment(ms: int) -> datetime:
    """An instant of the log, in UTC."""
    return datetime.fromtimestamp(ms / SECOND, UTC)


def day(ms: int) -> str:
    """The day of an instant, in UTC: `2017-03-01`."""
    return f"{moment(ms):%Y-%m-%d}"


def _signed(number: float, places: int) -> str:
    """A number without zeros at its end, with a minus sign that is one."""
    text = f"{number:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", _MINUS)
