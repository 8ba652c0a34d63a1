"""What a clock on the wall and a week planner show: times of day and weekdays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

from journeykit.errors import DefinitionError
from journeykit.model.written import Written

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


def weekday_numbers(weekdays: Iterable[Weekday]) -> frozenset[int]:
    """Number the days as `datetime.date.weekday` does: Monday is 0."""
    return frozenset(WEEKDAYS.index(day) for day in weekdays)


@dataclass(frozen=True, slots=True, repr=False)
class TimeOfDay(Written):
    """A local time from 00:00 to 23:59, to the minute.

    Attributes:
        minutes: Minutes that a clock shows past midnight.
    """

    minutes: int

    KIND: ClassVar[str] = "time_of_day"
    PATTERN: ClassVar[str] = "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("08:00", "22:30")

    def __post_init__(self) -> None:
        """Refuse a minute that no clock shows."""
        if type(self.minutes) is not int or not re.fullmatch(self.PATTERN, str(self)):
            raise DefinitionError(f"no time of day has {self.minutes!r} minutes")

    @classmethod
    def parse(cls, text: str | TimeOfDay) -> Self:
        """Read `HH:MM` on the 24-hour clock.

        Raises:
            DefinitionError: It isn't; the message says what to write.
        """
        if isinstance(text, TimeOfDay):
            return cls(text.minutes)
        if not isinstance(text, str) or not re.fullmatch(cls.PATTERN, text):
            raise DefinitionError(_why_refused(text))
        return cls(int(text[:2]) * 60 + int(text[3:]))

    def __str__(self) -> str:
        """Print `HH:MM`; `parse` reads the same time back."""
        return f"{self.minutes // 60:02}:{self.minutes % 60:02}"

    def __repr__(self) -> str:
        """Print Python that makes this time."""
        return f"{type(self).__name__}.parse({str(self)!r})"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: object, handler: object
    ) -> dict[str, Any]:
        """Describe the text in the JSON Schema of definitions."""
        return {
            "type": "string",
            "title": cls.__name__,
            "description": "Local time on the 24-hour clock.",
            "pattern": cls.PATTERN,
            "examples": list(cls.EXAMPLES),
        }


@dataclass(frozen=True, slots=True, repr=False)
class ClosingTime(TimeOfDay):
    """The end of a window, which may be 24:00, the end of the day."""

    PATTERN: ClassVar[str] = f"{TimeOfDay.PATTERN}|^24:00$"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("18:00", "06:30", "24:00")


def _why_refused(text: object) -> str:
    # YAML 1.1 reads 22:00 as base 60, and hands over 1320.
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text <= 24 * 60:
        return f'{text} is no time of day: quote it, "{text // 60:02}:{text % 60:02}"'
    if text == "24:00":
        return "24:00 only ends a window; a time of day at midnight is '00:00'"
    if isinstance(text, str) and re.fullmatch("[0-9]:[0-5][0-9]", text):
        return f"time of day {text!r} needs two digits for the hour: write '0{text}'"
    return f"{text!r:.40} is no time of day: write 'HH:MM', from '00:00' to '23:59'"
