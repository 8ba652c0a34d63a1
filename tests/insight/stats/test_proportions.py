from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from journeykit.insight.stats.proportions import (
    least_expected,
    same_shares,
    two_shares,
)

GROUPS = st.integers(1, 500).flatmap(
    lambda of: st.tuples(st.integers(0, of), st.just(of))
)


def table(groups: list[tuple[int, int]]) -> list[list[int]]:
    return [[count, of - count] for count, of in groups]


@given(one=GROUPS, other=GROUPS)
def test_two_shares_are_compared_as_scipy_compares_them(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = two_shares(*one, *other)

    happened = one[0] + other[0]
    if happened in (0, one[1] + other[1]):
        assert found == 1
        return
    oracle = stats.chi2_contingency(table([one, other]), correction=False)
    assert found == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-13)
    assert least_expected(*one, *other) == pytest.approx(oracle.expected_freq.min())


@given(groups=st.lists(GROUPS, min_size=2, max_size=8))
def test_many_shares_are_compared_as_scipy_compares_them(
    groups: list[tuple[int, int]],
) -> None:
    found = same_shares(groups)

    happened = sum(count for count, _ in groups)
    if happened in (0, sum(of for _, of in groups)):
        assert found == 1
        return
    oracle = stats.chi2_contingency(table(groups), correction=False)
    assert found == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-13)


def test_an_empty_group_says_nothing() -> None:
    assert two_shares(0, 0, 5, 10) == 1
    assert same_shares([(5, 10), (0, 0)]) == 1
    assert least_expected(0, 0, 0, 0) == 0


def test_more_than_the_group_is_refused() -> None:
    with pytest.raises(ValueError, match="no shares"):
        two_shares(11, 10, 1, 10)
