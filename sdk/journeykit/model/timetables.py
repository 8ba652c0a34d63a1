"""What can be wrong about schedules, and about journeys that take one of a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from journeykit.model import cel, events
from journeykit.model.definition import document_of
from journeykit.model.issues import Issue, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.schedules import ScheduleTrigger
from journeykit.model.triggers import EventTrigger
from journeykit.model.uses import expr_of_use, uses_of

_SAID = frozenset({"local", "$id", "$name", "$time"})  # by the entry of a schedule
_AROUND = timedelta(hours=14)  # a local time is no more than this away from UTC
MOST = 100  # schedules of all journeys: 72 bytes each in the documents of customers
_CLAIM = "claim"  # what `journeykit.engine.uniqueness` calls


def timetable_issues(
    journey: Journey,
    listeners: Iterable[tuple[EventTrigger, str]],
    *,
    segments: Collection[str] | None = None,
    actions: Collection[str] | None = None,
) -> Iterator[Issue]:
    """Yield what is wrong with a journey's schedules, and with its unique value.

    Args:
        journey: The journey.
        listeners: The events that it listens to, each with its step's id.
        segments: The ids of all segments; None: not known.
        actions: The actions that installed plugins provide; None: not known.
    """
    for trigger, step in listeners:
        if trigger.name == events.SCHEDULE_DUE:
            message = (
                f"{events.SCHEDULE_DUE!r} is no event that anybody hears: it names the "
                "entry of a schedule's run; start the journey by every(…) or once(…)"
            )
            yield issue("error", message, trigger, journey=journey.id, step=step)
    scheduled = [one for one in journey.triggers if isinstance(one, ScheduleTrigger)]
    for one in scheduled:
        if segments is not None and one.segment and one.segment not in segments:
            way_out = meant(one.segment, segments, none="there is none")
            message = f"segment {one.segment!r} is not known; {way_out}"
            yield issue("error", message, one, journey=journey.id)
        yield from _never(journey, one)
        mode = journey.reentry if isinstance(journey.reentry, str) else None
        mode = mode or getattr(journey.reentry, "mode", None)
        if mode == "never" and one.once is None:
            message = (
                f"it comes again and again ({one.label}), but re-entry is 'never': each "
                "customer enters the first time only"
            )
            yield issue("hint", message, one, journey=journey.id)
    if scheduled and len(scheduled) == len(journey.triggers):
        yield from _unsaid(journey)
    if journey.unique is not None and actions is not None and _CLAIM not in actions:
        message = (
            f"unique asks the action {_CLAIM!r}, which no installed plugin provides; "
            f"installed: {', '.join(map(repr, sorted(actions))) or 'none'}"
        )
        yield issue("error", message, journey, journey=journey.id)


def surplus_issues(journeys: Iterable[Journey]) -> Iterator[Issue]:
    """Yield an error if there are more schedules than a customer's document takes."""
    found = [
        (journey, trigger)
        for journey in journeys
        for trigger in journey.triggers
        if isinstance(trigger, ScheduleTrigger)
    ]
    if len(found) > MOST:
        journey, trigger = found[MOST]
        message = (
            f"there are {len(found)} schedules in all journeys, and {MOST} is the most: "
            "each document knows when each of them is due; end old journeys, or let one "
            "schedule start several with Start steps"
        )
        yield issue("error", message, trigger, journey=journey.id)


def _never(journey: Journey, trigger: ScheduleTrigger) -> Iterator[Issue]:
    """A time at which the journey takes nobody yet, or nobody any more."""
    if trigger.once is None:
        return
    moment = datetime.fromisoformat(str(trigger.once))
    around = timedelta(0)
    if moment.tzinfo is None:
        moment, around = moment.replace(tzinfo=UTC), _AROUND
    starts_at, ends_at = journey.span
    if ends_at is not None and moment - around >= ends_at:
        yield issue(
            "error",
            f"it comes {trigger.label}, when the journey has ended "
            f"({document_of(ends_at)}), so nobody would enter",
            trigger,
            journey=journey.id,
        )
    if starts_at is not None and moment + around < starts_at:
        yield issue(
            "error",
            f"it comes {trigger.label}, before the journey starts "
            f"({document_of(starts_at)}), so nobody would enter",
            trigger,
            journey=journey.id,
        )


def _unsaid(journey: Journey) -> Iterator[Issue]:
    """What is asked of the entry of a schedule's run, and is not there."""
    asked: dict[str, object] = {}
    for use in uses_of(journey):
        is_own = use.item is journey  # its key, or its unique value
        for path in cel.references(expr_of_use(use)):
            is_entry = path.root == "entry" or (path.root == "event" and is_own)
            if is_entry and path.keys and path.keys[0] not in _SAID:
                asked.setdefault(str(path), use.item)
    for name, item in asked.items():
        yield issue(
            "error",
            f"{name}: only a schedule starts this journey, and what it says is local, "
            "$id, $name and $time",
            item,
            journey=journey.id,
        )
