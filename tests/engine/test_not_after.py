"""Until when a message may be handed over without asking the guards again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    ClosedDays,
    Journey,
    OpenHours,
    Policies,
    QuietHours,
    Send,
    Window,
    hours,
    on,
)
from journeykit.engine.calendar import LATEST, to_ms
from journeykit.engine.catalog import BY_CUSTOMER_ID
from journeykit.engine.guards import Clear, Envelope, Guards, Refusal, Surroundings
from journeykit.model.clocktimes import WEEKDAYS, Weekday

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
NIGHT = QuietHours(Window("21:00", "08:00"))
NEVER = Send("sms", "x", expires_after="never")


def not_after(drive: Any, send: Send, policies: Policies) -> str | None:
    """The `not_after` of a message that goes out on Monday, 1 June, at noon."""
    ada = drive(Journey("j", trigger=on("start"), steps=[send]), policies=policies)
    ada.event("start")
    (command,) = ada.commands
    until = command.not_after
    return None if until is None else ada.from_ms(until).isoformat()[:16]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(), None),
        (Policies(quiet_hours=[NIGHT]), "2026-06-01T21:00"),
        (
            Policies(quiet_hours=[NIGHT, QuietHours(Window("13:00", "14:00"))]),
            "2026-06-01T13:00",
        ),
        (
            Policies(quiet_hours=[QuietHours(Window("08:00", "10:00"))]),
            "2026-06-02T08:00",
        ),
        (
            Policies(
                quiet_hours=[QuietHours(Window("13:00", "14:00"), channel="push")]
            ),
            None,
        ),
        (
            Policies(
                quiet_hours=[QuietHours(Window("13:00", "14:00", weekdays=["wed"]))]
            ),
            "2026-06-03T13:00",
        ),
        (
            Policies(open_hours=[OpenHours([Window("09:00", "18:00")])]),
            "2026-06-01T18:00",
        ),
        (
            Policies(
                open_hours=[
                    OpenHours([Window("09:00", "13:00"), Window("12:00", "20:00")])
                ]
            ),
            "2026-06-01T20:00",
        ),
        (
            Policies(
                open_hours=[
                    OpenHours([Window("00:00", "12:30"), Window("12:30", "24:00")])
                ]
            ),
            None,
        ),
        (
            Policies(closed_days=[ClosedDays([date(2025, 1, 1), date(2026, 6, 4)])]),
            "2026-06-04T00:00",
        ),
        (Policies(closed_days=[ClosedDays([date(2025, 1, 1)])]), None),
    ],
)
def test_it_is_when_the_hours_close(
    drive: Any, policies: Policies, expected: str | None
) -> None:
    assert not_after(drive, NEVER, policies) == expected


def test_it_is_when_it_expires_if_that_is_before(drive: Any) -> None:
    send = Send("sms", "x", expires_after=hours(2))

    assert not_after(drive, send, Policies(quiet_hours=[NIGHT])) == "2026-06-01T14:00"
    assert not_after(drive, send, Policies()) == "2026-06-01T14:00"


def test_it_follows_the_clock_of_the_customer(drive: Any) -> None:
    journey = Journey("j", trigger=on("start"), steps=[NEVER])
    ada = drive(journey, policies=Policies(quiet_hours=[NIGHT]))
    ada.event("profile.updated", zone="Europe/Rome")

    ada.event("start")

    assert ada.commands[0].not_after == ada.ms("2026-06-01T19:00:00+00:00")


# --- always ---------------------------------------------------------------------------

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",  # its clocks go forward at midnight
    "Australia/Lord_Howe",  # by half an hour
    "America/Nuuk",
    "Pacific/Apia",  # it left a day out
    "America/Goose_Bay",  # its clocks went back a minute after midnight
)
STARTS = (
    datetime(2026, 3, 7, 12, tzinfo=UTC),
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2011, 12, 29, 12, tzinfo=UTC),
    datetime(2010, 11, 6, 12, tzinfo=UTC),
)
TIMES = ("00:00", "00:30", "02:30", "08:00", "12:00", "23:30")


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(st.sampled_from(TIMES))
    end = draw(st.sampled_from([*TIMES[1:], "24:00"]).filter(lambda end: end != start))
    days: list[Weekday] = draw(
        st.lists(st.sampled_from(WEEKDAYS), max_size=3, unique=True)
    )
    return Window(start, end, weekdays=days)


@st.composite
def policies(draw: st.DrawFn) -> Policies:
    start = draw(st.sampled_from(STARTS)).date()
    closed = draw(st.lists(st.integers(0, 9), max_size=3, unique=True))
    dates = [date.fromordinal(start.toordinal() + day) for day in closed]
    opened = draw(st.lists(windows(), max_size=3))
    return Policies(
        quiet_hours=[QuietHours(w) for w in draw(st.lists(windows(), max_size=2))],
        open_hours=[OpenHours(opened)] if opened else [],
        closed_days=[ClosedDays(dates)] if dates else [],
    )


@given(
    policies(),
    st.sampled_from(ZONES),
    st.sampled_from(STARTS),
    st.integers(0, 4 * 24 * 60),
    st.none() | st.integers(1, 3 * 24 * 60),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=3),
)
def test_until_then_the_hours_do_not_refuse_and_then_they_do(
    rules: Policies,
    zone: str,
    start: datetime,
    minutes: int,
    expires: int | None,
    between: list[float],
) -> None:
    guards = Guards(rules.to_plan(), {}, BY_CUSTOMER_ID)
    now = to_ms(start) + minutes * MINUTE
    expires_at = None if expires is None else now + expires * MINUTE

    def asked(at: int) -> Clear | Refusal:
        envelope = Envelope("ada", "j", ("sms",), "", "marketing")
        return guards.ask(envelope, seen(at))

    def seen(at: int) -> Surroundings:
        return Surroundings(at, ZoneInfo(zone), {}, {}, [], [], {})

    if isinstance(asked(now), Refusal):
        return

    until = guards.not_after("sms", "marketing", seen(now), expires_at)

    assert until is None or until > now
    if until is None or until != expires_at:
        assert until is None or isinstance(asked(until), Refusal)
    last = min(until or LATEST, now + 20 * DAY)
    for instant in [last - 1, *(now + int((last - now) * part) for part in between)]:
        assert isinstance(asked(instant), Clear)
