"""What an operator may set for AWS End User Messaging, and what is refused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from journeykit.media.sms import MOST_SEGMENTS
from journeykit.sns import is_topic


class SmsAwsSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets.

    Attributes:
        sender: Who sends: a number, its id, a pool's id, a sender id, or an ARN of one;
            None: AWS chooses.
        region: Of the service; None: as the environment says.
        configuration_set: Whose events come back; None: nothing comes back.
        protect_configuration: Which countries may be written to; None: the account's.
        max_price: The most that one message may cost, in US dollars, such as `0.25`.
        time_to_live: Seconds after which a message is not worth being sent any more.
        most_segments: A message of more segments is not sent.
        transliterate: Whether typography that makes messages longer is replaced.
        rate: The most messages in a second; None: as many as come.
        daily_quota: The most messages in any 24 hours; None: as many as come.
        timeout: The most seconds that one message takes.
        on_uncertain: `hold` a message that may have gone out, or `resend` it.
        topics: ARNs of the SNS topics whose notifications are believed.
        confirm_subscription: Whether to confirm a subscription to such a topic.
        eventbridge: Whether events come by EventBridge, which names messages by AWS's ids
            alone: they are kept then.
        endpoint: A URL to ask instead of AWS's, as for tests.
    """

    sender: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_:/+-]{1,256}$")
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    configuration_set: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_:/-]{1,256}$"
    )
    protect_configuration: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_:/-]{1,256}$"
    )
    max_price: str | None = Field(default=None, pattern=r"^[0-9]{0,2}\.[0-9]{1,5}$")
    time_to_live: int | None = Field(default=None, ge=5, le=259_200)
    most_segments: int = Field(default=MOST_SEGMENTS, ge=1, le=10)
    transliterate: bool = False
    rate: float | None = Field(default=None, gt=0)
    daily_quota: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=15, gt=0, le=300)
    on_uncertain: Literal["hold", "resend"] = "hold"
    topics: tuple[str, ...] = ()
    confirm_subscription: bool = False
    eventbridge: bool = False
    endpoint: str | None = Field(default=None, pattern=r"^https?://")

    @field_validator("topics")
    @classmethod
    def _check_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not is_topic(topic):
                raise ValueError("write ARNs: arn:aws:sns:eu-west-1:123456789012:sms")
        return topics
