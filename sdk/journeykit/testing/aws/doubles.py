"""What stands in place of providers and actions in the emulator.

It is a plugin: the bundle's manifest names it, and functions find it as they find every
other one. It contributes whatever the running emulator was given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from journeykit.channels import (
    Action,
    Callback,
    Channel,
    Message,
    Receipt,
    Report,
    Sent,
)
from journeykit.engine.asked import Asked, Refused
from journeykit.hookspecs import hookimpl

PROVIDER = "emulated"

_channels: list[Channel] = []
_actions: list[Action] = []


@hookimpl
def journeykit_channels() -> list[Channel]:
    """Yield the channels of the running emulator."""
    return _channels


@hookimpl
def journeykit_actions() -> list[Action]:
    """Yield its actions."""
    return _actions


@contextmanager
def contributing(
    channels: Collection[Channel], actions: Collection[Action]
) -> Iterator[None]:
    """Contribute these until the end of the block."""
    _channels[:], _actions[:] = channels, actions
    try:
        yield
    finally:
        _channels.clear()
        _actions.clear()


class Kept(Channel):
    """Keeps messages in place of a carrier; whom it can reach is the carrier's word."""

    provider = PROVIDER

    def __init__(self, name: str, carrier: Channel, messages: list[Message]) -> None:
        """Stand for a carrier, under the name by which journeys know the channel."""
        self.name = name
        self.medium = carrier.medium
        self.capabilities = carrier.capabilities
        self._carrier = carrier
        self._messages = messages

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return what the carrier would."""
        return self._carrier.address(profile, customer_id)

    def normalize(self, address: str) -> str:
        """Return what the carrier would."""
        return self._carrier.normalize(address)

    def facts(self, templates: Mapping[str, Mapping[str, object]]) -> Mapping[str, Any]:
        """Return what the carrier would."""
        return self._carrier.facts(templates)

    def rule(self, asked: Asked) -> Refused | None:
        """Return what the carrier would."""
        return self._carrier.rule(asked)

    def render(self, message: Message) -> Message:
        """Return what the carrier would."""
        return self._carrier.render(message)

    def handshake(self, callback: Callback) -> str | None:
        """Return what the carrier would."""
        return self._carrier.handshake(callback)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Keep them."""
        self._messages += messages
        return [Sent(message.delivery_id) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what the carrier would."""
        return self._carrier.feedback(callback)


class Named(Channel):
    """A channel that was given, under the name by which journeys know it."""

    provider = PROVIDER

    def __init__(self, name: str, channel: Channel) -> None:
        """Stand for a channel, whatever it is called itself."""
        self.name = name
        self.medium = channel.medium
        self.capabilities = channel.capabilities
        self._channel = channel

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Ask the channel."""
        return self._channel.address(profile, customer_id)

    def normalize(self, address: str) -> str:
        """Ask the channel."""
        return self._channel.normalize(address)

    def facts(self, templates: Mapping[str, Mapping[str, object]]) -> Mapping[str, Any]:
        """Return what the channel would."""
        return self._channel.facts(templates)

    def rule(self, asked: Asked) -> Refused | None:
        """Return what the channel would."""
        return self._channel.rule(asked)

    def render(self, message: Message) -> Message:
        """Return what the channel would."""
        return self._channel.render(message)

    def handshake(self, callback: Callback) -> str | None:
        """Return what the channel would."""
        return self._channel.handshake(callback)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Hand them to the channel."""
        self._channel.board = self.board
        return self._channel.send(messages)

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Ask the channel."""
        return self._channel.feedback(callback)

    def mock(self) -> Channel:
        """Return the channel's own."""
        return self._channel.mock()
