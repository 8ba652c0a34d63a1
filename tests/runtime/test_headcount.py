"""How many are in each segment, which overlap, and a sample that stays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.customer import Customer, created
from journeykit.engine.limits import DAY_MS
from journeykit.runtime.headcount import Headcount, Sample, everybody

AT = 1_780_000_000_000
NAMES = "abcd"

sets = st.lists(st.sets(st.sampled_from(NAMES)), max_size=30)


def member(id: str, *segments: str, since: int = AT) -> Customer:
    customer = created(id, AT)
    customer.segments = dict.fromkeys(segments, since)
    return customer


def counted(*customers: Customer, version: int | None = None) -> Headcount:
    found = Headcount(at=AT, version=version)
    for customer in customers:
        found.add(customer)
    return found


class Everybody:
    """A scan of a few customers, in pages of one size."""

    def __init__(self, *customers: Customer) -> None:
        self._customers = customers

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        return [one for one in self._customers if one.id > after][:2]


@given(sets)
def test_overlaps_are_those_of_the_sets(found: list[set[str]]) -> None:
    count = counted(*(member(str(n), *names) for n, names in enumerate(found)))

    overlaps = {(o.one, o.other): o for o in count.overlaps(NAMES)}

    for one, other in combinations(NAMES, 2):
        mine = {n for n, names in enumerate(found) if one in names}
        theirs = {n for n, names in enumerate(found) if other in names}
        overlap = overlaps[one, other]
        assert overlap.both == len(mine & theirs)
        either = len(mine | theirs)
        expected = len(mine & theirs) / either if either else 0
        assert overlap.jaccard == pytest.approx(expected)


def test_hidden_segments_are_nobodys_business() -> None:
    count = counted(member("ada", "vip", "~journey/0"))

    assert dict(count.sizes) == {"vip": 1}


def test_who_came_in_lately_is_counted() -> None:
    count = counted(
        member("ada", "vip", since=AT - DAY_MS // 2),
        member("bob", "vip", since=AT - 3 * DAY_MS),
        member("cyd", "vip", since=AT - 90 * DAY_MS),
    )

    assert [count.lately["vip", days] for days in (1, 7, 30)] == [1, 2, 2]


def test_who_was_judged_by_other_definitions_and_who_is_overdue_is_counted() -> None:
    old, late, right = member("ada"), member("bob"), member("cyd")
    old.audience, late.audience, right.audience = 1, 2, 2
    late.flips_at, right.flips_at = AT - 1, AT + 1

    count = counted(old, late, right, version=2)

    assert (count.elsewhere, count.overdue) == (1, 1)


def test_what_is_left_of_who_was_merged_is_nobody() -> None:
    tomb = created("bob", AT)
    tomb.merged_into = "ada"

    found = everybody(Everybody(created("ada", AT), tomb, created("cyd", AT)))

    assert [customer.id for customer in found] == ["ada", "cyd"]


@given(st.sets(st.text(max_size=5), max_size=40), st.integers(0, 10), st.randoms())
def test_a_sample_is_the_same_in_whatever_order(
    ids: set[str], size: int, random: object
) -> None:
    shuffled = sorted(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Sample[int](size), Sample[int](size)

    for id in sorted(ids):
        one.add(id, len(id))
    for id in shuffled:
        other.add(id, len(id))

    assert one.items() == other.items()
    assert len(one.items()) == min(size, len(ids))
