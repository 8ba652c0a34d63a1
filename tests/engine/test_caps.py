"""Caps: at most so many messages, in every form of window."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import Cap, Journey, Policies, Send, days, hours, months, on, weeks

HOUR = 3_600_000


def sends(
    *names: str, id: str = "j", channel: str = "email", **options: Any
) -> Journey:
    return Journey(
        id=id,
        **{
            "trigger": on("start"),
            "steps": [Send(channel, name) for name in names],
            "reentry": "always",
            **options,
        },
    )


def capped(
    drive: Any, *caps: Cap, start: str = "2026-06-01T12:00Z", **zone: str
) -> Any:
    ada = drive(sends("hi"), policies=Policies(caps=list(caps)), start=start)
    if zone:
        ada.event("profile.updated", **zone)
    return ada


def test_a_cap_lets_its_limit_through_and_no_more(drive: Any) -> None:
    ada = capped(drive, Cap(2, within=hours(24)))

    for _ in range(4):
        ada.event("start")

    assert ada.sent == ["hi +0s", "hi +0s"]
    assert ada.reasons("suppressed") == ["frequency_cap"] * 2


def test_a_refusal_says_the_rule_and_what_was_sent(drive: Any) -> None:
    ada = capped(drive, Cap(1, within=hours(24)))
    ada.event("start")

    ada.event("start")

    (detail,) = ada.details("suppressed")
    assert detail["values"] == {"sent": 1, "limit": 1}
    assert "at most 1 within 24h" in detail["rule"]


@pytest.mark.parametrize(("at", "sent"), [("+23h59m", 1), ("+24h", 2)])
def test_24_hours_are_elapsed_time(drive: Any, at: str, sent: int) -> None:
    ada = capped(drive, Cap(1, within=hours(24)))
    ada.event("start")

    ada.event("start", at)

    assert len(ada.sent) == sent


@pytest.mark.parametrize(
    ("cap", "at", "sent"),
    [
        (Cap(1, within=days(1)), "+22h59m", 1),
        (Cap(1, within=days(1)), "+23h", 2),
        (Cap(1, within=hours(24)), "+23h", 1),
        (Cap(1, within=hours(24)), "+24h", 2),
    ],
)
def test_a_day_is_until_the_same_local_time_though_clocks_go_forward(
    drive: Any, cap: Cap, at: str, sent: int
) -> None:
    ada = capped(drive, cap, start="2026-03-28T12:00+01:00", zone="Europe/Berlin")
    ada.event("start")

    ada.event("start", at)

    assert len(ada.sent) == sent


@pytest.mark.parametrize(("at", "sent"), [("+24h", 1), ("+24h59m", 1), ("+25h", 2)])
def test_a_day_is_until_the_same_local_time_though_clocks_go_back(
    drive: Any, at: str, sent: int
) -> None:
    ada = capped(
        drive,
        Cap(1, within=days(1)),
        start="2026-10-24T12:00+02:00",
        zone="Europe/Berlin",
    )
    ada.event("start")

    ada.event("start", at)

    assert len(ada.sent) == sent


def test_a_month_is_asked_forward_from_the_message(drive: Any) -> None:
    ada = capped(drive, Cap(1, within=months(1)), start="2026-01-31T12:00Z")
    ada.event("start")

    ada.event("start", "2026-02-28T11:59Z")
    ada.event("start", "2026-02-28T12:00Z")

    assert ada.sent == ["hi +0s", "hi +672h"]


@pytest.mark.parametrize(
    ("calendar", "start", "before", "at"),
    [
        ("day", "2026-06-01T12:00Z", "2026-06-01T21:59Z", "2026-06-01T22:00Z"),
        ("week", "2026-06-03T12:00Z", "2026-06-07T21:59Z", "2026-06-07T22:00Z"),
        ("month", "2026-06-20T12:00Z", "2026-06-30T21:59Z", "2026-06-30T22:00Z"),
    ],
)
def test_a_calendar_cap_resets_at_local_midnight(
    drive: Any, calendar: Any, start: str, before: str, at: str
) -> None:
    ada = capped(drive, Cap(1, calendar=calendar), start=start, zone="Europe/Berlin")
    ada.event("start")

    ada.event("start", before)
    ada.event("start", at)

    assert len(ada.sent) == 2
    assert ada.reasons("suppressed") == ["frequency_cap"]
    assert ada.commands[1].at == ada.ms(at)


def test_a_calendar_day_may_be_minutes_long_to_two_messages(drive: Any) -> None:
    ada = capped(drive, Cap(1, calendar="day"), start="2026-06-01T23:59Z")
    ada.event("start")

    ada.event("start", "+1m")

    assert len(ada.sent) == 2


def test_a_calendar_day_that_lacks_midnight_starts_when_it_starts(drive: Any) -> None:
    ada = capped(
        drive, Cap(1, calendar="day"), start="2026-03-28T12:00Z", zone="America/Nuuk"
    )
    ada.event("start")

    ada.event("start", "2026-03-29T00:59Z")
    ada.event("start", "2026-03-29T02:00Z")

    assert len(ada.sent) == 2


def test_a_cap_with_neither_window_counts_for_life(drive: Any) -> None:
    ada = capped(drive, Cap(1))
    ada.event("start")

    ada.event("start", "2036-06-01T12:00Z")

    assert len(ada.sent) == 1


def test_two_lifetime_caps_of_one_scope_count_each_message_once(drive: Any) -> None:
    ada = capped(drive, Cap(2), Cap(3))

    for _ in range(3):
        ada.event("start")

    assert len(ada.sent) == 2


def test_a_cap_of_zero_stops_everything(drive: Any) -> None:
    for cap in (Cap(0), Cap(0, within=days(1)), Cap(0, calendar="week")):
        ada = capped(drive, cap)

        ada.event("start")

        assert ada.sent == []


@pytest.mark.parametrize(
    ("cap", "sent"),
    [
        (Cap(1, within=days(1)), ["a"]),
        (Cap(1, within=days(1), channel="email"), ["a", "b"]),
        (Cap(1, within=days(1), topic="news"), ["a", "b"]),
        (Cap(1, within=days(1), journey="one"), ["a", "d"]),
        (Cap(1, within=days(1), purpose="transactional"), ["a", "b", "c", "d"]),
    ],
)
def test_a_cap_counts_and_caps_only_its_scope(
    drive: Any, cap: Cap, sent: list[str]
) -> None:
    one = Journey(
        id="one",
        trigger=on("start"),
        topic="news",
        priority=1,
        steps=[Send("email", "a"), Send("sms", "b", topic="x"), Send("email", "c")],
    )
    two = sends("d", id="two", topic="news")
    ada = drive(one, two, policies=Policies(caps=[cap]))

    ada.event("start")

    assert sorted(c.template for c in ada.commands) == sent


def test_transactional_messages_neither_count_nor_are_capped(drive: Any) -> None:
    steps = [Send("sms", "t", purpose="transactional"), Send("sms", "m")]
    ada = drive(
        Journey(id="j", trigger=on("start"), steps=[*steps, *steps]),
        policies=Policies(caps=[Cap(1, within=days(1))]),
    )

    ada.event("start")

    assert [c.template for c in ada.commands] == ["t", "m", "t"]


def test_a_cap_of_all_purposes_counts_both(drive: Any) -> None:
    steps = [Send("sms", "t", purpose="transactional"), Send("sms", "m")]
    ada = drive(
        Journey(id="j", trigger=on("start"), steps=steps),
        policies=Policies(caps=[Cap(1, within=days(1), purpose="all")]),
    )

    ada.event("start")

    assert [c.template for c in ada.commands] == ["t"]


def test_caps_are_exact_across_journeys(drive: Any) -> None:
    ada = drive(
        *[sends("hi", id=f"j{n}") for n in range(9)],
        policies=Policies(caps=[Cap(3, within=days(1))]),
    )

    ada.event("start")

    assert len(ada.sent) == 3


def test_the_strictest_of_several_caps_decides(drive: Any) -> None:
    ada = capped(drive, Cap(9, within=days(1)), Cap(2, within=weeks(1)))

    for day in range(4):
        ada.event("start", f"+{day}d")

    assert len(ada.sent) == 2


def test_deferred_by_a_cap_means_until_it_frees_up(drive: Any) -> None:
    later = Send("email", "b", on_capped="defer", expires_after=days(9))
    ada = drive(
        sends("a"),
        Journey(id="later", trigger=on("later"), steps=[later]),
        policies=Policies(caps=[Cap(2, within=hours(24))]),
    )
    ada.event("start", "+0h")
    ada.event("start", "+6h")

    ada.event("later", "+7h")

    assert ada.due_in == "+24h"


def test_the_counter_of_a_calendar_cap_frees_up_at_local_midnight(drive: Any) -> None:
    later = Send("email", "b", on_capped="defer")
    ada = drive(
        sends("a"),
        Journey(id="later", trigger=on("later"), steps=[later], zone="Europe/Berlin"),
        policies=Policies(caps=[Cap(1, calendar="day")]),
    )
    ada.event("start")

    ada.event("later")

    assert ada.due == ada.instant("2026-06-01T22:00Z")


@pytest.mark.parametrize(
    ("lost", "how"), [("message.failed", {}), ("message.bounced", {"bounce": "hard"})]
)
@pytest.mark.parametrize(
    "cap", [Cap(1, within=days(1)), Cap(1), Cap(1, calendar="day")]
)
def test_a_message_is_taken_back_from_the_caps_on_permanent_failure(
    drive: Any, cap: Cap, lost: str, how: dict[str, str]
) -> None:
    ada = capped(drive, cap)
    ada.event("start")

    ada.event(lost, **how, channel="sms", delivery_id=ada.commands[0].delivery_id)
    ada.event("start", "+1h")

    assert ada.sent == ["hi +0s", "hi +1h"]


def test_a_message_is_taken_back_only_once(drive: Any) -> None:
    ada = capped(drive, Cap(2))
    ada.event("start")
    ada.event("start")
    lost = ada.commands[0].delivery_id

    ada.event("message.failed", delivery_id=lost)
    ada.event("message.failed", delivery_id=lost)
    ada.event("start", "+1h")
    ada.event("start", "+2h")

    assert len(ada.sent) == 3


def test_a_soft_bounce_takes_nothing_back(drive: Any) -> None:
    ada = capped(drive, Cap(1, within=days(3)))
    ada.event("start")
    id = ada.commands[0].delivery_id

    ada.event("message.bounced", channel="sms", bounce="soft", delivery_id=id)
    ada.event("start", "+1h")

    assert ada.sent == ["hi +0s"]


def test_a_lifetime_message_is_taken_back_though_no_window_counts_it_any_more(
    drive: Any,
) -> None:
    ada = capped(drive, Cap(1), Cap(1, within=hours(1)))
    ada.event("start")
    id = ada.commands[0].delivery_id
    ada.event("profile.updated", "+2h", x=1)

    ada.event("message.failed", "+3h", delivery_id=id)
    ada.event("start", "+4h")

    assert len(ada.sent) == 2


def test_what_was_suppressed_does_not_count(drive: Any) -> None:
    ada = capped(drive, Cap(2, within=hours(2)))
    for at in ("+0h", "+1h", "+90m", "+2h"):
        ada.event("start", at)

    assert ada.sent == ["hi +0s", "hi +1h", "hi +2h"]


def test_messages_that_no_cap_concerns_push_none_out_of_the_ledger(drive: Any) -> None:
    receipts = [Send("email", "r", purpose="transactional")] * 25
    ada = drive(
        sends("hi"),
        Journey(id="r", trigger=on("paid"), steps=receipts, reentry="always"),
        policies=Policies(caps=[Cap(1, within=days(30))]),
    )
    ada.event("start")
    for n in range(21):
        ada.event("paid", f"+{n + 1}m")

    ada.event("start", "+1h")

    assert ada.reasons("suppressed") == ["frequency_cap"]
