"""What the channel posts, and what it makes of the answers."""

from __future__ import annotations

import base64
import json
import re
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    Message,
    Rejected,
    Report,
    RetryAfter,
    Sent,
)
from journeykit.errors import InputError
from journeykit.plugins import Registry, plugin_manager
from journeykit.testing import ChannelContract
from journeykit.transport import (
    MockTransport,
    NoAnswer,
    Outcome,
    Request,
    Response,
    Unreachable,
)
from journeykit_webhook import (
    WebhookChannel,
    new_secret,
    signed,
    verify,
)
from journeykit_webhook.settings import WebhookSettings

SECRET = new_secret()
URL = "https://hooks.example.com/in/token-3f9a"
SETTINGS = {"url": URL, "secret": SECRET, "headers": {"Authorization": "Bearer b-77"}}
REFUSED = "nobody@example.com"

MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="webhook",
    address="c1",
    template="welcome",
    variables={"name": "Zoë"},
    at=datetime(2026, 3, 2, 9, tzinfo=UTC),
    journey="welcome-series",
    step="send-webhook-welcome",
    purpose="marketing",
)


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPENED = {
    "type": "message.opened",
    "timestamp": "2026-03-02T11:59:58Z",
    "data": {"delivery_id": "d1", "device": "phone"},
}


def called_back(
    content: object = OPENED, *, secret: str = SECRET, at: datetime = NOON
) -> Callback:
    """What a receiver posts back, signed a moment before noon."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = signed("msg-1", body, secret, at=NOON.timestamp())
    return Callback(body=body, headers=headers, received_at=at)


class Receiver:
    """Somebody's webhook: passes on what is new, and can be in trouble."""

    def __init__(self) -> None:
        self.trouble = ""
        self.passed_on: list[str] = []
        self._had: set[str] = set()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Outcome:
        id = verify(SECRET, request.headers, request.body)
        match self.trouble:
            case "unreachable":
                return Unreachable("Connection refused")
            case "busy":
                return Response(429, {"retry-after": "7"})
            case "refusing":
                return Response(400, body=request.body)
        if json.loads(request.body)["address"] == REFUSED:
            return Response(422, body=request.body)
        with self._lock:
            if id not in self._had:
                self._had.add(id)
                self.passed_on.append(id)
        return NoAnswer("timed out") if self.trouble == "silent" else Response(204)


class TestContract(ChannelContract):
    bad_settings = (
        {"no_such_setting": 1},
        {},
        SETTINGS | {"url": f"http://hooks.example.com/{SECRET}"},
        SETTINGS | {"secret": SECRET[:12]},
        SETTINGS | {"headers": {"X-Key": "b-77\r\nX-Other: 1"}},
        SETTINGS | {"headers": {"Webhook-Id": "1"}},
        SETTINGS | {"headers": {"no name": "1"}},
        SETTINGS | {"allow": ["https://hooks.example.com"]},
        SETTINGS | {"timeout": 0},
        SETTINGS | {"rate": 0},
    )
    secrets = (SECRET, SECRET[:12], SECRET[6:], "token-3f9a", "b-77")

    def setup_method(self) -> None:
        self.receiver = Receiver()

    def channel(self) -> Channel:
        self.receiver.trouble = ""
        transport = MockTransport(self.receiver.answer)
        return WebhookChannel(transport).configured(SETTINGS)

    def accepted(self) -> list[str]:
        return self.receiver.passed_on

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel:
        channel = self.channel()
        self.receiver.trouble = trouble
        return channel

    def bad_message(self) -> Message:
        return self.message(9, address=REFUSED)

    def callback(self, delivery_id: str) -> Callback:
        return called_back(OPENED | {"data": {"delivery_id": delivery_id}})


@pytest.mark.parametrize(
    ("channel", "provider"), [("webhook", None), ("email", "webhook")]
)
def test_it_carries_what_is_named_webhook_or_given_to_it(
    channel: str, provider: str | None
) -> None:
    registry = Registry.from_plugins(
        plugin_manager(environ={"JOURNEYKIT_PLUGINS": "webhook"})
    )

    assert isinstance(registry.channel(channel, provider), WebhookChannel)


def posted(message: Message, **settings: object) -> Request:
    transport = MockTransport()
    channel = WebhookChannel(transport).configured(SETTINGS | settings)

    assert channel.send([message]) == [Sent(message.delivery_id)]
    [request] = transport.requests
    return request


