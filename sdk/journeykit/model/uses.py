"""Every condition and value of a journey, and what it can know where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, assert_never

from journeykit.model import cel
from journeykit.model.conditions import Condition, Expression, expr_of
from journeykit.model.definition import is_definition
from journeykit.model.journey import ExitRule, Goal, Journey
from journeykit.model.schedules import ScheduleTrigger
from journeykit.model.steps import Collect, Step, Until, When
from journeykit.model.triggers import (
    ApiTrigger,
    BecomesTrigger,
    EventTrigger,
    InactiveTrigger,
    PatternTrigger,
    SequenceTrigger,
    Trigger,
    listened,
)


class Use(NamedTuple):
    """A condition or a value, where it stands.

    Attributes:
        text: The condition or value.
        what: How to call its place.
        item: The definition that holds it.
        step: The step's id; empty if it is no step's.
        event: The event that `event` would be; None: there is none.
        has_entry: Whether there is an `entry`.
    """

    text: Condition | Expression
    what: str
    item: object
    step: str = ""
    event: str | None = None
    has_entry: bool = True

    @property
    def event_or_entry(self) -> bool:
        """Whether there is any event: that is matched now, or that started the run."""
        return self.event is not None or self.has_entry


def uses_of(journey: Journey) -> Iterator[Use]:
    """Yield them in document order."""
    for trigger in journey.triggers:
        yield from uses_of_trigger(trigger)
    if journey.key is not None:
        # It is asked of any event that may concern a run, whatever its name.
        yield Use(journey.key, "a key", journey, event="", has_entry=False)
    if journey.unique is not None:
        yield Use(journey.unique, "a unique value", journey, event="", has_entry=False)
    for goal in journey.goals:
        yield from _when(goal.when, "a goal", goal)
        yield from _worth(goal)
    for rule in journey.exit_rules:
        yield from _when(exits_when(rule), "an exit rule", rule)
    for step in journey.walk():
        yield from uses_of_step(step)


def uses_of_trigger(trigger: Trigger) -> Iterator[Use]:
    """Yield those of one trigger."""
    match trigger:
        case ApiTrigger():
            if trigger.where is not None:
                yield Use(trigger.where, "an api trigger", trigger)
        case BecomesTrigger():
            yield Use(trigger.when, "becomes(…)", trigger, has_entry=False)
        case PatternTrigger():
            if trigger.where is not None:
                names = trigger.names or ()
                name = next(iter(names)) if len(names) == 1 else ""
                what = "a journey's trigger"
                yield Use(trigger.where, what, trigger, event=name, has_entry=False)
        case ScheduleTrigger():
            for text in (trigger.where, trigger.on):
                if isinstance(text, Condition | Expression):
                    yield Use(text, "a schedule", trigger, has_entry=False)
        case EventTrigger() | SequenceTrigger() | InactiveTrigger():
            for heard in listened(trigger):
                if heard.where is not None:
                    yield Use(
                        heard.where,
                        "a journey's trigger",
                        heard,
                        event=heard.name,
                        has_entry=False,
                    )
        case _:
            assert_never(trigger)


def uses_of_step(step: Step) -> Iterator[Use]:
    """Yield those of one step, the steps inside it left out."""
    for use in _of_step(step):
        yield use._replace(step=step.id or "")


def expr_of_use(use: Use) -> cel.Expr:
    """Give its syntax tree."""
    return use.text.expr if isinstance(use.text, Condition) else expr_of(use.text)


def exits_when(
    rule: ExitRule | EventTrigger | Condition,
) -> EventTrigger | Condition:
    """What an exit rule waits for, in whichever form it was given."""
    return rule.when if isinstance(rule, ExitRule) else rule


def _when(
    when: EventTrigger | Condition, what: str, item: object, *, bare: str = ""
) -> Iterator[Use]:
    if isinstance(when, Condition):
        yield Use(when, bare or f"{what} without a trigger", item)
    elif when.where is not None:
        yield Use(when.where, what, when, event=when.name)


def _worth(goal: Goal) -> Iterator[Use]:
    if isinstance(goal.value, Expression):
        event = goal.when.name if isinstance(goal.when, EventTrigger) else None
        yield Use(goal.value, "a goal without a trigger", goal, event=event)


def _of_step(step: Step) -> Iterator[Use]:
    """Look through the fields of a step, of whatever kind it is."""
    name = type(step).__name__
    what = f"an {name}" if name[0] in "AEIOU" else f"a {name}"
    for field in fields(step):
        place = f"{what}'s {field.name}" if field.name == "timeout" else what
        if isinstance(step, Collect) and field.name == "by":
            # It is asked of what is gathered, and of what takes it back.
            for trigger in (step.when, step.cancel):
                if step.by is not None and trigger is not None:
                    yield Use(step.by, place, step, event=trigger.name)
        else:
            yield from _inside(getattr(step, field.name), place, step)


def _inside(value: Any, what: str, item: object) -> Iterator[Use]:
    """Find conditions and references in a field, but not in the steps that it nests."""
    match value:
        case Condition() | Expression():
            yield Use(value, what, item)
        case EventTrigger():
            yield from _when(value, what, item)
        case When():
            bare = f"{what} without a trigger" if what == "a WaitFor" else what
            yield from _when(value.when, what, value, bare=bare)
        case Until():
            yield from _inside(value.instant, what, item)
        case Mapping():
            for part in value.values():
                yield from _inside(part, what, item)
        case list() | tuple():
            for part in value:
                if not is_definition(part) or isinstance(part, When):
                    yield from _inside(part, what, item)
