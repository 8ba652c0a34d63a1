from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from journeykit.errors import InputError
from journeykit.local.mapping import Document, Mapping
from journeykit.model.events import Event

NOW = datetime(2026, 6, 7, 12, tzinfo=UTC)
ORDERS = """
event = { value = "order.placed" }
customer = "customer_id"
occurred_at = "ordered_at"
"""


def mapping(text: str = ORDERS) -> Mapping:
    return Mapping(msgspec.convert(tomllib.loads(text), Document), place="map.toml")


def event(text: str, **row: Any) -> Event:
    known = {"customer_id": "ada", "ordered_at": "2025-03-01T10:00:00Z", **row}
    row = {name: value for name, value in known.items() if value is not None}
    return mapping(text).event(row, id="orders.csv:2", source="import", received_at=NOW)


def test_a_row_becomes_an_event_of_the_past() -> None:
    found = event(ORDERS + '[properties]\namount = "total"\n', total="12.5")

    assert found == Event(
        id="orders.csv:2",
        name="order.placed",
        customer="ada",
        occurred_at=datetime(2025, 3, 1, 10, tzinfo=UTC),
        received_at=NOW,
        properties={"amount": "12.5"},
        source="import",
        history=True,
    )


def test_columns_say_what_an_event_is_called_and_whom_it_is_about() -> None:
    text = """
event = "what"
occurred_at = "ordered_at"
id = "number"
source = { value = "shop" }
identifiers = { email = "mail", phone = "phone" }
"""

    found = event(text, what="order.paid", number=17.0, mail="a@example.com")

    assert (found.name, found.id, found.source) == ("order.paid", "17", "shop")
    assert (found.customer, found.identifiers) == ("", {"email": "a@example.com"})


@pytest.mark.parametrize(
    ("field", "value", "typed"),
    [
        ('{column = "x", type = "number"}', "1,234.50", 1234.5),
        ('{column = "x", type = "number"}', "40", 40),
        ('{column = "x", type = "number", decimal = ","}', "1.234,5", 1234.5),
        ('{column = "x", type = "number", decimal = ","}', "1\u202f234,5", 1234.5),
        ('{column = "x", type = "integer"}', "40.0", 40),
        ('{column = "x", type = "boolean"}', "Yes", True),
        ('{column = "x", type = "boolean"}', "0", False),
        ('{column = "x", type = "json"}', '["a", 1]', ["a", 1]),
        ('{column = "x", type = "json"}', ["a"], ["a"]),
        ('{column = "x", type = "text"}', 17, "17"),
        (
            '{column = "x", type = "instant", zone = "Europe/Berlin"}',
            "2025-03-01 10:00",
            "2025-03-01T09:00:00Z",
        ),
        ('{column = "x"}', 17.5, 17.5),
        ('{value = "web"}', None, "web"),
    ],
)
def test_a_value_gets_the_type_that_its_field_wants(
    field: str, value: Any, typed: Any
) -> None:
    found = event(f"{ORDERS}[properties]\nx = {field}\n", x=value).properties["x"]

    assert (found, type(found)) == (typed, type(typed))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "twelve"),
        ("number", True),
        ("integer", "1.5"),
        ("boolean", "perhaps"),
        ("json", "{"),
        pytest.param("instant", "0001-01-01T00:00:00+14:00", id="instant-too-early"),
        ("instant", "yesterday"),
        ("number", "12,50"),  # with the decimal sign ".", as all of these are read
        ("number", "1.250,00"),
        ("number", "1,2,3"),
        ("number", "1,250 000"),
        ("number", "1,2500"),
        ("number", "1_000"),
        ("number", "\u0661\u0662"),
        ("number", "nan"),
        ("number", "inf"),
        ("number", "1e400"),
        pytest.param("number", float("inf"), id="number-infinite"),
        ("number", "."),
        ("integer", "1,5"),
    ],
)
def test_a_value_of_another_type_makes_no_event(kind: str, value: Any) -> None:
    text = f'{ORDERS}[properties]\nx = {{column = "x", type = "{kind}"}}\n'

    with pytest.raises(InputError, match=f"x: .* is no {kind}"):
        event(text, x=value)


