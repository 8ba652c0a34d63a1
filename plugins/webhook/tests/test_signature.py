"""Signatures are those of the specification, and nothing else passes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from journeykit_webhook import WrongSignature, new_secret, signed, verify

# Known answers, as any implementation of Standard Webhooks gives them.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

HEADERS = {
    "webhook-id": ID,
    "webhook-timestamp": str(AT),
    "webhook-signature": SIGNATURE,
}


def test_it_signs_as_the_specification_does() -> None:
    assert signed(ID, BODY, SECRET, at=AT + 0.9) == HEADERS


def test_header_names_may_be_in_any_case() -> None:
    headers = {name.title(): value for name, value in HEADERS.items()}

    assert verify(SECRET, headers, BODY, now=AT) == ID


def test_one_right_signature_among_others_is_enough() -> None:
    signatures = f"v1a,xyz v2,{SIGNATURE[3:]} v1,bm8= {SIGNATURE} ß"

    headers = HEADERS | {"webhook-signature": signatures}

    assert verify(SECRET, headers, BODY, now=AT) == ID


@pytest.mark.parametrize("late", [-300, 300])
def test_it_counts_for_five_minutes(late: int) -> None:
    assert verify(SECRET, HEADERS, BODY, now=AT + late) == ID


@pytest.mark.parametrize("late", [-301, 301, 10**9])
def test_a_replay_is_refused(late: int) -> None:
    with pytest.raises(WrongSignature, match="five minutes"):
        verify(SECRET, HEADERS, BODY, now=AT + late)


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name: str) -> None:
    headers = {key: value for key, value in HEADERS.items() if key != name}

    with pytest.raises(WrongSignature, match=name):
        verify(SECRET, headers, BODY, now=AT)


@given(st.sampled_from([*HEADERS]), st.text())
def test_another_header_is_refused(name: str, text: str) -> None:
    if SIGNATURE in text.split() or text == HEADERS[name]:
        return

    with pytest.raises(WrongSignature):
        verify(SECRET, HEADERS | {name: text}, BODY, now=AT)


@given(st.binary())
def test_another_body_is_refused(body: bytes) -> None:
    if body == BODY:
        return

    with pytest.raises(WrongSignature):
        verify(SECRET, HEADERS, body, now=AT)


def test_another_secret_is_refused() -> None:
    with pytest.raises(WrongSignature):
        verify(new_secret(), HEADERS, BODY, now=AT)


@given(st.text(min_size=1), st.binary())
def test_what_is_signed_verifies(id: str, body: bytes) -> None:
    headers = signed(id, body, SECRET, at=AT)

    assert verify(SECRET, headers, body, now=AT) == id


def test_no_secret_is_made_twice() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
