"""Triggers that ask for several events, or for the absence of one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    Emit,
    Journey,
    Send,
    SequenceTrigger,
    Wait,
    WaitFor,
    When,
    api,
    days,
    entry,
    event,
    hours,
    minutes,
    on,
    profile,
)
from journeykit.engine import sequences
from journeykit.engine.customer import Progress, encode
from journeykit.engine.limits import KB, PROGRESS_BYTES, PROGRESS_ROWS


def journey(trigger: Any, *steps: Any, id: str = "j", **options: Any) -> Journey:
    options = {"reentry": "always", **options}
    return Journey(id, trigger=trigger, steps=steps or [Send("email", "hi")], **options)


# --- times --------------------------------------------------------------------------


def test_the_third_event_within_the_window_starts_the_run(drive: Any) -> None:
    ada = drive(journey(on("login.failed").times(3, within=minutes(10))))

    ada.event("login.failed")
    ada.event("login.failed", "+5m")
    told = ada.event("login.failed", "+9m")

    assert told[0] == "entered"
    assert ada.sent == ["hi +9m"]


def test_exactly_at_the_end_of_the_window_is_too_late(drive: Any) -> None:
    ada = drive(journey(on("login.failed").times(2, within=minutes(10))))

    ada.event("login.failed")
    ada.event("login.failed", "+10m")

    assert ada.sent == []


def test_the_window_moves_on_with_the_events(drive: Any) -> None:
    ada = drive(journey(on("x").times(3, within=hours(5))))

    for at in ("+0h", "+3h", "+6h", "+7h"):
        ada.event("x", at)

    assert ada.sent == ["hi +7h"]


def test_what_has_started_a_run_does_not_count_for_the_next(drive: Any) -> None:
    ada = drive(journey(on("x").times(2)))

    for at in ("+0h", "+1h", "+2h", "+3h", "+4h"):
        ada.event("x", at)

    assert ada.sent == ["hi +1h", "hi +3h"]


def test_a_count_without_a_window_has_no_hurry(drive: Any) -> None:
    ada = drive(journey(on("order.placed").times(3)))

    for at in ("+0h", "+5000h", "+9000h"):
        ada.event("order.placed", at)

    assert ada.sent == ["hi +9000h"]


def test_only_events_whose_condition_holds_count(drive: Any) -> None:
    ada = drive(journey(on("order.placed", where=event.total > 50).times(2)))

    for total in (60, 10, 70):
        ada.event("order.placed", total=total)

    assert ada.did.count("entered") == 1


def test_an_event_that_undoes_the_count_lets_it_begin_anew(drive: Any) -> None:
    failed, succeeded = on("login.failed"), on("login.succeeded")
    ada = drive(journey(failed.times(2, unless=succeeded)))

    for name in (failed, succeeded, failed):
        ada.event(name.name)
    before = list(ada.sent)
    ada.event("login.failed")

    assert before == []
    assert ada.sent == ["hi +0s"]


def test_an_event_that_undoes_and_counts_begins_the_count(drive: Any) -> None:
    other_shop = on("x", where=event.new == True)
    ada = drive(journey(on("x").times(2, unless=other_shop)))

    ada.event("x")
    ada.event("x", new=True)
    before = list(ada.sent)
    ada.event("x")

    assert (before, ada.sent) == ([], ["hi +0s"])


# --- then ---------------------------------------------------------------------------


def test_one_event_then_another_in_time(drive: Any) -> None:
    ada = drive(journey(on("viewed").then(on("carted"), within=hours(2))))

    ada.event("viewed")
    ada.event("carted", "+2h")
    ada.event("viewed", "+3h")
    ada.event("carted", "+4h")

    assert ada.sent == ["hi +4h"]


def test_the_second_event_alone_is_nothing(drive: Any) -> None:
    ada = drive(journey(on("viewed").then(on("carted"))))

    ada.event("carted")
    ada.event("viewed")

    assert ada.sent == []


def test_the_latest_first_event_counts(drive: Any) -> None:
    ada = drive(journey(on("viewed").then(on("carted"), within=hours(2))))

    ada.event("viewed")
    ada.event("viewed", "+3h")
    ada.event("carted", "+4h")

    assert ada.sent == ["hi +4h"]


def test_one_event_is_not_its_own_sequel(drive: Any) -> None:
    ada = drive(journey(on("x").then(on("x"), within=hours(2))))

    ada.event("x")
    before = list(ada.sent)
    ada.event("x", "+1h")

    assert (before, ada.sent) == ([], ["hi +1h"])


def test_an_event_in_between_undoes_what_came_before(drive: Any) -> None:
    paid = on("order.placed")
    ada = drive(journey(on("checkout").then(on("left"), unless=paid)))

    ada.event("checkout")
    ada.event("order.placed")
    ada.event("left")
    before = list(ada.sent)
    ada.event("checkout")
    ada.event("left", "+1h")

    assert (before, ada.sent) == ([], ["hi +1h"])


def test_the_last_event_is_the_entry(drive: Any) -> None:
    ada = drive(
        journey(
            on("viewed").then(on("carted")),
            Send("email", "hi", variables={"sku": entry.sku}),
        )
    )

    ada.event("viewed", sku="a")
    ada.event("carted", sku="b")

    assert ada.commands[0].variables == {"sku": "b"}


# --- without ------------------------------------------------------------------------


def test_an_event_that_stays_away_starts_the_run(drive: Any) -> None:
    ada = drive(journey(on("carted").without(on("ordered"), within=hours(4))))

    ada.event("carted")
    waits = ada.due_in
    ada.until("+1d")

    assert waits == "+4h"
    assert ada.sent == ["hi +4h"]
    assert ada.due is None


def test_an_event_that_comes_in_the_last_instant_has_come(drive: Any) -> None:
    ada = drive(journey(on("carted").without(on("ordered"), within=hours(4))))

    ada.event("carted")
    ada.event("ordered", "+4h")
    ada.until("+1d")

    assert ada.sent == []


def test_the_time_begins_anew_with_each_event_unless_the_first_counts(
    drive: Any,
) -> None:
    ordered = on("ordered")
    last = drive(journey(on("carted").without(ordered, within="4h")))
    first = drive(journey(on("carted").without(ordered, within="4h", since="first")))

    for life in (last, first):
        life.event("carted")
        life.event("carted", "+3h")
        life.until("+1d")

    assert last.sent == ["hi +7h"]
    assert first.sent == ["hi +4h"]


def test_an_event_can_end_its_own_absence(drive: Any) -> None:
    ada = drive(journey(on("visited").without(on("visited"), within=days(2))))

    ada.event("visited")
    ada.event("visited", "+1d")
    ada.until("+10d")

    assert ada.sent == ["hi +72h"]


def test_the_run_knows_the_event_before_the_absence(drive: Any) -> None:
    seen = {"total": entry.total, "id": entry["$id"], "at": entry["$time"]}
    ada = drive(
        journey(
            on("carted").without(on("ordered"), within=hours(4)),
            Send("email", "hi", variables=seen),
        )
    )

    ada.event("carted", id="first", total=1)
    ada.event("carted", "+1h", id="second", total=2, secret="never kept")
    ada.until("+1d")

    assert ada.commands[0].variables == {
        "total": 2,
        "id": "second",
        "at": "2026-06-01T13:00:00Z",
    }


def test_of_an_event_only_what_the_run_needs_is_kept(drive: Any) -> None:
    ada = drive(journey(on("carted").without(on("ordered"), within=hours(4))))

    ada.event("carted", secret="never kept")

    assert b"never kept" not in encode(ada.customer)


def test_an_event_that_says_too_much_is_not_kept(drive: Any) -> None:
    ada = drive(
        journey(
            on("carted").without(on("ordered"), within=hours(4)),
            Send("email", "hi", variables={"note": entry.note}),
        )
    )

    told = ada.event("carted", note="x" * 5 * KB)
    ada.until("+1d")

    assert told == ["not_entered entry_too_large"]
    assert ada.sent == []


def test_an_absence_may_be_followed_by_an_event(drive: Any) -> None:
    back = on("carted").without(on("ordered"), within=hours(4)).then(on("visited"))
    ada = drive(journey(back))

    ada.event("carted")
    ada.event("visited", "+1h")
    ada.event("visited", "+5h")

    assert ada.sent == ["hi +5h"]


def test_days_are_those_of_the_customer(drive: Any) -> None:
    trigger = on("carted").without(on("ordered"), within=days(1))
    ada = drive(journey(trigger, zone="Europe/Berlin"), start="2026-10-24T12:00:00Z")

    ada.event("carted")

    assert ada.due_in == "+25h"  # the clocks go back in the night


def test_a_due_absence_is_handled_before_what_comes_later(drive: Any) -> None:
    trigger = on("carted").without(on("ordered"), within=hours(4))
    ada = drive(journey(trigger, WaitFor([When(on("ordered"), [Send("sms", "ty")])])))

    ada.event("carted")
    told = ada.event("ordered", "+5h")

    assert told[:2] == ["entered", "waiting"]
    assert ada.trace[0].at == ada.ms("+4h")
    assert ada.sent == ["ty +5h"]


# --- keys, and what is kept ---------------------------------------------------------


def cart(**options: Any) -> Journey:
    trigger = on("carted").without(on("ordered"), within=hours(4))
    return journey(
        trigger,
        Send("email", "hi", variables={"cart": entry.cart}),
        key=event.cart,
        **options,
    )


def test_each_key_has_a_sequence_of_its_own(drive: Any) -> None:
    ada = drive(cart())

    ada.event("carted", cart="a")
    ada.event("carted", "+1h", cart="b")
    ada.event("ordered", "+2h", cart="a")
    ada.until("+1d")

    assert [command.variables["cart"] for command in ada.commands] == ["b"]


@pytest.mark.parametrize(("on_missing_key", "left"), [("all", []), ("ignore", ["b"])])
def test_an_event_without_the_key_undoes_for_all_keys_or_none(
    drive: Any, on_missing_key: Any, left: list[str]
) -> None:
    ada = drive(cart(on_missing_key=on_missing_key))

    ada.event("carted", cart="b")
    ada.event("ordered", "+2h")
    ada.until("+1d")

    assert [command.variables["cart"] for command in ada.commands] == left


def test_an_event_without_the_key_counts_for_none(drive: Any) -> None:
    ada = drive(cart())

    assert ada.event("carted") == ["not_entered key_missing"]
    assert ada.due is None


def test_test_traffic_has_a_sequence_of_its_own(drive: Any) -> None:
    ada = drive(journey(on("x").times(2), Wait(days(1))))

    ada.event("x", test=True)
    ada.event("x")
    before = list(ada.runs)
    ada.event("x", test=True)

    assert before == []
    assert [run.test for run in ada.runs] == [True]


def test_a_run_that_test_traffic_and_time_have_started_is_a_test(drive: Any) -> None:
    trigger = on("carted").without(on("ordered"), within=hours(4))
    ada = drive(journey(trigger, Wait(days(9))))

    ada.event("carted", test=True)
    ada.event("ordered", "+1h")
    ada.until("+1d")

    assert [run.test for run in ada.runs] == [True]


def test_the_oldest_keys_are_forgotten(drive: Any) -> None:
    ada = drive(cart())

    for n in range(PROGRESS_ROWS + 3):
        ada.event("carted", cart=f"c{n}")
    ada.until("+1d")

    assert ada.reasons("forgotten") == ["progress"] * 3
    assert len(ada.commands) == PROGRESS_ROWS
    assert "c0" not in {command.variables["cart"] for command in ada.commands}


def test_of_what_came_too_long_ago_nothing_is_kept(drive: Any) -> None:
    ada = drive(journey(on("x").times(2, within=hours(4)), key=event.of))

    ada.event("x", of="a")
    ada.event("x", "+1h", of="b")
    ada.event("x", "+9h", of="c")
    (_, *rows) = ada.customer.progress["j/0"].state

    assert [row[0] for row in rows] == ["c"]


def test_all_sequences_together_keep_their_bound(drive: Any) -> None:
    ada = drive(cart())

    for n in range(9):
        ada.event("carted", cart={"n": n, "note": "x" * 3 * KB})
    progress: dict[str, Progress] = ada.customer.progress

    assert len(encode(ada.customer)) < PROGRESS_BYTES + 8 * KB
    assert len(progress["j/0"].state) > 5
    assert ada.reasons("forgotten")
    assert progress["j/0"].due == ada.ms("+4h")


# --- versions, states, other triggers -------------------------------------------------


def test_a_repeated_event_counts_once(drive: Any) -> None:
    ada = drive(journey(on("x").times(2)))

    ada.event("x", id="same")
    told = ada.event("x", id="same")

    assert told == ["ignored duplicate"]
    assert ada.sent == []


def test_a_new_version_with_the_same_trigger_goes_on(drive: Any) -> None:
    trigger = on("x").times(2)
    ada = drive(journey(trigger))
    ada.event("x")

    ada.publish(journey(trigger, Send("sms", "new"), version=2))
    ada.event("x")

    assert ada.sent == ["new +0s"]


def test_another_trigger_begins_anew(drive: Any) -> None:
    ada = drive(journey(on("x").without(on("y"), within=hours(4))))
    ada.event("x")

    ada.publish(journey(on("x").without(on("y"), within=hours(5)), version=2))
    ada.wake("+1h")

    assert ada.customer.progress == {}
    assert ada.due is None


def test_a_journey_that_is_gone_leaves_nothing(drive: Any) -> None:
    ada = drive(journey(on("x").times(2)))
    ada.event("x")

    ada.publish()
    ada.wake()
    ada.event("profile.updated", name="Ada")

    assert ada.customer.progress == {}


def test_a_paused_journey_is_not_entered_by_time(drive: Any) -> None:
    ada = drive(journey(on("carted").without(on("ordered"), within=hours(4))))
    ada.event("carted")

    ada.state("j", "paused")
    ada.until("+1d")

    assert ada.reasons("not_entered") == ["paused"]


def test_a_draft_counts_nothing(drive: Any) -> None:
    ada = drive(journey(on("x").times(2)))
    ada.state("j", "draft")
    ada.event("x")

    ada.state("j", "live")
    ada.event("x")

    assert ada.sent == []


def test_a_late_event_counts_for_no_sequence(drive: Any) -> None:
    ada = drive(journey(on("x").times(2)))

    ada.event("x", "+100h", occurred="+1h")
    ada.event("x")

    assert ada.sent == []


def test_re_entry_is_asked_when_the_sequence_is_whole(drive: Any) -> None:
    ada = drive(journey(on("x").times(2), Wait(days(1)), reentry="after_exit"))

    for _ in range(4):
        ada.event("x")

    assert ada.reasons("not_entered") == ["already_in"]
    assert ada.customer.progress == {}


def test_several_triggers_of_a_journey_count_beside_each_other(drive: Any) -> None:
    several = [on("x").times(2), on("x").then(on("y")), on("z"), api()]
    ada = drive(journey(several))

    ada.event("x")
    ada.event("z")
    ada.event("y")
    ada.event("x")

    assert ada.did.count("entered") == 3


def test_one_event_lets_a_journey_be_entered_once(drive: Any) -> None:
    ada = drive(journey([on("x"), on("x").times(2)]))

    ada.event("x")
    ada.event("x")

    assert ada.did.count("entered") == 2
    assert ada.customer.progress == {}


def test_an_emitted_event_counts(drive: Any) -> None:
    ada = drive(
        journey(on("a"), Emit("x"), id="emits"),
        journey(on("x").times(2), id="counts"),
    )

    ada.event("a")
    ada.event("a")

    assert ada.did.count("entered") == 3


def test_journeys_start_by_priority_when_their_absences_end_together(
    drive: Any,
) -> None:
    trigger = on("carted").without(on("ordered"), within=hours(4))
    ada = drive(
        journey(trigger, id="low", priority=-1),
        journey(trigger, id="high", priority=1),
    )

    ada.event("carted")
    ada.until("+1d")

    started = [entry.journey for entry in ada.trace if entry.kind == "entered"]
    assert started == ["high", "low"]


def test_a_condition_on_the_profile_is_asked_with_each_event(drive: Any) -> None:
    ada = drive(journey(on("x", where=profile.tier == "gold").times(2)))

    ada.event("x")
    ada.event("profile.updated", tier="gold")
    ada.event("x")
    before = list(ada.sent)
    ada.event("x")

    assert (before, ada.sent) == ([], ["hi +0s"])


def test_an_explained_trace_says_how_far_somebody_has_come(drive: Any) -> None:
    trigger = on("carted").times(2).without(on("ordered"), within=hours(4))
    ada = drive(journey(trigger), explain=True)

    ada.event("carted")
    ada.event("carted")
    ada.event("ordered")

    assert ada.did == ["counted", "counted", "counted undone"]
    assert ada.details("counted")[:2] == [
        {"trigger": "j/0", "of": 3, "done": 1},
        {"trigger": "j/0", "of": 3, "done": 2, "until": ada.ms("+4h")},
    ]


def test_parts_can_be_given_one_by_one(drive: Any) -> None:
    ada = drive(
        journey(SequenceTrigger([{"when": on("x")}, {"when": on("y")}]))  # type: ignore[list-item]
    )

    ada.event("x")
    ada.event("y")

    assert ada.sent == ["hi +0s"]


# --- one customer who was two ---------------------------------------------------------


def united(drive: Any, made: Journey, mine: Any, theirs: Any) -> Any:
    """A life that goes on with what two have come to."""
    lives = [drive(made), drive(made)]
    for life, events in zip(lives, (mine, theirs), strict=True):
        for name, at, *key in events:
            life.event(name, at, **({"cart": key[0]} if key else {}))
    one, other = lives
    progress = sequences.united(
        one.customer.progress, other.customer.progress, one.catalog.ways
    )
    due = min((p.due for p in progress.values() if p.due), default=None)
    one.customer = replace(one.customer, progress=progress, next_due=due)
    one.now = max(one.now, other.now)
    return one


def test_the_way_of_two_customers_becomes_one_way(drive: Any) -> None:
    made = journey(on("viewed").then(on("carted"), within=hours(2)))

    ada = united(drive, made, [("viewed", "+0h")], [("viewed", "+1h")])
    ada.event("carted", "+2h30m")

    assert ada.sent == ["hi +2h30m"]


def test_an_absence_is_that_of_the_later_event(drive: Any) -> None:
    made = journey(on("carted").without(on("ordered"), within=hours(4)))

    ada = united(drive, made, [("carted", "+0h")], [("carted", "+1h")])
    ada.until("+1d")

    assert ada.sent == ["hi +5h"]


def test_keys_of_both_are_kept(drive: Any) -> None:
    carts = [("carted", "+0h", "a")], [("carted", "+1h", "b")]

    ada = united(drive, cart(), *carts)
    ada.until("+1d")

    assert [command.variables["cart"] for command in ada.commands] == ["a", "b"]


def test_who_has_come_no_way_takes_over_the_other_s(drive: Any) -> None:
    made = journey(on("viewed").then(on("carted")))

    ada = united(drive, made, [("other", "+0h")], [("viewed", "+1h")])
    ada.event("carted", "+2h")

    assert ada.sent == ["hi +2h"]
