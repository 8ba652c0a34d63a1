"""What a day, or some days, should look like by what was before: expectation and spread.

The mean is robust: weekly sums of the last weeks, by their median, with a trend where
there clearly is one, spread over the weekdays as the weeks were. Whatever else makes days
differ (campaigns, the weather, holidays) shows in how well the same rule would have
foretold the days of the last weeks; what a day may differ by is taken from that, and is
never less than chance alone makes it differ. So no rule of thumb says how much is unusual.

A count is held against a negative binomial distribution of that mean and spread, a share
against a binomial one or, where it spreads more, a negative binomial one. Both hold at
small counts, unlike a normal distribution.

Sources: A. Noufaily et al., "An improved algorithm for outbreak detection in multiple
surveillance systems", Statistics in Medicine 32 (2013) 1206-1222, doi:10.1002/sim.5595
(quasi-Poisson spread, past outliers weighed down, negative binomial limits); the trend by
H. B. Mann, "Nonparametric tests against trend", Econometrica 13 (1945) 245-259,
doi:10.2307/1907187, and P. K. Sen, JASA 63 (1968) 1379-1389,
doi:10.1080/01621459.1968.10480934.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import NormalDist, median
from typing import NamedTuple

from journeykit.insight.stats.tails import (
    beta_below,
    binomial_at_least,
    binomial_at_most,
    poisson_at_least,
    poisson_at_most,
)

LONGEST = 56
"""Days of history that count: eight weeks."""
SHORTEST = 28
"""Days of history without which nothing is foretold."""

_WEEK = 7
_FIRST = 21  # days before the first one that is foretold to learn the spread
_LEVEL = 4  # weeks whose median is the level
_SHARE_WEEKS = (
    6  # weeks of which a share is the mean, without the highest and the lowest
)
_TREND_Z = 1.645  # one in ten has a trend without there being one
_STEEPEST = 2.0  # a trend doubles or halves the level at most
_WEEKDAY_COUNTS = 8.0  # so many counts a weekday must weigh against to have a share
_WEEKDAY_TRIALS = 40.0
_TRIMMED = 0.15  # of the past days, those furthest off, which may have been faults
_SOME_COUNTS = 0.5  # what is added to counts of 0: Jeffreys's prior


class Outlook(NamedTuple):
    """What is to be expected of a count.

    Attributes:
        mean: Of the count.
        variance: Of the count.
        of: Of how many, if it is a share; None: it has no limit.
        days: The means of the days that it is of.
    """

    mean: float
    variance: float
    of: int | None
    days: tuple[float, ...] = ()

    def at_least(self, count: int) -> float:
        """How likely it is this many or more."""
        if self._is_plain and self.of is not None:
            return binomial_at_least(count, self.of, self.mean / self.of)
        if self.variance <= self.mean * (1 + 1e-9):
            return poisson_at_least(count, self.mean)
        if count <= 0:
            return 1.0
        size, share = self._shape()
        return beta_below(1 - share, count, size)

    def at_most(self, count: int) -> float:
        """How likely it is this many or fewer."""
        if self._is_plain and self.of is not None:
            return binomial_at_most(count, self.of, self.mean / self.of)
        if self.variance <= self.mean * (1 + 1e-9):
            return poisson_at_most(count, self.mean)
        if count < 0:
            return 0.0
        size, share = self._shape()
        return beta_below(share, size, count + 1)

    def range(self, level: float) -> tuple[int, int]:
        """Between which counts it lies, with at least this probability."""
        beyond = (1 - level) / 2
        top = int(self.mean + 20 * math.sqrt(self.variance) + 20)
        top = top if self.of is None else self.of
        # The ends are the outermost counts that are not further out than that.
        low = _first(0, top, lambda count: self.at_most(count) > beyond)
        high = _first(low, top, lambda count: self.at_least(count + 1) <= beyond)
        return low, high

    @property
    def _is_plain(self) -> bool:
        """Whether a share spreads as chance alone makes it spread."""
        if self.of is None:
            return False
        share = self.mean / self.of
        return self.variance <= self.mean * (1 - share) * (1 + 1e-9) or (
            self.variance <= self.mean
        )

    def _shape(self) -> tuple[float, float]:
        """The negative binomial's size and probability, of this mean and variance.

        DLMF 8.17.5 gives its sums as incomplete beta functions, https://dlmf.nist.gov/8.17.
        """
        share = self.mean / self.variance
        return self.mean * share / (1 - share), share


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number for which something holds that holds from some number on."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def count_outlook(history: Sequence[int], *, days: int) -> Outlook | None:
    """Say what to expect of a count on the days after a history.

    Args:
        history: Counts by day, oldest first, the last one the day before.
        days: How many days, together.

    Returns:
        None: the history is too short.
    """
    known = history[-LONGEST:]
    if len(known) < SHORTEST:
        return None
    floor = _SOME_COUNTS * days / SHORTEST
    off = []
    for end in range(_FIRST, len(known) - days + 1):
        mean = max(floor, sum(_count_means(known[:end], days)))
        difference = sum(known[end : end + days]) - mean
        off.append(difference**2 / mean)
    means = _count_means(known, days)
    mean = max(floor, sum(means))
    return Outlook(mean, mean * _spread(off), None, means)


def share_outlook(
    history: Sequence[tuple[int, int]], of: Sequence[int]
) -> Outlook | None:
    """Say what to expect of a share on the days after a history.

    Args:
        history: By day, oldest first: how many, and of how many.
        of: Of how many on each of the days that are to be foretold.

    Returns:
        None: the history is too short, or there is nothing to foretell.
    """
    known = history[-LONGEST:]
    days, total = len(of), sum(of)
    if len(known) < SHORTEST or not total or not sum(n for _, n in known):
        return None
    off = []
    for end in range(_FIRST, len(known) - days + 1):
        window = known[end : end + days]
        trials = sum(n for _, n in window)
        if not trials or not sum(n for _, n in known[:end]):
            continue
        mean = _within(sum(_share_means(known[:end], [n for _, n in window])), trials)
        difference = sum(x for x, _ in window) - mean
        chance = mean * (1 - mean / trials)
        off.append(difference**2 / chance)
    means = _share_means(known, of)
    mean = _within(sum(means), total)
    variance = mean * (1 - mean / total) * _spread(off)
    return Outlook(mean, variance, total, means)


def _count_means(history: Sequence[int], days: int) -> tuple[float, ...]:
    weeks = _weeks(history)  # the latest first
    level = median(weeks[:_LEVEL])
    if (slope := _slope(weeks)) is not None:
        ahead = [week + slope * (ago + 1) for ago, week in enumerate(weeks)]
        level = min(max(median(ahead), level / _STEEPEST), level * _STEEPEST)
    shares = _weekdays(history)
    return tuple(level * shares[day % _WEEK] for day in range(days))


def _weeks(history: Sequence[int]) -> list[int]:
    count = len(history) // _WEEK
    return [
        sum(history[len(history) - _WEEK * (ago + 1) : len(history) - _WEEK * ago])
        for ago in range(count)
    ]


def _slope(weeks: Sequence[int]) -> float | None:
    """By how much a week is above the one before; None: there is no clear trend."""
    count = len(weeks)
    if count < _LEVEL + 1:
        return None
    rises = sum((a > b) - (a < b) for a, b in combinations(weeks, 2))
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if abs(rises) <= _TREND_Z * spread:
        return None
    pairs = combinations(enumerate(weeks), 2)
    return median((a - b) / (j - i) for (i, a), (j, b) in pairs)


def _weekdays(history: Sequence[int]) -> list[float]:
    """Which share of a week falls on each day; the first is the day after the history."""
    means = []
    for day in range(_WEEK):
        own = sorted(history[day - _WEEK :: -_WEEK])
        own = own[1:-1] if len(own) > _LEVEL else own
        means.append((sum(own), len(own)))
    even = sum(total for total, _ in means) / max(1, sum(n for _, n in means))
    if not even:
        return [1 / _WEEK] * _WEEK
    # Of few counts it can't be told whether a weekday differs: then it hardly does.
    shares = [
        (total + _WEEKDAY_COUNTS) / (n * even + _WEEKDAY_COUNTS) for total, n in means
    ]
    return [share / sum(shares) for share in shares]


def _share_means(
    history: Sequence[tuple[int, int]], of: Sequence[int]
) -> tuple[float, ...]:
    weeks = []
    for ago in range(len(history) // _WEEK):
        end = len(history) - _WEEK * ago
        days = history[end - _WEEK : end]
        if trials := sum(n for _, n in days):
            weeks.append((sum(x for x, _ in days), trials))
    recent = sorted(weeks[:_SHARE_WEEKS], key=lambda week: week[0] / week[1])
    if len(recent) > _LEVEL:
        recent = recent[1:-1]
    hits, trials = sum(x for x, _ in recent), sum(n for _, n in recent)
    overall = (hits + _SOME_COUNTS) / (trials + 2 * _SOME_COUNTS)
    means = []
    for day, n in enumerate(of):
        own = history[day % _WEEK - _WEEK :: -_WEEK]
        # Without the day of the highest share, which may have been a fault.
        rest = sorted(own, key=lambda one: one[0] / one[1] if one[1] else 0)[:-1]
        hits, trials = sum(x for x, _ in rest), sum(n for _, n in rest)
        weight = _WEEKDAY_TRIALS
        means.append(n * (hits + weight * overall) / (trials + weight))
    return tuple(means)


def _within(mean: float, of: int) -> float:
    """A mean that leaves the count something to differ by."""
    return min(max(mean, 1e-9), of * (1 - 1e-9))


def _spread(off: Sequence[float]) -> float:
    """By how much more the past spread than chance alone would have made it.

    The mean of the squares without the largest of them, over what that mean is of a
    standard normal's squares.
    """
    if not off:
        return 1.0
    kept = sorted(off)[: max(1, math.ceil(len(off) * (1 - _TRIMMED)))]
    share = len(kept) / len(off)
    return max(1.0, sum(kept) / len(kept) / _mean_square_below(share))


def _mean_square_below(share: float) -> float:
    """The mean of a standard normal's squares, of the smallest share of them."""
    if share >= 1:
        return 1.0
    normal = NormalDist()
    edge = normal.inv_cdf((1 + share) / 2)
    # ∫ x² φ(x) = Φ(x) - x φ(x), by parts.
    return 1 - 2 * edge * normal.pdf(edge) / share
