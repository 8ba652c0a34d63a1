"""What a group has in common, against everybody."""

from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.calendar import isoformat
from journeykit.engine.customer import Customer, Score, created
from journeykit.engine.limits import DAY_MS
from journeykit.model.segments import audience_plan
from journeykit.model.traits import Count, FavoriteHour
from journeykit.runtime.likeness import FactReader, Likeness
from journeykit.testing import Simulator

AT = 1_780_000_000_000


def likeness(*facts: dict[str, float | frozenset[str]]) -> Likeness:
    found = Likeness()
    for each in facts:
        found.add(each)
    return found


def words(*values: str) -> frozenset[str]:
    return frozenset(values)


def known(**profile: object) -> Customer:
    return created("ada", AT, dict(profile))


def test_a_number_is_told_as_the_mean_against_everybodys() -> None:
    here = [{"trait.orders": 8.0}, {"trait.orders": 12.0}]
    rest = [{"trait.orders": 1.0}] * 8
    group, everybody = likeness(*here), likeness(*here, *rest)

    (typical,) = group.typical(everybody, most=5)

    assert (typical.field, typical.kind) == ("trait.orders", "mean")
    assert (typical.here, typical.everywhere) == (10.0, pytest.approx(2.8))
    assert typical.lift == pytest.approx(10 / 2.8)
    assert typical.effect > 0


def test_a_word_is_told_as_a_share_and_the_largest_difference_comes_first() -> None:
    pro = [{"profile.plan": words("pro"), "profile.city": words("Ulm")}] * 4
    free = [{"profile.plan": words("free"), "profile.city": words("Ulm")}] * 4
    mixed = [{"profile.plan": words("pro"), "profile.city": words("Bonn")}] * 2
    group, everybody = likeness(*pro), likeness(*pro, *free, *mixed)

    first, second = group.typical(everybody, most=5)

    assert (first.field, first.word, first.here) == ("profile.plan", "pro", 1.0)
    assert first.everywhere == 0.6
    assert (second.field, second.word) == ("profile.city", "Ulm")
    assert first.effect > second.effect


def test_what_hardly_differs_is_not_told() -> None:
    group = likeness({"trait.orders": 5.0}, {"trait.orders": 6.0})
    everybody = likeness(*({"trait.orders": float(n)} for n in range(12)))

    assert group.typical(everybody, most=5) == []


def test_names_are_nobodys_likeness() -> None:
    people = [{"profile.email": words(f"{n}@example.com")} for n in range(9)]

    assert likeness(*people[:3]).typical(likeness(*people), most=5) == []


def test_of_too_many_words_none_is_kept() -> None:
    everybody = likeness(*({"profile.note": words(f"n{n}")} for n in range(1000)))

    assert everybody.words("profile.note") == []


def test_two_people_are_too_few_to_share_a_word() -> None:
    group = [{"profile.plan": words("pro")}] * 2
    everybody = likeness(*group, *[{"profile.plan": words("free")}] * 8)

    assert likeness(*group).typical(everybody, most=5) == []


def test_nobody_has_nothing_in_common() -> None:
    assert Likeness().typical(likeness({"trait.orders": 1.0}), most=5) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_mean_is_the_same_as_of_all_at_once(values: list[float]) -> None:
    found = likeness(*({"x": value} for value in values))

    assert found.mean("x") == pytest.approx(fmean(values), abs=1e-6)


def test_facts_are_called_as_conditions_call_them() -> None:
    customer = known(plan="pro", age=40, active=True, tags=["a", "b"], note="x" * 99)
    customer.scores = {"churn": Score(0.3, AT)}
    customer.segments = {"vip": AT, "~journey/0": AT}
    customer.stage = "retention"

    facts = FactReader([]).facts(customer, AT)

    assert facts == {
        "profile.plan": words("pro"),
        "profile.age": 40.0,
        "profile.active": words("true"),
        "profile.tags": words("a", "b"),
        "trait.churn": 0.3,
        "segment.vip": words("true"),
        "trait.stage": words("retention"),
    }


def test_an_instant_is_how_many_days_ago_it_was() -> None:
    customer = known(since=isoformat(AT - 3 * DAY_MS), until=isoformat(AT + DAY_MS))

    facts = FactReader([]).facts(customer, AT)

    assert facts == {"days since profile.since": 3.0, "days since profile.until": -1.0}


def test_the_preferred_hour_is_a_word() -> None:
    traits = [Count("seen", "page.viewed"), FavoriteHour("hour", "page.viewed")]
    plan = audience_plan(traits)
    sim = Simulator([], start="2026-06-01T09:00:00Z", audience=plan)
    sim.event("page.viewed", "ada")

    facts = FactReader(plan["traits"]).facts(sim.customers["ada"], AT)

    assert facts == {"trait.seen": 1.0, "trait.hour": words("9:00")}


def test_a_clock_that_is_ahead_of_ours_is_not_put_back() -> None:
    customer = created("ada", AT + DAY_MS, {"since": isoformat(AT + DAY_MS)})

    assert FactReader([]).facts(customer, AT) == {"days since profile.since": 0.0}
