"""How figures are shown: shares, amounts, times, what they mean, what they lack."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

import click

from journeykit.cli.terminal import counted, faint, wrapped
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.insight.stats.intervals import Interval
from journeykit.insight.warehouse import Warehouse

NONE = "-"
"""What stands where there is no figure."""

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000


def plain(value: object) -> Any:
    """Write a result as JSON values: instants as RFC 3339, the rest as it is named."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no such numbers
    if isinstance(value, datetime):
        return isoformat(to_ms(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if hasattr(value, "_asdict"):
        return plain(cast(Any, value)._asdict())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(part) for part in value]
    return value


def print_json(result: object, house: Warehouse) -> None:
    """Print a result, and beside it what the logs can't tell."""
    about = {
        "is_replay": house.replayed,
        "test_runs": house.test_runs,
        "problems": list(house.problems),
    }
    click.echo(
        json.dumps({**plain(result), "logs": about}, indent=2, ensure_ascii=False)
    )


# In words


def percent(share: float | None) -> str:
    """A share from 0 to 1 as `12.3 %`; with more digits where it is small."""
    if share is None:
        return NONE
    digits = 1 if share == 0 or abs(share) >= 0.01 else 2
    return f"{100 * share:.{digits}f} %"


def between(interval: Interval | None, *, scale: float = 100, unit: str = " %") -> str:
    """An interval as `10.7 to 13.4 %`, of shares if nothing else is said."""
    if interval is None:
        return ""
    low, high = scale * interval.low, scale * interval.high
    digits = 1 if abs(high) >= 1 or high == 0 else 2
    return f"{low:,.{digits}f} to {high:,.{digits}f}{unit}"


def amount(value: float | None) -> str:
    """A number as `1,234.50`, without decimals from 10,000 on."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == int(value) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:,.2f}"


def took(ms: float | None) -> str:
    """A time as people say it, in two units at most: `13 d 5 h`, `40 min`, `2 s`."""
    if ms is None:
        return NONE
    # By what it is once rounded, or 59 min 40 s would be 60 min.
    seconds, minutes = round(ms / _SECOND), round(ms / _MINUTE)
    if minutes >= _DAY // _MINUTE:
        days, hours = divmod(round(ms / _HOUR), 24)
        return f"{days} d {hours} h" if hours and days < 30 else f"{days} d"
    if minutes >= _HOUR // _MINUTE:
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if seconds >= _MINUTE // _SECOND else f"{seconds} s"


def meaning(definition: str) -> Iterator[str]:
    """Yield what a figure counts, held back."""
    if definition:
        for line in wrapped(definition, first="  ", indent="  "):
            yield faint(line)


def about_logs(house: Warehouse) -> Iterator[str]:
    """Yield what limits all figures: recorded events, test traffic, what logs lack."""
    told = []
    if house.replayed:
        told.append("recorded events: nothing here was caused by a message")
    if house.test_runs:
        told.append(f"{counted(house.test_runs, 'test run')} left out")
    for each in [*told, *house.problems]:
        for line in wrapped(each, first="! ", indent="  "):
            yield faint(line)


def bar(share: float | None, columns: int = 20) -> str:
    """A share as a bar of blocks, for tables."""
    filled = round((share or 0) * columns)
    return "█" * filled + "░" * (columns - filled)
