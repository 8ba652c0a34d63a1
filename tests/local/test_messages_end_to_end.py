"""Messages from the event to the inbox, and what people do with them, on one machine.

The workspace is files, `serve` is asked over HTTP on loopback, mails go to a mail server,
texts to a double of Twilio's. Only the clock is the test's.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from tests.mailing import (
    ADA,
    POST,
    SMS,
    Google,
    Mailbox,
    Posted,
    Twilio,
    mail_server,
    service_account,
    twilio,
    written,
)

from journeykit import Duration, days, hours, minutes
from journeykit.channels import Channel
from journeykit.engine.calendar import add, to_datetime, to_ms
from journeykit.engine.customer import Customer
from journeykit.hookspecs import hookimpl
from journeykit.local.door import Door
from journeykit.local.embedded import Embedded
from journeykit.local.http_keys import Keys
from journeykit.local.http_server import DoorServer
from journeykit.local.logs import log_lines
from journeykit.local.service import Service
from journeykit.model.zones import zone
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit_inapp import InAppChannel
from journeykit_smtp import SmtpChannel

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails
KEY = "k3y-of-the-shop-1234"
SECRET = "s3cret-of-the-shop-" + "x" * 32


class Answer:
    """What the door has answered."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Shop:
    """A workspace that is served, and the world around it.

    Attributes:
        google: Takes push messages.
        twilio: Takes texts.
        mailbox: Takes mails.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.google = Google()
        self.twilio: Twilio = stack.enter_context(twilio())
        self.mailbox: Mailbox = stack.enter_context(mail_server())
        self._now = to_ms(START)
        self._events = 0
        channels = [
            self.google.channel(),
            self.twilio.channel(),
            SmtpChannel(),
            InAppChannel(),
        ]

        class Plugins:
            @hookimpl
            def journeykit_channels(self) -> list[Channel]:
                return channels

        manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
        manager.register(Plugins(), "doubles")
        workspace = Workspace.load(written(folder, self._settings()))
        self.embedded = stack.enter_context(
            Embedded.open(workspace, Registry.from_plugins(manager))
        )
        self.embedded.publish(now=self._now)
        service = Service(self.embedded, clock=lambda: self._now)
        service.start()
        stack.callback(service.stop)
        door = Door(
            service,
            keys=Keys.from_environment({"JOURNEYKIT_API_KEYS": KEY}),
            clock=lambda: to_datetime(self._now),
            channels=self.embedded.channels,
            links=workspace.links,
            workspace=workspace.name,
            inbox=self.embedded.store,
        )
        self._server = stack.enter_context(DoorServer(door, port=0))

    def _settings(self) -> str:
        texts = "".join(f'{name} = "{value}"\n' for name, value in SMS.items())
        account = json.dumps(service_account())  # a TOML string is written as JSON's
        return f"""
name = "lindenhof"

[links]
url = "{POST}"
secret = "{SECRET}"

[settings.fcm]
service_account = {account}

