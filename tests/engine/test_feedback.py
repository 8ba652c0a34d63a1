"""What becomes of a message, and what the document keeps of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    Cap,
    Journey,
    Policies,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    hours,
    on,
)
from journeykit.engine import facts
from journeykit.engine.customer import Address
from journeykit.engine.guards import ChannelRules
from journeykit.engine.ids import address_key
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import words_of
from journeykit.model.events import IDENTITY_CONFLICT, LEARNED


def _email(profile: Any, customer: str) -> Any:
    return profile.get("email")


CHANNELS = {"email": ChannelRules(address=_email, normalize=str.lower)}
SHOP = Journey(
    id="shop",
    trigger=on("start"),
    reentry="always",
    steps=[Send("email", "offer"), Send("sms", "nudge")],
)
WAIT = Wait(hours(9))
OLD = address_key("email", "old@example.com")


def ada_of(drive: Any, *journeys: Journey, **options: Any) -> Any:
    ada = drive(*(journeys or (SHOP,)), channels=CHANNELS, **options)
    ada.event("profile.updated", email="Old@example.com")
    return ada


def test_what_the_engine_learns_from_is_listed_for_the_bus() -> None:
    # Of conflicts the runtime tells itself; nobody sends them.
    assert facts._LEARN.keys() - {IDENTITY_CONFLICT} == LEARNED


# What did not arrive


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        ("failed", {"reason": "content", "detail": "Ada's is missing"}, "content"),
        ("failed", {"reason": "same_address"}, "same_address"),
        ("failed", {"reason": "gave_up"}, "gave_up"),
        ("failed", {"reason": "550 no ada@example.com here"}, "failed"),
        ("failed", {"reason": ["x"]}, "failed"),
        ("rejected", {"reason": "content"}, "rejected"),
        ("bounced", {"channel": "email", "bounce": "hard"}, "bounced"),
        ("bounced", {"channel": "email", "bounce": "soft"}, "bounced"),
    ],
    ids=[
        *("content", "same-address", "gave-up", "providers-own", "no-text"),
        *("rejected", "hard", "soft"),
    ],
)
def test_what_did_not_arrive_is_told_at_its_run_in_a_word_of_ours(
    drive: Any, name: str, said: dict[str, Any], reason: str
) -> None:
    ada = ada_of(drive)
    ada.event("start")
    sent = ada.commands[0]
    about = {"enrollment": sent.enrollment, "journey": "shop", "step": sent.step}

    ada.event(f"message.{name}", "+1h", delivery_id=sent.delivery_id, **about, **said)

    assert ada.trace[-1] == TraceEntry(
        "undelivered",
        ada.ms("+1h"),
        "shop",
        enrollment=sent.enrollment,
        step=sent.step,
        reason=reason,
        detail={
            "delivery_id": sent.delivery_id,
            **({"channel": "email"} if "channel" in said else {}),
        },
    )


def test_where_the_run_still_goes_on_its_version_is_told_too(drive: Any) -> None:
    waits = Journey("waits", trigger=on("start"), steps=[Send("sms", "a"), WAIT])
    ada = ada_of(drive, waits)
    ada.event("start")
    sent = ada.commands[0]

    ada.event(
        "message.failed",
        "+1h",
        delivery_id=sent.delivery_id,
        enrollment=sent.enrollment,
        journey="waits",
        template="a",
        channel="sms",
        reason="gave_up",
    )

    told = ada.trace[-1]
    assert (told.journey, told.version, told.enrollment) == (
        *("waits", sent.version),
        sent.enrollment,
    )
    assert words_of(told) == (
        "not delivered, a by sms: its provider did not take it, however often it was "
        "asked"
    )


def test_what_is_known_of_no_message_of_ours_is_not_told_as_one(drive: Any) -> None:
    ada = ada_of(drive)

    for id in (None, 7, "msg-of-somebody", "x" * 5000):
        ada.event("message.failed", delivery_id=id, reason="content")

    assert ada.reasons("undelivered") == []


def test_what_is_told_again_is_not_noted_again(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("start")
    about = {"delivery_id": ada.commands[0].delivery_id, "reason": "gave_up"}

    ada.event("message.failed", "+1h", id="same", **about)
    told = ada.event("message.failed", "+2h", id="same", **about)

    assert told == ["ignored duplicate"]
    assert ada.reasons("undelivered") == ["gave_up"]


def test_what_others_say_of_a_run_is_not_repeated(drive: Any) -> None:
    ada = ada_of(drive, policies=Policies(caps=[Cap(9, within=days(1))]))
    ada.event("start")

    ada.event(
        "message.failed",
        delivery_id=ada.commands[0].delivery_id,
        enrollment="ada@example.com",
        journey="Ada's " * 1000,
        step={"a": 1},
        channel="y" * 5000,
        template="../ada",
    )

    # The ledger knows whose journey it was; the rest is nothing that we ever said.
    assert msgspec.structs.replace(ada.trace[-1], at=0) == TraceEntry(
        "undelivered",
        0,
        "shop",
        reason="failed",
        detail={"delivery_id": ada.commands[0].delivery_id},
    )


# Engagement


@pytest.mark.parametrize("name", ["opened", "clicked", "replied"])
def test_what_a_person_does_is_noted_at_the_address(drive: Any, name: str) -> None:
    ada = ada_of(drive)

    ada.event(f"message.{name}", "+1h", channel="email")

    at = ada.ms("+1h")
    replied = at if name == "replied" else None
    assert ada.customer.addresses == {
        OLD: Address(engaged_at=at, replied_at=replied),
    }


def test_what_follows_within_an_hour_is_not_written_again(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("message.opened", "+1h", channel="email")
    revision = ada.customer.revision

    ada.event("message.opened", "+1h59m", channel="email")
    assert ada.customer.revision == revision
    ada.event("message.clicked", "+2h", channel="email")

    assert ada.customer.addresses[OLD].engaged_at == ada.ms("+2h")


def test_every_reply_is_written_for_windows_that_count_from_it(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("message.replied", "+1h", channel="email")

    ada.event("message.replied", "+1h1m", channel="email")

    state = ada.customer.addresses[OLD]
    assert (state.engaged_at, state.replied_at) == (ada.ms("+1h"), ada.ms("+1h1m"))


@pytest.mark.parametrize("name", ["opened", "clicked", "replied"])
def test_what_a_machine_does_moves_nobody(drive: Any, name: str) -> None:
    heard = Journey("heard", trigger=on(f"message.{name}"), steps=[Send("sms", "wow")])
    waits = Journey(
        "waits",
        trigger=on("start"),
        steps=[
            Send("sms", "first"),
            WaitFor(
                [When(on(f"message.{name}"), [Send("sms", "saw")])], timeout=hours(9)
            ),
        ],
    )
    ada = ada_of(drive, heard, waits)
    ada.event("start")
    revision = ada.customer.revision

    told = ada.event(
        f"message.{name}", "+1h", channel="email", automated=True, keyword="stop"
    )

    assert told == ["ignored automated"]
    assert ada.sent == ["first +0s"]
    assert ada.customer.revision == revision


def test_automated_means_something_of_messages_only(drive: Any) -> None:
    shop = Journey("shop", trigger=on("cart.updated"), steps=[Send("sms", "cart")])
    ada = ada_of(drive, shop)

    ada.event("cart.updated", automated=True)

    assert ada.sent == ["cart +0s"]


def test_where_nobody_knows_the_address_an_engagement_is_not_kept(drive: Any) -> None:
    ada = drive(SHOP, channels=CHANNELS)

    assert ada.event("message.opened", channel="email") == []
    assert ada.event("message.opened") == []

    assert ada.customer.addresses == {}


# Replies


def test_stop_is_a_no_to_the_channel_whatever_for(drive: Any) -> None:
    ada = drive(
        SHOP,
        Journey(
            "receipts",
            trigger=on("start"),
            purpose="transactional",
            steps=[Send("sms", "receipt")],
        ),
    )

    ada.event("message.replied", channel="sms", keyword="stop", text="Stop!")
    ada.event("start", "+1h")

    assert ada.sent == ["offer +1h"]
    assert ada.customer.consents[0].source == "keyword"


def test_start_takes_back_exactly_that(drive: Any) -> None:
    ada = drive(SHOP)
    ada.event("message.unsubscribed", channel="email")
    ada.event("message.replied", channel="sms", keyword="stop")

    ada.event("message.replied", channel="sms", keyword="start")
    ada.event("start", "+1h")

    assert ada.sent == ["nudge +1h"]


def test_yes_is_no_consent_where_nobody_had_said_no(drive: Any) -> None:
    ada = drive(SHOP)

    ada.event("message.replied", channel="sms", keyword="start", text="yes")

    assert ada.customer.consents == []


def test_yes_confirms_what_waits_at_that_channel(drive: Any) -> None:
    ada = drive(SHOP)
    ada.event("consent.requested", channel="sms")
    ada.event("consent.requested", channel="email")

    ada.event("message.replied", channel="sms", keyword="start", text="YES")

    assert [(w.channel, w.granted) for w in ada.customer.consents] == [
        ("email", False),
        ("sms", True),
    ]


@pytest.mark.parametrize("keyword", ["help", "", None, ["stop"]])
def test_another_word_is_only_an_event(drive: Any, keyword: Any) -> None:
    ada = drive(SHOP)

    ada.event("message.replied", channel="sms", keyword=keyword)

    assert ada.customer.consents == []


def test_a_stop_of_no_readable_channel_is_one_to_all(drive: Any) -> None:
    ada = drive(SHOP)

    ada.event("message.replied", keyword="stop")
    ada.event("start")

    assert ada.sent == []


# Addresses


def test_a_report_is_about_the_address_that_the_message_went_to(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("profile.updated", email="new@example.com")

    ada.event("message.bounced", channel="email", bounce="hard", address_key=OLD)
    ada.event("start")

    assert ada.customer.addresses[OLD].suppressed == "hard_bounce"
    assert "offer +0s" in ada.sent


@pytest.mark.parametrize("nonsense", ["x", 7, "z" * 24, None])
def test_what_is_no_key_is_passed_over_for_the_profile(
    drive: Any, nonsense: Any
) -> None:
    ada = ada_of(drive)

    ada.event("message.complained", channel="email", address_key=nonsense)

    assert ada.customer.addresses[OLD].suppressed == "complaint"


def test_an_address_can_be_suppressed_and_restored_by_hand(drive: Any) -> None:
    ada = ada_of(drive)

    ada.event("address.suppressed", channel="email", reason="do-not-mail")
    ada.event("start", "+1h")
    assert ada.details("suppressed") == [{"rule": "do-not-mail", "channel": "email"}]
    ada.event("address.restored", "+2h", channel="email")
    ada.event("start", "+3h")

    assert ada.sent == ["nudge +1h", "offer +3h", "nudge +3h"]
    assert ada.customer.addresses == {}


@pytest.mark.parametrize("reason", [None, "", "Free Text", 7])
def test_a_reason_that_is_no_name_is_said_to_be_manual(drive: Any, reason: Any) -> None:
    ada = ada_of(drive)

    ada.event("address.suppressed", channel="email", reason=reason)

    assert ada.customer.addresses[OLD].suppressed == "manual"


def test_to_restore_keeps_what_people_did_there(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("message.opened", channel="email")
    ada.event("message.bounced", channel="email", bounce="soft")

    ada.event("address.restored", channel="email")

    assert ada.customer.addresses == {OLD: Address(engaged_at=ada.ms("+0h"))}


def test_an_engagement_lifts_no_suppression(drive: Any) -> None:
    ada = ada_of(drive)
    ada.event("message.complained", channel="email")

    ada.event("message.clicked", channel="email")

    assert ada.customer.addresses[OLD].suppressed == "complaint"


# Caps


@pytest.mark.parametrize("name", ["message.failed", "message.rejected"])
def test_what_was_never_sent_is_given_back_to_the_caps(drive: Any, name: str) -> None:
    journey = Journey(
        "j", trigger=on("start"), reentry="always", steps=[Send("sms", "a")]
    )
    ada = drive(journey, policies=Policies(caps=[Cap(1), Cap(1, within=hours(48))]))
    ada.event("start")

    ada.event(name, "+1h", delivery_id=ada.commands[0].delivery_id, channel="sms")
    ada.event("start", "+2h")
    ada.event("start", "+3h")

    assert ada.sent == ["a +0s", "a +2h"]


@pytest.mark.parametrize("name", ["deferred", "delivered", "dismissed"])
def test_what_is_under_way_or_arrived_gives_nothing_back(drive: Any, name: str) -> None:
    journey = Journey(
        "j", trigger=on("start"), reentry="always", steps=[Send("sms", "a")]
    )
    ada = drive(journey, policies=Policies(caps=[Cap(1, within=hours(48))]))
    ada.event("start")

    ada.event(f"message.{name}", "+1h", delivery_id=ada.commands[0].delivery_id)
    ada.event("start", "+2h")

    assert ada.sent == ["a +0s"]
