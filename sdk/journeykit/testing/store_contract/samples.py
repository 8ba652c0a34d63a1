"""Customers, commands and the rest that the contracts keep in a store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from journeykit.engine.commands import CallAction, SendMessage
from journeykit.engine.customer import (
    Address,
    Consent,
    Customer,
    Enrollment,
    Finished,
    Past,
    Released,
    Visits,
    Watch,
    created,
)
from journeykit.engine.stimuli import (
    Absorb,
    Enroll,
    Launch,
    Merge,
    Remove,
    Returned,
    Stimulus,
    WakeUp,
)
from journeykit.model.events import Event
from journeykit.ports import CatalogDocument, Change, DeadLetter

NOW = 1_780_000_000_000
HOUR = 60 * 60 * 1000
DAY = 24 * HOUR
INSTANT = datetime(2026, 6, 1, 12, 30, 0, 250_000, tzinfo=UTC)

# No door lets NUL in; everything else may be somebody's id.
ODD_IDS = (
    *("a'b", 'a"b', "a;b -- c", "a/b\\c", "%_*?", " ", "\n\t", "0", "1e3", "null"),
    *("Zoë", "名前", "👩‍👩‍👧", "\u202e", "\x7f\x1f", "x" * 256, "🙂" * 64),
)


def make_person(id: str, **fields: Any) -> Customer:
    """A customer's first revision."""
    return replace(created(id, NOW), **{"revision": 1, **fields})


def make_later(customer: Customer, **fields: Any) -> Customer:
    """The next revision."""
    return replace(customer, **{"revision": customer.revision + 1, **fields})


def make_newcomer(id: str) -> Change:
    """The change that somebody comes in with."""
    return Change(None, make_person(id))


def make_full(id: str, **fields: Any) -> Customer:
    """Somebody in whose document every part has something."""
    watch = Watch("bought", NOW + DAY)
    return make_person(
        id,
        clock=NOW,
        catalog=7,
        profile={"city": "Zürich", "nested": {"list": [1, None, "x"]}, "big": 2**63},
        addresses={"a": Address("bounced", NOW)},
        consents=[Consent(True, NOW, channel="email")],
        active=[
            Enrollment(
                "e1",
                "welcome",
                3,
                1,
                NOW,
                entry={"sum": 1.5},
                step="wait",
                due=NOW + HOUR,
                latches={"wait": -1},
                watches=[watch],
            )
        ],
        past={
            "vouchers": Past(
                2,
                NOW,
                NOW,
                [NOW],
                keys={"k": Visits(1, NOW)},
                finished=[Finished("e0", 1, watches=[watch])],
            )
        },
        ledger=[Released(NOW, "email", "", "welcome", "marketing", "d0")],
        counters={"all": 3},
        seen={2**64 - 1: NOW, 0: NOW},
        **fields,
    )


def make_message(id: str, **fields: Any) -> SendMessage:
    """A message to Ada."""
    message = SendMessage(
        delivery_id=id,
        customer="ada",
        channel="email",
        address="ada@example.com",
        template="hello",
        variables={},
        at=NOW,
        journey="welcome",
        version=3,
        step="send-email",
        enrollment="e1",
        purpose="marketing",
    )
    return replace(message, **fields)


def make_call(id: str, **fields: Any) -> CallAction:
    """A call of an action for Ada."""
    call = CallAction(
        call_id=id,
        customer="ada",
        action="voucher",
        arguments={},
        at=NOW,
        journey="welcome",
        version=3,
        step="call-voucher",
        enrollment="e1",
        retries=2,
        expires_at=NOW + DAY,
    )
    return replace(call, **fields)


def make_stimuli() -> list[Stimulus]:
    """One of each kind."""
    return [
        Event(
            id="1",
            name="order.placed",
            customer="ada",
            occurred_at=INSTANT,
            received_at=INSTANT,
            properties={"sum": 1.5, "items": [{"sku": "é"}]},
            source="shop",
            test=True,
        ),
        Enroll(
            id="2",
            journey="welcome",
            customer="ada",
            received_at=INSTANT,
            entry={"plan": None},
        ),
        Remove(id="3", journey="welcome", customer="ada", received_at=INSTANT),
        Returned(
            message=make_message("d1", variables={"x": 1}),
            until=NOW,
            reason="pace",
            received_at=INSTANT,
        ),
        WakeUp("ada"),
        Merge(
            id="5",
            customer="ada",
            into="bob",
            received_at=INSTANT,
            unless_known=("anonymous",),
        ),
        Absorb(
            id="6",
            customer="ada",
            merged="~a",
            snapshot={"id": "~a", "profile": {"city": "Zürich"}, "seen": {"1": NOW}},
            received_at=INSTANT,
            log_id="5e88",
        ),
        Launch(id="7", journey="welcome", customer="ada", received_at=INSTANT),
    ]


def make_letter(reason: str, **fields: Any) -> DeadLetter:
    """A dead letter about Ada."""
    return replace(DeadLetter(NOW, "http", reason, "ada", "event", b"body"), **fields)


def make_catalog(revision: int, **fields: Any) -> CatalogDocument:
    """A small catalog."""
    document = CatalogDocument(
        revision=revision,
        at=NOW,
        release="0.1.0",
        journeys=[{"id": "welcome", "version": revision, "steps": []}],
        policies={"caps": []},
        states={"welcome": "paused"},
        reasons={"welcome": "because"},
        fingerprints={"welcome": "abc"},
    )
    return replace(document, **fields)
