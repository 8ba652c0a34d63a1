"""The customers that sizes and costs are told of: the reference document, and its kind.

A customer of a shop, with what makes a document large: running journeys, past ones, the
ledger of messages, the hashes of events seen. Ids and hashes are as good as random, as
they are in life, so nothing compresses better here than there. It is the same customer
in every run.
"""

from __future__ import annotations

import random

from msgspec.structs import replace

from journeykit.engine.customer import (
    SCHEMA,
    Address,
    Consent,
    Customer,
    Enrollment,
    Past,
    Released,
    Watch,
)

NOW = 1_780_304_400_000  # 2026-06-01T09:00:00Z
REFERENCE = 9  # KB of JSON

_SCALES = {1: 0.05, 4: 0.42, REFERENCE: 1.12, 16: 2.04, 64: 8.47}
SIZES = tuple(_SCALES)
"""Kilobytes of JSON, of which costs are told."""

_DAY = 24 * 60 * 60_000
_JOURNEYS = ("welcome", "cart", "win-back", "birthday", "loyalty", "price-drop")


def reference_customer(
    id: str = "customer-0018274", *, kb: int = REFERENCE
) -> Customer:
    """Return the customer whose document is about so many kilobytes of JSON.

    Args:
        id: Who.
        kb: Kilobytes, one of `SIZES`.
    """
    customer = _customer(id, _SCALES[kb])
    dues = [run.due for run in customer.active if run.due is not None]
    return replace(customer, next_due=min(dues, default=None))


def _customer(id: str, scale: float) -> Customer:
    dice = random.Random(id)  # noqa: S311 - the same in every run

    def hexed(digits: int = 24) -> str:
        return f"{dice.getrandbits(4 * digits):0{digits}x}"

    def ago(days: int) -> int:
        return NOW - dice.randrange(days * _DAY)

    def some(most: int) -> range:
        return range(round(most * scale))

    runs = [_JOURNEYS[n % 4] + ("" if n < 4 else f"-{n}") for n in some(4)]
    past = [_JOURNEYS[n % 6] + ("" if n < 6 else f"-{n}") for n in some(6)]
    topics = ("", "news", "offers")
    return Customer(
        id,
        NOW - 400 * _DAY,
        SCHEMA,
        revision=211,
        clock=NOW,
        catalog=1,
        profile={
            "email": "maria.lindqvist@example.com",
            "phone": "+46701234567",
            "first_name": "Maria",
            "last_name": "Lindqvist",
            "zone": "Europe/Stockholm",
            "city": "Göteborg",
            "loyalty_points": 18450,
            "signed_up_at": "2025-04-27T09:14:03Z",
            "last_order_at": "2026-05-11T18:22:41Z",
            "favorite_category": "outdoor",
            "interests": ["hiking", "camping", "trail running"],
            "push_token": hexed(64),
            # What a larger company knows more of its customers.
            **{f"trait_{n:02}": hexed(16) for n in range(round(8 * (scale - 1)))},
        },
        addresses={hexed(): Address("", ago(60)) for _ in range(2)},
        consents=[
            Consent(True, ago(300), channel=channel, topic=topic)
            for channel in ("email", "sms", "push")
            for topic in (topics if scale >= 0.5 else topics[:1])
        ],
        active=[
            Enrollment(
                hexed(),
                journey,
                1,
                1,
                ago(5),
                entry={"cart": {"id": hexed(12), "total": 129.9, "currency": "SEK"}},
                step="wait-for-purchase",
                visit=2,
                arrived_at=ago(3),
                due=NOW + _DAY * (n + 1) // (len(runs) + 1),
                watches=[Watch("purchase", NOW + 7 * _DAY)],
            )
            for n, journey in enumerate(runs)
        ],
        past={
            journey: Past(
                3, ago(60), ago(60), [ago(60) for _ in range(3)], outcome="completed"
            )
            for journey in past
        },
        ledger=[
            Released(
                ago(30),
                dice.choice(("email", "email", "sms", "push")),
                dice.choice(topics),
                dice.choice(_JOURNEYS),
                "marketing",
                hexed(),
            )
            for _ in some(44)
        ],
        seen={dice.getrandbits(64): ago(2) for _ in some(48)},
        salt=hexed(16),
    )
