"""The order within one reaction, its limits, and what is true of every reaction."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    Branch,
    Cap,
    Goal,
    IllegalTransition,
    Journey,
    Policies,
    QuietHours,
    Send,
    StaleCatalog,
    Update,
    Wait,
    WaitFor,
    WakeUp,
    When,
    Window,
    days,
    event,
    hours,
    on,
    profile,
    react,
)
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import encode
from journeykit.model.steps import Step

NOON = QuietHours(Window("11:00", "12:30"))


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def test_an_event_for_an_unknown_customer_creates_them(drive: Any) -> None:
    ada = drive()

    ada.event("profile.updated", city="Turin")

    assert ada.customer.profile == {"city": "Turin"}
    assert ada.customer.created_at == ada.ms("+0h")


def test_an_event_that_nobody_hears_changes_nothing(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))
    ada.event("start")
    before = ada.customer

    told = ada.event("weather.changed")

    assert told == []
    assert ada.customer is before


def test_a_revision_counts_the_reactions_that_changed_something(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))

    ada.event("start")
    ada.event("weather.changed")
    ada.event("profile.updated", city="Turin")

    assert ada.customer.revision == 2


def test_the_same_event_id_again_is_ignored_and_traced(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), reentry="always"))
    ada.event("start", id="one")

    told = ada.event("start", "+1h", id="one")

    assert told == ["ignored duplicate"]
    assert ada.sent == ["hi +0s"]


def test_the_same_event_id_of_another_source_is_another_event(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), reentry="always"))

    ada.event("start", id="one", source="shop")
    ada.event("start", id="one", source="till")

    assert ada.sent == ["hi +0s", "hi +0s"]


@pytest.mark.parametrize("at", ["+47h", "+48h", "+49h"])
def test_an_event_is_never_handled_twice_however_late_its_copy_comes(
    drive: Any, at: str
) -> None:
    ada = drive(journey(Send("email", "hi"), reentry="always"))
    ada.event("start", "+0h", id="one")

    ada.event("start", "+0h", id="one", now=at)

    assert ada.sent == ["hi +0s"]


def test_an_event_handled_more_than_48_hours_late_is_refused(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")))

    ada.event("start", "+0h", now="+49h")

    assert ada.did == ["refused replay_too_old"]
    assert ada.last.refused == "replay_too_old"


def test_a_run_that_an_event_moves_has_moved_in_the_document(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("go"))]), Wait(hours(1), id="then"), Send("sms", "x"))
    )
    ada.event("start")

    ada.event("go", "+2h")

    assert ada.run.step == "then"
    assert ada.due_in == "+3h"


def test_due_waits_happen_before_the_event_each_at_its_own_instant(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Update({"first": True}), Wait(hours(1)), id="a"),
        journey(Wait(days(9)), id="b", trigger=on("go", where=profile.first == True)),
    )
    ada.event("start")

    told = ada.event("go", "+5h")

    assert told == [
        "went_on due",
        "updated",
        "waiting",
        "went_on due",
        "completed",
        "entered",
        "waiting",
    ]
    assert [
        entry.at - ada.ms("+0h") for entry in ada.last.trace if entry.journey == "a"
    ][::3] == [3_600_000, 7_200_000]


def test_an_event_at_exactly_the_due_instant_is_handled_first(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi"), goal=Goal(on("bought"))))
    ada.event("start")

    ada.event("bought", "+1h")

    assert ada.did[-2:] == ["goal goal", "exited goal_reached"]
    assert ada.sent == []


def test_an_event_after_the_due_instant_is_handled_after_it(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi"), goal=Goal(on("bought"))))
    ada.event("start")

    told = ada.event("bought", "+61m")

    assert told == ["went_on due", "sent hi", "completed"]


def test_the_profile_is_written_before_goals_look_at_it(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), goal=Goal(profile.plan == "paid")))
    ada.event("start")

    told = ada.event("profile.updated", plan="paid")

    assert told == ["profile", "goal goal", "exited goal_reached"]


def test_goals_come_before_exit_rules(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(1)), goal=Goal(on("bought")), exit_rules=[on("bought")])
    )
    ada.event("start")

    ada.event("bought")

    assert ada.reasons("exited") == ["goal_reached"]


def test_exit_rules_come_before_waiting_steps(drive: Any) -> None:
    ada = drive(
        journey(
            WaitFor([When(on("bought"), [Send("email", "hi")])]),
            exit_rules=[on("bought")],
        )
    )
    ada.event("start")

    ada.event("bought")

    assert ada.reasons("exited") == ["exit_rule"]
    assert ada.sent == []


def test_waiting_steps_move_before_triggers_start_new_runs(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("go"))]), id="waiting"),
        journey(id="fresh", trigger=on("go"), priority=9),
    )
    ada.event("start")

    told = ada.event("go")

    assert told == ["went_on event", "entered", "completed", "completed"]


def test_the_event_that_ends_a_run_may_start_the_next_one(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), trigger=on("bought"), goal=Goal(on("bought"))))
    ada.event("bought")

    told = ada.event("bought", "+1h")

    assert told == ["goal goal", "exited goal_reached", "entered", "waiting"]


def test_journeys_start_by_priority_then_by_id(drive: Any) -> None:
    ada = drive(
        journey(id="b"),
        journey(id="a"),
        journey(id="urgent", priority=1),
        journey(id="c"),
    )

    ada.event("start")

    entered = [entry.journey for entry in ada.trace if entry.kind == "entered"]
    assert entered == ["urgent", "a", "b", "c"]


def test_the_first_trigger_that_qualifies_counts_and_no_second_one(drive: Any) -> None:
    ada = drive(
        journey(
            trigger=[on("start"), on("start", where=event.x == 1)], reentry="always"
        )
    )

    ada.event("start", x=1)

    assert ada.did == ["entered", "completed"]


def test_messages_compete_by_priority_then_by_entry(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(2)), Send("email", "early"), id="early"),
        journey(Wait(hours(1)), Send("email", "late"), id="late", trigger=on("second")),
        journey(
            Wait(hours(1)),
            Send("email", "top"),
            id="top",
            trigger=on("second"),
            priority=5,
        ),
        policies=Policies(caps=[Cap(2, within=days(1))]),
    )
    ada.event("start")
    ada.event("second", "+1h")

    ada.until("+2h")

    assert ada.sent == ["top +2h", "early +2h"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_each_message_sees_the_ledger_that_the_one_before_left(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "a"), Send("email", "b")),
        policies=Policies(caps=[Cap(1, within=days(1))]),
    )

    ada.event("start")

    assert ada.sent == ["a +0s"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_all_stand_before_the_guards_before_the_first_is_let_through(
    drive: Any,
) -> None:
    ada = drive(
        journey(Update({"x": 1}), Send("email", "low"), id="low", priority=1),
        journey(Branch([When(profile.x == 1)]), Send("email", "top"), id="top"),
        policies=Policies(caps=[Cap(1, within=days(1))]),
    )

    ada.event("start")

    assert ada.sent == ["low +0s"]


def test_several_waits_due_at_one_instant_are_one_round(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Send("email", "a"), id="a"),
        journey(Wait(hours(1)), Send("email", "b"), id="b", priority=1),
        policies=Policies(caps=[Cap(1, within=days(1))]),
    )
    ada.event("start")

    ada.wake("+1h")

    assert ada.sent == ["b +1h"]


def test_a_wake_up_fires_what_is_due_up_to_and_including_now(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Wait(hours(1)), Send("email", "hi")))
    ada.event("start")

    ada.wake("+2h")

    assert ada.sent == ["hi +2h"]


def test_a_wake_up_moves_the_clock_no_further_than_the_last_wait(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Wait(days(9))))
    ada.event("start")

    ada.wake("+5h")

    assert ada.customer.clock == ada.ms("+1h")


def test_a_stale_wake_up_finds_nothing_due_and_writes_nothing(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1))))
    ada.event("start")
    before = ada.customer

    told = ada.wake("+30m")

    assert told == []
    assert ada.customer is before


def test_a_wake_up_for_a_customer_nobody_knows_does_nothing(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1))))

    assert ada.wake() == []
    assert ada.customer.revision == 0


def test_there_is_one_timer_for_the_earliest_wait(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(9)), id="a"),
        journey(Wait(hours(1)), id="b"),
        journey(WaitFor([When(on("never"))]), id="c"),
    )

    ada.event("start")

    assert ada.due_in == "+1h"


def test_no_timer_is_left_when_nothing_is_due_by_itself(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("never"))])))

    ada.event("start")

    assert ada.due is None


def test_100_steps_without_a_wait_are_fine(drive: Any) -> None:
    ada = drive(journey(*[Update({"n": n}) for n in range(100)]))

    ada.event("start")

    assert ada.did[-1] == "completed"


def test_more_than_100_steps_without_a_wait_fail(drive: Any) -> None:
    ada = drive(journey(*[Update({"n": n}) for n in range(101)]))

    ada.event("start")

    assert ada.did[-1] == "failed step_limit"
    assert ada.customer.profile == {"n": 99}


def test_a_wait_begins_the_count_of_steps_anew(drive: Any) -> None:
    some = [Update({"n": n}) for n in range(60)]
    ada = drive(journey(*some, Wait(hours(1)), *some))
    ada.event("start")

    ada.until("+1h")

    assert ada.did[-1] == "completed"


def test_beyond_200_steps_the_rest_is_left_to_an_immediate_wake_up(drive: Any) -> None:
    some = [Update({"n": n}) for n in range(90)]
    ada = drive(*[journey(*some, Wait(hours(1)), id=f"j{n}") for n in range(3)])

    ada.event("start")

    assert sum(run.visit for run in ada.runs) == 200
    assert ada.due_in == "+0s"


def test_the_rest_beyond_200_steps_goes_on_with_the_same_at(drive: Any) -> None:
    some = [Update({"n": n}) for n in range(90)]
    ada = drive(*[journey(*some, Wait(hours(1)), id=f"j{n}") for n in range(3)])
    ada.event("start")

    ada.wake("+5m")

    assert ada.did.count("updated") == 270
    assert {run.due for run in ada.runs} == {ada.ms("+1h")}


def test_beyond_32_messages_the_rest_is_left_to_an_immediate_wake_up(
    drive: Any,
) -> None:
    ada = drive(*[journey(Send("email", "hi"), id=f"j{n}") for n in range(40)])

    ada.event("start")

    assert len(ada.sent) == 32
    assert ada.due_in == "+0s"


def test_the_rest_beyond_32_messages_goes_out_with_the_next_wake_up(drive: Any) -> None:
    ada = drive(*[journey(Send("email", "hi"), id=f"j{n}") for n in range(40)])
    ada.event("start")

    ada.wake("+1s")

    assert len(ada.sent) == 40
    assert len({command.delivery_id for command in ada.commands}) == 40
    assert ada.runs == []


def test_due_waits_beyond_the_budget_keep_their_own_instants(drive: Any) -> None:
    """A schedule of ticks must not change the path: design, time."""
    ada = drive(
        *[
            journey(Wait(hours(1)), Send("email", "hi"), Wait(hours(1)), id=f"j{n}")
            for n in range(40)
        ]
    )
    ada.event("start")

    ada.event("weather.changed", "+90m")
    ada.event("profile.updated", "+90m", city="Turin")
    ada.wake("+90m")

    assert {run.due for run in ada.runs} == {ada.ms("+2h")}


def test_a_catalog_older_than_the_customer_has_seen_is_stale(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))
    old = ada.catalog
    ada.publish(journey(Wait(days(1))))
    ada.event("start")
    before = encode(ada.customer)

    with pytest.raises(StaleCatalog, match="revision 2, this one is 1"):
        react(ada.customer, WakeUp("ada"), catalog=old, now=ada.now)

    assert encode(ada.customer) == before


def test_what_cannot_be_raises_and_changes_nothing(drive: Any) -> None:
    ends_at = drive().instant("+1h")
    ada = drive(journey(Wait(days(1)), ends_at=ends_at, on_end="eject"))
    ada.event("start")
    damaged = msgspec.structs.replace(ada.customer, active=ada.runs * 2)
    before = encode(damaged)

    with pytest.raises(IllegalTransition, match="has ended already"):
        react(damaged, WakeUp("ada"), catalog=ada.catalog, now=ends_at)

    assert encode(damaged) == before


def test_a_run_of_a_version_that_is_not_here_waits_for_its_return(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")))
    ada.event("start")
    one = ada._journeys
    ada.publish(journey(Wait(hours(1)), version=2))

    assert ada.wake("+2h") == []
    ada.event("profile.updated", city="Turin")
    assert ada.due is None
    ada.publish(*one)
    ada.wake()

    assert ada.sent == ["hi +2h"]


def test_a_run_finishes_on_its_version_and_new_ones_take_the_newest(drive: Any) -> None:
    one = journey(Wait(hours(1)), Send("email", "one"), reentry="always")
    ada = drive(one)
    ada.event("start")
    two = journey(Wait(hours(1)), Send("email", "two"), reentry="always", version=2)
    ada.publish(one, two)
    ada.event("start")

    ada.until("+1h")

    assert sorted(ada.sent) == ["one +1h", "two +1h"]


def test_a_draft_starts_nothing(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")))
    ada.state("j", "draft")

    assert ada.event("start") == []


def test_a_refused_profile_leaves_the_event_unhandled(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), trigger=on("profile.updated")))

    told = ada.event("profile.updated", text="x" * 20_000)

    assert told == ["refused profile_too_large"]
    assert ada.customer.profile == {}


def test_a_dead_letter_may_be_tried_again(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1))))
    ada.event("start")

    ada.event("profile.updated", "+2h", id="one", text="x" * 20_000)
    told = ada.event("profile.updated", "+3h", id="one", text="short")

    assert told == ["profile"]


def test_the_engine_takes_no_notice_of_the_order_in_a_catalog(drive: Any) -> None:
    journeys = [journey(Send("email", f"t{n}"), id=f"j{n}") for n in range(3)]

    one, two = drive(*journeys), drive(*reversed(journeys))
    one.event("start")
    two.event("start")

    assert one.last == two.last


def test_the_catalog_needs_nothing_but_plan_documents(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")))
    documents = [item.to_plan() for item in ada._journeys]
    ada.catalog = Catalog.compile(documents, policies=Policies().to_plan())

    ada.event("start")

    assert ada.sent == ["hi +0s"]


def test_who_is_in_a_draft_moves_on(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Send("email", "hi")))
    ada.event("start")

    ada.state("j", "draft")
    ada.until("+1h")

    assert ada.sent == ["hi +1h"]


def test_a_run_at_a_step_that_was_deleted_exits_when_it_would_move(drive: Any) -> None:
    steps = [
        Wait(hours(1), id="old"),
        WaitFor([When(on("go"))], id="old"),
        Send("email", "hi", id="old"),
    ]
    for step in steps:
        ada = drive(journey(step), policies=Policies(quiet_hours=[NOON]))
        ada.event("start")
        ada.publish(journey(WaitFor([When(on("go"))], id="new")))

        ada.event("go", "+1h")
        ada.until("+9h")

        assert ada.reasons("exited") == ["step_deleted"]


def test_a_trigger_that_did_not_match_is_explained_on_request(drive: Any) -> None:
    ada = drive(journey(trigger=on("start", where=event.x > 1)), explain=True)

    ada.event("start", x=1)

    (detail,) = ada.details("unmatched")
    assert detail["rule"] == "event.x > 1"
    assert detail["values"] == {"event.x": 1}
