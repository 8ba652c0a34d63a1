from __future__ import annotations

import pytest

from journeykit import (
    Cap,
    Exit,
    Goal,
    Journey,
    Policies,
    Send,
    Wait,
    days,
    event,
    hours,
    on,
)
from journeykit.testing import Simulator

NINE = "2026-06-01T09:00:00Z"
OFFER = Journey(
    id="offer",
    trigger=on("viewed"),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    reentry="after_exit",
    steps=[Send("email", "offer"), Wait(hours(2)), Send("email", "last-call")],
)
LOOP = Journey(id="loop", trigger=on("looped"), steps=[Exit("bored")])


def offered() -> Simulator:
    sim = Simulator(
        [OFFER, LOOP], start=NINE, policies=Policies(caps=[Cap(1, within=days(1))])
    )
    for customer in ("ada", "bob", "cy"):
        sim.event("viewed", customer)
    sim.event("viewed", "ada")
    sim.event("looped", "ada")
    sim.event("order.placed", "ada", amount=40)
    sim.event("order.placed", "bob", amount=2.5)
    sim.advance(hours(3))
    sim.event("viewed", "bob")
    return sim


def test_the_report_counts_what_became_of_everybody() -> None:
    report = offered().report()["offer"]

    assert report.entered == 4
    assert report.waiting == 1
    assert report.completed == 1
    assert report.exited == {"goal_reached": 2}
    assert report.failed == {}
    assert report.goals == {"goal": 2}
    assert report.values == {"goal": 42.5}
    assert report.sent == 3
    assert report.suppressed == {"frequency_cap": 2}
    assert report.not_entered == {"already_in": 1}


def test_journeys_are_told_apart_and_sorted() -> None:
    report = offered().report()

    assert list(report) == ["loop", "offer"]
    assert report["loop"].exited == {"bored": 1}
    with pytest.raises(KeyError):
        report["other"]


def test_a_journey_that_nobody_entered_is_in_the_report() -> None:
    report = Simulator(OFFER, start=NINE).report()

    assert report["offer"].entered == 0


def test_the_held_out_count_as_entered() -> None:
    tested = Journey(
        id="tested",
        trigger=on("viewed"),
        goal=Goal(on("order.placed"), within=days(7)),
        holdout=50,
        steps=[Send("email", "offer")],
    )
    sim = Simulator(tested, start=NINE)
    for n in range(100):
        sim.event("viewed", f"customer-{n}")

    report = sim.report()["tested"]

    assert 30 < report.held_out < 70
    assert report.held_out + report.completed == report.entered == 100
    assert report.sent == report.completed


def test_the_report_prints_as_a_table() -> None:
    assert str(offered().report()) == (
        "journey  entered  held out  waiting  completed  exited  failed  sent  "
        "suppressed\n"
        "loop           1         0        0          0       1       0     0  "
        "         0\n"
        "  exited: bored 1\n"
        "offer          4         0        1          1       2       0     3  "
        "         2\n"
        "  exited: goal_reached 2\n"
        "  suppressed: frequency_cap 2\n"
        "  not entered: already_in 1\n"
        "  reached goal: 2, worth 42.50"
    )
