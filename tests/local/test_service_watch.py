"""`serve` looks at the day that is over, once a day and after its start."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from journeykit import Journey, Send, on
from journeykit.errors import StoreError
from journeykit.local.embedded import Embedded
from journeykit.local.service import Service
from journeykit.model.watching import watching_of
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

DAY_MS = 86_400_000
MINUTE_MS = 60_000


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Looks:
    """Notes at what time it was looked, and lets a test wait for that."""

    def __init__(self, clock: Clock, *, fails: bool = False) -> None:
        self.clock = clock
        self.fails = fails
        self.at: list[int] = []
        self.looked = threading.Semaphore(0)

    def __call__(self) -> None:
        self.at.append(self.clock.now)
        self.looked.release()
        if self.fails:
            raise StoreError("the log can't be read")

    def wait(self) -> None:
        assert self.looked.acquire(timeout=20), "nobody looked"


@pytest.fixture
def embedded(tmp_path: Path) -> Embedded:
    journey = Journey(id="hi", trigger=on("signed.up"), steps=[Send("email", "hello")])
    workspace = Workspace(
        path=tmp_path,
        name="shop",
        journeys=[journey],
        providers={"email": "console"},
        watch=watching_of({"at": "06:00"}),
    )
    opened = Embedded.open(workspace, Registry.from_plugins(plugin_manager()))
    opened.publish(now=0)
    return opened


def test_it_is_looked_after_the_start_and_then_at_its_time(embedded: Embedded) -> None:
    noon = 20_000 * DAY_MS + DAY_MS // 2
    clock = Clock(noon)
    looks = Looks(clock)
    with embedded:
        service = Service(embedded, clock=clock, watch=looks)
        service.start()
        try:
            clock.now = noon + MINUTE_MS
            looks.wait()
            clock.now = 20_001 * DAY_MS + 6 * 60 * MINUTE_MS
            looks.wait()
            clock.now = 20_002 * DAY_MS + 6 * 60 * MINUTE_MS
            looks.wait()
        finally:
            service.stop()

    assert len(looks.at) == 3


def test_a_look_that_fails_is_said_and_the_service_goes_on(embedded: Embedded) -> None:
    clock = Clock(20_000 * DAY_MS)
    looks = Looks(clock, fails=True)
    with embedded:
        service = Service(embedded, clock=clock, watch=looks)
        service.start()
        try:
            clock.now += MINUTE_MS
            looks.wait()
            clock.now = 20_000 * DAY_MS + 6 * 60 * MINUTE_MS
            looks.wait()
            health = service.health()
        finally:
            service.stop()

    assert health["status"] == "failing"
    assert health["failures"] == {"watch": "StoreError: the log can't be read"}


def test_without_a_time_nobody_looks(embedded: Embedded) -> None:
    object.__setattr__(embedded.workspace, "watch", watching_of({}))
    with embedded:
        service = Service(embedded, watch=Looks(Clock(0)))

        names = [thread.name for thread in service._threads]
        service.start()
        service.stop()

    assert "journeykit-watch" not in names
