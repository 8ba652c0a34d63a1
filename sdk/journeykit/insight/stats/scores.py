"""Intervals for the scores of surveys: net promoter scores, and means on a short scale."""

from __future__ import annotations

import math

from journeykit.insight.stats.intervals import LEVEL, Interval, z_of
from journeykit.insight.stats.tails import beta_below

_HALVINGS = 200


def net_score(
    promoters: int, passives: int, detractors: int, *, level: float = LEVEL
) -> Interval:
    """The interval of a net promoter score, from -1 to 1, by the adjusted Wald method.

    Three answers are added, 3/4 of them promoters and as many detractors, so that a few
    answers that agree don't look certain. Of very few answers that all agree the method's
    interval ends short of what was answered; it is made to reach there, so that no score
    lies beside its own interval.

    Source: B. Rocks, "Interval estimation for the net promoter score", The American
    Statistician 70 (2016) 365-372, doi:10.1080/00031305.2016.1198124, arXiv:1601.07235.

    Raises:
        ValueError: A count is negative.
    """
    if min(promoters, passives, detractors) < 0:
        raise ValueError("nobody answers a negative number of times")
    count = promoters + passives + detractors
    seen = (promoters - detractors) / count if count else 0.0
    of = count + 3
    up, down = (promoters + 0.75) / of, (detractors + 0.75) / of
    net = up - down
    reach = z_of(level) * math.sqrt((up + down - net * net) / of)
    low, high = min(net - reach, seen), max(net + reach, seen)
    return Interval(max(-1.0, low), min(1.0, high), level)


def mean_on_scale(
    count: int,
    total: float,
    squares: float,
    *,
    low: float,
    high: float,
    level: float = LEVEL,
) -> Interval | None:
    """The interval of a mean of ratings, by Student's t, within the scale.

    None of fewer than two answers. Of answers that are all the same it has no width.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908) 1-25,
    doi:10.1093/biomet/6.1.1. Ratings are whole numbers and not normal; on five or seven
    points t intervals still hold their level closely from some ten answers on
    (J. R. Lewis and J. Sauro, Quantifying the User Experience, 2nd ed. 2016, ch. 3).

    Args:
        count: How many answers.
        total: Their sum.
        squares: The sum of their squares.
        low: The least that one can answer.
        high: The most.
        level: How sure.
    """
    if count < 2:
        return None
    mean = total / count
    variance = max(0.0, squares - total * mean) / (count - 1)
    reach = student_t(count - 1, level=level) * math.sqrt(variance / count)
    return Interval(max(low, mean - reach), min(high, mean + reach), level)


def student_t(degrees: int, *, level: float = LEVEL) -> float:
    """Between minus and plus which value Student's t lies with this probability.

    Source: the tail of t is half of the incomplete beta function at
    `degrees / (degrees + t²)` (NIST DLMF 8.17, Abramowitz and Stegun 26.7.1); its inverse
    is found by halving.

    Raises:
        ValueError: There are no degrees of freedom, or the level is none.
    """
    if degrees < 1:
        raise ValueError("t has one degree of freedom at least")
    low = z_of(level)  # t is wider than the normal distribution
    high = 2 * low + 1
    while _outside(high, degrees) > 1 - level:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _outside(middle, degrees) > 1 - level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _outside(t: float, degrees: int) -> float:
    """The probability that Student's t is beyond this value, on either side."""
    return beta_below(degrees / (degrees + t * t), degrees / 2, 0.5)
