"""CloudEvents 1.0: structured, batched and binary.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

`type` is the event's name, `source` and `id` are its own, `time` is when it occurred and
`data`, an object, holds its properties. Whom it is about says the extension `customer`, or
else `subject`; an extension `anonymousid` is an identifier, `test` marks test traffic. Other
attributes and extensions are ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from journeykit.errors import InputError
from journeykit.model.events import MAX_LINE, Event
from journeykit.model.misread import explained
from journeykit.model.segment_spec import ANONYMOUS

STRUCTURED = "application/cloudevents+json"
"""The content type of one event."""

BATCHED = "application/cloudevents-batch+json"
"""The content type of an array of events."""

HEADER = "ce-"
"""What the headers of a binary event begin with."""

VERSION = "1.0"


class CloudEventLine(msgspec.Struct):
    """An event in the JSON format; attributes that aren't named here are ignored."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = None
    data: dict[str, Any] | None = None
    data_base64: str | None = None
    customer: str | None = None
    anonymousid: str | None = None
    test: bool | None = None


_decode = msgspec.json.Decoder(CloudEventLine).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_escaped = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_quoted = re.compile(r'"((?:[^"\\]|\\.)*)"')
_JSON = re.compile(r"[a-z]+/(?:json|[a-z0-9.-]+\+json)", re.IGNORECASE)


def cloud_event(line: bytes, received_at: datetime | None, place: str = "") -> Event:
    """Read an event in the JSON format. Its bounds aren't checked yet.

    Raises:
        msgspec.DecodeError: It is none.
        InputError: It is of another version, or its data is no JSON object.
    """
    return _event(_decode(line), received_at, place)


def binary_event(
    headers: Mapping[str, str], body: bytes, received_at: datetime, place: str = ""
) -> Event:
    """Read an event whose attributes are headers. Its bounds aren't checked yet.

    Args:
        headers: Of the request, by their names in lower case.
        body: What it is about: JSON, or nothing.
        received_at: The door's stamp.
        place: Where it stands, for the error.

    Raises:
        msgspec.DecodeError: It is none.
        InputError: It is of another version, or its data is no JSON object.
    """
    said: dict[str, Any] = {
        name.removeprefix(HEADER): _unescaped(value, name)
        for name, value in headers.items()
        if name.startswith(HEADER)
    }
    said.pop("data", None)
    said.pop("data_base64", None)
    if "test" in said:
        if said["test"] not in ("true", "false"):
            raise InputError(
                f"{HEADER}test: is {said['test']!r:.40}, and is to be 'true' or 'false'",
                place=place,
            )
        said["test"] = said["test"] == "true"
    kind = headers.get("content-type")
    if kind is not None:
        said["datacontenttype"] = kind
    try:
        line = msgspec.convert(said, CloudEventLine, strict=False)
    except msgspec.ValidationError as error:
        # It names the attribute, and that is a header's name without its beginning.
        raise InputError(f"{HEADER}{explained(b'', error)}", place=place) from error
    if body:
        _check_json(line, place)
        line.data = _object(body)
    return _event(line, received_at, place)


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request holds an event whose attributes are headers."""
    return f"{HEADER}specversion" in headers


def _event(line: CloudEventLine, received_at: datetime | None, place: str) -> Event:
    if line.specversion != VERSION:
        raise InputError(
            f"specversion: {line.specversion!r:.40} is not read here; send {VERSION!r}",
            place=place,
        )
    occurred_at = line.time or received_at
    if occurred_at is None:
        raise InputError("time is missing", place=place)
    customer = line.customer or line.subject or ""
    identifiers = {ANONYMOUS: line.anonymousid} if line.anonymousid else {}
    if not customer and not identifiers:
        raise InputError(
            "subject is missing: whom is it about? Or say it in the extension 'customer'",
            place=place,
        )
    return Event(
        id=line.id,
        name=line.type,
        customer=customer,
        occurred_at=occurred_at,
        received_at=received_at or occurred_at,
        properties=_data(line, place),
        source=line.source,
        test=bool(line.test),
        identifiers=identifiers,
    )


def _data(line: CloudEventLine, place: str) -> dict[str, Any]:
    if line.data is not None or line.data_base64 is None:
        return line.data or {}
    _check_json(line, place)
    if len(line.data_base64) > 2 * MAX_LINE:
        raise InputError(f"data_base64: may have {MAX_LINE} bytes", place=place)
    try:
        return _object(base64.b64decode(line.data_base64, validate=True))
    except binascii.Error as error:
        raise InputError("data_base64: is no base64", place=place) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("data_base64: holds no object of JSON", place=place) from error


def _check_json(line: CloudEventLine, place: str) -> None:
    """Refuse data that isn't JSON; if nothing is said of it, it is."""
    kind = (line.datacontenttype or "application/json").partition(";")[0].strip()
    if _JSON.fullmatch(kind) is None:
        raise InputError(
            f"datacontenttype: {kind!r:.80} is not read here; send an object of JSON",
            place=place,
        )


def _decoded(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode()


def _unescaped(value: str, name: str) -> str:
    """A header's value: unquoted once, then percent-decoded (binding, 3.1.3.2)."""
    if found := _quoted.fullmatch(value):
        value = re.sub(r"\\(.)", r"\1", found[1])
    try:
        return _escaped.sub(_decoded, value)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not UTF-8, percent-encoded") from error
