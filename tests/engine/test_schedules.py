from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from journeykit import (
    Catalog,
    Journey,
    Policies,
    Send,
    SendMessage,
    Wait,
    WakeUp,
    days,
    entry,
    every,
    older_than,
    on,
    once,
    profile,
    react,
)
from journeykit.engine.calendar import reading_of, shown_at, to_datetime, to_ms
from journeykit.engine.conditions import Scope
from journeykit.engine.customer import Customer, Progress, created, decode, encode
from journeykit.engine.occurrences import Occurrence, ScheduleRule
from journeykit.model.cron import Cron
from journeykit.model.definition import document_of
from journeykit.model.rules import Purpose
from journeykit.model.schedules import ScheduleTrigger
from journeykit.model.segments import Segment, audience_plan
from journeykit.model.zones import zone
from journeykit.testing import Simulator, make_event

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).astimezone(UTC))


def rule_of(trigger: ScheduleTrigger) -> ScheduleRule:
    return ScheduleRule(document_of(trigger, form="plan"))


def dues(
    trigger: ScheduleTrigger,
    start: str,
    count: int,
    name: str = BERLIN,
    attributes: dict[str, Any] | None = None,
) -> list[str]:
    """The next instants at which somebody's schedule is due, UTC."""
    rule, where = rule_of(trigger), zone(name)
    own = rule.day(where, Scope(profile=attributes or {}))
    found: list[str] = []
    base, last = ms(start), None
    while len(found) < count and (due := rule.next(base, last, where, own)):
        found.append(to_datetime(due.instant).strftime("%Y-%m-%dT%H:%M"))
        base, last = due.instant + 1, due.reading
    return found


def simulated(trigger: ScheduleTrigger, start: str, **options: Any) -> Simulator:
    journey = Journey("news", trigger=trigger, steps=[Send("email", "news")])
    return Simulator(journey, start=start, **options)


def sent(simulator: Simulator, customer: str) -> list[str]:
    return [
        f"{to_datetime(message.at):%Y-%m-%dT%H:%M}"
        for message in simulator.commands
        if isinstance(message, SendMessage) and message.customer == customer
    ]


# Local time


def test_a_day_that_a_month_lacks_is_its_last() -> None:
    assert dues(every("month", day=31, at="09:00"), "2026-01-31T00:00Z", 4) == [
        "2026-01-31T08:00",
        "2026-02-28T08:00",
        "2026-03-31T07:00",
        "2026-04-30T07:00",
    ]


def test_a_birthday_on_the_29th_of_february_comes_every_year() -> None:
    birthday = {"birthday": "2000-02-29"}
    trigger = every("year", on=profile.birthday, at="09:00")

    assert dues(trigger, "2026-06-01T00:00Z", 3, BERLIN, birthday) == [
        "2027-02-28T08:00",
        "2028-02-29T08:00",
        "2029-02-28T08:00",
    ]


def test_a_day_of_joining_comes_again_each_month_and_not_on_the_day_itself() -> None:
    joined = {"joined": "2026-01-31T06:00:00Z"}
    trigger = every("month", on=profile.joined, at="09:00")

    assert dues(trigger, "2026-01-31T06:00Z", 3, BERLIN, joined) == [
        "2026-02-28T08:00",
        "2026-03-31T07:00",
        "2026-04-30T07:00",
    ]


@pytest.mark.parametrize(
    "attributes", [{}, {"birthday": "soon"}, {"birthday": None}], ids=range(3)
)
def test_who_has_no_such_day_is_never_due(attributes: dict[str, Any]) -> None:
    trigger = every("year", on=profile.birthday, at="09:00")

    assert dues(trigger, "2026-01-01T00:00Z", 1, BERLIN, attributes) == []


def test_a_time_in_a_gap_is_the_first_instant_after_it() -> None:
    assert dues(every("day", at="02:30"), "2026-03-28T00:00Z", 3) == [
        "2026-03-28T01:30",
        "2026-03-29T01:00",
        "2026-03-30T00:30",
    ]


def test_two_times_that_fall_on_one_instant_are_due_once() -> None:
    # In Berlin clocks went from 02:00 to 03:00 on 29 March 2026.
    assert dues(every(cron="0,15 2,3 * * *"), "2026-03-29T00:00Z", 3) == [
        "2026-03-29T01:00",
        "2026-03-29T01:15",
        "2026-03-30T00:00",
    ]


def test_a_time_that_clocks_show_twice_counts_the_first_time() -> None:
    assert dues(every("day", at="02:30"), "2026-10-24T12:00Z", 2) == [
        "2026-10-25T00:30",
        "2026-10-26T01:30",
    ]


