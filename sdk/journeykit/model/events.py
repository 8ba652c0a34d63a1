"""Events: facts about one customer, and the lines in which they come in.

No pydantic here: an event is decoded for every line of a stream. msgspec checks types
while it decodes; what it can't say (bounds, offsets) is checked once, in `checked`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from journeykit.errors import InputError
from journeykit.model.plain_text import printable

PROFILE_UPDATED = "profile.updated"
"""Its properties are written to the profile; null removes an attribute."""

CONSENT_CHANGED = "consent.changed"
"""Properties: `granted` (bool), any of `channel`, `topic`, `purpose`, and `source`."""

CONSENT_REQUESTED = "consent.requested"
"""Properties: any of `channel`, `topic`, and `source`. It waits to be confirmed."""

CONSENT_CONFIRMED = "consent.confirmed"
"""Properties: any of `channel`, `topic`, and `source`. What waits there is a yes now."""

ADDRESS_SUPPRESSED = "address.suppressed"
"""Properties: `channel`, `reason` and, if it is not the profile's, `address`."""

ADDRESS_RESTORED = "address.restored"
"""Properties: `channel` and, if it is not the profile's, `address`."""

MESSAGE_DELIVERED = "message.delivered"
"""Properties: `delivery_id`. It has arrived, as far as the provider can tell."""

MESSAGE_BOUNCED = "message.bounced"
"""Properties: `channel`, `bounce` (`hard` or `soft`) and, if known, `delivery_id`."""

MESSAGE_DEFERRED = "message.deferred"
"""Properties: `delivery_id`. The provider goes on trying."""

MESSAGE_REJECTED = "message.rejected"
"""Properties: `delivery_id`. The provider never sent it: the caps get it back."""

MESSAGE_OPENED = "message.opened"
"""Properties: `channel`, `delivery_id`, and `automated` if a machine did it."""

MESSAGE_CLICKED = "message.clicked"
"""Properties: `channel`, `delivery_id`, `link`, and `automated` if a machine did it."""

MESSAGE_REPLIED = "message.replied"
"""Properties: `channel`, `text`, and `keyword`: `stop`, `start`, `help` or empty."""

MESSAGE_COMPLAINED = "message.complained"
"""Properties: `channel`. The address is suppressed."""

MESSAGE_UNSUBSCRIBED = "message.unsubscribed"
"""Properties: `channel`, `topic`. Marketing consent is withdrawn."""

MESSAGE_DISMISSED = "message.dismissed"
"""Properties: `delivery_id`. It was put away unread, or after it was read."""

MESSAGE_SENT = "message.sent"
"""Properties: `delivery_id`. The provider has taken it."""

MESSAGE_UNCERTAIN = "message.uncertain"
"""Properties: `delivery_id`. Nobody knows whether the provider has it."""

MESSAGE_FAILED = "message.failed"
"""Properties: `delivery_id`. A permanent failure: the caps get the message back."""

MESSAGE = "message."
"""The prefix of all delivery and engagement events."""

ENGAGED = frozenset({MESSAGE_OPENED, MESSAGE_CLICKED, MESSAGE_REPLIED})
"""What a person does with a message, or a machine, and then `automated` says so."""

LEARNED = frozenset(
    {
        PROFILE_UPDATED,
        CONSENT_CHANGED,
        CONSENT_REQUESTED,
        CONSENT_CONFIRMED,
        ADDRESS_SUPPRESSED,
        ADDRESS_RESTORED,
        MESSAGE_BOUNCED,
        MESSAGE_COMPLAINED,
        MESSAGE_UNSUBSCRIBED,
        MESSAGE_FAILED,
        MESSAGE_REJECTED,
        MESSAGE_OPENED,
        MESSAGE_CLICKED,
        MESSAGE_REPLIED,
    }
)
"""What says something about a customer, whether or not a journey hears it."""

CALL_COMPLETED = "call.completed"
"""Properties: `call_id`, `enrollment`, and `result`, an object."""

CALL_FAILED = "call.failed"
"""Properties: `call_id`, `enrollment`, `reason`. Nobody tries it again."""

CALL = "call."
"""The prefix of what comes of an action."""

CALL_RESULTS = frozenset({CALL_COMPLETED, CALL_FAILED})

MAX_LINE = 256 * 1024
"""Bytes of one input line: what EventBridge takes in one entry."""

