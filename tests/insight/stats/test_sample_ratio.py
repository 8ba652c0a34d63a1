from __future__ import annotations

import random

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from journeykit.insight.stats.sample_ratio import log_evidence, sample_ratio


@given(
    treated=st.integers(0, 300),
    held_out=st.integers(0, 60),
    share=st.floats(0.05, 0.5),
    concentration=st.floats(5, 200),
)
def test_the_evidence_is_the_mean_of_the_likelihood_over_the_prior(
    treated: int, held_out: int, share: float, concentration: float
) -> None:
    found = log_evidence(
        (treated, held_out), (1 - share, share), concentration=concentration
    )

    # A two-group Dirichlet is a beta; multinomial coefficients cancel.
    of = treated + held_out
    oracle = stats.betabinom.logpmf(
        held_out, of, concentration * share, concentration * (1 - share)
    ) - stats.binom.logpmf(held_out, of, share)
    assert found == pytest.approx(oracle, abs=1e-6)


def test_three_groups_agree_with_scipy() -> None:
    counts, shares = (30, 12, 8), (0.5, 0.3, 0.2)

    found = log_evidence(counts, shares, concentration=20)

    oracle = stats.dirichlet_multinomial.logpmf(
        counts, [20 * share for share in shares], 50
    ) - stats.multinomial.logpmf(counts, 50, shares)
    assert found == pytest.approx(oracle)


def days(
    share: float, drawn: random.Random, count: int
) -> list[list[tuple[int, int, float]]]:
    """People who are held out with this share, though it should be a tenth."""
    found = []
    for _ in range(count):
        held_out = sum(drawn.random() < share for _ in range(40))
        found.append([(40 - held_out, held_out, 0.1)])
    return found


def test_people_held_out_too_often_are_found() -> None:
    found = sample_ratio(days(0.14, random.Random(3), 180))

    assert found.mismatch
    assert found.of == 7_200
    assert found.expected == pytest.approx(720)
    assert found.held_out > 900


def test_a_mismatch_that_was_stays_one() -> None:
    broken = [[(400, 200, 0.1)]]

    found = sample_ratio([*broken, *days(0.1, random.Random(4), 2_000)])

    assert found.mismatch


def test_every_share_is_held_against_its_own_people() -> None:
    steady = [[(900, 100, 0.1), (500, 500, 0.5)] for _ in range(5)]

    found = sample_ratio(steady)

    assert not found.mismatch
    assert found.expected == pytest.approx(5 * 600)
    assert found.held_out == 3_000


def test_nobody_is_no_mismatch() -> None:
    found = sample_ratio([])

    assert (found.of, found.p_value, found.mismatch) == (0, 1, False)


@pytest.mark.slow
def test_a_check_every_day_cries_wolf_rarely() -> None:
    drawn = random.Random(20261123)

    alarms = sum(sample_ratio(days(0.1, drawn, 120)).mismatch for _ in range(400))

    assert alarms <= 10  # 1 % of 400 is 4; more than 10 is one chance in 350


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((1, 2), (0.5, 0.6)),
        ((1, 2), (1.0, 0.0)),
        ((1,), (0.5, 0.5)),
        ((-1, 2), (0.5, 0.5)),
    ],
    ids=["sum", "zero", "fewer", "negative"],
)
def test_what_is_no_multinomial_is_refused(
    counts: tuple[int, ...], shares: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="no counts of a multinomial"):
        log_evidence(counts, shares)
