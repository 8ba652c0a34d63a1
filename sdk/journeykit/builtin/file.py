"""The file channel: one JSON line per message, for machines to read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import ClassVar

from journeykit.channels import ANY, Capabilities, Channel, Message, Receipt, Sent
from journeykit.hookspecs import hookimpl


@dataclass(frozen=True)
class FileSettings:
    """Where the messages go.

    Attributes:
        path: The file; it and its folder are made when the first message goes.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    path: Path = Path("messages.jsonl")


class FileChannel(Channel):
    """Carries any channel, by appending; the customer's id is the address."""

    name = ANY
    provider = "file"
    capabilities = Capabilities(batch_size=1000)  # one write per batch, about 500 KB
    Settings = FileSettings
    settings: FileSettings

    def __init__(self, path: str | Path = FileSettings.path) -> None:
        """Append to a file, which need not exist."""
        self.settings = FileSettings(Path(path))

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Append the messages with one write, and call them sent."""
        path = self.settings.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lone surrogate has no UTF-8; Python's escape for it is JSON's as well.
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(f"{_line(message)}\n" for message in messages))
        return [Sent(message.delivery_id) for message in messages]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield the file channel, which appends to `messages.jsonl` unless told better."""
    yield FileChannel()


def _line(message: Message) -> str:
    """Return the line of docs/plugins.md; keys are only ever added."""
    return json.dumps(
        {
            "delivery_id": message.delivery_id,
            "at": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "customer": message.customer,
            "channel": message.channel,
            "address": message.address,
            "template": message.template,
            "variables": message.variables,
            "journey": message.journey,
            "step": message.step,
            "purpose": message.purpose,
            "topic": message.topic,
            "test": message.test,
        },
        ensure_ascii=False,
        default=str,
    )
