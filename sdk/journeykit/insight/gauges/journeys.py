"""Gauges of journeys: runs that reach a goal or a step, and what goals are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journeykit.insight.clusters import tally
from journeykit.insight.gauges.gauge import (
    Figure,
    Gauge,
    begin,
    lately,
    mean_of_runs,
    share_of_people,
    share_of_runs,
    silent,
    starts,
)
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Goal, Journey
from journeykit.model.measures import Arrival, Conversion, Revenue

_TREATED = "test traffic and people who are held out left out"


def conversion(
    house: Warehouse, measure: Conversion, journeys: Sequence[Journey]
) -> Gauge:
    """Make ready the percent of runs, or people, that reach a goal.

    Raises:
        LookupError: There is no such journey or goal.
    """
    goal = _goal(measure, journeys)
    within = goal.within
    unit = "runs" if measure.per == "run" else "people who entered"
    when = f"within {within.short} of the entry" if within else "while the run lasts"
    counted = (
        f"whose {within.short} ended {lately(measure.over)}"
        if within
        else f"that began {lately(measure.over)}"
    )

    def read(at: int) -> Figure:
        # Of a goal with a window those runs count whose window has just ended.
        oldest, newest = (
            (begin(at, measure.over), at)
            if within is None
            else starts(at, measure.over, within)
        )
        found = tally(
            house,
            """
            select count(*) as n, count(g.run) as x
            from runs r left join goals g
                on g.run = r.run and g.goal = $goal and g.reached_ms <= $at
            where r.journey = $journey and not r.test and not r.held_out
                and r.entered_ms > $oldest and r.entered_ms <= $newest
            group by r.person
            """,
            {
                "journey": measure.journey,
                "goal": goal.id,
                "at": at,
                "oldest": oldest,
                "newest": newest,
            },
        )
        if measure.per == "person":
            return share_of_people(found.some, found.people)
        return share_of_runs(found)

    return Gauge(
        read,
        f"Percent of {unit} of {measure.journey!r} that reached goal {goal.id!r} {when}, "
        f"of runs {counted}; {_TREATED}.",
    )


def _goal(measure: Conversion, journeys: Sequence[Journey]) -> Goal:
    for journey in journeys:
        if journey.id == measure.journey:
            for goal in journey.goals:
                if measure.goal in (None, goal.id):
                    return goal
            wanted = "a goal" if measure.goal is None else f"goal {measure.goal!r}"
            raise LookupError(f"journey {journey.id!r} has not got {wanted}")
    raise LookupError(f"there is no journey {measure.journey!r}")


def arrival(house: Warehouse, measure: Arrival) -> Gauge:
    """Make ready the percent of runs that come to a step before they end."""
    house.execute(
        """
        create or replace temp table gauged_arrivals as
        select r.person, r.ended_ms, coalesce(bool_or(v.step = $step), false) as came
        from runs r left join visits v using (run)
        where r.journey = $journey and not r.test and not r.held_out
            and r.ended_ms is not null
        group by r.run, r.person, r.ended_ms
        having $among = '' or bool_or(v.step = $among)
        """,
        {
            "journey": measure.journey,
            "step": measure.step,
            "among": measure.among or "",
        },
    )

    def read(at: int) -> Figure:
        return share_of_runs(
            tally(
                house,
                """
                select count(*) as n, count(*) filter (came) as x
                from gauged_arrivals where ended_ms > ? and ended_ms <= ?
                group by person
                """,
                [begin(at, measure.over), at],
            )
        )

    among = f" with step {measure.among!r}" if measure.among else ""
    return Gauge(
        read,
        f"Percent of runs of {measure.journey!r}{among} that came to step "
        f"{measure.step!r}, of runs that ended {lately(measure.over)}; {_TREATED}.",
    )


def revenue(house: Warehouse, measure: Revenue) -> Gauge:
    """Make ready what goals are worth, in all or by the goal, the run or the person."""
    scope: dict[str, Any] = {
        "journey": measure.journey or "",
        "goal": measure.goal or "",
    }
    known, unknown = house.row(
        """
        select count(worth), count(*) - count(worth) from goals
        where not test and not held_out and ($journey = '' or journey = $journey)
            and ($goal = '' or goal = $goal)
        """,
        scope,
    )
    if unknown and not known:
        return silent("goals were reached, but the logs don't say what they were worth")

    def of_goals(at: int) -> Figure:
        found = tally(
            house,
            """
            select count(worth) as n, coalesce(sum(worth), 0) as x
            from goals
            where not test and not held_out and worth is not null
                and ($journey = '' or journey = $journey)
                and ($goal = '' or goal = $goal)
                and reached_ms > $oldest and reached_ms <= $at
            group by person
            """,
            {**scope, "oldest": begin(at, measure.over), "at": at},
        )
        if measure.per == "total":
            # Nothing reached is nothing earned, but only where values are known at all.
            return Figure(found.total, int(found.runs))
        return mean_of_runs(found)

    def of_runs(at: int) -> Figure:
        runs = "count(*)" if measure.per == "run" else "1"
        return mean_of_runs(
            tally(
                house,
                f"""
                with worths as (
                    select run, sum(worth) as worth from goals
                    where ($goal = '' or goal = $goal) and reached_ms <= $at
                    group by run
                )
                select {runs} as n, coalesce(sum(w.worth), 0) as x
                from runs r left join worths w using (run)
                where not r.test and not r.held_out
                    and ($journey = '' or r.journey = $journey)
                    and r.entered_ms > $oldest and r.entered_ms <= $at
                group by r.person
                """,
                {**scope, "oldest": begin(at, measure.over), "at": at},
            )
        )

    whose = f"goals of {measure.journey!r}" if measure.journey else "all goals"
    if measure.goal:
        whose = f"goal {measure.goal!r} of {measure.journey!r}"
    what = {
        "total": f"Sum of what {whose} were worth that were reached",
        "goal": f"Mean of what {whose} were worth that were reached",
        "run": f"What {whose} were worth, by the run that entered: of runs that began",
        "person": f"What {whose} were worth, by the person: of people who entered",
    }[measure.per]
    return Gauge(
        of_runs if measure.per in ("run", "person") else of_goals,
        f"{what} {lately(measure.over)}; {_TREATED}.",
    )
