"""Push: what a phone shows on its lock screen, and the data that its app gets with it.

Apple refuses a payload of more than 4096 bytes ([Apple]), Google one of more than 4096
([FCM]); both keep a message for four weeks at most ([FCM], `ttl`).

[Apple]: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
[FCM]: https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from journeykit.channels import Message
from journeykit.errors import ContentError
from journeykit.media.destinations import link_of
from journeykit.media.document import content_of, document_of
from journeykit.media.wording import cut, lines_of, one_line, required

SIZE = 4096
"""The most bytes of JSON that Apple and Google take."""

RESERVE = 256
"""Of those, how many are kept for what a provider adds, such as the delivery's id."""

MOST_TTL = 28 * 24 * 3600
"""How many seconds a message is kept at most for a phone that is off."""

TITLE_SHOWN, BODY_SHOWN = 65, 178
"""About how many characters a lock screen shows; phones differ."""

_COLLAPSE = 64  # bytes of `apns-collapse-id`
_RESERVED = ("from", "message_type", "notification", "aps", "delivery_id")
_RESERVED_PREFIXES = ("google", "gcm")


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    body: str = ""
    image: str = ""
    link: str = ""
    data: dict[str, str | int | float | bool | None] = {}
    collapse: str = ""
    ttl: int | str | None = None
    badge: int | str | None = None
    sound: str = ""
    category: str = ""
    priority: Literal["high", "normal"] = "high"
    truncate: bool = False
    android: dict[str, Any] = {}
    apns: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A push notification as it is handed over.

    Attributes:
        title: One line.
        body: What it says; may have lines.
        image: A picture, by https.
        link: Where a tap leads: https or the app's own scheme; empty: into the app.
        data: What the app gets beside it.
        collapse: Of several with this word that a phone has not shown yet, the last.
        ttl: Seconds for which it is worth showing to a phone that was off; None: as long
            as the provider keeps it.
        badge: The number on the app's icon; None: left as it is.
        sound: Which sound; `default` is the phone's, empty is none.
        category: Which of the app's own kinds of notification (iOS), or which of its
            channels (Android).
        priority: `high`: now; `normal`: when the phone wakes anyway.
        android: What the provider gets for Android phones beside it, in its own words.
        apns: What it gets for Apple's.
        size: Bytes of JSON, as the larger of the two systems counts, and what is kept for
            the provider.
        warnings: What an author should know.
    """

    title: str
    body: str = ""
    image: str = ""
    link: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    collapse: str = ""
    ttl: int | None = None
    badge: int | None = None
    sound: str = ""
    category: str = ""
    priority: Literal["high", "normal"] = "high"
    android: Mapping[str, Any] = field(default_factory=dict)
    apns: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    warnings: tuple[str, ...] = ()


def push_of(message: Message) -> Push:
    """Return what a message is as a push notification, of its `json` part.

    With `truncate: true` in the template what a lock screen would not show is cut, and the
    body as far as the payload must shrink. Without it, nothing is.

    Raises:
        ContentError: Something is missing, is not what it may be, or it is too large.
    """
    found = document_of(message, "push", _Template)
    data = {key: _scalar(value) for key, value in found.data.items()}
    for key in data:
        if key.lower() in _RESERVED or key.lower().startswith(_RESERVED_PREFIXES):
            raise ContentError("the data of the push has a key that is reserved")
    if len(found.collapse.encode()) > _COLLAPSE:
        raise ContentError(f"`collapse` has more than {_COLLAPSE} bytes")
    ttl, badge = _whole(found.ttl, "ttl"), _whole(found.badge, "badge")
    if ttl is not None and ttl > MOST_TTL:
        raise ContentError(f"`ttl` is more than {MOST_TTL} seconds, four weeks")
    push = Push(
        title=required(one_line(found.title), what="title of the push"),
        body=lines_of(found.body).strip(),
        image=link_of(found.image, what="image") if found.image.strip() else "",
        link=link_of(found.link, what="link", apps=True) if found.link.strip() else "",
        data=data,
        collapse=found.collapse,
        ttl=ttl,
        badge=badge,
        sound=found.sound,
        category=found.category,
        priority=found.priority,
        android=found.android,
        apns=found.apns,
    )
    if found.truncate:
        push = _cut(push)
    size = size_of(push)
    if size > SIZE:
        raise ContentError(f"the push has {size} bytes; {SIZE} are the most")
    return replace(
        push,
        size=size,
        warnings=(*content_of(message, "push").warnings, *_warnings(push)),
    )


def size_of(push: Push) -> int:
    """Return how many bytes of JSON a push is, as the larger of the two systems counts."""
    own: dict[str, Any] = {**push.data, "link": push.link}
    alert = {"title": push.title, "body": push.body}
    apple = {
        "aps": {
            "alert": alert,
            "badge": push.badge,
            "sound": push.sound,
            "category": push.category,
            "mutable-content": 1,
        },
        "image": push.image,
        "apns": push.apns,
        **own,
    }
    google = {
        "notification": {
            **alert,
            "image": push.image,
            "sound": push.sound,
            "channel_id": push.category,
            "tag": push.collapse,
        },
        "data": own,
        "android": push.android,
    }
    return RESERVE + max(
        len(json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode())
        for each in (apple, google)
    )


def _cut(push: Push) -> Push:
    """A push with no more words than are shown, and than fit."""
    push = replace(
        push, title=cut(push.title, TITLE_SHOWN), body=cut(push.body, BODY_SHOWN)
    )
    while (over := size_of(push) - SIZE) > 0 and push.body:
        # A character is at most 12 bytes of JSON, so this ends, and seldom cuts too much.
        push = replace(push, body=cut(push.body, len(push.body) - 1 - over // 12))
    return push


def _warnings(push: Push) -> list[str]:
    return [
        f"the {what} has {len(text)} characters; lock screens show about {shown}"
        for what, text, shown in (
            ("title", push.title, TITLE_SHOWN),
            ("body", push.body, BODY_SHOWN),
        )
        if len(text) > shown
    ]


def _whole(value: int | str | None, what: str) -> int | None:
    """A number of zero or more that may have been rendered to text, or to nothing."""
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ContentError(f"`{what}` must be a whole number of zero or more")
    return int(text)


def _scalar(value: str | float | bool | None) -> str:
    """A value of `data` as text, which both systems want."""
    return value if isinstance(value, str) else json.dumps(value)
