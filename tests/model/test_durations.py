import copy
import json
import pickle
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import timedelta
from operator import ge, gt, le, lt

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from journeykit.errors import DefinitionError
from journeykit.model.durations import (
    PATTERN,
    Duration,
    days,
    hours,
    minutes,
    months,
    seconds,
    weeks,
    years,
)

durations = st.builds(
    Duration,
    months=st.integers(0, 250),
    days=st.integers(0, 5_000),
    ms=st.integers(0, 4 * 10**11),
)

SPELLINGS = [
    ("P2D", days(2), "P2D", "2d"),
    ("PT48H", hours(48), "PT48H", "48h"),
    ("P1Y2M", months(14), "P14M", "14mo"),
    ("P2W", weeks(2), "P14D", "14d"),
    ("P1DT12H", days(1) + hours(12), "P1DT12H", "1d12h"),
    ("PT1.5S", seconds(1.5), "PT1.5S", "1s500ms"),
    ("PT0.001S", Duration(ms=1), "PT0.001S", "1ms"),
    ("PT0.5H", minutes(30), "PT30M", "30m"),
    ("P0D", Duration(), "PT0S", "0s"),
    ("2d", days(2), "P2D", "2d"),
    ("48h", hours(48), "PT48H", "48h"),
    ("30m", minutes(30), "PT30M", "30m"),
    ("90m", hours(1.5), "PT1H30M", "1h30m"),
    ("1mo", months(1), "P1M", "1mo"),
    ("2w", weeks(2), "P14D", "14d"),
    ("1y", years(1), "P12M", "12mo"),
    ("90s", seconds(90), "PT1M30S", "1m30s"),
    ("250ms", Duration(ms=250), "PT0.25S", "250ms"),
    ("1.5h", minutes(90), "PT1H30M", "1h30m"),
    ("1d12h", days(1) + hours(12), "P1DT12H", "1d12h"),
    ("1y2mo3w4d5h6m7s8ms", None, "P14M25DT5H6M7.008S", "14mo25d5h6m7s8ms"),
]


@pytest.mark.parametrize(("text", "value", "canonical", "short"), SPELLINGS)
def test_every_spelling_has_one_canonical_form(text, value, canonical, short):
    duration = Duration.parse(text)

    assert value is None or duration == value
    assert str(duration) == canonical
    assert duration.short == short


@given(durations)
def test_parse_reads_back_what_is_printed(duration):
    assert Duration.parse(str(duration)) == duration
    assert Duration.parse(duration.short) == duration
    assert Duration.parse(duration) is duration
    assert hash(Duration.parse(str(duration))) == hash(duration)


@given(durations)
def test_the_short_form_is_a_slug(duration):
    assert re.fullmatch("[a-z0-9]+", duration.short)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("48", "'48h'"),
        ("2 days", "write '2d'"),
        ("2 Days", "write '2d'"),
        ("1 day and 12 hours", "write '1d12h'"),
        ("1d 12h", "write '1d12h'"),
        ("3min", "write '3m'"),
        ("2D", "write '2d'"),
        ("p2d", "write 'P2D'"),
        ("-2d", "never negative"),
        ("-P2D", "never negative"),
        ("P-2D", "never negative"),
        ("1.5d", "'1d12h'"),
        ("P1.5D", "'1d12h'"),
        ("", "write '2d'"),
        ("P", "write '2d'"),
        ("PT", "write '2d'"),
        ("P1DT", "write '2d'"),
        ("12h1d", "write '2d'"),
        ("2d2d", "write '2d'"),
        ("2 fortnights", "write '2d'"),
        ("\u0662d", "write '2d'"),
        ("2d\n", "write '2d'"),
        ("0.0001s", "no whole number of milliseconds"),
        ("101y", "more than 100 years"),
        ("9999999999999d", "more than 100 years"),
        ("9" * 5000 + "d", "write '2d'"),
        (48, "write '48h'"),
        (1.5, "'1.5h'"),
        (-1, "never negative"),
        (True, "not bool"),
        (None, "not NoneType"),
        ([2], "not list"),
        (timedelta(days=1), "days(1)"),
        (timedelta(days=1), "hours(24)"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_way_out(text, fix):
    with pytest.raises(DefinitionError) as caught:
        Duration.parse(text)

    assert fix in caught.value.message
    assert len(caught.value.message) < 250


@given(st.text(max_size=200) | st.from_regex(r"[0-9PTYMWDHSymowdhs. -]{0,20}"))
def test_any_text_is_a_duration_or_a_definition_error(text):
    try:
        duration = Duration.parse(text)
    except DefinitionError:
        return

    assert Duration.parse(str(duration)) == duration


def test_a_day_is_not_24_hours():
    assert days(1) != hours(24)
    assert len({days(1), hours(24), Duration.parse("P1D")}) == 2


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (days, True),
        (days, 1.5),
        (days, "2"),
        (days, -1),
        (weeks, 0.5),
        (hours, -0.5),
        (hours, float("nan")),
        (hours, float("inf")),
        (hours, 1 / 3),
        (hours, True),
        (hours, 24 * 366 * 100),
        (seconds, 0.0001),
        (months, timedelta(days=30)),
        (hours, timedelta(hours=1)),
        (years, 101),
    ],
)
def test_an_impossible_count_is_refused(function, count):
    with pytest.raises(DefinitionError):
        function(count)


