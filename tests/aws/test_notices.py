"""In-app inboxes in DynamoDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.notices import DynamoNotices
from journeykit.errors import StoreError
from journeykit.testing.store_contract import NoticesContract
from journeykit.testing.store_contract.messages import make_notice
from journeykit.testing.store_contract.samples import NOW


class TestNotices(NoticesContract):
    def make(self, folder: Path) -> DynamoNotices:
        dynamodb = client("dynamodb")
        return DynamoNotices(dynamodb, make_state_table(dynamodb))


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
def store(dynamodb: Any) -> DynamoNotices:
    return DynamoNotices(dynamodb, TABLE)


def test_they_end_after_90_days(store: DynamoNotices, dynamodb: Any) -> None:
    store.post([make_notice("d1")])

    [item] = dynamodb.scan(TableName=TABLE)["Items"]
    assert int(item["ttl"]["N"]) == NOW // 1000 + 90 * 24 * 60 * 60


def test_a_post_whose_answer_was_lost_leaves_one_notice(
    store: DynamoNotices, wire: Wire
) -> None:
    wire.lose("PutItem")

    store.post([make_notice("d1"), make_notice("d2")])

    assert {one.id for one in store.notices("ada", limit=9)} == {"d1", "d2"}


def test_a_mark_is_one_write(store: DynamoNotices, wire: Wire) -> None:
    store.post([make_notice("d1")])
    wire.sent.clear()

    store.mark("ada", "d1", read_at=NOW, dismissed_at=NOW)

    assert wire.sent == ["UpdateItem"]


def test_to_mark_nothing_is_to_look(store: DynamoNotices) -> None:
    store.post([make_notice("d1")])

    found = store.mark("ada", "d1", read_at=None, dismissed_at=None)

    assert found == make_notice("d1")
    assert store.mark("ada", "d2", read_at=None, dismissed_at=None) is None


def test_what_is_refused_is_told(store: DynamoNotices, wire: Wire) -> None:
    wire.refuse("PutItem", "AccessDeniedException")

    with pytest.raises(StoreError, match="AccessDenied"):
        store.post([make_notice("d1")])
