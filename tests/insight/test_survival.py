"""The curve against SciPy's, and by hand."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from journeykit.insight.survival import Curve, curve_of, thinned


def steps_of(reached: list[int], lost: list[int]) -> list[tuple[float, int, int]]:
    ups, downs = Counter(reached), Counter(lost)
    return [(time, ups[time], downs[time]) for time in sorted({*ups, *downs})]


times = st.lists(st.integers(1, 40), max_size=30)


@given(reached=times.filter(bool), lost=times)
def test_it_is_what_scipy_estimates(reached: list[int], lost: list[int]) -> None:
    oracle = stats.ecdf(stats.CensoredData(uncensored=reached, right=lost))

    curve = curve_of(steps_of(reached, lost))

    for point in curve.points:
        assert point.share == pytest.approx(oracle.cdf.evaluate(point.after_ms))
    assert [point.after_ms for point in curve.points] == sorted(set(reached))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_its_intervals_are_what_scipy_estimates() -> None:
    draw = random.Random(3)
    reached = [draw.randint(1, 100) for _ in range(60)]
    lost = [draw.randint(1, 100) for _ in range(40)] + [101]
    oracle = stats.ecdf(stats.CensoredData(uncensored=reached, right=lost))
    ends = oracle.cdf.confidence_interval(0.9, method="log-log")

    curve = curve_of(steps_of(reached, lost), level=0.9)

    for point in curve.points:
        assert point.low == pytest.approx(ends.low.evaluate(point.after_ms))
        assert point.high == pytest.approx(ends.high.evaluate(point.after_ms))


def test_without_anybody_lost_it_is_the_plain_share() -> None:
    curve = curve_of([(1, 2, 0), (5, 1, 0), (9, 0, 7)])

    assert [point.share for point in curve.points] == pytest.approx([0.2, 0.3])
    assert curve.share_at(0) == 0
    assert curve.share_at(8.9) == pytest.approx(0.3)


def test_who_is_lost_early_says_nothing_of_later() -> None:
    curve = curve_of([(1, 0, 50), (2, 25, 0), (3, 0, 25)])

    assert curve.points[0].share == pytest.approx(0.5)
    assert curve.points[0].at_risk == 50


def test_it_may_reach_everybody() -> None:
    (point,) = curve_of([(4, 3, 0)]).points

    assert (point.share, point.low, point.high) == (1, 1, 1)


def test_of_nobody_there_is_no_curve() -> None:
    assert curve_of([]).points == ()
    assert Curve((), 0.95).share_at(10) == 0


@given(reached=st.lists(st.integers(1, 1000), min_size=1, max_size=300))
def test_a_thinned_curve_has_its_ends_and_no_more_points_than_asked(
    reached: list[int],
) -> None:
    curve = curve_of(steps_of(reached, []))

    thin = thinned(curve, most=10)

    assert len(thin.points) <= 11
    assert thin.points[0] == curve.points[0]
    assert thin.points[-1] == curve.points[-1]
    assert set(thin.points) <= set(curve.points)
