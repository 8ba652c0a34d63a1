"""Durations as authors mean them: calendar days and elapsed hours are not the same.

A `Duration` has a calendar part (months and days, which move the date on somebody's
wall) and an elapsed part (hours and below, which a stopwatch measures). `days(1)` ends
at the same local time on the next day, whatever the clocks do in between; `hours(24)`
ends when 24 hours are over. A `datetime.timedelta` can't say which of the two it is,
so none is taken anywhere.

How a duration moves an instant is in `journeykit.engine.calendar`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from journeykit.errors import DefinitionError
from journeykit.model.written import Written

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MEAN_MONTH = 1461 * _DAY // 48  # four years have 1461 days and 48 months
_LONGEST = 1200 * _MEAN_MONTH  # 100 years: longer is a slip of the keyboard

_WHOLE = "([0-9]{1,13})"
_DECIMAL = r"([0-9]{1,13}(?:\.[0-9]{1,13})?)"
_ISO = (
    rf"P(?=[0-9T])(?:{_WHOLE}Y)?(?:{_WHOLE}M)?(?:{_WHOLE}W)?(?:{_WHOLE}D)?"
    rf"(?:T(?=[0-9])(?:{_DECIMAL}H)?(?:{_DECIMAL}M)?(?:{_DECIMAL}S)?)?"
)
_SHORT = (
    rf"(?=[0-9])(?:{_WHOLE}y)?(?:{_WHOLE}mo)?(?:{_WHOLE}w)?(?:{_WHOLE}d)?"
    rf"(?:{_DECIMAL}h)?(?:{_DECIMAL}m)?(?:{_DECIMAL}s)?(?:{_WHOLE}ms)?"
)
# One pattern for the parser and for the JSON Schema, so that editors agree with us.
PATTERN = f"^(?:{_ISO}|{_SHORT})$"
_parts = re.compile(PATTERN).fullmatch

_UNIT_NAMES = {
    "y": "y yr yrs year years",
    "mo": "mo mon mth month months",
    "w": "w wk wks week weeks",
    "d": "d day days",
    "h": "h hr hrs hour hours",
    "m": "m min mins minute minutes",
    "s": "s sec secs second seconds",
    "ms": "ms msec millisecond milliseconds",
}
_UNITS = {name: unit for unit, names in _UNIT_NAMES.items() for name in names.split()}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Duration(Written):
    """A length of time with a calendar part and an elapsed part; never negative.

    Write it with `days(2)`, `hours(48)` and their kin, or as text: `2d`, `48h`, `P2D`,
    `PT48H`. Durations don't compare: whether a month is longer than 30 days depends on
    the month.

    Attributes:
        months: Calendar months; a year is 12 of them.
        days: Calendar days; a week is 7 of them.
        ms: Elapsed time in whole milliseconds.
    """

    KIND: ClassVar[str] = "duration"

    months: int = 0
    days: int = 0
    ms: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no whole number, negative, or longer than 100 years."""
        for name in ("months", "days", "ms"):
            _require_count(getattr(self, name), name)
        if self.months * _MEAN_MONTH + self.days * _DAY + self.ms > _LONGEST:
            raise DefinitionError("a duration of more than 100 years is not accepted")

    @classmethod
    def parse(cls, text: str | Duration) -> Duration:
        """Read ISO 8601 (`P1DT12H`) or the short form (`1d12h`; `m` minutes, `mo` months).

        Raises:
            DefinitionError: It is neither; the message says what to write.
        """
        if isinstance(text, Duration):
            return text
        match = _parts(text) if isinstance(text, str) and len(text) <= 100 else None
        if match is None:
            raise DefinitionError(_why_refused(text))
        y, mo, w, d, h, m, s, short_y, short_mo, short_w, short_d, *short = (
            match.groups()
        )
        short_h, short_m, short_s, millis = short
        return cls(
            months=12 * int(y or short_y or 0) + int(mo or short_mo or 0),
            days=7 * int(w or short_w or 0) + int(d or short_d or 0),
            ms=_elapsed(h or short_h or "0", _HOUR, text)
            + _elapsed(m or short_m or "0", _MINUTE, text)
            + _elapsed(s or short_s or "0", _SECOND, text)
            + int(millis or 0),
        )

    @property
    def short(self) -> str:
        """The short form that `parse` reads back, fit for a step's id: `1d12h`."""
        hours, minutes, seconds, millis = self._clock()
        units = (
            (self.months, "mo"),
            (self.days, "d"),
            (hours, "h"),
            (minutes, "m"),
            (seconds, "s"),
            (millis, "ms"),
        )
        return "".join(f"{count}{unit}" for count, unit in units if count) or "0s"

    def shortest_ms(self) -> int:
        """Count the milliseconds that pass at least: short months, days of 23 hours."""
        years, months = divmod(self.months, 12)
        return (years * 365 + months * 28 + self.days) * 23 * _HOUR + self.ms

    def longest_ms(self) -> int:
        """Count the milliseconds that pass at most: long months, days of 25 hours."""
        years, months = divmod(self.months, 12)
        return (years * 366 + months * 31 + self.days) * 25 * _HOUR + self.ms

    def _clock(self) -> tuple[int, int, int, int]:
        hours, rest = divmod(self.ms, _HOUR)
        minutes, rest = divmod(rest, _MINUTE)
        return hours, minutes, *divmod(rest, _SECOND)

    def __str__(self) -> str:
        """Print canonical ISO 8601; `parse` reads the same duration back."""
        hours, minutes, seconds, millis = self._clock()
        date = (f"{self.months}M" if self.months else "") + (
            f"{self.days}D" if self.days else ""
        )
        time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        if millis:
            time += f"{seconds}.{millis:03}".rstrip("0") + "S"
        elif seconds or not self:
            time += f"{seconds}S"
        return f"P{date}T{time}" if time else f"P{date}"

    def __repr__(self) -> str:
        """Print Python that makes this duration."""
        return f"Duration.parse({str(self)!r})"

    def __bool__(self) -> bool:
        """Zero is false."""
        return bool(self.months or self.days or self.ms)

    def __add__(self, other: Duration) -> Duration:
        """Add part by part: `days(1) + hours(12)` is one day, then twelve hours."""
        if isinstance(other, timedelta):
            raise DefinitionError(_why_no_timedelta(other))
        if not isinstance(other, Duration):
            return NotImplemented
        return Duration(
            months=self.months + other.months,
            days=self.days + other.days,
            ms=self.ms + other.ms,
        )

    if not TYPE_CHECKING:  # hidden, so that type checkers refuse the comparison, too
        __radd__ = __add__  # reached only by what is no Duration: refuses a timedelta

        def __lt__(self, other: object) -> NoReturn:
            """Refuse: there is no order between months, days and hours."""
            raise DefinitionError(
                f"durations have no order: whether {self} is shorter than {other} "
                "depends on the calendar; compare .longest_ms() or .shortest_ms()"
            )

        __le__ = __gt__ = __ge__ = __lt__

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: object, handler: object
    ) -> dict[str, Any]:
        """Describe the text in the JSON Schema of definitions."""
        return {
            "type": "string",
            "title": "Duration",
            "description": (
                "ISO 8601 or short form; days and more follow the customer's calendar, "
                "hours and less are elapsed time."
            ),
            "pattern": PATTERN,
            "examples": ["P2D", "PT48H", "2d", "48h", "30m", "1mo", "1d12h"],
        }


