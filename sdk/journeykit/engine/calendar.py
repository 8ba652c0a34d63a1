"""Instants and local time: what `days(1)`, "at 08:00" and "quiet after 22:00" mean.

Theory of operation. An *instant* is a whole number of milliseconds since 1970, UTC. A
zone shows each instant as one *reading* of its clocks; the way back is not that simple,
because twice a year many clocks change:

- Clocks put forward leave a *gap*. A reading inside it never exists, and stands for the
  first valid instant after the gap.
- Clocks put back show an hour *twice*. Such a reading stands for the first of the two.

`add` and `next_time` go from readings to instants by these two rules. A `Window` needs
no rule: it contains exactly the instants whose reading lies inside, so a repeated hour
of quiet is quiet twice.

The calendar goes from `EARLIEST` to `LATEST`. What would end later ends at `LATEST`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from journeykit.errors import InputError
from journeykit.model.durations import Duration

_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MILLISECOND = timedelta(milliseconds=1)
_DAY_MS = 24 * 60 * 60 * 1000
_ONE_DAY = timedelta(days=1)
_NO_OFFSET = timedelta(0)

# A year less than `datetime` on both ends, so that local time always exists. The first
# and the last year serve other systems as "no date" and "never".
EARLIEST = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
LATEST = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND - 1

# Numbers from here on are milliseconds: as seconds they would lie in the year 5138, and
# as milliseconds the smaller ones before March 1973.
_FIRST_MILLISECONDS = 1e11

# No zone in tzdata changes its offset twice within six days (closest: a week, in Boa
# Vista in 2000), so equal offsets less than that apart mean: no change in between. A
# test holds the zone data against it.
_WITHOUT_TWO_CHANGES = 6 * _DAY


def add(instant: int, duration: Duration, zone: ZoneInfo) -> int:
    """Move forward: months, then days on the local calendar, then elapsed time.

    A day that the month lacks becomes the month's last, so for a monthly recurrence
    always add to the anchor: from 31 January, `months(1)` is 28 February and `months(2)`
    31 March. The local time of day stays unless it falls into a gap.
    """
    if duration.months or duration.days:
        instant = _moved(instant, duration.months, duration.days, zone)
    instant += duration.ms
    return instant if instant <= LATEST else LATEST  # noqa: FURB136 (twice as fast)


def subtract(instant: int, duration: Duration, zone: ZoneInfo) -> int:
    """Move backward by the rules and in the order of `add`; it does not undo `add`."""
    if duration.months or duration.days:
        instant = _moved(instant, -duration.months, -duration.days, zone)
    instant -= duration.ms
    return max(instant, EARLIEST)


def next_time(
    base: int, minutes_of_day: int, weekdays: frozenset[int], zone: ZoneInfo
) -> int:
    """Find the first instant at or after `base` at this local time on such a day.

    Monday is 0, no weekdays mean every day. Weekday and offset are those of the day that
    is found, in the zone. Each day has the time once: where it falls into a gap, the
    first valid instant after it; where clocks show it twice, the first. A day that a
    zone left out to cross the date line has no times.
    """
    clock = timedelta(0, minutes_of_day * 60)
    day = _local(base, zone).toordinal()
    # Yesterday's time may be `base` itself: the end of a gap over midnight (in Nuuk,
    # every spring), which is always a whole second.
    if base % 1000 == 0:
        day -= 1
    while True:
        if not weekdays or (day - 1) % 7 in weekdays:  # 1 January of year 1: a Monday
            wall = datetime.fromordinal(day) + clock
            reading = (day - _EPOCH_ORDINAL) * _DAY + minutes_of_day * _MINUTE
            found, in_gap = _first_shown(wall, reading, zone)
            if found > LATEST:
                return LATEST
            if found >= base and not (in_gap and _is_left_out(day, found, zone)):
                return found
        day += 1


def shown_at(reading: int, zone: ZoneInfo) -> int | None:
    """Find when clocks first show a reading: minutes since 1970 on the zone's own clocks.

    In a gap it is the first valid instant after it. None: the zone left that whole day
    out, or there are no dates so late.
    """
    day, minutes = divmod(reading, 24 * 60)
    try:
        wall = datetime.fromordinal(day + _EPOCH_ORDINAL) + timedelta(0, minutes * 60)
    except (ValueError, OverflowError):
        return None
    found, in_gap = _first_shown(wall, reading * _MINUTE, zone)
    if found > LATEST or (in_gap and _is_left_out(day + _EPOCH_ORDINAL, found, zone)):
        return None
    return found


def reading_of(day: date, minutes_of_day: int = 0) -> int:
    """Count the minutes since 1970 on a clock that shows this day and time."""
    return (day.toordinal() - _EPOCH_ORDINAL) * 24 * 60 + minutes_of_day


def reading_text(reading: int) -> str:
    """Print a reading: `2026-11-27T09:00`."""
    shown = _EPOCH + timedelta(minutes=reading)
    return shown.isoformat()[:16]


class Window(msgspec.Struct, frozen=True):
    """Local hours, from the start to before the end, on some days of the week.

    A window that ends before it starts runs over midnight and belongs to the day on
    which it starts; one that ends when it starts lasts until then on the next day.

    Attributes:
        start_minutes: Minutes past midnight on the clock, 0 to 1439.
        end_minutes: The same, to 1440: the end of the day.
        weekdays: Days on which it starts, Monday is 0; empty means every day.
    """

    start_minutes: int
    end_minutes: int
    weekdays: frozenset[int] = frozenset()

    def contains(self, instant: int, zone: ZoneInfo) -> bool:
        """Whether clocks in the zone show a time inside."""
        return self._shows(_local(instant, zone))

    def next_open(self, instant: int, zone: ZoneInfo) -> int:
        """Find the first instant inside, at or after this one."""
        opening = self._next_change(instant, zone, inside=False)
        return LATEST if opening is None else opening

    def next_close(self, instant: int, zone: ZoneInfo) -> int | None:
        """Find the first instant outside, at or after this one; None: never outside."""
        return self._next_change(instant, zone, inside=True)

    def _shows(self, wall: datetime) -> bool:
        minute = wall.hour * 60 + wall.minute
        weekdays = self.weekdays
        if self.start_minutes < self.end_minutes:
            hours = self.start_minutes <= minute < self.end_minutes
            return hours and (not weekdays or wall.weekday() in weekdays)
        if minute >= self.start_minutes:
            return not weekdays or wall.weekday() in weekdays
        started_yesterday = not weekdays or (wall.weekday() - 1) % 7 in weekdays
        return minute < self.end_minutes and started_yesterday

    def _next_change(self, instant: int, zone: ZoneInfo, *, inside: bool) -> int | None:
        """Walk from edge to edge of the window, and stop where clocks are changed."""
        edge = (self.end_minutes if inside else self.start_minutes) * _MINUTE
        # The pattern repeats weekly; a change of clocks may swallow one opening.
        horizon = instant + 16 * _DAY
        wall = _local(instant, zone)
        while instant < horizon:
            if self._shows(wall) is not inside:
                return instant
            since_midnight = (wall.hour * 60 + wall.minute) * _MINUTE
            since_midnight += wall.second * 1000 + instant % 1000
            step = (edge - since_midnight) % _DAY or _DAY
            if not inside and self.weekdays:
                day = wall.weekday() + (edge <= since_midnight)
                while (
                    day % 7 not in self.weekdays and step < _WITHOUT_TWO_CHANGES - _DAY
                ):
                    day, step = day + 1, step + _DAY
            if instant + step > LATEST:
                break
            ahead = _local(instant + step, zone)
            if ahead.utcoffset() == wall.utcoffset():
                instant, wall = instant + step, ahead
            else:
                instant = _change(instant, instant + step, zone)
                wall = _local(instant, zone)
        return None


def next_inside(windows: Iterable[Window], instant: int, zone: ZoneInfo) -> int | None:
    """Find the first instant in any of the windows; None without windows."""
    return min((window.next_open(instant, zone) for window in windows), default=None)


def local_date(instant: int, zone: ZoneInfo) -> date:
    """Read the date on the zone's calendar."""
    return _local(instant, zone).date()


