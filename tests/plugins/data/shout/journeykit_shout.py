"""A plugin that implements every hook."""

from collections.abc import Iterable, Sequence

import click

from journeykit.channels import (
    Action,
    ActionCall,
    CallOutcome,
    Channel,
    Completed,
    Message,
    Receipt,
    Sent,
)
from journeykit.happened import Delivered, Reacted
from journeykit.hookspecs import hookimpl


class Shout(Channel):
    name = "shout"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Cheer(Action):
    name = "cheer"

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id) for call in calls]


@click.command()
def hello() -> None:
    click.echo("HELLO")


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield Shout()


@hookimpl
def journeykit_actions() -> Iterable[Action]:
    yield Cheer()


@hookimpl
def journeykit_cli() -> Iterable[click.Command]:
    yield hello


@hookimpl
def journeykit_after_reaction(reacted: Reacted) -> None: ...


@hookimpl
def journeykit_after_delivery(delivered: Delivered) -> None: ...
