"""A journey as places and the ways between them, as a map shows it.

It is made of `journeykit.model.ways`. A Goto is no place of its own: it leaves no trace,
and its way leads to where it goes. The two places of a Repeat are one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from journeykit.insight.map.words import about, kind_of, triggers_in_words, way_labels
from journeykit.model.journey import Journey
from journeykit.model.steps import Goto, Repeat, Step, Wait
from journeykit.model.ways import Way, Ways

START = "\x00start"
"""The place where runs begin; no step's id."""

END = "\x00end"
"""The place where runs end that came to the end of their steps."""

HELD_OUT = "\x00held-out"
"""The place of those who get nothing."""


class Place(NamedTuple):
    """A place on the map.

    Attributes:
        id: A step's id, or one of the three places that are none.
        kind: The step's kind, or `start`, `end`, `held_out`.
        about: What it does, in a few words.
        touchpoint: The declared touchpoint that it is; empty: none.
    """

    id: str
    kind: str
    about: str = ""
    touchpoint: str = ""


class Edge(NamedTuple):
    """A way from one place to another.

    Attributes:
        source: From where.
        target: Whereto.
        label: What must hold, or happen, for it; empty: nothing.
    """

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """The places of a journey and the ways between them, in document order.

    Attributes:
        places: Id to place; the start first, the end last.
        edges: The ways.
        gotos: Goto to the place that it leads to.
        fleeting: The waits that may be over at once, and leave no trace then.
    """

    places: Mapping[str, Place]
    edges: tuple[Edge, ...]
    gotos: Mapping[str, str]
    fleeting: frozenset[str]

    @classmethod
    def of(cls, journey: Journey) -> Graph:
        """Read a journey."""
        ways = Ways(journey)
        places = {START: Place(START, "start", triggers_in_words(journey))}
        edges: dict[tuple[str, str], list[str]] = {}

        def add(source: str, target: str, label: str) -> None:
            labels = edges.setdefault((source, target), [])
            if label not in labels:
                labels.append(label)

        if journey.holdout is not None:
            share = getattr(journey.holdout, "share", journey.holdout)
            places[HELD_OUT] = Place(HELD_OUT, "held_out", f"{share:g} % get nothing")
        add(START, _landing(ways, ways.first), "")
        if HELD_OUT in places:
            add(START, HELD_OUT, "")
        for place, step in ways.steps.items():
            if isinstance(step, Goto):
                continue
            id = step.id or ""
            places.setdefault(
                id, Place(id, kind_of(step), about(step), step.touchpoint or "")
            )
            if step.ends:
                continue
            for way, label in zip(
                ways.on[place], _labels(step, place, ways), strict=True
            ):
                add(id, _landing(ways, way.to), label)
        if any(target == END for _, target in edges):
            places[END] = Place(END, "end", "came to the end")
        return cls(
            places,
            tuple(
                Edge(source, target, " / ".join(filter(None, labels)))
                for (source, target), labels in edges.items()
                if target in places
            ),
            {
                id: _landing(ways, id)
                for id, step in ways.steps.items()
                if isinstance(step, Goto)
            },
            frozenset(
                id
                for id, step in ways.steps.items()
                if isinstance(step, Wait) and not all(way.surely for way in ways.on[id])
            ),
        )

    @property
    def steps(self) -> Mapping[str, Place]:
        """The places that are steps."""
        return {
            id: place for id, place in self.places.items() if not id.startswith("\x00")
        }

    def silently(self, source: str, target: str) -> tuple[str, ...]:
        """The waits between two places, which leave no trace if they are over at once.

        Returns:
            The waits on the shortest such way, in order; empty: there is none.
        """
        ways: list[tuple[str, ...]] = [()]
        seen = {source}
        while ways:
            further = []
            for way in ways:
                for edge in self.on(way[-1] if way else source):
                    if edge.target == target:
                        return way
                    if edge.target in self.fleeting and edge.target not in seen:
                        seen.add(edge.target)
                        further.append((*way, edge.target))
            ways = further
        return ()

    def on(self, id: str) -> tuple[Edge, ...]:
        """The ways on from a place."""
        return tuple(edge for edge in self.edges if edge.source == id)


def _labels(step: Step, place: str, ways: Ways) -> list[str]:
    """What each way on from a place is called."""
    on = ways.on[place]
    if isinstance(step, Repeat):
        return [_of_round(way, step) for way in on]
    if isinstance(step, Wait):
        return ["if the instant has passed or is missing" if w.over else "" for w in on]
    labels = [*way_labels(step)] or [""]
    return [*labels, *([""] * len(on))][: len(on)]


def _of_round(way: Way, step: Repeat) -> str:
    return "" if way.to == step.steps[0].id else "done"


def _landing(ways: Ways, place: str | None) -> str:
    """Where a way really leads: behind any Goto, and to a Repeat itself."""
    seen = set[str]()
    while place is not None:
        step = ways.steps.get(place)
        if step is None:
            return place
        if not isinstance(step, Goto):
            return step.id or ""
        if place in seen:  # two that lead to each other; check refuses them
            return place
        seen.add(place)
        on = ways.on[place]
        if not on:
            return place
        place = on[0].to
    return END
