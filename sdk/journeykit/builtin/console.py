"""The console channel: one readable line per message, for trying journeys out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from journeykit.channels import ANY, Capabilities, Channel, Message, Receipt, Sent
from journeykit.hookspecs import hookimpl
from journeykit.model.plain_text import printable


class ConsoleChannel(Channel):
    """Carries any channel, by printing; the customer's id is the address."""

    name = ANY
    provider = "console"
    capabilities = Capabilities(batch_size=1000)  # a page of lines, no limit behind it

    def __init__(self, stream: TextIO | None = None) -> None:
        """Print to a stream; None: to whatever is standard output when it sends."""
        self.stream = stream

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Print the messages and call them sent."""
        stream = sys.stdout if self.stream is None else self.stream
        stream.writelines(f"{_line(message)}\n" for message in messages)
        stream.flush()
        return [Sent(message.delivery_id) for message in messages]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield the console, which prints to standard output."""
    yield ConsoleChannel()


def _line(message: Message) -> str:
    """Return one line that says when, how, to whom, what and why."""
    variables = json.dumps(message.variables, ensure_ascii=False, default=str)
    line = (
        f"{message.at.isoformat(timespec='seconds')}"
        f"  {message.channel} to {message.address}: {message.template} {variables}"
        f"  [{message.journey}, {message.step}]{' [test]' if message.test else ''}"
    )
    # What customers typed may hold line breaks and terminal commands: show, don't obey.
    return printable(line)
