"""Triggers on what becomes of the customer: attributes, segments, stages, other journeys."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Catalog,
    Condition,
    Emit,
    Exit,
    Goal,
    Journey,
    Policies,
    Send,
    Update,
    Wait,
    WaitFor,
    When,
    api,
    becomes,
    changed,
    crossed,
    days,
    entered,
    entry,
    event,
    finished,
    has,
    hours,
    inactive,
    left,
    on,
    profile,
    stage_changed,
    stuck,
)
from journeykit.model.conditions import older_than, segment, trait
from journeykit.model.segments import Segment, Stage, audience_plan


def journey(trigger: Any, *steps: Any, id: str = "j", **options: Any) -> Journey:
    options = {"reentry": "always", **options}
    return Journey(id, trigger=trigger, steps=steps or [Send("email", "hi")], **options)


def entries(life: Any) -> list[str]:
    """Which journeys were entered when."""
    return [
        f"{told.journey} {life.offset(life.from_ms(told.at))}"
        for told in life.trace
        if told.kind == "entered"
    ]


# --- attributes -----------------------------------------------------------------------


def test_a_changed_attribute_starts_a_run(drive: Any) -> None:
    ada = drive(journey(changed(profile.plan, to="pro")))

    ada.event("profile.updated", plan="free")
    ada.event("profile.updated", plan="pro")
    ada.event("profile.updated", plan="pro", name="Ada")

    assert ada.did.count("entered") == 1


@pytest.mark.parametrize(
    ("trigger", "at"),
    [
        (changed(profile.plan), ["+1h", "+2h", "+4h"]),
        (changed(profile.plan, from_=None), ["+1h"]),
        (changed(profile.plan, from_="free"), ["+2h"]),
        (changed(profile.plan, from_="free", to="pro"), ["+2h"]),
        (changed(profile.plan, to=None), ["+4h"]),
        (changed(profile.plan, from_="free", to=None), []),
        (on("profile.changed"), ["+1h", "+1h", "+2h", "+3h", "+4h"]),
        (
            on("profile.changed", where=(event.field == "a") | (event.field == "plan")),
            ["+1h", "+1h", "+2h", "+3h", "+4h"],
        ),
    ],
    ids=str,
)
def test_what_it_was_and_what_it_is_can_be_asked_for(
    drive: Any, trigger: Any, at: list[str]
) -> None:
    ada = drive(journey(trigger))

    ada.event("profile.updated", "+1h", plan="free", a=1)
    ada.event("profile.updated", "+2h", plan="pro")
    ada.event("profile.updated", "+3h", a=True)
    ada.event("profile.updated", "+4h", plan=None)

    assert entries(ada) == [f"j {when}" for when in at]


def test_a_step_changes_attributes_too(drive: Any) -> None:
    ada = drive(
        journey(on("start"), Update({"plan": "pro"}), id="writes"),
        journey(changed(profile.plan, to="pro"), id="hears"),
    )

    ada.event("start")

    assert entries(ada) == ["writes +0s", "hears +0s"]


def test_the_run_knows_what_has_changed(drive: Any) -> None:
    said = {"field": entry.field, "was": entry["from"], "is": entry.to}
    ada = drive(journey(changed(profile.plan), Send("email", "hi", variables=said)))

    ada.event("profile.updated", plan="free")
    ada.event("profile.updated", plan="pro")

    assert ada.commands[-1].variables == {"field": "plan", "was": "free", "is": "pro"}


def test_a_change_is_a_goal_and_ends_a_wait(drive: Any) -> None:
    upgraded = changed(profile.plan, to="pro")
    ada = drive(
        journey(on("start"), Wait(days(9)), id="sells", goal=Goal(upgraded)),
        journey(on("start"), WaitFor([When(upgraded, [Send("sms", "ty")])])),
    )
    ada.event("start")

    ada.event("profile.updated", "+1h", plan="pro")

    assert ada.reasons("goal") == ["goal"]
    assert ada.sent == ["ty +1h"]


def test_nobody_is_told_of_attributes_that_nobody_watches(drive: Any) -> None:
    ada = drive(journey(changed(profile.plan)))

    told = ada.event("profile.updated", name="Ada")

    assert told == ["profile"]
    assert ada.catalog.watched == {"plan"}


def test_a_change_by_an_event_from_nobody_counts_as_no_event_from_outside(
    drive: Any,
) -> None:
    ada = drive(journey(changed(profile.plan), Emit("upgraded")))

    ada.event("profile.updated", plan="pro")

    assert ada.published == []
    assert len(ada.customer.seen) == 2  # what came in, and what a step has emitted


# --- segments and stages ----------------------------------------------------------------


AUDIENCE = audience_plan(
    segments=[
        Segment("vip", profile.spent > 100),
        Segment("quiet", older_than(profile.seen_at, days(30))),
    ],
    stages=[Stage("trial"), Stage("customer", profile.spent > 0)],
)


def test_entering_and_leaving_a_segment_start_runs(drive: Any) -> None:
    ada = drive(
        journey(entered("vip"), id="in"),
        journey(left("vip"), id="out"),
        audience=AUDIENCE,
    )

    ada.event("profile.updated", "+1h", spent=50)
    ada.event("profile.updated", "+2h", spent=150)
    ada.event("profile.updated", "+3h", spent=200)
    ada.event("profile.updated", "+4h", spent=20)

    assert entries(ada) == ["in +2h", "out +4h"]


def test_a_segment_is_entered_by_time_alone(drive: Any) -> None:
    ada = drive(journey(entered("quiet")), audience=AUDIENCE)

    ada.event("profile.updated", seen_at="2026-06-01T12:00:00Z")
    ada.until("+40d")

    assert entries(ada) == ["j +720h"]


def test_a_segment_can_begin_a_sequence(drive: Any) -> None:
    trigger = entered("vip").without(on("order.placed"), within=days(7))
    ada = drive(journey(trigger), audience=AUDIENCE)

    ada.event("profile.updated", spent=150)
    ada.until("+10d")

    assert entries(ada) == ["j +168h"]


def test_a_changed_stage_starts_a_run(drive: Any) -> None:
    ada = drive(
        journey(stage_changed(from_="", to="trial"), id="new"),
        journey(stage_changed(to="customer"), id="won"),
        journey(stage_changed(from_="customer"), id="lost"),
        audience=AUDIENCE,
    )

    ada.event("visited")
    ada.event("profile.updated", "+1h", spent=5)
    ada.event("profile.updated", "+2h", spent=0)

    assert entries(ada) == ["new +0s", "won +1h", "lost +2h"]


def test_who_stays_in_a_stage_too_long_is_stuck(drive: Any) -> None:
    ada = drive(journey(stuck("trial", for_=days(14))), audience=AUDIENCE)

    ada.event("visited")
    ada.event("profile.updated", "+10d", spent=5)
    ada.event("profile.updated", "+11d", spent=0)
    ada.until("+60d")

    assert entries(ada) == ["j +600h"]  # 14 days after the 11th


# --- what holds from now on ---------------------------------------------------------------


def test_a_condition_that_begins_to_hold_starts_a_run(drive: Any) -> None:
    ada = drive(journey(becomes((profile.orders >= 3) & has(profile.phone))))

    ada.event("profile.updated", "+1h", orders=3)
    ada.event("profile.updated", "+2h", phone="1")
    ada.event("profile.updated", "+3h", orders=4)

    assert entries(ada) == ["j +2h"]


@pytest.mark.parametrize(
    ("trigger", "at"),
    [
        (crossed(profile.x, above=10), ["+3h", "+5h"]),
        (crossed(profile.x, at_least=10), ["+2h", "+5h"]),
        (crossed(profile.x, below=10), ["+1h", "+4h"]),
        (crossed(profile.x, at_most=10), ["+1h", "+4h"]),
    ],
    ids=["above", "at_least", "below", "at_most"],
)
def test_a_threshold_is_crossed_again_from_the_other_side(
    drive: Any, trigger: Any, at: list[str]
) -> None:
    ada = drive(journey(trigger))

    for hour, value in enumerate([5, 10, 11, 5, 12, 13], 1):
        ada.event("profile.updated", f"+{hour}h", x=value)

    assert entries(ada) == [f"j {when}" for when in at]


def test_a_hidden_condition_may_ask_for_segments(drive: Any) -> None:
    trigger = becomes((segment.vip == True) & (profile.country == "DE"))
    ada = drive(journey(trigger), audience=AUDIENCE)

    ada.event("profile.updated", country="DE")
    ada.event("profile.updated", "+1h", spent=500)

    assert entries(ada) == ["j +1h"]


def test_who_it_holds_for_when_it_is_published_does_not_enter(drive: Any) -> None:
    ada = drive()
    ada.event("profile.updated", x=20)

    ada.publish(journey(crossed(profile.x, above=10)))
    ada.event("visited", "+1h")
    ada.event("profile.updated", "+2h", x=1)
    ada.event("profile.updated", "+3h", x=30)

    assert entries(ada) == ["j +3h"]


# --- inactivity ---------------------------------------------------------------------------


def test_who_has_not_ordered_for_thirty_days_is_inactive(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", for_=hours(720))))

    ada.event("order.placed")
    ada.event("order.placed", "+10d")
    ada.event("visited", "+39d")
    ada.until("+100d")

    assert entries(ada) == ["j +960h"]


def test_an_order_at_the_last_instant_is_activity(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", for_=hours(720))))

    ada.event("order.placed")
    ada.event("order.placed", "+720h")
    ada.until("+800h")

    assert entries(ada) == []


def test_who_comes_back_and_goes_again_is_inactive_again(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", for_=hours(720))))

    ada.event("order.placed")
    ada.until("+40d")
    ada.event("order.placed", "+40d")
    ada.until("+90d")

    assert entries(ada) == ["j +720h", "j +1680h"]


def test_who_has_never_done_it_has_not_stopped(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", for_=hours(720))))

    ada.event("visited")
    ada.until("+90d")

    assert entries(ada) == []


def test_any_of_several_events_is_activity(drive: Any) -> None:
    seen = [on("visited"), on("opened", where=event.automated != True)]
    ada = drive(journey(inactive(seen, for_=hours(48))))

    ada.event("visited")
    ada.event("opened", "+1d", automated=False)
    ada.event("opened", "+2d", automated=True)
    ada.until("+9d")

    assert entries(ada) == ["j +72h"]


def test_a_late_event_counts_at_its_own_time(drive: Any) -> None:
    ada = drive(journey(inactive("visited", for_=hours(48))))

    ada.event("visited")
    ada.event("visited", "+30h", occurred="+10h")
    ada.until("+9d")

    assert entries(ada) == ["j +58h"]


def test_inactivity_against_ones_own_cadence(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", cadence=2.0)))

    for at in ("+0h", "+10h", "+20h", "+30h"):
        ada.event("order.placed", at)
    ada.until("+9d")

    assert entries(ada) == ["j +50h"]  # twice the mean of ten hours


def test_who_has_too_few_events_has_no_cadence(drive: Any) -> None:
    ada = drive(journey(inactive("order.placed", cadence=2.0, at_least=5)))

    for at in ("+0h", "+10h", "+20h", "+30h"):
        ada.event("order.placed", at)
    ada.until("+9d")

    assert entries(ada) == []


# --- other journeys, messages ---------------------------------------------------------------


def test_a_finished_journey_starts_another(drive: Any) -> None:
    ada = drive(
        journey(on("start"), Wait(hours(2)), id="welcome"),
        journey(finished("welcome", outcome="completed"), id="next"),
        journey(finished("welcome", outcome="exited"), id="never"),
    )

    ada.event("start")
    ada.until("+1d")

    assert entries(ada) == ["welcome +0s", "next +2h"]


def test_how_and_why_it_ended_can_be_asked_for(drive: Any) -> None:
    ada = drive(
        journey(on("start"), Exit("not_interested"), id="welcome"),
        journey(finished("welcome", reason="not_interested"), id="next"),
        journey(finished("welcome", outcome="failed"), id="never"),
    )

    ada.event("start")

    assert entries(ada) == ["welcome +0s", "next +0s"]


@pytest.mark.parametrize("how", ["removed", "stopped"])
def test_a_run_that_ends_without_a_step_is_told_of_too(drive: Any, how: str) -> None:
    ada = drive(
        journey(on("start"), Wait(days(9)), id="welcome"),
        journey(finished("welcome", reason=how), id="next"),
    )
    ada.event("start")

    if how == "removed":
        ada.remove("welcome", "+1h")
    else:
        ada.state("welcome", "stopped")
        ada.wake("+1h")

    assert entries(ada)[1:] == ["next +1h"]


def test_journeys_that_start_each_other_come_to_an_end(drive: Any) -> None:
    ada = drive(
        journey([on("start"), finished("b")], id="a"),
        journey(finished("a"), id="b"),
    )

    ada.event("start")

    assert ada.reasons("ignored") == ["endless"]
    assert 2 < len(entries(ada)) < 10


def test_the_key_of_the_finished_run_is_known(drive: Any) -> None:
    ada = drive(
        journey(on("start"), id="welcome", key=event.order),
        journey(finished("welcome"), Send("sms", "x", variables={"of": entry.key})),
    )

    ada.event("start", order="o-1")

    assert ada.commands[-1].variables == {"of": "o-1"}


def test_a_run_that_test_traffic_has_started_starts_test_runs(drive: Any) -> None:
    ada = drive(
        journey(on("start"), Wait(hours(1)), id="welcome"),
        journey(finished("welcome"), Wait(days(9)), id="next"),
    )
    ada.event("start", test=True)

    ada.event("visited", "+2h")

    assert [run.test for run in ada.runs] == [True]


@pytest.mark.parametrize("fate", ["delivered", "opened", "clicked", "replied"])
def test_what_becomes_of_a_message_starts_a_run(drive: Any, fate: str) -> None:
    ada = drive(
        journey(on("start"), id="sends"),
        journey(on(f"message.{fate}"), Send("sms", "x"), id="hears"),
    )
    ada.event("start")
    message = ada.commands[0]

    ada.event(
        f"message.{fate}",
        "+1h",
        delivery_id=message.delivery_id,
        enrollment=message.enrollment,
    )

    assert entries(ada) == ["sends +0s", "hears +1h"]


def test_inner_events_are_neither_learned_nor_published(drive: Any) -> None:
    ada = drive(journey(entered("vip")), audience=AUDIENCE)

    ada.event("profile.updated", spent=150)

    assert ada.published == []
    assert set(ada.customer.profile) == {"spent"}


def test_a_condition_that_is_no_trigger_of_its_own_can_stand_beside_one(
    drive: Any,
) -> None:
    ada = drive(journey([api(), becomes(Condition.parse("profile.x == 1"))]))

    ada.enroll("j")
    ada.event("profile.updated", "+1h", x=1)

    assert entries(ada) == ["j +0s", "j +1h"]


def test_a_trait_may_be_asked_for(drive: Any) -> None:
    last = {"type": "count", "name": "orders", "within": None, "value": None}
    orders = {**last, "of": [{"name": "order.placed", "where": None}]}
    audience = {"traits": [orders], "segments": [], "stages": []}
    ada = drive(journey(crossed(trait.orders, at_least=2)), audience=audience)

    ada.event("order.placed")
    ada.event("order.placed", "+1h")

    assert entries(ada) == ["j +1h"]


# --- several at one instant -----------------------------------------------------------


@pytest.mark.parametrize("ids", ["ab", "ba"])
def test_who_starts_at_one_instant_goes_by_priority_in_whatever_order_they_stand(
    drive: Any, ids: str
) -> None:
    made = {
        "a": journey(becomes(profile.score >= 2), id="a"),
        "b": journey(becomes(profile.score >= 1), id="b", priority=5),
    }
    ada = drive(*(made[id] for id in ids))

    ada.event("profile.updated", score=3)

    assert entries(ada) == ["b +0s", "a +0s"]


def test_the_order_of_journeys_makes_no_other_audience() -> None:
    one = journey(becomes(profile.score >= 2), id="a")
    other = journey(inactive("visited", for_=days(1)), id="b")

    first, second = (
        Catalog.compile(journeys, policies=Policies())
        for journeys in ([one, other], [other, one])
    )

    assert first.audience.version == second.audience.version != 0
