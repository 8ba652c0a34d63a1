"""API keys of the HTTP door: whose they are and what they may do, known by their hashes.

    pk (partition key)    sk (sort key)
    KEY                   <sha256, hex>    name, scopes, created_at, expires_at, ttl

A key is random and long, so its plain SHA-256 tells nothing about it, and needs no salt.
Two keys may have one name: to change a key without a gap, add the new one, let the old
one end some days later, and meanwhile both are good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from journeykit.aws.failures import LostRace, translated
from journeykit.aws.tables import rows
from journeykit.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WHAT = "the API keys"

_KEPT_S = 7 * 24 * 60 * 60  # after its end a key is still listed for so long


class ApiKey(msgspec.Struct, frozen=True):
    """A key, of which only the hash is known.

    Attributes:
        digest: The SHA-256 of the key, as 64 hexadecimal digits.
        name: Whose it is, for people and logs.
        scopes: What it may do.
        created_at: When it was added, milliseconds.
        expires_at: From when on it is good no more, milliseconds; 0: never.
    """

    digest: str
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int = 0

    def is_good(self, now: int) -> bool:
        """Whether it may be used at an instant, milliseconds."""
        return not self.expires_at or now < self.expires_at


class ApiKeys:
    """The keys, in the state table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table

    def add(self, key: ApiKey) -> None:
        """Let a key be used.

        Raises:
            InputError: It is known already, and for something else.
        """
        item: dict[str, Any] = {
            **_key(key.digest),
            "name": {"S": key.name},
            "scopes": {"L": [{"S": scope} for scope in key.scopes]},
            "created_at": {"N": str(key.created_at)},
        }
        if key.expires_at:
            item |= _end(key.expires_at)
        try:
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except LostRace as race:
            if _read(race.item) != key:  # else it was added, and the answer got lost
                raise InputError("this key is known already; make a new one") from None

    def find(self, digest: str) -> ApiKey | None:
        """Return a key by its hash, which may have ended; None: nobody knows it."""
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(digest), ConsistentRead=True
            )
        item = answer.get("Item")
        return _read(item) if item else None

    def all(self) -> Sequence[ApiKey]:
        """Return the keys, also those that ended lately, by name and oldest first."""
        items = rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "KEY"}},
        )
        return sorted(
            map(_read, items), key=lambda key: (key.name, key.created_at, key.digest)
        )

    def end(self, digest: str, *, at: int) -> bool:
        """Let a key end at an instant, milliseconds; False: there is none."""
        values = _end(at)
        try:
            with translated(_WHAT):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(digest),
                    UpdateExpression="SET expires_at = :at, #ttl = :ttl",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#ttl": "ttl"},  # a reserved word
                    ExpressionAttributeValues={
                        ":at": values["expires_at"],
                        ":ttl": values["ttl"],
                    },
                )
        except LostRace:
            return False
        return True

    def revoke(self, digest: str) -> bool:
        """Forget a key at once; False: nobody knew it."""
        with translated(_WHAT):
            answer = self._client.delete_item(
                TableName=self._table, Key=_key(digest), ReturnValues="ALL_OLD"
            )
        return bool(answer.get("Attributes"))


def _key(digest: str) -> dict[str, Any]:
    return {"pk": {"S": "KEY"}, "sk": {"S": digest}}


def _end(at: int) -> dict[str, Any]:
    return {
        "expires_at": {"N": str(at)},
        "ttl": {"N": str(at // 1000 + _KEPT_S)},
    }


def _read(item: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        digest=item["sk"]["S"],
        name=item["name"]["S"],
        scopes=tuple([scope["S"] for scope in item["scopes"]["L"]]),
        created_at=int(item["created_at"]["N"]),
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else 0,
    )
