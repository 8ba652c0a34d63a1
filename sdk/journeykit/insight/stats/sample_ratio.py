"""Whether as many people were held out as should be, asked as often as one likes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from journeykit.insight.stats.tails import log_beta

CONCENTRATION = 100.0
"""How many imagined people the alternative is worth. More look for smaller mismatches."""

ALARM = 0.01
"""A p-value below it says that something is wrong with the assignment."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """What the check of the sample ratio says.

    Attributes:
        held_out: How many people were held out.
        expected: How many should have been.
        of: Of how many.
        p_value: How likely it is that the evidence ever becomes this strong if people
            are assigned as they should be; valid at every look.
        mismatch: Whether that is less than 0.01: then no figure of lift can be trusted
            before it is known why.
    """

    held_out: int
    expected: float
    of: int
    p_value: float
    mismatch: bool


def log_evidence(
    counts: Sequence[int],
    shares: Sequence[float],
    *,
    concentration: float = CONCENTRATION,
) -> float:
    """The logarithm of the Bayes factor against the shares that there should be.

    Source: M. Lindon and A. Malek, "Anytime-valid inference for multinomial count data",
    NeurIPS 2022, arXiv:2011.03567: the multinomial's marginal likelihood under a
    Dirichlet prior by its likelihood under the null. The prior has its mean there.

    Args:
        counts: How many people are in each group.
        shares: The probability of each group; positive, they sum to 1.
        concentration: What the prior's parameters sum to.

    Raises:
        ValueError: The shares are no probabilities, or not as many as the counts.
    """
    fits = len(counts) == len(shares) and math.isclose(sum(shares), 1, abs_tol=1e-9)
    if not fits or min(shares) <= 0 or min(counts) < 0:
        raise ValueError(f"no counts of a multinomial: {counts} with shares {shares}")
    prior = [share * concentration for share in shares]
    after = [a + count for a, count in zip(prior, counts, strict=True)]
    null = sum(
        count * math.log(share) for count, share in zip(counts, shares, strict=True)
    )
    return log_beta(*after) - log_beta(*prior) - null


def sample_ratio(days: Iterable[Sequence[tuple[int, int, float]]]) -> SampleRatio:
    """Check how people were assigned, day by day.

    The evidence is a martingale if people are assigned as they should be, so the largest
    that it ever was says how unlikely that is (Ville's inequality). Where the share held
    out changed, the evidence of each share is multiplied.

    Args:
        days: Of each day, in order, for each share that was held out then: how many were
            treated that day, how many held out, and the share.
    """
    sums: dict[float, tuple[int, int]] = {}
    strongest = 0.0
    for day in days:
        for treated, held_out, share in day:
            before = sums.get(share, (0, 0))
            sums[share] = (before[0] + treated, before[1] + held_out)
        evidence = sum(
            log_evidence(counts, (1 - share, share)) for share, counts in sums.items()
        )
        strongest = max(strongest, evidence)
    p_value = math.exp(-strongest)
    return SampleRatio(
        held_out=sum(held_out for _, held_out in sums.values()),
        expected=sum(share * sum(counts) for share, counts in sums.items()),
        of=sum(map(sum, sums.values())),
        p_value=p_value,
        mismatch=p_value < ALARM,
    )
