from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import Journey, ScheduleTrigger, every, once, profile
from journeykit.errors import DefinitionError
from journeykit.model.cron import Cron, length_of
from journeykit.model.definition import document_of
from journeykit.model.documents import from_json, from_yaml, to_json, to_yaml


def days_of(text: str, year: int, month: int) -> list[int]:
    return [*Cron.parse(text).days_of(year, month)]


@pytest.mark.parametrize(
    ("text", "february", "march"),
    [
        ("0 9 31 * *", [28], [31]),
        ("0 9 30,31 * *", [28], [30, 31]),
        ("0 9 L * *", [28], [31]),
        ("0 9 29-31 * *", [], [29, 30, 31]),
        ("0 9 */10 * *", [1, 11, 21], [1, 11, 21, 31]),
        ("0 9 10/7 * *", [10, 17, 24], [10, 17, 24, 31]),
        ("0 9 * * fri#1", [6], [6]),
        ("0 9 * * friL", [27], [27]),
        ("0 9 * * 0", [1, 8, 15, 22], [1, 8, 15, 22, 29]),
        ("0 9 * * 7", [1, 8, 15, 22], [1, 8, 15, 22, 29]),
        ("0 9 * * sat-sun", [1, 7, 8, 14, 15, 21, 22, 28], None),
        ("0 9 15 * mon", [2, 9, 15, 16, 23], None),
        ("0 9 1 mar *", [], [1]),
    ],
)
def test_a_schedule_names_its_days(
    text: str, february: list[int], march: list[int] | None
) -> None:
    assert days_of(text, 2026, 2) == february
    if march is not None:
        assert days_of(text, 2026, 3) == march


def test_the_last_of_february_is_the_29th_in_a_leap_year() -> None:
    assert days_of("0 9 31 2 *", 2028, 2) == [29]
    assert days_of("0 9 29-31 2 *", 2028, 2) == [29]


def test_times_of_day_are_all_combinations_of_hours_and_minutes() -> None:
    cron = Cron.parse("0,30 9-10 * * *")

    assert cron.minutes == (540, 570, 600, 630)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 9 * *", "five fields"),
        ("0 9 * * * *", "five fields"),
        ("* * * * *", "1440 times a day"),
        ("*/30 * * * *", "48 times a day"),
        ("61 9 * * *", "minute '61' is not from 0 to 59"),
        ("0 24 * * *", "hour '24' is not from 0 to 23"),
        ("0 9 0 * *", "day of the month '0' is not from 1 to 31"),
        ("0 9 * 13 *", "not from 1 to 12, or jan to dec"),
        ("0 9 * * fox", "not from 0 to 7, or sun to sat"),
        ("0 9 5-1 * *", "write '1-5'"),
        ("0 9 1/0 * *", "steps by no number"),
        ("0 9 30-31 2 *", "none of its months has such a day"),
        ("0 9 31-31 4,6 *", "none of its months has such a day"),
        ("0 9 * * fri#6", "day of the week 'fri#6'"),
        ("0 9 * * " + "mon," * 100 + "mon", "five fields"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Cron.parse(text)

    assert said in str(caught.value)


_numbers = st.integers(1, 31).map(str)
_ranges = st.tuples(st.integers(1, 31), st.integers(1, 31)).map(
    lambda pair: f"{min(pair)}-{max(pair)}"
)
_weekdays = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])


@given(
    days=st.lists(_numbers | _ranges, min_size=1, max_size=3),
    weekdays=st.lists(_weekdays, max_size=2),
    year=st.integers(1970, 2100),
    month=st.integers(1, 12),
)
def test_a_day_fits_if_either_field_names_it(
    days: list[str], weekdays: list[str], year: int, month: int
) -> None:
    text = f"0 9 {','.join(days)} * {','.join(weekdays) or '*'}"
    length = length_of(year, month)
    wanted = set()
    for item in days:
        start, _, end = item.partition("-")
        span = range(int(start), int(end or start) + 1)
        wanted |= {day for day in span if day <= length}
        if not end:
            wanted.add(min(int(start), length))
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    for day in range(1, length + 1):
        if names[date(year, month, day).weekday()] in weekdays:
            wanted.add(day)

    assert days_of(text, year, month) == sorted(wanted)


