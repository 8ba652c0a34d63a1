"""Update writes to the profile; Emit lets an event happen."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Emit,
    Goal,
    Journey,
    ReEntry,
    Send,
    Update,
    Wait,
    WaitFor,
    When,
    api,
    entry,
    event,
    hours,
    on,
    profile,
)
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def test_update_writes_constants_and_references(drive: Any) -> None:
    ada = drive(journey(Update({"plan": "paid", "total": entry.total, "deep": [1]})))

    ada.event("start", total=9)

    assert ada.customer.profile == {"plan": "paid", "total": 9, "deep": [1]}


def test_update_with_nothing_removes_an_attribute(drive: Any) -> None:
    ada = drive(journey(Update({"plan": None})))
    ada.event("profile.updated", plan="paid")

    ada.event("start")

    assert ada.customer.profile == {}


def test_a_reference_that_holds_nothing_changes_nothing(drive: Any) -> None:
    ada = drive(journey(Update({"plan": entry.plan, "x": 1})))
    ada.event("profile.updated", plan="paid")

    ada.event("start")

    assert ada.customer.profile == {"plan": "paid", "x": 1}
    assert ada.details("updated") == [{"fields": ["x"], "missing": ["plan"]}]


def test_an_update_that_makes_the_profile_too_large_fails_the_run(drive: Any) -> None:
    ada = drive(journey(Update({"x": "x" * 17_000})))

    ada.event("start")

    assert ada.did[-1] == "failed profile_too_large"
    assert ada.customer.profile == {}


def test_an_update_reaches_the_goal_of_another_journey(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(9)), id="a", goal=Goal(profile.plan == "paid")),
        journey(Update({"plan": "paid"}), id="b"),
    )

    ada.event("start")

    assert ada.did[-2:] == ["goal goal", "exited goal_reached"]


def test_an_update_meets_the_exit_rule_of_its_own_journey(drive: Any) -> None:
    ada = drive(journey(Update({"x": 1}), Wait(hours(1)), exit_rules=[profile.x == 1]))

    ada.event("start")

    assert ada.did[-1] == "exited exit_rule"


def test_one_is_not_true_though_python_thinks_so(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(profile.x == True, [Send("sms", "yes")])])))
    ada.event("profile.updated", x=1)
    ada.event("start")

    ada.event("profile.updated", x=True)

    assert ada.sent == ["yes +0s"]


def test_all_journeys_of_the_customer_hear_what_is_emitted(drive: Any) -> None:
    ada = drive(
        journey(Emit("cart.rescued", {"sum": entry.sum}), id="a"),
        journey(Send("sms", "thanks"), id="b", trigger=on("cart.rescued")),
        journey(WaitFor([When(on("cart.rescued"), [Send("sms", "w")])]), id="c"),
    )

    ada.event("start", sum=5)

    assert sorted(ada.sent) == ["thanks +0s", "w +0s"]


def test_an_emitted_event_carries_values_and_its_own_id(drive: Any) -> None:
    ada = drive(
        journey(Emit("cart.rescued", {"sum": entry.sum, "by": "us"}), id="a"),
        journey(
            Send("sms", "x", variables={"sum": entry.sum, "id": entry["$id"]}),
            id="b",
            trigger=on("cart.rescued", where=event.by == "us"),
        ),
    )

    ada.event("start", sum=5)

    (command,) = ada.commands
    assert command.variables["sum"] == 5
    assert len(command.variables["id"]) == 24


def test_the_queue_is_served_when_the_rounds_are_done(drive: Any) -> None:
    ada = drive(
        journey(Emit("go"), Send("sms", "first"), id="a"),
        journey(Send("sms", "second"), id="b", trigger=on("go"), priority=9),
    )

    ada.event("start")

    assert ada.sent == ["first +0s", "second +0s"]


def test_an_emitted_event_is_remembered_as_seen(drive: Any) -> None:
    ada = drive(
        journey(Emit("go", public=True), id="a"),
        journey(id="b", trigger=on("go"), reentry="always"),
    )
    ada.event("start")
    (command,) = ada.published

    told = ada.event("go", id=command.id)

    assert told == ["ignored duplicate"]


@pytest.mark.parametrize("public", [True, False])
def test_only_a_public_event_is_published(drive: Any, public: bool) -> None:
    ada = drive(journey(Emit("go", {"x": 1}, public=public)))

    ada.event("start")

    assert [(c.name, c.properties) for c in ada.published] == [
        ("go", {"x": 1})
    ] * public


def test_events_cause_events_for_four_generations(drive: Any) -> None:
    chain = [
        journey(Emit(f"e{n + 1}"), id=f"j{n}", trigger=on(f"e{n}")) for n in range(6)
    ]
    ada = drive(*chain)

    ada.event("e0")

    assert ada.reasons("emitted") == ["e1", "e2", "e3", "e4"]
    assert ada.did[-1] == "failed emit_limit"


def test_a_journey_that_starts_itself_is_stopped(drive: Any) -> None:
    ada = drive(journey(Emit("start"), reentry="always"))

    ada.event("start")

    assert ada.did.count("entered") == 5
    assert ada.did[-1] == "failed emit_limit"


def test_generations_start_again_with_the_next_instant(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Emit("start"), reentry="always"))
    ada.event("start")

    ada.until("+9h")

    assert ada.did.count("entered") == 10
    assert "failed emit_limit" not in ada.did


def test_sixteen_events_may_happen_in_one_reaction(drive: Any) -> None:
    ada = drive(journey(*[Emit(f"e{n}") for n in range(17)]))

    ada.event("start")

    assert ada.did.count("completed") == 0
    assert len(ada.reasons("emitted")) == 16
    assert ada.did[-1] == "failed emit_limit"


def test_the_events_before_the_limit_still_happen(drive: Any) -> None:
    ada = drive(
        journey(*[Emit(f"e{n}") for n in range(17)]),
        journey(id="b", trigger=on("e15")),
    )

    ada.event("start")

    assert [e.journey for e in ada.trace if e.kind == "completed"] == ["b"]


def test_what_is_emitted_about_the_profile_is_written_there(drive: Any) -> None:
    ada = drive(journey(Emit("profile.updated", {"x": 1})))

    ada.event("start")

    assert ada.customer.profile == {"x": 1}


def test_a_test_enrollment_emits_test_events_even_after_a_wait(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Emit("go", public=True), id="a"),
        journey(Send("sms", "hi"), id="b", trigger=on("go")),
    )
    ada.event("start", test=True)

    ada.until("+1h")

    assert [command.test for command in ada.commands] == [True]


def test_a_real_enrollment_that_a_test_event_moves_emits_real_events(
    drive: Any,
) -> None:
    ada = drive(
        journey(WaitFor([When(on("x"))]), Emit("go"), id="a"),
        journey(Send("sms", "hi"), id="b", trigger=on("go")),
    )
    ada.event("start")

    ada.event("x", test=True)

    assert [command.test for command in ada.commands] == [False]


def test_test_traffic_marks_the_enrollment_and_its_messages(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("sms", "hi")))
    ada.event("start", test=True)

    ada.until("+1h")

    assert [command.test for command in ada.commands] == [True]


def test_a_journey_that_emits_its_own_goal_reaches_it(drive: Any) -> None:
    ada = drive(journey(Emit("done"), Wait(hours(1)), goal=Goal(on("done"))))

    ada.event("start")

    assert ada.did[-2:] == ["goal goal", "exited goal_reached"]


def test_an_emit_may_start_its_own_journey_once_its_run_is_over(drive: Any) -> None:
    ada = drive(journey(Emit("start"), reentry=ReEntry("after_exit", max_entries=2)))

    ada.event("start")

    assert ada.did.count("entered") == 2
    assert ada.reasons("not_entered") == ["max_entries"]


def test_an_event_that_returns_from_the_bus_is_known_however_late_we_were(
    drive: Any,
) -> None:
    ada = drive(
        journey(Wait(hours(1)), Emit("go", public=True), id="a"),
        journey(id="b", trigger=on("go"), reentry="always"),
    )
    ada.event("start")
    ada.wake("+60h")
    (command,) = ada.published

    told = ada.event("go", id=command.id)

    assert told == ["ignored duplicate"]


CHAIN = [
    journey(Wait(hours(1)), Emit("e1"), id="j0"),
    *[journey(Emit(f"e{n + 1}"), id=f"j{n}", trigger=on(f"e{n}")) for n in range(1, 4)],
]


def test_a_call_starts_with_no_generation_behind_it(drive: Any) -> None:
    ada = drive(*CHAIN, journey(Emit("mine"), id="mine", trigger=api()))
    ada.event("start")

    told = ada.enroll("mine", "+2h")

    assert told.count("emitted e4") == told.count("emitted mine") == 1


def test_a_resumed_run_starts_with_no_generation_behind_it(drive: Any) -> None:
    parked = journey(Wait(hours(1)), Emit("mine"), id="mine", trigger=on("early"))
    ada = drive(*CHAIN, parked)
    ada.event("early")
    ada.state("mine", "paused")
    ada.event("start", "+1h")
    ada.wake("+1h")
    ada.state("mine", "live")

    told = ada.wake("+2h")

    assert told.count("emitted e4") == told.count("emitted mine") == 1


def test_references_may_stand_deep_inside_of_values(drive: Any) -> None:
    deep = {"sum": entry.sum, "list": [1, entry.sum, {"x": entry.sum}], "n": 1}
    ada = drive(
        journey(
            Update({"order": deep}),
            Send("sms", "x", variables={"order": deep}),
            Emit("go", {"order": deep}, public=True),
        )
    )

    ada.event("start", sum=5)

    expected = {"sum": 5, "list": [1, 5, {"x": 5}], "n": 1}
    assert ada.customer.profile == {"order": expected}
    assert ada.commands[0].variables == {"order": expected}
    assert ada.published[0].properties == {"order": expected}


def test_a_value_with_a_missing_part_is_missing(drive: Any) -> None:
    ada = drive(journey(Send("sms", "x", variables={"o": {"a": 1, "b": [entry.no]}})))

    ada.event("start")

    assert ada.commands[0].variables == {}
    assert ada.details("sent")[0]["missing"] == ["o"]


def test_an_instant_of_its_own_has_a_limit_of_its_own_whoever_ticked_before(
    drive: Any,
) -> None:
    due = [journey(Wait(hours(1)), Emit("told"), id=f"j{n}") for n in range(16)]
    ping = journey(Emit("told"), id="ping", trigger=on("ping"))
    late = drive(*due, ping)
    late.event("start")

    late.event("ping", "+2h")

    assert late.reasons("failed") == []
    assert late.did.count("emitted told") == 17


def test_an_emitted_event_that_is_too_much_is_ignored_and_not_refused(
    drive: Any,
) -> None:
    much = {f"a{n}": n for n in range(201)}
    ada = drive(journey(Emit("profile.updated", much)))

    ada.event("start")

    assert ada.last.refused == ""
    assert "profile_too_large" in ada.reasons("ignored")
