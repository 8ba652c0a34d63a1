"""One journey as a picture: its places from top to bottom, and the ways between them.

Nothing is told by color alone: kinds have shapes, and how many went a way is its width and
a number. It reads the same in black and white.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from journeykit.insight.charts.text import safe
from journeykit.insight.flow import JourneyFlow
from journeykit.insight.map.cards import PAD, Card, Label, card_of, labels_of, taken_of
from journeykit.insight.map.graph import END, HELD_OUT, START, Edge, Graph
from journeykit.insight.map.layout import Link, Route, Spot, lay_out
from journeykit.insight.map.pen import Pen, n
from journeykit.model.journey import Journey

_LINE = 16.0
_CUT = 12.0  # of the corners of what parts
_THIN, _THICK = 1.4, 7.0  # ways
_ROUND = 10.0  # of bends

Anchor = Callable[[str], str]
"""Place to the address that its card leads to; empty: none."""


def journey_svg(
    journey: Journey,
    flow: JourneyFlow | None = None,
    *,
    name: str = "map",
    rtl: bool = False,
    alone: bool = True,
    anchor: Anchor | None = None,
) -> str:
    """Draw a journey.

    Args:
        journey: What to draw.
        flow: Its counts; None: only what is defined.
        name: Unique on the page; letters, digits and hyphens.
        rtl: Whether it is read from right to left.
        alone: Whether it is a file of its own, with its colors; on a page it has the
            page's.
        anchor: Where each card leads to; None: the picture has no links.
    """
    graph = Graph.of(journey)
    cards = {id: card_of(place, flow) for id, place in graph.places.items()}
    labels = labels_of(graph, flow)
    laid = lay_out(
        {id: card.size for id, card in cards.items()},
        [
            Link(edge.source, edge.target, None if label is None else label.size)
            for edge, label in zip(graph.edges, labels, strict=True)
        ],
    )
    if rtl:
        laid = laid.mirrored()
    pen = Pen(laid.width, laid.height, name=name, rtl=rtl)
    most = max((_taken(edge, flow) for edge in graph.edges), default=0)
    pen.raw('<g aria-hidden="true">')
    for edge, route in zip(graph.edges, laid.routes, strict=True):
        share = _taken(edge, flow) / most if most else 0.0
        _draw_way(pen, route, share, is_counted=flow is not None)
    for label, route in zip(labels, laid.routes, strict=True):
        if label is not None and route.label is not None:
            _draw_label(pen, label, route.label)
    pen.raw("</g>")
    for id, card in cards.items():
        _draw_card(pen, card, laid.spots[id], anchor(id) if anchor else "")
    return pen.svg(
        title=f"Map of the journey {journey.name or journey.id}",
        about=_about(journey, graph, flow),
        linked=anchor is not None,
        alone=alone,
    )


def _about(journey: Journey, graph: Graph, flow: JourneyFlow | None) -> str:
    steps = len(graph.steps)
    text = f"{steps} step{'s' * (steps != 1)} from top to bottom."
    if flow is None:
        return text
    exited, failed = sum(flow.exited.values()), sum(flow.failed.values())
    return (
        f"{text} {flow.entered:,} entered: {flow.held_out:,} held out, "
        f"{flow.waiting:,} waiting, {flow.completed:,} completed, {exited:,} exited, "
        f"{failed:,} failed."
    )


def _taken(edge: Edge, flow: JourneyFlow | None) -> int:
    return 0 if flow is None else taken_of(edge.source, edge.target, flow)[0]


# --- ways -------------------------------------------------------------------------------


def _draw_way(pen: Pen, route: Route, share: float, *, is_counted: bool) -> None:
    """A line as wide as its share of the busiest way; what nobody went is dotted."""
    thick = _THIN + (_THICK - _THIN) * share
    dash = "2 5" if is_counted and not share else "7 4" if route.back else ""
    *before, last = route.points
    tip_from = before[-1] if before else last
    down = 1.0 if last[1] >= tip_from[1] else -1.0
    end = (last[0], last[1] - 7 * down)
    points = (*before, end)
    pen.path(
        _cornered(points) if route.back else _curved(points),
        thick=thick,
        dash=dash,
    )
    pen.head(*last, (0.0, down))


def _curved(points: Sequence[tuple[float, float]]) -> str:
    """Straight down where it can be, and in a soft curve where it can't."""
    parts = [f"M{n(points[0][0])} {n(points[0][1])}"]
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        if abs(x1 - x2) < 0.5:
            parts.append(f"L{n(x2)} {n(y2)}")
        else:
            middle = n((y1 + y2) / 2)
            parts.append(f"C{n(x1)} {middle} {n(x2)} {middle} {n(x2)} {n(y2)}")
    return "".join(parts)


