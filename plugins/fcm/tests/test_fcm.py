"""FCM: requests and answers as Google documents them.

Requests: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
Errors: https://firebase.google.com/docs/cloud-messaging/error-codes and
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
Tokens: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import journeykit_fcm
from journeykit.channels import (
    Capabilities,
    Channel,
    Content,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import ContentError, InputError
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
from journeykit_fcm import FcmChannel
from journeykit_fcm.access import Access, Account
from journeykit_fcm.settings import FcmSettings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
# What the console of Firebase hands out, less the URLs that nobody needs.
KEY_FILE = {
    "type": "service_account",
    "project_id": "shop-3f9a5",
    "private_key_id": "5c1f0a77",
    "private_key": PEM,
    "client_email": "firebase-adminsdk@shop-3f9a5.iam.gserviceaccount.com",
    "client_id": "1076543210",
    "token_uri": "https://oauth2.googleapis.com/token",
}
SETTINGS = {"service_account": json.dumps(KEY_FILE)}
SEND = "https://fcm.googleapis.com/v1/projects/shop-3f9a5/messages:send"
TOKENS = "https://oauth2.googleapis.com/token"
# Their shape; whose they were is long forgotten.
PHONE = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"
TABLET = "fM9xQz7aTq-_1:APA91bHPRgkF3JUikC4ENAHEeMrd41Zxv3hVZjC9KtT8OvPVGJ"
GONE = "dead" + PHONE
ANY_TIME = {"verify_exp": False, "verify_iat": False}  # some tests have their own clock
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def content(**template: Any) -> Content:
    return Content(parts={"json": json.dumps({"title": "Your cart waits", **template})})


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="push",
    address=PHONE,
    template="cart-reminder",
    variables={},
    at=NINE,
    journey="abandoned-cart",
    step="send-push-cart-reminder",
    purpose="marketing",
    content=content(),
)


def refused(
    status: int,
    name: str,
    code: str = "",
    message: str = "Told to nobody",
    **headers: str,
) -> Response:
    """An error as FCM writes it; without a code of its own it is one of Google's."""
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        error["details"] = [{"@type": kind, "errorCode": code}]
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(status, named, json.dumps({"error": error}).encode())


UNREGISTERED = refused(
    404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."
)
NO_TOKEN = refused(
    400,
    "INVALID_ARGUMENT",
    "INVALID_ARGUMENT",
    "The registration token is not a valid FCM registration token",
)
BAD_VALUE = Response(
    400,
    body=json.dumps(
        {
            "error": {
                "code": 400,
                "message": "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
                "status": "INVALID_ARGUMENT",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": [
                            {
                                "field": "message.data[0].value",
                                "description": "Invalid value at 'message.data[0].value'",
                            }
                        ],
                    }
                ],
            }
        }
    ).encode(),
)


