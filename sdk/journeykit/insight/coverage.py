"""What the map lacks: stages nobody is met in, personas nobody writes to, open friction.

It reads definitions, and with logs also who is where: a gap among many people weighs more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from journeykit.insight.stages import StageMap
from journeykit.model import cel
from journeykit.model.journey import Journey
from journeykit.model.triggers import EventTrigger, listened
from journeykit.model.uses import exits_when, expr_of_use, uses_of
from journeykit.workspace import Workspace

GapKind = Literal[
    "stage_without_touchpoints",
    "stage_without_journeys",
    "persona_without_journeys",
    "friction",
    "touchpoint_of_nobody",
    "touchpoint_not_met",
    "off_the_map",
    "objective_of_nobody",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that the map lacks.

    Attributes:
        kind: Which kind of gap.
        subject: The stage, persona, touchpoint, journey or objective that it is about.
        says: What is lacking, as a sentence.
        stage: In which stage; empty: in none, or in all.
        people: Who is concerned at the end of the log, where that is known.
    """

    kind: GapKind
    subject: str
    says: str
    stage: str = ""
    people: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How well the map covers the customer journey.

    Attributes:
        definition: What counts as a gap.
        gaps: Each gap, the widest kinds first.
    """

    definition: str
    gaps: tuple[Gap, ...]

    def of(self, *kinds: GapKind) -> tuple[Gap, ...]:
        """The gaps of some kinds."""
        return tuple(gap for gap in self.gaps if gap.kind in kinds)


_DEFINITION = (
    "A stage is covered by a touchpoint or a message in it, and by a journey of it; a "
    "persona by a journey that asks for its segment, itself or through other segments; "
    "friction by a journey that has a step at its touchpoint."
)


def coverage(workspace: Workspace, map: StageMap) -> Coverage:
    """Find what a map lacks.

    Args:
        workspace: What is declared.
        map: Its map; with counts, who is concerned is said too.
    """
    return Coverage(
        definition=_DEFINITION,
        gaps=(
            *_stages(map),
            *_personas(workspace, map),
            *_friction(workspace, map),
            *_touchpoints(map),
            *_off(map),
            *_objectives(workspace),
        ),
    )


def _stages(map: StageMap) -> Iterator[Gap]:
    for column in map.columns:
        if not column.touchpoints:
            yield Gap(
                kind="stage_without_touchpoints",
                subject=column.id,
                says=f"Nobody is met in {column.name}: it has no touchpoint.",
                stage=column.id,
                people=column.people,
            )
        if not column.journeys:
            yield Gap(
                kind="stage_without_journeys",
                subject=column.id,
                says=f"No journey belongs to {column.name}.",
                stage=column.id,
                people=column.people,
            )


def _personas(workspace: Workspace, map: StageMap) -> Iterator[Gap]:
    asked = asked_segments(workspace)
    for row in map.personas:
        if row.segment not in asked:
            yield Gap(
                kind="persona_without_journeys",
                subject=row.id,
                says=f"No journey asks for {row.name} (segment {row.segment}).",
                people=row.people,
            )


def asked_segments(workspace: Workspace) -> frozenset[str]:
    """The segments that journeys ask for, themselves or through other segments."""
    found: set[str] = set()
    for journey in workspace.journeys:
        if journey.keep_while_in_segment:
            found.add(journey.keep_while_in_segment)
        for use in uses_of(journey):
            found |= _segments(expr_of_use(use))
        for heard in _heard(journey):
            if heard.name.startswith("segment.") and heard.where is not None:
                found.update(_compared(heard.where.expr))
        for trigger in journey.triggers:
            audience = getattr(trigger, "segment", None)
            if isinstance(audience, str):
                found.add(audience)
    within = {
        each.id: _segments(each.when.expr)
        for each in workspace.segments
        if each.when is not None
    }
    left = set(found)
    while left:
        more = within.get(left.pop(), frozenset()) - found
        found |= more
        left |= more
    return frozenset(found)


def _segments(expr: cel.Expr) -> frozenset[str]:
    """The segments that an expression asks for."""
    return frozenset(
        str(path.keys[0])
        for path in cel.references(expr)
        if path.root == "segment" and path.keys
    )


def _compared(expr: cel.Expr) -> Iterator[str]:
    """The texts in a condition: of `event.segment == "vip"` the segment."""
    if isinstance(expr, cel.Literal) and isinstance(expr.value, str):
        yield expr.value
    for child in cel.children(expr):
        yield from _compared(child)


def _heard(journey: Journey) -> Iterator[EventTrigger]:
    """The events that start, move or end a journey's runs."""
    for trigger in journey.triggers:
        yield from listened(trigger)
    for goal in journey.goals:
        yield from _event(goal.when)
    for rule in journey.exit_rules:
        yield from _event(exits_when(rule))
    for step in journey.walk():
        for path in getattr(step, "paths", ()):
            yield from _event(path.when)
        yield from _event(getattr(step, "when", None))


def _event(when: object) -> Iterator[EventTrigger]:
    if isinstance(when, EventTrigger):
        yield when


def _friction(workspace: Workspace, map: StageMap) -> Iterator[Gap]:
    hearing: defaultdict[str, list[str]] = defaultdict(list)
    for journey in workspace.journeys:
        for name in dict.fromkeys(heard.name for heard in _heard(journey)):
            hearing[name].append(journey.id)
    for column in map.columns:
        for met in column.touchpoints:
            if met.steps:
                continue
            who = ""
            if heard := hearing.get(met.event):
                who = f"; {', '.join(heard)} only hear{'s' * (len(heard) == 1)} of it"
            owner = (
                f"; its owner is {met.owner}" if met.owner else ", and it has no owner"
            )
            for note in met.friction:
                yield Gap(
                    kind="friction",
                    subject=met.id,
                    says=f"Nobody addresses “{note}” at {met.id}: no journey has a step "
                    f"there{who}{owner}.",
                    stage=column.id,
                    people=column.people if met.people is None else met.people,
                )
    asked = asked_segments(workspace)
    for row in map.personas:
        if row.segment not in asked:
            for note in row.friction:
                yield Gap(
                    kind="friction",
                    subject=row.id,
                    says=f"Nobody addresses “{note}” for {row.name}: no journey asks for "
                    "them.",
                    people=row.people,
                )


def _touchpoints(map: StageMap) -> Iterator[Gap]:
    for column in map.columns:
        for met in column.touchpoints:
            if not met.steps and not met.event:
                yield Gap(
                    kind="touchpoint_of_nobody",
                    subject=met.id,
                    says=f"{met.id} is never seen: no step is it, and no event tells of "
                    "it.",
                    stage=column.id,
                )
            elif map.counted and 0 in (met.sent, met.observed) and not met.people:
                yield Gap(
                    kind="touchpoint_not_met",
                    subject=met.id,
                    says=f"Nobody was met at {met.id} in this log.",
                    stage=column.id,
                    people=0,
                )


def _off(map: StageMap) -> Iterator[Gap]:
    for journey in map.stageless:
        yield Gap(
            kind="off_the_map",
            subject=journey.id,
            says=f"Journey {journey.id} is on no stage: give it a stage, or its steps "
            "touchpoints.",
        )


def _objectives(workspace: Workspace) -> Iterator[Gap]:
    served = {id for journey in workspace.journeys for id in journey.objectives}
    for objective in workspace.objectives:
        if objective.id not in served:
            yield Gap(
                kind="objective_of_nobody",
                subject=objective.id,
                says=f"No journey serves the objective {objective.id}.",
            )
