"""What can be known to be wrong about journeys before anybody enters them.

Each rule is a function that yields issues; `check` asks them all. docs/checks.md has an
example of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from journeykit.model import cel, events
from journeykit.model.computing import trait_issues, traits_schema
from journeykit.model.conditions import Condition
from journeykit.model.definition import source_of
from journeykit.model.durations import Duration
from journeykit.model.flow import flow_issues
from journeykit.model.issues import Issue, Level, by_weight, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective, Touchpoint
from journeykit.model.memberships import Audience, asking_issues, audience_issues
from journeykit.model.placements import placement_issues
from journeykit.model.policies import Policies
from journeykit.model.rules import MARKETING_EXPIRES
from journeykit.model.schemas import check_condition
from journeykit.model.segments import Persona, Segment, Stage
from journeykit.model.starts import start_issues
from journeykit.model.steps import (
    Call,
    Collect,
    Emit,
    Exit,
    Send,
    Start,
    Step,
    Survey,
    Until,
    Wait,
    WaitFor,
)
from journeykit.model.surveys import SCALES
from journeykit.model.targets import target_issues
from journeykit.model.timetables import surplus_issues, timetable_issues
from journeykit.model.triggers import (
    ApiTrigger,
    EventTrigger,
    Trigger,
    completed_by,
    listened,
)
from journeykit.model.uses import exits_when, expr_of_use, uses_of
from journeykit.model.ways import Ways, causes
from journeykit.model.week import WEEK, longest_closed, open_minutes

__all__ = ["Issue", "Schemas", "check"]

_NEARLY = 0.9  # alike: one letter of ten
_RESERVED = events.LEARNED | events.INNER | {events.PLACEMENT_REQUESTED}


@dataclass(frozen=True, slots=True)
class Schemas:
    """What events and profiles are declared to hold, as pydantic models.

    Attributes:
        events: The properties of an event, by the event's name.
        profile: The attributes of a profile.
    """

    events: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    profile: type[BaseModel] | None = None


class _World(NamedTuple):
    """Everything that a journey's names may refer to; None: not known."""

    journeys: Sequence[Journey]
    channels: Collection[str] | None
    actions: Collection[str] | None
    policies: Policies | None
    touchpoints: Collection[Touchpoint] | None
    objectives: Collection[Objective] | None
    schemas: Schemas
    audience: Audience


def check(
    journeys: Iterable[Journey],
    *,
    channels: Collection[str] | None = None,
    actions: Collection[str] | None = None,
    policies: Policies | None = None,
    touchpoints: Collection[Touchpoint] | None = None,
    objectives: Collection[Objective] | None = None,
    schemas: Schemas | None = None,
    audience: Audience | None = None,
) -> list[Issue]:
    """List what is wrong with journeys and with what they share.

    Args:
        journeys: All journeys that are to live together.
        channels: The channels that somebody carries. Names are only checked against
            what is given: None means that it is not known here.
        actions: The actions that installed plugins provide.
        policies: The rules of sending, whose topics messages may have.
        touchpoints: The touchpoints that steps may name.
        objectives: The objectives that journeys may name.
        schemas: What conditions and values are checked against.
        audience: Traits, segments, stages and personas.
    """
    world = _World(
        list(journeys),
        channels,
        actions,
        policies,
        touchpoints,
        objectives,
        schemas or Schemas(),
        audience or Audience(),
    )
    found = [*_doubled(world), *_policies(world), *_endless(world)]
    found += trait_issues(world.audience.traits or (), world.schemas.events)
    found += audience_issues(world.audience)
    found += _audience_fields(world)
    found += surplus_issues(world.journeys)
    found += target_issues(
        world.objectives or (),
        journeys=world.journeys,
        audience=world.audience,
        channels=world.channels,
        events=world.schemas.events,
    )
    for journey in world.journeys:
        for rule in (
            _names,
            _roots,
            _results,
            _surveys,
            _fields,
            _sends,
            _fallbacks,
            _goals,
            _anchors,
            _numbered,
        ):
            found += rule(journey, world)
        found += flow_issues(journey)
        found += placement_issues(journey)
        found += start_issues(
            journey,
            _listeners(journey),
            journeys={other.id for other in world.journeys},
            segments=world.audience.segment_ids,
            stages=world.audience.stage_ids,
        )
        found += timetable_issues(
            journey,
            _listeners(journey),
            segments=world.audience.segment_ids,
            actions=world.actions,
        )
        found += asking_issues(journey, world.audience)
    return sorted(dict.fromkeys(found), key=by_weight)


