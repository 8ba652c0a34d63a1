"""What Twilio is asked, what its answers mean, and what it posts back.

Shapes of https://www.twilio.com/docs/messaging/api/message-resource,
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status and
https://www.twilio.com/docs/messaging/guides/webhook-request.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

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
from journeykit.transport import (
    MockTransport,
    NoAnswer,
    Outcome,
    Request,
    Response,
    Unreachable,
)
from journeykit_twilio import TwilioChannel, signature
from journeykit_twilio.settings import TwilioSettings

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "token-of-the-account"
SERVICE = "MG" + "0123456789abcdef" * 2
URL = "https://api.example.com/v1/feedback/sms"
SETTINGS = {
    "account_sid": ACCOUNT,
    "auth_token": TOKEN,
    "sender": "+15005550006",
    "callback_url": URL,
}
REFUSED = "+15005550001"  # Twilio's own number for "invalid" in tests
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SID = "SM" + "0123456789abcdef" * 2
Trouble = Literal["busy", "refusing", "silent", "unreachable"]


def refusal(status: int, code: int | None) -> Response:
    told = {
        "code": code,
        "message": f"The number {REFUSED} is wrong",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Response(status, body=json.dumps(told).encode())


class Double:
    """Twilio's Messages; passes on what it takes."""

    def __init__(self) -> None:
        self.trouble = ""
        self.passed_on: list[str] = []
        self.lock = threading.Lock()

    def answer(self, request: Request) -> Outcome:
        login = b64decode(request.headers["authorization"].removeprefix("Basic "))
        assert login == f"{ACCOUNT}:{TOKEN}".encode()
        form = {
            name: value for name, [value] in parse_qs(request.body.decode()).items()
        }
        match self.trouble:
            case "unreachable":
                return Unreachable("Connection refused")
            case "busy":
                return refusal(429, 20429)
            case "refusing":
                return refusal(400, 21610)
        if form["To"] == REFUSED:
            return refusal(400, 21211)
        query = urlsplit(form["StatusCallback"]).query
        with self.lock:
            self.passed_on.append(parse_qs(query)["delivery"][0])
        if self.trouble == "silent":
            return NoAnswer("timed out")
        created = {"sid": SID, "status": "queued", "error_code": None, "to": form["To"]}
        return Response(201, body=json.dumps(created).encode())


def twilio(transport: MockTransport | None = None, **settings: object) -> Channel:
    given = {**SETTINGS, **settings}
    given = {name: value for name, value in given.items() if value is not None}
    return TwilioChannel(transport or MockTransport()).configured(given)


def posted(
    form: Mapping[str, str], *, query: str = "delivery=d1", signed: str = ""
) -> Callback:
    """What Twilio posts, as it comes through a proxy that calls us by another name."""
    called = f"{URL}?{query}" if query else URL
    mark = signed or signature(TOKEN, called, form.items())
    return Callback(
        body=urlencode(form).encode(),
        headers={"x-twilio-signature": mark},
        received_at=NOON,
        url=f"http://10.0.0.7:8080/v1/feedback/sms{f'?{query}' if query else ''}",
    )


STATUS = {
    "SmsSid": SID,
    "SmsStatus": "delivered",
    "MessageStatus": "delivered",
    "To": "+491701234567",
    "MessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+15005550006",
    "ApiVersion": "2010-04-01",
    "RawDlrDoneDate": "2603021159",
}
ANSWER = {
    "ToCountry": "US",
    "ToState": "",
    "SmsMessageSid": SID,
    "NumMedia": "0",
    "SmsSid": SID,
    "SmsStatus": "received",
    "Body": "Yes, on Friday please",
    "FromCountry": "DE",
    "To": "+15005550006",
    "NumSegments": "1",
    "MessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+491701234567",
    "ApiVersion": "2010-04-01",
}


