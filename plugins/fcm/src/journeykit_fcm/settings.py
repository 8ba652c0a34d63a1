"""What an operator may set for FCM, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from journeykit.credentials import Secret
from journeykit.errors import InputError
from journeykit_fcm.access import Account

RATE = 10_000.0
"""Messages in a second: what Google gives every project, 600,000 in a minute."""

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


class FcmSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        service_account: The text of the key file that Firebase makes for a service
            account, which is JSON.
        project: The project's id; None: the account's own.
        validate_only: Whether Google is only to check each message, and send none.
        rate: The most messages in a second.
        on_uncertain: `hold` what may have arrived, or `resend` it.
        timeout: The most seconds that one request takes.
        proxy: `http://proxy:3128`, or `environment` for HTTPS_PROXY and NO_PROXY.
        ca_file: The certificates to trust; None: the system's.
    """

    service_account: Secret = Secret("$JOURNEYKIT_FCM_SERVICE_ACCOUNT")
    project: str | None = None
    validate_only: bool = False
    rate: float = Field(default=RATE, gt=0)
    on_uncertain: Literal["hold", "resend"] = "hold"
    timeout: float = Field(default=15, gt=0, le=300)
    proxy: Secret | None = None
    ca_file: Path | None = None

    @field_validator("service_account")
    @classmethod
    def _check_account(cls, account: Secret) -> Secret:
        try:
            text = account.reveal()
        except InputError:
            return account  # the environment may have it only where it runs
        Account.from_json(text)
        return account

    @field_validator("project")
    @classmethod
    def _check_project(cls, project: str | None) -> str | None:
        if project is not None and not _PROJECT.fullmatch(project):
            raise ValueError("write the project's id, such as my-shop-3f9a5")
        return project