# Names


Named = TypeVar("Named", Journey, Touchpoint, Objective, Segment, Stage, Persona)


def _doubled(world: _World) -> Iterator[Issue]:
    yield from doubled("journey", world.journeys)
    yield from doubled("touchpoint", world.touchpoints or ())
    yield from doubled("objective", world.objectives or ())
    yield from doubled("segment", world.audience.segments or ())
    yield from doubled("stage", world.audience.stages or ())
    yield from doubled("persona", world.audience.personas)


def doubled(what: str, items: Iterable[Named]) -> Iterator[Issue]:
    """Yield an error for each item whose id one before it has."""
    first: dict[str, Named] = {}
    for item in items:
        if item.id in first:
            place = source_of(first[item.id])
            also = f", first at {place}" if place else ""
            message = f"two {what}s have the id {item.id!r}{also}; rename one"
            yield issue("error", message, item)
        first.setdefault(item.id, item)


def _names(journey: Journey, world: _World) -> Iterator[Issue]:
    """Channels, topics, touchpoints and objectives must be known."""

    def unknown(what: str, name: str, known: Iterable[str], step: Step | None) -> Issue:
        way_out = meant(name, known, none="none is declared")
        return _about(journey, step, f"{what} {name!r} is not known; {way_out}")

    topics = [topic.id for topic in world.policies.topics] if world.policies else []
    if journey.topic and topics and journey.topic not in topics:
        yield unknown("topic", journey.topic, topics, None)
    if world.objectives is not None:
        known = [objective.id for objective in world.objectives]
        for name in journey.objectives:
            if name not in known:
                yield unknown("objective", name, known, None)
    for step in journey.walk():
        if step.touchpoint and world.touchpoints is not None:
            known = [touchpoint.id for touchpoint in world.touchpoints]
            if step.touchpoint not in known:
                yield unknown("touchpoint", step.touchpoint, known, step)
        if isinstance(step, Send):
            if step.topic and topics and step.topic not in topics:
                yield unknown("topic", step.topic, topics, step)
            for channel in step.channel if world.channels is not None else ():
                if channel not in (carried := world.channels or ()):
                    way_out = meant(channel, carried, none="there is none")
                    message = f"nobody carries channel {channel!r}; {way_out}"
                    yield _about(journey, step, message)
            if not step.template.strip():
                yield _about(
                    journey, step, "the template has an empty name; give it one"
                )
        actions = world.actions
        if (
            isinstance(step, Call)
            and actions is not None
            and step.action not in actions
        ):
            installed = ", ".join(map(repr, sorted(actions))) or "none"
            yield _about(
                journey,
                step,
                f"journey {journey.id!r} calls action {step.action!r} but no installed "
                f"plugin provides it; installed: {installed}",
            )
        if isinstance(step, Start | Exit) and step.journey is not None:
            yield from _other(journey, step, step.journey, world)


def _other(
    journey: Journey, step: Start | Exit, name: str, world: _World
) -> Iterator[Issue]:
    """Another journey that a step starts, or whose runs it ends."""
    known = {other.id: other for other in world.journeys}
    other = known.get(name)
    if other is None:
        message = f"journey {name!r} is not known; {meant(name, known)}"
        yield _about(journey, step, message)
    elif isinstance(step, Start):
        if not any(isinstance(trigger, ApiTrigger) for trigger in other.triggers):
            yield _about(
                journey,
                step,
                f"journey {name!r} has no api() trigger, so no step can start it; add "
                "one to its triggers",
            )
    elif step.key is not None and other.key is None:
        yield _about(
            journey, step, f"journey {name!r} has no key; leave `key` out here"
        )


def _about(journey: Journey, step: Step | None, message: str) -> Issue:
    id = (step.id or "") if step else ""
    return issue("error", message, step or journey, journey=journey.id, step=id)


