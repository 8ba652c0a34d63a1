"""Schedules of one customer: when they are due, and what that starts.

Theory of operation. A schedule is the customer's own: the document knows when it is due
next for them, by their own clocks, and no job goes through everybody at night. It is
`Progress` under the name of the trigger, with `due` and this state:

    [what the due instant was found by, the last reading that it was due for, the next one]

A due instant stays until it comes, unless what it was found by is another one now: the
schedule was changed, or the customer is in another zone, or their own day is another.
Who is not in the schedule's segment has no due instant at all, so a schedule for few
wakes few.

When a schedule is first seen by a document, the first time behind the customer's clock and
behind its publish counts, however late somebody looked: whoever is woken late by a visit
job finds what was due meanwhile, each at its own instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from journeykit.engine.calendar import reading_text, to_datetime
from journeykit.engine.catalog import Catalog, Schedule
from journeykit.engine.customer import Progress
from journeykit.engine.draft import Draft
from journeykit.engine.ids import derived
from journeykit.model.events import SCHEDULE_DUE

_State = tuple[int, int | None, int | None]


def kept(draft: Draft, catalog: Catalog, *, until: int | None = None) -> None:
    """See that each schedule of the catalog has its due instant, and no other has one.

    Asked when the catalog is another one, and when what a due instant depends on is.

    Args:
        draft: The customer.
        catalog: The schedules.
        until: The catalog is another one by this instant; a publish that came later, as
            it has where events of last year are replayed, counts as of then. None: it is
            the customer who has changed.
    """
    progress = dict(draft.progress)
    for name in [name for name in progress if not _is_known(name, catalog)]:
        del progress[name]
    for name, schedule in catalog.schedules.items():
        known = progress.get(name)
        begins = 0 if until is None else min(schedule.plan.published_at, until)
        found = _kept_of(draft, schedule, known, max(draft.clock, begins))
        if found is not None:
            progress[name] = found
        elif known is not None:
            del progress[name]
    if progress != draft.progress:
        draft.progress = progress
        draft.changed = True


def _is_known(name: str, catalog: Catalog) -> bool:
    """Whether the trigger is there that some progress is about."""
    journey = name.lstrip("~").partition("/")[0]
    plan = catalog.live.get(journey)
    if plan is None:
        return False
    return name not in plan.schedules or name in catalog.schedules


def _kept_of(
    draft: Draft, schedule: Schedule, known: Progress | None, base: int
) -> Progress | None:
    plan, rule = schedule
    state = _state_of(known)
    if rule.segment is not None and rule.segment not in draft.segments:
        if known is None or state is None:
            return None
        return Progress(None, [*state]) if known.due is not None else known
    zone = rule.zone or draft.zone_of(plan)[0]
    day = rule.day(zone, draft.scope)
    key = rule.key(zone, day)
    is_found = known is not None and known.due is not None
    if is_found and state is not None and state[0] == key:
        return known
    last = None if state is None else state[1]
    found = rule.next(base, last, zone, day)
    if found is not None:
        return Progress(found.instant, [key, last, found.reading])
    return None if last is None else Progress(None, [key, last, None])


def united(
    draft: Draft,
    mine: Mapping[str, Progress],
    theirs: Mapping[str, Progress],
    catalog: Catalog,
) -> None:
    """Let a customer who was two have been due for whatever either has been due for.

    What the clocks showed when the other one was due comes for nobody twice; what was due
    next because of that is found anew.

    Args:
        draft: The survivor, whose progress is of both by now.
        mine: The progress of the survivor before.
        theirs: That of the other one.
        catalog: The schedules.
    """
    progress = dict(draft.progress)
    for name in catalog.schedules:
        own, other = _state_of(mine.get(name)), _state_of(theirs.get(name))
        if own is None or other is None or other[1] is None:
            continue
        key, last, reading = own
        if last is not None and last >= other[1]:
            continue
        is_ahead = reading is not None and reading > other[1]
        due = progress[name].due if is_ahead else None
        progress[name] = Progress(due, [key, other[1], reading if is_ahead else None])
    if progress != draft.progress:
        draft.progress = progress
        draft.changed = True
        kept(draft, catalog)


def _state_of(progress: Progress | None) -> _State | None:
    """The state, if it is a schedule's: another kind of trigger may have had its place."""
    match progress:
        case Progress(state=[int(key), int() | None as last, int() | None as reading]):
            return key, last, reading
        case _:
            return None


def reached(
    draft: Draft, catalog: Catalog, due: int
) -> Iterator[tuple[Schedule, dict[str, Any]]]:
    """Yield the schedules that are due now, with what their runs know as `entry`.

    Each has its next due instant before it is yielded.
    """
    for name, schedule in catalog.schedules.items():
        known = draft.progress.get(name)
        state = _state_of(known)
        if known is None or known.due != due or state is None:
            continue
        plan, rule = schedule
        zone = rule.zone or draft.zone_of(plan)[0]
        day = rule.day(zone, draft.scope)
        reading = state[2]
        found = rule.next(due + 1, reading, zone, day)
        rest = {other: one for other, one in draft.progress.items() if other != name}
        draft.progress = {
            **rest,
            name: Progress(
                None if found is None else found.instant,
                [
                    rule.key(zone, day),
                    reading,
                    None if found is None else found.reading,
                ],
            ),
        }
        draft.changed = True
        if rule.segment is None or rule.segment in draft.segments:
            yield schedule, _fields(draft, name, due, reading)


def _fields(draft: Draft, name: str, due: int, reading: int | None) -> dict[str, Any]:
    """What conditions and the run see of the instant: as of an event."""
    born = str(draft.before.created_at)
    return {
        "local": "" if reading is None else reading_text(reading),
        "$id": derived("schedule", name, draft.customer, born, str(due)),
        "$name": SCHEDULE_DUE,
        "$time": to_datetime(due),
    }
