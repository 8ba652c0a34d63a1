"""Paths: the ways that runs really took, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.numbers import counted, percent, span, whole
from journeykit.insight.charts.sankey import Flow, Node, Sankey
from journeykit.insight.paths import Paths, thinned
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, quiet

_LEAD = "The ways that runs really took, whatever the definitions say."


def paths_part(paths: Sequence[Paths], draw: Drawing) -> Section:
    """The section."""
    told = [one for one in paths if one.cases]
    shown = ["".join(_of(one, draw, is_first=not n)) for n, one in enumerate(told)]
    # One is seen at once, and the others are not scrolled by.
    body = "".join(
        draw.folded(html, title=f"Paths of {one.subject}", on_paper=True)
        if place
        else html
        for place, (one, html) in enumerate(zip(told, shown, strict=True))
    )
    return Section(
        "paths",
        "Paths",
        _LEAD,
        body or quiet("no run went further than one step in this time"),
    )


def _of(one: Paths, draw: Drawing, *, is_first: bool) -> Iterator[str]:
    names = {node.key: node.name for node in one.nodes}
    if is_first:
        yield draw.figure(_sankey(one), note=one.definition)
    else:  # it says the same as the first one's
        yield draw.figure(_sankey(one), about=one.definition)
    title = f"The most frequent of {counted(one.variant_count, 'way')}"
    ways = draw.table(
        Table(
            ["way", one.unit, "share", "median time, first to last step"],
            [
                [
                    " → ".join(
                        names.get(key, key)
                        for key in (*variant.steps, variant.end)
                        if key
                    ),
                    whole(variant.count),
                    percent(variant.share),
                    span(variant.median_ms),
                ]
                for variant in one.variants
            ],
        ),
        caption=title,
    )
    yield draw.folded(ways, title=title)


def _sankey(one: Paths) -> Sankey:
    names = {node.key: node.name for node in one.nodes}
    links = thinned(one.links)
    places = dict.fromkeys(
        place
        for link in links
        for place in (
            (link.position, link.source),
            (link.position + 1, link.target),
        )
    )
    first = min((position for position, _ in places), default=0)
    return Sankey(
        f"{one.subject}: {counted(one.cases, one.unit.removesuffix('s'))}"
        if one.unit != "people"
        else f"{one.subject}: {whole(one.cases)} people",
        [
            Node(f"{position}/{key}", names.get(key, _name(key)), position - first)
            for position, key in places
        ],
        [
            Flow(
                f"{link.position}/{link.source}",
                f"{link.position + 1}/{link.target}",
                link.count,
            )
            for link in links
        ],
        one.unit,
    )


def _name(key: str) -> str:
    return key.partition(":")[2] or key
