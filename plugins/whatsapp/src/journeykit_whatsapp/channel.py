"""The channel: when what may be sent, over whom, and what the answer means."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from journeykit import amazon
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
from journeykit.errors import ContentError, InputError
from journeykit.guarding import Asked, Refused
from journeykit.media.whatsapp import WhatsApp, kind_of, whatsapp_of
from journeykit.meta import (
    GRAPH,
    VERSION,
    challenge,
    outside_window,
    receipt_of,
    verified,
)
from journeykit.sns import Notification, Notifications
from journeykit.transport import Transport
from journeykit_whatsapp.numbers import compared, number_in
from journeykit_whatsapp.reports import reports_in

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_whatsapp.settings import WhatsAppSettings

AWS_VERSION = "v20.0"
"""The version of Meta's API in AWS's examples; which others AWS has depends on the region:
https://docs.aws.amazon.com/general/latest/gr/end-user-messaging.html"""

# What is wrong with the set-up, and with no message: it can be put right meanwhile.
_OPERATOR = frozenset(("AccessDeniedByMetaException", "ResourceNotFoundException"))
_OPERATOR_SECONDS = 60.0

_log = logging.getLogger(__name__)


class WhatsAppChannel(Channel):
    """Carries `whatsapp`, over Meta's Cloud API or over AWS.

    Addresses are numbers with their country: the profile's `whatsapp`, or else `phone`.
    """

    name = "whatsapp"
    medium = "whatsapp"
    address_attribute = "phone"
    Settings = "journeykit_whatsapp.settings:WhatsAppSettings"
    settings: WhatsAppSettings

    def __init__(self, transport: Transport | None = None, client: Any = None) -> None:
        """Ask by a transport, or a client of boto3's; None: made of the settings."""
        self._transport = transport
        self._client = client
        self._notifications: Notifications | None = None
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        channel._notifications = None
        channel._lock = Lock()
        channel.capabilities = Capabilities(
            rate=channel.settings.rate,
            on_uncertain=channel.settings.on_uncertain,
            reports_by=frozenset(("address",)),
        )
        return channel

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return the number in `whatsapp` or in `phone`, if it has its country."""
        found = profile.get("whatsapp") or profile.get("phone")
        return number_in(found) if isinstance(found, str) else None

    def normalize(self, address: str) -> str:
        """Return the form in which WhatsApp's own numbers equal those that are called."""
        return compared(address)

    def facts(self, templates: Mapping[str, Mapping[str, object]]) -> Mapping[str, Any]:
        """Return which templates are free words, as Meta has not approved them."""
        free = [
            name for name, found in templates.items() if kind_of(found) != "template"
        ]
        return {"free": sorted(free)}

    def rule(self, asked: Asked) -> Refused | None:
        """Refuse free words more than 24 hours after the customer's last."""
        if asked.template not in asked.facts.get("free", ()):
            return None
        return outside_window(asked)

    def render(self, message: Message) -> Message:
        """Return the message with what Meta takes as its body."""
        return replace(message, body=whatsapp_of(message))

    def mock(self) -> Channel:
        """Return one that makes every request, needs no token and asks nobody."""
        mock = copy(self)
        mock.provider = f"{self.provider or self.name} (mock)"
        mock._carry = _mocked  # type: ignore[method-assign]
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Send the messages, one after the other.

        Raises:
            InputError: The environment lacks what the settings name.
        """
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what became of messages, and what people wrote.

        Raises:
            InputError: It is forged or unreadable, or nothing that WhatsApp says; or the
                environment lacks what the settings name.
        """
        if self.settings.via == "aws":
            notification = self._told().read(callback)
            return () if notification is None else self._of_aws(notification)
        place = f"{self.name}: callback"
        secrets = (self.settings.app_secret, self.settings.previous_app_secret)
        known = [secret.reveal() for secret in secrets if secret]
        document = verified(callback, *known, place=place)
        if document.get("object") != "whatsapp_business_account":
            raise InputError("it is about something else than WhatsApp", place=place)
        numbers = {self.settings.phone_number_id}
        return [
            report
            for entry in document["entry"]
            for report in reports_in(entry, numbers=numbers)
        ]

    def handshake(self, callback: Callback) -> str | None:
        """Return what Meta wants to hear before it calls back."""
        if self.settings.via == "aws":
            return None
        return challenge(callback, self.settings.verify_token.reveal())

    def _of_aws(self, notification: Notification) -> Sequence[Report]:
        """Read what AWS puts around an entry of Meta's, which it gives as text.

        https://docs.aws.amazon.com/social-messaging/latest/userguide/managing-event-destination-dlrs.html
        """
        try:
            event = json.loads(notification.body)
            entry = json.loads(event["whatsAppWebhookEntry"])
            listed = event.get("context", {}).get("MetaPhoneNumberIds", ())
            own = re.split("phone-number-id[-/]", self.settings.phone_number_id)[-1]
            numbers = {
                each["metaPhoneNumberId"]
                for each in listed
                if str(each.get("arn")).endswith(f"phone-number-id/{own}")
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(
                "it is nothing that AWS says of WhatsApp",
                place=f"{self.name}: callback",
            ) from None
        if not numbers:
            return ()  # about another number of the account
        return [*reports_in(entry, numbers=numbers)]

    def _sent(self, message: Message) -> Receipt:
        id, body = message.delivery_id, message.body
        try:
            body = body if isinstance(body, WhatsApp) else whatsapp_of(message)
        except ContentError as err:
            return Rejected(id, str(err))
        number = number_in(message.address)
        if number is None:
            return Rejected(id, "the address is no number with its country")
        request = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": number,
            **body.payload,
            "biz_opaque_callback_data": id,  # comes back with each status
        }
        try:
            text = json.dumps(request, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as err:
            return Rejected(id, f"it can't be written down: {type(err).__name__}")
        return self._carry(id, text.encode())

    def _carry(self, id: str, body: bytes) -> Receipt:
        return (self._over_aws if self.settings.via == "aws" else self._over_meta)(
            id, body
        )

    def _over_meta(self, id: str, body: bytes) -> Receipt:
        """https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages."""
        settings = self.settings
        version = settings.api_version or VERSION
        outcome = self._carrier().post(
            f"{GRAPH}/{version}/{settings.phone_number_id}/messages",
            body,
            {
                "authorization": f"Bearer {settings.token.reveal()}",
                "content-type": "application/json",
            },
        )
        return receipt_of(id, outcome, lambda answer: answer["messages"][0]["id"])

    def _over_aws(self, id: str, body: bytes) -> Receipt:
        """https://docs.aws.amazon.com/social-messaging/latest/APIReference/API_SendWhatsAppMessage.html."""
        settings, client = self.settings, self._asking()
        answer = amazon.asked(
            lambda: client.send_whatsapp_message(
                originationPhoneNumberId=settings.phone_number_id,
                message=body,
                metaApiVersion=settings.api_version or AWS_VERSION,
            )
        )
        if isinstance(answer, Mapping):
            return Sent(id, str(answer.get("messageId", "")))
        if isinstance(answer, amazon.Refusal) and answer.code in _OPERATOR:
            _log.error("AWS refuses to send: %s", answer.code)
            return RetryAfter(id, _OPERATOR_SECONDS)
        return amazon.receipt_of(id, answer)

    def _asking(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = amazon.service(
                    "socialmessaging",
                    region=self.settings.region,
                    timeout=self.settings.timeout,
                )
            return self._client

    def _told(self) -> Notifications:
        with self._lock:
            if self._notifications is None:
                self._notifications = Notifications(
                    self.settings.topics,
                    confirm=self.settings.confirm_subscription,
                    place=self.name,
                    transport=self._transport,
                )
            return self._notifications

    def _carrier(self) -> Transport:
        with self._lock:
            if self._transport is None:
                proxy = self.settings.proxy
                self._transport = Transport(
                    timeout=self.settings.timeout,
                    proxy=proxy.reveal() if proxy else None,
                    ca_file=self.settings.ca_file,
                )
            return self._transport


def _mocked(id: str, body: bytes) -> Receipt:
    return Sent(id, "mock")
