"""Goals: what a journey is for, counted once a run."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Goal,
    Journey,
    Send,
    Update,
    Wait,
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


BOUGHT = on("bought")


def test_reaching_the_goal_ends_the_run_and_says_so(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), Send("sms", "x"), goal=Goal(BOUGHT)))
    ada.event("start")

    told = ada.event("bought", "+1h")
    ada.until("+9d")

    assert told == ["goal goal", "exited goal_reached"]
    assert ada.sent == []


def test_with_continue_the_run_goes_on(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(2)), Send("sms", "x"), goal=Goal(BOUGHT, on_goal="continue"))
    )
    ada.event("start")

    ada.event("bought", "+1h")
    ada.until("+9h")

    assert ada.reasons("goal") == ["goal"]
    assert ada.sent == ["x +2h"]


@pytest.mark.parametrize("on_goal", ["exit", "continue"])
@pytest.mark.parametrize("within", [None, days(5)])
def test_a_goal_is_counted_once_a_run(drive: Any, on_goal: Any, within: Any) -> None:
    ada = drive(
        journey(Wait(days(9)), goal=Goal(BOUGHT, on_goal=on_goal, within=within))
    )
    ada.event("start")

    for hour in range(1, 4):
        ada.event("bought", f"+{hour}h")

    assert ada.reasons("goal") == ["goal"]


def test_it_is_counted_again_in_another_run(drive: Any) -> None:
    ada = drive(journey(Wait(days(9)), goal=Goal(BOUGHT)))

    for _ in range(2):
        ada.event("start")
        ada.event("bought")

    assert ada.reasons("goal") == ["goal", "goal"]


def test_what_was_bought_before_the_entry_does_not_count(drive: Any) -> None:
    ada = drive(journey(Wait(days(9)), goal=Goal(BOUGHT)))

    ada.event("bought")
    ada.event("start")

    assert ada.reasons("goal") == []


def test_the_event_that_starts_the_run_does_not_reach_its_goal(drive: Any) -> None:
    ada = drive(journey(Wait(days(9)), goal=Goal(on("start"))))

    ada.event("start")

    assert ada.reasons("goal") == []


def test_a_value_is_a_number_or_what_the_event_holds(drive: Any) -> None:
    goals = [
        Goal(BOUGHT, id="fixed", value=5, on_goal="continue"),
        Goal(BOUGHT, id="read", value=event.sum, on_goal="continue"),
        Goal(BOUGHT, id="none", on_goal="continue"),
        Goal(BOUGHT, id="missing", value=event.nothing, on_goal="continue"),
        Goal(BOUGHT, id="text", value=event.text, on_goal="continue"),
        Goal(BOUGHT, id="entry", value=entry.sum, on_goal="continue"),
    ]
    ada = drive(journey(Wait(days(9)), goal=goals))
    ada.event("start", sum=1)

    ada.event("bought", sum=9.5, text="many")

    values = {e.reason: e.detail for e in ada.trace if e.kind == "goal"}
    assert values == {
        "fixed": {"value": 5},
        "read": {"value": 9.5, "of": "event.sum"},
        "none": {},
        "missing": {"value_missing": True},
        "text": {"value_missing": True},
        "entry": {"value": 1, "of": "entry.sum"},
    }


def test_a_goal_may_ask_the_event_and_the_entry(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(9)), goal=Goal(on("bought", where=event.item == entry.item)))
    )
    ada.event("start", item="tea")

    ada.event("bought", item="coffee")
    assert ada.reasons("goal") == []
    ada.event("bought", item="tea")

    assert ada.reasons("goal") == ["goal"]


def test_within_is_watched_after_the_run_has_ended(drive: Any) -> None:
    ada = drive(journey(Send("sms", "x"), goal=Goal(BOUGHT, within=days(7))))
    ada.event("start")

    ada.event("bought", "+100h")
    ada.event("bought", "+101h")

    assert ada.reasons("goal") == ["goal"]
    assert ada.details("goal") == [{"after_end": True}]


def test_without_within_nothing_is_watched_after_the_end(drive: Any) -> None:
    ada = drive(journey(Send("sms", "x"), goal=Goal(BOUGHT)))
    ada.event("start")

    ada.event("bought")

    assert ada.reasons("goal") == []


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(("at", "counts"), [("+167h59m", True), ("+168h", False)])
def test_within_counts_from_the_entry(
    drive: Any, running: bool, at: str, counts: bool
) -> None:
    steps = [Wait(days(30))] if running else []
    ada = drive(journey(*steps, goal=Goal(BOUGHT, within=days(7))))
    ada.event("start")

    ada.event("bought", at)

    assert bool(ada.reasons("goal")) is counts


def test_within_is_pinned_at_the_entry(drive: Any) -> None:
    ada = drive(journey(Wait(days(30)), goal=Goal(BOUGHT, within=days(1))))
    ada.event("start")
    long = journey(Wait(days(30)), goal=Goal(BOUGHT, within=days(9)), version=1)

    ada.publish(long)
    ada.event("bought", "+30h")

    assert ada.reasons("goal") == []


def test_within_outlives_an_exit_by_rule(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(30)), goal=Goal(BOUGHT, within=days(7)), exit_rules=[on("left")]
        )
    )
    ada.event("start")
    ada.event("left")

    ada.event("bought", "+1h")

    assert ada.reasons("goal") == ["goal"]


def test_a_run_that_restarted_is_watched_beside_its_follower(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(30)), goal=Goal(BOUGHT, within=days(7)), reentry="restart")
    )
    ada.event("start")
    ada.event("start", "+1h")

    ada.event("bought", "+2h")

    goals = [entry for entry in ada.trace if entry.kind == "goal"]
    assert len(goals) == len({entry.enrollment for entry in goals}) == 2


def test_several_goals_are_counted_each(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(30)),
            goal=[Goal(on("seen"), on_goal="continue"), Goal(BOUGHT, id="sold")],
        )
    )
    ada.event("start")

    ada.event("seen")
    ada.event("bought")

    assert ada.reasons("goal") == ["goal", "sold"]
    assert ada.reasons("exited") == ["goal_reached"]


@pytest.mark.parametrize("within", [None, days(7)])
def test_one_event_may_reach_several_goals(drive: Any, within: Any) -> None:
    goals = [Goal(BOUGHT, id="a", within=within), Goal(BOUGHT, id="b", within=within)]
    ada = drive(journey(Wait(days(30)), goal=goals))
    ada.event("start")

    ada.event("bought")

    assert ada.reasons("goal") == ["a", "b"]


def test_goals_that_were_left_open_are_watched_after_the_first(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(30)),
            goal=[Goal(BOUGHT), Goal(on("again"), id="again", within=days(7))],
        )
    )
    ada.event("start")
    ada.event("bought")

    ada.event("again", "+1h")

    assert ada.reasons("goal") == ["goal", "again"]


def test_a_condition_on_the_profile_is_a_goal(drive: Any) -> None:
    ada = drive(journey(Wait(days(9)), goal=Goal(profile.plan == "paid")))
    ada.event("start")

    ada.event("profile.updated", plan="trial")
    ada.event("profile.updated", plan="paid")

    assert ada.did[-2:] == ["goal goal", "exited goal_reached"]


def test_a_condition_is_watched_after_the_end_too(drive: Any) -> None:
    ada = drive(journey(goal=Goal(profile.plan == "paid", within=days(1))))
    ada.event("start")

    ada.event("profile.updated", "+1h", plan="paid")

    assert ada.reasons("goal") == ["goal"]


def test_a_condition_that_held_at_the_entry_is_not_reached_by_other_news(
    drive: Any,
) -> None:
    """What was so before the entry is not what the journey did."""
    ada = drive(journey(Wait(days(9)), goal=Goal(profile.plan == "paid")))
    ada.event("profile.updated", plan="paid")
    ada.event("start")

    ada.event("profile.updated", city="Turin")

    assert ada.reasons("goal") == []


def test_an_update_of_its_own_reaches_the_goal(drive: Any) -> None:
    ada = drive(
        journey(
            Update({"plan": "paid"}), Wait(days(9)), goal=Goal(profile.plan == "paid")
        )
    )

    ada.event("start")

    assert ada.did[-1] == "exited goal_reached"


def test_two_journeys_reach_their_goals_in_one_event(drive: Any) -> None:
    ada = drive(
        *[journey(Wait(days(9)), id=id, goal=Goal(BOUGHT)) for id in ("a", "b")]
    )
    ada.event("start")

    ada.event("bought")

    assert ada.reasons("exited") == ["goal_reached", "goal_reached"]


def test_a_goal_of_a_held_message_counts_before_the_tick_sends_it(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("sms", "x"), goal=Goal(BOUGHT)))
    ada.event("start")

    ada.event("bought", "+1h", now="+2h")
    ada.wake("+2h")

    assert ada.sent == []


def test_a_report_about_one_run_reaches_the_goal_of_that_run_only(drive: Any) -> None:
    clicked = Goal(on("message.clicked"), within=days(7))
    ada = drive(
        journey(Send("sms", "x"), goal=clicked), journey(id="other", goal=clicked)
    )
    ada.event("start")
    ada.event("start", "+1h")
    first, _ = ada.commands

    ada.event("message.clicked", enrollment=first.enrollment)

    goals = [entry for entry in ada.trace if entry.kind == "goal"]
    assert [goal.enrollment for goal in goals] == [first.enrollment]


def test_goals_after_the_end_are_counted_one_by_one(drive: Any) -> None:
    ada = drive(
        journey(
            goal=[
                Goal(BOUGHT, id="a", within=days(7)),
                Goal(on("again"), id="b", within=days(7)),
            ]
        )
    )
    ada.event("start")

    for name in ("bought", "bought", "again", "again"):
        ada.event(name)

    assert ada.reasons("goal") == ["a", "b"]


def test_a_goal_of_a_version_that_is_gone_is_not_asked(drive: Any) -> None:
    ada = drive(journey(goal=Goal(BOUGHT, within=days(7))))
    ada.event("start")

    ada.publish(journey(goal=Goal(BOUGHT, within=days(7)), version=2))

    assert ada.event("bought") == []


def test_a_goal_that_was_missed_is_explained(drive: Any) -> None:
    big = on("bought", where=event.sum > 100)
    ada = drive(journey(Wait(days(9)), goal=Goal(big)), explain=True)
    ada.event("start")

    told = ada.event("bought", sum=5)

    assert told == ["unmatched goal"]
    assert ada.details("unmatched")[0]["values"] == {"event.sum": 5}
