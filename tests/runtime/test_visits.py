"""Visits of everybody, and launches: with a store in memory and with SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.runtime.conftest import Shop

from journeykit import (
    CallAction,
    Journey,
    Segment,
    Send,
    Wait,
    audience_plan,
    days,
    entered,
    every,
    on,
    profile,
)
from journeykit.builtin.claim import ClaimAction
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Merge
from journeykit.errors import InputError
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import PROFILE_UPDATED
from journeykit.ports import CatalogDocument, Job
from journeykit.runtime.catalogs import Draft, next_catalog, set_state
from journeykit.runtime.concerned import EVERYBODY, LAUNCH, everybody_is
from journeykit.runtime.runtime import BATCH
from journeykit.runtime.visits import Person, Visits, people
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
DAILY = Journey(
    "daily", trigger=every("day", at="09:00"), steps=[Send("email", "daily")]
)
VIPS = Journey("vips", trigger=entered("vip"), steps=[Wait(days(1))])
VIP = Segment("vip", profile.plan == "pro")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    store: Any = MemoryStore()
    if request.param == "sqlite":
        store = SQLiteStore.open(tmp_path / "journeykit.db")
    yield store
    store.close()


def publish(shop: Shop, *journeys: Journey, segments: Sequence[Segment] = ()) -> bool:
    """Publish, and say whether everybody is to be visited."""
    before = shop.store.current()
    draft = Draft(
        {journey.id: journey.to_plan() for journey in journeys},
        {journey.id: journey.fingerprint for journey in journeys},
        shop.policies.to_plan(),
        audience=audience_plan([], segments, []) if segments else {},
    )
    document = next_catalog(before, draft, at=shop.now).document
    shop.store.publish(document)
    return everybody_is(before, document)


def known(shop: Shop, *ids: str, **attributes: Any) -> None:
    """Some customers, by their profiles."""
    for id in ids:
        shop.happens(PROFILE_UPDATED, id, nick=id, **attributes)


def visited(shop: Shop, reason: str, journey: str, *, id: int = 0) -> Job:
    job = Job(id, reason, journey)
    return Visits(shop.store, shop.store, shop.runtime).run(job, now=shop.now)


def runs_of(shop: Shop, journey: str, *ids: str) -> dict[str, int]:
    found = shop.store.load(ids)
    return {
        id: past.count
        for id, customer in found.items()
        if (past := customer.past.get(journey)) is not None
    }


# Whom a publish concerns


def test_a_first_publish_concerns_nobody() -> None:
    shop = Shop(HELLO, DAILY)

    assert everybody_is(None, document_of(shop)) is False


def test_what_brings_something_to_wait_for_concerns_everybody() -> None:
    shop = Shop(HELLO)

    assert publish(shop, HELLO) is False
    assert publish(shop, HELLO, DAILY) is True
    assert publish(shop, HELLO, DAILY) is False
    assert publish(shop, HELLO) is False
    assert publish(shop, HELLO, segments=[VIP]) is True
    assert publish(shop, HELLO, segments=[VIP]) is False


def test_steps_of_a_journey_with_a_schedule_concern_nobody() -> None:
    shop = Shop(DAILY)
    other = Journey("daily", trigger=every("day", at="09:00"), steps=[Wait("1h")])
    later = Journey("daily", trigger=every("day", at="10:00"), steps=[Wait("1h")])

    assert publish(shop, other) is False
    assert publish(shop, later) is True


def test_a_schedule_that_begins_anew_concerns_everybody() -> None:
    shop = Shop(DAILY)
    shop.state("daily", "stopped")
    before = document_of(shop)

    after = set_state(shop.store, "daily", "live", now=shop.now, reason="")

    assert everybody_is(before, after) is True


def document_of(shop: Shop) -> CatalogDocument:
    document = shop.store.current()
    assert document is not None
    return document


# A schedule's days


def test_whoever_was_there_before_is_due_after_a_visit(store: Any) -> None:
    shop = Shop(HELLO, store=store)
    known(shop, "ada", "bob")
    assert store.due(shop.ms("+10d"), 10) == []

    publish(shop, HELLO, DAILY)
    job = visited(shop, "publish", EVERYBODY)

    due = shop.ms("+21h")  # nine in the morning
    assert [*store.due(shop.ms("+10d"), 10)] == [(due, "ada"), (due, "bob")]
    assert (job.visited, job.done, [*store.unfinished()]) == (2, True, [])


def test_a_visit_that_comes_late_misses_no_day(store: Any) -> None:
    shop = Shop(HELLO, store=store)
    known(shop, "ada")
    publish(shop, HELLO, DAILY)

    shop.now = shop.ms("+22h")
    visited(shop, "publish", EVERYBODY)

    assert runs_of(shop, "daily", "ada") == {"ada": 1}


def test_what_was_stopped_and_lives_again_makes_up_for_nothing(store: Any) -> None:
    shop = Shop(HELLO, DAILY, store=store)
    known(shop, "ada")
    shop.state("daily", "stopped")
    visited(shop, "stop", EVERYBODY)
    assert store.due(shop.ms("+10d"), 10) == []

    shop.now = shop.ms("+3d")
    shop.state("daily", "live")
    visited(shop, "resume", EVERYBODY)
    shop.passes("+4d")

    assert runs_of(shop, "daily", "ada") == {"ada": 1}


# Launches


def test_a_launch_enrolls_who_is_there_each_once(store: Any) -> None:
    shop = Shop(HELLO, store=store)
    known(shop, "ada", "bob", plan="pro")
    known(shop, "cy")
    publish(shop, HELLO, VIPS, segments=[VIP])
    visited(shop, "publish", EVERYBODY)
    assert runs_of(shop, "vips", "ada", "bob", "cy") == {}

    for _ in range(2):
        visited(shop, LAUNCH, "vips")
    shop.happens(PROFILE_UPDATED, "cy", plan="pro")

    assert runs_of(shop, "vips", "ada", "bob", "cy") == {"ada": 1, "bob": 1, "cy": 1}


def test_a_job_passes_over_who_was_merged(store: Any) -> None:
    shop = Shop(HELLO, store=store)
    known(shop, "ada", "bob", plan="pro")
    at = to_datetime(shop.now)
    merge = Merge(id="m", customer="bob", into="ada", received_at=at)
    shop.runtime.ingest([merge], now=shop.now)
    publish(shop, HELLO, VIPS, segments=[VIP])

    assert visited(shop, "publish", EVERYBODY).visited == 1
    assert visited(shop, LAUNCH, "vips").visited == 1
    assert runs_of(shop, "vips", "ada", "bob") == {"ada": 1}


def test_a_launch_needs_no_visit_before_it(store: Any) -> None:
    shop = Shop(HELLO, store=store)
    known(shop, "ada", plan="pro")
    publish(shop, HELLO, VIPS, segments=[VIP])

    visited(shop, LAUNCH, "vips")

    assert runs_of(shop, "vips", "ada") == {"ada": 1}


def test_a_launch_that_was_interrupted_goes_on_and_enrolls_nobody_twice(
    store: Any,
) -> None:
    shop = Shop(HELLO, store=store)
    ids = [f"c{n:04}" for n in range(BATCH + 5)]
    shop.ingest(*(shop.event(PROFILE_UPDATED, id, plan="pro") for id in ids))
    publish(shop, HELLO, VIPS, segments=[VIP])
    visits = Visits(store, store, shop.runtime)
    next(visits.pages(Job(0, LAUNCH, "vips"), now=shop.now))
    (left,) = store.unfinished()
    assert left.visited == BATCH

    visits.run(replace(left, cursor="c0500"), now=shop.now)  # as if less was stored

    assert runs_of(shop, "vips", *ids) == dict.fromkeys(ids, 1)
    assert [*store.unfinished()] == []


# One customer of a value


def test_of_many_who_share_a_value_exactly_one_enters(store: Any) -> None:
    unique = Journey(
        "unique",
        trigger=on("joined"),
        unique=profile.email,
        reentry="never",
        steps=[Send("email", "hello")],
    )
    claim = ClaimAction()
    shop = Shop(unique, store=store, actions=[claim])
    ids = [f"c{n:02}" for n in range(20)]
    known(shop, *ids, email="All@example.com")

    shop.ingest(*(shop.event("joined", id) for id in ids))
    while shop.deliver():
        pass
    shop.ingest(*(shop.event("joined", id) for id in ids))
    while shop.deliver():
        pass

    assert [*runs_of(shop, "unique", *ids).values()] == [1]
    assert len(shop.channels["email"].asked) == 1  # type: ignore[attr-defined]
    assert all(customer.next_due is None for customer in store.load(ids).values())


def test_an_answer_that_comes_twice_enters_once(store: Any) -> None:
    unique = Journey(
        "unique", trigger=on("joined"), unique=profile.email, steps=[Wait(days(1))]
    )
    claim = ClaimAction()
    shop = Shop(unique, store=store, actions=[claim])
    known(shop, "ada", email="a@x.de")
    shop.happens("joined", "ada")
    (task,) = store.take(shop.now, 10, lease_until=shop.now)
    assert isinstance(task.command, CallAction)

    for _ in range(2):
        shop.happens(
            "call.completed",
            "ada",
            call_id=task.command.call_id,
            enrollment="",
            result={"granted": True, "place": 1},
        )

    customer: Customer = shop.customer()
    assert len(customer.active) == 1


# Who is forgotten while a job goes through a file


class Calls:
    """Whom a job calls, and by which ids."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def ingest(self, stimuli: Sequence[Any], **_: Any) -> None:
        self.ids += [f"{one.customer} {one.id}" for one in stimuli]


@pytest.mark.parametrize("pages_before", [0, 1])
def test_who_is_erased_is_not_called_and_others_keep_their_numbers(
    store: Any, pages_before: int
) -> None:
    lines = b"\n".join([b"ada"] * BATCH + [b"bob", b"cyd"])
    job = store.save(Job(0, "enroll", "hello", people=lines))
    calls: Any = Calls()
    pages = Visits(store, store, calls).pages(job, now=0)
    for _ in range(pages_before):
        next(pages)

    store.erase(["bob"])
    last = [*pages][-1]

    assert calls.ids[BATCH:] == [f"cyd job-{job.id}-{BATCH + 1}"]
    assert (last.done, last.visited) == (True, BATCH + 2)
    assert not store.unfinished()


def test_only_a_job_says_that_somebody_was_erased() -> None:
    line = b'{"customer": "", "erased": true}'

    assert people(line, stored=True) == [Person("", erased=True)]
    with pytest.raises(InputError, match="names nobody"):
        people(line)
    with pytest.raises(InputError, match="names nobody"):
        people(b'{"customer": "ada", "erased": true}')
