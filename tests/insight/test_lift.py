"""Lift against plain Python over the same people."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import record, written

from journeykit import Event, Goal, Journey, Send, Wait, api, days, event, on
from journeykit.engine.calendar import isoformat
from journeykit.engine.ids import bucket
from journeykit.errors import InputError
from journeykit.insight.lapses import first_send
from journeykit.insight.lift import RECORDED, EventOutcome, Experiment, lift
from journeykit.insight.periods import days_of
from journeykit.insight.sources import Logs, files
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.model.durations import Duration
from journeykit.model.journey import Holdout
from journeykit.testing import make_event, simulate

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01


def cart(**changes: Any) -> Journey:
    given: dict[str, Any] = {
        "trigger": on("cart.updated"),
        "goal": Goal(
            on("order.placed"),
            id="order",
            value=event.amount,
            within=days(7),
            on_goal="continue",
        ),
        "holdout": 30,
        "steps": [Wait(days(1)), Send("email", "reminder")],
    }
    return Journey(id="cart", **(given | changes))


def held(customer: str, journey: str = "cart") -> bool:
    return bucket(journey, customer) < 3_000


def happened(name: str, customer: str, at: str, **properties: Any) -> Event:
    return make_event(name, customer, at=f"2026-{at}:00:00Z", **properties)


PEOPLE = [f"customer-{number}" for number in range(120)]


def story() -> list[Event]:
    return sorted(_story(), key=lambda each: each.occurred_at)


def _story() -> Iterator[Event]:
    """Everybody enters; every third of the treated orders, every fourth of the others."""
    for number, customer in enumerate(PEOPLE):
        yield happened("cart.updated", customer, "01-01T09")
        if number % (4 if held(customer) else 3) == 0:
            yield happened("order.placed", customer, "01-05T10", amount=number)
        if number % 5 == 0:  # too late to count
            yield happened("order.placed", customer, "01-09T10", amount=1_000)
    yield happened("cart.updated", "late", "01-20T09")
    yield happened("other", "late", "01-21T09")


# By hand: decisions as a log has them, without anybody who decides.


def short(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()[:24]


def entry(person: object, day: float, *, is_held: bool, **more: Any) -> dict[str, Any]:
    at = START + int(day * DAY)
    run = short(person, day, "run")
    return {
        "customer": short(person),
        "revision": int(day * 1000) + 1,
        "n": 0,
        "at": isoformat(at),
        "now": isoformat(at),
        "kind": "held_out" if is_held else "entered",
        "journey": "cart",
        "version": 1,
        "enrollment": run,
        "event": short(person, day),
    } | more


def goal(entered: dict[str, Any], day: float, **more: Any) -> dict[str, Any]:
    at = isoformat(START + int(day * DAY))
    return (
        entered
        | {
            "revision": entered["revision"] + 500,
            "at": at,
            "now": at,
            "kind": "goal",
            "reason": "order",
            "event": short(entered["customer"], day, "goal"),
        }
        | more
    )


def by_hand(folder: Path, lines: Iterable[dict[str, Any]]) -> Logs:
    path = folder / "decisions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return Logs(files([path]))


def experiment(logs: Logs, *journeys: Journey, **options: Any) -> Experiment:
    with Warehouse.open(logs, worth={("cart", "order"): '$."amount"'}) as house:
        found = lift(house, journeys, **options)
    assert len(found.experiments) == 1
    return found.experiments[0]


def test_each_group_counts_as_plain_python_counts_it(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(), story())

    found = experiment(logs, cart())

    (comparison,) = found.comparisons
    treated = [n for n, customer in enumerate(PEOPLE) if not held(customer)]
    others = [n for n, customer in enumerate(PEOPLE) if held(customer)]
    assert comparison.treated.people == len(treated)
    assert comparison.treated.reached.count == sum(n % 3 == 0 for n in treated)
    assert comparison.treated.value == sum(n for n in treated if n % 3 == 0)
    assert comparison.held_out.people == len(others)
    assert comparison.held_out.reached.count == sum(n % 4 == 0 for n in others)
    assert comparison.held_out.value == sum(n for n in others if n % 4 == 0)
    assert found.people == len(PEOPLE) + 1
    assert found.too_early == 1


def test_an_event_of_the_archive_compares_where_no_goal_does(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(), story())

    found = experiment(logs, cart(), event=EventOutcome("order.placed", 10, "amount"))

    (comparison,) = found.comparisons
    others = [n for n, customer in enumerate(PEOPLE) if held(customer)]
    assert comparison.held_out.reached.count == sum(
        n % 4 == 0 or n % 5 == 0 for n in others
    )
    assert comparison.held_out.value == sum(
        n * (n % 4 == 0) + 1_000 * (n % 5 == 0) for n in others
    )


def test_a_difference_that_is_there_is_found(tmp_path: Path) -> None:
    drawn = random.Random(7)
    lines = []
    for person in range(3_000):
        is_held = drawn.random() < 0.3
        entered = entry(person, person / 30, is_held=is_held)
        lines.append(entered)
        if drawn.random() < (0.2 if is_held else 0.35):
            lines.append(goal(entered, person / 30 + 3))

    found = experiment(by_hand(tmp_path, lines), cart(), smallest=0.1)

    (comparison,) = found.comparisons
    assert comparison.verdict == "higher"
    assert comparison.conversion is not None
    assert comparison.conversion.interval is not None
    assert 0.15 in comparison.conversion.interval
    assert not comparison.is_zero_inside
    assert comparison.days_left == 0
    last = comparison.looks[-1]
    assert last.interval == comparison.conversion.interval
    assert len(comparison.looks) <= 60
    assert [look.at_ms for look in comparison.looks] == sorted(
        look.at_ms for look in comparison.looks
    )
    assert found.sample_ratio is not None
    assert not found.sample_ratio.mismatch


def test_people_who_are_missing_from_the_holdout_raise_an_alarm(tmp_path: Path) -> None:
    lines = [entry(n, n / 30, is_held=n % 10 == 0) for n in range(900)]

    found = experiment(by_hand(tmp_path, lines), cart())

    assert found.sample_ratio is not None
    assert found.sample_ratio.held_out == 90
    assert found.sample_ratio.expected == pytest.approx(270)
    assert found.sample_ratio.mismatch


def test_few_people_have_no_answer_yet(tmp_path: Path) -> None:
    lines = [entry(n, n / 30, is_held=n % 3 == 0) for n in range(60)]
    lines.append(entry("last", 60, is_held=False))

    found = experiment(by_hand(tmp_path, lines), cart())

    (comparison,) = found.comparisons
    assert comparison.verdict == "too_few"
    assert comparison.is_zero_inside
    assert comparison.detectable is None
    assert comparison.needed is None  # nobody reached it: there is nothing to plan by


def test_a_person_counts_once_and_where_they_first_came(tmp_path: Path) -> None:
    first = entry("ada", 0, is_held=True)
    again = entry("ada", 2, is_held=False)
    lines = [
        first,
        again,
        goal(again, 3),
        goal(first, 3),
        entry("z", 30, is_held=False),
    ]

    found = experiment(by_hand(tmp_path, lines), cart())

    (comparison,) = found.comparisons
    assert found.switched == 1
    assert (comparison.treated.people, comparison.held_out.people) == (0, 1)
    assert comparison.held_out.reached.count == 1
    assert comparison.conversion is None
    assert comparison.one_look is None


def test_test_traffic_never_counts(tmp_path: Path) -> None:
    tried = [entry(f"t{n}", 0, is_held=n % 2 == 0, test=True) for n in range(40)]
    lines = [*tried, entry("ada", 0, is_held=False), entry("z", 30, is_held=True)]

    found = experiment(by_hand(tmp_path, lines), cart())

    assert found.people == 2
    assert found.sample_ratio is not None
    assert found.sample_ratio.of == 2


def test_a_version_that_held_nobody_out_is_left_out(tmp_path: Path) -> None:
    lines = [entry(n, n / 30, is_held=False, version=1) for n in range(200)]
    lines += [
        entry(f"n{n}", 10 + n / 30, is_held=n % 10 < 3, version=2) for n in range(200)
    ]

    found = experiment(by_hand(tmp_path, lines), cart())

    assert found.people == 200
    assert found.sample_ratio is not None
    assert not found.sample_ratio.mismatch
    assert any("200 people entered version 1" in said for said in found.problems)


def test_a_version_of_another_share_is_weighted_by_its_own(tmp_path: Path) -> None:
    # Early people order more often, whatever they get, and half of them are held out.
    lines = []
    for n in range(800):
        entered = entry(n, n / 100, is_held=n % 2 == 0, version=1)
        lines += [entered, *([goal(entered, n / 100 + 1)] if n % 4 < 2 else [])]
    for n in range(1_000):
        entered = entry(f"n{n}", 20 + n / 100, is_held=n % 10 < 3, version=2)
        lines += [entered, *([goal(entered, 21 + n / 100)] if n // 10 % 5 == 0 else [])]
    lines.append(entry("last", 60, is_held=False, version=2))

    found = experiment(by_hand(tmp_path, lines), cart())

    (comparison,) = found.comparisons
    assert comparison.conversion is not None
    assert comparison.conversion.difference == pytest.approx(0, abs=1e-9)
    treated, held_out = comparison.treated.reached, comparison.held_out.reached
    assert treated.share is not None
    assert held_out.share is not None
    assert treated.share < held_out.share - 0.05  # what a naive comparison would say
    assert found.sample_ratio is not None
    assert found.sample_ratio.of == 1_001
    assert any("held out 50.0% and not 30.0%" in said for said in found.problems)


def test_journeys_that_share_a_salt_are_compared_together(tmp_path: Path) -> None:
    ours = cart(holdout=Holdout(30, salt="everywhere"))
    other = Journey(
        id="tour",
        trigger=on("signed.up"),
        goal=Goal(on("order.placed"), id="buy", within=days(7), on_goal="continue"),
        holdout=Holdout(30, salt="everywhere"),
        steps=[Send("email", "tour")],
    )
    people = PEOPLE[:60]
    events = [
        *(happened("signed.up", each, "01-01T08") for each in people[:40]),
        *(happened("cart.updated", each, "01-02T08") for each in people[20:]),
        *(happened("order.placed", each, "01-03T08", amount=1) for each in people[::2]),
        happened("other", "z", "01-30T08"),
        happened("cart.updated", "z", "01-30T09"),
    ]
    logs = record(tmp_path, [ours, other], events)

    with Warehouse.open(logs) as house:
        found = lift(house, [ours, other])

    single, _, together = found.experiments
    assert not single.is_global
    assert together.is_global
    assert together.name == "everywhere"
    (comparison,) = together.comparisons
    others = [n for n, each in enumerate(people) if held(each, "everywhere")]
    assert comparison.held_out.people == len(others)
    assert comparison.held_out.reached.count == sum(n % 2 == 0 for n in others)
    assert comparison.treated.people == len(people) - len(others)


def test_a_goal_without_a_window_is_not_compared(tmp_path: Path) -> None:
    journey = cart(goal=Goal(on("order.placed"), id="order"))
    logs = record(tmp_path, journey, story())

    found = experiment(logs, journey)

    assert found.comparisons == ()
    assert any("no `within`" in said for said in found.problems)


def test_on_recorded_events_nothing_is_caused(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(), story(), replayed=True)

    with Warehouse.open(logs) as house:
        found = lift(house, [cart()])

    assert found.recorded == RECORDED
    assert "true difference is zero" in RECORDED


def test_what_holds_nobody_out_is_named(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(holdout=None), story())

    with Warehouse.open(logs) as house:
        found = lift(house, [cart(holdout=None)])

    assert found.experiments == ()
    assert found.without == ("cart",)


def test_who_comes_back_by_themselves_is_counted(tmp_path: Path) -> None:
    journey = Journey(
        id="winback",
        trigger=on("purchase"),
        reentry="restart",
        steps=[Wait(days(10)), Send("email", "we-miss-you")],
    )
    gaps = {f"c{n}": n for n in range(1, 29)}  # days until the second purchase
    events = [
        *(happened("purchase", each, "01-01T08") for each in gaps),
        *(
            happened("purchase", each, f"01-{1 + gap:02}T08")
            for each, gap in gaps.items()
        ),
        happened("purchase", "z", "03-30T08"),
    ]
    logs = record(tmp_path, journey, events)

    with Warehouse.open(logs) as house:
        (found,) = lift(house, [journey], return_days=7).baselines

    # Whoever came back within ten days never came to the message, but later they do: of
    # everybody's second purchase there is a third silence, which nobody ends.
    came = sum(gap > 10 for gap in gaps.values())
    assert found.step == first_send(journey)
    assert found.returned.of == came + len(gaps)
    assert found.returned.count == sum(10 < gap <= 17 for gap in gaps.values())
    assert not found.natural


@pytest.mark.parametrize(
    "options",
    [
        {"event": EventOutcome("order.placed", 0)},
        {"event": EventOutcome("order.placed", 5, 'a"b')},
        {"smallest": 0.0},
        {"smallest": 1.5},
    ],
    ids=["window", "property", "nothing", "everything"],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    logs = record(tmp_path, cart(), story())

    with Warehouse.open(logs) as house, pytest.raises(InputError):
        lift(house, [cart()], **options)


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(), story())

    found = experiment(
        Logs(logs.decisions), cart(), event=EventOutcome("order.placed", 5)
    )

    assert any("no event archive" in said for said in found.problems)


def test_a_month_is_the_mean_one() -> None:
    assert days_of(Duration.parse("1mo")) == pytest.approx(30.436875)
    assert days_of(Duration.parse("2d12h")) == 2.5


def test_messages_do_not_choose_who_is_compared(tmp_path: Path) -> None:
    # Nobody does anything before. What is reported of messages stands in the archive, too,
    # and only of the treated.
    journey = cart(trigger=api(), holdout=50)
    simulator = simulate(
        [journey],
        [make_event("other", "somebody", at="2026-01-01T08:00:00Z")],
        explain=False,
        fates={"email": "delivered"},
    )
    for customer in PEOPLE:
        simulator.enroll("cart", customer)
    simulator.advance(days(3))
    for customer in PEOPLE[:10]:
        simulator.event("order.placed", customer)
    simulator.advance(days(30))
    simulator.enroll("cart", "late")

    logs = written(tmp_path, simulator)
    found = experiment(logs, journey, event=EventOutcome("order.placed", 7))

    (comparison,) = found.comparisons
    others = [each for each in PEOPLE if bucket("cart", each) < 5_000]
    assert comparison.held_out.people == len(others)
    assert comparison.treated.people == len(PEOPLE) - len(others)
    assert comparison.held_out.reached.count == sum(p in PEOPLE[:10] for p in others)


def test_who_was_erased_is_left_out_of_both_groups(tmp_path: Path) -> None:
    logs = record(tmp_path, cart(), story(), fates={"email": "delivered"})
    erased = set(PEOPLE[::7])
    path = tmp_path / "events-000000.jsonl"
    kept = [
        line
        for line in path.read_text("utf-8").splitlines(keepends=True)
        if json.loads(line)["customer"] not in erased
    ]
    path.write_text("".join(kept), "utf-8")

    found = experiment(logs, cart(), event=EventOutcome("order.placed", 10))

    (comparison,) = found.comparisons
    left = [each for each in PEOPLE if each not in erased]
    assert comparison.held_out.people == sum(map(held, left))
    assert comparison.treated.people == len(left) - sum(map(held, left))
    assert any(f"{len(erased)} people whose entry" in one for one in found.problems)


def test_entries_before_the_day_that_is_asked_for_are_said_to_be_left_out(
    tmp_path: Path,
) -> None:
    logs = record(tmp_path, cart(), story())

    with Warehouse.open(logs, scope=Scope(since=START)) as house:
        found = lift(house, [cart()])

    assert any(
        "only entries since then count" in x for x in found.experiments[0].problems
    )


def test_an_entry_that_is_sent_to_at_once_is_no_return_of_itself(
    tmp_path: Path,
) -> None:
    journey = Journey(
        id="hello",
        trigger=on("purchase"),
        reentry="restart",
        steps=[Send("email", "hello"), Wait(days(30))],
    )
    events = [
        happened("purchase", "ada", "01-01T08"),
        happened("purchase", "ben", "01-01T08"),
        happened("purchase", "ben", "01-05T08"),
        happened("purchase", "cleo", "02-01T08"),
    ]

    with Warehouse.open(record(tmp_path, journey, events)) as house:
        (found,) = lift(house, [journey], return_days=7).baselines

    assert (found.returned.count, found.returned.of) == (1, 4)
