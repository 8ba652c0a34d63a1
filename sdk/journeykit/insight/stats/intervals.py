"""Intervals for shares, differences of shares, and means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
"""How sure an interval is unless somebody asks for another level."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From where to where a figure may lie.

    Attributes:
        low: The lower end, in the figure's unit.
        high: The upper end.
        level: How often such intervals hold the true figure: 0.95 for 95 in 100.
    """

    low: float
    high: float
    level: float = LEVEL

    def __contains__(self, value: float) -> bool:
        """Whether the value lies within, ends included."""
        return self.low <= value <= self.high

    @property
    def width(self) -> float:
        """How far its ends lie apart."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many.

    Attributes:
        count: How many.
        of: Of how many.
        share: The one by the other, 0 to 1; None of nobody.
        interval: Wilson's interval of the share; None of nobody.
    """

    count: int
    of: int
    share: float | None
    interval: Interval | None

    @classmethod
    def from_counts(cls, count: int, of: int, *, level: float = LEVEL) -> Share:
        """Divide, and say how sure the result is."""
        if of == 0:
            return cls(0, 0, None, None)
        return cls(count, of, count / of, wilson(count, of, level=level))


def z_of(level: float) -> float:
    """How many standard deviations to both sides hold this share of the normal.

    Raises:
        ValueError: The level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(count: float, of: float, *, level: float = LEVEL) -> Interval:
    """The score interval of a share, good at small counts and near 0 and 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927) 209-212, doi:10.1080/01621459.1927.10502953.

    Args:
        count: How many; a fraction where runs of one person are worth less than one each.
        of: Of how many; 0 says nothing, and gives 0 to 1.
        level: How sure.

    Raises:
        ValueError: It is not `0 <= count <= of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    if of == 0:
        z_of(level)  # says it if that is none
        return Interval(0.0, 1.0, level)
    return wilson_of_share(count / of, of, level=level)


def wilson_of_share(share: float, of: float, *, level: float = LEVEL) -> Interval:
    """The same, of a share of a number above 0 that need not be whole."""
    z = z_of(level)
    extra = z * z / of
    middle = (share + extra / 2) / (1 + extra)
    reach = z * math.sqrt(share * (1 - share) / of + extra / (4 * of)) / (1 + extra)
    # At the ends the formula gives 0 and 1, but for the rounding.
    low = 0.0 if share == 0 else max(0.0, middle - reach)
    high = 1.0 if share == 1 else min(1.0, middle + reach)
    return Interval(low, high, level)


def newcombe(
    count: float,
    of: float,
    other_count: float,
    other_of: float,
    *,
    level: float = LEVEL,
) -> Interval:
    """The interval of one share minus another, of two independent groups.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17 (1998) 873-890, method 10,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.

    Args:
        count: How many in the group.
        of: How large the group is.
        other_count: How many in the other group.
        other_of: How large the other group is.
        level: How sure.

    Raises:
        ValueError: A count is larger than its group, or negative.
    """
    one = wilson(count, of, level=level)
    other = wilson(other_count, other_of, level=level)
    if of == 0 or other_of == 0:
        return Interval(-1.0, 1.0, level)
    share, other_share = count / of, other_count / other_of
    difference = share - other_share
    down = math.hypot(share - one.low, other.high - other_share)
    up = math.hypot(one.high - share, other_share - other.low)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up), level)


def of_mean(
    count: int, total: float, squares: float, *, level: float = LEVEL
) -> Interval | None:
    """The interval of a mean by the normal distribution; None of fewer than two values.

    Good from some thirty values on. With the values 1, 0 and -1 for promoters, passives
    and detractors it is the interval of a net promoter score.

    Source: the central limit theorem, with the unbiased estimate of the variance.

    Args:
        count: How many values.
        total: Their sum.
        squares: The sum of their squares.
        level: How sure.
    """
    if count < 2:
        return None
    mean = total / count
    variance = max(0.0, squares - total * mean) / (count - 1)
    reach = z_of(level) * math.sqrt(variance / count)
    return Interval(mean - reach, mean + reach, level)
