"""Funnels: of those for whom one thing happened, for how many did the next?

Any points in any order: steps, events, the fate of messages, segments. What
is counted are people, or the runs of a journey, each once, by the way that led furthest:
the points must follow each other, all within the window from the first of them. Whoever
begins several times counts with the beginning that got furthest, and among these with the
first that did.

From each beginning the way goes to the next time that the next point happened; no other
way from there gets further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from journeykit.errors import InputError
from journeykit.insight.occurrences import create, fill, nothing_like
from journeykit.insight.points import (
    MessagePoint,
    Point,
    RunPoint,
    StepPoint,
    point,
)
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration, days
from journeykit.model.segments import Persona

Unit = Literal["people", "runs"]

WITHIN = days(90)
"""How long a way may take if nobody says."""

MOST = 12
"""Points of one funnel."""


@dataclass(frozen=True, slots=True)
class FunnelLevel:
    """One point of a funnel.

    Attributes:
        point: What was to happen, as it was written.
        reached: For how many it did, behind all points before it and in time.
        of_all: These, of those for whom the first point happened.
        of_before: These, of those for whom the point before happened.
        dropped: For how many the point before happened, and this one did not.
        still_open: How many of the dropped have time left: their window is not over.
        median_ms: How long half of them took from the point before, at most; None at the
            first point, or if there is nobody.
        median_total_ms: The same from the first point.
        happened: How often it happened at all, in whatever order and for whomever.
    """

    point: str
    reached: int
    of_all: Share
    of_before: Share
    dropped: int
    still_open: int
    median_ms: float | None
    median_total_ms: float | None
    happened: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many got how far.

    Attributes:
        unit: What is counted: `people`, or `runs` of the first point's journey.
        within: How long the whole way may take, from the first point on: `30d`.
        levels: The points in their order.
        conversion: How many got to the last point, of those who were at the first.
        notes: What is odd, a sentence each, such as a name that never occurs.
        definition: What is counted, over whom, in which window.
    """

    unit: Unit
    within: str
    levels: Sequence[FunnelLevel]
    conversion: Share
    notes: Sequence[str]
    definition: str


def funnel(
    house: Warehouse,
    points: Sequence[str | Point],
    *,
    within: Duration | str = WITHIN,
    unit: Unit = "people",
    segment: str = "",
) -> Funnel:
    """Count how many got how far along some points.

    Args:
        house: The logs.
        points: What is to happen in this order; 2 to 12 of them.
        within: How long it may take from the first point to any other; what happens
            exactly when it is over doesn't count. Of calendar days each has 24 hours, a
            month is 30 of them.
        unit: `people`: whoever it happens to, in whichever runs. `runs`: the first point
            is one of a journey, and each of its runs counts; points of the same journey
            are those of the same run, others those of the same person.
        segment: Count only people who are in this segment at the end of the log, and
            their runs; empty: everybody.

    Raises:
        InputError: There are too few points or too many, one of them is none, or `runs`
            does not begin in a journey.
    """
    read = [one if not isinstance(one, str) else point(one) for one in points]
    if not 2 <= len(read) <= MOST:
        raise InputError(f"a funnel has 2 to {MOST} points; here are {len(read)}")
    length = Duration.parse(within)
    window = in_ms(length)
    if not window:
        raise InputError("a funnel's window is longer than nothing")
    journey = _journey_of(read[0])
    if unit == "runs" and not journey:
        raise InputError(
            f"to count runs the first point must be one of a journey, and {read[0]} is not"
        )
    create(house, "happened")
    counts: list[int] = []
    for number, one in enumerate(read):
        same = read.index(one)
        if same < number:  # `purchase`, `purchase`, `purchase`
            house.execute(
                "insert into happened select $number, person, run, at_ms, nth "
                "from happened where number = $same",
                {"number": number, "same": same},
            )
            counts.append(counts[same])
        else:
            counts.append(fill(house, "happened", number, one))
    if segment:
        house.execute(
            "delete from happened where person not in (select person from stays "
            "where kind = 'segment' and name = ? and to_ms is null)",
            [segment],
        )
    of_run = [unit == "runs" and _journey_of(one) == journey for one in read]
    levels = _levels(house, read, counts, of_run, window)
    notes = [
        nothing_like(house, one)
        for one, count in zip(read, counts, strict=True)
        if not count
    ]
    for before, level in pairwise(levels):
        if level.happened and before.reached and not level.reached:
            notes.append(
                f"{level.point} happened, but to nobody behind {before.point} within "
                f"{length.short}; is that too short, or the order another one?"
            )
    house.execute("drop table happened")
    who = "person" if unit == "people" else f"run of {journey}"
    whose = f" of people who are in the segment {segment!r} at the end of the log"
    if unit == "people":
        whose = f" who is in the segment {segment!r} at the end of the log"
    return Funnel(
        unit,
        length.short,
        levels,
        levels[-1].of_all,
        notes,
        f"Each {who}{whose if segment else ''} counts once, by the way that led furthest: the "
        f"points in this order, all within {length.short} of the first. Left out: test "
        "traffic, and runs that were held out. Who got on may have done so for other "
        "reasons.",
    )


