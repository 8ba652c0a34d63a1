"""Places in DynamoDB: exact, whoever comes in between and whatever gets lost."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.aws.state_table import TABLE, make_state_table
from tests.aws.wire import Wire

from journeykit.aws.claims import DynamoClaims
from journeykit.aws.clients import client
from journeykit.errors import StoreBusy, StoreError
from journeykit.testing import MemoryStore
from journeykit.testing.store_contract import ClaimsContract
from journeykit.testing.store_contract.samples import NOW


class TestClaims(ClaimsContract):
    threads = 1

    def make(self, folder: Path) -> DynamoClaims:
        dynamodb = client("dynamodb")
        return DynamoClaims(dynamodb, make_state_table(dynamodb))


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
def store(dynamodb: Any, wire: Wire) -> DynamoClaims:
    return DynamoClaims(dynamodb, TABLE)


@pytest.fixture
def other(dynamodb: Any) -> DynamoClaims:
    """Another function's, over a wire of its own."""
    return DynamoClaims(client("dynamodb"), TABLE)


def claimed(store: DynamoClaims, limit: int, *holders: str) -> list[int]:
    return [store.claim("k", holder, limit, at=NOW) for holder in holders]


# What it takes


def test_a_single_place_is_one_write(store: DynamoClaims, wire: Wire) -> None:
    assert claimed(store, 1, "ada", "bob", "ada") == [1, 0, 1]
    assert wire.sent == ["PutItem"] * 3


def test_who_comes_when_all_is_gone_only_reads(store: DynamoClaims, wire: Wire) -> None:
    claimed(store, 2, "ada", "bob")
    wire.sent.clear()

    assert claimed(store, 2, "cyd") == [0]
    assert wire.sent == ["GetItem", "GetItem"]


KEYS = count()  # each example has its own


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(1, 4), st.booleans()),
        max_size=15,
    )
)
def test_it_gives_the_places_that_any_store_gives(
    dynamodb: Any,
    asked: list[tuple[str, int, bool]],
) -> None:
    key = str(next(KEYS))
    functions = [DynamoClaims(dynamodb, TABLE), DynamoClaims(dynamodb, TABLE)]
    memory = MemoryStore()

    for holder, limit, which in asked:
        place = functions[which].claim(key, holder, limit, at=NOW)
        assert place == memory.claim(key, holder, limit, at=NOW)


# Lost answers


@pytest.mark.parametrize("limit", [1, 3])
def test_a_lost_answer_of_the_first_claim_gives_one_place(
    store: DynamoClaims, wire: Wire, limit: int
) -> None:
    wire.lose("PutItem")

    assert claimed(store, limit, "ada") == [1]
    assert claimed(store, 2, "bob") == [2]


def test_a_lost_answer_of_a_later_claim_gives_one_place(
    store: DynamoClaims, wire: Wire
) -> None:
    claimed(store, 3, "ada")
    wire.lose("TransactWriteItems")

    assert claimed(store, 3, "bob", "cyd", "dan") == [2, 3, 0]


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems"])
def test_who_never_heard_of_the_place_asks_again_and_has_it(
    store: DynamoClaims, wire: Wire, operation: str
) -> None:
    first = ["ada"] if operation == "TransactWriteItems" else []
    claimed(store, 3, *first)
    wire.lose(operation, times=3)
    with pytest.raises(StoreBusy, match="may have happened"):
        claimed(store, 3, "bob")

    place = len(first) + 1
    assert claimed(store, 3, "bob", "bob", "cyd") == [place, place, place + 1]


# Ours and those of journeys


@pytest.mark.parametrize("key", ["k", "VISIT#k", "VISIT#CLAIM#k", "journeykit/visit/k"])
def test_no_journey_can_take_what_is_ours(
    dynamodb: Any, store: DynamoClaims, key: str
) -> None:
    ours = DynamoClaims(dynamodb, TABLE, scope="VISIT")

    assert store.claim(key, "ada", 1, at=NOW) == 1

    assert ours.claim("k", "bob", 2, at=NOW) == 1
    assert ours.claim("k", "ada", 2, at=NOW) == 2


