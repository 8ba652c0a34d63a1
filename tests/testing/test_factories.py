from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from journeykit import InputError, Journey, Send, on
from journeykit.model.events import checked
from journeykit.testing import (
    RecordingChannel,
    Simulator,
    delivery_event,
    make_event,
    make_profile,
)


def test_an_event_needs_only_a_name() -> None:
    made = make_event("order.placed")

    assert (made.name, made.customer, made.properties) == ("order.placed", "ada", {})
    assert made.occurred_at == made.received_at


def test_equal_events_have_equal_ids_and_others_have_others() -> None:
    made = [
        make_event("order.placed", amount=40),
        make_event("order.placed", "ada", {"amount": 40}),
        make_event("order.placed", amount=41),
        make_event("order.placed", "bob", amount=40),
        make_event("order.placed", at="2026-06-01T09:00:00Z", amount=40),
    ]

    assert made[0] == made[1]
    assert len({event.id for event in made}) == 4


def test_an_event_that_no_door_would_take_is_refused() -> None:
    with pytest.raises(InputError, match="has no offset"):
        make_event("order.placed", at="2026-06-01T09:00:00")
    with pytest.raises(InputError, match="a set is not a JSON value"):
        make_event("order.placed", tags={"a"})


names = st.text(
    st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=20
)


@given(names, st.dictionaries(names, st.integers(-(2**63), 2**64 - 1)))
def test_whatever_is_made_passes_the_door(name: str, carried: dict[str, int]) -> None:
    made = make_event(name, "ada", carried)

    assert checked(made) is made


def test_a_profile_can_be_reached_everywhere_and_is_nobodys() -> None:
    made = make_profile("bob", plan="pro", zone=None)

    assert made["id"] == "bob"
    assert made["email"] == "bob@example.com"
    assert made["phone"].startswith("+447700900")
    assert made["plan"] == "pro"
    assert "zone" not in made


def test_a_report_names_the_run_that_sent_the_message() -> None:
    sim = Simulator(
        Journey(id="hi", trigger=on("x"), steps=[Send("email", "hi")]),
        start="2026-06-01T09:00:00Z",
    )
    sim.event("x", "ada")
    message = sim.sends[0]

    opened = delivery_event(message, "opened", at="2026-06-01T10:00:00Z")
    bounced = delivery_event(message, "bounced", bounce="soft")

    assert (opened.name, opened.customer) == ("message.opened", "ada")
    assert opened.properties["enrollment"] == message.enrollment
    assert opened.properties["delivery_id"] == message.delivery_id
    assert bounced.properties["bounce"] == "soft"
    assert opened.id != bounced.id
    with pytest.raises(ValueError, match="no provider reports 'read'"):
        delivery_event(message, "read")


def test_a_bounce_is_of_the_address_that_the_message_went_to() -> None:
    sim = Simulator(
        Journey(id="hi", trigger=on("x"), steps=[Send("email", "hi")]),
        start="2026-06-01T09:00:00Z",
        profiles={"ada": {"email": "old@example.com"}},
        channels=[RecordingChannel("email", address_attribute="email")],
    )
    sim.event("x", "ada")
    sim.identify("ada", email="new@example.com")

    sim.feed(delivery_event(sim.sends[0], "bounced", bounce="hard"))
    sim.event("x", "ada")

    assert [message.address for message in sim.sends] == [
        "old@example.com",
        "new@example.com",
    ]
