"""The same stimuli at the same instants: through the cloud path, and through SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from journeykit.channels import Action, Channel, Message
from journeykit.engine.calendar import to_ms
from journeykit.engine.catalog import State
from journeykit.engine.customer import Customer
from journeykit.engine.ids import log_id
from journeykit.engine.stimuli import Stimulus, WakeUp
from journeykit.hookspecs import hookimpl
from journeykit.local.embedded import Embedded
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.catalogs import set_state
from journeykit.runtime.runtime import Runtime
from journeykit.testing import RecordingChannel
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

SALT = "salt"

_LATE_MS = 2_000  # a delay of SQS is whole seconds
_QUIET = 100  # wake-ups in a row at which nothing was decided

Happening = tuple[int, Stimulus | Callable[[int], object]]
"""When, and what comes in then, or what an operator does."""


class Outcome(msgspec.Struct):
    """What came of it all.

    Attributes:
        lines: The decision log, each line once, in no order.
        messages: What was handed to channels, by delivery.
        customers: The documents, by id.
    """

    lines: list[str]
    messages: list[tuple[str, ...]]
    customers: Mapping[str, Customer]


def salt() -> str:
    """Customers have the same name in both logs."""
    return SALT


def of_cloud(aws: AwsEmulator, channels: Iterable[RecordingChannel]) -> Outcome:
    """What the cloud path came to."""
    return Outcome(
        sorted(_line(one) for one in aws.decisions),
        sorted(_said(m) for channel in channels for m in channel.messages),
        aws.customers,
    )


class Sqlite:
    """An embedded runtime, to which a test says what happens and when."""

    def __init__(
        self,
        workspace: Workspace,
        folder: Path,
        *,
        channels: Mapping[str, Channel],
        actions: Sequence[Action] = (),
    ) -> None:
        class Doubles:
            @hookimpl
            def journeykit_channels(self) -> Sequence[Channel]:
                return list(channels.values())

            @hookimpl
            def journeykit_actions(self) -> Sequence[Action]:
                return actions

        manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
        manager.register(Doubles(), "doubles")
        providers = dict.fromkeys(channels, "recording")
        self._channels = channels
        self.embedded = Embedded.open(
            replace(workspace, providers=providers),
            Registry.from_plugins(manager),
            data=folder,
        )
        self.embedded.runtime = Runtime(
            self.embedded.store,
            self.embedded.catalog,
            inbox=self.embedded.store,
            loggable=workspace.loggable,
            salt=salt,
        )

    def happens(self, stimuli: Sequence[Happening], aws: AwsEmulator) -> None:
        """Let the same happen at the same instants, and wake whom the cloud has woken.

        A wake-up at which nothing was decided has left no line. Whoever is due without
        one is woken at their own instant, and the documents are to be the same in the end:
        a wake-up that the cloud loses, or that decides something here, shows in them.
        """
        names = {log_id(id, SALT): id for id in aws.customers}
        # One wake-up may follow another at once: each has written its own revision.
        wakes = {
            (_ms(line["now"]), line["revision"], names[line["customer"]])
            for line in aws.decisions
            if "event" not in line
        }
        all_of_it: list[tuple[int, int, Stimulus | Callable[[int], object]]] = [
            *((at, 0, what) for at, what in stimuli),
            *((at, 1, WakeUp(id)) for at, _, id in sorted(wakes)),
        ]
        for at, _, what in sorted(all_of_it, key=lambda one: one[:2]):
            self._wake_quietly(at)
            if callable(what):
                what(at)
            else:
                self.embedded.runtime.ingest([what], now=at)
            self.deliver(at)
        self._wake_quietly(to_ms(aws.now))

    def publish(self, workspace: Workspace, at: int) -> None:
        """Publish other journeys."""
        providers = self.embedded.workspace.providers
        self.embedded.workspace = replace(workspace, providers=providers)
        self.embedded.publish(now=at)

    def set_state(self, journey: str, state: State, at: int) -> None:
        """Pause a journey, let it go on, or stop it."""
        set_state(self.embedded.store, journey, state, now=at, reason="")

    def deliver(self, at: int) -> None:
        """Hand over what is due, and handle what comes of it."""
        embedded = self.embedded
        while embedded.dispatcher.deliver(at) + embedded.runtime.drain(at):
            pass

    def _wake_quietly(self, at: int) -> None:
        """Wake whoever was due by now, of whose wake-up the cloud has no line."""
        for _ in range(_QUIET):
            overdue = self.embedded.store.due(at - _LATE_MS, 10)
            if not overdue:
                return
            for due, id in overdue:
                self.embedded.runtime.wake([id], now=due)
        raise AssertionError(f"not woken by the cloud until {at}: {overdue}")

    def outcome(self) -> Outcome:
        """What it came to."""
        customers = self.embedded.store.scan("", 10_000)
        self.embedded.close()
        lines = self.embedded.decisions.path.read_bytes().splitlines()
        channels = [
            c for c in self._channels.values() if isinstance(c, RecordingChannel)
        ]
        return Outcome(
            sorted(_line(msgspec.json.decode(line)) for line in lines),
            sorted(_said(m) for channel in channels for m in channel.messages),
            {customer.id: customer for customer in customers},
        )


def _line(line: Mapping[str, Any]) -> str:
    return msgspec.json.encode(line).decode()


def _said(message: Message) -> tuple[str, ...]:
    return (
        message.delivery_id,
        message.channel,
        message.address,
        message.template,
        f"{message.at.isoformat()} {message.journey} {message.step}",
        repr(sorted(message.variables.items())),
    )


def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))
