"""SQS queues: parcels go out in batches, and what is not taken is told apart.

A batch of SQS's may be taken in part. What failed for want of capacity is sent again with
back-off, so that only a lasting fault comes to whoever called. What can't be sent by
anybody, ever, is named in `Unsendable`, so that the caller can bury it: to raise for it
like for a fault would bring it again for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from botocore.exceptions import ClientError

from journeykit.aws.failures import code_of, may_work_later, pauses, translated
from journeykit.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    Entry: TypeAlias = SendMessageBatchRequestEntryTypeDef

# Quotas of SQS as of November 2026: a message, and all messages of a batch together,
# with the names, types and values of their attributes.
BATCH = 10
MAX_BYTES = 1024 * 1024
MAX_DELAY_S = 900

_ATTEMPTS = 4  # more, of a batch of which a part is not taken
_WRONG_CONTENTS = frozenset({"InvalidMessageContents", "InvalidParameterValue"})
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


class Parcel(msgspec.Struct, frozen=True):
    """A message on its way out.

    Attributes:
        body: The text.
        attributes: What stands on the outside: name to value, none of them empty.
        delay_s: For how many seconds nobody is handed it, up to 900.
    """

    body: str
    attributes: Mapping[str, str] = {}
    delay_s: int = 0

    def __post_init__(self) -> None:
        """Refuse what no queue takes.

        Raises:
            ValueError: It would have to wait for longer than SQS keeps anything back.
        """
        if not 0 <= self.delay_s <= MAX_DELAY_S:
            raise ValueError(
                f"a message is kept back for 0 to {MAX_DELAY_S} s, not {self.delay_s} s"
            )

    @property
    def size(self) -> int:
        """Bytes, as SQS counts them."""
        named = sum(
            len(name.encode()) + len(_TYPE) + len(value.encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + named


_TYPE = "String"


def sendable(document: bytes) -> str:
    """JSON as a text that SQS and EventBridge take: they refuse two characters of it."""
    text = document.decode()
    if text.isascii():
        return text
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


class Unsendable(StoreError):
    """Some of it can't be sent, whoever tries; everything else was.

    Attributes:
        refused: Which of what was given, by its place from 0, and why.
    """

    def __init__(self, message: str, *, refused: Mapping[int, str]) -> None:
        """Keep what is to be buried."""
        super().__init__(message)
        self.refused = refused


class NoQueue(StoreError):
    """There is no such queue; the message says which."""


class Queue:
    """One queue, to send to.

    Attributes:
        url: By which SQS knows it.
    """

    def __init__(
        self,
        client: SQSClient,
        url: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the queue's URL, and what waits between two attempts."""
        self._client = client
        self.url = url
        self._sleep = sleep

    @property
    def name(self) -> str:
        """The queue's name, for messages and logs."""
        return self.url.rpartition("/")[2]

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Send parcels, ten at a time; one may come out more than once.

        Raises:
            StoreBusy: Not all of them went; the same again may work.
            NoQueue: There is no such queue.
            StoreError: The queue can't be used; the message says why.
            Unsendable: Some can never be sent; all others were.
        """
        refused: dict[int, str] = {}
        for batch in _batches(parcels, refused):
            self._send(batch, refused)
        if refused:
            raise Unsendable(
                f"{len(refused)} of {len(parcels)} messages can't be sent to queue "
                f"{self.name!r}: {'; '.join(sorted(set(refused.values())))}",
                refused=refused,
            )

    def _send(self, batch: Mapping[int, Parcel], refused: dict[int, str]) -> None:
        """Send one batch, and the rest of it again; note what is refused for good."""
        left: list[Entry] = [_entry(place, parcel) for place, parcel in batch.items()]
        waits = pauses(_ATTEMPTS)
        while left:
            again: set[str] = set()
            for fault in self._put(left):
                code = fault.get("Code", "")
                if not fault.get("SenderFault") or may_work_later(code):
                    again.add(fault["Id"])
                elif code in _WRONG_CONTENTS:
                    refused[int(fault["Id"])] = code
                else:  # a key, a right: all are concerned, and the operator is asked
                    raise StoreError(
                        f"queue {self.name!r} does not take messages: {code}; look at "
                        "the queue, its key and the function's role"
                    )
            left = [entry for entry in left if entry["Id"] in again]
            if left:
                pause = next(waits, None)
                if pause is None:
                    raise StoreBusy(
                        f"the queue {self.name!r} did not take {len(left)} messages; "
                        "try again"
                    )
                self._sleep(pause)

    def _put(self, entries: Sequence[Entry]) -> Sequence[Any]:
        """Send entries; return what SQS says of those that it did not take."""
        with translated(f"the queue {self.name!r}"):
            try:
                answer = self._client.send_message_batch(
                    QueueUrl=self.url, Entries=entries
                )
            except ClientError as error:
                if code_of(error) in _NO_QUEUE:
                    raise NoQueue(
                        f"there is no queue {self.name!r}; deploy the stack with it, or "
                        "name the right one"
                    ) from error
                raise
        return answer.get("Failed", ())


def _entry(place: int, parcel: Parcel) -> Entry:
    entry: Entry = {"Id": str(place), "MessageBody": parcel.body}
    if parcel.delay_s:  # 0 is left to the queue, which the template gives no delay
        entry["DelaySeconds"] = parcel.delay_s
    if parcel.attributes:
        entry["MessageAttributes"] = {
            name: {"DataType": _TYPE, "StringValue": value}
            for name, value in parcel.attributes.items()
        }
    return entry


def _batches(
    parcels: Sequence[Parcel], refused: dict[int, str]
) -> Iterator[Mapping[int, Parcel]]:
    """Cut parcels into batches that SQS takes; note those that no batch can hold."""
    batch: dict[int, Parcel] = {}
    size = 0
    for place, parcel in enumerate(parcels):
        own = parcel.size
        if own > MAX_BYTES:
            refused[place] = f"more than {MAX_BYTES} bytes"
            continue
        if batch and (len(batch) == BATCH or size + own > MAX_BYTES):
            yield batch
            batch, size = {}, 0
        batch[place] = parcel
        size += own
    if batch:
        yield batch
