"""A plugin that implements every hook."""

from collections.abc import Iterable, Sequence

import click

from journeykit.channels import Channel, Message, Receipt, Sent
from journeykit.hookspecs import hookimpl


class Shout(Channel):
    name = "shout"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


@click.command()
def hello() -> None:
    click.echo("HELLO")


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield Shout()


@hookimpl
def journeykit_cli() -> Iterable[click.Command]:
    yield hello
