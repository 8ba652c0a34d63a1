"""When a log ends: what is over by then, and what may still come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import record

from journeykit import (
    Conversion,
    Goal,
    Journey,
    Objective,
    Wait,
    days,
    hours,
    on,
)
from journeykit.engine.calendar import to_ms
from journeykit.insight.goals import performance
from journeykit.insight.objectives import objective_figures
from journeykit.insight.retention import retention
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.testing import make_event

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", within=days(7)),
    steps=[Wait(hours(1))],
)
ENTERED = make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z")
# The run is over an hour later, and nothing is decided from then on.
DECIDED = "2026-06-01T10:00:00Z"


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def arrived(at: str | None, **more: Any) -> dict[str, Any]:
    """A line of the archive: a page that nobody hears of."""
    line = {
        "id": "p",
        "name": "page.viewed",
        "customer": "ben",
        "occurred_at": at,
        **more,
    }
    return line if "received_at" in more else {**line, "received_at": at}


def logs(folder: Path, *lines: dict[str, Any]) -> Logs:
    found = record(folder, CART, [ENTERED])
    path = folder / "events-000000.jsonl"
    path.write_text(
        path.read_text() + "".join(json.dumps(line) + "\n" for line in lines)
    )
    return found


def end_of(found: Logs, scope: Scope | None = None) -> int:
    with Warehouse.open(found, scope=scope) as house:
        assert house.span is not None
        assert house.span[0] == ms("2026-06-01T09:00:00Z")
        return house.span[1]


def windows(found: Logs) -> tuple[int, int]:
    """Of the runs, how many count since their window is over, and how many are open."""
    with Warehouse.open(found) as house:
        ((figures,),) = [one.goals for one in performance(house, [CART]).journeys]
    return figures.treated.counted, figures.treated.open


def test_events_that_decide_nothing_tell_that_the_time_is_over(tmp_path: Path) -> None:
    alone = logs(tmp_path / "alone")
    followed = logs(tmp_path / "followed", arrived("2026-06-08T09:00:00Z"))

    assert end_of(alone) == ms(DECIDED)
    assert windows(alone) == (0, 1)
    assert end_of(followed) == ms("2026-06-08T09:00:00Z")
    assert windows(followed) == (1, 0)


def test_a_window_that_ends_after_the_last_event_is_open(tmp_path: Path) -> None:
    assert windows(logs(tmp_path, arrived("2026-06-08T08:59:59.999Z"))) == (0, 1)


def test_decisions_after_the_last_event_count_as_before(tmp_path: Path) -> None:
    assert end_of(logs(tmp_path, arrived("2026-06-01T09:30:00Z"))) == ms(DECIDED)


@pytest.mark.parametrize(
    "line",
    [
        arrived("2090-01-01T00:00:00Z", received_at="2026-06-01T09:30:00Z"),
        arrived("2026-06-20T00:00:00Z", test=True),
        arrived("2026-06-20T00:00:00Z", received_at=None),
        {
            "id": "e",
            "detail-type": "page.viewed",
            "source": "acme.site",
            "time": "2026-06-01T09:30:00Z",
            "detail": {"customer": "ben", "occurred_at": "2090-01-01T00:00:00Z"},
        },
        arrived("2026-06-01T09:30:00Z", received_at="9999-01-01T00:00:00Z"),
    ],
    ids=["of years to come", "test traffic", "no stamp", "an envelope", "a wild stamp"],
)
def test_what_tells_nothing_of_the_clock_moves_no_end(
    tmp_path: Path, line: dict[str, Any]
) -> None:
    found = logs(tmp_path, line)

    assert end_of(found) == ms(DECIDED)
    assert windows(found) == (0, 1)


def test_an_envelopes_stamp_is_that_of_the_bus(tmp_path: Path) -> None:
    line = {
        "id": "e",
        "detail-type": "page.viewed",
        "source": "acme.site",
        "time": "2026-06-08T09:00:00Z",
        "detail": {"customer": "ben"},
    }

    assert end_of(logs(tmp_path, line)) == ms("2026-06-08T09:00:00Z")


def test_what_came_in_after_the_time_that_is_asked_for_moves_no_end(
    tmp_path: Path,
) -> None:
    found = logs(
        tmp_path,
        arrived("2026-06-05T09:00:00Z"),
        arrived("2026-06-08T09:00:00Z", id="q"),
    )

    scope = Scope(until=ms("2026-06-08T09:00:00Z"))
    assert end_of(found, scope) == ms("2026-06-05T09:00:00Z")
    assert end_of(found, Scope(journey="other")) == ms("2026-06-08T09:00:00Z")


def test_an_archive_without_decisions_has_no_end(tmp_path: Path) -> None:
    found = logs(tmp_path, arrived("2026-06-08T09:00:00Z"))
    (tmp_path / "decisions-000000.jsonl").write_text("")

    with Warehouse.open(found) as house:
        assert house.span is None


def test_objectives_and_cohorts_end_with_the_log(tmp_path: Path) -> None:
    cart = Objective(
        "order",
        kpi="share of carts that become an order",
        target=10,
        by=date(2026, 12, 31),
        measure=Conversion(journey="cart"),
    )
    lines: Sequence[dict[str, Any]] = [
        arrived("2026-06-20T09:00:00Z", received_at="2026-06-15T09:00:00Z"),
        arrived("2090-01-01T00:00:00Z", id="q", received_at=None),
    ]

    with Warehouse.open(logs(tmp_path, *lines)) as house:
        figures = objective_figures(house, cart, [CART])
        cohorts = retention(house, [on("cart.updated")], per="week").cohorts

    assert figures.at == datetime.fromisoformat("2026-06-15T09:00:00Z")
    assert (figures.value, figures.of) == (0, 1)
    assert [[cell.is_complete for cell in one.cells] for one in cohorts] == [
        [True, True, False]
    ]
