"""What is known of people in AWS: to be shown to them, and to be forgotten."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.aws.customers_table import make_customers_table
from tests.aws.state_table import TABLE as STATE, make_state_table

from journeykit.aws.clients import client
from journeykit.aws.dead_letters import DeadLetterQueues
from journeykit.aws.deliveries import Claim, DynamoDeliveries, Obstacle, Rows
from journeykit.aws.identities import DynamoIdentities
from journeykit.aws.messages import command_parcel, letter_parcel
from journeykit.aws.notices import DynamoNotices
from journeykit.aws.privacy import StackPrivacy, Tables
from journeykit.aws.queues import Parcel, Queue
from journeykit.aws.references import DynamoReferences
from journeykit.aws.tallies import DynamoTallies
from journeykit.aws.timers import Timers
from journeykit.channels import Notice
from journeykit.engine.commands import CallAction, Command, SendMessage
from journeykit.engine.customer import Customer, Progress, Released
from journeykit.engine.ids import identity_key
from journeykit.engine.stimuli import encoded
from journeykit.ports import Change, Conflict, DeadLetter, Delivery, Settled
from journeykit.runtime.privacy import erase
from journeykit.testing.store_contract import PrivacyContract
from journeykit.testing.store_contract.messages import make_notice, make_reference
from journeykit.testing.store_contract.privacy import PARTS, PHONE
from journeykit.testing.store_contract.samples import (
    DAY,
    NOW,
    make_call,
    make_later,
    make_letter,
    make_message,
    make_person,
    make_stimuli,
)

STACK = "journeykit"
TABLES = Tables("customers", "deliveries", STATE, "timers")


def make_tables(dynamodb: Any) -> None:
    make_customers_table(dynamodb)
    make_state_table(dynamodb)
    for name, *keys in (("deliveries", "id"), ("timers", "bucket", "due")):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in keys
            ],
            BillingMode="PAY_PER_REQUEST",
        )


class Everything(StackPrivacy):
    """A stack in which everything can be kept that names a customer."""

    def __init__(self) -> None:
        self.dynamodb: Any = client("dynamodb")
        self.sqs: Any = client("sqs")
        make_tables(self.dynamodb)
        letters = DeadLetterQueues(self.sqs, STACK, wait_s=0)
        super().__init__(self.dynamodb, TABLES, letters, clock=lambda: NOW)
        self.url = self.sqs.create_queue(QueueName=f"{STACK}-dead-letters")["QueueUrl"]
        self.wakes = self.sqs.create_queue(QueueName=f"{STACK}-wakes")["QueueUrl"]
        self.known: Counter[str] = Counter()

    def commit(self, changes: Sequence[Change]) -> Any:
        return self._customers.commit(changes)

    def due(self, before: int, limit: int) -> Any:
        return self._customers.due(before, limit)

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        return DynamoNotices(self.dynamodb, STATE).notices(customer, limit=limit)

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        tallies = DynamoTallies(self.dynamodb, STATE)
        table = DynamoDeliveries(
            self.dynamodb, "deliveries", tallies, clock=lambda: NOW
        )
        return table.find(ids)

    # --- what the functions do ---

    def decide(self, customer: Customer, *commands: Command, **fields: Any) -> None:
        """Write a customer's next revision, with commands."""
        before = self.load([customer.id]).get(customer.id)
        after = make_later(before, **fields) if before else customer
        assert not self.commit([Change(before, after, commands=commands)])

    def claimed(self, command: Command, revision: int = 1) -> Claim | Obstacle:
        """What a function gets that is handed a command."""
        id = (
            command.delivery_id
            if isinstance(command, SendMessage)
            else command.call_id
            if isinstance(command, CallAction)
            else command.id
        )
        return Rows(self.dynamodb, "deliveries").claim(
            command, id, revision, by="me", now=NOW, lease_until=NOW + 1
        )

    def sent(self, message: SendMessage) -> None:
        """Hand a message over."""
        assert isinstance(self.claimed(message), Claim)
        Rows(self.dynamodb, "deliveries").end(
            message,
            message.delivery_id,
            1,
            Settled(0, "sent", NOW),
            by="me",
            reports=b"",
        )

    def bury(self, letter: DeadLetter) -> None:
        self.put(letter_parcel(letter))

    def put(self, parcel: Parcel) -> None:
        """Put something among the dead letters."""
        Queue(self.sqs, self.url).send([parcel])

    def letters(self) -> list[str]:
        """The bodies of the dead letters, as whoever looks next finds them."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return sorted(one["Body"] for one in answer.get("Messages", ()))

    def everything(self) -> str:
        """All rows and letters."""
        items = [self.dynamodb.scan(TableName=name)["Items"] for name in TABLES]
        return repr([items, self.letters()])


class TestPrivacy(PrivacyContract):
    # Stimuli are in queues, and no job names anybody.
    parts = tuple(part for part in PARTS if part not in ("job", "stimulus"))

    def make(self, folder: Path) -> Everything:
        return Everything()

    def know(self, store: Any, customer: str) -> None:
        """What the functions of a stack write about a customer."""
        store.known[customer] += 1
        # Ids are made of when a customer was created: nobody has one twice.
        mark = "-again" * (store.known[customer] - 1)
        later, sent = (
            make_message(f"{customer}-{n}{mark}", customer=customer)
            for n in ("later", "sent")
        )
        store.decide(make_person(customer, next_due=NOW + DAY))
        store.decide(make_person(customer), later)
        store.sent(sent)
        placed, *_ = make_stimuli()
        _, body = encoded(replace(placed, customer=customer))
        store.bury(make_letter("poison", customer=customer, kind="event", body=body))
        store.claim("first-3", customer, 3, at=NOW)
        identities = DynamoIdentities(store.dynamodb, STATE)
        identities.own([identity_key("email", customer)], customer, at=NOW)
        identities.contest(Conflict(PHONE, "phone", "somebody", customer, NOW))
        DynamoReferences(store.dynamodb, STATE).refer([make_reference(customer)])
        DynamoNotices(store.dynamodb, STATE).post(
            [make_notice("n1", customer=customer)]
        )


@pytest.fixture
def store() -> Everything:
    return Everything()


# --- what waits in queues ------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [make_message("d1"), make_call("c1")],
    ids=["message", "call"],
)
def test_what_waits_in_a_queue_is_not_handed_over(
    store: Everything, command: Command
) -> None:
    store.decide(make_person("ada"), command)

    store.erase(["ada"])

    assert store.claimed(command) == Obstacle(None, b"")


def test_what_is_with_a_provider_right_now_is_not_told_of(store: Everything) -> None:
    message = make_message("d1")
    store.decide(make_person("ada"), message)
    assert isinstance(store.claimed(message), Claim)

    erased = store.erase(["ada"])

    # Its lease is over, and it is nobody's all the same; nor is its fate written down.
    rows = Rows(store.dynamodb, "deliveries")
    settled = Settled(0, "sent", NOW, provider_id="p1")
    assert not rows.end(message, "d1", 1, settled, by="me", reports=b"")
    assert erased == {"command": 1, "delivery": 1, "document": 1}
    assert "'ada'" not in store.everything()


def test_what_is_only_in_the_ledger_is_not_handed_over_twice(store: Everything) -> None:
    message = make_message("d1")
    ledger = [Released(NOW, "email", "", "welcome", "marketing", "d1")]
    store.decide(make_person("ada", ledger=ledger))

    store.erase(["ada"])

    assert store.claimed(message) == Obstacle(None, b"")


# --- tables --------------------------------------------------------------------------


def test_no_wake_up_stays_however_often_the_due_instant_has_changed(
    store: Everything,
) -> None:
    timers = Timers(
        store.dynamodb,
        "timers",
        Queue(store.sqs, store.wakes),
        clock=lambda: NOW,
    )
    long = "🙂" * 256  # whose key is a hash
    dues = [(NOW + DAY, "ada"), (NOW + 90 * DAY, "ada"), (NOW + DAY, long)]
    timers.arm([*dues, (NOW + DAY, "bob")], now=NOW)
    store.decide(make_person("ada", next_due=NOW + DAY))

    store.erase(["ada", long])

    rows = store.dynamodb.scan(TableName="timers")["Items"]
    assert [row["due"]["S"] for row in rows if "#" in row["due"]["S"]] == [
        f"{NOW + DAY:013}#bob"
    ]
    assert len(rows) == 2  # the other is the cursor


def test_all_places_of_several_people_stay_taken(store: Everything) -> None:
    for place, holder in enumerate(("ada", "bob", "cyd"), 1):
        assert store.claim("first-3", holder, 3, at=NOW) == place

    erased = store.erase(["ada", "bob", "cyd"])

    assert erased == {"claim": 3}
    assert store.claim("first-3", "dan", 3, at=NOW) == 0
    assert "ada" not in store.everything()


def test_rows_of_others_are_left_as_they_are(store: Everything) -> None:
    store.dynamodb.put_item(
        TableName=STATE, Item={"pk": {"S": "KEY#1"}, "sk": {"S": "ada"}}
    )
    before = store.everything()

    store.erase(["ada", "KEY#1"])

    assert store.everything() == before


def test_a_place_of_a_value_may_be_had_by_somebody_else(store: Everything) -> None:
    store.claim("of-an-address", "ada", 1, at=NOW)
    store.claim("of-another", "ada", 1, at=NOW)
    store.decide(
        make_person(
            "ada",
            progress={
                "trial/unique": Progress(None, ["of-an-address"]),
                "gift/unique/c1": Progress(NOW, ["c1", "of-another", "", {}, False]),
            },
        )
    )

    erase(store, ["ada"], archive=lambda _: 0)

    assert store.claim("of-an-address", "bob", 1, at=NOW) == 1
    assert store.claim("of-another", "bob", 1, at=NOW) == 1


def test_what_was_left_behind_is_found_without_a_document(store: Everything) -> None:
    DynamoReferences(store.dynamodb, STATE).refer([make_reference("ada")])

    nothing = erase(store, ["ada"], archive=lambda _: 0)
    erased = erase(store, ["ada"], archive=lambda _: 1, anyway=True)

    assert nothing.people == 0
    assert erased == (1, {"reference": 1}, 2)


def test_nobody_asks_for_nobody(store: Everything) -> None:
    assert store.holdings([]) == []
    assert store.erase([]) == {}


# --- dead letters --------------------------------------------------------------------

ADA = {"email": "ada@example.com", "phone": "+15550100", "nested": {"no": "n/a"}}
ENVELOPE = {"detail-type": "seen", "source": "shop", "id": "1", "time": "…"}


@pytest.mark.parametrize(
    "parcel",
    [
        Parcel(json.dumps({"customer": "ada", "id": "1"}), {"kind": "event"}),
        Parcel(json.dumps({**ENVELOPE, "detail": {"customer": "ada"}})),
        Parcel(json.dumps({"Detail": json.dumps({"customer": "ada"})})),
        Parcel(json.dumps({"identifiers": {"device": "a-17"}, "customer": ""})),
        Parcel(json.dumps({"customer": "bob", "into": "ada"}), {"kind": "merge"}),
        command_parcel(make_message("d1"), 1),
        Parcel(json.dumps({"mail": {"destination": ["ada@example.com"]}})),
        Parcel("To=%2B15550100&Status=failed"),
        Parcel('{"customer":"ada","properties":{"x', {"cut": "true"}),
        Parcel("VG89KzE1NTUwMTAw", {"encoding": "base64"}),
    ],
    ids=[
        "event",
        "envelope",
        "entry",
        "identifier",
        "merge",
        "command",
        "report of email",
        "report of sms",
        "cut",
        "base64",
    ],
)
def test_a_dead_letter_about_somebody_is_removed(
    store: Everything, parcel: Parcel
) -> None:
    identifiers = ["device:a-17"]
    store.decide(make_person("ada", profile=ADA, identifiers=identifiers))
    store.put(parcel)

    erased = store.erase(["ada"])

    assert erased["dead_letter"] == 1
    assert store.letters() == []


@pytest.mark.parametrize(
    "parcel",
    [
        Parcel(json.dumps({"customer": "bob", "properties": {"name": "ada"}})),
        Parcel(json.dumps({"customer": "adam"})),
        Parcel('{"customer":"adam","properties":{"x', {"cut": "true"}),
        Parcel(json.dumps({"mail": {"destination": ["zada@example.com"]}})),
        Parcel(json.dumps({"mail": {"destination": ["ada@example.com.au"]}})),
        Parcel("To=+155501001"),
        Parcel("no JSON", {"encoding": "base64"}),
        Parcel("[" * 10_000),
        Parcel(json.dumps({"identifiers": {"device": "a-18"}, "customer": ""})),
    ],
    ids=[
        "a name that is no customer",
        "alike",
        "alike and cut",
        "an address that ends alike",
        "an address that begins alike",
        "a longer number",
        "no text",
        "too deep",
        "another device",
    ],
)
def test_a_dead_letter_about_somebody_else_stays_and_can_be_had_at_once(
    store: Everything, parcel: Parcel
) -> None:
    identifiers = ["device:a-17"]
    store.decide(make_person("ada", profile=ADA, identifiers=identifiers))
    store.put(parcel)

    told = store.holdings(["ada"])
    erased = store.erase(["ada"])

    assert told == []
    assert "dead_letter" not in erased
    assert store.letters() == [parcel.body]


def test_queues_of_other_stacks_are_not_looked_at(store: Everything) -> None:
    about = json.dumps({"customer": "ada"})
    for name in (f"{STACK}-2-dead-letters", f"{STACK}-deliver-email"):
        url = store.sqs.create_queue(QueueName=name)["QueueUrl"]
        Queue(store.sqs, url).send([Parcel(about)])

    assert store.erase(["ada"]) == {}


@pytest.mark.parametrize(
    "name", ["events-dead", "wakes-dead", "feedback-dead", "deliver-sms-dead"]
)
def test_all_queues_that_nobody_reads_are_searched(
    store: Everything, name: str
) -> None:
    url = store.sqs.create_queue(QueueName=f"{STACK}-{name}")["QueueUrl"]
    letters = [Parcel(json.dumps({"customer": one})) for one in ["ada", "bob"] * 12]
    Queue(store.sqs, url).send(letters)

    told = store.holdings(["ada"])
    erased = store.erase(["ada"])

    assert {(one.part, one.body["queue"]) for one in told} == {
        ("dead_letter", f"{STACK}-{name}")
    }
    assert len(told) == 12
    assert erased == {"dead_letter": 12}
