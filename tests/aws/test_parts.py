"""How the parts are joined, and the clock by which a function's catalog grows old."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.aws.customers_table import TABLE as CUSTOMERS, make_customers_table
from tests.aws.state_table import TABLE as STATE, make_state_table

from journeykit import Policies
from journeykit.aws.clients import client
from journeykit.aws.messages import Visit
from journeykit.aws.parts import Onward, Parts
from journeykit.aws.settings import Settings
from journeykit.manifest import Manifest
from journeykit.model.identity import IdentityRules
from journeykit.observers import Observers
from journeykit.ports import CatalogDocument
from journeykit.testing import MemoryStore

NOW = 1_790_000_000_000

_HOUR_S = 3600.0


class Clocks:
    """A wall clock and another one, which a test moves."""

    def __init__(self) -> None:
        self.wall_ms, self.steady_s = 1_790_000_000_000, 17.0
        self.onward = Onward(lambda: self.wall_ms, lambda: self.steady_s)

    def move(self, wall_s: float, steady_s: float) -> None:
        self.wall_ms += int(wall_s * 1000)
        self.steady_s += steady_s


@pytest.mark.parametrize(
    ("wall_s", "steady_s"),
    [(6, 6), (-_HOUR_S, 6), (6, 0), (6, 0.1)],
    ids=["nothing", "the wall clock is set back", "frozen", "nearly frozen"],
)
def test_seconds_pass_whatever_happens_to_a_clock(
    wall_s: float, steady_s: float
) -> None:
    clocks = Clocks()
    before = clocks.onward()

    clocks.move(wall_s, steady_s)

    assert clocks.onward() - before == pytest.approx(6)


def test_a_clock_that_was_set_back_goes_on_from_there() -> None:
    clocks = Clocks()
    clocks.move(-_HOUR_S, 0)
    before = clocks.onward()

    clocks.move(6, 0)

    assert clocks.onward() - before == pytest.approx(6)


@given(st.lists(st.tuples(st.integers(-9999, 9999), st.integers(0, 9999))))
def test_it_never_goes_back_nor_slower_than_the_steady_one(
    moves: list[tuple[int, int]],
) -> None:
    clocks = Clocks()
    before = clocks.onward()

    for wall_s, steady_s in moves:
        clocks.move(wall_s, steady_s)
        now = clocks.onward()
        assert now - before >= steady_s - 1e-6
        before = now


@pytest.mark.parametrize(
    ("wall_s", "steady_s", "revision"),
    [(4, 4, 1), (6, 6, 2), (-_HOUR_S, 6, 2), (6, 0, 2)],
    ids=["young", "old", "old, and the clock was set back", "old, and frozen"],
)
def test_a_function_goes_by_its_catalog_for_five_seconds(
    wall_s: float, steady_s: float, revision: int
) -> None:
    clocks, store = Clocks(), MemoryStore()
    parts: Any = Parts(
        Settings(), clock=lambda: clocks.wall_ms, steady=lambda: clocks.steady_s
    )
    parts.catalogs, parts.contents, parts.rules = store, store, {}
    parts.manifest = Manifest(workspace="shop")
    store.publish(make_catalog(1))
    assert parts.catalog().revision == 1
    store.publish(make_catalog(2))

    clocks.move(wall_s, steady_s)

    assert parts.catalog().revision == revision


def make_catalog(revision: int) -> CatalogDocument:
    return CatalogDocument(revision, NOW, "", [], Policies().to_plan())


def test_the_claims_of_visits_are_their_own_and_end() -> None:
    dynamodb = client("dynamodb")
    make_state_table(dynamodb)
    make_customers_table(dynamodb)
    url = client("sqs").create_queue(QueueName="wakes")["QueueUrl"]
    settings = Settings(customers_table=CUSTOMERS, state_table=STATE, wakes_queue=url)
    visit = Visit("v1", "stop", "hello", token="t1")

    Parts(settings).visits.page(visit, now=NOW)

    (row,) = dynamodb.scan(TableName=STATE)["Items"]
    assert row["pk"] == {"S": "VISIT#CLAIM#v1/0"}
    assert int(row["ttl"]["N"]) == NOW // 1000 + 30 * 24 * 60 * 60


def test_who_loses_a_race_over_an_item_waits_at_once() -> None:
    paused: list[float] = []
    parts: Any = Parts(Settings(), sleep=paused.append)
    parts.catalog, parts._deciding = None, SimpleNamespace(observers=Observers())
    parts.manifest = SimpleNamespace(loggable=(), identity=IdentityRules())
    runtime = parts.runtime

    runtime._back_off(1)

    assert len(paused) == 1
