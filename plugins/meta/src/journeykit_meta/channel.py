"""The channels: Messenger and Instagram, which differ in little."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Self

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
from journeykit.credentials import Secret
from journeykit.errors import ContentError, InputError
from journeykit.guarding import Asked, Refused
from journeykit.media.chat import Chat, chat_of
from journeykit.meta import (
    GRAPH,
    challenge,
    outside_window,
    proof,
    receipt_of,
    verified,
)
from journeykit.transport import MockTransport, Response, Transport
from journeykit_meta.reports import reports_in
from journeykit_meta.requests import messages_of

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_meta.settings import MetaSettings

INSTAGRAM = "https://graph.instagram.com"

_ID = re.compile(r"[0-9]{1,32}")


class _DirectMessages(Channel):
    """What both have in common."""

    provider = "meta"
    medium = "chat"
    Settings = "journeykit_meta.settings:MetaSettings"
    settings: MetaSettings
    about: ClassVar[str]
    """What callbacks of this channel are about: `object`."""

    def __init__(self, transport: Transport | None = None) -> None:
        """Ask by a transport; None: by one that is made of the settings."""
        self._transport = transport
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        channel._lock = Lock()
        channel._account()
        channel.capabilities = Capabilities(
            rate=channel.settings.rate,
            on_uncertain=channel.settings.on_uncertain,
            reports_by=frozenset(("provider_id", "address")),
        )
        return channel

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return the id that the person has for this page or account alone."""
        found = profile.get(self.address_attribute or "")
        known = isinstance(found, str) and _ID.fullmatch(found)
        return str(found) if known else None

    def normalize(self, address: str) -> str:
        """Return the id as it is."""
        return address

    def rule(self, asked: Asked) -> Refused | None:
        """Refuse whatever comes more than 24 hours after the customer's last word."""
        return outside_window(asked)

    def render(self, message: Message) -> Message:
        """Return the message with a chat message of Meta's limits as its body."""
        chat = chat_of(message)
        messages_of(chat, instagram=self.about == "instagram")
        return replace(message, body=chat)

    def mock(self) -> Channel:
        """Return one that makes every request, needs no token and asks nobody."""
        from journeykit_meta.settings import MetaSettings

        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock.settings = MetaSettings(
            page_id="1",
            token=Secret("mock"),
            instagram_id="1",
            app_secret=Secret("mock"),
        )
        mock._transport = MockTransport(
            lambda _: Response(200, body=b'{"message_id":"mock"}')
        )
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
            InputError: It is forged, unreadable, or about something else; or the
                environment lacks what the settings name.
        """
        place = f"{self.provider}: callback"
        document = verified(
            callback, *(secret.reveal() for secret in self._secrets()), place=place
        )
        if document.get("object") != self.about:
            raise InputError(
                f"it is about something else than {self.name}", place=place
            )
        accounts = {self._account()}
        return [
            report
            for entry in document["entry"]
            for report in reports_in(entry, accounts=accounts)
        ]

    def handshake(self, callback: Callback) -> str | None:
        """Return what Meta wants to hear before it calls back."""
        return challenge(callback, self.settings.verify_token.reveal())

    def _account(self) -> str:
        """The id that callbacks and requests of this channel name.

        Raises:
            InputError: It is not set.
        """
        raise NotImplementedError

    def _place(self) -> tuple[str, Secret, Secret]:
        """Where messages are posted, with which token, of which app."""
        settings = self.settings
        if settings.page_id is None:
            raise InputError("is needed", place=f"{self.provider}.page_id")
        host = f"{GRAPH}/{settings.api_version}/{settings.page_id}"
        return host, settings.token, settings.app_secret

    def _secrets(self) -> Sequence[Secret]:
        secrets = (self.settings.app_secret, self.settings.previous_app_secret)
        return [secret for secret in secrets if secret]

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        if not _ID.fullmatch(message.address):
            return Rejected(id, "the address is no id of a person")
        try:
            chat = message.body if isinstance(message.body, Chat) else chat_of(message)
            parts = messages_of(chat, instagram=self.about == "instagram")
        except ContentError as err:
            return Rejected(id, str(err))
        receipt: Receipt = Rejected(id, "nothing to send")
        for sent, part in enumerate(parts):
            receipt = self._posted(id, message.address, part)
            if not isinstance(receipt, Sent):
                # With the picture there already, all of it must not come again.
                again = isinstance(receipt, RetryAfter) and sent
                return Rejected(id, "only its picture was taken") if again else receipt
        return receipt

    def _posted(self, id: str, person: str, part: Mapping[str, Any]) -> Receipt:
        request: dict[str, Any] = {"recipient": {"id": person}, "message": part}
        if self.about == "page":
            # Nobody asked for it just now; both kinds go within 24 hours only.
            request["messaging_type"] = "UPDATE"
        place, token, app_secret = self._place()
        known = token.reveal()
        query = ""
        if self.settings.proof:
            query = f"?appsecret_proof={proof(app_secret.reveal(), known)}"
        outcome = self._carrier().post(
            f"{place}/messages{query}",
            json.dumps(request, separators=(",", ":")).encode(),
            {
                "authorization": f"Bearer {known}",
                "content-type": "application/json",
            },
        )
        return receipt_of(id, outcome, lambda answer: answer["message_id"])

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


class MessengerChannel(_DirectMessages):
    """Carries `messenger`: from a page, to people who have written to it."""

    name = "messenger"
    address_attribute = "messenger_id"
    about = "page"

    def _account(self) -> str:
        if self.settings.page_id is None:
            raise InputError("is needed for messenger", place="meta.page_id")
        return self.settings.page_id


class InstagramChannel(_DirectMessages):
    """Carries `instagram`: from an account, to people who have written to it."""

    name = "instagram"
    address_attribute = "instagram_id"
    about = "instagram"

    def _account(self) -> str:
        if self.settings.instagram_id is None:
            raise InputError("is needed for instagram", place="meta.instagram_id")
        if self.settings.instagram_token is None and self.settings.page_id is None:
            raise InputError(
                "is needed for instagram, or set instagram_token", place="meta.page_id"
            )
        return self.settings.instagram_id

    def _place(self) -> tuple[str, Secret, Secret]:
        settings = self.settings
        if settings.instagram_token is None:
            return super()._place()
        host = f"{INSTAGRAM}/{settings.api_version}/{settings.instagram_id}"
        secret = settings.instagram_app_secret or settings.app_secret
        return host, settings.instagram_token, secret

    def _secrets(self) -> Sequence[Secret]:
        own = self.settings.instagram_app_secret
        previous = self.settings.previous_app_secret
        return [own, *([previous] if previous else [])] if own else super()._secrets()
