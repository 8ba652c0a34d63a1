"""`segments` and `personas` of a stack: its customers, counted on the operator's machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.aws.order_shop import Shop, open_shop

ORDERS = (("ada", 40), ("ada", 10), ("ben", 10), ("cy", 1), ("cy", 2), ("cy", 3))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with open_shop(tmp_path, monkeypatch) as shop:
        for customer, amount in ORDERS:
            shop.cloud.event("order.placed", customer, amount=amount)
        shop.cloud.settle()
        yield shop


def told(shop: Shop, *words: str) -> Any:
    result = shop(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_segments_of_a_stack_are_as_large_as_who_is_in_them(shop: Shop) -> None:
    found = told(shop, "segments", "list")

    assert found["customers"] == 3
    [regulars] = found["segments"]
    assert (regulars["segment"], regulars["customers"]) == ("regulars", 2)


def test_who_is_in_a_segment_of_a_stack_is_shown(shop: Shop) -> None:
    found = told(shop, "segments", "show", "regulars")

    assert [one["customer"] for one in found["sample"]] == ["ada", "cy"]
    assert found["customers"] == 2


def test_segments_of_a_stack_overlap(shop: Shop) -> None:
    found = told(shop, "segments", "overlap")

    assert found == {"customers": 3, "segments": {"regulars": 2}, "overlaps": []}


def test_a_condition_is_tried_on_the_customers_of_a_stack(shop: Shop) -> None:
    found = told(shop, "segments", "try", "trait.spent >= 10")

    assert sorted(found["sample"]) == ["ada", "ben"]
    assert found["everybody"] == 3


def test_personas_of_a_stack_are_its_people(shop: Shop) -> None:
    (shop.folder / "personas.yaml").write_text("- {id: hanna, segment: regulars}\n")

    found = told(shop, "personas", "list")

    assert found["everybody"] == 3
    assert found["personas"][0]["customers"] == 2


def test_groups_are_found_among_the_customers_of_a_stack(shop: Shop) -> None:
    found = told(shop, "personas", "discover")

    assert sum(group["customers"] for group in found["groups"]) == 3


def test_who_has_published_nothing_is_told_so(shop: Shop) -> None:
    dynamodb, table = shop.cloud.client("dynamodb"), shop.cloud.settings.state_table
    key = {"pk": {"S": "CATALOG"}, "sk": {"S": "current"}}
    dynamodb.delete_item(TableName=table, Key=key)

    result = shop("segments", "list")

    assert result.exit_code == 1
    assert "nothing is published" in result.stderr