@pytest.mark.parametrize("part", [{"months": True}, {"ms": 1.0}, {"days": -1}])
def test_impossible_parts_are_refused(part):
    with pytest.raises(DefinitionError):
        Duration(**part)


def test_a_sum_of_more_than_a_century_is_refused():
    with pytest.raises(DefinitionError, match="100 years"):
        years(60) + years(60)


def test_no_timedelta_is_added():
    with pytest.raises(DefinitionError, match=r"hours\(24\)"):
        days(1) + timedelta(hours=1)
    with pytest.raises(DefinitionError, match=r"hours\(24\)"):
        timedelta(hours=1) + days(1)


def test_half_a_day_names_the_hours_to_write():
    with pytest.raises(DefinitionError, match=r"hours\(12\)"):
        days(0.5)


@pytest.mark.parametrize(
    ("made", "ms"),
    [(hours(1.1), 3_960_000), (minutes(0.5), 30_000), (seconds(0.001), 1)],
)
def test_fractions_are_exact_to_the_millisecond(made, ms):
    assert made == Duration(ms=ms)


def test_a_century_is_the_longest():
    assert years(100).months == 1200
    assert days(36_525).days == 36_525
    with pytest.raises(DefinitionError, match="100 years"):
        days(36_526)


def test_zero_is_false():
    assert not Duration()
    assert not hours(0)
    assert seconds(0.001)
    assert months(1)


@given(durations, durations)
def test_a_sum_adds_part_by_part(one, other):
    months, days, ms = (
        one.months + other.months,
        one.days + other.days,
        one.ms + other.ms,
    )

    assert one + other == Duration(months=months, days=days, ms=ms)


@pytest.mark.parametrize("compare", [lt, le, gt, ge])
def test_durations_have_no_order(compare):
    with pytest.raises(DefinitionError, match="no order"):
        compare(months(1), days(30))
    with pytest.raises(DefinitionError, match="no order"):
        compare(months(1), 30)


def test_adding_a_number_is_a_type_error():
    with pytest.raises(TypeError):
        days(1) + 1


def test_bounds_enclose_every_calendar():
    day = 24 * 3_600_000

    assert days(1).shortest_ms() == 23 * 3_600_000
    assert days(1).longest_ms() == 25 * 3_600_000
    assert months(1).shortest_ms() < 28 * day < 31 * day < months(1).longest_ms()
    assert years(1).shortest_ms() < 365 * day < 366 * day < years(1).longest_ms()
    assert hours(48).shortest_ms() == hours(48).longest_ms() == 2 * day


def test_a_duration_never_changes():
    duration = days(2)

    with pytest.raises(FrozenInstanceError):
        duration.days = 3
    assert copy.deepcopy(duration) == duration
    assert pickle.loads(pickle.dumps(duration)) == duration
    assert eval(repr(duration), {"Duration": Duration}) == duration


def test_pydantic_takes_text_and_writes_iso():
    adapter = TypeAdapter(list[Duration])

    value = adapter.validate_json('["2d", "PT48H"]')

    assert value == [days(2), hours(48)]
    assert adapter.validate_python([days(2)]) == [days(2)]
    assert adapter.dump_json(value) == b'["P2D","PT48H"]'
    assert adapter.dump_python(value) == ["P2D", "PT48H"]


@pytest.mark.parametrize("text", ["2 days", "{x}", 48, timedelta(1)])
def test_pydantic_reports_our_message(text):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Duration).validate_python(text)

    (error,) = caught.value.errors()
    with pytest.raises(DefinitionError) as ours:
        Duration.parse(text)
    assert error["type"] == "duration"
    assert error["msg"] == ours.value.message


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_has_pattern_and_examples(mode):
    schema = TypeAdapter(Duration).json_schema(mode=mode)

    assert schema["type"] == "string"
    assert json.loads(json.dumps(schema)) == schema
    assert all(re.search(schema["pattern"], text) for text in schema["examples"])
    assert all(re.search(schema["pattern"], text) for text, *_ in SPELLINGS)
    assert not any(
        re.search(PATTERN, text) for text in ["", "P", "2 days", "48", "1.5d"]
    )


def test_times_load_without_pydantic():
    code = (
        "import sys; sys.modules['pydantic'] = sys.modules['pydantic_core'] = None;"
        "import journeykit.engine.calendar, journeykit.model.durations;"
        "import journeykit.model.zones, journeykit.model.clocktimes"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