MAX_NAME = 128
MAX_ID = 256
MAX_DEPTH = 32


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact about one customer.

    Attributes:
        id: The sender's id; the same (source, id) again is the same event again.
        name: What happened, in the past tense: `order.placed`.
        customer: Whom it is about.
        properties: What is known about it: JSON values.
        occurred_at: When it happened, by the sender's word.
        received_at: When it came in at the first door; stamped there once.
        source: Who says so.
        test: Whether it is test traffic.
    """

    id: str
    name: str
    customer: str
    occurred_at: datetime
    received_at: datetime
    properties: dict[str, Any] = {}
    source: str = ""
    test: bool = False


class NativeLine(msgspec.Struct, forbid_unknown_fields=True):
    """An event as a line of JSON in our own spelling."""

    id: str
    name: str
    customer: str
    occurred_at: datetime
    properties: dict[str, Any] = {}
    received_at: datetime | None = None
    source: str = ""
    test: bool = False


class SegmentLine(msgspec.Struct, rename="camel"):
    """A line of the Segment protocol: `track` or `identify`; other fields are ignored."""

    type: str
    message_id: str
    user_id: str
    timestamp: datetime
    event: str = ""
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}


class _Spelling(msgspec.Struct, rename="camel"):
    """The fields by which a line shows whose spelling it is; values are passed over."""

    message_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    user_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    anonymous_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    name: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


Format = Literal["auto", "native", "segment"]

_native = msgspec.json.Decoder(NativeLine)
_segment = msgspec.json.Decoder(SegmentLine)
_spelling = msgspec.json.Decoder(_Spelling)


def decode_event(
    line: bytes,
    *,
    place: str = "",
    format: Format = "auto",
    received_at: datetime | None = None,
) -> Event:
    """Read one line of JSON as an event.

    Args:
        line: One JSON object: our own spelling, or Segment's `track` and `identify`.
        place: Where the line stands, for the error: `events.jsonl:17`.
        format: Which spelling; `auto` takes a line for Segment's that has one of its
            ids, or a `type` and no `name`.
        received_at: The door's stamp. Without one the event clock counts: it was
            received when it occurred.

    Raises:
        InputError: The line is no event; the message says which field and what to do.
    """
    if len(line) > MAX_LINE:
        raise InputError(
            f"a line may have {MAX_LINE} bytes, this one has {len(line)}", place=place
        )
    try:
        if format == "segment" or (format == "auto" and _is_segments(line)):
            return checked(
                _from_segment(_segment.decode(line), received_at, place), place
            )
        native = _native.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(_explained(line, error), place=place) from error
    event = Event(
        id=native.id,
        name=native.name,
        customer=native.customer,
        occurred_at=native.occurred_at,
        received_at=received_at or native.received_at or native.occurred_at,
        properties=native.properties,
        source=native.source,
        test=native.test,
    )
    _check_frame(event, place)
    # A decoder has looked at each value already; only these two it lets through.
    is_long = _LONG_NUMBER in line.translate(
        _TO_ZEROS
    )  # a regex takes 20 times as long
    if is_long or line.count(b"{") + line.count(b"[") > MAX_DEPTH:
        _check_json("properties", event.properties, place)
    return event


def _is_segments(line: bytes) -> bool:
    """Whether a line is in Segment's spelling; our own has none of these words."""
    if not (b'Id"' in line or b'"type"' in line):
        return False
    keys = _spelling.decode(line)
    ids = (keys.message_id, keys.user_id, keys.anonymous_id)
    if any(id is not msgspec.UNSET for id in ids):
        return True
    return keys.type is not msgspec.UNSET and keys.name is msgspec.UNSET


def _from_segment(line: SegmentLine, received_at: datetime | None, place: str) -> Event:
    if line.type == "track" and not line.event:
        raise InputError("event: a track line needs the event's name", place=place)
    if line.type == "track":
        name, properties = line.event, line.properties
    elif line.type == "identify":
        name, properties = PROFILE_UPDATED, line.traits
    else:
        raise InputError(
            f"type: Segment's {line.type!r} is not taken; send 'track' or 'identify'",
            place=place,
        )
    return Event(
        id=line.message_id,
        name=name,
        customer=line.user_id,
        occurred_at=line.timestamp,
        received_at=received_at or line.timestamp,
        properties=properties,
        source="segment",
    )


def checked(event: Event, place: str = "") -> Event:
    """Return the event if it keeps the bounds of every door.

    Raises:
        InputError: It does not; the message names the field.
    """
    _check_frame(event, place)
    _check_json("properties", event.properties, place)
    return event


def _check_frame(event: Event, place: str) -> None:
    """Refuse an event whose own fields keep no bounds."""
    name, customer, id, source = event.name, event.customer, event.id, event.source
    text = f"{name}{customer}{id}{source}"
    if not (
        0 < len(name) <= MAX_NAME
        and 0 < len(customer) <= MAX_ID
        and 0 < len(id) <= MAX_ID
        and len(source) <= MAX_ID
        and ((text.isascii() and text.isprintable()) or _is_text(text))
    ):
        _check_named("name", name, MAX_NAME, place)
        _check_named("customer", customer, MAX_ID, place)
        _check_named("id", id, MAX_ID, place)
        raise InputError(f"source: {source!r:.80} is not plain text", place=place)
    _check_instant("occurred_at", event.occurred_at, place)
    if event.received_at is not event.occurred_at:
        _check_instant("received_at", event.received_at, place)


