"""WhatsApp: requests, answers and callbacks as Meta and AWS document them.

Messages: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
Errors: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
Status: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
AWS: https://docs.aws.amazon.com/social-messaging/latest/userguide/managing-event-destination-dlrs.html
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given, strategies as st

import journeykit_whatsapp
from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    Content,
    Message,
    Receipt,
    Rejected,
    Report,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import ContentError, InputError
from journeykit.guarding import Asked, Contact
from journeykit.meta import signature
from journeykit.plugins import PluginManager, Registry
from journeykit.testing import ChannelContract
from journeykit.transport import (
    MockTransport,
    NoAnswer,
    Outcome,
    Request,
    Response,
    Unreachable,
)
from journeykit_whatsapp import WhatsAppChannel
from journeykit_whatsapp.settings import WhatsAppSettings

TOKEN = "EAAJB-token-5e1c"
APP_SECRET = "0f3c9a7be1d24c6f8a90"
VERIFY = "we-asked-for-it"
NUMBER = "106540352242922"
SETTINGS = {
    "phone_number_id": NUMBER,
    "token": TOKEN,
    "app_secret": APP_SECRET,
    "verify_token": VERIFY,
}
SEND = f"https://graph.facebook.com/v25.0/{NUMBER}/messages"
ADA = "+16505551234"
NOBODY = "+15005550009"
WAMID = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI1RjQyNUE3NEYxMzAzMzQ5MkEA"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)

APPROVED = {
    "template": "cart_reminder",
    "language": "en_US",
    "body": ["Ada", "$120"],
}
FREE = {"text": "Your cart waits"}


def content(template: Mapping[str, Any] = FREE) -> Content:
    return Content(parts={"json": json.dumps(template)})


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="whatsapp",
    address=ADA,
    template="cart-reminder",
    variables={},
    at=NINE,
    journey="abandoned-cart",
    step="send-whatsapp-cart-reminder",
    purpose="marketing",
    content=content(),
)


def refused(status: int, code: int, subcode: int = 0, **headers: str) -> Response:
    """An error of the Graph API; the words may have anything in them."""
    error: dict[str, Any] = {
        "message": f"(#{code}) about {ADA}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": f"about {ADA}"},
        "fbtrace_id": "A9KRTdyEmU8Yz6ZC",
    }
    if subcode:
        error["error_subcode"] = subcode
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(status, named, json.dumps({"error": error}).encode())


class Meta:
    """The Cloud API: passes on what is right, and is in trouble if told to."""

    def __init__(self) -> None:
        self.trouble = ""
        self.told: Outcome | None = None
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Outcome:
        assert request.url == SEND
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["content-type"] == "application/json"
        match self.trouble:
            case "unreachable":
                return Unreachable("Connection refused")
            case "busy":
                return refused(429, 130429)
            case "refusing":
                return refused(400, 131047)
        if self.told is not None:
            return self.told
        body = json.loads(request.body)
        if body["to"] == NOBODY:
            return refused(400, 131026)
        self.asked.append(body)
        if self.trouble == "silent":
            return NoAnswer("timed out")
        found = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": body["to"], "wa_id": body["to"][1:]}],
            "messages": [{"id": WAMID, "message_status": "accepted"}],
        }
        return Response(200, body=json.dumps(found).encode())


def channel_of(meta: Meta, **settings: object) -> WhatsAppChannel:
    transport = MockTransport(meta.answer)
    return WhatsAppChannel(transport).configured(SETTINGS | settings)


def status(state: str, delivery_id: str = "d1", **more: Any) -> dict[str, Any]:
    return {
        "id": WAMID,
        "status": state,
        "timestamp": "1772442003",
        "recipient_id": ADA[1:],
        "biz_opaque_callback_data": delivery_id,
        **more,
    }


def entry(
    number: str = NUMBER, field: str = "messages", **parts: Any
) -> dict[str, Any]:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        **parts,
    }
    return {"id": "102290129340398", "changes": [{"value": value, "field": field}]}


def posted(*entries: dict[str, Any], secret: str = APP_SECRET) -> Callback:
    document = {"object": "whatsapp_business_account", "entry": list(entries)}
    body = json.dumps(document).encode()
    return Callback(
        body=body,
        headers={"x-hub-signature-256": signature(secret, body)},
        received_at=NINE,
    )


def told(**parts: Any) -> list[Report]:
    return [*channel_of(Meta()).feedback(posted(entry(**parts)))]


class TestContract(ChannelContract):
    bad_settings = (
        {},
        {"no_such_setting": 1},
        SETTINGS | {"phone_number_id": "+1 555 0783 881"},
        SETTINGS | {"phone_number_id": "phone-number-id-976c72a700aac43eaf573ae050"},
        SETTINGS | {"via": "aws"},
        SETTINGS | {"via": "carrier-pigeon"},
        SETTINGS | {"api_version": "25"},
        SETTINGS | {"topics": ["my-topic"]},
        SETTINGS | {"rate": 0},
        SETTINGS | {"timeout": 0},
    )
    secrets = (TOKEN, APP_SECRET, VERIFY, ADA, ADA[1:])

    def setup_method(self) -> None:
        self.meta = Meta()

    def channel(self) -> Channel:
        self.meta.trouble = ""
        return channel_of(self.meta)

    def accepted(self) -> list[str]:
        return [body["biz_opaque_callback_data"] for body in self.meta.asked]

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel:
        channel = self.channel()
        self.meta.trouble = trouble
        return channel

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"+1650555{n:04}"} | changes)

    def bad_message(self) -> Message:
        return self.message(9, address=NOBODY)

    def too_long(self) -> Content:
        return content({"text": "x" * 4097})

    def callback(self, delivery_id: str) -> Callback:
        return posted(entry(statuses=[status("delivered", delivery_id)]))


def sent(meta: Meta, message: Message = MESSAGE, **settings: object) -> Receipt:
    channel = channel_of(meta, **settings)
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_it_is_found_as_whatsapp() -> None:
    manager = PluginManager()
    manager.register(journeykit_whatsapp, "whatsapp")
    manager.check_pending()

    assert isinstance(
        Registry.from_plugins(manager).channel("whatsapp"), WhatsAppChannel
    )


def test_free_words_are_a_text() -> None:
    meta = Meta()

    assert sent(meta) == Sent("d1", WAMID)

    assert meta.asked == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": ADA,
            "type": "text",
            "text": {"body": "Your cart waits", "preview_url": False},
            "biz_opaque_callback_data": "d1",
        }
    ]


def test_what_meta_approved_goes_by_its_name_with_our_values() -> None:
    meta = Meta()

    sent(meta, replace(MESSAGE, content=content(APPROVED)))

    [asked] = meta.asked
    assert asked["type"] == "template"
    assert asked["template"]["name"] == "cart_reminder"
    assert asked["template"]["language"]["code"] == "en_US"
    assert asked["template"]["components"] == [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "Ada"},
                {"type": "text", "text": "$120"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (refused(429, 130429), RetryAfter("d1", 1)),
        (refused(400, 131056), RetryAfter("d1", 6)),
        (refused(400, 131048), RetryAfter("d1", 3600)),
        (refused(400, 80007), RetryAfter("d1", 60)),
        (refused(400, 4, retry_after="17"), RetryAfter("d1", 17)),
        (refused(503, 2), RetryAfter("d1", 0)),
        (
            refused(500, 131000),
            Uncertain("d1", "Meta 131000: something unknown went wrong"),
        ),
        (refused(400, 133010), RetryAfter("d1", 60)),
        (refused(400, 131057), RetryAfter("d1", 60)),
        (refused(401, 190, 463), RetryAfter("d1", 60)),
        (
            refused(500, 1, 1357046),
            Uncertain("d1", "Meta 1/1357046: something unknown went wrong"),
        ),
        (
            refused(400, 131047),
            Rejected(
                "d1", "Meta 131047: more than 24 hours since the customer's last word"
            ),
        ),
        (
            refused(404, 132001),
            Rejected("d1", "Meta 132001: there is no such template in this language"),
        ),
        (
            refused(403, 200),
            Rejected(
                "d1",
                "Meta 200: a permission is missing, or this person can't be written to",
            ),
        ),
        (refused(400, 999999), Rejected("d1", "Meta 999999")),
        (Response(502, body=b"<html>"), Uncertain("d1", "HTTP 502 Bad Gateway")),
        (Response(400, body=b'{"error": []}'), Rejected("d1", "HTTP 400 Bad Request")),
        (Response(200, body=b"{}"), Sent("d1")),
        (Response(200, body=b"cut off"), Sent("d1")),
    ],
    ids=range(19),
)
def test_each_answer_means_one_thing(answer: Outcome, receipt: Receipt) -> None:
    meta = Meta()
    meta.told = answer

    assert sent(meta) == receipt


# Numbers


@pytest.mark.parametrize(
    ("profile", "address"),
    [
        ({"phone": "+49 (170) 123-45 67"}, "+491701234567"),
        ({"phone": "0049 170 1234567"}, "+491701234567"),
        ({"phone": "+4930901820", "whatsapp": "+491701234567"}, "+491701234567"),
        ({"whatsapp": "", "phone": ADA}, ADA),
        ({"phone": "0170 1234567"}, None),
        ({"phone": "ada@example.com"}, None),
        ({"phone": "+" + "1" * 16}, None),
        ({}, None),
    ],
    ids=range(8),
)
def test_an_address_is_a_number_with_its_country(
    profile: Mapping[str, object], address: str | None
) -> None:
    assert WhatsAppChannel().address(profile, "c1") == address


@pytest.mark.parametrize(
    ("called", "known"),
    [
        ("+52 55 1234 5678", "+5215512345678"),
        ("+54 11 2345 6789", "+5491123456789"),
        ("+55 11 96123 4567", "+551161234567"),
        ("+49 170 1234567", "+491701234567"),
    ],
    ids=["Mexico", "Argentina", "Brazil", "Germany"],
)
def test_whatsapps_own_form_of_a_number_is_the_same_address(
    called: str, known: str
) -> None:
    channel = WhatsAppChannel()

    assert channel.normalize(called) == channel.normalize(known)


def test_a_landline_is_no_mobile_number() -> None:
    channel = WhatsAppChannel()

    assert channel.normalize("+551121234567") != channel.normalize("+5511921234567")


@given(st.from_regex(r"\+?[0-9 ()-]{1,18}", fullmatch=True))
def test_a_normal_form_stays_as_it_is(text: str) -> None:
    normal = WhatsAppChannel().normalize(text)

    assert WhatsAppChannel().normalize(normal) == normal


def test_what_is_no_number_is_refused_unsent() -> None:
    meta = Meta()

    receipt = sent(meta, replace(MESSAGE, address="0170 1234567"))

    assert receipt == Rejected("d1", "the address is no number with its country")
    assert meta.asked == []


# The 24 hours


TEMPLATES: Mapping[str, Mapping[str, object]] = {
    "welcome": {"text": "Hello {{ name }}"},
    "cart-reminder": APPROVED,
    "picture": {"image": "https://shop.example/chair.jpg"},
    "choose": {"text": "Which?", "buttons": [{"label": "This"}]},
    "plain": {},
}


def asked_for(template: str, replied_at: datetime | None, **facts: Any) -> Asked:
    return Asked(
        customer="c1",
        created_at=NINE,
        now=NINE,
        zone="UTC",
        journey="j",
        step="s",
        channel="whatsapp",
        address=ADA,
        template=template,
        topic="",
        purpose="transactional",
        profile={},
        contact=Contact(replied_at=replied_at),
        facts=facts or WhatsAppChannel().facts(TEMPLATES),
    )


def test_the_catalog_knows_which_templates_are_free_words() -> None:
    facts = WhatsAppChannel().facts(TEMPLATES)

    assert facts == {"free": ["choose", "picture", "plain", "welcome"]}


@pytest.mark.parametrize(
    ("template", "hours", "goes"),
    [
        ("welcome", 0, True),
        ("welcome", 23.999, True),
        ("welcome", 24, False),
        ("welcome", None, False),
        ("picture", 30, False),
        ("cart-reminder", 30, True),
        ("cart-reminder", None, True),
        ("not-published", None, True),
    ],
)
def test_free_words_go_within_a_day_of_the_customers_last(
    template: str, hours: float | None, goes: bool
) -> None:
    replied_at = None if hours is None else NINE - timedelta(hours=hours)

    refused = WhatsAppChannel().rule(asked_for(template, replied_at))

    assert (refused is None) == goes


def test_the_trace_says_when_the_last_word_was() -> None:
    refused = WhatsAppChannel().rule(asked_for("welcome", NINE - timedelta(hours=30)))

    assert refused is not None
    assert refused.rule == "24-hour window"
    assert refused.values == {"replied_at": "2026-03-01T03:00:00+00:00"}


def test_a_catalog_from_before_it_knew_refuses_nothing() -> None:
    assert WhatsAppChannel().rule(asked_for("welcome", None, other=1)) is None


# What comes back


def test_delivered_and_read_are_told_with_what_it_costs() -> None:
    pricing = {
        "billable": True,
        "pricing_model": "PMP",
        "type": "regular",
        "category": "marketing",
    }

    [delivered, opened] = told(
        statuses=[status("delivered", pricing=pricing), status("read")]
    )

    assert delivered.name == "message.delivered"
    assert delivered.delivery_id == "d1"
    assert delivered.occurred_at == datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC)
    assert delivered.properties == {"category": "marketing", "billable": True}
    assert opened.name == "message.opened"
    assert delivered.id != opened.id


def failed(code: int) -> dict[str, Any]:
    error = {
        "code": code,
        "title": "A title",
        "message": f"A message about {ADA}",
        "error_data": {"details": "Details"},
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    }
    return status("failed", errors=[error])


@pytest.mark.parametrize(
    ("code", "names", "bounce"),
    [
        (131026, ["message.bounced"], "soft"),
        (131049, ["message.bounced"], "soft"),
        (131047, ["message.rejected"], None),
        (132015, ["message.rejected"], None),
        (131050, ["message.rejected", "message.unsubscribed"], None),
        (131000, ["message.failed"], None),
        (99, ["message.failed"], None),
    ],
)
def test_each_failure_is_of_its_kind(
    code: int, names: list[str], bounce: str | None
) -> None:
    reports = told(statuses=[failed(code)])

    assert [report.name for report in reports] == names
    assert reports[-1].properties.get("bounce") == bounce
    assert str(code) in str(reports[-1].properties["reason"])
    assert ADA not in repr(reports)


@pytest.mark.parametrize(
    "found",
    [
        status("sent"),
        status("delivered", delivery_id=""),
        {k: v for k, v in status("read").items() if k != "biz_opaque_callback_data"},
        status("delivered", timestamp="soon"),
        status("played"),
        {},
    ],
    ids=range(6),
)
def test_what_says_nothing_new_of_a_message_of_ours_is_passed_over(found: Any) -> None:
    assert told(statuses=[found]) == []


def word(kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "from": ADA[1:],
        "id": "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTdCNTg5RjY1MEMyRjlGMjRGNgA=",
        "timestamp": "1772442060",
        "type": kind,
        kind: dict(part),
    }


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (word("text", {"body": "Stop"}), {"text": "Stop", "kind": "text"}),
        (
            word("button", {"payload": "STOP", "text": "No more of this"}),
            {
                "text": "No more of this",
                "kind": "button",
                "button": "STOP",
                "keyword": "stop",
            },
        ),
        (
            word(
                "interactive",
                {
                    "type": "button_reply",
                    "button_reply": {"id": "b-1", "title": "Yes"},
                },
            ),
            {"text": "Yes", "kind": "interactive", "button": "b-1", "keyword": ""},
        ),
        (
            word(
                "interactive",
                {
                    "type": "list_reply",
                    "list_reply": {"id": "l-1", "title": "Blue", "description": "Sky"},
                },
            ),
            {"text": "Blue", "kind": "interactive", "button": "l-1", "keyword": ""},
        ),
        (
            word(
                "image", {"caption": "This one", "mime_type": "image/jpeg", "id": "1"}
            ),
            {"text": "This one", "kind": "image"},
        ),
        (word("audio", {"id": "1", "voice": True}), {"text": "", "kind": "audio"}),
        (word("text", {"body": "x" * 5000}), {"text": "x" * 1000, "kind": "text"}),
    ],
    ids=["text", "template-button", "button", "list", "image", "audio", "long"],
)
def test_a_reply_is_from_an_address(
    message: dict[str, Any], said: Mapping[str, object]
) -> None:
    contacts = [{"profile": {"name": "Ada"}, "wa_id": ADA[1:]}]

    [report] = told(contacts=contacts, messages=[message])

    assert report.name == "message.replied"
    assert (report.delivery_id, report.address) == ("", ADA)
    assert report.occurred_at == datetime(2026, 3, 2, 9, 1, tzinfo=UTC)
    assert report.properties == said
    assert message["id"] not in report.id


@pytest.mark.parametrize(
    "message",
    [
        word("reaction", {"message_id": WAMID, "emoji": "👍"}),
        word("system", {"body": "Ada changed", "type": "user_changed_number"}),
        {k: v for k, v in word("text", {"body": "Hi"}).items() if k != "from"},
        {},
    ],
    ids=["reaction", "system", "no-number", "nothing"],
)
def test_what_is_no_word_of_a_customers_is_no_reply(message: dict[str, Any]) -> None:
    assert told(messages=[message]) == []


def test_who_stops_marketing_in_the_app_is_unsubscribed() -> None:
    wish = {
        "wa_id": ADA[1:],
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": 1772442000,
    }

    [stopped] = told(field="user_preferences", user_preferences=[wish])
    resumed = told(
        field="user_preferences", user_preferences=[wish | {"value": "resume"}]
    )

    assert (stopped.name, stopped.address) == ("message.unsubscribed", ADA)
    assert resumed == []


def test_what_is_about_another_number_of_the_business_is_nobodys() -> None:
    channel = channel_of(Meta())
    theirs = entry("5550100", messages=[word("text", {"body": "Stop"})])
    ours = entry(messages=[word("text", {"body": "Stop"})])

    assert len(channel.feedback(posted(theirs, ours))) == 1


def test_what_meta_may_add_one_day_does_no_harm() -> None:
    odd: list[Any] = [
        {},
        {"changes": None},
        {"changes": [1, {"value": []}, {"value": {"statuses": {"a": 1}}}]},
        entry(
            statuses=[1, None, "x"], messages="x", user_preferences=[{"value": "stop"}]
        ),
    ]

    assert channel_of(Meta()).feedback(posted(*odd, entry(statuses=[failed(-1)])))


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_entry_is_read_without_a_failure(value: Any) -> None:
    message = {
        "from": value,
        "id": value,
        "timestamp": value,
        "type": "text",
        "text": value,
    }

    assert told(statuses=[status("failed", errors=value, timestamp=value)]) is not None
    assert told(messages=[message], user_preferences=[{"wa_id": value}]) is not None


def test_while_a_secret_is_replaced_either_of_both_verifies() -> None:
    channel = channel_of(Meta(), app_secret="new", previous_app_secret=APP_SECRET)
    callback = posted(entry(statuses=[status("read")]))

    assert len(channel.feedback(callback)) == 1
    assert (
        len(channel.feedback(posted(entry(statuses=[status("read")]), secret="new")))
        == 1
    )
    with pytest.raises(InputError, match="not of this app"):
        channel.feedback(posted(entry(), secret="other"))


def test_a_callback_of_another_product_is_not_ours() -> None:
    body = json.dumps({"object": "page", "entry": []}).encode()
    headers = {"x-hub-signature-256": signature(APP_SECRET, body)}
    callback = Callback(body=body, headers=headers, received_at=NINE)

    with pytest.raises(InputError, match="something else"):
        channel_of(Meta()).feedback(callback)


def asked_by_meta(**changes: str) -> Callback:
    """https://developers.facebook.com/docs/graph-api/webhooks/getting-started."""
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": VERIFY,
        "hub.challenge": "1158201444",
    }
    for name, value in changes.items():
        query[f"hub.{name}"] = value
    return Callback(
        body=b"",
        headers={},
        received_at=NINE,
        method="GET",
        url=f"https://api.example/v1/feedback/whatsapp?{urlencode(query)}",
    )


