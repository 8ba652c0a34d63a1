"""What an outcome means for the message that was posted."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given, strategies as st

from journeykit.channels import Receipt, Rejected, RetryAfter, Sent, Uncertain
from journeykit.transport import (
    Blocked,
    NoAnswer,
    Response,
    Unreachable,
    receipt_of,
    retry_after,
)

NOON = "Mon, 02 Mar 2026 12:00:00 GMT"


def receipt(status: int, **headers: str) -> Receipt:
    return receipt_of("d1", Response(status, headers))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_message_that_was_taken_is_sent(status: int) -> None:
    assert receipt(status) == Sent("d1")


@pytest.mark.parametrize("status", [500, 502, 504, 507, 520, 522, 529])
def test_a_server_that_broke_may_have_done_it_before(status: int) -> None:
    found = receipt(status)

    assert isinstance(found, Uncertain)
    assert found.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_what_passes_is_tried_again_and_the_delay_left_to_the_caller(
    status: int,
) -> None:
    assert receipt(status) == RetryAfter("d1", 0)


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 409, 410, 413, 422, 451, 501, 505]
)
def test_what_does_not_pass_is_rejected(status: int) -> None:
    assert receipt(status) == Rejected(
        "d1", f"HTTP {status} {HTTPStatus(status).phrase}"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 399])
def test_a_redirect_is_rejected(status: int) -> None:
    found = receipt(status, location="https://example.org/")

    assert isinstance(found, Rejected)
    assert "redirects" in found.reason
    assert "example.org" not in found.reason


@pytest.mark.parametrize("status", [100, 103, 199, 600, 999])
def test_what_http_does_not_know_leaves_it_open(status: int) -> None:
    assert isinstance(receipt(status), Uncertain)


def test_a_blocked_url_is_rejected() -> None:
    assert receipt_of("d1", Blocked("no")) == Rejected("d1", "blocked: no")


def test_without_a_connection_it_is_tried_again() -> None:
    assert receipt_of("d1", Unreachable("no route")) == RetryAfter("d1", 0)


def test_without_an_answer_nobody_knows() -> None:
    assert receipt_of("d1", NoAnswer("timed out")) == Uncertain("d1", "timed out")


@given(st.integers(100, 999), st.dictionaries(st.text(), st.text()), st.binary())
def test_every_answer_has_one_receipt_which_repeats_nothing_of_it(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    found = receipt_of("d1", Response(status, headers, body))

    assert found.delivery_id == "d1"
    assert found == receipt_of("d1", Response(status, headers={}))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *[("1", 1), ("120", 120), (" 7 ", 7), ("86400", 86_400)],
        *[("0", 1), ("86401", 86_400), ("9" * 5000, 86_400)],
        *[
            ("Mon, 02 Mar 2026 12:02:00 GMT", 120),
            ("Tue, 02 Mar 2027 12:00:00 GMT", 86_400),
        ],
        ("Mon, 02 Mar 2026 11:00:00 GMT", 1),  # then has passed
        ("Monday, 02-Mar-26 12:02:00 GMT", 120),  # HTTP's older form
    ],
)
def test_a_server_may_say_when_within_a_second_and_a_day(
    said: str, seconds: float
) -> None:
    for status in (429, 503):
        found = receipt(status, **{"retry-after": said, "date": NOON})
        assert found == RetryAfter("d1", seconds)


@pytest.mark.parametrize(
    "said", ["", "soon", "-5", "1.5", "١٢", "Mon, 99 Mar 2026 12:00:00 GMT", "12 Mar"]
)
def test_what_is_no_delay_is_ignored(said: str) -> None:
    assert retry_after(Response(503, {"retry-after": said, "date": NOON})) == 0


def test_a_date_is_worth_nothing_without_the_servers_own_clock() -> None:
    later = "Mon, 02 Mar 2026 12:02:00 GMT"

    assert retry_after(Response(503, {"retry-after": later})) == 0
    assert retry_after(Response(503, {"retry-after": later, "date": "now"})) == 0


@given(st.text(), st.text())
def test_whatever_a_server_says_the_delay_has_bounds(said: str, date: str) -> None:
    seconds = retry_after(Response(503, {"retry-after": said, "date": date}))

    assert seconds == 0 or 1 <= seconds <= 86_400
