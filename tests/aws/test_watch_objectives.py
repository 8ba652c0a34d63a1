"""The scheduled watch of a stack and its objectives: found in S3, told, and left out."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.aws.watched import DAYS, START, put_days, some_faulty_days, stack
from tests.insight.some_days import some_days

from journeykit.aws.logs import StoredLogs
from journeykit.testing.aws import EMULATOR, AwsEmulator, FunctionError, Killed

OBJECTIVE = """
from datetime import date

from journeykit import Objective, Occurrences, days

orders = Objective(
    "orders", "orders of a day", 15, date(2027, 1, 31),
    measure=Occurrences("order.placed", over=days(1)),
)
"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsEmulator]:
    (tmp_path / "objectives.py").write_text(OBJECTIVE, "utf-8")
    with stack(tmp_path) as emulator:
        yield emulator


def put_orders(aws: AwsEmulator, count: Callable[[int], int]) -> None:
    """Write the event archive as Firehose does: envelopes of the bus, by day."""
    s3 = aws._account.client("s3")
    [bucket] = aws._deployed._buckets
    with aws._account.used_by(EMULATOR):
        for ago in range(1, DAYS + 1):
            day = START - timedelta(days=ago)
            lines = [
                json.dumps(
                    {
                        "id": f"{day}-{n}",
                        "detail-type": "order.placed",
                        "source": "shop",
                        "time": f"{day}T12:00:00Z",
                        "detail": {"customer": f"c{n}", "properties": {}},
                    }
                )
                for n in range(count(ago))
            ]
            s3.put_object(
                Bucket=bucket,
                Key=f"events/day={day}/one.gz",
                Body=gzip.compress("\n".join(lines).encode() + b"\n"),
            )


def fallen(ago: int) -> int:
    return 4 if ago == 1 else 20 + ago % 3


@pytest.fixture
def archive_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which days of the event archive the function has got."""
    read: list[str] = []
    fetch = StoredLogs._fetch

    def noted(self: StoredLogs, folder: Path, place: int, key: str) -> Path | None:
        log, day, _ = key.split("/")
        if log == "events":
            read.append(day)
        return fetch(self, folder, place, key)

    monkeypatch.setattr(StoredLogs, "_fetch", noted)
    return read


def test_an_objective_that_falls_is_told_once(aws: AwsEmulator) -> None:
    put_days(aws, some_days(DAYS))
    put_orders(aws, fallen)
    watch = aws._deployed.functions["watch"]

    first, again = watch({}), watch({})

    yesterday = str(START - timedelta(days=1))
    assert first[yesterday]["findings"] == ["objectives//orders/down"]
    assert first[yesterday]["problems"] == []
    assert again[yesterday]["findings"] == first[yesterday]["findings"]
    [message] = aws.messages
    [line] = message.variables["findings"]
    assert line.startswith("objective (orders) down: 4, expected about 2")
    assert "its target, at least 15, is for 2027-01-31" in line


def test_an_objective_that_stays_as_it_is_is_none_to_tell_of(
    aws: AwsEmulator,
) -> None:
    put_days(aws, some_days(DAYS))
    put_orders(aws, lambda ago: 20 + ago % 3)

    done = aws._deployed.functions["watch"]({})

    assert [one["findings"] for one in done.values()] == [[]]
    assert aws.messages == []


def test_of_the_archive_no_more_is_read_than_the_objective_is_about(
    aws: AwsEmulator, archive_read: list[str]
) -> None:
    put_days(aws, some_days(DAYS))
    put_orders(aws, fallen)
    watch = aws._deployed.functions["watch"]
    watch({})
    archive_read.clear()

    watch({})

    assert {*archive_read} == {f"day={START - timedelta(days=ago)}" for ago in (1, 2)}


def test_without_duckdb_in_the_bundle_it_says_that_objectives_are_left_out(
    aws: AwsEmulator, archive_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "duckdb" else there(name, *more),
    )
    put_days(aws, some_faulty_days())
    put_orders(aws, fallen)

    [done] = aws._deployed.functions["watch"]({}).values()

    assert done["findings"] == ["failures/cart//up"]
    [problem] = done["problems"]
    assert "DuckDB, which is not in the bundle" in problem
    assert archive_read == []
    assert problem in aws.messages[0].variables["findings"]
    assert any(problem in line for name, line in aws.logs if "watch" in name)


def test_logs_that_are_too_large_keep_it_from_nothing_but_the_objective(
    aws: AwsEmulator, archive_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeykit.insight.parts.UNPACKED", 10**9)
    put_days(aws, some_faulty_days())
    put_orders(aws, fallen)

    [done] = aws._deployed.functions["watch"]({}).values()

    assert (done["findings"], done["paused"]) == (["failures/cart//up"], ["cart"])
    [problem] = done["problems"]
    assert problem.startswith("objective 'orders' is left out: the logs that it needs")
    assert archive_read == []


def test_a_function_that_was_ended_over_objectives_watches_the_rest(
    aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise Killed

    put_days(aws, some_faulty_days())
    put_orders(aws, fallen)
    watch = aws._deployed.functions["watch"]

    with monkeypatch.context() as patched:
        patched.setattr("journeykit.insight.warehouse.Warehouse.open", out_of_memory)
        patched.setattr("journeykit.insight.readings.Readings._note", noted_if_trying)
        with pytest.raises(FunctionError, match="was killed"):
            watch({})
    [done] = watch({}).values()

    assert done["findings"] == ["failures/cart//up"]
    assert "the try before this one was ended" in done["problems"][0]
    assert len(aws.messages) == 1


def noted_if_trying(self: Any, shelved: Any, trying: date | None, **_: Any) -> None:
    """Note what is tried; of what would be noted behind it, nothing: nobody is there."""
    if trying is not None:
        shelved.trying = trying
        self._shelf.put("objectives.json", msgspec.json.encode(shelved))
