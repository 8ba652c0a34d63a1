"""A simulation looks up whom events are about, as the runtime does."""

from __future__ import annotations

import pytest

from journeykit import IdentityRules, InputError, Journey, Send, Wait, days, on
from journeykit.engine.ids import made_id
from journeykit.testing import Simulator, make_event

START = "2026-06-01T12:00:00Z"
WELCOME = Journey(
    id="welcome", trigger=on("signed.up"), steps=[Wait(days(1)), Send("email", "hi")]
)


def test_a_visitor_is_somebody_whose_id_is_made_up() -> None:
    sim = Simulator(WELCOME, start=START)

    sim.event("signed.up", "", identifiers={"anonymous": "a"})

    sim.assert_waiting(made_id("anonymous", "a"), "welcome")


def test_whoever_signs_in_gets_what_the_visitor_waited_for() -> None:
    sim = Simulator(WELCOME, start=START)
    sim.event("signed.up", "", identifiers={"anonymous": "a"})

    sim.identify("ada", identifiers={"anonymous": "a"})
    sim.play_out()

    sim.assert_sent("ada", "hi", at="2026-06-02T12:00:00Z", times=1)
    sim.assert_not_sent(made_id("anonymous", "a"))


def test_two_who_are_known_are_merged_when_it_says_so() -> None:
    sim = Simulator(WELCOME, start=START)
    sim.event("signed.up", "bob")
    sim.event("signed.up", "ada")

    sim.merge("bob", "ada")
    sim.event("signed.up", "bob")
    sim.play_out()

    sim.assert_exited("ada", "welcome", reason="merged")
    sim.assert_sent("ada", "hi", times=1)


def test_an_event_about_nobody_is_refused() -> None:
    sim = Simulator(WELCOME, start=START, identity=IdentityRules(kinds=("crm",)))

    with pytest.raises(InputError, match="names no customer"):
        sim.event("signed.up", "", identifiers={"anonymous": "a"})


def test_a_stream_goes_on_behind_an_event_about_nobody() -> None:
    sim = Simulator(WELCOME, start=START)
    nobody = make_event("signed.up", "", identifiers={"anonymous": "null"}, at=START)
    refused: list[str] = []

    sim.run(
        [nobody, make_event("signed.up", "ada", at=START)],
        on_refused=lambda event, reason: refused.append(reason),
    )

    assert refused == ["nobody"]
    sim.assert_entered("ada", "welcome")
