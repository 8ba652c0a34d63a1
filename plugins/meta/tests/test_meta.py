"""Messenger and Instagram: requests, answers and callbacks as Meta documents them.

Sending: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
Errors: https://developers.facebook.com/docs/messenger-platform/send-api-reference/errors
Callbacks: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
and https://developers.facebook.com/docs/messenger-platform/instagram/features/webhook
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

import journeykit_meta
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
from journeykit.meta import proof, signature
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
from journeykit_meta import InstagramChannel, MessengerChannel
from journeykit_meta.settings import MetaSettings

TOKEN = "EAAG-page-token-77"
APP_SECRET = "0f3c9a7be1d24c6f8a90"
VERIFY = "we-asked-for-it"
PAGE, ACCOUNT = "682498302938465", "17841405309211844"
SETTINGS = {
    "page_id": PAGE,
    "instagram_id": ACCOUNT,
    "token": TOKEN,
    "app_secret": APP_SECRET,
    "verify_token": VERIFY,
}
SEND = f"https://graph.facebook.com/v25.0/{PAGE}/messages"
ADA, NOBODY = "6521380000001", "9990000000009"
MID = "m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdCK48PnKAjSdjfipqxqMvK8ma6AC8fplwlqLP_5cgXI"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLOCK = int(NINE.timestamp() * 1000)


def content(**template: Any) -> Content:
    return Content(parts={"json": json.dumps({"text": "Your cart waits", **template})})


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="messenger",
    address=ADA,
    template="cart-reminder",
    variables={},
    at=NINE,
    journey="abandoned-cart",
    step="send-messenger-cart-reminder",
    purpose="marketing",
    content=content(),
)


def refused(status: int, code: int, subcode: int = 0) -> Response:
    """As in the documentation's example of an error."""
    error = {
        "message": f"Something about {ADA}",
        "type": "OAuthException",
        "code": code,
        "error_subcode": subcode,
        "fbtrace_id": "BLBz/WZt8dN",
    }
    return Response(status, body=json.dumps({"error": error}).encode())


class Meta:
    """The Send API: passes on what is right, and is in trouble if told to."""

    def __init__(self) -> None:
        self.trouble = ""
        self.told: list[Outcome] = []
        self.asked: list[dict[str, Any]] = []
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Outcome:
        self.requests.append(request)
        assert request.headers["content-type"] == "application/json"
        match self.trouble:
            case "unreachable":
                return Unreachable("Connection refused")
            case "busy":
                return refused(400, 613)
            case "refusing":
                return refused(403, 10, 2018278)
        if self.told:
            return self.told.pop(0)
        body = json.loads(request.body)
        if body["recipient"]["id"] == NOBODY:
            return refused(400, 100, 2018001)
        self.asked.append(body)
        if self.trouble == "silent":
            return NoAnswer("timed out")
        found = {"recipient_id": body["recipient"]["id"], "message_id": MID}
        return Response(200, body=json.dumps(found).encode())


def messenger(meta: Meta, **settings: object) -> Channel:
    return MessengerChannel(MockTransport(meta.answer)).configured(SETTINGS | settings)


def instagram(meta: Meta, **settings: object) -> Channel:
    return InstagramChannel(MockTransport(meta.answer)).configured(SETTINGS | settings)


def event(**part: Any) -> dict[str, Any]:
    """One event of Messenger's; Instagram's differ in the ids only."""
    return {
        "sender": {"id": ADA},
        "recipient": {"id": PAGE},
        "timestamp": CLOCK,
        **part,
    }


def posted(
    *events: object,
    about: str = "page",
    account: str = PAGE,
    secret: str = APP_SECRET,
) -> Callback:
    document = {
        "object": about,
        "entry": [{"id": account, "time": CLOCK, "messaging": [*events]}],
    }
    body = json.dumps(document).encode()
    return Callback(
        body=body,
        headers={"x-hub-signature-256": signature(secret, body)},
        received_at=NINE,
    )


def told(*events: object) -> list[Report]:
    return [*messenger(Meta()).feedback(posted(*events))]


class TestMessenger(ChannelContract):
    bad_settings: Any = (
        {},
        {"no_such_setting": 1},
        SETTINGS | {"page_id": "my-page"},
        SETTINGS | {"api_version": "latest"},
        SETTINGS | {"rate": 0},
        SETTINGS | {"timeout": 0},
        SETTINGS | {"on_uncertain": "guess"},
    )
    secrets = (TOKEN, APP_SECRET, VERIFY, ADA)

    def setup_method(self) -> None:
        self.meta = Meta()

    def channel(self) -> Channel:
        self.meta.trouble = ""
        return messenger(self.meta)

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel:
        channel = self.channel()
        self.meta.trouble = trouble
        return channel

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"65213800000{n:02}"} | changes)

    def bad_message(self) -> Message:
        return self.message(9, address=NOBODY)

    def too_long(self) -> Content:
        return content(text="x" * 2001)

    def callback(self, delivery_id: str) -> Callback:
        return posted(event(delivery={"mids": [MID], "watermark": CLOCK}))


