from __future__ import annotations

from hypothesis import given, strategies as st

from journeykit.runtime.breaker import ChannelBreaker, trips

MINUTE = 60_000


def down(breaker: ChannelBreaker, now: int = 0, times: int = 5) -> None:
    breaker.answered(outages=times, answers=0, now=now)


def test_a_channel_that_answers_is_asked() -> None:
    breaker = ChannelBreaker()

    breaker.answered(outages=0, answers=100, now=0)

    assert breaker.opens_at(0) is None
    assert not breaker.is_open


def test_a_few_outages_do_not_open_it() -> None:
    breaker = ChannelBreaker()

    down(breaker, times=4)

    assert breaker.opens_at(0) is None


def test_a_channel_of_which_half_the_answers_are_outages_rests_for_a_minute() -> None:
    breaker = ChannelBreaker()

    breaker.answered(outages=5, answers=5, now=0)

    assert breaker.opens_at(0) == MINUTE
    assert breaker.opens_at(MINUTE - 1) == MINUTE


def test_a_large_batch_counts_in_proportion() -> None:
    down, up = ChannelBreaker(), ChannelBreaker()

    down.answered(outages=80, answers=20, now=0)
    up.answered(outages=20, answers=80, now=0)

    assert down.opens_at(0) == MINUTE
    assert up.opens_at(0) is None


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_one_batch_opens_it_if_at_least_half_of_it_are_outages(
    outages: int, answers: int
) -> None:
    breaker = ChannelBreaker()

    breaker.answered(outages=outages, answers=answers, now=0)

    if outages >= answers and outages + answers >= 5:
        assert breaker.is_open
    if outages < 0.47 * (outages + answers):  # a mark of twenty stands for many
        assert not breaker.is_open


def test_after_the_rest_one_batch_finds_out_for_all() -> None:
    breaker = ChannelBreaker()
    down(breaker)

    first, second = breaker.opens_at(MINUTE), breaker.opens_at(MINUTE)

    assert first is None
    assert second == 2 * MINUTE


def test_an_answer_to_the_probe_closes_it() -> None:
    breaker = ChannelBreaker()
    down(breaker)
    breaker.opens_at(MINUTE)

    breaker.answered(outages=0, answers=1, now=MINUTE)

    assert not breaker.is_open
    assert breaker.opens_at(MINUTE) is None


def test_a_probe_of_which_nobody_heard_is_followed_by_another_one() -> None:
    breaker = ChannelBreaker()
    down(breaker)
    breaker.opens_at(MINUTE)  # and whoever asked was killed, or had no slot

    assert breaker.opens_at(2 * MINUTE - 1) == 2 * MINUTE
    assert breaker.opens_at(2 * MINUTE) is None


def test_each_probe_in_vain_doubles_the_rest_up_to_a_quarter_of_an_hour() -> None:
    breaker, now, rests = ChannelBreaker(), 0, []
    down(breaker)

    for _ in range(6):
        until = breaker.opens_at(now)
        assert until is not None
        rests.append((until - now) // MINUTE)
        now = until
        assert breaker.opens_at(now) is None  # the probe
        down(breaker, now, times=1)

    assert rests == [1, 2, 4, 8, 15, 15]


def test_a_breaker_that_has_closed_starts_to_count_anew() -> None:
    breaker = ChannelBreaker()
    down(breaker)
    breaker.opens_at(MINUTE)
    breaker.answered(outages=0, answers=1, now=MINUTE)

    down(breaker, MINUTE, times=4)

    assert not breaker.is_open


def test_ten_failures_of_a_hundred_stop_a_journey() -> None:
    assert trips(90, 10, share=10, at_least=10)


def test_nine_failures_do_not_stop_it_whatever_their_share() -> None:
    assert not trips(0, 9, share=10, at_least=10)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_journey_stops_exactly_from_the_share_on(good: int, bad: int) -> None:
    expected = bad >= 10 and bad * 10 >= good + bad

    assert trips(good, bad, share=10, at_least=10) == expected
