import json
import math
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, example, given, strategies as st

from journeykit.engine import calendar
from journeykit.engine.calendar import (
    EARLIEST,
    LATEST,
    Window,
    add,
    instant_of,
    isoformat,
    local_date,
    next_inside,
    next_time,
    start_of_day,
    start_of_month,
    start_of_next_day,
    start_of_next_month,
    start_of_next_week,
    start_of_week,
    subtract,
    to_datetime,
    to_ms,
)
from journeykit.errors import InputError
from journeykit.model.durations import Duration, days, hours, minutes, months, years
from journeykit.model.zones import is_zone, zone, zone_names

UTC_ZONE = zone("UTC")
BERLIN = zone("Europe/Berlin")
NEW_YORK = zone("America/New_York")
NUUK = zone("America/Nuuk")  # clocks go from Saturday 23:00 to Sunday 00:00, and back
SAMOA = zone("Pacific/Apia")  # had no 30 December 2011
ST_JOHNS = zone("America/St_Johns")  # put clocks back from Sunday 00:01 until 2011

HOUR = 3_600_000
DAY = 24 * HOUR
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
EVERY_DAY = frozenset[int]()


def at(text: str, where: ZoneInfo = UTC_ZONE, *, fold: int = 0) -> int:
    """Read a local time, or one with an offset, as an instant."""
    value = datetime.fromisoformat(text)
    return to_ms(value if value.tzinfo else value.replace(tzinfo=where, fold=fold))


def local(instant: int, where: ZoneInfo) -> str:
    """Print what clocks show, to the minute: `2026-06-07 12:00`."""
    return to_datetime(instant).astimezone(where).isoformat(" ", "minutes")[:16]


@cache
def changes(where: ZoneInfo) -> list[int]:
    """All instants since 1960 at which the zone's offset changes, in seconds."""

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, where).utcoffset()

    found = []
    step = 5 * 86_400
    for low in range(-315_619_200, 2_208_988_800, step):
        high = low + step
        if offset(low) != offset(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (
                    (middle, high) if offset(middle) == offset(low) else (low, middle)
                )
            found.append(high)
    return found


zones = st.sampled_from(sorted(zone_names())).map(zone)
instants = st.integers(at("1900-01-01"), at("2150-01-01"))
windows = st.builds(
    Window,
    start_minutes=st.integers(0, 1439),
    end_minutes=st.integers(0, 1440),
    weekdays=st.frozensets(st.integers(0, 6)),
)


@st.composite
def moments(draw):
    """Draw a zone and an instant, often close to a change of its clocks."""
    where = draw(zones)
    near = changes(where)
    if not near or draw(st.booleans()):
        return draw(instants), where
    around = draw(st.integers(-36 * HOUR, 36 * HOUR) | st.sampled_from([0, -1, 1]))
    return draw(st.sampled_from(near)) * 1000 + around, where


# --- add and subtract -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "duration", "expected"),
    [
        ("2026-06-07T12:00Z", days(2), "2026-06-09T12:00Z"),
        ("2026-06-20T09:00Z", days(1), "2026-06-21T09:00Z"),
        ("2026-06-07T12:00Z", days(1), "2026-06-08T12:00Z"),
        ("2026-06-07T12:00Z", days(3), "2026-06-10T12:00Z"),
        ("2024-02-29T12:00Z", years(1), "2025-02-28T12:00Z"),
        ("2024-02-29T12:00Z", years(4), "2028-02-29T12:00Z"),
        ("2026-08-31T12:00Z", months(1), "2026-09-30T12:00Z"),
        ("2026-12-31T12:00Z", months(2), "2027-02-28T12:00Z"),
        ("2027-01-31T12:00Z", months(1) + days(1), "2027-03-01T12:00Z"),
        ("2026-06-07T12:00Z", Duration(), "2026-06-07T12:00Z"),
    ],
)
def test_a_duration_moves_forward(start, duration, expected):
    assert add(at(start), duration, UTC_ZONE) == at(expected)


