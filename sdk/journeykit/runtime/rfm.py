"""Named groups of customers by recency, frequency and monetary value.

The oldest way to tell customers apart by what they did (R. C. Blattberg, B.-D. Kim,
S. A. Neslin, Database Marketing, 2008, ch. 12,
https://doi.org/10.1007/978-0-387-72579-6_12). Each of the three is cut at the quintiles
of the customers who have bought at all, which gives scores from 1, the worst, to 5:

    R = 1 + the number of the four cuts that the age of the last event is below
    F = 1 + the number of the four cuts that the number of events is above
    M = 1 + the number of the four cuts that the sum is above
    V = (F + M) / 2, rounded up; F alone where no sum is known

Cuts are quintiles by the nearest rank, so who has the same value has the same score, and
a score may be nobody's. Names stand on the grid of R and V, which is how they are used in
the field (https://www.putler.com/rfm-analysis;
https://shopify.dev/docs/api/admin-graphql/latest/enums/customerrfmgroup); where exactly
one ends differs everywhere, `GRID` is ours.

A group *is* the condition of its segment: who is in it is asked of that, and not of the
scores, so what is pasted finds exactly whom it was shown for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from journeykit.model.conditions import Condition

SCORES = 5

_HOURS = 24


class Named(NamedTuple):
    """A part of the grid.

    Attributes:
        id: Its name.
        recency: The first and the last score of recency.
        value: The same of V.
        story: Who they are.
    """

    id: str
    recency: tuple[int, int]
    value: tuple[int, int]
    story: str


GRID: Sequence[Named] = (
    Named("champions", (5, 5), (4, 5), "bought just now, often and much"),
    Named("loyal", (3, 4), (4, 5), "buy often and much, and not long ago"),
    Named("potential-loyalists", (4, 5), (2, 3), "bought lately, more than once"),
    Named("new", (5, 5), (1, 1), "bought just now, little so far"),
    Named("promising", (4, 4), (1, 1), "bought lately, little so far"),
    Named("need-attention", (3, 3), (3, 3), "are in the middle, and may go either way"),
    Named("about-to-sleep", (3, 3), (1, 2), "bought little, and some time ago"),
    Named(
        "cant-lose", (1, 2), (5, 5), "were among the best, and haven't come for long"
    ),
    Named("at-risk", (1, 2), (3, 4), "bought often, and haven't come for long"),
    Named("hibernating", (2, 2), (1, 2), "bought little, long ago"),
    Named("lost", (1, 1), (1, 2), "bought little, longest ago"),
)
"""The groups; together they are the whole grid, and none overlaps another."""


class RfmFields(NamedTuple):
    """Which traits say it.

    Attributes:
        recency: The trait that is the instant of the last event: a Last without a value.
        frequency: A Count.
        monetary: A Sum; empty: none is declared.
    """

    recency: str
    frequency: str
    monetary: str = ""


class RfmValues(NamedTuple):
    """One customer who has bought.

    Attributes:
        days: How long ago the last event was.
        frequency: How many there were.
        monetary: What they add up to.
    """

    days: float
    frequency: float
    monetary: float


class Cuts(NamedTuple):
    """Where scores change, four cuts each, the lowest first.

    Attributes:
        hours: Of recency, in whole hours since the last event.
        frequency: Of the number.
        monetary: Of the sum; empty: none is known.
    """

    hours: Sequence[int]
    frequency: Sequence[float]
    monetary: Sequence[float]


def cuts_of(people: Sequence[RfmValues], *, monetary: bool) -> Cuts:
    """Find the quintiles.

    Args:
        people: Those who have bought; at least one.
        monetary: Whether a sum is known.
    """
    days = _quintiles([each.days for each in people])
    return Cuts(
        [math.floor(each * _HOURS) + 1 for each in days],
        _quintiles([each.frequency for each in people]),
        _quintiles([each.monetary for each in people]) if monetary else (),
    )


def conditions(fields: RfmFields, cuts: Cuts) -> Iterator[tuple[Named, Condition]]:
    """Yield each group with the condition of those who are in it."""
    for group in GRID:
        text = " && ".join(
            [*_recency(fields, cuts, group.recency), *_value(fields, cuts, group.value)]
        )
        yield group, Condition.parse(text)


def never(fields: RfmFields) -> Condition:
    """Who is in none of the groups: those who have never bought."""
    return Condition.parse(f"!has(trait.{fields.recency})")


def scores(values: RfmValues, cuts: Cuts) -> tuple[int, int, int]:
    """The scores R, F and M of a customer; M is 0 where no sum is known."""
    return (
        1 + sum(values.days * _HOURS < cut for cut in cuts.hours),
        1 + sum(values.frequency > cut for cut in cuts.frequency),
        1 + sum(values.monetary > cut for cut in cuts.monetary) if cuts.monetary else 0,
    )


def group_of(values: RfmValues, cuts: Cuts) -> Named:
    """The group that the formulas above give, without its condition."""
    recency, frequency, monetary = scores(values, cuts)
    value = -(-(frequency + monetary) // 2) if monetary else frequency
    return next(
        group
        for group in GRID
        if group.recency[0] <= recency <= group.recency[1]
        and group.value[0] <= value <= group.value[1]
    )


def _quintiles(values: Sequence[float]) -> list[float]:
    """The quintiles by the nearest rank, to the millionth that traits are kept to."""
    ordered = sorted(values)
    return [
        round(ordered[math.ceil(len(ordered) * n / SCORES) - 1], 6)
        for n in range(1, SCORES)
    ]


def _recency(fields: RfmFields, cuts: Cuts, between: tuple[int, int]) -> Iterator[str]:
    """From one score to another: younger than one cut, older than the next."""
    first, last = between
    if first > 1:
        yield f'trait.{fields.recency}.withinLast("PT{cuts.hours[SCORES - first]}H")'
    if last < SCORES:
        cut = cuts.hours[SCORES - 1 - last]
        yield f'trait.{fields.recency}.olderThan("PT{cut}H")'


def _value(fields: RfmFields, cuts: Cuts, between: tuple[int, int]) -> Iterator[str]:
    """From one V to another; V >= v is F + M >= 2v - 1."""
    first, last = between
    if not fields.monetary:
        if first > 1:
            yield f"trait.{fields.frequency} > {_number(cuts.frequency[first - 2])}"
        if last < SCORES:
            yield f"trait.{fields.frequency} <= {_number(cuts.frequency[last - 1])}"
        return
    if first > 1:
        yield f"({_at_least(fields, cuts, 2 * first - 1)})"
    if last < SCORES:
        yield f"!({_at_least(fields, cuts, 2 * last + 1)})"


def _at_least(fields: RfmFields, cuts: Cuts, total: int) -> str:
    """F + M >= total, as the fewest pairs of comparisons that say it."""
    pairs: list[tuple[float, float]] = []
    for frequency in range(max(1, total - SCORES), min(SCORES, total - 1) + 1):
        pair = (
            _cut(cuts.frequency, frequency),
            _cut(cuts.monetary, max(1, total - frequency)),
        )
        # Two cuts may be one: whoever meets the harder pair meets the easier one, too.
        if any(f <= pair[0] and m <= pair[1] for f, m in pairs):
            continue
        pairs = [(f, m) for f, m in pairs if not (pair[0] <= f and pair[1] <= m)]
        pairs.append(pair)
    return " || ".join(
        " && ".join(
            f"trait.{name} > {_number(cut)}"
            for name, cut in ((fields.frequency, f), (fields.monetary, m))
            if cut > -math.inf
        )
        for f, m in pairs
    )


def _cut(cuts: Sequence[float], score: int) -> float:
    """What a value is above that has at least this score."""
    return -math.inf if score == 1 else cuts[score - 2]


def _number(value: float) -> str:
    """A number as conditions write it, without an exponent."""
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")
