from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy import special, stats

from journeykit.insight.stats import tails

SHAPES = st.floats(0.1, 5_000)
PLACES = st.floats(0, 10_000)


@given(shape=SHAPES, x=PLACES)
def test_the_incomplete_gamma_functions_agree_with_scipy(
    shape: float, x: float
) -> None:
    below, above = tails.gamma_below(shape, x), tails.gamma_above(shape, x)

    assert below == pytest.approx(special.gammainc(shape, x), rel=1e-8, abs=1e-13)
    assert above == pytest.approx(special.gammaincc(shape, x), rel=1e-8, abs=1e-13)


@given(x=st.floats(0, 1), a=st.floats(0.2, 2_000), b=st.floats(0.2, 2_000))
def test_the_incomplete_beta_function_agrees_with_scipy(
    x: float, a: float, b: float
) -> None:
    found = tails.beta_below(x, a, b)

    assert found == pytest.approx(special.betainc(a, b, x), rel=1e-7, abs=1e-12)


@given(count=st.integers(-1, 500), mean=st.floats(0, 500))
def test_the_tails_of_a_poisson_agree_with_scipy(count: int, mean: float) -> None:
    at_least = tails.poisson_at_least(count, mean)
    at_most = tails.poisson_at_most(count, mean)

    assert at_least == pytest.approx(
        stats.poisson.sf(count - 1, mean), rel=1e-8, abs=1e-13
    )
    assert at_most == pytest.approx(stats.poisson.cdf(count, mean), rel=1e-8, abs=1e-13)


@given(
    count=st.integers(-1, 400), of=st.integers(0, 400), share=st.floats(0.001, 0.999)
)
def test_the_tails_of_a_binomial_agree_with_scipy(
    count: int, of: int, share: float
) -> None:
    at_least = tails.binomial_at_least(count, of, share)
    at_most = tails.binomial_at_most(count, of, share)

    assert at_least == pytest.approx(
        stats.binom.sf(count - 1, of, share), rel=1e-7, abs=1e-12
    )
    assert at_most == pytest.approx(
        stats.binom.cdf(count, of, share), rel=1e-7, abs=1e-12
    )


def test_a_binomials_small_tail_keeps_its_digits() -> None:
    found = tails.binomial_at_most(0, 1_000, 0.5)

    assert found == pytest.approx(0.5**1_000, rel=1e-9)


@given(z=st.floats(-30, 30))
def test_the_tails_of_the_normal_agree_with_scipy(z: float) -> None:
    assert tails.normal_beyond(z) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-10)


@given(shapes=st.lists(st.floats(0.1, 500), min_size=2, max_size=2))
def test_the_logarithm_of_beta_agrees_with_scipy(shapes: list[float]) -> None:
    assert tails.log_beta(*shapes) == pytest.approx(special.betaln(*shapes), abs=1e-8)


@pytest.mark.parametrize("x", [-1.0, -1e-9])
def test_what_no_function_is_defined_for_is_refused(x: float) -> None:
    with pytest.raises(ValueError, match="no incomplete gamma"):
        tails.gamma_below(1, x)
    with pytest.raises(ValueError, match="between 0 and 1"):
        tails.binomial_at_least(1, 2, x)


def test_the_ends_are_exact() -> None:
    assert tails.gamma_below(3, 0) == 0
    assert tails.gamma_above(3, 0) == 1
    assert tails.beta_below(0, 2, 3) == 0
    assert tails.beta_below(1, 2, 3) == 1
