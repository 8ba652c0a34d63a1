"""Whose an identifier is, and who shares one, in the state table.

    pk (partition key)    sk (sort key)
    IDENTITY#<key>        owner             who: the customer; at
    CONFLICT              <key>#<claimant>  a digest; key, kind, holder, claimant, at, ttl

`key` is `ids.identity_key`: no address stands in the table. Each identifier is given by a
conditional put of its own, so two who ask for one at the same time learn whose it is.
Conflicts are few, and stand in one partition so that they can be listed; a process writes
one that it knows once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from journeykit.aws.failures import LostRace, translated
from journeykit.aws.tables import delete, got, rows
from journeykit.engine.ids import derived
from journeykit.errors import StoreError
from journeykit.ports import Conflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WHAT = "the identities"
_IDENTITY = "IDENTITY#"
_CONFLICTS = "CONFLICT"
_CONFLICTS_S = 90 * 24 * 60 * 60
_REMEMBERED = 4096  # conflicts that need not be written again
_READ = 1000  # conflicts that are looked at for the latest ones


class DynamoIdentities:
    """`Identities` and `Conflicts`, in the state table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table
        self._known: set[str] = set()

    def owners(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return who has each of these keys, if anybody has.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        names = [*dict.fromkeys(keys)]
        if len(names) == 1:
            with translated(_WHAT):
                answer = self._client.get_item(
                    TableName=self._table, Key=_key_of(names[0]), ConsistentRead=True
                )
            item = answer.get("Item")
            return {names[0]: item["who"]["S"]} if item else {}
        items = got(self._client, self._table, map(_key_of, names), what=_WHAT)
        return {
            item["pk"]["S"].removeprefix(_IDENTITY): item["who"]["S"] for item in items
        }

    def own(
        self, keys: Sequence[str], customer: str, *, at: int, instead_of: str = ""
    ) -> Mapping[str, str]:
        """Give a customer the keys that nobody has, or that `instead_of` has.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        return {
            key: self._own(key, customer, at, instead_of) for key in dict.fromkeys(keys)
        }

    def _own(self, key: str, customer: str, at: int, instead_of: str) -> str:
        item: dict[str, Any] = {
            **_key_of(key),
            "who": {"S": customer},
            "at": {"N": str(at)},
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if instead_of:
            condition = {
                "ConditionExpression": "attribute_not_exists(pk) OR who = :other",
                "ExpressionAttributeValues": {":other": {"S": instead_of}},
            }
        try:
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
        except LostRace as race:
            return str(race.item["who"]["S"])
        return customer

    def disown(self, keys: Sequence[str], customer: str) -> None:
        """Take keys from a customer; those of somebody else stay theirs.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        for key in dict.fromkeys(keys):
            try:
                with translated(_WHAT):
                    self._client.delete_item(
                        TableName=self._table,
                        Key=_key_of(key),
                        ConditionExpression="who = :customer",
                        ExpressionAttributeValues={":customer": {"S": customer}},
                    )
            except LostRace:
                continue  # somebody else's, or nobody's

    def contest(self, conflict: Conflict) -> bool:
        """Keep a conflict, and say whether it is new.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        place = _place(conflict.key, conflict.claimant)
        if place in self._known:
            return False
        try:
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **_row(place),
                        "key": {"S": conflict.key},
                        "kind": {"S": conflict.kind},
                        "holder": {"S": conflict.holder},
                        "claimant": {"S": conflict.claimant},
                        "at": {"N": str(conflict.at)},
                        "ttl": {"N": str(conflict.at // 1000 + _CONFLICTS_S)},
                    },
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except LostRace:
            new = False
        else:
            new = True
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known.add(place)
        return new

    def contested(self, limit: int) -> Sequence[Conflict]:
        """Return the latest conflicts, newest first, of a thousand that are looked at.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: They can't be read.
        """
        found: list[Conflict] = []
        for item in rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _CONFLICTS}},
        ):
            found.append(conflict_of(item))
            if len(found) == _READ:
                break
        return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

    def reconcile(self, key: str, claimant: str) -> bool:
        """Remove a conflict that somebody has dealt with, and say whether there was one.

        Raises:
            StoreBusy: DynamoDB is; the same again may work.
            StoreError: The table can't be used.
        """
        place = _place(key, claimant)
        with translated(_WHAT):
            found = self._client.get_item(
                TableName=self._table, Key=_row(place), ConsistentRead=True
            )
        delete(self._client, self._table, [_row(place)], what=_WHAT)
        self._known.discard(place)
        return "Item" in found


def _key_of(key: str) -> dict[str, Any]:
    return {"pk": {"S": f"{_IDENTITY}{key}"}, "sk": {"S": "owner"}}


def _row(place: str) -> dict[str, Any]:
    return {"pk": {"S": _CONFLICTS}, "sk": {"S": place}}


def _place(key: str, claimant: str) -> str:
    """A sort key holds 1 KB, which a customer's id alone may have."""
    return derived("conflict", key, claimant)


def conflict_of(item: Mapping[str, Any]) -> Conflict:
    """Read the item of a conflict.

    Raises:
        StoreError: It can't be read.
    """
    try:
        return Conflict(
            key=item["key"]["S"],
            kind=item["kind"]["S"],
            holder=item["holder"]["S"],
            claimant=item["claimant"]["S"],
            at=int(item["at"]["N"]),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise StoreError(
            f"{_WHAT}: a conflict in the state table can't be read "
            f"({type(error).__name__}); remove its item"
        ) from error
