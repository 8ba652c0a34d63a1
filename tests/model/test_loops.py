"""`check` on loops, and on journeys that start and end each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from journeykit import (
    Branch,
    Collect,
    Condition,
    Emit,
    Exit,
    ExitRule,
    Goal,
    Goto,
    Journey,
    ReEntry,
    Repeat,
    Send,
    Split,
    Start,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    api,
    days,
    entry,
    event,
    hours,
    minutes,
    on,
    profile,
)
from journeykit.model.check import Issue, check
from journeykit.model.steps import Arm, Step

PAID = WaitFor([When(on("paid"), [Exit("paid")])], timeout=days(3))
YES = Condition.parse("profile.a == 1")


def journey(*steps: Any, **fields: Any) -> Journey:
    given: dict[str, Any] = {"id": "cart", "trigger": on("cart.updated"), **fields}
    return Journey(steps=steps, **given)


def found(*journeys: Journey) -> list[Issue]:
    return check(journeys)


def only(level: str, *journeys: Journey) -> Issue:
    """The one issue that there is."""
    [issue] = found(*journeys)
    assert issue.level == level
    return issue


def mail(**fields: Any) -> Send:
    return Send("email", "reminder", **fields)


def loop(*steps: Step, **fields: Any) -> Journey:
    """Go back to the first step for ever, unless a goal says otherwise."""
    begin = Update({"x": 1}, id="begin")
    return journey(begin, *steps, Goto("begin"), **{"goal": Goal(on("y")), **fields})


# Goto


def test_goto_to_a_step_that_is_not_there_is_an_error_with_the_nearest_name() -> None:
    issue = only("error", journey(mail(id="remind"), Goto("remnd")))

    assert issue.message == "'remnd' is no step; did you mean 'remind'?"
    assert issue.step == "goto-remnd"


@pytest.mark.parametrize(
    "steps",
    [
        [mail(id="a"), PAID, Goto("a")],
        [Branch([When(YES, [Goto("z")])]), mail(), Update({"a": 1}, id="z")],
        [Goto("z"), mail(id="y"), Exit(), mail(id="z"), Wait(days(1)), Goto("y")],
    ],
)
def test_goto_may_lead_anywhere_in_its_journey(steps: list[Step]) -> None:
    assert not found(journey(*steps))


def test_the_step_behind_a_goto_is_not_reached_by_it() -> None:
    issue = only("error", journey(Goto("z"), mail(id="late"), Wait(days(1), id="z")))

    assert issue.step == "late"
    assert issue.message == "never reached: every path ends at 'goto-z'; remove it"


def test_what_stands_inside_of_an_unreached_step_is_reached_if_goto_says_so() -> None:
    hidden = Split([Arm("a", 100, [mail(id="in"), mail(id="in-2")])], id="hidden")

    issue = only("error", journey(Goto("in"), hidden))

    assert issue.step == "hidden"


# Loops without a wait


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [mail(), Branch([When(YES, [Wait(days(1))])])],  # not on every way round
        [Split([Arm("a", 50, [Wait(days(1))]), Arm("b", 50)])],
        [Repeat([Wait(days(1))], times=3, until=YES)],
        [WaitFor([When(YES)], timeout=days(1))],  # it may hold already
        [WaitFor([When(on("y"))], timeout=Until(profile.renews_at))],
        [Wait(Until(profile.renews_at))],  # it passes once
        [Wait(Until(datetime(2026, 1, 1, tzinfo=UTC)))],
        [Wait(Until(profile.renews_at), on_past="exit", on_missing="proceed")],
        [Wait(Until(time="20:00"))],  # at 20:00 it is over
        [Wait(Until(window=Window("08:00", "20:00")))],
        [Wait(Until(weekdays=["mon"]))],
    ],
)
def test_a_loop_that_may_go_round_without_a_wait_is_an_error(
    steps: list[Step],
) -> None:
    issue = only("error", loop(*steps))

    assert issue.step == "goto-begin"
    assert issue.message.startswith(
        "loop without a wait: from 'begin' a run comes back here"
    )


@pytest.mark.parametrize(
    "steps",
    [
        [Wait(minutes(1))],
        [PAID],
        [Split([Arm("a", 50, [Wait(days(1))]), Arm("b", 50, [Wait(days(2))])])],
        [Branch([When(YES, [Exit()])], otherwise=[Wait(days(1))])],
        [Repeat([Wait(days(1))], times=3)],
        [WaitFor([When(YES, [Exit()])], timeout=days(1))],
        [Wait(Until(profile.renews_at), on_past="exit")],
        [Wait(Until(time="20:00", after=minutes(1)))],
    ],
)
def test_a_loop_that_always_waits_is_right(steps: list[Step]) -> None:
    assert not found(loop(*steps))


def test_the_wait_that_is_none_in_a_loop_is_named() -> None:
    issue = only("error", loop(Wait(Until(time="20:00")), mail()))

    assert issue.message.endswith(
        ", since 'wait-until-20-00' can be over at once (a duration can't); add a Wait"
    )


def test_a_goto_to_itself_is_a_loop() -> None:
    assert only("error", journey(Goto("here", id="here"))).step == "here"


def test_two_gotos_of_one_loop_are_two_errors() -> None:
    steps = [Update({"x": 1}, id="a"), Branch([When(YES, [Goto("a")])]), Goto("a")]

    issues = [issue for issue in found(journey(*steps)) if issue.level == "error"]

    assert [issue.step for issue in issues] == ["goto-a", "goto-a-2"]


# Loops without end


def test_a_loop_without_a_way_out_is_a_warning() -> None:
    issue = only("warning", loop(Wait(days(1)), goal=None))

    assert issue.message == (
        "runs for ever: no way leads out of the loop, and no goal or exit rule ends the "
        "run; add one, or a Branch with an Exit"
    )


@pytest.mark.parametrize(
    "right",
    [
        loop(Wait(days(1)), goal=Goal(on("y"))),
        loop(Wait(days(1)), goal=None, exit_rules=[on("y")]),
        loop(Wait(days(1)), goal=None, exit_rules=[ExitRule(on("y"))]),
        loop(Wait(days(1)), goal=None, ends_at="2027-01-01T00:00Z", on_end="eject"),
        loop(PAID, goal=None),
        loop(Wait(days(1)), mail(on_refused="exit"), goal=None),
        loop(Collect(on("y"), window=days(1)), goal=None),  # until nothing comes
    ],
)
def test_a_loop_that_something_ends_is_right(right: Journey) -> None:
    assert not found(right)


def test_a_goal_that_goes_on_ends_no_loop() -> None:
    goal = Goal(on("y"), on_goal="continue", within=days(1))

    assert only("warning", loop(Wait(days(1)), goal=goal)).step == "goto-begin"


# Repeat


def updates(count: int) -> list[Step]:
    return [Update({"n": n}, id=f"update-{n}") for n in range(count)]


def test_rounds_without_a_wait_may_take_a_hundred_steps_in_all() -> None:
    # 1 for the Repeat, and a round is its steps and the Repeat again.
    assert not found(journey(Repeat(updates(10), times=9)))

    issue = only("error", journey(Repeat(updates(9), times=10)))

    assert issue.step == "repeat"
    assert issue.message.startswith(
        "loop without a wait: 10 rounds of 10 steps, and more than 100 steps fail"
    )


def test_what_comes_before_and_behind_the_rounds_is_counted_too() -> None:
    rounds = Repeat(updates(10), times=8)  # 89 steps
    rest = [Update({"m": n}, id=f"behind-{n}") for n in range(12)]

    assert not found(journey(rounds, *rest[:11]))
    assert only("error", journey(rounds, *rest)).step == "behind-11"
    before = [Update({"m": n}, id=f"before-{n}") for n in range(12)]
    assert not found(journey(*before[:11], rounds))
    assert only("error", journey(*before, rounds)).step == "repeat"


def test_a_repeat_in_a_repeat_multiplies_its_rounds() -> None:
    inner = Repeat(updates(1), times=6, id="inner")  # 13 steps

    assert not found(journey(Repeat([inner], times=7, id="outer")))  # 1 + 7 * 14
    issue = only("error", journey(Repeat([inner], times=8, id="outer")))
    assert issue.step == "outer"


@pytest.mark.parametrize(
    "steps",
    [
        [*updates(50), Wait(days(1))],
        [WaitFor([When(on("y"))], timeout=days(1)), *updates(50)],
        [Repeat([Wait(days(1)), *updates(20)], times=100, id="inner")],
    ],
)
def test_rounds_that_always_wait_may_be_as_many_as_wanted(steps: list[Step]) -> None:
    assert not found(journey(Repeat(steps, times=100)))


def test_a_wait_on_one_path_only_is_none() -> None:
    steps = [Branch([When(YES, [Wait(days(1))])]), *updates(10)]

    assert only("error", journey(Repeat(steps, times=100))).step == "repeat"


def test_a_message_in_rounds_without_a_wait_is_a_warning() -> None:
    issue = only("warning", journey(Repeat([mail()], times=3)))

    assert issue.step == "send-email-reminder"
    assert issue.message.startswith(
        "a step sends one message at a time, and the rounds"
    )
    assert not found(journey(Repeat([mail()], times=1)))
    assert not found(journey(Repeat([mail(), Wait(days(1))], times=3)))


def test_a_local_time_that_comes_round_at_once_is_named() -> None:
    daily = Repeat([Wait(Until(time="20:00")), mail()], times=3)

    issue = only("warning", journey(daily))

    assert "since 'wait-until-20-00' can be over at once" in issue.message


def test_what_stands_behind_a_repeat_is_reached_only_if_a_round_can_end() -> None:
    never = journey(Repeat([mail(), Exit()], times=3), mail(id="late"))

    assert only("error", never).step == "late"
    by_condition = Repeat([mail(), Exit()], times=3, until=YES)
    assert not found(journey(by_condition, mail(id="late")))


def test_a_repeat_ends_a_loop_that_its_goto_would_go_on_with() -> None:
    assert not found(
        journey(Repeat([mail(), Wait(days(1)), Goto("repeat")], times=3), mail(id="z"))
    )


# since, and messages between


def listening(**fields: Any) -> WaitFor:
    return WaitFor([When(on("message.opened"))], timeout=days(1), id="listen", **fields)


@pytest.mark.parametrize(
    ("steps", "right"),
    [
        ([Repeat([mail(id="a"), Wait(days(1)), listening(since="a")], times=3)], True),
        ([Repeat([mail(id="a"), Wait(days(1))], times=3), listening(since="a")], True),
        (
            [
                Repeat([mail(id="a"), Wait(days(1))], times=3, until=YES),
                listening(since="a"),
            ],
            False,  # there may be no round
        ),
        (
            [Repeat([listening(since="a"), mail(id="a"), Wait(days(1))], times=3)],
            False,  # not in the first round
        ),
        (
            [mail(id="a"), Wait(days(1), id="b"), listening(since="a"), Goto("b")],
            True,
        ),
        (
            [
                Branch([When(YES, [Goto("b")])]),
                mail(id="a"),
                Wait(days(1), id="b"),
                listening(since="a"),
            ],
            False,
        ),
    ],
)
def test_since_must_lie_on_every_path_round_a_loop_too(
    steps: list[Step], right: bool
) -> None:
    issues = [issue for issue in found(journey(*steps)) if issue.level == "error"]

    assert [issue.step for issue in issues] == ([] if right else ["listen"])
    assert all("on every path" in issue.message for issue in issues)


def test_a_message_of_the_round_before_may_be_missed() -> None:
    steps = [listening(), mail(id="hello"), Wait(hours(1))]

    issue = only("warning", journey(Repeat(steps, times=3)))

    assert issue.message == (
        "'message.opened' doesn't count if it comes between 'hello' and this step; "
        "wait for it at once"
    )
    assert not found(journey(Repeat([mail(id="hello"), listening()], times=3)))


def test_a_wait_in_a_loop_is_too_late_by_its_first_round() -> None:
    span: dict[str, Any] = {
        "starts_at": datetime(2026, 6, 1, tzinfo=UTC),
        "ends_at": datetime(2026, 7, 1, tzinfo=UTC),
        "on_end": "eject",
    }

    assert not found(loop(Wait(days(20)), **span))
    issue = only("error", journey(Repeat([Wait(days(40)), mail()], times=3), **span))
    assert issue.message.startswith("this wait can't end before ")


# Other journeys


WELCOME = journey(mail(), id="welcome", trigger=api())


def test_a_journey_that_is_not_there_is_an_error_with_the_nearest_name() -> None:
    start = only("error", WELCOME, journey(Start("welcom")))
    end = only("error", WELCOME, journey(Exit(journey="welcom")))

    assert start.message == "journey 'welcom' is not known; did you mean 'welcome'?"
    assert end.message == start.message
    assert not found(WELCOME, journey(Start("welcome"), Exit(journey="welcome")))


def test_a_journey_that_takes_no_calls_cannot_be_started() -> None:
    issue = only("error", journey(mail(), id="welcome"), journey(Start("welcome")))

    assert issue.message == (
        "journey 'welcome' has no api() trigger, so no step can start it; add one to "
        "its triggers"
    )
    assert not found(
        journey(mail(), id="welcome", trigger=[on("x"), api()]),
        journey(Start("welcome")),
    )


def test_a_key_of_a_journey_without_keys_is_an_error() -> None:
    issue = only("error", WELCOME, journey(Exit(journey="welcome", key=entry.order_id)))

    assert issue.message == "journey 'welcome' has no key; leave `key` out here"
    keyed = journey(mail(), id="welcome", trigger=api(), key=event.order_id)
    assert not found(keyed, journey(Exit(journey="welcome", key=entry.order_id)))


def test_behind_an_exit_of_another_journey_the_run_goes_on() -> None:
    assert not found(WELCOME, journey(Exit(journey="welcome"), mail()))


@pytest.mark.parametrize(
    "step",
    [Start("welcome", {"x": event.total}), Exit(journey="welcome", key=event.id)],
)
def test_event_is_an_error_in_what_a_start_or_an_exit_says(step: Step) -> None:
    issues = found(
        journey(mail(), id="welcome", trigger=api(), key=event.x), journey(step)
    )

    assert "has no event that is being matched" in issues[0].message


def starts(name: str, *rest: Step, id: str, **fields: Any) -> Journey:
    options = {"trigger": api(), "reentry": "always", **fields}
    return journey(*rest, Start(name), id=id, **options)


def test_a_journey_that_starts_itself_at_once_is_an_error() -> None:
    issue = only("error", starts("self", id="self"))

    assert issue.message.startswith("self starts itself without a wait and without end")
    assert only("warning", starts("self", Wait(days(1)), id="self"))


@pytest.mark.parametrize(
    "fields",
    [
        {"reentry": "never"},
        {"reentry": ReEntry("always", cooldown=days(1))},
        {"trigger": api(where=entry.again == True)},
    ],
)
def test_a_circle_of_starts_that_something_limits_is_right(
    fields: dict[str, Any],
) -> None:
    assert not found(starts("self", id="self", **fields))


def test_two_journeys_that_start_each_other_are_an_error_of_both() -> None:
    issues = found(starts("b", id="a"), starts("a", id="b"))

    assert [issue.message.split(" start")[0] for issue in issues] == [
        "a → b → a",
        "b → a → b",
    ]


def test_events_and_starts_may_make_one_circle() -> None:
    there = starts("b", id="a", trigger=on("go"))
    back = journey(Emit("go"), id="b", trigger=api(), reentry="always")

    assert [issue.level for issue in found(there, back)] == ["error", "error"]
    slow = journey(Wait(days(1)), Emit("go"), id="b", trigger=api(), reentry="always")
    assert [issue.level for issue in found(there, slow)] == ["warning", "warning"]


def test_an_emit_that_a_goto_leads_to_is_found() -> None:
    circle = journey(
        Goto("emit"),
        Wait(days(1), id="wait"),
        Exit(),
        Emit("cart.updated", id="emit"),
        Goto("wait"),
        reentry="always",
    )

    assert only("error", circle).step == "emit"