def test_a_day_that_a_zone_left_out_has_no_times() -> None:
    # Samoa had no 30 December 2011.
    found = dues(every("day", at="09:00"), "2011-12-29T00:00Z", 2, "Pacific/Apia")

    assert found == ["2011-12-29T19:00", "2011-12-30T19:00"]


def test_once_by_everybodys_own_clocks_is_not_one_instant() -> None:
    trigger = once("2026-11-27T09:00")

    assert dues(trigger, "2026-01-01T00:00Z", 2, BERLIN) == ["2026-11-27T08:00"]
    assert dues(trigger, "2026-01-01T00:00Z", 2, NEW_YORK) == ["2026-11-27T14:00"]


def test_an_instant_is_one_in_every_zone() -> None:
    trigger = once("2026-11-27T09:00:00Z")

    for name in (BERLIN, NEW_YORK, "Pacific/Apia"):
        assert dues(trigger, "2026-01-01T00:00Z", 2, name) == ["2026-11-27T09:00"]


def test_once_in_the_past_is_never() -> None:
    assert dues(once("2026-11-27T09:00"), "2026-11-27T08:00:01Z", 1) == []


_ZONES = st.sampled_from(
    [
        *("UTC", BERLIN, NEW_YORK, "Pacific/Apia", "Asia/Kolkata", "America/Nuuk"),
        *("Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Asia/Beirut"),
    ]
)
_CRONS = st.builds(
    "{} {} {} {} {}".format,
    st.sampled_from(["0", "30", "0,30", "15"]),
    st.sampled_from(["0", "2", "3", "1-3", "23", "0,12"]),
    st.sampled_from(["*", "31", "1", "29-31", "L", "*/5"]),
    st.sampled_from(["*", "3", "10-12", "feb"]),
    st.sampled_from(["*", "*", "sun", "mon-fri", "sat#2"]),
)


@given(
    text=_CRONS,
    name=_ZONES,
    day=st.dates(date(2009, 1, 1), date(2030, 12, 31)),
    minutes=st.integers(0, 24 * 60),
    passed=st.none() | st.integers(0, 3000),
)
def test_the_next_time_is_the_first_of_all_readings(
    text: str, name: str, day: date, minutes: int, passed: int | None
) -> None:
    # The oracle asks each minute of each day that the calendar has, one by one.
    where, trigger = zone(name), every(cron=text)
    base = to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC)) + minutes * 60_000
    last = None if passed is None else reading_of(day) - 1500 + passed
    rule = rule_of(trigger)
    cron = trigger.cron
    assert isinstance(cron, Cron)

    found = rule.next(base, last, where, None)

    wanted = None
    current = day - timedelta(3)
    while wanted is None and current < day + timedelta(70):
        if current.day in cron.days_of(current.year, current.month):
            for minute in range(24 * 60):
                if minute not in cron.minutes:
                    continue
                reading = reading_of(current, minute)
                instant = shown_at(reading, where)
                is_new = last is None or reading > last
                if instant is not None and instant >= base and is_new:
                    wanted = Occurrence(instant, reading)
                    break
        current += timedelta(1)
    if wanted is None:
        assert found is None or found.instant > base + 60 * 24 * 60 * 60_000
    else:
        assert found == wanted


@given(text=_CRONS, name=_ZONES, day=st.dates(date(2009, 1, 1), date(2030, 12, 31)))
def test_each_reading_is_due_once_and_in_order(text: str, name: str, day: date) -> None:
    rule, where = rule_of(every(cron=text)), zone(name)
    base, last = ms(f"{day}T00:00Z"), None
    instants, readings = [], []
    for _ in range(20):
        due = rule.next(base, last, where, None)
        assert due is not None
        instants.append(due.instant)
        readings.append(due.reading)
        base, last = due.instant + 1, due.reading

    assert sorted(set(instants)) == instants
    assert sorted(set(readings)) == readings


# In a reaction


def test_a_schedule_is_due_by_the_clocks_of_each_customer() -> None:
    profiles = {"ada": {"zone": BERLIN}, "bob": {"zone": NEW_YORK}, "cy": {}}
    sim = simulated(every("mon", at="09:00"), "2026-01-01T00:00:00Z", profiles=profiles)

    sim.advance("P10D")

    assert sent(sim, "ada") == ["2026-01-05T08:00"]
    assert sent(sim, "bob") == ["2026-01-05T14:00"]
    assert sent(sim, "cy") == ["2026-01-05T09:00"]


