"""E-mail over Amazon SES, and what SES says became of it."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_ses.channel import SesChannel

__all__ = ["SesChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries e-mail over SES."""
    yield SesChannel()