def seconds(count: float) -> Duration:
    """Elapsed seconds; fractions to the millisecond."""
    return Duration(ms=_exact(count, _SECOND, "seconds"))


def minutes(count: float) -> Duration:
    """Elapsed minutes."""
    return Duration(ms=_exact(count, _MINUTE, "minutes"))


def hours(count: float) -> Duration:
    """Elapsed hours: `hours(24)` is 24 hours also when the clocks change."""
    return Duration(ms=_exact(count, _HOUR, "hours"))


def days(count: int) -> Duration:
    """Calendar days: `days(1)` ends at the same local time on the next day."""
    return Duration(days=_require_count(count, "days"))


def weeks(count: int) -> Duration:
    """Calendar weeks of seven calendar days."""
    return Duration(days=7 * _require_count(count, "weeks"))


def months(count: int) -> Duration:
    """Calendar months: one after 31 January is the last day of February."""
    return Duration(months=_require_count(count, "months"))


def years(count: int) -> Duration:
    """Calendar years of twelve calendar months."""
    return Duration(months=12 * _require_count(count, "years"))


def _require_count(count: object, unit: str) -> int:
    if isinstance(count, timedelta):
        raise DefinitionError(_why_no_timedelta(count))
    if isinstance(count, bool) or not isinstance(count, int):
        way_out = (
            "; half a day is hours(12)"
            if isinstance(count, float) and unit != "ms"
            else ""
        )
        raise DefinitionError(f"{unit} are a whole number, not {count!r:.40}{way_out}")
    if count < 0:
        raise DefinitionError(f"{_NEVER_NEGATIVE}, and {unit} are {count}")
    return count


