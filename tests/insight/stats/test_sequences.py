from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, strategies as st
from scipy import optimize

from journeykit.insight.stats.sequences import (
    FEWEST,
    TUNED_FOR,
    Sample,
    Stratum,
    difference,
    margin,
)

VALUES = st.lists(st.floats(0, 1_000), min_size=2, max_size=30)


def sample(values: list[float]) -> Sample:
    return Sample(len(values), math.fsum(values), math.fsum(x * x for x in values))


def shares(
    treated: tuple[int, int], held_out: tuple[int, int], share: float
) -> Stratum:
    return Stratum(Sample.from_count(*treated), Sample.from_count(*held_out), share)


@given(tuned_for=st.integers(1, 10**7), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_the_margin_is_narrowest_where_it_is_tuned_for(
    tuned_for: int, level: float
) -> None:
    def by_the_paper(information: float) -> float:
        inside = 2 * (information + 1) / (tuned_for * information)
        return math.sqrt(inside * math.log(math.sqrt(information + 1) / (1 - level)))

    found = margin(tuned_for, tuned_for=tuned_for, level=level)

    best = optimize.minimize_scalar(
        by_the_paper, bounds=(0.01, 200), method="bounded", options={"xatol": 1e-8}
    )
    assert found == pytest.approx(best.fun, rel=1e-6)


@given(count=st.integers(1, 10**7))
def test_the_margin_is_wider_than_for_a_single_look(count: int) -> None:
    assert margin(count) > 1.96 / math.sqrt(count)
    assert margin(count) > margin(count + 1)


def test_what_the_tuning_costs_is_what_its_words_say() -> None:
    few, many = TUNED_FOR // 5, TUNED_FOR * 10

    assert margin(few) / margin(few, tuned_for=few) == pytest.approx(1.10, abs=0.01)
    assert margin(many) / margin(many, tuned_for=many) == pytest.approx(1.07, abs=0.01)


@given(treated=VALUES, held_out=VALUES)
def test_with_one_share_it_is_the_difference_of_the_means(
    treated: list[float], held_out: list[float]
) -> None:
    found = difference([Stratum(sample(treated), sample(held_out), 0.1)], binary=False)

    assert found is not None
    means = [math.fsum(group) / len(group) for group in (treated, held_out)]
    assert found.difference == pytest.approx(means[0] - means[1], abs=1e-9)
    variance = sum(
        math.fsum((x - mean) ** 2 for x in group) / len(group) ** 2
        for group, mean in zip((treated, held_out), means, strict=True)
    )
    people = len(treated) + len(held_out)
    assert found.spread == pytest.approx(math.sqrt(people * variance), abs=0.01)


def test_a_share_that_changed_does_not_pass_for_an_effect() -> None:
    # In the first weeks, when half were held out, many came back whatever they got.
    early = shares((500, 1_000), (500, 1_000), 0.5)
    late = shares((180, 1_800), (20, 200), 0.1)

    found = difference([early, late], binary=True)

    assert found is not None
    naive = (500 + 180) / 2_800 - (500 + 20) / 1_200
    assert naive < -0.15
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert found.interval is not None
    assert 0 in found.interval


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST])
def test_a_small_group_has_no_interval(count: int) -> None:
    found = difference([shares((300, 1_000), (10, count), 0.1)], binary=True)

    assert found is not None
    assert (found.interval is not None) == (count >= FEWEST)


def test_a_group_in_which_nobody_did_it_is_not_sure() -> None:
    found = difference([shares((0, 900), (0, 100), 0.1)], binary=True)

    assert found is not None
    assert found.interval is not None
    assert found.interval.width > 0.05


def test_nobody_held_out_is_no_comparison() -> None:
    assert difference([shares((3, 10), (0, 0), 0.1)], binary=True) is None
    assert difference([], binary=True) is None
    assert Sample(0, 0, 0).mean is None
    assert Sample.from_count(1, 4).mean == 0.25


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_holding_out_nobody_or_everybody_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="compares nobody"):
        difference([shares((3, 10), (3, 10), share)], binary=True)


@pytest.mark.parametrize(
    ("count", "level"), [(0, 0.95), (5, 0.0), (5, 1.0)], ids=["none", "unsure", "sure"]
)
def test_a_margin_of_nothing_is_refused(count: int, level: float) -> None:
    with pytest.raises(ValueError, match="no margin"):
        margin(count, level=level)


def peeking(
    drawn: random.Random, *, share: float, base: float, effect: float, days: int
) -> tuple[bool, bool]:
    """Look every day: was the truth ever missed, by the sequence and by single looks?"""
    treated, held_out = [0, 0], [0, 0]
    missed = missed_once = False
    for _ in range(days):
        for _ in range(40):
            is_held = drawn.random() < share
            group = held_out if is_held else treated
            group[0] += drawn.random() < base + (0 if is_held else effect)
            group[1] += 1
        stratum = shares((treated[0], treated[1]), (held_out[0], held_out[1]), share)
        found = difference([stratum], binary=True)
        if found is None or found.interval is None:
            continue
        people = treated[1] + held_out[1]
        off = abs(found.difference - effect)
        missed |= effect not in found.interval
        missed_once |= off > 1.96 * found.spread / math.sqrt(people)
    return missed, missed_once


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "base", "effect"),
    [(0.5, 0.3, 0.0), (0.1, 0.1, 0.0), (0.1, 0.45, 0.05), (0.05, 0.02, 0.01)],
    ids=["half", "tenth", "effect", "rare"],
)
def test_looking_every_day_for_half_a_year_misses_the_truth_rarely(
    share: float, base: float, effect: float
) -> None:
    drawn = random.Random(20261122)
    runs = 250

    missed = [
        peeking(drawn, share=share, base=base, effect=effect, days=180)
        for _ in range(runs)
    ]

    # 5 % of 250 is 12.5; 22 or more would be one chance in a hundred.
    assert sum(always for always, _ in missed) <= 21
    # What it is for: an ordinary interval, looked at daily, is wrong all the time.
    assert sum(once for _, once in missed) > 0.2 * runs
