"""What SES is asked, what its answers mean, and what its events come to.

SES's double speaks HTTP on loopback, and the client is boto3's own, which checks a request
against the service's model. Its answers have the shapes of
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
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
from journeykit.errors import ContentError, ForgedCallback, InputError
from journeykit.testing import ChannelContract
from journeykit.transport import MockTransport, Request, Response
from journeykit_ses import SesChannel
from journeykit_ses.settings import SesSettings

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
SETTINGS = {
    "sender": "Jörgs Laden <shop@example.com>",
    "region": "eu-west-1",
    "configuration_set": "journeys",
    "topics": [TOPIC],
}
REFUSED = "nobody@example.com"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Trouble = Literal["busy", "refusing", "silent", "unreachable"]


class Double(BaseHTTPRequestHandler):
    """SES, as far as SendEmail goes; passes on what it takes."""

    protocol_version = "HTTP/1.1"
    trouble: ClassVar[str] = ""
    error: ClassVar[tuple[int, str, str] | None] = None
    requests: ClassVar[list[dict[str, Any]]] = []
    passed_on: ClassVar[list[str]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v2/email/outbound-emails"
        if self.error is not None:
            self.answer(self.error[0], self.error[1], self.error[2])
            return
        if self.trouble == "busy":
            self.answer(429, "TooManyRequestsException", "Too many requests")
            return
        if self.trouble == "refusing" or request["Destination"]["ToAddresses"] == [
            REFUSED
        ]:
            self.answer(
                400, "MessageRejected", f"Email address {REFUSED} is not verified"
            )
            return
        with self.lock:
            self.requests.append(request)
            self.passed_on.append(request["EmailTags"][0]["Value"])
        if self.trouble == "silent":
            self.close_connection = True
            return
        self.reply(200, {"MessageId": "0102-ses-1"})

    def answer(self, status: int, code: str, message: str) -> None:
        self.reply(status, {"message": message}, {"x-amzn-errortype": code})

    def reply(
        self, status: int, content: object, headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module", autouse=True)
def ses() -> Iterator[None]:
    """SES's double, and a client that asks it; one for all, as it takes long to make."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadingHTTPServer(("127.0.0.1", 0), Double) as server,
    ):
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key-of-aws")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Clients.answering = service(
            "sesv2",
            region="eu-west-1",
            endpoint=f"http://127.0.0.1:{server.server_port}",
        )
        Clients.nobody = service(  # port 9 is for what is thrown away
            "sesv2", region="eu-west-1", endpoint="http://127.0.0.1:9"
        )
        yield
        Clients.answering.close()
        Clients.nobody.close()
        server.shutdown()
        thread.join()


class Clients:
    answering: ClassVar[Any] = None
    nobody: ClassVar[Any] = None


@pytest.fixture(autouse=True)
def healthy() -> None:
    Double.trouble, Double.error = "", None
    Double.requests.clear()
    Double.passed_on.clear()


def ses_channel(**settings: object) -> Channel:
    return SesChannel(Clients.answering, SNS.transport).configured(SETTINGS | settings)


class Sns:
    """SNS, which signs what it posts, and has its certificate where it says."""

    url = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0f1e2d.pem"

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
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.transport = MockTransport(self.answer)

    def answer(self, request: Request) -> Response:
        assert request.url == self.url
        return Response(200, body=self.pem)

    def posted(self, event: object, *, id: str = "m-1") -> Callback:
        message = {
            "Type": "Notification",
            "MessageId": id,
            "TopicArn": TOPIC,
            "Subject": "Amazon SES Email Event Notification",
            "Message": json.dumps(event),
            "Timestamp": "2026-03-02T11:59:58.123Z",
            "SignatureVersion": "2",
            "SigningCertURL": self.url,
        }
        names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
        signed = self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        message["Signature"] = base64.b64encode(signed).decode()
        return Callback(
            body=json.dumps(message).encode(),
            headers={},
            received_at=NOON,
            url="https://api.example.com/v1/feedback/email",
        )


SNS = Sns()


def mail(delivery_id: str = "d1") -> dict[str, Any]:
    """`mail` of an event, as in the examples of the Developer Guide."""
    return {
        "timestamp": "2026-03-02T11:00:00.000Z",
        "source": "shop@example.com",
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
        "sendingAccountId": "123456789012",
        "messageId": "0102-ses-1",
        "destination": ["ada@example.com"],
        "headersTruncated": False,
        "headers": [{"name": "To", "value": "ada@example.com"}],
        "commonHeaders": {"to": ["ada@example.com"], "subject": "Hello"},
        "tags": {
            "ses:configuration-set": ["journeys"],
            "ses:from-domain": ["example.com"],
            "journeykit-delivery": [delivery_id],
        },
    }


