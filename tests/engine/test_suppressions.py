"""The published list of addresses that nothing goes to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import Catalog, Journey, Policies, Send, on
from journeykit.engine.guards import ChannelRules
from journeykit.engine.ids import address_key
from journeykit.engine.suppressions import EMPTY, Suppression, SuppressionList
from journeykit.errors import InputError

NOON = 1_780_833_600_000

names = st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True)
items = st.builds(
    Suppression,
    key=st.binary(min_size=12, max_size=12).map(bytes.hex),
    channel=names,
    reason=names,
    at=st.integers(0, 2**32 - 1).map(lambda second: second * 1000),
)


def about(n: int, *, at: int = NOON, reason: str = "import") -> Suppression:
    return Suppression(address_key("email", f"p{n}@example.com"), "email", reason, at)


def _address(profile: Any, customer: str) -> Any:
    return profile.get("email")


CHANNELS = {"email": ChannelRules(address=_address, normalize=str.lower)}
SHOP = Journey(
    id="shop", trigger=on("start"), reentry="always", steps=[Send("email", "offer")]
)


@given(st.lists(items, max_size=30))
def test_a_list_is_read_as_it_was_written(listed: list[Suppression]) -> None:
    known = SuppressionList(listed)

    again = SuppressionList.from_bytes(known.to_bytes())

    assert list(again) == list(known)
    assert again.id == known.id
    assert [item.key for item in again] == sorted({item.key for item in listed})
    for item in listed:
        found = again.get(item.key)
        assert found is not None
        assert found.at >= item.at


@given(st.lists(items, max_size=20), st.randoms(use_true_random=False))
def test_the_order_in_which_it_was_told_makes_no_difference(
    listed: list[Suppression], random: Any
) -> None:
    told = {item.key: item for item in listed}
    shuffled = list(told.values())
    random.shuffle(shuffled)

    assert SuppressionList(told.values()).id == SuppressionList(shuffled).id


@given(st.lists(items, max_size=20), st.lists(items, max_size=20))
def test_what_is_added_is_there_and_what_is_taken_off_is_not(
    before: list[Suppression], more: list[Suppression]
) -> None:
    known = SuppressionList(before).with_(more)

    left = known.without([item.key for item in more])

    assert {item.key for item in known} == {item.key for item in (*before, *more)}
    assert all(left.get(item.key) is None for item in more)


def test_the_same_again_changes_nothing() -> None:
    known = SuppressionList([about(1), about(2)])

    assert known.with_([about(1)]).id == known.id


def test_of_two_words_about_an_address_the_later_counts() -> None:
    known = SuppressionList([about(1, at=NOON), about(1, at=NOON - 1000, reason="old")])

    assert [item.reason for item in known] == ["import"]


def test_nobody_is_on_an_empty_list() -> None:
    assert not EMPTY
    assert EMPTY.get("0" * 24) is None
    assert list(SuppressionList.from_bytes(EMPTY.to_bytes())) == []


def test_it_counts_by_channel_and_reason() -> None:
    known = SuppressionList([about(1), about(2), about(3, reason="complaint")])

    assert known.by_reason == {("email", "complaint"): 1, ("email", "import"): 2}


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journeykit.engine.suppressions.SUPPRESSIONS", 3)

    with pytest.raises(InputError, match="4 addresses are more than the 3"):
        SuppressionList(about(n) for n in range(4))


@given(st.binary(max_size=200))
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|format|cut off|too many|names"):
        SuppressionList.from_bytes(body)


@given(st.data())
def test_a_damaged_list_is_refused_or_read_whole(data: st.DataObject) -> None:
    body = bytearray(SuppressionList(about(n) for n in range(9)).to_bytes())
    place = data.draw(st.integers(0, len(body) - 1))
    cut = data.draw(st.booleans())
    body[place] ^= data.draw(st.integers(1, 255))

    try:
        found = SuppressionList.from_bytes(bytes(body[:place] if cut else body))
    except ValueError:
        return
    assert len(list(found)) == len(found) <= 9


@pytest.mark.parametrize("spelling", ["ada@example.com", "ADA@example.com"])
def test_nothing_goes_to_an_address_on_the_list_whoever_has_it(
    drive: Any, spelling: str
) -> None:
    key = address_key("email", "ada@example.com")
    listed = SuppressionList([Suppression(key, "email", "do-not-mail", NOON)])
    ada = drive(SHOP, channels=CHANNELS)
    ada.catalog = Catalog.compile(
        [SHOP], policies=Policies(), channels=CHANNELS, suppressions=listed, revision=2
    )
    ada.event("profile.updated", email=spelling)

    ada.event("start")
    assert ada.details("suppressed") == [{"rule": "do-not-mail", "channel": "email"}]
    ada.event("profile.updated", email="another@example.com")
    ada.event("start")

    assert ada.sent == ["offer +0s"]


def test_what_the_document_says_counts_before_the_list(drive: Any) -> None:
    key = address_key("email", "ada@example.com")
    listed = SuppressionList([Suppression(key, "email", "imported", NOON)])
    ada = drive(SHOP, channels=CHANNELS)
    ada.event("profile.updated", email="ada@example.com")
    ada.event("message.complained", channel="email")
    ada.catalog = Catalog.compile(
        [SHOP], policies=Policies(), channels=CHANNELS, suppressions=listed, revision=2
    )

    ada.event("start")

    assert ada.details("suppressed")[0]["rule"] == "complaint"
