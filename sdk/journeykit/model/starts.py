"""What can be wrong about triggers, and about who listens to what the engine says itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from journeykit.model import cel, events
from journeykit.model.issues import Issue, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.steps import Emit
from journeykit.model.triggers import (
    BecomesTrigger,
    EventTrigger,
    Happens,
    InactiveTrigger,
    SequenceTrigger,
)


def start_issues(
    journey: Journey,
    listeners: Iterable[tuple[EventTrigger, str]],
    *,
    journeys: Collection[str],
    segments: Collection[str] | None = None,
    stages: Collection[str] | None = None,
) -> Iterator[Issue]:
    """Yield what is wrong with a journey's triggers and with its inner events.

    Args:
        journey: The journey.
        listeners: The events that it listens to, each with its step's id.
        journeys: The ids of all journeys.
        segments: The ids of all segments; None: not known.
        stages: The ids of all stages; None: not known.
    """
    yield from _unmet(journey)
    yield from _unkeyed(journey)
    for step in journey.walk():
        if isinstance(step, Emit) and events.is_inner(step.name):
            message = (
                f"only the engine says {step.name!r}; give the event another name, such "
                f"as {'my.' + step.name!r}"
            )
            yield issue("error", message, step, journey=journey.id, step=step.id or "")
    known = {
        ("segment", events.SEGMENT_ENTERED): segments,
        ("segment", events.SEGMENT_LEFT): segments,
        ("journey", events.JOURNEY_FINISHED): journeys,
        ("from", events.STAGE_CHANGED): stages,
        ("to", events.STAGE_CHANGED): stages,
    }
    for trigger, step_id in listeners:
        for (field, name), names in known.items():
            if trigger.name != name or names is None:
                continue
            what = "stage" if name == events.STAGE_CHANGED else field
            for value in equals(trigger, field):
                if value not in names and not (what == "stage" and value == ""):
                    way_out = meant(str(value), names, none="there is none")
                    message = f"{what} {value!r} is not known; {way_out}"
                    yield issue(
                        "error", message, trigger, journey=journey.id, step=step_id
                    )


def equals(trigger: EventTrigger, field: str) -> Iterator[object]:
    """Yield the values that a trigger wants a field of its event to have.

    Only those that it always wants: alternatives are not told apart.
    """
    if trigger.where is not None:
        yield from required(trigger.where.expr, field)


def required(expr: cel.Expr, field: str) -> Iterator[object]:
    """Yield the constants that a condition wants `event.FIELD` to equal."""
    match expr:
        case cel.And(operands):
            for operand in operands:
                yield from required(operand, field)
        case cel.Compare("==", cel.Path("event", (name,)), cel.Literal(value)):
            if name == field:
                yield value
        case _:
            return


def _unmet(journey: Journey) -> Iterator[Issue]:
    """A sequence that its own events keep from ever being met."""
    for trigger in journey.triggers:
        if not isinstance(trigger, SequenceTrigger):
            continue
        for part in trigger.parts:
            unless = part.unless if isinstance(part, Happens) else None
            if unless is None or unless.name != part.when.name:
                continue
            if unless.where is None or unless.where == part.when.where:
                message = (
                    f"{part.when.name!r} is both counted and what undoes the count, "
                    "which goes first: it is never met; give unless=… a condition"
                )
                yield issue("error", message, trigger, journey=journey.id)


def _unkeyed(journey: Journey) -> Iterator[Issue]:
    """Nothing that carries a key starts the run."""
    for trigger in journey.triggers:
        if journey.key is not None and isinstance(
            trigger, BecomesTrigger | InactiveTrigger
        ):
            kind = trigger.type
            yield issue(
                "error",
                f"no event starts a run by {kind}(…), so it has no key and nobody "
                "enters; leave `key` out, or put the trigger into a journey of its own",
                trigger,
                journey=journey.id,
            )