class Google:
    """Firebase and the server of tokens: strict, and in trouble if it is told to."""

    def __init__(self) -> None:
        self.trouble = ""
        self.answers: dict[str, Outcome] = {}
        self.asked: list[dict[str, Any]] = []
        self.shown: list[tuple[str, str]] = []
        self.grants = 0
        self.good = ""
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Outcome:
        if self.trouble == "unreachable":
            return Unreachable("Connection refused")
        if request.url == TOKENS:
            return self._granted(request)
        assert request.url == SEND
        assert request.headers["content-type"] == "application/json"
        if request.headers["authorization"] != f"Bearer {self.good}":
            return refused(401, "UNAUTHENTICATED")
        return self._sent(json.loads(request.body))

    def _granted(self, request: Request) -> Outcome:
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        [assertion] = form["assertion"]
        claims = jwt.decode(
            assertion, KEY.public_key(), ["RS256"], audience=TOKENS, options=ANY_TIME
        )
        assert claims["iss"] == KEY_FILE["client_email"]
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert claims["exp"] - claims["iat"] <= 3600
        assert jwt.get_unverified_header(assertion)["kid"] == "5c1f0a77"
        with self._lock:
            self.grants += 1
            self.good = f"ya29.token-{self.grants}"
        found = {"access_token": self.good, "expires_in": 3599, "token_type": "Bearer"}
        return Response(200, body=json.dumps(found).encode())

    def _sent(self, body: dict[str, Any]) -> Outcome:
        match self.trouble:
            case "busy":
                return refused(
                    429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after="7"
                )
            case "refusing":
                return refused(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")
        message = body["message"]
        with self._lock:
            self.asked.append(body)
        for part, outcome in self.answers.items():
            if part in message["token"]:
                return outcome
        if not re.fullmatch(r"[\w:-]{20,}", message["token"], re.ASCII):
            return NO_TOKEN
        assert all(isinstance(value, str) for value in message["data"].values())
        with self._lock:
            if not body.get("validate_only"):
                self.shown.append((message["token"], message["data"]["delivery_id"]))
        if self.trouble == "silent":
            return NoAnswer("timed out")
        name = "projects/shop-3f9a5/messages/0:1500415314455276%31bd1c9631bd1c96"
        return Response(200, body=json.dumps({"name": name}).encode())


def channel_of(google: Google, **settings: object) -> FcmChannel:
    return FcmChannel(MockTransport(google.answer)).configured(SETTINGS | settings)


class TestContract(ChannelContract):
    bad_settings = (
        {"no_such_setting": 1},
        {"service_account": "{}"},
        {"service_account": PEM},
        {"service_account": json.dumps(KEY_FILE | {"private_key": PEM[:300]})},
        {"service_account": json.dumps(KEY_FILE | {"type": "authorized_user"})},
        SETTINGS | {"project": "https://x/"},
        SETTINGS | {"rate": 0},
        SETTINGS | {"timeout": 0},
        SETTINGS | {"on_uncertain": "guess"},
    )
    secrets = (PEM, PEM[40:90], "ya29.", PHONE)

    def setup_method(self) -> None:
        self.google = Google()
        self.google.answers[GONE] = UNREGISTERED

    def channel(self) -> Channel:
        self.google.trouble = ""
        return channel_of(self.google)

    def accepted(self) -> list[str]:
        return [delivery_id for _, delivery_id in self.google.shown]

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel:
        channel = self.channel()
        self.google.trouble = trouble
        return channel

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"{PHONE}{n}"} | changes)

    def too_long(self) -> Content:
        return content(body="x" * 5000)

    def bad_message(self) -> Message:
        return self.message(9, address=GONE)


def sent(google: Google, message: Message = MESSAGE, **settings: object) -> Receipt:
    channel = channel_of(google, **settings)
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_it_is_found_as_a_carrier_of_push() -> None:
    manager = PluginManager()
    manager.register(journeykit_fcm, "fcm")
    manager.check_pending()

    registry = Registry.from_plugins(manager)

    assert isinstance(registry.channel("push", "fcm"), FcmChannel)


def test_a_message_is_what_each_system_wants_it_to_be() -> None:
    google = Google()
    told = content(
        body="Two chairs",
        image="https://shop.example/chair.jpg",
        link="https://shop.example/cart",
        data={"sku": "chair-2", "count": 2},
        collapse="cart",
        ttl=3600,
        badge=1,
        sound="default",
        category="offers",
    )

    receipt = sent(google, replace(MESSAGE, content=told))

    assert receipt == Sent(
        "d1", "projects/shop-3f9a5/messages/0:1500415314455276%31bd1c9631bd1c96"
    )
    [asked] = google.asked
    assert asked == {
        "message": {
            "token": PHONE,
            "notification": {
                "title": "Your cart waits",
                "body": "Two chairs",
                "image": "https://shop.example/chair.jpg",
            },
            "data": {
                "sku": "chair-2",
                "count": "2",
                "delivery_id": "d1",
                "link": "https://shop.example/cart",
            },
            "android": {
                "priority": "HIGH",
                "collapse_key": "cart",
                "ttl": "3600s",
                "notification": {
                    "sound": "default",
                    "channel_id": "offers",
                    "tag": "cart",
                    "notification_count": 1,
                },
            },
            "apns": {
                "headers": {
                    "apns-priority": "10",
                    "apns-expiration": str(int(NINE.timestamp()) + 3600),
                    "apns-collapse-id": "cart",
                },
                "payload": {
                    "aps": {
                        "badge": 1,
                        "sound": "default",
                        "category": "offers",
                        "mutable-content": 1,
                    }
                },
                "fcm_options": {"image": "https://shop.example/chair.jpg"},
            },
            "webpush": {
                "headers": {"Urgency": "high", "TTL": "3600"},
                "fcm_options": {"link": "https://shop.example/cart"},
            },
        }
    }


