"""Claims: the first so many of a key get a place, exactly.

    pk (partition key)    sk (sort key)
    CLAIM#<key>           taken             taken: how many are; holder: of the first place
    PLACE#<key>           <holder>          place: from the second on

Authors choose keys. What is ours has a scope in front (`VISIT#CLAIM#…`), where no key of
theirs can be, and an end (`ttl`, seconds); claims of journeys stay.

The first place is one conditional write. Every other one is a transaction of two: the
holder's row, if there is none, and the count, if it is still what was read. So a place is
given whole or not at all, and however often somebody asks, because an answer got lost or
a message came twice, the row says which place it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from journeykit.aws.failures import LostRace, code_of, pauses, translated
from journeykit.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WHAT = "the claims"

_ATTEMPTS = 12
"""Each is lost only because somebody else got a place meanwhile. The pauses add up to 4 s
on average; by then a key gave dozens of places away."""

# Of a canceled transaction: another one was at the same item, or came to it first.
_RACES = frozenset(
    {
        "ConditionalCheckFailed",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
)


class DynamoClaims:
    """Places, in the state table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        scope: str = "",
        keep_ms: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the parts.

        Args:
            client: Of DynamoDB.
            table: The state table's name.
            scope: Whose claims these are; empty: those of journeys.
            keep_ms: How long a place stays taken at least; None: for good.
            sleep: Waits between two attempts, seconds.
        """
        self._client = client
        self._table = table
        self._prefix = f"{scope}#" if scope else ""
        self._keep_ms = keep_ms
        self._sleep = sleep

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """Claim one of `limit` places of a key; 0 if all are taken by others.

        Raises:
            StoreBusy: Too many claim at once; or nobody knows whether it worked. The same
                again finds out.
            StoreError: The table can't be used.
        """
        for pause in chain([0.0], pauses(_ATTEMPTS)):
            if pause:
                self._sleep(pause)
            count = self._count(key) if limit > 1 else None
            if count is None:
                count = self._first(key, holder, at)
            if count["holder"]["S"] == holder:
                return 1
            taken = int(count["taken"]["N"])
            # The count was read before the holder's row. So if all places were taken then
            # and there is no row now, this holder has none.
            if taken > 1 and (place := self._place(key, holder)):
                return place
            if taken >= limit:
                return 0
            if self._next(key, holder, taken, at):
                return taken + 1
        raise StoreBusy(f"{_WHAT}: too many claim the same at once; try again later")

    def release(self, key: str, holder: str, *, since: int) -> None:
        """Give back the place of a key that has one; nothing happens if it isn't theirs.

        Raises:
            StoreError: The table can't be used.
        """
        with suppress(LostRace), translated(_WHAT):
            self._client.delete_item(
                TableName=self._table,
                Key=self._count_of(key),
                ConditionExpression="holder = :holder AND taken = :one AND #at >= :since",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={
                    ":holder": {"S": holder},
                    ":one": {"N": "1"},
                    ":since": {"N": str(since)},
                },
            )

    def _count(self, key: str) -> Mapping[str, Any] | None:
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table, Key=self._count_of(key), ConsistentRead=True
            )
        return answer.get("Item")

    def _first(self, key: str, holder: str, at: int) -> Mapping[str, Any]:
        """Take the first place if it is free; return the count as it is then."""
        count: dict[str, Any] = {
            **self._count_of(key),
            "taken": {"N": "1"},
            "holder": {"S": holder},
            **self._times(at),
        }
        try:
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=count,
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except LostRace as race:
            return race.item
        return count

    def _place(self, key: str, holder: str) -> int:
        """Return a holder's place behind the first; 0: none."""
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table,
                Key=self._place_of(key, holder),
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return int(item["place"]["N"]) if item else 0

    def _next(self, key: str, holder: str, taken: int, at: int) -> bool:
        """Take the place behind those that are taken; False: somebody came first."""
        place = {
            **self._place_of(key, holder),
            "place": {"N": str(taken + 1)},
            **self._times(at),
        }
        with translated(_WHAT):
            try:
                self._client.transact_write_items(
                    TransactItems=[
                        {
                            "Update": {
                                "TableName": self._table,
                                "Key": self._count_of(key),
                                "UpdateExpression": "SET taken = :after",
                                "ConditionExpression": "taken = :before",
                                "ExpressionAttributeValues": {
                                    ":before": {"N": str(taken)},
                                    ":after": {"N": str(taken + 1)},
                                },
                            }
                        },
                        {
                            "Put": {
                                "TableName": self._table,
                                "Item": place,
                                "ConditionExpression": "attribute_not_exists(pk)",
                            }
                        },
                    ]
                )
            except ClientError as error:
                if _is_race(error):
                    return False
                raise
        return True

    def _count_of(self, key: str) -> dict[str, Any]:
        return {"pk": {"S": f"{self._prefix}CLAIM#{key}"}, "sk": {"S": "taken"}}

    def _place_of(self, key: str, holder: str) -> dict[str, Any]:
        # Without anything before it: a holder of 256 characters may fill a sort key.
        return {"pk": {"S": f"{self._prefix}PLACE#{key}"}, "sk": {"S": holder}}

    def _times(self, at: int) -> dict[str, Any]:
        times = {"at": {"N": str(at)}}
        if self._keep_ms is not None:
            times["ttl"] = {"N": str((at + self._keep_ms) // 1000)}
        return times


def _is_race(error: ClientError) -> bool:
    """Whether a transaction was canceled by others, and nothing else is wrong."""
    code = code_of(error)
    if code != "TransactionCanceledException":
        return code in {
            "TransactionConflictException",
            "TransactionInProgressException",
        }
    reasons = error.response.get("CancellationReasons", ())
    codes = {str(reason.get("Code", "None")) for reason in reasons} - {"None"}
    return codes <= _RACES
