"""What an operator may set for Slack, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from journeykit.credentials import Secret

RATE = 5.0
"""Messages in a second. Slack allows one to each channel, and "several hundred" a minute to
a workspace: https://docs.slack.dev/apis/web-api/rate-limits"""


class SlackSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        token: The bot's token: `xoxb-…`.
        signing_secret: What Slack signs callbacks with.
        unfurl: Whether Slack shows what is behind a link in a text.
        rate: The most messages in a second.
        on_uncertain: `hold` what may have arrived, or `resend` it.
        timeout: The most seconds that one message takes.
        proxy: `http://proxy:3128`, or `environment` for HTTPS_PROXY and NO_PROXY.
        ca_file: The certificates to trust; None: the system's.
    """

    token: Secret = Secret("$JOURNEYKIT_SLACK_TOKEN")
    signing_secret: Secret = Secret("$JOURNEYKIT_SLACK_SIGNING_SECRET")
    unfurl: bool = False
    rate: float = Field(default=RATE, gt=0)
    on_uncertain: Literal["hold", "resend"] = "hold"
    timeout: float = Field(default=15, gt=0, le=300)
    proxy: Secret | None = None
    ca_file: Path | None = None
