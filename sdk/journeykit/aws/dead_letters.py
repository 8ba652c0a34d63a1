"""The queues of dead letters, read by an operator: what is in them about somebody.

SQS can't be asked; whoever wants to look is handed messages, and gives back what is not
meant. While a look lasts, and for a quarter of an hour after one that was cut off, nobody
else is handed them. Looks don't count: these queues hand on to no other.

A queue hands out 120,000 messages at once and no more, so one that holds more can't be
searched whole; send them on, or purge it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from journeykit.aws.failures import translated
from journeykit.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_WHAT = "the dead letters"
_BATCH = 10
_HELD_S = 900  # within it a look has to be over
_WAIT_S = 1  # so that SQS asks all of its servers before it says that there is nothing
_DEAD = re.compile(
    r"(events|wakes|feedback|deliver-[a-z0-9_-]{1,30})-dead|dead-letters"
)

Letter = Mapping[str, Any]
"""A message as SQS hands it over."""


class DeadLetterQueues:
    """All queues of a stack that nobody reads."""

    def __init__(self, client: SQSClient, stack: str, *, wait_s: int = _WAIT_S) -> None:
        """Ask nobody yet.

        Args:
            client: Of SQS.
            stack: The stack's name, with which the queues' names begin.
            wait_s: How long to wait for a message, seconds.
        """
        self._client = client
        self._stack = stack
        self._wait_s = wait_s

    def find(self, is_meant: Callable[[Letter], bool]) -> Sequence[tuple[str, Letter]]:
        """Return the letters that a test picks, each behind its queue's name.

        Raises:
            StoreError: A queue can't be read.
        """
        found: list[tuple[str, Letter]] = []
        for url in self._urls():
            kept: list[str] = []
            try:
                for letter in self._letters(url):
                    kept.append(letter["ReceiptHandle"])
                    if is_meant(letter):
                        found.append((_name(url), letter))
            finally:
                self._give_back(url, kept)
        return found

    def remove(self, is_meant: Callable[[Letter], bool]) -> int:
        """Remove the letters that a test picks; return how many these were.

        Raises:
            StoreBusy: Not all of them are removed; the same again may work.
            StoreError: A queue can't be used.
        """
        count = 0
        for url in self._urls():
            kept: list[str] = []
            meant: list[str] = []
            try:
                for letter in self._letters(url):
                    handles = meant if is_meant(letter) else kept
                    handles.append(letter["ReceiptHandle"])
                self._delete(url, meant)
            finally:
                self._give_back(url, kept)
            count += len(meant)
        return count

    def _urls(self) -> Iterator[str]:
        asked: dict[str, Any] = {"QueueNamePrefix": f"{self._stack}-"}
        while True:
            with translated(_WHAT):
                answer = self._client.list_queues(MaxResults=1000, **asked)
            for url in answer.get("QueueUrls", ()):
                # Of a stack `shop-2` the queues begin with `shop-`, too.
                if _DEAD.fullmatch(_name(url).removeprefix(f"{self._stack}-")):
                    yield url
            if not (token := answer.get("NextToken")):
                return
            asked["NextToken"] = token

    def _letters(self, url: str) -> Iterator[Letter]:
        """Yield what is in a queue, each letter once."""
        known: set[str] = set()
        while True:
            with translated(_WHAT):
                answer = self._client.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_HELD_S,
                    WaitTimeSeconds=self._wait_s,
                    MessageAttributeNames=["All"],
                )
            new = [
                one
                for one in answer.get("Messages", ())
                if one["MessageId"] not in known
            ]
            if not new:
                return
            known.update(one["MessageId"] for one in new)
            yield from new

    def _delete(self, url: str, handles: Sequence[str]) -> None:
        for entries in _entries(handles):
            with translated(_WHAT):
                answer = self._client.delete_message_batch(
                    QueueUrl=url, Entries=entries
                )
            if failed := answer.get("Failed"):
                raise StoreBusy(
                    f"{_WHAT}: {len(failed)} in {_name(url)!r} can't be removed "
                    f"({failed[0].get('Code', '')}); try again later"
                )

    def _give_back(self, url: str, handles: Sequence[str]) -> None:
        """Let others have letters; those that can't be come back by themselves."""
        for entries in _entries(handles):
            with translated(_WHAT):
                for entry in entries:
                    entry["VisibilityTimeout"] = 0
                self._client.change_message_visibility_batch(
                    QueueUrl=url, Entries=entries
                )


def about(is_about: Callable[[str], bool]) -> Callable[[Letter], bool]:
    """Make a test of texts one of letters."""
    return lambda letter: is_about(text_of(letter))


def text_of(letter: Letter) -> str:
    """What is in a letter; as text, if it is any."""
    body: str = letter.get("Body", "")
    if attribute_of(letter, "encoding") == "base64":
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(body).decode("utf-8", "replace")
    return body


def attribute_of(letter: Letter, name: str) -> str:
    """What stands on the outside of a letter; empty if nothing does."""
    value: str = (
        letter.get("MessageAttributes", {}).get(name, {}).get("StringValue", "")
    )
    return value


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _entries(handles: Sequence[str]) -> Iterator[list[Any]]:
    left = iter(handles)
    while batch := [*islice(left, _BATCH)]:
        yield [
            {"Id": str(place), "ReceiptHandle": handle}
            for place, handle in enumerate(batch)
        ]
