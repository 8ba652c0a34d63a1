"""Links, pages, handshakes and inboxes behind API Gateway, as customers meet them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeykit import (
    Journey,
    Policies,
    Send,
    Survey,
    Topic,
    WaitFor,
    When,
    days,
    event as happened,
    hours,
    on,
    step,
)
from journeykit.channels import Callback, Channel, Message, Notice, Receipt, Sent
from journeykit.links import Links, LinkSettings
from journeykit.model.events import Event
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
URL = "https://post.example.com"
SETTINGS = LinkSettings(
    url=URL,
    secret="s3cret-of-the-shop-" + "x" * 32,
    track_opens=True,
    origins=("https://shop.example.com",),
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
FORM = {"content-type": "application/x-www-form-urlencoded", "user-agent": FIREFOX}
HELLO = Journey(
    "hello",
    trigger=on("joined"),
    topic="news",
    reentry="always",
    steps=[
        Send("email", "hello"),
        WaitFor(
            [When(on("message.clicked"), [Send("email", "thanks")])], timeout=hours(1)
        ),
    ],
)


POLL = Journey(
    "poll",
    trigger=on("delivered"),
    key=happened.order,
    steps=[
        Survey("email", "how", kind="nps", within=days(7)),
        Send("email", "noted", variables={"said": step("survey-nps").result}),
    ],
)


def thanking(id: str, *, of: str = "message.clicked", **more: Any) -> Journey:
    """A journey that writes once more when somebody follows its link."""
    return Journey(
        id,
        trigger=on("ordered"),
        steps=[
            Send("email", id),
            WaitFor([When(on(of), [Send("email", f"{id}-thanks")])], timeout=hours(1)),
        ],
        **more,
    )


class Mail(Channel):
    """Carries e-mail to a list, and is asked whether an address is ours."""

    name = "email"
    provider = "test"

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.sent += messages
        return [Sent(message.delivery_id) for message in messages]

    def handshake(self, callback: Callback) -> str | None:
        if callback.method == "GET":
            return callback.url.partition("hub.challenge=")[2] or None
        return "asked" if b"challenge" in callback.body else None


class Shop:
    """A stack whose customers get mail with links."""

    def __init__(self, cloud: AwsEmulator, mail: Mail) -> None:
        self.cloud = cloud
        self.mail = mail
        links = SETTINGS.links("shop")
        assert isinstance(links, Links)
        self.links = links

    def joined(self, id: str = "j-1") -> Message:
        """Somebody joins and gets mail."""
        self.happens("joined", id)
        return self.mail.sent[-1]

    def happens(
        self, name: str, id: str, *, customer: str = "ada", **properties: object
    ) -> list[Message]:
        """Something happens to somebody; return what is sent of that."""
        now, before = self.cloud.now, len(self.mail.sent)
        event = Event(
            id=id,
            name=name,
            customer=customer,
            occurred_at=now,
            received_at=now,
            properties=properties,
        )
        self.cloud.put_events([event])
        self.cloud.settle()
        return self.mail.sent[before:]

    def click(self, message: Message) -> list[str]:
        """Follow the link of a message; return what is sent of that."""
        before = len(self.mail.sent)
        self.cloud.advance(timedelta(minutes=5) + self.cloud.now)
        path = self.links.tracked(message, "https://shop.example.com/cart")
        self.cloud.request(
            "GET", path.removeprefix(URL), headers={"user-agent": FIREFOX}
        )
        return [message.template for message in self.mail.sent[before:]]

    def path(self, kind: str, message: Message) -> str:
        return self.links.of(message)[kind].removeprefix(URL)

    def consents(self) -> list[tuple[bool, str, str, str]]:
        return [
            (word.granted, word.channel, word.topic, word.source)
            for word in self.cloud.customer("ada").consents
        ]


@pytest.fixture(scope="module")
def stack() -> Iterator[Shop]:
    mail = Mail()
    workspace = Workspace(
        path=Path(),
        name="shop",
        journeys=[
            HELLO,
            thanking("one"),
            thanking("two"),
            thanking("keyed", key=happened.order, reentry="always"),
            POLL,
        ],
        policies=Policies(topics=[Topic("news", name="Our news"), Topic("offers")]),
        providers={"email": "console"},
        links=SETTINGS,
    )
    with AwsEmulator(workspace, start=NOON, channels={"email": mail}) as cloud:
        cloud.publish()
        yield Shop(cloud, mail)


@pytest.fixture
def shop(stack: Shop) -> Shop:
    stack.cloud.advance(hours(2))
    return stack


def text(answer: Any) -> str:
    assert isinstance(answer.body, str)
    return answer.body


def test_the_way_out_works_end_to_end(shop: Shop) -> None:
    message = shop.joined("j-out")
    out = shop.path("unsubscribe", message)

    asked = shop.cloud.request("GET", out)
    assert asked.status == 200
    assert "Our news" in text(asked)
    assert asked.headers["Referrer-Policy"] == "no-referrer"
    assert shop.consents() == []

    done = shop.cloud.request("POST", out, "List-Unsubscribe=One-Click", headers=FORM)
    again = shop.cloud.request("POST", out, "List-Unsubscribe=One-Click", headers=FORM)
    assert done.status == again.status == 200
    assert done.body == again.body
    assert shop.consents() == [(False, "email", "news", "one_click")]

    sent = len(shop.mail.sent)
    shop.joined("j-in-vain")
    assert len(shop.mail.sent) == sent

    choices = shop.path("preferences", message)
    page = text(shop.cloud.request("GET", choices))
    assert 'value="email:offers" checked' in page
    assert 'value="email:news">' in page
    body = "do=save&choice=email:news&choice=email:offers&shown=email:offers"
    shop.cloud.request("POST", choices, body, headers=FORM)
    assert (True, "email", "news", "preferences") in shop.consents()
    shop.joined("j-again")
    assert len(shop.mail.sent) == sent + 1


def test_a_click_leads_on_and_moves_the_journey(shop: Shop) -> None:
    message = shop.joined("j-click")
    click = shop.links.tracked(message, "https://shop.example.com/cart")
    shop.cloud.advance(timedelta(minutes=5) + shop.cloud.now)

    answer = shop.cloud.request(
        "GET", click.removeprefix(URL), headers={"user-agent": FIREFOX}
    )

    assert (answer.status, answer.body) == (302, "")
    assert answer.headers["Location"] == "https://shop.example.com/cart"
    assert shop.mail.sent[-1].template == "thanks"


def test_a_click_is_heard_by_the_run_that_sent_the_message(shop: Shop) -> None:
    first = shop.happens("ordered", "o-1", customer="bob", order=1)
    second = shop.happens("ordered", "o-2", customer="bob", order=2)

    [one] = [message for message in first if message.template == "one"]
    [keyed] = [message for message in second if message.template == "keyed"]

    assert [message.template for message in second] == ["keyed"]
    assert shop.click(one) == ["one-thanks"]
    assert shop.click(keyed) == ["keyed-thanks"]
    running = [run.journey for run in shop.cloud.customer("bob").active]
    assert sorted(running) == ["keyed", "two"]


def test_what_is_done_in_the_app_is_heard_by_the_run_that_sent_it(shop: Shop) -> None:
    from journeykit.aws.notices import DynamoNotices

    sent = shop.happens("ordered", "o-app", customer="cleo", order=7)
    board = DynamoNotices(
        shop.cloud.client("dynamodb"), shop.cloud.settings.state_table
    )
    board.post(
        [
            Notice(id=each.delivery_id, customer="cleo", at=shop.cloud.now, body={})
            for each in sent
        ]
    )
    [two] = [message for message in sent if message.template == "two"]
    token = shop.links.inbox("cleo", now=shop.cloud.now)

    before = len(shop.mail.sent)
    answer = shop.cloud.request(
        "POST",
        f"/v1/inbox/cleo/{two.delivery_id}/click",
        headers={"authorization": f"Bearer {token}"},
    )

    assert answer.status == 200
    assert [each.template for each in shop.mail.sent[before:]] == ["two-thanks"]


def test_who_wants_to_leave_may_also_while_no_message_can_be_looked_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journeykit.aws.deliveries import DynamoDeliveries
    from journeykit.errors import StoreBusy

    [message] = shop.happens("joined", "j-outage", customer="dan")

    def fails(*_: object, **__: object) -> None:
        raise StoreBusy("throttled")

    monkeypatch.setattr(DynamoDeliveries, "find", fails)
    out = shop.path("unsubscribe", message)
    done = shop.cloud.request("POST", out, "List-Unsubscribe=One-Click", headers=FORM)

    assert done.status == 200
    [word] = shop.cloud.customer("dan").consents
    assert (word.granted, word.channel, word.topic) == (False, "email", "news")


def test_a_picture_is_bytes_when_it_arrives(shop: Shop) -> None:
    message = shop.joined("j-open")

    answer = shop.cloud.request("GET", shop.path("open", message))

    assert answer.body.startswith(b"GIF89a")
    assert answer.headers["Content-Type"] == "image/gif"


@pytest.mark.parametrize("query", ["hub.mode=subscribe&hub.challenge=1158201444"])
def test_a_provider_is_answered_by_its_channel(shop: Shop, query: str) -> None:
    asked = shop.cloud.request("GET", f"/v1/feedback/email?{query}")
    assert (asked.status, str(asked.body)) == (200, "1158201444")
    assert asked.headers["Content-Type"].startswith("text/plain")

    posted = shop.cloud.post(
        "/v1/feedback/email", {"challenge": "3eZbrw1aBm2rZgRNFdxV"}
    )
    assert posted.body == "asked"

    assert shop.cloud.request("GET", "/v1/feedback/email").status == 403
    assert shop.cloud.request("GET", "/v1/feedback/pigeon").status == 404


def test_an_inbox_is_read_in_an_app(shop: Shop) -> None:
    from journeykit.aws.notices import DynamoNotices

    board = DynamoNotices(
        shop.cloud.client("dynamodb"), shop.cloud.settings.state_table
    )
    notice = Notice(id="n1", customer="ada", at=shop.cloud.now, body={"title": "Hi"})
    board.post([notice])
    token = shop.links.inbox("ada", now=shop.cloud.now)
    headers: Mapping[str, str] = {
        "authorization": f"Bearer {token}",
        "origin": "https://shop.example.com",
    }

    listed = shop.cloud.request("GET", "/v1/inbox/ada?limit=1", headers=headers)
    assert [one["body"] for one in listed.body["notices"]] == [{"title": "Hi"}]
    assert listed.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"

    read = shop.cloud.request("POST", "/v1/inbox/ada/n1/read", headers=headers)
    assert read.status == 200
    left = shop.cloud.request("GET", "/v1/inbox/ada", headers=headers)
    assert left.body["unread"] == 0

    other = shop.cloud.request("GET", "/v1/inbox/bob", headers=headers)
    assert other.status == 403
    key = shop.cloud.new_api_key("track")
    tracking = {"authorization": f"Bearer {key}"}
    assert shop.cloud.request("GET", "/v1/inbox/ada", headers=tracking).status == 403
    key = shop.cloud.new_api_key("inbox")
    reading = {"authorization": f"Bearer {key}"}
    assert shop.cloud.request("GET", "/v1/inbox/ada", headers=reading).status == 200


def test_no_log_line_holds_a_token_or_a_customer(shop: Shop) -> None:
    message = shop.joined("j-log")
    shop.cloud.request("GET", shop.path("preferences", message))
    shop.cloud.request("GET", shop.path("preferences", message)[:-1])
    token = shop.links.inbox("ada", now=shop.cloud.now)
    shop.cloud.request("GET", "/v1/inbox/ada", headers={"authorization": token})

    lines = [line for name, line in shop.cloud.logs if "http" in name]

    assert [line for line in lines if "/p/-" in line]
    assert [line for line in lines if "/v1/inbox/-" in line]
    secret = shop.path("preferences", message)[3:30]
    # A word of its own: the ids of requests are hexadecimal, and may have it in them.
    assert not [line for line in lines if secret in line or re.search(r"\bada\b", line)]


def test_a_survey_is_answered_once_on_its_page(shop: Shop) -> None:
    [asked] = shop.happens("delivered", "o-1", customer="bea", order="o-1")
    where = shop.path("survey", asked)

    page = shop.cloud.request("GET", f"{where}?score=9", headers=FORM)
    shop.cloud.settle()
    assert page.status == 200
    assert 'value="9" required checked' in text(page)
    assert shop.mail.sent[-1] is asked  # a scanner follows every link

    for score, at in ((9, hours(1)), (2, days(3))):
        body = f"do=answer&score={score}&text=great+service"
        done = shop.cloud.request("POST", where, body, headers=FORM)
        assert (done.status, "Thank you" in text(done)) == (200, True)
        shop.cloud.settle()
        shop.cloud.advance(at)

    of_bea = [m for m in shop.mail.sent if m.customer == "bea"]
    [noted] = [m for m in of_bea if m.template == "noted"]
    assert noted.variables["said"] == {
        "kind": "nps",
        "survey": "poll",
        "channel": "email",
        "score": 9,
        "group": "promoter",
        "text": "great service",
    }


def test_a_reply_that_begins_with_a_score_answers_and_is_archived(shop: Shop) -> None:
    [asked] = shop.happens("delivered", "o-2", customer="cem", order="o-2")

    sent = shop.happens(
        "message.replied",
        "r-1",
        customer="cem",
        channel="email",
        text="3, it was late",
        delivery_id=asked.delivery_id,
    )

    [noted] = [message for message in sent if message.template == "noted"]
    said = noted.variables["said"]
    assert isinstance(said, Mapping)
    assert (said["group"], said["text"]) == ("detractor", "it was late")
