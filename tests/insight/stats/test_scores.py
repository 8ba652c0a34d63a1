"""The scores' intervals against scipy, and against what they promise."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import assume, example, given, strategies as st
from scipy import stats

from journeykit.insight.stats.scores import mean_on_scale, net_score, student_t

COUNTS = st.integers(0, 10_000)


@pytest.mark.parametrize("degrees", [1, 2, 5, 29, 1_000, 100_000])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_students_t_is_that_of_scipy(degrees: int, level: float) -> None:
    expected = stats.t.ppf((1 + level) / 2, degrees)

    assert student_t(degrees, level=level) == pytest.approx(expected, rel=1e-9)


def test_t_needs_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="one degree"):
        student_t(0)


@given(st.lists(st.integers(1, 7), min_size=2, max_size=60))
def test_the_interval_of_a_mean_is_that_of_scipy(answers: list[int]) -> None:
    total, squares = sum(answers), sum(a * a for a in answers)

    found = mean_on_scale(len(answers), total, squares, low=1, high=7)

    spread = statistics.stdev(answers) / math.sqrt(len(answers))
    reach = stats.t.ppf(0.975, len(answers) - 1) * spread
    mean = total / len(answers)
    assert found is not None
    assert found.low == pytest.approx(max(1, mean - reach), abs=1e-6)
    assert found.high == pytest.approx(min(7, mean + reach), abs=1e-6)


def test_one_answer_has_no_interval() -> None:
    assert mean_on_scale(1, 5, 25, low=1, high=7) is None


@given(COUNTS, COUNTS, COUNTS)
def test_a_net_score_lies_within_its_scale(up: int, middle: int, down: int) -> None:
    found = net_score(up, middle, down)

    assert -1 <= found.low < found.high <= 1


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
@example(1, 0, 0)
@example(0, 0, 2)
def test_a_net_score_lies_in_its_own_interval(up: int, middle: int, down: int) -> None:
    assume(up + middle + down)

    found = net_score(up, middle, down)

    assert found.low <= (up - down) / (up + middle + down) <= found.high


@given(COUNTS, COUNTS, COUNTS)
def test_a_net_score_of_the_opposite_is_the_mirror(
    up: int, mid: int, down: int
) -> None:
    one, other = net_score(up, mid, down), net_score(down, mid, up)

    assert one.low == pytest.approx(-other.high, abs=1e-12)
    assert one.high == pytest.approx(-other.low, abs=1e-12)


def test_nobody_says_nothing_about_a_net_score() -> None:
    assert net_score(0, 0, 0).low == pytest.approx(-0.8, abs=0.01)


def test_a_negative_number_of_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        net_score(1, -1, 0)


@pytest.mark.parametrize("size", [10, 30, 200])
@pytest.mark.parametrize(
    "shares", [(0.5, 0.3, 0.2), (0.8, 0.15, 0.05), (0.1, 0.2, 0.7)], ids=str
)
def test_a_net_scores_interval_holds_it_as_often_as_it_says(
    size: int, shares: tuple[float, float, float]
) -> None:
    draw = random.Random(7)
    truth = shares[0] - shares[2]

    held = 0
    for _ in range(2_000):
        answers = draw.choices("+0-", weights=shares, k=size)
        held += truth in net_score(
            answers.count("+"), answers.count("0"), answers.count("-")
        )

    assert 0.93 <= held / 2_000 <= 0.99
