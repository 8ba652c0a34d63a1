"""The channel: what SES is asked to send, with which settings, and what its answer means."""

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
from journeykit.media.addresses import Recipient, recipient_of
from journeykit.media.email import Email, email_of
from journeykit.sns import Notifications
from journeykit.transport import Transport
from journeykit_ses.events import SOURCE, TAG, reports_of

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_ses.settings import SesSettings

LOG = logging.getLogger("journeykit.ses")

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html
_MOST_HEADERS = 15
_HEADER = re.compile(r"[\x20-\x7e]{1,995}")

_BUSY_SECONDS = 10.0
"""After too many in a second."""
_QUOTA_SECONDS = 3600.0
"""After too many in a day: what is counted there goes back hour by hour."""

# https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
_QUOTA = "Daily message quota exceeded"

# A MessageRejected of this prose is about the sender's identity or, as long as the account is
# in the sandbox, the recipient's: https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
_NOT_VERIFIED = "Email address is not verified"

# What is the account's trouble and no message's: it can be put right, and the messages
# wait for it a while. The breaker stops the channel meanwhile.
_ACCOUNT = OPERATOR | {
    "AccountSuspendedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",  # the configuration set, or the tenant
    "SendingPausedException",
}


class SesChannel(Channel):
    """Carries e-mail over SES: one SendEmail each."""

    name = "email"
    provider = "ses"
    address_attribute = "email"
    medium = "email"
    Settings = "journeykit_ses.settings:SesSettings"
    settings: SesSettings

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
        )
        channel._notifications = None
        return channel

    def render(self, message: Message) -> Message:
        """Return the message as a mail.

        Raises:
            ContentError: It can't be one.
        """
        sender = self.settings.sender if self.settings else ""
        body = email_of(message, sender=sender)
        _headers_of(body)
        return replace(message, body=body)

    def mock(self) -> Channel:
        """Return one that makes every request, and sends none."""
        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock._client = _Nobody()
        if mock.settings is None:
            from journeykit_ses.settings import SesSettings

            mock.settings = SesSettings(sender="nobody@mock.invalid")
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Hand the mails to SES, one after the other."""
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what SES says of a mail, over SNS or EventBridge.

        Raises:
            InputError: It is forged, or nothing that SES says.
        """
        notification = self._told().read(callback)
        return () if notification is None else reports_of(notification)

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        if not isinstance(message.body, Email):
            return Rejected(id, "it was not rendered as a mail")
        if not _TAG.fullmatch(id):
            return Rejected(id, "the delivery's id can't be a tag")
        try:
            recipient = recipient_of(message.address)
        except ContentError as err:
            return Rejected(id, str(err), says="hard_bounce")
        if not recipient.is_ascii:  # no SMTPUTF8: API_Destination
            return Rejected(id, "SES writes to addresses in ASCII only")
        try:
            request = self._request(id, recipient, message.body)
        except ContentError as err:
            return Rejected(id, str(err))
        client = self._asking()
        answer = asked(lambda: client.send_email(**request))
        if isinstance(answer, Mapping):
            return Sent(id, str(answer.get("MessageId", "")))
        if isinstance(answer, Refusal):
            return _refused(id, answer)
        return receipt_of(id, answer)

    def _request(self, id: str, recipient: Recipient, mail: Email) -> dict[str, Any]:
        """Return what SES is asked: it makes the MIME, and signs it with DKIM.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
        """
        body = {"Text": {"Data": mail.text, "Charset": "UTF-8"}}
        if mail.html:
            body["Html"] = {"Data": mail.html, "Charset": "UTF-8"}
        request: dict[str, Any] = {
            "FromEmailAddress": str(mail.sender),
            "Destination": {"ToAddresses": [str(recipient)]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": body,
                    "Headers": _headers_of(mail),
                }
            },
            "EmailTags": [{"Name": TAG, "Value": id}],
        }
        if mail.reply_to:
            request["ReplyToAddresses"] = [str(one) for one in mail.reply_to]
        settings = self.settings
        if settings.configuration_set:
            request["ConfigurationSetName"] = settings.configuration_set
        if settings.tenant:
            request["TenantName"] = settings.tenant
        return request

    def _asking(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = service(
                    "sesv2",
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

    def send_email(self, **request: Any) -> Mapping[str, Any]:
        return {"MessageId": "mock"}


def _headers_of(mail: Email) -> list[dict[str, str]]:
    headers = [{"Name": name, "Value": value} for name, value in mail.headers.items()]
    if len(headers) > _MOST_HEADERS:
        raise ContentError(f"SES takes {_MOST_HEADERS} more headers at most")
    for header in headers:
        long = len(header["Name"]) + len(header["Value"]) > 996
        if long or not _HEADER.fullmatch(header["Value"]):
            raise ContentError(
                f"the header {header['Name']} is not ASCII, or too long for SES"
            )
    return headers


def _refused(id: str, refusal: Refusal) -> Receipt:
    """Return the receipt for what SES has refused; its words may quote addresses."""
    unverified = refusal.code == "MessageRejected" and refusal.said(_NOT_VERIFIED)
    if refusal.code in _ACCOUNT or unverified:
        what = "an identity is not verified" if unverified else str(refusal)
        LOG.error("SES refuses all mails: %s", what)
        return RetryAfter(id, 0)
    receipt = receipt_of(id, refusal)
    if isinstance(receipt, RetryAfter) and not receipt.seconds:
        quota = refusal.said(_QUOTA)
        return RetryAfter(id, _QUOTA_SECONDS if quota else _BUSY_SECONDS)
    return receipt
