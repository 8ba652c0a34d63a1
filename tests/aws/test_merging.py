"""Two customers who are one person, through every hop in AWS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
from msgspec.structs import replace

from journeykit import Journey, Send, Wait, hours, on
from journeykit.aws.documents import packed_command
from journeykit.aws.messages import received
from journeykit.aws.queues import Parcel, Unsendable
from journeykit.aws.relay import Image, Relay
from journeykit.engine.commands import AbsorbCustomer
from journeykit.engine.ids import made_id
from journeykit.engine.merging import merged_id
from journeykit.engine.stimuli import Absorb, decoded
from journeykit.model.events import Event
from journeykit.ports import DeadLetter
from journeykit.testing import AwsEmulator

START = "2026-06-01T09:00:00Z"
AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    steps=[Wait(hours(4)), Send("email", "reminder")],
)


def said(id: str, name: str, customer: str = "", **identifiers: str) -> Event:
    return Event(
        id=id,
        name=name,
        customer=customer,
        occurred_at=AT,
        received_at=AT,
        identifiers=identifiers,
    )


def test_a_visitor_signs_in_during_a_wait_and_gets_one_message() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.put_events([said("1", "cart.updated", anonymous="a-17")])
        aws.put_events([said("2", "cart.updated", "ada", anonymous="a-17")])
        aws.advance("2026-06-01T14:00:00Z")

        assert [message.customer for message in aws.messages] == ["ada"]
        ada, visitor = aws.customer("ada"), aws.customer(made_id("anonymous", "a-17"))
        assert visitor.merged_into == "ada"
        assert [merged_id(mark) for mark in ada.absorbed] == [visitor.id]
        assert not aws.failures
        assert not aws.dead_letters


def test_a_name_that_nobody_hears_tells_who_is_who_all_the_same() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.put_events([said("1", "cart.updated", anonymous="a-17")])

        aws.put_events([said("2", "page.viewed", "ada", anonymous="a-17")])

        assert aws.customer(made_id("anonymous", "a-17")).merged_into == "ada"
        assert [run.journey for run in aws.customer("ada").active] == ["cart"]


def test_an_alias_comes_in_without_any_identifier() -> None:
    visitor = made_id("anonymous", "a-17")
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.put_events([said("1", "cart.updated", anonymous="a-17")])
        alias = replace(
            said("2", "customer.aliased", "ada"), properties={"previous_id": visitor}
        )

        aws.put_events([alias])

        assert aws.customer(visitor).merged_into == "ada"


def test_of_a_tombstone_nothing_is_kept_but_whom_it_names() -> None:
    visitor = made_id("anonymous", "a-17")
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.put_events([said("1", "cart.updated", anonymous="a-17")])
        aws.put_events([said("2", "cart.updated", "ada", anonymous="a-17")])
        read = partial(
            boto3.client("dynamodb").get_item,
            TableName=aws.settings.customers_table,
            Key={"id": {"S": visitor}},
        )
        assert read()["Item"]["out"]["M"], "until it was surely passed on"

        aws.advance("2026-06-02T11:00:00Z")

        item = read()["Item"]
        assert item["out"] == {"M": {}}
        assert {*item} == {"id", "r", "d", "out"}
        assert aws.customer(visitor).merged_into == "ada"
        assert [message.customer for message in aws.messages] == ["ada"]
        assert not aws.failures
        assert not aws.dead_letters


def test_an_operator_merges_two_over_the_publish_function() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.put_events([said("1", "cart.updated", "bob", email="us@example.com")])
        aws.put_events([said("2", "cart.updated", "ada", email="us@example.com")])

        listed = aws.ask({"identities": {"conflicts": 9}})["identities"]["conflicts"]
        [conflict] = listed
        aws.ask({"identities": {"settle": [conflict["key"], "ada"]}})
        owner = aws.ask({"identities": {"who": conflict["key"]}})["identities"]
        aws.ask({"identities": {"merge": ["bob", "ada"]}})
        aws.settle()
        after = aws.ask({"identities": {"conflicts": 9}})["identities"]["conflicts"]
        aws.advance("2026-06-01T14:00:00Z")

        assert (conflict["holder"], conflict["claimant"]) == ("bob", "ada")
        assert owner == {"customer": "bob"}
        assert after == []
        assert aws.customer("bob").merged_into == "ada"
        assert [message.customer for message in aws.messages] == ["ada"]
        assert not aws.failures


class Nowhere:
    """What stands behind the relay beside that queue."""

    def put(self, events: Sequence[object]) -> None:
        assert not events


class Wakes:
    """The queue by which customers are reached."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.kept: list[Parcel] = []
        self.refuses = refuses

    def send(self, parcels: Sequence[Parcel]) -> None:
        if self.refuses:
            refused = dict.fromkeys(range(len(parcels)), "too large")
            raise Unsendable("too large", refused=refused)
        self.kept += parcels


SNAPSHOT = AbsorbCustomer("x", "ada", "~a", {"id": "~a"}, 1_780_000_000_000, "5e88")


def relayed(queue: Wakes) -> list[DeadLetter]:
    """Pass on a snapshot; return the dead letters that came of it."""
    letters: list[DeadLetter] = []
    nothing: Any = None
    elsewhere: Any = Nowhere()
    relay = Relay(
        queue_of=lambda command: queue,
        bus=elsewhere,
        timers=nothing,
        decisions=nothing,
        bury=letters.extend,
        clock=lambda: 0,
    )
    assert not relay.pass_on(
        [Image("~a", 3, commands=((3, packed_command(SNAPSHOT)),))]
    )
    return letters


def test_the_relay_passes_a_snapshot_on_as_a_stimulus() -> None:
    queue = Wakes()

    assert relayed(queue) == []

    [parcel] = queue.kept
    named = {name: {"stringValue": it} for name, it in parcel.attributes.items()}
    record = {"body": parcel.body, "messageAttributes": named}
    assert received(record) == Absorb.of(SNAPSHOT)


def test_a_snapshot_that_no_queue_takes_may_be_tried_again() -> None:
    [letter] = relayed(Wakes(refuses=True))

    assert decoded(letter.kind, letter.body) == Absorb.of(SNAPSHOT)
