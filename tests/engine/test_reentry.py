"""Re-entry: may a customer enter again, when, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Cap,
    Goal,
    Journey,
    Policies,
    QuietHours,
    ReEntry,
    Send,
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
    months,
    on,
)
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


@pytest.mark.parametrize(
    ("mode", "entered"),
    [("never", 1), ("after_exit", 3), ("always", 3), ("restart", 3)],
)
def test_whoever_is_through_may_enter_again_unless_never(
    drive: Any, mode: Any, entered: int
) -> None:
    ada = drive(journey(reentry=mode))

    for _ in range(3):
        ada.event("start")

    assert ada.did.count("entered") == ada.did.count("completed") == entered


@pytest.mark.parametrize(
    ("mode", "entered", "running"),
    [("never", 1, 1), ("after_exit", 1, 1), ("always", 3, 3), ("restart", 3, 1)],
)
def test_whoever_is_in_the_run_may_enter_again_always_or_to_restart(
    drive: Any, mode: Any, entered: int, running: int
) -> None:
    ada = drive(journey(Wait(days(1)), reentry=mode))

    for _ in range(3):
        ada.event("start")

    assert ada.did.count("entered") == entered
    assert len(ada.runs) == running


@pytest.mark.parametrize(
    ("mode", "reason"), [("never", "entered_before"), ("after_exit", "already_in")]
)
def test_a_refused_entry_is_traced(drive: Any, mode: Any, reason: str) -> None:
    ada = drive(journey(Wait(days(1)), reentry=mode))
    ada.event("start")

    assert ada.event("start") == [f"not_entered {reason}"]


def test_after_exit_is_the_default(drive: Any) -> None:
    assert journey().reentry == ReEntry("after_exit")


def test_never_holds_across_all_triggers_of_a_journey(drive: Any) -> None:
    ada = drive(journey(trigger=[on("start"), on("other"), api()], reentry="never"))

    ada.event("start")
    ada.event("other")
    ada.enroll("j")

    assert ada.reasons("not_entered") == ["entered_before"] * 2


def test_never_holds_across_versions(drive: Any) -> None:
    ada = drive(journey(reentry="never"))
    ada.event("start")

    ada.publish(journey(reentry="never", version=2))

    assert ada.event("start") == ["not_entered entered_before"]


def test_restart_ends_the_run_and_starts_with_the_new_event(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(hours(4)),
            Send("email", "hi", variables={"n": entry.n}),
            reentry="restart",
        )
    )
    ada.event("start", n=1)

    told = ada.event("start", "+3h", n=2)
    ada.until("+9h")

    assert told == ["exited restarted", "entered", "waiting"]
    assert ada.sent == ["hi +7h"]
    assert ada.commands[0].variables == {"n": 2}


def test_restart_within_the_reaction_that_moves_the_run(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("start"), [Send("sms", "x")])]), reentry="restart")
    )
    ada.event("start")

    told = ada.event("start")

    assert told == ["went_on event", "exited restarted", "entered", "waiting"]
    assert ada.sent == []


def test_restart_of_a_run_that_is_due_in_the_same_reaction(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Send("email", "hi"), Wait(hours(5)), reentry="restart")
    )
    ada.event("start")

    ada.event("start", "+2h")

    assert ada.did[1:] == [
        "waiting",
        "went_on due",
        "sent hi",
        "waiting",
        "exited restarted",
        "entered",
        "waiting",
    ]
    assert ada.due_in == "+3h"


def test_restart_takes_a_deferred_message_along(drive: Any) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])
    ada = drive(journey(Send("email", "hi"), reentry="restart"), policies=quiet)
    ada.event("start")

    ada.event("start", "+1h")
    ada.until("+9h")

    assert ada.sent == ["hi +2h"]


def test_restart_is_refused_before_it_ends_the_run(drive: Any) -> None:
    twice = ReEntry("restart", max_entries=2)
    ada = drive(journey(Wait(days(1)), reentry=twice))
    ada.event("start")
    ada.event("start")

    told = ada.event("start")

    assert told == ["not_entered max_entries"]
    assert len(ada.runs) == 1


def test_restart_over_an_old_version_starts_the_new_one(drive: Any) -> None:
    old = journey(Wait(days(1)), reentry="restart")
    ada = drive(old)
    ada.event("start")

    ada.publish(old, journey(Wait(days(2)), reentry="restart", version=2))
    ada.event("start")

    assert ada.run.version == 2
    assert ada.due_in == "+48h"


@pytest.mark.parametrize("mode", ["after_exit", "always", "restart"])
@pytest.mark.parametrize(("at", "enters"), [("+5h59m", False), ("+6h", True)])
def test_a_cooldown_counts_from_the_last_exit(
    drive: Any, mode: Any, at: str, enters: bool
) -> None:
    ada = drive(journey(Wait(hours(1)), reentry=ReEntry(mode, cooldown=hours(5))))
    ada.event("start")
    ada.until("+1h")

    told = ada.event("start", at)

    assert ("entered" in told) is enters
    assert ("not_entered cooldown" in told) is not enters


def test_a_cooldown_says_until_when(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry(cooldown=hours(5))))
    ada.event("start")

    ada.event("start")

    assert ada.details("not_entered") == [{"rule": "5h", "until": ada.ms("+5h")}]


def test_a_cooldown_of_a_month_is_asked_from_the_exit(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry(cooldown=months(1))), start="2026-01-31T12:00Z")
    ada.event("start")

    assert ada.event("start", "2026-02-28T11:59Z") == ["not_entered cooldown"]
    assert "entered" in ada.event("start", "2026-02-28T12:00Z")


def test_with_always_a_run_that_is_still_on_has_not_exited_yet(drive: Any) -> None:
    ada = drive(journey(Wait(days(9)), reentry=ReEntry("always", cooldown=days(1))))

    ada.event("start")
    ada.event("start")

    assert len(ada.runs) == 2


def test_with_always_an_exit_shuts_the_door_though_another_run_is_on(
    drive: Any,
) -> None:
    ada = drive(
        journey(
            WaitFor([When(on("go", where=event.n == entry.n))]),
            reentry=ReEntry("always", cooldown=days(1)),
        )
    )
    ada.event("start", n=1)
    ada.event("start", n=2)
    ada.event("go", n=1)

    assert ada.event("start", n=3) == ["not_entered cooldown"]
    assert len(ada.runs) == 1


def test_max_entries_over_all_time(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry(max_entries=2)))

    for day in range(4):
        ada.event("start", f"+{day * 100}d")

    assert ada.did.count("entered") == 2
    assert ada.reasons("not_entered") == ["max_entries"] * 2


@pytest.mark.parametrize(("at", "enters"), [("+23h59m", False), ("+24h", True)])
def test_max_entries_in_a_span(drive: Any, at: str, enters: bool) -> None:
    ada = drive(journey(reentry=ReEntry(max_entries=2, per=hours(24))))
    ada.event("start", "+0h")
    ada.event("start", "+1h")

    told = ada.event("start", at)

    assert ("entered" in told) is enters


def test_max_entries_in_a_span_slides(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry(max_entries=2, per=hours(24))))

    for at in ("+0h", "+20h", "+24h", "+43h", "+44h"):
        ada.event("start", at)

    entered = [e.at for e in ada.trace if e.kind == "entered"]
    assert entered == [ada.ms(at) for at in ("+0h", "+20h", "+24h", "+44h")]


def test_a_span_that_a_later_version_asks_for_counts_earlier_entries_too(
    drive: Any,
) -> None:
    ada = drive(journey())
    for _ in range(3):
        ada.event("start")

    ada.publish(journey(reentry=ReEntry(max_entries=1, per=days(9)), version=2))

    assert ada.event("start", "+1h") == ["not_entered max_entries"]


def test_a_refused_entry_counts_nowhere(drive: Any) -> None:
    ada = drive(journey(reentry=ReEntry(cooldown=hours(5), max_entries=2)))
    ada.event("start", "+0h")
    ada.event("start", "+1h")

    told = ada.event("start", "+5h")

    assert "entered" in told


def test_the_next_run_is_a_run_of_its_own(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")))

    ada.event("start")
    ada.event("start", "+1h")

    ids = {command.enrollment for command in ada.commands}
    assert len(ids) == len({command.delivery_id for command in ada.commands}) == 2


def test_no_entry_before_the_journey_starts_nor_from_its_end_on(drive: Any) -> None:
    dates = drive()
    ada = drive(
        journey(
            Wait(days(9)),
            starts_at=dates.instant("+1h"),
            ends_at=dates.instant("+3h"),
            reentry="always",
        )
    )

    told = [ada.event("start", at)[0] for at in ("+59m", "+1h", "+2h59m", "+3h")]

    assert told == [
        "not_entered not_started",
        "entered",
        "entered",
        "not_entered journey_ended",
    ]


def test_who_is_in_at_the_end_finishes_by_default(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(5)), Send("sms", "hi"), ends_at=drive().instant("+1h"))
    )
    ada.event("start")

    ada.until("+9h")

    assert ada.sent == ["hi +5h"]


def test_eject_ends_the_run_at_the_end_of_the_journey(drive: Any) -> None:
    end = drive().instant("+1h")
    ada = drive(journey(Wait(hours(5)), ends_at=end, on_end="eject"))
    ada.event("start")

    assert ada.due_in == "+1h"
    assert ada.until("+9h") == ["exited journey_ended"]


def test_eject_reaches_a_wait_without_a_due_instant_too(drive: Any) -> None:
    end = drive().instant("+1h")
    ada = drive(journey(WaitFor([When(on("x"))]), ends_at=end, on_end="eject"))
    ada.event("start")

    ada.until("+9h")

    assert ada.did[-1] == "exited journey_ended"


def test_a_goal_at_exactly_the_end_still_counts(drive: Any) -> None:
    end = drive().instant("+1h")
    ada = drive(
        journey(Wait(hours(5)), ends_at=end, on_end="eject", goal=Goal(on("bought")))
    )
    ada.event("start")

    ada.event("bought", "+1h")

    assert ada.reasons("exited") == ["goal_reached"]


def test_an_api_call_enrolls(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi", variables={"x": entry.x}), trigger=api()))

    ada.enroll("j", x=7)

    assert ada.commands[0].variables == {"x": 7}


def test_the_same_call_again_is_the_same_call(drive: Any) -> None:
    ada = drive(journey(trigger=api()))
    ada.enroll("j", id="one")

    assert ada.enroll("j", "+1h", id="one") == ["ignored duplicate"]


def test_a_call_may_be_refused_by_its_condition(drive: Any) -> None:
    ada = drive(journey(trigger=api(where=entry.x > 1)))

    assert ada.enroll("j", x=1) == ["not_entered condition"]
    assert ada.enroll("j", x=2) == ["entered", "completed"]


@pytest.mark.parametrize("name", ["j", "unknown"])
def test_a_call_needs_an_api_trigger(drive: Any, name: str) -> None:
    ada = drive(journey())

    assert ada.enroll(name) == ["ignored no_api_trigger"]


def test_an_api_trigger_hears_no_event(drive: Any) -> None:
    ada = drive(journey(trigger=api()))

    assert ada.event("j") == []
    assert ada.event("enroll") == []


def test_a_call_lets_what_is_due_happen_first(drive: Any) -> None:
    ada = drive(
        journey(Wait(hours(1)), Send("sms", "hi"), id="a"),
        journey(id="b", trigger=api()),
    )
    ada.event("start")

    assert ada.enroll("b", "+2h")[:2] == ["went_on due", "sent hi"]


def test_a_call_leaves_no_event_behind_for_the_steps(drive: Any) -> None:
    ada = drive(journey(Update({"x": event.x}), trigger=api()))

    ada.enroll("j", x=1)

    assert ada.customer.profile == {}


def test_an_entry_whose_fields_are_too_large_is_refused(drive: Any) -> None:
    ada = drive(journey(Send("sms", "x", variables={"text": entry.text})))

    assert ada.event("start", text="x" * 5000) == ["not_entered entry_too_large"]


def test_only_the_fields_that_the_journey_names_are_kept(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), Send("sms", "x", variables={"sum": entry.sum})))

    ada.event("start", sum=5, text="x" * 5000)

    assert ada.run.entry == {"sum": 5}


def test_a_cap_does_not_stop_an_entry(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")), policies=Policies(caps=[Cap(0)]))

    assert ada.event("start")[0] == "entered"