def test_json_that_nests_too_deep_makes_no_event() -> None:
    deep = "[" * 5_000 + "]" * 5_000  # some releases of Python read even that

    with pytest.raises(InputError, match=r"x: .* is no json|nests deeper"):
        event(f'{ORDERS}[properties]\nx = {{column = "x", type = "json"}}\n', x=deep)


@pytest.mark.parametrize(
    ("decimal", "written", "number"),
    [
        (".", "1,250,000.50", 1250000.5),
        (".", " -1,250 ", -1250),
        (".", "1'250.5", 1250.5),
        (".", "1\u202f250", 1250),
        (".", "1250000", 1250000),
        (".", "9007199254740993", 9007199254740993),
        (".", ".5", 0.5),
        (".", "-1.5e3", -1500),
        (".", "1e300", 1e300),
        (",", "12,50", 12.5),
        (",", "1.250,00", 1250),
        (",", "1.250.000", 1250000),
    ],
)
def test_a_thousands_sign_stands_between_groups_of_three_digits(
    decimal: str, written: str, number: float
) -> None:
    field = f'{{column = "x", type = "number", decimal = "{decimal}"}}'

    found = event(f"{ORDERS}[properties]\nx = {field}\n", x=written).properties["x"]

    assert (found, type(found)) == (number, type(number))


def test_who_wrote_another_decimal_sign_is_told_which_was_expected() -> None:
    text = f'{ORDERS}[properties]\nx = {{column = "x", type = "number"}}\n'

    with pytest.raises(
        InputError, match=r"x: '12,50' is no number; the decimal sign is"
    ):
        event(text, x="12,50")


@pytest.mark.parametrize(
    ("how", "value", "instant"),
    [
        ("", "2025-03-01T10:00:00+02:00", "2025-03-01T08:00:00Z"),
        ("", "1740823200", "2025-03-01T10:00:00Z"),
        ("", 1740823200000, "2025-03-01T10:00:00Z"),
        (', zone = "America/New_York"', "2025-03-01 10:00:30", "2025-03-01T15:00:30Z"),
        # Clocks skip from 2 to 3, and show 1:30 twice: the first instant counts.
        (', zone = "America/New_York"', "2025-03-09 02:30", "2025-03-09T07:00:00Z"),
        (', zone = "America/New_York"', "2025-11-02 01:30", "2025-11-02T05:30:00Z"),
        (', zone = "Europe/Berlin"', "2025-03-01", "2025-02-28T23:00:00Z"),
        (
            ', zone = "Europe/Berlin", format = "%d.%m.%Y %H:%M"',
            "01.03.2025 10:00",
            "2025-03-01T09:00:00Z",
        ),
        (
            ', format = "%Y%m%dT%H%M%S%z"',
            "20250301T100000+0000",
            "2025-03-01T10:00:00Z",
        ),
    ],
)
def test_instants_are_read_as_they_are_written(
    how: str, value: Any, instant: str
) -> None:
    text = ORDERS.replace('"ordered_at"', f'{{column = "ordered_at"{how}}}')

    found = event(text, ordered_at=value).occurred_at

    assert found == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2025-03-01 10:00", "without an offset, say whose clock it was"),
        ("2025-03-01", "without an offset, say whose clock it was"),
        (None, "ordered_at: occurred_at: is empty"),
        (["x"], "is no instant"),
        ("0001-01-01 00:00", "is no instant"),  # how databases write that there is none
        ("9999-12-31 23:59", "is no instant"),
    ],
)
@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "America/New_York"])
def test_a_row_without_an_instant_makes_no_event(
    value: Any, said: str, zone: str
) -> None:
    text = ORDERS
    if zone and "offset" not in said:
        text = text.replace(
            '"ordered_at"', f'{{column = "ordered_at", zone = "{zone}"}}'
        )

    with pytest.raises(InputError) as error:
        event(text, ordered_at=value)

    assert said in str(error.value)


def test_all_other_columns_may_be_properties() -> None:
    text = 'properties = "*"' + ORDERS

    assert event(text, total=12, city="Bern").properties == {
        "total": 12,
        "city": "Bern",
    }


