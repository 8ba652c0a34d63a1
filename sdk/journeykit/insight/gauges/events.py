"""Gauges of events: how many, of how many people, what they add up to, who comes back."""

from __future__ import annotations

from journeykit.insight.clusters import tally
from journeykit.insight.feeds import feed, in_words
from journeykit.insight.gauges.gauge import (
    Figure,
    Gauge,
    begin,
    lately,
    mean_of_runs,
    share_of_people,
    share_of_runs,
    starts,
)
from journeykit.insight.warehouse import Warehouse
from journeykit.model.measures import Active, Occurrences, Reach, Returning, Total


def occurrences(house: Warehouse, measure: Occurrences) -> Gauge:
    """Make ready how many events there are, or how many people have one."""
    feed(house, "gauged", measure.triggers)
    counted = "count(*)" if measure.count == "events" else "count(distinct person)"

    def read(at: int) -> Figure:
        (count,) = house.row(
            f"select {counted} from gauged where happened_ms > ? and happened_ms <= ?",
            [begin(at, measure.over), at],
        )
        return Figure(float(count), count)

    what = "Events" if measure.count == "events" else "People with an event"
    return Gauge(
        read,
        f"{what} {in_words(measure.triggers)} {lately(measure.over)}; test traffic left "
        "out.",
    )


def total(house: Warehouse, measure: Total) -> Gauge:
    """Make ready the sum of a number of events, or its mean by the event or person."""
    feed(house, "gauged", measure.triggers, value=measure.amount)
    events = "1" if measure.per == "person" else "count(*)"

    def read(at: int) -> Figure:
        found = tally(
            house,
            f"""
            select {events} as n, sum(amount) as x
            from gauged
            where amount is not null and happened_ms > ? and happened_ms <= ?
            group by person
            """,
            [begin(at, measure.over), at],
        )
        if measure.per == "total":
            return Figure(found.total, int(found.runs))
        return mean_of_runs(found)

    by = {"total": "Sum", "event": "Mean by the event", "person": "Mean by the person"}
    return Gauge(
        read,
        f"{by[measure.per]} of {measure.amount_text} of {in_words(measure.triggers)} "
        f"{lately(measure.over)}; test traffic left out.",
    )


def reach(house: Warehouse, measure: Reach) -> Gauge:
    """Make ready the percent of people with an event, among those with another one."""
    feed(house, "gauged", measure.triggers)
    if measure.everybody:
        feed(house, "gauged_among", measure.everybody)
        everybody = "gauged_among where true"
        who = f"a {in_words(measure.everybody)}"
    else:
        # What providers report of test messages is not marked as test traffic.
        everybody = "events where not test and not starts_with(name, 'message.')"
        who = "any event of their own"

    def read(at: int) -> Figure:
        people, some = house.row(
            f"""
            with everybody as (
                select distinct person from {everybody}
                    and happened_ms > $oldest and happened_ms <= $at
            ),
            had as (
                select distinct person from gauged
                where happened_ms > $oldest and happened_ms <= $at
            )
            select count(*), count(h.person)
            from everybody e left join had h using (person)
            """,
            {"oldest": begin(at, measure.over), "at": at},
        )
        return share_of_people(some, people)

    return Gauge(
        read,
        f"Percent of people with {who} {lately(measure.over)} who had "
        f"{in_words(measure.triggers)} in that time; test traffic left out.",
    )


def active(house: Warehouse, measure: Active) -> Gauge:
    """Make ready the percent of people who did something lately, of who ever did it."""
    feed(house, "gauged", measure.triggers)

    def read(at: int) -> Figure:
        people, some = house.row(
            """
            select count(*), count(*) filter (last_ms > $oldest) from (
                select max(happened_ms) as last_ms from gauged
                where happened_ms <= $at group by person
            )
            """,
            {"oldest": begin(at, measure.within), "at": at},
        )
        return share_of_people(some, people)

    return Gauge(
        read,
        f"Percent of all people who ever had {in_words(measure.triggers)} who had it in "
        f"the last {measure.within.short}; test traffic left out.",
    )


def returning(house: Warehouse, measure: Returning) -> Gauge:
    """Make ready the percent of events that another one follows in time."""
    feed(house, "gauged", measure.triggers)
    feed(house, "gauged_back", measure.returns)
    house.execute(
        """
        create or replace temp table gauged_next as
        with went as (
            select distinct person, happened_ms from gauged
            qualify $each or happened_ms = min(happened_ms) over (partition by person)
        ),
        came as (select distinct person, happened_ms from gauged_back)
        select w.person, w.happened_ms, c.happened_ms as back_ms
        from went w asof left join came c
            on w.person = c.person and w.happened_ms < c.happened_ms
        """,
        {"each": measure.after == "each"},
    )

    def read(at: int) -> Figure:
        oldest, newest = starts(at, measure.over, measure.within)
        return share_of_runs(
            tally(
                house,
                """
                select count(*) as n, count(*) filter (
                    back_ms <= happened_ms + $within and back_ms <= $at
                ) as x
                from gauged_next
                where happened_ms > $oldest and happened_ms <= $newest
                group by person
                """,
                {
                    "within": at - newest,
                    "oldest": oldest,
                    "newest": newest,
                    "at": at,
                },
            )
        )

    which = "first " if measure.after == "first" else ""
    return Gauge(
        read,
        f"Percent of people's {which}{in_words(measure.triggers)} that were followed by "
        f"{in_words(measure.returns)}, later than that, within {measure.within.short}; of "
        f"those whose {measure.within.short} ended {lately(measure.over)}, several at "
        "one instant counted once; test traffic left out.",
    )
