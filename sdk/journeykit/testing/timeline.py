"""A simulation as a person reads it: one line per event and decision, days passing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from journeykit.engine.stimuli import Enroll
from journeykit.engine.words import words_of
from journeykit.model.events import Event
from journeykit.model.plain_text import printable
from journeykit.testing.record import Record, Traced

_SHOWN_PROPERTIES = 3
_SHOWN_CHARACTERS = 40


class _Line(NamedTuple):
    now: datetime
    customer: str
    journey: str
    words: str


def timeline(
    record: Record, *, start: datetime, zone: tzinfo, customer: str | None = None
) -> str:
    """Tell what happened, in the order in which it did.

    Left out is what the next line says as well (that a wait is over) and what a
    condition kept from happening; both are in the trace.

    Args:
        record: What was decided.
        start: Where day 1 begins to count.
        zone: Whose clock and calendar to tell it by.
        customer: Only this one's; None: everybody's.
    """
    first = start.astimezone(zone)
    lines = [
        line._replace(now=line.now.astimezone(zone))
        for line in _lines(record, zone)
        if customer in (None, line.customer)
    ]
    if not lines:
        return "nothing has happened"
    days = [(line.now.date() - first.date()).days + 1 for line in lines]
    day_width = len(str(days[-1]))
    customers = max(len(line.customer) for line in lines)
    journeys = max(len(line.journey) for line in lines)
    told = [f"day 1 is {first:%A}, {first:%Y-%m-%d} ({zone})"]
    for day, line in zip(days, lines, strict=True):
        when = f"day {day:>{day_width}}  {line.now:%H:%M}"
        who = f"{line.customer:<{customers}}  {line.journey:<{journeys}}"
        # What customers typed may hold line breaks and terminal commands.
        told.append(printable(f"{when}  {who}  {line.words}").rstrip())
    return "\n".join(told)


def _lines(record: Record, zone: tzinfo) -> Iterator[_Line]:
    position = 0
    for before, stimulus in record.heard:
        yield from _decided(record.trace[position:before], zone)
        position = before
        words = _heard(stimulus)
        yield _Line(stimulus.received_at, stimulus.customer, "", words)
    yield from _decided(record.trace[position:], zone)


def _decided(trace: list[Traced], zone: tzinfo) -> Iterator[_Line]:
    for traced in trace:
        if traced.kind != "unmatched" and (traced.kind, traced.reason) != (
            "went_on",
            "due",
        ):
            words = words_of(traced.entry, zone=zone)
            yield _Line(traced.now, traced.customer, traced.journey, words)


def _heard(stimulus: Event | Enroll) -> str:
    if isinstance(stimulus, Enroll):
        return f"> enroll in {stimulus.journey}{_shown(stimulus.entry)}"
    return f"> {stimulus.name}{_shown(stimulus.properties)}"


def _shown(properties: Mapping[str, Any]) -> str:
    parts = [f"{name} {value}" for name, value in properties.items()]
    more = ", …" if len(parts) > _SHOWN_PROPERTIES else ""
    text = ", ".join(parts[:_SHOWN_PROPERTIES]) + more
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[: _SHOWN_CHARACTERS - 1]}…"
    return f": {text}" if text else ""
