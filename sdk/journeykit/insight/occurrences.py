"""When points happened: rows of the warehouse that a point means, in their order.

Events, decisions and reports on messages are put in one order. Several happen in the same
millisecond, for what an event causes happens at the event's instant; so behind the instant
stand first the event, then the segments and stages that it changes, then what was decided
because of it: an entry, a goal, the steps in their order, the end of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import assert_never

import msgspec

from journeykit.engine.calendar import isoformat
from journeykit.engine.conditions import Scope, compile_condition
from journeykit.insight.points import (
    EventPoint,
    MessagePoint,
    Point,
    RunPoint,
    StayPoint,
    StepPoint,
)
from journeykit.insight.warehouse import Warehouse
from journeykit.model.plain_text import printable

_BATCH = 50_000  # events whose condition is asked at once

# Behind the instant: 20 bits for what comes when within a millisecond.
_INSTANT = 1 << 20
_MOVED, _ENTERED, _GOAL, _LAST = 1, 2, 3, _INSTANT - 1
_PLACES = 500_000  # a step is at twice its place in the run, its message one behind

FATE_MS = {
    "delivered": "delivered_ms",
    "opened": "opened_ms",
    "clicked": "clicked_ms",
    "replied": "replied_ms",
    "bounced": "bounced_ms",
    "complained": "complained_ms",
    "unsubscribed": "unsubscribed_ms",
}
"""What became of a message to the column of `messages` that says when."""


def fill(house: Warehouse, table: str, number: int, point: Point) -> int:
    """Write all times that a point happened into a table; return how many they were.

    Test traffic and people who were held out are left out.

    Args:
        house: The logs.
        table: A name of ours, of a table as `create` makes it.
        number: Which of the points it is.
        point: What is to have happened.
    """
    match point:
        case EventPoint(name, None):
            house.execute(
                f"""
                insert into {table}
                select $number, person, null, happened_ms, happened_ms * {_INSTANT}
                from events
                where name = $name and not test
                    and ($since is null or happened_ms >= $since)
                """,
                {"number": number, "name": name, "since": house.scope.since},
            )
        case EventPoint(name, where):
            for people, instants in _that_hold(house, name, where or ""):
                house.execute(
                    f"""
                    insert into {table}
                    select $number, person, null, at_ms, at_ms * {_INSTANT}
                    from (select unnest($people::UBIGINT[]) as person,
                        unnest($instants::BIGINT[]) as at_ms)
                    """,
                    {"number": number, "people": people, "instants": instants},
                )
        case StepPoint(journey, step):
            house.execute(
                f"""
                insert into {table}
                select $number, person, run, arrived_ms,
                    arrived_ms * {_INSTANT} + 2 + 2 * least(place, {_PLACES})
                from visits where journey = $journey and step = $step and not test
                """,
                {"number": number, "journey": journey, "step": step},
            )
        case RunPoint(journey, "goal", goal):
            house.execute(
                f"""
                insert into {table}
                select $number, person, run, reached_ms,
                    reached_ms * {_INSTANT} + {_GOAL}
                from goals
                where journey = $journey and not test and not held_out
                    and ($goal = '' or goal = $goal)
                """,
                {"number": number, "journey": journey, "goal": goal},
            )
        case RunPoint(journey, "entered", _):
            house.execute(
                f"""
                insert into {table}
                select $number, person, run, entered_ms,
                    entered_ms * {_INSTANT} + {_ENTERED}
                from runs where journey = $journey and not test and not held_out
                """,
                {"number": number, "journey": journey},
            )
        case RunPoint(journey, mark, reason):
            house.execute(
                f"""
                insert into {table}
                select $number, person, run, ended_ms, ended_ms * {_INSTANT} + {_LAST}
                from runs
                where journey = $journey and not test and not held_out
                    and outcome = $mark and ended_ms is not null
                    and ($reason = '' or reason = $reason)
                """,
                {"number": number, "journey": journey, "mark": mark, "reason": reason},
            )
        case MessagePoint(journey, step, "sent"):
            # Right behind the step that sent it.
            house.execute(
                f"""
                insert into {table}
                select $number, m.person, m.run, m.sent_ms, m.sent_ms * {_INSTANT}
                    + 3 + 2 * least(coalesce((
                        -- An asof join would put all visits in order.
                        select arg_max(v.place, v.arrived_ms) from visits v
                        where v.run = m.run and v.step = m.step
                            and v.arrived_ms <= m.sent_ms
                    ), {_PLACES}), {_PLACES})
                from messages m
                where not m.test
                    and ($journey = '' or m.journey = $journey)
                    and ($step = '' or m.step = $step)
                """,
                {"number": number, "journey": journey, "step": step},
            )
        case MessagePoint(journey, step, fate):
            told_ms = FATE_MS[fate]
            house.execute(
                f"""
                insert into {table}
                select $number, person, run, {told_ms}, {told_ms} * {_INSTANT}
                from messages
                where {told_ms} is not null and not test
                    and ($journey = '' or journey = $journey)
                    and ($step = '' or step = $step)
                """,
                {"number": number, "journey": journey, "step": step},
            )
        case StayPoint(kind, name):
            house.execute(
                f"""
                insert into {table}
                select $number, person, null, from_ms, from_ms * {_INSTANT} + {_MOVED}
                from stays
                where kind = $kind and name = $name
                    and ($since is null or from_ms >= $since)
                """,
                {
                    "number": number,
                    "kind": kind,
                    "name": name,
                    "since": house.scope.since,
                },
            )
        case _:
            assert_never(point)
    count: int = house.row(f"select count(*) from {table} where number = ?", [number])[
        0
    ]
    return count


def create(house: Warehouse, table: str) -> None:
    """Make the table: which point, whom it is about, which run, when, in which order."""
    house.execute(
        f"""
        create or replace temp table {table} (
            number INTEGER, person UBIGINT, run UBIGINT, at_ms BIGINT, nth BIGINT
        )
        """
    )


def nothing_like(house: Warehouse, point: Point) -> str:
    """Say that a point never happened, and what may have been meant.

    Args:
        house: The logs.
        point: What was looked for and not found.
    """
    if isinstance(point, EventPoint):
        known = house.rows("select distinct name from events where not test")
        wanted = point.name
    elif isinstance(point, StepPoint):
        known = house.rows("select distinct journey || '/' || step from visits")
        wanted = str(point)
    elif isinstance(point, StayPoint):
        known = house.rows(
            "select distinct name from stays where kind = ?", [point.kind]
        )
        wanted = point.name
    else:
        known = house.rows("select distinct journey from runs")
        wanted = point.journey
    names = [name for (name,) in known]
    said = f"{printable(str(point))} never happened in these logs"
    close = [] if wanted in names else get_close_matches(wanted, names, 1)
    return f"{said}; did you mean {printable(close[0])}?" if close else said


def events_that_hold(
    house: Warehouse, name: str, where: str, *, whole: bool = False
) -> Iterator[tuple[int, int, int]]:
    """Yield the events of a name for which a condition holds: event, person, instant.

    Args:
        house: The logs.
        name: The events' name.
        where: The condition, in CEL.
        whole: Those as well that are older than what the warehouse is asked for.
    """
    since = None if whole else house.scope.since
    predicate = compile_condition(where)
    names = {path[1] for path in predicate.paths if len(path) > 1}
    asks_time = not names or "$time" in names
    scope = Scope()
    holds, decode = predicate.holds, msgspec.json.Decoder().decode
    first = -1
    while batch := house.rows(
        """
        select rowid, event, person, happened_ms, id, properties from events
        where name = $name and not test and rowid > $first
            and ($since is null or happened_ms >= $since)
        order by rowid limit $most
        """,
        {"name": name, "first": first, "since": since, "most": _BATCH},
    ):
        first = batch[-1][0]
        for _, event, person, at, id, properties in batch:
            try:
                fields = decode(properties or "{}")
            except msgspec.DecodeError:
                continue  # a line of somebody else's; it has no such field
            if not isinstance(fields, dict):
                continue
            fields["$id"], fields["$name"] = id, name
            if asks_time:
                fields["$time"] = isoformat(at)
            scope.event = fields
            if holds(scope):
                yield event, person, at


def _that_hold(
    house: Warehouse, name: str, where: str
) -> Iterator[tuple[list[int], list[int]]]:
    people: list[int] = []
    instants: list[int] = []
    # All first: a query of ours may not run while another is read.
    found = list(events_that_hold(house, name, where))
    for _, person, at in found:
        people.append(person)
        instants.append(at)
        if len(people) == _BATCH:
            yield people, instants
            people, instants = [], []
    if people:
        yield people, instants
