from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.queues import (
    BATCH,
    MAX_BYTES,
    NoQueue,
    Parcel,
    Queue,
    Unsendable,
    sendable,
)
from journeykit.errors import StoreBusy, StoreError


@pytest.fixture
def sqs() -> Any:
    return client("sqs")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def queue(sqs: Any, waits: list[float]) -> Queue:
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    return Queue(sqs, url, sleep=waits.append)


def received(sqs: Any, queue: Queue) -> list[dict[str, Any]]:
    """All that is in the queue, and could be handed over now."""
    found: list[dict[str, Any]] = []
    while batch := sqs.receive_message(
        QueueUrl=queue.url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        VisibilityTimeout=600,
    ).get("Messages"):
        found += batch
    return found


def failed(*faults: tuple[int, str, bool]) -> dict[str, Any]:
    """An answer by which entries of these places were not taken."""
    return {
        "Successful": [],
        "Failed": [
            {"Id": str(place), "Code": code, "SenderFault": is_ours}
            for place, code, is_ours in faults
        ],
    }


def test_a_parcel_comes_out_as_it_went_in(sqs: Any, queue: Queue) -> None:
    queue.send([Parcel('{"é": "🙂"}', {"kind": "event", "trace": "é"})])

    (message,) = received(sqs, queue)
    assert message["Body"] == '{"é": "🙂"}'
    assert message["MessageAttributes"] == {
        "kind": {"StringValue": "event", "DataType": "String"},
        "trace": {"StringValue": "é", "DataType": "String"},
    }


def test_nothing_is_asked_for_nothing(sqs: Any, queue: Queue) -> None:
    wire = Wire(sqs)

    queue.send([])

    assert wire.sent == []


def test_parcels_go_ten_at_a_time(sqs: Any, queue: Queue) -> None:
    wire = Wire(sqs)

    queue.send([Parcel(str(n)) for n in range(25)])

    assert wire.sent == ["SendMessageBatch"] * 3
    assert sorted(int(m["Body"]) for m in received(sqs, queue)) == list(range(25))


def test_a_delay_is_sqs_own(sqs: Any, queue: Queue) -> None:
    seen: list[Any] = []
    sqs.meta.events.register(
        "before-send.sqs.SendMessageBatch",
        lambda request, **_: seen.append(json.loads(request.body)["Entries"]),
    )

    queue.send([Parcel("later", delay_s=900), Parcel("now")])

    assert [entry.get("DelaySeconds") for entry in seen[0]] == [900, None]
    assert [message["Body"] for message in received(sqs, queue)] == ["now"]


@pytest.mark.parametrize("delay", [-1, 901])
def test_no_queue_keeps_anything_back_for_longer(delay: int) -> None:
    with pytest.raises(ValueError, match="900 s"):
        Parcel("x", delay_s=delay)


