"""What goes with leaving a journey: associated, which is not the same as its cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.causes import Causes, Factor, Place
from journeykit.insight.charts.bars import Bar, Bars
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.forest import Difference, Forest
from journeykit.insight.charts.numbers import NOTHING, counted, percent, whole
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, badge, heading, paragraph, quiet

_LEAD = (
    "What is associated with leaving a journey. It is no proof: whoever is different in "
    "one thing may be different in others."
)
_SHOWN = 12  # factors of one journey


def causes_part(causes: Sequence[Causes], draw: Drawing) -> Section:
    """The section."""
    body = "".join(
        each
        for place, one in enumerate(causes)
        for each in _journey(one, draw, is_first=place == 0)
    )
    if not body:
        body = quiet("no journey was entered often enough to say anything")
    return Section("causes", "Why people leave", _LEAD, body)


def _journey(one: Causes, draw: Drawing, *, is_first: bool) -> Iterator[str]:
    yield heading(one.journey)
    # Those of the journeys below are nearly the first one's: there for who asks.
    defined = paragraph(one.definition, kind="note")
    if not is_first:
        defined = draw.folded(defined, title="What counts as left, and of whom")
    if not one.left.count:
        yield paragraph(f"None of {counted(one.left.of, 'run')} was left.")
        yield defined
        return
    yield paragraph(
        f"{percent(one.left.share)} of {counted(one.left.of, 'run')} were left, of "
        f"{whole(one.people)} people. {counted(one.looked_at, 'factor')} looked at"
        + (f", of {whole(one.too_few)} more there are too few." if one.too_few else ".")
    )
    yield badge(one.problems)
    shown = one.associated[:_SHOWN]
    if shown:
        forest = Forest(
            "Associated with leaving",
            [*map(_row, shown)],
            less="left less",
            more="left more",
        )
        note = f"{one.definition} The intervals hold for all that are shown together."
        if is_first:
            yield draw.figure(forest, note=note)
        else:
            yield draw.figure(forest, about=note)
        placed = [factor for factor in shown if factor.step or factor.friction]
        if placed:
            yield draw.table(
                Table(
                    ["factor", "left", "others", "points to", "friction noted there"],
                    [*map(_where, placed)],
                ),
                caption="Where to look",
                words=True,
            )
        if len(placed) < len(shown):
            rest = "The others point" if placed else "All of these point"
            yield paragraph(f"{rest} to the entry: who comes, and when.", kind="note")
    else:
        yield paragraph(
            "Nothing is clearly associated with leaving it, of what could be looked at."
        )
        yield defined
    places = [place for place in one.places if place.left.count]
    if places:
        yield draw.figure(
            Bars(
                "Left at this step, of those who came to it",
                [*map(_place, places)],
                "left",
                most=1.0,
            )
        )


def _row(factor: Factor) -> Difference:
    return Difference(
        factor.words,
        factor.difference,
        (factor.interval.low, factor.interval.high),
        weight=factor.group.of,
        note=factor.points_to,
    )


def _where(factor: Factor) -> list[str]:
    return [
        factor.words,
        f"{percent(factor.group.share)} of {whole(factor.group.of)}",
        f"{percent(factor.others.share)} of {whole(factor.others.of)}",
        factor.points_to,
        "; ".join(factor.friction) or NOTHING,
    ]


def _place(place: Place) -> Bar:
    share, interval = place.left.share, place.left.interval
    note = f" ({'; '.join(place.friction)})" if place.friction else ""
    return Bar(
        f"{place.step}{note}",
        share,
        f"{percent(share)} of {whole(place.left.of)}",
        (interval.low, interval.high) if interval else None,
    )
