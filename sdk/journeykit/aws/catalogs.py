"""Published catalogs: a pointer to the newest one, and each in chunks of its own.

    pk (partition key)      sk (sort key)
    CATALOG                 current                 revision, digests, chunks
    CATALOG#<revision>      <digest>#<chunk>        b: a part of the compressed document

A catalog of several megabytes is more than the 400 KB of an item. So its chunks are
written first, where nobody looks yet, and then one conditional write moves the pointer.
Whoever is cut off before that leaves chunks behind that mean nothing. Two who publish the
same revision at once don't write over each other: the place of a chunk has the digest of
its document in it, and the pointer says which digest counts.

The pointer knows the digests of the revisions that are kept. So whoever has published and
never got the answer is told that it worked, even if others have published since.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from journeykit.aws.failures import LostRace, translated
from journeykit.aws.tables import delete, rows
from journeykit.errors import StaleCatalog, StoreBusy, StoreError
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import read_catalog

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger("journeykit.catalogs")

KEPT = 50
"""Revisions that are kept, as many as the embedded store keeps."""

CHUNK = 350 * 1024  # bytes; an item takes 400 KB with its keys

_POINTER = {"pk": {"S": "CATALOG"}, "sk": {"S": "current"}}
_WHAT = "the published catalogs"
_OVERTAKEN = 5  # times in a row: somebody published while the chunks were read


class _Pointer(NamedTuple):
    """Which catalog is the newest one.

    Attributes:
        revision: Its revision; 0: nothing is published.
        digests: The digests of the revisions that are kept, newest first.
        chunks: In how many parts it is.
    """

    revision: int = 0
    digests: tuple[str, ...] = ()
    chunks: int = 0

    @classmethod
    def of(cls, item: Mapping[str, Any] | None) -> _Pointer:
        if not item:
            return cls()
        digests = tuple([digest["S"] for digest in item["digests"]["L"]])
        return cls(int(item["revision"]["N"]), digests, int(item["chunks"]["N"]))

    def moved(self, digest: str, chunks: int) -> _Pointer:
        return _Pointer(self.revision + 1, (digest, *self.digests)[:KEPT], chunks)

    def item(self) -> dict[str, Any]:
        return {
            **_POINTER,
            "revision": {"N": str(self.revision)},
            "digests": {"L": [{"S": digest} for digest in self.digests]},
            "chunks": {"N": str(self.chunks)},
        }

    def has(self, revision: int, digest: str) -> bool:
        """Whether this very document was published under this revision."""
        place = self.revision - revision
        return 0 <= place < len(self.digests) and self.digests[place] == digest


class DynamoCatalogs:
    """The published catalogs, in the state table."""

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

    def revision(self) -> int:
        """Return the newest revision; 0: nothing is published."""
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table,
                Key=_POINTER,
                ProjectionExpression="revision",
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return int(item["revision"]["N"]) if item else 0

    def current(self) -> CatalogDocument | None:
        """Return the newest catalog.

        Raises:
            NewerStore: A later release wrote it.
            StoreBusy: DynamoDB is; or others publish faster than it can be read.
            StoreError: It can't be read.
        """
        known = _Pointer()
        for _ in range(_OVERTAKEN):
            pointer = self._pointer()
            if not pointer.revision:
                return None
            parts = self._parts(pointer)
            if len(parts) == pointer.chunks:
                return read_catalog(_joined(parts, pointer))
            if pointer == known:
                raise StoreError(
                    f"catalog revision {known.revision} is not whole: {len(parts)} of "
                    f"{known.chunks} parts are there; restore the state table from its "
                    "backup"
                )
            known = pointer  # its chunks may have been removed while they were read
        raise StoreBusy(f"{_WHAT}: others publish all the time; try again")

    def publish(self, catalog: CatalogDocument) -> None:
        """Make a catalog the newest one, if its revision is the next.

        The very same again, by somebody who does not know that it worked, is no error.

        Raises:
            StaleCatalog: Somebody else has published in between; nothing is changed.
            StoreBusy: DynamoDB is; it may be published all the same, and the same again
                finds out.
            StoreError: The table can't be used.
        """
        document = msgspec.json.encode(catalog)
        digest = sha256(document).hexdigest()[:32]
        before = self._pointer()  # better now than after megabytes were written
        if before.revision + 1 != catalog.revision:
            return _confirm(before, catalog.revision, digest)
        parts = _cut(zlib.compress(document))
        for number, part in enumerate(parts):
            with translated(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": {"S": _partition(catalog.revision)},
                        "sk": {"S": f"{digest}#{number:04}"},
                        "b": {"B": part},
                    },
                )
        try:
            self._move(before, before.moved(digest, len(parts)))
        except LostRace as race:
            return _confirm(_Pointer.of(race.item), catalog.revision, digest)
        self._forget(catalog.revision)
        return None

    def _pointer(self) -> _Pointer:
        with translated(_WHAT):
            answer = self._client.get_item(
                TableName=self._table, Key=_POINTER, ConsistentRead=True
            )
        return _Pointer.of(answer.get("Item"))

    def _move(self, before: _Pointer, after: _Pointer) -> None:
        """Let the pointer show the next revision, if nobody else has moved it."""
        if before.revision:
            expected: dict[str, Any] = {
                "ConditionExpression": "revision = :before",
                "ExpressionAttributeValues": {":before": {"N": str(before.revision)}},
            }
        else:
            expected = {"ConditionExpression": "attribute_not_exists(pk)"}
        with translated(_WHAT):
            self._client.put_item(
                TableName=self._table,
                Item=after.item(),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expected,
            )

    def _parts(self, pointer: _Pointer) -> list[bytes]:
        items = rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk and begins_with(sk, :digest)",
            ExpressionAttributeValues={
                ":pk": {"S": _partition(pointer.revision)},
                ":digest": {"S": f"{pointer.digests[0]}#"},
            },
        )
        return [item["b"]["B"] for item in items]

    def _forget(self, revision: int) -> None:
        """Remove what is kept no longer.

        What can't be removed now is tried once more with the next publish. The catalog is
        published, and that is what counts.
        """
        try:
            for old in (revision - KEPT, revision - KEPT - 1):
                if old > 0:
                    delete(
                        self._client,
                        self._table,
                        self._keys(old),
                        what=_WHAT,
                        sleep=self._sleep,
                    )
        except StoreError as error:
            _log.warning("an old catalog was not removed: %s", error)

    def _keys(self, revision: int) -> Iterator[Mapping[str, Any]]:
        return rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _partition(revision)}},
            ProjectionExpression="pk, sk",
        )


def _confirm(found: _Pointer, revision: int, digest: str) -> None:
    """Say whether what is published is what was to be."""
    if not found.has(revision, digest):
        raise StaleCatalog(
            f"catalog revision {found.revision} is published, so {revision} can't be; "
            "look at what is new in it and publish again"
        )


def _partition(revision: int) -> str:
    return f"CATALOG#{revision:012}"


def _cut(document: bytes) -> list[bytes]:
    return [document[at : at + CHUNK] for at in range(0, len(document), CHUNK)]


def _joined(parts: list[bytes], pointer: _Pointer) -> bytes:
    """The document of these parts."""
    try:
        document = zlib.decompress(b"".join(parts))
    except zlib.error as error:
        raise StoreError(
            f"catalog revision {pointer.revision} can't be read: {error}"
        ) from error
    if sha256(document).hexdigest()[:32] != pointer.digests[0]:
        raise StoreError(
            f"catalog revision {pointer.revision} is not what was published; restore "
            "the state table from its backup"
        )
    return document
