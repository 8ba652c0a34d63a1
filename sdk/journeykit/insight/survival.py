"""How long it takes until something happens, of people some of whom it may still happen to.

The share that has reached a goal by some time is the Kaplan-Meier estimate, one minus the
product over the instants of events (Kaplan and Meier 1958, "Nonparametric estimation from
incomplete observations", Journal of the American Statistical Association 53:457-481,
doi:10.1080/01621459.1958.10501452, equation 2b):

    S(t) = product over t_i <= t of (1 - d_i / n_i)

with `d_i` runs that reach it at `t_i` and `n_i` that have not before and are still looked
at. Whoever can't reach it any more (whose run is over, whose window has passed) stays
among the `n_i` until the log ends for them: then the curve is the share of all runs, not
of those that are left, as with complete censoring in Fine and Gray 1999
(doi:10.1080/01621459.1999.10474144, section 3.1).

Its interval is Greenwood's, on the scale of log(-log S), which keeps it between 0 and 1
(Kalbfleisch and Prentice 2002, "The Statistical Analysis of Failure Time Data",
section 1.4, equation 1.14):

    var(log(-log S)) = sum of d_i / (n_i (n_i - d_i)) / (log S)^2
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Point:
    """The curve at one instant.

    Attributes:
        after_ms: The time since the entry, in milliseconds.
        share: The share of all runs that had reached it by then, 0 to 1.
        low: The lower end of its interval.
        high: The upper end of its interval.
        at_risk: How many runs were still looked at and had not reached it just before.
    """

    after_ms: float
    share: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The share that has reached something, by the time since the entry.

    Attributes:
        points: Where it rises, in order; thinned out where there are many.
        level: What the intervals are for, such as 0.95.
    """

    points: Sequence[Point]
    level: float

    def share_at(self, after_ms: float) -> float:
        """The share that had reached it so long after the entry."""
        share = 0.0
        for point in self.points:
            if point.after_ms > after_ms:
                break
            share = point.share
        return share


def curve_of(steps: Iterable[tuple[float, int, int]], *, level: float = 0.95) -> Curve:
    """Estimate a curve.

    Args:
        steps: By time, in order: the time, how many reach it then, how many are no
            longer looked at from then on. Who reaches it at the very instant at which
            others are lost comes first, as is usual.
        level: What the intervals are for.
    """
    told = list(steps)
    z = NormalDist().inv_cdf((1 + level) / 2)
    at_risk = sum(reached + lost for _, reached, lost in told)
    surviving, greenwood = 1.0, 0.0
    points: list[Point] = []
    for after_ms, reached, lost in told:
        if reached:
            if reached < at_risk:
                surviving *= 1 - reached / at_risk
                greenwood += reached / (at_risk * (at_risk - reached))
            else:
                surviving = 0.0
            low, high = _bounds(surviving, greenwood, z)
            points.append(Point(after_ms, 1 - surviving, low, high, at_risk))
        at_risk -= reached + lost
    return Curve(tuple(points), level)


def _bounds(surviving: float, greenwood: float, z: float) -> tuple[float, float]:
    """The interval of one minus the share that survives."""
    if not 0 < surviving < 1:
        return 1 - surviving, 1 - surviving
    log = math.log(surviving)
    spread = z * math.sqrt(greenwood) / abs(log)
    # A larger exponent makes a smaller share survive, and so more have reached it.
    low = 1 - surviving ** math.exp(-spread)
    high = 1 - surviving ** math.exp(min(spread, 700.0))
    return low, high


def thinned(curve: Curve, *, most: int) -> Curve:
    """Keep the first and last point and, between, one for each step of the share.

    Args:
        curve: The curve.
        most: How many points it may have, two at least.
    """
    points = curve.points
    if len(points) <= most:
        return curve
    first, last = points[0], points[-1]
    step = (last.share - first.share) / (most - 1)
    kept = [first]
    for point in points[1:-1]:
        if point.share - kept[-1].share >= step:
            kept.append(point)
    return Curve((*kept, last), curve.level)
