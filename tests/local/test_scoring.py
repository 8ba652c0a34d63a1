"""`serve` asks models about its customers, each time that the span is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from journeykit.engine.calendar import to_ms
from journeykit.local.embedded import Embedded
from journeykit.local.service import Service
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import instant
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.scoring import Features, Score
from journeykit.testing import make_event
from journeykit.workspace import Workspace
from journeykit.workspace.scores import ScoreSettings

START = "2026-06-01T12:00:30Z"
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails


class Model(Score):
    """Counts how often it was asked, and says that; fails the first time if it is to."""

    name = "asked"
    tolerance = 0

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def score(self, features: Features) -> float:
        self.count += 1
        if self.fails:
            raise ValueError("it is down")
        return float(self.count)


class Shop:
    """A workspace that is served, on a clock of the test's."""

    def __init__(self, folder: Path) -> None:
        self.now = to_ms(instant(START))
        self.model = Model()
        self.store = SQLiteStore.open(folder / "journeykit.db")
        registry = Registry(
            {}, {}, {}, {}, {}, Observers(), (), scores={"asked": self.model}
        )
        workspace = Workspace(
            path=folder, name="shop", scored_by=ScoreSettings(("asked",), 60_000)
        )
        self.embedded = Embedded(workspace, registry, self.store, folder, relays=False)
        # `configured` makes a copy, which nobody could ask how often it was asked.
        self.embedded.scoring._scores = {"asked": self.model}
        self.embedded.publish(now=self.now)
        event = make_event("profile.updated", "ada", at=START, plan="pro")
        self.embedded.runtime.ingest([event], now=self.now)
        self.service = Service(self.embedded, clock=lambda: self.now)

    def score(self) -> object:
        scores = self.store.load(["ada"])["ada"].scores
        return scores["asked"].value if scores else None

    def until(self, value: object) -> None:
        end = time.monotonic() + ENOUGH
        while self.score() != value:
            assert time.monotonic() < end, f"it is {self.score()}, and not {value}"
            time.sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    with closing(made.embedded):
        made.service.start()
        yield made
        made.service.stop()


def test_models_are_asked_at_each_minute_and_not_before(shop: Shop) -> None:
    time.sleep(0.5)  # two of its ticks
    assert shop.model.count == 0

    shop.now += 30_000
    shop.until(1.0)
    time.sleep(0.5)
    assert shop.model.count == 1

    shop.now += 60_000
    shop.until(2.0)


def test_a_model_that_is_down_is_asked_again_the_next_time(shop: Shop) -> None:
    shop.model.fails = True
    shop.now += 30_000
    end = time.monotonic() + ENOUGH
    while not shop.model.count:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert shop.score() is None

    shop.model.fails = False
    shop.now += 60_000

    shop.until(2.0)
