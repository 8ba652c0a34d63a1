"""Templates: published with the journeys, and rendered where messages are handed over."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as with_fields
from tests.handlers import shop_plugin
from tests.handlers.conftest import Stack, draft, envelope, failures, sqs_record
from tests.handlers.shop_plugin import Provider

from journeykit import Journey, Send, on
from journeykit.channels import Capabilities, Message, Notice, Sent
from journeykit.content.templates import Library, TemplateFile
from journeykit.engine.ids import address_key, provider_key
from journeykit.links import LinkSettings
from journeykit.manifest import PluginEntry

HELLO = Journey("hello", trigger=on("signed.up"), steps=[Send("email", "welcome")])
SECRET = "s" * 32


def render(self: object, message: Message) -> Message:
    assert message.content is not None
    return replace(message, body=message.content.parts["txt"])


@pytest.fixture
def shop(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose provider of e-mail takes what templates come to."""
    monkeypatch.setattr(shop_plugin.Email, "medium", "email")
    monkeypatch.setattr(shop_plugin.Email, "render", render)
    stack.manifest = with_fields(
        stack.manifest,
        plugins=(
            *stack.manifest.plugins,
            PluginEntry(
                name="jinja",
                value="journeykit.builtin.jinja",
                hooks=("journeykit_template_engines",),
            ),
        ),
        links=LinkSettings(url="https://post.example.com", secret="$LINK_SECRET"),
        seeds={"email": ("ada@example.org",)},
    )
    stack.manifest.write(os.environ["JOURNEYKIT_MANIFEST"])
    os.environ["LINK_SECRET"] = SECRET
    return stack


def library(text: str) -> Library:
    return Library({"welcome.email.txt": TemplateFile(text)})


def published(stack: Stack, library: Library, **fields: Any) -> Mapping[str, Any]:
    """Publish the one journey with these templates; what the function answers."""
    asked = {
        "draft": {**draft(HELLO), "content": library.id},
        "templates": base64.b64encode(library.to_bytes()).decode(),
        **fields,
    }
    answer: Mapping[str, Any] = stack.invoke("publish", {"publish": asked})
    return answer


def happens(stack: Stack, customer: str, *, test: bool = False) -> Any:
    """Somebody signs up, and what follows from it happens."""
    address = envelope("profile.updated", customer, id=f"{customer}-0")
    told = json.loads(address)
    told["detail"]["properties"] = {"email": f"{customer}@example.org"}
    event = json.loads(envelope("signed.up", customer, id=f"{customer}-1"))
    event["detail"]["test"] = test
    records = [
        sqs_record(json.dumps(body), id=str(n)) for n, body in enumerate((told, event))
    ]
    assert failures(stack.invoke("ingest", {"Records": records})) == []
    stack.relay()
    return stack.deliver()


def test_a_message_is_made_of_the_published_template(
    shop: Stack, provider: Provider
) -> None:
    answer = published(shop, library("Hello! {{ unsubscribe_url }}"))

    delivered = happens(shop, "ada")

    assert answer["publish"]["templates"] is True
    assert failures(delivered) == []
    [message] = provider.asked
    assert message.body.startswith("Hello! https://post.example.com/u/")


def test_a_template_alone_is_something_new(shop: Stack, provider: Provider) -> None:
    published(shop, library("one"))
    same = published(shop, library("one"))["publish"]
    news = published(shop, library("two"))["publish"]

    happens(shop, "ada")

    assert (same["is_new"], same["templates"]) == (False, False)
    assert (news["is_new"], news["changed"], news["templates"]) == (True, {}, True)
    assert [message.body for message in provider.asked] == ["two"]


def test_a_publisher_who_knows_no_templates_leaves_them_alone(
    shop: Stack, provider: Provider
) -> None:
    published(shop, library("one"))

    news = shop.publish(HELLO)["publish"]
    happens(shop, "ada")

    assert news["is_new"] is False
    assert [message.body for message in provider.asked] == ["one"]


