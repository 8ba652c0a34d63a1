"""Whom providers write to: what is no address is refused, and never quoted."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import ContentError
from journeykit.media.addresses import ascii_domain, number_of, recipient_of


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada.L+news@EXAMPLE.com ", "Ada.L+news@example.com"),
        ("o'hara@example.co.uk", "o'hara@example.co.uk"),
        ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@faß.de", "ada@xn--fa-hia.de"),
        ("дада@пример.example", "дада@xn--e1afmkfd.example"),
    ],
)
def test_an_address_is_taken_to_what_providers_take(text: str, written: str) -> None:
    assert str(recipient_of(text)) == written


def test_only_an_address_in_ascii_can_do_without_smtputf8() -> None:
    assert recipient_of("ada@münchen.example").is_ascii
    assert not recipient_of("дада@example.com").is_ascii


@pytest.mark.parametrize(
    "text",
    [
        *("", "ada", "@example.com", "ada@", "ada@example", "ada@.com", "ada@-a.com"),
        *(
            "a@b@example.com",
            '"a b"@example.com',
            "a b@example.com",
            "ada@exa mple.com",
        ),
        *("ada@example.com\r\nBcc: eve@example.com", "ada\x00@example.com", ".a@a.de"),
        *("a..b@a.de", "<ada@a.de>", "a,b@a.de", "ada@[10.0.0.1]", "ada@\ud800.de"),
        *("\ud800@a.de", f"{'x' * 65}@a.de", f"a@{'x.' * 130}de", "ada@xn--a.de\u200b"),
    ],
    ids=ascii,
)
def test_what_is_no_address_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ContentError) as refused:
        recipient_of(text)

    assert "ada" not in str(refused.value)
    assert "eve" not in str(refused.value)


@given(st.text())
def test_whatever_somebody_types_it_is_an_address_in_one_line_or_none(
    text: str,
) -> None:
    try:
        recipient = recipient_of(text)
    except ContentError:
        return
    written = str(recipient)
    assert written.isprintable()
    assert not set(written) & set(' <>,;:"\\')
    assert written.count("@") == 1
    assert str(recipient_of(written)) == written


def test_two_domains_that_look_alike_stay_two() -> None:
    assert ascii_domain("faß.de") != ascii_domain("fass.de")


@pytest.mark.parametrize(
    "text",
    [
        "+491701234567",
        "+49 170 1234567",
        "+49 (0170) 1234567",
        "+49-170/123.45.67",
        "  +49 170 1234567",
        "+49\xa0170\xa01234567",
    ],
    ids=ascii,
)
def test_a_number_is_taken_to_e164(text: str) -> None:
    assert number_of(text) in ("+491701234567", "+4901701234567")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "0170 1234567",
            "1701234567",
            "+49",
            "tomorrow",
            "+1",
            "+999 123 4567890",
        ),
        *("+" + "1" * 20, "+49 170 1234567 ext. 5", "\ud800", "+1 650 253 000"),
        "x" * 10_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_number_with_its_country_is_refused_and_not_quoted(
    text: str,
) -> None:
    with pytest.raises(ContentError) as refused:
        number_of(text)

    assert "170" not in str(refused.value)


@given(st.text())
def test_whatever_somebody_types_it_is_a_number_or_none(text: str) -> None:
    try:
        number = number_of(text)
    except ContentError:
        return
    assert number_of(number) == number
    assert number[0] == "+"
    assert number[1:].isascii()
    assert number[1:].isdigit()
