"""What an operator may set for vouchers: their campaigns, and the secret of their codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from journeykit.credentials import Secret


class Campaign(BaseModel, extra="forbid", frozen=True):
    """What the vouchers of one campaign have in common.

    Attributes:
        prefix: What their codes start with.
        valid_days: For so many whole days, in UTC, after the one on which it is drawn.
    """

    prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,12}$")]
    valid_days: Annotated[int, Field(ge=1, le=3650)] = 30


class VoucherSettings(BaseModel, extra="forbid", frozen=True):
    """What an operator sets in journeykit.toml.

    Attributes:
        campaigns: By the name that journeys use.
        secret: Whoever has it can draw and verify codes.
    """

    campaigns: Mapping[str, Campaign]
    secret: Secret = Secret("$VOUCHER_SECRET")
