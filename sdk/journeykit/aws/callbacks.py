"""What providers post back, on its way through the feedback queue.

    HTTP door:         kind `callback`, attribute `channel`; the body is JSON, with the
                       provider's own body in base64, since it may be signed byte for byte
    SNS, EventBridge:  no kind; who may send so to the queue is said in its policy

Nobody has verified any of it before the channel does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from journeykit.aws.messages import attribute, sent_at
from journeykit.aws.queues import Parcel, sendable
from journeykit.channels import Callback
from journeykit.errors import InputError
from journeykit.http.feedback import OF_AWS

KIND = "callback"


class _Posted(msgspec.Struct):
    """A callback as it stands in a message."""

    body: bytes
    headers: dict[str, str]
    received_at: datetime
    method: str = "POST"
    url: str = ""


class _Notification(msgspec.Struct):
    """What SNS wraps a message in."""

    message: str = msgspec.field(name="Message")
    type: str = msgspec.field(name="Type")
    id: str = msgspec.field(name="MessageId", default="")
    topic: str = msgspec.field(name="TopicArn", default="")


class _Envelope(msgspec.Struct):
    """What EventBridge wraps an event in."""

    source: str
    detail: msgspec.Raw
    name: str = msgspec.field(name="detail-type")


_encode = msgspec.json.Encoder().encode
_posted = msgspec.json.Decoder(_Posted)
_notification = msgspec.json.Decoder(_Notification)
_envelope = msgspec.json.Decoder(_Envelope)


def callback_parcel(channel: str, callback: Callback) -> Parcel:
    """Write a callback as a message."""
    posted = _Posted(
        body=callback.body,
        headers=dict(callback.headers),
        received_at=callback.received_at,
        method=callback.method,
        url=callback.url,
    )
    return Parcel(sendable(_encode(posted)), {"kind": KIND, "channel": channel})


def callback_of(record: Mapping[str, Any]) -> tuple[str, Callback]:
    """Read a callback, and whose it is.

    Args:
        record: Of the event that Lambda hands a function for SQS.

    Returns:
        The channel's name and the callback. SNS and EventBridge can't name a channel, so
        it is empty; what SNS wraps is unwrapped, with headers `x-amz-sns-topic-arn` and
        `x-amz-sns-message-id`; what EventBridge sends has `x-amz-eventbridge-source`.

    Raises:
        InputError: It is nothing of this; the message has nothing of what it says.
    """
    kind, body = attribute(record, "kind"), record.get("body")
    if not isinstance(body, str):
        raise InputError("the record has no body")
    try:
        if kind == KIND:
            return attribute(record, "channel"), _read(_posted.decode(body))
        if kind:
            raise InputError(f"{kind!r:.40} stands where a callback should")
        return "", _of_aws(body, sent_at(record))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"no callback: {type(error).__name__}") from error


def _read(posted: _Posted) -> Callback:
    return Callback(
        body=posted.body,
        headers=posted.headers,
        received_at=posted.received_at,
        method=posted.method,
        url=posted.url,
    )


def _of_aws(body: str, received_at: datetime) -> Callback:
    """Read what SNS or EventBridge has sent to the queue itself."""
    try:
        note = _notification.decode(body)
    except msgspec.ValidationError:
        event = _envelope.decode(body)
        headers = {f"{OF_AWS}eventbridge-source": event.source}
        return Callback(body=body.encode(), headers=headers, received_at=received_at)
    if note.type != "Notification":
        raise InputError("SNS sends something else than a notification")
    headers = {
        f"{OF_AWS}sns-topic-arn": note.topic,
        f"{OF_AWS}sns-message-id": note.id,
    }
    return Callback(
        body=note.message.encode(), headers=headers, received_at=received_at
    )
