"""What goes through our queues, as SQS messages of JSON, and how it is read again.

    attribute `kind`                                     body
    event, enroll, wake_up, remove, returned             a stimulus of our own
    command, with `revision`: of its customer's document a command
    visit                                                a page of a visit job
    none                                                 an envelope of EventBridge

and as dead letters, which nobody reads but people:

    entry                                                for `PutEvents`, what a journey
                                                         has published
    report                                               what a provider said

The attribute `trace` is there so that logs can follow one thing through the queues: the
id of the event or of the delivery.

Whoever may write to a queue may write anything, so what is read is bounded and checked.
Fields that this release doesn't know are passed over: a later one may have written them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from journeykit.aws.bus import event_of
from journeykit.aws.queues import MAX_BYTES, Parcel, sendable
from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import CallAction, Command, SendMessage
from journeykit.engine.stimuli import (
    Absorb,
    Enroll,
    Launch,
    Merge,
    Recomputed,
    Remove,
    Returned,
    Stimulus,
    WakeUp,
    decoded,
    kind_of,
)
from journeykit.errors import InputError
from journeykit.model.events import MAX_ID, Event, checked, checked_call
from journeykit.ports import DeadLetter

COMMAND = "command"
ENTRY = "entry"
VISIT = "visit"
DISPATCHER = "dispatcher"
"""The source of what the dispatcher reports; what is in it was checked by the answers."""

_REASON = 500  # characters of a dead letter's reason
_OUTSIDE = ("channel", "revision", "trace")
"""Attributes beside `kind` that belong to a message, and so to its dead letter."""
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999

T = TypeVar("T")


class Visit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page of a visit job: whom to wake next, or whom to launch a journey for.

    Attributes:
        id: The job's.
        reason: Why: `resume`, `stop`, `publish`, `launch`, `score`.
        journey: Whom it concerns: those who run in this journey; for `launch`, whoever is
            in what it is about; empty: everybody. For `score` the names of the scores.
        cursor: The last customer of the page before; empty: it begins.
        visited: How many were woken so far.
        started_at: When the job began, milliseconds.
        page: The number of the page, from 0.
        token: What tells two deliveries of one page apart.
        part: Of a job that goes through all customers in several parts at once: which.
        parts: How many parts there are.
    """

    id: str
    reason: str
    journey: str
    cursor: str = ""
    visited: int = 0
    started_at: int = 0
    page: int = 0
    token: str = ""
    part: int = 0
    parts: int = 1


_encode = msgspec.json.Encoder().encode
_unpack_command: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_visits = msgspec.json.Decoder(Visit)
_stimuli: Mapping[str, msgspec.json.Decoder[Stimulus]] = {
    "event": msgspec.json.Decoder(Event),
    "enroll": msgspec.json.Decoder(Enroll),
    "wake_up": msgspec.json.Decoder(WakeUp),
    "remove": msgspec.json.Decoder(Remove),
    "returned": msgspec.json.Decoder(Returned),
    "merge": msgspec.json.Decoder(Merge),
    "absorb": msgspec.json.Decoder(Absorb),
    "launch": msgspec.json.Decoder(Launch),
}


# --- on the way out ------------------------------------------------------------------


def stimulus_parcel(stimulus: Stimulus, *, delay_s: int = 0) -> Parcel:
    """Write a stimulus as a message.

    Args:
        stimulus: What is to be handled.
        delay_s: For how many seconds nobody is handed it, up to 900.
    """
    attributes = {"kind": kind_of(stimulus)}
    if trace := _trace_of(stimulus):
        attributes["trace"] = trace
    return Parcel(sendable(_encode(stimulus)), attributes, delay_s)


def command_parcel(command: Command, revision: int, *, delay_s: int = 0) -> Parcel:
    """Write a command as a message.

    Args:
        command: What to do.
        revision: Of the customer's document that was written with it.
        delay_s: For how many seconds nobody is handed it, up to 900.
    """
    attributes = {"kind": COMMAND, **outside_of(command, revision)}
    return Parcel(sendable(_encode(command)), attributes, delay_s)


