"""Everything that a report tells, before it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Self, TypeVar
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
from journeykit.insight.satisfaction import Satisfaction, satisfaction
from journeykit.insight.stages import StageMap, stage_map
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
    did = activity(house)
    journeys = workspace.journeys
    with _Look(house, progress) as look:
        # What takes longest begins first.
        of_causes = look.at(lambda house: [*_causes(house, workspace)])
        of_funnels = look.at(lambda house: [*_funnels(house, journeys)])
        of_paths = look.at(lambda house: [*_paths(house, journeys)])
        of_stages = look.at(lambda house: stage_map(workspace, house))
        of_objectives = look.at(
            lambda house: objectives(house, workspace.objectives, journeys)
        )
        of_flows = look.at(lambda house: flows(house, journeys))
        of_goals = look.at(lambda house: performance(house, journeys))
        of_lift = look.at(lambda house: lift(house, journeys))
        of_returns = look.at(lambda house: _retention(house, workspace, did, returns))
        of_messages = look.at(lambda house: messages(house, by=("template", "channel")))
        of_credit = look.at(lambda house: [*_attribution(house)])
        of_satisfaction = look.at(satisfaction)
        stages = of_stages.result()
        of_coverage = look.at(
            lambda _: (
                stages if isinstance(stages, Missing) else coverage(workspace, stages)
            )
        )
    return Findings(
        name=workspace.name,
        span=house.span,
        replayed=house.replayed,
        test_runs=house.test_runs,
        problems=tuple(house.problems),
        activity=did,
        stages=stages,
        coverage=of_coverage.result(),
        objectives=of_objectives.result(),
        flows=of_flows.result(),
        performance=of_goals.result(),
        funnels=of_funnels.result(),
        paths=of_paths.result(),
        lift=of_lift.result(),
        retention=of_returns.result(),
        attribution=of_credit.result(),
        satisfaction=of_satisfaction.result(),
        causes=of_causes.result(),
        journeys=journeys,
        messages=of_messages.result(),
    )


PARTS = 13
"""How many parts `findings` tells its progress of."""


class _Look:
    """Looks at the parts, two at a time: one without an answer is not the end.

    Many questions are about so little that they keep one core busy. Of large logs one
    part at a time has the memory.
    """

    def __init__(self, house: Warehouse, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()
        self._closing = ExitStack()
        self._houses: SimpleQueue[Warehouse] = SimpleQueue()
        self._houses.put(house)
        if house.is_small:
            self._houses.put(self._closing.enter_context(house.beside()))
        self._pool = self._closing.enter_context(
            ThreadPoolExecutor(self._houses.qsize(), thread_name_prefix="part")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        self._closing.close()

    def at(
        self, part: Callable[[Warehouse], Found | Missing]
    ) -> Future[Found | Missing]:
        """Look at a part, or say why that can't be done."""
        return self._pool.submit(self._look, part)

    def _look(self, part: Callable[[Warehouse], Found | Missing]) -> Found | Missing:
        house = self._houses.get()
        try:
            return part(house)
        except JourneyKitError as error:
            return Missing(str(error))
        finally:
            self._houses.put(house)
            with self._lock:
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