def _numbered(journey: Journey, world: _World) -> Iterator[Issue]:
    """A derived id with a number changes when steps before it come or go."""
    found = [
        step
        for step in journey.walk()
        if step.id in journey.derived_ids and step.id != step.slug
    ]
    for step in found[:1]:
        others = f", and {len(found) - 1} more have one" if len(found) > 1 else ""
        yield issue(
            "hint",
            f"this is the second {step.slug!r}, so its id has a number{others}, which "
            "another step could take over; give it an id of its own",
            step,
            journey=journey.id,
            step=step.id or "",
        )


# Conditions and values


def _roots(journey: Journey, world: _World) -> Iterator[Issue]:
    """`event` is what is being matched now, `entry` what started the run."""
    for use in uses_of(journey):
        for path in cel.references(expr_of_use(use)):
            name = cel.Path("", path.keys)
            rest = str(name) if path.keys else ""
            if path.root in ("event", "entry") and not use.event_or_entry:
                message = (
                    f"{path}: {use.what} is about the customer, and there is no event; "
                    "ask for profile, trait, segment or consent"
                )
            elif path.root == "event" and use.event is None:
                message = (
                    f"{path}: {use.what} has no event that is being matched; "
                    f"write entry{rest} for the event that started the run"
                )
            elif path.root == "entry" and not use.has_entry:
                message = (
                    f"{path}: {use.what} is asked before there is a run; "
                    f"write event{rest}"
                )
            elif path.root == "step" and not use.step:
                message = (
                    f"{path}: {use.what} can't know what steps have come to; ask in a "
                    "Branch behind the step"
                )
            else:
                continue
            yield issue("error", message, use.item, journey=journey.id, step=use.step)


def _results(journey: Journey, world: _World) -> Iterator[Issue]:
    """A result is that of a Call, Collect or Survey which the run has come by."""
    ways: Ways | None = None
    for use in uses_of(journey):
        for path in cel.references(expr_of_use(use)) if use.step else ():
            if path.root == "step":
                ways = ways or Ways(journey)
                for level, problem in _result(path, use.step, ways):
                    yield issue(
                        level,
                        f"{path}: {problem}",
                        use.item,
                        journey=journey.id,
                        step=use.step,
                    )


def _result(path: cel.Path, reader: str, ways: Ways) -> Iterator[tuple[Level, str]]:
    """What is wrong with reading a result at this step, and how bad that is."""
    id, *keys = map(str, path.keys or [""])
    steps = {i: s for i, s in ways.steps.items() if isinstance(s, _WITH_RESULT)}
    if id not in steps:
        way_out = meant(id, steps, none="there is none")
        yield (
            "error",
            f"only a Call, a Collect and a Survey have a result; {way_out}",
        )
    elif keys[:1] != ["result"]:
        whole = cel.Path("step", (id, "result"))
        yield "error", f"all there is of a step is its result: {whole}"
    elif not any(reader in ways.reach(way.to) for way in ways.on[id]):
        yield "error", f"{id!r} comes after this step, so there is no result yet"
    else:
        step = steps[id]
        if isinstance(step, Collect):
            yield from _collected(step, keys[1:])
        if isinstance(step, Survey):
            yield from _answered(step, keys[1:])
        if id != ways.first and reader in ways.reach(
            ways.first, lambda way: way.to != id
        ):
            what = (
                f"{id!r} doesn't lie on every path to this step, and who hasn't come by"
            )
            yield "warning", f"{what} it has no result: ask has(…) first, or move it"


def _collected(step: Collect, keys: Sequence[str]) -> Iterator[tuple[Level, str]]:
    """What is wrong with the rest of a path into the result of a Collect."""
    match keys:
        case ["items", *_] if not step.keep:
            yield "warning", "the items are empty: say which fields to keep=[…]"
        case ["items", _, field, *_] if field not in step.keep:
            yield "error", f"an item has no {field!r}; {meant(field, step.keep)}"
        case [part, *_] if part not in ("items", "count"):
            way_out = meant(part, ("items", "count"))
            yield "error", f"a Collect has no {part!r}; {way_out}"
        case _:
            pass


_WITH_RESULT = Call | Collect | Survey
_ANSWER = ("kind", "survey", "score", "group", "text", "channel")