def visit_parcel(visit: Visit, *, delay_s: int = 0) -> Parcel:
    """Write a page of a visit job as a message."""
    return Parcel(sendable(_encode(visit)), {"kind": VISIT}, delay_s)


def letter_parcel(letter: DeadLetter) -> Parcel:
    """Write a dead letter as a message, as large as one may be.

    Its body and attributes are those of the message that it was, but for `door`, `reason`,
    `encoding` and `cut`, so that whoever has dealt with the reason can send it to its
    queue again as it is.
    """
    attributes = {
        name: shown
        for name in _OUTSIDE
        if (shown := _shown(letter.outside.get(name, "")))
    }
    attributes |= {
        "door": _shown(letter.door) or "unknown",
        "reason": _shown(letter.reason, _REASON) or "unknown",
    }
    if letter.kind:
        attributes["kind"] = _shown(letter.kind, 80) or "unknown"
    body, how = _readable(letter)
    if how:
        attributes["encoding"] = how
    parcel = Parcel(body, attributes)
    if parcel.size > MAX_BYTES:
        attributes["cut"] = "true"
        rest = MAX_BYTES - Parcel("", attributes).size
        kept = body.encode()[:rest].decode("utf-8", "ignore")
        parcel = Parcel(kept, attributes)
    return parcel


def letter_of(
    record: Mapping[str, Any], door: str, reason: str, now: int
) -> DeadLetter:
    """Write a letter about a record that can't be read, with all that it has."""
    body = record.get("body")
    text = body if isinstance(body, str) else ""
    return DeadLetter(
        at=now,
        door=door,
        reason=reason,
        customer="",
        kind=attribute(record, "kind"),
        body=text.encode("utf-8", "replace"),
        outside={name: it for name in _OUTSIDE if (it := attribute(record, name))},
    )


def outside_of(command: Command, revision: int) -> Mapping[str, str]:
    """What stands on the outside of a command's message, beside its kind."""
    trace = _shown(id_of(command))
    return {"revision": str(revision), **({"trace": trace} if trace else {})}


def id_of(command: Command) -> str:
    """The id by which a command is done once: of the delivery, the call or the event."""
    if isinstance(command, SendMessage):
        return command.delivery_id
    return command.call_id if isinstance(command, CallAction) else command.id


def _trace_of(stimulus: Stimulus) -> str:
    if isinstance(stimulus, WakeUp):
        return ""
    if isinstance(stimulus, Returned):
        return _shown(stimulus.message.delivery_id)
    return _shown(stimulus.id)


# What XML has no place for; JSON escapes it, an attribute can't.
_UNSENDABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _shown(text: str, most: int = MAX_ID) -> str:
    """A text as an attribute's value."""
    return _UNSENDABLE.sub("?", text[:most])


def _readable(letter: DeadLetter) -> tuple[str, str]:
    """A letter's body as the text of a message, and how that is to be read."""
    body = letter.body
    try:
        if letter.kind in _stimuli:
            return sendable(_encode(decoded(letter.kind, body))), ""
        if letter.kind == COMMAND and body[:1] != b"{":
            return sendable(_encode(_unpack_command.decode(body))), ""
    except (ValueError, RecursionError):
        pass  # damaged, which may be why it is dead
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and not _UNSENDABLE.search(text):
        return text, ""
    return base64.b64encode(body).decode() or "-", "base64"


# --- on the way in -------------------------------------------------------------------


def received(record: Mapping[str, Any]) -> Stimulus | Visit | None:
    """Read what came in through a queue of stimuli.

    Args:
        record: Of the event that Lambda hands a function for SQS.

    Returns:
        What is to be handled; None: an event that our own journeys have published, and
        that came back.

    Raises:
        InputError: It is no event, or keeps not the bounds of every door.
        ValueError: It can't be read, or this release doesn't know its kind.
    """
    kind, body = attribute(record, "kind"), _body_of(record)
    if not kind:
        return event_of(body, received_at=sent_at(record))
    if kind == VISIT:
        return _read(_visits.decode, body, kind)
    decoder = _stimuli.get(kind)
    if decoder is None:
        raise ValueError(f"{kind!r:.40} is no kind of stimulus that this release knows")
    return _checked(_read(decoder.decode, body, kind))


