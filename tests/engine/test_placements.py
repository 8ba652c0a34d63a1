"""A place asks what to show, and the first journey that may answers; scores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Cap,
    ConsentDefault,
    Emit,
    Goal,
    Holdout,
    Journey,
    Policies,
    ReEntry,
    Send,
    Start,
    Update,
    Wait,
    WaitFor,
    When,
    api,
    asked,
    days,
    event,
    hours,
    on,
    profile,
)
from journeykit.errors import DefinitionError
from journeykit.model.check import check
from journeykit.model.rules import is_id
from journeykit.testing import Simulator

HOME = "home-banner"
START = "2026-06-01T12:00:00Z"


def answers(id: str, *steps: Any, placement: str = HOME, **options: Any) -> Journey:
    """A journey that shows something named after it, whenever it is asked."""
    given = {
        "trigger": asked(placement, where=options.pop("where", None)),
        "steps": steps or [Send("inapp", id)],
        "reentry": ReEntry("always"),
        **options,
    }
    return Journey(id, **given)


def ask(ada: Any, placement: str = HOME, **more: Any) -> list[tuple[str, str]]:
    """Ask, and say which templates go where; an empty place is the inbox."""
    before = len(ada.commands)
    ada.event("placement.requested", placement=placement, **more)
    return [(one.template, one.placement) for one in ada.commands[before:]]


def reasons(ada: Any) -> list[tuple[str, str]]:
    return [(one.journey, one.reason or one.kind) for one in ada.last.trace]


def test_the_journey_that_is_asked_answers_at_once(drive: Any) -> None:
    ada = drive(answers("offer"))

    assert ask(ada) == [("offer", HOME)]
    assert ada.commands[0].ask


def test_only_the_place_that_is_meant_is_answered(drive: Any) -> None:
    ada = drive(answers("offer"), answers("other", placement="sidebar"))

    assert ask(ada, "sidebar") == [("other", "sidebar")]


def test_the_one_of_the_highest_priority_answers_and_nobody_else_enters(
    drive: Any,
) -> None:
    ada = drive(answers("b"), answers("a", priority=10), answers("c", priority=5))

    assert ask(ada) == [("a", HOME)]
    assert [one.journey for one in ada.last.trace if one.kind == "entered"] == ["a"]


def test_who_may_not_answer_leaves_it_to_the_next(drive: Any) -> None:
    policies = Policies(caps=[Cap(1, within=days(1), journey="first")])
    ada = drive(answers("first", priority=9), answers("second"), policies=policies)

    assert ask(ada) == [("first", HOME)]
    assert ask(ada) == [("second", HOME)]
    assert ("first", "frequency_cap") in reasons(ada)


def test_the_same_guards_are_asked_as_of_any_message(drive: Any) -> None:
    policies = Policies(consent=[ConsentDefault("refuse", purpose="marketing")])
    ada = drive(answers("offer"), policies=policies)

    assert ask(ada) == []
    assert ("offer", "no_consent") in reasons(ada)

    ada.event("consent.changed", granted=True, channel="inapp", purpose="marketing")

    assert ask(ada) == [("offer", HOME)]


def test_a_condition_that_fails_is_told_without_being_asked_for(drive: Any) -> None:
    ada = drive(answers("pro", where=profile.plan == "pro", priority=1), answers("all"))

    assert ask(ada) == [("all", HOME)]
    assert ("pro", "condition") in reasons(ada)


def test_what_the_place_says_of_itself_can_be_asked_for(drive: Any) -> None:
    ada = drive(answers("shoes", where=event.category == "shoes"))

    assert ask(ada, category="hats") == []
    assert ask(ada, category="shoes") == [("shoes", HOME)]


def test_a_journey_that_waits_before_its_message_does_not_answer(drive: Any) -> None:
    ada = drive(
        answers("slow", Wait(hours(1)), Send("inapp", "slow"), priority=1),
        answers("quick"),
    )

    assert ask(ada) == [("quick", HOME)]

    ada.wake("+1h")

    assert [(one.template, one.placement) for one in ada.commands] == [
        ("quick", HOME),
        ("slow", ""),
    ]


def test_a_message_over_another_channel_is_no_answer(drive: Any) -> None:
    ada = drive(answers("mail", Send("email", "mail"), priority=1), answers("banner"))

    assert ask(ada) == [("mail", ""), ("banner", HOME)]


def test_the_second_message_of_the_one_that_answers_goes_to_the_inbox(
    drive: Any,
) -> None:
    ada = drive(answers("two", Send("inapp", "one"), Send("inapp", "more")))

    assert ask(ada) == [("one", HOME), ("more", "")]


def test_who_is_held_out_is_shown_what_the_next_one_has(drive: Any) -> None:
    ada = drive(
        answers("tried", holdout=Holdout(99.99), goal=Goal(on("bought")), priority=1),
        answers("usual"),
    )

    assert ask(ada) == [("usual", HOME)]
    assert ("tried", "held_out") in reasons(ada)


def waits_for(id: str, **options: Any) -> Journey:
    """A journey whose run waits until the place asks."""
    shows = When(
        on("placement.requested", where=event.placement == HOME), [Send("inapp", id)]
    )
    return Journey(
        id,
        trigger=on("bought"),
        steps=[WaitFor([shows], timeout=days(30))],
        **options,
    )


def test_a_run_that_waits_for_the_place_comes_before_who_would_enter(
    drive: Any,
) -> None:
    ada = drive(answers("banner", priority=99), waits_for("thanks"))
    ada.event("bought")

    assert ask(ada) == [("thanks", HOME)]
    assert ask(ada) == [("banner", HOME)]


def test_of_two_runs_that_wait_the_second_goes_on_waiting(drive: Any) -> None:
    ada = drive(waits_for("one"), waits_for("two", priority=1))
    ada.event("bought")

    assert ask(ada) == [("two", HOME)]
    assert [run.journey for run in ada.customer.active] == ["one"]
    assert ask(ada) == [("one", HOME)]


def test_a_run_that_is_let_down_by_the_guards_leaves_it_to_who_would_enter(
    drive: Any,
) -> None:
    policies = Policies(caps=[Cap(1, within=days(1), journey="thanks")])
    ada = drive(
        answers("banner"),
        waits_for("thanks", reentry=ReEntry("always")),
        policies=policies,
    )
    ada.event("bought")
    assert ask(ada) == [("thanks", HOME)]
    ada.event("bought")

    assert ask(ada) == [("banner", HOME)]


def test_what_a_step_writes_is_seen_by_who_is_asked_next(drive: Any) -> None:
    ada = drive(
        answers("marks", Update({"seen": True}), priority=1),
        answers("shows", where=profile.seen == True),
    )

    assert ask(ada) == [("shows", HOME)]


def test_what_is_started_or_emitted_by_the_one_that_answers_has_not_been_asked(
    drive: Any,
) -> None:
    ada = drive(
        answers(
            "starts",
            Emit("placement.requested", {"placement": HOME}),
            Start("other"),
            priority=1,
            reentry=ReEntry("never"),
        ),
        Journey("other", trigger=api(), steps=[Send("inapp", "other")]),
        answers("banner", reentry=ReEntry("after_exit")),
    )

    shown = ask(ada)

    assert shown[0] == ("banner", HOME)
    assert {where for _, where in shown[1:]} == {""}


def test_the_same_ask_twice_decides_once(drive: Any) -> None:
    ada = drive(answers("offer"))
    ada.event("placement.requested", placement=HOME, id="ask-1")

    ada.event("placement.requested", placement=HOME, id="ask-1")

    assert len(ada.commands) == 1
    assert reasons(ada) == [("", "duplicate")]


def test_what_was_due_before_is_no_answer(drive: Any) -> None:
    ada = drive(
        Journey(
            "late", trigger=on("start"), steps=[Wait(hours(1)), Send("inapp", "late")]
        ),
        answers("banner"),
    )
    ada.event("start")
    ada.now = ada.now.replace(hour=14)

    assert ask(ada) == [("late", ""), ("banner", HOME)]


@pytest.mark.parametrize(
    "name", ["", "Home", "a b", "x" * 65, None, 7], ids=lambda name: repr(name)[:8]
)
def test_a_place_that_has_no_name_is_not_answered(drive: Any, name: object) -> None:
    any_place = Journey(
        "any", trigger=on("placement.requested"), steps=[Send("inapp", "any")]
    )
    ada = drive(any_place)

    ada.event("placement.requested", placement=name)

    assert not is_id(name)
    assert [one.placement for one in ada.commands] == [""]


def test_a_place_must_be_named_as_ids_are() -> None:
    with pytest.raises(DefinitionError, match="a place's name has 1 to 64"):
        asked("Home Banner")


def test_the_condition_of_an_asked_journey_needs_its_name() -> None:
    with pytest.raises(DefinitionError, match="where="):
        asked(HOME, profile.plan == "pro")  # type: ignore[arg-type]


def test_check_warns_of_a_journey_that_can_never_answer() -> None:
    late = answers("late", Wait(hours(1)), Send("inapp", "late"))

    [found] = [one for one in check([late]) if one.level == "warning"]

    assert "gets no answer" in found.message
    assert not [one for one in check([answers("ok")]) if one.level == "warning"]


@given(
    st.lists(
        st.tuples(
            st.integers(-2, 2),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["inapp", "email"]),
        ),
        max_size=6,
    )
)
def test_the_answer_is_that_of_the_first_who_would_answer_alone(
    drawn: list[tuple[int, bool, bool, str]],
) -> None:
    journeys = [
        answers(
            f"j{n}",
            *([Wait(hours(1))] if waits else []),
            Send(channel, f"j{n}"),
            priority=priority,
            where=None if holds else profile.never == True,
        )
        for n, (priority, holds, waits, channel) in enumerate(drawn)
    ]
    by_turn = sorted(enumerate(drawn), key=lambda one: (-one[1][0], one[0]))
    would = [
        (n, *flags)
        for n, (_, *flags) in by_turn
        if flags[0]  # the others may enter, and answer nothing
    ]
    expected = next(
        (n for n, _, waits, channel in would if not waits and channel == "inapp"), None
    )
    sim = Simulator([*journeys, answers("x", placement="x")], start=START)

    shown = sim.ask(HOME, "ada")

    assert (shown and shown.template) == (None if expected is None else f"j{expected}")
    entered = [one.journey for one in sim.trace if one.kind == "entered"]
    turn = [f"j{n}" for n, *_ in would]
    last = len(turn) if expected is None else turn.index(f"j{expected}") + 1
    assert entered == turn[:last]
    assert [one.placement for one in sim.commands if one.placement] == (
        [] if expected is None else [HOME]
    )
