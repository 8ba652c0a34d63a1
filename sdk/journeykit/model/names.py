"""How things may be named, and the small closed vocabularies of the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from journeykit.model import rules
from journeykit.model.clocktimes import ClosingTime, TimeOfDay
from journeykit.model.conditions import Expression, text_of
from journeykit.model.rates import Rate
from journeykit.model.zones import is_zone, zone

Id = Annotated[
    str,
    StringConstraints(pattern=f"^{rules.ID}$", max_length=rules.ID_LENGTH),
    Field(description="Lower-case letters, digits, '.', '_' and '-'; at most 64."),
]
"""The name of a journey, a step, a touchpoint: a slug that is safe in URLs and keys."""

EventName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", max_length=128
    ),
    Field(description="An event's name, in the past tense, such as 'order.placed'."),
]

FieldName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(description="A field of an event's properties, or $id, $name, $time."),
]
"""A field as events have it."""

ENGINE_REASONS = frozenset(
    {
        # what ends a run
        *("stopped", "restarted", "goal_reached", "journey_ended", "watched"),
        *("removed", "left_segment"),
        *("instant_past", "instant_missing", "step_deleted", "removed_by_journey"),
        *("call_failed", "undetermined", "nothing_collected"),
        # what stops a message
        *("expired", "suppression_list", "no_consent", "no_address"),
        *("channel_rule", "bounce_cool_down", "guard", "frequency_cap"),
        *("quiet_hours", "open_hours", "closed_day", "loop"),
        *("run_ended", "held_full"),
        # what makes a run fail
        *("step_limit", "emit_limit", "profile_too_large"),
    }
)
"""Why the engine itself ends a run; a run that an author ends has another reason."""


def _reason(name: str) -> str:
    if name in ENGINE_REASONS:
        raise ValueError(
            f"{name!r} is what the engine says when it ends a run itself; choose "
            "another reason, such as 'not_interested'"
        )
    return name


Reason = Annotated[Id, AfterValidator(_reason)]
"""Why an author's own step or rule ends a run."""


def _percent(share: float) -> float:
    if round(share, 2) != share:
        raise ValueError(
            f"{share:g} has more than two decimals; write {max(round(share, 2), 0.01):g}"
        )
    return share


Percent = Annotated[float, AfterValidator(_percent)]
"""A share in percent, to two decimals."""

if TYPE_CHECKING:
    Pace = Rate | str
else:
    Pace = Rate
"""A rate: authors may write its text, and it is kept as a Rate."""

Stage = Literal["awareness", "consideration", "conversion", "retention", "advocacy"]
"""The five stages of the customer lifecycle."""


def _zone(name: str) -> str:
    if not is_zone(name):
        zone(name)  # raises with the close matches
    return name


ZoneName = Annotated[
    str,
    AfterValidator(_zone),
    Field(description="A time zone of the IANA database, such as 'Europe/Berlin'."),
]


def _time(text: str) -> str:
    return str(TimeOfDay.parse(text))


def _end(text: str) -> str:
    return str(ClosingTime.parse(text))


Time = Annotated[
    str,
    BeforeValidator(_time),
    Field(description="A local time of day, '08:00' to '23:59'."),
]

ClosingTimeText = Annotated[
    str,
    BeforeValidator(_end),
    Field(description="The end of a window, '00:30' to '24:00'."),
]


def slug(*parts: str) -> str:
    """Make a readable id of some words: `slug("send", "e mail")` is `send-e-mail`."""
    text = re.sub(r"[^a-z0-9._]+", "-", "-".join(parts).lower()).strip("-._")
    return text[:56].rstrip("-._") or "step"


def _values(values: Mapping[str, object]) -> Mapping[str, object]:
    return {str(key): _value(part, place=str(key)) for key, part in values.items()}


def _called(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _value(value: object, *, place: str) -> object:
    if isinstance(value, Expression):
        return Expression(text_of(value))  # plain: it compares like any other value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, Mapping):
        if set(value) == {"cel"} and isinstance(value["cel"], str):
            return Expression(value["cel"])
        return {str(k): _value(v, place=f"{place}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_value(part, place=place) for part in value]
    raise ValueError(
        f"{place}: {_called(value)} is neither a JSON value nor a reference "
        "such as profile.name; write it as text or a number"
    )


Values = Annotated[
    Mapping[str, object],
    AfterValidator(_values),
    Field(
        description="Constants, or {'cel': 'profile.name'} for what a reference holds."
    ),
]
"""Names and values; a value is a JSON constant or a reference to be looked up."""

VALUES = ("variables", "values", "properties", "arguments", "entry", "pattern")
"""The fields that hold them, in which everything is the author's own."""
