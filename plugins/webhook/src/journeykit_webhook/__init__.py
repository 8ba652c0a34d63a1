"""Messages as signed webhooks: one HTTP POST each, to a URL of your own."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_webhook.channel import WebhookChannel
from journeykit_webhook.signature import WrongSignature, new_secret, signed, verify

__all__ = [
    "WebhookChannel",
    "WrongSignature",
    "new_secret",
    "signed",
    "verify",
]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries any channel by webhook."""
    yield WebhookChannel()