@pytest.mark.parametrize(
    ("start", "duration", "expected"),
    [
        ("2026-06-20T09:00Z", days(1), "2026-06-19T09:00Z"),
        ("2024-03-31T12:00Z", months(1), "2024-02-29T12:00Z"),
        ("2026-01-31T12:00Z", months(2), "2025-11-30T12:00Z"),
        ("2026-06-07T12:00Z", hours(48), "2026-06-05T12:00Z"),
        ("2026-06-07T12:00Z", days(1) + hours(12), "2026-06-06T00:00Z"),
    ],
)
def test_a_duration_moves_backward(start, duration, expected):
    assert subtract(at(start), duration, UTC_ZONE) == at(expected)


def test_a_monthly_recurrence_from_the_31st_keeps_its_anchor():
    anchor = at("2027-01-31T10:00", BERLIN)

    due = [local(add(anchor, months(n), BERLIN), BERLIN) for n in range(5)]

    assert due == [
        "2027-01-31 10:00",
        "2027-02-28 10:00",
        "2027-03-31 10:00",
        "2027-04-30 10:00",
        "2027-05-31 10:00",
    ]


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"])
def test_a_day_keeps_the_local_time_and_24_hours_do_not(night):
    evening = at(f"{night}T20:00", BERLIN)
    next_day = date.fromisoformat(night) + timedelta(1)
    clock = "21:00" if night == "2026-03-28" else "19:00"

    assert local(add(evening, days(1), BERLIN), BERLIN) == f"{next_day} 20:00"
    assert local(add(evening, hours(24), BERLIN), BERLIN) == f"{next_day} {clock}"


def test_a_time_in_a_gap_becomes_the_first_valid_instant_after_it():
    before = at("2026-03-28T02:30:15.250", BERLIN)

    due = add(before, days(1), BERLIN)

    assert due == at("2026-03-29T03:00", BERLIN)
    assert subtract(at("2026-03-30T02:30", BERLIN), days(1), BERLIN) == due


def test_elapsed_time_counts_from_the_end_of_the_gap():
    before = at("2026-03-28T02:30", BERLIN)

    assert add(before, days(1) + hours(1), BERLIN) == at("2026-03-29T04:00", BERLIN)


def test_a_time_shown_twice_is_the_first_of_the_two():
    before = at("2026-10-24T02:30", BERLIN)

    assert add(before, days(1), BERLIN) == at("2026-10-25T02:30+02:00")


def test_a_start_in_the_repeated_hour_is_left_by_the_calendar():
    second = at("2026-10-25T02:30+01:00")

    assert add(second, hours(1), BERLIN) == at("2026-10-25T03:30+01:00")
    assert add(second, days(1), BERLIN) == at("2026-10-26T02:30+01:00")
    assert add(second, Duration(), BERLIN) == second


def test_a_day_onto_a_day_left_out_becomes_the_day_after():
    before = at("2011-12-29T08:00", SAMOA)

    assert add(before, days(1), SAMOA) == at("2011-12-31T00:00", SAMOA)
    assert add(before, days(2), SAMOA) == at("2011-12-31T08:00", SAMOA)


@pytest.mark.parametrize("duration", [years(100), days(36_525), hours(800_000)])
def test_the_calendar_ends_rather_than_fails(duration):
    assert add(LATEST, duration, NEW_YORK) == LATEST
    assert subtract(EARLIEST, duration, NEW_YORK) == EARLIEST
    assert EARLIEST < subtract(add(LATEST, duration, BERLIN), duration, BERLIN) < LATEST


@given(moments(), st.integers(0, 10**11), st.integers(0, 10**9))
def test_elapsed_time_is_monotone_and_reversible(moment, ms, later):
    instant, where = moment
    duration = Duration(ms=ms)

    assert add(instant, duration, where) == instant + ms
    assert add(instant, duration, where) <= add(instant + later, duration, where)
    assert subtract(add(instant, duration, where), duration, where) == instant


