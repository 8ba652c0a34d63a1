"""What an operator is told of messages that were released and did not arrive."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from tests.cli.conftest import Shop

from journeykit.channels import Channel, Message, Receipt, Rejected
from journeykit.engine.calendar import to_ms
from journeykit.errors import ContentError, Source
from journeykit.model.events import instant
from journeykit.testing import make_event

LATER = to_ms(instant("2026-01-05T11:00:00Z"))
WHY = "550 there is no such mailbox"


@pytest.fixture
def lost(published: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The provider has refused ada's reminder, for good."""

    def refused(messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Rejected(message.delivery_id, WHY) for message in messages]

    published.happen(make_event("cart.updated", "ada"), until="2026-01-05T11:00:00Z")
    with published.embedded() as embedded:
        monkeypatch.setattr(embedded.channels["email"], "send", refused)
        embedded.settle(LATER)
    return published


def words(text: str) -> str:
    return " ".join(text.split())


def test_why_tells_it_at_the_run_with_what_was_noted(lost: Shop) -> None:
    told = words(lost("why", "ada").stdout)

    run = told.partition("run 1,")[2]
    assert (
        "not delivered, reminder by email: the provider refused it, or could not "
        "deliver it (at send-email-reminder)" in run
    )
    assert f"It was noted: {WHY}." in run


def test_the_decision_log_has_only_the_word(lost: Shop) -> None:
    (log,) = lost.folder.glob(".journeykit/decisions.jsonl")
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    (line,) = [line for line in lines if line["kind"] == "undelivered"]
    assert (line["journey"], line["reason"]) == ("cart", "failed")
    assert line["detail"].keys() == {"delivery_id", "channel", "template"}


def test_the_customer_shows_it_among_the_messages(lost: Shop) -> None:
    told = words(lost("customer", "ada").stdout)

    assert "not delivered, reminder by email" in told
    assert f"(cart): {WHY}" in told


def test_of_many_the_latest_are_shown(lost: Shop) -> None:
    id = "0123456789abcdef01234567"
    lost.happen(
        *(
            make_event(
                "message.failed",
                "ada",
                {"delivery_id": id, "journey": "cart", "reason": "content"},
                at=f"2026-01-05T12:{n:02}:00Z",
            )
            for n in range(23)
        )
    )

    few, all_ = lost("customer", "ada").stdout, lost("customer", "ada", "--all").stdout

    assert few.count("not delivered") == 20
    assert "4 earlier ones did not arrive; --all lists them" in few
    assert all_.count("not delivered") == 24


def test_status_counts_it_by_reason(lost: Shop) -> None:
    assert "undelivered failed 1" in words(lost("status").stdout)

    document = json.loads(lost("status", "--json").stdout)
    (cart,) = [each for each in document["journeys"] if each["journey"] == "cart"]
    assert cart["undelivered"] == {"failed": 1}
    assert cart["adds_up"]


def test_what_is_wrong_with_a_template_is_told(
    published: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(channel: Channel, message: Message) -> Message:
        source = Source("reminder.email.html", 3)
        raise ContentError("`nmae` is missing", source=source)

    published.happen(make_event("cart.updated", "ada"), until="2026-01-05T11:00:00Z")
    with published.embedded() as embedded:
        monkeypatch.setattr(embedded.dispatcher, "_compose", compose)
        embedded.settle(LATER)

    told = words(published("why", "ada").stdout)

    assert "by email: there was nothing that could be sent" in told
    assert "It was noted: reminder.email.html:3: `nmae` is missing." in told
    assert "undelivered content 1" in words(published("status").stdout)
