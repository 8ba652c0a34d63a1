"""Measures as definitions: what they refuse, how they are written, what checks find."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from journeykit import (
    Active,
    Arrival,
    Conversion,
    DefinitionError,
    Goal,
    InvalidJourney,
    Journey,
    Membership,
    MessageRate,
    Objective,
    Occurrences,
    Reach,
    Returning,
    Revenue,
    Segment,
    Send,
    Stage,
    SurveyScore,
    Total,
    days,
    event,
    on,
)
from journeykit.model.check import Schemas, check
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)
from journeykit.model.issues import Issue
from journeykit.model.measures import Measure, is_growing, unit_of
from journeykit.model.memberships import Audience

BY = date(2026, 12, 31)

EVERY: list[Measure] = [
    Conversion("welcome", goal="order", per="person", over=days(90)),
    Arrival("welcome", "hello", among="hello"),
    Revenue("welcome", per="run"),
    Occurrences(["order.placed", on("app.opened", where=event.count > 3)]),
    Total("order.placed", event.total, per="person"),
    Reach("coupon.redeemed", among="coupon.sent"),
    Active("order.placed", days(30)),
    Returning("order.placed", days(14), back="store.visited", after="first"),
    Membership(segment="vip"),
    Membership(stage="retention", count="people"),
    SurveyScore("how", kind="csat"),
    MessageRate("clicked", channel="email", template="hello"),
]
TYPES = [f"{n}-{measure.type}" for n, measure in enumerate(EVERY)]


def objective(measure: Measure, target: float = 50, **more: Any) -> Objective:
    return Objective("growth", "what grows", target, BY, measure=measure, **more)


@pytest.mark.parametrize("measure", EVERY, ids=TYPES)
def test_a_measure_survives_json_and_yaml(measure: Measure) -> None:
    written = objective(measure, aim="at_most")

    assert from_json(to_json(written), Objective) == written
    assert from_yaml(to_yaml(written), Objective) == written


def test_an_objective_without_a_measure_is_written_as_before() -> None:
    written = Objective("growth", "what grows", 5, BY)

    assert to_json(written) == (
        '{"id":"growth","kpi":"what grows","target":5.0,"by":"2026-12-31"}'
    )


def test_every_kind_is_in_the_schema() -> None:
    options = json_schema(Objective)["properties"]["measure"]["anyOf"][0]

    assert set(options["discriminator"]["mapping"]) == {each.type for each in EVERY}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"type":"conversoin","journey":"a"}', "'conversoin' is no type of measure"),
        ('{"journey":"a"}', "a measure needs a type: conversion, arrival"),
        ('{"type":"conversion"}', "conversion needs 'journey'"),
        ('{"type":"active","of":"a","within":"P0D"}', "a window of no length"),
        ('{"type":"membership"}', "give a segment or a stage, one of the two"),
        ('{"type":"membership","segment":"a","stage":"b"}', "one of the two"),
        ('{"type":"revenue","goal":"order"}', "give the journey too"),
        (
            '{"type":"occurrences","of":"a","over":"P0D"}',
            "over: nothing is in a window",
        ),
    ],
    ids=[
        "misspelt",
        "untyped",
        "incomplete",
        "within",
        "neither",
        "both",
        "goal",
        "over",
    ],
)
def test_a_wrong_measure_says_what_is_wrong(written: str, said: str) -> None:
    text = f'{{"id":"a","kpi":"k","target":1,"by":"2026-12-31","measure":{written}}}'

    with pytest.raises(InvalidJourney) as error:
        from_json(text, Objective)

    assert said in str(error.value)


def test_a_total_is_of_a_field_of_the_event() -> None:
    with pytest.raises(DefinitionError, match=r"size\(event.items\) is no field"):
        Total("order.placed", "size(event.items)")


def test_a_measure_sees_the_event_alone() -> None:
    with pytest.raises(DefinitionError, match=r"profile\.age"):
        Occurrences(on("order.placed", where="profile.age > 3"))  # type: ignore[arg-type]


def test_a_target_is_a_number() -> None:
    with pytest.raises(DefinitionError, match=r"Objective\.target"):
        Objective("a", "k", float("nan"), BY)


def test_shares_are_in_percent_and_sums_have_a_pace() -> None:
    assert [unit_of(each) for each in EVERY] == [
        *["percent"] * 2,
        "amount",
        "count",
        "amount",
        *["percent"] * 4,
        "count",
        "score",
        "percent",
    ]
    assert is_growing(Revenue("welcome"))
    assert is_growing(Occurrences("order.placed"))
    assert not is_growing(Revenue("welcome", over=days(30)))
    assert not is_growing(Revenue("welcome", per="run"))
    assert not is_growing(Active("order.placed", days(30)))


# What checks find

WELCOME = Journey(
    "welcome",
    trigger=on("registered"),
    goal=[Goal(on("order.placed"), id="order", value=event.total), Goal(on("read"))],
    steps=[Send("email", "hello", id="hello")],
)
IDLE = Journey("idle", trigger=on("registered"), steps=[Send("email", "hello")])


class Order(BaseModel):
    total: float


def found(measure: Measure, target: float = 50) -> list[Issue]:
    issues = check(
        [WELCOME, IDLE],
        channels=["email"],
        objectives=[objective(measure, target)],
        schemas=Schemas(events={"order.placed": Order}),
        audience=Audience([], [Segment("vip", listed=True)], [Stage("retention")]),
    )
    return [each for each in issues if each.message.startswith("objective 'growth'")]


@pytest.mark.parametrize(
    ("measure", "target", "level", "said"),
    [
        (Conversion("welcom"), 50, "error", "journey 'welcom' is not known; did you"),
        (Conversion("idle"), 50, "error", "journey 'idle' has no goal"),
        (Conversion("welcome", goal="ordr"), 50, "error", "did you mean 'order'?"),
        (
            Conversion("welcome"),
            120,
            "error",
            "its target is 120, but conversion is in",
        ),
        (Conversion("welcome"), 0.35, "warning", "write 35 if you mean that share"),
        (Arrival("welcome", "helo"), 50, "error", "has no step 'helo'; did you mean"),
        (Arrival("welcome", "hello", among="x"), 50, "error", "has no step 'x'"),
        (Revenue("welcome", goal="goal-2"), 50, "error", "says what it is worth"),
        (Membership(segment="vpi"), 50, "error", "segment 'vpi' is not known; did you"),
        (Membership(stage="x"), 50, "error", "stage 'x' is not known"),
        (SurveyScore(), 101, "error", "nps is from -100 to 100"),
        (SurveyScore(kind="csat"), 180, "error", "csat is from 0 to 100"),
        (MessageRate(channel="emial"), 50, "error", "nobody carries channel 'emial'"),
        (MessageRate(journey="x"), 50, "error", "journey 'x' is not known"),
        (Total("order.placed", event.sum), 5, "error", "event.sum"),
        (
            Occurrences("order.place"),
            5,
            "warning",
            "event 'order.place' is not declared",
        ),
    ],
    ids=range(16),
)
def test_what_no_figure_can_come_of_is_found(
    measure: Measure, target: float, level: str, said: str
) -> None:
    (issue,) = found(measure, target)

    assert issue.level == level
    assert said in issue.message


@pytest.mark.parametrize(
    "measure",
    [
        Conversion("welcome"),
        Arrival("welcome", "hello"),
        Revenue("welcome"),
        Membership(segment="vip"),
        MessageRate(channel="email"),
        Total("order.placed", event.total),
        Occurrences("another.teams.event"),
        Returning("order.placed", days(3)),
    ],
    ids=lambda measure: measure.type,
)
def test_what_is_right_is_not_spoken_of(measure: Measure) -> None:
    assert found(measure) == []
