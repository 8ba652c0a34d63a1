from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    Call,
    CallAction,
    Catalog,
    Customer,
    Event,
    Journey,
    Policies,
    Reaction,
    Send,
    Wait,
    WakeUp,
    days,
    entered,
    entry,
    event,
    on,
    profile,
    react,
)
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import created, decode, encode
from journeykit.engine.stimuli import Launch
from journeykit.errors import UnknownAction
from journeykit.model.events import CALL_COMPLETED, CALL_FAILED
from journeykit.testing import Simulator

START = 1_767_225_600_000  # 2026-01-01T00:00Z
HOUR = 3_600_000


def make_journey(**fields: Any) -> Journey:
    return Journey(
        "welcome",
        trigger=on("signed.up"),
        unique=profile.email,
        steps=[Wait(days(1)), Send("email", "hi", variables={"n": entry.n})],
        **fields,
    )


def make_sim(journey: Journey, **profiles: dict[str, Any]) -> Simulator:
    return Simulator(journey, start="2026-01-01T00:00:00Z", profiles=profiles)


def runs(sim: Simulator) -> dict[str, int]:
    """How many runs each customer has begun."""
    return {
        id: past.count
        for id, customer in sim.customers.items()
        if (past := customer.past.get("welcome")) is not None
    }


def test_of_two_who_share_an_address_one_enters() -> None:
    sim = make_sim(
        make_journey(),
        ada={"email": "Ada@example.com "},
        bob={"email": "ada@example.com"},
    )

    for customer in ("ada", "bob"):
        sim.event("signed.up", customer, n=1)

    assert runs(sim) == {"ada": 1}
    sim.assert_not_entered("bob", "welcome", reason="not_unique")


def test_who_changes_the_address_enters_with_the_new_one() -> None:
    sim = make_sim(
        make_journey(reentry="never"), ada={"email": "a@x.de"}, bob={"email": "a@x.de"}
    )
    for customer in ("ada", "bob"):
        sim.event("signed.up", customer, n=1)

    sim.identify("bob", email="b@x.de")
    for customer in ("ada", "bob"):
        sim.event("signed.up", customer, n=2)

    assert runs(sim) == {"ada": 1, "bob": 1}  # who was refused has never entered


def test_who_holds_the_place_enters_again_as_re_entry_says() -> None:
    sim = make_sim(make_journey(), ada={"email": "a@x.de"})
    sim.event("signed.up", "ada", n=1)
    sim.advance("P2D")

    sim.event("signed.up", "ada", n=2)
    sim.advance("P2D")

    sends = [message.variables for message in sim.sends_to("ada")]
    assert sends == [{"n": 1}, {"n": 2}]


def test_who_holds_the_place_does_not_ask_again() -> None:
    catalog = make_catalog(make_journey(reentry="always"))
    first = heard(make_customer(), "signed.up", catalog, n=1)
    said = {"call_id": asked(first).call_id, "result": {"granted": True, "place": 1}}
    second = heard(first.customer, CALL_COMPLETED, catalog, **said)

    third = heard(second.customer, "signed.up", catalog, hours=1, n=2)

    assert third.commands == ()
    assert [run.entry for run in third.customer.active] == [{"n": 1}, {"n": 2}]


def test_who_has_no_value_does_not_enter() -> None:
    sim = make_sim(make_journey(), ada={}, bob={"email": ""}, cy={"email": None})

    for customer in ("ada", "bob", "cy"):
        sim.event("signed.up", customer)

    assert runs(sim) == {}
    for customer in ("ada", "bob", "cy"):
        sim.assert_not_entered(customer, "welcome", reason="unique_missing")


def test_numbers_and_keys_are_kept_apart() -> None:
    journey = Journey(
        "welcome",
        trigger=on("signed.up"),
        unique=event.card,
        key=event.order,
        steps=[Wait(days(1))],
    )
    sim = make_sim(journey, ada={}, bob={})

    sim.event("signed.up", "ada", card=7, order="A")
    sim.event("signed.up", "ada", card=7, order="B")
    sim.event("signed.up", "bob", card=7.0, order="C")
    sim.event("signed.up", "bob", card=8, order="C")

    assert runs(sim) == {"ada": 2, "bob": 1}
    assert sorted(run.key for run in sim.customers["ada"].active) == ["A", "B"]


