"""Slack: requests, answers and callbacks as Slack documents them.

Sending: https://docs.slack.dev/reference/methods/chat.postMessage
Signatures: https://docs.slack.dev/authentication/verifying-requests-from-slack
Events: https://docs.slack.dev/reference/events/message.im
Taps: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
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

import journeykit_slack
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
from journeykit.errors import ForgedCallback, InputError
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
from journeykit_slack import SlackChannel
from journeykit_slack.blocks import SECTION, escaped, parts_of, unescaped
from journeykit_slack.reports import signature
from journeykit_slack.settings import SlackSettings

TOKEN = "xoxb-17653672481-19874698323"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SETTINGS = {"token": TOKEN, "signing_secret": SECRET}
ADA, NOBODY = "U012AB3CD", "U0NOBODY0"
HERE, STAMP = "D024BE91L", "1503435956.000247"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def content(**template: Any) -> Content:
    return Content(parts={"json": json.dumps({"text": "Your cart waits", **template})})


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="slack",
    address=ADA,
    template="cart-reminder",
    variables={},
    at=NINE,
    journey="abandoned-cart",
    step="send-slack-cart-reminder",
    purpose="marketing",
    content=content(),
)


def refused(error: str, **headers: str) -> Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(200, named, json.dumps({"ok": False, "error": error}).encode())


class Slack:
    """The Web API: posts what is right, and is in trouble if told to."""

    def __init__(self) -> None:
        self.trouble = ""
        self.told: Outcome | None = None
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Outcome:
        assert request.url == "https://slack.com/api/chat.postMessage"
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        match self.trouble:
            case "unreachable":
                return Unreachable("Connection refused")
            case "busy":
                return Response(429, {"retry-after": "30"}, b'{"ok":false}')
            case "refusing":
                return refused("channel_not_found")
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return refused("invalid_auth")
        if self.told is not None:
            return self.told
        body = json.loads(request.body)
        if body["channel"] == NOBODY:
            return refused("channel_not_found")
        self.asked.append(body)
        if self.trouble == "silent":
            return NoAnswer("timed out")
        message = {"text": body["text"], "bot_id": "B123ABC456", "type": "message"}
        found = {"ok": True, "channel": HERE, "ts": STAMP, "message": message}
        return Response(200, body=json.dumps(found).encode())


def channel_of(slack: Slack, **settings: object) -> Channel:
    return SlackChannel(MockTransport(slack.answer)).configured(SETTINGS | settings)


def posted(
    document: object, *, form: bool = False, secret: str = SECRET, at: datetime = NINE
) -> Callback:
    text = document if isinstance(document, str) else json.dumps(document)
    body = (urlencode({"payload": text}) if form else text).encode()
    second = str(int(NINE.timestamp()))
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    return Callback(
        body=body,
        headers={
            "content-type": kind,
            "x-slack-request-timestamp": second,
            "x-slack-signature": signature(secret, second, body),
        },
        received_at=at,
    )


def event(**changes: Any) -> dict[str, Any]:
    """What somebody wrote to the bot, as the documentation of message.im has it."""
    found = {
        "type": "message",
        "channel": HERE,
        "user": ADA,
        "text": "Hello hello can you hear me?",
        "ts": "1772442000.000002",
        "event_ts": "1772442000.000002",
        "channel_type": "im",
        **changes,
    }
    return {
        "token": "one-long-verification-token",
        "team_id": "T061EG9R6",
        "api_app_id": "A0PNCHHK2",
        "event": found,
        "type": "event_callback",
        "event_id": "Ev0PV52K21",
        "event_time": 1772442000,
    }


def tap(**changes: Any) -> dict[str, Any]:
    """A tap on a button, as the documentation of block_actions has it."""
    action = {
        "action_id": "answer-0",
        "block_id": "=qXel",
        "text": {"type": "plain_text", "text": "Yes &amp; no", "emoji": True},
        "value": "yes",
        "type": "button",
        "action_ts": "1772442060.100200",
        **changes,
    }
    return {
        "type": "block_actions",
        "team": {"id": "T9TK3CUKW", "domain": "example"},
        "user": {"id": ADA, "username": "ada", "team_id": "T9TK3CUKW"},
        "api_app_id": "AABA1ABCD",
        "token": "9s8d9as89d8as9d8as989",
        "container": {
            "type": "message",
            "message_ts": STAMP,
            "channel_id": HERE,
            "is_ephemeral": False,
        },
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "response_url": "https://hooks.slack.com/actions/AABA1ABCD/1232321423432/D09sSasdasd",
        "actions": [action],
    }


def told(document: object, *, form: bool = False) -> list[Report]:
    return [*channel_of(Slack()).feedback(posted(document, form=form))]


class TestContract(ChannelContract):
    bad_settings = (
        {"no_such_setting": 1},
        {"token": ""},
        {"signing_secret": "$"},
        {"rate": 0},
        {"timeout": 0},
        {"on_uncertain": "guess"},
    )
    secrets = (TOKEN, SECRET, ADA)

    def setup_method(self) -> None:
        self.slack = Slack()

    def channel(self) -> Channel:
        self.slack.trouble = ""
        return channel_of(self.slack)

    def accepted(self) -> list[str]:
        return [
            body["metadata"]["event_payload"]["delivery_id"]
            for body in self.slack.asked
        ]

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel:
        channel = self.channel()
        self.slack.trouble = trouble
        return channel

    def message(self, n: int = 1, **changes: Any) -> Message:
        return super().message(n, **{"address": f"U012AB3C{n}"} | changes)

    def bad_message(self) -> Message:
        return self.message(9, address=NOBODY)

    def too_long(self) -> Content:
        return content(text="x" * 4001)

    def callback(self, delivery_id: str) -> Callback:
        return posted(event())


def sent(slack: Slack, message: Message = MESSAGE, **settings: object) -> Receipt:
    channel = channel_of(slack, **settings)
    [receipt] = channel.send([channel.render(message)])
    return receipt


def test_it_is_found_as_slack() -> None:
    manager = PluginManager()
    manager.register(journeykit_slack, "slack")
    manager.check_pending()

    assert isinstance(Registry.from_plugins(manager).channel("slack"), SlackChannel)


def test_a_text_is_posted_to_a_person() -> None:
    slack = Slack()

    assert sent(slack) == Sent("d1", f"{HERE}:{STAMP}")

    assert slack.asked == [
        {
            "channel": ADA,
            "text": "Your cart waits",
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {
                "event_type": "journeykit_message",
                "event_payload": {"delivery_id": "d1"},
            },
        }
    ]


def test_a_customers_name_calls_nobody() -> None:
    slack = Slack()

    sent(slack, replace(MESSAGE, content=content(text="Hi <!channel> & *you*")))

    assert slack.asked[0]["text"] == "Hi &lt;!channel&gt; &amp; *you*"


def test_pictures_and_buttons_are_blocks() -> None:
    slack = Slack()
    template = content(
        image="https://shop.example/chair.jpg",
        image_alt="A chair",
        buttons=[
            {"label": "To the cart", "url": "https://shop.example/cart"},
            {"label": "Not now", "value": "later"},
        ],
    )

    sent(slack, replace(MESSAGE, content=template))

    assert slack.asked[0]["blocks"] == [
        {"type": "section", "text": {"type": "mrkdwn", "text": "Your cart waits"}},
        {
            "type": "image",
            "image_url": "https://shop.example/chair.jpg",
            "alt_text": "A chair",
        },
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": "To the cart"},
                    "action_id": "link-0",
                    "url": "https://shop.example/cart",
                },
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": "Not now"},
                    "action_id": "answer-1",
                    "value": "later",
                },
            ],
        },
    ]
    assert slack.asked[0]["text"] == "Your cart waits"


def test_an_author_may_write_blocks_of_slacks_own() -> None:
    slack = Slack()
    blocks = [{"type": "divider"}]

    sent(slack, replace(MESSAGE, content=content(blocks=blocks)))

    assert slack.asked[0]["blocks"] == blocks


@given(st.text(alphabet="ab &<\n", min_size=1, max_size=4000).filter(str.strip))
def test_a_long_text_is_several_sections_and_nothing_of_it_is_lost(text: str) -> None:
    long = (text * 4000)[:4000]
    chat = journeykit_slack.channel.Chat(text=long, image="https://a.example/1.png")

    blocks = parts_of(chat)["blocks"]

    pieces = [b["text"]["text"] for b in blocks if b["type"] == "section"]
    assert all(len(piece) <= SECTION for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(escaped(long).split())
    assert all(re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", piece) for piece in pieces)


@given(st.text())
def test_what_is_escaped_can_be_read_again(text: str) -> None:
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (refused("channel_not_found"), Rejected("d1", "Slack: channel_not_found")),
        (refused("is_archived"), Rejected("d1", "Slack: is_archived")),
        (refused("<b>Ada</b>"), Rejected("d1", "Slack: unknown")),
        (refused("rate_limited", retry_after="12"), RetryAfter("d1", 12)),
        (refused("ratelimited"), RetryAfter("d1", 1)),
        (refused("service_unavailable"), RetryAfter("d1", 60)),
        (refused("token_revoked"), RetryAfter("d1", 60)),
        (refused("fatal_error"), Uncertain("d1", "Slack: fatal_error")),
        (Response(429, {"retry-after": "30"}), RetryAfter("d1", 30)),
        (Response(503), RetryAfter("d1", 0)),
        (
            Response(200, body=b'{"ok": true, "chan'),
            Uncertain("d1", "Slack's answer can't be read"),
        ),
        (Response(200, body=b"[]"), Uncertain("d1", "Slack's answer can't be read")),
        (Response(200, body=b'{"ok": true}'), Sent("d1")),
    ],
    ids=range(13),
)
def test_each_answer_means_one_thing(answer: Outcome, receipt: Receipt) -> None:
    slack = Slack()
    slack.told = answer

    assert sent(slack) == receipt


@pytest.mark.parametrize(
    ("profile", "address"),
    [
        ({"slack_id": ADA}, ADA),
        ({"slack_id": "C024BE91L"}, "C024BE91L"),
        ({"slack_id": "#general"}, None),
        ({"slack_id": "u012ab3cd"}, None),
        ({}, None),
    ],
    ids=range(5),
)
def test_an_address_is_an_id_of_slacks(
    profile: Mapping[str, object], address: str | None
) -> None:
    assert SlackChannel().address(profile, "c1") == address


# What comes back


def test_what_somebody_writes_to_the_bot_is_a_reply() -> None:
    [report] = told(event(text="Stop &amp; go"))

    assert report == Report(
        delivery_id="",
        name="message.replied",
        id="Ev0PV52K21",
        occurred_at=NINE,
        properties={"text": "Stop & go", "kind": "text"},
        address=ADA,
    )


def test_a_word_beneath_a_message_is_about_that_message() -> None:
    [report] = told(event(channel="C1", channel_type="channel", thread_ts=STAMP))

    assert (report.provider_id, report.address) == (f"C1:{STAMP}", "")


@pytest.mark.parametrize(
    "document",
    [
        event(channel_type="channel"),
        event(bot_id="B123ABC456"),
        event(subtype="message_changed"),
        event(subtype="channel_join"),
        event(type="reaction_added"),
        event(user=None),
        event(ts="now"),
        event() | {"event": None},
        event() | {"event_id": 7},
        event() | {"type": "app_rate_limited"},
        tap() | {"actions": None},
        tap() | {"container": {"type": "view"}},
        tap(type="overflow"),
        tap(action_ts=None),
    ],
    ids=range(14),
)
def test_what_is_no_word_of_a_customers_is_passed_over(document: object) -> None:
    assert told(document) == []


def test_a_tap_on_an_answer_is_a_reply() -> None:
    [report] = told(tap(), form=True)

    assert report.name == "message.replied"
    assert report.provider_id == f"{HERE}:{STAMP}"
    assert report.properties == {
        "text": "Yes & no",
        "kind": "button",
        "button": "yes",
        "keyword": "",
    }
    assert report.occurred_at == datetime(2026, 3, 2, 9, 1, tzinfo=UTC)


def test_a_tap_may_be_a_keyword() -> None:
    [report] = told(tap(value="STOP"), form=True)

    assert report.properties["keyword"] == "stop"


def test_a_tap_on_a_link_is_a_click() -> None:
    link = tap(action_id="link-0", value="")

    [report] = told(link, form=True)

    assert (report.name, report.properties) == (
        "message.clicked",
        {"label": "Yes & no"},
    )


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_callback_is_read_without_a_failure(value: Any) -> None:
    for name in ("user", "text", "ts", "thread_ts", "channel", "subtype"):
        assert told(event(**{name: value})) is not None
    for name in ("action_id", "text", "value", "action_ts", "type"):
        assert told(tap(**{name: value}), form=True) is not None


# The vector of Slack's documentation on signatures.
SLACKS_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def test_a_signature_is_as_slack_computes_it() -> None:
    found = signature(SECRET, "1531420618", SLACKS_BODY)

    assert (
        found == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_callback_that_is_replayed_is_refused(seconds: int) -> None:
    callback = posted(event(), at=NINE + timedelta(seconds=seconds))

    with pytest.raises(ForgedCallback, match="five minutes"):
        channel_of(Slack()).feedback(callback)


@pytest.mark.parametrize(
    "callback",
    [
        posted("{}"),
        posted("[1]"),
        posted("{}", form=True),
        posted("no json", form=True),
        replace(
            posted(event()),
            headers=posted(event()).headers
            | {"content-type": "application/x-www-form-urlencoded"},
        ),
    ],
    ids=range(5),
)
def test_what_is_signed_and_nothing_of_slacks_is_refused(callback: Callback) -> None:
    with pytest.raises(InputError, match="nothing that Slack posts"):
        channel_of(Slack()).feedback(callback)


CHALLENGE = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
ASKED = {"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": CHALLENGE}


def test_slack_hears_its_challenge() -> None:
    callback = posted(ASKED | {"type": "url_verification"})
    channel = channel_of(Slack())

    assert channel.handshake(callback) == CHALLENGE
    assert channel.feedback(callback) == []


@pytest.mark.parametrize(
    "callback",
    [
        posted(ASKED | {"type": "url_verification"}, secret="other"),
        posted(ASKED | {"type": "url_verification", "challenge": "<script>"}),
        posted(event(text="url_verification")),
        replace(posted(ASKED | {"type": "url_verification"}), method="GET"),
    ],
    ids=range(4),
)
def test_nobody_else_hears_anything(callback: Callback) -> None:
    assert channel_of(Slack()).handshake(callback) is None


# Settings


def test_secrets_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYKIT_SLACK_TOKEN", TOKEN)
    monkeypatch.setenv("JOURNEYKIT_SLACK_SIGNING_SECRET", SECRET)
    channel = SlackChannel(MockTransport(Slack().answer)).configured({})

    assert channel.send([MESSAGE]) == [Sent("d1", f"{HERE}:{STAMP}")]
    assert len(channel.feedback(posted(event()))) == 1


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEYKIT_SLACK_TOKEN", raising=False)

    with pytest.raises(InputError, match="JOURNEYKIT_SLACK_TOKEN"):
        SlackChannel(MockTransport(Slack().answer)).configured({}).send([MESSAGE])


def test_an_operator_says_how_fast_and_what_becomes_of_the_uncertain() -> None:
    channel = channel_of(Slack(), rate=1, on_uncertain="resend")

    assert channel.capabilities == Capabilities(
        rate=1,
        on_uncertain="resend",
        reports_by=frozenset(("provider_id", "address")),
    )


def test_the_mock_works_where_no_secret_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOURNEYKIT_SLACK_TOKEN", raising=False)
    mock = SlackChannel().configured({}).mock()

    receipts = mock.send([MESSAGE, replace(MESSAGE, address="#general")])

    assert [type(receipt) for receipt in receipts] == [Sent, Rejected]


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    row = re.compile(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|$", re.MULTILINE)
    rows = dict(row.findall(readme))

    assert rows.keys() == SlackSettings.model_fields.keys()
    for name, setting in SlackSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            shown = str(setting.default).removesuffix(".0")
            assert rows[name] == f"`{shown.lower()}`", name
