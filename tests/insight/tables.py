"""Rows put into a warehouse, for tests of what is made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from journeykit.insight.warehouse import Warehouse

TABLES = (
    "decisions",
    "runs",
    "goals",
    "visits",
    "messages",
    "unsent",
    "events",
    "stays",
)

DAY = 86_400_000
START = 1_780_272_000_000  # 2026-06-01, a Monday


def emptied(house: Warehouse) -> Warehouse:
    """Take all rows out."""
    for table in TABLES:
        house.execute(f"delete from {table}")
    return house


def put(house: Warehouse, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows in; what they don't say is null."""
    alike = defaultdict(list)
    for row in rows:
        alike[tuple(row)].append(list(row.values()))
    for names, values in alike.items():
        columns = ", ".join(f'"{name}"' for name in names)
        one = f"({', '.join('?' for _ in names)})"
        house.execute(
            f"insert into {table} ({columns}) values {', '.join([one] * len(values))}",
            [value for row in values for value in row],
        )
