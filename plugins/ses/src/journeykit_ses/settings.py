"""What an operator may set for SES, and what is refused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from journeykit.errors import ContentError
from journeykit.media.mailbox import mailbox_of
from journeykit.sns import is_topic


class SesSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets.

    Attributes:
        sender: Who mails are from where a template doesn't say so.
        region: Of SES; None: as the environment says.
        configuration_set: Whose events come back; None: the identity's own.
        tenant: In whose name to send; None: nobody's.
        rate: The most mails in a second; None: as many as come.
        daily_quota: The most mails in any 24 hours; None: as many as come.
        timeout: The most seconds that one mail takes.
        on_uncertain: `hold` a mail that may have gone out, or `resend` it.
        topics: ARNs of the SNS topics whose notifications are believed.
        confirm_subscription: Whether to confirm a subscription to such a topic.
        endpoint: A URL to ask instead of SES's, as for tests.
    """

    sender: str
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    configuration_set: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$"
    )
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    rate: float | None = Field(default=None, gt=0)
    daily_quota: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=15, gt=0, le=300)
    on_uncertain: Literal["hold", "resend"] = "hold"
    topics: tuple[str, ...] = ()
    confirm_subscription: bool = False
    endpoint: str | None = Field(default=None, pattern=r"^https?://")

    @field_validator("sender")
    @classmethod
    def _check_sender(cls, sender: str) -> str:
        try:
            mailbox_of(sender, what="sender")
        except ContentError as err:
            raise ValueError(str(err)) from None
        return sender

    @field_validator("topics")
    @classmethod
    def _check_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not is_topic(topic):
                raise ValueError("write ARNs: arn:aws:sns:eu-west-1:123456789012:mail")
        return topics
