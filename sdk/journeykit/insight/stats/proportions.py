"""Whether two groups are large enough for their shares to be compared."""

from __future__ import annotations


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
