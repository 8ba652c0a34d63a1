from __future__ import annotations

import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats

from journeykit.insight.stats.proportions import least_expected

GROUPS = st.integers(1, 500).flatmap(
    lambda of: st.tuples(st.integers(0, of), st.just(of))
)


@given(one=GROUPS, other=GROUPS)
def test_the_least_expected_count_is_that_of_scipys_table(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assume(0 < one[0] + other[0] < one[1] + other[1])

    found = least_expected(*one, *other)

    table = [[count, of - count] for count, of in (one, other)]
    oracle = stats.contingency.expected_freq(table)
    assert found == pytest.approx(oracle.min())


def test_nothing_is_expected_where_all_are_alike_or_nobody_is() -> None:
    assert least_expected(0, 5, 0, 10) == 0
    assert least_expected(5, 5, 10, 10) == 0
    assert least_expected(0, 0, 0, 0) == 0
