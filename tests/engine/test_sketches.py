from __future__ import annotations

import pytest

from journeykit.engine.sketches import (
    REGISTERS_BYTES,
    REGISTERS_ERROR,
    Sample,
    registers,
    registers_estimate,
    registers_united,
    value_hash,
)


def hashes(first: int, last: int) -> list[int]:
    return [value_hash(f"value-{n}") for n in range(first, last)]


@pytest.mark.parametrize("count", [0, 1, 10, 50, 100, 500, 1000, 5000, 20_000])
def test_registers_estimate_within_three_standard_errors(count: int) -> None:
    text = registers(hashes(0, count))

    assert registers_estimate(text) == pytest.approx(
        count, rel=3 * REGISTERS_ERROR, abs=1
    )
    assert len(text) + 2 == REGISTERS_BYTES


def test_on_average_registers_estimate_right() -> None:
    errors = [
        registers_estimate(registers(hashes(n, n + 300))) / 300 - 1
        for n in range(0, 30_000, 300)
    ]

    assert abs(sum(errors) / len(errors)) < 0.01


def test_registers_do_not_ask_in_which_order_or_how_often() -> None:
    some = hashes(0, 500)

    at_once = registers(some)
    one_by_one = registers(reversed(some), registers(some[::3]))

    assert at_once == one_by_one


def test_united_registers_are_those_of_all_values() -> None:
    united = registers_united(registers(hashes(0, 400)), registers(hashes(200, 900)))

    assert united == registers(hashes(0, 900))


def test_a_sample_is_exact_until_it_is_full() -> None:
    sample = Sample(None, most=64)

    for n, hash in enumerate(hashes(0, 64)):
        sample.add(hash, n)
        sample.add(hash, n)

    assert sample.estimate() == 64
    assert sample.lost == []


def test_a_full_sample_estimates_within_two_fifths() -> None:
    errors = []
    for first in range(0, 50_000, 1000):
        sample = Sample(None, most=64)
        for n, hash in enumerate(hashes(first, first + 1000)):
            sample.add(hash, n)
        errors.append(sample.estimate() / 1000 - 1)

    assert abs(sum(errors) / len(errors)) < 0.06
    assert sorted(map(abs, errors))[int(len(errors) * 0.9)] < 0.4
    assert len(sample.seen) <= 64


def test_a_sample_is_exact_again_when_a_crowd_has_passed() -> None:
    sample = Sample(None, most=16)
    for hash in hashes(0, 500):
        sample.add(hash, 1)
    for hash in hashes(500, 503):
        sample.add(hash, 9)

    sample = Sample(sample.state(), most=16)
    sample.forget(lambda at: at < 5)
    for hash in hashes(503, 508):
        sample.add(hash, 10)

    assert 5 <= sample.estimate() <= 16  # of the three between, some were dropped
    sample.forget(lambda at: at < 10)
    assert sample.estimate() == 5
    assert sample.lost == []


def test_what_has_left_the_window_is_not_counted() -> None:
    sample = Sample(None, most=8)
    for n, hash in enumerate(hashes(0, 6)):
        sample.add(hash, n)

    sample.forget(lambda at: at < 4)

    assert sample.estimate() == 2


def test_a_sample_that_was_read_again_is_the_same() -> None:
    sample = Sample(None, most=4)
    for n, hash in enumerate(hashes(0, 40)):
        sample.add(hash, n)

    assert Sample(sample.state(), most=4).state() == sample.state()
