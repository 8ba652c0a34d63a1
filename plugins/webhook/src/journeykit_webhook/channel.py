"""The channel: what is posted, with which settings, and what the answer means."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC
from threading import Lock
from typing import TYPE_CHECKING, Self

from journeykit.channels import (
    ANY,
    Callback,
    Capabilities,
    Channel,
    Message,
    Receipt,
    Rejected,
    Report,
)
from journeykit.credentials import Secret
from journeykit.errors import ForgedCallback, InputError
from journeykit.network import Network
from journeykit.transport import MockTransport, Transport, receipt_of
from journeykit_webhook.headers import check_value
from journeykit_webhook.signature import (
    WrongSignature,
    new_secret,
    signed,
    verify,
)

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_webhook.settings import WebhookSettings

BODY_LIMIT = 256 * 1024
"""The largest body in bytes; variables have 8 KB, so a larger one is a mistake."""


class WebhookChannel(Channel):
    """Carries any channel, or `webhook`, by posting each message as signed JSON."""

    name = ANY
    provider = "webhook"
    Settings = "journeykit_webhook.settings:WebhookSettings"
    settings: WebhookSettings

    def __init__(self, transport: Transport | None = None) -> None:
        """Post by a transport; None: by one that is made of the settings."""
        self._transport = transport
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        found = channel.settings
        channel.address_attribute = found.address_attribute
        channel.capabilities = Capabilities(
            rate=found.rate,
            idempotent=found.idempotent,
            on_uncertain=found.on_uncertain,
        )
        return channel

    def mock(self) -> Channel:
        """Return one that makes and signs everything, needs no secret and posts nothing."""
        from journeykit_webhook.settings import WebhookSettings

        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        mock.settings = WebhookSettings(
            url=Secret("https://mock.invalid/"), secret=Secret(new_secret())
        )
        mock._transport = MockTransport()
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Post the messages, one after the other.

        Raises:
            InputError: The environment lacks what the settings name.
        """
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what the receiver says of a message, signed as what it was sent was.

        Raises:
            ForgedCallback: It is signed by somebody else, or too long ago.
            InputError: It is no report; or the environment lacks what the settings name.
        """
        from journeykit_webhook.reports import report_of  # with pydantic

        return [report_of(self._verified(callback), callback.body)]

    def _verified(self, callback: Callback) -> str:
        """Return the id of a callback that either of the secrets has signed."""
        reason = ""
        for secret in (self.settings.secret, self.settings.previous_secret):
            if secret is None:
                continue
            try:
                return verify(
                    secret.reveal(),
                    callback.headers,
                    callback.body,
                    now=callback.received_at.timestamp(),
                )
            except WrongSignature as err:
                reason = str(err)
            except ValueError as err:  # only the environment's was not checked earlier
                raise InputError(
                    str(err), place=f"{self.provider}: environment"
                ) from err
        raise ForgedCallback(reason, place=f"{self.provider}: callback")

    def _sent(self, message: Message) -> Receipt:
        try:
            body = body_of(message)
        except (TypeError, ValueError, RecursionError) as err:
            return Rejected(
                message.delivery_id, f"variables are no JSON: {type(err).__name__}"
            )
        if len(body) > BODY_LIMIT:
            return Rejected(
                message.delivery_id,
                f"a body of {len(body)} bytes; {BODY_LIMIT} at most",
            )
        url, headers = self.settings.url.reveal(), self._headers(message, body)
        return receipt_of(message.delivery_id, self._carrier().post(url, body, headers))

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        settings = self.settings
        secrets = [settings.secret, settings.previous_secret]
        headers = {name: text.reveal() for name, text in settings.headers.items()}
        try:
            for value in headers.values():
                check_value(value)
            ours = signed(
                message.delivery_id,
                body,
                *(secret.reveal() for secret in secrets if secret),
                at=time.time(),
            )
        except ValueError as err:  # only the environment's were not checked earlier
            raise InputError(str(err), place=f"{self.provider}: environment") from err
        return {
            **headers,
            **ours,
            "content-type": "application/json",
            "idempotency-key": message.delivery_id,
        }

    def _carrier(self) -> Transport:
        with self._lock:
            if self._transport is None:
                proxy = self.settings.proxy
                self._transport = Transport(
                    timeout=self.settings.timeout,
                    network=Network(self.settings.allow),
                    proxy=proxy.reveal() if proxy else None,
                    ca_file=self.settings.ca_file,
                )
            return self._transport


def body_of(message: Message) -> bytes:
    """Return a message as JSON: `type`, and the keys of a line of the file channel.

    Raises:
        TypeError, ValueError, RecursionError: The variables are no JSON.
    """
    return json.dumps(
        {
            "type": "message",
            "delivery_id": message.delivery_id,
            "at": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "customer": message.customer,
            "channel": message.channel,
            "address": message.address,
            "template": message.template,
            "variables": message.variables,
            "journey": message.journey,
            "step": message.step,
            "purpose": message.purpose,
            "topic": message.topic,
            "test": message.test,
        },
        separators=(",", ":"),
        allow_nan=False,
        default=str,
    ).encode()
