"""How likely it is to be at least, or at most, so far out: the tails of distributions."""

from __future__ import annotations

import math

_SMALL = 1e-300  # in the place of a zero that something is divided by
_PRECISION = 1e-15
_TERMS = 100_000


def normal_beyond(z: float) -> float:
    """How likely a standard normal lies at least this far from 0, to either side.

    Source: the complementary error function, DLMF 7.2.2, https://dlmf.nist.gov/7.2.
    """
    return math.erfc(abs(z) / math.sqrt(2))


def poisson_at_least(count: int, mean: float) -> float:
    """How likely a Poisson of this mean is `count` or more.

    Source: DLMF 8.4.10 and 8.2.5: the sum of a Poisson's terms is an incomplete gamma
    function, https://dlmf.nist.gov/8.4.
    """
    if count <= 0:
        return 1.0
    return gamma_below(count, mean)


def poisson_at_most(count: int, mean: float) -> float:
    """How likely a Poisson of this mean is `count` or less."""
    if count < 0:
        return 0.0
    return gamma_above(count + 1, mean)


def binomial_at_least(count: int, of: int, share: float) -> float:
    """How likely `count` or more of so many happen, each with this probability.

    Source: DLMF 8.17.5: the sum of a binomial's terms is an incomplete beta function,
    https://dlmf.nist.gov/8.17.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a probability lies between 0 and 1, not {share}")
    if count <= 0:
        return 1.0
    if count > of:
        return 0.0
    return beta_below(share, count, of - count + 1)


def binomial_at_most(count: int, of: int, share: float) -> float:
    """How likely `count` or less of so many happen, each with this probability."""
    if count >= of:
        return 1.0
    if count < 0:
        return 0.0
    # The other way round, and not 1 - …, which would lose what is small.
    return binomial_at_least(of - count, of, 1 - share)


def gamma_below(shape: float, x: float) -> float:
    """The regularized lower incomplete gamma function P(shape, x).

    Source: the series DLMF 8.7.1 up to x = shape + 1, beyond it 1 - Q.

    Raises:
        ValueError: The shape is not positive, or x is negative.
    """
    _check(shape, x)
    if x == 0:
        return 0.0
    if x > shape + 1:
        return 1 - _gamma_fraction(shape, x)
    return _gamma_series(shape, x)


def gamma_above(shape: float, x: float) -> float:
    """The regularized upper incomplete gamma function Q(shape, x).

    Source: the continued fraction DLMF 8.9.2 beyond x = shape + 1, up to it 1 - P.

    Raises:
        ValueError: The shape is not positive, or x is negative.
    """
    _check(shape, x)
    if x == 0:
        return 1.0
    if x > shape + 1:
        return _gamma_fraction(shape, x)
    return 1 - _gamma_series(shape, x)


def beta_below(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b).

    Source: the continued fraction DLMF 8.17.22 with its coefficients 8.17.23, on the
    side where it converges fast; the other by the symmetry DLMF 8.17.4.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(
        a * math.log(x)
        + b * math.log1p(-x)
        + math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def log_beta(*shapes: float) -> float:
    """The logarithm of the multivariate beta function.

    Source: the product of the gamma functions of the shapes by the gamma function of
    their sum; with two of them DLMF 5.12.1, https://dlmf.nist.gov/5.12.
    """
    return sum(map(math.lgamma, shapes)) - math.lgamma(sum(shapes))


def _check(shape: float, x: float) -> None:
    if shape <= 0 or x < 0:
        raise ValueError(f"no incomplete gamma function of {shape} and {x}")


def _gamma_series(shape: float, x: float) -> float:
    term = total = 1 / shape
    for n in range(1, _TERMS):
        term *= x / (shape + n)
        total += term
        if term < total * _PRECISION:
            break
    return min(1.0, total * math.exp(shape * math.log(x) - x - math.lgamma(shape)))


def _gamma_fraction(shape: float, x: float) -> float:
    """By the modified method of Lentz, as the next one too.

    Source: I. J. Thompson and A. R. Barnett, J. Comput. Phys. 64 (1986) 490-509,
    doi:10.1016/0021-9991(86)90046-X.
    """
    below = x + 1 - shape
    c, d = 1 / _SMALL, 1 / below
    fraction = d
    for n in range(1, _TERMS):
        above = -n * (n - shape)
        below += 2
        d = 1 / _not_zero(above * d + below)
        c = _not_zero(below + above / c)
        fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return min(1.0, fraction * math.exp(shape * math.log(x) - x - math.lgamma(shape)))


def _beta_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for above in (even, odd):
            d = 1 / _not_zero(1 + above * d)
            c = _not_zero(1 + above / c)
            fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return fraction


def _not_zero(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
