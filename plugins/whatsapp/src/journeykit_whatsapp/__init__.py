"""WhatsApp: templates at any time and free words within 24 hours, over Meta or over AWS."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_whatsapp.channel import WhatsAppChannel

__all__ = ["WhatsAppChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield WhatsApp."""
    yield WhatsAppChannel()
