"""What AWS is asked, what its answers mean, and what its events come to.

The service's double speaks HTTP on loopback, and the client is boto3's own, which checks a
request against the service's model. Its answers have the shapes of
https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from journeykit.amazon import service
from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    Content,
    Message,
    Rejected,
    Report,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import ContentError, InputError
from journeykit.testing import ChannelContract
from journeykit.transport import MockTransport, Response
from journeykit_sms_aws import SmsAwsChannel
from journeykit_sms_aws.settings import SmsAwsSettings

TOPIC = "arn:aws:sns:eu-west-1:123456789012:sms"
SETTINGS = {
    "sender": "pool-0123456789abcdef0123456789abcdef",
    "region": "eu-west-1",
    "configuration_set": "journeys",
    "topics": [TOPIC],
}
REFUSED = "+4917000000000"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Trouble = Literal["busy", "refusing", "silent", "unreachable"]


class Double(BaseHTTPRequestHandler):
    """The service, as far as SendTextMessage goes; passes on what it takes."""

    protocol_version = "HTTP/1.1"
    trouble: ClassVar[str] = ""
    error: ClassVar[tuple[int, str, str] | None] = None
    requests: ClassVar[list[dict[str, Any]]] = []
    passed_on: ClassVar[list[str]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["x-amz-target"] == "PinpointSMSVoiceV2.SendTextMessage"
        if self.error is not None:
            self.refuse(*self.error)
            return
        if self.trouble == "busy":
            self.refuse(400, "ThrottlingException", "")
            return
        if self.trouble == "refusing" or request["DestinationPhoneNumber"] == REFUSED:
            self.refuse(400, "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT")
            return
        with self.lock:
            self.requests.append(request)
            self.passed_on.append(request["Context"]["journeykit-delivery"])
        if self.trouble == "silent":
            self.close_connection = True
            return
        self.reply(200, {"MessageId": "862a8790-60c0-4430-9b2b-658bdexample"})

    def refuse(self, status: int, code: str, reason: str) -> None:
        told = {"Message": f"it is about {REFUSED}", "__type": code}
        self.reply(status, told | ({"Reason": reason} if reason else {}))

    def reply(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Clients:
    answering: ClassVar[Any] = None
    nobody: ClassVar[Any] = None


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """The double, and a client that asks it; one for all, as it takes long to make."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadingHTTPServer(("127.0.0.1", 0), Double) as server,
    ):
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key-of-aws")
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        name, region = "pinpoint-sms-voice-v2", "eu-west-1"
        place = f"http://127.0.0.1:{server.server_port}"
        Clients.answering = service(name, region=region, endpoint=place)
        # Port 9 is for what is thrown away.
        Clients.nobody = service(name, region=region, endpoint="http://127.0.0.1:9")
        yield
        Clients.answering.close()
        Clients.nobody.close()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def healthy() -> None:
    Double.trouble, Double.error = "", None
    Double.requests.clear()
    Double.passed_on.clear()


