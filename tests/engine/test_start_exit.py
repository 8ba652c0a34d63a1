"""Start lets a customer enter another journey; Exit takes them out of one."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Emit,
    Exit,
    Goal,
    Holdout,
    Journey,
    Send,
    Start,
    Update,
    Wait,
    WaitFor,
    When,
    api,
    days,
    entry,
    event,
    hours,
    on,
)
from journeykit.engine.ids import emitted_id
from journeykit.engine.limits import EMIT_GENERATIONS, EMITS_AT_ONCE
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def other(*steps: Step, **options: Any) -> Journey:
    return journey(*steps, **{"id": "other", "trigger": api(), **options})


# Start


def test_a_start_enters_the_other_journey_with_what_it_is_to_know(drive: Any) -> None:
    ada = drive(
        journey(Start("other", {"total": entry.total, "by": "us"})),
        other(Send("sms", "hi", variables={"sum": entry.total, "by": entry.by})),
    )

    ada.event("start", total=5)

    assert ada.commands[0].variables == {"sum": 5, "by": "us"}
    assert ada.reasons("started") == ["other"]


def test_the_other_journey_begins_when_the_rounds_are_done(drive: Any) -> None:
    ada = drive(
        journey(Start("other"), Send("sms", "first")),
        other(Send("sms", "second"), priority=9),
    )

    ada.event("start")

    assert ada.sent == ["first +0s", "second +0s"]


def test_the_run_goes_on_and_ends_by_itself(drive: Any) -> None:
    ada = drive(journey(Start("other"), Wait(hours(1))), other(Wait(days(1))))

    ada.event("start")
    ada.until("+1h")

    assert [run.journey for run in ada.runs] == ["other"]


def test_a_reference_that_holds_nothing_is_left_out_and_named(drive: Any) -> None:
    ada = drive(journey(Start("other", {"total": entry.total, "n": 1})), other())

    ada.event("start")

    assert ada.details("started") == [{"fields": ["n"], "missing": ["total"]}]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"trigger": api(where=entry.total > 5)}, "condition"),
        ({"key": event.order}, "key_missing"),
        ({"starts_at": "2027-01-01T00:00:00Z"}, "not_started"),
        ({"ends_at": "2026-01-01T00:00:00Z"}, "journey_ended"),
    ],
)
def test_the_rules_of_entry_hold(
    drive: Any, options: dict[str, Any], reason: str
) -> None:
    ada = drive(journey(Start("other", {"total": 5})), other(**options))

    ada.event("start")

    assert ada.reasons("not_entered") == [reason]
    assert ada.did.count("entered") == 1


@pytest.mark.parametrize("state", ["paused", "stopped", "draft"])
def test_a_journey_that_is_not_live_takes_nobody(drive: Any, state: Any) -> None:
    ada = drive(journey(Start("other")), other())
    ada.state("other", state)

    ada.event("start")

    assert ada.reasons("not_entered") == [state]


def test_reentry_holds(drive: Any) -> None:
    ada = drive(
        journey(Start("other"), reentry="always"), other(Wait(days(1)), reentry="never")
    )
    ada.event("start")

    ada.event("start")

    assert ada.reasons("not_entered") == ["entered_before"]


def test_a_restart_ends_the_run_before(drive: Any) -> None:
    ada = drive(
        journey(Start("other"), reentry="always"),
        other(Wait(days(1)), reentry="restart"),
    )
    ada.event("start")

    ada.event("start")

    assert ada.reasons("exited") == ["restarted"]
    assert len(ada.runs) == 1


def test_a_key_is_read_from_what_the_start_says(drive: Any) -> None:
    ada = drive(
        journey(Start("other", {"order": entry.order}), reentry="always"),
        other(Wait(days(1)), key=event.order),
    )
    ada.event("start", order=7)
    ada.event("start", order=8)

    ada.event("start", order=7)

    assert [run.key for run in ada.runs] == ["7", "8"]
    assert ada.reasons("not_entered") == ["already_in"]


def test_who_is_held_out_of_the_other_journey_is_held_out(drive: Any) -> None:
    goal = Goal(on("bought"), within=days(9))
    ada = drive(
        journey(Start("other")),
        other(Send("sms", "no"), holdout=Holdout(99.99), goal=goal),
    )

    ada.event("start")

    assert ada.did.count("held_out") == 1
    assert ada.sent == []


def test_who_was_removed_from_the_other_journey_is_not_started_there(
    drive: Any,
) -> None:
    ada = drive(journey(Start("other")), other(Wait(days(1))))
    ada.enroll("other")
    ada.remove("other")

    ada.event("start")

    assert ada.reasons("not_entered") == ["removed"]


@pytest.mark.parametrize("trigger", [None, on("x")])
def test_a_journey_without_an_api_trigger_takes_no_start(
    drive: Any, trigger: Any
) -> None:
    others = [other(trigger=trigger)] if trigger else []
    ada = drive(journey(Start("other")), *others)

    ada.event("start")

    assert ada.did == [
        "entered",
        "started other",
        "completed",
        "ignored no_api_trigger",
    ]


def test_a_start_has_a_derived_id_that_no_call_may_use_again(drive: Any) -> None:
    ada = drive(journey(Start("other"), Wait(days(1))), other(reentry="always"))
    ada.event("start")
    id = emitted_id(ada.run.id, "start-other", 1)

    told = ada.enroll("other", id=id)

    assert told == ["ignored duplicate"]


def test_test_traffic_is_handed_on(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Start("other")), other(Wait(hours(1)), Send("sms", "x"))
    )
    ada.event("start", test=True)

    ada.until("+2h")

    assert [command.test for command in ada.commands] == [True]


def test_a_real_run_starts_real_ones_whoever_moves_it(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("x"))], timeout=days(1)), Start("other")),
        other(Send("sms", "x")),
    )
    ada.event("start")

    ada.event("x", test=True)

    assert [command.test for command in ada.commands] == [False]


def test_starts_cause_starts_for_four_generations(drive: Any) -> None:
    ada = drive(
        journey(Start("b")),
        other(Start("a"), id="b", reentry="always"),
        other(Start("b"), id="a", reentry="always"),
    )

    ada.event("start")

    assert ada.reasons("started") == ["b", "a", "b", "a"]
    assert len(ada.reasons("started")) == EMIT_GENERATIONS
    assert ada.did[-1] == "failed emit_limit"


def test_generations_are_counted_over_events_and_starts(drive: Any) -> None:
    ada = drive(
        journey(Start("b")),
        other(Emit("start"), id="b", reentry="always"),
    )

    ada.event("start")

    assert [e.kind for e in ada.trace if e.kind in ("started", "emitted")] == [
        "started",
        "emitted",
        "started",
        "emitted",
    ]
    assert ada.did[-1] == "failed emit_limit"


def test_a_journey_that_starts_itself_after_a_wait_goes_on(drive: Any) -> None:
    ada = drive(other(Wait(hours(1)), Start("other"), reentry="always"))
    ada.enroll("other")

    ada.until("+9h")

    assert ada.did.count("entered") == 10
    assert "failed emit_limit" not in ada.did


def test_events_starts_and_exits_share_one_limit(drive: Any) -> None:
    steps: list[Step] = [Emit(f"e{n}") for n in range(EMITS_AT_ONCE - 2)]
    steps += [Start("other"), Exit(journey="other"), Start("other", id="too-many")]
    ada = drive(journey(*steps), other(Wait(days(1)), reentry="always"))

    ada.event("start")

    assert ada.did.count("failed emit_limit") == 1
    assert ada.reasons("exited") == ["removed_by_journey"]


@pytest.mark.parametrize(
    "step", [Start("other"), Exit(journey="other"), Emit("x", public=True)]
)
def test_beyond_the_limit_nothing_is_caused(drive: Any, step: Step) -> None:
    ada = drive(
        journey(*[Update({"x": 1})], *[Emit(f"e{n}") for n in range(16)], step),
        other(Wait(days(1))),
    )

    ada.event("start")

    assert ada.did[-1] == "failed emit_limit"
    assert ada.published == []
    assert ada.runs == []


# Exit


def test_an_exit_ends_the_runs_of_another_journey_and_its_own_goes_on(
    drive: Any,
) -> None:
    ada = drive(
        journey(Exit(journey="other"), Send("sms", "on")),
        other(Wait(days(9)), reentry="always"),
    )
    ada.enroll("other")
    ada.enroll("other")

    ada.event("start")

    assert ada.reasons("exited") == ["removed_by_journey"] * 2
    assert ada.sent == ["on +0s"]
    assert ada.did.count("completed") == 1


def test_the_reason_may_be_named(drive: Any) -> None:
    ada = drive(
        journey(Exit("bought_elsewhere", journey="other")), other(Wait(days(9)))
    )
    ada.enroll("other")

    ada.event("start")

    assert ada.reasons("exited") == ["bought_elsewhere"]
    assert ada.reasons("took_out") == ["other"]


def test_it_says_which_run_it_was(drive: Any) -> None:
    ada = drive(journey(Exit(journey="other"), Wait(days(1))), other(Wait(days(9))))
    ada.enroll("other")

    ada.event("start")

    assert ada.details("exited") == [{"by": ada.run.id}]


def test_a_key_ends_the_run_of_that_key_only(drive: Any) -> None:
    ada = drive(
        journey(Exit(journey="other", key=entry.order)),
        other(Wait(days(9)), key=event.order),
    )
    ada.enroll("other", order=7)
    ada.enroll("other", order=8)

    ada.event("start", order=7.0)

    assert [run.key for run in ada.runs] == ["8"]
    assert ada.details("took_out") == [{"key": "7"}]


def test_a_key_that_is_missing_ends_nobody(drive: Any) -> None:
    ada = drive(
        journey(Exit(journey="other", key=entry.order)),
        other(Wait(days(9)), key=event.order),
    )
    ada.enroll("other", order=7)

    ada.event("start")

    assert [run.key for run in ada.runs] == ["7"]
    assert ada.details("took_out") == [{"missing": "entry.order"}]


def test_with_its_own_id_it_ends_the_other_runs_of_its_journey(drive: Any) -> None:
    ada = drive(journey(Exit(journey="j"), Wait(days(1)), reentry="always"))
    ada.event("start")
    first = ada.run.id

    ada.event("start")

    assert ada.run.id != first
    assert ada.reasons("exited") == ["removed_by_journey"]


def test_it_ends_runs_that_are_parked_by_a_pause(drive: Any) -> None:
    ada = drive(journey(Exit(journey="other")), other(Wait(hours(1))))
    ada.enroll("other")
    ada.state("other", "paused")
    ada.until("+2h")

    ada.event("start")

    assert ada.runs == []


def test_who_is_held_out_stays_held_out(drive: Any) -> None:
    ada = drive(
        journey(Exit(journey="other")),
        other(holdout=Holdout(99.99), goal=Goal(on("bought"), within=days(9))),
    )
    ada.enroll("other")

    ada.event("start")

    assert [run.held_out for run in ada.runs] == [True]


def test_nobody_there_is_nobody_to_end(drive: Any) -> None:
    ada = drive(journey(Exit(journey="other")), other())

    ada.event("start")

    assert ada.did == ["entered", "took_out other", "completed"]


def test_an_exit_and_a_start_behind_it_begin_anew(drive: Any) -> None:
    ada = drive(journey(Exit(journey="other"), Start("other")), other(Wait(days(9))))
    ada.enroll("other")
    before = ada.run.id

    ada.event("start")

    assert ada.run.id != before
    assert ada.run.journey == "other"


def test_the_goals_of_a_run_that_was_ended_are_watched_on(drive: Any) -> None:
    goal = Goal(on("bought"), within=days(9))
    ada = drive(journey(Exit(journey="other")), other(Wait(days(9)), goal=goal))
    ada.enroll("other")
    ada.event("start")

    ada.event("bought", "+1d")

    assert ada.did[-1] == "goal goal"


def test_a_run_that_is_ended_before_its_message_goes_sends_nothing(drive: Any) -> None:
    ada = drive(
        journey(Exit(journey="other")),
        other(Wait(hours(1)), Send("sms", "too late")),
    )
    ada.enroll("other")

    ada.event("start", "+30m")
    ada.until("+9h")

    assert ada.sent == []
