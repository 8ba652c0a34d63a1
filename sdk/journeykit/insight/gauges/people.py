"""Gauges of people: who is in a segment or a stage."""

from __future__ import annotations

from journeykit.insight.gauges.gauge import Figure, Gauge, share_of_people, silent
from journeykit.insight.warehouse import Warehouse
from journeykit.model.measures import Membership


def membership(house: Warehouse, measure: Membership) -> Gauge:
    """Make ready how many people are in a segment or a stage, or how many percent."""
    kind = "segment" if measure.segment else "stage"
    name = measure.segment or measure.stage or ""
    if not house.row("select count(*) from stays where kind = ?", [kind])[0]:
        return silent(
            f"the log tells of no {kind}s; people are judged once they are published"
        )
    house.execute(
        """
        create or replace temp table gauged_people as
        select person, min(first_ms) as first_ms from (
            select person, min(entered_ms) as first_ms from runs
            where not test group by person
            union all
            select person, min(happened_ms) from refused where not test group by person
            union all
            select person, min(from_ms) from stays group by person
            union all
            select person, min(happened_ms) from events
            where not test and not starts_with(name, 'message.') group by person
        ) group by person
        """
    )

    def read(at: int) -> Figure:
        (inside,) = house.row(
            """
            select count(distinct person) from stays
            where kind = ? and name = ? and from_ms <= ? and (to_ms is null or to_ms > ?)
            """,
            [kind, name, at, at],
        )
        (people,) = house.row(
            "select count(*) from gauged_people where first_ms <= ?", [at]
        )
        if measure.count == "people":
            return Figure(float(inside), people)
        return share_of_people(min(inside, people), people)

    who = "Percent of all people in the log" if measure.count == "percent" else "People"
    return Gauge(
        read,
        f"{who} who are in {kind} {name!r} at that instant; test traffic left out.",
    )
