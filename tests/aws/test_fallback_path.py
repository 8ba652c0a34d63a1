"""A fallback through queues, functions and callbacks."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from journeykit import Callback, Journey, Report, Send, hours, on
from journeykit.testing import AwsEmulator, RecordingChannel

NEWS = Journey(
    "news",
    trigger=on("joined"),
    steps=[
        Send(["push", "sms"], "news", fallback_after=hours(2)),
        Send("email", "after"),
    ],
)


class Provider(RecordingChannel):
    """A provider that reports what became of a message, in JSON."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        said = json.loads(callback.body)
        return [Report(**said, id="r1", occurred_at=callback.received_at)]


@pytest.mark.parametrize(
    ("report", "sent"),
    [
        (None, ["push 09:00", "sms 11:00", "email 11:00"]),
        ("message.delivered", ["push 09:00", "email 09:30"]),
        ("message.bounced", ["push 09:00", "sms 09:30", "email 09:30"]),
    ],
    ids=["silence", "delivered", "bounced"],
)
def test_a_channel_has_its_turn_when_word_of_the_one_before_is_due(
    report: str | None, sent: list[str]
) -> None:
    channels = {name: Provider(name) for name in ("push", "sms", "email")}

    with AwsEmulator(NEWS, start="2026-06-01T09:00:00Z", channels=channels) as aws:
        aws.publish()
        aws.event("joined", "ada")
        aws.advance("30m")
        if report is not None:
            [message] = channels["push"].messages
            said = {"delivery_id": message.delivery_id, "name": report}
            assert aws.post("/v1/feedback/push", said).status == 200
        aws.advance("5h")

        got = [message for one in channels.values() for message in one.messages]
        assert [f"{m.channel} {m.at:%H:%M}" for m in got] == sent
        assert aws.decisions[-1]["kind"] == "completed"
        assert not aws.failures
        assert not aws.dead_letters