def test_what_is_ours_ends_and_what_is_a_journeys_stays(
    dynamodb: Any, store: DynamoClaims
) -> None:
    day_ms = 24 * 60 * 60_000
    ours = DynamoClaims(dynamodb, TABLE, scope="VISIT", keep_ms=30 * day_ms)

    for claims in (store, ours):
        for holder in ("ada", "bob"):
            claims.claim("k", holder, 2, at=NOW)

    ends = {
        item["pk"]["S"]: item.get("ttl")
        for item in dynamodb.scan(TableName=TABLE)["Items"]
    }
    end = {"N": str((NOW + 30 * day_ms) // 1000)}
    assert ends == {
        "CLAIM#k": None,
        "PLACE#k": None,
        "VISIT#CLAIM#k": end,
        "VISIT#PLACE#k": end,
    }


# Others in between


def test_who_is_overtaken_gets_the_next_place(
    store: DynamoClaims, other: DynamoClaims, wire: Wire
) -> None:
    claimed(store, 4, "ada")
    wire.before("TransactWriteItems", lambda: claimed(other, 4, "cyd"))
    wire.before("TransactWriteItems", lambda: claimed(other, 4, "dan"))

    assert claimed(store, 4, "bob") == [4]


def test_who_is_overtaken_for_the_first_place_gets_the_second(
    store: DynamoClaims, other: DynamoClaims, wire: Wire
) -> None:
    wire.before("PutItem", lambda: claimed(other, 2, "ada"))

    assert claimed(store, 2, "bob") == [2]


@pytest.mark.parametrize("limit", [1, 2])
def test_who_is_overtaken_for_the_last_place_gets_none(
    store: DynamoClaims, other: DynamoClaims, wire: Wire, limit: int
) -> None:
    claimed(store, 2, *["ada"] * (limit - 1))
    operation = "PutItem" if limit == 1 else "TransactWriteItems"
    wire.before(operation, lambda: claimed(other, limit, "cyd"))

    assert claimed(store, limit, "bob") == [0]


@pytest.mark.parametrize(
    ("taken", "before"),
    [(0, "GetItem"), (0, "PutItem"), (1, "GetItem"), (1, "TransactWriteItems")],
)
def test_a_holder_who_claims_twice_at_once_has_one_place(
    store: DynamoClaims, other: DynamoClaims, wire: Wire, taken: int, before: str
) -> None:
    claimed(store, 2, *["ada"] * taken)
    wire.before(before, lambda: claimed(other, 2, "bob"))

    assert claimed(store, 2, "bob", "bob") == [taken + 1, taken + 1]
    assert claimed(store, 2, "cyd", "dan") == [[2, 0], [0, 0]][taken]


def test_whose_place_was_the_last_one_is_not_sent_away(
    store: DynamoClaims, other: DynamoClaims, wire: Wire
) -> None:
    """All places are taken by the time of the count, one of them by the holder."""
    claimed(store, 2, "ada")
    wire.let("GetItem")  # the count says one, the row is then read after the claim
    wire.before("GetItem", lambda: claimed(other, 2, "bob"))

    assert claimed(store, 2, "bob") == [2]


# Trouble


def canceled(*codes: str) -> dict[str, object]:
    return {"CancellationReasons": [{"Code": code} for code in codes]}


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("TransactionCanceledException", canceled("TransactionConflict", "None")),
        ("TransactionCanceledException", canceled("None", "ThrottlingError")),
        ("TransactionCanceledException", canceled("ConditionalCheckFailed", "None")),
        ("TransactionConflictException", {}),
    ],
    ids=["a conflict", "too fast", "too late", "a conflict, as a whole"],
)
def test_a_transaction_that_met_another_one_is_tried_again(
    store: DynamoClaims, wire: Wire, code: str, more: dict[str, object]
) -> None:
    claimed(store, 2, "ada")
    wire.refuse("TransactWriteItems", code, times=4, **more)

    assert claimed(store, 2, "bob") == [2]


def test_a_transaction_that_meets_others_all_the_time_is_given_up(
    dynamodb: Any, wire: Wire
) -> None:
    paused: list[float] = []
    store = DynamoClaims(dynamodb, TABLE, sleep=paused.append)
    claimed(store, 2, "ada")
    conflict = canceled("TransactionConflict", "None")
    wire.refuse(
        "TransactWriteItems", "TransactionCanceledException", times=99, **conflict
    )

    with pytest.raises(StoreBusy, match="too many claim"):
        claimed(store, 2, "bob")

    assert wire.sent.count("TransactWriteItems") == len(paused) + 1 == 13
    assert all(0 <= pause <= 2 for pause in paused)


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("AccessDeniedException", {}),
        ("TransactionCanceledException", canceled("None", "ValidationError")),
        (
            "TransactionCanceledException",
            canceled("TransactionConflict", "ValidationError"),
        ),
    ],
    ids=["no right", "malformed", "malformed and at a bad moment"],
)
def test_a_mistake_is_not_tried_again(
    store: DynamoClaims, wire: Wire, code: str, more: dict[str, object]
) -> None:
    claimed(store, 2, "ada")
    wire.refuse("TransactWriteItems", code, **more)

    with pytest.raises(StoreError) as raised:
        claimed(store, 2, "bob")

    assert not isinstance(raised.value, StoreBusy)
    assert wire.sent.count("TransactWriteItems") == 1
