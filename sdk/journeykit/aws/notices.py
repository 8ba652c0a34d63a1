"""In-app inboxes.

    pk (partition key)    sk (sort key)
    INBOX#<customer>      <id>              at, exp: milliseconds; body: JSON;
                                            seen, gone: when it was first read, put away;
                                            ttl: 90 days later, seconds

An inbox is read whole and sorted here: it holds what one customer got in 90 days, a few
dozen notices of half a kilobyte. In return each of them is one item, which a message that
comes twice finds, and which a mark changes in one write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from heapq import nlargest
from typing import TYPE_CHECKING, Any

import msgspec

from journeykit.aws.failures import LostRace, translated
from journeykit.aws.tables import rows
from journeykit.channels import Notice
from journeykit.engine.calendar import to_datetime, to_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_S = 90 * 24 * 60 * 60

_WHAT = "the in-app inboxes"


class DynamoNotices:
    """`Notices`, in the state table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table

    def post(self, notices: Sequence[Notice]) -> None:
        """Keep notices; one of an id that is there already changes nothing.

        Raises:
            StoreBusy: DynamoDB is; some may be kept, and the same again does the rest.
            StoreError: The table can't be used.
        """
        for notice in notices:
            with suppress(LostRace), translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(notice),
                    ConditionExpression="attribute_not_exists(pk)",
                )

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        items = rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": _key(customer, "")["pk"]},
        )
        found = (notice_of(customer, item) for item in items)
        return nlargest(limit, found, key=lambda one: (one.at, one.id))

    def mark(
        self, customer: str, id: str, *, read_at: int | None, dismissed_at: int | None
    ) -> Notice | None:
        """Note that one was read or dismissed, the first time each; return it after that.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        marks = {"seen": read_at, "gone": dismissed_at}
        marks = {name: at for name, at in marks.items() if at is not None}
        if not marks:
            with translated(_WHAT):
                found = self._client.get_item(
                    TableName=self._table, Key=_key(customer, id), ConsistentRead=True
                )
            item = found.get("Item")
            return notice_of(customer, item) if item else None
        sets = [f"#{name} = if_not_exists(#{name}, :{name})" for name in marks]
        try:
            with translated(_WHAT):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(customer, id),
                    UpdateExpression=f"SET {', '.join(sets)}",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={f"#{name}": name for name in marks},
                    ExpressionAttributeValues={
                        f":{name}": {"N": str(at)} for name, at in marks.items()
                    },
                    ReturnValues="ALL_NEW",
                )
        except LostRace:
            return None
        return notice_of(customer, answer["Attributes"])


def _key(customer: str, id: str) -> dict[str, Any]:
    return {"pk": {"S": f"INBOX#{customer}"}, "sk": {"S": id}}


def _item(notice: Notice) -> dict[str, Any]:
    instants = {
        "at": notice.at,
        "exp": notice.expires_at,
        "seen": notice.read_at,
        "gone": notice.dismissed_at,
    }
    return {
        **_key(notice.customer, notice.id),
        **{n: {"N": str(to_ms(at))} for n, at in instants.items() if at is not None},
        "body": {"S": msgspec.json.encode(notice.body).decode()},
        "ttl": {"N": str(to_ms(notice.at) // 1000 + KEPT_S)},
    }


def notice_of(customer: str, item: Mapping[str, Any]) -> Notice:
    """Read an item of somebody's inbox."""
    return Notice(
        id=item["sk"]["S"],
        customer=customer,
        at=to_datetime(int(item["at"]["N"])),
        body=msgspec.json.decode(item["body"]["S"]),
        expires_at=_instant(item, "exp"),
        read_at=_instant(item, "seen"),
        dismissed_at=_instant(item, "gone"),
    )


def _instant(item: Mapping[str, Any], name: str) -> datetime | None:
    return to_datetime(int(item[name]["N"])) if name in item else None
