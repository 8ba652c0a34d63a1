"""Everything that a report tells, before it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from journeykit.errors import InputError, JourneyKitError
from journeykit.insight.attribution import Attribution, attribution
from journeykit.insight.causes import Causes, causes
from journeykit.insight.charts.numbers import DAY
from journeykit.insight.coverage import Coverage, coverage
from journeykit.insight.flow import JourneyFlow, flows
from journeykit.insight.funnels import Funnel, funnel
from journeykit.insight.goals import Performance, performance
from journeykit.insight.lift import Lift, lift
from journeykit.insight.messages import Messages, messages
from journeykit.insight.objectives import Objectives, objectives
from journeykit.insight.paths import Paths, paths_of_journey
from journeykit.insight.report.activity import Activity, activity
from journeykit.insight.retention import Per, Retention, retention
from journeykit.insight.stages import StageMap, stage_map
from journeykit.insight.surveys import Satisfaction, satisfaction
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import days
from journeykit.model.journey import Journey
from journeykit.model.steps import Send
from journeykit.model.triggers import EventTrigger, on
from journeykit.model.zones import zone
from journeykit.workspace import Workspace

Found = TypeVar("Found")

NO_ARCHIVE = (
    "there is no event archive, and without it nobody can tell who came back: "
    "journeykit run, import and serve write one beside the decision log"
)
_LONGEST = days(365)
_POINTS = 8  # of a journey's funnel and of its ways; more hide where people leave
_RUNS = 30_000  # of a journey that causes are looked for in, by a sample of people
_GOALS = 4  # for which the credit is shared
_WAYS = 6  # of a journey, in words


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of which there is nothing to tell.

    Attributes:
        why: Why not.
        way_out: How to get it; empty: there is nothing to be done.
    """

    why: str
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report tells; each part may be missing, and says why.

    Attributes:
        name: The workspace's.
        span: The first and the last instant of the log, in milliseconds; None: there is
            nothing in it.
        replayed: Whether events were recorded ones, which no message could change.
        test_runs: Runs of test traffic, which are left out.
        problems: What the logs can't tell.
        activity: How much happened.
        stages: The whole customer journey, stage by stage.
        coverage: What it lacks.
        objectives: Figures against their targets.
        flows: The journeys' runs, step by step.
        performance: Goals and conversion.
        funnels: Each journey from its entry over its messages.
        paths: The ways that each journey's runs took.
        lift: Treated against held out.
        retention: Cohorts, and when they come back.
        messages: What was sent, and what became of it.
        attribution: The credit for each goal, among the messages before it.
        satisfaction: Surveys, reviews and tickets.
        causes: What goes with leaving each journey.
        journeys: The definitions.
    """

    name: str
    span: tuple[int, int] | None
    replayed: bool
    test_runs: int
    problems: Sequence[str]
    activity: Activity
    stages: StageMap | Missing
    coverage: Coverage | Missing
    objectives: Objectives | Missing
    flows: Sequence[JourneyFlow] | Missing
    performance: Performance | Missing
    funnels: Sequence[tuple[str, Funnel]] | Missing
    paths: Sequence[Paths] | Missing
    lift: Lift | Missing
    retention: Retention | Missing
    messages: Messages | Missing
    attribution: Sequence[Attribution] | Missing
    satisfaction: Satisfaction | Missing
    causes: Sequence[Causes] | Missing
    journeys: Sequence[Journey]


def findings(
    house: Warehouse,
    workspace: Workspace,
    *,
    returns: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Findings:
    """Ask the logs for everything that a report tells.

    Args:
        house: The logs.
        workspace: The definitions.
        returns: The event by which people come back; empty: of those that start a
            journey the most frequent one.
        progress: Is told how many of the parts are done.
    """
    look = _Look(progress)
    did = activity(house)
    stages = look.at(lambda: stage_map(workspace, house))
    journeys = workspace.journeys
    return Findings(
        name=workspace.name,
        span=house.span,
        replayed=house.replayed,
        test_runs=house.test_runs,
        problems=tuple(house.problems),
        activity=did,
        stages=stages,
        coverage=stages
        if isinstance(stages, Missing)
        else look.at(lambda: coverage(workspace, stages)),
        objectives=look.at(lambda: objectives(house, workspace.objectives, journeys)),
        flows=look.at(lambda: flows(house, journeys)),
        performance=look.at(lambda: performance(house, journeys)),
        funnels=look.at(lambda: [*_funnels(house, journeys)]),
        paths=look.at(lambda: [*_paths(house, journeys)]),
        lift=look.at(lambda: lift(house, journeys)),
        retention=look.at(lambda: _retention(house, workspace, did, returns)),
        attribution=look.at(lambda: [*_attribution(house)]),
        satisfaction=look.at(lambda: satisfaction(house)),
        causes=look.at(lambda: [*_causes(house, workspace)]),
        journeys=journeys,
        messages=look.at(lambda: messages(house, by=("template", "channel"))),
    )


PARTS = 13
"""How many parts `findings` tells its progress of."""


class _Look:
    """Looks at one part after the other: one without an answer is not the end."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._done = 0

    def at(self, part: Callable[[], Found]) -> Found | Missing:
        """Look at a part, or say why that can't be done."""
        try:
            return part()
        except JourneyKitError as error:
            return Missing(str(error))
        finally:
            self._done += 1
            self._progress(self._done)


