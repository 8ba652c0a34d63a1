"""E-mail over SMTP: any mail server, or the relay of any provider."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_smtp.channel import SmtpChannel

__all__ = ["SmtpChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries e-mail over SMTP."""
    yield SmtpChannel()
