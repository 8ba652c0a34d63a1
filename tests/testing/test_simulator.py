from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Branch,
    Cap,
    Event,
    Goal,
    InputError,
    Journey,
    Policies,
    QuietHours,
    Send,
    UnknownChannel,
    Wait,
    WaitFor,
    When,
    Window,
    api,
    days,
    entry,
    event,
    has,
    hours,
    on,
    profile,
)
from journeykit.testing import (
    RecordingChannel,
    Simulator,
    Traced,
    delivery_event,
    make_event,
    make_profile,
    simulate,
)

NINE = "2026-06-01T09:00:00Z"

CART = Journey(
    id="cart",
    trigger=on("cart.updated", where=event.total > 0),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    steps=[
        Wait(hours(4)),
        Send("email", "reminder"),
        Wait(days(2)),
        Branch(
            [When(has(profile.phone) & (entry.total >= 100), [Send("sms", "nudge")])],
            otherwise=[Send("email", "last-call")],
        ),
    ],
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def decisions(sim: Simulator, customer: str | None = None) -> list[tuple[object, ...]]:
    return [
        (t.customer, t.revision, t.n, t.now_ms, t.entry)
        for t in sim.entries(customer=customer)
    ]


# --- the clock ---------------------------------------------------------------------------


def test_the_clock_stands_still_until_it_is_moved() -> None:
    sim = Simulator(CART, start=NINE)

    sim.event("cart.updated", "ada", total=10)

    assert sim.now == at(NINE)
    assert sim.next_due == at("2026-06-01T13:00:00Z")
    assert sim.sends == []


def test_what_is_due_on_the_way_happens_at_its_own_instant() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.advance(days(30))

    assert [(m.template, m.at) for m in sim.sends] == [
        ("reminder", at("2026-06-01T13:00:00Z")),
        ("last-call", at("2026-06-03T13:00:00Z")),
    ]
    assert sim.now == at("2026-07-01T09:00:00Z")


def test_an_event_at_exactly_a_due_instant_goes_first() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.event("order.placed", "ada", at="2026-06-01T13:00:00Z", amount=10)

    sim.advance(days(30))
    sim.assert_not_sent("ada")
    sim.assert_reached("ada", value=10)


def test_an_event_just_behind_a_due_instant_comes_too_late_for_it() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.event("order.placed", "ada", at="2026-06-01T13:00:00.001Z", amount=10)

    sim.assert_sent("ada", "reminder", at="2026-06-01T13:00:00Z")


def test_moving_to_a_due_instant_lets_it_happen() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.advance_to("2026-06-01T13:00:00Z")

    sim.assert_sent("ada", "reminder")


def test_the_clock_never_runs_back() -> None:
    sim = Simulator(CART, start=NINE)

    with pytest.raises(InputError, match="it is 2026-06-01T09:00:00Z already"):
        sim.event("cart.updated", "ada", at="2026-06-01T08:59:59Z")
    with pytest.raises(InputError, match="let things happen in their order"):
        sim.advance_to("2026-05-31T09:00:00Z")

    assert sim.now == at(NINE)


def test_an_event_from_elsewhere_that_is_late_arrives_now() -> None:
    sim = Simulator(CART, start=NINE)

    sim.feed(make_event("cart.updated", at="2026-06-01T07:00:00Z", total=10))

    sim.assert_waiting("ada", "cart", until="2026-06-01T13:00:00Z")


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(InputError, match="has no offset"):
        Simulator(CART, start="2026-06-01T09:00:00")


def test_time_that_is_written_as_text_passes_as_well() -> None:
    sim = Simulator(CART, start=NINE)

    sim.advance("1d12h")

    assert sim.now == at("2026-06-02T21:00:00Z")


def test_playing_out_ends_when_nobody_waits() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.play_out()

    assert sim.next_due is None
    assert sim.now == at("2026-06-03T13:00:00Z")


def test_playing_out_ends_within_its_bound() -> None:
    patient = Journey(id="patient", trigger=on("x"), steps=[Wait(days(500))])
    sim = Simulator(patient, start=NINE)
    sim.event("x", "ada")

    sim.play_out(within=days(100))

    sim.assert_waiting("ada", "patient")


# --- who there is ------------------------------------------------------------------------


def test_profiles_are_known_from_the_start() -> None:
    sim = Simulator(CART, start=NINE, profiles=[make_profile("ada", plan="pro")])

    assert sim.customers["ada"].profile["plan"] == "pro"
    assert "id" not in sim.customers["ada"].profile
    assert sim.trace == []


def test_profiles_may_be_a_mapping() -> None:
    sim = Simulator(CART, start=NINE, profiles={"ada": {"phone": "+1", "plan": None}})

    assert sim.customers["ada"].profile == {"phone": "+1"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"plan": "pro"}, "profile 1: the id must be text, not None"),
        ({"id": ""}, "profile 1: customer: needs 1 to 256 characters"),
        (
            {"id": "ada", "when": datetime.now(UTC)},
            "profile 'ada': properties.when: a datetime is not a JSON value",
        ),
        ({"id": "ada", "x": "y" * 20_000}, "profile 'ada': a profile holds"),
    ],
)
def test_a_profile_that_is_none_says_whose_it_is(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Simulator(CART, start=NINE, profiles=[wrong])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"journey": "", "customer": "ada"}, "journey: needs 1 to 128 characters"),
        ({"journey": "cart", "customer": "a\x9b"}, r"customer: 'a\\x9b' is not plain"),
        ({"journey": "cart", "customer": "ada", "id": "i" * 257}, "id: needs 1 to 256"),
        (
            {"journey": "cart", "customer": "ada", "entry": {"x": float("nan")}},
            "entry.x: nan is not a JSON number",
        ),
    ],
)
def test_enroll_keeps_the_bounds_of_every_door(
    call: dict[str, Any], message: str
) -> None:
    sim = Simulator(CART, start=NINE)

    with pytest.raises(InputError, match=message):
        sim.enroll(
            call["journey"], call["customer"], call.get("entry"), id=call.get("id")
        )

    assert not sim.customers


