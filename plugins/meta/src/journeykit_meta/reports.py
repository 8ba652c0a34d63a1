"""What Meta says of direct messages, and what people write: [messenger], [instagram].

[messenger]: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
[instagram]: https://developers.facebook.com/docs/messenger-platform/instagram/features/webhook
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from journeykit.channels import Report
from journeykit.media.keywords import keyword_of_tap
from journeykit.meta import instant

TEXT = 1000
"""So many characters of what somebody wrote are kept."""

LISTED = 100
"""So many messages of one receipt are looked at."""


def reports_in(entry: Any, *, accounts: Collection[str]) -> Iterator[Report]:
    """Yield what one entry of a callback says; what we don't know is passed over.

    Args:
        entry: With `messaging`; what stands in `standby` is for another app.
        accounts: The ids of our page or account; an entry about another is nobody's here.
    """
    if not isinstance(entry, dict) or str(entry.get("id")) not in accounts:
        return
    listed = entry.get("messaging")
    for event in listed if isinstance(listed, list) else ():
        if not isinstance(event, dict):
            continue
        sender = event.get("sender")
        person = sender.get("id") if isinstance(sender, dict) else None
        at = instant(event.get("timestamp")) or instant(entry.get("time"))
        if not isinstance(person, str) or not person or at is None:
            continue
        yield from _delivered(event.get("delivery"), at)
        yield from _read(event.get("read"), person, at)
        yield from _written(event.get("message"), person, at)
        yield from _tapped(event.get("postback"), person, at)


def _delivered(delivery: Any, at: datetime) -> Iterator[Report]:
    """By message. Where there is only a watermark, of what came before, nobody knows."""
    mids = delivery.get("mids") if isinstance(delivery, dict) else None
    for mid in mids[:LISTED] if isinstance(mids, list) else ():
        if isinstance(mid, str) and mid:
            yield Report(
                delivery_id="",
                name="message.delivered",
                id=_id(mid, "delivered"),
                occurred_at=at,
                provider_id=mid,
            )


def _read(read: Any, person: str, at: datetime) -> Iterator[Report]:
    """By message at Instagram; by person at Messenger: all until then, so the latest."""
    if not isinstance(read, dict):
        return
    mid = read.get("mid")
    if isinstance(mid, str) and mid:
        yield Report(
            delivery_id="",
            name="message.opened",
            id=_id(mid, "opened"),
            occurred_at=at,
            provider_id=mid,
        )
    elif instant(read.get("watermark")) is not None:
        yield Report(
            delivery_id="",
            name="message.opened",
            id=_id(person, str(read["watermark"]), "opened"),
            occurred_at=at,
            address=person,
        )


def _written(message: Any, person: str, at: datetime) -> Iterator[Report]:
    """What somebody wrote; an echo of ours and what was taken back is no word."""
    if not isinstance(message, dict):
        return
    mid, text = message.get("mid"), message.get("text")
    ours = message.get("is_echo") or message.get("is_deleted")
    if not isinstance(mid, str) or not mid or ours:
        return
    said: dict[str, object] = {"text": text[:TEXT] if isinstance(text, str) else ""}
    said["kind"] = "text" if said["text"] else "attachment"
    quick = message.get("quick_reply")
    payload = quick.get("payload") if isinstance(quick, dict) else None
    yield _replied(mid, person, at, said, payload)


def _tapped(postback: Any, person: str, at: datetime) -> Iterator[Report]:
    if not isinstance(postback, dict):
        return
    title, payload = postback.get("title"), postback.get("payload")
    # Those of old versions have no id of their own.
    mid = postback.get("mid")
    mid = mid if isinstance(mid, str) and mid else f"{person} {at.isoformat()}"
    text = title[:TEXT] if isinstance(title, str) else ""
    yield _replied(mid, person, at, {"text": text, "kind": "button"}, payload)


def _replied(
    mid: str, person: str, at: datetime, said: Mapping[str, object], payload: object
) -> Report:
    properties = dict(said)
    if isinstance(payload, str) and payload:
        properties["button"] = payload[:256]
        properties["keyword"] = keyword_of_tap(payload)
    return Report(
        delivery_id="",
        name="message.replied",
        id=_id(mid, "replied"),
        occurred_at=at,
        properties=properties,
        address=person,
    )


def _id(*parts: str) -> str:
    """Name a report by what it is about, without showing whom."""
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]
