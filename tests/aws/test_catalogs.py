"""Published catalogs in DynamoDB, and what happens to who publishes at a bad moment."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.catalogs import CHUNK, KEPT, DynamoCatalogs
from journeykit.aws.clients import client
from journeykit.errors import NewerStore, StaleCatalog, StoreBusy, StoreError
from journeykit.ports import CatalogDocument
from journeykit.testing.store_contract import CatalogsContract
from journeykit.testing.store_contract.samples import make_catalog


class TestCatalogs(CatalogsContract):
    threads = 1

    def make(self, folder: Path) -> DynamoCatalogs:
        dynamodb = client("dynamodb")
        return DynamoCatalogs(dynamodb, make_state_table(dynamodb))


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
def store(dynamodb: Any, wire: Wire) -> DynamoCatalogs:
    return DynamoCatalogs(dynamodb, TABLE)


@pytest.fixture
def other(dynamodb: Any) -> DynamoCatalogs:
    """Somebody else's, over a wire of their own."""
    return DynamoCatalogs(client("dynamodb"), TABLE)


def large(revision: int, *, seed: int = 0, bytes: int = 3_000_000) -> CatalogDocument:
    """A catalog that hardly gets smaller by compression."""
    text = random.Random(seed).randbytes(bytes // 2).hex()  # half of it is left
    return make_catalog(revision, journeys=[{"id": "welcome", "text": text}])


def items(dynamodb: Any, partition: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    return [item for page in pages for item in page["Items"]]


def partition(revision: int) -> str:
    return f"CATALOG#{revision:012}"


# Large ones


def test_a_catalog_of_megabytes_is_kept_in_parts_and_pages(
    store: DynamoCatalogs, dynamodb: Any
) -> None:
    catalog = large(1, bytes=4_000_000)

    store.publish(catalog)

    parts = items(dynamodb, partition(1))
    assert len(parts) > 4, "of which 1 MB, a page, holds two"
    assert {len(part["b"]["B"]) for part in parts[:-1]} == {CHUNK}
    assert store.current() == catalog


def test_to_ask_for_the_newest_revision_is_one_small_request(
    store: DynamoCatalogs, wire: Wire
) -> None:
    store.publish(large(1))
    wire.sent.clear()

    assert store.revision() == 1
    assert wire.sent == ["GetItem"]


# Cut off


def test_who_is_cut_off_while_publishing_has_changed_nothing(
    store: DynamoCatalogs, wire: Wire, dynamodb: Any
) -> None:
    store.publish(make_catalog(1))
    wire.let("PutItem", times=2)
    wire.refuse("PutItem", "AccessDeniedException")

    with pytest.raises(StoreError, match="allow it"):
        store.publish(large(2))

    assert len(items(dynamodb, partition(2))) == 2
    assert (store.revision(), store.current()) == (1, make_catalog(1))


@pytest.mark.parametrize("seed", [0, 1], ids=["the same again", "another one"])
def test_what_was_left_half_written_does_no_harm(
    store: DynamoCatalogs, wire: Wire, seed: int
) -> None:
    wire.let("PutItem", times=2)
    wire.refuse("PutItem", "AccessDeniedException")
    with pytest.raises(StoreError):
        store.publish(large(1))

    catalog = large(1, seed=seed)
    store.publish(catalog)

    assert (store.revision(), store.current()) == (1, catalog)


# At the same time


@pytest.mark.parametrize("published", [0, 1], ids=["the first one", "a later one"])
def test_of_two_who_write_at_the_same_time_one_is_stale_and_nothing_is_mixed(
    store: DynamoCatalogs, other: DynamoCatalogs, wire: Wire, published: int
) -> None:
    if published:
        other.publish(make_catalog(1))
    mine, theirs = large(published + 1, seed=1), large(published + 1, seed=2)
    wire.let("PutItem")  # one part of ours is there before all of theirs
    wire.before("PutItem", lambda: other.publish(theirs))

    with pytest.raises(StaleCatalog, match=f"revision {published + 1} is published"):
        store.publish(mine)

    assert store.current() == theirs


def test_two_who_publish_the_very_same_are_both_right(
    store: DynamoCatalogs, other: DynamoCatalogs, wire: Wire
) -> None:
    wire.let("PutItem")
    wire.before("PutItem", lambda: other.publish(make_catalog(1)))

    store.publish(make_catalog(1))

    assert store.current() == make_catalog(1)


def test_who_reads_while_others_publish_gets_one_of_them_whole(
    store: DynamoCatalogs, other: DynamoCatalogs, wire: Wire
) -> None:
    def publish_so_many_that_the_first_is_gone() -> None:
        for revision in range(2, KEPT + 3):
            other.publish(make_catalog(revision))

    other.publish(large(1))
    wire.before("Query", publish_so_many_that_the_first_is_gone)

    assert store.current() == make_catalog(KEPT + 2)


def test_who_is_overtaken_all_the_time_while_reading_is_told_so(
    store: DynamoCatalogs, other: DynamoCatalogs, wire: Wire, dynamodb: Any
) -> None:
    def publish_the_next_and_remove_this() -> None:
        revision = other.revision()
        other.publish(make_catalog(revision + 1))
        (part,) = items(client("dynamodb"), partition(revision))
        dynamodb.delete_item(TableName=TABLE, Key={"pk": part["pk"], "sk": part["sk"]})

    other.publish(make_catalog(1))
    for _ in range(5):
        wire.before("Query", publish_the_next_and_remove_this)

    with pytest.raises(StoreBusy, match="publish all the time"):
        store.current()

    assert store.current() == make_catalog(6)


# Lost answers


def test_a_lost_answer_of_the_last_write_is_no_stale_catalog(
    store: DynamoCatalogs, wire: Wire
) -> None:
    store.publish(make_catalog(1))
    wire.let("PutItem")
    wire.lose("PutItem")

    store.publish(make_catalog(2))

    assert wire.sent.count("PutItem") == 2 + 3, "botocore has asked twice"
    assert store.current() == make_catalog(2)


def test_who_published_and_never_heard_of_it_may_publish_the_same_again(
    store: DynamoCatalogs, wire: Wire
) -> None:
    wire.let("PutItem")
    wire.lose("PutItem", times=3)
    with pytest.raises(StoreBusy, match="may have happened"):
        store.publish(make_catalog(1))

    store.publish(make_catalog(1))

    assert (store.revision(), store.current()) == (1, make_catalog(1))


def test_a_lost_answer_is_told_apart_even_if_others_have_published_since(
    store: DynamoCatalogs, other: DynamoCatalogs, wire: Wire
) -> None:
    wire.let("PutItem")
    wire.lose("PutItem")
    wire.before("PutItem", lambda: other.publish(make_catalog(2)))

    store.publish(make_catalog(1))

    assert store.current() == make_catalog(2)
    with pytest.raises(StaleCatalog):
        store.publish(make_catalog(1, note="another one"))


# What is kept


def test_only_the_newest_revisions_are_kept(
    store: DynamoCatalogs, dynamodb: Any
) -> None:
    for revision in range(1, KEPT + 4):
        store.publish(make_catalog(revision))

    kept = [n for n in range(KEPT + 4) if items(dynamodb, partition(n))]
    assert kept == list(range(4, KEPT + 4))
    (pointer,) = items(dynamodb, "CATALOG")
    assert len(pointer["digests"]["L"]) == KEPT


def test_what_could_not_be_removed_is_removed_with_the_next_one(
    store: DynamoCatalogs,
    wire: Wire,
    dynamodb: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for revision in range(1, KEPT + 1):
        store.publish(make_catalog(revision))
    wire.refuse("BatchWriteItem", "AccessDeniedException")

    store.publish(make_catalog(KEPT + 1))
    assert store.revision() == KEPT + 1
    assert len(items(dynamodb, partition(1))) == 1
    assert "was not removed" in caplog.text

    store.publish(make_catalog(KEPT + 2))
    assert items(dynamodb, partition(1)) == []
    assert items(dynamodb, partition(2)) == []


# Damage


def test_a_catalog_of_which_a_part_is_missing_is_refused(
    store: DynamoCatalogs, dynamodb: Any
) -> None:
    store.publish(large(1))
    part = items(dynamodb, partition(1))[1]
    dynamodb.delete_item(TableName=TABLE, Key={"pk": part["pk"], "sk": part["sk"]})

    with pytest.raises(StoreError, match=r"revision 1 is not whole: .* backup"):
        store.current()


@pytest.mark.parametrize("at", [0, 1], ids=["no stream at all", "another document"])
def test_a_catalog_that_was_changed_is_refused(
    store: DynamoCatalogs, dynamodb: Any, at: int
) -> None:
    store.publish(make_catalog(1))
    store.publish(make_catalog(2))
    second, first = items(dynamodb, partition(2))[0], items(dynamodb, partition(1))[0]
    second["b"]["B"] = (b"nonsense", first["b"]["B"])[at]
    dynamodb.put_item(TableName=TABLE, Item=second)

    with pytest.raises(StoreError, match=r"revision 2 (can't be read|is not what)"):
        store.current()


def test_a_catalog_of_a_later_release_is_refused(store: DynamoCatalogs) -> None:
    store.publish(replace(make_catalog(1), schema=2))

    with pytest.raises(NewerStore, match="deploy that release"):
        store.current()


def test_a_table_that_is_not_there_is_said_so(dynamodb: Any) -> None:
    missing = DynamoCatalogs(dynamodb, "nowhere")

    for ask in (missing.revision, missing.current):
        with pytest.raises(StoreError, match="deploy the stack"):
            ask()
    with pytest.raises(StoreError, match="deploy the stack"):
        missing.publish(make_catalog(1))


def test_a_busy_table_is_busy(store: DynamoCatalogs, wire: Wire) -> None:
    wire.refuse("GetItem", "ThrottlingException", times=3)

    with pytest.raises(StoreBusy, match="try again"):
        store.revision()
