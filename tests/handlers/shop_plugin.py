"""A plugin whose provider answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from journeykit.channels import (
    Action,
    ActionCall,
    Callback,
    CallOutcome,
    Capabilities,
    Channel,
    Completed,
    Message,
    Receipt,
    Report,
    Sent,
)
from journeykit.errors import InputError
from journeykit.hookspecs import hookimpl


def _sent(message: Message) -> Receipt:
    return Sent(message.delivery_id)


class Provider:
    """Who carries email, outside of everything."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.answer: Callable[[Message], Receipt] = _sent
        self.reports: list[Report] = []


PROVIDER = Provider()


class Email(Channel):
    name = "email"
    provider = "shop"
    address_attribute = "email"
    capabilities = Capabilities(batch_size=10, idempotent=True)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        PROVIDER.asked += messages
        return [PROVIDER.answer(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        if callback.body == b'"forged"':
            raise InputError("the signature is wrong")
        return list(PROVIDER.reports)


class Greet(Action):
    name = "greet"

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id, {"text": "hello"}) for call in calls]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield Email()


@hookimpl
def journeykit_actions() -> Iterable[Action]:
    yield Greet()
