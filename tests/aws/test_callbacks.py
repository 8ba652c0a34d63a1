"""What providers post back comes out of the queue as it went in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.aws.callbacks import callback_of, callback_parcel
from journeykit.aws.cloud import _reports_in
from journeykit.aws.queues import Parcel
from journeykit.channels import Callback, Channel, Message, Receipt, Report
from journeykit.errors import InputError
from journeykit.http.feedback import is_ours, kept

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


class _Silent(Channel):
    """A channel that nothing is sent by."""

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        raise NotImplementedError


class _Unset(_Silent):
    """A channel whose secret isn't there yet."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        raise InputError("is not set, or empty", place="environment: SECRET")


class _Stranger(_Silent):
    """A channel that it isn't for."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        raise InputError("is of somebody else", place="stranger: callback")


class _Owner(_Silent):
    """The channel that it is for."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        return [Report("d-1", "message.opened", "r-1", callback.received_at)]


def of_sns() -> dict[str, Any]:
    """A notification, of which nobody says whose it is."""
    return record(json.dumps({"Type": "Notification", "Message": "{}"}))


def test_what_may_be_a_channels_that_lacks_its_secret_comes_again() -> None:
    channels = {"sms": _Stranger(), "email": _Unset(), "push": _Stranger()}

    with pytest.raises(InputError, match="is not set") as caught:
        _reports_in(channels, of_sns())

    assert is_ours(caught.value)


def test_it_does_not_keep_back_what_is_anothers() -> None:
    name, reports = _reports_in({"email": _Unset(), "sms": _Owner()}, of_sns())

    assert (name, [report.id for report in reports]) == ("sms", ["r-1"])


def test_what_is_nobodys_never_comes_again() -> None:
    with pytest.raises(InputError, match="about no channel") as caught:
        _reports_in({"sms": _Stranger()}, of_sns())

    assert not is_ours(caught.value)
