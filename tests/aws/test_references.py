"""Other names of deliveries in DynamoDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.references import DynamoReferences
from journeykit.errors import StoreBusy
from journeykit.testing.store_contract import ReferencesContract
from journeykit.testing.store_contract.messages import KEY, make_reference
from journeykit.testing.store_contract.samples import NOW


class TestReferences(ReferencesContract):
    def make(self, folder: Path) -> DynamoReferences:
        dynamodb = client("dynamodb")
        return DynamoReferences(dynamodb, make_state_table(dynamodb))


@pytest.fixture
def dynamodb() -> Any:
    dynamodb = client("dynamodb")
    make_state_table(dynamodb)
    return dynamodb


@pytest.fixture
def wire(dynamodb: Any) -> Wire:
    return Wire(dynamodb)


@pytest.fixture
def store(dynamodb: Any) -> DynamoReferences:
    return DynamoReferences(dynamodb, TABLE, sleep=lambda seconds: None)


def test_25_are_written_at_once(store: DynamoReferences, wire: Wire) -> None:
    store.refer([make_reference(f"c{n}") for n in range(60)])

    assert wire.sent == ["BatchWriteItem"] * 3


def test_they_end_after_400_days(store: DynamoReferences, dynamodb: Any) -> None:
    store.refer([make_reference("ada", at=NOW)])

    [item] = dynamodb.scan(TableName=TABLE)["Items"]
    assert int(item["ttl"]["N"]) == NOW // 1000 + 400 * 24 * 60 * 60


def test_what_is_left_over_is_written_again(
    store: DynamoReferences, wire: Wire
) -> None:
    reference = make_reference("ada")
    item = {
        "pk": {"S": f"REF#{KEY}"},
        "sk": {"S": "ada"},
        "d": {"S": reference.delivery_id},
        "at": {"N": str(NOW)},
        "ttl": {"N": "1"},
    }
    left = {TABLE: [{"PutRequest": {"Item": item}}]}
    wire.answer("BatchWriteItem", {"UnprocessedItems": left}, times=2)

    store.refer([reference])

    assert [*store.referred([KEY])[KEY]] == [reference]


def test_what_is_left_over_for_ever_is_an_outage(
    store: DynamoReferences, wire: Wire
) -> None:
    item = {"pk": {"S": "REF#k"}, "sk": {"S": "ada"}}
    left = {TABLE: [{"PutRequest": {"Item": item}}]}
    wire.answer("BatchWriteItem", {"UnprocessedItems": left}, times=99)

    with pytest.raises(StoreBusy, match="left 1 writes over"):
        store.refer([make_reference("ada")])
