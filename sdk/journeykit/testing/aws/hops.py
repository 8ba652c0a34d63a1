"""The hops between the functions: what AWS does, and moto does not.

Each hop hands a function what stands before it, as Lambda's event source mappings do:

- from a queue: a batch; messages of which the function doesn't say that they failed are
  deleted, the others are handed over again when they become visible, and go to the
  queue's dead letters when that was too often (which moto does);
- from a stream: a batch in order; from the first record that failed on they come again,
  and a batch that fails as a whole is cut in two.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from journeykit.testing.aws.account import Account, Received
from journeykit.testing.aws.functions import Function, FunctionError
from journeykit.testing.aws.template import ACCOUNT, PARTITION

_AGAIN = 0.5  # of the messages come twice, where they do at all
_REST_MS = 1000  # before a stream's batch comes again, doubled each time up to a minute
_LONGEST_REST_MS = 60_000


class Failure(NamedTuple):
    """An invocation that failed, altogether or for some of its records.

    Attributes:
        at: When, milliseconds.
        function: Whose.
        error: What it raised.
    """

    at: int
    function: str
    error: FunctionError


class FromQueue:
    """A queue before a function."""

    def __init__(
        self,
        account: Account,
        function: Function,
        *,
        queue: str,
        batch_size: int,
        reports: bool,
        failures: list[Failure],
        disorder: Random | None,
    ) -> None:
        """Join the parts.

        Args:
            account: Where they are.
            function: Who is handed the messages.
            queue: The queue's name.
            batch_size: The most at once.
            reports: Whether the function says which messages failed.
            failures: Where failed invocations are noted.
            disorder: Draws which messages come twice, and in which order.
        """
        self._account = account
        self.function = function
        self._disorder = disorder
        self.queue = queue
        self._batch_size = batch_size
        self._reports = reports
        self._failures = failures

    def run(self) -> bool:
        """Hand one batch over; return whether there was one."""
        if not self._account.is_ready(self.queue):
            return False
        if self._disorder is not None:
            self._account.shuffle(self.queue, self._disorder)
        messages = self._account.receive(self.queue, self._batch_size)
        if not messages:
            return False  # what was ready went to the dead letters
        records = [self._record(message) for message in messages]
        try:
            answer = self.function({"Records": records})
        except FunctionError as error:
            self._note(error)
            return True
        failed = _failed(answer) if self._reports else set[str]()
        if failed:
            self._note(_some(failed, messages))
        if "" in failed:
            return True  # by Lambda's rule: all of them
        done = [
            one.receipt
            for one in messages
            if one.id not in failed and not self._comes_again(one)
        ]
        if done:
            self._account.delete(self.queue, done)
        return True

    def next_at(self) -> int | None:
        """When there is something to hand over next."""
        return self._account.ready_at(self.queue)

    def _note(self, error: FunctionError) -> None:
        self._failures.append(
            Failure(self._account.now, self.function.settings.name, error)
        )

    def _comes_again(self, message: Received) -> bool:
        """Whether SQS forgets that a message was deleted; only after the first time."""
        is_first = message.attributes["ApproximateReceiveCount"] == "1"
        return bool(self._disorder and is_first and self._disorder.random() < _AGAIN)

    def _record(self, message: Received) -> dict[str, Any]:
        """A message as Lambda hands it over."""
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": dict(message.attributes),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.message_attributes.items()
            },
            "md5OfBody": message.md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": (
                f"arn:{PARTITION}:sqs:{self._account.region}:{ACCOUNT}:{self.queue}"
            ),
            "awsRegion": self._account.region,
        }


class FromStream:
    """A table's stream before a function."""

    def __init__(
        self,
        account: Account,
        function: Function,
        *,
        table: str,
        batch_size: int,
        reports: bool,
        bisects: bool,
        failures: list[Failure],
    ) -> None:
        """Join the parts.

        Args:
            account: Where they are.
            function: Who is handed the records.
            table: The table's name.
            batch_size: The most at once.
            reports: Whether the function says from which record on it failed.
            bisects: Whether a batch that fails as a whole is cut in two.
            failures: Where failed invocations are noted.
        """
        self._account = account
        self.function = function
        self.table = table
        self._most = self._size = batch_size
        self._reports = reports
        self._bisects = bisects
        self._failures = failures
        self._read: list[Mapping[str, Any]] = []  # and not yet handled
        self._fetched = 0  # records that were taken from the stream
        self._rests_until = 0
        self._rest = _REST_MS

    @property
    def behind(self) -> int:
        """How many records wait."""
        ahead = self._account.stream_length(self.table) - self._fetched
        return ahead + len(self._read)

    def run(self) -> bool:
        """Hand one batch over; return whether there was one."""
        if self._account.now < self._rests_until or not self.behind:
            return False
        self._fetch()
        batch = self._read[: self._size]
        if not batch:
            return False
        try:
            answer = self.function({"Records": [self._record(one) for one in batch]})
        except FunctionError as error:
            self._note(error)
            if self._bisects and len(batch) > 1:
                self._size = len(batch) // 2
            else:
                self._put_off()
            return True
        failed = _failed(answer) if self._reports else set[str]()
        if failed:
            self._note(_some(failed, batch))
        numbers = [one["dynamodb"]["SequenceNumber"] for one in batch]
        done = min([numbers.index(one) for one in failed & {*numbers}], default=None)
        if failed - {*numbers}:
            done = 0  # by Lambda's rule: all of them
        self._done(len(batch) if done is None else done)
        if done is not None:
            self._put_off()
        return True

    def next_at(self) -> int | None:
        """When there is something to hand over next."""
        return max(self._account.now + 1, self._rests_until) if self.behind else None

    def begin_again(self) -> None:
        """Hand over from the first record on, as after the mapping was made anew."""
        self._read, self._fetched = [], 0

    def _fetch(self) -> None:
        records = self._account.records(self.table, self._fetched)
        self._fetched += len(records)
        self._read += filter(_is_whole, records)

    def _done(self, count: int) -> None:
        del self._read[:count]
        if count:
            self._size, self._rest = self._most, _REST_MS

    def _put_off(self) -> None:
        self._rests_until = self._account.now + self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST_MS)

    def _note(self, error: FunctionError) -> None:
        self._failures.append(
            Failure(self._account.now, self.function.settings.name, error)
        )

    def _record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record as Lambda hands it over."""
        change = dict(record["dynamodb"])
        change["ApproximateCreationDateTime"] = int(
            change["ApproximateCreationDateTime"].timestamp()
        )
        for part in ("Keys", "NewImage", "OldImage"):
            if part in change:
                change[part] = _as_json(change[part])
        region = self._account.region
        return {
            "eventID": record["eventID"],
            "eventName": record["eventName"],
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": region,
            "dynamodb": change,
            "eventSourceARN": (
                f"arn:{PARTITION}:dynamodb:{region}:{ACCOUNT}:table/{self.table}"
                "/stream/emulated"
            ),
        }


def _some(failed: set[str], batch: Sequence[object]) -> FunctionError:
    how_many = len(batch) if "" in failed else len(failed)
    return FunctionError(f"{how_many} of {len(batch)} records are to come again")


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether it is a record that DynamoDB would write.

    Before an item that UpdateItem makes, moto writes one of the bare key.
    """
    change = record["dynamodb"]
    return bool(record["eventName"] != "INSERT" or change["NewImage"] != change["Keys"])


def _failed(answer: Any) -> set[str]:
    """What a function says has failed; an empty id: it said so wrongly."""
    if not isinstance(answer, Mapping):
        return set()
    found: Sequence[Any] = answer.get("batchItemFailures") or ()
    return {
        str(one.get("itemIdentifier") or "") if isinstance(one, Mapping) else ""
        for one in found
    }


def _as_json(value: Any) -> Any:
    """An image as it stands in a function's event: what is binary as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_as_json(part) for part in value]
    return value
