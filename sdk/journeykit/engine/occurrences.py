"""When a schedule is due for somebody: instants out of local dates and times.

Theory of operation. A schedule names *readings*: what the clocks on somebody's wall show.
Each reading stands for one instant in a zone, as everywhere here: what a gap swallows comes
at the first valid instant after it, and what clocks show twice counts the first time. So
a schedule is due once for each of its readings, whatever the clocks do, and two readings
that fall on one instant are due once together.

Readings only go forward. Who moves to another zone gets what its clocks have yet to show:
never the same reading twice, and what those clocks have passed already not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import (
    instant_of,
    local_date,
    reading_of,
    shown_at,
    to_ms,
)
from journeykit.engine.conditions import (
    Missing,
    Predicate,
    Scope,
    ValueOf,
    compile_condition,
    compile_value,
)
from journeykit.engine.values import Document
from journeykit.model.clocktimes import TimeOfDay
from journeykit.model.cron import Cron, length_of
from journeykit.model.zones import zone

_YEARS = 60  # a fifth Monday in February is at most 40 years away, over 2100
_UTC = zone("UTC")


class Occurrence(NamedTuple):
    """One time at which a schedule is due.

    Attributes:
        instant: When, milliseconds.
        reading: What the clocks show then, minutes since 1970.
    """

    instant: int
    reading: int


class ScheduleRule:
    """A schedule trigger, compiled.

    Attributes:
        segment: The segment that one has to be in; None: anybody.
        where: The condition that has to hold; None: none.
        zone: By whose clocks; None: by the customer's.
        paths: The references that it takes a day from.
        text: All that says when, to tell it from another one.
    """

    __slots__ = (
        "_cron",
        "_each",
        "_minutes",
        "_on",
        "_once",
        "paths",
        "segment",
        "text",
        "where",
        "zone",
    )

    def __init__(self, document: Document) -> None:
        """Compile the document of a ScheduleTrigger."""
        cron, once, on = (document.get(name) for name in ("cron", "once", "on"))
        self.segment: str | None = document.get("segment")
        where = document.get("where")
        self.where: Predicate | None = compile_condition(where) if where else None
        named = document.get("zone")
        self.zone: ZoneInfo | None = zone(named) if named else None
        self._cron = None if cron is None else Cron.parse(cron)
        self._once: Occurrence | int | None = None if once is None else _once(once)
        if isinstance(self._once, Occurrence):
            self.zone = _UTC  # an instant is one in any zone
        self._on: ValueOf | None = compile_value(on) if on else None
        self._each: str = document.get("each") or ""
        time = document.get("time")
        self._minutes = 0 if time is None else TimeOfDay.parse(time).minutes
        self.paths = frozenset() if self._on is None else self._on.paths
        self.text = f"{self._cron} {once} {on} {self._each} {time} {named}"

    def day(self, zone: ZoneInfo, scope: Scope) -> date | None:
        """The customer's own day that it goes by; None: it goes by none, or there is none."""
        if self._on is None:
            return None
        try:
            instant = instant_of(self._on(scope), zone)
        except Missing:
            return None
        return None if instant is None else local_date(instant, zone)

    def key(self, zone: ZoneInfo, day: date | None) -> int:
        """What a due instant was found by: if it is another one now, find it anew."""
        text = f"{self.text} {zone.key} {day}"
        digest = blake2b(text.encode(errors="surrogatepass"), digest_size=6).digest()
        return int.from_bytes(digest, "big")

    def next(
        self, base: int, last: int | None, zone: ZoneInfo, day: date | None
    ) -> Occurrence | None:
        """Find when it is due next; None: never again.

        Args:
            base: Not before this instant.
            last: The last reading for which it was due; None: none.
            zone: By whose clocks.
            day: What `day` has found.
        """
        if self._cron is not None:
            return _next_of(self._cron, base, last, zone)
        if self._once is not None:
            return _if_ahead(self._once, base, last, zone)
        if day is None:
            return None
        # The day itself is no anniversary of itself.
        since = reading_of(day, 24 * 60 - 1)
        last = since if last is None else max(last, since)
        return _first(_anniversaries(day, self, base, zone), base, last, zone)

    def readings(self, year: int, month: int, day: int) -> int:
        """The reading at its time on a day."""
        return reading_of(date(year, month, day), self._minutes)

    @property
    def is_yearly(self) -> bool:
        """Whether a day of the customer's own comes every year, and not every month."""
        return self._each == "year"


def _once(text: str) -> Occurrence | int:
    """A reading; or an occurrence, if an instant is named."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return reading_of(moment.date(), moment.hour * 60 + moment.minute)
    instant = to_ms(moment.astimezone(UTC))
    return Occurrence(instant, instant // 60_000)


def _if_ahead(
    once: Occurrence | int, base: int, last: int | None, zone: ZoneInfo
) -> Occurrence | None:
    if not isinstance(once, Occurrence):
        instant = shown_at(once, zone)
        if instant is None:
            return None
        once = Occurrence(instant, once)
    is_ahead = once.instant >= base and (last is None or once.reading > last)
    return once if is_ahead else None


@lru_cache(maxsize=4096)  # those of one zone ask the same
def _next_of(
    cron: Cron, base: int, last: int | None, zone: ZoneInfo
) -> Occurrence | None:
    return _first(_readings(cron, base, zone), base, last, zone)


def _first(
    readings: Iterator[int], base: int, last: int | None, zone: ZoneInfo
) -> Occurrence | None:
    """The first reading that is new, and not before an instant."""
    for reading in readings:
        if last is not None and reading <= last:
            continue
        instant = shown_at(reading, zone)
        if instant is not None and instant >= base:
            return Occurrence(instant, reading)
    return None


def _readings(cron: Cron, base: int, zone: ZoneInfo) -> Iterator[int]:
    """All readings of a schedule, ascending, from a day before an instant on."""
    start = local_date(base, zone).toordinal() - 1  # a gap may reach over midnight
    for year, month in _months(date.fromordinal(start), _YEARS):
        for number in cron.days_of(year, month):
            day = date(year, month, number)
            if day.toordinal() >= start:
                for minutes in cron.minutes:
                    yield reading_of(day, minutes)


def _anniversaries(
    day: date, rule: ScheduleRule, base: int, zone: ZoneInfo
) -> Iterator[int]:
    """The readings on a customer's own day; in a shorter month, on its last day."""
    start = max(local_date(base, zone).replace(day=1), day.replace(day=1))
    for year, month in _months(start.replace(month=max(1, start.month - 1)), 10):
        if not rule.is_yearly or month == day.month:
            length = length_of(year, month)
            yield rule.readings(year, month, min(day.day, length))


def _months(start: date, years: int) -> Iterator[tuple[int, int]]:
    for n in range(start.month - 1, 12 * years):
        year = start.year + n // 12
        if year > 9998:
            return
        yield year, n % 12 + 1
