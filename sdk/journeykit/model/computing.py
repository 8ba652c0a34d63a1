"""What can be wrong about traits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from journeykit.model.definition import source_of
from journeykit.model.issues import Issue, issue, meant
from journeykit.model.schemas import check_condition
from journeykit.model.traits import (
    Average,
    Cadence,
    Count,
    Distinct,
    Expected,
    FavoriteChannel,
    FavoriteHour,
    First,
    Last,
    Max,
    Min,
    Recent,
    Rfm,
    Sum,
    Trait,
)
from journeykit.model.triggers import EventTrigger

_NUMBER: Mapping[str, Any] = {"type": "number"}
_TEXT: Mapping[str, Any] = {"type": "string"}
_WHEN: Mapping[str, Any] = {"type": "string", "format": "date-time"}


def traits_schema(traits: Iterable[Trait]) -> dict[str, Any]:
    """Return the JSON Schema of what `trait` holds, as conditions see it.

    A score may be called by any other name, so nothing is said of those.
    """
    properties = {"stage": _TEXT, "stage_since": _WHEN}
    properties |= {trait.name: _schema_of(trait) for trait in traits}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def _schema_of(trait: Trait) -> Mapping[str, Any]:
    match trait:
        case Count() | Sum() | Average() | Min() | Max() | Cadence():
            return _NUMBER
        case Distinct() | FavoriteHour():
            return _NUMBER
        case Expected() | First(value=None) | Last(value=None):
            return _WHEN
        case FavoriteChannel():
            return _TEXT
        case Recent():
            return {"type": "array"}
        case Rfm():
            parts = dict.fromkeys(("recency", "frequency", "monetary"), _NUMBER)
            return {
                "type": "object",
                "properties": {**parts, "score": _TEXT},
                "additionalProperties": False,
            }
        case _:
            return {}  # what an event said may be of any kind


def trait_issues(
    traits: Iterable[Trait], events: Mapping[str, type[BaseModel]]
) -> Iterator[Issue]:
    """Yield what is wrong with traits by themselves.

    Args:
        traits: All that are declared.
        events: What events are declared to hold, by their names.
    """
    first: dict[str, Trait] = {}
    for trait in traits:
        if (former := first.setdefault(trait.name, trait)) is not trait:
            place = source_of(former)
            also = f", first at {place}" if place else ""
            message = f"two traits have the name {trait.name!r}{also}; rename one"
            yield issue("error", message, trait)
        for trigger in trait.triggers:
            yield from _fields(trait, trigger, events)


def _fields(
    trait: Trait, trigger: EventTrigger, events: Mapping[str, type[BaseModel]]
) -> Iterator[Issue]:
    """The fields that a trait reads must be declared, where fields are declared."""
    model = events.get(trigger.name)
    if model is None:
        # Another team's event need not be declared here; a slip of the pen is one letter.
        way_out = meant(trigger.name, events) if events else ""
        if way_out.startswith("did you"):
            message = f"trait {trait.name!r}: event {trigger.name!r} is not declared"
            yield issue("warning", f"{message}; {way_out}", trait)
        return
    asked = [trigger.where, getattr(trait, "value", None)]
    for each in asked:
        for problem in check_condition(each, event=model) if each is not None else ():
            yield issue("error", f"trait {trait.name!r}: {problem}", trait)
