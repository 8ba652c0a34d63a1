"""Events that mean nothing to anybody: known of the event alone, and rightly so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Catalog,
    Event,
    Goal,
    Journey,
    Policies,
    Send,
    WaitFor,
    When,
    days,
    event,
    every,
    on,
    pattern,
    profile,
    react,
)
from journeykit.engine.unheard import Unheard

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

WAITING = Journey(
    "waiting",
    trigger=[
        on("order.placed", where=event.total > 100),
        on("cart.updated", where=(event.total > 100) & (profile.plan == "pro")),
        pattern({"source": ["shop"], "detail": {"vip": [True]}}),
    ],
    goal=Goal(on("order.paid")),
    steps=[WaitFor([When(on("order.sent"), [])], timeout=days(1), otherwise=[])],
)


def catalog(*journeys: Journey, **options: Any) -> Catalog:
    return Catalog.compile(journeys, policies=Policies(), **options)


def happened(name: str = "page.seen", **options: Any) -> Event:
    given: dict[str, Any] = {
        "id": "1",
        "customer": "ada",
        "occurred_at": NOW,
        "received_at": NOW,
        **options,
    }
    return Event(name=name, **given)


def is_unheard(event: Event, *journeys: Journey, now: int | None = NOW_MS) -> bool:
    return Unheard(catalog(*(journeys or (WAITING,)))).holds(event, now=now)


@pytest.mark.parametrize(
    ("name", "options", "unheard"),
    [
        ("page.seen", {}, True),
        ("order.placed", {"properties": {"total": 100}}, True),
        ("order.placed", {"properties": {"total": 101}}, False),
        ("cart.updated", {"properties": {"total": 100}}, False),
        ("page.seen", {"source": "shop"}, True),
        ("page.seen", {"source": "shop", "properties": {"vip": True}}, False),
        ("order.paid", {}, False),
        ("order.sent", {}, False),
        ("call.completed", {}, False),
        ("profile.updated", {}, False),
        ("consent.changed", {}, False),
        ("message.opened", {}, False),
        ("placement.requested", {}, False),
        ("segment.entered", {}, False),
        ("page.seen", {"history": True}, False),
        ("page.seen", {"identifiers": {"email": "a@b.example"}}, False),
        ("page.seen", {"occurred_at": NOW - timedelta(hours=30)}, False),
        ("page.seen", {"occurred_at": NOW + timedelta(minutes=6)}, False),
        ("page.seen", {"occurred_at": NOW - timedelta(hours=1)}, True),
    ],
    ids=[
        "no-name", "fails", "holds", "asks-profile", "half-a-pattern", "pattern", "goal",
        "wait", "call", "profile", "consent", "engaged", "ask", "inner", "history",
        "identifiers", "too-late", "future", "an-hour-late",
    ],
)  # fmt: skip
def test_only_what_nobody_can_hear_is_unheard(
    name: str, options: dict[str, Any], unheard: bool
) -> None:
    assert is_unheard(happened(name, **options)) is unheard


def test_what_was_received_long_ago_has_to_be_refused() -> None:
    seen = happened()

    assert not is_unheard(seen, now=NOW_MS + 49 * 3_600_000)
    assert is_unheard(seen, now=None)


def test_where_schedules_are_declared_everybody_seen_counts() -> None:
    weekly = Journey(
        "weekly", trigger=every("mon", at="09:00"), steps=[Send("email", "x")]
    )

    assert not is_unheard(happened(), weekly)


@given(
    name=st.sampled_from(["page.seen", "order.placed", "cart.updated", "order.paid"]),
    properties=st.dictionaries(
        st.sampled_from(["total", "vip"]), st.sampled_from([1, 100, 101, True, "x"])
    ),
    source=st.sampled_from(["", "shop"]),
    late=st.integers(-10, 40),
)
def test_a_reaction_to_an_unheard_event_changes_and_says_nothing(
    name: str, properties: dict[str, Any], source: str, late: int
) -> None:
    live = catalog(WAITING)
    entered = happened("order.placed", id="0", properties={"total": 500})
    ada = react(None, entered, catalog=live, now=NOW).customer
    one = happened(
        name,
        properties=properties,
        source=source,
        occurred_at=NOW - timedelta(hours=late),
    )

    if Unheard(live).holds(one, now=NOW_MS):
        for before in (None, ada):
            reaction = react(before, one, catalog=live, now=NOW)

            assert reaction.commands == ()
            assert reaction.trace == ()
            assert reaction.refused == ""
            assert before is None or reaction.customer is before
            assert reaction.customer.revision == (0 if before is None else ada.revision)
