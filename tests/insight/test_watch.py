"""What is found unusual, and what isn't: days as usual, and faults put into them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.insight.some_days import FIRST, some_days

from journeykit.insight.daily import Day, JourneyDay
from journeykit.insight.objectives import ObjectiveFigures, Reading
from journeykit.insight.watch import (
    FALSE_ALARM_DAYS,
    READ_DAYS,
    Finding,
    Looked,
    looked_at,
)
from journeykit.model.watching import (
    SENSITIVITIES,
    Figure,
    Sensitivity,
    WatchRule,
    WatchSettings,
)

BEGIN = 91  # the day on which faults begin: a Monday, thirteen weeks on


def look(
    days: dict[date, Day],
    number: int,
    *,
    sensitivity: Sensitivity = "medium",
    **options: Any,
) -> Looked:
    day = FIRST + timedelta(days=number)
    known = {
        one: what
        for one, what in days.items()
        if day - timedelta(days=READ_DAYS) < one <= day
    }
    rule = WatchRule(sensitivity=sensitivity)
    return looked_at(known, day, settings=WatchSettings(rule=rule), **options)


def found(looked: Looked) -> set[tuple[str, str, str, str]]:
    return {
        (one.kind, one.figure, one.reason, one.direction) for one in looked.findings
    }


def from_begin(**changed: Any) -> Callable[[int, dict[str, Any]], None]:
    """A fault: from some day on something else holds."""

    def change(day: int, shape: dict[str, Any]) -> None:
        if day >= BEGIN:
            for name, value in changed.items():
                shape[name] = value(shape[name]) if callable(value) else value

    return change


def test_a_day_like_others_is_not_unusual() -> None:
    looked = look(some_days(BEGIN + 1), BEGIN)

    assert looked.findings == ()
    assert looked.tests > 10
    assert looked.young == ()


@pytest.mark.parametrize(
    ("fault", "figure", "reason", "direction"),
    [
        ({"entries": lambda n: 0.3 * n}, "entries", "", "down"),
        ({"entries": lambda n: 3.0 * n}, "entries", "", "up"),
        ({"failed": 0.2}, "failures", "", "up"),
        ({"no_consent": 0.5}, "suppressions", "no_consent", "up"),
        ({"undelivered": 0.3}, "undelivered", "", "up"),
    ],
    ids=["few-entries", "many-entries", "failures", "suppressions", "bounces"],
)
def test_a_fault_is_found_on_its_first_day(
    fault: dict[str, Any], figure: Figure, reason: str, direction: str
) -> None:
    days = some_days(BEGIN + 1, from_begin(**fault))

    looked = look(days, BEGIN)

    assert ("anomaly", figure, reason, direction) in found(looked)
    assert {one.figure for one in looked.findings} == {figure}


def test_a_finding_says_what_was_expected_and_how_unlikely_it_is() -> None:
    days = some_days(BEGIN + 1, from_begin(failed=0.2))

    [finding] = look(days, BEGIN).findings

    today = days[FIRST + timedelta(days=BEGIN)].journeys["cart"]
    assert finding.seen == today.count("failed")
    assert finding.of == today.count("failed") + today.count("completed")
    assert finding.low <= finding.expected <= finding.high < finding.seen
    assert finding.chance < 1e-6
    assert finding.is_worse
    assert finding.since == finding.until == finding.day
    assert "by a fault" in finding.definition


def test_fewer_conversions_are_found_when_their_time_is_over() -> None:
    days = some_days(BEGIN + 3, from_begin(converts=0.05))

    early, later = look(days, BEGIN), look(days, BEGIN + 1)

    assert ("anomaly", "conversion", "bought", "down") not in found(early)
    assert ("anomaly", "conversion", "bought", "down") in found(later)
    [finding] = [one for one in later.findings if one.figure == "conversion"]
    assert finding.until == FIRST + timedelta(days=BEGIN)
    assert finding.is_worse


def test_a_goal_that_nobody_reaches_any_more_is_found_at_once() -> None:
    days = some_days(BEGIN + 1, from_begin(converts=0.0))

    [finding] = look(days, BEGIN).findings

    assert (finding.figure, finding.reason, finding.kind) == (
        "conversion",
        "bought",
        "anomaly",
    )
    assert (finding.seen, finding.of, finding.direction) == (0, None, "down")
    assert finding.expected > 15
    assert finding.definition == (
        "Times that bought was reached, by whoever had begun, held-out runs too."
    )


def test_what_is_a_little_worse_every_day_is_drift() -> None:
    days = some_days(BEGIN + 7, from_begin(entries=lambda n: 0.45 * n), seed=6)
    calm = some_days(BEGIN + 7, seed=6)
    # Of so few entries a day no single day is beyond chance.
    few = {day: _tenth(one) for day, one in days.items()}
    fewer = look(few, BEGIN + 6)

    assert ("drift", "entries", "", "down") in found(fewer)
    assert all(one.kind == "drift" for one in fewer.findings)
    assert look({d: _tenth(one) for d, one in calm.items()}, BEGIN + 6).findings == ()


def _tenth(day: Day) -> Day:
    cart = day.journeys["cart"]
    return Day({"cart": JourneyDay({"entered": {"": cart.count("entered") // 6}})}, 1)


def test_one_bad_day_is_no_drift_on_the_days_behind_it() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day == BEGIN:
            shape["failed"] = 0.3

    days = some_days(BEGIN + 6, change)

    assert found(look(days, BEGIN)) == {("anomaly", "failures", "", "up")}
    for later in range(1, 6):
        assert look(days, BEGIN + later).findings == ()


def test_the_same_fault_a_week_later_is_found_again() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day in (BEGIN, BEGIN + 7):
            shape["failed"] = 0.3

    days = some_days(BEGIN + 8, change)

    assert found(look(days, BEGIN + 7)) == {("anomaly", "failures", "", "up")}


def test_better_figures_of_faults_are_no_news() -> None:
    days = some_days(
        BEGIN + 1,
        lambda day, shape: shape.update(failed=0.0 if day == BEGIN else 0.2),
    )

    assert look(days, BEGIN).findings == ()


def test_bursts_are_nothing_new_where_there_were_bursts() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        shape["entries"] = 300.0 if day % 18 == 4 else 0.0

    days = some_days(BEGIN + 30, change)

    for number in range(BEGIN, BEGIN + 30):
        assert look(days, number).findings == (), number


def test_a_burst_far_above_all_others_is_found() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        shape["entries"] = 300.0 if day % 18 == 4 else 0.0
        if day == BEGIN + 5:
            shape["entries"] = 2000.0

    looked = look(some_days(BEGIN + 6, change), BEGIN + 5)

    assert ("anomaly", "entries", "", "up") in found(looked)


def test_a_journey_that_is_paused_is_not_missed() -> None:
    days = some_days(BEGIN + 1, from_begin(entries=0.0))

    assert ("anomaly", "entries", "", "down") in found(look(days, BEGIN))
    assert look(days, BEGIN, states={"cart": "paused"}).findings == ()


def test_a_young_journey_is_not_judged() -> None:
    looked = look(some_days(28, from_begin()), 27)

    assert looked.young == ("cart",)
    assert looked.tests == 0
    assert look(some_days(29), 28).young == ()


def test_when_nothing_at_all_is_decided_that_alone_is_said() -> None:
    days = some_days(BEGIN)

    [finding] = look(days, BEGIN + 2).findings

    assert (finding.kind, finding.figure) == ("silence", "silence")
    assert finding.since == FIRST + timedelta(days=BEGIN)
    assert finding.expected > 50
    assert finding.is_worse


def test_a_log_that_is_empty_is_not_silent() -> None:
    assert look({}, BEGIN).findings == ()


def test_a_workspace_that_stands_still_is_not_silent() -> None:
    day = FIRST + timedelta(days=BEGIN + 2)

    looked = looked_at(
        some_days(BEGIN), day, settings=WatchSettings(), states={"cart": "paused"}
    )

    assert looked.findings == ()


def test_figures_that_nobody_wants_are_left_out() -> None:
    days = some_days(BEGIN + 1, from_begin(failed=0.2, no_consent=0.5))
    settings = WatchSettings(
        journeys={"cart": WatchRule(figures=("failures",))},
    )

    looked = looked_at(days, FIRST + timedelta(days=BEGIN), settings=settings)

    assert {one.figure for one in looked.findings} == {"failures"}


def test_a_new_version_is_named_as_what_may_have_done_it() -> None:
    days = some_days(BEGIN + 1, from_begin(failed=0.2, version=2))

    [finding] = look(days, BEGIN).findings

    assert finding.note == f"version 2 began on {FIRST + timedelta(days=BEGIN)}"


def objective(values: list[float], *, status: Any = "behind") -> ObjectiveFigures:
    ends = [
        datetime(2025, 1, 31, tzinfo=UTC) + timedelta(days=30 * number)
        for number in range(len(values))
    ]
    return ObjectiveFigures(
        id="loyal",
        kpi="people who come again",
        target=50,
        aim="at_least",
        by=date(2026, 12, 31),
        unit="percent",
        at=ends[-1],
        value=values[-1],
        interval=None,
        of=1000,
        share_of_target=None,
        expected=None,
        status=status,
        is_certain=False,
        history=[Reading(at, value) for at, value in zip(ends, values, strict=True)],
        journeys=(),
        problem="",
        definition="Of all people, those who came again.",
    )


def test_an_objective_that_leaves_its_history_is_found() -> None:
    steady = [40.0, 41.0, 39.5, 40.2, 40.9, 39.8, 40.4]
    days = some_days(BEGIN + 1)

    calm = look(days, BEGIN, objectives=[objective([*steady, 40.1])])
    worse = look(days, BEGIN, objectives=[objective([*steady, 31.0])])
    better = look(days, BEGIN, objectives=[objective([*steady, 48.0])])
    young = look(days, BEGIN, objectives=[objective([40.0, 31.0])])

    assert calm.findings == young.findings == ()
    assert found(worse) == {("objective", "objectives", "loyal", "down")}
    assert worse.findings[0].is_worse
    assert not better.findings[0].is_worse
    assert "is for 2026-12-31" in worse.findings[0].note


def test_an_objective_that_missed_its_date_is_found() -> None:
    looked = look(
        some_days(BEGIN + 1), BEGIN, objectives=[objective([40.0], status="missed")]
    )

    [finding] = looked.findings
    assert (finding.kind, finding.direction, finding.is_worse) == (
        *("objective", "down"),
        True,
    )


def test_the_more_is_looked_at_the_less_likely_something_must_be() -> None:
    one = look(some_days(BEGIN + 1), BEGIN)
    many = look(some_days(BEGIN + 1, journeys=("a", "b", "c")), BEGIN)

    assert many.tests == 3 * one.tests


@pytest.mark.slow
@pytest.mark.parametrize("sensitivity", SENSITIVITIES)
def test_false_alarms_are_as_few_as_it_says(sensitivity: Sensitivity) -> None:
    looks, alarms = 0, 0
    for seed in range(2):
        days = some_days(BEGIN + 60, seed=seed, journeys=("a", "b"))
        last: set[str] = set()
        for number in range(BEGIN, BEGIN + 60):
            looked = look(days, number, sensitivity=sensitivity)
            keys = {one.key for one in looked.findings}
            looks += 1
            alarms += bool(keys - last)
            last = keys

    # Twice of what is said, and three more by chance.
    assert alarms <= 2 * looks / FALSE_ALARM_DAYS[sensitivity] + 3


def test_a_finding_has_the_same_key_on_the_next_day() -> None:
    days = some_days(BEGIN + 2, from_begin(failed=0.2))

    first, second = look(days, BEGIN).findings[0], look(days, BEGIN + 1).findings[0]

    assert isinstance(first, Finding)
    assert first.key == second.key == "failures/cart//up"
