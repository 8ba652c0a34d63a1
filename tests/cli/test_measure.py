"""`journeykit measure`: goals, objectives, retention in a terminal and as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Shop

from journeykit.cli import group
from journeykit.cli.figures import amount, between, percent, took
from journeykit.cli.measure import PARTS
from journeykit.cli.measuring.objectives import sparkline
from journeykit.insight.stats.intervals import Interval
from journeykit.local.embedded import DATA

CART = """\
id: cart
name: Carts left behind
trigger: {name: cart.updated}
reentry: always
purpose: transactional
objectives: [rescued]
goal: {id: order, when: {name: order.placed}, value: event.total, within: 7d}
steps:
  - {type: wait, due: 4h}
  - {type: send, channel: email, template: reminder}
"""
OBJECTIVES = """\
- id: rescued
  kpi: percent of carts that become an order
  target: 70
  by: "2026-06-10"
  measure: {type: conversion, journey: cart}
- id: turnover
  kpi: what the year brings
  target: 1000
  by: "2026-12-31"
  measure: {type: total, of: order.placed, value: event.total}
- {id: loved, kpi: how people feel, target: 8, by: "2026-12-31"}
"""
EVENTS = [
    ("cart.updated", "ada", "2026-05-30T09:00:00Z", None),
    ("order.placed", "ada", "2026-05-30T11:00:00Z", 40),
    ("cart.updated", "ben", "2026-06-01T09:00:00Z", None),
    ("cart.updated", "cleo", "2026-06-02T10:00:00Z", None),
    ("order.placed", "cleo", "2026-06-04T10:00:00Z", 25.5),
    ("cart.updated", "ada", "2026-06-05T08:00:00Z", None),
    ("cart.updated", "dan", "2026-06-12T09:00:00Z", None),
    ("order.placed", "dan", "2026-06-13T09:00:00Z", 12),
]


def line(number: int, name: str, customer: str, at: str, total: float | None) -> str:
    event: dict[str, Any] = {"id": str(number), "name": name, "customer": customer}
    event["occurred_at"] = at
    if total is not None:
        event["properties"] = {"total": total}
    if customer == "test":
        event["test"] = True
    return f"{json.dumps(event)}\n"


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Four people have filled five carts; three of these became orders."""
    (shop.folder / "journeys" / "cart.py").unlink()
    shop.write("journeys/cart.yaml", CART)
    shop.write("objectives.yaml", OBJECTIVES)
    told = [*EVENTS, ("cart.updated", "test", "2026-06-13T12:00:00Z", None)]
    lines = "".join(line(n, *each) for n, each in enumerate(told))
    shop.write("events.jsonl", lines)
    events = str(shop.folder / "events.jsonl")
    done = shop("run", "--publish", "--events", events)
    assert done.exit_code == 0, done.output
    return shop


def words(text: str) -> str:
    return " ".join(text.split())


