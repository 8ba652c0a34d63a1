"""Daily quotas: never more than so many in any 24 hours."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, strategies as st
from tests.runtime.conftest import Provider, Shop

from journeykit import Journey, Send, on
from journeykit.runtime.quotas import taken
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
DAY_MS = 24 * 60 * 60_000
NOW = 1_780_000_000_000


def most_in_a_day(sent: Sequence[int]) -> int:
    """The most of these instants in any 24 hours, the first and not the last of them."""
    return max(
        (sum(1 for at in sent if start <= at < start + DAY_MS) for start in sent),
        default=0,
    )


@given(
    quota=st.integers(1, 60),
    steps=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 1000), st.integers(0, 2 * DAY_MS)),
            st.integers(1, 80),
        ),
        max_size=40,
    ),
)
@example(quota=1, steps=[(DAY_MS // 2, 5)] * 10)
@example(quota=60, steps=[(0, 80), (DAY_MS - 1, 80), (1, 80), (DAY_MS // 100, 9)])
def test_a_quota_is_never_exceeded_in_any_day(
    quota: int, steps: list[tuple[int, int]]
) -> None:
    store, now = MemoryStore(), NOW
    sent: list[int] = []

    for passed, wanted in steps:
        now += passed
        places = taken(store, "email", quota, wanted, now=now)
        assert 0 <= places.going <= wanted
        sent += [now] * places.going

    assert most_in_a_day(sent) <= quota


@given(quota=st.integers(1, 5000), wanted=st.integers(1, 100))
def test_it_says_truly_when_the_next_may_go(quota: int, wanted: int) -> None:
    store = MemoryStore()
    while (places := taken(store, "email", quota, wanted, now=NOW)).going == wanted:
        pass

    early = taken(store, "email", quota, 1, now=places.next_at - 1)
    due = taken(store, "email", quota, 1, now=places.next_at)

    assert (early.going, due.going) == (0, 1)


def test_almost_all_of_a_quota_can_be_used() -> None:
    store = MemoryStore()

    sent = sum(
        taken(store, "email", 1000, 50, now=NOW + minute * 60_000).going
        for minute in range(24 * 60)
    )

    assert 985 <= sent <= 1000


def test_two_who_send_at_the_same_time_keep_it_together() -> None:
    store = MemoryStore()

    going = [taken(store, "email", 100, 8, now=NOW).going for _ in range(3)]

    assert going == [8, 2, 0]


class Raced(MemoryStore):
    """A lane that somebody else moves between the look and the reservation."""

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        if slots:
            super().reserve(
                lane, 7, interval_us=interval_us, burst=burst, now_us=now_us
            )
        return super().reserve(
            lane, slots, interval_us=interval_us, burst=burst, now_us=now_us
        )


def test_places_that_somebody_else_was_faster_to_take_are_not_given_twice() -> None:
    places = taken(Raced(), "email", 100, 10, now=NOW)

    assert places.going == 3


# --- as the dispatcher keeps it ------------------------------------------------------


def sale(provider: Provider, people: int) -> Shop:
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(people)))
    return shop


def test_a_quota_lets_a_tenth_go_at_once_and_the_rest_over_the_day() -> None:
    provider = Provider(daily_quota=100)
    shop = sale(provider, 100)

    shop.deliver()
    at_once = len(provider.asked)
    shop.passes("+1h")
    after_an_hour = len(provider.asked)
    for hour in range(2, 25):
        for minute in (0, 15, 30, 45):
            shop.passes(f"+{hour * 60 + minute}m")

    assert (at_once, after_an_hour) == (10, 13)
    assert 90 < len(provider.asked) <= 100


def test_what_finds_no_place_soon_passes_the_guards_again() -> None:
    provider = Provider(daily_quota=10)
    shop = sale(provider, 3)

    shop.deliver()

    assert len(provider.asked) == 1
    assert shop.said[-2:] == ["deferred pace", "deferred pace"]


@pytest.mark.parametrize("rate", [None, 2])
def test_what_was_put_off_does_not_come_on_top(rate: float | None) -> None:
    """After a pause, what has its slot of the provider's rate must still ask."""
    provider = Provider(daily_quota=20, rate=rate)
    shop = sale(provider, 200)
    sent: list[int] = []
    answer = provider.answer

    def note(message: object) -> object:
        sent.append(shop.now)
        return answer(message)  # type: ignore[arg-type]

    provider.answer = note  # type: ignore[assignment]

    for hours in (*range(8), *range(20, 24), *range(26, 72)):
        shop.ingest(shop.event("joined", f"at-{hours}"))
        shop.passes(f"+{hours}h")

    assert len(sent) > 40
    assert most_in_a_day(sent) <= 20


def test_mocks_use_up_no_quota() -> None:
    provider = Provider(daily_quota=1)
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"c{n}", test=True) for n in range(5)))
    shop.ingest(shop.event("joined", "ada"))

    shop.deliver()

    assert [message.customer for message in provider.asked] == ["ada"]


def test_a_place_is_asked_for_at_each_attempt() -> None:
    provider = Provider(daily_quota=2, idempotent=True)
    shop = sale(provider, 1)
    provider.fails = ConnectionError()

    for minute in range(60):
        shop.passes(f"+{minute}m")

    assert len(provider.asked) == 1  # the other place is there in half a day
