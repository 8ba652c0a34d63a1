"""Journeys: what became of their runs, their goals, and how long these took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.charts.bars import Bar, Bars, Stack, Stacks
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.lines import Dot, Line, Lines
from journeykit.insight.charts.numbers import (
    NOTHING,
    SECOND,
    amount,
    counted,
    percent,
    span,
    whole,
)
from journeykit.insight.goals import GoalFigures, Performance
from journeykit.insight.report.activity import Activity
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, heading, paragraph, quiet
from journeykit.insight.survival import Curve

_LEAD = "What became of everybody who entered, who reached a goal, and how soon."
_OUTCOMES = ("completed", "exited", "waiting", "failed", "held out")
_LINES = 6  # journeys in one chart; more can't be told apart


def journeys_part(
    performance: Performance, activity: Activity, draw: Drawing
) -> Section:
    """The section."""
    body = "".join(_body(performance, activity, draw))
    return Section("journeys", "Journeys and goals", _LEAD, body)


def _body(performance: Performance, activity: Activity, draw: Drawing) -> Iterator[str]:
    journeys = [one for one in performance.journeys if one.entered]
    if not journeys:
        yield quiet("nobody entered a journey in this time")
        return
    yield draw.figure(
        Stacks(
            "What became of runs",
            _OUTCOMES,
            [
                Stack(
                    one.journey,
                    [one.completed, one.exited, one.waiting, one.failed, one.held_out],
                )
                for one in journeys
            ],
            "runs",
        ),
        note=performance.definition,
    )
    yield draw.table(
        Table(
            ["journey", "entered", "people", "sent", "suppressed"],
            [
                [
                    one.journey,
                    whole(one.entered),
                    whole(one.people),
                    whole(one.sent),
                    whole(one.suppressed),
                ]
                for one in journeys
            ],
        ),
        caption="Entries and messages",
    )
    if quiets := [one.journey for one in performance.journeys if not one.entered]:
        yield paragraph(f"Nobody entered {', '.join(quiets)}.")
    yield _entries(activity, draw)
    goals = [goal for one in journeys for goal in one.goals]
    if not goals:
        yield heading("Goals")
        yield quiet(
            "no journey has a goal, so nobody can say what it is for",
            'Give it one: goal=Goal(on("order.placed"), within=days(7)).',
        )
        return
    yield from _goals(goals, draw)


def _entries(activity: Activity, draw: Drawing) -> str:
    """Entries over time, of the journeys that have most."""
    if len(activity.starts) < 3 or not activity.entered_by:
        return ""
    most = sorted(activity.entered_by.items(), key=lambda one: (-sum(one[1]), one[0]))
    return draw.figure(
        Lines(
            f"Entries by {activity.per}",
            [
                Line(name, [*map(Dot, activity.starts, map(float, counts))])
                for name, counts in most[:_LINES]
            ],
            words=whole,
        ),
        note=f"Runs that began, held out or not, in each whole {activity.per}, UTC"
        + (f"; the {_LINES} journeys with the most." if len(most) > _LINES else "."),
    )


def _goals(goals: Sequence[GoalFigures], draw: Drawing) -> Iterator[str]:
    yield draw.figure(
        Bars("Reached their goal", [*map(_bar, goals)], "share of runs", most=1.0),
        note=" ".join(dict.fromkeys(goal.definition for goal in goals[:3])),
    )
    yield draw.table(
        _table(goals),
        caption="Goals in numbers",
        note="Median time and worth are those of all runs that reached it so far, those "
        "whose window is still open among them.",
    )
    trends = {_name(goal): (goal, _dots_of(goal)) for goal in goals}
    yield draw.several(
        [
            (
                Lines(
                    f"{name}, by the {goal.per} of entry",
                    [Line("reached", dots)],
                    words=percent,
                    bounds=(0.0, 1.0),
                ),
                f"Whole {goal.per}s whose runs are all counted. {goal.definition}",
            )
            for name, (goal, dots) in trends.items()
            if _is_course(goal, dots)
        ]
    )
    for name, (goal, dots) in trends.items():
        if goal.treated.reached and len(dots) > 2 and not _is_course(goal, dots):
            yield paragraph(
                f"{name} was reached {counted(goal.treated.reached, 'time')} in "
                f"{counted(len(dots), goal.per)}: too rarely to say how it changes."
            )
    curves = [goal for goal in goals if len(goal.time.curve.points) > 1]
    if curves:
        yield _curves(curves[:_LINES], draw)


_OFTEN = 3  # times in a month, on average; the course of what is rarer is chance


def _dots_of(goal: GoalFigures) -> list[Dot]:
    """How many reached a goal, by when they entered; whole weeks or months only."""
    return [
        Dot(
            round(each.starts_at.timestamp() * SECOND),
            each.share,
            (each.interval.low, each.interval.high) if each.interval else None,
        )
        for each in goal.trend
        if not each.is_partial
    ]


def _is_course(goal: GoalFigures, dots: Sequence[Dot]) -> bool:
    """Whether there is enough behind a trend that a line of it would tell anything."""
    known = sum(dot.value is not None for dot in dots)
    return known > 2 and goal.treated.reached >= _OFTEN * known


def _curves(goals: Sequence[GoalFigures], draw: Drawing) -> str:
    """The share that had reached each goal, by the time since the entry."""
    medians = "; ".join(
        f"{_name(goal)}: half of those who reached it took no longer than "
        f"{span(goal.time.median_ms)}"
        for goal in goals
    )
    return draw.figure(
        Lines(
            "How soon goals are reached, since the entry",
            [Line(_name(goal), _dots(goal.time.curve)) for goal in goals],
            words=percent,
            bounds=(0.0, 1.0),
            elapsed=True,
        ),
        note=f"{medians}. The share of all runs that had reached it so long after they "
        "began (Kaplan-Meier: runs that are still under way count for as long as they "
        f"were looked at), with its interval of {percent(goals[0].time.curve.level)}.",
    )


def _dots(curve: Curve) -> list[Dot]:
    return [
        Dot(0, 0.0),
        *(
            Dot(round(point.after_ms), point.share, (point.low, point.high))
            for point in curve.points
        ),
    ]


def _name(goal: GoalFigures) -> str:
    return f"{goal.journey}: {goal.goal}"


def _bar(goal: GoalFigures) -> Bar:
    found = goal.treated
    window = f" within {goal.within}" if goal.within else ""
    return Bar(
        f"{_name(goal)}{window}",
        found.share,
        f"{percent(found.share)} of {whole(found.counted)} runs",
        (found.interval.low, found.interval.high) if found.interval else None,
    )


def _table(goals: Sequence[GoalFigures]) -> Table:
    return Table(
        ["goal", "runs", "reached", "share", "of people", "median time", "worth"],
        [
            [
                _name(goal),
                whole(goal.treated.counted),
                whole(goal.treated.reached),
                percent(goal.treated.share),
                percent(goal.treated.share_of_people),
                span(goal.time.median_ms),
                amount(goal.worth.total) if goal.worth else NOTHING,
            ]
            for goal in goals
        ],
    )
