from __future__ import annotations

import msgspec
from hypothesis import given, strategies as st

from journeykit import Journey, Send, Wait, api, days, event, hours, on
from journeykit.testing import Simulator, make_event

NINE = "2026-06-01T09:00:00Z"
CART = Journey(
    id="cart",
    trigger=[on("cart.updated", where=event.total > 0), api()],
    steps=[Wait(hours(4)), Send("email", "reminder"), Wait(days(10))],
)


def test_a_timeline_tells_events_and_decisions_as_days_pass() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)
    sim.advance(days(11))

    assert str(sim) == (
        "day 1 is Monday, 2026-06-01 (UTC)\n"
        "day  1  09:00  ada        > cart.updated: total 10\n"
        "day  1  09:00  ada  cart  entered\n"
        "day  1  09:00  ada  cart  waits until 2026-06-01 13:00\n"
        "day  1  13:00  ada  cart  sent reminder by email\n"
        "day  1  13:00  ada  cart  waits until 2026-06-11 13:00\n"
        "day 11  13:00  ada  cart  completed"
    )


def test_a_timeline_can_be_of_one_customer() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)
    sim.enroll("cart", "bob", plan="pro")

    assert sim.timeline("bob").splitlines()[1:] == [
        "day 1  09:00  bob        > enroll in cart: plan pro",
        "day 1  09:00  bob  cart  entered",
        "day 1  09:00  bob  cart  waits until 2026-06-01 13:00",
    ]


def test_a_timeline_can_be_told_by_another_clock() -> None:
    sim = Simulator(CART, start="2026-06-01T20:00:00Z")
    sim.event("cart.updated", "ada", total=10)
    sim.advance(hours(5))

    told = sim.timeline(zone_name="Asia/Tokyo").splitlines()

    assert told[0] == "day 1 is Tuesday, 2026-06-02 (Asia/Tokyo)"
    assert told[-2] == "day 1  09:00  ada  cart  sent reminder by email"


def test_a_timeline_of_nothing_says_so() -> None:
    assert str(Simulator(CART, start=NINE)) == "nothing has happened"


def test_what_customers_typed_cannot_break_a_line() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", note="a\nb\x1b[31m", more="x" * 90)

    shown = sim.timeline().splitlines()[1]

    assert shown.startswith(
        r"day 1  09:00  ada    > cart.updated: note a\nb\x1b[31m, more xxx"
    )
    assert shown.endswith("…")


EVIL = st.text(st.sampled_from("a\n\r\x1b\x85\x9b\u2028"), min_size=1, max_size=8)


@given(name=EVIL, attribute=EVIL, value=EVIL)
def test_no_line_of_a_timeline_can_command_the_terminal(
    name: str, attribute: str, value: str
) -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", {attribute: value})
    sim.identify("ada", {attribute: value})
    # Names that no door takes, as a plugin might let them in all the same.
    odd = msgspec.structs.replace(make_event("x", at=NINE), name=name, customer=name)
    sim.run([odd])

    lines = sim.timeline().split("\n")

    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