def event(kind: str, key: str, what: object, delivery_id: str = "d1") -> dict[str, Any]:
    return {"eventType": kind, "mail": mail(delivery_id), key: what}


BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [
        {
            "emailAddress": "ada@example.com",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        }
    ],
    "timestamp": "2026-03-02T11:00:02.669Z",
    "feedbackId": "0102-feedback-1",
    "reportingMTA": "dsn; mta.example.com",
}
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Mobile/15E148"
)


class TestContract(ChannelContract):
    bad_settings = (
        {},
        {"sender": "Jörgs Laden"},
        SETTINGS | {"no_such_setting": 1},
        SETTINGS | {"region": "Ireland"},
        SETTINGS | {"topics": ["mail"]},
        SETTINGS | {"rate": 0},
        SETTINGS | {"daily_quota": 0},
        SETTINGS | {"on_uncertain": "guess"},
        SETTINGS | {"configuration_set": "a b"},
    )
    secrets = ("secret-key-of-aws", REFUSED)

    def channel(self) -> Channel:
        Double.trouble = ""
        return ses_channel()

    def accepted(self) -> list[str]:
        return Double.passed_on

    def troubled(self, trouble: Trouble) -> Channel:
        channel = self.channel()
        if trouble == "unreachable":
            return SesChannel(Clients.nobody).configured(SETTINGS)
        Double.trouble = trouble
        return channel

    def bad_message(self) -> Message:
        return self.message(9, address=REFUSED)

    def too_long(self) -> Content:
        return Content(parts={"txt": "x" * 2_000_000}, settings={"subject": "Hello"})

    def callback(self, delivery_id: str) -> Callback:
        what = {"timestamp": "2026-03-02T11:00:02.000Z", "processingTimeMillis": 1000}
        return SNS.posted(event("Delivery", "delivery", what, delivery_id))

    def forgeries(self, callback: Callback) -> Iterator[Callback]:
        message = json.loads(callback.body)

        def told(**changes: object) -> Callback:
            return replace(callback, body=json.dumps(message | changes).encode())

        yield told(Message=message["Message"].replace("delivery-1", "delivery-2"))
        yield told(MessageId="m-2")
        yield told(TopicArn="arn:aws:sns:eu-west-1:999999999999:mail")
        yield told(
            SigningCertURL="https://sns.eu-west-1.amazonaws.com.example.net/S.pem"
        )
        yield told(Signature=message["Signature"][::-1])
        # A stranger may write headers that only the feedback function writes.
        headers = {"x-amz-sns-message-id": "m-3", "x-amz-sns-topic-arn": TOPIC}
        yield replace(callback, body=message["Message"].encode(), headers=headers)


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="email",
    address="ada@faß.de",
    template="welcome",
    variables={},
    at=NOON,
    journey="welcome-series",
    step="send-email-welcome",
    purpose="marketing",
    content=Content(
        parts={"html": "<p>Grüße</p>", "txt": "Grüße"},
        settings={"subject": "Grüße", "reply_to": "help@example.com"},
        links={"unsubscribe": "https://example.com/u/" + "t" * 300},
    ),
)


def sent(channel: Channel, message: Message = MESSAGE) -> object:
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_a_mail_is_asked_for_as_ses_wants_it() -> None:
    receipt = sent(ses_channel(tenant="shop"))

    assert receipt == Sent("d1", "0102-ses-1")
    [request] = Double.requests
    headers = {
        header["Name"]: header["Value"]
        for header in request["Content"]["Simple"].pop("Headers")
    }
    assert headers["List-Unsubscribe"] == f"<https://example.com/u/{'t' * 300}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "Grüße" in request["Content"]["Simple"]["Body"].pop("Html")["Data"]
    assert request == {
        "FromEmailAddress": "=?utf-8?q?J=C3=B6rgs_Laden?= <shop@example.com>",
        "Destination": {"ToAddresses": ["ada@xn--fa-hia.de"]},
        "ReplyToAddresses": ["help@example.com"],
        "Content": {
            "Simple": {
                "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Grüße", "Charset": "UTF-8"}},
            }
        },
        "EmailTags": [{"Name": "journeykit-delivery", "Value": "d1"}],
        "ConfigurationSetName": "journeys",
        "TenantName": "shop",
    }


