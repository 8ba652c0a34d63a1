"""What SNS posts is believed if SNS has signed it, for a topic of ours, and lately."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, strategies as st

from journeykit.channels import Callback
from journeykit.errors import ForgedCallback, InputError
from journeykit.sns import (
    CERTIFICATES,
    Notification,
    Notifications,
    instant_of,
    is_topic,
)
from journeykit.transport import (
    MockTransport,
    NoAnswer,
    Outcome,
    Request,
    Response,
    Unreachable,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
HOST = "https://sns.us-west-2.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"

# https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": TOPIC,
    "Subject": "My First Message",
    "Message": "Hello world!\nZoë",
    "Timestamp": "2026-03-02T11:54:31.012Z",
    "SignatureVersion": "2",
    "SigningCertURL": CERTIFICATE,
    "UnsubscribeURL": f"{HOST}/?Action=Unsubscribe",
}
# https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37",
    "TopicArn": TOPIC,
    "Message": f"You have chosen to subscribe to the topic {TOPIC}.",
    "SubscribeURL": CONFIRM,
    "Timestamp": "2026-03-02T11:58:00.000Z",
    "SignatureVersion": "2",
    "SigningCertURL": CERTIFICATE,
}
KEY = rsa.generate_private_key(65537, 2048)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY, *, ends: datetime = NOON
) -> bytes:
    name = x509.Name(
        [x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOON - timedelta(days=365))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


PEM = certificate(ends=NOON + timedelta(days=30))


def text_of(message: Mapping[str, Any]) -> bytes:
    """The string to sign, as the manual's page on verifying has it."""
    names = (
        ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        if message["Type"] == "Notification"
        else (
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        )
    )
    lines = (f"{name}\n{message[name]}\n" for name in names if name in message)
    return "".join(lines).encode(errors="replace")


def signed(
    message: Mapping[str, Any], *, key: rsa.RSAPrivateKey = KEY
) -> dict[str, Any]:
    algorithm = (
        hashes.SHA1() if message.get("SignatureVersion") == "1" else hashes.SHA256()
    )
    signature = key.sign(text_of(message), padding.PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def posted(message: object, *, at: datetime = NOON) -> Callback:
    return Callback(
        body=json.dumps(message).encode(),
        headers={},
        received_at=at,
        url="https://api.example.com/v1/feedback/email",
    )


def told(
    answer: Outcome | None = None,
    *,
    confirm: bool = False,
    topics: tuple[str, ...] = (TOPIC,),
) -> tuple[Notifications, list[Request]]:
    transport = MockTransport(lambda _: answer or Response(200, body=PEM))
    return Notifications(
        topics, confirm=confirm, transport=transport
    ), transport.requests


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_has_signed_is_read(version: str) -> None:
    notifications, requests = told()

    notification = notifications.read(
        posted(signed(NOTIFICATION | {"SignatureVersion": version}))
    )

    assert notification == Notification(
        "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "Hello world!\nZoë".encode(),
        topic=TOPIC,
    )
    assert [(one.method, one.url) for one in requests] == [("GET", CERTIFICATE)]


def test_a_notification_may_have_no_subject() -> None:
    plain = {name: value for name, value in NOTIFICATION.items() if name != "Subject"}

    assert told()[0].read(posted(signed(plain))) is not None


def test_a_certificate_is_fetched_once_and_few_are_kept() -> None:
    notifications, requests = told()
    for _ in range(3):
        notifications.read(posted(signed(NOTIFICATION)))
    assert len(requests) == 1

    for n in range(CERTIFICATES):
        url = f"{HOST}/SimpleNotificationService-{n}.pem"
        notifications.read(posted(signed(NOTIFICATION | {"SigningCertURL": url})))
    notifications.read(posted(signed(NOTIFICATION)))

    assert len(requests) == 1 + CERTIFICATES + 1


@pytest.mark.parametrize(
    "name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"]
)
def test_what_was_changed_on_the_way_is_forged(name: str) -> None:
    other = f"{TOPIC}2" if name == "TopicArn" else "2026-03-02T11:54:32.012Z"
    message = signed(NOTIFICATION) | {name: other}

    with pytest.raises(ForgedCallback, match="signature is wrong"):
        told(topics=(TOPIC, f"{TOPIC}2"))[0].read(posted(message))


