"""What providers say is in the archive of a stack, once heard, as over SQLite."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from journeykit import Event, Exit, Journey, Send, WaitFor, When, days, on
from journeykit.aws.archive import envelope_lines
from journeykit.channels import Callback, Report
from journeykit.model.envelopes import bridged_event
from journeykit.testing import RecordingChannel
from journeykit.testing.aws import AwsEmulator

START = datetime(2026, 3, 2, 10, tzinfo=UTC)

WELCOME = Journey(
    "welcome",
    trigger=on("signed.up"),
    steps=[
        Send("email", "hello"),
        WaitFor([When(on("message.opened"))], timeout=days(1), otherwise=[Exit()]),
        Send("email", "thanks"),
    ],
)


class Provider(RecordingChannel):
    """A provider that reports what became of messages, in JSON."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        reports: list[dict[str, Any]] = json.loads(callback.body)
        return [Report(**one, occurred_at=callback.received_at) for one in reports]


def archived(aws: AwsEmulator) -> list[dict[str, Any]]:
    """The lines of the archive, as they lie in the stack's bucket."""
    s3 = aws.client("s3")
    found: list[dict[str, Any]] = []
    for bucket in s3.list_buckets()["Buckets"]:
        listed = s3.list_objects_v2(Bucket=bucket["Name"], Prefix="events/")
        for one in listed.get("Contents", ()):
            got = s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
            body = gzip.decompress(got) if got[:2] == b"\x1f\x8b" else got
            found += map(json.loads, body.splitlines())
    return found


def opened(email: RecordingChannel, *, id: str = "r1", **more: Any) -> dict[str, Any]:
    message = email.messages[0]
    return {
        "id": id,
        "delivery_id": message.delivery_id,
        "name": "message.opened",
        **more,
    }


def test_what_a_provider_says_is_archived() -> None:
    email = Provider("email")

    with AwsEmulator(WELCOME, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("signed.up", "ada")
        said = opened(email, properties={"automated": False, "note": "ünïcode"})
        assert aws.post("/v1/feedback/email", [said]).status == 200

        [line] = archived(aws)
        assert (line["detail-type"], line["source"]) == (
            "message.opened",
            "journeykit.http",
        )
        assert line["detail"]["customer"] == "ada"
        assert line["detail"]["properties"]["note"] == "ünïcode"
        assert line["detail"]["properties"]["delivery_id"] == said["delivery_id"]
        assert line["detail"]["source"] == "feedback"


def test_a_decision_names_the_line_that_caused_it() -> None:
    email = Provider("email")

    with AwsEmulator(WELCOME, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("signed.up", "ada")
        aws.post("/v1/feedback/email", [opened(email)])

        [line] = archived(aws)
        went_on = [one for one in aws.decisions if one["kind"] == "went_on"]
        assert [(one["event"], one["source"]) for one in went_on] == [
            (line["detail"]["id"], "feedback")
        ]


def test_it_is_heard_once_though_it_is_archived() -> None:
    email = Provider("email")

    with AwsEmulator(WELCOME, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("signed.up", "ada")
        aws.post("/v1/feedback/email", [opened(email)])
        aws.advance(days(2))

        assert [one.template for one in email.messages] == ["hello", "thanks"]
        kinds = [(one["kind"], one.get("reason")) for one in aws.decisions]
        assert ("ignored", "duplicate") not in kinds
        assert not aws.failures
        assert not aws.dead_letters


def test_a_callback_that_comes_again_is_archived_under_the_same_id() -> None:
    email = Provider("email")

    with AwsEmulator(WELCOME, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("signed.up", "ada")
        aws.post("/v1/feedback/email", [opened(email)])
        aws.post("/v1/feedback/email", [opened(email)])

        lines = archived(aws)
        assert len(lines) == 2
        assert (
            len({(one["detail"]["source"], one["detail"]["id"]) for one in lines}) == 1
        )


def test_what_is_about_nobody_is_not_archived() -> None:
    email = Provider("email")

    with AwsEmulator(WELCOME, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("signed.up", "ada")
        stranger = {"id": "r9", "delivery_id": "0" * 24, "name": "message.opened"}
        aws.post("/v1/feedback/email", [stranger])

        assert archived(aws) == []


def test_a_line_reads_as_the_event_that_it_was() -> None:
    event = Event(
        id="r1",
        name="message.clicked",
        customer="ada",
        occurred_at=START,
        received_at=datetime(2026, 3, 2, 10, 0, 5, 250_000, tzinfo=UTC),
        properties={"delivery_id": "d1", "link": "https://shop.example/?a=1&b=2"},
        source="feedback",
        test=True,
        identifiers={"email": "ada@example.com"},
    )

    [line] = envelope_lines([event]).splitlines()

    assert bridged_event(line, None) == event


def test_no_events_are_no_lines() -> None:
    assert envelope_lines([]) == b""


def test_a_line_is_what_eventbridge_would_write() -> None:
    event = Event(
        id="r1",
        name="message.opened",
        customer="ada",
        occurred_at=START,
        received_at=START,
        source="feedback",
    )

    line = msgspec.json.decode(envelope_lines([event]))

    assert line.keys() >= {"version", "id", "detail-type", "source", "time", "detail"}
    assert line["time"] == "2026-03-02T10:00:00Z"
