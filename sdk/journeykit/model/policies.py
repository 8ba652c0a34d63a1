"""The rules that hold for every journey: caps, quiet and open hours, consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from datetime import date
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field

from journeykit.model.definition import definition, document_of
from journeykit.model.durations import Duration, days, hours
from journeykit.model.names import Id, Pace, Percent
from journeykit.model.rules import Purpose
from journeykit.model.steps import Window

Scope = Purpose | Literal["all"]
"""Which messages a rule is about. Rules are about marketing unless they say otherwise:
a password reset must not wait for the morning, nor use up a cap."""


@definition
class Cap:
    """At most so many messages to one customer, exact across all journeys.

    With `within` each send counts until its own window has passed: `hours(24)` is
    elapsed time, `days(1)` the same local time next day. With `calendar` the count
    resets at local midnight, on Monday, or on the first. With neither it counts for life.

    Attributes:
        limit: How many.
        within: The rolling window.
        calendar: The calendar window: `day`, `week` or `month`.
        channel: Only messages over this channel count and are capped.
        topic: Only messages of this topic.
        journey: Only messages of this journey.
        purpose: `marketing`, `transactional` or `all`.
    """

    limit: Annotated[int, Field(ge=0, le=500)]
    _: KW_ONLY
    within: Duration | None = None
    calendar: Literal["day", "week", "month"] | None = None
    channel: Id | None = None
    topic: Id | None = None
    journey: Id | None = None
    purpose: Scope = "marketing"

    def __post_init__(self) -> None:
        """Refuse two windows at once."""
        if self.within is not None and self.calendar is not None:
            raise ValueError("within and calendar exclude each other; give one")


@definition
class QuietHours:
    """A local window in which nothing is sent.

    Attributes:
        window: When; over midnight it belongs to the day on which it starts.
        channel: Only this channel.
        purpose: `marketing`, `transactional` or `all`.
    """

    window: Window
    _: KW_ONLY
    channel: Id | None = None
    purpose: Scope = "marketing"


@definition
class OpenHours:
    """Local windows outside of which nothing is sent; several add up.

    Attributes:
        windows: When sending is open.
        channel: Only this channel.
        purpose: `marketing`, `transactional` or `all`.
    """

    windows: Annotated[
        Sequence[Window], AfterValidator(tuple), Field(min_length=1, max_length=28)
    ]
    _: KW_ONLY
    channel: Id | None = None
    purpose: Scope = "marketing"


@definition
class ClosedDays:
    """Local dates on which nothing is sent.

    Attributes:
        dates: Which.
        channel: Only this channel.
        purpose: `marketing`, `transactional` or `all`.
    """

    dates: Annotated[
        Sequence[date], AfterValidator(tuple), Field(min_length=1, max_length=366)
    ]
    _: KW_ONLY
    channel: Id | None = None
    purpose: Scope = "marketing"


@definition
class Topic:
    """What messages can be about, and what customers can turn off.

    Attributes:
        id: Its name.
        name: What people call it.
    """

    id: Id
    name: Annotated[str, Field(max_length=200)] = ""


@definition
class ConsentDefault:
    """What holds for a customer who has said neither yes nor no.

    The most specific rule decides: channel and topic, then topic, then channel.

    Attributes:
        default: `allow` or `refuse`.
        channel: Only this channel.
        topic: Only this topic.
        purpose: `marketing`, `transactional` or `all`.
    """

    default: Literal["allow", "refuse"]
    _: KW_ONLY
    channel: Id | None = None
    topic: Id | None = None
    purpose: Scope = "marketing"


@definition
class Breaker:
    """When a journey is paused by itself, because too many of its messages fail.

    Both must be reached. It counts from the last publish or resume.

    Attributes:
        share: How much of what was handed to providers failed, in percent.
        at_least: How many failed.
    """

    share: Annotated[Percent, Field(gt=0, le=100)] = 10
    _: KW_ONLY
    at_least: Annotated[int, Field(ge=1, le=1_000_000)] = 10


@definition
class Policies:
    """All the rules of a workspace.

    Attributes:
        caps: How much is too much.
        quiet_hours: When not to send.
        open_hours: When only to send.
        closed_days: The days not to send on.
        topics: The topics that messages may have; anything goes if empty.
        consent: What holds without a word from the customer; allowed if empty.
        bounce_cool_down: How long an address rests after a soft bounce.
        max_age: An event that was received later than this after it occurred updates
            the profile and moves no journey.
        pace: How fast messages of a channel go out together: `{"email": "50/s"}`.
        breaker: When a journey is paused by itself; None: never.
        survey_cool_down: For how long after a survey the same customer gets no other one,
            of whatever journey, channel and purpose; a duration of 0: no such rule.
    """

    _: KW_ONLY
    caps: Annotated[Sequence[Cap], AfterValidator(tuple), Field(max_length=64)] = ()
    quiet_hours: Annotated[
        Sequence[QuietHours], AfterValidator(tuple), Field(max_length=32)
    ] = ()
    open_hours: Annotated[
        Sequence[OpenHours], AfterValidator(tuple), Field(max_length=32)
    ] = ()
    closed_days: Annotated[
        Sequence[ClosedDays], AfterValidator(tuple), Field(max_length=32)
    ] = ()
    topics: Annotated[
        Sequence[Topic], AfterValidator(tuple), Field(max_length=200)
    ] = ()
    consent: Annotated[
        Sequence[ConsentDefault], AfterValidator(tuple), Field(max_length=64)
    ] = ()
    bounce_cool_down: Duration = hours(24)
    max_age: Duration = hours(24)
    pace: Annotated[Mapping[Id, Pace], Field(max_length=64)] = field(
        default_factory=dict
    )
    breaker: Breaker | None = Breaker()
    survey_cool_down: Duration = days(90)

    def to_plan(self) -> dict[str, Any]:
        """Every field as plain JSON values, defaults included: what the engine reads."""
        return cast(dict[str, Any], document_of(self, form="plan"))
