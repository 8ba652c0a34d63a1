"""A call takes a customer out of a journey, and keeps them out until another lets them in."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Customer,
    Goal,
    Holdout,
    Journey,
    ReEntry,
    Send,
    Start,
    Wait,
    api,
    days,
    event,
    hours,
    on,
    react,
)
from journeykit.engine.customer import Past, decode, encode
from journeykit.engine.limits import PAST_BYTES


def journey(**options: Any) -> Journey:
    given = {
        "id": "j",
        "trigger": [on("start"), api()],
        "steps": [Wait(hours(4)), Send("sms", "x")],
    }
    return Journey(**{**given, **options})


def test_removal_ends_the_run(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")

    assert ada.remove("j", "+1h") == ["removed", "exited removed"]
    assert ada.until("+9h") == []
    assert ada.sent == []


def test_removal_ends_all_runs_of_the_journey_and_no_others(drive: Any) -> None:
    other = journey(id="other")
    ada = drive(journey(reentry="always", key=event.order), other)
    ada.event("start", order="a")
    ada.event("start", order="b")

    told = ada.remove("j")

    assert told == ["removed", "exited removed", "exited removed"]
    assert {run.journey for run in ada.runs} == {"other"}


def test_a_trigger_that_is_met_afterwards_enters_nobody(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")
    ada.remove("j")

    assert ada.event("start", "+30d") == ["not_entered removed"]


def test_a_call_enters_and_ends_the_removal(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")
    ada.remove("j")

    assert ada.enroll("j", "+1h") == ["entered", "waiting"]

    ada.until("+9h")
    assert ada.sent == ["x +5h"]
    assert ada.event("start", "+10h") == ["entered", "waiting"]


def test_a_call_that_does_not_enter_leaves_the_removal(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry("never")))
    ada.event("start")
    ada.remove("j")

    assert ada.enroll("j") == ["not_entered entered_before"]
    assert ada.event("start") == ["not_entered removed"]


def test_a_customer_can_be_kept_out_beforehand(drive: Any) -> None:
    ada = drive(journey())

    assert ada.remove("j") == ["removed"]
    assert ada.event("start", "+1h") == ["not_entered removed"]
    assert ada.enroll("j", "+2h") == ["entered", "waiting"]


def test_the_same_call_again_removes_nobody(drive: Any) -> None:
    ada = drive(journey())
    ada.remove("j", id="once")
    ada.enroll("j")

    assert ada.remove("j", id="once") == ["ignored duplicate"]
    assert len(ada.runs) == 1


def test_one_id_may_stand_for_an_enroll_call_and_for_a_removal(drive: Any) -> None:
    ada = drive(journey())

    ada.enroll("j", id="1")

    assert ada.remove("j", id="1") == ["removed", "exited removed"]


def test_a_journey_that_nobody_knows_can_not_be_left(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")
    before = ada.customer

    assert ada.remove("k") == ["ignored no_such_journey"]
    assert ada.customer is before


def test_a_held_out_run_ends_too(drive: Any) -> None:
    ada = drive(journey(holdout=Holdout(99.99), goal=Goal(on("bought"))))
    ada.event("start")

    assert ada.remove("j") == ["removed"]
    assert ada.runs == []
    assert ada.event("bought") == []


def test_what_was_due_before_happens_before(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")

    told = ada.remove("j", "+5h")

    assert told == ["went_on due", "sent x", "completed", "removed"]


def test_a_run_of_a_version_that_is_gone_is_ended(drive: Any) -> None:
    ada = drive(journey(version=1))
    ada.event("start")
    ada.publish(journey(version=2))

    assert ada.remove("j") == ["removed", "exited removed"]


def test_goals_are_watched_after_the_removal(drive: Any) -> None:
    ada = drive(journey(goal=Goal(on("bought"), within=days(7))))
    ada.event("start")
    ada.remove("j")

    assert ada.event("bought", "+24h") == ["goal goal"]


def test_a_start_step_does_not_enter_who_was_removed(drive: Any) -> None:
    ada = drive(journey(), Journey("k", trigger=on("go"), steps=[Start("j")]))
    ada.remove("j")

    assert ada.event("go")[-1] == "not_entered removed"


def test_a_document_without_a_removal_does_not_tell_of_one(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")

    assert b"removed" not in encode(ada.customer)


def test_removals_are_forgotten_last(drive: Any) -> None:
    ada = drive(journey(), Journey("k", trigger=on("go"), steps=[]))
    ada.remove("j")
    full: Customer = decode(encode(ada.customer))
    for n in range(PAST_BYTES // 100):
        full.past[f"{n}-{'x' * 60}"] = Past(count=1, last_in=n + 1, outcome="completed")

    reaction = react(full, ada.stimulus("go"), catalog=ada.catalog, now=ada.now)

    assert "journey" in {entry.reason for entry in reaction.trace}
    assert reaction.customer.past["j"].removed


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_nobody_enters_what_is_not_open_and_runs_go_on(drive: Any, state: str) -> None:
    ada = drive(journey())
    ada.event("start")

    ada.state("j", state)

    assert ada.event("start", "+1h") == []  # the trigger isn't even asked
    assert ada.enroll("j", "+1h") == [f"not_entered {state}"]
    assert ada.until("+4h") == ["went_on due", "sent x", "completed"]