def test_profiles_need_no_instant() -> None:
    text = 'event = { value = "profile.updated" }\ncustomer = "customer_id"\n'

    assert event(text).occurred_at == NOW


def test_only_some_rows_may_be_wanted() -> None:
    paid = mapping(ORDERS + '[only]\nstatus = ["paid", "shipped"]\n')

    assert paid.takes({"status": "paid"})
    assert not paid.takes({"status": "open"})
    assert not paid.takes({})


def test_a_cell_of_csv_may_be_wanted_by_its_value() -> None:
    wanted = mapping(ORDERS + "[only]\nn = [1, 2.5]\nok = [true]\n")

    assert wanted.takes({"n": "1", "ok": "TRUE"})
    assert wanted.takes({"n": 2.5, "ok": True})
    assert not wanted.takes({"n": "3", "ok": "true"})
    assert not wanted.takes({"n": "1", "ok": "no"})


COLUMNS = ["customer_id", "ordered_at", "total", "status"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "customer = 'costumer_id'",
            "customer: .* 'costumer_id'; did you mean 'custom",
        ),
        ("id = 'order'", "id: o.csv has no column 'order'; "),
        ("properties.amount = 'totl'", r"properties\.amount: .*; did you mean 'total'"),
        ("only.state = ['paid']", "only: .* 'state'; did you mean 'status'"),
        (
            "identifiers.email = 'zzz'",
            r"identifiers\.email: .*; there is 'customer_id'",
        ),
    ],
)
def test_columns_that_a_table_has_not_are_refused(text: str, said: str) -> None:
    key = text.partition(" ")[0]
    lines = [line for line in ORDERS.splitlines() if not line.startswith(key)]
    found = mapping("\n".join([*lines, text]))

    mapping().check_columns(COLUMNS, name="o.csv")
    with pytest.raises(InputError, match=said) as error:
        found.check_columns(COLUMNS, name="o.csv")
    assert error.value.place == "map.toml"


def test_another_delimiter_is_seen() -> None:
    with pytest.raises(InputError, match='another delimiter: delimiter = ";"'):
        mapping().check_columns(["customer_id;ordered_at"], name="o.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('customer = "c"\noccurred_at = "t"', "event is missing"),
        (ORDERS + 'customers = "x"', "did you mean|is no field of it"),
        ('event = "e"\noccurred_at = "t"', "customer: is missing"),
        ('event = "e"\ncustomer = "c"', "occurred_at: is missing; when did it happen?"),
        (ORDERS + "id = {}", "id: names no column"),
        (ORDERS + 'id = {column = "a", value = "b"}', "has a column or a value"),
        (ORDERS + 'delimiter = ";;"', "delimiter: is one character"),
        (
            ORDERS.replace('"ordered_at"', '{column = "o", zone = "Berlin"}'),
            "unknown time zone 'Berlin'; did you mean 'Europe/Berlin'",
        ),
        (
            ORDERS + '[properties]\nx = {column = "x", type = "nmber"}',
            "properties.x.type: there is no 'nmber'; did you mean 'number'",
        ),
        (
            ORDERS + '[properties]\nx = {column = "x", decimal = ";"}',
            "properties.x.decimal: there is no ';'; there is ',', '.'",
        ),
        (ORDERS + "[properties]\nx = 7", "properties.x: is of type int"),
        (
            ORDERS + '[identifiers]\nemail = {colum = "x"}',
            "identifiers.email: 'colum' is no field of it; did you mean 'column'",
        ),
        (
            ORDERS + '[only]\nstatus = "paid"',
            "only.status: is of type str, needs array",
        ),
        ("event = ", "is not TOML"),
    ],
)
def test_a_mapping_that_cannot_be_right_is_refused(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)

    with pytest.raises(InputError, match=said) as error:
        Mapping.read(path)

    assert error.value.place == str(path)


def test_a_mapping_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: No such file"):
        Mapping.read(tmp_path / "map.toml")


def test_an_event_keeps_the_bounds_of_every_door() -> None:
    with pytest.raises(InputError, match="customer: needs 1 to 256 characters"):
        event(ORDERS, customer_id="x" * 300)

    assert json.dumps(event(ORDERS).properties) == "{}"
