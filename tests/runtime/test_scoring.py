"""Models are asked about customers page by page, and what has changed is reported."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from journeykit import Catalog, Policies
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer, Score as Known, created
from journeykit.model.events import instant
from journeykit.model.segments import audience_plan
from journeykit.model.traits import Count, Last
from journeykit.ports import Change
from journeykit.runtime.runtime import Runtime
from journeykit.runtime.scoring import PAGE, Scoring, features_of
from journeykit.scoring import Features, Score
from journeykit.testing.memory import MemoryStore

NOW = to_ms(instant("2026-06-01T12:00:00Z"))
DAY = 24 * 60 * 60 * 1000


class Fixed(Score):
    """Says what it is told to."""

    name = "churn"

    def __init__(self, value: Any = 0.5) -> None:
        self.value = value
        self.asked: list[list[Features]] = []

    def score(self, features: Features) -> Any:
        return self.value

    def scores(self, batch: Sequence[Features]) -> Sequence[Any]:
        self.asked.append([*batch])
        return super().scores(batch)


class World:
    """Customers in a store, and who scores them."""

    def __init__(self, *scores: Score) -> None:
        self.store = MemoryStore()
        traits = [Count("orders", "order.placed"), Last("last_order", "order.placed")]
        self.catalog = Catalog.compile(
            [], policies=Policies(), audience=audience_plan(traits, [], [])
        )
        runtime = Runtime(self.store, lambda **_: self.catalog)
        self.scoring = Scoring(
            {one.name: one for one in scores}, runtime, lambda: self.catalog
        )

    def know(self, *ids: str, **fields: Any) -> None:
        for id in ids:
            customer = created(id, NOW - 10 * DAY, salt="x")
            for name, value in fields.items():
                setattr(customer, name, value)
            self.store.commit([Change(None, customer, (), b"")])

    def customer(self, id: str = "ada") -> Customer:
        return self.store.load([id])[id]

    def run(self, now: int = NOW, **more: Any) -> Any:
        *_, last = self.scoring.pages(self.store, now=now, **more)
        return last


def test_what_a_model_says_is_kept_with_the_instant() -> None:
    world = World(Fixed(0.8))
    world.know("ada")

    done = world.run()

    assert (done.customers, done.reported, done.cursor) == (1, 1, "")
    assert world.customer().scores == {"churn": Known(0.8, NOW)}


def test_what_has_not_changed_is_not_written_again() -> None:
    model = Fixed(0.8)
    world = World(model)
    world.know("ada")
    world.run()
    revision = world.customer().revision

    model.value = 0.805  # within the tolerance
    done = world.run(NOW + DAY)

    assert (done.customers, done.reported) == (1, 0)
    assert world.customer().revision == revision


def test_what_is_old_is_reported_again_so_that_its_date_tells_somebody_looked() -> None:
    world = World(Fixed(0.8))
    world.know("ada")
    world.run()

    world.run(NOW + 30 * DAY)

    assert world.customer().scores["churn"].at == NOW + 30 * DAY


def test_none_takes_back_what_was_said() -> None:
    model = Fixed("gold")
    world = World(model)
    world.know("ada")
    world.run()
    assert world.customer().scores["churn"].value == "gold"

    model.value = None
    assert world.run(NOW + DAY).reported == 1

    assert world.customer().scores == {}
    assert world.run(NOW + 2 * DAY).reported == 0


def test_everybody_is_scored_page_by_page() -> None:
    model = Fixed()
    world = World(model)
    world.know(*(f"c{n:04}" for n in range(PAGE + 3)))

    pages = [*world.scoring.pages(world.store, now=NOW)]

    assert [page.customers for page in pages] == [PAGE, PAGE + 3]
    assert pages[0].cursor
    assert [len(batch) for batch in model.asked] == [PAGE, 3]


def test_a_job_goes_on_behind_the_customer_that_it_stopped_at() -> None:
    world = World(Fixed())
    world.know("ada", "bob", "cleo")

    done = world.run(after="ada")

    assert done.customers == 2
    assert world.customer("ada").scores == {}


def test_a_model_is_asked_about_so_many_at_once_as_it_takes() -> None:
    model = Fixed()
    model.batch_size = 2
    world = World(model)
    world.know("ada", "bob", "cleo")

    world.run()

    assert [len(batch) for batch in model.asked] == [2, 1]


def test_a_model_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Score):
        name = "fails"

        def score(self, features: Features) -> float:
            raise ValueError(f"secret of {features.customer}")

    world = World(Fixed(), Fails())
    world.know("ada")

    with caplog.at_level(logging.ERROR, "journeykit.scores"):
        done = world.run()

    assert (done.reported, done.failed) == (1, {"fails": 1})
    assert "secret" not in caplog.text
    assert "ada" not in caplog.text


@pytest.mark.parametrize(
    "value", [True, float("nan"), [], "x" * 65], ids=["true", "nan", "list", "long"]
)
def test_what_is_no_score_is_not_reported(value: object) -> None:
    world = World(Fixed(value))
    world.know("ada")

    done = world.run()

    assert (done.reported, done.failed) == (0, {"churn": 1})


def test_a_model_that_says_too_little_is_not_believed() -> None:
    class Short(Fixed):
        def scores(self, batch: Sequence[Features]) -> Sequence[Any]:
            return [0.5]

    world = World(Short())
    world.know("ada", "bob")

    assert world.run().failed == {"churn": 2}
    assert world.customer().scores == {}


def test_only_the_scores_that_are_named_are_computed() -> None:
    other = Fixed()
    other.name = "upsell"
    world = World(Fixed(), other)
    world.know("ada")

    world.run(names=["upsell"])

    assert [*world.customer().scores] == ["upsell"]


def test_who_was_merged_into_somebody_is_scored_no_more() -> None:
    world = World(Fixed())
    world.know("gone", merged_into="ada")

    assert world.run().customers == 0


def test_a_model_sees_what_is_known() -> None:
    world = World(Fixed())
    world.know(
        "ada",
        profile={"plan": "pro", "zone": "Europe/Berlin"},
        segments={"vip": NOW, "~j/0": NOW},
        stage="loyal",
        scores={"churn": Known(0.1, NOW)},
    )

    [features] = features_of([world.customer()], world.catalog, NOW)

    assert features.profile == {"plan": "pro", "zone": "Europe/Berlin"}
    assert (features.zone, features.stage) == ("Europe/Berlin", "loyal")
    assert features.segments == {"vip"}
    assert features.scores == {"churn": 0.1}
    with pytest.raises(TypeError):
        features.profile["plan"] = "free"  # type: ignore[index]


def test_a_model_sees_traits_as_they_are_then() -> None:
    from journeykit.testing import make_event

    world = World(Fixed())
    world.scoring._runtime.ingest(
        [make_event("order.placed", "ada", at="2026-05-30T12:00:00Z")], now=None
    )

    [features] = features_of([world.customer()], world.catalog, NOW)

    assert features.number("orders") == 1
    assert features.age("last_order") == timedelta(days=2)
    assert features.number("last_order") is None
    assert features.age("orders") is None
    assert features.age("nothing") is None


def test_a_zone_that_is_none_counts_as_utc() -> None:
    world = World(Fixed())
    world.know("ada", profile={"zone": "Mars/Base"})

    [features] = features_of([world.customer()], world.catalog, NOW)

    assert features.zone == "UTC"
