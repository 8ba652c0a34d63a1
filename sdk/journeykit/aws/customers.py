"""The customers in DynamoDB: one item each, and one conditional write for a reaction.

    key   id    S   who
          r     N   the document's revision, which every write asks for and counts on
          d     B   the document: see `journeykit.aws.documents`
          due   N   its `next_due`, milliseconds; not there if there is nothing due. Of who was
              merged: when `out` is removed, which holds all that was known of them
          w     N   the revision that brought this `due`, or found it past: then the relay
                    arms the timer
          out   M   revision → {at N, c [B, …]}: the commands of the last 25 hours and
                    when they were decided, so that a repair can pass them on again
          log   B   the decisions of revision `r` alone, lines of JSON under zlib; not
                    there if it has none

Document, wake-up, commands and decisions are one `UpdateItem`: all of it is stored or
nothing is. The table's stream shows the new item to the relay, which passes on
`out[r]` and `log`, and arms `due` if `w` is `r`. So there is no second write for an
outbox; a transaction of two would cost twice as much.

A write whose answer got lost is asked again by botocore, and then finds its own revision
in the way. What stands there is compared: if it is what was to be written, it was
written. Customers are independent of each other: of a commit that fails in the middle,
those before are stored, and the same commit may simply be tried again, for by then
their revisions refuse it and the runtime looks again.
"""

from __future__ import annotations

import logging
import random
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from journeykit.aws.documents import packed, packed_command, unpacked, unpacked_command
from journeykit.aws.failures import LostRace, code_of, pauses, translated
from journeykit.engine.commands import AbsorbCustomer
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Absorb
from journeykit.errors import DamagedDocument, StoreBusy, StoreError
from journeykit.ports import NOTHING, Along, Change, DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger("journeykit.store")

_TABLE = "the customers table"  # in messages
_KEPT_MS = 25 * 60 * 60_000  # commands: a stream is read for 24 hours at most
_PENDING = 64 * 1024  # bytes of commands of one customer
_DROPPED = 100  # entries by one write: an expression has 4 KB at most, in bytes
_REMEMBERED = 16_384  # customers of whose commands we know without asking
_BATCH = 100  # keys in one BatchGetItem
_TRIES = 6  # further ones for what a batch leaves over, while nothing moves

_OVER_SIZE = "Item size"  # so begins what DynamoDB says of it


class _Decided(NamedTuple):
    """An entry of a customer's `out`: its revision, its instant, bytes of its commands."""

    revision: int
    at: int
    size: int


class _Pending(NamedTuple):
    """What stands in a customer's `out`, and by which revision it did."""

    revision: int
    decided: tuple[_Decided, ...]


class _Write(NamedTuple):
    """A change, as DynamoDB is asked for it.

    Attributes:
        id: Whose.
        revision: Of the document that is written, as DynamoDB has numbers.
        document: It, packed.
        decided: The entry of `out`; empty if there is none.
        request: What DynamoDB is asked.
        pending: What is in `out` once it is written; None: not known.
    """

    id: str
    revision: Mapping[str, str]
    document: bytes
    decided: Mapping[str, Any]
    request: Mapping[str, Any]
    pending: _Pending | None


class _TooManyCommandsError(StoreBusy):
    """A customer has as many commands as an item may hold."""


class _TooLargeError(StoreError):
    """An item would be larger than DynamoDB keeps."""


