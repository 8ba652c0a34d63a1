"""What is left of many findings when one looks at many: false discoveries, corrected."""

from __future__ import annotations

from collections.abc import Sequence


def benjamini_hochberg(chances: Sequence[float]) -> list[float]:
    """Adjust p-values so that those below q hold at most a share q of false discoveries.

    Valid where the tests are independent or go up and down together.

    Source: Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", JRSS B
    57 (1995) 289-300, doi:10.1111/j.2517-6161.1995.tb02031.x; as adjusted p-values:
    the smallest `p(j) m / j` of all `j >= i`.

    Args:
        chances: The p-values, in any order.

    Returns:
        The adjusted ones, in the same order.
    """
    count = len(chances)
    adjusted, smallest = [1.0] * count, 1.0
    ascending = sorted(range(count), key=chances.__getitem__)
    for rank in range(count, 0, -1):
        index = ascending[rank - 1]
        smallest = min(smallest, chances[index] * count / rank)
        adjusted[index] = smallest
    return adjusted


def level_of_selected(selected: int, of: int, *, level: float) -> float:
    """How sure the intervals of selected findings must be, so that the level holds.

    Of the intervals that are shown because their finding was selected, on average at
    most a share `1 - level` misses what it is of.

    Source: Y. Benjamini and D. Yekutieli, "False discovery rate-adjusted multiple
    confidence intervals for selected parameters", JASA 100 (2005) 71-81,
    doi:10.1198/016214504000001907: `1 - R q / m`.

    Args:
        selected: How many findings are shown, R.
        of: How many were looked at, m.
        level: `1 - q`.

    Raises:
        ValueError: More were selected than there are.
    """
    if not 0 <= selected <= of:
        raise ValueError(f"{selected} of {of} can't be selected")
    if selected == 0:
        return level
    return 1 - selected * (1 - level) / of
