"""An inbox in your own app: messages wait there until the app fetches them."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_inapp.channel import InAppChannel

__all__ = ["InAppChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield the in-app inbox."""
    yield InAppChannel()