def start_of_day(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local day; not midnight where that is in a gap."""
    return _start_of(_local(instant, zone).toordinal(), zone)


def start_of_week(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local week, which starts on Monday."""
    day = _local(instant, zone)
    return _start_of(day.toordinal() - day.weekday(), zone)


def start_of_month(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local month."""
    day = _local(instant, zone)
    return _start_of(day.toordinal() - day.day + 1, zone)


def start_of_next_day(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local day after; always later than this one."""
    return _start_after(instant, _local(instant, zone).toordinal() + 1, zone)


def start_of_next_week(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local week after; always later than this one."""
    day = _local(instant, zone)
    return _start_after(instant, day.toordinal() - day.weekday() + 7, zone)


def start_of_next_month(instant: int, zone: ZoneInfo) -> int:
    """Find the first instant of the local month after; always later than this one."""
    day = _local(instant, zone)
    first = day.toordinal() - day.day + 1
    return _start_after(instant, first + _days_in(day.year, day.month), zone)


def to_ms(value: datetime) -> int:
    """Turn an aware datetime into an instant; what is below a millisecond is cut off.

    Raises:
        InputError: It is naive, or outside of the years 2 to 9998.
    """
    if value.tzinfo is not UTC and value.utcoffset() is None:
        raise InputError(
            f"{value.isoformat()} has no time zone, so it says no instant: "
            "give the datetime a tzinfo, such as datetime.UTC"
        )
    since = value - _EPOCH
    # Dividing it by a millisecond takes more than twice as long.
    instant = since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000
    if not EARLIEST <= instant <= LATEST:
        raise InputError(f"{value.isoformat()} is outside of the years 2 to 9998")
    return instant


def to_datetime(instant: int) -> datetime:
    """Turn an instant into an aware datetime in UTC, exactly."""
    return _EPOCH + timedelta(milliseconds=instant)


def isoformat(instant: int) -> str:
    """Print RFC 3339 in UTC: `2026-06-07T12:00:00Z`, milliseconds only if there are any."""
    second, ms = divmod(instant, 1000)
    return f"{_second(second)}.{ms:03}Z" if ms else f"{_second(second)}Z"


@lru_cache(maxsize=1024)  # what happens together happens within few seconds
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


_read_date = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_read_date_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}"
    r"(?::[0-9]{2}(?:\.[0-9]{1,12})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch


def instant_of(value: object, zone: ZoneInfo) -> int | None:
    """Read an attribute's value as an instant; None if it says none.

    Taken are RFC 3339 text with an offset, a date (local midnight in the zone), an aware
    datetime, and numbers: seconds since 1970, or milliseconds from 100,000,000,000 on.
    A naive date-time says no instant. The year 9999, other systems' "never", is `LATEST`.
    """
    instant: int | None = None
    if isinstance(value, str):
        instant = _from_text(value, zone)
    elif isinstance(value, datetime):
        instant = _from_aware(value)
    elif isinstance(value, date):
        instant = _start_of(value.toordinal(), zone)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        instant = _from_number(value)
    return None if instant is None or instant < EARLIEST else min(instant, LATEST)


def _from_text(text: str, zone: ZoneInfo) -> int | None:
    try:
        if _read_date(text):
            return _start_of(date.fromisoformat(text).toordinal(), zone)
        if _read_date_time(text):
            return _from_aware(datetime.fromisoformat(text.upper()))
    except ValueError:  # 30 February
        pass
    return None


def _from_aware(value: datetime) -> int | None:
    return None if value.utcoffset() is None else (value - _EPOCH) // _MILLISECOND


def _from_number(number: float) -> int | None:
    instant = number if abs(number) >= _FIRST_MILLISECONDS else number * 1000
    return round(instant) if EARLIEST <= instant <= LATEST else None


def _local(instant: int, zone: ZoneInfo) -> datetime:
    """Read the zone's clocks, to the second: floats can't hold every millisecond."""
    return datetime.fromtimestamp(instant // 1000, zone)


def _moved(instant: int, months: int, days: int, zone: ZoneInfo) -> int:
    wall = _local(instant, zone)
    if months:
        year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
        if not 1 <= year <= 9999:
            return LATEST if months > 0 else EARLIEST
        day = min(wall.day, _days_in(year, month + 1))
        days += date(year, month + 1, day).toordinal() - wall.toordinal()
    try:
        moved = wall + timedelta(days)
    except OverflowError:
        return LATEST if days > 0 else EARLIEST
    reading = instant + _milliseconds(zone.utcoffset(wall)) + days * _DAY
    return _first_shown(moved, reading, zone)[0]


def _first_shown(wall: datetime, reading: int, zone: ZoneInfo) -> tuple[int, bool]:
    """Find when clocks first show `wall`, or the end of its gap, and whether it's that.

    Args:
        wall: What the clocks show, to the second, with `fold=0`.
        reading: The same as milliseconds since 1970 on these clocks.
        zone: Whose clocks.
    """
    # For a time shown twice, the offset of the first; in a gap, the one before it.
    before = zone.utcoffset(wall) or _NO_OFFSET
    instant = reading - _milliseconds(before)
    # A gap makes the offset grow within a day (the longest gap), which is rare: this
    # is asked first because it is ten times as fast as asking `wall` with `fold=1`.
    if wall.year < 9999 and (zone.utcoffset(wall + _ONE_DAY) or _NO_OFFSET) > before:
        after = zone.utcoffset(wall.replace(fold=1)) or _NO_OFFSET
        if after > before:
            return _change(reading - _milliseconds(after), instant, zone), True
    return instant, False


def _change(start: int, end: int, zone: ZoneInfo) -> int:
    """Find the first instant with another offset than `start`, where `end` has one.

    The two are less than `_WITHOUT_TWO_CHANGES` apart.
    """
    offset = _local(start, zone).utcoffset()
    low, high = start // 1000, end // 1000
    while high - low > 1:  # changes fall on whole seconds
        middle = (low + high) // 2
        if _local(middle * 1000, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high * 1000


def _is_left_out(day: int, gap_end: int, zone: ZoneInfo) -> bool:
    """Whether the gap swallowed the whole day (30 December 2011 in Samoa)."""
    last_before = _local(gap_end - 1, zone).toordinal()
    return last_before < day < _local(gap_end, zone).toordinal()


def _start_of(day: int, zone: ZoneInfo) -> int:
    reading = (day - _EPOCH_ORDINAL) * _DAY
    return _first_shown(datetime.fromordinal(day), reading, zone)[0]


def _start_after(instant: int, day: int, zone: ZoneInfo) -> int:
    start = _start_of(day, zone)
    if start <= instant:  # clocks were put back over midnight: it comes a second time
        midnight = datetime.fromordinal(day).replace(fold=1)
        start = (day - _EPOCH_ORDINAL) * _DAY - _milliseconds(zone.utcoffset(midnight))
    return start


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _milliseconds(offset: timedelta | None) -> int:
    return (offset.days * 86_400 + offset.seconds) * 1000 if offset else 0