def command_of(record: Mapping[str, Any]) -> tuple[Command, int]:
    """Read a command, and the revision of the document that was written with it.

    The revision is 0 if none is said: somebody sends a command again by hand and has left
    it out. Then it comes before all others, and is dropped if one of them came before.

    Args:
        record: Of the event that Lambda hands a function for SQS.

    Raises:
        ValueError: It can't be read, or is of a kind that this release doesn't know.
    """
    kind = attribute(record, "kind")
    if kind != COMMAND:
        raise ValueError(f"{kind!r:.40} stands where a command should")
    revision = attribute(record, "revision") or "0"
    if not (revision.isascii() and revision.isdigit() and len(revision) <= 18):
        raise ValueError(f"{revision!r:.40} is no revision of a customer's document")
    return _read(_commands.decode, _body_of(record), kind), int(revision)


def attribute(record: Mapping[str, Any], name: str) -> str:
    """What stands on the outside of a message; empty if nothing does."""
    named = record.get("messageAttributes")
    found = named.get(name) if isinstance(named, Mapping) else None
    value = found.get("stringValue") if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""


def _body_of(record: Mapping[str, Any]) -> str:
    body = record.get("body")
    if not isinstance(body, str):
        raise ValueError("the record has no body")  # noqa: TRY004 - it is what came
    if len(body) > MAX_BYTES:
        raise InputError(f"a message may have {MAX_BYTES} bytes, this one has more")
    return body


def sent_at(record: Mapping[str, Any]) -> datetime:
    """When SQS took the message: for an envelope, the door."""
    system = record.get("attributes")
    text = system.get("SentTimestamp") if isinstance(system, Mapping) else None
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise ValueError("the record does not say when it was sent")
    if len(text) > len(str(_LATEST_MS)) or int(text) > _LATEST_MS:
        raise ValueError("the record was sent later than there are dates")
    return to_datetime(int(text))


def _read(decode: Callable[[str], T], body: str, kind: str) -> T:
    try:
        return decode(body)
    except RecursionError as error:
        raise ValueError(f"{kind}: nests too deep to be read") from error
    except ValueError as error:
        # Where it is wrong, and never what stood there: reasons are logged.
        raise ValueError(f"{kind}: {_without_values(error)}") from error


def _without_values(error: ValueError) -> str:
    if isinstance(error, msgspec.DecodeError):
        return str(error)
    return type(error).__name__


def _checked(stimulus: Stimulus) -> Stimulus:
    """Refuse what no door would have let in.

    Raises:
        InputError: It keeps no bounds; the message says which.
    """
    match stimulus:
        case Event(source=source) if source != DISPATCHER:
            checked(stimulus)
        case Event():  # the result of a call nests as deep as its action likes
            checked(replace(stimulus, properties={}))
        case Enroll():
            checked_call(stimulus)
        case (
            Remove(id=id, customer=customer, received_at=at)
            | Launch(id=id, customer=customer, received_at=at)
        ):
            checked_call(
                Enroll(
                    id=id, journey=stimulus.journey, customer=customer, received_at=at
                )
            )
        case WakeUp(customer=customer):
            checked_call(_someone(customer, to_datetime(0)))
        case (
            Returned(customer=customer, received_at=at)
            | Recomputed(customer=customer, received_at=at)
        ):
            checked_call(_someone(customer, at))
        case (
            Merge(customer=customer, into=other, received_at=at)
            | Absorb(customer=customer, merged=other, received_at=at)
        ):
            checked_call(_someone(customer, at))
            checked_call(_someone(other, at))
        case _:
            assert_never(stimulus)
    return stimulus


def _someone(customer: str, at: datetime) -> Enroll:
    """A call about a customer of whom nothing else is known, to be checked."""
    return Enroll(id="id", journey="a-journey", customer=customer, received_at=at)