@pytest.mark.parametrize(
    ("status", "code", "message", "receipt"),
    [
        (429, "TooManyRequestsException", "slow down", RetryAfter("d1", 10)),
        (
            400,
            "ThrottlingException",
            "Maximum sending rate exceeded.",
            RetryAfter("d1", 10),
        ),
        (
            *(400, "ThrottlingException", "Daily message quota exceeded."),
            RetryAfter("d1", 3600),
        ),
        (400, "LimitExceededException", "too many", RetryAfter("d1", 10)),
        (400, "SendingPausedException", "paused", RetryAfter("d1", 0)),
        (400, "AccountSuspendedException", "suspended", RetryAfter("d1", 0)),
        (403, "AccessDeniedException", "ses:SendEmail on c1", RetryAfter("d1", 0)),
        (404, "NotFoundException", "journeys does not exist", RetryAfter("d1", 0)),
        (400, "MessageRejected", "ada@example.com", Rejected("d1", "MessageRejected")),
        (
            400,
            "MessageRejected",
            (
                "Email address is not verified. The following identities failed the "
                "check in region EU-WEST-1: shop@example.com"
            ),
            RetryAfter("d1", 0),
        ),
        (
            *(400, "MailFromDomainNotVerifiedException", "no"),
            RetryAfter("d1", 0),
        ),
        (400, "BadRequestException", "no", Rejected("d1", "BadRequestException")),
        (503, "ServiceUnavailable", "later", RetryAfter("d1", 10)),
        (500, "InternalFailure", "oh", Uncertain("d1", "InternalFailure")),
    ],
    ids=range(14),
)
def test_each_refusal_has_its_receipt(
    status: int, code: str, message: str, receipt: object
) -> None:
    Double.error = (status, code, message)

    assert sent(ses_channel()) == receipt


def test_what_may_have_been_taken_is_not_repeated() -> None:
    """boto3 would send it twice more by itself."""
    Double.trouble = "silent"

    receipt = sent(ses_channel())

    assert isinstance(receipt, Uncertain)
    assert Double.passed_on == ["d1"]


def test_an_answer_that_does_not_come_leaves_it_uncertain(ses: None) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Double) as quiet:  # nobody serves it
        client = service(
            "sesv2",
            region="eu-west-1",
            endpoint=f"http://127.0.0.1:{quiet.server_port}",
            timeout=0.2,
        )
        channel = SesChannel(client).configured(SETTINGS)

        assert sent(channel) == Uncertain("d1", "ReadTimeoutError")
        client.close()


def test_without_keys_nothing_is_sent_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    channel = SesChannel().configured(SETTINGS | {"endpoint": "http://127.0.0.1:9"})

    assert sent(channel) == RetryAfter("d1", 0)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ada", "hard_bounce"),
        ("ada@", "hard_bounce"),
        ("a@b@example.com", "hard_bounce"),
        ("dörte@example.com", ""),
    ],
    ids=range(4),
)
def test_an_address_that_can_not_be_written_to_is_rejected(
    address: str, says: str
) -> None:
    receipt = sent(ses_channel(), replace(MESSAGE, address=address))

    assert isinstance(receipt, Rejected)
    assert receipt.says == says
    assert Double.requests == []


def test_a_header_that_ses_would_refuse_is_an_error_of_content() -> None:
    content = replace(
        MESSAGE.content, links={"unsubscribe": f"https://example.com/{'u' * 990}"}
    )

    with pytest.raises(ContentError, match="too long for SES"):
        ses_channel().render(replace(MESSAGE, content=content))


def test_an_operator_says_how_fast_the_account_may_send() -> None:
    channel = ses_channel(rate=14, daily_quota=50_000, on_uncertain="resend")

    assert channel.capabilities == Capabilities(
        rate=14, daily_quota=50_000, on_uncertain="resend"
    )


def test_the_mock_works_where_no_keys_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    mock = SesChannel().configured(SETTINGS).mock()

    assert sent(mock) == Sent("d1", "mock")


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == SesSettings.model_fields.keys()
    for name, setting in SesSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            assert rows[name] == f"`{str(setting.default).lower()}`", name


# What SES says afterwards: shapes of
# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html

AT = "2026-03-02T11:00:02.669Z"


