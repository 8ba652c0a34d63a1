"""How far back the logs are needed for one reading of a measure.

A figure over the last four weeks needs no log of a year. But what is counted must be there
from its beginning: a run is known by its entry, and whoever came back by when they were
there first. Where nobody can say how long ago that was, it is the whole log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import subtract
from journeykit.model.durations import Duration
from journeykit.model.journey import Goal, Journey
from journeykit.model.measures import (
    Active,
    Arrival,
    Conversion,
    Measure,
    Membership,
    MessageRate,
    Occurrences,
    Reach,
    Returning,
    Revenue,
    SurveyScore,
    Total,
)

_UTC = ZoneInfo("UTC")
_ASKED = Duration(days=30)
"""Of an answer it is asked whether it was somebody's first, and whether the message that
asked was test traffic. Word of a delivery is taken for so long in AWS."""


def lookback(measure: Measure, at: int, journeys: Sequence[Journey]) -> int | None:
    """Say from when on the logs are needed, milliseconds; None: from their beginning.

    Args:
        measure: What is measured.
        at: The instant of the reading, milliseconds.
        journeys: The definitions, which say the windows of goals.
    """
    match measure:
        case Conversion(over=over):
            before = _longest(measure.journey, measure.goal, journeys, first=True)
            return _earlier(at, over, before or Duration())  # without one: its entry
        case Revenue(per="run" | "person", over=over):
            return _earlier(at, over)
        case Revenue(over=over):
            longest = _longest(measure.journey, measure.goal, journeys)
            return None if longest is None else _earlier(at, over, longest)
        case Occurrences(over=over) | Total(over=over) | Reach(over=over):
            return _earlier(at, over)
        case MessageRate(over=over):
            return _earlier(at, over)
        case SurveyScore(over=over):
            return _earlier(at, over, _ASKED)
        case Returning(after="each", over=over, within=within):
            return _earlier(at, over, within)
        case Returning() | Arrival() | Active() | Membership():
            return None  # since anybody was there, or a run began
        case _:
            assert_never(measure)


def _earlier(at: int, over: Duration | None, *more: Duration) -> int | None:
    if over is None:
        return None
    for one in (over, *more):
        at = subtract(at, one, _UTC)
    return at


def _longest(
    journey: str | None,
    goal: str | None,
    journeys: Sequence[Journey],
    *,
    first: bool = False,
) -> Duration | None:
    """The longest window of the goals that are meant; None: one of them has none."""
    meant: list[Goal] = []
    for one in journeys:
        if journey in (None, one.id):
            own = [each for each in one.goals if goal in (None, each.id)]
            meant += own[:1] if first else own
    windows = [each.within for each in meant]
    if not windows or any(window is None for window in windows):
        return None
    return max((one for one in windows if one is not None), key=_length)


def _length(window: Duration) -> int:
    return (window.months * 31 + window.days) * 86_400_000 + window.ms
