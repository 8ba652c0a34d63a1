"""The tables against plain Python over the same decisions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.insight.recording import record, written

from journeykit import Event, Goal, Journey, Send, Wait, WaitFor, When, days, event, on
from journeykit.engine.calendar import to_ms
from journeykit.insight import warehouse
from journeykit.insight.sources import Logs, files
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.testing import make_event, simulate

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.amount, within=days(7)),
    steps=[
        Wait(days(1)),
        Send("email", "reminder"),
        WaitFor(
            [When(on("message.opened"), [Send("email", "thanks")])], timeout=days(1)
        ),
        Send("email", "last"),
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
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("logs")
    logs = record(
        folder, CART, STORY, fates={"email": ["delivered", "opened after 3h"]}, parts=3
    )
    with Warehouse.open(logs, worth={("cart", "order"): '$."amount"'}) as opened:
        yield opened


def test_each_run_has_its_outcome(house: Warehouse) -> None:
    found = house.rows("select outcome, reason, count(*) from runs group by all")

    assert sorted(found) == [("completed", "", 3), ("exited", "goal_reached", 1)]


def test_goals_have_the_worth_that_the_archive_knows(house: Warehouse) -> None:
    found = house.rows("select worth, after_end from goals order by worth")

    assert found == [(12.5, True), (40.0, False)]


def test_a_runs_steps_follow_each_other(house: Warehouse) -> None:
    ways = house.rows("select step, next_step, count(*) from visits group by all")

    assert Counter({(a, b): n for a, b, n in ways}) == {
        ("wait-1d", "send-email-reminder"): 3,
        ("wait-1d", None): 1,
        ("send-email-reminder", "wait-for-message.opened"): 3,
        ("wait-for-message.opened", "send-email-thanks"): 3,
        ("send-email-thanks", "send-email-last"): 3,
        ("send-email-last", None): 3,
    }


def test_reports_on_messages_are_joined_to_them(house: Warehouse) -> None:
    found = house.row(
        "select count(*), count(delivered_ms), count(opened_ms), count(bounced_ms), "
        "min(opened_ms - sent_ms) from messages"
    )

    assert found == (9, 9, 9, 0, 3 * 3_600_000)


def test_events_are_known_by_the_name_that_the_log_has_for_the_person(
    house: Warehouse,
) -> None:
    (count,) = house.row(
        "select count(*) from events e join runs r on r.person = e.person "
        "where e.name = 'order.placed'"
    )

    assert count == 2
    assert house.row("select bool_and(customer_known) from events") == (True,)


def test_a_log_that_was_written_twice_counts_once(tmp_path: Path) -> None:
    logs = record(tmp_path, CART, STORY)

    with Warehouse.open(
        Logs([*logs.decisions, *logs.decisions], [*logs.events, *logs.events])
    ) as twice:
        assert twice.row("select count(*) from runs") == (4,)
        assert twice.row("select count(*) from events") == (len(STORY),)
        assert any("more than once" in problem for problem in twice.problems)


def test_of_an_event_that_came_again_the_first_arrival_counts(tmp_path: Path) -> None:
    logs = record(tmp_path, CART, STORY)
    archive = next(tmp_path.glob("events*.jsonl"))
    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    again = [{**line, "received_at": "2027-01-01T00:00:00Z"} for line in lines]
    both = [*again, *lines]
    archive.write_text("".join(f"{json.dumps(line)}\n" for line in both))

    with Warehouse.open(logs) as house:
        latest = house.row("select max(received_ms), count(*) from events")

    assert latest[0] < to_ms(datetime(2026, 7, 1, tzinfo=UTC))
    assert latest[1] == len(STORY)


def test_in_a_file_and_bucket_by_bucket_the_tables_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = record(tmp_path, CART, STORY, fates={"email": ["opened after 3h"]})

    def tables() -> dict[str, set[tuple[Any, ...]]]:
        names = ("runs", "visits", "goals", "messages", "events", "stays", "headless")
        with Warehouse.open(logs) as house:
            return {name: set(house.rows(f"from {name}")) for name in names}

    in_memory = tables()
    monkeypatch.setattr(warehouse, "_LARGE", 0)
    monkeypatch.setattr(warehouse, "_BUCKET", 5)

    assert tables() == in_memory
    assert len(in_memory["runs"]) == 4


def test_beside_it_is_asked_what_it_knows_and_not_what_was_made_for_a_question(
    house: Warehouse,
) -> None:
    house.execute("create or replace temp table mine as select 1")

    with house.beside() as other:
        count = other.row("select count(*) from runs")
        zone = other.row("select current_setting('TimeZone')")
        with pytest.raises(duckdb.CatalogException):
            other.row("select * from mine")

    assert (count, zone) == ((4,), ("UTC",))
    assert house.row("select count(*) from runs") == (4,)  # this one stays open


def test_a_damaged_line_is_passed_over(tmp_path: Path) -> None:
    logs = record(tmp_path, CART, STORY)
    path = tmp_path / "decisions-000000.jsonl"
    path.write_bytes(b'{"customer": "abc\n' + path.read_bytes() + b'{"customer":"d')

    with Warehouse.open(logs) as house:
        assert house.row("select count(*) from runs") == (4,)
        assert house.problems == ["1 line is damaged, and passed over"]


def test_a_missing_decision_is_told(tmp_path: Path) -> None:
    logs = record(tmp_path, CART, STORY)
    path = tmp_path / "decisions-000000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if b'"n":0' in line)
    path.write_bytes(b"".join(lines[:first] + lines[first + 1 :]))

    with Warehouse.open(logs) as house:
        assert any("lacks some" in problem for problem in house.problems)


def test_only_runs_of_the_time_count(tmp_path: Path) -> None:
    logs = record(tmp_path, CART, STORY)
    second = 1_780_358_400_000  # 2026-06-02

    with Warehouse.open(logs, scope=Scope(since=second)) as house:
        assert house.row("select count(*) from runs") == (2,)
    with Warehouse.open(logs, scope=Scope(until=second)) as house:
        assert house.row(
            "select count(*), bool_and(outcome = 'waiting') from runs"
        ) == (
            2,
            True,
        )


def test_an_empty_log_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.touch()

    with Warehouse.open(Logs(files([path]))) as house:
        assert house.span is None
        assert house.row("select count(*) from runs") == (0,)


def test_the_log_of_a_simulation_says_what_the_simulation_says(tmp_path: Path) -> None:
    simulator = simulate(CART, STORY, explain=False)

    with Warehouse.open(written(tmp_path, simulator)) as house:
        kinds = Counter(traced.kind for traced in simulator.trace)
        assert dict(house.rows("select kind, count(*) from decisions group by 1")) == (
            kinds
        )