def _answered(step: Survey, keys: Sequence[str]) -> Iterator[tuple[Level, str]]:
    """What is wrong with the rest of a path into the answer to a Survey."""
    fields = [f for f in _ANSWER if step.kind in SCALES or f not in ("score", "group")]
    if step.within is None:
        yield "error", "it waits for no answer: say how long, within=days(7)"
    elif keys and keys[0] not in fields:
        way_out = meant(keys[0], fields)
        yield "error", f"an answer ({step.kind}) has no {keys[0]!r}; {way_out}"


def _surveys(journey: Journey, world: _World) -> Iterator[Issue]:
    """What makes answers unreadable, or keeps a second survey from ever going."""
    known: dict[str, Survey] = {}
    for step in journey.walk():
        if not isinstance(step, Survey):
            continue
        other = known.setdefault(step.survey or journey.id, step)
        if other.kind != step.kind:
            yield _about(
                journey,
                step,
                f"the answers of {other.id!r} ({other.kind}) and of this one "
                f"({step.kind}) have one name, {step.survey or journey.id!r}, and can't "
                "be told apart; give one of them another: survey='…'",
            )


def _fields(journey: Journey, world: _World) -> Iterator[Issue]:
    """Fields must be declared, where fields are declared."""
    declared, traits = world.schemas.events, _traits(world)
    entries = [
        declared.get(heard.name) if (heard := completed_by(trigger)) else None
        for trigger in journey.triggers
    ]
    for use in uses_of(journey):
        # What starts the run may be any of several events: one that fits will do.
        answers = [
            check_condition(
                use.text,
                event=declared.get(use.event) if use.event else None,
                entry=entry,
                profile=world.schemas.profile,
                traits=traits,
            )
            for entry in entries
        ]
        for problem in answers[0] if all(answers) else ():
            yield issue("error", problem, use.item, journey=journey.id, step=use.step)
    yield from _heard(journey, world)


def _traits(world: _World) -> dict[str, Any] | None:
    """What conditions can know of traits; None: which there are isn't known here."""
    traits = world.audience.traits
    return None if traits is None else traits_schema(traits)


def _audience_fields(world: _World) -> Iterator[Issue]:
    """Fields of the profile must be declared for segments and stages as well."""
    profile, traits = world.schemas.profile, _traits(world)
    for item in world.audience.conditional:
        if item.when is not None:
            for problem in check_condition(item.when, profile=profile, traits=traits):
                what = "segment" if isinstance(item, Segment) else "stage"
                yield issue("error", f"{what} {item.id!r}: {problem}", item)


def _heard(journey: Journey, world: _World) -> Iterator[Issue]:
    """An event that nobody declared, but for one that is spelled much like it."""
    emitted = {
        step.name
        for other in world.journeys
        for step in other.walk()
        if isinstance(step, Emit)
    }
    theirs = world.schemas.events.keys() | emitted
    known = theirs | _RESERVED
    for trigger, step in _listeners(journey):
        if trigger.name in known or trigger.name.startswith(
            (events.MESSAGE, events.CALL)
        ):
            continue
        # Names of ours are near many others: only what is one of them but for a letter.
        close = meant(trigger.name, _RESERVED, alike=_NEARLY)
        if not close.startswith("did you"):
            close = meant(trigger.name, theirs)
        if world.schemas.events and close.startswith("did you"):
            yield issue(
                "warning",
                f"event {trigger.name!r} is not declared; {close}",
                trigger,
                journey=journey.id,
                step=step,
            )


def _listeners(journey: Journey) -> Iterator[tuple[EventTrigger, str]]:
    for item in [
        *(heard for trigger in journey.triggers for heard in listened(trigger)),
        *(goal.when for goal in journey.goals),
        *map(exits_when, journey.exit_rules),
    ]:
        if isinstance(item, EventTrigger):
            yield item, ""
    for step in journey.walk():
        for path in step.paths if isinstance(step, WaitFor) else ():
            if isinstance(path.when, EventTrigger):
                yield path.when, step.id or ""
        if isinstance(step, Collect):
            for trigger in (step.when, step.cancel):
                if trigger is not None:
                    yield trigger, step.id or ""


# Goals


