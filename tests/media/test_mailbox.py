"""Mailboxes: read as people write them, written as headers want them."""

from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import ContentError
from journeykit.media.mailbox import Mailbox, mailbox_of, mailboxes_of


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        pytest.param("a@b.example", "", "a@b.example", id="an address"),
        pytest.param(" A B <a@b.example> ", "A B", "a@b.example", id="a name"),
        pytest.param('"A, B" <a@b.example>', "A, B", "a@b.example", id="quoted"),
        pytest.param(r'"A \"B\"" <a@b.example>', 'A "B"', "a@b.example", id="escaped"),
        pytest.param("<a@b.example>", "", "a@b.example", id="brackets alone"),
        pytest.param(
            "Jörg <a@bücher.example>", "Jörg", "a@xn--bcher-kva.example", id="IDN"
        ),
    ],
)
def test_it_is_read_as_people_write_it(text: str, name: str, address: str) -> None:
    assert mailbox_of(text) == Mailbox(address, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@b",
        "a b@c.example",
        "a@b.example, c@d.example",
        "A <a@b.example",
        "<>",
    ],
)
def test_what_is_no_mailbox_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ContentError) as refusal:
        mailbox_of(text, what="sender")

    assert "the sender" in str(refusal.value)
    assert "b.example" not in str(refusal.value)


def test_several_are_parted_by_commas() -> None:
    found = mailboxes_of('"A, B" <a@b.example>, c@d.example ,')

    assert [each.address for each in found] == ["a@b.example", "c@d.example"]
    assert found[0].name == "A, B"


@given(
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=80).map(
        str.strip
    )
)
def test_a_mail_program_reads_what_is_written(name: str) -> None:
    written = str(Mailbox("a@b.example", name))

    shown, address = parseaddr(written)

    assert written.isascii()
    assert len(written.splitlines()) == 1
    assert address == "a@b.example"
    assert " ".join(str(make_header(decode_header(shown))).split()) == " ".join(
        name.split()
    )


def test_no_encoded_word_is_longer_than_the_standard_has_it() -> None:
    written = str(Mailbox("a@b.example", "Ünï " * 60))

    assert max(map(len, written.split())) <= 75  # RFC 2047 §2
