"""Documents and commands, as DynamoDB keeps them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from journeykit.aws import documents
from journeykit.aws.documents import (
    packed,
    packed_command,
    unpacked,
    unpacked_command,
)
from journeykit.engine.commands import CallAction, Command, PublishEvent, SendMessage
from journeykit.engine.customer import (
    SCHEMA,
    Address,
    Consent,
    Customer,
    Enrollment,
    Finished,
    Held,
    Past,
    Released,
    Visits,
    Watch,
    created,
    encode,
)
from journeykit.errors import NewerStore, StoreError
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_full,
    make_message,
    make_person,
)

# --- Samples that were written by the release that began each format -----------------

STORED_1 = bytes.fromhex(
    "016d1a1478000200020000000000000000000000010000000000000000000000ff0000000000"
    "000000ffffffffffffffff9557496ec3300cfc4bcf462151d4f6981c9cc4458b16e8b517ffbd"
    "92a385a4abd8f529311292b666e10c8b7a0040b55d83fa481b04d52ed2cbb35e5556e6fb2cf6"
    "9481825c3ff2bc01d17944e58d57d15aedb45b055266bd49c6df56c6ed8a0cbaaed3097cf127"
    "dbe167041a4926a5c1a0753ec4f97abb2f6ff53b2399100d4239b3510e24e57c8cd16119aed1"
    "bbd88a8657bb4e8c87f8de99089289ac58c17b7a7aad42b927c52955fb9734a53aa134c8eadb"
    "2de248841918a9607a305ad5918934933f0c247a6a6bd4e7b0adc0cade83162564f1fc8b6885"
    "b30de5e2cf575458b90eb17339bf1df31cf20493249f24ba1ea48e3da149f048c37d7d8bf4f1"
    "f233e6f59e749d1f5d3429310e73caa2877984850e7a2c2449b061fafb57c695136ca6900e45"
    "03188368ad73de3f4c22f14a97df4e15ff9b71d461b3731487c85ba7f087fa29df65518aadce"
    "0f8fa0142e2d2f975f"
)
COMMAND_1 = bytes.fromhex(
    "017006943623aec1626068646c626a666e619998949c929a06e3a3366412531209344f802a70"
    "b75080d56b4e3e5a3345a902e8600b13133373131303736373034b53534333433378f3c5c200"
    "0e90532b2274e189d69888064daa21ce860b4aeb04c9d65a00"
)


def sample() -> Customer:
    """Who stands in `STORED_1`."""
    return Customer(
        "ada",
        NOW - 90 * DAY,
        SCHEMA,
        revision=41,
        clock=NOW,
        catalog=7,
        profile={"email": "ada@example.com", "zone": "Europe/Berlin", "big": 2**64},
        addresses={"a1": Address("bounced", NOW)},
        consents=[Consent(True, NOW, channel="email", purpose="marketing")],
        active=[
            Enrollment(
                "0123456789abcdef01234567",
                "abandoned-cart",
                3,
                2,
                NOW - HOUR,
                entry={"total": 12.5},
                step="wait-4h",
                visit=2,
                arrived_at=NOW - HOUR,
                due=NOW + 3 * HOUR,
                latches={"wait-4h": -1},
                watches=[Watch("purchase", NOW + DAY)],
            )
        ],
        past={
            "welcome": Past(
                1,
                NOW - 90 * DAY,
                NOW - 89 * DAY,
                [NOW - 90 * DAY],
                outcome="completed",
                keys={"k": Visits(1, NOW)},
                finished=[Finished("e0", 1, watches=[Watch("purchase", NOW)])],
            )
        },
        forgotten=1,
        ledger=[
            Released(NOW - DAY, "email", "", "welcome", "marketing", f"{1:024x}"),
            Released(NOW, "sms", "news", "welcome", "transactional", f"{255:024x}"),
        ],
        counters={"all": 2},
        seen={0: NOW - HOUR, 2**64 - 1: NOW},
        next_due=NOW + 3 * HOUR,
        held=[Held(order(), NOW, NOW + HOUR)],
        salt="0011223344556677",
    )


def order() -> SendMessage:
    """What stands in `COMMAND_1`."""
    return make_message(
        "0123456789abcdef01234567", variables={"x": 2**64}, not_after=NOW
    )


def test_what_the_first_release_stored_stays_readable() -> None:
    assert unpacked(STORED_1, "ada") == sample()
    assert unpacked_command(COMMAND_1) == order()


def test_a_dictionary_is_never_changed() -> None:
    digest = hashlib.sha256(documents._DICTIONARY_1).hexdigest()

    assert digest == "56365c6618df609afd4e2e884e7ab527fa3e27500aace3320a767b22c9377bfe"


# --- Round trips ---------------------------------------------------------------------


def test_a_document_is_read_as_it_was_written() -> None:
    ada = make_full("ada")

    assert unpacked(packed(ada), "ada") == ada
    assert unpacked(packed(sample()), "ada") == sample()


def test_a_document_belongs_to_whom_it_is_read_for() -> None:
    document = packed(sample())

    assert b"ada" not in document
    assert unpacked(document, "bob") == replace(sample(), id="bob")


def test_what_is_read_is_nobody_elses() -> None:
    document = packed(sample())

    unpacked(document, "ada").profile["zone"] = "UTC"
    unpacked(document, "ada").ledger.clear()

    assert unpacked(document, "ada") == sample()


instants = st.integers(0, 4_000_000_000_000)
numbers = st.integers(-(2**63), 2**64 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
our_ids = st.binary(min_size=12, max_size=12).map(bytes.hex)
odd_ids = st.one_of(
    names,
    our_ids.map(str.upper),
    our_ids.map(lambda id: id[:-1]),
    our_ids.map(lambda id: f" {id[1:]}"),
    our_ids.map(lambda id: f"é{id[1:]}"),
)


def ledgers(ids: st.SearchStrategy[str]) -> st.SearchStrategy[list[Released]]:
    channels = st.sampled_from(["email", "sms", ""])
    return st.lists(
        st.builds(Released, numbers, channels, names, names, names, ids), max_size=6
    )


people = st.builds(
    make_person,
    names,
    profile=st.dictionaries(names, names | numbers | st.none(), max_size=3),
    ledger=ledgers(our_ids) | ledgers(our_ids | odd_ids),
    seen=st.dictionaries(st.integers(0, 2**64 - 1), instants, max_size=6)
    | st.dictionaries(st.integers(-(2**63), 2**66), numbers, max_size=3),
    next_due=st.none() | instants,
)


@settings(max_examples=300)
@given(people)
def test_whatever_stands_in_the_lists_is_kept(person: Customer) -> None:
    found = unpacked(packed(person), person.id)

    assert found == person
    assert list(found.seen) == list(person.seen)  # in their order


def test_long_lists_are_kept() -> None:
    for count in (0xFFFF, 0x10000):
        ledger = [Released(n, "email", "", "", "", f"{n:024x}") for n in range(count)]
        ada = make_person("ada", ledger=ledger, seen={n: n for n in range(count)})

        assert unpacked(packed(ada), "ada") == ada


@pytest.mark.parametrize(
    "command",
    [
        order(),
        make_message("odd", variables={"a": [1, {"b": None}], "é": 1e300}),
        CallAction("c", "ada", "voucher", {"x": 2**64}, NOW, "j", 1, "s", "e", 2, NOW),
        PublishEvent("e", "order.sent", "ada", {"x": "\0"}, NOW, test=True),
    ],
    ids=["ours", "odd", "call", "event"],
)
def test_a_command_is_read_as_it_was_written(command: Command) -> None:
    assert unpacked_command(packed_command(command)) == command


# --- Sizes ---------------------------------------------------------------------------


def regular() -> Customer:
    """A customer of a shop, about 9 KB of JSON, as good as random where that is real."""
    dice = random.Random(7)

    def hexed(digits: int = 24) -> str:
        return f"{dice.getrandbits(4 * digits):0{digits}x}"

    def ago(days: int) -> int:
        return NOW - dice.randrange(days * DAY)

    journeys = ("welcome", "cart", "win-back", "birthday", "loyalty", "price-drop")
    return make_person(
        "customer-0018274",
        profile={
            "email": "maria.lindqvist@example.com",
            "phone": "+46701234567",
            "first_name": "Maria",
            "last_name": "Lindqvist",
            "zone": "Europe/Stockholm",
            "city": "Göteborg",
            "loyalty_points": 18450,
            "signed_up_at": "2025-04-27T09:14:03Z",
            "last_order_at": "2026-05-11T18:22:41Z",
            "favorite_category": "outdoor",
            "interests": ["hiking", "camping", "trail running"],
            "push_token": hexed(64),
        },
        addresses={hexed(): Address("", ago(60)) for _ in range(2)},
        consents=[
            Consent(True, ago(300), channel=channel, topic=topic)
            for channel in ("email", "sms", "push")
            for topic in ("", "news", "offers")
        ],
        active=[
            Enrollment(
                hexed(),
                journey,
                dice.randrange(1, 9),
                1,
                ago(5),
                entry={"cart": {"id": hexed(12), "total": 129.9, "currency": "SEK"}},
                step="wait-for-purchase",
                visit=2,
                arrived_at=ago(3),
                due=NOW + dice.randrange(DAY),
                watches=[Watch("purchase", NOW + 7 * DAY)],
            )
            for journey in journeys[:4]
        ],
        past={
            journey: Past(
                3, ago(60), ago(60), [ago(60) for _ in range(3)], outcome="completed"
            )
            for journey in journeys
        },
        ledger=[
            Released(
                ago(30),
                dice.choice(("email", "email", "sms", "push")),
                dice.choice(("", "news", "offers")),
                dice.choice(journeys),
                "marketing",
                hexed(),
            )
            for _ in range(44)
        ],
        seen={dice.getrandbits(64): ago(2) for _ in range(48)},
        salt=hexed(16),
    )


def test_nine_kilobytes_of_json_are_stored_in_less_than_four() -> None:
    maria = regular()

    assert 8_500 < len(encode(maria)) < 9_500
    assert len(packed(maria)) < 3_072  # and the rest of the item has a kilobyte left


def test_a_new_customer_is_stored_in_few_bytes() -> None:
    ada = created("ada", NOW, {"zone": "Europe/Berlin"}, salt="0011223344556677")

    assert len(packed(ada)) < len(encode(ada)) / 2


def test_a_command_is_stored_in_half_its_bytes() -> None:
    command = order()

    assert len(packed_command(command)) < len(msgspec.json.encode(command)) / 2


# --- Other releases ------------------------------------------------------------------


def written(
    customer: dict[str, Any], *columns: Any, lists: bytes = b"\0\0\0\0"
) -> bytes:
    """A document of format 1, of whatever shape."""
    text = msgspec.json.encode([customer, *(columns or ([], [], []))])
    return documents._with_header(lists + documents._deflated(text))


def test_a_document_of_an_earlier_shape_is_upgraded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def upgraded(document: Any) -> Customer:
        asked.append(document)
        return sample()

    document = replace(sample(), schema=SCHEMA - 1)
    stored = packed(document)
    monkeypatch.setattr(documents, "upgraded", upgraded)

    assert unpacked(stored, "ada") == sample()
    (found,) = asked
    assert found == msgspec.json.decode(encode(document)) | {"seen": document.seen}


def test_a_document_that_only_an_upgrade_can_read_is_read() -> None:
    stored = written(
        {"id": "", "created_at": str(NOW), "schema": 1},  # an instant as text
        [NOW, 1],
        [["email", "sms"], ["", ""], ["a", "b"], ["", ""]],
        [NOW, 2],
        lists=b"\0\x02\0\x02" + bytes(12) + b"\1" * 12 + bytes(8) + b"\1" * 8,
    )

    assert unpacked(stored, "ada") == Customer(
        "ada",
        NOW,
        SCHEMA,
        ledger=[
            Released(NOW, "email", "", "a", "", "00" * 12),
            Released(NOW + 1, "sms", "", "b", "", "01" * 12),
        ],
        seen={0: NOW, 0x0101010101010101: NOW + 2},
    )


def of_a_later_schema(stored: bytes) -> bytes:
    return packed(replace(unpacked(stored, ""), schema=SCHEMA + 1))


def of_another_shape_too(stored: bytes) -> bytes:
    return written({"id": "", "schema": SCHEMA + 1, "created_at": {"day": 1}})


def of_a_later_format(stored: bytes) -> bytes:
    return b"\x02" + stored[1:]


@pytest.mark.parametrize(
    "change", [of_a_later_schema, of_another_shape_too, of_a_later_format]
)
def test_a_document_of_a_later_release_is_refused(
    change: Callable[[bytes], bytes],
) -> None:
    stored = change(packed(sample()))

    with pytest.raises(NewerStore, match="by a later journeykit") as caught:
        unpacked(stored, "ada")

    assert "ada" not in str(caught.value)


def test_a_command_of_a_later_format_is_refused() -> None:
    with pytest.raises(NewerStore, match="format 2"):
        unpacked_command(b"\x02" + packed_command(order())[1:])


# --- Damage --------------------------------------------------------------------------


def test_every_cut_of_a_document_is_noticed() -> None:
    whole = packed(sample())

    for end in range(len(whole)):
        with pytest.raises(StoreError, match="can't be read"):
            unpacked(whole[:end], "ada")


def test_every_flipped_bit_is_noticed() -> None:
    for whole, read in (
        (packed(sample()), lambda stored: unpacked(stored, "ada")),
        (packed_command(order()), unpacked_command),
    ):
        for place in range(len(whole)):
            for bit in range(8):
                stored = bytearray(whole)
                stored[place] ^= 1 << bit
                with pytest.raises((StoreError, ValueError)):
                    read(bytes(stored))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\0",
        b"\1",
        b"{}",
        documents._with_header(b""),
        documents._with_header(b"\0\0\0"),
        documents._with_header(b"\0\1\0\0"),
        documents._with_header(b"\0\0\0\1" + documents._deflated(b"[{},[],[],[]]")),
        documents._with_header(b"\0\0\0\0\xff"),
        documents._with_header(b"\0\0\0\0" + documents._deflated(b"[{}")),
        written({}),
        written({"schema": "x"}),
        written({"schema": 0, "created_at": 1}),
        written({"id": "", "schema": 1, "created_at": 1, "profile": 3}),
        written({"id": "", "schema": 1, "created_at": 1}, [1], [[]], []),
        written(
            {"id": "", "schema": 1, "created_at": 1},
            *([1], [["email"]], []),
            lists=b"\0\1\0\0" + bytes(12),
        ),
        written({"id": "", "schema": 1, "created_at": 1}, [1, 2], {}, []),
    ],
    ids=range(17),
)
def test_a_damaged_document_does_not_say_whose_it_is(stored: bytes) -> None:
    with pytest.raises(StoreError, match="can't be read") as caught:
        unpacked(stored, "ada")

    assert not isinstance(caught.value, NewerStore)
    assert "ada" not in str(caught.value)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{}",
        documents._with_header(b""),
        documents._with_header(b"\xff"),
        documents._with_header(documents._deflated(b"{}")),
        documents._with_header(documents._deflated(b'{"type":"shout"}')),
    ],
    ids=range(6),
)
def test_a_damaged_command_is_a_value_error(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpacked_command(stored)
