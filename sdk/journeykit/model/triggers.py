"""What starts a journey, reaches a goal, or ends a wait: triggers.

To add a kind: a class here (in `Trigger`, at the end), and what it listens to in
`listened`; what makes it start a run is in `journeykit/engine`. What is only a handier
spelling of another one is a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from types import EllipsisType
from typing import Annotated, Any, Literal, Never, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
)

from journeykit.errors import DefinitionError
from journeykit.model import cel, events, patterns, rules
from journeykit.model.conditions import (
    Computed,
    Condition,
    Reference,
    Scalar,
    event,
    expr_of,
    has,
    older_than,
    trait,
)
from journeykit.model.definition import _author, definition
from journeykit.model.durations import Duration
from journeykit.model.names import EventName
from journeykit.model.schedules import ScheduleTrigger


@definition
class EventTrigger:
    """An event of this name, if the condition holds for it.

    Attributes:
        name: The event's name.
        where: A condition on `event`, `profile` and, where a run listens, `entry`.
    """

    name: EventName
    _: KW_ONLY
    type: Literal["event"] = "event"
    where: Condition | None = None

    def times(
        self,
        times: int,
        *,
        within: Duration | str | None = None,
        unless: EventTrigger | None = None,
    ) -> SequenceTrigger:
        """Ask for it more than once: `on("login.failed").times(3, within=minutes(10))`.

        Args:
            times: How often; the last of them starts the run.
            within: How soon, from the first of them; exactly at the end is too late.
            unless: An event that undoes the count.
        """
        return SequenceTrigger([_happens(self, times, within, unless)])

    def then(
        self,
        when: EventTrigger,
        *,
        times: int = 1,
        within: Duration | str | None = None,
        unless: EventTrigger | None = None,
    ) -> SequenceTrigger:
        """Ask for another event after it; see `SequenceTrigger.then`."""
        part = _happens(when, times, within, unless)
        return SequenceTrigger([Happens(self), part])

    def without(
        self,
        when: EventTrigger,
        *,
        within: Duration | str,
        since: Literal["last", "first"] = "last",
    ) -> SequenceTrigger:
        """Ask that another event stays away after it; see `SequenceTrigger.without`."""
        return SequenceTrigger([Happens(self), _without(when, within, since)])


@definition
class ApiTrigger:
    """Nothing but a call: somebody enrolls the customer by name of the journey.

    Attributes:
        where: A condition on `entry` (what the call carries) and `profile`.
    """

    _: KW_ONLY
    type: Literal["api"] = "api"
    where: Condition | None = None


# A pattern of EventBridge


def _pattern(pattern: Mapping[str, Any]) -> Mapping[str, Any]:
    rules = patterns.parsed(pattern)
    if other := patterns.unseen(rules):
        raise ValueError(
            f"no event here has {', '.join(other)}; a pattern sees "
            f"{', '.join(patterns.SEEN_FIELDS)}, and the event's properties are the "
            "fields of detail"
        )
    return cast(Mapping[str, Any], _json(pattern))


def _json(value: object) -> object:
    """Copy it, so that nobody changes it afterwards."""
    if isinstance(value, Mapping):
        return {key: _json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    return value


@definition
class PatternTrigger:
    """An event that a pattern of EventBridge matches, if the condition holds for it.

    The pattern sees every event as `{"source", "detail-type": its name, "detail": its
    properties, "id", "time"}`. What happens inside, such as `segment.entered`, it hears
    only by name: where `detail-type` lists it.

    Attributes:
        pattern: The pattern, as JSON values.
        where: A condition on `event` and `profile` besides.
    """

    pattern: Annotated[Mapping[str, Any], AfterValidator(_pattern)]
    _: KW_ONLY
    type: Literal["pattern"] = "pattern"
    where: Condition | None = None

    @property
    def names(self) -> frozenset[str] | None:
        """The names of the events that it can match; None: it may be any."""
        return patterns.names_of(patterns.parsed(self.pattern))


# Several events in order


@definition
class Happens:
    """A part of a sequence: an event, once or several times.

    Attributes:
        when: The event.
        times: How often.
        within: How soon. In the first part from the first of its events, in any other
            from the end of the part before; without it there is no hurry.
        unless: An event that undoes what this part has come to, and the part before it.
    """

    when: EventTrigger
    _: KW_ONLY
    type: Literal["happens"] = "happens"
    times: Annotated[int, Field(ge=1, le=rules.SEQUENCE_EVENTS)] = 1
    within: Duration | None = None
    unless: EventTrigger | None = None

    def __post_init__(self) -> None:
        """Refuse a span of nothing."""
        _require_length(self.within)


@definition
class Without:
    """A part of a sequence: a time in which an event stays away.

    Attributes:
        when: The event that is not to come.
        within: How long, from the end of the part before. What comes in the very last
            instant has come in time.
        since: Which end counts if the part before happens again meanwhile: the `last`,
            so that the time begins anew, or the `first`.
    """

    when: EventTrigger
    _: KW_ONLY
    type: Literal["without"] = "without"
    within: Duration
    since: Literal["last", "first"] = "last"

    def __post_init__(self) -> None:
        """Refuse a time of nothing."""
        _require_length(self.within)


def _require_length(span: Duration | None) -> None:
    if span is not None and not span:
        raise ValueError("nothing can happen within no time; give it a length")


def _happens(
    when: EventTrigger,
    times: int,
    within: Duration | str | None,
    unless: EventTrigger | None,
) -> Happens:
    if not isinstance(when, EventTrigger):
        raise DefinitionError(
            "a sequence is made of events: on(…).then(on('order.placed'), times=2)",
            source=_author(),
        )
    span = None if within is None else Duration.parse(within)
    return Happens(when, times=times, within=span, unless=unless)


def _without(
    when: EventTrigger, within: Duration | str, since: Literal["last", "first"]
) -> Without:
    if not isinstance(when, EventTrigger):
        raise DefinitionError(
            "what is not to come is an event: .without(on('order.placed'), within=…)",
            source=_author(),
        )
    return Without(when, within=Duration.parse(within), since=since)


def _part(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("type", "happens"))
    return str(getattr(value, "type", "happens"))


Part: TypeAlias = Annotated[
    Annotated[Happens, Tag("happens")] | Annotated[Without, Tag("without")],
    Discriminator(_part),
]


@definition
class SequenceTrigger:
    """Several events in order, or the absence of one; the end of the last part starts it.

    An event counts for one part only, and what has started a run does not count for the
    next. In a journey with a key each value of the key has a sequence of its own.

    Attributes:
        parts: What is to happen, in order.
    """

    parts: Annotated[
        Sequence[Part],
        AfterValidator(tuple),
        Field(min_length=1, max_length=rules.SEQUENCE_PARTS),
    ]
    _: KW_ONLY
    type: Literal["sequence"] = "sequence"

    def __post_init__(self) -> None:
        """Refuse what begins with nothing, or asks for more than can be remembered."""
        first = self.parts[0]
        if isinstance(first, Without):
            raise ValueError(  # noqa: TRY004 - pydantic reports it with the field
                "a sequence begins with an event: on('cart.updated').without(…); who has "
                "done nothing for a time is inactive(…)"
            )
        if first.times == 1:
            if len(self.parts) == 1:
                raise ValueError(
                    f"one event is no sequence; write on({first.when.name!r}), or ask "
                    "for it more than once"
                )
            if first.within is not None or first.unless is not None:
                raise ValueError(
                    "before the first event there is nothing to be late for, or to undo; "
                    "give within and unless to the part that follows"
                )
        count = sum(part.times for part in self.parts if isinstance(part, Happens))
        if count > rules.SEQUENCE_EVENTS:
            raise ValueError(
                f"it asks for {count} events, and {rules.SEQUENCE_EVENTS} are remembered; "
                "count them in a trait, and ask for crossed(trait.…, at_least=…)"
            )
        for before, part in zip(self.parts, self.parts[1:], strict=False):
            if isinstance(before, Without) and isinstance(part, Without):
                raise ValueError(  # noqa: TRY004 - see above
                    "two absences in a row; put an event between them"
                )

    def then(
        self,
        when: EventTrigger,
        *,
        times: int = 1,
        within: Duration | str | None = None,
        unless: EventTrigger | None = None,
    ) -> SequenceTrigger:
        """Ask for another event afterwards.

        Args:
            when: The event.
            times: How often.
            within: How soon after what came before; exactly at the end is too late.
            unless: An event that must not come in between.
        """
        return SequenceTrigger([*self.parts, _happens(when, times, within, unless)])

    def without(
        self,
        when: EventTrigger,
        *,
        within: Duration | str,
        since: Literal["last", "first"] = "last",
    ) -> SequenceTrigger:
        """Ask that another event stays away afterwards.

        Args:
            when: The event that is not to come.
            within: How long.
            since: Which end counts if what comes before happens again: the `last`, or
                the `first`.
        """
        return SequenceTrigger([*self.parts, _without(when, within, since)])


# What holds from now on


@definition
class BecomesTrigger:
    """A condition on the customer that begins to hold, by an event or by time.

    Who it holds for when the journey is published does not enter; who it holds for, then
    not, then again, is triggered again.

    Attributes:
        when: A condition on `profile`, `trait`, `segment` and `consent`.
    """

    when: Condition
    _: KW_ONLY
    type: Literal["becomes"] = "becomes"


@definition
class InactiveTrigger:
    """The customer has not done something for some time, after having done it.

    Attributes:
        when: The event, or several: none of them has come.
        after: How long after the last one.
        cadence: Instead of `after`: how many times longer than the customer's own mean
            time between two of them.
        at_least: How many events the mean is made of at least; who has fewer has no
            cadence yet.
    """

    when: Annotated[
        EventTrigger | Sequence[EventTrigger],
        BeforeValidator(lambda value: _several(value)),
        AfterValidator(tuple),
        Field(min_length=1, max_length=8),
    ]
    _: KW_ONLY
    type: Literal["inactive"] = "inactive"
    after: Duration | None = None
    cadence: Annotated[float, Field(gt=0, le=100)] | None = None
    at_least: Annotated[int, Field(ge=2, le=1000)] = 4

    def __post_init__(self) -> None:
        """Refuse two measures of inactivity, or none."""
        if (self.after is None) == (self.cadence is None):
            raise ValueError(
                "give how long: after (days(30)), or cadence (2.0 times the customer's "
                "own mean time between two events)"
            )
        _require_length(self.after)
        if self.cadence is not None and len(self.listened) > 1:
            raise ValueError("cadence is that of one event; give one")

    @property
    def listened(self) -> tuple[EventTrigger, ...]:
        """The events, however many the author gave."""
        return cast(tuple[EventTrigger, ...], self.when)


def _several(value: object) -> object:
    """Take one or several; keep several."""
    if isinstance(value, Mapping | str) or not isinstance(value, Sequence):
        return (value,)
    return value


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("type", "event"))
    return str(getattr(value, "type", "event"))


Trigger = Annotated[
    Annotated[EventTrigger, Tag("event")]
    | Annotated[ApiTrigger, Tag("api")]
    | Annotated[SequenceTrigger, Tag("sequence")]
    | Annotated[BecomesTrigger, Tag("becomes")]
    | Annotated[InactiveTrigger, Tag("inactive")]
    | Annotated[ScheduleTrigger, Tag("schedule")]
    | Annotated[PatternTrigger, Tag("pattern")],
    Discriminator(_kind),
]


def listened(trigger: Trigger) -> Iterator[EventTrigger]:
    """Yield the events that a trigger listens to, in the author's order."""
    match trigger:
        case EventTrigger():
            yield trigger
        case SequenceTrigger():
            for part in trigger.parts:
                yield part.when
                if isinstance(part, Happens) and part.unless is not None:
                    yield part.unless
        case InactiveTrigger():
            yield from trigger.listened
        case _:
            return


