"""A plugin whose channel has the name and provider of another one's."""

from collections.abc import Iterable, Sequence

from journeykit.channels import Channel, Message, Receipt, Sent
from journeykit.hookspecs import hookimpl


class Loud(Channel):
    name = "shout"
    provider = "shout"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield Loud()
