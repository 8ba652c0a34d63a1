"""Numbers as people read them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, strategies as st

from journeykit.insight.charts.numbers import (
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    YEAR,
    amount,
    counted,
    day,
    percent,
    points,
    short,
    signed,
    span,
    whole,
)

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.445, "44.5 %"),
        (0.4449, "44.5 %"),
        (0.0002, "< 0.1 %"),
        (0.99999, "> 99.9 %"),
        (-0.3, f"{MINUS}30 %"),
        (None, NOTHING),
        (math.nan, NOTHING),
    ],
    ids=str,
)
def test_a_share_is_said_in_percent(share: float | None, said: str) -> None:
    assert percent(share) == said


@given(st.floats(0, 1))
def test_only_nobody_is_said_to_be_nobody_and_only_all_to_be_all(share: float) -> None:
    said = percent(share)

    assert (said == "0 %") == (share == 0)
    assert (said == "100 %") == (share == 1)


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (0.013, "+1.3 points"),
        (-0.013, f"{MINUS}1.3 points"),
        (0.0001, "0.0 points"),
        (-0.0001, "0.0 points"),
        (None, NOTHING),
    ],
    ids=str,
)
def test_a_difference_of_shares_is_said_in_points(
    difference: float | None, said: str
) -> None:
    assert points(difference) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 seconds"),
        (400, "less than a second"),
        (90 * MINUTE, "1.5 hours"),
        (HOUR, "1 hour"),
        (3.2 * DAY, "3.2 days"),
        (75 * YEAR, "75 years"),
        (None, NOTHING),
    ],
    ids=str,
)
def test_a_span_is_said_in_its_largest_unit(
    milliseconds: float | None, said: str
) -> None:
    assert span(milliseconds) == said


def test_amounts_are_whole_from_a_thousand_on() -> None:
    assert [amount(n) for n in (12.345, 999.5, 1234.56, -2.0, math.inf)] == [
        "12.35",
        "999.5",
        "1,235",
        f"{MINUS}2",
        NOTHING,
    ]
    assert [signed(n) for n in (12.5, -12.5, 0.0, None)] == [
        "+12.5",
        f"{MINUS}12.5",
        "0",
        NOTHING,
    ]


def test_counts_have_their_thousands_set_off_and_their_noun_in_its_number() -> None:
    assert whole(1234567) == "1,234,567"
    assert (counted(1, "run"), counted(2000, "run")) == ("1 run", "2,000 runs")


def test_an_axis_says_large_numbers_by_their_unit() -> None:
    assert [short(n) for n in (0.25, 950, 3_000, 1.25e6, -2e9)] == [
        "0.25",
        "950",
        "3 k",
        "1.2 M",
        f"{MINUS}2 bn",
    ]


def test_a_day_is_that_of_utc() -> None:
    assert day(1_488_326_399_999) == "2017-02-28"
    assert day(1_488_326_400_000) == "2017-03-01"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_no_number_ends_in_superfluous_zeros_or_a_hyphen_for_a_minus(n: float) -> None:
    for said in (short(n), amount(n)):
        assert "-" not in said
        assert not re.search(r"\.\d*0(\D|$)", said)
