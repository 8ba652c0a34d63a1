"""The whole customer journey as a picture: stages side by side, what is in each below.

Arcs above are moves to later stages, arcs below the heads are moves back; the wider, the
more. Rows stand beside each other, so that one reads down a stage and along a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from journeykit.insight.charts.text import in_lines, width_of
from journeykit.insight.map.pen import Pen, n
from journeykit.insight.map.words import people_in_words, share_in_words
from journeykit.insight.stages import NO_STAGE, Met, StageColumn, StageMap, StageMove

_COLUMN = 146.0  # as narrow as words allow: on A4 letters are then of 7 points
_GAP = 8.0
_SIDE = 100.0  # for the names of the rows
_MARGIN = 2.0
_PAD = 6.0
_LINE = 16.0
_SIZE = 12.0
_HEAD = 52.0
_POINT = 14.0  # of the heads, which are arrows
_ARC = 24.0  # per stage that an arc goes over
_MOST_LINES = 4  # of one note; the page and the lists have all of it

NOTES = (
    ("actions", "Actions"),
    ("motivation", "Motivation"),
    ("questions", "Questions"),
    ("friction", "Friction"),
)
"""What authors note at touchpoints, and what the rows are called."""


class _Text(NamedTuple):
    text: str
    bold: bool = False
    faint: bool = False
    gap: bool = False  # whether something new begins


def stage_svg(
    map: StageMap, *, name: str = "stages", rtl: bool = False, alone: bool = True
) -> str:
    """Draw the map of the stages.

    Args:
        map: What to draw.
        name: Unique on the page; letters, digits and hyphens.
        rtl: Whether it is read from right to left.
        alone: Whether it is a file of its own, with its colors; on a page it has the
            page's.
    """
    rows = list(_rows(map))
    heights = [
        max([_LINE * len(_row_title(title)) + 8, *(_height(cell) for cell in cells)])
        + _PAD
        for title, cells in rows
    ]
    order = {column.id: place for place, column in enumerate(map.columns)}
    between = [m for m in map.moves if m.source in order and m.target in order]
    up = max((order[m.target] - order[m.source] for m in between), default=0)
    down = max((order[m.source] - order[m.target] for m in between), default=0)
    above = _ARC * up + 20 if up > 0 else 0.0
    below = _ARC * down + 20 if down > 0 else 0.0
    width = 2 * _MARGIN + _SIDE + len(map.columns) * (_COLUMN + _GAP) - _GAP
    about = f"{map.persona.name} only" if map.persona is not None else ""
    top = _MARGIN + above + (24 if about else 0)
    body = top + _HEAD + below + _GAP
    height = body + sum(heights) + _MARGIN
    pen = Pen(width, height, name=name, rtl=rtl)

    def left(x: float, wide: float) -> float:
        return width - x - wide if rtl else x

    def column_x(place: int) -> float:
        return left(_MARGIN + _SIDE + place * (_COLUMN + _GAP), _COLUMN)

    pen.words(
        width - _MARGIN if rtl else _MARGIN, _MARGIN + 14, about, size=14, bold=True
    )
    _draw_moves(pen, between, order, [column_x(p) for p in order.values()], top)
    for place, column in enumerate(map.columns):
        _draw_head(pen, column, column_x(place), top, map)
    y = body
    for (title, cells), tall in zip(rows, heights, strict=True):
        pen.line(_MARGIN, y, width - _MARGIN, y, stroke="faint")
        start = width - _MARGIN if rtl else _MARGIN
        for number, text in enumerate(_row_title(title)):
            pen.words(start, y + 18 + number * _LINE, text, bold=True)
        for place, cell in enumerate(cells):
            _draw_cell(pen, cell, column_x(place), y)
        y += tall
    return pen.svg(
        title=f"Map of the customer journey: {map.title}",
        about=_about(map),
        alone=alone,
    )


def _row_title(title: str) -> list[str]:
    return in_lines(title, size=_SIZE * 1.08, room=_SIDE - 8, most=3)


def _about(map: StageMap) -> str:
    said = []
    for column in map.columns:
        people = f", {column.people:,} people" if column.people is not None else ""
        said.append(
            f"{column.name}{people}: {len(column.touchpoints)} touchpoints, "
            f"{len(column.journeys)} journeys"
        )
    return f"{len(map.columns)} stages side by side. {'; '.join(said)}."


# --- moves ------------------------------------------------------------------------------


def _draw_moves(
    pen: Pen,
    moves: Sequence[StageMove],
    order: dict[str, int],
    columns: Sequence[float],
    top: float,
) -> None:
    """Arcs from stage to stage, later ones above the heads, earlier ones below."""
    most = max((move.count for move in moves), default=0)
    for move in moves:
        source, target = order[move.source], order[move.target]
        if source == target:
            continue
        ahead = target > source
        span = abs(target - source)
        # What leaves a head leaves it before its middle, what comes in behind it.
        aside = 26.0 if (columns[target] > columns[source]) else -26.0
        x1 = columns[source] + _COLUMN / 2 + aside
        x2 = columns[target] + _COLUMN / 2 - aside
        y = top - 3 if ahead else top + _HEAD + 3
        side = -1 if ahead else 1
        tall = (_ARC * span + 4) * 4 / 3  # a cubic reaches three quarters of it
        tip = y + side * 8
        pen.path(
            f"M{n(x1)} {n(y)}C{n(x1)} {n(y + side * tall)} "
            f"{n(x2)} {n(y + side * tall)} {n(x2)} {n(tip)}",
            stroke="series-1" if ahead else "faint",
            thick=1.4 + 5 * move.count / most,
            dash="" if ahead else "6 4",
        )
        fill = "series-1" if ahead else "faint"
        pen.head(x2, y, (0.0, -side), fill=fill)
        apex = y + side * tall * 0.75
        text = f"{move.count:,}"
        wide = 8.0 * len(text) + 8
        pen.rect((x1 + x2 - wide) / 2, apex - 9, wide, 17, radius=4)
        pen.words((x1 + x2) / 2, apex + 4, text, anchor="middle", bold=True)


# --- columns ----------------------------------------------------------------------------


def _draw_head(
    pen: Pen, column: StageColumn, x: float, y: float, map: StageMap
) -> None:
    """An arrow towards the next stage."""
    flip = -1.0 if pen.rtl else 1.0
    back = x + _COLUMN if pen.rtl else x
    tip = x if pen.rtl else x + _COLUMN
    pen.polygon(
        (
            (back, y),
            (tip - flip * _POINT, y),
            (tip, y + _HEAD / 2),
            (tip - flip * _POINT, y + _HEAD),
            (back, y + _HEAD),
        ),
        fill="wash",
        stroke="ink",
        thick=1.5,
    )
    start = back + flip * _PAD
    room = _COLUMN - _POINT - 2 * _PAD
    people = people_of(column, map)
    if width_of(people, size=_SIZE) > room:
        people = people.replace(" people", "")  # rather than the share
    at = y + (21 if people else 31)
    pen.words(start, at, column.name, size=14, bold=True, room=room)
    pen.words(start, y + 40, people, room=room, fill="faint")


def people_of(column: StageColumn, map: StageMap) -> str:
    """Who is in a stage, and which share of everybody in one: `1,200 people · 40 %`."""
    if column.people is None:
        return ""
    share = f" · {share_in_words(column.people / map.people)}" if map.people else ""
    return f"{people_in_words(column.people)}{share}"


def _rows(map: StageMap) -> Iterator[tuple[str, list[list[_Text]]]]:
    if any(move.source == NO_STAGE or move.target == NO_STAGE for move in map.moves):
        yield "Came and went", [[*_outside(map, each.id)] for each in map.columns]
    yield "Journeys", [[*_journeys(column)] for column in map.columns]
    yield "Touchpoints", [[*_touchpoints(column)] for column in map.columns]
    for what, title in NOTES:
        cells = [[*_notes(column.notes(what))] for column in map.columns]
        if any(cells):
            yield title, cells
    for persona in map.personas:
        if persona.stages:
            yield (
                persona.name,
                [
                    [
                        _Text(
                            f"{persona.stages.get(each.id, 0):,} of {persona.people:,}",
                            gap=True,
                        )
                    ]
                    for each in map.columns
                ],
            )


def _outside(map: StageMap, id: str) -> Iterator[_Text]:
    for move in map.moves:
        if (move.source, move.target) == (NO_STAGE, id):
            yield from _several(f"{move.count:,} came in from no stage", gap=True)
        elif (move.source, move.target) == (id, NO_STAGE):
            yield from _several(f"{move.count:,} left to no stage", gap=True)


def _journeys(column: StageColumn) -> Iterator[_Text]:
    for journey in column.journeys:
        yield from _several(journey.name, bold=True, gap=True)
        if journey.entered is not None:
            yield _Text(f"{journey.entered:,} entered")
            yield _Text(f"{journey.waiting:,} under way")
        if journey.reached is not None:
            yield _Text(f"{journey.reached:,} reached a goal")
    if not column.journeys:
        yield _Text("none", faint=True, gap=True)


def _touchpoints(column: StageColumn) -> Iterator[_Text]:
    for met in column.touchpoints:
        yield from _several(met.id, bold=True, gap=True)
        yield _Text(f"{met.channel}, {kind_of_met(met)}", faint=True)
        if counts := counts_of_met(met):
            yield from _several(counts)
    if not column.touchpoints:
        yield _Text("none", faint=True, gap=True)


def kind_of_met(met: Met) -> str:
    """How a touchpoint comes to be: `sent`, `observed`, both, or neither."""
    kinds = [*(["sent"] if met.steps else []), *(["observed"] if met.event else [])]
    return " and ".join(kinds) or "never seen"


def counts_of_met(met: Met) -> str:
    """What happened at a touchpoint: `sent 1,200 to 800 people`."""
    said = []
    if met.sent is not None:
        said.append(f"sent {met.sent:,}")
    if met.observed is not None:
        said.append(f"seen {met.observed:,}")
    if not said:
        return ""
    people = "" if met.people is None else f", {people_in_words(met.people)}"
    return f"{', '.join(said)}{people}"


def _notes(notes: Sequence[str]) -> Iterator[_Text]:
    for note in notes:
        yield from _several(note, gap=True)


def _several(text: str, *, bold: bool = False, gap: bool = False) -> Iterator[_Text]:
    size = _SIZE * 1.08 if bold else _SIZE
    room = _COLUMN - 2 * _PAD
    for number, line in enumerate(
        in_lines(text, size=size, room=room, most=_MOST_LINES)
    ):
        yield _Text(line, bold=bold, gap=gap and not number)


def _height(cell: Sequence[_Text]) -> float:
    return sum(_LINE + (5 if text.gap else 0) for text in cell) + 4


def _draw_cell(pen: Pen, cell: Sequence[_Text], x: float, y: float) -> None:
    start = x + _COLUMN - _PAD if pen.rtl else x + _PAD
    y += 2
    for text in cell:
        y += _LINE + (5 if text.gap else 0)
        pen.words(
            start,
            y - 4,
            text.text,
            bold=text.bold,
            fill="faint" if text.faint else "ink",
            room=_COLUMN - 2 * _PAD + 4,
        )
