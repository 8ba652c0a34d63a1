"""What was released and could not go: held, and asked about again when it may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from journeykit import (
    Cap,
    Catalog,
    Event,
    Exit,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Send,
    SendMessage,
    Stimulus,
    Update,
    Wait,
    WaitFor,
    WakeUp,
    When,
    Window,
    days,
    event,
    hours,
    minutes,
    on,
    profile,
    react,
)
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Held, created, encode
from journeykit.engine.guards import ChannelRules
from journeykit.engine.ids import enrollment_id
from journeykit.engine.limits import HELD, HELD_BYTES, SEEN_MS
from journeykit.engine.stimuli import Returned

NIGHT = QuietHours(Window("21:00", "08:00"))  # the customer's clock is UTC
ONE_A_DAY = Cap(1, within=hours(24))


def journey(*steps: Any, **options: Any) -> Journey:
    given = {"id": "j", "trigger": on("start"), "steps": steps or [Send("sms", "x")]}
    return Journey(**{**given, **options})


def sent(drive: Any, *journeys: Journey, policies: Policies | None = None) -> Any:
    """A customer whose message has gone out at noon."""
    ada = drive(*journeys or [journey()], policies=policies)
    ada.event("start")
    return ada


STAYS = WaitFor([When(on("never"))])


# --- coming back --------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["pace", "retry", "breaker"])
def test_a_message_that_comes_back_is_held(drive: Any, reason: str) -> None:
    ada = sent(drive)

    told = ada.returns("+30m", "+1m", reason=reason)

    assert told == [f"deferred {reason}"]
    assert ada.due_in == "+30m"
    assert ada.customer.held == [
        Held(ada.commands[0], since=ada.ms("+1m"), due=ada.ms("+30m"))
    ]


def test_the_trace_says_which_message_it_is_and_until_when(drive: Any) -> None:
    ada = sent(drive)

    ada.returns("+30m")

    entry = ada.trace[-1]
    assert (entry.journey, entry.step) == ("j", "send-sms-x")
    assert entry.enrollment == ada.commands[0].enrollment
    assert entry.detail == {
        "delivery_id": ada.commands[0].delivery_id,
        "until": ada.ms("+30m"),
    }


def test_when_it_is_due_it_goes_out_as_it_was(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x", variables={"n": event["n"]})))
    ada.returns("+30m", "+1m", attempts=2)

    assert ada.until("+1h") == ["sent x"]

    first, again = ada.commands
    assert again == replace(first, attempts=2)
    assert ada.details("sent")[1]["held"] is True
    assert ada.customer.held == []
    assert ada.due is None


def test_it_does_not_go_before(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")

    assert ada.wake("+29m") == []


def test_a_message_that_is_late_goes_out_at_the_instant_of_the_wake_up(
    drive: Any,
) -> None:
    ada = sent(drive)
    ada.returns("+30m")

    ada.wake("+2h")

    assert ada.sent == ["x +0s", "x +2h"]


def test_it_may_come_back_again_and_again(drive: Any) -> None:
    ada = sent(drive)
    for hour in (1, 2, 3):
        ada.returns(f"+{hour}h", f"+{hour - 1}h")
        ada.until(f"+{hour}h")

    assert ada.sent == ["x +0s", "x +1h", "x +2h", "x +3h"]
    assert len({command.delivery_id for command in ada.commands}) == 1


def test_the_same_return_again_is_ignored(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m", "+1m")

    assert ada.returns("+30m", "+1m") == ["ignored duplicate"]
    assert ada.returns("+45m", "+2m") == ["ignored duplicate"]
    assert len(ada.customer.held) == 1


def test_the_same_return_is_ignored_when_the_message_has_gone_since(
    drive: Any,
) -> None:
    ada = sent(drive)
    message = ada.commands[0]
    ada.returns("+30m", "+1m")
    ada.until("+30m")
    late = Returned(
        message=message,
        until=ada.ms("+30m"),
        reason="pace",
        received_at=ada.instant("+1m"),
    )

    assert ada.react(late, now=ada.instant("+40m")) == ["ignored duplicate"]
    assert ada.customer.held == []


def test_a_return_that_is_days_late_is_not_refused(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), purpose="transactional"))
    returned = Returned(
        message=ada.commands[0],
        until=ada.ms("+1m"),
        reason="pace",
        received_at=ada.instant("+0m"),
    )
    late = to_datetime(ada.ms("+0m") + SEEN_MS)

    assert ada.react(returned, now=late) == ["deferred pace"]
    assert ada.wake("+48h") == ["sent x"]


def test_what_would_expire_before_is_given_up_at_once(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x", expires_after=hours(1))))

    assert ada.returns("+1h") == ["suppressed expired"]
    assert ada.details("suppressed") == [
        {
            "delivery_id": ada.commands[0].delivery_id,
            "until": ada.ms("+1h"),
            "expires_first": ada.ms("+1h"),
        }
    ]
    assert ada.customer.held == []


def test_a_document_without_held_messages_does_not_tell_of_them(drive: Any) -> None:
    ada = sent(drive)

    assert b"held" not in encode(ada.customer)


def test_due_waits_come_first_when_a_message_returns(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Wait(hours(1)), Send("sms", "y")))

    told = ada.returns("+3h", "+2h")

    assert told == ["went_on due", "sent y", "completed", "deferred pace"]


# --- caps ---------------------------------------------------------------------------


def test_a_held_message_does_not_count_for_caps(drive: Any) -> None:
    other = journey(Send("sms", "y"), id="other", trigger=on("other"))
    ada = sent(drive, journey(), other, policies=Policies(caps=[ONE_A_DAY]))
    ada.returns("+30m")

    assert ada.event("other", "+1m") == ["entered", "sent y", "completed"]


def test_a_cap_is_asked_when_it_goes_again(drive: Any) -> None:
    other = journey(Send("sms", "y"), id="other", trigger=on("other"))
    ada = sent(drive, journey(), other, policies=Policies(caps=[ONE_A_DAY]))
    ada.returns("+30m")
    ada.event("other", "+1m")

    assert ada.until("+1h") == ["suppressed frequency_cap"]


def test_with_on_capped_defer_it_is_held_until_there_is_room(drive: Any) -> None:
    send = Send("sms", "x", on_capped="defer", expires_after=days(2))
    other = journey(Send("sms", "y"), id="other", trigger=on("other"))
    ada = sent(drive, journey(send), other, policies=Policies(caps=[ONE_A_DAY]))
    ada.returns("+30m")
    ada.event("other", "+1m")

    assert ada.until("+1h") == ["deferred frequency_cap"]
    assert ada.due == ada.instant("+1d1m")
    assert ada.until("+25h") == ["sent x"]


def test_it_counts_from_when_it_goes_again(drive: Any) -> None:
    ada = sent(drive, policies=Policies(caps=[ONE_A_DAY]))
    ada.returns("+1h")
    ada.until("+1h")

    (entry,) = ada.customer.ledger

    assert entry.at == ada.ms("+1h")


def test_a_lifetime_cap_gets_it_back_and_counts_it_once(drive: Any) -> None:
    ada = sent(drive, policies=Policies(caps=[Cap(1)]))

    ada.returns("+1h")
    assert set(ada.customer.counters.values()) == {0}

    assert ada.until("+1h") == ["sent x"]
    assert set(ada.customer.counters.values()) == {1}


def test_a_lifetime_cap_counts_it_once_even_after_weeks(drive: Any) -> None:
    shop = journey(Send("sms", "x"), purpose="transactional")
    ada = sent(drive, shop, policies=Policies(caps=[Cap(5, purpose="all")]))
    for day in range(1, 60, 7):
        ada.event("profile.updated", f"+{day}d", day=day)  # the ledger forgets
        ada.returns(f"+{day + 7}d", f"+{day}d")
        ada.until(f"+{day + 7}d")

    assert set(ada.customer.counters.values()) == {1}


# --- hours, consent, addresses --------------------------------------------------------


def test_quiet_hours_hold_it_on(drive: Any) -> None:
    ada = sent(drive, policies=Policies(quiet_hours=[NIGHT]))
    ada.returns("2026-06-01T22:00:00+00:00", "+1h")

    assert ada.until("2026-06-01T23:00:00+00:00") == ["deferred quiet_hours"]
    assert ada.until("2026-06-02T08:00:00+00:00") == ["sent x"]


def test_with_on_quiet_skip_it_is_given_up(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x", on_quiet="skip")),
        policies=Policies(quiet_hours=[NIGHT]),
    )
    ada.returns("2026-06-01T22:00:00+00:00", "+1h")

    assert ada.until("2026-06-01T23:00:00+00:00") == ["suppressed quiet_hours"]


def test_with_on_quiet_exit_it_is_given_up_and_the_run_stays(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x", on_quiet="exit"), STAYS),
        policies=Policies(quiet_hours=[NIGHT]),
    )
    ada.returns("2026-06-01T22:00:00+00:00", "+1h")

    assert ada.until("2026-06-01T23:00:00+00:00") == ["suppressed quiet_hours"]
    assert len(ada.runs) == 1


def test_what_would_expire_in_the_night_is_given_up(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x", expires_after=hours(12))),
        policies=Policies(quiet_hours=[NIGHT]),
    )
    ada.returns("2026-06-01T22:00:00+00:00", "+1h")

    assert ada.until("2026-06-01T23:00:00+00:00") == ["suppressed quiet_hours"]
    assert ada.details("suppressed")[0]["expires_first"] == ada.ms("+12h")


def test_quiet_hours_that_never_end_give_it_up(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x", expires_after="never")))
    ada.returns("+30m")
    always = Policies(quiet_hours=[QuietHours(Window("00:00", "24:00"))])
    ada.publish(journey(Send("sms", "x", expires_after="never")), policies=always)

    assert ada.until("+1h") == ["suppressed quiet_hours"]


def test_it_is_too_late_when_the_wake_up_is(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x", expires_after=hours(1))))
    ada.returns("+30m")

    assert ada.wake("+1h") == ["suppressed expired"]


def test_who_has_unsubscribed_since_does_not_get_it(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.event("message.unsubscribed", "+1m", channel="sms")

    assert ada.until("+1h") == ["suppressed no_consent"]


def test_an_address_that_is_suppressed_since_does_not_get_it(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.event("message.complained", "+1m", channel="sms")

    assert ada.until("+1h") == ["suppressed suppression_list"]


def test_the_address_stays_that_of_the_release(drive: Any) -> None:
    phone = ChannelRules(lambda profile, _: str(profile.get("phone")), str)
    ada = drive(journey(), channels={"sms": phone})
    ada.event("profile.updated", phone="+1")
    ada.event("start")
    ada.returns("+30m")
    ada.event("profile.updated", "+1m", phone="+2")

    ada.until("+1h")

    assert [command.address for command in ada.commands] == ["+1", "+1"]


def test_it_goes_over_its_own_channel_only(drive: Any) -> None:
    ada = sent(drive, journey(Send(["push", "sms"], "x")))
    ada.returns("+30m")
    ada.event("message.unsubscribed", "+1m", channel="push")

    assert ada.until("+1h") == ["suppressed no_consent"]


def test_its_not_after_is_computed_anew(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x", expires_after=days(3))),
        policies=Policies(quiet_hours=[NIGHT]),
    )
    ada.returns("2026-06-02T09:00:00+00:00", "+1h")
    ada.until("2026-06-02T09:00:00+00:00")

    closes = [ada.from_ms(command.not_after).isoformat() for command in ada.commands]

    assert closes == ["2026-06-01T21:00:00+00:00", "2026-06-02T21:00:00+00:00"]


# --- its run --------------------------------------------------------------------------


def test_a_run_that_goes_on_is_not_moved_by_it(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Wait(hours(2))))
    ada.returns("+30m")

    assert ada.until("+1h") == ["sent x"]
    assert ada.until("+2h") == ["went_on due", "completed"]


def test_a_run_that_has_completed_is_no_reason_to_give_it_up(drive: Any) -> None:
    ada = sent(drive)
    assert ada.runs == []

    ada.returns("+30m")

    assert ada.until("+1h") == ["sent x"]


def test_a_run_that_completes_meanwhile_is_none_either(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Wait(minutes(10))))
    ada.returns("+30m", "+1m")

    assert ada.until("+1h") == ["went_on due", "completed", "sent x"]


def test_a_goal_takes_it_along(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), STAYS, goal=Goal(on("bought"))))
    ada.returns("+30m")

    told = ada.event("bought", "+1m")

    assert told == ["goal goal", "exited goal_reached", "suppressed run_ended"]
    assert ada.due is None


def test_an_exit_rule_takes_it_along(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), STAYS, exit_rules=[on("left")]))
    ada.returns("+30m")

    assert ada.event("left")[-1] == "suppressed run_ended"


def test_a_removal_takes_it_along(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), STAYS))
    ada.returns("+30m")

    assert ada.remove("j") == ["removed", "exited removed", "suppressed run_ended"]


def test_a_removal_takes_along_what_a_completed_run_has_left(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")

    assert ada.remove("j") == ["removed", "suppressed run_ended"]


def test_an_early_end_takes_along_only_its_own(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x"), STAYS, key=event.order, goal=Goal(on("bought"))),
    )
    ada.event("start", order="a")
    a = ada.commands[-1]
    ada.event("start", order="b")
    b = ada.commands[-1]
    ada.returns("+30m", message=a)
    ada.returns("+30m", message=b)

    ada.event("bought", order="a")

    assert [held.message for held in ada.customer.held] == [b]


def test_what_comes_back_after_the_early_end_is_not_sent(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), STAYS, goal=Goal(on("bought"))))
    ada.event("bought", "+1m")

    assert ada.returns("+30m", "+2m") == ["suppressed run_ended"]


def test_what_comes_back_after_an_exit_step_is_not_sent(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Exit("done")))

    assert ada.returns("+30m") == ["suppressed run_ended"]


def test_of_several_runs_each_one_counts(drive: Any) -> None:
    waits = WaitFor([When(on("go")), When(on("leave"), [Exit("left")])])
    ada = drive(journey(Send("sms", "x"), waits, key=event.order))
    for order in "abc":
        ada.event("start", order=order)
    a, b, c = ada.commands
    ada.event("go", order="a")
    ada.event("leave", order="b")

    told = [ada.returns("+30m", message=message) for message in (a, b, c)]

    assert told == [["deferred pace"], ["suppressed run_ended"], ["deferred pace"]]


def test_a_run_that_is_none_of_theirs_gets_nothing(drive: Any) -> None:
    ada = sent(drive)
    stranger = replace(
        ada.commands[0], enrollment=enrollment_id("j", "ada", ada.ms("+1h"), 1)
    )

    assert ada.returns("+30m", message=stranger) == ["suppressed run_ended"]


def test_who_was_erased_gets_nothing_and_is_not_known_again(drive: Any) -> None:
    ada = sent(drive)
    returned = Returned(
        message=ada.commands[0],
        until=ada.ms("+30m"),
        reason="pace",
        received_at=ada.now,
    )

    reaction = react(None, returned, catalog=ada.catalog, now=ada.now)

    assert [entry.reason for entry in reaction.trace] == ["run_ended"]
    assert reaction.customer.revision == 0


def test_the_waits_of_an_instant_come_before_its_held_messages(drive: Any) -> None:
    leaves = WaitFor([When(on("never"))], timeout=hours(1), otherwise=[Exit("bored")])
    ada = sent(drive, journey(Send("sms", "x"), leaves))
    ada.returns("+1h")

    told = ada.until("+1h")

    assert told == ["went_on timeout", "exited bored", "suppressed run_ended"]


def test_what_an_update_ends_is_not_sent_at_the_same_instant(drive: Any) -> None:
    cart = journey(Send("sms", "x"), STAYS, exit_rules=[profile.vip == True])
    other = journey(
        Wait(hours(1)), Update({"vip": True}), id="other", trigger=on("start")
    )
    ada = sent(drive, cart, other)
    ada.returns("+1h")

    told = ada.until("+1h")

    assert "suppressed run_ended" in told
    assert len(ada.sent) == 1


# --- pause, stop, publish -------------------------------------------------------------


def test_in_a_paused_journey_it_stays_held(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.state("j", "paused")

    assert ada.until("+1h") == ["parked paused"]
    assert ada.due is None
    assert len(ada.customer.held) == 1


def test_when_the_pause_is_over_it_goes(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.state("j", "paused")
    ada.until("+1h")
    ada.state("j", "live")

    assert ada.wake("+2h") == ["sent x"]


def test_after_a_pause_all_guards_are_asked(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.state("j", "paused")
    ada.until("+1h")
    ada.state("j", "live")

    assert ada.wake("+24h") == ["suppressed expired"]


def test_a_pause_that_ends_before_it_is_due_changes_nothing(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.state("j", "paused")
    ada.wake("+10m")
    ada.state("j", "live")

    assert ada.wake("+20m") == []
    assert ada.until("+30m") == ["sent x"]


def test_when_many_go_on_after_a_pause_none_is_left_behind(drive: Any) -> None:
    many = journey(Send("sms", "x", expires_after="never"), reentry="always")
    waits = [journey(Wait(hours(9)), Send("sms", "y"), id=f"k{n}") for n in range(8)]
    ada = drive(many, *waits)
    for n in range(30):
        ada.event("start", f"+{n}m")
    for message in ada.commands:
        ada.returns("+1h", message=message)
    for id in ("j", *(wait.id for wait in waits)):
        ada.state(id, "paused")
    ada.until("+10h")
    for id in ("j", *(wait.id for wait in waits)):
        ada.state(id, "live")

    ada.wake("+11h")
    assert ada.due == ada.instant("+11h")
    ada.until("+11h")

    assert len(ada.sent) == 30 + 30 + 8
    assert ada.customer.held == []


@pytest.mark.parametrize("steps", [[Send("sms", "x")], [Send("sms", "x"), STAYS]])
def test_when_its_journey_is_stopped_it_is_given_up(drive: Any, steps: Any) -> None:
    ada = sent(drive, journey(*steps))
    ada.returns("+30m")
    ada.state("j", "stopped")

    assert ada.wake("+1h")[-1] == "suppressed run_ended"
    assert ada.customer.held == []
    assert ada.due is None


def test_what_comes_back_to_a_stopped_journey_is_given_up(drive: Any) -> None:
    ada = sent(drive)
    ada.state("j", "stopped")

    assert ada.returns("+30m") == ["suppressed run_ended"]


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_a_journey_that_nobody_enters_still_sends_it(drive: Any, state: str) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.state("j", state)

    assert ada.until("+1h") == ["sent x"]


def test_a_journey_that_is_gone_still_sends_it(drive: Any) -> None:
    ada = sent(drive)
    ada.returns("+30m")
    ada.publish(policies=Policies(quiet_hours=[NIGHT]))

    assert ada.until("+1h") == ["sent x"]


def test_of_a_step_that_is_gone_the_default_holds(drive: Any) -> None:
    night = Policies(quiet_hours=[NIGHT], caps=[ONE_A_DAY])
    ada = sent(drive, journey(Send("sms", "x", on_quiet="skip")), policies=night)
    ada.returns("2026-06-01T22:00:00+00:00", "+1h")
    ada.publish(journey(Send("sms", "y")), policies=night)

    assert ada.until("2026-06-01T23:00:00+00:00") == ["deferred quiet_hours"]


# --- order and bounds -----------------------------------------------------------------


def test_held_messages_stand_in_the_order_of_their_journeys(drive: Any) -> None:
    first = journey(Send("sms", "first"), id="first", priority=5)
    second = journey(Send("sms", "second"), id="second")
    ada = sent(drive, second, first)
    for message in reversed(ada.commands):
        ada.returns("+30m", message=message)
    ada.publish(second, first, policies=Policies(caps=[ONE_A_DAY]))

    told = ada.until("+1h")

    assert told == ["sent first", "suppressed frequency_cap"]


def test_a_more_important_journey_goes_before_a_held_message(drive: Any) -> None:
    urgent = journey(Wait(hours(1)), Send("sms", "y"), id="urgent", priority=5)
    ada = sent(drive, journey(), urgent, policies=Policies(caps=[ONE_A_DAY]))
    ada.returns("+1h")

    told = ada.until("+1h")

    assert told == ["went_on due", "sent y", "suppressed frequency_cap", "completed"]


def test_of_one_run_the_earlier_message_goes_first(drive: Any) -> None:
    ada = sent(
        drive,
        journey(Send("sms", "x"), Wait(hours(1)), Send("sms", "y")),
        policies=Policies(caps=[ONE_A_DAY]),
    )
    ada.returns("+1h")

    told = ada.until("+1h")

    assert told[:3] == ["went_on due", "sent x", "deferred catch_up"]


def test_two_messages_with_a_wait_between_them_do_not_go_at_once(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Wait(minutes(30)), Send("sms", "y")))
    ada.returns("+10m")

    ada.wake("+5h")
    ada.until("+9h")

    assert ada.sent == ["x +0s", "x +5h", "y +5h30m"]


def test_two_messages_without_a_wait_between_them_may(drive: Any) -> None:
    ada = sent(drive, journey(Send("sms", "x"), Send("sms", "y")))
    for message in ada.commands[:2]:
        ada.returns("+10m", message=message)

    ada.until("+10m")

    assert ada.sent == ["x +0s", "y +0s", "x +10m", "y +10m"]


def test_no_more_than_so_many_are_held(drive: Any) -> None:
    ada = drive(journey(reentry="always"))
    for n in range(HELD + 1):
        ada.event("start", f"+{n}m")
    told = [ada.returns("+3h", message=message) for message in ada.commands]

    assert told == [["deferred pace"]] * HELD + [["suppressed held_full"]]
    assert len(ada.customer.held) == HELD
    assert ada.until("+3h") == ["sent x"] * HELD


def test_no_more_bytes_than_so_many_are_held(drive: Any) -> None:
    large = Send("sms", "x", variables={"text": "x" * 7000})
    ada = drive(journey(large, reentry="always"))
    for n in range(6):
        ada.event("start", f"+{n}m")
    told = [ada.returns("+3h", message=message)[0] for message in ada.commands]

    assert told == ["deferred pace"] * 4 + ["suppressed held_full"] * 2
    assert len(encode(ada.customer)) < HELD_BYTES + 2000


def test_the_budget_of_a_reaction_holds_for_them_too(drive: Any) -> None:
    ada = drive(
        journey(reentry="always"),
        *[journey(Wait(hours(6)), Send("sms", "y"), id=f"k{n}") for n in range(8)],
    )
    for n in range(30):
        ada.event("start", f"+{n}m")
        # The others start once.
    for message in ada.commands[:30]:
        ada.returns("+6h", message=message)

    first = ada.wake("+6h")
    then = ada.wake("+6h")

    assert sum(said.startswith("sent") for said in first) == 32
    assert sum(said.startswith("sent") for said in then) == 6


# --- always ---------------------------------------------------------------------------

MINUTE = 60_000
HOUR = 60 * MINUTE
NAMES = ("start", "wake", "return", "bought")


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(1, 300), st.integers(1, 900)),
        max_size=25,
    )
)
def test_whatever_comes_back_each_message_is_out_or_held_or_given_up(
    story: list[tuple[str, int, int]],
) -> None:
    life = Life()

    for name, later, delay in story:
        life.now += later * MINUTE
        life.happen(name, delay * MINUTE)

        held = {item.message.delivery_id for item in life.customer.held}
        assert not held & life.out.keys()
        assert {*held, *life.out, *life.given_up} == life.released
        assert all(len(counted) <= 2 for counted in life.counted)
        assert all(8 <= to_datetime(now).hour < 21 for now in life.times)


class Life:
    """A customer, and a dispatcher that can't always deliver what it has."""

    def __init__(self) -> None:
        self.catalog = Catalog.compile(
            [
                journey(
                    Send("sms", "x", on_capped="defer"),
                    Wait(hours(2)),
                    Send("sms", "y"),
                    reentry="always",
                    goal=Goal(on("bought")),
                )
            ],
            policies=Policies(quiet_hours=[NIGHT], caps=[Cap(2, within=hours(6))]),
        )
        self.now = 1_780_315_200_000
        self.customer = created("ada", self.now)
        self.count = 0
        self.out: dict[str, SendMessage] = {}
        self.released: set[str] = set()
        self.given_up: set[str] = set()
        self.times: list[int] = []
        self.counted: list[list[int]] = []

    def happen(self, name: str, delay: int) -> None:
        """An event, a wake-up, or the oldest message comes back."""
        self.count += 1
        at = to_datetime(self.now)
        if name == "return" and self.out:
            message = self.out.pop(next(iter(self.out)))
            until = self.now + delay
            self._react(
                Returned(message=message, until=until, reason="pace", received_at=at)
            )
        elif name in ("start", "bought"):
            self._react(
                Event(
                    id=str(self.count),
                    name=name,
                    customer="ada",
                    occurred_at=at,
                    received_at=at,
                )
            )
        else:
            self._react(WakeUp("ada"))

    def _react(self, stimulus: Stimulus) -> None:
        reaction = react(
            self.customer, stimulus, catalog=self.catalog, now=to_datetime(self.now)
        )
        self.customer = reaction.customer
        for command in reaction.commands:
            assert isinstance(command, SendMessage)
            self.out[command.delivery_id] = command
            self.released.add(command.delivery_id)
            self.times.append(self.now)
        self.given_up |= {
            entry.detail["delivery_id"]
            for entry in reaction.trace
            if entry.kind == "suppressed" and "delivery_id" in entry.detail
        }
        since = self.now - 6 * HOUR
        self.counted.append([e.at for e in self.customer.ledger if e.at > since])
