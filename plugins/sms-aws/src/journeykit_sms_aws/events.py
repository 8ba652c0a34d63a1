"""What AWS End User Messaging says: what became of an SMS, and what people answer.

https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from journeykit.channels import Report
from journeykit.errors import InputError
from journeykit.media.keywords import keyword_of
from journeykit.sns import Notification, instant_of

CONTEXT = "journeykit-delivery"
"""The key under which an SMS carries the delivery's id, and its events bring it back."""

SOURCE = "aws.sms-voice"
"""What EventBridge calls the service."""

TEXT = 1000
"""The most characters of an answer that are kept; an SMS of ten parts has 1,530."""

_PLACE = "sms-aws: callback"

_FATES: dict[str, tuple[str, dict[str, object]]] = {
    "TEXT_DELIVERED": ("message.delivered", {}),
    # Accepted by the carrier, the last thing that many of them say.
    "TEXT_SUCCESSFUL": ("message.delivered", {}),
    "TEXT_INVALID": ("message.bounced", {"bounce": "hard"}),
    # Switched off, out of reach, or not taking messages: it may be another time.
    "TEXT_UNREACHABLE": ("message.bounced", {"bounce": "soft"}),
    "TEXT_CARRIER_UNREACHABLE": ("message.bounced", {"bounce": "soft"}),
    "TEXT_BLOCKED": ("message.bounced", {"bounce": "soft"}),
    # About what it says and who says it, and not about the number.
    "TEXT_INVALID_MESSAGE": ("message.rejected", {}),
    "TEXT_CARRIER_BLOCKED": ("message.rejected", {}),
    "TEXT_SPAM": ("message.rejected", {}),
    "TEXT_PROTECT_BLOCKED": ("message.rejected", {}),
    "TEXT_TTL_EXPIRED": ("message.failed", {}),
    "TEXT_UNKNOWN": ("message.failed", {}),
}


class _Event(msgspec.Struct, rename="camel"):
    """What became of an SMS; `inbound_message_id` says that it is an answer instead."""

    event_type: str = ""
    event_timestamp: int = 0
    message_id: str = ""
    context: dict[str, str] = {}
    origination_number: str = ""
    message_body: str = ""
    inbound_message_id: str = ""


_decode = msgspec.json.Decoder(_Event).decode


def reports_of(
    notification: Notification, *, received_at: datetime
) -> Sequence[Report]:
    """Return what a notification says; nothing, if it is of no use or of others.

    Args:
        notification: What AWS says.
        received_at: When it came in; an answer doesn't say when it was written.

    Raises:
        InputError: It is nothing that this service says; the message quotes nothing.
    """
    try:
        event = _decode(notification.body)
    except (msgspec.DecodeError, RecursionError) as err:
        raise InputError("it is no event of an SMS", place=_PLACE) from err
    if event.inbound_message_id and event.origination_number:
        return [_answer(event, received_at)]
    if not (event.event_type and event.message_id):
        raise InputError("it is no event of an SMS", place=_PLACE)
    if (fate := _FATES.get(event.event_type)) is None:
        return ()  # on its way, or no SMS
    name, properties = fate
    at = instant_of(event.event_timestamp)
    if at is None:
        raise InputError("its eventTimestamp is none", place=_PLACE)
    if name != "message.delivered":
        reason = event.event_type.removeprefix("TEXT_").lower().replace("_", " ")
        properties = {**properties, "reason": reason}
    delivery_id = event.context.get(CONTEXT, "")
    if not delivery_id and not notification.source:
        return ()  # SNS brings the context, so it is of somebody else's
    return [
        Report(
            delivery_id=delivery_id,
            name=name,
            # By what it means: carriers say that a message arrived in one way or in both.
            id=f"{event.message_id}/{name}",
            occurred_at=at,
            properties=properties,
            provider_id="" if delivery_id else event.message_id,
        )
    ]


def _answer(event: _Event, received_at: datetime) -> Report:
    text = event.message_body[:TEXT]
    return Report(
        delivery_id="",
        name="message.replied",
        id=event.inbound_message_id,
        occurred_at=received_at,
        properties={"text": text, "keyword": keyword_of(event.message_body)},
        address=event.origination_number,
    )
