"""Lift: who was treated against who was held out, and who comes back without any of it."""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.insight.charts.bars import Bar, Bars
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.forest import Difference, Forest
from journeykit.insight.charts.lines import Dot, Line, Lines
from journeykit.insight.charts.numbers import (
    DAY,
    NOTHING,
    amount,
    counted,
    percent,
    points,
    signed,
    span,
    whole,
)
from journeykit.insight.comparisons import TEN_YEARS, Comparison
from journeykit.insight.lapses import Baseline
from journeykit.insight.lift import Experiment, Lift
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import (
    Section,
    badge,
    paragraph,
    quiet,
)
from journeykit.insight.stats import sequences

_ID, _TITLE = "lift", "Lift"
_LEAD = (
    "What journeys change: people who were treated against people who were held out, "
    "by chance, and got nothing."
)

VERDICTS = {
    "higher": "the treated reach it more often",
    "lower": "the treated reach it less often",
    "open": "no difference can be seen yet: zero is within the interval",
    "too_few": "too few people to say anything yet",
}


def lift_part(lift: Lift, draw: Drawing) -> Section:
    """The section."""
    body = "".join(_body(lift, draw))
    return Section(_ID, _TITLE, _LEAD, body)


def _body(lift: Lift, draw: Drawing) -> Iterator[str]:
    if lift.recorded:
        yield badge([lift.recorded])
    if lift.experiments:
        yield from _experiments(lift, draw)
    else:
        yield quiet(
            "no journey holds anybody out, so nothing can be said of what they change",
            "Give a journey holdout=10: ten percent get nothing, and are compared.",
        )
    if lift.without and lift.experiments:
        names = ", ".join(lift.without)
        yield paragraph(f"Hold nobody out, so nothing is known of them: {names}.")
    if lift.baselines:
        yield draw.figure(
            Bars(
                "Who comes back without any message"
                if all(one.natural for one in lift.baselines)
                else "Who comes back, with what was sent to them",
                [*map(_returned, lift.baselines)],
                "share that returned",
                most=1.0,
            ),
            note=" ".join(dict.fromkeys(one.definition for one in lift.baselines)),
        )


def _experiments(lift: Lift, draw: Drawing) -> Iterator[str]:
    compared = [
        (experiment, comparison)
        for experiment in lift.experiments
        for comparison in experiment.comparisons
    ]
    problems = [
        f"{experiment.name}: {problem}"
        for experiment in lift.experiments
        for problem in _problems(experiment)
    ]
    yield badge(problems)
    if compared:
        yield draw.figure(
            Forest(
                "Difference of shares, treated minus held out",
                [
                    _row(e, c, c.conversion, note=VERDICTS[c.verdict])
                    for e, c in compared
                ],
                less="held out reach it more",
                more="treated reach it more",
            ),
            note=f"{lift.definition} Level {percent(lift.level)}.",
        )
        yield draw.table(_arms(compared), caption="The two groups")
        for experiment, comparison in compared:
            yield paragraph(_told(experiment, comparison))
    for experiment in lift.experiments:
        for comparison in experiment.comparisons[:1]:
            yield from _course(experiment, comparison, draw)
    valued = [(e, c) for e, c in compared if c.value is not None]
    if valued:
        yield draw.figure(
            Forest(
                "Difference of value per person",
                [_row(e, c, c.value) for e, c in valued],
                words=signed,
                less="held out bring more",
                more="treated bring more",
            ),
            note=lift.definition,
        )


def _problems(experiment: Experiment) -> Iterator[str]:
    ratio = experiment.sample_ratio
    if ratio is not None and ratio.mismatch:
        yield (
            f"{whole(ratio.held_out)} of {whole(ratio.of)} people are held out, "
            f"{whole(ratio.expected)} should be, which is no chance; don't trust its "
            "lift before it is known why"
        )
    yield from experiment.problems


def _name(experiment: Experiment, comparison: Comparison) -> str:
    what = "global" if experiment.is_global else "journey"
    name = f"{experiment.name} ({what})" if experiment.is_global else experiment.name
    return f"{name}: {comparison.outcome.name}"


def _row(
    experiment: Experiment,
    comparison: Comparison,
    found: sequences.Difference | None,
    note: str = "",
) -> Difference:
    interval = found.interval if found else None
    return Difference(
        _name(experiment, comparison),
        found.difference if found else None,
        (interval.low, interval.high) if interval else None,
        weight=comparison.treated.people + comparison.held_out.people,
        note=note,
    )


def _arms(compared: list[tuple[Experiment, Comparison]]) -> Table:
    return Table(
        ["", "treated", "reached it", "held out", "reached it", "people needed"],
        [
            [
                _name(experiment, one),
                whole(one.treated.people),
                percent(one.treated.reached.share),
                whole(one.held_out.people),
                percent(one.held_out.reached.share),
                whole(one.needed.people) if one.needed else NOTHING,
            ]
            for experiment, one in compared
        ],
    )


def _told(experiment: Experiment, one: Comparison) -> str:
    words = f"{_name(experiment, one)}: {VERDICTS[one.verdict]}."
    if one.needed and one.smallest is not None and one.verdict in ("open", "too_few"):
        words += (
            f" A difference of {points(one.smallest).lstrip('+')} would show with "
            f"{counted(one.needed.people, 'person').replace('persons', 'people')}, "
            f"{whole(one.needed.held_out)} of them held out"
        )
        if one.days_left and one.days_left > TEN_YEARS:
            words += ", which takes more than ten years at this pace"
        elif one.days_left:
            words += f", in about {span(one.days_left * DAY)} at this pace"
        words += "."
    return f"{words} {one.definition}"


def _course(
    experiment: Experiment, comparison: Comparison, draw: Drawing
) -> Iterator[str]:
    """How the difference and its interval went; nothing before there was an interval."""
    looks = [look for look in comparison.looks if look.interval is not None]
    if len(looks) < 3:
        return
    edge = max(
        abs(x) for look in looks[len(looks) // 4 :] for x in _ends(look.interval)
    )
    yield draw.figure(
        Lines(
            f"{_name(experiment, comparison)}, as it looked each day",
            [
                Line(
                    "difference",
                    [
                        Dot(look.at_ms, look.difference, _ends(look.interval))
                        for look in looks
                    ],
                )
            ],
            words=points,
            bounds=(-edge * 1.2, edge * 1.2),
        ),
        note="The band holds the true difference at all times together, so looking at "
        "it every day is allowed.",
    )


def _ends(interval: object) -> tuple[float, float]:
    low, high = getattr(interval, "low", 0.0), getattr(interval, "high", 0.0)
    return low, high


def _returned(one: Baseline) -> Bar:
    interval = one.returned.interval
    share = one.returned.share
    return Bar(
        f"{one.journey}, within {amount(one.within_days)} days of {one.step}",
        share,
        f"{percent(share)} of {whole(one.returned.of)}",
        (interval.low, interval.high) if interval else None,
    )
