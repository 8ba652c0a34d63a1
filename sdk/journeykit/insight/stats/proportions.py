"""Whether shares differ: tests of two groups and of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from journeykit.insight.stats.tails import chi_square_above, normal_beyond


def two_shares(count: int, of: int, other_count: int, other_of: int) -> float:
    """How likely two equal shares differ at least so much by chance.

    Source: the z-test with the pooled share: J. L. Fleiss, B. Levin, M. C. Paik,
    "Statistical Methods for Rates and Proportions", 3rd ed. (2003), section 3.2, without
    the correction for continuity, doi:10.1002/0471445428. Needs some five expected in
    every cell.

    Returns:
        The two-sided p-value; 1 if a group is empty or nothing differs.

    Raises:
        ValueError: A count is larger than its group, or negative.
    """
    if not (0 <= count <= of and 0 <= other_count <= other_of):
        raise ValueError(f"{count} of {of} and {other_count} of {other_of}: no shares")
    if of == 0 or other_of == 0:
        return 1.0
    pooled = (count + other_count) / (of + other_of)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / other_of))
    if spread == 0:
        return 1.0
    return normal_beyond((count / of - other_count / other_of) / spread)


def least_expected(count: int, of: int, other_count: int, other_of: int) -> float:
    """The smallest count that a cell of two groups would have if their shares were equal.

    Source: W. G. Cochran, "Some methods for strengthening the common chi-square tests",
    Biometrics 10 (1954) 417-451, doi:10.2307/3001616, wants five.
    """
    everybody = of + other_of
    if everybody == 0:
        return 0.0
    happened = count + other_count
    return min(of, other_of) * min(happened, everybody - happened) / everybody


def same_shares(counts: Sequence[tuple[int, int]]) -> float:
    """How likely groups of equal share differ at least so much by chance.

    Source: K. Pearson's chi-square of a table of groups by yes and no, Philosophical
    Magazine 50 (1900) 157-175, doi:10.1080/14786440009463897.

    Args:
        counts: Of each group: how many, of how many. Empty groups are left out.

    Returns:
        The p-value; 1 with fewer than two groups, or where nothing differs.
    """
    groups = [(count, of) for count, of in counts if of > 0]
    happened = sum(count for count, _ in groups)
    everybody = sum(of for _, of in groups)
    if len(groups) < 2 or happened in (0, everybody):
        return 1.0
    share = happened / everybody
    statistic = sum(
        (count - of * share) ** 2 / (of * share * (1 - share)) for count, of in groups
    )
    return chi_square_above(statistic, degrees=len(groups) - 1)
