"""`at` governs the path, `now` the release: design, "Time"."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from journeykit import (
    Branch,
    Cap,
    Emit,
    Goal,
    Journey,
    Policies,
    QuietHours,
    ReEntry,
    Send,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    entry,
    hours,
    minutes,
    months,
    on,
    profile,
    timestamp,
)
from journeykit.engine.guards import ChannelRules
from journeykit.model import zones
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def test_order_is_arrival_order_and_the_clock_never_runs_back(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1))))
    ada.event("profile.updated", "+2h", city="Turin")

    ada.event("start", "+1h", now="+2h")

    assert ada.run.entered_at == ada.ms("+2h")
    assert ada.due_in == "+3h"


def test_the_path_goes_by_the_arrival_and_not_by_the_wall_clock(drive: Any) -> None:
    ada = drive(journey(Wait(hours(4))))

    ada.event("start", "+1h", now="+3h")

    assert ada.run.entered_at == ada.ms("+1h")
    assert ada.due_in == "+5h"


def test_the_path_does_not_go_by_when_it_occurred(drive: Any) -> None:
    ada = drive(journey(Wait(hours(4))))

    ada.event("start", "+10h", occurred="+1h")

    assert ada.due_in == "+14h"


def test_a_late_tick_does_not_move_the_waits_that_follow(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Wait(hours(4))))
    ada.event("start")

    ada.wake("+3h")

    assert ada.due_in == "+5h"


def test_messages_are_released_by_the_wall_clock(drive: Any) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("20:00", "08:00"))])
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")), policies=quiet)
    ada.event("start")

    ada.wake("2026-06-01T21:00Z")
    ada.until("+48h")

    assert ada.sent == ["hi +20h"]


def test_a_command_carries_the_instant_on_the_path(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")))
    ada.event("start")

    ada.wake("+3h")

    (command,) = ada.commands
    assert command.at == ada.ms("+1h")
    assert ada.customer.ledger == []


def test_the_ledger_carries_the_wall_clock(drive: Any) -> None:
    capped = Policies(caps=[Cap(1, within=hours(24))])
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")), policies=capped)
    ada.event("start")

    ada.wake("+3h")

    (released,) = ada.customer.ledger
    assert released.at == ada.ms("+3h")


def test_an_event_from_more_than_five_minutes_ahead_is_clamped(drive: Any) -> None:
    ada = drive(
        journey(
            Branch(
                [When(timestamp(entry["$time"]) > timestamp("2026-06-01T12:00:00Z"))],
                otherwise=[Send("email", "hi")],
            )
        )
    )

    ada.event("start", "+0h", occurred="+6m")

    assert ada.did[0] == "clamped"
    assert ada.sent == ["hi +0s"]


def test_an_event_from_five_minutes_ahead_is_taken_as_it_is(drive: Any) -> None:
    ada = drive(journey())

    ada.event("start", "+0h", occurred="+5m")

    assert "clamped" not in ada.did


@pytest.mark.parametrize(
    ("occurred", "moves"), [("+61s", True), ("+60s", False), ("+0s", False)]
)
def test_an_event_older_than_a_day_moves_no_journey(
    drive: Any, occurred: str, moves: bool
) -> None:
    ada = drive(journey())

    told = ada.event("start", "+1441m", occurred=occurred)

    assert ("entered" in told) is moves
    assert ("ignored too_late" in told) is not moves


def test_an_event_that_comes_too_late_still_updates_the_profile(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(profile.plan == "paid")])))
    ada.event("start", "+0h")

    ada.event("profile.updated", "+48h", occurred="+0h", plan="paid")

    assert ada.customer.profile == {"plan": "paid"}
    assert ada.run.step == "wait-for-condition"


def test_max_age_is_a_policy(drive: Any) -> None:
    ada = drive(journey(), policies=Policies(max_age=hours(1)))

    assert "ignored too_late" in ada.event("start", "+2h", occurred="+1h")
    assert "entered" in ada.event("start", "+2h", occurred="+61m")


def test_a_max_age_of_a_day_is_a_day_and_not_23_hours(drive: Any) -> None:
    ada = drive(journey(), policies=Policies(max_age=days(1)))

    told = ada.event("start", "+24h", occurred="+30m")

    assert "entered" in told


def test_a_late_event_still_lets_what_is_due_happen(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")))
    ada.event("start", "+0h")

    ada.event("weather.changed", "+3h", occurred="+0h")

    assert ada.sent == ["hi +3h"]


def test_two_messages_with_a_wait_between_are_not_released_at_once(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Send("email", "a"), Wait(hours(2)), Send("email", "b"))
    )
    ada.event("start")

    ada.wake("+6h")

    assert ada.sent == ["a +6h"]
    assert ada.reasons("deferred") == ["catch_up"]
    assert ada.due_in == "+7h"


def test_in_catch_up_the_second_waits_no_longer_than_the_wait_was(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(1)), Send("email", "a"), Wait(minutes(10)), Send("email", "b")
        )
    )
    ada.event("start")

    ada.wake("+6h")
    ada.until("+9h")

    assert ada.sent == ["a +6h", "b +6h10m"]


def test_two_messages_without_a_wait_between_are_released_together(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "a"), Send("sms", "b")))
    ada.event("start")

    ada.wake("+6h")

    assert ada.sent == ["a +6h", "b +6h"]


def test_catch_up_holds_nothing_back_if_the_first_was_not_sent(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(1)),
            Send("email", "a", expires_after=hours(1)),
            Wait(hours(2)),
            Send("email", "b"),
        )
    )
    ada.event("start")

    ada.wake("+6h")

    assert ada.sent == ["b +6h"]


def test_an_event_that_ends_the_wait_is_no_way_around_catch_up(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(1)),
            Send("email", "a"),
            WaitFor([When(on("go"))]),
            Send("email", "b"),
        )
    )
    ada.event("start")

    ada.event("go", "+6h")

    assert ada.sent == ["a +6h"]
    assert ada.due_in == "+7h"


def test_another_journey_that_ends_the_wait_is_no_way_around_it(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(1)),
            Send("email", "a"),
            WaitFor([When(profile.x == 1)]),
            Send("email", "b"),
        ),
        journey(Wait(hours(3)), Update({"x": 1}), id="other"),
    )
    ada.event("start")

    ada.wake("+6h")

    assert ada.sent == ["a +6h"]


def test_a_message_held_by_catch_up_that_has_expired_is_not_waited_for(
    drive: Any,
) -> None:
    ada = drive(
        journey(
            Wait(hours(1)),
            Send("email", "a"),
            Wait(hours(1)),
            Send("email", "b", expires_after=hours(1)),
            Wait(hours(10), id="last"),
        )
    )
    ada.event("start")

    ada.wake("+6h")

    assert ada.reasons("suppressed") == ["expired"]
    assert ada.due_in == "+12h"


def test_a_message_expires_counting_from_the_path(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi", expires_after=hours(2))))
    ada.event("start")

    ada.wake("+3h")

    assert ada.sent == []
    assert ada.reasons("suppressed") == ["expired"]


def test_a_message_is_sent_until_just_before_it_expires(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi", expires_after=hours(2))))
    ada.event("start")

    ada.wake("+179m")

    assert ada.commands[0].expires_at == ada.ms("+3h")


@pytest.mark.parametrize(("purpose", "sent"), [("marketing", 0), ("transactional", 1)])
def test_marketing_expires_after_a_day_and_transactional_never(
    drive: Any, purpose: str, sent: int
) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi"), purpose=purpose))
    ada.event("start")

    ada.wake("+25h")

    assert len(ada.sent) == sent


def test_a_send_may_differ_in_purpose_from_its_journey(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi", purpose="transactional")))
    ada.event("start")

    ada.wake("+99h")

    assert ada.commands[0].purpose == "transactional"
    assert ada.commands[0].expires_at is None


def test_marketing_that_never_expires_is_sent_however_late(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi", expires_after="never")))
    ada.event("start")

    ada.wake("+99h")

    assert ada.sent == ["hi +99h"]


def test_a_days_expiry_is_a_calendar_day(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "hi", expires_after=days(1))),
        start="2026-03-28T12:00+01:00",
    )
    ada.event("profile.updated", zone="Europe/Berlin")

    ada.event("start")

    assert ada.commands[0].expires_at == ada.ms("+23h")


@pytest.mark.parametrize("on_expired", ["skip", "exit"])
def test_what_expired_is_skipped_or_ends_the_run(drive: Any, on_expired: Any) -> None:
    late = Send("email", "hi", expires_after=hours(1), on_expired=on_expired)
    ada = drive(journey(Wait(hours(1)), late, Send("sms", "on")))
    ada.event("start")

    ada.wake("+5h")

    assert ada.did[-1] == ("completed" if on_expired == "skip" else "exited expired")


def test_a_due_instant_is_pinned_when_the_zone_changes(drive: Any) -> None:
    ada = drive(journey(Wait(Until(time="20:00"))))
    ada.event("profile.updated", zone="Europe/Berlin")
    ada.event("start")

    ada.event("profile.updated", zone="Asia/Tokyo")

    assert ada.due == ada.instant("2026-06-01T18:00Z")


def test_a_due_instant_is_pinned_when_its_attribute_changes(drive: Any) -> None:
    ada = drive(journey(Wait(Until(profile.renews_at, before=days(1)))))
    ada.event("profile.updated", renews_at="2026-06-20T09:00:00Z")
    ada.event("start")

    ada.event("profile.updated", renews_at="2026-07-20T09:00:00Z")

    assert ada.due == ada.instant("2026-06-19T09:00Z")


@pytest.mark.parametrize(
    ("own", "journeys", "due"),
    [
        ("Asia/Tokyo", "Europe/Berlin", "2026-06-02T11:00Z"),
        (None, "Europe/Berlin", "2026-06-01T18:00Z"),
        ("Nowhere/Land", "Europe/Berlin", "2026-06-01T18:00Z"),
        (7, "Europe/Berlin", "2026-06-01T18:00Z"),
        (None, None, "2026-06-01T20:00Z"),
    ],
)
def test_the_zone_is_the_profiles_then_the_journeys_then_utc(
    drive: Any, own: object, journeys: str | None, due: str
) -> None:
    ada = drive(journey(Wait(Until(time="20:00")), zone=journeys))
    ada.event("profile.updated", zone=own)

    ada.event("start")

    assert ada.due == ada.instant(due)


def test_that_the_journeys_zone_stood_in_is_traced(drive: Any) -> None:
    ada = drive(journey(Wait(Until(time="20:00")), zone="Europe/Berlin"))

    ada.event("start")

    assert "journey" in str(ada.details("waiting"))


def test_two_days_are_two_local_days_over_a_change_of_clocks(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(2)), zone="Europe/Berlin"), start="2026-03-28T12:00+01:00"
    )

    ada.event("start")

    assert ada.due_in == "+47h"


def test_48_hours_are_48_hours_over_a_change_of_clocks(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(48)), zone="Europe/Berlin"), start="2026-03-28T12:00+01:00"
    )

    ada.event("start")

    assert ada.due_in == "+48h"


def test_a_month_from_the_31st_is_the_months_last_day(drive: Any) -> None:
    ada = drive(journey(Wait(months(1))), start="2026-01-31T12:00Z")

    ada.event("start")

    assert ada.due == ada.instant("2026-02-28T12:00Z")


@pytest.mark.parametrize(("at", "enters"), [("+23h59m", False), ("+24h", True)])
def test_a_window_no_longer_counts_exactly_at_its_end(
    drive: Any, at: str, enters: bool
) -> None:
    ada = drive(journey(reentry=ReEntry("after_exit", cooldown=hours(24))))
    ada.event("start")

    told = ada.event("start", at)

    assert ("entered" in told) is enters


@pytest.mark.parametrize(("at", "counts"), [("+23h59m", True), ("+24h", False)])
def test_a_goal_no_longer_counts_exactly_at_the_end_of_its_window(
    drive: Any, at: str, counts: bool
) -> None:
    ada = drive(journey(goal=Goal(on("bought"), within=hours(24))))
    ada.event("start")

    told = ada.event("bought", at)

    assert ("goal goal" in told) is counts


def test_the_path_is_the_same_however_the_ticks_come(drive: Any) -> None:
    steps: list[Step] = [
        Wait(hours(1)),
        Update({"a": 1}),
        Wait(hours(2)),
        Update({"b": 1}),
    ]

    often, once = drive(journey(*steps)), drive(journey(*steps))
    often.event("start")
    often.until("+9h")
    once.event("start")
    once.wake("+9h")

    assert often.trace == once.trace


def test_a_wall_clock_behind_the_door_is_no_endless_loop(drive: Any) -> None:
    asked = itertools.count()

    def address(profile: Any, customer: str) -> str:
        assert next(asked) < 100, "the guards are asked again and again"
        return customer

    quiet = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])
    rules = {"email": ChannelRules(address=address, normalize=str)}
    ada = drive(journey(Send("email", "hi")), policies=quiet, channels=rules)
    ada.event("start")

    ada.event("weather.changed", "+2h2s", now="+1h59m59s")
    ada.until("+3h")

    assert len(ada.sent) == 1


def test_emits_do_not_depend_on_when_somebody_looked(drive: Any) -> None:
    steps = [step for n in range(20) for step in (Wait(days(1)), Emit(f"e{n}"))]
    often, once = drive(journey(*steps)), drive(journey(*steps))
    often.event("start")
    often.until("+30d")
    once.event("start")

    while once.due is not None and once.due <= once.instant("+30d"):
        once.wake("+30d")

    assert once.did == often.did


def test_a_long_catch_up_ends_with_the_same_profile(drive: Any) -> None:
    steps = [step for n in range(300) for step in (Wait(hours(1)), Update({"n": n}))]
    often, once = drive(journey(*steps)), drive(journey(*steps))
    often.event("start")
    often.until("+20d")
    once.event("start")

    while once.due is not None:
        once.wake("+20d")

    assert once.customer.profile == often.customer.profile == {"n": 299}
    assert once.customer.clock == often.customer.clock


def test_an_unknown_zone_costs_no_search_for_one_like_it(
    drive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zones, "_why_unknown", None)  # milliseconds, in each reaction
    ada = drive(journey(Wait(Until(time="09:00"))))

    ada.event("profile.updated", zone="Mars/Phobos")
    ada.event("start")

    assert ada.due_in == "+21h"  # by UTC