@dataclass(frozen=True, slots=True)
class PersonaFunnel:
    """How many of a persona's people got how far.

    Attributes:
        persona: Its id.
        name: What it is called.
        segment: Who its people are: those in this segment at the end of the log.
        funnel: The same funnel of them alone. Somebody may be of several personas, and
            somebody of none.
    """

    persona: str
    name: str
    segment: str
    funnel: Funnel


def funnels_by_persona(
    house: Warehouse,
    points: Sequence[str | Point],
    personas: Sequence[Persona],
    *,
    within: Duration | str = WITHIN,
    unit: Unit = "people",
) -> list[PersonaFunnel]:
    """Count the same funnel for the people of each persona.

    Args:
        house: The logs.
        points: What is to happen in this order; as `funnel` has it.
        personas: Whose; in this order.
        within: How long it may take; as `funnel` has it.
        unit: What is counted; as `funnel` has it.

    Raises:
        InputError: As `funnel` does.
    """
    return [
        PersonaFunnel(
            one.id,
            one.name or one.id,
            one.segment,
            funnel(house, points, within=within, unit=unit, segment=one.segment),
        )
        for one in personas
    ]


def in_ms(length: Duration) -> int:
    """A duration in milliseconds, a day of 24 hours, a month of 30 days."""
    day = 86_400_000
    return length.months * 30 * day + length.days * day + length.ms


def _journey_of(one: Point) -> str:
    if isinstance(one, StepPoint | RunPoint | MessagePoint):
        return one.journey
    return ""


def _levels(
    house: Warehouse,
    points: Sequence[Point],
    counts: Sequence[int],
    of_run: Sequence[bool],
    window: int,
) -> list[FunnelLevel]:
    """Follow the ways point by point, then count each unit at its furthest."""
    # `unit` is who counts: a run or a person. Points that are a person's own belong to
    # each of their runs.
    by_run = of_run[0]
    unit = "run" if by_run else "person"
    house.execute(
        f"""
        create or replace temp table way_0 as
        select {unit} as unit, person, at_ms as start_ms, at_ms, nth,
            at_ms as at_0
        from happened where number = 0 and {unit} is not null
        """
    )
    for number in range(1, len(points)):
        whose = "w.unit = h.run" if of_run[number] else "w.person = h.person"
        behind = (
            "w.at_ms <= h.at_ms"
            if _at_once(points[number - 1], points[number])
            else "w.nth < h.nth"
        )
        house.execute(
            f"""
            create or replace temp table way_{number} as
            select w.unit, w.person, w.start_ms, h.at_ms, h.nth,
                {_columns("w", number)}, h.at_ms as at_{number}
            from way_{number - 1} w
                asof join (select * from happened where number = {number}) h
                on {whose} and {behind}
            where h.at_ms < w.start_ms + $window
            """,
            {"window": window},
        )
    return _counted(house, points, counts, window)


def _at_once(one: Point, other: Point) -> bool:
    """Whether another point may follow in the very millisecond, in whichever order.

    Within a run the order of its steps is known. Between journeys it is not, and what is
    told of a message comes behind it, even if the clock says that it came at once.
    """
    if not _journey_of(one):
        return False
    told = isinstance(other, MessagePoint) and other.fate != "sent"
    return told or _journey_of(other) not in ("", _journey_of(one))


def _columns(table: str, number: int) -> str:
    return ", ".join(f"{table}.at_{n}" for n in range(number))


def _counted(
    house: Warehouse, points: Sequence[Point], counts: Sequence[int], window: int
) -> list[FunnelLevel]:
    last = len(points) - 1
    # Each unit at its furthest point, by the way that was there first.
    furthest = " union all ".join(
        f"""
        select unit, {number} as level, nth, start_ms,
            {_columns("w", number + 1)}{"".join(f", null::BIGINT as at_{n}" for n in range(number + 1, last + 1))}
        from way_{number} w
        """
        for number in range(last + 1)
    )
    house.execute(
        f"""
        create or replace temp table furthest as
        select * from ({furthest})
        qualify row_number() over (partition by unit order by level desc, nth, start_ms) = 1
        """
    )
    (end,) = house.row(
        "select greatest((select max(seen_ms) from decisions), "
        "(select max(received_ms) from events))"
    )
    # Whoever began several times has as long as the last beginning lasts.
    stood = dict(
        house.rows(
            """
            select level, count(*) from furthest f
            join (select unit, max(start_ms) as last_ms from way_0 group by unit) w
                using (unit)
            where w.last_ms + $window > $end group by level
            """,
            {"window": window, "end": end or 0},
        )
    )
    at = dict(house.rows("select level, count(*) from furthest group by level"))
    reached = [sum(at.get(m, 0) for m in range(n, last + 1)) for n in range(last + 1)]
    levels = []
    for number, one in enumerate(points):
        before = reached[number - 1] if number else reached[0]
        step_ms = total_ms = None
        if number:
            step_ms, total_ms = house.row(
                f"""
                select median(at_{number} - at_{number - 1}), median(at_{number} - at_0)
                from furthest where level >= {number}
                """
            )
        levels.append(
            FunnelLevel(
                str(one),
                reached[number],
                Share.from_counts(reached[number], reached[0]),
                Share.from_counts(reached[number], before),
                before - reached[number],
                stood.get(number - 1, 0) if number else 0,
                step_ms,
                total_ms,
                counts[number],
            )
        )
    for number in range(last + 1):
        house.execute(f"drop table way_{number}")
    house.execute("drop table furthest")
    return levels
