"""SMS over AWS End User Messaging, what became of them, and what people answer."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_sms_aws.channel import SmsAwsChannel

__all__ = ["SmsAwsChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield what carries SMS over AWS End User Messaging."""
    yield SmsAwsChannel()