def test_a_dry_run_keeps_nothing(shop: Stack) -> None:
    news = published(shop, library("one"), dry_run=True)["publish"]

    items = shop.dynamodb.scan(TableName="state")["Items"]
    assert news["templates"] is True
    assert items == []


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        (b"", "templates are cut off"),
        (b"\x00damaged", "no templates"),
        (library("others").to_bytes(), "not those that the draft names"),
    ],
    ids=["none", "damaged", "others"],
)
def test_templates_that_are_not_what_they_are_called_are_refused(
    shop: Stack, templates: bytes, message: str
) -> None:
    answer = published(
        shop, library("one"), templates=base64.b64encode(templates).decode()
    )

    assert answer["error"]["kind"] == "InputError"
    assert message in answer["error"]["message"]
    assert shop.dynamodb.scan(TableName="state")["Items"] == []


def test_a_message_without_a_template_fails_by_itself(
    shop: Stack, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    published(shop, Library({"other.email.txt": TemplateFile("x")}))

    delivered = happens(shop, "ada")

    assert failures(delivered) == []
    assert provider.asked == []
    [row] = shop.dynamodb.scan(TableName="deliveries")["Items"]
    assert row["s"]["S"] == "failed"
    assert row["why"]["S"].startswith("content: there is no template 'welcome'")
    assert "ada@example.org" not in capsys.readouterr().out


def test_a_secret_that_is_not_set_loses_no_message(
    shop: Stack, provider: Provider
) -> None:
    published(shop, library("Hello! {{ unsubscribe_url }}"))
    del os.environ["LINK_SECRET"]

    happens(shop, "ada")

    assert provider.asked == []
    [row] = shop.dynamodb.scan(TableName="deliveries")["Items"]
    assert row["s"]["S"] == "waiting"


def test_test_traffic_reaches_seeds_only(shop: Stack, provider: Provider) -> None:
    published(shop, library("one"))

    happens(shop, "ada", test=True)
    happens(shop, "bob", test=True)

    assert [message.customer for message in provider.asked] == ["ada"]


def test_what_callbacks_will_name_is_kept(
    shop: Stack, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = Capabilities(
        batch_size=10, idempotent=True, reports_by=frozenset({"provider_id", "address"})
    )
    monkeypatch.setattr(shop_plugin.Email, "capabilities", able)
    provider.answer = lambda m: Sent(m.delivery_id, provider_id="P1")
    published(shop, library("one"))

    happens(shop, "ada")

    items = shop.dynamodb.scan(TableName="state")["Items"]
    keys = {item["pk"]["S"] for item in items if item["pk"]["S"].startswith("REF#")}
    assert keys == {
        f"REF#{provider_key('email', 'P1')}",
        f"REF#{address_key('email', 'ada@example.org')}",
    }


def test_a_channel_may_leave_messages_in_the_inboxes(
    shop: Stack, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(self: Any, messages: Any) -> Any:
        self.board.post(
            [
                Notice(id=m.delivery_id, customer=m.customer, at=m.at, body={"t": 1})
                for m in messages
            ]
        )
        return [Sent(m.delivery_id) for m in messages]

    monkeypatch.setattr(shop_plugin.Email, "send", send)
    published(shop, library("one"))

    happens(shop, "ada")

    [item] = [
        item
        for item in shop.dynamodb.scan(TableName="state")["Items"]
        if item["pk"]["S"] == "INBOX#ada"
    ]
    assert json.loads(item["body"]["S"]) == {"t": 1}


def test_who_only_decides_loads_no_templates(
    shop: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(shop, library("one"))
    shop.cold()
    for name in [*sys.modules]:
        if name.split(".")[0] == "jinja2" or name.startswith(
            ("journeykit.content.composer", "journeykit.builtin.jinja")
        ):
            # Put back afterwards: a second copy doesn't know the first one's classes.
            monkeypatch.delitem(sys.modules, name)

    record = sqs_record(envelope("signed.up", "ada"))
    assert failures(shop.invoke("ingest", {"Records": [record]})) == []

    assert "jinja2" not in sys.modules
    assert "journeykit.content.composer" not in sys.modules
    assert "journeykit.builtin.jinja" not in sys.modules