class DynamoCustomers:
    """A `CustomerStore` and `Scan` in one table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        log: Callable[[bytes], None],
        bury: Callable[[Sequence[DeadLetter]], None],
        clock: Callable[[], int],
        keeps_all: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take the parts.

        Args:
            client: Of DynamoDB.
            table: The table's name.
            log: Takes decisions that changed no document: there is no item for them.
            bury: Takes what could not be handled.
            clock: Returns the instant, milliseconds.
            keeps_all: Whether no command is to be dropped, however old: so it is while
                the relay is unhealthy.
            sleep: Waits, seconds.
            draw: Returns a number from 0 to 1, for the jitter.
        """
        # What goes in and comes out is built here, and the types of the stubs would be
        # longer than that.
        self._client: Any = client
        self._table = table
        self._log = log
        self._bury = bury
        self._clock = clock
        self._keeps_all = keeps_all
        self._sleep = sleep
        self._draw = draw
        self._known: dict[str, _Pending] = {}
        # What each item is to say besides; one that says so already is left alone.
        self._besides: Mapping[str, Mapping[str, Any]] = {}

    # --- reading ---------------------------------------------------------------------

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are, by id.

        Raises:
            StoreBusy: AWS is busy; the same again may work.
            StoreError: One can't be read, or the table can't.
        """
        found = {}
        for item in self._items([*dict.fromkeys(ids)]):
            id = item["id"]["S"]
            found[id] = unpacked(_bytes(item, "d"), id)
            self._remember(id, _pending_of(item))
        return found

    def _items(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        asked = _asked("id", "r", "d", "out")
        if len(ids) == 1:
            with translated(_TABLE):
                answer = self._client.get_item(
                    TableName=self._table, Key=_key(ids[0]), **asked
                )
            if "Item" in answer:
                yield answer["Item"]
            return
        for start in range(0, len(ids), _BATCH):
            keys = [_key(id) for id in ids[start : start + _BATCH]]
            yield from self._batch(keys, asked)

    def _batch(
        self, keys: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items of up to 100 keys. An answer ends at 16 MB, or when throttled."""
        waits = pauses(_TRIES, draw=self._draw)
        while True:
            with translated(_TABLE):
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, **asked}}
                )
            yield from answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys", {}).get(self._table, {})
            if not (over := left.get("Keys")):
                return
            if len(over) < len(keys):  # it moves
                waits = pauses(_TRIES, draw=self._draw)
            keys = over
            wait = next(waits, None)
            if wait is None:
                raise StoreBusy(
                    f"{_TABLE}: DynamoDB left {len(keys)} documents over, again and "
                    "again; try again later"
                )
            self._sleep(wait)

    def due(self, before: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return whose `next_due` is at or before an instant, and when, earliest first.

        It reads the whole table: it is there for looking and for tests. Who wakes
        people are the timers.
        """
        waiting = (
            (int(item["due"]["N"]), item["id"]["S"])
            for item in self._pages(
                FilterExpression="#due <= :before",
                ExpressionAttributeValues={":before": _number(before)},
                **_projection("id", "due"),
            )
        )
        return nsmallest(limit, waiting)

    def scan(
        self, after: str, limit: int, *, part: int = 0, parts: int = 1
    ) -> Sequence[Customer]:
        """Return the customers behind an id, in the table's own order, which stays.

        With `parts` the table is read in so many parts, which several may do at once.

        Who can't be read is passed over. It is read consistently: a job that visits
        everybody is to miss nobody who was there when it began.
        """
        found: list[Customer] = []
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
        #     #Scan.ParallelScan
        segment = {"Segment": part, "TotalSegments": parts} if parts > 1 else {}
        for item in self._pages(
            limit, after, ConsistentRead=True, **segment, **_projection("id", "d")
        ):
            id = item["id"]["S"]
            try:
                found.append(unpacked(_bytes(item, "d"), id))
            except DamagedDocument as error:
                _log.warning("passed over: %s", error)
            if len(found) == limit:
                break
        return found

    def _pages(
        self, limit: int | None = None, after: str = "", **asked: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a scan, over as many pages as it takes."""
        if limit is not None:
            asked["Limit"] = limit
        if after:
            asked["ExclusiveStartKey"] = _key(after)
        while True:
            with translated(_TABLE):
                answer = self._client.scan(TableName=self._table, **asked)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # --- merged customers ------------------------------------------------------------

    def handovers(self, customers: Sequence[str]) -> Sequence[Absorb]:
        """Return what merged customers have left, as far as it is still on its way.

        Raises:
            StoreBusy: AWS is busy; the same again may work.
            StoreError: The table can't be used, or a later release wrote a command.
        """
        found: list[Absorb] = []
        for item in self._items([*dict.fromkeys(customers)]):
            for entry in item.get("out", {}).get("M", {}).values():
                for body in entry["M"]["c"]["L"]:
                    with suppress(ValueError):  # damaged: the relay has buried it
                        command = unpacked_command(bytes(body["B"]))
                        if isinstance(command, AbsorbCustomer):
                            found.append(Absorb.of(command))
        return found

    def forget_handovers(self, customers: Sequence[str]) -> None:
        """Remove the commands and decisions of tombstones, which nothing else rewrites.

        Raises:
            StoreBusy: AWS is busy; the same again may work.
            StoreError: The table can't be used.
        """
        now = self._clock()
        for item in self._items([*dict.fromkeys(customers)]):
            id = item["id"]["S"]
            self._known.pop(id, None)
            if not unpacked(_bytes(item, "d"), id).merged_into:
                continue  # it has come to life
            kept_since = now - _KEPT_MS
            update = _Update()
            if self._keeps_all() or any(
                entry.at > kept_since for entry in _pending_of(item).decided
            ):  # a repair may still want them: look again
                update.set(_number(now + _KEPT_MS), "due")
                update.set(item["r"], "w")
            else:
                update.set({"M": {}}, "out")
                for name in ("log", "due", "w"):
                    update.remove(name)
            with suppress(LostRace), translated(_TABLE):
                asked = update.asked(item["r"])
                self._client.update_item(TableName=self._table, Key=_key(id), **asked)

    # --- writing ---------------------------------------------------------------------

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """Store changes, each whole, one after the other.

        Returns:
            The customers whose change was refused. What goes along is passed on only if
            none was.

        Raises:
            ValueError: Two changes of one customer, or something goes along that only an
                embedded store keeps. Nothing was stored.
            StoreBusy: AWS is busy, or a customer has 64 KB of commands already. What
                was stored until then stays; the same commit may be tried again.
            StoreError: The table can't be used, or an item would be too large. See
                `StoreBusy` for what was stored.
        """
        if len({change.after.id for change in changes}) < len(changes):
            raise ValueError("a commit takes one change of a customer")
        if along.bookmark or along.handled:
            raise ValueError(
                "bookmarks and inboxes are an embedded store's; a queue is told what "
                "was handled by whoever read it"
            )
        now = self._clock()
        kept_since = now - _KEPT_MS if not self._keeps_all() else -1
        refused: set[str] = set()
        failed: list[StoreError] = []
        for change in changes:
            try:
                write = self._prepared(change, now, kept_since)
                if not self._stored(write):
                    refused.add(change.after.id)
            except (_TooManyCommandsError, _TooLargeError) as error:
                failed.append(error)  # the others are not concerned
        if failed:
            raise failed[0]
        if not refused:
            # A log that has a line twice is read right; letters are for people.
            if along.lines:
                self._log(along.lines)
            if along.dead:
                self._bury(along.dead)
        return refused

    def _prepared(self, change: Change, now: int, kept_since: int) -> _Write:
        """Say what DynamoDB is to be asked.

        Raises:
            _TooManyCommandsError: They have to be relayed, or grow old, first.
        """
        before, after = change.before, change.after
        revision = _number(after.revision)
        document = packed(after)
        commands = [packed_command(command) for command in change.commands]
        known = self._pending_before(change)
        kept: list[_Decided] = []
        old: list[_Decided] = []
        for entry in known.decided if known else ():
            (kept if entry.at >= kept_since else old).append(entry)
        size = sum(map(len, commands))
        # Somebody with none is let in with any number: it can't become less by waiting.
        if commands and kept and size + sum([it.size for it in kept]) > _PENDING:
            raise _TooManyCommandsError(
                f"a customer has {_PENDING // 1024} KB of commands of the last 25 hours; "
                "who asks for so many should wait"
            )

        update = _Update()
        update.set(revision, "r")
        update.set({"B": document}, "d")
        for name, value in self._besides.items():
            update.set(value, name)
        due, was_due = after.next_due, before.next_due if before else None
        if after.merged_into:  # nothing but `forget_handovers` writes it again
            due = now + _KEPT_MS + 1
        if before is not None and before.merged_into:
            was_due = -1  # that of the tombstone
        # What was left over for want of budget is due at the same instant once more,
        # and the wake-up of that instant has been.
        if before is None or due != was_due or (due is not None and due <= now):
            update.set(revision, "w")
        if due != was_due:
            if due is not None:
                update.set(_number(due), "due")
            else:
                update.remove("due")
        if change.lines:
            update.set({"B": zlib.compress(change.lines)}, "log")
        elif before is not None:
            update.remove("log")
        decided: Mapping[str, Any] = {}
        if commands:
            listed = {"L": [{"B": command} for command in commands]}
            decided = {"M": {"at": _number(now), "c": listed}}
            kept.append(_Decided(after.revision, now, size))
        if before is None:
            entries = {str(after.revision): decided} if decided else {}
            update.set({"M": entries}, "out")
        elif decided:
            update.set(decided, "out", after.revision)
        for entry in old[:_DROPPED]:
            update.remove("out", entry.revision)
        kept = [*old[_DROPPED:], *kept]
        return _Write(
            after.id,
            revision,
            document,
            decided,
            {
                "TableName": self._table,
                "Key": _key(after.id),
                **update.asked(
                    None if before is None else _number(before.revision), self._besides
                ),
            },
            _Pending(after.revision, tuple(kept)) if known else None,
        )

    def _pending_before(self, change: Change) -> _Pending | None:
        """Return what stands in `out`; None: not known, and not worth a question."""
        before = change.before
        if before is None:
            return _Pending(0, ())
        known = self._known.get(before.id)
        if known is not None and known.revision == before.revision:
            return known
        if not change.commands:
            return None
        # Loaded too long ago to be remembered, or by somebody else.
        with translated(_TABLE):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(before.id), **_asked("r", "out")
            )
        # If that is nobody, or of another revision, the write will be refused.
        return _pending_of(answer["Item"]) if "Item" in answer else None

    def _stored(self, write: _Write) -> bool:
        """Write; return whether it is stored, and not refused.

        Raises:
            _TooLargeError: DynamoDB doesn't keep items of that size.
            StoreBusy: It may be stored or not.
            StoreError: The table can't be used.
        """
        # Whatever becomes of it, what was known is no longer so.
        self._known.pop(write.id, None)
        try:
            with translated(_TABLE):
                self._update(write.request)
        except LostRace as race:
            if self._besides and self._besides.items() <= race.item.items():
                return True
            if not race.repeated or not _is_there(write, race.item):
                return False
            # The answer to the first try got lost: what was written stands there.
        if write.pending:
            self._remember(write.id, write.pending)
        return True

    def _update(self, request: Mapping[str, Any]) -> None:
        try:
            self._client.update_item(**request)
        except ClientError as error:
            if code_of(error) == "ValidationException" and _OVER_SIZE in str(error):
                raise _TooLargeError(
                    "a customer's item would be larger than the 400 KB that DynamoDB "
                    "keeps: what is in the profile, or in the commands of the last 25 "
                    "hours, has to become less"
                ) from error
            raise

    def _remember(self, id: str, pending: _Pending) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id] = pending


