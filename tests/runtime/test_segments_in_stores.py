"""The same happens to people, whichever store keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeykit import (
    Count,
    Event,
    Journey,
    Last,
    Policies,
    Segment,
    Send,
    Stage,
    Wait,
    audience_plan,
    days,
    event,
    hours,
    older_than,
    on,
    trait,
)
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer, encode
from journeykit.engine.guards import ChannelRules
from journeykit.local.sqlite import SQLiteStore
from journeykit.runtime.catalogs import Draft, LiveCatalog, next_catalog
from journeykit.runtime.runtime import Runtime
from journeykit.testing import MemoryStore

T0 = 1_780_315_200_000  # 2026-06-01T12:00:00Z
HOUR = 3_600_000
PEOPLE = [f"customer-{n}" for n in range(12)]
EMAIL = ChannelRules(address=lambda profile, customer: customer, normalize=str)

WINBACK = Journey(
    "winback",
    trigger=on("segment.entered", where=event.segment == "lapsed"),
    keep_while_in_segment="lapsed",
    steps=[Wait(hours(5)), Send("email", "come-back")],
)
AUDIENCE = audience_plan(
    [Count("orders", "order.placed"), Last("last_order", "order.placed")],
    [
        Segment("lapsed", older_than(trait.last_order, days(3))),
        Segment("loyal", trait.orders >= 3),
    ],
    [Stage("new"), Stage("active", trait.orders >= 2)],
)


def lived(store: MemoryStore | SQLiteStore, *, every_ms: int) -> list[Customer]:
    """People order now and then; timers are looked at every so often."""
    draft = Draft(
        {"winback": WINBACK.to_plan()},
        {"winback": WINBACK.fingerprint},
        Policies().to_plan(),
        audience=AUDIENCE,
    )
    store.publish(next_catalog(None, draft, at=T0).document)
    catalog = LiveCatalog(store, channels={"email": EMAIL}, contents=store)
    runtime = Runtime(store, catalog, inbox=store, salt=lambda: "salt")
    happens = sorted(
        (T0 + ((n * 37 + i * 53) % 300) * HOUR, person)
        for n in range(6)
        for i, person in enumerate(PEOPLE)
        if (n + i) % 3
    )
    for now in range(T0, T0 + 400 * HOUR, every_ms):
        came = [
            Event(
                id=f"{at}",
                name="order.placed",
                customer=person,
                occurred_at=to_datetime(at),
                received_at=to_datetime(at),
            )
            for at, person in happens
            if now <= at < now + every_ms
        ]
        runtime.ingest(came, now=None)
        while runtime.tick(now + every_ms - 1, virtual=True):
            pass
    found = store.load(PEOPLE)
    return [found[person] for person in PEOPLE]


def told(customers: list[Customer]) -> list[tuple[object, ...]]:
    return [
        (c.segments, c.stage, c.staged_at, c.flips_at, c.traits, c.past, c.active)
        for c in customers
    ]


def test_people_in_memory_and_in_sqlite_are_in_the_same_segments(
    tmp_path: Path,
) -> None:
    sqlite = SQLiteStore.open(tmp_path / "journeykit.db")

    ours, theirs = (lived(s, every_ms=HOUR) for s in (MemoryStore(), sqlite))
    sqlite.close()

    assert [encode(customer) for customer in ours] == [encode(c) for c in theirs]
    assert {name for customer in ours for name in customer.segments} == {
        "lapsed",
        "loyal",
    }
    assert any(customer.past for customer in ours)


@pytest.mark.parametrize("every", [2, 7])
def test_how_often_timers_are_looked_at_makes_no_difference(every: int) -> None:
    often = lived(MemoryStore(), every_ms=HOUR)
    rarely = lived(MemoryStore(), every_ms=every * HOUR)

    assert told(often) == told(rarely)
