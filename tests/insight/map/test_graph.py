"""A journey's places and ways, as a map shows them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from tests import strategies
from tests.journeys.test_golden import FILES

from journeykit import (
    Branch,
    Call,
    Exit,
    Goto,
    Journey,
    Repeat,
    Send,
    Split,
    Survey,
    Wait,
    WaitFor,
    When,
    days,
    has,
    on,
    profile,
)
from journeykit.insight.map.graph import END, HELD_OUT, START, Graph
from journeykit.insight.map.words import reason_in_words
from journeykit.model.documents import from_json


def ways(graph: Graph) -> list[tuple[str, str, str]]:
    return [tuple(edge) for edge in graph.edges]


def test_steps_follow_each_other_from_start_to_end() -> None:
    journey = Journey(
        "j", trigger=on("x"), steps=[Wait(days(1), id="w"), Send("email", "a", id="s")]
    )

    graph = Graph.of(journey)

    assert ways(graph) == [(START, "w", ""), ("w", "s", ""), ("s", END, "")]
    assert graph.places["w"].about == "1d"
    assert graph.places["s"].about == "email: a"
    assert graph.places[START].about == "x"


def test_ways_are_called_by_what_must_hold() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[
            Branch([When(has(profile.phone), [Send("sms", "a", id="s")])], id="b"),
            WaitFor([When(on("y"), [Exit("bought", id="e")])], timeout=days(2), id="w"),
        ],
    )

    assert ways(Graph.of(journey)) == [
        (START, "b", ""),
        ("b", "s", "has(profile.phone)"),
        ("b", "w", "otherwise"),
        ("s", "w", ""),
        ("w", "e", "y"),
        ("w", END, "none within 2d"),
    ]


def test_ways_to_the_same_place_are_one() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[WaitFor([When(on("y"), []), When(on("z"), [])], id="w")],
    )

    assert ways(Graph.of(journey))[1:] == [("w", END, "y / z")]


def test_a_goto_is_no_place_but_its_way_is() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[
            Send("email", "ask", id="ask"),
            WaitFor(
                [When(on("paid"), [Exit("paid", id="e")])], timeout=days(7), id="w"
            ),
            Goto("ask", id="again"),
        ],
    )

    graph = Graph.of(journey)

    assert "again" not in graph.places
    assert ("w", "ask", "none within 7d") in ways(graph)
    assert graph.gotos == {"again": "ask"}


def test_the_rounds_of_a_repeat_lead_back_to_it() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[Repeat([Wait(days(1), id="w")], times=3, id="r")],
    )

    assert ways(Graph.of(journey)) == [
        (START, "r", ""),
        ("r", "w", ""),
        ("w", "r", ""),
        ("r", END, "done"),
    ]


def test_who_is_held_out_has_a_place() -> None:
    journey = Journey("j", trigger=on("x"), holdout=10, steps=[Send("email", "a")])

    graph = Graph.of(journey)

    assert (START, HELD_OUT, "") in ways(graph)
    assert graph.places[HELD_OUT].about == "10 % get nothing"


def test_a_call_that_fails_goes_its_way() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[Call("voucher", id="c", on_error=[Exit("sorry", id="e")])],
    )

    assert ("c", "e", "if it fails") in ways(Graph.of(journey))


def test_waits_that_may_be_over_at_once_are_found_between_places() -> None:
    (file,) = [file for file in FILES if file.stem == "windows"]
    document = json.loads(file.read_text("utf-8"))["journeys"][0]
    journey = from_json(json.dumps(document), Journey)

    graph = Graph.of(journey)

    assert graph.fleeting
    assert not graph.fleeting & {
        id for id, place in graph.places.items() if place.kind != "wait"
    }


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_step_is_reached_or_has_a_way_on(file: object) -> None:
    story = json.loads(file.read_text("utf-8"))  # type: ignore[attr-defined]
    for document in story["journeys"]:
        graph = Graph.of(from_json(json.dumps(document), Journey))

        ends = {edge.source for edge in graph.edges} | {
            edge.target for edge in graph.edges
        }
        assert ends <= graph.places.keys()
        assert graph.steps.keys() <= ends


@given(strategies.journeys())
def test_any_journey_has_a_graph(journey: Journey) -> None:
    graph = Graph.of(journey)

    gotos = {step.id for step in journey.walk() if isinstance(step, Goto)}
    assert graph.steps.keys() == {step.id for step in journey.walk()} - gotos
    assert len({(edge.source, edge.target) for edge in graph.edges}) == len(graph.edges)
    splits = [step for step in journey.walk() if isinstance(step, Split)]
    for split in splits:
        assert graph.places[split.id or ""].kind == "split"


def test_a_survey_goes_on_with_its_answer_or_without() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[
            Survey(
                "email",
                "how-was-it",
                kind="nps",
                within=days(7),
                otherwise=[Exit("silent", id="e")],
                id="s",
            ),
            Send("email", "thanks", id="t"),
        ],
    )

    graph = Graph.of(journey)

    assert ("s", "t", "answered") in ways(graph)
    assert ("s", "e", "no answer") in ways(graph)
    assert graph.places["s"].about == "nps by email: how-was-it"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("frequency_cap", "frequency cap"),
        ("entered_before", "entered before"),
        ("no_third_purchase", "no_third_purchase"),
        ("", "no reason"),
    ],
)
def test_a_reason_of_ours_is_said_in_words_and_an_authors_as_it_is(
    reason: str, said: str
) -> None:
    assert reason_in_words(reason) == said
