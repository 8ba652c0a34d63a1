"""What the routes take and answer, in the words of OpenAPI 3.1.

The schemas are made of the types that read the bodies, so they can't say anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from journeykit.http.body import MAX_EVENTS, NDJSON
from journeykit.http.door import Entry, Identify
from journeykit.http.messages import JSON
from journeykit.model.events import NativeLine, SegmentLine

ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
"""What every error looks like."""

ACCEPTED: Mapping[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "error"],
                "properties": {
                    "index": {"type": "integer"},
                    "error": {"type": "string"},
                },
            },
        },
    },
}
"""What is answered to what came in."""

_ANY: Mapping[str, Any] = {}
_ERRORS = {
    400: "malformed, or not a single event was right",
    401: "no key, or an unknown one",
    403: "the key is not for this",
    413: "too large",
    415: "not JSON, not UTF-8, or packed in another way than gzip",
    500: "a mistake of ours; the log has more, by the request's id",
    503: "it can't be stored now; the same again is safe",
}


class Operation(NamedTuple):
    """What a route does.

    Attributes:
        name: Its `operationId`.
        summary: What it is for.
        bodies: The schemas of what it takes, by content type.
        answer: The schema of what it answers.
        errors: The status codes of what may go wrong.
    """

    name: str
    summary: str
    bodies: Mapping[str, Mapping[str, Any]]
    answer: Mapping[str, Any]
    errors: tuple[int, ...]

    @property
    def request_body(self) -> dict[str, Any]:
        """The same bodies as the OpenAPI field `requestBody`; empty: it takes none."""
        content = {kind: {"schema": schema} for kind, schema in self.bodies.items()}
        if not content:
            return {}
        return {"requestBody": {"required": True, "content": content}}

    @property
    def responses(self) -> dict[int, Any]:
        """What may be answered, by status code."""
        return {
            200: _response("done", self.answer),
            **{code: _response(_ERRORS[code], ERROR) for code in self.errors},
        }


def operations() -> Mapping[str, Operation]:
    """Return what each route does, by its path."""
    event: Mapping[str, Any] = {"oneOf": [_schema(NativeLine), _schema(SegmentLine)]}
    events = {"type": "array", "items": event, "maxItems": MAX_EVENTS}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": events}}
    taken: Mapping[str, Mapping[str, Any]] = {
        JSON: {"anyOf": [event, events, batch]},
        NDJSON: {"type": "string", "description": "an event a line"},
    }
    writing = (400, 401, 403, 413, 415, 500, 503)
    health = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": ["ok", "failing"]}},
    }
    return {
        "/v1/events": Operation(
            "track", "Hand events to the journeys.", taken, ACCEPTED, writing
        ),
        "/v1/batch": Operation(
            "batch", "The same, for Segment's libraries.", taken, ACCEPTED, writing
        ),
        "/v1/identify": Operation(
            "identify",
            "Write attributes to a profile.",
            {JSON: _schema(Identify)},
            ACCEPTED,
            writing,
        ),
        "/v1/enroll": Operation(
            "enroll",
            "Enroll a customer into a journey with an api() trigger.",
            {JSON: _schema(Entry)},
            ACCEPTED,
            writing,
        ),
        "/v1/feedback/<channel>": Operation(
            "feedback",
            "Take what a channel's provider says about messages, signed as it signs.",
            {"*/*": _ANY},
            ACCEPTED,
            (413, 500, 503),
        ),
        "/v1/health": Operation("health", "Say whether it works.", {}, health, (503,)),
        "/v1/openapi.json": Operation(
            "openapi", "Say what there is, in OpenAPI.", {}, {"type": "object"}, (401,)
        ),
    }


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a struct, in one piece."""
    _, components = msgspec.json.schema_components([struct])
    return dict(components[struct.__name__])


def _response(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": dict(schema)}}}
