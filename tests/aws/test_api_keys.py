"""API keys in DynamoDB, of which nobody can read the keys."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.api_keys import ApiKey, ApiKeys
from journeykit.aws.clients import client
from journeykit.errors import InputError, StoreError
from journeykit.testing.store_contract.samples import DAY, NOW


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
def keys(dynamodb: Any) -> ApiKeys:
    return ApiKeys(dynamodb, TABLE)


def key(text: str, name: str = "shop", **fields: Any) -> ApiKey:
    return replace(
        ApiKey(sha256(text.encode()).hexdigest(), name, ("events:write",), NOW),
        **fields,
    )


def test_a_key_is_found_as_it_was_added(keys: ApiKeys) -> None:
    shop = key("one", scopes=("events:write", "feedback:write"), expires_at=NOW + DAY)
    none = key("two", "may nothing", scopes=())

    keys.add(shop)
    keys.add(none)

    assert keys.find(shop.digest) == shop
    assert keys.find(none.digest) == none
    assert keys.find(key("three").digest) is None


def test_at_rest_there_is_the_hash_and_not_the_key(
    keys: ApiKeys, dynamodb: Any
) -> None:
    keys.add(key("a very secret key"))

    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert item["sk"]["S"] == sha256(b"a very secret key").hexdigest()
    assert "secret" not in str(item)


def test_all_are_listed_by_name_the_oldest_first(keys: ApiKeys) -> None:
    shop, new_shop = key("one"), key("two", created_at=NOW + 1)
    app = key("three", "app")
    for one in (new_shop, app, shop):
        keys.add(one)

    assert keys.all() == [app, shop, new_shop]


def test_a_key_that_is_there_is_not_added_for_something_else(keys: ApiKeys) -> None:
    keys.add(key("one"))

    with pytest.raises(InputError, match="make a new one"):
        keys.add(key("one", scopes=("journeys:enroll",)))

    assert keys.find(key("one").digest) == key("one")


def test_a_lost_answer_is_no_key_that_was_there(keys: ApiKeys, wire: Wire) -> None:
    wire.lose("PutItem")

    keys.add(key("one", expires_at=NOW + DAY))

    assert keys.all() == [key("one", expires_at=NOW + DAY)]


def test_a_revoked_key_is_unknown_at_once(keys: ApiKeys) -> None:
    keys.add(key("one"))

    assert keys.revoke(key("one").digest)

    assert keys.find(key("one").digest) is None
    assert keys.all() == []
    assert not keys.revoke(key("one").digest)


def test_while_a_key_is_changed_the_old_and_the_new_are_good(keys: ApiKeys) -> None:
    old, new = key("one"), key("two", created_at=NOW + DAY)
    keys.add(old)

    keys.add(new)
    assert keys.end(old.digest, at=NOW + 7 * DAY)

    found = keys.find(old.digest)
    assert found == replace(old, expires_at=NOW + 7 * DAY)
    assert found.is_good(NOW + 7 * DAY - 1)
    assert not found.is_good(NOW + 7 * DAY)
    assert [one.is_good(NOW + 99 * DAY) for one in keys.all()] == [False, True]


def test_an_end_may_be_moved(keys: ApiKeys) -> None:
    keys.add(key("one", expires_at=NOW + DAY))

    assert keys.end(key("one").digest, at=NOW + 2 * DAY)

    assert keys.find(key("one").digest) == key("one", expires_at=NOW + 2 * DAY)


def test_nobody_knows_a_key_because_it_ends(keys: ApiKeys) -> None:
    assert not keys.end(key("one").digest, at=NOW)
    assert keys.all() == []


@pytest.mark.parametrize("later", [False, True], ids=["added so", "said later"])
def test_dynamodb_removes_a_key_a_week_after_its_end(
    keys: ApiKeys, dynamodb: Any, later: bool
) -> None:
    if later:
        keys.add(key("one"))
        keys.end(key("one").digest, at=NOW + DAY)
    else:
        keys.add(key("one", expires_at=NOW + DAY))
    keys.add(key("two"))

    ends = [item.get("ttl") for item in dynamodb.scan(TableName=TABLE)["Items"]]
    assert [end for end in ends if end] == [{"N": str((NOW + 8 * DAY) // 1000)}]


def test_keys_of_more_than_a_page_are_all_listed(keys: ApiKeys) -> None:
    for n in range(60):
        keys.add(key(f"{n}", "x" * 20_000))

    assert len(keys.all()) == 60


def test_a_table_that_is_not_there_is_said_so(dynamodb: Any) -> None:
    missing = ApiKeys(dynamodb, "nowhere")

    for ask in (
        lambda: missing.add(key("one")),
        lambda: missing.find("0" * 64),
        missing.all,
        lambda: missing.end("0" * 64, at=NOW),
        lambda: missing.revoke("0" * 64),
    ):
        with pytest.raises(StoreError, match="deploy the stack"):
            ask()