class TestInstagram(TestMessenger):
    bad_settings = (
        *TestMessenger.bad_settings,
        SETTINGS | {"instagram_id": None},
        SETTINGS | {"page_id": None},
    )

    def channel(self) -> Channel:
        self.meta.trouble = ""
        return instagram(self.meta)

    def too_long(self) -> Content:
        return content(text="ö" * 501)

    def callback(self, delivery_id: str) -> Callback:
        read = event(read={"mid": MID})
        return posted(read, about="instagram", account=ACCOUNT)


def sent(channel: Channel, message: Message = MESSAGE) -> Receipt:
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_both_are_found_with_one_provider() -> None:
    manager = PluginManager()
    manager.register(journeykit_meta, "meta")
    manager.check_pending()

    registry = Registry.from_plugins(manager)

    assert isinstance(registry.channel("messenger", "meta"), MessengerChannel)
    assert isinstance(registry.channel("instagram", "meta"), InstagramChannel)


def test_a_text_goes_from_the_page_to_a_person() -> None:
    meta = Meta()

    assert sent(messenger(meta)) == Sent("d1", MID)

    [request] = meta.requests
    assert request.url == SEND
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert meta.asked == [
        {
            "recipient": {"id": ADA},
            "messaging_type": "UPDATE",
            "message": {"text": "Your cart waits"},
        }
    ]


def test_instagram_goes_through_the_page() -> None:
    meta = Meta()

    sent(instagram(meta))

    assert meta.requests[0].url == SEND
    assert meta.asked == [
        {"recipient": {"id": ADA}, "message": {"text": "Your cart waits"}}
    ]


def test_instagram_may_have_an_app_of_its_own() -> None:
    meta = Meta()
    settings = {
        "page_id": None,
        "instagram_token": "IGAA-1",
        "instagram_app_secret": "own-secret",
    }
    channel = instagram(meta, **settings)
    seen = posted(
        event(read={"mid": MID}),
        about="instagram",
        account=ACCOUNT,
        secret="own-secret",
    )

    sent(channel)

    [request] = meta.requests
    assert request.url == f"https://graph.instagram.com/v25.0/{ACCOUNT}/messages"
    assert request.headers["authorization"] == "Bearer IGAA-1"
    assert len(channel.feedback(seen)) == 1


def test_without_a_proof_nobody_needs_the_apps_secret_to_send() -> None:
    meta = Meta()

    receipt = sent(messenger(meta, app_secret="$NOT_SET_HERE"))

    assert isinstance(receipt, Sent)


def test_an_app_may_require_a_proof_of_its_secret() -> None:
    meta = Meta()

    sent(messenger(meta, proof=True))

    [request] = meta.requests
    assert request.url == f"{SEND}?appsecret_proof={proof(APP_SECRET, TOKEN)}"


def test_links_are_a_button_template_and_answers_are_quick_replies() -> None:
    meta = Meta()
    links = content(
        buttons=[
            {"label": "To the cart", "url": "https://shop.example/cart"},
            {"label": "No more", "value": "STOP"},
        ]
    )
    answers = content(buttons=[{"label": "Yes"}, {"label": "No", "value": "n"}])

    sent(messenger(meta), replace(MESSAGE, content=links))
    sent(messenger(meta), replace(MESSAGE, content=answers))

    assert meta.asked[0]["message"] == {
        "attachment": {
            "type": "template",
            "payload": {
                "template_type": "button",
                "text": "Your cart waits",
                "buttons": [
                    {
                        "type": "web_url",
                        "title": "To the cart",
                        "url": "https://shop.example/cart",
                    },
                    {"type": "postback", "title": "No more", "payload": "STOP"},
                ],
            },
        }
    }
    assert meta.asked[1]["message"] == {
        "text": "Your cart waits",
        "quick_replies": [
            {"content_type": "text", "title": "Yes", "payload": "Yes"},
            {"content_type": "text", "title": "No", "payload": "n"},
        ],
    }


PICTURE = replace(MESSAGE, content=content(image="https://shop.example/chair.jpg"))


def test_a_picture_goes_before_its_words() -> None:
    meta = Meta()

    assert sent(messenger(meta), PICTURE) == Sent("d1", MID)

    assert [body["message"] for body in meta.asked] == [
        {
            "attachment": {
                "type": "image",
                "payload": {"url": "https://shop.example/chair.jpg"},
            }
        },
        {"text": "Your cart waits"},
    ]


