"""What is asked of Firebase for one device, and what its answer means.

[message]: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
[codes]: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
[errors]: https://firebase.google.com/docs/cloud-messaging/error-codes
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from journeykit.channels import Receipt, Rejected, RetryAfter, Sent
from journeykit.media.push import Push
from journeykit.transport import Outcome, Response, receipt_of, retry_after

QUOTA = 60.0
"""Seconds to wait for new quota where Google doesn't say: it is counted by the minute."""

_log = logging.getLogger(__name__)

REFUSED = 60.0
"""Seconds until Google is asked again after it refused us, and not a message."""

UNREGISTERED = "unregistered"
"""The reason for a device that will never get a message again."""

_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
# All that Google says in [errors] of a token that can't be one. Of the same code is
# what is wrong with a message, which is no fault of the device's.
_NO_DEVICE = "The registration token is not a valid FCM registration token"


def body_of(
    push: Push, token: str, *, delivery_id: str, at: datetime, validate_only: bool
) -> bytes:
    """Return the request that sends a push to one device.

    Args:
        push: What it shows.
        token: The device's registration token.
        delivery_id: The message's id, which the app gets among the data.
        at: The aware instant from which on the time to live counts.
        validate_only: Whether Google is to check it and send nothing.
    """
    data = {**push.data, "delivery_id": delivery_id}
    if push.link:
        data["link"] = push.link
    message: dict[str, Any] = {
        "token": token,
        "notification": _filled(title=push.title, body=push.body, image=push.image),
        "data": data,
        "android": _merged(_android(push), push.android),
        "apns": _merged(_apple(push, at), push.apns),
        "webpush": _browser(push),
    }
    asked: dict[str, Any] = {"message": {k: v for k, v in message.items() if v}}
    if validate_only:
        asked["validate_only"] = True
    return json.dumps(asked, separators=(",", ":"), allow_nan=False).encode()


def _android(push: Push) -> dict[str, Any]:
    shown = _filled(
        sound=push.sound,
        channel_id=push.category,
        tag=push.collapse,  # so that it replaces what the phone shows already
        notification_count=push.badge,
    )
    return _filled(
        priority=push.priority.upper(),
        collapse_key=push.collapse,
        ttl=None if push.ttl is None else f"{push.ttl}s",
        notification=shown or None,
    )


def _apple(push: Push, at: datetime) -> dict[str, Any]:
    headers = {"apns-priority": "10" if push.priority == "high" else "5"}
    if push.ttl is not None:
        # 0 means: now or never.
        end = int(at.timestamp()) + push.ttl if push.ttl else 0
        headers["apns-expiration"] = str(end)
    if push.collapse:
        headers["apns-collapse-id"] = push.collapse
    aps = _filled(badge=push.badge, sound=push.sound, category=push.category)
    found: dict[str, Any] = {"headers": headers}
    if push.image:
        aps["mutable-content"] = 1  # the app fetches the picture before it is shown
        found["fcm_options"] = {"image": push.image}
    if aps:
        found["payload"] = {"aps": aps}
    return found


def _browser(push: Push) -> dict[str, Any]:
    headers: dict[str, str] = {"Urgency": push.priority}
    if push.ttl is not None:
        headers["TTL"] = str(push.ttl)
    found: dict[str, Any] = {"headers": headers}
    if push.link.startswith("https://"):  # an app's own scheme is none of a browser's
        found["fcm_options"] = {"link": push.link}
    return found


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What the author says in Google's own words, put over what we make of the rest."""
    found = dict(ours)
    for name, value in theirs.items():
        known = found.get(name)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        found[name] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return found


def _filled(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def is_unauthorized(outcome: Outcome) -> bool:
    """Whether Google would not take the access token, whatever the message."""
    return (
        isinstance(outcome, Response)
        and outcome.status == 401
        and _read(outcome)[0] != "THIRD_PARTY_AUTH_ERROR"
    )


def receipt(delivery_id: str, outcome: Outcome) -> Receipt:
    """Return the receipt that an answer of Google's means, for one device.

    What is the operator's to put right (an account without the permission, an API that is
    not enabled) is a RetryAfter: it must not cost customers messages.
    """
    if not isinstance(outcome, Response):
        return receipt_of(delivery_id, outcome)
    code, status, message, name = _read(outcome)
    if 200 <= outcome.status < 300:
        return Sent(delivery_id, name)
    known = code or status
    match code:
        case "UNREGISTERED":
            return Rejected(delivery_id, UNREGISTERED, "hard_bounce")
        case "INVALID_ARGUMENT" if message.rstrip(".") == _NO_DEVICE:
            return Rejected(delivery_id, UNREGISTERED, "hard_bounce")
        case "THIRD_PARTY_AUTH_ERROR":  # the key for Apple's or a browser's service
            _log.error("FCM can't reach another push service: %s", known)
            return RetryAfter(delivery_id, REFUSED)
        case "SENDER_ID_MISMATCH" | "INVALID_ARGUMENT":
            # No bounce: with the wrong project's account it is so for every device. Nor
            # is it waited for: one device of another app must not hold up the others.
            return Rejected(delivery_id, f"FCM {known}")
    if outcome.status == 429:
        return RetryAfter(delivery_id, retry_after(outcome) or QUOTA)
    if outcome.status in (401, 403):
        return RetryAfter(delivery_id, REFUSED)
    read = receipt_of(delivery_id, outcome)
    if isinstance(read, Rejected) and known:
        return Rejected(delivery_id, f"FCM {known}")
    return read


def _read(outcome: Response) -> tuple[str, str, str, str]:
    """The code of FCM's own, the status, what is said, and the message's name."""
    try:
        answer = json.loads(outcome.body)
    except (ValueError, RecursionError):
        return "", "", "", ""
    if not isinstance(answer, dict):
        return "", "", "", ""
    error = answer.get("error")
    found = error if isinstance(error, dict) else {}
    details = found.get("details")
    codes = [
        detail.get("errorCode")
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and detail.get("@type") == _ERROR
    ]
    texts = (*codes[:1], "")[0], found.get("status"), found.get("message")
    code, status, message, name = [
        value if isinstance(value, str) else ""
        for value in (*texts, answer.get("name"))
    ]
    return _word(code), _word(status), message, name


def _word(text: str) -> str:
    """A code as it may stand in a reason: theirs are words in capitals."""
    return text[:60] if text.isidentifier() and text.isascii() else ""
