"""Messages, and a channel that keeps them: what comes after the decision to send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self, TypeAlias

from journeykit.channels import ANY, Channel, Message, Receipt, Sent, Uncertain
from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import SendMessage
from journeykit.errors import UnknownChannel
from journeykit.plugins import Registry

Channels: TypeAlias = Registry | Mapping[str, Channel] | Iterable[Channel]
"""The installed channels, or a choice: by the name that journeys use, or by their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage(Message):
    """A message as a channel gets it, and which run it came from.

    Attributes:
        enrollment: The run's id.
        version: The version of the journey that the run is on.
        expires_at: Not to be sent from then on; None: never too late.
    """

    enrollment: str
    version: int
    expires_at: datetime | None = None

    @classmethod
    def from_command(cls, command: SendMessage) -> Self:
        """Read the engine's command."""
        expires_at = command.expires_at
        return cls(
            delivery_id=command.delivery_id,
            customer=command.customer,
            channel=command.channel,
            address=command.address,
            template=command.template,
            variables=command.variables,
            at=to_datetime(command.at),
            journey=command.journey,
            step=command.step,
            purpose=command.purpose,
            topic=command.topic or None,
            test=command.test,
            enrollment=command.enrollment,
            version=command.version,
            expires_at=None if expires_at is None else to_datetime(expires_at),
        )


def _sent(message: Message) -> Receipt:
    return Sent(message.delivery_id)


class RecordingChannel(Channel):
    """Carries any channel, or one, by keeping its messages.

    Attributes:
        messages: What it was handed, in order.
        answer: The receipt for each message; set it to try out what else can happen.
    """

    provider = "recording"

    def __init__(
        self,
        name: str = ANY,
        *,
        address_attribute: str | None = None,
        answer: Callable[[Message], Receipt] = _sent,
    ) -> None:
        """Keep nothing yet.

        Args:
            name: The channel that journeys name; it carries any if not given.
            address_attribute: The profile attribute that holds the address; the
                customer's id is the address if not given.
            answer: The receipt for each message; it is sent if not given.
        """
        self.name = name
        self.address_attribute = address_attribute
        self.messages: list[Message] = []
        self.answer = answer

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Keep the messages, and answer as told."""
        self.messages += messages
        return [self.answer(message) for message in messages]


def carrier(channels: Channels, name: str) -> Channel:
    """The channel that carries what journeys call by this name.

    Raises:
        UnknownChannel: None does.
    """
    if isinstance(channels, Registry):
        return channels.channel(name)
    if not isinstance(channels, Mapping):
        channels = {channel.name: channel for channel in channels}
    found = channels.get(name) or channels.get(ANY)
    if found is None:
        given = ", ".join(repr(known) for known in sorted(channels)) or "none"
        raise UnknownChannel(f"no channel carries {name!r}; given: {given}")
    return found


def deliver(messages: Iterable[Message], channels: Channels) -> list[Receipt]:
    """Hand each message to its channel once, and return one receipt each, in order.

    Batches are as large as a channel takes. Nothing is retried: a RetryAfter is an
    answer like the others, and of a channel that raises nobody knows what it took.

    Raises:
        UnknownChannel: No channel carries a message.
        AssertionError: A channel didn't answer with one receipt for each message.
    """
    messages = list(messages)
    by_channel: dict[str, list[Message]] = {}
    for message in messages:
        by_channel.setdefault(message.channel, []).append(message)
    receipts: dict[str, Receipt] = {}
    for name, group in by_channel.items():
        channel = carrier(channels, name)
        size = channel.capabilities.batch_size
        for start in range(0, len(group), size):
            for receipt in _handed(channel, group[start : start + size]):
                receipts[receipt.delivery_id] = receipt
    return [receipts[message.delivery_id] for message in messages]


def _handed(channel: Channel, batch: Sequence[Message]) -> Sequence[Receipt]:
    try:
        receipts = channel.send(batch)
    except Exception as error:  # noqa: BLE001 - the channel's word for: out of reach
        reason = f"{type(error).__name__}: {error}"
        return [Uncertain(message.delivery_id, reason) for message in batch]
    expected = [message.delivery_id for message in batch]
    answered = [receipt.delivery_id for receipt in receipts]
    assert sorted(answered) == sorted(expected), (
        f"{type(channel).__name__}.send must return one receipt for each message; "
        f"it was handed {expected} and answered for {answered}"
    )
    return receipts
