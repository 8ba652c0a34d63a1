from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats

from journeykit.insight.stats.power import every_look, least_effect, one_look
from journeykit.insight.stats.sequences import margin

SHARES = st.floats(0.02, 0.6)


def spread_of(share: float, other: float, *, held_out: float) -> float:
    """The standard deviation of one person's part in a difference of two shares."""
    return math.sqrt(
        share * (1 - share) / held_out + other * (1 - other) / (1 - held_out)
    )


@given(share=SHARES, effect=st.floats(0.01, 0.3), held_out=st.floats(0.05, 0.95))
def test_so_many_people_show_the_effect_as_often_as_asked(
    share: float, effect: float, held_out: float
) -> None:
    found = one_look(share, effect, held_out=held_out)

    assert found is not None
    # By the normal distribution of both estimates, the other way round.
    n, other = found.people, share + effect
    pooled = held_out * share + (1 - held_out) * other
    null = math.sqrt(pooled * (1 - pooled) / (held_out * (1 - held_out) * n))
    true = math.sqrt(
        share * (1 - share) / (held_out * n)
        + other * (1 - other) / ((1 - held_out) * n)
    )
    power = stats.norm.sf((1.959964 * null - effect) / true)
    assert 0.8 - 1e-6 <= power < 0.83 or n < 200


def test_a_textbook_sample_is_found_again() -> None:
    # Fleiss, Levin, Paik: 0.25 against 0.40, 95 %, 80 %: 152 in each group, uncorrected.
    found = one_look(0.25, 0.15, held_out=0.5)

    assert found is not None
    assert found.people == pytest.approx(2 * 152, abs=1)
    assert found.held_out == pytest.approx(152, abs=1)


@given(effect=st.floats(0.005, 0.3), held_out=st.floats(0.05, 0.95), base=SHARES)
def test_looking_every_day_takes_the_fewest_people_that_show_it(
    effect: float, held_out: float, base: float
) -> None:
    assume(base + effect < 1)
    spread = spread_of(base, base + effect, held_out=held_out)

    found = every_look(spread, effect, held_out=held_out)

    assert found is not None
    assert least_effect(spread, found.people) <= effect
    fewest = math.ceil(50 / min(held_out, 1 - held_out))
    assert found.people == fewest or least_effect(spread, found.people - 1) > effect


def test_looking_every_day_takes_more_people_than_looking_once() -> None:
    spread = spread_of(0.2, 0.24, held_out=0.5)

    daily = every_look(spread, 0.04, held_out=0.5)
    once = one_look(0.2, 0.04, held_out=0.5)

    assert daily is not None
    assert once is not None
    assert 1.3 * once.people < daily.people < 2.5 * once.people


def test_the_least_effect_is_what_the_margin_and_the_power_add_up_to() -> None:
    found = least_effect(2.0, 1_000)

    assert found == pytest.approx(
        2 * (margin(1_000) + stats.norm.ppf(0.8) / math.sqrt(1_000))
    )


def test_no_effect_takes_no_number_of_people() -> None:
    assert one_look(0.2, 0.0, held_out=0.1) is None
    assert one_look(0.9, 0.2, held_out=0.1) is None
    assert every_look(1.0, 0.0, held_out=0.1) is None
    assert every_look(1.0, 1e-9, held_out=0.1) is None
