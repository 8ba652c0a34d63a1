"""Lines about somebody in S3: told, or removed."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import date
from typing import Any

import pytest
from tests.aws.conftest import REGION

from journeykit.aws.clients import client
from journeykit.aws.records import DECISIONS, EVENTS, Records
from journeykit.errors import StoreBusy, StoreError
from journeykit.runtime.privacy import Person, is_about
from journeykit.testing.store_contract.samples import make_person

BUCKET = "records"
DAY = "events/day=2026-06-07/shop-archive-1-2026-06-07-12-00-00"
IS_ABOUT = is_about([Person("ada", {"ada": make_person("ada")})])

# https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
ENVELOPE = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "order.placed",
    "source": "shop",
    "account": "111122223333",
    "time": "2026-06-07T12:00:00Z",
    "region": REGION,
    "resources": [],
}


def line_of(customer: str, **detail: Any) -> bytes:
    """A line of the archive, as EventBridge and Firehose write it."""
    envelope = {**ENVELOPE, "detail": {"customer": customer, **detail}}
    return json.dumps(envelope).encode() + b"\n"


class Bucket:
    """The bucket, with what is in it."""

    def __init__(self, *, versions: bool = False) -> None:
        self.s3: Any = client("s3")
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        if versions:
            self.s3.put_bucket_versioning(
                Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
            )
        self.records = Records(self.s3, BUCKET, at_once=1)

    def put(self, key: str, *lines: bytes, packed: bool = True, **said: Any) -> None:
        body = b"".join(lines)
        body = gzip.compress(body) if packed else body
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **said)

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return [one["Key"] for one in found]

    def versions(self) -> int:
        """How many versions and marks there are of all objects."""
        found = self.s3.list_object_versions(Bucket=BUCKET)
        return len(found.get("Versions", ())) + len(found.get("DeleteMarkers", ()))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
def test_lines_about_somebody_are_removed_and_all_others_stay(
    bucket: Bucket, packed: bool
) -> None:
    lines = [line_of("bob"), line_of("ada"), b"no JSON of ada's\n", line_of("cyd")]
    bucket.put(DAY, *lines, packed=packed)

    removed = bucket.records.remove(IS_ABOUT)

    assert removed == 1
    assert bucket.get(DAY) == lines[0] + lines[2] + lines[3]
    packs = bucket.s3.get_object(Bucket=BUCKET, Key=DAY)["Body"].read()[:2]
    assert (packs == b"\x1f\x8b") is packed


def test_several_streams_of_gzip_in_one_object_are_read(bucket: Bucket) -> None:
    body = gzip.compress(line_of("bob")) + gzip.compress(line_of("ada"))
    bucket.put(DAY, body, packed=False)

    assert bucket.records.remove(IS_ABOUT) == 1
    assert bucket.get(DAY) == line_of("bob")


def test_an_object_without_a_line_about_them_is_not_written(bucket: Bucket) -> None:
    bucket.put(DAY, line_of("bob", properties={"said": "ada"}))
    before = bucket.s3.get_object(Bucket=BUCKET, Key=DAY)

    assert bucket.records.remove(IS_ABOUT) == 0

    after = bucket.s3.get_object(Bucket=BUCKET, Key=DAY)
    assert after["Body"].read() == before["Body"].read()
    assert after["LastModified"] == before["LastModified"]


def test_an_object_of_which_nothing_is_left_is_deleted(bucket: Bucket) -> None:
    bucket.put(DAY, line_of("ada"), line_of("ada"))

    assert bucket.records.remove(IS_ABOUT) == 2
    assert bucket.keys() == []


def test_what_is_said_of_an_object_stays_said(bucket: Bucket) -> None:
    said: dict[str, Any] = {
        "ContentType": "application/octet-stream",
        "ContentEncoding": "gzip",
        "Metadata": {"by": "us"},
        "StorageClass": "STANDARD_IA",
    }
    bucket.put(DAY, line_of("ada"), line_of("bob"), **said)

    bucket.records.remove(IS_ABOUT)

    found = bucket.s3.get_object(Bucket=BUCKET, Key=DAY)
    assert {name: found[name] for name in said} == said


def test_no_version_with_them_stays() -> None:
    bucket = Bucket(versions=True)
    bucket.put(DAY, line_of("ada"), line_of("bob"))
    bucket.put(f"{DAY}-2", line_of("ada"))

    assert bucket.records.remove(IS_ABOUT) == 2

    assert bucket.get(DAY) == line_of("bob")
    assert bucket.keys() == [DAY]
    assert bucket.versions() == 1


def test_whose_object_was_written_meanwhile_is_read_again(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(DAY, line_of("ada"), line_of("bob"), line_of("cyd"))
    put = bucket.s3.put_object
    others = [line_of("ada") + line_of("cyd")]  # who forgets Bob at the same time

    def put_object(**asked: Any) -> Any:
        if others:
            put(Bucket=BUCKET, Key=DAY, Body=others.pop())
        return put(**asked)

    monkeypatch.setattr(bucket.s3, "put_object", put_object)

    assert bucket.records.remove(IS_ABOUT) == 1
    assert bucket.get(DAY) == line_of("cyd")


def test_who_never_gets_to_write_says_so(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(DAY, line_of("ada"), line_of("bob"))
    put, number = bucket.s3.put_object, iter(range(99))

    def put_object(**asked: Any) -> Any:
        put(Bucket=BUCKET, Key=DAY, Body=line_of("ada") + line_of(str(next(number))))
        return put(**asked)

    monkeypatch.setattr(bucket.s3, "put_object", put_object)

    with pytest.raises(StoreBusy, match="is written by others"):
        bucket.records.remove(IS_ABOUT)


def test_a_damaged_object_is_named_and_all_others_are_done(bucket: Bucket) -> None:
    damaged = "events/day=2026-06-06/damaged"
    bucket.put(damaged, gzip.compress(line_of("ada"))[:-9], packed=False)
    bucket.put(DAY, line_of("ada"), line_of("bob"))

    with pytest.raises(StoreError, match="day=2026-06-06/damaged can't be read"):
        bucket.records.remove(IS_ABOUT)

    assert bucket.get(DAY) == line_of("bob")


def test_what_was_written_before_is_left_alone(bucket: Bucket) -> None:
    bucket.put(DAY, line_of("ada"))

    assert bucket.records.remove(IS_ABOUT, since=2**45) == 0
    assert bucket.records.remove(IS_ABOUT, since=1) == 1


def test_who_has_other_names_is_found_by_them(bucket: Bucket) -> None:
    ada = make_person("ada", identifiers=["device:a-17"])
    bucket.put(
        DAY,
        line_of("", identifiers={"device": "a-17"}),
        line_of("", identifiers={"device": "a-18"}),
        line_of("bob", identifiers=None),
    )

    removed = bucket.records.remove(is_about([Person("ada", {"ada": ada})]))

    assert removed == 1
    assert b"a-18" in bucket.get(DAY)


def test_what_firehose_could_not_write_is_searched(bucket: Bucket) -> None:
    # https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    key = "failed/events/processing-failed/day=2026-06-07/shop-archive-1"

    def failed(line: bytes) -> bytes:
        record = {
            "attemptsMade": 4,
            "arrivalTimestamp": 1780833600000,
            "errorCode": "DynamicPartitioning.MetadataExtractionFailed",
            "errorMessage": "…",
            "attemptEndingTimestamp": 1780833700000,
            "rawData": base64.b64encode(line).decode(),
        }
        return json.dumps(record).encode() + b"\n"

    bucket.put(key, failed(line_of("ada")), failed(line_of("bob")), b"no JSON\n")

    assert bucket.records.remove(IS_ABOUT) == 1
    assert bucket.get(key) == failed(line_of("bob")) + b"no JSON\n"


# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
BATCH = {
    "requestContext": {
        "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:shop-relay",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    },
    "version": "1.0",
    "timestamp": "2026-06-07T12:00:00.000Z",
}
LOST = "aws/lambda/14e0db71-5d35-4eb5-b481-8945cf9d10c2/shard/2026/06/07/1"


def batch_of(*customers: str) -> dict[str, Any]:
    records = [
        {"eventID": id, "dynamodb": {"Keys": {"id": {"S": id}}}} for id in customers
    ]
    return {"Records": records}


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_what_lambda_gave_up_is_searched(bucket: Bucket, as_text: bool) -> None:
    batch: Any = batch_of("bob", "ada", "ada")
    payload = json.dumps(batch) if as_text else batch
    document = json.dumps({**BATCH, "payload": payload}).encode()
    bucket.put(LOST, document, packed=False)

    assert bucket.records.remove(IS_ABOUT) == 2

    left = json.loads(bucket.get(LOST))
    kept = json.loads(left["payload"]) if as_text else left["payload"]
    assert kept == batch_of("bob")
    assert left["requestContext"] == BATCH["requestContext"]


def test_a_batch_of_which_nothing_is_left_is_deleted(bucket: Bucket) -> None:
    document = {**BATCH, "payload": batch_of("ada")}
    bucket.put(LOST, json.dumps(document).encode(), packed=False)
    bucket.put(f"{LOST}-2", b"no JSON", packed=False)

    assert bucket.records.remove(IS_ABOUT) == 1
    assert bucket.keys() == [f"{LOST}-2"]


def test_lines_about_somebody_are_told_by_day(bucket: Bucket) -> None:
    bucket.put("events/day=2026-06-08/b", line_of("ada", id="2"))
    bucket.put("events/day=2026-06-07/a", line_of("ada", id="1"), line_of("bob"))
    bucket.put("decisions/day=2026-06-07/a", line_of("ada", id="no event"))

    told = [*bucket.records.lines(EVENTS, IS_ABOUT)]

    assert [json.loads(one)["detail"]["id"] for one in told] == ["1", "2"]
    assert len([*bucket.records.lines(DECISIONS, IS_ABOUT)]) == 1


def test_objects_of_days_that_are_over_are_deleted(bucket: Bucket) -> None:
    for day in ("2026-06-05", "2026-06-06", "2026-06-07"):
        bucket.put(f"events/day={day}/a", line_of("bob"))
    bucket.put("events/by-hand", line_of("bob"))

    keys = [*bucket.records.before(EVENTS, date(2026, 6, 7))]
    deleted = bucket.records.delete(keys)

    assert deleted == 2
    assert bucket.keys() == ["events/by-hand", "events/day=2026-06-07/a"]
