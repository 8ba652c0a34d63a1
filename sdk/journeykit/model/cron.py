"""When something is due again and again, as five fields of text: `0 9 * * mon`.

The fields are those of crontab: minute, hour, day of the month, month, day of the week
(https://man7.org/linux/man-pages/man5/crontab.5.html). As there, a day fits that is named
by either of the two day fields if both name some. Beyond it, `L` is the last day of the
month, `fri#2` the month's second Friday and `friL` its last.

One thing is not as there. **The month-end rule**: a day of the month that is named by
itself is the month's last one where the month is shorter, so `0 9 31 * *` comes every
month. Days of a range or behind a step (`29-31`, `*/2`) only come where they exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, NoReturn

from journeykit.errors import DefinitionError
from journeykit.model.clocktimes import WEEKDAYS
from journeykit.model.written import Written

MOST_A_DAY = 24
"""How often a day it may be due: each time wakes each customer whom it may concern."""

_LONGEST = 200  # characters
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_CRON_DAYS = ("sun", *WEEKDAYS[:6])  # 0 is Sunday, as in crontab
_WAY_OUT = (
    "write five fields: minute, hour, day of the month, month, day of the week, such as "
    "'0 9 * * mon' or '30 8 1 * *'"
)


@dataclass(frozen=True, slots=True, repr=False)
class Cron(Written):
    """Local times of day, on some days of the calendar, again and again.

    Attributes:
        text: The five fields, one space apart.
        minutes: The times of day as minutes past midnight, ascending.
    """

    KIND: ClassVar[str] = "cron"

    text: str
    minutes: tuple[int, ...] = field(init=False, compare=False)
    _months: frozenset[int] = field(init=False, compare=False)
    _days: frozenset[int] = field(init=False, compare=False)
    _clamped: frozenset[int] = field(init=False, compare=False)
    _weekdays: frozenset[int] = field(init=False, compare=False)
    _nth: frozenset[tuple[int, int]] = field(init=False, compare=False)
    _any_day: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Read the fields; refuse what is no time, or comes too often or never."""
        if not isinstance(self.text, str) or len(self.text) > _LONGEST:
            _refuse(self.text, _WAY_OUT)
        parts = self.text.lower().split()
        if len(parts) != 5:
            _refuse(self.text, _WAY_OUT)
        minute, hour, day, month, weekday = parts
        read = _Fields(self.text)
        minutes, _ = read.numbers("minute", minute, 0, 59)
        hours, _ = read.numbers("hour", hour, 0, 23)
        if len(minutes) * len(hours) > MOST_A_DAY:
            _refuse(
                self.text,
                f"it comes {len(minutes) * len(hours)} times a day, and {MOST_A_DAY} is "
                "the most; '0 * * * *' is every hour",
            )
        days, named = read.days(day)
        months, _ = read.numbers("month", month, 1, 12, names=_MONTHS, first=1)
        weekdays, nth = read.weekdays(weekday)
        put = object.__setattr__  # frozen
        # Lower-case, but for the L that would look like a 1.
        day, weekday = (re.sub(r"l(?=,|$)", "L", part) for part in (day, weekday))
        put(self, "text", f"{minute} {hour} {day} {month} {weekday}")
        put(self, "minutes", tuple(sorted(h * 60 + m for h in hours for m in minutes)))
        put(self, "_months", months)
        put(self, "_days", days)
        put(self, "_clamped", named)
        put(self, "_weekdays", weekdays)
        put(self, "_nth", nth)
        put(self, "_any_day", day == "*" and weekday == "*")
        longest = max(
            29 if number == 2 else length_of(2024, number) for number in months
        )
        ever = self._any_day or named or weekdays or nth
        if not (ever or (days and min(days) <= longest)):
            _refuse(self.text, "none of its months has such a day")

    @classmethod
    def parse(cls, text: str | Cron) -> Cron:
        """Read the five fields.

        Raises:
            DefinitionError: They are not understood; the message says what to write.
        """
        return text if isinstance(text, Cron) else cls(text)

    def days_of(self, year: int, month: int) -> tuple[int, ...]:
        """The days of a month on which it is due, ascending."""
        if month not in self._months:
            return ()
        length = length_of(year, month)
        if self._any_day:
            return tuple(range(1, length + 1))
        found = {day for day in self._days if day <= length}
        found |= {min(day, length) for day in self._clamped}
        if self._weekdays or self._nth:
            first = date(year, month, 1).weekday()
            for day in range(1, length + 1):
                weekday = (first + day - 1) % 7
                which = -1 if day + 7 > length else 0
                if (
                    weekday in self._weekdays
                    or (weekday, (day + 6) // 7) in self._nth
                    or (weekday, which) in self._nth
                ):
                    found.add(day)
        return tuple(sorted(found))

    def __str__(self) -> str:
        """Print the five fields; `parse` reads the same back."""
        return self.text

    def __repr__(self) -> str:
        """Print Python that makes it."""
        return f"Cron({self.text!r})"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: object, handler: object
    ) -> dict[str, Any]:
        """Describe the text in the JSON Schema of definitions."""
        return {
            "type": "string",
            "title": "Cron",
            "description": "Minute, hour, day of the month, month, day of the week.",
            "pattern": r"^\S+ +\S+ +\S+ +\S+ +\S+$",
            "examples": ["0 9 * * mon", "30 8 31 * *", "0 9 * * fri#1"],
        }


