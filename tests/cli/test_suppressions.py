"""`journeykit suppressions`: the list of addresses, as an operator keeps it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.conftest import Shop

from journeykit.channels import Channel, Message, Receipt
from journeykit.cli.suppression_lines import Speller
from journeykit.engine.ids import address_key
from journeykit.engine.suppressions import SuppressionList
from journeykit.errors import InputError
from journeykit.runtime.suppressing import listed
from journeykit.testing import make_event

# `console` carries e-mail in this shop, so a customer's id is the address.
KEY = address_key("email", "ada")


def list_of(shop: Shop) -> SuppressionList:
    with shop.embedded() as embedded:
        return listed(embedded.store.current(), embedded.store)


def told(text: str) -> str:
    return " ".join(text.split())


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "list.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def imported(shop: Shop, file: str, *more: str, code: int = 0) -> str:
    result = shop("suppressions", "import", *more, file)
    assert result.exit_code == code, result.output
    return told(result.output)


def rows_of(shop: Shop) -> list[dict[str, str]]:
    result = shop("suppressions", "export")
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_nothing_goes_to_an_address_that_was_added_and_again_after_it_was_removed(
    published: Shop,
) -> None:
    done = published(
        "suppressions", "add", "--channel", "email", "--reason", "Do not mail", "ada"
    )
    assert told(done.stdout) == "1 addresses are on the list now, 0 before"
    published.happen(make_event("subscribed", "ada"))
    published.happen(make_event("subscribed", "bob"))

    why = published("customer", "ada").stdout
    removed = published("suppressions", "remove", "--channel", "email", "ada")
    published.happen(make_event("subscribed", "ada", at="2026-01-06T09:00:00Z"))

    assert "do not mail" in told(why)
    assert "0 addresses are on the list now, 1 before" in told(removed.stdout)
    ada, bob = published.customers("ada", "bob")
    assert (len(ada.past), len(bob.past)) == (1, 1)
    assert not list_of(published)


def test_the_same_file_again_changes_nothing(published: Shop, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "address,channel,reason,at\n"
        "ada,email,Hard Bounce,2026-01-01T00:00:00Z\n"
        "bob,email,complaint,\n",
    )

    first, again = imported(published, file), imported(published, file)

    assert first == "2 addresses are on the list now, 0 before"
    assert again == "nothing has changed; 2 addresses are on the list"
    found = list_of(published).get(KEY)
    assert found is not None
    assert (found.reason, found.at) == ("hard_bounce", 1_767_225_600_000)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ada\nbob\n", id="an address a line"),
        pytest.param("# ours\n\nada\n  bob  \n", id="remarks and blanks"),
        pytest.param("email,created\nada,1767225600\nbob,1767225600\n", id="SendGrid"),
        pytest.param(
            "EmailAddress;Reason\nada;BOUNCE\nbob;COMPLAINT\n", id="semicolons"
        ),
        pytest.param("\ufeffaddress\tat\r\nada\t2026-01-01\r\nbob\t\r\n", id="Windows"),
        pytest.param('"ada"\n"bob"\n', id="quoted"),
    ],
)
def test_lists_are_read_as_others_write_them(
    published: Shop, tmp_path: Path, text: str
) -> None:
    imported(published, write(tmp_path, text), "--channel", "email")

    assert {item.key for item in list_of(published)} == {
        KEY,
        address_key("email", "bob"),
    }


def test_the_channel_behind_an_address_is_no_header(
    published: Shop, tmp_path: Path
) -> None:
    imported(published, write(tmp_path, "ada@example.com,email\n+4930123,email\n"))

    assert {item.key for item in list_of(published)} == {
        address_key("email", "ada@example.com"),
        address_key("email", "+4930123"),
    }


def test_columns_without_a_header_can_be_named(published: Shop, tmp_path: Path) -> None:
    file = write(tmp_path, "COMPLAINT\tada\n")

    imported(published, file, "--channel", "email", "--columns", "reason,address")

    assert [item.reason for item in list_of(published)] == ["complaint"]


def test_what_is_wrong_with_a_line_is_said_and_the_others_proceed(
    published: Shop, tmp_path: Path
) -> None:
    file = write(
        tmp_path,
        "address,channel,at\nada,email,yesterday\nbob,fax,\ncleo,,\ndan,email,\n",
    )

    output = imported(published, file, code=1)

    assert "list.csv:2: its date is none" in output
    assert "list.csv:3: nobody carries channel 'fax'" in output
    assert "list.csv:4: names no channel" in output
    assert "3 lines were left out" in output
    assert len(list_of(published)) == 1


def test_a_file_of_which_nothing_can_be_read_changes_nothing(
    published: Shop, tmp_path: Path
) -> None:
    published("suppressions", "add", "--channel", "email", "ada")

    output = imported(published, write(tmp_path, "bob\n"), "--replace", code=1)

    assert "nothing is changed" in output
    assert len(list_of(published)) == 1


def test_a_file_can_be_the_whole_list(published: Shop, tmp_path: Path) -> None:
    published("suppressions", "add", "--channel", "email", "ada")

    output = imported(
        published, write(tmp_path, "bob\n"), "--channel", "email", "--replace"
    )

    assert output == "1 addresses are on the list now, 1 before"
    assert list_of(published).get(KEY) is None


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b'"' + b"x" * 200_000])
def test_what_is_no_list_is_refused(
    published: Shop, tmp_path: Path, body: bytes
) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(body)

    output = imported(published, str(file), "--channel", "email", code=1)

    assert "no UTF-8" in output or "no CSV" in output


def test_an_export_has_the_list_and_what_bounces_and_complaints_say(
    published: Shop, tmp_path: Path
) -> None:
    published("suppressions", "add", "--channel", "email", "ada")
    published("suppressions", "add", "--channel", "email", "nobody-yet")
    published.happen(
        make_event("subscribed", "ada"),
        make_event("message.complained", "bob", {"channel": "email"}),
    )

    rows = rows_of(published)

    assert {(row["address"], row["reason"]) for row in rows} == {
        ("ada", "manual"),
        ("bob", "complaint"),
        ("", "manual"),
    }
    assert all(row["channel"] == "email" for row in rows)


def test_an_export_can_be_imported_elsewhere(published: Shop, tmp_path: Path) -> None:
    published("suppressions", "add", "--channel", "email", "nobody-yet")
    published.happen(make_event("message.complained", "bob", {"channel": "email"}))
    out = tmp_path / "out.csv"
    assert published("suppressions", "export", "--out", str(out)).exit_code == 0
    other = Shop(tmp_path / "other")
    assert other("publish").exit_code == 0

    imported(other, str(out))

    assert {item.key: item.reason for item in list_of(other)} == {
        address_key("email", "nobody-yet"): "manual",
        address_key("email", "bob"): "complaint",
    }


def test_to_remove_an_address_takes_back_what_a_complaint_said(
    published: Shop,
) -> None:
    published.happen(make_event("message.complained", "ada", {"channel": "email"}))

    done = published("suppressions", "remove", "--channel", "email", "ada")

    assert "1 customer had a bounce or a complaint there" in told(done.stdout)
    with published.embedded() as embedded:
        embedded.runtime.drain(None)
    (ada,) = published.customers("ada")
    assert ada.addresses == {}


def test_it_says_what_is_on_the_list(published: Shop, tmp_path: Path) -> None:
    assert published("suppressions", "list").stdout == "nothing is on the list\n"
    published("suppressions", "add", "--channel", "email", "ada")

    assert told(published("suppressions", "list").stdout) == "1 email: manual"


def test_a_publish_keeps_the_list(published: Shop) -> None:
    published("suppressions", "add", "--channel", "email", "ada")
    published.write(
        "journeys/news.py",
        (published.folder / "journeys/news.py")
        .read_text(encoding="utf-8")
        .replace('"hello"', '"hello-you"'),
    )

    assert published("publish").exit_code == 0

    assert len(list_of(published)) == 1


@pytest.mark.parametrize("what", ["add", "remove"])
def test_an_address_needs_a_channel(published: Shop, what: str) -> None:
    result = published("suppressions", what, "ada")

    assert result.exit_code == 2
    assert "--channel" in result.output


def test_nothing_can_be_listed_before_something_is_published(shop: Shop) -> None:
    result = shop("suppressions", "add", "--channel", "email", "ada")

    assert result.exit_code == 1


class _Post(Channel):
    """Carries mail, or messages to telephones."""

    address_attribute = "address"

    def __init__(self, name: str) -> None:
        self.name = self.medium = name

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("channel", "address"),
    [("email", "notanaddress"), ("email", "a b@example.com"), ("sms", "12345")],
)
def test_an_address_that_nobody_could_write_to_is_refused(
    channel: str, address: str
) -> None:
    speller = Speller({channel: _Post(channel)})

    with pytest.raises(InputError, match=f"is no address of channel {channel}"):
        speller.key(channel, address)


def test_an_address_that_is_one_is_kept_as_its_channel_spells_it() -> None:
    speller = Speller({name: _Post(name) for name in ("email", "sms")})

    assert speller.key("email", "ada@example.com") == address_key(
        "email", "ada@example.com"
    )
    assert speller.key("sms", "+4915112345678") == address_key("sms", "+4915112345678")
