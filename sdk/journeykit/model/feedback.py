"""The words of feedback: answers to surveys, reviews and tickets, as JSON Schema.

The names are in `journeykit.model.events`. With `[ingest] schemas = "enforce"` their
properties are checked by these, unless a workspace declares its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeykit.model.events import (
    REVIEW_POSTED,
    SURVEY_ANSWERED,
    TICKET_CLOSED,
    TICKET_OPENED,
)
from journeykit.model.surveys import SURVEY_KINDS

_TEXT = {"type": "string"}
_RATING = {"type": "number"}
_SCALE = {"type": "number", "exclusiveMinimum": 0}

FEEDBACK: Mapping[str, Mapping[str, Any]] = {
    SURVEY_ANSWERED: {
        "type": "object",
        "required": ["survey", "kind"],
        "properties": {
            "survey": _TEXT,
            "kind": {"enum": [*SURVEY_KINDS]},
            "score": _RATING,
            "group": _TEXT,
            "text": _TEXT,
            "channel": _TEXT,
            "delivery_id": _TEXT,
        },
    },
    REVIEW_POSTED: {
        "type": "object",
        "required": ["rating"],
        "properties": {
            "rating": _RATING,
            "scale": _SCALE,
            "product": _TEXT,
            "text": _TEXT,
            "channel": _TEXT,
            "review": _TEXT,
        },
    },
    TICKET_OPENED: {
        "type": "object",
        "required": ["ticket"],
        "properties": {
            "ticket": _TEXT,
            "subject": _TEXT,
            "topic": _TEXT,
            "channel": _TEXT,
            "priority": {"enum": ["low", "normal", "high", "urgent"]},
        },
    },
    TICKET_CLOSED: {
        "type": "object",
        "required": ["ticket"],
        "properties": {
            "ticket": _TEXT,
            "resolution": _TEXT,
            "minutes": {"type": "number", "minimum": 0},
            "rating": _RATING,
            "scale": _SCALE,
        },
    },
}
"""The properties of each; others may stand beside them."""