def test_what_is_not_said_is_left_to_the_phone() -> None:
    google = Google()

    sent(google, replace(MESSAGE, content=content(priority="normal", badge=0)))

    assert google.asked[0]["message"] == {
        "token": PHONE,
        "notification": {"title": "Your cart waits"},
        "data": {"delivery_id": "d1"},
        "android": {"priority": "NORMAL", "notification": {"notification_count": 0}},
        "apns": {
            "headers": {"apns-priority": "5"},
            "payload": {"aps": {"badge": 0}},
        },
        "webpush": {"headers": {"Urgency": "normal"}},
    }


def test_an_author_may_say_more_in_googles_own_words() -> None:
    google = Google()
    told = content(
        sound="default",
        android={"notification": {"color": "#ff6600", "sound": "bell"}},
        apns={"payload": {"aps": {"interruption-level": "time-sensitive"}}},
    )

    sent(google, replace(MESSAGE, content=told))

    message = google.asked[0]["message"]
    assert message["android"] == {
        "priority": "HIGH",
        "notification": {"sound": "bell", "color": "#ff6600"},
    }
    assert message["apns"]["payload"] == {
        "aps": {"sound": "default", "interruption-level": "time-sensitive"}
    }


def test_a_link_into_the_app_is_none_of_the_browsers() -> None:
    google = Google()

    sent(google, replace(MESSAGE, content=content(link="shop://cart")))

    message = google.asked[0]["message"]
    assert message["data"]["link"] == "shop://cart"
    assert "fcm_options" not in message["webpush"]


def test_what_is_now_or_never_is_not_kept_for_later() -> None:
    google = Google()

    sent(google, replace(MESSAGE, content=content(ttl=0)))

    message = google.asked[0]["message"]
    assert message["android"]["ttl"] == "0s"
    assert message["apns"]["headers"]["apns-expiration"] == "0"


def test_a_push_that_is_too_large_is_told_before_it_is_sent() -> None:
    google = Google()
    large = replace(MESSAGE, content=content(body="x" * 5000))

    with pytest.raises(ContentError, match="4096"):
        channel_of(google).render(large)
    assert google.asked == []


# Devices


@pytest.mark.parametrize(
    ("held", "address"),
    [
        (PHONE, PHONE),
        ([PHONE, TABLET], f"{PHONE} {TABLET}"),
        ([PHONE, TABLET, PHONE], f"{TABLET} {PHONE}"),
        ([f"t{n}" for n in range(9)], "t4 t5 t6 t7 t8"),
        ([None, 1, "", "two words", PHONE], PHONE),
        ([], None),
        ("two words", None),
        ({"token": PHONE}, None),
    ],
    ids=range(8),
)
def test_the_address_is_the_latest_devices(held: object, address: str | None) -> None:
    assert FcmChannel().address({"push_token": held}, "c1") == address


def test_capitals_of_an_address_matter() -> None:
    assert FcmChannel().normalize(PHONE) == PHONE


def test_a_message_goes_to_all_devices() -> None:
    google = Google()

    receipt = sent(google, replace(MESSAGE, address=f"{PHONE} {TABLET}"))

    assert isinstance(receipt, Sent)
    assert google.shown == [(PHONE, "d1"), (TABLET, "d1")]


def test_one_device_that_is_left_is_enough() -> None:
    google = Google()
    google.answers[GONE] = UNREGISTERED

    receipt = sent(google, replace(MESSAGE, address=f"{GONE} {TABLET}"))

    assert isinstance(receipt, Sent)
    assert google.shown == [(TABLET, "d1")]


def test_how_many_devices_are_gone_is_in_the_log_without_their_tokens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    google = Google()
    google.answers[GONE] = UNREGISTERED

    with caplog.at_level("INFO", "journeykit_fcm.channel"):
        sent(google, replace(MESSAGE, address=f"{GONE} {TABLET}"))
        sent(google, replace(MESSAGE, address=TABLET))

    told = [r.getMessage() for r in caplog.records if "gone" in r.getMessage()]
    assert told == ["message d1: 1 of 2 devices are gone"]


