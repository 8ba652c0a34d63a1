"""What AWS is asked for, counted over the real functions, and what docs/cost.md says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from benchmarks import cost
from benchmarks.cost import ALONE, BUSY, MOST_USD, Cost
from benchmarks.reference import NOW, SIZES, reference_customer

from journeykit.aws.documents import packed, unpacked
from journeykit.engine.customer import encode

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "cost.md").read_text("utf-8")


@cache
def counted(count: int) -> Mapping[str, Cost]:
    return cost.costs(count)


def asked(one: Cost, by: str, service: str = "dynamodb") -> dict[str, float]:
    """How often a function asks a service for what."""
    return {
        operation: n
        for (function, asked, operation), n in one.requests.items()
        if (function, asked) == (by, service)
    }


def test_an_event_that_concerns_nobody_asks_for_nothing() -> None:
    # Where no segment, stage or schedule is declared: else it may be somebody's first.
    ignored = counted(BUSY)["ignored"]

    assert asked(ignored, "ingest") == {}
    assert {by for by, _, _ in ignored.requests} == {"lambda"}  # its polls alone


@pytest.mark.parametrize("kind", ["step", "message"])
def test_a_step_is_one_read_and_one_write(kind: str) -> None:
    step = counted(BUSY)[kind]

    assert asked(step, "ingest") == {"GetItem": 1, "UpdateItem": 1}
    assert asked(step, "relay") == {}
    assert step.reads == step.writes == 1


def test_a_step_that_the_clock_brings_is_one_read_one_write_and_a_timer() -> None:
    wake = counted(BUSY)["wake"]

    # Each minute the catalog's pointer is read once, whoever is due.
    assert asked(wake, "ingest") == {
        "GetItem": pytest.approx(1, abs=0.1),
        "UpdateItem": 1,
    }
    assert wake.units["dynamodb_write"] == 1
    assert asked(wake, "tick", "sqs")["SendMessageBatch"] < 0.25


def test_a_message_is_a_write_for_its_claim_its_fate_and_its_journeys_tally() -> None:
    message = counted(BUSY)["message"]

    assert asked(message, "deliver") == {"UpdateItem": 3}
    assert asked(message, "relay", "sqs")["SendMessageBatch"] < 0.25


@pytest.mark.parametrize("kind", ["step", "wake"])
def test_a_million_steps_of_the_reference_document_cost_what_they_may(
    kind: str,
) -> None:
    document = len(packed(reference_customer()))

    assert counted(BUSY)[kind].usd(document, cost.prices()) <= MOST_USD


def test_the_reference_document_is_nine_kilobytes_and_stored_in_less_than_four() -> (
    None
):
    customer = reference_customer()
    stored = packed(customer)

    assert 9_000 < len(encode(customer)) < 9_700
    assert len(stored) + max(counted(BUSY)["step"].written) <= 4 * 1024
    assert unpacked(stored, customer.id) == customer


@pytest.mark.parametrize("kb", SIZES)
def test_the_other_documents_have_the_size_they_say(kb: int) -> None:
    assert len(encode(reference_customer(kb=kb))) == pytest.approx(kb * 1024, rel=0.1)


def test_the_tables_in_the_docs_are_what_is_counted() -> None:
    told = [line for line in PAGE.splitlines() if line.startswith("|")]
    lines = cost.table(counted(BUSY), counted(ALONE))
    lines += cost.idle_table(cost.QUEUES)

    assert told[: len(lines)] == lines


def test_each_price_says_where_and_when_it_was_found() -> None:
    said = json.loads(cost.PRICES.read_text("utf-8"))

    assert f"{said['looked_up']}" in PAGE
    assert said["region"] in PAGE
    for price in said["prices"].values():
        assert date.fromisoformat(price["as_of"]) <= date.fromisoformat(
            said["looked_up"]
        )
        assert price["source"].startswith("https://")
        assert price["also"].startswith("https://aws.amazon.com/")
        assert price["unit"]


def test_an_item_is_as_large_as_dynamodb_says() -> None:
    item: dict[str, dict[str, object]] = {
        "id": {"S": "ä"},
        "n": {"N": str(NOW)},
        "b": {"B": b"12345"},
        "out": {"M": {"1": {"L": [{"S": "ab"}]}}},
        "yes": {"BOOL": True},
    }

    # Of the number, 8 digits count, two a byte: zeros at its end don't.
    names, map = 2 + 1 + 1 + 3 + 3, 3 + 1 + 1 + 3 + 1 + 2
    assert cost._size(item) == names + 2 + 5 + 5 + map + 1
