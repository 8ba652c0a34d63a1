"""What `check` says of segments, stages, personas, and of who asks for them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from journeykit import (
    Condition,
    Count,
    DefinitionError,
    Goal,
    Journey,
    Last,
    Persona,
    Recent,
    Rfm,
    Segment,
    Send,
    Stage,
    Wait,
    WaitFor,
    When,
    audience_plan,
    days,
    event,
    older_than,
    on,
    profile,
    segment,
    trait,
)
from journeykit.model.check import Schemas, check
from journeykit.model.memberships import Audience
from journeykit.model.precedence import Circle, in_order
from journeykit.model.triggers import entered

ORDERS = Count("orders", "order.placed")
BUSY = Count("busy", "order.placed", within=days(30))
LOYAL = Segment("loyal", trait.orders >= 2)


def said(*journeys: Journey, schemas: Schemas | None = None, **parts: Any) -> list[str]:
    known: dict[str, Any] = {"traits": [], "segments": [], "stages": [], **parts}
    found = check(journeys, audience=Audience(**known), schemas=schemas)
    return [f"{issue.level}: {issue.message}" for issue in found]


def journey(**fields: Any) -> Journey:
    given: dict[str, Any] = {"trigger": on("started"), "steps": [Wait(days(1))]}
    return Journey("cart", **(given | fields))


def when(text: str) -> Condition:
    return Condition.parse(text)


# --- definitions --------------------------------------------------------------------------


def test_a_segment_is_a_condition_or_a_list():
    for wrong in ({}, {"when": trait.orders > 1, "listed": True}):
        with pytest.raises(DefinitionError, match="give it one of the two"):
            Segment("vip", **wrong)


@pytest.mark.parametrize("name", ["~hidden", "Very Important", ""])
def test_a_segments_name_is_a_slug(name):
    with pytest.raises(DefinitionError, match="id"):
        Segment(name, listed=True)


def test_the_plan_document_holds_what_the_engine_reads():
    plan = audience_plan([], [LOYAL], [Stage("new")])

    assert plan["segments"][0] == {
        "id": "loyal",
        "when": "trait.orders >= 2",
        "listed": False,
        "name": "",
        "description": [],
    }
    assert plan["stages"] == [
        {"id": "new", "when": None, "name": "", "description": []}
    ]


# --- what is right ------------------------------------------------------------------------


def test_what_is_right_is_not_complained_of():
    found = said(
        journey(
            trigger=entered("loyal"),
            keep_while_in_segment="loyal",
            goal=Goal(trait.stage == "active"),
            exit_rules=[segment.beta == True],
        ),
        traits=[ORDERS, BUSY],
        segments=[
            LOYAL,
            Segment("beta", listed=True),
            Segment("busy-and-loyal", (trait.busy > 1) & (segment.loyal == True)),
        ],
        stages=[Stage("new"), Stage("active", segment.loyal == True)],
        personas=[Persona("hanna", segment="loyal", story="In a hurry.")],
    )

    assert found == []


def test_of_what_is_not_known_here_nothing_is_said():
    asking = journey(
        keep_while_in_segment="loyal",
        goal=Goal(segment.loyal == True),
        exit_rules=[trait.orders > 1],
    )

    assert check([asking]) == []


# --- names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("segment.loyall", "segment 'loyall' is not known; did you mean 'loyal'?"),
        ("segment.loyal.x", "a segment is true or false, and has no fields"),
        ("has(segment.vip)", "segment 'vip' is not known; did you mean 'vips'?"),
        ('trait.stage == "new"', "there are no stages; declare some"),
        ("size(consent) > 0", "consent: name one, such as consent.email"),
    ],
)
@pytest.mark.parametrize("place", ["segment", "goal", "branch"])
def test_a_name_that_nobody_has_declared_is_an_error_wherever_it_stands(
    place, text, message
):
    asked = when(text)
    asking = {
        "segment": lambda: said(
            segments=[LOYAL, Segment("vips", listed=True), Segment("odd", asked)],
            traits=[ORDERS],
        ),
        "goal": lambda: said(
            journey(goal=Goal(asked)),
            segments=[LOYAL, Segment("vips", listed=True)],
            traits=[ORDERS],
        ),
        "branch": lambda: said(
            journey(steps=[WaitFor([When(asked, [Send("email", "x")])], timeout="1d")]),
            segments=[LOYAL, Segment("vips", listed=True)],
            traits=[ORDERS],
        ),
    }

    (problem,) = asking[place]()

    assert problem.startswith("error: ")
    assert problem.endswith(message)


def test_a_trait_that_nobody_declared_may_be_a_score():
    (problem,) = said(journey(goal=Goal(trait.ordrs > 1)), traits=[ORDERS])

    assert problem == (
        "warning: trait.ordrs: no trait is called 'ordrs'; did you mean 'orders'? (or is "
        "it a score? [scores] names those)"
    )


def test_a_gate_and_a_personas_segment_must_be_known():
    found = said(
        journey(keep_while_in_segment="loyall"),
        traits=[ORDERS],
        segments=[LOYAL],
        personas=[Persona("hanna", segment="hurried")],
    )

    assert sorted(found) == [
        (
            "error: keep_while_in_segment: segment 'loyall' is not known; did you mean "
            "'loyal'?"
        ),
        "error: persona 'hanna': segment 'hurried' is not known; there is 'loyal'",
    ]


def test_a_trigger_on_a_segment_that_nobody_declared_is_an_error():
    (problem,) = said(
        journey(trigger=entered("loyall")), segments=[LOYAL], traits=[ORDERS]
    )

    assert problem == "error: segment 'loyall' is not known; did you mean 'loyal'?"


def test_two_of_one_name_are_refused():
    found = said(
        traits=[ORDERS],
        segments=[LOYAL, LOYAL],
        stages=[Stage("new"), Stage("new", trait.orders > 1)],
        personas=[Persona("a", segment="loyal"), Persona("a", segment="loyal")],
    )

    assert [line.partition(",")[0] for line in found] == [
        "error: two segments have the id 'loyal'",
        "error: two stages have the id 'new'",
        "error: two personas have the id 'a'",
    ]


# --- conditions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", ["event.total > 1", "entry.total > 1", "step.a.result"]
)
def test_a_segment_is_about_the_customer_and_not_about_an_event(root):
    found = said(segments=[Segment("odd", when(root))], stages=[Stage("x", when(root))])

    assert len(found) == 2
    assert all("it is about the customer, whatever happens" in line for line in found)


def test_a_profile_field_must_be_declared_where_fields_are():
    class Profile(BaseModel, title="profile"):
        plan: str

    found = said(
        segments=[Segment("pro", profile.plann == "pro")], schemas=Schemas({}, Profile)
    )

    assert found == [
        (
            "error: segment 'pro': profile.plann: 'profile' has no field 'plann'; did you "
            "mean 'plan'?"
        )
    ]


@pytest.mark.parametrize(
    "asked",
    [
        older_than(profile.seen, days(3)),
        (trait.orders > 1) & ~older_than(trait.last, days(3)),
        trait.busy >= 1,
        trait.rfm.recency == 1,
    ],
    ids=str,
)
def test_what_is_looked_at_must_not_change_by_time_alone(asked):
    rfm = Rfm("rfm", "order.placed", value=event.total)
    parts = {"traits": [ORDERS, BUSY, rfm, Last("last", "x")]}

    for fields in (
        {"goal": Goal(asked)},
        {"exit_rules": [asked]},
        {"steps": [WaitFor([When(asked, [])], timeout="1d")]},
    ):
        (problem,) = said(journey(**fields), **parts)
        assert problem.startswith("error: ")
        assert problem.endswith(
            "time alone may change this, and nobody would look then; make it a segment, "
            'and ask segment["…"] == True'
        )


def test_what_is_asked_once_may_ask_for_time():
    asked = older_than(profile.seen, days(3))

    assert said(journey(trigger=on("started", where=asked))) == []


# --- order --------------------------------------------------------------------------------


def test_segments_and_stages_that_ask_in_a_circle_are_refused():
    (problem,) = said(
        segments=[Segment("early", trait.stage == "new")],
        stages=[Stage("new", segment.early == True)],
    )

    assert problem == (
        "error: early → the stages → early ask for each other in a circle, so nobody can "
        "say which comes first; drop one of the conditions"
    )


def test_a_stage_that_everybody_is_in_hides_those_before_it():
    (problem,) = said(
        traits=[ORDERS], stages=[Stage("old", trait.orders > 1), Stage("new")]
    )

    assert problem == (
        "error: stage 'new' has no condition, so everybody is in it or further, and "
        "nobody in 'old'; give it one"
    )


def test_there_may_be_so_many_and_no_more():
    many = [Segment(f"list-{n}", listed=True) for n in range(201)]
    stages = [Stage(f"stage-{n}", profile.n > n) for n in range(21)]

    assert said(segments=many, stages=stages) == [
        "error: there are 201 segments, and there may be 200",
        "error: there are 21 stages, and there may be 20",
    ]


def test_what_is_read_comes_first_and_the_rest_stays_as_it_comes():
    reads = {"d": {"b"}, "a": set(), "b": {"c", "unknown"}, "c": set()}

    assert in_order(reads) == ["c", "b", "d", "a"]


def test_a_long_chain_is_no_circle():
    reads = {f"{n}": {f"{n + 1}"} for n in range(5000)}

    assert in_order(reads)[0] == "4999"


def test_who_reads_themselves_is_a_circle():
    with pytest.raises(Circle) as caught:
        in_order({"a": set(), "b": {"b"}})

    assert caught.value.names == ["b", "b"]


# --- the kinds of traits ---------------------------------------------------------------

KINDS = [
    ORDERS,
    Last("last_order", "order.placed"),
    Last("last_sku", "order.placed", event.sku),
    Recent("recent", "order.placed", event.sku),
    Rfm("rfm", "order.placed", event.total),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('trait.orders >= "3"', "can't order a number and text"),
        ("trait.last_order >= 3", "can't order text and a number"),
        ("trait.orders.foo == 1", "trait.orders is a number, it has no field 'foo'"),
        ('trait.orders.olderThan("P3D")', "is a number, and no instant"),
        ('trait.recent.olderThan("P3D")', "is a list, which olderThan does not take"),
        ('trait.recent == "x"', "is a list and"),
        ("trait.rfm.score >= 500", "can't order text and a number"),
        ("trait.rfm.scores == 1", "did you mean 'score'?"),
        ("trait.stage == 2", "never equal"),
    ],
)
def test_a_trait_is_asked_as_what_it_is(text: str, message: str) -> None:
    parts: dict[str, Any] = {"traits": KINDS, "stages": [Stage("new", None)]}

    of_journey = said(journey(trigger=on("started", where=when(text))), **parts)
    of_segment = said(segments=[Segment("some", when(text))], **parts)

    assert [message in problem for problem in of_journey] == [True]
    assert [message in problem for problem in of_segment] == [True]
    assert of_segment[0].startswith("error: segment 'some': ")


@pytest.mark.parametrize(
    "text",
    [
        "trait.orders >= 3",
        'trait.last_order.olderThan("P3D")',
        'trait.last_order.olderThan("P0D")',
        'timestamp(trait.last_order) > timestamp("2026-01-01T00:00:00Z")',
        'trait.last_sku == "a" || trait.last_sku == 7',
        '"a" in trait.recent && trait.recent[0] == "b"',
        'trait.rfm.score == "555" && trait.rfm.recency > 3',
        'trait.stage == "new" && trait.stage_since.olderThan("P14D")',
    ],
)
def test_what_a_trait_may_be_is_not_complained_of(text: str) -> None:
    parts: dict[str, Any] = {"traits": KINDS, "stages": [Stage("new", None)]}

    assert said(segments=[Segment("some", when(text))], **parts) == []


def test_what_a_score_is_nobody_knows() -> None:
    audience = Audience(traits=KINDS, segments=[], stages=[], scores=["churn"])

    assert (
        check([journey(goal=Goal(when("trait.churn > 0.5")))], audience=audience) == []
    )
