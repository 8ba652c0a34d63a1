"""What happened to one customer, line by line, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from journeykit.cli.terminal import faint, strong, width, wrapped
from journeykit.engine.calendar import to_ms
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import instant_in_words, words_of
from journeykit.model.events import Event
from journeykit.model.plain_text import printable

Moment = Event | TraceEntry

_PROPERTIES = 2
_CHARACTERS = 48
_JOURNEY = 20  # columns at most


def story(moments: Sequence[Moment], *, zone: tzinfo) -> Iterator[str]:
    """Tell what happened, in order: when, in which journey, what.

    Left out is what the next line says as well, that a wait is over, and what a
    condition kept from happening; `journeykit why` tells these.

    Args:
        moments: Events and decisions, each in their order.
        zone: Whose clock to tell it by.
    """
    shown = [moment for moment in moments if not _goes_without_saying(moment)]
    # What is due at the instant of an event happens after it.
    shown.sort(key=lambda moment: (instant_of(moment), isinstance(moment, TraceEntry)))
    journeys = [m.journey for m in shown if isinstance(m, TraceEntry)]
    column = min(max(map(len, journeys), default=0), _JOURNEY)
    before = ""
    for moment in shown:
        when = instant_in_words(instant_of(moment), zone=zone)
        told = when if when != before else " " * len(when)
        before = when
        if isinstance(moment, Event):
            words, journey = event_in_words(moment), ""
        else:
            words, journey = words_of(moment, zone=zone), moment.journey
        journey = f"{printable(journey)[:column]:<{column}}"
        indent = " " * (len(when) + column + 6)
        first, *rest = wrapped(words, first=indent, indent=indent)
        is_event = isinstance(moment, Event)
        body = first[len(indent) :]
        body = faint(body) if is_event else _emphasized(moment, body)
        yield f"  {faint(told)}  {journey}  {body}"
        yield from rest


def instant_of(moment: Moment) -> int:
    """When something happened; a decision happens on the customer's path."""
    return moment.at if isinstance(moment, TraceEntry) else to_ms(moment.occurred_at)


def event_in_words(event: Event) -> str:
    """An event with the first of its properties: `> purchase: sales_value 19.47, …`."""
    said = shown_properties(event.properties)
    return f"> {event.name}: {said}" if said else f"> {event.name}"


def shown_properties(properties: Mapping[str, Any]) -> str:
    """The first properties, cut to what fits; ids say the least and come last."""
    names = sorted(properties, key=lambda name: name.endswith("id"))
    parts = [f"{name} {properties[name]}" for name in names]
    text = ", ".join(parts[:_PROPERTIES])
    if len(text) > _CHARACTERS:
        return f"{text[: _CHARACTERS - 1]}…"
    return f"{text}, …" if len(parts) > _PROPERTIES else text


def rule(title: str) -> str:
    """A heading that spans the terminal."""
    title = printable(title)
    line = "─" * max(0, width() - len(title) - 1)
    return f"{strong(title)} {faint(line)}"


def _goes_without_saying(moment: Moment) -> bool:
    return isinstance(moment, TraceEntry) and (
        moment.kind == "unmatched" or (moment.kind, moment.reason) == ("went_on", "due")
    )


def _emphasized(moment: Moment, text: str) -> str:
    loud = isinstance(moment, TraceEntry) and moment.kind in ("sent", "goal")
    return strong(text) if loud else text
