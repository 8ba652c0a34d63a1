"""What providers post back comes out of the queue as it went in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.aws.callbacks import callback_of, callback_parcel, kept
from journeykit.aws.queues import Parcel
from journeykit.channels import Callback
from journeykit.errors import InputError

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ses"


def record(body: str, **attributes: str) -> dict[str, Any]:
    return {
        "messageId": "m-1",
        "body": body,
        "attributes": {"SentTimestamp": str(round(NOON.timestamp() * 1000))},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"}
            for name, value in attributes.items()
        },
    }


def sent(parcel: Parcel) -> dict[str, Any]:
    return record(parcel.body, **parcel.attributes)


_text = st.text(st.characters(codec="utf-8"))


@given(
    st.binary(),
    st.dictionaries(_text, _text),
    _text,
    st.datetimes(timezones=st.just(UTC)),
)
def test_a_callback_comes_out_as_it_went_in(
    body: bytes, headers: Mapping[str, str], url: str, at: datetime
) -> None:
    callback = Callback(body=body, headers=headers, received_at=at, url=url)

    parcel = callback_parcel("email", callback)

    assert callback_of(sent(parcel)) == ("email", callback)


@pytest.mark.parametrize(
    "name",
    [
        *("cookie", "forwarded", "via", "x-forwarded-for", "x-forwarded-proto"),
        *("x-amzn-trace-id", "x-amz-sns-topic-arn", "x-amz-eventbridge-source"),
    ],
)
def test_what_only_a_proxy_or_aws_says_is_not_kept(name: str) -> None:
    assert kept({name: "forged", "x-twilio-signature": "s"}) == {
        "x-twilio-signature": "s"
    }


def test_what_sns_has_wrapped_is_unwrapped() -> None:
    note = {
        "Type": "Notification",
        "MessageId": "n-1",
        "TopicArn": TOPIC,
        "Message": '{"eventType": "Open"}',
        "Timestamp": "2026-06-07T12:00:00.000Z",
    }

    channel, callback = callback_of(record(json.dumps(note)))

    assert channel == ""
    assert callback == Callback(
        body=b'{"eventType": "Open"}',
        headers={"x-amz-sns-topic-arn": TOPIC, "x-amz-sns-message-id": "n-1"},
        received_at=NOON,
    )


def test_what_eventbridge_sends_is_passed_on_whole() -> None:
    body = json.dumps(
        {"source": "aws.ses", "detail-type": "Email Opened", "detail": {}}
    )

    channel, callback = callback_of(record(body))

    assert (channel, callback.body) == ("", body.encode())
    assert callback.headers == {"x-amz-eventbridge-source": "aws.ses"}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"body": None},
        record(""),
        record("ada"),
        record("{}"),
        record("[" * 100_000),
        record('{"Type": "SubscriptionConfirmation", "Message": "ada"}'),
        record("ada", kind="callback", channel="email"),
        record('{"body": "ada"}', kind="callback", channel="email"),
        record('{"body": "!", "headers": {}}', kind="callback", channel="email"),
        record(
            '{"body": "", "headers": {}, "received_at": "2026-06-07T12:00:00"}',
            kind="callback",
            channel="email",
        ),
        record("{}", kind="wake_up"),
        record('{"Type": "Notification", "Message": "ada"}') | {"attributes": {}},
    ],
    ids=range(13),
)
def test_what_is_none_is_refused_and_not_quoted(broken: Mapping[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        callback_of(broken)

    assert "ada" not in str(caught.value)