def test_a_subject_that_was_added_is_forged() -> None:
    plain = {name: value for name, value in NOTIFICATION.items() if name != "Subject"}

    with pytest.raises(ForgedCallback, match="signature is wrong"):
        told()[0].read(posted(signed(plain) | {"Subject": "Hello"}))


def test_a_signature_of_another_key_is_forged() -> None:
    other = rsa.generate_private_key(65537, 2048)

    with pytest.raises(ForgedCallback, match="signature is wrong"):
        told()[0].read(posted(signed(NOTIFICATION, key=other)))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
        "https://evil.example/sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.us-west-2.amazonaws.com@evil.example/SimpleNotificationService-1.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.us-west-2.amazonaws.com/my-bucket/evil.pem",
        "https://sns.us-west-2.amazonaws.com:8443/SimpleNotificationService-1.pem",
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem\n",
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem?a=b",
        "",
        None,
    ],
    ids=range(11),
)
def test_a_certificate_of_anybody_else_is_never_fetched(url: str | None) -> None:
    notifications, requests = told()

    with pytest.raises(ForgedCallback, match="not at an address of SNS"):
        notifications.read(posted(signed(NOTIFICATION | {"SigningCertURL": url})))

    assert requests == []


@pytest.mark.parametrize(
    "host",
    [
        "sns.s3-us-west-2.amazonaws.com",  # anybody's bucket, if it is called sns
        "sns.us-east-1.amazonaws.com",
        "sns.us-west-2.amazonaws.com.cn",
    ],
)
def test_the_certificate_is_of_the_region_of_the_topic(host: str) -> None:
    url = f"https://{host}/SimpleNotificationService-0a1b.pem"
    notifications, requests = told()

    with pytest.raises(ForgedCallback, match="not at an address of SNS"):
        notifications.read(posted(signed(NOTIFICATION | {"SigningCertURL": url})))
    assert requests == []


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_every_region_has_its_certificate(region: str) -> None:
    end = ".cn" if region.startswith("cn-") else ""
    url = f"https://sns.{region}.amazonaws.com{end}/SimpleNotificationService-0a1b.pem"

    partition = {"us-gov": "aws-us-gov", "cn-nor": "aws-cn"}.get(region[:6], "aws")
    topic = f"arn:{partition}:sns:{region}:123456789012:mail"
    message = signed(NOTIFICATION | {"SigningCertURL": url, "TopicArn": topic})

    assert told(topics=(topic,))[0].read(posted(message)) is not None


def test_anybody_may_have_a_topic_so_it_must_be_one_of_ours() -> None:
    """SNS signs what is published there just as well."""
    message = signed(
        NOTIFICATION | {"TopicArn": "arn:aws:sns:us-west-2:999999999999:x"}
    )

    for topics in ((TOPIC,), ()):
        notifications, requests = told(topics=topics)
        with pytest.raises(ForgedCallback, match="not in `topics`"):
            notifications.read(posted(message))
        assert requests == []


@pytest.mark.parametrize("hours", [-25, 25, 24 * 365])
def test_what_is_replayed_a_day_later_is_forged(hours: int) -> None:
    late = posted(signed(NOTIFICATION), at=NOON + timedelta(hours=hours))

    with pytest.raises(ForgedCallback, match="more than a day"):
        told()[0].read(late)


def test_what_came_in_time_may_be_read_much_later() -> None:
    """By the clock of this machine it is months old or not yet."""
    assert told()[0].read(posted(signed(NOTIFICATION))) is not None