# Between the question and the answer


def make_catalog(journey: Journey | None = None, **options: Any) -> Catalog:
    return Catalog.compile([journey or make_journey()], policies=Policies(), **options)


def make_customer() -> Customer:
    return created("ada", START, {"email": "a@x.de"})


def heard(
    customer: Customer, name: str, catalog: Catalog, *, hours: int = 0, **said: Any
) -> Reaction:
    at = to_datetime(START + hours * HOUR)
    stimulus = Event(
        id=f"{name}-{hours}-{len(said)}",
        name=name,
        customer="ada",
        properties=said,
        occurred_at=at,
        received_at=at,
    )
    return react(decode(encode(customer)), stimulus, catalog=catalog, now=at)


def asked(reaction: Reaction) -> CallAction:
    (command,) = reaction.commands
    assert isinstance(command, CallAction)
    return command


def test_the_question_is_a_claim_and_says_no_address() -> None:
    reaction = heard(make_customer(), "signed.up", make_catalog(), n=1)

    call = asked(reaction)
    assert call.action == "claim"
    assert call.arguments.keys() == {"key", "holder", "limit"}
    assert call.arguments["holder"] == "ada"
    assert call.arguments["limit"] == 1
    assert "a@x.de" not in repr(call)
    assert [one.kind for one in reaction.trace] == ["claiming"]
    assert reaction.customer.active == []


def test_the_run_begins_with_the_answer_and_knows_its_event() -> None:
    catalog = make_catalog(make_journey(key=event.order))
    first = heard(make_customer(), "signed.up", catalog, n=1, order="A")

    second = heard(
        first.customer,
        CALL_COMPLETED,
        catalog,
        hours=1,
        call_id=asked(first).call_id,
        enrollment="",
        result={"granted": True, "place": 1},
    )

    (run,) = second.customer.active
    assert (run.entered_at, run.entry, run.key) == (START + HOUR, {"n": 1}, "A")
    assert second.customer.next_due == START + HOUR + 24 * HOUR


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        (CALL_COMPLETED, {"result": {"granted": False, "place": 0}}, "not_unique"),
        (CALL_COMPLETED, {"result": {"granted": "yes"}}, "not_unique"),
        (CALL_COMPLETED, {"result": None}, "claim_failed"),
        (CALL_FAILED, {"reason": "gave_up"}, "claim_failed"),
    ],
    ids=["taken", "nonsense", "no result", "failed"],
)
def test_without_a_place_nobody_enters(
    name: str, said: dict[str, Any], reason: str
) -> None:
    catalog = make_catalog()
    first = heard(make_customer(), "signed.up", catalog, n=1)

    second = heard(
        first.customer, name, catalog, hours=1, call_id=asked(first).call_id, **said
    )

    assert second.customer.active == []
    assert second.customer.progress == {}
    assert second.customer.next_due is None
    assert [(one.kind, one.reason) for one in second.trace] == [("not_entered", reason)]


def test_who_waits_for_an_answer_does_not_ask_again() -> None:
    catalog = make_catalog()
    first = heard(make_customer(), "signed.up", catalog, n=1)

    second = heard(first.customer, "signed.up", catalog, hours=1, n=2)

    assert second.commands == ()
    assert [(one.kind, one.reason) for one in second.trace] == [
        ("not_entered", "already_in")
    ]


def test_two_launches_before_the_answer_ask_once() -> None:
    journey = Journey(
        "welcome",
        trigger=entered("vip"),
        unique=profile.email,
        reentry="always",
        steps=[Send("email", "hi")],
    )
    catalog = make_catalog(journey)
    at = to_datetime(START)
    known = msgspec.structs.replace(make_customer(), segments={"vip": START})

    def launched(customer: Customer, id: str) -> Reaction:
        stimulus = Launch(id=id, journey="welcome", customer="ada", received_at=at)
        return react(customer, stimulus, catalog=catalog, now=at)

    first = launched(known, "job-1")
    second = launched(first.customer, "job-2")

    assert asked(first).action == "claim"
    assert second.commands == ()
    assert [(one.kind, one.reason) for one in second.trace] == [
        ("not_entered", "already_in")
    ]


