"""The scheduled watch of a stack: counts in S3, alarms, a pause, and who may be told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.aws.watched import DAYS, START, put_days, some_faulty_days, stack
from tests.insight.some_days import some_days

from journeykit.aws.watch_shelf import AlarmTopic, BucketShelf
from journeykit.testing.aws import EMULATOR, AwsEmulator, FunctionError


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsEmulator]:
    with stack(tmp_path) as emulator:
        yield emulator


def called(aws: AwsEmulator) -> set[str]:
    """What the function has asked AWS for."""
    return {
        f"{one.service}:{one.operation}" for one in aws.requests if "watch" in one.by
    }


def test_a_fault_is_told_and_the_journey_paused_once(aws: AwsEmulator) -> None:
    put_days(aws, some_faulty_days())
    watch = aws._deployed.functions["watch"]

    first = watch({})
    again = watch({})

    yesterday = str(START - timedelta(days=1))
    assert first.keys() == {yesterday}
    assert first[yesterday]["findings"] == ["failures/cart//up"]
    assert first[yesterday]["paused"] == ["cart"]
    assert again[yesterday]["paused"] == []
    [message] = aws.messages
    assert (message.channel, message.address) == ("email", "ops@example.com")
    assert message.variables["subject"].startswith("shop: 1 finding on 2026-02-16")
    status = aws.ask({"status": {}})["status"]
    [journey] = status["journeys"]
    assert journey["state"] == "paused"
    assert journey["reason"].startswith("watch: failed runs of cart up")


def test_it_asks_for_what_its_role_allows(aws: AwsEmulator) -> None:
    put_days(aws, some_faulty_days())

    aws._deployed.functions["watch"]({})

    assert called(aws) <= {
        *("s3:ListObjectsV2", "s3:GetObject", "s3:PutObject", "sns:Publish"),
        *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"),
    }
    assert {"s3:PutObject", "sns:Publish", "dynamodb:PutItem"} <= called(aws)


def test_a_day_is_read_once(aws: AwsEmulator) -> None:
    put_days(aws, some_faulty_days())
    yesterday = str(START - timedelta(days=1))
    watch = aws._deployed.functions["watch"]

    first, again = watch({}), watch({"at": yesterday})

    assert first[yesterday]["read"] == DAYS
    assert again[yesterday] == {**first[yesterday], "paused": [], "read": 0}


def test_without_a_finding_nobody_hears_a_word(aws: AwsEmulator) -> None:
    put_days(aws, some_days(DAYS))

    done = aws._deployed.functions["watch"]({})

    assert [one["findings"] for one in done.values()] == [[]]
    assert aws.messages == []
    assert "sns:Publish" not in called(aws)


def test_a_dry_run_changes_nothing(aws: AwsEmulator) -> None:
    put_days(aws, some_faulty_days())

    done = aws._deployed.functions["watch"]({"dry_run": True})

    assert [one["paused"] for one in done.values()] == [["cart"]]
    assert aws.messages == []
    assert called(aws).isdisjoint({"s3:PutObject", "sns:Publish", "dynamodb:PutItem"})


def test_whom_it_cannot_tell_it_tries_again(
    aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_days(aws, some_faulty_days())
    [carrier] = aws._carried.values()
    watch = aws._deployed.functions["watch"]

    def down(self: object, messages: object) -> Any:
        raise OSError("no route")

    with monkeypatch.context() as patched:
        patched.setattr(type(carrier), "send", down)
        with pytest.raises(FunctionError, match="email can't be reached"):
            watch({})

    watch({})

    assert len(aws.messages) == 1


@pytest.mark.parametrize(
    ("at", "why"),
    [(str(START), "is not over yet"), ("yesterday", "is no day such as")],
    ids=["to-come", "no-day"],
)
def test_a_day_that_is_not_over_is_refused(aws: AwsEmulator, at: str, why: str) -> None:
    with pytest.raises(FunctionError, match=why):
        aws._deployed.functions["watch"]({"at": at})


def test_of_a_day_long_ago_nobody_is_told(aws: AwsEmulator) -> None:
    put_days(aws, some_faulty_days())
    watch = aws._deployed.functions["watch"]

    watch({"at": str(START - timedelta(days=8))})
    done = watch({})

    assert len(aws.messages) == 1
    assert [one["paused"] for one in done.values()] == [["cart"]]


class Topic:
    """As much of SNS as an alarm asks."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    def publish(self, **said: str) -> None:
        self.told.append(said)


def test_a_subject_is_what_sns_takes() -> None:
    topic = Topic()

    AlarmTopic(topic, "arn").tell("Café\n" + "x" * 300, "a" * 400_000)
    AlarmTopic(topic, "arn").tell("", "b")

    [long, empty] = topic.told
    assert long["Subject"].startswith("Caf??x")
    assert len(long["Subject"]) == 100
    assert len(long["Message"]) < 256 * 1024
    assert empty["Subject"] == "watch"


def test_what_is_not_on_the_shelf_is_nothing(aws: AwsEmulator) -> None:
    [bucket] = aws._deployed._buckets
    shelf = BucketShelf(aws._account.client("s3"), bucket)

    with aws._account.used_by(EMULATOR):
        assert shelf.get("told.json") is None
        shelf.put("told.json", b"{}")
        assert shelf.get("told.json") == b"{}"
