"""The map: where customers meet the company, and what the company wants of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from journeykit.model.definition import definition
from journeykit.model.measures import Measure
from journeykit.model.names import EventName, Id, Stage


def _lines(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Lines = Annotated[
    str | Sequence[Annotated[str, Field(max_length=500)]],
    BeforeValidator(_lines),
    AfterValidator(tuple),
    Field(max_length=50),
]
"""One sentence or several."""


@definition
class Touchpoint:
    """One place where customer and company meet, sent or observed.

    A step names the touchpoint that it is. An observed one, such as a visit to a store
    or an advertisement, has an event.

    Attributes:
        id: Its name.
        stage: The lifecycle stage in which it lies.
        channel: Where it happens: a channel of ours, or `store`, `web`, `phone`.
        event: The event that tells of it, for an observed one.
        actions: What the customer does here.
        motivation: Why they do it.
        questions: What they ask themselves.
        friction: What stands in their way.
        owner: Who looks after it.
    """

    id: Id
    stage: Stage
    channel: Id
    _: KW_ONLY
    event: EventName | None = None
    actions: Lines = ()
    motivation: Lines = ()
    questions: Lines = ()
    friction: Lines = ()
    owner: Annotated[str, Field(max_length=200)] = ""


@definition
class Objective:
    """A figure with a target and a date, which journeys name as theirs.

    Attributes:
        id: Its name.
        kpi: What is measured.
        target: What it is to reach, in the unit of the KPI; shares in percent.
        by: When.
        measure: How the figure is got out of the logs; without it nobody computes it.
        aim: Whether the figure is to be `at_least` the target, or `at_most`.
    """

    id: Id
    kpi: Annotated[str, Field(min_length=1, max_length=200)]
    target: Annotated[float, Field(allow_inf_nan=False)]
    by: date
    _: KW_ONLY
    measure: Measure | None = None
    aim: Literal["at_least", "at_most"] = "at_least"
