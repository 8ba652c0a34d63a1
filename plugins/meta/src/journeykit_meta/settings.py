"""What an operator may set for Messenger and Instagram, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from journeykit.credentials import Secret
from journeykit.meta import VERSION

RATE = 300.0
"""Messages in a second of a page or an account:
https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting"""


class MetaSettings(BaseModel, extra="forbid", frozen=True, defer_build=True):
    """What an operator sets; texts of the kind `$NAME` are read from the environment.

    Attributes:
        page_id: The id of the Facebook page that messages come from.
        token: The page's access token.
        app_secret: What Meta signs callbacks with.
        previous_app_secret: One that is good too, while the other is replaced.
        verify_token: What was entered beside the callbacks' address.
        instagram_id: The id of the Instagram account; needed for `instagram`.
        instagram_token: The account's own access token, from an app with Instagram login;
            None: Instagram is reached through the page.
        instagram_app_secret: What callbacks of such an app are signed with.
        proof: Whether to prove with each request that the app's secret is known, as apps
            may require.
        api_version: Of Meta's API.
        rate: The most messages in a second.
        on_uncertain: `hold` what may have arrived, or `resend` it.
        timeout: The most seconds that one message takes.
        proxy: `http://proxy:3128`, or `environment` for HTTPS_PROXY and NO_PROXY.
        ca_file: The certificates to trust; None: the system's.
    """

    page_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    token: Secret = Secret("$JOURNEYKIT_META_TOKEN")
    app_secret: Secret = Secret("$JOURNEYKIT_META_APP_SECRET")
    previous_app_secret: Secret | None = None
    verify_token: Secret = Secret("$JOURNEYKIT_META_VERIFY_TOKEN")
    instagram_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    instagram_token: Secret | None = None
    instagram_app_secret: Secret | None = None
    proof: bool = False
    api_version: str = Field(default=VERSION, pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$")
    rate: float = Field(default=RATE, gt=0)
    on_uncertain: Literal["hold", "resend"] = "hold"
    timeout: float = Field(default=15, gt=0, le=300)
    proxy: Secret | None = None
    ca_file: Path | None = None
