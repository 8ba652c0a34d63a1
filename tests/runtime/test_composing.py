"""From a decided message to what its provider gets, and what can go wrong on the way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.runtime.conftest import Provider, Shop

from journeykit import Journey, Send, WaitFor, When, event, on
from journeykit.channels import Channel, Content, Message, Sent
from journeykit.content.composer import Composer
from journeykit.content.templates import Library, TemplateFile
from journeykit.errors import ContentError, InputError, PluginError, StoreError
from journeykit.model.events import Event
from journeykit.ports import CatalogDocument
from journeykit.runtime.composing import PublishedTemplates, composing
from journeykit.runtime.dispatcher import LEASE_MS
from journeykit.runtime.retries import MINUTE_MS
from journeykit.testing import MemoryStore
from journeykit.testing.store_contract.samples import make_catalog

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


def subject(channel: Channel, message: Message) -> Message:
    """What a composer would do, in one line."""
    content = Content(parts={"txt": f"Hello {message.customer}"})
    return replace(message, content=content, body=f"to {message.customer}")


class Composing:
    """Composes as `subject` does, but for those about whom a test says otherwise."""

    def __init__(self, **wrong: Exception) -> None:
        self.wrong = wrong
        self.asked: list[str] = []

    def __call__(self, channel: Channel, message: Message) -> Message:
        self.asked.append(message.customer)
        if message.customer in self.wrong:
            raise self.wrong[message.customer]
        return subject(channel, message)


def failures(shop: Shop) -> list[dict[str, Any]]:
    """Deliver, and return what was said about messages that failed."""
    told: list[dict[str, Any]] = []
    store: Any = shop.store
    put = store.put

    def noted(stimuli: Any) -> None:
        told.extend(
            dict(it.properties)
            for it in stimuli
            if isinstance(it, Event) and it.name == "message.failed"
        )
        put(stimuli)

    store.put = noted
    shop.deliver()
    store.put = put
    return told


def test_a_channel_gets_what_was_composed(provider: Provider) -> None:
    shop = Shop(HELLO, channels=[provider], compose=subject)
    shop.happens("joined")

    shop.deliver()

    [message] = provider.asked
    assert message.body == "to ada"
    assert message.content == Content(parts={"txt": "Hello ada"})


def test_each_attempt_composes_once(provider: Provider) -> None:
    composing = Composing()
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.happens("joined")
    provider.fails = ConnectionError()
    provider.capabilities = replace(provider.capabilities, idempotent=True)

    shop.deliver()
    provider.fails = None
    shop.passes("+10m")

    assert composing.asked == ["ada", "ada"]
    assert [message.body for message in provider.asked] == ["to ada", "to ada"]


def test_one_that_can_not_be_composed_holds_up_no_other(provider: Provider) -> None:
    composing = Composing(bob=ContentError("there is no template 'hello' for email"))
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob", "cyd")))

    [failed] = failures(shop)

    assert [message.customer for message in provider.asked] == ["ada", "cyd"]
    assert failed["reason"] == "content"
    assert failed["detail"] == "there is no template 'hello' for email"
    [delivery] = shop.store.find([failed["delivery_id"]]).values()
    assert (delivery.outcome, delivery.customer) == ("failed", "bob")
    assert delivery.reason == "content: there is no template 'hello' for email"
    assert shop.store.backlog()["waiting"] == 0


def test_what_is_composed_slowly_goes_while_the_lease_lasts_and_the_rest_waits(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slowly(channel: Channel, message: Message) -> Message:
        clock[0] += 40
        return subject(channel, message)

    shop = Shop(HELLO, channels=[provider], compose=slowly)
    shop.ingest(*(shop.event("joined", f"c{n}") for n in range(10)))

    shop.deliver()

    assert clock[0] < LEASE_MS / 2000, "the rest of the lease is the provider's"
    sent = len(provider.asked)
    assert 0 < sent < 10
    assert shop.store.backlog()["waiting"] == 10 - sent
    for minute in range(1, 5):
        shop.passes(f"+{minute}m")
    assert len({message.delivery_id for message in provider.asked}) == 10
    assert len(provider.asked) == 10


def test_what_was_composed_too_late_is_not_handed_over(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def stuck(channel: Channel, message: Message) -> Message:
        clock[0] += LEASE_MS / 1000
        return subject(channel, message)

    shop = Shop(HELLO, channels=[provider], compose=stuck)
    shop.happens("joined")

    shop.deliver()

    assert provider.asked == []
    assert shop.store.backlog()["waiting"] == 1


def test_a_journey_can_go_on_when_its_content_fails(provider: Provider) -> None:
    journey = Journey(
        "hello",
        trigger=on("joined"),
        steps=[
            Send("email", "hello"),
            WaitFor(
                [
                    When(
                        on("message.failed", where=event.reason == "content"),
                        [Send("sms", "short")],
                    )
                ]
            ),
        ],
    )
    sms = Provider("sms")
    composing = Composing(ada=ContentError("too long"))
    shop = Shop(journey, channels=[provider, sms], compose=composing)
    shop.happens("joined")
    shop.deliver()
    composing.wrong = {}

    shop.deliver()

    assert [message.template for message in sms.asked] == ["short"]


def test_the_journeys_breaker_counts_what_could_not_be_composed() -> None:
    composing = Composing(ada=ContentError("too long"))
    shop = Shop(HELLO, compose=composing)
    shop.happens("joined")

    shop.deliver()

    assert shop.store.tallies() == {"hello": (0, 1)}


def test_a_plugin_that_breaks_while_composing_breaks_one_message(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    composing = Composing(bob=KeyError("secret-of-bob"))
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob")))

    with caplog.at_level(logging.ERROR, "journeykit.dispatcher"):
        [failed] = failures(shop)

    assert (failed["reason"], failed["detail"]) == ("content", "KeyError")
    assert [message.customer for message in provider.asked] == ["ada"]
    assert "secret-of-bob" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        StoreError("the published templates can't be read"),
        InputError("is not set, or empty", place="environment: JOURNEYKIT_LINK_SECRET"),
        PluginError("liquid is not installed"),
    ],
    ids=["store", "secret", "engine"],
)
def test_what_the_message_is_not_to_blame_for_is_waited_for(
    provider: Provider, error: Exception
) -> None:
    composing = Composing(ada=error)
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.happens("joined")

    for minutes in range(0, 120, 2):  # longer than any provider is tried
        shop.passes(f"+{minutes}m")
    composing.wrong = {}
    shop.passes("+3h")

    assert [message.body for message in provider.asked] == ["to ada"]
    assert shop.store.tallies() == {"hello": (1, 0)}


def test_who_waits_for_templates_is_asked_about_once_a_minute() -> None:
    composing = Composing(ada=StoreError("gone"))
    shop = Shop(HELLO, compose=composing)
    shop.happens("joined")

    for seconds in range(0, 180, 10):
        shop.passes(f"+{seconds}s")

    assert len(composing.asked) == 3
    assert shop.store.backlog()["due"] == shop.ms("+2m") + MINUTE_MS


def test_an_outage_of_the_templates_is_none_of_the_channel(provider: Provider) -> None:
    names = [f"customer-{n}" for n in range(50)]
    composing = Composing(**dict.fromkeys(names, StoreError("gone")))
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.ingest(*(shop.event("joined", name) for name in names))

    shop.deliver()

    assert shop.dispatcher.open_breakers == []


def test_a_mock_gets_what_its_channel_would(provider: Provider) -> None:
    composing = Composing()
    shop = Shop(HELLO, channels=[provider], compose=composing)
    shop.ingest(shop.event("joined", test=True))

    shop.deliver()

    assert composing.asked == ["ada"]
    assert provider.asked == []


# --- the published templates ---------------------------------------------------------


def library(text: str) -> Library:
    return Library({"hello.email.txt": TemplateFile(text)})


class Published:
    """Catalogs with templates, one after the other."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.asked: list[str] = []
        self.document: CatalogDocument | None = None
        self.templates = PublishedTemplates(lambda: self.document, self)

    def publish(self, library: Library) -> None:
        self.keep_content(library.id, library.to_bytes())
        revision = self.document.revision + 1 if self.document else 1
        self.document = make_catalog(revision, content=library.id)

    def keep_content(self, id: str, content: bytes) -> None:
        self.store.keep_content(id, content)

    def content(self, id: str) -> bytes | None:
        self.asked.append(id)
        return self.store.content(id)


