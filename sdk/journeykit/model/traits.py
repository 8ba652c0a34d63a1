"""What is computed of a customer's events: traits.

A trait is a field like those of the profile, `trait.orders`, that nobody writes: it
follows from the events, as they come. Conditions, segments and messages ask for it.

To add a kind: a class here (in `AnyTrait`, at the end) and a rule in
`journeykit.engine.traits`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from journeykit.model import cel
from journeykit.model.conditions import Expression, expr_of
from journeykit.model.definition import definition, document_of
from journeykit.model.durations import Duration, days
from journeykit.model.events import ENGAGED
from journeykit.model.triggers import EventTrigger

MOST_EXACT = 256
"""The most events, or values, that one trait keeps one by one."""

RESERVED = frozenset({"stage", "stage_since"})
"""What `trait` holds beside declared traits."""


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        raise ValueError(
            f"{name!r:.80} is no name of a trait, which has lower-case letters, "
            f"digits and '_', for trait.name; write {plain or 'orders'!r}"
        )
    if name in RESERVED:
        raise ValueError(f"trait.{name} is the lifecycle stage's; choose another name")
    return name


TraitName = Annotated[str, Field(max_length=64), AfterValidator(_name)]
"""What conditions call it: `trait.orders`."""


def _triggers(value: object) -> object:
    """Take one or several events, each by its name or with a condition; keep several."""
    if isinstance(value, Mapping | str) or not isinstance(value, Sequence):
        value = (value,)
    return tuple(
        EventTrigger(each) if isinstance(each, str) else each for each in value
    )


def _event_alone(triggers: Sequence[EventTrigger]) -> Sequence[EventTrigger]:
    """A trait is to be the same when it is computed again: it asks for nothing else."""
    for trigger in triggers:
        if trigger.where is not None:
            _refuse_others(trigger.where.expr)
    return tuple(triggers)


def _value_alone(value: Expression) -> Expression:
    _refuse_others(expr_of(value))
    return value


def _refuse_others(expr: cel.Expr) -> None:
    for path in cel.references(expr):
        if path.root != "event":
            raise ValueError(
                f"{path}: a trait sees the event alone, so that the archive, "
                "read again, gives the same; ask for it where you ask for the trait"
            )
    for test in cel.time_tests(expr):
        raise ValueError(
            f"{cel.unparse(test)}: a trait can't ask how long ago something is, "
            "as that changes; give it a window, within=…"
        )


if TYPE_CHECKING:
    Events: TypeAlias = EventTrigger | str | Sequence[EventTrigger | str]
    Amount: TypeAlias = Expression | str
else:
    Events = Annotated[
        Sequence[EventTrigger],
        BeforeValidator(_triggers),
        AfterValidator(_event_alone),
        Field(min_length=1, max_length=16),
    ]
    Amount = Annotated[Expression, AfterValidator(_value_alone)]

Exact = Annotated[int, Field(ge=1, le=MOST_EXACT)]


@definition
class Trait:
    """What all traits have.

    Attributes:
        name: What conditions call it: `trait.orders`.
        of: The event that feeds it, or several, each by its name or as `on(…)` with a
            condition on `event`.
    """

    name: TraitName
    of: Events

    @property
    def triggers(self) -> Sequence[EventTrigger]:
        """The events that feed it, whatever way they were written."""
        return cast(Sequence[EventTrigger], self.of)

    def to_plan(self) -> dict[str, Any]:
        """Every field as plain JSON values, defaults included: what the engine reads."""
        return cast(dict[str, Any], document_of(self, form="plan"))


def _require_window(within: Duration | None) -> None:
    if within is not None and not within:
        raise ValueError("within: nothing is in a window of no length; leave it out")


@definition
class _Windowed(Trait):
    """What traits have whose window may slide.

    Attributes:
        name: What conditions call it: `trait.orders`.
        of: The event that feeds it, or several, each by its name or as `on(…)` with a
            condition on `event`.
        within: Counts an event for so long; without it for all time.
        exact: How many of the newest events of a window leave it at their own instant;
            older ones leave it in slices of a 24th of it.
    """

    _: KW_ONLY
    within: Duration | None = None
    exact: Exact = 32

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class Count(_Windowed):
    """How many events there were; 0 before the first."""

    type: Literal["count"] = field(default="count", kw_only=True)


@definition
class Sum(_Windowed):
    """The sum of a number of the events, exact to its millionths; 0 before the first.

    Attributes:
        value: The number: `event.total`. An event without it does not count.
    """

    type: Literal["sum"] = field(default="sum", kw_only=True)
    value: Amount


@definition
class Average(_Windowed):
    """The mean of a number of the events.

    Attributes:
        value: The number: `event.total`. An event without it does not count.
    """

    type: Literal["average"] = field(default="average", kw_only=True)
    value: Amount


@definition
class Min(_Windowed):
    """The smallest number of the events.

    Attributes:
        value: The number: `event.total`. An event without it does not count.
    """

    type: Literal["min"] = field(default="min", kw_only=True)
    value: Amount


@definition
class Max(_Windowed):
    """The largest number of the events.

    Attributes:
        value: The number: `event.total`. An event without it does not count.
    """

    type: Literal["max"] = field(default="max", kw_only=True)
    value: Amount


@definition
class First(_Windowed):
    """What the earliest event said; without a value, the instant when it was.

    Attributes:
        value: Text, a number or a truth value; text is cut at 128 bytes.
    """

    type: Literal["first"] = field(default="first", kw_only=True)
    value: Amount | None = None


@definition
class Last(Trait):
    """What the latest event said; without a value, the instant when it was.

    Attributes:
        value: Text, a number or a truth value; text is cut at 128 bytes.
        within: It is forgotten after so long; without it never.
    """

    type: Literal["last"] = field(default="last", kw_only=True)
    value: Amount | None = None
    _: KW_ONLY
    within: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class Distinct(Trait):
    """How many different values the events had; 0 before the first.

    Attributes:
        value: What is told apart: `event.category`.
        within: Counts a value for so long after it was last seen; without it for ever.
        exact: Up to so many the number is exact. Beyond it is an estimate: within about
            5 percent for all time, and a fifth in a window.
    """

    type: Literal["distinct"] = field(default="distinct", kw_only=True)
    value: Amount
    _: KW_ONLY
    within: Duration | None = None
    exact: Exact = 32

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class MostFrequent(Trait):
    """The value that came most often; of several, the one that came last.

    Attributes:
        value: What is counted: `event.category`; text is cut at 64 bytes.
        within: Counts an event for so long; without it for all time.
        exact: How many different values are counted. If there are more, one that is rare
            gives way. In a window: how many of the newest events count.
    """

    type: Literal["most_frequent"] = field(default="most_frequent", kw_only=True)
    value: Amount
    _: KW_ONLY
    within: Duration | None = None
    exact: Exact = 16

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class Recent(Trait):
    """The latest different values, the newest first: a list.

    Attributes:
        value: What is listed: `event.sku`; text is cut at 64 bytes.
        within: Lists a value for so long after it was last seen.
        limit: How many.
    """

    type: Literal["recent"] = field(default="recent", kw_only=True)
    value: Amount
    _: KW_ONLY
    within: Duration | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 10

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


_ENGAGED = tuple(EventTrigger(name) for name in sorted(ENGAGED))


@definition
class FavoriteHour(Trait):
    """The hour of the day, 0 to 23 in their zone, in which customers do something.

    Attributes:
        of: The event that feeds it, or several; without it what people do with messages.
        within: Counts an event for so long; without it for all time.
        exact: How many of the newest events count.
    """

    type: Literal["favorite_hour"] = field(default="favorite_hour", kw_only=True)
    of: Events = _ENGAGED
    _: KW_ONLY
    within: Duration | None = None
    exact: Exact = 100

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class FavoriteChannel(Trait):
    """The channel whose messages customers open, click and answer most.

    Attributes:
        of: The event that feeds it, or several; without it what people do with messages.
        value: Where the channel stands in the event.
        within: Counts an event for so long; without it for all time.
        exact: How many channels are counted; in a window, how many of the newest events.
    """

    type: Literal["favorite_channel"] = field(default="favorite_channel", kw_only=True)
    of: Events = _ENGAGED
    value: Amount = Expression("event.channel")
    _: KW_ONLY
    within: Duration | None = None
    exact: Exact = 16

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_window(self.within)


@definition
class Cadence(_Windowed):
    """The mean time between two of the events, in days; nothing before the second."""

    type: Literal["cadence"] = field(default="cadence", kw_only=True)


@definition
class Expected(_Windowed):
    """When the next event would come by the customer's own cadence: an instant.

    It is the last event and so many times the mean time between two of them.

    Attributes:
        factor: How many times: with 2, when they are late by as long again.
        at_least: So many events must there be; nobody has a cadence after one.
    """

    type: Literal["expected"] = field(default="expected", kw_only=True)
    _: KW_ONLY
    factor: Annotated[float, Field(gt=0, le=100)] = 1.0
    at_least: Annotated[int, Field(ge=2, le=1000)] = 3


def _ascending(thresholds: Sequence[Any]) -> Sequence[Any]:
    lengths = [
        each.longest_ms() if isinstance(each, Duration) else each for each in thresholds
    ]
    if any(former >= latter for former, latter in pairwise(lengths)):
        raise ValueError("thresholds ascend: each is larger than the one before")
    return tuple(thresholds)


Thresholds: TypeAlias = Annotated[
    Sequence[float], AfterValidator(_ascending), Field(min_length=1, max_length=8)
]
Spans: TypeAlias = Annotated[
    Sequence[Duration], AfterValidator(_ascending), Field(min_length=1, max_length=8)
]


@definition
class Rfm(_Windowed):
    """Recency, frequency and monetary value: how good a customer is, in three digits.

    Its value has `recency`, `frequency` and `monetary`, each from 1 (worst) to one more
    than there are thresholds, and `score`, the three after each other: `"545"`.

    Attributes:
        value: What an event is worth: `event.total`. An event without it does not count.
        recency: How long ago the last event may be: within the first is best.
        frequency: From how many events on it is one better.
        monetary: From what sum on it is one better.
    """

    type: Literal["rfm"] = field(default="rfm", kw_only=True)
    value: Amount
    _: KW_ONLY
    recency: Spans = (days(14), days(30), days(90), days(180))
    frequency: Thresholds = (2, 4, 8, 16)
    monetary: Thresholds = (50, 200, 500, 1000)


AnyTrait = Annotated[
    Annotated[Count, Tag("count")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Average, Tag("average")]
    | Annotated[Min, Tag("min")]
    | Annotated[Max, Tag("max")]
    | Annotated[First, Tag("first")]
    | Annotated[Last, Tag("last")]
    | Annotated[Distinct, Tag("distinct")]
    | Annotated[MostFrequent, Tag("most_frequent")]
    | Annotated[Recent, Tag("recent")]
    | Annotated[FavoriteHour, Tag("favorite_hour")]
    | Annotated[FavoriteChannel, Tag("favorite_channel")]
    | Annotated[Cadence, Tag("cadence")]
    | Annotated[Expected, Tag("expected")]
    | Annotated[Rfm, Tag("rfm")],
    Discriminator("type"),
]
"""Any kind of trait, told apart by its `type`."""
