"""Shares and means of runs of which one person may have several.

Runs of one person are alike, so ten runs of one person say less than ten people do. The
variance of a share or mean of runs is that of a ratio of sums over people (Cochran 1977,
"Sampling Techniques", 3rd edition, section 2.11, equation 2.39):

    var(r) = m / (m - 1) * sum of (x_i - r n_i)^2 / n^2

for `m` people with `n_i` runs whose values add up to `x_i`. A share's interval is Wilson's
with the number of independent runs that would have the same variance (Korn and Graubard
1998, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data", Survey Methodology 24:193-201, section 3.2; with Wilson's
interval Franco et al. 2019, doi:10.1093/jssam/smy019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from journeykit.insight.stats.intervals import (
    LEVEL,
    Interval,
    wilson_of_share,
    z_of,
)
from journeykit.insight.warehouse import Warehouse


class Tally(NamedTuple):
    """Sums over people.

    Attributes:
        people: How many.
        runs: Their runs.
        total: What the runs' values add up to; for a share, how many runs have it.
        some: People of whom some run has it.
        runs_squared: Of each person the square of the number of runs.
        products: Of each person the number of runs times their values' sum.
        total_squared: Of each person the square of their values' sum.
    """

    people: int = 0
    runs: int = 0
    total: float = 0.0
    some: int = 0
    runs_squared: float = 0.0
    products: float = 0.0
    total_squared: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean of a run; None without runs."""
        return self.total / self.runs if self.runs else None

    @property
    def variance(self) -> float | None:
        """The variance of the mean; None of fewer than two people."""
        if self.people < 2 or not self.runs:
            return None
        mean = self.total / self.runs
        squares = (
            self.total_squared
            - 2 * mean * self.products
            + mean * mean * self.runs_squared
        )
        # Rounding may leave it below zero where all people are alike.
        spread = max(squares, 0.0) / self.runs**2
        return self.people / (self.people - 1) * spread


# The fields of a Tally, of rows that are people.
_SUMS = """
    count(*), coalesce(sum(n), 0), coalesce(sum(x), 0), count(*) filter (x > 0),
    coalesce(sum(n::DOUBLE * n), 0), coalesce(sum(n::DOUBLE * x), 0),
    coalesce(sum(x::DOUBLE * x), 0)
"""


def tally(
    house: Warehouse, people: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> Tally:
    """Add up what is known of people.

    Args:
        house: The logs.
        people: A query of ours, a row a person: `n`, how many runs are theirs, and `x`,
            what these add up to.
        parameters: As for `Warehouse.rows`.
    """
    return Tally(*house.row(f"select {_SUMS} from ({people})", parameters))


def share_interval(tally: Tally, *, level: float = LEVEL) -> Interval | None:
    """The interval of the share of runs that have it; None without runs."""
    if not tally.runs:
        return None
    share = tally.total / tally.runs
    return wilson_of_share(share, effective(tally), level=level)


def effective(tally: Tally) -> float:
    """How many independent runs would say as much; never more than there are."""
    share = tally.total / tally.runs
    variance = tally.variance
    if not variance:
        # All runs or none, or one person: nothing tells how alike runs are, and people
        # are independent in any case.
        return float(tally.people)
    return min(float(tally.runs), max(1.0, share * (1 - share) / variance))


def mean_interval(tally: Tally, *, level: float = LEVEL) -> Interval | None:
    """The interval of the mean of a run, by the normal; None of fewer than two people."""
    mean, variance = tally.mean, tally.variance
    if mean is None or variance is None:
        return None
    reach = z_of(level) * math.sqrt(variance)
    return Interval(mean - reach, mean + reach, level)
