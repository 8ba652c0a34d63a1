"""Shares of runs where one person has several: such runs are not so many witnesses.

Whoever enters a journey ten times tends to do ten times the same. An interval that takes
these for ten people is too narrow; here each person counts by how alike their runs are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from journeykit.insight.stats.intervals import LEVEL, Interval, newcombe
from journeykit.insight.stats.tails import normal_beyond


@dataclass(frozen=True, slots=True)
class Sums:
    """What of all people together must be known to compare two groups of their runs.

    Of one person `a` runs are in the group, and it happened in `b` of these; `c` are in
    the other group, and it happened in `d` of these.

    Attributes:
        people: How many people there are.
        a: The sum of all people's `a`; so on.
        b: See `a`.
        c: See `a`.
        d: See `a`.
        aa: The sum of the products `a * a`; so on.
        ab: See `aa`.
        bb: See `aa`.
        cc: See `aa`.
        cd: See `aa`.
        dd: See `aa`.
        ac: See `aa`.
        ad: See `aa`.
        bc: See `aa`.
        bd: See `aa`.
    """

    people: int
    a: int
    b: int
    c: int
    d: int
    aa: float
    ab: float
    bb: float
    cc: float
    cd: float
    dd: float
    ac: float
    ad: float
    bc: float
    bd: float


@dataclass(frozen=True, slots=True)
class Effect:
    """How two groups of runs differ.

    Attributes:
        difference: The group's share minus the other's.
        p_value: How likely equal shares differ at least so much by chance, two-sided.
        design: By how much more the difference varies than if all runs were of different
            people; at least 1.
    """

    difference: float
    p_value: float
    design: float


def effect(sums: Sums) -> Effect | None:
    """Compare the shares of two groups; None if one of them is empty.

    Source: the variance is that of K.-Y. Liang and S. L. Zeger, Biometrika 73 (1986)
    13-22, doi:10.1093/biomet/73.1.13, for the difference of two shares; the test divides
    Pearson's statistic by the design effect, after J. N. K. Rao and A. J. Scott, Annals
    of Statistics 12 (1984) 46-60, doi:10.1214/aos/1176346391.
    """
    if not (sums.a and sums.c):
        return None
    share, other = sums.b / sums.a, sums.d / sums.c
    plain = share * (1 - share) / sums.a + other * (1 - other) / sums.c
    own = sums.bb - 2 * share * sums.ab + share**2 * sums.aa
    others = sums.dd - 2 * other * sums.cd + other**2 * sums.cc
    both = (sums.bd - other * sums.bc - share * sums.ad + share * other * sums.ac) / (
        sums.a * sums.c
    )
    variance = own / sums.a**2 + others / sums.c**2 - 2 * both
    if sums.people > 1:
        variance *= sums.people / (sums.people - 1)
    design = max(1.0, variance / plain) if plain > 0 else 1.0
    pooled = (sums.b + sums.d) / (sums.a + sums.c)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / sums.a + 1 / sums.c) * design)
    p_value = normal_beyond((share - other) / spread) if spread > 0 else 1.0
    return Effect(share - other, p_value, design)


def interval(sums: Sums, design: float, *, level: float = LEVEL) -> Interval:
    """The interval of the difference: Newcombe's, of as many runs as they are worth.

    Source: the effective sample size of E. L. Korn and B. I. Graubard, Survey
    Methodology 24 (1998) 193-201, put into the score interval.

    Args:
        sums: As for `effect`.
        design: What `effect` found.
        level: How sure.
    """
    return newcombe(
        sums.b / design,
        sums.a / design,
        sums.d / design,
        sums.c / design,
        level=level,
    )