def _funnels(
    house: Warehouse, journeys: Sequence[Journey]
) -> Iterator[tuple[str, Funnel]]:
    """Each journey that sends, from its entry over the messages on its main way."""
    for journey in journeys:
        sends = [step.id for step in journey.steps if isinstance(step, Send)]
        points = [
            f"{journey.id}@entered",
            *(f"{journey.id}/{id}@sent" for id in sends[: _POINTS - 1]),
        ]
        if len(points) > 1:
            yield journey.id, funnel(house, points, within=_LONGEST, unit="runs")


_BY_WEEK = 120 * DAY  # a log that is no longer has cohorts by week


def _retention(
    house: Warehouse, workspace: Workspace, did: Activity, name: str
) -> Retention:
    """Retention by the event that people come back with.

    Raises:
        InputError: There is no archive, or no such event in it.
    """
    if not did.kinds:
        raise InputError(NO_ARCHIVE)
    name = name or _usual(workspace, did)
    first, last = house.span or (0, 0)
    per: Per = "week" if last - first <= _BY_WEEK else "month"
    return retention(house, [on(name)], per=per, zone=_zone(workspace))


def _paths(house: Warehouse, journeys: Sequence[Journey]) -> Iterator[Paths]:
    """The ways through each journey that has more than one step."""
    for journey in journeys:
        if len(list(journey.walk())) > 1:
            yield paths_of_journey(house, journey.id, depth=_POINTS, variants=_WAYS)


def _attribution(house: Warehouse) -> Iterator[Attribution]:
    """The credit for the goals that were reached, the most frequent ones."""
    goals = house.rows(
        "select journey, goal, count(*) from goals where not test and not held_out "
        "group by all order by 3 desc, 1, 2 limit ?",
        [_GOALS],
    )
    for journey, goal, _ in goals:
        yield attribution(house, f"{journey}@goal:{goal}")


def _causes(house: Warehouse, workspace: Workspace) -> Iterator[Causes]:
    """What goes with leaving each journey that somebody entered."""
    entered = {
        name
        for (name,) in house.rows("select distinct journey from runs where not test")
    }
    for journey in workspace.journeys:
        if journey.id in entered:
            yield causes(
                house,
                journey,
                touchpoints=workspace.touchpoints,
                personas=workspace.personas,
                most_runs=_RUNS,
            )


def _zone(workspace: Workspace) -> ZoneInfo:
    """The zone that all journeys have; UTC if they have several, or none."""
    zones = {journey.zone for journey in workspace.journeys}
    return zone(zones.pop() or "UTC") if len(zones) == 1 else zone("UTC")


def _usual(workspace: Workspace, did: Activity) -> str:
    """The most frequent event that starts a journey, or else of all."""
    starting = {
        trigger.name
        for journey in workspace.journeys
        for trigger in journey.triggers
        if isinstance(trigger, EventTrigger)
    }
    own = [one.name for one in did.events if not one.name.startswith("message.")]
    return next((one for one in own if one in starting), own[0] if own else "")
