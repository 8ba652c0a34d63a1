"""Meta's Graph API: signatures, the handshake, errors and the 24 hours."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.channels import Callback, Receipt, Rejected, RetryAfter, Sent, Uncertain
from journeykit.engine.asked import Asked, Contact
from journeykit.errors import ForgedCallback, InputError
from journeykit.meta import (
    GraphError,
    challenge,
    error_in,
    instant,
    outside_window,
    proof,
    receipt_of,
    signature,
    verified,
)
from journeykit.transport import NoAnswer, Outcome, Response, Unreachable

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ASKED = "https://api.example/v1/feedback/whatsapp?hub.mode=subscribe"


def posted(body: bytes, secret: str = "secret") -> Callback:
    headers = {"x-hub-signature-256": signature(secret, body)}
    return Callback(body=body, headers=headers, received_at=NINE)


def test_a_signature_is_the_hex_of_an_hmac() -> None:
    # Of RFC 4231, test case 2.
    found = signature("Jefe", b"what do ya want for nothing?")

    assert (
        found
        == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert proof("Jefe", "what do ya want for nothing?") == found.removeprefix(
        "sha256="
    )


def test_what_the_app_signed_is_read() -> None:
    callback = posted(b'{"object": "page", "entry": []}')

    assert verified(callback, "new", "secret", place="x") == {
        "object": "page",
        "entry": [],
    }


@pytest.mark.parametrize(
    "callback",
    [
        posted(b'{"entry": []}', secret="other"),
        replace(posted(b'{"entry": []}'), body=b'{"entry": [1]}'),
        replace(posted(b"{}"), headers={}),
        replace(posted(b"{}"), headers={"x-hub-signature-256": "sha256=é\ud800"}),
        # SHA-1, which Meta sends along for old apps, is not enough.
        replace(posted(b"{}"), headers={"x-hub-signature": "sha1=00"}),
    ],
    ids=range(5),
)
def test_what_somebody_else_signed_is_forged(callback: Callback) -> None:
    with pytest.raises(ForgedCallback) as caught:
        verified(callback, "secret", place="whatsapp: callback")

    assert caught.value.place == "whatsapp: callback"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"entry": {}}', b"[" * 9_999])
def test_what_is_signed_and_has_no_entries_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="entry") as caught:
        verified(posted(body), "secret", place="x")

    assert not isinstance(caught.value, ForgedCallback)


def test_nobody_hears_a_challenge_without_the_token() -> None:
    url = f"{ASKED}&hub.verify_token=ours&hub.challenge=1158201444"
    asked = Callback(body=b"", headers={}, received_at=NINE, method="GET", url=url)

    assert challenge(asked, "ours") == "1158201444"
    assert challenge(asked, "other") is None
    assert challenge(replace(asked, method="POST"), "ours") is None
    assert challenge(replace(asked, url=url + "%3Cb%3E"), "ours") is None


@pytest.mark.parametrize(
    ("outcome", "receipt"),
    [
        (Response(200, body=b'{"id": "m1"}'), Sent("d1", "m1")),
        (Response(200, body=b'{"id": 7}'), Sent("d1")),
        (Response(200, body=b"[]"), Sent("d1")),
        (
            Response(400, {"retry-after": "9"}, b'{"error": {"code": 4}}'),
            RetryAfter("d1", 9),
        ),
        (Response(500, body=b'{"error": {"code": 2}}'), RetryAfter("d1", 0)),
        (
            Response(500, body=b'{"error": {"code": 1, "error_subcode": 1357046}}'),
            Uncertain("d1", "Meta 1/1357046: something unknown went wrong"),
        ),
        (
            Response(500, body=b'{"error": {"code": 131000}}'),
            Uncertain("d1", "Meta 131000: something unknown went wrong"),
        ),
        (Response(500, body=b'{"error": {"code": 7}}'), Uncertain("d1", "Meta 7")),
        (Response(502, body=b"<html>"), Uncertain("d1", "HTTP 502 Bad Gateway")),
        (Response(400, body=b'{"error": {"code": 131042}}'), RetryAfter("d1", 60)),
        (Response(400, body=b'{"error": {"code": 131031}}'), RetryAfter("d1", 60)),
        (
            Response(400, body=b'{"error": {"code": 7, "message": "ada@example.com"}}'),
            Rejected("d1", "Meta 7"),
        ),
        (
            Response(400, body=b'{"error": "no"}'),
            Rejected("d1", "HTTP 400 Bad Request"),
        ),
        (Unreachable("Connection refused"), RetryAfter("d1", 0)),
        (NoAnswer("timed out"), Uncertain("d1", "timed out")),
    ],
    ids=range(15),
)
def test_each_outcome_means_one_receipt(outcome: Outcome, receipt: Receipt) -> None:
    assert receipt_of("d1", outcome, lambda answer: answer["id"]) == receipt


def test_a_token_that_has_run_out_is_told_to_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome = Response(401, body=b'{"error": {"code": 190, "message": "EAAJ-token"}}')

    with caplog.at_level("ERROR", "journeykit.meta"):
        receipt = receipt_of("d1", outcome, lambda answer: "")

    assert receipt == RetryAfter("d1", 60)
    assert "access token" in caplog.text
    assert "EAAJ" not in caplog.text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    )
)
def test_any_answer_is_read_without_a_failure(answer: Any) -> None:
    body = json.dumps({"error": answer}).encode()

    receipt = receipt_of("d1", Response(400, body=body), lambda found: found["id"])

    assert isinstance(receipt, Rejected | RetryAfter | Uncertain)
    assert error_in(answer) is None or isinstance(error_in(answer), GraphError)


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("1772442000", NINE),
        (1772442000, NINE),
        (1772442000000, NINE),
        ("soon", None),
        (True, None),
        (-1, None),
        (10**20, None),
        ("9" * 50, None),
        (None, None),
        (1.5, None),
    ],
    ids=range(10),
)
def test_a_timestamp_is_seconds_or_milliseconds(
    stamp: object, at: datetime | None
) -> None:
    assert instant(stamp) == at


@pytest.mark.parametrize(
    ("hours", "refused"),
    [(0.0, False), (23.999, False), (24.0, True), (99.0, True), (None, True)],
)
def test_free_words_go_for_a_day(hours: float | None, refused: bool) -> None:
    replied_at = None if hours is None else NINE - timedelta(hours=hours)
    profile: Mapping[str, Any] = {}
    asked = Asked(
        customer="c1",
        created_at=NINE,
        now=NINE,
        zone="UTC",
        journey="j",
        step="s",
        channel="whatsapp",
        address="+16505551234",
        template="t",
        topic="",
        purpose="transactional",
        profile=profile,
        contact=Contact(replied_at=replied_at),
    )

    assert (outside_window(asked) is not None) == refused