def completed_by(trigger: Trigger) -> EventTrigger | None:
    """The event that a run is started with, as `entry`; None: none that an author knows."""
    match trigger:
        case EventTrigger():
            return trigger
        case SequenceTrigger():
            return [part for part in trigger.parts if isinstance(part, Happens)][
                -1
            ].when
        case _:
            return None


# How authors write them


def on(name: str, *surplus: Never, where: Condition | None = None) -> EventTrigger:
    """Listen to an event: `on("cart.updated", where=event.total > 0)`."""
    if surplus:
        raise DefinitionError(
            f"on({name!r:.80}, …): a condition needs its name, where=…",
            source=_author(),
        )
    return EventTrigger(name, where=where)


def api(*surplus: Never, where: Condition | None = None) -> ApiTrigger:
    """Let only an enroll call start the journey."""
    if surplus:
        raise DefinitionError(
            "api(…): a condition needs its name, where=…", source=_author()
        )
    return ApiTrigger(where=where)


def pattern(
    pattern: Mapping[str, Any], *surplus: Never, where: Condition | None = None
) -> PatternTrigger:
    """Listen to the events that a pattern of EventBridge matches.

    `pattern({"detail-type": ["order.placed"], "detail": {"total": [{"numeric": [">", 100]}]}})`
    """
    if surplus:
        raise DefinitionError(
            "pattern({…}, …): a condition needs its name, where=…", source=_author()
        )
    return PatternTrigger(pattern, where=where)