def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    catalog = make_catalog()
    first = heard(make_customer(), "signed.up", catalog, n=1)
    call = asked(first)
    assert first.customer.next_due == call.expires_at == START + HOUR

    second = react(
        first.customer, WakeUp("ada"), catalog=catalog, now=to_datetime(START + HOUR)
    )
    late = heard(
        second.customer,
        CALL_COMPLETED,
        catalog,
        hours=2,
        call_id=call.call_id,
        result={"granted": True},
    )

    assert [(one.kind, one.reason) for one in second.trace] == [
        ("not_entered", "claim_failed")
    ]
    assert second.customer.next_due is None
    assert late.customer.active == []
    assert [(one.kind, one.reason) for one in late.trace] == [
        ("ignored", "late_result")
    ]


def test_the_answer_of_somebody_elses_call_means_nothing() -> None:
    catalog = make_catalog()
    first = heard(make_customer(), "signed.up", catalog, n=1)

    second = heard(
        first.customer, CALL_COMPLETED, catalog, call_id="x", result={"granted": True}
    )

    assert second.customer.active == []
    assert second.customer.progress == first.customer.progress


def test_a_journey_that_was_paused_meanwhile_takes_nobody() -> None:
    first = heard(make_customer(), "signed.up", make_catalog(), n=1)
    paused = make_catalog(states={"welcome": "paused"}, revision=2)

    second = heard(
        first.customer,
        CALL_COMPLETED,
        paused,
        hours=1,
        call_id=asked(first).call_id,
        result={"granted": True},
    )

    assert second.customer.active == []
    assert ("not_entered", "paused") in [(one.kind, one.reason) for one in second.trace]


def test_test_traffic_stays_test_traffic() -> None:
    catalog = make_catalog()
    at = to_datetime(START)
    stimulus = Event(
        id="1",
        name="signed.up",
        customer="ada",
        occurred_at=at,
        received_at=at,
        test=True,
    )
    first = react(make_customer(), stimulus, catalog=catalog, now=at)
    assert asked(first).test

    second = heard(
        first.customer,
        CALL_COMPLETED,
        catalog,
        call_id=asked(first).call_id,
        result={"granted": True, "place": 0},
    )

    assert second.customer.active[0].test
    again = heard(
        second.customer,
        "signed.up",
        make_catalog(make_journey(reentry="always")),
        hours=1,
    )
    assert asked(again).arguments["holder"] == "ada"  # no place was taken


def test_a_step_that_calls_is_not_taken_for_a_claim() -> None:
    journey = Journey("welcome", trigger=on("signed.up"), steps=[Call("claim")])
    sim = Simulator(
        [journey],
        start="2026-01-01T00:00:00Z",
        profiles={"ada": {}},
        calls={"claim": {"granted": False}},
    )

    sim.event("signed.up", "ada")

    sim.assert_completed("ada", "welcome")


def test_claims_are_bounded() -> None:
    journeys = [
        Journey(f"j{n}", trigger=on("x"), unique=profile.email, steps=[])
        for n in range(12)
    ]
    catalog = Catalog.compile(journeys, policies=Policies())

    reaction = heard(make_customer(), "x", catalog)

    assert len(reaction.commands) == 8
    assert len({c.call_id for c in reaction.commands if isinstance(c, CallAction)}) == 8
    refused = [one for one in reaction.trace if one.kind == "not_entered"]
    assert {one.reason for one in refused} == {"too_many_enrollments"}


def test_a_process_that_cant_claim_runs_no_such_journey() -> None:
    from journeykit.runtime.catalogs import Draft, LiveCatalog, next_catalog
    from journeykit.testing import MemoryStore

    journey, store = make_journey(), MemoryStore()
    draft = Draft(
        {journey.id: journey.to_plan()},
        {journey.id: journey.fingerprint},
        Policies().to_plan(),
    )
    store.publish(next_catalog(None, draft, at=to_ms(to_datetime(START))).document)
    channels = {"email": make_catalog().guards.rules_of("email")}

    LiveCatalog(store, channels=channels, actions=["claim"])()
    with pytest.raises(Exception, match="nobody provides action 'claim'") as caught:
        LiveCatalog(store, channels=channels)()
    assert isinstance(caught.value.__cause__, UnknownAction)
