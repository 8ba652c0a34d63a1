"""A report on a stack's logs in S3 tells what it tells on the same logs on a machine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.aws.conftest import REGION
from tests.insight.recording import record

from journeykit import Event, Goal, Journey, Send, Wait, days, event, on
from journeykit.aws.archive import envelope_lines
from journeykit.aws.clients import client
from journeykit.aws.stack import Stack
from journeykit.cli.insight import LogChoice, chosen
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.model.formats import decode_event
from journeykit.testing import make_event

BUCKET = "records"
WELCOME = Journey(
    "welcome",
    trigger=on("signed.up"),
    reentry="always",
    goal=Goal(on("bought"), id="bought", within=days(12), value=event.total),
    holdout=20,
    steps=[Send("email", "hello"), Wait(days(2)), Send("email", "more")],
)
TABLES = {
    "runs": "select * from runs order by all",
    "goals": "select * from goals order by all",
    "visits": "select * from visits order by all",
    "messages": "select * from messages order by all",
    "events": "select * exclude (properties), properties::json->>'$.total' "
    "from events order by all",
    "stays": "select * from stays order by all",
}


def happenings() -> list[Event]:
    found = []
    for n in range(40):
        who, day = f"customer-{n}", 1 + n % 9
        test = n % 13 == 0
        found += [
            make_event("signed.up", who, at=f"2026-03-0{day}T10:00:00Z", test=test),
            make_event("bought", who, at=f"2026-03-1{day}T10:00:00Z", total=n + 0.5),
        ]
    return sorted(found, key=lambda one: one.received_at)


@pytest.fixture
def local(tmp_path: Path) -> Logs:
    """The logs as one machine writes them."""
    return record(tmp_path, [WELCOME], happenings())


@pytest.fixture
def bucket(local: Logs, tmp_path: Path) -> Any:
    """The same as Firehose puts them into S3: by day, in several objects, compressed."""
    s3 = client("s3")
    where: Any = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    objects: dict[str, bytes] = {}
    for path in tmp_path.glob("decisions*.jsonl"):
        for n, line in enumerate(path.read_bytes().splitlines(keepends=True)):
            day = json.loads(line)["now"][:10]
            key = f"decisions/day={day}/part-{n % 3}.gz"
            # A stream of several is one: whoever ships logs may have joined them.
            objects[key] = objects.get(key, b"") + gzip.compress(line)
    for path in tmp_path.glob("events*.jsonl"):
        for line in path.read_bytes().splitlines():
            heard = decode_event(line)
            key = f"events/day={heard.received_at:%Y-%m-%d}/all"
            objects[key] = objects.get(key, b"") + envelope_lines([heard])
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return s3


def told(logs: Logs) -> dict[str, Any]:
    with Warehouse.open(logs) as house:
        found = {name: house.rows(sql) for name, sql in TABLES.items()}
        return {**found, "problems": house.problems, "span": house.span}


@pytest.mark.usefixtures("bucket")
def test_the_tables_are_the_same(local: Logs) -> None:
    with chosen(Path(), LogChoice(logs=f"s3://{BUCKET}")) as stored:
        in_s3 = told(stored)

    on_a_machine = told(local)
    assert in_s3 == on_a_machine
    assert len(in_s3["runs"]) == 40
    assert in_s3["goals"]
    assert in_s3["messages"]


@pytest.mark.usefixtures("bucket")
def test_a_stack_is_asked_by_its_name(
    local: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "output", lambda _, key: {"RecordsBucket": BUCKET}[key])

    with chosen(Path(), LogChoice(stack="shop-dev")) as stored:
        assert told(stored)["runs"] == told(local)["runs"]


@pytest.mark.usefixtures("bucket")
def test_of_a_part_only_its_days_are_read() -> None:
    since, until = 1_772_582_400_000, 1_772_755_200_000  # 2026-03-04 and 2026-03-06

    with chosen(
        Path(), LogChoice(logs=f"s3://{BUCKET}", since=since, until=until)
    ) as stored:
        found = [part.name for part in stored.decisions]

    assert found == [f"decisions/day=2026-03-0{day}" for day in (4, 5, 6)]


def test_a_bucket_without_an_archive_says_so(bucket: Any) -> None:
    listed = bucket.list_objects_v2(Bucket=BUCKET, Prefix="events/")["Contents"]
    for one in listed:
        bucket.delete_object(Bucket=BUCKET, Key=one["Key"])

    with chosen(Path(), LogChoice(logs=f"s3://{BUCKET}")) as stored:
        assert list(stored.problems) == ["there is no event archive in that bucket"]
        assert told(stored)["runs"]