def test_a_schedule_in_one_zone_is_due_for_everybody_at_once() -> None:
    profiles = {"ada": {"zone": BERLIN}, "bob": {"zone": NEW_YORK}}
    sim = simulated(
        every("mon", at="09:00", zone="Asia/Tokyo"),
        "2026-01-01T00:00:00Z",
        profiles=profiles,
    )

    sim.advance("P10D")

    assert sent(sim, "ada") == sent(sim, "bob") == ["2026-01-05T00:00"]


def test_who_comes_later_is_due_from_then_on() -> None:
    sim = simulated(every("day", at="09:00"), "2026-01-01T00:00:00Z")
    sim.event("signed.up", "ada", at="2026-01-03T09:00:00Z")

    sim.advance_to("2026-01-05T00:00:00Z")

    assert sent(sim, "ada") == ["2026-01-03T09:00", "2026-01-04T09:00"]


def test_only_who_meets_the_condition_at_that_instant_enters() -> None:
    sim = simulated(
        every("day", at="09:00", where=profile.plan == "pro"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {}},
    )
    sim.advance("P1D")
    sim.identify("ada", plan="pro", at="2026-01-02T09:00:00Z")  # an event goes first
    sim.identify("ada", plan="free", at="2026-01-02T09:00:01Z")

    sim.advance("P3D")

    assert sent(sim, "ada") == ["2026-01-02T09:00"]


def test_only_who_is_in_the_segment_has_a_due_instant() -> None:
    audience = audience_plan([], [Segment("pro", profile.plan == "pro")], [])
    sim = simulated(
        every("day", at="09:00", segment="pro"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {}, "bob": {"plan": "pro"}},
        audience=audience,
    )

    assert sim.next_due == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert sim.customers["ada"].next_due is None

    sim.identify("ada", plan="pro", at="2026-01-02T09:00:00Z")
    sim.identify("bob", plan="free", at="2026-01-02T09:00:00Z")
    sim.advance_to("2026-01-03T12:00:00Z")
    sim.identify("ada", plan="free")

    assert sent(sim, "ada") == ["2026-01-02T09:00", "2026-01-03T09:00"]
    assert sent(sim, "bob") == ["2026-01-01T09:00"]
    assert sim.customers["ada"].next_due is None


def test_who_leaves_the_segment_and_comes_back_is_not_due_twice_at_one_reading() -> (
    None
):
    audience = audience_plan([], [Segment("pro", profile.plan == "pro")], [])
    sim = simulated(
        every("day", at="09:00", segment="pro"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {"plan": "pro"}},
        audience=audience,
    )
    sim.advance_to("2026-01-01T09:00:00Z")
    sim.identify("ada", plan="free")
    sim.identify("ada", plan="pro")

    sim.advance_to("2026-01-01T10:00:00Z")

    assert sent(sim, "ada") == ["2026-01-01T09:00"]


@pytest.mark.parametrize(
    "looks",
    [["01-08", "01-09", "01-10", "01-11"], ["01-09", "01-11"], ["01-11"]],
    ids=["punctual", "late", "once"],
)
def test_who_comes_into_the_segment_by_time_is_due_from_then_on_however_late_one_looks(
    looks: list[str],
) -> None:
    resting = Segment("resting", older_than(profile.bought_at, days(7)))
    catalog = catalog_of(
        every("day", at="09:00", segment="resting"),
        revision=1,
        purpose="transactional",  # which doesn't expire
        audience=audience_plan([], [resting], []),
    )
    ada = react(
        None,
        make_event(
            "profile.updated",
            "ada",
            at="2026-01-01T12:00:00Z",
            bought_at="2026-01-01T12:00:00Z",
        ),
        catalog=catalog,
        now=to_datetime(ms("2026-01-01T12:00Z")),
    ).customer
    count = 0

    for day in looks:
        ada, more = woken(ada, catalog, f"2026-{day}T12:00Z")
        count += more

    assert count == 3  # in the mornings of the 9th, 10th and 11th


def test_who_moves_west_is_not_due_again_for_the_same_reading() -> None:
    sim = simulated(
        every("day", at="09:00"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {"zone": BERLIN}},
    )
    sim.advance_to("2026-01-01T10:00:00Z")
    sim.identify("ada", zone=NEW_YORK)

    sim.advance_to("2026-01-03T00:00:00Z")

    assert sent(sim, "ada") == ["2026-01-01T08:00", "2026-01-02T14:00"]