def test_a_certificate_that_has_run_out_is_worth_nothing() -> None:
    old = Response(200, body=certificate(ends=NOON - timedelta(days=1)))

    with pytest.raises(ForgedCallback, match="run out"):
        told(old)[0].read(posted(signed(NOTIFICATION)))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"SignatureVersion": "3"}, "neither 1 nor 2"),
        ({"SignatureVersion": None}, "neither 1 nor 2"),
        ({"Signature": "not base64!"}, "its Signature is none"),
        ({"Signature": "Zoë="}, "its Signature is none"),
        ({"Timestamp": "yesterday"}, "its Timestamp is none"),
        ({"Timestamp": "2026-03-02T11:54:31"}, "more than a day"),
    ],
    ids=range(6),
)
def test_what_is_not_signed_as_sns_does_is_forged(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ForgedCallback, match=complaint):
        told()[0].read(posted(signed(NOTIFICATION) | changes))


def test_a_key_of_another_kind_is_forged() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = certificate(curve, ends=NOON + timedelta(days=1))

    with pytest.raises(ForgedCallback, match="another kind"):
        told(Response(200, body=pem))[0].read(posted(signed(NOTIFICATION)))


@pytest.mark.parametrize(
    "outcome",
    [Unreachable("Connection refused"), NoAnswer("timed out"), Response(503)],
    ids=range(3),
)
def test_without_the_certificate_it_is_to_come_again(outcome: Outcome) -> None:
    """A dead letter would be lost feedback for a loose cable."""
    with pytest.raises(ConnectionError, match="can't be fetched now"):
        told(outcome)[0].read(posted(signed(NOTIFICATION)))


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(InputError, match="is none"):
        told(Response(200, body=b"hello"))[0].read(posted(signed(NOTIFICATION)))


# Subscriptions


def test_a_subscription_is_confirmed_if_the_operator_wants_it() -> None:
    notifications, requests = told(confirm=True)

    assert notifications.read(posted(signed(CONFIRMATION))) is None

    assert [(one.method, one.url) for one in requests] == [
        ("GET", CERTIFICATE),
        ("GET", CONFIRM),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Action=ConfirmSubscription", "Action=DeleteTopic"),
        ("TopicArn=", "TopicArn=arn:aws:sns:us-west-2:999999999999:x&Other="),
        ("Action=ConfirmSubscription&", ""),
    ],
    ids=range(3),
)
def test_a_confirmation_asks_for_that_topic_and_nothing_else(
    old: str, new: str
) -> None:
    url = CONFIRM.replace(old, new)
    notifications, requests = told(confirm=True)

    with pytest.raises(InputError, match="asks for something else"):
        notifications.read(posted(signed(CONFIRMATION | {"SubscribeURL": url})))
    assert [one.url for one in requests] == [CERTIFICATE]


def test_otherwise_the_operator_is_told_how() -> None:
    notifications, requests = told()

    with pytest.raises(InputError, match="set `confirm_subscription`"):
        notifications.read(posted(signed(CONFIRMATION)))

    assert [one.url for one in requests] == [CERTIFICATE]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?a",
        "http://169.254.169.254/",
        f"{HOST}/other",
        f"{HOST}/? b",
    ],
    ids=range(4),
)
def test_nobody_makes_us_call_another_address(url: str) -> None:
    notifications, requests = told(confirm=True)

    with pytest.raises(InputError, match="no address of SNS"):
        notifications.read(posted(signed(CONFIRMATION | {"SubscribeURL": url})))

    assert [one.url for one in requests] == [CERTIFICATE]


def test_a_strangers_subscription_is_not_confirmed() -> None:
    message = signed(
        CONFIRMATION | {"TopicArn": "arn:aws:sns:us-west-2:999999999999:x"}
    )
    notifications, requests = told(confirm=True)

    with pytest.raises(ForgedCallback):
        notifications.read(posted(message))

    assert requests == []


