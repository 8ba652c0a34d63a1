"""Repeat and Goto: steps that a run comes to more than once."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Branch,
    Condition,
    Emit,
    Exit,
    Goto,
    Journey,
    Policies,
    QuietHours,
    Repeat,
    Send,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    entry,
    hours,
    on,
    profile,
)
from journeykit.engine.customer import encode
from journeykit.engine.ids import delivery_id
from journeykit.engine.limits import STEPS_PER_REACTION
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def remind(**options: Any) -> Repeat:
    steps = [Send("sms", "remind"), Wait(days(1))]
    return Repeat(steps, **{"times": 3, **options})


YES = Condition.parse("true")


# Repeat


def test_the_steps_are_gone_through_so_many_times(drive: Any) -> None:
    ada = drive(journey(remind(), Send("sms", "last")))
    ada.event("start")

    ada.until("+9d")

    assert ada.sent == ["remind +0s", "remind +24h", "remind +48h", "last +72h"]
    assert ada.did[-1] == "completed"


def test_the_messages_of_the_rounds_have_ids_of_their_own(drive: Any) -> None:
    ada = drive(journey(remind()))
    ada.event("start")
    run = ada.run.id

    ada.until("+9d")

    # Visits: Repeat, Send, Wait · Repeat, Send, Wait · …
    assert [command.delivery_id for command in ada.commands] == [
        delivery_id(run, "send-sms-remind", visit, 0) for visit in (2, 5, 8)
    ]


def test_no_further_round_begins_once_the_condition_holds(drive: Any) -> None:
    ada = drive(journey(remind(until=profile.paid == True), Send("sms", "thanks")))
    ada.event("start")
    ada.until("+25h")
    ada.event("profile.updated", "+30h", paid=True)

    ada.until("+9d")

    assert ada.sent == ["remind +0s", "remind +24h", "thanks +48h"]
    assert ada.reasons("repeated") == ["round", "round", "until"]


def test_the_condition_is_asked_before_the_first_round_as_well(drive: Any) -> None:
    ada = drive(journey(remind(until=entry.paid == True), Send("sms", "thanks")))

    ada.event("start", paid=True)

    assert ada.sent == ["thanks +0s"]


def test_the_trace_counts_the_rounds(drive: Any) -> None:
    ada = drive(journey(remind(times=2)))
    ada.event("start")

    ada.until("+9d")

    assert ada.reasons("repeated") == ["round", "round", "times"]
    assert ada.details("repeated") == [
        {"rounds": 1, "times": 2},
        {"rounds": 2, "times": 2},
        {"rounds": 2, "times": 2},
    ]


def test_the_count_is_kept_while_the_run_is_inside_and_dropped_behind(
    drive: Any,
) -> None:
    ada = drive(journey(remind(times=2), Wait(days(5))))
    ada.event("start")
    ada.until("+25h")
    inside = ada.run.rounds

    ada.until("+50h")

    assert inside == {"repeat": 2}
    assert ada.run.rounds == {}


def test_a_journey_without_loops_stores_nothing_of_them(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))

    ada.event("start")

    document = encode(ada.customer)
    assert b"rounds" not in document
    assert b"sprint" not in document


def test_a_repeat_in_a_repeat_begins_anew_in_each_round(drive: Any) -> None:
    inner = Repeat([Send("sms", "in"), Wait(hours(1))], times=2, id="inner")
    ada = drive(journey(Repeat([inner, Send("sms", "out")], times=2, id="outer")))
    ada.event("start")

    ada.until("+9d")

    # The last message of the second round stands at the instant of the one before.
    assert [sent.split()[0] for sent in ada.sent] == ["in", "in", "out"] * 2


def test_a_repeat_that_was_left_by_goto_begins_anew(drive: Any) -> None:
    leaves = Branch([When(profile.go == 1, [Update({"go": 2}), Goto("again")])])
    loop = Repeat([leaves, Send("sms", "round"), Wait(days(1))], times=2, id="loop")
    ada = drive(journey(Wait(hours(1), id="again"), loop))
    ada.event("start")
    ada.until("+1h")
    ada.event("profile.updated", "+2h", go=1)  # in the first round

    ada.until("+9d")

    assert ada.sent == ["round +1h", "round +26h", "round +50h"]


def test_going_to_the_repeat_one_is_in_begins_its_next_round(drive: Any) -> None:
    early = Branch([When(YES, [Wait(days(1)), Goto("loop")])])
    loop = Repeat([Send("sms", "round"), early], times=2, id="loop")
    ada = drive(journey(loop))
    ada.event("start")

    ada.until("+9d")

    assert ada.sent == ["round +0s", "round +24h"]
    assert ada.did[-1] == "completed"


def test_a_round_that_goto_leads_into_is_not_counted(drive: Any) -> None:
    loop = Repeat(
        [Wait(days(1), id="middle"), Send("sms", "round")], times=2, id="loop"
    )
    ada = drive(journey(Goto("middle"), loop))
    ada.event("start")

    ada.until("+9d")

    assert ada.sent == ["round +24h", "round +48h", "round +72h"]


def test_a_wait_that_ends_the_rounds_may_pass_over_the_rest_of_them(
    drive: Any,
) -> None:
    until = Wait(Until(profile.renews_at), on_past="skip_step")
    ada = drive(
        journey(Repeat([Send("sms", "round"), until], times=9), Send("sms", "z"))
    )
    ada.event("profile.updated", renews_at="2026-06-03T12:00:00Z")
    ada.event("start")

    ada.until("+9d")

    # Round 1 waits for the instant, round 2 finds that it has passed.
    assert [sent.split()[0] for sent in ada.sent] == ["round", "round", "z"]


# A wait for an event


ORDERS = WaitFor(
    [When(on("order.placed"), [Send("sms", "order")])],
    timeout=days(1),
    otherwise=[Send("sms", "none")],
    since="begin",
    id="order",
)


def test_going_back_to_the_step_of_since_forgets_what_came_before(drive: Any) -> None:
    steps = [Wait(hours(1), id="begin"), ORDERS]
    ada = drive(journey(Repeat(steps, times=2)))
    ada.event("start")
    ada.event("order.placed", "+30m")  # in the first round, before it is waited for

    ada.until("+9d")

    assert ada.sent == ["order +1h", "none +26h"]


def test_an_event_that_was_taken_counts_no_second_time(drive: Any) -> None:
    steps = [Wait(hours(1)), ORDERS]
    ada = drive(journey(Update({"x": 1}, id="begin"), Repeat(steps, times=2)))
    ada.event("start")
    ada.event("order.placed", "+30m")

    ada.until("+9d")

    assert ada.sent == ["order +1h", "none +26h"]


def test_an_event_that_ended_the_wait_counts_no_second_time(drive: Any) -> None:
    ada = drive(journey(Update({"x": 1}, id="begin"), Repeat([ORDERS], times=2)))
    ada.event("start")
    ada.event("order.placed", "+2h")

    ada.until("+9d")

    assert ada.sent == ["order +2h", "none +26h"]


def test_what_nobody_has_taken_yet_counts_in_a_later_round(drive: Any) -> None:
    steps = [ORDERS, Wait(days(1))]
    ada = drive(journey(Update({"x": 1}, id="begin"), Repeat(steps, times=2)))
    ada.event("start")
    ada.until("+25h")
    ada.event("order.placed", "+30h")  # between the two

    ada.until("+9d")

    assert ada.sent == ["none +24h", "order +48h"]


# Goto


UNTIL_PAID = (
    Send("sms", "pay", id="ask"),
    WaitFor([When(on("paid"), [Send("sms", "thanks"), Exit("paid")])], timeout=days(3)),
    Goto("ask"),
)


def test_goto_goes_on_at_another_step(drive: Any) -> None:
    ada = drive(journey(*UNTIL_PAID))
    ada.event("start")
    ada.until("+7d")

    ada.event("paid", "+7d")

    assert ada.sent == ["pay +0s", "pay +72h", "pay +144h", "thanks +168h"]
    assert ada.did[-1] == "exited paid"


def test_goto_may_go_forward_and_out_of_where_it_stands(drive: Any) -> None:
    ada = drive(
        journey(
            Branch([When(entry.vip == True, [Goto("end")])]),
            Send("sms", "usual"),
            Send("sms", "end", id="end"),
        )
    )

    ada.event("start", vip=True)

    assert ada.sent == ["end +0s"]


def test_the_step_behind_a_goto_may_be_come_to_by_skipping_it(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(Until(profile.renews_at), on_missing="skip_step", id="wait"),
            Goto("wait"),
            Send("sms", "behind"),
        )
    )

    ada.event("start")

    assert ada.sent == ["behind +0s"]


# Loops without a wait


@pytest.mark.parametrize(
    "steps",
    [
        [Update({"x": 1}, id="a"), Goto("a")],
        [Goto("goto-goto-goto", id="goto-goto-goto")],
        [Send("sms", "hello", id="a"), Goto("a")],
        [Repeat([Repeat([Update({"x": 1})], times=100, id="in")], times=100)],
    ],
)
def test_a_loop_without_a_wait_fails_after_a_hundred_steps(
    drive: Any, steps: list[Step]
) -> None:
    ada = drive(journey(*steps))

    ada.event("start")

    assert ada.did[-1] == "failed step_limit"
    assert ada.runs == []
    assert len(ada.sent) <= 1


def test_a_step_sends_one_message_a_reaction(drive: Any) -> None:
    ada = drive(journey(Repeat([Send("sms", "hello")], times=3)))

    ada.event("start")

    assert ada.sent == ["hello +0s"]
    assert ada.reasons("suppressed") == ["loop", "loop"]
    assert ada.did[-1] == "completed"


def test_another_step_may_send_in_the_same_reaction(drive: Any) -> None:
    steps = [Send("sms", "one"), Send("sms", "two")]
    ada = drive(journey(Repeat(steps, times=2)))

    ada.event("start")

    assert ada.sent == ["one +0s", "two +0s"]


def test_in_the_next_reaction_the_step_may_send_again(drive: Any) -> None:
    steps = [Send("sms", "hello"), WaitFor([When(on("more"))], timeout=days(1))]
    ada = drive(journey(Repeat(steps, times=3)))
    ada.event("start")

    ada.event("more")  # no time has passed, but it is another reaction

    assert ada.sent == ["hello +0s", "hello +0s"]


def test_a_loop_that_an_event_of_its_own_keeps_going_sends_once(drive: Any) -> None:
    ada = drive(
        journey(
            Send("sms", "hello", id="again"),
            Emit("go"),
            WaitFor([When(on("go"))], timeout=days(1)),
            Goto("again"),
        )
    )

    ada.event("start")

    assert ada.sent == ["hello +0s"]
    assert ada.did[-1] == "failed emit_limit"


def test_a_deferred_message_goes_once_and_then_the_loop_fails(drive: Any) -> None:
    night = QuietHours(Window("10:00", "15:00"))
    ada = drive(
        journey(Send("sms", "hello", id="a"), Goto("a")),
        policies=Policies(quiet_hours=[night]),
    )
    ada.event("start")

    ada.until("+9h")

    assert ada.sent == ["hello +3h"]
    assert ada.did[-1] == "failed step_limit"


def test_loops_that_share_a_budget_all_come_to_their_limit(drive: Any) -> None:
    count = 5 * STEPS_PER_REACTION // 100
    ada = drive(
        *[
            journey(Send("sms", f"m{n}", id="a"), Goto("a"), id=f"j{n}")
            for n in range(count)
        ]
    )
    ada.event("start")

    ada.until("+1h")

    assert ada.reasons("failed") == ["step_limit"] * count
    assert ada.runs == []


def test_a_late_tick_spreads_the_messages_of_the_rounds(drive: Any) -> None:
    ada = drive(journey(remind(times=4), purpose="transactional"))
    ada.event("start")

    ada.wake("+9d")
    ada.until("+20d")

    assert ada.sent == ["remind +0s", "remind +216h", "remind +217h", "remind +241h"]
    assert ada.did[-1] == "completed"


def test_a_pause_in_a_round_loses_no_count(drive: Any) -> None:
    ada = drive(journey(remind()))
    ada.event("start")
    ada.state("j", "paused")
    ada.until("+2d")
    ada.state("j", "live")
    ada.wake("+2d")

    ada.until("+9d")

    assert ada.sent == ["remind +0s", "remind +48h", "remind +72h"]
    assert ada.did[-1] == "completed"
