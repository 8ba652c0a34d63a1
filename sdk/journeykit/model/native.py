"""Events in our own spelling: what the archive holds, and what a file may."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from journeykit.errors import InputError
from journeykit.model.events import Event


class NativeLine(msgspec.Struct, forbid_unknown_fields=True):
    """An event as a line of JSON in our own spelling."""

    id: str
    name: str
    occurred_at: datetime
    customer: str = ""
    properties: dict[str, Any] = {}
    received_at: datetime | None = None
    source: str = ""
    test: bool = False
    identifiers: dict[str, str] = {}
    history: bool = False


FIELDS = tuple(field.name for field in msgspec.structs.fields(NativeLine))

_decode = msgspec.json.Decoder(NativeLine).decode


def native_event(line: bytes, received_at: datetime | None) -> Event:
    """Read a line in our own spelling. Its bounds aren't checked yet.

    Raises:
        msgspec.DecodeError: It is none.
        InputError: It is about nobody.
    """
    native = _decode(line)
    if not native.customer and not native.identifiers and b'"customer"' not in line:
        raise InputError("customer is missing")
    return Event(
        id=native.id,
        name=native.name,
        customer=native.customer,
        occurred_at=native.occurred_at,
        received_at=received_at or native.received_at or native.occurred_at,
        properties=native.properties,
        source=native.source,
        test=native.test,
        identifiers=native.identifiers,
        history=native.history,
    )