def document(shop: Shop, *arguments: str) -> Any:
    done = shop("measure", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# Goals


def test_every_journey_and_goal_has_its_row(busy: Shop) -> None:
    done = busy("measure", "goals")

    lines = [words(each) for each in done.stdout.splitlines()]
    assert "cart 5" in lines
    assert "order 4 2 50.0 % 1 d 77.50" in lines
    assert lines[lines.index("news 0") + 1] == "no goal"
    assert "! recorded events: nothing here was caused by a message" in lines
    assert "! 1 test run left out" in lines


def test_one_journey_is_told_in_full(busy: Shop) -> None:
    told = words(busy("measure", "goals", "--journey", "cart").stdout)

    assert "cart · Carts left behind" in told
    assert "entered 5 runs of 4 people" in told
    assert "reached 2 of 4 runs, 50.0 %" in told
    assert "1 reached it already" in told
    assert "worth 77.50 in all; median 25.50, mean 25.83 a goal; 16.38 a run" in told
    assert "median 1 d, a quarter within 13 h" in told
    assert "2026-06-01 3 1 33.3 %" in told
    assert "Runs of 'cart' that reached goal 'order' within 7d" in told


def test_goals_are_the_same_as_json(busy: Shop) -> None:
    found = document(busy, "goals", "--journey", "cart")

    (cart,) = found["journeys"]
    (order,) = cart["goals"]
    assert (cart["entered"], cart["people"]) == (5, 4)
    assert (order["treated"]["reached"], order["treated"]["share"]) == (2, 0.5)
    assert order["worth"]["total"] == 77.5
    assert order["time"]["median_ms"] == 24 * 3_600_000
    assert order["held_out"] is None
    assert order["trend"][0]["starts_at"] == "2026-05-25T00:00:00Z"
    assert found["logs"] == {"is_replay": True, "test_runs": 1, "problems": []}


def test_without_a_word_behind_it_measures_goals_where_you_are(
    busy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(busy.folder)

    done = CliRunner().invoke(group, ["measure"])

    assert done.stdout == busy("measure", "goals").stdout


def test_only_what_is_in_the_span_counts(busy: Shop) -> None:
    found = document(busy, "goals", "--since", "2026-06-01", "--until", "2026-06-11")

    (cart, _) = found["journeys"]
    assert cart["entered"] == 3


def test_an_unknown_journey_is_said_with_the_one_that_was_meant(busy: Shop) -> None:
    done = CliRunner().invoke(
        group, ["measure", "goals", str(busy.folder), "--journey", "crat"]
    )

    assert done.exit_code == 1
    assert "there is no journey 'crat'; did you mean 'cart'?" in done.stderr


def test_where_nothing_has_happened_it_says_so(published: Shop) -> None:
    done = published("measure", "goals", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["journeys"] == []
    assert "the log is empty" in published("measure", "goals").stdout


# Objectives


def test_objectives_stand_beside_their_targets(busy: Shop) -> None:
    told = words(busy("measure", "objectives").stdout)

    assert "rescued · missed" in told
    assert "target at least 70.0 % by 2026-06-10" in told
    assert "which the target lies in" in told
    assert "turnover · on track" in told
    assert "7.8 % of the target" in told
    assert "loved · unknown" in told
    assert "none: it has no measure" in told
    assert "journeys cart" in told


def test_objectives_are_the_same_as_json(busy: Shop) -> None:
    found = document(busy, "objectives", "--only", "turnover")

    (turnover,) = found["objectives"]
    assert (turnover["value"], turnover["unit"]) == (77.5, "amount")
    assert turnover["by"] == "2026-12-31"
    assert turnover["status"] == "on_track"
    assert "Sum of event.total of order.placed" in turnover["definition"]


@pytest.mark.parametrize(
    ("only", "status"), [("turnover", 0), ("rescued", 1), ("loved", 1)]
)
def test_strictly_what_is_missed_or_unknown_is_an_error(
    busy: Shop, only: str, status: int
) -> None:
    done = busy("measure", "objectives", "--only", only, "--strict")

    assert done.exit_code == status


def test_an_unknown_objective_is_an_error(busy: Shop) -> None:
    done = busy("measure", "objectives", "--only", "rescue")

    assert done.exit_code == 1
    assert "there is no objective 'rescue'; did you mean 'rescued'?" in done.stderr


def test_a_workspace_without_objectives_says_so(busy: Shop) -> None:
    (busy.folder / "objectives.yaml").unlink()

    assert "there are no objectives" in busy("measure", "objectives").stdout


# Retention


def test_cohorts_come_back(busy: Shop) -> None:
    done = busy("measure", "retention", "--per", "week", "--first", "cart.updated")

    lines = [words(each) for each in done.stdout.splitlines()]
    assert "2026-05-25* 1 0 100 0·" in lines
    assert "2026-06-01 2 0 0·" in lines
    assert "all 3 0 100" in lines


def test_the_commonest_event_is_taken_if_none_is_named(busy: Shop) -> None:
    assert document(busy, "retention")["first"] == "cart.updated"


def test_a_condition_says_which_events_make_a_cohort(busy: Shop) -> None:
    asked = ["--first", "order.placed", "--where", "event.total > 20"]

    found = document(busy, "retention", *asked, "--back", "cart.updated")

    (may, june) = found["cohorts"]
    assert (may["people"], june["people"]) == (1, 1)
    assert [cell["back"] for cell in may["cells"]] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--first", "cart.update"], "did you mean 'cart.updated'?"),
        (["--back", "gone"], "there is no event 'gone' in the logs"),
        (["--where", "event.total >"], "event.total >"),
        (["--zone", "Europe/Berln"], "Europe/Berlin"),
    ],
    ids=["first", "back", "where", "zone"],
)
def test_what_is_misspelt_is_said(busy: Shop, arguments: list[str], said: str) -> None:
    done = busy("measure", "retention", *arguments)

    assert done.exit_code == 1
    assert said in words(f"{done.stderr} {done.exception}")


def test_without_an_archive_nobody_is_known_to_come_back(busy: Shop) -> None:
    for path in (busy.folder / DATA).glob("events*.jsonl"):
        path.unlink()

    done = busy("measure", "retention")

    assert done.exit_code == 1
    assert "there is no event archive" in done.stderr


# All of them


def test_the_help_lists_all_parts_without_loading_them() -> None:
    told = CliRunner().invoke(group, ["measure", "--help"]).output

    for name, text in PARTS.items():
        assert re.search(rf"^  {name} +{re.escape(text[:20])}", told, re.MULTILINE)


@pytest.mark.parametrize("part", [*PARTS])
def test_every_part_has_what_all_have(part: str) -> None:
    told = CliRunner().invoke(group, ["measure", part, "--help"]).output

    for option in ("--data", "--stack", "--logs", "--since", "--until", "--json"):
        assert option in told


def test_a_part_that_is_misspelt_is_wrong_usage(shop: Shop) -> None:
    done = CliRunner().invoke(group, ["measure", "goal"])

    assert done.exit_code == 2


def test_names_of_others_do_nothing_to_the_terminal(busy: Shop) -> None:
    busy.write(
        "journeys/cart.yaml", CART.replace("Carts left behind", '"a\\u001b[2Jb"')
    )

    told = busy("measure", "goals", "--journey", "cart").stdout

    assert "\x1b[2J" not in told


def test_figures_name_nobody(busy: Shop) -> None:
    told = busy("measure", "goals", "--journey", "cart", "--json").stdout

    for customer in ("ada", "ben", "cleo"):
        assert customer not in told


# Words


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "-"),
        (400, "0 s"),
        (59_000, "59 s"),
        (40 * 60_000, "40 min"),
        (90 * 60_000, "1 h 30 min"),
        (2 * 3_600_000, "2 h"),
        (30 * 3_600_000, "1 d 6 h"),
        (48 * 3_600_000, "2 d"),
        (90.2 * 86_400_000, "90 d"),
    ],
    ids=str,
)
def test_times_are_said_in_two_units(ms: float | None, said: str) -> None:
    assert took(ms) == said


def test_figures_are_said_as_people_write_them() -> None:
    assert [percent(share) for share in (None, 0, 0.0012, 0.123, 1)] == [
        *("-", "0.0 %", "0.12 %", "12.3 %", "100.0 %"),
    ]
    assert [amount(value) for value in (None, 3.0, 1234.5, 98765.4)] == [
        *("-", "3", "1,234.50", "98,765"),
    ]
    assert between(Interval(0.107, 0.134)) == "10.7 to 13.4 %"
    assert between(None) == ""
    assert sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([5, 5]) == "▁▁"
