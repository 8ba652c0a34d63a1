"""The spellings in which events come in, read in one place: at doors, and from files.

    native       our own; what the archive holds                    journeykit.model.native
    segment      the calls of the Segment spec                      journeykit.model.segment_spec
    cloudevents  CloudEvents 1.0, structured                        journeykit.model.cloudevents
    eventbridge  envelopes of EventBridge                           journeykit.model.envelopes

No pydantic here: an event is decoded for every line of a stream.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from journeykit.errors import InputError
from journeykit.model.cloudevents import cloud_event
from journeykit.model.envelopes import bridged_event
from journeykit.model.events import (
    MAX_DEPTH,
    MAX_LINE,
    Event,
    check_frame,
    check_json,
    checked,
)
from journeykit.model.misread import explained
from journeykit.model.native import FIELDS, native_event
from journeykit.model.segment_spec import Frame, segment_event

Spelling = Literal["native", "segment", "cloudevents", "eventbridge"]
Format = Literal["auto", "native", "segment", "cloudevents", "eventbridge"]
"""Which spelling lines have; `auto` tells line by line."""

FORMATS: tuple[Format, ...] = (
    "auto",
    "native",
    "segment",
    "cloudevents",
    "eventbridge",
)


class _Spelling(msgspec.Struct, rename="camel"):
    """The fields by which a line shows whose spelling it is; values are passed over."""

    message_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    user_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    anonymous_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    name: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    specversion: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    source: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    misspelt_detail_type: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        name="detailType", default=msgspec.UNSET
    )
    detail: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    detail_type: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        name="detail-type", default=msgspec.UNSET
    )


_spelling = msgspec.json.Decoder(_Spelling).decode
_FOREIGN = (b'Id"', b'"type"', b'"detail-type"', b'"detailType"')
_LONG_NUMBER = b"0" * 19
_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_OPENING = b"{["


def decode_event(
    line: bytes,
    *,
    place: str = "",
    format: Format = "auto",
    received_at: datetime | None = None,
    frame: Frame | None = None,
) -> Event:
    """Read one line of JSON as an event.

    Args:
        line: One JSON object, in one of the spellings above.
        place: Where the line stands, for the error: `events.jsonl:17`.
        format: Which spelling; `auto` takes a line for a CloudEvent that has a
            `specversion`, for an envelope of EventBridge's that has `detail-type` and
            `detail`, for Segment's that has one of its ids, or a `type` and no `name`.
        received_at: The door's stamp. Without one the event clock counts: it was
            received when it occurred.
        frame: What stands around a call of Segment's, if a door knows more.

    Raises:
        InputError: The line is no event; the message says which field and what to do.
    """
    if len(line) > MAX_LINE:
        raise InputError(
            f"a line may have {MAX_LINE} bytes, this one has {len(line)}", place=place
        )
    fields: tuple[str, ...] = ()
    try:
        if format != "auto" and format != "native":
            return checked(_foreign(line, format, received_at, frame, place), place)
        fields = FIELDS
        try:
            event = native_event(line, received_at)
        except msgspec.ValidationError:
            # Asked only now: no line of another spelling can be read as one of ours.
            spelling = spelling_of(line) if format == "auto" else "native"
            if spelling == "native":
                raise
            fields = ()
            return checked(_foreign(line, spelling, received_at, frame, place), place)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(explained(line, error, fields=fields), place=place) from error
    except InputError as error:
        if place and not error.place.startswith(place):
            where = f"{place}: {error.place}" if error.place else place
            raise InputError(error.message, place=where) from error
        raise
    check_frame(event, place)
    # A decoder has looked at each value already; only these two it lets through: a long
    # number, for which a regex takes 20 times as long, and what nests deep.
    zeros = line.translate(_TO_ZEROS, _OPENING)
    if len(line) - len(zeros) > MAX_DEPTH or zeros.find(_LONG_NUMBER) >= 0:
        check_json("properties", event.properties, place)
    return event


def _foreign(
    line: bytes,
    spelling: Spelling,
    received_at: datetime | None,
    frame: Frame | None,
    place: str,
) -> Event:
    match spelling:
        case "segment":
            around = frame or Frame(received_at)
            return segment_event(line, around, place)
        case "cloudevents":
            return cloud_event(line, received_at, place)
        case _:
            return bridged_event(line, received_at)


def spelling_of(line: bytes) -> Spelling:
    """Tell whose spelling a line has; our own has none of the others' words.

    Raises:
        msgspec.DecodeError: It is no JSON object.
    """
    if not any(word in line for word in _FOREIGN):
        return "native"
    keys = _spelling(line)
    unset = msgspec.UNSET
    if keys.specversion is not unset and keys.type is not unset:
        return "cloudevents"
    is_typed = not (keys.detail_type is unset and keys.misspelt_detail_type is unset)
    if is_typed and keys.detail is not unset:
        return "eventbridge"
    ids = (keys.message_id, keys.user_id, keys.anonymous_id)
    if any(id is not unset for id in ids):
        return "segment"
    if keys.type is unset or keys.name is not unset:
        return "native"
    # No call of Segment's has a source; one of the attributes that it needs is missing.
    return "segment" if keys.source is unset else "cloudevents"
