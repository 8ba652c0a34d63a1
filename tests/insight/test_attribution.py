"""Attribution against a plain count over the same messages and conversions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.insight.recording import record
from tests.insight.tables import DAY, START, emptied, put

from journeykit import Event, Goal, Holdout, Journey, Send, Wait, days, event, on
from journeykit.errors import InputError
from journeykit.insight.attribution import Attribution, attribution
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.amount, within=days(9)),
    steps=[
        Wait(days(1)),
        Send("email", "reminder"),
        Wait(days(2)),
        Send("sms", "last"),
    ],
)
NEWS = Journey("news", trigger=on("news.wanted"), steps=[Send("email", "news")])


def happened(name: str, customer: str, day: int, **options: Any) -> Event:
    return make_event(name, customer, at=f"2026-06-{day:02}T09:00:00Z", **options)


STORY = [
    happened("cart.updated", "ada", 1),
    happened("cart.updated", "ben", 1),
    happened("order.placed", "ben", 2, amount=40),
    happened("news.wanted", "ada", 3),
    happened("order.placed", "ada", 6, amount=12.5),
]
WORTH = {("cart", "order"): '$."amount"'}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Warehouse]:
    logs = record(tmp_path, [CART, NEWS], STORY)
    with Warehouse.open(logs, worth=WORTH) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with Warehouse.open(Logs([])) as opened:
        yield opened


def credit(found: Attribution, rule: str) -> dict[str, tuple[float, float]]:
    return {
        one.template: (getattr(one, rule).conversions, getattr(one, rule).worth)
        for one in found.credits
    }


def test_the_last_the_first_and_each_message_is_credited(house: Warehouse) -> None:
    found = attribution(house, "cart@goal:order")

    assert (found.conversions, found.people, found.worth) == (2, 2, 52.5)
    assert (found.credited.count, found.uncredited_worth) == (1, 40.0)
    # ada: a reminder on the 2nd, news on the 3rd, the last message on the 4th.
    nothing = (0.0, 0.0)
    assert credit(found, "last") == {
        "last": (1.0, 12.5), "reminder": nothing, "news": nothing
    }  # fmt: skip
    assert credit(found, "first") == {
        "last": nothing, "reminder": (1.0, 12.5), "news": nothing
    }  # fmt: skip
    third = (pytest.approx(1 / 3), pytest.approx(12.5 / 3))
    assert credit(found, "linear") == {"last": third, "reminder": third, "news": third}


def test_only_messages_in_the_window_are_credited(house: Warehouse) -> None:
    # The news came exactly three days before the order: its window is just over.
    assert set(credit(attribution(house, "cart@goal", within="3d"), "last")) == {"last"}
    found = attribution(house, "cart@goal", within="72h1s")
    assert set(credit(found, "last")) == {"last", "news"}


def test_a_runs_own_messages_can_be_asked_for(house: Warehouse) -> None:
    found = attribution(house, "cart@goal", own=True)

    assert set(credit(found, "last")) == {"last", "reminder"}


def test_an_event_is_worth_what_its_field_says(house: Warehouse) -> None:
    found = attribution(house, "order.placed", value="event.amount")
    dear = attribution(
        house, "order.placed where event.amount > 20", value="event.amount"
    )

    assert (found.conversions, found.worth, found.worth_unknown) == (2, 52.5, 0)
    assert (dear.conversions, dear.worth, dear.credits) == (1, 40.0, [])


def test_a_worth_that_is_not_known_is_told(house: Warehouse) -> None:
    found = attribution(house, "cart.updated", value="event.amount")

    assert (found.worth, found.worth_unknown) == (0, 2)
    assert "of 2 conversions it is not known" in found.notes[0]


def test_a_message_that_was_not_opened_is_no_touch_of_openings(tmp_path: Path) -> None:
    fates: Any = {"email": ["delivered", "opened after 3h"], "sms": ["delivered"]}
    logs = record(tmp_path, CART, STORY, fates=fates)

    with Warehouse.open(logs, worth=WORTH) as house:
        opened = attribution(house, "cart@goal", touch="opened")
        clicked = attribution(house, "cart@goal", touch="clicked")

    assert set(credit(opened, "last")) == {"reminder"}
    assert clicked.credits == []
    assert clicked.credited.share == 0


def test_a_message_that_bounced_is_no_touch(tmp_path: Path) -> None:
    fates: Any = {"email": "delivered", "sms": "bounced"}
    logs = record(tmp_path, CART, STORY, fates=fates)

    with Warehouse.open(logs) as house:
        delivered = attribution(house, "cart@goal")
        sent = attribution(house, "cart@goal", touch="sent")

    assert set(credit(delivered, "last")) == {"reminder"}
    assert set(credit(sent, "last")) == {"last", "reminder"}


def test_who_is_held_out_has_no_part_in_it(tmp_path: Path) -> None:
    held = Journey(
        "held",
        trigger=on("cart.updated"),
        holdout=Holdout(99.99),
        goal=Goal(on("order.placed")),
        steps=[Send("email", "x")],
    )

    with Warehouse.open(record(tmp_path, held, STORY)) as house:
        found = attribution(house, "held@goal")

    assert (found.conversions, found.credits) == (0, [])


def test_who_was_never_decided_about_is_told(tmp_path: Path) -> None:
    story = [*STORY, happened("order.placed", "eve", 8, amount=1)]

    with Warehouse.open(record(tmp_path, CART, story)) as house:
        found = attribution(house, "order.placed")

    assert found.conversions == 3
    assert "1 of them are about people" in found.notes[0]


@pytest.mark.parametrize(
    ("conversion", "options", "why"),
    [
        ("order.placed", {"own": True}, "belongs to no run"),
        ("cart@goal", {"value": "event.amount"}, "is no event"),
        ("order.placed", {"value": "profile.x"}, "no field of the event"),
        ("order.placed", {"value": "event.amount >"}, "value 'event.amount >'"),
        ("order.placed", {"value": "event"}, "no field of the event"),
        ("order.placed", {"touch": "read"}, "one of sent, delivered"),
        ("order.placed", {"within": "0s"}, "longer than nothing"),
    ],
    ids=["own event", "goal's value", "profile", "broken", "event", "touch", "window"],
)
def test_what_can_not_be_credited_is_refused(
    house: Warehouse, conversion: str, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        attribution(house, conversion, **options)


PEOPLE = st.integers(1, 3)
INSTANTS = st.integers(0, 20)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(st.tuples(PEOPLE, st.sampled_from("xyz"), INSTANTS), max_size=15),
    bought=st.lists(st.tuples(PEOPLE, INSTANTS, st.integers(0, 9)), max_size=10),
    window=st.integers(1, 10),
)
def test_all_credit_adds_up_and_goes_where_it_should(
    empty: Warehouse,
    sent: list[tuple[int, str, int]],
    bought: list[tuple[int, int, int]],
    window: int,
) -> None:
    emptied(empty)
    put(
        empty,
        "messages",
        [
            {
                "delivery": n, "run": n, "person": person, "journey": "j", "version": 1,
                "step": step, "channel": "email", "template": step,
                "sent_ms": START + at * DAY, "test": False,
            }
            for n, (person, step, at) in enumerate(sent)
        ],
    )  # fmt: skip
    put(
        empty,
        "events",
        [
            {
                "event": n, "id": str(n), "source": "", "name": "bought",
                "person": person, "customer_known": True,
                "happened_ms": START + at * DAY, "received_ms": START + at * DAY,
                "test": False, "properties": f'{{"amount": {amount}}}',
            }
            for n, (person, at, amount) in enumerate(bought)
        ],
    )  # fmt: skip

    found = attribution(empty, "bought", value="event.amount", within=f"{window}d")

    expected: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    credited = 0
    for person, at, amount in bought:
        before = sorted(
            (then, n, step)
            for n, (who, step, then) in enumerate(sent)
            if who == person and then < at < then + window
        )
        credited += bool(before)
        for number, (_, _, step) in enumerate(before):
            expected[step]["linear"] += amount / len(before)
            expected[step]["first"] += amount if number == 0 else 0
            expected[step]["last"] += amount if number == len(before) - 1 else 0
    assert found.credited.count == credited
    assert found.worth == sum(amount for _, _, amount in bought)
    for rule in ("last", "first", "linear"):
        assert {step: worth for step, (_, worth) in credit(found, rule).items()} == {
            step: pytest.approx(worths[rule]) for step, worths in expected.items()
        }
        total = math.fsum(n for n, _ in credit(found, rule).values())
        assert total == pytest.approx(credited)
