"""Pause, resume and stop: obeyed at the customer's next stimulus, before all else."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
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
    api,
    days,
    hours,
    on,
)
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def started(drive: Any, *steps: Step, **options: Any) -> Any:
    ada = drive(journey(*steps, **options))
    ada.event("start")
    return ada


def test_a_paused_journey_refuses_entries(drive: Any) -> None:
    ada = drive(journey(trigger=[on("start"), api()]))
    ada.state("j", "paused")

    assert ada.event("start") == ["not_entered paused"]
    assert ada.enroll("j") == ["not_entered paused"]


def test_due_instants_stay_while_it_is_paused(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)), Send("sms", "x"))

    ada.state("j", "paused")
    ada.wake("+1h")

    assert ada.due_in == "+4h"


def test_a_run_whose_wait_ends_parks_before_its_next_step(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)), Send("sms", "x", id="next"))
    ada.state("j", "paused")

    told = ada.wake("+4h")

    assert told == ["went_on due", "parked paused"]
    assert ada.run.step == "next"
    assert ada.sent == []
    assert ada.due is None


def test_resume_goes_on_at_the_next_stimulus(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)), Send("sms", "x"), Wait(hours(1)))
    ada.state("j", "paused")
    ada.wake("+4h")
    ada.state("j", "live")

    ada.event("weather.changed", "+6h")

    assert ada.sent == ["x +6h"]
    assert ada.due_in == "+7h"


def test_resume_by_a_wake_up_is_fine_too(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)), Send("sms", "x"), Wait(hours(1)))
    ada.state("j", "paused")
    ada.wake("+4h")
    ada.state("j", "live")

    ada.wake("+6h")

    assert ada.due_in == "+7h"
    assert ada.customer.clock == ada.ms("+6h")


def test_expiry_counts_from_when_it_was_due(drive: Any) -> None:
    ada = started(
        drive, Wait(hours(4)), Send("sms", "x", expires_after=hours(2)), Wait(hours(1))
    )
    ada.state("j", "paused")
    ada.wake("+4h")
    ada.state("j", "live")

    ada.wake("+6h")

    assert ada.reasons("suppressed") == ["expired"]
    assert ada.due_in == "+7h"


def test_a_resume_before_the_due_instant_leaves_no_trace(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)), Send("sms", "x"))
    ada.state("j", "paused")
    ada.wake("+1h")
    ada.state("j", "live")

    ada.until("+4h")

    assert ada.did == ["entered", "waiting", "went_on due", "sent x", "completed"]


def test_correctness_needs_no_job_that_tells_anybody(drive: Any) -> None:
    """Paused and resumed without a stimulus in between, then woken late."""
    ada = started(drive, Wait(hours(4)), Send("sms", "x"))
    ada.state("j", "paused")
    ada.state("j", "live")

    ada.wake("+5h")

    assert ada.sent == ["x +5h"]


@pytest.mark.parametrize("parked", [False, True])
def test_goals_and_exit_rules_act_while_it_is_paused(drive: Any, parked: bool) -> None:
    for name, reason in (("bought", "goal_reached"), ("left", "exit_rule")):
        ada = started(
            drive,
            Wait(hours(4)),
            Send("sms", "x"),
            goal=Goal(on("bought")),
            exit_rules=[on("left")],
        )
        ada.state("j", "paused")
        if parked:
            ada.wake("+4h")

        ada.event(name, "+5h")

        assert ada.reasons("exited") == [reason]
        assert ada.sent == []


def test_an_event_that_a_paused_run_waits_for_is_not_lost(drive: Any) -> None:
    ada = started(drive, WaitFor([When(on("x"), [Send("sms", "yes")])]))
    ada.state("j", "paused")
    ada.event("x", "+1h")
    ada.state("j", "live")

    ada.wake("+2h")

    assert ada.sent == ["yes +2h"]


def test_a_deferred_message_parks_where_it_stands(drive: Any) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])
    ada = drive(journey(Send("sms", "x")), policies=quiet)
    ada.event("start")
    ada.state("j", "paused")
    ada.wake("+2h")
    visit = ada.run.visit
    ada.state("j", "live")

    ada.wake("+3h")

    assert ada.sent == ["x +3h"]
    assert visit == 1
    assert ada.did == [
        "entered",
        "deferred quiet_hours",
        "parked paused",
        "sent x",
        "completed",
    ]


def test_a_parked_message_has_the_delivery_id_it_would_have_had(drive: Any) -> None:
    paused = started(drive, Wait(hours(1)), Send("sms", "x"))
    paused.state("j", "paused")
    paused.wake("+1h")
    paused.state("j", "live")
    paused.wake("+2h")
    free = started(drive, Wait(hours(1)), Send("sms", "x"))
    free.until("+1h")

    assert paused.commands[0].delivery_id == free.commands[0].delivery_id


def test_pausing_twice_changes_nothing_more(drive: Any) -> None:
    ada = started(drive, Wait(hours(1)), Send("sms", "x", expires_after=hours(3)))
    ada.state("j", "paused")
    ada.wake("+1h")
    ada.state("j", "live")
    ada.state("j", "paused")
    ada.event("profile.updated", "+2h", x=1)
    ada.state("j", "live")

    ada.wake("+3h")

    assert ada.sent == ["x +3h"]
    assert ada.did.count("parked paused") == 1


def test_other_journeys_go_on(drive: Any) -> None:
    ada = drive(journey(Send("sms", "a"), id="a"), journey(Send("sms", "b"), id="b"))
    ada.state("a", "paused")

    ada.event("start")

    assert ada.sent == ["b +0s"]


def test_the_end_of_the_journey_ejects_who_is_parked(drive: Any) -> None:
    end = drive().instant("+6h")
    ada = started(drive, Wait(hours(4)), Send("sms", "x"), ends_at=end, on_end="eject")
    ada.state("j", "paused")
    ada.wake("+4h")

    assert ada.due_in == "+6h"
    ada.until("+9h")

    assert ada.reasons("exited") == ["journey_ended"]


def test_a_run_without_a_next_step_completes_though_it_is_paused(drive: Any) -> None:
    ada = started(drive, Wait(hours(4)))
    ada.state("j", "paused")

    ada.wake("+4h")

    assert ada.did[-1] == "completed"


def test_resume_goes_on_before_the_event_that_brings_it(drive: Any) -> None:
    ada = started(
        drive,
        Wait(hours(1)),
        Update({"n": 1}),
        WaitFor([When(on("x"))]),
        Send("sms", "y"),
    )
    ada.state("j", "paused")
    ada.wake("+1h")
    ada.state("j", "live")

    ada.event("x", "+3h")

    assert ada.sent == ["y +3h"]


@pytest.mark.parametrize("stimulus", ["event", "wake", "enroll"])
def test_stop_ends_all_runs_at_the_next_stimulus(drive: Any, stimulus: str) -> None:
    ada = started(drive, Wait(hours(1)), Send("sms", "x"), reentry="always")
    ada.event("start")

    ada.state("j", "stopped")
    told = {
        "event": lambda: ada.event("weather.changed", "+9h"),
        "wake": lambda: ada.wake("+9h"),
        "enroll": lambda: ada.enroll("j", "+9h"),
    }[stimulus]()

    assert told[:2] == ["exited stopped"] * 2
    assert ada.runs == []
    assert ada.sent == []


def test_a_stopped_journey_refuses_entries(drive: Any) -> None:
    ada = drive(journey())
    ada.state("j", "stopped")

    assert ada.event("start") == ["not_entered stopped"]


def test_a_goal_is_watched_after_a_stop(drive: Any) -> None:
    ada = started(drive, Wait(days(3)), goal=Goal(on("bought"), within=days(7)))
    ada.state("j", "stopped")
    ada.event("weather.changed")

    ada.event("bought", "+1h")

    assert ada.reasons("goal") == ["goal"]


def test_stop_reaches_a_run_whose_version_is_gone(drive: Any) -> None:
    ada = started(drive, Wait(hours(1)))
    ada.publish(journey(Wait(hours(1)), version=2))

    ada.state("j", "stopped")
    ada.wake("+2h")

    assert ada.reasons("exited") == ["stopped"]


def test_a_paused_run_keeps_its_place_when_the_budget_runs_out_too(drive: Any) -> None:
    some = [Update({"n": n}) for n in range(90)]
    ada = drive(*[journey(*some, Wait(hours(1)), id=f"j{n}") for n in range(3)])
    ada.event("start")
    ada.state("j0", "paused")
    ada.state("j1", "paused")
    ada.state("j2", "paused")

    ada.wake("+1m")
    for n in range(3):
        ada.state(f"j{n}", "live")
    ada.wake("+2m")

    assert ada.did.count("updated") == 270
    assert len(ada.runs) == 3


def test_the_document_keeps_the_highest_catalog_it_has_seen(drive: Any) -> None:
    ada = started(drive, Wait(days(1)))
    ada.state("j", "paused")
    ada.state("j", "live")

    ada.event("profile.updated", x=1)

    assert ada.customer.catalog == 3


def test_a_stop_moves_the_clock_as_far_as_it_was_seen(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))
    ada.event("start")
    ada.state("j", "stopped")

    ada.wake("+5h")
    ada.event("news", "+1h")

    assert [entry.at for entry in ada.trace if entry.kind == "exited"] == [
        ada.ms("+5h")
    ]
    assert ada.customer.clock == ada.ms("+5h")