@given(moments(), st.integers(0, 30), st.integers(0, 800))
def test_the_calendar_part_keeps_the_local_time(moment, month_count, day_count):
    instant, where = moment
    wall = to_datetime(instant).astimezone(where)
    month = wall.year * 12 + wall.month - 1 + month_count
    year, month = month // 12, month % 12 + 1
    clamped = min(wall.day, monthrange(year, month)[1])
    moved = date(year, month, clamped) + timedelta(day_count)
    assume(month_count or day_count)

    due = add(instant, months(month_count) + days(day_count), where)

    assert due == first_shown(moved, wall.time(), where)


@given(moments(), st.integers(1, 800))
def test_a_calendar_day_never_goes_back(moment, count):
    instant, where = moment

    assert (
        subtract(instant, days(count), where)
        < instant
        < add(instant, days(count), where)
    )


def first_shown(day: date, clock: time, where: ZoneInfo) -> int:
    """Find by the rules of PEP 495 when clocks first show a time, or its gap's end."""
    wall = datetime.combine(day, clock)
    first = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
    if first.astimezone(where).replace(tzinfo=None) == wall:
        return to_ms(first)
    low = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    (gap_end,) = (
        change
        for change in changes(where)
        if to_ms(low) < change * 1000 <= to_ms(first)
    )
    return gap_end * 1000


# --- next_time ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hour", "whole_hours"),
    [
        ("America/Los_Angeles", 20, 4),
        ("Asia/Tokyo", 5, 20),
        ("America/New_York", 8, 13),
        ("Asia/Tokyo", 8, 23),
        ("UTC", 8, 8),
    ],
)
def test_the_next_local_hour(name, hour, whole_hours):
    now = at("2023-12-19T23:00:12Z")

    due = next_time(now, hour * 60, EVERY_DAY, zone(name))

    assert (due - now) // HOUR == whole_hours
    assert local(due, zone(name)).endswith(f"{hour:02}:00")


def test_the_weekday_is_that_of_the_due_instant_in_the_zone():
    now = at("2023-12-19T23:00:12Z")  # Wednesday 08:00 in Tokyo
    tokyo = zone("Asia/Tokyo")

    due = next_time(now, 5 * 60, frozenset({THU}), tokyo)

    assert local(due, tokyo) == "2023-12-21 05:00"
    assert due == at("2023-12-20T20:00Z")


@pytest.mark.parametrize("saturday", ["2026-03-28", "2026-10-24"])
def test_the_offset_is_that_of_the_due_instant(saturday):
    now = at(f"{saturday}T12:00", BERLIN)

    due = next_time(now, 8 * 60, frozenset({MON}), BERLIN)

    assert local(due, BERLIN)[11:] == "08:00"
    assert due - now == (44 + (1 if saturday == "2026-10-24" else -1)) * HOUR


def test_the_same_minute_counts_only_to_the_millisecond():
    eight = at("2026-06-07T08:00", BERLIN)

    assert next_time(eight, 480, EVERY_DAY, BERLIN) == eight
    assert next_time(eight + 1, 480, EVERY_DAY, BERLIN) == eight + DAY


def test_people_without_a_known_zone_get_the_default_one():
    now = at("2018-10-18T12:00Z")
    stored = ["America/Los_Angeles"] * 2 + ["America/North_Dakota/Center"] * 2
    stored += [None, None, "Mars/Olympus", ""]

    people = [zone(name) if is_zone(name) else NEW_YORK for name in stored]
    due = [next_time(now, 6 * 60, EVERY_DAY, where) for where in people]

    assert [local(*pair) for pair in zip(due, people, strict=True)] == (
        ["2018-10-18 06:00"] * 2 + ["2018-10-19 06:00"] * 6
    )
    assert len(set(due)) == 3


