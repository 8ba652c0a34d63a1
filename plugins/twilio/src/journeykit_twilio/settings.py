"""What an operator may set for Twilio, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from journeykit.credentials import Secret
from journeykit.errors import InputError
from journeykit.media.sms import MOST_SEGMENTS
from journeykit_twilio.senders import is_sender

API = "https://api.twilio.com"
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class TwilioSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        account_sid: The account, `AC…`.
        auth_token: The account's: it signs what Twilio posts, and logs in where there is
            no key.
        api_key: What logs in instead, `SK…`; None: the account and its token.
        api_secret: The key's.
        sender: Who sends: a number, a short code or a name.
        messaging_service: Which service chooses who sends, `MG…`; or `sender`.
        callback_url: Where Twilio posts what became of a message, as it is seen from
            outside: `https://API/v1/feedback/sms`; None: it posts nothing.
        validity: Seconds after which a message is not worth being sent any more.
        most_segments: A message of more segments is not sent.
        transliterate: Whether typography that makes messages longer is replaced.
        rate: The most messages in a second; None: as many as come.
        daily_quota: The most messages in any 24 hours; None: as many as come.
        timeout: The most seconds that one message takes.
        on_uncertain: `hold` a message that may have gone out, or `resend` it.
        endpoint: Another address of Twilio's, as of another region.
        proxy: `http://proxy:3128`, or `environment` for HTTPS_PROXY and NO_PROXY.
        ca_file: The certificates to trust; None: the system's.
    """

    account_sid: Secret = Secret("$TWILIO_ACCOUNT_SID")
    auth_token: Secret = Secret("$TWILIO_AUTH_TOKEN")
    api_key: Secret | None = None
    api_secret: Secret | None = Field(default=None, validate_default=True)
    sender: str | None = None
    messaging_service: str | None = Field(default=None, validate_default=True)
    callback_url: str | None = Field(default=None, max_length=1000)
    validity: int | None = Field(default=None, ge=1, le=36_000)
    most_segments: int = Field(default=MOST_SEGMENTS, ge=1, le=10)
    transliterate: bool = False
    rate: float | None = Field(default=None, gt=0)
    daily_quota: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=15, gt=0, le=300)
    on_uncertain: Literal["hold", "resend"] = "hold"
    endpoint: str = Field(default=API, pattern=r"^https://[a-z0-9.-]+\.twilio\.com$")
    proxy: Secret | None = None
    ca_file: Path | None = None

    @field_validator("account_sid")
    @classmethod
    def _check_account(cls, sid: Secret) -> Secret:
        return _checked(sid, _check_sid)

    @field_validator("auth_token", "api_key", "api_secret")
    @classmethod
    def _check_secret(cls, secret: Secret | None) -> Secret | None:
        return secret and _checked(secret, _check_text)

    @field_validator("sender")
    @classmethod
    def _check_sender(cls, sender: str | None) -> str | None:
        if sender is not None and not is_sender(sender):
            raise ValueError(
                "write +491701234567, a short code or a name of 11 characters"
            )
        return sender

    @field_validator("messaging_service")
    @classmethod
    def _check_service(cls, sid: str | None, info: ValidationInfo) -> str | None:
        if sid is not None and not _SERVICE.fullmatch(sid):
            raise ValueError("a messaging service is MG and 32 hexadecimal digits")
        if (sid is None) == (info.data.get("sender") is None):
            raise ValueError("set either `sender` or `messaging_service`")
        return sid

    @field_validator("api_secret")
    @classmethod
    def _check_both(cls, secret: Secret | None, info: ValidationInfo) -> Secret | None:
        if (secret is None) != (info.data.get("api_key") is None):
            raise ValueError("set both `api_key` and `api_secret`, or neither")
        return secret

    @field_validator("callback_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        right = parts.scheme == "https" and parts.hostname and url.isascii()
        if not right or parts.query or parts.fragment or "_" in (parts.hostname or ""):
            raise ValueError(
                "write https://…/v1/feedback/sms, as Twilio sees it, without a query"
            )
        return url


def _checked(secret: Secret, check: Callable[[str], object]) -> Secret:
    """Check a text now if it is known; the environment may have it only where it runs."""
    try:
        text = secret.reveal()
    except InputError:
        return secret
    check(text)
    return secret


def _check_sid(text: str) -> None:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("an account is AC and 32 hexadecimal digits")


def _check_text(text: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]{1,256}", text):
        raise ValueError("it has a character that none has")