def test_a_picture_that_is_there_does_not_come_again() -> None:
    meta = Meta()
    meta.told = [Response(200, body=b'{"message_id": "m1"}'), refused(400, 613)]

    receipt = sent(messenger(meta), PICTURE)

    assert receipt == Rejected("d1", "only its picture was taken")


def test_a_picture_that_must_wait_is_no_reason_to_send_the_words() -> None:
    meta = Meta()
    meta.told = [refused(400, 613)]

    assert sent(messenger(meta), PICTURE) == RetryAfter("d1", 60)
    assert meta.asked == []


@pytest.mark.parametrize(
    ("channel", "template", "complaint"),
    [
        (MessengerChannel, {"text": "x" * 2001}, "2000"),
        (
            MessengerChannel,
            {
                "text": "x" * 641,
                "buttons": [{"label": "Go", "url": "https://a.example"}],
            },
            "640",
        ),
        (InstagramChannel, {"text": "x" * 1001}, "1000"),
        (MessengerChannel, {"buttons": [{"label": "x" * 21}]}, "20"),
        (
            MessengerChannel,
            {
                "buttons": [
                    {"label": f"{n}", "url": "https://a.example"} for n in range(4)
                ]
            },
            "3",
        ),
    ],
    ids=range(5),
)
def test_what_meta_would_not_take_is_told_before_it_is_sent(
    channel: type[Channel], template: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(ContentError, match=complaint):
        channel().render(replace(MESSAGE, content=content(**template)))


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (refused(400, 613, 1893016), RetryAfter("d1", 60)),
        (refused(400, 4), RetryAfter("d1", 60)),
        (refused(400, 80006), RetryAfter("d1", 60)),
        (refused(500, 1200), RetryAfter("d1", 0)),
        (refused(500, 2), RetryAfter("d1", 0)),
        (refused(400, 190, 460), RetryAfter("d1", 60)),
        (
            refused(403, 10, 2018278),
            Rejected(
                "d1",
                "Meta 10/2018278: outside of the window, or a permission is missing",
            ),
        ),
        (
            refused(400, 551, 1545041),
            Rejected("d1", "Meta 551/1545041: this person can't be written to"),
        ),
        (
            refused(500, 1, 1357046),
            Uncertain("d1", "Meta 1/1357046: something unknown went wrong"),
        ),
        (Response(200, body=b"{}"), Sent("d1")),
        (Response(503), RetryAfter("d1", 0)),
        (Response(504), Uncertain("d1", "HTTP 504 Gateway Timeout")),
    ],
    ids=range(12),
)
def test_each_answer_means_one_thing(answer: Outcome, receipt: Receipt) -> None:
    meta = Meta()
    meta.told = [answer]

    assert sent(messenger(meta)) == receipt


@pytest.mark.parametrize(
    ("profile", "address"),
    [
        ({"messenger_id": ADA}, ADA),
        ({"messenger_id": 6521380000001}, None),
        ({"messenger_id": "ada.lovelace"}, None),
        ({"instagram_id": ADA}, None),
    ],
    ids=range(4),
)
def test_an_address_is_an_id_that_meta_gave(
    profile: Mapping[str, object], address: str | None
) -> None:
    assert MessengerChannel().address(profile, "c1") == address


@pytest.mark.parametrize(
    ("hours", "goes"), [(0, True), (23.9, True), (24, False), (None, False)]
)
@pytest.mark.parametrize("channel", [MessengerChannel, InstagramChannel])
@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
def test_nothing_goes_a_day_after_the_customers_last_word(
    purpose: str, channel: type[Channel], hours: float | None, goes: bool
) -> None:
    replied_at = None if hours is None else NINE - timedelta(hours=hours)
    asked = Asked(
        customer="c1",
        created_at=NINE,
        now=NINE,
        zone="UTC",
        journey="j",
        step="s",
        channel=channel.name,
        address=ADA,
        template="t",
        topic="",
        purpose=purpose,
        profile={},
        contact=Contact(replied_at=replied_at),
    )

    assert (channel().rule(asked) is None) == goes


# What comes back


def test_a_message_is_delivered_by_its_id() -> None:
    [report, second] = told(event(delivery={"mids": [MID, "m_2"], "watermark": CLOCK}))

    assert (report.name, report.provider_id) == ("message.delivered", MID)
    assert report.occurred_at == NINE
    assert second.id != report.id


def test_a_watermark_says_that_the_latest_was_read() -> None:
    [report] = told(event(read={"watermark": CLOCK - 210}))

    assert (report.name, report.address) == ("message.opened", ADA)
    assert ADA not in report.id