def test_a_daily_time_in_a_gap_comes_once_after_it():
    gap_end = at("2026-03-29T03:00", BERLIN)

    assert (
        next_time(gap_end - DAY, 150, EVERY_DAY, BERLIN)
        == gap_end - HOUR // 2 - 23 * HOUR
    )
    assert next_time(gap_end - HOUR, 150, EVERY_DAY, BERLIN) == gap_end
    assert next_time(gap_end, 150, EVERY_DAY, BERLIN) == gap_end
    assert next_time(gap_end + 1, 150, EVERY_DAY, BERLIN) == at(
        "2026-03-30T02:30", BERLIN
    )


def test_a_daily_time_shown_twice_comes_once():
    first = at("2026-10-25T02:30+02:00")

    assert next_time(first - HOUR, 150, EVERY_DAY, BERLIN) == first
    assert next_time(first + 1, 150, EVERY_DAY, BERLIN) == at(
        "2026-10-26T02:30", BERLIN
    )


def test_a_gap_over_midnight_keeps_the_weekday_of_the_time():
    sunday = at("2026-03-29T00:00", NUUK)  # one second after Saturday 22:59:59
    half_past_23 = 23 * 60 + 30

    for base in (sunday - HOUR, sunday):
        assert next_time(base, half_past_23, frozenset({SAT}), NUUK) == sunday
        assert next_time(base, half_past_23, EVERY_DAY, NUUK) == sunday
        assert next_time(base, half_past_23, frozenset({SUN}), NUUK) == at(
            "2026-03-29T23:30", NUUK
        )
    assert next_time(sunday + 1, half_past_23, frozenset({SAT}), NUUK) == at(
        "2026-04-04T23:30", NUUK
    )


def test_a_day_left_out_has_no_times():
    thursday = at("2011-12-29T09:00", SAMOA)

    assert next_time(thursday, 480, EVERY_DAY, SAMOA) == at("2011-12-31T08:00", SAMOA)
    assert next_time(thursday, 480, frozenset({FRI}), SAMOA) == at(
        "2012-01-06T08:00", SAMOA
    )


def test_the_last_time_is_the_end_of_the_calendar():
    assert next_time(LATEST, 0, EVERY_DAY, NEW_YORK) == LATEST


