"""Envelopes of EventBridge: what a bus hands on, archives, or posts to an API destination.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html

`detail-type` is the event's name, and the detail holds the rest:

    {"customer": "ada", "id": "order-7", "occurred_at": "2026-06-07T12:00:00Z",
     "properties": {"sum": 12.5}, "identifiers": {"email": "a@example.com"}, "test": false}

Only `customer` is needed, or else `identifiers`. Without `id` and `occurred_at` the
envelope's own are taken. Without `properties` all other fields of the detail are the
properties, so that events that are on a bus already can be read as they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from journeykit.errors import InputError
from journeykit.model.events import Event
from journeykit.model.misread import explained
from journeykit.model.plain_text import printable

HTTP = "journeykit.http"
"""The source of what our own HTTP door puts on the bus; template and policy see to it that
nobody else does."""

JOURNEYS = "journeykit.journeys"
"""The source of what journeys publish."""


class Envelope(msgspec.Struct):
    """What EventBridge hands on; its other fields say nothing to us."""

    id: str
    source: str
    time: datetime
    detail: dict[str, Any]
    name: str = msgspec.field(name="detail-type")


class _Detail(msgspec.Struct):
    """What we take of a detail."""

    customer: str = ""
    id: str = ""
    occurred_at: datetime | None = None
    test: bool = False
    properties: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    identifiers: dict[str, str] = {}


class _Stamped(_Detail, kw_only=True):
    """The detail of an event that came in at our own HTTP door."""

    received_at: datetime
    source: str = ""
    history: bool = False


_FIELDS = frozenset({"customer", "id", "identifiers", "occurred_at", "test"})
_decode = msgspec.json.Decoder(Envelope).decode


def bridged_event(line: bytes, received_at: datetime | None) -> Event:
    """Read a line that is an envelope: of an archive, or of an API destination.

    Args:
        line: The envelope, as JSON.
        received_at: The stamp of the door at which it comes in: what it says of another
            door's stamp isn't believed then. None: it comes from a file.

    Raises:
        msgspec.DecodeError: It is none.
        InputError: Its detail is about nobody, or one of our own journeys has published it.
    """
    envelope = _decode(line)
    if envelope.source == JOURNEYS:
        raise InputError(
            f"source: {JOURNEYS!r} is what journeys publish for others; they know of it"
        )
    stamp = received_at or envelope.time
    return event_in(envelope, stamp, is_stamped=received_at is None)


def event_in(envelope: Envelope, received_at: datetime, *, is_stamped: bool) -> Event:
    """Put together what envelope and detail say. Its bounds aren't checked yet.

    Args:
        envelope: The envelope.
        received_at: When it came in.
        is_stamped: Whether our own HTTP door's stamp comes before that, if there is one.

    Raises:
        InputError: The detail can't be read, or is about nobody.
    """
    kind = _Stamped if is_stamped and envelope.source == HTTP else _Detail
    try:
        detail = msgspec.convert(envelope.detail, kind)
    except (ValueError, RecursionError) as error:
        said = f"detail: {unread(error)}"
        if isinstance(error, msgspec.ValidationError):
            said = f"detail.{explained(b'', error)}"  # names and types, and no value
        raise InputError(said) from error
    source, history = envelope.source, False
    if isinstance(detail, _Stamped):
        received_at, source = detail.received_at, detail.source
        history = detail.history
    if not detail.customer and not detail.identifiers:
        raise InputError("detail.customer is missing, and so is detail.identifiers")
    properties = detail.properties
    if properties is msgspec.UNSET:
        properties = {k: v for k, v in envelope.detail.items() if k not in _FIELDS}
    return Event(
        id=detail.id or envelope.id,
        name=envelope.name,
        customer=detail.customer,
        occurred_at=detail.occurred_at or envelope.time,
        received_at=received_at,
        properties=properties,
        source=source,
        test=detail.test,
        identifiers=detail.identifiers,
        history=history,
    )


def unread(error: Exception) -> str:
    """What is wrong, without a word of what stood there."""
    if isinstance(error, RecursionError):
        return "nests too deep to be read"
    if isinstance(error, msgspec.DecodeError | msgspec.ValidationError):
        return printable(str(error))
    return f"can't be read ({type(error).__name__})"
