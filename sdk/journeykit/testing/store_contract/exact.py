"""What stores keep that must be exact across customers and processes."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import random

import pytest

from journeykit.ports import Claims, Slots
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import NOW, ODD_IDS


class ClaimsContract(Contract):
    """What whoever gives places keeps."""

    def test_places_are_given_in_order(self, store: Claims) -> None:
        places = [store.claim("first-3", f"c{n}", 3, at=NOW) for n in range(5)]

        assert places == [1, 2, 3, 0, 0]

    def test_a_holder_keeps_its_place(self, store: Claims) -> None:
        for n in range(3):
            store.claim("k", f"c{n}", 3, at=NOW)

        assert [store.claim("k", f"c{n}", 3, at=NOW) for n in range(3)] == [1, 2, 3]
        assert store.claim("k", "c2", 1, at=NOW) == 3, "also when the limit was lowered"
        assert store.claim("k", "c3", 4, at=NOW) == 4, "and others when it was raised"

    def test_a_place_that_was_given_back_goes_to_the_next(self, store: Claims) -> None:
        store.claim("k", "a", 1, at=NOW)

        store.release("k", "a", since=NOW)

        assert store.claim("k", "b", 1, at=NOW) == 1
        assert store.claim("k", "a", 1, at=NOW) == 0

    def test_nobody_gives_back_what_is_not_theirs(self, store: Claims) -> None:
        store.claim("k", "a", 1, at=NOW)
        store.claim("two", "a", 2, at=NOW)
        store.claim("two", "b", 2, at=NOW)

        store.release("k", "b", since=NOW)
        store.release("k", "a", since=NOW + 1)
        store.release("two", "a", since=NOW)
        store.release("nobody's", "a", since=NOW)

        assert store.claim("k", "b", 1, at=NOW) == 0, (
            "claimed before for something else"
        )
        assert store.claim("two", "c", 2, at=NOW) == 0, "one of two stays"

    @pytest.mark.parametrize("key", ODD_IDS, ids=ascii)
    def test_keys_have_nothing_to_do_with_each_other(
        self, store: Claims, key: str
    ) -> None:
        assert store.claim("k", key, 1, at=NOW) == 1
        assert store.claim(key, "k", 1, at=NOW) == 1
        assert store.claim(key, key, 1, at=NOW) == 0
        assert store.claim(f"{key}k", key, 1, at=NOW) == 1

    def test_nobody_gets_a_place_too_many(self, store: Claims) -> None:
        holders = [f"c{n}" for n in range(20)]

        places = self.together(
            lambda n: [store.claim("k", holder, 3, at=NOW) for holder in holders], 10
        )

        assert len({tuple(found) for found in places}) == 1, "all see the same places"
        assert sorted(places[0]) == [0] * 17 + [1, 2, 3]


class SlotsContract(Contract):
    """What whoever paces keeps."""

    def test_the_first_slots_are_free_at_once(self, store: Slots) -> None:
        def reserve(slots: int, now_us: int) -> int:
            return store.reserve("sms", slots, interval_us=100, burst=3, now_us=now_us)

        assert [reserve(1, 1000) for _ in range(5)] == [1000, 1000, 1000, 1100, 1200]
        assert reserve(2, 1300) == 1300
        assert reserve(1, 1300) == 1500
        assert reserve(4, 9000) == 9000, "an idle lane saves up no more than its burst"
        assert reserve(1, 9000) == 9200
        assert store.reserve("push", 1, interval_us=100, burst=1, now_us=9000) == 9000

    def test_to_reserve_none_is_only_to_look(self, store: Slots) -> None:
        def reserve(slots: int, now_us: int) -> int:
            return store.reserve("sms", slots, interval_us=100, burst=1, now_us=now_us)

        assert reserve(0, 1000) == 1000
        assert reserve(3, 1000) == 1000
        assert [reserve(0, 1000) for _ in range(3)] == [1300, 1300, 1300]
        assert reserve(0, 2000) == 2000
        assert reserve(1, 2000) == 2000

    def test_slots_follow_the_generic_cell_rate_algorithm(self, store: Slots) -> None:
        draw = random.Random(20)
        for lane in range(20):
            interval, burst = draw.randint(1, 50), draw.randint(1, 9)
            oracle = _Cells(interval, burst)
            now = 0
            for _ in range(20):
                now += draw.randint(0, 3 * interval)
                slots = draw.randint(1, 4)
                expected = [oracle.cell(now) for _ in range(slots)]
                first = store.reserve(
                    str(lane), slots, interval_us=interval, burst=burst, now_us=now
                )
                assert first == expected[0]

    def test_no_slot_is_given_twice(self, store: Slots) -> None:
        def work(_: int) -> list[int]:
            return [
                store.reserve("sms", 2, interval_us=10, burst=1, now_us=0)
                for _ in range(10)
            ]

        given = sorted(at for found in self.together(work, 6) for at in found)

        assert given == [20 * n for n in range(60)]


class _Cells:
    """The generic cell rate algorithm, cell by cell, as the standard writes it down."""

    def __init__(self, interval: int, burst: int) -> None:
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        self._arrival = 0

    def cell(self, now: int) -> int:
        """When a cell that comes now may go; it waits for that."""
        at = max(now, self._arrival - self._tolerance)
        self._arrival = max(at, self._arrival) + self._interval
        return at
