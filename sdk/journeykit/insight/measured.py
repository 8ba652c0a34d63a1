"""What a measure comes to at an instant: one rule for each kind of measure.

A gauge is a measure made ready to be read at any instant of the log. What happened after
the instant does not count, so that its past readings are what one would have seen then;
but the log may since have learned of events that came late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, assert_never
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import subtract
from journeykit.insight.clusters import (
    TALLIED,
    Tally,
    mean_interval,
    share_interval,
)
from journeykit.insight.feeds import feed, in_words
from journeykit.insight.stats.intervals import Interval, of_mean, wilson
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration
from journeykit.model.events import SURVEY_ANSWERED
from journeykit.model.journey import Goal, Journey
from journeykit.model.measures import (
    Active,
    Arrival,
    Conversion,
    Measure,
    Membership,
    MessageRate,
    Occurrences,
    Reach,
    Returning,
    Revenue,
    SurveyScore,
    Total,
)

_UTC = ZoneInfo("UTC")
_EVER = -(1 << 62)

PROMOTERS, DETRACTORS = 9, 6
"""From and up to which answer, of 0 to 10: Reichheld 2003, "The one number you need to
grow", Harvard Business Review 81(12):46-54."""

SATISFIED = 4
"""From which answer, of 1 to 5, somebody is satisfied: the top two boxes."""


_SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


class Figure(NamedTuple):
    """What a measure comes to.

    Attributes:
        value: In the measure's unit; None: there was nothing to count.
        of: How many runs, people, events or messages it is counted of.
        interval: Where it is a share or a mean.
    """

    value: float | None
    of: int
    interval: Interval | None = None


class Gauge(NamedTuple):
    """A measure, ready to be read.

    Attributes:
        read: The figure at an instant, milliseconds.
        definition: What is counted, over whom, in which window.
        nothing: Why there may be no figure.
    """

    read: Callable[[int], Figure]
    definition: str
    nothing: str = "there was nothing to count"


def gauge(house: Warehouse, measure: Measure, journeys: Sequence[Journey]) -> Gauge:
    """Make a measure ready; there is one at a time, as they share their tables.

    Args:
        house: The logs.
        measure: What to measure.
        journeys: The definitions, which say the windows of goals.

    Raises:
        LookupError: It asks for a journey or a goal that is not in the workspace.
    """
    needs_events = isinstance(measure, Occurrences | Total | Reach | Active | Returning)
    if needs_events and not house.row("select count(*) from events")[0]:
        why = "there is no event archive, so nothing is known of events"
        return Gauge(_nothing, "", why)
    match measure:
        case Conversion():
            return _conversion(house, measure, journeys)
        case Arrival():
            return _arrival(house, measure)
        case Revenue():
            return _revenue(house, measure)
        case Occurrences():
            return _occurrences(house, measure)
        case Total():
            return _total(house, measure)
        case Reach():
            return _reach(house, measure)
        case Active():
            return _active(house, measure)
        case Returning():
            return _returning(house, measure)
        case Membership():
            return _membership(house, measure)
        case SurveyScore():
            return _survey_score(house, measure)
        case MessageRate():
            return _message_rate(house, measure)
        case _:
            assert_never(measure)


def _nothing(at: int) -> Figure:
    return Figure(None, 0)


def _begin(at: int, over: Duration | None) -> int:
    """Since when it counts at this instant."""
    return _EVER if over is None else subtract(at, over, _UTC)


def _lately(over: Duration | None) -> str:
    return f"in the last {over.short}" if over else "since the log begins"


def _percent(share: float | None, of: int, interval: Interval | None) -> Figure:
    if share is None or interval is None:
        return Figure(None, of)
    in_percent = Interval(100 * interval.low, 100 * interval.high, interval.level)
    return Figure(100 * share, of, in_percent)


def _of_people(some: int, people: int) -> Figure:
    if not people:
        return Figure(None, 0)
    return _percent(some / people, people, wilson(some, people))


# Journeys


