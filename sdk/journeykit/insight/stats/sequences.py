"""A difference between treated and held-out people that may be looked at every day.

An ordinary interval holds for one look at a number of people fixed before. Who looks
daily and stops at the first good day is wrong far more often. The interval here holds
at all looks at once: with a probability of 95 % it never, at no day, misses the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from journeykit.insight.stats.intervals import LEVEL, Interval

TUNED_FOR = 2_500
"""At how many people the interval is narrowest. Fixed before anybody looks at data; at a
fifth of them it is 10 % wider than one tuned for so many, at ten times as many 7 %."""

FEWEST = 50
"""How many people each group needs before there is an interval: it holds by the central
limit theorem, which says nothing about a handful."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one group's outcomes: no more than three sums.

    Attributes:
        count: How many people.
        total: The sum of their outcomes; of a goal: how many reached it.
        squares: The sum of the squares; of a goal: the same as the total.
    """

    count: int
    total: float
    squares: float

    @classmethod
    def from_count(cls, reached: int, of: int) -> Sample:
        """Those who reached a goal, of so many."""
        return cls(of, reached, reached)

    @property
    def mean(self) -> float | None:
        """The mean outcome; None of nobody."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Treated and held-out people who were divided in one proportion.

    Attributes:
        treated: Those who were treated.
        held_out: Those who were not.
        share: The probability of being held out, above 0 and below 1.
    """

    treated: Sample
    held_out: Sample
    share: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more the treated have than the held-out.

    Attributes:
        treated: The mean outcome of the treated; weighted if the share held out changed.
        held_out: That of the held-out.
        difference: The first minus the second.
        interval: Where the true difference lies, valid at every look; None while a group
            is too small.
        spread: The standard deviation of one person's part in the difference, by which
            the interval is as wide as it is.
    """

    treated: float
    held_out: float
    difference: float
    interval: Interval | None
    spread: float


def margin(count: int, *, tuned_for: int = TUNED_FOR, level: float = LEVEL) -> float:
    """How far the interval reaches to each side, in standard deviations of one outcome.

    Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform
    central limit theory and asymptotic confidence sequences", Annals of Statistics 52
    (2024), arXiv:2103.06476, theorem 2.2: with t outcomes
    `sqrt(2 (t r + 1) / (t t r) * log(sqrt(t r + 1) / (1 - level)))`. The paper's rho
    squared, r, is the one for which that is smallest at `tuned_for`: the derivative is
    0 where `x = log((x + 1) / (1 - level)^2)` with `x = tuned_for * r`.

    Args:
        count: How many outcomes, 1 or more.
        tuned_for: At how many it is to be narrowest; fixed before looking.
        level: How sure.

    Raises:
        ValueError: There is no outcome, or no such level.
    """
    if count < 1 or tuned_for < 1 or not 0 < level < 1:
        raise ValueError(f"no margin: {count} outcomes, {tuned_for}, level {level}")
    alpha = 1 - level
    x = -2 * math.log(alpha)
    for _ in range(100):  # contracts by 1 / (x + 1) each time
        x = math.log((x + 1) / alpha**2)
    information = count * x / tuned_for
    inside = 2 * (information + 1) / (count * information)
    return math.sqrt(inside * math.log(math.sqrt(information + 1) / alpha))


def difference(
    strata: Iterable[Stratum],
    *,
    binary: bool,
    tuned_for: int = TUNED_FOR,
    level: float = LEVEL,
) -> Difference | None:
    """Compare treated and held-out people.

    Each outcome is weighted by one over the probability of being in its group, which
    keeps the comparison fair where the share held out changed on the way. The weights
    are normalized in each group, so with one share it is the plain difference of the
    means.

    Source: the inverse-propensity estimator of arXiv:2103.06476, section 3.1, with
    weights normalized as in J. Hájek, in "Foundations of Statistical Inference" (1971)
    236; that is the paper's doubly robust estimator with the group's mean for its model.

    Args:
        strata: One for each share that was held out.
        binary: Whether an outcome is yes or no. Then a success and a failure are added
            to each group when its variance is estimated, after A. Agresti and B. Caffo,
            American Statistician 54 (2000) 280-288, doi:10.1080/00031305.2000.10474560:
            a group in which nobody did it yet is not sure to never do it.
        tuned_for: At how many people the interval is narrowest.
        level: How sure.

    Returns:
        The difference; None if one of the groups is empty.

    Raises:
        ValueError: A share is not between 0 and 1.
    """
    known = [each for each in strata if each.treated.count or each.held_out.count]
    for each in known:
        if not 0 < each.share < 1:
            raise ValueError(
                f"the share held out is {each.share}, which compares nobody"
            )
    treated = [(each.treated, 1 / (1 - each.share)) for each in known]
    held_out = [(each.held_out, 1 / each.share) for each in known]
    people = [sum(sample.count for sample, _ in group) for group in (treated, held_out)]
    if 0 in people:
        return None
    one, one_variance = _mean(treated, binary)
    other, other_variance = _mean(held_out, binary)
    count = sum(people)
    spread = math.sqrt(count * (one_variance + other_variance))
    interval = None
    if min(people) >= FEWEST:
        reach = spread * margin(count, tuned_for=tuned_for, level=level)
        interval = Interval(one - other - reach, one - other + reach, level)
    return Difference(one, other, one - other, interval, spread)


def _mean(group: list[tuple[Sample, float]], binary: bool) -> tuple[float, float]:
    """A group's weighted mean, and the variance of it."""
    weights = sum(weight * sample.count for sample, weight in group)
    mean = sum(weight * sample.total for sample, weight in group) / weights
    around = mean
    if binary:
        count = sum(sample.count for sample, _ in group)
        around = (mean * count + 1) / (count + 2)
    variance = 0.0
    for sample, weight in group:
        if binary:
            # Of all outcomes 0 and 1, about the smoothed share.
            squares = sample.count * around * (1 - around)
        else:
            squares = sample.squares - 2 * mean * sample.total
            squares += sample.count * mean**2
        variance += weight**2 * max(0.0, squares)
    return mean, variance / weights**2
