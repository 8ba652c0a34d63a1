"""WaitFor: the first of several things to happen."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Goal,
    Journey,
    Policies,
    QuietHours,
    Send,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    entry,
    event,
    hours,
    on,
    profile,
)
from journeykit.model.steps import Step

YES, NO = [Send("email", "yes")], [Send("email", "no")]


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def paid(**options: Any) -> Journey:
    return journey(
        WaitFor(
            [When(profile.plan == "paid", YES)],
            timeout=hours(24),
            otherwise=NO,
            **options,
        )
    )


def test_when_it_never_happens_the_timeout_path_is_taken_once(drive: Any) -> None:
    ada = drive(paid())
    ada.event("start")

    ada.until("+3d")
    ada.event("profile.updated", plan="paid")

    assert ada.sent == ["no +24h"]


def test_a_condition_that_holds_on_arrival_is_taken_at_once(drive: Any) -> None:
    ada = drive(paid())
    ada.event("profile.updated", plan="paid")

    ada.event("start")

    assert ada.sent == ["yes +0s"]
    assert ada.due is None


def test_a_condition_that_comes_true_ends_the_wait(drive: Any) -> None:
    ada = drive(paid())
    ada.event("start")

    ada.event("profile.updated", "+2h", plan="paid")
    ada.wake("+24h")

    assert ada.sent == ["yes +2h"]


def test_a_profile_change_that_does_not_meet_it_changes_nothing(drive: Any) -> None:
    ada = drive(paid())
    ada.event("start")

    ada.event("profile.updated", "+2h", plan="trial")

    assert ada.due_in == "+24h"


def test_an_event_at_exactly_the_timeout_wins(drive: Any) -> None:
    ada = drive(paid())
    ada.event("start")

    ada.event("profile.updated", "+24h", plan="paid")

    assert ada.sent == ["yes +24h"]


def test_an_update_of_another_journey_ends_the_wait(drive: Any) -> None:
    ada = drive(paid(), journey(Wait(hours(1)), Update({"plan": "paid"}), id="other"))
    ada.event("start")

    ada.until("+9h")

    assert ada.sent == ["yes +1h"]


def test_events_count_from_the_arrival_on(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), WaitFor([When(on("opened"), YES)], timeout=hours(9)))
    )
    ada.event("start")

    ada.event("opened", "+30m")
    ada.until("+10h")

    assert ada.sent == []


def test_the_event_that_starts_the_run_does_not_end_its_wait(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("start"), YES)])))

    ada.event("start")

    assert ada.run.step == "wait-for-start"


def test_an_event_must_meet_its_condition(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("paid", where=event.sum >= entry.sum), YES)])))
    ada.event("start", sum=10)

    ada.event("paid", "+1h", sum=9)
    ada.event("paid", "+2h", sum=10)

    assert ada.sent == ["yes +2h"]


def test_the_first_in_time_wins(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("a"), YES), When(on("b"), NO)])))
    ada.event("start")

    ada.event("b", "+1h")
    ada.event("a", "+2h")

    assert ada.sent == ["no +1h"]


def test_ties_go_to_the_path_listed_first(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("a", where=event.x > 0), YES), When(on("a"), NO)]))
    )
    ada.event("start")

    ada.event("a", x=1)

    assert ada.sent == ["yes +0s"]


@pytest.mark.parametrize(
    "paths",
    [
        [When(profile.x == 1, YES), When(on("profile.updated"), NO)],
        [When(on("profile.updated"), YES), When(profile.x == 1, NO)],
    ],
)
def test_ties_between_an_event_and_a_condition_go_by_the_list_too(
    drive: Any, paths: list[When]
) -> None:
    ada = drive(journey(WaitFor(paths)))
    ada.event("start")

    ada.event("profile.updated", x=1)

    assert ada.sent == ["yes +0s"]


def test_all_paths_rejoin_behind_the_wait(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("a"), YES)]), Send("sms", "then")))
    ada.event("start")

    ada.event("a")

    assert ada.sent == ["yes +0s", "then +0s"]


def test_without_a_timeout_the_wait_has_no_end_of_its_own(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("a"))])))

    ada.event("start")

    assert ada.due is None


@pytest.mark.parametrize(
    ("timeout", "due"),
    [
        (Until(time="20:00"), "2026-06-01T20:00Z"),
        (Until(entry.ends, before=days(1)), "2026-06-09T09:00Z"),
        (Until("2026-07-01T00:00:00Z"), "2026-07-01T00:00Z"),
    ],
)
def test_a_timeout_may_be_an_instant(drive: Any, timeout: Until, due: str) -> None:
    ada = drive(journey(WaitFor([When(on("a"))], timeout=timeout, otherwise=NO)))
    ada.event("start", ends="2026-06-10T09:00:00Z")

    ada.until("+60d")

    assert ada.sent == [f"no {ada.offset(ada.instant(due))}"]


def test_a_timeout_that_is_past_is_over_at_once(drive: Any) -> None:
    past = Until("2020-01-01T00:00:00Z")
    ada = drive(journey(WaitFor([When(on("a"), YES)], timeout=past, otherwise=NO)))

    ada.event("start")

    assert ada.sent == ["no +0s"]


def test_a_condition_that_holds_comes_before_a_timeout_that_is_past(drive: Any) -> None:
    past = Until("2020-01-01T00:00:00Z")
    ada = drive(
        journey(WaitFor([When(profile.x == 1, YES)], timeout=past, otherwise=NO))
    )
    ada.event("profile.updated", x=1)

    ada.event("start")

    assert ada.sent == ["yes +0s"]


@pytest.mark.parametrize(
    ("on_missing", "did"),
    [("exit", ["exited instant_missing"]), ("proceed", ["went_on", "sent no"])],
)
def test_a_timeout_that_is_missing_exits_or_is_over(
    drive: Any, on_missing: Any, did: list[str]
) -> None:
    wait = WaitFor(
        [When(on("a"))],
        timeout=Until(profile.moment),
        otherwise=NO,
        on_missing=on_missing,
    )
    ada = drive(journey(wait))

    ada.event("start")

    told = [
        "went_on" if entry.startswith("went_on") else entry for entry in ada.did[1:]
    ]
    assert told[: len(did)] == did


def test_a_stale_wake_up_for_a_wait_that_has_ended_does_nothing(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("a"))], timeout=hours(1)), Wait(hours(9)), *YES)
    )
    ada.event("start")
    ada.event("a", "+30m")

    assert ada.wake("+1h") == []


def since(**options: Any) -> Journey:
    return journey(
        Send("email", "hello", id="hello"),
        Wait(hours(4)),
        WaitFor(
            [When(on("opened", where=event.x > 0), YES), When(on("clicked"), NO)],
            timeout=hours(1),
            since="hello",
        ),
        **options,
    )


def test_since_a_step_the_event_counts_though_it_came_before(drive: Any) -> None:
    ada = drive(since())
    ada.event("start")

    ada.event("opened", "+1h", x=1)
    ada.until("+9h")

    assert ada.sent == ["hello +0s", "yes +4h"]


def test_since_a_step_the_first_match_counts_and_no_later_one(drive: Any) -> None:
    ada = drive(since())
    ada.event("start")

    ada.event("opened", "+1h", x=0)
    ada.event("clicked", "+2h")
    ada.event("opened", "+3h", x=1)
    ada.until("+9h")

    assert ada.sent == ["hello +0s", "no +4h"]


def test_since_a_step_events_before_it_do_not_count(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(2)),
            Send("email", "hello", id="hello"),
            Wait(hours(2)),
            WaitFor([When(on("opened"), YES)], timeout=hours(1), since="hello"),
        )
    )
    ada.event("start")

    ada.event("opened", "+1h")
    ada.until("+9h")

    assert ada.sent == ["hello +2h"]


def test_since_a_step_an_event_counts_while_it_waits_too(drive: Any) -> None:
    ada = drive(since())
    ada.event("start")
    ada.until("+4h")

    ada.event("clicked", "+4h30m")

    assert ada.sent == ["hello +0s", "no +4h30m"]


def test_since_a_step_counts_while_its_message_is_deferred(drive: Any) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])
    ada = drive(since(), policies=quiet)
    ada.event("start")

    ada.event("clicked", "+1h")
    ada.until("+9h")

    assert ada.sent == ["hello +2h", "no +6h"]


def test_since_a_step_each_run_notes_for_itself(drive: Any) -> None:
    ada = drive(since(reentry="restart"))
    ada.event("start")
    ada.event("opened", "+1h", x=1)

    ada.event("start", "+2h")
    ada.until("+9h")

    assert ada.sent == ["hello +0s", "hello +2h"]


def test_a_report_of_another_runs_message_does_not_end_the_wait(drive: Any) -> None:
    ada = drive(journey(WaitFor([When(on("message.opened"), YES)])))
    ada.event("start")

    ada.event("message.opened", enrollment="somebody-elses")
    ada.event("message.opened", "+1h", enrollment=ada.run.id)

    assert ada.sent == ["yes +1h"]


def test_not_opened_is_asked_again_when_it_is_due(drive: Any) -> None:
    steps: list[Step] = [
        Send("email", "offer", id="offer"),
        WaitFor([When(on("message.opened"))], timeout=days(2), otherwise=NO),
    ]
    opened, ignored = drive(journey(*steps)), drive(journey(*steps))
    for ada in (opened, ignored):
        ada.event("start")

    opened.event("message.opened", "+47h", enrollment=opened.run.id)
    opened.until("+3d")
    ignored.event("message.opened", "+47h", enrollment="a bad token")
    ignored.until("+3d")

    assert opened.sent == ["offer +0s"]
    assert ignored.sent == ["offer +0s", "no +48h"]


def test_a_goal_ends_the_wait_for_good(drive: Any) -> None:
    ada = drive(
        journey(
            WaitFor([When(on("bought"), YES)], timeout=hours(2), otherwise=NO),
            goal=Goal(on("bought")),
        )
    )
    ada.event("start")

    ada.event("bought", "+1h")
    ada.until("+9h")

    assert ada.sent == []


def test_one_event_ends_one_wait_and_not_the_next_one(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("a"))]), WaitFor([When(on("a"), YES)], id="second"))
    )
    ada.event("start")

    ada.event("a")

    assert ada.run.step == "second"


def test_a_null_in_an_ordering_counts_as_false(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("paid", where=event.sum > 1), YES)])), explain=True
    )
    ada.event("start")

    ada.event("paid", sum=None)

    assert ada.sent == []


def test_a_timeout_that_is_missing_or_past_says_so_and_not_that_time_was_up(
    drive: Any,
) -> None:
    missing = Until(profile.nothing)
    ada = drive(
        Journey(
            "j",
            trigger=on("start"),
            steps=[WaitFor([When(on("x"))], timeout=missing, on_missing="proceed")],
        )
    )

    ada.event("start")

    assert ada.reasons("went_on") == ["missing"]
