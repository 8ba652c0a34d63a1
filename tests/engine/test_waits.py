"""Wait: for a while, or until an instant."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from journeykit import (
    Journey,
    Send,
    Until,
    Wait,
    Window,
    days,
    entry,
    hours,
    minutes,
    on,
    profile,
)
from journeykit.model.steps import Step


def journey(*steps: Step, **options: Any) -> Journey:
    return Journey(id="j", trigger=on("start"), steps=steps, **options)


def test_a_wait_parks_until_its_due_instant_and_not_before(drive: Any) -> None:
    ada = drive(journey(Wait(days(2)), Send("email", "hi")), start="2026-06-07T12:00Z")
    ada.event("start")

    ada.wake("+24h")
    early = list(ada.sent)
    ada.wake("+48h")

    assert early == []
    assert ada.sent == ["hi +48h"]


def test_a_wait_of_nothing_is_no_wait(drive: Any) -> None:
    ada = drive(journey(Wait(hours(0)), Send("email", "hi")))

    ada.event("start")

    assert ada.sent == ["hi +0s"]


@pytest.mark.parametrize(
    ("until", "due"),
    [
        (Until("2026-06-20T09:00:00Z"), "2026-06-20T09:00Z"),
        (Until("2026-06-20T09:00:00Z", after=days(1)), "2026-06-21T09:00Z"),
        (Until("2026-06-20T09:00:00Z", before=days(1)), "2026-06-19T09:00Z"),
        (Until("2026-06-20T09:00:00+02:00"), "2026-06-20T07:00Z"),
        (Until(after=days(1), time="10:00"), "2026-06-09T10:00Z"),
        (Until(time="12:00"), "2026-06-07T12:00Z"),
        (Until(weekdays=["mon"]), "2026-06-08T00:00Z"),
        (Until(weekdays=["sun"]), "2026-06-07T12:00Z"),
        (Until(time="11:00", weekdays=["sun"]), "2026-06-14T11:00Z"),
        (Until(window=Window("08:00", "10:00")), "2026-06-08T08:00Z"),
        (Until(window=Window("10:00", "14:00")), "2026-06-07T12:00Z"),
        (
            Until("2026-06-20T09:00:00Z", before=days(7), time="10:00"),
            "2026-06-13T10:00Z",
        ),
    ],
)
def test_a_wait_until_an_instant_is_due_then(
    drive: Any, until: Until, due: str
) -> None:
    ada = drive(journey(Wait(until), Send("sms", "hi")), start="2026-06-07T12:00Z")
    ada.event("start")

    ada.until("+40d")

    assert ada.sent == [f"hi {ada.offset(ada.instant(due))}"]


@pytest.mark.parametrize(
    ("value", "until", "due"),
    [
        ("2024-01-01T14:00:00Z", Until(profile.moment), "+2h"),
        (1704110400 + 3600, Until(profile.moment), "+1h"),
        ((1704110400 + 1800) * 1000, Until(profile.moment), "+30m"),
        ("2024-01-01T13:00:00Z", Until(profile.moment, after=minutes(30)), "+1h30m"),
        ("2024-01-01T13:00:00Z", Until(profile.moment, before=minutes(30)), "+30m"),
        ("2024-01-02", Until(profile.moment), "+12h"),
    ],
)
def test_an_attribute_may_say_the_instant(
    drive: Any, value: object, until: Until, due: str
) -> None:
    ada = drive(journey(Wait(until)), start="2024-01-01T12:00Z")
    ada.event("profile.updated", moment=value)

    ada.event("start")

    assert ada.due_in == due


def test_the_entry_event_may_say_the_instant(drive: Any) -> None:
    ada = drive(journey(Wait(Until(entry.ends, before=days(7), time="10:00"))))

    ada.event("start", ends=date(2026, 6, 20).isoformat())

    assert ada.due == ada.instant("2026-06-13T10:00Z")


@pytest.mark.parametrize(
    ("on_past", "did"),
    [
        ("proceed", ["sent a", "sent b", "completed"]),
        ("skip_step", ["sent b", "completed"]),
        ("exit", ["exited instant_past"]),
    ],
)
def test_an_instant_that_is_past_proceeds_skips_a_step_or_exits(
    drive: Any, on_past: Any, did: list[str]
) -> None:
    past = Wait(Until("2020-01-01T00:00:00Z"), on_past=on_past)
    ada = drive(journey(past, Send("email", "a"), Send("email", "b")))

    ada.event("start")

    assert ada.did == ["entered", "went_on past", *did]


@pytest.mark.parametrize("value", [None, "soon", True, "2026-06-20T09:00:00"])
@pytest.mark.parametrize(
    ("on_missing", "did"),
    [
        ("exit", ["exited instant_missing"]),
        ("proceed", ["sent a", "sent b", "completed"]),
        ("skip_step", ["sent b", "completed"]),
    ],
)
def test_an_instant_that_is_missing_exits_proceeds_or_skips_a_step(
    drive: Any, value: object, on_missing: Any, did: list[str]
) -> None:
    wait = Wait(Until(profile.moment), on_missing=on_missing)
    ada = drive(journey(wait, Send("email", "a"), Send("email", "b")))
    ada.event("profile.updated", moment=value, x=1)

    ada.event("start")

    assert ada.did[-len(did) - 1 :] == ["went_on missing", *did]


def test_a_past_instant_with_a_local_time_takes_the_next_one_after_it(
    drive: Any,
) -> None:
    """It asks for the first fitting time at or after the base, which is past as well."""
    ada = drive(journey(Wait(Until("2020-01-01T00:00:00Z", time="10:00"))))

    ada.event("start")

    assert "went_on past" in ada.did


def test_skipping_the_last_step_completes_the_run(drive: Any) -> None:
    ada = drive(
        journey(Wait(Until(profile.moment), on_missing="skip_step"), Send("email", "a"))
    )

    ada.event("start")

    assert ada.did[-1] == "completed"
    assert ada.sent == []


def test_skipping_without_a_step_behind_completes_the_run(drive: Any) -> None:
    ada = drive(journey(Wait(Until(profile.moment), on_missing="skip_step")))

    ada.event("start")

    assert ada.did[-1] == "completed"


@pytest.mark.parametrize(
    ("zone", "time", "wait"),
    [
        ("America/Los_Angeles", "20:00", "4h59m48s"),
        ("Asia/Tokyo", "05:00", "20h59m48s"),
        ("America/New_York", "08:00", "13h59m48s"),
        ("Asia/Tokyo", "08:00", "23h59m48s"),
        ("UTC", "08:00", "8h59m48s"),
    ],
)
def test_the_next_local_hour_is_in_the_customers_zone(
    drive: Any, zone: str, time: str, wait: str
) -> None:
    ada = drive(journey(Wait(Until(time=time))), start="2023-12-19T23:00:12Z")
    ada.event("profile.updated", zone=zone)

    ada.event("start")

    assert ada.due_in == f"+{wait}"


def test_the_weekday_is_that_of_the_due_instant_where_the_customer_is(
    drive: Any,
) -> None:
    ada = drive(
        journey(Wait(Until(time="05:00", weekdays=["thu"]))),
        start="2023-12-19T23:00:12Z",
    )
    ada.event("profile.updated", zone="Asia/Tokyo")

    ada.event("start")

    assert ada.due == ada.instant("2023-12-21T05:00+09:00")


@pytest.mark.parametrize(
    ("window", "arrival", "due", "zone"),
    [
        (Window("08:00", "10:00"), "2018-10-19T10:00Z", "2018-10-20T08:00Z", None),
        (Window("08:00", "10:00"), "2018-10-19T12:00Z", "2018-10-20T08:00Z", None),
        (
            Window("08:00", "10:00", weekdays=["wed", "fri"]),
            "2018-10-21T08:00Z",
            "2018-10-24T08:00Z",
            None,
        ),
        (
            Window("08:00", "10:00", weekdays=["fri", "sat"]),
            "2018-10-20T12:00Z",
            "2018-10-26T08:00Z",
            None,
        ),
        (Window("22:00", "06:00"), "2018-10-19T10:00Z", "2018-10-19T22:00Z", None),
        (
            Window("08:00", "10:00"),
            "2018-10-19T09:00Z",
            "2018-10-19T08:00-04:00",
            "America/New_York",
        ),
    ],
)
def test_a_wait_until_a_window_is_due_at_its_next_start(
    drive: Any, window: Window, arrival: str, due: str, zone: str | None
) -> None:
    ada = drive(journey(Wait(Until(window=window))), start=arrival)
    ada.event("profile.updated", zone=zone)

    ada.event("start")

    assert ada.due == ada.instant(due)


def test_inside_the_window_nobody_waits_in_the_journeys_zone_either(
    drive: Any,
) -> None:
    inside = Wait(Until(window=Window("08:00", "10:00")))
    ada = drive(journey(inside, zone="America/New_York"), start="2018-10-19T13:00Z")

    ada.event("start")

    assert ada.did == ["entered", "completed"]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts(
    drive: Any,
) -> None:
    night = Wait(Until(window=Window("22:00", "06:00", weekdays=["sat"])))
    sunday = drive(journey(night), start="2018-10-21T03:00Z")
    monday = drive(journey(night), start="2018-10-22T03:00Z")

    sunday.event("start")
    monday.event("start")

    assert sunday.did == ["entered", "completed"]
    assert monday.due == monday.instant("2018-10-27T22:00Z")


def test_a_time_in_the_gap_is_the_first_instant_after_it(drive: Any) -> None:
    ada = drive(
        journey(Wait(Until(time="02:30")), zone="Europe/Berlin"),
        start="2026-03-28T12:00Z",
    )

    ada.event("start")

    assert ada.due == ada.instant("2026-03-29T01:00Z")


def test_a_time_that_comes_twice_is_the_first_of_the_two(drive: Any) -> None:
    ada = drive(
        journey(Wait(Until(time="02:30")), zone="Europe/Berlin"),
        start="2026-10-24T12:00Z",
    )

    ada.event("start")

    assert ada.due == ada.instant("2026-10-25T00:30Z")


def test_an_instant_of_exactly_now_is_not_past(drive: Any) -> None:
    ada = drive(journey(Wait(Until("2026-06-01T12:00:00Z"), on_past="exit")))

    ada.event("start")

    assert ada.did == ["entered", "completed"]


def test_a_zone_that_is_none_is_traced(drive: Any) -> None:
    ada = drive(journey(Wait(Until(time="09:00")), zone="Europe/Berlin"))
    ada.event("profile.updated", zone="Mars/X")

    ada.event("start")

    (waiting,) = ada.details("waiting")
    assert waiting["zone"] == "Europe/Berlin"
    assert waiting["not_a_zone"] == "Mars/X"
