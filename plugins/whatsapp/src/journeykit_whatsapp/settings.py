"""What an operator may set for WhatsApp, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from journeykit.credentials import Secret
from journeykit.sns import is_topic

RATE = 80.0
"""Messages in a second of a number that Meta has not given more:
https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput"""

_META_NUMBER = re.compile(r"[0-9]{5,20}")
# https://docs.aws.amazon.com/social-messaging/latest/APIReference/API_SendWhatsAppMessage.html
_AWS_NUMBER = re.compile(
    r"phone-number-id-[0-9a-zA-Z]{1,90}"
    r"|arn:[a-z-]+:social-messaging:[a-z0-9-]+:[0-9]{12}:phone-number-id/[0-9a-zA-Z]{1,60}"
)


class WhatsAppSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        via: Who is asked: Meta's `cloud-api`, or `aws` (End User Messaging Social).
        phone_number_id: Of the number that messages come from, as Meta or AWS has it.
        token: With `cloud-api`: the access token of a system user.
        app_secret: With `cloud-api`: what Meta signs callbacks with.
        previous_app_secret: One that is good too, while the other is replaced.
        verify_token: With `cloud-api`: what was entered beside the callbacks' address.
        api_version: Of Meta's API, as `v25.0`; None: one that is known to do.
        region: With `aws`: where; None: as the environment says.
        topics: With `aws`: ARNs of the SNS topics whose notifications are believed.
        confirm_subscription: Whether to confirm a subscription to such a topic.
        rate: The most messages in a second.
        on_uncertain: `hold` what may have arrived, or `resend` it.
        timeout: The most seconds that one message takes.
        proxy: With `cloud-api`: `http://proxy:3128`, or `environment` for HTTPS_PROXY and
            NO_PROXY.
        ca_file: With `cloud-api`: the certificates to trust; None: the system's.
    """

    via: Literal["cloud-api", "aws"] = "cloud-api"
    phone_number_id: str
    token: Secret = Secret("$JOURNEYKIT_WHATSAPP_TOKEN")
    app_secret: Secret = Secret("$JOURNEYKIT_WHATSAPP_APP_SECRET")
    previous_app_secret: Secret | None = None
    verify_token: Secret = Secret("$JOURNEYKIT_WHATSAPP_VERIFY_TOKEN")
    api_version: str | None = Field(default=None, pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    topics: tuple[str, ...] = ()
    confirm_subscription: bool = False
    rate: float = Field(default=RATE, gt=0)
    on_uncertain: Literal["hold", "resend"] = "hold"
    timeout: float = Field(default=15, gt=0, le=300)
    proxy: Secret | None = None
    ca_file: Path | None = None

    @field_validator("phone_number_id")
    @classmethod
    def _check_number(cls, id: str, info: ValidationInfo) -> str:
        if info.data.get("via") == "aws":
            if not _AWS_NUMBER.fullmatch(id):
                raise ValueError("write AWS's id, phone-number-id-…, or its ARN")
        elif not _META_NUMBER.fullmatch(id):
            raise ValueError("write Meta's id of the number, which is digits")
        return id

    @field_validator("topics")
    @classmethod
    def _check_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not is_topic(topic):
                raise ValueError("write ARNs: arn:aws:sns:eu-west-1:123456789012:chat")
        return topics
