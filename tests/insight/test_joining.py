"""Which event of the archive a decision is about: known by source and id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.insight.recording import record, written

from journeykit import Event, Goal, Journey, Wait, api, days, event, on
from journeykit.engine.ids import log_id
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event, simulate

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.total, within=days(7)),
    steps=[Wait(days(1))],
)
VIP = Journey("vip", trigger=api(), steps=[Wait(days(1))])
WORTH = {("cart", "order"): "/total"}
UNCLEAR = "of which source"


def said(
    name: str, customer: str, id: str, source: str, day: int, **more: Any
) -> Event:
    at = f"2026-06-{day:02}T09:00:00Z"
    return make_event(name, customer, at=at, id=id, source=source, **more)


# Two senders who both count from 1, and one of whom the other knows nothing.
TWO_SHOPS = [
    said("cart.updated", "ada", "1", "shop", 1),
    said("cart.updated", "ben", "1", "till", 1),
    said("cart.updated", "cleo", "1", "", 1),
    said("order.placed", "ada", "2", "shop", 2, total=40),
    said("order.placed", "ben", "2", "till", 2, total=12.5),
    said("page.viewed", "dan", "2", "", 3),  # nobody hears it
]


def person(customer: str) -> int:
    """Who a customer is in the tables, by what the recorded log calls them."""
    return int(log_id(customer, "salt")[:16], 16)


PEOPLE = {person(name): name for name in ("ada", "ben", "cleo", "dan")}


def joined(house: Warehouse) -> list[tuple[str, str, str]]:
    """Of the events that are known to be somebody's: source, id, and whose."""
    rows = house.rows("select source, id, person from events where customer_known")
    return sorted((source, id, PEOPLE[who]) for source, id, who in rows)


def worth(house: Warehouse) -> dict[str, float | None]:
    return {
        PEOPLE[who]: of for who, of in house.rows("select person, worth from goals")
    }


def without_sources(logs: Logs, folder: Path, *customers: str) -> Logs:
    """The logs as they were before decisions named a source; of these customers only."""
    path = folder / "decisions-000000.jsonl"
    names = {log_id(customer, "salt") for customer in customers}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if not names or line["customer"] in names:
            line.pop("source", None)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return logs


def test_events_of_one_id_and_two_sources_are_their_own_customers(
    tmp_path: Path,
) -> None:
    with Warehouse.open(record(tmp_path, CART, TWO_SHOPS), worth=WORTH) as house:
        assert joined(house) == [
            ("", "1", "cleo"),
            ("shop", "1", "ada"),
            ("shop", "2", "ada"),
            ("till", "1", "ben"),
            ("till", "2", "ben"),
        ]
        assert worth(house) == {"ada": 40, "ben": 12.5}
        assert not [one for one in house.problems if UNCLEAR in one]


def test_an_event_that_only_the_archive_has_forgotten_is_nobody_elses(
    tmp_path: Path,
) -> None:
    logs = record(tmp_path, CART, TWO_SHOPS)
    path = tmp_path / "events-000000.jsonl"
    kept = [line for line in path.read_text().splitlines() if '"shop"' not in line]
    path.write_text("".join(line + "\n" for line in kept))

    with Warehouse.open(logs, worth=WORTH) as house:
        assert worth(house) == {"ada": None, "ben": 12.5}
        assert joined(house) == [
            ("", "1", "cleo"),
            ("till", "1", "ben"),
            ("till", "2", "ben"),
        ]


def test_an_older_log_joins_ids_of_several_sources_to_nobody_and_says_so(
    tmp_path: Path,
) -> None:
    logs = without_sources(record(tmp_path, CART, TWO_SHOPS), tmp_path)

    with Warehouse.open(logs, worth=WORTH) as house:
        assert joined(house) == []
        assert worth(house) == {"ada": None, "ben": None}
        (told,) = [one for one in house.problems if UNCLEAR in one]
        assert told.startswith("2 ids are of several events")


