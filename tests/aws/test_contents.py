"""Published templates in DynamoDB: larger than an item, and whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.catalogs import CHUNK
from journeykit.aws.clients import client
from journeykit.aws.contents import DynamoContents
from journeykit.errors import StoreBusy, StoreError
from journeykit.testing.store_contract import ContentsContract

LARGE = bytes(n % 251 for n in range(2 * CHUNK + 1))


class TestContents(ContentsContract):
    def make(self, folder: Path) -> DynamoContents:
        dynamodb = client("dynamodb")
        return DynamoContents(dynamodb, make_state_table(dynamodb))


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    dynamodb = client("dynamodb")
    make_state_table(dynamodb)
    return dynamodb


@pytest.fixture
def wire(dynamodb: Any) -> Wire:
    return Wire(dynamodb)


@pytest.fixture
def store(dynamodb: Any) -> DynamoContents:
    return DynamoContents(dynamodb, TABLE)


def test_what_is_there_costs_one_look(store: DynamoContents, wire: Wire) -> None:
    store.keep_content("a", LARGE)
    wire.sent.clear()

    store.keep_content("a", LARGE)

    assert wire.sent == ["GetItem"]


@pytest.mark.parametrize("written", [0, 1, 2])
def test_who_is_cut_off_leaves_nothing_that_counts(
    store: DynamoContents, wire: Wire, written: int
) -> None:
    for _ in range(written):
        wire.let("PutItem")
    wire.refuse("PutItem", "AccessDeniedException")

    with pytest.raises(StoreError, match="AccessDenied"):
        store.keep_content("a", LARGE)

    assert store.content("a") is None
    store.keep_content("a", LARGE)
    assert store.content("a") == LARGE


def test_templates_with_a_hole_are_refused(
    store: DynamoContents, dynamodb: Any
) -> None:
    store.keep_content("a", LARGE)
    key = {"pk": {"S": "CONTENT#a"}, "sk": {"S": "0001"}}
    dynamodb.delete_item(TableName=TABLE, Key=key)

    with pytest.raises(StoreError, match="not whole; restore the state table"):
        store.content("a")


def test_an_outage_is_not_taken_for_nothing(store: DynamoContents, wire: Wire) -> None:
    store.keep_content("a", b"x")
    wire.refuse("Query", "ProvisionedThroughputExceededException", times=20)

    with pytest.raises(StoreBusy):
        store.content("a")
