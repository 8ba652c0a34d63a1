from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from journeykit.insight.stats.clusters import Sums, effect, interval
from journeykit.insight.stats.intervals import newcombe

# Of each person: runs in the group with how many of them, and the others alike.
PERSON = st.tuples(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)
).map(lambda p: (p[0], min(p[0], p[1]), p[2], min(p[2], p[3])))


def sums_of(people: list[tuple[int, int, int, int]]) -> Sums:
    columns = [list(column) for column in zip(*people, strict=True)]
    a, b, c, d = columns

    def product(one: list[int], other: list[int]) -> int:
        return sum(x * y for x, y in zip(one, other, strict=True))

    return Sums(
        len(people), sum(a), sum(b), sum(c), sum(d),
        product(a, a), product(a, b), product(b, b),
        product(c, c), product(c, d), product(d, d),
        product(a, c), product(a, d), product(b, c), product(b, d),
    )  # fmt: skip


def sandwich(people: list[tuple[int, int, int, int]]) -> tuple[float, float]:
    """A regression on the group with variances by person, in matrices."""
    rows = []
    for person, (a, b, c, d) in enumerate(people):
        rows += [(person, 1.0, float(n < b)) for n in range(a)]
        rows += [(person, 0.0, float(n < d)) for n in range(c)]
    who = np.array([row[0] for row in rows])
    x = np.array([[1.0, row[1]] for row in rows])
    y = np.array([row[2] for row in rows])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    residuals = y - x @ beta
    meat = np.zeros((2, 2))
    for person in range(len(people)):
        score = x[who == person].T @ residuals[who == person]
        meat += np.outer(score, score)
    scale = len(people) / (len(people) - 1)
    return float(beta[1]), float((bread @ meat @ bread)[1, 1] * scale)


@given(people=st.lists(PERSON, min_size=3, max_size=25))
def test_the_variance_is_that_of_a_regression_by_person(
    people: list[tuple[int, int, int, int]],
) -> None:
    sums = sums_of(people)

    found = effect(sums)

    if not (sums.a and sums.c):
        assert found is None
        return
    assert found is not None
    difference, variance = sandwich(people)
    share, other = sums.b / sums.a, sums.d / sums.c
    plain = share * (1 - share) / sums.a + other * (1 - other) / sums.c
    assert found.difference == pytest.approx(difference, abs=1e-9)
    expected = max(1.0, variance / plain) if plain > 0 else 1.0
    assert found.design == pytest.approx(expected, rel=1e-6)


def test_one_run_each_is_the_ordinary_comparison() -> None:
    people = [(1, 1, 0, 0)] * 30 + [(1, 0, 0, 0)] * 70
    people += [(0, 0, 1, 1)] * 50 + [(0, 0, 1, 0)] * 50
    sums = sums_of(people)

    found = effect(sums)

    assert found is not None
    assert found.design == pytest.approx(1, abs=0.02)
    oracle = stats.chi2_contingency([[30, 70], [50, 50]], correction=False)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=0.1)
    ordinary = newcombe(30, 100, 50, 100)
    assert interval(sums, found.design).low == pytest.approx(ordinary.low, abs=0.005)


def test_runs_of_one_person_that_are_all_alike_count_as_one() -> None:
    people = [(1, 1, 0, 0)] * 30 + [(1, 0, 0, 0)] * 70
    people += [(0, 0, 1, 1)] * 50 + [(0, 0, 1, 0)] * 50
    tenfold = [(10 * a, 10 * b, 10 * c, 10 * d) for a, b, c, d in people]

    once, often = effect(sums_of(people)), effect(sums_of(tenfold))

    assert once is not None
    assert often is not None
    assert often.design == pytest.approx(10, rel=0.02)
    assert often.p_value == pytest.approx(once.p_value, rel=0.1)
    assert math.isclose(once.difference, often.difference)