def _goals(journey: Journey, world: _World) -> Iterator[Issue]:
    """A goal needs a window where it is compared or outlives the run."""
    if journey.holdout is not None and not journey.goals:
        yield _warning(
            journey, journey, "a holdout measures nothing without a goal; give one"
        )
    for goal in journey.goals:
        if goal.within is not None:
            continue
        if journey.holdout is not None:
            yield _warning(
                journey,
                goal,
                f"goal {goal.id!r} has no `within`, so those held out are watched for "
                "ever and the others only while they run: give it one, such as "
                "within=days(30)",
            )
        elif goal.on_goal == "continue":
            yield _warning(
                journey,
                goal,
                f"goal {goal.id!r} goes on and has no `within`: it only counts while "
                "the run lasts; give it one to count what comes later",
            )


def _warning(journey: Journey, item: object, message: str, step: str = "") -> Issue:
    return issue("warning", message, item, journey=journey.id, step=step)


# Time


def _anchors(journey: Journey, world: _World) -> Iterator[Issue]:
    """An instant that has passed before anybody can enter is no wait."""
    for step in journey.walk():
        due = step.due if isinstance(step, Wait) else getattr(step, "timeout", None)
        instant = due.instant if isinstance(due, Until) and not due.after else None
        starts_at, _ = journey.span
        if starts_at is None or not isinstance(instant, datetime):
            continue
        if instant <= starts_at:
            yield _warning(
                journey,
                step,
                f"{instant:%Y-%m-%d %H:%M}Z lies before the journey starts, so it has "
                "passed for everybody; correct the year, or take the wait out",
                step.id or "",
            )


def _sends(journey: Journey, world: _World) -> Iterator[Issue]:
    """A message must not expire while quiet hours hold it back."""
    for step in journey.walk() if world.policies else ():
        if not isinstance(step, Send) or step.on_quiet != "defer":
            continue
        purpose = step.purpose or journey.purpose
        expires = step.expires_after
        if expires is None and purpose == "marketing":
            expires = MARKETING_EXPIRES
        if not isinstance(expires, Duration) or world.policies is None:
            continue
        for channel in step.channel:
            closed = longest_closed(open_minutes(world.policies, channel, purpose))
            if closed < WEEK and expires.shortest_ms() < closed * 60_000:
                yield _warning(
                    journey,
                    step,
                    f"it expires after {expires.short}, and quiet hours can hold it "
                    f"back for {Duration(ms=closed * 60_000).short}: some are never "
                    "sent; set expires_after longer, or on_quiet='skip' if that is meant",
                    step.id or "",
                )
                break


def _fallbacks(journey: Journey, world: _World) -> Iterator[Issue]:
    """A message must not expire before its last channel has had its turn."""
    for step in journey.walk():
        if not isinstance(step, Send) or step.fallback_after is None:
            continue
        expires = step.expires_after
        if expires is None and (step.purpose or journey.purpose) == "marketing":
            expires = MARKETING_EXPIRES
        if not isinstance(expires, Duration):
            continue
        after = step.fallback_after
        for n, channel in enumerate(step.channel[1:], 1):
            if n * _usual_ms(after) >= _usual_ms(expires):
                times = f"{n} times {after.short}" if n > 1 else after.short
                yield _warning(
                    journey,
                    step,
                    f"it expires after {expires.short}, and {channel!r} has its turn "
                    f"after {times} without word: by then it is too late; set "
                    "expires_after longer, or fallback_after shorter",
                    step.id or "",
                )
                break


def _usual_ms(length: Duration) -> int:
    """How long it lasts where no clock changes."""
    return (length.shortest_ms() + length.longest_ms()) // 2


def _policies(world: _World) -> Iterator[Issue]:
    policies = world.policies
    if policies is None:
        return
    topics = {topic.id for topic in policies.topics}
    rules: list[Any] = [
        *policies.caps,
        *policies.quiet_hours,
        *policies.open_hours,
        *policies.closed_days,
        *policies.consent,
    ]
    for rule in rules:
        for field_name, known in (
            ("channel", world.channels),
            ("topic", topics or None),
            ("journey", {journey.id for journey in world.journeys}),
        ):
            name = getattr(rule, field_name, None)
            if name is not None and known is not None and name not in known:
                way_out = meant(name, known, none="there is none")
                message = f"{field_name} {name!r} is not known; {way_out}"
                yield issue("error", message, rule)
    yield from _never_open(policies)
    if not any(rule.channel is rule.topic is None for rule in policies.consent):
        yield issue(
            "hint",
            "what holds for customers who never said yes nor no is not written down, so "
            "they get everything; add a consent rule with default 'allow' or 'refuse'",
            policies,
        )