class _Update:
    """An update expression, put together piece by piece."""

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._removes: list[str] = []
        self._values: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, str] = {}

    def set(self, value: Mapping[str, Any], *path: str | int) -> None:
        """Set an attribute, or an entry of one."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        self._sets.append(f"{self._path(path)} = {placeholder}")

    def remove(self, *path: str | int) -> None:
        """Remove an attribute, or an entry of one, if it is there."""
        self._removes.append(self._path(path))

    def asked(
        self,
        before: Mapping[str, str] | None,
        unless: Mapping[str, Mapping[str, Any]] = {},
    ) -> Mapping[str, Any]:
        """Return what `UpdateItem` is asked.

        Args:
            before: The revision that is to be there; None: nobody is to be there.
            unless: Nothing is written if these attributes are these already.
        """
        if before is None:
            condition = f"attribute_not_exists({self._path(['id'])})"
        else:
            condition = f"{self._path(['r'])} = :before"
            self._values[":before"] = before
        for number, (name, value) in enumerate(unless.items()):
            there, as_said = self._path([name]), f":unless{number}"
            condition += f" AND (attribute_not_exists({there}) OR {there} <> {as_said})"
            self._values[f":unless{number}"] = value
        expression = f"SET {', '.join(self._sets)}"
        if self._removes:
            expression += f" REMOVE {', '.join(self._removes)}"
        return {
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _path(self, path: Sequence[str | int]) -> str:
        # Always by placeholder: `out` and `log` are words of DynamoDB's own, and a
        # number is no name.
        names = {f"#{name}": str(name) for name in path}
        self._names.update(names)
        return ".".join(names)


def _is_there(write: _Write, item: Mapping[str, Any]) -> bool:
    """Whether what stands there is what was to be written, and nothing after it."""
    if _bytes(item, "d") != write.document:  # its revision is in it
        return False
    decided = item.get("out", {}).get("M", {}).get(write.revision["N"], {})
    return bool(decided == write.decided)


def _pending_of(item: Mapping[str, Any]) -> _Pending:
    entries = item.get("out", {}).get("M", {})
    decided = [
        _Decided(
            int(revision),
            int(entry["M"]["at"]["N"]),
            sum([len(command["B"]) for command in entry["M"]["c"]["L"]]),
        )
        for revision, entry in entries.items()
    ]
    return _Pending(int(item["r"]["N"]), tuple(decided))


def _asked(*names: str) -> Mapping[str, Any]:
    """Which attributes to read; consistently, for they are about to be written."""
    return {"ConsistentRead": True, **_projection(*names)}


def _projection(*names: str) -> Mapping[str, Any]:
    return {
        "ProjectionExpression": ", ".join([f"#{name}" for name in names]),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
    }


def _key(id: str) -> Mapping[str, Any]:
    return {"id": {"S": id}}


def _number(value: int) -> Mapping[str, str]:
    return {"N": str(value)}


def _bytes(item: Mapping[str, Any], name: str) -> bytes:
    """The bytes of an attribute; none if it is not there."""
    return bytes(item.get(name, {}).get("B", b""))
