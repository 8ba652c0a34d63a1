from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import boto3
import pytest
from hypothesis import given, strategies as st
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.decisions import RECORD_BYTES, DecisionLog
from journeykit.errors import StoreBusy, StoreError

STREAM = "decisions"
BUCKET = "the-log"


@pytest.fixture
def firehose() -> Any:
    s3 = boto3.client("s3")
    s3.create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    firehose = client("firehose")
    firehose.create_delivery_stream(
        DeliveryStreamName=STREAM,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
        },
    )
    return firehose


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def log(firehose: Any, waits: list[float]) -> DecisionLog:
    return DecisionLog(firehose, STREAM, sleep=waits.append)


def written() -> bytes:
    """All that has come to S3."""
    s3 = boto3.client("s3")
    keys = [it["Key"] for it in s3.list_objects(Bucket=BUCKET).get("Contents", ())]
    return b"".join(
        s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys
    )


def failed(*codes: str) -> dict[str, Any]:
    """An answer by which records came out so; an empty code: it was taken."""
    return {
        "FailedPutCount": sum(map(bool, codes)),
        "RequestResponses": [
            {"ErrorCode": code} if code else {"RecordId": "1"} for code in codes
        ],
    }


def test_lines_come_to_the_bucket(log: DecisionLog) -> None:
    log.append(b'{"n": 1}\n{"n": 2}\n')

    assert written() == b'{"n": 1}\n{"n": 2}\n'


def test_nothing_is_asked_for_no_lines(firehose: Any, log: DecisionLog) -> None:
    wire = Wire(firehose)

    log.append(b"")

    assert wire.sent == []


def test_a_last_line_gets_its_end(log: DecisionLog) -> None:
    log.append(b'{"n": 1}\n{"n": 2}')

    assert written() == b'{"n": 1}\n{"n": 2}\n'


class Scale:
    """A client that keeps what it is to send."""

    def __init__(self) -> None:
        self.requests: list[list[bytes]] = []

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,
        Records: Any,
    ) -> Any:
        self.requests.append([record["Data"] for record in Records])
        return failed(*[""] * len(Records))


@given(
    sizes=st.lists(
        st.integers(1, 60)
        | st.integers(1, RECORD_BYTES)
        | st.sampled_from([RECORD_BYTES - 1, RECORD_BYTES, RECORD_BYTES + 1]),
        max_size=30,
    )
)
def test_records_are_as_full_as_may_be_and_cut_no_line(sizes: Sequence[int]) -> None:
    scale: Any = Scale()
    log = DecisionLog(scale, STREAM)

    log.append(b"".join(b"x" * (size - 1) + b"\n" for size in sizes))

    records = list(chain(*scale.requests))
    lines = [len(line) for record in records for line in record.splitlines(True)]
    assert lines == [size for size in sizes if size <= RECORD_BYTES]
    assert log.dropped == sum(size > RECORD_BYTES for size in sizes)
    assert all(record.endswith(b"\n") for record in records)
    assert all(len(record) <= RECORD_BYTES for record in records)
    assert all(len(request) <= 500 for request in scale.requests)
    assert all(sum(map(len, it)) <= 4_000_000 for it in scale.requests)
    if not log.dropped:  # a line too long ends the record before it
        for record, following in pairwise(records):
            first = following.index(b"\n") + 1
            assert len(record) + first > RECORD_BYTES


def test_a_line_that_no_record_holds_is_dropped_and_told(
    log: DecisionLog, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        log.append(b"a\n" + b"x" * RECORD_BYTES + b"\nb\n")

    assert written().split() == [b"a", b"b"]
    assert log.dropped == 1
    assert "1024001 bytes" in caplog.text
    assert "xxx" not in caplog.text


def test_only_the_rest_of_a_request_is_sent_again(
    firehose: Any, log: DecisionLog, waits: list[float]
) -> None:
    Wire(firehose).answer("PutRecordBatch", failed("", "ServiceUnavailableException"))
    long = RECORD_BYTES - 1

    log.append(b"a" * long + b"\n" + b"b" * long + b"\n")

    assert written() == b"b" * long + b"\n"
    assert len(waits) == 1


def test_a_stream_that_stays_busy_is_given_up_in_the_end(
    firehose: Any, log: DecisionLog
) -> None:
    wire = Wire(firehose)
    wire.answer("PutRecordBatch", failed("InternalFailure"), times=99)

    with pytest.raises(StoreBusy, match="'decisions' did not take 1 records"):
        log.append(b"a\n")

    assert len(wire.sent) == 5


def test_a_fault_of_the_operator_is_not_tried_again(
    firehose: Any, log: DecisionLog
) -> None:
    wire = Wire(firehose)
    wire.answer("PutRecordBatch", failed("KMS.DisabledException"))

    with pytest.raises(StoreError, match=r"KMS\.DisabledException") as caught:
        log.append(b"a\n")

    assert not isinstance(caught.value, StoreBusy)
    assert len(wire.sent) == 1


def test_a_stream_that_is_not_there_is_named(firehose: Any) -> None:
    with pytest.raises(StoreError, match="'nowhere'"):
        DecisionLog(firehose, "nowhere").append(b"a\n")
