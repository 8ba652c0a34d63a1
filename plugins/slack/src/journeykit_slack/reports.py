"""What Slack posts: events of the Events API, and taps on buttons.

[signature]: https://docs.slack.dev/authentication/verifying-requests-from-slack
[events]: https://docs.slack.dev/apis/events-api
[message]: https://docs.slack.dev/reference/events/message.im
[taps]: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from journeykit.channels import Callback, Report
from journeykit.errors import ForgedCallback, InputError
from journeykit.media.keywords import keyword_of_tap
from journeykit_slack.blocks import LINK, unescaped

TOLERANCE = 5 * 60
"""Seconds that a request may be old, or a clock wrong: [signature]."""

TEXT = 1000
"""So many characters of what somebody wrote are kept."""

PLACE = "slack: callback"

_STAMP = re.compile(r"([0-9]{1,11})\.([0-9]{1,9})")


def signature(secret: str, second: str, body: bytes) -> str:
    """Return what stands in `x-slack-signature`."""
    content = b"v0:" + second.encode(errors="replace") + b":" + body
    return "v0=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def document_of(callback: Callback, secret: str) -> dict[str, Any]:
    """Return what a callback says that Slack signed in the last five minutes.

    Raises:
        ForgedCallback: It was not, or nobody can tell.
        InputError: It is nothing that Slack posts.
    """
    second = callback.headers.get("x-slack-request-timestamp", "")
    given = callback.headers.get("x-slack-signature", "")
    if not (second.isascii() and second.isdigit() and len(second) < 12):
        raise ForgedCallback("x-slack-request-timestamp is no second", place=PLACE)
    if abs(callback.received_at.timestamp() - int(second)) > TOLERANCE:
        raise ForgedCallback(
            "x-slack-request-timestamp is more than five minutes away", place=PLACE
        )
    expected = signature(secret, second, callback.body).encode()
    if not hmac.compare_digest(expected, given.encode(errors="replace")):
        raise ForgedCallback(
            "x-slack-signature is not of this secret and body", place=PLACE
        )
    form = callback.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    )
    try:
        body = callback.body.decode()
        found = json.loads(parse_qs(body)["payload"][0] if form else body)
    except (ValueError, KeyError, RecursionError):
        raise InputError("it is nothing that Slack posts", place=PLACE) from None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise InputError("it is nothing that Slack posts", place=PLACE)
    return found


def reports_in(document: dict[str, Any]) -> Iterator[Report]:
    """Yield what a callback says; what we don't know is passed over."""
    match document["type"]:
        case "event_callback":
            yield from _written(document)
        case "block_actions":
            yield from _tapped(document)


def _written(document: dict[str, Any]) -> Iterator[Report]:
    """What a person wrote to the bot, or beneath one of its messages."""
    event, id = document.get("event"), document.get("event_id")
    if not isinstance(event, dict) or not isinstance(id, str) or not id:
        return
    person, text, stamp = event.get("user"), event.get("text"), event.get("ts")
    # Others: an edit, a bot's own word, somebody who joined. A file is a word, too.
    plain = event.get("subtype") in (None, "file_share", "thread_broadcast")
    ours = event.get("bot_id") or not plain or event.get("type") != "message"
    at = _instant(stamp)
    if ours or at is None or not isinstance(person, str) or not person:
        return
    channel, thread = event.get("channel"), event.get("thread_ts")
    beneath = isinstance(thread, str) and thread and thread != stamp
    if not beneath and event.get("channel_type") != "im":
        return  # people talking to each other
    words = unescaped(text)[:TEXT] if isinstance(text, str) else ""
    yield Report(
        delivery_id="",
        name="message.replied",
        id=id[:100],
        occurred_at=at,
        properties={"text": words, "kind": "text" if words else "file"},
        provider_id=f"{channel}:{thread}" if beneath else "",
        address="" if beneath else person,
    )


def _tapped(document: dict[str, Any]) -> Iterator[Report]:
    """A tap on a button: of a link, or an answer."""
    container = document.get("container")
    actions = document.get("actions")
    if not isinstance(container, dict) or not isinstance(actions, list):
        return
    channel, stamp = container.get("channel_id"), container.get("message_ts")
    if not isinstance(channel, str) or not isinstance(stamp, str):
        return
    for action in actions[:10]:
        if not isinstance(action, dict) or action.get("type") != "button":
            continue
        name, at = action.get("action_id"), _instant(action.get("action_ts"))
        if not isinstance(name, str) or at is None:
            continue
        shown = action.get("text")
        label = shown.get("text") if isinstance(shown, dict) else ""
        words = unescaped(label)[:TEXT] if isinstance(label, str) else ""
        value = action.get("value")
        said: dict[str, object] = {"text": words, "kind": "button"}
        if isinstance(value, str) and value:
            said["button"] = value[:256]
            said["keyword"] = keyword_of_tap(value)
        clicked = name.startswith(f"{LINK}-") or isinstance(action.get("url"), str)
        yield Report(
            delivery_id="",
            name="message.clicked" if clicked else "message.replied",
            id=_id(channel, stamp, name, str(action["action_ts"])),
            occurred_at=at,
            properties={"label": words} if clicked else said,
            provider_id=f"{channel}:{stamp}",
        )


def _instant(stamp: object) -> datetime | None:
    """The instant of `1503435956.000247`: a second, and a count within it."""
    found = _STAMP.fullmatch(stamp) if isinstance(stamp, str) else None
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]
