from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from journeykit.insight.stats.many import benjamini_hochberg, level_of_selected

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(chances=CHANCES)
def test_adjusted_p_values_agree_with_scipy(chances: list[float]) -> None:
    found = benjamini_hochberg(chances)

    assert found == pytest.approx(list(stats.false_discovery_control(chances)))


def test_no_findings_stay_none() -> None:
    assert benjamini_hochberg([]) == []


def test_the_level_rises_with_what_was_left_aside() -> None:
    assert level_of_selected(10, 10, level=0.95) == pytest.approx(0.95)
    assert level_of_selected(1, 10, level=0.95) == pytest.approx(0.995)
    assert level_of_selected(0, 10, level=0.95) == 0.95


def test_more_than_there_are_can_not_be_selected() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        level_of_selected(3, 2, level=0.95)