def entered(segment: str) -> EventTrigger:
    """The customer comes into a segment: `entered("big-spenders")`."""
    return EventTrigger(events.SEGMENT_ENTERED, where=event.segment == segment)


def left(segment: str) -> EventTrigger:
    """The customer leaves a segment: `left("big-spenders")`."""
    return EventTrigger(events.SEGMENT_LEFT, where=event.segment == segment)


def stage_changed(*, from_: str | None = None, to: str | None = None) -> EventTrigger:
    """The lifecycle stage changes: `stage_changed(from_="trial", to="customer")`.

    What isn't given may be any; `""` is no stage.
    """
    tests = [
        event[name] == stage
        for name, stage in (("from", from_), ("to", to))
        if stage is not None
    ]
    return EventTrigger(events.STAGE_CHANGED, where=_all(tests))


def changed(
    field: Reference,
    *,
    from_: Scalar | EllipsisType = ...,
    to: Scalar | EllipsisType = ...,
) -> EventTrigger:
    """An attribute changes: `changed(profile.plan, from_="free", to="pro")`.

    What isn't given may be anything; None is that there is no such attribute.

    Raises:
        DefinitionError: It is no attribute of the profile.
    """
    path = expr_of(field) if isinstance(field, Reference) else None
    if not isinstance(path, cel.Path) or path.root != "profile" or len(path.keys) != 1:
        raise DefinitionError(
            "changed(…) takes an attribute of the profile, such as profile.plan; what a "
            "trait comes to is becomes(…) or crossed(…)",
            source=_author(),
        )
    tests = [event.field == str(path.keys[0])]
    for name, value in (("from", from_), ("to", to)):
        if value is None:
            tests.append(~has(event[name]))
        elif not isinstance(value, EllipsisType):
            tests.append(event[name] == value)
    return EventTrigger(events.PROFILE_CHANGED, where=_all(tests))