def test_who_moves_before_it_is_due_gets_it_by_the_new_clocks() -> None:
    sim = simulated(
        once("2026-01-02T09:00"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {"zone": BERLIN}},
    )
    sim.identify("ada", zone=NEW_YORK, at="2026-01-02T06:00:00Z")

    sim.advance("P3D")

    assert sent(sim, "ada") == ["2026-01-02T14:00"]


def test_a_birthday_that_is_told_later_is_due() -> None:
    sim = simulated(
        every("year", on=profile.birthday, at="09:00"),
        "2026-01-01T00:00:00Z",
        profiles={"ada": {}},
    )
    sim.identify("ada", birthday="1990-01-05")

    sim.advance("P30D")

    assert sent(sim, "ada") == ["2026-01-05T09:00"]


def test_a_run_knows_which_time_it_was_started_for() -> None:
    journey = Journey(
        "news",
        trigger=every("day", at="09:00"),
        steps=[
            Send(
                "email",
                "news",
                variables={
                    "local": entry.local,
                    "at": entry["$time"],
                    "name": entry["$name"],
                },
            )
        ],
    )
    sim = Simulator(
        journey, start="2026-01-01T00:00:00Z", profiles={"ada": {"zone": BERLIN}}
    )

    sim.advance("P1D")

    (message,) = sim.commands
    assert isinstance(message, SendMessage)
    assert message.variables == {
        "local": "2026-01-01T09:00",
        "at": "2026-01-01T08:00:00Z",
        "name": "schedule.due",
    }


def test_an_overlapping_run_keeps_the_next_one_out_as_with_any_trigger() -> None:
    journey = Journey(
        "news",
        trigger=every("day", at="09:00"),
        steps=[Wait(days(2)), Send("email", "news")],
    )
    sim = Simulator(journey, start="2026-01-01T00:00:00Z", profiles={"ada": {}})

    sim.advance_to("2026-01-02T10:00:00Z")

    sim.assert_not_entered("ada", "news", reason="already_in")


def test_two_schedules_of_one_journey_at_one_instant_start_one_run() -> None:
    journey = Journey(
        "news",
        trigger=[every("day", at="09:00"), every("thu", at="09:00")],
        reentry="always",
        steps=[Send("email", "news")],
    )
    sim = Simulator(journey, start="2026-01-01T00:00:00Z", profiles={"ada": {}})

    sim.advance_to("2026-01-02T10:00:00Z")

    assert sent(sim, "ada") == ["2026-01-01T09:00", "2026-01-02T09:00"]


def test_a_paused_journey_takes_nobody_and_goes_on_with_its_next_time() -> None:
    sim = simulated(
        every("day", at="09:00"), "2026-01-01T00:00:00Z", profiles={"ada": {}}
    )
    sim.pause("news")
    sim.advance("P1D")
    sim.assert_not_entered("ada", "news", reason="paused")
    sim.resume("news")

    sim.advance("P1D")

    assert sent(sim, "ada") == ["2026-01-02T09:00"]


# The catalog changes


def catalog_of(
    *triggers: ScheduleTrigger,
    revision: int,
    published_at: str = "",
    purpose: Purpose | None = None,
    **options: Any,
) -> Catalog:
    send = Send("email", "n", purpose=purpose)
    plan = Journey("news", trigger=[*triggers], steps=[send]).to_plan()
    if published_at:
        plan["published_at"] = ms(published_at)
    return Catalog.compile([plan], policies=Policies(), revision=revision, **options)


def woken(customer: Customer | None, catalog: Catalog, at: str) -> tuple[Customer, int]:
    """What a wake-up makes of a customer, and how many messages that sends."""
    reaction = react(
        customer and decode(encode(customer)),
        WakeUp("ada"),
        catalog=catalog,
        now=to_datetime(ms(at)),
    )
    return reaction.customer, len(reaction.commands)


def test_a_visit_that_comes_late_misses_no_time_behind_the_publish() -> None:
    catalog = catalog_of(
        every("day", at="09:00"), revision=2, published_at="2026-01-05T00:00Z"
    )
    ada = created("ada", ms("2025-06-01T00:00Z"))

    ada, count = woken(ada, catalog, "2026-01-05T09:30Z")

    assert count == 1
    assert ada.next_due == ms("2026-01-06T09:00Z")
    assert ada.clock == ms("2026-01-05T09:00Z")


