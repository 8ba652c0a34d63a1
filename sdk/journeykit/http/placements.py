"""Places that ask what to show: a banner of a page, a card of an app.

    POST /v1/decide                          your server asks, with an API key
    POST /v1/inbox/<customer>/<place>/ask    an app asks, with the customer's token

It is answered when it is decided and stored: the content, or none and the reasons. The same
ask again, by its id, is answered with the same.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from journeykit.errors import DefinitionError, InputError, StoreError
from journeykit.http.messages import Answer, Refused, in_json
from journeykit.model.events import PLACEMENT_REQUESTED, Event, checked
from journeykit.model.rules import ID_LENGTH, is_id

if TYPE_CHECKING:  # what decides is loaded by whoever has it
    from journeykit.runtime.placements import Shown

_log = logging.getLogger("journeykit.http")

SCOPE = "decide"
"""What an API key must be for."""

SOURCE = "decide"
"""The source of asks: their ids are no other sender's."""

MAX_PROPERTIES = 16 * 1024
"""Bytes of what a place says of itself: it goes to the archive, and into who enters."""

_LONGEST_ERROR = 300

Decide: TypeAlias = "Callable[[Event], Shown]"
"""Decides on an ask, and returns when that is stored.

It raises InputError if it never can, StoreError if it can't be stored, and DefinitionError if nothing is published.
"""


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/decide`."""

    placement: str
    customer: str = ""
    identifiers: dict[str, str] = {}
    id: str = ""
    properties: dict[str, Any] = {}
    test: bool = False


class OwnAsk(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/inbox/<customer>/<place>/ask`; it may be left out."""

    id: str = ""
    properties: dict[str, Any] = {}


_AGAINST: Mapping[str, Any] = {
    "type": "object",
    "required": ["reason"],
    "properties": {
        "reason": {"type": "string"},
        "journey": {"type": "string"},
        "step": {"type": "string"},
    },
}

SHOWN: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "customer", "placement", "content", "notice", "reasons"],
    "properties": {
        "id": {"type": "string"},
        "customer": {"type": "string"},
        "placement": {"type": "string"},
        "content": {"type": ["object", "null"]},
        "notice": {"type": "string"},
        "journey": {"type": "string"},
        "step": {"type": "string"},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "expires_at": {"type": ["string", "null"], "format": "date-time"},
        "again": {"type": "boolean"},
        "reasons": {"type": "array", "items": _AGAINST},
    },
}
"""What a place is to show."""


def answered(ask: Ask, *, decide: Decide, received_at: datetime) -> Shown:
    """Have an ask decided.

    Args:
        ask: What was asked.
        decide: Decides on it.
        received_at: The door's stamp.

    Raises:
        Refused: It is no ask that could be decided (400), or not now (503).
    """
    if not is_id(ask.placement):
        raise Refused(
            400,
            f"placement: {ask.placement!r:.80} is no place; its name has 1 to "
            f"{ID_LENGTH} small letters, digits, '.', '_' and '-'",
        )
    if len(msgspec.json.encode(ask.properties)) > MAX_PROPERTIES:
        raise Refused(400, f"properties: may have {MAX_PROPERTIES} bytes")
    if "placement" in ask.properties:
        raise Refused(400, "properties: the place stands in placement, beside them")
    event = Event(
        id=ask.id or secrets.token_hex(16),
        name=PLACEMENT_REQUESTED,
        customer=ask.customer,
        occurred_at=received_at,
        received_at=received_at,
        properties={**ask.properties, "placement": ask.placement},
        source=SOURCE,
        test=ask.test,
        identifiers=ask.identifiers,
    )
    try:
        return decide(checked(event))
    except InputError as error:
        raise Refused(400, error.message[:_LONGEST_ERROR]) from error
    except StoreError as error:
        _log.error("an ask can't be decided: %s", error)
        raise Refused(
            503, "it can't be decided now; the same again is safe", Retry_After="1"
        ) from error
    except DefinitionError as error:
        _log.error("an ask can't be decided: %s", error)
        raise Refused(
            503, "nothing is published that could be decided by", Retry_After="60"
        ) from error


def answer_of(shown: Shown, *, reasons: bool = True) -> Answer:
    """Return what a place gets.

    Args:
        shown: What was decided.
        reasons: Whether it is told why others have not answered: your server may know, a
            customer's browser need not.
    """
    content = msgspec.structs.asdict(shown)
    if not reasons:
        content["reasons"] = ()
    return replace(in_json(200, content), count=1)
