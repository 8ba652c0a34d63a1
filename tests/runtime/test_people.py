"""Who belongs to a person, however many documents they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.engine.limits import ABSORBED_BYTES
from journeykit.engine.merging import FORGOTTEN
from journeykit.engine.stimuli import Merge
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import PROFILE_UPDATED, Event
from journeykit.model.policies import Policies
from journeykit.runtime.privacy import person
from journeykit.runtime.runtime import Runtime
from journeykit.testing import MemoryStore

NOW = 1_780_315_200_000
CATALOG = Catalog.compile([], policies=Policies())


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    kept: Any = (
        MemoryStore()
        if request.param == "memory"
        else SQLiteStore.open(tmp_path / "j.db")
    )
    yield kept
    kept.close()


def test_of_more_tombstones_than_a_survivor_remembers_all_are_found(
    store: Any,
) -> None:
    runtime = Runtime(store, lambda fresh=False: CATALOG, salt=lambda: "salt")
    at = to_datetime(NOW)
    names = [f"{n}".ljust(250, "\U00020000") for n in range(12)]
    for name in ("far", *names, "ada", "eve"):
        said = Event(
            id=name,
            name=PROFILE_UPDATED,
            customer=name,
            occurred_at=at,
            received_at=at,
            properties={"plan": "pro"},
        )
        runtime.ingest([said], now=NOW)
    for loser, into in [("far", names[0]), *((name, "ada") for name in names)]:
        merge = Merge(id="m", customer=loser, into=into, received_at=at)
        runtime.ingest([merge], now=NOW)

    [ada] = store.load(["ada"]).values()
    assert FORGOTTEN in ada.absorbed
    assert sum(len(mark.encode()) for mark in ada.absorbed) <= ABSORBED_BYTES + 1
    found = person(store, "ada")
    assert found is not None
    assert found.ids == {"ada", "far", *names}
    assert person(store, "far") == found
