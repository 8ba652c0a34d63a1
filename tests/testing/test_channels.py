from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from journeykit import (
    Capabilities,
    Channel,
    Journey,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Send,
    Sent,
    Uncertain,
    UnknownChannel,
    entry,
    on,
)
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.testing import (
    RecordingChannel,
    SentMessage,
    Simulator,
    deliver,
    make_profile,
)

HI = Journey(
    id="hi",
    trigger=on("x"),
    topic="news",
    reentry="always",
    steps=[
        Send("email", "hi", variables={"n": entry.n}),
        Send("sms", "hi", purpose="transactional"),
    ],
)


def sent(count: int = 1) -> Sequence[SentMessage]:
    sim = Simulator(
        HI, start="2026-06-01T09:00:00Z", profiles=[make_profile("ada", phone=None)]
    )
    for n in range(count):
        sim.event("x", "ada", n=n)
    return sim.sends


def test_a_sent_message_is_what_a_channel_gets() -> None:
    email, sms = sent()

    assert isinstance(email, Message)
    assert (email.customer, email.channel, email.address) == ("ada", "email", "ada")
    assert (email.template, email.variables) == ("hi", {"n": 0})
    assert email.at == datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert (email.journey, email.version, email.step) == ("hi", 1, "send-email-hi")
    assert (email.purpose, email.topic) == ("marketing", "news")
    assert email.expires_at == datetime(2026, 6, 2, 9, tzinfo=UTC)
    assert (sms.purpose, sms.expires_at) == ("transactional", None)
    assert email.enrollment == sms.enrollment
    assert email.delivery_id != sms.delivery_id


def test_a_recording_channel_keeps_messages_and_calls_them_sent() -> None:
    channel = RecordingChannel()
    messages = sent(2)

    receipts = deliver(messages, [channel])

    assert [m.channel for m in channel.messages] == ["email", "email", "sms", "sms"]
    assert receipts == [Sent(message.delivery_id) for message in messages]


def test_a_recording_channel_can_be_told_to_answer_otherwise() -> None:
    email = RecordingChannel("email", answer=lambda m: RetryAfter(m.delivery_id, 30))
    sms = RecordingChannel("sms")
    sms.answer = lambda m: Rejected(m.delivery_id, "blocked")
    messages = sent()

    receipts = deliver(messages, [email, sms])

    assert receipts == [
        RetryAfter(messages[0].delivery_id, 30),
        Rejected(messages[1].delivery_id, "blocked"),
    ]


def test_batches_are_as_large_as_a_channel_takes() -> None:
    sizes: list[int] = []

    class Batching(RecordingChannel):
        capabilities = Capabilities(batch_size=2)

        def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            sizes.append(len(messages))
            return super().send(messages)

    deliver(sent(3), {"email": Batching(), "sms": Batching()})

    assert sizes == [2, 1, 2, 1]


def test_of_a_channel_that_raises_nobody_knows_what_it_took() -> None:
    class Down(RecordingChannel):
        def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            raise ConnectionError("no route")

    messages = sent()

    receipts = deliver(messages, [Down()])

    assert receipts == [
        Uncertain(message.delivery_id, "ConnectionError: no route")
        for message in messages
    ]


def test_a_channel_must_answer_for_each_message() -> None:
    class Forgetful(RecordingChannel):
        def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            return []

    with pytest.raises(AssertionError, match="one receipt for each message"):
        deliver(sent(), [Forgetful()])


def test_installed_channels_carry_messages() -> None:
    email, sms = RecordingChannel("email"), RecordingChannel("sms")
    channels: dict[tuple[str, str], Channel] = {
        ("email", "recording"): email,
        ("sms", "recording"): sms,
    }
    registry = Registry(
        channels=channels,
        actions={},
        guards={},
        engines={},
        commands={},
        observers=Observers(),
        plugins=(),
    )

    deliver(sent(), registry)

    assert (len(email.messages), len(sms.messages)) == (1, 1)


def test_a_message_that_nobody_carries_is_an_error() -> None:
    with pytest.raises(UnknownChannel, match="no channel carries 'sms'"):
        deliver(sent(), [RecordingChannel("email")])
