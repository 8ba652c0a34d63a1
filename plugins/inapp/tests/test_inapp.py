"""The in-app inbox keeps the contract of channels, and what it says of itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import journeykit_inapp
from journeykit.channels import Channel, Content, Message, Notice, Rejected, Sent
from journeykit.errors import ContentError
from journeykit.plugins import PluginManager, Registry
from journeykit.testing import ChannelContract
from journeykit_inapp import InAppChannel

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def content(**template: Any) -> Content:
    return Content(parts={"json": json.dumps({"title": "Your cart waits", **template})})


MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="inapp",
    address="c1",
    template="cart-reminder",
    variables={},
    at=NINE,
    journey="abandoned-cart",
    step="send-inapp-cart-reminder",
    purpose="marketing",
    content=content(),
)


class Board:
    """An inbox as a store keeps it: what is there already stays."""

    def __init__(self) -> None:
        self.posted: dict[str, Notice] = {}
        self.times = 0

    def post(self, notices: Sequence[Notice]) -> None:
        self.times += 1
        for notice in notices:
            self.posted.setdefault(notice.id, notice)


class TestContract(ChannelContract):
    def setup_method(self) -> None:
        self.board = Board()

    def channel(self) -> Channel:
        channel = InAppChannel()
        channel.board = self.board
        return channel

    def accepted(self) -> list[str]:
        return list(self.board.posted)

    def too_long(self) -> Content:
        return content(body="x" * 5000)


def posted(message: Message) -> Notice:
    channel, board = InAppChannel(), Board()
    channel.board = board
    rendered = channel.render(message)
    assert channel.send([rendered]) == [Sent("d1", "d1")]
    [notice] = board.posted.values()
    return notice


def test_it_is_found_as_inapp() -> None:
    manager = PluginManager()
    manager.register(journeykit_inapp, "inapp")
    manager.check_pending()

    channel = Registry.from_plugins(manager).channel("inapp")

    assert isinstance(channel, InAppChannel)


def test_the_address_is_the_customer() -> None:
    assert InAppChannel().address({"email": "ada@example.com"}, "C1") == "C1"
    assert InAppChannel().normalize("C1") == "C1"


def test_a_message_waits_in_the_customers_inbox_as_the_app_shows_it() -> None:
    template: Mapping[str, object] = {
        "body": "Two chairs, {curly}",
        "actions": [{"label": "To the cart", "url": "https://shop.example/cart"}],
        "data": {"sku": "chair-2"},
    }

    notice = posted(replace(MESSAGE, content=content(**template)))

    assert (notice.id, notice.customer, notice.at) == ("d1", "c1", NINE)
    assert notice.expires_at is None
    assert notice.body["title"] == "Your cart waits"
    assert notice.body["body"] == "Two chairs, {curly}"
    assert notice.body["actions"] == [
        {"label": "To the cart", "url": "https://shop.example/cart"}
    ]
    assert notice.body["data"] == {"sku": "chair-2"}
    assert json.loads(json.dumps(notice.body)) == notice.body


def test_it_is_shown_for_as_long_as_its_template_says() -> None:
    notice = posted(replace(MESSAGE, content=content(ttl="3600")))

    assert notice.expires_at == NINE + timedelta(hours=1)


def test_what_cannot_be_shown_is_told_before_anything_is_sent() -> None:
    with pytest.raises(ContentError, match="title"):
        InAppChannel().render(replace(MESSAGE, content=content(title=" ")))


def test_a_batch_is_one_visit_to_the_store() -> None:
    channel, board = InAppChannel(), Board()
    channel.board = board
    batch = [replace(MESSAGE, delivery_id=f"d{n}") for n in range(25)]

    receipts = channel.send(batch)

    assert receipts == [Sent(m.delivery_id, m.delivery_id) for m in batch]
    assert board.times == 1


def test_a_store_out_of_reach_is_an_outage_and_no_refusal() -> None:
    class Down:
        def post(self, notices: Sequence[Notice]) -> None:
            raise ConnectionError("refused")

    channel = InAppChannel()
    channel.board = Down()

    with pytest.raises(ConnectionError):
        channel.send([MESSAGE])


def test_without_a_place_for_inboxes_nothing_is_said_to_be_sent() -> None:
    with pytest.raises(RuntimeError, match="board"):
        InAppChannel().send([MESSAGE])


def test_the_mock_checks_what_the_inbox_would() -> None:
    board = Board()
    channel = InAppChannel()
    channel.board = board
    bad = replace(MESSAGE, delivery_id="d2", content=content(title=""))

    [good, refused] = channel.mock().send([MESSAGE, bad])

    assert isinstance(good, Sent)
    assert isinstance(refused, Rejected)
    assert board.posted == {}
