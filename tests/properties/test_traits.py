"""Traits are what all their events say, in whatever order these came."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st
from tests.properties.worlds import examples

from journeykit import (
    Average,
    Cadence,
    Count,
    Distinct,
    Expected,
    FavoriteHour,
    First,
    Last,
    Max,
    Min,
    MostFrequent,
    Recent,
    Rfm,
    Sum,
    Trait,
    days,
    event,
    hours,
    on,
)
from journeykit.engine.calendar import LATEST, add, isoformat, to_ms
from journeykit.engine.conditions import Scope
from journeykit.engine.traits import TraitRules

BERLIN = ZoneInfo("Europe/Berlin")
START = to_ms(datetime(2026, 3, 20, 9, tzinfo=UTC))  # a week before clocks change
HOUR = 3_600_000
WITHIN = days(7)


class Told(NamedTuple):
    """An event: when it came, when it happened, and what it says."""

    came: int
    at: int
    amount: Any
    kind: Any

    @property
    def fields(self) -> dict[str, Any]:
        said = {"amount": self.amount, "kind": self.kind, "$name": "bought"}
        return {name: value for name, value in said.items() if value is not None}


def _told(hour: int, late: int, minute: int, amount: object, kind: object) -> Told:
    at = START + hour * HOUR + minute * 60_000
    return Told(at + late * HOUR, at, amount, kind)


amounts = (
    st.integers(-1000, 1000)
    | st.decimals(-1000, 1000, places=2).map(float)
    | st.sampled_from([None, "much", True, 1e300, 0.1, 0.2])
)
kinds = st.sampled_from(["tea", "coffee", "1", "", "ä" * 100, 1, 1.0, 2.5, True, None])
stories = st.lists(
    st.builds(
        _told,
        st.integers(0, 400),
        st.sampled_from([0, 0, 0, 1, 30, 200]),
        st.integers(0, 59),
        amounts,
        kinds,
    ),
    max_size=40,
)


def _in_order(story: Sequence[Told]) -> list[Told]:
    return sorted(story, key=lambda told: told.came)


def _traits(*, sliding: bool, exact: int = 64) -> list[Trait]:
    within = WITHIN if sliding else None
    of = on("bought")
    amount, kind = event.amount, event.kind
    return [
        Count("count", of, within=within, exact=exact),
        Count("dear", on("bought", where=event.amount > 10), within=within),
        Sum("sum", of, amount, within=within, exact=exact),
        Average("average", of, amount, within=within, exact=exact),
        Min("least", of, amount, within=within, exact=exact),
        Max("most", of, amount, within=within, exact=exact),
        First("first", of, kind, within=within, exact=exact),
        First("first_at", of, within=within, exact=exact),
        Last("last", of, kind, within=within),
        Last("last_at", of, within=within),
        Distinct("distinct", of, kind, within=within, exact=exact),
        MostFrequent("favorite", of, kind, within=within, exact=exact),
        Recent("recent", of, kind, within=within, limit=50),
        FavoriteHour("hour", of, within=within, exact=exact),
        Cadence("cadence", of, within=within, exact=exact),
        Expected("expected", of, within=within, exact=exact, factor=2),
        Rfm(
            "rfm", of, amount, within=within, exact=exact, recency=[hours(30), days(9)]
        ),
    ]


def _rules(traits: Sequence[Trait]) -> TraitRules:
    return TraitRules.compile(trait.to_plan() for trait in traits)


def _learned(
    rules: TraitRules, story: Sequence[Told], *, states: dict[str, Any] | None = None
) -> tuple[dict[str, Any], int]:
    """The states after a story, as it came, and the instant of its end."""
    states, now = states or {}, START
    for told in story:
        now = max(now, told.came)
        states = rules.learned(
            states,
            told.fields,
            name="bought",
            occurred_at=told.at,
            at=now,
            zone=BERLIN,
            scope=Scope(),
        )
        # Every store writes it as JSON.
        states = msgspec.json.decode(msgspec.json.encode(states))
    return states, now


# --- the oracle looks at all events at once ----------------------------------------------


def _number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= 1e15
    )


def _kind(value: object) -> object:
    if isinstance(value, str):
        while len(msgspec.json.encode(value)) - 2 > 64:
            value = value[:-1]
    return value


def _said(story: Sequence[Told]) -> list[tuple[int, Any]]:
    return [(t.at, t.kind) for t in story if t.kind not in (None, "")]


def _same(value: object) -> tuple[type, object]:
    """1 and 1.0 are one number; yes and "1" are others."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (float if is_number else type(value)), _kind(value)


