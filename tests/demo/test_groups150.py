"""Groups that are found among real households: by RFM, and by who is near whom.

The households are those of `test_sample150.py`, at the end of the year.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence

import pytest

from journeykit import (
    Cadence,
    Count,
    Distinct,
    Last,
    Policies,
    Segment,
    Sum,
    days,
    event,
    older_than,
    trait,
)
from journeykit.cli.demo.shopping import END, PACKAGE, year_of_shopping
from journeykit.engine.calendar import to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Customer
from journeykit.engine.draft import UTC
from journeykit.engine.react import react
from journeykit.engine.stimuli import WakeUp
from journeykit.engine.traits import TraitRules
from journeykit.errors import DefinitionError, InputError
from journeykit.model.events import instant
from journeykit.model.segments import audience_plan
from journeykit.runtime.discovery import Discoverer, Discovery, Group, rfm_fields
from journeykit.runtime.rfm import RfmFields, RfmValues, cuts_of, group_of
from journeykit.testing import Simulator

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)

FIELDS = RfmFields("last_purchase", "purchases", "spent")
AUDIENCE = audience_plan(
    [
        Count("purchases", "purchase"),
        Sum("spent", "purchase", event.sales_value),
        Last("last_purchase", "purchase"),
        Distinct("stores", "purchase", event.store_id),
        Cadence("cadence", "purchase"),
        Count("redeemed", "coupon_redeemed"),
    ],
    [Segment("lapsed", older_than(trait.last_purchase, days(30)))],
)
END_MS = to_ms(END)


class Scanned:
    """Customers as a store has them."""

    def __init__(self, customers: Mapping[str, Customer]) -> None:
        self._customers = customers

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        ids = sorted(id for id in self._customers if id > after)
        return [self._customers[id] for id in ids[:limit]]


@pytest.fixture(scope="module")
def households() -> Mapping[str, Customer]:
    shopping = year_of_shopping(households=150)
    start = shopping[0].occurred_at
    simulator = Simulator([], start=start, audience=AUDIENCE, explain=False, keep=False)
    simulator.run(shopping, until=END)
    return simulator.customers


def discoverer(customers: Mapping[str, Customer], *, sample: int = 1000) -> Discoverer:
    policies = Policies().to_plan()
    return Discoverer(Scanned(customers), AUDIENCE, policies, END_MS, sample=sample)


@pytest.fixture(scope="module")
def by_rfm(households: Mapping[str, Customer]) -> Discovery:
    return discoverer(households).by_rfm(FIELDS)


@pytest.fixture(scope="module")
def by_clusters(households: Mapping[str, Customer]) -> Discovery:
    return discoverer(households).by_clusters()


def told(found: Discovery) -> list[object]:
    return [
        found.detail,
        *((g.id, g.size, g.found, g.both, str(g.when)) for g in found.groups),
    ]


def republished(
    households: Mapping[str, Customer], groups: Sequence[Group]
) -> list[int]:
    """How many are in a segment of each group, once the engine has woken everybody."""
    segments = [s for group in groups if (s := group.segment(how="found"))]
    plan = audience_plan((), segments)
    audience = {**plan, "traits": AUDIENCE["traits"]}
    catalog = Catalog.compile(
        (), policies=Policies().to_plan(), audience=audience, revision=2
    )
    awake = [
        react(customer, WakeUp(id), catalog=catalog, now=END).customer
        for id, customer in households.items()
    ]
    return [sum(s.id in customer.segments for customer in awake) for s in segments]


def test_rfm_groups_add_up_to_everybody(by_rfm: Discovery) -> None:
    assert sum(group.size for group in by_rfm.groups) + by_rfm.rest == 150
    assert by_rfm.rest == 0
    assert {group.id: group.size for group in by_rfm.groups} == {
        "rfm-champions": 24,
        "rfm-loyal": 30,
        "rfm-potential-loyalists": 18,
        "rfm-new": 1,
        "rfm-need-attention": 11,
        "rfm-about-to-sleep": 6,
        "rfm-cant-lose": 4,
        "rfm-at-risk": 21,
        "rfm-hibernating": 15,
        "rfm-lost": 20,
    }


def test_rfm_groups_are_those_of_the_formulas(
    households: Mapping[str, Customer], by_rfm: Discovery
) -> None:
    rules = TraitRules.compile(AUDIENCE["traits"])
    values = {
        id: rules.values(customer.traits, END_MS, UTC)
        for id, customer in households.items()
    }
    people = [
        RfmValues(
            (END_MS - to_ms(instant(str(each["last_purchase"])))) / 86_400_000,
            float(str(each["purchases"])),
            float(str(each["spent"])),
        )
        for each in values.values()
    ]
    cuts = cuts_of(people, monetary=True)
    expected = [f"rfm-{group_of(one, cuts).id}" for one in people]

    assert {g.id: g.size for g in by_rfm.groups} == {
        id: expected.count(id) for id in {*expected}
    }


def test_the_best_buy_more_and_the_lost_came_longest_ago(by_rfm: Discovery) -> None:
    groups = {group.id: group.likeness for group in by_rfm.groups}
    spent = {id: group.mean("trait.spent") or 0 for id, group in groups.items()}
    ago = "days since trait.last_purchase"

    assert spent["rfm-champions"] > 5 * spent["rfm-lost"]
    assert max(groups, key=lambda id: groups[id].mean(ago) or 0) == "rfm-lost"
    assert by_rfm.groups[0].typical(by_rfm.everybody)[0].field == "trait.purchases"


def test_a_segment_of_each_rfm_group_has_exactly_that_group(
    households: Mapping[str, Customer], by_rfm: Discovery
) -> None:
    assert republished(households, by_rfm.groups) == [g.size for g in by_rfm.groups]


def test_clusters_add_up_to_everybody_and_the_largest_is_first(
    by_clusters: Discovery,
) -> None:
    sizes = [group.size for group in by_clusters.groups]

    assert sum(sizes) == 150
    assert sizes == sorted(sizes, reverse=True)
    assert by_clusters.detail["silhouette"] == max(by_clusters.detail["tried"].values())


def test_a_segment_of_each_cluster_has_about_that_cluster(
    households: Mapping[str, Customer], by_clusters: Discovery
) -> None:
    groups = by_clusters.groups

    assert all(group.precision > 0.9 and group.recall > 0.9 for group in groups)
    assert republished(households, groups) == [group.found for group in groups]


def test_the_same_customers_give_the_same_groups(
    households: Mapping[str, Customer], by_clusters: Discovery, by_rfm: Discovery
) -> None:
    again = discoverer(households)

    assert told(again.by_clusters()) == told(by_clusters)
    assert told(again.by_rfm(FIELDS)) == told(by_rfm)


def test_groups_of_a_sample_are_counted_among_everybody(
    households: Mapping[str, Customer],
) -> None:
    small = discoverer(households, sample=60)

    for found in (small.by_rfm(FIELDS), small.by_clusters()):
        assert found.sampled == 60
        assert sum(group.size for group in found.groups) == 150


def test_as_many_clusters_as_are_asked_for(households: Mapping[str, Customer]) -> None:
    found = discoverer(households).by_clusters(
        names=["trait.purchases", "trait.spent"], groups=4
    )

    assert len(found.groups) == 4
    assert found.detail["features"] == ["trait.purchases", "trait.spent"]
    assert "trait.stores" not in "".join(str(group.when) for group in found.groups)


def test_too_few_or_too_like_customers_are_refused(
    households: Mapping[str, Customer],
) -> None:
    few = {id: households[id] for id in sorted(households)[:19]}
    one = next(iter(few.values()))
    alike = {str(n): one.__copy__() for n in range(30)}
    for id, customer in alike.items():
        customer.id = id

    with pytest.raises(DefinitionError, match="19 customers are too few"):
        discoverer(few).by_clusters()
    with pytest.raises(DefinitionError, match="no number by which these customers"):
        discoverer(alike).by_clusters()
    with pytest.raises(DefinitionError, match=r"nobody has trait\.last_purchase"):
        discoverer({}).by_rfm(FIELDS)


def test_traits_for_rfm_are_found_or_asked_for() -> None:
    traits = AUDIENCE["traits"]
    only_one_count = [trait for trait in traits if trait["name"] != "redeemed"]
    unpaid = [trait for trait in only_one_count if trait["type"] != "sum"]
    nothing = {"recency": "", "frequency": "", "monetary": ""}

    assert rfm_fields(only_one_count, **nothing) == FIELDS
    assert rfm_fields(unpaid, **nothing) == FIELDS._replace(monetary="")
    with pytest.raises(InputError, match="--frequency: purchases, redeemed"):
        rfm_fields(traits, **nothing)
    with pytest.raises(InputError, match="no trait says the recency"):
        rfm_fields([], **nothing)
    with pytest.raises(InputError, match="no trait 'x' is published"):
        rfm_fields(traits, **{**nothing, "recency": "x"})