def test_events_of_last_year_find_a_schedule_that_was_published_today() -> None:
    catalog = catalog_of(
        every("day", at="09:00"), revision=2, published_at="2026-11-22T00:00Z"
    )
    ada = created("ada", ms("2025-06-01T00:00Z"))

    ada, _ = woken(ada, catalog, "2025-06-01T08:00Z")  # by the clock of the events

    assert ada.next_due == ms("2025-06-01T09:00Z")


def test_what_was_due_before_the_publish_is_not_made_up_for() -> None:
    catalog = catalog_of(
        once("2026-01-04T09:00"), revision=2, published_at="2026-01-05T00:00Z"
    )
    ada = created("ada", ms("2025-06-01T00:00Z"))

    ada, count = woken(ada, catalog, "2026-01-05T09:30Z")

    assert (count, ada.next_due, ada.progress) == (0, None, {})


def test_a_schedule_that_stays_keeps_its_due_instant_in_the_next_catalog() -> None:
    ada = created("ada", ms("2026-01-01T00:00Z"))
    ada, _ = woken(
        ada, catalog_of(every("day", at="09:00"), revision=2), "2026-01-01T01:00Z"
    )

    again, _ = woken(
        ada, catalog_of(every("day", at="09:00"), revision=3), "2026-01-01T02:00Z"
    )

    assert again is not None
    assert again.progress == ada.progress
    assert again.next_due == ms("2026-01-01T09:00Z")


def test_a_schedule_that_was_changed_is_due_anew_and_one_that_is_gone_never() -> None:
    ada = created("ada", ms("2026-01-01T00:00Z"))
    ada, _ = woken(
        ada, catalog_of(every("day", at="09:00"), revision=2), "2026-01-01T01:00Z"
    )

    ada, _ = woken(
        ada, catalog_of(every("day", at="07:00"), revision=3), "2026-01-01T02:00Z"
    )
    assert ada.next_due == ms("2026-01-01T07:00Z")

    journey = Journey("news", trigger=on("x"), steps=[Send("email", "n")])
    gone = Catalog.compile([journey], policies=Policies(), revision=4)
    reaction = react(
        ada, WakeUp("ada"), catalog=gone, now=to_datetime(ms("2026-01-01T08:00Z"))
    )
    assert reaction.commands == ()
    assert reaction.customer.next_due is None


@pytest.mark.parametrize("state", ["draft", "closed", "stopped"])
def test_a_journey_that_nobody_enters_wakes_nobody(state: Any) -> None:
    ada = created("ada", ms("2026-01-01T00:00Z"))
    ada, _ = woken(
        ada, catalog_of(every("day", at="09:00"), revision=2), "2026-01-01T01:00Z"
    )

    catalog = catalog_of(every("day", at="09:00"), revision=3, states={"news": state})
    ada, _ = woken(ada, catalog, "2026-01-01T02:00Z")

    assert ada.next_due is None
    assert ada.progress == {}


def test_progress_of_another_kind_of_trigger_is_no_schedules() -> None:
    ada = created("ada", ms("2026-01-01T00:00Z"))
    ada.progress = {"news/0": Progress(None, [["a", 1], 2])}

    ada, _ = woken(
        ada, catalog_of(every("day", at="09:00"), revision=2), "2026-01-01T01:00Z"
    )

    assert ada.next_due == ms("2026-01-01T09:00Z")


@settings(max_examples=50)
@given(
    hours=st.lists(st.integers(0, 400), max_size=12),
    zones=st.lists(_ZONES, max_size=4),
)
def test_a_schedule_is_due_alike_however_often_somebody_looks(
    hours: list[int], zones: list[str]
) -> None:
    # Wake-ups in between, as visits and stale timers are, change nothing of the path.
    catalog = catalog_of(
        every(cron="30 2,9 * * *"), every("month", day=31, at="12:00"), revision=2
    )
    start = ms("2026-03-20T00:00Z")
    ends = []
    for looks in ([], sorted(hours)):
        customer = created("ada", start, {"zone": (zones or ["UTC"])[0]})
        path: list[tuple[int, str]] = []
        for at in [
            *(start + hour * 3_600_000 for hour in looks),
            start + 401 * 3_600_000,
        ]:
            while True:
                due = customer.next_due
                now = at if due is None or customer.catalog < 2 else min(due, at)
                reaction = react(
                    customer, WakeUp("ada"), catalog=catalog, now=to_datetime(now)
                )
                customer = reaction.customer
                path += [
                    (one.at, one.kind)
                    for one in reaction.trace
                    if one.kind in ("entered", "completed")
                ]
                if now == at:
                    break
        ends.append((path, customer.progress))

    assert ends[0] == ends[1]