def finished(
    journey: str, *, outcome: str | None = None, reason: str | None = None
) -> EventTrigger:
    """A run of another journey has ended: `finished("welcome", outcome="completed")`.

    Args:
        journey: The other journey's id.
        outcome: `completed`, `exited` or `failed`; any if not given.
        reason: Why it exited or failed.

    Raises:
        DefinitionError: There is no such outcome.
    """
    outcomes = ("completed", "exited", "failed")
    if outcome is not None and outcome not in outcomes:
        raise DefinitionError(
            f"outcome is {outcome!r:.40}; it is one of {', '.join(outcomes)}",
            source=_author(),
        )
    tests = [event.journey == journey]
    if outcome is not None:
        tests.append(event.outcome == outcome)
    if reason is not None:
        tests.append(event.reason == reason)
    return EventTrigger(events.JOURNEY_FINISHED, where=_all(tests))


def becomes(when: Condition, *surplus: Never) -> BecomesTrigger:
    """A condition on the customer begins to hold: `becomes(trait.orders == 3)`."""
    if surplus or not isinstance(when, Condition):
        raise DefinitionError(
            "becomes(…) takes one condition, such as becomes(trait.orders >= 3)",
            source=_author(),
        )
    return BecomesTrigger(when)


def crossed(
    value: Computed,
    *,
    above: float | None = None,
    below: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> BecomesTrigger:
    """A number comes to one side of a threshold: `crossed(trait.spent, above=100)`.

    It triggers again when the number has been on the other side in between.

    Raises:
        DefinitionError: Not one threshold is given, but none or several.
    """
    given = {
        ">": above,
        "<": below,
        ">=": at_least,
        "<=": at_most,
    }
    (operator, threshold), *more = [
        (sign, limit) for sign, limit in given.items() if limit is not None
    ] or [("", 0.0)]
    if not operator or more or not isinstance(value, Computed):
        raise DefinitionError(
            "crossed(…) takes a reference and one of above, below, at_least and "
            "at_most: crossed(trait.spent, above=100)",
            source=_author(),
        )
    compare = {
        ">": value.__gt__,
        "<": value.__lt__,
        ">=": value.__ge__,
        "<=": value.__le__,
    }
    return BecomesTrigger(compare[operator](threshold))


def inactive(
    when: str | EventTrigger | Sequence[str | EventTrigger],
    *,
    for_: Duration | str | None = None,
    cadence: float | None = None,
    at_least: int = 4,
) -> InactiveTrigger:
    """The customer has stopped to do something: `inactive("order.placed", for_=days(30))`.

    Args:
        when: An event or its name, or several of them: none of them has come.
        for_: How long.
        cadence: Instead of `for_`: how many times their own mean time between two.
        at_least: How many events that mean is made of at least.
    """
    several = [when] if isinstance(when, str | EventTrigger) else when
    heard = [on(item) if isinstance(item, str) else item for item in several]
    span = None if for_ is None else Duration.parse(for_)
    return InactiveTrigger(heard, after=span, cadence=cadence, at_least=at_least)


def stuck(stage: str, *, for_: Duration | str) -> BecomesTrigger:
    """The customer has been in a stage for so long: `stuck("trial", for_=days(14))`."""
    return BecomesTrigger((trait.stage == stage) & older_than(trait.stage_since, for_))


def _all(tests: Sequence[Condition]) -> Condition | None:
    if not tests:
        return None
    joined = tests[0]
    for test in tests[1:]:
        joined = joined & test
    return joined
