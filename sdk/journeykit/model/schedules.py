"""Schedules: what starts a journey by the calendar and not by an event."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeAlias, get_args

from pydantic import BeforeValidator

from journeykit.errors import DefinitionError, InputError
from journeykit.model.clocktimes import WEEKDAYS, TimeOfDay
from journeykit.model.conditions import Condition, Expression, text_of
from journeykit.model.cron import Cron
from journeykit.model.definition import _author, definition
from journeykit.model.events import instant
from journeykit.model.names import Id, Time, ZoneName

Each = Literal["month", "year"]

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::00)?")


def _once(value: object) -> object:
    """Take a local date and time, or an instant; keep its text."""
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        return value
    if _LOCAL.fullmatch(value):
        local = value[:16].replace(" ", "T")
        datetime.fromisoformat(local)  # raises where there is no such day
        return local
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(f"say at what time of that day: '{value}T09:00'")
    try:
        return instant(value).isoformat().replace("+00:00", "Z")
    except InputError as error:
        raise ValueError(
            f"{value!r:.40} is neither a local time to the minute, '2026-11-27T09:00', "
            "nor an instant with an offset, '2026-11-27T09:00:00Z'"
        ) from error


def _anchor(value: object) -> object:
    """Take a reference to a day on the profile, or to a trait."""
    if isinstance(value, str) and not value.startswith(("profile", "trait")):
        raise ValueError(
            f"{value!r:.60} is no reference to a day, such as profile.birthday"
        )
    return value


if TYPE_CHECKING:  # what authors may write, where that is more than what is kept
    CronText: TypeAlias = Cron | str
    Once: TypeAlias = datetime | str
    Anchor: TypeAlias = Expression | str
else:
    CronText = Cron
    Once = Annotated[str, BeforeValidator(_once)]
    Anchor = Annotated[Expression, BeforeValidator(_anchor)]


@definition
class ScheduleTrigger:
    """The calendar: again and again, once, or on a day of the customer's own.

    Give one of `cron`, `once` and `on`. `every` and `once` write them readably.

    Attributes:
        cron: When, in five fields: `0 9 * * mon`.
        once: When, once: `2026-11-27T09:00` by the customer's clocks, or with an offset
            (`2026-11-27T09:00:00Z`) one instant for everybody.
        on: The customer's own day: a reference like `profile.birthday`.
        each: With `on`: whether it comes every `month` or every `year`.
        time: With `on`: at what local time.
        segment: Only for who is in this segment then.
        where: Only for whom this holds then: a condition on `profile`, `trait`,
            `segment` and `consent`.
        zone: By whose clocks; by the customer's own if not given.
    """

    _: KW_ONLY
    type: Literal["schedule"] = "schedule"
    cron: CronText | None = None
    once: Once | None = None
    on: Anchor | None = None
    each: Each | None = None
    time: Time | None = None
    segment: Id | None = None
    where: Condition | None = None
    zone: ZoneName | None = None

    def __post_init__(self) -> None:
        """Refuse what says no time, or two."""
        given = [
            name for name in ("cron", "once", "on") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            both = f"{' and '.join(given)} exclude each other; " if given else ""
            raise ValueError(f"{both}give one of cron, once and on")
        if (self.on is None) != (self.each is None):
            raise ValueError("on and each belong together: each='year'")
        if (self.on is None) != (self.time is None):
            raise ValueError("on and time belong together: time='09:00'")
        if self.zone is not None and str(self.once or "")[16:]:
            raise ValueError("an instant with an offset needs no zone; leave one out")

    @property
    def label(self) -> str:
        """When, in a few words."""
        if self.on is not None:
            return f"every {self.each} on {text_of(self.on)} at {self.time}"  # type: ignore[arg-type]
        return f"once at {self.once}" if self.once else f"at {self.cron}"


def every(
    *days: str,
    at: str | None = None,
    day: int | Literal["last"] | None = None,
    month: int | None = None,
    on: Expression | None = None,
    cron: str | Cron | None = None,
    segment: str | None = None,
    where: Condition | None = None,
    zone: str | None = None,
) -> ScheduleTrigger:
    """Start by the calendar, again and again, for who is in a segment then.

        every("day", at="08:00")
        every("mon", "thu", at="18:30", segment="newsletter")
        every("month", day=31, at="09:00")            # the last where there is no 31st
        every("year", month=12, day=1, at="10:00", zone="Europe/Berlin")
        every("year", on=profile.birthday, at="09:00")
        every(cron="0 9 * * fri#1")                   # the first Friday of each month

    Args:
        *days: `day`, `weekday` (Monday to Friday), `month`, `year`, or days of the week.
        at: The local time of day.
        day: Of a month or year: which day of the month, or `last`.
        month: Of a year: which month, from 1.
        on: Of a month or year: on the customer's own day, which an attribute holds.
        cron: All that in five fields instead.
        segment: Only who is in it then.
        where: Only for whom this holds then.
        zone: By whose clocks; by each customer's own if not given.

    Raises:
        DefinitionError: It says no time; the message says what to write.
    """

    def wrong(text: str) -> NoReturn:
        said = ", ".join(map(repr, days))
        raise DefinitionError(f"every({said:.80}, …): {text}", source=_author())

    if cron is not None:
        if days or at or day or month or on is not None:
            wrong("cron= says it all; leave the rest out")
        return ScheduleTrigger(cron=cron, segment=segment, where=where, zone=zone)
    if at is None:
        wrong("say at what local time: at='09:00'")
    calendar = days[0] if len(days) == 1 and days[0] in get_args(Each) else ""
    if on is not None:
        if not calendar or day is not None or month is not None:
            wrong("the day of an attribute comes every 'month' or every 'year', alone")
        return ScheduleTrigger(
            on=on,
            each="month" if calendar == "month" else "year",
            time=at,
            segment=segment,
            where=where,
            zone=zone,
        )
    if (day is not None) != bool(calendar):
        wrong(
            "every 'month' and every 'year' need a day=, from 1 to 31 or 'last', and "
            "nothing else does"
        )
    if (month is not None) != (calendar == "year"):
        wrong("every 'year' needs a month=, from 1 to 12, and nothing else does")
    try:
        minutes = TimeOfDay.parse(at).minutes
    except DefinitionError as error:
        wrong(error.message)
    fields = f"{minutes % 60} {minutes // 60}"
    if calendar:
        fields += f" {'L' if day == 'last' else day} {month or '*'} *"
    elif days == ("day",):
        fields += " * * *"
    elif days == ("weekday",):
        fields += " * * mon-fri"
    elif days and set(days) <= set(WEEKDAYS):
        fields += f" * * {','.join(sorted(set(days), key=_place))}"
    else:
        wrong(
            "name 'day', 'weekday', 'month', 'year', or days of the week, 'mon' to 'sun'"
        )
    return ScheduleTrigger(cron=fields, segment=segment, where=where, zone=zone)


def _place(day: str) -> int:
    return [*WEEKDAYS].index(day)  # type: ignore[arg-type]


def once(
    at: datetime | str,
    *,
    segment: str | None = None,
    where: Condition | None = None,
    zone: str | None = None,
) -> ScheduleTrigger:
    """Start once, for who is in a segment then.

        once("2026-11-27T09:00", segment="vip")       # at nine by everybody's own clocks
        once("2026-11-27T09:00", zone="Europe/Berlin")
        once("2026-11-27T09:00:00Z")                  # one instant

    Args:
        at: A local date and time, to the minute; or an instant, with an offset.
        segment: Only who is in it then.
        where: Only for whom this holds then.
        zone: By whose clocks a local time is meant; each customer's own if not given.
    """
    if isinstance(at, date) and not isinstance(at, datetime):
        raise DefinitionError(
            f"once({at}): say at what time of that day: '{at}T09:00'", source=_author()
        )
    return ScheduleTrigger(once=at, segment=segment, where=where, zone=zone)