def _conversion(
    house: Warehouse, measure: Conversion, journeys: Sequence[Journey]
) -> Gauge:
    goal = _goal(measure, journeys)
    within = goal.within
    unit = "runs" if measure.per == "run" else "people who entered"
    when = f"within {within.short} of the entry" if within else "while the run lasts"
    counted = (
        f"whose {within.short} ended {_lately(measure.over)}"
        if within
        else f"that began {_lately(measure.over)}"
    )

    def read(at: int) -> Figure:
        # Of a goal with a window those runs count whose window has just ended.
        newest = at if within is None else subtract(at, within, _UTC)
        oldest = _begin(at, measure.over)
        if within is not None and measure.over is not None:
            oldest = subtract(oldest, within, _UTC)
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select count(*) as n, count(g.run) as x
                    from runs r left join goals g
                        on g.run = r.run and g.goal = $goal and g.reached_ms <= $at
                    where r.journey = $journey and not r.test and not r.held_out
                        and r.entered_ms > $oldest and r.entered_ms <= $newest
                    group by r.person
                )
                """,
                {
                    "journey": measure.journey,
                    "goal": goal.id,
                    "at": at,
                    "oldest": oldest,
                    "newest": newest,
                },
            )
        )
        if measure.per == "person":
            return _of_people(tally.some, tally.people)
        return _percent(tally.mean, int(tally.runs), share_interval(tally))

    return Gauge(
        read,
        f"Percent of {unit} of {measure.journey!r} that reached goal {goal.id!r} {when}, "
        f"of runs {counted}; test traffic and people who are held out left out.",
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


def _arrival(house: Warehouse, measure: Arrival) -> Gauge:
    scope = {
        "journey": measure.journey,
        "step": measure.step,
        "among": measure.among or "",
    }
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
        scope,
    )

    def read(at: int) -> Figure:
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select count(*) as n, count(*) filter (came) as x
                    from gauged_arrivals where ended_ms > ? and ended_ms <= ?
                    group by person
                )
                """,
                [_begin(at, measure.over), at],
            )
        )
        return _percent(tally.mean, int(tally.runs), share_interval(tally))

    among = f" with step {measure.among!r}" if measure.among else ""
    return Gauge(
        read,
        f"Percent of runs of {measure.journey!r}{among} that came to step "
        f"{measure.step!r}, of runs that ended {_lately(measure.over)}; test traffic and "
        "people who are held out left out.",
    )


def _revenue(house: Warehouse, measure: Revenue) -> Gauge:
    scope: dict[str, Any] = {
        "journey": measure.journey or "",
        "goal": measure.goal or "",
    }
    whose = f"goals of {measure.journey!r}" if measure.journey else "all goals"
    if measure.goal:
        whose = f"goal {measure.goal!r} of {measure.journey!r}"

    known, unknown = house.row(
        """
        select count(worth), count(*) - count(worth) from goals
        where not test and not held_out and ($journey = '' or journey = $journey)
            and ($goal = '' or goal = $goal)
        """,
        scope,
    )
    if unknown and not known:
        why = "goals were reached, but the logs don't say what they were worth"
        return Gauge(_nothing, "", why)

    def of_goals(at: int) -> Figure:
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select count(worth) as n, coalesce(sum(worth), 0) as x
                    from goals
                    where not test and not held_out and worth is not null
                        and ($journey = '' or journey = $journey)
                        and ($goal = '' or goal = $goal)
                        and reached_ms > $oldest and reached_ms <= $at
                    group by person
                )
                """,
                {**scope, "oldest": _begin(at, measure.over), "at": at},
            )
        )
        if measure.per == "total":
            # Nothing reached is nothing earned, but only where values are known at all.
            return Figure(tally.total, int(tally.runs))
        return Figure(tally.mean, int(tally.runs), mean_interval(tally))

    def of_runs(at: int) -> Figure:
        runs = "count(*)" if measure.per == "run" else "1"
        tally = Tally(
            *house.row(
                f"""
                with worths as (
                    select run, sum(worth) as worth from goals
                    where ($goal = '' or goal = $goal) and reached_ms <= $at
                    group by run
                )
                select {TALLIED} from (
                    select {runs} as n, coalesce(sum(w.worth), 0) as x
                    from runs r left join worths w using (run)
                    where not r.test and not r.held_out
                        and ($journey = '' or r.journey = $journey)
                        and r.entered_ms > $oldest and r.entered_ms <= $at
                    group by r.person
                )
                """,
                {**scope, "oldest": _begin(at, measure.over), "at": at},
            )
        )
        return Figure(tally.mean, int(tally.runs), mean_interval(tally))

    what = {
        "total": f"Sum of what {whose} were worth that were reached",
        "goal": f"Mean of what {whose} were worth that were reached",
        "run": f"What {whose} were worth, by the run that entered: of runs that began",
        "person": f"What {whose} were worth, by the person: of people who entered",
    }[measure.per]
    return Gauge(
        of_runs if measure.per in ("run", "person") else of_goals,
        f"{what} {_lately(measure.over)}; test traffic and people who are held out left "
        "out.",
    )


# Events


def _occurrences(house: Warehouse, measure: Occurrences) -> Gauge:
    feed(house, "gauged", measure.triggers)
    counted = "count(*)" if measure.count == "events" else "count(distinct person)"

    def read(at: int) -> Figure:
        (count,) = house.row(
            f"select {counted} from gauged where happened_ms > ? and happened_ms <= ?",
            [_begin(at, measure.over), at],
        )
        return Figure(float(count), count)

    what = "Events" if measure.count == "events" else "People with an event"
    return Gauge(
        read,
        f"{what} {in_words(measure.triggers)} {_lately(measure.over)}; test traffic left "
        "out.",
    )


def _total(house: Warehouse, measure: Total) -> Gauge:
    feed(house, "gauged", measure.triggers, value=measure.amount)

    def read(at: int) -> Figure:
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select {"1" if measure.per == "person" else "count(*)"} as n,
                        sum(amount) as x
                    from gauged
                    where amount is not null and happened_ms > ? and happened_ms <= ?
                    group by person
                )
                """,
                [_begin(at, measure.over), at],
            )
        )
        if measure.per == "total":
            return Figure(tally.total, int(tally.runs))
        return Figure(tally.mean, int(tally.runs), mean_interval(tally))

    by = {"total": "Sum", "event": "Mean by the event", "person": "Mean by the person"}
    return Gauge(
        read,
        f"{by[measure.per]} of {measure.amount_text} of {in_words(measure.triggers)} "
        f"{_lately(measure.over)}; test traffic left out.",
    )


