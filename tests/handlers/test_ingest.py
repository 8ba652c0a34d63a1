"""Events and wakes → decisions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.handlers.conftest import Stack, envelope, failures, sqs_record

from journeykit import Journey, Send, Wait, hours, on

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    zone="Europe/London",
    steps=[Wait(hours(4)), Send("email", "reminder")],
)


def ingested(stack: Stack, *records: dict[str, Any]) -> list[str]:
    return failures(stack.invoke("ingest", {"Records": [*records]}))


def test_an_event_changes_its_customer(stack: Stack) -> None:
    stack.publish(CART)

    again = ingested(stack, sqs_record(envelope("cart.updated", "ada")))

    assert again == []
    assert stack.customers() == ["ada"]


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        pytest.param("{", "", "", id="no JSON"),
        pytest.param(envelope("cart.updated", ""), "", "customer", id="of nobody"),
        pytest.param("{}", "wishes", "wishes", id="of an unknown kind"),
    ],
)
def test_what_can_t_be_read_is_a_dead_letter_and_the_rest_proceeds(
    stack: Stack, body: str, kind: str, said: str
) -> None:
    stack.publish(CART)
    poison = sqs_record(body, id="poison", **({"kind": kind} if kind else {}))

    again = ingested(stack, poison, sqs_record(envelope("cart.updated", "ben")))

    [(door, reason, letter)] = stack.letters()
    assert again == []
    assert (door, letter) == ("events", body)
    assert said in reason
    assert stack.customers() == ["ben"]


def test_before_the_first_publish_events_come_again(stack: Stack) -> None:
    again = ingested(stack, sqs_record(envelope("cart.updated"), id="early"))

    assert again == ["early"]
    assert stack.letters() == []


def test_a_record_that_fails_comes_again_by_itself(stack: Stack) -> None:
    stack.publish(CART)
    body = '{"id":"job","reason":"stop","journey":"cart","token":"one"}'
    visit = sqs_record(body, id="visit", kind="visit")
    stack.sqs.delete_queue(QueueUrl=stack.urls["wakes"])
    ingested(stack, sqs_record(envelope("cart.updated", "ada")))

    again = ingested(stack, visit, sqs_record(envelope("cart.updated", "ben")))

    assert again == ["visit"]
    assert stack.customers() == ["ada", "ben"]


def test_an_event_that_journeys_have_published_is_not_heard(stack: Stack) -> None:
    stack.publish(CART)
    ours = envelope("cart.updated").replace("shop.checkout", "journeykit.journeys")

    assert ingested(stack, sqs_record(ours)) == []
    assert stack.customers() == []