@pytest.mark.parametrize(
    ("told", "name", "properties"),
    [
        (
            event("Delivery", "delivery", {"timestamp": AT, "smtpResponse": "250 ok"}),
            "message.delivered",
            {},
        ),
        (
            event("Bounce", "bounce", BOUNCE),
            "message.bounced",
            {"bounce": "hard", "reason": "Permanent General 5.1.1"},
        ),
        (
            event(
                *("Bounce", "bounce"),
                BOUNCE
                | {
                    "bounceSubType": "OnAccountSuppressionList",
                    "bouncedRecipients": [],
                },
            ),
            "message.bounced",
            {"bounce": "hard", "reason": "Permanent OnAccountSuppressionList"},
        ),
        (
            event(
                *("Bounce", "bounce"),
                BOUNCE | {"bounceType": "Transient", "bounceSubType": "MailboxFull"},
            ),
            "message.bounced",
            {"bounce": "soft", "reason": "Transient MailboxFull 5.1.1"},
        ),
        (
            event(
                *("Bounce", "bounce"),
                BOUNCE
                | {"bounceType": "Undetermined", "bounceSubType": "Undetermined"},
            ),
            "message.bounced",
            {"bounce": "soft", "reason": "Undetermined Undetermined 5.1.1"},
        ),
        (
            event(
                "Complaint",
                "complaint",
                {
                    "complainedRecipients": [{"emailAddress": "ada@example.com"}],
                    "timestamp": AT,
                    "feedbackId": "0102-feedback-2",
                    "complaintSubType": None,
                    "userAgent": "Yahoo!-Mail-Feedback/2.0",
                    "complaintFeedbackType": "abuse",
                    "arrivalDate": AT,
                },
            ),
            "message.complained",
            {"reason": "abuse"},
        ),
        (
            event("Reject", "reject", {"reason": "Bad content"}),
            "message.rejected",
            {"reason": "Bad content"},
        ),
        (
            event(
                "Rendering Failure",
                "failure",
                {"errorMessage": "Attribute 'x' is not present", "templateName": "T"},
            ),
            "message.failed",
            {"reason": "rendering"},
        ),
        (
            event(
                "DeliveryDelay",
                "deliveryDelay",
                {
                    "timestamp": AT,
                    "delayType": "TransientCommunicationFailure",
                    "expirationTime": "2026-03-02T23:00:00.914Z",
                    "delayedRecipients": [
                        {"emailAddress": "ada@example.com", "status": "4.4.1"}
                    ],
                },
            ),
            "message.deferred",
            {"reason": "TransientCommunicationFailure"},
        ),
        (
            event(
                *("Open", "open"),
                {"ipAddress": "192.0.2.1", "timestamp": AT, "userAgent": PHONE},
            ),
            "message.opened",
            {},
        ),
        (
            event(
                "Click",
                "click",
                {
                    "ipAddress": "192.0.2.1",
                    "link": "https://example.com/cart",
                    "linkTags": None,
                    "timestamp": "2026-03-02T11:05:02.669Z",
                    "userAgent": PHONE,
                },
            ),
            "message.clicked",
            {"link": "https://example.com/cart"},
        ),
        (
            event(
                "Subscription",
                "subscription",
                {
                    "contactList": "L",
                    "timestamp": AT,
                    "source": "UnsubscribeHeader",
                    "newTopicPreferences": {
                        "unsubscribeAll": True,
                        "topicSubscriptionStatus": [],
                    },
                },
            ),
            "message.unsubscribed",
            {},
        ),
    ],
    ids=range(12),
)
def test_each_event_becomes_a_report(
    told: dict[str, Any], name: str, properties: dict[str, object]
) -> None:
    [report] = ses_channel().feedback(SNS.posted(told))

    assert (report.delivery_id, report.name) == ("d1", name)
    assert report.properties == properties
    assert "192.0.2.1" not in repr(report)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("open", {"timestamp": AT, "userAgent": "Mozilla/5.0"}),
        (
            "click",
            {"timestamp": "2026-03-02T11:00:01.000Z", "userAgent": PHONE, "link": "x"},
        ),
        ("click", {"timestamp": AT, "userAgent": "python-requests/2", "link": "x"}),
    ],
    ids=range(3),
)
def test_what_a_machine_opens_or_clicks_is_marked(
    kind: str, what: dict[str, str]
) -> None:
    told = event(kind.title(), kind, what)

    [report] = ses_channel().feedback(SNS.posted(told))

    assert report.properties["automated"] is True


