"""Slots: the rates of channels and journeys, across all functions that send.

    pk (partition key)    sk (sort key)
    PACE#<lane>           lane               arrival: of the next slot, microseconds

The generic cell rate algorithm needs one number a lane: when the next slot comes if none
is saved up. A batch moves it on in one write. A write whose answer got lost happens again
and reserves twice: then the lane is slower for a moment, and never too fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from journeykit.aws.failures import LostRace, pauses, translated
from journeykit.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WHAT = "the pace"

_ATTEMPTS = 8  # lost only if the lane went from busy to idle, or back, in between

_IDLE_FOR_EVER = -1  # before any instant: nobody has used the lane yet

# What is written, and if what holds. A busy lane goes on from where it is; an idle one
# begins anew, now. An update can't tell which it is, so it is guessed.
_BUSY = ("SET arrival = arrival + :cost", "arrival >= :now")
_IDLE = ("SET arrival = :began", "attribute_not_exists(arrival) OR arrival < :now")


class DynamoSlots:
    """Slots of lanes, in the state table."""

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
        self._seen: dict[str, int] = {}  # where each lane was last; only a guess

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        """Reserve slots of a lane; none: only look.

        Returns:
            The instant of the first one, microseconds; `now_us` or later.

        Raises:
            StoreBusy: DynamoDB is, or too many reserve at once; what it may have reserved
                nobody uses.
            StoreError: The table can't be used.
        """
        if slots:
            arrival = self._moved(lane, slots * interval_us, now_us)
        else:
            arrival = max(now_us, self._looked(lane))
        return max(now_us, arrival - (burst - 1) * interval_us)

    def _looked(self, lane: str) -> int:
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(lane), ConsistentRead=True
            )
        return self._saw(lane, answer.get("Item", {}))

    def _moved(self, lane: str, cost: int, now: int) -> int:
        """Move a lane on; return where it was, now at the earliest."""
        is_busy = self._seen.get(lane, _IDLE_FOR_EVER) >= now
        for pause in chain([0.0, 0.0], pauses(_ATTEMPTS)):
            if pause:
                self._sleep(pause)
            update, condition = _BUSY if is_busy else _IDLE
            moved = {":cost": cost} if is_busy else {":began": now + cost}
            try:
                with translated(_WHAT):
                    answer = self._client.update_item(
                        TableName=self._table,
                        Key=_key(lane),
                        UpdateExpression=update,
                        ConditionExpression=condition,
                        ExpressionAttributeValues={
                            name: {"N": str(value)}
                            for name, value in {":now": now, **moved}.items()
                        },
                        ReturnValues="UPDATED_NEW",
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    )
            except LostRace as race:
                is_busy = self._saw(lane, race.item) >= now
            else:
                return self._saw(lane, answer["Attributes"]) - cost
        raise StoreBusy(f"{_WHAT}: too many reserve at once; try again later")

    def _saw(self, lane: str, item: Mapping[str, Any]) -> int:
        arrival = int(item["arrival"]["N"]) if item else _IDLE_FOR_EVER
        self._seen[lane] = arrival
        return arrival


def _key(lane: str) -> dict[str, Any]:
    return {"pk": {"S": f"PACE#{lane}"}, "sk": {"S": "lane"}}
