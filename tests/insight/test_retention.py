"""Cohorts against a plain count over the same events."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.insight.recording import record

from journeykit import Event, Journey, Wait, days, event, on
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.insight.retention import Retention, retention
from journeykit.insight.stats.intervals import wilson
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.testing import make_event

BEGIN = datetime(2026, 1, 10, tzinfo=UTC)
END = BEGIN + timedelta(days=150)
JOURNEY = Journey("visits", trigger=on("visited"), steps=[Wait(days(1))])


def visits() -> list[Event]:
    draw = random.Random(23)
    found = []
    for number in range(50):
        at = BEGIN + timedelta(days=draw.uniform(0, 90))
        while at < END:
            name = draw.choice(["visited", "visited", "bought"])
            found.append(
                make_event(
                    name,
                    f"c{number}",
                    at=isoformat(to_ms(at)),
                    amount=draw.randint(1, 100),
                    test=number == 0,
                )
            )
            at += timedelta(days=draw.expovariate(1 / 12))
    return sorted(found, key=lambda each: each.occurred_at)


EVENTS = visits()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    logs = record(tmp_path_factory.mktemp("logs"), JOURNEY, EVENTS, until=END)
    with Warehouse.open(logs) as opened:
        yield opened


def expected(
    first: str, back: str, *, zone: str = "UTC", least: int = 0
) -> dict[tuple[int, int], tuple[int, list[int]]]:
    """By the first month: how many people, and who came back how many months after."""
    firsts: dict[str, datetime] = {}
    for each in EVENTS:
        if not each.test and each.name == first and each.properties["amount"] > least:
            firsts.setdefault(each.customer, each.occurred_at)
    cohorts: dict[tuple[int, int], set[str]] = {}
    for customer, at in firsts.items():
        cohorts.setdefault(month(at, zone), set()).add(customer)
    found = {}
    for cohort, people in cohorts.items():
        back_in: dict[int, set[str]] = {}
        for each in EVENTS:
            if each.customer not in people or each.name != back:
                continue
            if each.occurred_at > firsts[each.customer]:
                year, number = month(each.occurred_at, zone)
                after = (year - cohort[0]) * 12 + number - cohort[1]
                back_in.setdefault(after, set()).add(each.customer)
        longest = 6 - cohort[1]  # the log ends in June
        found[cohort] = (
            len(people),
            [len(back_in.get(after, ())) for after in range(longest + 1)],
        )
    return found


def month(at: datetime, zone: str) -> tuple[int, int]:
    local = at.astimezone(ZoneInfo(zone))
    return local.year, local.month


def told(found: Retention) -> dict[tuple[int, int], tuple[int, list[int]]]:
    return {
        month(cohort.starts_at, found.zone): (
            cohort.people,
            [cell.back for cell in cohort.cells],
        )
        for cohort in found.cohorts
    }


@pytest.mark.parametrize("back", ["visited", "bought"])
def test_cohorts_are_what_a_plain_count_gives(house: Warehouse, back: str) -> None:
    found = retention(house, [on("visited")], back=[on(back)])

    assert told(found) == expected("visited", back)


def test_who_comes_back_does_so_with_the_first_event_if_nothing_is_said(
    house: Warehouse,
) -> None:
    found = retention(house, [on("bought")])

    assert told(found) == expected("bought", "bought")


def test_months_are_those_of_the_zone(house: Warehouse) -> None:
    zone = "Pacific/Auckland"

    found = retention(house, [on("visited")], zone=ZoneInfo(zone))

    assert told(found) == expected("visited", "visited", zone=zone)
    assert told(found) != told(retention(house, [on("visited")]))


def test_a_condition_says_which_events_count(house: Warehouse) -> None:
    found = retention(
        house, [on("visited", where=event.amount > 60)], back=[on("bought")]
    )

    assert told(found) == expected("visited", "bought", least=60)
    assert "event.amount > 60" in found.definition


def test_what_the_log_has_a_part_of_is_marked_and_in_no_average(
    house: Warehouse,
) -> None:
    found = retention(house, [on("visited")])

    for cohort in found.cohorts:
        *whole, last = cohort.cells
        assert not last.is_complete
        assert all(cell.is_complete for cell in whole)
    for average in found.averages:
        counted = [
            (cohort.people, cohort.cells[average.after].back)
            for cohort in found.cohorts
            if average.after < len(cohort.cells) - 1
        ]
        assert average.people == sum(people for people, _ in counted)
        assert average.back == sum(back for _, back in counted)


def test_the_cohort_in_which_the_log_begins_is_marked(house: Warehouse) -> None:
    found = retention(house, [on("visited")])

    assert [cohort.may_be_older for cohort in found.cohorts] == [
        True,
        *[False] * (len(found.cohorts) - 1),
    ]


def test_every_share_has_its_interval(house: Warehouse) -> None:
    found = retention(house, [on("visited")])

    for cohort in found.cohorts:
        for cell in cohort.cells:
            assert cell.share == cell.back / cohort.people
            assert cell.interval == wilson(cell.back, cohort.people)


def test_by_the_week_there_are_more_cohorts_of_the_same_people(
    house: Warehouse,
) -> None:
    weeks = retention(house, [on("visited")], per="week")
    months = retention(house, [on("visited")])

    assert sum(c.people for c in weeks.cohorts) == sum(c.people for c in months.cohorts)
    assert all(cohort.starts_at.weekday() == 0 for cohort in weeks.cohorts)
    assert len(weeks.cohorts) > len(months.cohorts)


def test_only_the_latest_cohorts_are_shown_that_were_asked_for(
    house: Warehouse,
) -> None:
    every = retention(house, [on("visited")])

    two = retention(house, [on("visited")], most=2)

    assert [*two.cohorts] == [*every.cohorts][-2:]
    assert two.left_out == len(every.cohorts) - 2


def test_of_an_event_that_nobody_had_there_are_no_cohorts(house: Warehouse) -> None:
    assert retention(house, [on("left.us")]).cohorts == ()


def test_who_came_before_the_span_is_new_in_no_cohort_of_it(tmp_path: Path) -> None:
    logs = record(tmp_path, JOURNEY, EVENTS, until=END)
    since = datetime(2026, 3, 1, tzinfo=UTC)

    for first in (on("visited"), on("visited", where=event.amount > 0)):
        with Warehouse.open(logs, scope=Scope(since=to_ms(since))) as later:
            found = retention(later, [first])

        wanted = {
            cohort: counts
            for cohort, counts in expected("visited", "visited").items()
            if cohort >= (2026, 3)
        }
        assert told(found) == wanted
        assert not any(cohort.may_be_older for cohort in found.cohorts)


def test_without_an_archive_nobody_is_known_to_come_back(tmp_path: Path) -> None:
    events: Sequence[Event] = [make_event("visited")]
    logs = record(tmp_path, JOURNEY, events)
    alone = type(logs)(logs.decisions)

    with Warehouse.open(alone) as house:
        assert retention(house, [on("visited")]).cohorts == ()
