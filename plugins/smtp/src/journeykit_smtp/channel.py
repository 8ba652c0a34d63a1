"""The channel: which server, with which settings, and a batch over one connection."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Self

from journeykit.channels import (
    Capabilities,
    Channel,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)
from journeykit.errors import ContentError
from journeykit.media.addresses import Recipient, recipient_of
from journeykit.media.email import Email, email_of
from journeykit_smtp.mime import message_id, wire
from journeykit_smtp.session import NotNow, Server, Session

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_smtp.settings import SmtpSettings

LOG = logging.getLogger("journeykit.smtp")

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_BUDGET_SECONDS = 120.0
"""What a slow server has left of a batch by then is for later: whoever sends holds the
messages for ten minutes, and nobody would know what became of them afterwards."""


class SmtpChannel(Channel):
    """Carries e-mail over SMTP: a batch over one connection."""

    name = "email"
    provider = "smtp"
    address_attribute = "email"
    medium = "email"
    Settings = "journeykit_smtp.settings:SmtpSettings"
    settings: SmtpSettings

    def __init__(self) -> None:
        """Connect to nobody yet."""
        self._context: ssl.SSLContext | None = None
        self._lock = Lock()
        self._dry = False

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        found = channel.settings
        channel.capabilities = Capabilities(
            batch_size=found.batch_size,
            rate=found.rate,
            daily_quota=found.daily_quota,
            on_uncertain=found.on_uncertain,
        )
        channel._context = None
        return channel

    def render(self, message: Message) -> Message:
        """Return the message as a mail.

        Raises:
            ContentError: It can't be one.
        """
        sender = self.settings.sender if self.settings else ""
        return replace(message, body=email_of(message, sender=sender))

    def mock(self) -> Channel:
        """Return one that writes every mail, and connects to nobody."""
        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock._dry = True
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Hand the mails to the server, one after the other, over one connection.

        Raises:
            InputError: The environment lacks what the settings name.
        """
        receipts: list[Receipt] = []
        session: Session | None = None
        down = ""
        until = time.monotonic() + _BUDGET_SECONDS
        try:
            for message in messages:
                written = self._written(message)
                if not isinstance(written, tuple):
                    receipts.append(written)
                    continue
                sender, recipient, mail, id = written
                if self._dry:
                    receipts.append(Sent(message.delivery_id, id))
                    continue
                if not down and (session is None or session.lost):
                    try:
                        session = Session(self._server())
                    except NotNow as error:
                        down = str(error)
                        LOG.error("the mail server can't be used: %s", down)
                if down or session is None or time.monotonic() > until:
                    receipts.append(RetryAfter(message.delivery_id, 0))
                    continue
                receipt = session.send(message.delivery_id, sender, recipient, mail)
                if isinstance(receipt, Sent):
                    receipt = replace(receipt, provider_id=id)
                receipts.append(receipt)
        finally:
            if session is not None:
                session.close()
        return receipts

    def _written(
        self, message: Message
    ) -> tuple[str, Recipient, bytes, str] | Rejected:
        """Return envelope sender, recipient, mail and Message-ID."""
        mail = message.body
        if not isinstance(mail, Email):
            return Rejected(message.delivery_id, "it was not rendered as a mail")
        try:
            recipient = recipient_of(message.address)
        except ContentError as err:
            return Rejected(message.delivery_id, str(err), says="hard_bounce")
        try:
            id = message_id(message.delivery_id, mail.sender.address.rpartition("@")[2])
            written = wire(mail, recipient, id=id, at=message.at)
        except ContentError as err:
            return Rejected(message.delivery_id, str(err))
        return_path = self.settings.return_path if self.settings else None
        return return_path or mail.sender.address, recipient, written, id

    def _server(self) -> Server:
        settings = self.settings
        user, password = settings.username, settings.password
        login = (user.reveal(), password.reveal()) if user and password else None
        with self._lock:
            if self._context is None:
                cafile = settings.ca_file
                self._context = ssl.create_default_context(cafile=cafile)
                self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        return Server(
            host=settings.host,
            port=settings.port or _PORTS[settings.security],
            security=settings.security,
            context=self._context,
            timeout=settings.timeout,
            hello=settings.hello,
            login=login,
        )