def test_the_body_is_the_message_as_the_file_channel_writes_it() -> None:
    request = posted(MESSAGE)

    assert request.url == URL
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "message",
        "delivery_id": "d1",
        "at": "2026-03-02T09:00:00Z",
        "customer": "c1",
        "channel": "webhook",
        "address": "c1",
        "template": "welcome",
        "variables": {"name": "Zoë"},
        "journey": "welcome-series",
        "step": "send-webhook-welcome",
        "purpose": "marketing",
        "topic": None,
        "test": False,
    }


def test_the_body_is_signed_and_names_the_delivery() -> None:
    request = posted(MESSAGE)

    assert verify(SECRET, request.headers, request.body) == "d1"
    assert request.headers["idempotency-key"] == "d1"


def test_while_a_secret_is_replaced_either_of_both_verifies() -> None:
    new = new_secret()

    request = posted(MESSAGE, secret=new, previous_secret=SECRET)

    assert verify(new, request.headers, request.body) == "d1"
    assert verify(SECRET, request.headers, request.body) == "d1"


def test_settings_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", "https://example.org/other")
    monkeypatch.setenv("HOOK_TOKEN", "Bearer 1")
    monkeypatch.setenv("JOURNEYKIT_WEBHOOK_SECRET", SECRET)
    transport = MockTransport()
    channel = WebhookChannel(transport).configured(
        {"url": "$HOOK_URL", "headers": {"Authorization": "$HOOK_TOKEN"}}
    )

    channel.send([MESSAGE])

    [request] = transport.requests
    assert request.url == "https://example.org/other"
    assert request.headers["Authorization"] == "Bearer 1"
    assert verify(SECRET, request.headers, request.body) == "d1"


def test_a_missing_variable_is_named_and_nothing_is_posted_unsigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOURNEYKIT_WEBHOOK_SECRET", raising=False)
    transport = MockTransport()
    channel = WebhookChannel(transport).configured({"url": URL})

    with pytest.raises(InputError, match="JOURNEYKIT_WEBHOOK_SECRET"):
        channel.send([MESSAGE])

    assert transport.requests == []


