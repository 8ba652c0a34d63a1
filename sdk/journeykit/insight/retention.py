"""Retention: of the people who came for the first time, how many come back when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import (
    start_of_month,
    start_of_next_month,
    start_of_next_week,
    start_of_week,
    to_datetime,
)
from journeykit.insight.feeds import feed, in_words
from journeykit.insight.stats.intervals import Interval, wilson
from journeykit.insight.warehouse import Warehouse
from journeykit.model.triggers import EventTrigger


@dataclass(frozen=True, slots=True)
class Cell:
    """One cohort in one week or month.

    Attributes:
        after: How many weeks or months after the one of the first event: 0 is that one.
        back: People who came back in it.
        share: `back` of the cohort's people, 0 to 1.
        interval: Of `share`.
        is_complete: The log has the whole of it; otherwise more may still come back.
    """

    after: int
    back: int
    share: float
    interval: Interval
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Cohort:
    """The people whose first event was in one week or month.

    Attributes:
        starts_at: When it begins.
        people: How many they are.
        cells: What became of them, up to where the log ends; 120 at most.
        may_be_older: The cohort in which the log has the event for the first time: who
            is in it may have come before.
    """

    starts_at: datetime
    people: int
    cells: Sequence[Cell]
    may_be_older: bool


@dataclass(frozen=True, slots=True)
class Average:
    """All cohorts together, so many weeks or months after the first event.

    Attributes:
        after: How many.
        people: The people of the cohorts for which the log has the whole of it.
        back: How many of them came back in it.
        share: `back` of `people`.
        interval: Of `share`.
    """

    after: int
    people: int
    back: int
    share: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Retention:
    """Cohorts, and when they come back.

    Attributes:
        first: The event that puts people into a cohort, in words.
        back: The event that they come back with, in words.
        per: `week` or `month`.
        zone: Whose calendar it goes by.
        cohorts: In the order of their beginning; none if nobody had the event.
        averages: All of them together.
        left_out: Older cohorts that are not shown.
        definition: What is counted, over whom.
    """

    first: str
    back: str
    per: str
    zone: str
    cohorts: Sequence[Cohort]
    averages: Sequence[Average]
    left_out: int
    definition: str


# How it is counted

Per = Literal["week", "month"]

MOST = 60
"""How many cohorts are shown, the latest ones, if nobody asks for another number."""

LONGEST = 120
"""For how many weeks or months a cohort is followed at most."""

_UTC = ZoneInfo("UTC")


def retention(
    house: Warehouse,
    first: Sequence[EventTrigger],
    *,
    back: Sequence[EventTrigger] = (),
    per: Per = "month",
    zone: ZoneInfo = _UTC,
    most: int = MOST,
) -> Retention:
    """Put people into cohorts by their first event, and count who comes back when.

    Args:
        house: The logs.
        first: The event, the first of which puts somebody into a cohort.
        back: The event that they come back with; `first` if not given.
        per: How long a cohort is, and how long a time to come back.
        zone: Whose calendar it goes by.
        most: How many cohorts are shown, the latest ones.
    """
    feed(house, "came", first)
    feed(house, "returned", back or first)
    # By when it arrived the log ends: an event may say that it is of next year.
    begins, ends = house.row(
        "select min(happened_ms), max(received_ms) from events where not test"
    )
    definition = _definition(in_words(first), in_words(back or first), per, zone)
    empty = Retention(
        in_words(first), in_words(back or first), per, zone.key, (), (), 0, definition
    )
    if begins is None:
        return empty
    if house.span is not None:
        ends = house.span[1]
    starts = _starts(begins, ends, per, zone)
    house.execute(
        "create or replace temp table periods as select "
        "unnest(?::BIGINT[]) as starts, unnest(?::INTEGER[]) as number",
        [starts[:-1], [*range(len(starts) - 1)]],
    )
    since = house.scope.since
    (oldest,) = house.row("select min(happened_ms) from came")
    rows = house.rows(
        """
        with firsts as (
            select person, min(happened_ms) as first_ms from came group by person
        ),
        cohorts as (
            select f.person, f.first_ms, p.number as cohort
            from firsts f asof join periods p on f.first_ms >= p.starts
            where f.first_ms < $last and ($since is null or f.first_ms >= $since)
        ),
        backs as (
            select r.person, r.happened_ms, p.number as period
            from returned r asof join periods p on r.happened_ms >= p.starts
            where r.happened_ms < $last
        )
        select c.cohort, b.period - c.cohort as after, count(distinct c.person)
        from cohorts c join backs b
            on b.person = c.person and b.happened_ms > c.first_ms
        group by 1, 2
        union all
        select cohort, -1, count(*) from cohorts group by 1
        order by 1, 2
        """,
        {"since": since, "last": starts[-1]},
    )
    cohorts = []
    for cohort, told in groupby(rows, key=lambda row: int(row[0])):
        counts = {int(after): int(count) for _, after, count in told}
        people = counts[-1]
        cells = [
            Cell(
                after,
                counts.get(after, 0),
                counts.get(after, 0) / people,
                wilson(counts.get(after, 0), people),
                is_complete=starts[cohort + after + 1] <= ends,
            )
            for after in range(min(len(starts) - 1 - cohort, LONGEST))
        ]
        cohorts.append(
            Cohort(
                to_datetime(starts[cohort]),
                people,
                tuple(cells),
                may_be_older=starts[cohort] <= oldest < starts[cohort + 1],
            )
        )
    for table in ("came", "returned", "periods"):
        house.execute(f"drop table {table}")
    shown = cohorts[-most:]
    return Retention(
        in_words(first),
        in_words(back or first),
        per,
        zone.key,
        tuple(shown),
        tuple(_averages(shown)),
        len(cohorts) - len(shown),
        definition,
    )


def _starts(begins: int, ends: int, per: Per, zone: ZoneInfo) -> list[int]:
    """The beginnings of all weeks or months that the log touches, and of the next one."""
    start_of = start_of_week if per == "week" else start_of_month
    next_of = start_of_next_week if per == "week" else start_of_next_month
    starts = [start_of(begins, zone)]
    while starts[-1] <= ends:
        starts.append(next_of(starts[-1], zone))
    return starts


def _averages(cohorts: Sequence[Cohort]) -> list[Average]:
    longest = max((len(cohort.cells) for cohort in cohorts), default=0)
    found = []
    for after in range(longest):
        counted = [
            (cohort.people, cohort.cells[after].back)
            for cohort in cohorts
            if after < len(cohort.cells) and cohort.cells[after].is_complete
        ]
        people = sum(people for people, _ in counted)
        back = sum(back for _, back in counted)
        if people:
            share = back / people
            found.append(Average(after, people, back, share, wilson(back, people)))
    return found


def _definition(first: str, back: str, per: Per, zone: ZoneInfo) -> str:
    calendar = "" if zone.key == "UTC" else f" A {per} is one of {zone.key}."
    return (
        f"People by the {per} of their first {first}, and the share of them that has "
        f"{back} again, later than that, in the same {per} (0) and in each {per} after; "
        "test traffic left out. A cell that the log has only a part of may still grow, "
        f"and is in no average.{calendar}"
    )