def test_identify_writes_to_the_profile() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=150)

    sim.identify("ada", phone="+15550100")

    sim.advance(days(3))
    sim.assert_sent("ada", "nudge", channel="sms")


def test_enroll_starts_a_journey_by_its_name() -> None:
    invited = Journey(
        id="invited",
        trigger=api(where=entry.plan == "pro"),
        steps=[Send("email", "hello", variables={"plan": entry.plan})],
    )
    sim = Simulator(invited, start=NINE)

    sim.enroll("invited", "ada", plan="pro")
    sim.enroll("invited", "bob", plan="free")

    assert sim.assert_sent("ada", "hello").variables == {"plan": "pro"}
    sim.assert_not_entered("bob", reason="condition")


def test_the_same_id_again_is_a_duplicate() -> None:
    sim = Simulator(CART, start=NINE)

    sim.event("cart.updated", "ada", id="1", total=10)
    sim.event("cart.updated", "ada", id="1", total=10)

    assert [t.reason for t in sim.entries("ignored")] == ["duplicate"]


def test_properties_with_any_name_can_be_given() -> None:
    odd = Journey(
        id="odd",
        trigger=on("x", where=(event["at"] == 1) & (event["odd name"] == 2)),
        steps=[Send("email", "odd")],
    )
    sim = Simulator(odd, start=NINE)

    sim.event("x", "ada", {"at": 1, "odd name": 2})

    sim.assert_sent("ada", "odd")


