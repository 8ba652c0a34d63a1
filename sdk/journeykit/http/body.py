"""The body of a request: unpacked within bounds, and cut into events without decoding."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from journeykit.http.messages import JSON, Refused
from journeykit.model.cloudevents import BATCHED, STRUCTURED, is_binary
from journeykit.model.formats import Format
from journeykit.model.misread import explained
from journeykit.model.plain_text import printable
from journeykit.model.segment_spec import clock_of

MAX_BODY = 1024 * 1024
"""Bytes of a body, packed or unpacked: twice what Segment's batches may have."""

MAX_EVENTS = 1_000
"""Events of a batch."""

NDJSON = "application/x-ndjson"
_LINES = (NDJSON, "application/ndjson", "application/jsonl")
_GZIP = 16 + zlib.MAX_WBITS
_BOM = b"\xef\xbb\xbf"


_CLOUD = (STRUCTURED, BATCHED)


class _Envelope(msgspec.Struct, rename="camel"):
    """Segment's batch; what else stands beside it says nothing about the events."""

    batch: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    sent_at: Any = None
    context: dict[str, Any] | None = None


class Cut(NamedTuple):
    """A body, cut into events.

    Attributes:
        lines: Each as its own bytes; what they say isn't read yet.
        format: The spelling that the content type says they have.
        sent_at: When Segment's batch was sent, by the client's clock.
        context: What the calls of Segment's batch have in common.
    """

    lines: list[bytes]
    format: Format = "auto"
    sent_at: datetime | None = None
    context: Mapping[str, Any] = {}


_envelope = msgspec.json.Decoder(_Envelope)
_array = msgspec.json.Decoder(list[msgspec.Raw])
T = TypeVar("T", bound=msgspec.Struct)


def check_type(headers: Mapping[str, str], *, lines: bool) -> None:
    """Check that the body will be JSON in UTF-8, and packed in no other way than gzip.

    Args:
        headers: Of the request.
        lines: Whether it may be lines of JSON as well.

    Raises:
        Refused: It won't be (415).
    """
    wanted = f"{JSON}, {NDJSON} or {STRUCTURED}" if lines else JSON
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    if lines and not kind and is_binary(headers):
        kind = JSON  # it has no data
    if kind.strip() != JSON and not (lines and kind.strip() in (*_LINES, *_CLOUD)):
        raise Refused(415, f"the body is to be JSON: say Content-Type: {wanted}")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise Refused(415, "the body is to be in UTF-8")
    if headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise Refused(415, "only gzip is unpacked here", Accept_Encoding="gzip")


def unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the body as text in UTF-8, unpacked.

    Raises:
        Refused: It is too large (413), damaged, or not UTF-8 (400).
    """
    if headers.get("content-encoding", "identity").lower() == "gzip":
        body = _gunzipped(body)
    if len(body) > MAX_BODY:
        raise Refused(413, f"a body may have {MAX_BODY} bytes, also when unpacked")
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise Refused(400, f"not UTF-8 at byte {error.start}") from error
    return body.removeprefix(_BOM)


def _gunzipped(body: bytes) -> bytes:
    """Unpack no more than may be, whatever the bytes promise."""
    stream = zlib.decompressobj(_GZIP)
    try:
        found = stream.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise Refused(400, "the gzip of the body is damaged") from error
    if len(found) <= MAX_BODY and (not stream.eof or stream.unused_data):
        raise Refused(400, "the gzip of the body is damaged, or goes on behind its end")
    return found


def events_in(body: bytes, headers: Mapping[str, str]) -> Cut:
    """Cut a body into events; what they say isn't read yet.

    Raises:
        Refused: It is malformed as a whole (400), or has too many (413).
    """
    kind = headers.get("content-type", "").lower().partition(";")[0].strip()
    if kind in _LINES:
        lines = [line for line in body.split(b"\n") if line and not line.isspace()]
        cut = Cut(lines)
    elif kind == STRUCTURED:
        cut = Cut([body], "cloudevents")
    else:
        cut = _cut(body)
        if kind == BATCHED:
            cut = cut._replace(format="cloudevents")
    if len(cut.lines) > MAX_EVENTS:
        raise Refused(
            413, f"a batch may have {MAX_EVENTS} events, this one has {len(cut.lines)}"
        )
    return cut


def _cut(body: bytes) -> Cut:
    """Cut an array, Segment's `{"batch": […]}`, or one event."""
    try:
        if body.lstrip()[:1] == b"[":
            return Cut([bytes(raw) for raw in _array.decode(body)])
        envelope = _envelope.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error
    if envelope.batch is msgspec.UNSET:
        return Cut([body])
    return Cut(
        [bytes(raw) for raw in envelope.batch],
        sent_at=clock_of(envelope.sent_at),
        context=envelope.context or {},
    )


def document(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode the one document that a body holds.

    Raises:
        Refused: It is malformed, or something else (400).
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _malformed(error, _fields_of(decoder)) from error


def _fields_of(decoder: msgspec.json.Decoder[T]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(decoder.type))


def _malformed(error: Exception, fields: tuple[str, ...] = ()) -> Refused:
    """Say what is wrong with a body."""
    if isinstance(error, RecursionError):
        return Refused(400, "the body nests too deep")
    text = printable(str(error)).removeprefix("JSON is malformed: ")
    if not isinstance(error, msgspec.ValidationError):
        text = f"malformed JSON: {text}"
    elif fields:
        there = f"there is {', '.join(map(repr, fields))}"
        text = explained(b"", error, fields=fields, of="the body", else_=there)
        text = f"the body {text}" if text.startswith("is of type") else text
    return Refused(400, text[:300])
