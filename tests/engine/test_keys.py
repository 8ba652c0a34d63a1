"""Keyed journeys: one run per order, appointment or whatever the key is."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Goal,
    Journey,
    ReEntry,
    Send,
    Until,
    Wait,
    WaitFor,
    When,
    days,
    entry,
    event,
    hours,
    on,
)
from journeykit.model.steps import Step


def keyed(*steps: Step, **options: Any) -> Journey:
    return Journey(
        id="j",
        **{
            "trigger": on("ordered"),
            "key": event.order,
            "steps": steps or [Wait(days(1))],
            **options,
        },
    )


def keys(ada: Any) -> list[str]:
    return [run.key for run in ada.runs]


def test_a_customer_is_in_once_per_key(drive: Any) -> None:
    ada = drive(keyed())

    ada.event("ordered", order="a")
    ada.event("ordered", order="b")
    ada.event("ordered", order="a")

    assert keys(ada) == ["a", "b"]
    assert ada.reasons("not_entered") == ["already_in"]


def test_an_event_goes_to_the_run_of_its_key(drive: Any) -> None:
    ada = drive(keyed(goal=Goal(on("paid"))))
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("paid", order="b")

    assert keys(ada) == ["a"]


@pytest.mark.parametrize("order", [{}, {"order": None}])
@pytest.mark.parametrize(("missing", "left"), [("all", []), ("ignore", ["a", "b"])])
def test_an_event_without_the_key_concerns_all_runs_or_none(
    drive: Any, order: dict[str, Any], missing: Any, left: list[str]
) -> None:
    ada = drive(keyed(goal=Goal(on("paid")), on_missing_key=missing))
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("paid", **order)

    assert keys(ada) == left


def test_an_exit_rule_ends_only_the_run_of_its_key(drive: Any) -> None:
    ada = drive(keyed(exit_rules=[on("canceled")]))
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("canceled", order="a")

    assert keys(ada) == ["b"]


def test_a_wait_hears_only_the_events_of_its_key(drive: Any) -> None:
    ada = drive(
        keyed(
            WaitFor([When(on("paid"))]),
            Send("sms", "thanks", variables={"order": entry.order}),
        )
    )
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("paid", order="b")

    assert [c.variables for c in ada.commands] == [{"order": "b"}]


@pytest.mark.parametrize("order", [{}, {"order": None}])
def test_an_entry_without_the_key_is_refused(drive: Any, order: dict[str, Any]) -> None:
    ada = drive(keyed())

    assert ada.event("ordered", **order) == ["not_entered key_missing"]


def test_a_key_may_be_a_number(drive: Any) -> None:
    ada = drive(keyed(goal=Goal(on("paid"))))
    ada.event("ordered", order=7)
    ada.event("ordered", order=8)

    ada.event("paid", order=7)

    assert keys(ada) == ["8"]


def test_a_very_long_key_is_kept_as_a_short_one(drive: Any) -> None:
    ada = drive(keyed(goal=Goal(on("paid"))))
    ada.event("ordered", order="x" * 5000)

    assert len(ada.run.key) < 100
    assert ada.event("paid", order="x" * 5000)[-1] == "exited goal_reached"


def test_re_entry_is_per_key(drive: Any) -> None:
    ada = drive(keyed(Send("sms", "x"), reentry="never"))

    for order in ("a", "b", "a"):
        ada.event("ordered", order=order)

    assert len(ada.sent) == 2
    assert ada.reasons("not_entered") == ["entered_before"]


def test_a_cooldown_is_per_key(drive: Any) -> None:
    ada = drive(keyed(Send("sms", "x"), reentry=ReEntry(cooldown=hours(5))))

    ada.event("ordered", order="a")
    ada.event("ordered", order="b")
    ada.event("ordered", "+4h", order="a")
    ada.event("ordered", "+5h", order="a")

    assert ada.sent == ["x +0s", "x +0s", "x +5h"]


def test_max_entries_are_per_key(drive: Any) -> None:
    ada = drive(keyed(Send("sms", "x"), reentry=ReEntry(max_entries=1, per=days(1))))

    for order in ("a", "b", "a", "b"):
        ada.event("ordered", order=order)

    assert len(ada.sent) == 2


def test_restart_restarts_the_run_of_its_key(drive: Any) -> None:
    ada = drive(keyed(Wait(hours(2)), Send("sms", "x"), reentry="restart"))
    ada.event("ordered", "+0h", order="a")
    ada.event("ordered", "+0h", order="b")

    ada.event("ordered", "+1h", order="a")
    ada.until("+9h")

    assert ada.sent == ["x +2h", "x +3h"]


def test_a_cooldown_holds_for_an_empty_key_too_if_it_may_enter(drive: Any) -> None:
    ada = drive(keyed(Send("sms", "x"), reentry=ReEntry(cooldown=hours(5))))

    ada.event("ordered", order="")
    ada.event("ordered", order="")

    assert len(ada.sent) <= 1


def test_a_report_that_names_its_run_needs_no_key(drive: Any) -> None:
    ada = drive(
        keyed(
            WaitFor([When(on("message.opened"))]),
            Send("sms", "x"),
            on_missing_key="ignore",
        )
    )
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("message.opened", enrollment=ada.runs[1].id)

    assert keys(ada) == ["a"]


def test_a_goal_is_watched_per_key_after_the_end(drive: Any) -> None:
    ada = drive(
        keyed(Send("sms", "x"), goal=Goal(on("paid"), within=days(1), value=event.sum))
    )
    ada.event("ordered", order="a")
    ada.event("ordered", order="b")

    ada.event("paid", order="b", sum=5)
    ada.event("paid", order="b", sum=5)

    assert ada.details("goal") == [{"value": 5, "of": "event.sum", "after_end": True}]


def test_the_purchase_of_one_order_does_not_end_the_run_of_another(drive: Any) -> None:
    steps: list[Step] = [
        Wait(hours(1)),
        Send("sms", "x", variables={"o": entry.order}),
    ]
    ada = drive(keyed(*steps, goal=Goal(on("paid"))))
    ada.event("ordered", order="first")
    ada.event("ordered", order="second")

    ada.event("paid", order="second")
    ada.until("+9h")

    assert [c.variables["o"] for c in ada.commands] == ["first"]


def test_an_appointment_that_is_canceled_gets_no_reminder(drive: Any) -> None:
    ada = drive(
        keyed(
            WaitFor(
                [When(on("canceled"), [Send("sms", "canceled")])],
                timeout=Until(entry.starts, before=days(1)),
                otherwise=[Send("sms", "reminder")],
            )
        )
    )
    ada.event("ordered", order="a", starts="2026-06-04T12:00:00Z")
    ada.event("ordered", order="b", starts="2026-06-04T12:00:00Z", id="b")
    ada.event("ordered", order="b", starts="2026-06-04T12:00:00Z", id="b")

    ada.event("canceled", "+1h", order="a")
    ada.until("+9d")

    assert ada.sent == ["canceled +1h", "reminder +48h"]


def test_a_number_is_the_same_key_however_it_is_spelled(drive: Any) -> None:
    ada = drive(keyed(goal=Goal(on("paid"))))
    ada.event("ordered", order=7)

    ada.event("paid", order=7.0)

    assert keys(ada) == []
