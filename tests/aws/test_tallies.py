"""Counts of deliveries in DynamoDB, over 16 items a journey."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.tallies import SHARDS, DynamoTallies
from journeykit.errors import StoreBusy, StoreError


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
def processes(dynamodb: Any) -> list[DynamoTallies]:
    """One for each item that a process may draw."""
    return [
        DynamoTallies(dynamodb, TABLE, draw=lambda below, n=n: n % below)
        for n in range(SHARDS)
    ]


def test_at_first_nothing_is_counted(processes: list[DynamoTallies]) -> None:
    assert processes[0].tallies() == {}


def test_what_all_processes_count_is_added_up(processes: list[DynamoTallies]) -> None:
    for n, one in enumerate(processes):
        one.add("welcome", n, 1)
        one.add("welcome", 1, 0)
    processes[3].add("vouchers", 0, 2)

    assert processes[5].tallies() == {"welcome": (136, 16), "vouchers": (0, 2)}


def test_a_process_draws_where_it_counts(dynamodb: Any) -> None:
    for _ in range(100):
        DynamoTallies(dynamodb, TABLE).add("welcome", 1, 0)

    keys = [item["sk"]["S"] for item in dynamodb.scan(TableName=TABLE)["Items"]]
    assert set(keys) <= {f"welcome#{shard:02}" for shard in range(SHARDS)}
    assert len(keys) > 4, "100 draws of 16"


@pytest.mark.parametrize("journey", ["a#b", "#", "a#07", "名前"])
def test_a_journey_may_be_called_anything(
    processes: list[DynamoTallies], journey: str
) -> None:
    processes[0].add(journey, 1, 2)
    processes[0].add("a", 5, 5)

    assert processes[0].tallies() == {journey: (1, 2), "a": (5, 5)}


def test_counts_of_more_than_a_page_are_all_read(dynamodb: Any) -> None:
    for n in range(3):  # rows of 390 KB, of which a page of 1 MB holds two
        row = {"pk": {"S": "TALLY"}, "sk": {"S": f"j{n}#00"}, "x": {"S": "x" * 390_000}}
        dynamodb.put_item(
            TableName=TABLE, Item={**row, "good": {"N": "1"}, "bad": {"N": "0"}}
        )

    assert len(DynamoTallies(dynamodb, TABLE).tallies()) == 3


def test_after_a_reset_they_count_from_0(processes: list[DynamoTallies]) -> None:
    for one in processes:
        one.add("welcome", 1, 1)
        one.add("vouchers", 1, 1)

    processes[0].reset_tallies(["welcome", "unheard-of", "welcome"])
    processes[9].add("welcome", 0, 1)

    assert processes[0].tallies() == {"welcome": (0, 1), "vouchers": (16, 16)}


def test_to_reset_nothing_asks_for_nothing(dynamodb: Any, wire: Wire) -> None:
    DynamoTallies(dynamodb, TABLE).reset_tallies([])

    assert wire.sent == []


def left_over(*shards: int) -> dict[str, object]:
    """DynamoDB's answer if it left these over."""
    keys = [
        {"pk": {"S": "TALLY"}, "sk": {"S": f"welcome#{shard:02}"}} for shard in shards
    ]
    return {
        "UnprocessedItems": {TABLE: [{"DeleteRequest": {"Key": key}} for key in keys]}
    }


def test_what_dynamodb_left_over_of_a_reset_is_tried_again(
    processes: list[DynamoTallies], wire: Wire
) -> None:
    for shard in (0, 4, 15):
        processes[shard].add("welcome", 1, 1)
    wire.answer("BatchWriteItem", left_over(4, 15))  # and did not even take the first
    wire.answer("BatchWriteItem", left_over(15))

    processes[0].reset_tallies(["welcome"])

    assert wire.sent.count("BatchWriteItem") == 3
    assert processes[0].tallies() == {"welcome": (2, 2)}


def test_what_dynamodb_leaves_over_again_and_again_is_said(
    dynamodb: Any, wire: Wire
) -> None:
    paused: list[float] = []
    tallies = DynamoTallies(dynamodb, TABLE, sleep=paused.append)
    wire.answer("BatchWriteItem", left_over(4, 15), times=99)

    with pytest.raises(StoreBusy, match="left 2 writes over"):
        tallies.reset_tallies(["welcome"])

    assert wire.sent.count("BatchWriteItem") == len(paused) + 1 == 7


def test_a_table_that_is_not_there_is_said_so(dynamodb: Any) -> None:
    missing = DynamoTallies(dynamodb, "nowhere")

    with pytest.raises(StoreError, match="deploy the stack"):
        missing.add("welcome", 1, 0)
    with pytest.raises(StoreError, match="deploy the stack"):
        missing.tallies()
    with pytest.raises(StoreError, match="deploy the stack"):
        missing.reset_tallies(["welcome"])
