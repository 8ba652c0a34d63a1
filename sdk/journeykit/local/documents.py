"""Customer documents and commands as bytes.

A document is an array of MessagePack without the names of its fields, which would be most
of it: what stands where is its layout, and a table of the database keeps all layouts that
were ever written. The first place is the layout's number. The runs and what is past,
which everybody has, are arrays too; whatever else it holds is as in the JSON.

The first byte says how the rest is to be read: `x` begins zlib's format, `{` JSON's, and
no array of MessagePack begins with either. JSON is for integers of more than 64 bits,
which MessagePack does not have.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from journeykit.engine.commands import Command
from journeykit.engine.customer import (
    SCHEMA,
    Customer,
    Enrollment,
    Past,
    encode,
    upgraded,
)
from journeykit.errors import DamagedDocument, NewerStore

Layout = Mapping[str, Sequence[str]]
"""The names of the fields in their order, by struct."""

CURRENT: Layout = {
    struct.__name__: list(struct.__struct_fields__)
    for struct in (Customer, Enrollment, Past)
}
"""The layout in which this release writes."""

# Half a page of SQLite. Below it compressing costs 20 to 40 µs to save little.
_LARGE = 2048
_ZLIB, _JSON = b"x{"
_ID, _SCHEMA, _ACTIVE, _PAST = map(
    Customer.__struct_fields__.index, ("id", "schema", "active", "past")
)


def _types(struct: type[msgspec.Struct], **others: Any) -> Any:
    """The struct as a tuple, of the same types but for some."""
    return tuple[tuple(others.get(f.name, f.type) for f in fields(struct))]  # type: ignore[misc]


_pack = msgspec.msgpack.Encoder().encode
_unpack: msgspec.msgpack.Decoder[tuple[Any, ...]] = msgspec.msgpack.Decoder(
    _types(
        Customer,
        id=int,
        active=list[_types(Enrollment)],  # type: ignore[misc]
        past=dict[str, _types(Past)],  # type: ignore[misc]
    )
)
# Annotated, since the types of msgspec can't say a union.
_command: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_command_of_json: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class Documents:
    """Writes documents in the current layout, and reads them in any."""

    def __init__(self, layouts: Mapping[int, Layout]) -> None:
        """Take the layouts of the database, by number."""
        self._layouts = layouts
        # 0 if the database has none like it, and then nobody writes.
        self._current = next((n for n, it in layouts.items() if it == CURRENT), 0)

    def packed(self, customer: Customer) -> bytes:
        """Write a document in few bytes."""
        places = list(astuple(customer))
        places[_ID] = self._current  # the id stands beside the document
        if customer.active:
            places[_ACTIVE] = [astuple(run) for run in customer.active]
        if customer.past:
            places[_PAST] = {id: astuple(past) for id, past in customer.past.items()}
        try:
            document = _pack(places)
        except OverflowError:
            document = encode(customer)
        return zlib.compress(document, 1) if len(document) > _LARGE else document

    def unpacked(self, document: bytes, id: str, number: int) -> Customer:
        """Read what `packed` wrote, in this release or an earlier one.

        Args:
            document: The bytes.
            id: Whose it is.
            number: Of the row, for messages: a log may have those, but no ids.

        Raises:
            NewerStore: A later release wrote it.
            DamagedDocument: It can't be read.
        """
        try:
            if document[0] == _ZLIB:
                document = zlib.decompress(document)
            if document[0] == _JSON:
                return _upgraded(msgspec.json.decode(document), number)
            try:
                places = _unpack.decode(document)
            except msgspec.ValidationError:
                return _upgraded(self._named(document, id, number), number)
            if places[_ID] != self._current or places[_SCHEMA] != SCHEMA:
                return _upgraded(self._named(document, id, number), number)
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            zlib.error,
        ) as error:
            raise DamagedDocument(
                f"the document of customer row {number} can't be read: {error}"
            ) from error
        values = list(places)
        values[_ID] = id
        if values[_ACTIVE]:
            values[_ACTIVE] = [Enrollment(*run) for run in values[_ACTIVE]]
        if values[_PAST]:
            values[_PAST] = {key: Past(*past) for key, past in values[_PAST].items()}
        return Customer(*values)

    def _named(self, document: bytes, id: str, number: int) -> Mapping[str, Any]:
        """A document of any layout, with the names of its fields."""
        places = msgspec.msgpack.decode(document)
        if (layout := self._layouts.get(places[_ID])) is None:
            raise NewerStore(
                f"customer row {number} was written by another journeykit since this "
                "one was started; start it again, or deploy that release here too"
            )
        named = dict(zip(layout["Customer"], places, strict=True))
        runs, past = layout["Enrollment"], layout["Past"]
        return {
            **named,
            "id": id,
            "active": [dict(zip(runs, run, strict=True)) for run in named["active"]],
            "past": {
                key: dict(zip(past, visits, strict=True))
                for key, visits in named["past"].items()
            },
        }


def _upgraded(document: Mapping[str, Any], number: int) -> Customer:
    schema = document.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerStore(
            f"customer row {number} was written by a later journeykit "
            f"(schema {schema}, this one reads up to {SCHEMA}); deploy that release "
            "here too"
        )
    return upgraded(document)


def packed_command(command: Command) -> bytes:
    """Write a command."""
    try:
        return _pack(command)
    except OverflowError:
        return msgspec.json.encode(command)


def unpacked_command(body: bytes) -> Command:
    """Read what `packed_command` wrote.

    Raises:
        ValueError: It is damaged, or of a kind that this release doesn't know.
    """
    if body[:1] == b"{":
        return _command_of_json.decode(body)
    return _command.decode(body)