class Call(Protocol):
    """What an enroll call holds: `journeykit.engine.react.Enroll` is one."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def journey(self) -> str: ...  # noqa: D102
    @property
    def customer(self) -> str: ...  # noqa: D102
    @property
    def received_at(self) -> datetime: ...  # noqa: D102
    @property
    def entry(self) -> dict[str, Any]: ...  # noqa: D102


CallT = TypeVar("CallT", bound=Call)


def checked_call(call: CallT, place: str = "") -> CallT:
    """Return the enroll call if it keeps the bounds of every door.

    Raises:
        InputError: It does not; the message names the field.
    """
    _check_named("journey", call.journey, MAX_NAME, place)
    _check_named("customer", call.customer, MAX_ID, place)
    _check_named("id", call.id, MAX_ID, place)
    _check_instant("received_at", call.received_at, place)
    _check_json("entry", call.entry, place)
    return call


def _check_named(field: str, value: str, most: int, place: str) -> None:
    if not value or len(value) > most:
        raise InputError(
            f"{field}: needs 1 to {most} characters, has {len(value)}", place=place
        )
    if not _is_text(value):
        raise InputError(f"{field}: {value!r} is not plain text", place=place)


def _check_instant(field: str, instant: datetime, place: str) -> None:
    if instant.tzinfo is None:
        raise InputError(
            f"{field}: {instant.isoformat()} has no offset; add one, such as "
            f"{instant.isoformat()}Z",
            place=place,
        )
    if not 1970 <= instant.year <= 9000:
        raise InputError(
            f"{field}: the year {instant.year} can't be right", place=place
        )


def _check_json(field: str, value: dict[str, Any], place: str) -> None:
    if value and (wrong := _not_json(value, field, MAX_DEPTH)):
        # The path in it is made of keys that somebody typed.
        raise InputError(printable(wrong), place=place)


def _is_text(value: str) -> bool:
    """Whether a name has neither control characters nor half a character."""
    return _CONTROL.search(value) is None


_LONG_NUMBER = b"0" * 19
_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _not_json(value: object, path: str, depth: int) -> str:
    """Why a value can't stand in JSON, or nests too deep; empty if it can."""
    if isinstance(value, str):
        whole = value.isascii() or _SURROGATE.search(value) is None
        return "" if whole else f"{path}: holds half a character (a lone surrogate)"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            return f"{path}: a number has more than 64 bits; send it as text"
        return ""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{path}: {value} is not a JSON number"
    if depth == 0:
        return f"{path}: nests deeper than {MAX_DEPTH} levels"
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                return f"{path}: the key {key!r} is not text"
            if wrong := _not_json(part, f"{path}.{key}", depth - 1):
                return wrong
        return ""
    if isinstance(value, list | tuple):
        for part in value:
            if wrong := _not_json(part, path, depth - 1):
                return wrong
        return ""
    return f"{path}: a {type(value).__name__} is not a JSON value"


_AT = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WRONG = re.compile(r"Expected `(.+)`, got `(.+)`")
_DATE_TIME = "is no date-time; write one with an offset, such as 2026-06-07T12:00:00Z"


def _explained(line: bytes, error: Exception) -> str:
    """Say what is wrong with a line in words that lead to the way out."""
    if isinstance(error, RecursionError):
        return f"nests deeper than {MAX_DEPTH} levels"
    if not isinstance(error, msgspec.ValidationError):
        shown = printable(line[:60].decode("utf-8", "replace"))
        return f"not a line of JSON ({error}): {shown}"
    text, path = str(error), ""
    if found := _AT.search(text):
        text, path = text[: found.start()], f"{printable(found[1])}: "
    if found := _MISSING.fullmatch(text):
        known = b'"anonymousId"' in line and found[1] == "userId"
        why = "; an anonymousId is nobody yet" if known else ""
        return f"{path}{found[1]} is missing{why}"
    if found := _UNKNOWN.fullmatch(text):
        fields = [field.name for field in msgspec.structs.fields(NativeLine)]
        near = get_close_matches(found[1], fields, n=1)
        way_out = f"did you mean {near[0]!r}?" if near else "put it into 'properties'"
        return f"{path}{printable(found[1])!r} is no field of an event; {way_out}"
    if found := _WRONG.fullmatch(text):
        return f"{path}is of type {found[2]}, needs {found[1]}"
    if "RFC3339" in text or "timezone" in text:
        return f"{path}{_DATE_TIME}"
    return f"{path}{printable(text)}"


def instant(text: str | datetime, *, place: str = "") -> datetime:
    """Read a date-time that must say its offset, as aware UTC.

    Raises:
        InputError: It is naive, or no date-time.
    """
    try:
        value = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as error:
        raise InputError(
            f"{text!r} is no date-time; write 2026-06-07T12:00:00Z", place=place
        ) from error
    if value.tzinfo is None:
        raise InputError(
            f"{value.isoformat()} has no offset; write {value.isoformat()}Z",
            place=place,
        )
    return value.astimezone(UTC)
