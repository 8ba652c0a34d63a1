import re

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from journeykit.errors import DefinitionError
from journeykit.model.clocktimes import (
    WEEKDAYS,
    ClosingTime,
    TimeOfDay,
    weekday_numbers,
)


@given(st.integers(0, 1439))
def test_parse_reads_back_what_is_printed(minutes):
    time = TimeOfDay(minutes)

    assert TimeOfDay.parse(str(time)) == time
    assert TimeOfDay.parse(str(time)).minutes == minutes
    assert ClosingTime.parse(time).minutes == minutes
    assert eval(repr(time), {"TimeOfDay": TimeOfDay}) == time


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("00:00", 0), ("08:00", 480), ("16:30", 990), ("22:30", 1350), ("23:59", 1439)],
)
def test_a_time_of_day_counts_minutes(text, minutes):
    assert TimeOfDay.parse(text).minutes == minutes


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (1320, 'quote it, "22:00"'),
        (480, 'quote it, "08:00"'),
        ("8:00", "write '08:00'"),
        ("24:00", "only ends a window"),
        ("24:01", "'HH:MM'"),
        ("12:60", "'HH:MM'"),
        ("08:00:00", "'HH:MM'"),
        ("08:00\n", "'HH:MM'"),
        ("8pm", "'HH:MM'"),
        ("0\u0668:00", "'HH:MM'"),
        (-5, "'HH:MM'"),
        (True, "'HH:MM'"),
        (None, "'HH:MM'"),
        ("x" * 10_000, "'HH:MM'"),
    ],
)
def test_what_is_no_time_of_day_is_refused_with_the_way_out(text, fix):
    with pytest.raises(DefinitionError) as caught:
        TimeOfDay.parse(text)

    assert fix in caught.value.message
    assert len(caught.value.message) < 120


def test_only_a_window_may_end_at_24():
    assert ClosingTime.parse("24:00").minutes == 1440
    with pytest.raises(DefinitionError):
        TimeOfDay.parse("24:00")


@pytest.mark.parametrize("minutes", [-1, 1440, 8.0, True, "08:00"])
def test_impossible_minutes_are_refused(minutes):
    with pytest.raises(DefinitionError):
        TimeOfDay(minutes)


def test_pydantic_takes_and_writes_text():
    adapter = TypeAdapter(tuple[TimeOfDay, ClosingTime])

    value = adapter.validate_json('["22:30", "24:00"]')

    assert [time.minutes for time in value] == [1350, 1440]
    assert adapter.dump_json(value) == b'["22:30","24:00"]'
    with pytest.raises(ValidationError, match="quote it"):
        adapter.validate_python((1320, "24:00"))


@pytest.mark.parametrize("kind", [TimeOfDay, ClosingTime])
def test_the_json_schema_agrees_with_the_parser(kind):
    schema = TypeAdapter(kind).json_schema()

    for text in [*schema["examples"], "24:00", "24:01", "8:00", "00:00"]:
        try:
            parsed = bool(kind.parse(text))
        except DefinitionError:
            parsed = False
        assert parsed is bool(re.search(schema["pattern"], text))


def test_weekdays_are_numbered_from_monday():
    assert weekday_numbers(WEEKDAYS) == frozenset(range(7))
    assert weekday_numbers(["wed", "fri"]) == {2, 4}
    assert weekday_numbers([]) == frozenset()
