"""Published templates, and whatever else a catalog names by an id: in chunks.

    pk (partition key)    sk (sort key)
    CONTENT#<id>          <chunk>           b: a part of it; chunks: how many there are

The first chunk is written last: where it is, the others are. What was ever published
stays. A set of templates has some ten kilobytes, so a year of publishing every day costs
less than a cent a month; whoever removed one could never be sure that nobody reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journeykit.aws.catalogs import CHUNK
from journeykit.aws.failures import translated
from journeykit.aws.tables import rows
from journeykit.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WHAT = "the published templates"


class DynamoContents:
    """`Contents`, in the state table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table

    def keep_content(self, id: str, content: bytes) -> None:
        """Keep a set of templates; one that is there already stays.

        Raises:
            StoreBusy: DynamoDB is; the same again goes on.
            StoreError: The table can't be used.
        """
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table,
                Key=_key(id, 0),
                ProjectionExpression="pk",
                ConsistentRead=True,
            )
        if "Item" in answer:
            return
        starts = range(0, len(content) or 1, CHUNK)
        for number, start in reversed([*enumerate(starts)]):
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **_key(id, number),
                        "b": {"B": content[start : start + CHUNK]},
                        "chunks": {"N": str(len(starts))},
                    },
                )

    def content(self, id: str) -> bytes | None:
        """Return a set of templates; None: it is not there.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: It can't be read, or is not whole.
        """
        items = [
            *rows(
                self._client,
                what=_WHAT,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": _key(id, 0)["pk"]},
            )
        ]
        if not items or items[0]["sk"] != _key(id, 0)["sk"]:
            return None
        if len(items) != int(items[0]["chunks"]["N"]):
            raise StoreError(
                f"{_WHAT} {id[:12]} are not whole; restore the state table from its "
                "backup"
            )
        return b"".join([bytes(item["b"]["B"]) for item in items])


def _key(id: str, chunk: int) -> dict[str, Any]:
    return {"pk": {"S": f"CONTENT#{id}"}, "sk": {"S": f"{chunk:04}"}}
