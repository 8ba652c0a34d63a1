"""Whatever a hostile stream brings, the document keeps its bounds (§8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, strategies as st
from tests.properties.worlds import STARTS, Dice, examples, rolls

from journeykit import (
    Arm,
    Cap,
    Catalog,
    Customer,
    Emit,
    Event,
    Goal,
    Journey,
    Policies,
    Reaction,
    Send,
    Split,
    Wait,
    WaitFor,
    WakeUp,
    When,
    days,
    entry,
    event,
    hours,
    on,
    profile,
    react,
)
from journeykit.engine.customer import decode, encode, encoded
from journeykit.engine.limits import (
    ACTIVE_BYTES,
    ACTIVE_RUNS,
    CONSENTS,
    KB,
    LEDGER,
    PAST_BYTES,
    PAST_KEYS,
    PROFILE_BYTES,
    PROFILE_KEYS,
    SEEN,
    TRACE_BYTES,
    VARIABLES_BYTES,
)

DOCUMENT_BYTES = 256 * KB

HEAVY = (
    Journey(
        id="orders",
        trigger=on("order.placed"),
        key=event.order,
        reentry="always",
        steps=[
            Send("email", "thanks", variables={"a": entry.a, "b": entry.b}),
            Split([Arm("left", 50, [Wait(days(1))]), Arm("right", 50)]),
            Emit("order.thanked", {"a": entry.a, "p": profile.p}, public=True),
            Wait(days(3)),
        ],
        goal=[
            Goal(on("order.paid", where=event.a == entry.a), within=days(300)),
            Goal(on("order.kept", where=event.b == entry.b), within=days(200)),
        ],
    ),
    Journey(
        id="visits",
        trigger=[on("order.placed"), on("order.thanked")],
        reentry="always",
        steps=[
            WaitFor([When(on("order.paid"))], timeout=hours(30)),
            Send(["push", "email"], "come-back", variables={"all": profile.p}),
        ],
        goal=Goal(on("order.paid", where=event.a == entry.a), within=days(100)),
    ),
)
CATALOG = Catalog.compile(
    HEAVY,
    policies=Policies(
        caps=[Cap(500, within=days(400)), Cap(400, topic="t", calendar="month")]
    ),
)
LETTERS = ("a", "\x01", '"', "é", "𝄞")
"""One byte of JSON, six, two, two and four."""


def text(dice: Dice, n: int) -> str:
    """A text of its own, in letters that may cost more than one byte each."""
    length = dice.pick(1, 60, 250, 4_000, 60_000)
    return f"{n}{dice.pick(*LETTERS) * length}"


def payload(dice: Dice, n: int) -> dict[str, Any]:
    """A payload with the fields that the journeys keep, in any size."""
    deep: Any = text(dice, n) if dice.rare() else n
    for _ in range(dice.pick(0, 1, 30)):
        deep = [deep]
    fields: dict[str, Any] = {"order": text(dice, n), "a": n, "b": deep}
    return {**fields, "p": [n] * dice.pick(0, 10, 3_000)}


def hostile(dice: Dice, n: int) -> tuple[str, dict[str, Any]]:
    """One event of a stream that nobody meant well with."""
    match dice.pick("order", "profile", "consent", "bounce", "unsubscribe", "pay"):
        case "order":
            return "order.placed", payload(dice, n)
        case "pay":
            return dice.pick("order.paid", "order.kept"), payload(dice, n)
        case "profile":
            name = text(dice, n) if dice.rare() else f"k{n}"
            value = dice.pick(None, n, [n] * dice.pick(1, 100, 4_000))
            return "profile.updated", {name: value, "p": text(dice, n)[:3000]}
        case "consent":
            words = {"channel": text(dice, n)[:64], "topic": text(dice, n)[:64]}
            purpose = text(dice, n)[:64]
            granted = dice.pick(True, False)
            return "consent.changed", {"granted": granted, **words, "purpose": purpose}
        case "bounce":
            bounce = {"bounce": dice.pick("soft", "hard"), "address": text(dice, n)}
            channel = dice.pick("email", text(dice, n))
            return "message.bounced", {"channel": channel, **bounce}
        case _:
            words = {"channel": text(dice, n), "topic": text(dice, n)}
            return "message.unsubscribed", words


class Sizes(msgspec.Struct):
    """The parts of a document in bytes, and the largest that each has been."""

    largest: dict[str, int] = msgspec.field(default_factory=dict)

    def hold(self, reaction: Reaction) -> None:
        """Hold a reaction to its bounds."""
        customer = reaction.customer
        document = encode(customer)
        assert decode(document) == customer
        for part in ("profile", "active", "past", "ledger", "seen", "consents"):
            size = len(encoded(getattr(customer, part)))
            self.largest[part] = max(size, self.largest.get(part, 0))
        assert len(document) <= DOCUMENT_BYTES
        assert len(customer.profile) <= PROFILE_KEYS
        assert len(encoded(customer.profile)) <= PROFILE_BYTES
        assert len(customer.consents) <= CONSENTS
        assert len(customer.addresses) <= CONSENTS
        assert len(customer.active) <= ACTIVE_RUNS
        assert len(encoded(customer.active)) <= ACTIVE_BYTES
        assert len(encoded(customer.past)) <= PAST_BYTES
        assert len(customer.ledger) <= LEDGER
        assert len(customer.seen) <= SEEN
        running = {(run.journey, run.key) for run in customer.active}
        keys = [
            (journey, key)
            for journey, past in customer.past.items()
            for key in past.keys
            if (journey, key) not in running
        ]
        assert len(keys) <= PAST_KEYS
        assert len(encoded(reaction.trace)) <= TRACE_BYTES + 256  # the mark of the cut
        for command in reaction.commands:
            if hasattr(command, "variables"):
                assert len(encoded(command.variables)) <= VARIABLES_BYTES


def stream(
    dice: Dice, count: int, start: datetime, explain: bool = False
) -> tuple[Customer | None, Sizes]:
    """React to so many hostile events, with wake-ups in between."""
    customer: Customer | None = None
    sizes, now = Sizes(), start
    for n in range(count):
        now += timedelta(milliseconds=dice.pick(1, 60_000, 3_600_000, 90_000_000))
        name, properties = hostile(dice, n)
        happened = Event(
            id=str(n),
            name=name,
            customer="eve",
            occurred_at=now,
            received_at=now,
            properties=properties,
        )
        stimuli: list[Event | WakeUp]
        stimuli = [happened, WakeUp("eve")] if dice.rare() else [happened]
        for stimulus in stimuli:
            reaction = react(
                customer, stimulus, catalog=CATALOG, now=now, explain=explain
            )
            sizes.hold(reaction)
            customer = reaction.customer
    return customer, sizes


@examples(12)
@given(rolls(600), st.booleans())
def test_a_hostile_stream_never_makes_the_document_too_large(
    dice: Dice, explain: bool
) -> None:
    stream(dice, 80, STARTS[0], explain)


def test_thousands_of_distinct_ids_and_keys_fill_the_document_and_no_more() -> None:
    customer: Customer | None = None
    sizes, now = Sizes(), STARTS[0]

    for n in range(1500):
        now += timedelta(minutes=5)
        happened = Event(
            id=f"{n}",
            name=("order.placed", "order.paid", "profile.updated")[n % 3],
            customer="eve",
            occurred_at=now,
            received_at=now,
            properties={"order": f"order-{n}", "a": n, "b": "b" * (n % 3000)},
        )
        reaction = react(customer, happened, catalog=CATALOG, now=now)
        customer = reaction.customer
        if n % 10 == 0:
            sizes.hold(reaction)

    assert customer is not None
    assert len(customer.seen) > 150  # 48 hours of profile updates alone
    assert sizes.largest["past"] > PAST_BYTES // 2
