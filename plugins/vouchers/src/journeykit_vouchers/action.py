"""The action `voucher`: draws a code for a customer, the same one however often asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Self

from journeykit import (
    Action,
    ActionCall,
    CallFailed,
    CallOutcome,
    Completed,
    Secret,
    hookimpl,
)
from journeykit_vouchers.codes import draw, expiry, midnight

if TYPE_CHECKING:  # it is loaded when there are settings to read
    from journeykit_vouchers.settings import VoucherSettings

_NO_SECRET = Secret("not a secret at all")


class VoucherAction(Action):
    """Draws a voucher of the `campaign` that the call names.

    The code is derived from the call's id and not drawn by lot, so that nothing must be
    kept to draw the same one again.
    """

    name = "voucher"
    batch_size = 100
    Settings = "journeykit_vouchers.settings:VoucherSettings"
    settings: VoucherSettings

    def mock(self) -> Self:
        """Return one whose codes look like others, and which no shop takes."""
        mock = copy(self)
        mock.settings = self.settings.model_copy(update={"secret": _NO_SECRET})
        return mock

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        """Draw a voucher for each call."""
        secret = self.settings.secret.reveal()
        return [self._drawn(call, secret) for call in calls]

    def _drawn(self, call: ActionCall, secret: str) -> CallOutcome:
        name = call.arguments.get("campaign")
        campaign = self.settings.campaigns.get(name) if isinstance(name, str) else None
        if campaign is None or len(call.arguments) > 1:
            known = ", ".join(map(repr, self.settings.campaigns))
            return CallFailed(
                call.call_id, f"the one argument is `campaign`, which is one of {known}"
            )
        expires_on = expiry(call.at, valid_days=campaign.valid_days)
        code = draw(
            call.call_id, prefix=campaign.prefix, expires_on=expires_on, secret=secret
        )
        expires_at = midnight(expires_on).isoformat().replace("+00:00", "Z")
        return Completed(call.call_id, {"code": code, "expires_at": expires_at})


@hookimpl
def journeykit_actions() -> Iterable[Action]:
    """Yield the action `voucher`."""
    yield VoucherAction()
