"""What an operator may set for the webhook, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from journeykit.credentials import Secret
from journeykit.errors import InputError
from journeykit.network import Network
from journeykit_webhook.headers import check_name, check_value
from journeykit_webhook.signature import key_of


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
            check_name(name)
            _checked(value, check_value)
        return headers

    @field_validator("allow")
    @classmethod
    def _check_allow(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        Network(allow)
        return allow


def _checked(secret: Secret, check: Callable[[str], object]) -> Secret:
    """Check a text now if it is known; the environment may have it only where it runs."""
    try:
        text = secret.reveal()
    except InputError:
        return secret
    check(text)
    return secret