def _cornered(points: Sequence[tuple[float, float]]) -> str:
    """Level and upright, with round corners."""
    parts = [f"M{n(points[0][0])} {n(points[0][1])}"]
    for before, here, behind in zip(points, points[1:], points[2:], strict=False):
        into = _towards(here, before)
        out = _towards(here, behind)
        parts.append(
            f"L{n(into[0])} {n(into[1])}"
            f"Q{n(here[0])} {n(here[1])} {n(out[0])} {n(out[1])}"
        )
    parts.append(f"L{n(points[-1][0])} {n(points[-1][1])}")
    return "".join(parts)


def _towards(
    here: tuple[float, float], there: tuple[float, float]
) -> tuple[float, float]:
    """A little way from here to there, half of it at most."""
    dx, dy = there[0] - here[0], there[1] - here[1]
    length = abs(dx) + abs(dy)  # all of it is level or upright
    if not length:
        return here
    part = min(_ROUND, length / 2) / length
    return here[0] + dx * part, here[1] + dy * part


def _draw_label(pen: Pen, label: Label, spot: Spot) -> None:
    pen.rect(*spot, radius=4, fill="paper")
    y = spot.y + 14
    for text in label.lines:
        pen.words(spot.middle, y, text, size=11.5, anchor="middle", fill="faint")
        y += 14
    if label.taken:
        pen.words(spot.middle, y, label.taken, size=11.5, anchor="middle", bold=True)


# --- places -----------------------------------------------------------------------------


def _draw_card(pen: Pen, card: Card, spot: Spot, address: str) -> None:
    if address:
        pen.raw(f'<a href="{safe(address)}" aria-label="{safe(card.says)}">')
    else:
        pen.raw("<g>")
    pen.raw(f"<title>{safe(card.says)}</title>")
    _draw_shape(pen, card, spot)
    start = spot.x + spot.width - PAD if pen.rtl else spot.x + PAD
    end = spot.x + PAD if pen.rtl else spot.x + spot.width - PAD
    y = spot.y + PAD + 10
    for place, line in enumerate((*card.head, *card.counts)):
        if card.counts and place == len(card.head):
            pen.line(spot.x + PAD, y - 8, spot.x + spot.width - PAD, y - 8)
            y += 8
        pen.words(
            start,
            y,
            line.text,
            size=line.size,
            bold=line.bold or line.alarming,
            fill="bad" if line.alarming else "faint" if line.faint else "ink",
            room=spot.width - 2 * PAD + 4,
        )
        pen.words(end, y, line.aside, size=13, bold=True, anchor="end")
        y += _LINE
    pen.raw("</a>" if address else "</g>")


def _draw_shape(pen: Pen, card: Card, spot: Spot) -> None:
    """Each kind has its outline, so that color says nothing that shape doesn't."""
    kind, id = card.place.kind, card.place.id
    x, y, width, height = spot
    if id in (START, END, HELD_OUT) or kind == "exit":
        dash = "4 3" if id == HELD_OUT else ""
        pen.rect(*spot, radius=22, fill="wash", stroke="faint", thick=1.5, dash=dash)
        if kind in ("exit", "end"):
            pen.rect(
                x + 3,
                y + 3,
                width - 6,
                height - 6,
                radius=19,
                fill="none",
                stroke="faint",
            )
    elif kind in ("branch", "split", "repeat"):
        pen.polygon(
            (
                (x + _CUT, y),
                (x + width - _CUT, y),
                (x + width, y + _CUT),
                (x + width, y + height - _CUT),
                (x + width - _CUT, y + height),
                (x + _CUT, y + height),
                (x, y + height - _CUT),
                (x, y + _CUT),
            ),
            stroke="ink",
            thick=1.5,
        )
    elif kind in ("wait", "wait_for", "collect"):
        pen.rect(*spot, radius=14, stroke="ink", thick=1.2, dash="6 3")
    elif kind in ("send", "survey"):
        pen.rect(*spot, radius=4, stroke="ink", thick=1.8)
        bar = x + width - 6 if pen.rtl else x
        pen.rect(bar, y, 6, height, radius=2, fill="ink")
    else:
        pen.rect(*spot, radius=4, stroke="ink", thick=1.2)
