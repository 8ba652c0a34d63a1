"""Who is who, in DynamoDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.identities import DynamoIdentities
from journeykit.errors import StoreError
from journeykit.testing.store_contract import ConflictsContract, IdentitiesContract
from journeykit.testing.store_contract.identities import EMAIL, make_conflict
from journeykit.testing.store_contract.samples import NOW


class TestIdentities(IdentitiesContract, ConflictsContract):
    def make(self, folder: Path) -> DynamoIdentities:
        dynamodb = client("dynamodb")
        return DynamoIdentities(dynamodb, make_state_table(dynamodb))


@pytest.fixture
def dynamodb() -> Any:
    dynamodb = client("dynamodb")
    make_state_table(dynamodb)
    return dynamodb


@pytest.fixture
def store(dynamodb: Any) -> DynamoIdentities:
    return DynamoIdentities(dynamodb, TABLE)


def test_the_owners_of_many_are_asked_for_together(
    store: DynamoIdentities, dynamodb: Any
) -> None:
    keys = [f"k{n}" for n in range(230)]
    store.own(keys[:150], "ada", at=NOW)
    wire = Wire(dynamodb)

    found = store.owners([*keys, *keys])

    assert found == dict.fromkeys(keys[:150], "ada")
    assert wire.sent == ["BatchGetItem"] * 3


def test_no_identifier_stands_in_the_table(
    store: DynamoIdentities, dynamodb: Any
) -> None:
    store.own([EMAIL], "ada", at=NOW)
    store.contest(make_conflict())

    assert "example.com" not in repr(dynamodb.scan(TableName=TABLE)["Items"])


def test_a_conflict_that_is_known_costs_nothing(
    store: DynamoIdentities, dynamodb: Any
) -> None:
    store.contest(make_conflict())
    wire = Wire(dynamodb)

    assert not store.contest(make_conflict())

    assert wire.sent == []


def test_conflicts_end_after_90_days(store: DynamoIdentities, dynamodb: Any) -> None:
    store.contest(make_conflict())

    [item] = dynamodb.scan(TableName=TABLE)["Items"]
    assert int(item["ttl"]["N"]) == NOW // 1000 + 90 * 24 * 60 * 60


def test_a_damaged_conflict_is_named(store: DynamoIdentities, dynamodb: Any) -> None:
    item = {"pk": {"S": "CONFLICT"}, "sk": {"S": "x"}}
    dynamodb.put_item(TableName=TABLE, Item=item)

    with pytest.raises(StoreError, match="remove its item"):
        store.contested(9)
