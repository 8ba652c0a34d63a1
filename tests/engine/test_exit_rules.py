"""Exit rules end a run wherever it is."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    ExitRule,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Send,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    entry,
    event,
    hours,
    on,
    profile,
)
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


@pytest.mark.parametrize(
    "step",
    [
        Wait(days(30)),
        WaitFor([When(on("never"))]),
        WaitFor([When(on("left"))]),
        Send("email", "hi"),
    ],
)
def test_a_rule_ends_the_run_at_once_wherever_it_is(drive: Any, step: Step) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])
    ada = drive(
        journey(step, Send("sms", "x"), exit_rules=[on("left")]), policies=quiet
    )
    ada.event("start")

    told = ada.event("left", "+1h")

    assert told == ["exited exit_rule"]
    assert ada.due is None


def test_a_rule_has_a_reason_of_its_own(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), exit_rules=[ExitRule(on("left"), "gone")]))
    ada.event("start")

    assert ada.event("left") == ["exited gone"]


def test_the_first_rule_that_is_met_gives_the_reason(drive: Any) -> None:
    rules = [ExitRule(on("left", where=event.x == 1), "a"), ExitRule(on("left"), "b")]
    ada = drive(journey(Wait(days(1)), exit_rules=rules))
    ada.event("start")

    assert ada.event("left", x=1) == ["exited a"]


def test_a_rule_may_ask_the_event_and_the_entry(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(1)), exit_rules=[on("canceled", where=event.order == entry.order)]
        )
    )
    ada.event("start", order=1)

    assert ada.event("canceled", order=2) == []
    assert ada.event("canceled", order=1) == ["exited exit_rule"]


def test_a_condition_ends_the_run_when_it_comes_true(drive: Any) -> None:
    ada = drive(journey(Wait(days(30)), exit_rules=[profile.vip == True]))
    ada.event("start")

    ada.event("profile.updated", "+1d", vip=True)

    assert ada.did[-1] == "exited exit_rule"


def test_who_meets_a_condition_already_does_not_enter(drive: Any) -> None:
    ada = drive(journey(Wait(days(30)), exit_rules=[profile.vip == True]))
    ada.event("profile.updated", vip=True)

    assert ada.event("start") == ["not_entered exit_rule"]


def test_an_update_of_another_journey_meets_the_condition(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(30)), exit_rules=[profile.vip == True]),
        journey(Wait(hours(1)), Update({"vip": True}), id="other"),
    )
    ada.event("start")

    ada.until("+1h")

    assert ada.runs == []
    assert ada.reasons("exited") == ["exit_rule"]


def test_every_run_that_a_rule_concerns_ends(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), exit_rules=[on("left")], reentry="always"))
    ada.event("start")
    ada.event("start")

    assert ada.event("left") == ["exited exit_rule"] * 2


def test_a_goal_and_a_rule_in_one_event_count_the_goal(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(1)),
            goal=Goal(on("bought"), on_goal="continue"),
            exit_rules=[on("bought")],
        )
    )
    ada.event("start")

    assert ada.event("bought") == ["goal goal", "exited exit_rule"]


def test_a_run_that_a_rule_ended_is_not_woken_again(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("sms", "x"), exit_rules=[on("left")]))
    ada.event("start")
    ada.event("left")

    assert ada.wake("+1h") == []


def test_the_event_that_starts_the_run_does_not_end_it(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), exit_rules=[on("start")]))

    assert ada.event("start") == ["entered", "waiting"]


def test_a_condition_that_an_update_meets_acts_before_the_guards(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Send("sms", "no"), id="a", exit_rules=[profile.x == 1]),
        journey(Wait(hours(1)), Send("sms", "no"), id="b", goal=Goal(profile.x == 1)),
        journey(Wait(hours(1)), Update({"x": 1}), id="c"),
    )
    ada.event("start")

    ada.wake("+1h")

    assert ada.sent == []
    assert sorted(ada.reasons("exited")) == ["exit_rule", "goal_reached"]


def test_an_update_of_its_own_acts_before_the_guards_too(drive: Any) -> None:
    ada = drive(
        journey(Update({"x": 1}), Send("sms", "no"), exit_rules=[profile.x == 1])
    )

    ada.event("start")

    assert ada.did == ["entered", "updated", "exited exit_rule"]