def test_meta_hears_its_challenge_from_who_knows_the_token() -> None:
    assert channel_of(Meta()).handshake(asked_by_meta()) == "1158201444"


@pytest.mark.parametrize(
    "callback",
    [
        asked_by_meta(verify_token="guessed"),
        asked_by_meta(mode="unsubscribe"),
        asked_by_meta(challenge="<script>"),
        asked_by_meta(challenge=""),
        replace(asked_by_meta(), method="POST"),
        replace(asked_by_meta(), url="https://api.example/v1/feedback/whatsapp"),
    ],
    ids=range(6),
)
def test_nobody_else_hears_anything(callback: Callback) -> None:
    assert channel_of(Meta()).handshake(callback) is None


# Over AWS


OURS = "phone-number-id-976c72a700aac43eaf573ae050example"
AWS = {"via": "aws", "phone_number_id": OURS, "region": "eu-west-1"}
ARN = f"arn:aws:social-messaging:eu-west-1:123456789012:{OURS.replace('id-', 'id/')}"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:whatsapp"


def event(**parts: Any) -> Callback:
    """As AWS documents it, the way it comes out of the stack's queue."""
    context = {
        "MetaWabaIds": [
            {
                "wabaId": "1234567890abcde",
                "arn": "arn:aws:social-messaging:eu-west-1:123456789012:waba/fb2594b8",
            }
        ],
        "MetaPhoneNumberIds": [{"metaPhoneNumberId": NUMBER, "arn": ARN}],
    }
    told = {
        "context": context,
        "whatsAppWebhookEntry": json.dumps(entry(**parts)),
        "aws_account_id": "123456789012",
        "message_timestamp": "2026-03-02T09:00:03.271279391Z",
        "messageId": "6d69f07a-c317-4278-9d5c-6a84078419ec",
    }
    headers = {"x-amz-sns-message-id": "m1", "x-amz-sns-topic-arn": TOPIC}
    body = json.dumps(told).encode()
    return Callback(body=body, headers=headers, received_at=NINE)


