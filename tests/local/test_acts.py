"""What customers do with a message's links and in their inbox is of the run that sent it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeykit import Event, Journey, Send, WaitFor, When, days, event, on
from journeykit.channels import Channel, Message, Notice, Receipt, Sent
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.ids import address_key
from journeykit.http.messages import Answer, Request
from journeykit.links import Links, LinkSettings
from journeykit.local.door import Door
from journeykit.local.embedded import Embedded
from journeykit.local.http_keys import Keys
from journeykit.local.logs import log_lines
from journeykit.local.service import Service
from journeykit.local.sqlite import SQLiteStore
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.workspace import Workspace

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails
URL = "https://post.example.com"
KEY = "k3y-of-the-shop-1234"
SETTINGS = LinkSettings(
    url=URL, secret="s3cret-of-the-shop-" + "x" * 32, track_opens=True
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def journey(id: str, *, channel: str = "email", of: str, **more: Any) -> Journey:
    """A journey that thanks for a click, an open and for being put away."""
    return Journey(
        id,
        trigger=on("joined"),
        steps=[
            Send(channel, id),
            WaitFor([When(on(of), [Send("sms", f"thanks-{id}")])], timeout=days(9)),
        ],
        **more,
    )


class Carrier(Channel):
    """Remembers what it was handed."""

    provider = "test"

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[Message] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.sent += messages
        return [Sent(message.delivery_id) for message in messages]


class Shop:
    """A workspace that is served, and its door."""

    def __init__(self, folder: Path, *journeys: Journey) -> None:
        self.now = to_ms(T0)
        self.channels = {name: Carrier(name) for name in ("email", "sms", "inapp")}
        self.store = SQLiteStore.open(folder / "journeykit.db")
        carriers = {(name, "test"): one for name, one in self.channels.items()}
        self.embedded = Embedded(
            Workspace(
                path=folder,
                name="shop",
                journeys=journeys,
                links=SETTINGS,
                seeds={"inapp": ("ada",)},
            ),
            Registry(carriers, {}, {}, {}, {}, Observers(), ()),
            self.store,
            folder,
            relays=False,
        )
        self.embedded.publish(now=self.now)
        self.service = Service(self.embedded, clock=lambda: self.now)
        self.door = Door(
            self.service,
            keys=Keys.from_environment({"JOURNEYKIT_API_KEYS": KEY}),
            clock=lambda: to_datetime(self.now),
            links=SETTINGS,
            workspace="shop",
            inbox=self.store,
        )
        links = SETTINGS.links("shop")
        assert isinstance(links, Links)
        self.links = links

    def joined(self, *orders: int, test: bool = False) -> list[Message]:
        """Ada joins, once for each order; return what she is sent, once it is settled."""
        events = [
            Event(
                id=f"joined-{order}",
                name="joined",
                customer="ada",
                occurred_at=T0,
                received_at=T0,
                properties={"order": order},
                test=test,
            )
            for order in orders
        ]
        self.service.accept(events, timeout=ENOUGH)
        until(lambda: self.store.backlog()["waiting"] == 0)
        self.now += 60_000
        return [*self.channels["email"].sent, *self.channels["inapp"].sent]

    def call(self, method: str, path: str, body: bytes = b"") -> Answer:
        headers = {
            "user-agent": FIREFOX,
            "authorization": f"Bearer {KEY}",
            "host": "post.example.com",
        }
        answer = self.door.answer(
            Request(method=method, path=path, headers=headers, body=body)
        )
        until(lambda: self.store.backlog()["waiting"] == 0)
        return answer

    def click(self, message: Message) -> Answer:
        url = self.links.tracked(message, "https://shop.example.com/cart")
        return self.call("GET", url.removeprefix(URL))

    def thanks(self) -> list[str]:
        return sorted(message.template for message in self.channels["sms"].sent)

    def archived(self) -> dict[str, Any]:
        """The event that came in last."""
        *_, line = log_lines(self.embedded.archive.path)
        found: dict[str, Any] = json.loads(line)
        return found


Make = Callable[..., Shop]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Make]:
    """Make a shop that is served: `shop(journey, …)`."""
    shops: list[Shop] = []

    def make(*journeys: Journey) -> Shop:
        shops.append(Shop(tmp_path, *journeys))
        shops[-1].service.start()
        return shops[-1]

    yield make
    for one in shops:
        one.service.stop()
        with closing(one.embedded):
            pass


def until(holds: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    end = time.monotonic() + ENOUGH
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_click_is_heard_by_the_journey_that_sent_the_message(shop: Make) -> None:
    here = shop(journey("a", of="message.clicked"), journey("b", of="message.clicked"))
    a, b = sorted(here.joined(1), key=lambda message: message.template)

    assert here.click(a).status == 302
    first = here.thanks()
    assert here.click(b).status == 302

    assert first == ["thanks-a"]
    assert here.thanks() == ["thanks-a", "thanks-b"]


def test_a_click_is_heard_by_the_run_of_that_key(shop: Make) -> None:
    here = shop(
        journey("order", of="message.clicked", key=event.order, reentry="always")
    )
    one, two = here.joined(1, 2)

    here.click(two)

    assert here.thanks() == ["thanks-order"]
    runs = here.store.load(["ada"])["ada"].active
    assert [run.id for run in runs] == [
        here.store.find([one.delivery_id])[one.delivery_id].enrollment
    ]


def test_an_open_is_heard_by_the_run_that_sent_the_message(shop: Make) -> None:
    here = shop(journey("a", of="message.opened"), journey("b", of="message.opened"))
    a, _ = sorted(here.joined(1), key=lambda message: message.template)

    here.call("GET", here.links.of(a)["open"].removeprefix(URL))

    assert here.thanks() == ["thanks-a"]


def test_an_unsubscription_is_heard_by_the_run_that_sent_the_message(
    shop: Make,
) -> None:
    of = "message.unsubscribed"
    here = shop(*(journey(id, of=of, purpose="transactional") for id in "ab"))
    a, _ = sorted(here.joined(1), key=lambda message: message.template)

    path = here.links.of(a)["unsubscribe"].removeprefix(URL)
    here.call("POST", path, b"List-Unsubscribe=One-Click")

    assert here.thanks() == ["thanks-a"]


@pytest.mark.parametrize(
    ("act", "of"),
    [
        ("read", "message.opened"),
        ("click", "message.clicked"),
        ("dismiss", "message.dismissed"),
    ],
)
def test_what_is_done_in_the_app_is_heard_by_the_run_that_sent_it(
    shop: Make, act: str, of: str
) -> None:
    here = shop(*(journey(id, channel="inapp", of=of) for id in "ab"))
    a, b = sorted(here.joined(1), key=lambda message: message.template)
    here.store.post(
        [Notice(id=m.delivery_id, customer="ada", at=T0, body={}) for m in (a, b)]
    )

    answer = here.call("POST", f"/v1/inbox/ada/{a.delivery_id}/{act}")

    assert answer.status == 200
    assert here.thanks() == ["thanks-a"]


@pytest.mark.parametrize("test", [False, True])
def test_what_testers_do_in_the_app_is_test_traffic(shop: Make, test: bool) -> None:
    here = shop(journey("a", channel="inapp", of="message.opened"))
    [message] = here.joined(1, test=test)
    id = message.delivery_id
    here.store.post([Notice(id=id, customer="ada", at=T0, body={})])

    here.call("POST", f"/v1/inbox/ada/{id}/read")

    assert here.archived().get("test", False) is test


def test_it_says_of_which_journey_it_is_in_the_archive_as_well(shop: Make) -> None:
    here = shop(journey("a", of="message.clicked"))
    [message] = here.joined(1)

    here.click(message)

    said = here.archived()
    delivery = here.store.find([message.delivery_id])[message.delivery_id]
    assert said["properties"] == {
        "delivery_id": message.delivery_id,
        "channel": "email",
        "link": "https://shop.example.com/cart",
        "journey": "a",
        "step": message.step,
        "enrollment": delivery.enrollment,
        "template": "a",
        "address_key": address_key("email", "ada"),
    }


def test_clicked_twice_is_still_once(shop: Make) -> None:
    here = shop(journey("a", of="message.clicked", reentry="always"))
    [message] = here.joined(1)

    here.click(message)
    ids = [here.archived()["id"]]
    here.click(message)  # in the same minute

    assert here.thanks() == ["thanks-a"]
    assert [here.archived()["id"]] == ids


def test_old_mail_is_of_no_run_and_its_way_out_works(shop: Make) -> None:
    here = shop(
        journey("a", of="message.unsubscribed", purpose="transactional"),
    )
    [message] = here.joined(1)
    old = Message(
        delivery_id="0" * 24,
        customer="ada",
        channel="email",
        address="ada",
        template="a",
        variables={},
        at=T0 - timedelta(days=400),
        journey="a",
        step="x",
        purpose="marketing",
        topic="",
    )

    path = here.links.of(old)["unsubscribe"].removeprefix(URL)
    answer = here.call("POST", path, b"List-Unsubscribe=One-Click")

    assert answer.status == 200
    assert here.archived()["properties"]["enrollment"] == ""
    assert here.thanks() == []  # the run waits for word of its own message
    customer = here.store.load(["ada"])["ada"]
    assert [(word.granted, word.channel) for word in customer.consents] == [
        (False, "email")
    ]
    assert [run.journey for run in customer.active] == [message.journey]