def _oracle(story: Sequence[Told], at: int, *, sliding: bool) -> dict[str, Any]:
    if sliding:
        live = [t for t in story if add(t.at, WITHIN, BERLIN) > at]
    else:
        live = list(story)
    instants = sorted(t.at for t in live)
    numbers = [t.amount for t in live if _number(t.amount)]
    micros = [round(float(n) * 1_000_000) for n in numbers]
    said = _said(live)
    found: dict[str, Any] = {
        "count": len(live),
        "dear": sum(_number(t.amount) and t.amount > 10 for t in live)
        + sum(t.amount == 1e300 for t in live),
        "sum": sum(micros) / 1_000_000,
        "distinct": len({_same(kind) for _, kind in said}),
    }
    if numbers:
        found["average"] = sum(micros) / 1_000_000 / len(numbers)
        found["least"], found["most"] = min(numbers), max(numbers)
    if instants:
        found["first_at"] = isoformat(instants[0])
        found["last_at"] = isoformat(instants[-1])
    # Kept in quarters of an hour, and so it leaves.
    quarters = sorted(t.at // 900_000 for t in story)
    if sliding:
        quarters = [q for q in quarters if add(q * 900_000, WITHIN, BERLIN) > at]
    if quarters:
        local = Counter(_hour(each * 900_000) for each in quarters)
        latest = {_hour(each * 900_000): each for each in quarters}
        found["hour"] = max(local, key=lambda hour: (local[hour], latest[hour]))
    if len(instants) > 1 and instants[-1] > instants[0]:
        gaps = [b - a for a, b in pairwise(instants)]
        found["cadence"] = statistics.fmean(gaps) / (24 * HOUR)
        if len(instants) > 2:
            due = instants[-1] + 2 * statistics.fmean(gaps)
            found["expected"] = isoformat(round(due))
    if said:
        table = Counter(_same(kind) for _, kind in said)
        when = {_same(kind): when for when, kind in sorted(said, key=lambda s: s[0])}
        best = max((table[each], when[each]) for each in table)
        found["favorite"] = {e for e in table if (table[e], when[e]) == best}
        found["recent"] = sorted(when.values(), reverse=True)
        edge = min(said, key=lambda s: s[0])[0], max(said, key=lambda s: s[0])[0]
        found["first"] = {_same(kind) for when_, kind in said if when_ == edge[0]}
        found["last"] = {_same(kind) for when_, kind in said if when_ == edge[1]}
    return found


def _hour(instant: int) -> int:
    return datetime.fromtimestamp(instant / 1000, BERLIN).hour


def _compare(values: dict[str, Any], oracle: dict[str, Any]) -> None:
    recent = values.pop("recent")
    assert len(recent) == len(oracle.pop("recent", []))
    for name in ("favorite", "first", "last"):
        own = oracle.pop(name, None)
        assert (name in values) == (own is not None)
        assert own is None or _same(values.pop(name)) in own
    values.pop("rfm", None)
    assert values.keys() == oracle.keys()
    for name, value in oracle.items():
        if isinstance(value, float):
            assert values[name] == pytest.approx(value, abs=2e-6, rel=1e-9), name
        else:
            assert values[name] == value, name


@pytest.mark.parametrize("sliding", [False, True], ids=["all_time", "sliding"])
@examples(60)
@given(story=stories, passes=st.integers(0, 400))
def test_traits_say_what_all_events_say(
    story: list[Told], passes: int, sliding: bool
) -> None:
    rules = _rules(_traits(sliding=sliding))

    states, now = _learned(rules, _in_order(story))
    now += passes * HOUR

    _compare(rules.values(states, now, BERLIN), _oracle(story, now, sliding=sliding))


@pytest.mark.parametrize("sliding", [False, True], ids=["all_time", "sliding"])
@pytest.mark.parametrize("exact", [4, 64])
@examples(40)
@given(story=stories, dice=st.randoms(use_true_random=False))
def test_the_order_in_which_events_come_does_not_matter(
    story: list[Told], dice: Any, sliding: bool, exact: int
) -> None:
    traits = _traits(sliding=sliding, exact=exact)
    if exact == 4:  # these say that they only estimate then
        rough = (Distinct, MostFrequent) if sliding else (MostFrequent,)
        traits = [trait for trait in traits if not isinstance(trait, rough)]
    rules = _rules(traits)
    shuffled = list(story)
    dice.shuffle(shuffled)

    states, now = _learned(rules, _in_order(story))
    others, later = _learned(rules, [t._replace(came=now) for t in shuffled])

    at = max(now, later)
    assert rules.pruned(states, at, BERLIN) == rules.pruned(others, at, BERLIN)


@pytest.mark.parametrize("sliding", [False, True], ids=["all_time", "sliding"])
@examples(40)
@given(mine=stories, theirs=stories)
def test_two_customers_who_are_one_have_the_traits_of_all_their_events(
    mine: list[Told], theirs: list[Told], sliding: bool
) -> None:
    rules = _rules(_traits(sliding=sliding, exact=128))
    own, now = _learned(rules, _in_order(mine))
    other, later = _learned(rules, _in_order(theirs))
    at = max(now, later)

    united = rules.united(own, other, at=at, zone=BERLIN)

    whole, _ = _learned(rules, _in_order([*mine, *theirs]))
    assert rules.pruned(united, at, BERLIN) == rules.pruned(whole, at, BERLIN)


@examples(40)
@given(story=stories.filter(len), exact=st.sampled_from([3, 64]))
def test_nothing_changes_by_itself_before_it_says_so(
    story: list[Told], exact: int
) -> None:
    rules = _rules(_traits(sliding=True, exact=exact))
    states, now = _learned(rules, _in_order(story))

    for name in rules.rules:
        at, before = now, _value(rules, name, states, now)
        while (due := rules.next_change(name, states, at, BERLIN)) < LATEST:
            assert due > at
            assert _value(rules, name, states, due - 1) == before
            at, before = due, _value(rules, name, states, due)
        assert _value(rules, name, states, at + 400 * 24 * HOUR) == before


def _value(rules: TraitRules, name: str, states: dict[str, Any], at: int) -> object:
    return rules.values(states, at, BERLIN).get(name)


@examples(25)
@given(story=stories, texts=st.lists(st.text(max_size=300), max_size=20))
def test_a_state_never_takes_more_room_than_it_said(
    story: list[Told], texts: list[str]
) -> None:
    traits = [*_traits(sliding=True, exact=5), *_traits(sliding=False, exact=5)]
    more = [
        Told(START, START + n, n * 1e14 + 0.7, text) for n, text in enumerate(texts)
    ]
    for trait in traits:
        rules = _rules([trait])

        states, _ = _learned(rules, [*more, *_in_order(story)])

        assert len(msgspec.json.encode(states)) - 2 <= rules.most_bytes
