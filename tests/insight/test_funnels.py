"""Funnels against a search through all ways, and by the stories that they tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.insight.recording import record
from tests.insight.tables import DAY, START, emptied, put

from journeykit import (
    Event,
    Goal,
    Holdout,
    Journey,
    Send,
    Wait,
    days,
    event,
    on,
)
from journeykit.errors import InputError
from journeykit.insight.funnels import Funnel, funnel
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with Warehouse.open(Logs([])) as house:
        yield house


CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    steps=[
        Wait(days(1)),
        Send("email", "reminder"),
        Wait(days(2)),
        Send("sms", "last"),
    ],
)


def happened(name: str, customer: str, day: int, **properties: Any) -> Event:
    return make_event(name, customer, at=f"2026-06-{day:02}T09:00:00Z", **properties)


STORY = [
    happened("cart.updated", "ada", 1),
    happened("cart.updated", "ben", 1),
    happened("cart.updated", "cleo", 2),
    happened("order.placed", "ben", 2, amount=40),
    happened("cart.updated", "dan", 3),
    happened("order.placed", "ada", 5, amount=12.5),
    happened("order.placed", "eve", 5, amount=99),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(record(tmp_path, CART, STORY)) as opened:
        yield opened


def reached(found: Funnel) -> list[int]:
    return [level.reached for level in found.levels]


def test_steps_and_events_stand_in_one_funnel(house: Warehouse) -> None:
    found = funnel(house, ["cart@entered", "cart/send-email-reminder", "order.placed"])

    assert reached(found) == [4, 3, 1]
    assert [level.dropped for level in found.levels] == [0, 1, 2]
    assert found.levels[2].of_before.share == 1 / 3
    assert found.levels[2].of_all.share == 1 / 4
    assert found.levels[2].median_ms == 3 * DAY
    assert found.levels[2].median_total_ms == 4 * DAY
    assert found.conversion == found.levels[2].of_all


def test_a_window_closes_from_the_first_point_on(house: Warehouse) -> None:
    points = ["cart@entered", "cart/send-email-reminder", "order.placed"]

    assert reached(funnel(house, points, within="96h1s")) == [4, 3, 1]
    assert reached(funnel(house, points, within=days(4))) == [4, 3, 0]


def test_an_event_of_the_wrong_value_does_not_count(house: Warehouse) -> None:
    found = funnel(house, ["cart.updated", "order.placed where event.amount > 12.5"])

    assert reached(found) == [4, 1]


def test_the_event_that_starts_a_run_is_not_behind_its_entry(house: Warehouse) -> None:
    assert reached(funnel(house, ["cart.updated", "cart@entered"])) == [4, 4]
    assert reached(funnel(house, ["cart@entered", "cart.updated"])) == [4, 0]


def test_a_message_is_behind_its_step_and_before_the_next(house: Warehouse) -> None:
    points = [
        "cart@entered",
        "cart/wait-1d",
        "cart/send-email-reminder",
        "cart/send-email-reminder@sent",
        "cart/wait-2d",
        "cart/send-sms-last@sent",
        "cart@completed",
    ]

    assert reached(funnel(house, points)) == [4, 4, 3, 3, 3, 3, 3]


def test_goals_are_points(house: Warehouse) -> None:
    found = funnel(
        house, ["cart@entered", "cart@goal:goal", "cart@exited:goal_reached"]
    )

    assert reached(found) == [4, 2, 1]


def test_a_window_that_nobody_can_keep_is_told(house: Warehouse) -> None:
    found = funnel(house, ["cart@entered", "cart/send-email-reminder"], within="24h")

    assert reached(found) == [4, 0]
    assert found.notes == [
        (
            "cart/send-email-reminder happened, but to nobody behind cart@entered within "
            "24h; is that too short, or the order another one?"
        )
    ]


def test_who_has_time_left_is_told(house: Warehouse) -> None:
    found = funnel(house, ["cart.updated", "order.placed"], within="72h")

    # The log ends on the 6th, when dan's last message goes: three days from his cart.
    assert found.levels[1].dropped == 3
    assert found.levels[1].still_open == 0
    longer = funnel(house, ["cart.updated", "order.placed"], within="97h")
    assert longer.levels[1].dropped == 2
    assert longer.levels[1].still_open == 2  # and cleo has an hour


def test_a_name_that_never_occurs_is_told_with_what_was_meant(house: Warehouse) -> None:
    found = funnel(house, ["cart.updatd", "cart/send-email-remindr", "crt@entered"])

    assert reached(found) == [0, 0, 0]
    assert found.conversion.share is None
    assert [note.partition("; ")[2] for note in found.notes] == [
        "did you mean cart.updated?",
        "did you mean cart/send-email-reminder?",
        "did you mean cart?",
    ]


def test_a_person_counts_once_and_each_run_does(tmp_path: Path) -> None:
    story = [happened("cart.updated", "ada", day) for day in (1, 8, 15)]
    story.append(happened("order.placed", "ada", 17, amount=1))

    with Warehouse.open(record(tmp_path, CART, sorted_(story))) as house:
        points = ["cart@entered", "cart/send-email-reminder", "order.placed"]
        assert reached(funnel(house, points)) == [1, 1, 1]
        by_run = funnel(house, points, unit="runs")
        assert reached(by_run) == [3, 3, 3]
        soon = funnel(house, points, unit="runs", within="10d")
        assert reached(soon) == [3, 3, 2]


def sorted_(story: Sequence[Event]) -> list[Event]:
    return sorted(story, key=lambda one: one.occurred_at)


def test_test_traffic_and_who_is_held_out_are_in_no_funnel(tmp_path: Path) -> None:
    held = Journey(
        "held",
        trigger=on("cart.updated"),
        holdout=Holdout(99.99),
        steps=[Wait(days(1))],
    )
    story = [happened("cart.updated", f"c{n}", 1) for n in range(5)] + [
        make_event("cart.updated", "t", at="2026-06-01T09:00:00Z", test=True),
    ]

    with Warehouse.open(record(tmp_path, [held, CART], story)) as house:
        assert reached(funnel(house, ["held@entered", "held/wait-1d"])) == [0, 0]
        assert reached(funnel(house, ["cart.updated", "cart/wait-1d"])) == [5, 5]


@pytest.mark.parametrize(
    ("points", "options", "why"),
    [
        (["a"], {}, "2 to 12 points"),
        (["a"] * 13, {}, "2 to 12 points"),
        (["a", "b"], {"unit": "runs"}, "must be one of a journey"),
        (["*@sent", "b"], {"unit": "runs"}, "must be one of a journey"),
        (["a", "b"], {"within": "0s"}, "longer than nothing"),
    ],
    ids=["one", "thirteen", "runs of an event", "runs of any journey", "no time"],
)
def test_what_is_no_funnel_is_refused(
    house: Warehouse, points: list[str], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        funnel(house, points, **options)


# --- against a search through all ways ----------------------------------------------

HEARD = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from("abc"), st.integers(0, 12)),
    max_size=25,
)
WANTED = st.lists(st.sampled_from("abc"), min_size=2, max_size=4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(heard=HEARD, wanted=WANTED, window=st.integers(1, 8))
def test_nobody_gets_further_than_any_way_leads(
    empty: Warehouse, heard: list[tuple[int, str, int]], wanted: list[str], window: int
) -> None:
    put(
        emptied(empty),
        "events",
        [
            {
                "event": n, "id": str(n), "source": "", "name": name, "person": person,
                "customer_known": True, "happened_ms": START + at * DAY,
                "received_ms": START + at * DAY, "test": False, "properties": "{}",
            }
            for n, (person, name, at) in enumerate(heard)
        ],
    )  # fmt: skip

    found = funnel(empty, wanted, within=f"{window}d")

    best = {person: _furthest(heard, person, wanted, window) for person in (1, 2, 3)}
    expected = [
        sum(len(way) > number for way in best.values()) for number in range(len(wanted))
    ]
    assert reached(found) == expected
    for number in range(1, len(wanted)):
        # Ties between ways of the same end are told by the earliest beginning.
        totals = [
            (way[number] - way[0]) * DAY for way in best.values() if len(way) > number
        ]
        if number == len(wanted) - 1:
            shown = found.levels[number].median_total_ms
            assert shown == (median(totals) if totals else None)


def _furthest(
    heard: list[tuple[int, str, int]], person: int, wanted: list[str], window: int
) -> tuple[int, ...]:
    """The way of one person that gets furthest, soonest, from the earliest beginning."""
    own = [(name, at) for one, name, at in heard if one == person]

    def ways(so_far: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield so_far
        if len(so_far) == len(wanted):
            return
        for name, at in own:
            if name == wanted[len(so_far)] and (
                not so_far or so_far[-1] < at < so_far[0] + window
            ):
                yield from ways((*so_far, at))

    return max(
        ways(()), key=lambda way: (len(way), *(-at for at in way[-1:] + way[:1]))
    )