@pytest.mark.parametrize("text", ["a", "é", "🙂"])
def test_the_largest_parcel_goes(sqs: Any, queue: Queue, text: str) -> None:
    attributes = {"kind": "event"}
    room = MAX_BYTES - Parcel("", attributes).size
    parcel = Parcel(text * (room // len(text.encode())), attributes)

    queue.send([parcel, parcel])

    assert [len(m["Body"]) for m in received(sqs, queue)] == [len(parcel.body)] * 2


class Scale:
    """A client that weighs what it is to send."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: Any) -> Any:
        self.batches.append([len(entry["MessageBody"]) for entry in Entries])
        return {}


@given(
    sizes=st.lists(
        st.integers(1, MAX_BYTES) | st.integers(1, 9) | st.just(MAX_BYTES + 1),
        max_size=40,
    )
)
def test_batches_are_as_full_as_sqs_takes_them(sizes: Sequence[int]) -> None:
    scale: Any = Scale()
    too_large = [n for n, size in enumerate(sizes) if size > MAX_BYTES]
    parcels = [Parcel("x" * size) for size in sizes]

    if too_large:
        with pytest.raises(Unsendable) as caught:
            Queue(scale, "https://queue").send(parcels)
        assert list(caught.value.refused) == too_large
    else:
        Queue(scale, "https://queue").send(parcels)

    batches = scale.batches
    assert list(chain(*batches)) == [size for size in sizes if size <= MAX_BYTES]
    assert all(0 < len(batch) <= BATCH for batch in batches)
    assert all(sum(batch) <= MAX_BYTES for batch in batches)
    assert all(
        len(batch) == BATCH or sum(batch) + following[0] > MAX_BYTES
        for batch, following in pairwise(batches)
    )


def test_what_no_queue_can_hold_stops_nobody_else(sqs: Any, queue: Queue) -> None:
    large = Parcel("x" * (MAX_BYTES + 1))

    with pytest.raises(Unsendable, match="1 of 3") as caught:
        queue.send([Parcel("a"), large, Parcel("b")])

    assert list(caught.value.refused) == [1]
    assert sorted(m["Body"] for m in received(sqs, queue)) == ["a", "b"]


def test_the_rest_of_a_batch_is_sent_again(
    sqs: Any, queue: Queue, waits: list[float]
) -> None:
    wire = Wire(sqs)
    wire.answer("SendMessageBatch", failed((1, "InternalError", False)))

    queue.send([Parcel("a"), Parcel("b")])

    assert wire.sent == ["SendMessageBatch"] * 2
    assert [m["Body"] for m in received(sqs, queue)] == ["b"]
    assert len(waits) == 1


def test_a_busy_key_is_asked_again_though_sqs_calls_it_our_fault(
    sqs: Any, queue: Queue
) -> None:
    Wire(sqs).answer("SendMessageBatch", failed((0, "KmsThrottled", True)))

    queue.send([Parcel("a")])

    assert [m["Body"] for m in received(sqs, queue)] == ["a"]


def test_a_queue_that_stays_busy_is_given_up_in_the_end(
    sqs: Any, queue: Queue, waits: list[float]
) -> None:
    wire = Wire(sqs)
    wire.answer("SendMessageBatch", failed((0, "InternalError", False)), times=99)

    with pytest.raises(StoreBusy, match="'events' did not take 1 messages"):
        queue.send([Parcel("a")])

    assert len(wire.sent) == len(waits) + 1 == 5


def test_contents_that_sqs_refuses_are_named_and_the_others_go(
    sqs: Any, queue: Queue
) -> None:
    wire = Wire(sqs)
    wire.answer(
        "SendMessageBatch",
        failed((0, "InvalidMessageContents", True), (2, "InternalError", False)),
    )

    with pytest.raises(Unsendable) as caught:
        queue.send([Parcel("a"), Parcel("b"), Parcel("c")])

    assert caught.value.refused == {0: "InvalidMessageContents"}
    assert [m["Body"] for m in received(sqs, queue)] == ["c"]


def test_a_fault_of_the_operator_names_the_way_out(sqs: Any, queue: Queue) -> None:
    Wire(sqs).answer("SendMessageBatch", failed((0, "KmsAccessDenied", True)))

    with pytest.raises(StoreError, match=r"KmsAccessDenied.*role") as caught:
        queue.send([Parcel("a")])

    assert not isinstance(caught.value, StoreBusy | Unsendable)


def test_a_queue_that_is_not_there_is_named(sqs: Any) -> None:
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/deliver-fax"

    with pytest.raises(NoQueue, match="'deliver-fax'"):
        Queue(sqs, url).send([Parcel("a")])


def test_an_answer_that_is_lost_may_send_twice_and_loses_nothing(
    sqs: Any, queue: Queue
) -> None:
    Wire(sqs).lose("SendMessageBatch")

    queue.send([Parcel("a")])

    assert [m["Body"] for m in received(sqs, queue)] == ["a", "a"]


def test_the_two_characters_that_sqs_refuses_are_escaped() -> None:
    text = sendable('{"a\ufffe": "\uffff\U0001ffff"}'.encode())

    assert "\ufffe" not in text
    assert "\uffff" not in text
    assert json.loads(text) == {"a\ufffe": "\uffff\U0001ffff"}
