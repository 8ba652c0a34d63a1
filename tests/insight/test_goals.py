"""Goals against a plain count over the same lines."""

from __future__ import annotations

import json
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.insight.recording import record

from journeykit import Event, Goal, Journey, Send, Wait, days, event, on
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.insight.goals import GoalFigures, performance
from journeykit.insight.sources import Logs
from journeykit.insight.stats.intervals import Share, wilson
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.testing import make_event

DAY = 86_400_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

CART = Journey(
    "cart",
    name="Carts",
    trigger=on("cart.updated"),
    reentry="always",
    holdout=20,
    goal=[
        Goal(
            on("order.placed"),
            id="order",
            value=event.amount,
            within=days(7),
            on_goal="continue",
        ),
        Goal(on("review.read"), id="read"),
    ],
    steps=[Wait(days(2)), Send("email", "reminder"), Wait(days(20))],
)


def shopping(customers: int = 60, *, length: int = 120) -> list[Event]:
    """What people do who fill carts, order now and then, and read a review sometimes."""
    draw = random.Random(17)
    events = []
    for number in range(customers):
        at = BEGIN + timedelta(days=draw.uniform(0, length / 2))
        while at < BEGIN + timedelta(days=length):
            names = ["cart.updated", "order.placed", "review.read"]
            (name,) = draw.choices(names, [5, 2, 1])
            more: dict[str, Any] = {}
            if name == "order.placed":
                more = {"amount": draw.randint(1, 400) / 4}
            who, at_text = f"c{number}", isoformat(to_ms(at))
            events.append(make_event(name, who, more, at=at_text, test=number == 5))
            at += timedelta(days=draw.expovariate(1 / 6))
    return sorted(events, key=lambda each: each.occurred_at)


class Run(NamedTuple):
    """A run as the lines tell of it."""

    person: str
    entered: int
    held_out: bool
    reached: dict[str, int]
    worth: float | None


def runs_of(logs: Logs) -> tuple[list[Run], int]:
    """Read both logs line by line; the runs that are no test, and the last instant."""
    runs: dict[str, Run] = {}
    last = 0
    worth = {}
    for partition in logs.events:
        with partition.fetch() as paths:
            for line in paths[0].read_text("utf-8").splitlines():
                told = json.loads(line)
                worth[told["id"]] = told["properties"].get("amount")
                if not told.get("test"):
                    last = max(last, ms(told["received_at"]))
    for partition in logs.decisions:
        with partition.fetch() as paths:
            for line in paths[0].read_text("utf-8").splitlines():
                told = json.loads(line)
                last = max(last, ms(told["now"]))
                if told.get("test"):
                    continue
                if told["kind"] in ("entered", "held_out"):
                    runs[told["enrollment"]] = Run(
                        told["customer"],
                        ms(told["at"]),
                        told["kind"] == "held_out",
                        {},
                        None,
                    )
                elif told["kind"] == "goal":
                    run = runs[told["enrollment"]]
                    run.reached[told["reason"]] = ms(told["at"])
                    if told["reason"] == "order":
                        runs[told["enrollment"]] = run._replace(
                            worth=worth[told["event"]]
                        )
    return [*runs.values()], last


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    end = BEGIN + timedelta(days=120)
    return record(tmp_path_factory.mktemp("logs"), CART, shopping(), until=end)


@pytest.fixture(scope="module")
def house(logs: Logs) -> Iterator[Warehouse]:
    with Warehouse.open(logs, worth={("cart", "order"): '$."amount"'}) as opened:
        yield opened


def goal(house: Warehouse, id: str) -> GoalFigures:
    (journey,) = performance(house, [CART]).journeys
    return next(each for each in journey.goals if each.goal == id)


def test_all_that_entered_stand_somewhere(house: Warehouse, logs: Logs) -> None:
    runs, _ = runs_of(logs)

    found = performance(house, [CART])

    (cart,) = found.journeys
    parts = (cart.held_out, cart.waiting, cart.completed, cart.exited, cart.failed)
    assert cart.entered == sum(parts) == len(runs)
    assert cart.held_out == sum(run.held_out for run in runs) > 0
    assert cart.people == len({run.person for run in runs})
    assert (cart.journey, cart.name) == ("cart", "Carts")
    assert found.test_runs > 0


