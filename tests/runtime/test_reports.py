"""Whom a provider's report is about, whatever it calls the message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.runtime.conftest import T0, Provider, Shop

from journeykit import Emit, Journey, Send, WaitFor, When, hours, on
from journeykit.channels import Report
from journeykit.engine.ids import address_key, provider_key
from journeykit.errors import StoreBusy
from journeykit.ports import Reference

WELCOME = Journey(
    "welcome",
    trigger=on("joined"),
    steps=[
        Send("email", "hello"),
        WaitFor([When(on("message.replied"), [Emit("answered")])], timeout=hours(9)),
    ],
)


def shop_of(*people: str) -> Shop:
    """A shop that has written to these people."""
    shop = Shop(WELCOME, channels=[Provider()])
    for person in people or ("ada",):
        shop.happens("joined", person)
    shop.deliver()
    return shop


def message_of(shop: Shop, customer: str = "ada") -> Any:
    provider = shop.dispatcher._channels["email"]
    assert isinstance(provider, Provider)
    return next(m for m in provider.asked if m.customer == customer)


def refer(shop: Shop, key: str, customer: str = "ada", *, id: str = "") -> None:
    """The dispatcher has noted by which name a provider knows a message."""
    found = id or message_of(shop, customer).delivery_id
    shop.store.refer([Reference(key, customer, found, shop.now)])


def reply(address: str, text: str = "hi", *, id: str = "r1", **more: Any) -> Report:
    return Report(
        "", "message.replied", id, T0, {"text": text, **more}, address=address
    )


def test_a_report_by_the_providers_own_id_is_about_that_message() -> None:
    shop = shop_of()
    refer(shop, provider_key("email", "wamid.1"))

    done = shop.runtime.feedback(
        [Report("", "message.replied", "r1", T0, provider_id="wamid.1")],
        now=shop.now,
        channel="email",
    )

    assert done.reactions == 1
    assert "emitted answered" in shop.said


def test_another_channels_id_is_another_message() -> None:
    shop = shop_of()
    refer(shop, provider_key("email", "1"))

    report = Report(
        "", "message.opened", "r1", T0 - timedelta(hours=1), provider_id="1"
    )
    done = shop.runtime.feedback([report], now=shop.now, channel="sms")

    assert done.reactions == 0


def test_what_somebody_writes_concerns_all_who_were_written_to_there() -> None:
    shop = shop_of("ada", "bob", "cleo")
    key = address_key("email", "+49 1")
    for person in ("ada", "bob"):
        refer(shop, key, person)

    done = shop.runtime.feedback([reply("+49 1")], now=shop.now, channel="email")

    assert done.reactions == 2
    assert shop.said.count("emitted answered") == 2
    assert shop.customer("cleo").active


def test_the_same_reply_again_is_the_same_reply_for_each_of_them() -> None:
    shop = shop_of("ada", "bob")
    key = address_key("email", "+49 1")
    for person in ("ada", "bob"):
        refer(shop, key, person)

    for _ in range(2):
        shop.runtime.feedback([reply("+49 1", "STOP")], now=shop.now, channel="email")

    assert shop.said.count("consent withdrawn") == 2
    assert shop.said.count("ignored duplicate") == 2


def test_a_reply_says_which_keyword_it_is_if_the_channel_does_not() -> None:
    shop = shop_of()
    refer(shop, address_key("email", "+49 1"))

    shop.runtime.feedback([reply("+49 1", " Arrêt! ")], now=shop.now, channel="email")

    (word,) = shop.customer().consents
    assert (word.granted, word.channel, word.source) == (False, "email", "keyword")


def test_what_the_channel_says_of_the_keyword_holds() -> None:
    shop = shop_of()
    refer(shop, address_key("email", "+49 1"))

    shop.runtime.feedback(
        [reply("+49 1", "stop", keyword="")], now=shop.now, channel="email"
    )

    assert shop.customer().consents == []


def test_a_stop_holds_long_after_the_message_is_forgotten() -> None:
    shop = shop_of()
    refer(shop, address_key("email", "+49 1"), id="f" * 24)

    shop.runtime.feedback([reply("+49 1", "stop")], now=shop.now, channel="email")

    assert shop.customer().consents[0].channel == "email"


def test_an_opening_of_a_forgotten_message_is_of_no_run() -> None:
    opened = Journey(
        "opened",
        trigger=on("joined"),
        steps=[WaitFor([When(on("message.opened"), [Emit("saw")])], timeout=hours(9))],
    )
    shop = Shop(opened, channels=[Provider()])
    shop.happens("joined")
    shop.store.refer([Reference(provider_key("email", "1"), "ada", "f" * 24, shop.now)])

    shop.runtime.feedback(
        [Report("", "message.opened", "r1", T0, provider_id="1")],
        now=shop.now,
        channel="email",
    )

    assert "emitted saw" not in shop.said


def test_our_own_id_counts_before_all_others() -> None:
    shop = shop_of("ada", "bob")
    refer(shop, provider_key("email", "1"), "bob")
    refer(shop, address_key("email", "+49 1"), "bob")
    ours = message_of(shop, "ada").delivery_id

    shop.runtime.feedback(
        [
            Report(
                ours,
                "message.unsubscribed",
                "r1",
                T0,
                provider_id="1",
                address="+49 1",
            )
        ],
        now=shop.now,
        channel="email",
    )

    assert shop.customer("ada").consents
    assert not shop.customer("bob").consents


def test_a_report_is_put_down_to_the_address_that_it_names() -> None:
    shop = shop_of()
    ours = message_of(shop).delivery_id
    report = Report(ours, "message.complained", "r1", T0, address="Somewhere@Else")

    shop.runtime.feedback([report], now=shop.now, channel="email")

    known = shop.store.find([ours])[ours].address
    assert known
    wanted = known or address_key(
        "email", shop.catalog().guards.rules_of("email").normalize("Somewhere@Else")
    )
    assert list(shop.customer().addresses) == [wanted]


def test_of_nobody_who_is_known_nothing_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = shop_of()

    done = shop.runtime.feedback([reply("+49 9")], now=shop.now, channel="email")

    assert (done.reactions, shop.store.dead(0, 9)) == (0, [])
    assert "1 reports are about messages not known here" in caplog.text
    assert "+49" not in caplog.text


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(reply("+49 9", "STOP"), id="stop"),
        pytest.param(
            Report("", "message.unsubscribed", "r1", T0, address="x"), id="unsubscribed"
        ),
        pytest.param(Report("f" * 24, "message.complained", "r1", T0), id="complained"),
    ],
)
def test_a_no_of_somebody_unknown_is_kept_for_a_person_to_see(report: Report) -> None:
    shop = shop_of()

    shop.runtime.feedback([report], now=shop.now, channel="email")

    (letter,) = shop.store.dead(0, 9)
    assert (letter.door, letter.kind) == ("feedback", "report")
    assert "journeykit suppressions add" in letter.reason


@pytest.mark.parametrize(
    "name", [{"provider_id": "new"}, {"delivery_id": "ab12" * 6}], ids=["its", "ours"]
)
def test_a_provider_that_is_faster_than_the_store_is_to_say_it_again(
    name: dict[str, str],
) -> None:
    shop = shop_of()
    known: dict[str, Any] = {"delivery_id": "", **name}
    report = Report(name="message.delivered", id="r1", occurred_at=T0, **known)

    with pytest.raises(StoreBusy, match="faster than the store"):
        shop.runtime.feedback(
            [report], now=shop.now, channel="email", settles_late=True
        )
    shop.now += 31_000

    assert (
        shop.runtime.feedback(
            [report], now=shop.now, channel="email", settles_late=True
        ).dead
        == 0
    )


def test_where_all_that_was_handed_over_is_known_nobody_waits_for_more() -> None:
    shop = shop_of()
    report = Report("ab12" * 6, "message.delivered", "r1", T0)

    done = shop.runtime.feedback([report], now=shop.now, channel="email")

    assert done.reactions == 0


def test_the_others_of_a_batch_are_handled_when_one_comes_too_early() -> None:
    shop = shop_of()
    reports = [
        Report("", "message.delivered", "r1", T0, provider_id="new"),
        Report(message_of(shop).delivery_id, "message.unsubscribed", "r2", T0),
    ]

    with pytest.raises(StoreBusy):
        shop.runtime.feedback(reports, now=shop.now, channel="email")

    assert shop.customer().consents


def test_without_a_channel_only_our_own_ids_are_understood() -> None:
    shop = shop_of()
    refer(shop, provider_key("email", "1"))

    done = shop.runtime.feedback(
        [Report("", "message.unsubscribed", "r1", T0, provider_id="1")], now=shop.now
    )

    assert done.reactions == 0