@given(moments(), st.integers(0, 1439), st.frozensets(st.integers(0, 6)))
@example((to_ms(datetime(2026, 3, 29, 1, tzinfo=UTC)), NUUK), 1410, EVERY_DAY)
def test_next_time_is_the_first_such_time(moment, minute, weekdays):
    base, where = moment
    clock = time(minute // 60, minute % 60)
    today = local_date(base, where)
    candidates = []
    for shift in range(-2, 16):
        day = today + timedelta(shift)
        shown = first_shown(day, clock, where)
        left_out = local_date(shown - 1, where) < day < local_date(shown, where)
        if (not weekdays or day.weekday() in weekdays) and not left_out:
            candidates.append(shown)

    due = next_time(base, minute, weekdays, where)

    assert due == min(shown for shown in candidates if shown >= base)


# --- windows --------------------------------------------------------------------------

MORNING = Window(8 * 60, 10 * 60)


@pytest.mark.parametrize(
    ("window", "name", "arrival", "due"),
    [
        (MORNING, "UTC", "2018-10-19T10:00", "2018-10-20 08:00"),
        (MORNING, "UTC", "2018-10-19T12:00", "2018-10-20 08:00"),
        (
            Window(480, 600, frozenset({WED, FRI})),
            "UTC",
            "2018-10-21T08:00",
            "2018-10-24 08:00",
        ),
        (
            Window(480, 600, frozenset({FRI, SAT})),
            "UTC",
            "2018-10-20T12:00",
            "2018-10-26 08:00",
        ),
        (Window(22 * 60, 6 * 60), "UTC", "2018-10-19T10:00", "2018-10-19 22:00"),
        (MORNING, "America/New_York", "2018-10-19T09:00+00:00", "2018-10-19 08:00"),
        (MORNING, "America/New_York", "2018-10-19T13:00+00:00", "2018-10-19 09:00"),
    ],
)
def test_a_wait_until_a_window(window, name, arrival, due):
    opening = window.next_open(at(arrival), zone(name))

    assert local(opening, zone(name)) == due


def test_quiet_hours_end_exactly():
    quiet = Window(9 * 60, 17 * 60)

    assert not quiet.contains(at("2026-06-07T08:59"), UTC_ZONE)
    assert quiet.contains(at("2026-06-07T09:00"), UTC_ZONE)
    assert quiet.contains(at("2026-06-07T12:00"), UTC_ZONE)
    assert quiet.next_close(at("2026-06-07T12:00"), UTC_ZONE) == at("2026-06-07T17:00")
    assert quiet.contains(at("2026-06-07T17:00") - 1, UTC_ZONE)
    assert not quiet.contains(at("2026-06-07T17:00"), UTC_ZONE)


def test_quiet_hours_over_midnight_belong_to_the_day_they_start():
    quiet = Window(22 * 60, 6 * 60, frozenset({WED}))  # 2026-06-10 is a Wednesday

    assert quiet.contains(at("2026-06-10T23:30"), UTC_ZONE)
    assert quiet.contains(at("2026-06-11T02:00"), UTC_ZONE)
    assert not quiet.contains(at("2026-06-11T06:00"), UTC_ZONE)
    assert not quiet.contains(at("2026-06-10T02:00"), UTC_ZONE)
    assert not quiet.contains(at("2026-06-11T23:30"), UTC_ZONE)
    assert quiet.next_close(at("2026-06-10T23:30"), UTC_ZONE) == at("2026-06-11T06:00")


def test_a_window_from_saturday_to_sunday_belongs_to_saturday():
    saturday_night = Window(22 * 60, 6 * 60, frozenset({SAT}))
    sunday_night = Window(22 * 60, 6 * 60, frozenset({SUN}))
    sunday_2_am = at("2026-06-14T02:00")

    assert saturday_night.contains(sunday_2_am, UTC_ZONE)
    assert not sunday_night.contains(sunday_2_am, UTC_ZONE)


def test_half_hours_work():
    quiet = Window(16 * 60 + 30, 18 * 60)

    assert not quiet.contains(at("2026-06-07T16:29:59.999"), UTC_ZONE)
    assert quiet.contains(at("2026-06-07T16:30"), UTC_ZONE)


def test_quiet_in_jerusalem_is_not_quiet_in_utc():
    quiet = Window(22 * 60, 7 * 60)
    now = at("2026-06-07T20:00Z")

    assert quiet.contains(now, zone("Asia/Jerusalem"))
    assert not quiet.contains(now, UTC_ZONE)


def test_of_several_windows_the_first_to_open_counts():
    opened = [Window(9 * 60, 10 * 60), Window(13 * 60, 14 * 60)]

    assert next_inside(opened, at("2026-06-07T10:00"), UTC_ZONE) == at(
        "2026-06-07T13:00"
    )
    assert next_inside(opened, at("2026-06-07T09:30"), UTC_ZONE) == at(
        "2026-06-07T09:30"
    )
    assert next_inside([], 0, BERLIN) is None


def test_windows_that_leave_no_time_free_have_no_end():
    now = at("2026-06-07T12:00")

    assert Window(0, 1440).next_close(now, BERLIN) is None
    assert Window(600, 600).next_close(now, BERLIN) is None


@pytest.mark.parametrize("window", [Window(0, 0), Window(0, 1440)])
@pytest.mark.parametrize("weekdays", [EVERY_DAY, frozenset({SUN})])
def test_a_whole_day_lasts_from_midnight_to_midnight(window, weekdays):
    sunday = msgspec.structs.replace(window, weekdays=weekdays)
    midnight = at("2026-06-07T00:00", BERLIN)

    assert sunday.contains(midnight, BERLIN)
    assert sunday.contains(midnight + DAY - 1, BERLIN)
    assert sunday.contains(midnight + DAY, BERLIN) is not bool(weekdays)
    assert sunday.next_close(midnight, BERLIN) == (midnight + DAY if weekdays else None)


def test_a_window_that_ends_when_it_starts_lasts_a_day_from_then():
    saturday = Window(22 * 60, 22 * 60, frozenset({SAT}))

    assert saturday.next_open(at("2026-06-10T12:00"), UTC_ZONE) == at(
        "2026-06-13T22:00"
    )
    assert saturday.next_close(at("2026-06-14T12:00"), UTC_ZONE) == at(
        "2026-06-14T22:00"
    )


def test_a_window_inside_a_gap_does_not_open_that_day():
    window = Window(2 * 60, 3 * 60)
    before = at("2026-03-29T01:00", BERLIN)

    assert window.next_open(before, BERLIN) == at("2026-03-30T02:00", BERLIN)


def test_a_window_that_starts_in_a_gap_opens_after_it():
    window = Window(2 * 60 + 30, 4 * 60)
    before = at("2026-03-29T01:00", BERLIN)

    assert window.next_open(before, BERLIN) == at("2026-03-29T03:00", BERLIN)


def test_a_window_that_ends_in_a_gap_closes_before_it():
    window = Window(1 * 60, 2 * 60 + 30)
    inside = at("2026-03-29T01:30", BERLIN)

    assert window.next_close(inside, BERLIN) == at("2026-03-29T03:00", BERLIN)


def test_a_repeated_hour_of_quiet_is_quiet_twice():
    quiet = Window(22 * 60, 2 * 60 + 30)
    first_end = at("2026-10-25T02:30+02:00")
    clocks_put_back = at("2026-10-25T02:00+01:00")

    assert quiet.next_close(first_end - 1, BERLIN) == first_end
    assert quiet.next_open(first_end, BERLIN) == clocks_put_back
    assert quiet.next_close(clocks_put_back, BERLIN) == at("2026-10-25T02:30+01:00")


@given(moments(), windows, st.integers(1, 20 * 60_000))
def test_opening_and_closing_agree_with_contains(moment, window, step):
    instant, where = moment

    opening = window.next_open(instant, where)
    closing = window.next_close(instant, where)

    assert instant <= opening <= instant + 15 * DAY
    assert window.contains(opening, where)
    assert closing is None or not window.contains(closing, where)
    assert (opening == instant) is not (closing == instant)
    end = instant + 8 * DAY if closing is None else closing
    for earlier in between(instant, opening, step):
        assert not window.contains(earlier, where)
    for earlier in between(instant, end, step):
        assert window.contains(earlier, where)


def between(start: int, end: int, step: int) -> list[int]:
    """Sample from the start on, and include the last instant before the end."""
    step = max(step, (end - start) // 300)
    return [*range(start, end, step), end - 1] if start < end else []


@given(moments(), windows)
def test_a_window_is_what_clocks_show(moment, window):
    instant, where = moment
    wall = to_datetime(instant).astimezone(where)
    minute = wall.hour * 60 + wall.minute
    length = (window.end_minutes - window.start_minutes) % 1440 or 1440
    since_start = (minute - window.start_minutes) % 1440
    started = (
        wall.weekday() if minute >= window.start_minutes else (wall.weekday() - 1) % 7
    )

    inside = since_start < length and started in (window.weekdays or range(7))

    assert window.contains(instant, where) is inside


@given(windows)
def test_a_window_survives_json(window):
    assert msgspec.json.decode(msgspec.json.encode(window), type=Window) == window
    assert hash(window) == hash(msgspec.structs.replace(window))


# --- starts of days, weeks, months ----------------------------------------------------


def test_periods_start_on_the_local_calendar():
    now = at("2026-06-10T23:30", NEW_YORK)  # a Wednesday; Thursday in UTC

    assert local_date(now, NEW_YORK) == date(2026, 6, 10)
    assert local(start_of_day(now, NEW_YORK), NEW_YORK) == "2026-06-10 00:00"
    assert local(start_of_week(now, NEW_YORK), NEW_YORK) == "2026-06-08 00:00"
    assert local(start_of_month(now, NEW_YORK), NEW_YORK) == "2026-06-01 00:00"
    assert local(start_of_next_day(now, NEW_YORK), NEW_YORK) == "2026-06-11 00:00"
    assert local(start_of_next_week(now, NEW_YORK), NEW_YORK) == "2026-06-15 00:00"
    assert local(start_of_next_month(now, NEW_YORK), NEW_YORK) == "2026-07-01 00:00"


def test_a_day_whose_midnight_is_in_a_gap_starts_after_it():
    beirut = zone("Asia/Beirut")
    now = at("2026-03-29T12:00", beirut)

    assert start_of_day(now, beirut) == at("2026-03-29T01:00", beirut)


def test_the_next_day_starts_later_even_if_it_had_begun_before():
    sunday_for_a_minute = at("2010-11-07T00:00:30", ST_JOHNS)
    saturday_again = sunday_for_a_minute + 31_000

    assert local(saturday_again, ST_JOHNS) == "2010-11-06 23:01"
    assert (
        start_of_next_day(saturday_again, ST_JOHNS)
        == saturday_again + 59 * 60_000 - 1000
    )


@given(moments())
def test_periods_enclose_the_instant(moment):
    instant, where = moment

    today = local_date(instant, where)

    starts = [f(instant, where) for f in (start_of_month, start_of_week, start_of_day)]
    ends = [
        f(instant, where)
        for f in (start_of_next_day, start_of_next_week, start_of_next_month)
    ]
    assert starts[0] <= starts[2] <= instant < ends[0] <= min(ends[1:])
    assert starts[1] <= starts[2]
    assert local_date(starts[2], where) == today
    assert local_date(starts[2] - 1, where) < today
    assert local_date(ends[0], where) > today
    for x in range(instant, ends[0], HOUR // 2):
        assert local_date(x, where) <= today


# --- instants in and out --------------------------------------------------------------

CLOCK = at("2024-01-01T12:00Z")


@pytest.mark.parametrize(
    ("value", "waits"),
    [
        ("2024-01-01T14:00:00Z", hours(2)),
        ("2024-01-01T14:00Z", hours(2)),
        ("2024-01-01t14:00:00z", hours(2)),
        ("2024-01-01 15:00:00+01:00", hours(2)),
        ("2024-01-01T14:00:00.250Z", Duration(ms=2 * HOUR + 250)),
        ("2024-01-01T14:00:00.2509999Z", Duration(ms=2 * HOUR + 250)),
        (CLOCK // 1000 + 3600, hours(1)),
        (CLOCK / 1000 + 3600.5, Duration(ms=HOUR + 500)),
        (CLOCK + 30 * 60_000, minutes(30)),
        (float(CLOCK + 30 * 60_000), minutes(30)),
        (datetime(2024, 1, 1, 13, tzinfo=UTC), hours(1)),
        (datetime(2024, 1, 2, tzinfo=zone("Asia/Tokyo")), hours(3)),
    ],
)
def test_an_attribute_says_an_instant(value, waits):
    assert instant_of(value, NEW_YORK) == CLOCK + waits.ms


def test_an_attribute_moves_by_an_offset():
    anchor = instant_of("2024-01-01T13:00:00Z", UTC_ZONE)

    assert add(anchor, minutes(30), UTC_ZONE) - CLOCK == 90 * 60_000
    assert subtract(anchor, minutes(30), UTC_ZONE) - CLOCK == 30 * 60_000


@pytest.mark.parametrize("value", ["2024-07-01", date(2024, 7, 1)])
def test_a_date_is_local_midnight(value):
    assert instant_of(value, BERLIN) == at("2024-06-30T22:00Z")
    assert instant_of(value, NEW_YORK) == at("2024-07-01T04:00Z")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        "soon",
        "2024-01-01T14:00:00",
        datetime(2024, 1, 1, 14),  # noqa: DTZ001 (naive is the point)
        "2024-02-30",
        "2024-02-30T14:00:00Z",
        "2024-13-01",
        "2024-1-1",
        "20240101",
        "2024-W01-1",
        "2024-01-01T24:00:00Z",
        "2024-01-01T14:61:00Z",
        "2024-01-01T14:00:00+99:00",
        "2024-01-01T14:00:00Z\n",
        " 2024-01-01",
        "\u0662024-01-01",
        "1704117600",
        "0001-01-01",
        "0001-01-01T00:00:00Z",
        "0000-00-00",
        math.nan,
        math.inf,
        -math.inf,
        10**30,
        -(10**30),
        1e300,
        [2024],
        {},
        b"2024-01-01",
    ],
    ids=repr,
)
def test_what_says_no_instant_is_none(value):
    assert instant_of(value, BERLIN) is None


@pytest.mark.parametrize(
    "value", ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999-12:00"]
)
def test_never_is_the_end_of_the_calendar(value):
    assert instant_of(value, BERLIN) == LATEST


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)


@given(
    json_values
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.from_regex(
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?\Z"
    ),
    zones,
)
def test_any_value_is_an_instant_of_the_calendar_or_none(value, where):
    instant = instant_of(value, where)

    assert instant is None or EARLIEST <= instant <= LATEST


@given(st.integers(EARLIEST, LATEST))
@example(EARLIEST)
@example(LATEST)
def test_instants_survive_datetime_and_text(instant):
    value = to_datetime(instant)

    assert value.tzinfo is UTC
    assert to_ms(value) == instant
    assert instant_of(isoformat(instant), UTC_ZONE) == instant
    assert json.loads(json.dumps(isoformat(instant))).endswith("Z")


@given(instants, zones)
def test_a_datetime_in_any_zone_says_the_same_instant(instant, where):
    assert to_ms(to_datetime(instant).astimezone(where)) == instant


def test_microseconds_are_cut_off():
    value = datetime(2026, 6, 7, 12, 0, 0, 1999, tzinfo=UTC)

    assert isoformat(to_ms(value)) == "2026-06-07T12:00:00.001Z"
    assert isoformat(
        to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    ) == ("1969-12-31T23:59:59.999Z")


def test_milliseconds_are_printed_only_if_there_are_any():
    assert isoformat(at("2026-06-07T12:00Z")) == "2026-06-07T12:00:00Z"
    assert isoformat(at("2026-06-07T12:00Z") + 50) == "2026-06-07T12:00:00.050Z"


@pytest.mark.parametrize("value", [datetime.max, datetime.min, datetime(2026, 6, 7)])  # noqa: DTZ001, DTZ901
def test_a_naive_datetime_is_refused(value):
    with pytest.raises(InputError, match="no time zone"):
        to_ms(value)


@pytest.mark.parametrize("year", [1, 9999])
def test_years_beyond_the_calendar_are_refused(year):
    with pytest.raises(InputError, match="years 2 to 9998"):
        to_ms(datetime(year, 6, 7, tzinfo=UTC))


@pytest.mark.parametrize("name", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_nothing_fails_at_the_ends_of_the_calendar(name):
    where = zone(name)

    for instant in (EARLIEST, LATEST):
        assert MORNING.next_open(instant, where) >= instant
        assert MORNING.next_open(instant, where) <= LATEST
        assert isinstance(local_date(instant, where), date)
        for start in ("day", "week", "month"):
            assert getattr(calendar, f"start_of_{start}")(instant, where) <= instant
            assert getattr(calendar, f"start_of_next_{start}")(instant, where) > instant
