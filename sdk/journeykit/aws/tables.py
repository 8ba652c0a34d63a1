"""What DynamoDB does piece by piece: queries come in pages, and writes may be left over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from journeykit.aws.failures import pauses, translated
from journeykit.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 25  # requests in one BatchWriteItem
_READ = 100  # keys in one BatchGetItem
_ATTEMPTS = 6  # of what is left over


def rows(
    client: DynamoDBClient, *, what: str, **query: Any
) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a query, all of its pages; as of now, not of a moment ago.

    botocore's own paginator would do the same, after 8 ms in which it loads its model.

    Args:
        client: Asks DynamoDB.
        what: What is read, for messages: `the tallies`.
        query: The query.

    Raises:
        StoreBusy: DynamoDB is; the same again may work.
        StoreError: The table can't be used.
    """
    while True:
        with translated(what):
            answer = client.query(ConsistentRead=True, **query)
        yield from answer["Items"]
        if not (last := answer.get("LastEvaluatedKey")):
            return
        query["ExclusiveStartKey"] = last


def scanned(
    client: DynamoDBClient, *, what: str, **scan: Any
) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a whole table, page by page; as of now, not of a moment ago.

    Args:
        client: Asks DynamoDB.
        what: What is read, for messages: `the state table`.
        scan: The scan.

    Raises:
        StoreBusy: DynamoDB is; the same again may work.
        StoreError: The table can't be used.
    """
    while True:
        with translated(what):
            answer = client.scan(ConsistentRead=True, **scan)
        yield from answer["Items"]
        if not (last := answer.get("LastEvaluatedKey")):
            return
        scan["ExclusiveStartKey"] = last


def got(
    client: DynamoDBClient,
    table: str,
    keys: Iterable[Mapping[str, Any]],
    *,
    what: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Mapping[str, Any]]:
    """Yield those items that there are, in any order; as of now, not of a moment ago.

    Args:
        client: Asks DynamoDB.
        table: The table's name.
        keys: Of the items, each once.
        what: What is read, for messages: `the identities`.
        sleep: Waits, seconds.

    Raises:
        StoreBusy: Not all could be read; the same again may work.
        StoreError: The table can't be used.
    """
    left = iter(keys)
    while batch := [*islice(left, _READ)]:
        waits = pauses(_ATTEMPTS)
        while batch:
            asked: Any = {table: {"Keys": batch, "ConsistentRead": True}}
            with translated(what):
                answer = client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(table, [])
            over: Any = answer.get("UnprocessedKeys", {}).get(table, {})
            batch = over.get("Keys", [])
            if batch:
                wait = next(waits, None)
                if wait is None:
                    raise StoreBusy(
                        f"{what}: DynamoDB left {len(batch)} reads over, again and "
                        "again; try again later"
                    )
                sleep(wait)


def delete(
    client: DynamoDBClient,
    table: str,
    keys: Iterable[Mapping[str, Any]],
    *,
    what: str,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Delete items; who is not there any more is no error.

    Args:
        client: Asks DynamoDB.
        table: The table's name.
        keys: Of the items.
        what: What is deleted, for messages: `the tallies`.
        sleep: Waits, seconds.

    Raises:
        StoreBusy: Not all are deleted; the same again may work.
        StoreError: The table can't be used.
    """
    left = iter(keys)
    while batch := [{"DeleteRequest": {"Key": key}} for key in islice(left, _BATCH)]:
        _write(client, table, batch, what, sleep)


def put(
    client: DynamoDBClient,
    table: str,
    items: Iterable[Mapping[str, Any]],
    *,
    what: str,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Put items, whatever is there; no two of one key.

    Args:
        client: Asks DynamoDB.
        table: The table's name.
        items: What is put.
        what: What is written, for messages: `the references`.
        sleep: Waits, seconds.

    Raises:
        StoreBusy: Not all are put; the same again may work.
        StoreError: The table can't be used.
    """
    left = iter(items)
    while batch := [{"PutRequest": {"Item": item}} for item in islice(left, _BATCH)]:
        _write(client, table, batch, what, sleep)


def _write(
    client: DynamoDBClient,
    table: str,
    requests: Sequence[Any],
    what: str,
    sleep: Callable[[float], None],
) -> None:
    waits = pauses(_ATTEMPTS)
    while True:
        with translated(what):
            answer = client.batch_write_item(RequestItems={table: requests})
        requests = answer.get("UnprocessedItems", {}).get(table, [])
        if not requests:
            return
        wait = next(waits, None)
        if wait is None:
            raise StoreBusy(
                f"{what}: DynamoDB left {len(requests)} writes over, again and again; "
                "try again later"
            )
        sleep(wait)