class TestContract(ChannelContract):
    bad_settings = (
        SETTINGS | {"no_such_setting": 1},
        SETTINGS | {"account_sid": "0123456789"},
        SETTINGS | {"auth_token": "two words-9"},
        SETTINGS | {"messaging_service": SERVICE},
        {name: value for name, value in SETTINGS.items() if name != "sender"},
        SETTINGS | {"sender": "a name that is too long"},
        SETTINGS | {"sender": "+15005550006\r\n"},
        SETTINGS | {"api_key": "SK1"},
        SETTINGS | {"callback_url": "http://api.example.com/"},
        SETTINGS | {"callback_url": f"{URL}?a=1"},
        SETTINGS | {"callback_url": "https://my_api.example.com/"},
        SETTINGS | {"endpoint": "https://api.example.com"},
        SETTINGS | {"validity": 0},
        SETTINGS | {"rate": 0},
    )
    secrets = (TOKEN, "two words-9", REFUSED)

    def setup_method(self) -> None:
        self.double = Double()

    def channel(self) -> Channel:
        self.double.trouble = ""
        return twilio(MockTransport(self.double.answer))

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"+491701234{n:04}", **changes})

    def accepted(self) -> list[str]:
        return self.double.passed_on

    def troubled(self, trouble: Trouble) -> Channel:
        channel = self.channel()
        self.double.trouble = trouble
        return channel

    def bad_message(self) -> Message:
        return self.message(9, address=REFUSED)

    def too_long(self) -> Content:
        return Content(parts={"txt": "x" * 1_601})

    def callback(self, delivery_id: str) -> Callback:
        return posted(STATUS, query=f"delivery={delivery_id}")

    def forgeries(self, callback: Callback) -> Iterator[Callback]:
        yield replace(callback, url=callback.url.replace("delivery-1", "delivery-2"))
        told = callback.body.replace(b"=delivered", b"=undelivered")
        yield replace(callback, body=told)
        yield replace(callback, body=callback.body + b"&ErrorCode=30005")
        yield replace(callback, headers={})


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
    content=Content(parts={"txt": "Your cart & more: 50 % off"}),
)


def sent(channel: Channel, message: Message = MESSAGE) -> object:
    [receipt] = channel.send([channel.render(message)])
    return receipt


def asked(**settings: object) -> tuple[Request, dict[str, str]]:
    transport = MockTransport(lambda _: Response(201, body=b'{"sid": "SM1"}'))

    assert sent(twilio(transport, **settings)) == Sent("d1", "SM1")
    [request] = transport.requests
    return request, dict(parse_qsl(request.body.decode(), strict_parsing=True))


def test_a_text_is_asked_for_as_twilio_wants_it() -> None:
    request, form = asked(validity=3600)

    assert request.url == (
        f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    )
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form == {
        "To": "+491701234567",
        "From": "+15005550006",
        "Body": "Your cart & more: 50 % off",
        "StatusCallback": f"{URL}?delivery=d1",
        "ValidityPeriod": "3600",
    }


def test_a_messaging_service_may_choose_who_sends() -> None:
    _, form = asked(sender=None, messaging_service=SERVICE)

    assert form["MessagingServiceSid"] == SERVICE
    assert "From" not in form


def test_a_key_may_log_in_instead_of_the_account() -> None:
    request, _ = asked(api_key="SK1", api_secret="secret")

    login = request.headers["authorization"].removeprefix("Basic ")
    assert b64decode(login) == b"SK1:secret"
    assert f"/Accounts/{ACCOUNT}/" in request.url


def test_without_an_address_for_callbacks_nothing_comes_back() -> None:
    _, form = asked(callback_url=None)

    assert "StatusCallback" not in form
    with pytest.raises(InputError, match=r"settings\.twilio\.callback_url"):
        twilio(callback_url=None).feedback(posted(STATUS))