@pytest.mark.parametrize("kind", ["open", "click"])
@pytest.mark.parametrize("agent", [{}, {"userAgent": None}], ids=["none", "null"])
def test_an_event_that_does_not_say_with_what_is_taken_for_a_persons(
    kind: str, agent: dict[str, Any]
) -> None:
    later = "2026-03-02T11:30:00.000Z"
    told = event(kind.title(), kind, {"timestamp": later, "link": "x", **agent})

    [report] = ses_channel().feedback(SNS.posted(told))

    assert "automated" not in report.properties


@pytest.mark.parametrize(
    "told",
    [
        event("Send", "send", {}),
        event("Whatever Comes Next", "next", {}),
        {"notificationType": "Bounce", "bounce": BOUNCE, "mail": mail() | {"tags": {}}},
        event("Delivery", "delivery", {"timestamp": AT})
        | {"mail": mail() | {"tags": {"campaign": ["spring"]}}},
    ],
    ids=range(4),
)
def test_what_is_of_no_use_or_of_others_is_nothing(told: dict[str, Any]) -> None:
    assert ses_channel().feedback(SNS.posted(told)) == ()


def test_the_same_event_over_two_ways_is_the_same_report() -> None:
    told = event("Bounce", "bounce", BOUNCE)
    bridged = Callback(
        # https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
        body=json.dumps(
            {
                "version": "0",
                "id": "12345678-1234-1234-1234-123456789012",
                "detail-type": "Email Bounced",
                "source": "aws.ses",
                "account": "123456789012",
                "time": "2026-03-02T11:00:03Z",
                "region": "eu-west-1",
                "resources": ["arn:aws:ses:eu-west-1:123456789012:configuration-set/j"],
                "detail": told,
            }
        ).encode(),
        headers={"x-amz-eventbridge-source": "aws.ses"},
        received_at=NOON,
    )
    queued = Callback(
        body=json.dumps(told).encode(),
        headers={"x-amz-sns-topic-arn": TOPIC, "x-amz-sns-message-id": "m-7"},
        received_at=NOON,
    )
    channel = ses_channel()

    ways = [channel.feedback(one) for one in (SNS.posted(told), bridged, queued)]

    assert ways[0] == ways[1] == ways[2]
    assert ways[0] == [
        Report(
            delivery_id="d1",
            name="message.bounced",
            id="0102-ses-1/0102-feedback-1",
            occurred_at=datetime(2026, 3, 2, 11, 0, 2, 669_000, UTC),
            properties={"bounce": "hard", "reason": "Permanent General 5.1.1"},
        )
    ]


def test_two_clicks_are_two_reports() -> None:
    first = {"timestamp": AT, "userAgent": PHONE, "link": "https://example.com/a"}
    clicks = [first, first | {"link": "https://example.com/b"}]
    channel = ses_channel()

    ids = {
        channel.feedback(SNS.posted(event("Click", "click", click)))[0].id
        for click in clicks
    }

    assert len(ids) == 2


def test_an_event_of_another_service_is_refused() -> None:
    callback = Callback(
        body=b'{"id": "1", "detail": {"eventType": "TEXT_DELIVERED"}}',
        headers={"x-amz-eventbridge-source": "aws.sms-voice"},
        received_at=NOON,
    )

    with pytest.raises(ForgedCallback, match="another service"):
        ses_channel().feedback(callback)


def test_what_a_queue_brings_of_another_topic_is_refused() -> None:
    callback = Callback(
        body=b"{}",
        headers={"x-amz-sns-topic-arn": f"{TOPIC}-2", "x-amz-sns-message-id": "m"},
        received_at=NOON,
    )

    with pytest.raises(ForgedCallback, match="`topics`"):
        ses_channel().feedback(callback)


def test_what_ses_publishes_when_a_topic_is_chosen_is_nothing() -> None:
    callback = Callback(
        body=b"Successfully validated SNS topic for Amazon SES event publishing.",
        headers={"x-amz-sns-topic-arn": TOPIC, "x-amz-sns-message-id": "m"},
        received_at=NOON,
    )

    assert ses_channel().feedback(callback) == ()


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"mail": {}},
        {"eventType": "Open"},
        {"mail": mail()},
        event("Open", "open", "ada@example.com"),
        event("Open", "open", {"timestamp": "ada@example.com"})
        | {"mail": mail() | {"timestamp": "x"}},
    ],
    ids=range(6),
)
def test_what_is_no_event_is_refused_and_not_quoted(told: object) -> None:
    with pytest.raises(InputError, match="ses: callback") as refused:
        ses_channel().feedback(SNS.posted(told))

    assert "ada" not in str(refused.value)