@pytest.mark.parametrize("held_out", [False, True])
def test_a_goal_with_a_window_is_of_runs_whose_window_is_over(
    house: Warehouse, logs: Logs, held_out: bool
) -> None:
    runs, last = runs_of(logs)
    mine = [run for run in runs if run.held_out is held_out]
    over = [run for run in mine if run.entered + 7 * DAY <= last]
    reached = [run for run in over if "order" in run.reached]
    late = [run for run in mine if run.entered + 7 * DAY > last]

    figures = goal(house, "order")

    found = figures.held_out if held_out else figures.treated
    assert found is not None
    assert (found.entered, found.counted, found.reached) == (
        len(mine),
        len(over),
        len(reached),
    )
    assert found.share == len(reached) / len(over)
    assert found.open == sum("order" not in run.reached for run in late) > 0
    assert found.reached_early == sum("order" in run.reached for run in late)
    people = Share.from_counts(
        len({run.person for run in reached}), len({run.person for run in over})
    )
    assert (found.share_of_people, found.interval_of_people) == (
        people.share,
        people.interval,
    )


def test_a_goal_without_a_window_is_of_all_runs(house: Warehouse, logs: Logs) -> None:
    runs, _ = runs_of(logs)
    treated = [run for run in runs if not run.held_out]

    found = goal(house, "read").treated

    assert found.counted == found.entered == len(treated)
    assert found.reached == sum("read" in run.reached for run in treated) > 0
    assert found.reached_early == 0


def test_runs_of_one_person_make_the_interval_wider(house: Warehouse) -> None:
    found = goal(house, "order").treated

    assert found.interval is not None
    assert found.share is not None
    assert found.share in found.interval
    assert found.interval.width > wilson(found.reached, found.counted).width
    assert found.interval.width < wilson(0, found.counted_people).width * 10


def test_what_a_goal_was_worth_adds_up(house: Warehouse, logs: Logs) -> None:
    runs, last = runs_of(logs)
    treated = [run for run in runs if not run.held_out]
    worths = [run.worth for run in treated if run.worth is not None]
    over = [run for run in treated if run.entered + 7 * DAY <= last]
    counted = sum(run.worth or 0 for run in over)

    worth = goal(house, "order").worth

    assert worth is not None
    assert (worth.known, worth.unknown) == (len(worths), 0)
    assert worth.total == pytest.approx(sum(worths))
    assert worth.median == statistics.median(worths)
    assert worth.per_goal == pytest.approx(statistics.fmean(worths))
    assert worth.per_entry == pytest.approx(counted / len(over))
    assert worth.per_person == pytest.approx(
        counted / len({run.person for run in over})
    )
    assert worth.interval is not None
    assert worth.per_entry is not None
    assert worth.per_entry in worth.interval


def test_a_goal_without_a_value_is_worth_nothing_that_is_known(
    house: Warehouse,
) -> None:
    assert goal(house, "read").worth is None


def test_the_time_to_convert_is_that_of_runs_that_reached_it(
    house: Warehouse, logs: Logs
) -> None:
    runs, _ = runs_of(logs)
    took = [
        run.reached["order"] - run.entered
        for run in runs
        if not run.held_out and "order" in run.reached
    ]
    quarters = statistics.quantiles(took, n=4, method="inclusive")

    time = goal(house, "order").time

    assert time.reached == len(took)
    assert [time.quarter_ms, time.median_ms, time.three_quarters_ms] == pytest.approx(
        quarters
    )
    assert time.longest_ms == max(took) <= 7 * DAY


def test_the_curve_ends_at_the_share_that_the_windows_show(house: Warehouse) -> None:
    figures = goal(house, "order")

    curve = figures.time.curve

    shares = [point.share for point in curve.points]
    assert shares == sorted(shares)
    assert figures.treated.share is not None
    # It knows of the runs as well whose window is not over yet.
    assert curve.share_at(7 * DAY) == pytest.approx(figures.treated.share, abs=0.02)
    assert all(point.low <= point.share <= point.high for point in curve.points)


def test_the_trend_adds_up_to_the_whole(house: Warehouse, logs: Logs) -> None:
    runs, _ = runs_of(logs)
    by_week: dict[datetime, int] = defaultdict(int)
    for run in runs:
        if not run.held_out:
            at = datetime.fromtimestamp(run.entered / 1000, tz=UTC)
            day = at.replace(hour=0, minute=0, second=0, microsecond=0)
            by_week[day - timedelta(days=day.weekday())] += 1

    figures = goal(house, "order")

    assert figures.per == "week"
    assert {span.starts_at: span.entered for span in figures.trend} == dict(by_week)
    assert sum(span.counted for span in figures.trend) == figures.treated.counted
    assert sum(span.reached for span in figures.trend) == figures.treated.reached
    assert figures.worth is not None
    assert sum(span.worth for span in figures.trend) == pytest.approx(
        figures.worth.total
    )
    assert [span.is_partial for span in figures.trend][-1]


