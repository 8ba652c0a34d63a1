"""Direct messages of Meta's: Messenger and Instagram."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_meta.channel import InstagramChannel, MessengerChannel

__all__ = ["InstagramChannel", "MessengerChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield Messenger and Instagram."""
    yield MessengerChannel()
    yield InstagramChannel()
