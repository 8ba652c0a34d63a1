"""Call: an action does something, and the run waits for its result."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Branch,
    Call,
    Condition,
    ExitRule,
    Goal,
    Journey,
    Send,
    Update,
    Wait,
    WaitFor,
    When,
    days,
    entry,
    event,
    has,
    hours,
    minutes,
    on,
    profile,
    step,
)
from journeykit.engine.limits import ACTIVE_BYTES, RESULT_BYTES, VARIABLES_BYTES
from journeykit.engine.words import explanation_of, words_of
from journeykit.model.steps import Step

CODE = step("call-voucher").result.code
THEN = Send("email", "then", variables={"code": CODE})


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def voucher(**options: Any) -> Journey:
    return journey(Call("voucher", {"campaign": "autumn"}, **options), THEN)


# The command


def test_a_call_is_a_command_and_the_run_waits(drive: Any) -> None:
    ada = drive(voucher())

    told = ada.event("start", "+1h")

    assert told == ["entered", "called voucher", "waiting"]
    (call,) = ada.called
    assert (call.action, call.arguments, call.retries) == (
        "voucher",
        {"campaign": "autumn"},
        4,
    )
    assert (call.customer, call.journey, call.version, call.step) == (
        "ada",
        "j",
        1,
        "call-voucher",
    )
    assert call.at == ada.ms("+1h")
    assert call.expires_at == ada.ms("+2h")
    assert call.enrollment == ada.run.id
    assert ada.details("called") == [{"call_id": call.call_id, "fields": ["campaign"]}]
    assert ada.due_in == "+2h"


def test_arguments_are_looked_up_and_what_is_missing_is_named(drive: Any) -> None:
    ada = drive(
        journey(Call("crm", {"total": entry.total, "name": profile.name, "kind": "x"}))
    )

    ada.event("start", total=9)

    assert ada.called[0].arguments == {"kind": "x", "total": 9}
    assert ada.details("called")[0]["missing"] == ["name"]


def test_of_too_many_arguments_the_largest_are_left_out(drive: Any) -> None:
    ada = drive(journey(Call("crm", {"note": profile.note, "kind": "x"})))
    ada.event("profile.updated", note="x" * VARIABLES_BYTES)

    ada.event("start")

    assert ada.called[0].arguments == {"kind": "x"}


def test_each_arrival_is_a_call_of_its_own_and_says_so_by_its_id(drive: Any) -> None:
    ada = drive(journey(Call("voucher"), Call("voucher"), reentry="always"))
    ada.event("start")
    ada.completed()
    ada.completed()
    ada.event("start")

    ids = [call.call_id for call in ada.called]

    assert len(ids) == len(set(ids)) == 3


def test_a_call_of_test_traffic_is_marked(drive: Any) -> None:
    ada = drive(voucher())

    ada.event("start", test=True)

    assert ada.called[0].test


# The result


def test_the_steps_behind_read_the_result(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")

    told = ada.completed({"code": "A1"}, "+5m")

    assert told == ["went_on completed", "sent then", "completed"]
    assert ada.commands[0].variables == {"code": "A1"}


@pytest.mark.parametrize(
    ("result", "way"), [({"won": True}, "yes"), ({"won": False}, "no"), ({}, "no")]
)
def test_a_branch_asks_for_the_result(
    drive: Any, result: dict[str, Any], way: str
) -> None:
    ada = drive(
        journey(
            Call("claim"),
            Branch(
                [When(step("call-claim").result.won == True, [Send("email", "yes")])],
                otherwise=[Send("email", "no")],
            ),
        )
    )
    ada.event("start")

    ada.completed(result)

    assert ada.sent == [f"{way} +0s"]


def test_a_result_is_written_to_the_profile(drive: Any) -> None:
    ada = drive(journey(Call("voucher"), Update({"code": CODE})))
    ada.event("start")

    ada.completed({"code": ["A", 1]})

    assert ada.customer.profile == {"code": ["A", 1]}


def test_a_result_is_kept_over_waits_and_asked_for_by_events(drive: Any) -> None:
    ada = drive(
        journey(
            Call("voucher"),
            Wait(days(3)),
            WaitFor([When(on("redeemed", where=event.code == CODE))]),
        )
    )
    ada.event("start")
    ada.completed({"code": "A1"})
    ada.until("+4d")

    ada.event("redeemed", code="B2")
    assert ada.run.results == {"call-voucher": {"code": "A1"}}
    ada.event("redeemed", code="A1")

    assert ada.reasons("completed") == [""]


def test_a_condition_that_failed_says_which_result_it_saw(drive: Any) -> None:
    ada = drive(
        journey(Call("claim"), Branch([When(step("call-claim").result.place <= 3)])),
        explain=True,
    )
    ada.event("start")

    ada.completed({"place": 4})

    (asked,) = ada.details("branched")[0]["asked"]
    assert asked["values"] == {'step["call-claim"].result.place': 4}


def test_has_asks_whether_there_is_a_result(drive: Any) -> None:
    def told(result_comes: bool) -> list[str]:
        ada = drive(
            journey(
                Call("voucher"),
                Branch(
                    [When(has(step("call-voucher").result), [Send("email", "with")])],
                    otherwise=[Send("email", "without")],
                ),
            )
        )
        ada.event("start")
        ada.completed() if result_comes else ada.failed()
        return [line.split()[0] for line in ada.sent]

    assert told(True) == ["with"]
    assert told(False) == ["without"]


def test_the_result_of_one_run_is_not_seen_by_another(drive: Any) -> None:
    ada = drive(
        journey(Call("voucher"), Wait(days(1)), THEN),
        journey(THEN, id="k", trigger=on("other")),
        # What `check` refuses: a trigger can't know what runs have come to.
        journey(
            Send("email", "wrong"),
            id="z",
            trigger=on(
                "other", where=Condition.parse('has(step["call-voucher"].result)')
            ),
        ),
    )
    ada.event("start")
    ada.completed({"code": "A1"})

    ada.event("other")

    assert ada.sent == ["then +0s"]
    assert ada.commands[0].variables == {}


def test_a_null_result_is_an_empty_one(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")

    ada.completed(None)

    assert ada.reasons("went_on") == ["completed"]
    assert ada.commands[0].variables == {}


def test_values_of_the_result_are_shown_where_it_is_explained_only(drive: Any) -> None:
    for explain in (True, False):
        ada = drive(voucher(), explain=explain)
        ada.event("start")
        ada.completed({"code": "A1"})

        shown = {"values": {"code": "A1"}} if explain else {"fields": ["code"]}
        assert ada.details("went_on") == [shown]


# What goes wrong


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ["went_on failed", "sent then", "completed"]),
        ({"on_error": "continue"}, ["went_on failed", "sent then", "completed"]),
        ({"on_error": "exit"}, ["went_on failed", "exited call_failed"]),
        (
            {"on_error": [Send("email", "sorry")]},
            ["went_on failed", "sent sorry", "sent then", "completed"],
        ),
        ({"on_error": []}, ["went_on failed", "sent then", "completed"]),
    ],
)
def test_what_follows_a_failure_is_for_the_author_to_say(
    drive: Any, options: dict[str, Any], told: list[str]
) -> None:
    ada = drive(voucher(**options))
    ada.event("start")

    assert ada.failed("sold_out") == told

    assert ada.details("went_on") == [{"why": "sold_out"}]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ["went_on timeout", "sent then", "completed"]),
        ({"on_error": "exit"}, ["went_on timeout", "exited call_failed"]),
        (
            {"on_error": [Send("email", "sorry")]},
            ["went_on timeout", "sent sorry", "sent then", "completed"],
        ),
    ],
)
def test_when_the_time_is_up_it_has_failed(
    drive: Any, options: dict[str, Any], told: list[str]
) -> None:
    ada = drive(voucher(timeout=minutes(30), **options))
    ada.event("start")

    assert ada.until("+30m") == told


def test_a_result_at_exactly_the_timeout_counts(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")

    ada.completed({"code": "A1"}, "+1h")

    assert ada.reasons("went_on") == ["completed"]


def test_an_action_gets_its_time_however_late_the_tick_was(drive: Any) -> None:
    ada = drive(journey(Wait(hours(1)), Call("voucher"), THEN))
    ada.event("start")

    ada.wake("+9h")

    assert ada.called[0].at == ada.ms("+1h")
    assert ada.called[0].expires_at == ada.ms("+10h")
    assert ada.due_in == "+10h"


def test_a_timeout_of_days_is_over_by_the_customers_clock(drive: Any) -> None:
    ada = drive(voucher(timeout=days(1)), start="2026-10-24T12:00Z")
    ada.event("profile.updated", zone="Europe/Berlin")  # whose clocks go back at night

    ada.event("start")

    assert ada.due_in == "+25h"


@pytest.mark.parametrize("result", [[], "A1", 7, True])
def test_a_result_that_is_no_object_fails_the_call(drive: Any, result: object) -> None:
    ada = drive(voucher())
    ada.event("start")

    ada.completed(result)

    assert ada.details("went_on") == [{"why": "malformed_result"}]
    assert ada.commands[0].variables == {}


def test_a_result_that_is_too_large_fails_the_call(drive: Any) -> None:
    whole = {"code": "x" * (RESULT_BYTES - len('{"code":""}'))}
    sent = []
    for result in (whole, {"code": whole["code"] + "x"}):
        ada = drive(journey(Call("voucher"), Wait(days(1))))
        ada.event("start")
        ada.completed(result)
        sent.append((ada.reasons("went_on"), ada.run.results))

    assert sent == [
        (["completed"], {"call-voucher": whole}),
        (["failed"], {}),
    ]
    assert ada.details("went_on") == [{"why": "result_too_large"}]


def test_results_that_fill_the_document_fail_the_calls(drive: Any) -> None:
    calls = [Call(f"a{n}") for n in range(40)]
    ada = drive(journey(*calls, Wait(days(1))))
    ada.event("start")

    for _ in calls:
        ada.completed({"x": "y" * (RESULT_BYTES - 9)})

    reasons = ada.reasons("went_on")
    assert reasons[0] == "completed"
    assert reasons[-1] == "failed"
    assert len(ada.run.results) == ACTIVE_BYTES // RESULT_BYTES - 1


def test_nobody_enters_a_document_that_results_have_filled(drive: Any) -> None:
    calls = [Call(f"a{n}") for n in range(40)]
    ada = drive(
        journey(*calls, Wait(days(1))), journey(Wait(days(1)), id="k", trigger=on("x"))
    )
    ada.event("start")
    for _ in calls:
        ada.completed({"x": "y" * (RESULT_BYTES - 9)})

    ada.event("x")

    assert ada.reasons("not_entered") == ["too_many_enrollments"]


def test_a_result_that_nobody_knows_ends_the_run(drive: Any) -> None:
    ada = drive(voucher(on_error=[Send("email", "sorry")]))
    ada.event("start")

    assert ada.failed(undetermined=True) == ["exited undetermined"]


# What is no result of this call


@pytest.mark.parametrize(
    "properties",
    [
        {"call_id": "somebody-elses"},
        {"call_id": None},
        {"call_id": ["x"]},
        {"enrollment": "somebody-elses"},
        {"enrollment": None},
    ],
)
def test_the_result_of_another_call_moves_nothing(
    drive: Any, properties: dict[str, Any]
) -> None:
    ada = drive(voucher())
    ada.event("start")
    before = ada.customer

    told = ada.completed({"code": "A1"}, **properties)

    assert told == ["ignored late_result"]
    assert ada.customer is before


def test_a_result_after_the_timeout_is_ignored(drive: Any) -> None:
    ada = drive(journey(Call("voucher"), Wait(days(1)), THEN))
    ada.event("start")
    ada.until("+2h")

    assert ada.completed({"code": "A1"}, "+3h") == ["ignored late_result"]
    assert ada.details("ignored") == [{"call_id": ada.called[0].call_id}]
    ada.until("+9d")

    assert ada.commands[0].variables == {}


def test_a_result_for_a_run_that_has_ended_is_ignored(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")
    ada.completed()

    assert ada.completed() == ["ignored late_result"]


def test_a_result_is_heard_of_even_if_no_journey_calls(drive: Any) -> None:
    ada = drive(journey(Send("email", "hello")))

    told = ada.event("call.completed", call_id="c", enrollment="e", result={})

    assert told == ["ignored late_result"]


def test_the_same_report_twice_is_a_duplicate(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")
    ada.event(
        "call.completed",
        id="report",
        call_id=ada.called[0].call_id,
        enrollment=ada.called[0].enrollment,
    )

    assert ada.event("call.completed", id="report") == ["ignored duplicate"]


def test_events_about_phone_calls_are_nobodys_results(drive: Any) -> None:
    ada = drive(
        voucher(),
        journey(Send("email", "thanks"), id="k", trigger=on("call.completed")),
    )
    ada.event("start")

    told = ada.event("call.completed", minutes=12)

    assert told == ["entered", "sent thanks", "completed"]
    assert ada.run.step == "call-voucher"


def test_a_result_that_leads_to_something_else_is_not_called_late(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(1)),
            exit_rules=[ExitRule(on("call.failed"), "broken")],
            goal=Goal(on("call.completed"), on_goal="continue"),
        ),
    )
    ada.event("start")
    report = {"call_id": "c", "enrollment": ada.run.id}

    assert ada.event("call.completed", **report) == ["goal goal"]
    assert ada.event("call.failed", **report) == ["exited broken"]


# Beside all else


def test_goals_and_exit_rules_act_while_it_is_called(drive: Any) -> None:
    ada = drive(journey(Call("voucher"), THEN, goal=Goal(on("bought"))))
    ada.event("start")

    assert ada.event("bought") == ["goal goal", "exited goal_reached"]
    assert ada.completed({"code": "A1"}) == ["ignored late_result"]


def test_a_result_in_a_paused_journey_parks_the_run(drive: Any) -> None:
    ada = drive(voucher())
    ada.event("start")
    ada.state("j", "paused")

    assert ada.completed({"code": "A1"}, "+10m") == [
        "went_on completed",
        "parked paused",
    ]
    ada.state("j", "live")
    ada.wake("+3d")

    assert ada.reasons("suppressed") == ["expired"]


def test_a_result_comes_to_the_run_of_its_key(drive: Any) -> None:
    ada = drive(
        journey(
            Call("voucher", {"order": entry.order}),
            Send("email", "then", variables={"order": entry.order, "code": CODE}),
            key=event.order,
        )
    )
    ada.event("start", order=1)
    first = ada.called[-1]
    ada.event("start", order=2)

    ada.event(
        "call.completed",
        call_id=first.call_id,
        enrollment=first.enrollment,
        result={"code": "A1"},
    )

    assert [c.variables for c in ada.commands] == [{"order": 1, "code": "A1"}]


def test_held_out_people_are_not_called_for(drive: Any) -> None:
    ada = drive(
        journey(Call("voucher"), holdout=99.99, goal=Goal(on("bought"), within=days(9)))
    )

    ada.event("start")

    assert ada.did == ["held_out"]
    assert ada.called == []


# Words


def test_what_happened_is_said_in_words(drive: Any) -> None:
    ada = drive(voucher(on_error="exit"), explain=True)
    ada.event("start")
    ada.failed("sold_out")
    ada.completed()

    said = [words_of(entry) for entry in ada.trace[1:]]

    assert said == [
        'called voucher: campaign = "autumn"',
        "waits until 2026-06-01 13:00 UTC",
        "the action failed: sold_out",
        "left: the action failed, or took too long",
        "ignored the result of a call: nobody waits for it",
    ]
    assert explanation_of(ada.trace[4]) == [
        "on_error='continue' would have let it go on."
    ]
