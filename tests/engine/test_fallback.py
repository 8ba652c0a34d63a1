"""A Send over several channels that waits for word of each before it tries the next."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    Branch,
    Cap,
    ConsentDefault,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Repeat,
    Send,
    SendMessage,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    hours,
    on,
)
from journeykit.engine.guards import ChannelRules
from journeykit.engine.ids import delivery_id
from journeykit.engine.plan import JourneyPlan
from journeykit.engine.steps import SAME_ADDRESS

ALL = ["push", "sms", "email"]
AFTER = Send("letter", "after")


def first(*channels: str, **options: Any) -> Send:
    given: dict[str, Any] = {"fallback_after": hours(2), **options}
    return Send(list(channels) or ALL, "news", id="news", **given)


def journey(*steps: Any, **options: Any) -> Journey:
    given = {"id": "j", "trigger": on("start"), "steps": steps or [first(), AFTER]}
    return Journey(**{**given, **options})


def started(drive: Any, *steps: Any, **options: Any) -> Any:
    """A customer who has got the push at noon."""
    policies = options.pop("policies", None)
    channels = options.pop("channels", None)
    ada = drive(journey(*steps, **options), policies=policies, channels=channels)
    ada.event("start")
    return ada


def over(ada: Any) -> list[str]:
    """Over which channel each message went, and when."""
    pairs = zip(ada.commands, ada.sent, strict=True)
    return [f"{c.channel} {said.rpartition(' ')[2]}" for c, said in pairs]


def hears(
    ada: Any, fate: str, at: str, /, *, of: SendMessage | None = None, **more: Any
) -> list[str]:
    """A provider says what has become of the last message, or of another."""
    message = of or ada.commands[-1]
    told: list[str] = ada.event(
        f"message.{fate}",
        at,
        delivery_id=message.delivery_id,
        enrollment=message.enrollment,
        channel=message.channel,
        **more,
    )
    return told


def addressed(**attributes: str) -> dict[str, ChannelRules]:
    """Channels whose address is an attribute of the profile."""

    def rules(attribute: str) -> ChannelRules:
        def address(profile: Any, customer: str) -> Any:
            return profile.get(attribute)

        return ChannelRules(address=address, normalize=str)

    return {channel: rules(attribute) for channel, attribute in attributes.items()}


# --- time ---------------------------------------------------------------------------


def test_each_channel_has_its_time(drive: Any) -> None:
    ada = started(drive)

    ada.until("+10h")

    assert over(ada) == ["push +0s", "sms +2h", "email +4h", "letter +4h"]


def test_meanwhile_the_run_waits_at_its_step(drive: Any) -> None:
    ada = started(drive)

    assert ada.did == ["entered", "sent news", "waiting fallback"]
    assert (ada.run.step, ada.run.tried, ada.due_in) == ("news", 1, "+2h")


def test_behind_the_last_channel_nobody_waits(drive: Any) -> None:
    ada = started(drive)

    told = [ada.wake("+2h"), ada.wake("+4h")]

    assert told == [
        ["fell_back timeout", "sent news", "waiting fallback"],
        ["fell_back timeout", "sent news", "sent after", "completed"],
    ]


def test_without_it_a_message_is_done_when_it_is_released(drive: Any) -> None:
    ada = started(drive, first(fallback_after=None), AFTER)

    assert over(ada) == ["push +0s", "letter +0s"]


def test_days_are_those_of_the_customer(drive: Any) -> None:
    ada = drive(
        journey(first(fallback_after=days(1), expires_after="never")),
        start="2026-03-07T17:00:00Z",
    )
    ada.event("profile.updated", zone="America/New_York")

    ada.event("start")  # noon in New York, where the clocks go forward that night

    assert ada.due_in == "+23h"


def test_a_late_tick_gives_a_channel_all_of_its_time(drive: Any) -> None:
    ada = started(drive, Wait(hours(1)), first())

    ada.wake("+9h")
    ada.until("+20h")

    assert over(ada) == ["push +9h", "sms +11h", "email +13h"]


def test_the_ids_differ_by_the_channels_position(drive: Any) -> None:
    ada = started(drive, first())

    ada.until("+10h")

    run = ada.commands[0].enrollment
    assert [message.delivery_id for message in ada.commands] == [
        delivery_id(run, "news", 1, position) for position in range(3)
    ]


def test_a_message_expires_when_the_next_one_has_its_turn(drive: Any) -> None:
    ada = started(drive, first())

    ada.until("+10h")

    assert [message.expires_at for message in ada.commands] == [
        ada.ms("+2h"),
        ada.ms("+4h"),
        ada.ms("+24h"),
    ]


def test_a_step_that_expires_earlier_keeps_its_word(drive: Any) -> None:
    ada = started(drive, first(expires_after=hours(3)), AFTER)

    ada.until("+10h")

    assert over(ada) == ["push +0s", "sms +2h", "letter +4h"]
    assert ada.commands[1].expires_at == ada.ms("+3h")
    assert ada.reasons("suppressed") == ["expired"]


# --- word that it has done its work -------------------------------------------------

ENOUGH = [
    *[("delivered", fate) for fate in ("delivered", "opened", "clicked", "replied")],
    *[("delivered", "dismissed"), ("delivered", "complained")],
    *[("opened", fate) for fate in ("opened", "clicked", "replied", "unsubscribed")],
    *[("clicked", "clicked"), ("clicked", "complained"), ("replied", "replied")],
]


@pytest.mark.parametrize(("unless", "fate"), ENOUGH)
def test_word_of_it_lets_the_run_go_on_at_once(
    drive: Any, unless: str, fate: str
) -> None:
    ada = started(drive, first(fallback_unless=unless), AFTER)

    told = hears(ada, fate, "+1h")

    assert "went_on event" in told
    assert over(ada) == ["push +0s", "letter +1h"]
    assert ada.did[-1] == "completed"


NOT_ENOUGH = [
    *[("delivered", fate) for fate in ("sent", "deferred", "uncertain")],
    *[("opened", "delivered"), ("clicked", "opened"), ("clicked", "replied")],
    *[("replied", "delivered"), ("replied", "clicked")],
]


@pytest.mark.parametrize(("unless", "fate"), NOT_ENOUGH)
def test_less_than_that_changes_nothing(drive: Any, unless: str, fate: str) -> None:
    ada = started(drive, first(fallback_unless=unless), AFTER)

    told = hears(ada, fate, "+1h")
    ada.until("+2h")

    assert "went_on event" not in told
    assert over(ada) == ["push +0s", "sms +2h"]


def test_word_of_somebody_elses_message_changes_nothing(drive: Any) -> None:
    ada = started(drive)

    told = hears(
        ada, "delivered", "+1h", of=replace(ada.commands[0], delivery_id="another")
    )

    assert told == []
    assert ada.run.tried == 1


def test_late_word_of_an_earlier_channel_counts_too(drive: Any) -> None:
    ada = started(drive)
    ada.wake("+2h")

    hears(ada, "delivered", "+3h", of=ada.commands[0])
    ada.until("+10h")

    assert over(ada) == ["push +0s", "sms +2h", "letter +3h"]


def test_word_in_the_last_moment_counts(drive: Any) -> None:
    ada = started(drive)

    hears(ada, "delivered", "+2h")
    ada.until("+10h")

    assert over(ada) == ["push +0s", "letter +2h"]


def test_who_got_it_at_the_same_address_stands_for_all(drive: Any) -> None:
    ada = started(drive, first(once_per_address=True), AFTER)

    hears(ada, "failed", "+1m", reason=SAME_ADDRESS)

    assert over(ada) == ["push +0s", "letter +1m"]


# --- word that it did not arrive ----------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "more"),
    [
        ("bounced", {"bounce": "hard"}),
        ("bounced", {"bounce": "soft"}),
        ("rejected", {}),
        ("failed", {"reason": "gave_up"}),
    ],
)
def test_the_next_channel_follows_at_once(
    drive: Any, fate: str, more: dict[str, str]
) -> None:
    ada = started(drive)

    hears(ada, fate, "+1m", **more)

    assert ada.reasons("fell_back") == [fate]
    assert over(ada) == ["push +0s", "sms +1m"]
    assert ada.due_in == "+2h1m"  # its own time begins with it


def test_that_an_earlier_one_did_not_arrive_is_no_news(drive: Any) -> None:
    ada = started(drive)
    ada.wake("+2h")

    hears(ada, "failed", "+3h", of=ada.commands[0])

    assert over(ada) == ["push +0s", "sms +2h"]
    assert ada.due_in == "+4h"


def test_the_failure_of_the_last_one_moves_nobody(drive: Any) -> None:
    ada = started(drive, first("push", "sms"), WaitFor([When(on("never"))]))
    ada.until("+2h")

    hears(ada, "failed", "+3h")

    assert over(ada) == ["push +0s", "sms +2h"]
    assert ada.run.step == "wait-for-never"


# --- the guards ---------------------------------------------------------------------


def test_a_channel_that_is_refused_is_passed_over(drive: Any) -> None:
    ada = drive(journey(), channels=addressed(sms="phone"))
    ada.event("start")

    ada.until("+10h")

    assert over(ada) == ["push +0s", "email +2h", "letter +2h"]
    assert ada.commands[1].delivery_id == delivery_id(
        ada.commands[1].enrollment, "news", 1, 2
    )


def test_nobody_waits_for_channels_that_can_reach_nobody(drive: Any) -> None:
    ada = drive(journey(), channels=addressed(sms="phone", email="email"))

    told = ada.event("start")

    assert told == ["entered", "sent news", "sent after", "completed"]
    assert ada.commands[0].expires_at == ada.ms("+24h")


def test_one_without_consent_can_reach_nobody(drive: Any) -> None:
    consent = [ConsentDefault("refuse", channel="sms"), ConsentDefault("allow")]
    ada = started(drive, first("push", "sms"), policies=Policies(consent=consent))

    assert ada.did[-1] == "completed"


def test_one_that_is_suppressed_can_reach_nobody(drive: Any) -> None:
    ada = drive(journey(first("push", "sms")))
    ada.event("message.complained", channel="sms")

    ada.event("start")

    assert ada.did[-1] == "completed"


def test_an_address_that_comes_in_time_is_used(drive: Any) -> None:
    ada = drive(journey(), channels=addressed(sms="phone"))
    ada.event("start")

    ada.event("profile.updated", "+1h", phone="123")
    ada.until("+2h")

    assert over(ada) == ["push +0s", "sms +2h"]


@pytest.mark.parametrize("option", ["on_refused", "on_capped"])
def test_who_got_a_message_does_not_leave_for_want_of_another(
    drive: Any, option: str
) -> None:
    policies = Policies(caps=[Cap(1, within=hours(24))])
    ada = started(drive, first(**{option: "exit"}), policies=policies)
    if option == "on_refused":
        ada.event("consent.changed", "+1h", granted=False)

    ada.until("+2h")

    assert over(ada) == ["push +0s"]
    assert len(ada.reasons("suppressed")) == 1
    assert ada.did[-1] == "completed"


def test_who_got_none_leaves_as_ever(drive: Any) -> None:
    ada = drive(
        journey(first(on_refused="exit")),
        policies=Policies(consent=[ConsentDefault("refuse")]),
    )

    ada.event("start")

    assert ada.reasons("exited") == ["no_consent"]


def test_each_message_counts_for_caps(drive: Any) -> None:
    policies = Policies(caps=[Cap(1, within=hours(24))])
    ada = started(drive, first(), policies=policies)

    ada.until("+10h")

    assert over(ada) == ["push +0s"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_one_that_failed_does_not_count(drive: Any) -> None:
    policies = Policies(caps=[Cap(1, within=hours(24))])
    ada = started(drive, first(), policies=policies)

    hears(ada, "failed", "+1m")

    assert over(ada) == ["push +0s", "sms +1m"]


NIGHT = Policies(quiet_hours=[QuietHours(Window("13:00", "20:00"), channel="sms")])


def test_quiet_hours_hold_the_next_channel_back(drive: Any) -> None:
    ada = started(drive, policies=NIGHT)

    ada.until("+2h")

    assert over(ada) == ["push +0s"]
    assert ada.reasons("deferred") == ["quiet_hours"]
    assert (ada.run.standing, ada.due_in) == (True, "+8h")

    ada.until("+24h")

    assert over(ada) == ["push +0s", "sms +8h", "email +10h", "letter +10h"]


def test_word_that_comes_meanwhile_spares_the_message(drive: Any) -> None:
    ada = started(drive, policies=NIGHT)
    ada.until("+2h")

    hears(ada, "opened", "+3h")
    ada.until("+24h")

    assert over(ada) == ["push +0s", "letter +3h"]


def test_that_the_first_failed_is_no_news_meanwhile(drive: Any) -> None:
    ada = started(drive, policies=NIGHT)
    ada.until("+2h")

    hears(ada, "failed", "+3h")

    assert ada.reasons("fell_back") == ["timeout"]
    assert (ada.run.standing, ada.due_in) == (True, "+8h")


# --- messages that come back --------------------------------------------------------


def test_the_time_counts_from_the_decision(drive: Any) -> None:
    ada = started(drive)

    ada.returns("+30m", "+1m")
    ada.until("+10h")

    assert over(ada) == ["push +0s", "push +30m", "sms +2h", "email +4h", "letter +4h"]
    assert ada.commands[0].delivery_id == ada.commands[1].delivery_id


def test_what_can_not_go_before_the_next_turn_makes_it_come_at_once(drive: Any) -> None:
    ada = started(drive)

    told = ada.returns("+3h", "+5m", reason="breaker")

    assert told == [
        "suppressed expired",
        "fell_back not_sent",
        "sent news",
        "waiting fallback",
    ]
    assert over(ada) == ["push +0s", "sms +5m"]
    assert ada.due_in == "+2h5m"


def test_what_is_refused_when_it_is_asked_again_lets_the_next_follow(
    drive: Any,
) -> None:
    ada = started(drive)
    ada.returns("+30m", "+1m")
    ada.event("consent.changed", "+10m", granted=False, channel="push")

    told = ada.wake("+30m")

    assert told == [
        "suppressed no_consent",
        "fell_back not_sent",
        "sent news",
        "waiting fallback",
    ]


def test_what_is_still_held_at_the_next_turn_is_given_up(drive: Any) -> None:
    ada = started(drive)
    ada.returns("+30m", "+1m")

    ada.wake("+5h")  # nobody looked for hours
    ada.until("+20h")

    assert over(ada) == ["push +0s", "sms +5h", "email +7h", "letter +7h"]
    assert ada.customer.held == []


def test_what_comes_back_behind_its_time_is_given_up(drive: Any) -> None:
    ada = started(drive)
    ada.wake("+2h")

    told = ada.returns("+3h", "+2h1m", message=ada.commands[0])

    assert told == ["suppressed expired"]
    assert ada.customer.held == []


def test_what_comes_back_of_a_step_that_is_over_is_given_up(drive: Any) -> None:
    ada = started(drive, first(), WaitFor([When(on("never"))]))
    ada.until("+10h")

    told = ada.returns("+11h", "+10h", message=ada.commands[0])

    assert told == ["suppressed expired"]


def test_a_message_that_was_asked_for_again_is_waited_for(drive: Any) -> None:
    ada = started(drive)
    ada.returns("+30m", "+1m")

    told = ada.wake("+30m")

    assert told == ["sent news"]
    assert ada.due_in == "+2h"


# --- what ends it -------------------------------------------------------------------


def test_a_goal_ends_the_run_and_the_rest(drive: Any) -> None:
    ada = started(drive, goal=Goal(on("bought")))

    ada.event("bought", "+1h")
    ada.until("+10h")

    assert over(ada) == ["push +0s"]


def test_so_does_an_exit_rule(drive: Any) -> None:
    ada = started(drive, exit_rules=[on("gone")])

    ada.event("gone", "+1h")
    ada.until("+10h")

    assert over(ada) == ["push +0s"]


def test_a_stopped_journey_sends_no_other(drive: Any) -> None:
    ada = started(drive)

    ada.state("j", "stopped")
    ada.until("+10h")
    ada.wake("+11h")

    assert over(ada) == ["push +0s"]
    assert ada.reasons("exited") == ["stopped"]


def test_a_paused_journey_parks_before_the_next_channel(drive: Any) -> None:
    ada = started(drive)

    ada.state("j", "paused")
    ada.until("+10h")

    assert over(ada) == ["push +0s"]
    assert ada.reasons("parked") == ["paused"]

    ada.state("j", "live")
    ada.wake("+12h")
    ada.until("+20h")

    assert over(ada) == ["push +0s", "sms +12h", "email +14h", "letter +14h"]
    ids = [message.delivery_id for message in ada.commands[:3]]
    run = ada.commands[0].enrollment
    assert ids == [delivery_id(run, "news", 1, position) for position in range(3)]


@pytest.mark.parametrize("when", ["+1h", "+3h"], ids=["waiting", "parked"])
def test_word_of_it_counts_in_a_pause(drive: Any, when: str) -> None:
    ada = started(drive)
    ada.state("j", "paused")
    ada.until("+30m" if when == "+1h" else "+2h")

    hears(ada, "delivered", when)

    assert ada.run.step == "send-letter-after"
    assert over(ada) == ["push +0s"]

    ada.state("j", "live")
    ada.wake("+12h")

    assert over(ada) == ["push +0s", "letter +12h"]


def test_a_message_held_in_a_pause_is_given_up_when_its_time_is_over(
    drive: Any,
) -> None:
    ada = started(drive)
    ada.state("j", "paused")
    ada.returns("+1m", "+1m", reason="paused")
    ada.until("+10h")

    ada.state("j", "live")
    ada.wake("+12h")

    assert over(ada) == ["push +0s", "sms +12h"]
    assert ada.customer.held == []


def test_a_message_held_in_a_short_pause_still_goes(drive: Any) -> None:
    ada = started(drive)
    ada.state("j", "paused")
    ada.returns("+1m", "+1m", reason="paused")
    ada.until("+30m")

    ada.state("j", "live")
    ada.wake("+1h")
    ada.until("+2h")

    assert over(ada) == ["push +0s", "push +1h", "sms +2h"]


# --- with other steps ---------------------------------------------------------------


def test_a_step_behind_it_may_listen_from_here_on(drive: Any) -> None:
    listening = WaitFor(
        [When(on("message.opened"), [Send("letter", "opened")])],
        timeout=days(2),
        since="news",
    )
    ada = started(drive, first("push", "sms"), listening)

    hears(ada, "opened", "+1h")

    assert [said.split()[0] for said in ada.sent] == ["news", "opened"]


def test_in_a_loop_each_round_begins_with_the_first_channel(drive: Any) -> None:
    ada = started(drive, Repeat([first("push", "sms"), Wait(days(1))], times=2))

    ada.until("+100h")

    assert over(ada) == ["push +0s", "sms +2h", "push +26h", "sms +28h"]
    assert len({message.delivery_id for message in ada.commands}) == 4


def test_after_a_word_the_next_send_begins_with_its_first_channel(drive: Any) -> None:
    ada = started(drive, first("push", "sms"), first_of("email", "letter"))

    hears(ada, "delivered", "+1h")
    ada.until("+10h")

    assert over(ada) == ["push +0s", "email +1h", "letter +3h"]


def first_of(*channels: str) -> Send:
    return Send(list(channels), "more", id="more", fallback_after=hours(2))


def test_two_runs_wait_each_for_its_own(drive: Any) -> None:
    ada = drive(journey(first("push", "sms"), reentry="always"))
    ada.event("start")
    ada.event("start", "+1h")

    hears(ada, "delivered", "+90m", of=ada.commands[0])
    ada.until("+10h")

    assert over(ada) == ["push +0s", "push +1h", "sms +3h"]


def test_a_branch_behind_it_runs_when_it_is_over(drive: Any) -> None:
    ada = started(
        drive, first("push", "sms"), Branch([When("profile.vip == true", [AFTER])])
    )

    ada.event("profile.updated", "+1h", vip=True)
    ada.until("+10h")

    assert over(ada) == ["push +0s", "sms +2h", "letter +2h"]


def test_a_plan_of_an_earlier_release_has_no_fallback(drive: Any) -> None:
    document = journey(first(fallback_after=None)).to_plan()
    for name in ("fallback_after", "fallback_unless", "once_per_address"):
        del document["steps"][0][name]

    plan = JourneyPlan(document)

    assert plan.hears == frozenset()


# --- what the command says ----------------------------------------------------------


def test_a_command_says_whether_one_per_address_will_do(drive: Any) -> None:
    ada = started(drive, first(once_per_address=True))

    assert ada.commands[0].once
    assert not started(drive).commands[0].once


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("de-CH", "de-CH"),
        ("pt_BR", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("C", ""),
        ("../../etc", ""),
        ("de\n", ""),
        ("x" * 40, ""),
        ("en-" + "a-" * 20 + "a", ""),
        (["de"], ""),
        (None, ""),
    ],
    ids=str,
)
def test_a_command_says_the_customers_locale(
    drive: Any, locale: object, said: str
) -> None:
    ada = drive(journey())
    ada.event("profile.updated", locale=locale, name="Ada")

    ada.event("start")

    assert ada.commands[0].locale == said


@pytest.mark.parametrize(
    ("zone", "said"),
    [("Asia/Tokyo", "Asia/Tokyo"), ("Nowhere", "Europe/Rome"), (None, "Europe/Rome")],
    ids=str,
)
def test_a_command_says_the_zone_that_was_found(
    drive: Any, zone: str | None, said: str
) -> None:
    ada = drive(journey(zone="Europe/Rome"))
    ada.event("profile.updated", zone=zone, name="Ada")

    ada.event("start")

    assert ada.commands[0].zone == said
