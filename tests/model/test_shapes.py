from __future__ import annotations

from datetime import date, datetime
from time import process_time
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field

from journeykit.errors import DefinitionError
from journeykit.model.feedback import FEEDBACK
from journeykit.model.shapes import Shapes, partial


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d+$", max_length=8)]
    count: Annotated[int, Field(ge=1, le=99)] = 1
    parts: list[Item] = []


class Order(BaseModel):
    amount: Annotated[float, Field(gt=0)]
    items: Annotated[list[Item], Field(min_length=1)]
    kind: Literal["web", "store"] = "web"
    coupon: str | None = None
    gift: bool = False
    step: Annotated[int, Field(multiple_of=5)] = 0
    notes: dict[str, str] = {}
    pair: tuple[int, str] | None = None


SCHEMA = Order.model_json_schema()
SHAPES = Shapes({"order.placed": SCHEMA})
GOOD = {"amount": 12.5, "items": [{"sku": "AB-1"}]}


def wrong(**fields: Any) -> str:
    properties = {**GOOD, **fields}
    return SHAPES.wrong(
        "order.placed", {k: v for k, v in properties.items() if v is not ...}
    )


def test_what_is_as_declared_is_taken() -> None:
    assert wrong() == ""
    assert wrong(kind="store", coupon=None, gift=True, more=1) == ""
    assert wrong(items=[{"sku": "AB-1", "parts": [{"sku": "CD-2"}]}]) == ""


def test_an_event_of_which_nothing_is_declared_is_taken() -> None:
    assert SHAPES.wrong("page.viewed", {"amount": "no"}) == ""
    assert not Shapes()
    assert SHAPES


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"amount": ...}, "amount: is missing"),
        ({"amount": ..., "amuont": 1}, "amount: is missing; there is 'amuont'"),
        ({"amount": "12.5"}, "amount: needs a number, is text"),
        ({"amount": True}, "amount: needs a number, is true or false"),
        ({"amount": 0}, "amount: must be more than 0"),
        ({"items": []}, "items: needs at least 1 items, has 0"),
        ({"items": [{"sku": "ab"}]}, "items[0].sku: does not match"),
        (
            {"items": [{"sku": "AB-123456"}]},
            "items[0].sku: may have 8 characters, has 9",
        ),
        (
            {"items": [{"sku": "AB-1", "counts": 2}]},
            "items[0].counts: is not declared; did you mean 'count'?",
        ),
        (
            {"items": [{"sku": "AB-1", "parts": [{"sku": "AB-1", "count": 100}]}]},
            "items[0].parts[0].count: must be at most 99",
        ),
        ({"kind": "phone"}, "kind: is none of 'web', 'store'"),
        ({"coupon": 7}, "coupon: needs text, is a number"),
        ({"step": 7}, "step: must be a multiple of 5"),
        ({"notes": {"a": 1}}, "notes.a: needs text, is a number"),
        ({"pair": [1, 2]}, "pair[1]: needs text, is a number"),
    ],
)
def test_what_is_not_as_declared_is_said_by_its_field(
    fields: dict[str, Any], said: str
) -> None:
    assert wrong(**fields).startswith(said)


def test_no_value_of_a_customer_is_said() -> None:
    for fields in ({"amount": "secret"}, {"kind": "secret"}, {"coupon": ["secret"]}):
        assert "secret" not in wrong(**fields)


def test_formats_are_checked() -> None:
    class Visit(BaseModel):
        at: datetime
        day: date
        id: UUID

    shapes = Shapes({"visit": Visit.model_json_schema()})
    good = {
        "at": "2026-06-07T12:00:00Z",
        "day": "2026-06-07",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    }

    assert shapes.wrong("visit", good) == ""
    assert shapes.wrong("visit", good | {"at": "noon"}) == "at: is not a date-time"
    assert shapes.wrong("visit", good | {"day": "7 June"}) == "day: is not a date"
    assert shapes.wrong("visit", good | {"id": "7"}) == "id: is not a UUID"


