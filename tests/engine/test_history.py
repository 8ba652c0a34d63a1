from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from journeykit import (
    Catalog,
    Goal,
    Journey,
    Policies,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    on,
    react,
)
from journeykit.engine.customer import Customer
from journeykit.model.events import Event
from journeykit.testing import make_event

NOW = "2026-06-07T12:00:00Z"
WELCOME = Journey(
    id="welcome",
    trigger=on("signed.up"),
    goal=Goal(on("order.placed")),
    steps=[
        WaitFor([When(on("order.placed"))], timeout=days(2)),
        Send("email", "hello", purpose="transactional"),
    ],
)
CATALOG = Catalog.compile([WELCOME], policies=Policies())


def past(name: str, *, days_ago: int = 400, **properties: object) -> Event:
    now = make_event(name, "ada", at=NOW, **properties)
    return replace(
        now, occurred_at=now.received_at - timedelta(days=days_ago), history=True
    )


def after(*events: Event, customer: Customer | None = None) -> Customer:
    for event in events:
        reaction = react(
            customer, event, catalog=CATALOG, now=event.received_at, explain=True
        )
        assert reaction.commands == ()
        customer = reaction.customer
    assert customer is not None
    return customer


def test_history_enters_nobody_and_is_not_too_old() -> None:
    known = after(past("signed.up"), past("profile.updated", plan="pro"))

    assert known.active == []
    assert known.profile == {"plan": "pro"}
    assert known.seen == {}


def test_history_ends_no_wait_and_reaches_no_goal() -> None:
    signed_up = react(
        None,
        make_event("signed.up", "ada", at=NOW),
        catalog=CATALOG,
        now=make_event("x", at=NOW).received_at,
    ).customer

    known = after(past("order.placed", days_ago=1), customer=signed_up)

    [run] = known.active
    assert (run.step, run.reached) == (signed_up.active[0].step, [])


def test_what_is_due_before_history_comes_in_happens_before_it() -> None:
    waiting = Journey(id="wait", trigger=on("signed.up"), steps=[Wait(days(2))])
    catalog = Catalog.compile([waiting], policies=Policies())
    begun = make_event("signed.up", "ada", at=NOW)
    started = react(None, begun, catalog=catalog, now=begun.received_at).customer
    later = past("order.placed")
    later = replace(later, received_at=later.received_at + timedelta(days=3))

    reaction = react(started, later, catalog=catalog, now=later.received_at)

    assert reaction.customer.active == []
    assert [entry.kind for entry in reaction.trace] == ["went_on", "completed"]


def test_a_word_of_the_past_counts_from_when_it_was_said() -> None:
    [word] = after(past("consent.changed", granted=False, channel="email")).consents

    assert word.at == int(past("x").occurred_at.timestamp() * 1000)


@pytest.mark.parametrize(
    "word",
    [
        past("consent.changed", granted=False, channel="email"),
        past("consent.changed", granted=True, channel="email"),
        past("message.unsubscribed", channel="email"),
    ],
    ids=["no", "yes", "unsubscribed"],
)
@pytest.mark.parametrize("granted", [True, False], ids=["later-yes", "later-no"])
def test_a_word_of_the_past_undoes_none_that_was_said_later(
    word: Event, granted: bool
) -> None:
    said = make_event(
        "consent.changed", "ada", at=NOW, granted=granted, channel="email"
    )
    before = react(None, said, catalog=CATALOG, now=said.received_at).customer

    known = after(word, customer=before)

    assert known.consents == before.consents


def test_history_that_says_nothing_changes_nothing() -> None:
    before = after(past("profile.updated", plan="pro"))

    assert after(past("order.placed"), customer=before) is before


def test_a_profile_that_gets_too_large_is_refused() -> None:
    big = past("profile.updated", text="x" * 20_000)

    reaction = react(None, big, catalog=CATALOG, now=big.received_at)

    assert reaction.refused == "profile_too_large"