def test_test_traffic_never_counts(tmp_path: Path) -> None:
    real = [each for each in shopping(20) if not each.test]

    with (
        Warehouse.open(record(tmp_path / "both", CART, shopping(20))) as both,
        Warehouse.open(record(tmp_path / "real", CART, real)) as without,
    ):
        counted, alone = performance(both, [CART]), performance(without, [CART])

    assert counted.test_runs > alone.test_runs == 0
    (one,), (other,) = counted.journeys, alone.journeys
    assert [vars_of(goal.treated) for goal in one.goals] == [
        vars_of(goal.treated) for goal in other.goals
    ]


def vars_of(figures: Any) -> tuple[Any, ...]:
    return (figures.entered, figures.people, figures.reached, figures.counted)


def test_a_journey_that_only_the_log_knows_is_counted_as_well(
    house: Warehouse,
) -> None:
    (journey,) = performance(house, []).journeys

    assert [(each.goal, each.is_declared) for each in journey.goals] == [
        ("order", False),
        ("read", False),
    ]
    assert journey.goals[0].treated.counted == journey.goals[0].treated.entered


def test_a_journey_that_nobody_entered_has_no_share(house: Warehouse) -> None:
    idle = Journey(
        "idle",
        trigger=on("never"),
        goal=Goal(on("order.placed")),
        steps=[Wait(days(1))],
    )

    (figures,) = performance(house, [idle], journey="idle").journeys

    assert figures.entered == 0
    (only,) = figures.goals
    assert (only.treated.share, only.treated.interval) == (None, None)
    assert only.time.median_ms is only.time.half_ms is None
    assert only.trend == ()


def test_an_empty_log_is_no_error(tmp_path: Path) -> None:
    with Warehouse.open(record(tmp_path, CART, [], start=BEGIN)) as nothing:
        found = performance(nothing, [CART])

    assert found.since_at is found.until_at is None
    assert found.journeys == ()


def test_only_runs_count_that_began_in_the_span_that_is_asked_for(logs: Logs) -> None:
    runs, _ = runs_of(logs)
    since = to_ms(BEGIN + timedelta(days=60))

    with Warehouse.open(logs, scope=Scope(since=since)) as later:
        (found,) = performance(later, [CART]).journeys

    assert found.entered == sum(run.entered >= since for run in runs)


def test_every_goal_says_what_it_counts(house: Warehouse) -> None:
    (journey,) = performance(house, [CART]).journeys

    order, read = journey.goals
    assert "within 7d of the entry" in order.definition
    assert "while the run lasts" in read.definition
    assert all("test traffic" in each.definition for each in (order, read))


def test_what_was_reached_behind_the_window_is_not_within_it(tmp_path: Path) -> None:
    def journey(window: int) -> Journey:
        return Journey(
            "cart",
            trigger=on("cart.updated"),
            goal=Goal(on("order.placed"), id="order", within=days(window)),
            steps=[Wait(days(1))],
        )

    events = [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z"),
        make_event("cart.updated", "ben", at="2026-06-01T09:00:00Z"),
        make_event("order.placed", "ben", at="2026-06-05T09:00:00Z"),
        make_event("order.placed", "ada", at="2026-06-15T09:00:00Z"),
    ]
    logs = record(tmp_path, journey(20), events, until="2026-07-31T09:00:00Z")

    with Warehouse.open(logs) as house:
        (now,) = performance(house, [journey(7)]).journeys

    treated = now.goals[0].treated
    assert (treated.reached, treated.counted, treated.open) == (1, 2, 0)
    assert now.goals[0].time.reached == 1


def test_the_week_in_which_the_span_begins_is_not_whole(logs: Logs) -> None:
    since = to_ms(datetime(2026, 2, 5, tzinfo=UTC))  # a Thursday

    with Warehouse.open(logs, scope=Scope(since=since)) as house:
        first, second, *_ = goal(house, "order").trend

    assert first.starts_at == datetime(2026, 2, 2, tzinfo=UTC)
    assert (first.is_partial, second.is_partial) == (True, False)


def test_a_goal_that_only_test_traffic_reached_is_no_goal(tmp_path: Path) -> None:
    events = [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z", test=True),
        make_event("order.placed", "ada", at="2026-06-02T09:00:00Z", test=True),
    ]

    with Warehouse.open(record(tmp_path, CART, events)) as house:
        assert performance(house, []).journeys == ()
        (cart,) = performance(house, [CART]).journeys
        bare = performance(house, [replace(CART, goal=())]).journeys

    assert all(each.treated.entered == 0 for each in cart.goals)
    assert bare[0].goals == ()
