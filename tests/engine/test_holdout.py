"""Holdouts: who enters and gets nothing, to measure the lift."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from journeykit import (
    Event,
    Goal,
    Holdout,
    Journey,
    Policies,
    ReEntry,
    Send,
    Update,
    Wait,
    days,
    event,
    hours,
    on,
    profile,
    react,
)
from journeykit.engine.catalog import Catalog
from journeykit.engine.ids import bucket
from journeykit.model.steps import Step

ALMOST_ALL = 99.99
ALMOST_NONE = 0.01
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    steps = steps or (Send("sms", "x"),)
    return Journey(
        id=id,
        **{"trigger": on("start"), "steps": steps, "holdout": ALMOST_ALL, **options},
    )


GOAL = Goal(on("bought"), within=days(7))


def test_who_is_held_out_enters_and_gets_nothing(drive: Any) -> None:
    ada = drive(journey(goal=GOAL))

    ada.event("start")
    ada.until("+5d")

    assert ada.did == ["held_out"]
    assert ada.sent == []


def test_who_is_held_out_only_watches_the_goal(drive: Any) -> None:
    ada = drive(journey(goal=GOAL, exit_rules=[on("left")]))
    ada.event("start")

    ada.event("left")
    ada.event("bought", "+1h")

    assert ada.did == ["held_out", "goal goal"]
    assert ada.runs == []


def test_the_goal_of_the_held_out_has_a_value(drive: Any) -> None:
    goal = Goal(on("bought"), within=days(7), value=event.sum)
    ada = drive(journey(goal=goal))
    ada.event("start")

    ada.event("bought", sum=5)

    assert ada.details("goal") == [{"value": 5, "of": "event.sum"}]


@pytest.mark.parametrize(("at", "counts"), [("+167h59m", True), ("+168h", False)])
def test_the_held_out_have_the_same_window(drive: Any, at: str, counts: bool) -> None:
    ada = drive(journey(goal=GOAL))
    ada.event("start")

    ada.event("bought", at)

    assert bool(ada.reasons("goal")) is counts


def test_the_watch_is_over_when_its_window_closes(drive: Any) -> None:
    ada = drive(journey(goal=GOAL))
    ada.event("start")

    assert ada.due_in == "+168h"
    ada.until("+8d")

    assert ada.runs == []
    assert ada.due is None


def test_a_goal_is_counted_once_for_the_held_out_too(drive: Any) -> None:
    goal = Goal(on("bought"), within=days(7), on_goal="continue")
    ada = drive(journey(goal=[goal, Goal(on("x"), id="x", within=days(7))]))
    ada.event("start")

    ada.event("bought")
    ada.event("bought")

    assert ada.reasons("goal") == ["goal"]


def test_a_condition_is_watched_for_the_held_out_too(drive: Any) -> None:
    goal = Goal(profile.plan == "paid", within=days(7))
    ada = drive(journey(goal=goal))
    ada.event("start")

    ada.event("profile.updated", plan="paid")

    assert ada.reasons("goal") == ["goal"]


def test_without_a_goal_there_is_nothing_to_watch(drive: Any) -> None:
    ada = drive(journey())

    ada.event("start")

    assert ada.did == ["held_out"]
    assert ada.runs == []


def test_the_held_out_are_in_the_journey_for_re_entry(drive: Any) -> None:
    ada = drive(journey(goal=GOAL))
    ada.event("start")

    assert ada.event("start") == ["not_entered already_in"]


def test_who_is_held_out_stays_held_out_when_restarted(drive: Any) -> None:
    ada = drive(journey(goal=GOAL, reentry="restart"))

    ada.event("start")
    ada.event("start", "+1h")

    assert ada.did == ["held_out", "held_out"]
    assert len(ada.runs) == 1
    assert ada.due_in == "+169h"


def test_a_restarted_watch_goes_on_beside_the_new_one(drive: Any) -> None:
    ada = drive(journey(goal=GOAL, reentry="restart"))
    ada.event("start")
    ada.event("start", "+1h")

    ada.event("bought", "+2h")

    assert ada.did.count("goal goal") == 2


def test_a_changed_share_concerns_new_entries_only(drive: Any) -> None:
    wait, always = Wait(days(9)), ReEntry("always")
    ada = drive(journey(wait, goal=GOAL, reentry=always))
    ada.event("start")

    ada.publish(journey(wait, goal=GOAL, reentry=always, holdout=ALMOST_NONE))
    ada.event("start")

    assert [run.held_out for run in ada.runs] == [True, False]


def held_out_of(journey: Journey) -> set[str]:
    catalog = Catalog.compile([journey], policies=Policies())
    held_out = set()
    for n in range(400):
        start = Event(
            id=f"e{n}",
            name="start",
            customer=f"c{n}",
            occurred_at=NOW,
            received_at=NOW,
        )
        reaction = react(None, start, catalog=catalog, now=NOW)
        if reaction.trace[0].kind == "held_out":
            held_out.add(f"c{n}")
    return held_out


def test_the_share_is_about_what_it_says() -> None:
    held_out = held_out_of(journey(holdout=20))

    assert 0.14 < len(held_out) / 400 < 0.26
    assert held_out == {f"c{n}" for n in range(400) if bucket("j", f"c{n}") < 2000}


def test_two_journeys_hold_out_different_people_by_default() -> None:
    assert held_out_of(journey(holdout=20)) != held_out_of(journey(id="k", holdout=20))


def test_journeys_of_one_salt_and_share_hold_out_the_same_people() -> None:
    shared = Holdout(20, salt="spring")

    one = held_out_of(journey(holdout=shared))
    two = held_out_of(journey(id="k", holdout=shared))

    assert one == two


def test_a_larger_share_holds_out_the_same_people_and_more() -> None:
    assert held_out_of(journey(holdout=10)) < held_out_of(journey(holdout=30))


def test_the_end_of_the_journey_ejects_the_held_out_too(drive: Any) -> None:
    end = drive().instant("+1h")
    ada = drive(journey(goal=Goal(on("bought")), ends_at=end, on_end="eject"))
    ada.event("start")

    ada.until("+2h")

    assert ada.runs == []


def test_the_held_out_write_nothing_and_wait_for_nothing(drive: Any) -> None:
    ada = drive(journey(Update({"x": 1}), Wait(hours(1)), goal=GOAL))

    ada.event("start")

    assert ada.customer.profile == {}
    assert ada.run.step == ""
