"""Whatever test traffic brings about says so on its line, and nothing else does."""

import json
from typing import Any

import pytest
from tests.engine.conftest import Drive

from journeykit import (
    Branch,
    Cap,
    Emit,
    ExitRule,
    Goal,
    Journey,
    Policies,
    Send,
    Update,
    Wait,
    When,
    days,
    event,
    hours,
    on,
    profile,
)
from journeykit.engine.records import lines_of
from journeykit.engine.trace import TraceEntry

WELCOME = Journey(
    id="welcome",
    trigger=on("signed.up"),
    reentry="always",
    goal=Goal(on("bought"), within=days(3), on_goal="continue"),
    steps=[Send("email", "hello"), Wait(hours(1)), Send("email", "bye")],
)


def marks(ada: Drive) -> dict[str, set[bool]]:
    """Of each kind of decision, with which marks it stands in the trace."""
    found: dict[str, set[bool]] = {}
    for entry in ada.trace:
        found.setdefault(entry.kind, set()).add(entry.test)
    return found


def lines(entries: list[TraceEntry]) -> list[dict[str, Any]]:
    written = lines_of(entries, customer="ada", revision=1, now=0)
    return [json.loads(line) for line in written.splitlines()]


@pytest.mark.parametrize("test", [True, False])
def test_every_decision_about_a_run_has_the_mark_of_the_run(test: bool) -> None:
    ada = Drive(WELCOME)

    ada.event("signed.up", test=test)
    ada.until("+2h")

    assert marks(ada) == {
        kind: {test} for kind in ("entered", "sent", "waiting", "went_on", "completed")
    }


def test_a_line_without_the_mark_is_real() -> None:
    real, marked = TraceEntry("sent", 0), TraceEntry("sent", 0, test=True)

    written = lines([real, marked])

    assert "test" not in written[0]
    assert written[1]["test"] is True


def test_a_real_run_that_a_test_event_moves_stays_real() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up")

    ada.event("bought", test=True)

    assert marks(ada)["goal"] == {False}


def test_the_goal_of_a_test_run_that_has_ended_is_marked() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up", test=True)
    ada.until("+2h")

    ada.event("bought", "+4h")

    (goal,) = [entry for entry in ada.trace if entry.kind == "goal"]
    assert goal.detail["after_end"]
    assert goal.test


def test_real_runs_and_test_runs_of_one_customer_are_told_apart() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up", test=True)
    ada.event("signed.up", "+10m")

    ada.until("+3h")

    per_run: dict[str, set[bool]] = {}
    for entry in ada.trace:
        per_run.setdefault(entry.enrollment, set()).add(entry.test)
    assert sorted(map(sorted, per_run.values())) == [[False], [True]]


def test_what_a_test_event_does_to_the_customer_is_marked() -> None:
    ada = Drive(WELCOME)

    ada.event("profile.updated", test=True, plan="pro")
    ada.event("profile.updated", plan="basic")

    assert [entry.test for entry in ada.trace if entry.kind == "profile"] == [
        True,
        False,
    ]


def test_who_may_not_enter_by_a_test_event_is_marked_as_such() -> None:
    once = Journey(
        id="once", trigger=on("signed.up"), reentry="never", steps=[Wait(days(1))]
    )
    ada = Drive(once)
    ada.event("signed.up", test=True)

    ada.event("signed.up", "+1h", test=True)
    ada.event("signed.up", "+2h")

    refused = [entry for entry in ada.trace if entry.kind == "not_entered"]
    assert [entry.test for entry in refused] == [True, False]


def test_the_same_test_event_again_is_ignored_with_its_mark() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up", id="e", test=True)

    ada.event("signed.up", "+1m", id="e", test=True)

    assert marks(ada)["ignored"] == {True}


def test_what_was_due_before_a_test_event_is_not_marked() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up")

    ada.event("visited", "+3h", test=True)

    assert marks(ada)["completed"] == {False}


def test_what_a_test_run_lets_happen_starts_test_runs() -> None:
    first = Journey(id="first", trigger=on("signed.up"), steps=[Emit("greeted")])
    second = Journey(id="second", trigger=on("greeted"), steps=[Wait(hours(1))])
    ada = Drive(first, second)

    ada.event("signed.up", test=True)
    ada.until("+2h")

    assert {entry.test for entry in ada.trace} == {True}


def test_a_profile_that_a_test_run_changes_later_starts_no_real_run() -> None:
    changing = Journey(
        id="changing",
        trigger=on("signed.up"),
        steps=[Wait(hours(1)), Update({"plan": "pro"})],
    )
    told = Journey(
        id="told",
        trigger=on("profile.changed", where=event.field == "plan"),
        steps=[Send("email", "well-done")],
    )
    ada = Drive(changing, told)
    ada.event("signed.up", test=True)

    ada.until("+2h")

    (message,) = ada.commands
    assert message.test
    assert {entry.test for entry in ada.trace} == {True}


def test_a_message_of_a_test_run_that_came_back_is_marked() -> None:
    ada = Drive(WELCOME)
    ada.event("signed.up", test=True)

    ada.returns("+10m")
    ada.until("+30m")

    held = [entry for entry in ada.trace if entry.kind in ("deferred", "sent")]
    assert [entry.test for entry in held] == [True, True, True]


def test_suppressions_of_test_runs_are_marked() -> None:
    ada = Drive(WELCOME, policies=Policies(caps=[Cap(1, within=days(1))]))
    ada.event("signed.up", test=True)

    ada.until("+2h")

    assert marks(ada)["suppressed"] == {True}


def test_a_test_run_that_branches_and_ends_early_is_marked() -> None:
    journey = Journey(
        id="choosing",
        trigger=on("signed.up"),
        exit_rules=[ExitRule(on("left"))],
        steps=[Branch([When(profile.plan == "pro", [Wait(days(1))])]), Wait(days(2))],
    )
    ada = Drive(journey)
    ada.event("signed.up", test=True)

    ada.event("left", "+1h")

    assert marks(ada)["branched"] == {True}
    assert marks(ada)["exited"] == {True}