def test_channels_know_their_addresses() -> None:
    email = RecordingChannel("email", address_attribute="email")
    sim = Simulator(
        Journey(id="hi", trigger=on("x"), steps=[Send("email", "hi")]),
        start=NINE,
        channels=[email],
        profiles=[make_profile("ada"), {"id": "bob"}],
    )

    sim.event("x", "ada")
    sim.event("x", "bob")

    assert sim.assert_sent("ada").address == "ada@example.com"
    sim.assert_suppressed("bob", "hi", reason="no_address")


def test_a_channel_that_nobody_carries_is_named() -> None:
    with pytest.raises(
        UnknownChannel, match="no channel carries 'sms'; given: 'email'"
    ):
        Simulator(CART, start=NINE, channels=[RecordingChannel("email")])


# --- pause, resume, stop -----------------------------------------------------------------


def test_a_paused_journey_parks_who_comes_to_a_step() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.pause("cart")
    sim.advance(hours(10))
    sim.event("cart.updated", "bob", total=10)

    sim.assert_not_sent("ada")
    sim.assert_not_entered("bob", reason="paused")
    assert sim.next_due is None


def test_resuming_visits_at_once_who_was_parked() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)
    sim.pause("cart")
    sim.advance(hours(10))

    sim.resume("cart")

    sim.assert_sent("ada", "reminder", at="2026-06-01T19:00:00Z")


def test_a_goal_is_reached_in_a_paused_journey() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)
    sim.pause("cart")

    sim.event("order.placed", "ada", amount=10)

    sim.assert_exited("ada", reason="goal_reached")


