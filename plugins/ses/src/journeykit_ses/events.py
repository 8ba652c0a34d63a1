"""What SES publishes about mails, as reports.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
EventBridge has the same in `detail`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from journeykit.channels import Report
from journeykit.errors import InputError
from journeykit.media.machines import machine
from journeykit.sns import Notification, instant_of

TAG = "journeykit-delivery"
"""The tag of a mail that names the delivery."""

SOURCE = "aws.ses"
"""What EventBridge calls SES."""

_PLACE = "ses: callback"
_LONGEST_LINK = 2000


class _Recipient(msgspec.Struct):
    status: str = ""


class _What(msgspec.Struct, rename="camel"):
    """What happened: the fields of all kinds of events that are of use."""

    timestamp: str = ""
    feedback_id: str = ""
    bounce_type: str = ""
    bounce_sub_type: str = ""
    bounced_recipients: list[_Recipient] = []
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    delay_type: str = ""
    delayed_recipients: list[_Recipient] = []
    reason: str = ""
    link: str = ""
    user_agent: str | None = None
    new_topic_preferences: dict[str, Any] = {}


class _Mail(msgspec.Struct, rename="camel"):
    timestamp: str
    message_id: str
    tags: dict[str, list[str]] = {}


class _Event(msgspec.Struct, rename="camel"):
    mail: _Mail
    event_type: str = ""
    notification_type: str = ""  # of an identity without event publishing
    bounce: _What | None = None
    complaint: _What | None = None
    delivery: _What | None = None
    reject: _What | None = None
    open: _What | None = None
    click: _What | None = None
    failure: _What | None = None
    delivery_delay: _What | None = None
    subscription: _What | None = None


_decode = msgspec.json.Decoder(_Event).decode


def reports_of(notification: Notification) -> Sequence[Report]:
    """Return what an event says; nothing, if it is of no use or of a mail of others.

    Raises:
        InputError: It is no event of SES; the message has nothing of what it says.
    """
    if notification.body.startswith(b"Successfully validated SNS topic"):
        return ()  # what SES publishes when a topic is chosen
    try:
        event = _decode(notification.body)
    except (msgspec.DecodeError, RecursionError) as err:
        raise InputError("it is no event of SES", place=_PLACE) from err
    kind = event.event_type or event.notification_type
    if not kind:
        raise InputError("it is no event of SES", place=_PLACE)
    tagged = event.mail.tags.get(TAG)
    if not tagged or not tagged[0]:
        return ()
    told = _told(kind, event)
    if told is None:
        return ()
    name, what, properties = told
    at = instant_of(what.timestamp) or instant_of(event.mail.timestamp)
    if at is None:
        raise InputError("its timestamp is none", place=_PLACE)
    # By SES's own ids, and not the notification's: the same may come over two ways.
    stamp = what.feedback_id or f"{kind}/{what.timestamp}/{properties.get('link', '')}"
    return [
        Report(
            delivery_id=tagged[0],
            name=name,
            id=f"{event.mail.message_id}/{stamp}"[:250],
            occurred_at=at,
            properties=properties,
        )
    ]


def _told(kind: str, event: _Event) -> tuple[str, _What, dict[str, object]] | None:
    """Return which event of ours it is, what SES says of it, and its properties.

    `Send` is none of ours: the receipt has said it.
    """
    match kind, event:
        case "Delivery", _Event(delivery=_What() as what):
            return "message.delivered", what, {}
        case "Bounce", _Event(bounce=_What() as what):
            return "message.bounced", what, _bounced(what)
        case "Complaint", _Event(complaint=_What() as what):
            reason = what.complaint_feedback_type or what.complaint_sub_type or ""
            return "message.complained", what, _reason(reason)
        case "Reject", _Event(reject=_What() as what):
            return "message.rejected", what, _reason(what.reason)
        case "Rendering Failure", _Event(failure=_What() as what):
            return "message.failed", what, _reason("rendering")
        case "DeliveryDelay", _Event(delivery_delay=_What() as what):
            return "message.deferred", what, _reason(what.delay_type)
        case "Open", _Event(open=_What() as what):
            return "message.opened", what, _by("opened", what, event.mail)
        case "Click", _Event(click=_What() as what):
            link = {"link": what.link[:_LONGEST_LINK]}
            return "message.clicked", what, link | _by("clicked", what, event.mail)
        case "Subscription", _Event(subscription=_What() as what):
            if what.new_topic_preferences.get("unsubscribeAll") is True:
                return "message.unsubscribed", what, {}
            return None
        case _:
            return None


def _bounced(what: _What) -> dict[str, object]:
    """Only `Permanent` says that the address is wrong; SES has tried the others for hours.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-types
    """
    status = what.bounced_recipients[0].status if what.bounced_recipients else ""
    reason = " ".join(filter(None, [what.bounce_type, what.bounce_sub_type, status]))
    hard = what.bounce_type == "Permanent"
    return {"bounce": "hard" if hard else "soft", **_reason(reason)}


def _by(kind: Any, what: _What, mail: _Mail) -> dict[str, object]:
    """Whether a machine did it, as mail scanners and image proxies do."""
    sent, done = instant_of(mail.timestamp), instant_of(what.timestamp)
    reason = machine(kind, user_agent=what.user_agent, seconds=_between(sent, done))
    return {"automated": True, "machine": reason} if reason else {}


def _between(sent: datetime | None, done: datetime | None) -> float | None:
    return (done - sent).total_seconds() if sent and done else None


def _reason(text: str) -> dict[str, object]:
    return {"reason": text[:200]} if text else {}
