"""Who really gets a message: seeds, dry runs, one of an address; and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import pytest
from tests.runtime.conftest import Provider, Shop

from journeykit import Call, Cap, Journey, Policies, Send, days, on
from journeykit.channels import (
    Action,
    ActionCall,
    CallOutcome,
    Completed,
    Message,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.engine.commands import PublishEvent
from journeykit.engine.ids import address_key, provider_key
from journeykit.errors import StoreError
from journeykit.ports import Reference
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


class Mailbox(Provider):
    """A provider of addresses in which case plays no part."""

    address_attribute = "email"

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        return f"{customer_id}@Example.com"


class Shared(Provider):
    """A provider for people who share one address."""

    address_attribute = "email"

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        return "Both@example.com" if customer_id != "cyd" else "cyd@example.com"


# --- seeds ---------------------------------------------------------------------------


def test_test_traffic_really_goes_to_seeds_and_to_nobody_else() -> None:
    provider = Mailbox()
    shop = Shop(HELLO, channels=[provider], seeds={"email": ["ADA@example.com"]})

    shop.ingest(*(shop.event("joined", who, test=True) for who in ("ada", "bob")))
    shop.deliver()

    [message] = provider.asked
    assert (message.customer, message.test) == ("ada", True)
    assert shop.store.backlog()["waiting"] == 0


def test_a_seed_of_one_channel_is_none_of_another() -> None:
    provider = Mailbox()
    shop = Shop(HELLO, channels=[provider], seeds={"sms": ["ada@example.com"]})

    shop.ingest(shop.event("joined", "ada", test=True))
    shop.deliver()

    assert provider.asked == []


def test_a_seed_gets_what_is_meant_for_it_as_well() -> None:
    provider = Mailbox()
    shop = Shop(HELLO, channels=[provider], seeds={"email": ["ada@example.com"]})

    shop.happens("joined", "ada")
    shop.deliver()

    assert [message.test for message in provider.asked] == [False]


def test_seeds_keep_the_providers_rate_and_count_for_no_breaker() -> None:
    provider = Mailbox(rate=0.1)
    names = ["ada", "bob", "cyd"]
    seeds = [f"{name}@example.com" for name in names]
    shop = Shop(HELLO, channels=[provider], seeds={"email": seeds})
    shop.ingest(*(shop.event("joined", who, test=True) for who in names))

    shop.deliver()
    first = len(provider.asked)
    shop.passes("+1m")

    assert (first, len(provider.asked)) == (1, 3)
    assert shop.store.tallies() == {}


# --- dry runs ------------------------------------------------------------------------


class Ring(Action):
    """Rings a bell; its mock only says so."""

    name = "ring"

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.is_mock = False

    def mock(self) -> Ring:
        mock = copy(self)
        mock.is_mock = True
        return mock

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        if not self.is_mock:
            self.rung += [call.customer for call in calls]
        return [Completed(call.call_id) for call in calls]


def test_in_a_dry_run_nothing_goes_out() -> None:
    from journeykit import Emit

    journey = Journey(
        "hello",
        trigger=on("joined"),
        steps=[Call("ring"), Emit("greeted", public=True), Send("email", "hello")],
    )
    provider, ring, published = Mailbox(), Ring(), list[PublishEvent]()
    shop = Shop(
        journey,
        channels=[provider],
        actions=[ring],
        publish=published.extend,
        seeds={"email": ["ada@example.com"]},
        dry_run=True,
    )
    shop.ingest(shop.event("joined", "ada"), shop.event("joined", "bob", test=True))

    for minute in range(3):
        shop.passes(f"+{minute}m")

    assert (provider.asked, ring.rung, published) == ([], [], [])
    assert shop.store.backlog()["waiting"] == 0
    assert shop.said.count("sent") == 2
    assert shop.store.tallies()["hello"] == (2, 0)  # the call, and the message


# --- one of an address ---------------------------------------------------------------

ONCE = Journey(
    "hello",
    trigger=on("joined"),
    steps=[Send("email", "hello", once_per_address=True)],
)


def test_of_those_who_share_an_address_one_gets_it() -> None:
    provider = Shared()
    shop = Shop(ONCE, channels=[provider])

    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob", "cyd")))
    shop.deliver()

    assert [message.customer for message in provider.asked] == ["ada", "cyd"]
    [other] = [
        one
        for one in shop.store._deliveries.values()  # of a store in memory
        if one.customer == "bob"
    ]
    assert (other.outcome, other.reason) == ("failed", "same_address")


def test_who_never_got_it_leaves_the_place_to_the_next() -> None:
    provider = Shared()
    shop = Shop(ONCE, channels=[provider])
    provider.answer = lambda m: Rejected(m.delivery_id, "spam")
    shop.happens("joined", "ada")
    shop.deliver()
    provider.answer = lambda m: Sent(m.delivery_id)

    shop.happens("joined", "bob")
    shop.deliver()

    assert [message.customer for message in provider.asked] == ["ada", "bob"]


def test_who_has_had_it_keeps_the_place_when_the_next_one_fails() -> None:
    provider = Shared()
    again = Journey("hello", trigger=on("joined"), steps=ONCE.steps, reentry="always")
    shop = Shop(again, channels=[provider])
    shop.happens("joined", "ada")
    shop.deliver()
    provider.answer = lambda m: Rejected(m.delivery_id, "spam")
    shop.now = shop.ms("+1h")
    shop.happens("joined", "ada")
    shop.deliver()
    provider.answer = lambda m: Sent(m.delivery_id)

    shop.happens("joined", "bob")
    shop.deliver()

    assert [message.customer for message in provider.asked] == ["ada", "ada"]


def test_a_store_that_takes_no_place_back_stops_nobody() -> None:
    provider = Shared()
    shop = Shop(ONCE, channels=[provider])
    provider.answer = lambda m: Rejected(m.delivery_id, "spam")
    shop.happens("joined", "ada")

    def release(key: str, holder: str, *, since: int) -> None:
        raise StoreError("gone")

    shop.store.release = release
    shop.deliver()

    assert shop.store.backlog()["waiting"] == 0
    assert shop.store.tallies() == {"hello": (0, 1)}


def test_who_comes_later_of_one_address_gets_nothing_either() -> None:
    provider = Shared()
    shop = Shop(ONCE, channels=[provider])
    shop.happens("joined", "ada")
    shop.deliver()

    shop.happens("joined", "bob")
    shop.deliver("+30d")

    assert [message.customer for message in provider.asked] == ["ada"]


def test_the_same_customer_may_get_it_again_and_at_each_attempt() -> None:
    journey = Journey(
        "hello",
        trigger=on("joined"),
        steps=[Send("email", "hello", once_per_address=True)],
        reentry="always",
    )
    provider = Shared()
    shop = Shop(journey, channels=[provider])
    provider.answer = lambda m: RetryAfter(m.delivery_id, 60)
    shop.happens("joined", "ada")
    shop.deliver()
    provider.answer = lambda m: Sent(m.delivery_id)
    shop.passes("+10m")

    shop.happens("joined", "ada")
    shop.deliver("+20m")

    assert [message.customer for message in provider.asked] == ["ada"] * 3


def test_who_gets_nothing_has_their_caps_back_and_no_breaker_counts_it() -> None:
    later = Journey("later", trigger=on("later"), steps=[Send("sms", "later")])
    policies = Policies(caps=[Cap(1, within=days(7))])
    provider, sms = Shared(), Provider("sms")
    shop = Shop(ONCE, later, channels=[provider, sms], policies=policies)
    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob")))
    shop.deliver()

    shop.ingest(*(shop.event("later", who) for who in ("ada", "bob")))
    shop.deliver("+1h")

    assert [message.customer for message in sms.asked] == ["bob"]
    assert shop.store.tallies() == {"hello": (1, 0), "later": (1, 0)}


def test_whoever_tries_a_journey_takes_nobodys_place() -> None:
    provider = Shared()
    shop = Shop(ONCE, channels=[provider], seeds={"email": ["both@example.com"]})
    shop.ingest(shop.event("joined", "ada", test=True))
    shop.deliver()

    shop.happens("joined", "bob")
    shop.deliver()

    assert [message.customer for message in provider.asked] == ["ada", "bob"]


def test_what_can_not_be_composed_takes_no_place() -> None:
    from journeykit.errors import ContentError

    provider = Shared()

    def compose(channel: object, message: Message) -> Message:
        if message.customer == "ada":
            raise ContentError("too long")
        return message

    shop = Shop(ONCE, channels=[provider], compose=compose)
    shop.ingest(*(shop.event("joined", who) for who in ("ada", "bob")))

    shop.deliver()

    assert [message.customer for message in provider.asked] == ["bob"]


# --- by which names it is known --------------------------------------------------------

ADDRESS = address_key("email", "ada@example.com")
BY_ID = provider_key("email", "P1")


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ((), set()),
        (("provider_id",), {BY_ID}),
        (("address",), {ADDRESS}),
        (("provider_id", "address"), {BY_ID, ADDRESS}),
    ],
    ids=["neither", "id", "address", "both"],
)
def test_only_what_callbacks_name_is_kept(by: Sequence[str], keys: set[str]) -> None:
    provider = Mailbox(reports_by=frozenset(by))
    provider.answer = lambda m: Sent(m.delivery_id, provider_id="P1")
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined", "ada")

    shop.deliver()

    [message] = provider.asked
    found = shop.store.referred([BY_ID, ADDRESS])
    assert found == {
        key: [Reference(key, "ada", message.delivery_id, shop.now)] for key in keys
    }
    assert shop.delivery(message).address == ADDRESS


def test_a_message_that_may_have_arrived_can_be_answered() -> None:
    provider = Mailbox(reports_by=frozenset({"address", "provider_id"}))
    provider.answer = lambda m: Uncertain(m.delivery_id, "timeout")
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined", "ada")

    shop.deliver()

    assert shop.store.referred([BY_ID, ADDRESS]).keys() == {ADDRESS}


@pytest.mark.parametrize("test", [False, True])
def test_nothing_is_kept_of_what_was_not_sent(test: bool) -> None:
    provider = Mailbox(reports_by=frozenset({"address", "provider_id"}))
    if not test:
        provider.answer = lambda m: Rejected(m.delivery_id, "unknown")
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(shop.event("joined", "ada", test=test))

    shop.deliver()

    assert shop.store.referred([BY_ID, ADDRESS]) == {}


def test_a_refusal_of_the_address_is_a_bounce() -> None:
    provider = Mailbox()
    provider.answer = lambda m: Rejected(
        m.delivery_id, "unregistered", says="hard_bounce"
    )
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined", "ada")
    shop.deliver()

    shop.happens("joined", "ada")

    assert shop.customer("ada").addresses[ADDRESS].suppressed == "hard_bounce"


def test_who_has_told_the_provider_to_stop_is_written_to_no_more() -> None:
    """Also about what is transactional: the provider lets nothing through either."""
    provider = Mailbox()
    provider.answer = lambda m: Rejected(m.delivery_id, "opted out", "unsubscribed")
    receipt = Journey(
        "receipt",
        trigger=on("joined"),
        purpose="transactional",
        steps=[Send("email", "receipt")],
    )
    shop = Shop(receipt, channels=[provider])
    shop.happens("joined", "ada")
    shop.deliver()

    shop.happens("joined", "ada")
    shop.deliver()

    [word] = shop.customer("ada").consents
    assert (word.granted, word.channel, word.topic, word.purpose, word.source) == (
        *(False, "email", "", ""),
        "provider",
    )
    assert len(provider.asked) == 1
    assert shop.said[-2:] == ["suppressed no_consent", "completed"]


def test_a_start_takes_back_what_the_provider_was_told() -> None:
    provider = Mailbox()
    provider.answer = lambda m: Rejected(m.delivery_id, "opted out", "unsubscribed")
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined", "ada")
    shop.deliver()

    shop.happens("message.replied", "ada", channel="email", keyword="start")
    shop.happens("joined", "ada")
    shop.deliver()

    assert len(provider.asked) == 2


def test_channels_are_given_the_inboxes() -> None:
    provider, store = Mailbox(), MemoryStore()

    Shop(HELLO, channels=[provider], store=store)

    assert provider.board is store
