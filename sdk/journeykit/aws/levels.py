"""Whether a queue is there, and how much stands in it: for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import ClientError

from journeykit.aws.failures import code_of, translated

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

_WAITING: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: Final = "ApproximateNumberOfMessagesDelayed"


class Level(msgspec.Struct, frozen=True):
    """How much stands in a queue; AWS counts by the minute, about.

    Attributes:
        waiting: What could be handled now.
        in_flight: What is being handled.
        delayed: What is kept back for a while.
    """

    waiting: int
    in_flight: int
    delayed: int


class Levels:
    """Looks at queues."""

    def __init__(self, client: SQSClient) -> None:
        """Take a client of SQS."""
        self._client = client

    def exists(self, name: str) -> bool:
        """Whether there is a queue of this name.

        Raises:
            StoreError: Nobody may say, or AWS is busy.
        """
        with translated(f"the queue {name!r}"):
            try:
                self._client.get_queue_url(QueueName=name)
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return False
                raise
        return True

    def of(self, url: str) -> Level | None:
        """How much stands in the queue at a URL; None: it isn't there.

        Raises:
            StoreError: Nobody may say, or AWS is busy.
        """
        name = url.rpartition("/")[2]
        with translated(f"the queue {name!r}"):
            try:
                found = self._client.get_queue_attributes(
                    QueueUrl=url, AttributeNames=[_WAITING, _IN_FLIGHT, _DELAYED]
                )["Attributes"]
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
        return Level(int(found[_WAITING]), int(found[_IN_FLIGHT]), int(found[_DELAYED]))
