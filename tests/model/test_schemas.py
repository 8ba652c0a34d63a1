from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from journeykit.model.conditions import Condition, Expression
from journeykit.model.schemas import check_condition


class Plan(StrEnum):
    FREE = "free"
    PRO = "pro"


class Address(BaseModel):
    city: str
    position: tuple[float, float] | None = None


class Item(BaseModel):
    sku: str
    quantity: int
    parts: list[Item] = []


class OrderPlaced(BaseModel, title="order.placed"):
    total: float
    gift: bool = False
    currency: Literal["EUR", "USD"] = "EUR"
    plan: Plan = Plan.FREE
    items: list[Item]
    tags: list[str] = []
    note: str | None = None
    address: Address | None = None
    counts: dict[str, int] = {}
    extra: dict[str, Any] = {}
    anything: Any = None
    at: datetime | None = None
    renamed: int = Field(1, alias="odd name")


class Profile(BaseModel, extra="allow"):
    phone: str | None = None


def problems(text: str) -> list[str]:
    return check_condition(Condition.parse(text), event=OrderPlaced, profile=Profile)


@pytest.mark.parametrize(
    "text",
    [
        "event.total > 0 && event.gift",
        'event.currency == "USD" && event.plan in ["free", "pro"]',
        'event.items[0].sku == "x" && event.items[0].parts[0].parts[1].quantity > 1',
        'event.address.city == "Berlin" && event.address.position[1] > 50',
        'event.note == null || event.note.startsWith("x")',
        '"vip" in event.tags && size(event.tags) > 1',
        "event.counts.whatever > 1 && has(event.counts.whatever)",
        'event.extra.deep["and odd"][3] == true && event.anything.at.all',
        'event["odd name"] == 1 && "odd name" in event',
        'timestamp(event.at) > timestamp("2026-03-01T09:00:00Z")',
        'event["$time"] > timestamp(event.at) && event["$name"] == "order.placed"',
        'profile.favorite == "x" && has(profile.favorite)',
        "entry.nothing.known == 1",
        "has(event.note) == true",
    ],
)
def test_what_the_schemas_allow_has_no_problems(text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "event.totl > 0",
            "event.totl: 'order.placed' has no field 'totl'; did you mean 'total'?",
        ),
        (
            "has(event.nte)",
            "event.nte: 'order.placed' has no field 'nte'; did you mean 'note'?",
        ),
        (
            '"nte" in event',
            "event.nte: 'order.placed' has no field 'nte'; did you mean 'note'?",
        ),
        (
            'event["$tme"] == timestamp("2026-03-01T09:00:00Z")',
            "event[\"$tme\"]: 'order.placed' has no field '$tme'; did you mean '$time'?",
        ),
        ("event.renamed == 1", "event.renamed: 'order.placed' has no field 'renamed'"),
        (
            'event.items[0].skuu == "x"',
            "event.items[0].skuu: 'Item' has no field 'skuu'; did you mean 'sku'?",
        ),
        (
            'event.address.cty == "x"',
            "event.address.cty: 'Address' has no field 'cty'; did you mean 'city'?",
        ),
        (
            'event.items.sku == "x"',
            "event.items.sku: event.items is a list, it has no field 'sku'",
        ),
        (
            "event.total.net == 1",
            "event.total.net: event.total is a number, it has no field 'net'",
        ),
        (
            "event.address.position[2] > 1",
            (
                "event.address.position[2]: event.address.position is a list, "
                "it has no item 2"
            ),
        ),
        (
            'event.total == "x"',
            'event.total == "x": event.total is a number and "x" is text: never equal',
        ),
        (
            "event.note != 1",
            "event.note != 1: event.note is text and 1 is a number: always different",
        ),
        ('event.total < "x"', 'event.total < "x": < can\'t order a number and text'),
        (
            "event.gift < true",
            "event.gift < true: event.gift is true or false, which < can't order",
        ),
        (
            "event.items > 3",
            "event.items > 3: event.items is a list, which > can't order",
        ),
        (
            'event.at > timestamp("2026-03-01T09:00:00Z")',
            (
                'event.at > timestamp("2026-03-01T09:00:00Z"): event.at is text: '
                "write timestamp(event.at)"
            ),
        ),
        (
            'event["$time"] > "2026"',
            'event["$time"] > "2026": > can\'t order an instant and text',
        ),
        (
            'event.plan == "proo"',
            (
                "event.plan == \"proo\": the declared values are 'free', 'pro'; "
                "did you mean 'pro'?"
            ),
        ),
        (
            'event.currency in ["EUR", "GBP"]',
            "event.currency == \"GBP\": the declared values are 'EUR', 'USD'",
        ),
        (
            'event.tags.contains("vip")',
            (
                'event.tags.contains("vip"): event.tags is a list, which contains does not '
                'take: write "vip" in event.tags'
            ),
        ),
        (
            '"x" in event.note',
            (
                '"x" in event.note: event.note is text, which holds no items: '
                'write event.note.contains("x")'
            ),
        ),
        (
            "size(event.total) > 1",
            "size(event.total): event.total is a number, which size does not take",
        ),
        (
            "event.total && event.gift",
            "event.total is a number, so it is never true: compare it",
        ),
    ],
)
def test_what_can_not_be_right_is_said(text, problem):
    assert problems(text) == [problem]


def test_a_problem_is_found_however_deep_it_stands_and_said_once():
    text = "!(event.gift && (event.totl > 0 || event.totl < 9)) && (event.totl == 1) == true"

    assert len(problems(text)) == 1


def test_a_value_is_checked_like_a_condition():
    (problem,) = check_condition(Expression("event.totals"), event=OrderPlaced)

    assert problem.endswith("did you mean 'total'?")


def test_a_model_without_a_title_goes_by_its_class():
    (problem,) = check_condition(Condition.parse("entry.a == 1"), entry=Address)

    assert problem == "entry.a: 'Address' has no field 'a'"


def test_without_schemas_nothing_is_checked():
    assert check_condition(Condition.parse("event.anything.goes < 1")) == []
