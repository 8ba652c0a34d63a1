from __future__ import annotations

from hypothesis import given, strategies as st

from journeykit.runtime.retries import LONGEST_MS, MINUTE_MS, backoff


@given(st.text(max_size=24), st.integers(1, 60))
def test_a_delay_doubles_up_to_an_hour_and_grows_by_a_tenth_at_most(
    id: str, attempts: int
) -> None:
    plain = min(MINUTE_MS * 2 ** (attempts - 1), LONGEST_MS)

    assert plain <= backoff(id, attempts) <= plain * 1.1


@given(st.text(max_size=24), st.integers(1, 60))
def test_the_same_attempt_always_waits_as_long(id: str, attempts: int) -> None:
    assert backoff(id, attempts) == backoff(id, attempts)


def test_what_failed_together_does_not_come_back_together() -> None:
    delays = {backoff(f"delivery-{n}", 1) for n in range(100)}

    assert len(delays) > 50
