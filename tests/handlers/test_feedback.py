"""What providers say about messages → events of the customers who got them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.handlers.conftest import Stack, envelope, failures, sqs_record
from tests.handlers.shop_plugin import Provider

from journeykit import Goal, Journey, Send, Wait, days, on
from journeykit.aws.callbacks import callback_parcel
from journeykit.channels import Callback, Report

HELLO = Journey(
    "hello",
    trigger=on("signed.up"),
    goal=Goal(on("message.clicked"), within=days(7)),
    steps=[Send("email", "welcome"), Wait(days(3))],
)


def posted(
    body: bytes = b"{}", *, channel: str = "email", id: str = "message-1"
) -> dict:
    """A record of what a provider has posted to the HTTP door."""
    parcel = callback_parcel(
        channel, Callback(body=body, headers={}, received_at=datetime.now(UTC))
    )
    return sqs_record(parcel.body, id=id, **parcel.attributes)


def clicked(delivery_id: str) -> Report:
    return Report(
        delivery_id=delivery_id,
        name="message.clicked",
        id="click-1",
        occurred_at=datetime.now(UTC),
    )


@pytest.fixture
def sent(stack: Stack, provider: Provider) -> Stack:
    """A stack that has sent ada a message."""
    stack.publish(HELLO)
    address = envelope("profile.updated", "ada", id="0", email="ada@example.org")
    event = envelope("signed.up", "ada", id="1")
    stack.invoke("ingest", {"Records": [sqs_record(address), sqs_record(event)]})
    stack.relay()
    stack.deliver()
    assert len(provider.asked) == 1
    return stack


def test_a_click_reaches_its_customer(
    sent: Stack, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.reports = [clicked(provider.asked[0].delivery_id)]

    answer = sent.invoke("feedback", {"Records": [posted()]})

    assert failures(answer) == []
    assert '"goal goal"' in capsys.readouterr().out


def test_what_can_t_be_trusted_is_a_dead_letter_and_the_rest_proceeds(
    sent: Stack, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.reports = [clicked(provider.asked[0].delivery_id)]
    records = [
        posted(b'"forged"', id="forged"),
        posted(channel="fax", id="of nobody"),
        sqs_record("{", id="unreadable", kind="callback"),
        posted(),
    ]

    answer = sent.invoke("feedback", {"Records": records})

    assert failures(answer) == []
    reasons = [reason for _, reason, _ in sent.letters()]
    assert "the signature is wrong" in reasons[0]
    assert "'fax'" in reasons[1]
    assert len(reasons) == 3
    assert '"goal goal"' in capsys.readouterr().out


def test_what_sns_brings_is_for_the_channel_that_knows_it(
    sent: Stack, provider: Provider
) -> None:
    note = '{"Type":"Notification","MessageId":"n","TopicArn":"t","Message":"{}"}'

    unknown = sent.invoke("feedback", {"Records": [sqs_record('"forged"')]})
    dull = sent.invoke("feedback", {"Records": [sqs_record(note)]})
    provider.reports = [clicked(provider.asked[0].delivery_id)]
    known = sent.invoke("feedback", {"Records": [sqs_record(note)]})

    assert failures(unknown) == failures(dull) == failures(known) == []
    assert len(sent.letters()) == 1


def test_a_click_on_a_message_that_nobody_sent_changes_nothing(
    sent: Stack, provider: Provider
) -> None:
    provider.reports = [clicked("of-somebody-else")]

    answer = sent.invoke("feedback", {"Records": [posted()]})

    assert failures(answer) == []
    assert sent.letters() == []
