"""What Twilio posts: what became of an SMS, and what people answer.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
https://www.twilio.com/docs/messaging/guides/webhook-request
https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from journeykit.channels import Report
from journeykit.errors import InputError
from journeykit.media.keywords import keyword_of

TEXT = 1000
"""The most characters of an answer that are kept."""

# The number has sent STOP to our sender, and Twilio lets nothing through:
# https://www.twilio.com/docs/api/errors/21610
_OPTED_OUT = "21610"

# What errors say of the number; of others it is not the number's fault. Twilio adds codes
# and divides them, so there are few here: one that is not known is a failure.
_HARD = frozenset(("21211", "21214", "21217", "21614", "21635", "30005", "30006"))
_SOFT = frozenset(("30003", "30004"))
_REJECTED = frozenset(("30007", "30032", "30034", "30035"))

_OPT_OUT_TYPES = {"STOP": "stop", "START": "start", "HELP": "help"}


def reports_of(
    parameters: Mapping[str, str], *, delivery_id: str, received_at: datetime
) -> Sequence[Report]:
    """Return what a callback says; nothing, if a message is only on its way.

    Args:
        parameters: Of the form, signed.
        delivery_id: From the URL; empty if it isn't there.
        received_at: When it came in; Twilio doesn't say when it happened.

    Raises:
        InputError: It is neither about an SMS nor an SMS; the message quotes nothing.
    """
    sid = parameters.get("MessageSid") or parameters.get("SmsSid") or ""
    status = parameters.get("MessageStatus") or parameters.get("SmsStatus") or ""
    if not sid:
        raise InputError("it is about no message", place="twilio: callback")
    if "Body" in parameters and status in ("received", ""):
        return [_answer(parameters, sid, received_at)]
    told = _told(status, parameters.get("ErrorCode", ""))
    if told is None:
        return ()
    name, properties = told
    report = Report(
        delivery_id=delivery_id,
        name=name,
        id=f"{sid}/{status}"[:250],
        occurred_at=received_at,
        properties=properties,
        provider_id="" if delivery_id else sid,
    )
    if not is_opted_out(parameters.get("ErrorCode", "")):
        return [report]
    # After it: to a Send with another channel, an unsubscription first would be word of
    # a message that arrived.
    opted_out = {**properties, "purpose": "", "source": "provider"}
    unsubscribed = replace(
        report,
        name="message.unsubscribed",
        id=f"{sid}/unsubscribed"[:250],
        properties=opted_out,
    )
    return [report, unsubscribed]


def _told(status: str, code: str) -> tuple[str, dict[str, object]] | None:
    """Return which event a status is; None: none, such as `queued` or `sent`."""
    reason: dict[str, object] = {"reason": f"Twilio {code}"[:100]} if code else {}
    match status:
        case "delivered":
            return "message.delivered", {}
        case "read":  # RCS and WhatsApp
            return "message.opened", {}
        case "canceled":
            return "message.failed", {"reason": "canceled"}
        case "undelivered" | "failed":
            if code in _HARD:
                return "message.bounced", {"bounce": "hard", **reason}
            if code in _SOFT:
                return "message.bounced", {"bounce": "soft", **reason}
            if code in _REJECTED or code == _OPTED_OUT:
                return "message.rejected", reason
            return "message.failed", reason
        case _:
            return None


def _answer(parameters: Mapping[str, str], sid: str, received_at: datetime) -> Report:
    text = parameters.get("Body", "")
    # Twilio says so itself where it handles opting out, in whatever language.
    own = _OPT_OUT_TYPES.get(parameters.get("OptOutType", "").upper())
    return Report(
        delivery_id="",
        name="message.replied",
        id=sid[:250],
        occurred_at=received_at,
        properties={"text": text[:TEXT], "keyword": own or keyword_of(text)},
        address=parameters.get("From", ""),
    )


def is_gone(code: str) -> bool:
    """Whether an error says that nothing will ever arrive at the number."""
    return code in _HARD


def is_opted_out(code: str) -> bool:
    """Whether an error says that the number wants no more messages of ours."""
    return code == _OPTED_OUT
