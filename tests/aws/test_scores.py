"""A scoring job in the cloud: a chain of pages that belongs to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from journeykit import Catalog, Policies
from journeykit.aws.messages import Visit, received
from journeykit.aws.queues import Parcel
from journeykit.aws.scores import SCORE, ScorePages, begin
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import created
from journeykit.errors import InputError
from journeykit.model.events import instant
from journeykit.ports import Change
from journeykit.runtime.runtime import Runtime
from journeykit.runtime.scoring import Scoring
from journeykit.scoring import Features, Score
from journeykit.testing.memory import MemoryStore

NOW = to_ms(instant("2026-06-01T12:00:00Z"))


class Length(Score):
    name = "length"

    def score(self, features: Features) -> float:
        return float(len(features.customer))


class Wakes:
    """The wakes queue: keeps what it is sent, as it is read again."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []

    def send(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            attributes = {
                name: {"stringValue": text} for name, text in parcel.attributes.items()
            }
            visit = received({"body": parcel.body, "messageAttributes": attributes})
            assert isinstance(visit, Visit)
            self.visits.append(visit)


class World:
    def __init__(self, *customers: str, scores: Sequence[Score] = (Length(),)) -> None:
        self.store = MemoryStore()
        for id in customers:
            change = Change(None, created(id, NOW, salt="x"), (), b"")
            self.store.commit([change])
        catalog = Catalog.compile([], policies=Policies())
        scoring = Scoring(
            {one.name: one for one in scores},
            Runtime(self.store, lambda **_: catalog),
            lambda: catalog,
        )
        self.wakes = Wakes()
        self.pages = ScorePages(self.store, self.wakes, self.store, scoring, page=2)

    def begin(self, *names: str) -> Any:
        return begin(names, ["length"], self.wakes, now=NOW)

    def scored(self) -> dict[str, object]:
        found = self.store.load(["a", "bb", "ccc"])
        return {
            id: one.scores["length"].value for id, one in found.items() if one.scores
        }


def test_a_job_goes_through_all_customers_page_by_page() -> None:
    world = World("a", "bb", "ccc")

    assert world.begin() == ["length"]
    done = 0
    while done < len(world.wakes.visits):
        world.pages.page(world.wakes.visits[done], now=NOW)
        done += 1

    assert world.scored() == {"a": 1.0, "bb": 2.0, "ccc": 3.0}
    assert [visit.reason for visit in world.wakes.visits] == [SCORE, SCORE]


def test_a_page_that_comes_twice_is_done_once_and_its_job_stays_one() -> None:
    world = World("a", "bb", "ccc")
    world.begin()
    [first] = world.wakes.visits

    world.pages.page(first, now=NOW)
    world.pages.page(first, now=NOW)  # it was not acknowledged
    again = [world.pages.page(one, now=NOW) for one in world.wakes.visits[1:]]

    assert len(world.wakes.visits) == 3
    assert again == [None, None]
    assert world.scored() == {"a": 1.0, "bb": 2.0, "ccc": 3.0}


def test_a_bundle_that_has_the_score_no_more_ends_the_job() -> None:
    world = World("a", "bb", "ccc", scores=())
    world.begin()

    assert world.pages.page(world.wakes.visits[0], now=NOW) is None
    assert world.scored() == {}


def test_a_score_that_the_bundle_has_not_is_refused() -> None:
    world = World()

    with pytest.raises(InputError, match="no score 'churn'; it has length"):
        world.begin("churn")
    with pytest.raises(InputError, match="it has none"):
        begin([], [], world.wakes, now=NOW)
    assert world.wakes.visits == []
