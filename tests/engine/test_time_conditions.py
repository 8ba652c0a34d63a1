"""Conditions on where an instant lies, and when time alone changes what they answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Condition,
    InvalidCondition,
    days,
    event,
    hours,
    older_than,
    profile,
    timestamp,
    trait,
    within_last,
    within_next,
)
from journeykit.engine.calendar import LATEST, add, isoformat, subtract, to_ms
from journeykit.engine.conditions import Scope, compile_condition
from journeykit.model import cel
from journeykit.model.durations import Duration
from journeykit.model.zones import zone

DAY = 86_400_000
T0 = to_ms(datetime(2026, 6, 1, 12, tzinfo=UTC))


class Clock:
    def __init__(self, at: int, name: str = "UTC") -> None:
        self.at = at
        self.zone = zone(name)


def scope(at: int, x: object = None, name: str = "UTC") -> Scope:
    return Scope(profile={} if x is None else {"x": x}, clock=Clock(at, name))


def holds(text: str, at: int, x: object = None, name: str = "UTC") -> bool:
    return compile_condition(text).holds(scope(at, x, name))


def error(text: str, at: int, x: object = None) -> bool:
    return not holds(text, at, x) and not holds(f"!({text})", at, x)


# --- what they mean -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "outcomes"),
    [
        # at: a day before, at x, a day after, 30 days after, 31 days after
        ('profile.x.olderThan("P30D")', [False, False, False, True, True]),
        ('profile.x.withinLast("P30D")', [False, True, True, False, False]),
        ('profile.x.withinNext("P1D")', [True, False, False, False, False]),
        ('profile.x.olderThan("PT0S")', [False, True, True, True, True]),
    ],
    ids=["olderThan", "withinLast", "withinNext", "has come"],
)
def test_each_holds_from_one_edge_to_the_other(test, outcomes):
    instants = [T0 + DAY * n for n in (-1, 0, 1, 30, 31)]

    assert [holds(test, at, isoformat(T0)) for at in instants] == outcomes


def test_the_edges_are_exact_to_the_millisecond():
    x = isoformat(T0)

    assert not holds('profile.x.olderThan("P1D")', T0 + DAY - 1, x)
    assert holds('profile.x.olderThan("P1D")', T0 + DAY, x)
    assert holds('profile.x.withinLast("P1D")', T0 + DAY - 1, x)
    assert not holds('profile.x.withinLast("P1D")', T0 + DAY, x)
    assert not holds('profile.x.withinNext("P1D")', T0 - DAY - 1, x)
    assert holds('profile.x.withinNext("P1D")', T0 - DAY, x)
    assert holds('profile.x.withinNext("P1D")', T0 - 1, x)
    assert not holds('profile.x.withinNext("P1D")', T0, x)


def test_days_are_those_of_the_customers_calendar():
    """The clocks in Berlin go back on 25 October 2026, so the day has 25 hours."""
    x = to_ms(datetime(2026, 10, 24, 10, tzinfo=UTC))
    after_24 = x + 24 * 3_600_000

    assert holds('profile.x.olderThan("P1D")', after_24, isoformat(x))
    assert not holds(
        'profile.x.olderThan("P1D")', after_24, isoformat(x), "Europe/Berlin"
    )
    assert holds(
        'profile.x.olderThan("PT24H")', after_24, isoformat(x), "Europe/Berlin"
    )


@pytest.mark.parametrize(
    "x",
    ["2026-06-01", "2026-06-01T00:00:00Z", 1780272000, 1780272000000],
    ids=["a date", "RFC 3339", "seconds", "milliseconds"],
)
def test_an_instant_is_written_as_for_a_wait(x):
    assert holds('profile.x.withinLast("PT13H")', T0, x)
    assert not holds('profile.x.withinLast("PT11H")', T0, x)


@pytest.mark.parametrize("x", [None, "soon", True, [], {}, "2026-06-01T12:00:00"])
@pytest.mark.parametrize("test", cel.TIME_METHODS)
def test_what_is_no_instant_is_an_error(test, x):
    assert error(f'profile.x.{test}("P1D")', T0, x)


def test_an_events_own_time_and_a_written_instant_can_be_asked_too():
    clock = Clock(T0)
    fields = {"$time": datetime(2026, 6, 1, 11, tzinfo=UTC)}
    young = compile_condition('event["$time"].withinLast("PT2H")')
    launched = compile_condition('timestamp("2026-06-01T12:00:00Z").olderThan("PT0S")')

    assert young(Scope(event=fields, clock=clock))
    assert launched(Scope(clock=clock))
    assert not launched(Scope(clock=Clock(T0 - 1)))


def test_without_a_clock_nobody_knows():
    asked = compile_condition('profile.x.olderThan("P1D")')
    nobody = Scope(profile={"x": "2026-06-01T12:00:00Z"})

    assert not asked(nobody)
    assert asked.next_change(nobody) == LATEST
    assert asked.explain(nobody).errors == (
        'profile.x.olderThan("P1D"): nobody knows here what time it is',
    )


# --- how they are written -----------------------------------------------------------------


def test_python_prints_what_the_text_says():
    assert older_than(trait.last_order, days(30)).text == (
        'trait.last_order.olderThan("P30D")'
    )
    assert within_last(profile["signed up"], "36h").text == (
        'profile["signed up"].withinLast("PT36H")'
    )
    assert (~within_next(event.due, hours(2))).text == '!event.due.withinNext("PT2H")'
    launch = timestamp(datetime(2026, 6, 1, tzinfo=UTC))
    assert older_than(launch, "0s").text == (
        'timestamp("2026-06-01T00:00:00Z").olderThan("PT0S")'
    )


def test_the_short_form_of_a_duration_is_read_and_the_long_one_printed():
    assert Condition.parse('profile.x.olderThan("30d")') == Condition.parse(
        'profile.x.olderThan("P30D")'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profile.x.olderThan(30)", "takes a duration that is written out"),
        ("profile.x.olderThan(event.days)", "takes a duration that is written out"),
        ('profile.x.olderThan("soon")', "duration 'soon' is not understood"),
        ('profile.x.olderThan("-P1D")', "a duration is never negative"),
        ('profile.x.withinLast("PT0S")', "a time of no length nothing ever lies"),
        ('"2026-06-01".olderThan("P1D")', "or timestamp(…).olderThan(…)"),
        ('olderThan(profile.x, "P1D")', "write event.field.olderThan(…)"),
        ('profile.x.olderthan("P1D")', "did you mean olderThan?"),
        ('size(profile.x).olderThan("P1D")', "unexpected ."),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, said):
    with pytest.raises(InvalidCondition) as caught:
        Condition.parse(text)

    assert said in str(caught.value)
    assert "^" in str(caught.value)


@pytest.mark.parametrize("wrong", ["2026-06-01", 3, None, profile.x > 1])
def test_python_asks_a_field_where_it_lies(wrong):
    with pytest.raises(
        InvalidCondition, match="a field is asked where it lies in time"
    ):
        older_than(wrong, days(1))


def test_python_takes_no_timedelta():
    from datetime import timedelta

    with pytest.raises(InvalidCondition, match="write days"):
        older_than(profile.x, timedelta(days=1))


# --- why ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'profile.x.olderThan("P1D")',
            (
                "profile.x would have had to lie P1D back or more "
                '(was "2026-06-01T12:00:00Z")'
            ),
        ),
        (
            '!profile.x.withinLast("P1D")',
            (
                "profile.x would have had not to lie within the last P1D "
                '(was "2026-06-01T12:00:00Z")'
            ),
        ),
        (
            'profile.x.withinNext("P1D")',
            (
                "profile.x would have had to lie within the next P1D "
                '(was "2026-06-01T12:00:00Z")'
            ),
        ),
    ],
)
def test_it_says_what_would_have_had_to_differ(text, said):
    why = compile_condition(text).explain(scope(T0, isoformat(T0)))

    assert why.would_hold_if == said
    assert why.errors == why.missing == ()


def test_it_says_what_is_no_instant_and_what_is_missing():
    asked = compile_condition('profile.x.olderThan("P1D")')

    assert asked.explain(scope(T0, "soon")).errors == (
        'profile.x.olderThan("P1D"): "soon" is no instant',
    )
    assert asked.explain(scope(T0)).missing == ("profile.x",)


# --- when time alone changes the answer ---------------------------------------------------


def test_a_condition_without_time_never_changes_by_itself():
    asked = compile_condition("profile.x > 3")

    assert not asked.asks_time
    assert asked.next_change(scope(T0, 5)) == LATEST


@pytest.mark.parametrize("at", [-2 * DAY, -DAY, 0, DAY, 40 * DAY])
def test_the_next_change_lies_ahead(at):
    asked = compile_condition(
        'profile.x.withinLast("P2D") || profile.x.olderThan("P30D")'
    )

    found = asked.next_change(scope(T0 + at, isoformat(T0)))

    ahead = [T0 + n * DAY for n in (0, 2, 30) if n * DAY > at]
    assert found == min(ahead, default=LATEST)


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
MINUTE = 60_000
TESTS = st.builds(
    '{}profile.{}.{}("{}")'.format,
    st.sampled_from(["", "!"]),
    st.sampled_from(["x", "y"]),
    st.sampled_from(cel.TIME_METHODS),
    st.builds(
        lambda d, h: str(Duration(days=d, ms=h * 3_600_000 + MINUTE)),
        st.integers(0, 3),
        st.integers(0, 30),
    ),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.builds(
        "({}) {} ({})".format, inner, st.sampled_from(["&&", "||"]), inner
    ),
    max_leaves=5,
)


@given(CONDITIONS, ZONES, st.integers(0, 5000), st.integers(0, 5000))
def test_between_two_changes_the_answer_stays(text, name, x, y):
    """Asked every hour of a week, and the minute before each change."""
    asked = compile_condition(text)
    start = to_ms(datetime(2026, 10, 23, tzinfo=UTC))  # clocks change in Berlin
    fields = {"x": isoformat(start + x * MINUTE), "y": isoformat(start + y * MINUTE)}
    clock = Clock(start, name)
    seen = Scope(profile=fields, clock=clock)
    end = start + 7 * DAY
    answers: dict[int, bool] = {}
    while clock.at < end:
        begins, answer = clock.at, asked(seen)
        until = min(asked.next_change(seen), end)
        assert until > begins
        for at in (*range(begins, until, 3_600_000), until - 1):
            clock.at = at
            assert asked(seen) is answer
        answers[begins] = answer
        clock.at = until


@given(
    st.integers(-10_000, 10_000),
    st.integers(0, 40),
    st.integers(0, 3_000),
    ZONES,
)
def test_the_three_tests_are_what_the_calendar_says(ago, length_days, minutes, name):
    x, duration = T0 - ago * MINUTE, Duration(days=length_days, ms=minutes * MINUTE)
    own, text = zone(name), str(duration)
    end, begin = add(x, duration, own), subtract(x, duration, own)

    assert holds(f'profile.x.olderThan("{text}")', T0, isoformat(x), name) is (
        end <= T0
    )
    if duration != Duration():
        last = holds(f'profile.x.withinLast("{text}")', T0, isoformat(x), name)
        ahead = holds(f'profile.x.withinNext("{text}")', T0, isoformat(x), name)
        assert last is (x <= T0 < end)
        assert ahead is (begin <= T0 < x)
