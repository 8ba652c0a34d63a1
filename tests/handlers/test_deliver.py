"""A customer's stream → queues → providers, through the functions."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.handlers.conftest import (
    Context,
    Stack,
    draft,
    envelope,
    failures,
    sqs_record,
)
from tests.handlers.shop_plugin import Provider

from journeykit import Breaker, Journey, Policies, Send, Wait, hours, on
from journeykit.channels import (
    Capabilities,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)

HELLO = Journey("hello", trigger=on("signed.up"), steps=[Send("email", "welcome")])
CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    steps=[Wait(hours(4)), Send("email", "reminder")],
)
ONE_AT_A_TIME = Capabilities(batch_size=1, idempotent=False)


@pytest.fixture
def shop(stack: Stack) -> Stack:
    """A stack whose journeys are live."""
    policies = Policies(breaker=Breaker(50, at_least=2))
    asked = {"draft": draft(HELLO, CART, policies=policies)}
    assert stack.invoke("publish", {"publish": asked})["publish"]["is_new"]
    return stack


def happens(stack: Stack, name: str, *customers: str) -> None:
    """An event about each customer comes in, after what is known of their address."""
    for customer in customers:
        address = envelope(
            "profile.updated",
            customer,
            id=f"{customer}-0",
            email=f"{customer}@example.org",
        )
        event = envelope(name, customer, id=f"{customer}-1")
        records = [sqs_record(address, id="0"), sqs_record(event, id="1")]
        assert failures(stack.invoke("ingest", {"Records": records})) == []


def test_an_event_becomes_a_message(shop: Stack, provider: Provider) -> None:
    happens(shop, "signed.up", "ada")

    relayed, delivered = shop.relay(), shop.deliver()

    [message] = provider.asked
    assert (message.template, message.address) == ("welcome", "ada@example.org")
    assert failures(relayed) == failures(delivered) == []


def test_a_stream_that_is_read_twice_sends_once(
    shop: Stack, provider: Provider
) -> None:
    happens(shop, "signed.up", "ada")

    shop.relay()
    shop.relay()
    delivered = shop.deliver()

    assert len(provider.asked) == 1
    assert failures(delivered) == []


def test_a_far_wait_becomes_a_timer(shop: Stack) -> None:
    happens(shop, "cart.updated", "ada")

    shop.relay()

    rows = shop.dynamodb.scan(TableName="timers")["Items"]
    assert sum(row["bucket"]["S"] != "cursor" for row in rows) == 1


def test_a_tick_says_how_many_it_has_woken(shop: Stack) -> None:
    assert shop.invoke("tick", {"time": "2026-06-01T12:00:00Z"}) == {"sent": 0}


def test_a_command_that_can_t_be_read_is_a_dead_letter_and_the_rest_goes(
    shop: Stack, provider: Provider
) -> None:
    happens(shop, "signed.up", "ada")
    shop.relay()
    poison = sqs_record("{", id="poison", kind="command", revision="1")
    records = [poison, *shop.taken("deliver-email")]

    answer = shop.invoke("deliver", {"Records": records})

    [(_, reason, _)] = shop.letters()
    assert failures(answer) == []
    assert "command" in reason
    assert len(provider.asked) == 1


def test_what_the_provider_does_not_take_now_waits_in_the_queue(
    shop: Stack, provider: Provider
) -> None:
    happens(shop, "signed.up", "ada")
    shop.relay()
    provider.answer = lambda message: RetryAfter(message.delivery_id, 60)

    answer = shop.deliver()

    assert failures(answer) == []
    assert shop.delayed("deliver-email") == 1


def test_when_the_time_is_up_the_rest_comes_again(
    shop: Stack, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.handlers.shop_plugin.Email.capabilities", ONE_AT_A_TIME)
    happens(shop, "signed.up", "ada", "ben", "cleo")
    shop.relay()
    records = shop.taken("deliver-email")

    answer = shop.invoke("deliver", {"Records": records}, Context(left=1000))

    assert len(provider.asked) == 1
    assert failures(answer) == [record["messageId"] for record in records[1:]]


def test_a_slow_provider_is_not_asked_until_the_function_is_ended(
    shop: Stack, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.handlers.shop_plugin.Email.capabilities",
        Capabilities(batch_size=1, idempotent=True),
    )
    happens(shop, "signed.up", *(f"customer-{n}" for n in range(12)))
    shop.relay()
    records = shop.taken("deliver-email")
    context, clock = Context(left=75_000), [0.0]

    def slowly(message: Message) -> Receipt:
        context.left -= 14_000
        clock[0] += 14
        return Sent(message.delivery_id)

    provider.answer = slowly
    monkeypatch.setattr(
        "journeykit.runtime.dispatcher.time.monotonic", lambda: clock[0]
    )
    answer = shop.invoke("deliver", {"Records": records}, context)

    assert len(provider.asked) == 4
    assert context.left > 0
    assert failures(answer) == []
    rows = shop.dynamodb.scan(TableName="deliveries")["Items"]
    states = Counter(row["s"]["S"] for row in rows)
    assert states == {"sent": 4, "waiting": 8}


def test_too_many_failures_pause_the_journey(shop: Stack, provider: Provider) -> None:
    happens(shop, "signed.up", "ada", "ben")
    shop.relay()
    provider.answer = lambda message: Rejected(message.delivery_id, "no such address")

    shop.deliver()

    [journey] = [
        one
        for one in shop.invoke("publish", {"status": {}})["status"]["journeys"]
        if one["journey"] == "hello"
    ]
    assert journey["state"] == "paused"
    assert journey["reason"].startswith("breaker")


def test_when_the_catalog_can_t_be_read_nothing_is_sent_and_nothing_lost(
    shop: Stack, provider: Provider
) -> None:
    happens(shop, "signed.up", "ada")
    shop.relay()
    records = shop.taken("deliver-email")
    shop.dynamodb.delete_table(TableName="state")
    shop.cold()

    answer = shop.invoke("deliver", {"Records": records})

    assert provider.asked == []
    assert len(failures(answer)) + shop.delayed("deliver-email") == 1


def test_a_lost_queue_is_a_dead_letter_and_the_relay_goes_on(shop: Stack) -> None:
    happens(shop, "signed.up", "ada")
    happens(shop, "cart.updated", "ben")
    shop.sqs.delete_queue(QueueUrl=shop.urls["deliver-email"])

    answer = shop.relay()

    [(door, reason, _)] = shop.letters()
    assert failures(answer) == []
    assert door == "relay"
    assert "deliver-email" in reason


def test_what_can_t_be_relayed_now_comes_again_from_there_on(shop: Stack) -> None:
    happens(shop, "cart.updated", "ada", "ben")
    records = shop.stream()
    shop.dynamodb.delete_table(TableName="timers")

    answer = shop.invoke("relay", {"Records": records})

    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert min(failures(answer), key=int) in numbers
