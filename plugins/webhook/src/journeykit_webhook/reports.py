"""What a receiver posts back: `{"type": …, "timestamp": …, "data": {"delivery_id": …}}`."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from journeykit.channels import DeliveryStatus, Engagement, Report
from journeykit.errors import InputError

_FATES = (
    DeliveryStatus.DEFERRED,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.FAILED,
)
NAMES = tuple(f"message.{word}" for word in (*_FATES, *Engagement))
"""What can be said of a message that was taken."""

_PLACE = "webhook: callback"


class _Data(BaseModel, extra="allow", defer_build=True):
    delivery_id: str = Field(min_length=1, max_length=256)


class _Body(BaseModel, defer_build=True):
    type: str
    timestamp: AwareDatetime
    data: _Data


def report_of(id: str, body: bytes) -> Report:
    """Read a callback whose signature is right.

    Raises:
        InputError: It is no report; the message has nothing of what it says.
    """
    try:
        read = _Body.model_validate_json(body)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise InputError(f"{field}: {first['msg']}", place=_PLACE) from None
    if read.type not in NAMES:
        raise InputError(f"type: must be one of {', '.join(NAMES)}", place=_PLACE)
    return Report(
        delivery_id=read.data.delivery_id,
        name=read.type,
        id=id,
        occurred_at=read.timestamp,
        properties=read.data.model_extra or {},
    )
