"""Who customers are to a team: segments, lifecycle stages, personas.

A segment is a named condition. Nobody puts people into it: they are in it while the
condition holds, and the event, or the instant, that makes it hold is the one that they
enter with. A static list is a segment that events fill.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY
from typing import Annotated, Any

from pydantic import Field

from journeykit.model.conditions import Condition
from journeykit.model.definition import definition, document_of
from journeykit.model.mapping import Lines
from journeykit.model.names import Id

Text = Annotated[str, Field(max_length=200)]


@definition
class Segment:
    """The customers for whom a condition holds, or who were put on a list.

    Attributes:
        id: Its name, as conditions ask for it: `segment.vip`, `segment["big-spenders"]`.
        when: Who is in it: a condition on `profile`, `trait`, `consent` and other
            segments. It holds for nobody where it can't be answered.
        listed: Whether it is a static list instead, which the events `list.joined` and
            `list.left` fill.
        name: What people call it.
        description: Whom it means, and what it is for.
    """

    id: Id
    when: Condition | None = None
    _: KW_ONLY
    listed: bool = False
    name: Text = ""
    description: Lines = ()

    def __post_init__(self) -> None:
        """Refuse what is both a condition and a list, or neither."""
        if self.listed == (self.when is not None):
            raise ValueError(
                "a segment has a condition, or it is a list that events fill "
                "(listed=True); give it one of the two"
            )


@definition
class Stage:
    """A stage of the customer lifecycle, as a condition says.

    Stages stand in their order, the earliest first. A customer is in the last one whose
    condition holds; whoever meets none is in none.

    Attributes:
        id: Its name: `awareness`, `consideration`, `conversion`, `retention`,
            `advocacy`, or one of your own.
        when: Who has come so far, by the same roots as a Segment's; without it everybody.
        name: What people call it.
        description: What it means.
    """

    id: Id
    when: Condition | None = None
    _: KW_ONLY
    name: Text = ""
    description: Lines = ()


@definition
class Persona:
    """A segment as somebody whom a team can picture.

    Nothing decides by a persona; journeys ask for its segment.

    Attributes:
        id: Its name.
        segment: The segment that they are.
        name: What people call them, such as `Hurried Hanna`.
        story: Who they are.
        motivation: What they want.
        questions: What they ask themselves.
        friction: What stands in their way.
        owner: Who looks after it.
    """

    id: Id
    _: KW_ONLY
    segment: Id
    name: Text = ""
    story: Lines = ()
    motivation: Lines = ()
    questions: Lines = ()
    friction: Lines = ()
    owner: Text = ""


def audience_plan(
    traits: Iterable[object] = (),
    segments: Iterable[Segment] = (),
    stages: Iterable[Stage] = (),
) -> dict[str, Any]:
    """Write traits, segments and stages as the plan document that a catalog takes.

    Args:
        traits: Trait definitions.
        segments: Segments, in any order.
        stages: Stages, the earliest first.
    """
    return {
        "traits": [document_of(item, form="plan") for item in traits],
        "segments": [document_of(item, form="plan") for item in segments],
        "stages": [document_of(item, form="plan") for item in stages],
    }
