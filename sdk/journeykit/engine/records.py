"""Trace entries as lines of JSON: what simulations print and decision logs hold.

A line is an object whose fields `TRACE_SCHEMA` describes. Instants are RFC 3339 in UTC,
and a field that has nothing to say is left out.

`(customer, revision, n)` tells a decision from all others, so a reader that meets one
twice can drop it. A reaction that left the document as it was has no revision of its
own: its decisions count down from -1, and `event` and `source` belong to what tells
them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from journeykit.engine.calendar import isoformat
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import INSTANTS, REASONS

_FIELDS: dict[str, dict[str, Any]] = {
    "customer": {"type": "string", "description": "Whose decision it is."},
    "revision": {
        "type": "integer",
        "minimum": 0,
        "description": "The customer's document after it.",
    },
    "n": {
        "type": "integer",
        "description": "From 0 the decisions that made this revision; below 0 those that "
        "left the document as it was.",
    },
    "at": {
        "type": "string",
        "format": "date-time",
        "description": "The instant on the customer's path.",
    },
    "now": {
        "type": "string",
        "format": "date-time",
        "description": "The wall clock then; in a simulation it is never far from `at`.",
    },
    "kind": {"enum": list(REASONS), "description": "What happened."},
    "journey": {"type": "string", "description": "The journey, if it is about one."},
    "version": {
        "type": "integer",
        "minimum": 1,
        "description": "The journey's version.",
    },
    "enrollment": {"type": "string", "description": "The run's id."},
    "step": {"type": "string", "description": "The step at which the run is."},
    "reason": {"type": "string", "description": "Why, as one word to count by."},
    "event": {
        "type": "string",
        "description": "The id of what was decided on: an event's, a call's; left out "
        "where nothing but time did it.",
    },
    "source": {
        "type": "string",
        "description": "The event's source, which may be empty: the same id of another "
        "source is another event; left out where it is no event.",
    },
    "test": {
        "type": "boolean",
        "description": "Test traffic brought it about: it counts for nothing.",
    },
    "detail": {
        "type": "object",
        "description": "What it was decided on: rule, values, what would have to differ.",
    },
}

TRACE_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A decision",
    "description": "One line of a trace. Fields are only ever added.",
    "type": "object",
    "properties": _FIELDS,
    "required": ["customer", "revision", "n", "at", "now", "kind"],
    "additionalProperties": False,
    "allOf": [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"reason": {"enum": list(reasons)}}},
        }
        for kind, reasons in REASONS.items()
        if reasons is not None
    ],
}
"""The JSON Schema of one line. A kind whose reasons authors name has no list of them."""


class TraceRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A decision as it stands on its line; `TRACE_SCHEMA` describes the fields."""

    customer: str
    revision: int
    n: int
    at: str
    now: str
    kind: str
    journey: str = ""
    version: int = 0
    enrollment: str = ""
    step: str = ""
    reason: str = ""
    event: str = ""
    source: str | None = None
    test: bool = False
    detail: dict[str, Any] = {}


_encode_lines = msgspec.json.Encoder().encode_lines
_text = lru_cache(maxsize=256)(isoformat)  # the decisions of a reaction are of one time


def record_of(
    entry: TraceEntry,
    *,
    customer: str,
    revision: int,
    n: int,
    now: int,
    event: str = "",
    source: str | None = None,
) -> TraceRecord:
    """A decision as a record.

    Args:
        entry: The decision.
        customer: Whose: the id in a simulation's lines, the `log_id` in a log's.
        revision: That of the customer's document after the reaction.
        n: From 0 the place in a reaction that made this revision; from -1 downward that
            in one which left the document as it was.
        now: The wall clock of the reaction, milliseconds.
        event: The id of the event or call that it reacts to.
        source: Whose id it is, if it is an event's; None: it isn't.
    """
    return TraceRecord(
        customer,
        revision,
        n,
        _text(entry.at),
        _text(now),
        entry.kind,
        entry.journey,
        entry.version,
        entry.enrollment,
        entry.step,
        entry.reason,
        event,
        source,
        entry.test,
        _written(entry.detail),
    )


def _written(detail: dict[str, Any]) -> dict[str, Any]:
    """A detail with its instants as text."""
    if not detail or INSTANTS.isdisjoint(detail):
        return detail
    return {
        name: _text(value) if name in INSTANTS and isinstance(value, int) else value
        for name, value in detail.items()
    }


def line_of(
    entry: TraceEntry,
    *,
    customer: str,
    revision: int,
    n: int,
    now: int,
    event: str = "",
    source: str | None = None,
) -> bytes:
    """A decision as its line of JSON, with the line's end; arguments as `record_of`."""
    record = record_of(
        entry,
        customer=customer,
        revision=revision,
        n=n,
        now=now,
        event=event,
        source=source,
    )
    return _encode_lines([record])


def lines_of(
    entries: Iterable[TraceEntry],
    *,
    customer: str,
    revision: int,
    now: int,
    event: str = "",
    source: str | None = None,
    changed: bool = True,
) -> bytes:
    """All decisions of one reaction as lines of JSON, a microsecond each.

    Args:
        entries: The reaction's trace.
        customer: As in `record_of`.
        revision: As in `record_of`.
        now: As in `record_of`.
        event: As in `record_of`.
        source: As in `record_of`.
        changed: Whether the reaction made this revision, or left it as it was.
    """
    now_text, records = _text(now), []
    n, step = (0, 1) if changed else (-1, -1)
    for entry in entries:
        at = entry.at
        records.append(
            TraceRecord(
                customer,
                revision,
                n,
                now_text if at == now else _text(at),
                now_text,
                entry.kind,
                entry.journey,
                entry.version,
                entry.enrollment,
                entry.step,
                entry.reason,
                event,
                source,
                entry.test,
                _written(entry.detail),
            )
        )
        n += step
    return _encode_lines(records)