@given(year=st.integers(1, 9998), month=st.integers(1, 12))
def test_a_month_is_as_long_as_the_calendar_says(year: int, month: int) -> None:
    after = date(year + month // 12, month % 12 + 1, 1)

    assert length_of(year, month) == (after - timedelta(1)).day


@pytest.mark.parametrize(
    ("trigger", "document"),
    [
        (every("day", at="08:00"), {"cron": "0 8 * * *"}),
        (every("weekday", at="08:00"), {"cron": "0 8 * * mon-fri"}),
        (
            every("thu", "mon", at="18:30", segment="news"),
            {"cron": "30 18 * * mon,thu", "segment": "news"},
        ),
        (every("month", day=31, at="09:00"), {"cron": "0 9 31 * *"}),
        (every("month", day="last", at="09:00"), {"cron": "0 9 L * *"}),
        (
            every("year", month=12, day=1, at="10:05", zone="Europe/Berlin"),
            {"cron": "5 10 1 12 *", "zone": "Europe/Berlin"},
        ),
        (
            every("year", on=profile.birthday, at="09:00"),
            {"on": "profile.birthday", "each": "year", "time": "09:00"},
        ),
        (every(cron="0 9 * * FRI#1"), {"cron": "0 9 * * fri#1"}),
        (once("2026-11-27T09:00"), {"once": "2026-11-27T09:00"}),
        (once("2026-11-27 09:00:00"), {"once": "2026-11-27T09:00"}),
        (once("2026-11-27T09:00:00+01:00"), {"once": "2026-11-27T08:00:00Z"}),
        (
            every("day", at="08:00", where=profile.plan == "pro"),
            {"cron": "0 8 * * *", "where": 'profile.plan == "pro"'},
        ),
    ],
    ids=range(12),
)
def test_a_schedule_is_written_as_its_document(
    trigger: ScheduleTrigger, document: dict[str, Any]
) -> None:
    journey = Journey("j", trigger=trigger, steps=[])

    assert document_of(trigger) == {"type": "schedule", **document}
    assert from_json(to_json(journey), Journey) == journey
    assert from_yaml(to_yaml(journey), Journey) == journey


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: every("day"), "at='09:00'"),
        (lambda: every(at="09:00"), "name 'day', 'weekday'"),
        (lambda: every("monday", at="09:00"), "'mon' to 'sun'"),
        (lambda: every("month", at="09:00"), "need a day="),
        (lambda: every("day", day=3, at="09:00"), "nothing else does"),
        (lambda: every("year", day=3, at="09:00"), "needs a month="),
        (lambda: every("month", day=3, month=4, at="09:00"), "nothing else does"),
        (lambda: every("month", day=32, at="09:00"), "not from 1 to 31"),
        (lambda: every("day", at="9:00"), "write '09:00'"),
        (lambda: every("day", on=profile.birthday, at="09:00"), "'month' or every"),
        (lambda: every("day", at="09:00", cron="0 9 * * *"), "leave the rest out"),
        (lambda: once("2026-11-27"), "'2026-11-27T09:00'"),
        (lambda: once(date(2026, 11, 27)), "at what time"),  # type: ignore[arg-type]
        (lambda: once("2026-02-30T09:00"), "day is out of range"),
        (lambda: once("tomorrow"), "tomorrow"),
        (
            lambda: once("2026-11-27T09:00Z", zone="Europe/Berlin"),
            "needs no zone",
        ),
        (lambda: ScheduleTrigger(), "give one of cron, once and on"),
        (
            lambda: ScheduleTrigger(cron="0 9 * * *", once="2026-11-27T09:00"),
            "exclude each other",
        ),
        (lambda: ScheduleTrigger(on="profile.birthday", time="09:00"), "each='year'"),
        (lambda: ScheduleTrigger(on="profile.birthday", each="year"), "time='09:00'"),
        (
            lambda: ScheduleTrigger(on="event.x", each="year", time="09:00"),
            "no reference to a day",
        ),
        (lambda: every("day", at="09:00", zone="Berlin"), "Europe/Berlin"),
    ],
    ids=range(22),
)
def test_a_schedule_that_says_no_time_is_refused_with_the_way_out(
    write: Any, said: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        write()

    assert said in str(caught.value)
    assert "test_schedules.py" in str(caught.value)
