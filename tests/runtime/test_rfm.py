"""Groups by recency, frequency and monetary value: the formulas, and their conditions."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.calendar import isoformat
from journeykit.engine.conditions import Predicate, Scope, compile_condition
from journeykit.engine.limits import DAY_MS
from journeykit.model.zones import zone
from journeykit.runtime.rfm import (
    GRID,
    Cuts,
    RfmFields,
    RfmValues,
    conditions,
    cuts_of,
    group_of,
    never,
    scores,
)

AT = 1_780_000_000_000
FULL = RfmFields("last_order", "orders", "spent")
UNPAID = RfmFields("last_order", "orders")

people = st.lists(
    st.builds(
        RfmValues,
        # Whole milliseconds, as instants are.
        st.integers(0, 400 * DAY_MS).map(lambda ms: ms / DAY_MS),
        st.integers(0, 30).map(float),
        st.integers(0, 100_000).map(lambda cents: cents / 100),
    ),
    min_size=1,
    max_size=40,
)


def compiled(fields: RfmFields, cuts: Cuts) -> dict[str, Predicate]:
    return {g.id: compile_condition(w.text) for g, w in conditions(fields, cuts)}


def found(values: RfmValues, tests: dict[str, Predicate]) -> list[str]:
    """The groups whose condition the engine says to hold."""
    scope = Scope(
        trait={
            "last_order": isoformat(AT - round(values.days * DAY_MS)),
            "orders": values.frequency,
            "spent": values.monetary,
        },
        clock=SimpleNamespace(at=AT, zone=zone("Europe/Berlin")),
    )
    return [id for id, test in tests.items() if test(scope)]


@given(people, st.booleans())
def test_everybody_meets_the_condition_of_their_group_and_no_other(
    everybody: Sequence[RfmValues], paid: bool
) -> None:
    fields = FULL if paid else UNPAID
    cuts = cuts_of(everybody, monetary=paid)

    tests = compiled(fields, cuts)
    for values in everybody:
        assert found(values, tests) == [group_of(values, cuts).id]


@given(people)
def test_better_values_never_have_worse_scores(everybody: Sequence[RfmValues]) -> None:
    cuts = cuts_of(everybody, monetary=True)

    for one in everybody:
        better = RfmValues(one.days / 2, one.frequency + 1, one.monetary + 1)

        assert all(
            a <= b for a, b in zip(scores(one, cuts), scores(better, cuts), strict=True)
        )


def test_the_groups_are_the_whole_grid_and_none_overlaps_another() -> None:
    cells = [
        (recency, value)
        for group in GRID
        for recency in range(group.recency[0], group.recency[1] + 1)
        for value in range(group.value[0], group.value[1] + 1)
    ]

    assert sorted(cells) == [(r, v) for r in range(1, 6) for v in range(1, 6)]


def test_of_many_different_people_a_fifth_has_each_score() -> None:
    everybody = [RfmValues(float(n), float(n), float(n)) for n in range(100)]
    cuts = cuts_of(everybody, monetary=True)

    told = [scores(one, cuts) for one in everybody]

    assert [[t[n] for t in told].count(s) for n in range(3) for s in (1, 3, 5)] == (
        [20] * 9
    )


def test_who_has_the_same_value_has_the_same_score() -> None:
    everybody = [RfmValues(3.0, 1.0, 10.0)] * 90 + [RfmValues(1.0, 9.0, 99.0)] * 10
    cuts = cuts_of(everybody, monetary=True)

    assert {group_of(one, cuts).id for one in everybody[:90]} == {"new"}
    assert group_of(everybody[-1], cuts).id == "champions"


def test_who_has_never_bought_is_in_no_group_and_found_by_that() -> None:
    cuts = cuts_of([RfmValues(1.0, 1.0, 1.0)], monetary=True)
    scope = Scope(
        trait={"orders": 0, "spent": 0},
        clock=SimpleNamespace(at=AT, zone=zone("UTC")),
    )

    holding = [w for _, w in conditions(FULL, cuts) if compile_condition(w.text)(scope)]

    assert holding == []
    assert compile_condition(never(FULL).text)(scope)


@pytest.mark.parametrize(
    ("values", "group"),
    [
        (RfmValues(1, 50, 500), "champions"),
        (RfmValues(45, 50, 500), "loyal"),
        (RfmValues(1, 1, 5), "new"),
        (RfmValues(99, 50, 500), "cant-lose"),
        (RfmValues(99, 25, 250), "at-risk"),
        (RfmValues(99, 1, 5), "lost"),
    ],
    ids=["champions", "loyal", "new", "cant-lose", "at-risk", "lost"],
)
def test_groups_are_called_as_the_field_calls_them(
    values: RfmValues, group: str
) -> None:
    cuts = Cuts([240, 480, 1200, 1900], [10, 20, 30, 40], [100, 200, 300, 400])

    assert group_of(values, cuts).id == group
    assert found(values, compiled(FULL, cuts)) == [group]
