"""Who is meant by an address, or by a provider's id of a message.

    pk (partition key)    sk (sort key)
    REF#<key>             <customer>        d: the delivery; at: milliseconds;
                                            ttl: 400 days later, seconds

Writes are batches that look at nothing: of two functions that settle messages to one
customer at the same moment, the one whose write came last is believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any

from journeykit.aws.tables import put, rows
from journeykit.ports import Reference

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_S = 400 * 24 * 60 * 60

_WHAT = "the references"
_TOLD = 20  # of one key
_LOOKED_AT = 5_000  # customers of one address; nobody means so many


class DynamoReferences:
    """`References`, in the state table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the table's name, and what waits between two attempts."""
        self._client = client
        self._table = table
        self._sleep = sleep

    def refer(self, references: Sequence[Reference]) -> None:
        """Keep references; of one key and customer the latest.

        Raises:
            StoreBusy: Not all are kept; the same again may work.
            StoreError: The table can't be used.
        """
        # A batch takes none twice.
        latest: dict[tuple[str, str], Reference] = {}
        for one in references:
            known = latest.get((one.key, one.customer))
            if known is None or known.at <= one.at:
                latest[one.key, one.customer] = one
        items = (_item(reference) for reference in latest.values())
        put(self._client, self._table, items, what=_WHAT, sleep=self._sleep)

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """Return what is known by each key, latest first, 20 of a key at most.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        found: dict[str, Sequence[Reference]] = {}
        for key in dict.fromkeys(keys):
            items = rows(
                self._client,
                what=_WHAT,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"REF#{key}"}},
            )
            known = [reference_of(key, item) for item in islice(items, _LOOKED_AT)]
            if known:
                found[key] = nlargest(_TOLD, known, key=lambda one: one.at)
        return found


def _item(reference: Reference) -> dict[str, Any]:
    return {
        "pk": {"S": f"REF#{reference.key}"},
        "sk": {"S": reference.customer},
        "d": {"S": reference.delivery_id},
        "at": {"N": str(reference.at)},
        "ttl": {"N": str(reference.at // 1000 + KEPT_S)},
    }


def reference_of(key: str, item: Mapping[str, Any]) -> Reference:
    """Read an item under a key."""
    return Reference(key, item["sk"]["S"], item["d"]["S"], int(item["at"]["N"]))