def test_what_one_device_has_is_not_sent_again_for_another() -> None:
    google = Google()
    google.answers[TABLET] = refused(503, "UNAVAILABLE", "UNAVAILABLE")

    receipt = sent(google, replace(MESSAGE, address=f"{PHONE} {TABLET}"))

    assert isinstance(receipt, Sent)
    assert google.shown == [(PHONE, "d1")]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (refused(503, "UNAVAILABLE", "UNAVAILABLE"), RetryAfter),
        (NoAnswer("timed out"), Uncertain),
    ],
    ids=["asked-again", "uncertain"],
)
def test_as_long_as_no_device_has_it_all_wait_together(
    first: Outcome, kind: type[Receipt]
) -> None:
    google = Google()
    google.answers[PHONE] = first

    receipt = sent(google, replace(MESSAGE, address=f"{PHONE} {TABLET}"))

    assert isinstance(receipt, kind)
    assert google.shown == []


def test_an_app_that_is_gone_from_all_devices_is_a_hard_bounce() -> None:
    google = Google()
    google.answers["dead"] = UNREGISTERED

    receipt = sent(google, replace(MESSAGE, address=f"{GONE} {GONE}2"))

    assert receipt == Rejected("d1", "unregistered", "hard_bounce")


def test_a_device_that_is_only_refused_is_no_bounce() -> None:
    google = Google()
    google.answers[GONE] = UNREGISTERED
    google.answers[TABLET] = refused(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")

    receipt = sent(google, replace(MESSAGE, address=f"{GONE} {TABLET}"))

    assert receipt == Rejected("d1", "FCM SENDER_ID_MISMATCH")


# Errors


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (UNREGISTERED, Rejected("d1", "unregistered", "hard_bounce")),
        (NO_TOKEN, Rejected("d1", "unregistered", "hard_bounce")),
        (BAD_VALUE, Rejected("d1", "FCM INVALID_ARGUMENT")),
        (
            refused(
                400,
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT",
                "Android message is too big",
            ),
            Rejected("d1", "FCM INVALID_ARGUMENT"),
        ),
        (
            refused(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
            Rejected("d1", "FCM SENDER_ID_MISMATCH"),
        ),
        (
            refused(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
            RetryAfter("d1", 60),
        ),
        (refused(403, "PERMISSION_DENIED"), RetryAfter("d1", 60)),
        (
            refused(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
            RetryAfter("d1", 60),
        ),
        (
            refused(
                429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota", retry_after="17"
            ),
            RetryAfter("d1", 17),
        ),
        (
            refused(503, "UNAVAILABLE", "UNAVAILABLE", "Down", retry_after="120"),
            RetryAfter("d1", 120),
        ),
        (
            refused(500, "INTERNAL", "INTERNAL"),
            Uncertain("d1", "HTTP 500 Internal Server Error"),
        ),
        (refused(404, "NOT_FOUND"), Rejected("d1", "FCM NOT_FOUND")),
        (Response(404, body=b"<html>"), Rejected("d1", "HTTP 404 Not Found")),
        (Response(400, body=b'{"error": []}'), Rejected("d1", "HTTP 400 Bad Request")),
        (Response(200, body=b"[]"), Sent("d1")),
        (NoAnswer("timed out"), Uncertain("d1", "timed out")),
    ],
    ids=range(16),
)
def test_each_answer_means_one_thing(answer: Outcome, receipt: Receipt) -> None:
    google = Google()
    google.answers[PHONE] = answer

    assert sent(google) == receipt


def test_a_code_that_google_never_said_is_not_repeated() -> None:
    google = Google()
    google.answers[PHONE] = refused(404, "ada@example.com", "<script>")

    assert sent(google) == Rejected("d1", "HTTP 404 Not Found")


# Tokens of access


class Clock:
    def __init__(self) -> None:
        self.now = 1_772_442_000.0

    def __call__(self) -> float:
        return self.now


def test_an_access_token_is_used_until_shortly_before_its_end() -> None:
    google, clock = Google(), Clock()
    account = Account.from_json(json.dumps(KEY_FILE))
    transport = MockTransport(google.answer)
    access = Access(account, transport.post, clock=clock)

    grants = []
    for seconds in (0, 3200, 98, 2):  # 3599 less five minutes is 3299
        clock.now += seconds
        access.token()
        grants.append(google.grants)

    assert grants == [1, 1, 1, 2]


def test_a_token_that_was_revoked_is_replaced_at_once() -> None:
    google = Google()
    channel = channel_of(google)
    channel.send([MESSAGE])
    google.good = "revoked"

    [receipt] = channel.send([replace(MESSAGE, delivery_id="d2")])

    assert isinstance(receipt, Sent)
    assert google.grants == 2


def test_threads_that_need_a_token_ask_for_one_together() -> None:
    google = Google()
    channel = channel_of(google)

    with ThreadPoolExecutor(8) as pool:
        receipts = [*pool.map(lambda _: channel.send([MESSAGE])[0], range(24))]

    assert all(isinstance(receipt, Sent) for receipt in receipts)
    assert google.grants == 1


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        # https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
        (
            Response(
                400,
                body=b'{"error": "invalid_grant",'
                b' "error_description": "Invalid JWT Signature."}',
            ),
            60,
        ),
        (Response(401, body=b'{"error": "unauthorized_client"}'), 60),
        (Response(200, body=b"{}"), 60),
        (Response(200, body=b"[" * 9_999), 60),
        (Response(503, {"retry-after": "30"}), 30),
        (NoAnswer("timed out"), 0),
        (Unreachable("Connection refused"), 0),
    ],
    ids=range(7),
)
def test_without_a_token_messages_wait_and_nothing_is_uncertain(
    answer: Outcome, seconds: float
) -> None:
    transport = MockTransport(lambda _: answer)
    channel = FcmChannel(transport).configured(SETTINGS)

    assert channel.send([MESSAGE]) == [RetryAfter("d1", seconds)]
    assert [request.url for request in transport.requests] == [TOKENS]


