from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Average,
    Count,
    DefinitionError,
    Distinct,
    FavoriteChannel,
    FavoriteHour,
    First,
    InvalidJourney,
    Last,
    MostFrequent,
    Recent,
    Rfm,
    Sum,
    Trait,
    days,
    event,
    older_than,
    on,
    profile,
    trait,
)
from journeykit.engine.trait_kinds import KINDS
from journeykit.model.complaints import CLASSES
from journeykit.model.computing import trait_issues
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)
from journeykit.model.traits import AnyTrait

EXAMPLES: list[Trait] = [
    Count("n", "order.placed"),
    Count("n", on("order.placed", where=event.total > 0), within=days(30), exact=5),
    Sum("n", ["a", on("b", where=event.x == 1)], event.total),
    Average("n", "a", event.x),
    First("n", "a"),
    Last("n", "a", event.x, within=days(1)),
    Distinct("n", "a", event.x, exact=9),
    MostFrequent("n", "a", event["odd name"]),
    Recent("n", "a", event.x, limit=3),
    FavoriteHour("n"),
    FavoriteHour("n", "a"),
    FavoriteChannel("n"),
    Rfm("n", "a", event.x, recency=[days(1)], frequency=[2], monetary=[3.5, 4]),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=to_json)
def test_json_and_yaml_say_the_same(example: Trait) -> None:
    assert from_json(f"[{to_json(example)}]", list[AnyTrait]) == [example]
    assert from_yaml(to_yaml(example), type(example)) == example


def test_canonical_json_leaves_defaults_out() -> None:
    assert to_json(FavoriteChannel("n")) == '{"name":"n","type":"favorite_channel"}'


def test_every_kind_has_a_rule_in_the_engine() -> None:
    kinds = {
        name: cls.type
        for name, cls in CLASSES.items()
        if issubclass(cls, Trait) and cls is not Trait and not name.startswith("_")
    }

    assert sorted(kinds.values()) == sorted(KINDS)
    assert {name.lower() for name in kinds} == {k.replace("_", "") for k in KINDS}


def test_an_event_may_be_written_by_its_name() -> None:
    assert Count("n", "a") == Count("n", on("a")) == Count("n", ["a"])


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Count("Orders!", "a"), "write 'orders'"),
        (lambda: Count("stage", "a"), "lifecycle stage's"),
        (lambda: Count("n", []), "needs at least 1"),
        (lambda: Count("n", ""), "no name of an event"),
        (lambda: Count("n", on("a", where=profile.x == 1)), "sees the event alone"),
        (lambda: Sum("n", "a", trait.x), "sees the event alone"),
        (
            lambda: Count("n", on("a", where=older_than(event.x, days(1)))),
            "can't ask how long ago",
        ),
        (lambda: Count("n", "a", within=days(0)), "no length"),
        (lambda: Last("n", "a", within=days(0)), "no length"),
        (
            lambda: Count("n", "a", within=days(1), exact=257),
            "less than or equal to 256",
        ),
        (lambda: Rfm("n", "a", event.x, frequency=[3, 2]), "ascend"),
        (lambda: Rfm("n", "a", event.x, recency=[days(9), days(9)]), "ascend"),
        (lambda: Rfm("n", "a", event.x, monetary=[]), "needs at least 1"),
    ],
    ids=[
        *("name", "reserved", "no_event", "empty_event", "profile", "trait", "time"),
        *("no_window", "no_window_of_last", "exact", "order", "equal", "no_thresholds"),
    ],
)
def test_a_wrong_trait_is_refused_with_the_way_out(make: Any, complaint: str) -> None:
    with pytest.raises(DefinitionError, match=complaint):
        make()


def test_a_kind_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidJourney) as caught:
        from_yaml("- {type: cuont, name: n, of: a}", list[AnyTrait], file="traits.yaml")

    assert "'cuont' is no type of trait; did you mean 'count'?" in str(caught.value)


def test_the_schema_describes_every_kind() -> None:
    schema = json_schema(AnyTrait, name="trait")

    assert schema["$id"] == "urn:journeykit:schema:trait"
    assert schema["$defs"]["Sum"]["required"] == ["type", "name", "of", "value"]
    of = schema["$defs"]["Count"]["properties"]["of"]["description"]
    assert of.startswith("The event that feeds it")


def test_two_traits_of_one_name_are_found_with_their_places() -> None:
    (found,) = trait_issues([Count("n", "a"), Sum("n", "a", event.x)], {})

    assert found.level == "error"
    assert "two traits have the name 'n'" in found.message
    assert found.source is not None
