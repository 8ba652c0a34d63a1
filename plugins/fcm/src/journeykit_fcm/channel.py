"""The channel: which devices a message goes to, and what becomes of it."""

from __future__ import annotations

import logging
import re
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
    Uncertain,
)
from journeykit.errors import ContentError, InputError
from journeykit.media.push import Push, push_of
from journeykit.transport import MockTransport, Outcome, Response, Transport
from journeykit_fcm.access import Access, Account, Wait
from journeykit_fcm.request import body_of, is_unauthorized, receipt

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_fcm.settings import FcmSettings

URL = "https://fcm.googleapis.com/v1/projects/{project}/messages:send"

DEVICES = 5
"""To so many devices of a customer a message goes, the latest of the list."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_log = logging.getLogger(__name__)


class FcmChannel(Channel):
    """Carries `push` to the devices that a customer's app has registered.

    An address is the tokens of the customer's devices with spaces between them. So it is
    another one as soon as the app registers or drops a device, and what was learned of
    the old one, as that nothing arrives there, no longer holds.
    """

    name = "push"
    provider = "fcm"
    medium = "push"
    address_attribute = "push_token"
    Settings = "journeykit_fcm.settings:FcmSettings"
    settings: FcmSettings

    def __init__(self, transport: Transport | None = None) -> None:
        """Ask by a transport; None: by one that is made of the settings."""
        self._transport = transport
        self._access: Access | None = None
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        channel._access = None
        channel._lock = Lock()
        channel.capabilities = Capabilities(
            rate=channel.settings.rate, on_uncertain=channel.settings.on_uncertain
        )
        return channel

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return the tokens in `push_token`, which holds one or a list, the latest last."""
        found = profile.get("push_token")
        listed = found if isinstance(found, list | tuple) else [found]
        tokens = [t for t in listed if isinstance(t, str) and _TOKEN.fullmatch(t)]
        return " ".join([*dict.fromkeys(reversed(tokens))][:DEVICES][::-1]) or None

    def normalize(self, address: str) -> str:
        """Return tokens as they are: capitals matter."""
        return address

    def render(self, message: Message) -> Message:
        """Return the message with what a phone shows as its body."""
        return replace(message, body=push_of(message))

    def mock(self) -> Channel:
        """Return one that makes every request, needs no account and asks nobody."""
        from journeykit_fcm.settings import FcmSettings

        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock.settings = FcmSettings(project="mock-project")
        mock._transport = MockTransport(
            lambda _: Response(200, body=b'{"name":"mock"}')
        )
        mock._access = _Anybody()
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Send the messages, one after the other.

        Raises:
            InputError: The environment lacks what the settings name, or it is no key.
        """
        return [self._sent(message) for message in messages]

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        try:
            push = message.body if isinstance(message.body, Push) else push_of(message)
        except ContentError as err:
            return Rejected(id, str(err))
        tokens = message.address.split()
        if not tokens:
            return Rejected(id, "no device")
        receipts = self._receipts(message, push, tokens)
        gone = sum(isinstance(one, Rejected) and one.says != "" for one in receipts)
        if gone and gone < len(receipts):
            _log.info("message %s: %d of %d devices are gone", id, gone, len(tokens))
        return _of_all(id, receipts)

    def _receipts(
        self, message: Message, push: Push, tokens: Sequence[str]
    ) -> Sequence[Receipt]:
        """Send to one device after the other, as long as trying again does no harm."""
        found: list[Receipt] = []
        for token in tokens:
            body = body_of(
                push,
                token,
                delivery_id=message.delivery_id,
                at=message.at,
                validate_only=self.settings.validate_only,
            )
            found.append(self._asked(message.delivery_id, body))
            nobody_has_it = not any(isinstance(one, Sent) for one in found)
            if nobody_has_it and isinstance(found[-1], RetryAfter | Uncertain):
                break  # then all of them are asked again, or none is
        return found

    def _asked(self, delivery_id: str, body: bytes) -> Receipt:
        access, refused = self._tokens(), ""
        url = URL.format(project=self.settings.project or access.project)
        for _ in range(2):
            token = access.token(but=refused)
            if isinstance(token, Wait):
                return RetryAfter(delivery_id, token.seconds)
            outcome = self._post(
                url,
                body,
                {
                    "authorization": f"Bearer {token}",
                    "content-type": "application/json",
                },
            )
            if not is_unauthorized(outcome):
                break
            refused = token  # revoked, or Google's clock is ahead: another one, once
        found = receipt(delivery_id, outcome)
        if isinstance(outcome, Response) and outcome.status in (401, 403):
            _log.warning("Google refuses to send: HTTP %d", outcome.status)
        return found

    def _tokens(self) -> Access:
        with self._lock:
            if self._access is None:
                self._access = Access(self._account(), self._post)
            return self._access

    def _account(self) -> Account:
        try:
            return Account.from_json(self.settings.service_account.reveal())
        except ValueError as err:  # only the environment's was not checked earlier
            raise InputError(str(err), place=f"{self.provider}: environment") from err

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        return self._carrier().post(url, body, headers)

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


def _of_all(delivery_id: str, receipts: Sequence[Receipt]) -> Receipt:
    """One receipt for all devices: sent if one of them has it, bounced if none ever will.

    To try again would show it twice where it was shown.
    """
    for kind in (Sent, Uncertain, RetryAfter):
        if found := [one for one in receipts if isinstance(one, kind)]:
            return found[0]
    refused = [one for one in receipts if isinstance(one, Rejected)]
    # Not hard as long as one device is only refused for now.
    return next((one for one in refused if not one.says), refused[0])


class _Anybody(Access):
    """Has a token that nobody would take."""

    def __init__(self) -> None:
        pass

    def token(self, *, but: str = "") -> str | Wait:
        return "mock"