@pytest.mark.parametrize(
    ("outcome", "receipt"),
    [
        (refusal(429, 20429), RetryAfter("d1", 0)),
        (Response(429, {"retry-after": "7"}), RetryAfter("d1", 7)),
        (refusal(400, 21611), RetryAfter("d1", 0)),
        (refusal(429, 63038), RetryAfter("d1", 3600)),
        (refusal(401, 20003), RetryAfter("d1", 0)),
        (refusal(403, None), RetryAfter("d1", 0)),
        (refusal(400, 21606), RetryAfter("d1", 0)),
        (refusal(400, 21659), RetryAfter("d1", 0)),
        (refusal(503, 20503), RetryAfter("d1", 0)),
        (refusal(500, 20500), Uncertain("d1", "HTTP 500")),
        (Response(504, body=b"<html>"), Uncertain("d1", "HTTP 504")),
        (NoAnswer("timed out"), Uncertain("d1", "timed out")),
        (Unreachable("Connection refused"), RetryAfter("d1", 0)),
        (refusal(400, 21211), Rejected("d1", "Twilio 21211", says="hard_bounce")),
        (refusal(400, 21614), Rejected("d1", "Twilio 21614", says="hard_bounce")),
        (refusal(400, 21610), Rejected("d1", "Twilio 21610", says="unsubscribed")),
        (refusal(400, 21408), Rejected("d1", "Twilio 21408")),
        (Response(400, body=b"?"), Rejected("d1", "HTTP 400 Bad Request")),
        (Response(201, body=b"?"), Sent("d1", "")),
    ],
    ids=range(19),
)
def test_each_answer_has_its_receipt(outcome: Outcome, receipt: object) -> None:
    assert sent(twilio(MockTransport(lambda _: outcome))) == receipt


@pytest.mark.parametrize("address", ["0170 1234567", "tomorrow", "+49", "+" + "1" * 20])
def test_what_is_no_number_with_its_country_is_never_asked_about(address: str) -> None:
    transport = MockTransport()

    receipt = sent(twilio(transport), replace(MESSAGE, address=address))

    assert isinstance(receipt, Rejected)
    assert receipt.says == "hard_bounce"
    assert transport.requests == []


def test_a_sender_that_can_not_be_one_is_an_error_of_content() -> None:
    content = Content(
        parts={"txt": "Hello"}, settings={"from": "The shop on the corner"}
    )

    with pytest.raises(ContentError, match="sender"):
        twilio().render(replace(MESSAGE, content=content))


def test_an_operator_says_what_the_account_can_do() -> None:
    assert twilio(rate=20, daily_quota=1000).capabilities == Capabilities(
        rate=20, daily_quota=1000, reports_by=frozenset({"address"})
    )
    assert twilio(callback_url=None).capabilities == Capabilities()


def test_the_mock_works_where_no_token_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    channel = TwilioChannel().configured({"sender": "+15005550006"})

    assert sent(channel.mock()) == Sent("d1", "SMmock")


def test_a_missing_token_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    channel = TwilioChannel(MockTransport()).configured(
        {"sender": "+15005550006", "account_sid": ACCOUNT}
    )

    with pytest.raises(InputError, match="TWILIO_AUTH_TOKEN"):
        sent(channel)


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == TwilioSettings.model_fields.keys()
    for name, setting in TwilioSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            assert rows[name] == f"`{str(setting.default).lower()}`", name


# What Twilio posts


def test_the_signature_is_that_of_twilios_own_example() -> None:
    """https://www.twilio.com/docs/usage/webhooks/webhooks-security."""
    parameters = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"

    assert signature("12345", url, parameters.items()) == "GvWf1cFY/Q7PnoempGyD5oXAezc="


@pytest.mark.parametrize("port", ["", ":443"])
def test_the_port_may_be_signed_or_not(port: str) -> None:
    called = f"https://api.example.com{port}/v1/feedback/sms?delivery=d1"
    mark = signature(TOKEN, called, STATUS.items())

    assert twilio().feedback(posted(STATUS, signed=mark))


