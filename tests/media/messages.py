"""Messages as the dispatcher hands them to a channel's `render`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from journeykit.channels import Content, Message

UNSUBSCRIBE = "https://shop.example/u/TOKEN"


def message(
    medium: str,
    parts: Mapping[str, str] | None,
    settings: Mapping[str, object] | None = None,
    *,
    purpose: str = "transactional",
    **content: Any,
) -> Message:
    return Message(
        delivery_id="d1",
        customer="c1",
        channel=medium,
        address="a",
        template="cart-reminder",
        variables={},
        at=datetime(2026, 6, 7, 12, tzinfo=UTC),
        journey="j",
        step="s",
        purpose=purpose,
        content=None
        if parts is None
        else Content(parts=parts, settings=settings or {}, **content),
    )


def from_json(medium: str, document: object, **content: Any) -> Message:
    return message(medium, {"json": json.dumps(document)}, **content)
