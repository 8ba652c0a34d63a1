"""`journeykit import`: what happened before, out of a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.cli.conftest import SETTINGS, Shop

from journeykit.errors import StoreError
from journeykit.local.mapping import Mapping
from journeykit.runtime.runtime import Runtime

MAPPING = """
event = "what"
customer = "customer_id"
occurred_at = { column = "at", zone = "Europe/Berlin" }

[properties]
amount = { column = "total", type = "number" }
"""
ROWS = """\
what,customer_id,at,total
cart.updated,ada,2025-03-01 10:00,40
order.placed,ada,2025-03-01 11:00,40
profile.updated,ben,2025-03-02 09:00,
"""


def imports(shop: Shop, *options: str, name: str = "orders.csv") -> Result:
    mapping = shop.folder / "map.toml"
    events = ("--events", str(shop.folder / name))
    return shop("import", *events, "--mapping", str(mapping), *options)


@pytest.fixture
def orders(shop: Shop) -> Shop:
    shop.write("map.toml", MAPPING)
    shop.write("orders.csv", ROWS)
    return shop


def archived(shop: Shop) -> list[dict[str, Any]]:
    text = (shop.folder / ".journeykit/events.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_rows_are_archived_and_nobody_moves(orders: Shop) -> None:
    result = imports(orders)

    assert result.exit_code == 0, result.output
    assert "3 events of 2 customers" in result.stdout
    assert "from 2025-03-01T09:00:00Z to 2025-03-02T08:00:00Z" in result.stdout
    events = archived(orders)
    assert [event["id"] for event in events] == [
        "orders.csv:2",
        "orders.csv:3",
        "orders.csv:4",
    ]
    assert all(event["history"] for event in events)
    with orders.embedded() as embedded:
        assert embedded.store.backlog()["waiting"] == 0
        found = embedded.store.load(["ada", "ben"])
        assert [customer.active for customer in found.values()] == [[]] * len(found)


def test_what_is_imported_is_known(orders: Shop) -> None:
    orders.write(
        "map.toml",
        'event = { value = "profile.updated" }\ncustomer = "id"\n'
        '[properties]\ncity = "city"\nvisits = { column = "n", type = "integer" }\n',
    )
    orders.write("orders.csv", "id,city,n\nada,Bern,3\nben,,4\n")

    assert imports(orders).exit_code == 0

    ada, ben = orders.customers("ada", "ben")
    assert (ada.profile, ben.profile) == ({"city": "Bern", "visits": 3}, {"visits": 4})


def test_the_same_file_is_read_once_and_on_where_it_has_grown(orders: Shop) -> None:
    assert "3 events" in imports(orders).stdout

    again = imports(orders)
    with (orders.folder / "orders.csv").open("a") as file:
        file.write("order.placed,cyd,2025-03-03 09:00,7\n")
    grown = imports(orders)

    assert "0 events" in again.stdout
    assert "from line 5 on" in grown.stdout
    assert "1 event of 1 customer" in grown.stdout
    assert len(archived(orders)) == 4


def test_another_file_of_the_same_name_is_not_taken_for_it(orders: Shop) -> None:
    imports(orders)
    orders.write("orders.csv", ROWS.replace("ben", "zoe"))

    refused = imports(orders)
    renamed = imports(orders, "--as", "orders of March")

    assert refused.exit_code == 1
    assert "this line is another one" in refused.output
    assert "--as NAME reads all of it as another file" in " ".join(
        refused.output.split()
    )
    assert "3 events" in renamed.stdout


def test_an_import_that_dies_goes_on_behind_what_is_stored(
    orders: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Runtime.ingest
    batches: list[int] = []

    def dies(self: Runtime, stimuli: Any, **how: Any) -> Any:
        batches.append(len(stimuli))
        if len(batches) == 2:
            raise StoreError("the disk is full")
        return whole(self, stimuli, **how)

    monkeypatch.setattr(Runtime, "ingest", dies)

    died = imports(orders, "--batch", "1")
    resumed = imports(orders, "--batch", "1")

    assert died.exit_code == 1
    assert "from line 3 on" in resumed.stdout
    assert "2 events" in resumed.stdout
    assert {event["id"] for event in archived(orders)} == {
        "orders.csv:2",
        "orders.csv:3",
        "orders.csv:4",
    }


def test_rows_that_are_no_events_are_dead_letters(orders: Shop) -> None:
    with (orders.folder / "orders.csv").open("a") as file:
        file.write("order.placed,cyd\norder.placed,cyd,soon,7\n")

    result = imports(orders)

    assert result.exit_code == 0
    assert "2 are no events" in result.stdout
    assert "has more or fewer cells than there are columns" in result.stdout
    letters = orders("dead-letters", "list").output
    assert "occurred_at: 'soon' is no instant" in letters


def test_a_mapping_that_names_no_column_is_refused_before_a_row_is_used_up(
    orders: Shop,
) -> None:
    orders.write("map.toml", MAPPING.replace('"customer_id"', '"costumer_id"'))

    refused = imports(orders)
    orders.write("map.toml", MAPPING)
    mended = imports(orders)

    said = " ".join(refused.output.split())
    assert refused.exit_code == 1
    assert "orders.csv has no column 'costumer_id'; did you mean 'customer_id'?" in said
    assert "3 events of 2 customers" in mended.stdout


def test_a_mapping_by_which_nothing_is_an_event_uses_nothing_up(orders: Shop) -> None:
    orders.write("map.toml", MAPPING.replace('column = "at"', 'column = "total"'))

    refused = imports(orders)
    orders.write("map.toml", MAPPING)
    mended = imports(orders)

    said = " ".join(refused.output.split())
    assert refused.exit_code == 1
    assert "nothing was stored: of the first 3 rows none is an event" in said
    assert "orders.csv:2" in said
    assert "3 events of 2 customers" in mended.stdout
    assert orders("dead-letters", "list").output.strip() == "there are no dead letters"


def test_with_a_copy_of_the_folder_from_before_a_file_is_imported_again(
    orders: Shop,
) -> None:
    wrong = MAPPING.replace('"number" }', '"text" }')
    data = orders.folder / ".journeykit"
    assert orders("publish").exit_code == 0
    shutil.copytree(data, orders.folder / "copy")
    orders.write("map.toml", wrong)
    assert "3 events" in imports(orders).stdout

    shutil.rmtree(data)
    shutil.copytree(orders.folder / "copy", data)
    orders.write("map.toml", MAPPING)
    again = imports(orders)

    assert "3 events of 2 customers" in again.stdout
    amounts = [event["properties"].get("amount") for event in archived(orders)]
    assert amounts == [40, 40, None]


def test_a_row_that_breaks_what_reads_it_is_a_dead_letter(
    orders: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Mapping.event

    def breaks(self: Mapping, row: Any, **how: Any) -> Any:
        if row["what"] == "order.placed":
            raise ZeroDivisionError("ada")
        return whole(self, row, **how)

    monkeypatch.setattr(Mapping, "event", breaks)

    result = imports(orders)

    assert result.exit_code == 0
    assert "2 events" in result.stdout
    assert "orders.csv:3: ZeroDivisionError" in " ".join(result.stdout.split())


def test_a_dry_run_stores_nothing(orders: Shop) -> None:
    result = imports(orders, "--dry-run")

    assert "dry run: nothing is stored" in result.stdout
    assert "3 events of 2 customers" in result.stdout
    assert '"id":"orders.csv:2"' in result.stdout
    assert not (orders.folder / ".journeykit").exists()


def test_a_dry_run_says_what_the_schemas_refuse(orders: Shop) -> None:
    orders.write("journeykit.toml", SETTINGS + '[ingest]\nschemas = "enforce"\n')
    orders.write(
        "schemas.py",
        "from pydantic import BaseModel\n"
        "class Order(BaseModel):\n    amount: str\n"
        'events = {"order.placed": Order}\n',
    )

    tried, imported = imports(orders, "--dry-run"), imports(orders)

    assert "1 are not what the schemas say" in tried.stdout
    said = " ".join(tried.stdout.split())
    assert "order.placed orders.csv:3: amount: needs text" in said
    assert "1 could not be taken" in imported.stdout


def test_what_occurred_outside_of_a_time_is_left_out(orders: Shop) -> None:
    since, until = "2025-03-01T09:30:00Z", "2025-03-02T08:00:00Z"

    result = imports(orders, "--since", since, "--until", until)

    assert "1 event of 1 customer" in result.stdout
    assert "2 left out" in result.stdout


def test_lines_of_json_need_no_mapping(orders: Shop) -> None:
    line = {
        "type": "identify",
        "messageId": "m-1",
        "userId": "ada",
        "timestamp": "2025-03-01T10:00:00Z",
        "traits": {"plan": "pro"},
    }
    orders.write("calls.jsonl", json.dumps(line) + "\n")

    result = orders("import", "--events", str(orders.folder / "calls.jsonl"))

    assert "1 event of 1 customer" in result.stdout
    [ada] = orders.customers("ada")
    assert ada.profile == {"plan": "pro"}


def test_parquet_is_read(orders: Shop) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = orders.folder / "orders.parquet"
    with duckdb.connect() as db:
        db.execute(
            "copy (select 'order.placed' as what, 'ada' as customer_id,"
            " timestamp '2025-03-01 10:00:00' as at, 12.5::decimal(9, 2) as total)"
            f" to '{path}' (format parquet)"
        )

    result = imports(orders, name="orders.parquet")

    assert result.exit_code == 0, result.output
    [event] = archived(orders)
    assert event["occurred_at"] == "2025-03-01T09:00:00Z"
    assert event["properties"] == {"amount": 12.5}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--events", "orders.csv"), "a table needs --mapping"),
        (("--events", "-"), "a file, since it is known by its place"),
    ],
)
def test_what_cannot_be_imported_is_refused(
    orders: Shop, arguments: tuple[str, ...], said: str
) -> None:
    result = orders("import", *arguments)

    assert result.exit_code == 1
    assert said in result.output


def test_a_file_that_is_not_there_is_refused(orders: Shop, tmp_path: Path) -> None:
    result = orders("import", "--events", str(tmp_path / "none.jsonl"))

    assert result.exit_code == 1
    assert "can't read: No such file" in result.output
