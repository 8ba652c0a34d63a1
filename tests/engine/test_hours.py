"""Quiet hours, open hours and closed days: at the wall clock, where the customer is."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from journeykit import (
    ClosedDays,
    Journey,
    OpenHours,
    Policies,
    QuietHours,
    Send,
    Window,
    on,
)


def life(drive: Any, start: str, zone: str | None = None, **policies: Any) -> Any:
    ada = drive(
        Journey(id="j", trigger=on("start"), steps=[Send("email", "hi")]),
        policies=Policies(**policies),
        start=start,
    )
    ada.event("profile.updated", zone=zone)
    ada.event("start")
    ada.until("+20h")
    return ada


DAY = [QuietHours(Window("09:00", "17:00"))]
WEDNESDAY_NIGHT = [QuietHours(Window("22:00", "06:00", weekdays=["wed"]))]


@pytest.mark.parametrize(
    ("quiet", "at", "sent"),
    [
        (DAY, "2026-06-10T08:59Z", "+0s"),
        (DAY, "2026-06-10T09:00Z", "+8h"),
        (DAY, "2026-06-10T12:00Z", "+5h"),
        (DAY, "2026-06-10T17:00Z", "+0s"),
        (WEDNESDAY_NIGHT, "2026-06-10T23:30Z", "+6h30m"),
        (WEDNESDAY_NIGHT, "2026-06-11T02:00Z", "+4h"),
        (WEDNESDAY_NIGHT, "2026-06-11T06:00Z", "+0s"),
        (WEDNESDAY_NIGHT, "2026-06-11T23:00Z", "+0s"),
        (WEDNESDAY_NIGHT, "2026-06-10T02:00Z", "+0s"),
        ([QuietHours(Window("16:30", "17:30"))], "2026-06-10T16:45Z", "+45m"),
    ],
)
def test_a_message_in_quiet_hours_goes_when_they_end(
    drive: Any, quiet: list[QuietHours], at: str, sent: str
) -> None:
    assert life(drive, at, quiet_hours=quiet).sent == [f"hi {sent}"]


def test_all_quiet_hours_are_asked(drive: Any) -> None:
    two = [QuietHours(Window("09:00", "10:00")), QuietHours(Window("13:00", "14:00"))]

    ada = life(drive, "2026-06-10T13:30Z", quiet_hours=two)

    assert ada.sent == ["hi +30m"]


def test_quiet_hours_that_follow_each_other_are_one(drive: Any) -> None:
    two = [QuietHours(Window("09:00", "10:00")), QuietHours(Window("10:00", "11:00"))]

    ada = life(drive, "2026-06-10T09:30Z", quiet_hours=two)

    assert ada.sent == ["hi +1h30m"]
    assert ada.reasons("deferred") == ["quiet_hours"]


@pytest.mark.parametrize(("zone", "sent"), [("Asia/Jerusalem", "+9h"), ("UTC", "+0s")])
def test_it_is_quiet_where_the_customer_is(drive: Any, zone: str, sent: str) -> None:
    night = [QuietHours(Window("22:00", "08:00"))]

    ada = life(drive, "2026-06-10T20:00Z", zone, quiet_hours=night)

    assert ada.sent == [f"hi {sent}"]


def test_the_zone_is_that_of_now_and_not_of_when_it_was_deferred(drive: Any) -> None:
    night = [QuietHours(Window("22:00", "08:00"))]
    ada = drive(
        Journey(id="j", trigger=on("start"), steps=[Send("email", "hi")]),
        policies=Policies(quiet_hours=night),
        start="2026-06-10T23:00Z",
    )
    ada.event("start")

    ada.event("profile.updated", "+1h", zone="America/New_York")
    ada.until("+23h")

    assert ada.sent == ["hi +13h"]


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-06-08T07:00Z", "+1h"),
        ("2026-06-08T08:00Z", "+0s"),
        ("2026-06-08T13:00Z", "+1h"),
        ("2026-06-08T19:59Z", "+0s"),
        ("2026-06-08T20:00Z", "+12h"),
    ],
)
def test_outside_of_open_hours_a_message_waits_for_them(
    drive: Any, at: str, sent: str
) -> None:
    windows = [Window("08:00", "12:00"), Window("14:00", "20:00")]

    ada = life(drive, at, open_hours=[OpenHours(windows)])

    assert ada.sent == [f"hi {sent}"]


def test_on_a_closed_day_a_message_waits_for_the_next(drive: Any) -> None:
    closed = [ClosedDays([date(2026, 6, 10)])]

    ada = life(drive, "2026-06-10T07:00Z", "Europe/Berlin", closed_days=closed)

    assert ada.sent == ["hi +15h"]
    assert ada.reasons("deferred") == ["closed_day"]


def test_quiet_open_and_closed_must_all_agree(drive: Any) -> None:
    ada = life(
        drive,
        "2026-06-10T21:00Z",
        quiet_hours=[QuietHours(Window("22:00", "09:00"))],
        open_hours=[OpenHours([Window("08:00", "20:00")])],
        closed_days=[ClosedDays([date(2026, 6, 9)])],
    )

    assert ada.sent == ["hi +12h"]


def test_hours_that_never_agree_suppress(drive: Any) -> None:
    ada = life(
        drive,
        "2026-06-10T12:00Z",
        quiet_hours=[QuietHours(Window("08:00", "20:00"))],
        open_hours=[OpenHours([Window("09:00", "19:00")])],
    )

    assert ada.reasons("suppressed") == ["quiet_hours"]


@pytest.mark.parametrize(("channel", "sent"), [("email", "+5h"), ("sms", "+0s")])
def test_hours_may_be_one_channels(drive: Any, channel: str, sent: str) -> None:
    quiet = [QuietHours(Window("09:00", "17:00"), channel=channel)]

    ada = life(drive, "2026-06-10T12:00Z", quiet_hours=quiet)

    assert ada.sent == [f"hi {sent}"]


@pytest.mark.parametrize(
    ("purpose", "sent"),
    [("marketing", "+5h"), ("transactional", "+0s"), ("all", "+5h")],
)
def test_hours_are_about_a_purpose(drive: Any, purpose: Any, sent: str) -> None:
    quiet = [QuietHours(Window("09:00", "17:00"), purpose=purpose)]

    ada = life(drive, "2026-06-10T12:00Z", quiet_hours=quiet)

    assert ada.sent == [f"hi {sent}"]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts(
    drive: Any,
) -> None:
    saturday = [QuietHours(Window("22:00", "06:00", weekdays=["sat"]))]

    sunday = life(drive, "2026-06-14T03:00Z", quiet_hours=saturday)
    monday = life(drive, "2026-06-15T03:00Z", quiet_hours=saturday)

    assert sunday.sent == ["hi +3h"]
    assert monday.sent == ["hi +0s"]


def test_an_hour_that_comes_twice_is_quiet_twice(drive: Any) -> None:
    quiet = [QuietHours(Window("02:00", "03:00"))]

    ada = life(drive, "2026-10-25T00:30Z", "Europe/Berlin", quiet_hours=quiet)

    assert ada.sent == ["hi +1h30m"]


def test_an_end_in_the_gap_is_when_the_gap_ends(drive: Any) -> None:
    quiet = [QuietHours(Window("01:00", "02:30"))]

    ada = life(drive, "2026-03-29T00:30Z", "Europe/Berlin", quiet_hours=quiet)

    assert ada.sent == ["hi +30m"]
