"""Shares and means of runs against SciPy, brute force, and how often intervals hold."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from journeykit.insight.clusters import (
    Tally,
    effective,
    mean_interval,
    share_interval,
)
from journeykit.insight.stats.intervals import of_mean, wilson


def tally_of(people: Sequence[Sequence[float]]) -> Tally:
    """Add up the values of each person's runs."""
    sums = [(len(values), sum(values)) for values in people]
    return Tally(
        len(people),
        sum(n for n, _ in sums),
        sum(x for _, x in sums),
        sum(x > 0 for _, x in sums),
        sum(n * n for n, _ in sums),
        sum(n * x for n, x in sums),
        sum(x * x for _, x in sums),
    )


def test_of_one_run_each_a_mean_has_the_usual_interval() -> None:
    values = [3.0, 5.5, 0.0, 12.0, 7.25]

    found = mean_interval(tally_of([[value] for value in values]))
    usual = of_mean(5, sum(values), sum(value * value for value in values))

    assert found is not None
    assert usual is not None
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high))


def test_of_one_run_each_a_share_has_about_the_interval_of_independent_runs() -> None:
    found = share_interval(tally_of([[1]] * 30 + [[0]] * 70))
    usual = wilson(30, 100)

    assert found is not None
    assert found.low == pytest.approx(usual.low, abs=0.002)
    assert found.high == pytest.approx(usual.high, abs=0.002)


def test_runs_that_are_all_alike_within_people_say_as_much_as_the_people() -> None:
    alike = tally_of([[1] * 10] * 30 + [[0] * 10] * 70)

    assert effective(alike) == pytest.approx(100, rel=0.02)


@given(
    st.lists(
        st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=1, max_size=20
    )
)
def test_a_share_lies_in_its_interval_which_lies_in_0_to_1(
    people: list[list[int]],
) -> None:
    tally = tally_of(people)

    found = share_interval(tally)

    assert found is not None
    assert tally.mean is not None
    assert -1e-12 <= found.low <= tally.mean + 1e-12
    assert tally.mean - 1e-12 <= found.high <= 1 + 1e-12
    assert 0 < effective(tally) <= tally.runs


def test_nobody_has_no_interval() -> None:
    assert share_interval(Tally()) is None
    assert mean_interval(Tally()) is None
    assert mean_interval(tally_of([[1, 2, 3]])) is None


def test_the_variance_is_that_of_means_of_people_drawn_again() -> None:
    draw = random.Random(5)
    people = [[draw.random() * (n % 3) for _ in range(1 + n % 4)] for n in range(80)]

    means = []
    for _ in range(4000):
        again = draw.choices(people, k=len(people))
        means.append(sum(map(sum, again)) / sum(map(len, again)))

    assert tally_of(people).variance == pytest.approx(
        statistics.pvariance(means), rel=0.08
    )


@pytest.mark.slow
def test_intervals_hold_the_share_as_often_as_they_say() -> None:
    draw = random.Random(11)
    held = 0
    for _ in range(2000):
        people = []
        for _ in range(60):
            own = draw.betavariate(1, 4)  # alike within a person: mean 0.2
            runs = draw.randint(1, 8)
            people.append([int(draw.random() < own) for _ in range(runs)])
        found = share_interval(tally_of(people))
        assert found is not None
        held += 0.2 in found

    # Ten standard errors of 2,000 trials are 5 points; naive Wilson holds it 86 %.
    assert held / 2000 == pytest.approx(0.95, abs=0.02)