@pytest.fixture
def aws() -> Iterator[tuple[WhatsAppChannel, Stubber]]:
    client = boto3.client(
        "socialmessaging",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with Stubber(client) as stub:
        yield WhatsAppChannel(client=client).configured(AWS), stub
        stub.assert_no_pending_responses()


class Whole:
    """Equals the JSON of a value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and json.loads(other) == self._value

    __hash__ = None  # type: ignore[assignment]


def test_aws_gets_what_meta_would_get(aws: tuple[WhatsAppChannel, Stubber]) -> None:
    channel, stub = aws
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": ADA,
        "type": "text",
        "text": {"body": "Your cart waits", "preview_url": False},
        "biz_opaque_callback_data": "d1",
    }
    stub.add_response(
        "send_whatsapp_message",
        {"messageId": "6d69f07a-c317-4278-9d5c-6a84078419ec"},
        {
            "originationPhoneNumberId": OURS,
            "message": Whole(body),
            "metaApiVersion": "v20.0",
        },
    )

    [receipt] = channel.send([MESSAGE])

    assert receipt == Sent("d1", "6d69f07a-c317-4278-9d5c-6a84078419ec")


@pytest.mark.parametrize(
    ("code", "http", "kind"),
    [
        ("ThrottledRequestException", 429, RetryAfter),
        ("ResourceNotFoundException", 404, RetryAfter),
        ("AccessDeniedException", 403, RetryAfter),
        ("AccessDeniedByMetaException", 403, RetryAfter),
        ("ValidationException", 400, Rejected),
        ("InvalidParametersException", 400, Rejected),
        ("InternalServiceException", 500, Uncertain),
        ("DependencyException", 502, Uncertain),
    ],
)
def test_each_error_of_aws_means_one_thing(
    code: str, http: int, kind: type[Receipt], aws: tuple[WhatsAppChannel, Stubber]
) -> None:
    channel, stub = aws
    stub.add_client_error("send_whatsapp_message", code, f"about {ADA}", http)

    [receipt] = channel.send([MESSAGE])

    assert isinstance(receipt, kind)
    assert ADA not in repr(receipt)


def test_aws_tells_what_meta_tells() -> None:
    channel = WhatsAppChannel().configured(AWS | {"topics": [TOPIC]})

    [delivered] = channel.feedback(event(statuses=[status("delivered")]))
    [replied] = channel.feedback(event(messages=[word("text", {"body": "Hi"})]))

    assert (delivered.name, delivered.delivery_id) == ("message.delivered", "d1")
    assert (replied.name, replied.address) == ("message.replied", ADA)


def test_aws_may_tell_of_other_numbers_too() -> None:
    channel = WhatsAppChannel().configured(
        AWS | {"phone_number_id": "phone-number-id-0a1b2c"}
    )

    assert channel.feedback(event(statuses=[status("read")])) == ()


def test_the_number_may_be_an_arn() -> None:
    channel = WhatsAppChannel().configured(AWS | {"phone_number_id": ARN})

    assert len(channel.feedback(event(statuses=[status("read")]))) == 1


@pytest.mark.parametrize(
    "callback",
    [
        replace(event(), headers={}),
        replace(event(), url="https://api.example/v1/feedback/whatsapp"),
        replace(
            event(), headers=event().headers | {"x-amz-sns-topic-arn": TOPIC + "2"}
        ),
        replace(event(), body=b"[]"),
        replace(event(), body=b'{"whatsAppWebhookEntry": "{"}'),
        replace(event(), body=b'{"whatsAppWebhookEntry": {}}'),
        posted(entry(statuses=[status("read")])),
    ],
    ids=range(7),
)
def test_what_aws_did_not_say_is_refused(callback: Callback) -> None:
    channel = WhatsAppChannel().configured(AWS | {"topics": [TOPIC]})

    with pytest.raises(InputError) as caught:
        channel.feedback(callback)

    assert caught.value.place == "whatsapp: callback"


def test_aws_asks_for_no_handshake() -> None:
    assert WhatsAppChannel().configured(AWS).handshake(asked_by_meta()) is None


# Settings


def test_secrets_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYKIT_WHATSAPP_TOKEN", TOKEN)
    monkeypatch.setenv("JOURNEYKIT_WHATSAPP_APP_SECRET", APP_SECRET)
    monkeypatch.setenv("JOURNEYKIT_WHATSAPP_VERIFY_TOKEN", VERIFY)
    transport = MockTransport(Meta().answer)
    channel = WhatsAppChannel(transport).configured({"phone_number_id": NUMBER})

    assert channel.send([MESSAGE]) == [Sent("d1", WAMID)]
    assert len(channel.feedback(posted(entry(statuses=[status("read")])))) == 1
    assert channel.handshake(asked_by_meta()) == "1158201444"


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEYKIT_WHATSAPP_TOKEN", raising=False)
    channel = WhatsAppChannel().configured({"phone_number_id": NUMBER})

    with pytest.raises(InputError, match="JOURNEYKIT_WHATSAPP_TOKEN"):
        channel.send([MESSAGE])


def test_an_operator_says_how_fast_and_what_becomes_of_the_uncertain() -> None:
    plain = channel_of(Meta())
    more = channel_of(Meta(), rate=1000, on_uncertain="resend")

    known = frozenset(("address",))
    assert plain.capabilities == Capabilities(rate=80, reports_by=known)
    assert more.capabilities == Capabilities(
        rate=1000, on_uncertain="resend", reports_by=known
    )


@pytest.mark.parametrize(
    "settings", [{"phone_number_id": NUMBER}, AWS], ids=["meta", "aws"]
)
def test_the_mock_works_where_no_secret_is_known(
    settings: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYKIT_WHATSAPP_TOKEN", raising=False)
    mock = WhatsAppChannel().configured(settings).mock()

    receipts = mock.send(
        [MESSAGE, replace(MESSAGE, address="x"), replace(MESSAGE, content=None)]
    )

    assert [type(receipt) for receipt in receipts] == [Sent, Rejected, Rejected]


def test_what_cannot_be_sent_is_told_before_it_is() -> None:
    with pytest.raises(ContentError, match="language"):
        WhatsAppChannel().render(
            replace(MESSAGE, content=content({"template": "cart_reminder"}))
        )


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    row = re.compile(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|$", re.MULTILINE)
    rows = dict(row.findall(readme))

    assert rows.keys() == WhatsAppSettings.model_fields.keys()
    for name, setting in WhatsAppSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            shown = str(setting.default).removesuffix(".0")
            assert rows[name] == f"`{shown.lower()}`", name
