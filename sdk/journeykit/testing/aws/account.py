"""An AWS account in the memory of this process, by moto, with a clock of its own.

All that the emulator knows of moto beyond what AWS has stands here:

- moto is one object without locks, so one lock is around its request handler;
- a queue's messages and a stream's length are looked at from inside, since nobody could
  ask SQS when the next message becomes visible;
- the envelope that its EventBridge hands to SQS is replaced: moto's lacks the account,
  breaks on quotes, and takes a tenth of a second;
- the rows that DynamoDB would let expire are deleted from inside.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from random import Random
from threading import RLock
from types import TracebackType
from typing import Any, NamedTuple, Self
from unittest import mock

import time_machine
from botocore import handlers
from botocore.loaders import create_loader
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import botocore_stubber
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.events.utils import EventTemplateParser

from journeykit.aws import clients
from journeykit.testing.aws.template import ACCOUNT

LAMBDA = "lambda"
EMULATOR = "emulator"


class Request(NamedTuple):
    """A kind of request to AWS.

    Attributes:
        by: The function that asked; `lambda`: what hands functions their messages, which
            is billed as well; `emulator`: what only looks at what came of it; empty:
            whoever uses the account from outside.
        service: As botocore calls it: `dynamodb`.
        operation: `UpdateItem`.
    """

    by: str
    service: str
    operation: str


class Account(AbstractContextManager["Account"]):
    """An empty account, and what time it is there.

    Attributes:
        region: The only one that there is.
        now: What time it is, milliseconds.
        caller: Who is at work: a function's name, or empty.
        requests: How many requests of each kind there were, with those that were sent again.
    """

    def __init__(self, region: str, *, start: int) -> None:
        """Make nothing yet."""
        self.region = region
        self.now = start
        self.caller = ""
        self.requests: Counter[Request] = Counter()
        self._clients: dict[str, Any] = {}
        self._stack = ExitStack()
        self._clock: time_machine.Traveller | None = None

    def __enter__(self) -> Self:
        """Take AWS's place until the end of the block."""
        with ExitStack() as stack:
            environment = {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AWS_", "JOURNEYKIT_", "POWERTOOLS_"))
            }
            environment |= {
                "AWS_ACCESS_KEY_ID": "emulated",
                "AWS_SECRET_ACCESS_KEY": "emulated",
                "AWS_SESSION_TOKEN": "emulated",
                "AWS_REGION": self.region,
                "AWS_DEFAULT_REGION": self.region,
                # Else a request to DynamoDB goes to a host that moto doesn't know.
                "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            stack.enter_context(mock.patch.dict(os.environ, environment, clear=True))
            account = stack.enter_context(mock_aws())
            stack.callback(account.reset)  # which a nested one would leave to the outer
            stack.enter_context(_locked())
            stack.enter_context(
                mock.patch.object(EventTemplateParser, "parse", staticmethod(_envelope))
            )
            stack.enter_context(self._counting())
            travel = time_machine.travel(_seconds(self.now), tick=False)
            self._clock = stack.enter_context(travel)
            stack.enter_context(_one_session())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave everything as it was."""
        self._stack.close()

    def move_to(self, instant: int) -> None:
        """Move the clock, milliseconds; it never goes back."""
        assert self._clock is not None, "the account is not open"
        assert instant >= self.now, f"{instant} is before {self.now}"
        self.now = instant
        self._clock.move_to(_seconds(instant))

    def client(self, service: str) -> Any:
        """Return a client of a service, kept until the end."""
        if service not in self._clients:
            self._clients[service] = clients.client(service)
        return self._clients[service]

    def queue_url(self, queue: str) -> str:
        """Return the URL of a queue."""
        return f"https://sqs.{self.region}.amazonaws.com/{ACCOUNT}/{queue}"

    @contextmanager
    def used_by(self, caller: str) -> Iterator[None]:
        """Count requests as this caller's."""
        before, self.caller = self.caller, caller
        try:
            yield
        finally:
            self.caller = before

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Count what is sent; also what is sent again, for that costs as much."""

        def count(event_name: str, **_: object) -> None:
            service, operation = event_name.split(".")[1:]
            self.requests[Request(self.caller, service, operation)] += 1

        # Of sessions that are made from now on, like moto's own.
        entry = ("before-send", count)
        handlers.BUILTIN_HANDLERS.append(entry)
        try:
            yield
        finally:
            handlers.BUILTIN_HANDLERS.remove(entry)

    # --- what can't be asked from outside --------------------------------------------

    def is_ready(self, queue: str) -> bool:
        """Whether a queue would hand anything over now."""
        return bool(self._queue(queue).messages)

    def ready_at(self, queue: str) -> int | None:
        """When a queue has something to hand over next, milliseconds; None: it is empty."""
        waiting = [
            max(int(one.visible_at), int(one.delayed_until))
            for one in self._queue(queue)._messages
        ]
        return max(self.now + 1, min(waiting)) if waiting else None

    def held(self, queue: str) -> Sequence[Held]:
        """What stands in a queue, whoever may be at it."""
        return [
            Held(
                one.body,
                {
                    name: value.get("StringValue", "")
                    for name, value in one.message_attributes.items()
                },
                int(one.approximate_receive_count),
            )
            for one in self._queue(queue)._messages
        ]

    def receive(self, queue: str, most: int) -> Sequence[Received]:
        """Hand over messages as `ReceiveMessage` does, for as long as the queue says.

        Without the request, which takes moto ten times as long as the handing over.
        """
        held = self._queue(queue)
        backend = get_backend("sqs")[ACCOUNT][self.region]
        found = backend.receive_message(
            queue, most, 0, int(held.visibility_timeout), ["All"]
        )
        self._note("sqs", "ReceiveMessage", len(found) or 1)
        return [
            Received(
                one.id,
                str(one.receipt_handle),
                one.body,
                {
                    "ApproximateReceiveCount": str(one.approximate_receive_count),
                    "SentTimestamp": str(one.sent_timestamp),
                    "SenderId": one.sender_id,
                    "ApproximateFirstReceiveTimestamp": str(
                        one.approximate_first_receive_timestamp
                    ),
                },
                one.message_attributes,
                one.body_md5,
            )
            for one in found
        ]

    def shuffle(self, queue: str, random: Random) -> None:
        """Change the order in which a queue hands over its messages."""
        random.shuffle(self._queue(queue)._messages)

    def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete messages as `DeleteMessageBatch` does."""
        self._note("sqs", "DeleteMessageBatch", len(receipts))
        for receipt in receipts:
            self._queue(queue).delete_message(receipt)

    def _note(self, service: str, operation: str, messages: int) -> None:
        """Count requests of Lambda's own, of ten messages each."""
        self.requests[Request(LAMBDA, service, operation)] += -(-messages // 10)

    def stream_length(self, table: str) -> int:
        """How many records a table's stream has had."""
        return len(self._table(table).stream_shard.items)

    def records(self, table: str, first: int) -> Sequence[Mapping[str, Any]]:
        """The records of a table's stream from a number on, which Lambda reads for free."""
        items = self._table(table).stream_shard.items[first:]
        return [item.to_json() for item in items]

    def items(self, table: str) -> Iterator[Mapping[str, Any]]:
        """The items of a table, in DynamoDB's form."""
        for item in list(self._table(table).all_items()):
            yield item.to_json()["Attributes"]

    def item(self, table: str, *key: str) -> Mapping[str, Any] | None:
        """One item of a table, in DynamoDB's form."""
        found: Any = self._table(table).items
        for part in key:
            found = found.get(DynamoType({"S": part})) if found is not None else None
        return None if found is None else dict(found.to_json()["Attributes"])

    def partitions(self, table: str) -> Iterator[str]:
        """The partition keys under which a table has items."""
        for key, items in list(self._table(table).items.items()):
            if items:
                yield key.value

    def expire(self, table: str, attribute: str) -> None:
        """Delete the items whose time is over, as DynamoDB does sooner or later."""
        found = self._table(table)
        keys = [found.hash_key_attr, found.range_key_attr]
        for item in list(found.all_items()):
            ends = item.attrs.get(attribute)
            if ends is not None and int(ends.value) * 1000 <= self.now:
                values = [item.attrs[key] if key else None for key in keys]
                found.delete_item(*values)

    def _queue(self, name: str) -> Any:
        return get_backend("sqs")[ACCOUNT][self.region].queues[name]

    def _table(self, name: str) -> Any:
        return get_backend("dynamodb")[ACCOUNT][self.region].tables[name]


class Received(NamedTuple):
    """A message that was handed over; SQS's own names in lower case."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    message_attributes: Mapping[str, Mapping[str, Any]]
    md5: str


class Held(NamedTuple):
    """A message that stands in a queue.

    Attributes:
        body: Its text.
        attributes: What stands on the outside.
        received: How often it was handed over.
    """

    body: str
    attributes: Mapping[str, str]
    received: int


@contextmanager
def _one_session() -> Iterator[None]:
    """Make clients once for all functions, of models that are read once a process.

    A session from before would not know of moto.
    """
    clients.session.cache_clear()
    session = clients.session()
    session.register_component("data_loader", _models())
    make = session.create_client
    made: list[tuple[str, dict[str, Any], Any]] = []

    def create_client(service: str, **said: Any) -> Any:
        for known, of, client in made:
            if (known, of) == (service, said):
                return client
        client = make(service, **said)
        made.append((service, said, client))
        return client

    try:
        with mock.patch.object(session, "create_client", create_client):
            yield
    finally:
        clients.session.cache_clear()


@cache
def _models() -> Any:
    """Botocore's models of the services, which take a second to read."""
    return create_loader()


@contextmanager
def _locked() -> Iterator[None]:
    lock, answer = RLock(), botocore_stubber.process_request

    def one_at_a_time(request: Any) -> Any:
        with lock:
            return answer(request)

    with mock.patch.object(botocore_stubber, "process_request", one_at_a_time):
        yield


def _envelope(
    input_template: str | None, input_paths_map: object, event: Mapping[str, Any]
) -> dict[str, Any]:
    """What a target is handed that has no transformer, as ours have none."""
    if input_template:
        raise NotImplementedError("an InputTransformer is not emulated")
    return {name: event[name] for name in event if name != "ingestion-time"}


def _seconds(ms: int) -> float:
    """An instant for time-machine, in the middle of its millisecond.

    Most of them are no float, and would be cut to the one before.
    """
    return (ms + 0.5) / 1000
