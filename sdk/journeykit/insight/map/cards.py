"""What stands on a place of the map: its kind, its name, and its counts, in lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from journeykit.insight.charts.text import in_lines, shortened, width_of
from journeykit.insight.flow import JourneyFlow, StepFlow
from journeykit.insight.map.graph import END, HELD_OUT, START, Graph, Place
from journeykit.insight.map.layout import Size
from journeykit.insight.map.words import (
    KINDS,
    counts_in_words,
    reason_in_words,
    share_in_words,
    time_in_words,
)

WIDTH = 236.0
PAD = 12.0
_LINE = 16.0
_TITLE = 13.0
_SMALL = 12.0
_LABEL_WIDTH = 172.0
_LABEL_SIZE = 11.5
_LABEL_LINE = 14.0


class Line(NamedTuple):
    """A line on a card.

    Attributes:
        text: What it says.
        size: Of the font.
        bold: Whether it is emphasized.
        faint: Whether it is held back.
        alarming: Whether something went wrong.
        aside: What stands at the other side of it.
    """

    text: str
    size: float = _SMALL
    bold: bool = False
    faint: bool = False
    alarming: bool = False
    aside: str = ""


class Card(NamedTuple):
    """A place as it is drawn.

    Attributes:
        place: Which.
        head: What it is.
        counts: What happened there; empty: nobody counted.
        says: The same in one sentence, for who can't see it.
    """

    place: Place
    head: tuple[Line, ...]
    counts: tuple[Line, ...]
    says: str

    @property
    def size(self) -> Size:
        """How large it is."""
        lines = len(self.head) + len(self.counts)
        return Size(WIDTH, 2 * PAD + lines * _LINE + (8 if self.counts else 0))


class Label(NamedTuple):
    """What stands on a way.

    Attributes:
        lines: What must hold for it.
        taken: How many went it; empty: nobody counted.
    """

    lines: tuple[str, ...]
    taken: str

    @property
    def size(self) -> Size:
        """How large it is."""
        texts = [*self.lines, *([self.taken] if self.taken else [])]
        wide = max((width_of(text, size=_LABEL_SIZE) for text in texts), default=0.0)
        return Size(wide + 12, len(texts) * _LABEL_LINE + 6)


def card_of(place: Place, flow: JourneyFlow | None) -> Card:
    """The card of a place."""
    counts = tuple(_counts(place, flow)) if flow is not None else ()
    head = tuple(_head(place, flow))
    said = [KINDS.get(place.kind, place.kind)]
    if place.id not in (START, END, HELD_OUT):
        said.append(place.id)
    said += [place.about, *(line.text for line in counts)]
    if flow is not None and (number := _number(place, flow)):
        said.insert(2, number)
    return Card(
        place, head, counts, ": ".join(filter(None, said[:2])) + _rest(said[2:])
    )


def _rest(said: list[str]) -> str:
    told = ", ".join(filter(None, said))
    return f"; {told}" if told else ""


def _head(place: Place, flow: JourneyFlow | None) -> Iterator[Line]:
    number = _number(place, flow) if flow is not None else ""
    yield Line(KINDS.get(place.kind, place.kind), faint=True, aside=number)
    room = WIDTH - 2 * PAD
    if place.id not in (START, END, HELD_OUT):
        for text in name_lines(place.id, size=_TITLE, room=room):
            yield Line(text, size=_TITLE, bold=True)
    about = place.about
    if about and about != place.id:
        for text in in_lines(about, size=_SMALL, room=room, most=3):
            yield Line(text)
    if place.touchpoint:
        for text in in_lines(
            f"touchpoint {place.touchpoint}", size=_SMALL, room=room, most=1
        ):
            yield Line(text, faint=True)


def name_lines(name: str, *, size: float, room: float) -> Iterator[str]:
    """A name in two lines at most, broken behind a hyphen, a dot or an underscore."""
    bold = size * 1.08
    if width_of(name, size=bold) <= room:
        yield name
        return
    parts = re.findall(r"[^-._]*[-._]?", name)
    first = ""
    for part in parts:
        if first and width_of(first + part, size=bold) > room:
            break
        first += part
    yield shortened(first, size=bold, room=room)
    if rest := name[len(first) :]:
        yield shortened(rest, size=bold, room=room)


def _number(place: Place, flow: JourneyFlow) -> str:
    if place.id == START:
        return f"{flow.entered:,} entered"
    if place.id == END:
        return f"{flow.completed:,}"
    if place.id == HELD_OUT:
        return f"{flow.held_out:,}"
    return f"{flow.step(place.id).arrived:,}"


def _counts(place: Place, flow: JourneyFlow) -> Iterator[Line]:
    if place.id == START:
        if flow.unbegun:
            yield Line(f"{flow.unbegun:,} took no step yet, or never")
        if flow.refused:
            yield from _wrapped(
                Line(f"not entered: {counts_in_words(flow.refused, most=2)}")
            )
    elif place.id not in (END, HELD_OUT):
        for line in step_lines(place, flow.step(place.id)):
            yield from _wrapped(line)


def step_lines(place: Place, step: StepFlow) -> Iterator[Line]:
    """The lines about what happened at a step, as long as they are."""
    if place.kind in ("send", "survey") or step.sent:
        yield Line(f"sent {step.sent:,}", bold=True)
    if step.suppressed:
        yield Line(f"not sent {_of_reasons(step.suppressed)}")
    if step.undelivered:
        yield Line(f"did not arrive {step.undelivered:,}", alarming=True)
    if step.waiting:
        yield Line(f"waiting here {step.waiting:,}")
    if step.median_ms:
        yield Line(f"median time {time_in_words(step.median_ms)}")
    if step.exited and place.kind != "exit":
        yield Line(f"left here {_of_reasons(step.exited)}")
    if step.failed:
        yield Line(f"failed {_of_reasons(step.failed)}", alarming=True)
    if step.missing:
        yield Line(f"! {abs(step.missing):,} don't add up", alarming=True)


def _of_reasons(counts: Mapping[str, int]) -> str:
    """How many, and why: `24: frequency cap`, `30: no consent 20, quiet hours 10`."""
    total = sum(counts.values())
    if len(counts) == 1:
        return f"{total:,}: {reason_in_words(*counts)}"
    return f"{total:,}: {counts_in_words(counts, most=2)}"


def _wrapped(line: Line) -> Iterator[Line]:
    for text in in_lines(line.text, size=line.size, room=WIDTH - 2 * PAD, most=2):
        yield line._replace(text=text)


def labels_of(graph: Graph, flow: JourneyFlow | None) -> list[Label | None]:
    """The label of each way, in their order; None: there is nothing to say."""
    return [_label(edge.source, edge.target, edge.label, flow) for edge in graph.edges]


def _label(
    source: str, target: str, text: str, flow: JourneyFlow | None
) -> Label | None:
    lines = tuple(in_lines(text, size=_LABEL_SIZE, room=_LABEL_WIDTH, most=3))
    taken = ""
    if flow is not None:
        count, share = taken_of(source, target, flow)
        taken = f"{count:,}" + (
            f" · {share_in_words(share)}" if share is not None else ""
        )
    return Label(lines, taken) if lines or taken else None


def taken_of(source: str, target: str, flow: JourneyFlow) -> tuple[int, float | None]:
    """How many went a way, and which share of those who came to where it begins."""
    if source == START:
        elsewhere = flow.unbegun + sum(flow.begun_elsewhere.values())
        taken = flow.held_out if target == HELD_OUT else flow.treated - elsewhere
        return taken, taken / flow.entered if flow.entered else None
    step = flow.step(source)
    if target == END:
        taken = step.completed
    else:
        edge = flow.edge(source, target)
        taken = edge.count if edge is not None else 0
    return taken, taken / step.arrived if step.arrived else None
