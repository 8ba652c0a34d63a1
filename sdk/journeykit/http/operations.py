"""What the routes take and answer, in the words of OpenAPI 3.1.

The schemas are made of the types that read the bodies, so they can't say anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from journeykit.http.body import MAX_EVENTS, NDJSON
from journeykit.http.door import INBOX, SOURCE, Entry, Identify
from journeykit.http.feedback import ROUTE
from journeykit.http.inbox import LONGEST_PAGE, PAGE, Act
from journeykit.http.messages import JSON
from journeykit.http.placements import SHOWN, Ask, OwnAsk
from journeykit.links import PATHS
from journeykit.model.cloudevents import BATCHED, STRUCTURED, CloudEventLine
from journeykit.model.envelopes import Envelope
from journeykit.model.native import NativeLine
from journeykit.model.segment_spec import CALLS, SegmentLine

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

NOTICE: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "at", "body", "expires_at", "read_at"],
    "properties": {
        "id": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "body": {"type": "object"},
        "expires_at": {"type": ["string", "null"], "format": "date-time"},
        "read_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
"""A notice of an inbox."""

_ANY: Mapping[str, Any] = {}
_TEXT: Mapping[str, Any] = {"type": "string"}
_HTML = "text/html"
_ERRORS = {
    400: "malformed, or not a single event was right",
    401: "no key, or an unknown one",
    403: "the key is not for this",
    404: "there is no such thing, or the link is not whole",
    410: "the link has expired",
    413: "too large",
    415: "not JSON, not UTF-8, or packed in another way than gzip",
    500: "a mistake of ours; the log has more, by the request's id",
    503: "it can't be stored now; the same again is safe",
}


class Operation(NamedTuple):
    """What a route does by one method.

    Attributes:
        name: Its `operationId`.
        summary: What it is for.
        bodies: The schemas of what it takes, by content type.
        answer: The schema of what it answers.
        errors: The status codes of what may go wrong.
        method: The method.
        kind: The content type of what it answers.
        status: The status code, if all went well.
        needs_body: Whether it takes nothing without a body.
        needs_key: Whether it needs an API key.
        query: The schemas of what may stand in the query, by name.
    """

    name: str
    summary: str
    bodies: Mapping[str, Mapping[str, Any]]
    answer: Mapping[str, Any]
    errors: tuple[int, ...]
    method: str = "POST"
    kind: str = JSON
    status: int = 200
    needs_body: bool = True
    needs_key: bool = True
    query: Mapping[str, Mapping[str, Any]] = {}

    @property
    def extensions(self) -> dict[str, Any]:
        """What OpenAPI says of an operation beside its answers: what it takes."""
        found: dict[str, Any] = {}
        content = {kind: {"schema": schema} for kind, schema in self.bodies.items()}
        if content:
            found["requestBody"] = {"required": self.needs_body, "content": content}
        if not self.needs_key:
            found["security"] = []
        return found

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """What may stand in the query, as OpenAPI has it."""
        return [
            {"name": name, "in": "query", "required": False, "schema": dict(schema)}
            for name, schema in self.query.items()
        ]

    @property
    def responses(self) -> dict[int, Any]:
        """What may be answered, by status code."""
        return {
            self.status: _response("done", self.answer, self.kind),
            **{code: _response(_ERRORS[code], ERROR) for code in self.errors},
        }


def operations() -> Mapping[str, Sequence[Operation]]:
    """Return what each route does, by its path."""
    somebody = [{"required": ["userId"]}, {"required": ["anonymousId"]}]
    call = {**_schema(SegmentLine), "anyOf": somebody}
    typed = {**call, "required": ["type"]}
    cloud = _schema(CloudEventLine)
    event: Mapping[str, Any] = {
        "anyOf": [_schema(NativeLine), typed, cloud, _schema(Envelope)]
    }
    events = {"type": "array", "items": event, "maxItems": MAX_EVENTS}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": events}}
    taken: Mapping[str, Mapping[str, Any]] = {
        JSON: {"anyOf": [event, events, batch]},
        NDJSON: {"type": "string", "description": "an event a line"},
        STRUCTURED: cloud,
        BATCHED: {"type": "array", "items": cloud, "maxItems": MAX_EVENTS},
    }
    writing = (400, 401, 403, 413, 415, 500, 503)
    health = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": ["ok", "failing"]}},
    }
    return {
        "/v1/events": [
            Operation("track", "Hand events to the journeys.", taken, ACCEPTED, writing)
        ],
        "/v1/batch": [
            Operation(
                "batch", "The same, for Segment's libraries.", taken, ACCEPTED, writing
            )
        ],
        "/v1/import": [
            Operation(
                "import", "The same, for others of them.", taken, ACCEPTED, writing
            )
        ],
        **{
            f"/v1/{name}": [
                Operation(
                    f"segment_{name}",
                    f"Take a call {name!r} of Segment's.",
                    {JSON: call},
                    ACCEPTED,
                    writing,
                )
            ]
            for name in CALLS
        },
        "/v1/identify": [
            Operation(
                "identify",
                "Write attributes to a profile.",
                {JSON: {"anyOf": [_schema(Identify), call]}},
                ACCEPTED,
                writing,
            )
        ],
        "/v1/enroll": [
            Operation(
                "enroll",
                "Enroll a customer into a journey with an api() trigger.",
                {JSON: _schema(Entry)},
                ACCEPTED,
                writing,
            )
        ],
        "/v1/decide": [
            Operation(
                "decide",
                "Say what a place in an app or on a page is to show a customer.",
                {JSON: _schema(Ask)},
                SHOWN,
                writing,
            )
        ],
        SOURCE: [
            Operation(
                "source",
                "Take what something outside posts, signed as it signs.",
                {"*/*": _ANY},
                ACCEPTED,
                (400, 401, 413, 500, 503),
                needs_key=False,
            ),
            Operation(
                "source_greet",
                "Answer something outside that asks whether the address is ours.",
                {},
                _TEXT,
                (401, 403, 500, 503),
                method="GET",
                kind="text/plain",
                needs_key=False,
            ),
        ],
        ROUTE: [
            Operation(
                "feedback",
                "Take what a channel's provider says of messages, signed as it signs.",
                {"*/*": _ANY},
                ACCEPTED,
                (413, 500, 503),
                needs_key=False,
            ),
            Operation(
                "greet",
                "Tell a channel's provider that the address is ours, if it asks so.",
                {},
                _TEXT,
                (403, 500, 503),
                method="GET",
                kind="text/plain",
                needs_key=False,
            ),
        ],
        **_inboxes(),
        **_pages(),
        "/v1/health": [
            Operation(
                "health",
                "Say whether it works.",
                {},
                health,
                (503,),
                method="GET",
                needs_key=False,
            )
        ],
        "/v1/openapi.json": [
            Operation(
                "openapi",
                "Say what there is, in OpenAPI.",
                {},
                {"type": "object"},
                (401,),
                method="GET",
            )
        ],
    }


def _inboxes() -> Mapping[str, Sequence[Operation]]:
    limit = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE}
    after = {"type": "string", "description": "`next` of the answer before"}
    placement = {"type": "string", "description": "the place that it was shown at"}
    listed = {
        "type": "object",
        "required": ["notices", "unread", "next"],
        "properties": {
            "notices": {"type": "array", "items": NOTICE},
            "unread": {"type": "integer"},
            "next": {"type": ["string", "null"]},
        },
    }
    return {
        INBOX: [
            Operation(
                "inbox",
                "List a customer's in-app messages, latest first.",
                {},
                listed,
                (400, 401, 403, 500, 503),
                method="GET",
                query={"limit": limit, "after": after, "placement": placement},
            )
        ],
        f"{INBOX}/<notice>/<act>": [
            Operation(
                "act",
                "Say what became of one: `read`, `click` or `dismiss`; or `ask` what a "
                "place, named instead of a notice, is to show.",
                {JSON: {"anyOf": [_schema(Act), _schema(OwnAsk)]}},
                {"anyOf": [NOTICE, SHOWN]},
                (400, 401, 403, 404, 413, 500, 503),
                needs_body=False,
            )
        ],
    }


def _pages() -> Mapping[str, Sequence[Operation]]:
    form = {"application/x-www-form-urlencoded": {"type": "object"}}
    errors = (404, 410, 500, 503)

    def page(name: str, shows: str, does: str) -> Sequence[Operation]:
        asked = Operation(
            name, shows, {}, _TEXT, errors, method="GET", kind=_HTML, needs_key=False
        )
        return [
            asked,
            asked._replace(
                name=f"{name}_done",
                summary=does,
                bodies=form,
                method="POST",
                needs_body=False,
            ),
        ]

    def followed(name: str, summary: str, kind: str, status: int) -> Operation:
        return Operation(
            name,
            summary,
            {},
            _TEXT,
            (404, 500),
            method="GET",
            kind=kind,
            status=status,
            needs_key=False,
        )

    found = {
        "unsubscribe": page(
            "unsubscribe", "Ask whether to unsubscribe.", "Unsubscribe."
        ),
        "preferences": page("preferences", "Show what there is to choose.", "Choose."),
        "confirm": page("confirm", "Ask whether to confirm.", "Confirm."),
        "survey": page("survey", "Ask what a survey asks.", "Answer it."),
        "click": [followed("click", "Lead on to where a link leads.", _HTML, 302)],
        "open": [followed("open", "Show a pixel.", "image/gif", 200)],
    }
    return {f"{path}<token>": found[kind] for kind, path in PATHS.items()}


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a struct, in one piece."""
    _, components = msgspec.json.schema_components([struct])
    return dict(components[struct.__name__])


def _response(
    description: str, schema: Mapping[str, Any], kind: str = JSON
) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": dict(schema)}}}