def _reach(house: Warehouse, measure: Reach) -> Gauge:
    feed(house, "gauged", measure.triggers)
    if measure.everybody is not None:
        feed(house, "gauged_among", measure.everybody)
    among = "gauged_among" if measure.everybody else "events"
    # What providers report of test messages is not marked as test traffic.
    untested = (
        ""
        if measure.everybody
        else "and not test and not starts_with(name, 'message.')"
    )

    def read(at: int) -> Figure:
        people, some = house.row(
            f"""
            with everybody as (
                select distinct person from {among}
                where happened_ms > $oldest and happened_ms <= $at {untested}
            ),
            had as (
                select distinct person from gauged
                where happened_ms > $oldest and happened_ms <= $at
            )
            select count(*), count(h.person)
            from everybody e left join had h using (person)
            """,
            {"oldest": _begin(at, measure.over), "at": at},
        )
        return _of_people(some, people)

    who = (
        f"a {in_words(measure.everybody)}"
        if measure.everybody
        else "any event of their own"
    )
    return Gauge(
        read,
        f"Percent of people with {who} {_lately(measure.over)} who had "
        f"{in_words(measure.triggers)} in that time; test traffic left out.",
    )


def _active(house: Warehouse, measure: Active) -> Gauge:
    feed(house, "gauged", measure.triggers)

    def read(at: int) -> Figure:
        people, some = house.row(
            """
            select count(*), count(*) filter (last_ms > $oldest) from (
                select max(happened_ms) as last_ms from gauged
                where happened_ms <= $at group by person
            )
            """,
            {"oldest": subtract(at, measure.within, _UTC), "at": at},
        )
        return _of_people(some, people)

    return Gauge(
        read,
        f"Percent of all people who ever had {in_words(measure.triggers)} who had it in "
        f"the last {measure.within.short}; test traffic left out.",
    )


