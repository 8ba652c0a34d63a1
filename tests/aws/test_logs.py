"""The logs of a stack, as an operator's machine reads them out of S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import IncompleteReadError
from tests.aws.conftest import REGION

from journeykit.aws.clients import client
from journeykit.aws.logs import OUTPUT, Part, StoredLogs
from journeykit.aws.stack import Stack
from journeykit.engine.calendar import to_ms
from journeykit.errors import InputError, StoreBusy, StoreError

BUCKET = "records"


class Stored:
    """A bucket, with what is in it."""

    def __init__(self) -> None:
        self.s3: Any = client("s3")
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        self.logs = StoredLogs(BUCKET)

    def put(self, key: str, *lines: Any, packed: bool = True) -> None:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        body = gzip.compress(body) if packed else body
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def days(self, *days: str) -> None:
        for day in days:
            self.put(f"decisions/day={day}/a", {"day": day})


@pytest.fixture
def bucket() -> Stored:
    return Stored()


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


def lines_of(logs: StoredLogs, part: Part) -> list[Any]:
    with logs.fetched(part) as paths:
        return [json.loads(line) for path in paths for line in opened(path)]


def opened(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def names(parts: Sequence[Part]) -> list[str]:
    return [part.name for part in parts]


def test_a_day_is_a_part_with_all_its_objects(bucket: Stored) -> None:
    bucket.put("decisions/day=2026-03-02/b", {"n": 2})
    bucket.put("decisions/day=2026-03-01/a", {"n": 1})
    bucket.put("decisions/day=2026-03-02/c", {"n": 3}, {"n": 4}, packed=False)
    bucket.put("events/day=2026-03-01/a", {"id": "e"})

    parts = bucket.logs.decisions()

    assert names(parts) == ["decisions/day=2026-03-01", "decisions/day=2026-03-02"]
    assert [lines_of(bucket.logs, part) for part in parts] == [
        [{"n": 1}],
        [{"n": 2}, {"n": 3}, {"n": 4}],
    ]
    [events] = bucket.logs.events()
    assert lines_of(bucket.logs, events) == [{"id": "e"}]


def test_a_file_says_by_its_name_whether_it_is_compressed(bucket: Stored) -> None:
    # Firehose appends `.gz`; what was written anew to forget somebody need not have it.
    bucket.put("decisions/day=2026-03-01/a", {})
    bucket.put("decisions/day=2026-03-01/b.gz", {}, packed=False)
    [part] = bucket.logs.decisions()

    with bucket.logs.fetched(part) as paths:
        suffixes = ["".join(path.suffixes) for path in paths]

    assert suffixes == [".jsonl.gz", ".jsonl"]


def test_nothing_stays_on_this_machine(bucket: Stored) -> None:
    bucket.days("2026-03-01")
    [part] = bucket.logs.decisions()

    with bucket.logs.fetched(part) as paths:
        [path] = paths
        assert path.exists()

    assert not path.parent.exists()


def test_a_large_day_comes_in_parts_and_no_object_is_cut(bucket: Stored) -> None:
    for n in range(5):
        bucket.put(f"decisions/day=2026-03-01/{n}", {"n": n}, packed=False)  # 9 bytes

    parts = StoredLogs(BUCKET, part_bytes=20).decisions()

    assert [len(part.keys) for part in parts] == [2, 2, 1]
    assert [part.size for part in parts] == [18, 18, 9]
    assert [line["n"] for part in parts for line in lines_of(bucket.logs, part)] == [
        *range(5)
    ]
    assert len(StoredLogs(BUCKET, part_bytes=1).decisions()) == 5


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        pytest.param(None, None, "2026-02-27", "2026-03-03", id="all"),
        pytest.param("2026-03-01", None, "2026-03-01", "2026-03-03", id="since"),
        pytest.param("2026-03-01T23:59", None, "2026-03-01", "2026-03-03", id="noon"),
        # What happened before midnight may be filed behind it.
        pytest.param(None, "2026-03-01", "2026-02-27", "2026-03-01", id="until"),
        pytest.param(None, "2026-03-01T00:01", "2026-02-27", "2026-03-02", id="minute"),
        pytest.param("2026-02-28", "2026-03-01", "2026-02-28", "2026-03-01", id="both"),
    ],
)
def test_only_the_days_are_got_that_are_asked_for(
    bucket: Stored, since: str | None, until: str | None, first: str, last: str
) -> None:
    bucket.days("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03")

    found = names(
        bucket.logs.decisions(
            since=ms(since) if since else None, until=ms(until) if until else None
        )
    )

    assert (found[0], found[-1]) == (f"decisions/day={first}", f"decisions/day={last}")


def test_more_objects_than_a_listing_holds_are_all_found(bucket: Stored) -> None:
    keys = [f"decisions/day=2026-03-{1 + n // 400:02}/{n:05}" for n in range(1100)]
    for key in keys:
        bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}\n")

    parts = bucket.logs.decisions()

    assert [key for part in parts for key in part.keys] == keys
    assert len(parts) == 3


def test_what_is_no_log_of_ours_is_left_alone(bucket: Stored) -> None:
    bucket.days("2026-03-01")
    bucket.put("decisions/by-hand", {})
    bucket.put("decisions/day=soon/a", {})
    bucket.put("failed/events/day=2026-03-01/a", {})
    bucket.s3.put_object(Bucket=BUCKET, Key="decisions/day=2026-03-01/", Body=b"")

    assert [part.keys for part in bucket.logs.decisions()] == [
        ("decisions/day=2026-03-01/a",)
    ]


def test_logs_may_lie_beneath_a_prefix(bucket: Stored) -> None:
    bucket.put("copies/shop/decisions/day=2026-03-01/a", {"n": 1})
    bucket.days("2026-03-02")

    logs = StoredLogs.at(f"s3://{BUCKET}/copies/shop/")

    [part] = logs.decisions(since=ms("2026-03-01"))
    assert part.name == "decisions/day=2026-03-01"
    assert lines_of(logs, part) == [{"n": 1}]


def test_an_empty_bucket_has_no_logs(bucket: Stored) -> None:
    assert bucket.logs.decisions() == bucket.logs.events() == []


def test_an_object_that_has_ended_meanwhile_is_left_out(bucket: Stored) -> None:
    bucket.put("decisions/day=2026-03-01/a", {"n": 1})
    bucket.put("decisions/day=2026-03-01/b", {"n": 2})
    [part] = bucket.logs.decisions()
    bucket.s3.delete_object(Bucket=BUCKET, Key="decisions/day=2026-03-01/a")

    assert lines_of(bucket.logs, part) == [{"n": 2}]


class Breaking:
    """A client whose connection breaks in the middle of so many objects."""

    def __init__(self, s3: Any, times: int) -> None:
        self._s3 = s3
        self._times = times

    def list_objects_v2(self, **asked: Any) -> Any:
        return self._s3.list_objects_v2(**asked)

    def get_object(self, **asked: Any) -> Any:
        answer = self._s3.get_object(**asked)
        if self._times:
            self._times -= 1
            answer["Body"] = Broken(answer["Body"])
        return answer


class Broken:
    def __init__(self, body: Any) -> None:
        self._body = body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()

    def read(self, size: int) -> bytes:
        if part := self._body.read(3):
            return bytes(part)
        raise IncompleteReadError(actual_bytes=3, expected_bytes=size)


def test_a_connection_that_breaks_is_made_again(bucket: Stored) -> None:
    bucket.days("2026-03-01")
    logs = StoredLogs(BUCKET, s3=Breaking(bucket.s3, 2))
    [part] = logs.decisions()

    assert lines_of(logs, part) == [{"day": "2026-03-01"}]


def test_one_that_breaks_for_ever_is_an_error(bucket: Stored) -> None:
    bucket.days("2026-03-01")
    logs = StoredLogs(BUCKET, s3=Breaking(bucket.s3, 99))
    [part] = logs.decisions()

    with pytest.raises(StoreBusy, match="again and again"), logs.fetched(part):
        pass


def test_a_bucket_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StoreError, match="the bucket of records"):
        StoredLogs("nowhere-at-all").decisions()


@pytest.mark.parametrize(
    "address", ["records", "s3:/records", "s3://", "s3://Records", "S3://records"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="s3://BUCKET"):
        StoredLogs.at(address)


def test_the_bucket_of_a_stack_is_in_its_outputs(
    bucket: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.days("2026-03-01")
    outputs = {"RecordsBucket": BUCKET}
    monkeypatch.setattr(Stack, "output", lambda _, key: outputs[key])

    assert names(StoredLogs.of_stack("shop-dev").decisions()) == [
        "decisions/day=2026-03-01"
    ]


def test_the_template_names_the_bucket() -> None:
    template = Path(__file__).parents[2] / "infra" / "template.yaml"
    outputs = template.read_text("utf-8").partition("\nOutputs:\n")[2]

    assert f"\n  {OUTPUT}: " in f"\n{outputs}"
