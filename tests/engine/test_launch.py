from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    Journey,
    Launch,
    Policies,
    ScheduleTrigger,
    Send,
    Wait,
    api,
    days,
    entered,
    entry,
    event,
    every,
    on,
    profile,
    stage_changed,
)
from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Customer, created
from journeykit.engine.launching import concerns_somebody
from journeykit.engine.react import react
from journeykit.engine.stimuli import Remove, decoded, encoded
from journeykit.model.segments import Segment, Stage, audience_plan
from journeykit.model.triggers import Trigger
from journeykit.testing import Simulator

VIP = {"plan": "pro"}
AUDIENCE = audience_plan(
    [],
    [Segment("vip", profile.plan == "pro"), Segment("all", profile.id != "")],
    [Stage("consideration"), Stage("retention", profile.plan == "pro")],
)


def make_sim(trigger: Trigger | list[Trigger], **fields: Any) -> Simulator:
    journey = Journey(
        "welcome",
        trigger=trigger,
        steps=[Wait(days(1)), Send("email", "hi", variables={"in": entry.segment})],
        **fields,
    )
    return Simulator(
        journey,
        start="2026-01-01T00:00:00Z",
        audience=AUDIENCE,
        profiles={"ada": VIP, "bob": VIP, "cy": {}},
    )


def entries(sim: Simulator) -> dict[str, int]:
    """How often each customer has entered."""
    return {
        id: past.count
        for id, customer in sim.customers.items()
        if (past := customer.past.get("welcome")) is not None and past.count
    }


def test_a_publish_for_only_new_members_enrolls_who_comes_in_afterwards() -> None:
    sim = make_sim(entered("vip"))
    assert entries(sim) == {}

    sim.identify("cy", plan="pro")

    assert entries(sim) == {"cy": 1}


def test_a_launch_enrolls_existing_members_each_once() -> None:
    sim = make_sim(entered("vip"))

    counts = [sim.launch("welcome"), sim.launch("welcome")]
    sim.advance("P3D")
    counts.append(sim.launch("welcome"))

    assert counts == [2, 0, 0]
    assert entries(sim) == {"ada": 1, "bob": 1}
    assert [message.variables for message in sim.sends] == [{"in": "vip"}] * 2
    sim.assert_not_entered("ada", "welcome", reason="launched_before")


def test_who_has_left_the_segment_is_not_launched() -> None:
    sim = make_sim(entered("vip"))
    sim.identify("ada", plan="free")

    assert sim.launch("welcome") == 1
    assert entries(sim) == {"bob": 1}


@pytest.mark.parametrize(
    "trigger",
    [on("order.placed"), api(), every("day", at="09:00"), entered("nobody-here")],
    ids=["event", "api", "schedule", "another segment"],
)
def test_a_launch_of_anything_else_enrolls_nobody(trigger: Trigger) -> None:
    sim = make_sim(trigger)

    assert sim.launch("welcome") == 0
    assert entries(sim) == {}


def test_a_launch_is_about_the_stage_as_well() -> None:
    sim = make_sim(stage_changed(to="retention"))

    assert sim.launch("welcome") == 2


def test_what_says_where_somebody_came_from_is_not_met_by_being_there() -> None:
    sim = make_sim(stage_changed(from_="consideration", to="retention"))

    assert sim.launch("welcome") == 0


def test_the_condition_of_the_trigger_holds_for_a_launch_too() -> None:
    is_beta = (event.segment == "vip") & (profile.beta == True)
    sim = make_sim(on("segment.entered", where=is_beta))
    sim.identify("bob", beta=True)

    assert sim.launch("welcome") == 1
    assert entries(sim) == {"bob": 1}


def test_who_was_taken_out_is_not_launched_and_a_call_lets_them_in_again() -> None:
    # Case 8: manual removal beats the filter, and a manual entry is a second enrollment.
    catalog = make_catalog([entered("vip"), api()])
    ada = launched(make_customer(), catalog, "first")
    assert len(ada.active) == 1
    removed = Remove(
        id="1", journey="welcome", customer="ada", received_at=to_datetime(ada.clock)
    )
    ada = react(ada, removed, catalog=catalog, now=to_datetime(ada.clock)).customer
    assert ada.active == []

    ada = launched(ada, catalog, "second")
    assert ada.active == []


