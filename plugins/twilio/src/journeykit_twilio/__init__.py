"""SMS over Twilio, what became of them, and what people answer."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_twilio.channel import TwilioChannel
from journeykit_twilio.signature import signature

__all__ = ["TwilioChannel", "TwilioSettings", "signature"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries SMS over Twilio."""
    yield TwilioChannel()
