"""Collect: the events of a while become one message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.engine.conftest import Drive

from journeykit import (
    Branch,
    Collect,
    Emit,
    Journey,
    Send,
    Until,
    Wait,
    When,
    Window,
    days,
    entry,
    event,
    hours,
    on,
    profile,
    size,
    step,
)
from journeykit.engine.limits import ITEM_BYTES, ITEM_KEYS, ITEMS_BYTES
from journeykit.engine.words import explanation_of, words_of
from journeykit.model.steps import Step

ITEMS = step("collect").result.items
COUNT = step("collect").result.count
MAIL = Send("email", "digest", variables={"items": ITEMS, "count": COUNT})


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("posted"), "steps": steps, **options})


def digest(**options: Any) -> Collect:
    return Collect(on("posted"), **{"window": hours(1), "keep": ["n"], **options})


def deleting(**options: Any) -> Collect:
    return digest(cancel=on("deleted"), by=event.n, **options)


def said_by(ada: Any) -> list[tuple[list[Any], int]]:
    """What the digests list, and how many they count."""
    return [(c.variables["items"], c.variables["count"]) for c in ada.commands]


# Case 40


def test_ten_events_in_the_window_become_one_message_that_lists_ten(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL))

    for n in range(10):
        ada.event("posted", n=n)
    ada.until("+9d")

    assert ada.sent == ["digest +1h"]
    assert said_by(ada) == [([{"n": n} for n in range(10)], 10)]


def test_each_key_has_a_digest_of_its_own(drive: Any) -> None:
    ada = drive(journey(digest(keep=["n", "post"]), MAIL, key=event.post))

    ada.event("posted", n=1, post="k1")
    ada.event("posted", n=2, post="k1")
    ada.event("posted", n=3, post="k2")
    ada.until("+9d")

    assert sorted(said_by(ada), key=lambda said: -said[1]) == [
        ([{"n": 1, "post": "k1"}, {"n": 2, "post": "k1"}], 2),
        ([{"n": 3, "post": "k2"}], 1),
    ]


def test_when_the_first_is_taken_back_the_message_holds_the_others(drive: Any) -> None:
    ada = drive(journey(deleting(), MAIL))
    for n in (1, 2, 3):
        ada.event("posted", n=n)

    ada.event("deleted", "+20m", n=1)
    ada.until("+9d")

    assert ada.sent == ["digest +1h"]
    assert said_by(ada) == [([{"n": 2}, {"n": 3}], 2)]


def test_when_everything_is_taken_back_nothing_is_sent(drive: Any) -> None:
    ada = drive(journey(deleting(), MAIL))
    ada.event("posted", n=1)
    ada.event("deleted", n=1)

    assert ada.until("+9d") == ["exited nothing_collected"]


# The window


def test_the_window_is_pinned_when_it_opens(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL))
    ada.event("posted", n=1)

    ada.event("posted", "+59m", n=2)

    assert ada.due_in == "+1h"


def test_an_event_at_exactly_the_end_is_in_it_and_a_later_one_opens_the_next(
    drive: Any,
) -> None:
    ada = drive(journey(digest(), MAIL))
    ada.event("posted", n=1)
    ada.event("posted", "+1h", n=2)
    ada.until("+1h")

    ada.event("posted", "+61m", n=3)
    ada.until("+9d")

    assert ada.sent == ["digest +1h", "digest +2h1m"]
    assert said_by(ada) == [([{"n": 1}, {"n": 2}], 2), ([{"n": 3}], 1)]


@pytest.mark.parametrize(
    ("window", "due"),
    [
        (days(1), "2026-10-25T12:00Z"),  # the clocks go back in between
        (Until(time="18:00"), "2026-10-24T16:00Z"),
        (Until(after=days(1), time="09:00"), "2026-10-26T08:00Z"),
    ],
)
def test_a_window_goes_by_the_customers_clock(
    drive: Any, window: Any, due: str
) -> None:
    ada = drive(journey(digest(window=window), MAIL), start="2026-10-24T11:00Z")
    ada.event("profile.updated", zone="Europe/Berlin")

    ada.event("posted")

    assert ada.due == ada.instant(due)


def test_a_window_that_is_over_already_closes_at_once(drive: Any) -> None:
    ada = drive(journey(digest(window=Until(window=Window("08:00", "14:00"))), MAIL))

    ada.event("posted", n=1)  # at noon

    assert said_by(ada) == [([{"n": 1}], 1)]


def test_enough_events_close_the_window(drive: Any) -> None:
    ada = drive(journey(digest(until_count=3), MAIL))
    ada.event("posted", n=1)
    ada.event("posted", "+1m", n=2)

    ada.event("posted", "+2m", n=3)

    assert ada.sent == ["digest +2m"]
    assert said_by(ada) == [([{"n": 1}, {"n": 2}, {"n": 3}], 3)]


def test_one_may_be_enough(drive: Any) -> None:
    ada = drive(journey(digest(until_count=1), MAIL))

    ada.event("posted", n=1)

    assert said_by(ada) == [([{"n": 1}], 1)]


def test_what_is_taken_back_does_not_count_towards_enough(drive: Any) -> None:
    ada = drive(journey(deleting(until_count=2), MAIL))
    ada.event("posted", n=1)
    ada.event("deleted", n=1)
    ada.event("posted", n=2)

    assert ada.sent == []
    ada.event("posted", n=3)

    assert said_by(ada) == [([{"n": 2}, {"n": 3}], 2)]


# Which events


def test_only_events_for_which_the_condition_holds_are_gathered(drive: Any) -> None:
    collect = Collect(
        on("posted", where=(event.author != profile.name) & (event.post == entry.post)),
        window=hours(1),
        keep=["author"],
    )
    ada = drive(journey(collect, MAIL))
    ada.event("profile.updated", name="ada")
    ada.event("posted", author="bob", post=1)

    ada.event("posted", author="ada", post=1)
    ada.event("posted", author="cyd", post=2)
    ada.event("posted", author="dan", post=1)
    ada.until("+1h")

    assert said_by(ada) == [([{"author": "bob"}, {"author": "dan"}], 2)]


def test_the_event_that_started_the_run_must_meet_the_condition_too(drive: Any) -> None:
    collect = Collect(on("posted", where=event.n > 1), window=hours(1), keep=["n"])
    ada = drive(journey(collect, MAIL))
    ada.event("posted", n=1)

    ada.event("posted", n=2)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 2}], 1)]


def test_the_event_that_started_the_run_can_be_left_out(drive: Any) -> None:
    ada = drive(journey(digest(include_entry=False), MAIL))
    ada.event("posted", n=1)

    ada.event("posted", n=2)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 2}], 1)]


def test_an_entry_of_another_name_is_none_of_them(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL, trigger=on("start")))
    ada.event("start", n=1)

    ada.event("posted", n=2)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 2}], 1)]


def test_the_entry_counts_even_if_the_window_opens_later(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), digest(), MAIL))
    ada.event("posted", n=1)
    ada.event("posted", "+2h", n=2)  # nobody listens yet

    ada.event("posted", "+1d", n=3)
    ada.wake("+1d")
    ada.event("posted", "+1d", n=4)
    ada.until("+9d")

    assert said_by(ada) == [([{"n": 1}, {"n": 4}], 2)]


def test_of_two_windows_only_the_first_has_the_entry(drive: Any) -> None:
    ada = drive(
        journey(
            digest(id="first"),
            digest(id="collect", on_empty="proceed"),
            MAIL,
        )
    )
    ada.event("posted", n=1)

    ada.event("posted", "+2h", n=2)
    ada.until("+9d")

    assert ada.details("went_on")[0] == {"count": 1, "listed": 1}
    assert said_by(ada) == [([{"n": 2}], 1)]


def test_emitted_events_are_gathered_as_well(drive: Any) -> None:
    ada = drive(
        journey(Emit("posted", {"n": 7}), id="k", trigger=on("start")),
        journey(digest(), MAIL),
    )
    ada.event("posted", n=1)

    ada.event("start")
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 1}, {"n": 7}], 2)]


def test_a_redelivered_event_counts_once(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL))
    ada.event("posted")
    ada.event("posted", id="the-same")

    told = ada.event("posted", id="the-same")

    assert told == ["ignored duplicate"]
    assert ada.run.results["collect"]["count"] == 2


# What is listed


def test_an_item_has_the_named_fields_that_the_event_has(drive: Any) -> None:
    ada = drive(journey(digest(keep=["author", "$time", "$name"]), MAIL))
    ada.event("posted", author="bob", text="hello")

    ada.event("posted", "+5m")
    ada.until("+1h")

    assert said_by(ada)[0][0] == [
        {"author": "bob", "$time": "2026-06-01T12:00:00Z", "$name": "posted"},
        {"$time": "2026-06-01T12:05:00Z", "$name": "posted"},
    ]


def test_beyond_the_most_items_events_are_only_counted(drive: Any) -> None:
    ada = drive(journey(digest(max_items=2), MAIL))

    for n in range(5):
        ada.event("posted", n=n)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 0}, {"n": 1}], 5)]


def test_a_large_event_is_only_counted(drive: Any) -> None:
    room = ITEM_BYTES - len('{"n":""}')
    ada = drive(journey(digest(), MAIL))

    for length in (room, room + 1):
        ada.event("posted", n="x" * length)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": "x" * room}], 2)]


def test_all_items_together_are_bounded(drive: Any) -> None:
    ada = drive(journey(digest(keep=["text"]), MAIL))

    for _ in range(30):
        ada.event("posted", text="x" * 400)
    ada.until("+1h")

    ((items, count),) = said_by(ada)
    assert count == 30
    assert len(items) == ITEMS_BYTES // (400 + len('{"text":""},'))


def test_an_event_that_was_only_counted_can_be_taken_back(drive: Any) -> None:
    ada = drive(journey(deleting(max_items=1), MAIL))
    for n in range(4):
        ada.event("posted", n=n)

    ada.event("deleted", n=2)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 0}], 3)]


def test_what_is_taken_back_makes_room_for_a_later_event(drive: Any) -> None:
    ada = drive(journey(deleting(max_items=1), MAIL))
    ada.event("posted", n=1)
    ada.event("posted", n=2)

    ada.event("deleted", n=1)
    ada.event("posted", n=3)
    ada.until("+1h")

    assert said_by(ada) == [([{"n": 3}], 2)]


def test_of_very_many_events_the_last_can_not_be_taken_back(drive: Any) -> None:
    ada = drive(journey(deleting(), MAIL))
    for n in range(ITEM_KEYS + 5):
        ada.event("posted", n=n)

    ada.event("deleted", n=ITEM_KEYS + 4)
    ada.event("deleted", n=ITEM_KEYS - 1)
    ada.until("+1h")

    assert said_by(ada)[0][1] == ITEM_KEYS + 4


@pytest.mark.parametrize("properties", [{}, {"n": None}, {"n": ""}, {"n": 9}])
def test_taking_back_what_is_not_there_changes_nothing(
    drive: Any, properties: dict[str, Any]
) -> None:
    ada = drive(journey(deleting(), MAIL))
    ada.event("posted", text="without a number")
    before = ada.customer

    ada.event("deleted", **properties)

    assert ada.customer is before


@pytest.mark.parametrize("n", [7, 7.0, "7"], ids=repr)
def test_a_number_and_its_text_name_the_same_event(drive: Any, n: object) -> None:
    ada = drive(journey(deleting(), MAIL))
    ada.event("posted", n=7)

    ada.event("deleted", n=n)

    assert ada.run.results["collect"]["count"] == 0


def test_only_a_cancellation_that_meets_its_condition_counts(drive: Any) -> None:
    collect = digest(cancel=on("changed", where=event.state == "gone"), by=event.n)
    ada = drive(journey(collect, MAIL))
    ada.event("posted", n=1)

    ada.event("changed", n=1, state="kept")
    assert ada.run.results["collect"]["count"] == 1
    ada.event("changed", n=1, state="gone")

    assert ada.run.results["collect"]["count"] == 0


# What follows


def test_nothing_in_the_end_may_go_on(drive: Any) -> None:
    ada = drive(journey(deleting(on_empty="proceed"), MAIL))
    ada.event("posted", n=1)
    ada.event("deleted", n=1)

    ada.until("+1h")

    assert said_by(ada) == [([], 0)]


def test_a_branch_asks_how_many_there_were(drive: Any) -> None:
    collect = digest(keep=["author"])
    ways = Branch(
        [
            When(COUNT > 2, [Send("email", "many")]),
            When(size(ITEMS) == 2, [Send("email", "two")]),
            When(ITEMS[0].author == "bob", [Send("email", "bob")]),
        ]
    )
    sent = []
    for count in (1, 2, 3):
        ada = drive(journey(collect, ways))
        for _ in range(count):
            ada.event("posted", author="bob")
        ada.until("+1h")
        sent += ada.sent

    assert sent == ["bob +1h", "two +1h", "many +1h"]


def test_events_in_the_window_make_no_noise(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL))
    ada.event("posted", n=1)

    assert ada.event("posted", n=2) == ["not_entered already_in"]


def test_where_it_is_explained_each_event_is_told_of(drive: Any) -> None:
    ada = drive(journey(deleting(max_items=1), MAIL), explain=True)
    ada.event("posted", n=1)
    ada.event("posted", n=2)
    ada.event("deleted", n=1)
    ada.until("+1h")

    told = [entry for entry in ada.trace if entry.kind in ("collected", "went_on")]

    assert [words_of(entry) for entry in told] == [
        "collected the event, the 1st",
        "counted the event, the 2nd, without listing it",
        "took an event back, 1 are left",
        "collected 1, and lists 0 of them",
    ]
    (differently,) = explanation_of(told[1])
    assert "max_items says how many there may be" in differently


def test_a_pause_goes_on_collecting_and_parks_the_run(drive: Any) -> None:
    ada = drive(journey(digest(), MAIL))
    ada.event("posted", n=1)
    ada.state("j", "paused")

    ada.event("posted", "+10m", n=2)
    ada.until("+1h")
    ada.state("j", "live")
    ada.wake("+2h")

    assert said_by(ada) == [([{"n": 1}, {"n": 2}], 2)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40))
def test_what_is_counted_is_what_came_and_was_not_taken_back(
    happened: list[tuple[bool, int]],
) -> None:
    ada = Drive(
        journey(deleting(max_items=3, on_empty="proceed"), MAIL, trigger=on("x"))
    )
    ada.event("x")

    left: list[int] = []
    for comes, n in happened:
        ada.event("posted" if comes else "deleted", n=n)
        left = [*left, n] if comes else [other for other in left if other != n]
    ada.until("+1h")

    ((items, count),) = said_by(ada)
    assert count == len(left)
    assert len(items) <= 3
    remaining = iter(left)
    assert all(item["n"] in remaining for item in items), "in the order of their coming"
