"""The whole customer journey, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import written

from journeykit import (
    Count,
    Event,
    Goal,
    Journey,
    Objective,
    Persona,
    Segment,
    Send,
    Stage,
    Touchpoint,
    audience_plan,
    entered,
    on,
    profile,
    segment,
    trait,
)
from journeykit.errors import InputError
from journeykit.insight.coverage import coverage
from journeykit.insight.stages import LIFECYCLE, StageMap, stage_map
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event, simulate
from journeykit.workspace import Workspace

THANKS = Journey(
    "thanks",
    stage="advocacy",
    trigger=on("order.placed"),
    reentry="always",
    goal=Goal(on("review.posted"), on_goal="continue"),
    steps=[Send("email", "thanks", touchpoint="thank-you"), Send("email", "ask")],
)
VIP = Journey(
    "vip", trigger=entered("big"), steps=[Send("email", "vip", touchpoint="vip")]
)

TRAITS = [Count("orders", on("order.placed"))]
SEGMENTS = [
    Segment("big", trait.orders >= 2),
    Segment("german", profile.country == "de"),
    Segment("big-german", (segment.big == True) & (segment.german == True)),
]
STAGES = [
    Stage("consideration"),
    Stage("conversion", trait.orders >= 1),
    Stage("devotion", trait.orders >= 2, name="Devoted"),
    Stage("advocacy", trait.orders >= 3),
]


def shop(**more: Any) -> Workspace:
    fields: dict[str, Any] = {
        "journeys": [THANKS, VIP],
        "traits": TRAITS,
        "segments": SEGMENTS,
        "stages": STAGES,
        "personas": [
            Persona(
                "gustav", segment="german", name="Gustav", friction="posts too late"
            ),
            Persona("berta", segment="big", name="Big Berta"),
        ],
        "touchpoints": [
            Touchpoint(
                "thank-you", stage="advocacy", channel="email", friction="too many"
            ),
            Touchpoint("vip", stage="retention", channel="email"),
            Touchpoint(
                "store",
                stage="conversion",
                channel="store",
                event="order.placed",
                friction="queues",
                owner="stores",
            ),
            Touchpoint("billboard", stage="awareness", channel="street"),
        ],
        "objectives": [Objective("reviews", kpi="reviews", target=9, by="2026-12-31")],
    }
    return Workspace(path=Path("shop"), name="Shop", **{**fields, **more})


def events() -> Iterator[Event]:
    for n in range(12):
        who = f"c{n}"
        at = f"2026-06-{n + 1:02}"
        country = "de" if n % 3 == 0 else "fr"
        yield make_event("profile.updated", who, at=f"{at}T08:00:00Z", country=country)
        for order in range(n % 4):
            yield make_event("order.placed", who, at=f"{at}T{10 + order}:00:00Z")


@pytest.fixture(scope="module")
def simulated() -> Any:
    return simulate(
        [THANKS, VIP],
        list(events()),
        audience=audience_plan(TRAITS, SEGMENTS, STAGES),
        explain=False,
    )


@pytest.fixture(scope="module")
def house(
    simulated: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    logs = written(tmp_path_factory.mktemp("logs"), simulated)
    with Warehouse.open(logs) as opened:
        yield opened


def test_own_stages_stand_between_the_five() -> None:
    found = stage_map(shop())

    assert [column.id for column in found.columns] == [
        *("awareness", "consideration", "conversion", "retention", "devotion"),
        "advocacy",
    ]
    assert found.column("devotion").name == "Devoted"
    assert not found.column("retention").defined


def test_without_stages_there_are_the_five() -> None:
    found = stage_map(shop(stages=()))

    assert tuple(column.id for column in found.columns) == LIFECYCLE
    assert not found.counted
    assert found.people is None


def test_people_are_in_the_stage_of_their_document(
    simulated: Any, house: Warehouse
) -> None:
    documents = Counter(customer.stage for customer in simulated.customers.values())

    found = stage_map(shop(), house)

    counts = {column.id: column.people for column in found.columns if column.people}
    assert counts == documents
    assert found.people == 12


def test_moves_are_the_changes_in_the_trace(simulated: Any, house: Warehouse) -> None:
    changes = Counter(
        (t.entry.detail.get("from") or "", t.entry.reason)
        for t in simulated.trace
        if t.kind == "stage"
    )

    found = stage_map(shop(), house)

    assert {(m.source, m.target): m.count for m in found.moves} == changes
    assert found.ahead == sum(changes.values()) > 0
    assert found.back == 0


def test_touchpoints_are_counted_as_they_were_met(
    simulated: Any, house: Warehouse
) -> None:
    sent = Counter(t.entry.step for t in simulated.trace if t.kind == "sent")
    orders = [event for event in events() if event.name == "order.placed"]

    found = stage_map(shop(), house)

    met = {each.id: each for column in found.columns for each in column.touchpoints}
    assert met["thank-you"].sent == sent["send-email-thanks"] == len(orders)
    assert met["thank-you"].people == 9
    assert met["store"].observed == len(orders)
    assert met["store"].sent is None
    assert met["billboard"].people is None
    assert not met["thanks/send-email-ask"].declared
    assert met["thanks/send-email-ask"].stage == "advocacy"


def test_a_journey_without_a_stage_is_where_its_touchpoint_is(house: Warehouse) -> None:
    found = stage_map(shop(), house)

    (journey,) = found.column("retention").journeys
    assert (journey.id, journey.entered) == ("vip", 6)
    assert found.stageless == ()


def test_counts_of_a_persona_are_those_of_its_people(house: Warehouse) -> None:
    found = stage_map(shop(), house, persona="gustav")

    assert found.persona is not None
    assert found.persona.people == 4
    assert found.people == 4
    assert sum(found.persona.stages.values()) == 4
    (thanks,) = found.column("advocacy").journeys
    assert thanks.entered == sum(
        event.name == "order.placed" and int(event.customer[1:]) % 3 == 0
        for event in events()
    )


def test_an_unknown_persona_is_named(house: Warehouse) -> None:
    with pytest.raises(InputError, match="no persona 'gustaf'; did you mean 'gustav'"):
        stage_map(shop(), house, persona="gustaf")


def test_without_an_archive_nothing_observed_is_known(
    simulated: Any, tmp_path: Path
) -> None:
    logs = written(tmp_path, simulated)
    with Warehouse.open(type(logs)(logs.decisions)) as house:
        found = stage_map(shop(), house)

    (store,) = found.column("conversion").touchpoints
    assert store.observed is None
    assert any("no event archive" in doubt for doubt in found.doubts)


# What it lacks


def lacks(workspace: Workspace, found: StageMap | None = None) -> list[tuple[str, str]]:
    every = coverage(workspace, found or stage_map(workspace)).gaps
    return [(gap.kind, gap.subject) for gap in every]


def test_what_is_lacking_is_said() -> None:
    assert lacks(shop()) == [
        ("stage_without_journeys", "awareness"),
        ("stage_without_touchpoints", "consideration"),
        ("stage_without_journeys", "consideration"),
        ("stage_without_journeys", "conversion"),
        ("stage_without_touchpoints", "devotion"),
        ("stage_without_journeys", "devotion"),
        ("persona_without_journeys", "gustav"),
        ("friction", "store"),
        ("friction", "gustav"),
        ("touchpoint_of_nobody", "billboard"),
        ("objective_of_nobody", "reviews"),
    ]


def test_a_gap_among_many_says_how_many(house: Warehouse) -> None:
    workspace = shop()
    found = stage_map(workspace, house)

    gaps = {(g.kind, g.subject): g.people for g in coverage(workspace, found).gaps}

    assert gaps["stage_without_touchpoints", "devotion"] == 3
    assert gaps["persona_without_journeys", "gustav"] == 4
    assert gaps["friction", "store"] == 9


def test_a_persona_is_covered_through_other_segments() -> None:
    joined = Journey(
        "both",
        stage="awareness",
        trigger=on("x", where=segment["big-german"] == True),
        steps=[Send("email", "a")],
    )

    found = lacks(shop(journeys=[THANKS, VIP, joined]))

    assert ("persona_without_journeys", "gustav") not in found
    assert ("friction", "gustav") not in found


@pytest.mark.parametrize(
    "more",
    [{"keep_while_in_segment": "german"}, {"trigger": entered("german")}],
    ids=["kept", "entered"],
)
def test_a_journey_asks_for_a_segment_in_several_ways(more: dict[str, Any]) -> None:
    fields = {"trigger": on("x"), "steps": [Send("email", "a")], **more}

    found = lacks(shop(journeys=[THANKS, VIP, Journey("german", **fields)]))

    assert ("persona_without_journeys", "gustav") not in found


def test_friction_with_a_step_there_is_addressed() -> None:
    answer = Journey(
        "express",
        stage="conversion",
        trigger=on("order.placed"),
        steps=[Send("push", "express-desk", touchpoint="store")],
    )

    assert ("friction", "store") not in lacks(shop(journeys=[THANKS, VIP, answer]))


def test_what_nobody_met_in_the_log_is_said(tmp_path: Path) -> None:
    quiet = simulate([THANKS, VIP], [make_event("x", "ada")], explain=False)
    workspace = shop()
    with Warehouse.open(written(tmp_path, quiet)) as house:
        found = stage_map(workspace, house)

    assert ("touchpoint_not_met", "thank-you") in lacks(workspace, found)


def test_a_journey_on_no_stage_is_off_the_map() -> None:
    lost = Journey("lost", trigger=on("x"), steps=[Send("email", "a")])

    assert ("off_the_map", "lost") in lacks(shop(journeys=[lost]))
