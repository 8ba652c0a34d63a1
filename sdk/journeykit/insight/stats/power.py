"""How many people it takes to see an effect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from journeykit.insight.stats.intervals import LEVEL, z_of
from journeykit.insight.stats.sequences import FEWEST, TUNED_FOR, margin

POWER = 0.8
"""How often an effect that is there is to be seen."""

MOST = 10**12
"""More people than there are: beyond it an effect can't be seen."""


@dataclass(frozen=True, slots=True)
class Needed:
    """How many people a comparison needs.

    Attributes:
        people: How many, treated and held out together.
        held_out: How many of them held out.
        effect: The difference that is then seen, in the outcome's unit.
        power: How often.
    """

    people: int
    held_out: int
    effect: float
    power: float


def one_look(
    share: float,
    effect: float,
    *,
    held_out: float,
    power: float = POWER,
    level: float = LEVEL,
) -> Needed | None:
    """How many people a comparison of two shares needs that is looked at once.

    Source: J. L. Fleiss, B. Levin, M. C. Paik, "Statistical Methods for Rates and
    Proportions", 3rd ed. (2003), equation 4.14 with groups of unequal size (4.18
    without the correction for continuity), doi:10.1002/0471445428.

    Args:
        share: The share of those held out who do it.
        effect: By how much more, or less, the treated do.
        held_out: The share held out.
        power: How often the effect is to be seen.
        level: How sure.

    Returns:
        None if the effect is none, or leads out of 0 to 1.
    """
    other = share + effect
    if effect == 0 or not (0 <= share <= 1 and 0 <= other <= 1):
        return None
    treated = 1 - held_out
    pooled = held_out * share + treated * other
    under_null = math.sqrt(pooled * (1 - pooled) / (held_out * treated))
    under_effect = math.sqrt(
        share * (1 - share) / held_out + other * (1 - other) / treated
    )
    z = z_of(level) * under_null + NormalDist().inv_cdf(power) * under_effect
    people = math.ceil((z / effect) ** 2)
    return Needed(people, math.ceil(people * held_out), effect, power)


def every_look(
    spread: float,
    effect: float,
    *,
    held_out: float,
    power: float = POWER,
    level: float = LEVEL,
    tuned_for: int = TUNED_FOR,
) -> Needed | None:
    """How many people a comparison needs that is looked at every day.

    At so many people the effect is outside of what the interval of
    [sequences](journeykit.insight.stats.sequences) reaches, with the probability asked
    for. Looking before may show it earlier, so it is an upper bound.

    Source: the margin of arXiv:2103.06476, theorem 2.2, and the normal distribution of
    the estimate: `effect >= spread · (margin(n) + z(power) / sqrt(n))`.

    Args:
        spread: The standard deviation of one person's part in the difference.
        effect: The difference to be seen.
        held_out: The share held out.
        power: How often the effect is to be seen.
        level: How sure.
        tuned_for: As for the interval.

    Returns:
        None if the effect is none.
    """
    if effect == 0:
        return None
    z = NormalDist().inv_cdf(power)

    def is_seen(people: int) -> bool:
        reach = margin(people, tuned_for=tuned_for, level=level)
        return spread * (reach + z / math.sqrt(people)) <= abs(effect)

    fewest = math.ceil(FEWEST / min(held_out, 1 - held_out))
    people = _first(is_seen, fewest)
    if people is None:
        return None
    return Needed(people, math.ceil(people * held_out), effect, power)


def least_effect(
    spread: float,
    people: int,
    *,
    power: float = POWER,
    level: float = LEVEL,
    tuned_for: int = TUNED_FOR,
) -> float:
    """The smallest difference that so many people show, looked at every day.

    Source: that of `every_look`, solved for the effect.
    """
    reach = margin(people, tuned_for=tuned_for, level=level)
    return spread * (reach + NormalDist().inv_cdf(power) / math.sqrt(people))


def _first(is_seen: Callable[[int], bool], fewest: int) -> int | None:
    """The smallest number for which it holds, given that it holds from there on."""
    low, high = fewest - 1, fewest
    while not is_seen(high):
        low, high = high, high * 2
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if is_seen(middle):
            high = middle
        else:
            low = middle
    return high
