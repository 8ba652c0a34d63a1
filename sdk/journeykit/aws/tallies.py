"""Tallies: how many deliveries of each journey succeeded and failed, for its breaker.

    pk (partition key)    sk (sort key)
    TALLY                 <journey>#<shard>    good, bad

One item takes 1,000 writes a second, and a journey may send faster. So there are 16 items
a journey, and each process adds to one of them that it drew. A count is right to a few:
what is added again because an answer got lost counts twice.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from journeykit.aws.failures import translated
from journeykit.aws.tables import delete, rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 16
"""Of a journey. Never to be lowered: `reset_tallies` deletes these."""

_WHAT = "the tallies"


class DynamoTallies:
    """Counts of deliveries, in the state table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        draw: Callable[[int], int] = random.randrange,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Join the parts.

        Args:
            client: Asks DynamoDB.
            table: The table's name.
            draw: Draws a number below another one.
            sleep: Waits, seconds.
        """
        self._client = client
        self._table = table
        self._shard = draw(SHARDS)
        self._sleep = sleep

    def add(self, journey: str, succeeded: int, failed: int) -> None:
        """Count deliveries of a journey."""
        with translated(_WHAT):
            self._client.update_item(
                TableName=self._table,
                Key=_key(journey, self._shard),
                UpdateExpression="ADD good :good, bad :bad",
                ExpressionAttributeValues={
                    ":good": {"N": str(succeeded)},
                    ":bad": {"N": str(failed)},
                },
            )

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """Return how many deliveries of each journey succeeded and failed."""
        items = rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "TALLY"}},
        )
        found: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for item in items:
            journey = item["sk"]["S"].rpartition("#")[0]
            good, bad = found[journey]
            found[journey] = (
                good + int(item["good"]["N"]),
                bad + int(item["bad"]["N"]),
            )
        return dict(found)

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        keys = [_key(id, shard) for id in {*journeys} for shard in range(SHARDS)]
        delete(self._client, self._table, keys, what=_WHAT, sleep=self._sleep)


def _key(journey: str, shard: int) -> dict[str, Any]:
    return {"pk": {"S": "TALLY"}, "sk": {"S": f"{journey}#{shard:02}"}}
