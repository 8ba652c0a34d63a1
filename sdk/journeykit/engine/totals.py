"""What events add up to: a count, a sum, an extreme, the first, the last.

A total is a small JSON value. Two of them are joined to that of the events of both, and
in whatever order that is done, the same comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from journeykit.engine.calendar import isoformat
from journeykit.engine.scalars import NOTHING, amount_of, kept, order_of

TEXT_BYTES = 128
"""Of a text that is kept; what is longer is cut."""
INSTANT_BYTES = 15
"""Of an instant as JSON, and a comma."""

_NUMBER_BYTES = 24
_DAY_MS = 86_400_000


class Total(NamedTuple):
    """How what events say adds up.

    Attributes:
        largest: What one total takes as JSON, bytes.
        one: The total of one event, of its instant and its value.
        joined: The total of the events of two.
        value: What a total says; None is that of nothing.
    """

    largest: int
    one: Callable[[int, Any], Any]
    joined: Callable[[Any, Any], Any]
    value: Callable[[Any], object]


def _itself(at: int, value: Any) -> Any:
    return value


def _said(total: Any) -> object:
    return NOTHING if total is None else total


COUNT = Total(
    12,
    lambda at, value: 1,
    lambda mine, theirs: mine + theirs,
    lambda total: total or 0,
)

SUM = Total(
    _NUMBER_BYTES + 8,
    _itself,
    lambda mine, theirs: kept(int(mine) + int(theirs)),
    lambda total: 0 if total is None else amount_of(int(total), 1),
)
"""Of whole millionths."""

AVERAGE = Total(
    _NUMBER_BYTES + 22,
    lambda at, value: [1, value],
    lambda mine, theirs: [
        mine[0] + theirs[0],
        kept(int(mine[1]) + int(theirs[1])),
    ],
    lambda total: NOTHING if total is None else amount_of(int(total[1]), total[0]),
)
"""How many, and the sum of their millionths."""

MIN = Total(_NUMBER_BYTES, _itself, min, _said)
MAX = Total(_NUMBER_BYTES, _itself, max, _said)


def _edge(at: int, value: Any) -> list[Any]:
    return [at] if value is None else [at, value]


def _edge_order(total: Sequence[Any]) -> tuple[Any, ...]:
    return total[0], order_of(total[1] if len(total) > 1 else None)


def _edge_said(total: Sequence[Any] | None) -> object:
    if total is None:
        return NOTHING
    return total[1] if len(total) > 1 else isoformat(total[0])


_EDGE_BYTES = INSTANT_BYTES + TEXT_BYTES + 4
FIRST = Total(
    _EDGE_BYTES,
    _edge,
    lambda mine, theirs: min(mine, theirs, key=_edge_order),
    _edge_said,
)
LAST = Total(
    _EDGE_BYTES,
    _edge,
    lambda mine, theirs: max(mine, theirs, key=_edge_order),
    _edge_said,
)
"""Its instant and its value; without a value it says its instant."""


def _gaps_said(total: Sequence[int] | None) -> object:
    gap = mean_gap(total)
    return NOTHING if gap is None else round(gap / _DAY_MS, 6)


GAPS = Total(
    12 + 2 * INSTANT_BYTES + 2,
    lambda at, value: [1, at, at],
    lambda mine, theirs: [
        mine[0] + theirs[0],
        min(mine[1], theirs[1]),
        max(mine[2], theirs[2]),
    ],
    _gaps_said,
)
"""How many, from when, and until when; it says the mean gap in days."""


def mean_gap(total: Sequence[int] | None, *, at_least: int = 2) -> float | None:
    """The mean time between events, milliseconds.

    Args:
        total: Of `GAPS`.
        at_least: Of how many events; None comes of fewer, or of several at one instant.
    """
    if total is None or total[0] < max(at_least, 2) or total[2] == total[1]:
        return None
    return (total[2] - total[1]) / (total[0] - 1)
