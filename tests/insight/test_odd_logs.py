"""Logs with things in them that nobody would make on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import record, written

from journeykit import Goal, Journey, Send, Wait, days, event, on
from journeykit.cli.figures import amount, plain, took
from journeykit.insight.attribution import attribution
from journeykit.insight.feeds import worth_paths
from journeykit.insight.funnels import funnel
from journeykit.insight.goals import performance
from journeykit.insight.retention import retention
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.testing import make_event, simulate

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.total, within=days(7)),
    steps=[Wait(days(1)), Send("email", "reminder")],
)
WORTH = {("cart", "order"): "/total"}


def more_events(folder: Path, logs: Logs, lines: Sequence[dict[str, Any]]) -> Logs:
    """The same logs, and these lines at the end of the archive."""
    path = folder / "events-000000.jsonl"
    added = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_bytes(path.read_bytes() + added.encode())
    return logs


def arrived(id: str | None, customer: str, at: str) -> dict[str, Any]:
    return {
        "id": id,
        "source": "",
        "name": "cart.updated",
        "customer": customer,
        "occurred_at": at,
        "received_at": "2026-06-30T00:00:00Z",
        "properties": {},
    }


@pytest.mark.parametrize(
    "said",
    ["12", "NaN", "inf", "-Infinity", "1e309", True, [1], {"a": 1}, 1e300],
    ids=str,
)
def test_only_a_number_that_can_be_is_what_a_goal_is_worth(
    tmp_path: Path, said: object
) -> None:
    events = [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z"),
        make_event("cart.updated", "ben", at="2026-06-01T09:00:00Z"),
        make_event("order.placed", "ada", at="2026-06-02T09:00:00Z", total=said),
        make_event("order.placed", "ben", at="2026-06-02T09:00:00Z", total=-2.5),
    ]

    with Warehouse.open(record(tmp_path, CART, events), worth=WORTH) as house:
        (journey,) = performance(house, [CART]).journeys
        credit = attribution(house, "order.placed", value="event.total")

    worth = journey.goals[0].worth
    assert worth is not None
    assert (worth.known, worth.unknown, worth.total) == (1, 1, -2.5)
    assert (credit.worth, credit.worth_unknown) == (-2.5, 1)


@pytest.mark.parametrize(
    "name", ['to"tal', "a.b", "to/tal~", "total\x1b[31m"], ids=repr
)
def test_a_value_may_be_in_a_field_of_any_name(tmp_path: Path, name: str) -> None:
    journey = Journey(
        "cart",
        trigger=on("cart.updated"),
        goal=Goal(on("order.placed"), id="order", value=event[name], within=days(7)),
        steps=[Wait(days(9))],
    )
    events = [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z"),
        make_event("order.placed", "ada", {name: 7}, at="2026-06-02T09:00:00Z"),
    ]
    where = worth_paths([journey])

    with Warehouse.open(record(tmp_path, journey, events), worth=where) as house:
        assert house.rows("select worth from goals") == [(7.0,)]


def test_figures_that_are_no_numbers_are_shown_as_none() -> None:
    infinite = float("inf")

    assert [amount(infinite), amount(-infinite), amount(float("nan"))] == ["-"] * 3
    assert plain({"worth": infinite, "of": [float("nan"), 2.5]}) == {
        "worth": None,
        "of": [None, 2.5],
    }


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (59_400, "59 s"),
        (59_700, "1 min"),
        (3_585_000, "1 h"),
        (86_385_000, "1 d"),
        (5_400_000, "1 h 30 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_time_is_rounded_to_units_that_there_are(ms: int, words: str) -> None:
    assert took(ms) == words


@pytest.mark.parametrize(
    "at",
    ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "soon"],
)
def test_an_instant_that_cannot_be_counts_nowhere_and_is_said(
    tmp_path: Path, at: str
) -> None:
    logs = record(
        tmp_path, CART, [make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z")]
    )
    more_events(tmp_path, logs, [arrived("far", "ben", at)])

    with Warehouse.open(logs) as house:
        cohorts = retention(house, [on("cart.updated")], per="week").cohorts
        people = funnel(house, ["cart.updated", "order.placed"]).levels[0].reached

    assert [cohort.people for cohort in cohorts] == [1]
    assert people == 1
    assert any("1 event says no instant between" in one for one in house.problems)


def test_an_event_of_years_to_come_makes_no_cell_complete(tmp_path: Path) -> None:
    seen = [
        make_event("cart.updated", "ada", at="2026-05-01T09:00:00Z"),
        make_event("cart.updated", "ada", at="2026-06-28T09:00:00Z"),
    ]
    logs = record(tmp_path, CART, seen)
    more_events(tmp_path, logs, [arrived("far", "ben", "2090-01-01T00:00:00Z")])

    with Warehouse.open(logs) as house:
        found = retention(house, [on("cart.updated")], per="month")

    assert [len(cohort.cells) for cohort in found.cohorts] == [2]
    assert [cell.is_complete for cell in found.cohorts[0].cells] == [True, False]


def test_an_event_of_1970_is_followed_no_longer_than_a_cohort_is_shown(
    tmp_path: Path,
) -> None:
    logs = record(
        tmp_path, CART, [make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z")]
    )
    more_events(tmp_path, logs, [arrived("epoch", "ben", "1970-01-01T00:00:00Z")])

    with Warehouse.open(logs) as house:
        found = retention(house, [on("cart.updated")], per="week")

    assert [cohort.people for cohort in found.cohorts] == [1, 1]
    assert len(found.averages) == 120


def test_decisions_for_which_only_time_passed_react_to_no_event(tmp_path: Path) -> None:
    logs = record(
        tmp_path, CART, [make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z")]
    )
    more_events(tmp_path, logs, [arrived(None, "stranger", "2026-06-02T09:00:00Z")])

    with Warehouse.open(logs) as house:
        (timed,) = house.row("select count(*) from decisions where event is null")
        (people,) = house.row("select count(*) from events")

    assert timed > 0
    assert people == 1


def test_a_journey_alone_is_judged_at_the_end_of_the_whole_log(tmp_path: Path) -> None:
    other = Journey("other", trigger=on("x"), steps=[Wait(days(1))])
    events = [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z"),
        make_event("cart.updated", "ben", at="2026-06-02T09:00:00Z"),
        make_event("order.placed", "ben", at="2026-06-03T08:00:00Z"),
        make_event("x", "cleo", at="2026-07-01T09:00:00Z"),
    ]
    logs = record(tmp_path, [CART, other], events, parts=3)

    def reached(scope: Scope) -> tuple[int, int, int]:
        with Warehouse.open(logs, scope=scope) as house:
            found = performance(house, [CART, other], journey="cart")
        (figures,) = found.journeys[0].goals
        return figures.treated.counted, figures.treated.reached, figures.treated.open

    assert reached(Scope(journey="cart")) == reached(Scope()) == (2, 1, 0)


def test_a_run_that_another_person_went_on_with_keeps_its_order(tmp_path: Path) -> None:
    walk = Journey(
        "walk",
        trigger=on("came"),
        steps=[Wait(days(n), id=f"wait-{n}") for n in range(1, 6)],
    )
    before = [
        make_event("came", "device", at="2026-06-01T09:00:00Z"),
        *(
            make_event("came", "device", at=f"2026-06-01T1{n}:00:00Z", id=f"n{n}")
            for n in range(5)
        ),
        make_event("other", "ada", at="2026-06-02T08:00:00Z"),
    ]
    simulator = simulate([walk], before, until="2026-06-04T12:00:00Z", explain=False)
    simulator.merge("device", "ada")
    simulator.advance(days(30))

    with Warehouse.open(written(tmp_path, simulator)) as house:
        steps = house.rows("select run, step from visits order by run, place")
        people = house.rows("select distinct person from runs")

    assert [step for _, step in steps] == [f"wait-{n}" for n in range(1, 6)]
    assert len(people) == 1