def test_instagram_says_which_one_was_seen() -> None:
    seen = event(read={"mid": MID}, recipient={"id": ACCOUNT})
    callback = posted(seen, about="instagram", account=ACCOUNT)

    [report] = instagram(Meta()).feedback(callback)

    assert (report.name, report.provider_id) == ("message.opened", MID)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"message": {"mid": "m_1", "text": "Hi"}}, {"text": "Hi", "kind": "text"}),
        (
            {
                "message": {
                    "mid": "m_1",
                    "text": "No thanks",
                    "quick_reply": {"payload": "STOP"},
                }
            },
            {"text": "No thanks", "kind": "text", "button": "STOP", "keyword": "stop"},
        ),
        (
            {"postback": {"mid": "m_1", "title": "To the cart", "payload": "cart"}},
            {"text": "To the cart", "kind": "button", "button": "cart", "keyword": ""},
        ),
        (
            {"postback": {"title": "Go", "payload": ""}},
            {"text": "Go", "kind": "button"},
        ),
        (
            {
                "message": {
                    "mid": "m_1",
                    "attachments": [{"type": "image", "payload": {"url": "https://…"}}],
                }
            },
            {"text": "", "kind": "attachment"},
        ),
    ],
    ids=["text", "quick-reply", "postback", "old-postback", "picture"],
)
def test_a_reply_is_from_a_person(
    part: dict[str, Any], said: Mapping[str, object]
) -> None:
    [report] = told(event(**part))

    assert report.name == "message.replied"
    assert (report.delivery_id, report.address) == ("", ADA)
    assert report.properties == said


@pytest.mark.parametrize(
    "found",
    [
        event(message={"mid": MID, "text": "Ours", "is_echo": True, "app_id": 1}),
        event(message={"mid": MID, "is_deleted": True}),
        event(delivery={"watermark": CLOCK}),
        event(reaction={"mid": MID, "action": "react", "emoji": "👍"}),
        event(message={"text": "no id"}),
        event(sender={}, message={"mid": MID, "text": "Hi"}),
        {},
        1,
    ],
    ids=range(8),
)
def test_what_is_no_news_of_a_customer_is_passed_over(found: object) -> None:
    assert told(found) == []


def test_what_is_about_another_page_is_nobodys() -> None:
    hi = event(message={"mid": MID, "text": "Hi"})

    assert messenger(Meta()).feedback(posted(hi, account="1")) == []


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_event_is_read_without_a_failure(value: Any) -> None:
    for part in ("delivery", "read", "message", "postback"):
        for found in (value, {"mid": value, "mids": value, "watermark": value}):
            assert told(event(**{part: found})) is not None


def test_what_is_about_instagram_is_not_messengers() -> None:
    with pytest.raises(InputError, match="something else than messenger"):
        messenger(Meta()).feedback(posted(about="instagram"))


def asked_by_meta(token: str) -> Callback:
    query = urlencode(
        {
            "hub.mode": "subscribe",
            "hub.verify_token": token,
            "hub.challenge": "1158201444",
        }
    )
    url = f"https://api.example/v1/feedback/messenger?{query}"
    return Callback(body=b"", headers={}, received_at=NINE, method="GET", url=url)


def test_meta_hears_its_challenge_from_who_knows_the_token() -> None:
    channel = messenger(Meta())

    assert channel.handshake(asked_by_meta(VERIFY)) == "1158201444"
    assert channel.handshake(asked_by_meta("guessed")) is None


# Settings


def test_secrets_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYKIT_META_TOKEN", TOKEN)
    monkeypatch.setenv("JOURNEYKIT_META_APP_SECRET", APP_SECRET)
    channel = MessengerChannel(MockTransport(Meta().answer)).configured(
        {"page_id": PAGE}
    )

    assert channel.send([MESSAGE]) == [Sent("d1", MID)]
    assert len(channel.feedback(posted(event(read={"watermark": CLOCK})))) == 1


def test_an_operator_says_how_fast_and_what_becomes_of_the_uncertain() -> None:
    channel = messenger(Meta(), rate=5, on_uncertain="resend")

    assert channel.capabilities == Capabilities(
        rate=5,
        on_uncertain="resend",
        reports_by=frozenset(("provider_id", "address")),
    )


@pytest.mark.parametrize("channel", [MessengerChannel(), InstagramChannel()])
def test_the_mock_works_where_no_secret_is_known(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYKIT_META_TOKEN", raising=False)
    told = {"page_id": PAGE, "instagram_id": ACCOUNT}
    mock = channel.configured(told).mock()
    long = replace(MESSAGE, content=content(text="x" * 3000))

    receipts = mock.send([MESSAGE, replace(MESSAGE, address="ada"), long])

    assert [type(receipt) for receipt in receipts] == [Sent, Rejected, Rejected]


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    row = re.compile(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|$", re.MULTILINE)
    rows = dict(row.findall(readme))

    assert rows.keys() == MetaSettings.model_fields.keys()
    for name, setting in MetaSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            number = isinstance(setting.default, float)
            shown = f"{setting.default:g}" if number else str(setting.default)
            assert rows[name] == f"`{shown}`".replace("False", "false"), name