@pytest.mark.parametrize(
    ("setting", "value", "place"),
    [
        ("url", "ftp://example.com", "webhook.url"),
        ("url", "$", "webhook.url"),
        ("secret", "whsec_c2hvcnQ=", "webhook.secret"),
        ("secret", base64.b64encode(bytes(32)).decode(), "webhook.secret"),
        ("headers", {"Host": "x"}, "webhook.headers"),
        ("allow", ["10.0.0.1/8"], "webhook.allow"),
        ("on_uncertain", "guess", "webhook.on_uncertain"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: object, place: str) -> None:
    with pytest.raises(InputError) as caught:
        WebhookChannel().configured(SETTINGS | {setting: value})

    assert caught.value.place == place


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == WebhookSettings.model_fields.keys()
    for name, setting in WebhookSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            shown = str(setting.default)
            assert rows[name] == f"`{shown.lower()}`", name


def test_plain_http_must_be_allowed() -> None:
    url = "http://hooks.example.com/"

    assert posted(MESSAGE, url=url, allow_http=True).url == url
    with pytest.raises(InputError, match="allow_http"):
        WebhookChannel().configured(SETTINGS | {"url": url})


def test_an_operator_says_what_the_receiver_can_do() -> None:
    plain = WebhookChannel().configured(SETTINGS)
    told = WebhookChannel().configured(
        SETTINGS | {"idempotent": False, "on_uncertain": "resend", "rate": 5}
    )

    assert plain.capabilities == Capabilities(idempotent=True)
    assert told.capabilities == Capabilities(on_uncertain="resend", rate=5)


def test_the_address_is_the_customer_or_an_attribute() -> None:
    profile = {"email": "ada@example.com"}

    plain = WebhookChannel().configured(SETTINGS)
    told = WebhookChannel().configured(SETTINGS | {"address_attribute": "email"})

    assert plain.address(profile, "c1") == "c1"
    assert told.address(profile, "c1") == "ada@example.com"
    assert told.address({}, "c1") is None


def test_a_message_beyond_every_bound_is_rejected_unsent() -> None:
    transport = MockTransport()
    channel = WebhookChannel(transport).configured(SETTINGS)
    loop: dict[str, object] = {}
    loop["again"] = loop

    for variables in ({"text": "x" * 300_000}, {"total": float("nan")}, loop):
        [receipt] = channel.send([replace(MESSAGE, variables=variables)])
        assert isinstance(receipt, Rejected)

    assert transport.requests == []


def test_a_receiver_may_say_when_to_come_again() -> None:
    transport = MockTransport(lambda _: Response(503, {"retry-after": "120"}))
    channel = WebhookChannel(transport).configured(SETTINGS)

    assert channel.send([MESSAGE]) == [RetryAfter("d1", 120)]


def test_the_mock_works_where_no_secret_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOURNEYKIT_WEBHOOK_SECRET", raising=False)
    channel = WebhookChannel().configured({"url": "$NOT_SET_HERE"})

    assert channel.mock().send([MESSAGE]) == [Sent("d1")]
    [receipt] = channel.mock().send([replace(MESSAGE, variables={"x": "x" * 300_000})])
    assert isinstance(receipt, Rejected)


def test_a_private_address_is_never_called() -> None:
    channel = WebhookChannel().configured(
        SETTINGS | {"url": "https://169.254.169.254/latest/meta-data"}
    )

    [receipt] = channel.send([MESSAGE])

    assert isinstance(receipt, Rejected)
    assert receipt.reason.startswith("blocked: ")


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    verified: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.verified.append(verify(SECRET, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.verified.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_real_receiver_can_verify_what_arrives(hook: str) -> None:
    channel = WebhookChannel().configured(
        SETTINGS | {"url": hook, "allow_http": True, "allow": ["127.0.0.0/8"]}
    )

    receipts = [channel.send([replace(MESSAGE, delivery_id=f"d{n}")]) for n in (1, 2)]

    assert receipts == [[Sent("d1")], [Sent("d2")]]
    assert Hook.verified == ["d1", "d2"]


# What the receiver posts back


def webhook(**settings: object) -> Channel:
    return WebhookChannel().configured(SETTINGS | settings)


def test_a_receiver_says_what_became_of_a_message() -> None:
    reports = webhook().feedback(called_back())

    assert reports == [
        Report(
            delivery_id="d1",
            name="message.opened",
            id="msg-1",
            occurred_at=datetime(2026, 3, 2, 11, 59, 58, tzinfo=UTC),
            properties={"device": "phone"},
        )
    ]


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_callback_counts_for_five_minutes(seconds: int) -> None:
    callback = called_back(at=NOON + timedelta(seconds=seconds))

    assert len(webhook().feedback(callback)) == 1


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_callback_that_is_replayed_is_refused(seconds: int) -> None:
    callback = called_back(at=NOON + timedelta(seconds=seconds))

    with pytest.raises(InputError, match="five minutes"):
        webhook().feedback(callback)


def test_a_callback_may_be_read_long_after_it_came_in() -> None:
    callback = called_back()  # months ago, by the clock of this machine

    assert len(webhook().feedback(callback)) == 1


def test_while_a_secret_is_replaced_a_callback_may_be_signed_with_either() -> None:
    new = new_secret()
    both = webhook(secret=new, previous_secret=SECRET)

    assert len(both.feedback(called_back(secret=new))) == 1
    assert len(both.feedback(called_back(secret=SECRET))) == 1
    with pytest.raises(InputError, match="not of this secret"):
        both.feedback(called_back(secret=new_secret()))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "body: Invalid JSON"),
        (b"[" * 10_000, "body: Invalid JSON"),
        ({}, "type: Field required"),
        (OPENED | {"type": "message.sent"}, "type: must be one of message.deferred"),
        (OPENED | {"type": "order.placed"}, "type: must be one of"),
        (OPENED | {"timestamp": "2026-03-02T11:59:58"}, "timestamp: "),
        (OPENED | {"data": {}}, "data.delivery_id: Field required"),
        (OPENED | {"data": {"delivery_id": ""}}, "data.delivery_id: "),
    ],
    ids=range(8),
)
def test_what_is_signed_and_no_report_is_refused(
    content: object, complaint: str
) -> None:
    with pytest.raises(InputError, match=f"webhook: callback: {complaint}"):
        webhook().feedback(called_back(content))


def test_what_is_refused_is_not_quoted() -> None:
    content = OPENED | {"timestamp": "ada@example.com"}

    with pytest.raises(InputError) as caught:
        webhook().feedback(called_back(content))

    assert "ada" not in "".join(traceback.format_exception(caught.value))


def test_a_callback_without_a_known_secret_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOURNEYKIT_WEBHOOK_SECRET", raising=False)
    channel = WebhookChannel().configured({"url": URL})

    with pytest.raises(InputError, match="JOURNEYKIT_WEBHOOK_SECRET"):
        channel.feedback(called_back())
