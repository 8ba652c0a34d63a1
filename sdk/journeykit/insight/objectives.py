"""Objectives: where their figures are, and whether they will reach their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import (
    start_of_next_month,
    start_of_next_week,
    to_datetime,
)
from journeykit.insight.gauges.gauge import Figure
from journeykit.insight.measured import gauge
from journeykit.insight.periods import DAY_MS, midnight
from journeykit.insight.stats.intervals import Interval
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective
from journeykit.model.measures import Unit, is_growing, unit_of

Status = Literal["met", "on_track", "behind", "missed", "unknown"]
"""`met`: the target is reached. `on_track`: not yet, but at its pace it will be in time.
`behind`: it is not reached. `missed`: nor was it on its date. `unknown`: there is no
figure."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The figure at one instant.

    Attributes:
        at: When.
        value: The figure, in the objective's unit; None: there was nothing to count.
    """

    at: datetime
    value: float | None


@dataclass(frozen=True, slots=True)
class ObjectiveFigures:
    """One objective.

    Attributes:
        id: Its name.
        kpi: What is measured, in its author's words.
        target: What is to be reached.
        aim: `at_least` or `at_most` the target.
        by: Its date.
        unit: What figure and target are in: `percent` (0 to 100), `amount`, `count` or
            `score`; empty if nothing is measured.
        at: When the figure is from: the end of the log, or of the objective's date.
        value: The figure; None: see `problem`.
        interval: Of `value`, where it is a share or a mean.
        of: How many runs, people, events or messages it is counted of.
        share_of_target: `value` through `target`, for figures that add up.
        expected: What a figure that adds up would be by now, growing evenly to the
            target.
        status: Where it stands.
        is_certain: The interval lies wholly on one side of the target.
        history: The figure at ends of months or weeks, oldest first.
        journeys: The journeys that name it.
        problem: Why there is no figure; empty if there is one.
        definition: What is counted, over whom, in which window.
    """

    id: str
    kpi: str
    target: float
    aim: Literal["at_least", "at_most"]
    by: date
    unit: Unit | Literal[""]
    at: datetime | None
    value: float | None
    interval: Interval | None
    of: int
    share_of_target: float | None
    expected: float | None
    status: Status
    is_certain: bool
    history: Sequence[Reading]
    journeys: Sequence[str]
    problem: str
    definition: str


@dataclass(frozen=True, slots=True)
class Objectives:
    """All objectives of a workspace.

    Attributes:
        objectives: In the order in which they are declared.
        definition: What a status means.
    """

    objectives: Sequence[ObjectiveFigures]
    definition: str


# How they are read

_UTC = ZoneInfo("UTC")
_WEEKS = 26 * 7 * DAY_MS  # up to half a year has readings by the week
_READINGS = 24  # at most


def objectives(
    house: Warehouse,
    declared: Sequence[Objective],
    journeys: Sequence[Journey] = (),
) -> Objectives:
    """Hold objectives against their targets.

    Args:
        house: The logs.
        declared: The objectives.
        journeys: The definitions, which name the objectives and say windows of goals.
    """
    return Objectives(
        tuple(objective_figures(house, one, journeys) for one in declared),
        "met: the figure has reached its target. on track: it adds up, and has come as "
        "far as an even pace from the beginning of the log to the date would bring it. "
        "behind: neither. missed: not reached on the date, or no longer to be reached.",
    )


def objective_figures(
    house: Warehouse,
    objective: Objective,
    journeys: Sequence[Journey] = (),
    *,
    instants: Sequence[int] | None = None,
) -> ObjectiveFigures:
    """Hold one objective against its target.

    Args:
        house: The logs.
        objective: The objective.
        journeys: As for `objectives`.
        instants: Of which instants its history is, milliseconds; those that the logs
            don't reach are left out. The ends of weeks or months if not given.
    """
    naming = tuple(one.id for one in journeys if objective.id in one.objectives)
    measure = objective.measure
    unit: Unit | Literal[""] = "" if measure is None else unit_of(measure)
    unknown = ObjectiveFigures(
        objective.id,
        objective.kpi,
        objective.target,
        objective.aim,
        objective.by,
        unit,
        at=None,
        value=None,
        interval=None,
        of=0,
        share_of_target=None,
        expected=None,
        status="unknown",
        is_certain=False,
        history=(),
        journeys=naming,
        problem="",
        definition="",
    )
    if measure is None:
        why = "it has no measure; say with measure=… how the figure is got"
        return replace(unknown, problem=why)
    if house.span is None:
        return replace(unknown, problem="the log is empty")
    try:
        ready = gauge(house, measure, journeys)
    except LookupError as error:
        return replace(unknown, problem=f"{error.args[0]}; see journeykit check")
    first, last = _span(house, house.span)
    due = due_of(objective)
    at = min(last, due - 1)
    figure = ready.read(at) if at >= first else Figure(None, 0)
    if figure.value is None:
        why = "the log begins after its date" if at < first else ready.nothing
        return replace(
            unknown, at=to_datetime(at), problem=why, definition=ready.definition
        )
    if instants is None:
        instants = _instants(first, at)
    grows = is_growing(measure)
    pace = (at + 1 - first) / (due - first) if grows and due > first else None
    expected = None if pace is None else objective.target * min(1.0, pace)
    return replace(
        unknown,
        at=to_datetime(at),
        value=figure.value,
        interval=figure.interval,
        of=figure.of,
        share_of_target=(
            figure.value / objective.target if grows and objective.target > 0 else None
        ),
        expected=expected,
        status=status_of(objective, figure.value, expected, is_due=last >= due - 1),
        is_certain=_is_certain(figure, objective.target),
        history=tuple(
            Reading(to_datetime(then), ready.read(then).value)
            for then in instants
            if first <= then <= at
        ),
        definition=ready.definition,
    )


def _span(house: Warehouse, decided: tuple[int, int]) -> tuple[int, int]:
    """From when to when there is something in the logs."""
    (first,) = house.row("select min(happened_ms) from events where not test")
    begins = min(decided[0], decided[0] if first is None else first)
    if house.scope.since is not None:
        begins = max(begins, house.scope.since)
    return begins, decided[1]


def due_of(objective: Objective) -> int:
    """When the objective's date is over, UTC, milliseconds."""
    return midnight(objective.by) + DAY_MS


def status_of(
    objective: Objective, value: float, expected: float | None, *, is_due: bool
) -> Status:
    """Say how a figure stands to the target.

    Args:
        objective: The objective.
        value: The figure.
        expected: What it should be by now, if it adds up; None: it doesn't.
        is_due: Whether the objective's date is over.
    """
    target = objective.target
    if objective.aim == "at_least":
        if value >= target:
            return "met"
        if is_due:
            return "missed"
        return "on_track" if expected is not None and value >= expected else "behind"
    if value > target:
        # What adds up never comes back below.
        return "missed" if is_due or expected is not None else "behind"
    if is_due or expected is None:
        return "met"
    return "on_track" if value <= expected else "behind"


def _is_certain(figure: Figure, target: float) -> bool:
    """Whether the figure and its interval are on one side of the target."""
    if figure.interval is None:
        return True
    return not figure.interval.low <= target <= figure.interval.high


def _instants(first: int, at: int) -> list[int]:
    """The ends of the weeks or months up to an instant, and the instant itself."""
    next_of = start_of_next_week if at - first <= _WEEKS else start_of_next_month
    found = []
    ends = next_of(first, _UTC)
    while ends <= at:
        found.append(ends - 1)
        ends = next_of(ends, _UTC)
    return [*found, at][-_READINGS:] if at not in found else found[-_READINGS:]