@pytest.mark.parametrize(
    ("status", "code", "name", "properties"),
    [
        ("delivered", "", "message.delivered", {}),
        ("read", "", "message.opened", {}),
        ("canceled", "", "message.failed", {"reason": "canceled"}),
        (
            *("undelivered", "30003", "message.bounced"),
            {"bounce": "soft", "reason": "Twilio 30003"},
        ),
        (
            *("undelivered", "30004", "message.bounced"),
            {"bounce": "soft", "reason": "Twilio 30004"},
        ),
        (
            *("undelivered", "30005", "message.bounced"),
            {"bounce": "hard", "reason": "Twilio 30005"},
        ),
        (
            *("undelivered", "30006", "message.bounced"),
            {"bounce": "hard", "reason": "Twilio 30006"},
        ),
        ("undelivered", "30007", "message.rejected", {"reason": "Twilio 30007"}),
        ("undelivered", "30008", "message.failed", {"reason": "Twilio 30008"}),
        ("failed", "", "message.failed", {}),
    ],
    ids=range(10),
)
def test_each_status_becomes_a_report(
    status: str, code: str, name: str, properties: dict[str, object]
) -> None:
    form = STATUS | {"MessageStatus": status, "SmsStatus": status}
    form |= {"ErrorCode": code} if code else {}

    assert twilio().feedback(posted(form)) == [
        Report(
            delivery_id="d1",
            name=name,
            id=f"{SID}/{status}",
            occurred_at=NOON,
            properties=properties,
        )
    ]


def test_who_has_opted_out_is_unsubscribed_from_all_that_comes_by_sms() -> None:
    """A Send over several channels hears first that the message did not arrive."""
    form = STATUS | {"MessageStatus": "failed", "SmsStatus": "failed"}

    rejected, unsubscribed = twilio().feedback(posted(form | {"ErrorCode": "21610"}))

    assert (rejected.name, rejected.delivery_id) == ("message.rejected", "d1")
    assert unsubscribed == Report(
        delivery_id="d1",
        name="message.unsubscribed",
        id=f"{SID}/unsubscribed",
        occurred_at=NOON,
        properties={"reason": "Twilio 21610", "purpose": "", "source": "provider"},
    )


@pytest.mark.parametrize(
    "status", ["accepted", "queued", "scheduled", "sending", "sent"]
)
def test_a_message_on_its_way_is_nothing(status: str) -> None:
    form = STATUS | {"MessageStatus": status, "SmsStatus": status}

    assert twilio().feedback(posted(form)) == ()


def test_an_answer_is_of_whom_it_is_from() -> None:
    assert twilio().feedback(posted(ANSWER, query="")) == [
        Report(
            delivery_id="",
            name="message.replied",
            id=SID,
            occurred_at=NOON,
            properties={"text": "Yes, on Friday please", "keyword": ""},
            address="+491701234567",
        )
    ]


@pytest.mark.parametrize(
    ("form", "keyword"),
    [
        ({"Body": "Stop"}, "stop"),
        ({"Body": "Abbestellen"}, "stop"),
        ({"Body": "genug davon", "OptOutType": "STOP"}, "stop"),
        ({"Body": "start"}, "start"),
        ({"Body": "HELP", "OptOutType": "HELP"}, "help"),
        ({"Body": ""}, ""),
    ],
    ids=range(6),
)
def test_a_keyword_is_known(form: dict[str, str], keyword: str) -> None:
    [report] = twilio().feedback(posted(ANSWER | form, query=""))

    assert report.properties["keyword"] == keyword


def test_a_status_without_our_id_is_known_by_twilios() -> None:
    [report] = twilio().feedback(posted(STATUS, query=""))

    assert (report.delivery_id, report.provider_id) == ("", SID)


def test_a_wrong_signature_is_forged() -> None:
    with pytest.raises(ForgedCallback, match="the signature is wrong"):
        twilio().feedback(posted(STATUS, signed="GvWf1cFY/Q7PnoempGyD5oXAezc="))


@pytest.mark.parametrize(
    "form", [{}, {"MessageStatus": "delivered"}, {"Body": "hello"}], ids=range(3)
)
def test_what_is_signed_and_about_no_message_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(InputError, match="about no message"):
        twilio().feedback(posted(form))


def test_a_form_with_too_many_fields_is_refused() -> None:
    form = {f"Field{n}": "x" for n in range(300)}

    with pytest.raises(InputError, match="it is no form"):
        twilio().feedback(posted(form))
