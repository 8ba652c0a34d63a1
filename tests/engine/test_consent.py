"""Consent, suppression and the state of addresses."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import ConsentDefault, Journey, Policies, Send, hours, on
from journeykit.engine.guards import ChannelRules


def sends(*sends: Send, **options: Any) -> Journey:
    return Journey(
        id="j", trigger=on("start"), steps=sends, reentry="always", **options
    )


def _address(profile: Any, customer: str) -> Any:
    return profile.get("email")


EMAIL = {"email": ChannelRules(address=_address, normalize=str.lower)}
NEWS = Send("email", "news", topic="news")
PLAIN = Send("email", "plain")
TEXT = Send("sms", "text")
RECEIPT = Send("email", "receipt", purpose="transactional")


def test_without_a_word_and_without_a_rule_sending_is_allowed(drive: Any) -> None:
    ada = drive(sends(PLAIN))

    ada.event("start")

    assert ada.sent == ["plain +0s"]


def test_an_opt_out_of_a_channel_leaves_the_others(drive: Any) -> None:
    ada = drive(sends(PLAIN, TEXT))
    ada.event("message.unsubscribed", channel="email")

    ada.event("start")

    assert ada.sent == ["text +0s"]
    assert ada.reasons("suppressed") == ["no_consent"]


@pytest.mark.parametrize(
    ("purpose", "sent"),
    [
        ({}, ["receipt +0s"]),
        ({"purpose": "marketing"}, ["receipt +0s"]),
        ({"purpose": "transactional"}, ["plain +0s"]),
        ({"purpose": ""}, []),
        ({"purpose": "advertising"}, []),
    ],
    ids=["none", "marketing", "transactional", "empty", "misspelt"],
)
def test_an_opt_out_is_one_from_marketing_unless_it_says_more(
    drive: Any, purpose: Any, sent: list[str]
) -> None:
    ada = drive(sends(PLAIN, RECEIPT))
    ada.event("message.unsubscribed", channel="email", **purpose)

    ada.event("start")

    assert ada.sent == sent


def test_an_opt_out_of_a_topic_blocks_that_topic_only(drive: Any) -> None:
    ada = drive(sends(NEWS, PLAIN))
    ada.event("message.unsubscribed", topic="news")

    ada.event("start")

    assert ada.sent == ["plain +0s"]


def test_an_opt_out_of_a_topic_on_a_channel_leaves_it_on_others(drive: Any) -> None:
    ada = drive(sends(NEWS, Send("sms", "news-sms", topic="news")))
    ada.event("message.unsubscribed", topic="news", channel="email")

    ada.event("start")

    assert ada.sent == ["news-sms +0s"]


def test_who_unsubscribed_still_gets_what_is_transactional(drive: Any) -> None:
    ada = drive(sends(PLAIN, RECEIPT))
    ada.event("message.unsubscribed", channel="email")

    ada.event("start")

    assert ada.sent == ["receipt +0s"]


def test_a_no_without_a_purpose_is_a_no_to_everything(drive: Any) -> None:
    ada = drive(sends(PLAIN, RECEIPT))
    ada.event("consent.changed", granted=False, channel="email")

    ada.event("start")

    assert ada.sent == []


def test_the_latest_word_counts(drive: Any) -> None:
    ada = drive(sends(PLAIN))
    ada.event("consent.changed", granted=False, channel="email")
    ada.event("consent.changed", granted=True, channel="email")

    ada.event("start")

    assert ada.sent == ["plain +0s"]
    assert len(ada.customer.consents) == 1


def test_a_no_counts_whatever_yes_is_more_specific(drive: Any) -> None:
    ada = drive(sends(NEWS))
    ada.event("consent.changed", granted=True, channel="email", topic="news")
    ada.event("consent.changed", granted=False, channel="email")

    ada.event("start")

    assert ada.sent == []


@pytest.mark.parametrize("default", ["allow", "refuse"])
def test_a_rule_decides_where_there_is_no_word(drive: Any, default: Any) -> None:
    rules = Policies(consent=[ConsentDefault(default, channel="email")])
    ada = drive(sends(PLAIN, TEXT), policies=rules)

    ada.event("start")

    assert ("plain +0s" in ada.sent) is (default == "allow")
    assert "text +0s" in ada.sent


def test_a_yes_beats_a_rule_that_refuses(drive: Any) -> None:
    ada = drive(sends(PLAIN), policies=Policies(consent=[ConsentDefault("refuse")]))
    ada.event("consent.changed", granted=True, channel="email", purpose="marketing")

    ada.event("start")

    assert ada.sent == ["plain +0s"]


def test_a_yes_for_one_topic_is_none_for_another(drive: Any) -> None:
    ada = drive(
        sends(NEWS, PLAIN), policies=Policies(consent=[ConsentDefault("refuse")])
    )
    ada.event("consent.changed", granted=True, topic="news")

    ada.event("start")

    assert ada.sent == ["news +0s"]


@pytest.mark.parametrize(
    "rules",
    [
        [
            ConsentDefault("refuse"),
            ConsentDefault("refuse", channel="email"),
            ConsentDefault("refuse", topic="news"),
            ConsentDefault("allow", channel="email", topic="news"),
        ],
        [
            ConsentDefault("refuse"),
            ConsentDefault("refuse", channel="email"),
            ConsentDefault("allow", topic="news"),
        ],
        [ConsentDefault("refuse"), ConsentDefault("allow", channel="email")],
    ],
)
def test_the_most_specific_rule_decides_in_whatever_order(
    drive: Any, rules: list[ConsentDefault]
) -> None:
    for listed in (rules, rules[::-1]):
        ada = drive(sends(NEWS), policies=Policies(consent=listed))

        ada.event("start")

        assert ada.sent == ["news +0s"]


@pytest.mark.parametrize(
    ("purpose", "sent"),
    [
        ("marketing", ["receipt +0s"]),
        ("transactional", ["plain +0s"]),
        ("all", []),
    ],
)
def test_a_rule_is_about_a_purpose(drive: Any, purpose: Any, sent: list[str]) -> None:
    rule = ConsentDefault("refuse", purpose=purpose)
    ada = drive(sends(PLAIN, RECEIPT), policies=Policies(consent=[rule]))

    ada.event("start")

    assert ada.sent == sent


def test_a_malformed_word_is_ignored(drive: Any) -> None:
    ada = drive(sends(PLAIN))

    assert ada.event("consent.changed", granted="no") == ["ignored malformed_consent"]


def test_a_hard_bounce_blocks_the_address_in_every_journey(drive: Any) -> None:
    ada = drive(sends(PLAIN, RECEIPT), channels=EMAIL)
    ada.event("profile.updated", email="Ada@example.com")
    ada.event("message.bounced", channel="email", bounce="hard")

    ada.event("start")

    assert ada.reasons("suppressed") == ["suppression_list", "suppression_list"]


def test_addresses_are_the_same_whatever_their_case(drive: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event(
        "message.bounced", channel="email", address="ADA@EXAMPLE.COM", bounce="hard"
    )
    ada.event("profile.updated", email="ada@example.com")

    ada.event("start")

    assert ada.reasons("suppressed") == ["suppression_list"]


def test_another_address_is_another_matter(drive: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event("profile.updated", email="old@example.com")
    ada.event("message.bounced", channel="email", bounce="hard")
    ada.event("profile.updated", email="new@example.com")

    ada.event("start")

    assert ada.sent == ["plain +0s"]


def test_a_complaint_suppresses_the_address(drive: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event("profile.updated", email="ada@example.com")
    ada.event("message.complained", channel="email")

    ada.event("start")

    assert ada.reasons("suppressed") == ["suppression_list"]


@pytest.mark.parametrize(("at", "sent"), [("+23h59m", 0), ("+24h", 1)])
def test_after_a_soft_bounce_the_address_rests(drive: Any, at: str, sent: int) -> None:
    ada = drive(sends(PLAIN))
    ada.event("message.bounced", "+0h", channel="email", bounce="soft")

    ada.event("start", at)

    assert len(ada.sent) == sent
    assert ada.reasons("suppressed") == ["bounce_cool_down"] * (1 - sent)


def test_how_long_it_rests_is_a_policy(drive: Any) -> None:
    ada = drive(sends(PLAIN), policies=Policies(bounce_cool_down=hours(1)))
    ada.event("message.bounced", channel="email", bounce="soft")

    ada.event("start", "+1h")

    assert ada.sent == ["plain +1h"]


def test_a_soft_bounce_does_not_lift_a_suppression(drive: Any) -> None:
    ada = drive(sends(PLAIN))
    ada.event("message.bounced", channel="email", bounce="hard")
    ada.event("message.bounced", channel="email", bounce="soft")

    ada.event("start", "+99h")

    assert ada.reasons("suppressed") == ["suppression_list"]


def test_an_address_that_nobody_knows_is_noted(drive: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)

    told = ada.event("message.bounced", channel="email", bounce="hard")

    assert told == ["ignored unknown_address"]


@pytest.mark.parametrize("nonsense", [[], {}, 0, False, "E-Mail", "x" * 65])
def test_a_yes_that_cannot_be_read_is_no_yes(drive: Any, nonsense: Any) -> None:
    ada = drive()

    ada.event("consent.changed", granted=True, channel=nonsense)

    assert ada.reasons("ignored") == ["malformed_consent"]
    assert ada.customer.consents == []


@pytest.mark.parametrize(
    "no",
    [
        {"channel": "E-Mail"},
        {"topic": "Weekly News"},
        {"purpose": "newsletter"},
        {"channel": ["email"], "topic": 7},
    ],
)
def test_a_no_that_cannot_be_read_is_a_no_to_all_of_it(drive: Any, no: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event("profile.updated", email="ada@example.com")
    ada.event("consent.changed", granted=False, **no)

    ada.event("start")

    assert ada.reasons("suppressed") == ["no_consent"]


def test_an_unsubscription_from_a_misspelt_topic_is_one_from_all(drive: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event("profile.updated", email="ada@example.com")
    ada.event("message.unsubscribed", channel="email", topic="Weekly News")

    ada.event("start")

    assert ada.reasons("suppressed") == ["no_consent"]


@pytest.mark.parametrize("bounce", ["soft", "Transient", None])
def test_only_a_hard_bounce_suppresses(drive: Any, bounce: Any) -> None:
    ada = drive(sends(PLAIN), channels=EMAIL)
    ada.event("profile.updated", email="ada@example.com")
    ada.event("message.bounced", channel="email", bounce=bounce)

    ada.event("start")

    assert ada.reasons("suppressed") == ["bounce_cool_down"]
