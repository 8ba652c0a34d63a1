"""What every gauge is made of: its figure, its definition, and its stretch of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import subtract
from journeykit.insight.clusters import Tally, mean_interval, share_interval
from journeykit.insight.stats.intervals import Interval, wilson
from journeykit.model.durations import Duration

_UTC = ZoneInfo("UTC")
_EVER = -(1 << 62)


class Figure(NamedTuple):
    """What a measure comes to.

    Attributes:
        value: In the measure's unit; None: there was nothing to count.
        of: How many runs, people, events or messages it is counted of.
        interval: Where it is a share or a mean.
    """

    value: float | None
    of: int
    interval: Interval | None = None


class Gauge(NamedTuple):
    """A measure, ready to be read.

    Attributes:
        read: The figure at an instant, milliseconds.
        definition: What is counted, over whom, in which window.
        nothing: Why there may be no figure.
    """

    read: Callable[[int], Figure]
    definition: str
    nothing: str = "there was nothing to count"


def silent(why: str) -> Gauge:
    """A gauge that has no figure at any instant, and says why."""
    return Gauge(lambda at: Figure(None, 0), "", why)


# Time


def begin(at: int, over: Duration | None) -> int:
    """Since when it counts at this instant; `over` None: since ever."""
    return _EVER if over is None else subtract(at, over, _UTC)


def starts(at: int, over: Duration | None, within: Duration) -> tuple[int, int]:
    """Behind which instant and up to which one begins whose time ended lately.

    Args:
        at: The instant of the figure.
        over: How long ago the time may have ended; None: whenever.
        within: The time that begins with a start.
    """
    oldest = begin(at, over)
    if over is not None:
        oldest = subtract(oldest, within, _UTC)
    return oldest, subtract(at, within, _UTC)


def lately(over: Duration | None) -> str:
    """The stretch of time, in words."""
    return f"in the last {over.short}" if over else "since the log begins"


# Figures


def share_of_people(some: int, people: int) -> Figure:
    """How many percent of people are some of them; by Wilson."""
    if not people:
        return Figure(None, 0)
    return _percent(some / people, people, wilson(some, people))


def share_of_runs(tally: Tally) -> Figure:
    """How many percent of runs have it, of which one person may have several."""
    return _percent(tally.mean, int(tally.runs), share_interval(tally))


def mean_of_runs(tally: Tally) -> Figure:
    """What a run has in the mean, of which one person may have several."""
    return Figure(tally.mean, int(tally.runs), mean_interval(tally))


def _percent(share: float | None, of: int, interval: Interval | None) -> Figure:
    if share is None or interval is None:
        return Figure(None, of)
    in_percent = Interval(100 * interval.low, 100 * interval.high, interval.level)
    return Figure(100 * share, of, in_percent)