def test_the_end_of_a_subscription_is_no_news() -> None:
    message = signed(CONFIRMATION | {"Type": "UnsubscribeConfirmation"})

    assert told()[0].read(posted(message)) is None


# From a queue

BY_SNS = {"x-amz-sns-topic-arn": TOPIC, "x-amz-sns-message-id": "m-1"}
BY_BRIDGE = {"x-amz-eventbridge-source": "aws.ses"}


def queued(body: bytes, headers: Mapping[str, str]) -> Callback:
    return Callback(body=body, headers=headers, received_at=NOON)


def test_what_a_queue_brings_has_passed_the_queues_policy() -> None:
    expected = Notification("m-1", b"hello", topic=TOPIC)

    for topics in ((TOPIC,), ()):
        notifications, _ = told(topics=topics)
        assert notifications.read(queued(b"hello", BY_SNS)) == expected


def test_what_eventbridge_brings_is_its_detail() -> None:
    notifications = Notifications(sources=["aws.ses"])
    event = b'{"id": "e-1", "source": "aws.ses", "detail": {"a": 1}}'

    assert notifications.read(queued(event, BY_BRIDGE)) == Notification(
        "e-1", b'{"a": 1}', source="aws.ses"
    )


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"id": "1"}', b'{"id": 1, "detail": {}}', b'{"id": "1", "detail": []}'],
)
def test_what_is_no_event_of_eventbridge_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="without id or detail"):
        Notifications(sources=["aws.ses"]).read(queued(body, BY_BRIDGE))


@pytest.mark.parametrize("headers", [BY_SNS, BY_BRIDGE], ids=["sns", "bridge"])
def test_a_request_with_the_marks_of_a_queue_is_believed_nothing(
    headers: dict[str, str],
) -> None:
    """The doors let no such header in; this is for the day when one does."""
    body = b'{"id": "e-1", "detail": {}}'
    callback = replace(
        queued(body, headers), url="https://api.example.com/v1/feedback/x"
    )

    with pytest.raises(InputError, match="nothing that SNS sends"):
        Notifications([TOPIC], sources=["aws.ses"]).read(callback)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 9999,
        b'{"Type": "Hello"}',
        b'{"Type": []}',
        b'{"Type": "Notification"}',
        b'{"Type": "Notification", "Message": 1}',
    ],
    ids=range(9),
)
def test_what_sns_does_not_send_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        told()[0].read(replace(posted({}), body=body))


@given(
    st.dictionaries(
        st.sampled_from(sorted(NOTIFICATION)),
        st.none() | st.text() | st.integers(),
        max_size=9,
    )
)
def test_nothing_gets_through_without_a_signature(changes: dict[str, object]) -> None:
    message = NOTIFICATION | {"Signature": "AAAA"} | changes

    with pytest.raises(InputError):
        told()[0].read(posted(message))


@pytest.mark.parametrize(
    ("stamp", "instant"),
    [
        ("2026-03-02T12:00:00.000Z", NOON),
        ("2026-03-02T13:00:00+01:00", NOON),
        (1772452800000, NOON),
        ("noon", None),
        (True, None),
        (10**30, None),
        (None, None),
    ],
    ids=range(7),
)
def test_instants_are_read_as_aws_writes_them(
    stamp: object, instant: datetime | None
) -> None:
    assert instant_of(stamp) == instant


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (TOPIC, True),
        ("arn:aws-cn:sns:cn-north-1:123456789012:mail.fifo", True),
        ("arn:aws:sns:us-west-2:123:MyTopic", False),
        ("arn:aws:sqs:us-west-2:123456789012:MyTopic", False),
        ("MyTopic", False),
    ],
    ids=range(5),
)
def test_a_topic_is_known_by_its_arn(text: str, right: bool) -> None:
    assert is_topic(text) is right
