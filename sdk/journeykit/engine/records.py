"""Trace entries as lines of JSON: what simulations print and decision logs hold.

A line is an object whose fields `TRACE_SCHEMA` describes. Instants are RFC 3339 in UTC,
and a field that has nothing to say is left out. `(customer, revision, n)` tells a
decision from all others, so a reader that meets one twice can drop it.
"""

from __future__ import annotations

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
        "minimum": 0,
        "description": "Counts the decisions that left the document at this revision.",
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


class TraceRecord(msgspec.Struct, frozen=True, omit_defaults=True):
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
    detail: dict[str, Any] = {}


_encode = msgspec.json.Encoder().encode
_text = lru_cache(maxsize=256)(isoformat)  # the decisions of a reaction are of one time


def record_of(
    entry: TraceEntry, *, customer: str, revision: int, n: int, now: int
) -> TraceRecord:
    """A decision as a record.

    Args:
        entry: The decision.
        customer: Whose.
        revision: That of the customer in the reaction.
        n: How many decisions left the document at this revision before it.
        now: The wall clock of the reaction, milliseconds.
    """
    detail = entry.detail
    if not INSTANTS.isdisjoint(detail):
        detail = dict(detail)
        for name in INSTANTS & detail.keys():
            if isinstance(detail[name], int):
                detail[name] = _text(detail[name])
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
        detail,
    )


def line_of(
    entry: TraceEntry, *, customer: str, revision: int, n: int, now: int
) -> bytes:
    """A decision as its line of JSON, with the line's end; arguments as `record_of`."""
    return (
        _encode(record_of(entry, customer=customer, revision=revision, n=n, now=now))
        + b"\n"
    )
