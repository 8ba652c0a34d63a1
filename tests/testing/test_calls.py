"""A simulation takes what actions come to from a table, or from functions."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Call,
    CallAction,
    CallFailed,
    Exit,
    InputError,
    Journey,
    Send,
    Wait,
    days,
    entry,
    hours,
    on,
    step,
)
from journeykit.testing import Simulator, make_event, simulate

START = "2026-06-01T12:00:00Z"


def journey(*steps: Any, id: str = "vouchers", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


VOUCHER = journey(
    Call("voucher", {"total": entry.total}, on_error=[Send("email", "sorry"), Exit()]),
    Send("email", "here", variables={"code": step("call-voucher").result.code}),
)


def started(calls: Any, *journeys: Journey, **total: Any) -> Simulator:
    sim = Simulator(journeys or [VOUCHER], start=START, calls=calls)
    sim.event("start", "ada", total)
    return sim


def test_the_result_comes_at_once() -> None:
    sim = started({"voucher": {"code": "A1"}})

    message = sim.assert_sent("ada", "here", at=START)
    assert message.variables == {"code": "A1"}
    assert sim.next_due is None


def test_a_function_gets_the_arguments_and_the_customer() -> None:
    sim = started(
        {"voucher": lambda arguments, who: {"code": f"{who}-{arguments['total']}"}},
        total=9,
    )

    assert sim.assert_sent("ada", "here").variables == {"code": "ada-9"}


@pytest.mark.parametrize("by_function", [True, False])
def test_a_call_can_fail(by_function: bool) -> None:
    failed = CallFailed("", "sold_out")

    sim = started({"voucher": (lambda *_: failed) if by_function else failed})

    sim.assert_sent("ada", "sorry")
    sim.assert_not_sent("ada", "here")
    (went_on,) = sim.entries("went_on")
    assert (went_on.reason, went_on.detail) == ("failed", {"why": "sold_out"})


@pytest.mark.parametrize("by_function", [True, False])
def test_an_action_that_never_answers_lets_the_time_run_out(by_function: bool) -> None:
    sim = started({"voucher": (lambda *_: None) if by_function else None})

    sim.assert_waiting("ada", until="2026-06-01T13:00:00Z")
    sim.advance(hours(1))

    sim.assert_sent("ada", "sorry", at="2026-06-01T13:00:00Z")


@pytest.mark.parametrize("calls", [None, {}, {"other": {}}])
def test_where_nobody_knows_the_result_the_run_ends_undetermined(calls: Any) -> None:
    sim = started(calls)

    sim.assert_exited("ada", reason="undetermined")
    sim.assert_not_sent("ada")
    report = sim.report()
    assert report["vouchers"].exited == {"undetermined": 1}
    assert "exited: undetermined 1" in str(report)


def test_calls_follow_one_another() -> None:
    sim = started(
        {"a": {"n": 1}, "b": lambda arguments, _: {"n": arguments["n"] + 1}},
        journey(
            Call("a"),
            Call("b", {"n": step("call-a").result.n}),
            Send("email", "done", variables={"n": step("call-b").result.n}),
        ),
    )

    assert sim.assert_sent("ada", "done").variables == {"n": 2}


def test_calls_that_time_leads_to_are_answered_too() -> None:
    sim = Simulator(
        journey(Wait(days(1)), Call("voucher"), Wait(days(1)), Send("email", "done")),
        start=START,
        calls={"voucher": {}},
    )
    sim.event("start", "ada")

    sim.play_out()

    sim.assert_sent("ada", "done", at="2026-06-03T12:00:00Z")


def test_the_commands_are_there_to_be_looked_at() -> None:
    sim = started({"voucher": {}}, total=9)

    (call,) = (command for command in sim.commands if isinstance(command, CallAction))

    assert (call.action, call.arguments) == ("voucher", {"total": 9})


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(TypeError, match="'voucher' has to come to a mapping, a CallF"):
        started({"voucher": "A1"})
    with pytest.raises(InputError, match="the result of 'voucher'"):
        started({"voucher": {"codes": {"A1", "A2"}}})


def test_a_journey_that_calls_without_end_is_found_out() -> None:
    again = journey(
        Call("a"), trigger=on("call.completed"), id="again", reentry="always"
    )
    both = [journey(Call("a")), again]

    with pytest.raises(ValueError, match="calls 'a' again and again at one instant"):
        started({"a": {}}, *both)


def test_simulate_takes_calls_as_well() -> None:
    sim = simulate(
        VOUCHER,
        [make_event("start", "ada", at=START)],
        calls={"voucher": {"code": "A1"}},
    )

    sim.assert_sent("ada", "here")


def test_the_timeline_tells_of_calls() -> None:
    sim = started({"voucher": {"code": "A1"}}, total=9)

    assert sim.timeline().splitlines()[2:6] == [
        "day 1  12:00  ada  vouchers  entered",
        "day 1  12:00  ada  vouchers  called voucher: total = 9",
        "day 1  12:00  ada  vouchers  waits until 2026-06-01 13:00",
        'day 1  12:00  ada  vouchers  the action is done: code = "A1"',
    ]
