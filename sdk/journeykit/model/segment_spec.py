"""The Segment spec: `track`, `identify`, `page`, `screen`, `group` and `alias`.

    https://segment.com/docs/connections/spec/common/ and the page of each call
    https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/

A client's clock may be wrong, so what it says is corrected as Segment does it: what was
sent and what was received are taken for one instant, and

    occurred = received - (sentAt - timestamp)

That is only done where a door has stamped the line just now. What Segment itself passes on
(a webhook destination, a raw export) has been corrected by Segment: it has the client's word
as `originalTimestamp`, and its `timestamp` is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from journeykit.errors import InputError
from journeykit.model.events import (
    CUSTOMER_ALIASED,
    GROUP_JOINED,
    PAGE_VIEWED,
    PROFILE_UPDATED,
    SCREEN_VIEWED,
    Event,
)
from journeykit.model.zones import is_zone

SOURCE = "segment"
"""The source of all events that came in this spelling."""

CALLS = ("track", "identify", "page", "screen", "group", "alias")
"""The kinds of calls, which are also the paths of Segment's HTTP API."""

ANONYMOUS = "anonymous"
"""The kind of identifier that an `anonymousId` is."""

_CONTEXT = (
    "app",
    "campaign",
    "groupId",
    "locale",
    "os",
    "page",
    "referrer",
    "timezone",
)
"""What an event keeps of its context. Neither `ip` nor `userAgent` nor `device`: they tell
where somebody is and on what, and no journey needs to know."""

_SIXTEEN = 16
_Id = str | int | None
_Object = dict[str, Any] | None


class SegmentLine(msgspec.Struct, rename="camel"):
    """A call of the Segment spec; fields that aren't named here are ignored."""

    type: str = ""
    message_id: str | None = None
    user_id: _Id = None
    anonymous_id: _Id = None
    timestamp: datetime | None = None
    original_timestamp: datetime | None = None
    sent_at: Any = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: _Object = None
    traits: _Object = None
    group_id: _Id = None
    previous_id: _Id = None
    context: _Object = None


class Frame(NamedTuple):
    """What stands around a call.

    Attributes:
        received_at: The door's stamp; None: it comes from a file.
        kind: Which call it is by the path that it came to; empty: `type` says it.
        sent_at: When its batch was sent, by the client's clock.
        context: What the calls of its batch have in common.
    """

    received_at: datetime | None = None
    kind: str = ""
    sent_at: datetime | None = None
    context: Mapping[str, Any] = {}


_decode = msgspec.json.Decoder(SegmentLine).decode
_encode = msgspec.json.Encoder(order="sorted").encode


def segment_event(line: bytes, frame: Frame, place: str = "") -> Event:
    """Read a call. The bounds of its event aren't checked yet.

    Without a `messageId` the id is made of what the call says, so that the same again is
    the same event; one that has no `timestamp` either is a new event each time.

    Raises:
        msgspec.DecodeError: It is none.
        InputError: Something is missing without which it says nothing.
    """
    call = _decode(line)
    if frame.kind and call.type not in ("", frame.kind):
        raise InputError(
            f"type: is {call.type!r:.40}, and this is the place of {frame.kind!r}",
            place=place,
        )
    kind = frame.kind or call.type
    context = call.context or frame.context
    if call.context and frame.context:
        context = {**frame.context, **call.context}
    name, properties = _said(call, kind, context, place)
    customer, anonymous = _text(call.user_id), _text(call.anonymous_id)
    identifiers = {ANONYMOUS: anonymous} if anonymous else {}
    if not customer and not identifiers:
        raise InputError("userId is missing, and so is anonymousId", place=place)
    if kind == "alias" and not identifiers:
        # Beside an anonymousId it stays a property: an event has one value of a kind, and
        # whoever had it is looked up by that, too.
        identifiers = {ANONYMOUS: properties["previous_id"]}
    received_at = frame.received_at or call.timestamp
    if received_at is None:
        raise InputError("timestamp is missing", place=place)
    return Event(
        id=call.message_id or _id_of(call, kind, received_at),
        name=name,
        customer=customer,
        occurred_at=_corrected(call, frame, received_at, place),
        received_at=received_at,
        properties=properties,
        source=SOURCE,
        identifiers=identifiers,
    )


