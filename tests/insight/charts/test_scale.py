"""Scales and the round values on them."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime

from hypothesis import assume, example, given, strategies as st

from journeykit.insight.charts.numbers import DAY
from journeykit.insight.charts.scale import Scale, elapsed_ticks, ticks, time_ticks

VALUES = st.floats(-1e9, 1e9)


@given(VALUES, VALUES, st.integers(2, 12))
def test_ticks_hold_the_range_in_even_round_steps(
    low: float, high: float, count: int
) -> None:
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1))

    found = ticks(low, high, count=count)

    steps = [b - a for a, b in itertools.pairwise(found)]
    assert found[0] <= low + steps[0] * 1e-6
    assert found[-1] >= high - steps[0] * 1e-6
    assert max(steps) - min(steps) <= 1e-6 * max(map(abs, found))
    digit = steps[0] / 10 ** math.floor(math.log10(steps[0] * 1.0001))
    assert min(abs(digit - nice) for nice in (1, 2, 5, 10)) < 1e-3
    assert len(found) <= count + 2


@given(VALUES)
@example(5e-324)
@example(-5e-324)
def test_ticks_of_one_value_are_more_than_one(value: float) -> None:
    assert len(ticks(value, value)) > 1


def test_a_scale_keeps_what_is_beyond_it_at_its_edge() -> None:
    scale = Scale(0, 10, 100, 200)

    assert [scale(v) for v in (-5, 0, 5, 10, 15)] == [100, 100, 150, 200, 200]
    assert [scale.holds(v) for v in (-5, 0, 15)] == [False, True, False]


def _ms(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def test_a_year_is_named_by_its_months_and_begins_with_its_number() -> None:
    found = time_ticks(_ms(2016, 12, 5), _ms(2017, 12, 30), count=12)

    assert [tick.name for tick in found][:3] == ["Jan 2017", "Feb", "Mar"]
    assert [tick.at for tick in found][:2] == [_ms(2017, 1, 1), _ms(2017, 2, 1)]


def test_a_few_weeks_are_named_by_days() -> None:
    found = time_ticks(_ms(2017, 3, 1) + 1, _ms(2017, 3, 15), count=14)

    assert [tick.name for tick in found][:2] == ["2 Mar", "3 Mar"]


@given(st.integers(0, 40 * 365), st.integers(0, 40 * 365), st.integers(1, 12))
def test_ticks_of_time_lie_within_in_their_order_and_are_few(
    first: int, days: int, count: int
) -> None:
    start, end = first * DAY, (first + days) * DAY

    found = [tick.at for tick in time_ticks(start, end, count=count)]

    assert found == sorted(set(found))
    assert all(start <= at <= end for at in found)
    assert len(found) <= max(count + 1, 4)


def test_time_since_a_beginning_is_named_in_days_or_less() -> None:
    assert [tick.name for tick in elapsed_ticks(0, 20 * DAY, count=5)] == [
        "0 d",
        "5 d",
        "10 d",
        "15 d",
        "20 d",
    ]
    assert elapsed_ticks(0, 3 * 3_600_000, count=4)[1].name == "1 h"