def test_of_a_profile_anything_may_be_left_out_or_taken_away() -> None:
    class Profile(BaseModel):
        model_config = ConfigDict(extra="forbid")

        email: str
        plan: Literal["free", "pro"]

    shapes = Shapes({"profile.updated": partial(Profile.model_json_schema())})

    assert shapes.wrong("profile.updated", {"plan": "pro"}) == ""
    assert shapes.wrong("profile.updated", {"email": None}) == ""
    assert shapes.wrong("profile.updated", {"plan": "gold"}) != ""
    assert "did you mean 'email'" in shapes.wrong("profile.updated", {"emial": "x"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strange"},
        {"properties": []},
        {"$ref": "#/$defs/Nobody"},
        {"pattern": "("},
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=r"the schema of 'x' can't be read"):
        Shapes({"x": schema})


@pytest.mark.parametrize("name", sorted(FEEDBACK))
def test_feedback_has_a_vocabulary(name: str) -> None:
    shapes = Shapes(FEEDBACK)
    Draft202012Validator.check_schema(FEEDBACK[name])

    good = {"rating": 4, "ticket": "T-1", "survey": "checkout", "kind": "nps"}

    assert shapes.wrong(name, good | {"more": 1}) == ""
    assert shapes.wrong(name, {}).endswith("is missing")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 120)
    | st.sampled_from([0.5, 5.0, "AB-1", "web", "store", "ab", "x" * 9]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sku", "count", "parts", "x"]), inner)
    ),
    max_leaves=6,
)
item = st.fixed_dictionaries(
    {"sku": st.sampled_from(["AB-1", "ab", "AB-1234567"])},
    optional={"count": st.integers(-1, 101), "x": values},
)
orders = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.sampled_from([0, 1, 12.5]) | values,
        "items": st.lists(item, max_size=2) | values,
        "kind": values,
        "coupon": values,
        "gift": values,
        "step": values,
        "notes": values,
        "pair": values,
    },
)


@given(orders)
def test_it_takes_what_json_schema_takes(properties: dict[str, Any]) -> None:
    taken = Draft202012Validator(SCHEMA).is_valid(properties)

    assert (SHAPES.wrong("order.placed", properties) == "") is taken


keywords = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "null"]),
        "enum": st.lists(st.sampled_from([1, True, "a", None]), min_size=1, max_size=2),
        "const": st.sampled_from([0, False, "a"]),
        "minimum": st.integers(-2, 3),
        "exclusiveMaximum": st.integers(-2, 3),
        "minLength": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "maxItems": st.integers(0, 2),
        "minProperties": st.integers(0, 2),
        "prefixItems": st.just([{"type": "integer"}]),
        "items": st.sampled_from([True, False, {"type": "string"}]),
        "required": st.just(["a"]),
        "additionalProperties": st.sampled_from([True, False, {"type": "integer"}]),
    },
)
schemas = st.recursive(
    keywords,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
        st.builds(lambda a, b: {"allOf": [a, b]}, inner, inner),
        st.builds(lambda a: {"properties": {"a": a}}, inner),
    ),
    max_leaves=4,
)
plain = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2, 2.5, "", "a", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(schemas, plain)
def test_each_keyword_means_what_json_schema_says(schema: Any, value: Any) -> None:
    document = {"type": "object", "properties": {"x": schema}}
    taken = Draft202012Validator(document).is_valid({"x": value})

    assert (Shapes({"e": document}).wrong("e", {"x": value}) == "") is taken


SET = Shapes({"e": {"properties": {"x": {"uniqueItems": True}}}})


@given(st.lists(plain | st.sampled_from([1.0, [1], [True], [1.0]]), max_size=5))
def test_what_is_twice_is_what_json_schema_holds_for_the_same(items: list[Any]) -> None:
    taken = Draft202012Validator({"uniqueItems": True}).is_valid(items)

    assert (SET.wrong("e", {"x": items}) == "") is taken


def test_a_long_list_is_looked_at_item_by_item_and_not_pair_by_pair() -> None:
    items = list(range(20_000))
    began = process_time()

    assert SET.wrong("e", {"x": items}) == ""
    assert SET.wrong("e", {"x": [*items, 0]}) == "x: holds something twice"
    assert process_time() - began < 2  # pair by pair it takes a dozen times as long


CENTS = Shapes({"e": {"properties": {"x": {"multipleOf": 0.01}}}})


@pytest.mark.parametrize("amount", [0.3, 19.99 * 3, 1234567.89, 987654321.01, 1e300, 7])
def test_an_amount_of_cents_is_one_whatever_floating_point_makes_of_it(
    amount: float,
) -> None:
    assert CENTS.wrong("e", {"x": amount}) == ""


@pytest.mark.parametrize("amount", [0.305, 1234567.895, 1e308])
def test_what_is_no_multiple_is_refused_also_where_nobody_can_tell(
    amount: float,
) -> None:
    assert CENTS.wrong("e", {"x": amount}) == "x: must be a multiple of 0.01"


def test_a_schema_that_cannot_be_asked_says_so() -> None:
    shapes = Shapes({"e": {"properties": {"x": {"minimum": "5"}}}})

    assert shapes.wrong("e", {"x": 7}) == "it can't be checked (TypeError)"
