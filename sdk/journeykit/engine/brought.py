"""Traits and segments that triggers bring along, hidden from everybody else.

A trigger that asks for what holds from now on (`becomes`), or for what has not happened
for a time (`inactive`), is a segment that nobody has named: the customer who comes into it
is triggered. So it flips by itself when only time passes, knows the events of the time
before, and costs what a segment costs.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from journeykit.engine.values import Document

HIDDEN = "~"
"""The first character of the names of hidden traits and segments; no author's has it."""


class Brought(NamedTuple):
    """What the triggers of a journey bring along, as plan documents.

    Attributes:
        traits: Traits.
        segments: Segments, which may ask for these and for all others.
    """

    traits: tuple[Document, ...]
    segments: tuple[Document, ...]


NOTHING = Brought((), ())


def name_of(journey: str, place: int) -> str:
    """What a trigger is known by: the journey and its place there, `journey/0`."""
    return f"{journey}/{place}"


def hidden(name: str) -> str:
    """What a trigger's hidden trait and segment are called."""
    return f"{HIDDEN}{name}"


def brought(journey: Document) -> Brought:
    """What the triggers in a journey's plan document bring along."""
    traits: list[Document] = []
    segments: list[Document] = []
    for place, trigger in enumerate(journey["trigger"]):
        name = hidden(name_of(journey["id"], place))
        if trigger["type"] == "becomes":
            segments.append(_segment(name, trigger["when"]))
        elif trigger["type"] == "inactive":
            traits.append(_trait(name, trigger))
            length = (
                trigger["after"] or "PT0S"
            )  # `expected` is when it will be too long
            condition = f"trait[{json.dumps(name)}].olderThan({json.dumps(length)})"
            segments.append(_segment(name, condition))
    return Brought(tuple(traits), tuple(segments)) if segments else NOTHING


def entering(name: str) -> Document:
    """The trigger for coming into the segment of this hidden name."""
    where = f"event.segment == {json.dumps(name)}"
    return {"type": "event", "name": "segment.entered", "where": where}


def _segment(name: str, when: str) -> dict[str, Any]:
    return {"id": name, "when": when, "listed": False, "name": "", "description": []}


def _trait(name: str, trigger: Document) -> dict[str, Any]:
    """The last of the events; or when the next one is overdue, by the mean of the gaps."""
    heard = [{"name": item["name"], "where": item["where"]} for item in trigger["when"]]
    trait = {"name": name, "of": heard, "value": None, "within": None}
    if trigger["after"] is not None:
        return {"type": "last", **trait}
    cadence = {"factor": trigger["cadence"], "at_least": trigger["at_least"]}
    return {"type": "expected", **trait, **cadence}
