"""Mobile push by Firebase Cloud Messaging, to Android, to iPhones and to browsers."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_fcm.channel import FcmChannel

__all__ = ["FcmChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries push by Google."""
    yield FcmChannel()