def _never_open(policies: Policies) -> Iterator[Issue]:
    """Quiet and open hours must leave an hour to send in."""
    rules: list[Any] = [*policies.open_hours, *policies.quiet_hours]
    channels = [None, *sorted({rule.channel for rule in rules if rule.channel})]
    for purpose in ("marketing", "transactional"):
        for channel in channels:
            if any(open_minutes(policies, channel, purpose)):
                continue
            over = f" over {channel!r}" if channel else ""
            yield issue(
                "error",
                f"quiet hours and open hours leave no hour of the week for {purpose} "
                f"messages{over}; shorten the quiet hours or open another window",
                rules[0],
            )
            break  # what is closed for all channels is closed for each


# Chains of events


def _endless(world: _World) -> Iterator[Issue]:
    """A step must not start again and again what it is in, and never at once."""
    for journey in world.journeys:
        at_once = set()
        for cause, ends in causes(journey, at_once=True):
            if chain := _chain(world, journey, cause, ends=ends, at_once=True):
                at_once.add(cause.id)
                yield _about(
                    journey,
                    cause,
                    f"{_told(chain)} without a wait and without end; {_LIMITS}",
                )
        for cause, ends in causes(journey, at_once=False):
            if cause.id in at_once:
                continue
            if chain := _chain(world, journey, cause, ends=ends, at_once=False):
                yield _warning(
                    journey,
                    cause,
                    f"{_told(chain)} for ever; if that isn't meant, {_LIMITS}",
                    cause.id or "",
                )


_LIMITS = (
    "limit it: by reentry='never', by a ReEntry with a cooldown or max_entries, or by a "
    "condition on the trigger, where=…"
)


def _told(chain: Sequence[str]) -> str:
    """`a → b → a start each other`, or that one starts itself."""
    if len(chain) == 2:
        return f"{chain[0]} starts itself"
    return f"{' → '.join(chain)} start each other"


def _chain(
    world: _World, start: Journey, first: Emit | Start, *, ends: bool, at_once: bool
) -> list[str]:
    """Name the journeys on a way from this step back to its own journey."""
    ways: list[tuple[Emit | Start, bool, list[str]]] = [(first, ends, [start.id])]
    seen: set[str] = set()
    while ways:
        cause, runs_out, names = ways.pop()
        for journey in world.journeys:
            if not _starts(journey, cause, again=journey is not start or runs_out):
                continue
            if journey is start:
                return [*names, start.id]
            if journey.id not in seen:
                seen.add(journey.id)
                ways += [
                    (onward, runs_out, [*names, journey.id])
                    for onward, its_end in causes(journey, at_once=at_once)
                    if its_end or _mode(journey) != "after_exit"
                ]
    return []


def _starts(journey: Journey, cause: Emit | Start, *, again: bool) -> bool:
    """Whether this step starts the journey, whatever it carries, every time."""
    rule, mode = journey.reentry, _mode(journey)
    if mode == "never" or (mode == "after_exit" and not again):
        return False
    if not isinstance(rule, str) and (rule.cooldown or rule.max_entries):
        return False
    if any(isinstance(exits_when(rule), Condition) for rule in journey.exit_rules):
        return False  # nobody enters for whom it holds
    return any(_starts_it(trigger, journey, cause) for trigger in journey.triggers)


def _starts_it(trigger: Trigger, journey: Journey, cause: Emit | Start) -> bool:
    """Whether this trigger is met by nothing but the step, every time."""
    match trigger:
        case EventTrigger(where=None):
            return isinstance(cause, Emit) and trigger.name == cause.name
        case ApiTrigger(where=None):
            return isinstance(cause, Start) and journey.id == cause.journey
        case _:  # it has a condition, or one event is not enough for it
            return False


def _mode(journey: Journey) -> str:
    rule = journey.reentry
    return rule if isinstance(rule, str) else rule.mode