[settings.twilio]
{texts}
[settings.smtp]
host = "127.0.0.1"
port = {self.mailbox.port}
security = "none"
sender = "post@shop.example.com"
"""

    # --- what happens ----------------------------------------------------------------

    def advance(self, by: Duration) -> None:
        """Let time pass. The service looks at the clock every moment."""
        self._now = add(self._now, by, zone("UTC"))

    def event(self, name: str, customer: str = "ada", **properties: object) -> None:
        self._events += 1
        event = {
            "id": f"event-{self._events}",
            "name": name,
            "customer": customer,
            "occurred_at": to_datetime(self._now).isoformat(),
            "properties": properties,
        }
        assert self.ask("/v1/events", event, **{"X-Api-Key": KEY}).status == 200

    def identify(self, customer: str, attributes: Mapping[str, object]) -> None:
        said = {"id": customer, "customer": customer, "attributes": attributes}
        assert self.ask("/v1/identify", said, **{"X-Api-Key": KEY}).status == 200

    def posts(self, posted: Posted) -> int:
        """A provider posts something; return the status of the answer."""
        return self.ask(posted.path, posted.body, **posted.headers).status

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        """Ask the door as the customers see it, behind a proxy: POST if there is a body."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._server.port}{path}",
            data=body if isinstance(body, bytes) else None,
            headers={"Host": "post.example.com", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=ENOUGH) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())

    # --- what came of it -------------------------------------------------------------

    def mails(self, count: int) -> list[EmailMessage]:
        """The mails that were received, as soon as there are so many."""
        until(lambda: len(self.mailbox.mails) >= count)
        return self.mailbox.mails

    def texts(self, count: int) -> None:
        """Wait until so many texts have gone out, and it is stored that they have.

        What a provider says before that is to come again: 503.
        """
        until(lambda: len(self.twilio.texts) == count)
        called = urlsplit(self.twilio.texts[-1]["StatusCallback"])
        [id] = parse_qs(called.query)["delivery"]
        until(lambda: id in self.embedded.store.find([id]))

    def customer(self, id: str = "ada") -> Customer:
        return self.embedded.store.load([id])[id]

    def refused(self) -> list[str]:
        """Why messages were not sent, in order, as the decision log has it."""
        until(lambda: not self.embedded.store.journal(1))  # the service writes it
        lines = map(msgspec.json.decode, log_lines(self.embedded.decisions.path))
        return [line["reason"] for line in lines if line["kind"] == "suppressed"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that knows Ada."""
    with ExitStack() as stack:
        shop = Shop(tmp_path, stack)
        shop.identify("ada", ADA)
        yield shop


def until(holds: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    end = time.monotonic() + ENOUGH
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def link_of(mail: EmailMessage) -> str:
    """The path of a mail's one-click unsubscribing."""
    [url] = re.findall(r"<(https://[^>]+)>", str(mail["List-Unsubscribe"]))
    assert url.startswith(POST)
    return urlsplit(url).path


def parts_of(mail: EmailMessage) -> dict[str, str]:
    """A mail's parts, by their type."""
    return {
        part.get_content_type(): part.get_content()
        for part in mail.walk()
        if not part.is_multipart()
    }


def fall_back(shop: Shop) -> None:
    """A cart is left; nobody hears of the push, and the text isn't delivered."""
    shop.event("cart.updated", total=120)
    until(lambda: len(shop.google.asked) == 1)
    shop.advance(hours(2))
    shop.texts(1)
    shop.advance(minutes(1))
    assert shop.posts(shop.twilio.status(1, "undelivered", "30003")) == 204


def test_a_message_falls_back_from_push_to_sms_to_email(shop: Shop) -> None:
    shop.event("cart.updated", total=120)
    until(lambda: len(shop.google.asked) == 1)
    shop.advance(hours(1))
    for _ in range(2):  # by the second the service has looked at the clock
        shop.event("looked.around")
    assert shop.customer().active
    assert shop.twilio.texts == []

    shop.advance(hours(1))
    shop.texts(1)
    assert shop.posts(shop.twilio.status(1, "sent")) == 204
    assert shop.mailbox.mails == []
    assert shop.posts(shop.twilio.status(1, "undelivered", "30003")) == 204
    shop.mails(1)

    [push] = shop.google.asked
    [text] = shop.twilio.texts
    assert push["notification"]["body"] == "It is worth 120."
    assert (text["To"], text["Body"]) == (
        "+491701234567",
        "Lindenhof: Ada <3, your cart waits.",
    )
    assert shop.mailbox.subjects == ["Ada <3, dein Warenkorb wartet"]


def test_a_message_that_arrived_does_not_fall_back(shop: Shop) -> None:
    shop.event("cart.updated", total=120)
    until(lambda: len(shop.google.asked) == 1)
    shop.advance(hours(2))
    shop.texts(1)

    assert shop.posts(shop.twilio.status(1, "delivered")) == 204
    assert not shop.customer().active
    shop.advance(days(2))
    shop.event("order.placed", id="o-1")
    shop.mails(1)

    assert shop.mailbox.subjects == ["Your order o-1"]


def test_a_mail_arrives_as_it_was_meant(shop: Shop) -> None:
    fall_back(shop)

    [mail] = shop.mails(1)

    assert (mail["From"], mail["To"]) == (
        "Lindenhof <post@shop.example.com>",
        "ada@example.org",
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    parts = parts_of(mail)
    assert list(parts) == ["text/plain", "text/html"]
    assert "Grüß dich, Ada <3" in parts["text/plain"]
    assert "https://shop.example.com/cart" in parts["text/plain"]
    html = parts["text/html"]
    assert "Grüß dich, Ada &lt;3" in html
    assert '<html lang="de' in html
    assert re.search(r'<a class="button"[^>]* style="[^"]*#0a6e4f', html)  # inlined
    assert "120,00" in html  # the preheader, as Austrians write it
    [unsubscribe, preferences] = re.findall(rf'href="({POST}/[up]/[^"]+)"', html)
    assert urlsplit(unsubscribe).path == link_of(mail)
    assert "/p/" in preferences


def test_one_click_ends_marketing_and_nothing_else(shop: Shop) -> None:
    shop.event("offer.made")
    [mail] = shop.mails(1)

    # As RFC 8058 has a mail reader do it: no cookies, no page seen before.
    clicked = shop.ask(
        link_of(mail),
        b"List-Unsubscribe=One-Click",
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    shop.advance(days(1))
    shop.event("offer.made")
    shop.event("order.placed", id="o-1")
    shop.mails(2)

    assert clicked.status == 200
    assert shop.mailbox.subjects == ["An offer", "Your order o-1"]
    assert shop.refused() == ["no_consent"]
    assert "List-Unsubscribe" not in shop.mailbox.mails[1]  # nobody leaves a receipt


def test_looking_at_the_page_unsubscribes_nobody(shop: Shop) -> None:
    shop.event("offer.made")
    [mail] = shop.mails(1)

    page = shop.ask(link_of(mail))  # as scanners of links do
    shop.event("offer.made")
    shop.mails(2)

    assert page.status == 200
    assert "<form" in page.text
    assert shop.mailbox.subjects == ["An offer", "An offer"]


def test_who_writes_stop_gets_no_more_texts_until_start(shop: Shop) -> None:
    shop.event("text.wanted")
    shop.texts(1)

    assert shop.posts(shop.twilio.answer("Stop.")) == 204
    shop.advance(days(1))
    shop.event("text.wanted")
    shop.event("offer.made")
    shop.mails(1)  # mails go on
    texts = len(shop.twilio.texts)
    assert shop.posts(shop.twilio.answer("START", id=1001)) == 204
    shop.advance(days(1))
    shop.event("text.wanted")
    shop.texts(2)

    assert texts == 1
    assert shop.refused() == ["no_consent"]


def test_a_callback_that_twilio_did_not_sign_changes_nothing(shop: Shop) -> None:
    shop.event("text.wanted")
    shop.texts(1)
    stop = shop.twilio.answer("STOP")
    mark = {**stop.headers, "x-twilio-signature": "A" * 27 + "="}

    forged = [
        Posted(stop.path, mark, stop.body),
        Posted(stop.path, stop.headers, stop.body.replace(b"1234567", b"7654321")),
        Posted(f"{stop.path}?delivery=x", stop.headers, stop.body),
    ]

    assert [shop.posts(one) for one in forged] == [403, 403, 403]
    assert not shop.customer().consents


def test_a_number_that_is_gone_is_not_written_to_again(shop: Shop) -> None:
    shop.event("text.wanted")
    shop.texts(1)

    assert shop.posts(shop.twilio.status(1, "undelivered", "30005")) == 204
    shop.advance(days(1))
    shop.event("text.wanted")
    shop.event("offer.made")
    shop.mails(1)

    assert len(shop.twilio.texts) == 1
    assert shop.refused() == ["suppression_list"]


def test_preferences_are_shown_and_kept(shop: Shop) -> None:
    shop.event("offer.made")
    [mail] = shop.mails(1)
    [address] = re.findall(rf'href="{POST}(/p/[^"]+)"', parts_of(mail)["text/html"])

    page = shop.ask(address)
    shown = inputs(page.text)
    wanted = [
        (name, value)
        for name, value, _ in shown
        if (name, value) != ("choice", "email:offers") and name != ""
    ]
    saved = shop.ask(
        address,
        urlencode([*wanted, ("do", "save")]).encode(),
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    again = shop.ask(address)
    shop.event("offer.made")
    shop.event("text.wanted")
    shop.texts(1)

    assert all(checked for name, _, checked in shown if name == "choice")
    assert saved.status == 200
    assert ("choice", "email:offers", False) in inputs(again.text)
    assert ("choice", "sms:offers", True) in inputs(again.text)
    assert shop.mailbox.subjects == ["An offer"]


def inputs(page: str) -> list[tuple[str, str, bool]]:
    """The inputs of a page: name, value, and whether it is ticked."""
    found = []
    for tag in re.findall(r"<input\b[^>]*>", page):
        named = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found.append((named.get("name", ""), named.get("value", ""), " checked" in tag))
    return found


def test_a_message_in_the_app_is_listed_and_read(shop: Shop) -> None:
    key = {"X-Api-Key": KEY}
    shop.event("app.opened")
    until(lambda: bool(shop.ask("/v1/inbox/ada", **key).json["notices"]))

    before = shop.ask("/v1/inbox/ada", **key).json
    [notice] = before["notices"]
    read = shop.ask(f"/v1/inbox/ada/{notice['id']}/read", b"", **key)
    after = shop.ask("/v1/inbox/ada", **key).json
    stranger = shop.ask("/v1/inbox/ada")

    assert notice["body"]["title"] == "Hello Ada <3"
    assert (before["unread"], after["unread"]) == (1, 0)
    assert (read.status, stranger.status) == (200, 401)
