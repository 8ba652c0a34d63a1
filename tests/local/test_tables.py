from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from journeykit.errors import InputError
from journeykit.local.tables import csv_rows, is_parquet, parquet_rows


def read(path: Path, **how: Any) -> list[tuple[int, Any]]:
    return [(number, json.loads(line)) for number, line in csv_rows(path, **how)]


def test_rows_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('id,note\n1,"two\nlines"\n\n2,\n3,c\n')

    assert read(path) == [
        (3, {"id": "1", "note": "two\nlines"}),
        (5, {"id": "2"}),
        (6, {"id": "3", "note": "c"}),
    ]


def test_a_row_with_other_cells_than_columns_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,note\n1\n2,b,c\n")

    assert read(path) == [(2, ["1"]), (3, ["2", "b", "c"])]


def test_gzip_encodings_and_delimiters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress("id;city\n1;Zürich\n".encode("latin-1")))
    marked = tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbfid\n1\n")

    assert read(path, delimiter=";", encoding="latin-1") == [
        (2, {"id": "1", "city": "Zürich"})
    ]
    assert read(marked) == [(2, {"id": "1"})]


@pytest.mark.parametrize(
    ("content", "how", "said"),
    [
        (b"", {}, "has no row that names the columns"),
        (b"a,a\n1,2\n", {}, "two columns are named 'a'"),
        (b"a\n\xff\n", {}, 'is not utf-8 .*: encoding = "latin-1"'),
        (b'a\n"x\n', {}, "unexpected end of data"),
        (b"a\n1\n", {"encoding": "klingon"}, "encoding 'klingon' is not known"),
        (gzip.compress(b"a\n1\n", mtime=0)[:-4], {}, "can't read"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(
    content: bytes, how: dict[str, str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    with pytest.raises(InputError, match=said) as error:
        read(path, **how)

    assert error.value.place.startswith(str(path))


def parquet(path: Path, select: str) -> Path:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as db:
        db.execute(f"copy (select {select}) to '{path}' (format parquet)")
    return path


def test_values_of_parquet_keep_their_types(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "orders.parquet",
        "1 as id, 2.50::decimal(10, 2) as amount, timestamp '2026-01-01 10:00:00' as wall,"
        " timestamptz '2026-01-01 10:00:00+02' as instant, date '2026-02-03' as day,"
        " ['a', 'b'] as items, {'x': 1} as nested, true as ok, null as nothing,"
        ' 1.5::double as "odd ""name"',
    )

    [(number, line)] = parquet_rows(path)

    assert is_parquet(path)
    assert (number, json.loads(line)) == (
        1,
        {
            "id": 1,
            "amount": 2.5,
            "wall": "2026-01-01T10:00:00",
            "instant": "2026-01-01T08:00:00Z",
            "day": "2026-02-03",
            "items": ["a", "b"],
            "nested": {"x": 1},
            "ok": True,
            'odd "name': 1.5,
        },
    )


def test_rows_of_parquet_come_in_their_order(tmp_path: Path) -> None:
    path = parquet(tmp_path / "many.parquet", "n from range(5000) t(n)")

    rows = [(number, json.loads(line)["n"]) for number, line in parquet_rows(path)]

    assert rows == [(n + 1, n) for n in range(5000)]


def test_a_parquet_file_is_the_one_of_that_name_and_no_pattern(tmp_path: Path) -> None:
    for n, name in enumerate(("a.parquet", "b.parquet", "[ab].parquet", "*.parquet")):
        parquet(tmp_path / name, f"{n} as n")

    for n, name in ((2, "[ab].parquet"), (3, "*.parquet")):
        rows = [json.loads(line) for _, line in parquet_rows(tmp_path / name)]
        assert rows == [{"n": n}]


def test_an_instant_beyond_all_calendars_is_none_and_stops_nothing(
    tmp_path: Path,
) -> None:
    path = parquet(
        tmp_path / "o.parquet",
        "\"at\", 1 as n from (values (timestamptz '290000-01-01 00:00:00+00'),"
        " (timestamptz 'infinity'), (timestamptz '2026-01-01 00:00:00+00')) t(\"at\")",
    )

    rows = [json.loads(line) for _, line in parquet_rows(path)]

    assert [row["n"] for row in rows] == [1, 1, 1]
    assert rows[0]["at"].endswith(" microseconds")
    assert rows[2]["at"] == "2026-01-01T00:00:00Z"


def test_columns_are_looked_at_before_the_first_row(tmp_path: Path) -> None:
    def refuse(columns: Sequence[str]) -> None:
        raise InputError(" ".join(columns))

    table = tmp_path / "o.csv"
    table.write_text("a,b\n")

    with pytest.raises(InputError, match=r"^a b$"):
        list(csv_rows(table, check=refuse))
    rows = parquet_rows(parquet(tmp_path / "o.parquet", "1 as a, 2 as b"), check=refuse)
    with pytest.raises(InputError, match=r"^a b$"):
        list(rows)


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text(f"a\n{'x' * 200_000}\n1\n")

    assert [number for number, _ in read(path)] == [2, 3]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    path = tmp_path / "orders.parquet"
    path.write_bytes(b"PAR1 and no more")

    with pytest.raises(InputError, match="is no Parquet file, or cut off") as error:
        list(parquet_rows(path))
    assert error.value.message.count(str(tmp_path)) == 0
    with pytest.raises(InputError, match="can't be read"):
        is_parquet(tmp_path / "none.parquet")


def test_without_duckdb_the_way_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(InputError, match=r'pip install "journeykit\[parquet\]"'):
        next(parquet_rows(tmp_path / "orders.parquet"))