def test_stopping_ends_all_runs_at_once() -> None:
    sim = Simulator(CART, start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.stop("cart")

    sim.assert_exited("ada", "cart", reason="stopped")
    assert sim.report()["cart"].waiting == 0


def test_stopping_leaves_other_journeys_alone() -> None:
    other = Journey(id="other", trigger=on("cart.updated"), steps=[Wait(hours(1))])
    sim = Simulator([CART, other], start=NINE)
    sim.event("cart.updated", "ada", total=10)

    sim.stop("cart")

    sim.assert_waiting("ada", "other")


def test_an_unknown_journey_can_not_be_paused() -> None:
    sim = Simulator(CART, start=NINE)

    with pytest.raises(
        ValueError, match="there is no journey 'carts'; there are 'cart'"
    ):
        sim.pause("carts")


# --- replay ------------------------------------------------------------------------------


def cart_events() -> list[Event]:
    return [
        make_event("cart.updated", "ada", at="2026-06-01T09:00:00Z", total=10),
        make_event("cart.updated", "bob", at="2026-06-01T10:00:00Z", total=20),
        make_event("order.placed", "bob", at="2026-06-02T10:00:00Z", amount=20),
    ]


def test_a_replay_is_what_the_events_do_one_by_one() -> None:
    events = cart_events()
    replayed = Simulator(CART, start=NINE)
    fed = Simulator(CART, start=NINE)

    count = replayed.run(events, until="2026-07-01T00:00:00Z")
    for item in events:
        fed.feed(item)
    fed.advance_to("2026-07-01T00:00:00Z")

    assert count == 3
    assert decisions(replayed) == decisions(fed)
    assert replayed.sends


def test_a_replay_without_an_end_stops_at_its_last_event() -> None:
    sim = Simulator(CART, start=NINE)

    sim.run(cart_events()[:2])

    assert sim.now == at("2026-06-01T10:00:00Z")
    sim.assert_waiting("ada", until="2026-06-01T13:00:00Z")


def test_what_is_due_at_the_end_happens() -> None:
    sim = Simulator(CART, start=NINE)

    sim.run(cart_events()[:1], until="2026-06-01T13:00:00Z")

    sim.assert_sent("ada", "reminder")


def test_a_replay_receives_events_when_they_occurred() -> None:
    late = make_event("cart.updated", at="2026-06-01T11:00:00Z", total=10)
    received_later = type(late)(
        id=late.id,
        name=late.name,
        customer=late.customer,
        properties=late.properties,
        occurred_at=late.occurred_at,
        received_at=at("2026-06-05T00:00:00Z"),
    )
    sim = Simulator(CART, start=NINE)

    sim.run([received_later])

    assert sim.now == at("2026-06-01T11:00:00Z")
    sim.assert_waiting("ada", until="2026-06-01T15:00:00Z")


def test_a_replay_tells_how_far_it_is() -> None:
    told: list[int] = []
    sim = Simulator(CART, start=NINE)

    sim.run(
        (make_event("seen", id=str(n), at=NINE) for n in range(2500)),
        on_progress=lambda count, now: told.append(count),
    )

    assert told == [1000, 2000, 2500]


def test_a_replay_that_keeps_nothing_counts_and_hands_on() -> None:
    traced: list[Traced] = []
    commands: list[object] = []
    kept = Simulator(CART, start=NINE)
    sim = Simulator(
        CART,
        start=NINE,
        keep=False,
        on_trace=traced.append,
        on_command=commands.append,
    )

    kept.run(cart_events(), until="2026-07-01T00:00:00Z")
    sim.run(cart_events(), until="2026-07-01T00:00:00Z")

    assert traced == kept.trace
    assert commands == kept.commands
    assert sim.report() == kept.report()
    with pytest.raises(LookupError, match="keeps no trace"):
        _ = sim.sends


def test_simulate_begins_with_the_first_event_and_plays_out() -> None:
    result = simulate(CART, cart_events())

    assert result.now == at("2026-06-03T13:00:00Z")
    result.assert_completed("ada")
    result.assert_reached("bob", value=20)


def test_simulate_stops_when_it_is_told_to() -> None:
    result = simulate(CART, cart_events(), until="2026-06-01T12:00:00Z")

    assert result.now == at("2026-06-01T12:00:00Z")
    result.assert_waiting("ada")
    result.assert_waiting("bob")


def test_what_happens_behind_the_end_is_left_out() -> None:
    sim = Simulator(CART, start=NINE)

    count = sim.run(cart_events(), until="2026-06-02T09:59:59Z")

    assert count == 2
    assert sim.goals == []


def test_an_event_at_the_end_still_happens_before_what_is_due_then() -> None:
    sim = Simulator(CART, start=NINE)
    events = [
        make_event("cart.updated", at=NINE, total=10),
        make_event("order.placed", at="2026-06-01T13:00:00Z", amount=10),
    ]

    sim.run(events, until="2026-06-01T13:00:00Z")

    sim.assert_not_sent("ada")


def test_simulate_needs_a_beginning() -> None:
    with pytest.raises(InputError, match="say when it begins"):
        simulate(CART, [])


def test_a_report_of_the_provider_reaches_the_run_that_sent() -> None:
    opened = Journey(
        id="opened",
        trigger=on("x"),
        steps=[
            Send("email", "hi"),
            WaitFor([When(on("message.opened"), [Send("email", "thanks")])]),
        ],
    )
    sim = Simulator(opened, start=NINE)
    sim.event("x", "ada")

    sim.feed(delivery_event(sim.sends[0], "opened"))

    sim.assert_sent("ada", "thanks", at="2026-06-01T09:01:00Z")


# --- what always holds -------------------------------------------------------------------

THANKS = Journey(
    id="thanks",
    trigger=on("order.placed"),
    reentry="always",
    steps=[Send("email", "thanks"), Wait(hours(3)), Send("email", "review")],
)
POLICIES = Policies(
    caps=[Cap(2, within=hours(48))],
    quiet_hours=[QuietHours(Window("20:00", "12:00"))],
)
CUSTOMERS = st.sampled_from(["ada", "bob", "cy"])
HAPPENINGS = st.lists(
    st.tuples(
        CUSTOMERS,
        st.sampled_from(["cart.updated", "order.placed", "profile.updated"]),
        # On the hour, so that events and due instants often coincide.
        st.integers(0, 60),
        st.sampled_from([0, 10, 150]),
    ),
    max_size=20,
)


def simulated(happenings: Sequence[tuple[str, str, int, int]]) -> Simulator:
    sim = Simulator([CART, THANKS], start=NINE, policies=POLICIES)
    for customer, name, hour, amount in happenings:
        # More than one event of a customer goes on with the same clock.
        when = max(sim.now, at(NINE).replace(day=1 + hour // 24, hour=hour % 24))
        sim.event(name, customer, at=when, total=amount, amount=amount)
    sim.play_out()
    return sim


def in_order(
    happenings: list[tuple[str, str, int, int]],
) -> list[tuple[str, str, int, int]]:
    return sorted(happenings, key=lambda item: item[2])


@given(HAPPENINGS)
def test_equal_events_are_decided_equally(
    happenings: list[tuple[str, str, int, int]],
) -> None:
    assert decisions(simulated(happenings)) == decisions(simulated(happenings))


@given(HAPPENINGS)
def test_what_happens_to_a_customer_does_not_depend_on_others(
    happenings: list[tuple[str, str, int, int]],
) -> None:
    ordered = in_order(happenings)

    together = simulated(ordered)

    for customer in together.customers:
        alone = simulated([item for item in ordered if item[0] == customer])
        assert decisions(alone) == decisions(together, customer)
        assert alone.customers[customer] == together.customers[customer]


@given(HAPPENINGS)
def test_the_wall_clock_shows_the_time_on_the_path(
    happenings: list[tuple[str, str, int, int]],
) -> None:
    sim = simulated(happenings)

    assert all(traced.now == traced.at for traced in sim.trace)
    assert [t.now_ms for t in sim.trace] == sorted(t.now_ms for t in sim.trace)


@given(HAPPENINGS)
def test_nobody_is_lost(happenings: list[tuple[str, str, int, int]]) -> None:
    report = simulated(happenings).report()

    for journey in report.values():
        assert journey.entered == journey.waiting + journey.ended


@given(HAPPENINGS, st.lists(st.integers(1, 100), max_size=6))
def test_moving_the_clock_in_small_steps_is_moving_it_once(
    happenings: list[tuple[str, str, int, int]], stops: list[int]
) -> None:
    once = Simulator([CART, THANKS], start=NINE, policies=POLICIES)
    stepwise = Simulator([CART, THANKS], start=NINE, policies=POLICIES)
    for sim in (once, stepwise):
        for customer, name, _, amount in happenings:
            sim.event(name, customer, total=amount, amount=amount)

    once.advance(hours(sum(stops)))
    for stop in stops:
        stepwise.advance(hours(stop))

    assert decisions(stepwise) == decisions(once)


def test_an_event_after_until_is_passed_over_and_those_behind_it_count() -> None:
    late = make_event("cart.updated", "bob", at="2026-06-09T09:00:00Z", total=5)
    soon = make_event("cart.updated", "ada", at=NINE, total=5)
    sim = Simulator(CART, start=NINE)

    count = sim.run([late, soon], until="2026-06-02T09:00:00Z")
    at_once = simulate(CART, [late, soon], until="2026-06-02T09:00:00Z")

    assert count == 1
    assert set(sim.customers) == set(at_once.customers) == {"ada"}
    assert at_once.now == sim.now == datetime(2026, 6, 2, 9, tzinfo=UTC)


def test_a_refused_event_is_told_before_the_next_one_is_asked_for() -> None:
    said: list[str] = []

    def events() -> Iterator[Event]:
        for customer, size in (("ada", 20_000), ("bob", 1)):
            said.append(f"{customer} comes")
            yield make_event("profile.updated", customer, at=NINE, bio="x" * size)

    sim = Simulator(CART, start=NINE)
    sim.run(
        events(), on_refused=lambda event, why: said.append(f"{event.customer} {why}")
    )

    assert said == ["ada comes", "ada profile_too_large", "bob comes"]
