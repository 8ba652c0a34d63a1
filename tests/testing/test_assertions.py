"""An assertion that fails tells what was wanted, what happened instead, and the story."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from journeykit import (
    Cap,
    Goal,
    Journey,
    Policies,
    Send,
    Wait,
    days,
    event,
    hours,
    on,
)
from journeykit.testing import Simulator

NINE = "2026-06-01T09:00:00Z"
WELCOME = Journey(
    id="welcome",
    trigger=on("signed_up"),
    reentry="never",
    goal=Goal(on("order.placed"), value=event.amount),
    steps=[
        Send("email", "hello"),
        Wait(hours(4)),
        Send("email", "tips"),
        Wait(days(2)),
    ],
)


def welcomed() -> Simulator:
    """`tips` is capped, then ada waits until 2026-06-03T13:00:00Z."""
    sim = Simulator(
        WELCOME, start=NINE, policies=Policies(caps=[Cap(1, within=days(1))])
    )
    sim.event("signed_up", "ada")
    sim.event("seen", "bob")
    sim.advance(hours(5))
    return sim


def failure(check: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def test_assertions_that_hold_return_what_they_found() -> None:
    sim = welcomed()

    message = sim.assert_sent("ada", "hello", channel="email", at=NINE, times=1)
    capped = sim.assert_suppressed("ada", "tips", reason="frequency_cap")
    run = sim.assert_waiting("ada", "welcome", until="2026-06-03T13:00:00Z")

    assert message.template == "hello"
    assert capped.detail["values"]["limit"] == 1
    assert run.step == "wait-2d"
    assert sim.assert_entered("ada", "welcome").kind == "entered"
    sim.assert_not_sent("ada", "tips")


def test_a_run_that_has_ended_is_found_by_how_it_ended() -> None:
    sim = welcomed()
    sim.advance(days(3))

    completed = sim.assert_completed("ada", "welcome")

    assert completed.at == sim.now.replace(day=3, hour=13)


def test_a_goal_is_found_by_its_name_and_value() -> None:
    sim = welcomed()
    sim.event("order.placed", "ada", amount=40)

    reached = sim.assert_reached("ada", "welcome", goal="goal", value=40)

    assert reached.kind == "goal"
    sim.assert_exited("ada", reason="goal_reached")


def test_entering_in_vain_is_found_by_its_reason() -> None:
    sim = welcomed()
    sim.event("signed_up", "ada")

    sim.event("seen", "bob")

    sim.assert_not_entered("ada", "welcome", reason="entered_before")
    sim.assert_not_entered("bob")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda sim: sim.assert_sent("ada", "tips"),
            (
                "'ada' was not sent 'tips'\n"
                "2026-06-01 13:00:00Z welcome: not sent: at most 1 within 1d"
            ),
        ),
        (
            lambda sim: sim.assert_sent("ada", "hello", at="2026-06-01T10:00:00Z"),
            (
                "'ada' was not sent 'hello' at 2026-06-01T10:00:00Z\n"
                "2026-06-01 09:00:00Z welcome: sent hello by email"
            ),
        ),
        (
            lambda sim: sim.assert_sent("ada", "hello", channel="sms"),
            "'ada' was not sent 'hello' by sms\n2026-06-01 09:00:00Z welcome: sent",
        ),
        (
            lambda sim: sim.assert_sent("ada", "hello", times=2),
            "'ada' was sent 'hello' 1 time, not 2\n",
        ),
        (
            lambda sim: sim.assert_not_sent("ada", "hello"),
            "'ada' was sent 'hello'\n2026-06-01 09:00:00Z welcome: sent hello by email",
        ),
        (
            lambda sim: sim.assert_suppressed("ada", "hello"),
            (
                "no 'hello' to 'ada' was suppressed\n"
                "2026-06-01 09:00:00Z welcome: sent hello by email"
            ),
        ),
        (
            lambda sim: sim.assert_suppressed("ada", "tips", reason="no_consent"),
            (
                "no 'tips' to 'ada' was suppressed because of 'no_consent'\n"
                "2026-06-01 13:00:00Z welcome: not sent: at most 1"
            ),
        ),
        (
            lambda sim: sim.assert_exited("ada", reason="goal_reached"),
            "no run of 'ada' has exited because of 'goal_reached'\n",
        ),
        (
            lambda sim: sim.assert_completed("ada", "welcome"),
            "no run of 'ada' has completed in 'welcome'\n",
        ),
        (
            lambda sim: sim.assert_waiting("ada", until="2026-06-02T00:00:00Z"),
            (
                "'ada' does not wait until 2026-06-02T00:00:00Z, but waits in "
                "'welcome' at 'wait-2d' until 2026-06-03 13:00:00Z\n"
            ),
        ),
        (
            lambda sim: sim.assert_waiting("ada", step="wait-4h"),
            "'ada' does not wait at 'wait-4h', but waits in 'welcome'",
        ),
        (
            lambda sim: sim.assert_reached("ada", goal="goal", value=40),
            "'ada' did not reach 'goal' with the value 40\n",
        ),
        (
            lambda sim: sim.assert_not_entered("ada"),
            "'ada' entered\n2026-06-01 09:00:00Z welcome: entered",
        ),
        (
            lambda sim: sim.assert_entered("bob", "welcome"),
            "'bob' did not enter in 'welcome'\n",
        ),
    ],
)
def test_a_failure_says_what_happened_instead(
    check: Callable[[Simulator], object], message: str
) -> None:
    sim = welcomed()

    text = failure(lambda: check(sim))

    assert text.startswith(message)
    assert sim.timeline("bob" if "'bob'" in text else "ada") in text
    assert "it is 2026-06-01 14:00:00Z now" in text


def test_a_failure_about_somebody_unknown_asks_who_was_meant() -> None:
    sim = welcomed()

    text = failure(lambda: sim.assert_sent("adda", "hello"))

    assert "there is no customer 'adda'; did you mean 'ada'?" in text


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda sim: sim.assert_not_sent("ada", "helo"),
            "there is no template 'helo'; did you mean 'hello'?",
        ),
        (
            lambda sim: sim.assert_not_sent("adda", "hello"),
            "there is no customer 'adda'; did you mean 'ada'?",
        ),
        (
            lambda sim: sim.assert_not_entered("ada", "good-bye"),
            "there is no journey 'good-bye'",
        ),
    ],
)
def test_a_misspelt_name_cannot_make_a_test_pass(
    check: Callable[[Simulator], object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(welcomed())


def test_an_exit_for_another_reason_is_shown() -> None:
    sim = welcomed()
    sim.stop("welcome")

    text = failure(lambda: sim.assert_exited("ada", reason="goal_reached"))

    assert "welcome: left: the journey was stopped\n" in text


def test_sent_no_times_is_not_sent() -> None:
    sim = welcomed()

    with pytest.raises(ValueError, match="assert_not_sent"):
        sim.assert_sent("ada", "tips", times=0)


def test_somebody_held_out_has_entered_and_waits_for_nothing() -> None:
    tested = Journey(
        id="tested",
        trigger=on("signed_up"),
        goal=Goal(on("order.placed"), within=days(7)),
        holdout=99.99,
        steps=[Send("email", "hello")],
    )
    sim = Simulator(tested, start=NINE)
    sim.event("signed_up", "ada")

    assert sim.assert_entered("ada").kind == "held_out"
    text = failure(lambda: sim.assert_waiting("ada"))
    assert text.startswith("'ada' does not wait, but is held out of 'tested'")


def test_a_failure_can_not_command_the_terminal() -> None:
    sim = Simulator(
        Journey("hi", trigger=on("x"), steps=[Send("email", "hi")]),
        start="2026-06-01T09:00:00Z",
    )
    sim.event("x", "ada", {"\x1b[2J": "\x9b31m"})

    with pytest.raises(AssertionError) as caught:
        sim.assert_sent("ada", channel="\x1b[31m")

    assert all(line.isprintable() for line in str(caught.value).split("\n"))