def _returning(house: Warehouse, measure: Returning) -> Gauge:
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
        newest = subtract(at, measure.within, _UTC)
        oldest = _begin(at, measure.over)
        if measure.over is not None:
            oldest = subtract(oldest, measure.within, _UTC)
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select count(*) as n, count(*) filter (
                        back_ms <= happened_ms + $within and back_ms <= $at
                    ) as x
                    from gauged_next
                    where happened_ms > $oldest and happened_ms <= $newest
                    group by person
                )
                """,
                {
                    "within": at - newest,
                    "oldest": oldest,
                    "newest": newest,
                    "at": at,
                },
            )
        )
        return _percent(tally.mean, int(tally.runs), share_interval(tally))

    which = "first " if measure.after == "first" else ""
    return Gauge(
        read,
        f"Percent of people's {which}{in_words(measure.triggers)} that were followed by "
        f"{in_words(measure.returns)}, later than that, within {measure.within.short}; of "
        f"those whose {measure.within.short} ended {_lately(measure.over)}, several at "
        "one instant counted once; test traffic left out.",
    )


# People


def _membership(house: Warehouse, measure: Membership) -> Gauge:
    kind = "segment" if measure.segment else "stage"
    name = measure.segment or measure.stage or ""
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
    if not house.row("select count(*) from stays where kind = ?", [kind])[0]:
        why = f"the log tells of no {kind}s; people are judged once they are published"
        return Gauge(_nothing, "", why)

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
        return _of_people(min(inside, people), people)

    who = (
        "Percent of all people in the log who are" if measure.count == "percent" else ""
    )
    return Gauge(
        read,
        f"{who or 'People who are'} in {kind} {name!r} at that instant; test traffic left "
        "out.",
    )


def _survey_score(house: Warehouse, measure: SurveyScore) -> Gauge:
    least, most = _SCALES[measure.kind]
    house.execute(
        """
        create or replace temp table gauged_answers as
        select arg_min(score, happened_ms) as score, min(happened_ms) as happened_ms
        from (
            select happened_ms,
                TRY_CAST(json_extract_string(properties, '/score') AS DOUBLE) as score,
                json_extract_string(properties, '/delivery_id') as delivery_id,
                source || ' ' || id as own_id
            from events
            where name = $name and not test
                and json_extract_string(properties, '/kind') = $kind
                and ($survey = '' or
                    json_extract_string(properties, '/survey') = $survey)
        )
        where score between $least and $most and score = floor(score)
            and not exists (  -- what a message of test traffic asked for
                select 1 from messages m where m.test and m.delivery =
                    TRY_CAST('0x' || substr(delivery_id, 1, 16) AS UBIGINT)
            )
        group by coalesce(delivery_id, own_id)
        """,
        {
            "name": SURVEY_ANSWERED,
            "kind": measure.kind,
            "survey": measure.survey or "",
            "least": least,
            "most": most,
        },
    )
    scored, what = {
        "nps": (
            (
                f"case when score >= {PROMOTERS} then 100::DOUBLE "
                f"when score <= {DETRACTORS} then -100::DOUBLE else 0::DOUBLE end"
            ),
            f"Percent of answers from {PROMOTERS} on less percent up to {DETRACTORS}",
        ),
        "csat": (
            f"case when score >= {SATISFIED} then 100::DOUBLE else 0::DOUBLE end",
            f"Percent of answers from {SATISFIED} on",
        ),
        "ces": ("score", "Mean answer"),
    }[measure.kind]

    def read(at: int) -> Figure:
        count, total, squares = house.row(
            f"""
            select count(*), coalesce(sum(x), 0), coalesce(sum(x * x), 0) from (
                select {scored} as x from gauged_answers
                where happened_ms > ? and happened_ms <= ?
            )
            """,
            [_begin(at, measure.over), at],
        )
        value = total / count if count else None
        return Figure(value, count, of_mean(count, total, squares))

    whose = f"survey {measure.survey!r}" if measure.survey else "all surveys"
    return Gauge(
        read,
        f"{what} of {whose} of kind {measure.kind} {_lately(measure.over)}; each message's "
        "first answer, test traffic left out.",
    )


_FATES = {
    "delivered": "delivered_ms",
    "opened": "opened_ms",
    "clicked": "clicked_ms",
    "replied": "replied_ms",
    "bounced": "bounced_ms",
    "complained": "complained_ms",
    "unsubscribed": "unsubscribed_ms",
}


def _message_rate(house: Warehouse, measure: MessageRate) -> Gauge:
    column = _FATES[measure.what]
    heard = " or ".join(f"{name} is not null" for name in _FATES.values())
    if not house.row(f"select count(*) from messages where {heard}")[0]:
        why = "no provider has reported what became of any message"
        return Gauge(_nothing, "", why)

    def read(at: int) -> Figure:
        tally = Tally(
            *house.row(
                f"""
                select {TALLIED} from (
                    select count(*) as n, count(*) filter ({column} <= $at) as x
                    from messages
                    where not test and sent_ms > $oldest and sent_ms <= $at
                        and ($journey = '' or journey = $journey)
                        and ($channel = '' or channel = $channel)
                        and ($made_of = '' or "template" = $made_of)
                    group by person
                )
                """,
                {
                    "at": at,
                    "oldest": _begin(at, measure.over),
                    "journey": measure.journey or "",
                    "channel": measure.channel or "",
                    "made_of": measure.template or "",
                },
            )
        )
        return _percent(tally.mean, int(tally.runs), share_interval(tally))

    parts = [
        f"{what} {name!r}"
        for what, name in (
            ("journey", measure.journey),
            ("channel", measure.channel),
            ("template", measure.template),
        )
        if name
    ]
    which = f" of {', '.join(parts)}" if parts else ""
    return Gauge(
        read,
        f"Percent of messages{which} sent {_lately(measure.over)} that were "
        f"{measure.what}, as far as providers report it; test traffic left out.",
    )
