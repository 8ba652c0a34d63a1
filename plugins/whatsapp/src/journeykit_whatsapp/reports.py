"""What Meta says of messages, and what people write: [status], [messages], [preferences].

[status]: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
[messages]: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
[preferences]: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from journeykit.channels import Report
from journeykit.media.keywords import keyword_of_tap
from journeykit.meta import GraphError, instant

TEXT = 1000
"""So many characters of what somebody wrote are kept."""

STOPPED = 131050
"""The customer has stopped marketing messages, in the app."""

# It may arrive another time: the number, the app or Meta's mood may be another then.
_SOFT = frozenset((131026, 131049, 130472))
# Meta would not carry it; what it could not, for a fault of its own, is a failure.
_REFUSED = frozenset(
    (368, 130497, 131021, 131031, 131037, 131042, 131047, 131048, 131051, 131053)
)
_TEMPLATES = range(132000, 133000)


def reports_in(entry: Any, *, numbers: Collection[str]) -> Iterator[Report]:
    """Yield what one entry of a callback says; what we don't know is passed over.

    Args:
        entry: With `changes`, as Meta or AWS have it.
        numbers: Meta's ids of our numbers; what is about others is nobody's here. Empty:
            all are ours.
    """
    for change in _dicts(entry, "changes"):
        value = change.get("value")
        if not isinstance(value, dict):
            continue
        metadata = value.get("metadata")
        number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
        if numbers and number not in numbers:
            continue
        for status in _dicts(value, "statuses"):
            yield from _fates(status)
        for message in _dicts(value, "messages"):
            yield from _replies(message)
        for wish in _dicts(value, "user_preferences"):
            yield from _wishes(wish)


def _fates(status: Mapping[str, Any]) -> Iterator[Report]:
    """What became of a message that we sent: others have no such data."""
    delivery_id = status.get("biz_opaque_callback_data")
    wamid, state = status.get("id"), status.get("status")
    at = instant(status.get("timestamp"))
    if not (isinstance(delivery_id, str) and delivery_id and isinstance(wamid, str)):
        return
    if at is None:
        return
    match state:
        case "delivered":
            said = _prices(status.get("pricing"))
            yield _report(delivery_id, "delivered", wamid, at, said)
        case "read":
            yield _report(delivery_id, "opened", wamid, at, {})
        case "failed":
            error = _error(status)
            said = {"reason": error.words, "code": error.code}
            if error.code in _SOFT:
                yield _report(
                    delivery_id, "bounced", wamid, at, {"bounce": "soft"} | said
                )
                return
            refused = error.code in _REFUSED or error.code in _TEMPLATES
            name = "rejected" if refused or error.code == STOPPED else "failed"
            yield _report(delivery_id, name, wamid, at, said)
            if error.code == STOPPED:
                # After it: to a Send with another channel, an unsubscription first would
                # be word of a message that arrived.
                stopped = {"reason": error.words}
                yield _report(delivery_id, "unsubscribed", wamid, at, stopped)


def _replies(message: Mapping[str, Any]) -> Iterator[Report]:
    """What somebody wrote to us; a reaction or a notice of the system is no word."""
    sender, wamid = message.get("from"), message.get("id")
    kind, at = message.get("type"), instant(message.get("timestamp"))
    known = isinstance(sender, str) and isinstance(wamid, str) and isinstance(kind, str)
    if not known or at is None or kind in ("reaction", "system"):
        return
    text, button = _words(message, str(kind))
    said: dict[str, object] = {"text": text[:TEXT], "kind": str(kind)[:30]}
    if button:
        said["button"] = button[:256]
        said["keyword"] = keyword_of_tap(button)
    yield Report(
        delivery_id="",
        name="message.replied",
        id=_id(str(wamid), "replied"),
        occurred_at=at,
        properties=said,
        address=_address(str(sender)),
    )


def _wishes(wish: Mapping[str, Any]) -> Iterator[Report]:
    """Whether somebody wants marketing, as set in the app; a yes of ours it can't be."""
    person, at = wish.get("wa_id"), instant(wish.get("timestamp"))
    stops = wish.get("category") == "marketing_messages" and wish.get("value") == "stop"
    if not isinstance(person, str) or at is None or not stops:
        return
    yield Report(
        delivery_id="",
        name="message.unsubscribed",
        id=_id(person, str(wish.get("timestamp")), "unsubscribed"),
        occurred_at=at,
        properties={"reason": GraphError(STOPPED).words},
        address=_address(person),
    )


def _words(message: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """What a message says, and the id of the button if it is a tap on one."""
    part = message.get(kind)
    if not isinstance(part, dict):
        return "", ""
    match kind:
        case "text":
            return _text(part, "body"), ""
        case "button":  # of a template
            return _text(part, "text"), _text(part, "payload")
        case "interactive":
            reply = part.get("button_reply") or part.get("list_reply")
            if not isinstance(reply, dict):
                return "", ""
            return _text(reply, "title"), _text(reply, "id")
        case _:  # a picture may have words beneath it
            return _text(part, "caption"), ""


def _report(
    delivery_id: str,
    name: str,
    wamid: str,
    at: datetime,
    properties: Mapping[str, object],
) -> Report:
    return Report(
        delivery_id=delivery_id,
        name=f"message.{name}",
        id=_id(wamid, name),
        occurred_at=at,
        properties=properties,
    )


def _prices(pricing: Any) -> dict[str, object]:
    """What it is paid for, as far as Meta says: a category, and whether at all."""
    found: dict[str, object] = {}
    if isinstance(pricing, dict):
        if isinstance(pricing.get("category"), str):
            found["category"] = pricing["category"][:60]
        if isinstance(pricing.get("billable"), bool):
            found["billable"] = pricing["billable"]
    return found


def _error(status: Mapping[str, Any]) -> GraphError:
    for error in _dicts(status, "errors"):
        code = error.get("code")
        if isinstance(code, int) and 0 <= code < 10**9:
            return GraphError(code)
    return GraphError(0)


def _address(sender: str) -> str:
    # Theirs are digits; some ids of persons without a number have letters.
    return f"+{sender}" if sender.isascii() and sender.isdigit() else sender


def _id(*parts: str) -> str:
    """Name a report: the ids of messages hold the customer's number, so not by those."""
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _dicts(value: Any, name: str) -> list[dict[str, Any]]:
    found = value.get(name) if isinstance(value, dict) else None
    listed = found if isinstance(found, list) else []
    return [item for item in listed if isinstance(item, dict)]
