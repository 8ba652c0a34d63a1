"""Objectives: where they are, and where they should be."""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.insight.charts.bars import Bar, Bars, State
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.lines import Dot, Line, Lines
from journeykit.insight.charts.numbers import NOTHING, SECOND, amount
from journeykit.insight.objectives import ObjectiveFigures, Objectives, Status
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, badge, quiet

_LEAD = "What the journeys are for: each figure against its target."

STATUS: dict[Status, str] = {
    "met": "met",
    "on_track": "on track",
    "behind": "behind",
    "missed": "missed",
    "unknown": "not known",
}
_STATES: dict[Status, State] = {
    "met": "good",
    "on_track": "",
    "behind": "",
    "missed": "bad",
    "unknown": "",
}


def objectives_part(objectives: Objectives, draw: Drawing) -> Section:
    """The section."""
    return Section("objectives", "Objectives", _LEAD, "".join(_body(objectives, draw)))


def _body(objectives: Objectives, draw: Drawing) -> Iterator[str]:
    if not objectives.objectives:
        yield quiet(
            "the workspace has no objectives",
            "Write some in objectives.py: what is measured, its target, its date.",
        )
        return
    measured = [one for one in objectives.objectives if one.value is not None]
    # Bars of different units have nothing in common but how far they are.
    for unit in dict.fromkeys(one.unit for one in measured):
        bars = [_bar(one) for one in measured if one.unit == unit]
        yield draw.figure(
            Bars(
                _TITLES[unit],
                bars,
                "figure, target",
                most=100.0 if unit == "percent" else None,
            ),
            note="The upright line is the target, the bracket the interval of 95 %. "
            f"{objectives.definition}",
        )
    title = "All objectives, with their intervals and dates"
    everything = draw.table(_table(objectives), caption=title)
    if len(measured) == len(objectives.objectives):  # the bars have told of all of them
        everything = draw.folded(everything, title=title)
    yield everything
    yield draw.several(
        [
            (_history(one), one.definition)
            for one in measured
            if len([each for each in one.history if each.value is not None]) > 2
        ]
    )
    told = [one for one in objectives.objectives if one.problem]
    if told:
        yield badge([f"{one.id} has no figure: {one.problem}" for one in told])


_TITLES = {
    "percent": "In percent",
    "amount": "In amounts",
    "count": "In counts",
    "score": "In scores",
    "": "Other",
}


def _words(one: ObjectiveFigures, value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{amount(value)} %" if one.unit == "percent" else amount(value)


def _bar(one: ObjectiveFigures) -> Bar:
    sign = "≥" if one.aim == "at_least" else "≤"
    return Bar(
        one.kpi or one.id,
        one.value,
        f"{_words(one, one.value)} ({sign} {_words(one, one.target)}): "
        f"{STATUS[one.status]}",
        (one.interval.low, one.interval.high) if one.interval else None,
        one.target,
        _STATES[one.status],
    )


def _table(objectives: Objectives) -> Table:
    return Table(
        ["objective", "figure", "interval", "target", "by", "state", "of"],
        [
            [
                one.id,
                _words(one, one.value),
                f"{_words(one, one.interval.low)} to {_words(one, one.interval.high)}"
                if one.interval
                else NOTHING,
                f"{'≥' if one.aim == 'at_least' else '≤'} {_words(one, one.target)}",
                f"{one.by:%Y-%m-%d}",
                STATUS[one.status],
                amount(one.of),
            ]
            for one in objectives.objectives
        ],
    )


def _history(one: ObjectiveFigures) -> Lines:
    return Lines(
        f"{one.id}: {one.kpi}",
        [
            Line(
                one.id,
                [
                    Dot(round(each.at.timestamp() * SECOND), each.value)
                    for each in one.history
                ],
            )
        ],
        words=lambda value: _words(one, value),
        targets=[(f"target {_words(one, one.target)}", one.target)],
        bounds=(0.0, 100.0) if one.unit == "percent" else None,
    )
