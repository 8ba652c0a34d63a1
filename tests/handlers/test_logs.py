"""What an operator sees: one thing can be followed, and nothing personal is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from tests.handlers.conftest import Stack, envelope, sqs_record
from tests.handlers.shop_plugin import Provider

from journeykit import Journey, Send, Wait, hours, minutes, on
from journeykit.channels import Message, Receipt, Rejected, Uncertain

SECRETS = ("ada-4711", "ada@example.org", "swordfish", "Lovelace")
HELLO = Journey(
    "hello",
    trigger=on("signed.up"),
    steps=[Send("email", "welcome"), Wait(hours(1)), Send("email", "tips")],
)


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of JSON in what was printed; nothing else may be there."""
    return [json.loads(line) for line in text.splitlines()]


def metrics(text: str) -> list[tuple[dict[str, Any], set[str]]]:
    """The metrics that were printed, and the names of their labels."""
    return [
        (line, {name for each in blob["Dimensions"] for name in each})
        for line in lines(text)
        if "_aws" in line
        for blob in line["_aws"]["CloudWatchMetrics"]
    ]


def happens(stack: Stack) -> None:
    """Ada signs up, with everything personal that there is."""
    address = envelope(
        "profile.updated", "ada-4711", id="event-1", email="ada@example.org"
    )
    event = envelope("signed.up", "ada-4711", id="event-2", password="swordfish")
    stack.invoke("ingest", {"Records": [sqs_record(address), sqs_record(event)]})


def test_an_event_can_be_followed_to_its_delivery(
    stack: Stack, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.publish(HELLO)
    happens(stack)
    stack.relay()
    stack.deliver()

    told = lines(capsys.readouterr().out)
    [reacted] = [line for line in told if line.get("stimulus") == "signed.up"]
    [delivered] = [line for line in told if line.get("message") == "delivered"]
    assert reacted["event_id"] == "event-2"
    assert reacted["message_id"] == "message-1"
    assert reacted["function_name"] == "shop-function"
    assert reacted["journeys"] == ["hello"]
    assert reacted["deliveries"] == [provider.asked[0].delivery_id]
    assert len(reacted["log_id"]) == 24
    assert delivered["delivery_id"] == provider.asked[0].delivery_id
    assert (delivered["journey"], delivered["outcome"]) == ("hello", "sent")


def rejected(message: Message) -> Receipt:
    return Rejected(message.delivery_id, "no mailbox")


def uncertain(message: Message) -> Receipt:
    return Uncertain(message.delivery_id, "timeout")


def broken(message: Message) -> Receipt:
    raise RuntimeError(f"can't reach {message.address}")


@pytest.mark.parametrize("answer", [rejected, uncertain, broken])
def test_no_log_holds_anything_personal(
    stack: Stack,
    provider: Provider,
    capfd: pytest.CaptureFixture[str],
    answer: Any,
) -> None:
    provider.answer = answer
    stack.publish(HELLO)
    happens(stack)
    poison = [
        sqs_record("swordfish"),
        sqs_record(envelope("signed.up", "ada-4711\x00")),
        sqs_record('{"customer":"ada-4711","name":"Lovelace"}', kind="event"),
        sqs_record('{"customer":7,"for":"ada@example.org"}', kind="wake_up"),
        sqs_record("ada-4711", kind="Lovelace"),
    ]
    stack.invoke("ingest", {"Records": poison})
    stack.invoke("feedback", {"Records": poison})
    stack.relay()
    stack.deliver()
    stack.invoke("deliver", {"Records": poison})
    stack.dynamodb.delete_table(TableName="customers")
    happens(stack)

    printed = "".join(capfd.readouterr())
    assert "a record is to come again" in printed
    assert [secret for secret in SECRETS if secret in printed] == []


def test_what_is_decided_and_delivered_is_counted(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.publish(HELLO)
    event = envelope("signed.up", "ben", id="of ben")
    stack.invoke("ingest", {"Records": [sqs_record(event)]})
    happens(stack)
    stack.relay()
    stack.deliver()

    told = metrics(capsys.readouterr().out)
    names = {"service"}
    assert any(m.get("Reactions") == [2.0] and labels == names for m, labels in told)
    assert any(
        m.get("Suppressions") == [1.0] and m["reason"] == "no_address"
        for m, labels in told
        if labels == {"service", "reason"}
    )
    assert any(
        m.get("Deliveries") == [1.0]
        and (m["channel"], m["outcome"]) == ("email", "sent")
        for m, labels in told
        if labels == {"service", "channel", "outcome"}
    )
    assert any("RelayAge" in m for m, _ in told)
    assert all(m["service"] == "shop" for m, _ in told)


def test_a_batch_prints_each_metric_once(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.publish(HELLO)
    records = [
        sqs_record(envelope("signed.up", f"c{n}", id=f"{n}"), id=f"{n}")
        for n in range(150)
    ]
    capsys.readouterr()

    stack.invoke("ingest", {"Records": records})

    told = metrics(capsys.readouterr().out)
    assert [m["Reactions"] for m, _ in told if "Reactions" in m] == [[150.0]]


def test_a_late_wake_up_is_measured(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    wait = Journey("wait", trigger=on("signed.up"), steps=[Wait(minutes(5))])
    stack.publish(wait)
    stack.invoke("ingest", {"Records": [sqs_record(envelope("signed.up", "ada"))]})

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6), tick=True):
        wake = sqs_record('{"customer":"ada"}', kind="wake_up")
        stack.invoke("ingest", {"Records": [wake]})

    [late] = [
        m["WakeUpLateness"][0]
        for m, _ in metrics(capsys.readouterr().out)
        if "WakeUpLateness" in m
    ]
    assert 55_000 < late < 70_000