def _exact(count: object, unit_ms: int, unit: str) -> int:
    if not isinstance(count, float):
        return unit_ms * _require_count(count, unit)
    if not 0 <= count < _LONGEST:
        raise DefinitionError(f"{unit}({count}) is no length of time up to 100 years")
    return _elapsed(repr(count), unit_ms, f"{unit}({count})")


def _elapsed(number: str, unit_ms: int, spelled: str) -> int:
    # Decimal: 1.1 hours are 3,960,000 ms, where binary fractions say 3960000.0000000005.
    ms = Decimal(number) * unit_ms
    if ms != ms.to_integral_value():
        raise DefinitionError(
            f"{spelled} is no whole number of milliseconds; use a smaller unit"
        )
    return int(ms)


_NEVER_NEGATIVE = (
    "a duration is never negative (before or after is said where it is used)"
)
_HOW_TO_WRITE = (
    "write '2d', '48h', '30m' (minutes), '1mo' (months), '1d12h' or ISO 8601"
)


def _why_no_timedelta(value: timedelta) -> str:
    return (
        f"{value!r} doesn't say whether it means calendar days or elapsed hours: "
        "write days(1) for the same local time next day, or hours(24)"
    )


def _why_refused(text: object) -> str:
    if isinstance(text, timedelta):
        return _why_no_timedelta(text)
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return f"a duration is text, not {type(text).__name__}: {_HOW_TO_WRITE}"
    shown = repr(text if len(str(text)) <= 40 else f"{str(text)[:40]}…")
    bare = str(text).strip()
    if bare.startswith(("-", "+-", "P-", "PT-")):
        return f"{_NEVER_NEGATIVE}: {shown}"
    if re.fullmatch(r"[0-9.]{1,13}", bare):
        return (
            f"duration {shown} has no unit: write '{bare}h', '{bare}d' or another unit"
        )
    if suggestion := _suggestion(bare[:100]):
        return f"duration {shown} is not understood: write '{suggestion}'"
    if re.search(r"\.[0-9]+ *([dDwWyY]|mo)", bare[:100]):
        return (
            f"duration {shown}: days and longer are whole; half a day is '12h', "
            "a day and a half '36h' or '1d12h'"
        )
    return f"duration {shown} is not understood: {_HOW_TO_WRITE}"


def _suggestion(text: str) -> str | None:
    if _parts(text.upper()):
        return text.upper()
    if not re.fullmatch(r"(?:[0-9.]+ *[A-Za-z]+(?: *,? *(?:and )?|$))+", text):
        return None
    pairs = re.findall(r"([0-9.]+) *([A-Za-z]+)", text)
    short = "".join(number + _UNITS.get(name.lower(), "?") for number, name in pairs)
    return short if _parts(short) else None
