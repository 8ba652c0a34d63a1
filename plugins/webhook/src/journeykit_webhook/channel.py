"""The channel: what is posted, with which settings, and what the answer means."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import UTC
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, field_validator

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
from journeykit.errors import InputError
from journeykit.network import Network
from journeykit.transport import MockTransport, Transport, receipt_of
from journeykit_webhook.reports import report_of
from journeykit_webhook.signature import (
    WrongSignature,
    key_of,
    new_secret,
    signed,
    verify,
)

BODY_LIMIT = 256 * 1024
"""The largest body in bytes; variables have 8 KB, so a larger one is a mistake."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_OURS = re.compile(
    "webhook-.*|content-.*|host|idempotency-key|connection|transfer-encoding",
    re.IGNORECASE,
)


class WebhookSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        url: Where messages are posted.
        secret: What signs them: `whsec_` and base64.
        previous_secret: What signs them too, until every receiver has the new one.
        headers: More headers, such as `Authorization`.
        address_attribute: The profile attribute with the address; None: the address is
            the customer's id.
        timeout: The most seconds that one message takes.
        rate: The most messages in a second; None: as many as come.
        idempotent: Whether the receiver drops what it has had, by `webhook-id`.
        on_uncertain: If it doesn't: `hold` what may have arrived, or `resend` it.
        allow: Hosts and networks that may be called; empty: all public addresses.
        allow_http: Whether `http://` will do.
        proxy: `http://proxy:3128`, or `environment` for HTTPS_PROXY and NO_PROXY.
        ca_file: The certificates to trust; None: the system's.
    """

    allow_http: bool = False
    url: Secret
    secret: Secret = Secret("$JOURNEYKIT_WEBHOOK_SECRET")
    previous_secret: Secret | None = None
    headers: Mapping[str, Secret] = Field(default_factory=dict)
    address_attribute: str | None = Field(default=None, min_length=1)
    timeout: float = Field(default=15, gt=0, le=300)
    rate: float | None = Field(default=None, gt=0)
    idempotent: bool = True
    on_uncertain: Literal["hold", "resend"] = "hold"
    allow: tuple[str, ...] = ()
    proxy: Secret | None = None
    ca_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: Secret, info: Any) -> Secret:
        def check(text: str) -> None:
            schemes = (
                ("https://", "http://") if info.data.get("allow_http") else "https://"
            )
            if not text.startswith(schemes):
                raise ValueError("write https://… (or set allow_http)")

        return _checked(url, check)

    @field_validator("secret", "previous_secret")
    @classmethod
    def _check_secret(cls, secret: Secret | None) -> Secret | None:
        return secret and _checked(secret, key_of)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: Mapping[str, Secret]) -> Mapping[str, Secret]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} can't be a header's name")
            if _OURS.fullmatch(name):
                raise ValueError(f"{name!r} is set by the channel itself")
            _checked(value, _check_header)
        return headers

    @field_validator("allow")
    @classmethod
    def _check_allow(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        Network(allow)
        return allow


class WebhookChannel(Channel):
    """Carries any channel, or `webhook`, by posting each message as signed JSON."""

    name = ANY
    provider = "webhook"
    Settings = WebhookSettings
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
            InputError: It is signed by somebody else or too long ago, or is no report; or
                the environment lacks what the settings name.
        """
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
        raise InputError(reason, place=f"{self.provider}: callback")

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
                _check_header(value)
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


def _checked(secret: Secret, check: Callable[[str], object]) -> Secret:
    """Check a text now if it is known; the environment may have it only where it runs."""
    try:
        text = secret.reveal()
    except InputError:
        return secret
    check(text)
    return secret


def _check_header(value: str) -> None:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("a header's value is printable ASCII, in one line")