def _said(
    call: SegmentLine, kind: str, context: Mapping[str, Any], place: str
) -> tuple[str, dict[str, Any]]:
    """The name of the event that a call makes, and its properties."""
    if kind == "track":
        if not call.event:
            raise InputError("event: a track line needs the event's name", place=place)
        return call.event, _in_context(call.properties or {}, context)
    if kind == "identify":
        return PROFILE_UPDATED, _attributes(call.traits or {}, context)
    if kind in ("page", "screen"):
        properties = call.properties or {}
        for field, value in (("name", call.name), ("category", call.category)):
            if value:
                properties.setdefault(field, value)
        name = PAGE_VIEWED if kind == "page" else SCREEN_VIEWED
        return name, _in_context(properties, context)
    if kind == "group":
        if not (group := _text(call.group_id)):
            raise InputError("groupId is missing: which group is it?", place=place)
        return GROUP_JOINED, {"group_id": group, "traits": call.traits or {}}
    if kind == "alias":
        if not (previous := _text(call.previous_id)):
            raise InputError("previousId is missing: who was it before?", place=place)
        return CUSTOMER_ALIASED, {"previous_id": previous}
    known = ", ".join(map(repr, CALLS))
    raise InputError(
        f"type: {kind!r:.40} is no call of Segment's; there are {known}", place=place
    )


def _in_context(
    properties: dict[str, Any], context: Mapping[str, Any]
) -> dict[str, Any]:
    """An event's properties, with what is kept of its context."""
    if not context:
        return properties
    kept = {name: context[name] for name in _CONTEXT if context.get(name)}
    if kept:
        properties.setdefault("context", kept)
    return properties


def _attributes(traits: dict[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """What is written to the profile: also the zone and the locale of their device."""
    if not context:
        return traits
    if is_zone(zone := context.get("timezone")):
        traits.setdefault("zone", zone)
    locale = context.get("locale")
    if isinstance(locale, str) and 0 < len(locale) <= _SIXTEEN:
        traits.setdefault("locale", locale)
    return traits


def _corrected(
    call: SegmentLine, frame: Frame, received_at: datetime, place: str
) -> datetime:
    """When it happened, by our clock."""
    said, sent_at = call.timestamp, clock_of(call.sent_at) or frame.sent_at
    if said is None:
        return received_at
    if frame.received_at is None or sent_at is None or call.original_timestamp:
        return said
    if said.tzinfo is None:
        raise InputError(
            f"timestamp: {said.isoformat()} has no offset; add one, such as "
            f"{said.isoformat()}Z",
            place=place,
        )
    try:
        return received_at - (sent_at - said)
    except OverflowError as error:
        raise InputError(f"sentAt: {sent_at:%Y} can't be right", place=place) from error


def clock_of(sent_at: object) -> datetime | None:
    """Return what a client's clock said; None: nothing by which it could be corrected."""
    if not isinstance(sent_at, str):
        return None
    try:
        instant = datetime.fromisoformat(sent_at)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _text(id: _Id) -> str:
    """An id as text; some libraries send the number that it is in their database."""
    return "" if id is None else str(id)


def _id_of(call: SegmentLine, kind: str, received_at: datetime) -> str:
    said = (
        kind,
        call.user_id,
        call.anonymous_id,
        call.timestamp or received_at,
        call.event,
        call.name,
        call.category,
        call.properties,
        call.traits,
        call.group_id,
        call.previous_id,
    )
    return blake2b(_encode(said), digest_size=16).hexdigest()
