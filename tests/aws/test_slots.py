"""Slots in DynamoDB: the same as in any store, by one conditional write."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.clients import client
from journeykit.aws.slots import DynamoSlots
from journeykit.errors import StoreBusy, StoreError
from journeykit.testing import MemoryStore
from journeykit.testing.store_contract import SlotsContract


class TestSlots(SlotsContract):
    threads = 1

    def make(self, folder: Path) -> DynamoSlots:
        dynamodb = client("dynamodb")
        return DynamoSlots(dynamodb, make_state_table(dynamodb))


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    dynamodb = client("dynamodb")
    make_state_table(dynamodb)
    return dynamodb


@pytest.fixture
def wire(dynamodb: Any) -> Wire:
    return Wire(dynamodb)


@pytest.fixture
def store(dynamodb: Any, wire: Wire) -> DynamoSlots:
    return DynamoSlots(dynamodb, TABLE)


@pytest.fixture
def other(dynamodb: Any) -> DynamoSlots:
    """Another function's, over a wire of its own."""
    return DynamoSlots(client("dynamodb"), TABLE)


def reserved(store: DynamoSlots, slots: int, *, now: int) -> int:
    return store.reserve("sms", slots, interval_us=100, burst=1, now_us=now)


LANES = count()  # each example has its own


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=15
    ),
)
def test_it_gives_the_slots_that_any_store_gives(
    dynamodb: Any, interval: int, burst: int, asked: list[tuple[int, int, bool]]
) -> None:
    lane = str(next(LANES))
    functions = [DynamoSlots(dynamodb, TABLE), DynamoSlots(dynamodb, TABLE)]
    memory = MemoryStore()
    now = 1_780_000_000_000_000

    for slots, later, which in asked:
        now += later
        first, expected = (
            store.reserve(lane, slots, interval_us=interval, burst=burst, now_us=now)
            for store in (functions[which], memory)
        )
        assert first == expected


def test_a_batch_that_looked_before_is_one_write(
    store: DynamoSlots, other: DynamoSlots, wire: Wire
) -> None:
    reserved(other, 5, now=1000)
    reserved(store, 0, now=1000)

    assert reserved(store, 2, now=1000) == 1500
    assert wire.sent == ["GetItem", "UpdateItem"]


def test_who_takes_a_busy_lane_for_an_idle_one_asks_once_more(
    store: DynamoSlots, other: DynamoSlots, wire: Wire
) -> None:
    reserved(other, 5, now=1000)

    assert reserved(store, 2, now=1000) == 1500
    assert reserved(store, 2, now=9000) == 9000
    assert wire.sent == ["UpdateItem"] * 3


@pytest.mark.parametrize("now", [1000, 1499, 1500, 1501, 9000])
def test_others_who_reserve_in_between_have_their_own_slots(
    store: DynamoSlots, other: DynamoSlots, wire: Wire, now: int
) -> None:
    reserved(other, 5, now=1000)
    theirs: list[int] = []
    wire.before("UpdateItem", lambda: theirs.append(reserved(other, 3, now=now)))

    ours = reserved(store, 2, now=now)

    assert theirs == [max(now, 1500)]
    assert ours == theirs[0] + 300


@pytest.mark.parametrize("busy", [False, True])
def test_a_lost_answer_makes_a_lane_slower_and_never_too_fast(
    store: DynamoSlots, wire: Wire, busy: bool
) -> None:
    reserved(store, int(busy), now=1000)
    wire.lose("UpdateItem")

    first = reserved(store, 2, now=1000)

    assert first == 1000 + 100 * busy + 200, "the slots of the lost answer are lost"
    assert reserved(store, 1, now=1000) == first + 200


def test_who_is_overtaken_all_the_time_gives_up(dynamodb: Any, wire: Wire) -> None:
    paused: list[float] = []
    store = DynamoSlots(dynamodb, TABLE, sleep=paused.append)
    wire.refuse("UpdateItem", "ConditionalCheckFailedException", times=99)

    with pytest.raises(StoreBusy, match="too many reserve"):
        reserved(store, 1, now=1000)

    assert wire.sent.count("UpdateItem") == len(paused) + 2 == 10


@pytest.mark.parametrize("slots", [0, 1])
def test_a_table_that_is_not_there_is_said_so(dynamodb: Any, slots: int) -> None:
    with pytest.raises(StoreError, match="deploy the stack"):
        reserved(DynamoSlots(dynamodb, "nowhere"), slots, now=1000)