# Settings


def test_a_key_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYKIT_FCM_SERVICE_ACCOUNT", json.dumps(KEY_FILE))
    google = Google()

    [receipt] = FcmChannel(MockTransport(google.answer)).configured({}).send([MESSAGE])

    assert isinstance(receipt, Sent)


@pytest.mark.parametrize("text", ["", "no key"])
def test_a_key_that_is_missing_or_none_is_named_and_nothing_is_sent(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYKIT_FCM_SERVICE_ACCOUNT", "")
    google = Google()
    channel = FcmChannel(MockTransport(google.answer)).configured({})
    monkeypatch.setenv("JOURNEYKIT_FCM_SERVICE_ACCOUNT", text)

    with pytest.raises(InputError) as caught:
        channel.send([MESSAGE])

    assert "environment" in caught.value.place
    assert google.asked == []


def test_messages_may_be_checked_by_google_and_reach_nobody() -> None:
    google = Google()

    receipt = sent(google, validate_only=True)

    assert isinstance(receipt, Sent)
    assert google.asked[0]["validate_only"] is True
    assert google.shown == []


def test_another_project_than_the_accounts_may_be_named() -> None:
    urls = []

    def answer(request: Request) -> Outcome:
        urls.append(request.url)
        return Response(200, body=b'{"access_token": "t", "expires_in": 3599}')

    channel = FcmChannel(MockTransport(answer)).configured(
        SETTINGS | {"project": "other-12345"}
    )
    channel.send([MESSAGE])

    assert urls == [TOKENS, SEND.replace("shop-3f9a5", "other-12345")]


def test_an_operator_says_how_fast_and_what_becomes_of_the_uncertain() -> None:
    plain = channel_of(Google())
    told = channel_of(Google(), rate=5, on_uncertain="resend")

    assert plain.capabilities == Capabilities(rate=10_000)
    assert told.capabilities == Capabilities(rate=5, on_uncertain="resend")


def test_the_mock_works_where_no_key_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEYKIT_FCM_SERVICE_ACCOUNT", raising=False)
    mock = FcmChannel().configured({}).mock()

    [good, bad] = mock.send([MESSAGE, replace(MESSAGE, content=content(title=""))])

    assert isinstance(good, Sent)
    assert isinstance(bad, Rejected)


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == FcmSettings.model_fields.keys()
    for name, setting in FcmSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            shown = str(setting.default).removesuffix(".0")
            assert rows[name] == f"`{shown.lower()}`", name
