"""The channel: what AWS is asked to send, with which settings, and what it answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from journeykit.amazon import OPERATOR, Refusal, asked, receipt_of, service
from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    Message,
    Receipt,
    Rejected,
    Report,
    RetryAfter,
    Sent,
)
from journeykit.errors import ContentError
from journeykit.media.addresses import number_of
from journeykit.media.sms import MOST_SEGMENTS, Sms, sms_of
from journeykit.sns import Notifications
from journeykit.transport import Transport
from journeykit_sms_aws.events import CONTEXT, SOURCE, reports_of

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_sms_aws.settings import SmsAwsSettings

LOG = logging.getLogger("journeykit.sms-aws")

LONGEST = 1600
"""Characters of a text: API_SendTextMessage, MessageBody."""

_BUSY_SECONDS = 5.0
"""After too many in a second; a number sends few, and they are counted by the second."""
_SPENT_SECONDS = 3600.0
"""After the month's money is spent: somebody may raise the limit."""

_SENDER = re.compile(r"[A-Za-z0-9_:/+-]{1,256}")  # OriginationIdentity

_TYPES = {"transactional": "TRANSACTIONAL", "marketing": "PROMOTIONAL"}

# The number stands on the opt-out list of its sender, for whatever kind of message: it has
# answered STOP, or somebody has put it there.
_OPTED_OUT = "DESTINATION_PHONE_NUMBER_OPTED_OUT"

# What is the account's trouble and no message's.
_ACCOUNT = OPERATOR | {"ResourceNotFoundException", "ServiceQuotaExceededException"}
# Of a ConflictException or a ValidationException: the sender can't send, whomever to.
_NO_SENDER = frozenset(
    {
        "MESSAGE_TYPE_MISMATCH",
        "NO_ORIGINATION_IDENTITIES_FOUND",
        "NUMBER_CAPABILITIES_MISMATCH",
        "REGISTRATION_NOT_COMPLETE",
        "RESOURCE_NOT_ACCESSIBLE",
        "RESOURCE_NOT_ACTIVE",
        "SENDER_ID_NOT_REGISTERED",
        "SENDER_ID_REQUIRES_REGISTRATION",
    }
)


class SmsAwsChannel(Channel):
    """Carries SMS over AWS End User Messaging: one SendTextMessage each."""

    name = "sms"
    provider = "sms-aws"
    address_attribute = "phone"
    medium = "sms"
    capabilities = Capabilities(reports_by=frozenset({"address"}))
    Settings = "journeykit_sms_aws.settings:SmsAwsSettings"
    settings: SmsAwsSettings

    def __init__(self, client: Any = None, transport: Transport | None = None) -> None:
        """Ask a client of boto3's, and fetch certificates; None: made of the settings."""
        self._client = client
        self._transport = transport
        self._notifications: Notifications | None = None
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        found = channel.settings
        channel.capabilities = Capabilities(
            rate=found.rate,
            daily_quota=found.daily_quota,
            on_uncertain=found.on_uncertain,
            reports_by=frozenset({"address", "provider_id"})
            if found.eventbridge
            else frozenset({"address"}),
        )
        channel._notifications = None
        return channel

    def normalize(self, address: str) -> str:
        """Return a number as E.164 has it; what is none, or lacks its country, as it is."""
        try:
            return number_of(address)
        except ContentError:
            return super().normalize(address)

    def render(self, message: Message) -> Message:
        """Return the message as a text.

        Raises:
            ContentError: It can't be one, or has more segments than may be paid for.
        """
        settings = self.settings
        body = sms_of(
            message,
            most_segments=settings.most_segments if settings else MOST_SEGMENTS,
            transliterate=settings.transliterate if settings else False,
        )
        if len(body.text) > LONGEST:
            raise ContentError(
                f"the SMS has {len(body.text)} characters; AWS takes {LONGEST}"
            )
        if body.sender and not _SENDER.fullmatch(body.sender):
            raise ContentError("the sender of the SMS can't be one")
        return replace(message, body=body)

    def mock(self) -> Channel:
        """Return one that makes every request, and sends none."""
        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock._client = _Nobody()
        if mock.settings is None:
            from journeykit_sms_aws.settings import SmsAwsSettings

            mock.settings = SmsAwsSettings()
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Hand the messages to AWS, one after the other."""
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what AWS says of an SMS, or what somebody answered.

        Raises:
            InputError: It is forged, or nothing that this service says.
        """
        notification = self._told().read(callback)
        if notification is None:
            return ()
        return reports_of(notification, received_at=callback.received_at)

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        if not isinstance(message.body, Sms):
            return Rejected(id, "it was not rendered as an SMS")
        if not 1 <= len(id) <= 800 or id != id.strip() or not id.isprintable():
            return Rejected(id, "the delivery's id can't be told to AWS")
        try:
            request = self._request(message, message.body)
        except ContentError as err:
            return Rejected(id, str(err), says="hard_bounce")
        client = self._asking()
        answer = asked(lambda: client.send_text_message(**request))
        if isinstance(answer, Mapping):
            return Sent(id, str(answer.get("MessageId", "")))
        if isinstance(answer, Refusal):
            return _refused(id, answer)
        return receipt_of(id, answer)

    def _request(self, message: Message, sms: Sms) -> dict[str, Any]:
        """Return what AWS is asked.

        https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html
        """
        settings = self.settings
        request = {
            "DestinationPhoneNumber": number_of(message.address),
            "OriginationIdentity": sms.sender or settings.sender,
            "MessageBody": sms.text,
            "MessageType": _TYPES.get(message.purpose, "PROMOTIONAL"),
            "ConfigurationSetName": settings.configuration_set,
            "ProtectConfigurationId": settings.protect_configuration,
            "MaxPrice": settings.max_price,
            "TimeToLive": settings.time_to_live,
            "Context": {CONTEXT: message.delivery_id},
        }
        return {name: value for name, value in request.items() if value}

    def _asking(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = service(
                    "pinpoint-sms-voice-v2",
                    region=self.settings.region,
                    endpoint=self.settings.endpoint,
                    timeout=self.settings.timeout,
                )
            return self._client

    def _told(self) -> Notifications:
        with self._lock:
            if self._notifications is None:
                self._notifications = Notifications(
                    self.settings.topics,
                    confirm=self.settings.confirm_subscription,
                    place=self.provider,
                    sources=(SOURCE,),
                    transport=self._transport,
                )
            return self._notifications


class _Nobody:
    """A client that sends nothing."""

    def send_text_message(self, **request: Any) -> Mapping[str, Any]:
        return {"MessageId": "mock"}


def _refused(id: str, refusal: Refusal) -> Receipt:
    """Return the receipt for what AWS has refused."""
    if refusal.code in _ACCOUNT or refusal.reason in _NO_SENDER:
        LOG.error("AWS refuses all SMS: %s", refusal)
        spent = refusal.reason.startswith("MONTHLY_SPEND_LIMIT")
        return RetryAfter(id, _SPENT_SECONDS if spent else 0)
    receipt = receipt_of(id, refusal)
    if isinstance(receipt, RetryAfter) and not receipt.seconds:
        return RetryAfter(id, _BUSY_SECONDS)
    if isinstance(receipt, Rejected) and refusal.reason == _OPTED_OUT:
        return replace(receipt, says="unsubscribed")
    return receipt
