"""What becomes of messages in a simulation, said by its author."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import Journey, Send, Wait, WaitFor, When, days, hours, minutes, on
from journeykit.testing import Fate, SentMessage, Simulator, make_event, simulate

START = "2026-06-01T12:00:00Z"


def chain(**options: Any) -> Journey:
    send = Send(
        ["push", "sms", "email"],
        "news",
        id="news",
        **{"fallback_after": hours(2), **options},
    )
    return Journey("j", trigger=on("start"), steps=[send, Send("letter", "after")])


def played(fates: Any, journey: Journey | None = None) -> Simulator:
    sim = Simulator(journey or chain(), start=START, fates=fates)
    sim.event("start", "ada")
    sim.play_out()
    return sim


def over(sim: Simulator) -> list[str]:
    return [f"{sent.channel} {sent.at:%H:%M}" for sent in sim.sends_to("ada")]


def test_of_a_message_without_a_fate_nobody_hears() -> None:
    sim = played({"push": None})

    assert over(sim) == ["push 12:00", "sms 14:00", "email 16:00", "letter 16:00"]
    sim.assert_fell_back("ada", "news", channel="push", reason="timeout")


def test_a_fate_is_known_at_once() -> None:
    sim = played({"push": "bounced", "sms": "delivered"})

    assert over(sim) == ["push 12:00", "sms 12:00", "letter 12:00"]
    sim.assert_fell_back("ada", channel="push", reason="bounced")
    sim.assert_completed("ada")


def test_a_fate_takes_its_time() -> None:
    sim = played({"push": "opened after 90m"})

    assert over(sim) == ["push 12:00", "letter 13:30"]


def test_one_that_takes_too_long_is_too_late() -> None:
    sim = played({"push": "delivered after 3h"})

    # Late word of the push still spares the e-mail.
    assert over(sim) == ["push 12:00", "sms 14:00", "letter 15:00"]


def test_several_things_become_of_one_message() -> None:
    asks = WaitFor(
        [When(on("message.clicked"), [Send("letter", "after")])], timeout=days(1)
    )
    journey = Journey("j", trigger=on("start"), steps=[Send("email", "news"), asks])

    sim = played(
        {"email": ["delivered", Fate("opened", hours(1)), "clicked after 2h"]}, journey
    )

    assert over(sim) == ["email 12:00", "letter 14:00"]


def test_what_a_report_carries_is_said_too() -> None:
    sim = played({"push": Fate("bounced", properties={"bounce": "hard"})})

    states = sim.customers["ada"].addresses.values()
    assert [state.suppressed for state in states] == ["hard_bounce"]


def test_a_function_decides_by_the_message() -> None:
    def of_push(message: SentMessage) -> str | None:
        return "delivered" if message.customer == "bob" else None

    sim = Simulator(chain(), start=START, fates={"push": of_push})
    sim.event("start", "ada")
    sim.event("start", "bob")
    sim.play_out()

    assert [sent.channel for sent in sim.sends_to("bob")] == ["push", "letter"]
    assert len(sim.sends_to("ada")) == 4


def test_reports_stand_in_the_timeline() -> None:
    sim = played({"push": "opened after 30m"})

    assert "12:30  ada     > message.opened" in str(sim)
    assert "message.opened happened" in str(sim)


def test_what_is_reported_at_the_instant_of_a_due_wait_comes_before_it() -> None:
    sim = played({"push": "delivered after 2h"})

    assert over(sim) == ["push 12:00", "letter 14:00"]


def test_the_clock_stops_for_what_is_reported() -> None:
    sim = Simulator(chain(), start=START, fates={"push": "opened after 30m"})
    sim.event("start", "ada")

    assert sim.next_due is not None
    assert f"{sim.next_due:%H:%M}" == "12:30"

    sim.advance(minutes(29))
    assert over(sim) == ["push 12:00"]

    sim.advance(minutes(1))
    assert over(sim) == ["push 12:00", "letter 12:30"]


def test_events_of_a_stream_find_what_was_reported_before_them() -> None:
    journey = Journey(
        "j",
        trigger=on("start"),
        steps=[Send("email", "news"), WaitFor([When(on("message.opened"))])],
    )
    events = [
        make_event("start", at=START),
        make_event("other", at="2026-06-01T14:00:00Z"),
    ]

    sim = simulate(journey, events, fates={"email": "opened after 1h"})

    assert f"{sim.assert_completed('ada').at:%H:%M}" == "13:00"


def test_a_chain_of_failures_ends_with_the_last_channel() -> None:
    sim = played(dict.fromkeys(["push", "sms", "email"], "failed"))

    assert over(sim) == ["push 12:00", "sms 12:00", "email 12:00", "letter 12:00"]


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ("deliverd", "did you mean 'delivered'?"),
        ("queued", "no message is ever 'queued'"),
        ("opened after soon", "after: duration 'soon' is not understood"),
        (["delivered", "read"], "no message is ever 'read'"),
    ],
    ids=["misspelt", "queued", "no duration", "among others"],
)
def test_a_misspelt_fate_is_refused_at_the_start(fate: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"ever|after") as failure:
        Simulator(chain(), start=START, fates={"push": fate})

    assert said in str(failure.value)


def test_a_fallback_that_did_not_happen_is_told_with_the_story() -> None:
    sim = played({"push": "delivered"})

    with pytest.raises(AssertionError) as failure:
        sim.assert_fell_back("ada", "news", channel="push", reason="timeout")

    told = str(failure.value)
    assert told.startswith(
        "no 'news' to 'ada' fell back from push because of 'timeout'"
    )
    assert "message.delivered happened" in told


def test_a_fallback_of_a_misspelt_template_is_no_test() -> None:
    with pytest.raises(ValueError, match="did you mean 'news'"):
        played({}).assert_fell_back("ada", "newz")


def test_a_wait_between_does_not_lose_a_report() -> None:
    journey = Journey(
        "j",
        trigger=on("start"),
        steps=[
            Send("email", "news", id="news"),
            Wait(hours(2)),
            WaitFor([When(on("message.opened"))], since="news"),
            Send("letter", "after"),
        ],
    )

    sim = played({"email": "opened after 1h"}, journey)

    assert over(sim) == ["email 12:00", "letter 14:00"]
