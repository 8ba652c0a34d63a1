"""Customer documents and commands as the bytes that DynamoDB keeps.

DynamoDB bills writes by the kilobyte of the item: what a byte costs is hundreds of times
what it costs to save it. So a document is JSON, compressed with a dictionary of the names
and values that every document has, without the two lists that do not compress: the ids
of the ledger and the hashes of the events seen, which are as good as random. They stand
before it as they are, in binary, and what is left of their rows stands in columns.

    document:  format 1 · CRC-32 of what follows · n, m
               n ids of 12 bytes · m hashes of 8 bytes · deflate(
                 [customer, [at, …], [[channel, …], [topic, …], …], [received_at, …]])
    command:   format 1 · CRC-32 of what follows · deflate(JSON)

Instants in the columns are the distance to the one before. A list that has something
else in it stays where it is in the JSON, and its columns are empty.

Measured on a document of 9.3 KB of JSON, 40 messages in its ledger and 45 events seen, on
one core of the kind that the benchmarks name; reading and writing include the JSON:

    compressed                              bytes  µs to write   µs to read
    JSON, level 1 / 6                3,972 / 3,715    168 / 258          100
    JSON with the dictionary, 1 / 6  3,585 / 3,281    160 / 266          100
    MessagePack by place, 1 / 6      3,458 / 3,393    150 / 212           90
    this, level 1                            3,076          151          113
    this, level 6                            2,840          217          113

MessagePack by place, as the embedded store has it, needs a layout for every release and
saves nothing beside the dictionary. A command of 489 bytes takes 174, a new customer 53.

The first byte names the format. What this release writes, every later one can read: a
dictionary that was ever used is never changed and never removed, and a better one is
another format.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from journeykit.engine.commands import Command
from journeykit.engine.customer import SCHEMA, Customer, Released, upgraded
from journeykit.errors import DamagedDocument, NewerStore

_FORMAT = 1
_FORMATS = 32  # no format is ever numbered as a character of text
_DOCUMENT = struct.Struct(">BIHH")
_COMMAND = struct.Struct(">BI")
_CHECKED = 5  # format and checksum; the rest is what the checksum is of

_LEVEL = 6
_RAW = -15  # deflate without a frame of its own: we have one
_MEMORY = 8  # zlib's default; 9 saves nothing and takes twice as long to set up

_ID_BYTES, _HASH_BYTES = 12, 8
_ID_DIGITS = 2 * _ID_BYTES
_MOST = 0xFFFF

# What compression finds in every document and need not write. The commonest stands last,
# where it is the nearest. Never to be changed: see above.
_DICTIONARY_1 = (
    # Commands.
    b'"type":"publish_event","id":"","name":"","customer":"","properties":{"at":17'
    b'{"type":"call_action","call_id":"","customer":"","action":"","arguments":{},"at":17'
    b'"retries":3,"expires_at":17,"test":true}'
    b'{"type":"send_message","delivery_id":"","customer":"","channel":"sms","address":"+'
    b'"channel":"push","channel":"email","address":"@example.com","template":"'
    b'","variables":{},"at":17,"journey":"","version":1,"step":"send-email","enrollment":"'
    b'","purpose":"transactional","purpose":"marketing","topic":"","expires_at":17'
    b',"not_after":17,"attempts":1}'
    # What few documents have.
    b'"held":[{"message":{"type":"send_message","since":17,"due":null'
    b'"forgotten":1,"counters":{"all":10,"channel:email":10,"topic:'
    b'"key":"","held_out":true,"standing":true,"arriving":true,"generation":1,"sprint":1,'
    b'"results":{"call-{"rounds":{"repeat-{"gathered":[{"reached":["'
    b'"keys":{"early":[1],"removed":true,"failed","exited:stopped","exited:merged",'
    b'"suppressed":"bounced","complained","unsubscribed","bounced_at":17'
    b'"granted":false,"at":17,"channel":"sms","topic":"","purpose":"transactional"},'
    # The profile.
    b'"first_name":"","last_name":"","name":"","language":"en","gender":"","birthday":"19'
    b'"plan":"premium","tier":"gold","source":"web","tags":["newsletter":true,false,null,'
    b'"last_order_at":"2026-01-01T00:00:00Z","signed_up_at":"2025-'
    b'"orders":1,"total":0,"points":0,"amount":1.5,"currency":"EUR","items":[{"sku":"'
    b'"quantity":1,"price":9.99}],"city":"","country":"DE","locale":"en_US",'
    b'"phone":"+1","email":"@gmail.com","zone":"America/New_York","zone":"Europe/Berlin",'
    # Runs and what is past.
    b'"past":{"recent":[17],"outcome":"exited:goal_reached","arms":{"split":"a","b"'
    b'"finished":[{"id":"","version":1,"entry":{"watches":[{"goal":"purchased","until":17'
    b'}]}]},"welcome":{"count":1,"last_in":17,"last_out":17,"recent":[17,17],'
    b'"outcome":"completed"},"abandoned-cart":{"count":2,"last_in":17,"last_out":17,'
    b'"latches":{"wait-for-":-1},"watches":[{"goal":"purchase","until":17}],"test":true,'
    b'"results":{"entry":{"cart":{"id":"order"},'
    b'"active":[{"id":"","journey":"","version":1,"n":1,"entered_at":17,"step":"send-'
    b'"step":"wait-","visit":1,"arrived_at":17,"due":17}],'
    # Everybody.
    b'"addresses":{"":{"consents":[{"granted":true,"at":17,"channel":"email"},'
    b'{"granted":true,"at":17,"channel":"email","topic":"","purpose":"marketing"}],'
    b'"next_due":17,"salt":""},[17],[["push","sms","email","email","email"],["","","",""],'
    b'["welcome","marketing","marketing","marketing"]],[17'
    b'[{"id":"","created_at":17,"schema":1,"revision":1,"clock":17,"catalog":1,'
    b'"profile":{"'
)


class _Written(msgspec.Struct, array_like=True, gc=False):
    """A document as format 1 has it, in the shape of this release.

    Attributes:
        customer: Without an id, and without what stands in columns.
        at: The ledger's instants.
        columns: Its other fields, but for the ids.
        seen: When the events seen were received.
    """

    customer: Customer
    at: list[int]
    columns: list[list[Any]]
    seen: list[int]


class _Found(msgspec.Struct, array_like=True, gc=False):
    """A document as format 1 has it, in whatever shape."""

    customer: dict[str, Any]
    at: list[int]
    columns: list[list[Any]]
    seen: list[int]


_encode = msgspec.json.Encoder().encode
_written = msgspec.json.Decoder(_Written)
_found = msgspec.json.Decoder(_Found)
# Annotated, since the types of msgspec can't say a union.
_command: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def packed(customer: Customer) -> bytes:
    """Write a document; the id stands beside it and is not in it."""
    at: list[int] = []
    columns: Sequence[Sequence[Any]] = ()
    received: list[int] = []
    ledger, seen = customer.ledger, customer.seen
    if ids := _ids_of(ledger):
        instants, *columns, _ = zip(*map(astuple, ledger), strict=True)
        at = _distances(instants)
        ledger = []
    if hashes := _hashes_of(seen):
        received = _distances(seen.values())
        seen = {}
    rest = replace(customer, id="", ledger=ledger, seen=seen)
    body = ids + hashes + _deflated(_encode((rest, at, columns, received)))
    counts = struct.pack(">HH", len(at), len(received))
    return _with_header(counts + body)


def unpacked(document: bytes, id: str) -> Customer:
    """Read what `packed` wrote, in this release or an earlier one.

    Args:
        document: The bytes.
        id: Whose it is. It is in no message, for those are logged.

    Raises:
        NewerStore: A later release wrote it.
        DamagedDocument: It can't be read.
    """
    try:
        text, ids, hashes = _parts(document)
        try:
            written = _written.decode(text)
        except msgspec.ValidationError:
            return _of_another_shape(text, id, ids, hashes)
        customer = written.customer
        if customer.schema != SCHEMA:
            return _of_another_shape(text, id, ids, hashes)
        customer.id = id
        if ids or written.at:
            instants = accumulate(written.at)
            rows = zip(instants, *written.columns, ids, strict=True)
            customer.ledger = [Released(*row) for row in rows]
        if hashes or written.seen:
            received = accumulate(written.seen)
            customer.seen = dict(zip(hashes, received, strict=True))
    except NewerStore:
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        struct.error,
        zlib.error,
    ) as error:
        raise DamagedDocument(
            f"a customer's document can't be read: {error}"
        ) from error
    return customer


def packed_command(command: Command) -> bytes:
    """Write a command."""
    return _with_header(_deflated(_encode(command)))


def unpacked_command(body: bytes) -> Command:
    """Read what `packed_command` wrote.

    Raises:
        NewerStore: A later release wrote it.
        ValueError: It is damaged, or of a kind that this release doesn't know.
    """
    try:
        return _command.decode(_inflated(_checked(body)))
    except (LookupError, struct.error, zlib.error) as error:
        raise ValueError(f"a command can't be read: {error}") from error


def _of_another_shape(
    text: bytes, id: str, ids: Sequence[str], hashes: Sequence[int]
) -> Customer:
    """Put a document together with the names of its fields, for `upgraded`."""
    found = _found.decode(text)
    document = {**found.customer, "id": id}
    schema = document.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerStore(
            "a customer's document was written by a later journeykit (schema "
            f"{schema}, this one reads up to {SCHEMA}); deploy that release here too"
        )
    if ids or found.at:
        rows = zip(accumulate(found.at), *found.columns, ids, strict=True)
        document["ledger"] = [*map(list, rows)]
    if hashes or found.seen:
        document["seen"] = dict(zip(hashes, accumulate(found.seen), strict=True))
    return upgraded(document)


def _parts(document: bytes) -> tuple[bytes, Sequence[str], Sequence[int]]:
    """The JSON, the ids and the hashes of a document."""
    _checked(document)
    _, _, n, m = _DOCUMENT.unpack_from(document)
    start = _DOCUMENT.size
    middle = start + n * _ID_BYTES
    end = middle + m * _HASH_BYTES
    digits = document[start:middle].hex()
    ids = [digits[i : i + _ID_DIGITS] for i in range(0, len(digits), _ID_DIGITS)]
    hashes = struct.unpack(f">{m}Q", document[middle:end])
    return _inflated(document[end:]), ids, hashes


def _ids_of(ledger: Sequence[Released]) -> bytes:
    """The ids in binary; empty if one is none of ours, for then none is taken out."""
    if len(ledger) > _MOST or any(len(it.delivery_id) != _ID_DIGITS for it in ledger):
        return b""
    digits = "".join([it.delivery_id for it in ledger])
    try:
        ids = bytes.fromhex(digits)
    except ValueError:
        return b""
    return ids if ids.hex() == digits else b""


def _hashes_of(seen: dict[int, int]) -> bytes:
    """The hashes in binary; empty if one is none of ours."""
    try:
        return struct.pack(f">{len(seen)}Q", *seen) if len(seen) <= _MOST else b""
    except struct.error:
        return b""


def _distances(instants: Iterable[int]) -> list[int]:
    values = [*instants]
    return [now - before for now, before in zip(values, [0, *values[:-1]], strict=True)]


def _with_header(rest: bytes) -> bytes:
    return _COMMAND.pack(_FORMAT, zlib.crc32(rest)) + rest


def _checked(stored: bytes) -> bytes:
    """What follows the checksum, if it is what was written."""
    if not stored or stored[0] != _FORMAT:
        if stored and _FORMAT < stored[0] < _FORMATS:
            raise NewerStore(
                f"it was written by a later journeykit (format {stored[0]}, this one "
                f"reads up to {_FORMAT}); deploy that release here too"
            )
        raise ValueError("it does not begin as documents and commands do")
    _, checksum = _COMMAND.unpack_from(stored)
    rest = stored[_CHECKED:]
    if zlib.crc32(rest) != checksum:
        raise ValueError("its checksum is not that of what was written")
    return rest


def _deflated(text: bytes) -> bytes:
    pack = zlib.compressobj(
        _LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY_1
    )
    return pack.compress(text) + pack.flush()


def _inflated(body: bytes) -> bytes:
    unpack = zlib.decompressobj(_RAW, _DICTIONARY_1)
    text = unpack.decompress(body)
    if not unpack.eof:
        raise ValueError("its end is missing")
    return text