def test_an_older_log_whose_ids_are_each_of_one_event_is_joined_by_them(
    tmp_path: Path,
) -> None:
    story = [
        said("cart.updated", "ada", "s1", "shop", 1),
        said("cart.updated", "ben", "t1", "till", 1),
        said("order.placed", "ada", "s2", "shop", 2, total=40),
    ]
    logs = without_sources(record(tmp_path, CART, story), tmp_path)

    with Warehouse.open(logs, worth=WORTH) as house:
        assert joined(house) == [
            ("shop", "s1", "ada"),
            ("shop", "s2", "ada"),
            ("till", "t1", "ben"),
        ]
        assert worth(house) == {"ada": 40}
        (known,) = house.row("select count(*) from runs join events using (event)")
        assert known == 2
        assert not [one for one in house.problems if UNCLEAR in one]


def test_a_log_of_which_the_first_part_is_older_takes_nobody_for_another(
    tmp_path: Path,
) -> None:
    logs = without_sources(record(tmp_path, CART, TWO_SHOPS), tmp_path, "ada", "cleo")

    with Warehouse.open(logs, worth=WORTH) as house:
        assert joined(house) == [("till", "1", "ben"), ("till", "2", "ben")]
        assert worth(house) == {"ada": None, "ben": 12.5}
        assert [one for one in house.problems if UNCLEAR in one]


def test_one_id_that_two_people_have_in_an_older_log_is_joined_to_neither(
    tmp_path: Path,
) -> None:
    story = [
        said("cart.updated", "ada", "1", "shop", 1),
        said("cart.updated", "ben", "1", "till", 1),
    ]
    logs = without_sources(record(tmp_path, CART, story), tmp_path)
    path = tmp_path / "events-000000.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")  # the till's is gone

    with Warehouse.open(logs) as house:
        assert joined(house) == []
        assert any("1 id is of several events" in one for one in house.problems)


def test_a_call_that_has_the_id_of_somebodys_event_takes_nothing_from_them(
    tmp_path: Path,
) -> None:
    simulator = simulate(
        [CART, VIP], [said("cart.updated", "ada", "1", "shop", 1)], explain=False
    )
    simulator.enroll("vip", "ben", id="1")

    with Warehouse.open(written(tmp_path, simulator)) as house:
        assert joined(house) == [("shop", "1", "ada")]
        assert sorted(
            (PEOPLE[who], journey)
            for who, journey in house.rows("select person, journey from runs")
        ) == [("ada", "cart"), ("ben", "vip")]
        assert not [one for one in house.problems if UNCLEAR in one]


def test_what_moved_nobody_is_counted_once_for_each_source(tmp_path: Path) -> None:
    story = [
        said("cart.updated", "ada", "1", "shop", 1),
        *(said("cart.updated", "ada", "7", source, 1) for source in ("shop", "till")),
    ]
    logs = record(tmp_path, CART, story)

    with Warehouse.open(logs) as house:
        (refused,) = house.row(
            "select count(*) from refused where reason = 'already_in'"
        )

    assert refused == 2


def test_an_envelopes_source_is_that_of_the_bus_unless_our_door_put_it_there(
    tmp_path: Path,
) -> None:
    story = [
        said("cart.updated", "ada", "1", "shop", 1),
        said("cart.updated", "ben", "1", "acme.till", 1),
    ]
    logs = record(tmp_path, CART, story)
    stamp = "2026-06-01T09:00:00Z"
    detail = {"id": "1", "received_at": stamp, "properties": {}}
    envelopes = [
        {"source": "journeykit.http", "detail": {"customer": "ada", "source": "shop"}},
        {"source": "acme.till", "detail": {"customer": "ben", "source": "shop"}},
    ]
    lines = [
        {
            "id": f"envelope-{place}",
            "detail-type": "cart.updated",
            "time": stamp,
            "source": each["source"],
            "detail": {**detail, **each["detail"]},  # type: ignore[dict-item]
        }
        for place, each in enumerate(envelopes)
    ]
    path = tmp_path / "events-000000.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    with Warehouse.open(logs) as house:
        assert joined(house) == [("acme.till", "1", "ben"), ("shop", "1", "ada")]
