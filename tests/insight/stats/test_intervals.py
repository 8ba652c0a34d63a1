from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats

from journeykit.insight.stats.intervals import (
    Interval,
    Share,
    newcombe,
    of_mean,
    wilson,
    z_of,
)

COUNTS = st.integers(0, 3_000).flatmap(
    lambda of: st.tuples(st.integers(0, of), st.just(of))
)
LEVELS = st.sampled_from([0.8, 0.95, 0.99])


@given(counts=COUNTS, level=LEVELS)
def test_wilsons_interval_agrees_with_scipy(
    counts: tuple[int, int], level: float
) -> None:
    count, of = counts
    assume(of > 0)

    found = wilson(count, of, level=level)

    oracle = stats.binomtest(count, of).proportion_ci(level, "wilson")
    assert found.low == pytest.approx(oracle.low, abs=1e-12)
    assert found.high == pytest.approx(oracle.high, abs=1e-12)
    assert count / of in found


def test_nobody_at_all_may_be_anything() -> None:
    assert wilson(0, 0) == Interval(0, 1, 0.95)
    assert newcombe(0, 0, 3, 10) == Interval(-1, 1, 0.95)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe's paper, table II, method 10, to the four digits it gives.
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
    ids=["a", "b", "c", "d", "e", "f", "g", "h"],
)
def test_newcombes_interval_is_that_of_his_paper(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe(*counts)

    assert found.low == pytest.approx(low, abs=5.1e-5)
    assert found.high == pytest.approx(high, abs=5.1e-5)


@given(counts=COUNTS, others=COUNTS)
def test_turning_a_difference_round_turns_its_interval_round(
    counts: tuple[int, int], others: tuple[int, int]
) -> None:
    there, back = newcombe(*counts, *others), newcombe(*others, *counts)

    assert there.low == pytest.approx(-back.high)
    assert there.high == pytest.approx(-back.low)


@given(values=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=60), level=LEVELS)
def test_the_interval_of_a_mean_is_the_normal_one(
    values: list[float], level: float
) -> None:
    found = of_mean(
        len(values), math.fsum(values), math.fsum(x * x for x in values), level=level
    )

    error = stats.sem(values)
    assert found is not None
    reach = stats.norm.ppf((1 + level) / 2) * error
    assert found.width / 2 == pytest.approx(reach, rel=1e-4, abs=0.01)
    assert (found.low + found.high) / 2 == pytest.approx(
        math.fsum(values) / len(values), abs=1e-6
    )


def test_a_single_value_has_no_interval() -> None:
    assert of_mean(1, 5, 25) is None


def test_a_share_of_nobody_is_none() -> None:
    assert Share.from_counts(0, 0) == Share(0, 0, None, None)
    assert Share.from_counts(1, 4).share == 0.25


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 2.0])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        z_of(level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(0, 0, level=level)


def test_counts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4 is no share"):
        wilson(5, 4)