def test_the_templates_of_the_live_catalog_count() -> None:
    published = Published()
    published.publish(library("one"))
    first = published.templates()
    published.publish(library("two"))

    second = published.templates()

    assert (first, second) == (library("one"), library("two"))


def test_templates_are_looked_up_once() -> None:
    published = Published()
    for text in ("one", "two", "one", "two"):
        published.publish(library(text))
        published.templates()
        published.templates()

    assert published.asked == [library("one").id, library("two").id]


def test_only_a_few_sets_of_templates_are_remembered() -> None:
    published = Published()
    for n in range(20):
        published.publish(library(str(n)))
        published.templates()

    assert len(published.templates._known) <= 4


def test_where_nothing_was_published_there_are_no_templates() -> None:
    published = Published()
    nothing = published.templates()
    published.document = make_catalog(1)

    assert nothing == published.templates() == Library({})
    assert published.asked == []


def test_templates_that_are_gone_are_an_outage() -> None:
    published = Published()
    published.document = make_catalog(1, content="ab" * 32)

    with pytest.raises(StoreError, match="publish the workspace again"):
        published.templates()


class Letter(Channel):
    """A channel that makes something of its content."""

    name = "email"
    medium = "email"

    def render(self, message: Message) -> Message:
        assert message.content is not None
        return replace(message, body=message.content.parts["txt"].upper())

    def send(self, messages: Any) -> Any:
        return [Sent(message.delivery_id) for message in messages]


class Plain(Letter):
    medium = ""


@pytest.mark.parametrize(
    ("make", "body"), [(Letter, "HELLO"), (Plain, None)], ids=["letter", "plain"]
)
def test_a_channel_without_a_medium_needs_no_template(
    make: Callable[[], Letter], body: str | None
) -> None:
    engine: Any = Verbatim()
    composer = Composer(lambda: library("hello"), engines={"jinja": engine})
    shop = Shop(HELLO)
    shop.happens("joined")
    shop.deliver()
    provider: Any = shop.channels["email"]
    [message] = provider.asked

    composed = composing(composer)(make(), message)

    assert composed.body == body


class Verbatim:
    """A template engine without any."""

    name = "jinja"

    def variables(self, source: str, **_: Any) -> frozenset[str]:
        return frozenset()

    def render(self, source: str, variables: Any, **_: Any) -> str:
        return source


def test_what_messages_wait_for_is_said_once_a_minute(
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    caplog.set_level(logging.ERROR, "journeykit.dispatcher")

    def compose(channel: Channel, message: Message) -> Message:
        raise InputError("is not set", place="environment: SECRET")

    shop = Shop(HELLO, channels=[provider], compose=compose)
    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob", "cyd")))
    for minute in range(5):
        shop.passes(f"+{minute}m")
    first = [each.message for each in caplog.records]
    clock[0] += 60
    shop.passes("+6m")

    assert len(first) == 1
    assert "environment: SECRET: is not set" in first[0]
    assert len(caplog.records) == 2
