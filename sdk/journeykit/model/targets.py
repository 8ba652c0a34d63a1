"""What can be wrong about objectives and their measures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from journeykit.model.conditions import Expression
from journeykit.model.issues import Issue, Level, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective
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
    unit_of,
)
from journeykit.model.memberships import Audience
from journeykit.model.schemas import check_condition
from journeykit.model.triggers import EventTrigger

_SCALES = {"nps": (-100.0, 100.0), "csat": (0.0, 100.0), "ces": (1.0, 7.0)}


def target_issues(
    objectives: Iterable[Objective],
    *,
    journeys: Sequence[Journey],
    audience: Audience,
    channels: Collection[str] | None,
    events: Mapping[str, type[BaseModel]],
) -> Iterator[Issue]:
    """Yield what is wrong with objectives.

    Args:
        objectives: All that are declared.
        journeys: All journeys that are to live together.
        audience: Segments and stages that measures may ask for.
        channels: The channels that somebody carries; None: not known here.
        events: What events are declared to hold, by their names.
    """
    known = {journey.id: journey for journey in journeys}
    for objective in objectives:
        measure = objective.measure
        if measure is None:
            continue
        problems = [
            *_target(objective.target, measure),
            *_journey(measure, known),
            *_people(measure, audience),
            *_channel(measure, channels),
        ]
        for trigger in _listened(measure):
            value = measure.amount if isinstance(measure, Total) else None
            problems += _event(trigger, value, events)
        for level, problem in problems:
            yield issue(level, f"objective {objective.id!r}: {problem}", objective)


def _target(target: float, measure: Measure) -> Iterator[tuple[Level, str]]:
    """A target that no figure can have."""
    if unit_of(measure) == "percent" and not 0 <= target <= 100:
        yield (
            "error",
            f"its target is {target:g}, but {measure.type} is in percent, 0 to 100",
        )
    elif unit_of(measure) == "percent" and 0 < target < 1:
        slip = f"its target is {target:g} percent; write {target * 100:g} if you mean"
        yield "warning", f"{slip} that share"
    elif isinstance(measure, SurveyScore):
        low, high = _SCALES[measure.kind]
        if not low <= target <= high:
            scale = f"the score of a survey of kind {measure.kind} is from {low:g} to"
            yield "error", f"its target is {target:g}, but {scale} {high:g}"


def _journey(
    measure: Measure, known: Mapping[str, Journey]
) -> Iterator[tuple[Level, str]]:
    """A journey or a goal that there isn't."""
    if not isinstance(measure, Conversion | Arrival | Revenue | MessageRate):
        return
    if measure.journey is None:
        return
    journey = known.get(measure.journey)
    if journey is None:
        way_out = meant(measure.journey, known, none="there is none")
        yield "error", f"journey {measure.journey!r} is not known; {way_out}"
    elif isinstance(measure, Arrival):
        steps = [step.id or "" for step in journey.walk()]
        for step in filter(None, (measure.step, measure.among)):
            if step not in steps:
                way_out = meant(step, steps)
                yield "error", f"journey {journey.id!r} has no step {step!r}; {way_out}"
    elif not isinstance(measure, MessageRate):
        goals = {goal.id or "": goal for goal in journey.goals}
        if not goals:
            yield "error", f"journey {journey.id!r} has no goal; give it one"
        elif measure.goal is not None and measure.goal not in goals:
            way_out = meant(measure.goal, goals)
            problem = f"journey {journey.id!r} has no goal {measure.goal!r}; {way_out}"
            yield "error", problem
        elif isinstance(measure, Revenue):
            asked = [goals[measure.goal]] if measure.goal else [*goals.values()]
            if all(goal.value is None for goal in asked):
                what = f"no goal of journey {journey.id!r} says what it is worth"
                yield "error", f"{what}; give it a value, such as event.total"


def _people(measure: Measure, audience: Audience) -> Iterator[tuple[Level, str]]:
    """A segment or a stage that there isn't."""
    if not isinstance(measure, Membership):
        return
    for what, name, known in (
        ("segment", measure.segment, audience.segment_ids),
        ("stage", measure.stage, audience.stage_ids),
    ):
        if name is not None and known is not None and name not in known:
            way_out = meant(name, known, none="none is declared")
            yield "error", f"{what} {name!r} is not known; {way_out}"


def _channel(
    measure: Measure, channels: Collection[str] | None
) -> Iterator[tuple[Level, str]]:
    if not isinstance(measure, MessageRate) or channels is None:
        return
    if measure.channel and measure.channel not in channels:
        way_out = meant(measure.channel, channels, none="there is none")
        yield "error", f"nobody carries channel {measure.channel!r}; {way_out}"


def _listened(measure: Measure) -> Iterator[EventTrigger]:
    """The events that a measure is made of."""
    if isinstance(measure, Occurrences | Total | Reach | Active | Returning):
        yield from measure.triggers
    if isinstance(measure, Reach):
        yield from measure.everybody or ()
    if isinstance(measure, Returning) and measure.back:
        yield from measure.returns


def _event(
    trigger: EventTrigger,
    value: Expression | None,
    events: Mapping[str, type[BaseModel]],
) -> Iterator[tuple[Level, str]]:
    """Fields must be declared, where fields are declared."""
    model = events.get(trigger.name)
    if model is None:
        # Another team's event need not be declared here; a slip of the pen is one letter.
        way_out = meant(trigger.name, events) if events else ""
        if way_out.startswith("did you"):
            yield "warning", f"event {trigger.name!r} is not declared; {way_out}"
        return
    for asked in (trigger.where, value):
        if asked is not None:
            for problem in check_condition(asked, event=model):
                yield "error", problem