def test_the_same_launch_again_is_a_duplicate() -> None:
    catalog = make_catalog(entered("vip"))
    ada = launched(make_customer(), catalog, "job-1")

    again = react(
        ada,
        make_launch("job-1", ada.clock),
        catalog=catalog,
        now=to_datetime(ada.clock),
    )

    assert [(one.kind, one.reason) for one in again.trace] == [("ignored", "duplicate")]
    assert again.customer is ada


def test_a_launch_of_no_journey_is_ignored() -> None:
    catalog = make_catalog(entered("vip"), id="another")
    ada = make_customer()

    reaction = react(
        ada,
        make_launch("job-1", ada.clock),
        catalog=catalog,
        now=to_datetime(ada.clock),
    )

    assert ("ignored", "no_such_journey") in [
        (one.kind, one.reason) for one in reaction.trace
    ]


def test_a_launch_of_a_unique_journey_enrolls_one_of_each_value() -> None:
    # Case 9: two profiles share an address; one changes it; the next scan has both.
    journey = Journey(
        "welcome", trigger=entered("vip"), unique=profile.email, steps=[Wait(days(9))]
    )
    sim = Simulator(
        journey,
        start="2026-01-01T00:00:00Z",
        audience=AUDIENCE,
        profiles={
            "ada": {**VIP, "email": "a@x.de"},
            "bob": {**VIP, "email": "a@x.de"},
        },
    )

    assert sim.launch("welcome") == 1
    assert sim.launch("welcome") == 0
    sim.identify("bob", email="b@x.de")
    assert sim.launch("welcome") == 1
    assert sim.launch("welcome") == 0
    assert entries(sim) == {"ada": 1, "bob": 1}


def test_who_has_entered_with_one_value_is_launched_with_another() -> None:
    journey = Journey(
        "welcome",
        trigger=entered("vip"),
        unique=profile.email,
        reentry="always",
        steps=[Wait(days(9))],
    )
    sim = Simulator(
        journey,
        start="2026-01-01T00:00:00Z",
        audience=AUDIENCE,
        profiles={"ada": {**VIP, "email": "a@x.de"}},
    )
    sim.launch("welcome")
    sim.identify("ada", email="b@x.de")

    assert sim.launch("welcome") == 1
    assert sim.launch("welcome") == 0


def test_a_keyed_journey_whose_key_no_launch_has_takes_nobody() -> None:
    sim = make_sim(entered("vip"), key=event.order)

    assert sim.launch("welcome") == 0
    sim.assert_not_entered("ada", "welcome", reason="key_missing")


@pytest.mark.parametrize(
    ("trigger", "is_about"),
    [
        (entered("vip"), True),
        (stage_changed(to="retention"), True),
        ([on("x"), entered("vip")], True),
        (on("x"), False),
        (every("day", at="09:00"), False),
        (ScheduleTrigger(once="2026-01-01T09:00", segment="vip"), False),
    ],
    ids=["segment", "stage", "one of two", "event", "schedule", "once"],
)
def test_it_can_be_told_whether_a_launch_concerns_anybody(
    trigger: Trigger | list[Trigger], is_about: bool
) -> None:
    (plan,) = make_catalog(trigger).live.values()

    assert concerns_somebody(plan) is is_about


def test_a_launch_travels_as_every_stimulus() -> None:
    launch = make_launch("job-1", 17)

    assert decoded(*encoded(launch)) == launch


def make_catalog(trigger: Trigger | list[Trigger], id: str = "welcome") -> Catalog:
    journey = Journey(id, trigger=trigger, steps=[Wait(days(1))])
    return Catalog.compile([journey], policies=Policies(), audience=AUDIENCE)


def make_customer() -> Customer:
    ada = created("ada", 1_767_225_600_000, VIP)
    return replace(ada, revision=1)  # who is there already


def make_launch(id: str, at: int) -> Launch:
    return Launch(id=id, journey="welcome", customer="ada", received_at=to_datetime(at))


def launched(customer: Customer, catalog: Catalog, id: str) -> Customer:
    now = to_datetime(customer.clock)
    launch = make_launch(id, customer.clock)
    return react(customer, launch, catalog=catalog, now=now).customer