class Sns:
    """SNS, which signs what it posts, and has its certificate where it says."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")]
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(NOON - timedelta(days=30))
            .not_valid_after(NOON + timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.transport = MockTransport(lambda _: Response(200, body=pem))

    def posted(self, event: object) -> Callback:
        message = {
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": TOPIC,
            "Message": json.dumps(event),
            "Timestamp": "2026-03-02T11:59:58.123Z",
            "SignatureVersion": "2",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/"
            "SimpleNotificationService-0f1e2d.pem",
        }
        names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
        text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
        signed = self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        message["Signature"] = base64.b64encode(signed).decode()
        body = json.dumps(message).encode()
        url = "https://api.example.com/v1/feedback/sms"
        return Callback(body=body, headers={}, received_at=NOON, url=url)


SNS = Sns()


def event(
    kind: str, *, delivery_id: str | None = "d1", **changes: object
) -> dict[str, Any]:
    """As in the example of the User Guide, "Example event data"."""
    told = {
        "eventType": kind,
        "eventVersion": "1.0",
        "eventTimestamp": 1772449203470,
        "isFinal": True,
        "originationPhoneNumber": "+12065550152",
        "destinationPhoneNumber": "+14255550156",
        "isoCountryCode": "US",
        "mcc": "310",
        "mnc": "800",
        "messageId": "862a8790-60c0-4430-9b2b-658bdexample",
        "messageRequestTimestamp": 1772449203170,
        "messageEncoding": "GSM",
        "messageType": "PROMOTIONAL",
        "messageStatus": kind.removeprefix("TEXT_"),
        "messageStatusDescription": "Message has been accepted by phone",
        "totalMessageParts": 1,
        "totalMessagePrice": 0.09582,
        "totalCarrierFee": 0.0,
    }
    context = (
        {} if delivery_id is None else {"context": {"journeykit-delivery": delivery_id}}
    )
    return told | context | changes


def bridged(told: object) -> Callback:
    """As in the User Guide, "Monitoring with EventBridge"."""
    body = {
        "version": "0",
        "id": "15226fe5-c283-a862-e5e5-0a29ad450fd9",
        "detail-type": "Text Message Delivery Status Updated",
        "source": "aws.sms-voice",
        "account": "123456789123",
        "time": "2026-03-02T11:00:03Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": told,
    }
    headers = {"x-amz-eventbridge-source": "aws.sms-voice"}
    return Callback(body=json.dumps(body).encode(), headers=headers, received_at=NOON)


ANSWER = {  # the User Guide, "Example of a two-way SMS message payload"
    "originationNumber": "+14255550182",
    "destinationNumber": "+12125550101",
    "messageKeyword": "JOIN",
    "messageBody": "Yes, on Friday please",
    "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
    "previousPublishedMessageId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


def sms(**settings: object) -> Channel:
    return SmsAwsChannel(Clients.answering, SNS.transport).configured(
        SETTINGS | settings
    )


class TestContract(ChannelContract):
    bad_settings = (
        SETTINGS | {"no_such_setting": 1},
        SETTINGS | {"sender": "a b"},
        SETTINGS | {"region": "Ireland"},
        SETTINGS | {"max_price": "a lot"},
        SETTINGS | {"time_to_live": 1},
        SETTINGS | {"topics": ["sms"]},
        SETTINGS | {"most_segments": 11},
        SETTINGS | {"rate": 0},
    )
    secrets = ("secret-key-of-aws", REFUSED)

    def channel(self) -> Channel:
        Double.trouble = ""
        return sms()

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"+491701234{n:04}", **changes})

    def accepted(self) -> list[str]:
        return Double.passed_on

    def troubled(self, trouble: Trouble) -> Channel:
        channel = self.channel()
        if trouble == "unreachable":
            return SmsAwsChannel(Clients.nobody).configured(SETTINGS)
        Double.trouble = trouble
        return channel

    def bad_message(self) -> Message:
        return self.message(9, address=REFUSED)

    def too_long(self) -> Content:
        return Content(parts={"txt": "x" * 1_601})

    def callback(self, delivery_id: str) -> Callback:
        return SNS.posted(event("TEXT_DELIVERED", delivery_id=delivery_id))

    def forgeries(self, callback: Callback) -> Iterator[Callback]:
        message = json.loads(callback.body)
        told = message["Message"].replace("delivery-1", "delivery-2")
        yield replace(callback, body=json.dumps(message | {"Message": told}).encode())
        headers = {"x-amz-sns-message-id": "m-3", "x-amz-sns-topic-arn": TOPIC}
        yield replace(callback, body=message["Message"].encode(), headers=headers)
        yield replace(bridged(json.loads(message["Message"])), url=callback.url)


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="sms",
    address="+49 170 1234567",
    template="reminder",
    variables={},
    at=NOON,
    journey="cart",
    step="send-sms-reminder",
    purpose="marketing",
    content=Content(parts={"txt": "Your cart is waiting"}),
)


def sent(channel: Channel, message: Message = MESSAGE) -> object:
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_a_text_is_asked_for_as_aws_wants_it() -> None:
    receipt = sent(
        sms(max_price="0.25", time_to_live=3600, protect_configuration="protect-1")
    )

    assert receipt == Sent("d1", "862a8790-60c0-4430-9b2b-658bdexample")
    assert Double.requests == [
        {
            "DestinationPhoneNumber": "+491701234567",
            "OriginationIdentity": "pool-0123456789abcdef0123456789abcdef",
            "MessageBody": "Your cart is waiting",
            "MessageType": "PROMOTIONAL",
            "ConfigurationSetName": "journeys",
            "ProtectConfigurationId": "protect-1",
            "MaxPrice": "0.25",
            "TimeToLive": 3600,
            "Context": {"journeykit-delivery": "d1"},
        }
    ]


def test_what_a_customer_asked_for_is_transactional() -> None:
    sent(sms(), replace(MESSAGE, purpose="transactional"))

    assert Double.requests[0]["MessageType"] == "TRANSACTIONAL"


def test_a_template_may_say_who_sends() -> None:
    content = Content(parts={"txt": "Hello"}, settings={"from": "MYSHOP"})

    sent(sms(), replace(MESSAGE, content=content))

    assert Double.requests[0]["OriginationIdentity"] == "MYSHOP"


def test_a_sender_that_can_not_be_one_is_an_error_of_content() -> None:
    content = Content(parts={"txt": "Hello"}, settings={"from": "The shop"})

    with pytest.raises(ContentError, match="sender"):
        sms().render(replace(MESSAGE, content=content))


@pytest.mark.parametrize(
    ("status", "code", "reason", "receipt"),
    [
        (400, "ThrottlingException", "", RetryAfter("d1", 5)),
        (
            *(400, "ServiceQuotaExceededException"),
            *("MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT", RetryAfter("d1", 3600)),
        ),
        (400, "AccessDeniedException", "ACCOUNT_DISABLED", RetryAfter("d1", 0)),
        (400, "ResourceNotFoundException", "", RetryAfter("d1", 0)),
        (
            *(400, "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
            Rejected(
                "d1",
                "ConflictException: DESTINATION_PHONE_NUMBER_OPTED_OUT",
                says="unsubscribed",
            ),
        ),
        (
            *(400, "ConflictException", "NO_ORIGINATION_IDENTITIES_FOUND"),
            RetryAfter("d1", 0),
        ),
        (400, "ValidationException", "SENDER_ID_NOT_REGISTERED", RetryAfter("d1", 0)),
        (
            *(400, "ValidationException", "PRICE_OVER_THRESHOLD"),
            Rejected("d1", "ValidationException: PRICE_OVER_THRESHOLD"),
        ),
        (
            *(500, "InternalServerException", ""),
            Uncertain("d1", "InternalServerException"),
        ),
    ],
    ids=range(9),
)
def test_each_refusal_has_its_receipt(
    status: int, code: str, reason: str, receipt: object
) -> None:
    Double.error = (status, code, reason)

    assert sent(sms()) == receipt


def test_what_may_have_been_taken_is_not_repeated() -> None:
    Double.trouble = "silent"

    assert isinstance(sent(sms()), Uncertain)
    assert Double.passed_on == ["d1"]


@pytest.mark.parametrize("address", ["0170 1234567", "tomorrow", "+49", "+" + "1" * 20])
def test_what_is_no_number_with_its_country_is_never_asked_about(address: str) -> None:
    receipt = sent(sms(), replace(MESSAGE, address=address))

    assert isinstance(receipt, Rejected)
    assert receipt.says == "hard_bounce"
    assert Double.requests == []


def test_numbers_written_differently_are_the_same() -> None:
    channel = SmsAwsChannel()  # as it decides: nobody has told it its settings

    assert channel.normalize("+49 (170) 123-45 67") == channel.normalize(
        "+491701234567"
    )


def test_a_message_of_more_segments_than_are_paid_for_is_refused() -> None:
    content = Content(parts={"txt": "x" * 161})

    with pytest.raises(ContentError, match="2 segments"):
        sms(most_segments=1).render(replace(MESSAGE, content=content))


def test_an_operator_says_what_the_account_can_do() -> None:
    assert sms().capabilities == Capabilities(reports_by=frozenset({"address"}))
    assert sms(
        rate=20, daily_quota=1000, eventbridge=True
    ).capabilities == Capabilities(
        rate=20, daily_quota=1000, reports_by=frozenset({"address", "provider_id"})
    )


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == SmsAwsSettings.model_fields.keys()
    for name, setting in SmsAwsSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            assert rows[name] == f"`{str(setting.default).lower()}`", name


@pytest.mark.parametrize(
    ("kind", "name", "properties"),
    [
        ("TEXT_DELIVERED", "message.delivered", {}),
        ("TEXT_SUCCESSFUL", "message.delivered", {}),
        ("TEXT_INVALID", "message.bounced", {"bounce": "hard", "reason": "invalid"}),
        (
            *("TEXT_UNREACHABLE", "message.bounced"),
            {"bounce": "soft", "reason": "unreachable"},
        ),
        (
            *("TEXT_CARRIER_UNREACHABLE", "message.bounced"),
            {"bounce": "soft", "reason": "carrier unreachable"},
        ),
        ("TEXT_BLOCKED", "message.bounced", {"bounce": "soft", "reason": "blocked"}),
        ("TEXT_INVALID_MESSAGE", "message.rejected", {"reason": "invalid message"}),
        ("TEXT_CARRIER_BLOCKED", "message.rejected", {"reason": "carrier blocked"}),
        ("TEXT_SPAM", "message.rejected", {"reason": "spam"}),
        ("TEXT_PROTECT_BLOCKED", "message.rejected", {"reason": "protect blocked"}),
        ("TEXT_TTL_EXPIRED", "message.failed", {"reason": "ttl expired"}),
        ("TEXT_UNKNOWN", "message.failed", {"reason": "unknown"}),
    ],
)
def test_each_event_becomes_a_report(
    kind: str, name: str, properties: dict[str, object]
) -> None:
    assert sms().feedback(SNS.posted(event(kind))) == [
        Report(
            delivery_id="d1",
            name=name,
            id=f"862a8790-60c0-4430-9b2b-658bdexample/{name}",
            occurred_at=datetime(2026, 3, 2, 11, 0, 3, 470_000, UTC),
            properties=properties,
        )
    ]


@pytest.mark.parametrize(
    "told",
    [
        event("TEXT_QUEUED"),
        event("TEXT_PENDING"),
        event("TEXT_SENT"),
        event("VOICE_COMPLETED"),
        event("TEXT_DELIVERED", delivery_id=None),
    ],
    ids=range(5),
)
def test_what_is_of_no_use_or_of_others_is_nothing(told: object) -> None:
    assert sms().feedback(SNS.posted(told)) == ()


def test_eventbridge_names_a_message_by_the_id_of_aws() -> None:
    [report] = sms().feedback(bridged(event("TEXT_DELIVERED", delivery_id=None)))

    assert report.delivery_id == ""
    assert report.provider_id == "862a8790-60c0-4430-9b2b-658bdexample"


def test_an_answer_is_of_whom_it_is_from() -> None:
    assert sms().feedback(SNS.posted(ANSWER)) == [
        Report(
            delivery_id="",
            name="message.replied",
            id="cae173d2-66b9-564c-8309-21f858e9fb84",
            occurred_at=NOON,
            properties={"text": "Yes, on Friday please", "keyword": ""},
            address="+14255550182",
        )
    ]


@pytest.mark.parametrize(
    ("text", "keyword"), [(" Stop! ", "stop"), ("start", "start"), ("HELP", "help")]
)
def test_a_keyword_is_known(text: str, keyword: str) -> None:
    [report] = sms().feedback(SNS.posted(ANSWER | {"messageBody": text}))

    assert report.properties["keyword"] == keyword


@pytest.mark.parametrize(
    "told",
    [{}, {"eventType": 1}, event("TEXT_SPAM", eventTimestamp=10**30), {"mail": {}}],
    ids=range(4),
)
def test_what_is_no_event_is_refused(told: object) -> None:
    with pytest.raises(InputError, match="sms-aws: callback"):
        sms().feedback(SNS.posted(told))
