"""A whole embedded runtime in memory, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from journeykit import Duration, Event, Journey, Policies
from journeykit.channels import (
    Action,
    Capabilities,
    Channel,
    Message,
    Receipt,
    Report,
    Sent,
)
from journeykit.engine.customer import Customer
from journeykit.engine.guards import ChannelRules
from journeykit.engine.stimuli import Stimulus
from journeykit.observers import Observers
from journeykit.ports import Delivery
from journeykit.runtime.catalogs import Draft, LiveCatalog, next_catalog, set_state
from journeykit.runtime.dispatcher import Dispatcher
from journeykit.runtime.runtime import Ingested, Runtime, back_off
from journeykit.testing import MemoryStore

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)  # a Monday, noon


class Provider(Channel):
    """A provider whose answers a test decides."""

    def __init__(self, name: str = "email", **capabilities: Any) -> None:
        self.name = name
        self.provider = f"{name}-provider"
        self.capabilities = Capabilities(**{"batch_size": 10, **capabilities})
        self.batches: list[list[Message]] = []
        self.answer: Callable[[Message], Receipt] = lambda m: Sent(m.delivery_id)
        self.fails: Exception | None = None

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.batches.append(list(messages))
        if self.fails is not None:
            raise self.fails
        return [self.answer(message) for message in messages]

    @property
    def asked(self) -> list[Message]:
        """Every message that it was handed."""
        return [message for batch in self.batches for message in batch]


class Shop:
    """Journeys, a store in memory, and what runs them. Instants are `"+4h"` after noon."""

    def __init__(
        self,
        *journeys: Journey,
        policies: Policies | None = None,
        channels: Sequence[Channel] = (),
        actions: Sequence[Action] = (),
        store: Any = None,
        observers: Observers | None = None,
        loggable: Sequence[str] = (),
        publish: Any = None,
        workers: int = 1,
        back_off: Callable[[int], None] = back_off,
        **dispatching: Any,
    ) -> None:
        self.store = store or MemoryStore()
        self.now = self.ms("+0h")
        self.policies = policies or Policies()
        self.channels: Mapping[str, Channel] = {c.name: c for c in channels} or {
            "email": Provider()
        }
        self.catalog = LiveCatalog(
            self.store,
            channels={
                name: ChannelRules(channel.address, channel.normalize)
                for name, channel in self.channels.items()
            },
            actions=[action.name for action in actions],
            contents=self.store,
        )
        self.runtime = Runtime(
            self.store,
            self.catalog,
            inbox=self.store,
            observers=observers,
            loggable=loggable,
            salt=lambda: "salt",
            back_off=back_off,
        )
        self.dispatcher = Dispatcher(
            self.store,
            self.catalog,
            channels=self.channels,
            actions={action.name: action for action in actions},
            observers=observers,
            publish=publish,
            workers=workers,
            **dispatching,
        )
        self._count = 0
        self.publish(*journeys)

    # --- given ---------------------------------------------------------------------

    def publish(self, *journeys: Journey) -> None:
        """These journeys are live from now on."""
        draft = Draft(
            {journey.id: journey.to_plan() for journey in journeys},
            {journey.id: journey.fingerprint for journey in journeys},
            self.policies.to_plan(),
        )
        document = next_catalog(self.store.current(), draft, at=self.now).document
        self.store.publish(document)

    def state(self, journey: str, state: Any) -> None:
        """An operator pauses, resumes or stops a journey."""
        set_state(self.store, journey, state, now=self.now, reason="test")

    # --- when ----------------------------------------------------------------------

    def event(
        self,
        name: str,
        customer: str = "ada",
        at: str | None = None,
        /,
        *,
        id: str | None = None,
        test: bool = False,
        **properties: Any,
    ) -> Event:
        """An event, not yet handled."""
        self._count += 1
        when = self.instant(at)
        return Event(
            id=id or f"event-{self._count}",
            name=name,
            customer=customer,
            occurred_at=when,
            received_at=when,
            properties=properties,
            test=test,
        )

    def ingest(self, *stimuli: Stimulus) -> Ingested:
        """They come in now."""
        return self.runtime.ingest(stimuli, now=self.now)

    def happens(self, name: str, customer: str = "ada", **properties: Any) -> None:
        """An event comes in now."""
        self.ingest(self.event(name, customer, **properties))

    def deliver(self, at: str | None = None) -> int:
        """The dispatcher works once, and what it reports is handled."""
        if at is not None:
            self.now = self.ms(at)
        count = self.dispatcher.deliver(self.now, limit=1000)
        self.runtime.drain(self.now)
        return count

    def passes(self, at: str) -> None:
        """Time passes: whoever is due is woken, and what they send is handed over."""
        self.now = self.ms(at)
        while self.runtime.tick(self.now) + self.deliver():
            pass

    def report(self, delivery_id: str, name: str, **properties: Any) -> Ingested:
        """A provider says what became of a message."""
        self._count += 1
        report = Report(
            delivery_id, name, f"r{self._count}", self.instant(None), properties
        )
        return self.runtime.feedback([report], now=self.now)

    # --- then ----------------------------------------------------------------------

    def customer(self, id: str = "ada") -> Customer:
        """What is stored about somebody."""
        return self.store.load([id])[id]

    def delivery(self, message: Message) -> Delivery:
        """What became of a message."""
        return self.store.find([message.delivery_id])[message.delivery_id]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The decisions, in the order in which they were stored."""
        blocks = self.store.journal(100_000)
        text = b"".join(lines for _, lines in blocks)
        return [msgspec.json.decode(line) for line in text.splitlines()]

    @property
    def said(self) -> list[str]:
        """The decisions in a word or two: `sent`, `exited goal_reached`."""
        return [
            f"{line['kind']} {line.get('reason', '')}".rstrip() for line in self.log
        ]

    def instant(self, text: str | None) -> datetime:
        """`+4h` after noon, or now."""
        if text is None:
            return datetime.fromtimestamp(self.now / 1000, UTC)
        past = Duration.parse(text[1:])
        return T0 + timedelta(past.days, milliseconds=past.ms)

    def ms(self, text: str) -> int:
        """The same in milliseconds."""
        return round(self.instant(text).timestamp() * 1000)


@pytest.fixture
def shop() -> type[Shop]:
    """Make a shop: `shop(journey, …)`."""
    return Shop


@pytest.fixture
def provider() -> Provider:
    """A provider of e-mail."""
    return Provider()