class _Fields:
    """Reads the fields of one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def numbers(
        self,
        what: str,
        part: str,
        low: int,
        high: int,
        *,
        names: tuple[str, ...] = (),
        first: int = 0,
    ) -> tuple[frozenset[int], frozenset[int]]:
        """All numbers of a field, and of them those that are named by themselves."""
        found: set[int] = set()
        named: set[int] = set()

        def number(text: str) -> int:
            if text in names:
                return names.index(text) + first
            if not re.fullmatch("[0-9]{1,2}", text) or not low <= int(text) <= high:
                also = f", or {names[0]} to {names[-1]}" if names else ""
                _refuse(
                    self._text, f"{what} {text!r:.20} is not from {low} to {high}{also}"
                )
            return int(text)

        for item in part.split(","):
            span, slash, every = item.partition("/")
            step = 1
            if slash:
                if not re.fullmatch("[1-9][0-9]?", every):
                    _refuse(self._text, f"{item!r:.20} steps by no number")
                step = int(every)
            start, dash, end = span.partition("-")
            if span == "*":
                found.update(range(low, high + 1, step))
            elif dash:
                a, b = number(start), number(end)
                if a > b:
                    _refuse(self._text, f"{span!r:.20} runs backward: write '{b}-{a}'")
                found.update(range(a, b + 1, step))
            elif slash:
                found.update(range(number(span), high + 1, step))
            else:
                named.add(number(span))
        return frozenset(found | named), frozenset(named)

    def days(self, part: str) -> tuple[frozenset[int], frozenset[int]]:
        """The days of the month, and those that a shorter month moves to its end."""
        if part == "*":
            return frozenset(), frozenset()
        items = part.split(",")
        last = frozenset({31}) if "l" in items else frozenset[int]()
        rest = ",".join(item for item in items if item != "l")
        if not rest:
            return frozenset(), last
        found, named = self.numbers("day of the month", rest, 1, 31)
        return found - named, named | last

    def weekdays(self, part: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
        """The days of the week, Monday is 0; and which ones of a month, -1 is the last."""
        if part == "*":
            return frozenset(), frozenset()
        plain: list[str] = []
        nth: set[tuple[int, int]] = set()
        for item in part.split(","):
            if match := re.fullmatch(r"(\w+?)(?:#([1-5])|l)", item):
                (number,), _ = self._weekday(match[1])
                nth.add(((number - 1) % 7, int(match[2] or -1)))
            elif re.fullmatch(r"[a-z]{3}-[a-z]{3}", item):  # sat-mon runs over Sunday
                start, end = (self._weekday(name)[0] for name in item.split("-"))
                (a,), (b,) = start, end
                days = range(a, b + 1 if a <= b else b + 8)
                plain += [str(day % 7) for day in days]
            else:
                plain.append(item)
        if not plain:
            return frozenset(), frozenset(nth)
        found, _ = self._weekday(",".join(plain))
        return frozenset((number - 1) % 7 for number in found), frozenset(nth)

    def _weekday(self, part: str) -> tuple[frozenset[int], frozenset[int]]:
        return self.numbers("day of the week", part, 0, 7, names=_CRON_DAYS)


def length_of(year: int, month: int) -> int:
    """How many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _refuse(text: object, why: str) -> NoReturn:
    raise DefinitionError(f"schedule {text!r:.60} is not understood: {why}")
