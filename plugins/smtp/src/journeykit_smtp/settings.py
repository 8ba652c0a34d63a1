"""What an operator may set for a mail server, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from journeykit.credentials import Secret
from journeykit.errors import ContentError
from journeykit.media.mailbox import address_of, mailbox_of

_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_HELLO = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f.:IPv]{2,60}\]")


class SmtpSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        host: The server's name.
        port: None: 587, 465 or 25, as `security` has it.
        security: `starttls`, `tls`, or `none`, which only this machine's server may have.
        username: Who logs in; None: nobody.
        password: With what.
        sender: Who mails are from where a template doesn't say so.
        return_path: Who gets back what can't be delivered; None: the sender.
        hello: As whom to present oneself; None: by the name of this host.
        batch_size: So many mails go over one connection.
        rate: The most mails in a second; None: as many as come.
        daily_quota: The most mails in any 24 hours; None: as many as come.
        timeout: The most seconds for each reply of the server.
        on_uncertain: `hold` a mail that may have gone out, or `resend` it.
        ca_file: The certificates to trust; None: the system's.
    """

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Secret | None = None
    password: Secret | None = Field(default=None, validate_default=True)
    sender: str
    return_path: str | None = None
    hello: str | None = None
    batch_size: int = Field(default=50, ge=1, le=1000)
    rate: float | None = Field(default=None, gt=0)
    daily_quota: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=30, gt=0, le=300)
    on_uncertain: Literal["hold", "resend"] = "hold"
    ca_file: Path | None = None

    @field_validator("sender")
    @classmethod
    def _check_sender(cls, sender: str) -> str:
        try:
            mailbox_of(sender, what="sender")
        except ContentError as err:
            raise ValueError(str(err)) from None
        return sender

    @field_validator("return_path")
    @classmethod
    def _check_return_path(cls, address: str | None) -> str | None:
        try:
            return address and address_of(address, what="return_path")
        except ContentError as err:
            raise ValueError(str(err)) from None

    @field_validator("hello")
    @classmethod
    def _check_hello(cls, hello: str | None) -> str | None:
        if hello is not None and not _HELLO.fullmatch(hello):
            raise ValueError("write a host name, or an address in brackets")
        return hello

    @field_validator("security")
    @classmethod
    def _check_security(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("host") not in _LOCAL:
            raise ValueError(
                "'none' is for a server on this machine; what is sent to another could be "
                "read and changed on the way"
            )
        return security

    @field_validator("password")
    @classmethod
    def _check_password(
        cls, password: Secret | None, info: ValidationInfo
    ) -> Secret | None:
        if (password is None) != (info.data.get("username") is None):
            raise ValueError("set both `username` and `password`, or neither")
        return password
