"""Double opt-in: a yes that is requested, confirmed, and what waits for it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    ConsentDefault,
    ExitRule,
    Goal,
    Holdout,
    Journey,
    Policies,
    Send,
    Wait,
    days,
    event,
    hours,
    on,
)
from journeykit.engine.customer import Consent
from journeykit.engine.guards import ChannelRules


def news(*steps: Any, **options: Any) -> Journey:
    listed = steps or (
        Send("email", "welcome", id="a"),
        Wait(days(1)),
        Send("email", "tips", id="b"),
    )
    return Journey(
        id="news", trigger=on("signed.up"), steps=listed, topic="news", **options
    )


ASK = Journey(
    id="ask",
    trigger=on("consent.requested"),
    purpose="transactional",
    reentry="always",
    steps=[Send("email", "please-confirm")],
)
SHOP = Journey(
    id="shop", trigger=on("start"), reentry="always", steps=[Send("email", "offer")]
)


def says(ada: Any, name: str, at: str | None = None, /, **properties: Any) -> list[str]:
    """Something is said whose properties have a `source`, which `event` means otherwise."""
    made = ada.stimulus(name, at)
    told = ada.react(replace(made, properties=properties), now=made.received_at)
    return list(told)


def test_who_asks_gets_nothing_but_the_question_until_they_confirm(drive: Any) -> None:
    ada = drive(ASK, SHOP)

    says(ada, "consent.requested", channel="email", source="footer")
    ada.event("start", "+1h")

    assert ada.sent == ["please-confirm +0s"]
    assert ada.runs[0].unconfirmed
    assert ada.customer.consents == [
        Consent(False, ada.ms("+0h"), "email", "", "marketing", "footer", True)
    ]


def test_nothing_of_a_run_happens_until_the_confirmation_and_delays_count_from_it(
    drive: Any,
) -> None:
    ada = drive(news())
    says(ada, "consent.requested", channel="email", topic="news", source="footer")
    assert ada.event("signed.up", "+1h") == ["entered", "parked unconfirmed"]
    ada.until("+72h")
    assert (ada.sent, ada.run.visit) == ([], 0)

    says(ada, "consent.confirmed", "+72h", channel="email", source="link")
    ada.until("+200h")

    assert ada.sent == ["welcome +72h", "tips +96h"]
    assert "went_on confirmed" in ada.did
    assert ada.did[-1] == "completed"
    word = Consent(True, ada.ms("+72h"), "email", "news", "marketing", "link")
    assert ada.customer.consents == [replace(word, over=ada.ms("+0h"))]


def test_a_yes_in_so_many_words_confirms_too(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email", topic="news")
    ada.event("signed.up")

    ada.event("consent.changed", "+1h", granted=True, channel="email")

    assert ada.sent == ["welcome +1h"]
    assert not any(word.pending for word in ada.customer.consents)


def test_who_says_no_instead_leaves(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")

    ada.event("message.unsubscribed", "+1h", channel="email")
    ada.event("consent.confirmed", "+2h", channel="email")

    assert ada.did[-2:] == ["exited not_confirmed", "ignored nothing_to_confirm"]
    assert (ada.sent, ada.runs) == ([], [])


def test_nobody_waits_longer_than_the_link_is_good(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up", "+1h")
    ada.until("+719h")
    assert ada.runs

    ada.until("+720h")

    assert ada.did[-1] == "exited not_confirmed"
    assert ada.due is None


def test_a_request_that_is_made_again_is_waited_for_anew(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")
    ada.event("consent.requested", "+240h", channel="email")
    ada.until("+720h")
    assert ada.due_in == "+960h"

    ada.event("consent.confirmed", "+800h", channel="email")

    assert ada.sent == ["welcome +800h"]


def test_a_confirmation_holds_however_late_the_event_comes(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")

    ada.event("consent.confirmed", "+72h", occurred="+1h", channel="email")

    assert ada.sent == ["welcome +72h"]
    assert "ignored too_late" in ada.did


def test_an_author_may_let_everybody_proceed(drive: Any) -> None:
    ada = drive(news(on_unconfirmed="proceed"))
    ada.event("consent.requested", channel="email")

    ada.event("signed.up")
    ada.event("consent.confirmed", "+1h", channel="email")
    ada.until("+48h")

    assert ada.sent == ["tips +24h"]
    assert ada.details("suppressed")[0]["rule"] == "not confirmed yet"


@pytest.mark.parametrize(
    "journey",
    [
        pytest.param(news(purpose="transactional"), id="all of it"),
        pytest.param(
            news(Send("email", "welcome", purpose="transactional")), id="each Send"
        ),
    ],
)
def test_what_is_transactional_waits_for_nothing(drive: Any, journey: Journey) -> None:
    ada = drive(journey)
    ada.event("consent.requested", channel="email")

    ada.event("signed.up")

    assert ada.sent[0] == "welcome +0s"


def test_a_request_about_another_topic_or_channel_is_not_waited_for(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email", topic="offers")
    ada.event("consent.requested", channel="sms")

    ada.event("signed.up")

    assert ada.sent == ["welcome +0s"]


def test_who_may_be_written_to_by_email_does_not_wait_for_the_sms(drive: Any) -> None:
    both = news(Send("email", "welcome"), Send("sms", "nudge"))
    ada = drive(both)
    ada.event("consent.requested", channel="sms")

    ada.event("signed.up")

    assert ada.sent == ["welcome +0s"]
    assert ada.reasons("suppressed") == ["no_consent"]


def _push(profile: Any, customer: str) -> Any:
    return profile.get("token")


@pytest.mark.parametrize(("token", "sent"), [(None, []), ("t", ["welcome +0s"])])
def test_a_channel_without_an_address_is_no_reason_not_to_wait(
    drive: Any, token: str | None, sent: list[str]
) -> None:
    channels = {"push": ChannelRules(address=_push, normalize=str)}
    ada = drive(news(Send(["push", "email"], "welcome")), channels=channels)
    ada.event("profile.updated", token=token)
    ada.event("consent.requested", channel="email")

    ada.event("signed.up")

    assert ada.sent == sent


def test_where_nothing_may_be_said_anyway_nobody_waits(drive: Any) -> None:
    refuse = Policies(consent=[ConsentDefault("refuse")])
    ada = drive(news(), policies=refuse)
    ada.event("consent.requested", channel="sms")

    ada.event("signed.up")
    ada.until("+48h")

    assert ada.reasons("suppressed") == ["no_consent", "no_consent"]
    assert ada.did[-1] == "completed"


def test_goals_and_exit_rules_act_on_a_run_that_waits(drive: Any) -> None:
    journey = news(
        goal=Goal(on("order.placed")), exit_rules=[ExitRule(on("closed"), "closed")]
    )
    ada, bob = drive(journey), drive(journey)
    for who in (ada, bob):
        who.event("consent.requested", channel="email")
        who.event("signed.up")

    ada.event("order.placed")
    bob.event("closed")

    assert ada.did[-1] == "exited goal_reached"
    assert bob.did[-1] == "exited closed"


def test_held_out_people_wait_for_nothing(drive: Any) -> None:
    ada = drive(
        news(holdout=Holdout(99.99), goal=Goal(on("order.placed"), within=days(7)))
    )
    ada.event("consent.requested", channel="email")

    ada.event("signed.up")
    ada.event("consent.confirmed", "+1h", channel="email")

    assert ada.run.held_out
    assert not ada.run.unconfirmed
    assert ada.sent == []


def test_each_keyed_run_begins_at_the_confirmation(drive: Any) -> None:
    journey = Journey(
        id="orders",
        trigger=on("order.placed"),
        key=event.order,
        steps=[Send("email", "thanks")],
    )
    ada = drive(journey)
    ada.event("consent.requested", channel="email")
    ada.event("order.placed", order="1")
    ada.event("order.placed", "+1h", order="2")

    ada.event("consent.confirmed", "+2h", channel="email")

    assert ada.sent == ["thanks +2h", "thanks +2h"]
    assert ada.runs == []


def test_a_paused_journey_begins_when_it_goes_on(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")
    ada.state("news", "paused")

    ada.event("consent.confirmed", "+1h", channel="email")
    assert ada.did[-1] == "parked paused"
    ada.state("news", "live")
    ada.wake("+2h")

    assert ada.sent == ["welcome +2h"]


def test_a_stopped_journey_ends_for_who_waits_too(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")
    ada.state("news", "stopped")

    ada.event("consent.confirmed", "+1h", channel="email")

    assert "exited stopped" in ada.did
    assert (ada.sent, ada.runs) == ([], [])


def test_a_journey_that_has_ended_ends_for_who_waits_too(drive: Any) -> None:
    ada = drive(news(ends_at="2026-06-05T12:00:00Z", on_end="eject"))
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")

    ada.until("+200h")

    assert ada.did[-1] == "exited journey_ended"


def test_who_waits_can_be_removed_and_restarted(drive: Any) -> None:
    ada = drive(news(reentry="restart"))
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")
    ada.event("signed.up", "+1h")
    assert "exited restarted" in ada.did

    ada.event("consent.confirmed", "+2h", channel="email")

    assert ada.sent == ["welcome +2h"]


def test_a_request_undoes_no_no(drive: Any) -> None:
    ada = drive(SHOP, ASK)
    ada.event("consent.changed", granted=False, channel="email")

    ada.event("consent.requested", "+1h", channel="email")
    ada.event("start", "+2h")

    assert ada.sent == []
    assert len(ada.customer.consents) == 2


def test_a_confirmation_undoes_the_no_to_the_same(drive: Any) -> None:
    ada = drive(SHOP)
    ada.event("message.unsubscribed", channel="email")
    ada.event("consent.requested", "+1h", channel="email")

    ada.event("consent.confirmed", "+2h")
    ada.event("start", "+3h")

    assert ada.sent == ["offer +3h"]


def test_a_confirmation_holds_against_an_older_unsubscription_from_more(
    drive: Any,
) -> None:
    ada = drive(ASK, SHOP, news())
    ada.event("message.unsubscribed", channel="email")
    ada.event("consent.requested", "+1h", channel="email", topic="news")

    ada.event("signed.up", "+2h")
    assert ada.sent == ["please-confirm +1h"]
    ada.event("consent.confirmed", "+3h", channel="email", topic="news")
    ada.event("start", "+4h")

    assert ada.sent == ["please-confirm +1h", "welcome +3h"]  # and no offer
    assert ada.details("suppressed")[-1]["rule"] == "refused by the customer"
    told = ada.event("consent.requested", "+5h", channel="email", topic="news")
    assert "ignored granted_already" in told


def test_it_holds_however_often_the_yes_is_said_and_until_the_next_no(
    drive: Any,
) -> None:
    ada = drive(news(Send("email", "welcome"), reentry="always"))
    ada.event("message.unsubscribed", channel="email")
    about = {"channel": "email", "topic": "news"}
    ada.event("consent.requested", "+1h", **about)
    ada.event("consent.confirmed", "+2h", **about)
    ada.event("consent.changed", "+3h", granted=True, purpose="marketing", **about)

    ada.event("signed.up", "+4h")
    ada.event("message.unsubscribed", "+5h", channel="email")
    ada.event("signed.up", "+6h")

    assert ada.sent == ["welcome +4h"]


@pytest.mark.parametrize(
    ("no", "properties"),
    [
        ("message.replied", {"channel": "email", "keyword": "stop"}),
        ("message.unsubscribed", {"channel": "email", "purpose": ""}),
        ("message.complained", {"channel": "email"}),
        ("consent.changed", {"granted": False}),
    ],
    ids=["stop", "provider", "complaint", "everything"],
)
def test_a_confirmation_holds_against_no_no_to_more_than_marketing(
    drive: Any, no: str, properties: dict[str, Any]
) -> None:
    ada = drive(news())
    ada.event(no, **properties)
    ada.event("consent.requested", "+1h", channel="email", topic="news")

    ada.event("consent.confirmed", "+2h", channel="email", topic="news")
    ada.event("signed.up", "+3h")

    assert ada.sent == []


def test_a_confirmation_of_all_topics_holds_against_no_no_to_one(drive: Any) -> None:
    ada = drive(news(), SHOP)
    ada.event("message.unsubscribed", channel="email", topic="news")
    ada.event("consent.requested", "+1h", channel="email")

    ada.event("consent.confirmed", "+2h", channel="email")
    ada.event("signed.up", "+3h")
    ada.event("start", "+4h")

    assert ada.sent == ["offer +4h"]


def test_a_no_that_came_after_the_request_outlives_its_confirmation(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email", topic="news")
    ada.event("message.unsubscribed", "+1h", topic="news")  # of every channel
    ada.event("consent.requested", "+1h", channel="sms", topic="news")

    ada.event("consent.confirmed", "+2h")
    ada.event("signed.up", "+3h")

    assert ada.sent == []


def test_what_was_granted_need_not_be_confirmed_again(drive: Any) -> None:
    ada = drive(SHOP)
    says(ada, "consent.changed", granted=True, channel="email", source="desk")

    told = ada.event("consent.requested", "+1h", channel="email", topic="news")
    ada.event("start", "+2h")

    assert told == ["ignored granted_already"]
    assert ada.sent == ["offer +2h"]


def test_a_confirmation_grants_no_more_than_was_asked_for(drive: Any) -> None:
    ada = drive(SHOP, policies=Policies(consent=[ConsentDefault("refuse")]))
    ada.event("consent.requested", channel="email", topic="news")

    ada.event("consent.confirmed", channel="email")
    ada.event("start", "+1h")

    assert ada.reasons("suppressed") == ["no_consent"]


def test_a_request_for_all_channels_is_confirmed_for_the_one_that_was_proven(
    drive: Any,
) -> None:
    ada = drive(news(Send("email", "welcome"), Send("sms", "nudge")))
    ada.event("consent.requested", topic="news")
    ada.event("signed.up")

    ada.event("consent.confirmed", "+1h", channel="email")

    assert ada.sent == ["welcome +1h"]
    assert ada.details("suppressed")[0]["rule"] == "not confirmed yet"


def test_a_link_that_is_followed_again_undoes_no_no_that_came_after_it(
    drive: Any,
) -> None:
    ada = drive(SHOP)
    ada.event("consent.requested")
    ada.event("consent.confirmed", "+1h", channel="email")
    ada.event("message.unsubscribed", "+2h", channel="email")

    told = ada.event("consent.confirmed", "+3h", channel="email")
    ada.event("start", "+4h")

    assert told == ["ignored nothing_to_confirm"]
    assert ada.sent == []


def test_a_confirmation_of_one_topic_leaves_the_other_waiting(drive: Any) -> None:
    ada = drive()
    ada.event("consent.requested", topic="news")
    ada.event("consent.requested", topic="offers")

    ada.event("consent.confirmed", "+1h", topic="news")

    assert [(w.topic, w.granted) for w in ada.customer.consents] == [
        ("offers", False),
        ("news", True),
    ]


def test_an_old_link_grants_nothing_to_who_was_erased_and_came_back(drive: Any) -> None:
    ada = drive(news())
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")
    ada.customer = None
    ada.trace.clear()

    told = ada.event("consent.confirmed", "+1h", channel="email")

    assert told == ["ignored nothing_to_confirm"]
    assert (ada.customer.consents, ada.runs, ada.sent) == ([], [], [])


@pytest.mark.parametrize("name", ["consent.requested", "consent.confirmed"])
@pytest.mark.parametrize("nonsense", [{"channel": "E-Mail"}, {"topic": ["news"]}])
def test_what_cannot_be_read_is_no_request_and_no_confirmation(
    drive: Any, name: str, nonsense: Any
) -> None:
    ada = drive()
    ada.event("consent.requested", channel="email")

    assert ada.event(name, **nonsense) == ["ignored malformed_consent"]

    assert [word.pending for word in ada.customer.consents] == [True]


def test_a_yes_that_was_said_before_the_no_does_not_undo_it(drive: Any) -> None:
    ada = drive(SHOP)
    ada.event("consent.changed", "+2h", granted=False, channel="email")

    told = ada.event(
        "consent.changed", "+3h", occurred="+1h", granted=True, channel="email"
    )
    ada.event("start", "+4h")

    assert told == ["ignored stale_consent"]
    assert ada.sent == []


def test_clocks_that_differ_a_little_undo_no_yes(drive: Any) -> None:
    ada = drive(SHOP)
    ada.event("consent.changed", "+2h", granted=False, channel="email")

    ada.event(
        "consent.changed", "+2h1m", occurred="+1h58m", granted=True, channel="email"
    )
    ada.event("start", "+4h")

    assert ada.sent == ["offer +4h"]


@pytest.mark.parametrize(
    ("source", "kept"),
    [("footer-form", "footer-form"), (7, ""), ("x" * 100, "x" * 64), ("a\nb", "a\\nb")],
)
def test_the_source_of_a_word_is_kept_as_a_name(
    drive: Any, source: Any, kept: str
) -> None:
    ada = drive()

    says(ada, "consent.changed", granted=True, channel="email", source=source)

    assert ada.customer.consents[0].source == kept


def test_how_many_requests_there_are_is_bounded_and_a_no_is_the_last_to_go(
    drive: Any,
) -> None:
    ada = drive()
    ada.event("consent.changed", granted=False, topic="never")
    for n in range(205):
        ada.event("consent.requested", f"+{n + 1}m", topic=f"t{n}")

    words = ada.customer.consents

    assert len(words) == 200
    assert words[0].topic == "never"


def test_a_run_waits_across_an_hour_that_the_customer_lacks(drive: Any) -> None:
    ada = drive(news(), start="2026-03-28T12:00:00+00:00")
    ada.event("profile.updated", zone="Europe/Berlin")
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")

    ada.event("consent.confirmed", "+1h", channel="email")
    ada.until("+48h")

    assert ada.sent == ["welcome +1h", "tips +24h"]  # a day of 23 hours


def test_hours_of_waiting_do_not_make_a_message_too_late(drive: Any) -> None:
    ada = drive(news(Send("email", "welcome", expires_after=hours(1))))
    ada.event("consent.requested", channel="email")
    ada.event("signed.up")

    ada.event("consent.confirmed", "+100h", channel="email")

    assert ada.sent == ["welcome +100h"]
