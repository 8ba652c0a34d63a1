"""Events: facts about one customer, the names that mean something, and their bounds.

The spellings in which events come in are in `journeykit.model.formats`. msgspec checks types
while it decodes; what it can't say (bounds, offsets) is checked once, in `checked`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

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

SCORE_UPDATED = "score.updated"
"""Properties: `name` of the score, and its `value`: a number, a name, or null for none."""

PLACEMENT_REQUESTED = "placement.requested"
"""Properties: `placement`, where an app or a page asks what to show; and its own."""

LIST_JOINED = "list.joined"
"""Properties: `list`, a static list that the customer is on from now on."""

LIST_LEFT = "list.left"
"""Properties: `list`."""

SURVEY_ANSWERED = "survey.answered"
"""Properties: `survey`, its name; `kind` (`nps`, `csat`, `ces`, `text`); `score` and the
`group` that it is in, where the kind has them; `text`; `channel` and `delivery_id` of the
message that asked. An answer to a message counts once."""

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
        SCORE_UPDATED,
        LIST_JOINED,
        LIST_LEFT,
        SURVEY_ANSWERED,
    }
)
"""What says something about a customer, whether or not a journey hears it."""

REVIEW_POSTED = "review.posted"
"""Properties: `rating`, a number, of `scale` (5 if it isn't there); `product`, `text`,
`channel` (where it was posted), `review`, by which the place that has it names it."""

TICKET_OPENED = "ticket.opened"
"""Properties: `ticket`, by which the help desk names it; `subject`, `topic`, `channel`,
`priority`: `low`, `normal`, `high` or `urgent`."""

TICKET_CLOSED = "ticket.closed"
"""Properties: `ticket`, and `resolution`: `solved` or another word; `minutes` that it was
open, `rating` of `scale`, if the customer was asked how it went."""

PAGE_VIEWED = "page.viewed"
"""Segment's `page`: its properties, with `name` and `category`."""

SCREEN_VIEWED = "screen.viewed"
"""Segment's `screen`: its properties, with `name` and `category`."""

GROUP_JOINED = "group.joined"
"""Segment's `group`: `group_id`, and the group's `traits`."""

CUSTOMER_ALIASED = "customer.aliased"
"""Segment's `alias`: `previous_id`, which is an identifier of the customer's from now on."""

IDENTITY_CONFLICT = "identity.conflict"
"""Properties: `kind` of the identifier that is somebody else's, and `customer`: whose."""

CALL_COMPLETED = "call.completed"
"""Properties: `call_id`, `enrollment`, and `result`, an object."""

CALL_FAILED = "call.failed"
"""Properties: `call_id`, `enrollment`, `reason`. Nobody tries it again."""

CALL = "call."
"""The prefix of what comes of an action."""

CALL_RESULTS = frozenset({CALL_COMPLETED, CALL_FAILED})

SEGMENT_ENTERED = "segment.entered"
"""Properties: `segment`. The customer has come into it."""

SEGMENT_LEFT = "segment.left"
"""Properties: `segment`."""

STAGE_CHANGED = "stage.changed"
"""Properties: `from`, `to`; empty text: no stage."""

PROFILE_CHANGED = "profile.changed"
"""Properties: `field`, and `from` and `to` where it had and has a value."""

JOURNEY_FINISHED = "journey.finished"
"""Properties: `journey`, `outcome` (completed, exited, failed), `reason`, `key`."""

SCHEDULE_DUE = "schedule.due"
"""What the `entry` of a run that a schedule has started is named. Nobody hears it.

Properties: `local`, what the clocks showed: `2026-11-27T09:00`."""

INNER = frozenset(
    {SEGMENT_ENTERED, SEGMENT_LEFT, STAGE_CHANGED, PROFILE_CHANGED, JOURNEY_FINISHED}
)
"""What the engine itself lets happen. Journeys hear it; nobody sends it, and it is not
published."""

_HIDDEN = "~"  # begins names of the engine's own things: a trigger's segment

MAX_LINE = 256 * 1024
"""Bytes of one input line: what EventBridge takes in one entry."""

MAX_NAME = 128
MAX_ID = 256
MAX_DEPTH = 32

MAX_IDENTIFIERS = 8
"""Other names of a customer that one event may bring."""


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
        identifiers: By which other names the sender knows the customer: kind to value, such
            as `{"anonymous": "a-17", "email": "ada@example.com"}`. With them `customer` may
            be empty until somebody has looked up whom they mean.
        history: Whether it tells of the past: it feeds traits and moves nobody.
    """

    id: str
    name: str
    customer: str
    occurred_at: datetime
    received_at: datetime
    properties: dict[str, Any] = {}
    source: str = ""
    test: bool = False
    identifiers: dict[str, str] = {}
    history: bool = False


def is_inner(name: str) -> bool:
    """Whether only the engine may tell an event of this name."""
    return name in INNER or name.startswith(_HIDDEN)


def checked(event: Event, place: str = "") -> Event:
    """Return the event if it keeps the bounds of every door.

    Raises:
        InputError: It does not; the message names the field.
    """
    check_frame(event, place)
    check_json("properties", event.properties, place)
    return event


def check_frame(event: Event, place: str) -> None:
    """Refuse an event whose own fields keep no bounds; its properties aren't looked at.

    So is one that only the engine may tell: of what it tells, it never makes an `Event`.

    Raises:
        InputError: They don't; the message names the field.
    """
    name, customer, id, source = event.name, event.customer, event.id, event.source
    text = f"{name}{customer}{id}{source}"
    # All together are seldom longer than an id may be; then one look is enough.
    is_sound = len(text) <= MAX_ID and text.isascii() and text.isprintable()
    if not (is_sound and 0 < len(name) <= MAX_NAME and customer and id):
        _check_named("name", name, MAX_NAME, place)
        if customer or not event.identifiers:
            _check_named("customer", customer, MAX_ID, place)
        _check_named("id", id, MAX_ID, place)
        if len(source) > MAX_ID:
            raise InputError(
                f"source: may have {MAX_ID} characters, has {len(source)}", place=place
            )
        if not _is_text(source):
            raise InputError(f"source: {source!r:.80} is not plain text", place=place)
    if is_inner(name):
        raise InputError(
            f"name: {name!r:.80} is what the engine itself tells; nobody sends it. Send "
            "what has happened",
            place=place,
        )
    if event.identifiers:
        _check_identifiers(event.identifiers, place)
    occurred_at, received_at = event.occurred_at, event.received_at
    _check_instant("occurred_at", occurred_at, place)
    if received_at is not occurred_at:
        _check_instant("received_at", received_at, place)


def _check_identifiers(identifiers: dict[str, str], place: str) -> None:
    if len(identifiers) > MAX_IDENTIFIERS:
        raise InputError(
            f"identifiers: may be {MAX_IDENTIFIERS}, these are {len(identifiers)}",
            place=place,
        )
    for kind, value in identifiers.items():
        if _KIND.fullmatch(kind) is None:
            raise InputError(
                f"identifiers: {kind!r:.80} is no kind of identifier; write one like "
                "'email' or 'anonymous'",
                place=place,
            )
        _check_named(f"identifiers.{kind}", value, MAX_ID, place)


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
    check_json("entry", call.entry, place)
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


def check_json(field: str, value: dict[str, Any], place: str) -> None:
    """Refuse what can't stand in JSON, or nests too deep.

    Raises:
        InputError: It does; the message has the path to it.
    """
    if value and (wrong := _not_json(value, field, MAX_DEPTH)):
        # The path in it is made of keys that somebody typed.
        raise InputError(printable(wrong), place=place)


def _is_text(value: str) -> bool:
    """Whether a name has neither control characters nor half a character."""
    return _CONTROL.search(value) is None


_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
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
